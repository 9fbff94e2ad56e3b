/* SPDX-License-Identifier: Apache-2.0
 *
 * If this failed, segments would be merged that are not one stream, or a merged frame would not
 * hold what they held.
 */
#include "nic/rig_test.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

enum { SEG = 500, WAIT = 50000, ROOM = 8000 };

/* A segment, and what makes it another than the ones around it. */
struct shape {
    uint32_t seq, n;
    uint16_t flags, dport, wnd;
    uint32_t ts; /* 0: no option */
    uint8_t ttl;
    bool is_v6, is_bad;
};

static const struct shape plain = {.n = SEG, .flags = TCPF_ACK, .dport = 80, .wnd = 500, .ttl = 64};

static struct rig *r;

static int setup(void **state)
{
    static struct rig rig;
    (void)state;
    r = &rig;
    memset(r, 0, sizeof(*r));
    rig_start(r, 10000000000);
    rig_refill(r, 1, RIG_RING);
    rig_set(r, 1, NIC_CTRL, NIC_CTRL_ENABLE | NIC_CTRL_RX_CSUM);
    rig_set(r, 1, NIC_LRO_MAX, ROOM);
    rig_set(r, 1, NIC_LRO_NS, WAIT);
    return 0;
}

static void send(const struct shape *s)
{
    struct addr src = addr_ip4(0x0a000001), dst = addr_ip4(0x0a000002);
    struct wire_tcp h = {.sport = 1000,
                         .dport = s->dport,
                         .seq = s->seq,
                         .ack = 7,
                         .wnd = s->wnd,
                         .flags = s->flags};
    uint32_t ip_len = s->is_v6 ? WIRE_IP6_HLEN : WIRE_IP4_HLEN, tcp_len = WIRE_TCP_HLEN;
    uint8_t tcp[60];
    if (s->ts != 0) {
        h.has = TCPH_TS;
        h.ts_val = s->ts;
    }
    tcp_len = wire_tcp_build(tcp, &h);
    uint32_t len = WIRE_ETH_HLEN + ip_len + tcp_len + s->n;
    uint8_t *f = rig_frame(r, 0, 1, len, 0), *ip = f + WIRE_ETH_HLEN, *l4 = ip + ip_len;
    w_put16(f + 12, s->is_v6 ? ETYPE_IP6 : ETYPE_IP4);
    if (s->is_v6) {
        memset(src.b, 0xfd, 15);
        memset(dst.b, 0xfd, 15);
        wire_ip6_build(ip, &(struct wire_ip6){.next = PROTO_TCP,
                                              .hlim = s->ttl,
                                              .src = src,
                                              .dst = dst,
                                              .plen = (uint16_t)(tcp_len + s->n)});
    } else {
        wire_ip4_build(ip,
                       &(struct wire_ip4){.hlen = 20,
                                          .ttl = s->ttl,
                                          .proto = PROTO_TCP,
                                          .src = src,
                                          .dst = dst,
                                          .total = (uint16_t)(ip_len + tcp_len + s->n)},
                       NULL);
    }
    memcpy(l4, tcp, tcp_len);
    for (uint32_t i = 0; i < s->n; i++)
        l4[tcp_len + i] = (uint8_t)((s->seq + i) * 7 >> 3);
    wire_tcp_set_csum(l4, 0);
    uint32_t sum = csum_pseudo(&src, &dst, PROTO_TCP, tcp_len + s->n);
    sum = csum_partial(CSUM_SCALAR, l4, tcp_len + s->n, sum);
    wire_tcp_set_csum(l4, (uint16_t)(csum_fold(sum) ^ s->is_bad));
    rig_txd(r, 0, (struct nic_txd){rig_bus(&r->h[0], f), (uint16_t)len, NIC_TXD_EOP, 0, 0, 0, 0});
    rig_ring(r, 0);
}

/* Sends n of them at once. */
static void burst(const struct shape *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        send(&s[i]);
    rig_run(r, r->now + W_MS);
}

/* The next frame has `segs` segments from seq on, payload whole. */
static void got(const struct shape *first, uint32_t segs, uint32_t payload)
{
    uint16_t flags = 0, told = r->h[1].mem.ret[r->h[1].ret_next % RIG_RING].segs;
    uint32_t n = rig_take(r, 1, &flags);
    uint32_t ip_len = first->is_v6 ? WIRE_IP6_HLEN : WIRE_IP4_HLEN;
    const uint8_t *tcp = r->frame + WIRE_ETH_HLEN + ip_len;
    assert_int_equal(told, segs);
    assert_int_equal(n, WIRE_ETH_HLEN + ip_len + wire_tcp_hlen(tcp) + payload);
    assert_int_equal(wire_tcp_seq(tcp), first->seq);
    assert_int_equal(flags & NIC_RET_CSUM_BAD, first->is_bad ? NIC_RET_CSUM_BAD : 0);
    for (uint32_t i = 0; i < payload; i++)
        assert_int_equal(tcp[wire_tcp_hlen(tcp) + i], (uint8_t)((first->seq + i) * 7 >> 3));
}

static void got_nothing(void)
{
    uint16_t flags;
    assert_int_equal(rig_take(r, 1, &flags), 0);
}

/* n segments that follow one another. */
static void stream(struct shape *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        s[i] = plain;
        s[i].seq = 0xffffff00u + i * SEG;
    }
}

