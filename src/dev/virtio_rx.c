/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtio driver's receive side: blocks for the device, frames out of the used ring.
 *
 * A buffer is one block. A frame's first bytes, where the headers are, are copied from it into the
 * packet's linear part, the rest stays and becomes the packet's fragment; a frame that fits the
 * linear part gives its block back at once, a short one moves from a big block to a small one. A
 * packet is only taken when there is a frame for it. A frame may go on in further buffers if the
 * device was allowed to (MRG_RXBUF); then all of them are in the used ring together [virtio 1.2,
 * 5.1.6.4.1].
 *
 *   first buffer:   | virtio-net header 12 | frame …      further ones: | frame goes on …
 *
 * A used entry is believed only if it can be true: a length that fits the buffer and holds the
 * header, as many buffers as there are. Otherwise the device is reset.
 *
 * Keeps: buf[head] is not NULL exactly while the device has the chain that begins at head.
 */
#include <errno.h>

#include "dev/virtio_parts.h"
#include "dev/vnet.h"
#include "wire/eth.h"

enum {
    FRAME_MAX = 65535 + 64, /* as pkt_from_bytes */
    BUFFERS_AT = 10,        /* num_buffers, in the header */
    BLOCK_PIECES = BLK_BIG / BUS_PAGE + 1,
};

/* ---- buffers ---- */

/* When one kind of block has run out, memory gives the other. */
static uint32_t block_room(const struct virtio_net *v, const struct blk *b)
{
    return w_u32_min(b->cap, v->buf_bytes);
}

/* Where the block lies for the device; 0: not within its reach. */
static unsigned block_pieces(const struct virtio_net *v, const struct blk *b,
                             struct virtq_piece piece[BLOCK_PIECES])
{
    unsigned n = 0;
    uint32_t room = block_room(v, b);
    for (size_t at = 0, run = 0; at < room && n < BLOCK_PIECES; at += run) {
        bus_addr a = bus_pages_addr(v->host.pages, b->mem + at, room - at, &run);
        if (a == 0)
            return 0;
        piece[n++] = (struct virtq_piece){a, (uint32_t)run};
    }
    return n;
}

static struct blk *new_buffer(struct virtio_net *v)
{
    struct blk *b = blk_new(v->dev.mem, v->buf_bytes);
    if (b == NULL || b->cap >= v->buf_bytes || virtio_net_has(v, VIRTIO_NET_F(MRG_RXBUF)))
        return b;
    blk_unref(b); /* the big ones are out, and one small one cannot hold a frame */
    return NULL;
}

void virtio_net_refill(struct virtio_net *v)
{
    struct virtq_piece piece[BLOCK_PIECES];
    bool is_new = false;
    while (v->rx.n_free >= BLOCK_PIECES || (v->buf_bytes == BLK_SMALL && v->rx.n_free != 0)) {
        struct blk *b = new_buffer(v);
        unsigned n = b != NULL ? block_pieces(v, b, piece) : 0;
        if (n == 0) {
            v->count[VIRTIO_NET_REFILL_FAILED]++;
            if (b != NULL)
                blk_unref(b);
            break;
        }
        v->buf[virtq_offer(&v->rx, piece, n, true)] = b;
        is_new = true;
    }
    if (is_new && virtq_publish(&v->rx)) {
        v->count[VIRTIO_NET_BELLS]++;
        virtio_ring_bell(&v->host, VIRTIO_NET_RXQ, v->rx_bell);
    }
}

void virtio_net_rx_free(struct virtio_net *v)
{
    for (unsigned i = 0; i < VIRTQ_MAX; i++) {
        if (v->buf[i] != NULL)
            blk_unref(v->buf[i]);
        v->buf[i] = NULL;
    }
}

/* ---- frames ---- */

/* The next used buffer; NULL: there is none, or it cannot be true. */
static struct blk *take_buffer(struct virtio_net *v)
{
    uint32_t len;
    int head = virtq_take(&v->rx, &len);
    if (head == -EAGAIN)
        return NULL;
    struct blk *b = head >= 0 ? v->buf[head] : NULL;
    if (head >= 0)
        v->buf[head] = NULL;
    if (b != NULL && len <= block_room(v, b)) {
        b->used = len;
        return b;
    }
    virtio_net_distrust(v);
    if (b != NULL)
        blk_unref(b);
    return NULL;
}

/* A short frame in a long buffer would pin all of it: its rest moves to a small block, where there
 * is one. */
static struct blk *shrink(struct virtio_net *v, struct blk *b)
{
    struct blk *small = NULL;
    if (b->cap == BLK_BIG && b->used > VIRTIO_NET_HLEN + PKT_RX_LINEAR && b->used <= BLK_SMALL)
        small = blk_new(v->dev.mem, BLK_SMALL);
    if (small == NULL)
        return b;
    memcpy(small->mem, b->mem, b->used);
    small->used = b->used;
    blk_unref(b);
    return small;
}

