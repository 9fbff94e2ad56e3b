/* SPDX-License-Identifier: Apache-2.0
 *
 * If this failed, what a driver would see of the NIC would not be what bus/nic_regs.h promises: a
 * frame late, early, twice, damaged or gone without being counted.
 */
#include "nic/rig_test.h"

static struct rig *r;

static int setup(void **state)
{
    static struct rig rig;
    (void)state;
    r = &rig;
    rig_start(r, 1000000000);
    return 0;
}

/* ---- the walk of a frame ---- */

static void test_a_frame_arrives_when_the_arithmetic_says(void **state)
{
    (void)state;
    uint16_t flags = 0;
    rig_refill(r, 1, 4);
    rig_set(r, 1, NIC_QUEUE(0) + NIC_IRQ_ARM, 1);
    rig_set(r, 0, NIC_QUEUE(0) + NIC_IRQ_ARM, 1);
    rig_run(r, 10000);
    rig_send(r, 0, 1514, 0x5a);
    /* descriptor, data; then preamble, frame, CRC at 1 Gbit/s; cable; store */
    w_ns left = 10000 + 2 * RIG_LATENCY + (8 + 1514 + 4) * 8;
    w_ns stored = left + 50 + RIG_LATENCY;
    rig_run(r, left + RIG_LATENCY - 1);
    assert_int_equal(r->h[0].mem.sent, 0);
    assert_int_equal(r->h[0].n_irq, 0);
    rig_run(r, left + RIG_LATENCY);
    assert_int_equal(r->h[0].mem.sent, 1); /* written back, and told */
    assert_int_equal(r->h[0].n_irq, 1);
    rig_run(r, stored - 1);
    assert_int_equal(rig_take(r, 1, &flags), 0);
    assert_int_equal(r->h[1].n_irq, 0);
    rig_run(r, stored);
    assert_int_equal(r->h[1].n_irq, 1);
    assert_int_equal(rig_take(r, 1, &flags), 1514);
    assert_int_equal(flags, NIC_RET_DONE);
    assert_memory_equal(r->frame, r->h[0].mem.out, 1514);
    assert_int_equal(rig_take(r, 1, &flags), 0);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_BYTES), 1514);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_BYTES), 1514);
}

static void test_a_short_frame_is_filled_up(void **state)
{
    (void)state;
    uint16_t flags;
    rig_refill(r, 1, 1);
    rig_send(r, 0, 20, 0xff);
    rig_run(r, W_MS);
    assert_int_equal(rig_take(r, 1, &flags), 60);
    for (unsigned i = 20; i < 60; i++)
        assert_int_equal(r->frame[i], 0);
}

static void test_pieces_in_any_sizes_are_one_frame(void **state)
{
    (void)state;
    uint16_t flags;
    uint8_t *f = rig_frame(r, 0, 1, 1000, 1);
    for (unsigned i = 14; i < 1000; i++)
        f[i] = (uint8_t)i;
    bus_addr a = rig_bus(&r->h[0], f);
    static const uint16_t cut[] = {1, 13, 0, 500, 486};
    rig_refill(r, 1, 1);
    for (unsigned i = 0; i < 5; i++) {
        rig_txd(r, 0, (struct nic_txd){a, cut[i], i == 4 ? NIC_TXD_EOP : 0, 0, 0, 0, 0});
        a += cut[i];
    }
    rig_ring(r, 0);
    rig_run(r, W_MS);
    assert_int_equal(rig_take(r, 1, &flags), 1000);
    assert_memory_equal(r->frame, f, 1000);
    assert_int_equal(r->h[0].mem.sent, 5);
}

/* Through every index of the rings several times, and nothing lost, doubled or out of order. */
static void test_rings_wrap_at_every_index(void **state)
{
    (void)state;
    uint16_t flags;
    rig_refill(r, 1, RIG_RING);
    for (unsigned i = 0; i < 5 * RIG_RING; i++) {
        rig_send(r, 0, 60 + i, (uint8_t)i);
        rig_run(r, r->now + 100 * W_US);
        assert_int_equal(rig_take(r, 1, &flags), 60 + i);
        assert_int_equal(r->frame[59 + i], (uint8_t)i);
        rig_refill(r, 1, 1);
        assert_int_equal(r->h[0].mem.sent, i + 1);
    }
}

