/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings as "name=value": whatever is said, every setting stays within its limits, and what was
 * accepted can be read back.
 */
#include "fuzz.h"

#include "base/base.h"

#include <weir/conf.h>

static void check_limits(const struct weir_conf *c)
{
    const struct weir_setting *s;
    for (unsigned i = 0; (s = weir_conf_setting(i)) != NULL; i++) {
        uint32_t v; /* fields lie in the order of the table */
        memcpy(&v, (const uint8_t *)c + 4 * (size_t)i, sizeof v);
        WEIR_ASSERT(v >= s->min && v <= s->max);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[128];
    struct weir_conf c;
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    size_t name = 0;
    while (name < size && text[name] != '=')
        name++;
    if (name == size)
        return 0;
    text[name] = '\0';
    weir_conf_default(&c);
    uint32_t v;
    if (weir_conf_set(&c, text, text + name + 1) == 0)
        WEIR_ASSERT(weir_conf_get(&c, text, &v) == 0);
    check_limits(&c);
    return 0;
}
