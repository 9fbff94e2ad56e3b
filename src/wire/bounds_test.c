/* SPDX-License-Identifier: Apache-2.0
 *
 * No parser reads a byte that is not there. Each runs over every input of up to three bytes, every
 * truncation of a valid packet, and the packet with each byte set to each value; the input always
 * ends where its allocation ends, so that the address sanitizer sees one byte too many.
 */
#include "unit.h"

#include <stdlib.h>

#include "wire/wire.h"

/* Every parser, as a function of bytes. */
static void run_eth(const uint8_t *p, size_t n)
{
    struct wire_eth h;
    if (wire_eth_parse(p, n, &h) == DROP_NONE)
        assert_true(h.hlen <= n);
}

static void run_arp(const uint8_t *p, size_t n)
{
    struct wire_arp h;
    if (wire_arp_parse(p, n, &h) == DROP_NONE)
        assert_true(n >= WIRE_ARP_LEN);
}

static void run_ip4(const uint8_t *p, size_t n)
{
    struct wire_ip4 h;
    struct wire_ip4_opts o;
    uint8_t to[WIRE_IP4_OPT_MAX];
    if (wire_ip4_parse(p, n, &h) != DROP_NONE)
        return;
    assert_true(h.hlen >= 20 && h.hlen <= h.total && h.total <= n);
    (void)wire_ip4_csum_ok(p, h.hlen);
    if (wire_ip4_opts_parse(p, h.hlen, &o) == DROP_IP_OPTION)
        assert_true(o.bad_at >= 20 && o.bad_at < h.hlen);
    assert_true(wire_ip4_opts_copied(p, h.hlen, to) <= h.hlen - 20u);
}

static void run_ip6(const uint8_t *p, size_t n)
{
    struct wire_ip6 h;
    struct wire_ip6_chain c;
    if (wire_ip6_parse(p, n, &h) != DROP_NONE)
        return;
    size_t total = 40u + h.plen;
    assert_true(total <= n);
    enum drop why = wire_ip6_walk(p, total, &c);
    assert_true(c.off <= total);
    assert_true(c.n_ext <= WIRE_IP6_EXTS_MAX);
    assert_true(!c.wants_error || c.bad_at < total);
    assert_true(why != DROP_NONE || !c.wants_error);
}

static void run_icmp(const uint8_t *p, size_t n)
{
    struct wire_icmp4 h4;
    struct wire_icmp6 h6;
    assert_int_equal(wire_icmp4_parse(p, n, &h4), n < 8 ? DROP_ICMP_SHORT : DROP_NONE);
    assert_int_equal(wire_icmp6_parse(p, n, &h6), n < 8 ? DROP_ICMP_SHORT : DROP_NONE);
}

static void run_nd(const uint8_t *p, size_t n)
{
    struct wire_nd h;
    if (wire_nd_parse(p, n, &h) == DROP_NONE)
        assert_true((size_t)h.redirected_at + h.redirected_len <= n);
}

static void run_udp(const uint8_t *p, size_t n)
{
    struct wire_udp h;
    if (wire_udp_parse(p, n, &h) == DROP_NONE)
        assert_true(h.len >= 8 && h.len <= n);
}

static void run_tcp(const uint8_t *p, size_t n)
{
    struct wire_tcp h;
    if (wire_tcp_parse(p, n, &h) != DROP_NONE)
        return;
    assert_true(h.hlen >= 20 && h.hlen <= n && h.n_sack <= WIRE_TCP_SACKS);
    (void)wire_tcp_opts_len(&h);
}

static void run_show(const uint8_t *p, size_t n)
{
    char buf[64];
    assert_true(wire_show_eth(p, n, n, buf, sizeof buf) < sizeof buf);
    assert_true(wire_show_ip(p, n, n, buf, sizeof buf) < sizeof buf);
    assert_true(wire_show_eth(p, n, n + 1500, buf, sizeof buf) < sizeof buf);
    assert_true(wire_show_ip(p, n, n + 1500, buf, sizeof buf) < sizeof buf);
}

typedef void run_fn(const uint8_t *p, size_t n);

static run_fn *const all[] = {run_eth, run_arp, run_ip4, run_ip6, run_icmp,
                              run_nd,  run_udp, run_tcp, run_show};

/* p[0 .. n) at the end of an allocation; free() what it returns. */
static uint8_t *exact(const uint8_t *p, size_t n)
{
    uint8_t *b = malloc(n ? n : 1);
    assert_non_null(b);
    if (n)
        memcpy(b, p, n);
    return n ? b : b + 1;
}

static void release(uint8_t *b, size_t n) { free(n ? b : b - 1); }

/* If this fails, a runt frame crashes the stack. */
static void all_tiny_inputs(void **state)
{
    (void)state;
    for (unsigned f = 0; f < WEIR_COUNT(all); f++) {
        const uint8_t none[3] = {0};
        unsigned max = all[f] == run_show ? 2 : 3;
        for (size_t n = 0; n <= max; n++) {
            uint8_t *b = exact(none, n);
            for (uint32_t v = 0; v < 1u << 8 * n; v++) {
                for (size_t i = 0; i < n; i++)
                    b[i] = (uint8_t)(v >> 8 * i);
                all[f](b, n);
            }
            release(b, n);
        }
    }
}

