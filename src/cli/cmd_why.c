/* SPDX-License-Identifier: Apache-2.0
 *
 * weir why: what a connection of a running program waits for.
 *
 * Decides: how a connection is named. Asks every `weir run` of this user, as weir ss does; the
 * answers are made there (run/why.c), and kept until all have come: nothing at all is an error.
 * Exit status 1: nobody has such a connection.
 */
#include "cli/cmd.h"

#include "run/ctl.h"
#include "run/why.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

static int ask_all(const char *request, int fd)
{
    char dir[256];
    int r = ctl_dir(dir, sizeof(dir));
    DIR *d = r < 0 ? NULL : opendir(dir);
    if (d == NULL) {
        fprintf(stderr, "weir why: %s: %s\n", dir, r < 0 ? strerror(-r) : "cannot be read");
        return 2;
    }
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        long pid = strtol(e->d_name, NULL, 10);
        if (pid > 0)
            (void)ctl_ask((pid_t)pid, request, fd);
    }
    closedir(d);
    return 0;
}

/* What was answered, to standard output; how many bytes. */
static off_t show(int fd)
{
    char buf[16384];
    off_t all = 0;
    ssize_t n;
    lseek(fd, 0, SEEK_SET);
    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        fwrite(buf, 1, (size_t)n, stdout);
        all += n;
    }
    return all;
}

static int why(const char *which)
{
    char request[WHY_END + 8];
    snprintf(request, sizeof(request), which == NULL ? "why\n" : "why %s\n", which);
    int fd = memfd_create("weir-why", MFD_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "weir why: %s\n", strerror(errno));
        return 2;
    }
    int r = ask_all(request, fd);
    off_t n = r == 0 ? show(fd) : 0;
    close(fd);
    if (r != 0 || n != 0)
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
    if (argc == 2 && (strlen(argv[1]) >= WHY_END || !why_parse(argv[1], &end, &is_any))) {
        fprintf(stderr, "weir why: %s is not ADDR:PORT, such as 192.0.2.1:80 or [2001:db8::1]:80\n",
                argv[1]);
        return 2;
    }
    return why(argc == 2 ? argv[1] : NULL);
}
