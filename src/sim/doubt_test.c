/* SPDX-License-Identifier: Apache-2.0
 *
 * What TCP's silence says about the way there: whole stacks, a transfer, and a neighbour whose
 * address is wrong, as a damaged ARP reply leaves it (ARP has no checksum).
 */
#include "unit.h"

#include "sim/load.h"
#include "stack/stack.h"

static struct oracle o;
static struct load l;

static void cut(struct sim *s, bool is_cut)
{
    struct emu_conf c = {.rate_bps = 10000000, .delay_ns = W_MS};
    c.loss_ppm = is_cut ? 1000000 : 0;
    emu_set_conf(&s->link[0].dir[0], &c, s->now);
    emu_set_conf(&s->link[0].dir[1], &c, s->now);
}

/* As if it had just been confirmed. */
static void poison(struct sim_host *h, w_ns now)
{
    for (uint32_t i = 1; i <= h->w->neigh.pool.cap; i++) {
        if (!pool_is_live(&h->w->neigh.pool, i))
            continue;
        struct neigh_entry *e = pool_at(&h->w->neigh.pool, i);
        e->state = NEIGH_REACHABLE;
        e->confirmed = now;
        e->mac[1] ^= 0x40;
    }
}

/* If this failed a connection would send to a wrong neighbour for as long as that passes for known,
 * because the advice it once gave, when R1 was reached, was about an outage before. [RFC 9293 3.8.3
 * MUST-20, SHLD-10] */
static void every_timeout_beyond_r1_is_a_doubt(void **state)
{
    (void)state;
    for (unsigned is_ip6 = 0; is_ip6 < 2; is_ip6++) {
        struct sim *s = sim_new(3);
        struct weir_conf c;
        assert_non_null(s);
        weir_conf_default(&c);
        struct sim_join j = {
            .a_ip = 0x0a000001, .b_ip = 0x0a000002, .mtu = 1500, .has_ip6 = is_ip6 != 0};
        j.a = sim_add_host(s, &c);
        j.b = sim_add_host(s, &c);
        assert_int_equal(sim_join(s, &j), 0);
        cut(s, false);
        oracle_init(&o);
        load_init(&l, s, &o);
        l.is_dual = is_ip6 != 0;
        assert_int_equal(load_listen(&l, j.b), 0);
        struct xfer *x = load_add(&l, j.a, j.b, 0x0a000002, s->now + 3 * W_S);
        x->is_ip6 = is_ip6 != 0;
        x->end[0].conf.bytes = 500000;
        assert_false(load_run_world(&l, s->now + 3200 * W_MS));
        cut(s, true);
        /* Beyond tcp_retries1; then the other side asks for our address, and has its answer. */
        assert_false(load_run_world(&l, s->now + 4300 * W_MS));
        cut(s, false);
        assert_false(load_run_world(&l, s->now + 1500 * W_MS));
        poison(j.a, s->now);
        if (!load_run_world(&l, s->now + 20 * W_S))
            fail_msg("a wrong neighbour%s is believed", is_ip6 ? ", IPv6" : "");
        assert_int_equal(x->end[1].got, 500000);
        load_end_all(&l);
        (void)load_run_world(&l, s->now + 200 * W_S);
        assert_int_equal(sim_free(s), 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_timeout_beyond_r1_is_a_doubt),
};
UNIT_MAIN(tests)
