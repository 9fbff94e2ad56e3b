/* SPDX-License-Identifier: Apache-2.0
 *
 * The first version's states and bounds, by the constants of Linux's net/ipv4/tcp_bbr.c. The rig's
 * path: 1 MB/s, 50 ms, so the BDP is 50 segments; a burst is two of them.
 */
#include "unit.h"

#include "cc/bbr1.h"
#include "cc/lab_rig_test.h"

enum { RATE = 1000000, RTT_US = 50000, BDP = 50 * MSS, BURSTS = 6 * MSS };

static enum bbr1_mode mode_of(struct rig *r) { return (enum bbr1_mode)bbr1_of(&r->c)->mode; }

static void start(struct rig *r) { rig_start_path(r, "bbr1", RTT_US, RATE); }

static unsigned rounds_to(struct rig *r, enum bbr1_mode m, unsigned most)
{
    unsigned n = 0;
    while (mode_of(r) != m && n < most) {
        rig_round(r);
        n++;
    }
    assert_int_equal(mode_of(r), m);
    return n;
}

/* A pipe just full, as pacing would keep it. */
static void start_probing(struct rig *r)
{
    start(r);
    rounds_to(r, BBR1_DRAIN, 20);
    r->used = BDP;
    rounds_to(r, BBR1_PROBE_BW, 20);
}

/* One ACK of what was sent a round trip ago. */
static void ack(struct rig *r, uint32_t acked, uint32_t lost, uint32_t inflight)
{
    r->now += W_MS;
    r->delivered += acked;
    struct cc_ack a = {.now = r->now,
                       .delivered = r->delivered,
                       .acked = acked,
                       .lost = lost,
                       .inflight_prior = inflight + acked + lost,
                       .inflight = inflight,
                       .rtt_us = RTT_US,
                       .srtt_us = RTT_US,
                       .cwnd_limited = true,
                       .in_recovery = true,
                       .has_sack = true,
                       .rate_Bps = RATE,
                       .prior_delivered = r->delivered - w_u32_min((uint32_t)r->delivered, BDP),
                       .tx_inflight = BDP};
    if (lost != 0)
        cc_on_lost(&r->c, &(struct cc_lost){.now = r->now, .bytes = lost, .has_sack = true});
    cc_on_ack(&r->c, &a);
}

/* If this failed a connection would begin with a burst, or too slowly to double: 2 / ln 2 times
 * cwnd / SRTT, and 1 ms while there is no SRTT, less 1 %. On a slow path segments leave one by
 * one. */
static void first_pacing_rate(void **state)
{
    struct rig r;
    (void)state;
    rig_start(&r, "bbr1");
    assert_int_equal(r.c.pacing_Bps, 28578515); /* 10^7 * 739 / 256 * 0.99 */
    assert_int_equal(r.c.gso_burst, 27 * MSS);
    cc_on_ack(&r.c, &(struct cc_ack){.now = r.now, .srtt_us = 100000});
    assert_int_equal(r.c.pacing_Bps, 285784);
    assert_int_equal(r.c.gso_burst, 2 * MSS);
    rig_start(&r, "bbr1");
    cc_on_ack(&r.c, &(struct cc_ack){.now = r.now, .srtt_us = 1000000});
    assert_int_equal(r.c.gso_burst, MSS);
}

/* If this failed BBR would not find the rate, or not stop looking: three rounds in which the rate
 * did not grow by a quarter end STARTUP; DRAIN is its inverse. */
static void startup_ends_when_the_pipe_is_full(void **state)
{
    struct rig r;
    (void)state;
    start(&r);
    while (r.c.cwnd < BDP)
        rig_round(&r);
    assert_int_equal(mode_of(&r), BBR1_STARTUP);
    assert_int_equal(r.c.pacing_Bps, bbr_pace(bbr1_bw(bbr1_of(&r.c)), 739, 256));
    assert_in_range(rounds_to(&r, BBR1_DRAIN, 20), 3, 5);
    assert_near(r.c.pacing_Bps, (uint64_t)RATE * 88 / 256 * 99 / 100, 100);
    r.used = BDP; /* the queue is gone */
    rounds_to(&r, BBR1_PROBE_BW, 2);
}

/* If this failed STARTUP would end too early on a path that still has room: a quarter more in three
 * rounds is enough to go on, less is not. */
