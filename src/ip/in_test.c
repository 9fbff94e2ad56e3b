/* SPDX-License-Identifier: Apache-2.0 */
#include "net_ip.h"

/* A UDP datagram from the peer to us, as a table row changes it. */
static struct pkt *datagram(struct net_ip_host *h, const struct net_ip *i, uint8_t *b, size_t *len)
{
    *len = net_udp(b, i, 1, 2, "hello", 5);
    return host_pkt(h, b, *len);
}

static enum drop in(struct net_ip_host *h, uint32_t src, uint32_t dst)
{
    uint8_t b[64];
    size_t len;
    struct net_ip i = {.src = src, .dst = dst};
    struct pkt *p = datagram(h, &i, b, &len);
    enum next next = ip4_input(&h->ip, h->n.nif, p);
    enum drop why = next == NEXT_DROP ? (enum drop)p->drop : DROP_NONE;
    assert_true(next == NEXT_DROP || next == NEXT_UDP);
    pkt_free(p);
    return why;
}

/* If this fails, no datagram arrives, or it arrives with link padding, wrong addresses, or its
 * header still on. */
static void good_datagram_is_handed_on(void **state)
{
    (void)state;
    struct net_ip_host h;
    uint8_t b[80] = {0};
    host_open(&h);
    struct net_ip i = {.src = NET_PEER, .dst = NET_OUR, .ttl = 7, .tos = 0xb9};
    size_t len = net_udp(b, &i, 1, 2, "hello", 5);
    struct pkt *p = host_pkt(&h, b, len + 13); /* padded to Ethernet's minimum */
    assert_int_equal(ip4_input(&h.ip, h.n.nif, p), NEXT_UDP);
    assert_int_equal(p->len, 13);
    assert_int_equal(p->l4 - p->l3, 20);
    assert_int_equal(addr_to_ip4(&p->flow.local), NET_OUR);
    assert_int_equal(addr_to_ip4(&p->flow.remote), NET_PEER);
    assert_int_equal(p->flow.proto, PROTO_UDP);
    assert_int_equal(p->ttl, 7);
    assert_int_equal(p->tos, 0xb9);
    assert_int_equal(p->ecn, 1);
    assert_int_equal(h.n.env.stats[STAT_IpInReceives], 1);
    assert_int_equal(h.n.env.stats[STAT_IpInDelivers], 1);
    pkt_free(p);
    host_close(&h);
}

/* If this fails, a malformed header is believed [RFC 1122 3.2.1.1, 3.2.1.2; RFC 1812 5.2.2]. */
static void malformed_header_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t at, value;
        enum drop why;
    } rows[] = {
        {"version 6", 0, 0x65, DROP_IP_VERSION},
        {"IHL 4", 0, 0x44, DROP_IP_HLEN},
        {"IHL 15, beyond the packet", 0, 0x4f, DROP_IP_HLEN},
        {"total length beyond the packet", 3, 200, DROP_IP_LEN},
        {"total length below the header's", 3, 19, DROP_IP_HLEN},
        {"checksum", 8, 99, DROP_IP_CSUM},
    };
    struct net_ip_host h;
    host_open(&h);
    for (unsigned r = 0; r < WEIR_COUNT(rows); r++) {
        uint8_t b[64];
        struct net_ip i = {.src = NET_PEER, .dst = NET_OUR};
        size_t len = net_udp(b, &i, 1, 2, "hello", 5);
        b[rows[r].at] = rows[r].value;
        if (rows[r].why != DROP_IP_CSUM) { /* wrong in one thing only */
            w_put16(b + 10, 0);
            w_put16(b + 10, csum_fold(csum_partial(CSUM_SCALAR, b, 20, 0)));
        }
        struct pkt *p = host_pkt(&h, b, len);
        assert_int_equal(ip4_input(&h.ip, h.n.nif, p), NEXT_DROP);
        if (p->drop != rows[r].why)
            fail_msg("%s: %s", rows[r].what, drop_name((enum drop)p->drop));
        pkt_free(p);
    }
    for (size_t len = 0; len < 20; len++) {
        uint8_t b[64];
        struct net_ip i = {.src = NET_PEER, .dst = NET_OUR};
        (void)net_udp(b, &i, 1, 2, "hello", 5);
        struct pkt *p = host_pkt(&h, b, len);
        assert_int_equal(ip4_input(&h.ip, h.n.nif, p), NEXT_DROP);
        assert_int_equal(p->drop, DROP_IP_SHORT);
        pkt_free(p);
    }
    host_close(&h);
}

/* If this fails, forged addresses get in: from ourselves, from nobody, from everybody [RFC 1122
 * 3.2.1.3, RFC 1812 5.3.7]. [RFC 9293 3.9.2.3 MUST-63] */
