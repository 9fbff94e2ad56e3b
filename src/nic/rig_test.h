/* SPDX-License-Identifier: Apache-2.0
 *
 * Two hosts with a NIC each and a cable between, and the shortest driver there can be: for the
 * tests of nic/. Host memory is an array; the rings lie in it.
 */
#ifndef WEIR_NIC_RIG_TEST_H
#define WEIR_NIC_RIG_TEST_H

#include "unit.h"

#include "base/arena.h"
#include "nic/cable.h"

enum {
    RIG_RING = 16,
    RIG_BUF = 2048,
    RIG_HDR = 128,
    RIG_FIFO = 16 * 1024,
    RIG_LATENCY = 500,
    RIG_OUT = 80 * 1024, /* where frames to send are written */
};

/* What of a host's memory the NIC may see. */
struct rig_mem {
    struct nic_txd txd[RIG_RING];
    struct nic_rxd rxd[RIG_RING];
    struct nic_ret ret[RIG_RING];
    uint32_t sent; /* written back */
    uint8_t hdr[RIG_RING][RIG_HDR];
    uint8_t buf[RIG_RING][RIG_BUF];
    uint8_t out[RIG_OUT];
};

struct rig_host {
    struct nic nic;
    struct bus_pio pio;
    struct bus_dma dma;
    struct bus_irq irqs;
    struct rig_mem mem;
    uint32_t tx_tail, rx_tail, ret_next;
    unsigned n_irq;
    int vector;
};

struct rig {
    struct rig_host h[2];
    struct cable cable;
    w_ns now;
    uint8_t frame[RIG_OUT]; /* the last frame received */
    uint32_t first;         /* the index all rings begin at when they are brought up */
    struct arena arena;
    WEIR_ALIGNED_LINE uint8_t memory[256 * 1024];
};

static inline void rig_interrupt(void *ctx) { ((struct rig_host *)ctx)->n_irq++; }

static inline void rig_set(struct rig *r, unsigned i, uint32_t reg, uint32_t v)
{
    bus_write(&r->h[i].pio, r->now, reg, v);
}
static inline void rig_set64(struct rig *r, unsigned i, uint32_t reg, bus_addr v)
{
    rig_set(r, i, reg, (uint32_t)v);
    rig_set(r, i, reg + 4, (uint32_t)(v >> 32));
}
static inline bus_addr rig_bus(struct rig_host *h, const void *p)
{
    bus_addr a = bus_dma_addr(&h->dma, p);
    assert_int_not_equal(a, 0);
    return a;
}
static inline void rig_run(struct rig *r, w_ns until)
{
    r->now = until;
    cable_step(&r->cable, until);
}
static inline uint64_t rig_stat(struct rig *r, unsigned i, enum nic_stat s)
{
    return r->h[i].nic.stat[s];
}

/* Gives the NIC n more buffers. */
static inline void rig_refill(struct rig *r, unsigned i, uint32_t n)
{
    struct rig_host *h = &r->h[i];
    for (; n != 0; n--, h->rx_tail++) {
        uint32_t k = h->rx_tail % RIG_RING;
        uint32_t tag = nic_tag(h->rx_tail, RIG_RING);
        h->mem.rxd[k] = (struct nic_rxd){nic_addr_tagged(rig_bus(h, h->mem.hdr[k]), tag),
                                         nic_addr_tagged(rig_bus(h, h->mem.buf[k]), tag)};
    }
    rig_set(r, i, NIC_QUEUE(0) + NIC_RX_TAIL, h->rx_tail);
}

/* Rings, interrupt and everything on; no buffers yet. */
static inline void rig_bring_up(struct rig *r, unsigned i, uint32_t ctrl)
{
    struct rig_host *h = &r->h[i];
    uint32_t q = NIC_QUEUE(0);
    memset(&h->mem, 0, sizeof(h->mem));
    h->tx_tail = h->rx_tail = h->ret_next = h->mem.sent = r->first;
    rig_set(r, i, q + NIC_TX_HEAD, r->first);
    rig_set(r, i, q + NIC_RX_HEAD, r->first);
    rig_set(r, i, q + NIC_RET_HEAD, r->first);
    rig_set64(r, i, q + NIC_TX_BASE_LO, rig_bus(h, h->mem.txd));
    rig_set64(r, i, q + NIC_TX_WB_LO, rig_bus(h, &h->mem.sent));
    rig_set(r, i, q + NIC_TX_SIZE, RIG_RING);
    rig_set64(r, i, q + NIC_RX_BASE_LO, rig_bus(h, h->mem.rxd));
    rig_set(r, i, q + NIC_RX_HDR_LEN, RIG_HDR);
    rig_set(r, i, q + NIC_RX_BUF_LEN, RIG_BUF);
    rig_set(r, i, q + NIC_RX_SIZE, RIG_RING);
    rig_set64(r, i, q + NIC_RET_BASE_LO, rig_bus(h, h->mem.ret));
    rig_set(r, i, q + NIC_RET_SIZE, RIG_RING);
    rig_set(r, i, q + NIC_IRQ_VECTOR, (uint32_t)h->vector);
    rig_set(r, i, NIC_CTRL, NIC_CTRL_ENABLE | ctrl);
}

