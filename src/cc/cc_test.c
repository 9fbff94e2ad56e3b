/* SPDX-License-Identifier: Apache-2.0
 *
 * Congestion control: rows of numbers, properties that hold whatever happens, and the curves as
 * they are today.
 */
#include <errno.h>

#include "unit.h"

#include "base/rng.h"
#include "cc/lab_rig_test.h"

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

/* ---- all algorithms, anything ---- */

/* A number of up to 64 bits, small and extreme ones as likely as those between. */
static uint64_t any(struct rng *rng)
{
    uint64_t v = rng_u64(rng);
    return v >> (rng_u64(rng) & 63);
}

static uint32_t any32(struct rng *rng) { return (uint32_t)any(rng); }

static struct cc_ack any_ack(struct rng *rng, w_ns now)
{
    uint64_t bits = rng_u64(rng);
    return (struct cc_ack){
        .now = now,
        .delivered = any(rng),
        .acked = any32(rng),
        .sacked = any32(rng),
        .lost = any32(rng),
        .inflight_prior = any32(rng),
        .inflight = any32(rng),
        .rtt_us = any32(rng),
        .srtt_us = any32(rng),
        .min_rtt_us = any32(rng),
        .ce_bytes = any32(rng),
        .cwnd_limited = (bits & 1) != 0,
        .in_recovery = (bits & 2) != 0,
        .has_sack = (bits & 4) != 0,
        .app_limited = (bits & 8) != 0,
        .rate_Bps = any(rng),
        .prior_delivered = any(rng),
        .lost_since = any32(rng),
        .tx_inflight = any32(rng),
    };
}

static void any_event(struct cc *c, struct rng *rng, w_ns now)
{
    struct cc_ack a = any_ack(rng, now);
    struct cc_lost l = {.now = now,
                        .delivered = a.delivered,
                        .bytes = any32(rng),
                        .lost_since = a.lost_since,
                        .tx_inflight = a.tx_inflight,
                        .app_limited = a.app_limited,
                        .has_sack = a.has_sack};
    uint32_t before = c->cwnd;
    switch (rng_u64(rng) & 15) {
    case 0: cc_on_loss(c, (enum cc_loss)(rng_u64(rng) % 3), &a); break;
    case 1: cc_on_recovered(c, &a); break;
    case 2: cc_on_idle(c, now, any(rng)); break;
    case 3: cc_on_undo(c, now); break;
    case 4: cc_on_lost(c, &l); break;
    case 5:
        if ((rng_u64(rng) & 7) == 0)
            cc_set_mss(c, 48 + (any32(rng) & 0xffff));
        break;
    default:
        cc_on_ack(c, &a);
        assert_true(a.cwnd_limited || c->cwnd <= w_u32_max(before, c->mss));
        break;
    }
}

/* If this failed an algorithm could stop a connection or flood the network: cwnd >= 1 MSS, ssthresh
 * >= 2 MSS, no growth without need, whatever comes in whatever order, however extreme. */
static void laws_hold(void **state)
{
    struct rng rng;
    (void)state;
    rng_seed(&rng, 1);
    for (unsigned kind = 0; cc_at(kind) != NULL; kind++) {
        struct cc c;
        w_ns now = W_S;
        cc_init(&c, kind, MSS, 10 * MSS, now);
        for (int i = 0; i < 200000; i++) {
            now += any(&rng) >> 24;
            any_event(&c, &rng, now);
            assert_true(c.cwnd >= c.mss);
            assert_true(c.ssthresh >= 2 * c.mss);
            assert_true(c.cwnd <= 1u << 30);
            assert_int_equal(c.kind, kind);
        }
    }
}

/* If this failed the memory of one algorithm would reach into the next field of the connection, or
 * one could not be told from another. */
