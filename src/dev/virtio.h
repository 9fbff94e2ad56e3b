/* SPDX-License-Identifier: Apache-2.0
 *
 * A virtio device as its driver reaches it: registers, status, features, queues, and where a PCI
 * device has put them [virtio 1.2, 2.1, 2.2, 3.1, 4.1].
 *
 * Who brings host and device together (backend/virtio.c, or a test with a device of its own) gives
 * a struct virtio_host; everything else here works through it. Only the modern interface is spoken:
 * a device without VIRTIO_F_VERSION_1 is refused.
 */
#ifndef WEIR_VIRTIO_H
#define WEIR_VIRTIO_H

#include "bus/pages.h"

struct virtq;

/* ---- where the registers are: PCI capabilities ---- */

/* The structures of a device, in the order of their capabilities' cfg_type − 1. */
enum virtio_space { VIRTIO_COMMON, VIRTIO_NOTIFY, VIRTIO_ISR, VIRTIO_DEVICE, VIRTIO_SPACES };

enum { VIRTIO_PCI_CONFIG = 256, VIRTIO_PCI_BARS = 6 };

struct virtio_place {
    uint8_t bar;
    uint32_t at, len; /* within the BAR; len 0: the device has no such structure */
};

struct virtio_layout {
    struct virtio_place space[VIRTIO_SPACES];
    uint32_t notify_multiplier; /* bytes between two queues' doorbells; 0: they share one */
};

/* Reads the capabilities of a configuration space of VIRTIO_PCI_CONFIG bytes. Of each structure the
 * first that lies in a memory BAR counts. 0; -ENODEV: that is no network device of virtio's;
 * -ENOTSUP: it has only the legacy interface, or lacks a structure, or one is too small. */
WEIR_MUST_CHECK int virtio_pci_layout(const uint8_t *config, struct virtio_layout *out);

/* ---- how it is reached ---- */

struct virtio_host {
    /* A register of 1, 2 or 4 bytes in one access [virtio 1.2, 4.1.3.1]. What lies outside the
     * structure reads as ones and is not written. */
    uint32_t (*read)(void *ctx, enum virtio_space, uint32_t at, unsigned width);
    void (*write)(void *ctx, enum virtio_space, uint32_t at, unsigned width, uint32_t value);
    /* Makes [virt, virt + n) reachable for the device, until the host closes it: `pages` then knows
     * it. 0 or -E…. */
    int (*map)(void *ctx, void *virt, size_t n);
    /* Whether an interrupt has come since it was last asked. NULL: there are none, poll. */
    bool (*irq_came)(void *ctx);
    /* Lets the next one come, after the device was told that this one was heard. */
    void (*irq_allow)(void *ctx);
    void *ctx;
    const struct bus_pages *pages;
    uint32_t notify_multiplier;
    uint32_t notify_len; /* of the doorbells' structure, bytes */
};

/* ---- status and features ---- */

enum virtio_status {
    VIRTIO_ACKNOWLEDGE = 1,
    VIRTIO_DRIVER = 2,
    VIRTIO_DRIVER_OK = 4,
    VIRTIO_FEATURES_OK = 8,
    VIRTIO_NEEDS_RESET = 64,
    VIRTIO_FAILED = 128,
    VIRTIO_GONE = 0xff, /* what a read answers when there is no device any more */
};

enum { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

#define VIRTIO_F_VERSION_1       ((uint64_t)1 << 32)
#define VIRTIO_F_ACCESS_PLATFORM ((uint64_t)1 << 33) /* its addresses are those of the bus */

uint8_t virtio_status(const struct virtio_host *);
/* Resets the device and tells it that we know it: ACKNOWLEDGE, DRIVER. 0; -EIO: it does not finish;
 * -ENODEV: it is gone. */
WEIR_MUST_CHECK int virtio_reset(const struct virtio_host *);
/* The features the device offers. */
uint64_t virtio_offered(const struct virtio_host *);
/* Accepts these of them. 0; -ENOTSUP, and FAILED is set: the device does not agree. */
WEIR_MUST_CHECK int virtio_accept(const struct virtio_host *, uint64_t features);
/* The device is live from here on. */
void virtio_go(const struct virtio_host *);
/* Sets FAILED: we have given up on it. */
void virtio_give_up(const struct virtio_host *);
/* Reads and so takes back what the device interrupts for: VIRTIO_ISR_…. */
uint8_t virtio_isr(const struct virtio_host *);
/* n fields of one byte of the device's own configuration, as they were at one moment. 0; -EIO: they
 * change faster than we read. */
WEIR_MUST_CHECK int virtio_config(const struct virtio_host *, uint32_t at, uint8_t *out,
                                  unsigned n);
/* A field of 16 bits of them. */
WEIR_MUST_CHECK int virtio_config16(const struct virtio_host *, uint32_t at, uint16_t *out);

/* ---- queues ---- */

/* Entries of queue i: the device's or VIRTQ_MAX, whichever is less. 0: no such queue, or one that
 * cannot be used. */
uint16_t virtio_queue_size(const struct virtio_host *, uint16_t i);
/* Tells the device where queue i is, whose ring is mapped and virtq_init was called, and enables
 * it. 0 and its doorbell in *bell; -EIO: the device does not take it. */
WEIR_MUST_CHECK int virtio_queue_start(const struct virtio_host *, uint16_t i, const struct virtq *,
                                       uint32_t *bell);
/* Tells the device that there is something in queue i. */
void virtio_ring_bell(const struct virtio_host *, uint16_t i, uint32_t bell);

#endif
