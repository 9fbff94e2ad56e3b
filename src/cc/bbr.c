/* SPDX-License-Identifier: Apache-2.0
 *
 * BBR, third version: a model of the path instead of a reaction to loss. Send as fast as the path
 * delivers, with as much in flight as fits it, and probe one of the two at a time.
 *
 * Decides: the pacing rate, cwnd, the size of bursts; when to probe for bandwidth or for the RTT.
 * Owns: the state machine in struct bbr; its measurements are bbr_model.c's.
 * Called through cc.c on every ACK, in recovery too; needs tcp/'s delivery rate samples and pacing.
 *
 * Cardwell, Swett, Beshay, "BBR Congestion Control", draft-ietf-ccwg-bbr (section numbers are
 * its); Cardwell et al., "BBR: Congestion-Based Congestion Control", ACM Queue 14(5), 2016.
 *
 * Theory of operation.
 *
 * | state     | pacing | cwnd | meaning                        | ends when               |
 * |-----------|--------|------|--------------------------------|-------------------------|
 * | STARTUP   | 2.77   | 2    | find the rate, doubling        | pipe full, or loss      |
 * | DRAIN     | 0.5    | 2    | away with the queue that made  | inflight <= BDP         |
 * | DOWN      | 0.9    | 2    | and that UP made; leave room   | inflight <= BDP         |
 * | CRUISE    | 1      | 2    | 2 to 3 s, or 62 round trips    | time to probe           |
 * | REFILL    | 1      | 2    | fill the pipe without a queue  | one round trip          |
 * | UP        | 1.25   | 2.25 | is there more?                 | no more rate, or loss   |
 * | PROBE_RTT | 1      | 0.5  | if for 5 s no RTT was as short | 200 ms and a round trip |
 *
 * The gains multiply bw and bw * min_rtt. inflight_longterm remembers where probing lost more than
 * 2 %; a round trip that loses as much otherwise lowers the short-term bounds until the next
 * REFILL.
 *
 * ssthresh has no meaning here and is infinite, but in recovery, where tcp/ may copy it to cwnd.
 * [3.5 leaves the answer to ECN open: a mark counts as too much in flight while probing, as a loss
 * otherwise.]
 */
#include "cc/bbr.h"

enum {
    HEADROOM_PERCENT = 15,
    STARTUP_LOSSES = 6,
    DRAIN_ROUNDS = 3,
    RENO_ROUNDS = 63,
    UP_ROUNDS_MAX = 30,
    QUANTUM_MAX = 65536,
};

/* Per cent, by enum bbr_state [5.6.1]. */
static const uint16_t pacing_gain[] = {277, 50, 90, 100, 100, 125, 100};
static const uint16_t cwnd_gain[] = {200, 200, 200, 200, 200, 225, 50};

/* ---- volumes ---- */

static uint32_t min_pipe(const struct cc *c) { return BBR_MIN_PIPE_SEGS * c->mss; }

/* [5.6.4.2 QuantizationBudget] Offloads need three bursts on their way to keep going. */
static uint32_t budget(struct cc *c, uint64_t bytes)
{
    bytes = w_u64_max(bytes, 3 * (uint64_t)c->gso_burst);
    bytes = w_u64_max(bytes, min_pipe(c));
    if (bbr_of(c)->state == BBR_UP)
        bytes += 2 * c->mss;
    return (uint32_t)w_u64_min(bytes, CC_CWND_MAX);
}

/* [5.3.3] What to keep free of inflight_longterm for others. */
static uint32_t with_headroom(const struct cc *c, const struct bbr *b)
{
    if (b->inflight_longterm == BBR_INF)
        return BBR_INF;
    uint32_t room = (uint32_t)((uint64_t)b->inflight_longterm * HEADROOM_PERCENT / 100);
    room = w_u32_min(w_u32_max(room, c->mss), b->inflight_longterm);
    return w_u32_max(b->inflight_longterm - room, min_pipe(c));
}

static uint32_t target_inflight(struct cc *c)
{
    return w_u32_min(bbr_bdp(c, bbr_bw(bbr_of(c)), 100), c->cwnd);
}

