/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver's transmit side: packets onto the ring, and back when the NIC is done with them.
 *
 * A packet needs a descriptor for its linear part and one for each fragment; nothing is copied.
 * They are written, then the doorbell is rung once for the whole burst. When the ring has no room
 * for a packet, tx takes no more: the qdisc keeps the rest, and asks again after the next reap.
 *
 *   tx_clean ≤ *wb ≤ tx_tail: reaped, done by the NIC, given to it
 *
 * A count that is not between the two is one that came late, after a newer one: it is counted and
 * not believed. If no newer one comes, the watchdog asks.
 *
 * After a reset the packets the NIC had not sent are on `lost`: they come back through reap first.
 * Keeps: sent[i] is the packet whose last descriptor is at place i, and NULL elsewhere.
 */
#include "dev/vnic_parts.h"
#include "pkt/pkt.h"

static uint32_t tx_place(const struct vnic_queue *q, uint32_t i)
{
    return i & (q->nic->conf.tx_ring - 1);
}

static uint32_t descriptors_of(const struct pkt *p) { return (p->lin != 0) + (uint32_t)p->nfrag; }

/* What describes the packet stands in its first descriptor. */
static struct nic_txd describe_packet(const struct pkt *p)
{
    struct nic_txd d = {0};
    if (p->csum == CSUM_TODO) {
        d.flags = NIC_TXD_CSUM;
        d.csum_start = (uint8_t)(p->csum_start - p->off);
        d.csum_at = (uint8_t)p->csum_at;
    }
    if (p->gso_size != 0) {
        d.flags |= NIC_TXD_TSO;
        d.hdr_len = (uint8_t)(p->pay - p->off);
        d.mss = p->gso_size;
    }
    return d;
}

static void put_piece(struct vnic_queue *q, struct nic_txd *d, const void *bytes, uint32_t n)
{
    uint32_t tag = nic_tag(q->tx_tail, q->nic->conf.tx_ring);
    d->addr = nic_addr_tagged(bus_dma_addr(q->nic->slot.dma, bytes), tag);
    d->len = (uint16_t)n;
    d->flags |= (uint8_t)(tag << NIC_TXD_TAG_SHIFT);
    q->sent[tx_place(q, q->tx_tail)] = NULL;
    q->txd[tx_place(q, q->tx_tail++)] = *d;
    *d = (struct nic_txd){0};
}

static void put_packet(struct vnic_queue *q, struct pkt *p)
{
    struct nic_txd d = describe_packet(p);
    if (p->lin != 0)
        put_piece(q, &d, pkt_data(p), p->lin);
    for (unsigned i = 0; i < p->nfrag; i++)
        put_piece(q, &d, p->frag[i].b->mem + p->frag[i].off, p->frag[i].len);
    uint32_t last = tx_place(q, q->tx_tail - 1);
    q->txd[last].flags |= NIC_TXD_EOP;
    q->sent[last] = p;
    if (WEIR_UNLIKELY(q->nic->see != NULL))
        vnic_seen(q, WEIR_T_POST, p, q->tx_tail);
}

unsigned vnic_tx(struct netdev *d, unsigned queue, w_ns now, struct pkt **v, unsigned n)
{
    struct vnic *nic = WEIR_CONTAINER(d, struct vnic, dev);
    struct vnic_queue *q = &nic->q[queue];
    unsigned k = 0;
    vnic_watch(nic, now);
    if (nic->must_reset)
        vnic_recover(nic);
    for (; k < n; k++) {
        uint32_t room = nic->conf.tx_ring - (q->tx_tail - q->tx_clean);
        if (descriptors_of(v[k]) > room)
            break;
        d->stats.tx_frames++;
        d->stats.tx_bytes += v[k]->len;
        q->tx_packets++;
        q->tx_bytes += v[k]->len;
        put_packet(q, v[k]);
    }
    d->stats.tx_busy += k < n;
    gauge_saw(&q->tx_gauge, q->tx_tail - q->tx_clean);
    gauge_full(&q->tx_gauge, now, k < n);
    if (k != 0)
        vnic_write(nic, q->regs + NIC_TX_TAIL, q->tx_tail);
    return k;
}

uint32_t vnic_tx_done(const struct vnic_queue *q)
{
    uint32_t done = *q->wb - q->tx_clean;
    return done <= q->tx_tail - q->tx_clean ? done : 0;
}

/* Once for each value that is seen there. */
static void count_old(struct vnic_queue *q)
{
    q->nic->count[VNIC_OLD_COUNT] += q->old_count != *q->wb;
    q->old_count = *q->wb;
}

unsigned vnic_reap(struct netdev *d, unsigned queue, w_ns now, struct pkt **v, unsigned max)
{
    struct vnic *nic = WEIR_CONTAINER(d, struct vnic, dev);
    struct vnic_queue *q = &nic->q[queue];
    unsigned n = 0;
    nic->now = w_u64_max(nic->now, now);
    while (n < max && q->lost.n != 0)
        v[n++] = pktq_pop(&q->lost);
    uint32_t done = vnic_tx_done(q);
    if (WEIR_UNLIKELY(done == 0 && *q->wb != q->tx_clean))
        count_old(q);
    for (; n < max && done != 0; done--) {
        struct pkt **s = &q->sent[tx_place(q, q->tx_clean++)];
        if (*s != NULL)
            v[n++] = *s;
        *s = NULL;
    }
    return n;
}

bool vnic_tx_is_waiting(const struct vnic_queue *q)
{
    return q->lost.n != 0 || vnic_tx_done(q) != 0;
}

void vnic_tx_reset(struct vnic_queue *q)
{
    for (; q->tx_clean != q->tx_tail; q->tx_clean++) {
        struct pkt **s = &q->sent[tx_place(q, q->tx_clean)];
        if (*s == NULL)
            continue;
        q->nic->dev.stats.tx_dropped++;
        pktq_push(&q->lost, *s);
        *s = NULL;
    }
    memset(q->txd, 0, q->nic->conf.tx_ring * sizeof(*q->txd));
    q->tx_clean = q->tx_tail = *q->wb = q->old_count = q->nic->conf.first_index;
}

void vnic_tx_free(struct vnic_queue *q)
{
    vnic_tx_reset(q);
    pktq_free(&q->lost);
}

uint32_t vnic_tx_used(const struct vnic *v, unsigned q)
{
    return v->q[q].tx_tail - v->q[q].tx_clean;
}
