/* SPDX-License-Identifier: Apache-2.0
 *
 * Routers' word: solicited, believed within bounds, timed out, doubted [RFC 4861 6.3, 8; RFC 4862;
 * RFC 4191; RFC 7559].
 */
#include "net_ip6.h"

#include <errno.h>
#include <stdio.h>

static uint8_t b[2000];
static const uint8_t r_mac[6] = {2, 0, 0, 0, 0, 0x99};

/* A host that configures itself, its link-local address already its own. */
static void auto_open(struct net_ip_host *h)
{
    host_open(h);
    assert_int_equal(ip6_auto_start(&h->ip, h->n.nif), 0);
    (void)host6_advance(h, 3 * W_S);
    (void)net_flush(&h->n, h->n.nif);
}

static enum drop advert(struct net_ip_host *h, const char *from, const struct wire_nd *m)
{
    struct addr src = addr6(from);
    return ip6_router_advert(&h->ip, h->n.nif, &src, m);
}

static struct wire_nd ra(uint16_t life_s)
{
    struct wire_nd m = {.type = ICMP6T_RA, .life_s = life_s, .has = ND_HAS_SLLA};
    memcpy(m.slla, r_mac, 6);
    return m;
}

static void add_prefix(struct wire_nd *m, const char *prefix, uint8_t flags, uint32_t valid_s,
                       uint32_t preferred_s)
{
    m->prefix[m->n_prefix++] = (struct wire_nd_prefix){.prefix = addr6(prefix),
                                                       .plen = 64,
                                                       .flags = flags,
                                                       .valid_s = valid_s,
                                                       .preferred_s = preferred_s};
}

/* The address in a prefix that the host made; NULL: none. */
static const struct ip_addr *made_in(const struct net_ip_host *h, const char *prefix)
{
    struct addr p = addr6(prefix);
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        const struct ip_addr *a = ip_addr_at(&h->ip, i);
        if (a != NULL && addr_in_prefix(&a->addr, &p, 64) && (a->flags & IP_ADDR_AUTO) != 0)
            return a;
    }
    return NULL;
}

static int route6(const struct net_ip_host *h, const char *dst, struct dst *d)
{
    struct addr a = addr6(dst);
    *d = (struct dst){0};
    return ip_route(&h->ip, &a, NULL, d);
}

/* Router solicitations among what was sent; everything is taken. */
static unsigned solicitations(struct net_ip_host *h)
{
    unsigned k = 0;
    for (uint32_t n; (n = host_sent(h, b, sizeof b)) != 0;) {
        if (n >= 48 && b[0] >> 4 == 6 && b[40] == ICMP6T_RS) {
            struct wire_nd m;
            assert_int_equal(b[7], 255);
            assert_int_equal(wire_nd_parse(b + 40, n - 40, &m), DROP_NONE);
            struct addr src;
            memcpy(src.b, b + 8, 16);
            assert_int_equal((m.has & ND_HAS_SLLA) != 0, !addr_is_any(&src));
            k++;
        }
    }
    return k;
}

/* If this fails, a host waits minutes for its network, or floods a link that has no router. */
static void routers_are_asked_for_ever_more_rarely(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    assert_int_equal(ip6_auto_start(&h.ip, h.n.nif), 0);
    (void)host6_advance(&h, 1200 * W_MS);
    assert_int_equal(solicitations(&h), 1);
    (void)host6_advance(&h, 60 * W_S); /* after 4, 12, 28, 60 s */
    unsigned k = solicitations(&h);
    assert_true(k == 3 || k == 4);
    (void)host6_advance(&h, 20000 * W_S);
    assert_true(solicitations(&h) < 12);
    struct wire_nd m = ra(0); /* no router for everything: asked on */
    assert_int_equal(advert(&h, "fe80::99", &m), DROP_NONE);
    (void)host6_advance(&h, 8000 * W_S);
    assert_true(solicitations(&h) > 0);
    m = ra(9000);
    assert_int_equal(advert(&h, "fe80::99", &m), DROP_NONE);
    (void)host6_advance(&h, 8000 * W_S);
    assert_int_equal(solicitations(&h), 0);
    host_close(&h);
}

/* If this fails, a host has no route, no address, or the wrong ones [RFC 4861 6.3.4, RFC 4862
 * 5.5]. */
