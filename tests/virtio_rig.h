/* SPDX-License-Identifier: Apache-2.0
 *
 * A virtio network device made for tests: registers, two queues, and every way to misbehave that a
 * test asks for. It reaches memory through bus addresses as hardware does: each page of the
 * driver's memory lies apart from its neighbours, in reverse order, so that what crosses a page is
 * seen in pieces.
 */
#ifndef WEIR_TESTS_VIRTIO_RIG_H
#define WEIR_TESTS_VIRTIO_RIG_H

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "dev/virtio_net.h"
#include "dev/virtio_parts.h"
#include "dev/vnet.h"

enum { RIG_REGIONS = 4, RIG_FRAME = 70000, RIG_BELL_STRIDE = 4, RIG_LIVE = 15 };
enum { RIG_SHARED = sizeof(struct virtio_net_shared) };

struct rig_queue {
    uint16_t size, enabled;
    uint64_t addr[3]; /* desc, avail, used */
    uint16_t seen, used;
    unsigned bells;
};

struct rig {
    struct virtio_net nic;
    struct pktmem mem;
    void *arena;
    size_t arena_bytes;
    /* host memory as the device sees it */
    struct bus_pages pages;
    struct {
        uint8_t *virt;
        bus_addr *page;
        size_t n_pages;
    } region[RIG_REGIONS];
    /* the device */
    uint64_t offers, accepted;
    uint8_t config[16], generation, status, isr;
    uint32_t feature_select, driver_select, queue_select;
    uint16_t queue_max;
    struct rig_queue q[2];
    unsigned faults; /* addresses that led nowhere */
    bool has_irq, is_raised;
    /* misbehaviour */
    bool is_gone, never_resets, refuses_features, never_settles, refuses_queues, cannot_map;
    bool
        is_mad; /* wrote what the driver owns, or reset itself: the driver's manners do not count */
};

/* ---- memory ---- */

static inline uint8_t *rig_at(struct rig *r, bus_addr at)
{
    for (unsigned i = 0; i < r->pages.n; i++) {
        for (size_t k = 0; k < r->region[i].n_pages; k++) {
            if (at - r->region[i].page[k] < BUS_PAGE)
                return r->region[i].virt + k * BUS_PAGE + (at - r->region[i].page[k]);
        }
    }
    r->faults++;
    return NULL;
}

static inline int rig_map(void *ctx, void *virt, size_t n)
{
    struct rig *r = ctx;
    unsigned i = r->pages.n;
    if (r->cannot_map)
        return -EPERM;
    WEIR_ASSERT(i < RIG_REGIONS);
    size_t pages = bus_pages_count(virt, n);
    r->region[i].virt = (uint8_t *)virt - (uintptr_t)virt % BUS_PAGE;
    r->region[i].page = calloc(pages, sizeof(bus_addr));
    r->region[i].n_pages = pages;
    for (size_t k = 0; k < pages; k++)
        r->region[i].page[k] = ((bus_addr)(i + 1) << 32) + 2 * (pages - k) * BUS_PAGE;
    return bus_pages_add(&r->pages, virt, n, r->region[i].page);
}

/* ---- registers ---- */

static inline void rig_reset(struct rig *r)
{
    memset(r->q, 0, sizeof r->q);
    r->q[0].size = r->q[1].size = r->queue_max;
    r->accepted = 0;
    r->status = r->isr = 0;
    r->is_raised = false;
}

/* A field of the common structure, or NULL. */
static inline uint8_t *rig_reg(struct rig *r, uint32_t at, unsigned *width)
{
    static uint32_t half;
    static uint16_t word;
    struct rig_queue *q = &r->q[r->queue_select & 1];
    *width = at >= 22 && at < 32 ? 2 : 4;
    switch (at) {
    case 0: return (uint8_t *)&r->feature_select;
    case 4: half = (uint32_t)(r->offers >> 32 * (r->feature_select & 1)); return (uint8_t *)&half;
    case 8: return (uint8_t *)&r->driver_select;
    case 12: half = 0; return (uint8_t *)&half;
    case 16:
        *width = 2;
        word = 0xffff;
        return (uint8_t *)&word;
    case 20: *width = 1; return &r->status;
    case 21: *width = 1; return &r->generation;
    case 22: return (uint8_t *)&r->queue_select;
    case 24: return (uint8_t *)&q->size;
    case 26: word = 0xffff; return (uint8_t *)&word;
    case 28: return (uint8_t *)&q->enabled;
    case 30: word = (uint16_t)(r->queue_select & 1); return (uint8_t *)&word;
    default: break;
    }
    WEIR_ASSERT(at >= 32 && at < 56 && at % 4 == 0);
    return (uint8_t *)&q->addr[(at - 32) / 8] + at % 8;
}