static void a_quarter_more_is_growth(void **state)
{
    static const struct {
        uint32_t rate;
        unsigned count;
    } rows[] = {{500000, 0}, {624000, 1}, {626000, 0}, {626000, 1}, {626000, 2}, {782000, 3}};
    struct rig r;
    (void)state;
    start(&r);
    struct bbr1 *b = bbr1_of(&r.c);
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        b->max_bw[0] = bbr_bw_of(rows[i].rate);
        bbr1_check_full(b, &(struct bbr1_ack){.a = &(struct cc_ack){0}, .round_start = true});
        bbr1_check_full(b, &(struct bbr1_ack){.a = &(struct cc_ack){0}}); /* once a round */
        assert_int_equal(b->full_bw_count, rows[i].count);
        assert_int_equal(b->full_bw_reached, rows[i].count == 3);
    }
}

/* If this failed BBR would never find more bandwidth, or keep the queue that looking for it made:
 * 5/4 until that much is in flight, 3/4 until that is gone, 1 for six times min_rtt. */
static void gains_go_in_cycles(void **state)
{
    struct rig r;
    unsigned n[3] = {0};
    (void)state;
    start_probing(&r);
    for (unsigned i = 0; i < 160; i++) {
        const struct bbr1 *b = bbr1_of(&r.c);
        unsigned was = b->phase;
        static const unsigned per_cent[8] = {125, 75, 100, 100, 100, 100, 100, 100};
        if (mode_of(&r) == BBR1_PROBE_BW) {
            assert_near(r.c.pacing_Bps, (uint64_t)RATE * per_cent[was] / 100 * 99 / 100, 20000);
            n[was < 2 ? was : 2]++;
            r.used = was == 0 ? BDP * 5 / 4 + BURSTS + 4 * MSS : BDP;
        }
        r.rtt_us = RTT_US + 1; /* min_rtt is over by the end of a round */
        rig_round(&r);
        assert_true(b->phase == was || b->phase == (was + 1) % 8 || b->phase == (was + 2) % 8);
    }
    assert_in_range(n[0], 10, 40);
    assert_in_range(n[1], 1, 25);
    assert_in_range(n[2], 90, 130);
}

/* If this failed flows would probe together, or begin by giving way: any phase but the second. */
static void cycles_begin_anywhere(void **state)
{
    unsigned seen = 0;
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        struct rig r;
        start(&r);
        r.now += i * 7777777;
        rounds_to(&r, BBR1_DRAIN, 20);
        r.used = 0;
        while (mode_of(&r) == BBR1_DRAIN)
            ack(&r, MSS, 0, BDP / 2);
        seen |= 1u << bbr1_of(&r.c)->phase;
    }
    assert_int_equal(seen, 0xfd);
}

/* If this failed BBR would fill queues, or run dry where ACKs come late: twice the BDP and three
 * bursts, an even number of segments, two more while probing. */
static void cwnd_is_a_multiple_of_the_bdp(void **state)
{
    struct rig r;
    (void)state;
    start_probing(&r);
    for (unsigned phase = 0; phase < 3; phase += 2) {
        bbr1_of(&r.c)->phase = phase & 7;
        bbr1_of(&r.c)->phase_us = (uint32_t)(r.now / W_US);
        bbr1_of(&r.c)->extra.segs[0] = bbr1_of(&r.c)->extra.segs[1] = 0;
        r.c.cwnd = 3 * BDP;
        ack(&r, MSS, 0, BDP);
        assert_int_equal(bbr1_of(&r.c)->phase, phase);
        uint64_t segs = (2 * BDP + BURSTS + bbr_extra_bytes(&bbr1_of(&r.c)->extra, MSS)) / MSS;
        assert_int_equal(r.c.cwnd / MSS, segs + segs % 2 + (phase == 0 ? 2u : 0));
    }
    for (unsigned i = 0; i < 100; i++) {
        r.used = 0; /* it may grow to what it shall be */
        rig_round(&r);
        if (mode_of(&r) != BBR1_PROBE_BW)
            continue;
        const struct bbr1 *b = bbr1_of(&r.c);
        uint64_t most = 2 * BDP + BURSTS + (b->phase == 0 ? 2 * MSS : 0);
        most += bbr_extra_bytes(&b->extra, MSS);
        assert_in_range(r.c.cwnd, 2 * BDP - 10 * MSS, most + MSS);
        assert_int_equal(r.c.cwnd / MSS % 2, 0);
    }
}

