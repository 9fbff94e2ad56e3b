/* SPDX-License-Identifier: Apache-2.0
 *
 * BBR's states and bounds, by numbers from draft-ietf-ccwg-bbr. The rig's path: 1 MB/s, 50 ms, so
 * the BDP is 50 segments.
 */
#include "unit.h"

#include "cc/bbr.h"
#include "cc/lab_rig_test.h"

enum { RATE = 1000000, RTT_US = 50000, BDP = 50 * MSS };

static enum bbr_state state_of(struct rig *r) { return (enum bbr_state)bbr_of(&r->c)->state; }

static void start(struct rig *r) { rig_start_path(r, "bbr", RTT_US, RATE); }

/* Rounds until a state is reached. */
static unsigned rounds_to(struct rig *r, enum bbr_state s, unsigned most)
{
    unsigned n = 0;
    while (state_of(r) != s && n < most) {
        rig_round(r);
        n++;
    }
    assert_int_equal(state_of(r), s);
    return n;
}

/* A pipe just full, as pacing would keep it. */
static void start_cruising(struct rig *r)
{
    start(r);
    rounds_to(r, BBR_DRAIN, 20);
    r->used = BDP;
    rounds_to(r, BBR_CRUISE, 20);
}

static void lost(struct rig *r, uint32_t bytes, uint32_t lost_since, uint32_t tx_inflight)
{
    struct cc_lost l = {.now = r->now,
                        .delivered = r->delivered,
                        .bytes = bytes,
                        .lost_since = lost_since,
                        .tx_inflight = tx_inflight,
                        .has_sack = true};
    cc_on_lost(&r->c, &l);
}

/* If this failed a connection would begin with a burst, or too slowly to double. [5.6.2] 2.77 cwnd
 * / SRTT, and 1 ms while there is no SRTT; bursts of a millisecond [5.6.3], two segments at
 * least. */
static void first_pacing_rate(void **state)
{
    struct rig r;
    (void)state;
    rig_start(&r, "bbr");
    assert_int_equal(r.c.pacing_Bps, 27700000);
    assert_int_equal(r.c.gso_burst, 27700);
    struct cc_ack a = {.now = r.now, .srtt_us = 100000};
    cc_on_ack(&r.c, &a);
    assert_int_equal(r.c.pacing_Bps, 277000);
    assert_int_equal(r.c.gso_burst, 2 * MSS);
}

/* If this failed BBR would not find the rate, or not stop looking. [5.3.1.2] Three rounds in which
 * the rate did not grow by a quarter end STARTUP; then half the rate until the queue is gone; then
 * the rate itself, with 1 % kept back [5.6.2]. */
static void startup_ends_when_the_pipe_is_full(void **state)
{
    struct rig r;
    (void)state;
    start(&r);
    while (r.c.cwnd < BDP)
        rig_round(&r);
    assert_int_equal(state_of(&r), BBR_STARTUP);
    assert_in_range(rounds_to(&r, BBR_DRAIN, 20), 3, 5);
    assert_near(r.c.pacing_Bps, RATE / 2 * 99 / 100, 100);
    r.used = BDP; /* the queue is gone */
    rounds_to(&r, BBR_CRUISE, 2);
    assert_near(r.c.pacing_Bps, RATE * 99 / 100, 100);
}

/* If this failed BBR would fill queues: never more than 2 BDP allowed in flight, 2.25 while probing
 * (and two segments), half a BDP while probing the RTT. [5.6.1] */
static void cwnd_is_a_multiple_of_the_bdp(void **state)
{
    struct rig r;
    unsigned seen_up = 0, seen_rtt = 0;
    (void)state;
    start(&r);
    rounds_to(&r, BBR_DRAIN, 20);
    rig_rounds(&r, 20);
    for (unsigned i = 0; i < 600; i++) {
        rig_round(&r);
        uint32_t extra = (uint32_t)bbr_of(&r.c)->extra.segs[0] * MSS;
        if (state_of(&r) == BBR_UP) {
            seen_up++;
            assert_in_range(r.c.cwnd, BDP, BDP * 9 / 4 + 2 * MSS + extra);
        } else if (state_of(&r) == BBR_PROBE_RTT) {
            seen_rtt++;
            assert_in_range(r.c.cwnd, BDP / 2 - 1, BDP / 2 + 1);
            assert_int_equal(r.c.flags, CC_APP_LIMITED);
        } else {
            assert_in_range(r.c.cwnd, BDP / 2, BDP * 9 / 4 + 2 * MSS + extra);
            assert_int_equal(r.c.flags, 0);
        }
    }
    assert_true(seen_up > 5);
    assert_true(seen_rtt > 5);
}

