/* SPDX-License-Identifier: Apache-2.0
 *
 * What a person gets: a table, CSV, pictures, and one HTML page for all experiments.
 */
#ifndef WEIR_EXPER_REPORT_H
#define WEIR_EXPER_REPORT_H

#include "exper/run.h"

/* What the runs of a point came to: the mean of each column, its least and largest value. */
struct report {
    const struct runs *runs;
    double *mean, *least, *most; /* [n_point × n_column] */
    unsigned n_failed_claims;
    bool is_held[PLAN_CLAIMS];
    char seen[PLAN_CLAIMS][120];
};

/* 0 or -ENOMEM. */
WEIR_MUST_CHECK int exper_report_new(struct report *, const struct runs *);
void exper_report_free(struct report *);
/* Title, a line a point, a line a claim. */
void exper_report_table(FILE *, const struct report *);
/* A line a run. */
void exper_report_csv(FILE *, const struct report *);
/* One picture alone; a sentence if it cannot be drawn, NULL if it was. */
const char *exper_report_svg(FILE *, const struct report *, unsigned plot, bool is_alone);
/* The page: its beginning, an experiment, its end. */
void exper_report_html_begin(FILE *);
void exper_report_html(FILE *, const struct report *);
void exper_report_html_end(FILE *);

#endif
