/* SPDX-License-Identifier: Apache-2.0 */
#include "net_ip.h"

#include <errno.h>

#include "udp/udp.h"

struct fix {
    struct net_ip_host h;
    struct udp udp;
};

static void fix_open(struct fix *f)
{
    host_open(&f->h);
    udp_init(&f->udp, &f->h.n.env, &f->h.ip, &f->h.n.arena);
}

static void fix_close(struct fix *f)
{
    for (uint32_t i = 1; i <= f->udp.pool.cap; i++) {
        if (pool_is_live(&f->udp.pool, i))
            udp_close(&f->udp, udp_at(&f->udp, i));
    }
    assert_int_equal(f->udp.pool.in_use, 0);
    assert_null(udp_ready_pop(&f->udp));
    host_close(&f->h);
}

static struct addr at(uint32_t ip4) { return addr_ip4(ip4); }

static struct udp_sock *bound(struct fix *f, uint32_t local, uint16_t port, uint32_t flags)
{
    struct udp_sock *s = udp_open(&f->udp, 7, true);
    struct addr a = at(local);
    assert_non_null(s);
    s->flags |= flags;
    int r = udp_bind(&f->udp, s, &a, port);
    if (r != 0) {
        udp_close(&f->udp, s);
        return NULL;
    }
    return s;
}

/* A datagram arrives; why it was dropped, or DROP_NONE. */
static enum drop in_with(struct fix *f, const struct net_ip *ip, uint16_t sport, uint16_t dport,
                         const void *data, size_t n)
{
    static uint8_t b[66000];
    size_t len = net_udp(b, ip, sport, dport, data, n);
    struct pkt *p = host_pkt(&f->h, b, len);
    enum next next = ip4_input(&f->h.ip, f->h.n.nif, p);
    assert_int_equal(next, NEXT_UDP);
    next = udp_input(&f->udp, f->h.n.nif, p);
    if (next == NEXT_DONE)
        return DROP_NONE;
    enum drop why = (enum drop)p->drop;
    if (next == NEXT_ICMP_ERROR) {
        assert_int_equal(p->off, p->l3);
        assert_int_equal(p->icmp_type, ICMP4T_DEST_UNREACH);
        assert_int_equal(p->icmp_code, ICMP4C_PORT);
    }
    pkt_free(p);
    return why;
}

static enum drop in(struct fix *f, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
    struct net_ip ip = {.src = src, .dst = dst};
    return in_with(f, &ip, sport, dport, "data", 4);
}

static int64_t take(struct fix *f, struct udp_sock *s)
{
    char b[64];
    return udp_recv(&f->udp, s, b, sizeof b, 0, NULL);
}

/* If this fails, a datagram does not come through whole, or does not say where it came from. */
static void receive_tells_all(void **state)
{
    (void)state;
    struct fix f;
    char b[100];
    struct udp_from from;
    fix_open(&f);
    struct udp_sock *s = bound(&f, 0, 53, 0);
    assert_int_equal(udp_poll(&f.udp, s), UDP_EV_OUT);
    assert_int_equal(udp_recv(&f.udp, s, b, sizeof b, 0, &from), -EAGAIN);
    struct net_ip ip = {.src = NET_PEER, .dst = NET_OUR, .ttl = 33, .tos = 0x28};
    assert_int_equal(in_with(&f, &ip, 4000, 53, "hello, world", 12), DROP_NONE);
    assert_ptr_equal(udp_ready_pop(&f.udp), s);
    assert_null(udp_ready_pop(&f.udp));
    assert_int_equal(udp_poll(&f.udp, s), UDP_EV_OUT | UDP_EV_IN);
    assert_int_equal(udp_recv(&f.udp, s, b, sizeof b, UDP_MSG_PEEK, &from), 12);
    assert_memory_equal(b, "hello, world", 12);
    assert_int_equal(udp_recv(&f.udp, s, b, 5, UDP_MSG_PEEK | UDP_MSG_TRUNC, &from), 12);
    memset(b, 0, sizeof b);
    assert_int_equal(udp_recv(&f.udp, s, b, 5, 0, &from), 5);
    assert_memory_equal(b, "hello\0", 6);
    assert_int_equal(from.full, 12);
    assert_int_equal(from.port, 4000);
    assert_int_equal(addr_to_ip4(&from.addr), NET_PEER);
    assert_int_equal(addr_to_ip4(&from.local), NET_OUR);
    assert_int_equal(from.ttl, 33);
    assert_int_equal(from.tos, 0x28);
    assert_int_equal(from.nif, f.h.n.nif->id);
    /* The rest of a datagram that was read in part is lost. */
    assert_int_equal(take(&f, s), -EAGAIN);
    /* An empty datagram is one. */
    assert_int_equal(in_with(&f, &ip, 4000, 53, "", 0), DROP_NONE);
    assert_int_equal(udp_recv(&f.udp, s, b, sizeof b, 0, &from), 0);
    assert_int_equal(from.port, 4000);
    assert_int_equal(s->rx_bytes, 0);
    fix_close(&f);
}

