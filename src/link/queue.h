/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to link/: the queue's operations, cutting super-segments.
 */
#ifndef WEIR_LINK_QUEUE_H
#define WEIR_LINK_QUEUE_H

#include "link/link.h"

enum { Q_HORIZON_S = 10 }; /* departure times further ahead are refused, as Linux's fq does */

/* later: cap slots, the caller's for good. */
void q_init(struct qdisc *, struct qdisc_later *later, uint32_t cap);
/* Any packet, departed or not; NULL: empty. For emptying a queue. */
struct pkt *q_pop_any(struct qdisc *);
/* When q_pop will have something: 0 for at once, W_NEVER for an empty queue. */
w_ns q_next(const struct qdisc *);
static inline uint32_t q_len(const struct qdisc *q) { return q->ready.n + q->n_later; }
/* Moves what may leave now to `ready`. */
void q_mature(struct qdisc *, w_ns now);
enum drop q_push_other(struct qdisc *, w_ns now, struct pkt *);
/* Takes p if it returns DROP_NONE; otherwise p is still the caller's, and q->drops has counted.
 * Inline: nothing waits for its time, and there is room. */
static inline enum drop q_push(struct qdisc *q, w_ns now, struct pkt *p)
{
    if (WEIR_UNLIKELY(q->n_later > 0 || p->when > now || q->ready.n >= q->limit))
        return q_push_other(q, now, p);
    pktq_push(&q->ready, p);
    q->enqueued++;
    if (q->ready.n > q->high_water)
        q->high_water = q->ready.n;
    return DROP_NONE;
}
/* The next packet that may leave at now, NULL: none. O(log n). */
static inline struct pkt *q_pop(struct qdisc *q, w_ns now)
{
    if (WEIR_UNLIKELY(q->n_later > 0))
        q_mature(q, now);
    return pktq_pop(&q->ready);
}

/* Whether p is a super-segment that can be cut: TCP, checksum to do, sane offsets. */
bool gso_is_sound(const struct pkt *);
/* The next piece of nif->gso, checksum still to do; NULL: no memory. After the last piece nif->gso
 * is freed and NULL. */
struct pkt *gso_next(struct link *, struct nif *);

#endif
