/* SPDX-License-Identifier: Apache-2.0
 *
 * The model of the path in BBR's first version: how fast it delivers, how long it takes, whether
 * somebody polices it.
 *
 * Decides: which samples count for the maximum bandwidth and the minimum RTT, when the pipe is
 * full, when losses are a policer's.
 * Owns: those fields of struct bbr1 that measure; bbr1.c owns those that act.
 * Called by bbr1.c on each ACK and timeout.
 *
 * Cardwell, Cheng, Gunn, Yeganeh, Jacobson, "BBR: Congestion-Based Congestion Control", ACM Queue
 * 14(5), 2016; draft-cardwell-iccrg-bbr-congestion-control-00; Flach et al., "An Internet-Wide
 * Analysis of Traffic Policing", SIGCOMM 2016. Constants are those of Linux's net/ipv4/tcp_bbr.c.
 *
 * Theory of operation.
 *
 *     max_bw    the fastest of ten round trips; the three best of them are kept, each later than
 *               the one before, so that one is at hand when the best grows too old
 *     min_rtt   the shortest of ten seconds
 *     lt_bw     what two intervals of 4 to 16 round trips, each from loss to loss and with a loss
 *               of a fifth, both delivered: a token bucket's rate. It holds for 48 round trips.
 *     extra     bbr_parts.c
 *
 * Invariant: max_bw[0] >= max_bw[1] >= max_bw[2].
 */
#include "cc/bbr1.h"

enum {
    BBR1_BW_ROUNDS = BBR1_PHASES + 2,
    LT_MIN_ROUNDS = 4,
    LT_MAX_ROUNDS = 4 * LT_MIN_ROUNDS,
    LT_HELD_ROUNDS = 48,
    LT_LOSS = 50, /* of BBR1_UNIT */
    LT_ALIKE = 8, /* intervals differ by less than one part in so many */
    LT_ALIKE_Bps = 500,
};

/* ---- max_bw ---- */

static uint16_t bbr1_age(const struct bbr1 *b, unsigned i)
{
    return (uint16_t)(b->n_round - b->max_round[i]);
}

/* Samples i and all behind it become this one. */
static void bbr1_put_from(struct bbr1 *b, unsigned i, uint32_t bw)
{
    for (; i < 3; i++) {
        b->max_bw[i] = bw;
        b->max_round[i] = b->n_round;
    }
}

static void bbr1_drop_oldest(struct bbr1 *b, uint32_t bw)
{
    for (unsigned i = 0; i < 2; i++) {
        b->max_bw[i] = b->max_bw[i + 1];
        b->max_round[i] = b->max_round[i + 1];
    }
    bbr1_put_from(b, 2, bw);
}

/* The filter is Kathleen Nichols', in Linux's lib/win_minmax.c too: while the second and the third
 * best are no later than the best, a quarter and half a window later whatever comes stands in for
 * them. */
static void bbr1_put_max(struct bbr1 *b, uint32_t bw)
{
    if (bw >= b->max_bw[0] || bbr1_age(b, 2) > BBR1_BW_ROUNDS) {
        bbr1_put_from(b, 0, bw);
        return;
    }
    if (bw >= b->max_bw[1])
        bbr1_put_from(b, 1, bw);
    else if (bw >= b->max_bw[2])
        bbr1_put_from(b, 2, bw);
    if (bbr1_age(b, 0) > BBR1_BW_ROUNDS) {
        bbr1_drop_oldest(b, bw);
        if (bbr1_age(b, 0) > BBR1_BW_ROUNDS)
            bbr1_drop_oldest(b, bw);
    } else if (b->max_round[1] == b->max_round[0] && bbr1_age(b, 0) > BBR1_BW_ROUNDS / 4) {
        bbr1_put_from(b, 1, bw);
    } else if (b->max_round[2] == b->max_round[1] && bbr1_age(b, 0) > BBR1_BW_ROUNDS / 2) {
        bbr1_put_from(b, 2, bw);
    }
}

/* ---- policers ---- */

static void bbr1_start_interval(struct bbr1 *b)
{
    b->lt_ms = b->delivered_ms;
    b->lt_acked = b->lt_lost = 0;
    b->lt_rounds = 0;
}

void bbr1_forget_policer(struct bbr1 *b)
{
    b->lt_bw = 0;
    b->lt_is_used = b->lt_is_sampling = false;
    bbr1_start_interval(b);
}

