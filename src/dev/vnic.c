/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver: life of the device, settings, interrupts and what to do when the NIC misbehaves.
 * Rings and descriptors are in vnic_tx.c and vnic_rx.c, the watchdog in vnic_watch.c.
 *
 * Theory of operation. All memory the NIC may touch is mapped when the device opens: the packets,
 * both kinds of blocks, and the rings. After that translating a buffer is an addition.
 *
 * Interrupts follow NAPI. The handler only notes that its queue has work. From then on rx polls the
 * return ring, each time with the caller's budget, the NIC's interrupt being off; when it finds
 * less than the budget it turns the interrupt on again. What came in between is not lost: the NIC
 * keeps its events and interrupts at once. So under load there are no interrupts, and at rest no
 * polls.
 *
 *   state     | by                      | rx, tx, reap
 *   made      | vnic_init               | -
 *   open      | vnic_open               | work
 *   in doubt  | must_reset              | the next rx or tx resets the NIC, then they work
 *   closed    | vnic_close              | -
 *
 * Hardware fails. A return entry that cannot be true, or a transmit ring that stands still with
 * work in it, or a card that has forgotten its settings, means reset: buffers the NIC held are the
 * driver's again, packets to be sent are given back unsent (TCP sends them again). Most of it is
 * found by the watchdog, vnic_watch.c.
 */
#include "dev/vnic.h"

#include <errno.h>

#include "base/arena.h"
#include "dev/vnic_parts.h"
#include "pkt/pkt.h"
#include "wire/eth.h"

enum { LRO_NS = 50000, GSO_MAX = 65535, BUF_LEN = BLK_SMALL };

static struct vnic *vnic_of(struct netdev *d) { return WEIR_CONTAINER(d, struct vnic, dev); }

void vnic_write(struct vnic *v, uint32_t reg, uint32_t value)
{
    bus_write(&v->slot.pio, v->now, reg, value);
}

uint32_t vnic_read(struct vnic *v, uint32_t reg) { return bus_read(&v->slot.pio, v->now, reg); }

static void write64(struct vnic *v, uint32_t reg, bus_addr a)
{
    vnic_write(v, reg, (uint32_t)a);
    vnic_write(v, reg + 4, (uint32_t)(a >> 32));
}

uint64_t vnic_stat(struct vnic *v, enum nic_stat s)
{
    uint32_t reg = (uint32_t)NIC_STATS + 8 * (uint32_t)s;
    return vnic_read(v, reg) | (uint64_t)vnic_read(v, reg + 4) << 32;
}

/* ---- interrupts ---- */

void vnic_seen(struct vnic_queue *q, enum weir_trace_kind kind, const struct pkt *p, uint32_t desc)
{
    const struct vnic *v = q->nic;
    bool is_tx = kind == WEIR_T_POST;
    struct weir_trace *r = trace_add(v->see, v->now, kind);
    r->pkt = p->idx;
    r->len = p->len;
    r->seq = desc;
    r->flags = (uint16_t)(q - v->q);
    r->used = is_tx ? q->tx_tail - q->tx_clean : q->rx_held;
    r->max = is_tx ? v->conf.tx_ring : v->conf.rx_ring;
}

static void interrupt(void *ctx)
{
    struct vnic_queue *q = ctx;
    q->nic->count[VNIC_IRQS]++;
    q->nic->count[VNIC_SPURIOUS_IRQS] += !vnic_rx_is_waiting(q) && !vnic_tx_is_waiting(q);
    q->is_polling = true;
}

void vnic_write_coalescing(struct vnic_queue *q)
{
    struct vnic *v = q->nic;
    const struct vnic_conf *c = &v->conf;
    vnic_write(v, q->regs + NIC_COAL_RX_NS, c->is_adaptive ? (uint32_t)vnic_dim_ns(q) : c->rx_ns);
    vnic_write(v, q->regs + NIC_COAL_RX_FRAMES, c->is_adaptive ? vnic_dim_frames(q) : c->rx_frames);
    vnic_write(v, q->regs + NIC_COAL_TX_NS, c->tx_ns);
    vnic_write(v, q->regs + NIC_COAL_TX_FRAMES, c->tx_frames);
}

static void write_coalescing(struct vnic *v)
{
    for (uint32_t i = 0; i < v->conf.n_queues; i++)
        vnic_write_coalescing(&v->q[i]);
}

/* ---- up and down ---- */

uint32_t vnic_control(const struct vnic *v)
{
    const struct vnic_conf *c = &v->conf;
    uint32_t ctrl = NIC_CTRL_ENABLE;
    ctrl |= netdev_has(&v->dev, NETDEV_RX_CSUM) ? NIC_CTRL_RX_CSUM : 0u;
    ctrl |= c->has_pause_rx && v->deaf_until == 0 ? NIC_CTRL_PAUSE_RX : 0u;
    ctrl |= c->has_pause_tx ? NIC_CTRL_PAUSE_TX : 0u;
    ctrl |= c->is_dropping ? NIC_CTRL_RX_DROP : 0u;
    ctrl |= c->n_queues > 1 ? NIC_CTRL_RSS : 0u;
    return ctrl;
}

