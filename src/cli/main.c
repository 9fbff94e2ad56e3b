/* SPDX-License-Identifier: Apache-2.0
 *
 * weir: the command. Finds the subcommand and calls it; decides nothing else, owns nothing.
 *
 * The table below is also what `weir --help` prints, in the order a newcomer would try them.
 *
 * Each subcommand is one file, cmd_NAME.c, with its own --help. Exit status 2 with one sentence
 * when there is no such subcommand.
 */
#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

struct cmd {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *doc;
};

static const struct cmd cmds[] = {
    {"run", cmd_run, "run a program on weir's TCP/IP"},
    {"demo", cmd_demo, "see it work: curl over weir, a lossy link, a textbook example"},
    {"ss", cmd_ss, "show the sockets of programs running on weir"},
    {"nic", cmd_nic, "show and tune the model NIC of a running program"},
    {"chain", cmd_chain, "show every buffer between a running program and the wire"},
    {"why", cmd_why, "say what a connection waits for, in one sentence and a table"},
    {"pcap", cmd_pcap, "show a capture file, one line a packet"},
    {"trace", cmd_trace, "follow chosen bytes through every layer"},
    {"plot", cmd_plot, "draw a connection of a trace: windows, RTT, throughput, buffers"},
    {"drill", cmd_drill, "run packet scripts against the stack, in virtual time"},
    {"link", cmd_link, "join two TAP interfaces by an emulated link"},
    {"experiment", cmd_experiment, "run scenarios and sweeps, with tables and plots"},
    {"sim", cmd_sim, "run the stack in simulation, one seed or thousands"},
};

static void usage(FILE *f)
{
    fprintf(f, "weir: a TCP/IP stack in user space\n\nUsage: weir COMMAND [ARGS…]\n\n");
    for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
        fprintf(f, "  %-10s %s\n", cmds[i].name, cmds[i].doc);
    fprintf(f, "\nweir COMMAND --help tells more. weir --version prints " WEIR_VERSION ".\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("weir " WEIR_VERSION "\n");
        return 0;
    }
    for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
        if (strcmp(argv[1], cmds[i].name) == 0)
            return cmds[i].main(argc - 1, argv + 1);
    fprintf(stderr, "weir: no command %s; weir --help lists them\n", argv[1]);
    return 2;
}
