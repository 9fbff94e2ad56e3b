/* SPDX-License-Identifier: Apache-2.0
 *
 * IPv4 headers and options, IPv6 headers and extension chains.
 */
#include "unit.h"

#include "wire/icmp6.h"
#include "wire/wire.h"

/* A header whose checksum somebody else computed. */
static const uint8_t known[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                                0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};

/* If this fails, no IPv4 packet is understood. [RFC 791 3.1] */
static void ip4_fields(void **state)
{
    (void)state;
    uint8_t b[0x73] = {0}, out[60];
    struct wire_ip4 h;
    memcpy(b, known, sizeof known);
    assert_int_equal(wire_ip4_parse(b, sizeof b, &h), DROP_NONE);
    assert_int_equal(h.hlen, 20);
    assert_int_equal(h.total, 0x73);
    assert_int_equal(h.flags, IP4_DF);
    assert_int_equal(h.frag_off, 0);
    assert_int_equal(h.proto, PROTO_UDP);
    assert_int_equal(addr_to_ip4(&h.src), 0xc0a80001);
    assert_int_equal(addr_to_ip4(&h.dst), 0xc0a800c7);
    assert_true(wire_ip4_csum_ok(b, h.hlen));
    assert_false(wire_ip4_is_frag(&h));
    assert_int_equal(wire_ip4_ttl(b), 64);
    assert_int_equal(wire_ip4_proto(b), PROTO_UDP);
    assert_int_equal(wire_ip4_total(b), 0x73);
    h.csum = 0;
    h.hlen = 0;
    assert_int_equal(wire_ip4_build(out, &h, NULL), 20);
    assert_memory_equal(out, known, 20);
}

/* If this fails, a forged length makes us read or deliver what is not the packet's. */
static void ip4_bad_lengths(void **state)
{
    (void)state;
    uint8_t b[0x73] = {0};
    struct wire_ip4 h;
    memcpy(b, known, sizeof known);
    assert_int_equal(wire_ip4_parse(b, sizeof b - 1, &h), DROP_IP_LEN);
    assert_int_equal(wire_ip4_parse(b, 19, &h), DROP_IP_SHORT);
    b[0] = 0x65;
    assert_int_equal(wire_ip4_parse(b, sizeof b, &h), DROP_IP_VERSION);
    b[0] = 0x44;
    assert_int_equal(wire_ip4_parse(b, sizeof b, &h), DROP_IP_HLEN);
    b[0] = 0x46;
    w_put16(b + 2, 23);
    assert_int_equal(wire_ip4_parse(b, sizeof b, &h), DROP_IP_HLEN);
    w_put16(b + 2, 24);
    assert_int_equal(wire_ip4_parse(b, 23, &h), DROP_IP_LEN);
    assert_int_equal(wire_ip4_parse(b, 24, &h), DROP_NONE);
    b[12] ^= 1;
    assert_false(wire_ip4_csum_ok(b, 24));
}

/* If this fails, a segment cut from a super-segment, or a forwarded packet, has a bad checksum.
 * [RFC 1624] */
static void ip4_changes_keep_the_checksum(void **state)
{
    (void)state;
    uint8_t b[20];
    for (unsigned v = 0; v <= 0xffff; v += 7) {
        memcpy(b, known, 20);
        wire_ip4_set_total_id(b, (uint16_t)v, (uint16_t)(v * 31));
        assert_true(wire_ip4_csum_ok(b, 20));
        assert_int_equal(w_be16(b + 2), v);
        assert_int_equal(w_be16(b + 4), (uint16_t)(v * 31));
        wire_ip4_set_ecn(b, v % 4);
        assert_int_equal(b[1] & 3, v % 4);
        assert_true(wire_ip4_csum_ok(b, 20));
    }
    for (unsigned ttl = 64; ttl > 0; ttl--) {
        assert_int_equal(wire_ip4_ttl(b), ttl);
        wire_ip4_dec_ttl(b);
        assert_true(wire_ip4_csum_ok(b, 20));
    }
    WEIR_EXPECT_ASSERT(wire_ip4_dec_ttl(b));
}

static enum drop opts(const uint8_t *bytes, unsigned n, struct wire_ip4_opts *o)
{
    uint8_t b[60] = {0x45};
    memcpy(b + 20, bytes, n);
    return wire_ip4_opts_parse(b, 20 + n, o);
}

/* If this fails, an option we do not know costs its sender the packet, or a malformed one us the
 * process. [RFC 1122 3.2.1.8] */
