/* SPDX-License-Identifier: Apache-2.0
 *
 * Words that people write for settings: numbers, rates, times, on and off.
 */
#ifndef WEIR_WORDS_H
#define WEIR_WORDS_H

#include "base/base.h"

#define WORDS_MBIT ((uint64_t)1000000)

/* A whole number in [lo, hi]; 0 or -EINVAL, and *out is as it was. */
WEIR_MUST_CHECK int words_number(const char *text, uint64_t lo, uint64_t hi, uint64_t *out);
/* "10gbit", "2500mbit", bits a second in [lo, hi]; 0 or -EINVAL. */
WEIR_MUST_CHECK int words_rate(const char *text, uint64_t lo, uint64_t hi, uint64_t *bps);
/* "5ms", "100us", "1s", microseconds in [lo, hi]; 0 or -EINVAL. */
WEIR_MUST_CHECK int words_us(const char *text, uint64_t lo, uint64_t hi, uint64_t *us);
/* "32k", "1500", "1m", bytes in [lo, hi]; 0 or -EINVAL. */
WEIR_MUST_CHECK int words_bytes(const char *text, uint64_t lo, uint64_t hi, uint64_t *bytes);
/* 1 for "on", 0 for "off", -EINVAL. */
int words_onoff(const char *text);

#endif
