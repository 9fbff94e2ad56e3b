/* SPDX-License-Identifier: Apache-2.0
 *
 * weir experiment: scenarios from INI files, run in virtual time on all cores.
 *
 * Reads the command line and the files, leaves the runs to exper/, prints a table for each file and
 * writes CSV, pictures and one page into a folder. What was meant is checked before anything runs.
 *
 * Exit status: 0; 1 a run failed or a claim does not hold; 2 a file or the command line is wrong,
 * after one sentence.
 */
#include "cli/cmd.h"

#include "exper/report.h"
#include "run/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "Usage: weir experiment [-j N] [--out DIR] FILE...\n"
    "       weir experiment --check FILE...\n"
    "       weir experiment --list\n"
    "\n"
    "Runs the scenarios of INI files: hosts, NICs, links, workloads and sweeps, in virtual time.\n"
    "Prints a table for each, says whether what the file claims holds, and writes runs as CSV,\n"
    "each plot as SVG, and one HTML page for all of them that needs nothing else.\n"
    "The same file gives the same figures, whatever -j.\n"
    "\n"
    "  -j, --jobs N   processes (default: one per core)\n"
    "  --out DIR      folder of what is written (weir-report)\n"
    "  --check        only read the files, every point of every sweep\n"
    "  --list         every section, key and measure\n"
    "  -q, --quiet    no progress\n"
    "  -h, --help     this text\n"
    "\n"
    "A file, in short:\n"
    "  [experiment]            title, about, time = 2s, warm, seed, repeat\n"
    "  [cable a b]             NICs at hosts a and b; or [link a b]: rate = 20mbit, delay = 10ms\n"
    "  [nic b]                 rx-ring = 64, rx-usecs = 50, pause-tx = on, tso = on\n"
    "  [host a]                tcp_congestion_control = bbr, txqueuelen = 100\n"
    "  [flow one]              kind = bulk (rr, udp), from = a, to = b, sndbuf = 64kb\n"
    "  [sweep]                 nic b.rx-ring = 8..1024 *2\n"
    "  [table]                 goodput [Mbit/s] = flow one.goodput / 1000000\n"
    "  [plot drops]            x = rx-ring, y = goodput\n"
    "  [claim c]               holds = goodput rises along rx-ring\n"
    "docs/experiments.md explains them, docs/experiments/*.ini are examples.\n"
    "\n"
    "Exit status: 0; 1 a run failed or a claim does not hold; 2 a file or the command line is\n"
    "wrong.\n";

enum { PATH_ROOM = 512 };

struct args {
    unsigned jobs;
    const char *out;
    bool is_check, is_quiet;
    char **file;
    unsigned n_file;
};

/* ---- the command line ---- */

static int complain(const char *what, const char *word)
{
    fprintf(stderr, "weir experiment: %s%s; weir experiment --help tells more\n", what, word);
    return -1;
}

static int read_jobs(const char *text, unsigned *out)
{
    uint64_t n;
    if (text == NULL || words_number(text, 1, RUN_JOBS_MAX, &n) < 0)
        return complain("-j wants a number of processes from 1 to 64, not ",
                        text == NULL ? "nothing" : text);
    *out = (unsigned)n;
    return 0;
}

/* 0: go on; 1: all is said; -1: wrong, said so. */
static int parse(int argc, char **argv, struct args *a)
{
    for (int i = 1; i < argc; i++) {
        const char *w = argv[i];
        if (strcmp(w, "-h") == 0 || strcmp(w, "--help") == 0) {
            fputs(help, stdout);
            return 1;
        }
        if (strcmp(w, "--list") == 0) {
            setup_list(stdout);
            measure_list(stdout);
            return 1;
        }
        if (strcmp(w, "--check") == 0) {
            a->is_check = true;
        } else if (strcmp(w, "-q") == 0 || strcmp(w, "--quiet") == 0) {
            a->is_quiet = true;
        } else if (strcmp(w, "-j") == 0 || strcmp(w, "--jobs") == 0) {
            if (read_jobs(argv[++i], &a->jobs) < 0)
                return -1;
        } else if (strcmp(w, "--out") == 0) {
            a->out = argv[++i];
            if (a->out == NULL)
                return complain("--out wants a folder", "");
        } else if (w[0] == '-') {
            return complain("there is no option ", w);
        } else {
            a->file[a->n_file++] = argv[i];
        }
    }
    return a->n_file != 0 ? 0 : complain("name an INI file", "");
}

/* ---- files that are written ---- */