/* If this failed the RTT would be believed for ever: when for 10 s none was as short, there are
 * four segments in flight for 200 ms and a round trip, and then as many as before. */
static void probes_the_rtt_every_ten_seconds(void **state)
{
    struct rig r;
    (void)state;
    start_probing(&r);
    r.used = 0;
    rig_rounds(&r, 10);
    r.rtt_us += 100; /* never as short again */
    rounds_to(&r, BBR1_PROBE_RTT, 300);
    uint32_t before = bbr1_of(&r.c)->prior_cwnd;
    w_ns began = r.now;
    assert_int_equal(r.c.cwnd, 4 * MSS);
    while (mode_of(&r) == BBR1_PROBE_RTT) {
        assert_int_equal(r.c.flags, CC_APP_LIMITED);
        rig_round(&r);
    }
    assert_in_range((r.now - began) / W_MS, 200 - 105, 400); /* rounds are that long */
    assert_true(r.c.cwnd >= before);
    assert_int_equal(r.c.flags, CC_APP_LIMITED); /* what was sent until now is still on its way */
    rig_rounds(&r, 2);
    assert_int_equal(r.c.flags, 0);
    assert_near(bbr1_of(&r.c)->min_rtt_us, RTT_US + 100, 1);
    rounds_to(&r, BBR1_PROBE_RTT, 300);
    assert_in_range((r.now - began) / W_MS, 10000, 10800);
}

/* If this failed a path that became slower would be believed fast for ever, or one bad round trip
 * would be believed: the best of ten rounds counts. */
static void bandwidth_is_the_best_of_ten_rounds(void **state)
{
    struct rig r;
    (void)state;
    start_probing(&r);
    rig_rounds(&r, 5);
    uint32_t bw = bbr1_bw(bbr1_of(&r.c));
    r.rate_Bps = RATE / 2;
    rig_rounds(&r, 9);
    assert_int_equal(bbr1_bw(bbr1_of(&r.c)), bw);
    rig_rounds(&r, 4);
    assert_near((uint64_t)bbr1_bw(bbr1_of(&r.c)) << BBR_BW_SHIFT, RATE / 2, RATE / 50);
    r.rate_Bps = RATE; /* more is believed at once */
    rig_rounds(&r, 2);
    assert_near((uint64_t)bbr1_bw(bbr1_of(&r.c)) << BBR_BW_SHIFT, RATE, RATE / 50);
}

/* If this failed the second best would be forgotten with the best. */
static void filter_keeps_the_next_best(void **state)
{
    struct rig r;
    (void)state;
    start_probing(&r);
    static const uint32_t rate[] = {1600000, 1000000, 1200000, 1400000, 800000};
    static const unsigned n_rounds[] = {3, 2, 2, 2, 2};
    for (unsigned i = 0; i < WEIR_COUNT(rate); i++) {
        r.rate_Bps = rate[i];
        r.used = rate[i] / 20; /* a BDP */
        rig_rounds(&r, n_rounds[i]);
    }
    assert_near((uint64_t)bbr1_bw(bbr1_of(&r.c)) << BBR_BW_SHIFT, 1600000, 40000);
    rig_rounds(&r, 4);
    assert_near((uint64_t)bbr1_bw(bbr1_of(&r.c)) << BBR_BW_SHIFT, 1400000, 40000);
}

/* If this failed an application's pause would look like a slow path. */
static void app_limited_samples_do_not_lower(void **state)
{
    struct rig r;
    (void)state;
    start_probing(&r);
    rig_rounds(&r, 5);
    uint32_t bw = bbr1_bw(bbr1_of(&r.c));
    r.used = 5 * MSS;
    r.app_limited = true;
    rig_rounds(&r, 100);
    assert_int_equal(bbr1_bw(bbr1_of(&r.c)), bw);
}

/* If this failed losses would be answered as by the third version, or not at all: in the first
 * round trip of a recovery as much leaves as arrives, then cwnd grows by what arrives, and is
 * restored at the end; the model does not change. */
