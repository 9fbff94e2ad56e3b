/* SPDX-License-Identifier: Apache-2.0
 *
 * The state machine of RFC 9293 in dialogues: opening, closing, resets, and the answers to what
 * does not belong.
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

static void end_server(struct lab *l, struct tcb *t, struct tcb *lsn)
{
    tcp_close(&l->tcp, lsn);
    end(l, t);
}

/* If this failed nobody could connect to us, or the numbers of our SYN-ACK would be nonsense.
 * [RFC 9293 3.5 figure 6, 3.7.1 MUST-14; RFC 7323 2.3 MUST-6] */
static void passive_open(void **state)
{
    struct lab l;
    struct tcb *lsn;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_server(&l, "mss 1000,sackOK,TS val 1 ecr 0,wscale 7", 1000, &lsn);
    assert_int_equal(tcp_state(t), TCPS_ESTABLISHED);
    assert_int_equal(t->snd.mss, 988);
    assert_int_equal(t->snd.wscale, 7);
    assert_int_equal(t->snd.wnd, 1000 << 7);
    assert_int_equal(t->cc.cwnd, 10 * 988);
    assert_true((tcp_poll(&l.tcp, t) & (TCP_EV_OUT | TCP_EV_IN)) == TCP_EV_OUT);
    end_server(&l, t, lsn);
}

/* If this failed our SYN would offer less than a program expects of a modern stack. */
static void active_open(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    l.flow.lport = 4000;
    l.flow.rport = 80;
    struct tcb *t = tcp_new(&l.tcp, 7);
    assert_int_equal(tcp_connect(&l.tcp, t, &l.flow), 0);
    assert_int_equal(tcp_connect(&l.tcp, t, &l.flow), -EALREADY);
    lab_settle(&l);
    lab_out(&l, "S 0:0(0) win 64240 <mss 1460,sackOK,TS ecr 0,wscale 7>");
    lab_in(&l, "S. 0:0(0) ack 1 win 5000 <mss 1460,sackOK,TS val 9 ecr last,wscale 3>");
    lab_out(&l, ". 1:1(0) ack 1 <TS ecr 9>");
    assert_int_equal(tcp_state(t), TCPS_ESTABLISHED);
    uint32_t edges;
    assert_ptr_equal(tcp_ready_pop(&l.tcp, &edges), t);
    assert_true((edges & TCP_EV_CONNECTED) != 0);
    assert_int_equal(tcp_sock(t), 7);
    end(&l, t);
}

/* If this failed an option the peer did not confirm would be used against it. [RFC 7323 2.2
 * MUST-1, 2.3 MUST-5, 3.2 MUST-16; RFC 2018 4 MAY-1] */
static void options_need_both(void **state)
{
    struct lab l;
    struct tcb *lsn;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_server(&l, "mss 1000", 1000, &lsn);
    assert_int_equal(t->flags & (TF_TS | TF_SACK | TF_WSCALE), 0);
    assert_int_equal(t->snd.mss, 1000);
    assert_int_equal(t->rcv.wscale, 0);
    end_server(&l, t, lsn);
}

/* If this failed two programs that connect to each other at once would hang.
 * [RFC 9293 3.5 MUST-10] */
static void simultaneous_open(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    l.flow.lport = 4000;
    l.flow.rport = 80;
    struct tcb *t = tcp_new(&l.tcp, 7);
    assert_int_equal(tcp_connect(&l.tcp, t, &l.flow), 0);
    lab_settle(&l);
    lab_out(&l, "S 0:0(0) <...>");
    lab_in(&l, "S 0:0(0) win 1000 <mss 1000>");
    lab_out(&l, "S. 0:0(0) ack 1");
    assert_int_equal(tcp_state(t), TCPS_SYN_RECEIVED);
    lab_in(&l, "S. 0:0(0) ack 1 win 1000");
    lab_in(&l, ". 1:1(0) ack 1 win 1000");
    assert_int_equal(tcp_state(t), TCPS_ESTABLISHED);
    end(&l, t);
}

