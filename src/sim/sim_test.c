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
    assert_int_equal(swarm_run(11, SWARM_LINKS, &a, NULL), 0);
    assert_int_equal(swarm_run(11, SWARM_LINKS, &b, NULL), 0);
    assert_int_equal(swarm_run(12, SWARM_LINKS, &c, NULL), 0);
    assert_int_equal(a.hash, b.hash);
    assert_int_equal(a.n_frames, b.n_frames);
    assert_true(a.hash != c.hash);
    assert_true(a.n_frames > 0);
}

/* If this failed worlds of NICs would be drawn without their faults, or not be repeatable. */
static void worlds_of_nics_have_their_faults(void **state)
{
    struct swarm_result a, b;
    unsigned with = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        uint64_t n = 0;
        assert_int_equal(swarm_run(seed, SWARM_NICS, &a, NULL), 0);
        assert_int_equal(swarm_run(seed, SWARM_NICS, &b, NULL), 0);
        assert_int_equal(a.hash, b.hash);
        assert_non_null(strstr(a.what, "NICs of"));
        for (unsigned i = 0; i < SWARM_NIC_FAULTS; i++)
            n += a.nic_faults[i];
        with += n != 0;
    }
    assert_true(with >= 4);
}

static bool is_ip6; /* the family of the frames below */

/* An IP header in front of n bytes, from the one of the two hosts; returns its length. */
static unsigned header(uint8_t *at, unsigned from, uint32_t n, struct addr ends[2])
{
    for (unsigned i = 0; i < 2; i++) {
        unsigned host = i == 0 ? from : 3 - from;
        ends[i] =
            is_ip6 ? (struct addr){.b = {0xfd, [15] = (uint8_t)host}} : addr_ip4(0x0a000000 + host);
    }
    struct wire_ip6 h6 = {
        .next = PROTO_TCP, .hlim = 64, .plen = (uint16_t)n, .src = ends[0], .dst = ends[1]};
    struct wire_ip4 h4 = {.ttl = 64,
                          .proto = PROTO_TCP,
                          .total = (uint16_t)(WIRE_IP4_HLEN + n),
                          .src = ends[0],
                          .dst = ends[1]};
    return is_ip6 ? wire_ip6_build(at, &h6) : wire_ip4_build(at, &h4, NULL);
}

/* A frame from host <from> port <from> to the other of the two. */
static uint32_t frame(uint8_t *at, unsigned from, const struct wire_tcp *t, uint32_t payload)
{
    struct addr ends[2];
    struct wire_tcp h = *t;
    uint8_t tcp[1500] = {0};
    memset(at, 0, 2000);
    h.sport = (uint16_t)from;
    h.dport = (uint16_t)(3 - from);
    uint32_t len = wire_tcp_build(tcp, &h) + payload;
    unsigned hlen = header(at + WIRE_ETH_HLEN, from, len, ends);
    w_put16(at + 12, is_ip6 ? ETYPE_IP6 : ETYPE_IP4);
    uint32_t sum = csum_pseudo(&ends[0], &ends[1], PROTO_TCP, len);
    w_put16(tcp + WIRE_TCP_CSUM_AT, csum_fold(csum_partial(CSUM_SCALAR, tcp, len, sum)));
    memcpy(at + WIRE_ETH_HLEN + hlen, tcp, len);
    return WIRE_ETH_HLEN + hlen + len;
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
    o.flow[0].dir[1].mss = 1000;
    segment(4, 1, &(struct wire_tcp){.seq = 101, .ack = 501, .flags = TCPF_ACK, .wnd = 1000}, 1000);
    assert_false(oracle_is_violated(&o));
    segment(5, 1, &(struct wire_tcp){.seq = 1101, .ack = 501, .flags = TCPF_ACK, .wnd = 1000}, 1);
    assert_false(oracle_is_violated(&o)); /* a probe may */
    segment(6, 1, &(struct wire_tcp){.seq = 1101, .ack = 501, .flags = TCPF_ACK, .wnd = 1000}, 2);
    assert_true(oracle_is_violated(&o));
}

/* If this failed segments that the peer or the link cannot carry would pass every simulation.
 * [RFC 9293 3.7.1 MUST-16] */
static void a_segment_beyond_the_mss_is_seen(void **state)
{
    struct wire_tcp data = {.seq = 101, .ack = 501, .flags = TCPF_ACK, .wnd = 1000};
    (void)state;
    handshake(); /* without the option: 536 */
    segment(4, 1, &data, 536);
    assert_false(oracle_is_violated(&o));
    segment(5, 1, &data, 537);
    assert_true(oracle_is_violated(&o));
    handshake();
    o.link_mtu = 575;
    segment(6, 1, &data, 535);
    assert_false(oracle_is_violated(&o));
    segment(7, 1, &data, 536);
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

/* If this failed the oracles would look away from IPv6. */
static void ipv6_is_seen_too(void **state)
{
    is_ip6 = true;
    a_sender_beyond_the_window_is_seen(state);
    a_shrinking_window_is_seen(state);
    a_reset_for_a_reset_is_seen(state);
    a_malformed_frame_is_seen(state);
    is_ip6 = false;
}

/* If this failed no seed would try IPv6. */
static void some_seeds_draw_ipv6(void **state)
{
    struct swarm_result r;
    unsigned n = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        assert_int_equal(swarm_run(seed, SWARM_LINKS, &r, NULL), 0);
        n += strstr(r.what, "IPv6") != NULL;
    }
    assert_true(n >= 2 && n <= 8);
}

/* If this failed nobody would notice a sender that repeats what it need not. */
static void a_stale_repetition_is_seen(void **state)
{
    (void)state;
    handshake();
    segment(4, 1, &(struct wire_tcp){.seq = 101, .ack = 501, .flags = TCPF_ACK, .wnd = 1000}, 10);
    segment(5, 1, &(struct wire_tcp){.seq = 101, .ack = 501, .flags = TCPF_ACK, .wnd = 1000}, 10);
    segment(6, 2, &(struct wire_tcp){.seq = 501, .ack = 111, .flags = TCPF_ACK, .wnd = 990}, 0);
    assert_false(oracle_is_violated(&o));
    segment(7, 1, &(struct wire_tcp){.seq = 101, .ack = 501, .flags = TCPF_ACK, .wnd = 1000}, 10);
    assert_true(oracle_is_violated(&o));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_is_as_the_book_has_it),
        cmocka_unit_test(one_seed_is_one_run),
        cmocka_unit_test(worlds_of_nics_have_their_faults),
        cmocka_unit_test(a_stale_repetition_is_seen),
        cmocka_unit_test(a_sender_beyond_the_window_is_seen),
        cmocka_unit_test(a_segment_beyond_the_mss_is_seen),
        cmocka_unit_test(a_shrinking_window_is_seen),
        cmocka_unit_test(a_reset_for_a_reset_is_seen),
        cmocka_unit_test(a_malformed_frame_is_seen),
        cmocka_unit_test(ipv6_is_seen_too),
        cmocka_unit_test(some_seeds_draw_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
