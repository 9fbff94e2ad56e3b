/* SPDX-License-Identifier: Apache-2.0
 *
 * What BBR's first version (bbr1.c) and its third (bbr.c) measure and compute alike: units,
 * products of rate and time, aggregation on the way, the pacing rate. Private to cc/; neither the
 * one's nor the other's memory is known here.
 *
 * Rates are in units of 16 bytes a second: up to 68 GB/s in 32 bits. A gain is given as a fraction
 * of `unit`, as the two have theirs in different units.
 */
#ifndef WEIR_CC_BBR_PARTS_H
#define WEIR_CC_BBR_PARTS_H

#include "cc/ops.h"

enum { BBR_BW_SHIFT = 4, BBR_MIN_PIPE_SEGS = 4, BBR_PROBE_RTT_MS = 200 };
enum { BBR_MIN_RTT_MS = 10000, BBR_FULL_BW_ROUNDS = 3, BBR_EXTRA_ROUNDS = 5, BBR_IW_SEGS = 10 };
#define BBR_INF UINT32_MAX

/* How much arrives at once though it left one by one. */
struct bbr_extra {
    uint32_t since_us;               /* start of the interval */
    uint32_t acked : 29, rounds : 3; /* delivered since, at most 512 MB; of this window */
    uint16_t segs[2]; /* largest excess of this window of round trips, and of the last */
};

/* Bytes a second in BBR's unit: what is not 0 stays so. */
uint32_t bbr_bw_of(uint64_t rate_Bps);
/* How much a rate delivers in so many microseconds: bytes, at most CC_CWND_MAX. */
uint32_t bbr_volume(uint32_t bw, uint32_t us);
/* bw times a gain, less the margin of 1 % that keeps queues short: bytes a second. */
uint64_t bbr_pace(uint32_t bw, uint32_t gain, uint32_t unit);
/* c->pacing_Bps becomes `rate`; it only rises while `is_full` is false, and is never 0. */
void bbr_set_pace(struct cc *, uint64_t rate, bool is_full);
/* A number that nobody can foresee from outside: the clock's and the path's noise, mixed. */
uint32_t bbr_chance(w_ns now, uint32_t delivered, uint32_t rtt_us);

void bbr_extra_begin(struct bbr_extra *, w_ns now);
/* One ACK: what came beyond bw * time, at most cwnd. A window is five round trips, or one and
 * without a memory of the last where `is_short`. */
void bbr_extra_update(struct bbr_extra *, const struct cc *, const struct cc_ack *, uint32_t bw,
                      bool round_start, bool is_short);
/* The larger of the two windows, bytes. */
uint64_t bbr_extra_bytes(const struct bbr_extra *, uint32_t mss);

/* TCP_CC_INFO; gains of 256. Returns its size. */
size_t bbr_tell(union cc_info *, uint32_t bw, uint32_t min_rtt_us, uint32_t pacing, uint32_t cwnd);

#endif
