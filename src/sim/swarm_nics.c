/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws cards, drivers and a cable, and what goes wrong in them.
 *
 * Decides how often each fault comes where it exists at all: often enough that most runs meet it
 * several times, rarely enough that transfers still move. Kinds are drawn first, as in swarm.c. A
 * reset and a ring that faults stand still until the driver's watchdog has seen them, a tenth of a
 * second; so there are at most some dozens of these in a run.
 *
 * Called by swarm.c. Calls sim/nics, nic/ and dev/vnic.
 */
#include "sim/swarm_nics.h"

#include "wire/eth.h"

#include <errno.h>

enum { ETHERNET_MTU = 1500 };
enum { BAD_CRC = NIC_N_FAULTS, CUT_SHORT, TOO_LONG, KINDS };
_Static_assert((int)KINDS == (int)SWARM_NIC_FAULTS, "as the header says");

#define MBIT ((uint64_t)1000000)

static uint32_t pick(struct rng *r, const uint32_t *v, unsigned n) { return v[rng_below(r, n)]; }

static bool draws(struct rng *r, uint32_t of) { return rng_below(r, of) == 0; }

const char *swarm_nics_fault(unsigned k)
{
    static const char *const of_cable[] = {"flipped_bits", "cut_frames", "frames_too_long"};
    return k < NIC_N_FAULTS ? nic_fault_name((enum nic_fault_kind)k) : of_cable[k - NIC_N_FAULTS];
}

/* ---- the cards and their drivers ---- */

/* What can be changed while they run. */
static void draw_settings(struct swarm_nics *s, struct vnic_conf *d)
{
    static const uint32_t ring[] = {8, 16, 64, 256, 1024}, ns[] = {0, 10000, 100000, 1000000},
                          frames[] = {0, 1, 8, 64};
    struct rng *r = &s->rng;
    d->tx_ring = pick(r, ring, 5);
    d->rx_ring = pick(r, ring, 5);
    d->rx_ns = pick(r, ns, 4);
    d->tx_ns = pick(r, ns, 4);
    d->rx_frames = pick(r, frames, 4);
    d->tx_frames = pick(r, frames, 4);
    d->is_adaptive = draws(r, 3);
    d->n_queues = 1 + rng_below(r, s->conf.nic.n_queues);
    d->has_pause_rx = draws(r, 2);
    d->has_pause_tx = draws(r, 2);
    d->is_dropping = draws(r, 4);
    /* Now and then indices pass 2^32 during the run. */
    d->first_index = draws(r, 2) ? 0 : 0 - rng_below(r, 3000);
}

static void draw_cards(struct swarm_nics *s)
{
    static const uint32_t mbit[] = {10, 100, 1000, 10000}, latency[] = {0, 500, 5000},
                          bus_mbit[] = {0, 1000, 16000}, delay[] = {50, 5000, 50000};
    struct rng *r = &s->rng;
    struct nic_conf *c = &s->conf.nic;
    const uint32_t tso = NETDEV_TSO4 | NETDEV_TSO6;
    uint32_t least = 2 * (s->mtu + WIRE_ETH_HLEN + WIRE_VLAN_HLEN);
    c->rate_bps = pick(r, mbit, 4) * MBIT;
    c->features = (uint32_t)NIC_F_RSS | NIC_F_PAUSE | rng_below(r, 8); /* checksums, TSO */
    c->features |= draws(r, 2) ? (uint32_t)NIC_F_LRO : 0;
    bool is_able = draws(r, 3); /* else few would have all that an offload needs */
    c->features |= is_able ? (uint32_t)NIC_F_TX_CSUM | NIC_F_RX_CSUM | NIC_F_TSO | NIC_F_LRO : 0;
    c->n_queues = 1 + rng_below(r, 4);
    c->tx_fifo = draws(r, 2) ? 0 : least;
    c->rx_fifo = draws(r, 2) ? 0 : least + rng_below(r, 32768);
    c->dma_latency_ns = pick(r, latency, 3);
    c->dma_bps = pick(r, bus_mbit, 3) * MBIT;
    s->conf.driver.offloads = rng_below(r, 2 * NETDEV_TSO6); /* all of checksums and TSO */
    s->conf.driver.offloads |= draws(r, 2) ? (uint32_t)NETDEV_LRO : 0;
    s->conf.driver.offloads |= is_able ? (uint32_t)NETDEV_TX_CSUM | NETDEV_RX_CSUM | tso : 0;
    s->conf.cable.delay_ns = pick(r, delay, 3);
    s->conf.cable.seed = rng_u64(r);
}

/* ---- what goes wrong ---- */

static void draw_faults(struct swarm_nics *s)
{
    static const uint32_t often[] = {1000, 10000, 50000}, seldom[] = {10, 100, 400},
                          at_times[] = {100, 1000, 4000}, cable[] = {1000, 10000, 50000},
                          late_us[] = {10, 1000, 50000}, storm_ms[] = {10, 300, 8000, 30000};
    struct rng *r = &s->rng;
    for (unsigned k = 0; k < KINDS; k++)
        s->faults |= draws(r, 4) ? 1u << k : 0;
    if (draws(r, 10))
        s->faults = 0;
    for (unsigned k = 0; k < NIC_N_FAULTS; k++) {
        bool is_grave = k == NIC_FAULT_UNMAPPED || k == NIC_FAULT_RESET;
        const uint32_t *ppm = is_grave ? seldom : k == NIC_FAULT_STORM ? at_times : often;
        if ((s->faults & 1u << k) != 0)
            s->plan.ppm[k] = pick(r, ppm, 3);
    }
    s->plan.late_ns = pick(r, late_us, 3) * W_US;
    s->plan.storm_ns = pick(r, storm_ms, 4) * W_MS;
    struct cable_conf *c = &s->conf.cable;
    c->corrupt_ppm = (s->faults & 1u << BAD_CRC) != 0 ? pick(r, cable, 3) : 0;
    c->cut_ppm = (s->faults & 1u << CUT_SHORT) != 0 ? pick(r, cable, 3) : 0;
    c->babble_ppm = (s->faults & 1u << TOO_LONG) != 0 ? pick(r, cable, 3) : 0;
}

