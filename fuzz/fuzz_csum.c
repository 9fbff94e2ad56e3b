/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes: all instruction sets agree with the definition, whole, in two pieces cut anywhere, and
 * while copying. The first two bytes choose the cut.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "wire/csum.h"

static uint16_t naive(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (uint64_t)p[i] << (i % 2 == 0 ? 8 : 0);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const uint8_t *p = data + 2;
    size_t n = size - 2, cut = w_be16(data) % (n + 1);
    uint16_t want = naive(p, n);
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        return 0;
    for (unsigned i = 0; i <= (unsigned)csum_best_isa(); i++) {
        enum csum_isa isa = (enum csum_isa)i;
        uint32_t a = csum_partial(isa, p, cut, 0), b = csum_partial(isa, p + cut, n - cut, 0);
        WEIR_ASSERT(csum_half(csum_partial(isa, p, n, 0)) == want);
        WEIR_ASSERT(csum_half(csum_add_at(a, b, cut)) == want);
        memset(copy, 0, n);
        WEIR_ASSERT(csum_half(csum_copy(isa, copy, p, n, 0)) == want);
        WEIR_ASSERT(memcmp(copy, p, n) == 0);
    }
    free(copy);
    return 0;
}
