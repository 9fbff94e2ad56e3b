/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of numbers worked out by hand from each algorithm's paper or RFC. MSS is 1000, so bytes read
 * as segments.
 */
#include "unit.h"

#include "cc/lab_rig_test.h"

/* A rig in congestion avoidance with a window of so many segments. */
static void start_at(struct rig *r, const char *name, uint32_t segs)
{
    rig_start(r, name);
    r->c.cwnd = r->c.ssthresh = segs * MSS;
}

/* ---- Reno, and what is common ---- */

/* If this failed a mark would cost as much as a loss, and nobody would gain from a queue that marks
 * early. [RFC 8511 3.1] beta_ecn is 0.8 for Reno and 0.85 for CUBIC, in congestion avoidance. */
static void marks_cost_less_than_losses(void **state)
{
    static const struct {
        const char *name;
        uint32_t mark, loss;
    } rows[] = {{"reno", 80, 50}, {"cubic", 85, 70}, {"vegas", 80, 50}};
    (void)state;
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        struct rig r;
        start_at(&r, rows[i].name, 100);
        rig_lose(&r, CC_LOSS_ECN);
        assert_int_equal(rig_segs(&r), rows[i].mark);
        start_at(&r, rows[i].name, 100);
        rig_lose(&r, CC_LOSS_FAST);
        assert_int_equal(rig_segs(&r), rows[i].loss);
        /* in slow start the queue may be anything: no discount */
        start_at(&r, rows[i].name, 100);
        r.c.ssthresh = 200 * MSS;
        rig_lose(&r, CC_LOSS_ECN);
        assert_int_equal(rig_segs(&r), rows[i].loss);
    }
}

/* If this failed an application that sends little for long could burst a whole stale window into a
 * congested path. [RFC 7661 4.4.1] max(pipeACK, FlightSize) stands for cwnd. */
static void unused_window_is_not_believed(void **state)
{
    struct rig r;
    (void)state;
    start_at(&r, "reno", 100);
    r.used = 20 * MSS;
    rig_rounds(&r, 30);
    assert_int_equal(rig_segs(&r), 100); /* it stays, and stands still */
    rig_lose(&r, CC_LOSS_FAST);
    assert_int_equal(rig_segs(&r), 10); /* half of 20 */

    /* many round trips within a millisecond are not many minutes */
    start_at(&r, "reno", 100);
    r.used = 20 * MSS;
    r.rtt_us = 50;
    rig_rounds(&r, 100);
    assert_int_equal(rig_segs(&r), 100);

    /* more than half of it in use: all of it counts */
    start_at(&r, "reno", 100);
    r.used = 50 * MSS;
    rig_rounds(&r, 30);
    rig_lose(&r, CC_LOSS_FAST);
    assert_int_equal(rig_segs(&r), 50);

    /* a flight larger than any sample: FlightSize decides */
    start_at(&r, "reno", 100);
    r.used = 20 * MSS;
    rig_rounds(&r, 30);
    r.used = 30 * MSS;
    rig_lose(&r, CC_LOSS_FAST);
    assert_int_equal(rig_segs(&r), 15);

    /* CUBIC the same: 0.7 of 20 */
    start_at(&r, "cubic", 100);
    r.used = 20 * MSS;
    rig_rounds(&r, 30);
    rig_lose(&r, CC_LOSS_FAST);
    assert_int_equal(rig_segs(&r), 14);
}

/* If this failed a window from better days would live for ever. [RFC 7661 4.4.3] after five minutes
 * cwnd is halved and ssthresh at least 3/4 of what it was. */
static void unused_window_expires(void **state)
{
    struct rig r;
    (void)state;
    start_at(&r, "reno", 100);
    r.used = 10 * MSS;
    rig_rounds(&r, 2990);
    assert_int_equal(rig_segs(&r), 100);
    rig_rounds(&r, 30);
    assert_int_equal(rig_segs(&r), 50);
    assert_int_equal(r.c.ssthresh, 100 * MSS);
    rig_rounds(&r, 3000);
    assert_int_equal(rig_segs(&r), 25);
    rig_rounds(&r, 6100);
    assert_int_equal(rig_segs(&r), 12); /* and 10 are more than half of 12: validated */
}

/* ---- CUBIC and HyStart++ ---- */