/* If this fails, a datagram goes to the wrong program [RFC 1122 4.1.3.5, 4.1.4]. */
static void best_match_gets_it(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f);
    struct addr peer = at(NET_PEER);
    struct udp_sock *conn = bound(&f, NET_OUR, 53, UDP_REUSEADDR);
    struct udp_sock *local = bound(&f, NET_OUR, 53, UDP_REUSEADDR);
    struct udp_sock *any = bound(&f, 0, 53, UDP_REUSEADDR);
    assert_int_equal(udp_connect(&f.udp, conn, &peer, 4000), 0);
    assert_int_equal(in(&f, NET_PEER, 4000, NET_OUR, 53), DROP_NONE);
    assert_int_equal(conn->rxq.n, 1);
    assert_int_equal(in(&f, NET_PEER, 4001, NET_OUR, 53), DROP_NONE);
    assert_int_equal(local->rxq.n, 1);
    assert_int_equal(in(&f, NET_FAR, 4000, NET_OUR, 53), DROP_NONE);
    assert_int_equal(local->rxq.n, 2);
    struct addr second = at(0x0a000064);
    assert_int_equal(ip_addr_add(&f.h.ip, f.h.n.nif, &second, IP4_PLEN(24), false), 0);
    assert_int_equal(in(&f, NET_FAR, 4000, 0x0a000064, 53), DROP_NONE);
    assert_int_equal(any->rxq.n, 1);
    assert_int_equal(in(&f, NET_PEER, 4000, NET_OUR, 54), DROP_UDP_NO_PORT);
    udp_close(&f.udp, local);
    assert_int_equal(in(&f, NET_FAR, 4000, NET_OUR, 53), DROP_NONE);
    assert_int_equal(any->rxq.n, 2);
    /* Bound to an interface: only from there. */
    any->nif = f.h.lo->id;
    assert_int_equal(in(&f, NET_FAR, 4000, NET_OUR, 53), DROP_UDP_NO_PORT);
    fix_close(&f);
}

/* If this fails, workers that share a port do not share the load, or one client's datagrams are
 * scattered over them. */
static void reuseport_group_shares_by_flow(void **state)
{
    (void)state;
    struct fix f;
    struct udp_sock *s[4];
    uint8_t owner[200];
    fix_open(&f);
    for (unsigned i = 0; i < 4; i++)
        s[i] = bound(&f, NET_OUR, 53, UDP_REUSEPORT);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned c = 0; c < 200; c++) {
            assert_int_equal(in(&f, NET_FAR + c, 4000, NET_OUR, 53), DROP_NONE);
            for (unsigned i = 0; i < 4; i++) {
                if (s[i]->rxq.n == 0)
                    continue;
                assert_true(round == 0 || owner[c] == i);
                owner[c] = (uint8_t)i;
                assert_int_equal(take(&f, s[i]), 4);
            }
        }
    }
    unsigned share[4] = {0};
    for (unsigned c = 0; c < 200; c++)
        share[owner[c]]++;
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(share[i], 20, 90);
    /* One leaves: only its clients move. */
    udp_close(&f.udp, s[3]);
    for (unsigned c = 0; c < 200; c++) {
        assert_int_equal(in(&f, NET_FAR + c, 4000, NET_OUR, 53), DROP_NONE);
        for (unsigned i = 0; i < 3; i++) {
            if (s[i]->rxq.n == 0)
                continue;
            assert_true(owner[c] == 3 || owner[c] == i);
            assert_int_equal(take(&f, s[i]), 4);
        }
    }
    fix_close(&f);
}

