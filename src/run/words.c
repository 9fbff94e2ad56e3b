/* SPDX-License-Identifier: Apache-2.0
 *
 * Text to numbers, for what people type at a running instance or on a command line.
 *
 * Decides: which units there are. A value is a whole number with a unit from a short table behind
 * it, nothing rounded, nothing ignored; what is out of its range is refused here, so that callers
 * only have to say what the range is. The words of emulated links are dev/emu_parse.c's.
 *
 * Owns nothing. Called by nicdev.c, niccmd.c, qdisccmd.c.
 */
#include "run/words.h"

#include <errno.h>
#include <stdlib.h>

struct unit {
    const char *name;
    uint64_t worth;
};

static const struct unit units_none[] = {{"", 1}, {NULL, 0}};
static const struct unit units_rate[] = {
    {"bit", 1},     {"kbit", 1000},    {"mbit", 1000000}, {"gbit", 1000000000},
    {"kbps", 8000}, {"mbps", 8000000}, {NULL, 0},
};
static const struct unit units_us[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {NULL, 0}};
static const struct unit units_bytes[] = {
    {"", 1}, {"b", 1}, {"k", 1024}, {"kb", 1024}, {"m", 1 << 20}, {"mb", 1 << 20}, {NULL, 0}};

static int parse(const char *text, const struct unit *units, uint64_t lo, uint64_t hi,
                 uint64_t *out)
{
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return -EINVAL;
    uint64_t n = strtoull(text, &end, 10);
    if (errno != 0)
        return -EINVAL;
    for (; units->name != NULL; units++) {
        if (strcmp(units->name, end) != 0)
            continue;
        if (n > hi / units->worth || n * units->worth < lo)
            return -EINVAL;
        *out = n * units->worth;
        return 0;
    }
    return -EINVAL;
}

int words_number(const char *text, uint64_t lo, uint64_t hi, uint64_t *out)
{
    return parse(text, units_none, lo, hi, out);
}

int words_rate(const char *text, uint64_t lo, uint64_t hi, uint64_t *bps)
{
    return parse(text, units_rate, lo, hi, bps);
}

int words_us(const char *text, uint64_t lo, uint64_t hi, uint64_t *us)
{
    return parse(text, units_us, lo, hi, us);
}

int words_bytes(const char *text, uint64_t lo, uint64_t hi, uint64_t *bytes)
{
    return parse(text, units_bytes, lo, hi, bytes);
}

int words_onoff(const char *text)
{
    if (strcmp(text, "on") == 0)
        return 1;
    return strcmp(text, "off") == 0 ? 0 : -EINVAL;
}
