/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

enum { TS_LEN = 12, HLEN = 20 + 20 + TS_LEN };

static uint8_t byte_at(uint32_t i) { return (uint8_t)(i * 7 + i / 251); }

/* A TCP packet as tcp/ would hand it down, IP header included: n payload bytes from seq. */
static struct pkt *tcp_pkt(struct net *n, uint32_t seq, uint32_t payload, uint16_t mss,
                           uint16_t flags)
{
    static uint8_t data[66000];
    struct addr src = addr_ip4(0x0a000001), dst = addr_ip4(0x0a000002);
    struct wire_tcp t = {.sport = 1000,
                         .dport = 2000,
                         .seq = seq,
                         .ack = 77,
                         .flags = flags,
                         .wnd = 500,
                         .has = TCPH_TS,
                         .ts_val = 11,
                         .ts_ecr = 22};
    struct pkt *p = pkt_new(&n->env.mem);
    assert_non_null(p);
    for (uint32_t i = 0; i < payload; i++)
        data[i] = byte_at(seq + i);
    p->pay = p->off;
    assert_true(pkt_append_copy(p, data, payload));
    uint8_t *at = pkt_push(p, 32);
    t.csum = csum_half(csum_pseudo(&src, &dst, PROTO_TCP, 32 + payload));
    assert_int_equal(wire_tcp_build(at, &t), 32);
    p->l4 = p->off;
    p->csum = CSUM_TODO;
    p->csum_start = p->l4;
    p->csum_at = WIRE_TCP_CSUM_AT;
    struct wire_ip4 h = {.ttl = 64,
                         .proto = PROTO_TCP,
                         .total = (uint16_t)(p->len + 20),
                         .id = 65534,
                         .flags = IP4_DF,
                         .src = src,
                         .dst = dst};
    wire_ip4_build(pkt_push(p, 20), &h, NULL);
    p->l3 = p->off;
    p->owner = 9;
    if (payload > mss) {
        p->gso_size = mss;
        p->gso_segs = (uint16_t)((payload + mss - 1) / mss);
    }
    return p;
}

static void send(struct net *n, struct pkt *p)
{
    assert_int_equal(eth_output(&n->link, n->nif, net_peer_mac, ETYPE_IP4, p), DROP_NONE);
}

/* Checks a frame: payload bytes seq..seq+len of the stream, all checksums. */
static void check_frame(const struct pkt *p, uint32_t seq, uint32_t len, uint16_t id)
{
    static uint8_t b[70000];
    uint32_t n = pkt_copy_out(p, WIRE_ETH_HLEN, b, sizeof b);
    struct wire_ip4 h;
    struct wire_tcp t;
    assert_int_equal(wire_ip4_parse(b, n, &h), DROP_NONE);
    assert_int_equal(h.total, n);
    assert_int_equal(h.id, id);
    assert_int_equal(wire_tcp_parse(b + 20, n - 20, &t), DROP_NONE);
    assert_int_equal(t.seq, seq);
    assert_int_equal(t.ack, 77);
    assert_int_equal(t.ts_val, 11);
    assert_int_equal(n - HLEN, len);
    for (uint32_t i = 0; i < len; i++)
        assert_int_equal(b[HLEN + i], byte_at(seq + i));
    assert_true(net_l4_csum_ok(p, WIRE_ETH_HLEN));
    assert_int_equal(p->owner, 9);
    assert_int_equal(p->len - (uint32_t)(p->pay - p->off), len);
}

/* If this fails, a super-segment cut in software reaches the peer as garbage: wrong bytes, sequence
 * numbers, flags, identification or checksums. */
static void gso_cuts_a_super_segment_exactly(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    uint32_t seq = 0xffffff00; /* wraps on the way */
    send(&n, tcp_pkt(&n, seq, 5 * 1448 + 100, 1448, TCPF_ACK | TCPF_PSH | TCPF_FIN | TCPF_CWR));
    for (unsigned i = 0; i < 6; i++) {
        struct pkt *p = net_sent(&n, n.nif);
        assert_non_null(p);
        check_frame(p, seq + i * 1448, i < 5 ? 1448 : 100, (uint16_t)(65534 + i));
        unsigned flags = wire_tcp_flags(pkt_at(p, p->l4));
        unsigned want =
            TCPF_ACK | (i == 0 ? (unsigned)TCPF_CWR : 0) | (i == 5 ? TCPF_PSH | TCPF_FIN : 0u);
        assert_int_equal(flags, want);
        pkt_free(p);
    }
    assert_null(net_sent(&n, n.nif));
    assert_int_equal(n.nif->n.gso_cut, 1);
    assert_int_equal(n.nif->n.csum_sw, 6);
    net_close(&n);
}