static FILE *open_out(const struct args *a, const char *name, const char *plot, const char *end)
{
    char path[PATH_ROOM];
    int n = snprintf(path, sizeof(path), "%s/%s%s%s%s", a->out, name, plot[0] != '\0' ? "-" : "",
                     plot, end);
    FILE *f = n > 0 && n < PATH_ROOM ? fopen(path, "w") : NULL;
    if (f == NULL)
        fprintf(stderr, "weir experiment: %s cannot be written: %s\n", path, strerror(errno));
    return f;
}

/* False: it could not be written, said so. */
static bool close_out(FILE *f)
{
    bool is_bad = ferror(f) != 0;
    is_bad |= fclose(f) != 0;
    if (is_bad)
        fprintf(stderr, "weir experiment: what is written does not fit: %s\n", strerror(errno));
    return !is_bad;
}

static bool write_all(const struct args *a, const struct report *r, FILE *page)
{
    const struct plan *p = r->runs->plan;
    FILE *f = open_out(a, p->name, "", ".csv");
    if (f == NULL)
        return false;
    exper_report_csv(f, r);
    bool is_good = close_out(f);
    for (unsigned i = 0; is_good && i < p->n_plot; i++) {
        f = open_out(a, p->name, p->plot[i].name, ".svg");
        if (f == NULL)
            return false;
        const char *why = exper_report_svg(f, r, i, true);
        if (why != NULL)
            fprintf(stderr, "weir experiment: %s: no picture %s: %s\n", p->name, p->plot[i].name,
                    why);
        is_good = close_out(f);
    }
    exper_report_html(page, r);
    return is_good;
}

/* ---- running ---- */

struct shown {
    const struct plan *plan;
    bool is_quiet, is_tty;
};

static void progress(void *ctx, unsigned done)
{
    const struct shown *s = ctx;
    bool is_end = done == s->plan->n_run;
    if (s->is_quiet || (!s->is_tty && !is_end))
        return;
    fprintf(stderr, "%s%s: %u of %u runs%s", s->is_tty ? "\r" : "", s->plan->name, done,
            s->plan->n_run, is_end ? "\n" : "");
}

/* 0, 1 or 2: the exit status of one file. */
static int run_plan(const struct args *a, struct plan *p, FILE *page)
{
    struct runs runs;
    struct report r;
    struct shown s = {.plan = p, .is_quiet = a->is_quiet, .is_tty = isatty(STDERR_FILENO) == 1};
    if (runs_new(&runs, p) < 0)
        return complain("there is no memory for the results of ", p->name), 2;
    unsigned failed = runs_all(&runs, a->jobs, progress, &s);
    if (exper_report_new(&r, &runs) < 0) {
        runs_free(&runs);
        return complain("there is no memory for the report of ", p->name), 2;
    }
    exper_report_table(stdout, &r);
    printf("\n");
    int status = failed != 0 || r.n_failed_claims != 0;
    if (!write_all(a, &r, page))
        status = 2;
    exper_report_free(&r);
    runs_free(&runs);
    return status;
}

static int run_all(const struct args *a, struct plan *plan)
{
    int status = 0;
    if (mkdir(a->out, 0777) < 0 && errno != EEXIST) {
        fprintf(stderr, "weir experiment: the folder %s cannot be made: %s\n", a->out,
                strerror(errno));
        return 2;
    }
    FILE *page = open_out(a, "report", "", ".html");
    if (page == NULL)
        return 2;
    exper_report_html_begin(page);
    for (unsigned i = 0; i < a->n_file && status != 2; i++) {
        int one = run_plan(a, &plan[i], page);
        status = one > status ? one : status;
    }
    exper_report_html_end(page);
    if (!close_out(page))
        return 2;
    printf("%s/report.html\n", a->out);
    return status;
}

int cmd_experiment(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct args a = {.out = "weir-report", .file = argv};
    a.jobs = cores < 1 ? 1 : cores > RUN_JOBS_MAX ? RUN_JOBS_MAX : (unsigned)cores;
    int r = parse(argc, argv, &a);
    if (r != 0)
        return r < 0 ? 2 : 0;
    struct plan *plan = calloc(a.n_file, sizeof(*plan));
    if (plan == NULL)
        return complain("there is no memory", ""), 2;
    int status = 0;
    for (unsigned i = 0; i < a.n_file && status == 0; i++) {
        if (plan_read(&plan[i], a.file[i]) < 0) {
            fprintf(stderr, "weir experiment: %s\n", plan[i].text.err);
            status = 2;
        } else if (a.is_check) {
            printf("%s: %u points, %u runs, %u columns, %u plots, %u claims\n", a.file[i],
                   plan[i].n_point, plan[i].n_run, plan[i].n_column, plan[i].n_plot,
                   plan[i].n_claim);
        }
    }
    if (status == 0 && !a.is_check)
        status = run_all(&a, plan);
    free(plan);
    return status;
}
