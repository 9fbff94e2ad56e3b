/* SPDX-License-Identifier: Apache-2.0
 *
 * weir drill: the command. Finds the scripts, runs them on all cores, says what failed.
 *
 * Scripts run in worker processes, so that a script that makes the stack stop (a failed assertion,
 * an endless loop) is one failed script and not the end of the run. Workers take the next script
 * from a shared counter and leave the result in shared memory; when one dies, the script it was at
 * has failed and another worker takes its place. With --jobs 0 everything runs in this process, for
 * a debugger.
 *
 * Output is in the order of the command line (directories sorted), whatever the order of running.
 * Called by cli/; calls drill_run().
 */
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "drill/drill.h"

enum { JOBS_MAX = 64, SCRIPTS_MAX = 100000, SCRIPT_BYTES_MAX = 16 << 20, SCRIPT_SECONDS = 60 };

static const char help[] =
    "Usage: weir drill [OPTION...] FILE.pkt|DIRECTORY...\n"
    "\n"
    "Runs packet scripts (the language of packetdrill, see docs/drill.md) against the stack, in\n"
    "virtual time: packets in, packets expected, system calls, assertions over tcp_info.\n"
    "\n"
    "  -v, --verbose          every event with its virtual time, one script after the other\n"
    "  -6, --ipv6             IPv6, for scripts that do not choose with --ip_version\n"
    "  -D, --define NAME=VALUE  a word of the scripts, as their own --define\n"
    "  -m, --mtu N            of the interface, for scripts that do not choose with --mtu\n"
    "      --lenient          packets a script never mentions may be left over, as in packetdrill\n"
    "  -j, --jobs N           worker processes (default: one per core; 0: none, for a debugger)\n"
    "  -h, --help             this text\n"
    "\n"
    "Prints a paragraph for each script that failed, and \"N passed, N failed\".\n"
    "Exit status: 0 all passed, 1 a script failed, 2 wrong usage or not a script.\n";

enum slot_state { SLOT_WAITING, SLOT_RUNNING, SLOT_DONE };

struct slot {
    enum slot_state state;
    pid_t worker;
    struct drill_result result;
};

struct shared {
    unsigned next; /* atomic: the first script no worker has taken */
    struct slot slot[];
};

struct batch {
    char **path;
    unsigned n, cap;
    struct drill_conf conf;
    unsigned jobs;
    char defines[4096]; /* what stands before every script */
    struct shared *shared;
};

/* ---- which scripts ---- */

static struct batch *walking; /* nftw() takes no argument */

static int add_path(struct batch *b, const char *path)
{
    if (b->n == SCRIPTS_MAX)
        return -1;
    if (b->n == b->cap) {
        unsigned cap = b->cap != 0 ? b->cap * 2 : 64;
        char **v = realloc(b->path, cap * sizeof(*v));
        if (v == NULL)
            return -1;
        b->path = v;
        b->cap = cap;
    }
    b->path[b->n] = strdup(path);
    return b->path[b->n] != NULL ? (b->n++, 0) : -1;
}

static int visit(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    size_t n = strlen(path);
    bool is_script = kind == FTW_F && n > 4 && strcmp(path + n - 4, ".pkt") == 0;
    return is_script ? add_path(walking, path) : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_argument(struct batch *b, const char *arg)
{
    struct stat st;
    unsigned before = b->n;
    if (stat(arg, &st) != 0) {
        fprintf(stderr, "weir drill: %s: %s\n", arg, strerror(errno));
        return -1;
    }
    if (!S_ISDIR(st.st_mode))
        return add_path(b, arg);
    walking = b;
    if (nftw(arg, visit, 16, FTW_PHYS) != 0)
        return -1;
    if (b->n == before) {
        fprintf(stderr, "weir drill: there is no .pkt file in %s\n", arg);
        return -1;
    }
    qsort(b->path + before, b->n - before, sizeof(*b->path), by_name);
    return 0;
}

/* ---- running ---- */

static void bad(struct drill_result *r, const char *why)
{
    r->status = DRILL_BAD;
    r->line = 0;
    snprintf(r->text, sizeof(r->text), "%s", why);
}

static void run_file(const struct batch *b, const char *path, struct drill_result *r)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        bad(r, strerror(errno));
        return;
    }
    size_t n_def = strlen(b->defines);
    char *text = malloc(n_def + SCRIPT_BYTES_MAX + 1);
    size_t n = text != NULL ? fread(text + n_def, 1, SCRIPT_BYTES_MAX + 1, f) : 0;
    if (text != NULL)
        memcpy(text, b->defines, n_def);
    bool is_error = ferror(f) != 0 || text == NULL;
    fclose(f);
    if (is_error || n > SCRIPT_BYTES_MAX)
        bad(r, is_error ? "cannot be read" : "too long for a script");
    else
        drill_run(path, text, n_def + n, &b->conf, r);
    free(text);
}