/* The same packet between IPv6 hosts. */
static struct pkt *tcp6_pkt(struct net *n, uint32_t seq, uint32_t payload, uint16_t mss)
{
    const struct addr src = {.b = {0xfd, [15] = 1}}, dst = {.b = {0xfd, [15] = 2}};
    struct pkt *p = tcp_pkt(n, seq, payload, mss, TCPF_ACK | TCPF_PSH);
    pkt_pull(p, 20);
    uint8_t *tcp = pkt_data(p);
    wire_tcp_set_csum(tcp, csum_half(csum_pseudo(&src, &dst, PROTO_TCP, p->len)));
    struct wire_ip6 h = {.next = PROTO_TCP,
                         .hlim = 64,
                         .label = 0x12345,
                         .plen = (uint16_t)p->len,
                         .src = src,
                         .dst = dst};
    wire_ip6_build(pkt_push(p, WIRE_IP6_HLEN), &h);
    p->l3 = p->off;
    return p;
}

/* If this fails, bulk data over IPv6 reaches the peer as garbage, or leaves in one piece no link
 * takes. */
static void gso_cuts_ipv6_too(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    struct pkt *whole = tcp6_pkt(&n, 1000, 3 * 1428 + 5, 1428);
    assert_int_equal(eth_output(&n.link, n.nif, net_peer_mac, ETYPE_IP6, whole), DROP_NONE);
    for (uint32_t i = 0; i < 4; i++) {
        static uint8_t b[2000];
        struct wire_ip6 h;
        struct wire_tcp t;
        uint32_t len = i < 3 ? 1428 : 5;
        struct pkt *p = net_sent(&n, n.nif);
        assert_non_null(p);
        uint32_t k = pkt_copy_out(p, WIRE_ETH_HLEN, b, sizeof b);
        assert_int_equal(k, 40 + 32 + len);
        assert_int_equal(wire_ip6_parse(b, k, &h), DROP_NONE);
        assert_int_equal(h.plen, 32 + len);
        assert_int_equal(h.label, 0x12345);
        assert_int_equal(wire_tcp_parse(b + 40, k - 40, &t), DROP_NONE);
        assert_int_equal(t.seq, 1000 + i * 1428);
        assert_int_equal((t.flags & TCPF_PSH) != 0, i == 3);
        for (uint32_t j = 0; j < len; j++)
            assert_int_equal(b[72 + j], byte_at(1000 + i * 1428 + j));
        uint32_t sum = csum_pseudo(&h.src, &h.dst, PROTO_TCP, 32 + len);
        assert_int_equal(csum_fold(csum_partial(CSUM_SCALAR, b + 40, 32 + len, sum)), 0);
        pkt_free(p);
    }
    assert_null(net_sent(&n, n.nif));
    net_close(&n);
}

/* If this fails, the largest super-segment cannot be sent. */
static void gso_cuts_64_kilobytes(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    uint32_t total = 65535 - HLEN, at = 0;
    send(&n, tcp_pkt(&n, 0, total, 1448, TCPF_ACK));
    for (unsigned i = 0; at < total; i++) {
        struct pkt *p = net_sent(&n, n.nif);
        assert_non_null(p);
        uint32_t len = total - at < 1448 ? total - at : 1448;
        check_frame(p, at, len, (uint16_t)(65534 + i));
        at += len;
        pkt_free(p);
    }
    assert_null(net_sent(&n, n.nif));
    net_close(&n);
}

/* If this fails, a moment without packet memory costs a connection a loss, or the stack spins. */
static void gso_waits_for_memory(void **state)
{
    (void)state;
    struct net n;
    struct pkt *hoard[1024];
    unsigned k = 0;
    net_open(&n);
    send(&n, tcp_pkt(&n, 0, 4000, 1000, TCPF_ACK));
    while (pool_free_count(&n.env.mem.pkts) > 2)
        hoard[k++] = pkt_new(&n.env.mem);
    struct pkt *v[8];
    assert_int_equal(link_tx(&n.link, n.nif, v, 8), 2);
    assert_int_equal(link_tx(&n.link, n.nif, v + 2, 6), 0);
    assert_true(link_next(&n.link) > n.env.now);
    pkt_free(hoard[--k]);
    pkt_free(hoard[--k]);
    assert_int_equal(link_tx(&n.link, n.nif, v + 2, 6), 2);
    for (unsigned i = 0; i < 4; i++) {
        check_frame(v[i], i * 1000, 1000, (uint16_t)(65534 + i));
        pkt_free(v[i]);
    }
    assert_int_equal(link_next(&n.link), W_NEVER);
    while (k > 0)
        pkt_free(hoard[--k]);
    net_close(&n);
}

