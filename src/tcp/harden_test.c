/* SPDX-License-Identifier: Apache-2.0
 *
 * What strangers may make a connection, or all of them together, hold and do.
 */
#include "tcp/lab_test.h"
#include "tcp/room.h"

static void end(struct lab *l, struct tcb *t)
{
    tcp_abort(&l->tcp, t, 0);
    tcp_close(&l->tcp, t);
    lab_skip(l);
    lab_close(l);
}

static void many_packets(struct weir_conf *c)
{
    c->n_pkt = 20000;
    c->tcp_rmem_default = 8 << 20;
}

/* A byte, alone, at that place of the stream. */
static void byte_at(struct lab *l, uint32_t at)
{
    char text[64];
    snprintf(text, sizeof text, ". %u:%u(1) ack 1 win 60000", at, at + 1);
    lab_in(l, text);
    lab_skip(l);
}

/* If this failed a peer that sends every second byte would make each further one search among all
 * before it. That no search is longer than the limit run_before itself checks. */
static void holes_are_limited(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, many_packets);
    struct tcb *t = lab_client(&l, "mss 1460,sackOK,wscale 7", 60000);
    for (unsigned i = TCP_OOO_MAX + 100; i >= 1; i--)
        byte_at(&l, 1 + 2 * i);
    assert_int_equal(t->ooo.n, TCP_OOO_MAX);
    assert_int_equal(l.tcp.env->stats[STAT_TCPOFODrop], 100);
    assert_true(t->n_sack <= TCP_SACK_BLOCKS);
    /* What fills a hole is welcome whatever the limits say. */
    byte_at(&l, 1);
    assert_int_equal(t->rcv.nxt - t->irs, 2);
    end(&l, t);
}

/* If this failed a few thousand bytes out of order would pin megabytes. */
static void pieces_out_of_order_pin_no_more_than_the_buffer(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1460,sackOK,wscale 7", 60000);
    for (unsigned i = 1; i <= 2000; i++)
        byte_at(&l, 1 + 2 * i);
    assert_true(t->ooo.mem <= t->rcv.limit);
    assert_true(t->ooo.mem > t->rcv.limit - 1000);
    assert_true(l.tcp.mem_bytes <= t->rcv.limit);
    assert_int_equal(l.tcp.env->mem.pkts.in_use, t->ooo.n);
    end(&l, t);
}

static void few_packets(struct weir_conf *c) { c->n_pkt = 160; }

/* If this failed a host whose packets are nearly all gone would keep some of them for text that
 * cannot be read yet, and lose what could be. [RFC 2018 8] */
static void scarce_memory_is_not_for_what_is_early(void **state)
{
    struct lab l;
    struct pkt *held = NULL;
    (void)state;
    lab_open(&l, few_packets);
    struct tcb *t = lab_client(&l, "mss 1460,sackOK,wscale 7", 60000);
    struct pktmem *m = &l.net.env.mem;
    for (unsigned i = 1; i <= 200; i++)
        byte_at(&l, 1 + 2 * i);
    assert_int_equal(m->pkts.in_use, 120); /* no more is taken, what is here stays */
    assert_false(pktmem_is_scarce(m));
    assert_int_equal(l.tcp.env->stats[STAT_OfoPruned], 0);
    while (pool_free_count(&m->pkts) > 8) {
        struct pkt *p = pkt_new(m);
        p->next = held;
        held = p;
    }
    byte_at(&l, 501);
    assert_int_equal(l.tcp.env->stats[STAT_OfoPruned], 1);
    assert_int_equal(t->ooo.n, 0);
    assert_int_equal(t->n_sack, 0);
    assert_int_equal(l.tcp.mem_bytes, 0);
    pkt_free_list(held);
    lab_in(&l, ". 1:501(500) ack 1 win 60000"); /* all of it is sent again */
    assert_int_equal(lab_read(&l, t), 500);
    end(&l, t);
}

static void little_memory(struct weir_conf *c) { c->tcp_mem_max = 1; }

/* If this failed one connection that fills tcp_mem_max would leave the others without order: a
 * sender without SACK and timestamps would get new data through by timeouts alone, further apart
 * each time; or early bytes of many connections would take what the limit is to keep. */
