/* SPDX-License-Identifier: Apache-2.0 */
#include "net_ip.h"

static struct pkt *payload(struct net_ip_host *h, uint32_t n)
{
    static uint8_t data[66000];
    struct pkt *p = pkt_new(&h->n.env.mem);
    assert_non_null(p);
    for (uint32_t i = 0; i < n; i++)
        data[i] = (uint8_t)(i * 3 + i / 256);
    assert_true(pkt_append_copy(p, data, n));
    return p;
}

static enum drop out(struct net_ip_host *h, uint32_t to, uint32_t n, bool df, uint16_t id)
{
    struct addr a = addr_ip4(to);
    struct dst d = {0};
    assert_int_equal(ip_route(&h->ip, &a, NULL, &d), 0);
    struct ip_meta m = {
        .src = d.src, .dst = a, .proto = 253, .df = df && !d.can_frag, .id = id, .tos = 2};
    return ip_output(&h->ip, &d, &m, payload(h, n));
}

/* If this fails, the header of everything we send is wrong. */
static void header_is_as_asked(void **state)
{
    (void)state;
    struct net_ip_host h;
    static uint8_t b[2000];
    struct wire_ip4 w;
    host_open(&h);
    assert_int_equal(out(&h, NET_FAR, 1480, true, 777), DROP_NONE);
    assert_int_equal(host_sent(&h, b, sizeof b), 1500);
    assert_int_equal(wire_ip4_parse(b, 1500, &w), DROP_NONE);
    assert_true(wire_ip4_csum_ok(b, 20));
    assert_int_equal(w.total, 1500);
    assert_int_equal(w.id, 777);
    assert_int_equal(w.flags, IP4_DF);
    assert_int_equal(w.ttl, 64);
    assert_int_equal(w.tos, 2);
    assert_int_equal(w.proto, 253);
    assert_int_equal(addr_to_ip4(&w.src), NET_OUR);
    assert_int_equal(addr_to_ip4(&w.dst), NET_FAR);
    assert_int_equal(out(&h, NET_FAR, 1481, true, 777), DROP_FRAG_NEEDED);
    assert_int_equal(h.n.env.stats[STAT_IpFragFails], 1);
    assert_int_equal(out(&h, 0xe0000005, 10, false, 0), DROP_NONE);
    (void)host_sent(&h, b, sizeof b);
    assert_int_equal(wire_ip4_ttl(b), 1); /* [RFC 1112 6.1] */
    host_close(&h);
}

/* If this fails, two datagrams in flight share an identification and are mixed in reassembly
 * [RFC 6864 4.2], or an outsider reads our rate from it. */
static void identification_does_not_repeat(void **state)
{
    (void)state;
    struct net_ip_host h;
    static uint8_t b[2000], seen[65536];
    memset(seen, 0, sizeof seen);
    host_open(&h);
    uint16_t first_peer = 0, first_far = 0;
    for (unsigned i = 0; i < 20000; i++) {
        assert_int_equal(out(&h, NET_PEER, 1, false, 5), DROP_NONE);
        (void)host_sent(&h, b, sizeof b);
        uint16_t id = w_be16(b + 4);
        assert_int_equal(seen[id], 0);
        seen[id] = 1;
        first_peer = i == 0 ? id : first_peer;
    }
    (void)out(&h, NET_FAR, 1, false, 5);
    (void)host_sent(&h, b, sizeof b);
    first_far = w_be16(b + 4);
    assert_int_not_equal(first_far, (uint16_t)(first_peer + 20000));
    assert_int_not_equal(first_peer, 0);
    host_close(&h);
}

/* If this fails, a big datagram arrives in pieces that do not fit together. */
static void fragments_fit_together(void **state)
{
    (void)state;
    struct net_ip_host h;
    static uint8_t b[2000], got[66000];
    const uint32_t sizes[] = {1481, 1480 + 1480, 4000, 65515, 2000};
    host_open(&h);
    for (unsigned s = 0; s < 5; s++) {
        h.n.nif->mtu = s < 4 ? 1500 : 1010; /* 990 bytes: not a multiple of eight */
        uint32_t n = sizes[s], at = 0;
        uint16_t id = 0;
        assert_int_equal(out(&h, NET_PEER, n, false, 0), DROP_NONE);
        for (uint32_t len; (len = host_sent(&h, b, sizeof b)) > 0;) {
            struct wire_ip4 w;
            assert_int_equal(wire_ip4_parse(b, len, &w), DROP_NONE);
            assert_true(wire_ip4_csum_ok(b, w.hlen));
            assert_true(w.total == len && len <= 1500);
            assert_int_equal(w.frag_off, at);
            id = at == 0 ? w.id : id;
            assert_int_equal(w.id, id);
            memcpy(got + at, b + 20, len - 20);
            at += len - 20;
            assert_int_equal(w.flags, at < n ? IP4_MF : 0);
        }
        assert_int_equal(at, n);
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(got[i], (uint8_t)(i * 3 + i / 256));
    }
    host_close(&h);
}