static uint32_t probe_rtt_cwnd(struct cc *c)
{
    uint32_t half = bbr_bdp(c, bbr_bw(bbr_of(c)), cwnd_gain[BBR_PROBE_RTT]);
    return w_u32_max(half, min_pipe(c));
}

/* ---- states ---- */

/* [5.3.3.8] Two to three seconds, so that flows do not probe together. The chance in it is the
 * clock's and the path's noise, mixed. */
static void pick_probe_wait(struct bbr *b, w_ns now)
{
    uint32_t x = bbr_chance(now, b->round_end, b->min_rtt_us);
    b->rounds_unprobed = (uint8_t)(x & 1);
    b->probe_wait_ms = (uint16_t)(2000 + (x >> 1) % 1000);
}

static void start_down(struct cc *c, w_ns now, uint64_t delivered)
{
    struct bbr *b = bbr_of(c);
    bbr_reset_congestion(b);
    pick_probe_wait(b, now);
    b->phase_ms = cc_ms(now);
    b->ack_phase = ACKS_STOPPING;
    bbr_start_round(b, delivered);
    b->state = BBR_DOWN;
}

static void start_refill(struct bbr *b, uint64_t delivered)
{
    bbr_reset_shortterm(b);
    b->rounds = 0;
    b->up_acked = 0;
    b->prev_precautionary = false;
    b->ack_phase = ACKS_REFILLING;
    bbr_start_round(b, delivered);
    b->state = BBR_REFILL;
}

static void raise_slope(struct bbr *b)
{
    if (b->rounds < UP_ROUNDS_MAX)
        b->rounds++;
}

static void start_up(struct bbr *b, const struct bbr_ack *k)
{
    b->ack_phase = ACKS_STARTING;
    bbr_start_round(b, k->a->delivered);
    bbr_reset_full_bw(b, k->bw);
    b->state = BBR_UP;
    raise_slope(b);
}

/* [5.5.10.2] tx: how much was in flight when losses went beyond what is tolerated. */
static void handle_too_high(struct cc *c, uint32_t tx, bool app_limited, w_ns now,
                            uint64_t delivered)
{
    struct bbr *b = bbr_of(c);
    b->prev_too_high = true;
    b->is_probe_sample = false;
    if (!app_limited) {
        uint32_t least = (uint32_t)((uint64_t)target_inflight(c) * BBR_BETA_PERCENT / 100);
        b->inflight_longterm = w_u32_max(tx, least);
    }
    if (b->state == BBR_UP) {
        b->undo_state = UNDO_UP;
        start_down(c, now, delivered);
    }
}

/* ---- STARTUP and DRAIN ---- */

static void leave_startup_by_loss(struct cc *c, struct bbr *b)
{
    uint32_t bdp = bbr_bdp(c, bbr_bw(b), 100);
    b->undo_state = UNDO_STARTUP;
    b->full_bw_reached = true;
    b->inflight_longterm = w_u32_max(bdp, b->inflight_latest);
}

/* [5.3.1.3] */
static void check_startup(struct cc *c, struct bbr *b, const struct bbr_ack *k)
{
    if (b->state == BBR_STARTUP && !b->full_bw_reached && k->a->in_recovery) {
        bool is_round = k->loss_round_start && b->loss_events >= STARTUP_LOSSES;
        if ((is_round || !k->a->has_sack) &&
            bbr_is_too_high(c, k->a->lost_since, k->a->tx_inflight, k->a->has_sack))
            leave_startup_by_loss(c, b);
    }
    if (k->loss_round_start)
        b->loss_events = 0;
    if (b->state == BBR_STARTUP && b->full_bw_reached) {
        b->state = BBR_DRAIN;
        b->rounds = 0;
    }
}

/* [5.3.2] */
static void check_drain(struct cc *c, struct bbr *b, const struct bbr_ack *k)
{
    if (b->state != BBR_DRAIN)
        return;
    if (k->a->inflight <= budget(c, bbr_bdp(c, bbr_bw(b), 100)) || b->rounds > DRAIN_ROUNDS)
        start_down(c, k->a->now, k->a->delivered);
}

