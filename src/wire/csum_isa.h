/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to wire/: the loops behind csum_partial() and csum_copy(), one pair per instruction set.
 *
 * Each adds n <= CSUM_CHUNK bytes and returns the sum of their 16-bit words, in the machine's byte
 * order, as one number that is not folded: below 2^63, so that a caller may add a few of them. An
 * odd last byte counts as if a zero byte followed.
 */
#ifndef WEIR_WIRE_CSUM_ISA_H
#define WEIR_WIRE_CSUM_ISA_H

#include "base/base.h"

/* The wide loops end in one signed 32-bit number, which holds this many bytes' worth. */
enum { CSUM_CHUNK = 1 << 16 };

uint64_t csum_scalar_sum(const uint8_t *p, size_t n);
uint64_t csum_scalar_copy(uint8_t *to, const uint8_t *p, size_t n);
uint64_t csum_avx2_sum(const uint8_t *p, size_t n);
uint64_t csum_avx2_copy(uint8_t *to, const uint8_t *p, size_t n);
uint64_t csum_avx512_sum(const uint8_t *p, size_t n);
uint64_t csum_avx512_copy(uint8_t *to, const uint8_t *p, size_t n);

#endif
