/* SPDX-License-Identifier: Apache-2.0
 *
 * One bulk flow over one link: what a congestion control and its loss recovery make of loss,
 * reordering and distance. A cell of the table that `weir sim grid` prints; bench/interop measures
 * the same cells beside the kernel.
 */
#ifndef WEIR_GRID_H
#define WEIR_GRID_H

#include "sim/oracle.h"

/* What bench/interop has without options, so that a cell here is the same cell there. */
enum { GRID_RATE_MBIT = 100, GRID_QUEUE_MIN = 64, GRID_HELD_US = 1000, GRID_SECONDS = 5 };

struct grid_cell {
    uint64_t seed;
    uint32_t cc;                    /* as the setting tcp_congestion_control */
    uint32_t reorder_ppm, loss_ppm; /* of the frames with data; acknowledgements are spared */
    uint32_t rtt_us;
    uint32_t seconds; /* from the connection's beginning: slow start is part of it */
};

struct grid_result {
    uint64_t bytes; /* that the receiver's program got */
    uint64_t hash;  /* of every frame, its time and its sender */
    char violation[ORACLE_TEXT];
};

/* Frames that the queue before the link holds: what the path itself holds, at least
 * GRID_QUEUE_MIN. */
uint32_t grid_queue(uint32_t rtt_us);
/* Runs one cell in virtual time. 0; 1: an oracle was violated, see out->violation; -ENOMEM. */
int grid_run(const struct grid_cell *, struct grid_result *out);
/* Parts per mille of the link's rate. */
uint32_t grid_share(const struct grid_cell *, uint64_t bytes);

#endif
