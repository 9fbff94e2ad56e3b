/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to file/: what a table holds.
 */
#ifndef WEIR_FILE_TABLE_H
#define WEIR_FILE_TABLE_H

#include "file/file.h"

struct file {
    weir_sock sock; /* 0: number is free */
    int family, type;
    bool is_deferred; /* connect() left the SYN to the first send */
    void *user;
    w_ns rcvtimeo, sndtimeo; /* WEIR_NEVER: wait for ever */
    struct list calls;       /* parked, in the order they came: the first waits longest */
    struct list news;        /* on the table's news list when there are events for `user` */
    int next_free;
};

struct file_table {
    struct weir *w;
    struct file *v; /* files 1..cap - 1 */
    int cap, free;  /* free: first free number, 0: none */
    struct list news, done, timed;
};

/* The live file of this number, or NULL. */
struct file *file_at(struct file_table *, int file);

/* Tries once to answer a call. True: c->result is set. */
bool call_try(struct file_table *, w_ns now, struct file *, struct file_call *, bool is_first);
/* What a call answers when its time is over. */
int64_t call_timeout_result(const struct file_call *);

#endif
