/* SPDX-License-Identifier: Apache-2.0
 *
 * How much of cwnd an application really uses [RFC 7661]. Private to cc/; validate.c explains.
 */
#ifndef WEIR_CC_VALIDATE_H
#define WEIR_CC_VALIDATE_H

#include "cc/ops.h"

/* All zero: nothing measured, so cwnd counts as validated [RFC 7661 4.2]. */
struct cc_used {
    struct cc_round round;
    uint32_t from;     /* low 32 bits of `delivered` when the round began */
    uint32_t most[2];  /* largest sample of this half of the sampling period, and of the last */
    uint32_t half_ms;  /* start of this half */
    uint32_t since_ms; /* not validated since then */
    bool is_unused;    /* not validated */
};

/* Takes what an ACK tells; halves a cwnd that was not used for five minutes. */
void cc_used_on_ack(struct cc_used *, struct cc *, const struct cc_ack *);

/* Bytes from which a congestion event has to step back: cwnd where it was used, less where not. */
uint32_t cc_used_window(const struct cc_used *, const struct cc *, const struct cc_ack *);

/* The sample in progress has a pause in it: begin another. */
void cc_used_on_idle(struct cc_used *);

#endif
