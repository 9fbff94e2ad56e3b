/* SPDX-License-Identifier: Apache-2.0
 *
 * Reno: slow start and congestion avoidance of RFC 5681, the standard all others are measured by.
 *
 * Decides: one more segment per window acknowledged, half the window after a loss.
 * Owns: bytes acknowledged since cwnd last grew [RFC 5681 3.1: "appropriate byte counting"].
 * Called through cc.c. NewReno's part (partial ACKs, RFC 6582) is tcp/recover.c's, for all
 * algorithms alike.
 *
 * Invariant: the counter stays below cwnd.
 */
#include "cc/ops.h"

struct reno {
    uint32_t acked; /* towards the next segment of growth */
};
_Static_assert(sizeof(struct reno) <= CC_PRIV, "reno's memory");

static struct reno *reno_of(struct cc *c) { return (struct reno *)(void *)c->priv; }

static void reno_init(struct cc *c, w_ns now)
{
    (void)now;
    reno_of(c)->acked = 0;
}

static void reno_on_ack(struct cc *c, const struct cc_ack *ack)
{
    if (!ack->cwnd_limited)
        return;
    uint32_t acked = ack->acked;
    if (cc_in_slow_start(c))
        acked = cc_slow_start(c, acked);
    if (acked == 0 || cc_in_slow_start(c))
        return;
    /* [RFC 5681 3.1] Congestion avoidance: SMSS for every cwnd bytes acknowledged. */
    uint64_t sum = (uint64_t)reno_of(c)->acked + acked;
    if (sum >= c->cwnd) {
        sum -= c->cwnd;
        c->cwnd = w_u32_min(c->cwnd + c->mss, CC_CWND_MAX);
    }
    reno_of(c)->acked = (uint32_t)w_u64_min(sum, c->cwnd - 1);
}

/* [RFC 5681 3.1 DEVIATES: half of cwnd, not of FlightSize; the danger it names, a cwnd that grew
 * beyond what was ever in flight, cannot arise where only a full window grows] */
static void reno_on_loss(struct cc *c, enum cc_loss what, const struct cc_ack *ack)
{
    (void)what;
    (void)ack;
    c->ssthresh = w_u32_max(c->cwnd / 2 / c->mss * c->mss, 2 * c->mss);
    reno_of(c)->acked = 0;
}

static void reno_on_recovered(struct cc *c, const struct cc_ack *ack)
{
    (void)ack;
    c->cwnd = w_u32_min(c->cwnd, c->ssthresh);
    reno_of(c)->acked = 0;
}

static void reno_on_undo(struct cc *c, w_ns now)
{
    (void)now;
    reno_of(c)->acked = 0;
}

static void reno_on_idle(struct cc *c, w_ns now, w_ns idle)
{
    (void)c;
    (void)now;
    (void)idle;
}

const struct cc_ops cc_reno = {
    .name = "reno",
    .priv_size = sizeof(struct reno),
    .init = reno_init,
    .on_ack = reno_on_ack,
    .on_loss = reno_on_loss,
    .on_recovered = reno_on_recovered,
    .on_undo = reno_on_undo,
    .on_idle = reno_on_idle,
};
