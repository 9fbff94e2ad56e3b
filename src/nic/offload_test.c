/* SPDX-License-Identifier: Apache-2.0
 *
 * If this failed, the NIC would send wrong bytes that the stack never sees, or vouch for damaged
 * ones.
 */
#include "nic/parts.h"
#include "nic/rig_test.h"
#include "wire/csum.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

enum { ETH = 14, HDR4 = ETH + 20 + 20, HDR6 = ETH + 40 + 20, WHOLE = 3500, MSS = 1000 };

static struct rig *r;

static int setup(void **state)
{
    static struct rig rig;
    (void)state;
    r = &rig;
    rig_start(r, 1000000000);
    rig_refill(r, 1, RIG_RING);
    rig_set(r, 1, NIC_CTRL, NIC_CTRL_ENABLE | NIC_CTRL_RX_CSUM);
    return 0;
}

/* A TCP packet with `n` payload bytes 0, 1, 2, … as the stack hands it to a NIC: IP header done,
 * the pseudo-header's sum in the checksum field. Returns its header's length. */
static uint32_t tcp_packet(uint8_t *f, bool is_v6, uint32_t n)
{
    struct addr src = addr_ip4(0x0a000001), dst = addr_ip4(0x0a000002);
    uint8_t *ip = f + ETH, *tcp = ip + (is_v6 ? 40 : 20);
    struct wire_tcp h = {.sport = 1000,
                         .dport = 80,
                         .seq = 0xfffffc00,
                         .ack = 7,
                         .wnd = 500,
                         .flags = TCPF_ACK | TCPF_PSH | TCPF_FIN | TCPF_CWR};
    w_put16(f + 12, is_v6 ? 0x86dd : 0x0800);
    if (is_v6) {
        memset(src.b, 0xfd, 15);
        memset(dst.b, 0xfd, 15);
        wire_ip6_build(
            ip,
            &(struct wire_ip6){
                .next = PROTO_TCP, .hlim = 64, .plen = (uint16_t)(20 + n), .src = src, .dst = dst});
    } else {
        wire_ip4_build(ip,
                       &(struct wire_ip4){.hlen = 20,
                                          .ttl = 64,
                                          .proto = PROTO_TCP,
                                          .id = 100,
                                          .total = (uint16_t)(40 + n),
                                          .src = src,
                                          .dst = dst},
                       NULL);
    }
    wire_tcp_build(tcp, &h);
    wire_tcp_set_csum(tcp, csum_half(csum_pseudo(&src, &dst, PROTO_TCP, 20 + n)));
    for (uint32_t i = 0; i < n; i++)
        tcp[20 + i] = (uint8_t)i;
    return ETH + (is_v6 ? 40u : 20u) + 20;
}

static void send(uint8_t *f, uint32_t n, uint32_t hdr, uint8_t flags)
{
    struct nic_txd d = {rig_bus(&r->h[0], f),
                        (uint16_t)n,
                        (uint8_t)(NIC_TXD_EOP | flags),
                        (uint8_t)hdr,
                        (uint8_t)(hdr - 20),
                        16,
                        MSS};
    rig_txd(r, 0, d);
    rig_ring(r, 0);
    rig_run(r, r->now + W_MS);
}

