/* SPDX-License-Identifier: Apache-2.0
 *
 * The device contract: what stands between a stack and something that carries frames.
 *
 * A device moves bursts of struct pkt and never calls the stack. One thread owns it, the thread of
 * the stack it serves. Devices may wrap devices (dev/wrap.h): a wrapper has the same contract.
 *
 *   state    | allowed                      | caveats
 *   made     | open, close                  | a wrapper may clear capabilities; open honours it
 *   open     | rx tx reap arm wait_fd next  | any order, any number of times; time never goes back
 *   closed   | -                            | memory of a device made by backend/ is gone
 *
 * A received packet is CSUM_NONE or, where the device vouches for it, CSUM_GOOD. A frame that never
 * crossed a real wire may be vouched for with its checksum field undone: then csum_start and
 * csum_at (not 0) say where, and whoever forwards it to a wire makes it CSUM_TODO again.
 *
 * TX ownership, the one exception to "passing a packet gives it away": tx takes the first k of a
 * burst and returns k; the others stay the caller's. A taken packet comes back through reap once
 * the device is done with its bytes, so that the stack can credit the connection that sent it and
 * free it; a taken packet that the device had to drop comes back the same way and is counted in
 * stats.tx_dropped. Packets still inside at close are freed by the device.
 */
#ifndef WEIR_NETDEV_H
#define WEIR_NETDEV_H

#include "base/base.h"

struct pkt;
struct pktmem;

enum netdev_flag {
    NETDEV_TX_CSUM = 1 << 0, /* takes CSUM_TODO packets and completes them */
    NETDEV_RX_CSUM = 1 << 1, /* may mark received packets CSUM_GOOD */
    NETDEV_TSO4 = 1 << 2,    /* takes TCP/IPv4 super-segments (gso_size != 0), CSUM_TODO */
    NETDEV_TSO6 = 1 << 3,    /* … TCP/IPv6 */
    NETDEV_LRO = 1 << 4,     /* may deliver TCP/IPv4 super-segments: gso_size != 0, len > mtu */
    NETDEV_L3 = 1 << 5,      /* frames begin with the IP header: no Ethernet, no ARP */
    NETDEV_LRO6 = 1 << 6,    /* … TCP/IPv6 */
};

struct netdev_caps {
    uint32_t flags;    /* enum netdev_flag */
    uint32_t mtu;      /* IP bytes of one frame */
    uint32_t gso_max;  /* IP bytes of one super-segment, ≤ 65535; 0 without TSO */
    uint16_t n_queues; /* pairs of RX and TX queues; ≥ 1 */
    uint8_t mac[6];    /* the address the stack should use; zero with NETDEV_L3 */
    uint64_t rate_bps; /* of the line; 0: not known */
};

/* Frames and bytes are as the stack sees them: a super-segment counts once. */
struct netdev_stats {
    uint64_t rx_frames, rx_bytes;
    uint64_t tx_frames, tx_bytes;
    uint64_t rx_dropped; /* the device had no room, or the frame was no good */
    uint64_t rx_nomem;   /* no packet or block free in the stack's memory */
    uint64_t tx_dropped; /* taken by tx, never sent */
    uint64_t tx_busy;    /* times tx took less than it was offered */
};

struct netdev;

struct netdev_ops {
    const char *name; /* the kind of device: "user", "tap", "emu", … */

    /* Starts work; received packets are made from `mem`, which outlives the device's use of it.
     * 0 or -E…. */
    int (*open)(struct netdev *, struct pktmem *mem);

    /* Frees every packet still inside and whatever else the device holds. */
    void (*close)(struct netdev *);

    /* Up to max received frames, the caller's from now on; p->when is the arrival. Cost bounded
     * by max. Fewer than max: nothing is left for now. */
    unsigned (*rx)(struct netdev *, unsigned q, w_ns now, struct pkt **v, unsigned max);

    /* Takes the first k of n frames, returns k. k < n: full; the caller keeps the others and tries
     * again after the next reap or when wait_fd or next says so. */
    unsigned (*tx)(struct netdev *, unsigned q, w_ns now, struct pkt **v, unsigned n);

    /* Up to max packets the device is done with, the caller's again, in any order. */
    unsigned (*reap)(struct netdev *, unsigned q, w_ns now, struct pkt **v, unsigned max);

    /* on: make wait_fd readable when there is something to do, as an interrupt would; off: the
     * caller polls. Returns 1 when something is already there (do not sleep), 0, or -E…. */
    int (*arm)(struct netdev *, unsigned q, bool on);

    /* The descriptor to sleep on (readable: call rx, then reap), or -1: only time wakes it. */
    int (*wait_fd)(struct netdev *, unsigned q);

    /* When the device next wants rx, tx or reap to be called because of time alone. 0: now.
     * W_NEVER: no such time. */
    w_ns (*next)(struct netdev *, unsigned q);
};

/* The head of every device; the kinds embed it as their first member. */
struct netdev {
    const struct netdev_ops *ops;
    struct pktmem *mem; /* from open */
    struct netdev_caps caps;
    struct netdev_stats stats;
};

static inline WEIR_MUST_CHECK int netdev_open(struct netdev *d, struct pktmem *mem)
{
    return d->ops->open(d, mem);
}
static inline void netdev_close(struct netdev *d) { d->ops->close(d); }
static inline unsigned netdev_rx(struct netdev *d, unsigned q, w_ns now, struct pkt **v,
                                 unsigned max)
{
    return d->ops->rx(d, q, now, v, max);
}
static inline WEIR_MUST_CHECK unsigned netdev_tx(struct netdev *d, unsigned q, w_ns now,
                                                 struct pkt **v, unsigned n)
{
    return d->ops->tx(d, q, now, v, n);
}
static inline unsigned netdev_reap(struct netdev *d, unsigned q, w_ns now, struct pkt **v,
                                   unsigned max)
{
    return d->ops->reap(d, q, now, v, max);
}
static inline int netdev_arm(struct netdev *d, unsigned q, bool on)
{
    return d->ops->arm(d, q, on);
}
static inline int netdev_wait_fd(struct netdev *d, unsigned q) { return d->ops->wait_fd(d, q); }
static inline w_ns netdev_next(struct netdev *d, unsigned q) { return d->ops->next(d, q); }
static inline bool netdev_has(const struct netdev *d, uint32_t flags)
{
    return (d->caps.flags & flags) == flags;
}

#endif
