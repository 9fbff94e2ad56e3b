/* SPDX-License-Identifier: Apache-2.0
 *
 * How the tests of promises (ccpaper_test.c, ccrfc_test.c, ccqueue_test.c) say what they want of
 * the laboratory. LAB_VERBOSE in the environment shows what each run saw.
 */
#ifndef WEIR_CCPROMISE_TEST_H
#define WEIR_CCPROMISE_TEST_H

#include "unit.h"

#include "sim/cclab.h"

#include <stdlib.h>

enum { RENO, CUBIC, VEGAS, WESTWOOD, BIC, DCTCP, BBR, LEDBAT, BBR1 };

/* One bottleneck of mbit and rtt_ms with a buffer, per cent of the BDP, and one flow. */
static inline struct lab path(unsigned mbit, unsigned rtt_ms, unsigned buffer, uint32_t cc)
{
    return (struct lab){.rate_bps = mbit * (uint64_t)1000000,
                        .rtt = rtt_ms * W_MS,
                        .buffer_percent = buffer,
                        .warm = 10 * W_S,
                        .took = 20 * W_S,
                        .seed = 1,
                        .n_flow = 1,
                        .flow = {{.cc = cc}}};
}

static inline struct lab_flow *beside(struct lab *l, uint32_t cc, w_ns start)
{
    struct lab_flow *f = &l->flow[l->n_flow++];
    *f = (struct lab_flow){.cc = cc, .start = start};
    return f;
}

static inline struct lab_seen see(const struct lab *l)
{
    struct lab_seen s;
    int r = lab_run(l, &s);
    if (r != 0)
        fail_msg("status %d: %s", r, s.violation);
    if (getenv("LAB_VERBOSE") != NULL)
        print_message("cc %u: share %u jain %u queue %u (%u to %u) ms/1000, drops %u, first %u, "
                      "second %u kbit/s\n",
                      l->flow[0].cc, s.share_pm, s.jain_pm, s.queue_us, s.queue_min_us,
                      s.queue_max_us, (unsigned)s.n_drop, (unsigned)(s.flow[0].goodput_bps / 1000),
                      (unsigned)(s.flow[1].goodput_bps / 1000));
    return s;
}

/* Microseconds that one packet is on the bottleneck. */
static inline uint32_t packet_us(const struct lab *l)
{
    return (uint32_t)(LAB_FRAME * 8 * (uint64_t)1000000 / l->rate_bps);
}

/* Mean window, segments, of a flow without queue. */
static inline uint32_t window_of(const struct lab *l, const struct lab_seen *s)
{
    return (uint32_t)(s->flow[0].goodput_bps * (l->rtt / W_US) / 1000000 / 8 / LAB_PAYLOAD);
}

#endif
