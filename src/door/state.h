/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to door/: what it holds, and what its files offer each other.
 *
 *   plug   a socket of the program: the placeholder pair, weir's socket behind it
 *   ask    a call of the program, waiting for its answer (guest.h)
 *   wait   an ask whose answer comes later, with the file_call that will tell it
 */
#ifndef WEIR_DOOR_STATE_H
#define WEIR_DOOR_STATE_H

#include "base/list.h"
#include "door/door.h"
#include "door/guest.h"
#include "file/file.h"
#include "run/loop.h"

#include <signal.h>
#include <sys/types.h>

/*   state       | the program sees                        | weir's end
 *   NEW         | writable; not connected, not listening  | what is written is thrown away
 *   CONNECTING  | neither readable nor writable if it did  | prefill lies in it, unread
 *               | not wait, as NEW if it does              |
 *   OPEN        | a connection; a datagram socket          | bytes are moved
 *   LISTEN      | readable when a connection waits         | a byte sent per connection noticed
 *   CLOSING     | nothing: its last copy is closed         | rest of what it wrote is moved
 *   DEAD        | end, reset or refused                    | closed; kept to answer SO_ERROR
 */
enum plug_state {
    PLUG_NEW,
    PLUG_CONNECTING,
    PLUG_OPEN,
    PLUG_LISTEN,
    PLUG_CLOSING,
    PLUG_DEAD,
};

struct dgram_from { /* where a datagram that lies in the pair came from */
    struct weir_addr from;
    uint32_t charge;               /* what it adds to SIOCOUTQ of weir's end */
    int err;                       /* not a datagram but this error, which woke the program up */
    struct dgram_control *control; /* its control messages, of the plug's own; NULL: none */
};

struct dgram_control {
    size_t n;
    uint8_t data[];
};

struct dgram { /* a datagram that has to wait for room */
    size_t len;
    uint8_t data[];
};

struct plug {
    struct door *door;
    struct plug *next;        /* in the table by cookie */
    uint64_t cookie;          /* SO_COOKIE of the program's end: the same for all its copies */
    struct list link;         /* on door.live or door.dead */
    struct list work;         /* on door.work: has more to move than one turn allows */
    struct list waits;        /* parked calls */
    struct list orphans;      /* LISTEN: accepted, not yet handed over */
    struct list orphan;       /* there */
    int fd;                   /* weir's end; -1 in DEAD */
    int file;                 /* file number; 0 in DEAD */
    int orphan_fd;            /* an orphan's program end, held until it is handed over; -1 */
    uint16_t family;          /* AF_INET or AF_INET6, as the program asked */
    uint8_t type;             /* enum weir_type */
    uint8_t state;            /* enum plug_state */
    bool can_read, can_write; /* weir's end, as epoll last said or a call found out */
    bool is_read_end;         /* the program writes no more */
    bool is_write_end;        /* weir told the program that no more comes */
    bool is_deaf;             /* the program reads no more (SHUT_RD): what arrives is thrown away */
    bool is_rdhup;            /* the program's end said that it writes no more */
    bool is_hup;              /* the program's last copy is closed, or both directions are shut */
    bool is_failing;          /* the connection is lost; what arrived before is handed over first */
    bool is_connect_untold;   /* the handshake ended and no connect() has said so yet */
    bool has_peer;            /* datagram socket that is connected */
    bool wants_control;       /* datagrams may come with control messages */
    bool is_deferred;         /* connected by name: what is written first goes with the SYN */
    bool has_asked;           /* `asked` stands for `real` in answers */
    uint32_t prefill;         /* bytes of ours at the head of what weir's end will read */
    int err;                  /* SO_ERROR not yet told */
    struct weir_addr local;   /* DEAD: what getsockname says */
    pid_t seen_tid;           /* a thread that had the program's end lately, and its number there */
    int seen_fd;
    struct weir_addr asked, real;        /* last destination that was mapped (names.c) */
    struct dgram *to_stack, *to_program; /* waiting for room */
    struct dgram_from to_program_from;
    struct dgram_from *from; /* ring of from_cap, a power of two */
    uint32_t from_cap, from_head, from_n;
};

enum { CONTROL_MOST = 512 }; /* bytes of control messages with one message */

struct wait {
    struct file_call call; /* first: file_done_pop() gives its address */
    struct ask ask;
    struct plug *plug;
    struct list by_plug;
    struct wait *next;      /* in the table by thread */
    int64_t more;           /* of a send: bytes that went before */
    struct weir_msghdr msg; /* of sendmsg and recvmsg with control data, which is */
    uint8_t control[CONTROL_MOST];
    uint8_t buf[]; /* of send and recv */
};

enum { WAIT_BUCKETS = 256, MEMO_SLOTS = 64, DEAD_MAX = 4096 };
enum { DOOR_SCRATCH = 1 << 17, IOV_MOST = 1024 };

/* The last answer to a thread: given again if a signal came before it, and the call restarts. */
struct memo {
    struct ask ask;
    int64_t val;
    bool is_lost; /* the kernel said that it found nobody */
};

