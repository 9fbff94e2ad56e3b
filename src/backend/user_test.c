/* SPDX-License-Identifier: Apache-2.0 */
#include "pkts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "backend/backend.h"
#include "wire/arp.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

enum { GUEST = 0x0a00020f, GW = 0x0a000202, WAIT_MS = 2000 };

static struct test_pkts pkts;
static struct backend b;
static char err[BACKEND_ERR_TEXT];
static uint8_t gw_mac[6];

static w_ns clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (w_ns)t.tv_sec * W_S + (w_ns)t.tv_nsec;
}

/* ---- a very small stack ------------------------------------------------------------------- */

static void give_back(void)
{
    struct pkt *v[8];
    unsigned n = netdev_reap(b.dev, 0, clock_now(), v, 8);
    while (n > 0)
        pkt_free(v[--n]);
}

static void send_frame(const uint8_t *frame, size_t n)
{
    struct pkt *p = pkt_from_bytes(&pkts.mem, frame, n);
    assert_non_null(p);
    assert_int_equal(netdev_tx(b.dev, 0, clock_now(), &p, 1), 1);
    give_back();
}

/* The next frame, waiting for it as a loop would; its length, 0: none came in time. */
static size_t receive(uint8_t *frame, size_t max, w_ns wait)
{
    w_ns until = clock_now() + wait;
    for (w_ns now = clock_now(); now < until; now = clock_now()) {
        struct pkt *p;
        if (netdev_rx(b.dev, 0, now, &p, 1) == 1) {
            size_t n = pkt_copy_out(p, 0, frame, (uint32_t)max);
            pkt_free(p);
            return n;
        }
        w_ns next = w_u64_min(netdev_next(b.dev, 0), until);
        struct pollfd fd = {.fd = netdev_wait_fd(b.dev, 0), .events = POLLIN};
        if (netdev_arm(b.dev, 0, true) == 0 && next > now)
            poll(&fd, 1, (int)((next - now) / W_MS) + 1);
    }
    return 0;
}

static void arp(uint16_t op, const uint8_t *to, uint32_t target)
{
    static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t frame[64] = {0};
    const uint8_t *mac = b.dev->caps.mac;
    wire_eth_put(frame, to != NULL ? to : everybody, mac, ETYPE_ARP);
    w_put16(frame + 14, 1);
    w_put16(frame + 16, ETYPE_IP4);
    frame[18] = 6;
    frame[19] = 4;
    w_put16(frame + 20, op);
    memcpy(frame + 22, mac, 6);
    w_put32(frame + 28, GUEST);
    if (to != NULL)
        memcpy(frame + 32, to, 6);
    w_put32(frame + 38, target);
    send_frame(frame, 42);
}

/* An IPv4 packet of this protocol around the payload, checksummed where UDP wants it. */
static void send_ip(uint8_t proto, uint32_t dst, const uint8_t *payload, uint16_t n)
{
    static uint8_t frame[65536 + 64];
    struct wire_ip4 ip = {.ttl = 64,
                          .proto = proto,
                          .total = (uint16_t)(20 + n),
                          .id = 1,
                          .src = addr_ip4(GUEST),
                          .dst = addr_ip4(dst)};
    wire_eth_put(frame, gw_mac, b.dev->caps.mac, ETYPE_IP4);
    (void)wire_ip4_build(frame + 14, &ip, NULL);
    memcpy(frame + 34, payload, n);
    send_frame(frame, 34u + n);
}

static void send_udp(uint32_t dst, uint16_t sport, uint16_t dport, const char *text)
{
    uint8_t udp[64] = {0};
    uint16_t n = (uint16_t)(8 + strlen(text));
    struct addr src = addr_ip4(GUEST), to = addr_ip4(dst);
    w_put16(udp, sport);
    w_put16(udp + 2, dport);
    w_put16(udp + 4, n);
    memcpy(udp + 8, text, strlen(text));
    uint32_t sum = csum_partial(CSUM_SCALAR, udp, n, csum_pseudo(&src, &to, PROTO_UDP, n));
    w_put16(udp + 6, csum_nonzero(csum_fold(sum)));
    send_ip(PROTO_UDP, dst, udp, n);
}

struct seg {
    uint16_t port, flags;
    uint32_t seq, ack;
    const char *text;
};

