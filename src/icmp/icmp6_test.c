/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMPv6: echo, errors read and sent, what of neighbour discovery gets in [RFC 4443].
 */
#include "net_ip6.h"

#include <errno.h>

#include "icmp/icmp.h"

struct fix {
    struct net_ip_host h;
    struct icmp icmp;
};

static uint8_t b[4000], got[4000];

static void fix_open(struct fix *f)
{
    host6_open(&f->h);
    icmp_init(&f->icmp, &f->h.n.env, &f->h.ip);
}

static enum next in(struct fix *f, size_t n, struct icmp_err *err, enum drop *why)
{
    struct pkt *p = host_pkt(&f->h, b, n);
    enum next next = ip6_input(&f->h.ip, f->h.n.nif, p);
    if (next == NEXT_ICMP6)
        next = icmp6_input(&f->icmp, f->h.n.nif, p, err);
    *why = DROP_NONE;
    if (next == NEXT_DONE)
        return next;
    *why = (enum drop)p->drop;
    pkt_free(p);
    return next;
}

static bool csum_is_ok(const uint8_t *ip, uint32_t n)
{
    struct wire_ip6 h;
    assert_int_equal(wire_ip6_parse(ip, n, &h), DROP_NONE);
    uint32_t sum = csum_pseudo(&h.src, &h.dst, PROTO_ICMP6, h.plen);
    return csum_fold(csum_partial(CSUM_SCALAR, ip + 40, h.plen, sum)) == 0;
}