void swarm_nics_draw(struct swarm_nics *s, uint64_t seed, uint32_t mtu)
{
    *s = (struct swarm_nics){.mtu = mtu};
    rng_seed(&s->rng, seed);
    draw_cards(s);
    draw_settings(s, &s->conf.driver);
    draw_faults(s);
}

void swarm_nics_fail(struct swarm_nics *s, struct sim_nics *l)
{
    for (unsigned i = 0; i < 2; i++) {
        s->plan.seed = rng_u64(&s->rng);
        nic_set_faults(&l->end[i].nic, &s->plan);
    }
}

void swarm_nics_calm(struct sim_nics *l)
{
    for (unsigned i = 0; i < 2; i++) {
        struct cable_conf *c = &l->cable.way[i].conf;
        nic_set_faults(&l->end[i].nic, &(struct nic_fault_plan){0});
        c->corrupt_ppm = c->cut_ppm = c->babble_ppm = 0;
    }
}

int swarm_nics_change(struct swarm_nics *s, struct sim_nics *l, w_ns now)
{
    int r = 0;
    for (unsigned i = 0; i < 2 && r == 0; i++) {
        struct vnic_conf c = l->end[i].driver.conf;
        draw_settings(s, &c);
        r = vnic_set(&l->end[i].driver, now, &c);
    }
    return r;
}

/* ---- in words ---- */

int swarm_nics_words(const struct swarm_nics *s, char *out, size_t n)
{
    const struct vnic_conf *d = &s->conf.driver;
    int k = snprintf(out, n, "NICs of %llu Mbit/s, %u of %u queues, rings %u and %u%s%s, faults:",
                     (unsigned long long)(s->conf.nic.rate_bps / MBIT), d->n_queues,
                     s->conf.nic.n_queues, d->tx_ring, d->rx_ring,
                     d->has_pause_rx || d->has_pause_tx ? ", PAUSE" : "",
                     d->is_adaptive ? ", adaptive" : "");
    for (unsigned i = 0; i < KINDS && k < (int)n; i++)
        if ((s->faults & 1u << i) != 0)
            k += snprintf(out + k, n - (size_t)k, " %s", swarm_nics_fault(i));
    return k;
}

/* ---- what was to be seen ---- */

const char *swarm_nics_work(unsigned work)
{
    static const char *const name[SWARM_NIC_WORKS] = {
        [SWARM_LRO] = "segments merged by the card (LRO)",
        [SWARM_TSO] = "super-segments cut by the card (TSO)",
        [SWARM_QUEUES] = "flows spread over queues (RSS)",
        [SWARM_ADAPTIVE] = "coalescing adapted to the load",
        [SWARM_JUMBO] = "frames beyond 1518 bytes",
    };
    return name[work];
}

static unsigned worked_at(const struct sim_nic_end *e)
{
    unsigned n_busy = 0, works = 0;
    for (unsigned q = 0; q < NIC_QUEUES_MAX; q++)
        n_busy += e->driver.q[q].rx_packets != 0;
    works |= e->driver.count[VNIC_RX_LRO] != 0 ? 1u << SWARM_LRO : 0;
    works |= e->nic.stat[NIC_S_TX_TSO] != 0 ? 1u << SWARM_TSO : 0;
    works |= n_busy > 1 ? 1u << SWARM_QUEUES : 0;
    works |= e->driver.count[VNIC_DIM] != 0 ? 1u << SWARM_ADAPTIVE : 0;
    return works;
}

unsigned swarm_nics_worked(const struct swarm_nics *s, const struct sim_nics *l)
{
    unsigned works = worked_at(&l->end[0]) | worked_at(&l->end[1]);
    return works | (s->mtu > ETHERNET_MTU ? 1u << SWARM_JUMBO : 0);
}

void swarm_nics_count(const struct sim_nics *l, uint64_t out[SWARM_NIC_FAULTS])
{
    for (unsigned i = 0; i < 2; i++) {
        const struct cable_way *w = &l->cable.way[i];
        for (unsigned k = 0; k < NIC_N_FAULTS; k++)
            out[k] += l->end[i].nic.fault.count[k];
        out[BAD_CRC] += w->corrupted;
        out[CUT_SHORT] += w->cut;
        out[TOO_LONG] += w->babbled;
    }
}

void swarm_nics_show(struct sim_nics *l, unsigned side, FILE *f)
{
    struct sim_nic_end *e = &l->end[side];
    const char *name;
    uint64_t value;
    for (unsigned i = 0; vnic_stat_at(&e->driver, i, &name, &value); i++)
        if (value != 0)
            fprintf(f, "  nic: %-36s %llu\n", name, (unsigned long long)value);
    for (unsigned i = 0; i < NIC_N_FAULTS; i++)
        if (e->nic.fault.count[i] != 0)
            fprintf(f, "  injected: %-31s %llu\n", nic_fault_name((enum nic_fault_kind)i),
                    (unsigned long long)e->nic.fault.count[i]);
}
