/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of `weir sim cc`: which experiments each is made of, and how its cells read.
 *
 * A table has a row per algorithm and per row `n_exp` experiments; of each experiment some figures
 * become columns. sim_cc.c runs and prints, sim_cc_tables.c says what.
 */
#ifndef WEIR_SIM_CC_H
#define WEIR_SIM_CC_H

#include "sim/cclab.h"

#include <stdio.h>

enum { CC_ALGORITHMS = 9, CC_EXPERIMENTS = 8, CC_COLUMNS = 12 };

/* What the command line says of the bottleneck and who shares it. */
struct cc_setting {
    uint64_t rate_mbps, rtt_ms, buffer_percent, seconds, seed;
    uint32_t algorithm[CC_ALGORITHMS];
    unsigned n;
};

enum cc_figure {
    FIG_END,   /* no more columns */
    FIG_SHARE, /* of the bottleneck, all flows together, % */
    FIG_FIRST, /* … the first flow's alone */
    FIG_JAIN,  /* Jain's index */
    FIG_RTT,   /* how many times the RTT without queue */
    FIG_QUEUE, /* mean, ms */
    FIG_P95,   /* 95 % of the time no more than this, ms */
    FIG_DROP,  /* packets that found the queue full, % */
    FIG_AGAIN, /* bytes sent again, of all flows, % */
    FIG_MARK,  /* packets marked, % */
    FIG_RATIO, /* throughput of the first flow, in multiples of the second's */
    FIG_FAIR,  /* until the last newcomer had its share, s */
    FIG_MEAN,  /* time a short transfer took, ms */
    FIG_WORST, /* … the longest */
};

struct cc_column {
    enum cc_figure figure;
    unsigned exp;      /* of the row's experiments */
    const char *head;  /* at most 7 letters */
    const char *group; /* of this and the columns that follow; NULL: of the one before */
};

struct cc_table {
    const char *name;
    const char *title;
    unsigned n_exp; /* 0: one for each algorithm: a matrix, printed once per column */
    void (*make)(const struct cc_setting *, unsigned row, unsigned exp, struct lab *out);
    struct cc_column column[CC_COLUMNS + 1];
};

extern const struct cc_table cc_tables[];
extern const unsigned cc_n_tables;

/* The figure as a cell shows it, at most 7 letters. */
void cc_cell(enum cc_figure, const struct lab *, const struct lab_seen *, char *text, size_t n);

#endif
