/* SPDX-License-Identifier: Apache-2.0
 *
 * The NIC: a state machine with a clock, reached through registers and host memory alone.
 *
 *   host memory                      the NIC                                       the wire
 *   TX ring ──fetch──► txq ──DMA, TSO, checksum──► TX FIFO ──► mac: preamble, CRC, gap ──►
 *   write-back ◄────── txq ◄───────── sent ───────────────────┘
 *   RX ring ──fetch──► rxq ◄──RSS, checksum── RX FIFO ◄── mac: CRC, filter, PAUSE ◄────────
 *   buffers, return ring ◄──DMA── rxq
 *   interrupt ◄─────── irq: coalescing
 *
 * Whoever owns a NIC gives it time: nic_step(now) does all that happens up to now, each thing at
 * its own moment, and nic_next() says when there is something again. Nothing depends on how often
 * that is asked. A frame leaves through nic_wire.frame at the moment its last bit does, and comes
 * in by nic_receive at the moment its last bit has. Two NICs and a cable: nic/cable.h.
 *
 *   state      | by                   | what it does
 *   off        | nic_init, reset      | loses frames that come (not counted), sends none
 *   enabled    | NIC_CTRL_ENABLE      | everything
 *   in trouble | a ring that faults   | that queue stands still until reset; NIC_STATUS_DEAD
 */
#ifndef WEIR_NIC_H
#define WEIR_NIC_H

#include "base/rng.h"
#include "bus/nic_regs.h"
#include "pkt/trace.h"

struct arena;

/* What a NIC is built with. */
struct nic_conf {
    uint64_t rate_bps; /* of the line: 10 Mbit/s to 100 Gbit/s */
    uint32_t features; /* enum nic_feature */
    uint8_t mac[6];
    uint32_t n_queues;         /* 1 … NIC_QUEUES_MAX */
    uint32_t tx_fifo, rx_fifo; /* bytes; 0: 64 KiB and 128 KiB */
    w_ns dma_latency_ns;       /* from request to data */
    uint64_t dma_bps;          /* of the bus in each direction; 0: no limit */
    uint32_t csum_isa;         /* enum csum_isa: which loop sums */
};

/* The line beyond the connector. frame: bytes, lent for the call; `at` is when the last bit left.
 * The last four are the CRC's place: who could change a bit, or shows them, first puts it there
 * (nic_put_crc). Others need not know it: it would be found to be right. */
struct nic_wire {
    void (*frame)(void *ctx, w_ns at, uint8_t *bytes, uint32_t n);
    void *ctx;
};

/* A buffer as a person sees it. */
struct nic_gauge {
    uint32_t now, limit, high_water;
    uint32_t n_full;  /* times that something had to wait for room */
    uint64_t full_ns; /* … and for how long */
    w_ns full_since;  /* 0: it is not full */
};

/* ---- faults: what a NIC may do wrong by itself; name as statistics print it, occasion ---- */

#define NIC_FAULT_LIST(X)                                                                          \
    X(TORN_TXD, "torn_tx_descriptors") /* each send descriptor fetched: a half is a lap old */     \
    X(TORN_RXD, "torn_rx_descriptors") /* the same of receive descriptors */                       \
    X(TORN_RET, "torn_return_entries") /* each: DONE appears before the first half */              \
    X(LATE_RET, "late_return_entries") /* each: later ones appear before it */                     \
    X(LATE_COUNT, "late_write_backs")  /* each count of sent entries: newer ones overtake it */    \
    X(LATE_IRQ, "late_interrupts")     /* each */                                                  \
    X(LOST_IRQ, "lost_interrupts")     /* each */                                                  \
    X(UNMAPPED, "dma_to_unmapped")     /* each access: at an address where nothing is */           \
    X(RESET, "resets_by_itself")       /* each access: all is as after power-on */                 \
    X(STORM, "pause_storms")           /* each frame received: PAUSE without end */

enum nic_fault_kind {
#define X(name, text) NIC_FAULT_##name,
    NIC_FAULT_LIST(X)
#undef X
        NIC_N_FAULTS
};

/* What goes wrong how often. All 0: a NIC that works. */
struct nic_fault_plan {
    uint32_t ppm[NIC_N_FAULTS]; /* of its occasions */
    w_ns late_ns;               /* what is late is so by at most this, */
    w_ns storm_ns;              /* … and so long lasts a storm */
    uint64_t seed;
};

