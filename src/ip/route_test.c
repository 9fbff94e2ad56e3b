/* SPDX-License-Identifier: Apache-2.0 */
#include "net_ip.h"

#include <errno.h>

#include "ip/parts.h"

enum { MODEL = 60 };

/* Longest prefix match the slow and certain way. */
struct model {
    struct route r[MODEL];
    bool is_used[MODEL];
};

static const struct route *model_find(const struct model *m, const struct addr *a)
{
    const struct route *best = NULL;
    for (unsigned i = 0; i < MODEL; i++) {
        const struct route *r = &m->r[i];
        if (!m->is_used[i] || !addr_in_prefix(a, &r->prefix, r->plen))
            continue;
        bool is_better = best == NULL || r->plen > best->plen ||
                         (r->plen == best->plen && r->metric < best->metric);
        if (is_better)
            best = r;
    }
    return best;
}

static uint32_t random_prefix(struct rng *r, unsigned plen)
{
    /* Few distinct bits, so that prefixes nest and collide. */
    uint32_t a = 0x0a000000 | (rng_u32(r) & 0x00030303u) | (rng_below(r, 2) << 31);
    return plen == 0 ? 0 : a & ~(uint32_t)(((uint64_t)1 << (32 - plen)) - 1);
}

static bool model_has(const struct model *m, const struct route *r)
{
    for (unsigned i = 0; i < MODEL; i++) {
        if (m->is_used[i] && m->r[i].plen == r->plen && m->r[i].metric == r->metric &&
            addr_eq(&m->r[i].prefix, &r->prefix))
            return true;
    }
    return false;
}

static void compare(struct net_ip_host *h, const struct model *m, struct rng *rng)
{
    for (unsigned i = 0; i < 50; i++) {
        struct addr a = addr_ip4(0x0a000000 | (rng_u32(rng) & 0x80030303u));
        const struct route *want = model_find(m, &a), *got = route_find(&h->ip, &a, 0);
        assert_int_equal(got == NULL, want == NULL);
        if (want == NULL)
            continue;
        assert_int_equal(got->plen, want->plen);
        assert_int_equal(got->metric, want->metric);
        assert_true(addr_eq(&got->prefix, &want->prefix));
    }
}

/* If this fails, packets take the wrong road: the trie is compared with a linear search over
 * thousands of random changes. */
static void trie_agrees_with_linear_search(void **state)
{
    (void)state;
    struct net_ip_host h;
    struct rng rng;
    static struct model m;
    memset(&m, 0, sizeof m);
    host_open(&h);
    rng_seed(&rng, 3);
    assert_int_equal(
        ip_addr_del(&h.ip, h.n.nif, &(struct addr){.b = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}}),
        0);
    struct route dflt = {.prefix = addr_ip4(0), .plen = IP4_PLEN(0)};
    assert_int_equal(ip_route_del(&h.ip, &dflt), 0);
    assert_int_equal(h.ip.routes.in_use, 0);
    assert_int_equal(h.ip.nodes.in_use, 0);
    for (unsigned step = 0; step < 4000; step++) {
        unsigned i = rng_below(&rng, MODEL), plen = rng_below(&rng, 33);
        if (m.is_used[i]) {
            assert_int_equal(ip_route_del(&h.ip, &m.r[i]), 0);
            assert_int_equal(ip_route_del(&h.ip, &m.r[i]), -ESRCH);
            m.is_used[i] = false;
        } else {
            struct route r = {.prefix = addr_ip4(random_prefix(&rng, plen)),
                              .plen = (uint8_t)IP4_PLEN(plen),
                              .gw = addr_ip4(0),
                              .metric = rng_below(&rng, 3),
                              .nif = h.n.nif->id};
            bool is_there = model_has(&m, &r);
            assert_int_equal(ip_route_add(&h.ip, &r), is_there ? -EEXIST : 0);
            m.r[i] = r;
            m.is_used[i] = !is_there;
        }
        compare(&h, &m, &rng);
    }
    for (unsigned i = 0; i < MODEL; i++) {
        if (m.is_used[i])
            assert_int_equal(ip_route_del(&h.ip, &m.r[i]), 0);
    }
    assert_int_equal(h.ip.routes.in_use, 0);
    assert_int_equal(h.ip.nodes.in_use, 0);
    assert_int_equal(h.ip.root, 0);
    host_close(&h);
}

