/* SPDX-License-Identifier: Apache-2.0
 *
 * IPv6 packets in: which are taken, refused, answered, put together [RFC 8200].
 */
#include "net_ip6.h"

static uint8_t b[70000];

/* The packet of n bytes at b arrives. The verdict; the packet is gone. *drop: its reason. */
static enum next in_full(struct net_ip_host *h, size_t n, uint16_t *drop, uint32_t *arg)
{
    struct pkt *p = host_pkt(h, b, n);
    enum next next = ip6_input(&h->ip, h->n.nif, p);
    if (next == NEXT_FORWARD)
        next = ip_forward(&h->ip, p);
    *drop = 0;
    *arg = 0;
    if (next == NEXT_DONE)
        return next;
    *drop = p->drop;
    *arg = next == NEXT_ICMP_ERROR
               ? (uint32_t)p->icmp_type << 24 | (uint32_t)p->icmp_code << 16 | p->icmp_arg
               : p->len;
    pkt_free(p);
    return next;
}

static enum drop in(struct net_ip_host *h, size_t n)
{
    uint16_t drop;
    uint32_t arg;
    enum next next = in_full(h, n, &drop, &arg);
    return next == NEXT_DROP ? (enum drop)drop : next == NEXT_ICMP_ERROR ? DROP_N : DROP_NONE;
}

/* If this fails, a host takes what cannot have been sent to it, or loses what was. */
static void addresses_are_checked(void **state)
{
    (void)state;
    struct net_ip_host h;
    host6_open(&h);
    static const struct {
        const char *src, *dst;
        uint8_t hlim, next;
        enum drop want;
    } rows[] = {
        {"fd00::2", "fd00::1", 64, PROTO_UDP, DROP_NONE},
        {"2001:db8::9", "fd00::1", 1, PROTO_UDP, DROP_NONE},
        {"fd00::2", "ff02::1", 1, PROTO_UDP, DROP_NONE},
        {"fd00::2", "ff02::1:ff00:1", 1, PROTO_UDP, DROP_NONE},
        {"fd00::2", "ff02::1:ff00:2", 1, PROTO_UDP, DROP_IP_NOT_OURS},
        {"fd00::2", "ff02::2", 1, PROTO_UDP, DROP_IP_NOT_OURS},
        {"fd00::2", "ff00::1", 1, PROTO_UDP, DROP_IP_DST_MARTIAN},
        {"fd00::2", "ff01::1", 1, PROTO_UDP, DROP_IP_DST_MARTIAN},
        {"fd00::2", "fd00::77", 64, PROTO_UDP, DROP_IP_NOT_OURS},
        {"fd00::2", "fe80::77", 64, PROTO_UDP, DROP_IP_NOT_OURS},
        {"fd00::2", "::1", 64, PROTO_UDP, DROP_IP_DST_MARTIAN},
        {"fd00::2", "::", 64, PROTO_UDP, DROP_IP_DST_MARTIAN},
        {"::1", "fd00::1", 64, PROTO_UDP, DROP_IP_SRC_MARTIAN},
        {"ff02::1", "fd00::1", 64, PROTO_UDP, DROP_IP_SRC_MARTIAN},
        {"fd00::1", "fd00::1", 64, PROTO_UDP, DROP_IP_SRC_MARTIAN},
        {"fd00::1", "ff02::1", 255, PROTO_ICMP6, DROP_NONE},
        {"::", "fd00::1", 255, PROTO_ICMP6, DROP_IP_SRC_MARTIAN},
        {"::", "ff02::1", 64, PROTO_ICMP6, DROP_IP_SRC_MARTIAN},
        {"::", "ff02::1", 255, PROTO_ICMP6, DROP_NONE},
        {"::", "ff02::1", 255, PROTO_UDP, DROP_IP_SRC_MARTIAN},
        /* An IPv4 peer cannot be played over IPv6. */
        {"10.0.0.2", "fd00::1", 64, PROTO_UDP, DROP_IP_SRC_MARTIAN},
        {"fd00::2", "10.0.0.1", 64, PROTO_UDP, DROP_IP_DST_MARTIAN},
        {"fd00::2", "fd00::1", 64, PROTO_NONE, DROP_IP_PROTO},
        {"fd00::2", "fd00::1", 64, 200, DROP_N},
        {"fd00::2", "ff02::1", 64, 200, DROP_IP_PROTO},
    };
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        struct net_ip6 ip = {
            .src = rows[i].src, .dst = rows[i].dst, .hlim = rows[i].hlim, .next = rows[i].next};
        size_t n = net_ip6(b, &ip, "12345678", 8);
        enum drop got = in(&h, n);
        if (got != rows[i].want)
            fail_msg("row %u: %s", i, drop_name(got));
    }
    host_close(&h);
}

