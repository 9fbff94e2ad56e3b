/* SPDX-License-Identifier: Apache-2.0
 *
 * The NIC as a whole: its registers, reset, and the order in which things happen at one moment.
 *
 * Theory of operation. nic_step goes from one moment at which something is due to the next. At
 * each, accesses to memory that have ended take effect first, then the line, then what either has
 * made possible is started, and interrupts come last, so that a handler's driver finds what it is
 * told about. A register write first brings the NIC up to its moment and then starts what it made
 * possible. So the result does not depend on how often anybody steps.
 *
 * Owns all parts; they call down to one another only through parts.h. Called by the driver (through
 * bus_pio), by the wire (nic_receive) and by the owner of its clock.
 */
#include "base/arena.h"
#include "nic/parts.h"

enum {
    TX_FIFO_BYTES = 64 * 1024,
    RX_FIFO_BYTES = 128 * 1024,
    MAX_FRAME = 1518, /* Ethernet's, with one VLAN tag */
    PAUSE_QUANTA = 0xffff,
};

/* ---- reset ---- */

static void reset(struct nic *n)
{
    uint64_t resets = n->stat[NIC_S_RESETS];
    n->ctrl = 0;
    n->max_frame = MAX_FRAME;
    n->pause_high = n->rx.bytes.limit / 4 * 3;
    n->pause_low = n->rx.bytes.limit / 2;
    n->pause_quanta = PAUSE_QUANTA;
    n->tx_turn = n->rx_sent = 0;
    n->lro_ns = n->lro_max = 0;
    n->lro = (struct nic_lro){0};
    nic_fifo_clear(&n->tx, n->now);
    nic_fifo_clear(&n->rx, n->now);
    n->rd = (struct nic_dma){.busy_until = n->now};
    n->wr = (struct nic_dma){.busy_until = n->now};
    memset(n->txq, 0, sizeof(n->txq));
    memset(n->rxq, 0, sizeof(n->rxq));
    memset(n->irq, 0, sizeof(n->irq));
    memset(n->rss_key, 0, sizeof(n->rss_key));
    memset(n->rss_table, 0, sizeof(n->rss_table));
    memset(n->stat, 0, sizeof(n->stat));
    n->stat[NIC_S_RESETS] = resets + 1;
    nic_fault_reset(n);
    nic_mac_reset(n);
}

/* ---- time ---- */

static void dispatch_read(struct nic *n, const struct nic_op *op)
{
    if (op->kind == NIC_OP_TXD)
        nic_tx_fetched(n, op);
    else if (op->kind == NIC_OP_RXD)
        nic_rx_fetched(n, op);
    else
        nic_tx_frame_read(n, op);
}

static void dispatch_write(struct nic *n, const struct nic_op *op)
{
    if (op->kind == NIC_OP_STORE)
        nic_rx_stored(n, op);
    else
        nic_tx_written_back(n, op);
}

/* The earliest that any part waits for. Asked once for each thing that is done, not each time that
 * somebody wants to know. */
static w_ns find_next(const struct nic *n)
{
    if ((n->ctrl & NIC_CTRL_ENABLE) == 0)
        return W_NEVER;
    w_ns dma = w_u64_min(nic_dma_next(&n->rd), nic_dma_next(&n->wr));
    w_ns told = w_u64_min(w_u64_min(nic_irq_next(n), nic_fault_next(n)), nic_lro_next(n));
    return w_u64_min(w_u64_min(dma, nic_mac_next(n)), told);
}

void nic_pump(struct nic *n)
{
    struct nic_op op;
    while (nic_dma_take(&n->rd, n->now, &op))
        dispatch_read(n, &op);
    while (nic_dma_take(&n->wr, n->now, &op))
        dispatch_write(n, &op);
    if ((n->ctrl & NIC_CTRL_ENABLE) != 0) {
        nic_mac_pump(n);
        nic_tx_pump(n);
        nic_rx_pump(n);
    }
    nic_fault_pump(n);
    nic_irq_pump(n);
    if (WEIR_UNLIKELY(n->fault.must_reset))
        reset(n);
    n->next = find_next(n);
}

void nic_step(struct nic *n, w_ns now)
{
    WEIR_ASSERT(now >= n->now);
    for (w_ns t = nic_next(n); t <= now; t = nic_next(n)) {
        n->now = w_u64_max(t, n->now);
        nic_pump(n);
    }
    n->now = now;
}