/* If this fails, a full table loses routes it had, or leaks nodes. */
static void full_table_refuses_and_keeps(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    unsigned n = 0;
    int r = 0;
    for (; n < 1000 && r == 0; n++) {
        struct route x = {.prefix = addr_ip4(0x20000000 + (n << 8)),
                          .plen = IP4_PLEN(24),
                          .gw = addr_ip4(0),
                          .nif = h.n.nif->id};
        r = ip_route_add(&h.ip, &x);
    }
    assert_int_equal(r, -ENOSPC);
    assert_int_equal(h.ip.routes.in_use, h.n.env.conf.n_route);
    struct addr a = addr_ip4(0x20000005), far = addr_ip4(NET_FAR);
    assert_int_equal(route_find(&h.ip, &a, 0)->plen, IP4_PLEN(24));
    assert_int_equal(route_find(&h.ip, &far, 0)->plen, IP4_PLEN(0));
    uint32_t at = 0;
    unsigned seen = 0;
    while (ip_route_iter(&h.ip, &at) != NULL)
        seen++;
    assert_int_equal(seen, h.n.env.conf.n_route);
    host_close(&h);
}

/* If this fails, a route by a dead interface is used though another one works. */
static void dead_interface_gives_way(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    struct nif_conf nc = {.name = "t1", .mac = net_mac, .flags = NIF_UP, .mtu = 1400};
    int id = link_nif_add(&h.n.link, &nc);
    struct nif *t1 = link_nif(&h.n.link, (unsigned)id);
    struct addr a1 = addr_ip4(0x0b000001), far = addr_ip4(NET_FAR);
    assert_int_equal(ip_addr_add(&h.ip, t1, &a1, IP4_PLEN(24), false), 0);
    struct route r = {.prefix = addr_ip4(0),
                      .plen = IP4_PLEN(0),
                      .gw = addr_ip4(0x0b0000fe),
                      .metric = 10,
                      .nif = t1->id};
    assert_int_equal(ip_route_add(&h.ip, &r), 0);
    struct dst d = {0};
    assert_int_equal(ip_route(&h.ip, &far, NULL, &d), 0);
    assert_int_equal(d.nif, h.n.nif->id);
    assert_int_equal(d.mtu, 1500);
    assert_true(ip_dst_is_valid(&h.ip, &d));
    h.n.nif->flags &= ~(uint32_t)NIF_UP;
    ip_nif_changed(&h.ip, h.n.nif);
    assert_false(ip_dst_is_valid(&h.ip, &d));
    d.nif = 0;
    assert_int_equal(ip_route(&h.ip, &far, NULL, &d), 0);
    assert_int_equal(d.nif, t1->id);
    assert_int_equal(d.mtu, 1400);
    assert_true(addr_eq(&d.src, &a1));
    h.n.nif->flags |= NIF_UP;
    ip_nif_changed(&h.ip, h.n.nif);
    /* A socket bound to an interface stays on it. */
    d = (struct dst){.nif = t1->id};
    assert_int_equal(ip_route(&h.ip, &far, NULL, &d), 0);
    assert_int_equal(d.nif, t1->id);
    neigh_flush(&h.neigh, t1);
    host_close(&h);
}

