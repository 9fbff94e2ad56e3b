/* SPDX-License-Identifier: Apache-2.0
 *
 * IPv6 out: source addresses, headers, fragments, path MTU, routes of two families in one table.
 */
#include "net_ip6.h"

#include <errno.h>

static uint8_t b[70000];

static int route6(const struct net_ip_host *h, const char *dst, struct dst *d)
{
    struct addr a = addr6(dst);
    *d = (struct dst){0};
    return ip_route(&h->ip, &a, NULL, d);
}

static void add(struct net_ip_host *h, const char *text, unsigned plen)
{
    struct addr a = addr6(text);
    assert_int_equal(ip_addr_add(&h->ip, h->n.nif, &a, plen, false), 0);
}

static void expect_src(const struct net_ip_host *h, const char *dst, const char *want)
{
    struct dst d;
    char got[ADDR_TEXT];
    assert_int_equal(route6(h, dst, &d), 0);
    addr_format(&d.src, got);
    assert_string_equal(got, want);
}

/* If this fails, a host speaks from an address its peer cannot answer, or that it is giving up:
 * rules 1, 2, 3, 6 and 8 [RFC 6724 5, 10.1]. */
static void source_addresses_are_chosen(void **state)
{
    (void)state;
    struct net_ip_host h;
    char ll[ADDR_TEXT];
    host6_open(&h);
    struct addr mine = host6_link_local(&h);
    addr_format(&mine, ll);
    add(&h, "2001:db8:1::1", 64);
    add(&h, "2001:db8:2::1", 64);
    add(&h, "2002:c633:6401::1", 64);
    expect_src(&h, "2001:db8:1::7", "2001:db8:1::1");
    expect_src(&h, "2001:db8:2::7", "2001:db8:2::1");
    expect_src(&h, "2001:db8:1::1", "2001:db8:1::1");    /* 1: itself */
    expect_src(&h, "2002:aaaa::1", "2002:c633:6401::1"); /* 6: 6to4 by 6to4 */
    expect_src(&h, "fd00:5::1", "fd00::1");              /* 6: ULA by ULA */
    expect_src(&h, "::1", "::1");
    struct addr group = addr6("ff02::1"), far = addr6("2001:db8:1::7");
    struct dst d = {.nif = h.n.nif->id};
    assert_int_equal(ip_route(&h.ip, &group, NULL, &d), 0);
    assert_true(addr_eq(&d.src, &mine)); /* 2: no larger scope than needed */
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        if (h.ip.addr[i].nif != 0 && h.ip.addr[i].addr.b[0] == 0x20 && h.ip.addr[i].addr.b[5] == 1)
            h.ip.addr[i].flags |= IP_ADDR_DEPRECATED;
    }
    assert_int_equal(ip_route(&h.ip, &far, NULL, &d), 0);
    assert_int_equal(d.src.b[5], 2); /* 3: deprecated */
    /* [RFC 4007 6] A link-local address needs its link. */
    struct addr near = addr6("fe80::7");
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &near, NULL, &d), -EINVAL);
    d.nif = h.n.nif->id;
    assert_int_equal(ip_route(&h.ip, &near, NULL, &d), 0);
    assert_true(addr_eq(&d.src, &mine));
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &near, &mine, &d), 0); /* the source tells it */
    assert_int_equal(d.nif, h.n.nif->id);
    host_close(&h);
}

/* If this fails, IPv4 leaves by IPv6's default route, or the other way round. */
static void families_do_not_share_default_routes(void **state)
{
    (void)state;
    struct net_ip_host h;
    struct dst d;
    host6_open(&h);
    struct route r4 = {.prefix = addr_ip4(0), .plen = IP4_PLEN(0)};
    assert_int_equal(ip_route_del(&h.ip, &r4), 0);
    struct addr far4 = addr_ip4(NET_FAR);
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &far4, NULL, &d), -ENETUNREACH);
    assert_int_equal(route6(&h, "2001:db8::1", &d), 0);
    assert_true(d.is_ip6);
    assert_int_equal(d.gateway, 1);
    struct route r6 = {.plen = 0};
    assert_int_equal(ip_route_del(&h.ip, &r6), 0);
    assert_int_equal(route6(&h, "2001:db8::1", &d), -ENETUNREACH);
    struct addr our4 = addr_ip4(NET_OUR), peer6 = addr6("fd00::2");
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &peer6, &our4, &d), -ENETUNREACH);
    host_close(&h);
}

