/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to link/: the queue's operations, cutting super-segments.
 */
#ifndef WEIR_LINK_QUEUE_H
#define WEIR_LINK_QUEUE_H

#include "link/link.h"

enum { Q_HORIZON_S = 10 }; /* departure times further ahead are refused, as Linux's fq does */

/* later: LINK_TXQ_MAX slots, mem: for disciplines with flows; both the caller's for good. */
void q_init(struct qdisc *, struct qdisc_later *later, struct aqm_mem mem);
/* Limits anew, after conf.limit or the way packets take may have changed. */
void q_settle(struct link *, struct nif *);
/* Any packet, departed or not, each flow in its order; NULL: empty. For emptying a queue. */
struct pkt *q_pop_any(struct link *, struct nif *);
/* When q_pop will have something: 0 for at once, W_NEVER for an empty queue. */
WEIR_APART w_ns q_next_other(const struct link *, const struct nif *);
static inline w_ns q_next(const struct link *l, const struct nif *nif)
{
    if (nif->q.ready.n > 0)
        return 0;
    return WEIR_LIKELY(nif->q.n_other == 0) ? W_NEVER : q_next_other(l, nif);
}
/* A record of the trace about p and the queue, which p is about to enter or has left. */
WEIR_APART void link_seen(struct link *, const struct nif *, enum weir_trace_kind,
                          const struct pkt *p);
static inline uint32_t q_len(const struct qdisc *q) { return q->ready.n + q->n_other; }

enum drop q_push_other(struct link *, struct nif *, struct pkt *);
struct pkt *q_pop_other(struct link *, struct nif *);

/* Takes p if it returns DROP_NONE; otherwise p is still the caller's, and q->drops has counted.
 * Inline: a fifo in which nothing waits for its time, and there is room. */
static inline enum drop q_push(struct link *l, struct nif *nif, struct pkt *p)
{
    struct qdisc *q = &nif->q;
    if (WEIR_UNLIKELY(p->when > l->env->now || q->ready.n >= q->fast_limit))
        return q_push_other(l, nif, p);
    pktq_push(&q->ready, p);
    q->enqueued++;
    if (q->ready.n > q->high_water)
        q->high_water = q->ready.n;
    return DROP_NONE;
}
/* The next packet that may leave now, NULL: none. O(log n). */
static inline struct pkt *q_pop(struct link *l, struct nif *nif)
{
    if (WEIR_UNLIKELY(nif->q.fast_limit == 0))
        return q_pop_other(l, nif);
    return pktq_pop(&nif->q.ready);
}

/* Whether p is a super-segment that can be cut: TCP, checksum to do, sane offsets. */
bool gso_is_sound(const struct pkt *);
/* The next piece of nif->gso, checksum still to do; NULL: no memory. After the last piece nif->gso
 * is freed and NULL. */
struct pkt *gso_next(struct link *, struct nif *);

#endif
