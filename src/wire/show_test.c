/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of text, character by character, and the ends of the buffers they go to.
 */
#include "unit.h"

#include <stdio.h>

#include "wire/wire.h"

/* An Ethernet frame under construction. */
struct frame {
    uint8_t b[256];
    size_t n;
};

static void start(struct frame *f, uint16_t type)
{
    const uint8_t dst[6] = {2, 0, 0, 0, 0, 2}, src[6] = {2, 0, 0, 0, 0, 1};
    memset(f, 0, sizeof *f);
    wire_eth_put(f->b, dst, src, type);
    f->n = 14;
}

/* Ethernet and IPv4 from 10.0.0.1 to 10.0.0.2 in front of `len` bytes still to come. */
static void start4(struct frame *f, uint8_t proto, size_t len)
{
    struct wire_ip4 h = {.ttl = 64, .proto = proto, .total = (uint16_t)(20 + len)};
    h.src = addr_ip4(0x0a000001);
    h.dst = addr_ip4(0x0a000002);
    start(f, ETYPE_IP4);
    f->n += wire_ip4_build(f->b + f->n, &h, NULL);
}

/* The same with IPv6, from fe80::1 to ff02::1. */
static void start6(struct frame *f, uint8_t next, size_t len)
{
    struct wire_ip6 h = {.hlim = 255, .next = next, .plen = (uint16_t)len};
    h.src = (struct addr){.b = {0xfe, 0x80, [15] = 1}};
    h.dst = (struct addr){.b = {0xff, 2, [15] = 1}};
    start(f, ETYPE_IP6);
    f->n += wire_ip6_build(f->b + f->n, &h);
}

static void expect(const struct frame *f, const char *want)
{
    char buf[WIRE_SHOW_TEXT];
    unsigned n = wire_show_eth(f->b, f->n, f->n, buf, sizeof buf);
    assert_string_equal(buf, want);
    assert_int_equal(wire_show_eth(f->b, f->n, 0, buf, sizeof buf), n);
    assert_string_equal(buf, want);
    assert_int_equal(n, strlen(want));
}

/* If this fails, a trace of a connection cannot be read. */
static void tcp(void **state)
{
    (void)state;
    struct frame f;
    struct wire_tcp h = {.sport = 80, .dport = 4321, .ack = 1, .wnd = 65535, .mss = 1460};
    h.flags = TCPF_SYN | TCPF_ACK;
    h.wscale = 7, h.ts_val = 1, h.ts_ecr = 2;
    h.has = TCPH_MSS | TCPH_SACK_OK | TCPH_TS | TCPH_WSCALE;
    start4(&f, PROTO_TCP, 40);
    f.n += wire_tcp_build(f.b + f.n, &h);
    expect(&f, "10.0.0.1:80 > 10.0.0.2:4321: Flags [S.], seq 0, ack 1, win 65535, options "
               "[mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7], length 0");

    h = (struct wire_tcp){.sport = 80, .dport = 4321, .seq = 4294967290u, .wnd = 9, .urg = 3};
    h.flags = TCPF_PSH | TCPF_ACK | TCPF_FIN | TCPF_URG | TCPF_ECE | TCPF_CWR | TCPF_AE;
    start4(&f, PROTO_TCP, 30);
    f.n += wire_tcp_build(f.b + f.n, &h) + 10;
    f.b[15] = 3;
    expect(&f, "10.0.0.1:80 > 10.0.0.2:4321: Flags [FP.UEWe], seq 4294967290:4, ack 0, win 9, urg "
               "3, length 10 [CE]");

    h = (struct wire_tcp){.sport = 1, .dport = 2, .n_sack = 2, .acc_n = 1, .acc_e0b = 5};
    h.has = TCPH_SACK | TCPH_ACCECN;
    h.sack[0] = (struct wire_tcp_sack){1, 2};
    h.sack[1] = (struct wire_tcp_sack){3, 4};
    start6(&f, PROTO_TCP, 44);
    f.n += wire_tcp_build(f.b + f.n, &h);
    expect(&f, "[fe80::1]:1 > [ff02::1]:2: Flags [none], win 0, options [accecn0 e0b 5,nop,sack 2 "
               "{1:2}{3:4}], length 0");
}

