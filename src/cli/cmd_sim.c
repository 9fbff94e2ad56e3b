/* SPDX-License-Identifier: Apache-2.0
 *
 * weir sim: the stack in simulation. One seed in detail, or a swarm of them on all cores; what has
 * a name of its own has a file of its own, sim_<name>.c.
 *
 * Each worker process takes every jobs-th seed and writes its results to a pipe; the parent counts,
 * shows progress, and prints the seeds that violated an oracle with the command that repeats them.
 * Every SIM_REPEAT-th seed is run twice: same seed, same hash.
 */
#include "cli/cmd.h"

#include "run/words.h"
#include "sim/example.h"
#include "sim/swarm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIM_REPEAT = 20, SIM_JOBS_MAX = 64 };

static const char help[] =
    "Usage: weir sim [--nics] --seed N [--trace] [--pcap FILE] [--trace-file FILE]\n"
    "       weir sim --seeds COUNT [--from N] [--jobs N]\n"
    "       weir sim --example\n"
    "       weir sim cc [OPTIONS] [TABLE…]\n"
    "       weir sim grid [OPTIONS]\n"
    "       weir sim chain [OPTIONS]\n"
    "       weir sim why [OPTIONS] [SITUATION…]\n"
    "\n"
    "Runs hosts with this very stack, joined by emulated links, in virtual time. A seed draws the\n"
    "world, its faults and its workload; the same seed always gives the same run, bit for bit.\n"
    "\n"
    "  --seed N      one run: what was drawn, what came of it, the hash of all its packets\n"
    "  --trace       with --seed: every packet in a line\n"
    "  --pcap FILE   with --seed: every packet of every host, with a comment: why it was sent,\n"
    "                what became of it (pcapng)\n"
    "  --trace-file FILE  with --seed: what the stacks do, for weir trace and weir plot\n"
    "  --seeds COUNT that many runs, judged by every oracle; prints the seeds that fail\n"
    "  --from N      the first seed (default 1)\n"
    "  --jobs N      processes (default: one per core)\n"
    "  --nics        the hosts are joined by NICs and a cable, with their drivers, rings and the\n"
    "                hardware's own faults, instead of an emulated link\n"
    "  --example     500,000 bytes with an MSS of 1,000, segment by segment\n"
    "  cc            congestion control, alone and in pairs, tables; has its own --help\n"
    "  grid          goodput over a link that loses and reorders, a table; has its own --help\n"
    "  chain         a receiver that stops, seen in every buffer up to write()\n"
    "  why           what a connection waits for, in prepared situations; has its own --help\n"
    "  -h, --help    this text\n"
    "\n"
    "Exit status: 0 all held, 1 an oracle was violated, 2 wrong usage.\n";

struct args {
    uint64_t seed, from, count, jobs;
    bool has_seed, wants_trace, wants_example;
    enum swarm_kind kind;
    struct view_conf view;
};

struct report {
    struct swarm_result r;
    int status;        /* of swarm_run */
    bool is_different; /* the same seed gave another hash */
};

static int one_seed(const struct args *a)
{
    struct swarm_result r;
    struct view v;
    char err[256];
    if (view_open(&v, &a->view, err, sizeof(err)) < 0) {
        fprintf(stderr, "weir sim: %s\n", err);
        return 2;
    }
    bool is_seen = a->view.pcap != NULL || a->view.trace != NULL;
    int status =
        swarm_run_seen(a->seed, a->kind, &r, a->wants_trace ? stdout : NULL, is_seen ? &v : NULL);
    if (view_close(&v) < 0) {
        fprintf(stderr, "weir sim: not all could be written; is the disk full?\n");
        return 2;
    }
    if (status < 0) {
        fprintf(stderr, "weir sim: %s\n", strerror(-status));
        return 2;
    }
    printf("seed %llu: %s\n", (unsigned long long)a->seed, r.what);
    printf(
        "  %llu frames, %llu bytes delivered, %u of %u transfers failed, %.3f s of virtual time\n",
        (unsigned long long)r.n_frames, (unsigned long long)r.n_bytes, r.n_failed, r.n_xfer,
        (double)r.took / 1e9);
    printf("  hash %016llx\n", (unsigned long long)r.hash);
    if (status != 0)
        printf("  VIOLATED at %.6f s: %s\n", (double)r.violated_at / 1e9, r.violation);
    return status;
}

