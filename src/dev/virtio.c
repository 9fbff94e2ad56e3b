/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a virtio device up to the point where its queues run [virtio 1.2, 3.1.1, 4.1.4.3].
 *
 *   status written                    | after
 *   0                                 | nothing: this is a reset, done when 0 is read back
 *   ACKNOWLEDGE, then DRIVER          | the reset
 *   FEATURES_OK                       | features written; must be read back, or there is no deal
 *   DRIVER_OK                         | queues set up
 *   FAILED                            | whenever something does not work out
 *
 * What is decided here: how long a reset may take, in reads, for there is no clock: a read crosses
 * the bus, so RESET_READS of them are between a tenth of a second and one. A device that answers
 * all ones is gone, pulled out or never there.
 *
 * Called by virtio_net.c; owns nothing, calls the struct virtio_host.
 */
#include "dev/virtio.h"

#include <errno.h>

#include "dev/virtq.h"

/* [virtio 1.2, 4.1.4.3] */
enum common_reg {
    DEVICE_FEATURE_SELECT = 0,
    DEVICE_FEATURE = 4,
    DRIVER_FEATURE_SELECT = 8,
    DRIVER_FEATURE = 12,
    MSIX_CONFIG = 16,
    DEVICE_STATUS = 20,
    CONFIG_GENERATION = 21,
    QUEUE_SELECT = 22,
    QUEUE_SIZE = 24,
    QUEUE_MSIX = 26,
    QUEUE_ENABLE = 28,
    QUEUE_NOTIFY_OFF = 30,
    QUEUE_DESC = 32,
    QUEUE_DRIVER = 40,
    QUEUE_DEVICE = 48,
};

enum { RESET_READS = 100000, CONFIG_TRIES = 16, NO_VECTOR = 0xffff, NOTIFY_BYTES = 2 };

static uint32_t common_get(const struct virtio_host *h, uint32_t reg, unsigned width)
{
    return h->read(h->ctx, VIRTIO_COMMON, reg, width);
}

static void common_set(const struct virtio_host *h, uint32_t reg, unsigned width, uint32_t value)
{
    h->write(h->ctx, VIRTIO_COMMON, reg, width, value);
}

/* ---- status and features ---- */

uint8_t virtio_status(const struct virtio_host *h)
{
    return (uint8_t)common_get(h, DEVICE_STATUS, 1);
}

static void add_status(const struct virtio_host *h, uint8_t bit)
{
    common_set(h, DEVICE_STATUS, 1, virtio_status(h) | bit);
}

int virtio_reset(const struct virtio_host *h)
{
    uint8_t status = VIRTIO_GONE;
    common_set(h, DEVICE_STATUS, 1, 0);
    for (unsigned i = 0; i < RESET_READS && status != 0; i++)
        status = virtio_status(h);
    if (status != 0)
        return status == VIRTIO_GONE ? -ENODEV : -EIO;
    add_status(h, VIRTIO_ACKNOWLEDGE);
    add_status(h, VIRTIO_DRIVER);
    /* Interrupts by line, told apart by the ISR register; not by message. */
    common_set(h, MSIX_CONFIG, 2, NO_VECTOR);
    return 0;
}

uint64_t virtio_offered(const struct virtio_host *h)
{
    uint64_t features = 0;
    for (uint32_t half = 0; half < 2; half++) {
        common_set(h, DEVICE_FEATURE_SELECT, 4, half);
        features |= (uint64_t)common_get(h, DEVICE_FEATURE, 4) << 32 * half;
    }
    return features;
}

int virtio_accept(const struct virtio_host *h, uint64_t features)
{
    for (uint32_t half = 0; half < 2; half++) {
        common_set(h, DRIVER_FEATURE_SELECT, 4, half);
        common_set(h, DRIVER_FEATURE, 4, (uint32_t)(features >> 32 * half));
    }
    add_status(h, VIRTIO_FEATURES_OK);
    if ((virtio_status(h) & VIRTIO_FEATURES_OK) != 0)
        return 0;
    virtio_give_up(h);
    return -ENOTSUP;
}

