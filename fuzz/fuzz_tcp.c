/* SPDX-License-Identifier: Apache-2.0
 *
 * Any TCP segment: the header is built again, its options in our order; parsed and built once more
 * they are the same. What we write is never malformed, and nothing in it is unknown to us.
 */
#include "fuzz.h"

#include "wire/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_tcp h = {.sport = 0}, g = {.sport = 0};
    uint8_t out[WIRE_TCP_HLEN_MAX], again[WIRE_TCP_HLEN_MAX];
    if (wire_tcp_parse(data, size, &h) != DROP_NONE)
        return 0;
    WEIR_ASSERT(h.hlen <= size);
    WEIR_ASSERT(h.n_sack <= WIRE_TCP_SACKS);
    WEIR_ASSERT((h.n_sack != 0) == ((h.has & TCPH_SACK) != 0));
    h.has &= (uint16_t) ~(TCPH_UNKNOWN | TCPH_MALFORMED | TCPH_MD5 | TCPH_AO);
    /* Options packed without padding may need more room in our order. */
    unsigned len = wire_tcp_opts_len(&h);
    if (len > WIRE_TCP_OPT_MAX)
        return 0;
    unsigned n = wire_tcp_build(out, &h);
    WEIR_ASSERT(n == WIRE_TCP_HLEN + len);
    WEIR_ASSERT(memcmp(out, data, 12) == 0);
    WEIR_ASSERT(wire_tcp_flags(out) == wire_tcp_flags(data));
    WEIR_ASSERT(memcmp(out + 14, data + 14, 6) == 0);
    WEIR_ASSERT(wire_tcp_parse(out, n, &g) == DROP_NONE);
    WEIR_ASSERT(g.has == h.has);
    WEIR_ASSERT(wire_tcp_build(again, &g) == n);
    WEIR_ASSERT(memcmp(out, again, n) == 0);
    return 0;
}
