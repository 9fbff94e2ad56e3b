/* SPDX-License-Identifier: Apache-2.0
 *
 * weir sim cc: every congestion control algorithm alone and beside every other one.
 *
 * The experiments of the tables asked for are spread over worker processes, each with its own
 * part; they write what they saw to a pipe, and the parent prints when all is there. So the tables
 * do not depend on the number of workers, nor on anything but the command line.
 */
#include "cli/sim_cc.h"
#include "cli/cmd.h"

#include "base/base.h"
#include "cc/cc.h"
#include "run/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_MAX = 64, CELLS_MAX = 1024, NAME_WIDTH = 10, CELL_WIDTH = 9 };

static const char help[] =
    "Usage: weir sim cc [OPTIONS] [TABLE…]\n"
    "\n"
    "Runs congestion control algorithms over one bottleneck, whole stacks in virtual time, and\n"
    "shows who got how much and at what delay. The same command line shows the same figures.\n"
    "\n"
    "Tables (default: all):\n"
    "  alone       one flow: share of the link, RTT, queue, losses\n"
    "  pairs       every algorithm beside every other: shares, Jain's index, RTT, losses\n"
    "  same        four flows of one kind\n"
    "  late        four flows of one kind, one after another\n"
    "  rtt         two flows of one kind with different RTTs\n"
    "  short       short transfers beside a long one: how long they take\n"
    "  background  each beside LEDBAT++\n"
    "  ecn         a queue that marks\n"
    "  buffer      shallow and deep buffers\n"
    "  noise       random loss, as on radio\n"
    "\n"
    "  --rate MBIT        of the bottleneck (default 20)\n"
    "  --rtt MS           without queues (default 40)\n"
    "  --buffer PERCENT   longest queue, of rate x RTT (default 100)\n"
    "  --seconds N        each run; figures are of its last two thirds (default 60)\n"
    "  --cc LIST          algorithms, with commas between (default: all)\n"
    "  --seed N           of all randomness (default 1)\n"
    "  --csv              a line for each flow of each run instead of tables\n"
    "  --jobs N           processes (default: one per core)\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0, 1 an oracle was violated, 2 wrong usage.\n";

struct args {
    struct cc_setting set;
    uint64_t jobs;
    bool wants_csv, wants_table[32];
};

/* One run: which, and what was seen. */
struct cell {
    unsigned table, row, exp;
    int status; /* of lab_run; -1 before */
    struct lab lab;
    struct lab_seen seen;
};

struct suite {
    struct args a;
    struct cell cell[CELLS_MAX];
    unsigned n;
};

/* ---- running ---- */

static unsigned exps_of(const struct args *a, const struct cc_table *t, unsigned row)
{
    return t->n_exp != 0 ? t->n_exp : row + 1 < a->set.n ? row + 1 : a->set.n;
}

static void suite_fill(struct suite *s)
{
    for (unsigned t = 0; t < cc_n_tables; t++)
        for (unsigned row = 0; s->a.wants_table[t] && row < s->a.set.n; row++)
            for (unsigned e = 0; e < exps_of(&s->a, &cc_tables[t], row); e++) {
                struct cell *c = &s->cell[s->n++];
                *c = (struct cell){.table = t, .row = row, .exp = e, .status = -1};
                cc_tables[t].make(&s->a.set, row, e, &c->lab);
            }
}

/* A result on its way to the parent. */
struct result {
    unsigned i;
    int status;
    struct lab_seen seen;
};

static void worker(const struct suite *s, unsigned first, int fd)
{
    for (unsigned i = first; i < s->n; i += (unsigned)s->a.jobs) {
        struct result r = {.i = i};
        r.status = lab_run(&s->cell[i].lab, &r.seen);
        if (write(fd, &r, sizeof(r)) != (ssize_t)sizeof(r))
            _exit(1);
    }
    _exit(0);
}

static void show_progress(unsigned done, unsigned of)
{
    static time_t shown;
    if (!isatty(STDERR_FILENO) || (time(NULL) == shown && done != of))
        return;
    shown = time(NULL);
    fprintf(stderr, done == of ? "\r\033[K" : "\r%u of %u runs ", done, of);
}

static int suite_run(struct suite *s)
{
    int fds[2];
    struct result r;
    unsigned done = 0;
    if (pipe(fds) < 0)
        return -errno;
    fflush(stdout);
    for (unsigned j = 0; j < s->a.jobs; j++) {
        pid_t pid = fork();
        if (pid == 0)
            worker(s, j, fds[1]);
        if (pid < 0)
            return -errno;
    }
    close(fds[1]);
    while (read(fds[0], &r, sizeof(r)) == (ssize_t)sizeof(r)) {
        s->cell[r.i].seen = r.seen;
        s->cell[r.i].status = r.status;
        show_progress(++done, s->n);
    }
    close(fds[0]);
    while (wait(NULL) > 0)
        ;
    return done == s->n ? 0 : -ECHILD;
}

