/* SPDX-License-Identifier: Apache-2.0
 *
 * The IPv6 header, and the walk along its extension headers to the upper layer.
 *
 * Decides which chains are well formed, within this host's limits, and which options and routing
 * headers make it give the packet up; with each refusal, whether the sender is told and where the
 * Parameter Problem's pointer points. Acting on what was found (reassembly, answering) is ip/'s.
 *
 * Owns nothing. Called by ip/, icmp/ (quoted packets) and show. Keeps: reads only [p, p + n); at
 * most WIRE_IP6_EXTS_MAX headers and WIRE_IP6_OPTS_MAX options in each, so the cost of a packet is
 * bounded; every offset reported is < n or equal to it.
 *
 * The order of headers is not enforced [RFC 8200 4.1: accept any order, except Hop-by-Hop, which
 * comes first]. The walk stops at the fragment header of a fragment that is not the first: what
 * follows is the middle of something.
 *
 * Read first: RFC 8200 3, 4; RFC 7112 5; RFC 8504 5.3; RFC 5095; RFC 8883 3.
 */
#include "wire/ipv6.h"

#include "wire/icmp6.h"

enum drop wire_ip6_parse(const uint8_t *p, size_t n, struct wire_ip6 *h)
{
    if (n < WIRE_IP6_HLEN)
        return DROP_IP_SHORT;
    uint32_t first = w_be32(p);
    if (first >> 28 != 6)
        return DROP_IP_VERSION;
    h->tclass = (uint8_t)(first >> 20);
    h->label = first & 0xfffff;
    h->plen = w_be16(p + 4);
    h->next = p[6];
    h->hlim = p[7];
    memcpy(h->src.b, p + 8, 16);
    memcpy(h->dst.b, p + 24, 16);
    return h->plen > n - WIRE_IP6_HLEN ? DROP_IP_LEN : DROP_NONE;
}

unsigned wire_ip6_build(uint8_t *at, const struct wire_ip6 *h)
{
    w_put32(at, 6u << 28 | (uint32_t)h->tclass << 20 | (h->label & 0xfffff));
    w_put16(at + 4, h->plen);
    at[6] = h->next;
    at[7] = h->hlim;
    memcpy(at + 8, h->src.b, 16);
    memcpy(at + 24, h->dst.b, 16);
    return WIRE_IP6_HLEN;
}

void wire_ip6_frag_build(uint8_t *at, uint8_t next, uint16_t off, bool more, uint32_t id)
{
    WEIR_ASSERT(off % 8 == 0);
    at[0] = next;
    at[1] = 0;
    w_put16(at + 2, (uint16_t)(off | (more ? 1 : 0)));
    w_put32(at + 4, id);
}

/* Fills in what a Parameter Problem would say, and passes the drop on. */
static enum drop refuse(struct wire_ip6_chain *c, enum drop why, uint8_t code, size_t at)
{
    c->bad_code = code;
    c->bad_at = (uint16_t)at;
    c->wants_error = true;
    return why;
}

/* An option we do not know: its two highest bits say what to do [RFC 8200 4.2]. */
static enum drop unknown_option(struct wire_ip6_chain *c, uint8_t type, size_t at)
{
    if (type >> 6 == 0)
        return DROP_NONE;
    refuse(c, DROP_IP6_OPTION, ICMP6C_OPTION, at);
    c->wants_error = type >> 6 != 1;
    c->unless_mcast = type >> 6 == 3;
    return DROP_IP6_OPTION;
}

/* One option of `len` data bytes at `at`, its length already checked. */
static enum drop walk_option(const uint8_t *p, size_t at, size_t len, bool is_hbh,
                             struct wire_ip6_chain *c)
{
    if (p[at] == IP6OPT_RA && is_hbh) {
        /* [RFC 2711 2.1] */
        if (len != 2)
            return refuse(c, DROP_IP6_EXT, ICMP6C_FIELD, at + 1);
        c->has_ra = true;
        c->ra = w_be16(p + at + 2);
        return DROP_NONE;
    }
    return unknown_option(c, p[at], at);
}

/* The options between `at` and `end`. */
static enum drop walk_options(const uint8_t *p, size_t at, size_t end, bool is_hbh,
                              struct wire_ip6_chain *c)
{
    unsigned n_opt = 0;
    size_t pad = 0;
    while (at < end) {
        size_t len = 1;
        if (p[at] != IP6OPT_PAD1) {
            if (end - at < 2 || p[at + 1] > end - at - 2)
                return refuse(c, DROP_IP6_EXT, ICMP6C_FIELD, end - at < 2 ? at : at + 1);
            len = 2u + p[at + 1];
        }
        if (p[at] == IP6OPT_PAD1 || p[at] == IP6OPT_PADN) {
            pad += len;
            /* [RFC 8504 5.3] More padding than any alignment needs. */
            if (pad > WIRE_IP6_PAD_MAX)
                return DROP_IP6_EXT_LIMIT;
        } else {
            pad = 0;
            if (++n_opt > WIRE_IP6_OPTS_MAX)
                return refuse(c, DROP_IP6_EXT_LIMIT, ICMP6C_TOO_MANY_OPTS, at);
            enum drop d = walk_option(p, at, len - 2, is_hbh, c);
            if (d != DROP_NONE)
                return d;
        }
        at += len;
    }
    return DROP_NONE;
}

