/* SPDX-License-Identifier: Apache-2.0
 *
 * How other commands look into a running instance: a socket in a directory of the user's own.
 *
 * One request a connection: a line with a word ("ss", "counters", "why", "why ADDR:PORT", and those
 * of ctl_add) and what belongs to it, answered with text until the end of the stream. What begins
 * with '!' is a refusal: the sentence behind it is for the person. Only the same user can open it
 * (the directory is 0700).
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

/* Someone who answers requests that begin with `word` (a constant): writes text for `args`, the
 * rest of the line. Not 0: it is refused, and the text is why, in one sentence. */
typedef int (*ctl_handler)(void *arg, const char *args, FILE *);
/* " ADDRESS:PORT", filled up to a column, as all listings have it. */
void ctl_print_addr(FILE *, const struct weir_addr *);
/* 0 or -ENOSPC. */
int ctl_add(struct ctl *, const char *word, ctl_handler fn, void *arg);

/* The directory, made if need be, into buf. 0 or -errno. */
int ctl_dir(char *buf, size_t n);
/* Asks instance `pid`; copies its answer to `out_fd`. 0 or -errno (-ECONNREFUSED: it is gone, its
 * socket is removed). */
int ctl_ask(pid_t pid, const char *request, int out_fd);
/* The same, with the answer in *text, to be freed, NUL at its end. 0, -errno, or -EPROTO: it was
 * refused, and *text is the sentence. */
int ctl_ask_text(pid_t pid, const char *request, char **text);

#endif
