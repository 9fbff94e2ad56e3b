/* SPDX-License-Identifier: Apache-2.0
 *
 * One run: the world of a setup, its applications, and what can be read off it while it runs.
 */
#ifndef WEIR_EXPER_WORLD_H
#define WEIR_EXPER_WORLD_H

#include "exper/setup.h"
#include "sim/oracle.h"

enum { WORLD_PORT = 7000, WORLD_TIMES = 65536, WORLD_CHUNK = 65536 };

/* One of a flow's applications: a client on one host and a server on the other. */
struct app {
    const struct setup_flow *conf;
    struct sim_host *host[2]; /* 0: client */
    weir_sock s[2], listener;
    uint16_t port;
    struct weir_addr to;
    bool is_started, is_connected, has_shut, has_ended, has_failed;
    w_ns start;
    w_ns write_at, read_at; /* not before */
    uint64_t sent, got;     /* bytes of the client's; rr: of requests and responses */
    uint64_t n_sent, n_got; /* datagrams, requests and responses */
    uint64_t n_refused;     /* datagrams that its own host did not take */
    uint64_t to_send[2];    /* rr: bytes each side still has to send of the current message */
    w_ns asked_at, done_at;
    uint64_t burst_left;
};

/* Times that messages took, in nanoseconds: of one flow. */
struct app_times {
    uint64_t v[WORLD_TIMES];
    uint32_t n; /* at most WORLD_TIMES are kept: the first */
};

struct world {
    const struct setup *conf;
    struct sim *sim;
    struct oracle oracle;
    struct sim_host *host[SETUP_HOSTS];
    struct app app[SETUP_APPS];
    unsigned n_app;
    struct app_times *times; /* [n_flow]: while it is measured */
    bool is_measuring;
    w_ns begin;
    uint8_t *bytes; /* what applications send, WORLD_CHUNK and a period more */
};

/* Builds the world of a setup. 0; -ENOMEM; -EINVAL: the stack or NIC refuses a setting. Then err
 * says what. */
WEIR_MUST_CHECK int world_new(struct world *, const struct setup *, uint64_t seed, char *err,
                              size_t room);
/* Lets it run until then. False: an oracle was violated. */
bool world_run(struct world *, w_ns until);
void world_free(struct world *);

/* ---- applications (app.c) ---- */

/* Sockets of all flows. 0 or -errno. */
int app_start_all(struct world *);
/* Everybody does what can be done now. True: something was done. */
bool app_run_all(struct world *);
/* When somebody wants a turn because of time. */
w_ns app_next(const struct world *);
void app_end_all(struct world *);

#endif
