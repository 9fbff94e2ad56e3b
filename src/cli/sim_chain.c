/* SPDX-License-Identifier: Apache-2.0
 *
 * weir sim chain: a receiver that stops for two seconds, and what that does to every buffer between
 * write() and read(), as a table.
 *
 * Reads the command line, runs the situations (sim/chain.c) in virtual time, prints. Exit status 1
 * when bytes arrived that were not sent, 2 when the command line is wrong. Owns nothing.
 */
#include "cli/cmd.h"
#include "run/chain_show.h"
#include "run/words.h"
#include "sim/chain.h"

#include <errno.h>
#include <string.h>

static const char help[] =
    "Usage: weir sim chain [--seed N] [SITUATION…]\n"
    "\n"
    "Two hosts, joined by NICs of 100 Mbit/s: one writes, the other reads, stops for 2 s, and\n"
    "goes on. Shows each buffer between write() and read() a second later: what is inside, the\n"
    "most that ever was, how often and for how long it was full, what it dropped. In virtual\n"
    "time; the same seed gives the same table.\n"
    "\n";

static void usage(FILE *f)
{
    const struct sim_chain_conf *k;
    fputs(help, f);
    for (unsigned i = 0; (k = sim_chain_case(i)) != NULL; i++)
        fprintf(f, "  %-12s %s\n", k->name, k->text);
    fprintf(f, "  --seed N     of everything random (1)\n"
               "  -h, --help   this text\n"
               "\nWithout a situation: all of them. In the picture # is what is inside, - the\n"
               "high-water mark.\n");
}

static int show_one(const struct sim_chain_conf *k, uint64_t seed)
{
    struct sim_chain c;
    int r = sim_chain_run(k, seed, &c);
    if (r < 0) {
        fprintf(stderr, "weir sim chain: %s\n", strerror(-r));
        return 2;
    }
    printf("%s: %s\n", k->name, k->text);
    chain_show_head(stdout);
    printf("  write()\n");
    chain_show(stdout, c.send, c.n_send);
    printf("  ~~~~~~~~ cable\n");
    chain_show(stdout, c.recv, c.n_recv);
    printf("  read()\n");
    printf("  %llu %s written, %llu read; write() waited %.3f s at most; %llu dropped by the "
           "sender%s\n\n",
           (unsigned long long)c.sent, k->is_udp ? "datagrams" : "bytes", (unsigned long long)c.got,
           (double)c.write_waited_ns / 1e9, (unsigned long long)sim_chain_drops(&c, false),
           c.is_damaged ? "; WHAT WAS READ IS NOT WHAT WAS WRITTEN" : "");
    return c.is_damaged ? 1 : 0;
}

static const struct sim_chain_conf *find_case(const char *name)
{
    const struct sim_chain_conf *k;
    for (unsigned i = 0; (k = sim_chain_case(i)) != NULL; i++)
        if (strcmp(k->name, name) == 0)
            return k;
    fprintf(stderr, "weir sim chain: no situation %s; there are:", name);
    for (unsigned i = 0; (k = sim_chain_case(i)) != NULL; i++)
        fprintf(stderr, " %s", k->name);
    fprintf(stderr, "\n");
    return NULL;
}

static int show_all(uint64_t seed)
{
    const struct sim_chain_conf *k;
    int status = 0;
    for (unsigned i = 0; (k = sim_chain_case(i)) != NULL; i++) {
        int r = show_one(k, seed);
        status = r > status ? r : status;
    }
    return status;
}

static int parse_seed(const char *word, uint64_t *seed)
{
    if (word != NULL && words_number(word, 0, UINT64_MAX, seed) == 0)
        return 0;
    fprintf(stderr, "weir sim chain: --seed wants a number, not %s; see weir sim chain --help\n",
            word == NULL ? "nothing" : word);
    return -EINVAL;
}

int sim_chain(int argc, char **argv)
{
    uint64_t seed = 1;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            usage(stdout);
            return 0;
        }
        if (strcmp(argv[i], "--seed") != 0) {
            fprintf(stderr, "weir sim chain: no option %s; see weir sim chain --help\n", argv[i]);
            return 2;
        }
        i++;
        if (parse_seed(i < argc ? argv[i] : NULL, &seed) < 0)
            return 2;
    }
    for (int k = i; k < argc; k++)
        if (find_case(argv[k]) == NULL)
            return 2;
    if (i == argc)
        return show_all(seed);
    int status = 0;
    for (; i < argc; i++) {
        int r = show_one(find_case(argv[i]), seed);
        status = r > status ? r : status;
    }
    return status;
}
