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
    bool is_dropping;     /* without a free buffer: NIC_CTRL_RX_DROP */
    bool is_adaptive;     /* rx_ns and rx_frames follow the load of each queue (vnic_dim.c) */
    uint32_t first_index; /* rings begin here after each reset; 0 but for tests */
};

/* Counted by the driver; the NIC's own are in its registers. */
#define VNIC_COUNTERS(X)                                                                           \
    X(IRQS, "interrupts taken")                                                                    \
    X(POLLS, "polls")                                                                              \
    X(POLLS_FULL, "polls that used up their budget")                                               \
    X(SPURIOUS_IRQS, "interrupts that found no work")                                              \
    X(LOST_IRQS, "work found by the watchdog, not by an interrupt")                                \
    X(DIM, "times adaptive coalescing chose another wait")                                         \
    X(TORN_RET, "return entries of which a half was old, read again")                              \
    X(LATE_RET, "return entries whose successor was there first")                                  \
    X(BAD_RET, "return entries that cannot be true")                                               \
    X(RX_ERRORS, "frames whose buffer the NIC could not write")                                    \
    X(RX_TOO_LONG, "frames in more pieces than a packet has")                                      \
    X(RX_LRO, "frames that came merged under another's header")                                    \
    X(REFILL_FAILED, "times a buffer was wanted and there was no memory")                          \
    X(OLD_COUNT, "write-backs older than one before")                                              \
    X(LATE_COUNT, "write-backs that the watchdog fetched")                                         \
    X(TX_HUNG, "transmit stood still")                                                             \
    X(DEAD_QUEUE, "rings that the NIC could not reach")                                            \
    X(FORGOTTEN, "times the NIC was found reset")                                                  \
    X(PAUSE_STORM, "times PAUSE held for too long and was not obeyed for a while")                 \
    X(RESETS, "resets of the NIC")

enum vnic_counter {
#define X(name, text) VNIC_##name,
    VNIC_COUNTERS(X)
#undef X
        VNIC_N_COUNTERS
};

/* Numbers of vnic_stat_at: the card's, then the driver's, then those of each queue. */
enum {
    VNIC_PER_QUEUE = 4,
    VNIC_QUEUE_STATS = NIC_N_STATS + VNIC_N_COUNTERS,
    VNIC_STATS = VNIC_QUEUE_STATS + NIC_QUEUES_MAX * VNIC_PER_QUEUE,
};

/* A receive entry's buffers while they are the NIC's. */
struct vnic_buf {
    struct pkt *p; /* NULL: the place is empty */
    struct blk *b;
};

/* What the watchdog saw of a queue when it last looked. */
struct vnic_look {
    uint32_t clean, ret_next;
    bool was_waiting; /* work lay there and no interrupt had come */
    uint32_t stuck;   /* looks in a row at which transmit had not moved */
};

/* Adaptive coalescing: what a queue's load was and what was made of it. */
struct vnic_dim {
    uint32_t level;        /* how long interrupts wait: index of the table in vnic_dim.c */
    uint32_t frames, rate; /* since `from`; of the sample before, frames a second */
    uint32_t parked;       /* samples for which level stays */
    bool has_risen;        /* by the last sample */
    w_ns from;
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
    struct gauge tx_gauge; /* of the transmit ring, in descriptors */
    uint32_t old_count;    /* an impossible value of *wb that has been counted */
    struct pktq lost;      /* the NIC was reset while it had them */
    /* receive */
    struct nic_rxd *rxd;
    struct vnic_buf *buf;
    uint32_t rx_tail, rx_held; /* given; of them still the NIC's */
    struct nic_ret *ret;
    uint32_t ret_next;
    struct pkt *half; /* a frame of which more is to come, */
    bool is_spoilt;   /* … and of which a piece is lost */
    bool is_torn;     /* the next entry's halves do not belong together yet */
    bool is_late;     /* the one behind the next entry is there, it itself is not yet */
    struct vnic_look looked;
    struct vnic_dim dim;
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes; /* as the stack sees them */
};

struct vnic {
    struct netdev dev;
    struct vnic_slot slot;
    struct vnic_conf conf;
    uint32_t max_ring;
    uint32_t ctrl;     /* what NIC_CTRL is to be */
    struct trace *see; /* the stack's, to write what happens; NULL: nobody looks */
    w_ns now, watch_at;
    w_ns deaf_until;            /* PAUSE is not obeyed until then; 0: as conf says */
    uint32_t paused;            /* looks in a row at which PAUSE held what we have to send */
    bool must_reset, is_polled; /* is_polled: the stack polls by itself (arm off) */
    unsigned turn;              /* the queue that is polled first */
    uint8_t rss_key[4 * NIC_RSS_WORDS];
    uint8_t rss_table[NIC_RSS_ENTRIES];
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
/* Where flows go, received or sent: the hash's key and the table of queues it leads to, each NULL
 * to leave it as it is; at once, without a reset. 0; -EINVAL: the table names a queue that is not
 * in use. When the number of queues changes the table is dealt out anew. */
WEIR_MUST_CHECK int vnic_set_rss(struct vnic *, w_ns now, const uint8_t key[4 * NIC_RSS_WORDS],
                                 const uint8_t table[NIC_RSS_ENTRIES]);

/* ---- all queues of one device, for the one thread that serves them (vnic_all.c). Otherwise as
 * rx, tx, reap and next of the device, which are about one queue each. ---- */

unsigned vnic_all_rx(struct vnic *, w_ns now, struct pkt **v, unsigned max);
/* Each packet by its flow's queue, in order: a flow never changes its queue. */
unsigned vnic_all_tx(struct vnic *, w_ns now, struct pkt **v, unsigned n);
unsigned vnic_all_reap(struct vnic *, w_ns now, struct pkt **v, unsigned max);
w_ns vnic_all_next(struct vnic *);
/* The queue a packet to be sent belongs on: by the hash of its flow. */
unsigned vnic_queue_of(const struct vnic *, const struct pkt *);

/* A statistic register of the NIC. */
uint64_t vnic_stat(struct vnic *, enum nic_stat);
/* The device's part of the chain of buffers, all queues together. To send: "TX ring", "TX FIFO",
 * "line" (held by the peer's PAUSE); what is received: "RX FIFO", "RX ring". Their number, at most
 * WEIR_CHAIN_PART. */
unsigned vnic_chain_send(struct vnic *, w_ns now, struct weir_gauge *v);
unsigned vnic_chain_recv(struct vnic *, w_ns now, struct weir_gauge *v);
/* All statistics, the card's, the driver's and each queue's, named as `ethtool -S` would: the i-th.
 * The name lives for ever. False: there are no more. */
bool vnic_stat_at(struct vnic *, unsigned i, const char **name, uint64_t *value);
/* The i-th name alone, also of queues that are not in use; i < VNIC_STATS. */
const char *vnic_stat_name(unsigned i);
/* Entries of queue q's rings in use: to be sent; given to the NIC to receive into. */
uint32_t vnic_tx_used(const struct vnic *, unsigned q);
uint32_t vnic_rx_given(const struct vnic *, unsigned q);

#endif