static void an_advertisement_configures_the_host(void **state)
{
    (void)state;
    struct net_ip_host h;
    struct dst d;
    auto_open(&h);
    struct wire_nd m = ra(1800);
    m.hlim = 61;
    m.mtu = 1400;
    m.has |= ND_HAS_MTU;
    m.reachable_ms = 20000;
    m.retrans_ms = 500;
    add_prefix(&m, "2001:db8:1::", ND_PREFIX_ONLINK | ND_PREFIX_AUTO, 86400, 14400);
    add_prefix(&m, "2001:db8:2::", ND_PREFIX_AUTO, 86400, 14400);
    add_prefix(&m, "fe80::", ND_PREFIX_ONLINK | ND_PREFIX_AUTO, 1, 1); /* ignored */
    m.route[m.n_route++] =
        (struct wire_nd_route){.prefix = addr6("2001:db8:77::"), .plen = 48, .life_s = 100};
    assert_int_equal(route6(&h, "2001:db8:9::1", &d), -ENETUNREACH);
    assert_int_equal(advert(&h, "fe80::99", &m), DROP_NONE);
    assert_true(made_in(&h, "2001:db8:1::") != NULL);
    assert_int_equal(made_in(&h, "2001:db8:1::")->flags & IP_ADDR_TENTATIVE, IP_ADDR_TENTATIVE);
    (void)host6_advance(&h, 3 * W_S); /* nobody has it */
    assert_int_equal(made_in(&h, "2001:db8:1::")->flags, IP_ADDR_AUTO);
    assert_int_equal(route6(&h, "2001:db8:9::1", &d), 0);
    struct addr gw = addr6("fe80::99");
    assert_true(addr_eq(&d.nexthop, &gw));
    assert_int_equal(d.mtu, 1400);
    assert_int_equal(d.hlim, 61);
    assert_true(addr_eq(&d.src, &made_in(&h, "2001:db8:1::")->addr) ||
                addr_eq(&d.src, &made_in(&h, "2001:db8:2::")->addr));
    assert_int_equal(h.neigh.times[h.n.nif->id].retrans_ms, 500);
    /* On the link by its flag only [RFC 5942 4]. */
    assert_int_equal(route6(&h, "2001:db8:1::7", &d), 0);
    assert_int_equal(d.gateway, 0);
    assert_int_equal(route6(&h, "2001:db8:2::7", &d), 0);
    assert_int_equal(d.gateway, 1);
    assert_true(made_in(&h, "fe80::") != NULL); /* our own, not the advertised one's */
    assert_int_equal(made_in(&h, "fe80::")->valid_until, W_NEVER);
    /* Time passes: the specific route, the router, preference, validity. */
    (void)host6_advance(&h, 1900 * W_S);
    assert_int_equal(route6(&h, "2001:db8:9::1", &d), -ENETUNREACH);
    assert_int_equal(route6(&h, "2001:db8:1::7", &d), 0);
    h.n.env.conf.neigh_base_reachable_time_ms = 1000000;
    (void)host6_advance(&h, 14400 * W_S);
    assert_int_equal(made_in(&h, "2001:db8:1::")->flags, IP_ADDR_AUTO | IP_ADDR_DEPRECATED);
    (void)host6_advance(&h, 86400 * W_S);
    assert_null(made_in(&h, "2001:db8:1::"));
    assert_int_equal(route6(&h, "2001:db8:1::7", &d), -ENETUNREACH);
    (void)net_flush(&h.n, h.n.nif);
    host_close(&h);
}

/* If this fails, one forged packet takes a host's addresses, makes its packets die after one hop,
 * or fills its tables. */
