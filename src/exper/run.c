/* SPDX-License-Identifier: Apache-2.0
 *
 * One run: warm, then measured; and all runs, on as many processes as wished.
 *
 * Decides what a measure's value for a run is: of a counter how much it grew while it was measured;
 * of anything else its value at the end, or the mean, the least or the largest of all looks. A run
 * depends on its setup and seed only, so which process makes it, and when, changes nothing: each
 * takes the next one that nobody has.
 *
 * Results lie in memory that all processes share; a run's is written by one process only.
 *
 * Owns the results. Called by the command; calls world.c and measure.c.
 */
#include "exper/run.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int runs_new(struct runs *r, const struct plan *p)
{
    *r = (struct runs){.plan = p};
    for (unsigned i = 0; i < p->n_measure; i++)
        r->n_series += p->is_series[i];
    r->max_look = (unsigned)(p->setup.took / p->setup.sample) + 1;
    size_t results = p->n_run * sizeof(struct run_result) + WEIR_CACHELINE;
    r->n_mem = results + (size_t)p->n_run * r->n_series * r->max_look * sizeof(double) + 64;
    r->mem = mmap(NULL, r->n_mem, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (r->mem == MAP_FAILED)
        return -ENOMEM;
    r->result = r->mem;
    r->look = (double *)((char *)r->mem + (results & ~(size_t)(WEIR_CACHELINE - 1)));
    return 0;
}

void runs_free(struct runs *r)
{
    if (r->mem != NULL)
        munmap(r->mem, r->n_mem);
    *r = (struct runs){.mem = NULL};
}

/* Where a measure's looks of a run begin; NULL: they are not kept. */
static double *looks_of(const struct runs *r, unsigned run, unsigned measure)
{
    unsigned place = 0;
    if (!r->plan->is_series[measure])
        return NULL;
    for (unsigned i = 0; i < measure; i++)
        place += r->plan->is_series[i];
    return r->look + ((size_t)run * r->n_series + place) * r->max_look;
}

double runs_look(const struct runs *r, unsigned run, unsigned measure, unsigned i)
{
    return looks_of(r, run, measure)[i];
}

/* ---- one run ---- */

struct watch {
    double before[PLAN_MEASURES],
        last[PLAN_MEASURES]; /* counters: when measuring began, last look */
    double sum[PLAN_MEASURES], least[PLAN_MEASURES], most[PLAN_MEASURES];
    unsigned n[PLAN_MEASURES]; /* looks that had a value */
};

static bool is_looked_at(const struct plan *p, unsigned i)
{
    return p->is_series[i] ||
           (p->measure[i].how != MEASURE_PLAIN && p->measure[i].how != MEASURE_RATE);
}

static void look(struct runs *r, unsigned run, const struct world *w, struct watch *x)
{
    const struct plan *p = r->plan;
    struct run_result *out = &r->result[run];
    for (unsigned i = 0; i < p->n_measure; i++) {
        if (!is_looked_at(p, i))
            continue;
        double v = measure_read(w, &p->measure[i]), shown = v;
        double *keep = looks_of(r, run, i);
        if (p->measure[i].how == MEASURE_RATE)
            shown = (v - x->last[i]) * 1e9 / (double)p->setup.sample;
        x->last[i] = v;
        if (keep != NULL && out->n_look < r->max_look)
            keep[out->n_look] = shown;
        if (isnan(v))
            continue;
        x->sum[i] += v;
        x->least[i] = x->n[i] == 0 ? v : fmin(x->least[i], v);
        x->most[i] = x->n[i] == 0 ? v : fmax(x->most[i], v);
        x->n[i]++;
    }
    out->n_look++;
}

static double value_of(const struct plan *p, unsigned i, const struct world *w,
                       const struct watch *x)
{
    const struct measure *g = &p->measure[i];
    bool has_looks = x->n[i] != 0;
    double v;
    switch (g->how) {
    case MEASURE_MEAN: return has_looks ? x->sum[i] / x->n[i] : NAN;
    case MEASURE_MAX: return has_looks ? x->most[i] : NAN;
    case MEASURE_MIN: return has_looks ? x->least[i] : NAN;
    default: v = measure_read(w, g);
    }
    if (g->how == MEASURE_RATE)
        return (v - x->before[i]) * 1e9 / (double)p->setup.took;
    return g->is_counter ? v - x->before[i] : v;
}

static bool take_measures(struct runs *r, unsigned run, struct world *w, struct watch *x)
{
    const struct plan *p = r->plan;
    w_ns begin = w->begin + w->conf->warm, end = begin + w->conf->took;
    if (!world_run(w, begin))
        return false;
    for (unsigned i = 0; i < p->n_measure; i++)
        x->before[i] = x->last[i] = measure_read(w, &p->measure[i]);
    w->is_measuring = true;
    for (w_ns t = begin + p->setup.sample; t <= end; t += p->setup.sample) {
        if (!world_run(w, t))
            return false;
        look(r, run, w, x);
    }
    if (!world_run(w, end))
        return false;
    for (unsigned i = 0; i < p->n_measure; i++)
        r->result[run].value[i] = value_of(p, i, w, x);
    return true;
}

void runs_one(struct runs *r, unsigned run)
{
    struct run_result *out = &r->result[run];
    struct setup *conf = calloc(1, sizeof(*conf));
    struct world *w = calloc(1, sizeof(*w));
    struct watch *x = calloc(1, sizeof(*x));
    struct plan *p = (struct plan *)r->plan; /* plan_setup writes complaints only */
    unsigned repeat = (unsigned)p->setup.repeat;
    out->state = RUN_FAILED;
    (void)snprintf(out->why, sizeof(out->why), "no memory");
    bool is_ready = conf != NULL && w != NULL && x != NULL &&
                    plan_setup(p, run / repeat, conf) == 0 &&
                    world_new(w, conf, conf->seed + run % repeat, out->why, sizeof(out->why)) == 0;
    if (is_ready) {
        if (take_measures(r, run, w, x))
            out->state = RUN_DONE;
        (void)snprintf(out->why, sizeof(out->why), "%s", w->oracle.violation);
        out->hash = w->sim->hash;
        world_free(w);
    }
    free(conf);
    free(w);
    free(x);
}

/* ---- all of them ---- */

/* Takes runs until there are no more; tells of each by a byte. */
static void worker(struct runs *r, uint32_t *next, int fd)
{
    for (;;) {
        uint32_t run = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
        if (run >= r->plan->n_run)
            _exit(0);
        runs_one(r, run);
        if (write(fd, "", 1) != 1)
            _exit(1);
    }
}

unsigned runs_all(struct runs *r, unsigned jobs, void (*progress)(void *, unsigned), void *ctx)
{
    int fds[2];
    char byte;
    unsigned done = 0, failed = 0;
    uint32_t *next =
        mmap(NULL, sizeof(*next), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (next == MAP_FAILED)
        return r->plan->n_run;
    if (pipe(fds) < 0) {
        munmap(next, sizeof(*next));
        return r->plan->n_run;
    }
    fflush(NULL);
    pid_t child[RUN_JOBS_MAX];
    unsigned n_child = 0;
    for (unsigned j = 0; j < jobs && j < r->plan->n_run && j < RUN_JOBS_MAX; j++) {
        child[n_child] = fork();
        if (child[n_child] == 0) {
            close(fds[0]);
            worker(r, next, fds[1]);
        }
        n_child += child[n_child] > 0;
    }
    close(fds[1]);
    while (read(fds[0], &byte, 1) == 1)
        progress(ctx, ++done);
    close(fds[0]);
    for (unsigned j = 0; j < n_child; j++)
        (void)waitpid(child[j], NULL, 0);
    munmap(next, sizeof(*next));
    for (unsigned i = 0; i < r->plan->n_run; i++)
        failed += r->result[i].state != RUN_DONE;
    return failed;
}
