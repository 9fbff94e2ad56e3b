/* SPDX-License-Identifier: Apache-2.0
 *
 * weir why: what a connection of a running program waits for.
 *
 * Decides: how a connection is named, and that no answer at all is an error, exit status 1. Asks
 * every `weir run` of this user, as weir ss does; the answers are made there (run/why.c), and are
 * shown as they come. Owns nothing.
 */
#include "cli/ask.h"
#include "cli/cmd.h"

#include "run/why.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: weir why [ADDR:PORT | :PORT]\n"
    "\n"
    "Says what a connection of a running `weir run` program waits for: each nanosecond of its\n"
    "life is charged to one of the program, the peer, windows, losses, timers, pacing, the queue,\n"
    "the TX ring or the line, and the shares add up to 100 %. ADDR:PORT is either of its ends, an\n"
    "IPv6 address in brackets. Without it: every connection, a line each.\n"
    "\n"
    "  -h, --help   this text\n"
    "\n"
    "weir sim why shows what the answers look like in prepared situations.\n"
    "Exit status: 0; 1 there is no such connection; 2 wrong usage.\n";

static void show(void *arg, const char *text)
{
    *(bool *)arg |= *text != '\0';
    fputs(text, stdout);
}

static int why(char *which)
{
    bool has_answer = false;
    const struct ask_conf c = {.cmd = "why",
                               .word = "why",
                               .args = &which,
                               .n_args = which != NULL,
                               .is_silent = true,
                               .show = show,
                               .arg = &has_answer};
    int r = ask_instances(&c);
    if (r != 0 || has_answer)
        return r;
    if (which == NULL)
        fprintf(stderr, "weir why: no connection on weir now; weir ss shows the sockets\n");
    else
        fprintf(stderr, "weir why: no connection with an end %s; weir why shows all\n", which);
    return 1;
}

int cmd_why(int argc, char **argv)
{
    struct weir_addr end;
    bool is_any;
    if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    if (argc > 1 && argv[1][0] == '-') {
        fprintf(stderr, "weir why: no option %s; see weir why --help\n", argv[1]);
        return 2;
    }
    if (argc > 2) {
        fprintf(stderr, "weir why: one ADDR:PORT at most; see weir why --help\n");
        return 2;
    }
    if (argc == 2 && (!why_parse(argv[1], &end, &is_any))) {
        fprintf(stderr, "weir why: %s is not ADDR:PORT, such as 192.0.2.1:80 or [2001:db8::1]:80\n",
                argv[1]);
        return 2;
    }
    return why(argc == 2 ? argv[1] : NULL);
}
