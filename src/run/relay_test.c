/* SPDX-License-Identifier: Apache-2.0
 *
 * Two hosts at the far ends of two wires, the relay between them, virtual time.
 */
#include "pkts.h"

#include "dev/wrap.h"
#include "run/relay.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

enum { N = 1024, LIMIT = 512, IP_AT = 14, TCP_AT = 34, HEADERS = 54, MSS = 1000 };

static struct test_pkts host[2];
static struct mem_wire wire[2];
static struct netdev *end[2]; /* the hosts' */
static struct relay *r;
static char err[256];

static void start(const char *ab, const char *ba, uint64_t seed, uint32_t n_frames)
{
    struct netdev_caps caps = {.flags = NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4 | NETDEV_LRO,
                               .mtu = 1500,
                               .mac = {2}};
    struct relay_conf c = {.seed = seed, .n_frames = n_frames};
    assert_int_equal(emu_parse(ab, &c.way[0], err), 0);
    assert_int_equal(emu_parse(ba, &c.way[1], err), 0);
    for (unsigned i = 0; i < 2; i++) {
        test_pkts_init(&host[i], N);
        mem_wire_init(&wire[i], &caps, LIMIT);
        end[i] = &wire[i].end[0].dev;
        assert_int_equal(netdev_open(end[i], &host[i].mem), 0);
    }
    struct netdev *const inner[2] = {&wire[0].end[1].dev, &wire[1].end[1].dev};
    r = relay_new(&c, inner, 0, err, sizeof err);
    assert_non_null(r);
}

static void reap(unsigned i)
{
    struct pkt *p;
    while (netdev_reap(end[i], 0, 0, &p, 1) == 1)
        pkt_free(p);
}

static void stop(void)
{
    assert_int_equal(relay_free(r), 0);
    for (unsigned i = 0; i < 2; i++) {
        reap(i);
        netdev_close(end[i]);
        test_pkts_fini(&host[i]);
    }
}

static void send_bytes(unsigned i, const uint8_t *bytes, uint32_t n)
{
    struct pkt *p = pkt_from_bytes(&host[i].mem, bytes, n);
    assert_non_null(p);
    assert_int_equal(netdev_tx(end[i], 0, 0, &p, 1), 1);
}

/* A small frame that says which it is. */
static void send_small(unsigned i, uint32_t number)
{
    uint8_t f[60] = {0};
    w_put16(f + 12, 0x88b5); /* [IEEE 802] local experiments */
    w_put32(f + 20, number);
    send_bytes(i, f, sizeof f);
}

/* A TCP super-segment of n payload bytes as a kernel hands it over: checksum to do. */
static void send_super(unsigned i, uint32_t n)
{
    static uint8_t f[65536];
    struct addr src = addr_ip4(0x0a000001), dst = addr_ip4(0x0a000002);
    struct wire_ip4 ip = {.ttl = 64,
                          .proto = PROTO_TCP,
                          .total = (uint16_t)(40 + n),
                          .id = 100,
                          .src = src,
                          .dst = dst};
    memset(f, 0, HEADERS);
    w_put16(f + 12, ETYPE_IP4);
    (void)wire_ip4_build(f + IP_AT, &ip, NULL);
    w_put32(f + TCP_AT + 4, 5000);
    w_put16(f + TCP_AT + 12, 5u << 12 | TCPF_ACK | TCPF_PSH);
    w_put16(f + TCP_AT + 16, csum_half(csum_pseudo(&src, &dst, PROTO_TCP, 20 + n)));
    for (uint32_t k = 0; k < n; k++)
        f[HEADERS + k] = (uint8_t)(k / 7);
    struct pkt *p = pkt_from_bytes(&host[i].mem, f, HEADERS + n);
    assert_non_null(p);
    p->csum = CSUM_TODO;
    p->csum_start = (uint16_t)(p->off + TCP_AT);
    p->csum_at = 16;
    p->gso_size = MSS;
    p->gso_segs = (uint16_t)((n + MSS - 1) / MSS);
    assert_int_equal(netdev_tx(end[i], 0, 0, &p, 1), 1);
}

static uint16_t tcp_sum(const struct pkt *p)
{
    struct addr src = addr_from_ip4(pkt_data(p) + IP_AT + 12),
                dst = addr_from_ip4(pkt_data(p) + IP_AT + 16);
    uint32_t n = p->len - TCP_AT;
    return csum_fold(csum_pkt(CSUM_SCALAR, p, TCP_AT, n, csum_pseudo(&src, &dst, PROTO_TCP, n)));
}

