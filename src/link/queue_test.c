/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

static enum drop put(struct net *n, uint8_t mark, w_ns when)
{
    struct pkt *p = pkt_new(&n->env.mem);
    assert_non_null(p);
    assert_true(pkt_append_copy(p, &mark, 1));
    p->when = when;
    return eth_output(&n->link, n->nif, net_peer_mac, ETYPE_IP4, p);
}

/* The mark of the next frame, -1: none. */
static int get(struct net *n)
{
    struct pkt *p = net_sent(n, n->nif);
    int mark = -1;
    if (p != NULL) {
        mark = pkt_data(p)[WIRE_ETH_HLEN];
        pkt_free(p);
    }
    return mark;
}

/* If this fails, a queue grows without bound, or its losses are invisible [system.md D8]. */
static void txqueuelen_bounds_the_queue_and_counts(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    assert_int_equal(n.nif->q.limit, 1000);
    assert_int_equal(link_set_txqueuelen(&n.link, n.nif, 3), 0);
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(put(&n, i, 0), DROP_NONE);
    assert_int_equal(put(&n, 3, 0), DROP_QDISC_FULL);
    assert_int_equal(put(&n, 4, n.env.now + W_MS), DROP_QDISC_FULL);
    assert_int_equal(n.nif->q.drops, 2);
    assert_int_equal(n.env.drops[DROP_QDISC_FULL], 2);
    assert_int_equal(n.nif->q.high_water, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(get(&n), i);
    assert_int_equal(get(&n), -1);
    assert_int_equal(link_set_txqueuelen(&n.link, n.nif, LINK_TXQ_MAX + 1), -22);
    net_close(&n);
}

/* If this fails, paced packets leave too early, too late, or out of order; or one paced connection
 * holds up all others. */
static void departure_times_are_kept(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    w_ns t = n.env.now;
    (void)put(&n, 1, t + 30);
    (void)put(&n, 2, t + 10);
    (void)put(&n, 3, 0);
    (void)put(&n, 4, t + 20);
    (void)put(&n, 5, t + 10);
    assert_true(link_next(&n.link) <= n.env.now);
    assert_int_equal(get(&n), 3);
    assert_int_equal(get(&n), -1);
    assert_false(link_next(&n.link) <= n.env.now);
    assert_int_equal(link_next(&n.link), t + 10);
    n.env.now = t + 9;
    assert_int_equal(get(&n), -1);
    n.env.now = t + 25;
    (void)put(&n, 6, t + 25);
    assert_int_equal(get(&n), 2);
    assert_int_equal(get(&n), 5);
    assert_int_equal(get(&n), 4);
    assert_int_equal(get(&n), 6);
    assert_int_equal(get(&n), -1);
    assert_int_equal(link_next(&n.link), t + 30);
    n.env.now = t + 30;
    assert_int_equal(get(&n), 1);
    assert_int_equal(link_next(&n.link), W_NEVER);
    (void)put(&n, 7, t + 31);
    assert_int_equal(get(&n), -1);
    assert_int_equal(link_next(&n.link), t + 31);
    net_close(&n);
}

/* If this fails, a wild departure time pins a packet for ever. */
static void far_departure_is_refused(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    assert_int_equal(put(&n, 1, n.env.now + 11 * W_S), DROP_QDISC_HORIZON);
    assert_int_equal(put(&n, 1, W_NEVER), DROP_QDISC_HORIZON);
    assert_int_equal(put(&n, 1, n.env.now + 9 * W_S), DROP_NONE);
    net_close(&n);
}

/* If this fails, the time-ordered queue loses or misorders packets under load: compared with
 * sorting. */
static void heap_agrees_with_sorting(void **state)
{
    (void)state;
    struct net n;
    struct rng r;
    net_open(&n);
    rng_seed(&r, 7);
    w_ns start = n.env.now;
    enum { N = 900 };
    w_ns when[N];
    for (unsigned i = 0; i < N; i++) {
        struct pkt *p = pkt_new(&n.env.mem);
        when[i] = start + 1 + rng_below(&r, 200);
        p->when = when[i];
        p->user = i;
        assert_int_equal(eth_output(&n.link, n.nif, net_peer_mac, ETYPE_IP4, p), DROP_NONE);
    }
    n.env.now = start + 1000;
    w_ns last_when = 0;
    uint64_t last_user = 0;
    for (unsigned i = 0; i < N; i++) {
        struct pkt *p = net_sent(&n, n.nif);
        assert_non_null(p);
        assert_true(p->when >= last_when);
        assert_true(p->when > last_when || p->user > last_user || i == 0);
        assert_int_equal(p->when, when[p->user]);
        last_when = p->when;
        last_user = p->user;
        pkt_free(p);
    }
    assert_null(net_sent(&n, n.nif));
    net_close(&n);
}

/* If this fails, taking an interface down leaks what waited there, or sends it anyway. */
static void down_interface_empties_its_queue(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    (void)put(&n, 1, 0);
    (void)put(&n, 2, n.env.now + W_S);
    n.nif->flags = 0;
    assert_null(net_sent(&n, n.nif));
    assert_int_equal(n.env.drops[DROP_NIF_DOWN], 2);
    assert_int_equal(n.env.mem.pkts.in_use, 0);
    net_close(&n);
}

/* If this fails, interfaces with impossible parameters exist, or slots are not reused. */
static void interfaces_come_and_go(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    struct nif_conf c = {.name = "a-name-that-is-too-long", .mac = net_peer_mac, .mtu = 1500};
    for (int id = 2; id <= LINK_NIFS; id++)
        assert_int_equal(link_nif_add(&n.link, &c), id);
    assert_int_equal(link_nif_add(&n.link, &c), -23);
    assert_int_equal(strlen(link_nif(&n.link, 2)->name), NIF_NAME - 1);
    link_nif_del(&n.link, link_nif(&n.link, 3));
    assert_null(link_nif(&n.link, 3));
    assert_int_equal(link_nif_add(&n.link, &c), 3);
    assert_null(link_nif(&n.link, 0));
    assert_null(link_nif(&n.link, LINK_NIFS + 1));
    c.mtu = 67;
    assert_int_equal(link_nif_add(&n.link, &c), -22);
    c.mtu = 1500;
    c.mac = net_bcast_mac;
    assert_int_equal(link_nif_add(&n.link, &c), -22);
    net_close(&n);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(txqueuelen_bounds_the_queue_and_counts),
    cmocka_unit_test(departure_times_are_kept),
    cmocka_unit_test(far_departure_is_refused),
    cmocka_unit_test(heap_agrees_with_sorting),
    cmocka_unit_test(down_interface_empties_its_queue),
    cmocka_unit_test(interfaces_come_and_go),
};
UNIT_MAIN(tests)
