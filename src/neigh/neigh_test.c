/* SPDX-License-Identifier: Apache-2.0 */
#include "neigh/fix_test.h"

static const struct addr our = {.b = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}};
static const struct addr peer = {.b = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2}};
static const struct addr any4 = {.b = {[10] = 0xff, [11] = 0xff}};

static struct addr host(unsigned last) { return addr_ip4(0x0a000000 + last); }

/* With our address, its announcements sent. */
static void fix_open(struct fix *f)
{
    open_quiet(f);
    assert_int_equal(neigh_addr_add(&f->neigh, f->n.nif, &our, false), 0);
}

static void settle(struct fix *f)
{
    advance(f, 3 * W_S);
    (void)net_flush(&f->n, f->n.nif);
}

static enum drop out(struct fix *f, const struct addr *to, uint8_t mark)
{
    struct pkt *p = pkt_new(&f->n.env.mem);
    uint8_t b[40] = {0x45, [39] = mark};
    assert_non_null(p);
    assert_true(pkt_append_copy(p, b, sizeof b));
    return neigh_output(&f->neigh, f->n.nif, to, p);
}

/* What leaves next: an ARP packet (its op returned, *arp filled), an IP packet (0x100 + mark), or
 * nothing (-1); its destination MAC to `dst`. */
static int leaves(struct fix *f, struct wire_arp *arp, uint8_t *dst)
{
    struct pkt *p = net_sent(&f->n, f->n.nif);
    if (p == NULL)
        return -1;
    uint8_t *d = pkt_data(p);
    memcpy(dst, d, 6);
    int result = 0x100 + d[14 + 39];
    if (w_be16(d + 12) == ETYPE_ARP) {
        assert_int_equal(wire_arp_parse(d + 14, p->lin - 14u, arp), DROP_NONE);
        result = arp->op;
    }
    pkt_free(p);
    return result;
}

static enum next arp_in(struct fix *f, const struct wire_arp *h, enum drop *why)
{
    uint8_t b[WIRE_ARP_LEN];
    wire_arp_build(b, h);
    struct pkt *p = net_pkt(&f->n, b, sizeof b);
    enum next next = arp_input(&f->neigh, f->n.nif, p);
    *why = DROP_NONE;
    if (next == NEXT_DROP) {
        *why = (enum drop)p->drop;
        pkt_free(p);
    }
    return next;
}

static enum drop arp(struct fix *f, uint16_t op, const uint8_t *sha, const struct addr *spa,
                     const struct addr *tpa)
{
    struct wire_arp h = {.op = op, .spa = *spa, .tpa = *tpa};
    enum drop why;
    memcpy(h.sha, sha, 6);
    (void)arp_in(f, &h, &why);
    return why;
}

static enum neigh_state state_of(struct fix *f, const struct addr *a)
{
    uint32_t i = 0;
    for (const struct neigh_entry *e; (e = neigh_iter(&f->neigh, i)) != NULL;) {
        i = neigh_index(&f->neigh, e);
        if (addr_eq(&e->addr, a))
            return (enum neigh_state)e->state;
    }
    return NEIGH_NONE;
}

/* If this fails, no packet ever reaches a new neighbour, or packets overtake each other. */
static void resolves_and_sends_what_was_held(void **state)
{
    (void)state;
    struct fix f;
    struct wire_arp a;
    uint8_t dst[6];
    fix_open(&f);
    settle(&f);
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(out(&f, &peer, i), DROP_NONE);
    assert_int_equal(leaves(&f, &a, dst), ARP_REQUEST);
    assert_memory_equal(dst, net_bcast_mac, 6);
    assert_memory_equal(a.sha, net_mac, 6);
    assert_true(addr_eq(&a.spa, &our));
    assert_true(addr_eq(&a.tpa, &peer));
    assert_int_equal(leaves(&f, &a, dst), -1);
    assert_int_equal(state_of(&f, &peer), NEIGH_INCOMPLETE);
    assert_int_equal(arp(&f, ARP_REPLY, net_peer_mac, &peer, &our), DROP_NONE);
    assert_int_equal(state_of(&f, &peer), NEIGH_REACHABLE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(leaves(&f, &a, dst), 0x100 + i);
        assert_memory_equal(dst, net_peer_mac, 6);
    }
    assert_int_equal(out(&f, &peer, 9), DROP_NONE);
    assert_int_equal(leaves(&f, &a, dst), 0x109);
    fix_close(&f);
}