static void test_a_full_line_carries_its_rate(void **state)
{
    (void)state;
    uint16_t flags;
    unsigned got = 0, n = 400;
    rig_start(r, 3000000000); /* a third of a nanosecond a bit: fractions have to be carried */
    rig_refill(r, 1, RIG_RING);
    for (unsigned sent = 0; got < n;) {
        while (sent < n && sent - r->h[0].mem.sent < RIG_RING)
            rig_send(r, 0, 1000, (uint8_t)sent++);
        w_ns next = cable_next(&r->cable);
        assert_true(next != W_NEVER);
        rig_run(r, w_u64_max(next, r->now));
        while (rig_take(r, 1, &flags) != 0) {
            got++;
            rig_refill(r, 1, 1);
        }
    }
    /* n frames with preamble, CRC and gap, but for the last gap; and the ways before and behind. */
    w_ns line = ((w_ns)n * (8 + 1000 + 4 + 12) - 12) * 8 * W_S / 3000000000;
    assert_in_range(r->now, line + 3 * RIG_LATENCY + 50, line + 3 * RIG_LATENCY + 51);
}

/* ---- backpressure, and what happens without it ---- */

static void offer(unsigned n, w_ns each)
{
    for (unsigned i = 0, sent = 0; i < n; i++) {
        while (sent < n && sent - r->h[0].mem.sent < RIG_RING)
            rig_send(r, 0, 1514, (uint8_t)sent++);
        rig_run(r, r->now + each);
    }
}

static void test_without_buffers_the_fifo_fills_and_then_misses(void **state)
{
    (void)state;
    uint16_t flags;
    offer(100, 20 * W_US);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_PACKETS), 100);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_PACKETS), 10); /* 16 KiB hold ten */
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_MISSED), 90);
    assert_true(r->h[1].nic.rx.bytes.full_since != 0);
    rig_refill(r, 1, RIG_RING);
    rig_run(r, r->now + W_MS);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(rig_take(r, 1, &flags), 1514); /* what was kept comes */
    assert_int_equal(r->h[1].nic.rx.bytes.now, 0);
    assert_int_equal(r->h[1].nic.rx.bytes.high_water, 10 * 1514);
}

static void test_rx_drop_counts_and_goes_on(void **state)
{
    (void)state;
    rig_set(r, 1, NIC_CTRL, NIC_CTRL_ENABLE | NIC_CTRL_RX_DROP);
    offer(20, 20 * W_US);
    rig_run(r, r->now + W_MS);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_NO_BUFFER), 20);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_MISSED), 0);
    assert_int_equal(r->h[1].nic.rx.bytes.now, 0);
}

static void test_pause_holds_the_sender_and_nothing_is_lost(void **state)
{
    (void)state;
    uint16_t flags;
    unsigned got = 0;
    rig_set(r, 0, NIC_CTRL, NIC_CTRL_ENABLE | NIC_CTRL_PAUSE_RX);
    rig_set(r, 1, NIC_CTRL, NIC_CTRL_ENABLE | NIC_CTRL_PAUSE_TX);
    rig_set(r, 1, NIC_PAUSE_QUANTA, 100); /* 51.2 us: has to be said again and again */
    offer(100, 100 * W_US);
    uint64_t held = rig_stat(r, 0, NIC_S_TX_PACKETS);
    assert_in_range(held, 8, 10);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_MISSED), 0);
    assert_true(rig_stat(r, 1, NIC_S_TX_PAUSE) > 100); /* 10 ms, each 25.6 us */
    assert_true(rig_stat(r, 0, NIC_S_RX_PAUSE) > 100);
    assert_int_equal(r->h[0].nic.stat[NIC_S_TX_PACKETS], r->h[0].mem.sent);
    for (unsigned i = 0; i < 1000 && got < 8 + RIG_RING; i++) {
        rig_refill(r, 1, 1);
        rig_run(r, r->now + 100 * W_US);
        if (rig_take(r, 1, &flags) != 0)
            assert_int_equal(r->frame[100], got++); /* in order, none missing */
    }
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_MISSED), 0);
    assert_true(rig_stat(r, 0, NIC_S_PAUSED_NS) > 9 * W_MS);
}