enum { NIC_HELD = 16 };

/* A write to host memory that is late. */
struct nic_held {
    w_ns due; /* W_NEVER: none */
    bus_addr at;
    uint8_t bytes[16];
    uint8_t n, queue;
    bool is_rx;
};

struct nic_fault {
    struct nic_fault_plan plan;
    struct rng rng;
    uint64_t count[NIC_N_FAULTS]; /* done; not cleared by reset */
    struct nic_held held[NIC_HELD];
    uint32_t n_held;
    bool must_reset;
    w_ns storm_until;
};

/* ---- frames in the NIC's own memory: a ring of bytes, frames contiguous, first in first out
 * ---- */

enum { NIC_SLOTS = 512 };

enum nic_slot_state {
    NIC_SLOT_FILLING, /* room taken, DMA under way */
    NIC_SLOT_READY,
    NIC_SLOT_VOID, /* nothing to send: it only keeps the order of completions */
};

struct nic_slot {
    uint32_t at, len,
        span; /* first byte, bytes, bytes taken from the ring (with what was skipped) */
    uint8_t state, queue;
    bool is_whole; /* on a cable: every bit is as it was sent, and the CRC is not there yet */
    bool is_last;  /* TX: the packet is done with this frame, */
    uint32_t done; /* … and so many descriptors of the queue are */
    w_ns came;     /* RX: when its last bit did */
};

struct nic_fifo {
    uint8_t *mem;
    uint32_t head;     /* where the next frame goes, if it fits before the end */
    uint32_t first, n; /* slots in use: place first % NIC_SLOTS on */
    struct nic_gauge bytes;
    struct nic_slot slot[NIC_SLOTS];
};

/* ---- DMA: two channels, host → NIC and NIC → host; each answers in order ---- */

enum nic_op_kind {
    NIC_OP_TXD,   /* read:  n transmit descriptors from idx on */
    NIC_OP_FRAME, /* read:  a frame of the packet at descriptor idx, into slot */
    NIC_OP_RXD,   /* read:  n receive descriptors from idx on */
    NIC_OP_STORE, /* write: the frame in RX slot `slot` into the receive entries from idx on */
    NIC_OP_SENT,  /* write: the count of sent entries, idx */
};

enum { NIC_OPS = 64 };

struct nic_op {
    w_ns done;
    uint8_t kind, queue;
    uint16_t n;
    uint32_t idx;
    uint32_t slot;
    uint32_t off; /* FRAME with TSO: payload bytes before it, */
    uint32_t len; /* … bytes of the whole packet; n: pieces before it */
    uint32_t ret; /* STORE: first return entry; len: frames, from slot on, merged into one */
};

struct nic_dma {
    struct nic_op op[NIC_OPS];
    uint32_t first, n;
    w_ns busy_until;
    uint64_t bytes;
};

/* ---- queues ---- */

enum { NIC_CACHE = 64 }; /* descriptors a queue keeps fetched */

struct nic_txq {
    bus_addr base, wb;
    uint32_t size, tail, head; /* head: fetched */
    uint32_t asked;            /* fetched or asked for */
    uint32_t next, done;       /* the next packet's first descriptor; sent */
    uint32_t off, piece;       /* TSO in progress: payload bytes given out, pieces */
    uint32_t torn;             /* fetches in a row that met a torn descriptor */
    bool is_wb_due, is_dead;
    struct nic_txd cache[NIC_CACHE];
};

struct nic_rxq {
    bus_addr base, ret_base;
    uint32_t size, tail, head, asked; /* as above */
    uint32_t next, done;              /* used or promised to a frame on its way; used */
    uint32_t hdr_len, buf_len;
    uint32_t ret_size, ret_tail, ret_head; /* ret_head: written */
    uint32_t ret_next;                     /* … or promised */
    uint32_t torn;
    bool is_dead;
    struct nic_rxd cache[NIC_CACHE];
};

/* Frames at the front of the receive FIFO that go to the host as one. */
struct nic_lro {
    uint32_t n, len;         /* frames; bytes of the whole */
    uint32_t next_seq, size; /* of the next segment; payload of the first */
    bool is_closed;          /* no more can join */
};

