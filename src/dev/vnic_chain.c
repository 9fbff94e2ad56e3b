/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver's answer to "where do the bytes wait?": its rings and the card's memory as gauges.
 *
 * Decides which of the card's counters is the drop of which buffer: a frame for which the FIFO
 * had no room was missed; one that found no buffer in the ring was dropped there; what the driver
 * had to take off the transmit ring unsent is the ring's. Several queues are shown as one: what is
 * inside adds up, and so do the times.
 *
 * Owns nothing; reads registers, so it is for people, not for each packet.
 */
#include "dev/vnic_parts.h"

static void name(struct weir_gauge *g, const char *what, const char *unit)
{
    *g = (struct weir_gauge){0};
    for (unsigned i = 0; what[i] != '\0' && i + 1 < sizeof(g->name); i++)
        g->name[i] = what[i];
    for (unsigned i = 0; unit[i] != '\0' && i + 1 < sizeof(g->unit); i++)
        g->unit[i] = unit[i];
}

/* Adds what the card says of one of its buffers. */
static void add_gauge(struct vnic *v, uint32_t id, struct weir_gauge *g)
{
    uint32_t reg = (uint32_t)NIC_GAUGES + id * (uint32_t)NIC_GAUGE_STRIDE;
    g->now += vnic_read(v, reg + NIC_GAUGE_NOW);
    g->limit += vnic_read(v, reg + NIC_GAUGE_LIMIT);
    g->high_water += vnic_read(v, reg + NIC_GAUGE_HIGH);
    g->n_full += vnic_read(v, reg + NIC_GAUGE_N_FULL);
    g->full_ns += vnic_read(v, reg + NIC_GAUGE_FULL_LO) |
                  (uint64_t)vnic_read(v, reg + NIC_GAUGE_FULL_HI) << 32;
}

static void tx_ring(struct vnic *v, struct weir_gauge *g)
{
    name(g, "TX ring", "entries");
    for (uint32_t i = 0; i < v->conf.n_queues; i++) {
        const struct vnic_queue *q = &v->q[i];
        g->now += vnic_tx_used(v, i);
        g->limit += v->conf.tx_ring;
        g->high_water += q->tx_gauge.high_water;
        g->n_full += q->tx_gauge.n_full;
        g->full_ns += gauge_full_ns(&q->tx_gauge, v->now);
    }
    g->drops = v->dev.stats.tx_dropped;
}

unsigned vnic_chain_send(struct vnic *v, w_ns now, struct weir_gauge *g)
{
    v->now = w_u64_max(v->now, now);
    tx_ring(v, &g[0]);
    name(&g[1], "TX FIFO", "bytes");
    add_gauge(v, NIC_G_TX_FIFO, &g[1]);
    g[1].drops = vnic_stat(v, NIC_S_TX_DMA_ERRORS) + vnic_stat(v, NIC_S_TX_BAD_DESC);
    name(&g[2], "line", "paused");
    g[2].now = (vnic_read(v, NIC_STATUS) & NIC_STATUS_PAUSED) != 0;
    g[2].limit = 1;
    g[2].high_water = vnic_stat(v, NIC_S_PAUSED_NS) != 0 || g[2].now != 0;
    g[2].n_full = vnic_stat(v, NIC_S_RX_PAUSE);
    g[2].full_ns = vnic_stat(v, NIC_S_PAUSED_NS);
    return 3;
}

unsigned vnic_chain_recv(struct vnic *v, w_ns now, struct weir_gauge *g)
{
    v->now = w_u64_max(v->now, now);
    name(&g[0], "RX FIFO", "bytes");
    add_gauge(v, NIC_G_RX_FIFO, &g[0]);
    g[0].drops = vnic_stat(v, NIC_S_RX_MISSED);
    name(&g[1], "RX ring", "entries");
    for (uint32_t i = 0; i < v->conf.n_queues; i++)
        add_gauge(v, NIC_G_RX_RING + i, &g[1]);
    g[1].drops = vnic_stat(v, NIC_S_RX_NO_BUFFER) + v->dev.stats.rx_dropped;
    return 2;
}
