/* SPDX-License-Identifier: Apache-2.0
 *
 * Any neighbour discovery message: what parses, built and parsed again, is built to the same bytes;
 * counts stay within the arrays, the redirected packet within the message.
 */
#include "fuzz.h"

#include "wire/nd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_nd h, g;
    uint8_t out[1024], again[1024];
    if (wire_nd_parse(data, size, &h) != DROP_NONE)
        return 0;
    WEIR_ASSERT((size_t)h.redirected_at + h.redirected_len <= size);
    unsigned n = wire_nd_build(out, sizeof out, &h);
    WEIR_ASSERT(n >= 8);
    WEIR_ASSERT(wire_nd_parse(out, n, &g) == DROP_NONE);
    WEIR_ASSERT(g.n_prefix == h.n_prefix);
    WEIR_ASSERT(g.n_route == h.n_route);
    WEIR_ASSERT(g.n_dns == h.n_dns);
    WEIR_ASSERT(g.has == (h.has & ~ND_HAS_REDIRECTED));
    WEIR_ASSERT(wire_nd_build(again, sizeof again, &g) == n);
    WEIR_ASSERT(memcmp(out, again, n) == 0);
    return 0;
}