struct nic_coal {
    uint32_t ns, frames; /* settings */
    uint32_t n;          /* events not told yet */
    w_ns first;          /* … the first one's time */
};

struct nic_irq {
    uint32_t vector;
    bool is_armed;
    w_ns late; /* an interrupt that has been raised, but comes only then; 0: none */
    struct nic_coal rx, tx;
};

struct nic_mac {
    w_ns tx_end;    /* the last bit of what is being sent leaves; W_NEVER: nothing is */
    w_ns line_free; /* end of the gap behind it */
    uint64_t part;  /* of a nanosecond, in 1/rate_bps: so that no rounding adds up */
    w_ns paused_until, paused_since; /* by the peer; paused_since 0: we are not */
    bool must_say;                   /* a PAUSE frame is to be sent before anything else */
    bool is_saying;                  /* what is being sent is a PAUSE frame, not the FIFO's first */
    bool is_holding;                 /* the peer, by our last PAUSE */
    w_ns say_again;                  /* before it runs out; W_NEVER */
    uint32_t says_quanta;            /* of the PAUSE frame being sent */
};

struct nic {
    struct nic_conf conf;
    struct bus_dma *dma;
    struct bus_irq *irqs;
    struct nic_wire wire;
    struct trace *see; /* the host's, to write what happens; NULL: nobody looks */
    w_ns now;
    w_ns next; /* when there is something to do: changes only where something was done (nic_pump) */
    uint32_t ctrl, max_frame;
    uint32_t pause_high, pause_low, pause_quanta;
    uint32_t rss_key[NIC_RSS_WORDS];
    uint8_t rss_table[NIC_RSS_ENTRIES];
    uint32_t lro_ns, lro_max;
    struct nic_lro lro;
    uint32_t tx_turn; /* the queue whose turn it is */
    struct nic_fifo tx, rx;
    uint32_t
        rx_sent; /* frames of the RX FIFO, from the first on, already on their way to the host */
    struct nic_dma rd, wr;
    struct nic_txq txq[NIC_QUEUES_MAX];
    struct nic_rxq rxq[NIC_QUEUES_MAX];
    struct nic_gauge rx_ring[NIC_QUEUES_MAX]; /* of rxq */
    struct nic_irq irq[NIC_QUEUES_MAX];
    struct nic_mac mac;
    struct nic_fault fault;
    uint64_t stat[NIC_N_STATS];
    uint32_t crc[8][256]; /* the CRC's tables, made once */
};

/* A NIC with its FIFOs from the arena (also one that only counts); dma and irqs are the host's and
 * outlive it. */
void nic_init(struct nic *, const struct nic_conf *, struct arena *, struct bus_dma *dma,
              struct bus_irq *irqs);
void nic_connect(struct nic *, struct nic_wire);
/* The registers, for the host's driver; ctx of the answer is the NIC. */
struct bus_pio nic_pio(struct nic *);
/* All that happens up to now; cost in proportion to what happens. Time never goes back. */
void nic_step(struct nic *, w_ns now);
/* When nic_step has something to do next; W_NEVER: only a register or a frame can say. */
static inline w_ns nic_next(const struct nic *n) { return n->next; }
/* A frame with its CRC whose last bit has come at `now`; the bytes are only lent. */
void nic_receive(struct nic *, w_ns now, const uint8_t *bytes, uint32_t n);
/* The same of a frame of which no bit has changed since its MAC sent it: what lies in the CRC's
 * place counts as right and is not looked at. */
void nic_receive_whole(struct nic *, w_ns now, const uint8_t *bytes, uint32_t n);
/* The CRC-32 of [IEEE 802.3 3.2.9] by a NIC's tables (nic.crc), as the four bytes behind a frame,
 * first byte lowest. For whoever is the line's other end. */
uint32_t nic_crc32(const uint32_t t[8][256], const uint8_t *, uint32_t n);
/* Puts the CRC into the last four of a frame's n bytes. */
void nic_put_crc(const struct nic *, uint8_t *frame, uint32_t n);
/* From now on the NIC fails as planned; the counts of what it did go on. */
void nic_set_faults(struct nic *, const struct nic_fault_plan *);
/* The name of a statistic or of a fault, as `ethtool -S` prints it. */
const char *nic_stat_name(enum nic_stat);
const char *nic_fault_name(enum nic_fault_kind);

#endif
