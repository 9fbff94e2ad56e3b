/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables: connections by 4-tuple, listeners by address and port; options and what can be seen.
 */
#include <errno.h>

#include "tcp/lab_test.h"

enum { MANY = 3000 };

static void many(struct weir_conf *c)
{
    c->n_tcb = MANY;
    c->n_syn = 16;
    c->n_tw = 16;
}

static struct flow flow_no(uint32_t i)
{
    return (struct flow){.local = addr_ip4(LAB_LOCAL),
                         .remote = addr_ip4(0x0a000010 + i % 7),
                         .lport = (uint16_t)(1024 + i),
                         .rport = 80,
                         .proto = PROTO_TCP};
}

/* If this failed a segment would reach the wrong connection, or none, once there are many. */
static void every_connection_is_found(void **state)
{
    struct lab l;
    static struct tcb *t[MANY];
    (void)state;
    lab_open(&l, many);
    for (uint32_t i = 0; i < MANY; i++) {
        struct flow f = flow_no(i);
        t[i] = tcp_new(&l.tcp, 1);
        assert_int_equal(tcp_connect(&l.tcp, t[i], &f), 0);
        lab_settle(&l);
        lab_skip(&l);
    }
    struct tcb *more = NULL;
    struct flow again = flow_no(5);
    assert_null(tcp_new(&l.tcp, 1));
    assert_false(tcp_flow_is_free(&l.tcp, &again));
    tcp_close(&l.tcp, t[7]);
    more = tcp_new(&l.tcp, 1);
    assert_int_equal(tcp_connect(&l.tcp, more, &again), -EADDRNOTAVAIL);
    tcp_close(&l.tcp, more);
    /* Take out every third: the others must still be found, though buckets overflowed. */
    for (uint32_t i = 0; i < MANY; i += 3)
        tcp_close(&l.tcp, t[i]);
    for (uint32_t i = 0; i < MANY; i++) {
        struct flow f = flow_no(i);
        bool is_gone = i % 3 == 0 || i == 7;
        assert_int_equal(tcp_flow_is_free(&l.tcp, &f), is_gone);
        assert_int_equal(tcp_port_uses(&l.tcp, f.lport), !is_gone);
    }
    uint64_t cursor = 0, n = 0;
    struct tcp_row row;
    while (tcp_row_next(&l.tcp, &cursor, &row))
        n += row.state == TCPS_SYN_SENT;
    assert_int_equal(n, MANY - 1000 - 1);
    for (uint32_t i = 0; i < MANY; i++) {
        if (i % 3 != 0 && i != 7)
            tcp_close(&l.tcp, t[i]);
    }
    for (uint32_t i = 0; i <= l.tcp.table_mask; i++)
        assert_int_equal(l.tcp.table[i].over, 0);
    lab_close(&l);
}

static struct tcb *listen_on(struct lab *l, uint32_t ip, uint16_t port, bool shared)
{
    struct addr a = addr_ip4(ip);
    struct tcb *t = tcp_new(&l->tcp, 1);
    assert_int_equal(tcp_opt_set(&l->tcp, t, TOPT_REUSEPORT, shared), 0);
    if (tcp_listen(&l->tcp, t, &a, port, 4) == 0)
        return t;
    tcp_close(&l->tcp, t);
    return NULL;
}

/* If this failed a connection would reach a less specific listener, or two programs one port. */
static void the_best_listener_gets_it(void **state)
{
    struct lab l;
    struct flow f = {.local = addr_ip4(LAB_LOCAL), .lport = 80, .rport = 5, .proto = PROTO_TCP};
    (void)state;
    lab_open(&l, NULL);
    struct tcb *any = listen_on(&l, 0, 80, false);
    struct tcb *one = listen_on(&l, LAB_LOCAL, 80, false);
    assert_null(listen_on(&l, LAB_LOCAL, 80, true));
    assert_ptr_equal(tcp_lsn_find(&l.tcp, &f, 1), one);
    tcp_close(&l.tcp, one);
    assert_ptr_equal(tcp_lsn_find(&l.tcp, &f, 1), any);
    f.lport = 81;
    assert_null(tcp_lsn_find(&l.tcp, &f, 1));
    struct tcb *group[3];
    unsigned hits[3] = {0};
    for (int i = 0; i < 3; i++)
        group[i] = listen_on(&l, LAB_LOCAL, 81, true);
    for (uint32_t i = 0; i < 3000; i++) {
        f.rport = (uint16_t)i;
        struct tcb *t = tcp_lsn_find(&l.tcp, &f, tcp_table_hash(&l.tcp, &f));
        for (int k = 0; k < 3; k++)
            hits[k] += group[k] == t;
    }
    for (int k = 0; k < 3; k++) {
        assert_in_range(hits[k], 700, 1300);
        tcp_close(&l.tcp, group[k]);
    }
    tcp_close(&l.tcp, any);
    lab_close(&l);
}

/* If this failed a value a program set would not be the value it reads, or nonsense would be
 * taken. */
