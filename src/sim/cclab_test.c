/* SPDX-License-Identifier: Apache-2.0
 *
 * The laboratory itself: are its figures those of the world it builds?
 */
#include "unit.h"

#include "sim/cclab.h"

#include <errno.h>

enum { RENO, CUBIC, VEGAS };

static struct lab lab_of(void)
{
    return (struct lab){.rate_bps = 10000000,
                        .rtt = 40 * W_MS,
                        .buffer_percent = 100,
                        .warm = 2 * W_S,
                        .took = 4 * W_S,
                        .seed = 1,
                        .n_flow = 2,
                        .flow = {{.cc = RENO}, {.cc = CUBIC, .start = 300 * W_MS}}};
}

/* If this failed fairness would be judged by a wrong number: n equal shares are 1, one that has all
 * is 1/n (Jain, Chiu, Hawe 1984). */
static void jains_index_is_jains(void **state)
{
    static const uint64_t even[] = {5000000, 5000000, 5000000, 5000000}, one[] = {0, 8000000},
                          three[] = {1000000, 2000000, 3000000}, big[] = {1000000000, 1000000000};
    (void)state;
    assert_int_equal(lab_jain_pm(even, 4), 1000);
    assert_int_equal(lab_jain_pm(one, 2), 500);
    assert_int_equal(lab_jain_pm(three, 3), 857); /* 36 / (3 * 14) */
    assert_int_equal(lab_jain_pm(big, 2), 1000);
    assert_int_equal(lab_jain_pm(one, 1), 1000);
}

/* If this failed no table could be reproduced, or a seed would change nothing. */
static void the_same_numbers_give_the_same_figures(void **state)
{
    struct lab l = lab_of();
    struct lab_seen a, b;
    (void)state;
    assert_int_equal(lab_run(&l, &a), 0);
    assert_int_equal(lab_run(&l, &b), 0);
    assert_memory_equal(&a, &b, sizeof(a));
    l.seed = 2;
    assert_int_equal(lab_run(&l, &b), 0);
    assert_true(a.hash != b.hash);
}

/* If this failed shares, delays or losses would be of another link than the one asked for. */
static void the_bottleneck_is_as_ordered(void **state)
{
    struct lab l = lab_of();
    struct lab_seen s;
    (void)state;
    assert_int_equal(lab_bdp(&l), 50000);
    assert_int_equal(lab_run(&l, &s), 0);
    assert_in_range(s.share_pm, 970, 1002);
    uint64_t sum = s.flow[0].goodput_bps + s.flow[1].goodput_bps;
    assert_in_range(sum, 9200000, 9580000); /* 1448 of 1514 bytes of 10 Mbit/s: 9,564,000 */
    /* Full: 40 ms, but for what does not fit and for the frame on the link. */
    assert_in_range(s.queue_max_us, 38000, 41000);
    assert_true(s.queue_p95_us <= s.queue_max_us && s.queue_us <= s.queue_p95_us);
    assert_int_equal(s.rtt_pm, (40000 + s.queue_us) / 40);
    assert_true(s.n_drop > 0 && s.mark_ppm == 0);
}

/* If this failed the times of short transfers would not be theirs: 100,000 bytes are 70 segments,
 * and ten, twenty, forty of them leave in the first three round trips, which the handshake
 * precedes. */
static void a_short_transfer_takes_its_round_trips(void **state)
{
    struct lab l = lab_of();
    struct lab_seen s;
    (void)state;
    l.rate_bps = 1000000000;
    l.n_flow = 1;
    l.flow[0] = (struct lab_flow){.cc = RENO, .bytes = 100000, .n = 3, .every = W_S};
    assert_int_equal(lab_run(&l, &s), 0);
    assert_int_equal(s.flow[0].n_done, 3);
    assert_in_range(s.flow[0].mean_us, 140000, 165000); /* three and a half round trips */
    assert_in_range(s.flow[0].worst_us, 140000,
                    205000); /* the first asks for the router's address */
}

/* If this failed flows could not be given different round trips. */
static void a_flow_has_its_own_round_trip(void **state)
{
    struct lab l = lab_of();
    struct lab_seen s;
    (void)state;
    l.rate_bps = 1000000000;
    l.flow[0] = (struct lab_flow){.cc = RENO, .bytes = 1000, .n = 1};
    l.flow[1] = (struct lab_flow){.cc = RENO, .bytes = 1000, .n = 1, .rtt = 200 * W_MS};
    assert_int_equal(lab_run(&l, &s), 0);
    assert_in_range(s.flow[0].mean_us, 60000, 62000 + 40000); /* one and a half, and ARP */
    assert_in_range(s.flow[1].mean_us, 300000, 310000 + 200000);
}

/* If this failed an experiment that cannot be would show figures all the same. */
static void impossible_experiments_are_refused(void **state)
{
    struct lab l = lab_of();
    struct lab_seen s;
    (void)state;
    l.n_flow = 0;
    assert_int_equal(lab_run(&l, &s), -EINVAL);
    l.n_flow = LAB_FLOWS + 1;
    assert_int_equal(lab_run(&l, &s), -EINVAL);
    l = lab_of();
    l.rate_bps = 0;
    assert_int_equal(lab_run(&l, &s), -EINVAL);
    l = lab_of();
    l.flow[1].cc = 99;
    assert_int_equal(lab_run(&l, &s), -EINVAL);
    l = lab_of();
    l.flow[0].bytes = 1;
    l.flow[0].n = LAB_SHORTS + 1;
    assert_int_equal(lab_run(&l, &s), -EINVAL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(jains_index_is_jains),
    cmocka_unit_test(the_same_numbers_give_the_same_figures),
    cmocka_unit_test(the_bottleneck_is_as_ordered),
    cmocka_unit_test(a_short_transfer_takes_its_round_trips),
    cmocka_unit_test(a_flow_has_its_own_round_trip),
    cmocka_unit_test(impossible_experiments_are_refused),
};
UNIT_MAIN(tests)
