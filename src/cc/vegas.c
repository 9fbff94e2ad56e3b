/* SPDX-License-Identifier: Apache-2.0
 *
 * Vegas: a queue is heard before it overflows. The sender compares the rate it gets with the rate
 * it would get if nothing waited anywhere, and keeps a few segments of its own in the queue.
 *
 * Decides: one segment more, one less or none, once per round trip; when slow start is over.
 * Owns: BaseRTT, the least RTT of the round, whether this round of slow start grows.
 * Called through cc.c; calls cc_reno_grow where a round had too few samples to judge.
 *
 * Brakmo, Peterson, "TCP Vegas: End to End Congestion Avoidance on a Global Internet", IEEE JSAC
 * 13(8), October 1995, sections IV.B (congestion avoidance) and IV.C (slow start).
 *
 * Theory of operation. With W = cwnd,
 *
 *     Expected = W / BaseRTT,   Actual = W / RTT
 *     Diff     = (Expected - Actual) BaseRTT = W (RTT - BaseRTT) / RTT
 *
 * which is what this sender has in queues. Below alpha = 2 segments cwnd grows by one, above beta =
 * 4 it falls by one. In slow start cwnd doubles every other round trip, so that the rate is
 * measured while it stands still; above gamma = 1 slow start ends with the queue taken off. RTT is
 * the least of the round, as ACKs that were delayed do not count; in slow start that of the segment
 * which began the round.
 *
 * [DEVIATES from IV.A: loss is found and repaired by tcp/ as for all; ssthresh is Reno's. A window
 * that was not filled is not judged: without a queue of ours Diff says nothing.]
 *
 * Invariant: cwnd >= 2 MSS after a judgement.
 */
#include "cc/ops.h"

enum { VEGAS_ALPHA = 2, VEGAS_BETA = 4, VEGAS_GAMMA = 1, VEGAS_SAMPLES = 3 };

struct vegas {
    struct cc_round round;
    uint32_t base_us;  /* BaseRTT, 0: none yet */
    uint32_t least_us; /* of this round, 0: none yet */
    uint32_t n_samples;
    uint32_t count;    /* of cc_reno_grow */
    bool stands_still; /* this round of slow start */
};
_Static_assert(sizeof(struct vegas) <= CC_PRIV, "vegas's memory");

static struct vegas *vegas_of(struct cc *c) { return (struct vegas *)(void *)c->priv; }

static void vegas_init(struct cc *c, w_ns now)
{
    (void)now;
    memset(vegas_of(c), 0, sizeof(struct vegas));
}

/* Rounds measured from here on; BaseRTT is the path's and stays. */
static void vegas_start_anew(struct vegas *v)
{
    v->round.is_begun = false;
    v->least_us = v->n_samples = v->count = 0;
    v->stands_still = false;
}

static void vegas_sample(struct vegas *v, uint32_t rtt_us)
{
    if (rtt_us == 0)
        return;
    v->base_us = v->base_us == 0 ? rtt_us : w_u32_min(v->base_us, rtt_us);
    v->least_us = v->least_us == 0 ? rtt_us : w_u32_min(v->least_us, rtt_us);
    v->n_samples++;
}

static void vegas_end_slow_start(struct cc *c, uint32_t diff)
{
    /* Actual * BaseRTT, and a segment for what rounding takes */
    c->cwnd = w_u32_min(c->cwnd, c->cwnd - diff + c->mss);
    c->ssthresh = w_u32_min(c->ssthresh, c->cwnd);
}

/* Diff, in bytes. */
static uint32_t vegas_diff(const struct cc *c, const struct vegas *v, uint32_t rtt_us)
{
    return (uint32_t)((uint64_t)c->cwnd * (rtt_us - v->base_us) / rtt_us);
}

/* In slow start the segment that began the round is what tells: it left when all of cwnd was on its
 * way, the least RTT of the round is older. */
static void vegas_judge_slow_start(struct cc *c, struct vegas *v, uint32_t rtt_us)
{
    uint32_t diff = vegas_diff(c, v, rtt_us != 0 ? rtt_us : v->least_us);
    if (v->stands_still && diff > VEGAS_GAMMA * c->mss)
        vegas_end_slow_start(c, diff);
    v->stands_still = !v->stands_still;
}

static void vegas_judge(struct cc *c, struct vegas *v)
{
    uint32_t diff = vegas_diff(c, v, v->least_us);
    if (diff < VEGAS_ALPHA * c->mss) {
        c->cwnd = w_u32_min(c->cwnd + c->mss, CC_CWND_MAX);
    } else if (diff > VEGAS_BETA * c->mss) {
        c->cwnd = w_u32_max(c->cwnd - w_u32_min(c->mss, c->cwnd), 2 * c->mss);
        c->ssthresh = w_u32_min(c->ssthresh, c->cwnd);
    }
}

static void vegas_end_round(struct cc *c, struct vegas *v, const struct cc_ack *ack)
{
    if (v->n_samples < VEGAS_SAMPLES) {
        v->stands_still = false;
        cc_reno_grow(c, &v->count, ack);
    } else if (!ack->cwnd_limited) {
        v->stands_still = false;
    } else if (cc_in_slow_start(c)) {
        vegas_judge_slow_start(c, v, ack->rtt_us);
    } else {
        vegas_judge(c, v);
    }
    v->least_us = v->n_samples = 0;
}

static void vegas_on_ack(struct cc *c, const struct cc_ack *ack)
{
    struct vegas *v = vegas_of(c);
    vegas_sample(v, ack->rtt_us);
    if (cc_round_over(&v->round, ack))
        vegas_end_round(c, v, ack);
    else if (cc_in_slow_start(c) && !v->stands_still && ack->cwnd_limited)
        (void)cc_slow_start(c, ack->acked);
}

static void vegas_on_loss(struct cc *c, enum cc_loss what, const struct cc_ack *ack)
{
    (void)ack;
    c->ssthresh = cc_reno_ssthresh(c, what, c->cwnd);
    vegas_start_anew(vegas_of(c));
}

static void vegas_on_recovered(struct cc *c, const struct cc_ack *ack)
{
    (void)ack;
    c->cwnd = w_u32_min(c->cwnd, c->ssthresh);
    vegas_start_anew(vegas_of(c));
}

static void vegas_on_undo(struct cc *c, w_ns now)
{
    (void)now;
    vegas_start_anew(vegas_of(c));
}

static void vegas_on_idle(struct cc *c, w_ns now, w_ns idle)
{
    (void)now;
    (void)idle;
    vegas_start_anew(vegas_of(c));
}

static size_t vegas_info(const struct cc *c, union cc_info *info)
{
    const struct vegas *v = (const struct vegas *)(const void *)c->priv;
    info->vegas.enabled = 1;
    info->vegas.n_rtt = v->n_samples;
    info->vegas.rtt = v->base_us;
    info->vegas.min_rtt = v->least_us;
    return sizeof(info->vegas);
}

const struct cc_ops cc_vegas = {
    .name = "vegas",
    .priv_size = sizeof(struct vegas),
    .init = vegas_init,
    .on_ack = vegas_on_ack,
    .on_loss = vegas_on_loss,
    .on_recovered = vegas_on_recovered,
    .on_undo = vegas_on_undo,
    .on_idle = vegas_on_idle,
    .info = vegas_info,
};
