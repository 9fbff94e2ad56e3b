/* SPDX-License-Identifier: Apache-2.0
 *
 * How an unmodified program's calls reach weir: the front door of the room.
 *
 * The program runs under a seccomp filter; each of its internet sockets is one end of an AF_UNIX
 * pair, the placeholder, and weir holds the other end. See docs/programs.md for what that means for
 * the program.
 */
#ifndef WEIR_DOOR_H
#define WEIR_DOOR_H

#include "backend/backend.h"
#include "base/base.h"

#include <stdio.h>

struct nicdev_conf;
struct weir_qdisc;

enum { DOOR_LINKS = 2, DOOR_SETTINGS = 64, DOOR_SETTING_NAME = 64 };

/* What to run, and on which network. Strings and argv stay the caller's during door_run. */
struct door_conf {
    char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
    const char *net;   /* "user" (NULL too), "tap:NAME" */
    struct backend_conf backend;
    const struct nicdev_conf *nic;  /* the model NIC before the network, NULL: none */
    const struct weir_qdisc *qdisc; /* of the queue before the network, NULL: the default */
    const char *link;  /* netem's vocabulary for both directions, NULL: a perfect link */
    const char *pcap;  /* file to write, NULL: none; */
    const char *trace; /* … a trace file, see docs/seeing.md */
    bool wants_slaac;  /* IPv6 addresses and routes by what routers on the network say */
    bool wants_report; /* print at the end what was refused and counted */
    /* Settings of the stack, "NAME=VALUE" as weir_conf_set takes them; checked by the caller. */
    const char *set[DOOR_SETTINGS];
    unsigned n_set;
    FILE *err; /* sentences for the person */
};

/* Exit statuses of door_run that are weir's own, as env(1) has them (2: the person can mend it). */
enum { DOOR_EXIT_USAGE = 2, DOOR_EXIT_CANNOT_RUN = 126, DOOR_EXIT_NOT_FOUND = 127 };

/* Runs the program to its end, then lets its connections end in good order (bounded). Returns the
 * program's exit status; when a signal ended it, 128 + signal and *signal set, so that the caller
 * can end in the same way. One at a time in a process: it changes signal masks and limits while it
 * works. */
int door_run(const struct door_conf *, int *signal);
/* Ends this process by that signal, as the program ended. */
_Noreturn void door_die(int signal);

#endif