/* If this fails, a neighbour on one link speaks to the address we have on another [RFC 4007 9]. */
static void link_local_addresses_stay_on_their_link(void **state)
{
    (void)state;
    struct net_ip_host h;
    host6_open(&h);
    struct nif_conf nc = {.name = "t1", .mac = net_mac, .flags = NIF_UP, .mtu = 1500};
    int id = link_nif_add(&h.n.link, &nc);
    assert_true(id > 0);
    struct net_ip6 ip = {.src = "fd00::2", .dst = "fd00::1", .next = PROTO_UDP};
    size_t n = net_ip6(b, &ip, "12345678", 8);
    struct addr ll = host6_link_local(&h);
    memcpy(b + 24, ll.b, 16);
    assert_int_equal(in(&h, n), DROP_NONE);
    struct pkt *p = host_pkt(&h, b, n);
    assert_int_equal(ip6_input(&h.ip, link_nif(&h.n.link, (unsigned)id), p), NEXT_DROP);
    assert_int_equal(p->drop, DROP_IP_NOT_OURS);
    pkt_free(p);
    host_close(&h);
}

/* If this fails, a broken length reads beyond a packet, or link padding becomes data. */
static void lengths_are_checked(void **state)
{
    (void)state;
    struct net_ip_host h;
    uint16_t drop;
    uint32_t len;
    host6_open(&h);
    struct net_ip6 ip = {.src = "fd00::2", .dst = "fd00::1", .next = PROTO_UDP};
    size_t n = net_ip6(b, &ip, "12345678", 8);
    assert_int_equal(in(&h, n - 1), DROP_IP_LEN);
    assert_int_equal(in(&h, 39), DROP_IP_SHORT);
    assert_int_equal(in_full(&h, n + 6, &drop, &len), NEXT_UDP);
    assert_int_equal(len, 8);
    b[0] = 0x45;
    assert_int_equal(in(&h, n), DROP_IP_VERSION);
    host_close(&h);
}

/* A packet with these extension headers in front of 8 bytes of UDP. */
static size_t chain(const char *dst, uint8_t first, const void *ext, size_t n)
{
    uint8_t x[512];
    memcpy(x, ext, n);
    memset(x + n, 0, 8);
    struct net_ip6 ip = {.src = "fd00::2", .dst = dst, .next = first};
    return net_ip6(b, &ip, x, n + 8);
}

/* If this fails, an option that must stop a packet does not, or its sender is not told, or is told
 * where nobody may be told [RFC 8200 4.2]. */
