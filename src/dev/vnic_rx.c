/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver's receive side: buffers for the NIC, frames out of the return ring.
 *
 * A receive entry is a packet, whose linear part takes a frame's first bytes, and a small block for
 * the rest. A frame that fits the linear part does not need its block, a long frame's further
 * pieces not their packets: these go back at once. So every buffer is the NIC's, on its way up, or
 * free in the pools, and refilling is allocating what is missing. When memory is short the ring is
 * given less: the NIC then pauses its peer or drops, and counts. And never are more than half of
 * all packets or blocks the NIC's: a host without one to send could not even ask for less.
 *
 * A return entry is believed only if it can be true: it names an entry that the NIC holds, and
 * lengths that fit. One that names an entry the NIC does not hold is torn, its halves are of
 * different laps, and is looked at again; if it stays so (vnic_watch.c), or if a length is
 * impossible, NIC and driver no longer agree, and that ends in a reset.
 *
 * Keeps: buf[i].p is not NULL exactly while the NIC holds the entry at place i; rx_held counts
 * them.
 */
#include "dev/vnic_parts.h"
#include "pkt/pkt.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

static uint32_t rx_place(const struct vnic_queue *q, uint32_t i)
{
    return i & (q->nic->conf.rx_ring - 1);
}

/* ---- buffers ---- */

static bool fill_place(struct vnic_queue *q, uint32_t place)
{
    struct pktmem *mem = q->nic->dev.mem;
    struct vnic_buf *b = &q->buf[place];
    struct pkt *p = pkt_new(mem);
    struct blk *blk = p != NULL ? blk_new(mem, BLK_SMALL) : NULL;
    if (blk == NULL) {
        q->nic->count[VNIC_REFILL_FAILED]++;
        if (p != NULL)
            pkt_free(p);
        return false;
    }
    *b = (struct vnic_buf){p, blk};
    return true;
}

static void give_place(struct vnic_queue *q, uint32_t place)
{
    const struct bus_dma *dma = q->nic->slot.dma;
    struct vnic_buf *b = &q->buf[place];
    uint32_t tag = nic_tag(q->rx_tail, q->nic->conf.rx_ring);
    q->rxd[place] = (struct nic_rxd){nic_addr_tagged(bus_dma_addr(dma, b->p->head), tag),
                                     nic_addr_tagged(bus_dma_addr(dma, b->b->mem), tag)};
    q->rx_tail++;
    q->rx_held++;
}

/* What one queue may hold, but always enough for a frame of full length. */
static uint32_t share(const struct vnic *v)
{
    const struct pktmem *mem = v->dev.mem;
    uint32_t most = w_u32_min(mem->pkts.cap, mem->small_blks.cap) / 2 / v->conf.n_queues;
    uint32_t least = (v->conf.mtu + WIRE_ETH_HLEN) / BLK_SMALL + 1;
    return w_u32_min(w_u32_max(most, least), v->conf.rx_ring);
}

uint32_t vnic_rx_lro_max(const struct vnic *v)
{
    return PKT_RX_LINEAR + w_u32_min(PKT_FRAGS, share(v)) * (uint32_t)BLK_SMALL;
}

void vnic_rx_refill(struct vnic_queue *q)
{
    uint32_t before = q->rx_tail, most = share(q->nic);
    while (q->rx_held < most) {
        uint32_t place = rx_place(q, q->rx_tail);
        if (q->buf[place].p != NULL || !fill_place(q, place))
            break; /* the NIC still has this place's last buffers, or memory is short */
        give_place(q, place);
    }
    if (q->rx_tail != before)
        vnic_write(q->nic, q->regs + NIC_RX_TAIL, q->rx_tail);
}

static void drop_buf(struct vnic_buf *b)
{
    pkt_free(b->p);
    blk_unref(b->b);
    *b = (struct vnic_buf){0};
}