/* ---- probing for bandwidth ---- */

/* [5.3.3] Where inflight_longterm is what limits, it rises by 1, 2, 4 ... segments a round. */
static void probe_upward(struct cc *c, struct bbr *b, const struct bbr_ack *k)
{
    if (!k->a->cwnd_limited || c->cwnd < b->inflight_longterm)
        return;
    uint32_t shift = w_u32_max(b->rounds, 1) - 1;
    uint32_t per_inc = w_u32_max(c->cwnd >> shift, c->mss);
    uint64_t acked = (uint64_t)b->up_acked + k->a->acked;
    uint64_t to = b->inflight_longterm + acked / per_inc * c->mss;
    b->inflight_longterm = (uint32_t)w_u64_min(to, CC_CWND_MAX);
    b->up_acked = (uint32_t)(acked % per_inc);
    if (k->round_start)
        raise_slope(b);
}

/* [5.3.3 AdaptLongTermModel] True: the state has been decided. */
static bool adapt_longterm(struct cc *c, struct bbr *b, const struct bbr_ack *k)
{
    if (b->ack_phase == ACKS_STARTING && k->round_start)
        b->ack_phase = ACKS_FEEDBACK;
    if (b->ack_phase == ACKS_STOPPING && k->round_start) {
        b->is_probe_sample = false;
        b->ack_phase = ACKS_INIT;
        if (bbr_is_probe_bw(b) && !k->a->app_limited)
            bbr_advance_max_bw(b);
        if (bbr_is_probe_bw(b) && b->prev_precautionary && !b->prev_too_high) {
            start_refill(b, k->a->delivered);
            return true;
        }
    }
    if (b->inflight_longterm == BBR_INF ||
        bbr_is_too_high(c, k->a->lost_since, k->a->tx_inflight, k->a->has_sack))
        return false;
    if (k->a->tx_inflight > b->inflight_longterm)
        b->inflight_longterm = w_u32_min(k->a->tx_inflight, CC_CWND_MAX);
    if (b->state == BBR_UP)
        probe_upward(c, b, k);
    return false;
}

/* By the clock, or when Reno would have probed: one segment a round trip. */
static bool is_time_to_probe(struct cc *c, struct bbr *b, const struct bbr_ack *k)
{
    uint32_t reno_rounds = w_u32_min(target_inflight(c) / c->mss, RENO_ROUNDS);
    bool is_time = cc_ms(k->a->now) - b->phase_ms > b->probe_wait_ms;
    if (!is_time && b->rounds_unprobed < reno_rounds)
        return false;
    start_refill(b, k->a->delivered);
    return true;
}

static bool is_time_to_cruise(struct cc *c, struct bbr *b, const struct bbr_ack *k)
{
    return k->a->inflight <= with_headroom(c, b) &&
           k->a->inflight <= budget(c, bbr_bdp(c, bbr_max_bw(b), 100));
}

static bool is_time_to_go_down(struct cc *c, struct bbr *b, const struct bbr_ack *k)
{
    if (b->prev_too_high && k->a->inflight >= b->inflight_longterm) {
        b->prev_precautionary = true;
        return true;
    }
    if (k->a->cwnd_limited && c->cwnd >= b->inflight_longterm) {
        bbr_reset_full_bw(b, k->bw); /* what limits is inflight_longterm, not the path */
        return false;
    }
    return b->full_bw_now;
}

static void update_cycle(struct cc *c, struct bbr *b, const struct bbr_ack *k)
{
    if (!b->full_bw_reached || adapt_longterm(c, b, k))
        return;
    switch ((enum bbr_state)b->state) {
    case BBR_DOWN:
        if (!is_time_to_probe(c, b, k) && is_time_to_cruise(c, b, k))
            b->state = BBR_CRUISE;
        break;
    case BBR_CRUISE: (void)is_time_to_probe(c, b, k); break;
    case BBR_REFILL:
        if (k->round_start) {
            b->is_probe_sample = true;
            start_up(b, k);
        }
        break;
    case BBR_UP:
        if (is_time_to_go_down(c, b, k)) {
            b->prev_too_high = false; /* not yet */
            start_down(c, k->a->now, k->a->delivered);
        }
        break;
    case BBR_STARTUP:
    case BBR_DRAIN:
    case BBR_PROBE_RTT: break;
    }
}

