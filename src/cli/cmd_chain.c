/* SPDX-License-Identifier: Apache-2.0
 *
 * weir chain: every buffer between write() and the wire, and between the wire and read(), of
 * running programs.
 *
 * Finds the instance and shows its answer (run/niccmd.c). Owns nothing. `weir sim chain` shows the
 * same for a receiver that stops, in simulation.
 */
#include "cli/ask.h"
#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: weir chain [PID]\n"
    "\n"
    "Shows where bytes wait, in running `weir run` programs: of each socket the send buffer, what\n"
    "its TCP has handed down, the receive buffer; of the interface the queue before the device\n"
    "and, with --nic, the rings and the memory of the card. PID is that of `weir run`; without\n"
    "it, all of yours.\n"
    "\n"
    "Of each buffer: what is inside now, its limit, the most that ever was (high water), how\n"
    "often it was full and for how long in all, and what it had to drop. In the picture # is\n"
    "what is inside, - the high-water mark. A send buffer is full from a write() that had to\n"
    "wait until the program is told to go on, a receive buffer while its window is closed.\n"
    "\n"
    "  -h, --help   this text\n"
    "\n"
    "weir sim chain shows how a receiver that stops is felt in each of them.\n";

int cmd_chain(int argc, char **argv)
{
    struct ask_conf c = {.cmd = "chain", .word = "chain"};
    if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    if (argc > 1 && argv[1][0] == '-') {
        fprintf(stderr, "weir chain: no option %s; see weir chain --help\n", argv[1]);
        return 2;
    }
    if (argc > 2 || (argc == 2 && !ask_is_pid(argv[1], &c.pid))) {
        fprintf(stderr, "weir chain: %s is not a process number; see weir chain --help\n",
                argv[argc - 1]);
        return 2;
    }
    return ask_instances(&c);
}