/* If this fails, two programs get one port, or a port is refused that is free. */
static void ports_are_shared_only_by_consent(void **state)
{
    (void)state;
    struct fix f;
    struct addr any = at(0), other = at(NET_FAR), our = at(NET_OUR);
    fix_open(&f);
    struct udp_sock *a = bound(&f, NET_OUR, 53, 0);
    assert_non_null(a);
    assert_null(bound(&f, NET_OUR, 53, 0));
    assert_null(bound(&f, 0, 53, 0));
    assert_null(bound(&f, 0, 53, UDP_REUSEADDR));
    assert_non_null(bound(&f, 0x7f000001, 53, 0));
    assert_non_null(bound(&f, 0x0a0000ff, 54, 0)); /* a broadcast address may be bound */
    assert_non_null(bound(&f, 0, 55, UDP_REUSEADDR));
    assert_non_null(bound(&f, 0, 55, UDP_REUSEADDR));
    assert_null(bound(&f, 0, 55, UDP_REUSEPORT));
    struct udp_sock *s = udp_open(&f.udp, 0, true);
    assert_int_equal(udp_bind(&f.udp, s, &other, 60), -EADDRNOTAVAIL);
    assert_int_equal(udp_bind(&f.udp, s, &any, 53), -EADDRINUSE);
    assert_int_equal(udp_bind(&f.udp, s, &our, 60), 0);
    assert_int_equal(udp_bind(&f.udp, s, &our, 61), -EINVAL);
    udp_close(&f.udp, a);
    assert_non_null(bound(&f, NET_OUR, 53, 0));
    fix_close(&f);
}

/* If this fails, ephemeral ports are predictable, collide, or are given out when none is left
 * [RFC 6056 3.3.1]. */
static void ephemeral_ports(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f);
    f.h.n.env.conf.ip_local_port_lo = 40000;
    f.h.n.env.conf.ip_local_port_hi = 40009;
    unsigned seen = 0, rising = 0, last = 0;
    for (unsigned i = 0; i < 10; i++) {
        struct udp_sock *s = bound(&f, 0, 0, 0);
        assert_non_null(s);
        assert_in_range(s->flow.lport, 40000, 40009);
        assert_false(seen & 1u << (s->flow.lport - 40000));
        seen |= 1u << (s->flow.lport - 40000);
        rising += s->flow.lport > last;
        last = s->flow.lport;
    }
    assert_true(rising < 10);
    assert_null(bound(&f, 0, 0, 0));
    assert_null(bound(&f, 0, 0, UDP_REUSEADDR));
    struct udp_sock *s = udp_open(&f.udp, 0, true);
    struct udp_end to = {.addr = at(NET_PEER), .port = 53};
    assert_int_equal(udp_send(&f.udp, s, &to, "x", 1), -EAGAIN);
    fix_close(&f);
}

