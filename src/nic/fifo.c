/* SPDX-License-Identifier: Apache-2.0
 *
 * The NIC's packet memory: frames in a ring of bytes, and the gauges of all its buffers.
 *
 * What is decided here: that a frame lies in one piece. One that does not fit before the end of the
 * memory begins at its start, and the bytes skipped count as used until it leaves. So a FIFO of n
 * bytes holds at least n minus one frame.
 *
 * Keeps: frames leave in the order in which room was taken for them, whatever order they were
 * filled in; gauge.now is the sum of all spans. Called by txq, rxq and mac. Calls nothing.
 */
#include "nic/parts.h"

void nic_gauge_set(struct nic_gauge *g, w_ns now, uint32_t value)
{
    (void)now;
    g->now = value;
    if (value > g->high_water)
        g->high_water = value;
}

void nic_gauge_full(struct nic_gauge *g, w_ns now, bool is_full)
{
    if (is_full && g->full_since == 0) {
        g->full_since = now;
        g->n_full++;
    }
    if (!is_full && g->full_since != 0) {
        g->full_ns += now - g->full_since;
        g->full_since = 0;
    }
}

void nic_fifo_clear(struct nic_fifo *f, w_ns now)
{
    f->head = f->first = f->n = 0;
    nic_gauge_set(&f->bytes, now, 0);
    nic_gauge_full(&f->bytes, now, false);
}

struct nic_slot *nic_fifo_take(struct nic_fifo *f, w_ns now, uint32_t n)
{
    bool has_wrapped = n > f->bytes.limit - f->head;
    uint32_t skip = has_wrapped ? f->bytes.limit - f->head : 0; /* 0, too, right at the end */
    bool is_full = f->n == NIC_SLOTS || skip + n > f->bytes.limit - f->bytes.now;
    nic_gauge_full(&f->bytes, now, is_full);
    if (is_full)
        return NULL;
    struct nic_slot *s = nic_fifo_slot(f, f->first + f->n++);
    *s = (struct nic_slot){.at = has_wrapped ? 0 : f->head, .len = n, .span = skip + n};
    f->head = s->at + n;
    nic_gauge_set(&f->bytes, now, f->bytes.now + s->span);
    return s;
}

void nic_fifo_drop_first(struct nic_fifo *f, w_ns now)
{
    WEIR_ASSERT(f->n > 0);
    nic_gauge_set(&f->bytes, now, f->bytes.now - nic_fifo_slot(f, f->first)->span);
    f->first++;
    f->n--;
    if (f->n == 0) {
        WEIR_ASSERT(f->bytes.now == 0);
        f->head = 0;
    }
}