static void write_queue(struct vnic *v, struct vnic_queue *q)
{
    const struct bus_dma *dma = v->slot.dma;
    vnic_write(v, q->regs + NIC_TX_HEAD, v->conf.first_index);
    vnic_write(v, q->regs + NIC_RX_HEAD, v->conf.first_index);
    vnic_write(v, q->regs + NIC_RET_HEAD, v->conf.first_index);
    write64(v, q->regs + NIC_TX_BASE_LO, bus_dma_addr(dma, q->txd));
    write64(v, q->regs + NIC_TX_WB_LO, bus_dma_addr(dma, q->wb));
    vnic_write(v, q->regs + NIC_TX_SIZE, v->conf.tx_ring);
    write64(v, q->regs + NIC_RX_BASE_LO, bus_dma_addr(dma, q->rxd));
    vnic_write(v, q->regs + NIC_RX_HDR_LEN, PKT_RX_LINEAR);
    vnic_write(v, q->regs + NIC_RX_BUF_LEN, BUF_LEN);
    vnic_write(v, q->regs + NIC_RX_SIZE, v->conf.rx_ring);
    write64(v, q->regs + NIC_RET_BASE_LO, bus_dma_addr(dma, q->ret));
    vnic_write(v, q->regs + NIC_RET_SIZE, v->conf.rx_ring);
    vnic_write(v, q->regs + NIC_IRQ_VECTOR, (uint32_t)q->irq);
}

static void write_rss(struct vnic *v)
{
    for (uint32_t i = 0; i < NIC_RSS_WORDS; i++)
        vnic_write(v, NIC_RSS_KEY + 4 * i, w_be32(v->rss_key + 4 * i));
    for (uint32_t i = 0; i < NIC_RSS_ENTRIES; i += 4) {
        uint32_t word = 0;
        for (uint32_t k = 0; k < 4; k++)
            word |= (uint32_t)v->rss_table[i + k] << 8 * k;
        vnic_write(v, NIC_RSS_TABLE + i, word);
    }
}

/* The key of the RSS specification's examples, which many drivers begin with: its bits have no
 * pattern, so it spreads evenly; and a fixed one makes runs repeatable. */
static void default_key(struct vnic *v)
{
    static const uint8_t key[4 * NIC_RSS_WORDS] = {
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
        0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
        0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};
    memcpy(v->rss_key, key, sizeof(key));
}

/* The queues in turn. */
static void deal_table(struct vnic *v)
{
    for (uint32_t i = 0; i < NIC_RSS_ENTRIES; i++)
        v->rss_table[i] = (uint8_t)(i % v->conf.n_queues);
}

static void up(struct vnic *v)
{
    vnic_write(v, NIC_CTRL, NIC_CTRL_RESET);
    v->deaf_until = 0;
    vnic_write(v, NIC_MAX_FRAME, v->conf.mtu + WIRE_ETH_HLEN + WIRE_VLAN_HLEN);
    vnic_write(v, NIC_LRO_MAX, vnic_rx_lro_max(v));
    vnic_write(v, NIC_LRO_NS, netdev_has(&v->dev, NETDEV_LRO) ? LRO_NS : 0);
    for (uint32_t i = 0; i < v->conf.n_queues; i++) {
        vnic_tx_reset(&v->q[i]);
        vnic_rx_reset(&v->q[i]);
        write_queue(v, &v->q[i]);
    }
    write_rss(v);
    write_coalescing(v);
    v->ctrl = vnic_control(v);
    vnic_write(v, NIC_CTRL, v->ctrl);
    for (uint32_t i = 0; i < v->conf.n_queues; i++) {
        vnic_rx_refill(&v->q[i]);
        v->q[i].is_polling = false;
        vnic_write(v, v->q[i].regs + NIC_IRQ_ARM, 1);
    }
    vnic_watch_reset(v);
}

void vnic_recover(struct vnic *v)
{
    v->must_reset = false;
    v->count[VNIC_RESETS]++;
    up(v);
}

/* ---- the device contract: open, close, arm, wait_fd, next ---- */