/* ---- registers ---- */

static void write_ctrl(struct nic *n, uint32_t v)
{
    if ((v & NIC_CTRL_RESET) != 0)
        reset(n);
    else
        n->ctrl = v;
    if ((v & NIC_CTRL_PAUSE_RX) == 0)
        nic_mac_unpause(n);
}

static void write_global(struct nic *n, uint32_t reg, uint32_t v)
{
    if (reg >= NIC_RSS_KEY && reg < NIC_RSS_KEY + 4 * NIC_RSS_WORDS) {
        n->rss_key[(reg - NIC_RSS_KEY) / 4] = v;
        return;
    }
    if (reg >= NIC_RSS_TABLE && reg < NIC_RSS_TABLE + NIC_RSS_ENTRIES) {
        for (unsigned i = 0; i < 4; i++)
            n->rss_table[((reg - NIC_RSS_TABLE) & ~3u) + i] = (uint8_t)(v >> 8 * i);
        return;
    }
    switch (reg) {
    case NIC_CTRL: write_ctrl(n, v); break;
    case NIC_MAX_FRAME: /* what does not fit a FIFO could never pass */
        n->max_frame = w_u32_min(v, w_u32_min(n->tx.bytes.limit, n->rx.bytes.limit) / 2);
        break;
    case NIC_LRO_NS: n->lro_ns = (n->conf.features & NIC_F_LRO) != 0 ? v : 0; break;
    case NIC_LRO_MAX: n->lro_max = w_u32_min(v, UINT16_MAX); break;
    case NIC_PAUSE_HIGH: n->pause_high = v; break;
    case NIC_PAUSE_LOW: n->pause_low = v; break;
    case NIC_PAUSE_QUANTA: n->pause_quanta = w_u32_min(v, PAUSE_QUANTA); break;
    default: break;
    }
}

/* A ring's size as the NIC takes it: a power of two within bounds, or off. */
static uint32_t ring_size(uint32_t v)
{
    bool is_good = v >= NIC_RING_MIN && v <= NIC_RING_MAX && (v & (v - 1)) == 0;
    return is_good ? v : 0;
}

static void set_low(bus_addr *a, uint32_t v) { *a = (*a & ~(bus_addr)UINT32_MAX) | v; }
static void set_high(bus_addr *a, uint32_t v) { *a = (*a & UINT32_MAX) | (bus_addr)v << 32; }

/* Never beyond what the ring holds: a doorbell gone wrong gives away the whole ring, no more. */
static uint32_t bounded_tail(uint32_t tail, uint32_t done, uint32_t size)
{
    return tail - done > size ? done + size : tail;
}

static void write_tx(struct nic_txq *t, uint32_t reg, uint32_t v)
{
    switch (reg) {
    case NIC_TX_BASE_LO: set_low(&t->base, v); break;
    case NIC_TX_BASE_HI: set_high(&t->base, v); break;
    case NIC_TX_SIZE: t->size = ring_size(v); break;
    case NIC_TX_TAIL: t->tail = bounded_tail(v, t->done, t->size); break;
    case NIC_TX_HEAD:
        if (t->size == 0)
            t->tail = t->head = t->asked = t->next = t->done = v;
        break;
    case NIC_TX_WB_LO: set_low(&t->wb, v); break;
    default: set_high(&t->wb, v); break;
    }
}

static void write_rx(struct nic_rxq *r, uint32_t reg, uint32_t v)
{
    switch (reg) {
    case NIC_RX_BASE_LO: set_low(&r->base, v); break;
    case NIC_RX_BASE_HI: set_high(&r->base, v); break;
    case NIC_RX_SIZE: r->size = r->buf_len != 0 ? ring_size(v) : 0; break;
    case NIC_RX_HEAD:
        if (r->size == 0)
            r->tail = r->head = r->asked = r->next = r->done = v;
        break;
    case NIC_RX_HDR_LEN: r->hdr_len = v & 0xffff; break;
    default: r->buf_len = v & 0xffff; break;
    }
}

static void give_rx(struct nic *n, unsigned q, uint32_t v)
{
    struct nic_rxq *r = &n->rxq[q];
    r->tail = bounded_tail(v, r->done, r->size);
    if (r->size != 0)
        nic_rx_ring_watch(n, q);
}

