/* SPDX-License-Identifier: Apache-2.0
 *
 * CUBIC [RFC 9438]: after a loss the window follows a cubic function of time around the size at
 * which the loss happened, and is never slower than Reno would be.
 *
 * Decides: growth in congestion avoidance, the multiplicative decrease of 0.7 (0.85 for a
 * congestion mark [RFC 8511 3.1]), fast convergence.
 * Owns: the epoch (start of the current congestion avoidance), W_max, K, W_est; what HyStart++ and
 * the validation of cwnd remember.
 * Called through cc.c; calls hystart.c in the initial slow start, validate.c for each ACK.
 *
 * Ha, Rhee, Xu, "CUBIC: A New TCP-Friendly High-Speed TCP Variant", ACM SIGOPS OSR 42(5), 2008.
 *
 * Theory of operation. Bytes and milliseconds, integers only. With t in ms since the epoch,
 *
 *     W_cubic(t) = 0.4 * ((t - K) / 1000)^3 segments + W_max            [RFC 9438 4.2 figure 1]
 *     K          = 1000 * cbrt((W_max - cwnd_epoch) / mss / 0.4)        [RFC 9438 4.2 figure 2]
 *
 * (t - K)^3 is cut at 2^18 ms, four minutes from the plateau, so that products fit 64 bits; the
 * target is limited to 1.5 cwnd per round anyway. Time the application did not use does not count:
 * on_idle moves the epoch.
 *
 * Invariants: W_est >= cwnd at the epoch's start; remainders are smaller than their divisors.
 */
#include "cc/hystart.h"
#include "cc/validate.h"

struct cubic {
    uint32_t w_max;   /* bytes; 0: no loss to remember */
    uint32_t w_prior; /* cwnd before the last reduction */
    uint32_t undo_w_max, undo_w_prior;
    struct cc_used used;
    union {
        struct hystart start; /* while ssthresh is infinite */
        struct {
            w_ns epoch;      /* start of this congestion avoidance stage, 0: none yet */
            uint32_t origin; /* the plateau of this epoch, bytes */
            uint32_t k_ms;
            uint32_t w_est;     /* what Reno would have, bytes */
            uint32_t grow_rest; /* remainders of the two divisions below */
            uint64_t est_rest;
        } ca;
    };
};
_Static_assert(sizeof(struct cubic) <= CC_PRIV, "cubic's memory");

static struct cubic *cubic_of(struct cc *c) { return (struct cubic *)(void *)c->priv; }

static void cubic_init(struct cc *c, w_ns now)
{
    (void)now;
    memset(cubic_of(c), 0, sizeof(struct cubic));
}

/* Largest r with r^3 <= x, bit by bit: 22 steps (r < 2^22 as x < 2^64). */
static uint32_t cube_root(uint64_t x)
{
    uint64_t r = 0;
    for (int bit = 21; bit >= 0; bit--) {
        uint64_t t = r | (uint64_t)1 << bit;
        if (t <= 2642245 && t * t * t <= x) /* 2642245^3 is the last cube below 2^64 */
            r = t;
    }
    return (uint32_t)r;
}

/* [RFC 9438 4.2, 4.8] */
static void epoch_start(struct cc *c, struct cubic *q, w_ns now)
{
    memset(&q->ca, 0, sizeof q->ca);
    q->ca.epoch = now;
    q->ca.w_est = c->cwnd;
    if (q->w_max <= c->cwnd) {
        q->ca.k_ms = 0;
        q->ca.origin = c->cwnd;
        return;
    }
    uint64_t diff = q->w_max - c->cwnd;
    q->ca.k_ms = cube_root(diff * 2500000000u / c->mss);
    q->ca.origin = q->w_max;
}

/* W_cubic at t ms after the epoch, bytes. */
static uint64_t w_cubic(const struct cc *c, const struct cubic *q, uint64_t t_ms)
{
    bool is_before = t_ms < q->ca.k_ms;
    uint64_t d = w_u64_min(is_before ? q->ca.k_ms - t_ms : t_ms - q->ca.k_ms, 1u << 18);
    /* 0.4 * d^3 / 10^9 segments, in 1/1024 of a segment: 10^10 / 4 / 1024 = 2441406. */
    uint64_t bytes = d * d * d / 2441406 * c->mss >> 10;
    if (is_before)
        return bytes < q->ca.origin ? q->ca.origin - bytes : 0;
    return q->ca.origin + bytes;
}

/* [RFC 9438 4.3] Reno's growth with alpha = 3 (1 - 0.7) / (1 + 0.7) = 9/17, then 1 from where the
 * last reduction happened. */
