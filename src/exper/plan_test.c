/* SPDX-License-Identifier: Apache-2.0
 *
 * Scenario files: what they mean, and what is said of those that mean nothing. Whoever writes one
 * learns the language from these sentences.
 */
#include "unit.h"

#include "exper/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char path[] = "plan_test.ini";
static struct plan *plan;

static const char base[] = "[cable a b]\nrate = 1gbit\n"
                           "[flow one]\nfrom = a\nto = b\n"
                           "[table]\ngoodput [Mbit/s] = flow one.goodput / 1000000\n"
                           "missed = nic b.rx_missed_errors\n";

/* plan_read of these texts, one behind the other. */
static int read_plan(const char *text, const char *more)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fprintf(f, "%s%s", text, more);
    (void)fclose(f);
    int r = plan_read(plan, path);
    (void)unlink(path);
    return r;
}

static int start(void **state)
{
    (void)state;
    plan = calloc(1, sizeof(*plan));
    return plan == NULL;
}

static int finish(void **state)
{
    (void)state;
    free(plan);
    return 0;
}

/* If this failed a sweep would run points nobody asked for, or leave some out. */
static void sweeps_are_crossed(void **state)
{
    (void)state;
    static struct setup u;
    assert_int_equal(read_plan(base, "[sweep]\nnic b.rx-ring = 8..32 *2\n"
                                     "flow one.sndbuf = 16kb, 32kb\n"
                                     "[case slow]\nhost b.packet-time = 20us\n"
                                     "[case fast]\nnic.tso = on\nnic.tx-checksum = on\n"
                                     "[experiment]\nrepeat = 2\n"),
                     0);
    assert_int_equal(plan->n_axis, 3);
    assert_int_equal(plan->n_point, 3 * 2 * 2);
    assert_int_equal(plan->n_run, 24);
    assert_string_equal(plan->axis[0].name, "rx-ring");
    assert_string_equal(plan->axis[2].name, "case");
    /* the last axis changes fastest */
    assert_int_equal(plan_setup(plan, 5, &u), 0);
    assert_int_equal(u.host[1].nic.rx_ring, 16);
    assert_int_equal(u.host[0].nic.rx_ring, 256);
    assert_int_equal(u.flow[0].sndbuf, 16384);
    assert_true(u.host[1].packet_ns == 0 && u.host[1].nic.offloads != 0);
    assert_int_equal(plan_setup(plan, 10, &u), 0);
    assert_int_equal(u.host[1].nic.rx_ring, 32);
    assert_int_equal(u.flow[0].sndbuf, 32768);
    assert_true(u.host[1].packet_ns == 20 * W_US && u.host[1].nic.offloads == 0);
}

/* What a host says wins over what is said of all, wherever it stands. */
static void the_special_wins_over_the_general(void **state)
{
    (void)state;
    assert_int_equal(read_plan(base, "[nic b]\nrx-ring = 64\n[nic]\nrx-ring = 128\ntx-ring = 16\n"
                                     "[host a]\ntcp_congestion_control = bbr\n"
                                     "[hosts]\ntcp_congestion_control = reno\nqdisc = fq\n"),
                     0);
    assert_int_equal(plan->setup.host[0].nic.rx_ring, 128);
    assert_int_equal(plan->setup.host[1].nic.rx_ring, 64);
    assert_int_equal(plan->setup.host[1].nic.tx_ring, 16);
    assert_int_equal(plan->setup.host[0].conf.tcp_congestion_control, 6);
    assert_int_equal(plan->setup.host[1].conf.tcp_congestion_control, 0);
    assert_int_equal(plan->setup.host[0].conf.qdisc, 3);
}

static void a_direction_has_its_own_conditions(void **state)
{
    (void)state;
    assert_int_equal(read_plan("[link a b]\nrate = 20mbit\ndelay = 5ms\n[way b a]\nloss = 1%\n"
                               "rate = 1mbit\n"
                               "[flow one]\nfrom = a\nto = b\n[table]\nx = flow.got\n"
                               "[sweep]\nway a b.delay = none, 7ms\n",
                               ""),
                     0);
    static struct setup u;
    assert_int_equal(plan_setup(plan, 0, &u), 0);
    assert_int_equal(u.link[0].way[0].delay_ns, 0);
    assert_int_equal(u.link[0].way[1].delay_ns, 5 * W_MS);
    assert_int_equal(plan_setup(plan, 1, &u), 0);
    assert_int_equal(u.link[0].way[0].delay_ns, 7 * W_MS);
    assert_int_equal(u.link[0].way[0].rate_bps, 20000000);
    assert_int_equal(u.link[0].way[1].rate_bps, 1000000);
    assert_int_equal(u.link[0].way[1].loss_ppm, 10000);
}

