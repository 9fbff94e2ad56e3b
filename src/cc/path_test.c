/* SPDX-License-Identifier: Apache-2.0
 *
 * Each algorithm on the model path, and what its paper promises of it. The path is 10 Mbit/s, 40
 * ms: a BDP of 50 segments of 1000 bytes.
 */
#include "unit.h"

#include "cc/lab_path_test.h"

enum { RATE = 1250000, BDP = 50000, DEEP = 300000 };

static void start_alone(struct path *p, const char *name, uint32_t buffer)
{
    path_init(p, RATE, 40 * W_MS, buffer);
    assert_int_equal(path_bdp(p), BDP);
    path_start(p, 0, name);
}

/* Figures of `seconds` after `warm` seconds. */
static void settle(struct path *p, unsigned warm, unsigned seconds)
{
    path_run(p, warm * W_S);
    path_observe(p);
    path_run(p, seconds * W_S);
}

static struct path path;

/* If this failed an algorithm would not do its one job: a full buffer's worth of queue is enough
 * for all of them to use 95 % of a quiet link, and none leaves it by timeouts. */
static void all_fill_a_quiet_link(void **state)
{
    (void)state;
    for (unsigned k = 0; cc_at(k) != NULL; k++) {
        start_alone(&path, cc_at(k)->name, 2 * BDP);
        settle(&path, 20, 30);
        assert_in_range(path_share(&path, 0), 950, 1000);
        assert_true(path.flow[0].min_cwnd >= 2 * PATH_MSS);
    }
}

/* If this failed Vegas would not keep its queue between alpha = 2 and beta = 4 segments, or would
 * lose packets to find the rate. */
static void vegas_keeps_two_to_four_segments_waiting(void **state)
{
    (void)state;
    start_alone(&path, "vegas", 2 * BDP);
    path_run(&path, 5 * W_S);
    assert_int_equal(path.flow[0].lost, 0);
    settle(&path, 15, 30);
    assert_in_range(path_mean_queue(&path), 2 * PATH_MSS, 4 * PATH_MSS);
    assert_in_range(path.max_queue, 2 * PATH_MSS, 5 * PATH_MSS);
    assert_true(path_share(&path, 0) >= 995);
}

/* If this failed a loss by noise would halve Westwood+ like Reno: it goes back to rate * RTTmin,
 * and keeps most of a link that loses a packet in a hundred. */
static void westwood_survives_noise(void **state)
{
    (void)state;
    start_alone(&path, "westwood", 2 * BDP);
    path_run(&path, 20 * W_S);
    while (path.flow[0].cc.cwnd < 70 * PATH_MSS)
        path_run(&path, 40 * W_MS);
    path.flow[0].n_drop = 1;
    path_observe(&path);
    path_run(&path, W_S / 2);
    assert_int_equal(path.flow[0].n_loss_events, 1);
    assert_in_range(path.flow[0].cc.ssthresh, BDP * 9 / 10, BDP * 11 / 10);

    uint32_t share[2];
    const char *const names[] = {"reno", "westwood"};
    for (unsigned i = 0; i < 2; i++) {
        start_alone(&path, names[i], 2 * BDP);
        path.noise = 100;
        settle(&path, 20, 60);
        share[i] = path_share(&path, 0);
    }
    assert_true(share[0] < 300);
    assert_true(share[1] > 700);
}

/* If this failed DCTCP would need a deep queue: marked from 20 segments on, it stays there, without
 * a loss and without giving up rate; Reno swings twice as far. */
static void dctcp_holds_the_queue_at_the_mark(void **state)
{
    uint32_t swing[2];
    const char *const names[] = {"reno", "dctcp"};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        start_alone(&path, names[i], DEEP);
        path.mark = 20 * PATH_MSS;
        settle(&path, 20, 30);
        assert_int_equal(path.flow[0].seen_lost, path.flow[0].lost);
        swing[i] = path.max_queue - path.min_queue;
    }
    assert_in_range(path.max_queue, 19 * PATH_MSS, 22 * PATH_MSS);
    assert_true(path_share(&path, 0) >= 990);
    assert_true(2 * swing[1] < swing[0]);
}