/* [5.3.4] If this failed the RTT would be believed for ever: PROBE_RTT comes when for 5 s none was
 * as short, and lasts 200 ms and a round trip. */
static void probes_the_rtt_every_five_seconds(void **state)
{
    struct rig r;
    (void)state;
    start(&r);
    rounds_to(&r, BBR_DRAIN, 20);
    rounds_to(&r, BBR_PROBE_RTT, 200);
    w_ns began = r.now;
    while (state_of(&r) == BBR_PROBE_RTT)
        rig_round(&r);
    assert_in_range((r.now - began) / W_MS, 200, 400);
    assert_true(r.c.cwnd >= BDP);
    rounds_to(&r, BBR_PROBE_RTT, 200);
    assert_in_range((r.now - began) / W_MS, 5000, 5600);
}

/* [5.5.10.3] If this failed loss would go unanswered between probes: at most 30 % less per round
 * trip, no less than what got through. */
static void loss_lowers_the_short_term(void **state)
{
    struct rig r;
    (void)state;
    start_cruising(&r);
    r.lost_since = 2 * MSS; /* 4 % */
    lost(&r, MSS, 2 * MSS, BDP);
    r.rate_Bps = 300000;
    rig_rounds(&r, 3);
    assert_int_equal(state_of(&r), BBR_CRUISE);
    /* the first round's best sample may be of before; then 0.7 */
    uint32_t bw = bbr_bw(bbr_of(&r.c)) << BBR_BW_SHIFT;
    assert_in_range(bw, RATE * 7 / 10 - 16, RATE);
    lost(&r, MSS, 2 * MSS, BDP);
    rig_rounds(&r, 2);
    assert_near(bbr_bw(bbr_of(&r.c)) << BBR_BW_SHIFT, (uint64_t)bw * 7 / 10, 32);
    assert_near(r.c.pacing_Bps, (uint64_t)bw * 7 / 10 * 99 / 100, 100);
}

/* If this failed a path with a little noise would be used less and less until the next probe: what
 * gets through is always a little less than what was tried. A mark is no noise. */
static void noise_lowers_nothing(void **state)
{
    struct rig r;
    (void)state;
    start_cruising(&r);
    r.lost_since = MSS; /* 2 %, and not more */
    r.rate_Bps = RATE * 98 / 100;
    for (unsigned i = 0; i < 10; i++) {
        lost(&r, MSS, MSS, BDP);
        rig_round(&r);
    }
    assert_int_equal(state_of(&r), BBR_CRUISE);
    assert_int_equal(bbr_of(&r.c)->bw_shortterm, BBR_INF);
    assert_int_equal(bbr_of(&r.c)->inflight_shortterm, BBR_INF);
    rig_lose(&r, CC_LOSS_ECN);
    rig_rounds(&r, 2);
    assert_true(bbr_of(&r.c)->bw_shortterm < BBR_INF);
}

/* If this failed a path that loses more by itself would be given up bit by bit, although its owner
 * has said so. */
static void what_counts_as_noise_is_a_setting(void **state)
{
    static const unsigned percent[] = {2, 10};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct rig r;
        start_cruising(&r);
        r.c.noise_percent = (uint16_t)percent[i];
        r.lost_since = BDP / 20; /* 5 % */
        r.rate_Bps = RATE * 95 / 100;
        for (unsigned k = 0; k < 5; k++) {
            lost(&r, MSS, BDP / 20, BDP);
            rig_round(&r);
        }
        assert_int_equal(bbr_of(&r.c)->bw_shortterm == BBR_INF, percent[i] == 10);
    }
}

/* [5.5.10.2] If this failed probing would repeat a size that overflowed. Lost 3 of 60 segments sent
 * in UP: 5 % is more than 2 %; the prefix of the last segment where the threshold was crossed is 0,
 * as 2 are more than 2 % of 59, so 59 fit. */
