/* SPDX-License-Identifier: Apache-2.0
 *
 * BBR's memory and the seam between its two halves: bbr_model.c learns what the path is like, bbr.c
 * decides what to do with it. Private to cc/. Names are the draft's: draft-ietf-ccwg-bbr 2.
 *
 * 96 bytes hold it, because
 *   - rates are in units of 16 bytes a second (bbr_parts.h): up to 68 GB/s in 32 bits;
 *   - times are milliseconds of a wrapping clock, except where microseconds matter;
 *   - volumes are bytes, aggregation is segments;
 *   - what only one state needs shares a field with what only another needs;
 *   - probe_up_acked_per_inc is computed when it is needed, and undo_bw_shortterm follows from
 *     undo_inflight_shortterm, as both are infinite together.
 */
#ifndef WEIR_CC_BBR_H
#define WEIR_CC_BBR_H

#include "cc/bbr_parts.h"

enum { BBR_BETA_PERCENT = 70 };

/* In this order: the states that probe for bandwidth in cycles are BBR_DOWN to BBR_UP. */
enum bbr_state { BBR_STARTUP, BBR_DRAIN, BBR_DOWN, BBR_CRUISE, BBR_REFILL, BBR_UP, BBR_PROBE_RTT };
enum bbr_acks { ACKS_INIT, ACKS_REFILLING, ACKS_STARTING, ACKS_FEEDBACK, ACKS_STOPPING };
enum bbr_undo { UNDO_NONE, UNDO_STARTUP, UNDO_UP };

struct bbr {
    uint32_t max_bw[2];    /* largest sample of this cycle of probing, and of the last */
    uint32_t bw_shortterm; /* BBR_INF: no bound */
    uint32_t bw_latest;    /* largest sample of this round trip */
    uint32_t full_bw;      /* what a further sample must exceed by a quarter */
    uint32_t min_rtt_us;   /* BBR_INF: none yet */
    uint32_t min_rtt_ms;   /* when that was seen */
    uint32_t probe_rtt_us; /* least of the last 5 s, BBR_INF: none yet */
    uint32_t probe_rtt_ms;
    uint32_t phase_ms; /* PROBE_RTT: it may end then; else start of this cycle of probing */
    uint32_t inflight_latest;
    uint32_t inflight_longterm, inflight_shortterm; /* BBR_INF: no bound */
    uint32_t undo_longterm, undo_shortterm;
    uint32_t prior_cwnd;
    uint32_t round_end, loss_round_end; /* low 32 bits of `delivered` */
    struct bbr_extra extra;
    uint32_t up_acked; /* since inflight_longterm was raised */
    uint16_t probe_wait_ms;
    uint8_t rounds;          /* DRAIN: in it; UP: in which inflight_longterm was raised */
    uint8_t rounds_unprobed; /* since the last UP */
    uint8_t loss_events;     /* ranges lost in this round trip */
    uint8_t full_bw_count : 2, is_mark_in_round : 1;
    uint8_t state : 3, ack_phase : 3, undo_state : 2;
    bool full_bw_reached : 1, full_bw_now : 1, is_probe_sample : 1, is_loss_in_round : 1,
        prev_too_high : 1, prev_precautionary : 1, idle_restart : 1, rtt_round_done : 1;
};
_Static_assert(sizeof(struct bbr) <= CC_PRIV, "bbr's memory");

/* One ACK, as both halves look at it. */
struct bbr_ack {
    const struct cc_ack *a;
    uint32_t bw;        /* the rate sample, in BBR's unit; 0: none */
    uint32_t delivered; /* RS.delivered, bytes */
    bool round_start, loss_round_start;
    bool probe_rtt_expired;
};

static inline struct bbr *bbr_of(struct cc *c) { return (struct bbr *)(void *)c->priv; }
/* More lost of what was in flight than the path may lose by itself [BBR.LossThresh]. */
static inline bool bbr_is_too_high(const struct cc *c, uint64_t lost, uint64_t tx_inflight,
                                   bool has_sack)
{
    return lost * 100 > tx_inflight * c->noise_percent || (lost > 0 && !has_sack);
}
static inline bool bbr_is_probe_bw(const struct bbr *b)
{
    return b->state >= BBR_DOWN && b->state <= BBR_UP;
}

/* ---- bbr_model.c ---- */

/* The round that ends with the ACK of something sent from now on. */
void bbr_start_round(struct bbr *, uint64_t delivered);
/* Rounds, the latest delivery, max_bw, the short-term bounds, aggregation, full_bw; fills *k. */
void bbr_update_model(struct cc *, struct bbr_ack *k);
/* min_rtt and its expiry; fills k->probe_rtt_expired. */
void bbr_update_min_rtt(struct bbr *, struct bbr_ack *k);
/* At the end of an ACK's work: this round's maxima begin anew where one ended. */
void bbr_advance_latest(struct bbr *, const struct bbr_ack *);
/* A new cycle: max_bw forgets the one before the last. */
void bbr_advance_max_bw(struct bbr *);
void bbr_reset_congestion(struct bbr *);
void bbr_reset_shortterm(struct bbr *);
void bbr_reset_full_bw(struct bbr *, uint32_t baseline);
/* What may have to be undone is remembered at the first loss of a round. */
void bbr_note_loss(struct cc *, uint64_t delivered);

/* min(max_bw, bw_shortterm), in BBR's unit. */
uint32_t bbr_bw(const struct bbr *);
static inline uint32_t bbr_max_bw(const struct bbr *b)
{
    return w_u32_max(b->max_bw[0], b->max_bw[1]);
}
/* bw * min_rtt * percent / 100, bytes; the initial window while min_rtt is unknown. */
uint32_t bbr_bdp(const struct cc *, uint32_t bw, uint32_t percent);

#endif
