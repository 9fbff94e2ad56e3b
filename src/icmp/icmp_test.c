/* SPDX-License-Identifier: Apache-2.0 */
#include "net_ip.h"

#include <errno.h>

#include "icmp/icmp.h"

struct fix {
    struct net_ip_host h;
    struct icmp icmp;
};

static void fix_open(struct fix *f)
{
    host_open(&f->h);
    icmp_init(&f->icmp, &f->h.n.env, &f->h.ip);
}

/* An ICMP message with its checksum, as IP packet bytes. */
static size_t message(uint8_t *b, const struct net_ip *ip, const struct wire_icmp4 *m,
                      const void *data, size_t n)
{
    static uint8_t seg[3000];
    struct wire_icmp4 h = *m;
    struct net_ip i = *ip;
    i.proto = PROTO_ICMP4;
    h.csum = 0;
    wire_icmp4_build(seg, &h);
    memcpy(seg + 8, data, n);
    h.csum = csum_fold(csum_partial(CSUM_SCALAR, seg, 8 + n, 0));
    wire_icmp4_build(seg, &h);
    return net_ip4(b, &i, seg, 8 + n);
}

/* Through ip4_input and icmp_input; the caller owns *p if it is not NULL. */
static enum next in(struct fix *f, const uint8_t *b, size_t n, struct icmp_err *err, struct pkt **p)
{
    *p = host_pkt(&f->h, b, n);
    enum next next = ip4_input(&f->h.ip, f->h.n.nif, *p);
    if (next == NEXT_ICMP)
        next = icmp_input(&f->icmp, f->h.n.nif, *p, err);
    if (next == NEXT_DONE)
        *p = NULL;
    return next;
}

static enum next in_free(struct fix *f, const uint8_t *b, size_t n, struct icmp_err *err,
                         enum drop *why)
{
    struct pkt *p;
    enum next next = in(f, b, n, err, &p);
    *why = p != NULL ? (enum drop)p->drop : DROP_NONE;
    if (p != NULL)
        pkt_free(p);
    return next;
}

/* If this fails, `ping` does not work, or returns other bytes [RFC 1122 3.2.2.6]. */
static void echo_is_answered_with_its_own_bytes(void **state)
{
    (void)state;
    struct fix f;
    struct icmp_err err;
    enum drop why;
    static uint8_t b[3000], data[2000], out[3000];
    const size_t sizes[] = {0, 1, 56, 1000, 1472};
    fix_open(&f);
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 11);
    for (unsigned s = 0; s < WEIR_COUNT(sizes); s++) {
        struct net_ip ip = {.src = NET_FAR, .dst = NET_OUR, .ttl = 3, .tos = 0x20};
        struct wire_icmp4 m = {.type = ICMP4T_ECHO_REQUEST, .arg = 0x12340000u + s};
        size_t n = message(b, &ip, &m, data, sizes[s]);
        assert_int_equal(in_free(&f, b, n, &err, &why), NEXT_DONE);
        uint32_t k = host_sent(&f.h, out, sizeof out);
        assert_int_equal(k, 28 + sizes[s]);
        struct wire_ip4 h;
        assert_int_equal(wire_ip4_parse(out, k, &h), DROP_NONE);
        assert_true(wire_ip4_csum_ok(out, 20));
        assert_int_equal(addr_to_ip4(&h.src), NET_OUR);
        assert_int_equal(addr_to_ip4(&h.dst), NET_FAR);
        assert_int_equal(h.ttl, 64);
        assert_int_equal(csum_fold(csum_partial(CSUM_SCALAR, out + 20, k - 20, 0)), 0);
        assert_int_equal(out[20], ICMP4T_ECHO_REPLY);
        assert_int_equal(w_be32(out + 24), 0x12340000u + s);
        assert_memory_equal(out + 28, data, sizes[s]);
    }
    assert_int_equal(f.h.n.env.stats[STAT_IcmpOutEchoReps], WEIR_COUNT(sizes));
    host_close(&f.h);
}