/* If this failed a word that ethtool has would not reach the driver, or another one's setting. */
static void a_nics_words_reach_its_driver(void **state)
{
    (void)state;
    assert_int_equal(read_plan(base, "[nic b]\nlro = on\nrx-checksum = on\nadaptive-rx = on\n"
                                     "combined = 4\n[sweep]\nnic b.combined = 2, 8\n"),
                     0);
    static struct setup u;
    assert_int_equal(plan_setup(plan, 1, &u), 0);
    const struct vnic_conf *a = &u.host[0].nic, *b = &u.host[1].nic;
    assert_int_equal(b->offloads, NETDEV_RX_CSUM | NETDEV_LRO | NETDEV_LRO6);
    assert_true(b->is_adaptive && b->n_queues == 8);
    assert_true(a->offloads == 0 && !a->is_adaptive && a->n_queues == 1);
}

/* If this failed a mistake would be run, and its figures believed. Each row: the file's end, the
 * line that is named, words of the sentence. base has 8 lines. */
static void mistakes_are_told_with_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        unsigned line;
        const char *words;
    } row[] = {
        {"[nci b]\nrx-ring = 8\n", 9, "[nci b]: expected experiment, hosts"},
        {"nonsense\n", 9, "expected [section] or key = value"},
        {"[nic b\nrx-ring = 8\n", 9, "expected ] at the section's end"},
        {"[nic b]\nrx-rnig = 8\n", 10, "no key rx-rnig: expected one of rx-ring, tx-ring"},
        {"[nic b]\nrx-ring = many\n", 10, "expected a number from 0"},
        {"[nic b]\nrx-ring = 100\n", 10, "expected a power of two"},
        {"[nic b]\nrx-ring = 4\n", 10, "expected a value from 8 to 1024"},
        {"[nic b]\nrx-ring = 8\nrx-ring = 16\n", 11, "comes twice in [nic b]: first in line 10"},
        {"[nic b]\nrx-ring = 8\n[nic b]\ntso = on\n", 11, "[nic b] comes twice"},
        {"[nic b]\nrx-ring =\n", 10, "has no value"},
        {"[nic b]\ntso = maybe\n", 10, "expected on or off"},
        {"[nic b]\nlro = on\n", 10, "host b: lro needs rx-checksum: expected it on"},
        {"[nic]\ntso = on\n", 10, "host a: tso needs tx-checksum: expected it on"},
        {"[nic b]\nadaptive-rx = 1\n", 10, "expected on or off"},
        {"[nic b]\nadaptive-tx = on\n", 10, "adaptive-tx cannot be set: only the coalescing"},
        {"[nic b]\ncombined = 9\n", 10, "expected a value from 1 to 8"},
        {"[nic b]\nrx = 2\n", 10, "rx cannot be set: a queue receives and sends"},
        {"[sweep]\nnic b.lro = on, off\n", 10, "lro needs rx-checksum"},
        {"[nic b]\nrx-usecs = 50us\n", 10, "without a unit"},
        {"[nic c]\nrx-ring = 8\n", 10, "there is no host c"},
        {"[host b]\npacket-time = 20\n", 10, "expected a time up to 3600s"},
        {"[host b]\ntcp_congestion_control = quick\n", 10, "expected a number from 0 to 8"},
        {"[host b]\ntcp_speed = 1\n", 10, "no key tcp_speed"},
        {"[qdisc a]\nkind = red\n", 10, "expected fifo, prio, mark"},
        {"[link b c]\nloss = 5\n", 10, "expected a percentage"},
        {"[link b c]\ndelya = 5ms\n", 10, "no key delya: expected one of rate, delay"},
        {"[link b c]\nlimit = 10\n", 9, "the conditions of this link"},
        {"[link a b]\ndelay = 5ms\n", 9, "joined already"},
        {"[link c]\ndelay = 5ms\n", 9, "expected the names of two hosts"},
        {"[way a b]\ndelay = 5ms\n", 10, "between these is a cable"},
        {"[flow two]\nfrom = a\n", 9, "expected from and to"},
        {"[flow two]\nfrom = x\n", 10, "expected the name of a host"},
        {"[flow two]\nkind = ftp\n", 10, "expected bulk, rr or udp"},
        {"[flow two]\nfrom = a\nto = b\nkind = udp\n", 9, "expected every or bursts"},
        {"[sweep]\nrx-ring = 8, 16\n", 10, "expected SECTION.KEY"},
        {"[sweep]\nnic b.rx-ring = 8, 17\n", 10, "17: expected a power of two"},
        {"[sweep]\nnic b.rx-ring = 8..64 /2\n", 10, "expected a range such as"},
        {"[sweep]\nflow one.start = 0ns..9s +1\n", 10, "expected a range such as"},
        {"[sweep]\nflow x.sndbuf = 1kb, 2kb\n", 10, "there is no [flow x]"},
        {"[plot p]\nx = rx-ring\ny = missed\n", 10, "expected what is swept: none"},
        {"[plot p]\ny = missed\n", 9, "expected x and y"},
        {"[plot p]\nx = time\ny = missed\n", 11, "expected a measure such as"},
        {"[plot p]\ncolour = red\n", 10, "no key colour"},
        {"[claim c]\ntext = t\n", 9, "expected holds"},
        {"[claim c]\nholds = missed\n", 10, "expected a relation"},
        {"[claim c]\nholds = lost = 0\n", 10, "expected the name of a column"},
        {"[claim c]\nholds = missed = 0 where rx-ring = 8\n", 10, "rx-ring is not swept"},
        {"[sweep]\nnic b.rx-ring = 8, 16\n[claim c]\nholds = missed = 0 where rx-ring = 9\n", 12,
         "rx-ring is never 9"},
        {"[cable b c]\nrate = 100gbit\ndelay = 1ms\n", 9, "too long for its rate"},
        {"[experiment]\ntime = 0s\n", 10, "expected a value from 1000000"},
    };
    for (unsigned i = 0; i < WEIR_COUNT(row); i++) {
        char begin[64];
        assert_int_equal(read_plan(base, row[i].more), -22);
        (void)snprintf(begin, sizeof(begin), "%s:%u: ", path, row[i].line);
        if (strncmp(plan->text.err, begin, strlen(begin)) != 0 ||
            strstr(plan->text.err, row[i].words) == NULL)
            fail_msg("row %u: %s, but %s and \"%s\" were expected", i, plan->text.err, begin,
                     row[i].words);
    }
}

