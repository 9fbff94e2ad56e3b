/* SPDX-License-Identifier: Apache-2.0
 *
 * RACK, probes, PRR, undo and shared metrics where packet scripts do not reach: bounds, arithmetic,
 * memory that runs out. The mechanisms themselves: tests/drill/scripts/{rack,tlp,prr,undo,frto}.
 */
#include "tcp/lab_test.h"

static void end(struct lab *l, struct tcb *t)
{
    tcp_abort(&l->tcp, t, 0);
    tcp_close(&l->tcp, t);
    lab_skip(l);
    lab_close(l);
}

/* A connection with SRTT and minimum of 100 ms. */
static struct tcb *client(struct lab *l, const char *opts)
{
    struct tcb *t = lab_client(l, opts, 60000);
    t->rtt.srtt8_us = 800000;
    t->rtt.rttvar4_us = 100000;
    t->rtt.min_us = 100000;
    t->rtt.rto_us = 300000;
    return t;
}

/* If this failed a connection would be larger than promised, or its losses would cost a line more.
 */
static void losses_stand_beside_the_tcb(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *a = tcp_new(&l.tcp, 1), *b = tcp_new(&l.tcp, 2);
    assert_true(sizeof(struct tcb) <= 768);
    assert_true(tcp_loss(&l.tcp, a) != tcp_loss(&l.tcp, b));
    assert_int_equal((uintptr_t)tcp_loss(&l.tcp, a) % WEIR_CACHELINE, 0);
    tcp_loss(&l.tcp, a)->prr_out = 7;
    tcp_close(&l.tcp, a);
    struct tcb *c = tcp_new(&l.tcp, 3); /* the same place */
    assert_int_equal(tcp_loss(&l.tcp, c)->prr_out, 0);
    tcp_close(&l.tcp, b);
    tcp_close(&l.tcp, c);
    lab_close(&l);
}

/* If this failed the probe would leave too early, or not before the timeout. [RFC 8985 7.2] */
static void probe_timeout_is_two_round_trips(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = client(&l, "mss 1000,sackOK");
    lab_write(&l, t, 2000);
    w_ns now = l.net.env.now;
    assert_int_equal(t->rec.timer, LT_PROBE);
    assert_int_equal(t->at[T_RTO] - now, 202 * W_MS);
    lab_skip(&l);
    lab_in(&l, ". 1:1(0) ack 2001 win 60000");
    t->rtt.srtt8_us = 800000;
    t->rtt.rto_us = 10000000;
    lab_write(&l, t, 1000); /* one segment: its ACK may be delayed by 200 ms */
    assert_int_equal(t->at[T_RTO] - l.net.env.now, 400 * W_MS);
    lab_skip(&l);
    lab_in(&l, ". 1:1(0) ack 3001 win 60000");
    t->rtt.srtt8_us = 800000;
    t->rtt.rto_us = 300000;
    lab_write(&l, t, 1000); /* never after the timeout */
    assert_int_equal(t->at[T_RTO] - l.net.env.now, 300 * W_MS);
    end(&l, t);
}

/* If this failed a peer without SACK would get probes that tell nothing. [RFC 8985 7.2] */
static void no_probe_without_sack(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = client(&l, "mss 1000");
    lab_write(&l, t, 2000);
    assert_int_equal(t->rec.timer, LT_RTO);
    assert_int_equal(t->at[T_RTO] - l.net.env.now, 300 * W_MS);
    end(&l, t);
}

/* If this failed a probe would be sent while the segment it repeats waits in our own queue, or a
 * second one before the first is answered. */
static void probe_is_held_back(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = client(&l, "mss 1000,sackOK");
    lab_write(&l, t, 2000);
    lab_out_data(&l, 1, 2001, 1000);
    t->snd.below = 1000;
    lab_wait(&l, 210 * W_MS);
    lab_quiet(&l);
    assert_int_equal(t->rec.timer, LT_RTO);
    t->snd.below = 0;
    lab_wait(&l, 90 * W_MS);
    lab_out(&l, ". 1:1001(1000) ack 1"); /* the timeout, 300 ms after the segment */
    assert_int_equal(l.net.env.stats[STAT_TCPLossProbes], 0);
    end(&l, t);
}

