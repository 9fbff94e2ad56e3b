/* SPDX-License-Identifier: Apache-2.0
 *
 * Pools, and the arena they are cut from.
 */
#include "unit.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/pool.h"
#include "base/rng.h"

/* A pool in memory that is zero, the same for each test. */
static void make_pool(struct pool *p, uint32_t cap, size_t size, size_t align)
{
    static _Alignas(WEIR_CACHELINE) uint8_t memory[1 << 20];
    memset(memory, 0, sizeof memory);
    struct arena a;
    arena_init(&a, memory, sizeof memory);
    pool_init(p, &a, cap, size, align);
    assert_false(a.is_full);
}

/* If this fails, two connections share one slot, or an empty pool is not noticed. */
static void every_slot_once_then_none(void **state)
{
    (void)state;
    struct pool p;
    make_pool(&p, 100, 40, 8);
    for (uint32_t i = 1; i <= 100; i++)
        assert_int_equal(pool_take(&p), i); /* fresh slots in order; never 0 */
    assert_int_equal(pool_take(&p), 0);
    assert_int_equal(pool_take_dirty(&p), 0);
    assert_int_equal(p.refusals, 2);
    assert_int_equal(p.in_use, 100);
    assert_int_equal(pool_free_count(&p), 0);
}

/* If this fails, a pool spreads through the arena although few objects are in use at once. */
static void last_in_first_out(void **state)
{
    (void)state;
    struct pool p;
    make_pool(&p, 100, 40, 8);
    uint32_t a = pool_take(&p), b = pool_take(&p), c = pool_take(&p);
    pool_give(&p, a);
    pool_give(&p, c);
    assert_int_equal(pool_take(&p), c);
    assert_int_equal(pool_take(&p), a);
    assert_int_equal(pool_take(&p), 4);
    assert_int_equal(p.high_water, 4);
    pool_give(&p, b);
    assert_int_equal(p.high_water, 4);
    assert_int_equal(p.in_use, 3);
}

/* If this fails, a handle to a closed socket reaches the next program's socket. */
static void stale_handles_are_noticed(void **state)
{
    (void)state;
    struct pool p;
    make_pool(&p, 4, 40, 8);
    assert_false(pool_is_live(&p, 0));
    assert_false(pool_is_live(&p, 1));
    assert_false(pool_is_live(&p, 5));
    uint32_t i = pool_take(&p), gen = pool_gen(&p, i);
    assert_true(pool_is_live(&p, i));
    pool_give(&p, i);
    assert_false(pool_is_live(&p, i));
    assert_int_equal(pool_take(&p), i);
    assert_int_not_equal(pool_gen(&p, i), gen);
}

/* If this fails, giving a slot back twice hands one slot to two owners. */
static void double_give_is_a_bug(void **state)
{
    (void)state;
    struct pool p;
    make_pool(&p, 4, 40, 8);
    uint32_t i = pool_take(&p);
    pool_give(&p, i);
    WEIR_EXPECT_ASSERT(pool_give(&p, i));
    WEIR_EXPECT_ASSERT(pool_give(&p, 0));
    WEIR_EXPECT_ASSERT(pool_give(&p, 5));
}

/* If this fails, a new connection begins with the last one's state. */
static void taken_memory_is_zero(void **state)
{
    (void)state;
    struct pool p;
    make_pool(&p, 4, 40, 8);
    static const uint8_t zero[40];
    uint32_t i = pool_take(&p);
    memset(pool_at(&p, i), 0x5a, 40);
    pool_give(&p, i);
    assert_int_equal(pool_take(&p), i);
    assert_memory_equal(pool_at(&p, i), zero, 40);
}

/* If this fails, objects overlap or a cache line is shared by two. */
static void objects_are_apart_and_aligned(void **state)
{
    (void)state;
    struct pool p;
    make_pool(&p, 10, 65, 64);
    assert_int_equal(p.stride, 128);
    for (uint32_t i = 1; i <= 10; i++) {
        uint32_t idx = pool_take(&p);
        uint8_t *at = pool_at(&p, idx);
        assert_int_equal((uintptr_t)at % 64, 0);
        assert_int_equal(pool_index(&p, at), idx);
        memset(at, (int)i, 65);
    }
    for (uint32_t i = 1; i <= 10; i++) {
        assert_int_equal(((uint8_t *)pool_at(&p, i))[0], i);
        assert_int_equal(((uint8_t *)pool_at(&p, i))[64], i);
    }
}

