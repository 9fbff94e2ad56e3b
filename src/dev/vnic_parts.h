/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the driver: what its three files offer one another.
 */
#ifndef WEIR_VNIC_PARTS_H
#define WEIR_VNIC_PARTS_H

#include "dev/vnic.h"
#include "pkt/trace.h"

void vnic_write(struct vnic *, uint32_t reg, uint32_t value);
uint32_t vnic_read(struct vnic *, uint32_t reg);
/* Takes note of the time and looks after the NIC; before any other work. */
void vnic_watch(struct vnic *, w_ns now);
/* When the watchdog looks for the first time after the NIC has been put to work. */
void vnic_watch_reset(struct vnic *);
/* What NIC_CTRL is to be. */
uint32_t vnic_control(const struct vnic *);
/* One queue's coalescing, as its conf or its load wants it. */
void vnic_write_coalescing(struct vnic_queue *);

/* ---- adaptive coalescing ---- */
void vnic_dim_reset(struct vnic_queue *);
/* After a poll that brought n frames: may change how long the queue's interrupts wait. */
void vnic_dim_polled(struct vnic_queue *, unsigned n);
w_ns vnic_dim_ns(const struct vnic_queue *);
uint32_t vnic_dim_frames(const struct vnic_queue *);
/* Resets the NIC and puts it to work again. */
void vnic_recover(struct vnic *);

/* A record about p, which `desc` is the last descriptor of, in a ring of conf's; only while
 * v->see. */
WEIR_APART void vnic_seen(struct vnic_queue *, enum weir_trace_kind, const struct pkt *p,
                          uint32_t desc);

/* ---- transmit ---- */
unsigned vnic_tx(struct netdev *, unsigned q, w_ns now, struct pkt **v, unsigned n);
unsigned vnic_reap(struct netdev *, unsigned q, w_ns now, struct pkt **v, unsigned max);
/* The NIC has been reset: what it held counts as dropped and waits to be reaped. */
void vnic_tx_reset(struct vnic_queue *);
void vnic_tx_free(struct vnic_queue *);
/* Whether the NIC is done with something that nobody has reaped. */
bool vnic_tx_is_waiting(const struct vnic_queue *);
/* Descriptors that the NIC says it is done with and that have not been reaped. */
uint32_t vnic_tx_done(const struct vnic_queue *);

/* ---- receive ---- */
unsigned vnic_rx(struct netdev *, unsigned q, w_ns now, struct pkt **v, unsigned max);
/* The NIC has been reset: the buffers it held are ours. */
void vnic_rx_reset(struct vnic_queue *);
void vnic_rx_free(struct vnic_queue *);
void vnic_rx_refill(struct vnic_queue *);
/* Bytes of a merged frame that fit a packet, and the buffers the NIC has. */
uint32_t vnic_rx_lro_max(const struct vnic *);
bool vnic_rx_is_waiting(const struct vnic_queue *);

#endif
