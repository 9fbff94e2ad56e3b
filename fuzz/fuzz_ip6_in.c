/* SPDX-License-Identifier: Apache-2.0
 *
 * IPv6 packets from anybody, to a host and to a router: each is handed on whole and consistent,
 * sent on, or dropped by name; what is put together of fragments is bounded; nothing leaks.
 */
#include "net_fuzz6.h"

static void one(struct fuzz_host *h, struct pkt *p)
{
    enum next next = ip6_input(&h->ip, h->nif, p);
    if (next == NEXT_FORWARD)
        next = ip_forward(&h->ip, p);
    switch (next) {
    case NEXT_DONE: return;
    case NEXT_TCP:
    case NEXT_UDP:
    case NEXT_ICMP6: fuzz6_check_delivered(h, p); break;
    case NEXT_ICMP_ERROR:
        WEIR_ASSERT(p->off == p->l3);
        WEIR_ASSERT(p->drop != DROP_NONE);
        WEIR_ASSERT(p->icmp_type != 4 || p->icmp_arg < p->len);
        break;
    default:
        WEIR_ASSERT(next == NEXT_DROP);
        WEIR_ASSERT(p->drop != DROP_NONE && p->drop < DROP_N);
        break;
    }
    pkt_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_host h;
    struct fuzz_record r;
    fuzz6_open(&h);
    h.env.conf.ip_forward = size % 2;
    while (fuzz_next(&data, &size, &r)) {
        fuzz6_advance(&h, (w_ns)(r.what >> 4) * W_S);
        struct pkt *p = fuzz_ip6(&h, &r);
        if (p != NULL)
            one(&h, p);
        WEIR_ASSERT(h.env.mem.pkts.in_use <= h.env.mem.pkts.cap);
    }
    fuzz6_close(&h);
    return 0;
}
