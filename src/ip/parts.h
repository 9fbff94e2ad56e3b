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
static inline bool ip_addr_is_usable(const struct ip_addr *a)
{
    return a->nif != 0 && (a->flags & IP_ADDR_UNUSABLE) == 0;
}
/* Whether this host, on nif, belongs to the IPv6 group: all nodes, all routers where it forwards,
 * and the solicited-node groups of its addresses, tentative ones too [RFC 4291 2.8]. */
bool ip6_is_member(const struct ip *, const struct nif *, const struct addr *group);

/* ip_addr_add; has_route: its prefix is on the link. */
int ip_addr_put(struct ip *, struct nif *, const struct addr *, unsigned plen, bool probe,
                bool has_route);
/* The entry of this address on this interface; NULL: none. */
struct ip_addr *ip_addr_entry(struct ip *, const struct nif *, const struct addr *);

/* ---- slaac.c ---- */
struct wire_nd_prefix;
/* A prefix that a router offers for addresses. */
void slaac_prefix(struct ip *, struct nif *, const struct wire_nd_prefix *);
/* e, made here, is taken: another one is tried. */
void slaac_conflict(struct ip *, struct nif *, struct ip_addr *e);
/* Addresses whose time is over go; when the next one's is. */
w_ns slaac_expire(struct ip *);

/* ---- learnt.c ---- */
/* The end of a lifetime that a router gave in seconds; all ones: never [RFC 4861 4.6.2]. */
static inline w_ns ip6_life_end(const struct ip *ip, uint32_t s)
{
    return s == UINT32_MAX ? W_NEVER : ip->env->now + s * W_S;
}
/* What a router said: a new entry, a longer or shorter life, or none (expires <= now). */
void learnt_add(struct ip *, const struct ip6_learnt *);
void learnt_forget_router(struct ip *, const struct nif *, const struct addr *gw);
/* The timer is to be due at `at` at the latest. */
void learnt_arm(struct ip *, w_ns at);
void learnt_expire(struct ip *);

/* ---- router.c ---- */
void router_solicit_due(struct ip *, unsigned nif_id);

/* ---- addrsel.c ---- */
/* The source address for dst, leaving by nif [RFC 6724 5]; NULL: we have none. */
const struct addr *ip6_addr_select(const struct ip *, const struct nif *, const struct addr *dst);

/* ---- iid.c ---- */
/* An address in prefix (its first 64 bits) that stays the same on this network and tells nothing
 * else [RFC 7217 5]; *dad_count is raised past identifiers that are reserved. */
struct addr ip6_stable_addr(const struct ip *, const struct nif *, const struct addr *prefix,
                            uint32_t *dad_count);

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
/* timer.obj of timers that are not a reassembly's, whose obj is its index. */
#define IP_TIMER_PMTU   0xffffffffu
#define IP_TIMER_LEARNT 0xfffffffeu
#define IP_TIMER_RS     0xffffff00u /* + interface id */
/* What was learnt of the path to dst, NULL: nothing. */
const struct pmtu_entry *pmtu_find(const struct ip *, const struct addr *dst);
void pmtu_expire(struct ip *);

/* ---- out.c ---- */
enum { IP_LINK_ROOM = 18 }; /* Ethernet with a tag */
/* Room for `want` bytes in front of p. The packet's bytes may move. */
void ip_make_headroom(struct pkt *, uint32_t want);
/* Identification for what may be fragmented, 32 bits of it; IPv4 takes 16. */
uint32_t ip_next_id(struct ip *, const struct ip_meta *);
/* The largest IP packet that p will be on the wire: of a super-segment, one piece. */
static inline uint32_t ip_wire_len(const struct pkt *p)
{
    if (WEIR_LIKELY(p->gso_size == 0))
        return p->len;
    return (uint32_t)(p->pay - p->off) + p->gso_size;
}

/* ---- out6.c ---- */
enum drop ip6_output(struct ip *, const struct dst *d, const struct ip_meta *m, struct pkt *);

/* ---- forward.c ---- */
/* What described the packet as it came says nothing about it as it goes. */
void ip_becomes_outgoing(struct pkt *);
/* ---- forward6.c ---- */
enum next ip6_forward(struct ip *, struct pkt *);

/* ---- frag.c ---- */
/* Sends p, an IP packet larger than mtu with its header first, in fragments; DF is not looked at.
 * Owns p. Counts; returns DROP_NONE or why. */
enum drop ip_fragment(struct ip *, struct nif *, const struct addr *nexthop, uint32_t mtu,
                      struct pkt *);

/* ---- reasm.c ---- */
/* What a fragment says of itself, of either family. */
struct reasm_part {
    struct addr src, dst;
    uint32_t id;
    uint32_t off, n;   /* payload bytes of the datagram: where they begin, how many */
    uint32_t at;       /* where they lie in the packet, from its first byte */
    uint32_t proto_at; /* IPv6: the next-header field that says Fragment */
    uint8_t proto;     /* 0 for IPv6, whose key has none [RFC 8200 4.5] */
    uint8_t ecn;
    bool has_more;
};
/* A fragment, its header first, not pulled, its lengths possible. NEXT_DONE: held. NEXT_IP4,
 * NEXT_IP6: p is now the whole datagram, to be parsed again. NEXT_DROP: p->drop. */
enum next reasm_input(struct ip *, struct pkt *, const struct reasm_part *);
void reasm_init(struct ip *, struct arena *);
/* As ip_timer. */
struct pkt *reasm_timer(struct ip *, struct timer *);

#endif