/* If this fails, a program waits for ever for a host that is off, instead of EHOSTUNREACH. */
static void silent_neighbour_is_given_up(void **state)
{
    (void)state;
    struct fix f;
    struct wire_arp a;
    uint8_t dst[6];
    fix_open(&f);
    settle(&f);
    (void)out(&f, &peer, 1);
    (void)out(&f, &peer, 2);
    advance(&f, 2900 * W_MS);
    assert_null(neigh_failed_pop(&f.neigh));
    for (int i = 0; i < 3; i++)
        assert_int_equal(leaves(&f, &a, dst), ARP_REQUEST);
    assert_int_equal(leaves(&f, &a, dst), -1);
    advance(&f, 200 * W_MS);
    assert_int_equal(state_of(&f, &peer), NEIGH_FAILED);
    for (uint8_t i = 1; i < 3; i++) {
        struct pkt *p = neigh_failed_pop(&f.neigh);
        assert_non_null(p);
        assert_int_equal(pkt_data(p)[39], i);
        pkt_free(p);
    }
    assert_null(neigh_failed_pop(&f.neigh));
    /* The next packet asks again. */
    (void)out(&f, &peer, 3);
    assert_int_equal(leaves(&f, &a, dst), ARP_REQUEST);
    assert_int_equal(arp(&f, ARP_REPLY, net_peer_mac, &peer, &our), DROP_NONE);
    assert_int_equal(leaves(&f, &a, dst), 0x103);
    fix_close(&f);
}

/* If this fails, a neighbour that does not answer pins memory without bound, or the packets kept
 * are the old ones [RFC 1122 2.3.2.2]. */
static void held_packets_are_bounded_oldest_go(void **state)
{
    (void)state;
    struct fix f;
    struct wire_arp a;
    uint8_t dst[6];
    fix_open(&f);
    settle(&f);
    f.n.env.conf.neigh_unres_qlen = 3;
    for (uint8_t i = 0; i < 5; i++)
        (void)out(&f, &peer, i);
    assert_int_equal(f.n.env.drops[DROP_NEIGH_FULL], 2);
    assert_int_equal(leaves(&f, &a, dst), ARP_REQUEST);
    (void)arp(&f, ARP_REPLY, net_peer_mac, &peer, &our);
    for (int i = 2; i < 5; i++)
        assert_int_equal(leaves(&f, &a, dst), 0x100 + i);
    f.n.env.conf.neigh_unres_qlen_bytes = 100;
    struct addr other = host(3);
    for (uint8_t i = 0; i < 3; i++)
        (void)out(&f, &other, i);
    assert_int_equal(f.n.env.drops[DROP_NEIGH_FULL], 3);
    fix_close(&f);
}

/* If this fails, a neighbour that moved or died is believed in for ever, or a live one is asked all
 * the time [RFC 4861 7.3]. */
static void reachability_ages_and_is_confirmed(void **state)
{
    (void)state;
    struct fix f;
    struct wire_arp a;
    uint8_t dst[6];
    fix_open(&f);
    settle(&f);
    (void)out(&f, &peer, 0);
    (void)arp(&f, ARP_REPLY, net_peer_mac, &peer, &our);
    (void)net_flush(&f.n, f.n.nif);
    advance(&f, 46 * W_S);
    assert_int_equal(state_of(&f, &peer), NEIGH_STALE);
    /* Used: goes out at once, then waits for a confirmation, then asks, unicast. */
    (void)out(&f, &peer, 1);
    assert_int_equal(leaves(&f, &a, dst), 0x101);
    assert_int_equal(state_of(&f, &peer), NEIGH_DELAY);
    advance(&f, 4900 * W_MS);
    assert_int_equal(leaves(&f, &a, dst), -1);
    neigh_confirm(&f.neigh, f.n.nif, &peer);
    assert_int_equal(state_of(&f, &peer), NEIGH_REACHABLE);
    advance(&f, 46 * W_S);
    assert_int_equal(state_of(&f, &peer), NEIGH_STALE);
    (void)out(&f, &peer, 2);
    assert_int_equal(leaves(&f, &a, dst), 0x102);
    advance(&f, 5100 * W_MS);
    assert_int_equal(state_of(&f, &peer), NEIGH_PROBE);
    assert_int_equal(leaves(&f, &a, dst), ARP_REQUEST);
    assert_memory_equal(dst, net_peer_mac, 6);
    (void)arp(&f, ARP_REPLY, net_peer_mac, &peer, &our);
    assert_int_equal(state_of(&f, &peer), NEIGH_REACHABLE);
    /* Confirmed again and again it stays reachable without a question. */
    for (int i = 0; i < 20; i++) {
        advance(&f, 10 * W_S);
        assert_int_equal(state_of(&f, &peer), NEIGH_REACHABLE);
        neigh_confirm(&f.neigh, f.n.nif, &peer);
    }
    assert_int_equal(leaves(&f, &a, dst), -1);
    /* Silent when probed: given up. */
    advance(&f, 46 * W_S);
    (void)out(&f, &peer, 3);
    advance(&f, 9 * W_S);
    assert_int_equal(state_of(&f, &peer), NEIGH_FAILED);
    fix_close(&f);
}

