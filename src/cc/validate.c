/* SPDX-License-Identifier: Apache-2.0
 *
 * Congestion window validation: a window that an application does not fill is only a rumour.
 *
 * Decides: whether cwnd is validated; how much of it may be believed when there is congestion; that
 * it falls by half after five minutes without proof.
 * Owns: the samples of pipeACK in struct cc_used, which lives in an algorithm's private memory.
 * Called by reno, cubic, bic, dctcp; BBR and LEDBAT++ measure the path themselves, Vegas and
 * Westwood+ step back to what they measured.
 *
 * Theory of operation [RFC 7661 4]. A sample is what was delivered in one round trip. pipeACK is
 * the largest sample of the last second or three round trips, kept as the largest of two halves of
 * that period:
 *
 *     pipeACK >= cwnd / 2, or nothing measured yet,
 *     or cwnd is what holds the sender back           validated
 *     otherwise                                       not validated: cwnd stands still (the law in
 *                                                     cc.c), and congestion is answered from
 *                                                     max(pipeACK, FlightSize) instead of cwnd
 *
 * [RFC 7661 4.4.1 DEVIATES: at the end of recovery retransmitted bytes are not taken off once more;
 * recovery ends at ssthresh as always.] [RFC 7661 4.4.2 DEVIATES: no burst limit of its own: trains
 * are limited by tcp/out.c.]
 */
#include "cc/validate.h"

enum { VALID_FOR_MS = 300000 }; /* [RFC 7661 4.4.3] the non-validated period */

static uint32_t pipe_ack(const struct cc_used *u) { return w_u32_max(u->most[0], u->most[1]); }

/* [RFC 7661 4.2] the sampling period is the larger of three RTTs and a second. */
static void turn_halves(struct cc_used *u, uint32_t now_ms, uint32_t srtt_us)
{
    uint32_t half = w_u32_max(srtt_us / 1000 * 3, 1000) / 2, age = now_ms - u->half_ms;
    if (age < half)
        return;
    u->most[1] = age < 2 * half ? u->most[0] : 0;
    u->most[0] = 0;
    u->half_ms = now_ms;
}

/* [RFC 7661 4.4.3] cwnd = max(cwnd / 2, IW), ssthresh = max(ssthresh, 3/4 cwnd) */
static void give_up(struct cc_used *u, struct cc *c, uint32_t now_ms)
{
    uint32_t initial = 10 * c->mss; /* [RFC 6928 2] */
    u->since_ms = now_ms;
    if (c->cwnd <= initial)
        return;
    c->ssthresh = w_u32_max(c->ssthresh, c->cwnd / 4 * 3);
    c->cwnd = w_u32_max(c->cwnd / 2, initial);
}

/* Once per round trip: a sample is complete, or the first one begins. */
static void end_sample(struct cc_used *u, struct cc *c, const struct cc_ack *ack)
{
    uint32_t now_ms = cc_ms(ack->now);
    if (u->round.is_begun) {
        /* The sample that ends a half belongs to the new one, so there is always one. */
        turn_halves(u, now_ms, ack->srtt_us);
        u->most[0] = w_u32_max(u->most[0], (uint32_t)ack->delivered - u->from);
    }
    u->from = (uint32_t)ack->delivered;
    cc_round_begin(&u->round, ack);
    uint32_t pipe = pipe_ack(u);
    bool is_unused = !ack->cwnd_limited && pipe != 0 && pipe < c->cwnd / 2;
    if (is_unused && !u->is_unused)
        u->since_ms = now_ms;
    u->is_unused = is_unused;
    if (is_unused && now_ms - u->since_ms > VALID_FOR_MS)
        give_up(u, c, now_ms);
}

void cc_used_on_ack(struct cc_used *u, struct cc *c, const struct cc_ack *ack)
{
    /* A sample is a round trip old, in which slow start doubled cwnd: a full window is proof
     * too. */
    if (ack->cwnd_limited)
        u->is_unused = false;
    if (!u->round.is_begun || cc_round_is_over(&u->round, ack))
        end_sample(u, c, ack);
}

uint32_t cc_used_window(const struct cc_used *u, const struct cc *c, const struct cc_ack *ack)
{
    if (!u->is_unused)
        return c->cwnd;
    return w_u32_min(c->cwnd, w_u32_max(pipe_ack(u), ack->inflight_prior));
}

void cc_used_on_idle(struct cc_used *u) { u->round.is_begun = false; }
