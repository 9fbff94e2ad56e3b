/* SPDX-License-Identifier: Apache-2.0
 *
 * The Internet checksum: choice of a loop, the portable loop, and the pseudo-header.
 *
 * Theory of operation. One's-complement addition of 16-bit words does not care about byte order
 * (swapping the bytes of every word swaps those of the sum) nor about word size: 2^16 = 1 modulo
 * 2^16 - 1, so that 64-bit words may be added, with the carry out added back in, and folded to 16
 * bits at the end [RFC 1071 2]. Sums therefore stay in the machine's order and width until
 * csum_fold().
 *
 * Decides nothing; owns nothing: the instruction set is the caller's argument and indexes a const
 * table. Called by every room that sends or receives; csum_x86.c has the wide loops.
 *
 * Keeps: all instruction sets give the same 16-bit sum for the same bytes (the 32-bit intermediate
 * values may differ); nothing outside [data, data + n) is read.
 *
 * Read first: RFC 1071, RFC 1624.
 */
#include "wire/csum.h"

#include "wire/csum_isa.h"

/* a + w with the carry out added back in. Compilers turn the C into compares and vectors. */
#if defined(__x86_64__)
static inline uint64_t add64(uint64_t a, uint64_t w)
{
    __asm__("addq %1, %0\n\tadcq $0, %0" : "+r"(a) : "r"(w) : "cc");
    return a;
}
#else
static inline uint64_t add64(uint64_t a, uint64_t w)
{
    a += w;
    return a + (a < w);
}
#endif

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    return w;
}

/* 64 bits to 32, the same modulo 2^16 - 1. */
static inline uint32_t fold64(uint64_t s)
{
    s = (s & 0xffffffff) + (s >> 32);
    return (uint32_t)(s + (s >> 32));
}

/* Up to 7 bytes. Which 16-bit word a pair of bytes is added to does not matter, only which byte of
 * a pair comes first. */
static inline uint64_t sum_tail(const uint8_t *p, size_t n)
{
    uint32_t w4 = 0;
    uint16_t w2 = 0, w1 = 0;
    if ((n & 4) != 0)
        memcpy(&w4, p, 4);
    if ((n & 2) != 0)
        memcpy(&w2, p + (n & 4), 2);
    if ((n & 1) != 0)
        memcpy(&w1, (const uint8_t[2]){p[n & 6], 0}, 2);
    return (uint64_t)w4 + w2 + w1;
}

/* Four independent chains, since each add waits for the carry of the one before. */
uint64_t csum_scalar_sum(const uint8_t *p, size_t n)
{
    uint64_t a = 0, b = 0, c = 0, d = 0;
    for (; n >= 32; p += 32, n -= 32) {
        a = add64(a, load64(p));
        b = add64(b, load64(p + 8));
        c = add64(c, load64(p + 16));
        d = add64(d, load64(p + 24));
    }
    for (; n >= 8; p += 8, n -= 8)
        a = add64(a, load64(p));
    b = add64(b, sum_tail(p, n));
    return (uint64_t)fold64(a) + fold64(b) + fold64(c) + fold64(d);
}

/* Twice over data in the first-level cache is faster than what compilers make of one loop. */
uint64_t csum_scalar_copy(uint8_t *to, const uint8_t *p, size_t n)
{
    memcpy(to, p, n);
    return csum_scalar_sum(p, n);
}

static const struct csum_loops {
    uint64_t (*sum)(const uint8_t *p, size_t n);
    uint64_t (*copy)(uint8_t *to, const uint8_t *p, size_t n);
} loops[CSUM_ISA_N] = {
    [CSUM_SCALAR] = {csum_scalar_sum, csum_scalar_copy},
    [CSUM_AVX2] = {csum_avx2_sum, csum_avx2_copy},
    [CSUM_AVX512] = {csum_avx512_sum, csum_avx512_copy},
};

/* A header: vectors would cost more than they save. */
static inline uint64_t sum_short(const uint8_t *p, size_t n)
{
    uint64_t s = 0;
    for (; n >= 8; p += 8, n -= 8)
        s = add64(s, load64(p));
    return fold64(add64(s, sum_tail(p, n)));
}

uint32_t csum_partial(enum csum_isa isa, const void *data, size_t n, uint32_t sum)
{
    enum { SHORT = 64 };
    WEIR_CHECK(isa < CSUM_ISA_N);
    const uint8_t *p = data;
    if (n <= SHORT)
        return fold64(sum_short(p, n) + sum);
    for (; WEIR_UNLIKELY(n > CSUM_CHUNK); p += CSUM_CHUNK, n -= CSUM_CHUNK)
        sum = fold64(loops[isa].sum(p, CSUM_CHUNK) + sum);
    return fold64(loops[isa].sum(p, n) + sum);
}

uint32_t csum_copy(enum csum_isa isa, void *dst, const void *src, size_t n, uint32_t sum)
{
    WEIR_CHECK(isa < CSUM_ISA_N);
    const uint8_t *p = src;
    uint8_t *to = dst;
    for (; WEIR_UNLIKELY(n > CSUM_CHUNK); p += CSUM_CHUNK, to += CSUM_CHUNK, n -= CSUM_CHUNK)
        sum = fold64(loops[isa].copy(to, p, CSUM_CHUNK) + sum);
    return fold64(loops[isa].copy(to, p, n) + sum);
}

uint32_t csum_pseudo(const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t len)
{
    uint8_t tail[8];
    w_put32(tail, len);
    w_put32(tail + 4, proto);
    uint64_t s = add64(load64(tail), (uint64_t)src->w[3] + dst->w[3]);
    if (!addr_is_ip4(src) || !addr_is_ip4(dst)) {
        s = add64(s, (uint64_t)src->w[0] + src->w[1] + src->w[2]);
        s = add64(s, (uint64_t)dst->w[0] + dst->w[1] + dst->w[2]);
    }
    return fold64(s);
}