/* If this fails, each fragment carries options meant for the first only, or loses those meant for
 * all [RFC 791 3.1]. */
static void options_are_copied_by_their_flag(void **state)
{
    (void)state;
    struct net_ip_host h;
    static uint8_t b[2000];
    host_open(&h);
    h.n.env.conf.ip_forward = 1;
    h.n.nif->mtu = 576;
    /* Record route (not copied), then router alert (copied). */
    const uint8_t opt[12] = {7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 0};
    struct wire_ip4 w = {.hlen = 32,
                         .ttl = 9,
                         .proto = PROTO_UDP,
                         .total = 1032,
                         .id = 3,
                         .src = addr_ip4(NET_PEER),
                         .dst = addr_ip4(NET_FAR)};
    wire_ip4_build(b, &w, opt);
    for (unsigned i = 0; i < 1000; i++)
        b[32 + i] = (uint8_t)i;
    struct pkt *p = host_pkt(&h, b, 1032);
    assert_int_equal(ip4_input(&h.ip, h.n.nif, p), NEXT_FORWARD);
    assert_int_equal(ip_forward(&h.ip, p), NEXT_DONE);
    uint32_t len = host_sent(&h, b, sizeof b);
    assert_int_equal(wire_ip4_parse(b, len, &w), DROP_NONE);
    assert_int_equal(w.hlen, 32);
    assert_memory_equal(b + 20, opt, 12);
    uint32_t first = len - 32;
    len = host_sent(&h, b, sizeof b);
    assert_int_equal(wire_ip4_parse(b, len, &w), DROP_NONE);
    assert_int_equal(w.hlen, 24);
    assert_memory_equal(b + 20, opt + 7, 4);
    assert_int_equal(w.frag_off, first);
    assert_int_equal(first + len - 24, 1000);
    assert_int_equal(b[24], (uint8_t)first);
    host_close(&h);
}

/* If this fails, running out of packets in the middle of fragmenting leaks or sends half. */
static void fragmenting_without_memory_sends_nothing(void **state)
{
    (void)state;
    struct net_ip_host h;
    struct pkt *hoard[1024];
    unsigned k = 0;
    host_open(&h);
    while (pool_free_count(&h.n.env.mem.pkts) > 3)
        hoard[k++] = pkt_new(&h.n.env.mem);
    assert_int_equal(out(&h, NET_PEER, 8000, false, 0), DROP_NOMEM);
    assert_int_equal(net_flush(&h.n, h.n.nif), 0);
    assert_int_equal(pool_free_count(&h.n.env.mem.pkts), 3);
    while (k > 0)
        pkt_free(hoard[--k]);
    host_close(&h);
}

/* If this fails, a checksum left to the device is computed over a fragment. */
static void checksum_is_complete_before_cutting(void **state)
{
    (void)state;
    struct net_ip_host h;
    static uint8_t b[2000], got[4000];
    host_open(&h);
    h.n.nif->caps = NIF_CAP_TX_CSUM;
    struct addr our = addr_ip4(NET_OUR), peer = addr_ip4(NET_PEER);
    struct dst d = {0};
    assert_int_equal(ip_route(&h.ip, &peer, NULL, &d), 0);
    struct pkt *p = payload(&h, 3000);
    struct wire_udp u = {.sport = 1,
                         .dport = 2,
                         .len = 3008,
                         .csum = csum_half(csum_pseudo(&our, &peer, PROTO_UDP, 3008))};
    wire_udp_build(pkt_push(p, 8), &u);
    p->csum = CSUM_TODO;
    p->csum_start = p->off;
    p->csum_at = 6;
    struct ip_meta m = {.src = our, .dst = peer, .proto = PROTO_UDP};
    assert_int_equal(ip_output(&h.ip, &d, &m, p), DROP_NONE);
    uint32_t at = 0;
    for (uint32_t len; (len = host_sent(&h, b, sizeof b)) > 0; at += len - 20)
        memcpy(got + at, b + 20, len - 20);
    assert_int_equal(at, 3008);
    uint32_t sum = csum_pseudo(&our, &peer, PROTO_UDP, 3008);
    assert_int_equal(csum_fold(csum_partial(CSUM_SCALAR, got, 3008, sum)), 0);
    host_close(&h);
}

/* If this fails, a path with a small MTU is never learned, never forgotten, or shrunk by a forgery
 * until nothing gets through [RFC 1191 3, 6.3; RFC 5927 7.2].
 * [RFC 1191 3 MUST-3, MUST-5, MUST-6, MUST-7, MUST-8] */
