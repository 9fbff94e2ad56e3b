/* SPDX-License-Identifier: Apache-2.0
 *
 * A device behind the model NIC: driver, rings, DMA, card and line between a stack and whatever
 * really carries its frames, in real time.
 *
 *   stack ─ vnic (driver) ═ bus ═ NIC ─ cable ─ port ─ inner (user network, TAP)
 *
 * The port is the other end of the cable, as a switch has it: it sends at the line's rate, obeys
 * PAUSE, and asks for a pause when the device behind it is slow.
 */
#ifndef WEIR_NICDEV_H
#define WEIR_NICDEV_H

#include "dev/vnic.h"
#include "nic/nic.h"

enum { NICDEV_HELD = 32, NICDEV_FRAME_MAX = 16384, NICDEV_RING_MAX = 1024, NICDEV_ERR_TEXT = 256 };

/* Packets, and small blocks, that it may hold of the stack's memory: receive rings of all queues,
 * and what waits behind the line. */
enum { NICDEV_PKTS = NIC_QUEUES_MAX * NICDEV_RING_MAX + 2048 };

struct nicdev_conf {
    struct nic_conf nic;
    struct vnic_conf driver;
};

/* The far end of the cable. Both queues hold packets of the stack's memory. */
struct nicdev_port {
    struct pktq in;                /* from the inner device, on their way to the NIC */
    struct pktq out;               /* from the NIC, on their way to the inner device */
    struct pkt *held[NICDEV_HELD]; /* refused by the inner device */
    unsigned n_held;
    w_ns arrives;      /* the last bit of what is on the line to the NIC; W_NEVER: it is idle */
    w_ns line_free;    /* end of the gap behind it */
    w_ns paused_until; /* by the NIC */
    uint64_t part;     /* of a nanosecond, in 1/rate */
    bool is_holding;   /* the NIC, by our last PAUSE */
    bool must_say, is_saying;
    uint64_t lost;       /* frames of the NIC for which there was no room or memory here */
    uint64_t said_pause; /* PAUSE frames sent to the NIC */
};

struct nicdev {
    struct netdev dev; /* what the stack sees */
    struct netdev *inner;
    struct nic nic;
    struct vnic driver;
    struct bus_dma dma;
    struct bus_irq irqs;
    struct nicdev_port port;
    struct pktq late; /* received before the rings were changed, still to be passed on */
    int ep;           /* what the owner sleeps on */
    bool is_deaf;     /* the inner device's descriptor is not listened to: `in` is full */
    uint64_t stat_before[NIC_N_STATS]; /* of the NIC before its resets */
    void *mem;
    size_t n_mem;
    uint8_t frame[NICDEV_FRAME_MAX];
};

/* 1 Gbit/s, rings of 256, one queue, all offloads, PAUSE both ways, 50 µs or 16 frames. */
void nicdev_conf_default(struct nicdev_conf *);
/* Reads "rate=10gbit,rings=512,…" over what is in conf; text may be "". 0, or -EINVAL with a
 * sentence in err (NICDEV_ERR_TEXT). */
WEIR_MUST_CHECK int nicdev_parse(const char *text, struct nicdev_conf *, char *err);
/* What the words are, for --help. */
extern const char nicdev_words[];

/* Puts a NIC before `inner`, which is made, not open, and passes into it. NULL, and inner is still
 * the caller's: a sentence in err. The frames' size is inner's mtu. */
struct nicdev *nicdev_new(struct netdev *inner, const struct nicdev_conf *, w_ns now, char *err);
/* Driver and card write what they do into this trace from now on; NULL: no more. It outlives the
 * device's last call. */
void nicdev_see(struct nicdev *, struct trace *);
/* After the device is closed. NULL is fine. */
void nicdev_free(struct nicdev *);

/* Changes the driver's settings while it runs (vnic_set). 0 or -EINVAL, and nothing has changed.
 * Afterwards dev.caps may say something else: the owner tells the stack. */
WEIR_MUST_CHECK int nicdev_set(struct nicdev *, w_ns now, const struct vnic_conf *);
/* A statistic of the card, over its resets. */
uint64_t nicdev_stat(struct nicdev *, enum nic_stat);

#endif
