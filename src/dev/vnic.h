/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver of weir's NIC (bus/nic_regs.h), written as one would for hardware.
 *
 * It reaches the NIC through a struct bus_pio, gives it memory through a struct bus_dma, and hears
 * of it through an interrupt number. It never sees the NIC itself.
 */
#ifndef WEIR_VNIC_H
#define WEIR_VNIC_H

#include "base/gauge.h"
#include "bus/nic_regs.h"
#include "dev/netdev.h"
#include "pkt/pkt.h"

#include <weir/gauge.h>

struct arena;

/* Where the NIC is plugged in. */
struct vnic_slot {
    struct bus_pio pio;
    struct bus_dma *dma;
    struct bus_irq *irqs;
};

/* What may be changed while it runs (vnic_set). */
struct vnic_conf {
    uint32_t n_queues;         /* pairs in use: 1 … what the NIC has */
    uint32_t tx_ring, rx_ring; /* entries: powers of two, NIC_RING_MIN … the largest at init */
    uint32_t rx_ns, rx_frames; /* coalescing, as in bus/nic_regs.h */
    uint32_t tx_ns, tx_frames;
    uint32_t mtu;
    uint32_t offloads; /* enum netdev_flag; what the NIC lacks stays off */
    bool has_pause_rx, has_pause_tx;
    bool is_dropping; /* without a free buffer: NIC_CTRL_RX_DROP */
};

/* Counted by the driver; the NIC's own are in its registers. */
#define VNIC_COUNTERS(X)                                                                           \
    X(IRQS, "interrupts taken")                                                                    \
    X(POLLS, "polls")                                                                              \
    X(POLLS_FULL, "polls that used up their budget")                                               \
    X(LOST_IRQS, "work found by the watchdog, not by an interrupt")                                \
    X(BAD_RET, "return entries that cannot be true")                                               \
    X(RX_ERRORS, "frames whose buffer the NIC could not write")                                    \
    X(RX_TOO_LONG, "frames in more pieces than a packet has")                                      \
    X(REFILL_FAILED, "times a buffer was wanted and there was no memory")                          \
    X(TX_HUNG, "transmit stood still")                                                             \
    X(RESETS, "resets of the NIC")

enum vnic_counter {
#define X(name, text) VNIC_##name,
    VNIC_COUNTERS(X)
#undef X
        VNIC_N_COUNTERS
};

/* A receive entry's buffers while they are the NIC's. */
struct vnic_buf {
    struct pkt *p; /* NULL: the place is empty */
    struct blk *b;
};

struct vnic_queue {
    struct vnic *nic;
    uint32_t regs; /* NIC_QUEUE(q) */
    int irq;
    bool is_polling; /* interrupted, and not yet found empty since */
    /* transmit */
    struct nic_txd *txd;
    struct pkt **sent; /* with a packet's last descriptor, to give it back */
    uint32_t *wb;      /* the NIC writes here how many are done */
    uint32_t tx_tail, tx_clean;
    struct pktq lost;      /* the NIC was reset while it had them */
    struct gauge tx_gauge; /* of the transmit ring, in descriptors */
    /* receive */
    struct nic_rxd *rxd;
    struct vnic_buf *buf;
    uint32_t rx_tail, rx_held; /* given; of them still the NIC's */
    struct nic_ret *ret;
    uint32_t ret_next;
    struct pkt *half; /* a frame of which more is to come, */
    bool is_spoilt;   /* … and of which a piece is lost */
};

struct vnic {
    struct netdev dev;
    struct vnic_slot slot;
    struct vnic_conf conf;
    uint32_t max_ring;
    uint32_t ctrl; /* what NIC_CTRL is to be */
    w_ns now, watch_at;
    uint32_t watch_clean[NIC_QUEUES_MAX]; /* tx_clean when the watchdog last looked */
    bool must_reset, is_polled;           /* is_polled: the stack polls by itself (arm off) */
    struct vnic_queue q[NIC_QUEUES_MAX];
    bus_addr map[4];
    uint8_t *rings; /* all rings, one mapping */
    size_t ring_bytes;
    uint64_t count[VNIC_N_COUNTERS];
};

/* Finds the NIC, takes rings of at most max_ring entries (also for later changes) from the arena
 * and fills in caps from what the NIC can and conf wants. 0; -ENODEV: that is no NIC of ours;
 * -EINVAL: conf asks for what cannot be. The device is opened with netdev_open. */
WEIR_MUST_CHECK int vnic_init(struct vnic *, const struct vnic_slot *, const struct vnic_conf *,
                              uint32_t max_ring, struct arena *);
/* Changes settings while it runs: interrupts, PAUSE and dropping at once; anything else by taking
 * the NIC down and up, in which what is on the rings to be sent comes back through reap, unsent and
 * counted in tx_dropped. 0 or -EINVAL, and then nothing has changed. */
WEIR_MUST_CHECK int vnic_set(struct vnic *, w_ns now, const struct vnic_conf *);
/* A statistic register of the NIC. */
uint64_t vnic_stat(struct vnic *, enum nic_stat);
/* The device's part of the chain of buffers, all queues together. To send: "TX ring", "TX FIFO",
 * "line" (held by the peer's PAUSE); what is received: "RX FIFO", "RX ring". Their number, at most
 * WEIR_CHAIN_PART. */
unsigned vnic_chain_send(struct vnic *, w_ns now, struct weir_gauge *v);
unsigned vnic_chain_recv(struct vnic *, w_ns now, struct weir_gauge *v);
/* Entries of queue q's rings in use: to be sent; given to the NIC to receive into. */
uint32_t vnic_tx_used(const struct vnic *, unsigned q);
uint32_t vnic_rx_given(const struct vnic *, unsigned q);

#endif