void vnic_rx_free(struct vnic_queue *q)
{
    for (uint32_t i = 0; i < q->nic->conf.rx_ring; i++) {
        if (q->buf[i].p != NULL)
            drop_buf(&q->buf[i]);
    }
    if (q->half != NULL)
        pkt_free(q->half);
    q->half = NULL;
    q->rx_held = 0;
}

void vnic_rx_reset(struct vnic_queue *q)
{
    vnic_rx_free(q);
    uint32_t first = q->nic->conf.first_index;
    q->rx_tail = q->ret_next = first;
    q->is_torn = q->is_late = false;
    memset(q->rxd, 0, q->nic->conf.rx_ring * sizeof(*q->rxd));
    memset(q->ret, 0, q->nic->conf.rx_ring * sizeof(*q->ret));
    for (uint32_t i = 0; i < q->nic->conf.rx_ring; i++)
        q->ret[i].rx = first - 1; /* never given: half an entry of the first lap is known, too */
    vnic_dim_reset(q);
}

/* ---- frames ---- */

static bool is_held(const struct vnic_queue *q, uint32_t entry)
{
    return q->rx_tail - entry - 1 < q->nic->conf.rx_ring && q->buf[rx_place(q, entry)].p != NULL;
}

static bool can_be_true(const struct nic_ret *e)
{
    return e->hdr_len <= PKT_RX_LINEAR && e->buf_len <= BLK_SMALL;
}

static void set_linear(struct pkt *p, uint32_t n)
{
    p->off = 0;
    p->lin = (uint16_t)n;
    p->len = n;
}

/* The frame begins or goes on with what this entry holds. False: it has more pieces than a
 * packet. */
static bool add_entry(struct vnic_queue *q, const struct nic_ret *e, struct vnic_buf b)
{
    bool is_added = true;
    if (q->half == NULL) {
        q->half = b.p;
        set_linear(b.p, e->hdr_len);
    } else {
        pkt_free(b.p);
    }
    if (e->buf_len != 0) {
        b.b->used = e->buf_len;
        is_added = pkt_add_frag(q->half, b.b, 0, e->buf_len);
    }
    blk_unref(b.b);
    return is_added;
}

/* Segments merged by the NIC under the first one's header become a super-segment, as link/gro makes
 * them: the IP header says the whole length, and what one segment carried is remembered. */
static void set_merged(struct vnic *v, struct pkt *p, uint32_t segs)
{
    uint8_t *ip = pkt_data(p) + WIRE_ETH_HLEN;
    bool is_v4 = ip[0] >> 4 == 4;
    uint32_t hlen = is_v4 ? (uint32_t)WIRE_IP4_HLEN : (uint32_t)WIRE_IP6_HLEN;
    uint32_t headers = hlen + wire_tcp_hlen(ip + hlen), len = p->len - WIRE_ETH_HLEN;
    uint32_t first = is_v4 ? wire_ip4_total(ip) : w_be16(ip + 4) + hlen;
    p->gso_size = (uint16_t)(first - headers);
    p->gso_segs = (uint16_t)segs;
    if (is_v4)
        wire_ip4_set_total_id(ip, (uint16_t)len, w_be16(ip + 4));
    else
        wire_ip6_set_plen(ip, (uint16_t)(len - hlen));
    v->count[VNIC_RX_LRO] += segs - 1;
}

static struct pkt *finish_frame(struct vnic_queue *q, const struct nic_ret *e)
{
    struct vnic *v = q->nic;
    struct pkt *p = q->half;
    q->half = NULL;
    p->csum = (e->flags & NIC_RET_CSUM_GOOD) != 0 ? CSUM_GOOD : CSUM_NONE;
    p->when = v->now;
    if (WEIR_UNLIKELY(e->segs > 1))
        set_merged(v, p, e->segs);
    v->dev.stats.rx_frames++;
    v->dev.stats.rx_bytes += p->len;
    q->rx_packets++;
    q->rx_bytes += p->len;
    if (WEIR_UNLIKELY(v->see != NULL))
        vnic_seen(q, WEIR_T_POLL, p, e->rx);
    return p;
}

