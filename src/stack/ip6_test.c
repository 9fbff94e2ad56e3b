/* SPDX-License-Identifier: Apache-2.0
 *
 * IPv6 through two whole stacks: neighbours found, connections, datagrams, errors.
 */
#include "weir_pair.h"

#include "stack/stack.h"
#include "wire/csum.h"
#include "wire/nd.h"

/* The link-local address that a side gave itself. */
static bool pair_link_local(const struct weir_pair *p, unsigned side, uint8_t *ip)
{
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        const struct ip_addr *a = ip_addr_at(&p->w[side]->ip, i);
        if (a != NULL && addr_is_link_local6(&a->addr)) {
            memcpy(ip, a->addr.b, 16);
            return true;
        }
    }
    return false;
}

static void open_pair(struct weir_pair *p)
{
    struct weir_conf conf;
    pair_conf(&conf);
    pair_make(p, &conf, 3);
    pair_add6(p);
}

static weir_sock listener6(struct weir_pair *p, unsigned side, uint16_t port)
{
    weir_sock lsn;
    struct weir_addr at = pair_at6(0, port);
    assert_int_equal(weir_socket(p->w[side], WEIR_INET6, WEIR_STREAM, &lsn), 0);
    assert_int_equal(weir_bind(p->w[side], lsn, &at), 0);
    assert_int_equal(weir_listen(p->w[side], lsn, 8), 0);
    return lsn;
}

static void send_all(struct weir_pair *p, weir_sock c, weir_sock s, size_t n)
{
    static uint8_t out[4096], in[4096];
    size_t sent = 0, got = 0;
    for (unsigned round = 0; got < n && round < 10000; round++) {
        size_t want = n - sent < sizeof(out) ? n - sent : sizeof(out);
        for (size_t i = 0; i < want; i++)
            out[i] = (uint8_t)((sent + i) * 7);
        int64_t r = want == 0 ? 0 : weir_sendto(p->w[0], p->now, c, out, want, 0, NULL);
        sent += r > 0 ? (size_t)r : 0;
        pair_wait(p, 1000000);
        while ((r = weir_recvfrom(p->w[1], p->now, s, in, sizeof(in), 0, NULL)) > 0) {
            for (int64_t i = 0; i < r; i++)
                assert_int_equal(in[i], (uint8_t)((got + (size_t)i) * 7));
            got += (size_t)r;
        }
    }
    assert_int_equal(got, n);
}

/* If this failed nothing would speak IPv6 with us: the neighbour is asked for, the connection made,
 * bytes go over it, and its ends have their names. */
static void a_connection_over_ipv6(void **state)
{
    struct weir_pair p;
    weir_sock c, s;
    struct weir_addr to = pair_at6(2, 80), peer;
    (void)state;
    open_pair(&p);
    weir_sock lsn = listener6(&p, 1, 80);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET6, WEIR_STREAM, &c), 0);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), -EINPROGRESS);
    pair_settle(&p);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), 0);
    assert_int_equal(weir_accept(p.w[1], p.now, lsn, &s, &peer), 0);
    assert_int_equal(peer.family, 6);
    assert_int_equal(peer.ip[0], 0xfd);
    assert_int_equal(peer.ip[15], 1);
    send_all(&p, c, s, 200000);
    assert_int_equal(weir_counter_named(p.w[0], "Icmp6OutNeighborSolicits"), 1);
    assert_int_equal(weir_counter_named(p.w[0], "IpOutRequests"), 0);
    assert_true(weir_counter_named(p.w[0], "Ip6OutRequests") > 4);
    assert_true(p.n_frames > 140); /* super-segments are cut to what the link takes */
    assert_int_equal(weir_counter_named(p.w[0], "Ip6FragFails"), 0);
    pair_end(&p);
}

