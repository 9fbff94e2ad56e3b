/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the virtio network driver share.
 */
#ifndef WEIR_VIRTIO_PARTS_H
#define WEIR_VIRTIO_PARTS_H

#include "dev/virtio_net.h"

/* Feature bits [virtio 1.2, 5.1.3]. */
enum virtio_net_bit {
    VIRTIO_NET_B_CSUM = 0,
    VIRTIO_NET_B_GUEST_CSUM = 1,
    VIRTIO_NET_B_MTU = 3,
    VIRTIO_NET_B_MAC = 5,
    VIRTIO_NET_B_GUEST_TSO4 = 7,
    VIRTIO_NET_B_GUEST_TSO6 = 8,
    VIRTIO_NET_B_GUEST_ECN = 9,
    VIRTIO_NET_B_HOST_TSO4 = 11,
    VIRTIO_NET_B_HOST_TSO6 = 12,
    VIRTIO_NET_B_HOST_ECN = 13,
    VIRTIO_NET_B_MRG_RXBUF = 15,
};
#define VIRTIO_NET_F(name) ((uint64_t)1 << VIRTIO_NET_B_##name)

enum { VIRTIO_NET_HLEN = 12, VIRTIO_NET_RXQ = 0, VIRTIO_NET_TXQ = 1 };

static inline bool virtio_net_has(const struct virtio_net *v, uint64_t features)
{
    return (v->features & features) == features;
}

/* A used entry cannot be true: counted, and the device will be reset. */
void virtio_net_distrust(struct virtio_net *);
/* Takes note of interrupts, and of what the device or the clock says that is not about frames. Then
 * resets it if it must. False: there is no device to work with. */
WEIR_MUST_CHECK bool virtio_net_attend(struct virtio_net *, w_ns now);

/* Without interrupts: when to look again. After work at once, then ever later. */
void virtio_net_paced(struct virtio_net *, bool has_worked);

unsigned virtio_net_rx(struct netdev *, unsigned q, w_ns now, struct pkt **v, unsigned max);
void virtio_net_refill(struct virtio_net *);
/* The device is reset: its buffers are ours again. */
void virtio_net_rx_free(struct virtio_net *);

unsigned virtio_net_tx(struct netdev *, unsigned q, w_ns now, struct pkt **v, unsigned n);
unsigned virtio_net_reap(struct netdev *, unsigned q, w_ns now, struct pkt **v, unsigned max);
/* The device is reset: what it had not sent goes back. */
void virtio_net_tx_reset(struct virtio_net *);

#endif