/* What is wrong with a file as a whole. */
static void what_is_missing_is_named(void **state)
{
    (void)state;
    assert_int_equal(read_plan("", ""), -22);
    assert_non_null(strstr(plan->text.err, "there is no [section]"));
    assert_int_equal(read_plan("[experiment]\ntitle = t\n", ""), -22);
    assert_non_null(strstr(plan->text.err, "expected a [cable A B] or [link A B]"));
    assert_int_equal(read_plan("[cable a b]\nrate = 1gbit\n", ""), -22);
    assert_non_null(strstr(plan->text.err, "expected a [flow NAME]"));
    assert_int_equal(read_plan("[cable a b]\nrate = 1gbit\n[flow x]\nfrom = a\nto = b\n", ""), -22);
    assert_non_null(strstr(plan->text.err, "expected a [table]"));
    assert_int_equal(read_plan(base, "[host c]\ntxqueuelen = 5\n"), -22);
    assert_non_null(strstr(plan->text.err, "host c is joined to nobody"));
    assert_int_equal(read_plan("x = 1\n", base), -22);
    assert_non_null(strstr(plan->text.err, "stands before any [section]"));
    assert_int_equal(plan_read(plan, "/no/such/file"), -2);
    assert_non_null(strstr(plan->text.err, "No such file"));
    assert_int_equal(read_plan(base, "[flow two]\nfrom = a\nto = b\ncount = 64\n"), -22);
    assert_non_null(strstr(plan->text.err, "more than 64 flows at once"));
    char line[400];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    assert_int_equal(read_plan("[experiment]\ntitle = ", line), -22);
    assert_non_null(strstr(plan->text.err, ":2: a line is longer than"));
}

