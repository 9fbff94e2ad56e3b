/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue before the device: first in, first out, but nothing leaves before its departure time.
 *
 * Decides which packet leaves next and which does not fit any more. Owns the packets in it. Called
 * by eth_output and link_tx; calls nobody.
 *
 * A packet without a departure time, or with one that has come, goes straight to `ready`. One with
 * a time ahead goes to `later`, a binary heap ordered by (time, order of arrival), and moves to
 * `ready` when its time comes: a paced connection never holds up the others, and two packets of one
 * connection with rising times never change places.
 *
 * Invariants: ready.n + n_later <= limit at the time of each push; the heap property of `later`;
 * n_later <= cap_later because limit <= LINK_TXQ_MAX == cap_later.
 */
#include "link/queue.h"

void q_init(struct qdisc *q, struct qdisc_later *later, uint32_t cap)
{
    *q = (struct qdisc){.later = later, .cap_later = cap};
}

static bool is_before(const struct qdisc_later *a, const struct qdisc_later *b)
{
    if (a->when != b->when)
        return a->when < b->when;
    return (int32_t)(a->order - b->order) < 0;
}

static void heap_insert(struct qdisc *q, struct pkt *p)
{
    WEIR_ASSERT(q->n_later < q->cap_later);
    struct qdisc_later e = {.when = p->when, .p = p, .order = q->order++};
    uint32_t i = q->n_later++;
    while (i > 0 && is_before(&e, &q->later[(i - 1) / 2])) {
        q->later[i] = q->later[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    q->later[i] = e;
}

static struct pkt *heap_take(struct qdisc *q)
{
    WEIR_ASSERT(q->n_later > 0);
    struct pkt *p = q->later[0].p;
    struct qdisc_later e = q->later[--q->n_later];
    uint32_t i = 0;
    for (uint32_t c = 1; c < q->n_later; c = 2 * i + 1) {
        if (c + 1 < q->n_later && is_before(&q->later[c + 1], &q->later[c]))
            c++;
        if (!is_before(&q->later[c], &e))
            break;
        q->later[i] = q->later[c];
        i = c;
    }
    q->later[i] = e;
    return p;
}

void q_mature(struct qdisc *q, w_ns now)
{
    while (q->n_later > 0 && q->later[0].when <= now)
        pktq_push(&q->ready, heap_take(q));
}

enum drop q_push_other(struct qdisc *q, w_ns now, struct pkt *p)
{
    if (q_len(q) >= q->limit) {
        q->drops++;
        return DROP_QDISC_FULL;
    }
    if (p->when > w_ns_add(now, Q_HORIZON_S * W_S)) {
        q->drops++;
        return DROP_QDISC_HORIZON;
    }
    q_mature(q, now);
    if (p->when <= now)
        pktq_push(&q->ready, p);
    else
        heap_insert(q, p);
    q->enqueued++;
    q->high_water = w_u32_max(q->high_water, q_len(q));
    return DROP_NONE;
}

struct pkt *q_pop_any(struct qdisc *q)
{
    struct pkt *p = pktq_pop(&q->ready);
    if (p == NULL && q->n_later > 0)
        p = heap_take(q);
    return p;
}

w_ns q_next(const struct qdisc *q)
{
    if (q->ready.n > 0)
        return 0;
    return q->n_later > 0 ? q->later[0].when : W_NEVER;
}