/* If this fails, a super-segment that cannot be cut holds for ever the memory cutting needs. */
static void gso_gives_up_when_memory_never_comes(void **state)
{
    (void)state;
    struct net n;
    struct pkt *hoard[1024], *v[8];
    unsigned k = 0;
    net_open(&n);
    send(&n, tcp_pkt(&n, 0, 4000, 1000, TCPF_ACK));
    while (pool_free_count(&n.env.mem.pkts) > 0)
        hoard[k++] = pkt_new(&n.env.mem);
    for (unsigned i = 0; i < 1000 && n.nif->n.tx_dropped == 0; i++) {
        assert_int_equal(link_tx(&n.link, n.nif, v, 8), 0);
        n.env.now += W_MS;
    }
    assert_int_equal(n.nif->n.tx_dropped, 1);
    assert_int_equal(n.env.drops[DROP_NOMEM], 1);
    assert_int_equal(link_next(&n.link), W_NEVER);
    while (k > 0)
        pkt_free(hoard[--k]);
    net_close(&n);
}

/* If this fails, a device that cuts and sums by itself gets packets cut or summed already. */
static void capable_device_gets_the_whole(void **state)
{
    (void)state;
    struct net n;
    struct weir_conf c;
    net_conf(&c);
    net_open_with(&n, &c, NIF_UP, NIF_CAP_TX_CSUM | NIF_CAP_TSO);
    send(&n, tcp_pkt(&n, 0, 4000, 1000, TCPF_ACK));
    struct pkt *p = net_sent(&n, n.nif);
    assert_int_equal(p->gso_segs, 4);
    assert_int_equal(p->csum, CSUM_TODO);
    assert_int_equal(p->len, 4000 + HLEN + WIRE_ETH_HLEN);
    pkt_free(p);
    /* What it cannot hold at once is cut after all, checksums left to it. */
    n.nif->gso_max = 3000;
    send(&n, tcp_pkt(&n, 0, 4000, 1000, TCPF_ACK));
    p = net_sent(&n, n.nif);
    assert_int_equal(p->csum, CSUM_TODO);
    link_csum_finish(&n.link, p);
    check_frame(p, 0, 1000, 65534);
    pkt_free(p);
    assert_int_equal(net_flush(&n, n.nif), 3);
    net_close(&n);
}

/* If this fails, a broken super-segment is cut into nonsense instead of being dropped by name. */
static void unsound_super_segment_is_dropped(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    struct pkt *p = tcp_pkt(&n, 0, 4000, 1000, TCPF_ACK);
    p->csum = CSUM_NONE;
    send(&n, p);
    p = tcp_pkt(&n, 0, 4000, 1000, TCPF_ACK);
    p->pay = p->l4;
    send(&n, p);
    assert_null(net_sent(&n, n.nif));
    assert_int_equal(n.env.drops[DROP_GSO_BAD], 2);
    net_close(&n);
}

/* If this fails, a UDP checksum that comes out as zero says "none" [RFC 768]. */
static void udp_checksum_is_never_zero(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    struct addr src = addr_ip4(0x0a000001), dst = addr_ip4(0x0a000002);
    struct pkt *p = pkt_new(&n.env.mem);
    struct wire_udp h = {.sport = 1, .dport = 2, .len = 10};
    /* The two payload bytes make the whole sum 0xffff. */
    uint32_t sum = csum_pseudo(&src, &dst, PROTO_UDP, 10);
    uint8_t b[10] = {0};
    wire_udp_build(b, &h);
    uint16_t rest = (uint16_t)~csum_half(csum_partial(CSUM_SCALAR, b, 8, sum));
    w_put16(b + 8, rest);
    h.csum = csum_half(sum);
    wire_udp_build(b, &h);
    assert_true(pkt_append_copy(p, b, 10));
    p->csum = CSUM_TODO;
    p->csum_start = p->off;
    p->csum_at = 6;
    link_csum_finish(&n.link, p);
    assert_int_equal(w_be16(pkt_data(p) + 6), 0xffff);
    pkt_free(p);
    net_close(&n);
}

/* ---- the other direction ---- */

