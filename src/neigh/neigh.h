/* SPDX-License-Identifier: Apache-2.0
 *
 * Neighbours: from the next hop's IP address to its MAC, by ARP [RFC 826] or neighbour discovery
 * [RFC 4861 7], with reachability states as Linux has them, and our own addresses defended
 * [RFC 5227, RFC 4862 5.4].
 *
 *   state        what it means                        a packet for it   leaves by
 *   INCOMPLETE   asked, no answer yet                 is held           reply → REACHABLE;
 *                                                                       3 asks → FAILED
 *   REACHABLE    confirmed within reachable time      goes out          time → STALE
 *   STALE        known, not confirmed lately          goes, → DELAY     reply, confirm
 *   DELAY        used while stale, upper layers may   goes out          confirm → REACHABLE;
 *                confirm                                                5 s → PROBE
 *   PROBE        asking it, unicast                   goes out          reply → REACHABLE;
 *                                                                       3 asks → FAILED
 *   FAILED       did not answer                       → INCOMPLETE
 *
 * What was held for a neighbour that never answered comes out of neigh_failed_pop, so that stack/
 * can tell the sender (EHOSTUNREACH). The table is bounded; entries not in use give way to new
 * ones; only addresses we asked for, or that asked for us, get an entry, so that an ARP flood finds
 * nothing to fill.
 */
#ifndef WEIR_NEIGH_H
#define WEIR_NEIGH_H

#include "base/pool.h"
#include "link/link.h"

enum neigh_state {
    NEIGH_NONE,
    NEIGH_INCOMPLETE,
    NEIGH_REACHABLE,
    NEIGH_STALE,
    NEIGH_DELAY,
    NEIGH_PROBE,
    NEIGH_FAILED,
    NEIGH_PERMANENT, /* set by hand; never asked, never changed by what others say */
};

/* One of our own addresses on an Ethernet interface [RFC 5227 2, RFC 4862 5.4]. */
enum neigh_addr_state {
    NEIGH_ADDR_NONE,
    NEIGH_ADDR_PROBING,    /* not to be used yet; asks about it go unanswered */
    NEIGH_ADDR_ANNOUNCING, /* ours */
    NEIGH_ADDR_OURS,
    NEIGH_ADDR_CONFLICT, /* somebody else has it: no longer answered for */
};

struct neigh_entry {
    struct addr addr;
    uint32_t chain;     /* next entry of the hash bucket, 0: end */
    uint8_t nif, state; /* enum neigh_state */
    uint8_t mac[6];
    uint8_t asks;     /* requests sent in INCOMPLETE or PROBE */
    bool is_router;   /* it said so [RFC 4861 7.2.5 IsRouter] */
    w_ns confirmed;   /* last known reachable */
    w_ns used;        /* last packet sent to it, 0: never */
    w_ns updated;     /* its MAC was learned, or seen again */
    struct pktq held; /* packets waiting in INCOMPLETE, oldest first */
    struct timer timer;
};

enum { NEIGH_ADDRS = 32 };
struct neigh_addr {
    struct addr addr;
    uint8_t nif, state; /* enum neigh_addr_state */
    uint8_t sent;       /* probes or announcements so far */
    bool is_changed;    /* its state changed since neigh_addr_pop */
    uint8_t nonce[6];   /* of our last IPv6 probe [RFC 7527 4.1] */
    w_ns defended;      /* when we last insisted, 0: never */
    struct timer timer;
};

/* What routers advertised for the IPv6 neighbours of an interface; 0: the configuration's. */
struct nd_times {
    uint32_t reachable_ms, retrans_ms;
};

struct wire_nd;
struct neigh {
    struct env *env;
    struct link *link;
    struct pool pool;
    uint32_t *bucket, bucket_mask;
    uint64_t key;        /* of the bucket hash */
    uint32_t clock_hand; /* where the search for an entry to give up begins */
    struct pktq failed;  /* packets nobody could take, for neigh_failed_pop */
    struct neigh_addr addr[NEIGH_ADDRS];
    bool has_changed;       /* some addr[].is_changed, or has_router_failed */
    bool has_router_failed; /* for neigh_router_failed_pop */
    w_ns reply_at;          /* token bucket of our replies: when reply_tokens was true */
    uint32_t reply_tokens;
    struct nd_times times[LINK_NIFS + 1]; /* by interface id */
};

void neigh_init(struct neigh *, struct env *, struct link *, struct arena *);