static void write_ret(struct nic_rxq *r, uint32_t reg, uint32_t v)
{
    switch (reg) {
    case NIC_RET_BASE_LO: set_low(&r->ret_base, v); break;
    case NIC_RET_BASE_HI: set_high(&r->ret_base, v); break;
    case NIC_RET_SIZE: r->ret_size = ring_size(v); break;
    case NIC_RET_HEAD:
        if (r->ret_size == 0)
            r->ret_tail = r->ret_head = r->ret_next = v;
        break;
    default: /* a tail beyond what was written would make room that is not there */
        if (v - r->ret_tail <= r->ret_head - r->ret_tail)
            r->ret_tail = v;
        break;
    }
}

static void write_irq(struct nic_irq *i, uint32_t reg, uint32_t v)
{
    switch (reg) {
    case NIC_IRQ_VECTOR: i->vector = v; break;
    case NIC_IRQ_ARM: i->is_armed = v != 0; break;
    case NIC_COAL_RX_NS: i->rx.ns = v; break;
    case NIC_COAL_RX_FRAMES: i->rx.frames = v; break;
    case NIC_COAL_TX_NS: i->tx.ns = v; break;
    case NIC_COAL_TX_FRAMES: i->tx.frames = v; break;
    default: break;
    }
}

static void write_queue(struct nic *n, unsigned q, uint32_t reg, uint32_t v)
{
    if (reg <= NIC_TX_WB_HI)
        write_tx(&n->txq[q], reg, v);
    else if (reg == NIC_RX_TAIL)
        give_rx(n, q, v);
    else if (reg >= NIC_RX_BASE_LO && reg <= NIC_RX_BUF_LEN)
        write_rx(&n->rxq[q], reg, v);
    else if (reg >= NIC_RET_BASE_LO && reg <= NIC_RET_HEAD)
        write_ret(&n->rxq[q], reg, v);
    else if (reg >= NIC_IRQ_VECTOR)
        write_irq(&n->irq[q], reg, v);
}

static void pio_write(void *ctx, w_ns now, uint32_t reg, uint32_t value)
{
    struct nic *n = ctx;
    uint32_t q = (reg - NIC_QUEUE_0) / NIC_QUEUE_STRIDE;
    nic_step(n, w_u64_max(now, n->now));
    if (reg % 4 != 0)
        return;
    if (reg < NIC_QUEUE_0)
        write_global(n, reg, value);
    else if (q < n->conf.n_queues)
        write_queue(n, q, reg % NIC_QUEUE_STRIDE, value);
    nic_pump(n);
}

static uint32_t read_gauge(const struct nic *n, uint32_t id, uint32_t reg)
{
    const struct nic_gauge *g = id == NIC_G_TX_FIFO   ? &n->tx.bytes
                                : id == NIC_G_RX_FIFO ? &n->rx.bytes
                                                      : &n->rx_ring[id - NIC_G_RX_RING];
    uint64_t full = g->full_ns + (g->full_since != 0 ? n->now - g->full_since : 0);
    switch (reg) {
    case NIC_GAUGE_NOW: return g->now;
    case NIC_GAUGE_LIMIT: return g->limit;
    case NIC_GAUGE_HIGH: return g->high_water;
    case NIC_GAUGE_N_FULL: return g->n_full;
    case NIC_GAUGE_FULL_LO: return (uint32_t)full;
    default: return (uint32_t)(full >> 32);
    }
}

static uint32_t status(const struct nic *n)
{
    uint32_t s = NIC_STATUS_LINK;
    s |= n->mac.paused_until > n->now ? (uint32_t)NIC_STATUS_PAUSED : 0;
    for (unsigned q = 0; q < n->conf.n_queues; q++)
        s |= n->txq[q].is_dead || n->rxq[q].is_dead ? (uint32_t)NIC_STATUS_DEAD : 0;
    return s;
}