/* If this failed the reordering window would stay wide for ever, or not long enough.
 * [RFC 8985 6.2 step 4] */
static void wide_window_lasts_sixteen_recoveries(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = client(&l, "mss 1000,sackOK");
    struct tcp_loss *s = tcp_loss(&l.tcp, t);
    struct ack_work w = {.has_dsack = true};
    tcp_rack_ack(&l.tcp, t, &w);
    assert_int_equal(s->reo_more, 0); /* a path that keeps the order duplicates */
    t->rec.reord_seen = 1;
    tcp_rack_ack(&l.tcp, t, &w);
    assert_int_equal(s->reo_more, 1);
    lab_write(&l, t, 2000); /* snd.una == snd.nxt was the end of that round */
    tcp_rack_ack(&l.tcp, t, &w);
    tcp_rack_ack(&l.tcp, t, &w);
    assert_int_equal(s->reo_more, 2); /* once a round */
    for (int i = 0; i < 15; i++)
        tcp_rack_recovered(&l.tcp, t);
    assert_int_equal(s->reo_more, 2);
    tcp_rack_recovered(&l.tcp, t);
    assert_int_equal(s->reo_more, 0);
    end(&l, t);
}

static void little_reordering(struct weir_conf *c) { c->tcp_max_reordering = 6; }

/* If this failed a peer could make us believe in any amount of reordering: losses unnoticed. */
static void reordering_is_bounded(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, little_reordering);
    struct tcb *t = client(&l, "mss 1000,sackOK");
    struct ack_work w = {.has_reord = true, .reord_from = 1, .fack = 5001};
    tcp_rack_ack(&l.tcp, t, &w);
    assert_int_equal(t->rec.reordering, 5);
    w.fack = 100001;
    tcp_rack_ack(&l.tcp, t, &w);
    assert_int_equal(t->rec.reordering, 6);
    w.fack = 2001;
    tcp_rack_ack(&l.tcp, t, &w);
    assert_int_equal(t->rec.reordering, 6); /* it never shrinks by less */
    assert_int_equal(t->rec.reord_seen, 3);
    end(&l, t);
}

/* If this failed PRR would send more than it may: in any order of deliveries, losses and sending,
 * what was sent in recovery stays within what was delivered and the share of ssthresh, but for the
 * first segment, rounding, and slow start's segment per safe ACK. [RFC 9937 6] */
static void prr_bounds_what_is_sent(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = client(&l, "mss 1000,sackOK");
    struct tcp_loss *s = tcp_loss(&l.tcp, t);
    struct rng rng;
    rng_seed(&rng, 7);
    for (int run = 0; run < 200; run++) {
        struct ack_work w = {0};
        uint32_t flight = 1000 * (2 + rng_below(&rng, 200)), safe = 0, n = 0;
        t->snd.una = t->snd.nxt - flight;
        t->snd.sacked = t->snd.lost = t->snd.rtx = 0;
        t->cc.ssthresh = 2000 + rng_below(&rng, flight);
        tcp_prr_begin(&l.tcp, t, &w);
        assert_int_equal(s->prr_flight, flight);
        while (t->snd.sacked + t->snd.lost < flight && n++ < 500) {
            uint32_t most = (flight - t->snd.sacked - t->snd.lost) / 1000;
            uint32_t got = 1000 * w_u32_min(1 + rng_below(&rng, 3), most);
            t->snd.sacked += got;
            if (rng_below(&rng, 5) == 0 && most * 1000 > got)
                t->snd.lost += 1000;
            bool is_safe = rng_below(&rng, 3) == 0;
            safe += is_safe ? 1000 : 0;
            tcp_prr_ack(&l.tcp, t, got, is_safe);
            uint32_t pipe = tcp_pipe(t);
            assert_true(t->cc.cwnd >= 1000);
            uint32_t room = t->cc.cwnd > pipe ? (t->cc.cwnd - pipe) / 1000 * 1000 : 0;
            tcp_prr_sent(&l.tcp, t, room);
            t->snd.rtx += w_u32_min(room, t->snd.lost - w_u32_min(t->snd.rtx, t->snd.lost));
            assert_true(s->prr_out <= s->prr_delivered + safe + 2000);
        }
    }
    t->snd.una = t->snd.nxt;
    t->snd.sacked = t->snd.lost = t->snd.rtx = 0;
    end(&l, t);
}

