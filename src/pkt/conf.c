/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings by name: the table made from conf.def, and reading a value from text.
 *
 * What a value may be is decided here, once, by the limits in conf.def; whether a setting may still
 * change while a stack runs ([start] settings may not) is stack/'s to say. A number is decimal
 * digits and nothing else: no sign, no space, no unit, so that a typing error is an error.
 *
 * A program may also fill struct weir_conf by hand: the limits are then checked by weir_init.
 */
#include "base/base.h"

#include <errno.h>

#include <weir/conf.h>

static const struct weir_setting settings[] = {
#define CONF(name, def, min, max, doc) {#name, doc, def, min, max},
#include <weir/conf.def>
#undef CONF
};

/* Where setting i lies in struct weir_conf. */
static const uint16_t offsets[] = {
#define CONF(name, def, min, max, doc) offsetof(struct weir_conf, name),
#include <weir/conf.def>
#undef CONF
};

#define CONF(name, def, min, max, doc)                                                             \
    _Static_assert((def) >= (min) && (def) <= (max), "the default of " #name " is not allowed");
#include <weir/conf.def>
#undef CONF

static uint32_t *field(struct weir_conf *c, unsigned i)
{
    return (uint32_t *)(void *)((uint8_t *)c + offsets[i]);
}

void weir_conf_default(struct weir_conf *c)
{
    for (unsigned i = 0; i < WEIR_COUNT(settings); i++)
        *field(c, i) = settings[i].def;
}

const struct weir_setting *weir_conf_setting(unsigned i)
{
    return i < WEIR_COUNT(settings) ? &settings[i] : NULL;
}

static bool is_same_text(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* The number of the setting, or -ENOENT. */
static int find(const char *name)
{
    for (unsigned i = 0; i < WEIR_COUNT(settings); i++) {
        if (is_same_text(settings[i].name, name))
            return (int)i;
    }
    return -ENOENT;
}

/* Decimal digits to the end of s. A number beyond 32 bits is one, and out of range. */
static int parse_number(const char *s, uint32_t *out)
{
    uint64_t v = 0;
    const char *c = s;
    for (; *c >= '0' && *c <= '9'; c++)
        v = w_u64_min(v * 10 + (uint64_t)(*c - '0'), (uint64_t)UINT32_MAX + 1);
    if (c == s || *c != '\0')
        return -EINVAL;
    *out = (uint32_t)v;
    return v > UINT32_MAX ? -ERANGE : 0;
}

int weir_conf_set(struct weir_conf *c, const char *name, const char *value)
{
    int i = find(name);
    if (i < 0)
        return i;
    uint32_t v;
    int err = parse_number(value, &v);
    if (err != 0)
        return err;
    if (v < settings[i].min || v > settings[i].max)
        return -ERANGE;
    *field(c, (unsigned)i) = v;
    return 0;
}

int weir_conf_get(const struct weir_conf *c, const char *name, uint32_t *value)
{
    int i = find(name);
    if (i < 0)
        return i;
    memcpy(value, (const uint8_t *)c + offsets[i], sizeof *value);
    return 0;
}