static void options_say_what_to_do(void **state)
{
    (void)state;
    struct net_ip_host h;
    uint16_t drop;
    uint32_t arg;
    host6_open(&h);
    uint8_t opt[8] = {PROTO_UDP, 0, 0, 4, 0, 0, 0, 0};
    static const struct {
        uint8_t type;
        const char *dst;
        enum next want;
    } rows[] = {
        {0x1e, "fd00::1", NEXT_UDP},        {0x5e, "fd00::1", NEXT_DROP},
        {0x9e, "fd00::1", NEXT_ICMP_ERROR}, {0xde, "fd00::1", NEXT_ICMP_ERROR},
        {0x9e, "ff02::1", NEXT_ICMP_ERROR}, {0xde, "ff02::1", NEXT_DROP},
        {0x5e, "ff02::1", NEXT_DROP},       {0x1e, "ff02::1", NEXT_UDP},
    };
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        opt[2] = rows[i].type;
        for (unsigned hbh = 0; hbh < 2; hbh++) {
            size_t n = chain(rows[i].dst, hbh != 0 ? PROTO_HOPOPTS : PROTO_DSTOPTS, opt, 8);
            assert_int_equal(in_full(&h, n, &drop, &arg), rows[i].want);
            if (rows[i].want == NEXT_ICMP_ERROR)
                assert_int_equal(arg, 4 << 24 | 2 << 16 | 42);
        }
    }
    host_close(&h);
}

/* If this fails, somebody else's packets are routed through us, or a long chain of headers costs
 * without limit [RFC 5095, RFC 8504 5.3]. */
static void routing_headers_and_long_chains_are_refused(void **state)
{
    (void)state;
    struct net_ip_host h;
    uint16_t drop;
    uint32_t arg;
    host6_open(&h);
    uint8_t rh[8] = {PROTO_UDP, 0, 0, 1};
    assert_int_equal(in_full(&h, chain("fd00::1", PROTO_ROUTING, rh, 8), &drop, &arg),
                     NEXT_ICMP_ERROR);
    assert_int_equal(drop, DROP_IP6_ROUTING);
    assert_int_equal(arg, 4 << 24 | 0 << 16 | 42);
    rh[3] = 0; /* nothing left to route: looked through */
    assert_int_equal(in_full(&h, chain("fd00::1", PROTO_ROUTING, rh, 8), &drop, &arg), NEXT_UDP);
    assert_int_equal(arg, 8);
    uint8_t many[72];
    for (unsigned i = 0; i < 9; i++)
        memcpy(many + 8 * i, (uint8_t[8]){i < 8 ? PROTO_DSTOPTS : PROTO_UDP, 0, 1, 4}, 8);
    assert_int_equal(in_full(&h, chain("fd00::1", PROTO_DSTOPTS, many, 72), &drop, &arg),
                     NEXT_ICMP_ERROR);
    assert_int_equal(drop, DROP_IP6_EXT_LIMIT);
    many[56] = PROTO_UDP;
    assert_int_equal(in_full(&h, chain("fd00::1", PROTO_DSTOPTS, many, 64), &drop, &arg), NEXT_UDP);
    host_close(&h);
}

/* ---- fragments ---- */

/* A fragment of UDP: bytes at..at + n of a datagram whose byte i is i * 7. */
static size_t fragment(uint32_t at, uint32_t n, bool more, uint32_t id)
{
    static uint8_t x[70000];
    wire_ip6_frag_build(x, PROTO_UDP, (uint16_t)at, more, id);
    for (uint32_t i = 0; i < n; i++)
        x[8 + i] = (uint8_t)((at + i) * 7);
    struct net_ip6 ip = {.src = "fd00::2", .dst = "fd00::1", .next = PROTO_FRAGMENT};
    return net_ip6(b, &ip, x, 8 + n);
}