/* If this failed ::1, which many programs try first, would be refused by a host that has it. */
static void loopback_has_ipv6(void **state)
{
    struct weir_pair p;
    struct weir_conf conf;
    weir_sock c, s;
    struct weir_addr to = {.ip = {[15] = 1}, .port = 80, .family = 6}, peer;
    (void)state;
    pair_conf(&conf);
    pair_make(&p, &conf, 3);
    weir_sock lsn = listener6(&p, 0, 80);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET6, WEIR_STREAM, &c), 0);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), -EINPROGRESS);
    weir_tick(p.w[0], p.now);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), 0);
    assert_int_equal(weir_accept(p.w[0], p.now, lsn, &s, &peer), 0);
    assert_memory_equal(peer.ip, to.ip, 16);
    pair_end(&p);
}

/* If this failed one socket could not serve both families, as most servers do it. */
static void a_dual_stack_listener_serves_both(void **state)
{
    struct weir_pair p;
    weir_sock c4, c6, s;
    struct weir_addr to4 = pair_at(2, 80), to6 = pair_at6(2, 80), peer;
    (void)state;
    open_pair(&p);
    weir_sock lsn = listener6(&p, 1, 80);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET, WEIR_STREAM, &c4), 0);
    assert_int_equal(weir_connect(p.w[0], p.now, c4, &to4), -EINPROGRESS);
    pair_settle(&p);
    assert_int_equal(weir_connect(p.w[0], p.now, c4, &to4), 0);
    assert_int_equal(weir_accept(p.w[1], p.now, lsn, &s, &peer), 0);
    assert_int_equal(peer.family, 6);
    assert_int_equal(peer.ip[10], 0xff);
    assert_int_equal(peer.ip[12], 10);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET6, WEIR_STREAM, &c6), 0);
    assert_int_equal(weir_connect(p.w[0], p.now, c6, &to6), -EINPROGRESS);
    pair_settle(&p);
    assert_int_equal(weir_connect(p.w[0], p.now, c6, &to6), 0);
    pair_end(&p);
}

static weir_sock bound(struct weir_pair *p, int family, int type, bool only6,
                       const struct weir_addr *at, int want)
{
    weir_sock s;
    int on = 1;
    assert_int_equal(weir_socket(p->w[0], family, type, &s), 0);
    if (only6)
        assert_int_equal(weir_setsockopt(p->w[0], p->now, s, 41, 26, &on, sizeof(on)), 0);
    assert_int_equal(weir_bind(p->w[0], s, at), want);
    return s;
}

/* If this failed a server could take a port that another one serves, or be refused one that is
 * free: Linux lets :: and 0.0.0.0 share a port only where :: takes no IPv4. */
static void families_share_ports_as_on_linux(void **state)
{
    struct weir_pair p;
    struct weir_addr any4 = pair_at(0, 80), any6 = pair_at6(0, 80), one6 = pair_at6(1, 80);
    struct weir_addr mapped = pair_at(1, 80);
    int on = 1;
    (void)state;
    mapped.family = 6;
    open_pair(&p);
    for (int type = WEIR_STREAM; type <= WEIR_DGRAM; type++) {
        any4.port = any6.port = one6.port = mapped.port = (uint16_t)(80 + type);
        weir_sock dual = bound(&p, WEIR_INET6, type, false, &any6, 0);
        assert_int_equal(weir_setsockopt(p.w[0], p.now, dual, 41, 26, &on, sizeof(on)), -EINVAL);
        (void)bound(&p, WEIR_INET, type, false, &any4, -EADDRINUSE);
        (void)bound(&p, WEIR_INET6, type, false, &mapped, -EADDRINUSE);
        (void)bound(&p, WEIR_INET6, type, true, &one6, -EADDRINUSE);
        assert_int_equal(weir_close(p.w[0], p.now, dual), 0);
        (void)bound(&p, WEIR_INET, type, false, &any4, 0);
        (void)bound(&p, WEIR_INET6, type, false, &any6, -EADDRINUSE);
        (void)bound(&p, WEIR_INET6, type, true, &any6, 0);
        (void)bound(&p, WEIR_INET6, type, false, &one6, -EADDRINUSE);
    }
    weir_sock v4;
    assert_int_equal(weir_socket(p.w[0], WEIR_INET, WEIR_STREAM, &v4), 0);
    assert_int_equal(weir_setsockopt(p.w[0], p.now, v4, 41, 26, &on, sizeof(on)), -ENOPROTOOPT);
    pair_end(&p);
}

