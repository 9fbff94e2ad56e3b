/* SPDX-License-Identifier: Apache-2.0
 *
 * Sequence numbers: the only place that compares them [RFC 9293 3.4]. They live on a circle of
 * 2^32; a is before b when going from a to b takes less than half of it.
 */
#ifndef WEIR_TCP_SEQ_H
#define WEIR_TCP_SEQ_H

#include "base/base.h"

typedef uint32_t tcp_seq;

static inline bool seq_lt(tcp_seq a, tcp_seq b) { return (int32_t)(a - b) < 0; }
static inline bool seq_leq(tcp_seq a, tcp_seq b) { return (int32_t)(a - b) <= 0; }
static inline bool seq_gt(tcp_seq a, tcp_seq b) { return (int32_t)(a - b) > 0; }
static inline bool seq_geq(tcp_seq a, tcp_seq b) { return (int32_t)(a - b) >= 0; }
/* lo <= a < hi; empty when lo == hi. */
static inline bool seq_between(tcp_seq a, tcp_seq lo, tcp_seq hi)
{
    return (uint32_t)(a - lo) < (uint32_t)(hi - lo);
}
static inline tcp_seq seq_max(tcp_seq a, tcp_seq b) { return seq_gt(a, b) ? a : b; }
static inline tcp_seq seq_min(tcp_seq a, tcp_seq b) { return seq_lt(a, b) ? a : b; }
/* How far b lies behind a; 0 when it does not. */
static inline uint32_t seq_ahead(tcp_seq a, tcp_seq b) { return seq_gt(a, b) ? a - b : 0; }

/* Timestamps live on such a circle too [RFC 7323 5.2]. */
static inline bool ts_lt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
/* And clocks of 32 bits, in ms or us. */
static inline bool clock_lt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }

#endif