static void grow_estimate(const struct cc *c, struct cubic *q, uint32_t acked)
{
    uint64_t alpha17 = q->ca.w_est < q->w_prior ? 9 : 17;
    uint64_t sum = (uint64_t)acked * c->mss * alpha17 + q->ca.est_rest;
    uint64_t div = (uint64_t)c->cwnd * 17;
    q->ca.w_est = (uint32_t)w_u64_min(q->ca.w_est + sum / div, CC_CWND_MAX);
    q->ca.est_rest = sum % div;
}

static void cubic_on_ack(struct cc *c, const struct cc_ack *ack)
{
    struct cubic *q = cubic_of(c);
    cc_used_on_ack(&q->used, c, ack);
    if (!ack->cwnd_limited)
        return;
    if (c->ssthresh == CC_SSTHRESH_INF) {
        cc_hystart_grow(&q->start, c, ack);
        if (c->ssthresh != CC_SSTHRESH_INF)
            memset(&q->ca, 0, sizeof q->ca);
        return;
    }
    uint32_t acked = ack->acked;
    if (cc_in_slow_start(c))
        acked = cc_slow_start(c, acked);
    if (acked == 0 || cc_in_slow_start(c))
        return;
    if (q->ca.epoch == 0)
        epoch_start(c, q, ack->now);
    grow_estimate(c, q, acked);
    uint64_t t_ms = (ack->now - q->ca.epoch) / W_MS;
    if (w_cubic(c, q, t_ms) < q->ca.w_est) {
        /* [RFC 9438 4.3] Reno-friendly region */
        c->cwnd = w_u32_max(c->cwnd, q->ca.w_est);
        return;
    }
    /* [RFC 9438 4.4, 4.5] concave and convex: towards where the curve is one RTT from now */
    uint64_t target = w_cubic(c, q, t_ms + ack->srtt_us / 1000);
    target = w_u64_min(w_u64_max(target, c->cwnd), c->cwnd + (uint64_t)c->cwnd / 2);
    uint64_t sum = (target - c->cwnd) * acked + q->ca.grow_rest;
    q->ca.grow_rest = (uint32_t)(sum % c->cwnd);
    c->cwnd = (uint32_t)w_u64_min(c->cwnd + sum / c->cwnd, CC_CWND_MAX);
}

/* [RFC 9438 4.6 DEVIATES: of cwnd, not of flight_size, as that section allows where cwnd does not
 * grow while less than it is in flight; of what was used where cwnd is not validated] */
static void cubic_on_loss(struct cc *c, enum cc_loss what, const struct cc_ack *ack)
{
    struct cubic *q = cubic_of(c);
    uint32_t w = cc_used_window(&q->used, c, ack);
    q->undo_w_max = q->w_max;
    q->undo_w_prior = q->w_prior;
    /* [RFC 9438 4.7] Fast convergence: a smaller plateau than last time makes room for others. */
    q->w_max = w < q->w_max ? (uint32_t)((uint64_t)w * 17 / 20) : w;
    q->w_prior = w;
    if (what == CC_LOSS_RTO)
        q->w_max = 0; /* [RFC 9438 4.8] K = 0 in the stage after a timeout */
    c->ssthresh = cc_is_abe(c, what) ? cc_part(c, w, 17, 20) : cc_part(c, w, 7, 10);
    memset(&q->ca, 0, sizeof q->ca);
}

static void cubic_on_recovered(struct cc *c, const struct cc_ack *ack)
{
    (void)ack;
    c->cwnd = w_u32_min(c->cwnd, c->ssthresh);
    memset(&cubic_of(c)->ca, 0, sizeof cubic_of(c)->ca);
}

/* [RFC 9438 4.9] */
static void cubic_on_undo(struct cc *c, w_ns now)
{
    struct cubic *q = cubic_of(c);
    (void)now;
    q->w_max = q->undo_w_max;
    q->w_prior = q->undo_w_prior;
    memset(&q->ca, 0, sizeof q->ca); /* or, where ssthresh is infinite again, the slow start's */
}

/* [RFC 9438 4.2] t leaves out what was not used for sending. */
static void cubic_on_idle(struct cc *c, w_ns now, w_ns idle)
{
    struct cubic *q = cubic_of(c);
    cc_used_on_idle(&q->used);
    if (c->ssthresh == CC_SSTHRESH_INF)
        q->start.round.is_begun = false;
    else if (q->ca.epoch != 0)
        q->ca.epoch = w_u64_min(q->ca.epoch + idle, now);
}

const struct cc_ops cc_cubic = {
    .name = "cubic",
    .priv_size = sizeof(struct cubic),
    .init = cubic_init,
    .on_ack = cubic_on_ack,
    .on_loss = cubic_on_loss,
    .on_recovered = cubic_on_recovered,
    .on_undo = cubic_on_undo,
    .on_idle = cubic_on_idle,
};
