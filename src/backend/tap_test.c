/* SPDX-License-Identifier: Apache-2.0
 *
 * A TAP interface against the kernel's own stack, in a network namespace of this process alone.
 * Needs root; skipped, with the reason, where that is not to be had.
 */
#include "pkts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "backend/backend.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

enum { US = 0xc0a84602, KERNEL = 0xc0a84601, PORT = 7777, WAIT_MS = 2000 };
enum { IP_AT = 14, TCP_AT = 34 };

static struct test_pkts pkts;
static struct backend b;
static char err[BACKEND_ERR_TEXT];
static uint8_t kernel_mac[6];
static uint16_t our_port = 40000; /* another one for each connection */
static const char *skip_reason;

/* ---- the kernel's side -------------------------------------------------------------------- */

static void interface(unsigned long request, struct ifreq *r)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    memcpy(r->ifr_name, "weir0", 6);
    assert_int_equal(ioctl(s, request, r), 0);
    close(s);
}

static void set_address(unsigned long request, uint32_t address)
{
    struct ifreq r = {0};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    memcpy(&r.ifr_addr, &a, sizeof a);
    interface(request, &r);
}

/* A namespace with an interface weir0 that outlives its maker, as `ip tuntap add` leaves it. */
static int make_namespace(void **state)
{
    (void)state;
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    memcpy(r.ifr_name, "weir0", 6);
    if (unshare(CLONE_NEWNET) != 0) {
        skip_reason = "needs root to make a network namespace";
        return 0;
    }
    int fd = open("/dev/net/tun", O_RDWR);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &r) != 0 || ioctl(fd, TUNSETPERSIST, 1) != 0) {
        skip_reason = "needs /dev/net/tun";
        return 0;
    }
    close(fd);
    return 0;
}

static void interface_up(bool is_up)
{
    struct ifreq r = {.ifr_flags = is_up ? IFF_UP | IFF_RUNNING : 0};
    interface(SIOCSIFFLAGS, &r);
}

static bool is_skipped(void)
{
    if (skip_reason == NULL)
        return false;
    print_message("skipped: %s\n", skip_reason);
    return true;
}

/* ---- our side ----------------------------------------------------------------------------- */

static w_ns clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (w_ns)t.tv_sec * W_S + (w_ns)t.tv_nsec;
}

static void transmit(struct pkt *p)
{
    struct pkt *back;
    assert_int_equal(netdev_tx(b.dev, 0, clock_now(), &p, 1), 1);
    assert_int_equal(netdev_reap(b.dev, 0, clock_now(), &back, 1), 1);
    assert_ptr_equal(back, p);
    pkt_free(back);
    assert_int_equal(b.dev->stats.tx_dropped, 0);
}

/* The next frame of this type; NULL when none comes in time. */
static struct pkt *receive_within(uint16_t ethertype, uint32_t ms)
{
    w_ns until = clock_now() + ms * W_MS;
    while (clock_now() < until) {
        struct pkt *p;
        struct pollfd fd = {.fd = netdev_wait_fd(b.dev, 0), .events = POLLIN};
        if (netdev_rx(b.dev, 0, clock_now(), &p, 1) == 0) {
            poll(&fd, 1, 100);
            continue;
        }
        if (w_be16(pkt_data(p) + 12) == ethertype)
            return p;
        pkt_free(p);
    }
    return NULL;
}

static struct pkt *receive(uint16_t ethertype) { return receive_within(ethertype, WAIT_MS); }

static void arp(uint16_t op, const uint8_t *to)
{
    static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t f[42] = {0};
    wire_eth_put(f, to != NULL ? to : everybody, b.dev->caps.mac, ETYPE_ARP);
    w_put16(f + 14, 1);
    w_put16(f + 16, ETYPE_IP4);
    f[18] = 6;
    f[19] = 4;
    w_put16(f + 20, op);
    memcpy(f + 22, b.dev->caps.mac, 6);
    w_put32(f + 28, US);
    if (to != NULL)
        memcpy(f + 32, to, 6);
    w_put32(f + 38, KERNEL);
    struct pkt *p = pkt_from_bytes(&pkts.mem, f, sizeof f);
    assert_non_null(p);
    transmit(p);
}

