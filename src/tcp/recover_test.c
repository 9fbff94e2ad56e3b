/* SPDX-License-Identifier: Apache-2.0
 *
 * Loss: round-trip times, the timer, fast recovery with and without SACK, in dialogues and numbers.
 */
#include <errno.h>

#include "tcp/lab_test.h"

static void end(struct lab *l, struct tcb *t)
{
    tcp_abort(&l->tcp, t, 0);
    tcp_close(&l->tcp, t);
    lab_skip(l);
    lab_close(l);
}

static void no_rto_min(struct weir_conf *c) { c->tcp_rto_min_us = 1; }

/* RFC 6675 and the timer alone: rack_test.c has what came after. */
static void classic(struct weir_conf *c)
{
    c->tcp_recovery = 0;
    c->tcp_early_retrans = 0;
}

/* If this failed the timeout would not be the book's: EstimatedRTT = 7/8 EstimatedRTT + 1/8 Sample,
 * DevRTT = 3/4 DevRTT + 1/4 |Sample - EstimatedRTT|, Timeout = EstimatedRTT + 4 DevRTT, 1 s before
 * the first sample; it doubles, and a sample computes it afresh. [RFC 6298 2.1 SHLD-1, 2.2 MUST-2,
 * 2.3 MUST-3, MUST-4, SHLD-2, 5.5 MUST-9] */
static void timeout_interval_to_the_microsecond(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, no_rto_min);
    struct tcb *t = tcp_new(&l.tcp, 1);
    assert_int_equal(tcp_rto_ns(&l.tcp, t), W_S);
    tcp_rtt_sample(&l.tcp, t, 100000);
    assert_int_equal(t->rtt.srtt8_us / 8, 100000);
    assert_int_equal(t->rtt.rttvar4_us / 4, 50000);
    assert_int_equal(tcp_rto_ns(&l.tcp, t), 300000 * W_US);
    tcp_rtt_sample(&l.tcp, t, 140000); /* dev 3/4*50+1/4*40 = 47.5; srtt 7/8*100+1/8*140 = 105 ms */
    assert_int_equal(t->rtt.srtt8_us / 8, 105000);
    assert_int_equal(t->rtt.rttvar4_us / 4, 47500);
    assert_int_equal(tcp_rto_ns(&l.tcp, t), 295000 * W_US);
    tcp_rtt_sample(&l.tcp, t, 105000); /* 35.625, 105 */
    assert_int_equal(t->rtt.rttvar4_us / 4, 35625);
    assert_int_equal(tcp_rto_ns(&l.tcp, t), 247500 * W_US);
    t->snd.backoff = 3;
    assert_int_equal(tcp_rto_ns(&l.tcp, t), 8 * 247500 * W_US);
    t->snd.backoff = 20;
    assert_int_equal(tcp_rto_ns(&l.tcp, t), 120 * W_S);
    tcp_rtt_sample(&l.tcp, t, 105000);
    assert_int_equal(t->snd.backoff, 0);
    tcp_close(&l.tcp, t);
    lab_close(&l);
}

/* If this failed lost data would stay lost, or be repeated too eagerly. [RFC 6298 1 MUST-1, 5
 * MUST-8, 5.5 MUST-9, 3 MUST-5; RFC 5681 3.1 MUST-10] */