static void martians_are_refused(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    assert_int_equal(in(&h, NET_PEER, NET_OUR), DROP_NONE);
    assert_int_equal(in(&h, NET_FAR, NET_OUR), DROP_NONE);
    assert_int_equal(in(&h, NET_OUR, NET_OUR), DROP_IP_SRC_MARTIAN);
    assert_int_equal(in(&h, 0x7f000001, NET_OUR), DROP_IP_SRC_MARTIAN);
    assert_int_equal(in(&h, 0, NET_OUR), DROP_IP_SRC_MARTIAN);
    assert_int_equal(in(&h, 0, 0xffffffff), DROP_NONE);
    assert_int_equal(in(&h, 0x00000005, 0xffffffff), DROP_IP_SRC_MARTIAN);
    assert_int_equal(in(&h, 0xe0000001, NET_OUR), DROP_IP_SRC_MARTIAN);
    assert_int_equal(in(&h, 0xf0000001, NET_OUR), DROP_IP_SRC_MARTIAN);
    assert_int_equal(in(&h, 0xffffffff, NET_OUR), DROP_IP_SRC_MARTIAN);
    assert_int_equal(in(&h, 0x0a0000ff, NET_OUR), DROP_IP_SRC_MARTIAN);
    assert_int_equal(in(&h, NET_PEER, 0x7f000001), DROP_IP_DST_MARTIAN);
    assert_int_equal(in(&h, NET_PEER, 0), DROP_IP_DST_MARTIAN);
    assert_int_equal(in(&h, NET_PEER, 0xf1020304), DROP_IP_DST_MARTIAN);
    host_close(&h);
}

/* If this fails, a host takes others' packets, or misses broadcasts of its network. */
static void local_broadcast_and_others(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    assert_int_equal(in(&h, NET_PEER, 0x0a0000ff), DROP_NONE);
    assert_int_equal(in(&h, NET_PEER, 0xffffffff), DROP_NONE);
    assert_int_equal(in(&h, NET_PEER, 0xe0000001), DROP_NONE);
    assert_int_equal(in(&h, NET_PEER, 0xe0000002), DROP_IP_NOT_OURS);
    assert_int_equal(in(&h, NET_PEER, 0x0a000003), DROP_IP_NOT_OURS);
    assert_int_equal(in(&h, NET_PEER, NET_FAR), DROP_IP_NOT_OURS);
    h.n.env.conf.ip_forward = 1;
    uint8_t b[64];
    size_t len;
    struct net_ip i = {.src = NET_PEER, .dst = NET_FAR};
    struct pkt *p = datagram(&h, &i, b, &len);
    assert_int_equal(ip4_input(&h.ip, h.n.nif, p), NEXT_FORWARD);
    assert_int_equal(p->len, len);
    pkt_free(p);
    host_close(&h);
}

/* If this fails, a frame shouted at the whole link reaches one host's address, and storms begin
 * [RFC 1122 3.3.6]. */
static void link_broadcast_is_not_for_a_host_address(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    uint8_t b[64];
    size_t len;
    struct net_ip i = {.src = NET_PEER, .dst = NET_OUR};
    struct pkt *p = datagram(&h, &i, b, &len);
    p->origin = LINK_TO_GROUP;
    assert_int_equal(ip4_input(&h.ip, h.n.nif, p), NEXT_DROP);
    assert_int_equal(p->drop, DROP_IP_FORWARD_LINK);
    pkt_free(p);
    i.dst = 0x0a0000ff;
    p = datagram(&h, &i, b, &len);
    p->origin = LINK_TO_GROUP;
    assert_int_equal(ip4_input(&h.ip, h.n.nif, p), NEXT_UDP);
    pkt_free(p);
    i.dst = NET_OUR;
    p = datagram(&h, &i, b, &len);
    p->origin = LINK_TO_OTHER;
    assert_int_equal(ip4_input(&h.ip, h.n.nif, p), NEXT_DROP);
    assert_int_equal(p->drop, DROP_IP_NOT_OURS);
    pkt_free(p);
    host_close(&h);
}

/* If this fails, unknown protocols are silent, and a port scan of protocols tells lies
 * [RFC 1122 3.2.2.1]. */
