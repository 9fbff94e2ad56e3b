/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to nic/: what its parts offer one another. Data flows txq → fifo → mac and
 * mac → fifo → rxq; dma carries both to the host, irq tells it.
 */
#ifndef WEIR_NIC_PARTS_H
#define WEIR_NIC_PARTS_H

#include "nic/nic.h"

enum {
    MAC_PREAMBLE = 8, /* with the start delimiter [IEEE 802.3 3.1.1] */
    MAC_GAP = 12,     /* [802.3 4.4.2] */
    MAC_CRC = 4,
    MAC_MIN = 60,      /* without CRC; shorter ones are filled up */
    MAC_QUANTUM = 512, /* bit times: PAUSE's unit [802.3 31B.2] */
};

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
/* After the receive FIFO has changed. */
void nic_mac_watch_fifo(struct nic *);
void nic_crc_tables(uint32_t t[8][256]);

/* ---- all of it, at n->now: after something has changed from outside ---- */
void nic_pump(struct nic *);

#endif
