/* SPDX-License-Identifier: Apache-2.0
 *
 * What the way out of an interface is busy with, as four clocks of which one runs at a time.
 *
 * Decides: whether the line is busy (what was given to the device takes its time at the line's
 * rate, one frame after the other), or the device is full though its line should be idle, or
 * packets wait in the queue though neither is the case, or nothing holds anything up.
 * Owns: struct nif_meter. Called by tcp/limit.c, which charges waiting connections by the
 * differences, and by nif.c when packets go to the device; only where limits are kept.
 *
 * Where the line's rate is not known it is never busy here, and a full device counts as full.
 */
#include "link/queue.h"

/* Preamble, CRC and the gap after a frame, in byte times [IEEE 802.3 3.1.1, 4.4.2]; and the
 * shortest frame without its CRC. */
enum { LINE_EXTRA = 8 + 4 + 12, LINE_MIN = 60 };

static void run_clocks(const struct link *l, struct nif_meter *m)
{
    w_ns now = l->env->now, spent = now - m->at, busy = 0;
    if (m->line_free > m->at)
        busy = w_u64_min(m->line_free - m->at, spent);
    m->ns[METER_LINE] += busy;
    m->ns[m->is_full ? METER_FULL : m->has_queue ? METER_QUEUE : METER_FREE] += spent - busy;
    m->at = now;
}

const w_ns *link_meter(struct link *l, unsigned id)
{
    /* A connection without a route has no interface: clocks that stand still would lose time. */
    unsigned i = id - 1u < LINK_NIFS ? id - 1 : 0;
    run_clocks(l, &l->meter[i]);
    l->meter[i].has_queue = !nif_is_empty(&l->nif[i]);
    return l->meter[i].ns;
}

/* The clocks themselves never go back: connections may compare them with what an interface in this
 * place had before. */
void link_meter_begin(struct link *l, const struct nif *nif, uint64_t rate_bps)
{
    struct nif_meter *m = &l->meter[nif->id - 1];
    run_clocks(l, m);
    m->line_free = 0;
    m->rate_bps = rate_bps;
    m->is_full = false;
}

static uint64_t line_bytes(const struct pkt *p)
{
    uint32_t hdr = (uint32_t)(p->pay - p->off), n = 1;
    if (p->gso_size != 0)
        n = (p->len - hdr + p->gso_size - 1u) / p->gso_size;
    uint64_t bytes = p->len + (uint64_t)(n - 1) * hdr;
    return w_u64_max(bytes, LINE_MIN) + (uint64_t)n * LINE_EXTRA;
}

void link_meter_tx(struct link *l, struct nif *nif, struct pkt *const *v, unsigned n)
{
    struct nif_meter *m = &l->meter[nif->id - 1];
    uint64_t bytes = 0;
    (void)link_meter(l, nif->id);
    if (m->rate_bps == 0)
        return;
    for (unsigned i = 0; i < n; i++)
        bytes += line_bytes(v[i]);
    m->line_free = w_u64_max(m->line_free, l->env->now) + bytes * 8 * W_S / m->rate_bps;
}

void link_meter_full(struct link *l, struct nif *nif, bool is_full)
{
    (void)link_meter(l, nif->id);
    l->meter[nif->id - 1].is_full = is_full;
}