static void give_up_frame(struct vnic_queue *q, enum vnic_counter why)
{
    q->nic->count[why]++;
    q->nic->dev.stats.rx_dropped++;
    pkt_free(q->half);
    q->half = NULL;
}

/* One return entry; the frame if it was its last, else NULL. */
static struct pkt *take_entry(struct vnic_queue *q, const struct nic_ret *e)
{
    struct vnic_buf *at = &q->buf[rx_place(q, e->rx)], b = *at;
    *at = (struct vnic_buf){0};
    q->rx_held--;
    bool is_whole = add_entry(q, e, b);
    bool is_last = (e->flags & NIC_RET_MORE) == 0;
    if (!is_whole)
        q->is_spoilt = true;
    if (!is_last)
        return NULL;
    bool is_bad = (e->flags & NIC_RET_ERROR) != 0, is_long = q->is_spoilt;
    q->is_spoilt = false;
    if (is_bad || is_long) {
        give_up_frame(q, is_bad ? VNIC_RX_ERRORS : VNIC_RX_TOO_LONG);
        return NULL;
    }
    return finish_frame(q, e);
}

bool vnic_rx_is_waiting(const struct vnic_queue *q)
{
    return (q->ret[rx_place(q, q->ret_next)].flags & NIC_RET_DONE) != 0;
}

/* Entries are taken in their order whatever the order they come in: one that is not there yet holds
 * those behind it. */
static void look_behind(struct vnic_queue *q)
{
    bool is_late =
        !vnic_rx_is_waiting(q) && (q->ret[rx_place(q, q->ret_next + 1)].flags & NIC_RET_DONE) != 0;
    q->nic->count[VNIC_LATE_RET] += is_late && !q->is_late;
    q->is_late = is_late;
}

static unsigned poll_ring(struct vnic_queue *q, struct pkt **v, unsigned max)
{
    struct vnic *nic = q->nic;
    unsigned n = 0;
    /* Bounded by the ring, so that frames given up do not hold us here. */
    for (uint32_t i = 0; i < nic->conf.rx_ring && n < max && vnic_rx_is_waiting(q); i++) {
        struct nic_ret *e = &q->ret[rx_place(q, q->ret_next)];
        if (!is_held(q, e->rx)) {
            nic->count[VNIC_TORN_RET] += !q->is_torn;
            q->is_torn = true;
            break;
        }
        q->is_torn = false;
        if (!can_be_true(e)) {
            nic->count[VNIC_BAD_RET]++;
            nic->must_reset = true;
            break;
        }
        struct pkt *p = take_entry(q, e);
        e->flags = 0;
        q->ret_next++;
        if (p != NULL)
            v[n++] = p;
    }
    look_behind(q);
    vnic_write(nic, q->regs + NIC_RET_TAIL, q->ret_next);
    return n;
}

unsigned vnic_rx(struct netdev *d, unsigned queue, w_ns now, struct pkt **v, unsigned max)
{
    struct vnic *nic = WEIR_CONTAINER(d, struct vnic, dev);
    struct vnic_queue *q = &nic->q[queue];
    vnic_watch(nic, now);
    if (nic->must_reset)
        vnic_recover(nic);
    if (!q->is_polling && !nic->is_polled)
        return 0;
    nic->count[VNIC_POLLS]++;
    unsigned n = poll_ring(q, v, max);
    vnic_rx_refill(q);
    if (nic->conf.is_adaptive)
        vnic_dim_polled(q, n);
    if (n == max) {
        nic->count[VNIC_POLLS_FULL]++;
        return n;
    }
    q->is_polling = false;
    vnic_write(nic, q->regs + NIC_IRQ_ARM, 1);
    return n;
}

uint32_t vnic_rx_given(const struct vnic *v, unsigned q) { return v->q[q].rx_held; }
