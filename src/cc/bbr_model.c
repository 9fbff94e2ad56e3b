/* SPDX-License-Identifier: Apache-2.0
 *
 * BBR's model of the path: how fast it delivers, how long it takes, how much it holds.
 *
 * Decides: which samples count for the maximum bandwidth and the minimum RTT, when the pipe is
 * full, how far a loss lowers what is sent until the next probe.
 * Owns: those fields of struct bbr that measure; bbr.c owns those that act.
 * Called by bbr.c on each ACK and loss.
 *
 * draft-ietf-ccwg-bbr 5.5 (the model), 5.3.1.2 (full pipe).
 *
 * Theory of operation.
 *
 *     max_bw    the fastest of two cycles of probing       how fast: long term
 *     min_rtt   the shortest of ten seconds                how far
 *     bw_shortterm, inflight_shortterm                     what got through since there is loss,
 *                                                          at most 30 % less per round trip
 *     extra_acked                                          how much arrives at once though it left
 *                                                          one by one: aggregation on the way
 *
 * Invariants: the short-term bounds are infinite together; max_bw[1] is 0 only before the second
 * cycle.
 */
#include "cc/bbr.h"

enum { PROBE_RTT_INTERVAL_MS = 5000 };

void bbr_start_round(struct bbr *b, uint64_t delivered) { b->round_end = (uint32_t)delivered; }

uint32_t bbr_bw(const struct bbr *b) { return w_u32_min(bbr_max_bw(b), b->bw_shortterm); }

uint32_t bbr_bdp(const struct cc *c, uint32_t bw, uint32_t percent)
{
    const struct bbr *b = (const struct bbr *)(const void *)c->priv;
    if (b->min_rtt_us == BBR_INF)
        return BBR_IW_SEGS * c->mss; /* [RFC 6928 2] */
    return (uint32_t)((uint64_t)bbr_volume(bw, b->min_rtt_us) * percent / 100);
}

void bbr_reset_congestion(struct bbr *b)
{
    b->is_loss_in_round = false;
    b->is_mark_in_round = false;
    b->bw_latest = b->inflight_latest = 0;
}

void bbr_reset_shortterm(struct bbr *b) { b->bw_shortterm = b->inflight_shortterm = BBR_INF; }

void bbr_reset_full_bw(struct bbr *b, uint32_t baseline)
{
    b->full_bw = baseline;
    b->full_bw_count = 0;
    b->full_bw_now = false;
}

/* A cycle without a sample is no reason to forget the last. */
void bbr_advance_max_bw(struct bbr *b)
{
    if (b->max_bw[0] == 0)
        return;
    b->max_bw[1] = b->max_bw[0];
    b->max_bw[0] = 0;
}

/* [5.5.1] A round is over when something sent after it began is acknowledged. */
static void update_round(struct bbr *b, struct bbr_ack *k)
{
    uint32_t prior = (uint32_t)k->a->prior_delivered;
    if (k->a->acked == 0 || (int32_t)(prior - b->round_end) < 0)
        return;
    bbr_start_round(b, k->a->delivered);
    k->round_start = true;
    if (b->rounds_unprobed < UINT8_MAX)
        b->rounds_unprobed++;
    if (b->state == BBR_DRAIN && b->rounds < UINT8_MAX)
        b->rounds++;
}

static void update_max_bw(struct bbr *b, const struct bbr_ack *k)
{
    if (k->bw != 0 && (k->bw >= bbr_max_bw(b) || !k->a->app_limited))
        b->max_bw[0] = w_u32_max(b->max_bw[0], k->bw);
}

static void update_latest(struct bbr *b, struct bbr_ack *k)
{
    b->bw_latest = w_u32_max(b->bw_latest, k->bw);
    b->inflight_latest = w_u32_max(b->inflight_latest, k->delivered);
    uint32_t prior = (uint32_t)k->a->prior_delivered;
    if (k->a->acked != 0 && (int32_t)(prior - b->loss_round_end) >= 0) {
        b->loss_round_end = (uint32_t)k->a->delivered;
        k->loss_round_start = true;
    }
}