/* If this failed BBR would not know its path: rate within some per cent, no more than two BDPs in
 * flight (2.25 while probing), a mean queue far below a BDP, and a look at the empty path every
 * five seconds. */
static void bbr_finds_rate_and_distance(void **state)
{
    (void)state;
    start_alone(&path, "bbr", DEEP);
    path_run(&path, 10 * W_S);
    assert_int_equal(path.flow[0].lost, 0);
    path_observe(&path);
    unsigned n_rtt = 0;
    bool was_rtt = false;
    for (unsigned i = 0; i < 3000; i++) {
        path_run(&path, 10 * W_MS);
        bool is_rtt = (path.flow[0].cc.flags & CC_APP_LIMITED) != 0;
        n_rtt += is_rtt && !was_rtt;
        was_rtt = is_rtt;
        assert_in_range(path.flow[0].cc.pacing_Bps, RATE * 85 / 100, RATE * 127 / 100);
    }
    assert_in_range(n_rtt, 5, 6);
    assert_true(path.flow[0].max_inflight <= 2 * BDP + 10 * PATH_MSS);
    assert_true(path.flow[0].min_inflight <= BDP / 2);
    assert_true(path_mean_queue(&path) < BDP / 4);
    assert_true(path_share(&path, 0) >= 950);
    assert_int_equal(path.flow[0].seen_lost, path.flow[0].lost);
}

/* If this failed BBR would take noise for congestion, as Reno does. */
static void bbr_survives_noise(void **state)
{
    (void)state;
    start_alone(&path, "bbr", 2 * BDP);
    path.noise = 100;
    settle(&path, 20, 60);
    assert_true(path_share(&path, 0) >= 900);
}

/* If this failed BBR would fill a shallow buffer again and again: a quarter of a BDP is enough for
 * it, at a few per cent of loss. */
static void bbr_lives_with_a_shallow_buffer(void **state)
{
    (void)state;
    start_alone(&path, "bbr", BDP / 4);
    settle(&path, 20, 60);
    assert_true(path_share(&path, 0) >= 900);
    uint64_t lost = path.flow[0].lost - path.flow[0].seen_lost;
    uint64_t got = path.flow[0].delivered - path.flow[0].seen_delivered;
    assert_true(lost * 100 < got * 2);
}

/* If this failed the background class would add delay without limit, or not use an empty link: its
 * queue stays at 60 ms (75 segments here; a segment or two above, which GAIN adds before it
 * hears). */
static void ledbat_keeps_to_its_target(void **state)
{
    (void)state;
    start_alone(&path, "ledbat", DEEP);
    settle(&path, 20, 60);
    assert_in_range(path.max_queue, 60 * PATH_MSS, 77 * PATH_MSS);
    assert_in_range(path.min_queue, 0, 2 * PATH_MSS); /* the slowdowns */
    assert_true(path_share(&path, 0) >= 900);
}

/* If this failed the background would compete: beside CUBIC almost nothing is left for it, and when
 * CUBIC is done it takes the link again. */
static void ledbat_yields_to_cubic(void **state)
{
    (void)state;
    start_alone(&path, "ledbat", DEEP);
    path_run(&path, 10 * W_S);
    path_start(&path, 1, "cubic");
    settle(&path, 10, 60);
    assert_true(path_share(&path, 0) < 50);
    assert_true(path_share(&path, 1) > 940);
    path.flow[1].is_on = false;
    settle(&path, 60, 30);
    assert_true(path_share(&path, 0) > 800);
}

/* If this failed slow start would end in a heap of losses: with HyStart++ CUBIC leaves it before
 * the first where the buffer has room for its five careful rounds (1.25^5 = 3 times the window),
 * where Reno on the same path loses a whole window. */