/* If this failed CUBIC would not be CUBIC: W(t) = C (t - K)^3 + W_max [RFC 9438 4.2 figure 1], with
 * C = 0.4, W_max = 1000 segments, K = cbrt(300 / 0.4) = 9.0856 s. */
static void cubic_follows_its_curve(void **state)
{
    struct rig r;
    int64_t k_ms = 9086;
    (void)state;
    start_at(&r, "cubic", 1000);
    rig_lose(&r, CC_LOSS_FAST);
    w_ns from = r.now;
    for (unsigned i = 0; i < 180; i++) {
        rig_round(&r);
        int64_t d = (int64_t)((r.now - from) / W_MS) - k_ms;
        int64_t w = 1000 * MSS + 400 * d * d * d / 1000000000;
        /* within one round trip's step of the curve, which is steepest at its ends */
        int64_t step = 3 * 400 * d * d / 1000000000 * 100;
        assert_near(r.c.cwnd, (uint32_t)w, (uint32_t)step + 2 * MSS);
    }
}

/* If this failed slow start would not hear the queue, or hear one where there is none. [RFC 9406
 * 4.2] The threshold is an eighth of the last round's RTT, at least 4, at most 16 ms. */
static void hystart_hears_longer_round_trips(void **state)
{
    static const struct {
        uint32_t last_us, now_us;
        bool is_css;
    } rows[] = {
        {20000, 23999, false}, {20000, 24000, true},    {80000, 89999, false},
        {80000, 90000, true},  {200000, 215999, false}, {200000, 216000, true},
    };
    (void)state;
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        struct rig r;
        rig_start(&r, "cubic");
        r.rtt_us = rows[i].last_us;
        rig_round(&r);
        rig_round(&r);
        assert_int_equal(rig_segs(&r), 40);
        r.rtt_us = rows[i].now_us;
        rig_round(&r); /* from its eighth ACK on the round knows */
        if (rows[i].is_css)
            assert_in_range(r.c.cwnd, 54 * MSS, 58 * MSS); /* 40 + 8 + 32 / 4 = 56 */
        else
            assert_int_equal(rig_segs(&r), 80);
    }
}

/* [RFC 9406 4.2] If this failed conservative slow start would last for ever or end at once: it
 * takes five rounds, the one it began in among them, each a quarter larger. */
static void hystart_ends_after_five_rounds(void **state)
{
    struct rig r;
    (void)state;
    rig_start(&r, "cubic");
    rig_rounds(&r, 2);
    r.rtt_us = 120000;
    rig_rounds(&r, 5);
    assert_int_equal(r.c.ssthresh, CC_SSTHRESH_INF);
    assert_near(r.c.cwnd, 56 * MSS * 625 / 256, 4 * MSS); /* 56 * 1.25^4 = 137 */
    rig_round(&r);
    assert_true(r.c.ssthresh != CC_SSTHRESH_INF);
    assert_near(r.c.ssthresh, 56 * MSS * 625 / 256, 5 * MSS);
}

/* [RFC 9406 4.2] If this failed a moment of jitter would end slow start. */
static void hystart_forgives_jitter(void **state)
{
    struct rig r;
    (void)state;
    rig_start(&r, "cubic");
    rig_rounds(&r, 2);
    r.rtt_us = 120000;
    rig_round(&r);
    uint32_t careful = r.c.cwnd;
    r.rtt_us = 100000;
    rig_rounds(&r, 2);
    assert_true(r.c.cwnd > 3 * careful);
    assert_int_equal(r.c.ssthresh, CC_SSTHRESH_INF);
}

/* ---- Vegas ---- */

/* If this failed Vegas would fill the queue or starve. [Brakmo, Peterson IV.B] W = 20, BaseRTT =
 * 100 ms: Diff = W (RTT - BaseRTT) / RTT against alpha = 2 and beta = 4. */
static void vegas_keeps_diff_between_alpha_and_beta(void **state)
{
    static const struct {
        uint32_t rtt_us, segs;
    } rows[] = {
        {100000, 21}, /* Diff 0 */
        {105000, 21}, /* 0.95 */
        {112000, 20}, /* 2.14 */
        {124000, 20}, /* 3.87 */
        {130000, 19}, /* 4.62 */
    };
    (void)state;
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        struct rig r;
        start_at(&r, "vegas", 20);
        rig_rounds(&r, 2); /* BaseRTT */
        r.rtt_us = rows[i].rtt_us;
        rig_rounds(&r, 2); /* rounds with short RTTs in them are over */
        r.c.cwnd = 20 * MSS;
        rig_round(&r);
        assert_int_equal(rig_segs(&r), rows[i].segs);
    }
}