static double column(unsigned i, const double *measure)
{
    return plan_column_value(&plan->column[i], measure);
}

/* If this failed a table's figures would be others than the file says. */
static void expressions_bind_as_in_school(void **state)
{
    (void)state;
    static const double measure[] = {12, 3, 0};
    assert_int_equal(read_plan("[cable a b]\nrate = 1gbit\n[flow one]\nfrom = a\nto = b\n[table]\n",
                               "c = flow.got + flow.sent * 2\n"
                               "d = flow.got - flow.sent / 2 - 1\n"
                               "e = flow.got / flow.timeouts\n"
                               "f [%] = flow.sent / flow.got * 100\n"),
                     0);
    assert_int_equal(plan->n_measure, 3);
    assert_true(column(0, measure) == 18);
    assert_true(column(1, measure) == 9.5);
    assert_true(isnan(column(2, measure)));
    assert_true(column(3, measure) == 25);
}

/* One claim over two axes: ring 8, 16, 32 and case u, v; a value a point. */
static bool holds(const char *claim, const double *value)
{
    char why[120], more[600];
    (void)snprintf(more, sizeof(more),
                   "[cable a b]\nrate = 1gbit\n[flow one]\nfrom = a\nto = b\n"
                   "[table]\nmissed = nic b.rx_missed_errors\n"
                   "[sweep]\nnic b.rx-ring = 8..32 *2\n"
                   "[case u]\nnic.tso = off\n[case v]\nnic.tso = off\n"
                   "[claim c]\nholds = %s\n",
                   claim);
    if (read_plan(more, "") != 0)
        fail_msg("%s", plan->text.err);
    return claim_check(plan, &plan->claim[0], value, why, sizeof(why));
}

/* If this failed an experiment would claim what it does not show. */
static void claims_are_judged(void **state)
{
    (void)state;
    static const double v[] = {9, 90, 5, 50, 0, 40}; /* u falls to 0, v to 40 */
    static const double w[] = {9, 10, 9, 11, 9, 9};
    assert_true(holds("missed falls along rx-ring", v));
    assert_false(holds("missed rises along rx-ring", v));
    assert_false(holds("missed falls along rx-ring", w)); /* u is level, v rises first */
    assert_false(holds("missed falls along rx-ring where case = u", w));
    assert_true(holds("missed level along rx-ring within 0% where case = u", w));
    assert_true(holds("missed level along rx-ring within 25%", w));
    assert_false(holds("missed level along rx-ring within 20%", w));
    assert_true(holds("missed = 0 where rx-ring = 32, case = u", v));
    assert_false(holds("missed = 0 where rx-ring >= 16, case = u", v));
    assert_true(holds("missed > 0 where rx-ring < 32", v));
    assert_true(
        holds("missed where case = v, rx-ring = 8 >= 10 * missed where case = u, rx-ring = 8", v));
    /* each on the left against each on the right */
    assert_false(holds("missed where case = v >= 10 * missed where case = u", v));
    assert_false(holds("missed where case = v > 10 * missed where case = u", v));
    assert_true(holds("missed where case = v, rx-ring = 8 > 9 * missed where case = u", v));
    assert_true(holds("missed != 7", v));
    static const double none[] = {NAN, NAN, NAN, NAN, NAN, NAN};
    assert_false(holds("missed >= 0", none));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sweeps_are_crossed),
    cmocka_unit_test(the_special_wins_over_the_general),
    cmocka_unit_test(a_direction_has_its_own_conditions),
    cmocka_unit_test(a_nics_words_reach_its_driver),
    cmocka_unit_test(mistakes_are_told_with_their_line),
    cmocka_unit_test(what_is_missing_is_named),
    cmocka_unit_test(expressions_bind_as_in_school),
    cmocka_unit_test(claims_are_judged),
};

int main(void) { return cmocka_run_group_tests(tests, start, finish); }