static void tables_are_sane(void **state)
{
    (void)state;
    for (unsigned k = 0; cc_at(k) != NULL; k++) {
        const struct cc_ops *o = cc_at(k);
        assert_in_range(strlen(o->name), 1, CC_NAME_MAX - 1);
        assert_in_range(o->priv_size, 1, CC_PRIV);
        assert_int_equal(cc_find(o->name, strlen(o->name)), (int)k);
    }
    assert_true(cc_at((unsigned)cc_find("dctcp", 5))->wants_ecn);
    assert_true(cc_at((unsigned)cc_find("bbr", 3))->wants_rate);
    assert_true(cc_at((unsigned)cc_find("bbr1", 4))->wants_rate);
}

/* ---- the curves as they are today ---- */

enum { GOLDEN_ROUNDS = 48 };

/* What golden.def says of an algorithm: bytes of cwnd after each round. */
struct golden {
    const char *name;
    uint32_t cwnd[GOLDEN_ROUNDS];
};

static const struct golden golden[] = {
#define GOLDEN(name, ...) {#name, {__VA_ARGS__}},
#include "cc/golden.def"
};

/* The script: 1 MB/s and 50 ms, so that 50 segments fit; what is more waits, and every other
 * segment is marked where ten and more wait. */
static void golden_round(struct rig *r, unsigned i)
{
    r->marks = r->c.cwnd > 60 * MSS ? 8 : 0;
    r->used = i >= 28 && i < 32 ? 5 * MSS : 0;
    r->app_limited = r->used != 0;
    rig_round(r);
    switch (i) {
    case 4: rig_lose(r, CC_LOSS_FAST); break;
    case 12: rig_lose(r, CC_LOSS_ECN); break;
    case 18: rig_lose(r, CC_LOSS_RTO); break;
    case 27:
        r->now += 10 * W_S;
        cc_on_idle(&r->c, r->now, 10 * W_S);
        break;
    case 36: rig_lose(r, CC_LOSS_FAST); break;
    case 37: rig_undo(r); break;
    default: break;
    }
}

static void print_golden(const char *name, const uint32_t *cwnd)
{
    print_message("GOLDEN(%s", name);
    for (unsigned i = 0; i < GOLDEN_ROUNDS; i++)
        print_message("%s%u", i % 8 == 0 ? ",\n       " : ", ", cwnd[i]);
    print_message(") /* end of %s */\n", name);
}

/* If this failed somebody changed a curve without saying so. The lines it prints are those that
 * golden.def would have to say. */
static void golden_curves(void **state)
{
    unsigned n_wrong = 0;
    (void)state;
    assert_null(cc_at(WEIR_COUNT(golden)));
    for (unsigned k = 0; k < WEIR_COUNT(golden); k++) {
        struct rig r;
        uint32_t cwnd[GOLDEN_ROUNDS];
        rig_start(&r, golden[k].name);
        r.rtt_us = 50000;
        r.rate_Bps = 1000000;
        for (unsigned i = 0; i < GOLDEN_ROUNDS; i++) {
            golden_round(&r, i);
            cwnd[i] = r.c.cwnd;
        }
        if (memcmp(cwnd, golden[k].cwnd, sizeof cwnd) != 0) {
            print_golden(golden[k].name, cwnd);
            n_wrong++;
        }
    }
    assert_int_equal(n_wrong, 0);
}

/* If this failed reordering taken for loss would cost rate: after the undo an algorithm stands
 * where it stood, and goes on. */
static void undo_goes_on(void **state)
{
    (void)state;
    for (unsigned k = 0; cc_at(k) != NULL; k++) {
        struct rig r;
        rig_start(&r, cc_at(k)->name);
        rig_rounds(&r, 3);
        rig_lose(&r, CC_LOSS_FAST);
        rig_rounds(&r, 12);
        uint32_t before = r.c.cwnd, ssthresh = r.c.ssthresh;
        rig_lose(&r, CC_LOSS_FAST);
        rig_undo(&r);
        assert_int_equal(r.c.cwnd, before);
        assert_true(r.c.ssthresh >= ssthresh);
        rig_rounds(&r, 4);
        assert_true(r.c.cwnd >= before);
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
        cmocka_unit_test(tables_are_sane),
        cmocka_unit_test(golden_curves),
        cmocka_unit_test(undo_goes_on),
        cmocka_unit_test(change_keeps_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
