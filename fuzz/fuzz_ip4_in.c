/* SPDX-License-Identifier: Apache-2.0
 *
 * IPv4 packets from anybody, to a host that forwards: each is handed on whole and consistent, sent
 * on, or dropped by name; nothing leaks.
 */
#include "net_fuzz.h"

static void one(struct fuzz_host *h, struct pkt *p)
{
    enum next next = ip4_input(&h->ip, h->nif, p);
    if (next == NEXT_FORWARD)
        next = ip_forward(&h->ip, p);
    switch (next) {
    case NEXT_DONE: return;
    case NEXT_TCP:
    case NEXT_UDP:
    case NEXT_ICMP: fuzz_check_delivered(h, p); break;
    case NEXT_ICMP_ERROR:
        WEIR_ASSERT(p->off == p->l3);
        WEIR_ASSERT(p->drop != DROP_NONE);
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
    fuzz_open(&h);
    h.env.conf.ip_forward = 1;
    h.nif->mtu = 600;
    while (fuzz_next(&data, &size, &r)) {
        fuzz_advance(&h, (w_ns)(r.what >> 4) * W_S);
        struct pkt *p = fuzz_ip4(&h, &r);
        if (p != NULL)
            one(&h, p);
    }
    fuzz_close(&h);
    return 0;
}