static void ip4_options(void **state)
{
    (void)state;
    struct wire_ip4_opts o;
    const uint8_t fine[] = {1, 148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 200, 3, 9, 0};
    assert_int_equal(opts(fine, sizeof fine, &o), DROP_NONE);
    assert_int_equal(o.ra, 21);
    assert_int_equal(o.rr, 25);
    assert_int_equal(o.unknown, 1);

    const uint8_t end[] = {0, 7, 99, 99};
    assert_int_equal(opts(end, sizeof end, &o), DROP_NONE);
    assert_int_equal(o.rr, 0);

    static const struct {
        uint8_t b[8];
        uint8_t bad_at;
    } bad[] = {
        {{1, 1, 1, 7}, 23},              /* no length */
        {{7, 0, 4, 0}, 21},              /* length 0 */
        {{7, 1, 4, 0}, 21},              /* length 1 */
        {{7, 9, 4, 0}, 21},              /* beyond the header */
        {{7, 3, 3, 0}, 22},              /* pointer before the first slot */
        {{7, 2, 0, 0}, 21},              /* too short for a pointer */
        {{68, 4, 4, 0}, 22},             /* timestamp's pointer */
        {{68, 4, 5, 2}, 23},             /* timestamp's flag */
        {{148, 3, 0, 0}, 21},            /* router alert of length 3 */
        {{131, 3, 4, 137, 3, 4, 0}, 23}, /* two source routes */
    };
    for (unsigned i = 0; i < WEIR_COUNT(bad); i++) {
        unsigned n = i == WEIR_COUNT(bad) - 1 ? 8 : 4;
        assert_int_equal(opts(bad[i].b, n, &o), DROP_IP_OPTION);
        assert_int_equal(o.bad_at, bad[i].bad_at);
    }
}

/* If this fails, fragments lose their security label or repeat a recorded route.
 * [RFC 791 3.1 copied flag] */
static void ip4_options_of_fragments(void **state)
{
    (void)state;
    uint8_t b[60] = {0x4a}, to[40], out[60];
    const uint8_t o[] = {7, 7, 4, 0, 0, 0, 0, 1, 148, 4, 0, 0, 130, 3, 1, 68, 4, 5, 0, 0};
    memcpy(b + 20, o, sizeof o);
    const uint8_t want[] = {148, 4, 0, 0, 130, 3, 1, 0};
    assert_int_equal(wire_ip4_opts_copied(b, 40, to), 8);
    assert_memory_equal(to, want, 8);
    struct wire_ip4 h = {.hlen = 28, .total = 28, .ttl = 1, .src = addr_ip4(1), .dst = addr_ip4(2)};
    assert_int_equal(wire_ip4_build(out, &h, to), 28);
    assert_memory_equal(out + 20, want, 8);
    assert_true(wire_ip4_csum_ok(out, 28));
    h.hlen = 22;
    WEIR_EXPECT_ASSERT(wire_ip4_build(out, &h, to));
}

/* If this fails, no IPv6 packet is understood. [RFC 8200 3] */
static void ip6_fields(void **state)
{
    (void)state;
    uint8_t b[48] = {0x6a, 0xb1,       0x23,       0x45,     0,           8,       17,
                     64,   [8] = 0xfe, [9] = 0x80, [23] = 1, [24] = 0xff, [39] = 2};
    uint8_t out[40];
    struct wire_ip6 h;
    assert_int_equal(wire_ip6_parse(b, 48, &h), DROP_NONE);
    assert_int_equal(h.tclass, 0xab);
    assert_int_equal(h.label, 0x12345);
    assert_int_equal(h.plen, 8);
    assert_int_equal(h.next, PROTO_UDP);
    assert_int_equal(h.hlim, 64);
    assert_int_equal(wire_ip6_build(out, &h), 40);
    assert_memory_equal(out, b, 40);
    assert_int_equal(wire_ip6_plen(b), 8);
    assert_int_equal(wire_ip6_hlim(b), 64);
    wire_ip6_set_ecn(out, ECN_CE);
    wire_ip6_set_plen(out, 9);
    assert_int_equal(wire_ip6_parse(out, 49, &h), DROP_NONE);
    assert_int_equal(h.tclass, 0xab | 3);
    assert_int_equal(h.label, 0x12345);
    assert_int_equal(wire_ip6_parse(out, 48, &h), DROP_IP_LEN);
    assert_int_equal(wire_ip6_parse(b, 39, &h), DROP_IP_SHORT);
    b[0] = 0x45;
    assert_int_equal(wire_ip6_parse(b, 48, &h), DROP_IP_VERSION);
}