static void worker(const struct args *a, uint64_t first, int fd)
{
    for (uint64_t i = first; i < a->count; i += a->jobs) {
        struct report rep = {.is_different = false};
        rep.status = swarm_run(a->from + i, a->kind, &rep.r, NULL);
        if (i % SIM_REPEAT == 0) {
            struct swarm_result again;
            (void)swarm_run(a->from + i, a->kind, &again, NULL);
            rep.is_different = again.hash != rep.r.hash;
        }
        if (write(fd, &rep, sizeof(rep)) != (ssize_t)sizeof(rep))
            _exit(1);
    }
    _exit(0);
}

struct tally {
    uint64_t passed, failed, frames, bytes;
    double virtual_s;
    enum swarm_kind kind;
    uint64_t nic_faults[SWARM_NIC_FAULTS];
    uint64_t driver[VNIC_N_COUNTERS];
    uint64_t works[SWARM_NIC_WORKS][2]; /* in worlds of IPv4 alone, of IPv6 alone */
};

static void tally_add(struct tally *t, const struct report *rep)
{
    const struct swarm_result *r = &rep->r;
    bool is_bad = rep->status != 0 || rep->is_different;
    t->passed += !is_bad;
    t->failed += is_bad;
    t->frames += r->n_frames;
    t->bytes += r->n_bytes;
    t->virtual_s += (double)r->took / 1e9;
    for (unsigned i = 0; i < SWARM_NIC_FAULTS; i++)
        t->nic_faults[i] += r->nic_faults[i];
    for (unsigned i = 0; i < VNIC_N_COUNTERS; i++)
        t->driver[i] += r->driver[i];
    for (unsigned i = 0; i < SWARM_NIC_WORKS && r->has_ip4 != r->has_ip6; i++)
        t->works[i][r->has_ip6] += r->nic_works >> i & 1;
    if (!is_bad)
        return;
    printf(
        "\rseed %llu FAILED: %s (at %.6f s)\n  %s\n  repeat it: weir sim %s--seed %llu --trace\n",
        (unsigned long long)r->seed,
        rep->is_different ? "two runs of the same seed differ" : r->violation,
        (double)r->violated_at / 1e9, r->what, t->kind == SWARM_NICS ? "--nics " : "",
        (unsigned long long)r->seed);
}

/* What went wrong in the hardware, and what the drivers made of it. */
static void show_nics(const struct tally *t)
{
    static const char *const text[] = {
#define X(name, words) words,
        VNIC_COUNTERS(X)
#undef X
    };
    printf("injected:\n");
    for (unsigned i = 0; i < SWARM_NIC_FAULTS; i++)
        printf("  %9llu  %s\n", (unsigned long long)t->nic_faults[i], swarm_nics_fault(i));
    printf("worlds of IPv4 alone, and of IPv6 alone, with:\n");
    for (unsigned i = 0; i < SWARM_NIC_WORKS; i++)
        printf("  %9llu %9llu  %s\n", (unsigned long long)t->works[i][0],
               (unsigned long long)t->works[i][1], swarm_nics_work(i));
    printf("counted by the drivers:\n");
    for (unsigned i = 0; i < VNIC_N_COUNTERS; i++)
        printf("  %9llu  %s\n", (unsigned long long)t->driver[i], text[i]);
}

static int swarm(const struct args *a)
{
    int fds[2];
    struct tally t = {.kind = a->kind};
    struct report rep;
    time_t shown = 0;
    bool is_tty = isatty(STDERR_FILENO);
    if (pipe(fds) < 0) {
        fprintf(stderr, "weir sim: %s\n", strerror(errno));
        return 2;
    }
    fflush(stdout);
    for (uint64_t j = 0; j < a->jobs; j++)
        if (fork() == 0)
            worker(a, j, fds[1]);
    close(fds[1]);
    while (read(fds[0], &rep, sizeof(rep)) == (ssize_t)sizeof(rep)) {
        tally_add(&t, &rep);
        if (is_tty && time(NULL) != shown) {
            shown = time(NULL);
            fprintf(stderr, "\r%llu of %llu seeds, %llu failed ",
                    (unsigned long long)(t.passed + t.failed), (unsigned long long)a->count,
                    (unsigned long long)t.failed);
        }
    }
    while (wait(NULL) > 0)
        ;
    if (is_tty)
        fprintf(stderr, "\r\033[K");
    /* A worker that died (a failed assertion) takes its remaining seeds with it. */
    uint64_t missing = a->count - t.passed - t.failed;
    if (missing != 0)
        printf("%llu seeds were not run: a worker ended before its time\n",
               (unsigned long long)missing);
    if (a->kind == SWARM_NICS)
        show_nics(&t);
    printf("%llu frames, %llu bytes delivered, %.0f s of virtual time\n",
           (unsigned long long)t.frames, (unsigned long long)t.bytes, t.virtual_s);
    printf("%llu passed, %llu failed\n", (unsigned long long)t.passed,
           (unsigned long long)(t.failed + missing));
    return t.failed + missing != 0;
}

