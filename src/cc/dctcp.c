/* SPDX-License-Identifier: Apache-2.0
 *
 * DCTCP: a switch that marks early, a receiver that echoes each mark, a sender that counts them and
 * steps back in proportion.
 *
 * Decides: ssthresh after a marked window, cwnd (1 - alpha / 2); growth and losses are Reno's.
 * Owns: alpha, and the bytes acknowledged and marked in the window being observed.
 * Called through cc.c; calls cc_reno_grow, validate.c for losses.
 *
 * RFC 8257; Alizadeh et al., "Data Center TCP (DCTCP)", SIGCOMM 2010.
 *
 * Theory of operation [RFC 8257 3.3]. Once per window of data, with M = marked / acknowledged
 * bytes,
 *
 *     alpha = alpha (1 - g) + g M,   g = 1/16,   alpha = 1 at first
 *
 * in units of 2^-20, so fine that rounding leaves nothing to see of an alpha that should be 0.
 * When marks arrive tcp/ says so once per window with CC_LOSS_ECN. It is for networks that mark as
 * DCTCP wants it: beside others it yields too little [RFC 8257 5].
 *
 * Invariants: marked <= acknowledged; alpha <= DCTCP_ONE.
 */
#include "cc/validate.h"

enum { DCTCP_G_SHIFT = 4 };
#define DCTCP_ONE (1u << 20)

struct dctcp {
    struct cc_round round;
    struct cc_used used;
    uint64_t acked, marked; /* bytes of this window */
    uint32_t alpha;         /* in units of 1 / DCTCP_ONE */
    uint32_t count;         /* of cc_reno_grow */
};
_Static_assert(sizeof(struct dctcp) <= CC_PRIV, "dctcp's memory");

static struct dctcp *dctcp_of(struct cc *c) { return (struct dctcp *)(void *)c->priv; }

static void dctcp_init(struct cc *c, w_ns now)
{
    (void)now;
    memset(dctcp_of(c), 0, sizeof(struct dctcp));
    dctcp_of(c)->alpha = DCTCP_ONE; /* [RFC 8257 3.3] the first mark counts in full */
}

/* [RFC 8257 3.3 (4) - (7)] */
static void dctcp_update_alpha(struct dctcp *d)
{
    uint64_t m = d->acked == 0 ? 0 : d->marked * DCTCP_ONE / d->acked;
    d->alpha += (uint32_t)(m >> DCTCP_G_SHIFT) - (d->alpha >> DCTCP_G_SHIFT);
    d->alpha = w_u32_min(d->alpha, DCTCP_ONE);
    d->acked = d->marked = 0;
}

static void dctcp_on_ack(struct cc *c, const struct cc_ack *ack)
{
    struct dctcp *d = dctcp_of(c);
    cc_used_on_ack(&d->used, c, ack);
    bool is_over = cc_round_over(&d->round, ack);
    d->acked += ack->acked;
    d->marked += w_u32_min(ack->ce_bytes, ack->acked);
    if (is_over)
        dctcp_update_alpha(d);
    cc_reno_grow(c, &d->count, ack);
}

static void dctcp_on_loss(struct cc *c, enum cc_loss what, const struct cc_ack *ack)
{
    struct dctcp *d = dctcp_of(c);
    d->count = 0;
    if (what == CC_LOSS_ECN) {
        /* [RFC 8257 3.3 (8)] to the byte: whole segments would be a larger step than a small
         * alpha */
        uint64_t w = (uint64_t)c->cwnd * (2 * DCTCP_ONE - d->alpha) / (2 * DCTCP_ONE);
        c->ssthresh = w_u32_max((uint32_t)w, 2 * c->mss);
        return;
    }
    /* [RFC 8257 3.5] a loss is a loss */
    c->ssthresh = cc_reno_ssthresh(c, what, cc_used_window(&d->used, c, ack));
}

static void dctcp_on_recovered(struct cc *c, const struct cc_ack *ack)
{
    (void)ack;
    c->cwnd = w_u32_min(c->cwnd, c->ssthresh);
    dctcp_of(c)->count = 0;
}

static void dctcp_on_undo(struct cc *c, w_ns now)
{
    (void)now;
    dctcp_of(c)->count = 0;
}

static void dctcp_on_idle(struct cc *c, w_ns now, w_ns idle)
{
    (void)now;
    (void)idle;
    cc_used_on_idle(&dctcp_of(c)->used);
}

static size_t dctcp_info(const struct cc *c, union cc_info *info)
{
    const struct dctcp *d = (const struct dctcp *)(const void *)c->priv;
    info->dctcp.enabled = 1;
    info->dctcp.alpha = d->alpha / (DCTCP_ONE / 1024);
    info->dctcp.ab_ecn = (uint32_t)d->marked;
    info->dctcp.ab_tot = (uint32_t)d->acked;
    return sizeof(info->dctcp);
}

const struct cc_ops cc_dctcp = {
    .name = "dctcp",
    .priv_size = sizeof(struct dctcp),
    .wants_ecn = 1,
    .init = dctcp_init,
    .on_ack = dctcp_on_ack,
    .on_loss = dctcp_on_loss,
    .on_recovered = dctcp_on_recovered,
    .on_undo = dctcp_on_undo,
    .on_idle = dctcp_on_idle,
    .info = dctcp_info,
};