static uint32_t read_global(const struct nic *n, uint32_t reg)
{
    if (reg >= NIC_GAUGES && reg < NIC_GAUGES + NIC_N_GAUGES * NIC_GAUGE_STRIDE)
        return read_gauge(n, (reg - NIC_GAUGES) / NIC_GAUGE_STRIDE,
                          (reg - NIC_GAUGES) % NIC_GAUGE_STRIDE);
    if (reg >= NIC_STATS && reg < NIC_STATS + 8 * NIC_N_STATS) {
        uint64_t v = n->stat[(reg - NIC_STATS) / 8];
        return (uint32_t)(reg % 8 == 0 ? v : v >> 32);
    }
    switch (reg) {
    case NIC_ID: return NIC_ID_VALUE;
    case NIC_CTRL: return n->ctrl;
    case NIC_STATUS: return status(n);
    case NIC_FEATURES: return n->conf.features;
    case NIC_MAC_LO: return w_be32(n->conf.mac);
    case NIC_MAC_HI: return w_be16(n->conf.mac + 4);
    case NIC_SPEED: return (uint32_t)(n->conf.rate_bps / 1000000);
    case NIC_N_QUEUES: return n->conf.n_queues;
    case NIC_MAX_FRAME: return n->max_frame;
    case NIC_TX_FIFO: return n->tx.bytes.limit;
    case NIC_RX_FIFO: return n->rx.bytes.limit;
    case NIC_PAUSE_HIGH: return n->pause_high;
    case NIC_PAUSE_LOW: return n->pause_low;
    case NIC_PAUSE_QUANTA: return n->pause_quanta;
    case NIC_LRO_NS: return n->lro_ns;
    case NIC_LRO_MAX: return n->lro_max;
    default: return UINT32_MAX;
    }
}

static uint32_t read_queue(const struct nic *n, unsigned q, uint32_t reg)
{
    const struct nic_irq *i = &n->irq[q];
    switch (reg) {
    case NIC_TX_SIZE: return n->txq[q].size;
    case NIC_TX_HEAD: return n->txq[q].head;
    case NIC_TX_DONE: return n->txq[q].done;
    case NIC_RX_SIZE: return n->rxq[q].size;
    case NIC_RX_HEAD: return n->rxq[q].next;
    case NIC_RET_SIZE: return n->rxq[q].ret_size;
    case NIC_RET_HEAD: return n->rxq[q].ret_head;
    case NIC_COAL_RX_NS: return i->rx.ns;
    case NIC_COAL_RX_FRAMES: return i->rx.frames;
    case NIC_COAL_TX_NS: return i->tx.ns;
    case NIC_COAL_TX_FRAMES: return i->tx.frames;
    default: return UINT32_MAX;
    }
}

static uint32_t pio_read(void *ctx, w_ns now, uint32_t reg)
{
    struct nic *n = ctx;
    uint32_t q = (reg - NIC_QUEUE_0) / NIC_QUEUE_STRIDE;
    nic_step(n, w_u64_max(now, n->now));
    if (reg % 4 != 0)
        return UINT32_MAX;
    if (reg < NIC_QUEUE_0)
        return read_global(n, reg);
    return q < n->conf.n_queues ? read_queue(n, q, reg % NIC_QUEUE_STRIDE) : UINT32_MAX;
}

struct bus_pio nic_pio(struct nic *n)
{
    return (struct bus_pio){.read = pio_read, .write = pio_write, .ctx = n};
}

/* ---- making one ---- */

static void no_wire(void *ctx, w_ns at, uint8_t *bytes, uint32_t n)
{
    (void)ctx;
    (void)at;
    (void)bytes;
    (void)n;
}

static void fifo_init(struct nic_fifo *f, struct arena *a, uint32_t bytes)
{
    f->bytes.limit = bytes;
    f->mem = arena_take(a, bytes, WEIR_CACHELINE);
}

void nic_init(struct nic *n, const struct nic_conf *conf, struct arena *a, struct bus_dma *dma,
              struct bus_irq *irqs)
{
    WEIR_ASSERT(conf->rate_bps != 0);
    WEIR_ASSERT(conf->n_queues >= 1);
    WEIR_ASSERT(conf->n_queues <= NIC_QUEUES_MAX);
    *n = (struct nic){.conf = *conf, .dma = dma, .irqs = irqs, .wire = {no_wire, NULL}};
    n->next = W_NEVER;
    fifo_init(&n->tx, a, conf->tx_fifo != 0 ? conf->tx_fifo : TX_FIFO_BYTES);
    fifo_init(&n->rx, a, conf->rx_fifo != 0 ? conf->rx_fifo : RX_FIFO_BYTES);
    nic_crc_tables(n->crc);
    reset(n);
    n->stat[NIC_S_RESETS] = 0;
}

void nic_connect(struct nic *n, struct nic_wire w) { n->wire = w; }

const char *nic_stat_name(enum nic_stat s)
{
    static const char *const name[] = {
#define X(name, text) [NIC_S_##name] = text,
        NIC_STAT_LIST(X)
#undef X
    };
    return name[s];
}