static unsigned n_asked; /* ARP requests sent by this test */

/* Asks for the kernel's address: its answer, NULL when none comes soon. */
static struct pkt *arp_reply(void)
{
    struct pkt *p;
    arp(1, NULL);
    n_asked++;
    while ((p = receive_within(ETYPE_ARP, 100)) != NULL && w_be16(pkt_data(p) + 20) != 2)
        pkt_free(p);
    return p;
}

static void start(uint32_t without)
{
    struct backend_conf conf = {.seed = 1};
    struct pkt *p = NULL;
    our_port++;
    n_asked = 0;
    test_pkts_init(&pkts, 64);
    interface_up(true);
    set_address(SIOCSIFADDR, KERNEL);
    set_address(SIOCSIFNETMASK, 0xffffff00);
    if (backend_open("tap:weir0", &conf, &b, err) != 0)
        fail_msg("%s", err);
    b.dev->caps.flags &= ~without;
    assert_int_equal(netdev_open(b.dev, &pkts.mem), 0);
    /* Asked again as every host does: what the kernel sends before it has noticed that the
     * interface has a carrier is lost. */
    for (int tries = 0; tries < 20 && (p = arp_reply()) == NULL; tries++)
        ;
    assert_non_null(p);
    assert_int_equal(w_be32(pkt_data(p) + 28), KERNEL);
    memcpy(kernel_mac, pkt_data(p) + 22, 6);
    pkt_free(p);
}

static void end(void)
{
    netdev_close(b.dev);
    test_pkts_fini(&pkts);
}

struct seg {
    uint32_t seq, ack;
    uint16_t flags, gso;
    uint32_t n; /* payload, counting up from `first` */
    uint8_t first;
};

/* A TCP segment whose checksum is left to the device. */
static void send_seg(const struct seg *s)
{
    static uint8_t f[65536 + 64];
    struct addr src = addr_ip4(US), dst = addr_ip4(KERNEL);
    struct wire_ip4 ip = {.ttl = 64,
                          .proto = PROTO_TCP,
                          .total = (uint16_t)(40 + s->n),
                          .flags = IP4_DF,
                          .src = src,
                          .dst = dst};
    memset(f, 0, TCP_AT + 20);
    wire_eth_put(f, kernel_mac, b.dev->caps.mac, ETYPE_IP4);
    (void)wire_ip4_build(f + IP_AT, &ip, NULL);
    w_put16(f + TCP_AT, our_port);
    w_put16(f + TCP_AT + 2, PORT);
    w_put32(f + TCP_AT + 4, s->seq);
    w_put32(f + TCP_AT + 8, s->ack);
    w_put16(f + TCP_AT + 12, 5u << 12 | s->flags);
    w_put16(f + TCP_AT + 14, 65535);
    w_put16(f + TCP_AT + 16, csum_half(csum_pseudo(&src, &dst, PROTO_TCP, 20 + s->n)));
    for (uint32_t i = 0; i < s->n; i++)
        f[TCP_AT + 20 + i] = (uint8_t)(s->first + i);
    struct pkt *p = pkt_from_bytes(&pkts.mem, f, TCP_AT + 20 + s->n);
    assert_non_null(p);
    p->csum = CSUM_TODO;
    p->csum_start = (uint16_t)(p->off + TCP_AT);
    p->csum_at = 16;
    p->gso_size = s->gso;
    p->gso_segs = (uint16_t)(s->gso != 0 ? (s->n + s->gso - 1u) / s->gso : 0);
    transmit(p);
}

