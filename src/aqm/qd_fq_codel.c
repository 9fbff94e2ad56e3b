/* SPDX-License-Identifier: Apache-2.0
 *
 * fq_codel: flows in turn (flows.c), each under CoDel's law (codel.c). [RFC 8290]
 *
 * Decides what goes when the whole queue is full: packets from the head of the flow with the most
 * bytes, up to 64 or half of it, so that the search for it is paid once for many packets
 * [RFC 8290 4.1.3]. A flow of this host's TCP is passed over: it has been told to wait before
 * (link/), and where only such flows are left the newcomer is refused.
 */
#include "aqm/ops.h"

enum { DROP_BATCH = 64 };

static int fqc_fill(struct aqm_conf *c)
{
    if (c->quantum == 0)
        c->quantum = c->frame_bytes; /* [RFC 8290 5.2.4] */
    return codel_fill(c);
}

static bool can_drop(const struct aqm_flow *f)
{
    return f->q.first != NULL && (f->q.first->tflags & AQM_KEEP) == 0;
}

static bool fqc_make_room(struct aqm *q)
{
    struct aqm_flow *fattest = NULL;
    for (uint16_t i = 1; i <= AQM_FLOWS; i++) {
        struct aqm_flow *f = &q->mem.flow[i];
        if (can_drop(f) && (fattest == NULL || f->q.bytes > fattest->q.bytes))
            fattest = f;
    }
    if (fattest == NULL)
        return false;
    uint32_t least = fattest->q.bytes / 2;
    for (int n = 0; n < DROP_BATCH && can_drop(fattest) && (n == 0 || fattest->q.bytes > least);
         n++)
        aqm_kill(q, aqm_out(q, &fattest->q), DROP_QDISC_FULL);
    return true;
}

static void fqc_enter(struct aqm *q, w_ns now, struct pkt *p)
{
    uint16_t i = flow_of(p);
    p->sent_at = now;
    aqm_in(q, &q->mem.flow[i].q, p);
    flow_activate(q, i);
}

/* [RFC 8290 4.2] Bounded: each round sends a flow to rest or returns. */
static struct pkt *fqc_pop(struct aqm *q, w_ns now)
{
    uint16_t i;
    while ((i = flow_turn(q)) != 0) {
        struct aqm_flow *f = &q->mem.flow[i];
        struct pkt *p = codel_pop(q, &f->codel, &f->q, now);
        if (p != NULL) {
            f->credit -= (int32_t)p->len;
            return p;
        }
        flow_rest(q, i);
    }
    return NULL;
}

static w_ns fqc_next(const struct aqm *q, w_ns now)
{
    (void)q;
    return now;
}

const struct aqm_ops qd_fq_codel = {.name = "fq_codel",
                                    .has_flows = true,
                                    .fill = fqc_fill,
                                    .make_room = fqc_make_room,
                                    .enter = fqc_enter,
                                    .pop = fqc_pop,
                                    .drain = flow_drain,
                                    .next = fqc_next};
