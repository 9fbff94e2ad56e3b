/* SPDX-License-Identifier: Apache-2.0
 *
 * What RFCs and drafts promise of DCTCP, BBR and LEDBAT++, held against whole stacks; and of all:
 * that four of a kind share. Each test names the figure, where it stands, and how far off it may
 * be.
 */
#include "sim/ccpromise_test.h"

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

/* Cardwell et al., ACM Queue 14(5), 2016, figure 8: the first version uses the path up to 5 % of
 * loss and most of it up to 15 %, where CUBIC is lost at 0.1 %. If this failed it would answer to
 * losses, as the third does. */
static void bbr1_ignores_loss(void **state)
{
    static const uint32_t loss_ppm[] = {1000, 30000, 50000, 150000},
                          least_pm[] = {930, 900, 850, 600};
    (void)state;
    for (unsigned i = 0; i < WEIR_COUNT(loss_ppm); i++) {
        struct lab l = path(100, 20, 100, BBR1);
        l.loss_ppm = loss_ppm[i];
        l.warm = 2 * W_S;
        l.took = 6 * W_S;
        assert_true(see(&l).share_pm >= least_pm[i]);
    }
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

/* Four of a kind share: Jain's index at least 0.9, the mean of three draws, since one draw of one
 * run may be anything. Vegas at least 0.5: who comes later takes the
 * queue that is there for a part of the path, and keeps more there ("fairness problems even if all
 * competing connections operate with the same round trip time": Hengartner, Bolliger, Gross, "TCP
 * Vegas Revisited", INFOCOM 2000, abstract). DCTCP has its marks. BBR's first version at least 0.75
 * in these 30 s: its flows come together by their looks at the RTT, every ten. */
static void four_of_a_kind_share(void **state)
{
    (void)state;
    for (uint32_t cc = RENO; cc <= BBR1; cc++) {
        struct lab l = path(10, 40, 100, cc);
        l.mark_percent = cc == DCTCP ? 30 : 0;
        for (unsigned i = 1; i < 4; i++)
            (void)beside(&l, cc, i * 300 * W_MS);
        uint32_t jain_pm = 0;
        for (l.seed = 1; l.seed <= 3; l.seed++) {
            struct lab_seen s = see(&l);
            jain_pm += s.jain_pm / 3;
            assert_true(s.share_pm >= 930);
        }
        assert_in_range(jain_pm, cc == VEGAS ? 500 : cc == BBR1 ? 750 : 900, 1000);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(dctcp_stays_near_the_threshold),
    cmocka_unit_test(bbr_bears_noise),
    cmocka_unit_test(bbr1_ignores_loss),
    cmocka_unit_test(ledbat_adds_sixty_milliseconds),
    cmocka_unit_test(ledbat_yields),
    cmocka_unit_test(four_of_a_kind_share),
};
UNIT_MAIN(tests)