static int number(const char *option, const char *text, uint64_t *out)
{
    if (text == NULL || words_number(text, 0, UINT64_MAX, out) < 0) {
        fprintf(stderr, "weir sim: %s wants a number, not %s; see weir sim --help\n", option,
                text == NULL ? "nothing" : text);
        return -1;
    }
    return 0;
}

/* 0: go on; 1: help was printed; -1: wrong, said so. */
static int parse(int argc, char **argv, struct args *a)
{
    for (int i = 1; i < argc; i++) {
        const char *o = argv[i];
        uint64_t *num = strcmp(o, "--seed") == 0    ? &a->seed
                        : strcmp(o, "--seeds") == 0 ? &a->count
                        : strcmp(o, "--from") == 0  ? &a->from
                        : strcmp(o, "--jobs") == 0  ? &a->jobs
                                                    : NULL;
        const char **file = strcmp(o, "--pcap") == 0         ? &a->view.pcap
                            : strcmp(o, "--trace-file") == 0 ? &a->view.trace
                                                             : NULL;
        if (file != NULL) {
            *file = argv[++i];
            if (*file == NULL) {
                fprintf(stderr, "weir sim: %s wants a file; see weir sim --help\n", o);
                return -1;
            }
        } else if (num != NULL) {
            if (number(o, argv[++i], num) < 0)
                return -1;
            a->has_seed |= num == &a->seed;
        } else if (strcmp(o, "--trace") == 0) {
            a->wants_trace = true;
        } else if (strcmp(o, "--nics") == 0) {
            a->kind = SWARM_NICS;
        } else if (strcmp(o, "--example") == 0) {
            a->wants_example = true;
        } else if (strcmp(o, "-h") == 0 || strcmp(o, "--help") == 0) {
            fputs(help, stdout);
            return 1;
        } else {
            fprintf(stderr, "weir sim: no option %s; see weir sim --help\n", o);
            return -1;
        }
    }
    if (!a->has_seed && a->count == 0 && !a->wants_example) {
        fprintf(stderr,
                "weir sim: say --seed N, --seeds COUNT or --example; see weir sim --help\n");
        return -1;
    }
    if (a->has_seed + (a->count != 0) + a->wants_example > 1) {
        fprintf(stderr, "weir sim: --seed, --seeds and --example exclude each other\n");
        return -1;
    }
    bool is_looking = a->wants_trace || a->view.pcap != NULL || a->view.trace != NULL;
    if (is_looking && !a->has_seed) {
        fprintf(stderr, "weir sim: --trace, --pcap and --trace-file go with --seed N\n");
        return -1;
    }
    return 0;
}

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} subcommands[] = {
    {"cc", sim_cc},
    {"grid", sim_grid},
    {"chain", sim_chain},
    {"why", sim_why},
};

int cmd_sim(int argc, char **argv)
{
    for (unsigned i = 0; argc > 1 && i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
        if (strcmp(argv[1], subcommands[i].name) == 0)
            return subcommands[i].main(argc - 1, argv + 1);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct args a = {.from = 1, .jobs = cores > 0 ? (uint64_t)cores : 1};
    int r = parse(argc, argv, &a);
    if (r != 0)
        return r < 0 ? 2 : 0;
    a.jobs = a.jobs == 0 ? 1 : w_u64_min(a.jobs, SIM_JOBS_MAX);
    if (a.wants_example)
        return example_segments(stdout) != 0;
    return a.has_seed ? one_seed(&a) : swarm(&a);
}
