/* SPDX-License-Identifier: Apache-2.0
 *
 * Fixed-size objects by index, with a generation each, so that a stale handle is noticed.
 *
 * Index 0 is never handed out: 0 means "none" wherever an index is stored. Fresh slots are taken
 * in order, so an arena's untouched end stays untouched; freed slots are reused last-in first-out.
 * An empty pool returns 0: a tested path, never an abort.
 */
#ifndef WEIR_POOL_H
#define WEIR_POOL_H

#include "base/arena.h"

struct pool {
    uint8_t *mem;   /* slot i at mem + i * stride */
    uint32_t *link; /* per slot: next free index while free; generation kept in gen[] */
    uint32_t *gen;  /* odd while in use; rises by one at take and at give */
    uint32_t stride, cap;
    uint32_t head;     /* first free slot that was used before, 0: none */
    uint32_t fresh;    /* next slot never used; slots run 1..cap */
    uint32_t in_use, high_water;
    uint64_t refusals; /* takes that found it empty */
};

/* Room for `cap` objects of `size` bytes, aligned to `align` (a power of two >= 8). With a counting
 * arena, only counts. */
void pool_init(struct pool *, struct arena *, uint32_t cap, size_t size, size_t align);

/* An object's index, its memory zeroed; 0 when the pool is empty. O(1). */
WEIR_MUST_CHECK uint32_t pool_take(struct pool *);
/* As pool_take, without clearing the memory (packets and blocks set every field themselves). */
WEIR_MUST_CHECK static inline uint32_t pool_take_dirty(struct pool *);
/* Gives it back. Asserts that it is in use. O(1). */
static inline void pool_give(struct pool *, uint32_t idx);

static inline void *pool_at(const struct pool *p, uint32_t idx)
{
    WEIR_CHECK(idx != 0 && idx <= p->cap);
    return p->mem + (size_t)idx * p->stride;
}
static inline uint32_t pool_index(const struct pool *p, const void *obj)
{
    return (uint32_t)((size_t)((const uint8_t *)obj - p->mem) / p->stride);
}
static inline bool pool_is_live(const struct pool *p, uint32_t idx)
{
    return idx != 0 && idx <= p->cap && (p->gen[idx] & 1) != 0;
}
static inline uint32_t pool_gen(const struct pool *p, uint32_t idx) { return p->gen[idx]; }
static inline uint32_t pool_free_count(const struct pool *p) { return p->cap - p->in_use; }

/* In the header because every packet and block passes here, twice. */
static inline uint32_t pool_take_dirty(struct pool *p)
{
    uint32_t idx = p->head;
    if (WEIR_LIKELY(idx != 0)) {
        p->head = p->link[idx];
    } else if (p->fresh <= p->cap) {
        idx = p->fresh++;
    } else {
        p->refusals++;
        return 0;
    }
    WEIR_CHECK((p->gen[idx] & 1) == 0);
    p->gen[idx]++;
    p->in_use++;
    if (p->in_use > p->high_water)
        p->high_water = p->in_use;
    return idx;
}

static inline void pool_give(struct pool *p, uint32_t idx)
{
    WEIR_ASSERT(pool_is_live(p, idx));
    if (WEIR_CHECKS) /* whoever still looks at it shall notice */
        memset(pool_at(p, idx), 0xdd, p->stride);
    p->gen[idx]++;
    p->link[idx] = p->head;
    p->head = idx;
    p->in_use--;
}

#endif
