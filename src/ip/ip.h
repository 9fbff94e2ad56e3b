/* SPDX-License-Identifier: Apache-2.0
 *
 * The Internet layer: local addresses, routes, destinations, input with its checks, output,
 * fragments both ways, path MTU, forwarding.
 *
 * All addresses are struct addr; prefix lengths count its 128 bits (IPv4's /24 is IP4_PLEN(24)).
 * Nothing here calls up: ip4_input says what comes next, what ICMP should say stands in the packet.
 *
 * How the layer above sends: ip_route() once gives a struct dst, kept by value (in a TCB, in a UDP
 * socket); before each use ip_dst_is_valid() tells in one comparison whether anything that could
 * change it has changed; ip_output() pushes the header and sends.
 */
#ifndef WEIR_IP_H
#define WEIR_IP_H

#include "base/pool.h"
#include "link/link.h"
#include "neigh/neigh.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

enum {
    IP_ADDRS = 64,
    IP_ADDR_SLOTS = 256, /* of the hash over local and broadcast addresses */
};
#define IP4_PLEN(n) ((n) + 96u)

/* What an address is to this host. */
enum ip_kind {
    IP_REMOTE,    /* somebody else's unicast address */
    IP_LOCAL,     /* ours */
    IP_BROADCAST, /* limited, or directed to a network we are on */
    IP_MULTICAST,
};

/* A destination, resolved: kept by value by whoever sends there. */
struct dst {
    struct addr src;     /* source address to use */
    struct addr nexthop; /* gateway, or the destination itself when it is on the link */
    uint32_t gen;        /* of the tables it was made from; 0: not resolved */
    uint32_t mtu;        /* largest IP packet to there: interface or path MTU, header included */
    uint8_t nif;         /* outgoing interface id */
    uint8_t kind;        /* enum ip_kind of the destination */
    bool can_frag;       /* path MTU below what we believe: never set DF (mtu is the floor) */
    uint8_t gateway;     /* 1: nexthop is a router */
    bool is_ip6;         /* IPv6 all the way: nobody fragments but ip_output */
    uint8_t hlim;        /* IPv6: what the link's routers advertise, 0: the default */
};

/* What ip_output writes into the header. */
struct ip_meta {
    struct addr src, dst;
    uint8_t proto;
    uint8_t ttl; /* 0: the default */
    uint8_t tos; /* DSCP and ECN bits */
    bool df; /* don't fragment: too big → DROP_FRAG_NEEDED. IPv6: not here either. Whoever sets it
                    looks at dst.can_frag first */
    uint16_t
        id; /* used as given when df [RFC 6864 4.1]; otherwise ip chooses, and this is ignored */
};

enum ip_addr_flag {
    IP_ADDR_TENTATIVE = 1,  /* conflict detection runs: not ours yet */
    IP_ADDR_CONFLICT = 2,   /* somebody else has it: not ours any more */
    IP_ADDR_DEPRECATED = 4, /* ours, but no new connection leaves from it [RFC 4862 5.5.4] */
    IP_ADDR_AUTO = 8,       /* made here: link-local, or from an advertised prefix */
    IP_ADDR_UNUSABLE = IP_ADDR_TENTATIVE | IP_ADDR_CONFLICT,
};
struct ip_addr {
    struct addr addr;
    uint8_t plen, nif; /* nif 0: slot free */
    uint8_t flags;     /* enum ip_addr_flag; none of IP_ADDR_UNUSABLE: usable */
    uint8_t dad_count; /* of an address made here: identifiers that were taken */
    struct addr bcast; /* directed broadcast of its network; any(): none (/31, /32, IPv6) */
    w_ns preferred_until, valid_until; /* with IP_ADDR_AUTO */
};

enum route_kind { ROUTE_UNICAST, ROUTE_UNREACHABLE, ROUTE_BLACKHOLE };
struct route {
    struct addr prefix, gw; /* gw any(): on the link */
    struct addr src;        /* preferred source, any(): by selection */
    uint32_t metric;        /* lower wins among equal prefixes */
    uint8_t plen, nif;
    uint8_t kind;  /* enum route_kind */
    bool is_auto;  /* made by ip_addr_add, goes with the address */
    uint32_t next; /* same prefix, higher metric; ip/'s own */
};

struct ip_addr_slot {
    struct addr addr;
    uint8_t kind; /* IP_LOCAL or IP_BROADCAST; IP_REMOTE: empty slot */
    uint8_t nif;  /* whose address it is, whose network's broadcast */
};