/* If this fails, a router that died is noticed only when its entry ages, however loudly connections
 * complain [RFC 1122 3.3.1.4]. */
static void advice_makes_a_neighbour_stale(void **state)
{
    (void)state;
    struct fix f;
    struct wire_arp a;
    uint8_t dst[6];
    fix_open(&f);
    settle(&f);
    neigh_doubt(&f.neigh, f.n.nif, &peer); /* nobody */
    (void)out(&f, &peer, 0);
    neigh_doubt(&f.neigh, f.n.nif, &peer);
    assert_int_equal(state_of(&f, &peer), NEIGH_INCOMPLETE);
    (void)arp(&f, ARP_REPLY, net_peer_mac, &peer, &our);
    (void)net_flush(&f.n, f.n.nif);
    assert_int_equal(state_of(&f, &peer), NEIGH_REACHABLE);
    neigh_doubt(&f.neigh, f.n.nif, &peer);
    assert_int_equal(state_of(&f, &peer), NEIGH_STALE);
    (void)out(&f, &peer, 1);
    assert_int_equal(leaves(&f, &a, dst), 0x101);
    advance(&f, 5100 * W_MS);
    assert_int_equal(leaves(&f, &a, dst), ARP_REQUEST);
    assert_int_equal(state_of(&f, &peer), NEIGH_PROBE);
    fix_close(&f);
}

/* If this fails, we answer for other hosts' addresses, or not for ours. */
static void answers_for_our_addresses_only(void **state)
{
    (void)state;
    struct fix f;
    struct wire_arp a;
    uint8_t dst[6];
    struct addr other = host(77);
    fix_open(&f);
    settle(&f);
    assert_int_equal(arp(&f, ARP_REQUEST, net_peer_mac, &peer, &our), DROP_NONE);
    assert_int_equal(leaves(&f, &a, dst), ARP_REPLY);
    assert_memory_equal(dst, net_peer_mac, 6);
    assert_memory_equal(a.tha, net_peer_mac, 6);
    assert_memory_equal(a.sha, net_mac, 6);
    assert_true(addr_eq(&a.spa, &our));
    assert_true(addr_eq(&a.tpa, &peer));
    /* Who asks for us will be spoken to: it is known now, but not as reachable. */
    assert_int_equal(state_of(&f, &peer), NEIGH_STALE);
    assert_int_equal(arp(&f, ARP_REQUEST, net_peer_mac, &peer, &other), DROP_ARP_NOT_OURS);
    assert_int_equal(leaves(&f, &a, dst), -1);
    neigh_addr_del(&f.neigh, f.n.nif, &our);
    assert_int_equal(arp(&f, ARP_REQUEST, net_peer_mac, &peer, &our), DROP_ARP_NOT_OURS);
    fix_close(&f);
}