/* The next segment of this test's connection; the kernel may still work on an earlier one. */
static struct pkt *receive_seg(void)
{
    for (;;) {
        struct pkt *p = receive(ETYPE_IP4);
        assert_non_null(p);
        bool is_tcp = pkt_data(p)[IP_AT + 9] == PROTO_TCP;
        if (is_tcp && wire_tcp_dport(pkt_data(p) + TCP_AT) == our_port)
            return p;
        pkt_free(p);
    }
}

static uint16_t tcp_sum(const struct pkt *p)
{
    struct addr src = addr_ip4(KERNEL), dst = addr_ip4(US);
    uint32_t n = p->len - TCP_AT;
    return csum_fold(csum_pkt(CSUM_SCALAR, p, TCP_AT, n, csum_pseudo(&src, &dst, PROTO_TCP, n)));
}

static int kernel_listener(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    struct timeval limit = {.tv_sec = 2};
    int s = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s, 1), 0);
    return s;
}

/* ---- */

/* If this fails, a person who forgot a step of making the interface is not told which. */
static void a_missing_step_is_named(void **state)
{
    (void)state;
    struct backend_conf conf = {0};
    if (is_skipped())
        skip();
    interface_up(false);
    assert_int_equal(backend_open("tap:weir0", &conf, &b, err), -ENETDOWN);
    assert_non_null(strstr(err, "ip link set weir0 up"));
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    memcpy(r.ifr_name, "weir0", 6);
    interface_up(true);
    int fd = open("/dev/net/tun", O_RDWR);
    assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
    assert_int_equal(backend_open("tap:weir0", &conf, &b, err), -EBUSY);
    assert_non_null(strstr(err, "in use by another program"));
    close(fd);
    assert_int_equal(backend_open("tap:lo", &conf, &b, err), -ENETDOWN);
}

/* If this fails, nothing gets to or from the kernel at all. */
static void the_kernel_answers_arp(void **state)
{
    (void)state;
    if (is_skipped())
        skip();
    start(0);
    assert_int_equal(b.dev->caps.mtu, 1500);
    assert_true(netdev_has(b.dev, NETDEV_TX_CSUM | NETDEV_TSO4 | NETDEV_LRO));
    assert_true(b.dev->stats.rx_frames >= 1);
    assert_int_equal(b.dev->stats.tx_frames, n_asked);
    end();
}

/* If this fails, the kernel drops our segments for a bad checksum, or cuts super-segments wrongly,
 * or we lose the ones it sends. */
static void super_segments_cross_both_ways(void **state)
{
    (void)state;
    enum { N = 30000 };
    static uint8_t bytes[N];
    if (is_skipped())
        skip();
    int listener = kernel_listener();
    start(0);
    send_seg(&(struct seg){.seq = 1000, .flags = TCPF_SYN});
    struct pkt *p = receive_seg();
    assert_int_equal(wire_tcp_flags(pkt_data(p) + TCP_AT), TCPF_SYN | TCPF_ACK);
    assert_int_equal(p->csum, CSUM_GOOD);
    uint32_t iss = wire_tcp_seq(pkt_data(p) + TCP_AT);
    pkt_free(p);
    send_seg(&(struct seg){.seq = 1001, .ack = iss + 1, .flags = TCPF_ACK});
    int s = accept(listener, NULL, NULL);
    assert_true(s >= 0);

    send_seg(&(struct seg){
        .seq = 1001, .ack = iss + 1, .flags = TCPF_ACK, .gso = 1460, .n = N, .first = 7});
    for (uint32_t got = 0; got < N;) {
        ssize_t n = recv(s, bytes + got, N - got, 0);
        assert_true(n > 0);
        got += (uint32_t)n;
    }
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(bytes[i], (uint8_t)(7 + i));

    /* Our SYN had no MSS option: the kernel's segments carry 536 bytes, in super-segments. */
    assert_int_equal(send(s, bytes, 5000, 0), 5000);
    uint32_t got = 0;
    bool was_super = false;
    while (got < 5000) {
        p = receive_seg();
        uint32_t n = p->len - TCP_AT - wire_tcp_hlen(pkt_data(p) + TCP_AT);
        if (n != 0)
            assert_int_equal(wire_tcp_seq(pkt_data(p) + TCP_AT), iss + 1 + got);
        if (p->gso_size != 0) {
            was_super = true;
            assert_int_equal(p->gso_size, 536);
            assert_int_equal(p->gso_segs, (n + 535) / 536);
            assert_int_equal(p->csum, CSUM_GOOD);
            assert_int_equal(p->csum_at, 16);
        }
        uint8_t part[5000];
        assert_int_equal(pkt_copy_out(p, p->len - n, part, n), n);
        assert_memory_equal(part, bytes + got, n);
        got += n;
        pkt_free(p);
        send_seg(&(struct seg){.seq = 1001 + N, .ack = iss + 1 + got, .flags = TCPF_ACK});
    }
    assert_true(was_super);
    close(s);
    close(listener);
    end();
}

