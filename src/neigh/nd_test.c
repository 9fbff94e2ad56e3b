/* SPDX-License-Identifier: Apache-2.0
 *
 * Neighbour discovery [RFC 4861 7, RFC 4862 5.4]: who is asked, answered, believed.
 */
#include "neigh/fix_test.h"
#include "wire/nd.h"

static const struct addr our = {.b = {0xfd, [15] = 1}}, peer = {.b = {0xfd, [15] = 2}};
static const struct addr none = {.d = {0}}, all = {.b = {0xff, 2, [15] = 1}};
static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 7};

static void fix_open(struct fix *f)
{
    open_quiet(f);
    assert_int_equal(neigh_addr_add(&f->neigh, f->n.nif, &our, false), 0);
    advance(f, 5 * W_S);
    (void)net_flush(&f->n, f->n.nif);
}

static enum drop out(struct fix *f, const struct addr *to)
{
    struct pkt *p = pkt_new(&f->n.env.mem);
    uint8_t b[48] = {0x60, [6] = 253};
    assert_true(pkt_append_copy(p, b, sizeof b));
    return neigh_output(&f->neigh, f->n.nif, to, p);
}

/* What left: a frame's addresses and, if it is neighbour discovery, its message. */
struct left {
    uint8_t dst[6];
    struct addr from, to;
    uint8_t hlim;
    struct wire_nd m; /* type 0: another packet */
};

static bool leaves(struct fix *f, struct left *l)
{
    uint8_t b[2000];
    struct wire_ip6 h;
    struct pkt *p = net_sent(&f->n, f->n.nif);
    *l = (struct left){.hlim = 0};
    if (p == NULL)
        return false;
    uint32_t n = pkt_copy_out(p, 0, b, sizeof b);
    pkt_free(p);
    memcpy(l->dst, b, 6);
    assert_int_equal(w_be16(b + 12), ETYPE_IP6);
    assert_int_equal(wire_ip6_parse(b + 14, n - 14, &h), DROP_NONE);
    l->from = h.src;
    l->to = h.dst;
    l->hlim = h.hlim;
    if (h.next != PROTO_ICMP6)
        return true;
    uint32_t sum = csum_pseudo(&h.src, &h.dst, PROTO_ICMP6, h.plen);
    assert_int_equal(csum_fold(csum_partial(CSUM_SCALAR, b + 54, h.plen, sum)), 0);
    assert_int_equal(wire_nd_parse(b + 54, h.plen, &l->m), DROP_NONE);
    return true;
}

/* A message from `from` to `to` arrives. */
static enum drop in(struct fix *f, const struct addr *from, const struct addr *to,
                    const struct wire_nd *m, bool *gone)
{
    struct pkt *p = pkt_new(&f->n.env.mem);
    bool is_gone;
    p->flow.remote = *from;
    p->flow.local = *to;
    enum next next = nd_input(&f->neigh, f->n.nif, p, m, &is_gone);
    if (gone != NULL)
        *gone = is_gone;
    if (next == NEXT_DONE)
        return DROP_NONE;
    assert_int_equal(next, NEXT_DROP);
    enum drop why = (enum drop)p->drop;
    pkt_free(p);
    return why;
}

static struct wire_nd na(uint8_t flags, const uint8_t *mac)
{
    struct wire_nd m = {.type = ICMP6T_NA, .target = peer, .flags = flags};
    if (mac != NULL) {
        m.has = ND_HAS_TLLA;
        memcpy(m.tlla, mac, 6);
    }
    return m;
}

static enum neigh_state state_of(const struct fix *f)
{
    for (const struct neigh_entry *e = NULL;
         (e = neigh_iter(&f->neigh, e == NULL ? 0 : neigh_index(&f->neigh, e))) != NULL;) {
        if (addr_eq(&e->addr, &peer))
            return (enum neigh_state)e->state;
    }
    return NEIGH_NONE;
}

