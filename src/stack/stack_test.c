/* SPDX-License-Identifier: Apache-2.0
 *
 * The contract of weir.h, clause by clause, on two whole stacks.
 */
#include "weir_pair.h"

static void play(struct weir_pair *p)
{
    weir_sock lsn, c, s;
    uint8_t buf[5000];
    struct weir_conf conf;
    pair_conf(&conf);
    pair_make(p, &conf, 7);
    pair_join(p, &lsn, &c, &s);
    for (int i = 0; i < 20; i++) {
        memset(buf, i, sizeof(buf));
        (void)weir_sendto(p->w[0], p->now, c, buf, sizeof(buf), 0, NULL);
        p->is_cut[0] = i % 5 == 3;
        pair_wait(p, 30000000);
        p->is_cut[0] = false;
        while (weir_recvfrom(p->w[1], p->now, s, buf, sizeof(buf), 0, NULL) > 0)
            ;
    }
    assert_int_equal(weir_close(p->w[0], p->now, c), 0);
    pair_wait(p, 5000000000);
    assert_int_equal(weir_close(p->w[1], p->now, s), 0);
    pair_wait(p, 200000000000);
}

/* If this failed no simulated failure could be repeated: clause (i). */
static void same_calls_give_the_same_bytes(void **state)
{
    struct weir_pair a, b;
    (void)state;
    play(&a);
    play(&b);
    assert_true(a.n_frames > 50);
    assert_int_equal(a.hash, b.hash);
    pair_end(&a);
    pair_end(&b);
}

/* If this failed a clock that steps back would fire timers early or never: clause (ii). */
static void time_never_goes_back(void **state)
{
    struct weir_pair p;
    struct weir_conf conf;
    (void)state;
    pair_conf(&conf);
    pair_make(&p, &conf, 1);
    pair_settle(&p);
    weir_tick(p.w[0], p.now + 1000);
    weir_tick(p.w[0], p.now - 1000);
    assert_true(weir_next(p.w[0]) > p.now);
    pair_end(&p);
}

/* If this failed a stack could use memory it was not given, or more than it asked for:
 * clause (v). */
static void memory_is_what_was_asked_for(void **state)
{
    struct weir_conf conf;
    struct weir *w = NULL;
    (void)state;
    pair_conf(&conf);
    size_t n = weir_size(&conf);
    uint8_t *mem = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(n > 0);
    assert_int_equal(weir_init(mem, n - 1, &conf, 1, 0, &w), -ENOMEM);
    assert_int_equal(weir_init(mem + 1, n, &conf, 1, 0, &w), -EINVAL);
    assert_int_equal(weir_init(NULL, n, &conf, 1, 0, &w), -EINVAL);
    assert_int_equal(weir_init(mem, n, &conf, 1, 0, &w), 0);
    assert_ptr_equal(w, mem);
    assert_int_equal(weir_fini(w), 0);
    munmap(mem, n);
}

/* If this failed a program that keeps a closed handle would reach somebody else's connection. */
static void stale_handles_are_noticed(void **state)
{
    struct weir_pair p;
    struct weir_conf conf;
    weir_sock a, b;
    char c;
    (void)state;
    pair_conf(&conf);
    pair_make(&p, &conf, 1);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET, WEIR_STREAM, &a), 0);
    assert_int_equal(weir_close(p.w[0], p.now, a), 0);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET, WEIR_STREAM, &b), 0);
    assert_true(a != b);
    assert_int_equal(weir_close(p.w[0], p.now, a), -EBADF);
    assert_int_equal(weir_recvfrom(p.w[0], p.now, a, &c, 1, 0, NULL), -EBADF);
    assert_int_equal(weir_poll(p.w[0], a), 0);
    assert_int_equal(weir_close(p.w[0], p.now, 0), -EBADF);
    pair_end(&p);
}

/* If this failed a program could not talk to itself, as most test suites do. */
static void loopback_works_without_an_interface(void **state)
{
    struct weir_pair p;
    struct weir_conf conf;
    weir_sock lsn, c, s;
    struct weir_addr at = pair_at(0, 80), to = pair_at(0, 80), peer;
    char buf[8];
    (void)state;
    pair_conf(&conf);
    pair_make(&p, &conf, 1);
    to.ip[12] = 127;
    to.ip[15] = 1;
    assert_int_equal(weir_socket(p.w[0], WEIR_INET, WEIR_STREAM, &lsn), 0);
    assert_int_equal(weir_bind(p.w[0], lsn, &at), 0);
    assert_int_equal(weir_listen(p.w[0], lsn, 8), 0);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET, WEIR_STREAM, &c), 0);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), -EINPROGRESS);
    weir_tick(p.w[0], p.now);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), 0);
    assert_int_equal(weir_accept(p.w[0], p.now, lsn, &s, &peer), 0);
    assert_int_equal(peer.ip[12], 127);
    assert_int_equal(weir_sendto(p.w[0], p.now, c, "hello", 5, 0, NULL), 5);
    weir_tick(p.w[0], p.now);
    assert_int_equal(weir_recvfrom(p.w[0], p.now, s, buf, sizeof(buf), 0, NULL), 5);
    assert_memory_equal(buf, "hello", 5);
    assert_int_equal(p.n_frames, 0);
    pair_end(&p);
}