static struct pkt *receive(unsigned i)
{
    struct pkt *p;
    return netdev_rx(end[i], 0, 0, &p, 1) == 1 ? p : NULL;
}

/* If this fails, frames come too early, too late, or out of the end they went in at. */
static void a_frame_takes_the_delay_of_its_direction(void **state)
{
    (void)state;
    start("delay 20ms", "delay 5ms", 1, 0);
    send_small(0, 7);
    send_small(1, 8);
    assert_int_equal(relay_step(r, 1000), 5 * W_MS + 1000);
    assert_int_equal(relay_step(r, 5 * W_MS + 999), 5 * W_MS + 1000);
    assert_null(receive(0));
    (void)relay_step(r, 5 * W_MS + 1000);
    struct pkt *p = receive(0);
    assert_non_null(p);
    assert_int_equal(w_be32(pkt_data(p) + 20), 8);
    pkt_free(p);
    assert_null(receive(1));
    (void)relay_step(r, 20 * W_MS + 1000);
    p = receive(1);
    assert_non_null(p);
    assert_int_equal(w_be32(pkt_data(p) + 20), 7);
    pkt_free(p);
    assert_int_equal(relay_step(r, 21 * W_MS), W_NEVER);
    stop();
}

/* If this fails, the link carries 64 KiB frames no wire would carry: a loss takes 45 segments at
 * once, or none ever; or what comes out is thrown away for its checksum. */
static void a_super_segment_crosses_as_frames(void **state)
{
    (void)state;
    enum { BYTES = 10500, FRAMES = 11 };
    start("delay 1ms", "", 1, 0);
    send_super(0, BYTES);
    (void)relay_step(r, 0);
    assert_int_equal(r->way[0].emu.count[EMU_PUSHED], FRAMES);
    assert_int_equal(r->way[0].nif->n.gso_cut, 1);
    (void)relay_step(r, W_MS);
    for (uint32_t k = 0; k < FRAMES; k++) {
        struct pkt *p = receive(1);
        assert_non_null(p);
        uint32_t n = k + 1 < FRAMES ? MSS : BYTES - k * MSS;
        const uint8_t *tcp = pkt_data(p) + TCP_AT;
        assert_int_equal(p->gso_size, 0);
        assert_int_equal(p->len, HEADERS + n);
        assert_int_equal(wire_tcp_seq(tcp), 5000 + k * MSS);
        assert_int_equal(wire_tcp_flags(tcp), k + 1 < FRAMES ? TCPF_ACK : TCPF_ACK | TCPF_PSH);
        assert_true(wire_ip4_is_plain(pkt_data(p) + IP_AT));
        assert_int_equal(tcp_sum(p), 0);
        uint8_t byte;
        assert_int_equal(pkt_copy_out(p, p->len - 1, &byte, 1), 1);
        assert_int_equal(byte, (uint8_t)((k * MSS + n - 1) / 7));
        pkt_free(p);
    }
    assert_null(receive(1));
    stop();
}

/* Which of 400 frames arrive, as a number of its own. */
static uint64_t fates(uint64_t seed, w_ns pause)
{
    uint64_t h = 0;
    start("loss 10% reorder 5%", "loss 10%", seed, 0);
    for (uint32_t i = 0; i < 400; i++) {
        send_small(0, i);
        (void)relay_step(r, i * pause);
        reap(0);
        for (struct pkt *p; (p = receive(1)) != NULL; pkt_free(p))
            h = (h ^ w_be32(pkt_data(p) + 20)) * 0x100000001b3u;
    }
    assert_in_range(r->way[0].emu.count[EMU_DROP_LOSS], 15, 80);
    assert_int_equal(r->way[1].emu.count[EMU_PUSHED], 0);
    stop();
    return h;
}

/* If this fails, two measurements of one seed meet two different links. */
static void a_seed_decides_the_fate_of_the_nth_frame(void **state)
{
    (void)state;
    assert_int_equal(fates(1, 2 * W_MS), fates(1, 2 * W_MS));
    assert_int_not_equal(fates(1, 2 * W_MS), fates(2, 2 * W_MS));
}

/* If this fails, a frame that lies about itself ends weir link with an assertion, or is passed on
 * although no checksum can be made for it. */