static inline void rig_start(struct rig *r, uint64_t rate_bps)
{
    struct nic_conf conf = {.rate_bps = rate_bps,
                            .features = NIC_F_TX_CSUM | NIC_F_RX_CSUM | NIC_F_TSO | NIC_F_RSS |
                                        NIC_F_PAUSE | NIC_F_LRO,
                            .mac = {2, 0, 0, 0, 0, 1},
                            .n_queues = 2,
                            .tx_fifo = RIG_FIFO,
                            .rx_fifo = RIG_FIFO,
                            .dma_latency_ns = RIG_LATENCY};
    *r = (struct rig){0};
    arena_init(&r->arena, r->memory, sizeof(r->memory));
    for (unsigned i = 0; i < 2; i++) {
        struct rig_host *h = &r->h[i];
        conf.mac[5] = (uint8_t)(1 + i);
        bus_dma_init(&h->dma);
        assert_int_not_equal(bus_dma_map(&h->dma, &h->mem, sizeof(h->mem)), 0);
        h->vector = bus_irq_request(&h->irqs, rig_interrupt, h);
        nic_init(&h->nic, &conf, &r->arena, &h->dma, &h->irqs);
        h->pio = nic_pio(&h->nic);
    }
    struct cable_conf line = {.delay_ns = 50, .room = RIG_FIFO, .seed = 1};
    cable_init(&r->cable, &r->h[0].nic, &r->h[1].nic, &line, &r->arena);
    assert_false(r->arena.is_full);
    rig_bring_up(r, 0, 0);
    rig_bring_up(r, 1, 0);
}

/* A frame of n bytes for `to`, with `mark` in each of its payload bytes, in host i's memory, where
 * the next descriptor's frames have their place. */
static inline uint8_t *rig_frame(struct rig *r, unsigned i, unsigned to, uint32_t n, uint8_t mark)
{
    uint8_t *f = r->h[i].mem.out + (n <= RIG_BUF ? r->h[i].tx_tail % RIG_RING * RIG_BUF : 0);
    memset(f, mark, n);
    memcpy(f, r->h[to].nic.conf.mac, 6);
    memcpy(f + 6, r->h[i].nic.conf.mac, 6);
    f[12] = 0x88;
    f[13] = 0xb5; /* local experimental */
    return f;
}

/* A descriptor onto the ring; the doorbell is rig_ring's. */
static inline void rig_txd(struct rig *r, unsigned i, struct nic_txd d)
{
    struct rig_host *h = &r->h[i];
    uint32_t tag = nic_tag(h->tx_tail, RIG_RING);
    d.addr = nic_addr_tagged(d.addr, tag);
    d.flags |= (uint8_t)(tag << NIC_TXD_TAG_SHIFT);
    h->mem.txd[h->tx_tail++ % RIG_RING] = d;
}
static inline void rig_ring(struct rig *r, unsigned i)
{
    rig_set(r, i, NIC_QUEUE(0) + NIC_TX_TAIL, r->h[i].tx_tail);
}
static inline void rig_send(struct rig *r, unsigned i, uint32_t n, uint8_t mark)
{
    uint8_t *f = rig_frame(r, i, 1 - i, n, mark);
    rig_txd(r, i, (struct nic_txd){rig_bus(&r->h[i], f), (uint16_t)n, NIC_TXD_EOP, 0, 0, 0, 0});
    rig_ring(r, i);
}

/* The next frame out of the return ring into r->frame; its length, 0: none. flags: of the last
 * entry. */
static inline uint32_t rig_take(struct rig *r, unsigned i, uint16_t *flags)
{
    struct rig_host *h = &r->h[i];
    uint32_t n = 0;
    for (unsigned k = 0; k < RIG_RING; k++) {
        struct nic_ret *e = &h->mem.ret[h->ret_next % RIG_RING];
        if ((e->flags & NIC_RET_DONE) == 0)
            return 0;
        uint32_t place = e->rx % RIG_RING;
        *flags = e->flags;
        memcpy(r->frame + n, h->mem.hdr[place], e->hdr_len);
        n += e->hdr_len;
        memcpy(r->frame + n, h->mem.buf[place], e->buf_len);
        n += e->buf_len;
        e->flags = 0;
        h->ret_next++;
        rig_set(r, i, NIC_QUEUE(0) + NIC_RET_TAIL, h->ret_next);
        if ((*flags & NIC_RET_MORE) == 0)
            return n;
    }
    return 0;
}

#endif
