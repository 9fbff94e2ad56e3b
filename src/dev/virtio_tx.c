/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtio driver's transmit side: packets onto the ring, and back when the device is done.
 *
 * A packet is a chain: its virtio-net header, which stands apart by the chain's head, its linear
 * part, its fragments; nothing is copied. What crosses a page into one that lies elsewhere takes a
 * descriptor more. All chains of a burst are shown to the device at once, and it is told once, if
 * it wants to be.
 *
 * What is decided here: without room for a packet tx takes no more, the queue above keeps the rest
 * and asks again after the next reap. A packet that even the empty ring has no room for, or that
 * lies where the device cannot reach, comes back unsent and is counted: waiting would not help it.
 *
 * After a reset what the device had not sent is on `back`: it comes back through reap first. Keeps:
 * sent[head] is the packet of the chain that begins at head while the device has it.
 */
#include <errno.h>

#include "dev/virtio_parts.h"
#include "dev/vnet.h"

/* Header, a linear part that crosses a page, fragments of which each touches five pages. */
enum { PACKET_PIECES = 1 + 2 + PKT_FRAGS * (BLK_BIG / BUS_PAGE + 1) };

struct chain {
    struct virtq_piece piece[PACKET_PIECES];
    unsigned n;
    bool is_out_of_reach;
};

static void add_stretch(const struct virtio_net *v, struct chain *c, const uint8_t *at, size_t n)
{
    size_t run;
    for (; n != 0; at += run, n -= run) {
        bus_addr a = bus_pages_addr(v->host.pages, at, n, &run);
        if (a == 0 || c->n == PACKET_PIECES) {
            c->is_out_of_reach = true;
            return;
        }
        c->piece[c->n++] = (struct virtq_piece){a, (uint32_t)run};
    }
}

static void make_chain(struct virtio_net *v, const struct pkt *p, struct chain *c)
{
    uint8_t *header = v->shared->tx_header[virtq_head(&v->tx) % VIRTQ_MAX];
    c->n = 0;
    c->is_out_of_reach = false;
    add_stretch(v, c, header, VIRTIO_NET_HLEN);
    add_stretch(v, c, pkt_data(p), p->lin);
    for (unsigned i = 0; i < p->nfrag; i++)
        add_stretch(v, c, p->frag[i].b->mem + p->frag[i].off, p->frag[i].len);
}

static void put_chain(struct virtio_net *v, struct pkt *p, const struct chain *c)
{
    uint8_t *header = v->shared->tx_header[virtq_head(&v->tx)];
    vnet_put(p, header);
    memset(header + VNET_HLEN, 0, VIRTIO_NET_HLEN - VNET_HLEN); /* num_buffers */
    v->sent[virtq_offer(&v->tx, c->piece, c->n, false)] = p;
    v->dev.stats.tx_frames++;
    v->dev.stats.tx_bytes += p->len;
    v->count[VIRTIO_NET_TX_SUPER] += p->gso_size != 0;
}

static void give_back(struct virtio_net *v, struct pkt *p)
{
    v->dev.stats.tx_dropped++;
    pktq_push(&v->back, p);
}

/* False: no room now. */
static bool send(struct virtio_net *v, struct pkt *p)
{
    struct chain c;
    make_chain(v, p, &c);
    if (c.is_out_of_reach || c.n > v->tx.size) {
        v->count[VIRTIO_NET_TX_UNSENDABLE]++;
        give_back(v, p);
        return true;
    }
    if (c.n > v->tx.n_free)
        return false;
    put_chain(v, p, &c);
    return true;
}

unsigned virtio_net_tx(struct netdev *d, unsigned queue, w_ns now, struct pkt **v, unsigned n)
{
    struct virtio_net *nic = WEIR_CONTAINER(d, struct virtio_net, dev);
    uint16_t before = nic->tx.avail;
    unsigned k = 0;
    (void)queue;
    if (!virtio_net_attend(nic, now)) {
        for (; k < n; k++)
            give_back(nic, v[k]);
        return k;
    }
    while (k < n && send(nic, v[k]))
        k++;
    d->stats.tx_busy += k < n;
    if (nic->tx.avail != before && virtq_publish(&nic->tx)) {
        nic->count[VIRTIO_NET_BELLS]++;
        virtio_ring_bell(&nic->host, VIRTIO_NET_TXQ, nic->tx_bell);
    }
    return k;
}

unsigned virtio_net_reap(struct netdev *d, unsigned queue, w_ns now, struct pkt **v, unsigned max)
{
    struct virtio_net *nic = WEIR_CONTAINER(d, struct virtio_net, dev);
    unsigned n = 0;
    uint32_t len;
    (void)queue;
    nic->now = w_u64_max(nic->now, now);
    while (n < max && nic->back.n != 0)
        v[n++] = pktq_pop(&nic->back);
    while (n < max && !nic->is_dead && !nic->must_reset) {
        int head = virtq_take(&nic->tx, &len);
        if (head == -EAGAIN)
            break;
        if (head < 0) {
            virtio_net_distrust(nic);
            break;
        }
        v[n++] = nic->sent[head];
        nic->sent[head] = NULL;
    }
    virtio_net_paced(nic, n != 0);
    return n;
}

void virtio_net_tx_reset(struct virtio_net *v)
{
    for (unsigned i = 0; i < VIRTQ_MAX; i++) {
        if (v->sent[i] != NULL)
            give_back(v, v->sent[i]);
        v->sent[i] = NULL;
    }
}
