/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens to the chain of buffers when its end stops for a while: two hosts joined by NICs,
 * one writes as much as it can, the other stops, and goes on.
 */
#ifndef WEIR_SIM_CHAIN_H
#define WEIR_SIM_CHAIN_H

#include "base/base.h"

#include <stdio.h>
#include <weir/gauge.h>

struct sim_chain_conf {
    const char *name, *text; /* for people */
    bool is_udp;
    bool is_host;   /* the whole host stops, not only the program that reads */
    bool has_pause; /* both NICs send PAUSE and obey it */
    uint32_t ring;  /* of the receiver; 0: 256 */
    uint32_t fifo;  /* of the receiver, bytes; 0: 128 KiB */
    w_ns stop_ns;   /* how long it stops; 0: not at all */
};

struct sim_chain {
    struct weir_gauge send[WEIR_CHAIN_MAX]; /* of the sender, from write() down */
    struct weir_gauge recv[WEIR_CHAIN_MAX]; /* of the receiver, from the wire up */
    unsigned n_send, n_recv;
    uint64_t sent, got;   /* bytes, or datagrams, that write() took and read() gave */
    w_ns write_waited_ns; /* the longest time without a write() that took something */
    bool is_damaged;      /* something arrived that was not sent, or in another order */
};

/* The situations that `weir sim chain` shows. NULL beyond the last. */
const struct sim_chain_conf *sim_chain_case(unsigned i);
/* Runs one in virtual time. 0 or -errno. */
WEIR_MUST_CHECK int sim_chain_run(const struct sim_chain_conf *, uint64_t seed,
                                  struct sim_chain *out);
/* A gauge by its name, of both directions; NULL: none. */
const struct weir_gauge *sim_chain_gauge(const struct sim_chain *, const char *name);
/* All that was thrown away on the sender's side, or on both. */
uint64_t sim_chain_drops(const struct sim_chain *, bool is_both);

#endif
