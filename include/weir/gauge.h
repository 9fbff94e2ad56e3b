/* SPDX-License-Identifier: Apache-2.0
 *
 * One buffer of the chain between write() and the wire, or between the wire and read(), as a person
 * sees it: weir_chain() tells those of the stack, a driver its own.
 */
#ifndef WEIR_GAUGE_H
#define WEIR_GAUGE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_gauge {
    char name[16];                   /* "send buffer", "qdisc", "TX ring", … */
    char unit[8];                    /* of the next three: "bytes", "packets", "entries" */
    uint64_t now, limit, high_water; /* inside; at most; the most that ever was */
    uint64_t n_full;                 /* times somebody had to wait for room, or found none */
    uint64_t full_ns;                /* for how long in all */
    uint64_t drops;                  /* what found no room and was thrown away */
};

/* Gauges at most of one direction: of the stack's part, of a device's, of both. */
enum { WEIR_CHAIN_PART = 4, WEIR_CHAIN_MAX = 2 * WEIR_CHAIN_PART };

#ifdef __cplusplus
}
#endif

#endif
