/* SPDX-License-Identifier: Apache-2.0
 *
 * The wire oracle itself: what it has to call a fault, and what only looks like one. Frames are
 * shown by hand; host 0 is the client, at 10.0.0.1:1000, host 1 the server, at 10.0.0.2:7000.
 */
#include "unit.h"

#include "sim/oracle.h"
#include "wire/csum.h"
#include "wire/wire.h"

enum { CLIENT_ISS = 1000, SERVER_ISS = 5000, WND = 2000 };

struct show {
    struct oracle o;
    w_ns now;
};

/* A segment, sequence and acknowledgement counted from the SYNs, as it leaves or arrives. */
struct say {
    unsigned from;
    uint16_t flags;
    uint32_t seq, ack, len;
    uint16_t wnd;
    uint8_t ace, ecn;
};

static void show(struct show *x, const struct say *y, bool is_out)
{
    uint8_t b[WIRE_ETH_HLEN + WIRE_IP4_HLEN + WIRE_TCP_HLEN_MAX + 1000] = {0};
    uint8_t *ip = b + WIRE_ETH_HLEN, *seg = ip + WIRE_IP4_HLEN;
    bool is_client = y->from == 0;
    struct wire_tcp t = {.sport = is_client ? 1000 : 7000,
                         .dport = is_client ? 7000 : 1000,
                         .seq = (is_client ? CLIENT_ISS : SERVER_ISS) + y->seq,
                         .flags = (uint16_t)(y->flags | y->ace << TCPF_ACE_SHIFT),
                         .wnd = y->wnd != 0 ? y->wnd : WND};
    if ((y->flags & TCPF_ACK) != 0)
        t.ack = (is_client ? SERVER_ISS : CLIENT_ISS) + y->ack;
    if ((y->flags & TCPF_SYN) != 0) {
        t.has = TCPH_MSS;
        t.mss = 1460;
    }
    unsigned n = wire_tcp_build(seg, &t) + y->len;
    struct wire_ip4 h = {.hlen = WIRE_IP4_HLEN,
                         .tos = y->ecn,
                         .ttl = 64,
                         .proto = PROTO_TCP,
                         .total = (uint16_t)(WIRE_IP4_HLEN + n),
                         .src = addr_ip4(is_client ? 0x0a000001 : 0x0a000002),
                         .dst = addr_ip4(is_client ? 0x0a000002 : 0x0a000001)};
    wire_ip4_build(ip, &h, NULL);
    uint32_t sum = csum_pseudo(&h.src, &h.dst, PROTO_TCP, n);
    wire_tcp_set_csum(seg, csum_fold(csum_partial(CSUM_SCALAR, seg, n, sum)));
    w_put16(b + 12, ETYPE_IP4);
    b[5] = is_client ? 2 : 1;
    b[11] = is_client ? 1 : 2;
    oracle_watch(&x->o, x->now += W_MS, is_out ? y->from : 1 - y->from, is_out, b,
                 WIRE_ETH_HLEN + WIRE_IP4_HLEN + n);
}

static void leaves(struct show *x, struct say y) { show(x, &y, true); }
static void arrives(struct show *x, struct say y) { show(x, &y, false); }
static void passes(struct show *x, struct say y)
{
    leaves(x, y);
    arrives(x, y);
}

/* The handshake; `ace` is what both SYNs have of accurate ECN's flags. */
static void begin(struct show *x, uint8_t ace_syn, uint8_t ace_syn_ack)
{
    *x = (struct show){.now = W_S};
    oracle_init(&x->o);
    passes(x, (struct say){.from = 0, .flags = TCPF_SYN, .ace = ace_syn});
    passes(x, (struct say){.from = 1, .flags = TCPF_SYN | TCPF_ACK, .ack = 1, .ace = ace_syn_ack});
    passes(x, (struct say){
                  .from = 0, .flags = TCPF_ACK, .seq = 1, .ack = 1, .ace = ace_syn != 0 ? 2 : 0});
}

/* If this fails seeds are reported for segments that were decided before the ACK came and waited
 * their turn in a slow queue; or repetitions of what was acknowledged are no longer seen. */
static void what_waited_below_may_be_stale(void **state)
{
    (void)state;
    for (int is_queued = 0; is_queued < 2; is_queued++) {
        struct show x;
        begin(&x, 0, 0);
        passes(&x, (struct say){.from = 0, .flags = TCPF_ACK, .seq = 1, .ack = 1, .len = 100});
        passes(&x, (struct say){.from = 0, .flags = TCPF_ACK, .seq = 101, .ack = 1, .len = 100});
        leaves(&x, (struct say){.from = 1, .flags = TCPF_ACK, .seq = 1, .ack = 101});
        x.o.has_queue[0] = is_queued != 0;
        arrives(&x, (struct say){.from = 1, .flags = TCPF_ACK, .seq = 1, .ack = 101});
        leaves(&x, (struct say){.from = 0, .flags = TCPF_ACK, .seq = 1, .ack = 1, .len = 100});
        assert_int_equal(oracle_is_violated(&x.o), !is_queued);
        /* Once it is seen empty all counts that came before. */
        leaves(&x, (struct say){.from = 1, .flags = TCPF_ACK, .seq = 1, .ack = 151});
        x.o.has_queue[0] = false;
        arrives(&x, (struct say){.from = 1, .flags = TCPF_ACK, .seq = 1, .ack = 151});
        leaves(&x, (struct say){.from = 0, .flags = TCPF_ACK, .seq = 1, .ack = 1, .len = 100});
        assert_true(oracle_is_violated(&x.o));
    }
}

