/* SPDX-License-Identifier: Apache-2.0
 *
 * weir sim grid: a table of goodput, reordering x loss x round-trip time x congestion control.
 *
 * The cells are bench/interop's, in virtual time and between two weirs. Each worker process takes
 * every jobs-th run and writes its result to a pipe; the parent keeps them by their place, so the
 * table depends on nothing but the options.
 */
#include "cli/cmd.h"

#include "cc/cc.h"
#include "run/words.h"
#include "sim/grid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    GRID_VALUES = 8, /* of a list */
    GRID_RUNS = 99,
    GRID_JOBS_MAX = 64,
    GRID_PPM = 1000000,
    GRID_RTT_MAX_US = 900000, /* as much as the simulator's link holds */
    GRID_PER_MILLE_WEAK = 500,
    GRID_PER_MILLE_POOR = 100,
};

static const char help[] =
    "Usage: weir sim grid [--reorder LIST] [--loss LIST] [--rtt LIST] [--cc LIST]\n"
    "                     [--seconds N] [--runs N] [--seed N] [--csv] [--jobs N]\n"
    "\n"
    "Goodput of one bulk flow in every cell of reordering x loss x round-trip time x congestion\n"
    "control, over an emulated link of 100 Mbit/s in virtual time, in percent of the link's rate.\n"
    "A value followed by - is below half of the rate, by ! below a tenth. The cells are those of\n"
    "bench/interop, which measures them beside the kernel.\n"
    "\n"
    "  --reorder LIST  percent of the frames with data, each held back by 1 ms (0,0.1,1,5)\n"
    "  --loss LIST     percent of the frames with data (0,0.01,0.1,1,3)\n"
    "  --rtt LIST      milliseconds, at most 900 (1,20,100)\n"
    "  --cc LIST       such as cubic,bbr\n"
    "  --seconds N     of each flow, from its connection on (5)\n"
    "  --runs N        seeds a cell; the table shows the middle one (1)\n"
    "  --seed N        the first of them (1)\n"
    "  --csv           a line a cell\n"
    "  --jobs N        processes (default: one per core)\n"
    "  -h, --help      this text\n"
    "\n"
    "Exit status: 0; 1 an oracle was violated, 2 wrong usage.\n";

/* Values of one axis, in its unit: parts per million, or microseconds. */
struct axis {
    uint32_t v[GRID_VALUES];
    unsigned n;
};

struct grid_args {
    struct axis reorder, loss, rtt, cc;
    uint64_t seconds, runs, seed, jobs;
    bool is_csv;
};

/* What a worker tells of one run. */
struct told {
    uint32_t run; /* its place among all */
    int status;
    uint32_t share;
    char violation[ORACLE_TEXT];
};

/* ---- the command line ---- */

/* 0.1 of a unit that has `scale` parts, at most `max` of them. -1: no such number. */
static int part(const char *text, size_t len, uint32_t scale, uint64_t max, uint32_t *out)
{
    char word[24], *end;
    if (len == 0 || len >= sizeof(word))
        return -1;
    memcpy(word, text, len);
    word[len] = '\0';
    double d = strtod(word, &end) * scale;
    if (*end != '\0' || !(d >= 0 && d <= (double)max))
        return -1;
    *out = (uint32_t)(d + 0.5);
    return 0;
}

static int read_axis(const char *option, const char *text, uint32_t scale, uint64_t max,
                     struct axis *a)
{
    const char *at = text;
    *a = (struct axis){.n = 0};
    while (at != NULL && a->n < GRID_VALUES) {
        size_t len = strcspn(at, ",");
        uint32_t *v = &a->v[a->n++];
        int cc = cc_find(at, len);
        if (scale == 0 ? cc < 0 : part(at, len, scale, max, v) < 0)
            break;
        if (scale == 0)
            *v = (uint32_t)cc;
        if (at[len] == '\0')
            return 0;
        at += len + 1;
    }
    fprintf(stderr, "weir sim grid: %s wants up to %d %s between commas, not %s\n", option,
            GRID_VALUES, scale == 0 ? "names of congestion controls" : "numbers",
            text == NULL ? "nothing" : text);
    return -1;
}

