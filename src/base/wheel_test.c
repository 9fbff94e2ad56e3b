/* SPDX-License-Identifier: Apache-2.0
 *
 * The timer wheel: single promises first, then against a model that keeps all timers in a list.
 */
#include "unit.h"

#include <stdlib.h>

#include "base/rng.h"
#include "base/wheel.h"

enum { TICK = 1 << WHEEL_TICK_SHIFT };

static unsigned run(struct wheel *w, w_ns now, struct timer **due)
{
    return wheel_run(w, now, due, 16);
}

/* If this fails, a retransmission happens before its timeout, or a tick late. */
static void due_to_the_nanosecond(void **state)
{
    (void)state;
    static const w_ns at[] = {1,    2,          TICK - 1,        TICK,      TICK + 1,
                              W_MS, 200 * W_MS, 64 * (w_ns)TICK, 120 * W_S, 7200 * W_S};
    for (unsigned i = 0; i < WEIR_COUNT(at); i++) {
        struct wheel w;
        struct timer t = {0}, *due[16];
        wheel_init(&w, 0);
        wheel_set(&w, &t, at[i]);
        assert_int_equal(run(&w, at[i] - 1, due), 0);
        assert_true(t.is_set);
        assert_int_equal(wheel_next(&w), at[i]);
        assert_int_equal(run(&w, at[i], due), 1);
        assert_ptr_equal(due[0], &t);
        assert_false(t.is_set);
        assert_int_equal(wheel_next(&w), W_NEVER);
        assert_int_equal(w.n_set, 0);
    }
}

/* If this fails, a stack that was started by a clock of some days misses its first timers. */
static void starts_at_any_time(void **state)
{
    (void)state;
    static const w_ns start[] = {0, 12345678901234567, UINT64_MAX - 2 * TICK, UINT64_MAX - 5};
    for (unsigned i = 0; i < WEIR_COUNT(start); i++) {
        struct wheel w;
        struct timer t = {0}, *due[16];
        wheel_init(&w, start[i]);
        wheel_set(&w, &t, start[i] + 3);
        assert_int_equal(run(&w, start[i] + 2, due), 0);
        assert_int_equal(run(&w, start[i] + 3, due), 1);
    }
}

/* If this fails, a deadline in the past is handled a whole turn of the wheel later. */
static void the_past_is_due_now(void **state)
{
    (void)state;
    struct wheel w;
    struct timer a = {0}, b = {0}, *due[16];
    wheel_init(&w, 10 * W_S);
    wheel_set(&w, &a, 0);
    wheel_set(&w, &b, 10 * W_S);
    assert_true(wheel_next(&w) <= 10 * W_S);
    assert_int_equal(run(&w, 10 * W_S, due), 2);
    assert_ptr_equal(due[0], &a);
    assert_ptr_equal(due[1], &b);
}

/* If this fails, "never" comes round. */
static void never_is_the_last_moment(void **state)
{
    (void)state;
    struct wheel w;
    struct timer t = {0}, *due[16];
    wheel_init(&w, 0);
    assert_int_equal(wheel_next(&w), W_NEVER);
    wheel_set(&w, &t, W_NEVER);
    assert_int_equal(wheel_next(&w), W_NEVER);
    assert_int_equal(run(&w, W_NEVER - 1, due), 0);
    assert_int_equal(run(&w, W_NEVER, due), 1);
}

/* If this fails, a cancelled retransmission is sent all the same, or a moved one is lost. */
static void moved_and_deleted(void **state)
{
    (void)state;
    struct wheel w;
    struct timer t = {.obj = 7, .kind = 3}, *due[16];
    wheel_init(&w, 0);
    wheel_del(&w, &t); /* not set: nothing happens */
    wheel_set(&w, &t, W_S);
    wheel_set(&w, &t, 2 * W_S);
    assert_int_equal(w.n_set, 1);
    assert_int_equal(run(&w, W_S, due), 0);
    wheel_set(&w, &t, W_S + 1);
    assert_int_equal(run(&w, W_S + 1, due), 1);
    assert_int_equal(due[0]->obj, 7);
    assert_int_equal(due[0]->kind, 3);
    wheel_set(&w, &t, 3 * W_S);
    wheel_del(&w, &t);
    wheel_del(&w, &t);
    assert_int_equal(run(&w, 10 * W_S, due), 0);
    assert_int_equal(wheel_next(&w), W_NEVER);
}