static void test_who_does_not_obey_pause_loses(void **state)
{
    (void)state;
    rig_set(r, 1, NIC_CTRL, NIC_CTRL_ENABLE | NIC_CTRL_PAUSE_TX);
    offer(100, 20 * W_US);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_MISSED), 90);
    assert_int_equal(rig_stat(r, 0, NIC_S_PAUSED_NS), 0);
    assert_true(rig_stat(r, 0, NIC_S_RX_PAUSE) > 0);
}

/* ---- interrupts ---- */

static void test_interrupts_coalesce_by_count_and_by_time(void **state)
{
    (void)state;
    uint32_t q = NIC_QUEUE(0);
    rig_refill(r, 1, RIG_RING);
    rig_set(r, 1, q + NIC_COAL_RX_FRAMES, 4);
    rig_set(r, 1, q + NIC_COAL_RX_NS, 1000000);
    rig_set(r, 1, q + NIC_IRQ_ARM, 1);
    for (unsigned i = 0; i < 3; i++)
        rig_send(r, 0, 60, 0);
    rig_run(r, 100 * W_US);
    assert_int_equal(r->h[1].n_irq, 0); /* three of four */
    rig_send(r, 0, 60, 0);
    rig_run(r, 200 * W_US);
    assert_int_equal(r->h[1].n_irq, 1); /* the fourth */
    rig_send(r, 0, 60, 0);
    rig_run(r, 5 * W_MS);
    assert_int_equal(r->h[1].n_irq, 1); /* disarmed: kept */
    rig_set(r, 1, q + NIC_IRQ_ARM, 1);
    assert_int_equal(r->h[1].n_irq, 2); /* older than its time: at once */
    rig_set(r, 1, q + NIC_IRQ_ARM, 1);
    rig_send(r, 0, 60, 0);
    w_ns stored = r->now + 2 * RIG_LATENCY + (8 + 60 + 4) * 8 + 50 + RIG_LATENCY;
    rig_run(r, stored + W_MS - 1);
    assert_int_equal(r->h[1].n_irq, 2);
    rig_run(r, stored + W_MS);
    assert_int_equal(r->h[1].n_irq, 3); /* by time */
}

/* ---- bad frames ---- */

static void receive(const uint8_t *f, uint32_t n) { nic_receive(&r->h[1].nic, r->now, f, n); }

static void with_crc(uint8_t *f, uint32_t n)
{
    uint32_t c = UINT32_MAX; /* bit by bit: not with the code it is to prove */
    for (uint32_t i = 0; i < n * 8; i++)
        c = ((c ^ f[i / 8] >> i % 8) & 1) != 0 ? c >> 1 ^ 0xedb88320u : c >> 1;
    for (unsigned i = 0; i < 4; i++)
        f[n + i] = (uint8_t)(~c >> 8 * i);
}

static void test_bad_frames_are_counted_by_name(void **state)
{
    (void)state;
    uint8_t *f = rig_frame(r, 0, 1, 3000, 7);
    rig_refill(r, 1, 1);
    for (uint32_t n = 0; n < 64; n++)
        receive(f, n);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_RUNT), 64);
    receive(f, 1523);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_GIANT), 1);
    with_crc(f, 100);
    f[40] ^= 4;
    receive(f, 104);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_CRC_ERRORS), 1);
    f[40] ^= 4;
    receive(f, 104);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_PACKETS), 1);
    f[5] ^= 1;
    with_crc(f, 100);
    receive(f, 104);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_FILTERED), 1);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_PACKETS), 1);
}

