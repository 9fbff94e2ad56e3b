/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes both ways, in dialogues: numbering, order, acknowledgement, windows, urgency.
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

static void big_buffers(struct weir_conf *c) { c->tcp_wmem_default = c->tcp_wmem_max = 1 << 20; }

/* If this failed a stream would be numbered otherwise than TCP says: 500,000 bytes at MSS 1,000
 * are 500 segments 0, 1000, 2000, … (counted here from the SYN, so from 1). [RFC 9293 3.4; A7]
 * [RFC 9293 3.9.1.2 MUST-61, SHLD-27, SHLD-28] */
static void a_stream_is_500_segments(void **state)
{
    struct lab l;
    char ack[64];
    (void)state;
    lab_open(&l, big_buffers);
    struct tcb *t = lab_client(&l, "mss 1000,wscale 7", 60000);
    lab_write(&l, t, 500000);
    uint32_t at = 1, n = 0;
    while (at < 500001) {
        assert_true(l.n_out > 0);
        uint32_t k = l.n_out;
        lab_out_data(&l, at, at + k * 1000, 1000);
        at += k * 1000;
        n += k;
        snprintf(ack, sizeof ack, ". 1:1(0) ack %u win 60000", at);
        lab_in(&l, ack);
    }
    assert_int_equal(n, 500);
    lab_quiet(&l);
    assert_int_equal(t->snd.una, t->sndq.iss + 500001);
    end(&l, t);
}

/* If this failed acknowledgements would not be cumulative: bytes 0-535 → ACK 536 [A8]; 900-1000
 * beyond a hole → still 536 [A9]; the hole filled → all at once [A10]. [RFC 9293 3.4, 3.8.6.3]
 * [RFC 9293 3.10.7.4 SHLD-31] */
static void acks_are_cumulative(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    lab_in(&l, "P. 1:537(536) ack 1 win 5000");
    lab_out(&l, ". 1:1(0) ack 537");
    lab_in(&l, "P. 901:1002(101) ack 1 win 5000");
    lab_out(&l, ". 1:1(0) ack 537");
    assert_int_equal(lab_read(&l, t), 536);
    assert_int_equal(tcp_inq(&l.tcp, t), 0);
    lab_in(&l, "P. 537:901(364) ack 1 win 5000");
    lab_out(&l, ". 1:1(0) ack 1002");
    assert_int_equal(lab_read(&l, t), 465);
    end(&l, t);
}

/* If this failed a sender would have to guess what to repeat. [RFC 2018 4 SHLD-1, SHLD-2, SHLD-3,
 * MUST-3, 8 MUST-8; RFC 2883 4] */
static void sack_blocks_say_what_is_there(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000,sackOK", 5000);
    lab_in(&l, ". 1001:2001(1000) ack 1 win 5000");
    lab_out(&l, ". 1:1(0) ack 1 <sack 1001:2001>");
    lab_in(&l, ". 3001:4001(1000) ack 1 win 5000");
    lab_out(&l, ". 1:1(0) ack 1 <sack 3001:4001 1001:2001>");
    lab_in(&l, ". 5001:6001(1000) ack 1 win 5000");
    lab_out(&l, ". 1:1(0) ack 1 <sack 5001:6001 3001:4001 1001:2001>");
    lab_in(&l, ". 1001:2001(1000) ack 1 win 5000"); /* twice: reported first */
    lab_out(&l, ". 1:1(0) ack 1 <sack 1001:2001 1001:2001 5001:6001 3001:4001>");
    lab_in(&l, ". 2001:3001(1000) ack 1 win 5000"); /* grows together */
    lab_out(&l, ". 1:1(0) ack 1 <sack 1001:4001 5001:6001>");
    lab_in(&l, ". 1:1001(1000) ack 1 win 5000");
    lab_out(&l, ". 1:1(0) ack 4001 <sack 5001:6001>");
    lab_in(&l, ". 1:1001(1000) ack 1 win 5000"); /* old, twice */
    lab_out(&l, ". 1:1(0) ack 4001 <sack 1:1001 5001:6001>");
    lab_in(&l, "F. 6001:6001(0) ack 1 win 5000"); /* a FIN waits for its turn */
    lab_skip(&l);
    assert_int_equal(tcp_state(t), TCPS_ESTABLISHED);
    lab_in(&l, ". 4001:5001(1000) ack 1 win 5000");
    lab_out(&l, ". 1:1(0) ack 6002 <>");
    assert_int_equal(tcp_state(t), TCPS_CLOSE_WAIT);
    assert_int_equal(lab_read(&l, t), 6000);
    end(&l, t);
}