static int read_number(const char *option, const char *text, uint64_t max, uint64_t *out)
{
    if (text == NULL || words_number(text, 1, max, out) < 0) {
        fprintf(stderr, "weir sim grid: %s wants a number from 1 to %llu, not %s\n", option,
                (unsigned long long)max, text == NULL ? "nothing" : text);
        return -1;
    }
    return 0;
}

/* 0: go on; 1: help was printed; -1: wrong, said so. */
static int parse(int argc, char **argv, struct grid_args *a)
{
    const struct {
        const char *option;
        uint32_t scale; /* of a list; 0: names */
        struct axis *axis;
        uint64_t max;
        uint64_t *number;
    } known[] = {
        {"--reorder", 10000, &a->reorder, GRID_PPM, NULL},
        {"--loss", 10000, &a->loss, GRID_PPM, NULL},
        {"--rtt", 1000, &a->rtt, GRID_RTT_MAX_US, NULL},
        {"--cc", 0, &a->cc, 0, NULL},
        {"--seconds", 0, NULL, 3600, &a->seconds},
        {"--runs", 0, NULL, GRID_RUNS, &a->runs},
        {"--seed", 0, NULL, UINT64_MAX, &a->seed},
        {"--jobs", 0, NULL, GRID_JOBS_MAX, &a->jobs},
    };
    const unsigned n_known = sizeof(known) / sizeof(known[0]);
    for (int i = 1; i < argc; i++) {
        unsigned k = 0;
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return 1;
        }
        if (strcmp(argv[i], "--csv") == 0) {
            a->is_csv = true;
            continue;
        }
        while (k < n_known && strcmp(argv[i], known[k].option) != 0)
            k++;
        if (k == n_known) {
            fprintf(stderr, "weir sim grid: no option %s; see weir sim grid --help\n", argv[i]);
            return -1;
        }
        const char *value = argv[++i];
        if (known[k].axis != NULL
                ? read_axis(known[k].option, value, known[k].scale, known[k].max, known[k].axis) < 0
                : read_number(known[k].option, value, known[k].max, known[k].number) < 0)
            return -1;
    }
    return 0;
}

/* ---- the runs ---- */

static uint32_t n_cells(const struct grid_args *a)
{
    return a->reorder.n * a->loss.n * a->rtt.n * a->cc.n;
}

/* Cells in the order they are printed: reordering is what changes fastest. */
static struct grid_cell cell_at(const struct grid_args *a, uint32_t cell)
{
    struct grid_cell c = {.seconds = (uint32_t)a->seconds, .seed = a->seed};
    c.reorder_ppm = a->reorder.v[cell % a->reorder.n];
    cell /= a->reorder.n;
    c.rtt_us = a->rtt.v[cell % a->rtt.n];
    cell /= a->rtt.n;
    c.loss_ppm = a->loss.v[cell % a->loss.n];
    c.cc = a->cc.v[cell / a->loss.n];
    return c;
}

static void worker(const struct grid_args *a, uint32_t first, int fd)
{
    for (uint32_t run = first; run < n_cells(a) * a->runs; run += (uint32_t)a->jobs) {
        struct grid_result r;
        struct grid_cell c = cell_at(a, run / (uint32_t)a->runs);
        c.seed += run % a->runs;
        struct told t = {.run = run, .status = grid_run(&c, &r)};
        t.share = grid_share(&c, r.bytes);
        memcpy(t.violation, r.violation, sizeof(t.violation));
        if (write(fd, &t, sizeof(t)) != (ssize_t)sizeof(t))
            _exit(1);
    }
    _exit(0);
}

static void complain(const struct grid_args *a, const struct told *t)
{
    struct grid_cell c = cell_at(a, t->run / (uint32_t)a->runs);
    fprintf(stderr, "weir sim grid: %s, loss %g %%, reorder %g %%, RTT %g ms, seed %llu: %s\n",
            cc_at(c.cc)->name, c.loss_ppm / 1e4, c.reorder_ppm / 1e4, c.rtt_us / 1e3,
            (unsigned long long)(c.seed + t->run % a->runs),
            t->status < 0 ? strerror(-t->status) : t->violation);
}