static int map_all(struct vnic *v, struct pktmem *mem)
{
    const struct {
        void *at;
        size_t n;
    } part[] = {
        {mem->pkts.mem, (size_t)(mem->pkts.cap + 1) * mem->pkts.stride},
        {mem->small_mem, (size_t)mem->small_blks.cap * BLK_SMALL},
        {mem->big_mem, (size_t)mem->big_blks.cap * BLK_BIG},
        {v->rings, v->ring_bytes},
    };
    _Static_assert(WEIR_COUNT(part) == WEIR_COUNT(((struct vnic *)0)->map), "a map for each");
    for (unsigned i = 0; i < WEIR_COUNT(part); i++) {
        v->map[i] = part[i].n != 0 ? bus_dma_map(v->slot.dma, part[i].at, part[i].n) : 0;
        if (part[i].n != 0 && v->map[i] == 0)
            return -ENOMEM;
    }
    return 0;
}

static void unmap_all(struct vnic *v)
{
    for (unsigned i = 0; i < WEIR_COUNT(v->map); i++) {
        if (v->map[i] != 0)
            bus_dma_unmap(v->slot.dma, v->map[i]);
        v->map[i] = 0;
    }
}

static void free_irqs(struct vnic *v)
{
    for (unsigned i = 0; i < NIC_QUEUES_MAX; i++) {
        if (v->q[i].irq >= 0)
            bus_irq_free(v->slot.irqs, v->q[i].irq);
        v->q[i].irq = -1;
    }
}

static int take_irqs(struct vnic *v)
{
    for (uint32_t i = 0; i < NIC_QUEUES_MAX && v->q[i].txd != NULL; i++) {
        v->q[i].irq = bus_irq_request(v->slot.irqs, interrupt, &v->q[i]);
        if (v->q[i].irq < 0)
            return -ENOSPC;
    }
    return 0;
}

static int vnic_open(struct netdev *d, struct pktmem *mem)
{
    struct vnic *v = vnic_of(d);
    d->mem = mem;
    int e = map_all(v, mem);
    if (e == 0)
        e = take_irqs(v);
    if (e != 0) {
        free_irqs(v);
        unmap_all(v);
        return e;
    }
    up(v);
    return 0;
}

static void vnic_close(struct netdev *d)
{
    struct vnic *v = vnic_of(d);
    vnic_write(v, NIC_CTRL, NIC_CTRL_RESET);
    for (uint32_t i = 0; i < NIC_QUEUES_MAX && v->q[i].txd != NULL; i++) {
        vnic_tx_free(&v->q[i]);
        vnic_rx_free(&v->q[i]);
    }
    free_irqs(v);
    unmap_all(v);
}

static int vnic_arm(struct netdev *d, unsigned q, bool on)
{
    struct vnic *v = vnic_of(d);
    v->is_polled = !on;
    return v->q[q].is_polling || v->must_reset;
}

static int vnic_wait_fd(struct netdev *d, unsigned q)
{
    (void)d;
    (void)q;
    return -1;
}

static w_ns vnic_next(struct netdev *d, unsigned q)
{
    struct vnic *v = vnic_of(d);
    return v->q[q].is_polling || v->must_reset ? 0 : v->watch_at;
}

static const struct netdev_ops vnic_ops = {
    .name = "vnic",
    .open = vnic_open,
    .close = vnic_close,
    .rx = vnic_rx,
    .tx = vnic_tx,
    .reap = vnic_reap,
    .arm = vnic_arm,
    .wait_fd = vnic_wait_fd,
    .next = vnic_next,
};

/* ---- settings ---- */

static bool is_ring(uint32_t n, uint32_t max)
{
    return n >= NIC_RING_MIN && n <= max && (n & (n - 1)) == 0;
}

static bool is_possible(struct vnic *v, const struct vnic_conf *c)
{
    uint32_t queues = vnic_read(v, NIC_N_QUEUES);
    uint32_t fifo = w_u32_min(vnic_read(v, NIC_TX_FIFO), vnic_read(v, NIC_RX_FIFO));
    return c->n_queues >= 1 && c->n_queues <= w_u32_min(queues, NIC_QUEUES_MAX) &&
           is_ring(c->tx_ring, v->max_ring) && is_ring(c->rx_ring, v->max_ring) && c->mtu >= 68 &&
           c->mtu + WIRE_ETH_HLEN + WIRE_VLAN_HLEN <= fifo / 2;
}

static void set_caps(struct vnic *v)
{
    uint32_t can = vnic_read(v, NIC_FEATURES), flags = 0;
    flags |= (can & NIC_F_TX_CSUM) != 0 ? NETDEV_TX_CSUM : 0u;
    flags |= (can & NIC_F_RX_CSUM) != 0 ? NETDEV_RX_CSUM : 0u;
    flags &= v->conf.offloads;
    bool wants_lro = (v->conf.offloads & (uint32_t)(NETDEV_LRO | NETDEV_LRO6)) != 0;
    if (wants_lro && (can & NIC_F_LRO) != 0 && (flags & NETDEV_RX_CSUM) != 0)
        flags |= (uint32_t)(NETDEV_LRO | NETDEV_LRO6); /* the NIC knows no difference */
    if ((can & NIC_F_TSO) != 0 && (flags & NETDEV_TX_CSUM) != 0)
        flags |= v->conf.offloads & (uint32_t)(NETDEV_TSO4 | NETDEV_TSO6);
    struct netdev_caps *c = &v->dev.caps;
    c->flags = flags;
    c->mtu = v->conf.mtu;
    c->gso_max = (flags & (uint32_t)(NETDEV_TSO4 | NETDEV_TSO6)) != 0 ? GSO_MAX : 0;
    c->n_queues = (uint16_t)v->conf.n_queues;
    c->rate_bps = vnic_read(v, NIC_SPEED) * 1000000ull;
    w_put32(c->mac, vnic_read(v, NIC_MAC_LO));
    w_put16(c->mac + 4, vnic_read(v, NIC_MAC_HI));
}

