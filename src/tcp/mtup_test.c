/* SPDX-License-Identifier: Apache-2.0
 *
 * The search for the path MTU, where a packet script cannot look: without SACK, without memory,
 * without Don't Fragment, with the largest packets there are.
 */
#include "unit.h"

#include <errno.h>

#include "tcp/lab_test.h"

static void always(struct weir_conf *c)
{
    c->tcp_mtu_probing = 2;
    c->tcp_base_mss = 500;
    c->tcp_init_cwnd = 40;
}

static void always_but_one(struct weir_conf *c)
{
    always(c);
    c->n_mtup = 1;
}

static void end(struct lab *l, struct tcb *t)
{
    tcp_abort(&l->tcp, t, 0);
    tcp_close(&l->tcp, t);
    lab_skip(l);
    lab_close(l);
}

/* If this failed a probe would eat what little there is to send, and its loss would cost a timeout:
 * nothing follows it. [RFC 4821 7.4 MUST-8, MAY-1] */
static void little_data_is_no_probe(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, always);
    struct tcb *t = lab_client(&l, "mss 1460", 60000);
    assert_int_equal(t->snd.mss, 500);
    lab_write(&l, t, 2979); /* one less than a probe of 980 and four segments */
    lab_out_data(&l, 1, 2501, 500);
    lab_skip(&l);
    lab_in(&l, ". 1:1(0) ack 2980 win 60000");
    lab_write(&l, t, 2980);
    lab_out(&l, ". 2980:3960(980) ack 1");
    end(&l, t);
}

/* If this failed a probe lost on a connection without SACK would count as congestion, or only half
 * of it would go again. [RFC 4821 7.6.2 SHLD-7] */
static void lost_without_sack(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, always);
    struct tcb *t = lab_client(&l, "mss 1460", 60000);
    uint32_t cwnd = t->cc.cwnd;
    lab_write(&l, t, 5980);
    lab_out(&l, ". 1:981(980) ack 1");
    lab_out_data(&l, 981, 5981, 500);
    for (unsigned i = 0; i < 2; i++)
        lab_in(&l, ". 1:1(0) ack 1 win 60000");
    lab_quiet(&l);
    lab_in(&l, ". 1:1(0) ack 1 win 60000");
    lab_out_data(&l, 1, 981, 500);
    assert_true(t->cc.cwnd >= cwnd);
    assert_int_equal(l.net.env.stats[STAT_TCPMTUPFail], 1);
    lab_in(&l, ". 1:1(0) ack 5981 win 60000");
    assert_int_equal(t->ca_state, CA_OPEN);
    assert_int_equal(t->snd.mss, 500);
    end(&l, t);
}

/* If this failed a timeout would be forgiven because a probe was among what it took. */
static void timeout_is_a_timeout(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, always);
    struct tcb *t = lab_client(&l, "mss 1460", 60000);
    lab_write(&l, t, 5980);
    lab_skip(&l);
    lab_wait(&l, 1200 * W_MS);
    assert_int_equal(t->ca_state, CA_LOSS);
    assert_int_equal(t->rec.flags & LF_PROBE, 0);
    assert_true(t->cc.cwnd <= 1000);
    end(&l, t);
}

/* If this failed a stack with many connections in black holes would run out of something it needs.
 */
static void without_a_record_there_is_no_search(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, always_but_one);
    struct tcb *a = lab_client(&l, "mss 1460", 60000);
    assert_int_equal(a->snd.mss, 500);
    assert_int_equal(pool_free_count(&l.tcp.mtups), 0);
    struct tcb *b = tcp_tcb_new(&l.tcp);
    b->flow = a->flow;
    b->dst = a->dst;
    b->snd.peer_mss = 1460;
    b->state = TCPS_ESTABLISHED;
    tcp_mtup_begin(&l.tcp, b);
    assert_int_equal(b->rec.mtup, 0);
    /* What nobody searches with is free for the next. */
    tcp_abort(&l.tcp, a, 0);
    assert_int_equal(pool_free_count(&l.tcp.mtups), 1);
    tcp_mtup_begin(&l.tcp, b);
    assert_int_equal(b->snd.mss, 500);
    b->state = TCPS_CLOSED;
    tcp_tcb_free(&l.tcp, b);
    assert_int_equal(pool_free_count(&l.tcp.mtups), 1);
    tcp_close(&l.tcp, a);
    lab_skip(&l);
    lab_close(&l);
}

/* If this failed what arrives in fragments would be taken for the size of the path. */
static void what_may_be_cut_proves_nothing(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, always);
    struct tcb *t = lab_client(&l, "mss 1460", 60000);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_MAY_FRAG, 1), 0);
    lab_write(&l, t, 5980);
    lab_out_data(&l, 1, 5501, 500);
    end(&l, t);
}

static void forgets_soon(struct weir_conf *c) { c->ip_pmtu_expires_s = 1; }

/* If this failed one big segment would cause a storm of repetitions, and a path that grows another.
 * [RFC 1191 6.3 MUST-9, 6.4 MUST-10] */
static void what_changes_nothing_repeats_nothing(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, forgets_soon);
    struct tcb *t = lab_client(&l, "mss 1460", 60000);
    lab_write(&l, t, 2920);
    lab_out_data(&l, 1, 2921, 1460);
    struct icmp_err e = {.flow = l.flow, .error = EMSGSIZE, .mtu = 1000, .sent = 1500};
    e.seq = t->snd.una;
    tcp_error(&l.tcp, &e);
    lab_settle(&l);
    lab_out_data(&l, 1, 2921, 960);
    e.seq = t->snd.una + 1460; /* about the second of the first two */
    tcp_error(&l.tcp, &e);
    lab_settle(&l);
    lab_quiet(&l);
    lab_in(&l, ". 1:1(0) ack 2921 win 60000");
    lab_wait(&l, 900 * W_MS);
    lab_write(&l, t, 960);
    lab_out(&l, "P. 2921:3881(960) ack 1");
    lab_wait(&l, 150 * W_MS);
    t->dst.gen = 0; /* forgotten meanwhile, says ip/'s timer, which the lab has not */
    tcp_out_mark(&l.tcp, t);
    lab_settle(&l);
    lab_quiet(&l);
    lab_in(&l, ". 1:1(0) ack 3881 win 60000");
    lab_write(&l, t, 1460);
    lab_out(&l, "P. 3881:5341(1460) ack 1");
    end(&l, t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_data_is_no_probe),
        cmocka_unit_test(lost_without_sack),
        cmocka_unit_test(timeout_is_a_timeout),
        cmocka_unit_test(without_a_record_there_is_no_search),
        cmocka_unit_test(what_may_be_cut_proves_nothing),
        cmocka_unit_test(what_changes_nothing_repeats_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