/* If this failed a connection attempt would never end, or end before three minutes are over.
 * [RFC 9293 3.8.3 MUST-22, MUST-23] */
static void syn_is_repeated_then_given_up(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    l.flow.lport = 4000;
    l.flow.rport = 80;
    struct tcb *t = tcp_new(&l.tcp, 7);
    assert_int_equal(tcp_connect(&l.tcp, t, &l.flow), 0);
    lab_settle(&l);
    lab_out(&l, "S 0:0(0) <...>");
    w_ns wait = W_S;
    for (int i = 0; i < 7; i++) {
        lab_wait(&l, wait - W_MS);
        lab_quiet(&l);
        lab_wait(&l, W_MS);
        lab_out(&l, "S 0:0(0) <...>");
        wait *= 2;
    }
    lab_wait(&l, 180 * W_S - 127 * W_S);
    assert_int_equal(tcp_state(t), TCPS_SYN_SENT);
    lab_wait(&l, 120 * W_S); /* the longest timeout */
    lab_quiet(&l);
    assert_int_equal(tcp_state(t), TCPS_CLOSED);
    assert_int_equal(tcp_take_error(t), ETIMEDOUT);
    tcp_close(&l.tcp, t);
    lab_close(&l);
}

/* If this failed "connection refused" would be "connection timed out". [RFC 5961 3.2 MUST-4] */
static void refused(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    l.flow.lport = 4000;
    l.flow.rport = 80;
    struct tcb *t = tcp_new(&l.tcp, 7);
    assert_int_equal(tcp_connect(&l.tcp, t, &l.flow), 0);
    lab_settle(&l);
    lab_out(&l, "S 0:0(0) <...>");
    lab_in(&l, "R. 0:0(0) ack 77"); /* not of our SYN: no business of ours */
    assert_int_equal(tcp_state(t), TCPS_SYN_SENT);
    lab_in(&l, "R 0:0(0)");
    assert_int_equal(tcp_state(t), TCPS_SYN_SENT);
    lab_in(&l, "R. 0:0(0) ack 1");
    assert_int_equal(tcp_take_error(t), ECONNREFUSED);
    assert_int_equal(tcp_state(t), TCPS_CLOSED);
    tcp_close(&l.tcp, t);
    lab_close(&l);
}

/* If this failed a port nobody listens on would be silent, or a reset would answer a reset.
 * [RFC 9293 3.10.7.1] */
static void closed_port(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    l.flow.lport = 9;
    l.flow.rport = 4000;
    lab_in(&l, "S 5:5(0) win 100");
    lab_out(&l, "R. *(0) ack 6");
    lab_in(&l, "P. 5:15(10) ack 77 win 100");
    l.iss = 0;
    lab_out(&l, "R 77:77(0)");
    lab_in(&l, "R 5:5(0)");
    lab_in(&l, "R. 5:5(0) ack 3");
    lab_quiet(&l);
    lab_close(&l);
}

/* If this failed stray segments could open connections. [RFC 9293 3.10.7.2] */
static void listen_answers(void **state)
{
    struct lab l;
    struct addr any = addr_ip4(0);
    (void)state;
    lab_open(&l, NULL);
    l.flow.lport = 80;
    l.flow.rport = 4000;
    struct tcb *lsn = tcp_new(&l.tcp, 1);
    assert_int_equal(tcp_listen(&l.tcp, lsn, &any, 80, 1), 0);
    lab_in(&l, "R 0:0(0)");
    lab_quiet(&l);
    lab_in(&l, ". 0:0(0) ack 500 win 10");
    lab_out(&l, "R 500:500(0)");
    lab_in(&l, "F 0:0(0) win 10");
    lab_quiet(&l);
    assert_int_equal(l.tcp.syns.in_use, 0);
    tcp_close(&l.tcp, lsn);
    lab_close(&l);
}

/* The source address of the packet that left first. */
static uint32_t src_of_next(const struct lab *l)
{
    uint8_t h[WIRE_IP4_HLEN];
    assert_true(l->n_out > 0);
    assert_int_equal(pkt_copy_out(l->out[0], 0, h, sizeof h), sizeof h);
    return w_be32(h + 12);
}