/* If this failed a datagram server could not answer, and DNS would not work. */
static void datagrams_go_both_ways(void **state)
{
    struct weir_pair p;
    struct weir_conf conf;
    weir_sock a, b;
    struct weir_addr at = pair_at(0, 53), to = pair_at(2, 53), from;
    char buf[2000] = "?";
    (void)state;
    pair_conf(&conf);
    pair_make(&p, &conf, 1);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET, WEIR_DGRAM, &a), 0);
    assert_int_equal(weir_socket(p.w[1], WEIR_INET, WEIR_DGRAM, &b), 0);
    assert_int_equal(weir_bind(p.w[1], b, &at), 0);
    assert_int_equal(weir_sendto(p.w[0], p.now, a, buf, 2000, 0, &to), 2000);
    pair_settle(&p);
    assert_int_equal(weir_recvfrom(p.w[1], p.now, b, buf, 2000, 0, &from), 2000);
    assert_int_equal(from.ip[15], 1);
    assert_int_equal(weir_sendto(p.w[1], p.now, b, "!", 1, 0, &from), 1);
    pair_settle(&p);
    assert_int_equal(weir_recvfrom(p.w[0], p.now, a, buf, 2000, 0, NULL), 1);
    assert_int_equal(weir_recvfrom(p.w[0], p.now, a, buf, 2000, 0, NULL), -EAGAIN);
    pair_end(&p);
}

/* If this failed a refused connection would look like a dead host (demand: refused is refused). */
static void refused_is_refused(void **state)
{
    struct weir_pair p;
    struct weir_conf conf;
    weir_sock c;
    struct weir_addr to = pair_at(2, 81);
    (void)state;
    pair_conf(&conf);
    pair_make(&p, &conf, 1);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET, WEIR_STREAM, &c), 0);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), -EINPROGRESS);
    pair_settle(&p);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), -ECONNREFUSED);
    /* and so is a datagram's port, on a connected socket */
    assert_int_equal(weir_socket(p.w[0], WEIR_INET, WEIR_DGRAM, &c), 0);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), 0);
    assert_int_equal(weir_sendto(p.w[0], p.now, c, "x", 1, 0, NULL), 1);
    pair_settle(&p);
    assert_int_equal(weir_sendto(p.w[0], p.now, c, "x", 1, 0, NULL), -ECONNREFUSED);
    pair_end(&p);
}

/* If this failed a host that is not there would be waited for until TCP gives up, minutes later. */
static void a_missing_neighbour_is_an_error(void **state)
{
    struct weir_pair p;
    struct weir_conf conf;
    weir_sock c;
    struct weir_addr to = pair_at(77, 80);
    (void)state;
    pair_conf(&conf);
    pair_make(&p, &conf, 1);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET, WEIR_STREAM, &c), 0);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), -EINPROGRESS);
    pair_wait(&p, 4000000000);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), -EHOSTUNREACH);
    pair_end(&p);
}

/* If this failed a connection would go on shouting at a router that died, whose entry is still
 * fresh. [RFC 9293 3.8.3 MUST-20, SHLD-10; RFC 1122 3.3.1.4] */
static void silence_makes_the_next_hop_doubtful(void **state)
{
    struct weir_pair p;
    struct weir_conf conf;
    weir_sock lsn, c, s;
    (void)state;
    pair_conf(&conf);
    conf.tcp_timestamps = 0;
    conf.tcp_early_retrans = 0; /* no probe before the first timeout */
    conf.neigh_base_reachable_time_ms = 86400000;
    conf.neigh_delay_first_probe_ms = 0;
    conf.neigh_retrans_time_ms = 1; /* what is asked fails between two repetitions */
    pair_make(&p, &conf, 1);
    pair_join(&p, &lsn, &c, &s);
    pair_wait(&p, 5000000000); /* both have announced their addresses */
    p.is_cut[0] = true;
    assert_int_equal(weir_sendto(p.w[0], p.now, c, "x", 1, 0, NULL), 1);
    /* 0.2, 0.6, 1.4 s: three repetitions, then the fourth, and its question. */
    unsigned before = p.n_frames;
    pair_wait(&p, 2900000000);
    assert_int_equal(p.n_frames - before, 1 + 3);
    pair_wait(&p, 300000000);
    assert_int_equal(p.n_frames - before, 1 + 4 + 3); /* neigh_ucast_solicit */
    pair_end(&p);
}

/* If this failed an outsider who has seen one connection would know the port of the next. One
 * destination's ports follow on each other, as each is used once in turn; where they begin depends
 * on the destination and a secret. [RFC 6056 3.2 SHLD-1, 3.3 SHLD-3, 5 MUST-1] */
