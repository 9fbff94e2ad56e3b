/* SPDX-License-Identifier: Apache-2.0
 *
 * The random stream: repeatable, without bias that matters, forks that do not touch each other.
 */
#include "unit.h"

#include "base/rng.h"

/* If this fails, a seed no longer reproduces the failure somebody found with it. */
static void same_seed_same_stream(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_seed(&a, 42);
    rng_seed(&b, 42);
    rng_seed(&c, 43);
    unsigned differ = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t v = rng_u64(&a);
        assert_int_equal(v, rng_u64(&b));
        differ += v != rng_u64(&c);
    }
    assert_int_equal(differ, 1000);
    /* The numbers themselves are a promise, too: recorded seeds outlive a release. */
    rng_seed(&a, 1);
    assert_int_equal(rng_u64(&a), 0x88edff1fb24c05db);
    assert_int_equal(rng_u64(&a), 0xbaeda9e1c94c05c0);
}

/* If this fails, loss rates in simulation are not what the scenario says, and some ports are
 * chosen more often than others. */
static void below_is_uniform(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 7);
    unsigned count[10] = {0};
    for (unsigned i = 0; i < 100000; i++)
        count[rng_below(&r, 10)]++;
    for (unsigned i = 0; i < 10; i++)
        assert_in_range(count[i], 9600, 10400);
    uint32_t high = 0;
    for (unsigned i = 0; i < 1000; i++) {
        high |= rng_below(&r, UINT32_MAX);
        assert_int_equal(rng_below(&r, 1), 0);
    }
    assert_int_equal(high, UINT32_MAX); /* every bit occurs */
    WEIR_EXPECT_ASSERT(rng_below(&r, 0));
}

/* If this fails, "never" sometimes happens, or "always" sometimes does not. */
static void chance_is_exact_at_its_ends(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 7);
    unsigned hits = 0;
    for (unsigned i = 0; i < 100000; i++) {
        assert_false(rng_chance_ppm(&r, 0));
        assert_true(rng_chance_ppm(&r, 1000000));
        hits += rng_chance_ppm(&r, 250000);
    }
    assert_in_range(hits, 24500, 25500);
}

/* If this fails, one more draw by the link emulator changes the sequence numbers TCP chooses, and
 * no two runs can be compared. */
static void forks_are_independent(void **state)
{
    (void)state;
    struct rng a, b;
    rng_seed(&a, 9);
    rng_seed(&b, 9);
    struct rng fa = rng_fork(&a, 1), fb = rng_fork(&b, 1);
    for (unsigned i = 0; i < 100; i++)
        (void)rng_u64(&fa); /* draws of a fork … */
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(rng_u64(&a), rng_u64(&b)); /* … do not move its origin */
    assert_int_equal(fb.n, 0);

    struct rng again = rng_fork(&a, 1), other = rng_fork(&b, 2);
    assert_int_not_equal(again.key.k0, fa.key.k0); /* same label, later: another stream */
    assert_int_not_equal(again.key.k0, other.key.k0);
    assert_int_not_equal(again.key.k0, again.key.k1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(same_seed_same_stream),
    cmocka_unit_test(below_is_uniform),
    cmocka_unit_test(chance_is_exact_at_its_ends),
    cmocka_unit_test(forks_are_independent),
};
UNIT_MAIN(tests)