static void expect_dgram(struct weir_pair *p, weir_sock s, int64_t want)
{
    char b[8];
    assert_int_equal(weir_recvfrom(p->w[0], p->now, s, b, sizeof(b), 0, NULL), want);
}

/* If this failed a datagram would reach a socket of the wrong family: IPv4's own socket goes before
 * one that takes both, and IPV6_V6ONLY takes none. */
static void datagrams_find_their_family(void **state)
{
    struct weir_pair p;
    struct weir_addr any4 = pair_at(0, 53), any6 = pair_at6(0, 53), to4 = pair_at(1, 53),
                     to6 = pair_at6(1, 53);
    weir_sock c4, c6, dual;
    (void)state;
    open_pair(&p);
    weir_sock s4 = bound(&p, WEIR_INET, WEIR_DGRAM, false, &any4, 0);
    weir_sock s6 = bound(&p, WEIR_INET6, WEIR_DGRAM, true, &any6, 0);
    assert_int_equal(weir_socket(p.w[1], WEIR_INET, WEIR_DGRAM, &c4), 0);
    assert_int_equal(weir_socket(p.w[1], WEIR_INET6, WEIR_DGRAM, &c6), 0);
    assert_int_equal(weir_sendto(p.w[1], p.now, c4, "4", 1, 0, &to4), 1);
    assert_int_equal(weir_sendto(p.w[1], p.now, c6, "66", 2, 0, &to6), 2);
    pair_settle(&p);
    expect_dgram(&p, s4, 1);
    expect_dgram(&p, s4, -EAGAIN);
    expect_dgram(&p, s6, 2);
    expect_dgram(&p, s6, -EAGAIN);
    assert_int_equal(weir_close(p.w[0], p.now, s4), 0);
    assert_int_equal(weir_sendto(p.w[1], p.now, c4, "4", 1, 0, &to4), 1);
    pair_settle(&p);
    expect_dgram(&p, s6, -EAGAIN);
    assert_int_equal(weir_close(p.w[0], p.now, s6), 0);
    dual = bound(&p, WEIR_INET6, WEIR_DGRAM, false, &any6, 0);
    assert_int_equal(weir_sendto(p.w[1], p.now, c4, "4", 1, 0, &to4), 1);
    assert_int_equal(weir_sendto(p.w[1], p.now, c6, "66", 2, 0, &to6), 2);
    pair_settle(&p);
    expect_dgram(&p, dual, 1);
    expect_dgram(&p, dual, 2);
    pair_end(&p);
}

/* If this failed hosts could not talk by link-local addresses, or would guess the link. */
static void link_local_addresses_have_a_link(void **state)
{
    struct weir_pair p;
    weir_sock c, s;
    struct weir_addr to = {.family = 6, .port = 80}, peer, mine;
    (void)state;
    open_pair(&p);
    weir_sock lsn = listener6(&p, 1, 80);
    /* The other side's address, as a first connection over it shows. */
    struct weir_addr to6 = pair_at6(2, 80);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET6, WEIR_STREAM, &c), 0);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to6), -EINPROGRESS);
    pair_settle(&p);
    assert_int_equal(pair_link_local(&p, 1, to.ip), true);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET6, WEIR_STREAM, &c), 0);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), -EINVAL);
    to.scope = p.nif[0];
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), -EINPROGRESS);
    pair_settle(&p);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), 0);
    assert_int_equal(weir_accept(p.w[1], p.now, lsn, &s, &peer), 0);
    assert_int_equal(weir_accept(p.w[1], p.now, lsn, &s, &peer), 0);
    assert_int_equal(peer.ip[0], 0xfe);
    assert_int_equal(peer.scope, p.nif[1]);
    assert_int_equal(weir_getsockname(p.w[0], c, &mine), 0);
    assert_memory_equal(mine.ip, peer.ip, 16);
    assert_int_equal(mine.scope, p.nif[0]);
    to.scope = 0;
    assert_int_equal(weir_socket(p.w[0], WEIR_INET6, WEIR_STREAM, &c), 0);
    memcpy(to.ip, mine.ip, 16);
    assert_int_equal(weir_bind(p.w[0], c, &to), -EINVAL);
    to.scope = p.nif[0];
    assert_int_equal(weir_bind(p.w[0], c, &to), 0);
    pair_end(&p);
}

