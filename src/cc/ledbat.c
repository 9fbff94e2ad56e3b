/* SPDX-License-Identifier: Apache-2.0
 *
 * LEDBAT++: a background class. It uses what nobody else wants and withdraws when others come,
 * because it never adds more than 60 ms to the path's delay.
 *
 * Decides: growth no faster than Reno's, and slower on short paths; shrinking in proportion to the
 * delay beyond the target; a slowdown now and then to see the path empty.
 * Owns: the base delay of ten minutes, the last four RTTs, the phase and its times.
 * Called through cc.c. Delays are round-trip times: the sender needs no help from the receiver.
 *
 * draft-irtf-iccrg-ledbat-plus-plus section 4; RFC 6817 for the base history and the filter.
 *
 * Theory of operation. T = 60 ms, queue = least of the last 4 RTTs - base, W = cwnd in segments,
 *
 *     G      = 1 / min(16, ceil(2 T / base))                             [4.2]
 *     W     += G                                 per RTT, queue <= T     [4.3]
 *     W     += max(G - W (queue / T - 1), -W/2)  per RTT, queue > T      [4.3]
 *
 * Slow start grows by G times what is acknowledged, and the first one ends at 3/4 T [4.1]. Two RTTs
 * after it, and then each time after nine times as long as the last one took, there is a slowdown
 * [4.4]: two segments for two RTTs, which shows the base delay even to several LEDBAT++ flows that
 * hold a queue together, then slow start back to where it was.
 *
 * | phase  | cwnd                            | ends when                          | then   |
 * |--------|---------------------------------|------------------------------------|--------|
 * | START  | + G acked                       | queue > 3/4 T, or ssthresh reached | AVOID  |
 * | AVOID  | by the formulas above           | the next slowdown is due           | FREEZE |
 * | FREEZE | 2 segments                      | after two RTTs                     | RAMP   |
 * | RAMP   | + G acked                       | ssthresh reached                   | AVOID  |
 *
 * [4.1 DEVIATES: the initial window is tcp/'s.] Loss halves the window, as Reno.
 */
#include "cc/ops.h"

enum {
    LEDBAT_TARGET_US = 60000,
    LEDBAT_GAIN_MAX = 16,
    LEDBAT_BASES = 10,
    LEDBAT_BASE_MS = 60000, /* each of the ten [RFC 6817 3.4.2] */
    LEDBAT_FILTER = 4,
    LEDBAT_SLOW_SEGS = 2,
    LEDBAT_SLOW_RTTS = 2,
    LEDBAT_SLOW_EVERY = 9,
};

enum ledbat_phase { LEDBAT_START, LEDBAT_AVOID, LEDBAT_FREEZE, LEDBAT_RAMP };

struct ledbat {
    uint32_t base_us[LEDBAT_BASES]; /* least RTT of each minute, [0] is this one; 0: none */
    uint32_t last_us[LEDBAT_FILTER];
    uint32_t minute_ms; /* start of this minute */
    uint32_t slow_ms;   /* AVOID: next slowdown, 0: not planned; FREEZE, RAMP: start of this one */
    uint32_t target;    /* ssthresh after the last loss */
    int64_t rest;       /* remainder of growth, less than its divisor */
    uint8_t phase;      /* enum ledbat_phase */
    uint8_t at;         /* oldest of last_us */
    bool has_minute;
};
_Static_assert(sizeof(struct ledbat) <= CC_PRIV, "ledbat's memory");

static struct ledbat *ledbat_of(struct cc *c) { return (struct ledbat *)(void *)c->priv; }

static void ledbat_init(struct cc *c, w_ns now)
{
    (void)now;
    memset(ledbat_of(c), 0, sizeof(struct ledbat));
}

/* Least of n values that are not 0; 0: all are. */
static uint32_t ledbat_least(const uint32_t *v, unsigned n)
{
    uint32_t l = 0;
    for (unsigned i = 0; i < n; i++)
        if (v[i] != 0 && (l == 0 || v[i] < l))
            l = v[i];
    return l;
}