static inline uint32_t rig_read(void *ctx, enum virtio_space space, uint32_t at, unsigned width)
{
    struct rig *r = ctx;
    uint32_t value = 0;
    if (r->is_gone)
        return UINT32_MAX >> (32 - 8 * width);
    if (space == VIRTIO_ISR) {
        value = r->isr;
        r->isr = 0;
        return value;
    }
    if (space == VIRTIO_DEVICE) {
        r->generation = (uint8_t)(r->generation + r->never_settles);
        WEIR_ASSERT(width == (at < 6 ? 1 : 2));
        memcpy(&value, r->config + at, width);
        return value;
    }
    unsigned has;
    const uint8_t *reg = rig_reg(r, at, &has);
    WEIR_ASSERT(width == has); /* the natural access [virtio 1.2, 4.1.3.1] */
    memcpy(&value, reg, width);
    return value;
}

static inline void rig_write_status(struct rig *r, uint8_t value)
{
    if (value == 0) {
        if (!r->never_resets)
            rig_reset(r);
        return;
    }
    WEIR_ASSERT((r->status & ~value & RIG_LIVE) == 0); /* the driver takes no bit back */
    if (r->refuses_features)
        value &= (uint8_t)~VIRTIO_FEATURES_OK;
    r->status = value;
}

static inline void rig_write(void *ctx, enum virtio_space space, uint32_t at, unsigned width,
                             uint32_t value)
{
    struct rig *r = ctx;
    if (r->is_gone)
        return;
    if (space == VIRTIO_NOTIFY) {
        WEIR_ASSERT(width == 2 && at == value * RIG_BELL_STRIDE && value < 2);
        WEIR_ASSERT(r->is_mad ||
                    (r->status & VIRTIO_DRIVER_OK) != 0); /* not before [virtio 1.2, 3.1.1] */
        r->q[value].bells++;
        return;
    }
    WEIR_ASSERT(space == VIRTIO_COMMON);
    if (at == 20) {
        rig_write_status(r, (uint8_t)value);
    } else if (at == 12) {
        r->accepted |= (uint64_t)value << 32 * (r->driver_select & 1);
    } else if (at != 28 || !r->refuses_queues) {
        unsigned has;
        uint8_t *reg = rig_reg(r, at, &has);
        WEIR_ASSERT(width == has);
        memcpy(reg, &value, width);
    }
}

static inline bool rig_irq_came(void *ctx)
{
    struct rig *r = ctx;
    bool has_come = r->is_raised;
    r->is_raised = false;
    return has_come;
}

static inline void rig_irq_allow(void *ctx) { (void)ctx; }

/* ---- queues ---- */

static inline uint16_t *rig_word(struct rig *r, uint64_t at)
{
    return (uint16_t *)(void *)rig_at(r, at);
}

/* Says that the chain `id` is done. What it says is the test's affair. */
static inline void rig_use(struct rig *r, unsigned queue, uint32_t id, uint32_t len)
{
    struct rig_queue *q = &r->q[queue];
    struct virtq_used_elem *e = (void *)rig_at(r, q->addr[2] + 4 + 8 * (q->used % q->size));
    *e = (struct virtq_used_elem){id, len};
    *rig_word(r, q->addr[2] + 2) = ++q->used;
    if (*rig_word(r, q->addr[1]) == 0) { /* no VIRTQ_AVAIL_NO_INTERRUPT */
        r->isr |= VIRTIO_ISR_QUEUE;
        r->is_raised = r->has_irq;
    }
}

/* The next chain the driver gave; -1: none. */
static inline int rig_next(struct rig *r, unsigned queue)
{
    struct rig_queue *q = &r->q[queue];
    if (q->enabled == 0 || *rig_word(r, q->addr[1] + 2) == q->seen)
        return -1;
    return *rig_word(r, q->addr[1] + 4 + 2 * (q->seen++ % q->size));
}

static inline const struct virtq_desc *rig_desc(struct rig *r, unsigned queue, unsigned i)
{
    return (const void *)rig_at(r, r->q[queue].addr[0] + 16 * i);
}

/* Copies between a chain and `bytes`; returns how many bytes the chain has or n, what is less. */
static inline uint32_t rig_copy(struct rig *r, unsigned queue, unsigned head, uint8_t *bytes,
                                uint32_t n)
{
    uint32_t done = 0;
    for (unsigned hops = 0; hops < r->q[queue].size; hops++) {
        const struct virtq_desc *d = rig_desc(r, queue, head);
        if (d == NULL)
            break;
        uint32_t in_page = (uint32_t)(BUS_PAGE - d->addr % BUS_PAGE);
        uint32_t k = w_u32_min(w_u32_min(d->len, in_page), n - done);
        uint8_t *at = rig_at(r, d->addr);
        bool is_write = queue == VIRTIO_NET_RXQ;
        /* No piece goes over the end of a page: its neighbour lies elsewhere. */
        WEIR_ASSERT(r->is_mad || d->len <= in_page);
        WEIR_ASSERT(r->is_mad || is_write == ((d->flags & VIRTQ_DESC_WRITE) != 0));
        if (at != NULL)
            memcpy(is_write ? at : bytes + done, is_write ? bytes + done : at, k);
        done += k;
        if ((d->flags & VIRTQ_DESC_NEXT) == 0)
            break;
        head = d->next;
    }
    return done;
}