static void path_mtu_is_learned_bounded_and_forgotten(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    struct addr far = addr_ip4(NET_FAR), peer = addr_ip4(NET_PEER), our = addr_ip4(NET_OUR);
    struct dst d = {0};
    assert_int_equal(ip_route(&h.ip, &far, NULL, &d), 0);
    assert_false(ip_pmtu_update(&h.ip, &far, 1500, 1500));
    assert_false(ip_pmtu_update(&h.ip, &far, 9000, 1500));
    assert_true(ip_dst_is_valid(&h.ip, &d));
    assert_true(ip_pmtu_update(&h.ip, &far, 1400, 1500));
    assert_false(ip_dst_is_valid(&h.ip, &d));
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &far, NULL, &d), 0);
    assert_int_equal(d.mtu, 1400);
    assert_false(d.can_frag);
    assert_false(ip_pmtu_update(&h.ip, &far, 1450, 1500)); /* never up */
    /* An old router: the next plateau below what was sent. */
    assert_true(ip_pmtu_update(&h.ip, &far, 0, 1400));
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &far, NULL, &d), 0);
    assert_int_equal(d.mtu, 1006);
    /* Too small to believe: the floor, and fragments are allowed below it. */
    assert_true(ip_pmtu_update(&h.ip, &far, 68, 1006));
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &far, NULL, &d), 0);
    assert_int_equal(d.mtu, 552);
    assert_true(d.can_frag);
    assert_false(ip_pmtu_update(&h.ip, &far, 68, 552));
    assert_int_equal(out(&h, NET_FAR, 1000, true, 0), DROP_NONE);
    static uint8_t b[2000];
    assert_true(host_sent(&h, b, sizeof b) <= 552);
    assert_true((w_be16(b + 6) & IP4_DF) == 0);
    (void)net_flush(&h.n, h.n.nif);
    /* Others are not touched, and we have no path to ourselves. */
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &peer, NULL, &d), 0);
    assert_int_equal(d.mtu, 1500);
    assert_false(ip_pmtu_update(&h.ip, &our, 600, 1500));
    (void)host_advance(&h, 599 * W_S);
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &far, NULL, &d), 0);
    assert_int_equal(d.mtu, 552);
    (void)host_advance(&h, 2 * W_S);
    assert_false(ip_dst_is_valid(&h.ip, &d));
    d = (struct dst){0};
    assert_int_equal(ip_route(&h.ip, &far, NULL, &d), 0);
    assert_int_equal(d.mtu, 1500);
    host_close(&h);
}

/* If this fails, somebody who names many destinations makes the table grow, or breaks it. */
static void path_mtu_table_is_bounded(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    for (unsigned i = 0; i < 5000; i++) {
        struct addr a = addr_ip4(0x20000000 + i * 7);
        assert_true(ip_pmtu_update(&h.ip, &a, 1400, 1500));
        struct dst d = {0};
        assert_int_equal(ip_route(&h.ip, &a, NULL, &d), 0);
        assert_int_equal(d.mtu, 1400);
    }
    (void)host_advance(&h, 700 * W_S);
    struct addr last = addr_ip4(0x20000000 + 4999 * 7);
    struct dst d = {0};
    assert_int_equal(ip_route(&h.ip, &last, NULL, &d), 0);
    assert_int_equal(d.mtu, 1500);
    assert_true(wheel_next(&h.n.env.wheel) > h.n.env.now);
    host_close(&h);
}

/* If this fails, a super-segment whose pieces do not fit the path leaves all the same. */
static void super_segment_must_fit_the_path(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    struct addr peer = addr_ip4(NET_PEER);
    struct dst d = {0};
    assert_int_equal(ip_route(&h.ip, &peer, NULL, &d), 0);
    assert_int_equal(ip_gso_max(&h.ip, &d), LINK_GSO_MAX);
    struct ip_meta m = {.src = d.src, .dst = peer, .proto = PROTO_TCP, .df = true};
    for (unsigned i = 0; i < 2; i++) {
        struct pkt *p = payload(&h, 5000);
        p->pay = (uint16_t)(p->off + 20);
        p->gso_size = (uint16_t)(1460 + i);
        p->gso_segs = 4;
        p->csum = CSUM_TODO;
        p->csum_start = p->off;
        p->csum_at = 16;
        assert_int_equal(ip_output(&h.ip, &d, &m, p), i == 0 ? DROP_NONE : DROP_FRAG_NEEDED);
    }
    assert_int_equal(net_flush(&h.n, h.n.nif), 4);
    host_close(&h);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(header_is_as_asked),
    cmocka_unit_test(identification_does_not_repeat),
    cmocka_unit_test(fragments_fit_together),
    cmocka_unit_test(options_are_copied_by_their_flag),
    cmocka_unit_test(fragmenting_without_memory_sends_nothing),
    cmocka_unit_test(checksum_is_complete_before_cutting),
    cmocka_unit_test(path_mtu_is_learned_bounded_and_forgotten),
    cmocka_unit_test(path_mtu_table_is_bounded),
    cmocka_unit_test(super_segment_must_fit_the_path),
};
UNIT_MAIN(tests)
