/* SPDX-License-Identifier: Apache-2.0
 *
 * HyStart++ [RFC 9406]: slow start ends when round trips become longer, not when packets are lost.
 *
 * Decides: when the initial slow start turns careful (conservative slow start, CSS), when it goes
 * on after a false alarm, when it is over.
 * Owns: struct hystart, in an algorithm's private memory while ssthresh is infinite: later slow
 * starts know where to stop [RFC 9406 4.3].
 * Called by cubic.c for each ACK that may make cwnd grow.
 *
 * Theory of operation [RFC 9406 4.2]. Each round trip has its least RTT. When that is longer than
 * in the round before by an eighth, but at least 4 and at most 16 ms, a queue is probably growing:
 * from now on cwnd grows a quarter as fast. If the RTT falls below what raised the alarm, it was
 * jitter, and slow start goes on. If it stays for five rounds, slow start is over.
 *
 *     slow start --RTT grew--> CSS --five rounds--> congestion avoidance
 *         ^                     |
 *         +-----RTT fell--------+
 *
 * [RFC 9406 4.2 DEVIATES: L is unlimited although nothing is paced; tcp/out.c cuts bursts, and an
 * ACK for a merged train must count in full.]
 */
#include "cc/hystart.h"

enum {
    MIN_RTT_THRESH_US = 4000,
    MAX_RTT_THRESH_US = 16000,
    MIN_RTT_DIVISOR = 8,
    N_RTT_SAMPLE = 8,
    CSS_GROWTH_DIVISOR = 4,
    CSS_ROUNDS = 5,
};

static void hystart_begin_round(struct hystart *h, struct cc *c)
{
    h->last_us = h->now_us;
    h->now_us = 0;
    h->n_samples = 0;
    if (h->base_us == 0)
        return;
    if (h->n_rounds == CSS_ROUNDS) {
        c->ssthresh = c->cwnd;
        return;
    }
    h->n_rounds++;
}

static void hystart_sample(struct hystart *h, uint32_t rtt_us)
{
    if (rtt_us == 0)
        return;
    h->now_us = h->now_us == 0 ? rtt_us : w_u32_min(h->now_us, rtt_us);
    if (h->n_samples < UINT8_MAX)
        h->n_samples++;
}

static uint32_t hystart_thresh_us(uint32_t last_us)
{
    uint32_t part = w_u32_min(last_us / MIN_RTT_DIVISOR, MAX_RTT_THRESH_US);
    return w_u32_max(part, MIN_RTT_THRESH_US);
}

static void hystart_judge(struct hystart *h)
{
    if (h->n_samples < N_RTT_SAMPLE)
        return;
    if (h->base_us != 0) {
        if (h->now_us < h->base_us)
            h->base_us = 0; /* a false alarm */
        return;
    }
    if (h->last_us == 0 || h->now_us < (uint64_t)h->last_us + hystart_thresh_us(h->last_us))
        return;
    h->base_us = h->now_us;
    h->n_rounds = 1; /* the part of this round that is left counts */
}

void cc_hystart_grow(struct hystart *h, struct cc *c, const struct cc_ack *ack)
{
    if (cc_round_over(&h->round, ack))
        hystart_begin_round(h, c);
    hystart_sample(h, ack->rtt_us);
    hystart_judge(h);
    uint32_t acked = w_u32_min(ack->acked, CC_CWND_MAX);
    if (h->base_us != 0) {
        acked += h->rest;
        h->rest = (uint8_t)(acked % CSS_GROWTH_DIVISOR);
        acked /= CSS_GROWTH_DIVISOR;
    }
    if (cc_in_slow_start(c))
        (void)cc_slow_start(c, acked);
}
