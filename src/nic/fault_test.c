/* SPDX-License-Identifier: Apache-2.0
 *
 * If this failed, a fault that a plan asks for would not be what the driver is to survive: it would
 * go by another name, damage what it must not, or not happen.
 */
#include "nic/rig_test.h"

enum { ALWAYS = 1000000, LATE = 20000 };

static struct rig *r;

static int setup(void **state)
{
    static struct rig rig;
    (void)state;
    r = &rig;
    memset(r, 0, sizeof(*r));
    rig_start(r, 1000000000);
    return 0;
}

/* NIC `side` does k each time, or `ppm` of a million times. */
static void plan(unsigned side, enum nic_fault_kind k, uint32_t ppm)
{
    struct nic_fault_plan p = {.late_ns = LATE, .storm_ns = 10 * W_MS, .seed = 5};
    p.ppm[k] = ppm;
    nic_set_faults(&r->h[side].nic, &p);
}

static void works(unsigned side) { nic_set_faults(&r->h[side].nic, &(struct nic_fault_plan){0}); }

static uint64_t done(unsigned side, enum nic_fault_kind k) { return r->h[side].nic.fault.count[k]; }

/* n frames, one after the other, each marked by its number and whole; with time for faults. */
static void walk(unsigned n)
{
    uint16_t flags;
    for (unsigned i = 0; i < n; i++) {
        rig_refill(r, 1, 1);
        rig_send(r, 0, 300 + i, (uint8_t)i);
        rig_run(r, r->now + 100 * W_US);
        assert_int_equal(rig_take(r, 1, &flags), 300 + i);
        assert_int_equal(r->frame[299 + i], (uint8_t)i);
    }
    assert_int_equal(r->h[0].mem.sent - r->first, r->h[0].tx_tail - r->first);
}

static void test_torn_descriptors_are_read_again(void **state)
{
    (void)state;
    plan(0, NIC_FAULT_TORN_TXD, ALWAYS / 2);
    plan(1, NIC_FAULT_TORN_RXD, ALWAYS / 2);
    walk(5 * RIG_RING);
    assert_true(done(0, NIC_FAULT_TORN_TXD) > 50);
    assert_true(done(1, NIC_FAULT_TORN_RXD) > 50);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_TORN), done(0, NIC_FAULT_TORN_TXD));
    assert_int_equal(rig_stat(r, 1, NIC_S_RX_TORN), done(1, NIC_FAULT_TORN_RXD));
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_DMA_ERRORS), 0);
}

/* Nothing may be sent of it: half of it is another packet's. */
static void test_what_stays_torn_is_given_up(void **state)
{
    (void)state;
    uint16_t flags;
    plan(0, NIC_FAULT_TORN_TXD, ALWAYS);
    rig_refill(r, 1, 1);
    rig_send(r, 0, 300, 1);
    rig_run(r, r->now + W_MS);
    assert_int_equal(rig_take(r, 1, &flags), 0);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_PACKETS), 0);
    uint32_t status = bus_read(&r->h[0].pio, r->now, NIC_STATUS);
    assert_int_equal(status & NIC_STATUS_DEAD, NIC_STATUS_DEAD);
    works(0);
    rig_set(r, 0, NIC_CTRL, NIC_CTRL_RESET);
    rig_bring_up(r, 0, 0);
    walk(3);
}

/* One half as a driver left it a lap ago: without a plan, by the bytes themselves. */
static void test_the_tag_of_each_half_counts(void **state)
{
    (void)state;
    struct nic_txd whole;
    rig_refill(r, 1, RIG_RING);
    uint8_t *f = rig_frame(r, 0, 1, 100, 1);
    rig_txd(r, 0, (struct nic_txd){rig_bus(&r->h[0], f), 100, NIC_TXD_EOP, 0, 0, 0, 0});
    whole = r->h[0].mem.txd[0];
    for (unsigned half = 0; half < 2; half++) {
        struct nic_txd torn = whole;
        memset((uint8_t *)&torn + 8 * half, 0, 8);
        r->h[0].mem.txd[0] = torn;
        rig_ring(r, 0);
        rig_run(r, r->now + RIG_LATENCY); /* read once, torn */
        assert_int_equal(rig_stat(r, 0, NIC_S_TX_TORN), 1);
        r->h[0].mem.txd[0] = whole;
        rig_run(r, r->now + W_MS);
        assert_int_equal(rig_stat(r, 0, NIC_S_TX_PACKETS), 1);
        rig_set(r, 0, NIC_CTRL, NIC_CTRL_RESET);
        rig_bring_up(r, 0, 0);
        r->h[0].tx_tail = 1;
    }
}

