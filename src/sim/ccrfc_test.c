/* SPDX-License-Identifier: Apache-2.0
 *
 * What RFCs and drafts promise of CUBIC, HyStart++, DCTCP, BBR and LEDBAT++, held against whole
 * stacks; and of all: that four of a kind share. Each test names the figure, where it stands, and
 * how far off it may be.
 */
#include "sim/ccpromise_test.h"

/* ---- CUBIC ---- */

/* RFC 9438 5.1, tables of average windows: segments in flight at a given loss rate. Tolerance 30 %:
 * the tables are of a model that loses regularly, and a minute at 0.01 % has few losses. If this
 * failed CUBIC would not be Reno's equal on short paths or not its better on long ones. */
static void windows_are_those_of_rfc_9438(void **state)
{
    static const struct {
        uint32_t cc, rtt_ms, ppm, segs, seconds;
    } v[] = {
        {RENO, 100, 10000, 12, 60}, {CUBIC, 100, 10000, 12, 60}, {RENO, 100, 1000, 38, 90},
        {CUBIC, 100, 1000, 38, 90}, {CUBIC, 100, 100, 187, 60},  {RENO, 10, 10000, 12, 10},
        {CUBIC, 10, 10000, 12, 10}, {RENO, 10, 1000, 38, 10},    {CUBIC, 10, 1000, 38, 10},
    };
    (void)state;
    for (unsigned i = 0; i < WEIR_COUNT(v); i++) {
        struct lab l = path(100, v[i].rtt_ms, 100, v[i].cc);
        l.loss_ppm = v[i].ppm;
        l.warm = v[i].seconds * W_S / 5;
        l.took = v[i].seconds * W_S;
        struct lab_seen s = see(&l);
        assert_in_range(window_of(&l, &s), v[i].segs * 7 / 10, v[i].segs * 13 / 10);
    }
}

/* RFC 9438 4.3 and 5.1: on a path with a short RTT and a small BDP CUBIC takes about what Reno
 * would. Tolerance: neither has more than twice the other's. */
static void cubic_is_friendly_to_reno(void **state)
{
    struct lab l = path(10, 20, 100, RENO);
    (void)state;
    (void)beside(&l, CUBIC, 300 * W_MS);
    for (l.seed = 1; l.seed <= 2; l.seed++) {
        struct lab_seen s = see(&l);
        assert_true(s.flow[0].goodput_bps <= 2 * s.flow[1].goodput_bps);
        assert_true(s.flow[1].goodput_bps <= 2 * s.flow[0].goodput_bps);
    }
}

/* RFC 9438 3.3: flows of CUBIC share at most in linear proportion to the inverse of their RTTs;
 * Reno's, where few flows meet, in quadratic proportion (quoting Xu, Harfoush, Rhee 2004). 40 and
 * 240 ms with a mean queue of 25 ms: 4.1, and 16.6. */
static void cubic_is_linear_in_rtt(void **state)
{
    struct lab l = path(10, 40, 100, CUBIC);
    (void)state;
    beside(&l, CUBIC, 300 * W_MS)->rtt = 240 * W_MS;
    l.warm = 20 * W_S;
    l.took = 70 * W_S;
    struct lab_seen s = see(&l);
    assert_true(s.flow[0].goodput_bps <= 41 * s.flow[1].goodput_bps / 10);
    l.flow[0].cc = l.flow[1].cc = RENO;
    s = see(&l);
    assert_in_range(s.flow[0].goodput_bps * 10 / s.flow[1].goodput_bps, 41, 166);
}

/* RFC 9406 1: HyStart++ leaves slow start before it overshoots, which can lose a window. The RFC
 * has no figure; asked for is at most 60 % of what Reno's slow start loses, where the buffer has
 * room for a round trip to notice (2 and 4 BDP; with 1 BDP the round trip that shows the queue is
 * the one that overflows it). */
static void hystart_loses_less(void **state)
{
    (void)state;
    for (unsigned buffer = 200; buffer <= 400; buffer *= 2) {
        struct lab l = path(20, 100, buffer, CUBIC);
        l.warm = W_S;
        l.took = 4 * W_S;
        struct lab_seen cubic = see(&l);
        l.flow[0].cc = RENO;
        struct lab_seen reno = see(&l);
        assert_true(reno.n_drop >= 300);
        assert_true(cubic.n_drop * 10 <= reno.n_drop * 6);
    }
}

/* ---- DCTCP ---- */

/* RFC 8257 1: high throughput and a short queue where a switch marks early. The queue stays within
 * three segments of the threshold, without loss and without idle link; Reno on the same marks
 * empties it. K is 30 % of the BDP (10 segments; Alizadeh et al. 2010 could not be read here). */