/* If this fails, datagrams leave with wrong ports, addresses, length or checksum. */
static void send_makes_the_datagram(void **state)
{
    (void)state;
    struct fix f;
    static uint8_t data[65507], out[2000];
    fix_open(&f);
    struct udp_sock *s = udp_open(&f.udp, 0, true);
    struct udp_end to = {.addr = at(NET_FAR), .port = 53};
    s->ttl = 9;
    s->tos = 0x10;
    memset(data, 0xab, sizeof data);
    assert_int_equal(udp_send(&f.udp, s, NULL, "x", 1), -EDESTADDRREQ);
    assert_int_equal(udp_send(&f.udp, s, &to, data, 1000), 1000);
    assert_int_not_equal(s->flow.lport, 0);
    uint32_t n = host_sent(&f.h, out, sizeof out);
    assert_int_equal(n, 1028);
    struct wire_ip4 h;
    struct wire_udp u;
    assert_int_equal(wire_ip4_parse(out, n, &h), DROP_NONE);
    assert_int_equal(h.ttl, 9);
    assert_int_equal(h.tos, 0x10);
    assert_int_equal(h.flags, 0);
    assert_int_equal(wire_udp_parse(out + 20, n - 20, &u), DROP_NONE);
    assert_int_equal(u.sport, s->flow.lport);
    assert_int_equal(u.dport, 53);
    assert_int_equal(u.len, 1008);
    assert_memory_equal(out + 28, data, 1000);
    uint32_t sum = csum_pseudo(&h.src, &h.dst, PROTO_UDP, 1008);
    assert_int_equal(csum_fold(csum_partial(CSUM_SCALAR, out + 20, 1008, sum)), 0);
    s->flags |= UDP_NO_CHECK;
    assert_int_equal(udp_send(&f.udp, s, &to, data, 0), 0);
    n = host_sent(&f.h, out, sizeof out);
    assert_int_equal(n, 28);
    assert_int_equal(w_be16(out + 26), 0);
    /* The largest, in fragments; one byte more is too much. */
    assert_int_equal(udp_send(&f.udp, s, &to, data, 65507), 65507);
    assert_int_equal(net_flush(&f.h.n, f.h.n.nif), 45);
    assert_int_equal(udp_send(&f.udp, s, &to, data, 65508), -EMSGSIZE);
    s->flags |= UDP_PMTU_DO;
    assert_int_equal(udp_send(&f.udp, s, &to, data, 1473), -EMSGSIZE);
    assert_int_equal(udp_send(&f.udp, s, &to, data, 1472), 1472);
    to.port = 0;
    assert_int_equal(udp_send(&f.udp, s, &to, "x", 1), -EINVAL);
    (void)net_flush(&f.h.n, f.h.n.nif);
    fix_close(&f);
}

/* If this fails, a broadcast leaves without permission, or reaches one program only. */
static void broadcasts(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f);
    struct udp_sock *s = udp_open(&f.udp, 0, true);
    struct udp_end to = {.addr = at(0x0a0000ff), .port = 53};
    assert_int_equal(udp_send(&f.udp, s, &to, "x", 1), -EACCES);
    assert_int_equal(udp_connect(&f.udp, s, &to.addr, 53), -EACCES);
    s->flags |= UDP_BROADCAST;
    assert_int_equal(udp_send(&f.udp, s, &to, "x", 1), 1);
    struct pkt *p = net_sent(&f.h.n, f.h.n.nif);
    assert_memory_equal(pkt_data(p), net_bcast_mac, 6);
    pkt_free(p);
    struct udp_sock *a = bound(&f, 0, 67, UDP_REUSEADDR), *b = bound(&f, 0, 67, UDP_REUSEADDR);
    struct udp_sock *c = bound(&f, NET_OUR, 67, UDP_REUSEADDR);
    assert_int_equal(in(&f, NET_PEER, 68, 0xffffffff, 67), DROP_NONE);
    assert_int_equal(a->rxq.n, 1);
    assert_int_equal(b->rxq.n, 1);
    assert_int_equal(c->rxq.n, 0);
    assert_int_equal(take(&f, a), 4);
    assert_int_equal(take(&f, b), 4);
    /* Nobody has the port: silence [RFC 1122 3.2.2]. */
    assert_int_equal(in(&f, NET_PEER, 68, 0x0a0000ff, 99), DROP_UDP_NO_PORT);
    fix_close(&f);
}

/* If this fails, a slow reader pins memory without bound, or its losses are invisible
 * [system.md C7]. */
static void full_buffer_drops_and_counts(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f);
    struct udp_sock *s = bound(&f, 0, 53, 0);
    s->rx_limit = 10000;
    unsigned kept = 0;
    for (unsigned i = 0; i < 100; i++)
        kept += in(&f, NET_PEER, 4000, NET_OUR, 53) == DROP_NONE;
    assert_in_range(kept, 10, 30);
    assert_int_equal(s->rx_drops, 100 - kept);
    assert_int_equal(f.h.n.env.stats[STAT_UdpRcvbufErrors], 100 - kept);
    assert_true(s->rx_bytes <= 10000 + 4096);
    assert_int_equal(take(&f, s), 4);
    assert_int_equal(in(&f, NET_PEER, 4000, NET_OUR, 53), DROP_NONE);
    while (take(&f, s) > 0)
        ;
    assert_int_equal(s->rx_bytes, 0);
    fix_close(&f);
}

/* If this fails, a corrupted datagram is delivered, or one without checksum refused [RFC 768,
 * RFC 1122 4.1.3.4]. */
