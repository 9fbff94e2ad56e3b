/* SPDX-License-Identifier: Apache-2.0
 *
 * Packet memory for unit tests of rooms above pkt/, and the question every such test ends with:
 * did everything come back?
 */
#ifndef WEIR_TESTS_PKTS_H
#define WEIR_TESTS_PKTS_H

#include <sys/mman.h>

#include "unit.h"

#include "pkt/pkt.h"

struct test_pkts {
    struct pktmem mem;
    void *arena; /* only what is used of it becomes resident */
    size_t size;
};

/* n packets, n small blocks and n big ones. */
static inline void test_pkts_init(struct test_pkts *t, uint32_t n)
{
    struct pktmem_conf conf = {.n_pkt = n, .n_blk_small = n, .n_blk_big = n};
    struct arena a;
    arena_init(&a, NULL, 0);
    pktmem_init(&t->mem, &a, &conf);
    t->size = a.used;
    t->arena = mmap(NULL, t->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(t->arena != MAP_FAILED);
    arena_init(&a, t->arena, t->size);
    pktmem_init(&t->mem, &a, &conf);
    assert_false(a.is_full);
}

static inline void test_pkts_all_back(const struct test_pkts *t)
{
    assert_int_equal(t->mem.pkts.in_use, 0);
    assert_int_equal(t->mem.small_blks.in_use, 0);
    assert_int_equal(t->mem.big_blks.in_use, 0);
}

static inline void test_pkts_fini(struct test_pkts *t)
{
    test_pkts_all_back(t);
    munmap(t->arena, t->size);
}

/* A packet of n bytes that count up from `first`. */
static inline struct pkt *test_pkt(struct test_pkts *t, uint32_t n, uint8_t first)
{
    static uint8_t bytes[65536];
    assert_true(n <= sizeof bytes);
    for (uint32_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(first + i);
    struct pkt *p = pkt_from_bytes(&t->mem, bytes, n);
    assert_non_null(p);
    return p;
}

#endif
