/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of BBR's first version and the seam between its two halves: bbr1_model.c learns what
 * the path is like, bbr1.c decides what to do with it. Private to cc/. bbr_parts.h has what the
 * third version does the same way.
 *
 * Rates are in units of 16 bytes a second, volumes in bytes, times in milliseconds of a wrapping
 * clock where microseconds do not matter. Gains are of BBR1_UNIT, as Linux shows them.
 */
#ifndef WEIR_CC_BBR1_H
#define WEIR_CC_BBR1_H

#include "cc/bbr_parts.h"

enum { BBR1_UNIT = 256, BBR1_PHASES = 8 };
enum bbr1_mode { BBR1_STARTUP, BBR1_DRAIN, BBR1_PROBE_BW, BBR1_PROBE_RTT };
/* What tcp/ is busy with: recovery from losses, or from a timeout. */
enum bbr1_repair { REPAIR_NONE, REPAIR_FAST, REPAIR_RTO };

struct bbr1 {
    uint32_t max_bw[3];    /* the best samples of 10 round trips: the best, and later ones */
    uint16_t max_round[3]; /* when they were taken */
    uint16_t n_round;
    uint32_t round_end;  /* low 32 bits of `delivered` */
    uint32_t min_rtt_us; /* BBR_INF: none yet */
    uint32_t min_rtt_ms; /* when that was seen */
    uint32_t full_bw;    /* what STARTUP must exceed by a quarter */
    uint32_t phase_us;   /* start of this phase of PROBE_BW */
    uint32_t done_ms;    /* PROBE_RTT may end then; 0: too much is in flight yet */
    uint32_t limited_to; /* of `delivered`: what PROBE_RTT had in flight at last, counted */
    uint32_t prior_cwnd; /* before recovery or PROBE_RTT */
    struct bbr_extra extra;
    uint32_t lt_bw;               /* of the last long interval with much loss; 0: none */
    uint32_t lt_acked, lt_lost;   /* in this interval */
    uint32_t lt_ms, delivered_ms; /* its start, and the last ACK with news */
    uint8_t lt_rounds;            /* of this interval, or since lt_bw is used */
    uint8_t mode : 2, phase : 3, full_bw_count : 2, full_bw_reached : 1;
    uint8_t repair : 2, seen_repair : 2; /* enum bbr1_repair: now, and at the last ACK */
    bool is_conserving : 1, lt_is_sampling : 1, lt_is_used : 1, idle_restart : 1;
    bool rtt_round_done : 1, has_seen_rtt : 1;
};
_Static_assert(sizeof(struct bbr1) <= CC_PRIV, "bbr1's memory");

/* One ACK, as both halves look at it. */
struct bbr1_ack {
    const struct cc_ack *a;
    uint32_t bw; /* the rate sample, 0: none */
    bool round_start;
};

static inline struct bbr1 *bbr1_of(struct cc *c) { return (struct bbr1 *)(void *)c->priv; }

/* ---- bbr1_model.c ---- */

/* Rounds, the policer's rate, max_bw, aggregation; fills k->round_start. True: a policer has been
 * heeded for long enough, probe again. */
bool bbr1_update_bw(struct cc *, struct bbr1_ack *k);
/* Is the pipe full? Asked at the end of each round. */
void bbr1_check_full(struct bbr1 *, const struct bbr1_ack *);
/* True: for ten seconds no RTT was as short as min_rtt, which is this ACK's now. */
bool bbr1_update_min_rtt(const struct cc *, struct bbr1 *, const struct cc_ack *);
/* As bbr1_update_bw of the policer, after a timeout too; is_lossy: something was lost just now. */
bool bbr1_sample_policer(struct bbr1 *, const struct bbr1_ack *, bool is_lossy);
void bbr1_forget_policer(struct bbr1 *);

static inline uint32_t bbr1_max_bw(const struct bbr1 *b) { return b->max_bw[0]; }
/* What to pace at: max_bw, or what a policer lets through. */
static inline uint32_t bbr1_bw(const struct bbr1 *b)
{
    return b->lt_is_used ? b->lt_bw : b->max_bw[0];
}

#endif
