/* SPDX-License-Identifier: Apache-2.0
 *
 * BBR, first version, as Linux's `bbr` has it: the path's rate and length decide what is sent, and
 * losses do not change the model. Named bbr1, as `bbr` is the third version (bbr.c).
 *
 * Decides: the pacing rate, cwnd, the size of bursts; when to probe for bandwidth or for the RTT.
 * Owns: the state machine in struct bbr1; its measurements are bbr1_model.c's.
 * Called through cc.c on every ACK, in recovery too; needs tcp/'s delivery rate samples and pacing.
 *
 * Cardwell, Cheng, Gunn, Yeganeh, Jacobson, "BBR: Congestion-Based Congestion Control", ACM Queue
 * 14(5), 2016; draft-cardwell-iccrg-bbr-congestion-control-00 (from -01 on it is the second
 * version). Constants, recovery, aggregation and policers are as in Linux's net/ipv4/tcp_bbr.c.
 *
 * Theory of operation.
 *
 * | state     | pacing    | cwnd  | meaning                        | ends when               |
 * |-----------|-----------|-------|--------------------------------|-------------------------|
 * | STARTUP   | 2 / ln 2  | same  | find the rate, doubling        | 3 rounds without + 25 % |
 * | DRAIN     | ln 2 / 2  | same  | away with the queue that made  | inflight <= BDP         |
 * | PROBE_BW  | 5/4       | 2     | is there more?                 | min_rtt, and it is full |
 * |           | 3/4       | 2     | away with the queue that made  | min_rtt, or inflight    |
 * |           | 6 times 1 | 2     | use what there is              | min_rtt                 |
 * | PROBE_RTT | 1         | 4 seg | if for 10 s no RTT was shorter | 200 ms and a round trip |
 *
 * The gains multiply bw and bw * min_rtt; to the latter come three bursts for the offloads at both
 * ends, and what the path hands over at once (extra). Loss takes from cwnd what was lost; in the
 * first round trip of a recovery as much is sent as arrives, then cwnd grows back by what arrives,
 * and afterwards it is what it was.
 *
 * Left out of Linux's: the estimate of what will be in the network when the next packet departs
 * (cc/ knows no departure times, and tcp/ hands down at most a millisecond ahead); before the first
 * ACK of data the rate is that of an RTT of 1 ms though the handshake measured one; ssthresh stays
 * infinite (Linux tells DRAIN's target there, for others to see).
 */
#include "cc/bbr1.h"

enum {
    BBR1_HIGH_GAIN = BBR1_UNIT * 2885 / 1000 + 1,
    BBR1_DRAIN_GAIN = BBR1_UNIT * 1000 / 2885,
    BBR1_CWND_GAIN = 2 * BBR1_UNIT,
    BBR1_PHASE_CHOICE = 7, /* PROBE_BW begins with any phase but the second */
    BBR1_EXTRA_MAX_US = 100000,
    BBR1_BURST_MAX = 65535, /* bytes, and no more than 127 segments */
    BBR1_BURST_SEGS = 127,
    BBR1_SINGLE_Bps = 1200000 / 8, /* below, segments leave one by one */
};

static const uint16_t bbr1_phase_gain[BBR1_PHASES] = {
    BBR1_UNIT * 5 / 4, BBR1_UNIT * 3 / 4, BBR1_UNIT, BBR1_UNIT,
    BBR1_UNIT,         BBR1_UNIT,         BBR1_UNIT, BBR1_UNIT,
};

static uint32_t bbr1_pacing_gain(const struct bbr1 *b)
{
    switch ((enum bbr1_mode)b->mode) {
    case BBR1_STARTUP: return BBR1_HIGH_GAIN;
    case BBR1_DRAIN: return BBR1_DRAIN_GAIN;
    case BBR1_PROBE_BW: return b->lt_is_used ? BBR1_UNIT : bbr1_phase_gain[b->phase];
    case BBR1_PROBE_RTT: break;
    }
    return BBR1_UNIT;
}

static uint32_t bbr1_cwnd_gain(const struct bbr1 *b)
{
    if (b->mode == BBR1_PROBE_BW)
        return BBR1_CWND_GAIN;
    return b->mode == BBR1_PROBE_RTT ? BBR1_UNIT : BBR1_HIGH_GAIN;
}

/* ---- volumes ---- */

static uint32_t bbr1_min_pipe(const struct cc *c) { return BBR_MIN_PIPE_SEGS * c->mss; }

/* bw * min_rtt * gain; the initial window while min_rtt is unknown. */
static uint64_t bbr1_bdp(struct cc *c, uint32_t bw, uint32_t gain)
{
    struct bbr1 *b = bbr1_of(c);
    if (b->min_rtt_us == BBR_INF)
        return BBR_IW_SEGS * (uint64_t)c->mss;
    return (uint64_t)bbr_volume(bw, b->min_rtt_us) * gain / BBR1_UNIT;
}

