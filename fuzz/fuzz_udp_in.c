/* SPDX-License-Identifier: Apache-2.0
 *
 * Datagrams and ICMP errors to a few sockets, bound in different ways: each datagram is queued,
 * answered by an ICMP error, or dropped by name; queues keep their bounds; nothing leaks.
 */
#include "net_fuzz.h"

#include "udp/udp.h"

static void sockets(struct udp *u, struct udp_sock **s)
{
    struct addr any = addr_ip4(0), our = addr_ip4(0x0a000001), peer = addr_ip4(0x0a000002);
    for (unsigned i = 0; i < 3; i++) {
        s[i] = udp_open(u, i + 1, true);
        WEIR_ASSERT(s[i] != NULL);
        s[i]->flags |= UDP_REUSEADDR;
        s[i]->rx_limit = 8000;
        WEIR_ASSERT(udp_bind(u, s[i], i == 0 ? &any : &our, 53) == 0);
    }
    WEIR_ASSERT(udp_connect(u, s[2], &peer, 1000) == 0);
}

static void one(struct fuzz_host *h, struct udp *u, struct pkt *p)
{
    enum next next = ip4_input(&h->ip, h->nif, p);
    if (next == NEXT_UDP)
        next = udp_input(u, h->nif, p);
    WEIR_ASSERT(next != NEXT_UDP);
    if (next == NEXT_ICMP_ERROR)
        WEIR_ASSERT(p->off == p->l3);
    if (next != NEXT_DONE)
        pkt_free(p);
}

static void error(struct udp *u, const struct fuzz_record *r)
{
    struct icmp_err e = {.nif = 1, .is_local = (r->what & 1) != 0, .is_hard = true};
    if (r->n < 8)
        return;
    e.error = r->bytes[0];
    e.mtu = w_be16(r->bytes + 1);
    e.sent = w_be16(r->bytes + 3);
    e.flow.local = addr_ip4(0x0a000001);
    e.flow.remote = addr_ip4(0x0a000000u + r->bytes[5]);
    e.flow.lport = 53;
    e.flow.rport = w_be16(r->bytes + 6);
    e.flow.proto = PROTO_UDP;
    udp_error(u, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_host h;
    struct udp u;
    struct udp_sock *s[3];
    struct fuzz_record r;
    uint8_t b[64];
    fuzz_open(&h);
    udp_init(&u, &h.env, &h.ip, &h.arena);
    sockets(&u, s);
    while (fuzz_next(&data, &size, &r)) {
        if ((r.what & 8) != 0)
            (void)udp_recv(&u, s[r.what >> 4 & 1], b, sizeof b, r.what >> 5 & 2, NULL);
        if ((r.what & 4) != 0) {
            error(&u, &r);
            continue;
        }
        struct pkt *p = fuzz_ip4(&h, &r);
        if (p != NULL)
            one(&h, &u, p);
        for (unsigned i = 0; i < 3; i++)
            WEIR_ASSERT(s[i]->rx_bytes <= 8000 + 70000);
    }
    while (udp_ready_pop(&u) != NULL)
        ;
    for (unsigned i = 0; i < 3; i++)
        udp_close(&u, s[i]);
    WEIR_ASSERT(u.pool.in_use == 0);
    fuzz_close(&h);
    return 0;
}
