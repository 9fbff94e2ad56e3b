/* SPDX-License-Identifier: Apache-2.0
 *
 * TCP headers and options, against bytes as Linux puts them on the wire and as attackers do.
 */
#include "unit.h"

#include "wire/tcp.h"

/* Parses a header with these option bytes, padded to a word with EOL. */
static struct wire_tcp parse(const uint8_t *opt, size_t n)
{
    uint8_t b[60] = {0};
    struct wire_tcp h = {.sport = 0};
    assert_true(n <= 40);
    memcpy(b + 20, opt, n);
    b[12] = (uint8_t)((20 + (n + 3) / 4 * 4) / 4 << 4);
    assert_int_equal(wire_tcp_parse(b, 20 + (n + 3) / 4 * 4, &h), DROP_NONE);
    return h;
}

#define OPT(...) parse((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* If this fails, no segment finds its connection. [RFC 9293 3.1] */
static void fixed_fields(void **state)
{
    (void)state;
    const uint8_t b[20] = {0x12, 0x34, 0,    80,   1,    2,    3, 4, 5, 6,
                           7,    8,    0x5f, 0x53, 0xfa, 0xf0, 9, 8, 7, 6};
    struct wire_tcp h;
    uint8_t out[20];
    memset(&h, 0xff, sizeof h); /* a struct that held another segment */
    assert_int_equal(wire_tcp_parse(b, 20, &h), DROP_NONE);
    assert_int_equal(h.sport, 0x1234);
    assert_int_equal(h.dport, 80);
    assert_int_equal(h.seq, 0x01020304);
    assert_int_equal(h.ack, 0x05060708);
    assert_int_equal(h.flags, 0xf53);
    assert_int_equal(h.wnd, 64240);
    assert_int_equal(h.csum, 0x0908);
    assert_int_equal(h.urg, 0x0706);
    assert_int_equal(h.hlen, 20);
    assert_int_equal(h.has, 0);
    assert_int_equal(h.n_sack, 0);
    assert_int_equal(wire_tcp_build(out, &h), 20);
    assert_memory_equal(out, b, 20);
    assert_int_equal(wire_tcp_sport(b), h.sport);
    assert_int_equal(wire_tcp_dport(b), h.dport);
    assert_int_equal(wire_tcp_seq(b), h.seq);
    assert_int_equal(wire_tcp_ack(b), h.ack);
    assert_int_equal(wire_tcp_hlen(b), 20);
    assert_int_equal(wire_tcp_flags(b), h.flags);
    assert_int_equal(wire_tcp_wnd(b), h.wnd);
    assert_int_equal(wire_tcp_csum(b), h.csum);
    wire_tcp_set_seq(out, 5);
    wire_tcp_set_flags(out, TCPF_FIN | TCPF_AE);
    wire_tcp_set_csum(out, 6);
    assert_int_equal(wire_tcp_parse(out, 20, &h), DROP_NONE);
    assert_int_equal(h.seq, 5);
    assert_int_equal(h.flags, TCPF_FIN | TCPF_AE);
    assert_int_equal(h.csum, 6);
    assert_int_equal(h.hlen, 20);
}

/* If this fails, a data offset that lies makes us read beyond the segment. [RFC 9293 3.1] */
static void data_offset(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 60; n++) {
        for (uint8_t doff = 0; doff < 16; doff++) {
            uint8_t b[60] = {[12] = (uint8_t)(doff << 4)};
            struct wire_tcp h;
            enum drop want = n < 20                      ? DROP_TCP_SHORT
                             : doff < 5 || doff * 4u > n ? DROP_TCP_DOFF
                                                         : DROP_NONE;
            assert_int_equal(wire_tcp_parse(b, n, &h), want);
        }
    }
}

/* If this fails, our SYN is not the one middleboxes have seen a billion times. Bytes of Linux's:
 * MSS, SACK permitted, timestamps, NOP, window scale. */