static void malformed_datagrams_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t at, value;
        enum drop why;
    } rows[] = {
        {"payload", 28, 'X', DROP_UDP_CSUM},     {"length 7", 25, 7, DROP_UDP_LEN},
        {"length beyond", 25, 13, DROP_UDP_LEN}, {"port 0", 23, 0, DROP_UDP_CSUM},
        {"unchanged", 28, 'd', DROP_NONE},
    };
    struct fix f;
    fix_open(&f);
    struct udp_sock *s = bound(&f, 0, 53, 0);
    struct net_ip ip = {.src = NET_PEER, .dst = NET_OUR};
    uint8_t b[100];
    struct pkt *p;
    for (unsigned r = 0; r < WEIR_COUNT(rows); r++) {
        size_t len = net_udp(b, &ip, 4000, 53, "data", 4);
        b[rows[r].at] = rows[r].value;
        p = host_pkt(&f.h, b, len);
        assert_int_equal(ip4_input(&f.h.ip, f.h.n.nif, p), NEXT_UDP);
        if (udp_input(&f.udp, f.h.n.nif, p) == NEXT_DONE) {
            assert_int_equal(rows[r].why, DROP_NONE);
            continue;
        }
        if (p->drop != rows[r].why && !(rows[r].at == 23 && p->drop == DROP_UDP_PORT_ZERO))
            fail_msg("%s: %s", rows[r].what, drop_name((enum drop)p->drop));
        pkt_free(p);
    }
    size_t len = net_udp(b, &ip, 4000, 53, "data", 4);
    w_put16(b + 26, 0);
    p = host_pkt(&f.h, b, len);
    assert_int_equal(ip4_input(&f.h.ip, f.h.n.nif, p), NEXT_UDP);
    assert_int_equal(udp_input(&f.udp, f.h.n.nif, p), NEXT_DONE);
    /* More IP payload than UDP length: the rest is not the program's. */
    len = net_udp(b, &ip, 4000, 53, "data", 4);
    memcpy(b + len, "more", 4);
    struct wire_ip4 h;
    assert_int_equal(wire_ip4_parse(b, len, &h), DROP_NONE);
    h.total = (uint16_t)(h.total + 4);
    wire_ip4_build(b, &h, NULL);
    p = host_pkt(&f.h, b, len + 4);
    assert_int_equal(ip4_input(&f.h.ip, f.h.n.nif, p), NEXT_UDP);
    assert_int_equal(udp_input(&f.udp, f.h.n.nif, p), NEXT_DONE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take(&f, s), 4);
    struct net_ip tiny = {.src = NET_PEER, .dst = NET_OUR, .proto = PROTO_UDP};
    len = net_ip4(b, &tiny, "1234567", 7);
    p = host_pkt(&f.h, b, len);
    assert_int_equal(ip4_input(&f.h.ip, f.h.n.nif, p), NEXT_UDP);
    assert_int_equal(udp_input(&f.udp, f.h.n.nif, p), NEXT_DROP);
    assert_int_equal(p->drop, DROP_UDP_SHORT);
    pkt_free(p);
    fix_close(&f);
}

static struct icmp_err unreachable(int error, bool is_hard, uint16_t lport)
{
    struct icmp_err e = {.error = error, .is_hard = is_hard, .nif = 1};
    e.flow.local = at(NET_OUR);
    e.flow.remote = at(NET_PEER);
    e.flow.lport = lport;
    e.flow.rport = 53;
    e.flow.proto = PROTO_UDP;
    return e;
}

/* If this fails, a program never learns that nobody listens, or learns of other programs' errors
 * [RFC 1122 4.1.3.3]. */