/* If this fails, one ping to a broadcast address makes every host answer a victim: "smurf". */
static void echo_is_not_always_answered(void **state)
{
    (void)state;
    struct fix f;
    struct icmp_err err;
    enum drop why;
    uint8_t b[100];
    struct wire_icmp4 m = {.type = ICMP4T_ECHO_REQUEST};
    const uint32_t groups[] = {0x0a0000ff, 0xffffffff, 0xe0000001};
    fix_open(&f);
    for (unsigned i = 0; i < 3; i++) {
        struct net_ip ip = {.src = NET_PEER, .dst = groups[i]};
        size_t n = message(b, &ip, &m, "abc", 3);
        assert_int_equal(in_free(&f, b, n, &err, &why), NEXT_DROP);
        assert_int_equal(why, DROP_ICMP_BROADCAST);
    }
    f.h.n.env.conf.icmp_echo_ignore_all = 1;
    struct net_ip ip = {.src = NET_PEER, .dst = NET_OUR};
    size_t n = message(b, &ip, &m, "abc", 3);
    assert_int_equal(in_free(&f, b, n, &err, &why), NEXT_DROP);
    assert_int_equal(net_flush(&f.h.n, f.h.n.nif), 0);
    host_close(&f.h);
}

/* If this fails, malformed or unknown messages are acted on, or lost without a name. */
static void messages_that_are_none(void **state)
{
    (void)state;
    struct fix f;
    struct icmp_err err;
    enum drop why;
    uint8_t b[100];
    fix_open(&f);
    struct net_ip ip = {.src = NET_PEER, .dst = NET_OUR};
    struct wire_icmp4 m = {.type = ICMP4T_ECHO_REQUEST};
    size_t n = message(b, &ip, &m, "abcd", 4);
    b[n - 1] ^= 1;
    assert_int_equal(in_free(&f, b, n, &err, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ICMP_CSUM);
    ip.proto = PROTO_ICMP4;
    n = net_ip4(b, &ip, "1234567", 7);
    assert_int_equal(in_free(&f, b, n, &err, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ICMP_SHORT);
    assert_int_equal(f.h.n.env.stats[STAT_IcmpInErrors], 2);
    for (unsigned type = 0; type < 256; type++) {
        m.type = (uint8_t)type;
        n = message(b, &ip, &m, "abcd", 4);
        enum next next = in_free(&f, b, n, &err, &why);
        assert_int_equal(next, type == ICMP4T_ECHO_REQUEST ? NEXT_DONE : NEXT_DROP);
    }
    (void)net_flush(&f.h.n, f.h.n.nif);
    host_close(&f.h);
}

/* The first bytes of a packet we could have sent: TCP or UDP 1000 → 2000, seq 0xabcdef01. */
static size_t quote(uint8_t *q, uint8_t proto, size_t l4_bytes)
{
    uint8_t l4[20] = {0x03, 0xe8, 0x07, 0xd0, 0xab, 0xcd, 0xef, 0x01};
    struct net_ip ip = {.src = NET_OUR, .dst = NET_FAR, .proto = proto};
    (void)net_ip4(q, &ip, l4, 20);
    return 20 + l4_bytes;
}

/* If this fails, a transport hears of an error about the wrong connection, or with the wrong
 * meaning [RFC 1122 3.2.2, 4.2.3.9]. */
static void errors_are_read_for_their_transport(void **state)
{
    (void)state;
    static const struct {
        uint8_t type, code, proto;
        uint32_t arg;
        enum next next;
        int error;
        bool is_hard;
    } rows[] = {
        {3, ICMP4C_NET, 6, 0, NEXT_TCP_ERROR, ENETUNREACH, false},
        {3, ICMP4C_HOST, 17, 0, NEXT_UDP_ERROR, EHOSTUNREACH, false},
        {3, ICMP4C_PROTO, 6, 0, NEXT_TCP_ERROR, ENOPROTOOPT, true},
        {3, ICMP4C_PORT, 17, 0, NEXT_UDP_ERROR, ECONNREFUSED, true},
        {3, ICMP4C_FRAG_NEEDED, 6, 1280, NEXT_TCP_ERROR, EMSGSIZE, false},
        {3, ICMP4C_ADMIN, 6, 0, NEXT_TCP_ERROR, EHOSTUNREACH, true},
        {3, 16, 6, 0, NEXT_DROP, 0, false},
        {11, 0, 6, 0, NEXT_TCP_ERROR, EHOSTUNREACH, false},
        {12, 0, 17, 0, NEXT_UDP_ERROR, EPROTO, true},
        {4, 0, 6, 0, NEXT_DROP, 0, false},   /* source quench [RFC 6633] */
        {5, 0, 6, 0, NEXT_DROP, 0, false},   /* redirect */
        {3, 1, 132, 0, NEXT_DROP, 0, false}, /* nobody's */
    };
    struct fix f;
    fix_open(&f);
    for (unsigned r = 0; r < WEIR_COUNT(rows); r++) {
        uint8_t b[200], q[40];
        struct icmp_err err;
        enum drop why;
        struct net_ip ip = {.src = NET_GW, .dst = NET_OUR};
        struct wire_icmp4 m = {.type = rows[r].type, .code = rows[r].code, .arg = rows[r].arg};
        size_t n = message(b, &ip, &m, q, quote(q, rows[r].proto, 8));
        assert_int_equal(in_free(&f, b, n, &err, &why), rows[r].next);
        if (rows[r].next == NEXT_DROP)
            continue;
        assert_int_equal(err.error, rows[r].error);
        assert_int_equal(err.is_hard, rows[r].is_hard);
        assert_int_equal(err.mtu, rows[r].arg);
        assert_int_equal(err.sent, 40);
        assert_int_equal(addr_to_ip4(&err.flow.local), NET_OUR);
        assert_int_equal(addr_to_ip4(&err.flow.remote), NET_FAR);
        assert_int_equal(addr_to_ip4(&err.reporter), NET_GW);
        assert_int_equal(err.flow.lport, 1000);
        assert_int_equal(err.flow.rport, 2000);
        assert_int_equal(err.seq, rows[r].proto == 6 ? 0xabcdef01 : 0);
        assert_false(err.is_local);
    }
    host_close(&f.h);
}

/* If this fails, an error about a packet that cannot be ours is believed, or a cut quote is read
 * beyond its end. */
static void unusable_quotes_are_named(void **state)
{
    (void)state;
    struct fix f;
    uint8_t b[200], q[60];
    struct icmp_err err;
    enum drop why;
    fix_open(&f);
    struct net_ip ip = {.src = NET_GW, .dst = NET_OUR};
    struct wire_icmp4 m = {.type = 3, .code = 1};
    for (size_t cut = 0; cut < 28; cut++) {
        (void)quote(q, 6, 8);
        size_t n = message(b, &ip, &m, q, cut);
        assert_int_equal(in_free(&f, b, n, &err, &why), NEXT_DROP);
        assert_int_equal(why, DROP_ICMP_QUOTE);
    }
    (void)quote(q, 6, 8);
    w_put16(q + 6, 5); /* not its first fragment */
    size_t n = message(b, &ip, &m, q, 28);
    assert_int_equal(in_free(&f, b, n, &err, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ICMP_QUOTE);
    (void)quote(q, 6, 8);
    q[15] = 77; /* not from us */
    n = message(b, &ip, &m, q, 28);
    assert_int_equal(in_free(&f, b, n, &err, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ICMP_STALE);
    (void)quote(q, 6, 8);
    ip.dst = 0x0a0000ff; /* told to everybody */
    n = message(b, &ip, &m, q, 28);
    assert_int_equal(in_free(&f, b, n, &err, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ICMP_BROADCAST);
    host_close(&f.h);
}

/* A packet as it came, with the error it asks for. */
static struct pkt *complain(struct fix *f, const struct net_ip *ip, const void *l4, size_t n,
                            uint8_t type)
{
    static uint8_t b[3000];
    size_t len = net_ip4(b, ip, l4, n);
    struct pkt *p = host_pkt(&f->h, b, len);
    p->icmp_type = type;
    p->icmp_code = ICMP4C_PORT;
    p->icmp_arg = 0x11223344;
    return p;
}

/* If this fails, who sent to a closed port is not told, or is told nonsense [RFC 1122 3.2.2,
 * RFC 1812 4.3.2]. */
static void error_quotes_what_it_is_about(void **state)
{
    (void)state;
    struct fix f;
    static uint8_t data[1480], out[1500];
    struct wire_ip4 h;
    fix_open(&f);
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 3);
    struct net_ip ip = {.src = NET_FAR, .dst = NET_OUR, .proto = PROTO_UDP, .id = 9};
    icmp_error(&f.icmp, complain(&f, &ip, data, 1480, ICMP4T_DEST_UNREACH));
    uint32_t n = host_sent(&f.h, out, sizeof out);
    assert_int_equal(n, 576);
    assert_int_equal(wire_ip4_parse(out, n, &h), DROP_NONE);
    assert_int_equal(addr_to_ip4(&h.src), NET_OUR);
    assert_int_equal(addr_to_ip4(&h.dst), NET_FAR);
    assert_int_equal(h.tos, 0xc0);
    assert_int_equal(csum_fold(csum_partial(CSUM_SCALAR, out + 20, n - 20, 0)), 0);
    assert_int_equal(out[20], ICMP4T_DEST_UNREACH);
    assert_int_equal(out[21], ICMP4C_PORT);
    assert_int_equal(w_be32(out + 24), 0x11223344);
    assert_int_equal(w_be16(out + 28 + 4), 9); /* the quoted header */
    assert_memory_equal(out + 48, data, 576 - 48);
    assert_int_equal(f.h.n.env.stats[STAT_IcmpOutDestUnreachs], 1);
    host_close(&f.h);
}

/* If this fails, errors are sent about errors, fragments, broadcasts or nobody, and storms begin
 * [RFC 1122 3.2.2 MUST NOT]. */
static void forbidden_errors_are_not_sent(void **state)
{
    (void)state;
    struct fix f;
    uint8_t icmp_err[28] = {ICMP4T_DEST_UNREACH}, echo[28] = {ICMP4T_ECHO_REQUEST};
    uint8_t udp[28] = {0};
    static const struct {
        struct net_ip ip;
        int l4; /* 0 UDP, 1 ICMP error, 2 ICMP echo */
        uint8_t origin;
        bool is_sent;
    } rows[] = {
        {{.src = NET_FAR, .dst = NET_OUR, .proto = 17}, 0, LINK_TO_US, true},
        {{.src = NET_FAR, .dst = NET_OUR, .proto = 1}, 2, LINK_TO_US, true},
        {{.src = NET_FAR, .dst = NET_OUR, .proto = 1}, 1, LINK_TO_US, false},
        {{.src = NET_FAR, .dst = NET_OUR, .proto = 17, .frag_off = 8}, 0, LINK_TO_US, false},
        {{.src = NET_FAR, .dst = NET_OUR, .proto = 17, .flags = IP4_MF}, 0, LINK_TO_US, true},
        {{.src = NET_FAR, .dst = 0x0a0000ff, .proto = 17}, 0, LINK_TO_US, false},
        {{.src = NET_FAR, .dst = 0xffffffff, .proto = 17}, 0, LINK_TO_US, false},
        {{.src = NET_FAR, .dst = 0xe0000001, .proto = 17}, 0, LINK_TO_US, false},
        {{.src = NET_FAR, .dst = NET_OUR, .proto = 17}, 0, LINK_TO_GROUP, false},
        {{.src = 0, .dst = NET_OUR, .proto = 17}, 0, LINK_TO_US, false},
        {{.src = 0x7f000001, .dst = NET_OUR, .proto = 17}, 0, LINK_TO_US, false},
        {{.src = 0xe0000001, .dst = NET_OUR, .proto = 17}, 0, LINK_TO_US, false},
        {{.src = 0x0a0000ff, .dst = NET_OUR, .proto = 17}, 0, LINK_TO_US, false},
        {{.src = NET_OUR, .dst = NET_OUR, .proto = 17}, 0, LINK_TO_US, false},
    };
    fix_open(&f);
    f.h.n.env.conf.icmp_ratelimit = 0;
    for (unsigned r = 0; r < WEIR_COUNT(rows); r++) {
        const void *l4 = rows[r].l4 == 0 ? udp : rows[r].l4 == 1 ? icmp_err : echo;
        struct pkt *p = complain(&f, &rows[r].ip, l4, 28, ICMP4T_TIME_EXCEEDED);
        p->origin = rows[r].origin;
        icmp_error(&f.icmp, p);
        if (net_flush(&f.h.n, f.h.n.nif) != rows[r].is_sent)
            fail_msg("row %u", r);
    }
    assert_int_equal(f.h.n.env.drops[DROP_ICMP_NOT_ALLOWED], 11);
    host_close(&f.h);
}

/* If this fails, a flood of bad packets makes us flood in turn [RFC 1812 4.3.2.8]. */
static void errors_are_rate_limited(void **state)
{
    (void)state;
    struct fix f;
    uint8_t udp[28] = {0};
    fix_open(&f);
    struct net_ip ip = {.src = NET_FAR, .dst = NET_OUR, .proto = 17};
    for (unsigned i = 0; i < 10; i++)
        icmp_error(&f.icmp, complain(&f, &ip, udp, 28, ICMP4T_DEST_UNREACH));
    assert_int_equal(net_flush(&f.h.n, f.h.n.nif), 1);
    assert_int_equal(f.h.n.env.drops[DROP_ICMP_RATE], 9);
    f.h.n.env.now += 1001 * W_MS;
    icmp_error(&f.icmp, complain(&f, &ip, udp, 28, ICMP4T_DEST_UNREACH));
    assert_int_equal(net_flush(&f.h.n, f.h.n.nif), 1);
    /* All destinations together: a burst of 50, then a thousand a second. */
    f.h.n.env.now += 10 * W_S;
    unsigned sent = 0;
    for (unsigned i = 0; i < 3000; i++) {
        ip.src = NET_FAR + i * 3;
        icmp_error(&f.icmp, complain(&f, &ip, udp, 28, ICMP4T_DEST_UNREACH));
        sent += net_flush(&f.h.n, f.h.n.nif);
    }
    assert_int_equal(sent, 50);
    f.h.n.env.conf.icmp_ratelimit = 0;
    sent = 0;
    for (unsigned i = 0; i < 3000; i++) {
        f.h.n.env.now += 100 * W_US;
        icmp_error(&f.icmp, complain(&f, &ip, udp, 28, ICMP4T_DEST_UNREACH));
        sent += net_flush(&f.h.n, f.h.n.nif);
    }
    assert_in_range(sent, 299, 301);
    assert_int_equal(f.h.n.env.stats[STAT_IcmpOutRateLimited], f.h.n.env.drops[DROP_ICMP_RATE]);
    host_close(&f.h);
}

/* If this fails, a path's MTU is learned a second late, because something else was reported just
 * before. */
static void mtu_errors_are_not_limited_per_destination(void **state)
{
    (void)state;
    struct fix f;
    uint8_t udp[28] = {0};
    fix_open(&f);
    struct net_ip ip = {.src = NET_FAR, .dst = 0x05050505, .proto = 17};
    for (unsigned i = 0; i < 5; i++) {
        struct pkt *p = complain(&f, &ip, udp, 28, ICMP4T_DEST_UNREACH);
        p->icmp_code = ICMP4C_FRAG_NEEDED;
        p->icmp_arg = 1280;
        icmp_error(&f.icmp, p);
    }
    assert_int_equal(net_flush(&f.h.n, f.h.n.nif), 5);
    host_close(&f.h);
}

/* If this fails, a program that connects to a host that is off waits for minutes, or a router does
 * not say that it cannot deliver. */
static void silent_next_hop_is_reported(void **state)
{
    (void)state;
    struct fix f;
    struct icmp_err err;
    uint8_t b[100], out[200];
    fix_open(&f);
    size_t n = quote(b, PROTO_TCP, 20);
    struct pkt *p = host_pkt(&f.h, b, n);
    assert_int_equal(icmp_host_failed(&f.icmp, p, &err), NEXT_TCP_ERROR);
    assert_int_equal(err.error, EHOSTUNREACH);
    assert_true(err.is_local);
    assert_int_equal(err.flow.lport, 1000);
    assert_int_equal(addr_to_ip4(&err.flow.remote), NET_FAR);
    assert_int_equal(err.seq, 0xabcdef01);
    pkt_free(p);
    n = quote(b, PROTO_ICMP4, 20);
    p = host_pkt(&f.h, b, n);
    assert_int_equal(icmp_host_failed(&f.icmp, p, &err), NEXT_DROP);
    assert_int_equal(p->drop, DROP_NEIGH_FAILED);
    pkt_free(p);
    struct net_ip ip = {.src = NET_PEER, .dst = 0x0a000063, .proto = PROTO_UDP};
    n = net_ip4(b, &ip, "12345678", 8);
    p = host_pkt(&f.h, b, n);
    p->origin = LINK_FORWARDED;
    assert_int_equal(icmp_host_failed(&f.icmp, p, &err), NEXT_DONE);
    n = host_sent(&f.h, out, sizeof out);
    assert_true(n > 0);
    assert_int_equal(out[20], ICMP4T_DEST_UNREACH);
    assert_int_equal(out[21], ICMP4C_HOST);
    host_close(&f.h);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(echo_is_answered_with_its_own_bytes),
    cmocka_unit_test(echo_is_not_always_answered),
    cmocka_unit_test(messages_that_are_none),
    cmocka_unit_test(errors_are_read_for_their_transport),
    cmocka_unit_test(unusable_quotes_are_named),
    cmocka_unit_test(error_quotes_what_it_is_about),
    cmocka_unit_test(forbidden_errors_are_not_sent),
    cmocka_unit_test(errors_are_rate_limited),
    cmocka_unit_test(mtu_errors_are_not_limited_per_destination),
    cmocka_unit_test(silent_next_hop_is_reported),
};
UNIT_MAIN(tests)