static void run_slot(const struct batch *b, unsigned i)
{
    struct slot *s = &b->shared->slot[i];
    s->worker = getpid();
    s->state = SLOT_RUNNING;
    if (b->conf.trace != NULL)
        fprintf(b->conf.trace, "%s\n", b->path[i]);
    run_file(b, b->path[i], &s->result);
    if (b->conf.trace != NULL)
        fflush(b->conf.trace);
    s->state = SLOT_DONE;
}

static void work(const struct batch *b, bool is_worker)
{
    for (;;) {
        unsigned i = __atomic_fetch_add(&b->shared->next, 1, __ATOMIC_RELAXED);
        if (i >= b->n)
            return;
        if (is_worker)
            alarm(SCRIPT_SECONDS);
        run_slot(b, i);
    }
}

static pid_t start_worker(const struct batch *b)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    work(b, true);
    _exit(0);
}

/* A worker died: so did the script it was at. */
static void bury(const struct batch *b, pid_t pid, int status)
{
    for (unsigned i = 0; i < b->n; i++) {
        struct slot *s = &b->shared->slot[i];
        if (s->state != SLOT_RUNNING || s->worker != pid)
            continue;
        s->state = SLOT_DONE;
        s->result.status = DRILL_FAILED;
        int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        if (sig == SIGALRM)
            snprintf(s->result.text, sizeof(s->result.text), "still running after %d s",
                     SCRIPT_SECONDS);
        else
            snprintf(s->result.text, sizeof(s->result.text), "the stack stopped: %s",
                     sig != 0 ? strsignal(sig) : "see above");
    }
}

static void run_workers(const struct batch *b)
{
    unsigned alive = 0;
    for (unsigned i = 0; i < b->jobs && i < b->n; i++)
        alive += start_worker(b) > 0;
    while (alive > 0) {
        int status = 0;
        pid_t pid = wait(&status);
        if (pid < 0)
            return;
        alive--;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            continue;
        bury(b, pid, status);
        if (__atomic_load_n(&b->shared->next, __ATOMIC_RELAXED) < b->n)
            alive += start_worker(b) > 0;
    }
}

/* ---- saying ---- */

static int report(const struct batch *b)
{
    static const char *const words[] = {"", "", "skipped: ", "not a script: "};
    unsigned n[4] = {0};
    for (unsigned i = 0; i < b->n; i++) {
        struct slot *s = &b->shared->slot[i];
        if (s->state != SLOT_DONE)
            bad(&s->result, "was never run");
        n[s->result.status]++;
        if (s->result.status != DRILL_PASSED)
            printf("%s:%u: %s%s\n", b->path[i], s->result.line, words[s->result.status],
                   s->result.text);
    }
    printf("%u passed, %u failed", n[DRILL_PASSED], n[DRILL_FAILED] + n[DRILL_BAD]);
    if (n[DRILL_SKIPPED] != 0)
        printf(", %u skipped", n[DRILL_SKIPPED]);
    putchar('\n');
    return n[DRILL_BAD] != 0 ? 2 : n[DRILL_FAILED] != 0 ? 1 : 0;
}

