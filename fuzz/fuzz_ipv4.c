/* SPDX-License-Identifier: Apache-2.0
 *
 * Any IPv4 header and its options: what parses is built again, the same but for the checksum, which
 * is then right; the small changes keep it right; offsets of options lie inside the header.
 */
#include "fuzz.h"

#include "wire/ipv4.h"

static void check_opts(const uint8_t *p, unsigned hlen)
{
    struct wire_ip4_opts o, again;
    uint8_t copied[WIRE_IP4_HLEN + WIRE_IP4_OPT_MAX] = {0};
    unsigned len = wire_ip4_opts_copied(p, hlen, copied + WIRE_IP4_HLEN);
    WEIR_ASSERT(len % 4 == 0);
    WEIR_ASSERT(WIRE_IP4_HLEN + len <= hlen);
    if (wire_ip4_opts_parse(p, hlen, &o) != DROP_NONE) {
        WEIR_ASSERT(o.bad_at >= WIRE_IP4_HLEN);
        WEIR_ASSERT(o.bad_at < hlen);
        return;
    }
    /* Fragments carry source routes and labels, never a recorded route. */
    WEIR_ASSERT(wire_ip4_opts_parse(copied, WIRE_IP4_HLEN + len, &again) == DROP_NONE);
    WEIR_ASSERT((again.lsrr != 0) == (o.lsrr != 0));
    WEIR_ASSERT((again.ssrr != 0) == (o.ssrr != 0));
    WEIR_ASSERT((again.sec != 0) == (o.sec != 0));
    WEIR_ASSERT(again.rr == 0 && again.ts == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_ip4 h;
    uint8_t out[WIRE_IP4_HLEN_MAX];
    if (wire_ip4_parse(data, size, &h) != DROP_NONE)
        return 0;
    check_opts(data, h.hlen);
    WEIR_ASSERT(wire_ip4_build(out, &h, data + WIRE_IP4_HLEN) == h.hlen);
    WEIR_ASSERT(wire_ip4_csum_ok(out, h.hlen));
    WEIR_ASSERT(memcmp(out, data, 10) == 0);
    WEIR_ASSERT(memcmp(out + 12, data + 12, h.hlen - 12u) == 0);
    wire_ip4_set_total_id(out, (uint16_t)size, h.csum);
    wire_ip4_set_ecn(out, size & ECN_MASK);
    if (h.ttl != 0)
        wire_ip4_dec_ttl(out);
    WEIR_ASSERT(wire_ip4_csum_ok(out, h.hlen));
    return 0;
}
