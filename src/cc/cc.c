/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry of congestion control algorithms and the laws none of them can break.
 *
 * Decides: which algorithm a name means; that cwnd never falls below one segment, that ssthresh
 * never falls below two, that an ACK which was not held back by cwnd does not make it larger
 * [RFC 7661 names why: a window that was never filled is not validated].
 * Owns: nothing; struct cc lives in the TCB.
 * Called by tcp/ (ack, recover, conn); calls the algorithm's functions through a const table.
 *
 * RFC 5681 first, then the one each algorithm's file names.
 */
#include <errno.h>

#include "cc/ops.h"

/* The order is that of the setting tcp_congestion_control. */
static const struct cc_ops *const table[] = {&cc_reno,     &cc_cubic,  &cc_vegas,
                                             &cc_westwood, &cc_bic,    &cc_dctcp,
                                             &cc_bbr,      &cc_ledbat, &cc_bbr1};

const struct cc_ops *cc_at(unsigned kind) { return kind < WEIR_COUNT(table) ? table[kind] : NULL; }

static const struct cc_ops *ops_of(const struct cc *c)
{
    WEIR_ASSERT(c->kind < WEIR_COUNT(table));
    return table[c->kind];
}

int cc_find(const char *name, size_t n)
{
    for (unsigned i = 0; i < WEIR_COUNT(table); i++) {
        const char *has = table[i]->name;
        size_t k = 0;
        while (k < n && has[k] != '\0' && has[k] == name[k])
            k++;
        if (has[k] == '\0' && (k == n || name[k] == '\0'))
            return (int)i;
    }
    return -ENOENT;
}

static void keep_laws(struct cc *c)
{
    c->cwnd = w_u32_min(w_u32_max(c->cwnd, c->mss), CC_CWND_MAX);
    c->ssthresh = w_u32_min(w_u32_max(c->ssthresh, 2 * c->mss), CC_SSTHRESH_INF);
}

void cc_init(struct cc *c, unsigned kind, uint32_t mss, uint32_t cwnd, w_ns now)
{
    WEIR_ASSERT(kind < WEIR_COUNT(table));
    WEIR_ASSERT(mss != 0);
    memset(c, 0, sizeof *c);
    c->kind = (uint16_t)kind;
    c->noise_percent = CC_NOISE_PERCENT;
    c->mss = mss;
    c->cwnd = cwnd;
    c->ssthresh = CC_SSTHRESH_INF;
    table[kind]->init(c, now);
    keep_laws(c);
}

void cc_change(struct cc *c, unsigned kind, w_ns now)
{
    WEIR_ASSERT(kind < WEIR_COUNT(table));
    c->kind = (uint16_t)kind;
    memset(c->priv, 0, sizeof c->priv);
    c->pacing_Bps = 0;
    c->flags = c->gso_burst = 0;
    table[kind]->init(c, now);
    keep_laws(c);
}

void cc_set_mss(struct cc *c, uint32_t mss)
{
    WEIR_ASSERT(mss != 0);
    c->mss = mss;
    keep_laws(c);
}

void cc_on_ack(struct cc *c, const struct cc_ack *ack)
{
    uint32_t before = c->cwnd;
    ops_of(c)->on_ack(c, ack);
    if (!ack->cwnd_limited && c->cwnd > before)
        c->cwnd = before;
    keep_laws(c);
}

size_t cc_info(const struct cc *c, union cc_info *info)
{
    *info = (union cc_info){0};
    return ops_of(c)->info != NULL ? ops_of(c)->info(c, info) : 0;
}

void cc_on_loss(struct cc *c, enum cc_loss what, const struct cc_ack *ack)
{
    ops_of(c)->on_loss(c, what, ack);
    keep_laws(c);
}

void cc_on_lost(struct cc *c, const struct cc_lost *lost)
{
    if (ops_of(c)->on_lost != NULL)
        ops_of(c)->on_lost(c, lost);
    keep_laws(c);
}

void cc_on_recovered(struct cc *c, const struct cc_ack *ack)
{
    ops_of(c)->on_recovered(c, ack);
    keep_laws(c);
}

void cc_on_undo(struct cc *c, w_ns now)
{
    ops_of(c)->on_undo(c, now);
    keep_laws(c);
}

void cc_on_idle(struct cc *c, w_ns now, w_ns idle)
{
    ops_of(c)->on_idle(c, now, idle);
    keep_laws(c);
}
