/* SPDX-License-Identifier: Apache-2.0
 *
 * One run of one script: what the parts of the runner share. Private to drill/.
 *
 * A part that finds something wrong says so with run_fail() or run_skip(), once, and returns false
 * (or CALL_BAD); the run is then over.
 */
#ifndef WEIR_DRILL_RUN_H
#define WEIR_DRILL_RUN_H

#include "drill/drill.h"
#include "drill/host.h"
#include "drill/packet.h"

enum { RUN_FDS = 64, RUN_ARGS = 8, RUN_VARS = 32, EPOLL_WATCHES = 16, CALL_IOVS = 16 };
enum { CALL_CONTROL = 512 };

enum fd_kind { FD_FREE, FD_SOCK, FD_EPOLL, FD_PIPE_IN, FD_PIPE_OUT, FD_FILE };

struct watch {
    bool is_used, is_disarmed; /* disarmed: EPOLLONESHOT fired */
    int fd;
    uint32_t events;
    uint64_t data;
    bool has_edge; /* EPOLLET: something happened since it was last reported */
};

/* What a descriptor of the script stands for. */
struct fd {
    enum fd_kind kind;
    int num;  /* the script's number */
    int file; /* FD_SOCK */
    int family, type;
    bool is_nonblock, is_listening;
    uint16_t lport; /* as bound, 0: not */
    struct conn *conn;
    uint32_t send_off, recv_off; /* bytes of the stream so far */
    size_t pipe_n;               /* FD_PIPE_IN: bytes in it */
    int pipe_peer;               /* FD_PIPE_OUT: script's number of the reading end */
    struct watch watch[EPOLL_WATCHES];
};

/* A call under way. */
struct pending {
    const struct event *ev;
    const struct call_def *def;
    const struct expr *arg[RUN_ARGS];
    unsigned n_arg;
    struct file_call fc;
    struct weir_msghdr msg; /* of sendmsg and recvmsg, with */
    uint8_t control[CALL_CONTROL];
    struct fd *fd;
    uint8_t *buf;
    size_t n;
    unsigned flags;
    w_ns deadline;  /* of a poll or epoll_wait, on host_now()'s clock */
    int64_t end_us; /* when it must return, if its event has "...TIME" */
    int64_t result; /* ≥ 0 or -errno */
};

struct var {
    char name[32];
    int64_t value;
};

struct run {
    const struct script *script;
    const struct drill_conf *conf;
    struct drill_result *result;
    struct host *host;
    struct addr local, remote;
    const struct event *ev;
    int64_t last_us;            /* when the last event was due, script time */
    int64_t due_us, due_end_us; /* of the present event */
    struct conn *conns, *cur;   /* cur: the one packets without ports belong to */
    uint16_t next_port;
    struct fd fds[RUN_FDS];
    struct fd *info_fd;      /* the socket %{ }% asks about */
    struct pending *pending; /* the call that has not returned yet */
    struct var vars[RUN_VARS];
    unsigned n_vars;
    uint8_t *bytes; /* PKT_BYTES_MAX, for a packet being built */
};

/* ---- run.c ---- */
/* Both end the run; always false. */
__attribute__((format(printf, 2, 3))) bool run_fail(struct run *, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) bool run_skip(struct run *, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void run_trace(struct run *, const char *fmt, ...);
/* Lets time pass to `until` on host_now()'s clock, answering the pending call on the way. */
bool run_wait(struct run *, w_ns until, bool stops, bool *did_stop);
int64_t run_now_us(const struct run *);
/* How far from its time an event may be. */
int64_t run_tolerance_us(const struct run *);

/* ---- conns.c: which connection a packet belongs to ---- */
struct conn *conn_new(struct run *, uint8_t proto);
/* For a packet of the script; may make one. NULL: said why. */
struct conn *conn_of_script(struct run *, const struct script_pkt *);
/* Whether a packet that came out belongs to c; a connecting c learns its local port. */
bool conn_takes(struct conn *, const struct live_pkt *, const struct script_pkt *want);
/* A connection of ours begins on f, or might: call_sock.c. */
void conn_active(struct run *, struct fd *, const struct weir_addr *to);
struct conn *conn_of_peer(struct run *, const struct weir_addr *peer);
struct weir_addr conn_weir_addr(const struct run *, const struct addr *, uint16_t port);
void conns_free(struct run *);

/* ---- expect.c: packets of the script ---- */
bool expect_packet(struct run *, const struct script_pkt *);
bool inject_packet(struct run *, const struct script_pkt *);
/* Nothing was sent before the last event that the script did not mention. */
bool expect_nothing_left(struct run *);

/* ---- call.c and call_*.c ---- */
enum call_status { CALL_DONE, CALL_PARKED, CALL_BAD };
struct call_def {
    const char *name;
    unsigned min_args, max_args;
    /* Begins the call: CALL_DONE with x->result, CALL_PARKED, CALL_BAD after run_fail/run_skip. */
    enum call_status (*begin)(struct run *, struct pending *);
    /* After the result is known: what else the script says must hold. NULL: nothing. */
    bool (*finish)(struct run *, struct pending *);
    /* A call that waits in drill itself: tries again. NULL: the file table answers it. */
    enum call_status (*retry)(struct run *, struct pending *);
};
/* The calls, tables that end with name NULL. */
extern const struct call_def calls_sock[], calls_opt[], calls_io[], calls_poll[];

/* Arguments: false after saying what is wrong. */
bool arg_int(struct run *, const struct expr *, int64_t *out);
bool arg_fd(struct run *, struct pending *, unsigned i, enum fd_kind want);
/* The value a structure gives a name, NULL: it does not. */
const struct expr *arg_field(const struct expr *, const char *name);
struct fd *fd_of(struct run *, int64_t num);
/* Gives the number the script expects as result to a new descriptor; NULL: said why not. */
struct fd *fd_new(struct run *, struct pending *, enum fd_kind kind);
/* An address: `...` is the default. */
bool arg_addr(struct run *, const struct expr *, const struct weir_addr *by_default,
              struct weir_addr *out);
/* Bytes to send (the stream's next) or room to receive: x->n of them in x->buf. */
bool call_buffer(struct run *, struct pending *, int64_t n);
/* Submits x->fc; the answer, or that it waits. */
enum call_status call_submit(struct run *, struct pending *);
enum call_status call_answer(struct pending *, int64_t result);

/* arg_int, but that CMSG_LEVEL_IP and CMSG_TYPE_RECVERR are what x->fd's family makes of them. */
bool call_msg_int(struct run *, const struct pending *x, const struct expr *, int64_t *out);
/* call_msg.c: what came with recvmsg is what the script says; what goes with sendmsg. */
bool call_msg_check(struct run *, const struct pending *);
bool call_msg_build(struct run *, struct pending *);

bool call_begin(struct run *, const struct event *);
/* After anything happened: answers the pending call if it can be. */
bool call_continue(struct run *);
/* Waits for the pending call, if there is one. */
bool call_await(struct run *);
void call_forget(struct run *);

/* ---- shell.c, code.c: backquotes and %{ }% ---- */
bool shell_run(struct run *, const char *text);
bool code_run(struct run *, const char *text);

/* ---- sym.c ---- */
/* The number of a name of Linux's headers. */
bool sym_value(const char *name, int64_t *out);
int sym_errno(const char *name); /* 0: no such error */
const char *sym_errno_name(int err);

#endif