static void options_keep_what_they_are_told(void **state)
{
    static const struct {
        int name;
        int64_t good, bad;
    } rows[] = {
        {TOPT_NODELAY, 1, 0},
        {TOPT_CORK, 1, 0},
        {TOPT_KEEPALIVE, 1, 0},
        {TOPT_OOBINLINE, 1, 0},
        {TOPT_V6ONLY, 1, 0},
        {TOPT_MAXSEG, 500, 87},
        {TOPT_KEEPIDLE_S, 5, 0},
        {TOPT_KEEPINTVL_S, 5, 40000},
        {TOPT_KEEPCNT, 5, 128},
        {TOPT_SYNCNT, 5, 128},
        {TOPT_LINGER2_S, 5, 0},
        {TOPT_DEFER_ACCEPT_S, 7, 0},
        {TOPT_WINDOW_CLAMP, 5000, -1},
        {TOPT_USER_TIMEOUT_MS, 5000, -1},
        {TOPT_SNDBUF, 50000, 1},
        {TOPT_RCVBUF, 50000, 1},
        {TOPT_RCVLOWAT, 5, -1},
        {TOPT_TOS, 0x10, 256},
        {TOPT_TTL, 5, 256},
        {TOPT_LINGER_S, 5, -2},
        {TOPT_NOTSENT_LOWAT, 5, 0},
    };
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = tcp_new(&l.tcp, 1);
    int64_t v;
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        assert_int_equal(tcp_opt_set(&l.tcp, t, rows[i].name, rows[i].good), 0);
        assert_int_equal(tcp_opt_get(&l.tcp, t, rows[i].name, &v), 0);
        assert_int_equal(v, rows[i].good);
        if (rows[i].bad != 0 || rows[i].name == TOPT_KEEPIDLE_S)
            assert_int_equal(tcp_opt_set(&l.tcp, t, rows[i].name, rows[i].bad), -EINVAL);
    }
    assert_int_equal(tcp_opt_set(&l.tcp, t, 4711, 1), -ENOPROTOOPT);
    assert_int_equal(tcp_opt_get(&l.tcp, t, 4711, &v), -ENOPROTOOPT);
    assert_int_equal(tcp_cc_set(&l.tcp, t, "reno", 4), 0);
    assert_string_equal(tcp_cc_get(t), "reno");
    assert_int_equal(tcp_cc_set(&l.tcp, t, "nonesuch", 8), -ENOENT);
    tcp_close(&l.tcp, t);
    lab_close(&l);
}

/* If this failed children would not be what their listener was told to make. */
static void children_inherit(void **state)
{
    struct lab l;
    struct tcb *lsn = NULL;
    int64_t v;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_server(&l, "mss 1000", 1000, &lsn);
    tcp_abort(&l.tcp, t, 0);
    tcp_close(&l.tcp, t);
    lab_skip(&l);
    tcp_opt_set(&l.tcp, lsn, TOPT_NODELAY, 1);
    tcp_opt_set(&l.tcp, lsn, TOPT_KEEPIDLE_S, 9);
    tcp_cc_set(&l.tcp, lsn, "reno", 4);
    l.flow.rport = 4001;
    l.has_iss = false;
    lab_in(&l, "S 0:0(0) win 1000 <mss 700>");
    lab_out(&l, "S. 0:0(0) ack 1 <mss 1460>");
    lab_in(&l, "P. 1:11(10) ack 1 win 1000"); /* the third segment may carry payload (A2) */
    lab_skip(&l);
    t = tcp_accept(&l.tcp, lsn);
    assert_int_equal(tcp_inq(&l.tcp, t), 10);
    tcp_opt_get(&l.tcp, t, TOPT_NODELAY, &v);
    assert_int_equal(v, 1);
    tcp_opt_get(&l.tcp, t, TOPT_KEEPIDLE_S, &v);
    assert_int_equal(v, 9);
    assert_string_equal(tcp_cc_get(t), "reno");
    struct weir_tcp_info i;
    tcp_info_get(&l.tcp, t, &i);
    assert_int_equal(i.state, 1);
    assert_int_equal(i.snd_mss, 700);
    assert_int_equal(i.snd_cwnd, 10);
    assert_int_equal(i.bytes_received, 10);
    assert_int_equal(lab_read(&l, t), 10);
    tcp_abort(&l.tcp, t, 0);
    tcp_close(&l.tcp, t);
    tcp_close(&l.tcp, lsn);
    lab_skip(&l);
    lab_close(&l);
}

/* If this failed a path that carries less than the link would stop the connection. [RFC 1191 6.4,
 * RFC 5927 4.1] [RFC 9293 3.7.1 MUST-16] */
