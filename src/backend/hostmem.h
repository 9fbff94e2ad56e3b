/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory of this process for a device without an IOMMU: held in place, and where it lies.
 */
#ifndef WEIR_BACKEND_HOSTMEM_H
#define WEIR_BACKEND_HOSTMEM_H

#include "bus/pages.h"

struct hostmem {
    struct bus_pages pages;
    bus_addr *page[BUS_PAGES_REGIONS]; /* of each region */
    int pin[BUS_PAGES_REGIONS];        /* a descriptor that holds it while open */
    int pagemap;
};

/* 0, or -E…: this process may not look where its memory is. */
WEIR_MUST_CHECK int hostmem_open(struct hostmem *);
/* Holds the pages of [virt, virt + n), which is anonymous memory, where they are and adds them to
 * `pages`. 0; -EPERM: physical addresses are not told to this process (it is not root); or what the
 * kernel says (-ENOSYS, -EACCES: no io_uring). */
WEIR_MUST_CHECK int hostmem_map(struct hostmem *, void *virt, size_t n);
/* Lets all of it go. */
void hostmem_close(struct hostmem *);

#endif
