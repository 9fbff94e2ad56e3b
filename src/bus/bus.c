/* SPDX-License-Identifier: Apache-2.0
 *
 * The bus: the translation table of a DMA space, and the table of interrupt handlers.
 *
 * What is decided here: that a region of host memory is contiguous on the bus too, as an IOMMU can
 * arrange it, so that a driver translates a buffer by one addition; that there is an unmapped page
 * between any two regions, so that running over the end of one is a fault and not a neighbour's
 * memory; and that bus addresses are never used twice.
 *
 * Called by drivers (map, translate, request), by devices (bus_dma_at, bus_irq_raise) and by
 * whoever builds a host. Calls nothing.
 */
#include "bus/bus.h"

void bus_dma_init(struct bus_dma *d) { *d = (struct bus_dma){.next = BUS_BASE}; }

static struct bus_region *free_region(struct bus_dma *d)
{
    for (unsigned i = 0; i < BUS_REGIONS; i++) {
        if (d->region[i].virt == NULL)
            return &d->region[i];
    }
    return NULL;
}

bus_addr bus_dma_map(struct bus_dma *d, void *virt, size_t n)
{
    struct bus_region *r = free_region(d);
    WEIR_ASSERT(virt != NULL);
    if (r == NULL || n == 0)
        return 0;
    /* The same offset within a page on both sides, as hardware has it. */
    *r = (struct bus_region){virt, n, d->next + (uintptr_t)virt % BUS_PAGE};
    d->next += ((uintptr_t)virt % BUS_PAGE + n + BUS_PAGE - 1) / BUS_PAGE * BUS_PAGE + BUS_PAGE;
    return r->phys;
}

void bus_dma_unmap(struct bus_dma *d, bus_addr phys)
{
    for (unsigned i = 0; i < BUS_REGIONS; i++) {
        if (d->region[i].virt != NULL && d->region[i].phys == phys) {
            d->region[i] = (struct bus_region){0};
            return;
        }
    }
    WEIR_NEVER_HERE("unmapped what was not mapped");
}

bus_addr bus_dma_addr(const struct bus_dma *d, const void *virt)
{
    uintptr_t v = (uintptr_t)virt;
    for (unsigned i = 0; i < BUS_REGIONS; i++) {
        const struct bus_region *r = &d->region[i];
        if (r->virt != NULL && v - (uintptr_t)r->virt < r->n)
            return r->phys + (v - (uintptr_t)r->virt);
    }
    return 0;
}

uint8_t *bus_dma_at(struct bus_dma *d, bus_addr at, size_t n)
{
    for (unsigned i = 0; i < BUS_REGIONS; i++) {
        const struct bus_region *r = &d->region[i];
        if (r->virt != NULL && at >= r->phys && at - r->phys < r->n && n <= r->n - (at - r->phys))
            return r->virt + (at - r->phys);
    }
    d->faults++;
    return NULL;
}

int bus_irq_request(struct bus_irq *t, void (*handler)(void *ctx), void *ctx)
{
    WEIR_ASSERT(handler != NULL);
    for (int i = 0; i < BUS_IRQS; i++) {
        if (t->line[i].handler == NULL) {
            t->line[i] = (struct bus_irq_line){.handler = handler, .ctx = ctx};
            return i;
        }
    }
    return -1;
}

void bus_irq_free(struct bus_irq *t, int number)
{
    WEIR_ASSERT(number >= 0);
    WEIR_ASSERT(number < BUS_IRQS);
    t->line[number] = (struct bus_irq_line){0};
}

void bus_irq_raise(struct bus_irq *t, unsigned number)
{
    if (number >= BUS_IRQS || t->line[number].handler == NULL) {
        t->spurious++;
        return;
    }
    t->line[number].raised++;
    t->line[number].handler(t->line[number].ctx);
}