/* The share of each run, by its place. How many failed. */
static uint32_t run_all(const struct grid_args *a, uint32_t *share)
{
    int fds[2];
    struct told t;
    uint32_t left = n_cells(a) * (uint32_t)a->runs;
    if (pipe(fds) < 0)
        return left;
    fflush(stdout);
    for (uint32_t j = 0; j < a->jobs; j++)
        if (fork() == 0)
            worker(a, j, fds[1]);
    close(fds[1]);
    while (read(fds[0], &t, sizeof(t)) == (ssize_t)sizeof(t)) {
        share[t.run] = t.share;
        if (t.status != 0)
            complain(a, &t);
        else
            left--;
    }
    close(fds[0]);
    while (wait(NULL) > 0)
        ;
    return left;
}

/* ---- the table ---- */

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void print_head(const struct grid_args *a, const char *cc)
{
    printf("\n%-8s", cc);
    for (unsigned i = 0; i < a->rtt.n; i++)
        printf(" | RTT %-*g", (int)(6 * a->reorder.n) - 4, a->rtt.v[i] / 1e3);
    printf("\n%8s", "loss");
    for (unsigned i = 0; i < a->rtt.n; i++) {
        printf(" |");
        for (unsigned k = 0; k < a->reorder.n; k++)
            printf(" %4g ", a->reorder.v[k] / 1e4);
    }
    printf("\n");
}

static void print_value(uint32_t share)
{
    char mark = share < GRID_PER_MILLE_POOR ? '!' : share < GRID_PER_MILLE_WEAK ? '-' : ' ';
    printf(" %2u.%u%c", share / 10, share % 10, mark);
}

static void print_table(const struct grid_args *a, const uint32_t *middle)
{
    printf("goodput in %% of %d Mbit/s, %llu s; ms of RTT and %% of reordered frames across, "
           "%% lost down\n",
           GRID_RATE_MBIT, (unsigned long long)a->seconds);
    for (unsigned cc = 0; cc < a->cc.n; cc++) {
        print_head(a, cc_at(a->cc.v[cc])->name);
        for (unsigned loss = 0; loss < a->loss.n; loss++) {
            printf("%8g", a->loss.v[loss] / 1e4);
            for (unsigned i = 0; i < a->rtt.n * a->reorder.n; i++) {
                if (i % a->reorder.n == 0)
                    printf(" |");
                print_value(*middle++);
            }
            printf("\n");
        }
    }
}

static void print_csv(const struct grid_args *a, const uint32_t *middle)
{
    printf("cc,rtt_ms,loss_percent,reorder_percent,goodput_percent\n");
    for (uint32_t i = 0; i < n_cells(a); i++) {
        struct grid_cell c = cell_at(a, i);
        printf("%s,%g,%g,%g,%u.%u\n", cc_at(c.cc)->name, c.rtt_us / 1e3, c.loss_ppm / 1e4,
               c.reorder_ppm / 1e4, middle[i] / 10, middle[i] % 10);
    }
}

int sim_grid(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct grid_args a = {.reorder = {{0, 1000, 10000, 50000}, 4},
                          .loss = {{0, 100, 1000, 10000, 30000}, 5},
                          .rtt = {{1000, 20000, 100000}, 3},
                          .cc = {.n = 2},
                          .seconds = GRID_SECONDS,
                          .runs = 1,
                          .seed = 1};
    a.jobs = w_u64_min(cores > 0 ? (uint64_t)cores : 1, GRID_JOBS_MAX);
    a.cc.v[0] = (uint32_t)cc_find("cubic", 5);
    a.cc.v[1] = (uint32_t)cc_find("bbr", 3);
    int r = parse(argc, argv, &a);
    if (r != 0)
        return r < 0 ? 2 : 0;
    uint32_t *share = calloc(n_cells(&a) * a.runs, sizeof(*share));
    if (share == NULL)
        return 2;
    uint32_t failed = run_all(&a, share);
    for (uint32_t i = 0; i < n_cells(&a); i++) {
        qsort(share + i * a.runs, a.runs, sizeof(*share), ascending);
        share[i] = share[i * a.runs + (a.runs - 1) / 2];
    }
    (a.is_csv ? print_csv : print_table)(&a, share);
    free(share);
    if (failed != 0)
        printf("%u runs failed\n", failed);
    return failed != 0;
}