/* If this failed a sender without SACK would not see a loss before its timer ends: what it counts
 * are duplicate ACKs, one for each segment behind the hole, merged on the way in or not.
 * [RFC 5681 3.2, 4.2] */
static void every_segment_ahead_is_told(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    lab_in_train(&l, ". 1:2001(2000) ack 1 win 5000", 1000);
    lab_out(&l, ". 1:1(0) ack 2001");
    lab_quiet(&l);
    lab_in_train(&l, ". 3001:5501(2500) ack 1 win 5000", 1000);
    for (int i = 0; i < 3; i++)
        lab_out(&l, ". 1:1(0) ack 2001 <>");
    lab_quiet(&l);
    lab_in(&l, ". 5501:6001(500) ack 1 win 5000");
    lab_out(&l, ". 1:1(0) ack 2001 <>");
    lab_in(&l, ". 2001:3001(1000) ack 1 win 5000");
    lab_out(&l, ". 1:1(0) ack 6001 <>");
    lab_quiet(&l);
    assert_int_equal(lab_read(&l, t), 6000);
    end(&l, t);

    lab_open(&l, NULL); /* with SACK one ACK says it all */
    t = lab_client(&l, "mss 1000,sackOK", 5000);
    lab_in_train(&l, ". 1001:4001(3000) ack 1 win 5000", 1000);
    lab_out(&l, ". 1:1(0) ack 1 <sack 1001:4001>");
    lab_quiet(&l);
    lab_in(&l, ". 1:1001(1000) ack 1 win 5000");
    assert_int_equal(lab_read(&l, t), 4000);
    end(&l, t);
}

/* If this failed overlapping segments could change bytes or leave gaps: every cut of a small stream
 * against what is queued. */
static void overlaps_in_every_way(void **state)
{
    char text[100];
    (void)state;
    for (uint32_t a = 0; a < 8; a++) {
        for (uint32_t b = a + 1; b <= 8; b++) {
            struct lab l;
            lab_open(&l, NULL);
            struct tcb *t = lab_client(&l, "mss 1000,sackOK", 5000);
            lab_in(&l, "P. 31:61(30) ack 1 win 5000");
            lab_in(&l, "P. 81:101(20) ack 1 win 5000");
            snprintf(text, sizeof text, "P. %u:%u(%u) ack 1 win 5000", 11 + a * 13, 11 + b * 13,
                     (b - a) * 13);
            lab_in(&l, text);
            lab_in(&l, "P. 1:21(20) ack 1 win 5000");
            lab_in(&l, "P. 1:121(120) ack 1 win 5000");
            assert_int_equal(t->ooo.n, 0);
            assert_int_equal(lab_read(&l, t), 120);
            end(&l, t);
        }
    }
}

/* If this failed ACKs would be late, or twice as many as needed. Quick ACKs first, then every
 * second segment, then the timer. [RFC 9293 3.8.6.3 SHLD-18, SHLD-19, MUST-40; RFC 5681 4.2
 * SHLD-10, SHLD-11, MUST-17] */
