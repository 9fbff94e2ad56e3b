/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls, as the Linux kernel would answer them.
 *
 * weir.h never blocks and knows no descriptors. A program's call does both: it may wait, with a
 * timeout, for something to happen to a socket. Here a call is an object: it is submitted, and is
 * either answered at once or parked until its socket has news, its deadline passes, or it is
 * cancelled. The door (real programs, real time) and drill (scripts, virtual time) submit the same
 * calls, so the errno rules that the scripts test are the ones that programs get.
 *
 *   FILE_DONE    call->result is set: ≥ 0, or -errno
 *   FILE_PARKED  the call belongs to the table until file_done_pop() returns it or file_cancel()
 *
 * A file is a socket with what weir.h's socket does not have: SO_RCVTIMEO, SO_SNDTIMEO, a count of
 * parked calls, a user pointer for events. File numbers are small integers ≥ 1 of this table;
 * programs' descriptor numbers are the door's business.
 */
#ifndef WEIR_FILE_H
#define WEIR_FILE_H

#include "base/base.h"
#include "base/list.h"

#include <weir/weir.h>

struct file_table;

enum file_op {
    FILE_CONNECT, /* addr */
    FILE_ACCEPT,  /* result: the new file; addr: the peer */
    FILE_SEND,    /* buf, len, flags; addr when has_addr */
    FILE_RECV,    /* buf, len, flags; addr: the source. MSG_ERRQUEUE never waits */
    FILE_POLL,    /* want: weir_ready bits; result: the bits that hold; ERR and HUP always wanted */
    FILE_CLOSE, /* with SO_LINGER's time it waits for the peer to have everything; in the end, also
                   * when cancelled, the file is gone and what is left goes on without it */
};
enum file_status { FILE_DONE, FILE_PARKED };

struct file_call {
    enum file_op op;
    int file;
    bool is_nonblock; /* O_NONBLOCK or MSG_DONTWAIT: -EAGAIN or -EINPROGRESS, never parked */
    bool has_addr;
    struct weir_addr addr; /* in or out, as the operation says */
    void *buf;             /* the caller's, until the call is answered */
    size_t len;
    unsigned flags; /* enum weir_msg */
    struct weir_msghdr
        *msg; /* of sendmsg and recvmsg; the caller's until then, and instead of addr.
                              * NULL: neither name nor control data but addr */
    uint32_t want;
    w_ns deadline; /* WEIR_NEVER: wait for ever (SO_RCVTIMEO/SNDTIMEO still hold) */
    int64_t result;
    void *user; /* the caller's */
    /* the table's own */
    size_t done; /* bytes so far of a blocking send, or of MSG_WAITALL */
    struct list link;
    struct list by_deadline;
    bool is_parked;
    bool is_opening; /* a send that waits for its SYN's answer */
};

/* A table over a stack, which stays the caller's. NULL: no memory. */
struct file_table *file_table_new(struct weir *);
/* Closes every file. Parked calls are dropped: the caller cancels them first. */
void file_table_free(struct file_table *);

/* A new socket: file number, or -EAFNOSUPPORT, -ESOCKTNOSUPPORT,
 * -EPROTONOSUPPORT, -ENFILE, -ENOBUFS. */
int file_socket(struct file_table *, int family, int type, int proto);
/* Calls that never wait. 0 or -errno, lengths as in weir.h. */
int file_bind(struct file_table *, int file, const struct weir_addr *);
int file_listen(struct file_table *, int file, int backlog);
int file_shutdown(struct file_table *, w_ns now, int file, int how);
int file_getsockname(struct file_table *, int file, struct weir_addr *);
int file_getpeername(struct file_table *, int file, struct weir_addr *);
int file_setsockopt(struct file_table *, w_ns now, int file, int level, int name, const void *,
                    size_t);
int file_getsockopt(struct file_table *, w_ns now, int file, int level, int name, void *,
                    size_t *len);
/* Closes at once, as a non-blocking close. */
int file_close(struct file_table *, w_ns now, int file);

/* Submits a call. Owned by the caller again as soon as it is FILE_DONE. */
enum file_status file_submit(struct file_table *, w_ns now, struct file_call *);
/* Takes a parked call back unanswered, as a signal does: result is what it has done so far (bytes),
 * or -EINTR. */
void file_cancel(struct file_table *, struct file_call *);

/* After anything happened to the stack: takes its events, retries parked calls, ends those whose
 * deadline has passed. */
void file_step(struct file_table *, w_ns now);
/* Answered calls, in the order they were answered; NULL: none. */
struct file_call *file_done_pop(struct file_table *);
/* The earliest deadline of a parked call. */
w_ns file_next(const struct file_table *);

/* Events for whoever moves bytes itself (the door's plane): files with news that have a user
 * pointer; NULL: none. bits: as weir_poll says now. */
void file_set_user(struct file_table *, int file, void *user);
void *file_event_pop(struct file_table *, uint32_t *bits);
/* The socket under a file, for weir_send_space and the like; 0: no such file. */
weir_sock file_sock(struct file_table *, int file);

#endif
