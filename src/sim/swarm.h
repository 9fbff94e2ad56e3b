/* SPDX-License-Identifier: Apache-2.0
 *
 * Swarm testing (Groce et al., 2012): each seed draws a world, which kinds of faults exist in it,
 * and what the applications do; then the run is judged by every oracle.
 *
 * A world's hosts are joined by an emulated link, or by NICs with all that belongs to them
 * (swarm_nics.h).
 *
 * Faults are drawn as kinds first, so that some runs only reorder, some only starve memory, some do
 * everything. Faults stop at a drawn time; from then on every transfer must end within a bound.
 */
#ifndef WEIR_SWARM_H
#define WEIR_SWARM_H

#include "sim/load.h"
#include "sim/swarm_nics.h"
#include "sim/view.h"

#include <stdio.h>

struct swarm_result {
    uint64_t seed, hash, n_frames, n_bytes;
    w_ns took; /* virtual */
    unsigned n_xfer, n_failed, leaked;
    uint64_t nic_faults[SWARM_NIC_FAULTS];
    uint64_t driver[VNIC_N_COUNTERS]; /* both ends */
    unsigned nic_works;               /* bits of enum swarm_nic_work */
    bool has_ip4, has_ip6;            /* transfers by it */
    char what[512];                   /* what was drawn, in words */
    char violation[ORACLE_TEXT];
    w_ns violated_at;
};

/* What joins the hosts. The same seed draws the same workload for both. */
enum swarm_kind {
    SWARM_LINKS, /* an emulated link */
    SWARM_NICS,  /* driver, rings, NIC, cable, NIC, rings, driver; and the hardware's faults */
};

/* Runs one seed. 0: no oracle violated; 1: one was (see violation); -ENOMEM. trace: every frame in
 * one line, or NULL. */
int swarm_run(uint64_t seed, enum swarm_kind kind, struct swarm_result *out, FILE *trace);
/* The same, seen by somebody (NULL: nobody). */
int swarm_run_seen(uint64_t seed, enum swarm_kind kind, struct swarm_result *out, FILE *trace,
                   struct view *);

#endif
