/* SPDX-License-Identifier: Apache-2.0 */
#include "neigh/fix_test.h"

static const struct addr our = {.b = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}};
static const struct addr peer = {.b = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2}};
static const struct addr any4 = {.b = {[10] = 0xff, [11] = 0xff}};

static void fix_open(struct fix *f, bool probe)
{
    open_quiet(f);
    assert_int_equal(neigh_addr_add(&f->neigh, f->n.nif, &our, probe), 0);
}

/* The next ARP request that left; false: none. */
static bool asked(struct fix *f, struct wire_arp *a)
{
    struct pkt *p = net_sent(&f->n, f->n.nif);
    if (p == NULL)
        return false;
    assert_int_equal(wire_arp_parse(pkt_data(p) + 14, p->lin - 14u, a), DROP_NONE);
    assert_int_equal(a->op, ARP_REQUEST);
    assert_memory_equal(pkt_data(p), net_bcast_mac, 6);
    pkt_free(p);
    return true;
}

static enum drop arp(struct fix *f, uint16_t op, const struct addr *spa, const struct addr *tpa)
{
    struct wire_arp h = {.op = op, .spa = *spa, .tpa = *tpa};
    uint8_t b[WIRE_ARP_LEN];
    memcpy(h.sha, net_peer_mac, 6);
    wire_arp_build(b, &h);
    struct pkt *p = net_pkt(&f->n, b, sizeof b);
    enum drop why = DROP_NONE;
    if (arp_input(&f->neigh, f->n.nif, p) == NEXT_DROP) {
        why = (enum drop)p->drop;
        pkt_free(p);
    }
    return why;
}

/* If this fails, two hosts use one address, because nobody looked before [RFC 5227 2.1.1]. */
static void probes_then_announces(void **state)
{
    (void)state;
    struct fix f;
    struct wire_arp a;
    unsigned probes = 0, announcements = 0;
    fix_open(&f, true);
    assert_int_equal(neigh_addr_state(&f.neigh, f.n.nif, &our), NEIGH_ADDR_PROBING);
    /* Not ours yet: no answer for it. */
    assert_int_equal(arp(&f, ARP_REQUEST, &peer, &our), DROP_ARP_NOT_OURS);
    for (int i = 0; i < 100; i++) {
        advance(&f, 100 * W_MS);
        while (asked(&f, &a)) {
            assert_true(addr_eq(&a.tpa, &our));
            bool is_probe = addr_is_any(&a.spa);
            assert_true(is_probe || addr_eq(&a.spa, &our));
            assert_true(wire_mac_is_zero(a.tha));
            probes += is_probe;
            announcements += !is_probe;
            assert_true(!is_probe || announcements == 0);
        }
    }
    assert_int_equal(probes, 3);
    assert_int_equal(announcements, 2);
    assert_int_equal(neigh_addr_state(&f.neigh, f.n.nif, &our), NEIGH_ADDR_OURS);
    const struct neigh_addr *c = neigh_addr_pop(&f.neigh);
    assert_non_null(c);
    assert_true(addr_eq(&c->addr, &our));
    assert_null(neigh_addr_pop(&f.neigh));
    fix_close(&f);
}

/* If this fails, an address somebody else has is used all the same. */
static void conflict_while_probing_gives_the_address_up(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct fix f;
        enum drop why;
        fix_open(&f, true);
        advance(&f, 1500 * W_MS);
        if (kind == 0)
            why = arp(&f, ARP_REPLY, &our, &any4); /* our probe is answered */
        else if (kind == 1)
            why = arp(&f, ARP_REPLY, &our, &peer); /* somebody is seen to have it */
        else
            why = arp(&f, ARP_REQUEST, &any4, &our); /* somebody probes for it too */
        assert_int_equal(why, DROP_ARP_CONFLICT);
        advance(&f, 20 * W_S);
        assert_int_equal(neigh_addr_state(&f.neigh, f.n.nif, &our), NEIGH_ADDR_CONFLICT);
        assert_int_equal(f.n.env.stats[STAT_ArpConflicts], 1);
        assert_int_equal(arp(&f, ARP_REQUEST, &peer, &our), DROP_ARP_NOT_OURS);
        const struct neigh_addr *c = neigh_addr_pop(&f.neigh);
        assert_non_null(c);
        assert_int_equal(c->state, NEIGH_ADDR_CONFLICT);
        (void)net_flush(&f.n, f.n.nif);
        fix_close(&f);
    }
}

/* If this fails, somebody who takes our address goes unnoticed, or the two of us fill the LAN with
 * announcements [RFC 5227 2.4 (c)]. */
static void address_in_use_is_defended_at_a_bounded_rate(void **state)
{
    (void)state;
    struct fix f;
    struct wire_arp a;
    fix_open(&f, false);
    assert_true(asked(&f, &a));
    advance(&f, 3 * W_S);
    assert_true(asked(&f, &a));
    assert_false(asked(&f, &a));
    for (int i = 0; i < 50; i++)
        assert_int_equal(arp(&f, ARP_REPLY, &our, &peer), DROP_ARP_CONFLICT);
    assert_true(asked(&f, &a));
    assert_true(addr_eq(&a.spa, &our));
    assert_true(addr_eq(&a.tpa, &our));
    assert_false(asked(&f, &a));
    advance(&f, 10 * W_S);
    (void)arp(&f, ARP_REQUEST, &our, &peer);
    assert_true(asked(&f, &a));
    assert_false(asked(&f, &a));
    assert_int_equal(f.n.env.stats[STAT_ArpConflicts], 51);
    assert_int_equal(neigh_addr_state(&f.neigh, f.n.nif, &our), NEIGH_ADDR_OURS);
    /* The thief's MAC was not learned. */
    assert_int_equal(f.neigh.pool.in_use, 0);
    fix_close(&f);
}

/* If this fails, a host that probes for our address is not told that it is taken. */
static void probe_for_our_address_is_answered(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, false);
    advance(&f, 3 * W_S);
    (void)net_flush(&f.n, f.n.nif);
    assert_int_equal(arp(&f, ARP_REQUEST, &any4, &our), DROP_NONE);
    assert_int_equal(net_flush(&f.n, f.n.nif), 1);
    assert_int_equal(f.neigh.pool.in_use, 0);
    assert_int_equal(f.n.env.stats[STAT_ArpConflicts], 0);
    fix_close(&f);
}

/* If this fails, the table of our addresses overflows or leaks slots. */
static void own_addresses_are_bounded(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, false);
    assert_int_equal(neigh_addr_add(&f.neigh, f.n.nif, &our, false), -17);
    for (unsigned i = 1; i < NEIGH_ADDRS; i++) {
        struct addr a = addr_ip4(0x0a000100 + i);
        assert_int_equal(neigh_addr_add(&f.neigh, f.n.nif, &a, i % 2), 0);
    }
    struct addr a = addr_ip4(0x0a000900);
    assert_int_equal(neigh_addr_add(&f.neigh, f.n.nif, &a, false), -28);
    neigh_addr_del(&f.neigh, f.n.nif, &our);
    assert_int_equal(neigh_addr_add(&f.neigh, f.n.nif, &a, false), 0);
    advance(&f, 20 * W_S);
    (void)net_flush(&f.n, f.n.nif);
    fix_close(&f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(probes_then_announces),
    cmocka_unit_test(conflict_while_probing_gives_the_address_up),
    cmocka_unit_test(address_in_use_is_defended_at_a_bounded_rate),
    cmocka_unit_test(probe_for_our_address_is_answered),
    cmocka_unit_test(own_addresses_are_bounded),
};
UNIT_MAIN(tests)