/* [Brakmo, Peterson IV.C] If this failed the rate would be measured while it changes: cwnd doubles
 * every other round trip only. */
static void vegas_doubles_every_other_round(void **state)
{
    struct rig r;
    uint32_t still = 0, grown = 0;
    (void)state;
    rig_start(&r, "vegas");
    for (unsigned i = 0; i < 6; i++) {
        uint32_t before = r.c.cwnd;
        rig_round(&r);
        still += r.c.cwnd <= before + 2 * MSS;
        grown += r.c.cwnd >= 2 * before - 3 * MSS;
    }
    assert_int_equal(still, 3);
    assert_int_equal(grown, 3);
}

/* ---- Westwood+ ---- */

/* If this failed a loss by noise would cost half the rate. [Grieco, Mascolo 2004 2] ssthresh = b^
 * RTTmin: 32 segments in 80 ms are 400 kB/s; times 80 ms that is 32 segments, not half of 40. */
static void westwood_steps_back_to_the_path(void **state)
{
    struct rig r;
    (void)state;
    start_at(&r, "westwood", 40);
    r.rtt_us = 80000;
    r.srtt_us = 100000;
    r.used = 32 * MSS;
    rig_rounds(&r, 10);
    r.used = 0;
    rig_lose(&r, CC_LOSS_FAST);
    assert_near(rig_segs(&r), 32, 1);
    /* a timeout too, but cwnd begins with one */
    rig_lose(&r, CC_LOSS_RTO);
    assert_int_equal(rig_segs(&r), 1);
    assert_near(r.c.ssthresh, 32 * MSS, MSS);
}

/* [Grieco, Mascolo 2004 2] b^_k = 0.9 b^_k-1 + 0.1 b_k: from 400 kB/s, after n samples of 200 kB/s,
 * 200 + 200 * 0.9^n. n = 7: 295.7. */
static void westwood_filters(void **state)
{
    struct rig r;
    (void)state;
    start_at(&r, "westwood", 100);
    r.rtt_us = 100000;
    r.used = 40 * MSS;
    rig_rounds(&r, 10);
    r.used = 20 * MSS;
    rig_rounds(&r, 7);
    rig_lose(&r, CC_LOSS_FAST);
    /* samples and rounds do not end together: one more or less, 28.6 .. 30.6 */
    assert_in_range(r.c.ssthresh, 28 * MSS, 31 * MSS);
}

/* ---- BIC ---- */

/* If this failed BIC would search without a plan. [Xu, Harfoush, Rhee III, figure 2] From 875 to
 * the last maximum of 1000: 32 a round while half the distance is more, then half the distance. */
static void bic_halves_the_distance(void **state)
{
    static const uint32_t segs[] = {907, 939, 969, 984, 992, 996, 998, 999};
    struct rig r;
    (void)state;
    start_at(&r, "bic", 1000);
    rig_lose(&r, CC_LOSS_FAST);
    assert_int_equal(rig_segs(&r), 875); /* beta = 1/8 */
    for (unsigned i = 0; i < WEIR_COUNT(segs); i++) {
        rig_round(&r);
        assert_near(rig_segs(&r), segs[i], 2);
    }
    /* six steps from 61 segments below to one: log2(61) */
}

/* [Xu, Harfoush, Rhee III] If this failed BIC would never find more than it had: beyond the maximum
 * 1, 2, 4, 8, 16, 32, 32 ... segments a round. */
static void bic_probes_beyond(void **state)
{
    static const uint32_t step[] = {1, 2, 4, 8, 16, 32, 32, 32};
    struct rig r;
    (void)state;
    start_at(&r, "bic", 1000); /* no maximum known */
    uint32_t sum = 1000;
    for (unsigned i = 0; i < WEIR_COUNT(step); i++) {
        rig_round(&r);
        sum += step[i];
        assert_near(rig_segs(&r), sum, 1 + step[i] / 16);
    }
}