static void connected_socket_hears_of_errors(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f);
    struct udp_sock *s = bound(&f, 0, 4000, 0), *free_one = bound(&f, 0, 4001, 0);
    struct addr peer = at(NET_PEER);
    assert_int_equal(udp_connect(&f.udp, s, &peer, 53), 0);
    assert_int_equal(addr_to_ip4(&s->flow.local), NET_OUR);
    while (udp_ready_pop(&f.udp) != NULL)
        ;
    struct icmp_err e = unreachable(ECONNREFUSED, true, 4000);
    udp_error(&f.udp, &e);
    assert_ptr_equal(udp_ready_pop(&f.udp), s);
    assert_true(udp_poll(&f.udp, s) & UDP_EV_ERR);
    assert_int_equal(take(&f, s), -ECONNREFUSED);
    assert_int_equal(take(&f, s), -EAGAIN);
    udp_error(&f.udp, &e);
    assert_int_equal(udp_send(&f.udp, s, NULL, "x", 1), -ECONNREFUSED);
    assert_int_equal(udp_send(&f.udp, s, NULL, "x", 1), 1);
    udp_error(&f.udp, &e);
    assert_int_equal(udp_take_error(&f.udp, s), ECONNREFUSED);
    assert_int_equal(udp_take_error(&f.udp, s), 0);
    /* Soft errors pass; our own link's do not. */
    e = unreachable(EHOSTUNREACH, false, 4000);
    udp_error(&f.udp, &e);
    assert_int_equal(s->error, 0);
    e.is_local = true;
    e.nif = 0;
    udp_error(&f.udp, &e);
    assert_int_equal(udp_take_error(&f.udp, s), EHOSTUNREACH);
    /* Another peer's, an unconnected socket's, nobody's. */
    e = unreachable(ECONNREFUSED, true, 4000);
    e.flow.remote = at(NET_FAR);
    udp_error(&f.udp, &e);
    assert_int_equal(s->error, 0);
    e = unreachable(ECONNREFUSED, true, 4001);
    udp_error(&f.udp, &e);
    assert_int_equal(free_one->error, 0);
    assert_int_equal(f.h.n.env.drops[DROP_ICMP_STALE], 1);
    (void)net_flush(&f.h.n, f.h.n.nif);
    fix_close(&f);
}

/* If this fails, datagrams larger than the path vanish for ever. */
static void path_mtu_is_heard(void **state)
{
    (void)state;
    struct fix f;
    static uint8_t data[1400];
    fix_open(&f);
    struct udp_sock *s = bound(&f, 0, 4000, UDP_PMTU_DO);
    struct addr peer = at(NET_PEER);
    assert_int_equal(udp_connect(&f.udp, s, &peer, 53), 0);
    assert_int_equal(udp_send(&f.udp, s, NULL, data, 1400), 1400);
    struct icmp_err e = unreachable(EMSGSIZE, false, 4000);
    e.mtu = 1280;
    e.sent = 1428;
    udp_error(&f.udp, &e);
    assert_int_equal(udp_send(&f.udp, s, NULL, data, 1400), -EMSGSIZE); /* as told */
    assert_int_equal(udp_send(&f.udp, s, NULL, data, 1400), -EMSGSIZE); /* as known */
    assert_int_equal(udp_send(&f.udp, s, NULL, data, 1252), 1252);
    (void)net_flush(&f.h.n, f.h.n.nif);
    fix_close(&f);
}

/* If this fails, connecting and disconnecting leaves a socket half bound. */
static void connect_and_disconnect(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f);
    struct addr peer = at(NET_PEER), far = at(NET_FAR), any = at(0);
    struct udp_sock *s = udp_open(&f.udp, 0, true);
    assert_int_equal(udp_connect(&f.udp, s, &peer, 53), 0);
    assert_int_not_equal(s->flow.lport, 0);
    uint16_t port = s->flow.lport;
    assert_int_equal(udp_connect(&f.udp, s, &far, 54), 0);
    assert_int_equal(s->flow.lport, port);
    assert_int_equal(in(&f, NET_PEER, 53, NET_OUR, port), DROP_UDP_NO_PORT);
    assert_int_equal(in(&f, NET_FAR, 54, NET_OUR, port), DROP_NONE);
    udp_disconnect(&f.udp, s);
    assert_true(addr_is_any(&s->flow.local));
    assert_int_equal(s->flow.lport, 0);
    assert_int_equal(in(&f, NET_FAR, 54, NET_OUR, port), DROP_UDP_NO_PORT);
    /* Bound by hand: the port stays. */
    struct udp_sock *t = bound(&f, NET_OUR, 60, 0);
    assert_int_equal(udp_connect(&f.udp, t, &peer, 53), 0);
    udp_disconnect(&f.udp, t);
    assert_int_equal(t->flow.lport, 60);
    assert_int_equal(addr_to_ip4(&t->flow.local), NET_OUR);
    assert_int_equal(in(&f, NET_FAR, 54, NET_OUR, 60), DROP_NONE);
    /* To nobody in particular is to ourselves, as in Linux. */
    assert_int_equal(udp_connect(&f.udp, s, &any, 60), 0);
    assert_int_equal(addr_to_ip4(&s->flow.remote), 0x7f000001);
    fix_close(&f);
}

