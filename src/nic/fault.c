/* SPDX-License-Identifier: Apache-2.0
 *
 * What a NIC does wrong by itself, when a plan says so: for drivers and stacks to prove themselves.
 *
 * Theory of operation. At each occasion (a descriptor fetched, a write-back, an interrupt, an
 * access to memory, a frame) the part that is about to do the right thing asks nic_fault whether to
 * do the wrong one. The answers come from one seeded generator, so a run with its faults is
 * repeated by its seed. A plan without faults costs one comparison at each occasion and draws
 * nothing.
 *
 * What is late is held here: a write to host memory with its time. It takes effect when that has
 * come, after whatever was written meanwhile; so late and out of order are the same thing. A reset
 * forgets it, as real ones wait for or cancel posted writes.
 *
 * Called by txq, rxq, irq, mac and nic.c. Calls the bus.
 */
#include "nic/parts.h"

void nic_set_faults(struct nic *n, const struct nic_fault_plan *p)
{
    n->fault.plan = *p;
    rng_seed(&n->fault.rng, p->seed);
}

const char *nic_fault_name(enum nic_fault_kind k)
{
    static const char *const name[] = {
#define X(name, text) [NIC_FAULT_##name] = text,
        NIC_FAULT_LIST(X)
#undef X
    };
    return name[k];
}

bool nic_fault(struct nic *n, enum nic_fault_kind k)
{
    struct nic_fault *f = &n->fault;
    if (WEIR_LIKELY(f->plan.ppm[k] == 0) || !rng_chance_ppm(&f->rng, f->plan.ppm[k]))
        return false;
    f->count[k]++;
    return true;
}

w_ns nic_fault_delay(struct nic *n)
{
    w_ns most = w_u64_min(n->fault.plan.late_ns, UINT32_MAX - 1);
    return 1 + rng_below(&n->fault.rng, (uint32_t)most + 1);
}

/* ---- torn descriptors ---- */

/* One half is as the lap before would have left it: of what lies in `old`, with that lap's tag. */
static bus_addr lap_old(bus_addr old, uint32_t tag)
{
    return nic_addr_tagged(nic_addr_of(old), (tag + 1) & NIC_TAG_MASK);
}

void nic_fault_tear_txd(struct nic *n, struct nic_txd *d, const struct nic_txd *old)
{
    struct nic_txd now = *d;
    uint32_t tag = nic_addr_tag(d->addr);
    if (rng_below(&n->fault.rng, 2) == 0) {
        d->addr = lap_old(old->addr, tag);
        return;
    }
    *d = *old;
    d->addr = now.addr;
    d->flags = (uint8_t)((old->flags & ((1u << NIC_TXD_TAG_SHIFT) - 1)) | ((tag + 1) & NIC_TAG_MASK)
                                                                              << NIC_TXD_TAG_SHIFT);
}

void nic_fault_tear_rxd(struct nic *n, struct nic_rxd *d, const struct nic_rxd *old)
{
    uint32_t tag = nic_addr_tag(d->hdr);
    if (rng_below(&n->fault.rng, 2) == 0)
        d->hdr = lap_old(old->hdr, tag);
    else
        d->buf = lap_old(old->buf, tag);
}

/* ---- late writes ---- */

bool nic_fault_hold(struct nic *n, const struct nic_held *h, const void *bytes)
{
    for (unsigned i = 0; i < NIC_HELD; i++) {
        struct nic_held *to = &n->fault.held[i];
        if (to->n != 0)
            continue;
        *to = *h;
        to->due = n->now + nic_fault_delay(n);
        memcpy(to->bytes, bytes, h->n);
        n->fault.n_held++;
        return true;
    }
    return false;
}

w_ns nic_fault_next(const struct nic *n)
{
    w_ns next = W_NEVER;
    for (unsigned i = 0; n->fault.n_held != 0 && i < NIC_HELD; i++) {
        if (n->fault.held[i].n != 0)
            next = w_u64_min(next, n->fault.held[i].due);
    }
    return next;
}

void nic_fault_pump(struct nic *n)
{
    for (unsigned i = 0; n->fault.n_held != 0 && i < NIC_HELD; i++) {
        struct nic_held *h = &n->fault.held[i];
        if (h->n == 0 || h->due > n->now)
            continue;
        uint8_t *at = bus_dma_at(n->dma, h->at, h->n);
        if (at != NULL)
            memcpy(at, h->bytes, h->n);
        h->n = 0;
        n->fault.n_held--;
        nic_irq_event(n, h->queue, h->is_rx);
    }
}

void nic_fault_reset(struct nic *n)
{
    memset(n->fault.held, 0, sizeof(n->fault.held));
    n->fault.n_held = 0;
    n->fault.must_reset = false;
    n->fault.storm_until = 0;
}

/* ---- addresses ---- */

uint8_t *nic_dma_at(struct nic *n, bus_addr at, size_t len)
{
    const bus_addr nowhere = (bus_addr)1 << (NIC_ADDR_TAG_SHIFT - 1);
    if (nic_fault(n, NIC_FAULT_RESET))
        n->fault.must_reset = true;
    if (nic_fault(n, NIC_FAULT_UNMAPPED))
        at |= nowhere;
    return bus_dma_at(n->dma, at, len);
}