/* What went wrong, to standard error. */
static int suite_judge(const struct suite *s)
{
    int bad = 0;
    for (unsigned i = 0; i < s->n; i++) {
        const struct cell *c = &s->cell[i];
        if (c->status == 0)
            continue;
        bad = 1;
        fprintf(stderr, "weir sim cc: %s, %s, run %u: %s\n", cc_tables[c->table].name,
                cc_at(s->a.set.algorithm[c->row])->name, c->exp,
                c->status > 0 ? c->seen.violation : strerror(-c->status));
    }
    return bad;
}

/* ---- showing ---- */

static const struct cell *cell_at(const struct suite *s, unsigned table, unsigned row, unsigned exp)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->cell[i].table == table && s->cell[i].row == row && s->cell[i].exp == exp)
            return &s->cell[i];
    return NULL;
}

static const char *name_of(const struct suite *s, unsigned i)
{
    return cc_at(s->a.set.algorithm[i])->name;
}

static void show_cell(const struct cell *c, enum cc_figure what)
{
    char text[24] = "?";
    if (c != NULL)
        cc_cell(what, &c->lab, &c->seen, text, sizeof(text));
    printf("%*s", CELL_WIDTH, text);
}

/* Of two flows the run knows the row's first; seen from the column it is the second's. */
static void show_mirrored(const struct cell *c, enum cc_figure what)
{
    struct cell m = *c;
    m.seen.flow[0] = c->seen.flow[1];
    m.seen.flow[1] = c->seen.flow[0];
    show_cell(&m, what);
}

static void show_matrix(const struct suite *s, unsigned t, const struct cc_column *c)
{
    printf("\n%s\n%*s", c->group, NAME_WIDTH, "");
    for (unsigned i = 0; i < s->a.set.n; i++)
        printf("%*s", CELL_WIDTH, name_of(s, i));
    printf("\n");
    for (unsigned row = 0; row < s->a.set.n; row++) {
        printf("%-*s", NAME_WIDTH, name_of(s, row));
        for (unsigned i = 0; i < s->a.set.n; i++) {
            if (i <= row)
                show_cell(cell_at(s, t, row, i), c->figure);
            else
                show_mirrored(cell_at(s, t, i, row), c->figure);
        }
        printf("\n");
    }
}

/* Group names stand over the first of their columns. */
static void show_groups(const struct cc_table *t)
{
    int free_at = 0, at = NAME_WIDTH;
    for (const struct cc_column *c = t->column; c->figure != FIG_END; c++, at += CELL_WIDTH) {
        if (c->group == NULL)
            continue;
        int from = at + 2;
        free_at += printf("%*s%s", from > free_at ? from - free_at : 1, "", c->group);
    }
    printf("\n%*s", NAME_WIDTH, "");
    for (const struct cc_column *c = t->column; c->figure != FIG_END; c++)
        printf("%*s", CELL_WIDTH, c->head);
    printf("\n");
}

static void show_rows(const struct suite *s, unsigned t)
{
    show_groups(&cc_tables[t]);
    for (unsigned row = 0; row < s->a.set.n; row++) {
        printf("%-*s", NAME_WIDTH, name_of(s, row));
        for (const struct cc_column *c = cc_tables[t].column; c->figure != FIG_END; c++)
            show_cell(cell_at(s, t, row, c->exp), c->figure);
        printf("\n");
    }
}

static void show_tables(const struct suite *s)
{
    const struct cc_setting *set = &s->a.set;
    printf(
        "%llu Mbit/s, %llu ms, buffer %llu %% of the %llu packets the path holds, %llu s a run\n",
        (unsigned long long)set->rate_mbps, (unsigned long long)set->rtt_ms,
        (unsigned long long)set->buffer_percent,
        (unsigned long long)(set->rate_mbps * 1000 / 8 * set->rtt_ms / LAB_FRAME),
        (unsigned long long)set->seconds);
    for (unsigned t = 0; t < cc_n_tables; t++) {
        if (!s->a.wants_table[t])
            continue;
        printf("\n%s: %s\n", cc_tables[t].name, cc_tables[t].title);
        if (cc_tables[t].n_exp != 0) {
            show_rows(s, t);
            continue;
        }
        for (const struct cc_column *c = cc_tables[t].column; c->figure != FIG_END; c++)
            show_matrix(s, t, c);
    }
}

static void show_csv(const struct suite *s)
{
    printf("table,row,run,flow,algorithm,rtt_ms,buffer_percent,mark_percent,noise_ppm,goodput_bps,"
           "retrans_ppm,timeouts,transfers,mean_us,worst_us,fair_ms,share_pm,jain_pm,queue_us,"
           "queue_p95_us,queue_max_us,rtt_pm,drop_ppm,mark_ppm,hash\n");
    for (unsigned i = 0; i < s->n; i++) {
        const struct cell *c = &s->cell[i];
        const struct lab *l = &c->lab;
        const struct lab_seen *o = &c->seen;
        for (unsigned f = 0; f < l->n_flow; f++) {
            const struct lab_flow_seen *w = &o->flow[f];
            w_ns rtt = l->flow[f].rtt != 0 ? l->flow[f].rtt : l->rtt;
            printf("%s,%s,%u,%u,%s,%llu,%u,%u,%u,%llu,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,"
                   "%016llx\n",
                   cc_tables[c->table].name, name_of(s, c->row), c->exp, f,
                   cc_at(l->flow[f].cc)->name, (unsigned long long)(rtt / W_MS), l->buffer_percent,
                   l->mark_percent, l->loss_ppm, (unsigned long long)w->goodput_bps, w->retrans_ppm,
                   w->n_timeouts, w->n_done, w->mean_us, w->worst_us, w->fair_ms, o->share_pm,
                   o->jain_pm, o->queue_us, o->queue_p95_us, o->queue_max_us, o->rtt_pm,
                   o->drop_ppm, o->mark_ppm, (unsigned long long)o->hash);
        }
    }
}