/* What IPv6 is on one interface. */
struct ip6_nif {
    uint32_t mtu;       /* advertised [RFC 4861 6.3.4]; 0: the interface's */
    uint8_t hlim;       /* advertised; 0: the default */
    bool is_auto;       /* listens to routers */
    uint32_t rs_ms;     /* time to the next solicitation, 0: none sent yet */
    struct timer timer; /* TK_REASM, obj IP_TIMER_RS + id: the next solicitation */
};

/* A route that a router told, for a time; see learnt.c. */
enum ip6_learnt_kind {
    LEARNT_NONE,
    LEARNT_DEFAULT,  /* ::/0 by gw */
    LEARNT_PREFIX,   /* on the link */
    LEARNT_ROUTE,    /* [RFC 4191 2.3] */
    LEARNT_REDIRECT, /* one destination; gw any(): it is on the link */
};
struct ip6_learnt {
    struct addr prefix, gw;
    w_ns expires; /* W_NEVER: not by time */
    uint8_t plen, nif, kind;
    int8_t pref;     /* -1, 0, 1 [RFC 4191 2.1] */
    bool has_failed; /* gw did not answer: after all others */
};
enum { IP6_LEARNT = 64 };

struct ip_reasm;
struct ip_pmtu;

struct ip {
    struct env *env;
    struct link *link;
    struct neigh *neigh;
    uint32_t gen; /* rises with every change of addresses, routes, interfaces, path MTUs */
    uint8_t lo;   /* id of the loopback interface, 0: none yet */
    struct ip_addr addr[IP_ADDRS];
    struct ip_addr_slot slot[IP_ADDR_SLOTS];
    struct ip6_nif nif6[LINK_NIFS + 1]; /* by interface id */
    struct ip6_learnt learnt[IP6_LEARNT];
    struct timer learnt_timer; /* TK_REASM, obj IP_TIMER_LEARNT: the earliest expiry */
    struct pool routes, nodes; /* struct route; nodes of the prefix trie */
    uint32_t root;             /* its root, 0: no route */
    struct ip_reasm *reasm;
    struct ip_pmtu *pmtu;
    uint32_t *id_counter; /* IPv4 identification, by keyed hash of ⟨src, dst, proto⟩ */
};

void ip_init(struct ip *, struct env *, struct link *, struct neigh *, struct arena *);

/* ---- addresses and routes; every change makes all struct dst invalid ---- */

/* Adds an address with its on-link route (none for a host prefix) and takes it on the wire: see
 * neigh_addr_add for `probe`. 0, -EINVAL, -EEXIST, -ENOSPC. With an address on the loopback
 * interface all of 127/8 is local [RFC 1122 3.2.1.3 (g)]. IPv6 needs an MTU of 1280. */
WEIR_MUST_CHECK int ip_addr_add(struct ip *, struct nif *, const struct addr *, unsigned plen,
                                bool probe);
int ip_addr_del(struct ip *, struct nif *, const struct addr *); /* 0, -ENOENT */
/* Gives the interface its link-local IPv6 address, if it has none [RFC 4291 2.1, RFC 7217 5]. 0 or
 * as ip_addr_add. */
WEIR_MUST_CHECK int ip6_link_local_add(struct ip *, struct nif *, bool probe);
/* What neigh_addr_pop told. */
void ip_addr_changed(struct ip *, const struct neigh_addr *);
/* Bring up, take down, new MTU: after changing nif->flags or nif->mtu. */
void ip_nif_changed(struct ip *, const struct nif *);
/* Slot i of 0..IP_ADDRS-1, NULL: free. */
const struct ip_addr *ip_addr_at(const struct ip *, unsigned i);

/* r->next and is_auto are ignored. 0, -EINVAL, -EEXIST (same prefix and metric), -ENOSPC,
 * -ENETUNREACH (gateway not on the link). */
WEIR_MUST_CHECK int ip_route_add(struct ip *, const struct route *r);
/* Matches prefix, plen, metric. 0 or -ESRCH. */
int ip_route_del(struct ip *, const struct route *r);
/* For display: the first live route with an index > *after, which is set to it. NULL: no more. */
const struct route *ip_route_iter(const struct ip *, uint32_t *after);

/* What the address is to us, on this interface (NULL: on any). O(1). */
enum ip_kind ip_addr_kind(const struct ip *, const struct nif *, const struct addr *);
/* The interface an address of ours is on, 0: not ours. Also of a directed broadcast. */
unsigned ip_addr_nif(const struct ip *, const struct addr *);
/* Whether a socket may bind to it or send from it: ours and usable. */
bool ip_is_local(const struct ip *, const struct addr *);

/* ---- destinations ---- */

