/* SPDX-License-Identifier: Apache-2.0
 *
 * What a person may see of the NIC: records of <weir/trace.h> in the trace of the host it is in.
 *
 * The NIC knows no packet. It says which descriptor it works at (the driver's records of the same
 * numbers say for which packet) and, for a frame on its way up, which place of the FIFO it has: so
 * ARRIVE, STORE and the driver's POLL are one frame's. The record's time is the NIC's own.
 *
 * Called by mac, txq, rxq and irq, only while somebody looks (n->see).
 */
#include "nic/parts.h"
#include "pkt/trace.h"

struct weir_trace *nic_seen(struct nic *n, enum weir_trace_kind kind, unsigned queue,
                            const struct nic_slot *s)
{
    struct weir_trace *r = trace_add(n->see, n->now, kind);
    bool is_up = kind == WEIR_T_ARRIVE || kind == WEIR_T_STORE;
    const struct nic_gauge *g = is_up ? &n->rx.bytes : &n->tx.bytes;
    r->flags = (uint16_t)queue;
    if (s == NULL)
        return r;
    r->seq = s->done;
    r->len = s->len;
    r->used = g->now;
    r->max = g->limit;
    return r;
}
