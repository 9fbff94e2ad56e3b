/* SPDX-License-Identifier: Apache-2.0
 *
 * The Internet checksum [RFC 1071], plain and fused with a copy, in three instruction sets.
 *
 * A running sum is a uint32_t in the machine's own byte order: an opaque value that goes from one
 * call to the next and ends in csum_fold(). What csum_fold() and csum_update*() return and take is
 * the number of the RFCs, in host order, to be stored with w_put16().
 *
 *     sum = csum_pseudo(&src, &dst, PROTO_TCP, len);
 *     sum = csum_partial(isa, segment, len, sum);
 *     w_put16(segment + 16, csum_fold(sum));          // sending, the field was 0
 *     ok = csum_fold(sum) == 0;                       // receiving
 */
#ifndef WEIR_WIRE_CSUM_H
#define WEIR_WIRE_CSUM_H

#include "base/addr.h"

struct pkt;

/* Chosen once, by run/ or a test, and kept by the stack: all of them give the same result. */
enum csum_isa { CSUM_SCALAR, CSUM_AVX2, CSUM_AVX512, CSUM_ISA_N };

/* The widest this processor and operating system can run. Reads cpuid, keeps nothing. */
enum csum_isa csum_best_isa(void);

/* Adds n bytes, as if they stood at an even offset of what is summed. */
uint32_t csum_partial(enum csum_isa isa, const void *data, size_t n, uint32_t sum);
/* The same over src while copying it to dst; they do not overlap. */
uint32_t csum_copy(enum csum_isa isa, void *dst, const void *src, size_t n, uint32_t sum);
/* Adds bytes off .. off + n of a packet, counted from its first linear byte, over linear part and
 * fragments; they must lie inside the packet. `off` counts as even. */
uint32_t csum_pkt(enum csum_isa isa, const struct pkt *p, uint32_t off, uint32_t n, uint32_t sum);
/* The pseudo-header of TCP, UDP and ICMPv6: IPv4's if both addresses are IPv4 [RFC 9293 3.1], else
 * IPv6's [RFC 8200 8.1]. len: upper-layer header and data. */
uint32_t csum_pseudo(const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t len);

/* Two sums as one; a's bytes in front of b's, b's at an even offset. */
static inline uint32_t csum_add(uint32_t a, uint32_t b)
{
    uint64_t s = (uint64_t)a + b;
    return (uint32_t)(s + (s >> 32));
}
/* The same where b's bytes start at offset `off` of the whole, which may be odd [RFC 1071 2(B)]. */
static inline uint32_t csum_add_at(uint32_t a, uint32_t b, size_t off)
{
    return csum_add(a, (off & 1) != 0 ? b << 8 | b >> 24 : b);
}
/* The 16-bit sum, not complemented: what the field of a CSUM_TODO packet holds. */
static inline uint16_t csum_half(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    uint8_t b[2];
    uint16_t native = (uint16_t)sum;
    memcpy(b, &native, 2);
    return w_be16(b);
}
/* The checksum: complement of the 16-bit sum. 0 over data that includes a right one. */
static inline uint16_t csum_fold(uint32_t sum) { return (uint16_t)~csum_half(sum); }
/* UDP: 0 would say "no checksum" [RFC 768]. */
static inline uint16_t csum_nonzero(uint16_t csum) { return csum != 0 ? csum : 0xffff; }

/* A checksum after a 16-bit (32-bit) field at an even offset changed from `from` to `to`, all in
 * host order: equation 3 of RFC 1624. */
static inline uint16_t csum_update16(uint16_t csum, uint16_t from, uint16_t to)
{
    uint32_t s = (uint16_t)~csum + (uint32_t)(uint16_t)~from + to;
    s = (s & 0xffff) + (s >> 16);
    return (uint16_t) ~(s + (s >> 16));
}
static inline uint16_t csum_update32(uint16_t csum, uint32_t from, uint32_t to)
{
    csum = csum_update16(csum, (uint16_t)(from >> 16), (uint16_t)(to >> 16));
    return csum_update16(csum, (uint16_t)from, (uint16_t)to);
}

#endif
