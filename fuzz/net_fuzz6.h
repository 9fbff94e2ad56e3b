/* SPDX-License-Identifier: Apache-2.0
 *
 * net_fuzz.h's host with IPv6: fd00::1/64, configuring itself, fd00::2 its neighbour and router.
 */
#ifndef WEIR_FUZZ_NET6_H
#define WEIR_FUZZ_NET6_H

#include "net_fuzz.h"

#include "wire/ipv6.h"

static const struct addr fuzz6_our = {.b = {0xfd, [15] = 1}};
static const struct addr fuzz6_peer = {.b = {0xfd, [15] = 2}};

static inline void fuzz6_open(struct fuzz_host *h)
{
    static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 2};
    fuzz_open(h);
    WEIR_ASSERT(ip6_auto_start(&h->ip, h->nif) == 0);
    WEIR_ASSERT(ip_addr_add(&h->ip, h->nif, &fuzz6_our, 64, false) == 0);
    WEIR_ASSERT(neigh_set(&h->neigh, h->nif, &fuzz6_peer, peer_mac) == 0);
    struct route r = {.gw = fuzz6_peer, .nif = 1, .metric = 5000};
    WEIR_ASSERT(ip_route_add(&h->ip, &r) == 0);
}

/* fuzz_advance, and what stack/ would carry between rooms. */
static inline void fuzz6_advance(struct fuzz_host *h, w_ns by)
{
    const struct neigh_addr *a;
    fuzz_advance(h, by);
    while ((a = neigh_addr_pop(&h->neigh)) != NULL)
        ip_addr_changed(&h->ip, a);
    if (neigh_router_failed_pop(&h->neigh))
        ip6_routers_check(&h->ip);
}

/* A received packet of the record's bytes; bit 0: of the right version and length; bit 1: from the
 * peer to us; bit 2: from its link-local address to all nodes; bit 3: hop limit 255. */
static inline struct pkt *fuzz_ip6(struct fuzz_host *h, const struct fuzz_record *r)
{
    static const struct addr ll = {.b = {0xfe, 0x80, [15] = 2}}, all = {.b = {0xff, 2, [15] = 1}};
    static uint8_t b[FUZZ_RECORD_MAX];
    memcpy(b, r->bytes, r->n);
    if ((r->what & 1) != 0 && r->n >= WIRE_IP6_HLEN) {
        b[0] = (uint8_t)(0x60 | (b[0] & 15));
        wire_ip6_set_plen(b, (uint16_t)(r->n - WIRE_IP6_HLEN));
        if ((r->what & 2) != 0)
            memcpy(b + 24, fuzz6_our.b, 16);
        if ((r->what & 2) != 0)
            memcpy(b + 8, fuzz6_peer.b, 16);
        if ((r->what & 4) != 0)
            memcpy(b + 8, ll.b, 16);
        if ((r->what & 6) == 4)
            memcpy(b + 24, all.b, 16);
        if ((r->what & 8) != 0)
            b[7] = 255;
    }
    struct pkt *p = pkt_from_bytes(&h->env.mem, b, r->n);
    if (p != NULL) {
        p->nif = 1;
        p->l3 = p->off;
    }
    return p;
}

/* What must hold of a packet that ip6_input hands to a transport. */
static inline void fuzz6_check_delivered(const struct fuzz_host *h, const struct pkt *p)
{
    pkt_check(p);
    WEIR_ASSERT(p->l4 == p->off);
    WEIR_ASSERT(p->l4 >= p->l3 + WIRE_IP6_HLEN);
    uint32_t hlen = (uint32_t)(p->l4 - p->l3);
    WEIR_ASSERT(wire_ip6_plen(pkt_at(p, p->l3)) + (uint32_t)WIRE_IP6_HLEN == p->len + hlen);
    WEIR_ASSERT(ip_addr_kind(&h->ip, h->nif, &p->flow.local) != IP_REMOTE);
    WEIR_ASSERT(!addr_is_ip4(&p->flow.local) && !addr_is_ip4(&p->flow.remote));
}

/* Everything times out, the longest lifetimes but infinity included; nothing may be missing. */
static inline void fuzz6_close(struct fuzz_host *h)
{
    fuzz6_advance(h, 61 * W_S);
    fuzz6_advance(h, 61 * W_S);
    fuzz_close(h);
}

#endif