/* The other half as the driver left it a lap ago, whole and sound then: of another frame. */
static void test_laps_are_told_apart(void **state)
{
    (void)state;
    rig_refill(r, 1, RIG_RING);
    for (unsigned lap = 0; lap < 3; lap++) {
        for (unsigned half = 0; half < 2; half++) {
            struct nic_txd *at = &r->h[0].mem.txd[r->h[0].tx_tail % RIG_RING], old = *at;
            uint64_t torn = rig_stat(r, 0, NIC_S_TX_TORN), sent = rig_stat(r, 0, NIC_S_TX_PACKETS);
            uint8_t *f = rig_frame(r, 0, 1, 100 + lap, 1);
            rig_txd(r, 0,
                    (struct nic_txd){rig_bus(&r->h[0], f), (uint16_t)(100 + lap), NIC_TXD_EOP, 0, 0,
                                     0, 0});
            struct nic_txd whole = *at;
            memcpy((uint8_t *)at + 8 * half, (uint8_t *)&old + 8 * half, 8);
            rig_ring(r, 0);
            rig_run(r, r->now + RIG_LATENCY);
            assert_int_equal(rig_stat(r, 0, NIC_S_TX_TORN), torn + 1);
            *at = whole;
            rig_run(r, r->now + W_MS);
            assert_int_equal(rig_stat(r, 0, NIC_S_TX_PACKETS), sent + 1);
        }
        for (unsigned i = 2; i < RIG_RING; i++) {
            rig_send(r, 0, 300, 2);
            rig_run(r, r->now + 100 * W_US);
        }
    }
}

/* DONE, and an entry that was never given: what a driver must not believe. */
static void test_a_torn_return_entry_names_no_entry_of_this_lap(void **state)
{
    (void)state;
    uint16_t flags;
    rig_refill(r, 1, RIG_RING);
    for (unsigned i = 0; i < RIG_RING + 3; i++) {
        rig_send(r, 0, 100, (uint8_t)i);
        rig_run(r, r->now + 50 * W_US);
        assert_int_equal(rig_take(r, 1, &flags), 100);
        rig_refill(r, 1, 1);
    }
    plan(1, NIC_FAULT_TORN_RET, ALWAYS);
    rig_send(r, 0, 100, 0x77);
    w_ns stored = r->now + 2 * RIG_LATENCY + (8 + 100 + 4) * 8 + 50 + RIG_LATENCY;
    rig_run(r, stored);
    const struct nic_ret *e = &r->h[1].mem.ret[r->h[1].ret_next % RIG_RING];
    assert_int_equal(e->rx, r->h[1].ret_next - RIG_RING); /* a lap old */
    rig_run(r, stored + LATE + 1);
    assert_int_equal(e->rx, r->h[1].ret_next);
    assert_int_equal(rig_take(r, 1, &flags), 100);
    assert_int_equal(r->frame[99], 0x77);
    assert_int_equal(done(1, NIC_FAULT_TORN_RET), 1);
}

static void test_late_return_entries_come_after_their_successors(void **state)
{
    (void)state;
    uint16_t flags;
    rig_refill(r, 1, RIG_RING);
    plan(1, NIC_FAULT_LATE_RET, ALWAYS);
    rig_send(r, 0, 100, 1);
    rig_run(r, r->now + 2 * RIG_LATENCY + (8 + 100 + 4) * 8 + 50 + RIG_LATENCY);
    works(1);
    assert_int_equal(done(1, NIC_FAULT_LATE_RET), 1);
    r->h[1].nic.fault.held[0].due = r->now + 10 * W_US;
    rig_send(r, 0, 100, 2);
    rig_run(r, r->now + 5 * W_US);
    assert_int_equal(r->h[1].mem.ret[0].flags, 0);
    assert_int_equal(r->h[1].mem.ret[1].flags, NIC_RET_DONE);
    rig_run(r, r->now + 10 * W_US);
    for (uint8_t i = 1; i <= 2; i++) {
        assert_int_equal(rig_take(r, 1, &flags), 100);
        assert_int_equal(r->frame[99], i);
    }
}

/* The newest count is overwritten by an older one; the register has it. */
static void test_late_write_backs_go_backward(void **state)
{
    (void)state;
    plan(0, NIC_FAULT_LATE_COUNT, ALWAYS);
    rig_send(r, 0, 100, 1);
    rig_run(r, r->now + 2 * RIG_LATENCY + (8 + 100 + 4) * 8 + RIG_LATENCY);
    works(0);
    assert_int_equal(r->h[0].mem.sent, 0);
    r->h[0].nic.fault.held[0].due = r->now + 10 * W_US;
    rig_send(r, 0, 100, 2);
    rig_run(r, r->now + 5 * W_US);
    assert_int_equal(r->h[0].mem.sent, 2);
    rig_run(r, r->now + 10 * W_US);
    assert_int_equal(r->h[0].mem.sent, 1);
    assert_int_equal(bus_read(&r->h[0].pio, r->now, NIC_QUEUE(0) + NIC_TX_DONE), 2);
}

