/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "dev/emu.h"

static struct emu_conf conf;
static char err[EMU_ERR_TEXT];

static int parse(const char *text) { return emu_parse(text, &conf, err); }

/* Refused, with a sentence in which all these words stand; the configuration is untouched. */
static void refuses(const char *text, const char *a, const char *b)
{
    struct emu_conf before = {.delay_ns = 12345}, now = before;
    if (emu_parse(text, &now, err) == 0)
        fail_msg("'%s' was accepted", text);
    assert_memory_equal(&before, &now, sizeof now);
    if (strstr(err, a) == NULL || strstr(err, b) == NULL)
        fail_msg("'%s': the sentence \"%s\" lacks \"%s\" or \"%s\"", text, err, a, b);
}

/* If this fails, the conditions people write are not the ones they get. */
static void the_usual_words(void **state)
{
    (void)state;
    assert_int_equal(parse("delay 40ms jitter 5ms loss 1% rate 20mbit limit 100 reorder 1% "
                           "duplicate 0.1% corrupt 0.01%"),
                     0);
    assert_int_equal(conf.delay_ns, 40 * W_MS);
    assert_int_equal(conf.jitter_ns, 5 * W_MS);
    assert_int_equal(conf.loss_ppm, 10000);
    assert_int_equal(conf.rate_bps, 20000000);
    assert_int_equal(conf.limit_pkts, 100);
    assert_int_equal(conf.limit_bytes, 0);
    assert_int_equal(conf.reorder_ppm, 10000);
    assert_int_equal(conf.dup_ppm, 1000);
    assert_int_equal(conf.corrupt_ppm, 100);
    assert_string_equal(err, "");
}

/* If this fails, a less usual word means something else than netem(8) says. */
static void every_word(void **state)
{
    (void)state;
    assert_int_equal(
        parse("  Delay 1.5s 200us\n\treorder 25% 80ns rate 1.5gbit overhead 24b "
              "limit 64kb ecn 30kb mtu 1400b ICMP cut every 10s for 0.5s loss random 0.0001% "),
        0);
    assert_int_equal(conf.delay_ns, 1500 * W_MS);
    assert_int_equal(conf.jitter_ns, 200 * W_US);
    assert_int_equal(conf.reorder_ns, 80);
    assert_int_equal(conf.rate_bps, 1500000000);
    assert_int_equal(conf.overhead_bytes, 24);
    assert_int_equal(conf.mtu, 1400);
    assert_true(conf.has_too_big);
    assert_int_equal(conf.limit_bytes, 65536);
    assert_int_equal(conf.limit_pkts, 0);
    assert_int_equal(conf.ecn_bytes, 30720);
    assert_int_equal(conf.cut_every_ns, 10 * W_S);
    assert_int_equal(conf.cut_for_ns, W_S / 2);
    assert_int_equal(conf.loss_ppm, 1);
    assert_int_equal(parse("rate 1mbit aqm codel"), 0);
    assert_int_equal(conf.aqm, AQM_CODEL);
    assert_int_equal(parse("aqm fq_codel target 2ms interval 40ms rate 1mbit limit 9"), 0);
    assert_int_equal(conf.aqm, AQM_FQ_CODEL);
    assert_int_equal(conf.target_us, 2000);
    assert_int_equal(conf.interval_us, 40000);
    assert_int_equal(parse("rate 1mbit aqm fifo ecn 3kb"), 0);
    assert_int_equal(conf.aqm, AQM_FIFO);
    assert_int_equal(parse("rate 2mbps"), 0);
    assert_int_equal(conf.rate_bps, 16000000);
    assert_int_equal(parse("loss gemodel 1%"), 0);
    assert_int_equal(conf.ge.p_ppm, 10000);
    assert_int_equal(conf.ge.r_ppm, 990000);
    assert_int_equal(conf.ge.bad_ppm, 1000000);
    assert_int_equal(parse("loss gemodel 1% 10% 70% 0.1% loss 2%"), 0);
    assert_int_equal(conf.ge.r_ppm, 100000);
    assert_int_equal(conf.ge.bad_ppm, 700000);
    assert_int_equal(conf.ge.good_ppm, 1000);
    assert_int_equal(conf.loss_ppm, 20000);
    assert_int_equal(parse(""), 0);
    assert_int_equal(parse("delay 0 loss 0"), 0);
}

/* If this fails, a typo is told as "invalid argument", or not at all. */
static void mistakes_are_named(void **state)
{
    (void)state;
    refuses("dealy 40ms", "'dealy'", "delay, jitter, rate");
    refuses("delay 40", "'40' after 'delay'", "such as 40ms");
    refuses("delay", "nothing after 'delay'", "a time");
    refuses("delay 40ms loss", "nothing after 'loss'", "percentage");
    refuses("loss 1", "'1' after 'loss'", "percentage");
    refuses("loss 101%", "'101%'", "0% to 100%");
    refuses("loss 0.00001%", "'0.00001%'", "0.0001%");
    refuses("loss -1%", "'-1%'", "percentage");
    refuses("loss 1% 25%", "'25%'", "link condition");
    refuses("rate 20Mb", "'20Mb'", "mbit");
    refuses("rate 99999tbit", "'99999tbit'", "a rate");
    refuses("rate 999999999999999999999999bit", "'9999999999999999", "a rate");
    refuses("rate 1mbit overhead 2kb", "'rate'", "overhead");
    refuses("rate 1mbit limit 0", "'0' after 'limit'", "above 0");
    refuses("rate 1mbit limit 1.5", "'1.5' after 'limit'", "packets");
    refuses("rate 1mbit limit many", "'many'", "64kb");
    refuses("limit 100", "limit", "without 'rate'");
    refuses("aqm codel", "aqm", "without 'rate'");
    refuses("rate 1mbit aqm red", "'red' after 'aqm'", "fq_codel");
    refuses("rate 1mbit aqm codel ecn 3kb", "aqm", "ecn");
    refuses("rate 1mbit aqm codel limit 3kb", "aqm", "packets");
    refuses("rate 1mbit aqm codel target 3ms interval 2ms", "target", "interval");
    refuses("rate 1mbit aqm codel interval 5s", "interval", "4s");
    refuses("rate 1mbit aqm codel target 3ns", "aqm", "1us");
    refuses("delay 4000s", "'4000s'", "up to 3600s");
    refuses("delay 1.5.5ms", "'1.5.5ms'", "a time");
    refuses("delay .5ms", "'.5ms'", "a time");
    refuses("delay 0.3ns", "'0.3ns'", "a time");
    refuses("mtu 67b", "'mtu'", "1400b");
    refuses("mtu 65536b icmp", "'mtu'", "1400b");
    refuses("cut 5s", "'5s' after 'cut'", "every");
    refuses("cut every 5s", "nothing after 'cut'", "'for'");
    refuses("cut every 5s for 5s", "'cut'", "shorter");
    refuses("\x01\xff", "'?\?'", "link condition");
    refuses("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "aaaa...'", "expected");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_usual_words),
    cmocka_unit_test(every_word),
    cmocka_unit_test(mistakes_are_named),
};
UNIT_MAIN(tests)
