/* SPDX-License-Identifier: Apache-2.0
 *
 * What tells the flows of an IP packet apart, for queues: addresses, protocol, ports.
 */
#ifndef WEIR_WIRE_FLOW_H
#define WEIR_WIRE_FLOW_H

#include "base/hash.h"

enum { WIRE_FLOW_KEY = 40 };

struct wire_flow {
    uint8_t key[WIRE_FLOW_KEY]; /* the first n bytes name the flow; hash them with a secret */
    uint8_t n;
    uint8_t proto; /* IPv6: the first next-header field */
    uint8_t tos;   /* or traffic class, ECN bits included */
};

/* The flow of the IP packet at ip, of which n bytes can be read. A fragment, or an IPv6 packet with
 * extension headers, is known by addresses and protocol alone, so that all pieces of one are one
 * flow. False: no IP header there; *out is all zero. */
bool wire_flow_of(const uint8_t *ip, size_t n, struct wire_flow *out);

#endif