/* A lab whose host is 10.0.0.1 and 10.0.0.5. */
static void two_addresses(struct lab *l)
{
    const struct addr second = addr_ip4(LAB_LOCAL + 4);
    lab_open(l, NULL);
    assert_int_equal(ip_addr_add(&l->ip, l->net.nif, &second, IP4_PLEN(24), false), 0);
}

/* If this failed a host with two addresses would answer from the wrong one.
 * [RFC 9293 3.9.1.1 MUST-45] */
static void local_address_stays(void **state)
{
    struct lab l;
    struct tcb *lsn;
    (void)state;
    two_addresses(&l);
    l.flow.local = addr_ip4(LAB_LOCAL + 4);
    struct tcb *t = lab_server(&l, "mss 1000", 5000, &lsn);
    lab_write(&l, t, 1000);
    assert_int_equal(src_of_next(&l), LAB_LOCAL + 4);
    lab_skip(&l);
    lab_wait(&l, 2 * W_S);
    assert_int_equal(src_of_next(&l), LAB_LOCAL + 4); /* repeated */
    lab_skip(&l);
    lab_in(&l, "S 7:7(0) win 5000"); /* challenged */
    assert_int_equal(src_of_next(&l), LAB_LOCAL + 4);
    end_server(&l, t, lsn);
}

/* If this failed a program could not choose the address it connects from, or would have to.
 * [RFC 9293 3.9.1.1 MUST-43, MUST-44] */
static void local_address_is_chosen(void **state)
{
    static const uint32_t want[2] = {LAB_LOCAL + 4, LAB_LOCAL};
    struct lab l;
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        two_addresses(&l);
        struct flow f = {.local = addr_ip4(i == 0 ? LAB_LOCAL + 4 : 0),
                         .remote = addr_ip4(LAB_REMOTE),
                         .lport = 4000,
                         .rport = 80};
        struct tcb *t = tcp_new(&l.tcp, 4);
        assert_int_equal(tcp_connect(&l.tcp, t, &f), 0);
        lab_settle(&l);
        assert_int_equal(src_of_next(&l), want[i]);
        assert_int_equal(addr_to_ip4(&tcp_flow(t)->local), want[i]);
        end(&l, t);
    }
}

/* If this failed one SYN to a broadcast address would have every host of a network answer.
 * [RFC 9293 3.9.2.3 MUST-57, MUST-63; 3.9.1.1 MUST-46] */
static void only_hosts_are_spoken_to(void **state)
{
    static const struct {
        uint32_t local, remote;
    } rows[] = {{0xffffffff, LAB_REMOTE}, {0x0a0000ff, LAB_REMOTE}, {0xe0000001, LAB_REMOTE},
                {LAB_LOCAL, 0xffffffff},  {LAB_LOCAL, 0x0a0000ff},  {LAB_LOCAL, 0xe0000001}};
    const struct addr any = addr_ip4(0);
    struct lab l;
    (void)state;
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        lab_open(&l, NULL);
        struct tcb *lsn = tcp_new(&l.tcp, 2);
        assert_int_equal(tcp_listen(&l.tcp, lsn, &any, 8080, 5), 0);
        l.flow.lport = 8080;
        l.flow.rport = 3000;
        l.flow.local = addr_ip4(rows[i].local);
        l.flow.remote = addr_ip4(rows[i].remote);
        lab_in(&l, "S 0:0(0) win 5000 <mss 1000>");
        lab_in(&l, ". 0:0(0) ack 1 win 5000"); /* nor is anything else answered */
        lab_quiet(&l);
        tcp_close(&l.tcp, lsn);
        struct tcb *t = tcp_new(&l.tcp, 3);
        struct flow f = {.local = addr_ip4(LAB_LOCAL),
                         .remote = addr_ip4(rows[i < 3 ? i : i - 3].local),
                         .lport = 4000,
                         .rport = 80};
        assert_true(tcp_connect(&l.tcp, t, &f) < 0);
        lab_settle(&l);
        lab_quiet(&l);
        tcp_close(&l.tcp, t);
        lab_close(&l);
    }
}

