/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of a stack, generated from conf.def. Plain data: start from weir_conf_default(),
 * change fields, give it to weir_size() and weir_init().
 */
#ifndef WEIR_CONF_H
#define WEIR_CONF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_conf {
#define CONF(name, def, min, max, doc) uint32_t name;
#include <weir/conf.def>
#undef CONF
};

/* One setting, for listing and help. */
struct weir_setting {
    const char *name, *doc;
    uint32_t def, min, max;
};

void weir_conf_default(struct weir_conf *);
/* Setting i, or NULL beyond the last. The returned constants stay valid. */
const struct weir_setting *weir_conf_setting(unsigned i);
/* By name. 0, -ENOENT (no such setting), -EINVAL (not a number), -ERANGE. */
int weir_conf_set(struct weir_conf *, const char *name, const char *value);
int weir_conf_get(const struct weir_conf *, const char *name, uint32_t *value);

#ifdef __cplusplus
}
#endif

#endif