static void delayed_acks(void **state)
{
    struct lab l;
    char text[100];
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    uint32_t at = 1, n = 0;
    while (t->rcv.quick > 0 || n == 0) {
        snprintf(text, sizeof text, ". %u:%u(1000) ack 1 win 5000", at, at + 1000);
        lab_in(&l, text);
        at += 1000;
        snprintf(text, sizeof text, ". 1:1(0) ack %u", at);
        lab_out(&l, text);
        n++;
    }
    assert_in_range(n, 10, 16);
    (void)lab_read(&l, t);
    lab_skip(&l);
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, ". %u:%u(1000) ack 1 win 5000", at, at + 1000);
        lab_in(&l, text);
        lab_quiet(&l);
        snprintf(text, sizeof text, ". %u:%u(1000) ack 1 win 5000", at + 1000, at + 2000);
        lab_in(&l, text);
        at += 2000;
        snprintf(text, sizeof text, ". 1:1(0) ack %u", at);
        lab_out(&l, text);
        (void)lab_read(&l, t);
        lab_skip(&l);
    }
    snprintf(text, sizeof text, ". %u:%u(1000) ack 1 win 5000", at, at + 1000);
    lab_in(&l, text);
    lab_wait(&l, 39 * W_MS);
    lab_quiet(&l);
    lab_wait(&l, 2 * W_MS);
    snprintf(text, sizeof text, ". 1:1(0) ack %u", at + 1000);
    lab_out(&l, text);
    assert_int_equal(l.net.env.stats[STAT_DelayedACKs], 1);
    end(&l, t);
}

/* If this failed a train of segments would be answered by a train of ACKs: all that came together
 * is processed before anything is sent, and has one. [RFC 9293 3.10.7.4 MUST-58, MUST-59] */
static void a_burst_has_one_ack(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    for (uint32_t i = 0; i < 10; i++) {
        char text[64];
        snprintf(text, sizeof text, ". %u:%u(1000) ack 1 win 5000", 1 + i * 1000, 1001 + i * 1000);
        lab_put(&l, text);
        assert_int_equal(l.n_out, 0);
    }
    lab_settle(&l);
    lab_out(&l, ". 1:1(0) ack 10001");
    lab_quiet(&l);
    assert_int_equal(lab_read(&l, t), 10000);
    end(&l, t);
}

/* If this failed keystrokes would flood the network, or TCP_NODELAY would not help.
 * [RFC 9293 3.7.4 SHLD-7, MUST-17] */
static void nagle(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    lab_write(&l, t, 10);
    lab_out(&l, "P. 1:11(10) ack 1");
    lab_write(&l, t, 10);
    lab_write(&l, t, 10);
    lab_quiet(&l);
    lab_write(&l, t, 1000); /* a full segment goes; its rest waits */
    lab_out(&l, ". 11:1011(1000) ack 1");
    lab_quiet(&l);
    lab_in(&l, ". 1:1(0) ack 11 win 5000");
    lab_out(&l, "P. 1011:1031(20) ack 1");
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_NODELAY, 1), 0);
    lab_write(&l, t, 10);
    lab_out(&l, "P. 1031:1041(10) ack 1");
    lab_write(&l, t, 10);
    lab_out(&l, "P. 1041:1051(10) ack 1");
    end(&l, t);
}

/* If this failed TCP_CORK and MSG_MORE would send headers alone, or hold data for ever. [RFC 9293
 * 3.9.1.2 MUST-60, MUST-61, MAY-16] */
static void cork(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_CORK, 1), 0);
    lab_write(&l, t, 10);
    lab_write(&l, t, 10);
    lab_quiet(&l);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_CORK, 0), 0);
    lab_settle(&l);
    lab_out(&l, "P. 1:21(20) ack 1");
    lab_in(&l, ". 1:1(0) ack 21 win 5000");
    assert_int_equal(tcp_send(&l.tcp, t, "0123456789", 10, TCP_MSG_MORE), 10);
    lab_settle(&l);
    lab_quiet(&l);
    lab_wait(&l, 300 * W_MS); /* nothing follows: it goes after 200 ms and a round trip */
    lab_out(&l, "P. 21:31(10) ack 1");
    end(&l, t);
}

/* If this failed a closed window would stop a connection for ever, or be ignored.
 * [RFC 9293 3.8.6.1 MUST-36, MUST-37, SHLD-29, SHLD-30] */