/* An IPv6 packet whose first next-header is `next`, followed by these bytes. */
static enum drop walk(uint8_t next, const uint8_t *bytes, size_t n, struct wire_ip6_chain *c)
{
    uint8_t b[40 + 200] = {0x60};
    assert_true(n <= 200);
    b[6] = next;
    memcpy(b + 40, bytes, n);
    return wire_ip6_walk(b, 40 + n, c);
}

/* If this fails, a packet with extension headers loses its transport. [RFC 8200 4] */
static void ip6_chain(void **state)
{
    (void)state;
    struct wire_ip6_chain c;
    const uint8_t all[] = {
        43, 0,  5,    2,  0, 0, 1, 0, /* hop-by-hop: router alert 0, PadN */
        60, 0,  4,    0,  0, 0, 0, 0, /* routing, type 4, nothing left */
        44, 1,  0x1e, 4,  1, 2, 3, 4, 0x1e, 6, 0, 0, 0, 0, 0, 0, /* destination options */
        17, 0,  0,    1,  0, 0, 0, 9,                            /* fragment, first */
        0,  53, 0,    53, 0, 8, 0, 0,                            /* UDP */
    };
    assert_int_equal(walk(0, all, sizeof all, &c), DROP_NONE);
    assert_int_equal(c.proto, PROTO_UDP);
    assert_int_equal(c.off, 80);
    assert_int_equal(c.proto_at, 72);
    assert_int_equal(c.n_ext, 4);
    assert_true(c.has_hbh && c.has_dst && c.has_ra && c.frag_more);
    assert_int_equal(c.ra, 0);
    assert_int_equal(c.rh_at, 48);
    assert_int_equal(c.rh_type, 4);
    assert_int_equal(c.frag_at, 72);
    assert_int_equal(c.frag_nh_at, 56); /* the destination options name it */
    assert_int_equal(c.frag_off, 0);
    assert_int_equal(c.frag_id, 9);

    assert_int_equal(walk(6, all, 0, &c), DROP_NONE);
    assert_int_equal(c.off, 40);
    assert_int_equal(c.proto_at, 6);
    const uint8_t later[] = {60, 0, 0x05, 0xa8, 0, 0, 0, 9, 1, 2, 3};
    assert_int_equal(walk(44, later, sizeof later, &c), DROP_NONE);
    assert_int_equal(c.frag_off, 0x5a8);
    assert_false(c.frag_more);
    assert_int_equal(c.proto, 60);
    assert_int_equal(c.off, 48);
    uint8_t frag[8];
    wire_ip6_frag_build(frag, 60, 0x5a8, false, 9);
    assert_memory_equal(frag, later, 8);
    WEIR_EXPECT_ASSERT(wire_ip6_frag_build(frag, 60, 12, false, 9));
}

/* If this fails, senders are told the wrong thing about their extension headers, or not told.
 * [RFC 8200 4.2, 4.4; RFC 7112 5; RFC 8504 5.3] */
