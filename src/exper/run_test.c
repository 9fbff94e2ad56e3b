/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs: each kind of workload over NICs and over links, what is measured of it, and that nothing
 * but the file decides the figures.
 */
#include "unit.h"

#include "exper/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char path[] = "run_test.ini";
static struct plan *plan;
static struct runs runs;

static void quiet(void *ctx, unsigned done)
{
    (void)ctx;
    (void)done;
}

static void run(const char *text, unsigned jobs)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
    plan = calloc(1, sizeof(*plan));
    assert_non_null(plan);
    if (plan_read(plan, path) != 0)
        fail_msg("%s", plan->text.err);
    (void)unlink(path);
    assert_int_equal(runs_new(&runs, plan), 0);
    if (runs_all(&runs, jobs, quiet, NULL) != 0)
        fail_msg("a run failed: %s", runs.result[0].why);
}

static void done(void)
{
    runs_free(&runs);
    free(plan);
}

static double value(unsigned run_number, const char *column)
{
    int c = plan_column_named(plan, column);
    assert_true(c >= 0);
    return plan_column_value(&plan->column[c], runs.result[run_number].value);
}

/* If this failed a workload would measure something else than its name says. 1 Gbit/s carries 941
 * Mbit/s of segments of 1448 bytes; a datagram of 1472 bytes each ms is 11.776 Mbit/s. */
static void each_workload_does_what_it_says(void **state)
{
    (void)state;
    run("[experiment]\ntime = 100ms\nwarm = 50ms\n[cable a b]\nrate = 1gbit\n"
        "[flow bulk]\nfrom = a\nto = b\ncount = 0\n"
        "[flow rr]\nkind = rr\nfrom = b\nto = a\ncount = 0\nevery = 1ms\nrequest = 3000\n"
        "response = 10000\n"
        "[flow udp]\nkind = udp\nfrom = a\nto = b\ncount = 0\nevery = 1ms\n"
        "[case bulk]\nflow bulk.count = 1\n[case rr]\nflow rr.count = 1\n"
        "[case udp]\nflow udp.count = 1\n"
        "[case bulk6]\nflow bulk.count = 1\nflow bulk.ipv6 = on\n"
        "[table]\ngoodput = flow.goodput / 1000000\nmessages = flow.messages\n"
        "p50 = flow.latency-p50 * 1000000\nlost = flow.lost\ncwnd = max flow bulk.cwnd\n",
        2);
    assert_true(value(0, "goodput") > 935 && value(0, "goodput") < 942);
    assert_true(value(0, "cwnd") > 10);
    assert_true(value(1, "messages") == 100);
    assert_true(value(1, "p50") > 113 && value(1, "p50") < 300); /* 13,000 bytes: 113 us of line */
    assert_true(fabs(value(2, "goodput") - 11.776) < 0.001);
    assert_true(value(2, "messages") == 100 && value(2, "p50") < 40);
    assert_true(value(3, "goodput") > 920 && value(3, "goodput") < 929); /* 20 more bytes each */
    done();
}

/* If this failed, figures would depend on the machine's number of cores. */
static void jobs_change_nothing(void **state)
{
    (void)state;
    static const char text[] =
        "[experiment]\ntime = 300ms\nrepeat = 3\n[link a b]\nrate = 10mbit\ndelay = 5ms\n"
        "loss = 1%\n[flow one]\nfrom = a\nto = b\n[sweep]\nlink a b.delay = 1ms, 10ms\n"
        "[table]\ngot = flow.got\n";
    uint64_t hash[6];
    run(text, 1);
    for (unsigned i = 0; i < 6; i++)
        hash[i] = runs.result[i].hash;
    done();
    run(text, 4);
    for (unsigned i = 0; i < 6; i++)
        assert_true(hash[i] == runs.result[i].hash);
    assert_true(hash[0] != hash[1] && hash[1] != hash[2]); /* seeds do */
    done();
}

/* A reader that stops holds the writer, whose host drops nothing; a datagram's socket drops. */
static void a_reader_that_stops_is_felt_by_the_writer(void **state)
{
    (void)state;
    run("[experiment]\ntime = 3s\n[cable a b]\nrate = 100mbit\n"
        "[flow tcp]\nfrom = a\nto = b\nread-stop = 500ms\nread-stop-for = 2s\nrcvbuf = 64kb\n"
        "sndbuf = 64kb\n"
        "[flow udp]\nkind = udp\nfrom = a\nto = b\nevery = 2ms\nread-stop = 500ms\n"
        "read-stop-for = 2s\n"
        "[table]\ngot = flow tcp.got\nfull = max flow tcp.send-buffer\n"
        "drops-a = host a.drops\ndrops-b = host b.drops\n"
        "udp-full = host b.drop.UDP_FULL\nmissed = nic b.rx_missed_errors\n",
        1);
    /* one of three seconds at 11.7 MB/s */
    assert_true(value(0, "got") > 9e6 && value(0, "got") < 13e6);
    assert_true(value(0, "full") >= 131072);
    assert_true(value(0, "drops-a") == 0 && value(0, "missed") == 0);
    assert_true(value(0, "udp-full") > 100 && value(0, "udp-full") == value(0, "drops-b"));
    done();
}

