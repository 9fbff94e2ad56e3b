/* SPDX-License-Identifier: Apache-2.0
 *
 * BIC: after a loss the right window lies between the reduced one and the one that was too large;
 * binary search finds it. CUBIC is its successor.
 *
 * Decides: growth once per round trip, the decrease of an eighth, fast convergence.
 * Owns: the last maximum, the increment of this round, the step of probing beyond the maximum.
 * Called through cc.c; calls validate.c.
 *
 * Xu, Harfoush, Rhee, "Binary Increase Congestion Control (BIC) for Fast Long-Distance Networks",
 * INFOCOM 2004, section III; the constants are those of its section IV.
 *
 * Theory of operation. With d = max - cwnd, cwnd grows in each round trip by
 *
 *     S_max                 while d / 2 > S_max      additive increase
 *     d / 2                 then                     binary search: half the way each time
 *     S_min at least        until the maximum        1/100 segment
 *     1, 2, 4 ... S_max     beyond it                max probing: slow start's mirror image
 *
 *       max  - - - - - - - - - .-·—————·-. - -
 *                       .·´                 `     the curve of the paper's figure 2
 *                   ·´                       ·
 *                 /                           \
 *
 * Below low_window = 14 segments it is Reno. The increment is computed once per round and spread
 * over the round's ACKs. S_max is 32 segments, beta 1/8.
 *
 * Invariant: rest < cwnd.
 */
#include "cc/validate.h"

enum { BIC_LOW_WINDOW = 14, BIC_S_MAX = 32, BIC_S_MIN_PART = 100 };

struct bic {
    struct cc_round round;
    struct cc_used used;
    uint32_t max; /* window of the last loss, bytes; 0: none */
    uint32_t undo_max;
    uint32_t inc;   /* bytes to grow by in this round trip, 0: not computed */
    uint32_t probe; /* step beyond the maximum, bytes, 0: not beyond */
    uint64_t rest;  /* remainder of the division by cwnd */
};
_Static_assert(sizeof(struct bic) <= CC_PRIV, "bic's memory");

static struct bic *bic_of(struct cc *c) { return (struct bic *)(void *)c->priv; }

static void bic_init(struct cc *c, w_ns now)
{
    (void)now;
    memset(bic_of(c), 0, sizeof(struct bic));
}

/* A new climb: nothing of the last one counts. */
static void bic_start_climb(struct bic *b)
{
    b->round.is_begun = false;
    b->inc = b->probe = 0;
    b->rest = 0;
}

/* What this round trip adds, bytes. */
static uint32_t bic_increment(const struct cc *c, struct bic *b)
{
    uint32_t s_max = BIC_S_MAX * c->mss, s_min = w_u32_max(c->mss / BIC_S_MIN_PART, 1);
    if (c->cwnd < BIC_LOW_WINDOW * c->mss)
        return c->mss;
    if (c->cwnd < b->max) {
        b->probe = 0;
        uint32_t half = (b->max - c->cwnd) / 2;
        return w_u32_min(w_u32_max(half, s_min), s_max);
    }
    b->probe = b->probe == 0 ? c->mss : w_u32_min(2 * b->probe, s_max);
    return b->probe;
}

static void bic_on_ack(struct cc *c, const struct cc_ack *ack)
{
    struct bic *b = bic_of(c);
    cc_used_on_ack(&b->used, c, ack);
    bool is_over = cc_round_over(&b->round, ack);
    if (!ack->cwnd_limited)
        return;
    uint32_t acked = ack->acked;
    if (cc_in_slow_start(c))
        acked = cc_slow_start(c, acked);
    if (acked == 0 || cc_in_slow_start(c))
        return;
    if (is_over || b->inc == 0)
        b->inc = bic_increment(c, b);
    uint64_t sum = (uint64_t)b->inc * acked + b->rest;
    b->rest = sum % c->cwnd;
    c->cwnd = (uint32_t)w_u64_min(c->cwnd + sum / c->cwnd, CC_CWND_MAX);
}

static void bic_on_loss(struct cc *c, enum cc_loss what, const struct cc_ack *ack)
{
    struct bic *b = bic_of(c);
    uint32_t w = cc_used_window(&b->used, c, ack);
    b->undo_max = b->max;
    bic_start_climb(b);
    if (w < BIC_LOW_WINDOW * c->mss) {
        c->ssthresh = cc_reno_ssthresh(c, what, w);
        b->max = w;
        return;
    }
    c->ssthresh = cc_part(c, w, 7, 8);
    /* Fast convergence: a maximum below the last one makes room for a newcomer. */
    b->max = w < b->max ? w - (w - c->ssthresh) / 2 : w;
}

static void bic_on_recovered(struct cc *c, const struct cc_ack *ack)
{
    (void)ack;
    c->cwnd = w_u32_min(c->cwnd, c->ssthresh);
    bic_start_climb(bic_of(c));
}

static void bic_on_undo(struct cc *c, w_ns now)
{
    (void)now;
    bic_of(c)->max = bic_of(c)->undo_max;
    bic_start_climb(bic_of(c));
}

static void bic_on_idle(struct cc *c, w_ns now, w_ns idle)
{
    (void)now;
    (void)idle;
    cc_used_on_idle(&bic_of(c)->used);
    bic_of(c)->round.is_begun = false;
}

const struct cc_ops cc_bic = {
    .name = "bic",
    .priv_size = sizeof(struct bic),
    .init = bic_init,
    .on_ack = bic_on_ack,
    .on_loss = bic_on_loss,
    .on_recovered = bic_on_recovered,
    .on_undo = bic_on_undo,
    .on_idle = bic_on_idle,
};
