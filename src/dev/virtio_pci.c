/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a virtio device has put its registers: the capability list of its PCI configuration space
 * [virtio 1.2, 4.1.2, 4.1.4].
 *
 * What is decided here: of several structures of one type the first counts that lies in memory (the
 * order is the device's preference; I/O ports are not reached from user space), reserved types and
 * BARs are passed over, longer ones than needed are taken. Every byte is the device's and may be
 * anything: a list that runs in circles ends after as many capabilities as fit into the space.
 *
 * Pure. Called by backend/virtio.c.
 */
#include <errno.h>

#include "dev/virtio.h"

/* [PCI 3.0, 6.1, 6.2.3, 6.7] */
enum pci_field {
    PCI_VENDOR = 0x00,
    PCI_DEVICE = 0x02,
    PCI_STATUS = 0x06,
    PCI_BAR_0 = 0x10,
    PCI_CAP_LIST = 0x34,
};
enum { PCI_STATUS_CAP_LIST = 0x10, PCI_CAP_VENDOR = 0x09, PCI_BAR_IS_IO = 1, PCI_HEADER = 0x40 };
enum { VENDOR_VIRTIO = 0x1af4, DEVICE_NET = 0x1041, DEVICE_NET_TRANSITIONAL = 0x1000 };

/* struct virtio_pci_cap, and behind it the doorbells' multiplier. */
enum cap_field {
    CAP_NEXT = 1,
    CAP_LEN = 2,
    CAP_TYPE = 3,
    CAP_BAR = 4,
    CAP_OFFSET = 8,
    CAP_LENGTH = 12,
    CAP_HLEN = 16,
    CAP_MULTIPLIER = 16,
    CAP_NOTIFY_HLEN = 20,
};

/* What of each structure we touch. */
static const uint32_t least_len[VIRTIO_SPACES] = {
    [VIRTIO_COMMON] = 56, [VIRTIO_NOTIFY] = 2, [VIRTIO_ISR] = 1, [VIRTIO_DEVICE] = 6};

static uint32_t config16(const uint8_t *c, uint32_t at)
{
    return (uint32_t)(c[at] | c[at + 1] << 8);
}

static uint32_t config32(const uint8_t *c, uint32_t at)
{
    return config16(c, at) | config16(c, at + 2) << 16;
}

static bool is_net(const uint8_t *c)
{
    uint32_t device = config16(c, PCI_DEVICE);
    return config16(c, PCI_VENDOR) == VENDOR_VIRTIO &&
           (device == DEVICE_NET || device == DEVICE_NET_TRANSITIONAL);
}

static void take_cap(const uint8_t *c, uint32_t at, struct virtio_layout *out)
{
    const uint8_t *cap = c + at;
    if (at + CAP_HLEN > VIRTIO_PCI_CONFIG)
        return;
    unsigned space = (unsigned)cap[CAP_TYPE] - 1, bar = cap[CAP_BAR];
    uint32_t need = space == VIRTIO_NOTIFY ? CAP_NOTIFY_HLEN : CAP_HLEN;
    if (space >= VIRTIO_SPACES || bar >= VIRTIO_PCI_BARS || cap[CAP_LEN] < need ||
        at + need > VIRTIO_PCI_CONFIG || out->space[space].len != 0)
        return;
    if ((config32(c, PCI_BAR_0 + 4 * bar) & PCI_BAR_IS_IO) != 0)
        return;
    out->space[space] = (struct virtio_place){
        .bar = (uint8_t)bar,
        .at = config32(cap, CAP_OFFSET),
        .len = config32(cap, CAP_LENGTH),
    };
    if (space == VIRTIO_NOTIFY)
        out->notify_multiplier = config32(cap, CAP_MULTIPLIER);
}

int virtio_pci_layout(const uint8_t *c, struct virtio_layout *out)
{
    *out = (struct virtio_layout){0};
    if (!is_net(c))
        return -ENODEV;
    if ((config16(c, PCI_STATUS) & PCI_STATUS_CAP_LIST) == 0)
        return -ENOTSUP;
    uint32_t at = c[PCI_CAP_LIST] & 0xfcu;
    for (unsigned i = 0; i < (VIRTIO_PCI_CONFIG - PCI_HEADER) / 4 && at >= PCI_HEADER; i++) {
        if (c[at] == PCI_CAP_VENDOR)
            take_cap(c, at, out);
        at = c[at + CAP_NEXT] & 0xfcu;
    }
    for (unsigned s = 0; s < VIRTIO_SPACES; s++) {
        if (out->space[s].len < least_len[s])
            return -ENOTSUP;
    }
    return 0;
}