/* Whole segments, an even number because of delayed ACKs, and three bursts for the offloads: one
 * before the device, one in it, one at the receiver. While probing for more there has to be more,
 * however short the path. */
static uint32_t bbr1_budget(struct cc *c, uint64_t bytes)
{
    struct bbr1 *b = bbr1_of(c);
    uint64_t segs = (bytes + 3 * (uint64_t)c->gso_burst + c->mss - 1) / c->mss;
    segs += segs & 1;
    if (b->mode == BBR1_PROBE_BW && b->phase == 0)
        segs += 2;
    return (uint32_t)w_u64_min(segs * c->mss, CC_CWND_MAX);
}

static uint32_t bbr1_inflight(struct cc *c, uint32_t gain)
{
    return bbr1_budget(c, bbr1_bdp(c, bbr1_max_bw(bbr1_of(c)), gain));
}

/* ---- states ---- */

static void bbr1_start_phase(struct bbr1 *b, unsigned phase, w_ns now)
{
    b->phase = phase & (BBR1_PHASES - 1);
    b->phase_us = (uint32_t)(now / W_US);
}

/* By chance, so that flows do not probe together, but not with the phase that slows down. */
static void bbr1_start_probe_bw(struct bbr1 *b, w_ns now)
{
    uint32_t x = bbr_chance(now, b->round_end, b->min_rtt_us) % BBR1_PHASE_CHOICE;
    b->mode = BBR1_PROBE_BW;
    bbr1_start_phase(b, BBR1_PHASES - x, now);
}

/* A phase with a gain of 1 lasts for a min_rtt. Probing goes on until as much is in flight as it is
 * about, or a loss says that it cannot be; slowing down is over as soon as the queue is. */
static bool bbr1_is_phase_over(struct cc *c, const struct bbr1_ack *k)
{
    struct bbr1 *b = bbr1_of(c);
    uint32_t gain = bbr1_pacing_gain(b), inflight = k->a->inflight_prior;
    bool is_long = (uint32_t)(k->a->now / W_US) - b->phase_us > b->min_rtt_us;
    if (gain > BBR1_UNIT)
        return is_long &&
               (k->a->lost != 0 || (uint64_t)inflight + c->gso_burst >= bbr1_inflight(c, gain));
    if (gain < BBR1_UNIT)
        return is_long || inflight <= bbr1_inflight(c, BBR1_UNIT);
    return is_long;
}

static void bbr1_check_drain(struct cc *c, const struct bbr1_ack *k)
{
    struct bbr1 *b = bbr1_of(c);
    if (b->mode == BBR1_STARTUP && b->full_bw_reached)
        b->mode = BBR1_DRAIN;
    if (b->mode == BBR1_DRAIN && k->a->inflight <= bbr1_inflight(c, BBR1_UNIT))
        bbr1_start_probe_bw(b, k->a->now);
}

/* ---- probing for the round-trip time ---- */

/* The last cwnd that neither recovery nor PROBE_RTT had changed. */
static void bbr1_save_cwnd(struct cc *c)
{
    struct bbr1 *b = bbr1_of(c);
    bool is_changed = b->seen_repair != REPAIR_NONE || b->mode == BBR1_PROBE_RTT;
    b->prior_cwnd = is_changed ? w_u32_max(b->prior_cwnd, c->cwnd) : c->cwnd;
}

static void bbr1_check_probe_rtt_done(struct cc *c, w_ns now)
{
    struct bbr1 *b = bbr1_of(c);
    if (b->done_ms == 0 || (int32_t)(cc_ms(now) - b->done_ms) <= 0)
        return;
    b->min_rtt_ms = cc_ms(now);
    c->cwnd = w_u32_max(c->cwnd, b->prior_cwnd);
    if (b->full_bw_reached)
        bbr1_start_probe_bw(b, now);
    else
        b->mode = BBR1_STARTUP;
}

static void bbr1_in_probe_rtt(struct cc *c, const struct bbr1_ack *k)
{
    struct bbr1 *b = bbr1_of(c);
    b->limited_to = (uint32_t)k->a->delivered + k->a->inflight;
    c->flags |= CC_APP_LIMITED; /* low samples of now must not count as the path's */
    if (b->done_ms == 0) {
        if (k->a->inflight > bbr1_min_pipe(c))
            return;
        b->done_ms = (cc_ms(k->a->now) + BBR_PROBE_RTT_MS) | 1;
        b->rtt_round_done = false;
        b->round_end = (uint32_t)k->a->delivered;
        return;
    }
    if (k->round_start)
        b->rtt_round_done = true;
    if (b->rtt_round_done)
        bbr1_check_probe_rtt_done(c, k->a->now);
}

