/* SPDX-License-Identifier: Apache-2.0
 *
 * For unit tests of the rooms from link/ up: a stack's environment in an arena of its own, one
 * Ethernet interface, frames from bytes, and the question every test ends with: did every packet
 * come back?
 *
 * A test adds the rooms it is about with NET_ROOM(n, init call): they take their memory from the
 * same arena.
 */
#ifndef WEIR_TESTS_NET_H
#define WEIR_TESTS_NET_H

#include <sys/mman.h>

#include "unit.h"

#include "link/link.h"
#include "wire/wire.h"

struct net {
    struct env env;
    struct link link;
    struct arena arena;
    struct nif *nif;
    size_t size;
};

static const uint8_t net_mac[6] = {0x02, 0, 0, 0, 0, 0x01};
static const uint8_t net_peer_mac[6] = {0x02, 0, 0, 0, 0, 0x02};
static const uint8_t net_bcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

enum { NET_ARENA = 96 << 20 };

/* Small pools, so that running out of them is easy. */
static inline void net_conf(struct weir_conf *c)
{
    weir_conf_default(c);
    c->n_pkt = 1024;
    c->n_blk_small = 1024;
    c->n_blk_big = 64;
    c->n_neigh = 16;
    c->n_route = 64;
    c->n_reasm = 8;
    c->n_udp = 16;
}

static inline void net_open_with(struct net *n, const struct weir_conf *c, uint32_t flags,
                                 uint32_t caps)
{
    *n = (struct net){.size = NET_ARENA};
    void *mem = mmap(NULL, n->size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(mem != MAP_FAILED);
    arena_init(&n->arena, mem, n->size);
    n->env.conf = *c;
    env_init(&n->env, &n->arena, 42, W_S);
    link_init(&n->link, &n->env, &n->arena);
    struct nif_conf nc = {.name = "t0", .mac = net_mac, .flags = flags, .caps = caps, .mtu = 1500};
    int id = link_nif_add(&n->link, &nc);
    assert_int_equal(id, 1);
    n->nif = link_nif(&n->link, 1);
    assert_non_null(n->nif);
}

static inline void net_open(struct net *n)
{
    struct weir_conf c;
    net_conf(&c);
    net_open_with(n, &c, NIF_UP, 0);
}

/* Every packet and block is back where it came from. Queues of interfaces are emptied first. */
static inline void net_close(struct net *n)
{
    for (unsigned i = 1; i <= LINK_NIFS; i++) {
        if (link_nif(&n->link, i) != NULL)
            link_nif_del(&n->link, link_nif(&n->link, i));
    }
    assert_int_equal(n->env.mem.pkts.in_use, 0);
    assert_int_equal(n->env.mem.small_blks.in_use, 0);
    assert_int_equal(n->env.mem.big_blks.in_use, 0);
    munmap(n->arena.mem, n->size);
}

/* A received packet of these bytes. */
static inline struct pkt *net_pkt(struct net *n, const void *bytes, size_t len)
{
    struct pkt *p = pkt_from_bytes(&n->env.mem, bytes, len);
    assert_non_null(p);
    p->nif = 1;
    return p;
}

/* The next frame that leaves by nif, NULL: none. The caller frees it. */
static inline struct pkt *net_sent(struct net *n, struct nif *nif)
{
    struct pkt *p = NULL;
    return link_tx(&n->link, nif, &p, 1) == 1 ? p : NULL;
}

/* Frees what waits to leave; returns how many frames that were. */
static inline unsigned net_flush(struct net *n, struct nif *nif)
{
    unsigned k = 0;
    for (struct pkt *p; (p = net_sent(n, nif)) != NULL; k++)
        pkt_free(p);
    return k;
}

/* ---- bytes of headers ---- */

struct net_ip {
    uint32_t src, dst; /* host order */
    uint8_t proto, ttl, tos;
    uint16_t id, flags, frag_off;
};

/* IPv4 header and payload into `to`; returns the length. */
static inline size_t net_ip4(uint8_t *to, const struct net_ip *i, const void *payload, size_t n)
{
    struct wire_ip4 h = {.hlen = 20,
                         .tos = i->tos,
                         .ttl = i->ttl != 0 ? i->ttl : 64,
                         .proto = i->proto,
                         .total = (uint16_t)(20 + n),
                         .id = i->id,
                         .flags = i->flags,
                         .frag_off = i->frag_off,
                         .src = addr_ip4(i->src),
                         .dst = addr_ip4(i->dst)};
    unsigned hlen = wire_ip4_build(to, &h, NULL);
    if (n > 0)
        memcpy(to + hlen, payload, n);
    return hlen + n;
}

static inline size_t net_udp(uint8_t *to, const struct net_ip *i, uint16_t sport, uint16_t dport,
                             const void *payload, size_t n)
{
    static uint8_t seg[66000];
    struct wire_udp h = {.sport = sport, .dport = dport, .len = (uint16_t)(8 + n)};
    struct addr src = addr_ip4(i->src), dst = addr_ip4(i->dst);
    wire_udp_build(seg, &h);
    if (n > 0)
        memcpy(seg + 8, payload, n);
    uint32_t sum = csum_pseudo(&src, &dst, PROTO_UDP, (uint32_t)(8 + n));
    h.csum = csum_nonzero(csum_fold(csum_partial(CSUM_SCALAR, seg, 8 + n, sum)));
    wire_udp_build(seg, &h);
    struct net_ip ip = *i;
    ip.proto = PROTO_UDP;
    return net_ip4(to, &ip, seg, 8 + n);
}

/* Ethernet in front of what is already at `to`: moves it by 14 bytes. */
static inline size_t net_eth(uint8_t *to, const uint8_t *dst, const uint8_t *src, uint16_t type,
                             size_t n)
{
    memmove(to + WIRE_ETH_HLEN, to, n);
    wire_eth_put(to, dst, src, type);
    return n + WIRE_ETH_HLEN;
}

/* Whether the transport checksum of the IPv4 packet at offset l3 of p is right. */
static inline bool net_l4_csum_ok(const struct pkt *p, uint32_t l3)
{
    static uint8_t b[70000];
    uint32_t n = pkt_copy_out(p, l3, b, sizeof b);
    struct wire_ip4 h;
    assert_int_equal(wire_ip4_parse(b, n, &h), DROP_NONE);
    assert_true(wire_ip4_csum_ok(b, h.hlen));
    uint32_t len = h.total - (uint32_t)h.hlen;
    uint32_t sum = csum_pseudo(&h.src, &h.dst, h.proto, len);
    return csum_fold(csum_partial(CSUM_SCALAR, b + h.hlen, len, sum)) == 0;
}

#endif