/* ---- probing for the round-trip time ---- */

/* [5.6.4.4] The last cwnd that neither recovery nor PROBE_RTT had changed. */
static void save_cwnd(struct cc *c, bool is_modulated)
{
    struct bbr *b = bbr_of(c);
    b->prior_cwnd = is_modulated ? w_u32_max(b->prior_cwnd, c->cwnd) : c->cwnd;
}

static void restore_cwnd(struct cc *c) { c->cwnd = w_u32_max(c->cwnd, bbr_of(c)->prior_cwnd); }

/* [5.3.4.4] The probe for bandwidth waits, although there is no queue to go down from. */
static void exit_probe_rtt(struct cc *c, w_ns now, uint64_t delivered)
{
    struct bbr *b = bbr_of(c);
    bbr_reset_shortterm(b);
    c->flags &= ~(uint32_t)CC_APP_LIMITED;
    b->state = BBR_STARTUP;
    if (b->full_bw_reached) {
        start_down(c, now, delivered);
        b->state = BBR_CRUISE;
    }
}

static void check_probe_rtt_done(struct cc *c, w_ns now, uint64_t delivered)
{
    struct bbr *b = bbr_of(c);
    if (b->phase_ms == 0 || (int32_t)(cc_ms(now) - b->phase_ms) <= 0)
        return;
    b->probe_rtt_ms = cc_ms(now);
    restore_cwnd(c);
    exit_probe_rtt(c, now, delivered);
}

static void in_probe_rtt(struct cc *c, struct bbr *b, const struct bbr_ack *k)
{
    if (b->phase_ms == 0) {
        if (k->a->inflight > probe_rtt_cwnd(c))
            return;
        b->phase_ms = (cc_ms(k->a->now) + BBR_PROBE_RTT_MS) | 1;
        b->rtt_round_done = false;
        bbr_start_round(b, k->a->delivered);
        return;
    }
    if (k->round_start)
        b->rtt_round_done = true;
    if (b->rtt_round_done)
        check_probe_rtt_done(c, k->a->now, k->a->delivered);
}

/* [5.3.4.3] */
static void check_probe_rtt(struct cc *c, struct bbr *b, const struct bbr_ack *k)
{
    if (b->state != BBR_PROBE_RTT && k->probe_rtt_expired && !b->idle_restart) {
        save_cwnd(c, k->a->in_recovery);
        b->state = BBR_PROBE_RTT;
        b->phase_ms = 0;
        b->ack_phase = ACKS_STOPPING;
        bbr_start_round(b, k->a->delivered);
        c->flags |= CC_APP_LIMITED; /* low samples of now must not count as the path's */
    }
    if (b->state == BBR_PROBE_RTT)
        in_probe_rtt(c, b, k);
    if (k->a->acked != 0)
        b->idle_restart = false;
}

/* ---- control parameters ---- */

/* [5.6.2] Until the pipe was full once the rate only rises. [5.6.3] A burst is a millisecond. */
static void set_pacing(struct cc *c, uint32_t gain)
{
    struct bbr *b = bbr_of(c);
    bbr_set_pace(c, bbr_pace(bbr_bw(b), gain, 100), b->full_bw_reached);
    uint32_t quantum = (uint32_t)w_u64_min(c->pacing_Bps / 1000, QUANTUM_MAX);
    c->gso_burst = w_u32_max(quantum, 2 * c->mss);
}

/* [5.6.2 InitPacingRate] As long as nothing was measured: cwnd in one round trip. */
static void init_pacing(struct cc *c, uint32_t srtt_us)
{
    uint32_t us = srtt_us != 0 ? srtt_us : 1000;
    c->pacing_Bps = (uint64_t)c->cwnd * 1000000 / us * pacing_gain[BBR_STARTUP] / 100;
    set_pacing(c, 100);
}