/* Two intervals in a row with the same rate are no chance. */
static void bbr1_end_interval(struct bbr1 *b, uint32_t bw)
{
    uint32_t differ = bw > b->lt_bw ? bw - b->lt_bw : b->lt_bw - bw;
    bool is_alike =
        (uint64_t)differ * LT_ALIKE <= b->lt_bw || bbr_pace(differ, 1, 1) <= LT_ALIKE_Bps;
    if (b->lt_bw != 0 && is_alike) {
        b->lt_bw = (uint32_t)(((uint64_t)bw + b->lt_bw) / 2);
        b->lt_is_used = true;
        b->lt_rounds = 0;
        return;
    }
    b->lt_bw = bw;
    bbr1_start_interval(b);
}

/* The interval ends with a loss, when the bucket is empty; was a fifth of it lost? */
static void bbr1_judge_interval(struct bbr1 *b)
{
    uint32_t ms = b->delivered_ms - b->lt_ms;
    if (b->lt_acked == 0 || (uint64_t)b->lt_lost * BBR1_UNIT < (uint64_t)LT_LOSS * b->lt_acked)
        return;
    if ((int32_t)ms < 1)
        return;
    bbr1_end_interval(b, bbr_bw_of((uint64_t)b->lt_acked * 1000 / ms));
}

bool bbr1_sample_policer(struct bbr1 *b, const struct bbr1_ack *k, bool is_lossy)
{
    if (b->lt_is_used) {
        if (b->mode != BBR1_PROBE_BW || !k->round_start || ++b->lt_rounds < LT_HELD_ROUNDS)
            return false;
        bbr1_forget_policer(b);
        return true;
    }
    /* Not before the first loss: until then the bucket still had tokens. */
    if (!b->lt_is_sampling) {
        if (!is_lossy)
            return false;
        bbr1_start_interval(b);
        b->lt_is_sampling = true;
    }
    if (k->round_start)
        b->lt_rounds++;
    if (k->a->app_limited || b->lt_rounds > LT_MAX_ROUNDS)
        bbr1_forget_policer(b);
    else if (b->lt_rounds >= LT_MIN_ROUNDS && is_lossy)
        bbr1_judge_interval(b);
    return false;
}

/* ---- an ACK ---- */

static void bbr1_update_round(struct bbr1 *b, struct bbr1_ack *k)
{
    if ((int32_t)((uint32_t)k->a->prior_delivered - b->round_end) < 0)
        return;
    b->round_end = (uint32_t)k->a->delivered;
    b->n_round++;
    b->is_conserving = false;
    k->round_start = true;
}

bool bbr1_update_bw(struct cc *c, struct bbr1_ack *k)
{
    struct bbr1 *b = bbr1_of(c);
    if (k->a->acked != 0) {
        b->delivered_ms = cc_ms(k->a->now);
        b->lt_acked = w_u32_min(b->lt_acked, CC_CWND_MAX) + w_u32_min(k->a->acked, CC_CWND_MAX);
    }
    if (k->a->acked == 0 || k->bw == 0)
        return false;
    bbr1_update_round(b, k);
    bool is_over = bbr1_sample_policer(b, k, k->a->lost != 0);
    if (!k->a->app_limited || k->bw >= bbr1_max_bw(b))
        bbr1_put_max(b, k->bw);
    bbr_extra_update(&b->extra, c, k->a, bbr1_bw(b), k->round_start, false);
    return is_over;
}

void bbr1_check_full(struct bbr1 *b, const struct bbr1_ack *k)
{
    if (b->full_bw_reached || !k->round_start || k->a->app_limited)
        return;
    if (bbr1_max_bw(b) >= (uint64_t)b->full_bw * 5 / 4) {
        b->full_bw = bbr1_max_bw(b);
        b->full_bw_count = 0;
        return;
    }
    b->full_bw_count = (b->full_bw_count + 1u) & 3;
    b->full_bw_reached = b->full_bw_count == BBR_FULL_BW_ROUNDS;
}

bool bbr1_update_min_rtt(const struct cc *c, struct bbr1 *b, const struct cc_ack *a)
{
    uint32_t now_ms = cc_ms(a->now);
    bool is_expired = now_ms - b->min_rtt_ms > BBR_MIN_RTT_MS;
    /* A lone runt's ACK may have been delayed: as good as nothing, but less than an old sample. */
    bool may_be_delayed = a->tx_inflight < c->mss;
    if (a->rtt_us != 0 && (a->rtt_us <= b->min_rtt_us || (is_expired && !may_be_delayed))) {
        b->min_rtt_us = a->rtt_us;
        b->min_rtt_ms = now_ms;
    }
    return is_expired;
}