/* If this failed a lost SYN-ACK would be a lost connection. [RFC 6298 5.5] */
static void syn_ack_is_repeated(void **state)
{
    struct lab l;
    struct addr any = addr_ip4(0);
    (void)state;
    lab_open(&l, NULL);
    l.flow.lport = 80;
    l.flow.rport = 4000;
    struct tcb *lsn = tcp_new(&l.tcp, 1);
    assert_int_equal(tcp_listen(&l.tcp, lsn, &any, 80, 1), 0);
    lab_in(&l, "S 0:0(0) win 1000 <mss 1000>");
    lab_out(&l, "S. 0:0(0) ack 1 <mss 1460>");
    w_ns wait = W_S;
    for (int i = 0; i < 5; i++) {
        lab_wait(&l, wait - W_MS);
        lab_quiet(&l);
        lab_wait(&l, W_MS);
        lab_out(&l, "S. 0:0(0) ack 1 <mss 1460>");
        wait *= 2;
    }
    lab_wait(&l, wait);
    lab_quiet(&l);
    assert_int_equal(l.tcp.syns.in_use, 0);
    tcp_close(&l.tcp, lsn);
    lab_close(&l);
}

/* If this failed half-open connections could be torn down or completed by guessing.
 * [RFC 9293 3.5 MUST-11, RFC 5961 3.2 MUST-1, MUST-2, MUST-3, 4.2 MUST-5] */
static void half_open_answers(void **state)
{
    struct lab l;
    struct addr any = addr_ip4(0);
    (void)state;
    lab_open(&l, NULL);
    l.flow.lport = 80;
    l.flow.rport = 4000;
    struct tcb *lsn = tcp_new(&l.tcp, 1);
    assert_int_equal(tcp_listen(&l.tcp, lsn, &any, 80, 1), 0);
    lab_in(&l, "S 0:0(0) win 1000 <mss 1000>");
    lab_out(&l, "S. 0:0(0) ack 1 <mss 1460>");
    lab_in(&l, ". 1:1(0) ack 2 win 1000"); /* of what was never sent */
    lab_out(&l, "R 2:2(0)");
    lab_in(&l, "R 7:7(0)"); /* inside the window, not exact: [RFC 5961 3.2] */
    lab_out(&l, ". 1:1(0) ack 1");
    assert_int_equal(l.tcp.syns.in_use, 1);
    lab_in(&l, "R 1:1(0)");
    assert_int_equal(l.tcp.syns.in_use, 0);
    lab_quiet(&l);
    tcp_close(&l.tcp, lsn);
    lab_close(&l);
}

/* If this failed a connection would not end in good order from our side.
 * [RFC 9293 3.6 figure 12, 3.6.1 MUST-13] */
static void active_close(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    tcp_close(&l.tcp, t);
    lab_settle(&l);
    lab_out(&l, "F. 1:1(0) ack 1");
    assert_int_equal(tcp_state(t), TCPS_FIN_WAIT_1);
    lab_in(&l, ". 1:1(0) ack 2 win 5000");
    assert_int_equal(tcp_state(t), TCPS_FIN_WAIT_2);
    lab_in(&l, "F. 1:1(0) ack 2 win 5000");
    lab_out(&l, ". 2:2(0) ack 2");
    assert_int_equal(l.tcp.tcbs.in_use, 0);
    assert_int_equal(l.tcp.tws.in_use, 1);
    lab_in(&l, "F. 1:1(0) ack 2 win 5000"); /* our ACK was lost */
    lab_out(&l, ". 2:2(0) ack 2");
    lab_wait(&l, 59 * W_S);
    assert_int_equal(l.tcp.tws.in_use, 1);
    lab_wait(&l, 2 * W_S);
    assert_int_equal(l.tcp.tws.in_use, 0);
    lab_close(&l);
}

