/* SPDX-License-Identifier: Apache-2.0
 *
 * Two stacks in one thread, joined by a wire in memory: nothing below IP but a move of packets.
 * Time is the real clock, read once per turn, or advances by a fixed step per turn, for programs
 * whose every instruction is to be the same in every run.
 */
#ifndef WEIR_BENCH_PAIR_H
#define WEIR_BENCH_PAIR_H

#include "sim/nics.h"
#include "stack/stack.h"
#include "wire/csum.h"

struct pair_conf {
    uint32_t mtu;        /* of the link */
    bool has_tso;        /* super-segments cross whole, checksums are the device's */
    bool has_csum;       /* the device computes checksums */
    uint32_t n_conns;    /* room for that many connections on each side */
    uint32_t wmem, rmem; /* buffer of each connection, 0: the default */
    uint32_t n_addrs;    /* of each side, 0: PAIR_ADDRS */
    w_ns step;           /* how far a turn moves the clock, 0: the real clock */
    bool has_nics;       /* driver, NIC and cable instead of the wire; needs a step */
};

struct pair {
    struct weir *w[2];
    void *mem[2];
    size_t n_mem[2];
    unsigned nif[2];
    w_ns now, step;
    uint64_t frames;
    struct sim_nics *nics; /* NULL: the wire in memory */
};

/* Exits with a message when there is no memory. */
void pair_init(struct pair *, const struct pair_conf *);
void pair_free(struct pair *);
/* Moves packets both ways until the wire is quiet; with `does_time`, timers too. */
void pair_run(struct pair *, bool does_time);
w_ns pair_clock(void);

/* Of pair_init and pair_run, where there are NICs (pair_nics.c). */
void pair_nics_make(struct pair *, const struct pair_conf *);
void pair_nics_open(struct pair *);
void pair_nics_run(struct pair *, bool does_time);

/* The address of side 0 or 1 with an index to have more than 64k connections. */
struct weir_addr pair_addr(unsigned side, unsigned index, uint16_t port);
enum { PAIR_ADDRS = 32, PAIR_PORT = 80 };

#endif
