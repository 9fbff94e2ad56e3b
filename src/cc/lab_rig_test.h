/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole round trips fed to an algorithm, for rows of numbers worked out by hand. lab_rig_test.c
 * explains. No part of the product; lab_path_test.h has the path with a queue.
 */
#ifndef WEIR_CC_LAB_RIG_TEST_H
#define WEIR_CC_LAB_RIG_TEST_H

#include "cc/cc.h"

enum { MSS = 1000 };

struct rig {
    struct cc c;
    w_ns now;
    uint64_t delivered;
    uint32_t rtt_us;     /* of each ACK, without a queue */
    uint32_t srtt_us;    /* told, 0: the RTT of the round */
    uint32_t used;       /* bytes the application keeps in flight, 0: all of cwnd */
    unsigned marks;      /* of each sixteen segments so many arrive marked */
    uint64_t rate_Bps;   /* of the path: more in flight than that times rtt_us waits; 0: no limit */
    uint32_t lost_since; /* told: bytes lost within the last round trip */
    bool app_limited;    /* told */
    uint32_t prior_cwnd, prior_ssthresh; /* before the last loss */
};

/* A window of ten segments, 100 ms round trips. */
void rig_start(struct rig *, const char *algorithm);
/* The same on a path of a round trip and a rate. */
void rig_start_path(struct rig *, const char *algorithm, uint32_t rtt_us, uint64_t rate_Bps);
/* All that is in flight is acknowledged, one segment at a time, evenly over one RTT. */
void rig_round(struct rig *);
void rig_rounds(struct rig *, unsigned n);
/* A loss, a mark or a timeout, and its end: cwnd as tcp/ leaves it. */
void rig_lose(struct rig *, enum cc_loss);
/* It was no loss: what tcp/ restores, and what the algorithm makes of it. */
void rig_undo(struct rig *);
/* cwnd in whole segments. */
uint32_t rig_segs(const struct rig *);
/* No further apart than that. */
void assert_near(uint64_t is, uint64_t should, uint64_t by);

#endif