static void each_connection_has_a_little_room_for_what_is_early(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, little_memory);
    struct tcb *t = lab_client(&l, "mss 1460", 60000);
    l.tcp.mem_bytes += l.tcp.mem_max; /* another connection's */
    byte_at(&l, 3000);
    assert_int_equal(t->ooo.n, 1);
    for (unsigned i = 0; i < 200; i++)
        byte_at(&l, 3002 + 2 * i);
    assert_in_range(t->ooo.mem, 1, l.tcp.env->conf.tcp_rmem_min);
    assert_true(l.tcp.env->stats[STAT_TCPOFODrop] > 100);
    l.tcp.mem_bytes -= l.tcp.mem_max;
    end(&l, t);
}

/* If this failed a stream of tiny segments that nobody reads would pin a packet, or a block, for
 * each. In order and, behind a hole, out of order. */
static void tiny_segments_share_memory(void **state)
{
    static const unsigned sizes[] = {1, 36, 190, 300, 536};
    (void)state;
    for (unsigned k = 0; k < 2 * WEIR_COUNT(sizes); k++) {
        struct lab l;
        char text[64];
        uint32_t n = sizes[k / 2], at = k % 2 != 0 ? 2 : 1;
        lab_open(&l, NULL);
        struct tcb *t = lab_client(&l, "mss 1460,sackOK,wscale 7", 60000);
        for (unsigned i = 0; i < 100; i++, at += n) {
            snprintf(text, sizeof text, ". %u:%u(%u) ack 1 win 60000", at, at + n, n);
            lab_in(&l, text);
            lab_skip(&l);
        }
        const struct pktmem *m = &l.tcp.env->mem;
        uint64_t pinned = (uint64_t)m->pkts.in_use * (sizeof(struct pkt) + PKT_LINEAR) +
                          (uint64_t)m->small_blks.in_use * BLK_SMALL +
                          (uint64_t)m->big_blks.in_use * BLK_BIG;
        assert_int_equal(pinned, l.tcp.mem_bytes);
        assert_true(pinned <= 100 * n * 3 / 2 + 3000);
        if (k % 2 != 0)
            byte_at(&l, 1);
        assert_int_equal(lab_read(&l, t), 100 * n + k % 2);
        assert_int_equal(l.tcp.mem_bytes, 0);
        end(&l, t);
    }
}

static void few_retries(struct weir_conf *c)
{
    c->tcp_max_orphans = 20;
    c->tcp_mem_max = 64; /* 256 KiB */
    c->tcp_mem_pressure = 32;
}

/* The peer of every connection, a stranger: answers each probe, opens no window. */
static void answer_probes(struct lab *l, struct tcb **t, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct flow f = l->flow;
        if (t[i]->timer.obj == 0 || t[i]->state == TCPS_CLOSED)
            continue;
        l->flow = t[i]->flow;
        l->iss = t[i]->sndq.iss;
        l->irs = t[i]->irs;
        lab_in(l, ". 1:1(0) ack 1 win 0");
        l->flow = f;
    }
    lab_skip(l);
}

/* If this failed a peer that opens connections, asks for something and never opens its window
 * (sockstress) would keep the memory of all that was written for it, for ever. While the programs
 * hold them the limit of all queues counts; once they have let go so does that of orphans, and time
 * ends the rest. */