/* If this fails, nobody is reached over IPv6: the neighbour is asked for at its solicited-node
 * group [RFC 4861 7.2.2], what waits goes out with the answer. */
static void a_neighbour_is_found(void **state)
{
    (void)state;
    struct fix f;
    struct left l;
    const uint8_t group_mac[6] = {0x33, 0x33, 0xff, 0, 0, 2};
    const struct addr group = {.b = {0xff, 2, [11] = 1, [12] = 0xff, [15] = 2}};
    fix_open(&f);
    assert_int_equal(out(&f, &peer), DROP_NONE);
    assert_true(leaves(&f, &l));
    assert_memory_equal(l.dst, group_mac, 6);
    assert_int_equal(l.m.type, ICMP6T_NS);
    assert_int_equal(l.hlim, 255);
    assert_true(addr_eq(&l.from, &our) && addr_eq(&l.to, &group));
    assert_true(addr_eq(&l.m.target, &peer));
    assert_memory_equal(l.m.slla, net_mac, 6);
    assert_false(leaves(&f, &l));
    struct wire_nd m = na(ND_NA_SOLICITED | ND_NA_OVERRIDE, net_peer_mac);
    assert_int_equal(in(&f, &peer, &our, &m, NULL), DROP_NONE);
    assert_int_equal(state_of(&f), NEIGH_REACHABLE);
    assert_true(leaves(&f, &l));
    assert_memory_equal(l.dst, net_peer_mac, 6);
    fix_close(&f);
}

/* If this fails, an IPv4 neighbour is asked from an IPv6 address, cut to its last four bytes. */
static void each_family_asks_from_its_own(void **state)
{
    (void)state;
    struct fix f;
    struct addr four = addr_ip4(0x0a000002);
    fix_open(&f);
    assert_int_equal(out(&f, &four), DROP_NONE);
    assert_null(net_sent(&f.n, f.n.nif)); /* there is no address to ask from */
    fix_close(&f);
}

/* If this fails, a neighbour that is gone is waited for, or one that is there is forgotten. */
static void a_neighbour_is_asked_again_and_given_up(void **state)
{
    (void)state;
    struct fix f;
    struct left l;
    fix_open(&f);
    f.neigh.times[f.n.nif->id].retrans_ms = 300; /* as a router said */
    assert_int_equal(out(&f, &peer), DROP_NONE);
    advance(&f, 850 * W_MS);
    for (unsigned i = 0; i < 3; i++)
        assert_true(leaves(&f, &l) && l.m.type == ICMP6T_NS);
    assert_null(neigh_failed_pop(&f.neigh));
    advance(&f, 100 * W_MS);
    assert_false(leaves(&f, &l));
    struct pkt *p = neigh_failed_pop(&f.neigh);
    assert_non_null(p);
    pkt_free(p);
    assert_int_equal(state_of(&f), NEIGH_FAILED);
    struct wire_nd m = na(ND_NA_SOLICITED, net_peer_mac);
    assert_int_equal(in(&f, &peer, &our, &m, NULL), DROP_ND_UNASKED);
    fix_close(&f);
}

/* If this fails, others steal a neighbour's packets, or a moved neighbour is lost: the table of
 * RFC 4861 appendix C. */
