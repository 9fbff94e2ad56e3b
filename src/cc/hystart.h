/* SPDX-License-Identifier: Apache-2.0
 *
 * HyStart++: leaving slow start before it overflows the bottleneck [RFC 9406]. Private to cc/;
 * hystart.c explains.
 */
#ifndef WEIR_CC_HYSTART_H
#define WEIR_CC_HYSTART_H

#include "cc/ops.h"

/* All zero: the beginning of a connection. */
struct hystart {
    struct cc_round round;
    uint32_t last_us;  /* lastRoundMinRTT, 0: infinite */
    uint32_t now_us;   /* currentRoundMinRTT, 0: infinite */
    uint32_t base_us;  /* cssBaselineMinRtt; not 0: in conservative slow start */
    uint8_t n_samples; /* rttSampleCount, of this round */
    uint8_t n_rounds;  /* begun in conservative slow start */
    uint8_t rest;      /* bytes acknowledged and not yet turned into growth, < CSS_GROWTH_DIVISOR */
};

/* Growth in the initial slow start: ssthresh is infinite. Where the time has come, ssthresh becomes
 * cwnd. */
void cc_hystart_grow(struct hystart *, struct cc *, const struct cc_ack *);

#endif
