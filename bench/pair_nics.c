/* SPDX-License-Identifier: Apache-2.0
 *
 * The pair, joined by driver, rings, NIC and cable at each end instead of a wire in memory: what
 * the model costs beside it.
 *
 * Time is virtual: whatever the line takes, the clock jumps to the next thing that happens, so that
 * what is measured is what the processor does and not how long the line is. When a turn moved
 * nothing, it jumps to the next timer of a stack.
 */
#include "pair.h"

#include <stdio.h>
#include <stdlib.h>

enum { RING = 256, COALESCE_NS = 20000, COALESCE_FRAMES = 32, GBIT = 1000000000 };

void pair_nics_make(struct pair *p, const struct pair_conf *pc)
{
    static const uint8_t mac[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
    const uint32_t tso = NETDEV_TSO4 | NETDEV_TSO6, csum = NETDEV_TX_CSUM | NETDEV_RX_CSUM;
    struct sim_nic_conf c = {
        .nic = {.rate_bps = (uint64_t)100 * GBIT,
                .features = NIC_F_TX_CSUM | NIC_F_RX_CSUM | NIC_F_TSO,
                .dma_latency_ns = 800,
                .csum_isa = csum_best_isa()},
        .driver = {.tx_ring = RING,
                   .rx_ring = RING,
                   .rx_ns = COALESCE_NS,
                   .rx_frames = COALESCE_FRAMES,
                   .tx_ns = COALESCE_NS,
                   .tx_frames = COALESCE_FRAMES,
                   .offloads = (pc->has_csum ? csum : 0) | (pc->has_tso ? tso : 0)},
        .cable = {.delay_ns = 50},
    };
    int error;
    p->nics = sim_nics_new(&c, mac, pc->mtu, p->now, &error);
    if (p->nics == NULL) {
        fprintf(stderr, "bench: no NICs\n");
        exit(1);
    }
}

void pair_nics_open(struct pair *p)
{
    for (unsigned side = 0; side < 2; side++) {
        if (netdev_open(&p->nics->end[side].driver.dev, stack_mem(p->w[side])) != 0) {
            fprintf(stderr, "bench: the driver does not open\n");
            exit(1);
        }
    }
}

/* What one side has to send goes to its driver, what its driver has comes to it. */
static unsigned move(struct pair *p, unsigned side)
{
    struct pkt *v[SIM_NIC_BURST];
    struct sim_nic_end *e = &p->nics->end[side];
    unsigned n = 0;
    if (vnic_all_next(&e->driver) <= p->now) {
        n = vnic_all_rx(&e->driver, p->now, v, SIM_NIC_BURST);
        weir_rx(p->w[side], p->now, p->nif[side], v, n);
        unsigned done = vnic_all_reap(&e->driver, p->now, v, SIM_NIC_BURST);
        weir_sent(p->w[side], p->now, v, done);
        n += done;
    }
    if (e->n_wait == 0)
        e->n_wait = weir_tx(p->w[side], p->now, p->nif[side], e->wait, SIM_NIC_BURST);
    unsigned k = vnic_all_tx(&e->driver, p->now, e->wait, e->n_wait);
    memmove(e->wait, e->wait + k, (e->n_wait - k) * sizeof(e->wait[0]));
    e->n_wait -= k;
    p->frames += k;
    return n + k;
}

void pair_nics_run(struct pair *p, bool does_time)
{
    uint64_t before = p->frames;
    p->now += p->step;
    cable_step(&p->nics->cable, p->now);
    for (unsigned side = 0; does_time && side < 2; side++)
        weir_tick(p->w[side], p->now);
    for (;;) {
        while (move(p, 0) + move(p, 1) != 0)
            ;
        w_ns next = cable_next(&p->nics->cable);
        if (next == W_NEVER)
            break;
        p->now = w_u64_max(p->now, next);
        cable_step(&p->nics->cable, p->now);
    }
    w_ns timer = w_u64_min(weir_next(p->w[0]), weir_next(p->w[1]));
    if (p->frames == before && timer != W_NEVER)
        p->now = w_u64_max(p->now, timer);
}