static void ledbat_sample(struct ledbat *l, const struct cc_ack *ack)
{
    uint32_t now_ms = cc_ms(ack->now);
    if (ack->rtt_us == 0)
        return;
    if (!l->has_minute || now_ms - l->minute_ms >= LEDBAT_BASE_MS) {
        memmove(l->base_us + 1, l->base_us, sizeof l->base_us - sizeof l->base_us[0]);
        l->base_us[0] = 0;
        l->minute_ms = now_ms;
        l->has_minute = true;
    }
    if (l->base_us[0] == 0 || ack->rtt_us < l->base_us[0])
        l->base_us[0] = ack->rtt_us;
    l->last_us[l->at] = ack->rtt_us;
    l->at = (uint8_t)((l->at + 1) % LEDBAT_FILTER);
}

/* What waits in the queue now, as far as the last RTTs know. */
static uint32_t ledbat_queue_us(const struct ledbat *l)
{
    uint32_t base = ledbat_least(l->base_us, LEDBAT_BASES),
             last = ledbat_least(l->last_us, LEDBAT_FILTER);
    return last > base ? last - base : 0;
}

/* G is 1 / this [4.2]. */
static uint32_t ledbat_gain_part(const struct ledbat *l)
{
    uint32_t base_us = ledbat_least(l->base_us, LEDBAT_BASES);
    if (base_us == 0)
        return LEDBAT_GAIN_MAX;
    if (base_us >= 2 * LEDBAT_TARGET_US)
        return 1;
    return w_u32_min((2 * LEDBAT_TARGET_US + base_us - 1) / base_us, LEDBAT_GAIN_MAX);
}

/* Adds num / den bytes to cwnd and keeps what division leaves. */
static void ledbat_add(struct cc *c, struct ledbat *l, int64_t num, int64_t den)
{
    num += l->rest;
    int64_t bytes = num / den;
    l->rest = num % den;
    int64_t cwnd = (int64_t)c->cwnd + bytes, low = LEDBAT_SLOW_SEGS * (int64_t)c->mss;
    cwnd = cwnd < low ? low : cwnd;
    c->cwnd = cwnd > CC_CWND_MAX ? CC_CWND_MAX : (uint32_t)cwnd;
}

static void ledbat_avoid(struct cc *c, struct ledbat *l)
{
    l->phase = LEDBAT_AVOID;
    l->rest = 0;
    c->ssthresh = c->cwnd;
}

/* W += ... per RTT, so for each byte acknowledged a cwnd'th of it; in bytes all is times mss. */
static void ledbat_respond(struct cc *c, struct ledbat *l, uint32_t acked)
{
    uint32_t queue = ledbat_queue_us(l), part = ledbat_gain_part(l);
    int64_t mss = c->mss, cwnd = c->cwnd;
    if (queue <= LEDBAT_TARGET_US) {
        ledbat_add(c, l, mss * acked, cwnd * part);
        return;
    }
    int64_t over =
        w_u32_min(queue - LEDBAT_TARGET_US, LEDBAT_TARGET_US);   /* beyond it -W/2 rules anyway */
    int64_t delta = mss / part - cwnd * over / LEDBAT_TARGET_US; /* bytes per RTT */
    delta = delta < -cwnd / 2 ? -cwnd / 2 : delta;
    ledbat_add(c, l, delta * acked, cwnd);
}

/* [4.4] */
static void ledbat_slow_down(struct cc *c, struct ledbat *l, uint32_t now_ms)
{
    c->ssthresh = c->cwnd;
    c->cwnd = w_u32_min(c->cwnd, LEDBAT_SLOW_SEGS * c->mss);
    l->phase = LEDBAT_FREEZE;
    l->slow_ms = now_ms;
    l->rest = 0;
}

static void ledbat_ramp(struct cc *c, struct ledbat *l, const struct cc_ack *ack, uint32_t now_ms)
{
    bool is_first = l->phase == LEDBAT_START;
    if (!is_first || ledbat_queue_us(l) <= LEDBAT_TARGET_US / 4 * 3) {
        uint32_t most = w_u32_max(c->cwnd, c->ssthresh);
        ledbat_add(c, l, w_u32_min(ack->acked, CC_CWND_MAX), ledbat_gain_part(l));
        c->cwnd = w_u32_min(c->cwnd, most);
        if (cc_in_slow_start(c))
            return;
    }
    ledbat_avoid(c, l);
    uint32_t wait = LEDBAT_SLOW_RTTS * (ack->srtt_us / 1000);
    if (!is_first)
        wait =
            LEDBAT_SLOW_EVERY * w_u32_min(now_ms - l->slow_ms, UINT32_MAX / 4 / LEDBAT_SLOW_EVERY);
    l->slow_ms = (now_ms + wait) | 1;
}