static void advertisements_change_what_they_may(void **state)
{
    (void)state;
    struct fix f;
    struct left l;
    static const struct {
        uint8_t flags;
        const uint8_t *mac;
        enum neigh_state want;
        const uint8_t *want_mac;
    } rows[] = {
        {0, other_mac, NEIGH_STALE, net_peer_mac},
        {0, net_peer_mac, NEIGH_REACHABLE, net_peer_mac},
        {0, NULL, NEIGH_REACHABLE, net_peer_mac},
        {ND_NA_SOLICITED, other_mac, NEIGH_STALE, net_peer_mac},
        {ND_NA_OVERRIDE, other_mac, NEIGH_STALE, other_mac},
        {ND_NA_OVERRIDE, net_peer_mac, NEIGH_REACHABLE, net_peer_mac},
        {ND_NA_OVERRIDE | ND_NA_SOLICITED, other_mac, NEIGH_REACHABLE, other_mac},
    };
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        fix_open(&f);
        assert_int_equal(out(&f, &peer), DROP_NONE);
        struct wire_nd m = na(ND_NA_SOLICITED, net_peer_mac);
        assert_int_equal(in(&f, &peer, &our, &m, NULL), DROP_NONE);
        (void)net_flush(&f.n, f.n.nif);
        m = na(rows[i].flags, rows[i].mac);
        assert_int_equal(in(&f, &peer, &our, &m, NULL), DROP_NONE);
        if (state_of(&f) != rows[i].want)
            fail_msg("row %u: state %d", i, (int)state_of(&f));
        assert_int_equal(out(&f, &peer), DROP_NONE);
        assert_true(leaves(&f, &l));
        assert_memory_equal(l.dst, rows[i].want_mac, 6);
        fix_close(&f);
    }
    /* Without an address in it, an answer to a group's question says nothing. */
    fix_open(&f);
    assert_int_equal(out(&f, &peer), DROP_NONE);
    struct wire_nd m = na(ND_NA_SOLICITED, NULL);
    assert_int_equal(in(&f, &peer, &our, &m, NULL), DROP_ND_FORMAT);
    m = na(ND_NA_SOLICITED, net_peer_mac);
    assert_int_equal(in(&f, &peer, &all, &m, NULL), DROP_ND_FORMAT);
    m = na(0, net_bcast_mac);
    assert_int_equal(in(&f, &peer, &our, &m, NULL), DROP_ND_FORMAT);
    bool gone = true;
    m = na(ND_NA_SOLICITED | ND_NA_ROUTER, net_peer_mac);
    assert_int_equal(in(&f, &peer, &our, &m, &gone), DROP_NONE);
    assert_false(gone);
    m = na(0, net_peer_mac);
    assert_int_equal(in(&f, &peer, &our, &m, &gone), DROP_NONE);
    assert_true(gone); /* [RFC 4861 7.2.5] a router no more */
    fix_close(&f);
}

/* If this fails, others do not find us, or anybody fills our table with questions about nobody. */
static void questions_about_us_are_answered(void **state)
{
    (void)state;
    struct fix f;
    struct left l;
    fix_open(&f);
    struct wire_nd m = {.type = ICMP6T_NS, .target = our, .has = ND_HAS_SLLA};
    struct addr group = addr_solicited_node(&our);
    memcpy(m.slla, net_peer_mac, 6);
    assert_int_equal(in(&f, &peer, &group, &m, NULL), DROP_NONE);
    assert_true(leaves(&f, &l));
    assert_memory_equal(l.dst, net_peer_mac, 6);
    assert_int_equal(l.m.type, ICMP6T_NA);
    assert_int_equal(l.m.flags, ND_NA_SOLICITED | ND_NA_OVERRIDE);
    assert_true(addr_eq(&l.to, &peer) && addr_eq(&l.from, &our));
    assert_memory_equal(l.m.tlla, net_mac, 6);
    assert_int_equal(state_of(&f), NEIGH_STALE);
    /* Somebody would like our address [RFC 4862 5.4.3]: everybody hears that it is taken. */
    m.has = 0;
    assert_int_equal(in(&f, &none, &group, &m, NULL), DROP_NONE);
    assert_true(leaves(&f, &l));
    assert_true(addr_eq(&l.to, &all));
    assert_int_equal(l.m.flags, ND_NA_OVERRIDE);
    m.has = ND_HAS_SLLA;
    assert_int_equal(in(&f, &none, &group, &m, NULL), DROP_ND_SENDER);
    m.has = 0;
    assert_int_equal(in(&f, &none, &all, &m, NULL), DROP_ND_SENDER);
    m.has = ND_HAS_SLLA;
    m.target.b[15] = 9;
    uint32_t before = f.neigh.pool.in_use;
    for (unsigned i = 0; i < 100; i++) {
        struct addr a = {.b = {0xfd, [14] = 1, [15] = (uint8_t)i}};
        assert_int_equal(in(&f, &a, &group, &m, NULL), DROP_ND_NOT_OURS);
    }
    assert_int_equal(f.neigh.pool.in_use, before);
    fix_close(&f);
}