/* If this fails, two runs with one seed differ: timers of one moment come in another order. */
static void ties_come_in_the_order_they_were_set(void **state)
{
    (void)state;
    struct wheel w;
    struct timer t[8] = {{0}}, *due[16];
    w_ns at = 5 * W_S;
    wheel_init(&w, 0);
    for (unsigned i = 0; i < 8; i++) {
        wheel_set(&w, &t[i], at); /* set from ever nearer, so from ever lower levels */
        assert_int_equal(run(&w, at - (at >> (4 * (i + 1))), due), 0);
    }
    wheel_set(&w, &t[2], at + 1);
    wheel_set(&w, &t[2], at); /* set again: goes last */
    assert_int_equal(run(&w, at, due), 8);
    static const unsigned order[8] = {0, 1, 3, 4, 5, 6, 7, 2};
    for (unsigned i = 0; i < 8; i++)
        assert_ptr_equal(due[i], &t[order[i]]);
}

/* If this fails, a burst of deadlines loses those beyond the caller's array. */
static void max_is_respected_and_nothing_is_lost(void **state)
{
    (void)state;
    struct wheel w;
    struct timer t[100] = {{0}}, *due[16];
    wheel_init(&w, 0);
    for (unsigned i = 0; i < 100; i++)
        wheel_set(&w, &t[i], 1000 + i * (i % 3) * 10000);
    unsigned sum = 0, n;
    do {
        n = wheel_run(&w, W_S, due, 7);
        assert_true(n <= 7);
        sum += n;
    } while (n == 7);
    assert_int_equal(sum, 100);
    assert_int_equal(wheel_run(&w, W_S, due, 7), 0);
}

/* If this fails, time going backwards is not noticed where it happens. */
static void time_does_not_go_back(void **state)
{
    (void)state;
    struct wheel w;
    struct timer *due[16];
    wheel_init(&w, 1000);
    WEIR_EXPECT_ASSERT(run(&w, 999, due));
}

/* If this fails, a hundred thousand connections make each other's timers slow: were any step
 * linear in the number of timers, this test would take hours. */
static void a_million_timers(void **state)
{
    (void)state;
    enum { N = 1000000 };
    struct timer *t = calloc(N, sizeof *t), *due[64];
    assert_non_null(t);
    static struct wheel w;
    struct rng r;
    rng_seed(&r, 11);
    wheel_init(&w, 0);
    for (unsigned i = 0; i < N; i++)
        wheel_set(&w, &t[i], rng_u64(&r) >> (24 + i % 16));
    for (unsigned i = 0; i < N; i++) {
        if (i % 4 == 0)
            wheel_del(&w, &t[i]);
        else if (i % 4 == 1)
            wheel_set(&w, &t[i], t[i].at + W_S);
    }
    w_ns now = 0;
    unsigned seen = 0;
    while (w.n_set != 0) {
        w_ns next = wheel_next(&w);
        assert_true(next >= now);
        now = next;
        seen += wheel_run(&w, now, due, 64);
    }
    assert_int_equal(seen, N - N / 4);
    free(t);
}

/* ---- the model ---- */

enum { TIMERS = 48 };

struct model_timer {
    bool is_set;
    w_ns at;
    uint64_t tick, seq; /* of its slot; when it was set */
};

struct model {
    struct wheel w;
    struct timer t[TIMERS];
    struct model_timer m[TIMERS];
    struct rng r;
    w_ns now;
    uint64_t seq;
};

static bool is_before(const struct model_timer *a, const struct model_timer *b)
{
    return a->tick != b->tick ? a->tick < b->tick : a->seq < b->seq;
}

/* The one that must be handed out next, TIMERS: none is due. */
static unsigned first_due(const struct model *s)
{
    unsigned best = TIMERS;
    for (unsigned i = 0; i < TIMERS; i++) {
        if (!s->m[i].is_set || s->m[i].at > s->now)
            continue;
        if (best == TIMERS || is_before(&s->m[i], &s->m[best]))
            best = i;
    }
    return best;
}

static void model_set(struct model *s, unsigned i, w_ns at)
{
    uint64_t tick = w_u64_max(at >> WHEEL_TICK_SHIFT, s->w.tick);
    s->m[i] = (struct model_timer){.is_set = true, .at = at, .tick = tick, .seq = s->seq++};
    wheel_set(&s->w, &s->t[i], at);
}

