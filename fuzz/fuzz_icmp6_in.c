/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMPv6 and neighbour discovery from anybody: solicitations, advertisements, redirects, errors. A
 * reading only ever concerns a packet from one of our addresses; tables keep their bounds, and a
 * flood of routers leaves the host able to speak to its neighbour. Bit 7 of a record: an error
 * about the packet is asked for instead.
 */
#include "net_fuzz6.h"

#include "icmp/icmp.h"
#include "wire/icmp6.h"

/* The message made ICMPv6 with a right checksum, so that the fuzzer gets past it. */
static void repair(struct pkt *p)
{
    static uint8_t m[2048];
    struct wire_ip6 h;
    if (p->lin < WIRE_IP6_HLEN + WIRE_ICMP6_HLEN)
        return;
    uint8_t *b = pkt_data(p);
    b[6] = PROTO_ICMP6;
    if (wire_ip6_parse(b, p->len, &h) != DROP_NONE)
        return;
    w_put16(b + WIRE_IP6_HLEN + 2, 0);
    uint32_t n = pkt_copy_out(p, WIRE_IP6_HLEN, m, h.plen);
    uint32_t sum = csum_pseudo(&h.src, &h.dst, PROTO_ICMP6, n);
    w_put16(b + WIRE_IP6_HLEN + 2, csum_fold(csum_partial(CSUM_SCALAR, m, n, sum)));
}

static void message(struct fuzz_host *h, struct icmp *ic, struct pkt *p)
{
    struct icmp_err err;
    enum next next = ip6_input(&h->ip, h->nif, p);
    if (next == NEXT_ICMP6)
        next = icmp6_input(ic, h->nif, p, &err);
    if (next == NEXT_TCP_ERROR || next == NEXT_UDP_ERROR) {
        WEIR_ASSERT(ip_is_local(&h->ip, &err.flow.local));
        WEIR_ASSERT(err.error != 0);
        WEIR_ASSERT(err.flow.proto == (next == NEXT_TCP_ERROR ? PROTO_TCP : PROTO_UDP));
    }
    if (next != NEXT_DONE)
        pkt_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_host h;
    struct icmp ic;
    struct fuzz_record r;
    fuzz6_open(&h);
    icmp_init(&ic, &h.env, &h.ip);
    while (fuzz_next(&data, &size, &r)) {
        fuzz6_advance(&h, (w_ns)(r.what >> 4 & 7) * 400 * W_MS);
        struct pkt *p = fuzz_ip6(&h, &r);
        if (p == NULL)
            continue;
        if ((r.what & 0x80) != 0 && p->lin > 0 && pkt_data(p)[0] >> 4 == 6) {
            p->icmp_type = (uint8_t)(1 + r.n % 4);
            p->icmp_code = r.what & 3;
            icmp_error(&ic, p);
            continue;
        }
        repair(p);
        message(&h, &ic, p);
    }
    struct dst d = {0};
    WEIR_ASSERT(ip_route(&h.ip, &fuzz6_peer, NULL, &d) == 0);
    fuzz6_close(&h);
    return 0;
}
