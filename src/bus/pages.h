/* SPDX-License-Identifier: Apache-2.0
 *
 * Host memory as a device sees it that stands behind no IOMMU: page by page, wherever each page
 * happens to lie. What is one stretch for a driver may be many for the device, so the answer to
 * "where is it?" says also how far that holds.
 *
 * Whoever can find out physical addresses fills the table in (backend/); drivers read it.
 */
#ifndef WEIR_BUS_PAGES_H
#define WEIR_BUS_PAGES_H

#include "bus/bus.h"

enum { BUS_PAGES_REGIONS = 8 };

struct bus_pages_region {
    const uint8_t *virt;
    size_t n;
    const bus_addr *page; /* the bus address of each page the region touches, lowest first */
};

struct bus_pages {
    struct bus_pages_region region[BUS_PAGES_REGIONS];
    unsigned n;
};

/* How many pages [virt, virt + n) touches: the length of its `page` array. */
size_t bus_pages_count(const void *virt, size_t n);
/* Adds a region; memory and array stay the caller's, in place as long as the table is used. 0,
 * -ENOSPC, or -EINVAL for an empty one. */
WEIR_MUST_CHECK int bus_pages_add(struct bus_pages *, const void *virt, size_t n,
                                  const bus_addr *page);
/* The bus address of virt, and into *run how many of the n ≥ 1 bytes from there on follow it
 * without a gap (≥ 1, ≤ n). 0: not in the table. */
bus_addr bus_pages_addr(const struct bus_pages *, const void *virt, size_t n, size_t *run);

#endif