/* If this failed datagrams larger than a link would not get over IPv6, or would come out wrong. */
static void large_datagrams_go_in_fragments(void **state)
{
    static uint8_t out[9000], in[9000];
    struct weir_pair p;
    weir_sock a, b;
    struct weir_addr at = pair_at6(0, 53), to = pair_at6(2, 53), from;
    (void)state;
    open_pair(&p);
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)(i * 3);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET6, WEIR_DGRAM, &a), 0);
    assert_int_equal(weir_socket(p.w[1], WEIR_INET6, WEIR_DGRAM, &b), 0);
    assert_int_equal(weir_bind(p.w[1], b, &at), 0);
    assert_int_equal(weir_sendto(p.w[0], p.now, a, out, sizeof(out), 0, &to), sizeof(out));
    pair_settle(&p);
    assert_int_equal(weir_recvfrom(p.w[1], p.now, b, in, sizeof(in), 0, &from), sizeof(in));
    assert_memory_equal(in, out, sizeof(in));
    assert_int_equal(from.ip[15], 1);
    assert_int_equal(weir_counter_named(p.w[0], "Ip6FragCreates"), 7);
    assert_int_equal(weir_counter_named(p.w[1], "Ip6ReasmOKs"), 1);
    assert_int_equal(weir_sendto(p.w[1], p.now, b, "!", 1, 0, &from), 1);
    pair_settle(&p);
    assert_int_equal(weir_recvfrom(p.w[0], p.now, a, in, sizeof(in), 0, NULL), 1);
    pair_end(&p);
}

/* If this failed a datagram over IPv6 without checksum, which nothing else protects, would be
 * believed [RFC 8200 8.1]. */
static void a_datagram_without_checksum_is_refused(void **state)
{
    struct weir_pair p;
    weir_sock s;
    struct weir_addr at = pair_at6(0, 53), us = pair_at6(1, 0), them = pair_at6(2, 0);
    char c;
    uint8_t f[14 + 40 + 9] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60};
    (void)state;
    open_pair(&p);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET6, WEIR_DGRAM, &s), 0);
    assert_int_equal(weir_bind(p.w[0], s, &at), 0);
    f[14 + 5] = 9;
    f[14 + 6] = 17;
    f[14 + 7] = 64;
    memcpy(f + 14 + 8, them.ip, 16);
    memcpy(f + 14 + 24, us.ip, 16);
    f[54 + 1] = f[54 + 3] = 53;
    f[54 + 5] = 9;
    for (unsigned i = 0; i < 2; i++) {
        struct addr from, to;
        memcpy(from.b, them.ip, 16);
        memcpy(to.b, us.ip, 16);
        if (i == 1)
            w_put16(f + 60, csum_fold(csum_partial(CSUM_SCALAR, f + 54, 9,
                                                   csum_pseudo(&from, &to, 17, 9))));
        struct pkt *q = weir_pkt(p.w[0], f, sizeof(f));
        weir_rx(p.w[0], p.now, p.nif[0], &q, 1);
        assert_int_equal(weir_recvfrom(p.w[0], p.now, s, &c, 1, 0, NULL), i == 0 ? -EAGAIN : 1);
    }
    assert_int_equal(weir_counter_named(p.w[0], "UDP_CSUM"), 1);
    pair_end(&p);
}

