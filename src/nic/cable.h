/* SPDX-License-Identifier: Apache-2.0
 *
 * A cable between two NICs: full duplex, with a length and, if wanted, with faults.
 */
#ifndef WEIR_NIC_CABLE_H
#define WEIR_NIC_CABLE_H

#include "base/rng.h"
#include "nic/nic.h"

struct cable_conf {
    w_ns delay_ns;        /* 5 ns a metre */
    uint32_t corrupt_ppm; /* frames in which one bit is turned over */
    uint32_t cut_ppm;     /* frames that arrive only in part: runts and bad CRCs */
    uint32_t babble_ppm;  /* frames that go on beyond their end: giants and bad CRCs */
    uint32_t room;        /* bytes that can be in flight each way */
    uint64_t seed;        /* of the faults */
};

/* Who is shown what crosses: a frame without its CRC, as its last bit leaves end `from`. */
struct cable_watch {
    void (*frame)(void *ctx, w_ns at, unsigned from, const uint8_t *bytes, uint32_t n);
    void *ctx;
};

/* One direction: what has left one end and not come to the other. */
struct cable_way {
    struct cable *cable;
    struct nic *to;
    struct nic_fifo flight;
    w_ns at[NIC_SLOTS]; /* when the slot of the same number arrives */
    struct cable_conf conf;
    struct rng rng;
    uint64_t lost; /* the flight had no room: the cable is too long for its memory */
    uint64_t corrupted, cut, babbled; /* frames damaged on purpose */
};

struct cable {
    struct nic *end[2];
    struct cable_watch watch;
    struct cable_way way[2]; /* way[i] carries what end[i] sends */
};

/* Connects a and b; the memory of what is in flight is the arena's. The cable steps both NICs from
 * then on. */
void cable_init(struct cable *, struct nic *a, struct nic *b, const struct cable_conf *,
                struct arena *);
/* Both NICs and what is in between, up to now. */
void cable_step(struct cable *, w_ns now);
w_ns cable_next(const struct cable *);

#endif
