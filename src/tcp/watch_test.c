/* SPDX-License-Identifier: Apache-2.0
 *
 * What a connection remembers of its writes for those who ask: bounded, in order, given back.
 * How it looks to programs is in tests/drill/scripts/told.
 */
#include <errno.h>

#include "tcp/lab_test.h"

static void end(struct lab *l, struct tcb *t)
{
    tcp_abort(&l->tcp, t, 0);
    tcp_close(&l->tcp, t);
    lab_skip(l);
    assert_int_equal(l->tcp.watches.in_use, 0);
    lab_close(l);
}

static int64_t send_byte(struct lab *l, struct tcb *t, unsigned flags)
{
    int64_t r = tcp_send(&l->tcp, t, "x", 1, flags);
    lab_settle(l);
    return r;
}

/* If this failed, a program that sends zero-copy into a window that stays closed would take memory
 * without end, or be told of sends that it never made. */
static void zerocopy_is_bounded(void **state)
{
    struct lab l;
    struct note n;
    uint32_t full;
    char ack[64];
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 60000);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_ZEROCOPY, 1), 0);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_NODELAY, 1), 0);
    for (unsigned i = 0; i < TCP_MARKS; i++)
        assert_int_equal(send_byte(&l, t, TCP_MSG_ZEROCOPY), 1);
    assert_int_equal(send_byte(&l, t, TCP_MSG_ZEROCOPY), -ENOBUFS);
    assert_int_equal(send_byte(&l, t, 0), 1);
    /* A stamp or a record's end is only lost. */
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_STAMPS, TCP_STAMP_ACK), 0);
    uint64_t lost = l.net.env.stats[STAT_ErrQueueDrops];
    assert_int_equal(send_byte(&l, t, TCP_MSG_EOR), 1);
    assert_int_equal(l.net.env.stats[STAT_ErrQueueDrops], lost + 1);
    lab_skip(&l);
    snprintf(ack, sizeof ack, ". 1:1(0) ack %u win 60000", TCP_MARKS + 3);
    lab_in(&l, ack);
    assert_true(tcp_take_note(&l.tcp, t, &n, NULL, 0, &full));
    assert_int_equal(n.origin, NOTE_ZEROCOPY);
    assert_int_equal(n.info, 0);
    assert_int_equal(n.data, TCP_MARKS - 1);
    assert_false(tcp_take_note(&l.tcp, t, &n, NULL, 0, &full));
    assert_int_equal(send_byte(&l, t, TCP_MSG_ZEROCOPY), 1);
    end(&l, t);
}

/* If this failed, stamps of a queue that nobody reads would eat the stack's packets: a note is lost
 * when the receive buffer is full. */
static void notes_are_bounded(void **state)
{
    struct lab l;
    struct note n;
    uint32_t full, taken = 0;
    char ack[64];
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 60000);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_RCVBUF, 4096), 0);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_STAMPS, TCP_STAMP_ANY | TCP_STAMP_ID), 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(send_byte(&l, t, 0), 1);
        snprintf(ack, sizeof ack, ". 1:1(0) ack %u win 60000", i + 2);
        lab_in(&l, ack);
        lab_skip(&l);
    }
    assert_true(tcp_watch_of(&l.tcp, t)->errq.bytes < 4096);
    assert_true(l.net.env.stats[STAT_ErrQueueDrops] > 0);
    while (tcp_take_note(&l.tcp, t, &n, NULL, 0, &full)) {
        assert_int_equal(n.data, taken / 3); /* SCHED, SND, ACK of the first ones, in order */
        assert_int_equal(full, 1);
        taken++;
    }
    assert_in_range(taken, 3, 30);
    assert_int_equal(tcp_watch_of(&l.tcp, t)->errq.bytes, 0);
    end(&l, t);
}

/* If this failed, a stamp would say that bytes left which still wait for the device. */
static void sent_is_when_the_device_took_it(void **state)
{
    struct lab l;
    struct note n;
    uint32_t full;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000", 60000);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_STAMPS, TCP_STAMP_SCHED | TCP_STAMP_SND), 0);
    l.no_credit = true;
    lab_write(&l, t, 2000);
    assert_true(tcp_take_note(&l.tcp, t, &n, NULL, 0, &full));
    assert_int_equal(n.info, NOTE_SCHED);
    tcp_sent(&l.tcp, tcb_owner(t), 1999);
    assert_false(tcp_take_note(&l.tcp, t, &n, NULL, 0, &full));
    lab_wait(&l, 3 * W_MS);
    tcp_sent(&l.tcp, tcb_owner(t), 1);
    assert_true(tcp_take_note(&l.tcp, t, &n, NULL, 0, &full));
    assert_int_equal(n.info, NOTE_SND);
    assert_int_equal(n.when, l.net.env.now);
    end(&l, t);
}

static void few_tcbs(struct weir_conf *c) { c->n_tcb = 64; }

/* If this failed, programs that ask for stamps on every connection would get fewer than one in 32
 * in silence: those beyond are refused, and a closed one makes room. */
static void records_run_out(void **state)
{
    struct lab l;
    struct tcb *v[32];
    unsigned n = 0;
    (void)state;
    lab_open(&l, few_tcbs);
    for (;; n++) {
        v[n] = tcp_new(&l.tcp, 7);
        assert_non_null(v[n]);
        int r = tcp_opt_set(&l.tcp, v[n], TOPT_STAMPS, TCP_STAMP_ACK);
        if (r != 0) {
            assert_int_equal(r, -ENOBUFS);
            break;
        }
    }
    assert_int_equal(n, l.tcp.watches.cap);
    tcp_close(&l.tcp, v[--n]);
    assert_int_equal(tcp_opt_set(&l.tcp, v[n + 1], TOPT_RECVERR, 1), 0);
    v[n] = v[n + 1];
    for (unsigned i = 0; i <= n; i++)
        tcp_close(&l.tcp, v[i]);
    assert_int_equal(l.tcp.watches.in_use, 0);
    lab_close(&l);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(zerocopy_is_bounded),
    cmocka_unit_test(notes_are_bounded),
    cmocka_unit_test(sent_is_when_the_device_took_it),
    cmocka_unit_test(records_run_out),
};
UNIT_MAIN(tests)
