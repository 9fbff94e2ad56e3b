/* SPDX-License-Identifier: Apache-2.0
 *
 * Prepared situations in each of which a connection waits for one thing above all: for `weir sim
 * why`, for whoever learns to read its answer, and for the tests that it is the right one.
 */
#ifndef WEIR_SIM_WHY_H
#define WEIR_SIM_WHY_H

#include "sim/load.h"

#include <weir/limit.h>

struct why_case {
    const char *name;       /* a word for the command line */
    const char *text;       /* what is set up */
    uint8_t limit;          /* enum weir_limit: the sender's largest */
    uint8_t share;          /* per cent of the sender's life, at least */
    uint8_t seconds;        /* of virtual time; 0: 10 */
    uint8_t peer;           /* the receiver's largest */
    struct emu_conf ab, ba; /* sender → receiver and back, without `nics` */
    const struct sim_nic_conf *nics;
    const char *qdisc; /* of the sender's interface: "tbf"; NULL: as it is */
    uint64_t qdisc_Bps;
    uint32_t limit_output; /* tcp_limit_output_bytes; 0: as it is */
    bool is_live;          /* the whole time, without an end: what `sender` writes is unlimited */
    struct load_side sender, receiver;
};

/* Situation i from 0, NULL beyond the last. The first five are the usual suspects. */
const struct why_case *why_case(unsigned i);
/* Runs it; what the two ends say at its end. 0, 1 (a byte was wrong or a connection failed), or
 * -errno. */
int why_run(const struct why_case *, struct weir_limits *sender, struct weir_limits *receiver);

#endif