/* Sends p, an IP packet without link header, to the neighbour `nexthop` on nif: now when its MAC is
 * known, later when it must be asked for. Owns p. DROP_NONE: sent or held; otherwise the reason,
 * already counted. The next hop of a multicast packet is that address, of any broadcast
 * 255.255.255.255. On an interface without neighbours (L3, loopback) it just goes out. O(1). */
enum drop neigh_output(struct neigh *, struct nif *, const struct addr *nexthop, struct pkt *);

/* An ARP packet, p->l3 at its first byte. Consumes p (NEXT_DONE), or NEXT_DROP with p->drop. */
WEIR_MUST_CHECK enum next arp_input(struct neigh *, struct nif *, struct pkt *);

/* A neighbour solicitation or advertisement, parsed and checked by icmp/ (hop limit, checksum,
 * format); p->flow says between whom. Consumes p as arp_input. *router_gone: the advertised
 * neighbour says it is a router no more. */
WEIR_MUST_CHECK enum next nd_input(struct neigh *, struct nif *, struct pkt *,
                                   const struct wire_nd *, bool *router_gone);

/* A message of neighbour discovery behind its IPv6 header, hop limit 255, at most 40 bytes of its
 * own; the caller sends it. NULL: no memory, counted. */
WEIR_MUST_CHECK struct pkt *nd_message(struct neigh *, const struct addr *src,
                                       const struct addr *dst, struct wire_nd *);

/* The MAC of a neighbour that a router's message told [RFC 4861 6.3.4, 8.3]: known, not
 * confirmed. */
void nd_learn(struct neigh *, struct nif *, const struct addr *, const uint8_t *mac,
              bool is_router);

/* Whether a neighbour that may be a router has failed to answer since this was last asked; and
 * whether it was this one. */
bool neigh_router_failed_pop(struct neigh *);
bool neigh_has_failed(const struct neigh *, const struct nif *, const struct addr *);

/* A timer of kind TK_NEIGH is due. */
void neigh_timer(struct neigh *, struct timer *);

/* The upper layer heard from this next hop (an ACK of new data): forward reachability [RFC 4861
 * 7.3.1, which Linux applies to ARP too]. Unknown neighbours are ignored. O(1). */
void neigh_confirm(struct neigh *, const struct nif *, const struct addr *nexthop);

/* The upper layer hears nothing through this next hop [RFC 1122 3.3.1.4, "negative advice"]: it no
 * longer counts as reachable, and the next packet for it has it asked. Ignored where it is unknown
 * or being asked already. O(1). */
void neigh_doubt(struct neigh *, const struct nif *, const struct addr *nexthop);

/* The next packet that was held for a neighbour that did not answer, its IP header at p->l3 and
 * first; the caller owns it. NULL: none. */
struct pkt *neigh_failed_pop(struct neigh *);

/* Takes or gives up an address. With `probe` the wire is asked first whether somebody has it
 * [RFC 5227 2.1.1, RFC 4862 5.4], otherwise it is announced and ours at once. 0, -ENOSPC, -EEXIST.
 * On interfaces without neighbours it is ours without a packet. */
WEIR_MUST_CHECK int neigh_addr_add(struct neigh *, struct nif *, const struct addr *, bool probe);
void neigh_addr_del(struct neigh *, struct nif *, const struct addr *);
enum neigh_addr_state neigh_addr_state(const struct neigh *, const struct nif *,
                                       const struct addr *);
/* The next own address whose state changed by what was heard, or stopped being heard, on the wire;
 * NULL: none. For stack/, which tells ip/. */
const struct neigh_addr *neigh_addr_pop(struct neigh *);
/* Whether one of the two has something. */
static inline bool neigh_has_news(const struct neigh *n)
{
    return n->failed.first != NULL || n->has_changed;
}

/* By hand: an entry that stays (`ip neigh add … nud permanent`), and removal of any entry. What it
 * holds is freed. 0, -ENOSPC, -ENOENT. */
WEIR_MUST_CHECK int neigh_set(struct neigh *, struct nif *, const struct addr *,
                              const uint8_t mac[6]);
int neigh_del(struct neigh *, struct nif *, const struct addr *);
/* All entries of an interface that goes down. */
void neigh_flush(struct neigh *, const struct nif *);

/* For display: the first live entry with an index > after, NULL: no more. */
const struct neigh_entry *neigh_iter(const struct neigh *, uint32_t after);
static inline uint32_t neigh_index(const struct neigh *n, const struct neigh_entry *e)
{
    return pool_index(&n->pool, e);
}

#endif
