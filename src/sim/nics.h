/* SPDX-License-Identifier: Apache-2.0
 *
 * A link between two hosts that has everything: at each end driver, rings, NIC; between them a
 * cable. Instead of an emulated link (dev/emu), where a frame simply takes its time.
 */
#ifndef WEIR_SIM_NICS_H
#define WEIR_SIM_NICS_H

#include "dev/vnic.h"
#include "nic/cable.h"

enum { SIM_NIC_BURST = 64 };

/* Both ends alike; what is 0 gets the default. */
struct sim_nic_conf {
    struct nic_conf nic;         /* rate 0: 1 Gbit/s; features as given */
    struct vnic_conf driver;     /* ring sizes 0: 256; offloads as given; n_queues 0: 1 */
    struct cable_conf cable;     /* room 0: 256 KiB */
    const struct vnic_conf *far; /* of end 1 where it differs from `driver`; NULL: it does not */
};

/* One host's side. */
struct sim_nic_end {
    struct nic nic;
    struct vnic driver;
    struct bus_dma dma;
    struct bus_irq irqs;
    struct pkt *wait[SIM_NIC_BURST]; /* left the stack's queue, refused by the ring */
    unsigned n_wait, n_seen;         /* n_seen: of them, shown to who looks */
    /* What the host's work costs: it polls frame by frame and looks again when it is done. 0: it
     * is infinitely fast. */
    w_ns packet_ns, irq_ns;   /* a received frame, an interrupt */
    w_ns busy_until, busy_ns; /* busy_ns: in all */
    uint64_t irqs_paid;
};

struct sim_nics {
    struct sim_nic_end end[2];
    struct cable cable;
    void *mem;
    size_t n_mem;
};

/* Makes both ends, not open yet. NULL and *error (-ENOMEM, -EINVAL): what conf asks for is
 * impossible. */
struct sim_nics *sim_nics_new(const struct sim_nic_conf *, const uint8_t mac[2][6], uint32_t mtu,
                              w_ns now, int *error);
/* Closes what is open; frames on rings are freed to the hosts' memories, which still exist. */
void sim_nics_free(struct sim_nics *);
/* Whether frames of `side` have left its stack and are not on the cable yet, or not known to be. */
bool sim_nics_has_frames(const struct sim_nics *, unsigned side);
/* When anything on the link happens next; a driver is not called before its host's `awake`. */
w_ns sim_nics_next(struct sim_nics *, const w_ns awake[2]);
/* How many frames end `side`'s host takes from its driver now; 0: it is busy. */
unsigned sim_nics_may_take(const struct sim_nics *, unsigned side, w_ns now);
/* … and it has taken n. */
void sim_nics_took(struct sim_nics *, unsigned side, w_ns now, unsigned n);

#endif
