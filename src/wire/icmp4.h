/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMP for IPv4 [RFC 792, RFC 1122 3.2.2, RFC 1191 4].
 */
#ifndef WEIR_WIRE_ICMP4_H
#define WEIR_WIRE_ICMP4_H

#include "base/base.h"
#include "pkt/drop.h"

enum { WIRE_ICMP4_HLEN = 8 };

enum wire_icmp4_type {
    ICMP4T_ECHO_REPLY = 0,
    ICMP4T_DEST_UNREACH = 3,
    ICMP4T_SOURCE_QUENCH = 4,
    ICMP4T_REDIRECT = 5,
    ICMP4T_ECHO_REQUEST = 8,
    ICMP4T_ROUTER_ADV = 9,
    ICMP4T_ROUTER_SOL = 10,
    ICMP4T_TIME_EXCEEDED = 11,
    ICMP4T_PARAM_PROBLEM = 12,
    ICMP4T_TIMESTAMP = 13,
    ICMP4T_TIMESTAMP_REPLY = 14,
};
/* Codes of Destination Unreachable, [RFC 1122 3.2.2.1, RFC 1812 5.2.7.1]. */
enum wire_icmp4_unreach {
    ICMP4C_NET = 0,
    ICMP4C_HOST = 1,
    ICMP4C_PROTO = 2,
    ICMP4C_PORT = 3,
    ICMP4C_FRAG_NEEDED = 4,
    ICMP4C_SRC_ROUTE = 5,
    ICMP4C_NET_UNKNOWN = 6,
    ICMP4C_HOST_UNKNOWN = 7,
    ICMP4C_HOST_ISOLATED = 8,
    ICMP4C_NET_PROHIBITED = 9,
    ICMP4C_HOST_PROHIBITED = 10,
    ICMP4C_NET_TOS = 11,
    ICMP4C_HOST_TOS = 12,
    ICMP4C_ADMIN = 13,
    ICMP4C_PRECEDENCE = 14,
    ICMP4C_PRECEDENCE_CUTOFF = 15,
};
enum wire_icmp4_time { ICMP4C_TTL = 0, ICMP4C_REASM = 1 };

struct wire_icmp4 {
    uint8_t type, code;
    uint16_t csum;
    uint32_t arg; /* bytes 4..7, host order: identifier << 16 | sequence; MTU in the low half;
                     pointer in the top byte; gateway address */
};

/* DROP_ICMP_SHORT. The payload, for errors the offending datagram, follows at WIRE_ICMP4_HLEN. */
WEIR_MUST_CHECK enum drop wire_icmp4_parse(const uint8_t *p, size_t n, struct wire_icmp4 *h);
/* Writes WIRE_ICMP4_HLEN bytes, h->csum as it is, and returns the length. The checksum covers the
 * payload too: build with csum 0, sum the whole, store at byte 2. */
unsigned wire_icmp4_build(uint8_t *at, const struct wire_icmp4 *h);

static inline uint16_t wire_icmp4_id(const struct wire_icmp4 *h)
{
    return (uint16_t)(h->arg >> 16);
}
static inline uint16_t wire_icmp4_seq(const struct wire_icmp4 *h) { return (uint16_t)h->arg; }
static inline uint16_t wire_icmp4_mtu(const struct wire_icmp4 *h) { return (uint16_t)h->arg; }
static inline uint8_t wire_icmp4_ptr(const struct wire_icmp4 *h) { return (uint8_t)(h->arg >> 24); }
/* Whether the type reports an error: such a message is never answered with one
 * [RFC 1122 3.2.2 "ICMP error message MUST NOT be sent"]. */
static inline bool wire_icmp4_is_error(uint8_t type)
{
    return type == ICMP4T_DEST_UNREACH || type == ICMP4T_SOURCE_QUENCH || type == ICMP4T_REDIRECT ||
           type == ICMP4T_TIME_EXCEEDED || type == ICMP4T_PARAM_PROBLEM;
}

#endif