/* The frame that a sender's packet becomes, as received. */
static struct pkt *received(struct net *n, uint32_t seq, uint32_t payload, uint16_t flags)
{
    static uint8_t b[70000];
    struct pkt *p = tcp_pkt(n, seq, payload, 65535, flags);
    link_csum_finish(&n->link, p);
    uint32_t len = pkt_copy_out(p, 0, b, sizeof b);
    pkt_free(p);
    return net_pkt(n, b, net_eth(b, net_mac, net_peer_mac, ETYPE_IP4, len));
}

/* If this fails, merged segments lose or reorder bytes, or have a header that is not theirs. */
static void gro_merges_a_train(void **state)
{
    (void)state;
    struct net n;
    struct pkt *v[8];
    net_open(&n);
    for (unsigned i = 0; i < 5; i++)
        v[i] = received(&n, i * 1448, i < 4 ? 1448 : 500, i < 4 ? TCPF_ACK : TCPF_ACK | TCPF_PSH);
    assert_int_equal(link_gro(&n.link, n.nif, v, 5), 1);
    struct pkt *p = v[0];
    assert_int_equal(p->csum, CSUM_GOOD);
    assert_int_equal(p->gso_segs, 5);
    assert_int_equal(p->gso_size, 1448);
    static uint8_t b[70000];
    uint32_t len = pkt_copy_out(p, 14, b, sizeof b);
    assert_int_equal(len, HLEN + 4 * 1448 + 500);
    assert_int_equal(wire_ip4_total(b), len);
    assert_true(wire_ip4_csum_ok(b, 20));
    assert_int_equal(wire_tcp_flags(b + 20), TCPF_ACK | TCPF_PSH);
    for (uint32_t i = 0; i < len - HLEN; i++)
        assert_int_equal(b[HLEN + i], byte_at(i));
    pkt_free(p);
    assert_int_equal(n.nif->n.gro_merged, 4);
    net_close(&n);
}

/* How many packets of two remain after merging; the second's byte `at` (from the IP header) is
 * changed by x, checksums mended. */
static unsigned merged_with(struct net *n, uint32_t at, uint8_t x, uint32_t seq, uint16_t flags)
{
    static uint8_t b[70000];
    struct pkt *v[2] = {received(n, 0, 100, TCPF_ACK), received(n, seq, 100, flags)};
    uint32_t len = pkt_copy_out(v[1], 0, b, sizeof b);
    pkt_free(v[1]);
    b[14 + at] ^= x;
    uint8_t *ip = b + 14;
    struct addr src = addr_from_ip4(ip + 12), dst = addr_from_ip4(ip + 16);
    w_put16(ip + 10, 0);
    w_put16(ip + 10, csum_fold(csum_partial(CSUM_SCALAR, ip, 20, 0)));
    w_put16(ip + 36, 0);
    uint32_t sum = csum_pseudo(&src, &dst, PROTO_TCP, len - 34);
    w_put16(ip + 36, csum_fold(csum_partial(CSUM_SCALAR, ip + 20, len - 34, sum)));
    v[1] = net_pkt(n, b, len);
    unsigned k = link_gro(&n->link, n->nif, v, 2);
    for (unsigned i = 0; i < k; i++)
        pkt_free(v[i]);
    return k;
}

/* If this fails, merging hides something TCP must see: a mark, an ACK, a window, a timestamp, a
 * hole, another flow. */
static void gro_keeps_apart_what_differs(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    assert_int_equal(merged_with(&n, 0, 0, 100, TCPF_ACK), 1);
    assert_int_equal(merged_with(&n, 1, 3, 100, TCPF_ACK), 2);  /* ECN */
    assert_int_equal(merged_with(&n, 8, 1, 100, TCPF_ACK), 2);  /* TTL */
    assert_int_equal(merged_with(&n, 15, 1, 100, TCPF_ACK), 2); /* source */
    assert_int_equal(merged_with(&n, 23, 1, 100, TCPF_ACK), 2); /* port */
    assert_int_equal(merged_with(&n, 31, 1, 100, TCPF_ACK), 2); /* ACK number */
    assert_int_equal(merged_with(&n, 35, 1, 100, TCPF_ACK), 2); /* window */
    assert_int_equal(merged_with(&n, 45, 1, 100, TCPF_ACK), 2); /* timestamp */
    assert_int_equal(merged_with(&n, 0, 0, 101, TCPF_ACK), 2);  /* hole */
    assert_int_equal(merged_with(&n, 0, 0, 99, TCPF_ACK), 2);   /* overlap */
    assert_int_equal(merged_with(&n, 0, 0, 100, TCPF_ACK | TCPF_FIN), 2);
    assert_int_equal(merged_with(&n, 0, 0, 100, TCPF_ACK | TCPF_ECE), 2);
    assert_int_equal(merged_with(&n, 0, 0, 100, TCPF_ACK | TCPF_URG), 2);
    n.env.conf.ip_forward = 1;
    assert_int_equal(merged_with(&n, 0, 0, 100, TCPF_ACK), 2);
    net_close(&n);
}