static void test_the_cable_damages_and_the_crc_sees_it(void **state)
{
    (void)state;
    uint16_t flags;
    unsigned got = 0, n = 300;
    r->cable.way[0].conf.corrupt_ppm = 200000;
    r->cable.way[0].conf.cut_ppm = 200000;
    for (unsigned i = 0; i < n; i++) {
        rig_refill(r, 1, i == 0 ? RIG_RING : 0);
        rig_send(r, 0, 300, 0x33);
        rig_run(r, r->now + 10 * W_US);
        while (rig_take(r, 1, &flags) != 0) {
            got++;
            rig_refill(r, 1, 1);
            for (unsigned k = 14; k < 300; k++)
                assert_int_equal(r->frame[k], 0x33);
        }
    }
    rig_run(r, r->now + W_MS);
    uint64_t bad = rig_stat(r, 1, NIC_S_RX_CRC_ERRORS) + rig_stat(r, 1, NIC_S_RX_RUNT);
    assert_in_range(bad, n / 4, n / 2);
    assert_int_equal(got + bad, n);
}

/* If this failed the CRC would be another one where somebody does look at it: a damaged frame would
 * differ from the sent one in more than the damage. */
static void test_one_bit_is_all_that_changes_on_the_way(void **state)
{
    (void)state;
    uint8_t sent[304];
    r->cable.way[0].conf.corrupt_ppm = 1000000;
    rig_refill(r, 1, RIG_RING);
    for (unsigned i = 0; i < 50; i++) {
        memcpy(sent, rig_frame(r, 0, 1, 300, (uint8_t)i), 300);
        with_crc(sent, 300);
        rig_send(r, 0, 300, (uint8_t)i);
        while (r->cable.way[0].flight.n == 0)
            rig_run(r, cable_next(&r->cable));
        const uint8_t *f = r->cable.way[0].flight.mem + r->cable.way[0].flight.slot[i].at;
        unsigned n_other = 0;
        for (unsigned bit = 0; bit < sizeof(sent) * 8; bit++)
            n_other += ((sent[bit / 8] ^ f[bit / 8]) >> bit % 8 & 1) != 0;
        assert_int_equal(n_other, 1);
        rig_run(r, r->now + 10 * W_US);
    }
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_CRC_ERRORS), 50);
}

static void raw_wire(void *ctx, w_ns at, uint8_t *bytes, uint32_t n)
{
    uint8_t frame[64 + 4];
    (void)ctx;
    assert_true(n <= sizeof(frame));
    memcpy(frame, bytes, n);
    with_crc(frame, n - 4);
    nic_put_crc(&r->h[0].nic, bytes, n);
    assert_memory_equal(frame, bytes, n);
    nic_receive(&r->h[1].nic, at, bytes, n);
}

/* What a line that looks at each bit sees; and a line that changed none may say so. */
static void test_a_frame_is_the_same_on_any_line(void **state)
{
    (void)state;
    uint16_t flags;
    nic_connect(&r->h[0].nic, (struct nic_wire){raw_wire, NULL});
    rig_refill(r, 1, 2);
    rig_send(r, 0, 64, 5);
    rig_run(r, r->now + W_MS);
    assert_int_equal(rig_take(r, 1, &flags), 64);
    uint8_t *f = rig_frame(r, 0, 1, 104, 6);
    nic_receive_whole(&r->h[1].nic, r->now, f, 104);
    rig_run(r, r->now + W_MS);
    assert_int_equal(rig_take(r, 1, &flags), 100);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_CRC_ERRORS), 0);
    nic_receive_whole(&r->h[1].nic, r->now, f, 60);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_RUNT), 1);
    nic_receive_whole(&r->h[1].nic, r->now, f, 1523);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_GIANT), 1);
}

/* ---- bad drivers ---- */