static void cut(bool is_v6)
{
    uint16_t flags;
    uint8_t *f = rig_frame(r, 0, 1, HDR6 + WHOLE, 0);
    uint32_t hdr = tcp_packet(f, is_v6, WHOLE);
    send(f, hdr + WHOLE, hdr, NIC_TXD_CSUM | NIC_TXD_TSO);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t n = i < 3 ? MSS : WHOLE - 3 * MSS;
        assert_int_equal(rig_take(r, 1, &flags), hdr + n);
        assert_int_equal(flags, NIC_RET_DONE | NIC_RET_CSUM_GOOD);
        const uint8_t *ip = r->frame + ETH, *tcp = r->frame + hdr - 20;
        assert_int_equal(wire_tcp_seq(tcp), 0xfffffc00u + i * MSS);
        assert_int_equal(wire_tcp_flags(tcp),
                         TCPF_ACK | (i == 0 ? TCPF_CWR : 0) | (i == 3 ? TCPF_PSH | TCPF_FIN : 0));
        if (is_v6) {
            assert_int_equal(wire_ip6_plen(ip), 20 + n);
        } else {
            assert_int_equal(w_be16(ip + 2), 40 + n);
            assert_int_equal(w_be16(ip + 4), 100 + i);
            assert_int_equal(csum_fold(csum_partial(CSUM_SCALAR, ip, 20, 0)), 0);
        }
        for (uint32_t k = 0; k < n; k++)
            assert_int_equal(tcp[20 + k], (uint8_t)(i * MSS + k));
    }
    assert_int_equal(rig_take(r, 1, &flags), 0);
    assert_int_equal(r->h[0].mem.sent, 1);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_TSO), 1);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_TSO_FRAMES), 4);
}

static void test_tso_of_ip4(void **state)
{
    (void)state;
    cut(false);
}

static void test_tso_of_ip6(void **state)
{
    (void)state;
    cut(true);
}

/* The whole needs more than the FIFO holds: piece by piece it passes. */
static void test_a_super_segment_larger_than_the_fifo(void **state)
{
    (void)state;
    uint16_t flags;
    uint32_t n = 60000, got = 0;
    uint8_t *f = rig_frame(r, 0, 1, HDR4 + n, 0);
    uint32_t hdr = tcp_packet(f, false, n);
    assert_true(n > RIG_FIFO);
    for (unsigned i = 0; i < 4; i++) /* descriptors carry 16 KiB each */
        rig_txd(r, 0,
                (struct nic_txd){rig_bus(&r->h[0], f) + i * 16000,
                                 (uint16_t)(i < 3 ? 16000 : hdr + n - 48000),
                                 (uint8_t)((i == 3 ? NIC_TXD_EOP : 0) | NIC_TXD_CSUM | NIC_TXD_TSO),
                                 (uint8_t)hdr, (uint8_t)(hdr - 20), 16, MSS});
    rig_ring(r, 0);
    for (unsigned i = 0; i < 1000 && got < n; i++) {
        rig_run(r, r->now + W_US);
        for (uint32_t k; (k = rig_take(r, 1, &flags)) != 0; got += k - hdr) {
            assert_int_equal(r->frame[hdr], (uint8_t)got);
            rig_refill(r, 1, 1);
        }
    }
    assert_int_equal(got, n);
}

static void test_transmit_checksum(void **state)
{
    (void)state;
    uint16_t flags;
    uint8_t *f = rig_frame(r, 0, 1, 400, 0);
    uint32_t hdr = tcp_packet(f, false, 301);
    send(f, hdr + 301, hdr, NIC_TXD_CSUM);
    assert_int_equal(rig_take(r, 1, &flags), hdr + 301);
    assert_int_equal(flags, NIC_RET_DONE | NIC_RET_CSUM_GOOD);
    send(f, hdr + 301, hdr, 0); /* nobody completes it */
    assert_int_equal(rig_take(r, 1, &flags), hdr + 301);
    assert_int_equal(flags, NIC_RET_DONE | NIC_RET_CSUM_BAD);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_CSUM_ERRORS), 1);
    assert_int_equal(w_be16(r->frame + hdr - 4),
                     w_be16(f + hdr - 4)); /* and the frame is as sent */
}

