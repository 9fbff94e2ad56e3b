/* SPDX-License-Identifier: Apache-2.0
 *
 * Neighbour discovery messages: the five kinds, their options, and what makes one invalid.
 */
#include "unit.h"

#include "wire/nd.h"

static struct addr addr6(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, &a), 0);
    return a;
}

/* Builds, parses, builds again: the same bytes. */
static unsigned round_trip(const struct wire_nd *h, uint8_t *out, size_t cap)
{
    uint8_t again[512];
    struct wire_nd g;
    unsigned n = wire_nd_build(out, cap, h);
    assert_int_not_equal(n, 0);
    assert_int_equal(n % 8, 0);
    assert_int_equal(wire_nd_parse(out, n, &g), DROP_NONE);
    assert_int_equal(g.type, h->type);
    assert_int_equal(wire_nd_build(again, sizeof again, &g), n);
    assert_memory_equal(out, again, n);
    for (size_t less = 0; less < n; less++)
        assert_int_equal(wire_nd_build(again, less, h), 0);
    return n;
}

/* If this fails, no IPv6 neighbour's hardware address is ever found. [RFC 4861 4.3, 4.4] */
static void solicitation_and_advertisement(void **state)
{
    (void)state;
    const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
    uint8_t out[512];
    struct wire_nd h = {.type = ICMP6T_NS, .has = ND_HAS_SLLA | ND_HAS_NONCE};
    h.target = addr6("fe80::2");
    memcpy(h.slla, mac, 6);
    memcpy(h.nonce, "abcdef", 6);
    assert_int_equal(round_trip(&h, out, sizeof out), 40);
    const uint8_t want[40] = {135, [8] = 0xfe, 0x80, [23] = 2, 1,   1,   2,   0,   0,   0,
                              0,   1,          14,   1,        'a', 'b', 'c', 'd', 'e', 'f'};
    assert_memory_equal(out, want, 40);

    h = (struct wire_nd){.type = ICMP6T_NA, .has = ND_HAS_TLLA, .csum = 0x1234};
    h.flags = ND_NA_SOLICITED | ND_NA_OVERRIDE;
    h.target = addr6("2001:db8::1");
    memcpy(h.tlla, mac, 6);
    assert_int_equal(round_trip(&h, out, sizeof out), 32);
    assert_int_equal(out[4], 0x60);
    struct wire_nd g;
    assert_int_equal(wire_nd_parse(out, 32, &g), DROP_NONE);
    assert_int_equal(g.flags, 0x60);
    assert_int_equal(g.csum, 0x1234);
    assert_true(addr_eq(&g.target, &h.target));
    assert_memory_equal(g.tlla, mac, 6);
    assert_int_equal(g.has, ND_HAS_TLLA);
}

/* If this fails, the host gets no IPv6 address, route or name server.
 * [RFC 4861 4.2, RFC 4191 2.3, RFC 8106 5.1] */
static void router_advertisement(void **state)
{
    (void)state;
    uint8_t out[512];
    struct wire_nd h = {
        .type = ICMP6T_RA, .has = ND_HAS_SLLA | ND_HAS_MTU, .mtu = 1400, .hlim = 64};
    h.flags = ND_RA_OTHER, h.life_s = 1800, h.reachable_ms = 30000, h.retrans_ms = 1000;
    h.n_prefix = 2, h.n_route = 3, h.n_dns = 2, h.dns_life_s = 600;
    h.prefix[0] = (struct wire_nd_prefix){addr6("2001:db8::"), 86400, 14400, 64, 0xc0};
    h.prefix[1] = (struct wire_nd_prefix){addr6("2001:db8:f0::"), 1, UINT32_MAX, 44, 0x40};
    h.route[0] = (struct wire_nd_route){addr6("::"), 60, 0, -1};
    h.route[1] = (struct wire_nd_route){addr6("fc00::"), 60, 7, 1};
    h.route[2] = (struct wire_nd_route){addr6("fd00::8000:0"), 60, 97, 0};
    h.dns[0] = addr6("fd00::53");
    h.dns[1] = addr6("fd00::54");
    unsigned n = round_trip(&h, out, sizeof out);
    assert_int_equal(n, 16 + 8 + 8 + 64 + 8 + 16 + 24 + 40);
    struct wire_nd g;
    assert_int_equal(wire_nd_parse(out, n, &g), DROP_NONE);
    assert_int_equal(g.hlim, 64);
    assert_int_equal(g.life_s, 1800);
    assert_int_equal(g.reachable_ms, 30000);
    assert_int_equal(g.retrans_ms, 1000);
    assert_int_equal(g.mtu, 1400);
    assert_int_equal(g.n_prefix, 2);
    assert_int_equal(g.prefix[1].plen, 44);
    assert_int_equal(g.prefix[0].valid_s, 86400);
    assert_int_equal(g.route[0].pref, -1);
    assert_int_equal(g.route[1].pref, 1);
    assert_true(addr_eq(&g.route[2].prefix, &h.route[2].prefix));
    assert_int_equal(g.n_dns, 2);
    assert_true(addr_eq(&g.dns[1], &h.dns[1]));

    /* More than fit: the first ones count. */
    uint8_t many[16 + 32 * 10] = {134};
    for (unsigned i = 0; i < 10; i++) {
        many[16 + 32 * i] = NDOPT_PREFIX;
        many[16 + 32 * i + 1] = 4;
        many[16 + 32 * i + 2] = (uint8_t)i;
    }
    assert_int_equal(wire_nd_parse(many, sizeof many, &g), DROP_NONE);
    assert_int_equal(g.n_prefix, WIRE_ND_PREFIXES);
}