/* If this fails, a malformed option is shown as a good one, or the line as if it ended there. */
static void tcp_options(void **state)
{
    (void)state;
    static const struct {
        uint8_t b[16];
        const char *text;
    } cases[] = {
        {{2, 4, 5, 0xb4, 3, 0}, "mss 1460,bad option 3"},
        {{34, 2, 0}, "tfo cookiereq,eol"},
        {{34, 6, 1, 2, 3, 0xfe, 254, 8, 0xf9, 0x89, 1, 2, 3, 4, 1, 1},
         "tfo cookie 010203fe,exp-tfo cookie 01020304,nop,nop"},
        {{253, 4, 0xab, 0xcd, 30, 2, 29, 4, 7, 8}, "unknown-253 0xabcd,unknown-30,ao keyid 7,eol"},
        {{2, 3, 5, 3, 9}, "unknown-2 0x05,unknown-3 0x00000000000000,eol"},
        {{2, 3, 5, 3, 99}, "unknown-2 0x05,bad option 3"},
        {{174, 11, 0, 0, 1, 0, 0, 2, 0, 0, 3, 4, 2, 19, 200},
         "accecn1 e1b 1 ceb 2 e0b 3,sackOK,bad option 19"},
    };
    for (unsigned i = 0; i < WEIR_COUNT(cases); i++) {
        struct frame f;
        char want[256];
        start4(&f, PROTO_TCP, 36);
        f.b[f.n + 12] = 9 << 4;
        memcpy(f.b + f.n + 20, cases[i].b, 16);
        f.n += 36;
        snprintf(want, sizeof want,
                 "10.0.0.1:0 > 10.0.0.2:0: Flags [none], win 0, options [%s], length 0",
                 cases[i].text);
        expect(&f, want);
    }
}

/* If this fails, what is not TCP cannot be told apart. */
static void other_protocols(void **state)
{
    (void)state;
    struct frame f;
    start4(&f, PROTO_UDP, 20);
    struct wire_udp u = {.sport = 53, .dport = 1234, .len = 20};
    f.n += wire_udp_build(f.b + f.n, &u) + 12;
    expect(&f, "10.0.0.1:53 > 10.0.0.2:1234: UDP, length 12");

    start4(&f, 132, 8);
    f.n += 8;
    expect(&f, "10.0.0.1 > 10.0.0.2: ip-proto-132, length 8");

    start(&f, ETYPE_ARP);
    struct wire_arp a = {.op = ARP_REQUEST, .sha = {2, 0, 0, 0, 0, 1}};
    a.spa = addr_ip4(0x0a000001);
    a.tpa = addr_ip4(0x0a000002);
    f.n += wire_arp_build(f.b + f.n, &a);
    expect(&f, "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28");
    a.op = ARP_REPLY;
    wire_arp_build(f.b + 14, &a);
    expect(&f, "ARP, Reply 10.0.0.1 is-at 02:00:00:00:00:01, length 28");

    start(&f, 0x88cc);
    f.n = 60;
    expect(&f, "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype 0x88cc, length 60");

    start(&f, ETYPE_VLAN);
    f.b[15] = 7, f.b[16] = 0x08, f.b[17] = 0, f.b[18] = 0x35;
    f.n = 19;
    expect(&f, "vlan 7, IP version 3");
    f.n = 18;
    expect(&f, "vlan 7, empty");
}

/* If this fails, an error does not tell which flow it is about. */
static void icmp(void **state)
{
    (void)state;
    struct frame f;
    struct wire_icmp4 h = {.type = ICMP4T_ECHO_REQUEST, .arg = 7u << 16 | 3};
    start4(&f, PROTO_ICMP4, 64);
    f.n += wire_icmp4_build(f.b + f.n, &h) + 56;
    expect(&f, "10.0.0.1 > 10.0.0.2: ICMP echo request, id 7, seq 3, length 64");

    h = (struct wire_icmp4){.type = ICMP4T_DEST_UNREACH, .code = ICMP4C_FRAG_NEEDED, .arg = 1400};
    struct wire_ip4 q = {.ttl = 9, .proto = PROTO_TCP, .total = 1500, .src = addr_ip4(0x0a000002)};
    q.dst = addr_ip4(0x01020304);
    start4(&f, PROTO_ICMP4, 36);
    f.n += wire_icmp4_build(f.b + f.n, &h);
    f.n += wire_ip4_build(f.b + f.n, &q, NULL);
    w_put32(f.b + f.n, 4321u << 16 | 80);
    f.n += 8;
    expect(&f,
           "10.0.0.1 > 10.0.0.2: ICMP need to frag mtu 1400 for 10.0.0.2:4321 > 1.2.3.4:80 tcp, "
           "length 36");
    start4(&f, PROTO_ICMP4, 8);
    f.b[f.n] = 11, f.b[f.n + 1] = 9;
    f.n += 8;
    expect(&f, "10.0.0.1 > 10.0.0.2: ICMP time exceeded code 9 for [ICMP error quotes nothing "
               "usable], length 8");

    struct wire_icmp6 h6 = {.type = ICMP6T_TOO_BIG, .arg = 1280};
    start6(&f, PROTO_ICMP6, 8 + 40 + 4);
    f.n += wire_icmp6_build(f.b + f.n, &h6);
    memcpy(f.b + f.n, f.b + 14, 40);
    f.b[f.n + 6] = PROTO_UDP;
    w_put32(f.b + f.n + 40, 53u << 16 | 54);
    f.n += 44;
    expect(&f, "fe80::1 > ff02::1: ICMP6, packet too big, mtu 1280 for [fe80::1]:53 > [ff02::1]:54 "
               "udp, length 52");

    struct wire_nd nd = {.type = ICMP6T_NA, .has = ND_HAS_TLLA, .tlla = {2, 0, 0, 0, 0, 1}};
    nd.target = (struct addr){.b = {0xfe, 0x80, [15] = 1}};
    nd.flags = ND_NA_SOLICITED | ND_NA_OVERRIDE;
    start6(&f, PROTO_ICMP6, 32);
    f.n += wire_nd_build(f.b + f.n, 64, &nd);
    expect(&f, "fe80::1 > ff02::1: ICMP6, neighbor advertisement, tgt is fe80::1, solicited, "
               "override, target link-address 02:00:00:00:00:01, length 32");
}

