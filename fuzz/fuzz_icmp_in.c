/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMP messages from anybody: an error's reading only ever concerns a packet from one of our
 * addresses, errors are never answered, nothing leaks. Bit 2 of a record: an error about the packet
 * is asked for instead.
 */
#include "net_fuzz.h"

#include "icmp/icmp.h"

/* The message's own checksum made right, so that the fuzzer gets past it. */
static void repair(struct pkt *p, uint32_t hlen)
{
    static uint8_t b[2048];
    if (p->lin < hlen + 8 || hlen < 20)
        return;
    w_put16(pkt_data(p) + hlen + 2, 0);
    uint32_t n = pkt_copy_out(p, hlen, b, sizeof b);
    w_put16(pkt_data(p) + hlen + 2, csum_fold(csum_partial(CSUM_SCALAR, b, n, 0)));
}

static void message(struct fuzz_host *h, struct icmp *ic, struct pkt *p)
{
    struct icmp_err err;
    enum next next = ip4_input(&h->ip, h->nif, p);
    if (next == NEXT_ICMP)
        next = icmp_input(ic, h->nif, p, &err);
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
    fuzz_open(&h);
    icmp_init(&ic, &h.env, &h.ip);
    while (fuzz_next(&data, &size, &r)) {
        fuzz_advance(&h, (w_ns)(r.what >> 4) * 300 * W_MS);
        struct pkt *p = fuzz_ip4(&h, &r);
        if (p == NULL)
            continue;
        if ((r.what & 4) != 0) {
            p->icmp_type = ICMP4T_DEST_UNREACH;
            p->icmp_code = ICMP4C_PORT;
            icmp_error(&ic, p);
            continue;
        }
        if (p->lin >= 20) {
            pkt_data(p)[9] = PROTO_ICMP4;
            w_put16(pkt_data(p) + 10, 0);
            unsigned hlen = wire_ip4_hlen(pkt_data(p));
            if (hlen >= 20 && hlen <= p->lin)
                w_put16(pkt_data(p) + 10,
                        csum_fold(csum_partial(CSUM_SCALAR, pkt_data(p), hlen, 0)));
            repair(p, hlen);
        }
        message(&h, &ic, p);
    }
    fuzz_close(&h);
    return 0;
}
