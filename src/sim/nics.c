/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes the two ends of a link with NICs: bus, card, driver, cable, and their memory.
 *
 * The memory is laid out twice by the same code, first counting, as the stack's arena is. Rings are
 * taken at their largest so that they can be resized while the world runs.
 *
 * Called by sim.c. Calls nic/ and dev/vnic, which meet only here and through the bus.
 */
#include "sim/nics.h"

#include "base/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { RING = 256, RING_MAX = 1024, CABLE_ROOM = 256 * 1024, GBIT = 1000000000 };

static struct sim_nic_conf with_defaults(const struct sim_nic_conf *given, uint32_t mtu)
{
    struct sim_nic_conf c = *given;
    c.nic.rate_bps = c.nic.rate_bps != 0 ? c.nic.rate_bps : GBIT;
    c.nic.n_queues = c.nic.n_queues != 0 ? c.nic.n_queues : 1;
    c.driver.n_queues = c.driver.n_queues != 0 ? c.driver.n_queues : 1;
    c.driver.tx_ring = c.driver.tx_ring != 0 ? c.driver.tx_ring : RING;
    c.driver.rx_ring = c.driver.rx_ring != 0 ? c.driver.rx_ring : RING;
    c.driver.mtu = mtu;
    c.cable.room = c.cable.room != 0 ? c.cable.room : CABLE_ROOM;
    return c;
}

static int lay_out(struct sim_nics *s, const struct sim_nic_conf *c, const uint8_t mac[2][6],
                   struct arena *a)
{
    for (unsigned i = 0; i < 2; i++) {
        struct sim_nic_end *e = &s->end[i];
        struct nic_conf nc = c->nic;
        memcpy(nc.mac, mac[i], sizeof(nc.mac));
        bus_dma_init(&e->dma);
        nic_init(&e->nic, &nc, a, &e->dma, &e->irqs);
        struct vnic_slot slot = {nic_pio(&e->nic), &e->dma, &e->irqs};
        struct vnic_conf driver = i == 1 && c->far != NULL ? *c->far : c->driver;
        driver.mtu = c->driver.mtu;
        int error = vnic_init(&e->driver, &slot, &driver, RING_MAX, a);
        if (error != 0)
            return error;
    }
    cable_init(&s->cable, &s->end[0].nic, &s->end[1].nic, &c->cable, a);
    return 0;
}

struct sim_nics *sim_nics_new(const struct sim_nic_conf *conf, const uint8_t mac[2][6],
                              uint32_t mtu, w_ns now, int *error)
{
    struct sim_nic_conf c = with_defaults(conf, mtu);
    struct sim_nics *s = calloc(1, sizeof(*s));
    struct arena a;
    *error = -ENOMEM;
    if (s == NULL)
        return NULL;
    arena_init(&a, NULL, 0);
    *error = lay_out(s, &c, mac, &a);
    s->n_mem = a.used + WEIR_CACHELINE;
    s->mem = mmap(NULL, s->n_mem, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s->mem == MAP_FAILED)
        *error = -ENOMEM;
    if (*error != 0) {
        free(s);
        return NULL;
    }
    arena_init(&a, s->mem, s->n_mem);
    *error = lay_out(s, &c, mac, &a);
    cable_step(&s->cable, now);
    return s;
}

void sim_nics_free(struct sim_nics *s)
{
    for (unsigned i = 0; i < 2; i++) {
        struct sim_nic_end *e = &s->end[i];
        for (unsigned k = 0; k < e->n_wait; k++)
            pkt_free(e->wait[k]);
        if (e->driver.dev.mem != NULL)
            netdev_close(&e->driver.dev);
    }
    munmap(s->mem, s->n_mem);
    free(s);
}

/* When its host calls the driver next, which it does not while it is stopped or still at work. */
static w_ns when_looks(struct sim_nic_end *e, w_ns awake)
{
    w_ns wants = vnic_all_next(&e->driver);
    return w_u64_max(w_u64_max(wants, e->busy_until), awake);
}

w_ns sim_nics_next(struct sim_nics *s, const w_ns awake[2])
{
    w_ns next = cable_next(&s->cable);
    for (unsigned i = 0; i < 2; i++)
        next = w_u64_min(next, when_looks(&s->end[i], awake[i]));
    return next;
}

bool sim_nics_has_frames(const struct sim_nics *s, unsigned side)
{
    const struct sim_nic_end *e = &s->end[side];
    bool has = e->n_wait != 0 || e->nic.tx.n != 0;
    for (unsigned q = 0; q < e->driver.conf.n_queues; q++)
        has |= vnic_tx_used(&e->driver, q) != 0;
    return has;
}

unsigned sim_nics_may_take(const struct sim_nics *s, unsigned side, w_ns now)
{
    const struct sim_nic_end *e = &s->end[side];
    if (e->packet_ns == 0 && e->irq_ns == 0)
        return SIM_NIC_BURST;
    return e->busy_until <= now;
}

void sim_nics_took(struct sim_nics *s, unsigned side, w_ns now, unsigned n)
{
    struct sim_nic_end *e = &s->end[side];
    uint64_t irqs = e->driver.count[VNIC_IRQS];
    w_ns cost = n * e->packet_ns + (irqs - e->irqs_paid) * e->irq_ns;
    e->irqs_paid = irqs;
    e->busy_until = now + cost;
    e->busy_ns += cost;
}
