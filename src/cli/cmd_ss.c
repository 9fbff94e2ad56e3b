/* SPDX-License-Identifier: Apache-2.0
 *
 * weir ss: the sockets of running instances, after the manner of `ss -tipm`.
 *
 * Every `weir run` of this user has a socket in a directory of the user's own; each is asked in
 * turn. Owns nothing; calls run/ctl. Exit status 0 also when nothing runs: an empty list is an
 * answer.
 */
#include "cli/cmd.h"

#include "run/ctl.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: weir ss [--counters] [PID…]\n"
    "\n"
    "Shows the sockets of running `weir run` programs: state, queues, buffers, RTT, RTO,\n"
    "congestion window, retransmissions. PID is that of `weir run`; without it, all of yours.\n"
    "\n"
    "  -c, --counters   the stack's counters and drop reasons instead (those not zero)\n"
    "  -h, --help       this text\n";

static int ask(pid_t pid, const char *request)
{
    int r = ctl_ask(pid, request, STDOUT_FILENO);
    if (r == -ENOENT || r == -ECONNREFUSED)
        fprintf(stderr,
                "weir ss: process %d is no `weir run` of yours; weir ss shows all of them\n",
                (int)pid);
    else if (r < 0)
        fprintf(stderr, "weir ss: process %d does not answer: %s\n", (int)pid, strerror(-r));
    return r;
}

static int ask_all(const char *request)
{
    char dir[256];
    int n = 0, r = ctl_dir(dir, sizeof(dir));
    DIR *d = r < 0 ? NULL : opendir(dir);
    if (d == NULL) {
        fprintf(stderr, "weir ss: %s: %s\n", dir, r < 0 ? strerror(-r) : "cannot be read");
        return 2;
    }
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        long pid = strtol(e->d_name, NULL, 10);
        if (pid > 0 && ctl_ask((pid_t)pid, request, STDOUT_FILENO) == 0)
            n++;
    }
    closedir(d);
    if (n == 0)
        fprintf(stderr, "weir ss: nothing runs on weir now; start something: weir run curl URL\n");
    return 0;
}

int cmd_ss(int argc, char **argv)
{
    const char *request = "ss\n";
    int i = 1, failed = 0;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(argv[i], "-c") != 0 && strcmp(argv[i], "--counters") != 0) {
            fprintf(stderr, "weir ss: no option %s; see weir ss --help\n", argv[i]);
            return 2;
        }
        request = "counters\n";
    }
    if (i == argc)
        return ask_all(request);
    for (; i < argc; i++) {
        char *end;
        long pid = strtol(argv[i], &end, 10);
        if (pid <= 0 || *end != '\0') {
            fprintf(stderr, "weir ss: %s is not a process number; see weir ss --help\n", argv[i]);
            return 2;
        }
        failed |= ask((pid_t)pid, request) < 0;
    }
    return failed ? 2 : 0;
}