/* [5.6.4.7] */
static void bound_cwnd(struct cc *c)
{
    struct bbr *b = bbr_of(c);
    uint32_t cap = BBR_INF;
    if (b->state == BBR_PROBE_RTT) {
        c->cwnd = w_u32_min(c->cwnd, probe_rtt_cwnd(c));
        cap = with_headroom(c, b);
    } else if (b->state == BBR_CRUISE) {
        cap = with_headroom(c, b);
    } else if (bbr_is_probe_bw(b)) {
        cap = b->inflight_longterm;
    }
    cap = w_u32_max(w_u32_min(cap, b->inflight_shortterm), min_pipe(c));
    c->cwnd = w_u32_min(c->cwnd, cap);
}

/* [5.6.4.6] */
static void set_cwnd(struct cc *c, const struct bbr_ack *k)
{
    struct bbr *b = bbr_of(c);
    uint64_t extra = bbr_extra_bytes(&b->extra, c->mss);
    uint32_t most = budget(c, bbr_bdp(c, bbr_bw(b), cwnd_gain[b->state]) + extra);
    uint64_t grown = w_u64_min((uint64_t)c->cwnd + k->a->acked, CC_CWND_MAX);
    if (b->full_bw_reached)
        c->cwnd = (uint32_t)w_u64_min(grown, most);
    else if (c->cwnd < most || k->a->delivered < BBR_IW_SEGS * c->mss)
        c->cwnd = (uint32_t)grown;
    c->cwnd = w_u32_max(c->cwnd, min_pipe(c));
    bound_cwnd(c);
}

/* ---- events ---- */

static void bbr_init(struct cc *c, w_ns now)
{
    struct bbr *b = bbr_of(c);
    memset(b, 0, sizeof *b);
    b->min_rtt_us = b->probe_rtt_us = BBR_INF;
    b->min_rtt_ms = b->probe_rtt_ms = cc_ms(now);
    bbr_extra_begin(&b->extra, now);
    b->inflight_longterm = b->undo_longterm = b->undo_shortterm = BBR_INF;
    bbr_reset_shortterm(b);
    init_pacing(c, 0);
}

/* [5.2.3] */
static void bbr_on_ack(struct cc *c, const struct cc_ack *ack)
{
    struct bbr *b = bbr_of(c);
    struct bbr_ack k = {.a = ack, .bw = bbr_bw_of(ack->rate_Bps)};
    if (ack->acked != 0 && ack->delivered > ack->prior_delivered)
        k.delivered = (uint32_t)w_u64_min(ack->delivered - ack->prior_delivered, CC_CWND_MAX);
    if (b->min_rtt_us == BBR_INF && ack->srtt_us != 0)
        init_pacing(c, ack->srtt_us);
    bbr_update_model(c, &k);
    check_startup(c, b, &k);
    check_drain(c, b, &k);
    update_cycle(c, b, &k);
    bbr_update_min_rtt(b, &k);
    check_probe_rtt(c, b, &k);
    bbr_advance_latest(b, &k);
    set_pacing(c, pacing_gain[b->state]);
    set_cwnd(c, &k);
}

/* [5.5.10.2 InflightAtLoss] At what part of this range did losses exceed the threshold? */
static uint32_t inflight_at_loss(const struct cc *c, const struct cc_lost *l)
{
    uint64_t before = l->tx_inflight > l->bytes ? l->tx_inflight - l->bytes : 0;
    uint64_t lost = l->lost_since > l->bytes ? l->lost_since - l->bytes : 0;
    uint64_t allowed = before * c->noise_percent; /* per cent of bytes */
    uint64_t prefix = allowed > lost * 100 ? (allowed - lost * 100) / (100u - c->noise_percent) : 0;
    return (uint32_t)w_u64_min(before + prefix, CC_CWND_MAX);
}

static void bbr_on_lost(struct cc *c, const struct cc_lost *l)
{
    struct bbr *b = bbr_of(c);
    bbr_note_loss(c, l->delivered);
    if (b->loss_events < UINT8_MAX)
        b->loss_events++;
    if (b->is_probe_sample && bbr_is_too_high(c, l->lost_since, l->tx_inflight, l->has_sack))
        handle_too_high(c, inflight_at_loss(c, l), l->app_limited, l->now, l->delivered);
}

