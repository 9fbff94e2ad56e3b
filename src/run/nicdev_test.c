/* SPDX-License-Identifier: Apache-2.0
 *
 * The model NIC between a stack and a device, in a time of the test's own: what crosses is what was
 * sent, at the line's rate, and whoever is slow is waited for.
 */
#include "pkts.h"

#include "dev/wrap.h"
#include "run/nicdev.h"
#include "run/words.h"
#include "wire/eth.h"

enum { N = 4096, LEN = 1514, LINE_BITS = (LEN + 24) * 8 };

static struct test_pkts host, far;
static struct mem_wire wire;
static struct nicdev *nic;
static struct netdev *dev, *peer;
static w_ns now;
static uint32_t next_in, next_out; /* numbers of the frames expected */

static void start(const char *words, unsigned limit)
{
    const struct netdev_caps caps = {.mtu = 1500, .mac = {2, 0, 0, 0, 0, 1}};
    struct nicdev_conf conf;
    char err[NICDEV_ERR_TEXT];
    test_pkts_init(&host, N);
    test_pkts_init(&far, N);
    mem_wire_init(&wire, &caps, limit);
    now = W_S;
    next_in = next_out = 0;
    nicdev_conf_default(&conf);
    assert_int_equal(nicdev_parse(words, &conf, err), 0);
    nic = nicdev_new(&wire.end[0].dev, &conf, now, err);
    assert_non_null(nic);
    dev = &nic->dev;
    peer = &wire.end[1].dev;
    assert_int_equal(netdev_open(dev, &host.mem), 0);
    assert_int_equal(netdev_open(peer, &far.mem), 0);
}

/* Nothing may stay behind, whatever was under way. */
static void end(void)
{
    netdev_close(dev);
    netdev_close(peer);
    nicdev_free(nic);
    test_pkts_fini(&host);
    test_pkts_fini(&far);
}

static struct pkt *frame(struct test_pkts *of, uint32_t number, uint32_t len, uint8_t to)
{
    uint8_t bytes[LEN] = {2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, 9, 0x88, 0xb5};
    w_put32(bytes + WIRE_ETH_HLEN, number);
    struct pkt *p = pkt_from_bytes(&of->mem, bytes, len);
    assert_non_null(p);
    return p;
}

static uint32_t number_of(const struct pkt *p)
{
    uint8_t bytes[WIRE_ETH_HLEN + 4];
    assert_int_equal(pkt_copy_out(p, 0, bytes, sizeof(bytes)), sizeof(bytes));
    return w_be32(bytes + WIRE_ETH_HLEN);
}

static void reap(struct netdev *d)
{
    struct pkt *v[64];
    unsigned n;
    while ((n = netdev_reap(d, 0, now, v, 64)) != 0)
        for (unsigned i = 0; i < n; i++)
            pkt_free(v[i]);
}

/* As the owner's loop does: what has come, in order. */
static unsigned receive(void)
{
    struct pkt *v[64];
    unsigned n = netdev_rx(dev, 0, now, v, 64);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(number_of(v[i]), next_in++);
        pkt_free(v[i]);
    }
    reap(dev);
    return n;
}

static void take_far(unsigned max)
{
    struct pkt *v[64];
    unsigned n = netdev_rx(peer, 0, now, v, w_u32_min(max, 64));
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(number_of(v[i]), next_out++);
        pkt_free(v[i]);
    }
    reap(peer);
}

/* Until `until`, at the device's own wake-ups; the peer takes `max` frames at each. */
static void run_to(w_ns until, unsigned max)
{
    for (unsigned guard = 0; guard < 1000000; guard++) {
        receive();
        take_far(max);
        w_ns next = w_u64_max(netdev_next(dev, 0), now + 1);
        if (next > until)
            break;
        now = next;
    }
    now = until;
}

static unsigned send(uint32_t first, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct pkt *p = frame(&host, first + i, LEN, 9);
        if (netdev_tx(dev, 0, now, &p, 1) == 1)
            continue;
        pkt_free(p);
        return i;
    }
    return n;
}

static void send_far(uint32_t first, unsigned n, uint32_t len)
{
    for (unsigned i = 0; i < n; i++) {
        struct pkt *p = frame(&far, first + i, len, 1);
        assert_int_equal(netdev_tx(peer, 0, now, &p, 1), 1);
    }
}