int vnic_set(struct vnic *v, w_ns now, const struct vnic_conf *c)
{
    v->now = w_u64_max(v->now, now);
    if (!is_possible(v, c))
        return -EINVAL;
    struct vnic_conf old = v->conf;
    bool is_same_shape = old.n_queues == c->n_queues && old.tx_ring == c->tx_ring &&
                         old.rx_ring == c->rx_ring && old.mtu == c->mtu &&
                         old.offloads == c->offloads && old.first_index == c->first_index;
    if (is_same_shape) {
        v->conf = *c;
        write_coalescing(v);
        v->ctrl = vnic_control(v);
        vnic_write(v, NIC_CTRL, v->ctrl);
        return 0;
    }
    /* Empty the rings with their old sizes before they get new ones. */
    vnic_write(v, NIC_CTRL, NIC_CTRL_RESET);
    for (uint32_t i = 0; i < old.n_queues; i++) {
        vnic_tx_reset(&v->q[i]);
        vnic_rx_free(&v->q[i]);
    }
    v->conf = *c;
    set_caps(v);
    if (old.n_queues != c->n_queues)
        deal_table(v);
    up(v);
    return 0;
}

int vnic_set_rss(struct vnic *v, w_ns now, const uint8_t key[4 * NIC_RSS_WORDS],
                 const uint8_t table[NIC_RSS_ENTRIES])
{
    v->now = w_u64_max(v->now, now);
    for (uint32_t i = 0; table != NULL && i < NIC_RSS_ENTRIES; i++) {
        if (table[i] >= v->conf.n_queues)
            return -EINVAL;
    }
    if (key != NULL)
        memcpy(v->rss_key, key, sizeof(v->rss_key));
    if (table != NULL)
        memcpy(v->rss_table, table, sizeof(v->rss_table));
    write_rss(v);
    return 0;
}

/* ---- making one ---- */

/* Rings of all queues in one piece; NIC and driver see the same places. */
static void take_rings(struct vnic *v, struct arena *a, uint32_t n_queues)
{
    size_t tx = v->max_ring * sizeof(struct nic_txd), rx = v->max_ring * sizeof(struct nic_rxd);
    size_t ret = v->max_ring * sizeof(struct nic_ret), one = tx + rx + ret + WEIR_CACHELINE;
    v->ring_bytes = one * n_queues;
    v->rings = arena_take(a, v->ring_bytes, WEIR_CACHELINE);
    for (uint32_t i = 0; i < n_queues; i++) {
        struct vnic_queue *q = &v->q[i];
        uint8_t *at = v->rings != NULL ? v->rings + i * one : NULL;
        q->sent = arena_take(a, v->max_ring * sizeof(*q->sent), WEIR_CACHELINE);
        q->buf = arena_take(a, v->max_ring * sizeof(*q->buf), WEIR_CACHELINE);
        if (at == NULL)
            continue;
        q->txd = (void *)at;
        q->rxd = (void *)(at + tx);
        q->ret = (void *)(at + tx + rx);
        q->wb = (void *)(at + tx + rx + ret);
    }
}

int vnic_init(struct vnic *v, const struct vnic_slot *slot, const struct vnic_conf *conf,
              uint32_t max_ring, struct arena *a)
{
    *v = (struct vnic){.slot = *slot, .max_ring = max_ring};
    if (vnic_read(v, NIC_ID) != NIC_ID_VALUE)
        return -ENODEV;
    if (max_ring > NIC_RING_MAX || !is_possible(v, conf))
        return -EINVAL;
    v->dev.ops = &vnic_ops;
    v->conf = *conf;
    for (uint32_t i = 0; i < NIC_QUEUES_MAX; i++)
        v->q[i] = (struct vnic_queue){.nic = v, .regs = NIC_QUEUE(i), .irq = -1};
    default_key(v);
    deal_table(v);
    take_rings(v, a, w_u32_min(vnic_read(v, NIC_N_QUEUES), NIC_QUEUES_MAX));
    set_caps(v);
    return 0;
}