/* Every truncation of p[0 .. n), and at every length each byte once set to each value. */
static void sweep(run_fn *run, const uint8_t *p, size_t n)
{
    for (size_t len = 0; len <= n; len++) {
        uint8_t *b = exact(p, len);
        run(b, len);
        for (size_t i = 0; i < len; i++) {
            for (unsigned v = 0; v < 256; v++) {
                b[i] = (uint8_t)v;
                run(b, len);
            }
            b[i] = p[i];
        }
        release(b, len);
    }
}

static size_t put4(uint8_t *at, uint8_t proto, size_t len, bool has_opts)
{
    const uint8_t opt[12] = {148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0};
    struct wire_ip4 h = {.ttl = 64, .proto = proto, .hlen = has_opts ? 32 : 20};
    h.total = (uint16_t)(h.hlen + len);
    h.src = addr_ip4(0x0a000001);
    h.dst = addr_ip4(0x0a000002);
    return wire_ip4_build(at, &h, opt);
}

static size_t put6(uint8_t *at, uint8_t next, size_t len)
{
    struct wire_ip6 h = {.hlim = 64, .next = next, .plen = (uint16_t)len};
    h.src = (struct addr){.b = {0xfe, 0x80, [15] = 1}};
    h.dst = (struct addr){.b = {0xfe, 0x80, [15] = 2}};
    return wire_ip6_build(at, &h);
}

static size_t put_tcp(uint8_t *at)
{
    struct wire_tcp h = {.sport = 1, .dport = 2, .flags = TCPF_SYN, .mss = 1460, .wscale = 7};
    h.has = TCPH_MSS | TCPH_SACK_OK | TCPH_TS | TCPH_WSCALE | TCPH_FASTOPEN;
    h.cookie_len = 8;
    return wire_tcp_build(at, &h);
}

static size_t put_ra(uint8_t *at)
{
    struct wire_nd h = {.type = ICMP6T_RA, .has = ND_HAS_SLLA | ND_HAS_MTU, .n_route = 1};
    h.n_prefix = h.n_dns = 1;
    h.prefix[0].plen = 64;
    h.route[0].plen = 65;
    return wire_nd_build(at, 256, &h);
}

/* If this fails, the header that lies about a length gets us to read past the packet. */
static void headers(void **state)
{
    (void)state;
    uint8_t b[256];
    size_t n = put_tcp(b);
    sweep(run_tcp, b, n);
    struct wire_tcp sacks = {.has = TCPH_SACK | TCPH_ACCECN, .n_sack = 3, .acc_n = 1};
    n = wire_tcp_build(b, &sacks);
    sweep(run_tcp, b, n);
    memset(b, 0, sizeof b);
    n = put4(b, PROTO_UDP, 8, true);
    sweep(run_ip4, b, n + 8);
    n = put4(b, PROTO_UDP, 0, true);
    sweep(run_ip4, b, n);
    n = put_ra(b);
    sweep(run_nd, b, n);
    struct wire_udp u = {.len = 12};
    sweep(run_udp, b, wire_udp_build(b, &u) + 4u);
    sweep(run_icmp, b, 9);
    struct wire_arp a = {.spa = addr_ip4(1), .tpa = addr_ip4(2)};
    sweep(run_arp, b, wire_arp_build(b, &a) + 2u);
    struct wire_eth e = {.nvlan = 2, .vlan_type = {ETYPE_QINQ, ETYPE_VLAN}, .type = ETYPE_IP4};
    sweep(run_eth, b, wire_eth_build(b, &e) + 2u);
}

/* If this fails, the same happens inside a chain of extension headers. */
static void ip6_chains(void **state)
{
    (void)state;
    const uint8_t ext[] = {43,   0, 5, 2, 0, 0, 1, 0, 44, 0,  4, 0,  0, 0, 0, 0,
                           60,   0, 0, 1, 0, 0, 0, 9, 17, 1,  1, 4,  0, 0, 0, 0,
                           0x1e, 6, 0, 0, 0, 0, 0, 0, 0,  53, 0, 53, 0, 8, 0, 0};
    uint8_t b[128];
    size_t n = put6(b, PROTO_HOPOPTS, sizeof ext);
    memcpy(b + n, ext, sizeof ext);
    sweep(run_ip6, b, n + sizeof ext);
}

/* If this fails, printing a captured packet crashes the one who captured it. */
static void whole_packets_shown(void **state)
{
    (void)state;
    uint8_t b[256] = {0};
    wire_eth_put(b, b, b, ETYPE_IP4);
    size_t n = 14 + put4(b + 14, PROTO_TCP, 60, false);
    n += put_tcp(b + n);
    sweep(run_show, b, n);

    memset(b, 0, sizeof b);
    n = put4(b, PROTO_ICMP4, 8 + 20 + 8, true);
    b[n] = ICMP4T_DEST_UNREACH;
    n += 8;
    n += put4(b + n, PROTO_UDP, 100, false) + 8;
    sweep(run_show, b, n);

    memset(b, 0, sizeof b);
    size_t len = put_ra(b + 40);
    n = put6(b, PROTO_ICMP6, len) + len;
    sweep(run_show, b, n);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_tiny_inputs),
    cmocka_unit_test(headers),
    cmocka_unit_test(ip6_chains),
    cmocka_unit_test(whole_packets_shown),
};
UNIT_MAIN(tests)