static void closed_window_is_probed(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 2000);
    lab_write(&l, t, 5000);
    lab_out_data(&l, 1, 2001, 1000);
    lab_quiet(&l);
    lab_in(&l, ". 1:1(0) ack 2001 win 0");
    w_ns wait = tcp_rto_ns(&l.tcp, t);
    for (int i = 0; i < 4; i++) {
        lab_wait(&l, wait - W_MS);
        lab_quiet(&l);
        lab_wait(&l, W_MS);
        lab_out(&l, ". 2000:2000(0) ack 1");
        lab_in(&l, ". 1:1(0) ack 2001 win 0");
        wait *= 2;
    }
    assert_int_equal(tcp_state(t), TCPS_ESTABLISHED);
    lab_in(&l, ". 1:1(0) ack 2001 win 2000");
    lab_out_data(&l, 2001, 4001, 1000);
    end(&l, t);
}

/* If this failed a peer that takes its window back could crash us or stop us.
 * [RFC 9293 3.8.6 MUST-34, SHLD-15, SHLD-16, MAY-7; RFC 7323 2.4 MUST-9] */
static void shrunk_window(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 4000);
    lab_write(&l, t, 8000);
    lab_out_data(&l, 1, 4001, 1000);
    lab_in(&l, ". 1:1(0) ack 1001 win 500");
    lab_quiet(&l);
    lab_wait(&l, 300 * W_MS);
    lab_out(&l, ". 1001:2001(1000) ack 1");
    lab_in(&l, ". 1:1(0) ack 4001 win 4000");
    lab_out_data(&l, 4001, 8001, 1000);
    end(&l, t);
}

/* If this failed small windows would be filled with small segments for ever.
 * [RFC 9293 3.8.6.2.1 MUST-38; 3.9.1.2 MUST-60] */
static void sender_avoids_silly_windows(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 2000);
    lab_write(&l, t, 5000);
    lab_out_data(&l, 1, 2001, 1000);
    lab_in(&l, ". 1:1(0) ack 1001 win 1100"); /* room for 100 more */
    lab_quiet(&l);
    lab_in(&l, ". 1:1(0) ack 2001 win 500"); /* nothing in flight, half a segment */
    lab_quiet(&l);
    lab_wait(&l, 300 * W_MS); /* overridden in time */
    lab_out(&l, "P. 2001:2501(500) ack 1");
    end(&l, t);
}

static void small_rcvbuf(struct weir_conf *c)
{
    c->tcp_rmem_default = 8192;
    c->tcp_rmem_max = 8192;
}

/* If this failed a reader who falls behind would lose data (C7), or the window would open in silly
 * steps. [RFC 9293 3.8.6.2.2 MUST-39, 3.8.6 SHLD-14] [RFC 7323 2.4 MUST-10, SHLD-3] */
static void receiver_closes_and_opens_its_window(void **state)
{
    struct lab l;
    char text[100];
    (void)state;
    lab_open(&l, small_rcvbuf);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    assert_int_equal(t->rcv.wnd, 2920); /* half of 8192 in whole segments of 1460 */
    uint32_t at = 1;
    for (;;) {
        uint32_t wnd = tcp_rcv_wnd(t);
        uint32_t n = wnd < 1000 ? wnd : 1000;
        if (n == 0)
            break;
        snprintf(text, sizeof text, ". %u:%u(%u) ack 1 win 5000", at, at + n, n);
        lab_in(&l, text);
        at += n;
        lab_wait(&l, 300 * W_MS);
    }
    assert_int_equal(tcp_inq(&l.tcp, t), at - 1);
    lab_skip(&l);
    snprintf(text, sizeof text, ". %u:%u(1) ack 1 win 5000", at, at + 1); /* a probe */
    lab_in(&l, text);
    snprintf(text, sizeof text, ". 1:1(0) ack %u win 0", at);
    lab_out(&l, text);
    assert_int_equal(tcp_inq(&l.tcp, t), at - 1);
    char byte;
    assert_int_equal(tcp_recv(&l.tcp, t, &byte, 1, 0), 1);
    lab_settle(&l);
    lab_quiet(&l); /* one byte is no window */
    (void)lab_read(&l, t);
    assert_int_equal(l.n_out, 1);
    assert_true(tcp_rcv_wnd(t) >= 2920);
    end(&l, t);
}

/* If this failed tcp_recv and the bytes in place would disagree, or a slow reader would pin a
 * packet per byte. */
