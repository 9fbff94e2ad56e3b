/* SPDX-License-Identifier: Apache-2.0
 *
 * What a connection waits for, in situations where it is known: the right limiter has the largest
 * share, and the shares add up to the connection's life to the nanosecond.
 */
#include "unit.h"

#include "sim/why.h"

static unsigned largest(const struct weir_limits *l)
{
    unsigned most = 0;
    for (unsigned i = 1; i < WEIR_LIMIT_N; i++)
        most = l->ns[i] > l->ns[most] ? i : most;
    return most;
}

static void assert_adds_up(const struct weir_limits *l)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < WEIR_LIMIT_N; i++)
        sum += l->ns[i];
    assert_int_equal(sum, l->life);
}

/* If this failed somebody would enlarge a buffer and gain nothing. */
static void each_situation_is_named(void **state)
{
    (void)state;
    const struct why_case *c;
    for (unsigned i = 0; (c = why_case(i)) != NULL; i++) {
        struct weir_limits us, them;
        assert_int_equal(why_run(c, &us, &them), 0);
        assert_adds_up(&us);
        assert_adds_up(&them);
        if (largest(&us) != c->limit)
            fail_msg("%s is said to wait for %s", c->name, weir_limit_waiting(largest(&us)));
        if (us.ns[c->limit] * 100 < us.life * c->share)
            fail_msg("%s: only %d %% of the time", c->name,
                     (int)(us.ns[c->limit] * 100 / us.life));
        if (largest(&them) != c->peer)
            fail_msg("%s: its peer is said to wait for %s", c->name,
                     weir_limit_waiting(largest(&them)));
        assert_false(us.is_receiver);
        assert_true(them.is_receiver);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_situation_is_named),
};
UNIT_MAIN(tests)
