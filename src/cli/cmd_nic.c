/* SPDX-License-Identifier: Apache-2.0
 *
 * weir nic: the model NIC of a running program, seen and tuned after the manner of ethtool.
 *
 * Reads the option letter, finds the instance, passes the words on: what is possible only the
 * instance knows (run/niccmd.c), and its refusals are shown as they are, with exit status 2. Owns
 * nothing.
 */
#include "cli/ask.h"
#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: weir nic [OPTION] [PID] [NAME VALUE…]\n"
    "\n"
    "Shows and changes, while it runs, the NIC of a program started by weir run --nic. PID is\n"
    "that of `weir run`; without it questions go to all of yours, changes to the only one.\n"
    "\n"
    "  no option                 what it is, and all settings\n"
    "  -g, --show-ring           sizes of the rings\n"
    "  -G, --set-ring            rx N, tx N: powers of two\n"
    "  -c, --show-coalesce       when it interrupts\n"
    "  -C, --coalesce            rx-usecs N, rx-frames N, tx-usecs N, tx-frames N,\n"
    "                            adaptive-rx on|off\n"
    "  -k, --show-offload        what the card does instead of the stack\n"
    "  -K, --offload             rx, tx (checksums), tso, gso, gro, lro: on|off\n"
    "  -a, --show-pause          flow control [IEEE 802.3x]\n"
    "  -A, --pause               rx, tx: on|off (obey it, send it)\n"
    "  -l, --show-channels       pairs of queues\n"
    "  -L, --set-channels        combined N\n"
    "  -S, --statistics          what the card and its driver have counted\n"
    "  -h, --help                this text\n"
    "\n"
    "A change of rings, queues or offloads takes the card down and up: what lay there to be\n"
    "sent is counted (driver_tx_dropped), and TCP sends it again. Exit status: 0, 2 when it was\n"
    "refused.\n"
    "\n"
    "Examples:\n"
    "  weir run --nic=rate=10gbit curl -O URL &\n"
    "  weir nic -S\n"
    "  weir nic -G rx 1024 tx 64\n"
    "  weir nic -C rx-usecs 100 rx-frames 64\n";

static const struct {
    const char *letter, *name;
    bool is_change;
} options[] = {
    {"g", "--show-ring", false},   {"G", "--set-ring", true},      {"c", "--show-coalesce", false},
    {"C", "--coalesce", true},     {"k", "--show-offload", false}, {"K", "--offload", true},
    {"a", "--show-pause", false},  {"A", "--pause", true},         {"l", "--show-channels", false},
    {"L", "--set-channels", true}, {"S", "--statistics", false},
};
enum { N_OPTIONS = sizeof(options) / sizeof(options[0]), ARGS_MAX = 40 };

static int find_option(const char *word)
{
    for (int i = 0; i < N_OPTIONS; i++) {
        bool is_letter = word[0] == '-' && strcmp(word + 1, options[i].letter) == 0;
        if (is_letter || strcmp(word, options[i].name) == 0)
            return i;
    }
    return -1;
}

int cmd_nic(int argc, char **argv)
{
    struct ask_conf c = {.cmd = "nic", .word = "nic"};
    char *args[ARGS_MAX];
    int i = 1, n = 0, option;
    if (i < argc && (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    char letter[2] = "i";
    if (i < argc && argv[i][0] == '-') {
        option = find_option(argv[i]);
        if (option < 0) {
            fprintf(stderr, "weir nic: no option %s; see weir nic --help\n", argv[i]);
            return 2;
        }
        letter[0] = options[option].letter[0];
        c.is_change = options[option].is_change;
        i++;
    }
    args[n++] = letter;
    if (i < argc && ask_is_pid(argv[i], &c.pid))
        i++;
    if (i < argc && !c.is_change) {
        fprintf(stderr, "weir nic: %s is not a process number; see weir nic --help\n", argv[i]);
        return 2;
    }
    while (i < argc && n < ARGS_MAX)
        args[n++] = argv[i++];
    c.args = args;
    c.n_args = n;
    return ask_instances(&c);
}