/* If this fails, connections leave from the wrong address, or to nowhere without an error. */
static void destinations_resolve(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    struct addr our = addr_ip4(NET_OUR), peer = addr_ip4(NET_PEER), far = addr_ip4(NET_FAR);
    struct addr gw = addr_ip4(NET_GW), lo = addr_ip4(0x7f000001), second = addr_ip4(0x0a000064);
    struct addr bc = addr_ip4(0x0a0000ff), all = addr_ip4(0xffffffff), mc = addr_ip4(0xe1020304);
    struct addr other = addr_ip4(0x05050505), any = addr_ip4(0);
    struct dst d = {0};
    assert_int_equal(ip_route(&h.ip, &peer, NULL, &d), 0);
    assert_true(addr_eq(&d.nexthop, &peer) && addr_eq(&d.src, &our) && d.gateway == 0);
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &far, &any, &d), 0);
    assert_true(addr_eq(&d.nexthop, &gw) && addr_eq(&d.src, &our) && d.gateway == 1);
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &our, NULL, &d), 0);
    assert_int_equal(d.nif, h.lo->id);
    assert_true(addr_eq(&d.src, &our) && d.kind == IP_LOCAL && d.mtu == 65535);
    struct addr lo9 = addr_ip4(0x7f090909);
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &lo9, NULL, &d), 0);
    assert_int_equal(d.nif, h.lo->id);
    for (int i = 0; i < 2; i++) {
        d = (struct dst){0};
        assert_int_equal(ip_route(&h.ip, i == 0 ? &bc : &all, NULL, &d), 0);
        assert_int_equal(d.kind, IP_BROADCAST);
        assert_int_equal(d.nif, h.n.nif->id);
        assert_true(addr_eq(&d.nexthop, &all) && addr_eq(&d.src, &our));
    }
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &mc, NULL, &d), 0);
    assert_true(d.kind == IP_MULTICAST && addr_eq(&d.nexthop, &mc));
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &peer, &other, &d), -EADDRNOTAVAIL);
    assert_int_equal(ip_route(&h.ip, &peer, &lo, &d), -EINVAL);
    assert_int_equal(ip_route(&h.ip, &any, NULL, &d), -ENETUNREACH);
    assert_false(ip_dst_is_valid(&h.ip, &d));
    /* Of two addresses on one network the asked-for one, by default the first. */
    assert_int_equal(ip_addr_add(&h.ip, h.n.nif, &second, IP4_PLEN(24), false), 0);
    assert_int_equal(ip_route(&h.ip, &peer, &second, &d), 0);
    assert_true(addr_eq(&d.src, &second));
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &peer, NULL, &d), 0);
    assert_true(addr_eq(&d.src, &our));
    struct route un = {
        .prefix = addr_ip4(0x05050500), .plen = IP4_PLEN(24), .kind = ROUTE_UNREACHABLE};
    struct route bh = {
        .prefix = addr_ip4(0x05060000), .plen = IP4_PLEN(16), .kind = ROUTE_BLACKHOLE};
    assert_int_equal(ip_route_add(&h.ip, &un), 0);
    assert_int_equal(ip_route_add(&h.ip, &bh), 0);
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &other, NULL, &d), -EHOSTUNREACH);
    struct addr hole = addr_ip4(0x05060001);
    assert_int_equal(ip_route(&h.ip, &hole, NULL, &d), -EINVAL);
    host_close(&h);
}

/* If this fails, nonsense is configured and believed. */
static void nonsense_is_refused(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    struct addr our = addr_ip4(NET_OUR), mc = addr_ip4(0xe0000001), zero = addr_ip4(0);
    struct addr lo2 = addr_ip4(0x7f000002), ok = addr_ip4(0x0a010001);
    assert_int_equal(ip_addr_add(&h.ip, h.n.nif, &our, IP4_PLEN(24), false), -EEXIST);
    assert_int_equal(ip_addr_add(&h.ip, h.n.nif, &mc, IP4_PLEN(24), false), -EINVAL);
    assert_int_equal(ip_addr_add(&h.ip, h.n.nif, &zero, IP4_PLEN(24), false), -EINVAL);
    assert_int_equal(ip_addr_add(&h.ip, h.n.nif, &lo2, IP4_PLEN(8), false), -EINVAL);
    assert_int_equal(ip_addr_add(&h.ip, h.n.nif, &ok, 24, false), -EINVAL);
    assert_int_equal(ip_addr_del(&h.ip, h.n.nif, &ok), -ENOENT);
    struct route r = {.prefix = addr_ip4(0x14000000),
                      .plen = IP4_PLEN(8),
                      .gw = addr_ip4(0x15000001),
                      .nif = h.n.nif->id};
    assert_int_equal(ip_route_add(&h.ip, &r), -ENETUNREACH);
    r.gw = our;
    assert_int_equal(ip_route_add(&h.ip, &r), -EINVAL);
    r.gw = addr_ip4(0);
    r.nif = 7;
    assert_int_equal(ip_route_add(&h.ip, &r), -EINVAL);
    r.nif = h.n.nif->id;
    r.plen = 129;
    assert_int_equal(ip_route_add(&h.ip, &r), -EINVAL);
    host_close(&h);
}

