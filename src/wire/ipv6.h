/* SPDX-License-Identifier: Apache-2.0
 *
 * The IPv6 header and the walk along its extension headers [RFC 8200 3, 4], with the limits a host
 * may set on that chain [RFC 8504 5.3] and the rule that a first fragment holds all of it
 * [RFC 7112 5].
 */
#ifndef WEIR_WIRE_IPV6_H
#define WEIR_WIRE_IPV6_H

#include "base/addr.h"
#include "pkt/drop.h"
#include "wire/ipv4.h" /* protocol numbers, ECN */

enum { WIRE_IP6_HLEN = 40, WIRE_IP6_FRAG_HLEN = 8, WIRE_IP6_MIN_MTU = 1280 };
/* [RFC 8504 5.3] headers in a chain, options in one header, bytes of Pad in a row. */
enum { WIRE_IP6_EXTS_MAX = 8, WIRE_IP6_OPTS_MAX = 8, WIRE_IP6_PAD_MAX = 7 };

struct wire_ip6 {
    uint8_t tclass; /* DSCP(6) ECN(2) */
    uint8_t next;   /* the first next-header field: enum wire_proto */
    uint8_t hlim;
    uint32_t label; /* 20 bits */
    uint16_t plen;  /* bytes after these 40; 40 + plen <= n of the parse */
    struct addr src, dst;
};

/* The fixed header. DROP_IP_SHORT, DROP_IP_VERSION, DROP_IP_LEN. */
WEIR_MUST_CHECK enum drop wire_ip6_parse(const uint8_t *p, size_t n, struct wire_ip6 *h);
/* Writes WIRE_IP6_HLEN bytes and returns that. */
unsigned wire_ip6_build(uint8_t *at, const struct wire_ip6 *h);

static inline uint16_t wire_ip6_plen(const uint8_t *p) { return w_be16(p + 4); }
static inline void wire_ip6_set_plen(uint8_t *p, uint16_t plen) { w_put16(p + 4, plen); }
static inline uint8_t wire_ip6_hlim(const uint8_t *p) { return p[7]; }
static inline void wire_ip6_set_ecn(uint8_t *p, unsigned ecn)
{
    p[1] = (uint8_t)((p[1] & 0xcf) | (ecn & 3) << 4);
}

/* ---- extension headers --------------------------------------------------------------------- */

enum wire_ip6_opt_type {
    IP6OPT_PAD1 = 0,
    IP6OPT_PADN = 1,
    IP6OPT_RA = 5,       /* router alert [RFC 2711] */
    IP6OPT_JUMBO = 0xc2, /* refused: no link of ours carries one */
};

/* What the walk found. Offsets are from the IPv6 header's first byte. */
struct wire_ip6_chain {
    uint16_t off;  /* where `proto` starts: after the last extension header */
    uint8_t proto; /* upper-layer protocol; of a non-first fragment, what the first one's
                          fragmentable part starts with */
    uint8_t n_ext;
    uint16_t proto_at;   /* offset of the next-header field that says `proto` */
    uint16_t frag_at;    /* fragment header, 0: none; the walk ends there if frag_off != 0 */
    uint16_t frag_nh_at; /* offset of the next-header field that says Fragment */
    uint16_t frag_off;   /* bytes */
    bool frag_more;
    bool has_hbh, has_dst;
    uint8_t bad_code;  /* on a drop that wants one: ICMPv6 Parameter Problem code, and */
    uint16_t bad_at;   /* its pointer */
    bool wants_error;  /* whether to send it (RFC 8200 4.2 action bits; see wire_ip6_walk) */
    bool unless_mcast; /* … but not if the destination was multicast */
    uint16_t rh_at;    /* routing header, 0: none */
    uint8_t rh_type, rh_left;
    uint32_t frag_id;
    uint16_t ra; /* router alert value, with has_ra */
    bool has_ra;
};

/* Walks from a parsed header to the upper layer; n = 40 + plen bytes are there. Any order and any
 * number of headers up to the limits is accepted, Hop-by-Hop only first. DROP_IP6_EXT (malformed),
 * DROP_IP6_EXT_LIMIT (RFC 8504 limits), DROP_IP6_OPTION (an option says "discard"),
 * DROP_IP6_ROUTING (routing header we do not serve, segments left), DROP_IP6_CHAIN (first fragment
 * or packet ends inside the chain). PROTO_NONE and unknown protocols end the walk, no drop. */
WEIR_MUST_CHECK enum drop wire_ip6_walk(const uint8_t *p, size_t n, struct wire_ip6_chain *c);

/* Writes the 8 bytes of a fragment header. off in bytes, a multiple of 8. */
void wire_ip6_frag_build(uint8_t *at, uint8_t next, uint16_t off, bool more, uint32_t id);

#endif
