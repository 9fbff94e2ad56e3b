/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of neighbours: a bounded pool, found by keyed hash of ⟨interface, address⟩.
 *
 * Decides which entry gives way when the table is full: one that failed, one that was never used,
 * or, for a neighbour we must send to, the stale one unused for longest. Entries in use (anything
 * that is being asked, delayed, reachable or permanent) never give way.
 *
 * Called by neigh.c, arp.c, own.c; calls the pool and the wheel. Owns the chains.
 *
 * Invariants: an entry in the pool is on exactly one chain; the search for an entry to give up
 * looks at GC_LOOK entries at most, so that a flood costs a constant per packet.
 */
#include "neigh/table.h"

#include <errno.h>

enum { GC_LOOK = 128 };

void neigh_init(struct neigh *n, struct env *env, struct link *link, struct arena *a)
{
    uint32_t cap = env->conf.n_neigh, buckets = 8;
    while (buckets < cap)
        buckets *= 2;
    *n = (struct neigh){.env = env, .link = link, .bucket_mask = buckets - 1};
    pool_init(&n->pool, a, cap, sizeof(struct neigh_entry), WEIR_CACHELINE);
    n->bucket = arena_take(a, buckets * sizeof *n->bucket, WEIR_CACHELINE);
    n->key = env->key_misc.k0;
}

void neigh_remove(struct neigh *n, struct neigh_entry *e, enum drop why)
{
    uint32_t idx = neigh_index(n, e), *at = neigh_bucket(n, e->nif, &e->addr);
    while (*at != idx) {
        WEIR_ASSERT(*at != 0);
        at = &neigh_at(n, *at)->chain;
    }
    *at = e->chain;
    wheel_del(&n->env->wheel, &e->timer);
    struct pkt *p;
    while ((p = pktq_pop(&e->held)) != NULL) {
        if (why == DROP_NONE)
            pkt_free(p);
        else
            (void)env_drop(n->env, p, why);
    }
    pool_give(&n->pool, idx);
}

/* How willingly an entry gives way; 0: never. */
static unsigned spare_rank(const struct neigh *n, const struct neigh_entry *e, bool is_needed)
{
    if (e->state == NEIGH_FAILED)
        return 4;
    if (e->state != NEIGH_STALE)
        return 0;
    if (e->used == 0)
        return 3;
    if (!is_needed)
        return 0;
    w_ns idle = n->env->now - e->used;
    return idle > n->env->conf.neigh_gc_stale_ms * W_MS ? 2 : 1;
}

/* Gives up the most willing of the next GC_LOOK entries. */
static void make_room(struct neigh *n, bool is_needed)
{
    struct neigh_entry *best = NULL;
    unsigned best_rank = 0;
    for (unsigned i = 0; i < GC_LOOK && i < n->pool.cap; i++) {
        n->clock_hand = n->clock_hand % n->pool.cap + 1;
        if (!pool_is_live(&n->pool, n->clock_hand))
            continue;
        struct neigh_entry *e = neigh_at(n, n->clock_hand);
        unsigned rank = spare_rank(n, e, is_needed);
        bool is_older = best != NULL && rank == best_rank && e->used < best->used;
        if (rank > best_rank || (rank > 0 && is_older)) {
            best = e;
            best_rank = rank;
        }
    }
    if (best != NULL)
        neigh_remove(n, best, DROP_NEIGH_TABLE);
}

struct neigh_entry *neigh_new(struct neigh *n, const struct nif *nif, const struct addr *a,
                              bool is_needed)
{
    if (pool_free_count(&n->pool) == 0)
        make_room(n, is_needed);
    uint32_t idx = pool_take(&n->pool);
    if (idx == 0)
        return NULL;
    struct neigh_entry *e = neigh_at(n, idx);
    uint32_t *bucket = neigh_bucket(n, nif->id, a);
    e->addr = *a;
    e->nif = nif->id;
    e->chain = *bucket;
    e->timer.kind = TK_NEIGH;
    e->timer.obj = idx;
    *bucket = idx;
    return e;
}

int neigh_set(struct neigh *n, struct nif *nif, const struct addr *a, const uint8_t mac[6])
{
    struct neigh_entry *e = neigh_find(n, nif, a);
    if (e == NULL)
        e = neigh_new(n, nif, a, true);
    if (e == NULL)
        return -ENOSPC;
    neigh_learn(n, nif, e, mac, true);
    wheel_del(&n->env->wheel, &e->timer);
    e->state = NEIGH_PERMANENT;
    return 0;
}

int neigh_del(struct neigh *n, struct nif *nif, const struct addr *a)
{
    struct neigh_entry *e = neigh_find(n, nif, a);
    if (e == NULL)
        return -ENOENT;
    neigh_remove(n, e, DROP_NONE);
    return 0;
}

void neigh_flush(struct neigh *n, const struct nif *nif)
{
    for (uint32_t i = 1; i <= n->pool.cap; i++) {
        if (pool_is_live(&n->pool, i) && neigh_at(n, i)->nif == nif->id)
            neigh_remove(n, neigh_at(n, i), DROP_NONE);
    }
}

const struct neigh_entry *neigh_iter(const struct neigh *n, uint32_t after)
{
    for (uint32_t i = after + 1; i <= n->pool.cap; i++) {
        if (pool_is_live(&n->pool, i))
            return neigh_at(n, i);
    }
    return NULL;
}