/* Resolves dst. `src`: the source address that must be used, or NULL or any() to have one selected
 * [RFC 1122 3.3.4.3, RFC 6724 5]. out->nif on entry: interface it must leave by, 0: any. 0,
 * -ENETUNREACH, -EHOSTUNREACH (unreachable route), -EINVAL (blackhole, or a link-local address
 * without its interface), -EADDRNOTAVAIL (src is not ours). On failure out->gen is 0. O(128) at
 * worst. */
WEIR_MUST_CHECK int ip_route(const struct ip *, const struct addr *dst, const struct addr *src,
                             struct dst *out);
static inline bool ip_dst_is_valid(const struct ip *ip, const struct dst *d)
{
    return d->gen == ip->gen;
}

/* The MTU of the first link of d, whatever the path beyond it carries. O(1). */
uint32_t ip_dst_link_mtu(const struct ip *, const struct dst *d);

/* What was sent to d goes unanswered: advice for the next hop's entry [RFC 1122 3.3.1.4]. O(1). */
void ip_dst_doubt(struct ip *, const struct dst *d);

/* ---- routers ---- */

/* The interface configures itself: a link-local address, routers asked for, addresses in the
 * prefixes they offer [RFC 4861 6.3, RFC 4862]. 0 or as ip_addr_add. */
WEIR_MUST_CHECK int ip6_auto_start(struct ip *, struct nif *);
/* A router advertisement, a redirect, from `from`; parsed and checked by icmp/ (hop limit,
 * checksum, format). DROP_NONE: taken. */
struct wire_nd;
enum drop ip6_router_advert(struct ip *, struct nif *, const struct addr *from,
                            const struct wire_nd *);
enum drop ip6_redirect(struct ip *, struct nif *, const struct addr *from, const struct wire_nd *);
/* A neighbour says it is no router any more [RFC 4861 7.2.5]. */
void ip6_router_gone(struct ip *, const struct nif *, const struct addr *router);
/* A neighbour that may be a router has failed: those that did are used after all others. */
void ip6_routers_check(struct ip *);

/* ---- path MTU [RFC 1191, RFC 8201] ---- */

/* An ICMP "fragmentation needed" or "packet too big" that the transport believes [RFC 5927 7 is its
 * duty]: the path to dst carries only `mtu`; 0: an old router said nothing, then the next plateau
 * below `sent`, the total length of the packet it quoted [RFC 1191 7.1]. Values are bounded below
 * by conf.ip_min_pmtu; for IPv6 one below 1280 is not believed at all. True when this lowered
 * anything: every dst is then invalid. */
bool ip_pmtu_update(struct ip *, const struct addr *dst, uint32_t mtu, uint32_t sent);

/* ---- packets ---- */

/* Pushes the IP header in front of p (transport header first in it) and sends it towards d, in
 * fragments where it is too big and may be. Owns p. DROP_NONE, or the reason, already counted:
 * DROP_FRAG_NEEDED is the caller's EMSGSIZE. A super-segment (p->gso_size) passes whole: its pieces
 * must fit. p->csum may be CSUM_TODO. m->src is trusted. */
enum drop ip_output(struct ip *, const struct dst *d, const struct ip_meta *m, struct pkt *);

/* The largest super-segment that may be built for d, bytes of IP packet. */
uint32_t ip_gso_max(const struct ip *, const struct dst *);

/* A packet that came in, p->l3 at its first byte and first. Checks [RFC 1122 3.2.1, RFC 1812
 * 5.2.2], decides local or forward, reassembles. NEXT_TCP, NEXT_UDP, NEXT_ICMP: p->flow.local,
 * .remote, .proto are set, the IP header is pulled (its bytes stay at p->l3), p->l4 set, padding
 * trimmed; the caller owns p. NEXT_FORWARD: for ip_forward, nothing pulled. NEXT_ICMP_ERROR: as
 * pkt/next.h says. NEXT_DONE: held for reassembly. NEXT_DROP: p->drop. */
WEIR_MUST_CHECK enum next ip4_input(struct ip *, struct nif *, struct pkt *);

/* The same for IPv6 [RFC 8200]: NEXT_ICMP6 instead of NEXT_ICMP. Extension headers are pulled with
 * the header. flow.nif is set where an address means something on that link only. */
WEIR_MUST_CHECK enum next ip6_input(struct ip *, struct nif *, struct pkt *);

/* Sends a packet on [RFC 1812 5.3, RFC 8200 3]: NEXT_DONE, NEXT_ICMP_ERROR, NEXT_DROP. */
WEIR_MUST_CHECK enum next ip_forward(struct ip *, struct pkt *);

/* A timer of kind TK_REASM is due. Returns a packet that wants an ICMP error (time exceeded in
 * reassembly, its first fragment), which the caller owns, or NULL. */
struct pkt *ip_timer(struct ip *, struct timer *);

#endif