/* [Xu, Harfoush, Rhee III "fast convergence"] If this failed newcomers would wait: the second loss
 * at 900 is below the maximum of 1000, so the next target is half way between 900 and 787. Below 14
 * segments it is Reno. */
static void bic_makes_room(void **state)
{
    struct rig r;
    (void)state;
    start_at(&r, "bic", 1000);
    rig_lose(&r, CC_LOSS_FAST);
    r.c.cwnd = 900 * MSS;
    rig_lose(&r, CC_LOSS_FAST);
    assert_int_equal(rig_segs(&r), 787);
    rig_rounds(&r, 8);
    assert_in_range(rig_segs(&r), 838, 846);
    start_at(&r, "bic", 12);
    rig_lose(&r, CC_LOSS_FAST);
    assert_int_equal(rig_segs(&r), 6);
    rig_round(&r);
    assert_in_range(r.c.cwnd, 6900, 7000);
}

/* ---- DCTCP ---- */

/* If this failed DCTCP would be Reno or deaf. [RFC 8257 3.3] cwnd (1 - alpha / 2); alpha begins at
 * 1 and each window without a mark takes a sixteenth of it, each marked throughout gives it
 * back. */
static void dctcp_steps_back_by_half_alpha(void **state)
{
    struct rig r;
    (void)state;
    start_at(&r, "dctcp", 1000);
    rig_lose(&r, CC_LOSS_ECN);
    assert_int_equal(r.c.cwnd, 500 * MSS); /* alpha 1 */

    start_at(&r, "dctcp", 1000);
    rig_rounds(&r, 2); /* the first ACK begins a window, the next round's first ends it */
    r.c.cwnd = 1000 * MSS;
    rig_lose(&r, CC_LOSS_ECN);
    assert_int_equal(r.c.cwnd, 531250); /* 15/16: 1000 (1 - 0.46875) */

    start_at(&r, "dctcp", 1000);
    r.marks = 8; /* M = 1/2 */
    rig_rounds(&r, 2);
    r.c.cwnd = 1000 * MSS;
    rig_lose(&r, CC_LOSS_ECN);
    assert_near(r.c.cwnd, 515625, 100); /* 15/16 + 1/32 = 0.96875 */

    start_at(&r, "dctcp", 100);
    r.marks = 4; /* M = 1/4 for long: alpha is 1/4 */
    rig_rounds(&r, 200);
    r.c.cwnd = 1000 * MSS;
    rig_lose(&r, CC_LOSS_ECN);
    assert_near(r.c.cwnd, 875000, 1000);

    start_at(&r, "dctcp", 100);
    rig_rounds(&r, 400);
    r.c.cwnd = 1000 * MSS;
    rig_lose(&r, CC_LOSS_ECN);
    assert_near(r.c.cwnd, 1000000, 100); /* no marks for long: alpha is 0 */
}

/* [RFC 8257 3.5] If this failed DCTCP would ignore a full queue that does not mark. */
static void dctcp_halves_for_losses(void **state)
{
    struct rig r;
    (void)state;
    start_at(&r, "dctcp", 100);
    rig_rounds(&r, 50);
    r.c.cwnd = 100 * MSS;
    rig_lose(&r, CC_LOSS_FAST);
    assert_int_equal(rig_segs(&r), 50);
}

/* ---- LEDBAT++ ---- */

/* If this failed the background would be louder than the foreground. [LEDBAT++ 4.2] GAIN = 1 /
 * min(16, ceil(2 * 60 ms / base)): bytes gained in a round trip without a queue. */
static void ledbat_gains_by_distance(void **state)
{
    static const struct {
        uint32_t base_us, bytes;
    } rows[] = {{130000, 1000}, {100000, 500}, {40000, 333}, {30000, 250}, {7000, 62}, {500, 62}};
    (void)state;
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        struct rig r;
        start_at(&r, "ledbat", 100);
        r.rtt_us = rows[i].base_us;
        rig_lose(&r, CC_LOSS_FAST);
        assert_int_equal(rig_segs(&r), 50);
        rig_round(&r);
        assert_near(r.c.cwnd - 50 * MSS, rows[i].bytes, rows[i].bytes / 25 + 1);
    }
}