/* If this failed a server would hold connections its clients have closed. */
static void passive_close(void **state)
{
    struct lab l;
    struct tcb *lsn;
    char c;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_server(&l, "mss 1000", 5000, &lsn);
    lab_in(&l, "FP. 1:11(10) ack 1 win 5000");
    lab_out(&l, ". 1:1(0) ack 12");
    assert_int_equal(tcp_state(t), TCPS_CLOSE_WAIT);
    assert_int_equal(lab_read(&l, t), 10);
    assert_int_equal(tcp_recv(&l.tcp, t, &c, 1, 0), 0);
    lab_write(&l, t, 5); /* half-closed: our direction lives [RFC 9293 3.6 MAY-1] */
    lab_out(&l, "P. 1:6(5) ack 12");
    tcp_close(&l.tcp, t);
    lab_settle(&l);
    lab_out(&l, "F. 6:6(0) ack 12");
    assert_int_equal(tcp_state(t), TCPS_LAST_ACK);
    lab_in(&l, ". 12:12(0) ack 7 win 5000");
    tcp_close(&l.tcp, lsn);
    lab_close(&l);
}

/* If this failed two ends closing at once would never be done. [RFC 9293 3.6 figure 13] */
static void simultaneous_close(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    tcp_close(&l.tcp, t);
    lab_settle(&l);
    lab_out(&l, "F. 1:1(0) ack 1");
    lab_in(&l, "F. 1:1(0) ack 1 win 5000");
    lab_out(&l, ". 2:2(0) ack 2");
    assert_int_equal(tcp_state(t), TCPS_CLOSING);
    lab_in(&l, ". 2:2(0) ack 2 win 5000");
    assert_int_equal(l.tcp.tws.in_use, 1);
    lab_wait(&l, 61 * W_S);
    lab_close(&l);
}

/* If this failed an orphan in FIN-WAIT-2 would stay for ever. */
static void fin_wait_2_ends(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    tcp_close(&l.tcp, t);
    lab_settle(&l);
    lab_out(&l, "F. 1:1(0) ack 1");
    lab_in(&l, ". 1:1(0) ack 2 win 5000");
    lab_wait(&l, 61 * W_S);
    assert_int_equal(l.tcp.tcbs.in_use, 0);
    lab_quiet(&l);
    lab_close(&l);
}

/* If this failed data that nobody will ever read would be swallowed in silence.
 * [RFC 9293 3.6.1 SHLD-3, RFC 2525 2.17] */
static void close_with_unread_data_resets(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    lab_in(&l, "P. 1:11(10) ack 1 win 5000");
    lab_skip(&l);
    tcp_close(&l.tcp, t);
    lab_settle(&l);
    lab_out(&l, "R. 1:1(0) ack 11");
    lab_close(&l);

    lab_open(&l, NULL);
    t = lab_client(&l, "mss 1000", 5000);
    tcp_close(&l.tcp, t);
    lab_settle(&l);
    lab_out(&l, "F. 1:1(0) ack 1");
    lab_in(&l, "P. 1:11(10) ack 2 win 5000"); /* after close */
    lab_out(&l, "R 2:2(0)");
    lab_close(&l);
}

/* If this failed SO_LINGER 0 would not reset. */
static void linger_zero_resets(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_LINGER_S, 0), 0);
    lab_write(&l, t, 10);
    lab_skip(&l);
    tcp_close(&l.tcp, t);
    lab_settle(&l);
    lab_out(&l, "R. 11:11(0) ack 1");
    lab_close(&l);
}

/* If this failed anybody could reset our connections by guessing roughly.
 * [RFC 5961 3.2 SHLD-1, MUST-1, MUST-2, MUST-3] */
static void rst_must_be_exact(void **state)
{
    struct lab l;
    char c;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    lab_in(&l, "R 2:2(0)");
    lab_out(&l, ". 1:1(0) ack 1");
    lab_in(&l, "R 3:3(0)"); /* within tcp_invalid_ratelimit_ms: no second answer */
    lab_in(&l, "R 90000:90000(0)");
    lab_quiet(&l);
    assert_int_equal(tcp_state(t), TCPS_ESTABLISHED);
    lab_in(&l, "R 1:1(0)");
    assert_int_equal(tcp_state(t), TCPS_CLOSED);
    assert_true((tcp_poll(&l.tcp, t) & TCP_EV_ERR) != 0);
    assert_int_equal(tcp_recv(&l.tcp, t, &c, 1, 0), -ECONNRESET);
    assert_int_equal(tcp_recv(&l.tcp, t, &c, 1, 0), 0);
    assert_int_equal(tcp_send(&l.tcp, t, &c, 1, 0), -EPIPE);
    tcp_close(&l.tcp, t);
    lab_close(&l);
}

