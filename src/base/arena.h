/* SPDX-License-Identifier: Apache-2.0
 *
 * The one memory of a stack: given at the start, handed out once in rising order, never returned.
 *
 * With mem == NULL the arena only counts: the same init code that lays a stack out also tells how
 * much memory it needs (weir_size).
 */
#ifndef WEIR_ARENA_H
#define WEIR_ARENA_H

#include "base/base.h"

struct arena {
    uint8_t *mem; /* NULL: only count */
    size_t used, size;
    bool is_full; /* some request did not fit */
};

/* `mem` is aligned to WEIR_CACHELINE and stays the caller's. It must be zeroed (fresh mmap is), so
 * that an untouched pool costs no resident memory. */
static inline void arena_init(struct arena *a, void *mem, size_t size)
{
    *a = (struct arena){.mem = mem, .size = mem ? size : SIZE_MAX / 2};
}

/* n bytes aligned to a power of two ≥ 8, all zero as the arena was. NULL when counting, or when it
 * does not fit (is_full is then set: check once at the end). */
static inline void *arena_take(struct arena *a, size_t n, size_t align)
{
    size_t at = (a->used + align - 1) & ~(align - 1);
    if (n > a->size || at > a->size - n) {
        a->is_full = true;
        return NULL;
    }
    a->used = at + n;
    return a->mem ? a->mem + at : NULL;
}

#endif