void virtio_go(const struct virtio_host *h) { add_status(h, VIRTIO_DRIVER_OK); }

void virtio_give_up(const struct virtio_host *h) { add_status(h, VIRTIO_FAILED); }

uint8_t virtio_isr(const struct virtio_host *h)
{
    return (uint8_t)h->read(h->ctx, VIRTIO_ISR, 0, 1);
}

int virtio_config(const struct virtio_host *h, uint32_t at, uint8_t *out, unsigned n)
{
    for (unsigned try = 0; try < CONFIG_TRIES; try++) {
        uint32_t before = common_get(h, CONFIG_GENERATION, 1);
        for (unsigned i = 0; i < n; i++)
            out[i] = (uint8_t)h->read(h->ctx, VIRTIO_DEVICE, at + i, 1);
        if (common_get(h, CONFIG_GENERATION, 1) == before)
            return 0;
    }
    return -EIO;
}

int virtio_config16(const struct virtio_host *h, uint32_t at, uint16_t *out)
{
    for (unsigned try = 0; try < CONFIG_TRIES; try++) {
        uint32_t before = common_get(h, CONFIG_GENERATION, 1);
        *out = (uint16_t)h->read(h->ctx, VIRTIO_DEVICE, at, 2);
        if (common_get(h, CONFIG_GENERATION, 1) == before)
            return 0;
    }
    return -EIO;
}

/* ---- queues ---- */

uint16_t virtio_queue_size(const struct virtio_host *h, uint16_t i)
{
    common_set(h, QUEUE_SELECT, 2, i);
    uint32_t size = common_get(h, QUEUE_SIZE, 2);
    bool is_usable = size >= VIRTQ_MIN && (size & (size - 1)) == 0;
    return is_usable ? (uint16_t)w_u32_min(size, VIRTQ_MAX) : 0;
}

/* False: a part of the ring is not mapped, or not in one piece. */
static bool tell_part(const struct virtio_host *h, uint32_t reg, const void *part, size_t n)
{
    size_t run = 0;
    bus_addr a = bus_pages_addr(h->pages, part, n, &run);
    common_set(h, reg, 4, (uint32_t)a);
    common_set(h, reg + 4, 4, (uint32_t)(a >> 32));
    return a != 0 && run == n;
}

int virtio_queue_start(const struct virtio_host *h, uint16_t i, const struct virtq *q,
                       uint32_t *bell)
{
    const struct virtq_ring *r = q->ring;
    common_set(h, QUEUE_SELECT, 2, i);
    common_set(h, QUEUE_SIZE, 2, q->size);
    common_set(h, QUEUE_MSIX, 2, NO_VECTOR);
    bool is_there = tell_part(h, QUEUE_DESC, r->desc, q->size * sizeof r->desc[0]);
    is_there &= tell_part(h, QUEUE_DRIVER, &r->avail_flags, 4 + 2 * (size_t)q->size);
    is_there &= tell_part(h, QUEUE_DEVICE, &r->used_flags, 4 + 8 * (size_t)q->size);
    uint64_t at = (uint64_t)common_get(h, QUEUE_NOTIFY_OFF, 2) * h->notify_multiplier;
    if (!is_there || at + NOTIFY_BYTES > h->notify_len)
        return -EIO;
    *bell = (uint32_t)at;
    common_set(h, QUEUE_ENABLE, 2, 1);
    return common_get(h, QUEUE_ENABLE, 2) == 1 ? 0 : -EIO;
}

void virtio_ring_bell(const struct virtio_host *h, uint16_t i, uint32_t bell)
{
    h->write(h->ctx, VIRTIO_NOTIFY, bell, NOTIFY_BYTES, i);
}
