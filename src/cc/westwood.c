/* SPDX-License-Identifier: Apache-2.0
 *
 * Westwood+: after a loss the window is not halved but set to what the path was just delivering, so
 * a loss that was no congestion (radio, noise) costs little.
 *
 * Decides: ssthresh = bandwidth estimate * least RTT; growth is Reno's.
 * Owns: the estimate and the sample in progress, RTTmin.
 * Called through cc.c; calls cc_reno_grow.
 *
 * Mascolo, Casetti, Gerla, Sanadidi, Wang, "TCP Westwood: Bandwidth Estimation for Enhanced
 * Transport over Wireless Links", MobiCom 2001; Grieco, Mascolo, "Performance Evaluation and
 * Comparison of Westwood+, New Reno, and Vegas TCP Congestion Control", ACM CCR 34(2), April 2004.
 *
 * Theory of operation. Each round trip k gives one sample b_k = bytes acknowledged / its duration,
 * which makes the estimate insensitive to bunched ACKs (the "+"), and
 *
 *     b^_k     = 0.9 b^_k-1 + 0.1 b_k
 *     ssthresh = max(2 MSS, b^ * RTTmin)
 *
 * A round counts as at least 50 ms: shorter ones say more about timers than about the path. The
 * first sample is taken as it is. A timeout may mean another path: RTTmin is learnt anew.
 *
 * Without an estimate ssthresh is Reno's.
 */
#include "cc/ops.h"

enum { WESTWOOD_ROUND_US = 50000, WESTWOOD_RTT_MAX_US = 60000000 };

struct westwood {
    w_ns from;           /* start of the sample in progress, 0: none */
    uint64_t bw_Bps;     /* b^, 0: none yet */
    uint32_t from_bytes; /* low 32 bits of `delivered` then */
    uint32_t rtt_min_us; /* 0: none yet */
    uint32_t count;      /* of cc_reno_grow */
};
_Static_assert(sizeof(struct westwood) <= CC_PRIV, "westwood's memory");

static struct westwood *westwood_of(struct cc *c) { return (struct westwood *)(void *)c->priv; }

static void westwood_init(struct cc *c, w_ns now)
{
    (void)now;
    memset(westwood_of(c), 0, sizeof(struct westwood));
}

static void westwood_start_sample(struct westwood *w, const struct cc_ack *ack)
{
    w->from = ack->now;
    w->from_bytes = (uint32_t)ack->delivered;
}

static void westwood_estimate(struct westwood *w, const struct cc_ack *ack)
{
    uint64_t us = (ack->now - w->from) / W_US;
    if (w->from == 0) {
        westwood_start_sample(w, ack);
        return;
    }
    if (us <= w_u32_max(ack->srtt_us, WESTWOOD_ROUND_US))
        return;
    uint64_t b = (uint64_t)((uint32_t)ack->delivered - w->from_bytes) * 1000000 / us;
    w->bw_Bps = w->bw_Bps == 0 ? b : (9 * w->bw_Bps + b) / 10;
    westwood_start_sample(w, ack);
}

static void westwood_on_ack(struct cc *c, const struct cc_ack *ack)
{
    struct westwood *w = westwood_of(c);
    uint32_t rtt_us = w_u32_min(ack->rtt_us, WESTWOOD_RTT_MAX_US);
    if (rtt_us != 0 && (w->rtt_min_us == 0 || rtt_us < w->rtt_min_us))
        w->rtt_min_us = rtt_us;
    westwood_estimate(w, ack);
    cc_reno_grow(c, &w->count, ack);
}

static void westwood_on_loss(struct cc *c, enum cc_loss what, const struct cc_ack *ack)
{
    struct westwood *w = westwood_of(c);
    (void)ack;
    w->count = 0;
    if (w->bw_Bps == 0 || w->rtt_min_us == 0) {
        c->ssthresh = cc_reno_ssthresh(c, what, c->cwnd);
    } else {
        uint64_t bdp = w->bw_Bps * w->rtt_min_us / 1000000;
        /* cwnd becomes ssthresh in fast recovery: a loss is no reason to grow */
        uint32_t most = what == CC_LOSS_RTO ? CC_CWND_MAX : c->cwnd;
        c->ssthresh = cc_part(c, (uint32_t)w_u64_min(bdp, most), 1, 1);
    }
    if (what == CC_LOSS_RTO)
        w->rtt_min_us = 0;
}

static void westwood_on_recovered(struct cc *c, const struct cc_ack *ack)
{
    (void)ack;
    c->cwnd = w_u32_min(c->cwnd, c->ssthresh);
    westwood_of(c)->count = 0;
}

static void westwood_on_undo(struct cc *c, w_ns now)
{
    (void)now;
    westwood_of(c)->count = 0;
}

/* A pause is not part of any round trip. */
static void westwood_on_idle(struct cc *c, w_ns now, w_ns idle)
{
    (void)now;
    (void)idle;
    westwood_of(c)->from = 0;
}

/* As Linux: in the shape of Vegas's. */
static size_t westwood_info(const struct cc *c, union cc_info *info)
{
    const struct westwood *w = (const struct westwood *)(const void *)c->priv;
    info->vegas.enabled = 1;
    info->vegas.rtt = info->vegas.min_rtt = w->rtt_min_us;
    return sizeof(info->vegas);
}

const struct cc_ops cc_westwood = {
    .name = "westwood",
    .priv_size = sizeof(struct westwood),
    .init = westwood_init,
    .on_ack = westwood_on_ack,
    .on_loss = westwood_on_loss,
    .on_recovered = westwood_on_recovered,
    .on_undo = westwood_on_undo,
    .on_idle = westwood_on_idle,
    .info = westwood_info,
};
