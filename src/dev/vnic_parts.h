/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the driver: what its three files offer one another.
 */
#ifndef WEIR_VNIC_PARTS_H
#define WEIR_VNIC_PARTS_H

#include "dev/vnic.h"

void vnic_write(struct vnic *, uint32_t reg, uint32_t value);
uint32_t vnic_read(struct vnic *, uint32_t reg);
/* Takes note of the time and looks after the NIC; before any other work. */
void vnic_watch(struct vnic *, w_ns now);
/* Resets the NIC and puts it to work again. */
void vnic_recover(struct vnic *);

/* ---- transmit ---- */
unsigned vnic_tx(struct netdev *, unsigned q, w_ns now, struct pkt **v, unsigned n);
unsigned vnic_reap(struct netdev *, unsigned q, w_ns now, struct pkt **v, unsigned max);
/* The NIC has been reset: what it held counts as dropped and waits to be reaped. */
void vnic_tx_reset(struct vnic_queue *);
void vnic_tx_free(struct vnic_queue *);
/* Whether the NIC is done with something that nobody has reaped. */
bool vnic_tx_is_waiting(const struct vnic_queue *);

/* ---- receive ---- */
unsigned vnic_rx(struct netdev *, unsigned q, w_ns now, struct pkt **v, unsigned max);
/* The NIC has been reset: the buffers it held are ours. */
void vnic_rx_reset(struct vnic_queue *);
void vnic_rx_free(struct vnic_queue *);
void vnic_rx_refill(struct vnic_queue *);
bool vnic_rx_is_waiting(const struct vnic_queue *);

#endif
