/* SPDX-License-Identifier: Apache-2.0
 *
 * Every buffer pushes back on the one above it: a receiver that stops is felt by write(), and
 * nothing is dropped on the way; where nothing can push back, the drop has a place and a number.
 */
#include "unit.h"

#include "sim/chain.h"

static struct sim_chain c;

static const struct sim_chain_conf *find(const char *name)
{
    const struct sim_chain_conf *k = NULL;
    for (unsigned i = 0; (k = sim_chain_case(i)) != NULL && strcmp(k->name, name) != 0; i++)
        ;
    assert_non_null(k);
    return k;
}

static void run(const struct sim_chain_conf *k)
{
    assert_int_equal(sim_chain_run(k, 7, &c), 0);
    assert_false(c.is_damaged);
    assert_int_equal(sim_chain_drops(&c, false), 0); /* never on the sender's side */
}

static const struct weir_gauge *gauge(const char *name)
{
    const struct weir_gauge *g = sim_chain_gauge(&c, name);
    assert_non_null(g);
    assert_true(g->high_water >= g->now);
    return g;
}

static void assert_was_full(const char *name, w_ns least)
{
    const struct weir_gauge *g = gauge(name);
    if (g->full_ns < least || g->n_full == 0)
        fail_msg("%s was full %lu times for %lu ms, not for %lu", name, (unsigned long)g->n_full,
                 (unsigned long)(g->full_ns / W_MS), (unsigned long)(least / W_MS));
}

/* In percent of its limit. */
static uint64_t level(const char *name)
{
    return gauge(name)->high_water * 100 / gauge(name)->limit;
}

/* If this failed a reader that never stops would be made to look like one that does. */
static void nobody_stops(void **state)
{
    (void)state;
    struct sim_chain_conf k = *find("reader");
    k.stop_ns = 0;
    run(&k);
    assert_int_equal(sim_chain_drops(&c, true), 0);
    assert_true(c.got > 22000000); /* 2 s of 100 Mbit/s, and slow start */
    assert_int_equal(gauge("receive buffer")->n_full, 0);
    assert_true(level("receive buffer") < 10);
    assert_true(c.write_waited_ns < 500 * W_MS);
    assert_int_equal(gauge("line")->n_full, 0);
}

/* [F1, F2] The program does not read: the window closes, the send buffer fills, write() waits. */
static void a_reader_that_stops_is_felt_by_write(void **state)
{
    (void)state;
    run(find("reader"));
    assert_int_equal(sim_chain_drops(&c, true), 0);
    assert_was_full("receive buffer", 1400 * W_MS);
    assert_in_range(level("send buffer"), 95, 105);
    assert_was_full("send buffer", 1800 * W_MS);
    assert_in_range(c.write_waited_ns, 1500 * W_MS, 2200 * W_MS);
    /* It went around by the window: the cards never had to stop one another. */
    assert_int_equal(gauge("line")->n_full, 0);
    assert_int_equal(gauge("RX FIFO")->n_full, 0);
}

/* [F2] The host does not even poll: ring, FIFO, PAUSE, FIFO, ring, and up to write(). */
static void a_host_that_stops_is_felt_through_the_line(void **state)
{
    (void)state;
    run(find("host"));
    assert_int_equal(sim_chain_drops(&c, true), 0);
    assert_int_equal(level("RX ring"), 100);
    assert_was_full("RX ring", 1900 * W_MS);
    assert_true(level("RX FIFO") >= 75); /* from there on it asks for a pause */
    assert_int_equal(gauge("RX FIFO")->n_full, 0);
    assert_was_full("line", 1900 * W_MS);
    assert_was_full("TX FIFO", 1900 * W_MS);
    assert_true(level("TX ring") >= 98);
    assert_was_full("TX ring", 1900 * W_MS);
    assert_was_full("send buffer", 1900 * W_MS);
    assert_in_range(c.write_waited_ns, 1900 * W_MS, 2500 * W_MS);
}

/* [C7] A datagram has nobody to push back on: it is dropped at the socket, by name and number. */
static void datagrams_are_dropped_at_the_socket(void **state)
{
    (void)state;
    run(find("udp"));
    const struct weir_gauge *g = gauge("receive buffer");
    assert_true(g->drops > 9000); /* 5000 a second for 2 s, but for what the buffer holds */
    assert_int_equal(sim_chain_drops(&c, true), g->drops);
    assert_int_equal(c.sent - c.got, g->drops);
    assert_was_full("receive buffer", 1900 * W_MS);
    assert_true(level("receive buffer") >= 99);
}

/* [E3] Without PAUSE the card is the last that can hold a frame. */
static void without_pause_the_card_drops(void **state)
{
    (void)state;
    run(find("nic"));
    const struct weir_gauge *g = gauge("RX FIFO");
    assert_true(g->drops > 9000);
    assert_int_equal(sim_chain_drops(&c, true), g->drops);
    assert_int_equal(c.sent - c.got, g->drops);
    assert_was_full("RX ring", 1900 * W_MS);
    assert_was_full("RX FIFO", 1900 * W_MS);
    assert_int_equal(gauge("line")->n_full, 0);
}

/* The same with TCP: counted at the card, and sent again: no byte is missing. */
static void tcp_repairs_what_the_card_dropped(void **state)
{
    (void)state;
    run(find("nic-tcp"));
    assert_true(gauge("RX FIFO")->drops > 100);
    assert_int_equal(sim_chain_drops(&c, true), gauge("RX FIFO")->drops);
    assert_true(c.got > 15000000);
}

/* Same seed, same table. */
static void it_is_repeatable(void **state)
{
    (void)state;
    static struct sim_chain before;
    run(find("host"));
    before = c;
    run(find("host"));
    assert_memory_equal(&before, &c, sizeof(c));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nobody_stops),
    cmocka_unit_test(a_reader_that_stops_is_felt_by_write),
    cmocka_unit_test(a_host_that_stops_is_felt_through_the_line),
    cmocka_unit_test(datagrams_are_dropped_at_the_socket),
    cmocka_unit_test(without_pause_the_card_drops),
    cmocka_unit_test(tcp_repairs_what_the_card_dropped),
    cmocka_unit_test(it_is_repeatable),
};
UNIT_MAIN(tests)