static void unknown_protocol_wants_an_error(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    for (unsigned proto = 0; proto < 256; proto++) {
        uint8_t b[64];
        struct net_ip i = {.src = NET_PEER, .dst = NET_OUR, .proto = (uint8_t)proto};
        size_t len = net_ip4(b, &i, "12345678", 8);
        struct pkt *p = host_pkt(&h, b, len);
        enum next next = ip4_input(&h.ip, h.n.nif, p);
        enum next want = proto == 1    ? NEXT_ICMP
                         : proto == 6  ? NEXT_TCP
                         : proto == 17 ? NEXT_UDP
                                       : NEXT_ICMP_ERROR;
        assert_int_equal(next, want);
        if (next == NEXT_ICMP_ERROR) {
            assert_int_equal(p->icmp_type, ICMP4T_DEST_UNREACH);
            assert_int_equal(p->icmp_code, ICMP4C_PROTO);
            assert_int_equal(p->drop, DROP_IP_PROTO);
            assert_int_equal(p->off, p->l3);
        }
        pkt_free(p);
    }
    host_close(&h);
}

/* If this fails, options stop packets that should pass, or a source route passes [RFC 1122
 * 3.2.1.8, RFC 7126 4.3.5]. [RFC 9293 3.9.2 MUST-50] */
static void options_pass_but_source_routes(void **state)
{
    (void)state;
    static const struct {
        uint8_t opt[8];
        enum next next;
        enum drop why;
    } rows[] = {
        {{1, 1, 1, 1, 1, 1, 1, 0}, NEXT_UDP, 0},
        {{148, 4, 0, 0, 0, 0, 0, 0}, NEXT_UDP, 0},
        {{7, 7, 4, 0, 0, 0, 0, 0}, NEXT_UDP, 0},
        {{200, 8, 9, 9, 9, 9, 9, 9}, NEXT_UDP, 0},
        {{131, 7, 4, 1, 2, 3, 4, 0}, NEXT_DROP, DROP_IP_SRCROUTE},
        {{137, 7, 4, 1, 2, 3, 4, 0}, NEXT_DROP, DROP_IP_SRCROUTE},
        {{68, 200, 5, 0, 0, 0, 0, 0}, NEXT_ICMP_ERROR, DROP_IP_OPTION},
        {{7, 1, 0, 0, 0, 0, 0, 0}, NEXT_ICMP_ERROR, DROP_IP_OPTION},
    };
    struct net_ip_host h;
    host_open(&h);
    for (unsigned r = 0; r < WEIR_COUNT(rows); r++) {
        uint8_t b[64];
        struct wire_ip4 w = {.hlen = 28,
                             .ttl = 64,
                             .proto = PROTO_UDP,
                             .total = 36,
                             .src = addr_ip4(NET_PEER),
                             .dst = addr_ip4(NET_OUR)};
        wire_ip4_build(b, &w, rows[r].opt);
        memset(b + 28, 0, 8);
        struct pkt *p = host_pkt(&h, b, 36);
        assert_int_equal(ip4_input(&h.ip, h.n.nif, p), rows[r].next);
        if (rows[r].next == NEXT_UDP)
            assert_int_equal(p->len, 8);
        else
            assert_int_equal(p->drop, rows[r].why);
        if (rows[r].next == NEXT_ICMP_ERROR)
            assert_int_equal(p->icmp_type, ICMP4T_PARAM_PROBLEM);
        pkt_free(p);
    }
    host_close(&h);
}

/* If this fails, what a host sends to itself is taken for forgery. */
static void loopback_is_its_own_world(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    uint32_t pairs[][2] = {{0x7f000001, 0x7f000001}, {NET_OUR, NET_OUR}, {0x7f000001, 0x7f020304}};
    for (unsigned i = 0; i < 3; i++) {
        uint8_t b[64];
        struct net_ip ip = {.src = pairs[i][0], .dst = pairs[i][1]};
        size_t len = net_udp(b, &ip, 1, 2, "x", 1);
        struct pkt *p = host_pkt(&h, b, len);
        assert_int_equal(ip4_input(&h.ip, h.lo, p), NEXT_UDP);
        pkt_free(p);
    }
    host_close(&h);
}

/* If this fails, a router lets packets circle for ever, tells nobody why it drops, or changes what
 * it forwards [RFC 1812 5.3.1, 4.3.3]. */