/* n bytes of the block from `at` on are the frame's next ones. The block's reference is given away.
 * False: the frame has more of them than a packet takes. */
static bool add_bytes(struct pkt *p, struct blk *b, uint32_t at, uint32_t n)
{
    uint32_t lin = p->len == 0 ? w_u32_min(n, PKT_RX_LINEAR) : 0;
    bool is_added = p->len + n <= FRAME_MAX;
    memcpy(p->head + p->lin, b->mem + at, lin);
    p->lin = (uint16_t)(p->lin + lin);
    p->len += lin;
    if (is_added && n > lin)
        is_added = pkt_add_frag(p, b, at + lin, n - lin);
    blk_unref(b);
    return is_added;
}

/* The frame's further buffers. False: it is lost. */
static bool add_buffers(struct virtio_net *v, struct pkt *p, uint32_t n, bool is_kept)
{
    for (uint32_t i = 0; i < n; i++) {
        struct blk *b = take_buffer(v);
        if (b == NULL)
            return false;
        if (is_kept)
            is_kept = add_bytes(p, b, 0, b->used);
        else
            blk_unref(b);
    }
    return is_kept;
}

/* How many buffers follow the first one; UINT32_MAX: that cannot be true. */
static uint32_t further_buffers(const struct virtio_net *v, const struct blk *first)
{
    const uint8_t *at = first->mem + BUFFERS_AT;
    uint32_t n = (uint32_t)(at[0] | at[1] << 8);
    if (!virtio_net_has(v, VIRTIO_NET_F(MRG_RXBUF)))
        return 0; /* older devices leave the field undone */
    return n == 0 || n - 1 > virtq_waiting(&v->rx) ? UINT32_MAX : n - 1;
}

/* One frame, whose first buffer this is; NULL: it was no good, and counted. */
static struct pkt *take_frame(struct virtio_net *v, struct blk *first)
{
    uint8_t header[VIRTIO_NET_HLEN];
    uint32_t further = first->used >= VIRTIO_NET_HLEN ? further_buffers(v, first) : UINT32_MAX;
    if (further == UINT32_MAX) {
        virtio_net_distrust(v);
        blk_unref(first);
        return NULL;
    }
    memcpy(header, first->mem, sizeof header);
    struct pkt *p = pkt_new(v->dev.mem);
    if (p == NULL) {
        v->dev.stats.rx_nomem++;
        blk_unref(first);
        (void)add_buffers(v, NULL, further, false);
        return NULL;
    }
    p->off = 0;
    first = shrink(v, first);
    bool is_whole = add_bytes(p, first, VIRTIO_NET_HLEN, first->used - VIRTIO_NET_HLEN);
    is_whole = add_buffers(v, p, further, is_whole);
    bool is_sound = is_whole && p->lin >= WIRE_ETH_HLEN && vnet_get(p, header, v->dev.caps.flags);
    v->count[VIRTIO_NET_RX_SUPER] += is_sound && p->gso_size != 0;
    if (is_sound)
        return p;
    v->dev.stats.rx_dropped++;
    if (!v->must_reset) /* otherwise counted already */
        v->count[is_whole ? VIRTIO_NET_BAD_FRAMES : VIRTIO_NET_RX_TOO_LONG]++;
    pkt_free(p);
    return NULL;
}

/* Asks for interrupts again, and notices what came before the device saw that. */
static void rest(struct virtio_net *v)
{
    if (v->host.irq_came != NULL) {
        virtq_ask_irq(&v->rx, true);
        virtq_ask_irq(&v->tx, true);
    }
    v->is_polling = virtq_waiting(&v->rx) != 0 || virtq_waiting(&v->tx) != 0;
}

unsigned virtio_net_rx(struct netdev *d, unsigned queue, w_ns now, struct pkt **out, unsigned max)
{
    struct virtio_net *v = WEIR_CONTAINER(d, struct virtio_net, dev);
    unsigned n = 0;
    (void)queue;
    if (!virtio_net_attend(v, now))
        return 0;
    v->count[VIRTIO_NET_POLLS]++;
    /* Bounded by the ring, so that frames given up do not hold us here. */
    for (unsigned i = 0; i < v->rx.size && n < max && !v->must_reset; i++) {
        struct blk *first = take_buffer(v);
        struct pkt *p = first != NULL ? take_frame(v, first) : NULL;
        if (first == NULL)
            break;
        if (p == NULL)
            continue;
        p->when = v->now;
        d->stats.rx_frames++;
        d->stats.rx_bytes += p->len;
        out[n++] = p;
    }
    virtio_net_refill(v);
    virtio_net_paced(v, n != 0);
    if (n < max)
        rest(v);
    else
        v->is_polling = true;
    v->count[VIRTIO_NET_POLLS_FULL] += n == max;
    return n;
}