/* If this fails, large datagrams come out wrong or not at all. */
static void fragments_become_the_datagram(void **state)
{
    static const uint8_t order[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}};
    (void)state;
    struct net_ip_host h;
    host6_open(&h);
    for (unsigned k = 0; k < WEIR_COUNT(order); k++) {
        for (unsigned i = 0; i < 4; i++) {
            uint32_t at = order[k][i] * 1000u;
            struct pkt *p = host_pkt(&h, b, fragment(at, at == 3000 ? 77 : 1000, at != 3000, k));
            enum next next = ip6_input(&h.ip, h.n.nif, p);
            assert_int_equal(next, i < 3 ? NEXT_DONE : NEXT_UDP);
            if (i < 3)
                continue;
            assert_int_equal(p->len, 3077);
            static uint8_t got[4000];
            assert_int_equal(pkt_copy_out(p, 0, got, sizeof got), 3077);
            for (uint32_t j = 0; j < 3077; j++)
                assert_int_equal(got[j], (uint8_t)(j * 7));
            /* The header in front is that of a whole packet. */
            assert_int_equal(pkt_at(p, p->l3)[6], PROTO_UDP);
            assert_int_equal(wire_ip6_plen(pkt_at(p, p->l3)), 3077);
            pkt_free(p);
        }
    }
    assert_int_equal(h.n.env.stats[STAT_Ip6ReasmOKs], 3);
    host_close(&h);
}

/* If this fails, a filter can be deceived by fragments that overlap [RFC 5722 3], or impossible
 * ones reach what is behind. */
static void bad_fragments_are_refused(void **state)
{
    (void)state;
    struct net_ip_host h;
    uint16_t drop;
    uint32_t arg;
    host6_open(&h);
    assert_int_equal(in(&h, fragment(0, 1000, true, 1)), DROP_NONE);
    assert_int_equal(in(&h, fragment(0, 1000, true, 1)), DROP_FRAG_OVERLAP); /* the same again */
    assert_int_equal(in(&h, fragment(992, 1000, true, 1)), DROP_FRAG_OVERLAP);
    assert_int_equal(in(&h, fragment(1000, 8, false, 1)), DROP_FRAG_OVERLAP); /* refused for good */
    /* [RFC 8200 4.5] Not a multiple of eight: code 0, at the payload length. */
    assert_int_equal(in_full(&h, fragment(0, 1001, true, 2), &drop, &arg), NEXT_ICMP_ERROR);
    assert_int_equal(arg, 4 << 24 | 0 << 16 | 4);
    /* Beyond 65535: code 0, at the fragment offset. */
    assert_int_equal(in_full(&h, fragment(65528, 8, false, 3), &drop, &arg), NEXT_ICMP_ERROR);
    assert_int_equal(arg, 4 << 24 | 0 << 16 | 42);
    assert_int_equal(in(&h, fragment(65520, 8, false, 3)), DROP_NONE);
    assert_int_equal(in(&h, fragment(0, 0, true, 4)), DROP_N); /* no header in the first one */
    /* [RFC 6946 4] An atomic fragment is never mixed with others of its name. */
    assert_int_equal(in(&h, fragment(0, 1000, true, 5)), DROP_NONE);
    assert_int_equal(in_full(&h, fragment(0, 100, false, 5), &drop, &arg), NEXT_UDP);
    assert_int_equal(arg, 100);
    assert_int_equal(in_full(&h, fragment(1000, 8, false, 5), &drop, &arg), NEXT_UDP);
    host_close(&h);
}

/* If this fails, fragments that never become whole fill memory, and their sender waits in vain
 * [RFC 8200 4.5: 60 seconds, time exceeded code 1]. */
static void a_reassembly_ends_in_time(void **state)
{
    (void)state;
    struct net_ip_host h;
    host6_open(&h);
    assert_int_equal(in(&h, fragment(0, 1000, true, 1)), DROP_NONE);
    assert_int_equal(in(&h, fragment(1000, 1000, true, 2)), DROP_NONE);
    assert_int_equal(host6_advance(&h, 59 * W_S), 0);
    assert_int_equal(h.n.env.mem.pkts.in_use, 2);
    assert_int_equal(host6_advance(&h, 2 * W_S), 1); /* the one that has its first fragment */
    assert_int_equal(h.n.env.mem.pkts.in_use, 0);
    host_close(&h);
}

/* If this fails, who sends neighbour discovery in fragments gets past a switch's guard
 * [RFC 6980 5]. */
