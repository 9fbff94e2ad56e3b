/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to neigh/: the table's operations, and the packets we send.
 */
#ifndef WEIR_NEIGH_TABLE_H
#define WEIR_NEIGH_TABLE_H

#include "neigh/neigh.h"

/* timer.obj of an own address's timer is its slot with this bit; of an entry's, its index. */
#define NEIGH_OBJ_OWN 0x80000000u

static inline struct neigh_entry *neigh_at(const struct neigh *n, uint32_t idx)
{
    return (struct neigh_entry *)pool_at(&n->pool, idx);
}
static inline uint32_t *neigh_bucket(const struct neigh *n, unsigned nif, const struct addr *a)
{
    uint64_t h = (a->d[1] ^ a->d[0] ^ (uint64_t)nif << 8 ^ n->key) * 0x9e3779b97f4a7c15u;
    return &n->bucket[(h >> 40) & n->bucket_mask];
}
/* NULL: not known. */
static inline struct neigh_entry *neigh_find(const struct neigh *n, const struct nif *nif,
                                             const struct addr *a)
{
    for (uint32_t i = *neigh_bucket(n, nif->id, a); i != 0;) {
        struct neigh_entry *e = neigh_at(n, i);
        if (addr_eq(&e->addr, a) && e->nif == nif->id)
            return e;
        i = e->chain;
    }
    return NULL;
}

/* ---- table.c ---- */
/* A new entry in NEIGH_NONE, in the place of an unused one if need be. is_needed: we want to send
 * to it, so any entry not in use gives way; otherwise (somebody asked for us) only one never used.
 * NULL: no room. */
struct neigh_entry *neigh_new(struct neigh *, const struct nif *, const struct addr *,
                              bool is_needed);
/* Frees it; what it holds is counted under `why` (DROP_NONE: only freed). */
void neigh_remove(struct neigh *, struct neigh_entry *, enum drop why);

/* ---- neigh.c ---- */
/* The neighbour's MAC is known now; is_answer: it answered what we asked, so it is reachable. What
 * it holds goes out. */
void neigh_learn(struct neigh *, struct nif *, struct neigh_entry *, const uint8_t mac[6],
                 bool is_answer);

/* The link address of a group [RFC 1112 6.4, RFC 2464 7]. */
void neigh_group_mac(const struct addr *group, uint8_t mac[6]);
/* Whether one more answer may be sent now: ARP's and neighbour discovery's share a bucket. */
bool neigh_reply_allowed(struct neigh *);

/* ---- own.c ---- */
struct neigh_addr *neigh_own(struct neigh *, const struct nif *, const struct addr *);
/* Somebody at `mac` uses, or is about to use, this address of ours. */
void neigh_conflict(struct neigh *, struct nif *, struct neigh_addr *);
void neigh_own_timer(struct neigh *, struct timer *);
/* The source address to ask `target` from; NULL: we have none there yet. */
const struct addr *neigh_ask_from(const struct neigh *, const struct nif *,
                                  const struct addr *target);

/* ---- arp.c ---- */
/* Sends a request for tpa; to NULL: broadcast. spa any(): an address probe. */
void arp_request(struct neigh *, struct nif *, const struct addr *spa, const struct addr *tpa,
                 const uint8_t *to);

/* ---- nd.c ---- */
/* Sends a solicitation for target; to NULL: to its solicited-node group. */
void nd_solicit(struct neigh *, struct nif *, const struct addr *from, const struct addr *target,
                const uint8_t *to);
/* Asks whether anybody has an address we would like. */
void nd_probe(struct neigh *, struct nif *, struct neigh_addr *);
/* Tells all nodes that an address is ours. */
void nd_announce(struct neigh *, struct nif *, const struct addr *own);

#endif
