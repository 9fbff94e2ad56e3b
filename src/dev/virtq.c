/* SPDX-License-Identifier: Apache-2.0
 *
 * The rings of a split virtqueue [virtio 1.2, 2.7.13, 2.7.14].
 *
 * What is decided here: what of the device's words can be true. It cannot be done with more chains
 * than it was given, nor with one it was not given; then virtq_take says -EPROTO, and the driver
 * resets the device. Lengths are for whoever knows the buffers.
 *
 * Called by virtio_net*.c; owns nothing, the ring's memory is the driver's.
 *
 * Keeps: the chains' lengths and n_free add up to size; following `next` from `free` leads through
 * n_free descriptors. The rings' indices count modulo 2^16, of which size is a divisor.
 */
#include "dev/virtq.h"

#include <errno.h>

#include "bus/order.h"

void virtq_init(struct virtq *q, struct virtq_ring *ring, uint16_t size)
{
    WEIR_ASSERT(size >= VIRTQ_MIN);
    WEIR_ASSERT(size <= VIRTQ_MAX);
    WEIR_ASSERT((size & (size - 1)) == 0);
    memset(ring, 0, sizeof *ring);
    *q = (struct virtq){.ring = ring, .size = size, .n_free = size};
    for (uint16_t i = 0; i < size; i++)
        q->next[i] = (uint16_t)(i + 1);
}

static uint16_t ring_place(const struct virtq *q, uint16_t i)
{
    return (uint16_t)(i & (q->size - 1));
}

uint16_t virtq_offer(struct virtq *q, const struct virtq_piece *v, unsigned n, bool is_written)
{
    WEIR_ASSERT(n >= 1);
    WEIR_ASSERT(n <= q->n_free);
    uint16_t head = q->free, at = head, flags = is_written ? VIRTQ_DESC_WRITE : 0;
    for (unsigned i = 0; i < n; i++) {
        bool is_last = i == n - 1;
        q->ring->desc[at] = (struct virtq_desc){
            .addr = bus_le64(v[i].addr),
            .len = bus_le32(v[i].len),
            .flags = bus_le16((uint16_t)(flags | (is_last ? 0 : VIRTQ_DESC_NEXT))),
            .next = bus_le16(is_last ? 0 : q->next[at]),
        };
        at = q->next[at];
    }
    q->free = at;
    q->n_free = (uint16_t)(q->n_free - n);
    q->chain[head] = (uint16_t)n;
    q->ring->avail[ring_place(q, q->avail++)] = bus_le16(head);
    return head;
}

bool virtq_publish(struct virtq *q)
{
    /* The entries before the index that shows them, and that before the question whether the device
     * looks by itself: otherwise each could wait for the other. */
    bus_order_writes();
    bus_store16(&q->ring->avail_idx, bus_le16(q->avail));
    bus_order_all();
    return (bus_le16(bus_load16(&q->ring->used_flags)) & VIRTQ_USED_NO_NOTIFY) == 0;
}

uint16_t virtq_waiting(const struct virtq *q)
{
    return (uint16_t)(bus_le16(bus_load16(&q->ring->used_idx)) - q->taken);
}

static void free_chain(struct virtq *q, uint16_t head)
{
    uint16_t last = head;
    for (uint16_t i = 1; i < q->chain[head]; i++)
        last = q->next[last];
    q->next[last] = q->free;
    q->free = head;
    q->n_free = (uint16_t)(q->n_free + q->chain[head]);
    q->chain[head] = 0;
}

int virtq_take(struct virtq *q, uint32_t *len)
{
    uint16_t n = virtq_waiting(q);
    if (n == 0)
        return -EAGAIN;
    if (n > virtq_held(q))
        return -EPROTO;
    bus_order_reads(); /* the index before the entries it shows */
    const struct virtq_used_elem *e = &q->ring->used[ring_place(q, q->taken)];
    uint32_t id = bus_le32(bus_load32(&e->id));
    if (id >= q->size || q->chain[id] == 0)
        return -EPROTO;
    *len = bus_le32(bus_load32(&e->len));
    q->taken++;
    free_chain(q, (uint16_t)id);
    return (int)id;
}

void virtq_ask_irq(struct virtq *q, bool is_wanted)
{
    bus_store16(&q->ring->avail_flags, bus_le16(is_wanted ? 0 : VIRTQ_AVAIL_NO_INTERRUPT));
    bus_order_all();
}
