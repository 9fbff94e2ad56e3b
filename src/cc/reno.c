/* SPDX-License-Identifier: Apache-2.0
 *
 * Reno: slow start and congestion avoidance of RFC 5681, the standard all others are measured by.
 *
 * Decides: one more segment per window acknowledged, half the window after a loss, four fifths
 * after a congestion mark [RFC 8511].
 * Owns: bytes acknowledged since cwnd last grew [RFC 5681 3.1: "appropriate byte counting"], and
 * what the application used of cwnd [RFC 7661].
 * Called through cc.c; cc_reno_grow and cc_reno_ssthresh by the algorithms that are Reno in part.
 * NewReno's part (partial ACKs, RFC 6582) is tcp/recover.c's, for all algorithms alike.
 *
 * Jacobson, "Congestion Avoidance and Control", SIGCOMM 1988; then RFC 5681, RFC 3465.
 *
 * Invariant: the counter stays below cwnd.
 */
#include "cc/validate.h"

struct reno {
    uint32_t acked; /* towards the next segment of growth */
    struct cc_used used;
};
_Static_assert(sizeof(struct reno) <= CC_PRIV, "reno's memory");

static struct reno *reno_of(struct cc *c) { return (struct reno *)(void *)c->priv; }

static void reno_init(struct cc *c, w_ns now)
{
    (void)now;
    memset(reno_of(c), 0, sizeof(struct reno));
}

void cc_reno_grow(struct cc *c, uint32_t *count, const struct cc_ack *ack)
{
    if (!ack->cwnd_limited)
        return;
    uint32_t acked = ack->acked;
    if (cc_in_slow_start(c))
        acked = cc_slow_start(c, acked);
    if (acked == 0 || cc_in_slow_start(c))
        return;
    /* [RFC 5681 3.1] Congestion avoidance: SMSS for every cwnd bytes acknowledged. */
    uint64_t sum = (uint64_t)*count + acked;
    if (sum >= c->cwnd) {
        sum -= c->cwnd;
        c->cwnd = w_u32_min(c->cwnd + c->mss, CC_CWND_MAX);
    }
    *count = (uint32_t)w_u64_min(sum, c->cwnd - 1);
}

/* [RFC 5681 3.1 DEVIATES: half of cwnd, not of FlightSize, where cwnd is validated; the danger it
 * names, a cwnd that grew beyond what was ever in flight, cannot arise where only a full window
 * grows] */
uint32_t cc_reno_ssthresh(const struct cc *c, enum cc_loss what, uint32_t window)
{
    return cc_is_abe(c, what) ? cc_part(c, window, 4, 5) : cc_part(c, window, 1, 2);
}

static void reno_on_ack(struct cc *c, const struct cc_ack *ack)
{
    cc_used_on_ack(&reno_of(c)->used, c, ack);
    cc_reno_grow(c, &reno_of(c)->acked, ack);
}

static void reno_on_loss(struct cc *c, enum cc_loss what, const struct cc_ack *ack)
{
    c->ssthresh = cc_reno_ssthresh(c, what, cc_used_window(&reno_of(c)->used, c, ack));
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
    (void)now;
    (void)idle;
    cc_used_on_idle(&reno_of(c)->used);
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