static void on_mark(struct cc *c, struct bbr *b, const struct cc_ack *ack)
{
    b->is_mark_in_round = true;
    if (b->state == BBR_STARTUP && !b->full_bw_reached)
        leave_startup_by_loss(c, b);
    else if (b->is_probe_sample)
        handle_too_high(c, w_u32_min(ack->inflight_prior, CC_CWND_MAX), ack->app_limited, ack->now,
                        ack->delivered);
}

/* [5.6.4.4] cwnd itself is not cut in fast recovery; the model is, by and by. */
static void bbr_on_loss(struct cc *c, enum cc_loss what, const struct cc_ack *ack)
{
    struct bbr *b = bbr_of(c);
    save_cwnd(c, what == CC_LOSS_RTO || b->state == BBR_PROBE_RTT);
    if (what != CC_LOSS_RTO)
        bbr_note_loss(c, ack->delivered);
    if (what == CC_LOSS_ECN)
        on_mark(c, b, ack);
    c->ssthresh = c->cwnd;
}

static void bbr_on_recovered(struct cc *c, const struct cc_ack *ack)
{
    (void)ack;
    restore_cwnd(c);
    bound_cwnd(c);
    c->ssthresh = CC_SSTHRESH_INF;
}

/* [5.5.11.2] */
static void bbr_on_undo(struct cc *c, w_ns now)
{
    struct bbr *b = bbr_of(c);
    (void)now;
    restore_cwnd(c);
    c->ssthresh = CC_SSTHRESH_INF;
    b->is_loss_in_round = false;
    bbr_reset_full_bw(b, 0);
    if (b->undo_shortterm == BBR_INF) {
        bbr_reset_shortterm(b);
    } else if (b->bw_shortterm != BBR_INF) {
        b->inflight_shortterm = w_u32_max(b->inflight_shortterm, b->undo_shortterm);
        uint64_t bw =
            (uint64_t)b->bw_shortterm * 100 / BBR_BETA_PERCENT; /* one round's step back */
        b->bw_shortterm = (uint32_t)w_u64_min(bw, w_u32_max(bbr_max_bw(b), b->bw_shortterm));
    }
    b->inflight_longterm = w_u32_max(b->inflight_longterm, b->undo_longterm);
    if (b->undo_state == UNDO_STARTUP && b->state != BBR_STARTUP) {
        b->full_bw_reached = false;
        if (b->state != BBR_PROBE_RTT)
            b->state = BBR_STARTUP;
    } else if (b->undo_state == UNDO_UP && b->state != BBR_UP && b->state != BBR_PROBE_RTT) {
        start_refill(b, b->loss_round_end);
    }
    b->undo_state = UNDO_NONE;
}

/* [5.4] Back to the rate of before, paced: no slow start, and no burst. */
static void bbr_on_idle(struct cc *c, w_ns now, w_ns idle)
{
    struct bbr *b = bbr_of(c);
    (void)idle;
    b->idle_restart = true;
    bbr_extra_begin(&b->extra, now);
    if (bbr_is_probe_bw(b))
        set_pacing(c, 100);
    else if (b->state == BBR_PROBE_RTT)
        check_probe_rtt_done(c, now, b->round_end);
}

static size_t bbr_info(const struct cc *c, union cc_info *info)
{
    const struct bbr *b = (const struct bbr *)(const void *)c->priv;
    return bbr_tell(info, bbr_bw(b), b->min_rtt_us, pacing_gain[b->state] * 256u / 100,
                    cwnd_gain[b->state] * 256u / 100);
}

const struct cc_ops cc_bbr = {
    .name = "bbr",
    .priv_size = sizeof(struct bbr),
    .wants_rate = 1,
    .every_ack = 1,
    .init = bbr_init,
    .on_ack = bbr_on_ack,
    .on_loss = bbr_on_loss,
    .on_recovered = bbr_on_recovered,
    .on_undo = bbr_on_undo,
    .on_idle = bbr_on_idle,
    .on_lost = bbr_on_lost,
    .info = bbr_info,
};
