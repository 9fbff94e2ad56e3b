/* SPDX-License-Identifier: Apache-2.0
 *
 * Physical addresses, and memory that keeps them.
 *
 * A device that writes to a physical address needs the page to stay there. Locked memory (mlock) is
 * only never swapped: the kernel still moves it when it compacts memory, and after a fork the first
 * write gives the writer another page. What neither moves nor shares is a page pinned for a device,
 * and the one way to have that without a driver is to register it as a buffer with io_uring: so
 * each region gets a ring that is never used for anything else, and holds its pages until it is
 * closed, or this process ends, however it ends.
 *
 * Where a page lies says /proc/self/pagemap, to root.
 *
 * Owns the descriptors and the tables. Called by virtio.c. Read first: io_uring_register(2), at
 * IORING_REGISTER_BUFFERS; Documentation/admin-guide/mm/pagemap.rst of Linux.
 */
#include "backend/hostmem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/io_uring.h>

enum { PIN_PIECE = 1 << 30 /* bytes of one buffer at most */, PIN_PIECES = 64 };

#define PAGEMAP_PRESENT ((uint64_t)1 << 63)
#define PAGEMAP_FRAME   (((uint64_t)1 << 55) - 1)

int hostmem_open(struct hostmem *h)
{
    *h = (struct hostmem){.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)};
    for (unsigned i = 0; i < BUS_PAGES_REGIONS; i++)
        h->pin[i] = -1;
    return h->pagemap >= 0 ? 0 : -errno;
}

/* A descriptor that holds the pages; -E…. */
static int pin_pages(void *virt, size_t n)
{
    struct io_uring_params params = {0};
    struct iovec v[PIN_PIECES];
    unsigned n_v = 0;
    for (size_t at = 0; at < n; at += PIN_PIECE) {
        if (n_v == PIN_PIECES)
            return -E2BIG;
        v[n_v++] = (struct iovec){(uint8_t *)virt + at, WEIR_MIN(n - at, (size_t)PIN_PIECE)};
    }
    int fd = (int)syscall(SYS_io_uring_setup, 1, &params);
    if (fd < 0)
        return -errno;
    if (syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, v, n_v) == 0)
        return fd;
    int e = -errno;
    close(fd);
    return e;
}

static int find_pages(const struct hostmem *h, const void *virt, size_t n, bus_addr *page)
{
    off_t first = (off_t)((uintptr_t)virt / BUS_PAGE * sizeof(uint64_t));
    size_t bytes = n * sizeof(uint64_t);
    uint8_t *at = (uint8_t *)page;
    for (size_t done = 0; done < bytes;) {
        ssize_t k = pread(h->pagemap, at + done, bytes - done, first + (off_t)done);
        if (k <= 0)
            return k < 0 ? -errno : -EIO;
        done += (size_t)k;
    }
    for (size_t i = 0; i < n; i++) {
        if ((page[i] & PAGEMAP_PRESENT) == 0)
            return -EFAULT;
        page[i] = (page[i] & PAGEMAP_FRAME) * BUS_PAGE;
        if (page[i] == 0)
            return -EPERM;
    }
    return 0;
}

int hostmem_map(struct hostmem *h, void *virt, size_t n)
{
    unsigned i = h->pages.n;
    size_t n_pages = bus_pages_count(virt, n);
    if (i == BUS_PAGES_REGIONS)
        return -ENOSPC;
    h->page[i] = calloc(n_pages, sizeof(bus_addr));
    if (h->page[i] == NULL)
        return -ENOMEM;
    h->pin[i] = pin_pages(virt, n);
    int e = h->pin[i] < 0 ? h->pin[i] : find_pages(h, virt, n_pages, h->page[i]);
    if (e >= 0)
        e = bus_pages_add(&h->pages, virt, n, h->page[i]);
    if (e == 0)
        return 0;
    if (h->pin[i] >= 0)
        close(h->pin[i]);
    h->pin[i] = -1;
    free(h->page[i]);
    h->page[i] = NULL;
    return e;
}

void hostmem_close(struct hostmem *h)
{
    for (unsigned i = 0; i < BUS_PAGES_REGIONS; i++) {
        if (h->pin[i] >= 0)
            close(h->pin[i]);
        free(h->page[i]);
    }
    if (h->pagemap >= 0)
        close(h->pagemap);
}