/* A frame arrives, in as many buffers as it takes. False: the driver has given too few. */
static inline bool rig_arrive(struct rig *r, const uint8_t header[VNET_HLEN], const uint8_t *frame,
                              uint32_t n)
{
    static uint8_t bytes[RIG_FRAME];
    uint32_t at = 0, len[64];
    int head[64];
    unsigned k = 0;
    memcpy(bytes, header, VNET_HLEN);
    memcpy(bytes + VIRTIO_NET_HLEN, frame, n);
    n += VIRTIO_NET_HLEN;
    bytes[VNET_HLEN] = bytes[VNET_HLEN + 1] = 0;
    for (; at < n && k < WEIR_COUNT(head); k++) {
        head[k] = rig_next(r, VIRTIO_NET_RXQ);
        if (head[k] < 0)
            return false;
        len[k] = rig_copy(r, VIRTIO_NET_RXQ, (unsigned)head[k], bytes + at, n - at);
        at += len[k];
    }
    bytes[VNET_HLEN] = (uint8_t)k;
    (void)rig_copy(r, VIRTIO_NET_RXQ, (unsigned)head[0], bytes, VIRTIO_NET_HLEN);
    for (unsigned i = 0; i < k; i++)
        rig_use(r, VIRTIO_NET_RXQ, (uint32_t)head[i], len[i]);
    return true;
}

/* The next frame sent, header first; its chain is done unless it is kept. 0: none. */
static inline uint32_t rig_depart(struct rig *r, uint8_t *bytes, int *kept)
{
    int head = rig_next(r, VIRTIO_NET_TXQ);
    if (head < 0)
        return 0;
    uint32_t n = rig_copy(r, VIRTIO_NET_TXQ, (unsigned)head, bytes, RIG_FRAME);
    if (kept != NULL)
        *kept = head;
    else
        rig_use(r, VIRTIO_NET_TXQ, (uint32_t)head, 0);
    return n;
}

/* ---- life ---- */

/* A device with queues of queue_max entries, that offers what is always there; packet memory of n
 * packets and blocks of each kind. */
static inline void rig_init(struct rig *r, uint32_t n, uint16_t queue_max)
{
    const struct pktmem_conf pc = {.n_pkt = n, .n_blk_small = n, .n_blk_big = n};
    struct arena a;
    *r = (struct rig){.queue_max = queue_max, .has_irq = true};
    r->offers = VIRTIO_F_VERSION_1 | VIRTIO_NET_F(MAC);
    memcpy(r->config, "\x52\x54\x00\x12\x34\x56", 6);
    arena_init(&a, NULL, 0);
    pktmem_init(&r->mem, &a, &pc);
    r->arena_bytes = a.used + RIG_SHARED;
    r->arena =
        mmap(NULL, r->arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    WEIR_ASSERT(r->arena != MAP_FAILED);
    arena_init(&a, (uint8_t *)r->arena + RIG_SHARED, r->arena_bytes - RIG_SHARED);
    pktmem_init(&r->mem, &a, &pc);
    rig_reset(r);
}

/* Makes the driver; what virtio_net_init says. */
static inline int rig_probe(struct rig *r, uint32_t offloads, uint32_t mtu)
{
    const struct virtio_host host = {
        .read = rig_read,
        .write = rig_write,
        .map = rig_map,
        .irq_came = r->has_irq ? rig_irq_came : NULL,
        .irq_allow = rig_irq_allow,
        .ctx = r,
        .pages = &r->pages,
        .notify_multiplier = RIG_BELL_STRIDE,
        .notify_len = 2 * RIG_BELL_STRIDE,
    };
    const struct virtio_net_conf conf = {
        .mtu = mtu, .offloads = offloads, .mac = {2, 0, 0, 0, 0, 7}};
    struct arena a;
    arena_init(&a, r->arena, RIG_SHARED);
    return virtio_net_init(&r->nic, &host, &conf, &a);
}

/* Everything has come back, or this asserts. */
static inline void rig_free(struct rig *r)
{
    WEIR_ASSERT(r->mem.pkts.in_use == 0);
    WEIR_ASSERT(r->mem.small_blks.in_use == 0);
    WEIR_ASSERT(r->mem.big_blks.in_use == 0);
    for (unsigned i = 0; i < r->pages.n; i++)
        free(r->region[i].page);
    munmap(r->arena, r->arena_bytes);
}

#endif