static void timeout_repeats_and_backs_off(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, classic);
    struct tcb *t = lab_client(&l, "mss 1000,sackOK", 60000);
    lab_write(&l, t, 3000);
    lab_out_data(&l, 1, 3001, 1000);
    w_ns rto = tcp_rto_ns(&l.tcp, t);
    for (int i = 0; i < 5; i++) {
        lab_wait(&l, rto - W_MS);
        lab_quiet(&l);
        lab_wait(&l, W_MS);
        lab_out(&l, ". 1:1001(1000) ack 1"); /* one segment: the loss window [RFC 5681 3.1] */
        assert_int_equal(t->cc.cwnd, 1000);
        rto *= 2;
    }
    assert_int_equal(t->cc.ssthresh, 7000);
    uint32_t srtt = t->rtt.srtt8_us;
    lab_in(&l, ". 1:1(0) ack 1001 win 60000");
    assert_int_equal(t->rtt.srtt8_us, srtt); /* [RFC 6298 3] Karn: no sample from a repetition */
    assert_int_equal(t->snd.backoff, 5);
    lab_out_data(&l, 1001, 3001, 1000); /* slow start */
    lab_in(&l, ". 1:1(0) ack 3001 win 60000");
    assert_int_equal(t->ca_state, CA_OPEN);
    lab_write(&l, t, 1000);
    lab_skip(&l);
    lab_wait(&l, 10 * W_MS);
    lab_in(&l, ". 1:1(0) ack 4001 win 60000");
    assert_int_equal(t->snd.backoff, 0);
    end(&l, t);
}

/* If this failed a dead peer would be fed for ever. [RFC 9293 3.8.3 MUST-20, MUST-21, SHLD-11] */
static void connection_is_given_up(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 60000);
    lab_write(&l, t, 100);
    lab_wait(&l, 1000 * W_S);
    assert_int_equal(tcp_state(t), TCPS_CLOSED);
    assert_int_equal(tcp_take_error(t), ETIMEDOUT);
    assert_int_equal(l.n_out, 16); /* once, and tcp_retries2 times again */
    tcp_close(&l.tcp, t);
    lab_skip(&l);
    lab_close(&l);

    lab_open(&l, NULL);
    t = lab_client(&l, "mss 1000", 60000);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_USER_TIMEOUT_MS, 3000), 0);
    lab_write(&l, t, 100);
    lab_wait(&l, 200 * W_MS + 3 * W_S - 2 * W_MS);
    assert_int_equal(tcp_state(t), TCPS_ESTABLISHED);
    lab_wait(&l, 10 * W_MS);
    assert_int_equal(tcp_state(t), TCPS_CLOSED);
    tcp_close(&l.tcp, t);
    lab_skip(&l);
    lab_close(&l);
}

/* If this failed one lost segment would cost a timeout. Limited transmit, then fast retransmit at
 * the third duplicate, then what cwnd allows. [RFC 3042, RFC 6675 5; RFC 5681 3.2 MUST] */
static void sack_recovery(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, classic);
    struct tcb *t = lab_client(&l, "mss 1000,sackOK", 60000);
    lab_write(&l, t, 20000);
    lab_out_data(&l, 1, 10001, 1000);
    lab_in(&l, ". 1:1(0) ack 1 win 60000 <sack 1001:2001>");
    lab_out(&l, ". 10001:11001(1000) ack 1");
    lab_in(&l, ". 1:1(0) ack 1 win 60000 <sack 1001:3001>");
    lab_out(&l, ". 11001:12001(1000) ack 1");
    assert_int_equal(t->ca_state, CA_DISORDER);
    lab_in(&l, ". 1:1(0) ack 1 win 60000 <sack 1001:4001>");
    lab_out(&l, ". 1:1001(1000) ack 1");
    lab_quiet(&l);
    assert_int_equal(t->ca_state, CA_RECOVERY);
    assert_int_equal(t->cc.ssthresh, 7000);
    /* [RFC 9937 6] 8 in flight; of the one delivered 7/10 may go, rounded up */
    assert_int_equal(t->cc.cwnd, 9000);
    /* a second hole */
    lab_in(&l, ". 1:1(0) ack 1 win 60000 <sack 5001:12001 1001:4001>");
    lab_out(&l, ". 4001:5001(1000) ack 1");
    lab_out_data(&l, 12001, 17001, 1000); /* pipe: 2 repeated + 5 new = 7 */
    lab_quiet(&l);
    lab_in(&l, ". 1:1(0) ack 12001 win 60000");
    assert_int_equal(t->ca_state, CA_OPEN);
    assert_int_equal(t->cc.cwnd, 7000);
    lab_out_data(&l, 17001, 19001, 1000);
    assert_int_equal(l.net.env.stats[STAT_TcpRetransSegs], 2);
    assert_int_equal(l.net.env.stats[STAT_TCPTimeouts], 0);
    end(&l, t);
}

