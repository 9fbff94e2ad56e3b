/* SPDX-License-Identifier: Apache-2.0
 *
 * Pools: laying them out, and the clearing take. The take and give of every packet are in pool.h.
 *
 * Owns three arrays of the arena, each with cap + 1 entries, entry 0 never used:
 *
 *     mem   the objects          link   free list            gen   even: free, odd: in use
 *
 *     state of a slot | allowed     | caveats
 *     fresh           | take        | never touched: link, gen and memory are the arena's zeros
 *     in use          | at, give    | gen is odd
 *     free            | take        | link names the next; with WEIR_CHECKS the memory is 0xdd
 *
 * Nothing is written at init, so a pool of a million objects costs address space only until they
 * are used; what was used once is used again first, so the resident part is the high-water mark.
 */
#include "base/pool.h"

void pool_init(struct pool *p, struct arena *a, uint32_t cap, size_t size, size_t align)
{
    WEIR_ASSERT(cap < UINT32_MAX);
    WEIR_ASSERT(align >= 8 && (align & (align - 1)) == 0);
    size_t stride = (size + align - 1) & ~(align - 1);
    WEIR_ASSERT(stride > 0 && stride <= UINT32_MAX);
    size_t slots = (size_t)cap + 1;
    *p = (struct pool){.stride = (uint32_t)stride, .cap = cap, .fresh = 1};
    p->mem = arena_take(a, slots * stride, align);
    p->link = arena_take(a, slots * sizeof *p->link, WEIR_CACHELINE);
    p->gen = arena_take(a, slots * sizeof *p->gen, WEIR_CACHELINE);
}

uint32_t pool_take(struct pool *p)
{
    uint32_t idx = pool_take_dirty(p);
    if (idx != 0)
        memset(pool_at(p, idx), 0, p->stride);
    return idx;
}