/* Something asked for that weir does not do, counted for --report. */
struct refusal {
    struct refusal *next;
    const char *call;
    int level, name;
    uint64_t n;
};

struct door {
    const struct door_conf *conf;
    struct loop *loop;
    struct weir *w;
    struct file_table *ft;
    struct guests guests;
    int notify_fd;
    loop_fn on_notify;   /* what watches it */
    bool is_alone;       /* no task uses the filter any more */
    struct plug **table; /* by cookie */
    uint32_t table_size, n_plugs;
    struct list live, dead, work;
    uint32_t n_dead;
    struct wait *waits[WAIT_BUCKETS]; /* by thread */
    uint32_t n_waits;
    struct memo memo[MEMO_SLOTS];
    struct refusal *refusals;
    uint64_t n_asks, n_continued, n_resets_untold, n_dgrams_lost;
    struct weir_addr addr, gw, gw6, dns; /* of the network; zero: none */
    uint32_t prefix_len, mtu;
    struct weir_addr resolver[3];
    unsigned n_resolvers;
    struct guest_iov iov[IOV_MOST];
    uint8_t scratch[DOOR_SCRATCH];
};

/* ---- seccomp.c: how calls arrive and answers leave */

struct child {
    pid_t pid;
    int notify_fd;
};
struct child_conf {
    char *const *argv;
    const struct sigaction *pipe; /* the program's SIGPIPE: libraries of ours may ignore it */
    const sigset_t *mask;         /* the program's signal mask */
};
/* Starts argv under the filter: 0; or an exit status (2, 126, 127) with a sentence in err. */
int child_start(const struct child_conf *, struct child *out, char *err, size_t n_err);
/* The next call into *a: 1, 0 none waits now, -ENOTCONN no task is left that could call. */
int ask_next(struct door *, struct ask *a);
/* True: a was answered once more as it had been, because a signal took that answer away although
 * the kernel had accepted it. For calls that would now fail, or wait for what they had got. */
bool ask_answered_again(struct door *, const struct ask *a);
/* Answers: val ≥ 0 or -errno. False: the thread waits no more (killed, or a signal came first). */
bool ask_answer(struct door *, const struct ask *, int64_t val);
/* Lets the kernel do the call. */
void ask_continue(struct door *, const struct ask *);
/* Answers with a new descriptor, a copy of fd, made in the thread's table: its number, or -errno
 * (-ENOENT: waits no more; others: still waits). */
int ask_answer_fd(struct door *, const struct ask *, int fd, bool is_cloexec);
/* As dup3(fd, num): num of the thread becomes fd. 0 or -errno. */
int ask_replace_fd(struct door *, const struct ask *, int fd, int num, bool is_cloexec);

/* ---- plug.c: the table of placeholders */

struct plug_kind {
    int family, type;
    bool is_nonblock; /* O_NONBLOCK of the program's end */
};
/* A pair with a plug on weir's end and `file` behind it; *program_end is the caller's to hand over
 * and close. NULL: no descriptor or memory (the file stays the caller's). */
struct plug *plug_new(struct door *, int file, const struct plug_kind *, int *program_end);
/* Undoes plug_new: the program never had its end. Closes the file. */
void plug_forget(struct door *, struct plug *);
/* The plug whose program end the descriptor is (a copy of it is in *copy, the caller's to close,
 * also when NULL is returned); NULL: not one of ours. *copy < 0: -EBADF, -EPERM. */
struct plug *plug_of(struct door *, const struct ask *, int *copy);
/* Closes weir's end and the file; the plug stays as DEAD while it may still be asked about. */
void plug_kill(struct door *, struct plug *);
/* Makes the program's end report a reset, then as plug_kill. `err` is what SO_ERROR says. */
void plug_break(struct door *, struct plug *, int err);
/* Gives a DEAD plug a new pair, in the descriptor that the call is about (its copies elsewhere stay
 * dead), and in `copy`. 0 or -errno. */
int plug_revive(struct door *, const struct ask *, struct plug *, int copy);
/* Frees everything. */
void plugs_free(struct door *);

/* ---- plane.c: bytes */

/* weir's end of a plug is ready (epoll bits): a loop_fn. */
void plane_ready(void *plug, int fd, uint32_t events);
/* weir's socket has news (weir_ready bits). */
void plane_news(struct door *, struct plug *, uint32_t bits);
/* The handshake is done: bytes may flow. */
void plane_open(struct door *, struct plug *);
/* Moves what can be moved now, both ways; puts the plug on door.work when a turn is not enough.
 * The plug may be DEAD afterwards. */
void plane_pump(struct door *, struct plug *);
/* Fills the program's end so that it does not poll writable. */
void plane_prefill(struct plug *, int program_end);
/* Throws away what the program wrote so far. */
void plane_discard(struct plug *);
/* LISTEN: makes the program's end readable exactly when a connection waits. copy < 0: only more. */
void plane_tokens(struct door *, struct plug *, int copy);

/* ---- dgram.c: datagrams through the pair */

