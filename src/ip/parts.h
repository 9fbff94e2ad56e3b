/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to ip/: its parts, and what they ask of each other.
 */
#ifndef WEIR_IP_PARTS_H
#define WEIR_IP_PARTS_H

#include "ip/ip.h"

/* ---- addr.c ---- */
/* The slot that holds a, or the empty one (kind IP_REMOTE) where the search ended. */
static inline const struct ip_addr_slot *ip_slot_find(const struct ip *ip, const struct addr *a)
{
    uint64_t h = (a->d[0] ^ a->d[1]) * 0x9e3779b97f4a7c15u;
    unsigned i = (unsigned)(h >> 56) % IP_ADDR_SLOTS;
    while (ip->slot[i].kind != IP_REMOTE && !addr_eq(&ip->slot[i].addr, a))
        i = (i + 1) % IP_ADDR_SLOTS;
    return &ip->slot[i];
}
/* A usable address of ours to speak to nexthop from, going out by nif [RFC 1122 3.3.4.3]; NULL: we
 * have none. */
const struct addr *ip_addr_select(const struct ip *, const struct nif *,
                                  const struct addr *nexthop);
/* The interface an address of ours is on, 0: not ours. Also of a directed broadcast. */
unsigned ip_addr_nif(const struct ip *, const struct addr *);

/* ---- route.c ---- */
void route_nodes_init(struct ip *, struct arena *, uint32_t n);
/* The route for a, by interface nif (0: any): longest prefix, then lowest metric, whose interface
 * is up. NULL: none. */
const struct route *route_find(const struct ip *, const struct addr *a, unsigned nif);
void route_auto_add(struct ip *, const struct nif *, const struct addr *, unsigned plen);
void route_auto_del(struct ip *, const struct nif *, const struct addr *, unsigned plen);
static inline void ip_gen_bump(struct ip *ip)
{
    ip->gen++;
    if (ip->gen == 0)
        ip->gen = 1;
}

/* ---- pmtu.c ---- */
enum { PMTU_SLOTS = 256, PMTU_WAYS = 4 };
enum { ID_COUNTERS = 1024 };
struct pmtu_entry {
    struct addr dst;
    w_ns expires; /* 0: free */
    uint32_t mtu;
    bool is_floor; /* the path carries less than we believe: fragments are allowed */
};
struct ip_pmtu {
    struct timer timer; /* TK_REASM, obj IP_TIMER_PMTU; at the earliest expiry */
    uint32_t n;
    struct pmtu_entry slot[PMTU_SLOTS];
};
#define IP_TIMER_PMTU 0xffffffffu
/* What was learnt of the path to dst, NULL: nothing. */
const struct pmtu_entry *pmtu_find(const struct ip *, const struct addr *dst);
void pmtu_expire(struct ip *);

/* ---- out.c ---- */
/* Room in front of p for another IP header and the link's. The packet's bytes may move. */
void ip_make_headroom(struct pkt *);

/* ---- frag.c ---- */
/* Sends p, an IP packet larger than mtu with its header first, in fragments; DF is not looked at.
 * Owns p. Counts; returns DROP_NONE or why. */
enum drop ip_fragment(struct ip *, struct nif *, const struct addr *nexthop, uint32_t mtu,
                      struct pkt *);

/* ---- reasm.c ---- */
struct wire_ip4;
/* A fragment, header first, not pulled. NEXT_DONE: held. NEXT_IP4: p is now the whole datagram, to
 * be parsed again. NEXT_DROP: p->drop. */
enum next reasm_input(struct ip *, struct pkt *, const struct wire_ip4 *);
void reasm_init(struct ip *, struct arena *);
/* As ip_timer. */
struct pkt *reasm_timer(struct ip *, struct timer *);

#endif
