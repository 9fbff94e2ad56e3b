/* SPDX-License-Identifier: Apache-2.0
 *
 * net_ip.h's host with IPv6: fd00::1/64 on t0, fd00::2 and a default route by fd00::fe known by
 * hand; packets from bytes, and what neigh/ and ip/ have to tell each other in stack/'s place.
 */
#ifndef WEIR_TESTS_NET_IP6_H
#define WEIR_TESTS_NET_IP6_H

#include "net_ip.h"

#include "wire/icmp6.h"
#include "wire/ipv6.h"
#include "wire/nd.h"

static inline struct addr addr6(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, &a), 0);
    return a;
}

/* Time passes, and addresses that changed are told. */
static inline unsigned host6_advance(struct net_ip_host *h, w_ns by)
{
    unsigned errors = 0;
    for (w_ns end = h->n.env.now + by; h->n.env.now < end;) {
        errors += host_advance(h, w_u64_min(100 * W_MS, end - h->n.env.now));
        const struct neigh_addr *a;
        while ((a = neigh_addr_pop(&h->neigh)) != NULL)
            ip_addr_changed(&h->ip, a);
        if (neigh_router_failed_pop(&h->neigh))
            ip6_routers_check(&h->ip);
    }
    return errors;
}

static inline void host6_open(struct net_ip_host *h)
{
    const uint8_t gw_mac[6] = {2, 0, 0, 0, 0, 0xfe};
    struct addr lo = addr6("::1"), our = addr6("fd00::1"), peer = addr6("fd00::2");
    struct addr gw = addr6("fd00::fe");
    host_open(h);
    assert_int_equal(ip_addr_add(&h->ip, h->lo, &lo, 128, false), 0);
    assert_int_equal(ip6_link_local_add(&h->ip, h->n.nif, false), 0);
    assert_int_equal(ip_addr_add(&h->ip, h->n.nif, &our, 64, false), 0);
    struct route r = {.gw = gw, .nif = h->n.nif->id};
    assert_int_equal(ip_route_add(&h->ip, &r), 0);
    assert_int_equal(neigh_set(&h->neigh, h->n.nif, &peer, net_peer_mac), 0);
    assert_int_equal(neigh_set(&h->neigh, h->n.nif, &gw, gw_mac), 0);
    (void)host6_advance(h, 3 * W_S);
    (void)net_flush(&h->n, h->n.nif);
}

/* The link-local address t0 gave itself. */
static inline struct addr host6_link_local(const struct net_ip_host *h)
{
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        const struct ip_addr *a = ip_addr_at(&h->ip, i);
        if (a != NULL && addr_is_link_local6(&a->addr))
            return a->addr;
    }
    fail_msg("no link-local address");
    return (struct addr){.d = {0}};
}

struct net_ip6 {
    const char *src, *dst;
    uint8_t next, hlim, tclass;
};

/* IPv6 header and what follows it into `to`; returns the length. */
static inline size_t net_ip6(uint8_t *to, const struct net_ip6 *i, const void *payload, size_t n)
{
    struct wire_ip6 h = {.next = i->next,
                         .hlim = i->hlim != 0 ? i->hlim : 64,
                         .tclass = i->tclass,
                         .plen = (uint16_t)n,
                         .src = addr6(i->src),
                         .dst = addr6(i->dst)};
    wire_ip6_build(to, &h);
    if (n > 0)
        memcpy(to + WIRE_IP6_HLEN, payload, n);
    return WIRE_IP6_HLEN + n;
}

/* The same with an ICMPv6 message, whose checksum is made right. */
static inline size_t net_icmp6(uint8_t *to, const struct net_ip6 *i, const void *message, size_t n)
{
    static uint8_t m[2048];
    struct addr src = addr6(i->src), dst = addr6(i->dst);
    struct net_ip6 ip = *i;
    assert_true(n <= sizeof m);
    memcpy(m, message, n);
    w_put16(m + 2, 0);
    uint32_t sum = csum_pseudo(&src, &dst, PROTO_ICMP6, (uint32_t)n);
    w_put16(m + 2, csum_fold(csum_partial(CSUM_SCALAR, m, n, sum)));
    ip.next = PROTO_ICMP6;
    return net_ip6(to, &ip, m, n);
}

static inline size_t net_nd(uint8_t *to, const struct net_ip6 *i, const struct wire_nd *m)
{
    uint8_t b[512];
    unsigned n = wire_nd_build(b, sizeof b, m);
    struct net_ip6 ip = *i;
    assert_true(n != 0);
    ip.hlim = ip.hlim != 0 ? ip.hlim : 255;
    return net_icmp6(to, &ip, b, n);
}

#endif
