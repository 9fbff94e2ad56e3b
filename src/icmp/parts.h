/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to icmp/: what the two families share.
 */
#ifndef WEIR_ICMP_PARTS_H
#define WEIR_ICMP_PARTS_H

#include "icmp/icmp.h"

enum { QUOTE_L4 = 8 }; /* bytes of the transport header that are always quoted [RFC 792] */

static inline enum next icmp_drop(struct pkt *p, enum drop why)
{
    p->drop = (uint16_t)why;
    return NEXT_DROP;
}
/* The ports, and TCP's sequence number, from the first eight bytes of a quoted transport header;
 * flow.proto is set. NEXT_TCP_ERROR, NEXT_UDP_ERROR, or NEXT_DROP. */
enum next icmp_quote_l4(const uint8_t *l4, struct icmp_err *err);

/* ---- error.c ---- */
/* Whether an error about p may go to `to` now: one bucket for all, one rate per destination;
 * is_mtu: it tells a path's MTU. Counts nothing. */
bool icmp_rate_allowed(struct icmp *, const struct pkt *p, const struct addr *to, bool is_mtu);
/* p came in by a loopback interface. */
bool icmp_is_looped(const struct icmp *, const struct pkt *p);

/* ---- icmp6.c ---- */
/* Who was talking to whom, from the IPv6 packet quoted at p->off + at. NEXT_DROP: nothing
 * usable. */
enum next icmp6_quote_read(const struct pkt *p, uint32_t at, struct icmp_err *err);

/* ---- error6.c ---- */
/* As icmp_error, but p stays the caller's. DROP_NONE: sent; else why not. */
enum drop icmp6_error_send(struct icmp *, const struct pkt *p);

#endif