static void syn_as_linux_writes_it(void **state)
{
    (void)state;
    const uint8_t want[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
    struct wire_tcp h = {.flags = TCPF_SYN, .mss = 1460, .wscale = 7, .ts_val = 1};
    uint8_t out[60];
    h.has = TCPH_MSS | TCPH_SACK_OK | TCPH_TS | TCPH_WSCALE;
    assert_int_equal(wire_tcp_opts_len(&h), 20);
    assert_int_equal(wire_tcp_build(out, &h), 40);
    assert_memory_equal(out + 20, want, 20);
    struct wire_tcp g = parse(want, 20);
    assert_int_equal(g.has, h.has);
    assert_int_equal(g.mss, 1460);
    assert_int_equal(g.wscale, 7);
    assert_int_equal(g.ts_val, 1);
    assert_int_equal(g.ts_ecr, 0);

    const uint8_t no_ts[] = {2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7};
    h.has = TCPH_MSS | TCPH_SACK_OK | TCPH_WSCALE;
    assert_int_equal(wire_tcp_build(out, &h), 32);
    assert_memory_equal(out + 20, no_ts, 12);
}

/* If this fails, acknowledgements grow or their SACK blocks are not understood. [RFC 2018 3] */
static void sack_as_linux_writes_it(void **state)
{
    (void)state;
    const uint8_t want[] = {1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, 1, 1, 5, 18,
                            0, 0, 0, 1,  0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
    struct wire_tcp h = {.flags = TCPF_ACK, .ts_val = 7, .ts_ecr = 9, .n_sack = 2};
    uint8_t out[60];
    h.has = TCPH_TS | TCPH_SACK;
    h.sack[0] = (struct wire_tcp_sack){1, 2};
    h.sack[1] = (struct wire_tcp_sack){3, 4};
    assert_int_equal(wire_tcp_build(out, &h), 20 + sizeof want);
    assert_memory_equal(out + 20, want, sizeof want);
    h.n_sack = 3;
    assert_int_equal(wire_tcp_opts_len(&h), 40);
    h.n_sack = 4;
    assert_int_equal(wire_tcp_opts_len(&h), 48);
    WEIR_EXPECT_ASSERT(wire_tcp_build(out, &h));
    h.has = TCPH_SACK;
    assert_int_equal(wire_tcp_build(out, &h), 56);
}

/* If this fails, the commonest segment of all is read differently from one in another order. */
static void timestamps_fast_and_slow(void **state)
{
    (void)state;
    struct wire_tcp fast = OPT(1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8);
    struct wire_tcp slow = OPT(8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1);
    assert_memory_equal(&fast, &slow, sizeof fast);
    assert_int_equal(fast.has, TCPH_TS);
    assert_int_equal(fast.ts_val, 0x01020304);
    assert_int_equal(fast.ts_ecr, 0x05060708);
    uint8_t out[32];
    assert_int_equal(wire_tcp_opts_len(&fast), 12);
    assert_int_equal(wire_tcp_build(out, &fast), 32);
    assert_true(wire_tcp_is_ts_only(out));
    const uint8_t want[] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
    assert_memory_equal(out + 20, want, 12);
    assert_int_equal(OPT(1, 1, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8).ts_ecr, 0x05060708);
}

/* If this fails, an option from the future breaks connections today.
 * [RFC 9293 3.1 MUST-4, MUST-6; 3.2 MUST-64] */
static void unknown_options_are_skipped(void **state)
{
    (void)state;
    for (unsigned kind = 2; kind < 256; kind++) {
        struct wire_tcp h = OPT((uint8_t)kind, 7, 1, 2, 3, 4, 5, 2, 4, 5, 0xb4);
        assert_int_equal(h.has & TCPH_MSS, TCPH_MSS);
        assert_int_equal(h.has & TCPH_MALFORMED, 0);
        assert_int_equal(h.mss, 1460);
    }
    /* Known kinds with wrong lengths are no better known. */
    assert_int_equal(OPT(2, 3, 0).has, TCPH_UNKNOWN);
    assert_int_equal(OPT(3, 4, 0, 0).has, TCPH_UNKNOWN);
    assert_int_equal(OPT(4, 3, 0).has, TCPH_UNKNOWN);
    assert_int_equal(OPT(5, 2).has, TCPH_UNKNOWN);
    assert_int_equal(OPT(5, 6, 0, 0, 0, 0).has, TCPH_UNKNOWN);
    assert_int_equal(OPT(8, 6, 0, 0, 0, 0).has, TCPH_UNKNOWN);
    assert_int_equal(OPT(19, 3, 0).has, TCPH_UNKNOWN);
    assert_int_equal(OPT(254, 4, 0xf9, 0x88).has, TCPH_UNKNOWN);
}

/* If this fails, a zero-length option hangs the stack, or one that lies makes it read the payload.
 * [RFC 9293 3.1 MUST-7] */
static void malformed_options_end_the_walk(void **state)
{
    (void)state;
    assert_int_equal(OPT(2, 4, 5, 0xb4, 3, 0, 1, 1).has, TCPH_MSS | TCPH_MALFORMED);
    assert_int_equal(OPT(2, 4, 5, 0xb4, 3, 1, 1, 1).has, TCPH_MSS | TCPH_MALFORMED);
    assert_int_equal(OPT(2, 4, 5, 0xb4, 8, 10, 1, 1).has, TCPH_MSS | TCPH_MALFORMED);
    assert_int_equal(OPT(1, 1, 1, 2).has, TCPH_MALFORMED);
    assert_int_equal(OPT(1, 1, 2, 4).has, TCPH_MALFORMED);
    assert_int_equal(OPT(0, 2, 4, 5, 0xb4).has, 0);
}

/* If this fails, a peer's shift count of 15 gives it a window of 2 GiB. [RFC 7323 2.3 MUST-8] */
static void window_scale_is_capped(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 256; shift++) {
        struct wire_tcp h = OPT(3, 3, (uint8_t)shift);
        assert_int_equal(h.has, TCPH_WSCALE);
        assert_int_equal(h.wscale, shift < 14 ? shift : 14);
    }
}

/* If this fails, data in the SYN is accepted on the strength of half a cookie.
 * [RFC 7413 4.1.1, RFC 6994 3] */
static void fast_open(void **state)
{
    (void)state;
    for (unsigned exp = 0; exp <= 1; exp++) {
        for (unsigned len = 0; len <= 34; len++) {
            uint8_t o[40] = {exp ? 254 : 34, (uint8_t)(2 + 2 * exp + len), 0xf9, 0x89};
            memset(o + 2 + 2 * exp, 0, 2);
            for (unsigned i = 0; i < len; i++)
                o[2 + 2 * exp + i] = (uint8_t)(i + 1);
            struct wire_tcp h = parse(o, 40);
            bool fits = len % 2 == 0 && (len == 0 || (len >= 4 && len <= 16));
            uint16_t want = TCPH_FASTOPEN | (exp ? TCPH_FASTOPEN_EXP : 0);
            assert_int_equal(h.has, fits ? want : TCPH_UNKNOWN);
            if (!fits)
                continue;
            uint8_t out[60];
            assert_int_equal(h.cookie_len, len);
            assert_memory_equal(h.cookie, o + 2 + 2 * exp, len);
            unsigned n = wire_tcp_build(out, &h);
            assert_int_equal(n, 20 + (2 + 2 * exp + len + 3) / 4 * 4);
            assert_memory_equal(out + 20, o, 2 + 2 * exp + len);
            for (unsigned i = 20 + 2 + 2 * exp + len; i < n; i++)
                assert_int_equal(out[i], TCPO_NOP);
        }
    }
}

/* If this fails, a scalable sender reads congestion marks into the wrong counter.
 * [RFC 9768 3.2.3 MUST-48, MUST-49, MUST-50] */
static void accurate_ecn(void **state)
{
    (void)state;
    struct wire_tcp h = OPT(172, 11, 0, 0, 1, 0, 0, 2, 0xff, 0xff, 0xff);
    assert_int_equal(h.has, TCPH_ACCECN);
    assert_int_equal(h.acc_n, 3);
    assert_int_equal(h.acc_e0b, 1);
    assert_int_equal(h.acc_ceb, 2);
    assert_int_equal(h.acc_e1b, 0xffffff);
    h = OPT(174, 11, 0, 0, 1, 0, 0, 2, 0, 0, 3);
    assert_int_equal(h.acc_order, 1);
    assert_int_equal(h.acc_e1b, 1);
    assert_int_equal(h.acc_e0b, 3);
    for (unsigned len = 0; len <= 12; len++) {
        uint8_t o[16] = {172, (uint8_t)(2 + len), 0, 0, 1, 0, 0, 2, 0, 0, 3};
        memset(o + 2 + len, 0, 14 - len);
        h = parse(o, 16);
        assert_int_equal(h.has, TCPH_ACCECN);
        assert_int_equal(h.acc_n, len / 3 > 3 ? 3 : len / 3);
        assert_int_equal(h.acc_e0b, len >= 3 ? 1 : 0);
        assert_int_equal(h.acc_ceb, len >= 6 ? 2 : 0);
        assert_int_equal(h.acc_e1b, len >= 9 ? 3 : 0);
    }
    /* The option's odd end takes the place of other options' padding. */
    const uint8_t want[] = {2, 4, 5, 0xb4, 4,   2, 8, 10, 0, 0, 0, 0,
                            0, 0, 0, 0,    174, 5, 0, 0,  1, 3, 3, 7};
    uint8_t out[60];
    h = (struct wire_tcp){.mss = 1460, .wscale = 7, .acc_order = 1, .acc_n = 1, .acc_e1b = 1};
    h.has = TCPH_MSS | TCPH_SACK_OK | TCPH_TS | TCPH_WSCALE | TCPH_ACCECN;
    assert_int_equal(wire_tcp_build(out, &h), 20 + sizeof want);
    assert_memory_equal(out + 20, want, sizeof want);
}

/* If this fails, signed segments pass for unsigned ones. [RFC 2385 3, RFC 5925 2.2] */
static void signatures_are_noticed(void **state)
{
    (void)state;
    const uint8_t md5[18] = {19, 18}, ao[16] = {29, 16, 1, 2};
    assert_int_equal(parse(md5, 18).has, TCPH_MD5);
    assert_int_equal(parse(ao, 16).has, TCPH_AO);
    assert_int_equal(OPT(29, 3, 0).has, TCPH_UNKNOWN);
}

/* If this fails, two options of a kind are half believed each. */
static void the_last_of_a_kind_counts(void **state)
{
    (void)state;
    assert_int_equal(OPT(2, 4, 5, 0xb4, 2, 4, 2, 0).mss, 512);
    assert_int_equal(OPT(3, 3, 1, 3, 3, 2).wscale, 2);
    struct wire_tcp h = OPT(5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, /* two blocks */
                            5, 10, 0, 0, 0, 5, 0, 0, 0, 6);
    assert_int_equal(h.n_sack, 1);
    assert_int_equal(h.sack[0].start, 5);
    h = OPT(254, 4, 0xf9, 0x89, 34, 6, 1, 2, 3, 4);
    assert_int_equal(h.has, TCPH_FASTOPEN);
    assert_int_equal(h.cookie_len, 4);
}

/* If this fails, some combination of options cannot be sent. Every one that fits a header is built,
 * padded to words, and read back. */
static void all_combinations_round_trip(void **state)
{
    (void)state;
    unsigned fitting = 0;
    for (unsigned has = 0; has < 256; has++) {
        if ((has & TCPH_FASTOPEN_EXP) != 0 && (has & TCPH_FASTOPEN) == 0)
            continue;
        for (unsigned size = 0; size < 4 * 4 * 3; size++) {
            struct wire_tcp h = {.sport = 1, .dport = 2, .has = (uint16_t)has, .mss = 536};
            h.wscale = 14, h.ts_val = 0xaabbccdd, h.ts_ecr = 0x11223344;
            h.n_sack = (has & TCPH_SACK) != 0 ? (uint8_t)(1 + size % 4) : 0;
            h.acc_n = (uint8_t)(size / 4 % 4), h.acc_order = (uint8_t)(size & 1);
            h.cookie_len = (uint8_t)(size / 16 * 8);
            unsigned len = wire_tcp_opts_len(&h);
            assert_int_equal(len % 4, 0);
            if (len > 40)
                continue;
            uint8_t out[60], again[60];
            struct wire_tcp g = {.sport = 0};
            assert_int_equal(wire_tcp_build(out, &h), 20 + len);
            assert_int_equal(wire_tcp_parse(out, 20 + len, &g), DROP_NONE);
            assert_int_equal(g.has, has);
            assert_int_equal(g.n_sack, h.n_sack);
            assert_int_equal(wire_tcp_build(again, &g), 20 + len);
            assert_memory_equal(out, again, 20 + len);
            fitting++;
        }
    }
    assert_true(fitting > 3000);
}

/* If this fails, a receiver takes our padding for options: every option has its length, the
 * rest of the header is no-operations, and nothing follows an end of the list.
 * [RFC 9293 3.1 MUST-68, MUST-69] */
static void lists_are_filled_with_no_operations(void **state)
{
    (void)state;
    for (unsigned has = 0; has < 256; has++) {
        struct wire_tcp h = {
            .has = (uint16_t)(has & ~(unsigned)TCPH_FASTOPEN_EXP), .n_sack = 1, .acc_n = 1};
        uint8_t out[60];
        if (wire_tcp_opts_len(&h) > 40)
            continue;
        unsigned at = 20, end = wire_tcp_build(out, &h);
        while (at < end) {
            assert_int_not_equal(out[at], TCPO_EOL);
            at += out[at] == TCPO_NOP ? 1 : out[at + 1];
        }
        assert_int_equal(at, end);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(fixed_fields),
    cmocka_unit_test(data_offset),
    cmocka_unit_test(syn_as_linux_writes_it),
    cmocka_unit_test(sack_as_linux_writes_it),
    cmocka_unit_test(timestamps_fast_and_slow),
    cmocka_unit_test(unknown_options_are_skipped),
    cmocka_unit_test(malformed_options_end_the_walk),
    cmocka_unit_test(window_scale_is_capped),
    cmocka_unit_test(fast_open),
    cmocka_unit_test(accurate_ecn),
    cmocka_unit_test(signatures_are_noticed),
    cmocka_unit_test(the_last_of_a_kind_counts),
    cmocka_unit_test(all_combinations_round_trip),
    cmocka_unit_test(lists_are_filled_with_no_operations),
};
UNIT_MAIN(tests)