/* If this fails, a shut socket still sends or receives, or its reader sleeps for ever. */
static void shutdown_ends_both_directions(void **state)
{
    (void)state;
    struct fix f;
    struct addr peer = at(NET_PEER);
    fix_open(&f);
    struct udp_sock *s = bound(&f, 0, 60, 0);
    assert_int_equal(udp_shutdown(&f.udp, s, 0), -ENOTCONN);
    assert_ptr_equal(udp_ready_pop(&f.udp), s);
    assert_int_equal(take(&f, s), 0);
    assert_int_equal(udp_poll(&f.udp, s), UDP_EV_IN | UDP_EV_OUT | UDP_EV_RDHUP);
    assert_int_equal(in(&f, NET_PEER, 53, NET_OUR, 60), DROP_UDP_SHUT);
    assert_int_equal(udp_connect(&f.udp, s, &peer, 53), 0);
    assert_int_equal(udp_shutdown(&f.udp, s, 1), 0);
    assert_true(udp_poll(&f.udp, s) & UDP_EV_HUP);
    assert_int_equal(udp_send(&f.udp, s, NULL, "x", 1), -EPIPE);
    assert_int_equal(udp_shutdown(&f.udp, s, 3), -EINVAL);
    fix_close(&f);
}

/* If this fails, running out of sockets or packets breaks something. */
static void pools_run_empty(void **state)
{
    (void)state;
    struct fix f;
    struct pkt *hoard[1024];
    unsigned k = 0, n = 0;
    fix_open(&f);
    while (udp_open(&f.udp, n, true) != NULL)
        n++;
    assert_int_equal(n, f.h.n.env.conf.n_udp);
    struct udp_sock *s = udp_at(&f.udp, 1);
    struct udp_end to = {.addr = at(NET_PEER), .port = 53};
    while (pool_free_count(&f.h.n.env.mem.pkts) > 0)
        hoard[k++] = pkt_new(&f.h.n.env.mem);
    assert_int_equal(udp_send(&f.udp, s, &to, "x", 1), -ENOBUFS);
    while (k > 0)
        pkt_free(hoard[--k]);
    assert_int_equal(udp_send(&f.udp, s, &to, "x", 1), 1);
    (void)net_flush(&f.h.n, f.h.n.nif);
    fix_close(&f);
}

/* If this fails, a change of addresses or routes leaves a connected socket on a dead road. */
static void connected_route_is_renewed(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f);
    struct addr peer = at(NET_PEER), our = at(NET_OUR);
    struct udp_sock *s = udp_open(&f.udp, 0, true);
    assert_int_equal(udp_connect(&f.udp, s, &peer, 53), 0);
    assert_int_equal(udp_send(&f.udp, s, NULL, "x", 1), 1);
    assert_int_equal(ip_addr_del(&f.h.ip, f.h.n.nif, &our), 0);
    assert_true(udp_send(&f.udp, s, NULL, "x", 1) < 0);
    (void)net_flush(&f.h.n, f.h.n.nif);
    fix_close(&f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(receive_tells_all),
    cmocka_unit_test(best_match_gets_it),
    cmocka_unit_test(reuseport_group_shares_by_flow),
    cmocka_unit_test(ports_are_shared_only_by_consent),
    cmocka_unit_test(ephemeral_ports),
    cmocka_unit_test(send_makes_the_datagram),
    cmocka_unit_test(broadcasts),
    cmocka_unit_test(full_buffer_drops_and_counts),
    cmocka_unit_test(malformed_datagrams_are_named),
    cmocka_unit_test(connected_socket_hears_of_errors),
    cmocka_unit_test(path_mtu_is_heard),
    cmocka_unit_test(connect_and_disconnect),
    cmocka_unit_test(shutdown_ends_both_directions),
    cmocka_unit_test(pools_run_empty),
    cmocka_unit_test(connected_route_is_renewed),
};
UNIT_MAIN(tests)
