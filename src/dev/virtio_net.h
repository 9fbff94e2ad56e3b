/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver of a virtio network device [virtio 1.2, 5.1], as found in every virtual machine.
 *
 * It reaches the device through a struct virtio_host and never makes a system call: the same code
 * drives QEMU's device from user space (backend/virtio.c) and a device made for a test. One pair of
 * queues; what the device does not offer is done by link/ in software.
 */
#ifndef WEIR_VIRTIO_NET_H
#define WEIR_VIRTIO_NET_H

#include "dev/netdev.h"
#include "dev/virtio.h"
#include "dev/virtq.h"
#include "pkt/pkt.h"

struct arena;

struct virtio_net_conf {
    uint32_t mtu;      /* 0: what the device says, otherwise 1500; never more than it says */
    uint32_t offloads; /* enum netdev_flag; what the device lacks stays off */
    uint8_t mac[6];    /* for a device that has none of its own */
};

#define VIRTIO_NET_COUNTERS(X)                                                                     \
    X(IRQS, "interrupts taken")                                                                    \
    X(POLLS, "polls")                                                                              \
    X(POLLS_FULL, "polls that used up their budget")                                               \
    X(LOST_IRQS, "interrupts that never came")                                                     \
    X(BELLS, "times the device was told of new buffers")                                           \
    X(TX_SUPER, "super-segments sent whole")                                                       \
    X(RX_SUPER, "super-segments received whole")                                                   \
    X(BAD_USED, "used entries that cannot be true")                                                \
    X(BAD_FRAMES, "frames too short, or whose header cannot be true")                              \
    X(RX_TOO_LONG, "frames in more pieces than a packet has")                                      \
    X(REFILL_FAILED, "times a buffer was wanted and there was no memory")                          \
    X(TX_UNSENDABLE, "packets in more pieces than the ring has, or out of reach")                  \
    X(TX_HUNG, "transmit stood still")                                                             \
    X(ASKED_RESET, "times the device wanted to be reset")                                          \
    X(RESETS, "resets of the device")                                                              \
    X(GIVEN_UP, "resets that failed: the device is dead from then on")

enum virtio_net_counter {
#define X(name, text) VIRTIO_NET_##name,
    VIRTIO_NET_COUNTERS(X)
#undef X
        VIRTIO_NET_N_COUNTERS
};

/* What device and driver share beside packets; whole pages. */
struct virtio_net_shared {
    struct virtq_ring rx, tx;
    _Alignas(BUS_PAGE) uint8_t tx_header[VIRTQ_MAX][16]; /* by head: a frame's virtio-net header */
};

struct virtio_net {
    struct netdev dev;
    struct virtio_host host;
    struct virtio_net_conf conf;
    uint64_t offered, features; /* by the device; accepted of it */
    struct virtio_net_shared *shared;
    bool is_mapped;  /* the shared pages are known to the host */
    bool must_reset; /* at the next rx or tx */
    bool is_dead;    /* a reset failed */
    bool is_polling; /* interrupted, and not yet found empty since */
    w_ns now;
    w_ns reset_at;    /* the last time */
    unsigned strikes; /* resets in a row that brought no second of peace */
    /* watchdog */
    w_ns watch_at, tx_moved_at;
    bool has_missed;      /* found work without an interrupt, and none has come since */
    uint16_t watch_taken; /* of tx, when the watchdog last looked */
    /* without interrupts: how long to the next look */
    w_ns poll_ns;
    /* receive */
    struct virtq rx;
    uint32_t rx_bell, buf_bytes;
    uint32_t rx_mtu;            /* the device's: what may arrive */
    struct blk *buf[VIRTQ_MAX]; /* by head, while the device has them */
    /* transmit */
    struct virtq tx;
    uint32_t tx_bell;
    struct pkt *sent[VIRTQ_MAX]; /* by head */
    struct pktq back;            /* never sent: a reset, or impossible to send */
    uint64_t count[VIRTIO_NET_N_COUNTERS];
};

/* Resets the device, finds out what it is and can, takes the shared pages from the arena and fills
 * in caps. 0; -ENODEV: it is gone; -ENOTSUP: it speaks only the legacy interface; -EIO: it does not
 * behave. The device is opened with netdev_open, which makes the packet memory reachable. */
WEIR_MUST_CHECK int virtio_net_init(struct virtio_net *, const struct virtio_host *,
                                    const struct virtio_net_conf *, struct arena *);
/* What of a counter to print. */
const char *virtio_net_counter_text(enum virtio_net_counter);

#endif