static void probing_remembers_what_was_too_much(void **state)
{
    struct rig r;
    (void)state;
    start(&r);
    rounds_to(&r, BBR_DRAIN, 20);
    rounds_to(&r, BBR_UP, 200);
    lost(&r, MSS, 3 * MSS, 60 * MSS);
    assert_int_equal(state_of(&r), BBR_DOWN);
    assert_int_equal(bbr_of(&r.c)->inflight_longterm, 59 * MSS);
    assert_true(bbr_of(&r.c)->prev_too_high);
    cc_on_ack(&r.c, &(struct cc_ack){.now = r.now, .inflight = 60 * MSS});
    assert_int_equal(state_of(&r), BBR_DOWN); /* 60 are still in flight */
    assert_near(r.c.pacing_Bps, RATE * 9 / 10 * 99 / 100, 100);
    /* one of 60 is not too much */
    start(&r);
    rounds_to(&r, BBR_DRAIN, 20);
    rounds_to(&r, BBR_UP, 200);
    lost(&r, MSS, MSS, 60 * MSS);
    assert_int_equal(state_of(&r), BBR_UP);
    assert_int_equal(bbr_of(&r.c)->inflight_longterm, BBR_INF);
    /* 15 % of it stay free afterwards: [5.3.3] 85 of 100 */
    lost(&r, MSS, 3 * MSS, 101 * MSS);
    assert_int_equal(bbr_of(&r.c)->inflight_longterm, 100 * MSS);
    r.used = BDP;
    rounds_to(&r, BBR_CRUISE, 20);
    assert_in_range(r.c.cwnd, 4 * MSS, 85 * MSS);
}

/* [5.5.11] If this failed reordering taken for loss would cost BBR its model. */
static void undo_restores_the_model(void **state)
{
    struct rig r;
    (void)state;
    start(&r);
    rounds_to(&r, BBR_DRAIN, 20);
    rounds_to(&r, BBR_UP, 200);
    rig_lose(&r, CC_LOSS_FAST);
    uint32_t cwnd = r.c.cwnd;
    lost(&r, MSS, 3 * MSS, 60 * MSS);
    assert_int_equal(state_of(&r), BBR_DOWN);
    cc_on_undo(&r.c, r.now);
    assert_int_equal(state_of(&r), BBR_REFILL);
    assert_int_equal(bbr_of(&r.c)->inflight_longterm, BBR_INF);
    assert_int_equal(bbr_of(&r.c)->bw_shortterm, BBR_INF);
    assert_true(r.c.cwnd >= cwnd);
    assert_int_equal(r.c.ssthresh, CC_SSTHRESH_INF);
}

/* [5.6.4.4] If this failed a recovery would halve BBR, or a timeout would leave it at one
 * segment. */
static void recovery_restores_cwnd(void **state)
{
    struct rig r;
    (void)state;
    start_cruising(&r);
    uint32_t cwnd = r.c.cwnd;
    rig_lose(&r, CC_LOSS_FAST);
    assert_int_equal(r.c.cwnd, cwnd);
    rig_lose(&r, CC_LOSS_RTO);
    assert_int_equal(r.c.cwnd, cwnd);
}

/* [5.5.4] If this failed a pause of the application would look like a slow path. */
static void app_limited_samples_do_not_lower(void **state)
{
    struct rig r;
    (void)state;
    start(&r);
    rounds_to(&r, BBR_DRAIN, 20);
    rig_rounds(&r, 20);
    bbr_advance_max_bw(bbr_of(&r.c)); /* a new cycle, with nothing in it */
    r.used = 5 * MSS;
    r.app_limited = true;
    rig_rounds(&r, 400);
    assert_int_equal(bbr_of(&r.c)->max_bw[0], 0);
    assert_near(bbr_bw(bbr_of(&r.c)) << BBR_BW_SHIFT, RATE, 32);
}

/* If this failed a fast path would wrap the rate: 600 Gbit/s is beyond the unit, and saturates. */
static void rates_saturate(void **state)
{
    struct rig r;
    (void)state;
    start(&r);
    r.rate_Bps = 0;
    r.rtt_us = 1;
    r.c.cwnd = 1 << 24;
    rig_rounds(&r, 4);
    assert_int_equal(bbr_max_bw(bbr_of(&r.c)), BBR_INF - 1);
    assert_true(r.c.pacing_Bps >= (uint64_t)31 << 30);
    assert_in_range(r.c.cwnd, MSS, 1u << 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_pacing_rate),
        cmocka_unit_test(startup_ends_when_the_pipe_is_full),
        cmocka_unit_test(cwnd_is_a_multiple_of_the_bdp),
        cmocka_unit_test(probes_the_rtt_every_five_seconds),
        cmocka_unit_test(loss_lowers_the_short_term),
        cmocka_unit_test(noise_lowers_nothing),
        cmocka_unit_test(what_counts_as_noise_is_a_setting),
        cmocka_unit_test(probing_remembers_what_was_too_much),
        cmocka_unit_test(undo_restores_the_model),
        cmocka_unit_test(recovery_restores_cwnd),
        cmocka_unit_test(app_limited_samples_do_not_lower),
        cmocka_unit_test(rates_saturate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
