/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulator itself: repeatable, and oracles that see what they are there to see.
 */
#include "unit.h"

#include "sim/example.h"
#include "sim/swarm.h"
#include "wire/csum.h"
#include "wire/wire.h"

/* If this failed the textbook's example would not come out of the stack (500 segments, numbered 0,
 * 1000, 2000, …). */
static void the_example_is_as_the_book_has_it(void **state)
{
    (void)state;
    assert_int_equal(example_segments(NULL), 0);
}

/* If this failed a failing seed could not be handed to anybody. */
static void one_seed_is_one_run(void **state)
{
    struct swarm_result a, b, c;
    (void)state;
    assert_int_equal(swarm_run(11, &a, NULL), 0);
    assert_int_equal(swarm_run(11, &b, NULL), 0);
    assert_int_equal(swarm_run(12, &c, NULL), 0);
    assert_int_equal(a.hash, b.hash);
    assert_int_equal(a.n_frames, b.n_frames);
    assert_true(a.hash != c.hash);
    assert_true(a.n_frames > 0);
}

/* A frame from 10.0.0.<from> port <from> to the other of the two. */
static uint32_t frame(uint8_t *at, unsigned from, const struct wire_tcp *t, uint32_t payload)
{
    struct wire_ip4 ip = {.ttl = 64, .proto = PROTO_TCP};
    struct wire_tcp h = *t;
    memset(at, 0, 2000);
    ip.src = addr_ip4(0x0a000000 + from);
    ip.dst = addr_ip4(0x0a000000 + 3 - from);
    h.sport = (uint16_t)from;
    h.dport = (uint16_t)(3 - from);
    uint8_t *tcp = at + WIRE_ETH_HLEN + WIRE_IP4_HLEN;
    uint32_t len = wire_tcp_build(tcp, &h) + payload;
    ip.total = (uint16_t)(WIRE_IP4_HLEN + len);
    w_put16(at + 12, 0x0800);
    (void)wire_ip4_build(at + WIRE_ETH_HLEN, &ip, NULL);
    uint32_t sum = csum_pseudo(&ip.src, &ip.dst, PROTO_TCP, len);
    w_put16(tcp + WIRE_TCP_CSUM_AT, csum_fold(csum_partial(CSUM_SCALAR, tcp, len, sum)));
    return WIRE_ETH_HLEN + ip.total;
}

static struct oracle o;

/* Shows the oracle a segment leaving its sender and, at once, reaching the other host. */
static void segment(w_ns now, unsigned from, const struct wire_tcp *t, uint32_t payload)
{
    uint8_t bytes[2000];
    uint32_t n = frame(bytes, from, t, payload);
    oracle_watch(&o, now, from - 1, true, bytes, n);
    oracle_watch(&o, now, 2 - from, false, bytes, n);
}

static void handshake(void)
{
    oracle_init(&o);
    segment(1, 1, &(struct wire_tcp){.seq = 100, .flags = TCPF_SYN, .wnd = 1000}, 0);
    segment(2, 2,
            &(struct wire_tcp){.seq = 500, .ack = 101, .flags = TCPF_SYN | TCPF_ACK, .wnd = 1000},
            0);
    segment(3, 1, &(struct wire_tcp){.seq = 101, .ack = 501, .flags = TCPF_ACK, .wnd = 1000}, 0);
    assert_false(oracle_is_violated(&o));
}

/* If this failed a sender that overruns its peer would pass every simulation. */
static void a_sender_beyond_the_window_is_seen(void **state)
{
    (void)state;
    handshake();
    segment(4, 1, &(struct wire_tcp){.seq = 101, .ack = 501, .flags = TCPF_ACK, .wnd = 1000}, 1000);
    assert_false(oracle_is_violated(&o));
    segment(5, 1, &(struct wire_tcp){.seq = 1101, .ack = 501, .flags = TCPF_ACK, .wnd = 1000}, 1);
    assert_false(oracle_is_violated(&o)); /* a probe may */
    segment(6, 1, &(struct wire_tcp){.seq = 1101, .ack = 501, .flags = TCPF_ACK, .wnd = 1000}, 2);
    assert_true(oracle_is_violated(&o));
}

/* If this failed a receiver could take back window it has promised. */
static void a_shrinking_window_is_seen(void **state)
{
    (void)state;
    handshake();
    segment(4, 2, &(struct wire_tcp){.seq = 501, .ack = 201, .flags = TCPF_ACK, .wnd = 900}, 0);
    assert_false(oracle_is_violated(&o));
    segment(5, 2, &(struct wire_tcp){.seq = 501, .ack = 201, .flags = TCPF_ACK, .wnd = 899}, 0);
    assert_true(oracle_is_violated(&o));
}

/* If this failed two stacks could answer each other's resets for ever. */
static void a_reset_for_a_reset_is_seen(void **state)
{
    (void)state;
    handshake();
    segment(4, 1, &(struct wire_tcp){.seq = 101, .flags = TCPF_RST}, 0);
    assert_false(oracle_is_violated(&o));
    segment(4, 2, &(struct wire_tcp){.seq = 501, .flags = TCPF_RST}, 0);
    assert_true(oracle_is_violated(&o));
}

/* If this failed a wrong checksum on everything we send would go unnoticed in simulation. */
static void a_malformed_frame_is_seen(void **state)
{
    uint8_t bytes[2000];
    (void)state;
    oracle_init(&o);
    uint32_t n = frame(bytes, 1, &(struct wire_tcp){.seq = 1, .flags = TCPF_SYN}, 10);
    bytes[n - 1] ^= 1;
    oracle_watch(&o, 1, 0, true, bytes, n);
    assert_true(oracle_is_violated(&o));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_is_as_the_book_has_it),
        cmocka_unit_test(one_seed_is_one_run),
        cmocka_unit_test(a_sender_beyond_the_window_is_seen),
        cmocka_unit_test(a_shrinking_window_is_seen),
        cmocka_unit_test(a_reset_for_a_reset_is_seen),
        cmocka_unit_test(a_malformed_frame_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