/* [LEDBAT++ 4.3] If this failed it would not yield, or vanish: W += max(GAIN - W (queue / T - 1),
 * -W / 2) per RTT. base 120 ms (GAIN 1), W = 40. */
static void ledbat_yields_in_proportion(void **state)
{
    static const struct {
        uint32_t queue_us, segs;
    } rows[] = {
        {60000, 41},  /* at the target: + 1 */
        {75000, 31},  /* 1 - 40 / 4 */
        {90000, 21},  /* 1 - 40 / 2 */
        {180000, 20}, /* -W / 2 at most */
    };
    (void)state;
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        struct rig r;
        start_at(&r, "ledbat", 80);
        r.rtt_us = 120000;
        r.srtt_us = 10000000; /* the slowdown is far away */
        rig_lose(&r, CC_LOSS_FAST);
        rig_round(&r);
        r.c.cwnd = 4 * MSS; /* four samples fill the filter */
        r.rtt_us = 120000 + rows[i].queue_us;
        rig_round(&r);
        r.c.cwnd = 40 * MSS;
        rig_round(&r);
        assert_near(r.c.cwnd, rows[i].segs * MSS, MSS);
    }
}

/* [LEDBAT++ 4.1] If this failed slow start would not heed the target: it ends at 45 ms of queue. */
static void ledbat_leaves_slow_start_early(void **state)
{
    struct rig r;
    (void)state;
    rig_start(&r, "ledbat");
    r.rtt_us = 120000;
    rig_rounds(&r, 2);
    assert_int_equal(rig_segs(&r), 40); /* GAIN 1: it doubles */
    r.rtt_us = 165000;
    rig_round(&r);
    assert_int_equal(rig_segs(&r), 80);
    r.rtt_us = 165001;
    rig_round(&r);
    assert_int_equal(r.c.ssthresh / MSS, 83); /* when the least of four samples says so */
}

/* [LEDBAT++ 4.4] If this failed flows of this class would take each other's queue for the path: two
 * round trips after slow start two segments for two round trips, then slow start to where it was,
 * then nine times as long until the next. */
static void ledbat_slows_down_now_and_then(void **state)
{
    struct rig r;
    unsigned first_two = 0, n_two = 0, back = 0, again = 0;
    (void)state;
    rig_start(&r, "ledbat");
    r.rtt_us = 120000;
    r.c.ssthresh = 80 * MSS;
    rig_rounds(&r, 3);
    assert_int_equal(rig_segs(&r), 80);
    for (unsigned i = 1; i < 200 && again == 0; i++) {
        rig_round(&r);
        if (rig_segs(&r) == 2 && back == 0) {
            first_two = first_two == 0 ? i : first_two;
            n_two++;
        } else if (n_two > 0 && back == 0 && rig_segs(&r) >= 80) {
            back = i;
        } else if (back != 0 && rig_segs(&r) == 2) {
            again = i;
        }
    }
    assert_in_range(first_two, 2, 3);
    assert_in_range(n_two, 2, 3);
    assert_in_range(back - first_two, 7, 9); /* 2 to 80 is between five and six doublings */
    assert_near(again - back, 9 * (back - first_two), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_cost_less_than_losses),
        cmocka_unit_test(unused_window_is_not_believed),
        cmocka_unit_test(unused_window_expires),
        cmocka_unit_test(cubic_follows_its_curve),
        cmocka_unit_test(hystart_hears_longer_round_trips),
        cmocka_unit_test(hystart_ends_after_five_rounds),
        cmocka_unit_test(hystart_forgives_jitter),
        cmocka_unit_test(vegas_keeps_diff_between_alpha_and_beta),
        cmocka_unit_test(vegas_doubles_every_other_round),
        cmocka_unit_test(westwood_steps_back_to_the_path),
        cmocka_unit_test(westwood_filters),
        cmocka_unit_test(bic_halves_the_distance),
        cmocka_unit_test(bic_probes_beyond),
        cmocka_unit_test(bic_makes_room),
        cmocka_unit_test(dctcp_steps_back_by_half_alpha),
        cmocka_unit_test(dctcp_halves_for_losses),
        cmocka_unit_test(ledbat_gains_by_distance),
        cmocka_unit_test(ledbat_yields_in_proportion),
        cmocka_unit_test(ledbat_leaves_slow_start_early),
        cmocka_unit_test(ledbat_slows_down_now_and_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