/* If this fails, an address in doubt is used, or stays unusable when the doubt is gone. */
static void tentative_address_is_not_ours_yet(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    struct addr a = addr_ip4(0x0a000064);
    assert_int_equal(ip_addr_add(&h.ip, h.n.nif, &a, IP4_PLEN(24), true), 0);
    assert_false(ip_is_local(&h.ip, &a));
    (void)host_advance(&h, 10 * W_S);
    const struct neigh_addr *c = neigh_addr_pop(&h.neigh);
    assert_non_null(c);
    ip_addr_changed(&h.ip, c);
    assert_true(ip_is_local(&h.ip, &a));
    struct neigh_addr lost = *c;
    lost.state = NEIGH_ADDR_CONFLICT;
    ip_addr_changed(&h.ip, &lost);
    assert_false(ip_is_local(&h.ip, &a));
    assert_int_equal(ip_addr_at(&h.ip, 2)->flags, IP_ADDR_CONFLICT);
    /* Its network's route stays while another address needs it. */
    assert_int_equal(ip_addr_del(&h.ip, h.n.nif, &a), 0);
    struct addr peer = addr_ip4(NET_PEER), our = addr_ip4(NET_OUR);
    struct dst d = {0};
    assert_int_equal(ip_route(&h.ip, &peer, NULL, &d), 0);
    assert_int_equal(d.gateway, 0);
    assert_int_equal(ip_addr_del(&h.ip, h.n.nif, &our), 0);
    assert_null(ip_addr_at(&h.ip, 1));
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &peer, NULL, &d), -EADDRNOTAVAIL);
    host_close(&h);
}

/* If this fails, addresses are taken for what they are not, once there are many. */
static void address_kinds_with_a_full_table(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    unsigned n = 2;
    for (; n < IP_ADDRS; n++) {
        struct addr a = addr_ip4(0x0a000001 + (n << 12));
        int r = ip_addr_add(&h.ip, h.n.nif, &a, IP4_PLEN(20), false);
        if (r < 0)
            break;
    }
    assert_true(n >= 30);
    for (unsigned i = 2; i < n; i++) {
        struct addr a = addr_ip4(0x0a000001 + (i << 12)), b = addr_ip4(0x0a000fff + (i << 12));
        struct addr c = addr_ip4(0x0a000002 + (i << 12));
        assert_int_equal(ip_addr_kind(&h.ip, h.n.nif, &a), IP_LOCAL);
        assert_int_equal(ip_addr_kind(&h.ip, h.n.nif, &b), IP_BROADCAST);
        assert_int_equal(ip_addr_kind(&h.ip, h.lo, &b), IP_REMOTE);
        assert_int_equal(ip_addr_kind(&h.ip, h.n.nif, &c), IP_REMOTE);
    }
    host_close(&h);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(trie_agrees_with_linear_search),
    cmocka_unit_test(full_table_refuses_and_keeps),
    cmocka_unit_test(dead_interface_gives_way),
    cmocka_unit_test(destinations_resolve),
    cmocka_unit_test(nonsense_is_refused),
    cmocka_unit_test(tentative_address_is_not_ours_yet),
    cmocka_unit_test(address_kinds_with_a_full_table),
};
UNIT_MAIN(tests)