/* If this failed DSACKs of old repetitions would undo a reduction they have nothing to do with. */
static void only_dsacks_of_this_recovery_count(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = client(&l, "mss 1000,sackOK");
    t->cc.cwnd = 20000;
    tcp_undo_begin(&l.tcp, t);
    tcp_seq una = t->snd.una;
    assert_false(tcp_undo_by_dsack(&l.tcp, t)); /* nothing was repeated */
    tcp_undo_sent(&l.tcp, t, 1000);
    tcp_undo_sent(&l.tcp, t, 1000);
    tcp_undo_dsack(&l.tcp, t, una - 3000, una);
    assert_false(tcp_undo_by_dsack(&l.tcp, t));
    tcp_undo_dsack(&l.tcp, t, una - 1000, una + 1000); /* half of it is new */
    assert_int_equal(tcp_loss(&l.tcp, t)->undo_rtx, 1000);
    tcp_undo_dsack(&l.tcp, t, una + 1000, una + 9000);
    assert_true(tcp_undo_by_dsack(&l.tcp, t));
    t->cc.cwnd = t->cc.ssthresh = 5000;
    tcp_undo(&l.tcp, t);
    assert_int_equal(t->cc.cwnd, 20000);
    assert_int_equal(t->cc.ssthresh, CC_SSTHRESH_INF);
    assert_false(tcp_undo_by_dsack(&l.tcp, t)); /* once */
    end(&l, t);
}

/* If this failed D-SACKs would make losses wait for ever. [RFC 8985 3.3.2 MUST-1, SHLD-4] */
static void reordering_window_is_bounded(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = client(&l, "mss 1000,sackOK");
    lab_write(&l, t, 5000);
    lab_skip(&l);
    t->rec.reord_seen = 1;
    t->rtt.min_us = 100000;
    t->rtt.srtt8_us = 150000 << 3;
    tcp_loss(&l.tcp, t)->reo_more = UINT8_MAX;
    l.net.env.now += 100 * W_MS;
    lab_in(&l, ". 1:1(0) ack 1 win 60000 <sack 1001:5001>");
    assert_int_equal(t->rec.timer, LT_REO);
    assert_in_range(t->at[T_RTO] - l.net.env.now, 100 * W_MS, t->rtt.srtt8_us / 8 * W_US);
    end(&l, t);
}

static void few_records(struct weir_conf *c) { c->n_sent = 16; }

/* If this failed a connection whose scoreboard is full would hang or crash at the first loss. */
static void losses_without_records(void **state)
{
    struct lab l;
    char text[128];
    (void)state;
    lab_open(&l, few_records);
    struct tcb *t = client(&l, "mss 1000,sackOK");
    t->cc.cwnd = 60000;
    lab_write(&l, t, 50000);
    for (unsigned i = 1; i < 49; i += 2) { /* every second segment: 48 ranges for 16 records */
        snprintf(text, sizeof text, ". 1:1(0) ack 1 win 60000 <sack %u:%u>", i * 1000 + 1,
                 i * 1000 + 1001);
        lab_in(&l, text);
    }
    assert_int_equal(pool_free_count(&l.tcp.sents), 0);
    lab_wait(&l, 10 * W_S);
    lab_skip(&l);
    lab_in(&l, ". 1:1(0) ack 50001 win 60000");
    assert_int_equal(t->ca_state, CA_OPEN);
    assert_int_equal(t->sndq.n_rec, 0);
    end(&l, t);
}

/* All that the stack has left, in others' hands. */
struct records {
    uint32_t at[16];
    unsigned n;
};

static void take_records(struct lab *l, struct records *held)
{
    held->n = 0;
    while (pool_free_count(&l->tcp.sents) != 0)
        held->at[held->n++] = pool_take(&l->tcp.sents);
}

static void give_records(struct lab *l, struct records *held)
{
    while (held->n != 0)
        pool_give(&l->tcp.sents, held->at[--held->n]);
}

static unsigned retries_in_30_s(struct lab *l, struct tcb *t)
{
    unsigned n = 0;
    for (w_ns end = l->net.env.now + 30 * W_S; t->at[T_PERSIST] < end; n++)
        lab_wait(l, t->at[T_PERSIST] - l->net.env.now);
    return n;
}