static enum drop out(struct net_ip_host *h, const char *to, uint32_t n, bool df, uint8_t ttl)
{
    static uint8_t payload[66000];
    struct dst d;
    struct addr a = addr6(to);
    for (uint32_t i = 0; i < n; i++)
        payload[i] = (uint8_t)(i * 5);
    assert_int_equal(route6(h, to, &d), 0);
    struct ip_meta m = {.src = d.src, .dst = a, .proto = 253, .df = df, .ttl = ttl, .tos = 0xb8};
    struct pkt *p = pkt_new(&h->n.env.mem);
    assert_true(pkt_append_copy(p, payload, n));
    p->pay = p->off;
    return ip_output(&h->ip, &d, &m, p);
}

/* If this fails, routers and receivers read a wrong header [RFC 8200 3, RFC 6437 3]. */
static void the_header_is_right(void **state)
{
    (void)state;
    struct net_ip_host h;
    struct wire_ip6 w;
    host6_open(&h);
    assert_int_equal(out(&h, "fd00::2", 100, false, 0), DROP_NONE);
    assert_int_equal(host_sent(&h, b, sizeof b), 140);
    assert_int_equal(wire_ip6_parse(b, 140, &w), DROP_NONE);
    assert_int_equal(w.hlim, 64);
    assert_int_equal(w.tclass, 0xb8);
    assert_int_equal(w.next, 253);
    assert_int_equal(w.plen, 100);
    assert_true(w.label != 0);
    uint32_t label = w.label;
    assert_int_equal(out(&h, "fd00::2", 7, false, 9), DROP_NONE);
    (void)host_sent(&h, b, sizeof b);
    assert_int_equal(wire_ip6_parse(b, 47, &w), DROP_NONE);
    assert_int_equal(w.hlim, 9);
    assert_int_equal(w.label, label); /* the same flow */
    h.n.env.conf.ip6_auto_flowlabels = 0;
    assert_int_equal(out(&h, "2001:db8::1", 7, false, 0), DROP_NONE);
    (void)host_sent(&h, b, sizeof b);
    assert_int_equal(wire_ip6_parse(b, 47, &w), DROP_NONE);
    assert_int_equal(w.label, 0);
    assert_int_equal(out(&h, "ff02::1:2", 7, false, 0), DROP_NONE);
    struct pkt *p = net_sent(&h.n, h.n.nif);
    const uint8_t group[6] = {0x33, 0x33, 0, 1, 0, 2};
    assert_memory_equal(pkt_data(p), group, 6); /* [RFC 2464 7] */
    assert_int_equal(pkt_data(p)[14 + 7], 1);
    pkt_free(p);
    host_close(&h);
}

/* If this fails, what is larger than a link gets through wrongly or not at all: only the source
 * cuts, at multiples of eight, and never what may not be cut [RFC 8200 4.5, 5]. */
