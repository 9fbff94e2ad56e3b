/* SPDX-License-Identifier: Apache-2.0
 *
 * The bus between a host and its devices: how each side reaches the other.
 *
 *   host                                         device
 *   driver ── bus_pio: registers, doorbells ───► registers
 *   memory ◄── bus_dma: bus address → bytes ──── DMA engine
 *   handler ◄─ bus_irq: a number ─────────────── interrupt line
 *
 * This is all that driver and device share, and bus/nic_regs.h, which says what the words mean.
 * A device never sees a host pointer: it says a bus address, and the table of its DMA space answers
 * with the bytes there or with a fault, as an IOMMU does.
 */
#ifndef WEIR_BUS_H
#define WEIR_BUS_H

#include "base/base.h"

/* ---- registers: programmed I/O by the host ---- */

/* ctx is the device's. Both act at `now`, or, where the device has been given a later time already,
 * then; a read of a register that does not exist is all ones, a
 * write to one is ignored, as on a real bus. */
struct bus_pio {
    uint32_t (*read)(void *ctx, w_ns now, uint32_t reg);
    void (*write)(void *ctx, w_ns now, uint32_t reg, uint32_t value);
    void *ctx;
};

static inline uint32_t bus_read(const struct bus_pio *b, w_ns now, uint32_t reg)
{
    return b->read(b->ctx, now, reg);
}
static inline void bus_write(const struct bus_pio *b, w_ns now, uint32_t reg, uint32_t value)
{
    b->write(b->ctx, now, reg, value);
}

/* ---- memory: DMA by the device ---- */

enum {
    BUS_PAGE = 4096,
    BUS_REGIONS = 8,
    BUS_BASE = 0x10000, /* no page below it is ever mapped: address 0 faults */
};

typedef uint64_t bus_addr;

/* A stretch of host memory that the device may reach. */
struct bus_region {
    uint8_t *virt; /* NULL: the place is free */
    size_t n;
    bus_addr phys; /* of virt[0] */
};

/* One device's view of host memory: the translation table. Bus pages are given out upward and never
 * again, so that an address from before an unmapping faults instead of meeting something new. */
struct bus_dma {
    struct bus_region region[BUS_REGIONS];
    bus_addr next;
    uint64_t faults; /* accesses that met nothing */
};

void bus_dma_init(struct bus_dma *);
/* Lets the device reach [virt, virt + n); the memory stays the caller's and has to stay in place
 * until unmapped. Returns the bus address of virt, 0: no place in the table, or n = 0. */
WEIR_MUST_CHECK bus_addr bus_dma_map(struct bus_dma *, void *virt, size_t n);
/* Takes back what bus_dma_map answered `phys` for. */
void bus_dma_unmap(struct bus_dma *, bus_addr phys);
/* Virtual → physical: the bus address of memory that is mapped. 0: it is not. */
bus_addr bus_dma_addr(const struct bus_dma *, const void *virt);
/* Physical → bytes: n bytes from `at` on, NULL (a fault, counted) if not all of them are mapped. */
uint8_t *bus_dma_at(struct bus_dma *, bus_addr at, size_t n);

/* ---- interrupts ---- */

enum { BUS_IRQS = 32 };

/* The handler found by its number. It runs in the middle of the device's step, so it may only take
 * note that there is work: no register, no device call. */
struct bus_irq_line {
    void (*handler)(void *ctx);
    void *ctx;
    uint64_t raised;
};

struct bus_irq {
    struct bus_irq_line line[BUS_IRQS];
    uint64_t spurious; /* raised with a number that has no handler */
};

/* A number that nobody has, with its handler from now on; -1: all are taken. */
WEIR_MUST_CHECK int bus_irq_request(struct bus_irq *, void (*handler)(void *ctx), void *ctx);
void bus_irq_free(struct bus_irq *, int number);
/* The device's side: finds the handler by number and runs it. */
void bus_irq_raise(struct bus_irq *, unsigned number);

#endif