/* If this failed a connection whose scoreboard is full would ask for memory five hundred times a
 * second, until an ACK that is minutes away; or not go on when that comes. */
static void full_scoreboard_waits_for_its_ack(void **state)
{
    struct lab l;
    struct records held;
    (void)state;
    lab_open(&l, few_records);
    struct tcb *t = client(&l, "mss 1000,sackOK");
    lab_write(&l, t, 2000);
    lab_in(&l, ". 1:1(0) ack 1 win 60000 <sack 1001:2001>"); /* its record is closed */
    take_records(&l, &held);
    t->rtt.rto_us = 60000000;
    tcp_arm_rto(&l.tcp, t);
    lab_skip(&l);
    t->cc.cwnd = 60000;
    lab_write(&l, t, 1000);
    lab_quiet(&l);
    assert_in_range(retries_in_30_s(&l, t), 8, 32);
    lab_quiet(&l);
    lab_in(&l, ". 1:1(0) ack 2001 win 60000");
    lab_out(&l, "P. 2001:3001(1000) ack 1");
    give_records(&l, &held);
    end(&l, t);
}

/* If this failed a connection that has nothing in flight would ask five hundred times a second for
 * what others hold, for as long as they take to give up; or not go on soon when it is free. */
static void nothing_in_flight_asks_ever_less_often(void **state)
{
    struct lab l;
    struct records held;
    (void)state;
    lab_open(&l, few_records);
    struct tcb *t = client(&l, "mss 1000,sackOK");
    lab_write(&l, t, 1000);
    lab_in(&l, ". 1:1(0) ack 1001 win 60000");
    lab_skip(&l);
    take_records(&l, &held);
    lab_write(&l, t, 1000);
    lab_quiet(&l);
    assert_true(t->at[T_PERSIST] - l.net.env.now < 50 * W_MS);
    assert_in_range(retries_in_30_s(&l, t), 60, 200);
    lab_quiet(&l);
    give_records(&l, &held);
    lab_wait(&l, 500 * W_MS);
    lab_out(&l, "P. 1001:2001(1000) ack 1");
    end(&l, t);
}

/* If this failed connections to many destinations would use memory without bound, or what was
 * learnt of one would be used for another. [RFC 9040 6] */
static void metrics_are_bounded(void **state)
{
    struct lab l;
    unsigned known = 0;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = client(&l, "mss 1000,sackOK");
    for (uint32_t i = 0; i < 4000; i++) {
        t->flow.remote = addr_ip4(0x0b000000 + i);
        t->rtt.srtt8_us = (400000 + i) << 3;
        l.net.env.now += W_MS;
        tcp_metric_keep(&l.tcp, t);
    }
    for (uint32_t i = 0; i < 4000; i++) {
        t->flow.remote = addr_ip4(0x0b000000 + i);
        t->rtt.srtt8_us = 8000;
        t->rtt.rto_us = 201000;
        tcp_metric_use(&l.tcp, t);
        bool is_known = t->rtt.rto_us != 201000;
        assert_true(!is_known || t->rtt.rto_us == 3 * (400000 + i));
        known += is_known;
        assert_true(is_known || i < 3990); /* the newest are there */
    }
    assert_true(known <= 256);
    assert_true(known > 200);
    t->flow.remote = addr_ip4(LAB_REMOTE);
    end(&l, t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_stand_beside_the_tcb),
        cmocka_unit_test(probe_timeout_is_two_round_trips),
        cmocka_unit_test(no_probe_without_sack),
        cmocka_unit_test(probe_is_held_back),
        cmocka_unit_test(wide_window_lasts_sixteen_recoveries),
        cmocka_unit_test(reordering_is_bounded),
        cmocka_unit_test(prr_bounds_what_is_sent),
        cmocka_unit_test(only_dsacks_of_this_recovery_count),
        cmocka_unit_test(reordering_window_is_bounded),
        cmocka_unit_test(losses_without_records),
        cmocka_unit_test(full_scoreboard_waits_for_its_ack),
        cmocka_unit_test(nothing_in_flight_asks_ever_less_often),
        cmocka_unit_test(metrics_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