/* What a host's work costs: a frame each 20 us is all that it takes, whatever arrives. */
static void a_slow_host_takes_its_time(void **state)
{
    (void)state;
    run("[experiment]\ntime = 100ms\nwarm = 20ms\n[cable a b]\nrate = 1gbit\n[nic]\nrx-usecs = 10\n"
        "[host b]\npacket-time = 20us\n"
        "[flow udp]\nkind = udp\nfrom = a\nto = b\nevery = 13us\n"
        "[table]\ngot = flow udp.messages\nbusy = host b.busy\nmissed = nic b.rx_missed_errors\n",
        1);
    assert_true(fabs(value(0, "got") - 5000) < 5);
    assert_true(value(0, "busy") > 0.0999 && value(0, "busy") < 0.1001);
    assert_true(fabs(value(0, "missed") - (7692 - 5000)) < 60);
    done();
}

/* If this failed an experiment would show a NIC with other settings than its file says: merging,
 * coalescing by the load, queues and what each of them carried. By IPv4 and IPv6. */
static void a_nics_settings_are_those_of_the_file(void **state)
{
    (void)state;
    run("[experiment]\ntime = 50ms\nwarm = 50ms\n[cable a b]\nrate = 1gbit\n"
        "[nic b]\nrx-checksum = on\n"
        "[flow one]\nfrom = a\nto = b\ncount = 8\n"
        "[case plain]\nnic b.lro = off\n[case lro]\nnic b.lro = on\n"
        "[case adaptive]\nnic b.adaptive-rx = on\n[case queues]\nnic b.combined = 2\n"
        "[case queues6]\nnic b.combined = 2\nflow one.ipv6 = on\n"
        "[case lro6]\nnic b.lro = on\nflow one.ipv6 = on\nflow one.count = 1\n"
        "[table]\nframes = nic b.rx_packets\nmerged = nic b.rx_lro_segments\n"
        "irqs = nic b.interrupts_taken\nq0 = nic b.rx_queue_0_packets\n"
        "q1 = nic b.rx_queue_1_packets\nring = nic b.rx-ring\n",
        2);
    assert_true(value(0, "merged") == 0 && value(0, "irqs") > 0.9 * value(0, "frames"));
    assert_true(isnan(value(0, "q1")) && value(0, "q0") == value(0, "frames"));
    assert_true(value(1, "merged") > 0.5 * value(1, "frames"));
    assert_true(value(1, "q0") == value(1, "frames") - value(1, "merged"));
    assert_true(value(2, "irqs") < 0.3 * value(2, "frames"));
    for (unsigned i = 3; i < 5; i++) {
        assert_true(value(i, "q0") > 100 && value(i, "q1") > 100);
        assert_true(value(i, "q0") + value(i, "q1") == value(i, "frames"));
        assert_true(value(i, "ring") > 1.5 * value(0, "ring"));
    }
    assert_true(value(5, "merged") > 0.5 * value(5, "frames"));
    done();
}

/* Three hosts in a row: the one in the middle forwards. */
static void hosts_between_forward(void **state)
{
    (void)state;
    run("[experiment]\ntime = 1s\n[link a r]\ndelay = 1ms\n[link r s]\nrate = 10mbit\n"
        "[link s c]\ndelay = 1ms\n[flow one]\nfrom = a\nto = c\n[flow back]\nfrom = c\nto = a\n"
        "[table]\nthere = flow one.goodput / 1000000\nback = flow back.goodput / 1000000\n"
        "given = link r s.given\n",
        1);
    assert_true(value(0, "there") > 8 && value(0, "there") < 9.7);
    assert_true(value(0, "back") > 8 && value(0, "back") < 9.7);
    assert_true(value(0, "given") > 700);
    done();
}

/* If this failed a report would need the network, run code, or be broken by a title. */
static void the_page_stands_alone(void **state)
{
    (void)state;
    enum { ROOM = 1 << 20 };
    char *text = calloc(1, ROOM);
    struct report r;
    assert_non_null(text);
    run("[experiment]\ntime = 20ms\ntitle = <script>x</script>\n[cable a b]\nrate = 1gbit\n"
        "[flow one]\nfrom = a\nto = b\n[sweep]\nnic b.rx-ring = 64, 128\n"
        "[table]\ngot [MB] = flow.got / 1000000\n[plot p]\ntitle = a <b>\nx = rx-ring\ny = got\n"
        "[plot t]\nx = time\ny = flow one.cwnd\n[claim c]\nholds = got > 1000\n",
        1);
    assert_int_equal(exper_report_new(&r, &runs), 0);
    assert_int_equal(r.n_failed_claims, 1);
    FILE *f = fmemopen(text, ROOM, "w");
    assert_non_null(f);
    exper_report_html_begin(f);
    exper_report_html(f, &r);
    exper_report_html_end(f);
    (void)fclose(f);
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "href"));
    assert_null(strstr(text, "src="));
    assert_null(strstr(text, "url("));
    assert_non_null(strstr(text, "a &lt;b&gt;"));
    assert_non_null(strstr(text, "does not hold"));
    assert_non_null(strstr(text, "</svg>"));
    exper_report_free(&r);
    free(text);
    done();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_workload_does_what_it_says),
    cmocka_unit_test(jobs_change_nothing),
    cmocka_unit_test(a_reader_that_stops_is_felt_by_the_writer),
    cmocka_unit_test(a_slow_host_takes_its_time),
    cmocka_unit_test(a_nics_settings_are_those_of_the_file),
    cmocka_unit_test(hosts_between_forward),
    cmocka_unit_test(the_page_stands_alone),
};
UNIT_MAIN(tests)