/* Routing header: nobody routes through us, whatever the type [RFC 8200 4.4, RFC 5095]. */
static enum drop walk_routing(const uint8_t *p, struct wire_ip6_chain *c)
{
    c->rh_at = c->off;
    c->rh_type = p[c->off + 2];
    c->rh_left = p[c->off + 3];
    return c->rh_left != 0 ? refuse(c, DROP_IP6_ROUTING, ICMP6C_FIELD, c->off + 2u) : DROP_NONE;
}

static enum drop walk_fragment(const uint8_t *p, struct wire_ip6_chain *c)
{
    /* Two fragment headers: the first one's contents would be fragments of fragments. */
    if (c->frag_at != 0)
        return DROP_IP6_EXT;
    uint16_t off = w_be16(p + c->off + 2);
    c->frag_at = c->off;
    c->frag_nh_at = c->proto_at;
    c->frag_off = off & 0xfff8;
    c->frag_more = (off & 1) != 0;
    c->frag_id = w_be32(p + c->off + 4);
    return DROP_NONE;
}

/* How much of the upper-layer header a first fragment must hold [RFC 7112 5]. */
static size_t upper_min(uint8_t proto)
{
    switch (proto) {
    case PROTO_TCP: return 20;
    case PROTO_UDP:
    case PROTO_ICMP6: return 8;
    default: return 0;
    }
}

static bool is_ext(uint8_t proto)
{
    return proto == PROTO_HOPOPTS || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
           proto == PROTO_DSTOPTS;
}

/* [RFC 7112 5] A first fragment without the whole chain is answered with code 3; a whole packet
 * that ends inside its chain is just broken. */
static enum drop chain_cut(struct wire_ip6_chain *c)
{
    return c->frag_at != 0 ? refuse(c, DROP_IP6_CHAIN, ICMP6C_CHAIN, 0) : DROP_IP6_CHAIN;
}

/* The extension header at c->off, of `len` bytes. */
static enum drop walk_header(const uint8_t *p, size_t len, struct wire_ip6_chain *c)
{
    size_t opts = c->off + 2u, end = c->off + len;
    switch (c->proto) {
    case PROTO_HOPOPTS:
        /* [RFC 8200 4.1] Anywhere but first, 0 is an unrecognized next header. */
        if (c->n_ext != 0)
            return refuse(c, DROP_IP6_EXT, ICMP6C_NEXT_HEADER, c->proto_at);
        c->has_hbh = true;
        return walk_options(p, opts, end, true, c);
    case PROTO_DSTOPTS: c->has_dst = true; return walk_options(p, opts, end, false, c);
    case PROTO_ROUTING: return walk_routing(p, c);
    default: return walk_fragment(p, c);
    }
}

enum drop wire_ip6_walk(const uint8_t *p, size_t n, struct wire_ip6_chain *c)
{
    WEIR_ASSERT(n >= WIRE_IP6_HLEN);
    *c = (struct wire_ip6_chain){.off = WIRE_IP6_HLEN, .proto = p[6], .proto_at = 6};
    n = n > UINT16_MAX ? UINT16_MAX : n;
    while (is_ext(c->proto)) {
        if (n - c->off < 8)
            return chain_cut(c);
        /* After the check of length: a pointer points at a byte that is there. */
        if (c->n_ext == WIRE_IP6_EXTS_MAX)
            return refuse(c, DROP_IP6_EXT_LIMIT, ICMP6C_TOO_MANY_EXTS, c->off);
        size_t len = c->proto == PROTO_FRAGMENT ? 8 : (p[c->off + 1] + 1u) * 8;
        if (len > n - c->off)
            return chain_cut(c);
        enum drop d = walk_header(p, len, c);
        if (d != DROP_NONE)
            return d;
        c->n_ext++;
        c->proto = p[c->off];
        c->proto_at = c->off;
        c->off = (uint16_t)(c->off + len);
        if (c->frag_off != 0)
            return DROP_NONE;
    }
    if (c->frag_more && n - c->off < upper_min(c->proto))
        return chain_cut(c);
    return DROP_NONE;
}