static void send_seg(const struct seg *s)
{
    uint8_t tcp[64] = {0};
    uint16_t n = (uint16_t)(20 + (s->text != NULL ? strlen(s->text) : 0));
    struct addr src = addr_ip4(GUEST), dst = addr_ip4(GW);
    w_put16(tcp, 5000);
    w_put16(tcp + 2, s->port);
    w_put32(tcp + 4, s->seq);
    w_put32(tcp + 8, s->ack);
    w_put16(tcp + 12, 5u << 12 | s->flags);
    w_put16(tcp + 14, 65535);
    if (s->text != NULL)
        memcpy(tcp + 20, s->text, n - 20u);
    uint32_t sum = csum_partial(CSUM_SCALAR, tcp, n, csum_pseudo(&src, &dst, PROTO_TCP, n));
    w_put16(tcp + 16, csum_fold(sum));
    send_ip(PROTO_TCP, GW, tcp, n);
}

/* The next IP packet, ARP requests for us answered meanwhile; its offset in frame is 14. */
static size_t receive_ip(uint8_t *frame, size_t max)
{
    for (unsigned i = 0; i < 10; i++) {
        size_t n = receive(frame, max, WAIT_MS * W_MS);
        if (n == 0 || w_be16(frame + 12) == ETYPE_IP4)
            return n;
        if (w_be16(frame + 12) == ETYPE_ARP && w_be16(frame + 20) == 1 &&
            w_be32(frame + 38) == GUEST)
            arp(2, frame + 22, w_be32(frame + 28));
    }
    return 0;
}

/* ---- */

static void start(const struct backend_conf *conf)
{
    test_pkts_init(&pkts, 64);
    if (backend_open("user", conf, &b, err) != 0)
        fail_msg("%s", err);
    assert_int_equal(netdev_open(b.dev, &pkts.mem), 0);
    uint8_t frame[128];
    arp(1, NULL, GW);
    assert_true(receive(frame, sizeof frame, WAIT_MS * W_MS) >= 42);
    assert_int_equal(w_be16(frame + 12), ETYPE_ARP);
    assert_int_equal(w_be16(frame + 20), 2);
    assert_int_equal(w_be32(frame + 28), GW);
    memcpy(gw_mac, frame + 22, 6);
}

static void end(void)
{
    give_back();
    netdev_close(b.dev);
    test_pkts_fini(&pkts);
}

/* A UDP socket of the host on 127.0.0.1, its port in *port. */
static int host_socket(uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 2};
    socklen_t n = sizeof a;
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(s >= 0);
    assert_int_equal(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&a, &n), 0);
    *port = ntohs(a.sin_port);
    return s;
}

/* If this fails, weir run has no network at all: nobody answers at the gateway's address. */
static void the_gateway_answers_arp_and_ping(void **state)
{
    (void)state;
    struct backend_conf conf = {0};
    uint8_t echo[64] = {8}, frame[256];
    start(&conf);
    assert_int_equal(addr_to_ip4(&b.addr), GUEST);
    assert_int_equal(addr_to_ip4(&b.gw), GW);
    assert_int_equal(addr_to_ip4(&b.dns), GW + 1);
    assert_int_equal(b.prefix_len, 24);
    const struct addr guest6 = {.b = {0xfd, [15] = 0x15}}, gw6 = {.b = {0xfd, [15] = 2}};
    assert_true(addr_eq(&b.addr6, &guest6) && addr_eq(&b.gw6, &gw6));
    assert_int_equal(b.prefix_len6, 64);
    assert_int_equal(b.dev->caps.mtu, 65520);
    for (unsigned i = 4; i < sizeof echo; i++)
        echo[i] = (uint8_t)i;
    w_put16(echo + 2, csum_fold(csum_partial(CSUM_SCALAR, echo, sizeof echo, 0)));
    send_ip(PROTO_ICMP4, GW, echo, sizeof echo);
    size_t n = receive_ip(frame, sizeof frame);
    assert_int_equal(n, 14 + 20 + sizeof echo);
    assert_int_equal(frame[14 + 9], PROTO_ICMP4);
    assert_int_equal(w_be32(frame + 26), GW);
    assert_int_equal(frame[34], 0); /* echo reply */
    assert_memory_equal(frame + 38, echo + 4, sizeof echo - 4);
    end();
}

/* If this fails, --host-loopback does not reach a server on the host, or answers get lost in the
 * mirror of libslirp's sockets. */
