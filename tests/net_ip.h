/* SPDX-License-Identifier: Apache-2.0
 *
 * net.h with neighbours and the Internet layer on top: 10.0.0.1/24 on the Ethernet interface, and
 * the two ends of it as a test sees them.
 */
#ifndef WEIR_TESTS_NET_IP_H
#define WEIR_TESTS_NET_IP_H

#include "net.h"

#include "ip/ip.h"
#include "neigh/neigh.h"

struct net_ip_host {
    struct net n;
    struct neigh neigh;
    struct ip ip;
    struct nif *lo;
};

enum { NET_OUR = 0x0a000001, NET_PEER = 0x0a000002, NET_FAR = 0xc0000201, NET_GW = 0x0a0000fe };

/* Time passes: all timers up to then run. What ip_timer returns is counted and freed. */
static inline unsigned host_advance(struct net_ip_host *h, w_ns by)
{
    w_ns end = h->n.env.now + by;
    unsigned errors = 0;
    for (w_ns t; (t = wheel_next(&h->n.env.wheel)) <= end;) {
        struct timer *due[16];
        h->n.env.now = w_u64_max(t, h->n.env.now);
        unsigned k = wheel_run(&h->n.env.wheel, h->n.env.now, due, 16);
        for (unsigned i = 0; i < k; i++) {
            struct pkt *p = NULL;
            if (due[i]->kind == TK_NEIGH)
                neigh_timer(&h->neigh, due[i]);
            else
                p = ip_timer(&h->ip, due[i]);
            errors += p != NULL;
            if (p != NULL)
                pkt_free(p);
        }
    }
    h->n.env.now = end;
    return errors;
}

/* Loopback, 10.0.0.1/24 on t0, a default route by 10.0.0.254; both neighbours known by hand. */
static inline void host_open_with(struct net_ip_host *h, const struct weir_conf *c)
{
    net_open_with(&h->n, c, NIF_UP, 0);
    neigh_init(&h->neigh, &h->n.env, &h->n.link, &h->n.arena);
    ip_init(&h->ip, &h->n.env, &h->n.link, &h->neigh, &h->n.arena);
    struct nif_conf nc = {.name = "lo",
                          .flags = NIF_UP | NIF_L3 | NIF_LOOPBACK,
                          .caps = NIF_CAP_TX_CSUM | NIF_CAP_TSO,
                          .mtu = 65535};
    int id = link_nif_add(&h->n.link, &nc);
    assert_true(id > 0);
    h->lo = link_nif(&h->n.link, (unsigned)id);
    struct addr lo = addr_ip4(0x7f000001), our = addr_ip4(NET_OUR), peer = addr_ip4(NET_PEER);
    struct addr gw = addr_ip4(NET_GW);
    const uint8_t gw_mac[6] = {2, 0, 0, 0, 0, 0xfe};
    assert_int_equal(ip_addr_add(&h->ip, h->lo, &lo, IP4_PLEN(8), false), 0);
    assert_int_equal(ip_addr_add(&h->ip, h->n.nif, &our, IP4_PLEN(24), false), 0);
    struct route r = {.prefix = addr_ip4(0), .plen = IP4_PLEN(0), .gw = gw, .nif = h->n.nif->id};
    assert_int_equal(ip_route_add(&h->ip, &r), 0);
    assert_int_equal(neigh_set(&h->neigh, h->n.nif, &peer, net_peer_mac), 0);
    assert_int_equal(neigh_set(&h->neigh, h->n.nif, &gw, gw_mac), 0);
    (void)host_advance(h, 3 * W_S);
    (void)net_flush(&h->n, h->n.nif); /* the announcements */
}

static inline void host_open(struct net_ip_host *h)
{
    struct weir_conf c;
    net_conf(&c);
    host_open_with(h, &c);
}

static inline void host_close(struct net_ip_host *h)
{
    (void)host_advance(h, 60 * W_S); /* what waits for fragments gives up */
    for (struct pkt *p; (p = neigh_failed_pop(&h->neigh)) != NULL;)
        pkt_free(p);
    neigh_flush(&h->neigh, h->n.nif);
    net_close(&h->n);
}

/* An IPv4 packet arrives by t0, link header already off. */
static inline struct pkt *host_pkt(struct net_ip_host *h, const void *bytes, size_t len)
{
    struct pkt *p = net_pkt(&h->n, bytes, len);
    p->nif = h->n.nif->id;
    p->l3 = p->off;
    return p;
}

/* Bytes of the next frame that leaves by t0, its Ethernet header off; 0: none. */
static inline uint32_t host_sent(struct net_ip_host *h, uint8_t *b, uint32_t max)
{
    struct pkt *p = net_sent(&h->n, h->n.nif);
    if (p == NULL)
        return 0;
    uint32_t n = pkt_copy_out(p, WIRE_ETH_HLEN, b, max);
    pkt_free(p);
    return n;
}

#endif