/* If this fails, a device behind an emulated link still gets super-segments or undone checksums. */
static void offloads_can_be_declined(void **state)
{
    (void)state;
    if (is_skipped())
        skip();
    int listener = kernel_listener();
    start(NETDEV_RX_CSUM | NETDEV_LRO);
    send_seg(&(struct seg){.seq = 1000, .flags = TCPF_SYN});
    struct pkt *p = receive_seg();
    assert_int_equal(p->csum, CSUM_NONE);
    assert_int_equal(tcp_sum(p), 0);
    uint32_t iss = wire_tcp_seq(pkt_data(p) + TCP_AT);
    pkt_free(p);
    send_seg(&(struct seg){.seq = 1001, .ack = iss + 1, .flags = TCPF_ACK});
    int s = accept(listener, NULL, NULL);
    assert_true(s >= 0);
    static const uint8_t bytes[3000];
    assert_int_equal(send(s, bytes, sizeof bytes, 0), sizeof bytes);
    for (unsigned i = 0; i < 3; i++) {
        p = receive_seg();
        assert_int_equal(p->gso_size, 0);
        assert_int_equal(tcp_sum(p), 0);
        assert_int_equal(p->len, TCP_AT + 20 + 536);
        pkt_free(p);
    }
    close(s);
    close(listener);
    end();
}

/* If this fails, a stack out of memory spins on a readable descriptor or loses frames uncounted. */
static void frames_without_memory_are_counted(void **state)
{
    (void)state;
    struct pkt *hog[64 + 1], *p;
    unsigned n = 0;
    if (is_skipped())
        skip();
    start(0);
    arp(1, NULL);
    arp(1, NULL); /* two answers: what lies prepared takes one */
    while (pool_free_count(&pkts.mem.pkts) > 0)
        hog[n++] = pkt_new(&pkts.mem);
    struct pollfd fd = {.fd = netdev_wait_fd(b.dev, 0), .events = POLLIN};
    for (unsigned i = 0; i < 20 && b.dev->stats.rx_nomem == 0; i++) {
        poll(&fd, 1, WAIT_MS / 20);
        while (b.dev->stats.rx_nomem == 0 && netdev_rx(b.dev, 0, clock_now(), &p, 1) == 1)
            hog[n++] = p;
    }
    assert_true(b.dev->stats.rx_nomem > 0);
    while (n > 0)
        pkt_free(hog[--n]);
    end();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_missing_step_is_named),           cmocka_unit_test(the_kernel_answers_arp),
    cmocka_unit_test(super_segments_cross_both_ways),    cmocka_unit_test(offloads_can_be_declined),
    cmocka_unit_test(frames_without_memory_are_counted),
};

int main(void) { return cmocka_run_group_tests(tests, make_namespace, NULL); }