static void the_host_is_reached_if_allowed(void **state)
{
    (void)state;
    struct backend_conf conf = {.can_host_loopback = true};
    struct sockaddr_in from;
    socklen_t n_from = sizeof from;
    uint16_t port;
    uint8_t frame[256];
    char text[16] = "";
    int s = host_socket(&port);
    start(&conf);
    for (unsigned i = 0; i < 20; i++) {
        send_udp(GW, 4000, port, "hello");
        assert_int_equal(recvfrom(s, text, sizeof text, 0, (struct sockaddr *)&from, &n_from), 5);
        assert_memory_equal(text, "hello", 5);
        assert_int_equal(sendto(s, "world!", 6, 0, (struct sockaddr *)&from, n_from), 6);
        assert_int_equal(receive_ip(frame, sizeof frame), 14 + 20 + 8 + 6);
        assert_int_equal(w_be16(frame + 36), 4000);
        assert_memory_equal(frame + 42, "world!", 6);
    }
    close(s);
    end();
}

/* If this fails, connections over the user network do not open, do not carry, or do not end: each
 * step needs another change of what the kernel is asked about libslirp's socket. */
static void a_connection_from_open_to_end(void **state)
{
    (void)state;
    struct backend_conf conf = {.can_host_loopback = true};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n_a = sizeof a;
    static uint8_t frame[65536 + 64], bytes[100000];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &n_a), 0);
    uint16_t port = ntohs(a.sin_port);
    start(&conf);

    send_seg(&(struct seg){.port = port, .flags = TCPF_SYN, .seq = 100});
    assert_true(receive_ip(frame, sizeof frame) >= 54);
    assert_int_equal(wire_tcp_flags(frame + 34), TCPF_SYN | TCPF_ACK);
    uint32_t ack = wire_tcp_seq(frame + 34) + 1;
    send_seg(&(struct seg){.port = port, .flags = TCPF_ACK, .seq = 101, .ack = ack});
    int s = accept(listener, NULL, NULL);
    assert_true(s >= 0);
    send_seg(&(struct seg){port, TCPF_ACK | TCPF_PSH, 101, ack, "hello"});
    assert_int_equal(recv(s, bytes, sizeof bytes, 0), 5);
    assert_memory_equal(bytes, "hello", 5);

    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    assert_int_equal(send(s, bytes, sizeof bytes, 0), sizeof bytes);
    close(s);
    uint32_t got = 0;
    bool is_over = false;
    while (!is_over) {
        size_t n = receive_ip(frame, sizeof frame);
        assert_true(n >= 54);
        uint32_t at = 34 + wire_tcp_hlen(frame + 34);
        n = 14u + wire_ip4_total(frame + 14) - at;
        if (n != 0) {
            assert_int_equal(wire_tcp_seq(frame + 34), ack + got);
            assert_memory_equal(frame + at, bytes + got, n);
        }
        got += (uint32_t)n;
        is_over = (wire_tcp_flags(frame + 34) & TCPF_FIN) != 0;
        send_seg(&(struct seg){port, TCPF_ACK, 106, ack + got + is_over, NULL});
    }
    assert_int_equal(got, sizeof bytes);
    send_seg(&(struct seg){port, TCPF_FIN | TCPF_ACK, 106, ack + got + 1, NULL});
    assert_true(receive_ip(frame, sizeof frame) >= 54);
    assert_int_equal(wire_tcp_ack(frame + 34), 107);
    close(listener);
    end();
}

/* If this fails, a program under weir reaches services of the host that trust 127.0.0.1. */
static void the_host_is_out_of_reach_by_default(void **state)
{
    (void)state;
    struct backend_conf conf = {0};
    uint16_t port;
    char text[16];
    uint8_t frame[256];
    int s = host_socket(&port);
    start(&conf);
    send_udp(GW, 4000, port, "hello");
    size_t n = receive_ip(frame, sizeof frame);
    if (n != 0)
        assert_int_equal(frame[14 + 9], PROTO_ICMP4); /* unreachable */
    assert_int_equal(recv(s, text, sizeof text, MSG_DONTWAIT), -1);
    close(s);
    end();
}

