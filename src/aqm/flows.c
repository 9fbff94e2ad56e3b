/* SPDX-License-Identifier: Apache-2.0
 *
 * Flows in turn: deficit round robin with a list for those that have just begun. [RFC 8290 4]
 *
 * Theory of operation. Packets with one hash are one flow with a queue of its own. A flow that gets
 * its first packet becomes the last of the fresh ones, with a quantum of bytes to send. Fresh flows
 * are served before old ones, so a flow that sends little (a request, an ACK, a voice packet) never
 * waits behind a bulk transfer. Whoever has used its quantum gets another one as the last of the
 * old flows: so bytes are shared, not packets. An empty flow goes once through the old list before
 * it rests, so that none stays fresh by sending packet after packet, each into an empty queue.
 *
 *   state   | in             | leaves by
 *   IDLE    | -              | its first packet → FRESH
 *   FRESH   | list fresh     | quantum used, or empty → OLD
 *   OLD     | list old       | empty → IDLE
 *   WAITING | heap of qd_fq  | its time → OLD
 *
 * Called by qd_fq.c and qd_fq_codel.c. Invariant: a flow with packets is not IDLE.
 */
#include "aqm/ops.h"

static struct aqm_list *list_of(struct aqm *q, enum flow_state s)
{
    return s == FLOW_FRESH ? &q->fresh : &q->old;
}

void flow_append(struct aqm *q, enum flow_state s, uint16_t i)
{
    struct aqm_list *l = list_of(q, s);
    struct aqm_flow *f = &q->mem.flow[i];
    f->state = (uint8_t)s;
    f->next = 0;
    if (l->first == 0)
        l->first = i;
    else
        q->mem.flow[l->last].next = i;
    l->last = i;
}

void flow_activate(struct aqm *q, uint16_t i)
{
    struct aqm_flow *f = &q->mem.flow[i];
    if (f->state != FLOW_IDLE)
        return;
    f->credit = (int32_t)q->conf.quantum;
    flow_append(q, FLOW_FRESH, i);
}

void flow_leave(struct aqm *q, uint16_t i, enum flow_state state)
{
    struct aqm_flow *f = &q->mem.flow[i];
    struct aqm_list *l = list_of(q, f->state);
    WEIR_ASSERT(l->first == i);
    l->first = f->next;
    if (l->first == 0)
        l->last = 0;
    f->state = (uint8_t)state;
    f->next = 0;
}

/* Ends: each round adds a quantum to a flow, and a credit is above minus one super-segment. */
uint16_t flow_turn(struct aqm *q)
{
    for (;;) {
        uint16_t i = q->fresh.first != 0 ? q->fresh.first : q->old.first;
        if (i == 0 || q->mem.flow[i].credit > 0)
            return i;
        q->mem.flow[i].credit += (int32_t)q->conf.quantum;
        flow_leave(q, i, FLOW_IDLE);
        flow_append(q, FLOW_OLD, i);
    }
}

void flow_rest(struct aqm *q, uint16_t i)
{
    bool was_fresh = q->mem.flow[i].state == FLOW_FRESH;
    flow_leave(q, i, FLOW_IDLE);
    if (was_fresh && q->old.first != 0)
        flow_append(q, FLOW_OLD, i);
}

struct pkt *flow_drain(struct aqm *q)
{
    for (uint16_t i = 1; i <= AQM_FLOWS; i++) {
        struct pkt *p = aqm_out(q, &q->mem.flow[i].q);
        if (p != NULL)
            return p;
    }
    return NULL;
}
