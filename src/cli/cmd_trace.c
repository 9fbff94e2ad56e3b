/* SPDX-License-Identifier: Apache-2.0
 *
 * weir trace: the journey of chosen bytes through every layer of sender and receiver.
 *
 * The records come from a trace file (weir run --trace, weir sim --trace-file) or from a transfer
 * that is simulated for the purpose. What is wrong with the command line or the file is said in one
 * sentence, exit status 2.
 */
#include "cli/cmd.h"

#include "cli/streams.h"
#include "look/way.h"
#include "run/words.h"
#include "sim/pair.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: weir trace [OPTIONS] FILE\n"
    "       weir trace [OPTIONS] --sim[=CONDITIONS]\n"
    "\n"
    "Shows the journey of chosen bytes: from write() through the send buffer, TCP, the queue,\n"
    "the driver and the network up to the other program's read(), when each thing happened,\n"
    "how long it lasted, and how full the buffers were.\n"
    "\n"
    "  FILE                 a trace: of weir run --trace or weir sim --trace-file\n"
    "  --sim[=CONDITIONS]   simulate a transfer between two hosts instead: over an emulated link\n"
    "                       in netem's words ('delay 5ms loss 1%'), or without any, over drivers,\n"
    "                       cards of 1 Gbit/s and a cable\n"
    "  --size BYTES         of that transfer (default 100000)\n"
    "  --seed N             of everything random in it (default 1)\n"
    "  -6, --ipv6           of that transfer\n"
    "  -b, --bytes A-B      which bytes of the stream, counted from 0 (default 0-999)\n"
    "  -c, --conn N         which stream of --list (default: the one with the most bytes)\n"
    "  -l, --list           the streams that the trace knows, instead of a journey\n"
    "  -j, --json OUT       the journey as a file for ui.perfetto.dev or chrome://tracing\n"
    "  -o, --save OUT       with --sim: keep its trace in a file\n"
    "  -h, --help           this text\n"
    "\n"
    "Examples:\n"
    "  weir trace --sim='delay 10ms loss 3%' --bytes 20000-21000\n"
    "  weir run --trace t.txt curl -O http://…; weir trace t.txt --bytes 0-100 --json t.json\n";

enum { NUMBER = 24 };

struct args {
    const char *file, *json, *save;
    bool wants_sim, wants_list;
    struct pair_conf pair;
    uint64_t first, last, conn;
    const char *of_sim; /* an option that only --sim has; NULL: none was given */
};

static int bad(const char *option, const char *word, const char *want)
{
    fprintf(stderr, "weir trace: %s wants %s, not %s; see weir trace --help\n", option, want, word);
    return -EINVAL;
}

static int parse_bytes(struct args *a, const char *text)
{
    char first[NUMBER];
    const char *dash = strchr(text, '-');
    size_t n = dash != NULL ? (size_t)(dash - text) : 0;
    bool is_good = n != 0 && n < sizeof first;
    if (is_good) {
        memcpy(first, text, n);
        first[n] = '\0';
        is_good = words_number(first, 0, INT32_MAX, &a->first) == 0 &&
                  words_number(dash + 1, a->first, INT32_MAX, &a->last) == 0;
    }
    return is_good ? 0 : bad("--bytes", text, "two numbers like 1000-1999");
}

static int parse_number(const char *option, const char *text, uint64_t min, uint64_t max,
                        uint64_t *out)
{
    char want[64];
    snprintf(want, sizeof want, "a number from %llu to %llu", (unsigned long long)min,
             (unsigned long long)max);
    return words_number(text, min, max, out) == 0 ? 0 : bad(option, text, want);
}