/* If this fails, -p does not lead in, or a frame to a guest that never spoke is lost. */
static void forwarded_ports_lead_in(void **state)
{
    (void)state;
    struct backend_conf conf = {.n_fwd = 1, .can_host_loopback = true};
    uint8_t frame[256];
    uint16_t free_port, port;
    close(host_socket(&free_port));
    conf.fwd[0] = (struct backend_fwd){.host_port = free_port, .port = 53, .is_udp = true};
    start(&conf);
    int s = host_socket(&port);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(free_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(sendto(s, "query", 5, 0, (struct sockaddr *)&to, sizeof to), 5);
    assert_int_equal(receive_ip(frame, sizeof frame), 14 + 20 + 8 + 5);
    assert_int_equal(w_be16(frame + 36), 53);
    assert_int_equal(w_be32(frame + 30), GUEST);
    assert_memory_equal(frame + 42, "query", 5);
    send_udp(w_be32(frame + 26), 53, w_be16(frame + 34), "answer");
    char text[16];
    /* libslirp answers on its own socket while it takes the frame. */
    assert_int_equal(recv(s, text, sizeof text, 0), 6);
    assert_memory_equal(text, "answer", 6);
    close(s);
    end();
}

/* If this fails, "port in use" is told as something else, or a half-made network leaks. */
static void ports_that_cannot_be_had(void **state)
{
    (void)state;
    struct backend_conf conf = {.n_fwd = 1, .can_host_loopback = true};
    uint16_t port;
    int s = host_socket(&port);
    conf.fwd[0] = (struct backend_fwd){.host_port = port, .port = 53, .is_udp = true};
    assert_int_equal(backend_open("user", &conf, &b, err), -EADDRINUSE);
    assert_non_null(strstr(err, "cannot forward 127.0.0.1:"));
    assert_non_null(strstr(err, "another program uses that port"));
    assert_null(b.dev);
    conf.fwd[0].host_addr = addr_ip4(0xc0000201); /* 192.0.2.1 is nobody's [RFC 5737 3] */
    assert_int_equal(backend_open("user", &conf, &b, err), -EADDRNOTAVAIL);
    assert_non_null(strstr(err, "does not have that address"));
    conf.can_host_loopback = false;
    conf.fwd[0].host_addr = addr_ip4(0x7f000002);
    assert_int_equal(backend_open("user", &conf, &b, err), -EINVAL);
    assert_non_null(strstr(err, "--host-loopback"));
    close(s);
}

/* If this fails, an idle network wakes the processor. */
static void idle_means_asleep(void **state)
{
    (void)state;
    struct backend_conf conf = {0};
    struct pkt *p;
    start(&conf);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(netdev_rx(b.dev, 0, clock_now(), &p, 1), 0);
    assert_int_equal(netdev_next(b.dev, 0), W_NEVER);
    struct pollfd fd = {.fd = netdev_wait_fd(b.dev, 0), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 50), 0);
    end();
}

/* If this fails, a session that lingers costs two wake-ups a second for minutes; or its end is
 * forgotten altogether. Virtual time: libslirp sees only the clock we give it. */
static void quiet_sessions_cost_little(void **state)
{
    (void)state;
    struct backend_conf conf = {.can_host_loopback = true};
    uint16_t port;
    struct pkt *p;
    unsigned wakes = 0;
    int s = host_socket(&port);
    start(&conf);
    send_udp(GW, 4000, port, "hello");
    w_ns begin = clock_now(), now = begin;
    while (now < begin + 600 * W_S && netdev_next(b.dev, 0) != W_NEVER) {
        now = w_u64_max(now, netdev_next(b.dev, 0));
        assert_int_equal(netdev_rx(b.dev, 0, now, &p, 1), 0);
        wakes++;
    }
    assert_int_equal(netdev_next(b.dev, 0), W_NEVER); /* the session has ended */
    assert_in_range(wakes, 8, 30);
    close(s);
    end();
}

/* If this fails, what libslirp has to repeat over a lossy link comes minutes late: its timers count
 * the ticks they get. */
static void where_frames_are_lost_the_ticks_go_on(void **state)
{
    (void)state;
    struct backend_conf conf = {.can_host_loopback = true, .can_lose = true};
    uint16_t port;
    struct pkt *p;
    int s = host_socket(&port);
    start(&conf);
    send_udp(GW, 4000, port, "hello");
    w_ns begin = clock_now(), now = begin;
    while (now < begin + 60 * W_S) {
        w_ns next = netdev_next(b.dev, 0);
        assert_in_range(next, 0, now + W_S / 2);
        now = w_u64_max(now, next);
        assert_int_equal(netdev_rx(b.dev, 0, now, &p, 1), 0);
    }
    close(s);
    end();
}

/* If this fails, a query after a long silence is answered to nobody: its session ended at once,
 * because libslirp counted its life from before the silence. */