static void test_a_stream_is_one_frame(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        struct shape s[6];
        setup(state);
        stream(s, 6);
        for (unsigned i = 0; i < 6; i++) {
            s[i].is_v6 = (k & 1) != 0;
            s[i].ts = (k & 2) != 0 ? 99 : 0;
        }
        burst(s, 6);
        got(&s[0], 6, 6 * SEG);
        got_nothing();
        assert_int_equal(rig_stat(r, 1, NIC_S_LRO_MERGED), 5);
        assert_int_equal(rig_stat(r, 1, NIC_S_LRO_FLUSHED), 1);
        assert_int_equal(rig_stat(r, 1, NIC_S_RX_PACKETS), 6);
        assert_int_equal(r->h[1].nic.rx.bytes.now, 0);
    }
}

/* Each of these is another segment in the middle of five, and ends the merge before it. */
static void test_what_differs_is_not_merged(void **state)
{
    for (unsigned k = 0; k < 8; k++) {
        struct shape s[5];
        setup(state);
        stream(s, 5);
        struct shape *odd = &s[2];
        switch (k) {
        case 0: odd->dport = 81; break;
        case 1: odd->wnd = 501; break;
        case 2: odd->ttl = 63; break;
        case 3: odd->ts = 5; break;
        case 4: odd->flags |= TCPF_URG; break;
        case 5: odd->flags |= TCPF_ECE; break;
        case 6: odd->seq += 1; break;
        default: odd->is_bad = true; break;
        }
        burst(s, 5);
        got(&s[0], 2, 2 * SEG);
        got(&s[2], 1, SEG);
        got(&s[3], 2, 2 * SEG);
        got_nothing();
    }
}

static void test_push_and_short_segments_end_a_merge(void **state)
{
    (void)state;
    struct shape s[6];
    stream(s, 6);
    s[1].flags |= TCPF_PSH;
    s[3].n = SEG - 100;
    s[4].seq -= 100;
    s[5].seq -= 100;
    burst(s, 6);
    got(&s[0], 2, 2 * SEG);
    assert_int_equal(wire_tcp_flags(r->frame + 34), TCPF_ACK | TCPF_PSH);
    got(&s[2], 2, 2 * SEG - 100);
    assert_int_equal(wire_tcp_flags(r->frame + 34), TCPF_ACK);
    got(&s[4], 2, 2 * SEG);
    got_nothing();
}

static void test_a_merge_ends_at_the_limit_and_uses_several_buffers(void **state)
{
    (void)state;
    struct shape s[14];
    stream(s, 14);
    rig_set(r, 1, NIC_LRO_MAX, 54 + 10 * SEG); /* more than RIG_HDR + 2 * RIG_BUF */
    burst(s, 14);
    got(&s[0], 10, 10 * SEG);
    got(&s[10], 4, 4 * SEG);
    got_nothing();
}

/* If this failed a lone segment would wait for ever, or longer than it was said. */
static void test_a_segment_waits_for_so_long_only(void **state)
{
    (void)state;
    struct shape s = plain;
    send(&s);
    w_ns stored = r->now + 2 * RIG_LATENCY + (8 + 554 + 4) * 8 / 10 + 1 + 50 + RIG_LATENCY;
    rig_run(r, stored + WAIT - 100);
    got_nothing();
    rig_run(r, stored + WAIT + 1);
    got(&s, 1, SEG);
    s.flags |= TCPF_PSH;
    send(&s);
    rig_run(r, r->now + stored);
    got(&s, 1, SEG); /* nothing to wait for */
}

static void test_off_as_after_reset(void **state)
{
    (void)state;
    struct shape s[2];
    stream(s, 2);
    rig_set(r, 1, NIC_LRO_NS, 0);
    burst(s, 2);
    got(&s[0], 1, SEG);
    got(&s[1], 1, SEG);
    assert_int_equal(rig_stat(r, 1, NIC_S_LRO_MERGED), 0);
}

/* Without buffers a run waits and grows; with NIC_CTRL_RX_DROP it is lost whole, and counted. */
static void test_merging_without_buffers(void **state)
{
    for (unsigned k = 0; k < 2; k++) {
        struct shape s[4];
        setup(state);
        rig_set(r, 1, NIC_CTRL, NIC_CTRL_RESET);
        rig_bring_up(r, 1, k == 0 ? 0 : NIC_CTRL_RX_DROP);
        rig_set(r, 1, NIC_LRO_MAX, ROOM);
        rig_set(r, 1, NIC_LRO_NS, WAIT);
        stream(s, 4);
        burst(s, 4);
        rig_refill(r, 1, 4);
        rig_run(r, r->now + W_MS);
        if (k == 0)
            got(&s[0], 4, 4 * SEG);
        else
            assert_int_equal(rig_stat(r, 1, NIC_S_RX_NO_BUFFER), 4);
        got_nothing();
        assert_int_equal(r->h[1].nic.rx.bytes.now, 0);
    }
}

#define T(name) cmocka_unit_test_setup(name, setup)

static const struct CMUnitTest tests[] = {
    T(test_a_stream_is_one_frame),
    T(test_what_differs_is_not_merged),
    T(test_push_and_short_segments_end_a_merge),
    T(test_a_merge_ends_at_the_limit_and_uses_several_buffers),
    T(test_a_segment_waits_for_so_long_only),
    T(test_off_as_after_reset),
    T(test_merging_without_buffers),
};

UNIT_MAIN(tests)