static void path_mtu_shrinks_segments(void **state)
{
    struct lab l;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1460", 60000);
    lab_write(&l, t, 4380);
    lab_out_data(&l, 1, 4381, 1460);
    struct icmp_err e = {.flow = l.flow, .error = EMSGSIZE, .mtu = 1000, .sent = 1500};
    e.seq = t->snd.nxt + 5; /* not in flight: nobody believes it */
    tcp_error(&l.tcp, &e);
    lab_settle(&l);
    lab_quiet(&l);
    e.seq = t->snd.una;
    tcp_error(&l.tcp, &e);
    lab_settle(&l);
    assert_int_equal(t->snd.mss, 960);
    lab_out_data(&l, 1, 4381, 960);
    lab_in(&l, ". 1:1(0) ack 4381 win 60000");
    e.error = EHOSTUNREACH; /* remembered, no more [RFC 1122 4.2.3.9] */
    lab_write(&l, t, 10);
    e.seq = t->snd.una;
    tcp_error(&l.tcp, &e);
    assert_int_equal(tcp_state(t), TCPS_ESTABLISHED);
    tcp_abort(&l.tcp, t, 0);
    tcp_close(&l.tcp, t);
    lab_skip(&l);
    lab_close(&l);
}

/* If this failed initial sequence numbers could be guessed, or repeat. [RFC 9293 3.4.1 MUST-8,
 * MUST-9, SHLD-1; RFC 7323 7.1 SHLD-13] */
static void sequence_numbers_differ(void **state)
{
    struct lab l;
    tcp_seq a, b, c, d;
    uint32_t off;
    (void)state;
    lab_open(&l, NULL);
    struct flow f = flow_no(1), g = flow_no(2);
    tcp_isn(&l.tcp, &f, &a, &off);
    tcp_isn(&l.tcp, &g, &b, &off);
    assert_true(a - b > 1000 && b - a > 1000);
    l.net.env.now += 4 * W_US * 1000;
    tcp_isn(&l.tcp, &f, &c, &off);
    assert_in_range(c - a, 1000, 100000); /* at least one per 4 us */
    /* The secret decides, the clock and the addresses alone do not. */
    l.net.env.key_isn.k0 ^= 1;
    tcp_isn(&l.tcp, &f, &d, &off);
    assert_true(d - c > 1000 && c - d > 1000);
    lab_close(&l);
}

/* If this failed `ss -i` would show nonsense of an algorithm, or nothing. Sizes are Linux's. */
static void each_algorithm_tells_what_linux_tells(void **state)
{
    static const struct {
        const char *name;
        size_t n;
    } rows[] = {{"reno", 0},   {"cubic", 0}, {"vegas", 16}, {"westwood", 16}, {"bic", 0},
                {"dctcp", 16}, {"bbr", 20},  {"ledbat", 0}, {"bbr1", 20}};
    struct lab l;
    union cc_info info;
    (void)state;
    lab_open(&l, NULL);
    struct tcb *t = lab_client(&l, "mss 1000,sackOK", 60000);
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        assert_int_equal(tcp_cc_set(&l.tcp, t, rows[i].name, strlen(rows[i].name)), 0);
        lab_wait(&l, W_S);
        lab_write(&l, t, 500);
        lab_wait(&l, 20 * W_MS);
        char text[64];
        snprintf(text, sizeof text, ". 1:1(0) ack %u win 60000", 500 * (i + 1) + 1);
        lab_in(&l, text);
        lab_skip(&l);
        assert_int_equal(tcp_cc_info(t, &info), rows[i].n);
        if (strcmp(rows[i].name, "vegas") == 0)
            assert_int_equal(info.vegas.rtt, 20000);
        if (strcmp(rows[i].name, "dctcp") == 0)
            assert_int_equal(info.dctcp.enabled, 0); /* no ECN here */
        if (strcmp(rows[i].name, "bbr") == 0) {
            assert_int_equal(info.bbr.pacing_gain, 277 * 256 / 100);
            assert_int_equal(info.bbr.min_rtt_us, 20000);
        }
        if (strcmp(rows[i].name, "bbr1") == 0)
            assert_int_equal(info.bbr.pacing_gain, 739); /* as `ss -i` shows it of Linux's bbr */
    }
    t->st.ecn = ECNF_OK | ECNF_ECHO;
    assert_int_equal(tcp_cc_set(&l.tcp, t, "dctcp", 5), 0);
    assert_int_equal(tcp_cc_info(t, &info), 16);
    assert_int_equal(info.dctcp.enabled, 1);
    assert_int_equal(info.dctcp.ce_state, 1);
    assert_int_equal(info.dctcp.alpha, 1024);
    t->st.ecn = 0;
    tcp_abort(&l.tcp, t, 0);
    tcp_close(&l.tcp, t);
    lab_skip(&l);
    lab_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_connection_is_found),
        cmocka_unit_test(the_best_listener_gets_it),
        cmocka_unit_test(options_keep_what_they_are_told),
        cmocka_unit_test(children_inherit),
        cmocka_unit_test(path_mtu_shrinks_segments),
        cmocka_unit_test(each_algorithm_tells_what_linux_tells),
        cmocka_unit_test(sequence_numbers_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
