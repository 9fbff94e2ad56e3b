/* SPDX-License-Identifier: Apache-2.0
 *
 * The short headers: Ethernet, ARP, UDP, ICMP, ICMPv6. Bytes written out by hand from the
 * standards, parsed and built.
 */
#include "unit.h"

#include "wire/wire.h"

static const uint8_t arp_request[] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,  0, 0, 0, 0, 1, 8, 6,              /* Ethernet */
    0,    1,    8,    0,    6,    4,    0,  1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, /* ARP, sender */
    0,    0,    0,    0,    0,    0,    10, 0, 0, 2,
};

/* If this fails, no frame finds its protocol. */
static void ethernet(void **state)
{
    (void)state;
    struct wire_eth h;
    uint8_t out[32];
    assert_int_equal(wire_eth_parse(arp_request, sizeof arp_request, &h), DROP_NONE);
    assert_int_equal(h.type, ETYPE_ARP);
    assert_int_equal(h.hlen, 14);
    assert_int_equal(h.nvlan, 0);
    assert_true(wire_mac_is_broadcast(h.dst));
    assert_true(wire_mac_is_multicast(h.dst));
    assert_false(wire_mac_is_multicast(h.src));
    assert_false(wire_mac_is_zero(h.src));
    assert_int_equal(wire_eth_build(out, &h), 14);
    assert_memory_equal(out, arp_request, 14);
    memset(out, 0, sizeof out);
    wire_eth_put(out, h.dst, h.src, h.type);
    assert_memory_equal(out, arp_request, 14);
    assert_int_equal(wire_eth_parse(arp_request, 13, &h), DROP_ETH_SHORT);
}

/* If this fails, VLAN tags are taken for payload, or a length field for a type. */
static void ethernet_tags(void **state)
{
    (void)state;
    const uint8_t frame[] = {2,    0, 0,   0,    0, 2,    2, 0,    0, 0, 0, 1,    0x88,
                             0xa8, 0, 100, 0x81, 0, 0xa0, 5, 0x81, 0, 0, 6, 0x86, 0xdd};
    struct wire_eth h;
    uint8_t out[32], two[26];
    assert_int_equal(wire_eth_parse(frame, sizeof frame, &h), DROP_ETH_VLANS);
    memcpy(two, frame, 22);
    w_put16(two + 20, ETYPE_IP6);
    assert_int_equal(wire_eth_parse(two, 22, &h), DROP_NONE);
    assert_int_equal(h.type, ETYPE_IP6);
    assert_int_equal(h.hlen, 22);
    assert_int_equal(h.nvlan, 2);
    assert_int_equal(h.vlan[0], 100);
    assert_int_equal(h.vlan[1], 0xa005);
    assert_int_equal(h.vlan_type[0], ETYPE_QINQ);
    assert_int_equal(wire_eth_build(out, &h), 22);
    assert_memory_equal(out, two, 22);
    for (size_t n = 14; n < 22; n++)
        assert_int_equal(wire_eth_parse(two, n, &h), DROP_ETH_SHORT);
    w_put16(two + 20, 0x05ff);
    assert_int_equal(wire_eth_parse(two, 22, &h), DROP_ETH_LENGTH);
    h.nvlan = 3;
    WEIR_EXPECT_ASSERT(wire_eth_build(out, &h));
}

/* If this fails, nobody on the link learns our address, or we nobody's. [RFC 826] */
static void arp(void **state)
{
    (void)state;
    struct wire_arp h;
    uint8_t out[28], bad[28];
    assert_int_equal(wire_arp_parse(arp_request + 14, 28, &h), DROP_NONE);
    assert_int_equal(h.op, ARP_REQUEST);
    assert_int_equal(addr_to_ip4(&h.spa), 0x0a000001);
    assert_int_equal(addr_to_ip4(&h.tpa), 0x0a000002);
    assert_true(wire_mac_is_zero(h.tha));
    assert_int_equal(wire_arp_build(out, &h), 28);
    assert_memory_equal(out, arp_request + 14, 28);
    assert_int_equal(wire_arp_parse(out, 27, &h), DROP_ARP_SHORT);
    for (unsigned i = 0; i < 6; i++) {
        memcpy(bad, out, 28);
        bad[i] ^= 0x40;
        assert_int_equal(wire_arp_parse(bad, 28, &h), DROP_ARP_FORMAT);
    }
    h.spa = (struct addr){.b = {[15] = 1}};
    WEIR_EXPECT_ASSERT(wire_arp_build(out, &h));
}

