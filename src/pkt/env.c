/* SPDX-License-Identifier: Apache-2.0
 *
 * Beginning of a stack's life: keys, packet memory, timers, zeroed counters.
 *
 * Everything random in a stack comes from the one seed. The keys are drawn from a fork of the
 * stream, so that adding a key moves nobody's draws.
 *
 * With a counting arena the same code only tells how much memory the pools need; env->conf alone
 * decides how much, and is kept as the caller set it, as is csum_isa.
 */
#include "pkt/env.h"

static struct hash_key draw_key(struct rng *r)
{
    struct hash_key k;
    k.k0 = rng_u64(r);
    k.k1 = rng_u64(r);
    return k;
}

void env_init(struct env *e, struct arena *a, uint64_t seed, w_ns now)
{
    e->now = now;
    memset(e->drops, 0, sizeof e->drops);
    memset(e->stats, 0, sizeof e->stats);

    rng_seed(&e->rng, seed);
    struct rng keys = rng_fork(&e->rng, 0);
    e->key_flow = draw_key(&keys);
    e->key_isn = draw_key(&keys);
    e->key_port = draw_key(&keys);
    e->key_misc = draw_key(&keys);

    wheel_init(&e->wheel, now);
    struct pktmem_conf sizes = {
        .n_pkt = e->conf.n_pkt,
        .n_blk_small = e->conf.n_blk_small,
        .n_blk_big = e->conf.n_blk_big,
    };
    pktmem_init(&e->mem, a, &sizes);
    trace_init(&e->trace, a, e->conf.n_trace);
}

struct weir_trace *env_trace(struct env *e, enum weir_trace_kind kind, const struct pkt *p)
{
    struct weir_trace *r = trace_add(&e->trace, e->now, kind);
    if (p == NULL)
        return r;
    r->pkt = p->idx;
    r->nif = p->nif;
    r->len = p->len;
    return r;
}