static void forwarding(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint32_t dst;
        uint8_t ttl;
        uint16_t flags, len;
        enum next next;
        uint8_t type, code;
    } rows[] = {
        {"passes", NET_FAR, 64, IP4_DF, 100, NEXT_DONE, 0, 0},
        {"TTL 1", NET_FAR, 1, 0, 100, NEXT_ICMP_ERROR, ICMP4T_TIME_EXCEEDED, ICMP4C_TTL},
        {"TTL 2", NET_FAR, 2, 0, 100, NEXT_DONE, 0, 0},
        {"unreachable", 0x05050505, 64, 0, 100, NEXT_ICMP_ERROR, ICMP4T_DEST_UNREACH, ICMP4C_HOST},
        {"too big", NET_FAR, 64, IP4_DF, 1400, NEXT_ICMP_ERROR, ICMP4T_DEST_UNREACH,
         ICMP4C_FRAG_NEEDED},
        {"fragments", NET_FAR, 64, 0, 1400, NEXT_DONE, 0, 0},
    };
    struct net_ip_host h;
    host_open(&h);
    h.n.env.conf.ip_forward = 1;
    h.n.nif->mtu = 1000;
    struct route un = {
        .prefix = addr_ip4(0x05050500), .plen = IP4_PLEN(24), .kind = ROUTE_UNREACHABLE};
    assert_int_equal(ip_route_add(&h.ip, &un), 0);
    for (unsigned r = 0; r < WEIR_COUNT(rows); r++) {
        static uint8_t b[2000], data[1400], out[2000];
        struct net_ip i = {.src = NET_PEER,
                           .dst = rows[r].dst,
                           .ttl = rows[r].ttl,
                           .flags = rows[r].flags,
                           .proto = PROTO_UDP,
                           .id = 5};
        size_t len = net_ip4(b, &i, data, rows[r].len - 20u);
        struct pkt *p = host_pkt(&h, b, len);
        p->when = h.n.env.now;
        assert_int_equal(ip4_input(&h.ip, h.n.nif, p), NEXT_FORWARD);
        enum next next = ip_forward(&h.ip, p);
        assert_int_equal(next, rows[r].next);
        if (next == NEXT_ICMP_ERROR) {
            assert_int_equal(p->icmp_type, rows[r].type);
            assert_int_equal(p->icmp_code, rows[r].code);
            if (rows[r].code == ICMP4C_FRAG_NEEDED && rows[r].type == ICMP4T_DEST_UNREACH)
                assert_int_equal(p->icmp_arg, 1000);
            assert_memory_equal(pkt_data(p), b, 20);
            pkt_free(p);
            continue;
        }
        uint32_t n = host_sent(&h, out, sizeof out);
        assert_true(n > 0);
        assert_int_equal(wire_ip4_ttl(out), rows[r].ttl - 1);
        assert_true(wire_ip4_csum_ok(out, 20));
        assert_int_equal(w_be16(out + 4), 5);
        assert_int_equal(net_flush(&h.n, h.n.nif), rows[r].len > 1000 ? 1 : 0);
    }
    assert_int_equal(h.n.env.stats[STAT_IpForwDatagrams], 3);
    struct route dflt = {.prefix = addr_ip4(0), .plen = IP4_PLEN(0)};
    assert_int_equal(ip_route_del(&h.ip, &dflt), 0);
    uint8_t b[64];
    size_t len;
    struct net_ip i = {.src = NET_PEER, .dst = NET_FAR};
    struct pkt *p = datagram(&h, &i, b, &len);
    assert_int_equal(ip4_input(&h.ip, h.n.nif, p), NEXT_FORWARD);
    assert_int_equal(ip_forward(&h.ip, p), NEXT_ICMP_ERROR);
    assert_int_equal(p->icmp_code, ICMP4C_NET);
    pkt_free(p);
    host_close(&h);
}

/* If this fails, a packet from a TUN device cannot be sent on over Ethernet: there was no room for
 * the header. */
static void forwarding_finds_headroom(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    h.n.env.conf.ip_forward = 1;
    static uint8_t b[1500], out[1600];
    uint8_t data[1400];
    memset(data, 0x5a, sizeof data);
    struct net_ip i = {.src = NET_PEER, .dst = NET_FAR, .proto = PROTO_UDP};
    size_t len = net_ip4(b, &i, data, sizeof data);
    struct pkt *p = host_pkt(&h, b, len);
    assert_int_equal(p->off, 0);
    assert_int_equal(ip4_input(&h.ip, h.n.nif, p), NEXT_FORWARD);
    assert_int_equal(ip_forward(&h.ip, p), NEXT_DONE);
    assert_int_equal(host_sent(&h, out, sizeof out), len);
    assert_memory_equal(out + 20, data, sizeof data);
    host_close(&h);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(good_datagram_is_handed_on),
    cmocka_unit_test(malformed_header_is_named),
    cmocka_unit_test(martians_are_refused),
    cmocka_unit_test(local_broadcast_and_others),
    cmocka_unit_test(link_broadcast_is_not_for_a_host_address),
    cmocka_unit_test(unknown_protocol_wants_an_error),
    cmocka_unit_test(options_pass_but_source_routes),
    cmocka_unit_test(loopback_is_its_own_world),
    cmocka_unit_test(forwarding),
    cmocka_unit_test(forwarding_finds_headroom),
};
UNIT_MAIN(tests)