/* If this fails, datagrams are delivered with bytes that are not theirs. [RFC 768] */
static void udp(void **state)
{
    (void)state;
    const uint8_t b[12] = {0, 53, 0x10, 0xe1, 0, 12, 0xab, 0xcd};
    struct wire_udp h;
    uint8_t out[8];
    assert_int_equal(wire_udp_parse(b, 12, &h), DROP_NONE);
    assert_int_equal(h.sport, 53);
    assert_int_equal(h.dport, 4321);
    assert_int_equal(h.len, 12);
    assert_int_equal(h.csum, 0xabcd);
    assert_int_equal(wire_udp_sport(b), 53);
    assert_int_equal(wire_udp_dport(b), 4321);
    assert_int_equal(wire_udp_build(out, &h), 8);
    assert_memory_equal(out, b, 8);
    assert_int_equal(wire_udp_parse(b, 11, &h), DROP_UDP_LEN);
    assert_int_equal(wire_udp_parse(b, 7, &h), DROP_UDP_SHORT);
    for (uint8_t len = 0; len < 8; len++) {
        uint8_t c[8] = {[5] = len};
        assert_int_equal(wire_udp_parse(c, 8, &h), DROP_UDP_LEN);
    }
}

/* If this fails, ping and path MTU discovery are deaf. [RFC 792, RFC 1191 4, RFC 4443] */
static void icmp(void **state)
{
    (void)state;
    const uint8_t b[8] = {3, 4, 0x12, 0x34, 0, 7, 0x05, 0x14};
    struct wire_icmp4 h;
    struct wire_icmp6 h6;
    uint8_t out[8];
    assert_int_equal(wire_icmp4_parse(b, 8, &h), DROP_NONE);
    assert_int_equal(h.type, ICMP4T_DEST_UNREACH);
    assert_int_equal(h.code, ICMP4C_FRAG_NEEDED);
    assert_int_equal(h.csum, 0x1234);
    assert_int_equal(wire_icmp4_mtu(&h), 1300);
    assert_int_equal(wire_icmp4_id(&h), 7);
    assert_int_equal(wire_icmp4_seq(&h), 1300);
    assert_int_equal(wire_icmp4_ptr(&h), 0);
    assert_int_equal(wire_icmp4_build(out, &h), 8);
    assert_memory_equal(out, b, 8);
    assert_int_equal(wire_icmp4_parse(b, 7, &h), DROP_ICMP_SHORT);
    assert_int_equal(wire_icmp6_parse(b, 8, &h6), DROP_NONE);
    assert_int_equal(h6.type, ICMP6T_TIME_EXCEEDED);
    assert_int_equal(wire_icmp6_id(&h6), 7);
    assert_int_equal(wire_icmp6_seq(&h6), 1300);
    assert_int_equal(wire_icmp6_build(out, &h6), 8);
    assert_memory_equal(out, b, 8);
    assert_int_equal(wire_icmp6_parse(b, 7, &h6), DROP_ICMP_SHORT);
}

/* If this fails, an error is answered with an error, for ever.
 * [RFC 1122 3.2.2, RFC 4443 2.4 (e.1)] */
static void which_icmp_are_errors(void **state)
{
    (void)state;
    for (unsigned t = 0; t < 256; t++) {
        bool want = t == 3 || t == 4 || t == 5 || t == 11 || t == 12;
        assert_int_equal(wire_icmp4_is_error((uint8_t)t), want);
        assert_int_equal(wire_icmp6_is_error((uint8_t)t), t < 128);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ethernet), cmocka_unit_test(ethernet_tags),
    cmocka_unit_test(arp),      cmocka_unit_test(udp),
    cmocka_unit_test(icmp),     cmocka_unit_test(which_icmp_are_errors),
};
UNIT_MAIN(tests)