static void bbr1_check_probe_rtt(struct cc *c, const struct bbr1_ack *k)
{
    struct bbr1 *b = bbr1_of(c);
    bool is_expired = bbr1_update_min_rtt(c, b, k->a);
    if (is_expired && !b->idle_restart && b->mode != BBR1_PROBE_RTT) {
        bbr1_save_cwnd(c);
        b->mode = BBR1_PROBE_RTT;
        b->done_ms = 0;
    }
    if (b->mode == BBR1_PROBE_RTT)
        bbr1_in_probe_rtt(c, k);
    else if ((int32_t)((uint32_t)k->a->delivered - b->limited_to) > 0)
        c->flags &= ~(uint32_t)CC_APP_LIMITED;
    if (k->a->acked != 0)
        b->idle_restart = false;
}

/* ---- control parameters ---- */

/* As much as a millisecond's worth, two segments at least unless the path is slow. */
static void bbr1_set_burst(struct cc *c)
{
    uint32_t bytes = (uint32_t)w_u64_min(c->pacing_Bps >> 10, BBR1_BURST_MAX);
    uint32_t least = c->pacing_Bps < BBR1_SINGLE_Bps ? 1 : 2;
    c->gso_burst = w_u32_min(w_u32_max(bytes / c->mss, least), BBR1_BURST_SEGS) * c->mss;
}

/* As long as nothing was measured: cwnd in one round trip. */
static void bbr1_init_pacing(struct cc *c, uint32_t srtt_us)
{
    uint32_t us = srtt_us != 0 ? srtt_us : 1000;
    uint32_t bw = bbr_bw_of((uint64_t)c->cwnd * 1000000 / us);
    bbr_set_pace(c, bbr_pace(bw, BBR1_HIGH_GAIN, BBR1_UNIT), true);
    bbr1_set_burst(c);
}

static void bbr1_set_pacing(struct cc *c, uint32_t gain, uint32_t srtt_us)
{
    struct bbr1 *b = bbr1_of(c);
    if (!b->has_seen_rtt && srtt_us != 0) {
        bbr1_init_pacing(c, srtt_us);
        b->has_seen_rtt = true;
    }
    bbr_set_pace(c, bbr_pace(bbr1_bw(b), gain, BBR1_UNIT), b->full_bw_reached);
    bbr1_set_burst(c);
}

/* What recovery makes of cwnd. True: that is all for now, as much is sent as arrives. */
static bool bbr1_repair_cwnd(struct cc *c, const struct cc_ack *a)
{
    struct bbr1 *b = bbr1_of(c);
    uint64_t conserved = w_u64_min((uint64_t)a->inflight + a->acked, CC_CWND_MAX);
    c->cwnd = c->cwnd > a->lost ? w_u32_max(c->cwnd - a->lost, c->mss) : c->mss;
    if (b->repair == REPAIR_FAST && b->seen_repair != REPAIR_FAST) {
        b->is_conserving = true;
        b->round_end = (uint32_t)a->delivered;
        c->cwnd = (uint32_t)conserved;
    } else if (b->repair == REPAIR_NONE && b->seen_repair != REPAIR_NONE) {
        b->is_conserving = false;
        c->cwnd = w_u32_max(c->cwnd, b->prior_cwnd);
    }
    /* A window that is not in use cannot grow, says cc.c: then it is restored when it is. */
    if (b->repair != REPAIR_NONE || a->cwnd_limited)
        b->seen_repair = b->repair;
    if (b->is_conserving)
        c->cwnd = w_u32_max(c->cwnd, (uint32_t)conserved);
    return b->is_conserving;
}

/* What comes at once, as far as it is no more than in 100 ms. */
static uint64_t bbr1_extra(struct cc *c)
{
    struct bbr1 *b = bbr1_of(c);
    if (!b->full_bw_reached)
        return 0;
    return w_u64_min(bbr_extra_bytes(&b->extra, c->mss), bbr_volume(bbr1_bw(b), BBR1_EXTRA_MAX_US));
}

static void bbr1_grow_cwnd(struct cc *c, const struct cc_ack *a)
{
    struct bbr1 *b = bbr1_of(c);
    uint64_t bdp = bbr1_bdp(c, bbr1_bw(b), bbr1_cwnd_gain(b));
    uint32_t most = bbr1_budget(c, bdp + bbr1_extra(c));
    uint64_t grown = w_u64_min((uint64_t)c->cwnd + a->acked, CC_CWND_MAX);
    if (b->full_bw_reached)
        c->cwnd = (uint32_t)w_u64_min(grown, most);
    else if (c->cwnd < most || a->delivered < BBR_IW_SEGS * c->mss)
        c->cwnd = (uint32_t)grown;
    c->cwnd = w_u32_max(c->cwnd, bbr1_min_pipe(c));
}

