/* SPDX-License-Identifier: Apache-2.0
 *
 * What congestion control is told of the path, in numbers; departures; the answer to marks.
 */
#include "tcp/lab_test.h"

static void bbr(struct weir_conf *c)
{
    c->tcp_congestion_control = (uint32_t)cc_find("bbr", 3);
    c->tcp_timestamps = 0;
}

static void end(struct lab *l, struct tcb *t)
{
    tcp_abort(&l->tcp, t, 0);
    tcp_close(&l->tcp, t);
    lab_skip(l);
    lab_close(l);
}

/* If this failed BBR would be told of a rate that the path does not have: the delivery rate is what
 * arrived since P left, SACKed bytes included, over the longer of the two times.
 * [draft-ietf-ccwg-bbr 4.1.2.3] */
static void rate_is_bytes_over_the_longer_time(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, bbr);
    struct tcb *t = lab_client(&l, "mss 1000,sackOK", 60000);
    t->cc.pacing_Bps = 1000000; /* 1000 bytes a millisecond, trains of two */
    const struct tcp_path *q = tcp_path_of(&l.tcp, t);
    lab_write(&l, t, 4000);
    lab_out_data(&l, 1, 2001, 1000);
    lab_quiet(&l); /* the rest departs in 2 ms */
    lab_wait(&l, 2 * W_MS);
    lab_out_data(&l, 2001, 4001, 1000);
    lab_wait(&l, 8 * W_MS);
    lab_in(&l, ". 1:1(0) ack 2001 win 60000"); /* 10 ms after departure */
    assert_int_equal(q->last_Bps, 2000 * 1000 / 10);
    lab_wait(&l, 6 * W_MS);
    tcp_path_of(&l.tcp, t)->last_Bps =
        0; /* a lower rate is not kept where the program is the limit */
    lab_in(&l, ". 1:1(0) ack 2001 win 60000 <sack 3001:4001>");
    /* P left at 2 ms, when nothing had arrived: 3000 bytes in 16 ms; it was sent in 2 ms */
    assert_int_equal(tcp_delivered(t), 3000);
    assert_int_equal(q->last_Bps, 3000 * 1000 / 16);
    end(&l, t);
}

/* If this failed two segments would queue on a slow path where the algorithm wants one at a time:
 * its word goes before the setting tcp_min_tso_segs. */
static void slow_paths_get_single_segments(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, bbr);
    struct tcb *t = lab_client(&l, "mss 1000,sackOK", 60000);
    t->cc.pacing_Bps = 100000; /* 1000 bytes in 10 ms */
    t->cc.gso_burst = 1000;
    lab_write(&l, t, 2000);
    lab_out_data(&l, 1, 1001, 1000);
    lab_quiet(&l);
    lab_wait(&l, 10 * W_MS);
    lab_out_data(&l, 1001, 2001, 1000);
    end(&l, t);
}

/* If this failed compressed ACKs would look like a fast path: what is shorter than the least round
 * trip is no sample. */
static void compressed_acks_are_no_sample(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, bbr);
    struct tcb *t = lab_client(&l, "mss 1000,sackOK", 60000);
    const struct tcp_path *q = tcp_path_of(&l.tcp, t);
    lab_write(&l, t, 1000);
    lab_skip(&l);
    lab_wait(&l, 20 * W_MS);
    lab_in(&l, ". 1:1(0) ack 1001 win 60000");
    assert_int_equal(q->last_Bps, 1000 * 1000 / 20);
    uint32_t min = t->rtt.min_us;
    lab_write(&l, t, 1000);
    lab_skip(&l);
    t->rtt.min_us = 30000; /* as if no path could be this short */
    t->rtt.min_ms = tcp_now_ms(&l.tcp) + 1;
    struct ack_work w = {.cc.now = l.tcp.env->now, .cc.delivered = tcp_delivered(t) + 1000};
    lab_wait(&l, 5 * W_MS);
    w.p_sent_at = q->departs_at;
    w.p_delivered_at = q->delivered_at;
    w.p_first_sent_at = q->first_sent_at;
    tcp_rate_sample(&l.tcp, t, &w);
    assert_int_equal(w.cc.rate_Bps, 0);
    t->rtt.min_us = min;
    end(&l, t);
}

/* If this failed a peer that acknowledges what has not even left would make the round-trip time
 * nonsense, and with it the timeout. */
static void ack_before_departure_is_no_round_trip(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, bbr);
    struct tcb *t = lab_client(&l, "mss 1000,sackOK", 60000);
    t->cc.pacing_Bps = 4000000; /* a train of 3000 in 750 us: the next is handed down at once */
    t->cc.gso_burst = 0;
    lab_write(&l, t, 6000);
    lab_skip(&l);
    uint32_t srtt = t->rtt.srtt8_us;
    assert_true(tcp_path_of(&l.tcp, t)->departs_at > l.tcp.env->now);
    lab_in(&l, ". 1:1(0) ack 6001 win 60000");
    assert_true(t->rtt.srtt8_us <= srtt);
    lab_wait(&l, 10 * W_MS);
    end(&l, t);
}

/* If this failed a paced connection with nothing in flight would sleep for ever: what pacing holds
 * back has a deadline, and weir_next() says so. */
static void what_pacing_holds_has_a_deadline(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 60000);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_MAX_PACING_BPS, 1000), 0);
    lab_write(&l, t, 2000);
    lab_out_data(&l, 1, 2001, 1000);
    lab_in(&l, ". 1:1(0) ack 2001 win 60000");
    lab_write(&l, t, 2000);
    lab_quiet(&l);
    assert_int_equal(t->snd.una, t->snd.nxt);
    assert_true(t->at[T_PERSIST] != W_NEVER);
    assert_true(wheel_next(&l.net.env.wheel) <= t->at[T_PERSIST]);
    lab_wait(&l, 2 * W_S);
    lab_out_data(&l, 2001, 4001, 1000);
    /* A faster rate holds at once. */
    lab_in(&l, ". 1:1(0) ack 4001 win 60000");
    lab_write(&l, t, 2000);
    lab_quiet(&l);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_MAX_PACING_BPS, 1000000), 0);
    lab_wait(&l, W_MS);
    lab_out_data(&l, 4001, 6001, 1000);
    end(&l, t);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rate_is_bytes_over_the_longer_time),
    cmocka_unit_test(slow_paths_get_single_segments),
    cmocka_unit_test(compressed_acks_are_no_sample),
    cmocka_unit_test(ack_before_departure_is_no_round_trip),
    cmocka_unit_test(what_pacing_holds_has_a_deadline),
};
UNIT_MAIN(tests)