static void a_frame_that_lies_is_counted_and_gone(void **state)
{
    (void)state;
    uint8_t f[60] = {0};
    w_put16(f + 12, ETYPE_IP4);
    start("", "", 1, 0);
    static const struct {
        uint16_t start, at, gso;
    } lie[] = {{59, 16, 0}, {34, 60000, 0}, {14, 6, 100}, {0, 0, 100}, {50, 2, 100}, {34, 16, 1}};
    for (unsigned i = 0; i < WEIR_COUNT(lie); i++) {
        struct pkt *p = pkt_from_bytes(&host[0].mem, f, sizeof f);
        assert_non_null(p);
        p->csum = lie[i].at != 0 ? CSUM_TODO : CSUM_NONE;
        p->csum_start = (uint16_t)(p->off + lie[i].start);
        p->csum_at = lie[i].at;
        p->gso_size = lie[i].gso;
        assert_int_equal(netdev_tx(end[0], 0, 0, &p, 1), 1);
    }
    (void)relay_step(r, 1);
    assert_int_equal(relay_missed(r, 0), WEIR_COUNT(lie));
    assert_int_equal(r->way[0].emu.count[EMU_PUSHED], 0);
    assert_null(receive(1));
    stop();
}

/* If this fails, a link with more in flight than there is memory for crashes or loses uncounted. */
static void frames_beyond_memory_are_counted(void **state)
{
    (void)state;
    enum { FRAMES = 32, SENT = 200 };
    start("delay 1s", "", 1, FRAMES);
    for (uint32_t i = 0; i < SENT; i++) {
        send_small(0, i);
        (void)relay_step(r, i);
        reap(0);
    }
    const struct emu *e = &r->way[0].emu;
    assert_int_equal(e->n_flight, FRAMES);
    assert_int_equal(e->n_flight + e->count[EMU_DROP_FLIGHT] + relay_missed(r, 0), SENT);
    stop();
}

/* If this fails, a super-segment for whose pieces memory is short is lost, or counted as sent. */
static void a_cut_waits_for_memory(void **state)
{
    (void)state;
    enum { FRAMES = 16, PIECES = 60 };
    start("rate 8mbit delay 1ms", "", 1, FRAMES);
    send_super(0, PIECES * MSS);
    (void)relay_step(r, 0);
    assert_non_null(r->way[0].nif->gso);
    send_small(0, 1);
    (void)relay_step(r, 1);
    w_ns now = 1;
    assert_int_equal(r->way[0].from->stats.rx_frames, 1); /* the other waits where it is */
    unsigned n = 0;
    for (unsigned i = 0; i < 4 * PIECES; i++) {
        now = w_u64_max(now + W_US, relay_step(r, now));
        for (struct pkt *p; (p = receive(1)) != NULL; pkt_free(p))
            n++;
        reap(1);
        if (now == W_NEVER)
            break;
    }
    assert_int_equal(n, PIECES + 1);
    assert_int_equal(relay_missed(r, 0), 0);
    stop();
}

/* If this fails, frames are lost when the interface behind the link takes none for a while. */
static void a_refused_frame_is_kept(void **state)
{
    (void)state;
    enum { SENT = LIMIT + 40 };
    start("", "", 1, 0);
    for (uint32_t i = 0; i < SENT; i++) {
        send_small(0, i);
        (void)relay_step(r, i);
        reap(0);
    }
    assert_int_not_equal(r->way[0].n_held, 0);
    for (uint32_t i = 0; i < SENT; i++) {
        struct pkt *p = receive(1);
        if (p == NULL) {
            (void)relay_step(r, SENT + i);
            p = receive(1);
        }
        assert_non_null(p);
        assert_int_equal(w_be32(pkt_data(p) + 20), i);
        pkt_free(p);
    }
    stop();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_frame_takes_the_delay_of_its_direction),
    cmocka_unit_test(a_super_segment_crosses_as_frames),
    cmocka_unit_test(a_seed_decides_the_fate_of_the_nth_frame),
    cmocka_unit_test(a_frame_that_lies_is_counted_and_gone),
    cmocka_unit_test(frames_beyond_memory_are_counted),
    cmocka_unit_test(a_cut_waits_for_memory),
    cmocka_unit_test(a_refused_frame_is_kept),
};
UNIT_MAIN(tests)
