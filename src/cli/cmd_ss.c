/* SPDX-License-Identifier: Apache-2.0
 *
 * weir ss: the sockets of running instances, after the manner of `ss -tipm`.
 *
 * Every `weir run` of this user has a socket in a directory of the user's own; each is asked in
 * turn. Owns nothing; calls run/ctl. Exit status 0 also when nothing runs: an empty list is an
 * answer.
 */
#include "cli/ask.h"
#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: weir ss [--counters] [PID…]\n"
    "\n"
    "Shows the sockets of running `weir run` programs: state, queues, buffers, RTT, RTO,\n"
    "congestion window, retransmissions. PID is that of `weir run`; without it, all of yours.\n"
    "\n"
    "  -c, --counters   the stack's counters and drop reasons instead (those not zero)\n"
    "  -h, --help       this text\n";

int cmd_ss(int argc, char **argv)
{
    struct ask_conf c = {.cmd = "ss", .word = "ss"};
    int i = 1, status = 0;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(argv[i], "-c") != 0 && strcmp(argv[i], "--counters") != 0) {
            fprintf(stderr, "weir ss: no option %s; see weir ss --help\n", argv[i]);
            return 2;
        }
        c.word = "counters";
    }
    for (int k = i; k < argc; k++) {
        if (!ask_is_pid(argv[k], &c.pid)) {
            fprintf(stderr, "weir ss: %s is not a process number; see weir ss --help\n", argv[k]);
            return 2;
        }
    }
    if (i == argc)
        return ask_instances(&c);
    for (; i < argc; i++) {
        (void)ask_is_pid(argv[i], &c.pid);
        int r = ask_instances(&c);
        status = r > status ? r : status;
    }
    return status;
}
