/* SPDX-License-Identifier: Apache-2.0
 *
 * What all rooms of one stack share: the time of this call, randomness, packet memory, timers,
 * settings, counters. One per stack, inside its arena; every room's context points to it.
 *
 * Only stack/ sets `now` (at each entry) and changes `conf`.
 */
#ifndef WEIR_ENV_H
#define WEIR_ENV_H

#include "base/rng.h"
#include "base/wheel.h"
#include "pkt/drop.h"
#include "pkt/pkt.h"
#include "pkt/trace.h"

#include <weir/conf.h>

enum env_stat {
#define X(name, text) STAT_##name,
#include "pkt/stat.def"
#undef X
    STAT_N
};

/* Whose timer: stack/due branches on it. timer.obj is the owner's index in its pool. */
enum timer_kind {
    TK_NONE,
    TK_NEIGH, /* a neighbour, or an own address being probed */
    TK_REASM,
    TK_TCP,     /* a connection's next deadline */
    TK_TCP_SYN, /* half-open connections */
    TK_TCP_TW,  /* TIME-WAIT */
    TK_QDISC,
    TK_OTHER,
};

struct env {
    w_ns now;
    int64_t real_ns; /* real time is now + this, for programs that ask when */
    struct rng rng;
    struct hash_key key_flow, key_isn, key_port, key_misc;
    struct pktmem mem;
    struct wheel wheel;
    struct weir_conf conf;
    uint32_t csum_isa; /* enum csum_isa of wire/csum.h */
    struct trace trace;
    uint64_t drops[DROP_N];
    uint64_t stats[STAT_N];
};

/* Keys and random stream from the seed, pools from the arena by env->conf, which the caller set. */
void env_init(struct env *, struct arena *, uint64_t seed, w_ns now);

/* Whether somebody wants to see. */
static inline bool env_traces(const struct env *e) { return WEIR_UNLIKELY(e->trace.cap != 0); }
/* A record about p (NULL: none), which the caller completes; only while env_traces. */
struct weir_trace *env_trace(struct env *, enum weir_trace_kind, const struct pkt *p);

static inline void env_count(struct env *e, enum env_stat s) { e->stats[s]++; }
static inline void env_count_n(struct env *e, enum env_stat s, uint64_t n) { e->stats[s] += n; }
/* Counts the reason and frees the packet, if there is one (NULL: it could not even be made).
 * Returns the reason, for `return env_drop(…)`. */
enum drop env_drop(struct env *, struct pkt *, enum drop);
const char *stat_name(enum env_stat);
const char *stat_text(enum env_stat);

#endif
