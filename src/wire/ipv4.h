/* SPDX-License-Identifier: Apache-2.0
 *
 * The IPv4 header [RFC 791 3.1] and its options, and the protocol numbers of both families.
 */
#ifndef WEIR_WIRE_IPV4_H
#define WEIR_WIRE_IPV4_H

#include "base/addr.h"
#include "pkt/drop.h"

enum { WIRE_IP4_HLEN = 20, WIRE_IP4_HLEN_MAX = 60, WIRE_IP4_OPT_MAX = 40, WIRE_IP4_MIN_MTU = 68 };

/* [IANA protocol-numbers] */
enum wire_proto {
    PROTO_HOPOPTS = 0,
    PROTO_ICMP4 = 1,
    PROTO_IGMP = 2,
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    PROTO_ROUTING = 43,
    PROTO_FRAGMENT = 44,
    PROTO_ESP = 50,
    PROTO_AH = 51,
    PROTO_ICMP6 = 58,
    PROTO_NONE = 59,
    PROTO_DSTOPTS = 60,
};

/* ECN codepoints: the low two bits of tos / traffic class [RFC 3168 5, RFC 8311]. */
enum wire_ecn { ECN_NOT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3, ECN_MASK = 3 };

enum wire_ip4_flag { IP4_MF = 0x2000, IP4_DF = 0x4000, IP4_RF = 0x8000 };

struct wire_ip4 {
    uint8_t hlen; /* bytes, 20..60; build takes options in opt[0..hlen-20) */
    uint8_t tos;  /* DSCP(6) ECN(2) */
    uint8_t ttl, proto;
    uint16_t total; /* bytes, header included; <= n of the parse */
    uint16_t id;
    uint16_t flags;    /* IP4_DF, IP4_MF, IP4_RF */
    uint16_t frag_off; /* bytes, a multiple of 8 */
    uint16_t csum;
    struct addr src, dst;
};

/* Reads the fixed header from n bytes (of a frame: what is beyond h->total is padding, trim it).
 * DROP_IP_SHORT, DROP_IP_VERSION, DROP_IP_HLEN (ihl < 5, or beyond n or total), DROP_IP_LEN
 * (total length beyond n). Neither checksum nor options are looked at. */
WEIR_MUST_CHECK enum drop wire_ip4_parse(const uint8_t *p, size_t n, struct wire_ip4 *h);
/* Whether the header's own checksum is right. hlen as parsed. */
bool wire_ip4_csum_ok(const uint8_t *p, unsigned hlen);
/* Writes the header with a right checksum (h->csum is ignored); returns its length. h->hlen of 0 or
 * 20: no options; more: `opt` holds hlen - 20 bytes (a multiple of 4) to copy. */
unsigned wire_ip4_build(uint8_t *at, const struct wire_ip4 *h, const uint8_t *opt);
/* Changes total length and identification of a built header, checksum kept right (GSO, fragments,
 * IPv4's "each segment its own id"). */
void wire_ip4_set_total_id(uint8_t *at, uint16_t total, uint16_t id);
/* One hop less: ttl - 1, checksum kept right. ttl must not be 0. */
void wire_ip4_dec_ttl(uint8_t *at);
/* Sets the ECN codepoint (0..3), checksum kept right. */
void wire_ip4_set_ecn(uint8_t *at, unsigned ecn);

static inline bool wire_ip4_is_frag(const struct wire_ip4 *h)
{
    return (h->flags & IP4_MF) != 0 || h->frag_off != 0;
}
/* Fields of a parsed header, from its bytes. */
static inline unsigned wire_ip4_hlen(const uint8_t *p) { return (p[0] & 15u) * 4; }
static inline uint16_t wire_ip4_total(const uint8_t *p) { return w_be16(p + 2); }
static inline uint8_t wire_ip4_ttl(const uint8_t *p) { return p[8]; }
static inline uint8_t wire_ip4_proto(const uint8_t *p) { return p[9]; }

/* Whether the 20 bytes at p are a header without options, of no fragment, with a right checksum:
 * the common case in one look. Lengths and addresses are not judged. */
static inline bool wire_ip4_is_plain(const uint8_t *p)
{
    uint64_t a, b;
    uint32_t c;
    memcpy(&a, p, 8);
    memcpy(&b, p + 8, 8);
    memcpy(&c, p + 16, 4);
    uint64_t sum = (a & 0xffffffff) + (a >> 32) + (b & 0xffffffff) + (b >> 32) + c;
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    return p[0] == 0x45 && (w_be16(p + 6) & 0x3fff) == 0 && (uint16_t)sum == 0xffff;
}
/* wire_ip4_build for a header without options and of no fragment, inline. h->hlen and frag_off are
 * not looked at. The checksum comes from the fields and the header is written in words: bytes just
 * written and read again at another width would have to wait for the store to finish. */
static inline void wire_ip4_put(uint8_t *at, const struct wire_ip4 *h)
{
    uint32_t w0 = 0x45u << 24 | (uint32_t)h->tos << 16 | h->total;
    uint32_t w1 = (uint32_t)h->id << 16 | h->flags;
    uint32_t w2 = (uint32_t)h->ttl << 24 | (uint32_t)h->proto << 16;
    uint32_t src = addr_to_ip4(&h->src), dst = addr_to_ip4(&h->dst);
    uint64_t sum = (uint64_t)w0 + w1 + w2 + src + dst;
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    w_put32(at, w0);
    w_put32(at + 4, w1);
    w_put32(at + 8, w2 | (uint16_t)~sum);
    w_put32(at + 12, src);
    w_put32(at + 16, dst);
}

/* ---- options [RFC 791 3.1, RFC 1122 3.2.1.8, RFC 7126] ------------------------------------ */

enum wire_ip4_opt_type {
    IP4OPT_END = 0,
    IP4OPT_NOP = 1,
    IP4OPT_RR = 7,
    IP4OPT_TS = 68,
    IP4OPT_SEC = 130,
    IP4OPT_LSRR = 131,
    IP4OPT_CIPSO = 134,
    IP4OPT_SID = 136,
    IP4OPT_SSRR = 137,
    IP4OPT_RA = 148,
    IP4OPT_COPIED = 0x80, /* bit: goes into every fragment */
};

/* Where the known options lie: offsets from the header's start, 0 for absent. */
struct wire_ip4_opts {
    uint8_t rr, ts, lsrr, ssrr, ra, sec;
    uint8_t unknown; /* how many others were skipped */
    uint8_t bad_at;  /* offset of the offending byte, for ICMP Parameter Problem's pointer */
};

/* Walks the options of a header whose hlen was parsed. DROP_IP_OPTION: a length that is < 2 or
 * leaves the header, a pointer out of its option, a second source route; bad_at says where. An
 * unknown option is skipped [RFC 1122 3.2.1.8]. */
WEIR_MUST_CHECK enum drop wire_ip4_opts_parse(const uint8_t *p, unsigned hlen,
                                              struct wire_ip4_opts *o);
/* Copies into `to` (40 bytes) the options a fragment after the first must carry, padded to a
 * multiple of 4 with END; returns how many bytes [RFC 791 3.1 "copied flag"]. */
unsigned wire_ip4_opts_copied(const uint8_t *p, unsigned hlen, uint8_t *to);

#endif