static void ports_cannot_be_guessed(void **state)
{
    enum { HOSTS = 8 };
    uint16_t first[2][HOSTS];
    unsigned steps = 0, same = 0, n_had = 0;
    (void)state;
    for (unsigned seed = 0; seed < 2; seed++) {
        struct weir_pair p;
        struct weir_conf conf;
        weir_sock c, lsn;
        struct weir_addr at = pair_at(0, 0), local;
        pair_conf(&conf);
        conf.ip_local_port_lo = 40000;
        conf.ip_local_port_hi = 40999;
        pair_make(&p, &conf, 1 + 10 * seed);
        for (unsigned i = 0; i < HOSTS; i++) {
            struct weir_addr to = pair_at(100 + i, 80);
            assert_int_equal(weir_socket(p.w[0], WEIR_INET, WEIR_STREAM, &c), 0);
            assert_int_equal(weir_connect(p.w[0], p.now, c, &to), -EINPROGRESS);
            assert_int_equal(weir_getsockname(p.w[0], c, &local), 0);
            assert_in_range(local.port, 40000, 40999);
            first[seed][i] = local.port;
            /* What a service has is not taken, whoever would come next. */
            at.port = (uint16_t)(local.port + 1);
            assert_int_equal(weir_socket(p.w[0], WEIR_INET, WEIR_STREAM, &lsn), 0);
            bool is_had = weir_bind(p.w[0], lsn, &at) == 0;
            assert_int_equal(weir_socket(p.w[0], WEIR_INET, WEIR_STREAM, &c), 0);
            assert_int_equal(weir_connect(p.w[0], p.now, c, &to), -EINPROGRESS);
            assert_int_equal(weir_getsockname(p.w[0], c, &local), 0);
            assert_true(!is_had || local.port != at.port);
            assert_int_not_equal(local.port, first[seed][i]);
            n_had += is_had;
        }
        pair_end(&p);
    }
    for (unsigned i = 0; i < HOSTS; i++) {
        same += first[0][i] == first[1][i];
        steps += i > 0 && first[0][i] - first[0][i - 1] == first[0][1] - first[0][0];
    }
    assert_true(n_had > HOSTS);
    assert_true(same < 2);
    assert_true(steps < 3);
}

/* Whether the first IP packet that this side has to send may not be fragmented. */
static bool next_has_df(struct weir_pair *p, unsigned side)
{
    uint8_t b[128];
    struct pkt *v[1];
    assert_int_equal(weir_tx(p->w[side], p->now, p->nif[side], v, 1), 1);
    assert_true(weir_pkt_copy(v[0], b, sizeof(b)) > 34);
    weir_sent(p->w[side], p->now, v, 1);
    return (b[14 + 6] & 0x40) != 0;
}

/* If this failed IP_MTU_DISCOVER would be kept and not obeyed. [RFC 1191 3, ip(7)] */
static void dont_fragment_is_the_programs_choice(void **state)
{
    struct weir_pair p;
    struct weir_conf conf;
    weir_sock lsn, c, s;
    int dont = 0, want = 1;
    (void)state;
    pair_conf(&conf);
    pair_make(&p, &conf, 1);
    pair_join(&p, &lsn, &c, &s);
    assert_int_equal(weir_sendto(p.w[0], p.now, c, "x", 1, 0, NULL), 1);
    assert_true(next_has_df(&p, 0));
    assert_int_equal(weir_setsockopt(p.w[0], p.now, c, 0, 10, &dont, sizeof(dont)), 0);
    assert_int_equal(weir_setsockopt(p.w[0], p.now, c, 6, 1, &want, sizeof(want)), 0);
    assert_int_equal(weir_sendto(p.w[0], p.now, c, "x", 1, 0, NULL), 1);
    assert_false(next_has_df(&p, 0));
    pair_end(&p);
}

/* If this failed a stack could not be ended while a closed connection still has bytes on their way:
 * clause (vi). */
static void an_end_takes_closed_connections_along(void **state)
{
    struct weir_pair p;
    struct weir_conf conf;
    weir_sock lsn, c, s;
    (void)state;
    pair_conf(&conf);
    pair_make(&p, &conf, 1);
    pair_join(&p, &lsn, &c, &s);
    assert_int_equal(weir_sendto(p.w[0], p.now, c, "unread", 6, 0, NULL), 6);
    assert_int_equal(weir_close(p.w[0], p.now, c), 0);
    pair_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_calls_give_the_same_bytes),
        cmocka_unit_test(time_never_goes_back),
        cmocka_unit_test(memory_is_what_was_asked_for),
        cmocka_unit_test(stale_handles_are_noticed),
        cmocka_unit_test(loopback_works_without_an_interface),
        cmocka_unit_test(datagrams_go_both_ways),
        cmocka_unit_test(refused_is_refused),
        cmocka_unit_test(a_missing_neighbour_is_an_error),
        cmocka_unit_test(silence_makes_the_next_hop_doubtful),
        cmocka_unit_test(ports_cannot_be_guessed),
        cmocka_unit_test(dont_fragment_is_the_programs_choice),
        cmocka_unit_test(an_end_takes_closed_connections_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