static void what_is_absurd_is_not_believed(void **state)
{
    (void)state;
    struct net_ip_host h;
    struct dst d;
    auto_open(&h);
    struct wire_nd m = ra(1800);
    add_prefix(&m, "2001:db8:1::", ND_PREFIX_ONLINK | ND_PREFIX_AUTO, 86400, 14400);
    assert_int_equal(advert(&h, "2001:db8:1::99", &m), DROP_ND_SENDER);
    h.n.env.conf.ip_forward = 1;
    assert_int_equal(advert(&h, "fe80::99", &m), DROP_ND_NOT_OURS);
    h.n.env.conf.ip_forward = 0;
    assert_int_equal(advert(&h, "fe80::99", &m), DROP_NONE);
    w_ns until = made_in(&h, "2001:db8:1::")->valid_until;
    m = ra(1800);
    m.hlim = 1;
    m.mtu = 1279;
    m.has |= ND_HAS_MTU;
    m.retrans_ms = 1;
    m.reachable_ms = 0xffffffff;
    add_prefix(&m, "2001:db8:1::", ND_PREFIX_AUTO, 1, 1);   /* two hours at least */
    add_prefix(&m, "2001:db8:5::", ND_PREFIX_AUTO, 10, 20); /* preferred longer than valid */
    assert_int_equal(advert(&h, "fe80::99", &m), DROP_NONE);
    assert_true(made_in(&h, "2001:db8:1::")->valid_until >= h.n.env.now + 7199 * W_S);
    assert_true(made_in(&h, "2001:db8:1::")->valid_until < until);
    assert_null(made_in(&h, "2001:db8:5::"));
    (void)host6_advance(&h, 3 * W_S);
    assert_int_equal(route6(&h, "2001:db8:9::1", &d), 0);
    assert_int_equal(d.mtu, 1500);
    assert_int_equal(d.hlim, 0);
    assert_true(h.neigh.times[h.n.nif->id].retrans_ms >= 100);
    assert_int_equal(h.neigh.times[h.n.nif->id].reachable_ms, 0);
    /* A flood of routers and prefixes fills its share and no more. */
    for (unsigned i = 0; i < 500; i++) {
        char text[64];
        snprintf(text, sizeof text, "fe80::%x", i + 0x1000);
        m = ra(1800);
        m.n_prefix = 0;
        add_prefix(&m, "2001:db8:1::", ND_PREFIX_ONLINK | ND_PREFIX_AUTO, 86400, 86400);
        w_put16(&m.prefix[0].prefix.b[6], i);
        assert_int_equal(advert(&h, text, &m), DROP_NONE);
    }
    unsigned n_addr = 0;
    for (unsigned i = 0; i < IP_ADDRS; i++)
        n_addr += ip_addr_at(&h.ip, i) != NULL;
    assert_true(n_addr <= 18);
    assert_true(h.ip.routes.in_use <= 8 + 16 + 4);
    (void)host6_advance(&h, 5 * W_S);
    (void)net_flush(&h.n, h.n.nif);
    host_close(&h);
}

static void expect_router(struct net_ip_host *h, const char *want)
{
    struct dst d;
    char got[ADDR_TEXT] = "none";
    if (route6(h, "2001:db8:9::1", &d) == 0)
        addr_format(&d.nexthop, got);
    assert_string_equal(got, want);
}

/* The next hop is asked for and does not answer. */
static void let_fail(struct net_ip_host *h)
{
    struct dst d;
    assert_int_equal(route6(h, "2001:db8:9::1", &d), 0);
    struct ip_meta m = {.src = d.src, .dst = addr6("2001:db8:9::1"), .proto = 253};
    struct pkt *p = pkt_new(&h->n.env.mem);
    (void)ip_output(&h->ip, &d, &m, p);
    (void)host6_advance(h, 20 * W_S);
    (void)net_flush(&h->n, h->n.nif);
    while ((p = neigh_failed_pop(&h->neigh)) != NULL)
        pkt_free(p);
}

/* If this fails, a host with two routers is cut off when one of them dies [RFC 4861 6.3.6]. */
static void a_dead_router_is_replaced(void **state)
{
    (void)state;
    struct net_ip_host h;
    auto_open(&h);
    struct wire_nd m = ra(1800);
    m.flags = 1 << 3; /* high preference */
    assert_int_equal(advert(&h, "fe80::aa", &m), DROP_NONE);
    m.flags = 3 << 3; /* low */
    m.slla[5] = 0x98;
    assert_int_equal(advert(&h, "fe80::bb", &m), DROP_NONE);
    expect_router(&h, "fe80::aa");
    let_fail(&h);
    expect_router(&h, "fe80::bb");
    m.flags = 1 << 3;
    m.slla[5] = 0x99;
    assert_int_equal(advert(&h, "fe80::aa", &m), DROP_NONE); /* it lives */
    expect_router(&h, "fe80::aa");
    struct addr aa = addr6("fe80::aa");
    ip6_router_gone(&h.ip, h.n.nif, &aa);
    expect_router(&h, "fe80::bb");
    m = ra(0);
    assert_int_equal(advert(&h, "fe80::bb", &m), DROP_NONE);
    expect_router(&h, "none");
    host_close(&h);
}

/* If this fails, anybody on the link, or beyond it, can lead a host's traffic to himself
 * [RFC 4861 8.1]. */
