/* SPDX-License-Identifier: Apache-2.0
 *
 * fq: flows in turn (flows.c), every packet at its own time: what pacing senders want below them.
 *
 * As Linux's sch_fq. A packet with a departure time ahead waits in its flow, and its flow waits in
 * a heap by the time of its first packet; all other flows go on. A flow's packets are in order of
 * their times; with equal or no times, of arrival. So two connections that share a hash do not hold
 * each other up, and neither is reordered.
 *
 * Bounds: flow_limit packets of one flow, so that none fills the queue; horizon, so that a wild
 * time pins no packet. The insertion into a flow out of order looks at flow_limit packets at most.
 *
 * Invariant: WAITING flows are exactly those in heap[1..n_heap], ordered by their first packet.
 */
#include "aqm/ops.h"

static int fq_fill(struct aqm_conf *c)
{
    if (c->quantum == 0)
        c->quantum = 2 * c->frame_bytes;
    if (c->flow_limit == 0)
        c->flow_limit = 100;
    if (c->horizon_ms == 0)
        c->horizon_ms = 10000;
    return 0;
}

static enum drop fq_refuse(const struct aqm *q, w_ns now, const struct pkt *p)
{
    if (p->when > w_ns_add(now, q->conf.horizon_ms * W_MS))
        return DROP_QDISC_HORIZON;
    bool is_kept = (p->tflags & AQM_KEEP) != 0; /* TCP has a limit of its own below it */
    if (!is_kept && q->mem.flow[flow_of(p)].q.n >= q->conf.flow_limit)
        return DROP_QDISC_FLOW;
    return DROP_NONE;
}

/* ---- the heap of flows that wait ---- */

static w_ns time_of(const struct aqm *q, uint16_t flow) { return q->mem.flow[flow].q.first->when; }

static void place(struct aqm *q, uint32_t at, uint16_t flow)
{
    q->mem.heap[at] = flow;
    q->mem.flow[flow].at = (uint16_t)at;
}

static void sift_up(struct aqm *q, uint32_t at, uint16_t flow)
{
    w_ns when = time_of(q, flow);
    while (at > 1 && when < time_of(q, q->mem.heap[at / 2])) {
        place(q, at, q->mem.heap[at / 2]);
        at /= 2;
    }
    place(q, at, flow);
}

static uint16_t heap_take(struct aqm *q)
{
    uint16_t first = q->mem.heap[1], last = q->mem.heap[q->n_heap--];
    uint32_t at = 1;
    if (q->n_heap == 0)
        return first;
    for (uint32_t c = 2; c <= q->n_heap; c = 2 * at) {
        if (c < q->n_heap && time_of(q, q->mem.heap[c + 1]) < time_of(q, q->mem.heap[c]))
            c++;
        if (time_of(q, last) <= time_of(q, q->mem.heap[c]))
            break;
        place(q, at, q->mem.heap[c]);
        at = c;
    }
    place(q, at, last);
    return first;
}

/* ---- packets ---- */

/* Behind the last that leaves no later. */
static void insert(struct pktq *f, struct pkt *p)
{
    if (f->last == NULL || f->last->when <= p->when) {
        pktq_push(f, p);
        return;
    }
    struct pkt **at = &f->first;
    while ((*at)->when <= p->when)
        at = &(*at)->next;
    p->next = *at;
    *at = p;
    f->n++;
    f->bytes += p->len;
}

static void fq_enter(struct aqm *q, w_ns now, struct pkt *p)
{
    uint16_t i = flow_of(p);
    struct aqm_flow *f = &q->mem.flow[i];
    /* No time, or one that has passed, is now: what is ready keeps its order. */
    p->when = w_u64_max(p->when, now);
    insert(&f->q, p);
    q->n++;
    q->bytes += p->len;
    if (f->state == FLOW_WAITING && f->q.first == p)
        sift_up(q, f->at, i);
    flow_activate(q, i);
}

/* Flows whose time has come go on where they stopped: behind the others. */
static void wake(struct aqm *q, w_ns now)
{
    while (q->n_heap != 0 && time_of(q, q->mem.heap[1]) <= now)
        flow_append(q, FLOW_OLD, heap_take(q));
}

/* Bounded: each round sends a flow to wait or to rest, or returns. */
static struct pkt *fq_pop(struct aqm *q, w_ns now)
{
    uint16_t i;
    wake(q, now);
    while ((i = flow_turn(q)) != 0) {
        struct aqm_flow *f = &q->mem.flow[i];
        if (f->q.first == NULL) {
            flow_rest(q, i);
        } else if (f->q.first->when > now) {
            flow_leave(q, i, FLOW_WAITING);
            sift_up(q, ++q->n_heap, i);
        } else {
            struct pkt *p = aqm_out(q, &f->q);
            f->credit -= (int32_t)p->len;
            return p;
        }
    }
    return NULL;
}

/* A flow on a list may have nothing ready: then pop finds that out, and this is right
 * afterwards. */
static w_ns fq_next(const struct aqm *q, w_ns now)
{
    if (q->fresh.first != 0 || q->old.first != 0)
        return now;
    return q->n_heap != 0 ? time_of(q, q->mem.heap[1]) : W_NEVER;
}

const struct aqm_ops qd_fq = {.name = "fq",
                              .has_flows = true,
                              .fill = fq_fill,
                              .refuse = fq_refuse,
                              .enter = fq_enter,
                              .pop = fq_pop,
                              .drain = flow_drain,
                              .next = fq_next};