static void neighbour_discovery_is_never_in_fragments(void **state)
{
    (void)state;
    struct net_ip_host h;
    uint8_t x[32] = {0};
    host6_open(&h);
    wire_ip6_frag_build(x, PROTO_ICMP6, 0, false, 9);
    x[8] = ICMP6T_NS;
    struct net_ip6 ip = {.src = "fd00::2", .dst = "fd00::1", .next = PROTO_FRAGMENT, .hlim = 255};
    assert_int_equal(in(&h, net_ip6(b, &ip, x, sizeof x)), DROP_ND_FRAGMENT);
    x[8] = ICMP6T_ECHO_REQUEST;
    assert_int_equal(in(&h, net_ip6(b, &ip, x, sizeof x)), DROP_NONE);
    host_close(&h);
}

/* ---- forwarding ---- */

/* If this fails, a router passes on what must stay, loops for ever, or does not tell why. */
static void a_router_decides(void **state)
{
    (void)state;
    struct net_ip_host h;
    uint16_t drop;
    uint32_t arg;
    static const struct {
        const char *src, *dst;
        uint8_t hlim;
        uint16_t n;
        enum next want;
        uint32_t arg;
    } rows[] = {
        {"2001:db8::1", "2001:db8:2::1", 64, 100, NEXT_DONE, 0},
        {"2001:db8::1", "2001:db8:2::1", 1, 100, NEXT_ICMP_ERROR, 3u << 24},
        {"2001:db8::1", "2001:db8:2::1", 64, 1461, NEXT_ICMP_ERROR, 2u << 24 | 1500},
        {"2001:db8::1", "2001:db8:2::1", 64, 1460, NEXT_DONE, 0},
        {"fe80::9", "2001:db8:2::1", 64, 100, NEXT_ICMP_ERROR, 1u << 24 | 2u << 16},
        {"2001:db8::1", "fe80::9", 64, 100, NEXT_DROP, 0},
        {"::1", "2001:db8:2::1", 64, 100, NEXT_DROP, 0},
    };
    host6_open(&h);
    h.n.env.conf.ip_forward = 1;
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        static uint8_t x[2000];
        struct net_ip6 ip = {
            .src = rows[i].src, .dst = rows[i].dst, .next = PROTO_UDP, .hlim = rows[i].hlim};
        enum next got = in_full(&h, net_ip6(b, &ip, x, rows[i].n), &drop, &arg);
        assert_int_equal(got, rows[i].want);
        if (got == NEXT_ICMP_ERROR)
            assert_int_equal(arg, rows[i].arg);
        if (got != NEXT_DONE)
            continue;
        static uint8_t sent[2000];
        assert_int_equal(host_sent(&h, sent, sizeof sent), rows[i].n + 40u);
        assert_int_equal(sent[7], rows[i].hlim - 1);
        b[7]--;
        assert_memory_equal(sent, b, 40);
    }
    /* A hop-by-hop option stops it here too, a destination option does not. */
    uint8_t opt[8] = {PROTO_UDP, 0, 0x5e, 4};
    assert_int_equal(in(&h, chain("2001:db8:2::1", PROTO_HOPOPTS, opt, 8)), DROP_IP6_OPTION);
    assert_int_equal(in(&h, chain("2001:db8:2::1", PROTO_DSTOPTS, opt, 8)), DROP_NONE);
    (void)net_flush(&h.n, h.n.nif);
    host_close(&h);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(addresses_are_checked),
    cmocka_unit_test(link_local_addresses_stay_on_their_link),
    cmocka_unit_test(lengths_are_checked),
    cmocka_unit_test(options_say_what_to_do),
    cmocka_unit_test(routing_headers_and_long_chains_are_refused),
    cmocka_unit_test(fragments_become_the_datagram),
    cmocka_unit_test(bad_fragments_are_refused),
    cmocka_unit_test(a_reassembly_ends_in_time),
    cmocka_unit_test(neighbour_discovery_is_never_in_fragments),
    cmocka_unit_test(a_router_decides),
};
UNIT_MAIN(tests)
