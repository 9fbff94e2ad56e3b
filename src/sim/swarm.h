/* SPDX-License-Identifier: Apache-2.0
 *
 * Swarm testing (Groce et al., 2012): each seed draws a world, which kinds of faults exist in it,
 * and what the applications do; then the run is judged by every oracle.
 *
 * Faults are drawn as kinds first, so that some runs only reorder, some only starve memory, some do
 * everything. Faults stop at a drawn time; from then on every transfer must end within a bound.
 */
#ifndef WEIR_SWARM_H
#define WEIR_SWARM_H

#include "sim/load.h"

#include <stdio.h>

struct swarm_result {
    uint64_t seed, hash, n_frames, n_bytes;
    w_ns took; /* virtual */
    unsigned n_xfer, n_failed, leaked;
    char what[512]; /* what was drawn, in words */
    char violation[ORACLE_TEXT];
    w_ns violated_at;
};

/* Runs one seed. 0: no oracle violated; 1: one was (see violation); -ENOMEM. trace: every frame in
 * one line, or NULL. */
int swarm_run(uint64_t seed, struct swarm_result *out, FILE *trace);

#endif