/* If this fails, the one who looks for a fault is told of a different one. */
static void what_is_wrong(void **state)
{
    (void)state;
    struct frame f;
    start4(&f, PROTO_TCP, 20);
    f.n += 19;
    expect(&f, "10.0.0.1 > 10.0.0.2: TCP [IP length beyond the frame]");
    f.n += 1;
    expect(&f, "10.0.0.1:0 > 10.0.0.2:0: Flags [none], win 0 [TCP data offset impossible]");
    start4(&f, PROTO_TCP, 19);
    f.n += 19;
    expect(&f, "10.0.0.1 > 10.0.0.2: TCP [TCP header truncated]");
    f.n = 33;
    expect(&f, "IP4 [IP header truncated]");
    f.n = 13;
    expect(&f, "Ethernet, length 13 [Ethernet header truncated]");
    start6(&f, PROTO_DSTOPTS, 4);
    f.n += 4;
    expect(&f, "fe80::1 > ff02::1: ip-proto-60 [IPv6 packet ends inside its header chain]");
    start4(&f, PROTO_UDP, 16);
    f.n += 16;
    w_put16(f.b + 20, IP4_MF | 185);
    expect(&f, "10.0.0.1 > 10.0.0.2: UDP, length 16 [frag id 0 offset 1480 more]");
    w_put16(f.b + 20, IP4_MF);
    expect(&f, "10.0.0.1:0 > 10.0.0.2:0: UDP [UDP length impossible] [frag id 0 offset 0 more]");
}

/* If this fails, a capture of the first bytes only, or a packet whose payload lies in fragments, is
 * called truncated. */
static void headers_only(void **state)
{
    (void)state;
    struct frame f;
    char buf[WIRE_SHOW_TEXT];
    start4(&f, PROTO_TCP, 20 + 1000);
    f.b[f.n + 12] = 5 << 4;
    f.n += 20;
    wire_show_eth(f.b, f.n, f.n + 1000, buf, sizeof buf);
    assert_string_equal(buf,
                        "10.0.0.1:0 > 10.0.0.2:0: Flags [none], seq 0:1000, win 0, length 1000");
    wire_show_ip(f.b + 14, f.n - 14, 0, buf, sizeof buf);
    assert_string_equal(buf, "10.0.0.1 > 10.0.0.2: TCP [IP length beyond the frame]");
    wire_show_ip(f.b + 14, f.n - 14, f.n - 14 + 1000, buf, sizeof buf);
    assert_string_equal(buf,
                        "10.0.0.1:0 > 10.0.0.2:0: Flags [none], seq 0:1000, win 0, length 1000");
}

/* If this fails, a long line writes over what is behind the buffer. */
static void bounded(void **state)
{
    (void)state;
    struct frame f;
    char whole[WIRE_SHOW_TEXT], buf[WIRE_SHOW_TEXT];
    start4(&f, PROTO_UDP, 20);
    struct wire_udp u = {.sport = 53, .dport = 1234, .len = 20};
    f.n += wire_udp_build(f.b + f.n, &u) + 12;
    unsigned n = wire_show_eth(f.b, f.n, f.n, whole, sizeof whole);
    for (size_t cap = 0; cap <= n + 5; cap++) {
        memset(buf, '#', sizeof buf);
        unsigned got = wire_show_eth(f.b, f.n, f.n, buf, cap);
        assert_int_equal(got, cap == 0 ? 0 : cap > n ? n : cap - 1);
        for (size_t i = cap; i < sizeof buf; i++)
            assert_int_equal(buf[i], '#');
        if (cap == 0)
            continue;
        assert_int_equal(buf[got], '\0');
        size_t same = got == n ? n : got < 3 ? 0 : got - 3;
        assert_memory_equal(buf, whole, same);
        for (size_t i = same; i < got && got != n; i++)
            assert_int_equal(buf[i], '.');
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(tcp),     cmocka_unit_test(tcp_options),   cmocka_unit_test(other_protocols),
    cmocka_unit_test(icmp),    cmocka_unit_test(what_is_wrong), cmocka_unit_test(headers_only),
    cmocka_unit_test(bounded),
};
UNIT_MAIN(tests)
