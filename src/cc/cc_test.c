/* SPDX-License-Identifier: Apache-2.0
 *
 * Congestion control: rows of numbers, properties that hold whatever happens, and the curves as
 * they are today.
 */
#include <errno.h>

#include "unit.h"

#include "cc/cc.h"

enum { MSS = 1000 };

static struct cc_ack ack_of(uint32_t acked, w_ns now)
{
    return (struct cc_ack){.now = now, .acked = acked, .srtt_us = 100000, .cwnd_limited = true};
}

static void start(struct cc *c, const char *name)
{
    int kind = cc_find(name, strlen(name));
    assert_true(kind >= 0);
    cc_init(c, (unsigned)kind, MSS, 10 * MSS, W_S);
}

/* One round trip: every segment of the window is acknowledged. */
static void round_trip(struct cc *c, w_ns *now)
{
    uint32_t segs = c->cwnd / MSS;
    *now += 100 * W_MS;
    for (uint32_t i = 0; i < segs; i++) {
        struct cc_ack a = ack_of(MSS, *now);
        cc_on_ack(c, &a);
    }
}

static void lose(struct cc *c, enum cc_loss what, w_ns now)
{
    struct cc_ack a = ack_of(0, now);
    cc_on_loss(c, what, &a);
    c->cwnd = what == CC_LOSS_RTO ? MSS : c->ssthresh;
    cc_on_recovered(c, &a);
}

/* If this failed setsockopt(TCP_CONGESTION) would choose another algorithm than it was told. */
static void names(void **state)
{
    (void)state;
    assert_string_equal(cc_at((unsigned)cc_find("cubic", 5))->name, "cubic");
    assert_string_equal(cc_at((unsigned)cc_find("reno\0xx", 7))->name, "reno");
    assert_int_equal(cc_find("ren", 3), -ENOENT);
    assert_int_equal(cc_find("renoo", 5), -ENOENT);
    assert_int_equal(cc_find("", 0), -ENOENT);
    assert_null(cc_at(99));
}

/* If this failed slow start would not double, or congestion avoidance not add one segment per round
 * trip, or a loss not halve. [RFC 5681 3.1] */
static void reno_by_the_book(void **state)
{
    struct cc c;
    w_ns now = W_S;
    (void)state;
    start(&c, "reno");
    assert_int_equal(c.ssthresh, CC_SSTHRESH_INF);
    round_trip(&c, &now);
    assert_int_equal(c.cwnd, 20 * MSS);
    round_trip(&c, &now);
    assert_int_equal(c.cwnd, 40 * MSS);
    lose(&c, CC_LOSS_FAST, now);
    assert_int_equal(c.cwnd, 20 * MSS);
    for (uint32_t i = 1; i <= 10; i++) {
        round_trip(&c, &now);
        assert_int_equal(c.cwnd, (20 + i) * MSS);
    }
    lose(&c, CC_LOSS_RTO, now);
    assert_int_equal(c.cwnd, MSS);
    assert_int_equal(c.ssthresh, 15 * MSS);
    for (int i = 0; i < 4; i++)
        round_trip(&c, &now);
    assert_int_equal(c.cwnd, 15 * MSS); /* 2, 4, 8, and no further than ssthresh in slow start */
}

/* If this failed CUBIC would not fall to 0.7, return to where the loss was, and grow past it.
 * [RFC 9438 4.2, 4.6] */
static void cubic_by_the_book(void **state)
{
    struct cc c;
    w_ns now = W_S;
    (void)state;
    start(&c, "cubic");
    c.cwnd = c.ssthresh = 1000 * MSS;
    lose(&c, CC_LOSS_FAST, now);
    assert_int_equal(c.cwnd, 700 * MSS);
    /* K = cbrt(300 / 0.4) = 9.08 s; the plateau is reached about then and is flat */
    w_ns lost_at = now;
    while (now - lost_at < 9 * W_S)
        round_trip(&c, &now);
    assert_in_range(c.cwnd, 985 * MSS, 1005 * MSS);
    uint32_t flat = c.cwnd;
    while (now - lost_at < 11 * W_S)
        round_trip(&c, &now);
    assert_in_range(c.cwnd, flat, flat + 10 * MSS);
    while (now - lost_at < 20 * W_S)
        round_trip(&c, &now);
    /* 0.4 * (20 - 9.08)^3 = 521 more */
    assert_in_range(c.cwnd, 1480 * MSS, 1560 * MSS);
}

/* If this failed CUBIC would be slower than Reno on short paths. [RFC 9438 4.3] */
static void cubic_is_no_slower_than_reno(void **state)
{
    struct cc cubic, reno;
    w_ns a = W_S, b = W_S;
    (void)state;
    start(&cubic, "cubic");
    start(&reno, "reno");
    cubic.ssthresh = reno.ssthresh = 10 * MSS;
    for (int i = 0; i < 100; i++) {
        round_trip(&cubic, &a);
        round_trip(&reno, &b);
    }
    assert_true(cubic.cwnd + 2 * MSS >= reno.cwnd);
}

