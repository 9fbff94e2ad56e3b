/* SPDX-License-Identifier: Apache-2.0
 *
 * What a connection waits for, in situations where it is known: the right limiter has the largest
 * share, and the shares add up to the connection's life to the nanosecond.
 */
#include "unit.h"

#include "sim/why.h"

#include <errno.h>

static unsigned largest(const struct weir_limits *l)
{
    unsigned most = 0;
    for (unsigned i = 1; i < WEIR_LIMIT_N; i++)
        most = l->ns[i] > l->ns[most] ? i : most;
    return most;
}

static void assert_adds_up(const struct weir_limits *l)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < WEIR_LIMIT_N; i++)
        sum += l->ns[i];
    assert_int_equal(sum, l->life);
}

/* If this failed somebody would enlarge a buffer and gain nothing. */
static void each_situation_is_named(void **state)
{
    (void)state;
    const struct why_case *c;
    for (unsigned i = 0; (c = why_case(i)) != NULL; i++) {
        struct weir_limits us, them;
        assert_int_equal(why_run(c, &us, &them), 0);
        assert_adds_up(&us);
        assert_adds_up(&them);
        if (largest(&us) != c->limit)
            fail_msg("%s is said to wait for %s", c->name, weir_limit_waiting(largest(&us)));
        if (us.ns[c->limit] * 100 < us.life * c->share)
            fail_msg("%s: only %d %% of the time", c->name, (int)(us.ns[c->limit] * 100 / us.life));
        if (largest(&them) != c->peer)
            fail_msg("%s: its peer is said to wait for %s", c->name,
                     weir_limit_waiting(largest(&them)));
        assert_false(us.is_receiver);
        assert_true(them.is_receiver);
    }
}

/* If this failed a stack that keeps no account would invent one. */
static void who_cannot_know_says_so(void **state)
{
    (void)state;
    struct weir_conf c;
    struct weir_limits l;
    uint64_t cursor = 0;
    weir_sock tcp, udp;
    for (unsigned i = 0; i < 2; i++) {
        struct sim *s = sim_new(1);
        weir_conf_default(&c);
        c.tcp_why = i;
        struct sim_host *h = sim_add_host(s, &c);
        struct weir_addr any = {.port = 80, .family = 4};
        assert_int_equal(weir_socket(h->w, WEIR_INET, WEIR_STREAM, &tcp), 0);
        assert_int_equal(weir_socket(h->w, WEIR_INET, WEIR_DGRAM, &udp), 0);
        assert_int_equal(weir_limits(h->w, s->now, udp, &l), -EOPNOTSUPP);
        assert_int_equal(weir_limits(h->w, s->now, tcp + 1000, &l), -EBADF);
        assert_int_equal(weir_limits(h->w, s->now, tcp, &l), i == 0 ? -ENODATA : -ENOTCONN);
        assert_int_equal(weir_bind(h->w, tcp, &any), 0);
        assert_int_equal(weir_listen(h->w, tcp, 1), 0);
        assert_int_equal(weir_limits(h->w, s->now, tcp, &l), i == 0 ? -ENODATA : -ENOTCONN);
        assert_false(weir_limits_next(h->w, s->now, &cursor, &l));
        weir_device_full(h->w, s->now, 7, true); /* no such interface: nothing */
        assert_int_equal(sim_free(s), 0);
    }
    assert_string_equal(weir_limit_name(WEIR_LIMIT_N), "?");
    assert_string_equal(weir_limit_waiting(~0u), "?");
    assert_string_equal(weir_limit_advice(WEIR_LIMIT_N), "?");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(who_cannot_know_says_so),
    cmocka_unit_test(each_situation_is_named),
};
UNIT_MAIN(tests)
