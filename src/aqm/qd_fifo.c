/* SPDX-License-Identifier: Apache-2.0
 *
 * The disciplines that keep order: fifo, prio, mark.
 *
 * - fifo: first in, first out; full, it refuses. What all others are compared with.
 * - prio: three such queues, as Linux's pfifo_fast; the TOS field says which [RFC 1349 4; the table
 *   is Linux's]. A band is served only when those before it are empty, so what is urgent can starve
 *   the rest: that is asked for by whoever sets TOS.
 * - mark: a fifo that marks ECN-capable packets which find mark_at packets before them: the switch
 *   that DCTCP assumes [RFC 8257 3.1]. It marks on arrival, by the queue as it is, not an average.
 *   Others are not touched: with a limit as low as mark_at it would be a short queue for them.
 */
#include "aqm/ops.h"

/* Band of each value of the four TOS bits: low delay alone (0x10) goes first, throughput alone
 * (0x08) last, as on Linux. */
static const uint8_t band_of_tos[16] = {1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 0, 1, 1, 1, 1};

static void fifo_enter(struct aqm *q, w_ns now, struct pkt *p)
{
    (void)now;
    aqm_in(q, &q->band[0], p);
}

static void prio_enter(struct aqm *q, w_ns now, struct pkt *p)
{
    (void)now;
    aqm_in(q, &q->band[band_of_tos[p->tos >> 1 & 15]], p);
}

static void mark_enter(struct aqm *q, w_ns now, struct pkt *p)
{
    (void)now;
    if (q->n >= q->conf.mark_at && p->ecn != 0)
        (void)aqm_signal(q, p);
    aqm_in(q, &q->band[0], p);
}

/* Bands that a discipline does not use are empty. */
static struct pkt *first_of_bands(struct aqm *q)
{
    for (unsigned i = 0; i < WEIR_COUNT(q->band); i++) {
        struct pkt *p = aqm_out(q, &q->band[i]);
        if (p != NULL)
            return p;
    }
    return NULL;
}

static struct pkt *fifo_pop(struct aqm *q, w_ns now)
{
    (void)now;
    return first_of_bands(q);
}

static w_ns fifo_next(const struct aqm *q, w_ns now)
{
    (void)q;
    return now;
}

static int mark_fill(struct aqm_conf *c)
{
    if (c->mark_at == 0)
        c->mark_at = 65; /* of the DCTCP paper's section 3.4, for 10 Gbit/s */
    return 0;
}

const struct aqm_ops qd_fifo = {.name = "fifo",
                                .enter = fifo_enter,
                                .pop = fifo_pop,
                                .drain = first_of_bands,
                                .next = fifo_next};
const struct aqm_ops qd_prio = {.name = "prio",
                                .enter = prio_enter,
                                .pop = fifo_pop,
                                .drain = first_of_bands,
                                .next = fifo_next};
const struct aqm_ops qd_mark = {.name = "mark",
                                .fill = mark_fill,
                                .enter = mark_enter,
                                .pop = fifo_pop,
                                .drain = first_of_bands,
                                .next = fifo_next};