/* [5.5.10.3] Losses while not probing: towards what got through, at most 30 % less.
 * [5.5.10.3 DEVIATES: as many losses in a round as probing tolerates say nothing. What gets through
 * is what was sent, a margin below the bound, less what was lost: a bound that followed it would
 * fall in each round with a single loss, until the next probe, on a path that has room.] */
static void lower_bounds(struct cc *c, struct bbr *b, const struct cc_ack *a)
{
    bool is_probing = b->state == BBR_STARTUP || b->state == BBR_REFILL || b->state == BBR_UP;
    bool is_noise =
        !b->is_mark_in_round && !bbr_is_too_high(c, a->lost_since, a->tx_inflight, a->has_sack);
    if (is_probing || !b->is_loss_in_round || is_noise)
        return;
    if (b->bw_shortterm == BBR_INF)
        b->bw_shortterm = bbr_max_bw(b);
    if (b->inflight_shortterm == BBR_INF)
        b->inflight_shortterm = c->cwnd;
    uint32_t bw = (uint32_t)((uint64_t)b->bw_shortterm * BBR_BETA_PERCENT / 100);
    uint32_t inflight = (uint32_t)((uint64_t)b->inflight_shortterm * BBR_BETA_PERCENT / 100);
    b->bw_shortterm = w_u32_max(b->bw_latest, bw);
    b->inflight_shortterm = w_u32_max(b->inflight_latest, inflight);
}

/* [5.5.9] Two windows of five round trips make ExtraAckedFilterLen = 10. */
static void update_aggregation(struct cc *c, struct bbr *b, const struct bbr_ack *k)
{
    bbr_extra_update(&b->extra, c, k->a, bbr_bw(b), k->round_start, !b->full_bw_reached);
}

/* [5.3.1.2] Three rounds in which more was tried and less than a quarter more came out. */
static void check_full_bw(struct bbr *b, const struct bbr_ack *k)
{
    if (b->full_bw_now || !k->round_start || k->a->app_limited || k->bw == 0)
        return;
    if (k->bw >= (uint64_t)b->full_bw * 5 / 4) {
        bbr_reset_full_bw(b, k->bw);
        return;
    }
    b->full_bw_count = (b->full_bw_count + 1u) & 3;
    if (b->full_bw_count == BBR_FULL_BW_ROUNDS)
        b->full_bw_now = b->full_bw_reached = true;
}

void bbr_update_model(struct cc *c, struct bbr_ack *k)
{
    struct bbr *b = bbr_of(c);
    update_latest(b, k);
    update_round(b, k);
    update_max_bw(b, k);
    if (k->loss_round_start) {
        lower_bounds(c, b, k->a);
        b->is_loss_in_round = false;
        b->is_mark_in_round = false;
    }
    update_aggregation(c, b, k);
    check_full_bw(b, k);
}

void bbr_advance_latest(struct bbr *b, const struct bbr_ack *k)
{
    if (!k->loss_round_start)
        return;
    b->bw_latest = k->bw;
    b->inflight_latest = k->delivered;
}

/* [5.3.4.3] */
void bbr_update_min_rtt(struct bbr *b, struct bbr_ack *k)
{
    uint32_t now_ms = cc_ms(k->a->now), rtt_us = k->a->rtt_us;
    k->probe_rtt_expired = now_ms - b->probe_rtt_ms > PROBE_RTT_INTERVAL_MS;
    if (rtt_us != 0 && (rtt_us < b->probe_rtt_us || k->probe_rtt_expired)) {
        b->probe_rtt_us = rtt_us;
        b->probe_rtt_ms = now_ms;
    }
    bool is_expired = now_ms - b->min_rtt_ms > BBR_MIN_RTT_MS;
    if (b->probe_rtt_us < b->min_rtt_us || is_expired) {
        b->min_rtt_us = b->probe_rtt_us;
        b->min_rtt_ms = b->probe_rtt_ms;
    }
}

/* [5.5.10.2 NoteLoss, 5.5.11.1] */
void bbr_note_loss(struct cc *c, uint64_t delivered)
{
    struct bbr *b = bbr_of(c);
    if (!b->is_loss_in_round) {
        b->loss_round_end = (uint32_t)delivered;
        b->undo_state = UNDO_NONE;
        b->undo_shortterm = b->inflight_shortterm;
        b->undo_longterm = b->inflight_longterm;
    }
    b->is_loss_in_round = true;
}