/* If this fails, gso_size does not say where one segment ended: a longer one joined, or one came
 * after a shorter. */
static void gro_ends_at_a_different_size(void **state)
{
    (void)state;
    struct net n;
    struct pkt *v[3];
    net_open(&n);
    v[0] = received(&n, 0, 100, TCPF_ACK);
    v[1] = received(&n, 100, 101, TCPF_ACK);
    assert_int_equal(link_gro(&n.link, n.nif, v, 2), 2);
    pkt_free(v[0]);
    pkt_free(v[1]);
    v[0] = received(&n, 0, 100, TCPF_ACK);
    v[1] = received(&n, 100, 99, TCPF_ACK);
    v[2] = received(&n, 199, 100, TCPF_ACK);
    assert_int_equal(link_gro(&n.link, n.nif, v, 3), 2);
    assert_int_equal(v[0]->gso_segs, 2);
    assert_int_equal(v[1]->gso_segs, 0);
    pkt_free(v[0]);
    pkt_free(v[1]);
    net_close(&n);
}

/* If this fails, a corrupted segment is taken for good because its neighbour was. */
static void gro_verifies_each_checksum(void **state)
{
    (void)state;
    struct net n;
    struct pkt *v[3];
    net_open(&n);
    for (uint32_t i = 0; i < 3; i++)
        v[i] = received(&n, i * 1000, 1000, TCPF_ACK);
    v[1]->frag[0].b->mem[5] ^= 1;
    assert_int_equal(link_gro(&n.link, n.nif, v, 3), 3);
    assert_int_equal(v[1]->csum, CSUM_NONE);
    for (unsigned i = 0; i < 3; i++)
        pkt_free(v[i]);
    net_close(&n);
}

/* If this fails, a burst of many flows is merged wrongly or leaks when there are more flows than
 * slots. Order within each flow is checked. */
static void gro_holds_many_flows_apart(void **state)
{
    (void)state;
    struct net n;
    struct pkt *v[64];
    net_open(&n);
    for (uint32_t i = 0; i < 60; i++) {
        v[i] = received(&n, i / 12 * 100, 100, TCPF_ACK);
        uint8_t *tcp = pkt_data(v[i]) + 34;
        uint16_t port = (uint16_t)(1000 + i % 12);
        w_put16(tcp + 16, csum_update16(w_be16(tcp + 16), 1000, port));
        w_put16(tcp, port);
    }
    unsigned k = link_gro(&n.link, n.nif, v, 60);
    assert_true(k >= 12 && k <= 60);
    uint32_t next[12] = {0};
    for (unsigned i = 0; i < k; i++) {
        const uint8_t *tcp = pkt_data(v[i]) + 34;
        unsigned f = wire_tcp_sport(tcp) - 1000u;
        assert_int_equal(wire_tcp_seq(tcp), next[f]);
        next[f] += v[i]->len - HLEN - 14;
        pkt_free(v[i]);
    }
    for (unsigned f = 0; f < 12; f++)
        assert_int_equal(next[f], 500);
    net_close(&n);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(gso_cuts_a_super_segment_exactly),
    cmocka_unit_test(gso_cuts_ipv6_too),
    cmocka_unit_test(gso_cuts_64_kilobytes),
    cmocka_unit_test(gso_waits_for_memory),
    cmocka_unit_test(gso_gives_up_when_memory_never_comes),
    cmocka_unit_test(capable_device_gets_the_whole),
    cmocka_unit_test(unsound_super_segment_is_dropped),
    cmocka_unit_test(udp_checksum_is_never_zero),
    cmocka_unit_test(gro_merges_a_train),
    cmocka_unit_test(gro_keeps_apart_what_differs),
    cmocka_unit_test(gro_ends_at_a_different_size),
    cmocka_unit_test(gro_verifies_each_checksum),
    cmocka_unit_test(gro_holds_many_flows_apart),
};
UNIT_MAIN(tests)