static void redirects_come_from_the_router_in_use(void **state)
{
    (void)state;
    struct net_ip_host h;
    struct dst d;
    auto_open(&h);
    struct wire_nd adv = ra(1800);
    assert_int_equal(advert(&h, "fe80::aa", &adv), DROP_NONE);
    struct wire_nd m = {.type = ICMP6T_REDIRECT,
                        .has = ND_HAS_TLLA,
                        .target = addr6("fe80::bb"),
                        .dest = addr6("2001:db8:9::1")};
    memcpy(m.tlla, r_mac, 6);
    struct addr aa = addr6("fe80::aa"), cc = addr6("fe80::cc"), far = addr6("2001:db8::aa");
    assert_int_equal(ip6_redirect(&h.ip, h.n.nif, &cc, &m), DROP_ND_REDIRECT);
    assert_int_equal(ip6_redirect(&h.ip, h.n.nif, &far, &m), DROP_ND_SENDER);
    h.n.env.conf.ip6_accept_redirects = 0;
    assert_int_equal(ip6_redirect(&h.ip, h.n.nif, &aa, &m), DROP_ND_NOT_OURS);
    h.n.env.conf.ip6_accept_redirects = 1;
    expect_router(&h, "fe80::aa");
    assert_int_equal(ip6_redirect(&h.ip, h.n.nif, &aa, &m), DROP_NONE);
    expect_router(&h, "fe80::bb");
    assert_int_equal(route6(&h, "2001:db8:9::2", &d), 0); /* that destination only */
    assert_true(addr_eq(&d.nexthop, &aa));
    m.dest = m.target = addr6("2001:db8:8::1"); /* it is on the link */
    assert_int_equal(ip6_redirect(&h.ip, h.n.nif, &aa, &m), DROP_NONE);
    assert_int_equal(route6(&h, "2001:db8:8::1", &d), 0);
    assert_int_equal(d.gateway, 0);
    let_fail(&h); /* fe80::bb does not answer: the router decides again */
    expect_router(&h, "fe80::aa");
    /* A flood of redirects keeps its share. */
    for (unsigned i = 0; i < 300; i++) {
        m.target = addr6("fe80::bb");
        m.dest = addr6("2001:db8:a::1");
        w_put16(&m.dest.b[6], i);
        assert_int_equal(ip6_redirect(&h.ip, h.n.nif, &aa, &m), DROP_NONE);
    }
    assert_true(h.ip.routes.in_use <= 24 + 6);
    (void)host6_advance(&h, 700 * W_S);
    expect_router(&h, "fe80::aa");
    host_close(&h);
}

/* If this fails, two hosts use one address, or one that met a duplicate stays without
 * [RFC 7217 6]. */
static void a_duplicate_leads_to_another_address(void **state)
{
    (void)state;
    struct net_ip_host h;
    auto_open(&h);
    struct wire_nd m = ra(1800);
    struct addr seen[5];
    add_prefix(&m, "2001:db8:1::", ND_PREFIX_AUTO, 86400, 86400);
    assert_int_equal(advert(&h, "fe80::aa", &m), DROP_NONE);
    for (unsigned i = 0; i < 4; i++) {
        seen[i] = made_in(&h, "2001:db8:1::")->addr;
        for (unsigned j = 0; j < i; j++)
            assert_false(addr_eq(&seen[i], &seen[j]));
        struct wire_nd na = {.type = ICMP6T_NA, .target = seen[i]};
        struct pkt *p = pkt_new(&h.n.env.mem);
        bool gone;
        p->flow.remote = seen[i];
        p->flow.local = addr6("ff02::1");
        assert_int_equal(nd_input(&h.neigh, h.n.nif, p, &na, &gone), NEXT_DROP);
        assert_int_equal(p->drop, DROP_ND_CONFLICT);
        pkt_free(p);
        (void)host6_advance(&h, 10 * W_MS);
    }
    assert_true(addr_eq(&made_in(&h, "2001:db8:1::")->addr, &seen[3])); /* given up */
    (void)host6_advance(&h, 5 * W_S);
    assert_false(ip_is_local(&h.ip, &seen[3]));
    (void)net_flush(&h.n, h.n.nif);
    host_close(&h);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(routers_are_asked_for_ever_more_rarely),
    cmocka_unit_test(an_advertisement_configures_the_host),
    cmocka_unit_test(what_is_absurd_is_not_believed),
    cmocka_unit_test(a_dead_router_is_replaced),
    cmocka_unit_test(redirects_come_from_the_router_in_use),
    cmocka_unit_test(a_duplicate_leads_to_another_address),
};
UNIT_MAIN(tests)
