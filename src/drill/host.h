/* SPDX-License-Identifier: Apache-2.0
 *
 * The host under test: one stack with one interface that carries raw IP packets, in virtual time.
 * Private to drill/; the only part of it that knows struct weir.
 *
 * Time stands still except inside host_run(). Whatever the stack sends is kept, with the moment it
 * was sent, until the runner takes it.
 */
#ifndef WEIR_DRILL_HOST_H
#define WEIR_DRILL_HOST_H

#include "base/addr.h"
#include "drill/ast.h"
#include "file/file.h"

#include <weir/weir.h>

struct host;

struct host_conf {
    struct weir_conf conf;
    struct addr local, remote;
    uint32_t mtu;
    uint64_t seed;
};

/* A packet that came out. */
struct sent_pkt {
    struct sent_pkt *next;
    w_ns at;
    size_t n;
    uint8_t bytes[];
};

/* The default configuration with small pools: a script has a handful of connections. */
void host_conf_small(struct weir_conf *);
/* A host at time 0. NULL and a reason: no memory, or an impossible configuration. */
struct host *host_new(const struct host_conf *, const char **why);
/* Closes everything; how many objects of the stack were lost (0: none). */
unsigned host_free(struct host *);

/* Nanoseconds since the start. */
w_ns host_now(const struct host *);
/* When something is due next because of time alone, from the start; W_NEVER: nothing is. */
w_ns host_next(const struct host *);
/* Lets time pass to `until`; with `stops` only up to the moment something is sent or a parked call
 * is answered. Returns whether it stopped for that. */
bool host_run(struct host *, w_ns until, bool stops);
/* A packet arrives now; mss: the device merged it from segments of so many bytes, 0: it is one.
 * False: the stack had no memory for it. */
bool host_inject(struct host *, const uint8_t *bytes, size_t n, uint32_t mss);
/* What the calls made now have caused: packets, answered calls. After every call made on
 * host_files(). */
void host_settle(struct host *);

/* The packets not yet taken, oldest first; unlink with host_take, which frees it. */
struct sent_pkt *host_sent(struct host *);
void host_take(struct host *, struct sent_pkt *);
/* The calls a program can make, on the stack's own clock. */
struct file_table *host_files(struct host *);
w_ns host_clock(const struct host *);
/* Answered calls, oldest first; NULL: none. */
struct file_call *host_answer(struct host *);
/* SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, and what poll would say (enum weir_ready), of a file that is a
 * socket. */
int64_t host_inq(struct host *, int file);
int64_t host_outq(struct host *, int file);
int64_t host_outq_unsent(struct host *, int file);
int64_t host_at_mark(struct host *, int file);
uint32_t host_poll(struct host *, int file);
/* A setting by name and text, while running: 0, -ENOENT, -EINVAL, -ERANGE. */
int host_set(struct host *, const char *name, const char *value);

#endif