static void test_what_cannot_be_sent_still_comes_back(void **state)
{
    (void)state;
    uint16_t flags;
    bus_addr a = rig_bus(&r->h[0], rig_frame(r, 0, 1, 100, 1));
    rig_refill(r, 1, RIG_RING);
    rig_txd(r, 0, (struct nic_txd){a, 9000, NIC_TXD_EOP, 0, 0, 0, 0});     /* too long */
    rig_txd(r, 0, (struct nic_txd){0x1000, 100, NIC_TXD_EOP, 0, 0, 0, 0}); /* unmapped */
    rig_txd(r, 0, (struct nic_txd){a, 100, NIC_TXD_EOP | NIC_TXD_TSO, 54, 34, 16, 0}); /* no MSS */
    rig_txd(r, 0, (struct nic_txd){a, 100, NIC_TXD_EOP | NIC_TXD_CSUM, 0, 99, 16, 0}); /* outside */
    rig_txd(r, 0, (struct nic_txd){a, 100, NIC_TXD_EOP, 0, 0, 0, 0});                  /* good */
    rig_ring(r, 0);
    rig_run(r, W_MS);
    assert_int_equal(r->h[0].mem.sent, 5);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_PACKETS), 1);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_BAD_DESC), 3);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_DMA_ERRORS), 1);
    assert_int_equal(r->h[0].dma.faults, 1);
    assert_int_equal(rig_take(r, 1, &flags), 100);
    assert_int_equal(rig_take(r, 1, &flags), 0);
}

static void test_a_packet_without_end_does_not_hold_the_queue(void **state)
{
    (void)state;
    uint16_t flags;
    bus_addr a = rig_bus(&r->h[0], rig_frame(r, 0, 1, 100, 1));
    rig_refill(r, 1, 2);
    for (unsigned i = 0; i < NIC_TX_PARTS; i++)
        rig_txd(r, 0, (struct nic_txd){a, 1, 0, 0, 0, 0, 0});
    rig_ring(r, 0);
    rig_run(r, W_MS);
    assert_int_equal(r->h[0].mem.sent, NIC_TX_PARTS);
    rig_send(r, 0, 100, 1);
    rig_run(r, 2 * W_MS);
    assert_int_equal(rig_take(r, 1, &flags), 100);
}

static void test_an_unmapped_buffer_loses_its_frame_only(void **state)
{
    (void)state;
    uint16_t flags = 0;
    rig_refill(r, 1, 2);
    r->h[1].mem.rxd[0].buf = nic_addr_tagged(0x1000, nic_tag(0, RIG_RING));
    rig_send(r, 0, 1000, 1);
    rig_send(r, 0, 1000, 2);
    rig_run(r, W_MS);
    rig_take(r, 1, &flags);
    assert_int_equal(flags & NIC_RET_ERROR, NIC_RET_ERROR);
    rig_take(r, 1, &flags);
    assert_int_equal(flags, NIC_RET_DONE);
    assert_int_equal(r->frame[999], 2);
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_DMA_ERRORS), 1);
}

static void test_a_lost_ring_is_dead_until_reset(void **state)
{
    (void)state;
    uint16_t flags;
    rig_refill(r, 1, RIG_RING);
    rig_set64(r, 0, NIC_QUEUE(0) + NIC_TX_BASE_LO, 0x1000);
    rig_send(r, 0, 100, 1);
    rig_run(r, W_MS);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_PACKETS), 0);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_DMA_ERRORS), 1);
    rig_set(r, 0, NIC_CTRL, NIC_CTRL_RESET);
    assert_int_equal(bus_read(&r->h[0].pio, r->now, NIC_CTRL), 0);
    rig_bring_up(r, 0, 0);
    rig_send(r, 0, 100, 1);
    rig_run(r, 2 * W_MS);
    assert_int_equal(rig_take(r, 1, &flags), 100);
    assert_int_equal(rig_stat(r, 0, NIC_S_RESETS), 1);
}

static void test_reset_in_the_middle_of_everything(void **state)
{
    (void)state;
    uint16_t flags;
    rig_refill(r, 1, RIG_RING);
    for (w_ns t = 0; t < 40 * W_US; t += 333) {
        rig_send(r, 0, 1514, 9);
        rig_send(r, 0, 1514, 9);
        rig_run(r, r->now + t);
        rig_set(r, 0, NIC_CTRL, NIC_CTRL_RESET);
        rig_set(r, 1, NIC_CTRL, NIC_CTRL_RESET);
        rig_bring_up(r, 0, 0);
        rig_bring_up(r, 1, 0);
        rig_refill(r, 1, RIG_RING);
    }
    rig_run(r, r->now + W_MS);
    while (rig_take(r, 1, &flags) != 0) /* what was on the cable */
        ;
    rig_send(r, 0, 500, 0x77);
    rig_run(r, r->now + W_MS);
    assert_int_equal(rig_take(r, 1, &flags), 500);
    assert_int_equal(r->frame[499], 0x77);
}