static void the_source_fragments(void **state)
{
    (void)state;
    struct net_ip_host h;
    static uint8_t whole[4000];
    uint32_t got = 0, id = 0;
    host6_open(&h);
    assert_int_equal(out(&h, "fd00::2", 4000, true, 0), DROP_FRAG_NEEDED);
    assert_int_equal(out(&h, "fd00::2", 4000, false, 0), DROP_NONE);
    for (unsigned i = 0; i < 3; i++) {
        struct wire_ip6_chain c;
        uint32_t n = host_sent(&h, b, sizeof b);
        assert_true(n > 0 && n <= 1500);
        assert_int_equal(wire_ip6_walk(b, n, &c), DROP_NONE);
        assert_int_equal(c.frag_off, got);
        assert_int_equal(c.frag_more, i < 2);
        assert_true(i == 0 || c.frag_id == id);
        assert_int_equal(wire_ip6_plen(b) + 40u, n);
        id = c.frag_id;
        memcpy(whole + got, b + 48, n - 48);
        got += n - 48;
    }
    assert_int_equal(got, 4000);
    for (uint32_t i = 0; i < 4000; i++)
        assert_int_equal(whole[i], (uint8_t)(i * 5));
    assert_int_equal(host_sent(&h, b, sizeof b), 0);
    host_close(&h);
}

/* If this fails, a path narrower than the first link is never found, or a forged message makes
 * packets smaller than any IPv6 link takes. [RFC 8201 4 MUST-1, MUST-2, MUST-3, MUST-4] */
static void path_mtu_is_learned(void **state)
{
    (void)state;
    struct net_ip_host h;
    struct dst d;
    host6_open(&h);
    struct addr far = addr6("2001:db8::1");
    assert_false(ip_pmtu_update(&h.ip, &far, 1279, 1500));
    assert_false(ip_pmtu_update(&h.ip, &far, 0, 1500));
    assert_false(ip_pmtu_update(&h.ip, &far, 1500, 1500));
    assert_true(ip_pmtu_update(&h.ip, &far, 1400, 1500));
    assert_int_equal(route6(&h, "2001:db8::1", &d), 0);
    assert_int_equal(d.mtu, 1400);
    assert_false(ip_pmtu_update(&h.ip, &far, 1450, 1500));
    assert_true(ip_pmtu_update(&h.ip, &far, 1280, 1400));
    assert_int_equal(out(&h, "2001:db8::1", 2000, false, 0), DROP_NONE);
    assert_true(host_sent(&h, b, sizeof b) <= 1280);
    (void)net_flush(&h.n, h.n.nif);
    (void)host6_advance(&h, 601 * W_S);
    assert_int_equal(route6(&h, "2001:db8::1", &d), 0);
    assert_int_equal(d.mtu, 1500);
    host_close(&h);
}

/* If this fails, addresses made here can be foreseen, followed from network to network, or change
 * without a reason [RFC 7217 5]. */
static void stable_addresses_are_stable(void **state)
{
    (void)state;
    struct net_ip_host h, g;
    host6_open(&h);
    host6_open(&g);
    struct addr a = host6_link_local(&h), same = host6_link_local(&g);
    assert_true(addr_eq(&a, &same)); /* same seed, interface, network */
    const uint8_t eui[8] = {0, 0, 0, 0xff, 0xfe, 0, 0, 1};
    assert_true(memcmp(&a.b[8], eui, 8) != 0);
    h.n.env.conf.ip6_stable_secret3 = 1;
    struct nif *nif = h.n.nif;
    assert_int_equal(ip_addr_del(&h.ip, nif, &a), 0);
    assert_int_equal(ip6_link_local_add(&h.ip, nif, false), 0);
    struct addr other = host6_link_local(&h);
    assert_false(addr_eq(&a, &other)); /* another secret, another address */
    nif->mtu = 1000;
    assert_int_equal(ip_addr_del(&h.ip, nif, &other), 0);
    assert_int_equal(ip6_link_local_add(&h.ip, nif, false), -EINVAL); /* [RFC 8200 5] */
    (void)net_flush(&h.n, nif);
    host_close(&h);
    host_close(&g);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(source_addresses_are_chosen),
    cmocka_unit_test(families_do_not_share_default_routes),
    cmocka_unit_test(the_header_is_right),
    cmocka_unit_test(the_source_fragments),
    cmocka_unit_test(path_mtu_is_learned),
    cmocka_unit_test(stable_addresses_are_stable),
};
UNIT_MAIN(tests)