static void a_query_after_a_long_silence(void **state)
{
    (void)state;
    struct backend_conf conf = {.can_host_loopback = true};
    uint16_t port;
    char text[16];
    struct sockaddr_in from;
    socklen_t n_from = sizeof from;
    int s = host_socket(&port);
    start(&conf);
    struct pkt *p;
    w_ns later = clock_now() + 3600 * W_S;
    /* By hand, since the helpers use the real clock. */
    send_udp(GW, 4000, port, "warm");
    assert_int_equal(recv(s, text, sizeof text, 0), 4);
    uint8_t udp[8 + 5] = {0x0f, 0xa1, (uint8_t)(port >> 8), (uint8_t)port, 0, 13};
    memcpy(udp + 8, "again", 5); /* checksum 0: none */
    struct wire_ip4 ip = {
        .ttl = 64, .proto = PROTO_UDP, .total = 33, .src = addr_ip4(GUEST), .dst = addr_ip4(GW)};
    uint8_t frame[14 + 33];
    wire_eth_put(frame, gw_mac, b.dev->caps.mac, ETYPE_IP4);
    (void)wire_ip4_build(frame + 14, &ip, NULL);
    memcpy(frame + 34, udp, sizeof udp);
    p = pkt_from_bytes(&pkts.mem, frame, sizeof frame);
    assert_int_equal(netdev_tx(b.dev, 0, later, &p, 1), 1);
    assert_int_equal(netdev_rx(b.dev, 0, later, &p, 1), 0);
    assert_int_equal(recvfrom(s, text, sizeof text, 0, (struct sockaddr *)&from, &n_from), 5);
    assert_int_equal(sendto(s, "yes", 3, 0, (struct sockaddr *)&from, n_from), 3);
    assert_int_equal(netdev_rx(b.dev, 0, later + W_MS, &p, 1), 1);
    pkt_free(p);
    close(s);
    end();
}

/* If this fails, a stack short of memory loses frames that libslirp sends again only after half a
 * second, or connections that it gives up. */
static void frames_wait_for_memory(void **state)
{
    (void)state;
    struct backend_conf conf = {.can_host_loopback = true};
    uint16_t port;
    char text[16];
    struct sockaddr_in from;
    socklen_t n_from = sizeof from;
    struct pkt *hog[64], *p;
    unsigned n = 0;
    int s = host_socket(&port);
    start(&conf);
    send_udp(GW, 4000, port, "hello");
    assert_int_equal(recvfrom(s, text, sizeof text, 0, (struct sockaddr *)&from, &n_from), 5);
    assert_int_equal(sendto(s, "12", 2, 0, (struct sockaddr *)&from, n_from), 2);
    while (pool_free_count(&pkts.mem.pkts) > 0)
        hog[n++] = pkt_new(&pkts.mem);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(netdev_rx(b.dev, 0, clock_now(), &p, 1), 0);
    assert_true(b.dev->stats.rx_nomem > 0);
    assert_int_equal(b.dev->stats.rx_dropped, 0);
    while (n > 0)
        pkt_free(hog[--n]);
    assert_int_equal(netdev_rx(b.dev, 0, clock_now(), &p, 1), 1);
    assert_int_equal(p->len, 14 + 20 + 8 + 2);
    pkt_free(p);
    close(s);
    end();
}

/* If this fails, a peer that closes early kills weir with SIGPIPE, or weir leaves a program that it
 * starts without its default. */
static void sigpipe_is_lent(void **state)
{
    (void)state;
    struct backend_conf conf = {0};
    struct sigaction a = {.sa_handler = SIG_DFL};
    assert_int_equal(sigaction(SIGPIPE, &a, NULL), 0);
    start(&conf);
    assert_int_equal(sigaction(SIGPIPE, NULL, &a), 0);
    assert_true(a.sa_handler == SIG_IGN);
    end();
    assert_int_equal(sigaction(SIGPIPE, NULL, &a), 0);
    assert_true(a.sa_handler == SIG_DFL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_gateway_answers_arp_and_ping),
    cmocka_unit_test(the_host_is_reached_if_allowed),
    cmocka_unit_test(a_connection_from_open_to_end),
    cmocka_unit_test(the_host_is_out_of_reach_by_default),
    cmocka_unit_test(forwarded_ports_lead_in),
    cmocka_unit_test(ports_that_cannot_be_had),
    cmocka_unit_test(idle_means_asleep),
    cmocka_unit_test(quiet_sessions_cost_little),
    cmocka_unit_test(where_frames_are_lost_the_ticks_go_on),
    cmocka_unit_test(a_query_after_a_long_silence),
    cmocka_unit_test(frames_wait_for_memory),
    cmocka_unit_test(sigpipe_is_lent),
};
UNIT_MAIN(tests)