static void dctcp_stays_near_the_threshold(void **state)
{
    struct lab l = path(20, 20, 200, DCTCP);
    (void)state;
    l.mark_percent = 30;
    l.warm = 3 * W_S;
    l.took = 10 * W_S;
    (void)beside(&l, DCTCP, 200 * W_MS);
    struct lab_seen dctcp = see(&l);
    uint32_t k_us = 6000;
    assert_in_range(dctcp.queue_max_us, k_us, k_us + 4 * packet_us(&l));
    assert_in_range(dctcp.queue_us, k_us / 2, k_us);
    assert_true(dctcp.queue_min_us > 0);
    assert_true(dctcp.share_pm >= 995);
    assert_true(dctcp.jain_pm >= 980);
    assert_int_equal(dctcp.n_drop, 0);
    l.flow[0].cc = l.flow[1].cc = RENO;
    assert_int_equal(see(&l).queue_min_us, 0);
}

/* ---- BBR ---- */

/* Noise is no congestion to BBR: draft-ietf-ccwg-bbr bears 2 % while it probes. With 1 % it keeps
 * at least 80 % of the pipe, where CUBIC keeps less than 15 %. */
static void bbr_bears_noise(void **state)
{
    struct lab l = path(100, 20, 100, BBR);
    (void)state;
    l.loss_ppm = 10000;
    l.warm = 2 * W_S;
    l.took = 10 * W_S;
    assert_true(see(&l).share_pm >= 800);
    l.flow[0].cc = CUBIC;
    assert_true(see(&l).share_pm <= 150);
}

/* ---- LEDBAT++ ---- */

/* draft-irtf-iccrg-ledbat-plus-plus 4.2: the target is 60 ms of queue; a flow alone stays there
 * (and a segment or three above, which it adds before it hears), and uses the link but for its
 * slowdowns. */
static void ledbat_adds_sixty_milliseconds(void **state)
{
    struct lab l = path(10, 40, 400, LEDBAT);
    struct lab_seen s = see(&l);
    (void)state;
    assert_in_range(s.queue_max_us, 58000, 60000 + 4 * packet_us(&l));
    assert_in_range(s.queue_p95_us, 50000, 60000 + 2 * packet_us(&l));
    assert_int_equal(s.n_drop, 0);
    assert_true(s.share_pm >= 900);
}

/* RFC 6817 1: background traffic yields where others come. Beside Reno, CUBIC and BIC it keeps at
 * most 5 % of the link. If this failed an update would slow the person at the screen. */
static void ledbat_yields(void **state)
{
    static const uint32_t others[] = {RENO, CUBIC, BIC};
    (void)state;
    for (unsigned i = 0; i < WEIR_COUNT(others); i++) {
        struct lab l = path(10, 40, 400, LEDBAT);
        (void)beside(&l, others[i], 5 * W_S);
        l.warm = 20 * W_S;
        struct lab_seen s = see(&l);
        assert_true(s.flow[0].goodput_bps * 20 <= l.rate_bps);
        assert_true(s.share_pm >= 990);
    }
}

/* ---- all ---- */

/* Four of a kind share: Jain's index at least 0.9. Vegas at least 0.5: who comes later takes the
 * queue that is there for a part of the path, and keeps more there ("fairness problems even if all
 * competing connections operate with the same round trip time": Hengartner, Bolliger, Gross, "TCP
 * Vegas Revisited", INFOCOM 2000, abstract). DCTCP has its marks. */
static void four_of_a_kind_share(void **state)
{
    (void)state;
    for (uint32_t cc = RENO; cc <= LEDBAT; cc++) {
        struct lab l = path(10, 40, 100, cc);
        l.mark_percent = cc == DCTCP ? 30 : 0;
        for (unsigned i = 1; i < 4; i++)
            (void)beside(&l, cc, i * 300 * W_MS);
        struct lab_seen s = see(&l);
        assert_in_range(s.jain_pm, cc == VEGAS ? 500 : 900, 1000);
        assert_true(s.share_pm >= 930);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(windows_are_those_of_rfc_9438),  cmocka_unit_test(cubic_is_friendly_to_reno),
    cmocka_unit_test(cubic_is_linear_in_rtt),         cmocka_unit_test(hystart_loses_less),
    cmocka_unit_test(dctcp_stays_near_the_threshold), cmocka_unit_test(bbr_bears_noise),
    cmocka_unit_test(ledbat_adds_sixty_milliseconds), cmocka_unit_test(ledbat_yields),
    cmocka_unit_test(four_of_a_kind_share),
};
UNIT_MAIN(tests)