static void test_interrupts_late_and_lost(void **state)
{
    (void)state;
    rig_refill(r, 1, RIG_RING);
    rig_set(r, 1, NIC_QUEUE(0) + NIC_IRQ_ARM, 1);
    plan(1, NIC_FAULT_LATE_IRQ, ALWAYS);
    rig_send(r, 0, 100, 1);
    w_ns stored = r->now + 2 * RIG_LATENCY + (8 + 100 + 4) * 8 + 50 + RIG_LATENCY;
    rig_run(r, stored);
    assert_int_equal(r->h[1].n_irq, 0);
    rig_run(r, stored + LATE + 1);
    assert_int_equal(r->h[1].n_irq, 1);
    assert_int_equal(done(1, NIC_FAULT_LATE_IRQ), 1);
    rig_set(r, 1, NIC_QUEUE(0) + NIC_IRQ_ARM, 1);
    plan(1, NIC_FAULT_LOST_IRQ, ALWAYS);
    rig_send(r, 0, 100, 1);
    rig_run(r, r->now + W_S);
    assert_int_equal(r->h[1].n_irq, 1);
    assert_int_equal(done(1, NIC_FAULT_LOST_IRQ), 1);
    assert_int_equal(rig_stat(r, 1, NIC_S_IRQS), 1);
}

/* A frame whose bytes are not there is not sent; a ring that is not there is dead. */
static void test_dma_to_unmapped_addresses(void **state)
{
    (void)state;
    for (unsigned ppm = 100000; ppm <= ALWAYS; ppm += 100000) {
        plan(0, NIC_FAULT_UNMAPPED, ppm);
        plan(1, NIC_FAULT_UNMAPPED, ppm);
        rig_refill(r, 1, RIG_RING);
        for (unsigned i = 0; i < RIG_RING; i++)
            rig_send(r, 0, 100, 9);
        rig_run(r, r->now + W_MS);
        uint64_t counted = 0;
        for (unsigned i = 0; i < 2; i++) {
            counted += rig_stat(r, i, NIC_S_TX_DMA_ERRORS) + rig_stat(r, i, NIC_S_RX_DMA_ERRORS);
            assert_int_equal(r->h[i].dma.faults, done(i, NIC_FAULT_UNMAPPED));
            works(i);
            rig_set(r, i, NIC_CTRL, NIC_CTRL_RESET);
            rig_bring_up(r, i, 0);
        }
        assert_true(counted > 0);
    }
    rig_run(r, r->now + W_MS);
    walk(20);
}

static void test_a_reset_in_the_middle_forgets_everything(void **state)
{
    (void)state;
    plan(0, NIC_FAULT_RESET, ALWAYS);
    rig_refill(r, 1, 2);
    rig_send(r, 0, 1514, 1);
    rig_run(r, r->now + W_MS);
    assert_int_equal(done(0, NIC_FAULT_RESET), 1); /* of the first access: then there are none */
    assert_int_equal(bus_read(&r->h[0].pio, r->now, NIC_CTRL), 0);
    assert_int_equal(rig_stat(r, 0, NIC_S_RESETS), 1);
    assert_int_equal(r->h[0].mem.sent, 0);
    works(0);
    rig_set(r, 1, NIC_CTRL, NIC_CTRL_RESET);
    rig_bring_up(r, 0, 0);
    rig_bring_up(r, 1, 0);
    walk(3);
}

static void test_a_pause_storm_holds_the_peer_until_it_ends(void **state)
{
    (void)state;
    rig_set(r, 0, NIC_CTRL, NIC_CTRL_ENABLE | NIC_CTRL_PAUSE_RX);
    plan(1, NIC_FAULT_STORM, ALWAYS);
    rig_refill(r, 1, RIG_RING);
    rig_send(r, 0, 100, 1);
    rig_run(r, r->now + 100 * W_US);
    works(1);
    rig_send(r, 0, 100, 1);
    rig_run(r, r->now + 9 * W_MS);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_PACKETS), 1);
    assert_in_range(rig_stat(r, 0, NIC_S_RX_PAUSE), 15, 25); /* each 65535 * 512 / 64 bit times */
    rig_run(r, r->now + 50 * W_MS);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_PACKETS), 2);
    assert_in_range(rig_stat(r, 0, NIC_S_PAUSED_NS), 40 * W_MS, 45 * W_MS);
    assert_int_equal(done(1, NIC_FAULT_STORM), 1);
    /* Who is told to obey no longer is free at once. */
    plan(1, NIC_FAULT_STORM, ALWAYS);
    rig_send(r, 0, 100, 1);
    rig_run(r, r->now + 100 * W_US);
    rig_send(r, 0, 100, 1);
    rig_set(r, 0, NIC_CTRL, NIC_CTRL_ENABLE);
    rig_run(r, r->now + 100 * W_US);
    assert_int_equal(rig_stat(r, 0, NIC_S_TX_PACKETS), 4);
}