static void bbr1_set_cwnd(struct cc *c, const struct cc_ack *a)
{
    if (a->acked != 0 && !bbr1_repair_cwnd(c, a))
        bbr1_grow_cwnd(c, a);
    if (bbr1_of(c)->mode == BBR1_PROBE_RTT)
        c->cwnd = w_u32_min(c->cwnd, bbr1_min_pipe(c));
}

/* ---- events ---- */

static void bbr1_init(struct cc *c, w_ns now)
{
    struct bbr1 *b = bbr1_of(c);
    memset(b, 0, sizeof *b);
    b->min_rtt_us = BBR_INF;
    b->min_rtt_ms = b->delivered_ms = cc_ms(now);
    bbr_extra_begin(&b->extra, now);
    bbr1_forget_policer(b);
    bbr1_init_pacing(c, 0);
}

static void bbr1_on_ack(struct cc *c, const struct cc_ack *ack)
{
    struct bbr1 *b = bbr1_of(c);
    struct bbr1_ack k = {.a = ack, .bw = bbr_bw_of(ack->rate_Bps)};
    if (bbr1_update_bw(c, &k))
        bbr1_start_probe_bw(b, ack->now);
    if (b->mode == BBR1_PROBE_BW && bbr1_is_phase_over(c, &k))
        bbr1_start_phase(b, b->phase + 1u, ack->now);
    bbr1_check_full(b, &k);
    bbr1_check_drain(c, &k);
    bbr1_check_probe_rtt(c, &k);
    bbr1_set_pacing(c, bbr1_pacing_gain(b), ack->srtt_us);
    bbr1_set_cwnd(c, ack);
}

static void bbr1_on_lost(struct cc *c, const struct cc_lost *l)
{
    struct bbr1 *b = bbr1_of(c);
    b->lt_lost = w_u32_min(b->lt_lost, CC_CWND_MAX) + w_u32_min(l->bytes, CC_CWND_MAX);
}

/* A mark changes nothing. A timeout is the end of a round trip, and asks whether the pipe was as
 * full as it seemed. */
static void bbr1_on_loss(struct cc *c, enum cc_loss what, const struct cc_ack *ack)
{
    struct bbr1 *b = bbr1_of(c);
    bbr1_save_cwnd(c);
    if (what == CC_LOSS_FAST)
        b->repair = REPAIR_FAST;
    if (what != CC_LOSS_RTO)
        return;
    b->repair = b->seen_repair = REPAIR_RTO;
    b->full_bw = 0;
    struct cc_ack none = {.now = ack->now};
    struct bbr1_ack k = {.a = &none, .round_start = true};
    if (bbr1_sample_policer(b, &k, true))
        bbr1_start_probe_bw(b, ack->now);
}

/* The next ACK restores cwnd. */
static void bbr1_on_recovered(struct cc *c, const struct cc_ack *ack)
{
    (void)ack;
    bbr1_of(c)->repair = REPAIR_NONE;
}

static void bbr1_on_undo(struct cc *c, w_ns now)
{
    struct bbr1 *b = bbr1_of(c);
    (void)now;
    b->repair = REPAIR_NONE;
    b->full_bw = 0;
    b->full_bw_count = 0;
    bbr1_forget_policer(b);
}

/* Back to the rate of before, paced: no slow start, no burst, and no probe for the RTT, as the path
 * has been empty. */
static void bbr1_on_idle(struct cc *c, w_ns now, w_ns idle)
{
    struct bbr1 *b = bbr1_of(c);
    (void)idle;
    b->idle_restart = true;
    bbr_extra_begin(&b->extra, now);
    if (b->mode == BBR1_PROBE_BW)
        bbr1_set_pacing(c, BBR1_UNIT, 0);
    else if (b->mode == BBR1_PROBE_RTT)
        bbr1_check_probe_rtt_done(c, now);
}

static size_t bbr1_info(const struct cc *c, union cc_info *info)
{
    const struct bbr1 *b = (const struct bbr1 *)(const void *)c->priv;
    return bbr_tell(info, bbr1_bw(b), b->min_rtt_us, bbr1_pacing_gain(b), bbr1_cwnd_gain(b));
}

const struct cc_ops cc_bbr1 = {
    .name = "bbr1",
    .priv_size = sizeof(struct bbr1),
    .wants_rate = 1,
    .every_ack = 1,
    .init = bbr1_init,
    .on_ack = bbr1_on_ack,
    .on_loss = bbr1_on_loss,
    .on_recovered = bbr1_on_recovered,
    .on_undo = bbr1_on_undo,
    .on_idle = bbr1_on_idle,
    .on_lost = bbr1_on_lost,
    .info = bbr1_info,
};