/* If this failed a forged SYN would end a connection. [RFC 5961 4.2 SHLD-2, MUST-5] */
static void syn_is_challenged(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    lab_in(&l, "S 50:50(0) win 100");
    lab_out(&l, ". 1:1(0) ack 1");
    lab_wait(&l, W_S);
    lab_in(&l, "S 900000:900000(0) win 100");
    lab_out(&l, ". 1:1(0) ack 1");
    assert_int_equal(tcp_state(t), TCPS_ESTABLISHED);
    end(&l, t);
}

/* If this failed forged ACKs could inject data or move our window. [RFC 5961 5.2 MUST-7] */
static void ack_must_be_in_range(void **state)
{
    struct lab l;
    char c;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 5000);
    lab_in(&l, "P. 1:11(10) ack 2 win 5000"); /* never sent */
    lab_out(&l, ". 1:1(0) ack 1");
    assert_int_equal(tcp_recv(&l.tcp, t, &c, 1, 0), -EAGAIN);
    lab_wait(&l, W_S);
    lab_in(&l, "P. 1:11(10) ack 4294900000 win 5000"); /* older than the window */
    lab_out(&l, ". 1:1(0) ack 1");
    assert_int_equal(tcp_recv(&l.tcp, t, &c, 1, 0), -EAGAIN);
    lab_in(&l, " 1:11(10) win 5000"); /* no ACK bit */
    assert_int_equal(tcp_recv(&l.tcp, t, &c, 1, 0), -EAGAIN);
    lab_quiet(&l);
    end(&l, t);
}

/* If this failed old duplicates would be taken for new data. [RFC 7323 5.3 MUST-21, MUST-22, 5.2
 * MUST-19] */
static void paws(void **state)
{
    struct lab l;
    char c;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000,TS val 1000 ecr last", 5000);
    lab_in(&l, "P. 1:11(10) ack 1 win 5000 <TS val 999 ecr last>");
    lab_out(&l, ". 1:1(0) ack 1 <TS ecr 1000>");
    assert_int_equal(tcp_recv(&l.tcp, t, &c, 1, 0), -EAGAIN);
    assert_int_equal(l.net.env.stats[STAT_PAWSEstab], 1);
    lab_in(&l, "P. 1:11(10) ack 1 win 5000 <TS val 1001 ecr last>");
    lab_out(&l, ". 1:1(0) ack 11 <TS ecr 1001>");
    assert_int_equal(lab_read(&l, t), 10);
    end(&l, t);
}

/* If this failed an old connection's last segments could hurt a new one, or a client could not
 * come back for a minute. [RFC 9293 3.6.1 MAY-2, RFC 1337] */
static void time_wait_answers(void **state)
{
    struct lab l;
    struct tcb *lsn;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_server(&l, "mss 1000", 5000, &lsn);
    tcp_close(&l.tcp, t);
    lab_settle(&l);
    lab_out(&l, "F. 1:1(0) ack 1");
    lab_in(&l, "F. 1:1(0) ack 2 win 5000");
    lab_out(&l, ". 2:2(0) ack 2");
    lab_in(&l, ". 900:1000(100) ack 2 win 5000");
    lab_out(&l, ". 2:2(0) ack 2");
    lab_in(&l, "R 900:900(0)"); /* not exact */
    assert_int_equal(l.tcp.tws.in_use, 1);
    lab_in(&l, "S 1:1(0) win 5000 <mss 1000>"); /* not beyond */
    lab_out(&l, ". 2:2(0) ack 2");
    lab_in(&l, "S 100000:100000(0) win 5000 <mss 1000>");
    lab_out(&l, "S. *(0) ack 100001 <mss 1460>");
    assert_int_equal(l.tcp.tws.in_use, 0);
    tcp_close(&l.tcp, lsn);
    lab_skip(&l);
    lab_close(&l);
}