static void small_segments_are_copied_together(void **state)
{
    struct lab l;
    char text[100];
    struct tcp_iov v[16];
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "P. %u:%u(10) ack 1 win 5000", 1 + i * 10, 11 + i * 10);
        lab_in(&l, text);
        lab_skip(&l);
    }
    assert_true(l.net.env.mem.pkts.in_use < 10);
    int n = tcp_recv_peek(&l.tcp, t, v, 16);
    size_t all = 0;
    for (int i = 0; i < n; i++)
        all += v[i].len;
    assert_int_equal(all, 10000);
    tcp_recv_consume(&l.tcp, t, 5000);
    assert_int_equal(lab_read(&l, t), 5000);
    end(&l, t);
}

/* If this failed a program that writes in place would send other bytes than it wrote. */
static void writing_in_place(void **state)
{
    struct lab l;
    struct tcp_iov v[4];
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 60000);
    int n = tcp_send_space(&l.tcp, t, v, 4);
    assert_true(n >= 1);
    memset(v[0].base, 'x', 700);
    assert_int_equal(tcp_send_commit(&l.tcp, t, 700, 0), 700);
    lab_settle(&l);
    lab_out(&l, "P. 1:701(700) ack 1");
    n = tcp_send_space(&l.tcp, t, v, 4);
    assert_true(n >= 1);
    assert_int_equal(tcp_send_commit(&l.tcp, t, 0, 0), 0);
    end(&l, t);
}

/* If this failed a full send buffer would take more, or never tell when it has room again. [D3] */
static void send_buffer_pushes_back(void **state)
{
    struct lab l;
    static char buf[200000];
    uint32_t edges;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 1000);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_SNDBUF, 8000), 0);
    assert_int_equal(tcp_send(&l.tcp, t, buf, sizeof buf, 0), 8000);
    assert_int_equal(tcp_send(&l.tcp, t, buf, 1, 0), -EAGAIN);
    assert_int_equal(tcp_poll(&l.tcp, t) & TCP_EV_OUT, 0);
    assert_int_equal(tcp_outq(t), 8000);
    while (tcp_ready_pop(&l.tcp, &edges) != NULL)
        ;
    lab_in(&l, ". 1:1(0) ack 1001 win 1000");
    assert_int_equal(tcp_poll(&l.tcp, t) & TCP_EV_OUT, 0);
    lab_in(&l, ". 1:1(0) ack 2001 win 1000");
    lab_in(&l, ". 1:1(0) ack 3001 win 1000");
    assert_ptr_equal(tcp_ready_pop(&l.tcp, &edges), t);
    assert_true((edges & TCP_EV_OUT) != 0);
    assert_true((tcp_poll(&l.tcp, t) & TCP_EV_OUT) != 0);
    end(&l, t);
}

static void bbr(struct weir_conf *c) { c->tcp_congestion_control = 6; }

/* If this failed a program that waits for room would sleep through a recovery: behind a hole
 * nothing is acknowledged for good, but what is SACKed makes cwnd larger, and the buffer with it.
 */
static void room_that_grew_is_told(void **state)
{
    struct lab l;
    static char buf[200000];
    uint32_t edges;
    (void)state;
    lab_open(&l, bbr);
    struct tcb *t = lab_client(&l, "mss 1000,sackOK", 60000);
    int64_t n = tcp_send(&l.tcp, t, buf, sizeof buf, 0);
    assert_in_range(n, 20000, 100000);
    assert_int_equal(tcp_send(&l.tcp, t, buf, 1, 0), -EAGAIN);
    assert_int_equal(tcp_poll(&l.tcp, t) & TCP_EV_OUT, 0);
    while (tcp_ready_pop(&l.tcp, &edges) != NULL)
        ;
    lab_wait(&l, 20 * W_MS);
    lab_skip(&l);
    lab_in(&l, ". 1:1(0) ack 1 win 60000 <sack 1001:10001>");
    assert_null(tcp_ready_pop(&l.tcp, &edges)); /* not yet a third of it */
    lab_wait(&l, 20 * W_MS);
    lab_skip(&l);
    lab_in(&l, ". 1:1(0) ack 1 win 60000 <sack 1001:20001>");
    assert_int_equal(tcp_outq(t), n);
    assert_ptr_equal(tcp_ready_pop(&l.tcp, &edges), t);
    assert_true((edges & TCP_EV_OUT) != 0);
    assert_true(tcp_send(&l.tcp, t, buf, 10000, 0) > 0);
    end(&l, t);
}