/* If this fails, two hosts use one address, or a looped cable keeps a host from having any
 * [RFC 4862 5.4, RFC 7527 4.2]. */
static void duplicates_are_detected(void **state)
{
    (void)state;
    struct fix f;
    struct left l;
    struct addr group = addr_solicited_node(&our);
    for (unsigned how = 0; how < 3; how++) {
        open_quiet(&f);
        assert_int_equal(neigh_addr_add(&f.neigh, f.n.nif, &our, true), 0);
        advance(&f, 1001 * W_MS);
        assert_true(leaves(&f, &l));
        assert_int_equal(l.m.type, ICMP6T_NS);
        assert_true(addr_is_any(&l.from) && addr_eq(&l.to, &group));
        assert_int_equal(l.m.has, ND_HAS_NONCE);
        assert_int_equal(neigh_addr_state(&f.neigh, f.n.nif, &our), NEIGH_ADDR_PROBING);
        struct wire_nd m = l.m; /* our own probe, back */
        assert_int_equal(in(&f, &none, &group, &m, NULL), DROP_ND_LOOPED);
        m.nonce[0] ^= 1; /* somebody else's */
        if (how == 1)
            assert_int_equal(in(&f, &none, &group, &m, NULL), DROP_ND_CONFLICT);
        m = (struct wire_nd){.type = ICMP6T_NA, .target = our};
        if (how == 2)
            assert_int_equal(in(&f, &our, &all, &m, NULL), DROP_ND_CONFLICT);
        advance(&f, 1001 * W_MS);
        enum neigh_addr_state want = how == 0 ? NEIGH_ADDR_ANNOUNCING : NEIGH_ADDR_CONFLICT;
        assert_int_equal(neigh_addr_state(&f.neigh, f.n.nif, &our), want);
        assert_non_null(neigh_addr_pop(&f.neigh));
        assert_int_equal(leaves(&f, &l), how == 0); /* announced [RFC 9131], or silent */
        (void)net_flush(&f.n, f.n.nif);
        fix_close(&f);
    }
}

/* If this fails, an address whose lifetime ends in the moment its timer is due stops the stack. */
static void a_due_timer_of_a_gone_address_is_nobodys(void **state)
{
    (void)state;
    struct fix f;
    struct timer *due[4];
    open_quiet(&f);
    assert_int_equal(neigh_addr_add(&f.neigh, f.n.nif, &our, true), 0);
    f.n.env.now += 2 * W_S;
    assert_int_equal(wheel_run(&f.n.env.wheel, f.n.env.now, due, 4), 1);
    neigh_addr_del(&f.neigh, f.n.nif, &our);
    assert_int_equal(due[0]->kind, TK_NEIGH);
    neigh_timer(&f.neigh, due[0]);
    assert_null(net_sent(&f.n, f.n.nif));
    fix_close(&f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_neighbour_is_found),
    cmocka_unit_test(each_family_asks_from_its_own),
    cmocka_unit_test(a_neighbour_is_asked_again_and_given_up),
    cmocka_unit_test(advertisements_change_what_they_may),
    cmocka_unit_test(questions_about_us_are_answered),
    cmocka_unit_test(duplicates_are_detected),
    cmocka_unit_test(a_due_timer_of_a_gone_address_is_nobodys),
};
UNIT_MAIN(tests)