/* If this fails, reserved bits a router left in a prefix become part of addresses.
 * [RFC 4861 4.6.2 "bits after the prefix length … ignored"] */
static void prefixes_are_masked(void **state)
{
    (void)state;
    for (unsigned plen = 0; plen <= 129; plen++) {
        uint8_t b[48] = {134, [16] = NDOPT_PREFIX, 4, (uint8_t)plen};
        memset(b + 32, 0xff, 16);
        struct wire_nd g;
        struct addr ones;
        memset(ones.b, 0xff, 16);
        assert_int_equal(wire_nd_parse(b, 48, &g), DROP_NONE);
        assert_int_equal(g.n_prefix, plen <= 128);
        if (plen > 128)
            continue;
        assert_true(addr_in_prefix(&ones, &g.prefix[0].prefix, plen));
        unsigned bits = 0;
        for (unsigned i = 0; i < 16; i++)
            bits += (unsigned)__builtin_popcount(g.prefix[0].prefix.b[i]);
        assert_int_equal(bits, plen);
    }
}

/* If this fails, traffic is not taken to the better router, or to an attacker's.
 * [RFC 4861 4.5, 8.1] */
static void redirect(void **state)
{
    (void)state;
    uint8_t out[512];
    struct wire_nd g, h = {.type = ICMP6T_REDIRECT, .has = ND_HAS_TLLA};
    h.target = addr6("fe80::9");
    h.dest = addr6("2001:db8::7");
    unsigned n = round_trip(&h, out, 256);
    assert_int_equal(n, 48);
    /* The redirected packet follows. */
    memset(out + n, 0x60, 24);
    out[n] = NDOPT_REDIRECTED, out[n + 1] = 3;
    assert_int_equal(wire_nd_parse(out, n + 24, &g), DROP_NONE);
    assert_int_equal(g.has, ND_HAS_TLLA | ND_HAS_REDIRECTED);
    assert_int_equal(g.redirected_at, n + 8);
    assert_int_equal(g.redirected_len, 16);
    h.target = addr6("2001:db8::8");
    n = wire_nd_build(out, sizeof out, &h);
    assert_int_equal(wire_nd_parse(out, n, &g), DROP_ND_FORMAT);
    h.target = h.dest;
    n = wire_nd_build(out, sizeof out, &h);
    assert_int_equal(wire_nd_parse(out, n, &g), DROP_NONE);
    h.target = h.dest = addr6("ff02::1");
    n = wire_nd_build(out, sizeof out, &h);
    assert_int_equal(wire_nd_parse(out, n, &g), DROP_ND_FORMAT);
}

/* If this fails, messages that must be silently discarded change the neighbour cache.
 * [RFC 4861 6.1.1, 6.1.2, 7.1.1, 7.1.2] */
static void invalid_messages(void **state)
{
    (void)state;
    struct wire_nd g;
    uint8_t b[48] = {135, [8] = 0xfe, [9] = 0x80, [23] = 1, [24] = 1, [25] = 1};
    assert_int_equal(wire_nd_parse(b, 32, &g), DROP_NONE);
    assert_int_equal(wire_nd_parse(b, 23, &g), DROP_ND_SHORT);
    assert_int_equal(wire_nd_parse(b, 24, &g), DROP_NONE);
    assert_int_equal(g.has, 0);
    assert_int_equal(wire_nd_parse(b, 25, &g), DROP_ND_OPTION);
    assert_int_equal(wire_nd_parse(b, 31, &g), DROP_ND_OPTION);
    b[25] = 0;
    assert_int_equal(wire_nd_parse(b, 32, &g), DROP_ND_OPTION);
    b[25] = 2; /* a link-layer address that is not Ethernet's is none */
    assert_int_equal(wire_nd_parse(b, 40, &g), DROP_NONE);
    assert_int_equal(g.has, 0);
    b[1] = 1;
    assert_int_equal(wire_nd_parse(b, 40, &g), DROP_ND_FORMAT);
    b[1] = 0;
    b[8] = 0xff;
    assert_int_equal(wire_nd_parse(b, 40, &g), DROP_ND_FORMAT);
    b[0] = 136;
    assert_int_equal(wire_nd_parse(b, 40, &g), DROP_ND_FORMAT);
    b[0] = 132;
    assert_int_equal(wire_nd_parse(b, 40, &g), DROP_ND_FORMAT);
    static const uint8_t len[] = {8, 16, 24, 24, 40};
    for (unsigned t = 0; t < 5; t++) {
        uint8_t c[40] = {(uint8_t)(133 + t)};
        assert_int_equal(wire_nd_parse(c, len[t] - 1u, &g), DROP_ND_SHORT);
        assert_int_equal(wire_nd_parse(c, len[t], &g), DROP_NONE);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(solicitation_and_advertisement),
    cmocka_unit_test(router_advertisement),
    cmocka_unit_test(prefixes_are_masked),
    cmocka_unit_test(redirect),
    cmocka_unit_test(invalid_messages),
};
UNIT_MAIN(tests)
