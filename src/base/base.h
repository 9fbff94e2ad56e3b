/* SPDX-License-Identifier: Apache-2.0
 *
 * The vocabulary of every room: time, addresses, assertions, small arithmetic.
 *
 * Nothing here has state. Time and randomness are arguments everywhere below run/.
 */
#ifndef WEIR_BASE_H
#define WEIR_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <weir/assert.h>

/* Nanoseconds of a monotonic clock, always passed in from above. W_NEVER: no deadline. */
typedef uint64_t w_ns;
#define W_NEVER           UINT64_MAX
#define W_US              ((w_ns)1000)
#define W_MS              ((w_ns)1000000)
#define W_S               ((w_ns)1000000000)

#define WEIR_CACHELINE    64
#define WEIR_ALIGNED_LINE _Alignas(WEIR_CACHELINE)
#define WEIR_MUST_CHECK   __attribute__((warn_unused_result))
/* Rare work, kept out of the code of a caller that is not rare. */
#define WEIR_APART       __attribute__((noinline))
#define WEIR_LIKELY(x)   __builtin_expect(!!(x), 1)
#define WEIR_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define WEIR_COUNT(a)    (sizeof(a) / sizeof((a)[0]))

/* We have a bug: on in release builds too. */
#define WEIR_ASSERT(e)                                                                             \
    (WEIR_LIKELY(e) ? (void)0 : weir_assert_fail(#e, __FILE__, __LINE__, __func__))

/* A place that cannot be reached; `why` says what would have to be wrong. */
#define WEIR_NEVER_HERE(why) weir_assert_fail(why, __FILE__, __LINE__, __func__)

/* The costly kind: only in debug, fuzz and simulation builds. */
#if WEIR_CHECKS
#define WEIR_CHECK(e) WEIR_ASSERT(e)
#else
#define WEIR_CHECK(e) ((void)sizeof(e))
#endif

#define WEIR_MIN(a, b)                                                                             \
    __extension__({                                                                                \
        __typeof__(a) min_a_ = (a);                                                                \
        __typeof__(b) min_b_ = (b);                                                                \
        min_a_ < min_b_ ? min_a_ : min_b_;                                                         \
    })
#define WEIR_MAX(a, b)                                                                             \
    __extension__({                                                                                \
        __typeof__(a) max_a_ = (a);                                                                \
        __typeof__(b) max_b_ = (b);                                                                \
        max_a_ > max_b_ ? max_a_ : max_b_;                                                         \
    })

/* The object of type `type` whose member `member` is at p. */
#define WEIR_CONTAINER(p, type, member) ((type *)(void *)((uint8_t *)(p)-offsetof(type, member)))

static inline uint32_t w_u32_min(uint32_t a, uint32_t b) { return a < b ? a : b; }
static inline uint32_t w_u32_max(uint32_t a, uint32_t b) { return a > b ? a : b; }
static inline uint64_t w_u64_min(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t w_u64_max(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* a + b, or W_NEVER where that would wrap: "in b from now" with b = W_NEVER stays never. */
static inline w_ns w_ns_add(w_ns a, w_ns b) { return a > W_NEVER - b ? W_NEVER : a + b; }

/* Bytes on the wire are big-endian and unaligned. */
static inline uint16_t w_be16(const uint8_t *b) { return (uint16_t)(b[0] << 8 | b[1]); }
static inline uint32_t w_be32(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}
static inline uint64_t w_be64(const uint8_t *b)
{
    return (uint64_t)w_be32(b) << 32 | w_be32(b + 4);
}
static inline void w_put16(uint8_t *b, uint32_t v)
{
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}
static inline void w_put32(uint8_t *b, uint32_t v)
{
    b[0] = (uint8_t)(v >> 24);
    b[1] = (uint8_t)(v >> 16);
    b[2] = (uint8_t)(v >> 8);
    b[3] = (uint8_t)v;
}

#endif