void dgram_to_program(struct door *, struct plug *);
void dgram_to_stack(struct door *, struct plug *);
/* A datagram that was taken for a thread that is gone: into the pair, for the next who asks. */
void dgram_put_back(struct door *, struct plug *, const void *, size_t, const struct dgram_from *);
/* Its control messages are done with. */
void dgram_from_free(struct dgram_from *);
/* All that is known of datagrams in the pair is forgotten. */
void dgram_from_end(struct plug *);
/* Takes the mark out of the pair that stands for a pending error, if it is the next to be read. */
void dgram_unmark(struct plug *, int copy);
/* An error of the socket: kept for SO_ERROR, and the program is woken up. */
void dgram_error(struct door *, struct plug *, int err);
/* What is known of the datagram at the head of the pair, before reading it. False: nothing. */
bool dgram_source(struct plug *, struct dgram_from *out);
/* That datagram was read: what is known of it is forgotten; control stays with who asked. */
void dgram_source_pop(struct plug *);

/* ---- wait.c: calls that are answered later */

struct wait *wait_new(const struct ask *, struct plug *, enum file_op, size_t buf);
/* Submits w->call, and parks it or answers it by answer_wait(). w passes on. */
void wait_submit(struct door *, struct wait *);
/* Takes a parked call back, unanswered; w is the caller's. */
void wait_cancel(struct door *, struct wait *);
/* Takes back whatever the thread, or anyone on the plug, was waiting for. */
void wait_drop_thread(struct door *, pid_t tid);
void wait_drop_plug(struct door *, struct plug *);
/* After file_step: the calls that have their results. */
void wait_collect(struct door *);

/* ---- answer.c: the calls */

/* What the functions below return besides a result or -errno. */
#define ANSWER_LATER  INT64_MIN       /* parked, or answered already */
#define ANSWER_KERNEL (INT64_MIN + 1) /* the placeholder's own answer is right */

/* A call in hand: the plug, and a copy of the program's end for as long as it is looked at. */
struct hand {
    const struct ask *ask;
    struct plug *plug;
    int copy;
};
bool hand_is_nonblock(const struct hand *);

/* Answers a call, or parks it. */
void answer(struct door *, const struct ask *);
/* Answers a call that waited, w->call.result being set; frees w. */
void answer_wait(struct door *, struct wait *w);

/* ---- stream.c: connections (socket, connect, listen, accept, shutdown) */

int64_t stream_socket(struct door *, const struct ask *);
int64_t stream_connect(struct door *, struct hand *);
int64_t stream_listen(struct door *, struct hand *);
int64_t stream_accept(struct door *, struct hand *);
int64_t stream_shutdown(struct door *, struct hand *);
int64_t stream_connected(struct door *, struct wait *);
/* A send with MSG_FASTOPEN on a new socket; w passes on. Its answer after a wait. */
int64_t stream_open_by(struct door *, struct hand *, struct wait *w);
int64_t stream_opened_by(struct wait *w);
/* What waits in the pair of a deferred connection goes with its SYN. */
void stream_undefer(struct door *, struct plug *);
/* Hands an accepted connection to the thread that waited for it. */
void stream_accepted(struct door *, struct wait *);

/* ---- msg.c: datagrams with addresses */

int64_t msg_sendto(struct door *, struct hand *);
int64_t msg_recvfrom(struct door *, struct hand *);
int64_t msg_sendmsg(struct door *, struct hand *);
int64_t msg_recvmsg(struct door *, struct hand *);
int64_t msg_sendmmsg(struct door *, struct hand *);
int64_t msg_recvmmsg(struct door *, struct hand *);
int64_t msg_waited(struct door *, struct wait *);

/* ---- opt.c: options and ioctls */

int64_t opt_get(struct door *, struct hand *);
int64_t opt_set(struct door *, struct hand *);
int64_t opt_ioctl(struct door *, struct hand *);
/* ifreq.c: SIOCGIF… */
int64_t ifreq_ioctl(struct door *, struct hand *);

/* ---- names.c: addresses */

/* The program's sockaddr into *out: 0, -EFAULT, -EINVAL, -EAFNOSUPPORT. */
int name_read(const struct ask *, const struct plug *, uint64_t at, uint64_t len,
              struct weir_addr *out);
/* Writes a sockaddr of the family of the plug, cut to the room there, and its full length. */
int name_write(struct door *, const struct ask *, const struct plug *, const struct weir_addr *,
               const uint64_t at[2]);
/* A sockaddr into buf[28]; its length. */
unsigned name_put(const struct plug *, const struct weir_addr *, uint8_t *buf);
/* Where the program's packets for *a really go; remembered in the plug. */
void name_map(struct door *, struct plug *, struct weir_addr *a);
/* What the program calls *a. */
void name_unmap(const struct plug *, struct weir_addr *a);
/* Reads /etc/resolv.conf's servers. */
void names_init(struct door *);

/* ---- report.c */

void report_refusal(struct door *, const char *call, int level, int name);
void report_print(struct door *);
void report_free(struct door *);

#endif
