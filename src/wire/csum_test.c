/* SPDX-License-Identifier: Apache-2.0
 *
 * The checksum against the two-bytes-at-a-time definition of RFC 1071, in every instruction set
 * this machine has.
 */
#include "unit.h"

#include <stdlib.h>

#include "base/rng.h"
#include "pkt/pkt.h"
#include "wire/csum.h"

/* The definition: big-endian words, an odd byte padded with zero, carries folded. */
static uint16_t naive(const uint8_t *p, size_t n, uint64_t sum)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += w_be16(p + i);
    if (n % 2 != 0)
        sum += (uint64_t)p[n - 1] << 8;
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void fill(uint8_t *p, size_t n, uint64_t seed)
{
    struct rng r;
    rng_seed(&r, seed);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)rng_u32(&r);
}

/* All sets agree with the definition on these bytes, plain and while copying. */
static void check_all(const uint8_t *p, size_t n)
{
    uint8_t *to = malloc(n + 1);
    assert_non_null(to);
    uint16_t want = naive(p, n, 0);
    for (unsigned isa = 0; isa <= (unsigned)csum_best_isa(); isa++) {
        assert_int_equal(csum_half(csum_partial((enum csum_isa)isa, p, n, 0)), want);
        memset(to, 0xa5, n + 1);
        assert_int_equal(csum_half(csum_copy((enum csum_isa)isa, to, p, n, 0)), want);
        assert_memory_equal(to, p, n);
        assert_int_equal(to[n], 0xa5);
    }
    free(to);
}

/* If this fails, segments of some length or alignment are sent with a checksum that every receiver
 * rejects: connections hang for one transfer in a hundred. */
static void all_lengths_and_alignments(void **state)
{
    (void)state;
    uint8_t *buf = aligned_alloc(64, 384);
    assert_non_null(buf);
    fill(buf, 384, 1);
    for (size_t align = 0; align < 64; align++)
        for (size_t n = 0; n <= 300; n++)
            check_all(buf + align, n);
    free(buf);
}

/* If this fails, a loop reads past the last byte: a crash when a block ends a page. */
static void ends_of_exact_buffers(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 300; n++) {
        uint8_t *buf = malloc(n ? n : 1);
        assert_non_null(buf);
        fill(buf, n, n);
        check_all(buf, n);
        free(buf);
    }
}

/* If this fails, lanes overflow: jumbo super-segments of large values get a wrong checksum. */
static void long_and_extreme(void **state)
{
    (void)state;
    enum { MAX = 300000 };
    static const size_t len[] = {1460, 8948, 65495, 65535, 65536, 65537, 131072, 131073, MAX};
    uint8_t *buf = malloc(MAX + 64);
    assert_non_null(buf);
    for (unsigned kind = 0; kind < 4; kind++) {
        if (kind == 0)
            fill(buf, MAX + 64, 7);
        else
            memset(buf, kind == 1 ? 0xff : kind == 2 ? 0x7f : 0x80, MAX + 64);
        for (unsigned i = 0; i < WEIR_COUNT(len); i++)
            for (size_t align = 0; align < 3; align++)
                check_all(buf + align, len[i]);
    }
    struct rng r;
    rng_seed(&r, 3);
    fill(buf, MAX, 9);
    for (unsigned i = 0; i < 200; i++)
        check_all(buf + rng_below(&r, 64), rng_below(&r, 70000));
    free(buf);
}

/* If this fails, sums that run on from piece to piece (header, then payload) are wrong. */
static void running_sums(void **state)
{
    (void)state;
    uint8_t buf[200];
    fill(buf, sizeof buf, 5);
    for (unsigned isa = 0; isa <= (unsigned)csum_best_isa(); isa++) {
        for (size_t cut = 0; cut <= sizeof buf; cut += 2) {
            uint32_t s = csum_partial((enum csum_isa)isa, buf, cut, 0);
            s = csum_partial((enum csum_isa)isa, buf + cut, sizeof buf - cut, s);
            assert_int_equal(csum_half(s), naive(buf, sizeof buf, 0));
        }
        for (size_t cut = 0; cut <= sizeof buf; cut++) {
            uint32_t a = csum_partial((enum csum_isa)isa, buf, cut, 0xffffffff);
            uint32_t b = csum_partial((enum csum_isa)isa, buf + cut, sizeof buf - cut, 0);
            assert_int_equal(csum_half(csum_add_at(a, b, cut)), naive(buf, sizeof buf, 0xffff));
        }
    }
}

/* If this fails, no peer accepts a segment of ours: the pseudo-header is wrong. */
static void pseudo_headers(void **state)
{
    (void)state;
    struct addr a4 = addr_ip4(0xc0a80001), b4 = addr_ip4(0x0a00ffee), a6, b6;
    uint8_t v4[12], v6[40];
    memcpy(v4, addr_ip4_bytes(&a4), 4);
    memcpy(v4 + 4, addr_ip4_bytes(&b4), 4);
    w_put32(v4 + 8, 6u << 16 | 1480);
    assert_int_equal(csum_half(csum_pseudo(&a4, &b4, 6, 1480)), naive(v4, 12, 0));

    fill(a6.b, 16, 11);
    fill(b6.b, 16, 12);
    memcpy(v6, a6.b, 16);
    memcpy(v6 + 16, b6.b, 16);
    w_put32(v6 + 32, 70000);
    w_put32(v6 + 36, 58);
    assert_int_equal(csum_half(csum_pseudo(&a6, &b6, 58, 70000)), naive(v6, 40, 0));
    memset(a6.b, 0xff, 16);
    memset(b6.b, 0xff, 16);
    memset(v6, 0xff, 32);
    assert_int_equal(csum_half(csum_pseudo(&a6, &b6, 58, 70000)), naive(v6, 40, 0));
}

