/* SPDX-License-Identifier: Apache-2.0
 *
 * The UDP header [RFC 768].
 */
#ifndef WEIR_WIRE_UDP_H
#define WEIR_WIRE_UDP_H

#include "base/base.h"
#include "pkt/drop.h"

enum { WIRE_UDP_HLEN = 8 };

struct wire_udp {
    uint16_t sport, dport;
    uint16_t len;  /* header and payload, 8..n; what is beyond it is not UDP's: trim */
    uint16_t csum; /* 0: the sender made none (IPv4 only) */
};

/* DROP_UDP_SHORT, DROP_UDP_LEN (< 8 or > n). */
WEIR_MUST_CHECK enum drop wire_udp_parse(const uint8_t *p, size_t n, struct wire_udp *h);
/* Writes WIRE_UDP_HLEN bytes, h->csum as it is, and returns the length. A computed checksum of 0 is
 * sent as 0xffff: csum_nonzero() in csum.h. */
unsigned wire_udp_build(uint8_t *at, const struct wire_udp *h);

static inline uint16_t wire_udp_sport(const uint8_t *p) { return w_be16(p); }
static inline uint16_t wire_udp_dport(const uint8_t *p) { return w_be16(p + 2); }

#endif