/* If this fails, malformed ARP is acted on, or dropped without a name. */
static void impossible_arp_is_named(void **state)
{
    (void)state;
    struct fix f;
    struct addr mc = addr_ip4(0xe0000001), lo = addr_ip4(0x7f000001);
    const uint8_t zero[6] = {0};
    fix_open(&f);
    settle(&f);
    assert_int_equal(arp(&f, 3, net_peer_mac, &peer, &our), DROP_ARP_OP);
    assert_int_equal(arp(&f, ARP_REQUEST, net_bcast_mac, &peer, &our), DROP_ARP_SENDER);
    assert_int_equal(arp(&f, ARP_REQUEST, zero, &peer, &our), DROP_ARP_SENDER);
    assert_int_equal(arp(&f, ARP_REQUEST, net_mac, &our, &our), DROP_ARP_SENDER);
    assert_int_equal(arp(&f, ARP_REQUEST, net_peer_mac, &mc, &our), DROP_ARP_SENDER);
    assert_int_equal(arp(&f, ARP_REPLY, net_peer_mac, &any4, &our), DROP_ARP_SENDER);
    assert_int_equal(arp(&f, ARP_REQUEST, net_peer_mac, &peer, &lo), DROP_ARP_SENDER);
    assert_int_equal(arp(&f, ARP_REPLY, net_peer_mac, &peer, &our), DROP_ARP_UNASKED);
    uint8_t b[WIRE_ARP_LEN] = {0};
    struct pkt *p = net_pkt(&f.n, b, 20);
    assert_int_equal(arp_input(&f.neigh, f.n.nif, p), NEXT_DROP);
    assert_int_equal(p->drop, DROP_ARP_SHORT);
    pkt_free(p);
    p = net_pkt(&f.n, b, sizeof b);
    assert_int_equal(arp_input(&f.neigh, f.n.nif, p), NEXT_DROP);
    assert_int_equal(p->drop, DROP_ARP_FORMAT);
    pkt_free(p);
    assert_int_equal(net_flush(&f.n, f.n.nif), 0);
    fix_close(&f);
}

/* If this fails, anybody on the LAN fills our neighbour table or makes us an ARP amplifier. */
static void arp_flood_finds_nothing_to_fill(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f);
    settle(&f);
    /* A neighbour in use. */
    (void)out(&f, &peer, 0);
    (void)arp(&f, ARP_REPLY, net_peer_mac, &peer, &our);
    (void)net_flush(&f.n, f.n.nif);
    struct addr a = {0};
    for (unsigned i = 0; i < 5000; i++) {
        a = addr_ip4(0x0a000100 + i);
        struct addr b = addr_ip4(0x0a010000 + i);
        (void)arp(&f, ARP_REPLY, net_peer_mac, &a, &our);
        (void)arp(&f, ARP_REQUEST, net_peer_mac, &a, &b);
    }
    assert_int_equal(f.neigh.pool.in_use, 1);
    assert_int_equal(net_flush(&f.n, f.n.nif), 0);
    unsigned replies = 0;
    for (unsigned i = 0; i < 5000; i++) {
        a = addr_ip4(0x0a000100 + i);
        (void)arp(&f, ARP_REQUEST, net_peer_mac, &a, &our);
        replies += net_flush(&f.n, f.n.nif);
    }
    assert_int_equal(replies, 200);
    assert_int_equal(f.n.env.drops[DROP_NEIGH_TABLE], 0);
    assert_true(f.neigh.pool.in_use <= 16);
    assert_int_equal(state_of(&f, &peer), NEIGH_REACHABLE);
    /* Stale by now, but used: it stays, and among the others the latest to ask is known. */
    advance(&f, 50 * W_S);
    for (unsigned i = 0; i < 40; i++) {
        a = addr_ip4(0x0a000100 + i);
        (void)arp(&f, ARP_REQUEST, net_peer_mac, &a, &our);
    }
    assert_int_equal(state_of(&f, &peer), NEIGH_STALE);
    assert_int_equal(state_of(&f, &a), NEIGH_STALE);
    fix_close(&f);
}

/* If this fails, a host that talks to more neighbours than the table holds loses the ones it talks
 * to, or cannot talk to new ones. */
static void full_table_gives_up_what_is_idle(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f);
    settle(&f);
    /* Sixteen that never answer: all in use, no room for a seventeenth. */
    for (unsigned i = 0; i < 16; i++) {
        struct addr a = host(10 + i);
        assert_int_equal(out(&f, &a, 0), DROP_NONE);
    }
    struct addr late = host(99);
    assert_int_equal(out(&f, &late, 0), DROP_NEIGH_TABLE);
    advance(&f, 4 * W_S);
    assert_int_equal(out(&f, &late, 0), DROP_NONE);
    assert_int_equal(f.neigh.pool.in_use, 16);
    (void)arp(&f, ARP_REPLY, net_peer_mac, &late, &our);
    /* Now many stale ones, `late` used last: it stays. */
    advance(&f, 60 * W_S);
    (void)out(&f, &late, 1);
    neigh_confirm(&f.neigh, f.n.nif, &late);
    for (unsigned i = 0; i < 40; i++) {
        struct addr a = host(100 + i);
        (void)out(&f, &a, 0);
        (void)arp(&f, ARP_REPLY, net_peer_mac, &a, &our);
        advance(&f, 100 * W_S);
        (void)out(&f, &late, 1);
        neigh_confirm(&f.neigh, f.n.nif, &late);
        (void)net_flush(&f.n, f.n.nif);
        assert_int_equal(state_of(&f, &late), NEIGH_REACHABLE);
    }
    /* Whoever asks for us does not push out those we talked to. */
    struct addr stranger = host(250);
    (void)arp(&f, ARP_REQUEST, net_peer_mac, &stranger, &our);
    assert_int_equal(net_flush(&f.n, f.n.nif), 1);
    assert_int_equal(state_of(&f, &stranger), NEIGH_NONE);
    fix_close(&f);
}

