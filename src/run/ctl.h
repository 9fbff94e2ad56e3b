/* SPDX-License-Identifier: Apache-2.0
 *
 * How other commands look into a running instance: a socket in a directory of the user's own.
 *
 * One request a connection: a line with a word ("ss", "counters", "why", "why ADDR:PORT"), answered
 * with text until the end of the stream. Only the same user can open it (the directory is 0700).
 */
#ifndef WEIR_CTL_H
#define WEIR_CTL_H

#include "run/loop.h"

#include <stdio.h>
#include <sys/types.h>

struct ctl;

/* Opens this process's socket and serves it from the loop. `title`: the program being run, for
 * listings. NULL when it cannot be had: the instance then runs unseen. */
struct ctl *ctl_open(struct loop *, const char *title);
void ctl_close(struct ctl *);
/* Someone whose counters are shown after the stack's: fn writes "NAME VALUE" lines. */
typedef void (*ctl_counters)(void *arg, FILE *);
void ctl_add_counters(struct ctl *, ctl_counters fn, void *arg);

/* The directory, made if need be, into buf. 0 or -errno. */
int ctl_dir(char *buf, size_t n);
/* Asks instance `pid`; copies its answer to `out_fd`. 0 or -errno (-ECONNREFUSED: it is gone, its
 * socket is removed). */
int ctl_ask(pid_t pid, const char *request, int out_fd);

#endif