static void test_a_cable_that_babbles_makes_giants(void **state)
{
    (void)state;
    uint16_t flags;
    r->cable.way[0].conf.babble_ppm = ALWAYS;
    rig_refill(r, 1, RIG_RING);
    for (unsigned i = 0; i < 100; i++) {
        rig_send(r, 0, 300, 0x33);
        rig_run(r, r->now + 100 * W_US);
    }
    assert_int_equal(r->cable.way[0].babbled + r->cable.way[0].lost, 100);
    uint64_t giants = rig_stat(r, 1, NIC_S_RX_GIANT);
    assert_in_range(giants, 60, 100);
    assert_int_equal(giants, rig_stat(r, 1, NIC_S_RX_LENGTH_ERRORS));
    assert_int_equal(giants + rig_stat(r, 1, NIC_S_RX_CRC_ERRORS), 100 - r->cable.way[0].lost);
    assert_int_equal(rig_take(r, 1, &flags), 0);
}

/* With packets of one and more descriptors, from every place of the ring, and over 2^32. */
static void test_rings_that_begin_at_every_index(void **state)
{
    (void)state;
    uint16_t flags;
    static const uint32_t from[] = {0, 0 - 2u * RIG_RING};
    for (unsigned i = 0; i < 3 * RIG_RING * WEIR_COUNT(from); i++) {
        r->first = from[i % WEIR_COUNT(from)] + i / WEIR_COUNT(from);
        for (unsigned side = 0; side < 2; side++) {
            rig_set(r, side, NIC_CTRL, NIC_CTRL_RESET);
            rig_bring_up(r, side, 0);
        }
        rig_refill(r, 1, 4);
        uint8_t *f = rig_frame(r, 0, 1, 1000, (uint8_t)i);
        bus_addr a = rig_bus(&r->h[0], f);
        for (uint16_t k = 0; k < 5; k++)
            rig_txd(r, 0,
                    (struct nic_txd){a + 200u * k, 200, k == 4 ? NIC_TXD_EOP : 0, 0, 0, 0, 0});
        rig_ring(r, 0);
        rig_run(r, r->now + W_MS);
        assert_int_equal(rig_take(r, 1, &flags), 1000);
        assert_memory_equal(r->frame, f, 1000);
        assert_int_equal(r->h[0].mem.sent, r->first + 5);
        walk(3);
    }
}

/* The same plan, the same faults; no plan, none. */
static void test_a_plan_is_repeated_by_its_seed(void **state)
{
    uint64_t count[2][NIC_N_FAULTS];
    for (unsigned k = 0; k < 2; k++) {
        setup(state);
        plan(0, NIC_FAULT_TORN_TXD, ALWAYS / 3);
        walk(40);
        memcpy(count[k], r->h[0].nic.fault.count, sizeof(count[k]));
    }
    assert_memory_equal(count[0], count[1], sizeof(count[0]));
    assert_int_not_equal(count[0][NIC_FAULT_TORN_TXD], 0);
    setup(state);
    walk(40);
    for (unsigned k = 0; k < NIC_N_FAULTS; k++)
        assert_int_equal(done(0, k), 0);
    assert_string_equal(nic_fault_name(NIC_FAULT_STORM), "pause_storms");
}

#define T(name) cmocka_unit_test_setup(name, setup)

static const struct CMUnitTest tests[] = {
    T(test_torn_descriptors_are_read_again),
    T(test_what_stays_torn_is_given_up),
    T(test_the_tag_of_each_half_counts),
    T(test_laps_are_told_apart),
    T(test_a_torn_return_entry_names_no_entry_of_this_lap),
    T(test_late_return_entries_come_after_their_successors),
    T(test_late_write_backs_go_backward),
    T(test_interrupts_late_and_lost),
    T(test_dma_to_unmapped_addresses),
    T(test_a_reset_in_the_middle_forgets_everything),
    T(test_a_pause_storm_holds_the_peer_until_it_ends),
    T(test_a_cable_that_babbles_makes_giants),
    T(test_rings_that_begin_at_every_index),
    T(test_a_plan_is_repeated_by_its_seed),
};

UNIT_MAIN(tests)
