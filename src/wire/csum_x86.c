/* SPDX-License-Identifier: Apache-2.0
 *
 * The checksum's wide loops for x86-64: AVX2, and AVX-512 with VNNI. And which of them can run.
 *
 * A 16-bit word with its top bit flipped is, as a signed word, 2^15 less. Signed words can be added
 * in pairs into 32-bit lanes by one instruction: multiply-add with ones (AVX2, and an add), or dot
 * product (AVX-512 VNNI), which does both. What was subtracted is known and added back at the end.
 * Two or three instructions per vector, spread over different ports, so that loading is the limit.
 *
 * A masked load takes AVX-512's tail without touching what is beyond it. A processor that has
 * AVX-512 but not VNNI is as old as AVX-512's clock penalty, and better served by AVX2.
 *
 * Owns nothing, keeps nothing: csum_best_isa() asks the processor each time. Called through the
 * table in csum.c. Functions are compiled for their instruction set one by one; the file is not.
 *
 * Read first: csum.c. Intel SDM volume 1, 14.3 and 15.2-15.4 (how to detect AVX2 and AVX-512).
 */
#include <cpuid.h>
#include <immintrin.h>

#include "wire/csum.h"
#include "wire/csum_isa.h"

#define TARGET_AVX2   __attribute__((target("avx2")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,bmi2")))

/* ---- which ---------------------------------------------------------------------------------- */

/* The register state the operating system saves: bits 1, 2 SSE and AVX; 5, 6, 7 AVX-512. */
static unsigned saved_state(void)
{
    unsigned lo, hi;
    __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return lo;
}

enum csum_isa csum_best_isa(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0)
        return CSUM_SCALAR;
    unsigned state = saved_state();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & bit_AVX2) == 0 || (state & 0x06) != 0x06)
        return CSUM_SCALAR;
    bool has_512 = (b & bit_AVX512F) != 0 && (b & bit_AVX512BW) != 0 && (b & bit_AVX512VL) != 0 &&
                   (b & bit_BMI2) != 0 && (c & bit_AVX512VNNI) != 0;
    return has_512 && (state & 0xe6) == 0xe6 ? CSUM_AVX512 : CSUM_AVX2;
}

/* ---- AVX2 ----------------------------------------------------------------------------------- */

TARGET_AVX2 static inline __m256i load256(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* Adds the words of x, each less 2^15. */
TARGET_AVX2 static inline __m256i add256(__m256i acc, __m256i x)
{
    const __m256i top = _mm256_set1_epi16((short)0x8000);
    return _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_xor_si256(x, top), _mm256_set1_epi16(1)));
}

/* The lanes of an accumulator that took `words` words, as the sum of the words. */
TARGET_AVX2 static inline uint64_t total256(__m256i acc, size_t words)
{
    __m128i x = _mm_add_epi32(_mm256_castsi256_si128(acc), _mm256_extracti128_si256(acc, 1));
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4e));
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1));
    return (uint64_t)(((int64_t)words << 15) + _mm_cvtsi128_si32(x));
}

TARGET_AVX2 uint64_t csum_avx2_sum(const uint8_t *p, size_t n)
{
    if (n < 64)
        return csum_scalar_sum(p, n);
    __m256i a = _mm256_setzero_si256(), b = a;
    size_t at = 0;
    for (; at + 64 <= n; at += 64) {
        a = add256(a, load256(p + at));
        b = add256(b, load256(p + at + 32));
    }
    if (at + 32 <= n) {
        a = add256(a, load256(p + at));
        at += 32;
    }
    return total256(_mm256_add_epi32(a, b), at / 2) + csum_scalar_sum(p + at, n - at);
}

TARGET_AVX2 uint64_t csum_avx2_copy(uint8_t *to, const uint8_t *p, size_t n)
{
    if (n < 64)
        return csum_scalar_copy(to, p, n);
    __m256i a = _mm256_setzero_si256(), b = a;
    size_t at = 0;
    for (; at + 64 <= n; at += 64) {
        __m256i x = load256(p + at), y = load256(p + at + 32);
        _mm256_storeu_si256((__m256i *)(void *)(to + at), x);
        _mm256_storeu_si256((__m256i *)(void *)(to + at + 32), y);
        a = add256(a, x);
        b = add256(b, y);
    }
    return total256(_mm256_add_epi32(a, b), at / 2) + csum_scalar_copy(to + at, p + at, n - at);
}

/* ---- AVX-512 -------------------------------------------------------------------------------- */

TARGET_AVX512 static inline __m512i add512(__m512i acc, __m512i x)
{
    const __m512i top = _mm512_set1_epi16((short)0x8000);
    return _mm512_dpwssd_epi32(acc, _mm512_xor_si512(x, top), _mm512_set1_epi16(1));
}

TARGET_AVX512 static inline uint64_t total512(__m512i acc, size_t words)
{
    __m256i x = _mm256_add_epi32(_mm512_castsi512_si256(acc), _mm512_extracti64x4_epi64(acc, 1));
    return total256(x, words);
}

/* The lowest n < 64 bits. */
TARGET_AVX512 static inline __mmask64 mask_of(size_t n)
{
    return _bzhi_u64(UINT64_MAX, (unsigned)n);
}

TARGET_AVX512 uint64_t csum_avx512_sum(const uint8_t *p, size_t n)
{
    __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
    size_t at = 0;
    for (; at + 256 <= n; at += 256) {
        a = add512(a, _mm512_loadu_si512(p + at));
        b = add512(b, _mm512_loadu_si512(p + at + 64));
        c = add512(c, _mm512_loadu_si512(p + at + 128));
        d = add512(d, _mm512_loadu_si512(p + at + 192));
    }
    for (; at + 64 <= n; at += 64)
        a = add512(a, _mm512_loadu_si512(p + at));
    /* The tail may be nothing: 32 zero words, which cancel out. */
    b = add512(b, _mm512_maskz_loadu_epi8(mask_of(n - at), p + at));
    a = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
    return total512(a, at / 2 + 32);
}

TARGET_AVX512 uint64_t csum_avx512_copy(uint8_t *to, const uint8_t *p, size_t n)
{
    __m512i a = _mm512_setzero_si512(), b = a;
    size_t at = 0;
    for (; at + 128 <= n; at += 128) {
        __m512i x = _mm512_loadu_si512(p + at), y = _mm512_loadu_si512(p + at + 64);
        _mm512_storeu_si512(to + at, x);
        _mm512_storeu_si512(to + at + 64, y);
        a = add512(a, x);
        b = add512(b, y);
    }
    if (at + 64 <= n) {
        __m512i x = _mm512_loadu_si512(p + at);
        _mm512_storeu_si512(to + at, x);
        a = add512(a, x);
        at += 64;
    }
    __m512i x = _mm512_maskz_loadu_epi8(mask_of(n - at), p + at);
    _mm512_mask_storeu_epi8(to + at, mask_of(n - at), x);
    b = add512(b, x);
    return total512(_mm512_add_epi32(a, b), at / 2 + 32);
}