/* One call of wheel_run with a small array, each result compared; returns how many. */
static unsigned model_run(struct model *s, unsigned max)
{
    struct timer *due[TIMERS];
    unsigned n = wheel_run(&s->w, s->now, due, max);
    assert_true(n <= max);
    for (unsigned k = 0; k < n; k++) {
        unsigned i = first_due(s);
        assert_int_not_equal(i, TIMERS);
        assert_ptr_equal(due[k], &s->t[i]);
        assert_false(s->t[i].is_set);
        s->m[i].is_set = false;
    }
    if (n < max)
        assert_int_equal(first_due(s), TIMERS);
    return n;
}

/* wheel_next against the earliest timer: never later, and earlier by less than a slot. */
static void model_check_next(const struct model *s)
{
    unsigned n = 0, first = TIMERS;
    for (unsigned i = 0; i < TIMERS; i++) {
        assert_int_equal(s->t[i].is_set, s->m[i].is_set);
        if (!s->m[i].is_set)
            continue;
        n++;
        if (first == TIMERS || s->m[i].at < s->m[first].at)
            first = i;
    }
    assert_int_equal(s->w.n_set, n);
    w_ns next = wheel_next(&s->w);
    if (n == 0) {
        assert_int_equal(next, W_NEVER);
        return;
    }
    w_ns at = s->m[first].at;
    unsigned shift = WHEEL_TICK_SHIFT + 6u * (s->t[first].slot / WHEEL_SLOTS);
    assert_true(next <= at);
    assert_true(next <= s->now || next >> shift >= at >> shift);
}

static w_ns random_span(struct model *s) { return rng_u64(&s->r) >> (20 + rng_below(&s->r, 44)); }

static void model_step(struct model *s)
{
    unsigned i = rng_below(&s->r, TIMERS), what = rng_below(&s->r, 8);
    if (what < 4) {
        model_set(s, i, w_ns_add(s->now, random_span(s)));
    } else if (what == 4) { /* near another's time, to make ties and full slots */
        unsigned j = rng_below(&s->r, TIMERS);
        model_set(s, i, s->m[j].at + rng_below(&s->r, 2));
    } else if (what == 5) {
        wheel_del(&s->w, &s->t[i]);
        s->m[i].is_set = false;
    } else if (what == 6) { /* sleep until next, at most a while */
        s->now = w_u64_max(s->now, w_u64_min(wheel_next(&s->w), s->now + (W_S << 8)));
        model_run(s, 1 + rng_below(&s->r, 3)); /* what remains stays due, while others are set */
    } else {
        s->now = w_ns_add(s->now, random_span(s) >> rng_below(&s->r, 20));
        while (model_run(s, 1 + rng_below(&s->r, 8)) != 0)
            continue;
        assert_true(wheel_next(&s->w) > s->now);
    }
    model_check_next(s);
}

/* If this fails, some connection in some state some day hangs for ever: its timer was lost, or
 * came too early, or wheel_next let the loop sleep past it. */
static void behaves_like_a_list(void **state)
{
    (void)state;
    enum { ROUNDS = 40, STEPS = 50000 };
    static struct model s;
    for (unsigned round = 0; round < ROUNDS; round++) {
        memset(&s, 0, sizeof s);
        rng_seed(&s.r, round);
        s.now = round % 2 ? rng_u64(&s.r) >> (round % 32) : round;
        wheel_init(&s.w, s.now);
        for (unsigned i = 0; i < STEPS && s.now < W_NEVER - (W_S << 20); i++)
            model_step(&s);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(due_to_the_nanosecond),
    cmocka_unit_test(starts_at_any_time),
    cmocka_unit_test(the_past_is_due_now),
    cmocka_unit_test(never_is_the_last_moment),
    cmocka_unit_test(moved_and_deleted),
    cmocka_unit_test(ties_come_in_the_order_they_were_set),
    cmocka_unit_test(max_is_respected_and_nothing_is_lost),
    cmocka_unit_test(time_does_not_go_back),
    cmocka_unit_test(a_million_timers),
    cmocka_unit_test(behaves_like_a_list),
};
UNIT_MAIN(tests)