/* If this failed telnet's interrupt would not work. [RFC 9293 3.8.5 MUST-30, MUST-32, MUST-33] */
static void urgent_data(void **state)
{
    struct lab l;
    char buf[16];
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    assert_int_equal(tcp_send(&l.tcp, t, "abc", 3, TCP_MSG_OOB), 3);
    lab_settle(&l);
    lab_out(&l, "PU. 1:4(3) ack 1 urg 3");
    lab_in(&l, ". 1:1(0) ack 4 win 5000");
    lab_in(&l, "PU. 1:6(5) ack 4 win 5000 urg 3"); /* the third byte is urgent */
    assert_true((tcp_poll(&l.tcp, t) & TCP_EV_PRI) != 0);
    assert_int_equal(tcp_recv(&l.tcp, t, buf, 16, 0), 2); /* up to the mark */
    assert_true(tcp_at_mark(t));
    assert_int_equal(tcp_recv(&l.tcp, t, buf, 1, TCP_MSG_OOB), 1);
    assert_int_equal((uint8_t)buf[0], (uint8_t)(3 * 7));
    assert_int_equal(tcp_recv(&l.tcp, t, buf, 1, TCP_MSG_OOB), -EINVAL);
    assert_int_equal(tcp_recv(&l.tcp, t, buf, 16, 0), 2); /* the urgent byte is not among them */
    assert_int_equal((uint8_t)buf[0], (uint8_t)(4 * 7));
    end(&l, t);
}

/* If this failed dead peers would be held for ever. [RFC 9293 3.8.4 MUST-24, MUST-26, MUST-27,
 * MUST-29, SHLD-12] */
static void keepalive(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    tcp_opt_set(&l.tcp, t, TOPT_KEEPIDLE_S, 10);
    tcp_opt_set(&l.tcp, t, TOPT_KEEPINTVL_S, 3);
    tcp_opt_set(&l.tcp, t, TOPT_KEEPCNT, 2);
    tcp_opt_set(&l.tcp, t, TOPT_KEEPALIVE, 1);
    lab_wait(&l, 10 * W_S - W_MS);
    lab_quiet(&l);
    lab_wait(&l, 2 * W_MS);
    lab_out(&l, ". 0:0(0) ack 1");
    lab_in(&l, ". 1:1(0) ack 1 win 5000"); /* alive */
    lab_wait(&l, 10 * W_S + 10 * W_MS);
    lab_out(&l, ". 0:0(0) ack 1");
    lab_wait(&l, 3 * W_S);
    lab_out(&l, ". 0:0(0) ack 1");
    lab_wait(&l, 3 * W_S);
    lab_out(&l, "R. 1:1(0) ack 1");
    assert_int_equal(tcp_take_error(t), ETIMEDOUT);
    tcp_close(&l.tcp, t);
    lab_close(&l);
}

/* If this failed a refusal by our own queue would count as loss in the network, or stop the
 * connection. [architecture law 6] */
static void local_refusal_is_no_loss(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 60000);
    assert_int_equal(link_set_txqueuelen(&l.net.link, l.net.nif, 0), 0);
    static char buf[8000];
    assert_int_equal(tcp_send(&l.tcp, t, buf, sizeof buf, 0), 8000);
    lab_settle(&l);
    lab_quiet(&l);
    assert_int_equal(t->snd.nxt, t->snd.una);
    assert_int_equal(l.net.env.stats[STAT_TCPHeldBelow], 1);
    assert_int_equal(l.net.env.stats[STAT_TCPLocalDrops], 0);
    assert_int_equal(l.net.env.drops[DROP_QDISC_FULL], 0);
    assert_int_equal(link_set_txqueuelen(&l.net.link, l.net.nif, 1000), 0);
    lab_wait(&l, 3 * W_MS);
    lab_out_data(&l, 1, 8001, 1000);
    assert_int_equal(t->cc.cwnd, 10000);
    end(&l, t);
}