static void test_what_the_nic_does_not_know_it_does_not_judge(void **state)
{
    (void)state;
    uint16_t flags;
    uint8_t *f = rig_frame(r, 0, 1, 400, 0);
    uint32_t hdr = tcp_packet(f, false, 300);
    w_put16(f + ETH + 6, 0x2000); /* a fragment */
    send(f, hdr + 300, hdr, 0);
    assert_int_equal(rig_take(r, 1, &flags), hdr + 300);
    assert_int_equal(flags, NIC_RET_DONE);
    f = rig_frame(r, 0, 1, 400, 0);
    tcp_packet(f, false, 300);
    f[ETH + 9] = 50; /* ESP */
    send(f, hdr + 300, hdr, 0);
    assert_int_equal(rig_take(r, 1, &flags), hdr + 300);
    assert_int_equal(flags, NIC_RET_DONE);
    rig_set(r, 1, NIC_CTRL, NIC_CTRL_ENABLE); /* and switched off it judges nothing */
    f = rig_frame(r, 0, 1, 400, 0);
    tcp_packet(f, false, 300);
    send(f, hdr + 300, hdr, NIC_TXD_CSUM);
    assert_int_equal(rig_take(r, 1, &flags), hdr + 300);
    assert_int_equal(flags, NIC_RET_DONE);
}

static void test_crc_of_the_check_string(void **state)
{
    (void)state;
    /* The value every CRC-32 catalogue gives for it. */
    assert_int_equal(nic_crc32(r->h[0].nic.crc, (const uint8_t *)"123456789", 9), 0xcbf43926);
    assert_int_equal(nic_crc32(r->h[0].nic.crc, (const uint8_t *)"", 0), 0);
}

/* The key and the rows with which vendors of NICs check theirs (Microsoft, "Verifying the RSS Hash
 * Calculation"). */
static void test_rss_hash_of_the_known_rows(void **state)
{
    (void)state;
    static const uint8_t key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                    0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                    0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                    0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};
    static const struct {
        uint8_t src[4], dst[4];
        uint16_t sport, dport;
        uint32_t with_ports, without;
    } row[] = {
        {{66, 9, 149, 187}, {161, 142, 100, 80}, 2794, 1766, 0x51ccc178, 0x323e8fc2},
        {{199, 92, 111, 2}, {65, 69, 140, 83}, 14230, 4739, 0xc626b0ea, 0xd718262a},
        {{24, 19, 198, 95}, {12, 22, 207, 184}, 12898, 38024, 0x5c2b394a, 0xd2d0a5de},
        {{38, 27, 205, 30}, {209, 142, 163, 6}, 48228, 2217, 0xafc7327f, 0x82989176},
        {{153, 39, 163, 191}, {202, 188, 127, 2}, 44251, 1303, 0x10e828a2, 0x5d1809c5},
    };
    uint8_t f[100] = {0};
    uint32_t hash;
    for (unsigned i = 0; i < NIC_RSS_WORDS; i++)
        rig_set(r, 1, NIC_RSS_KEY + 4 * i, w_be32(key + 4 * i));
    for (unsigned i = 0; i < WEIR_COUNT(row); i++) {
        tcp_packet(f, false, 10);
        memcpy(f + ETH + 12, row[i].src, 4);
        memcpy(f + ETH + 16, row[i].dst, 4);
        w_put16(f + ETH + 20, row[i].sport);
        w_put16(f + ETH + 22, row[i].dport);
        assert_true(nic_rss_hash(&r->h[1].nic, f, HDR4 + 10, &hash));
        assert_int_equal(hash, row[i].with_ports);
        f[ETH + 9] = 50;
        assert_true(nic_rss_hash(&r->h[1].nic, f, HDR4 + 10, &hash));
        assert_int_equal(hash, row[i].without);
    }
    assert_false(nic_rss_hash(&r->h[1].nic, f, 20, &hash));
}

#define T(name) cmocka_unit_test_setup(name, setup)

static const struct CMUnitTest tests[] = {
    T(test_tso_of_ip4),
    T(test_tso_of_ip6),
    T(test_a_super_segment_larger_than_the_fifo),
    T(test_transmit_checksum),
    T(test_what_the_nic_does_not_know_it_does_not_judge),
    T(test_crc_of_the_check_string),
    T(test_rss_hash_of_the_known_rows),
};

UNIT_MAIN(tests)