static const struct option options[] = {
    {"sim", optional_argument, NULL, 'S'},
    {"size", required_argument, NULL, 'n'},
    {"seed", required_argument, NULL, 's'},
    {"ipv6", no_argument, NULL, '6'},
    {"bytes", required_argument, NULL, 'b'},
    {"conn", required_argument, NULL, 'c'},
    {"list", no_argument, NULL, 'l'},
    {"json", required_argument, NULL, 'j'},
    {"save", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int parse_option(struct args *a, int option, const char *arg)
{
    switch (option) {
    case 'S':
        a->wants_sim = true;
        a->pair.link = arg;
        return 0;
    case 'n':
        a->of_sim = "--size";
        return parse_number("--size", arg, 1, INT32_MAX, &a->pair.bytes);
    case 's':
        a->of_sim = "--seed";
        return parse_number("--seed", arg, 0, UINT64_MAX, &a->pair.seed);
    case '6':
        a->of_sim = "--ipv6";
        a->pair.is_ip6 = true;
        return 0;
    case 'b': return parse_bytes(a, arg);
    case 'c': return parse_number("--conn", arg, 1, LOOK_STREAMS, &a->conn);
    case 'l': a->wants_list = true; return 0;
    case 'j': a->json = arg; return 0;
    case 'o':
        a->of_sim = "--save";
        a->save = arg;
        return 0;
    default: return -EINVAL;
    }
}

/* 0: go on; 1: help was printed; -1: wrong, said so. */
static int parse(int argc, char **argv, struct args *a)
{
    int option;
    opterr = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, ":b:c:lj:o:6h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 1;
        }
        if (option == ':' || option == '?') {
            fprintf(stderr, "weir trace: %s %s; see weir trace --help\n",
                    option == ':' ? "a value is missing after" : "there is no option",
                    argv[optind - 1]);
            return -1;
        }
        if (parse_option(a, option, optarg) < 0)
            return -1;
    }
    a->file = optind < argc ? argv[optind] : NULL;
    if ((a->file != NULL) == a->wants_sim || optind + 1 < argc) {
        fprintf(stderr, "weir trace: name one trace file, or say --sim; see weir trace --help\n");
        return -1;
    }
    if (!a->wants_sim && a->of_sim != NULL) {
        fprintf(stderr, "weir trace: %s goes with --sim; see weir trace --help\n", a->of_sim);
        return -1;
    }
    return 0;
}

static int write_json(const struct args *a, const struct look_log *l, const struct look_way *w)
{
    FILE *f = fopen(a->json, "we");
    if (f != NULL)
        look_way_json(w, l, f);
    if (f != NULL && (ferror(f) | fclose(f)) == 0)
        return 0;
    fprintf(stderr, "weir trace: cannot write %s: %s\n", a->json, strerror(errno));
    return 2;
}

/* The journey, perhaps to a file, and to the screen. The exit status. */
static int show(const struct args *a, const struct look_log *l, const struct look_stream *s)
{
    struct look_way w;
    if (a->first >= s->bytes) {
        fprintf(stderr,
                "weir trace: the stream has %llu bytes, counted from 0; none is in %llu-%llu\n",
                (unsigned long long)s->bytes, (unsigned long long)a->first,
                (unsigned long long)a->last);
        return 2;
    }
    uint64_t last = w_u64_min(a->last, s->bytes - 1);
    if (look_way_find(&w, l, s, (uint32_t)a->first, (uint32_t)(last - a->first + 1)) < 0) {
        fprintf(stderr, "weir trace: no memory\n");
        return 2;
    }
    int r = a->json != NULL ? write_json(a, l, &w) : 0;
    if (r == 0)
        look_way_print(&w, stdout);
    look_way_free(&w);
    return r;
}

static int load(const struct args *a, struct view *v)
{
    char err[256];
    if (!a->wants_sim)
        return streams_load("weir trace", a->file, &v->log);
    const struct view_conf vc = {.trace = a->save, .wants_log = true};
    if (view_open(v, &vc, err, sizeof err) < 0) {
        fprintf(stderr, "weir trace: %s\n", err);
        return -EINVAL;
    }
    int r = pair_run(&a->pair, v, err, sizeof err);
    if (r < 0)
        fprintf(stderr, "weir trace: %s\n", err);
    if (view_close(v) < 0 && r == 0) {
        fprintf(stderr, "weir trace: not all could be written; is the disk full?\n");
        r = -EIO;
    }
    return r;
}

int cmd_trace(int argc, char **argv)
{
    static struct look_stream streams[LOOK_STREAMS];
    struct args a = {.last = 999, .pair = {.bytes = 100000, .seed = 1}};
    struct view v = {0};
    int r = parse(argc, argv, &a);
    if (r != 0)
        return r < 0 ? 2 : 0;
    if (load(&a, &v) < 0) {
        view_free(&v);
        return 2;
    }
    unsigned n = look_streams(&v.log, streams);
    const struct look_stream *s = streams_pick("weir trace", streams, n, (unsigned)a.conn);
    if (a.wants_list)
        streams_list(streams, n);
    int status = a.wants_list ? 0 : s == NULL ? 2 : show(&a, &v.log, s);
    view_free(&v);
    return status;
}
