/* SPDX-License-Identifier: Apache-2.0
 *
 * An algorithm, as the registry in cc.c sees it, and what several of them share. Private to cc/.
 */
#ifndef WEIR_CC_OPS_H
#define WEIR_CC_OPS_H

#include "cc/cc.h"

extern const struct cc_ops cc_reno, cc_cubic, cc_vegas, cc_westwood, cc_bic, cc_dctcp, cc_bbr,
    cc_ledbat, cc_bbr1;

/* Beyond this cwnd does not grow: sums of windows stay far from 32 bits. */
#define CC_CWND_MAX (1u << 30)

/* Slow start for at most `acked` bytes [RFC 5681 3.1, RFC 3465 with L unlimited, as ACKs may be
 * stretched by offloads]: returns how many of them are left once ssthresh is reached. */
static inline uint32_t cc_slow_start(struct cc *c, uint32_t acked)
{
    uint32_t room = c->ssthresh - c->cwnd;
    uint32_t used = w_u32_min(acked, room);
    c->cwnd = w_u32_min(c->cwnd + used, CC_CWND_MAX);
    return acked - used;
}

/* Reno's growth: slow start, then a segment for every cwnd bytes acknowledged. *count: bytes
 * towards the next segment, the caller's to keep, 0 at first. (reno.c) */
void cc_reno_grow(struct cc *, uint32_t *count, const struct cc_ack *);

/* Reno's ssthresh, from a window that was really in use [RFC 5681 3.1 (4)]; for a congestion mark
 * in congestion avoidance a smaller step back [RFC 8511 3.1: beta_ecn 0.8]. (reno.c) */
uint32_t cc_reno_ssthresh(const struct cc *, enum cc_loss, uint32_t window);

/* window * part / whole in whole segments, but at least two. */
static inline uint32_t cc_part(const struct cc *c, uint32_t window, uint32_t part, uint32_t whole)
{
    uint32_t bytes = (uint32_t)((uint64_t)window * part / whole);
    return w_u32_max(bytes / c->mss * c->mss, 2 * c->mss);
}

/* A mark is answered more gently than a loss, but not in slow start [RFC 8511 3]. */
static inline bool cc_is_abe(const struct cc *c, enum cc_loss what)
{
    return what == CC_LOSS_ECN && !cc_in_slow_start(c);
}

/* A clock of 32 bits for differences; wraps after 49 days. */
static inline uint32_t cc_ms(w_ns now) { return (uint32_t)(now / W_MS); }

/* ---- round trips ---- */

/* A round trip as packets see it: it ends with the first ACK for something sent after it began.
 * All zero: the next ACK begins the first one. */
struct cc_round {
    uint32_t end; /* low 32 bits of `delivered` that must be exceeded */
    bool is_begun;
};

static inline void cc_round_begin(struct cc_round *r, const struct cc_ack *ack)
{
    r->end = (uint32_t)ack->delivered + ack->inflight;
    r->is_begun = true;
}

static inline bool cc_round_is_over(const struct cc_round *r, const struct cc_ack *ack)
{
    return r->is_begun && (int32_t)((uint32_t)ack->delivered - r->end) > 0;
}

/* True for the ACK that ends a round; the next one begins at once. */
static inline bool cc_round_over(struct cc_round *r, const struct cc_ack *ack)
{
    bool is_over = cc_round_is_over(r, ack);
    if (is_over || !r->is_begun)
        cc_round_begin(r, ack);
    return is_over;
}

#endif
