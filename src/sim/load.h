/* SPDX-License-Identifier: Apache-2.0
 *
 * Workloads: pairs of applications that send each other known bytes, at their own pace, and check
 * every byte that arrives (the byte oracle).
 *
 * A transfer is one connection from a client host to a server host. Each side sends its share in
 * writes of its own size, then shuts down its sending direction; it reads in pieces of its own
 * size, may pause between reads (a slow reader), and closes when it has sent all and read to the
 * end.
 */
#ifndef WEIR_LOAD_H
#define WEIR_LOAD_H

#include "sim/oracle.h"
#include "sim/sim.h"

enum {
    LOAD_XFERS = 32,
    LOAD_PORT = 7000,
    LOAD_CHUNK = 65536,
    LOAD_MADE = 2 * LOAD_XFERS,
    LOAD_OPTS = 4
};

/* A socket option, Linux's numbers; a word, as most are. */
struct load_opt {
    int level, name;
    uint32_t value;
};

/* How one side behaves. Zero is a sensible application. */
struct load_side {
    uint64_t bytes;       /* it sends */
    uint32_t write_bytes; /* per call; 0: 16384 */
    uint32_t read_bytes;
    w_ns read_pause; /* after each read */
    w_ns write_pause;
    uint64_t abort_at;       /* resets after having sent this many; UINT64_MAX: never */
    uint32_t sndbuf, rcvbuf; /* SO_SNDBUF, SO_RCVBUF; 0: default */
    bool is_nodelay;
    struct load_opt opt[LOAD_OPTS]; /* set on the socket when it is made or accepted */
    unsigned n_opt;
    bool may_give_up;  /* its user timeout is shorter than an outage */
    const char *cc_to; /* the algorithm it changes to when it has sent cc_at bytes; NULL: none */
    uint64_t cc_at;
};

enum side_state { SIDE_NEW, SIDE_OPEN, SIDE_DONE, SIDE_FAILED };

struct load_end {
    struct sim_host *host;
    struct load_side conf;
    weir_sock s;
    enum side_state state;
    uint64_t sent, got;
    bool has_shut, has_eof, has_abort;
    int error;              /* positive errno it ended with */
    w_ns read_at, write_at; /* not before */
};

struct xfer {
    unsigned id;
    uint32_t server_ip;     /* host order */
    bool is_ip6;            /* … the same host by its IPv6 address */
    struct load_end end[2]; /* 0: client */
    w_ns start;
    w_ns done_at;
};

/* What an end has to send next, made ahead. */
struct load_made {
    const struct load_end *of;
    uint64_t at; /* of bytes[0] in its stream */
    uint8_t bytes[LOAD_CHUNK + 8];
};

struct load {
    struct sim *sim;
    struct oracle *oracle;
    struct xfer xfer[LOAD_XFERS];
    unsigned n_xfer;
    bool is_dual; /* listeners take both families */
    weir_sock listener[SIM_HOSTS];
    bool
        may_fail; /* the run draws aborts or starves hosts: errors are answers, wrong bytes never */
    struct load_made made[LOAD_MADE];
};

void load_init(struct load *, struct sim *, struct oracle *);
/* A listener on LOAD_PORT of this host, of both families if l->is_dual. 0 or -errno. */
int load_listen(struct load *, struct sim_host *);
/* NULL: too many. Starts at `start`. */
struct xfer *load_add(struct load *, struct sim_host *client, struct sim_host *server,
                      uint32_t server_ip, w_ns start);
/* The applications' turn: each does what it can now. True: something was done. */
bool load_run(struct load *);
/* When an application wants its turn because of time. */
w_ns load_next(const struct load *);
/* Every transfer ended, but for sides whose peer has reset the connection. */
bool load_is_done(const struct load *);
/* Closes what is left. */
void load_end_all(struct load *);
/* Runs the world until every transfer ended, at most until `until`. */
bool load_run_world(struct load *, w_ns until);

#endif