static void windows_that_stay_closed_cost_little(void **state)
{
    enum { N = 50 };
    struct lab l;
    struct tcb *t[N], *lsn;
    (void)state;
    lab_open(&l, few_retries);
    const struct tcp *tcp = &l.tcp;
    uint8_t bytes[16384] = {0};
    struct tcb *first = lab_server(&l, "mss 1460", 0, &lsn);
    t[0] = first;
    for (unsigned i = 1; i < N; i++) {
        l.flow.rport++;
        l.has_iss = false;
        lab_in(&l, "S 0:0(0) win 0 <mss 1460>");
        lab_out(&l, "S. 0:0(0) ack 1");
        lab_in(&l, ". 1:1(0) ack 1 win 0");
        t[i] = tcp_accept(&l.tcp, lsn);
        assert_non_null(t[i]);
        tcp_set_sock(t[i], i + 10);
    }
    for (unsigned i = 0; i < N; i++) {
        while (tcp_send(&l.tcp, t[i], bytes, sizeof bytes, 0) > 0)
            ;
        assert_true(tcp_outq(t[i]) > 0); /* each has its least share */
    }
    lab_skip(&l);
    assert_true(tcp->mem_bytes <= tcp->mem_max + N * 2 * BLK_BIG);
    for (unsigned k = 0; k < 100; k++) {
        lab_wait(&l, 10 * W_S);
        answer_probes(&l, t, N);
    }
    assert_int_equal(tcp->tcbs.in_use, N + 1); /* a program may wait as long as it likes */
    for (unsigned i = 0; i < N; i++)
        tcp_close(&l.tcp, t[i]);
    assert_true(tcp->n_orphans <= 20);
    assert_true(tcp->mem_bytes <= tcp->mem_max + 20 * 2 * BLK_BIG);
    for (unsigned k = 0; k < 60 && tcp->n_orphans > 0; k++) {
        lab_wait(&l, 10 * W_S);
        answer_probes(&l, t, N);
    }
    assert_int_equal(tcp->n_orphans, 0);
    assert_int_equal(tcp->mem_bytes, 0);
    tcp_close(&l.tcp, lsn);
    lab_skip(&l);
    lab_close(&l);
}

static void wide_open(struct weir_conf *c)
{
    c->tcp_init_cwnd = 1024;
    c->n_sent = 16384;
}

/* If this failed a peer that acknowledges single bytes would cut the scoreboard into a record for
 * each, and make us go through all of them with every ACK, four times. Counted in records that are
 * looked at, by ACKs whose blocks are the worst: new, far apart, newest first. */
static void sack_work_is_limited(void **state)
{
    enum { SEGS = 1000, MOST = TCP_SENT_FINE + 2 * SEGS + 16 };
    struct lab l;
    (void)state;
    lab_open(&l, wide_open);
    struct tcb *t = lab_client(&l, "mss 1000,sackOK,wscale 7", 65535);
    assert_int_equal(tcp_opt_set(&l.tcp, t, TOPT_SNDBUF, 4 << 20), 0);
    lab_in(&l, ". 1:1(0) ack 1 win 65535"); /* scaled now */
    lab_write(&l, t, SEGS * 1000);
    lab_skip(&l);
    assert_int_equal(t->snd.nxt - t->snd.una, SEGS * 1000);
    uint64_t worst = 0;
    for (unsigned i = 1; i < 4000; i++) {
        char text[160];
        unsigned v[4];
        for (unsigned k = 0; k < 4; k++)
            v[k] = 1 + (4 - k) * 249000 - 62 * i + (i % 7) * 2;
        uint64_t before = l.tcp.n_walked;
        snprintf(text, sizeof text, ". 1:1(0) ack 1 win 65535 <sack %u:%u %u:%u %u:%u %u:%u>", v[0],
                 v[0] + 1, v[1], v[1] + 1, v[2], v[2] + 1, v[3], v[3] + 1);
        lab_in(&l, text);
        lab_skip(&l);
        worst = w_u64_max(worst, l.tcp.n_walked - before);
        assert_true(t->sndq.n_rec <= MOST);
    }
    assert_true(t->snd.sacked > 100);
    assert_true(t->sndq.n_rec > TCP_SENT_FINE);
    assert_true(worst > TCP_SENT_FINE);
    /* The blocks in one walk, what is lost in another. */
    assert_true(worst <= 2 * MOST);
    end(&l, t);
}

static struct flow flow_to(uint32_t remote)
{
    return (struct flow){.local = addr_ip4(LAB_LOCAL), .remote = addr_ip4(remote)};
}

/* A SYN-ACK with a cookie from that server. */
static void learn_cookie(struct lab *l, struct tcb *t, uint32_t remote)
{
    struct seg s = {.ack = t->sndq.iss + 1,
                    .h = {.has = TCPH_FASTOPEN | TCPH_MSS, .cookie_len = 8, .mss = 1000}};
    t->flow = flow_to(remote);
    t->fo = FO_OFFER;
    tcp_fo_syn_ack(&l->tcp, t, &s);
    l->tcp.env->now += W_MS;
}