static void ip6_refusals(void **state)
{
    (void)state;
    static const struct {
        uint8_t next, n;
        uint8_t b[24];
        enum drop why;
        int code, at; /* -1: no error is sent */
        bool unless_mcast;
    } cases[] = {
        /* unknown options: skip, discard, discard and tell, tell unless multicast */
        {60, 8, {59, 0, 0x1e, 4}, DROP_NONE, -1, 0, false},
        {60, 8, {59, 0, 0x5e, 4}, DROP_IP6_OPTION, -1, 42, false},
        {60, 8, {59, 0, 0x9e, 4}, DROP_IP6_OPTION, ICMP6C_OPTION, 42, false},
        {60, 8, {59, 0, 0xde, 4}, DROP_IP6_OPTION, ICMP6C_OPTION, 42, true},
        {0, 8, {59, 0, IP6OPT_JUMBO, 4}, DROP_IP6_OPTION, ICMP6C_OPTION, 42, true},
        /* router alert of a wrong length; outside hop-by-hop it is an unknown option */
        {0, 8, {59, 0, 5, 4}, DROP_IP6_EXT, ICMP6C_FIELD, 43, false},
        {60, 8, {59, 0, 5, 4}, DROP_NONE, -1, 0, false},
        /* an option that leaves its header, one without a length */
        {60, 8, {59, 0, 0x1e, 5}, DROP_IP6_EXT, ICMP6C_FIELD, 43, false},
        {60, 8, {59, 0, 0x1e, 3, 0, 0, 0, 0x1e}, DROP_IP6_EXT, ICMP6C_FIELD, 47, false},
        /* hop-by-hop that is not first */
        {60,
         16,
         {0, 0, 1, 4, 0, 0, 0, 0, 59, 0, 1, 4},
         DROP_IP6_EXT,
         ICMP6C_NEXT_HEADER,
         40,
         false},
        /* segments left */
        {43, 8, {59, 0, 0, 1}, DROP_IP6_ROUTING, ICMP6C_FIELD, 42, false},
        {43, 8, {59, 0, 9, 1}, DROP_IP6_ROUTING, ICMP6C_FIELD, 42, false},
        /* too much padding */
        {60, 16, {59, 1, 1, 6, 0, 0, 0, 0, 0, 0, 1, 4}, DROP_IP6_EXT_LIMIT, -1, 0, false},
        /* cut chains: whole packet, first fragment, fragment header after a fragment header */
        {60, 7, {59, 0, 1, 4}, DROP_IP6_CHAIN, -1, 0, false},
        {60, 8, {59, 1, 1, 4}, DROP_IP6_CHAIN, -1, 0, false},
        {44, 15, {60, 0, 0, 1}, DROP_IP6_CHAIN, ICMP6C_CHAIN, 0, false},
        {44, 15, {17, 0, 0, 1}, DROP_IP6_CHAIN, ICMP6C_CHAIN, 0, false},
        {44, 24, {6, 0, 0, 1}, DROP_IP6_CHAIN, ICMP6C_CHAIN, 0, false},
        {44, 16, {44, 0, 0, 1}, DROP_IP6_EXT, -1, 0, false},
        /* the last fragment-to-be may be shorter: it is whole */
        {44, 15, {17, 0, 0, 0}, DROP_NONE, -1, 0, false},
    };
    for (unsigned i = 0; i < WEIR_COUNT(cases); i++) {
        struct wire_ip6_chain c;
        enum drop why = walk(cases[i].next, cases[i].b, cases[i].n, &c);
        if (why != cases[i].why)
            fail_msg("case %u: %s, not %s", i, drop_name(why), drop_name(cases[i].why));
        assert_int_equal(c.wants_error, cases[i].code >= 0);
        if (c.wants_error) {
            assert_int_equal(c.bad_code, cases[i].code);
            assert_int_equal(c.bad_at, cases[i].at);
            assert_int_equal(c.unless_mcast, cases[i].unless_mcast);
        }
    }
}

/* If this fails, one small packet with endless headers costs us as much as a large download.
 * [RFC 8504 5.3] */
static void ip6_limits(void **state)
{
    (void)state;
    struct wire_ip6_chain c;
    uint8_t b[8 * 9] = {0};
    for (unsigned i = 0; i < 9; i++) {
        b[8 * i] = i < 8 ? 60 : 59;
        b[8 * i + 2] = 1;
        b[8 * i + 3] = 4;
    }
    assert_int_equal(walk(60, b, sizeof b, &c), DROP_IP6_EXT_LIMIT);
    assert_int_equal(c.bad_code, ICMP6C_TOO_MANY_EXTS);
    assert_int_equal(c.bad_at, 40 + 64);
    assert_int_equal(walk(60, b + 8, sizeof b - 8, &c), DROP_NONE);
    assert_int_equal(c.n_ext, 8);

    /* The header that would be too many is not even there: the chain is cut, nothing is blamed. */
    assert_int_equal(walk(60, b, sizeof b - 8, &c), DROP_IP6_CHAIN);
    assert_false(c.wants_error);

    uint8_t o[24] = {59, 2};
    for (unsigned i = 0; i < 11; i++)
        o[2 + 2 * i] = 0x1e;
    assert_int_equal(walk(60, o, sizeof o, &c), DROP_IP6_EXT_LIMIT);
    assert_int_equal(c.bad_code, ICMP6C_TOO_MANY_OPTS);
    assert_int_equal(c.bad_at, 42 + 16);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ip4_fields),
    cmocka_unit_test(ip4_bad_lengths),
    cmocka_unit_test(ip4_changes_keep_the_checksum),
    cmocka_unit_test(ip4_options),
    cmocka_unit_test(ip4_options_of_fragments),
    cmocka_unit_test(ip6_fields),
    cmocka_unit_test(ip6_chain),
    cmocka_unit_test(ip6_refusals),
    cmocka_unit_test(ip6_limits),
};
UNIT_MAIN(tests)
