/* SPDX-License-Identifier: Apache-2.0
 *
 * Any IPv6 packet: the header is built again byte for byte; the walk along its extension headers
 * ends inside it, within the limits, and blames a byte that is there.
 */
#include "fuzz.h"

#include "wire/ipv6.h"

static void check_walk(const uint8_t *p, size_t n)
{
    struct wire_ip6_chain c;
    enum drop why = wire_ip6_walk(p, n, &c);
    WEIR_ASSERT(c.n_ext <= WIRE_IP6_EXTS_MAX);
    WEIR_ASSERT(c.off <= n);
    WEIR_ASSERT(c.proto_at < n);
    WEIR_ASSERT(p[c.proto_at] == c.proto);
    WEIR_ASSERT(!c.wants_error || (why != DROP_NONE && c.bad_at < n));
    if (why != DROP_NONE || c.frag_at == 0)
        return;
    uint8_t frag[WIRE_IP6_FRAG_HLEN];
    wire_ip6_frag_build(frag, p[c.frag_at], c.frag_off, c.frag_more, c.frag_id);
    WEIR_ASSERT(memcmp(frag + 4, p + c.frag_at + 4, 4) == 0);
    WEIR_ASSERT(((w_be16(frag + 2) ^ w_be16(p + c.frag_at + 2)) & 0xfff9) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_ip6 h;
    uint8_t out[WIRE_IP6_HLEN];
    if (wire_ip6_parse(data, size, &h) != DROP_NONE)
        return 0;
    WEIR_ASSERT(wire_ip6_build(out, &h) == WIRE_IP6_HLEN);
    WEIR_ASSERT(memcmp(out, data, WIRE_IP6_HLEN) == 0);
    check_walk(data, (size_t)WIRE_IP6_HLEN + h.plen);
    check_walk(data, size); /* a quoted packet is cut anywhere */
    return 0;
}