/* If this fails, `ping` does not work, or returns other bytes [RFC 4443 4.2]. */
static void echo_is_answered(void **state)
{
    (void)state;
    struct fix f;
    struct icmp_err err;
    enum drop why;
    uint8_t m[1000] = {ICMP6T_ECHO_REQUEST, 0, 0, 0, 0x12, 0x34, 0, 1};
    fix_open(&f);
    for (unsigned i = 8; i < sizeof m; i++)
        m[i] = (uint8_t)i;
    for (unsigned group = 0; group < 2; group++) {
        struct net_ip6 ip = {.src = "fd00::2", .dst = group != 0 ? "ff02::1" : "fd00::1"};
        assert_int_equal(in(&f, net_icmp6(b, &ip, m, sizeof m), &err, &why), NEXT_DONE);
        assert_int_equal(host_sent(&f.h, got, sizeof got), 40 + sizeof m);
        assert_true(csum_is_ok(got, 40 + sizeof m));
        assert_int_equal(got[40], ICMP6T_ECHO_REPLY);
        assert_memory_equal(got + 44, m + 4, sizeof m - 4);
        struct addr src, our = addr6("fd00::1");
        memcpy(src.b, got + 8, 16);
        assert_true(addr_eq(&src, &our));
    }
    struct net_ip6 ip = {.src = "fd00::2", .dst = "fd00::1"};
    size_t n = net_icmp6(b, &ip, m, sizeof m);
    b[n - 1] ^= 1;
    assert_int_equal(in(&f, n, &err, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ICMP_CSUM);
    f.h.n.env.conf.icmp_echo_ignore_all = 1;
    assert_int_equal(in(&f, net_icmp6(b, &ip, m, sizeof m), &err, &why), NEXT_DROP);
    host_close(&f.h);
}

/* A message of this type about a TCP segment of ours. */
static size_t about(uint8_t type, uint8_t code, uint32_t arg, const char *src, uint8_t ext)
{
    uint8_t m[200] = {type, code};
    struct net_ip6 quoted = {.src = src, .dst = "2001:db8::9", .next = ext != 0 ? ext : PROTO_TCP};
    uint8_t seg[28] = {0};
    uint8_t *tcp = seg + (ext != 0 ? 8 : 0);
    seg[0] = ext != 0 ? PROTO_TCP : 0;
    w_put16(tcp, 5555);
    w_put16(tcp + 2, 80);
    w_put32(tcp + 4, 0xabcdef01);
    tcp[12] = 0x50;
    w_put32(m + 4, arg);
    size_t n = net_ip6(m + 8, &quoted, seg, ext != 0 ? 28 : 20);
    wire_ip6_set_plen(m + 8, 1400); /* the quote is cut */
    struct net_ip6 ip = {.src = "2001:db8::5", .dst = "fd00::1"};
    return net_icmp6(b, &ip, m, 8 + n);
}

/* If this fails, a program is told the wrong error, or none, or a stranger's [RFC 4443 3]. */
static void errors_are_read(void **state)
{
    (void)state;
    struct fix f;
    struct icmp_err err;
    enum drop why;
    static const struct {
        uint8_t type, code;
        int error;
        bool is_hard;
    } rows[] = {
        {1, 0, ENETUNREACH, false},  {1, 1, EACCES, true},       {1, 2, EHOSTUNREACH, false},
        {1, 3, EHOSTUNREACH, false}, {1, 4, ECONNREFUSED, true}, {1, 5, EACCES, true},
        {1, 9, EPROTO, true},        {2, 0, EMSGSIZE, false},    {3, 0, EHOSTUNREACH, false},
        {4, 1, EPROTO, true},        {100, 0, EPROTO, false},
    };
    fix_open(&f);
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        size_t n = about(rows[i].type, rows[i].code, 1300, "fd00::1", 0);
        assert_int_equal(in(&f, n, &err, &why), NEXT_TCP_ERROR);
        assert_int_equal(err.error, rows[i].error);
        assert_int_equal(err.is_hard, rows[i].is_hard);
        assert_int_equal(err.flow.lport, 5555);
        assert_int_equal(err.flow.rport, 80);
        assert_int_equal(err.seq, 0xabcdef01);
        assert_int_equal(err.sent, 1440);
        assert_int_equal(err.mtu, rows[i].type == 2 ? 1300 : 0);
    }
    assert_int_equal(in(&f, about(1, 4, 0, "fd00::1", PROTO_DSTOPTS), &err, &why), NEXT_TCP_ERROR);
    assert_int_equal(in(&f, about(1, 4, 0, "fd00::66", 0), &err, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ICMP_STALE);
    struct net_ip6 ip = {.src = "2001:db8::5", .dst = "fd00::1"};
    uint8_t shorter[8 + 44] = {1, 4, [8] = 0x60};
    assert_int_equal(in(&f, net_icmp6(b, &ip, shorter, sizeof shorter), &err, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ICMP_QUOTE);
    uint8_t unknown[8] = {200};
    assert_int_equal(in(&f, net_icmp6(b, &ip, unknown, 8), &err, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ICMP_TYPE);
    host_close(&f.h);
}

/* The packet of n bytes at b asks for an error; what is sent about it, 0: nothing. */
static uint32_t error_about(struct fix *f, size_t n, uint8_t type, uint8_t code)
{
    struct pkt *p = host_pkt(&f->h, b, n);
    p->icmp_type = type;
    p->icmp_code = code;
    p->icmp_arg = 0x1234;
    icmp_error(&f->icmp, p);
    return host_sent(&f->h, got, sizeof got);
}

/* If this fails, hosts answer what must not be answered, and two of them do it to each other for
 * ever [RFC 4443 2.4 (e)]. */
static void errors_are_sent_with_restraint(void **state)
{
    (void)state;
    struct fix f;
    static uint8_t x[2000];
    static const struct {
        const char *src, *dst;
        uint8_t next, first, type, code;
        bool want;
    } rows[] = {
        {"fd00::2", "fd00::1", PROTO_UDP, 0, 1, 4, true},
        {"fd00::2", "fd00::1", PROTO_ICMP6, 128, 1, 4, true},
        {"fd00::2", "fd00::1", PROTO_ICMP6, 1, 1, 4, false},
        {"fd00::2", "fd00::1", PROTO_ICMP6, 137, 1, 4, false},
        {"::", "fd00::1", PROTO_UDP, 0, 1, 4, false},
        {"ff02::5", "fd00::1", PROTO_UDP, 0, 1, 4, false},
        {"fd00::1", "fd00::1", PROTO_UDP, 0, 1, 4, false},
        {"fd00::2", "ff02::1", PROTO_UDP, 0, 1, 4, false},
        {"fd00::2", "ff02::1", PROTO_UDP, 0, 4, 1, false},
        {"fd00::2", "ff02::1", PROTO_UDP, 0, 4, 2, true},
        {"fd00::2", "ff02::1", PROTO_UDP, 0, 2, 0, true},
    };
    fix_open(&f);
    f.h.n.env.conf.icmp_ratelimit = 0;
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        struct net_ip6 ip = {.src = rows[i].src, .dst = rows[i].dst, .next = rows[i].next};
        x[0] = rows[i].first;
        size_t n = net_ip6(b, &ip, x, sizeof x);
        uint32_t len = error_about(&f, n, rows[i].type, rows[i].code);
        assert_int_equal(len != 0, rows[i].want);
        if (len == 0)
            continue;
        /* As much as fits into 1280 [RFC 4443 2.4 (c)]. */
        assert_int_equal(len, 1280);
        assert_true(csum_is_ok(got, len));
        assert_int_equal(got[40], rows[i].type);
        assert_int_equal(got[41], rows[i].code);
        assert_int_equal(w_be32(got + 44), 0x1234);
        assert_memory_equal(got + 48, b, 1280 - 48);
    }
    host_close(&f.h);
}

/* If this fails, one sender makes us flood another with errors [RFC 4443 2.4 (f)]. */
static void errors_are_rate_limited(void **state)
{
    (void)state;
    struct fix f;
    unsigned sent = 0;
    fix_open(&f);
    struct net_ip6 ip = {.src = "fd00::2", .dst = "fd00::1", .next = PROTO_UDP};
    size_t n = net_ip6(b, &ip, "12345678", 8);
    for (unsigned i = 0; i < 100; i++)
        sent += error_about(&f, n, 1, 4) != 0;
    assert_int_equal(sent, 1);
    (void)host6_advance(&f.h, 1100 * W_MS);
    assert_true(error_about(&f, n, 1, 4) != 0);
    (void)host6_advance(&f.h, 1100 * W_MS);
    sent = 0;
    f.h.n.env.conf.icmp_ratelimit = 0;
    for (unsigned i = 0; i < 100; i++)
        sent += error_about(&f, n, 1, 4) != 0;
    assert_true(sent >= 50 && sent < 60); /* the bucket of all */
    assert_true(f.h.n.env.stats[STAT_Icmp6OutRateLimitHost] > 0);
    host_close(&f.h);
}

/* If this fails, neighbour discovery from beyond the link is believed [RFC 4861 7.1, 11.2]. */
static void neighbour_discovery_comes_from_the_link(void **state)
{
    (void)state;
    struct fix f;
    struct icmp_err err;
    enum drop why;
    fix_open(&f);
    struct wire_nd m = {.type = ICMP6T_NS, .target = addr6("fd00::1"), .has = ND_HAS_SLLA};
    memcpy(m.slla, net_peer_mac, 6);
    struct net_ip6 ip = {.src = "fd00::2", .dst = "fd00::1", .hlim = 254};
    assert_int_equal(in(&f, net_nd(b, &ip, &m), &err, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ND_HOPS);
    ip.hlim = 255;
    assert_int_equal(in(&f, net_nd(b, &ip, &m), &err, &why), NEXT_DONE);
    assert_true(host_sent(&f.h, got, sizeof got) > 0);
    assert_int_equal(got[40], ICMP6T_NA);
    m = (struct wire_nd){.type = ICMP6T_RA, .life_s = 1800};
    ip = (struct net_ip6){.src = "fe80::2", .dst = "ff02::1"};
    assert_int_equal(in(&f, net_nd(b, &ip, &m), &err, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ND_NOT_OURS); /* this interface is configured by hand */
    assert_int_equal(ip6_auto_start(&f.h.ip, f.h.n.nif), 0);
    assert_int_equal(in(&f, net_nd(b, &ip, &m), &err, &why), NEXT_DONE);
    m = (struct wire_nd){.type = ICMP6T_RS};
    assert_int_equal(in(&f, net_nd(b, &ip, &m), &err, &why), NEXT_DROP);
    (void)net_flush(&f.h.n, f.h.n.nif);
    host_close(&f.h);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(echo_is_answered),
    cmocka_unit_test(errors_are_read),
    cmocka_unit_test(errors_are_sent_with_restraint),
    cmocka_unit_test(errors_are_rate_limited),
    cmocka_unit_test(neighbour_discovery_comes_from_the_link),
};
UNIT_MAIN(tests)