/* If this fails, weir_size tells a caller too little memory, or init writes through NULL. */
static void counting_tells_what_is_needed(void **state)
{
    (void)state;
    struct arena count, a;
    struct pool p;
    arena_init(&count, NULL, 0);
    pool_init(&p, &count, 77, 100, 64);
    pool_init(&p, &count, 5, 24, 8);
    assert_false(count.is_full);
    assert_null(p.mem);

    uint8_t *memory = aligned_alloc(WEIR_CACHELINE, (count.used + 63) & ~(size_t)63);
    assert_non_null(memory);
    memset(memory, 0, count.used);
    arena_init(&a, memory, count.used);
    pool_init(&p, &a, 77, 100, 64);
    pool_init(&p, &a, 5, 24, 8);
    assert_false(a.is_full);
    assert_int_equal(a.used, count.used);
    for (uint32_t i = 1; i <= 5; i++)
        assert_int_equal(pool_take(&p), i); /* under ASan: within the memory */

    arena_init(&a, memory, count.used - 1);
    pool_init(&p, &a, 77, 100, 64);
    pool_init(&p, &a, 5, 24, 8);
    assert_true(a.is_full);
    free(memory);
}

/* If this fails, a stack that may have a million connections costs gigabytes before the first. */
static void untouched_pools_cost_nothing(void **state)
{
    (void)state;
    enum { N = 1000000, PAGE = 4096 };
    struct arena count, a;
    struct pool p;
    arena_init(&count, NULL, 0);
    pool_init(&p, &count, N, 768, 64);
    size_t size = (count.used + PAGE - 1) & ~(size_t)(PAGE - 1);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    madvise(memory, size, MADV_NOHUGEPAGE);

    arena_init(&a, memory, size);
    pool_init(&p, &a, N, 768, 64);
    for (unsigned i = 0; i < 5; i++)
        assert_int_not_equal(pool_take(&p), 0);
    static unsigned char resident[(768u + 8u) * (N + 1) / PAGE + 4];
    assert_true(size / PAGE <= sizeof resident);
    assert_int_equal(mincore(memory, size, resident), 0);
    unsigned pages = 0;
    for (size_t i = 0; i < size / PAGE; i++)
        pages += resident[i] & 1;
    assert_in_range(pages, 1, 6);
    munmap(memory, size);
}

/* If this fails, after hours of opening and closing a slot is lost, or has two owners. */
static void random_takes_and_gives(void **state)
{
    (void)state;
    enum { CAP = 50 };
    struct pool p;
    make_pool(&p, CAP, 40, 8);
    struct rng r;
    rng_seed(&r, 3);
    bool is_taken[CAP + 1] = {false};
    uint32_t taken = 0, high = 0;
    for (unsigned step = 0; step < 200000; step++) {
        uint32_t i = rng_below(&r, CAP) + 1;
        assert_int_equal(pool_is_live(&p, i), is_taken[i]);
        if (is_taken[i]) {
            pool_give(&p, i);
            is_taken[i] = false;
            taken--;
        } else {
            uint32_t got = rng_below(&r, 2) ? pool_take(&p) : pool_take_dirty(&p);
            assert_int_not_equal(got, 0);
            assert_false(is_taken[got]);
            is_taken[got] = true;
            taken++;
        }
        high = w_u32_max(high, taken);
        assert_int_equal(p.in_use, taken);
        assert_int_equal(p.high_water, high);
    }
}

/* If this fails, memory handed out by an arena overlaps or is misaligned. */
static void arena_rises_and_aligns(void **state)
{
    (void)state;
    static _Alignas(64) uint8_t memory[256];
    struct arena a;
    arena_init(&a, memory, sizeof memory);
    assert_ptr_equal(arena_take(&a, 1, 8), memory);
    assert_ptr_equal(arena_take(&a, 8, 8), memory + 8);
    assert_ptr_equal(arena_take(&a, 10, 64), memory + 64);
    assert_null(arena_take(&a, 256, 8));
    assert_true(a.is_full);
    assert_ptr_equal(arena_take(&a, 128, 64), memory + 128); /* smaller ones still fit */
    assert_null(arena_take(&a, 1, 8));
    assert_null(arena_take(&a, SIZE_MAX, 8));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_slot_once_then_none),
    cmocka_unit_test(last_in_first_out),
    cmocka_unit_test(stale_handles_are_noticed),
    cmocka_unit_test(double_give_is_a_bug),
    cmocka_unit_test(taken_memory_is_zero),
    cmocka_unit_test(objects_are_apart_and_aligned),
    cmocka_unit_test(counting_tells_what_is_needed),
    cmocka_unit_test(untouched_pools_cost_nothing),
    cmocka_unit_test(random_takes_and_gives),
    cmocka_unit_test(arena_rises_and_aligns),
};
UNIT_MAIN(tests)
