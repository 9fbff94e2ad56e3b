/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to neigh/: the table's operations, and the ARP packets we send.
 */
#ifndef WEIR_NEIGH_TABLE_H
#define WEIR_NEIGH_TABLE_H

#include "neigh/neigh.h"

/* timer.obj of an own address's timer is its slot with this bit; of an entry's, its index. */
#define NEIGH_OBJ_OWN 0x80000000u

/* ---- table.c ---- */
struct neigh_entry *neigh_find(const struct neigh *, const struct nif *, const struct addr *);
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

#endif
