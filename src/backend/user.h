/* SPDX-License-Identifier: Apache-2.0
 *
 * The user network, shared by its two halves: user.c is a device towards the stack, user_slirp.c
 * drives libslirp and its sockets.
 */
#ifndef WEIR_BACKEND_USER_H
#define WEIR_BACKEND_USER_H

#include <slirp/libslirp.h>

#include "backend/kinds.h"
#include "pkt/pkt.h"

enum {
    USER_EVENTS = 128,       /* ready sockets taken from the kernel at a time */
    USER_TIMERS = 4,         /* libslirp makes one */
    USER_FRAME = 65536 + 64, /* more than any frame */
    USER_RX_SOFT = 1 << 20,  /* bytes waiting for the stack: no more is read from sockets */
    USER_RX_HARD = 4 << 20,  /* … no more is taken from the stack either */
    USER_BACKLOG = 16 << 20, /* bytes kept when the stack's memory is out; beyond: lost */
};

/* What the kernel is asked about a descriptor of libslirp's, by descriptor. */
struct user_watch {
    uint32_t want;  /* EPOLL… libslirp named in this round */
    uint32_t have;  /* EPOLL… the inner epoll has; 0: it does not know the descriptor */
    uint32_t ready; /* EPOLL… reported and not yet told to libslirp */
    uint32_t round; /* of `want` */
};

/* A frame the stack had no memory for. */
struct user_held {
    struct user_held *next;
    size_t n;
    uint8_t bytes[];
};

struct user_timer {
    SlirpTimerId id;
    void *arg;
    w_ns at; /* W_NEVER: stopped */
    bool is_used;
};

struct user {
    struct netdev dev;
    Slirp *slirp;
    w_ns now; /* what libslirp sees as the time */
    bool can_host_loopback;

    /* towards the stack */
    struct pktq in, done;
    struct user_held *held_first, **held_last;
    size_t held_bytes;

    /* libslirp's sockets: polled[i] is what it knows as index i */
    int ep;
    struct user_watch *watch;
    int n_watch;
    int *polled, *before; /* this round's and the last one's */
    int n_polled, n_before, cap_polled;
    uint32_t round;
    int turn, next_turn; /* where reading starts in this round and the next, for fairness */

    /* time */
    bool is_dirty;    /* libslirp was given something since it last looked around */
    bool is_active;   /* something happened since the last slow tick */
    bool can_lose;    /* frames, on the way to the stack */
    unsigned n_quiet; /* slow ticks in a row without anything */
    w_ns looked_at;   /* when libslirp last read the clock */
    w_ns due;         /* when it wants to look around again */
    w_ns retry_at;    /* when to try again to find stack memory for held frames */
    struct user_timer timer[USER_TIMERS];

    bool was_pipe_default; /* SIGPIPE was at its default before us */
    uint64_t guest_errors;
    uint8_t frame[USER_FRAME];
};

/* Bytes on their way to the stack. */
static inline size_t user_waiting(const struct user *u) { return u->in.bytes + u->held_bytes; }

/* The callbacks libslirp is made with; the opaque pointer is the struct user. */
extern const SlirpCb user_callbacks;

/* Lets libslirp look around if there is a reason to: ready sockets, input, a timer. */
void user_pump(struct user *, w_ns now);
/* Gives libslirp a frame. */
void user_input(struct user *, w_ns now, const uint8_t *frame, uint32_t n);
/* Moves held frames into packets, as far as the stack's memory goes. */
void user_release_held(struct user *);
void user_free_tables(struct user *);

#endif