/* If this failed a line of 100 Mbit/s would carry more or less than that. */
static void both_ways_take_the_lines_time(void **state)
{
    (void)state;
    start("rate=100mbit,rings=512", N);
    const unsigned n = 200;
    const w_ns whole = (w_ns)n * LINE_BITS * 10; /* 10 ns a bit */
    assert_int_equal(send(0, n), n);
    send_far(0, n, LEN);
    run_to(now + whole / 2, 64);
    assert_in_range(next_out, n / 2 - 3, n / 2);
    assert_in_range(next_in, n / 2 - 20, n / 2);
    run_to(now + whole / 2 + W_MS, 64);
    assert_int_equal(next_out, n);
    assert_int_equal(next_in, n);
    assert_int_equal(nicdev_stat(nic, NIC_S_RX_PACKETS), n);
    assert_int_equal(nicdev_stat(nic, NIC_S_TX_PACKETS), n);
    end();
}

/* If this failed a short frame would be a runt, and ARP would never be answered. */
static void short_frames_are_filled_up(void **state)
{
    (void)state;
    start("", N);
    send_far(0, 3, 42);
    run_to(now + W_MS, 64);
    assert_int_equal(next_in, 3);
    assert_int_equal(nicdev_stat(nic, NIC_S_RX_RUNT), 0);
    end();
}

/* A network that takes one frame in a while: the NIC is asked to pause, and loses nothing. */
static void a_slow_network_pauses_the_nic(void **state)
{
    (void)state;
    start("rate=10gbit", 8);
    uint32_t sent = 0;
    for (unsigned i = 0; i < 2000 && sent < 1000; i++) {
        sent += send(sent, 1000 - sent);
        receive();
        if (i % 4 == 0)
            take_far(1);
        now += 10000;
    }
    assert_true(nic->port.said_pause > 0);
    assert_true(dev->stats.tx_busy > 0); /* it was felt up here */
    for (unsigned i = 0; i < 3000 && next_out < sent; i++) {
        run_to(now + 100000, 8);
    }
    assert_int_equal(next_out, sent);
    assert_int_equal(nic->port.lost, 0);
    end();
}

/* A host that does not poll: the card asks the line to wait, and the port behind it does. */
static void the_port_waits_when_it_is_asked_to(void **state)
{
    (void)state;
    start("rate=1gbit,rx=8", N);
    send_far(0, 400, LEN);
    assert_int_equal(receive(), 0);
    for (w_ns until = now + 50 * W_MS; now < until; now += 10000)
        assert_int_equal(netdev_tx(dev, 0, now, NULL, 0), 0);
    assert_true(nicdev_stat(nic, NIC_S_TX_PAUSE) > 0);
    assert_true(nic->port.in.n > 250); /* they are still there */
    run_to(now + 20 * W_MS, 64);
    assert_int_equal(next_in, 400);
    assert_int_equal(nicdev_stat(nic, NIC_S_RX_MISSED), 0);
    end();
}

/* Without PAUSE there is nobody to ask: what finds no room behind the line is counted. */
static void without_pause_it_is_lost_and_counted(void **state)
{
    (void)state;
    start("rate=10gbit,pause=off,rings=1024", 8);
    struct vnic_conf c = nic->driver.conf;
    assert_false(c.has_pause_rx);
    uint32_t sent = 0;
    for (unsigned i = 0; i < 40; i++) {
        sent += send(sent, 64);
        now += 100000;
        receive();
    }
    assert_true(nic->port.lost > 500);
    assert_int_equal(nicdev_stat(nic, NIC_S_TX_PACKETS), sent);
    end();
}

/* More than the line carries waits where it is, and the owner sleeps until there is room. */
static void a_full_line_leaves_frames_where_they_are(void **state)
{
    (void)state;
    start("rate=10mbit", N);
    send_far(0, 1500, LEN);
    receive();
    assert_true(nic->is_deaf);
    assert_true(netdev_next(dev, 0) > now);
    assert_true(nic->port.in.n < 1000);
    run_to(now + 1500 * (w_ns)LINE_BITS * 100 + W_MS, 64);
    assert_int_equal(next_in, 1500);
    assert_false(nic->is_deaf);
    end();
}

/* The device is called, and nothing is taken from it. */
static void let_time_go_on(void)
{
    struct pkt *none[1];
    (void)netdev_rx(dev, 0, now, none, 0);
}