static void recovery_conserves_packets(void **state)
{
    struct rig r;
    (void)state;
    start_probing(&r);
    rig_rounds(&r, 5);
    r.c.cwnd = 2 * BDP;
    uint64_t rate = bbr1_bw(bbr1_of(&r.c));
    cc_on_loss(&r.c, CC_LOSS_FAST, &(struct cc_ack){.now = r.now, .delivered = r.delivered});
    assert_int_equal(r.c.cwnd, 2 * BDP);
    assert_int_equal(r.c.ssthresh, CC_SSTHRESH_INF);
    ack(&r, MSS, 3 * MSS, 40 * MSS);
    assert_int_equal(r.c.cwnd, 41 * MSS); /* in flight, and what arrived */
    ack(&r, 2 * MSS, MSS, 39 * MSS);
    assert_int_equal(r.c.cwnd, 41 * MSS);
    ack(&r, 2 * MSS, MSS, 30 * MSS);
    assert_int_equal(r.c.cwnd, 40 * MSS); /* less what was lost, but for what arrives */
    for (unsigned i = 0; i < 45; i++)
        ack(&r, MSS, 0, 30 * MSS);
    assert_true(bbr1_of(&r.c)->is_conserving);
    assert_int_equal(r.c.cwnd, 40 * MSS);
    ack(&r, MSS, 0, 30 * MSS); /* the round trip is over */
    assert_false(bbr1_of(&r.c)->is_conserving);
    assert_int_equal(r.c.cwnd, 41 * MSS);
    ack(&r, 2 * MSS, MSS, 30 * MSS);
    assert_int_equal(r.c.cwnd, 42 * MSS);
    cc_on_recovered(&r.c, &(struct cc_ack){.now = r.now});
    ack(&r, MSS, 0, 40 * MSS);
    assert_in_range(r.c.cwnd, 2 * BDP, 2 * BDP + MSS);
    assert_int_equal(bbr1_bw(bbr1_of(&r.c)), rate);
}

/* If this failed one recovery after the other would begin with a round trip of its own each time,
 * and a path that loses all the time would stand still: it goes on where the one before ended. */
static void recoveries_in_a_row_are_one(void **state)
{
    struct rig r;
    (void)state;
    start_probing(&r);
    r.c.cwnd = 2 * BDP;
    struct cc_ack none = {.now = r.now, .delivered = r.delivered};
    cc_on_loss(&r.c, CC_LOSS_FAST, &none);
    ack(&r, MSS, MSS, 40 * MSS);
    for (unsigned i = 0; i < 60; i++)
        ack(&r, MSS, 0, 40 * MSS);
    assert_false(bbr1_of(&r.c)->is_conserving);
    uint32_t cwnd = r.c.cwnd;
    cc_on_recovered(&r.c, &none);
    cc_on_loss(&r.c, CC_LOSS_FAST, &none);
    ack(&r, 2 * MSS, MSS, 40 * MSS);
    assert_int_equal(r.c.cwnd, cwnd + MSS);
    cc_on_recovered(&r.c, &none);
    ack(&r, MSS, 0, 40 * MSS);
    assert_true(r.c.cwnd >= 2 * BDP);
}

/* If this failed a timeout would leave BBR at one segment: slow start from four, to where it was
 * when all is repaired. */
static void timeouts_are_forgotten(void **state)
{
    struct rig r;
    (void)state;
    start_probing(&r);
    r.c.cwnd = 2 * BDP;
    cc_on_loss(&r.c, CC_LOSS_RTO, &(struct cc_ack){.now = r.now});
    r.c.cwnd = MSS; /* as tcp/ has it */
    ack(&r, MSS, 0, 0);
    assert_int_equal(r.c.cwnd, 4 * MSS);
    ack(&r, 4 * MSS, 0, 0);
    assert_int_equal(r.c.cwnd, 8 * MSS);
    cc_on_recovered(&r.c, &(struct cc_ack){.now = r.now});
    ack(&r, MSS, 0, 0);
    assert_in_range(r.c.cwnd, 2 * BDP, 2 * BDP + MSS);
}

/* One round trip through a policer: of 50 segments each fifth is lost, or as many as said. */
static void policed_round(struct rig *r, unsigned n_lost)
{
    for (unsigned i = 0; i < 50; i++)
        ack(r, MSS, i < n_lost ? MSS : 0, BDP);
}

/* If this failed BBR would send into a policer for ever: two intervals of four round trips with a
 * fifth of it lost, at the same rate, and that rate is kept to for 48. A seventh is noise. */
