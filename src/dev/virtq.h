/* SPDX-License-Identifier: Apache-2.0
 *
 * One split virtqueue, the driver's side [virtio 1.2, 2.7].
 *
 *   descriptor table  what may be read or written, in chains; written by the driver
 *   available ring    chains given to the device; written by the driver
 *   used ring         chains the device is done with; written by the device
 *
 *   a chain belongs to | from                         | until
 *   the driver         | virtq_init; virtq_take       | virtq_publish
 *   the device         | virtq_publish                | it stands in the used ring
 *
 * Nothing the device writes is believed before it was checked, and nothing that the driver wrote is
 * read back from memory the device can reach: how chains hang together is kept apart (`next`).
 */
#ifndef WEIR_VIRTQ_H
#define WEIR_VIRTQ_H

#include "bus/bus.h"

enum {
    VIRTQ_MAX = 256, /* entries of a queue at most: then each part fits a page */
    VIRTQ_MIN = 4,
};

enum virtq_desc_flag {
    VIRTQ_DESC_NEXT = 1 << 0,  /* the chain goes on at `next` */
    VIRTQ_DESC_WRITE = 1 << 1, /* the device writes there; otherwise it reads */
};
enum { VIRTQ_AVAIL_NO_INTERRUPT = 1, VIRTQ_USED_NO_NOTIFY = 1 };

/* As in memory, little-endian. */
struct virtq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};
_Static_assert(sizeof(struct virtq_desc) == 16, "16 bytes in memory");

struct virtq_used_elem {
    uint32_t id, len;
};

/* The three parts. No part crosses a page, so that memory which is contiguous only page by page
 * will do. A smaller queue uses the first entries of each. */
struct virtq_ring {
    _Alignas(BUS_PAGE) struct virtq_desc desc[VIRTQ_MAX];
    _Alignas(BUS_PAGE) uint16_t avail_flags;
    uint16_t avail_idx;
    uint16_t avail[VIRTQ_MAX];
    _Alignas(1024) uint16_t used_flags;
    uint16_t used_idx;
    struct virtq_used_elem used[VIRTQ_MAX];
};
_Static_assert(sizeof(struct virtq_ring) == 2 * BUS_PAGE, "two pages");
_Static_assert(offsetof(struct virtq_ring, used_flags) == BUS_PAGE + 1024, "behind avail");

struct virtq {
    struct virtq_ring *ring;
    uint16_t size;         /* a power of two, VIRTQ_MIN … VIRTQ_MAX */
    uint16_t n_free;       /* descriptors in no chain */
    uint16_t free;         /* the first of them; `next` leads on */
    uint16_t avail, taken; /* chains offered, taken back: counts modulo 2^16 */
    uint16_t next[VIRTQ_MAX];
    uint16_t chain[VIRTQ_MAX]; /* descriptors of the chain that begins here; 0: none does */
};

struct virtq_piece {
    bus_addr addr;
    uint32_t len;
};

/* An empty queue over a zeroed ring. */
void virtq_init(struct virtq *, struct virtq_ring *, uint16_t size);
/* The head that virtq_offer will answer next. There is one while n_free > 0. */
static inline uint16_t virtq_head(const struct virtq *q) { return q->free; }
/* Makes a chain of 1 … n_free pieces, all to be written by the device or all to be read. Returns
 * its head, under which the device will give it back. The device does not see it yet. */
uint16_t virtq_offer(struct virtq *, const struct virtq_piece *, unsigned n, bool is_written);
/* Gives the device all chains offered so far. Whether it wants to be told. */
WEIR_MUST_CHECK bool virtq_publish(struct virtq *);
/* Chains with the device or waiting to be taken. */
static inline uint16_t virtq_held(const struct virtq *q) { return (uint16_t)(q->avail - q->taken); }
/* Chains waiting to be taken, as far as the device says. */
uint16_t virtq_waiting(const struct virtq *);
/* Takes back a chain: its head, and into *len how many bytes the device says it wrote. -EAGAIN:
 * none waits. -EPROTO: what the device says cannot be true; nothing was taken. */
WEIR_MUST_CHECK int virtq_take(struct virtq *, uint32_t *len);
/* Asks for an interrupt when a chain is done, or for none. On: look once more afterwards, for what
 * came in between has interrupted nobody. The device may interrupt all the same. */
void virtq_ask_irq(struct virtq *, bool is_wanted);

#endif
