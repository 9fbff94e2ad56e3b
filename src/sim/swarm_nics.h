/* SPDX-License-Identifier: Apache-2.0
 *
 * Swarm testing's worlds of NICs: what a seed draws where hosts are joined by cards and a cable
 * instead of an emulated link..
 */
#ifndef WEIR_SWARM_NICS_H
#define WEIR_SWARM_NICS_H

#include "sim/nics.h"

#include <stdio.h>

enum { SWARM_NIC_FAULTS = NIC_N_FAULTS + 3 }; /* the NIC's and the cable's */

/* What a card does for its host, and a run may have seen it do: a bit for each. */
enum swarm_nic_work {
    SWARM_LRO,      /* segments came merged */
    SWARM_TSO,      /* super-segments were cut */
    SWARM_QUEUES,   /* frames came through more than one queue of a card */
    SWARM_ADAPTIVE, /* a wait for interrupts was changed by the load */
    SWARM_JUMBO,    /* an MTU beyond Ethernet's */
    SWARM_NIC_WORKS
};

struct swarm_nics {
    struct rng rng;
    unsigned faults; /* kinds there are, a bit for each; 0: none */
    uint32_t mtu;
    struct sim_nic_conf conf;
    struct nic_fault_plan plan;
};

void swarm_nics_draw(struct swarm_nics *, uint64_t seed, uint32_t mtu);
/* Both cards begin to fail; conf holds the cable's faults already. */
void swarm_nics_fail(struct swarm_nics *, struct sim_nics *);
/* Cards and cable work from now on. */
void swarm_nics_calm(struct sim_nics *);
/* Somebody changes rings, queues, interrupts and PAUSE of both while they are busy. -EINVAL: they
 * refuse. */
int swarm_nics_change(struct swarm_nics *, struct sim_nics *, w_ns now);
/* What was drawn; as snprintf. */
int swarm_nics_words(const struct swarm_nics *, char *out, size_t n);
/* Bits of enum swarm_nic_work, and their names. */
unsigned swarm_nics_worked(const struct swarm_nics *, const struct sim_nics *);
const char *swarm_nics_work(unsigned work);
/* How often each fault happened on this link, added to out; and its name. */
void swarm_nics_count(const struct sim_nics *, uint64_t out[SWARM_NIC_FAULTS]);
const char *swarm_nics_fault(unsigned k);
/* Everything that card and driver of one end have counted. */
void swarm_nics_show(struct sim_nics *, unsigned side, FILE *);

#endif