/* If this failed a change of the rings would lose what had been received. */
static void a_change_keeps_what_was_received(void **state)
{
    (void)state;
    start("rate=1gbit,rx-usecs=10000,rx-frames=1024", N);
    static const uint32_t ring[] = {8, 1024, 64, 256};
    uint32_t in = 0;
    uint64_t resets = nicdev_stat(nic, NIC_S_RESETS);
    for (unsigned i = 0; i < 8; i++) {
        struct vnic_conf c = nic->driver.conf;
        c.rx_ring = c.tx_ring = ring[i % 4];
        c.n_queues = 1 + i % 3;
        send_far(in, 20, LEN);
        in += 20;
        now += 150000;
        let_time_go_on();
        assert_int_equal(nicdev_set(nic, now, &c), 0);
        assert_int_equal(dev->caps.n_queues, 1 + i % 3);
    }
    run_to(now + 20 * W_MS, 64);
    assert_int_equal(next_in, in);
    assert_int_equal(nicdev_stat(nic, NIC_S_RX_PACKETS), in);
    assert_true(nicdev_stat(nic, NIC_S_RESETS) > resets);
    struct vnic_conf bad = nic->driver.conf;
    bad.rx_ring = 100;
    assert_int_equal(nicdev_set(nic, now, &bad), -22);
    end();
}

/* Closed in the middle of everything: end() finds what leaks. */
static void it_closes_with_frames_everywhere(void **state)
{
    (void)state;
    start("rate=10mbit,queues=2", 4);
    (void)send(0, 200);
    send_far(0, 4, LEN);
    now += 3 * W_MS;
    let_time_go_on();
    end();
}

static void words_are_read_whole(void **state)
{
    (void)state;
    static const char *const bad[] = {"rate",       "rate=",           "rate=1",   "rate=9mbit",
                                      "rings=7",    "rings=24",        "queues=9", "pause=no",
                                      "nonsense=1", "rx-usecs=1000001"};
    struct nicdev_conf c;
    char err[NICDEV_ERR_TEXT];
    nicdev_conf_default(&c);
    assert_int_equal(nicdev_parse("rate=2500mbit,rings=512,rx=64,queues=4,rx-usecs=7,"
                                  "rx-frames=3,pause=off,offloads=off",
                                  &c, err),
                     0);
    assert_int_equal(c.nic.rate_bps, 2500 * WORDS_MBIT);
    assert_int_equal(c.driver.tx_ring, 512);
    assert_int_equal(c.driver.rx_ring, 64);
    assert_int_equal(c.driver.n_queues, 4);
    assert_int_equal(c.driver.rx_ns, 7000);
    assert_int_equal(c.driver.rx_frames, 3);
    assert_int_equal(c.driver.offloads, 0);
    assert_false(c.driver.has_pause_rx || c.driver.has_pause_tx);
    for (unsigned i = 0; i < WEIR_COUNT(bad); i++) {
        err[0] = '\0';
        assert_int_equal(nicdev_parse(bad[i], &c, err), -22);
        assert_true(strlen(err) > 10);
    }
    uint64_t n;
    assert_int_equal(words_us("5ms", 0, 10000, &n), 0);
    assert_int_equal(n, 5000);
    assert_int_equal(words_us("5", 0, 10000, &n), -22);
    assert_int_equal(words_bytes("32k", 0, 100000, &n), 0);
    assert_int_equal(n, 32768);
    assert_int_equal(words_number("18446744073709551616", 0, UINT64_MAX, &n), -22);
    assert_int_equal(words_rate("18446744073709551615gbit", 0, UINT64_MAX, &n), -22);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(both_ways_take_the_lines_time),
    cmocka_unit_test(short_frames_are_filled_up),
    cmocka_unit_test(a_slow_network_pauses_the_nic),
    cmocka_unit_test(the_port_waits_when_it_is_asked_to),
    cmocka_unit_test(without_pause_it_is_lost_and_counted),
    cmocka_unit_test(a_full_line_leaves_frames_where_they_are),
    cmocka_unit_test(a_change_keeps_what_was_received),
    cmocka_unit_test(it_closes_with_frames_everywhere),
    cmocka_unit_test(words_are_read_whole),
};
UNIT_MAIN(tests)
