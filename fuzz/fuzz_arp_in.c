/* SPDX-License-Identifier: Apache-2.0
 *
 * ARP packets from anybody, at any time, while we resolve and defend: the table stays bounded, and
 * what is ours stays ours.
 */
#include "net_fuzz.h"

static void resolve(struct fuzz_host *h, uint8_t last)
{
    struct addr a = addr_ip4(0x0a000000u + last);
    struct pkt *p = pkt_new(&h->env.mem);
    if (p != NULL)
        (void)neigh_output(&h->neigh, h->nif, &a, p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_host h;
    struct fuzz_record r;
    fuzz_open(&h);
    struct addr our = addr_ip4(0x0a000001);
    while (fuzz_next(&data, &size, &r)) {
        fuzz_advance(&h, (w_ns)(r.what >> 4) * 700 * W_MS);
        if ((r.what & 8) != 0 && r.n > 0) {
            resolve(&h, r.bytes[0]);
            continue;
        }
        struct pkt *p = pkt_from_bytes(&h.env.mem, r.bytes, r.n);
        if (p == NULL)
            continue;
        p->l3 = p->off;
        if (arp_input(&h.neigh, h.nif, p) == NEXT_DROP)
            (void)env_drop(&h.env, p, (enum drop)p->drop);
        WEIR_ASSERT(h.neigh.pool.in_use <= 8);
        enum neigh_addr_state s = neigh_addr_state(&h.neigh, h.nif, &our);
        WEIR_ASSERT(s == NEIGH_ADDR_OURS || s == NEIGH_ADDR_ANNOUNCING);
    }
    fuzz_close(&h);
    return 0;
}
