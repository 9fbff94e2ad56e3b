/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMPv6 [RFC 4443]. Neighbour discovery's messages are in nd.h.
 */
#ifndef WEIR_WIRE_ICMP6_H
#define WEIR_WIRE_ICMP6_H

#include "base/base.h"
#include "pkt/drop.h"

enum { WIRE_ICMP6_HLEN = 8 };

enum wire_icmp6_type {
    ICMP6T_DEST_UNREACH = 1,
    ICMP6T_TOO_BIG = 2,
    ICMP6T_TIME_EXCEEDED = 3,
    ICMP6T_PARAM_PROBLEM = 4,
    ICMP6T_INFO = 128, /* bit: informational, not an error */
    ICMP6T_ECHO_REQUEST = 128,
    ICMP6T_ECHO_REPLY = 129,
    ICMP6T_MLD_QUERY = 130,
    ICMP6T_MLD_REPORT = 131,
    ICMP6T_MLD_DONE = 132,
    ICMP6T_RS = 133,
    ICMP6T_RA = 134,
    ICMP6T_NS = 135,
    ICMP6T_NA = 136,
    ICMP6T_REDIRECT = 137,
    ICMP6T_MLD2_REPORT = 143,
};
/* Codes of Destination Unreachable [RFC 4443 3.1]. */
enum wire_icmp6_unreach {
    ICMP6C_NO_ROUTE = 0,
    ICMP6C_ADMIN = 1,
    ICMP6C_BEYOND_SCOPE = 2,
    ICMP6C_ADDR = 3,
    ICMP6C_PORT = 4,
    ICMP6C_POLICY = 5,
    ICMP6C_REJECT = 6,
};
enum wire_icmp6_time { ICMP6C_HOPS = 0, ICMP6C_REASM = 1 };
/* Codes of Parameter Problem [RFC 4443 3.4, RFC 7112 5, RFC 8883 3]. */
enum wire_icmp6_param {
    ICMP6C_FIELD = 0,
    ICMP6C_NEXT_HEADER = 1,
    ICMP6C_OPTION = 2,
    ICMP6C_CHAIN = 3,
    ICMP6C_EXT_TOO_BIG = 6,
    ICMP6C_CHAIN_TOO_LONG = 7,
    ICMP6C_TOO_MANY_EXTS = 8,
    ICMP6C_TOO_MANY_OPTS = 9,
    ICMP6C_OPT_TOO_BIG = 10,
};

struct wire_icmp6 {
    uint8_t type, code;
    uint16_t csum;
    uint32_t arg; /* bytes 4..7, host order: identifier << 16 | sequence; MTU; pointer */
};

/* DROP_ICMP_SHORT. Payload at WIRE_ICMP6_HLEN. */
WEIR_MUST_CHECK enum drop wire_icmp6_parse(const uint8_t *p, size_t n, struct wire_icmp6 *h);
/* Writes WIRE_ICMP6_HLEN bytes, h->csum as it is, and returns the length. The checksum covers the
 * pseudo-header and the payload. */
unsigned wire_icmp6_build(uint8_t *at, const struct wire_icmp6 *h);

static inline uint16_t wire_icmp6_id(const struct wire_icmp6 *h)
{
    return (uint16_t)(h->arg >> 16);
}
static inline uint16_t wire_icmp6_seq(const struct wire_icmp6 *h) { return (uint16_t)h->arg; }
static inline bool wire_icmp6_is_error(uint8_t type) { return type < ICMP6T_INFO; }

#endif
