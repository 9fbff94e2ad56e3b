/* SPDX-License-Identifier: Apache-2.0
 *
 * The header a virtio-net device and the kernel's TAP put before a frame: what is still to be done
 * to it, or need not be checked any more [virtio 1.2, 5.1.6].
 */
#ifndef WEIR_VNET_H
#define WEIR_VNET_H

#include "pkt/pkt.h"

enum { VNET_HLEN = 10 }; /* the part that all versions share */

/* Writes what p wants done, little-endian: checksum (CSUM_TODO) and cutting (gso_size). */
void vnet_put(const struct pkt *, uint8_t h[VNET_HLEN]);
/* Reads what was said about the received frame p, whose linear part is filled. Checksums are only
 * vouched for with NETDEV_RX_CSUM in `flags`, super-segments only come with NETDEV_LRO and _LRO6.
 * False: that cannot be true of this frame. */
WEIR_MUST_CHECK bool vnet_get(struct pkt *, const uint8_t h[VNET_HLEN], uint32_t flags);

#endif