static void ledbat_on_ack(struct cc *c, const struct cc_ack *ack)
{
    struct ledbat *l = ledbat_of(c);
    uint32_t now_ms = cc_ms(ack->now);
    ledbat_sample(l, ack);
    if (l->phase == LEDBAT_AVOID && l->slow_ms != 0 && (int32_t)(now_ms - l->slow_ms) >= 0) {
        ledbat_slow_down(c, l, now_ms);
        return;
    }
    if (l->phase == LEDBAT_FREEZE) {
        if (now_ms - l->slow_ms >= LEDBAT_SLOW_RTTS * (ack->srtt_us / 1000))
            l->phase = LEDBAT_RAMP;
        return;
    }
    /* Growth is for windows that are full; shrinking is for all. */
    if (!ack->cwnd_limited && (l->phase != LEDBAT_AVOID || ledbat_queue_us(l) <= LEDBAT_TARGET_US))
        return;
    if (l->phase == LEDBAT_AVOID)
        ledbat_respond(c, l, w_u32_min(ack->acked, c->cwnd));
    else
        ledbat_ramp(c, l, ack, now_ms);
}

/* Half of the window, which during a slowdown is the one to return to. */
static void ledbat_on_loss(struct cc *c, enum cc_loss what, const struct cc_ack *ack)
{
    struct ledbat *l = ledbat_of(c);
    bool is_slow = l->phase == LEDBAT_FREEZE || l->phase == LEDBAT_RAMP;
    l->rest = 0;
    l->target = cc_reno_ssthresh(c, what, is_slow ? w_u32_max(c->cwnd, c->ssthresh) : c->cwnd);
    c->ssthresh = l->target;
    if (what == CC_LOSS_RTO) {
        l->phase = LEDBAT_RAMP; /* slow start leads back, as after a slowdown */
        l->slow_ms = cc_ms(ack->now);
        return;
    }
    l->phase = LEDBAT_AVOID;
    l->slow_ms = 0;
    c->ssthresh = w_u32_min(l->target, w_u32_max(c->cwnd, 2 * c->mss)); /* tcp/ makes it cwnd */
}

static void ledbat_on_recovered(struct cc *c, const struct cc_ack *ack)
{
    struct ledbat *l = ledbat_of(c);
    c->cwnd = w_u32_min(c->cwnd, c->ssthresh);
    if (l->phase != LEDBAT_AVOID || l->slow_ms != 0)
        return;
    if (l->target > c->ssthresh) {
        c->ssthresh = l->target;
        l->phase = LEDBAT_RAMP;
        l->slow_ms = cc_ms(ack->now);
        return;
    }
    l->slow_ms = (cc_ms(ack->now) + LEDBAT_SLOW_RTTS * (ack->srtt_us / 1000)) | 1;
}

static void ledbat_on_undo(struct cc *c, w_ns now)
{
    struct ledbat *l = ledbat_of(c);
    l->rest = 0;
    l->phase = c->ssthresh == CC_SSTHRESH_INF ? LEDBAT_START : LEDBAT_AVOID;
    l->slow_ms = (cc_ms(now) + 1000) | 1;
}

/* What was seen of the queue before the pause is gone; the base delay is the path's. */
static void ledbat_on_idle(struct cc *c, w_ns now, w_ns idle)
{
    (void)now;
    (void)idle;
    memset(ledbat_of(c)->last_us, 0, sizeof ledbat_of(c)->last_us);
}

const struct cc_ops cc_ledbat = {
    .name = "ledbat",
    .priv_size = sizeof(struct ledbat),
    .init = ledbat_init,
    .on_ack = ledbat_on_ack,
    .on_loss = ledbat_on_loss,
    .on_recovered = ledbat_on_recovered,
    .on_undo = ledbat_on_undo,
    .on_idle = ledbat_on_idle,
};