/* [RFC 9438 4.7] If this failed a new flow would wait long for its share. */
static void cubic_converges_fast(void **state)
{
    struct cc c;
    w_ns now = W_S;
    (void)state;
    start(&c, "cubic");
    c.cwnd = c.ssthresh = 1000 * MSS;
    lose(&c, CC_LOSS_FAST, now);
    round_trip(&c, &now);
    lose(&c, CC_LOSS_FAST, now);
    /* the plateau is 0.85 of the 700 where the second loss was: 595, after cbrt(105 / 0.4) = 6.4 s;
     * without this rule 700 would nearly be reached by then */
    w_ns lost_at = now;
    while (now - lost_at < 6400 * W_MS)
        round_trip(&c, &now);
    assert_in_range(c.cwnd, 580 * MSS, 610 * MSS);
}

static uint32_t next_random(uint32_t *s) { return *s = *s * 1664525u + 1013904223u; }

/* If this failed an algorithm could stop a connection or flood the network: cwnd >= 1 MSS, ssthresh
 * >= 2 MSS, no growth without need, whatever comes in whatever order. */
static void laws_hold(void **state)
{
    uint32_t s = 1;
    (void)state;
    for (unsigned kind = 0; cc_at(kind) != NULL; kind++) {
        struct cc c;
        w_ns now = W_S;
        cc_init(&c, kind, MSS, 10 * MSS, now);
        for (int i = 0; i < 200000; i++) {
            uint32_t r = next_random(&s), what = r >> 28;
            now += (w_ns)(next_random(&s) >> 8) * 100;
            struct cc_ack a = ack_of(next_random(&s) >> (8 + (r & 15)), now);
            a.cwnd_limited = (r & 1) != 0;
            a.srtt_us = next_random(&s) >> 6;
            uint32_t before = c.cwnd;
            if (what < 12)
                cc_on_ack(&c, &a);
            else if (what == 12)
                cc_on_loss(&c, (enum cc_loss)(r % 3), &a);
            else if (what == 13)
                cc_on_recovered(&c, &a);
            else if (what == 14)
                cc_on_idle(&c, now, next_random(&s));
            else if ((r & 7) == 0)
                cc_set_mss(&c, 48 + (next_random(&s) >> 16));
            else
                cc_on_undo(&c, now);
            assert_true(c.cwnd >= c.mss);
            assert_true(c.ssthresh >= 2 * c.mss);
            assert_true(c.cwnd <= 1u << 30);
            if (what < 12 && !a.cwnd_limited)
                assert_true(c.cwnd <= before);
        }
    }
}

/* If this failed somebody changed a curve without saying so: cwnd in segments after each of twenty
 * round trips of 100 ms, with a loss at the eighth and a timeout at the fourteenth. */
static void golden_curves(void **state)
{
    static const struct {
        const char *name;
        uint16_t segs[20];
    } rows[] = {
        {"reno", {20, 40, 41, 42, 43, 44, 45, 23, 24, 25, 26, 27, 28, 1, 2, 4, 8, 14, 15, 16}},
        {"cubic", {20, 40, 40, 41, 42, 43, 44, 32, 32, 33, 34, 35, 36, 1, 2, 4, 8, 16, 26, 26}},
    };
    (void)state;
    for (unsigned k = 0; k < WEIR_COUNT(rows); k++) {
        struct cc c;
        w_ns now = W_S;
        start(&c, rows[k].name);
        c.ssthresh = 40 * MSS;
        for (unsigned i = 0; i < 20; i++) {
            round_trip(&c, &now);
            if (i == 7)
                lose(&c, CC_LOSS_FAST, now);
            if (i == 13)
                lose(&c, CC_LOSS_RTO, now);
            assert_int_equal(c.cwnd / MSS, rows[k].segs[i]);
        }
    }
}

/* If this failed changing the algorithm of a running connection would jolt it. */
static void change_keeps_the_window(void **state)
{
    struct cc c;
    w_ns now = W_S;
    (void)state;
    start(&c, "reno");
    round_trip(&c, &now);
    cc_change(&c, (unsigned)cc_find("cubic", 5), now);
    assert_int_equal(c.cwnd, 20 * MSS);
    round_trip(&c, &now);
    assert_int_equal(c.cwnd, 40 * MSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(reno_by_the_book),
        cmocka_unit_test(cubic_by_the_book),
        cmocka_unit_test(cubic_is_no_slower_than_reno),
        cmocka_unit_test(cubic_converges_fast),
        cmocka_unit_test(laws_hold),
        cmocka_unit_test(golden_curves),
        cmocka_unit_test(change_keeps_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
