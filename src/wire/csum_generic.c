/* SPDX-License-Identifier: Apache-2.0
 *
 * The checksum's wide loops on a processor that has none we wrote: the portable ones.
 *
 * Built instead of csum_x86.c. Decides that csum_best_isa() is CSUM_SCALAR; the other names still
 * work, so that a test may ask for every one of them.
 *
 * Owns nothing, keeps nothing. Called through the table in csum.c.
 */
#include "wire/csum.h"
#include "wire/csum_isa.h"

enum csum_isa csum_best_isa(void) { return CSUM_SCALAR; }

uint64_t csum_avx2_sum(const uint8_t *p, size_t n) { return csum_scalar_sum(p, n); }

uint64_t csum_avx2_copy(uint8_t *to, const uint8_t *p, size_t n)
{
    return csum_scalar_copy(to, p, n);
}

uint64_t csum_avx512_sum(const uint8_t *p, size_t n) { return csum_scalar_sum(p, n); }

uint64_t csum_avx512_copy(uint8_t *to, const uint8_t *p, size_t n)
{
    return csum_scalar_copy(to, p, n);
}
