/* SPDX-License-Identifier: Apache-2.0
 *
 * codel: one queue in order of arrival under CoDel's law. [RFC 8289]
 *
 * Decides nothing itself: it writes the time of arrival into each packet, and codel.c looks at it
 * when the packet leaves. Owns the one band it uses. Called by aqm.c; calls codel.c.
 *
 * The law looks only at packets that leave, so a queue from which nothing is taken does nothing:
 * the limit of the whole (aqm.c) is what bounds it then.
 */
#include "aqm/ops.h"

static void codel_q_enter(struct aqm *q, w_ns now, struct pkt *p)
{
    p->sent_at = now;
    aqm_in(q, &q->band[0], p);
}

static struct pkt *codel_q_pop(struct aqm *q, w_ns now)
{
    return codel_pop(q, &q->codel, &q->band[0], now);
}

static struct pkt *codel_q_drain(struct aqm *q) { return aqm_out(q, &q->band[0]); }

static w_ns codel_q_next(const struct aqm *q, w_ns now)
{
    (void)q;
    return now;
}

const struct aqm_ops qd_codel = {.name = "codel",
                                 .fill = codel_fill,
                                 .enter = codel_q_enter,
                                 .pop = codel_q_pop,
                                 .drain = codel_q_drain,
                                 .next = codel_q_next};