static void small_limit(struct weir_conf *c) { c->tcp_limit_output_bytes = 3000; }

/* If this failed one connection could fill every queue below it. [F1] */
static void bytes_below_are_limited(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, small_limit);
    l.net.env.conf.tcp_gso = 0;
    l.no_credit = true;
    struct tcb *t = lab_client(&l, "mss 1000", 60000);
    lab_write(&l, t, 8000);
    lab_out_data(&l, 1, 3001, 1000);
    lab_quiet(&l);
    tcp_sent(&l.tcp, 0x55000001, 3000); /* a stale owner changes nothing */
    lab_settle(&l);
    lab_quiet(&l);
    uint32_t idx = tcp_index(&l.tcp, t);
    tcp_sent(&l.tcp, idx | pool_gen(&l.tcp.tcbs, idx) << TCP_OWNER_SHIFT, 2000);
    lab_settle(&l);
    lab_out_data(&l, 3001, 5001, 1000);
    lab_quiet(&l);
    end(&l, t);
}

static void no_blocks(struct weir_conf *c)
{
    c->n_blk_small = 16;
    c->n_blk_big = 8;
}

/* If this failed running out of memory would end the program, or a writer would wait for ever. */
static void blocks_run_out(void **state)
{
    struct lab l;
    static struct blk *hold[64];
    unsigned n = 0;
    uint32_t edges;
    (void)state;
    lab_open(&l, no_blocks);
    struct tcb *t = lab_client(&l, "mss 1000", 60000);
    while ((hold[n] = blk_new(&l.net.env.mem, BLK_SMALL)) != NULL)
        n++;
    while (tcp_ready_pop(&l.tcp, &edges) != NULL)
        ;
    assert_int_equal(tcp_send(&l.tcp, t, "x", 1, 0), -EAGAIN);
    while (n > 0)
        blk_unref(hold[--n]);
    lab_wait(&l, 11 * W_MS);
    assert_ptr_equal(tcp_ready_pop(&l.tcp, &edges), t);
    assert_true((edges & TCP_EV_OUT) != 0);
    lab_write(&l, t, 100);
    lab_out(&l, "P. 1:101(100) ack 1");
    end(&l, t);
}

/* If this failed an idle connection would cost more than a kilobyte. */
static void idle_connection_is_small(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    lab_write(&l, t, 100);
    lab_skip(&l);
    lab_in(&l, "P. 1:11(10) ack 101 win 5000");
    (void)lab_read(&l, t);
    lab_skip(&l);
    assert_int_equal(l.net.env.mem.pkts.in_use, 0);
    assert_int_equal(l.net.env.mem.small_blks.in_use + l.net.env.mem.big_blks.in_use, 0);
    assert_int_equal(l.tcp.sents.in_use, 0);
    assert_true(sizeof(struct tcb) + sizeof(struct tcp_path) + sizeof(struct tcp_loss) + 64 +
                    2 * (2 + 4) + 8 <=
                1024);
    end(&l, t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_500_segments),
        cmocka_unit_test(acks_are_cumulative),
        cmocka_unit_test(sack_blocks_say_what_is_there),
        cmocka_unit_test(every_segment_ahead_is_told),
        cmocka_unit_test(overlaps_in_every_way),
        cmocka_unit_test(delayed_acks),
        cmocka_unit_test(a_burst_has_one_ack),
        cmocka_unit_test(nagle),
        cmocka_unit_test(cork),
        cmocka_unit_test(closed_window_is_probed),
        cmocka_unit_test(shrunk_window),
        cmocka_unit_test(sender_avoids_silly_windows),
        cmocka_unit_test(receiver_closes_and_opens_its_window),
        cmocka_unit_test(small_segments_are_copied_together),
        cmocka_unit_test(writing_in_place),
        cmocka_unit_test(send_buffer_pushes_back),
        cmocka_unit_test(room_that_grew_is_told),
        cmocka_unit_test(urgent_data),
        cmocka_unit_test(keepalive),
        cmocka_unit_test(local_refusal_is_no_loss),
        cmocka_unit_test(bytes_below_are_limited),
        cmocka_unit_test(blocks_run_out),
        cmocka_unit_test(idle_connection_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