static void reno(struct weir_conf *c) { c->tcp_congestion_control = 0; }

/* If this failed peers without SACK would suffer a timeout per loss. [RFC 6582 3.2 MUST-2 …
 * MUST-5] */
static void newreno_recovery(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, reno);
    struct tcb *t = lab_client(&l, "mss 1000", 60000);
    lab_write(&l, t, 30000);
    lab_out_data(&l, 1, 10001, 1000);
    /* 1:1001 and 4001:5001 are lost */
    lab_in(&l, ". 1:1(0) ack 1 win 60000");
    lab_out(&l, ". 10001:11001(1000) ack 1");
    lab_in(&l, ". 1:1(0) ack 1 win 60000");
    lab_out(&l, ". 11001:12001(1000) ack 1");
    lab_in(&l, ". 1:1(0) ack 1 win 60000");
    lab_out(&l, ". 1:1001(1000) ack 1");
    assert_int_equal(t->ca_state, CA_RECOVERY);
    assert_int_equal(t->cc.ssthresh, 5000);
    for (int i = 0; i < 5; i++)
        lab_in(&l, ". 1:1(0) ack 1 win 60000");
    lab_out_data(&l, 12001, 13001, 1000); /* inflation: what left lets new data in */
    lab_skip(&l);
    lab_in(&l, ". 1:1(0) ack 4001 win 60000"); /* partial: the next hole at once */
    lab_out(&l, ". 4001:5001(1000) ack 1");
    assert_int_equal(t->ca_state, CA_RECOVERY);
    lab_skip(&l);
    lab_in(&l, ". 1:1(0) ack 12001 win 60000");
    assert_int_equal(t->ca_state, CA_OPEN);
    assert_int_equal(t->cc.cwnd, 5000);
    lab_skip(&l);
    /* duplicates of before are no new loss [RFC 6582 3.2 (1)] */
    assert_int_equal(l.net.env.stats[STAT_TCPRenoRecovery], 1);
    end(&l, t);
}

/* If this failed a timeout in the middle of SACKed data would repeat what is there.
 * [RFC 6675 5.1, RFC 2018 8] */
static void timeout_keeps_sacks(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, classic);
    struct tcb *t = lab_client(&l, "mss 1000,sackOK", 60000);
    lab_write(&l, t, 4000);
    lab_out_data(&l, 1, 4001, 1000);
    lab_in(&l, ". 1:1(0) ack 1 win 60000 <sack 2001:3001>");
    lab_wait(&l, 300 * W_MS);
    lab_out(&l, ". 1:1001(1000) ack 1");
    lab_in(&l, ". 1:1(0) ack 1001 win 60000 <sack 2001:3001>");
    lab_out(&l, ". 1001:2001(1000) ack 1");
    lab_out(&l, "P. 3001:4001(1000) ack 1");
    lab_quiet(&l);
    lab_in(&l, ". 1:1(0) ack 4001 win 60000");
    end(&l, t);
}

/* If this failed a peer that throws SACKed data away would stop the stream. [RFC 2018 8] */
static void reneging(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, classic);
    struct tcb *t = lab_client(&l, "mss 1000,sackOK", 60000);
    lab_write(&l, t, 3000);
    lab_out_data(&l, 1, 3001, 1000);
    lab_in(&l, ". 1:1(0) ack 1 win 60000 <sack 1001:3001>");
    lab_in(&l, ". 1:1(0) ack 1001 win 60000"); /* and no word of the rest */
    lab_wait(&l, 300 * W_MS);
    lab_out(&l, ". 1001:2001(1000) ack 1");
    lab_in(&l, ". 1:1(0) ack 2001 win 60000");
    lab_out(&l, "P. 2001:3001(1000) ack 1");
    end(&l, t);
}

