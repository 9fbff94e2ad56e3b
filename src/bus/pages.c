/* SPDX-License-Identifier: Apache-2.0
 *
 * The page table of a host without an IOMMU.
 *
 * What is decided here: that neighbouring pages which happen to be neighbours on the bus too are
 * answered as one stretch, so that memory of huge pages costs no more descriptors than an IOMMU's;
 * and that a stretch never goes beyond its region.
 *
 * Called by drivers for every buffer, so it searches few regions and calls nothing. Owns nothing.
 */
#include "bus/pages.h"

#include <errno.h>

static size_t first_offset(const void *virt) { return (uintptr_t)virt % BUS_PAGE; }

size_t bus_pages_count(const void *virt, size_t n)
{
    return (first_offset(virt) + n + BUS_PAGE - 1) / BUS_PAGE;
}

int bus_pages_add(struct bus_pages *t, const void *virt, size_t n, const bus_addr *page)
{
    if (n == 0)
        return -EINVAL;
    if (t->n == BUS_PAGES_REGIONS)
        return -ENOSPC;
    t->region[t->n++] = (struct bus_pages_region){virt, n, page};
    return 0;
}

static const struct bus_pages_region *find_region(const struct bus_pages *t, uintptr_t at)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct bus_pages_region *r = &t->region[i];
        if (at - (uintptr_t)r->virt < r->n)
            return r;
    }
    return NULL;
}

bus_addr bus_pages_addr(const struct bus_pages *t, const void *virt, size_t n, size_t *run)
{
    const struct bus_pages_region *r = find_region(t, (uintptr_t)virt);
    if (r == NULL)
        return 0;
    size_t in_region = (size_t)((const uint8_t *)virt - r->virt);
    size_t at = first_offset(r->virt) + in_region, first = at / BUS_PAGE;
    size_t want = WEIR_MIN(n, r->n - in_region), have = BUS_PAGE - at % BUS_PAGE;
    for (size_t i = first; have < want && r->page[i + 1] == r->page[i] + BUS_PAGE; i++)
        have += BUS_PAGE;
    *run = WEIR_MIN(have, want);
    return r->page[first] + at % BUS_PAGE;
}