static unsigned cookies_known(const struct lab *l, struct tcb *t, uint32_t first, unsigned n)
{
    struct fo_cookie fo;
    uint32_t room;
    unsigned known = 0;
    for (uint32_t i = 0; i < n; i++) {
        t->flow = flow_to(first + i);
        known += tcp_fo_client((struct tcp *)&l->tcp, t, &fo, &room);
    }
    return known;
}

static void few_servers(struct weir_conf *c) { c->n_fastopen = 64; }

/* If this failed a client that talks to many servers would remember them all, or none.
 * [RFC 7413 4.1.3] */
static void fast_open_remembers_so_many_servers(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, few_servers);
    struct tcb *t = tcp_new(&l.tcp, 1);
    assert_non_null(t);
    for (uint32_t i = 0; i < 1000; i++)
        learn_cookie(&l, t, 0x0a010000 + i);
    unsigned all = cookies_known(&l, t, 0x0a010000, 1000);
    assert_true(all <= 64);
    assert_true(all > 48);
    assert_true(cookies_known(&l, t, 0x0a010000 + 999, 1));
    l.tcp.env->conf.tcp_fastopen_cookies = 0;
    tcp_conf_changed(&l.tcp);
    assert_int_equal(cookies_known(&l, t, 0x0a010000, 1000), 0);
    t->flow = (struct flow){0};
    t->fo = 0;
    tcp_close(&l.tcp, t);
    lab_close(&l);
}

/* If this failed hosts that share a key would not take each other's cookies, as Linux hosts do; the
 * values are Linux's. */
static void cookies_are_those_of_linux(void **state)
{
    static const struct {
        const char *client, *server;
        uint8_t cookie[8];
    } rows[] = {
        {"192.0.2.1", "192.168.0.1", {0x30, 0x21, 0xb9, 0xd8, 0x89, 0x01, 0x7e, 0xeb}},
        {"fd3d:fa7b:d17d::1", "fd3d:a0b:17d6::1", {0xc1, 0xd1, 0xe9, 0x74, 0x2a, 0x47, 0xa9, 0xbc}},
    };
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct weir_conf *c = &l.tcp.env->conf;
    c->tcp_fastopen = 2;
    c->tcp_fastopen_key0 = 0xa1a1a1a1;
    c->tcp_fastopen_key1 = 0xb2b2b2b2;
    c->tcp_fastopen_key2 = 0xc3c3c3c3;
    c->tcp_fastopen_key3 = 0xd4d4d4d4;
    struct tcb *t = tcp_new(&l.tcp, 1);
    t->lsn.fo_max = 1;
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        struct flow f = {0};
        struct seg s = {.h = {.has = TCPH_FASTOPEN, .cookie_len = 0}};
        struct fo_cookie out;
        assert_int_equal(addr_parse(rows[i].client, &f.remote), 0);
        assert_int_equal(addr_parse(rows[i].server, &f.local), 0);
        assert_false(tcp_fo_server(&l.tcp, t, &s, &f, &out));
        assert_int_equal(out.len, 8);
        assert_memory_equal(out.val, rows[i].cookie, 8);
        s.h.cookie_len = 8;
        memcpy(s.h.cookie, rows[i].cookie, 8);
        assert_true(tcp_fo_server(&l.tcp, t, &s, &f, &out));
        assert_int_equal(out.len, FO_NONE);
    }
    tcp_close(&l.tcp, t);
    lab_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holes_are_limited),
        cmocka_unit_test(pieces_out_of_order_pin_no_more_than_the_buffer),
        cmocka_unit_test(scarce_memory_is_not_for_what_is_early),
        cmocka_unit_test(each_connection_has_a_little_room_for_what_is_early),
        cmocka_unit_test(tiny_segments_share_memory),
        cmocka_unit_test(sack_work_is_limited),
        cmocka_unit_test(windows_that_stay_closed_cost_little),
        cmocka_unit_test(fast_open_remembers_so_many_servers),
        cmocka_unit_test(cookies_are_those_of_linux),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