/* If this fails, a neighbour that changed its network card is unreachable until its entry ages, or
 * one forged packet takes a fresh neighbour over. */
static void changed_mac_is_learned_with_care(void **state)
{
    (void)state;
    struct fix f;
    struct wire_arp a;
    uint8_t dst[6];
    const uint8_t new_mac[6] = {2, 0, 0, 0, 0, 0x33};
    fix_open(&f);
    settle(&f);
    (void)out(&f, &peer, 0);
    (void)arp(&f, ARP_REPLY, net_peer_mac, &peer, &our);
    (void)net_flush(&f.n, f.n.nif);
    /* Within the lock time the first answer counts. */
    (void)arp(&f, ARP_REPLY, new_mac, &peer, &our);
    (void)out(&f, &peer, 1);
    assert_int_equal(leaves(&f, &a, dst), 0x101);
    assert_memory_equal(dst, net_peer_mac, 6);
    advance(&f, 2 * W_S);
    /* Gratuitous ARP: used, but to be verified. */
    assert_int_equal(arp(&f, ARP_REQUEST, new_mac, &peer, &peer), DROP_ARP_NOT_OURS);
    assert_int_equal(state_of(&f, &peer), NEIGH_STALE);
    (void)out(&f, &peer, 2);
    assert_int_equal(leaves(&f, &a, dst), 0x102);
    assert_memory_equal(dst, new_mac, 6);
    /* An entry made by hand is nobody else's to change. */
    assert_int_equal(neigh_set(&f.neigh, f.n.nif, &peer, net_peer_mac), 0);
    advance(&f, 2 * W_S);
    (void)arp(&f, ARP_REPLY, new_mac, &peer, &our);
    (void)out(&f, &peer, 3);
    assert_int_equal(leaves(&f, &a, dst), 0x103);
    assert_memory_equal(dst, net_peer_mac, 6);
    assert_int_equal(neigh_del(&f.neigh, f.n.nif, &peer), 0);
    assert_int_equal(neigh_del(&f.neigh, f.n.nif, &peer), -2);
    fix_close(&f);
}

/* If this fails, broadcasts and multicasts go to one host, or are asked about. */
static void groups_need_no_question(void **state)
{
    (void)state;
    struct fix f;
    struct wire_arp a;
    uint8_t dst[6];
    const uint8_t group_mac[6] = {0x01, 0x00, 0x5e, 0x01, 0x02, 0x03};
    struct addr all = addr_ip4(0xffffffff), group = addr_ip4(0xe0810203);
    fix_open(&f);
    settle(&f);
    (void)out(&f, &all, 1);
    assert_int_equal(leaves(&f, &a, dst), 0x101);
    assert_memory_equal(dst, net_bcast_mac, 6);
    (void)out(&f, &group, 2);
    assert_int_equal(leaves(&f, &a, dst), 0x102);
    assert_memory_equal(dst, group_mac, 6);
    assert_int_equal(f.neigh.pool.in_use, 0);
    fix_close(&f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(resolves_and_sends_what_was_held),
    cmocka_unit_test(silent_neighbour_is_given_up),
    cmocka_unit_test(held_packets_are_bounded_oldest_go),
    cmocka_unit_test(reachability_ages_and_is_confirmed),
    cmocka_unit_test(advice_makes_a_neighbour_stale),
    cmocka_unit_test(answers_for_our_addresses_only),
    cmocka_unit_test(impossible_arp_is_named),
    cmocka_unit_test(arp_flood_finds_nothing_to_fill),
    cmocka_unit_test(full_table_gives_up_what_is_idle),
    cmocka_unit_test(changed_mac_is_learned_with_care),
    cmocka_unit_test(groups_need_no_question),
};
UNIT_MAIN(tests)
