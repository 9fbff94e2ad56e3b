/* SPDX-License-Identifier: Apache-2.0
 *
 * What is remembered of a buffer for people: the most that ever was in it, how often and how long
 * somebody had to wait for room (or found none).
 *
 * How much is in it now and how much may be, its owner knows. All zero is a buffer that nothing has
 * happened to.
 */
#ifndef WEIR_GAUGE_BASE_H
#define WEIR_GAUGE_BASE_H

#include "base/base.h"

struct gauge {
    uint64_t high_water;
    uint64_t n_full; /* times it became full */
    w_ns full_ns;    /* all such times that are over */
    w_ns full_since; /* 0: it is not */
};

static inline void gauge_saw(struct gauge *g, uint64_t value)
{
    if (value > g->high_water)
        g->high_water = value;
}

static inline void gauge_full(struct gauge *g, w_ns now, bool is_full)
{
    if (is_full && g->full_since == 0) {
        g->full_since = w_u64_max(now, 1);
        g->n_full++;
    } else if (!is_full && g->full_since != 0) {
        g->full_ns += now - w_u64_min(g->full_since, now);
        g->full_since = 0;
    }
}

/* Up to now, with the time that still runs. */
static inline w_ns gauge_full_ns(const struct gauge *g, w_ns now)
{
    return g->full_ns + (g->full_since != 0 ? now - w_u64_min(g->full_since, now) : 0);
}

#endif