/* A router advertisement of fe80::<last> for 2001:db8::/64 arrives at side 0. */
static void router_speaks(struct weir_pair *p, uint8_t last)
{
    struct wire_nd m = {.type = ICMP6T_RA, .life_s = 1800, .has = ND_HAS_SLLA, .n_prefix = 1};
    uint8_t f[200] = {0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, last, 0x86, 0xdd};
    memcpy(m.slla, f + 6, 6);
    m.flags = last == 0xaa ? 1 << 3 : 0; /* aa is preferred */
    m.prefix[0] = (struct wire_nd_prefix){.plen = 64,
                                          .flags = ND_PREFIX_AUTO,
                                          .valid_s = 86400,
                                          .preferred_s = 86400,
                                          .prefix = {.b = {0x20, 1, 0xd, 0xb8}}};
    struct wire_ip6 h = {.next = PROTO_ICMP6,
                         .hlim = 255,
                         .src = {.b = {0xfe, 0x80, [15] = last}},
                         .dst = {.b = {0xff, 2, [15] = 1}}};
    uint8_t *at = f + 14 + WIRE_IP6_HLEN;
    unsigned n = wire_nd_build(at, sizeof(f) - 54, &m);
    uint32_t sum = csum_pseudo(&h.src, &h.dst, PROTO_ICMP6, n);
    w_put16(at + 2, csum_fold(csum_partial(CSUM_SCALAR, at, n, sum)));
    h.plen = (uint16_t)n;
    wire_ip6_build(f + 14, &h);
    struct pkt *q = weir_pkt(p->w[0], f, 54 + n);
    weir_rx(p->w[0], p->now, p->nif[0], &q, 1);
}

/* The last byte of the MAC that a datagram to 2001:db8:9::1 leaves to; 0: it does not leave. */
static uint8_t leaves_by(struct weir_pair *p, weir_sock s)
{
    struct weir_addr to = {.ip = {0x20, 1, 0xd, 0xb8, 0, 9, [15] = 1}, .port = 9, .family = 6};
    struct pkt *v[16];
    uint8_t f[80], mac = 0;
    assert_int_equal(weir_sendto(p->w[0], p->now, s, "x", 1, 0, &to), 1);
    unsigned n = weir_tx(p->w[0], p->now, p->nif[0], v, 16);
    for (unsigned i = 0; i < n; i++) {
        if (weir_pkt_copy(v[i], f, sizeof(f)) >= 63 && f[14 + 6] == 17)
            mac = f[5];
    }
    weir_sent(p->w[0], p->now, v, n);
    return mac;
}

/* If this failed a host that configures itself would have no address, or would go on sending to a
 * router that is long dead. */
static void a_host_configures_itself_and_changes_routers(void **state)
{
    struct weir_pair p;
    struct weir_conf conf;
    struct weir_nif_conf nc = {
        .name = "s0", .mtu = 1500, .mac = {2, 0, 0, 0, 0, 9}, .flags = WEIR_NIF_SLAAC};
    weir_sock s;
    (void)state;
    pair_conf(&conf);
    pair_make(&p, &conf, 3);
    pair_wait(&p, 5000000000); /* the first interface has said all it has to say */
    p.nif[0] = (unsigned)weir_nif_add(p.w[0], &nc);
    pair_wait(&p, 3000000000);
    router_speaks(&p, 0xaa);
    router_speaks(&p, 0xbb);
    pair_wait(&p, 3000000000);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET6, WEIR_DGRAM, &s), 0);
    assert_int_equal(leaves_by(&p, s), 0xaa);
    pair_wait(&p, 20000000000); /* it was known, it does not answer, nothing waits for it */
    assert_int_equal(leaves_by(&p, s), 0xbb);
    router_speaks(&p, 0xaa);
    assert_int_equal(leaves_by(&p, s), 0xaa);
    pair_end(&p);
}

