/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths whose middle is narrower than their ends, from 1280 bytes to 65520: whole stacks, a bulk
 * transfer both ways, judged by the oracles. With ICMP it is as good as nothing; without, it costs
 * a few seconds, once.
 */
#include "unit.h"

#include "sim/load.h"
#include "stack/stack.h"

struct path {
    uint32_t link, hop; /* MTUs; hop 0: none */
    bool tells, is_ip6;
    uint32_t probing;   /* tcp_mtu_probing of both */
    uint32_t bound_ms;  /* within which both transfers end */
    uint32_t more_than; /* an IP packet longer than this crosses the hop, at the end */
};

enum { BYTES = 800000 };

struct seen {
    struct oracle o;
    uint32_t longest; /* IP packet that reached a host */
};

static void watch(void *ctx, w_ns now, unsigned host, bool is_out, const uint8_t *frame, uint32_t n)
{
    struct seen *seen = ctx;
    oracle_watch(&seen->o, now, host, is_out, frame, n);
    if (!is_out && n - 14 > seen->longest)
        seen->longest = n - 14;
}

static void cross(const struct path *p)
{
    static struct seen seen;
    static struct load l;
    struct sim *s = sim_new(7);
    struct weir_conf c;
    assert_non_null(s);
    weir_conf_default(&c);
    c.tcp_mtu_probing = p->probing;
    struct sim_join j = {
        .a_ip = 0x0a000001, .b_ip = 0x0a000002, .mtu = p->link, .has_ip6 = p->is_ip6};
    j.ab = (struct emu_conf){.rate_bps = 20000000,
                             .delay_ns = 5 * W_MS,
                             .limit_bytes = 70000,
                             .mtu = p->hop,
                             .has_too_big = p->tells};
    j.ba = j.ab;
    j.a = sim_add_host(s, &c);
    j.b = sim_add_host(s, &c);
    assert_int_equal(sim_join(s, &j), 0);
    seen = (struct seen){0};
    oracle_init(&seen.o);
    seen.o.link_mtu = p->link;
    s->watch = watch;
    s->watch_ctx = &seen;
    load_init(&l, s, &seen.o);
    l.is_dual = p->is_ip6;
    assert_int_equal(load_listen(&l, j.b), 0);
    struct xfer *x = load_add(&l, j.a, j.b, 0x0a000002, s->now);
    x->is_ip6 = p->is_ip6;
    x->end[0].conf.bytes = x->end[1].conf.bytes = BYTES;
    bool is_done = load_run_world(&l, s->now + p->bound_ms * W_MS);
    if (oracle_is_violated(&seen.o))
        fail_msg("%u over %u: %s", p->link, p->hop, seen.o.violation);
    if (!is_done)
        fail_msg("%u over %u: not done in %u ms", p->link, p->hop, p->bound_ms);
    if (seen.longest <= p->more_than || (p->hop != 0 && seen.longest > p->hop))
        fail_msg("%u over %u: longest packet %u", p->link, p->hop, seen.longest);
    load_end_all(&l);
    (void)load_run_world(&l, s->now + 200 * W_S);
    assert_int_equal(sim_free(s), 0);
}

/* If this failed some size of interface would not work at all. [RFC 9293 3.7.1 MUST-16] */
static void every_link_is_filled(void **state)
{
    static const uint32_t mtus[] = {1280, 1500, 9000, 65520};
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        cross(&(struct path){.link = mtus[i / 2],
                             .is_ip6 = i % 2 != 0,
                             .probing = 1,
                             .bound_ms = 3000,
                             .more_than = mtus[i / 2] - 12});
}

/* If this failed a hop that says what is too big would cost a timeout, or be used below its size.
 * [RFC 1191 3 MUST-1, MUST-4; RFC 8201 4 MUST-1] */
static void a_hop_that_tells_costs_nothing(void **state)
{
    static const uint32_t mtus[][2] = {{1500, 1280}, {1500, 1492}, {9000, 1500}, {65520, 1400}};
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        cross(&(struct path){.link = mtus[i / 2][0],
                             .hop = mtus[i / 2][1],
                             .tells = true,
                             .is_ip6 = i % 2 != 0,
                             .bound_ms = 3000,
                             .more_than = mtus[i / 2][1] - 12});
}

/* If this failed a transfer over a black hole would hang until it is given up, or crawl for ever.
 * [RFC 4821 7.7 SHLD-8] */
static void a_black_hole_is_left(void **state)
{
    static const uint32_t mtus[][3] = {{1500, 1280, 1272},
                                       {1500, 1492, 1480},
                                       {1500, 600, 580},
                                       {9000, 1500, 1480},
                                       {65520, 9000, 1492}};
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        bool is_ip6 = i % 2 != 0;
        if (is_ip6 && mtus[i / 2][1] < 1280)
            continue;
        cross(&(struct path){.link = mtus[i / 2][0],
                             .hop = mtus[i / 2][1],
                             .is_ip6 = is_ip6,
                             .probing = 1,
                             .bound_ms = 30000,
                             .more_than = mtus[i / 2][2] - 12});
    }
}

/* If this failed tcp_mtu_probing 2 would not reach what the path carries. [RFC 4821 7.1 MUST-2] */
static void probing_from_the_start(void **state)
{
    static const uint32_t mtus[][3] = {{1500, 1400, 1250}, {9000, 4000, 1490}};
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        cross(&(struct path){.link = mtus[i / 2][0],
                             .hop = mtus[i / 2][1],
                             .is_ip6 = i % 2 != 0,
                             .probing = 2,
                             .bound_ms = 10000,
                             .more_than = mtus[i / 2][2]});
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_link_is_filled),
    cmocka_unit_test(a_hop_that_tells_costs_nothing),
    cmocka_unit_test(a_black_hole_is_left),
    cmocka_unit_test(probing_from_the_start),
};
UNIT_MAIN(tests)