static void policers_are_heeded(void **state)
{
    struct rig r;
    (void)state;
    start_probing(&r);
    for (unsigned i = 0; i < 40; i++)
        policed_round(&r, 7);
    assert_false(bbr1_of(&r.c)->lt_is_used);
    start_probing(&r);
    unsigned n = 0;
    for (; n < 40 && !bbr1_of(&r.c)->lt_is_used; n++)
        policed_round(&r, 12);
    assert_in_range(n, 8, 12);
    ack(&r, MSS, 0, BDP);
    /* a segment a millisecond */
    assert_near(r.c.pacing_Bps, (uint64_t)1000000 * 99 / 100, 30000);
    for (n = 0; n < 100 && bbr1_of(&r.c)->lt_is_used; n++)
        policed_round(&r, 0);
    assert_in_range(n, 47, 50);
    assert_int_equal(bbr1_of(&r.c)->lt_bw, 0);
}

/* If this failed a policer's rate would be believed though nothing was lost after all. */
static void undo_forgets_policers(void **state)
{
    struct rig r;
    (void)state;
    start_probing(&r);
    for (unsigned i = 0; i < 40 && !bbr1_of(&r.c)->lt_is_used; i++)
        policed_round(&r, 12);
    assert_true(bbr1_of(&r.c)->lt_is_used);
    cc_on_undo(&r.c, r.now);
    assert_false(bbr1_of(&r.c)->lt_is_used);
    assert_int_equal(bbr1_of(&r.c)->full_bw, 0);
}

/* If this failed a path that hands over many packets at once would stand still between: what came
 * beyond the rate is added to cwnd, at most what 100 ms carry. */
static void bursts_of_acks_are_bridged(void **state)
{
    struct rig r;
    (void)state;
    start_probing(&r);
    uint32_t before = 0;
    for (unsigned i = 0; i < 30; i++) {
        r.now += 29 * W_MS; /* and one in ack() */
        ack(&r, 30 * MSS, 0, BDP);
        before = r.c.cwnd;
    }
    assert_in_range(before, 2 * BDP + BURSTS + 24 * MSS, 2 * BDP + BURSTS + 36 * MSS);
    bbr1_of(&r.c)->extra.segs[0] = 1000;
    ack(&r, 500 * MSS, 0, BDP);
    assert_in_range(r.c.cwnd, 2 * BDP + 95 * MSS, 2 * BDP + BURSTS + 106 * MSS);
    r.used = BDP; /* and forgotten after ten rounds without */
    r.now += W_S;
    rig_rounds(&r, 12);
    assert_in_range(bbr_extra_bytes(&bbr1_of(&r.c)->extra, MSS), 0, 20 * MSS);
}

/* If this failed a pause would end in a burst, or in a needless look at the RTT. */
static void idle_restarts_at_the_rate(void **state)
{
    struct rig r;
    (void)state;
    start_probing(&r);
    rig_rounds(&r, 5);
    r.now += 20 * W_S;
    cc_on_idle(&r.c, r.now, 20 * W_S);
    assert_near(r.c.pacing_Bps, (uint64_t)RATE * 99 / 100, 20000);
    ack(&r, MSS, 0, BDP);
    assert_int_equal(mode_of(&r), BBR1_PROBE_BW);
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
    assert_int_equal(bbr1_max_bw(bbr1_of(&r.c)), BBR_INF - 1);
    assert_true(r.c.pacing_Bps >= (uint64_t)20 << 30);
    assert_in_range(r.c.cwnd, MSS, 1u << 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_pacing_rate),
        cmocka_unit_test(startup_ends_when_the_pipe_is_full),
        cmocka_unit_test(a_quarter_more_is_growth),
        cmocka_unit_test(gains_go_in_cycles),
        cmocka_unit_test(cycles_begin_anywhere),
        cmocka_unit_test(cwnd_is_a_multiple_of_the_bdp),
        cmocka_unit_test(probes_the_rtt_every_ten_seconds),
        cmocka_unit_test(bandwidth_is_the_best_of_ten_rounds),
        cmocka_unit_test(filter_keeps_the_next_best),
        cmocka_unit_test(app_limited_samples_do_not_lower),
        cmocka_unit_test(recovery_conserves_packets),
        cmocka_unit_test(recoveries_in_a_row_are_one),
        cmocka_unit_test(timeouts_are_forgotten),
        cmocka_unit_test(policers_are_heeded),
        cmocka_unit_test(undo_forgets_policers),
        cmocka_unit_test(bursts_of_acks_are_bridged),
        cmocka_unit_test(idle_restarts_at_the_rate),
        cmocka_unit_test(rates_saturate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
