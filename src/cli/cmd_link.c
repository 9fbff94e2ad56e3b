/* SPDX-License-Identifier: Apache-2.0
 *
 * weir link --a … --b …: two TAP interfaces joined by an emulated link, in real time.
 *
 * Reads the command line, opens the interfaces (each where it lies: a TAP interface can be in
 * another network namespace), leaves the frames to run/relay, and says what became of them at the
 * end and whenever SIGUSR1 asks. SIGINT and SIGTERM end it.
 *
 * What is wrong with the command line or the surroundings is one sentence and exit status 2; an
 * interface that goes away under it is a sentence, the statistics and exit status 1.
 */
#include "cli/cmd.h"

#include "backend/backend.h"
#include "run/loop.h"
#include "run/relay.h"
#include "run/words.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char help[] =
    "Usage: weir link [-s] show [PID]\n"
    "       weir link set [PID] dev net0 [mtu N] [txqueuelen N] [qdisc 'KIND WORDS']\n"
    "       weir link --a tap:X[@NETNS] --b tap:Y[@NETNS] [OPTIONS] [CONDITIONS]\n"
    "\n"
    "The first two show and change the interface of a running program. PID is that of `weir\n"
    "run`, and can be left out where only one runs.\n"
    "  -s, --statistics   what interface and queue have seen\n"
    "  mtu N              bytes of a packet, up to what the network carried at the start\n"
    "  txqueuelen N       packets that may wait, 1 to 4096\n"
    "  qdisc 'KIND …'     fifo, prio, mark [mark_at N], fq [flow_limit N] [quantum BYTES],\n"
    "                     codel and fq_codel [target TIME] [interval TIME], tbf rate RATE\n"
    "                     [burst BYTES]; each with [limit N]. What waits moves over.\n"
    "\n"
    "The third joins two TAP interfaces by an emulated link: what the kernel (or a bridge) sends\n"
    "into one comes out of the other, after the rate, delay, loss and reordering asked for. Needs\n"
    "neither netem nor a module. The same seed gives the nth frame the same fate in every run.\n"
    "\n"
    "  --a, --b tap:NAME[@NETNS]\n"
    "                     the two ends: TAP interfaces that are up, here or in the network\n"
    "                     namespace NETNS: a name of `ip netns`, or a path like /proc/PID/ns/net\n"
    "  CONDITIONS         of both directions, in the words of netem, such as\n"
    "                     'rate 100mbit delay 20ms loss 0.1% reorder 1%'; none: a perfect wire\n"
    "  --ab CONDITIONS    of the direction from a to b instead\n"
    "  --ba CONDITIONS    of the direction from b to a instead\n"
    "  --seed N           of everything random (default: a new one, which is printed)\n"
    "  -h, --help         this text\n"
    "\n"
    "The words: delay TIME [JITTER], rate RATE [overhead BYTES], limit PACKETS|BYTESb,\n"
    "loss PERCENT, loss gemodel P [R [1-H [1-K]]], reorder PERCENT [TIME], duplicate PERCENT,\n"
    "corrupt PERCENT, cut every TIME for TIME, ecn BYTES,\n"
    "aqm fifo|codel|fq_codel [target TIME] [interval TIME], mtu BYTES [icmp].\n"
    "\n"
    "Super-segments of the kernel are cut into the frames of a wire before they reach the link:\n"
    "each frame is lost, delayed and counted by itself, ARP included. Reordered frames come TIME\n"
    "later (1ms); jitter never reorders. A queue without limit holds 1000 frames.\n"
    "\n"
    "SIGUSR1 prints the statistics to standard error, SIGINT and SIGTERM print them and end.\n"
    "Exit status: 0, 1 when an interface went away, 2 when the command line or the surroundings\n"
    "are wrong.\n"
    "\n"
    "Example, as root:\n"
    "  ip netns add blue && ip -n blue tuntap add east mode tap && ip tuntap add west mode tap\n"
    "  ip addr add 10.9.0.1/24 dev west && ip link set west up\n"
    "  ip -n blue addr add 10.9.0.2/24 dev east && ip -n blue link set east up\n"
    "  weir link --a tap:west --b tap:east@blue 'rate 100mbit delay 20ms loss 0.1%'\n";

enum {
    OPT_A = 256,
    OPT_B,
    OPT_AB,
    OPT_BA,
    OPT_SEED,
    EXIT_GONE = 1,
    EXIT_USAGE = 2,
    PATH_TEXT = 256
};