static void test_registers_that_are_not_there(void **state)
{
    (void)state;
    static const uint32_t none[] = {0x03, 0x70, 0x1fc, 0xffc, 0x12fc, 0x1800, 0xfffffffc};
    for (unsigned i = 0; i < WEIR_COUNT(none); i++) {
        rig_set(r, 0, none[i], 0xdeadbeef);
        assert_int_equal(bus_read(&r->h[0].pio, r->now, none[i]), UINT32_MAX);
    }
    assert_int_equal(bus_read(&r->h[0].pio, r->now, NIC_ID), NIC_ID_VALUE);
    rig_set(r, 0, NIC_QUEUE(0) + NIC_TX_SIZE, 100); /* no power of two: off */
    assert_int_equal(bus_read(&r->h[0].pio, r->now, NIC_QUEUE(0) + NIC_TX_SIZE), 0);
}

static void test_statistics_have_names_and_registers(void **state)
{
    (void)state;
    rig_send(r, 0, 100, 1);
    rig_run(r, W_MS);
    for (unsigned s = 0; s < NIC_N_STATS; s++) {
        uint32_t low = bus_read(&r->h[0].pio, r->now, NIC_STATS + 8 * s);
        assert_int_equal(low, (uint32_t)rig_stat(r, 0, s));
        assert_true(strlen(nic_stat_name(s)) > 3);
    }
    assert_string_equal(nic_stat_name(NIC_S_RX_MISSED), "rx_missed_errors");
    assert_int_equal(bus_read(&r->h[0].pio, r->now, NIC_STATS + 8 * NIC_S_TX_PACKETS), 1);
}

/* The result must not depend on how often anybody looks. */
static void test_stepping_often_changes_nothing(void **state)
{
    (void)state;
    uint64_t stat[2][NIC_N_STATS];
    for (unsigned k = 0; k < 2; k++) {
        rig_start(r, 1000000000);
        rig_refill(r, 1, RIG_RING);
        for (unsigned i = 0; i < 10; i++)
            rig_send(r, 0, 200 + i, 1);
        while (k == 1 && r->now < W_MS - 7)
            rig_run(r, r->now + 7);
        rig_run(r, W_MS);
        memcpy(stat[k], r->h[1].nic.stat, sizeof(stat[k]));
        assert_int_equal(stat[k][NIC_S_RX_PACKETS], 10);
    }
    assert_memory_equal(stat[0], stat[1], sizeof(stat[0]));
}

#define T(name) cmocka_unit_test_setup(name, setup)

static const struct CMUnitTest tests[] = {
    T(test_a_frame_arrives_when_the_arithmetic_says),
    T(test_a_short_frame_is_filled_up),
    T(test_pieces_in_any_sizes_are_one_frame),
    T(test_rings_wrap_at_every_index),
    T(test_a_full_line_carries_its_rate),
    T(test_without_buffers_the_fifo_fills_and_then_misses),
    T(test_rx_drop_counts_and_goes_on),
    T(test_pause_holds_the_sender_and_nothing_is_lost),
    T(test_who_does_not_obey_pause_loses),
    T(test_interrupts_coalesce_by_count_and_by_time),
    T(test_bad_frames_are_counted_by_name),
    T(test_the_cable_damages_and_the_crc_sees_it),
    T(test_one_bit_is_all_that_changes_on_the_way),
    T(test_a_frame_is_the_same_on_any_line),
    T(test_what_cannot_be_sent_still_comes_back),
    T(test_a_packet_without_end_does_not_hold_the_queue),
    T(test_an_unmapped_buffer_loses_its_frame_only),
    T(test_a_lost_ring_is_dead_until_reset),
    T(test_reset_in_the_middle_of_everything),
    T(test_registers_that_are_not_there),
    T(test_statistics_have_names_and_registers),
    T(test_stepping_often_changes_nothing),
};

UNIT_MAIN(tests)