/* If this failed accept could be flooded. */
static void accept_queue_is_bounded(void **state)
{
    struct lab l;
    struct addr any = addr_ip4(0);
    (void)state;
    lab_open(&l, NULL);
    l.flow.lport = 80;
    struct tcb *lsn = tcp_new(&l.tcp, 1);
    assert_int_equal(tcp_listen(&l.tcp, lsn, &any, 80, 1), 0);
    for (uint16_t i = 0; i < 5; i++) {
        l.flow.rport = (uint16_t)(4000 + i);
        l.has_iss = false;
        lab_in(&l, "S 0:0(0) win 1000 <mss 1000>");
        if (i >= 2)
            continue;
        lab_out(&l, "S. 0:0(0) ack 1 <mss 1460>");
        lab_in(&l, ". 1:1(0) ack 1 win 1000");
    }
    lab_quiet(&l);
    assert_int_equal(lsn->lsn.n_accept, 2);
    assert_true(l.net.env.stats[STAT_ListenOverflows] >= 3);
    tcp_close(&l.tcp, lsn);
    lab_settle(&l);
    l.iss = 0;
    lab_out(&l, "R. *(0) ack 1");
    lab_out(&l, "R. *(0) ack 1");
    lab_close(&l);
}

static void few(struct weir_conf *c)
{
    c->n_tcb = 2;
    c->n_sent = 16;
}

/* If this failed an empty pool would end the program or leak. */
static void pools_run_empty(void **state)
{
    struct lab l;
    struct tcb *lsn;
    (void)state;
    lab_open(&l, few);
    struct tcb *t = lab_server(&l, "mss 1000", 5000, &lsn);
    assert_null(tcp_new(&l.tcp, 9));
    l.flow.rport = 4001;
    l.has_iss = false;
    lab_in(&l, "S 0:0(0) win 1000 <mss 1000>");
    lab_out(&l, "S. 0:0(0) ack 1 <mss 1460>");
    lab_in(&l, ". 1:1(0) ack 1 win 1000"); /* no tcb: dropped, the record stays */
    assert_int_equal(l.net.env.drops[DROP_TCP_NO_TCB], 1);
    assert_int_equal(l.tcp.syns.in_use, 1);
    tcp_abort(&l.tcp, t, 0);
    tcp_close(&l.tcp, t);
    lab_in(&l, ". 1:1(0) ack 1 win 1000"); /* again: now there is room */
    t = tcp_accept(&l.tcp, lsn);
    assert_non_null(t);
    end_server(&l, t, lsn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passive_open),
        cmocka_unit_test(active_open),
        cmocka_unit_test(options_need_both),
        cmocka_unit_test(simultaneous_open),
        cmocka_unit_test(syn_is_repeated_then_given_up),
        cmocka_unit_test(refused),
        cmocka_unit_test(closed_port),
        cmocka_unit_test(listen_answers),
        cmocka_unit_test(local_address_stays),
        cmocka_unit_test(local_address_is_chosen),
        cmocka_unit_test(only_hosts_are_spoken_to),
        cmocka_unit_test(syn_ack_is_repeated),
        cmocka_unit_test(half_open_answers),
        cmocka_unit_test(active_close),
        cmocka_unit_test(passive_close),
        cmocka_unit_test(simultaneous_close),
        cmocka_unit_test(fin_wait_2_ends),
        cmocka_unit_test(close_with_unread_data_resets),
        cmocka_unit_test(linger_zero_resets),
        cmocka_unit_test(rst_must_be_exact),
        cmocka_unit_test(syn_is_challenged),
        cmocka_unit_test(ack_must_be_in_range),
        cmocka_unit_test(paws),
        cmocka_unit_test(time_wait_answers),
        cmocka_unit_test(accept_queue_is_bounded),
        cmocka_unit_test(pools_run_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