static const struct option options[] = {
    {"a", required_argument, NULL, OPT_A},
    {"b", required_argument, NULL, OPT_B},
    {"ab", required_argument, NULL, OPT_AB},
    {"ba", required_argument, NULL, OPT_BA},
    {"seed", required_argument, NULL, OPT_SEED},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct args {
    const char *side[2], *way[2];
    uint64_t seed;
    bool has_seed;
};

/* ---- the command line --------------------------------------------------------------------- */

static int complain(const char *what, const char *word)
{
    fprintf(stderr, "weir link: %s%s; weir link --help tells more\n", what, word);
    return -EINVAL;
}

static int parse_seed(struct args *a, const char *text)
{
    a->has_seed = true;
    if (words_number(text, 0, UINT64_MAX, &a->seed) < 0)
        return complain("--seed wants a number, not ", text);
    return 0;
}

static int parse_option(struct args *a, int option, char *word)
{
    switch (option) {
    case OPT_A: a->side[0] = optarg; return 0;
    case OPT_B: a->side[1] = optarg; return 0;
    case OPT_AB: a->way[0] = optarg; return 0;
    case OPT_BA: a->way[1] = optarg; return 0;
    case OPT_SEED: return parse_seed(a, optarg);
    case ':': return complain("a value is missing after ", word);
    default: return complain("there is no option ", word);
    }
}

static int parse_words(struct args *a, char **word, int n)
{
    if (a->side[0] == NULL || a->side[1] == NULL)
        return complain("which interfaces? Write --a tap:X --b tap:Y", "");
    if (n > 1)
        return complain("put all conditions between quotes, as one word: unexpected ", word[1]);
    for (unsigned i = 0; i < 2 && n == 1; i++) {
        if (a->way[i] == NULL)
            a->way[i] = word[0];
    }
    if (strcmp(a->side[0], a->side[1]) == 0)
        return complain("--a and --b are the same interface: ", a->side[0]);
    if (!a->has_seed && getrandom(&a->seed, sizeof(a->seed), 0) != (ssize_t)sizeof(a->seed))
        return complain("the system gives no random numbers; give a --seed", "");
    /* One that can be typed again. */
    a->seed = a->has_seed ? a->seed : a->seed % 1000000000;
    return 0;
}

static int parse_ways(const struct args *a, struct relay_conf *c)
{
    char why[EMU_ERR_TEXT];
    for (unsigned i = 0; i < 2; i++) {
        if (emu_parse(a->way[i] != NULL ? a->way[i] : "", &c->way[i], why) < 0) {
            fprintf(stderr, "weir link: %s to %s: %s\n", i == 0 ? "a" : "b", i == 0 ? "b" : "a",
                    why);
            return -EINVAL;
        }
    }
    c->seed = a->seed;
    return 0;
}

/* ---- the interfaces ----------------------------------------------------------------------- */

/* Enters the network namespace; returns a descriptor of the one before, or -1 after a sentence. */
static int enter(const char *netns)
{
    char path[PATH_TEXT];
    int n = snprintf(path, sizeof(path), "%s%s", strchr(netns, '/') != NULL ? "" : "/run/netns/",
                     netns);
    int there = n < (int)sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (there < 0) {
        fprintf(stderr, "weir link: there is no network namespace %s: %s\n", path, strerror(errno));
    } else if (here < 0 || setns(there, CLONE_NEWNET) != 0) {
        fprintf(stderr, "weir link: cannot enter the network namespace %s: %s%s\n", path,
                strerror(errno), errno == EPERM ? "; run weir link as root" : "");
    } else {
        close(there);
        return here;
    }
    if (there >= 0)
        close(there);
    if (here >= 0)
        close(here);
    return -1;
}

/* 0, or -EINVAL after a sentence. */
static int open_here(const char *name, struct netdev **out)
{
    struct backend_conf conf = {0};
    struct backend b;
    char why[BACKEND_ERR_TEXT];
    if (strncmp(name, "tap:", 4) != 0) {
        fprintf(stderr, "weir link: %s is no end of a link; write one like tap:tap0\n", name);
        return -EINVAL;
    }
    if (backend_open(name, &conf, &b, why) < 0) {
        fprintf(stderr, "weir link: %s\n", why);
        return -EINVAL;
    }
    *out = b.dev;
    return 0;
}

static int open_side(const char *word, struct netdev **out)
{
    char name[PATH_TEXT];
    const char *at = strchr(word, '@');
    size_t n = at != NULL ? (size_t)(at - word) : strlen(word);
    if (n >= sizeof(name))
        return complain("no interface has a name like ", word);
    memcpy(name, word, n);
    name[n] = '\0';
    if (at == NULL)
        return open_here(name, out);
    int back = enter(at + 1);
    if (back < 0)
        return -EINVAL;
    int e = open_here(name, out);
    if (setns(back, CLONE_NEWNET) != 0) {
        fprintf(stderr, "weir link: cannot return to its network namespace: %s\n", strerror(errno));
        exit(EXIT_USAGE);
    }
    close(back);
    return e;
}

/* ---- statistics --------------------------------------------------------------------------- */

static void show_count(const char *what, uint64_t n)
{
    if (n != 0)
        fprintf(stderr, "  %-28s %12llu\n", what, (unsigned long long)n);
}

static void show_way(const struct relay *r, unsigned i, const char *from, const char *to)
{
    const struct relay_way *w = &r->way[i];
    fprintf(stderr, "%s > %s\n", from, to);
    fprintf(stderr, "  %-28s %12llu\n", "frames", (unsigned long long)w->emu.count[EMU_PUSHED]);
    fprintf(stderr, "  %-28s %12llu\n", "bytes", (unsigned long long)w->bytes);
    for (unsigned k = 0; k < EMU_N_COUNTERS; k++) {
        if (k != EMU_PUSHED)
            show_count(emu_counter_text((enum emu_counter)k), w->emu.count[k]);
    }
    show_count("still under way", emu_inside(&w->emu) + w->n_held);
    show_count("longest queue", w->emu.queued_max);
    show_count("super-segments cut", w->nif->n.gso_cut);
    show_count("lost before the link", relay_missed(r, i));
    show_count("lost behind the link", w->to->stats.tx_dropped);
}

static void show(const struct relay *r, const struct args *a, w_ns since)
{
    fprintf(stderr, "weir link: after %.3f s, seed %llu\n", (double)(loop_clock() - since) / 1e9,
            (unsigned long long)a->seed);
    show_way(r, 0, a->side[0], a->side[1]);
    show_way(r, 1, a->side[1], a->side[0]);
}

/* ---- running ------------------------------------------------------------------------------ */

/* The signals that concern us, as a descriptor. */
static int catch_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static int carry(struct relay *r, const struct args *a, int signals)
{
    w_ns since = loop_clock();
    int gone = 0;
    bool is_over = false;
    fprintf(stderr, "weir link: %s and %s are joined, seed %llu\n", a->side[0], a->side[1],
            (unsigned long long)a->seed);
    while (!is_over) {
        struct signalfd_siginfo s = {0};
        gone = relay_run(r, signals);
        is_over = gone != 0 || read(signals, &s, sizeof(s)) < 0 || s.ssi_signo != SIGUSR1;
        if (gone > 0)
            fprintf(stderr, "weir link: %s is gone\n", a->side[gone - 1]);
        if (gone < 0)
            fprintf(stderr, "weir link: %s\n", strerror(-gone));
        show(r, a, since);
    }
    return gone != 0 ? EXIT_GONE : 0;
}

static int join(const struct args *a, const struct relay_conf *c)
{
    struct netdev *dev[2];
    char why[BACKEND_ERR_TEXT];
    int signals = catch_signals();
    if (signals < 0) {
        fprintf(stderr, "weir link: cannot wait for signals: %s\n", strerror(errno));
        return EXIT_USAGE;
    }
    if (open_side(a->side[0], &dev[0]) < 0)
        return EXIT_USAGE;
    if (open_side(a->side[1], &dev[1]) < 0) {
        netdev_close(dev[0]);
        return EXIT_USAGE;
    }
    struct relay *r = relay_new(c, dev, loop_clock(), why, sizeof(why));
    if (r == NULL) {
        fprintf(stderr, "weir link: %s\n", why);
        return EXIT_USAGE;
    }
    int status = carry(r, a, signals);
    (void)relay_free(r);
    close(signals);
    return status;
}

int cmd_link(int argc, char **argv)
{
    struct args a = {0};
    struct relay_conf c = {0};
    int option;
    if (link_is_running(argc, argv))
        return link_running(argc, argv);
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (parse_option(&a, option, argv[optind - 1]) < 0)
            return EXIT_USAGE;
    }
    if (parse_words(&a, argv + optind, argc - optind) < 0 || parse_ways(&a, &c) < 0)
        return EXIT_USAGE;
    return join(&a, &c);
}