/* If this fails seeds are reported where a repeated segment brought an ACK: it lies before the
 * window, though its receiver has not acknowledged it yet, and is not taken [RFC 9293 3.10.7.4
 * first]; or the ACK of one that is new to its receiver no longer counts. */
static void the_ack_of_what_was_taken_before_does_not_count(void **state)
{
    (void)state;
    for (int is_new = 0; is_new < 2; is_new++) {
        struct show x;
        begin(&x, 0, 0);
        passes(&x, (struct say){.from = 1, .flags = TCPF_ACK, .seq = 1, .ack = 1, .len = 100});
        passes(&x, (struct say){.from = 1, .flags = TCPF_ACK, .seq = 201, .ack = 1, .len = 100});
        passes(&x, (struct say){.from = 1, .flags = TCPF_ACK, .seq = 101, .ack = 1, .len = 100});
        passes(&x, (struct say){.from = 0, .flags = TCPF_ACK, .seq = 1, .ack = 1, .len = 100});
        passes(
            &x,
            (struct say){
                .from = 1, .flags = TCPF_ACK, .seq = is_new ? 301 : 201, .ack = 101, .len = 100});
        leaves(&x, (struct say){.from = 0, .flags = TCPF_ACK, .seq = 1, .ack = 301, .len = 100});
        assert_int_equal(oracle_is_violated(&x.o), is_new);
    }
}

/* If this fails an ACK that waited in a slow queue counts for marks that came after it was made,
 * and the next is called wrong; or marks that never came are believed. [RFC 9768 3.2.2] */
static void what_waited_below_tells_old_counts(void **state)
{
    (void)state;
    for (int is_queued = 0; is_queued < 2; is_queued++) {
        struct show x;
        begin(&x, 7, 2);
        x.o.has_queue[1] = is_queued != 0;
        for (uint32_t i = 0; i < 9; i++)
            passes(&x, (struct say){.from = 0,
                                    .flags = TCPF_ACK,
                                    .seq = 1 + 10 * i,
                                    .ack = 1,
                                    .len = 10,
                                    .ace = 5,
                                    .ecn = ECN_CE});
        /* After one mark, then after two. */
        leaves(&x, (struct say){.from = 1, .flags = TCPF_ACK, .seq = 1, .ack = 11, .ace = 6});
        leaves(&x, (struct say){.from = 1, .flags = TCPF_ACK, .seq = 1, .ack = 21, .ace = 7});
        assert_int_equal(oracle_is_violated(&x.o), !is_queued);
    }
}

/* The ends of a connection, up to the server's FIN and its ACK. */
static void close_both(struct show *x, bool is_server_last)
{
    unsigned a = is_server_last ? 0 : 1, b = 1 - a;
    passes(x, (struct say){.from = 0, .flags = TCPF_ACK, .seq = 1, .ack = 1, .len = 100});
    passes(x, (struct say){.from = 1, .flags = TCPF_ACK, .seq = 1, .ack = 101});
    uint32_t seq = a == 0 ? 101 : 1, ack = a == 0 ? 1 : 101;
    passes(x, (struct say){.from = a, .flags = TCPF_FIN | TCPF_ACK, .seq = seq, .ack = ack});
    passes(x, (struct say){.from = b, .flags = TCPF_FIN | TCPF_ACK, .seq = ack, .ack = seq + 1});
    passes(x, (struct say){.from = a, .flags = TCPF_ACK, .seq = seq + 1, .ack = ack + 1});
}

/* If this fails the connection that an old ACK of a SYN cookie makes is blamed for the promises of
 * the one before [RFC 4987 3.6; RFC 9293 3.3.2: LAST-ACK, CLOSED]; or a host in TIME-WAIT may take
 * its window back. */
static void a_new_connection_has_promised_nothing(void **state)
{
    (void)state;
    for (int is_server_last = 0; is_server_last < 2; is_server_last++) {
        struct show x;
        begin(&x, 0, 0);
        close_both(&x, is_server_last != 0);
        leaves(&x, (struct say){.from = 1, .flags = TCPF_ACK, .seq = 1, .ack = 51});
        assert_int_equal(oracle_is_violated(&x.o), !is_server_last);
    }
    struct show x;
    begin(&x, 0, 0);
    passes(&x, (struct say){.from = 0, .flags = TCPF_ACK, .seq = 1, .ack = 1, .len = 100});
    passes(&x, (struct say){.from = 1, .flags = TCPF_ACK, .seq = 1, .ack = 101});
    leaves(&x, (struct say){.from = 1, .flags = TCPF_RST | TCPF_ACK, .seq = 1, .ack = 101});
    leaves(&x, (struct say){.from = 1, .flags = TCPF_ACK, .seq = 1, .ack = 51});
    assert_false(oracle_is_violated(&x.o));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_waited_below_may_be_stale),
    cmocka_unit_test(the_ack_of_what_was_taken_before_does_not_count),
    cmocka_unit_test(what_waited_below_tells_old_counts),
    cmocka_unit_test(a_new_connection_has_promised_nothing),
};
UNIT_MAIN(tests)
