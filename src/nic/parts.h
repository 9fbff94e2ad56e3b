/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to nic/: what its parts offer one another. Data flows txq → fifo → mac and
 * mac → fifo → rxq; dma carries both to the host, irq tells it.
 */
#ifndef WEIR_NIC_PARTS_H
#define WEIR_NIC_PARTS_H

#include "base/addr.h"
#include "nic/nic.h"

enum {
    MAC_PREAMBLE = 8, /* with the start delimiter [IEEE 802.3 3.1.1] */
    MAC_GAP = 12,     /* [802.3 4.4.2] */
    MAC_CRC = 4,
    MAC_MIN = 60,      /* without CRC; shorter ones are filled up */
    MAC_QUANTUM = 512, /* bit times: PAUSE's unit [802.3 31B.2] */
    NIC_TORN_MAX = 16, /* so often a torn descriptor is read again */
};

/* ---- seeing ---- */
/* A record about a frame in one of the FIFOs (NULL: none); only while n->see. */
WEIR_APART struct weir_trace *nic_seen(struct nic *, enum weir_trace_kind, unsigned queue,
                                       const struct nic_slot *);

/* ---- gauges ---- */
void nic_gauge_set(struct nic_gauge *, w_ns now, uint32_t value);
/* Whether something now waits for room. */
void nic_gauge_full(struct nic_gauge *, w_ns now, bool is_full);

/* ---- fifo ---- */
void nic_fifo_clear(struct nic_fifo *, w_ns now);
/* Room for a frame of n contiguous bytes at the end; NULL: none, and the gauge counts the time. */
struct nic_slot *nic_fifo_take(struct nic_fifo *, w_ns now, uint32_t n);
void nic_fifo_drop_first(struct nic_fifo *, w_ns now);
static inline struct nic_slot *nic_fifo_slot(struct nic_fifo *f, uint32_t i)
{
    return &f->slot[i % NIC_SLOTS];
}

/* ---- faults ---- */
/* Whether the plan has k happen now; counted. */
bool nic_fault(struct nic *, enum nic_fault_kind k);
/* How late what is late is. */
w_ns nic_fault_delay(struct nic *);
/* A descriptor just fetched gets a half of another one, marked as of the lap before. */
void nic_fault_tear_txd(struct nic *, struct nic_txd *, const struct nic_txd *old);
void nic_fault_tear_rxd(struct nic *, struct nic_rxd *, const struct nic_rxd *old);
/* Takes h->n bytes to be written later, when h->due has been drawn, with the event of the queue.
 * False: too many are held, nothing is taken. */
bool nic_fault_hold(struct nic *, const struct nic_held *h, const void *bytes);
void nic_fault_pump(struct nic *);
w_ns nic_fault_next(const struct nic *);
void nic_fault_reset(struct nic *);
/* As bus_dma_at: each access of the NIC to host memory. */
uint8_t *nic_dma_at(struct nic *, bus_addr at, size_t n);

/* ---- dma ---- */
static inline bool nic_dma_has_room(const struct nic_dma *d) { return d->n < NIC_OPS; }
/* Starts `op`, which moves n bytes; its end is computed. Asserts that there is room. */
void nic_dma_start(struct nic *, struct nic_dma *, struct nic_op op, uint32_t n);
/* The first operation if it has ended by now, taken off; false: none. */
bool nic_dma_take(struct nic_dma *, w_ns now, struct nic_op *out);
static inline w_ns nic_dma_next(const struct nic_dma *d)
{
    return d->n != 0 ? d->op[d->first % NIC_OPS].done : W_NEVER;
}

/* ---- transmit ---- */
void nic_tx_pump(struct nic *);
void nic_tx_fetched(struct nic *, const struct nic_op *);
void nic_tx_frame_read(struct nic *, const struct nic_op *);
/* The MAC is done with a frame of this queue's packet that ends with descriptor `done`. */
void nic_tx_sent(struct nic *, unsigned queue, uint32_t done);
void nic_tx_written_back(struct nic *, const struct nic_op *);

/* ---- receive ---- */
void nic_rx_pump(struct nic *);
void nic_rx_fetched(struct nic *, const struct nic_op *);
void nic_rx_stored(struct nic *, const struct nic_op *);
void nic_rx_ring_watch(struct nic *, unsigned queue);

/* ---- offload: on whole frames, without CRC ---- */
/* Where a frame's transport lies. */
struct nic_place {
    struct addr src, dst;
    uint32_t l3, l4, l4_len; /* offsets from the frame's first byte; bytes */
    uint8_t proto;
};
/* False: the NIC does not understand the frame. */
bool nic_find(const uint8_t *frame, uint32_t n, struct nic_place *);
/* How many frames, from the first in the receive FIFO that is not on its way to the host on, go to
 * it as one; 0: more may come in time. */
uint32_t nic_lro_run(struct nic *);
/* When the first has waited long enough. */
w_ns nic_lro_next(const struct nic *);
/* Bytes of headers that a merged frame has only once. */
uint32_t nic_lro_headers(const uint8_t *frame, uint32_t n);
/* Turns the headers of a super-segment, of which op is a piece, into that piece's; false: they are
 * no TCP headers as d says. */
bool nic_tso_piece(uint8_t *frame, uint32_t n, const struct nic_txd *d, bool is_last,
                   const struct nic_op *op);
/* Completes the checksum that d asks for; false: d points outside of the frame. */
bool nic_csum_complete(const struct nic *, uint8_t *frame, uint32_t n, const struct nic_txd *d);
/* What a received frame's transport checksum is: NIC_RET_CSUM_GOOD, …BAD, or 0 for cannot tell. */
uint16_t nic_csum_check(const struct nic *, const uint8_t *frame, uint32_t n);
/* The Toeplitz hash of a frame's addresses and ports; false: not IP. */
bool nic_rss_hash(const struct nic *, const uint8_t *frame, uint32_t n, uint32_t *hash);

/* ---- interrupts ---- */
void nic_irq_event(struct nic *, unsigned queue, bool is_rx);
void nic_irq_pump(struct nic *);
w_ns nic_irq_next(const struct nic *);

/* ---- mac ---- */
void nic_mac_reset(struct nic *);
void nic_mac_pump(struct nic *);
w_ns nic_mac_next(const struct nic *);
/* PAUSE is no longer obeyed: what holds us does not. */
void nic_mac_unpause(struct nic *);
/* After the receive FIFO has changed. */
void nic_mac_watch_fifo(struct nic *);
void nic_crc_tables(uint32_t t[8][256]);

/* ---- all of it, at n->now: after something has changed from outside ---- */
void nic_pump(struct nic *);

#endif