/* ---- the command line ---- */

struct option {
    const char *name;
    uint64_t *value, min, max;
};

/* 0, or -1 after a sentence. */
static int take_number(const struct option *o, const char *text)
{
    if (text == NULL || words_number(text, o->min, o->max, o->value) < 0) {
        fprintf(stderr, "weir sim cc: %s wants a number from %llu to %llu, not %s\n", o->name,
                (unsigned long long)o->min, (unsigned long long)o->max,
                text == NULL ? "nothing" : text);
        return -1;
    }
    return 0;
}

static int take_algorithms(struct cc_setting *set, const char *text)
{
    set->n = 0;
    for (const char *p = text == NULL ? "" : text; set->n < CC_ALGORITHMS; p++) {
        size_t n = strcspn(p, ",");
        int kind = cc_find(p, n);
        if (n == 0 || kind < 0) {
            fprintf(stderr,
                    "weir sim cc: no algorithm %.*s; --cc wants some of reno cubic "
                    "vegas westwood bic dctcp bbr ledbat bbr1, with commas between\n",
                    (int)n, p);
            return -1;
        }
        set->algorithm[set->n++] = (uint32_t)kind;
        p += n;
        if (*p == '\0')
            return 0;
    }
    fprintf(stderr, "weir sim cc: more than %d algorithms\n", CC_ALGORITHMS);
    return -1;
}

static int take_table(struct args *a, const char *word)
{
    for (unsigned t = 0; t < cc_n_tables; t++)
        if (strcmp(word, cc_tables[t].name) == 0) {
            a->wants_table[t] = true;
            return 0;
        }
    fprintf(stderr, "weir sim cc: no %s %s; see weir sim cc --help\n",
            word[0] == '-' ? "option" : "table", word);
    return -1;
}

/* 0: go on; 1: help was printed; -1: wrong, said so. */
static int parse(int argc, char **argv, struct args *a)
{
    const struct option options[] = {
        {"--rate", &a->set.rate_mbps, 1, 1000},        {"--rtt", &a->set.rtt_ms, 2, 1000},
        {"--buffer", &a->set.buffer_percent, 1, 2000}, {"--seconds", &a->set.seconds, 3, 600},
        {"--seed", &a->set.seed, 0, UINT64_MAX},       {"--jobs", &a->jobs, 1, JOBS_MAX},
    };
    bool is_any = false;
    for (int i = 1; i < argc; i++) {
        const struct option *o = NULL;
        int r = 0;
        for (unsigned k = 0; k < WEIR_COUNT(options); k++)
            if (strcmp(argv[i], options[k].name) == 0)
                o = &options[k];
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return 1;
        }
        if (o != NULL)
            r = take_number(o, argv[++i]);
        else if (strcmp(argv[i], "--cc") == 0)
            r = take_algorithms(&a->set, argv[++i]);
        else if (strcmp(argv[i], "--csv") == 0)
            a->wants_csv = true;
        else
            is_any |= (r = take_table(a, argv[i])) == 0;
        if (r < 0)
            return -1;
    }
    for (unsigned t = 0; !is_any && t < cc_n_tables; t++)
        a->wants_table[t] = true;
    return 0;
}

int sim_cc(int argc, char **argv)
{
    static struct suite s;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    s.a = (struct args){.jobs = cores > 0 ? w_u64_min((uint64_t)cores, JOBS_MAX) : 1};
    s.a.set = (struct cc_setting){
        .rate_mbps = 20, .rtt_ms = 40, .buffer_percent = 100, .seconds = 60, .seed = 1};
    for (s.a.set.n = 0; cc_at(s.a.set.n) != NULL; s.a.set.n++)
        s.a.set.algorithm[s.a.set.n] = s.a.set.n;
    int r = parse(argc, argv, &s.a);
    if (r != 0)
        return r < 0 ? 2 : 0;
    suite_fill(&s);
    r = suite_run(&s);
    if (r < 0) {
        fprintf(stderr, "weir sim cc: %s\n",
                r == -ECHILD ? "a worker ended before its time" : strerror(-r));
        return r == -ECHILD ? 1 : 2;
    }
    if (s.a.wants_csv)
        show_csv(&s);
    else
        show_tables(&s);
    return suite_judge(&s);
}