static int run_batch(struct batch *b)
{
    size_t bytes = sizeof(struct shared) + b->n * sizeof(struct slot);
    b->shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b->shared == MAP_FAILED) {
        fprintf(stderr, "weir drill: %s\n", strerror(errno));
        return 2;
    }
    if (b->jobs == 0)
        work(b, false);
    else
        run_workers(b);
    int status = report(b);
    munmap(b->shared, bytes);
    return status;
}

static bool parse_jobs(const char *text, unsigned *jobs)
{
    char *end = NULL;
    errno = 0;
    unsigned long v = strtoul(text, &end, 10);
    *jobs = (unsigned)v;
    return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && v <= JOBS_MAX;
}

/* Definitions stand in front of each script, on its first line: lines keep their numbers. */
static bool add_define(struct batch *b, const char *text)
{
    size_t used = strlen(b->defines);
    int n = snprintf(b->defines + used, sizeof(b->defines) - used, "--define=%s ", text);
    if (n > 0 && (size_t)n < sizeof(b->defines) - used && strchr(text, '=') != NULL)
        return true;
    fputs("weir drill: --define takes NAME=VALUE, 4000 bytes in all\n", stderr);
    return false;
}

static bool add_mtu(struct batch *b, const char *text)
{
    size_t used = strlen(b->defines);
    bool is_number = *text != '\0' && strspn(text, "0123456789") == strlen(text);
    int n = snprintf(b->defines + used, sizeof(b->defines) - used, "--mtu=%s ", text);
    if (is_number && strlen(text) < 6 && (size_t)n < sizeof(b->defines) - used)
        return true;
    fputs("weir drill: --mtu takes a number of bytes\n", stderr);
    return false;
}

/* 0: go on; 1: help was asked for; 2: wrong. */
static int parse_args(struct batch *b, int argc, char **argv)
{
    static const struct option longs[] = {
        {"verbose", no_argument, NULL, 'v'},   {"ipv6", no_argument, NULL, '6'},
        {"lenient", no_argument, NULL, 'l'},   {"jobs", required_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},      {"define", required_argument, NULL, 'D'},
        {"mtu", required_argument, NULL, 'm'}, {0}};
    optind = 1;
    opterr = 0;
    for (int c = 0; (c = getopt_long(argc, argv, ":v6j:hD:m:", longs, NULL)) != -1;) {
        if (c == 'v') {
            b->conf.trace = stdout;
        } else if (c == '6') {
            b->conf.ip_version = 6;
        } else if (c == 'l') {
            b->conf.is_lenient = true;
        } else if (c == 'h') {
            return 1;
        } else if (c == 'D') {
            if (!add_define(b, optarg))
                return 2;
        } else if (c == 'm') {
            if (!add_mtu(b, optarg))
                return 2;
        } else if (c != 'j' || !parse_jobs(optarg, &b->jobs)) {
            if (c == 'j' || c == ':')
                fprintf(stderr, "weir drill: --jobs takes a number from 0 to %d\n", JOBS_MAX);
            else
                fprintf(stderr, "weir drill: no option %s; weir drill --help lists them\n",
                        argv[optind - 1]);
            return 2;
        }
    }
    for (int i = optind; i < argc; i++)
        if (add_argument(b, argv[i]) < 0)
            return 2;
    if (b->n == 0)
        fputs("weir drill: name a script or a directory of scripts; --help tells more\n", stderr);
    return b->n == 0 ? 2 : 0;
}

int drill_main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct batch b = {.conf = {.ip_version = 4},
                      .jobs = cores < 1          ? 1
                              : cores > JOBS_MAX ? JOBS_MAX
                                                 : (unsigned)cores};
    int status = parse_args(&b, argc, argv);
    if (status == 0) {
        b.jobs = b.conf.trace != NULL && b.jobs > 1 ? 1 : b.jobs;
        status = run_batch(&b);
    } else if (status == 1) {
        fputs(help, stdout);
        status = 0;
    }
    for (unsigned i = 0; i < b.n; i++)
        free(b.path[i]);
    free(b.path);
    return status;
}
