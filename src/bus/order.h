/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that host and device both touch while they run: in which order the other one sees it.
 *
 * The one place below the operating system that has words for it. The other side is hardware, or
 * the processor that plays hardware in a virtual machine; there is no second thread of ours. A word
 * that the other side may change at any time is read once with bus_load, so that what was checked
 * is what is used.
 */
#ifndef WEIR_BUS_ORDER_H
#define WEIR_BUS_ORDER_H

#include "base/base.h"

/* What was read before is not read later than what is read after. */
static inline void bus_order_reads(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
/* What was written before is seen before what is written after. */
static inline void bus_order_writes(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }
/* Both, and a write before is seen before a read after is done. */
static inline void bus_order_all(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

static inline uint16_t bus_load16(const uint16_t *at)
{
    return __atomic_load_n(at, __ATOMIC_RELAXED);
}
static inline uint32_t bus_load32(const uint32_t *at)
{
    return __atomic_load_n(at, __ATOMIC_RELAXED);
}
static inline void bus_store16(uint16_t *at, uint16_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELAXED);
}

/* Little-endian words of a device, to and from the host's order: the same swap both ways. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
static inline uint16_t bus_le16(uint16_t v) { return __builtin_bswap16(v); }
static inline uint32_t bus_le32(uint32_t v) { return __builtin_bswap32(v); }
static inline uint64_t bus_le64(uint64_t v) { return __builtin_bswap64(v); }
#else
static inline uint16_t bus_le16(uint16_t v) { return v; }
static inline uint32_t bus_le32(uint32_t v) { return v; }
static inline uint64_t bus_le64(uint64_t v) { return v; }
#endif

#endif