/* If this fails, a forwarded packet's checksum is broken by the hop it saved recomputing.
 * [RFC 1624 3, 4: the example, and every 16-bit change against recomputation] */
static void incremental_updates(void **state)
{
    (void)state;
    assert_int_equal(csum_update16(0xdd2f, 0x5555, 0x3285), 0x0000);
    static const uint16_t edge[] = {0, 1, 0xff, 0x100, 0x7fff, 0x8000, 0xff00, 0xfffe, 0xffff};
    for (unsigned y = 1; y < WEIR_COUNT(edge); y++) {
        for (uint32_t from = 0; from <= 0xffff; from++) {
            for (unsigned k = 0; k < WEIR_COUNT(edge) + 2; k++) {
                uint16_t to = k < WEIR_COUNT(edge) ? edge[k] : (uint16_t)(from + 1 + 0x1234 * k);
                uint8_t before[4], after[4];
                w_put16(before, edge[y]);
                w_put16(before + 2, (uint16_t)from);
                w_put16(after, edge[y]);
                w_put16(after + 2, to);
                uint16_t csum = (uint16_t)~naive(before, 4, 0);
                uint16_t want = (uint16_t)~naive(after, 4, 0);
                if (csum_update16(csum, (uint16_t)from, to) != want)
                    fail_msg("%x: %x to %x", edge[y], from, to);
            }
        }
    }
}

/* If this fails, translating an address or a timestamp breaks the checksum. */
static void incremental_updates_of_words(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 4);
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t b[8];
        w_put32(b, rng_u32(&r) | 1);
        w_put32(b + 4, rng_below(&r, 4) ? rng_u32(&r) : 0);
        uint16_t csum = (uint16_t)~naive(b, 8, 0);
        uint32_t from = w_be32(b + 4), to = rng_below(&r, 4) ? rng_u32(&r) : 0xffffffff;
        w_put32(b + 4, to);
        assert_int_equal(csum_update32(csum, from, to), (uint16_t)~naive(b, 8, 0));
    }
}

/* If this fails, UDP over IPv6 sends datagrams that say "no checksum". */
static void zero_is_sent_as_ones(void **state)
{
    (void)state;
    assert_int_equal(csum_nonzero(0), 0xffff);
    assert_int_equal(csum_nonzero(1), 1);
    assert_int_equal(csum_fold(0), 0xffff);
    assert_int_equal(csum_fold(0xffff), 0);
    assert_int_equal(csum_fold(0xffffffff), 0);
}

/* If this fails, a packet whose payload lies in pieces of odd length is sent with a bad checksum:
 * an application that writes in odd sizes never gets its data through. */
static void over_fragments(void **state)
{
    (void)state;
    uint8_t flat[61], parts[61];
    fill(flat, sizeof flat, 6);
    memcpy(parts, flat, sizeof flat);
    static const uint8_t cut[][4] = {
        {20, 33, 50, 61}, {7, 8, 9, 61}, {0, 1, 60, 61}, {13, 13, 40, 61}};
    for (unsigned c = 0; c < WEIR_COUNT(cut); c++) {
        struct blk b[3] = {{.mem = parts}, {.mem = parts}, {.mem = parts}};
        struct pkt p = {.head = parts, .lin = cut[c][0], .len = sizeof flat, .nfrag = 3};
        for (unsigned i = 0; i < 3; i++)
            p.frag[i] = (struct frag){&b[i], cut[c][i], (uint32_t)(cut[c][i + 1] - cut[c][i])};
        for (uint32_t off = 0; off <= sizeof flat; off++) {
            for (uint32_t n = 0; n <= sizeof flat - off; n++) {
                uint32_t s = csum_pkt(csum_best_isa(), &p, off, n, 0);
                assert_int_equal(csum_half(s), naive(flat + off, n, 0));
            }
        }
        WEIR_EXPECT_ASSERT(csum_pkt(CSUM_SCALAR, &p, 1, sizeof flat, 0));
        WEIR_EXPECT_ASSERT(csum_pkt(CSUM_SCALAR, &p, sizeof flat + 1, 0, 0));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_lengths_and_alignments),
    cmocka_unit_test(ends_of_exact_buffers),
    cmocka_unit_test(long_and_extreme),
    cmocka_unit_test(running_sums),
    cmocka_unit_test(pseudo_headers),
    cmocka_unit_test(incremental_updates),
    cmocka_unit_test(incremental_updates_of_words),
    cmocka_unit_test(zero_is_sent_as_ones),
    cmocka_unit_test(over_fragments),
};
UNIT_MAIN(tests)