/* If this failed a lost FIN would leave both sides waiting. */
static void fin_is_repeated(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 60000);
    lab_write(&l, t, 100);
    assert_int_equal(tcp_shutdown(&l.tcp, t, TCP_SHUT_WR), 0);
    lab_settle(&l);
    lab_out(&l, "P. 1:101(100) ack 1");
    lab_out(&l, "F. 101:101(0) ack 1");
    lab_wait(&l, 300 * W_MS);
    lab_out(&l, "FP. 1:101(100) ack 1"); /* sent together, repeated as one */
    lab_in(&l, ". 1:1(0) ack 102 win 60000");
    assert_int_equal(tcp_state(t), TCPS_FIN_WAIT_2);
    end(&l, t);
}

/* If this failed an idle connection would burst into a network it knows nothing of any more.
 * [RFC 5681 4.1] */
static void restart_after_idle(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 60000);
    lab_write(&l, t, 10000);
    lab_skip(&l);
    lab_in(&l, ". 1:1(0) ack 10001 win 60000");
    assert_int_equal(t->cc.cwnd, 20000);
    lab_wait(&l, 5 * W_S);
    lab_write(&l, t, 30000);
    lab_out_data(&l, 10001, 20001, 1000);
    lab_quiet(&l);
    assert_int_equal(t->cc.cwnd, 10000);
    end(&l, t);
}

/* If this failed cwnd would grow while nothing tests it. [RFC 7661, RFC 5681 3.1] [RFC 9438 4.6
 * MUST-5] */
static void unused_window_does_not_grow(void **state)
{
    struct lab l;
    char text[80];
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 60000);
    for (uint32_t i = 0; i < 50; i++) {
        lab_write(&l, t, 1000);
        lab_skip(&l);
        snprintf(text, sizeof text, ". 1:1(0) ack %u win 60000", 1 + (i + 1) * 1000);
        lab_in(&l, text);
    }
    assert_int_equal(t->cc.cwnd, 10000);
    end(&l, t);
}

static void cubic(struct weir_conf *c)
{
    c->tcp_congestion_control = 1;
    c->tcp_slow_start_after_idle = 0;
}

/* If this failed an hour of silence would count as an hour of growth, and the first words after it
 * would come as a burst. [RFC 9438 4.2 MUST-1] */
static void silence_is_no_growth(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, cubic);
    struct tcb *t = lab_client(&l, "mss 1000,sackOK", 60000);
    lab_write(&l, t, 10000);
    lab_in(&l, ". 1:1(0) ack 1 win 60000 <sack 1001:5001>"); /* a loss: cwnd 7 */
    lab_in(&l, ". 1:1(0) ack 10001 win 60000");
    assert_int_equal(t->cc.cwnd, 7000);
    lab_write(&l, t, 7000);
    lab_in(&l, ". 1:1(0) ack 17001 win 60000"); /* the epoch has begun */
    uint32_t before = t->cc.cwnd;
    lab_wait(&l, 3600 * W_S);
    lab_write(&l, t, 9000);
    lab_wait(&l, 10 * W_MS);
    lab_in(&l, ". 1:1(0) ack 24001 win 60000");
    assert_in_range(t->cc.cwnd, before, before + 1000);
    lab_skip(&l);
    end(&l, t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeout_interval_to_the_microsecond),
        cmocka_unit_test(timeout_repeats_and_backs_off),
        cmocka_unit_test(connection_is_given_up),
        cmocka_unit_test(sack_recovery),
        cmocka_unit_test(newreno_recovery),
        cmocka_unit_test(timeout_keeps_sacks),
        cmocka_unit_test(reneging),
        cmocka_unit_test(fin_is_repeated),
        cmocka_unit_test(restart_after_idle),
        cmocka_unit_test(unused_window_does_not_grow),
        cmocka_unit_test(silence_is_no_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