/* If this failed two hosts would use one address, though they were told to look first. */
static void addresses_are_looked_for_before_they_are_used(void **state)
{
    struct weir_pair p;
    struct weir_conf conf;
    struct weir_nif_conf nc = {
        .name = "s0", .mtu = 1500, .mac = {2, 0, 0, 0, 0, 9}, .flags = WEIR_NIF_PROBE};
    struct weir_addr mine[4] = {pair_at6(9, 7), pair_at(9, 7), pair_at6(2, 7), pair_at(2, 7)};
    (void)state;
    pair_conf(&conf);
    pair_make(&p, &conf, 3);
    pair_add6(&p);
    pair_wait(&p, 8000000000);
    p.nif[0] = (unsigned)weir_nif_add(p.w[0], &nc);
    for (unsigned i = 0; i < 4; i++) {
        bool is_ip6 = mine[i].family == 6;
        assert_int_equal(weir_addr_add(p.w[0], p.nif[0], &mine[i], is_ip6 ? 64 : 24), 0);
        weir_sock s;
        assert_int_equal(weir_socket(p.w[0], is_ip6 ? 10 : 2, WEIR_STREAM, &s), 0);
        assert_int_equal(weir_bind(p.w[0], s, &mine[i]), -EADDRNOTAVAIL);
    }
    pair_wait(&p, 12000000000);
    for (unsigned i = 0; i < 4; i++) {
        weir_sock s;
        assert_int_equal(weir_socket(p.w[0], mine[i].family == 6 ? 10 : 2, WEIR_STREAM, &s), 0);
        assert_int_equal(weir_bind(p.w[0], s, &mine[i]), i < 2 ? 0 : -EADDRNOTAVAIL);
    }
    pair_end(&p);
}

/* If this failed a refused port, or a host that is not there, would look like a slow one. */
static void errors_reach_the_caller(void **state)
{
    struct weir_pair p;
    weir_sock c, d;
    struct weir_addr to = pair_at6(2, 81), nobody = pair_at6(77, 80);
    (void)state;
    open_pair(&p);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET6, WEIR_STREAM, &c), 0);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), -EINPROGRESS);
    pair_settle(&p);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &to), -ECONNREFUSED);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET6, WEIR_DGRAM, &d), 0);
    assert_int_equal(weir_connect(p.w[0], p.now, d, &to), 0);
    assert_int_equal(weir_sendto(p.w[0], p.now, d, "x", 1, 0, NULL), 1);
    pair_settle(&p);
    assert_int_equal(weir_sendto(p.w[0], p.now, d, "x", 1, 0, NULL), -ECONNREFUSED);
    assert_int_equal(weir_counter_named(p.w[1], "Icmp6OutErrors"), 1);
    assert_int_equal(weir_socket(p.w[0], WEIR_INET6, WEIR_STREAM, &c), 0);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &nobody), -EINPROGRESS);
    pair_wait(&p, 4000000000);
    assert_int_equal(weir_connect(p.w[0], p.now, c, &nobody), -EHOSTUNREACH);
    pair_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_over_ipv6),
        cmocka_unit_test(loopback_has_ipv6),
        cmocka_unit_test(a_dual_stack_listener_serves_both),
        cmocka_unit_test(families_share_ports_as_on_linux),
        cmocka_unit_test(datagrams_find_their_family),
        cmocka_unit_test(link_local_addresses_have_a_link),
        cmocka_unit_test(large_datagrams_go_in_fragments),
        cmocka_unit_test(a_datagram_without_checksum_is_refused),
        cmocka_unit_test(a_host_configures_itself_and_changes_routers),
        cmocka_unit_test(addresses_are_looked_for_before_they_are_used),
        cmocka_unit_test(errors_reach_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
