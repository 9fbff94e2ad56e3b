/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMP of both families: echo answered, errors sent with restraint, errors received read for TCP
 * and UDP [RFC 792, RFC 1122 3.2.2, RFC 1812 4.3, RFC 4443].
 *
 * An error is about a packet; what it says stands in the packet itself (p->icmp_type and so on, as
 * pkt/next.h describes) when a room returned NEXT_ICMP_ERROR. It is never sent about an ICMP error,
 * a fragment other than the first, a multicast or broadcast, or a source that is not one host; and
 * never faster than icmp_msgs_per_sec in all and icmp_ratelimit per destination.
 */
#ifndef WEIR_ICMP_H
#define WEIR_ICMP_H

#include "ip/ip.h"

/* An error that came in, about a packet that claims to be ours. Whether it is believed is the
 * transport's decision [RFC 5927]. */
struct icmp_err {
    struct flow flow;     /* of the packet it is about, as this host sees it; proto set */
    struct addr reporter; /* who says so: the source of the ICMP message */
    uint8_t type, code;
    uint8_t nif;
    bool is_hard;            /* ends a connection attempt, in Linux's table [RFC 1122 4.2.3.9] */
    int error;               /* errno, positive: ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, … */
    uint32_t mtu;            /* of "fragmentation needed"; 0: the router did not say */
    uint32_t sent;           /* total length of the quoted packet */
    uint32_t seq;            /* TCP's sequence number in the quoted header */
    bool is_local;           /* made here: our own neighbour lookup failed */
    const struct pkt *quote; /* valid while the transport is told: from quote_at on it holds the */
    uint32_t quote_at;       /* transport header of the packet the error is about */
};

enum { ICMP_DST_SLOTS = 256 };
struct icmp {
    struct env *env;
    struct ip *ip;
    w_ns global_at; /* when global_tokens was true */
    uint32_t global_tokens;
    w_ns dst_at[ICMP_DST_SLOTS]; /* per hashed destination: earliest time of its next error */
};

void icmp_init(struct icmp *, struct env *, struct ip *);

/* A message for us, as ip4_input left it. NEXT_TCP_ERROR, NEXT_UDP_ERROR: *err is filled and the
 * caller still owns p (and frees it after telling the transport). NEXT_DONE: consumed. NEXT_DROP:
 * p->drop. */
WEIR_MUST_CHECK enum next icmp_input(struct icmp *, struct nif *, struct pkt *,
                                     struct icmp_err *err);

/* The same for ICMPv6, as ip6_input left it; neighbour discovery goes to neigh/ from here. */
WEIR_MUST_CHECK enum next icmp6_input(struct icmp *, struct nif *, struct pkt *,
                                      struct icmp_err *err);

/* Sends the error that p asks for, about p, or does not where the rules forbid it. Owns p. */
void icmp_error(struct icmp *, struct pkt *);

/* A packet that its next hop did not take (neigh_failed_pop). One of our own: NEXT_TCP_ERROR or
 * NEXT_UDP_ERROR with *err = EHOSTUNREACH, the caller still owns p; a forwarded one: its sender is
 * told, NEXT_DONE. NEXT_DROP otherwise, p->drop set. */
WEIR_MUST_CHECK enum next icmp_host_failed(struct icmp *, struct pkt *, struct icmp_err *err);

#endif