static void hystart_leaves_before_the_loss(void **state)
{
    (void)state;
    start_alone(&path, "cubic", 10 * BDP);
    while (path.flow[0].cc.ssthresh == CC_SSTHRESH_INF)
        path_run(&path, 10 * W_MS);
    assert_int_equal(path.flow[0].lost, 0);
    assert_in_range(path.flow[0].cc.ssthresh, BDP, 11 * BDP);

    start_alone(&path, "reno", 10 * BDP);
    while (path.flow[0].cc.ssthresh == CC_SSTHRESH_INF)
        path_run(&path, 10 * W_MS);
    path_run(&path, W_S);
    assert_true(path.flow[0].lost >= 5 * BDP);
}

/* If this failed one flow would starve another of its kind: after two minutes each has at least a
 * quarter of the link. */
static void two_of_a_kind_share(void **state)
{
    static const char *const names[] = {"reno",  "cubic", "vegas",  "westwood", "bic",
                                        "dctcp", "bbr",   "ledbat", "bbr1"};
    (void)state;
    for (unsigned k = 0; k < WEIR_COUNT(names); k++) {
        start_alone(&path, names[k], 2 * BDP);
        path.mark = strcmp(names[k], "dctcp") == 0 ? 20 * PATH_MSS : 0;
        path_run(&path, 10 * W_S);
        path_start(&path, 1, names[k]);
        settle(&path, 60, 60);
        assert_in_range(path_share(&path, 0), 250, 750);
        assert_in_range(path_share(&path, 1), 250, 750);
        assert_true(path_share(&path, 0) + path_share(&path, 1) >= 900);
    }
}

/* If this failed a timeout would end a connection instead of slowing it. */
static void all_come_back_from_a_timeout(void **state)
{
    (void)state;
    for (unsigned k = 0; cc_at(k) != NULL; k++) {
        start_alone(&path, cc_at(k)->name, 2 * BDP);
        path_run(&path, 10 * W_S);
        path.flow[0].n_drop = 1000; /* a second without a path */
        path_run(&path, 10 * W_S);
        path.flow[0].n_drop = 0;
        settle(&path, 20, 20);
        assert_true(path_share(&path, 0) >= 850);
    }
}

/* If this failed an application that sends little would be taken for a slow path, or its window
 * would grow without proof. */
static void all_bear_a_quiet_application(void **state)
{
    (void)state;
    for (unsigned k = 0; cc_at(k) != NULL; k++) {
        start_alone(&path, cc_at(k)->name, 2 * BDP);
        path.flow[0].app_bytes = 20 * PATH_MSS;
        settle(&path, 10, 30);
        assert_true(path.flow[0].max_cwnd <= 64 * PATH_MSS);
        assert_in_range(path_share(&path, 0), 350, 400); /* 20 of 50 */
        path.flow[0].app_bytes = 0;
        settle(&path, 20, 20);
        assert_true(path_share(&path, 0) >= 900);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_fill_a_quiet_link),
        cmocka_unit_test(vegas_keeps_two_to_four_segments_waiting),
        cmocka_unit_test(westwood_survives_noise),
        cmocka_unit_test(dctcp_holds_the_queue_at_the_mark),
        cmocka_unit_test(bbr_finds_rate_and_distance),
        cmocka_unit_test(bbr_survives_noise),
        cmocka_unit_test(bbr_lives_with_a_shallow_buffer),
        cmocka_unit_test(ledbat_keeps_to_its_target),
        cmocka_unit_test(ledbat_yields_to_cubic),
        cmocka_unit_test(hystart_leaves_before_the_loss),
        cmocka_unit_test(two_of_a_kind_share),
        cmocka_unit_test(all_come_back_from_a_timeout),
        cmocka_unit_test(all_bear_a_quiet_application),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
