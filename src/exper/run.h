/* SPDX-License-Identifier: Apache-2.0
 *
 * The runs of a plan, on several processes, and their results.
 */
#ifndef WEIR_EXPER_RUN_H
#define WEIR_EXPER_RUN_H

#include "exper/plan.h"

enum { RUN_TEXT = 320, RUN_JOBS_MAX = 64 };

enum run_state { RUN_NOT_YET, RUN_DONE, RUN_FAILED };

struct run_result {
    uint32_t state; /* enum run_state; a worker that dies leaves RUN_NOT_YET */
    uint32_t n_look;
    uint64_t hash; /* of every frame */
    double value[PLAN_MEASURES];
    char why[RUN_TEXT]; /* RUN_FAILED: what was violated, or could not be built */
};

/* Results of all runs of a plan: shared between the processes that make them. */
struct runs {
    const struct plan *plan;
    struct run_result *result; /* [plan->n_run] */
    double *look; /* [n_run][n_series][max_look]: values of the measures that are kept */
    unsigned n_series, max_look;
    size_t n_mem;
    void *mem;
};

/* 0 or -ENOMEM. */
WEIR_MUST_CHECK int runs_new(struct runs *, const struct plan *);
void runs_free(struct runs *);
/* Makes one run, in this process. */
void runs_one(struct runs *, unsigned run);
/* Makes all of them with `jobs` processes; `progress` is told how many are done. Returns how many
 * failed. */
unsigned runs_all(struct runs *, unsigned jobs, void (*progress)(void *ctx, unsigned done),
                  void *ctx);
/* Look i of a measure that is kept; its time is warm + (i + 1) * sample. */
double runs_look(const struct runs *, unsigned run, unsigned measure, unsigned i);

#endif
