/* SPDX-License-Identifier: Apache-2.0
 *
 * Neighbour discovery messages and their options, bytes to fields and back.
 *
 * Decides which messages are well formed by themselves: code 0, enough bytes for the type, no
 * option of length 0, no multicast target, a redirect that points somewhere legal [RFC 4861 6.1,
 * 7.1, 8.1]. What needs the IP header (hop limit 255, source, destination) neigh/ checks.
 *
 * Owns nothing. Called by neigh/ and show. Keeps: reads only what n covers; an option is looked at
 * only after its length was checked; one whose length is wrong for its type, or for Ethernet, is
 * skipped like an unknown one; reserved bits of prefixes are zero in the struct.
 *
 * Counts are bounded by the arrays in struct wire_nd: of more prefixes, routes or servers the first
 * ones count, so the cost is bounded by the message's length.
 *
 * Read first: RFC 4861 4; RFC 4191 2; RFC 8106 5.1; RFC 3971 5.3.2; RFC 7527 4.
 */
#include "wire/nd.h"

enum { OPT_UNIT = 8 };

static const uint8_t fixed_len[] = {
    [ICMP6T_RS - ICMP6T_RS] = 8,  [ICMP6T_RA - ICMP6T_RS] = 16,       [ICMP6T_NS - ICMP6T_RS] = 24,
    [ICMP6T_NA - ICMP6T_RS] = 24, [ICMP6T_REDIRECT - ICMP6T_RS] = 40,
};

static struct addr addr_at(const uint8_t *p)
{
    struct addr a;
    memcpy(a.b, p, 16);
    return a;
}

/* The first `plen` bits of at most 16 bytes, the rest zero. */
static struct addr prefix_at(const uint8_t *p, unsigned plen)
{
    struct addr a = {.d = {0}};
    memcpy(a.b, p, (plen + 7) / 8);
    if (plen % 8 != 0)
        a.b[plen / 8] &= (uint8_t)(0xff00 >> plen % 8);
    return a;
}

/* The options; each gets its bytes, the first its type, `len` in bytes (a multiple of 8, >= 8). */

static void parse_prefix(const uint8_t *o, unsigned len, struct wire_nd *h)
{
    if (len != 32 || o[2] > 128 || h->n_prefix == WIRE_ND_PREFIXES)
        return;
    h->prefix[h->n_prefix++] = (struct wire_nd_prefix){
        .plen = o[2],
        .flags = o[3],
        .valid_s = w_be32(o + 4),
        .preferred_s = w_be32(o + 8),
        .prefix = prefix_at(o + 16, o[2]),
    };
}

/* [RFC 4191 2.3] As many prefix bytes as the length needs: 0, 8 or 16. */
static void parse_route(const uint8_t *o, unsigned len, struct wire_nd *h)
{
    static const int8_t pref[4] = {0, 1, 2, -1};
    if (len > 24 || o[2] > (len - 8) * 8 || h->n_route == WIRE_ND_ROUTES)
        return;
    h->route[h->n_route++] = (struct wire_nd_route){
        .plen = o[2],
        .pref = pref[o[3] >> 3 & 3],
        .life_s = w_be32(o + 4),
        .prefix = prefix_at(o + 8, o[2]),
    };
}

static void parse_rdnss(const uint8_t *o, unsigned len, struct wire_nd *h)
{
    if (len < 24 || len % 16 != 8)
        return;
    h->dns_life_s = w_be32(o + 4);
    for (unsigned at = 8; at < len && h->n_dns < WIRE_ND_DNS; at += 16)
        h->dns[h->n_dns++] = addr_at(o + at);
}

static void take6(uint8_t *to, const uint8_t *o, unsigned len, struct wire_nd *h, uint8_t bit)
{
    if (len != OPT_UNIT)
        return;
    memcpy(to, o + 2, 6);
    h->has |= bit;
}

static void parse_option(const uint8_t *p, unsigned at, unsigned len, struct wire_nd *h)
{
    const uint8_t *o = p + at;
    switch (o[0]) {
    case NDOPT_SLLA: take6(h->slla, o, len, h, ND_HAS_SLLA); break;
    case NDOPT_TLLA: take6(h->tlla, o, len, h, ND_HAS_TLLA); break;
    case NDOPT_NONCE: take6(h->nonce, o, len, h, ND_HAS_NONCE); break;
    case NDOPT_PREFIX: parse_prefix(o, len, h); break;
    case NDOPT_ROUTE: parse_route(o, len, h); break;
    case NDOPT_RDNSS: parse_rdnss(o, len, h); break;
    case NDOPT_MTU:
        if (len != OPT_UNIT)
            break;
        h->mtu = w_be32(o + 4);
        h->has |= ND_HAS_MTU;
        break;
    case NDOPT_REDIRECTED:
        h->redirected_at = (uint16_t)(at + 8);
        h->redirected_len = (uint16_t)(len - 8);
        h->has |= ND_HAS_REDIRECTED;
        break;
    default: break;
    }
}

/* What stands before the options. */
static void parse_fixed(const uint8_t *p, struct wire_nd *h)
{
    switch (h->type) {
    case ICMP6T_RA:
        h->hlim = p[4];
        h->flags = p[5];
        h->life_s = w_be16(p + 6);
        h->reachable_ms = w_be32(p + 8);
        h->retrans_ms = w_be32(p + 12);
        break;
    case ICMP6T_NA:
        h->flags = p[4];
        h->target = addr_at(p + 8);
        break;
    case ICMP6T_NS: h->target = addr_at(p + 8); break;
    case ICMP6T_REDIRECT:
        h->target = addr_at(p + 8);
        h->dest = addr_at(p + 24);
        break;
    default: break;
    }
}

static bool is_link_local(const struct addr *a)
{
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* [RFC 4861 7.1.1, 7.1.2, 8.1] */
static bool is_believable(const struct wire_nd *h)
{
    switch (h->type) {
    case ICMP6T_NS:
    case ICMP6T_NA: return !addr_is_multicast(&h->target);
    case ICMP6T_REDIRECT:
        return !addr_is_multicast(&h->dest) &&
               (is_link_local(&h->target) || addr_eq(&h->target, &h->dest));
    default: return true;
    }
}

enum drop wire_nd_parse(const uint8_t *p, size_t n, struct wire_nd *h)
{
    *h = (struct wire_nd){.type = 0};
    if (n < OPT_UNIT)
        return DROP_ND_SHORT;
    if (p[0] < ICMP6T_RS || p[0] > ICMP6T_REDIRECT || p[1] != 0)
        return DROP_ND_FORMAT;
    h->type = p[0];
    h->csum = w_be16(p + 2);
    unsigned at = fixed_len[h->type - ICMP6T_RS];
    if (n < at)
        return DROP_ND_SHORT;
    n = n > UINT16_MAX ? UINT16_MAX : n;
    parse_fixed(p, h);
    if (!is_believable(h))
        return DROP_ND_FORMAT;
    while (at < n) {
        /* [RFC 4861 6.1.1 and its likes] All included options have a length greater than zero. */
        if (n - at < 2 || p[at + 1] == 0 || p[at + 1] * 8u > n - at)
            return DROP_ND_OPTION;
        parse_option(p, at, p[at + 1] * 8u, h);
        at += p[at + 1] * 8u;
    }
    return DROP_NONE;
}

/* ---- building ------------------------------------------------------------------------------ */

struct out {
    uint8_t *at;
    size_t len, cap;
    bool is_full;
};

/* `units` * 8 zeroed bytes for an option of `type`; NULL when there is no room. */
static uint8_t *put_option(struct out *o, uint8_t type, unsigned units)
{
    if (o->cap - o->len < (size_t)units * OPT_UNIT) {
        o->is_full = true;
        return NULL;
    }
    uint8_t *at = o->at + o->len;
    memset(at, 0, (size_t)units * OPT_UNIT);
    at[0] = type;
    at[1] = (uint8_t)units;
    o->len += (size_t)units * OPT_UNIT;
    return at;
}

static void put6(struct out *o, uint8_t type, const uint8_t *from)
{
    uint8_t *at = put_option(o, type, 1);
    if (at)
        memcpy(at + 2, from, 6);
}

static void put_prefix(struct out *o, const struct wire_nd_prefix *x)
{
    uint8_t *at = put_option(o, NDOPT_PREFIX, 4);
    if (!at)
        return;
    at[2] = x->plen;
    at[3] = x->flags;
    w_put32(at + 4, x->valid_s);
    w_put32(at + 8, x->preferred_s);
    memcpy(at + 16, x->prefix.b, 16);
}

static void put_route(struct out *o, const struct wire_nd_route *x)
{
    unsigned units = x->plen == 0 ? 1 : x->plen <= 64 ? 2 : 3;
    uint8_t *at = put_option(o, NDOPT_ROUTE, units);
    if (!at)
        return;
    at[2] = x->plen;
    at[3] = (uint8_t)((x->pref & 3) << 3);
    w_put32(at + 4, x->life_s);
    memcpy(at + 8, x->prefix.b, (units - 1) * OPT_UNIT);
}

static void put_rdnss(struct out *o, const struct wire_nd *h)
{
    uint8_t *at = put_option(o, NDOPT_RDNSS, 1u + 2u * h->n_dns);
    if (!at)
        return;
    w_put32(at + 4, h->dns_life_s);
    for (unsigned i = 0; i < h->n_dns; i++)
        memcpy(at + 8 + 16 * i, h->dns[i].b, 16);
}

static void put_options(struct out *o, const struct wire_nd *h)
{
    if ((h->has & ND_HAS_SLLA) != 0)
        put6(o, NDOPT_SLLA, h->slla);
    if ((h->has & ND_HAS_TLLA) != 0)
        put6(o, NDOPT_TLLA, h->tlla);
    if ((h->has & ND_HAS_NONCE) != 0)
        put6(o, NDOPT_NONCE, h->nonce);
    if ((h->has & ND_HAS_MTU) != 0) {
        uint8_t *at = put_option(o, NDOPT_MTU, 1);
        if (at)
            w_put32(at + 4, h->mtu);
    }
    for (unsigned i = 0; i < h->n_prefix; i++)
        put_prefix(o, &h->prefix[i]);
    for (unsigned i = 0; i < h->n_route; i++)
        put_route(o, &h->route[i]);
    if (h->n_dns != 0)
        put_rdnss(o, h);
}

unsigned wire_nd_build(uint8_t *at, size_t cap, const struct wire_nd *h)
{
    WEIR_ASSERT(h->type >= ICMP6T_RS && h->type <= ICMP6T_REDIRECT);
    WEIR_ASSERT(h->n_prefix <= WIRE_ND_PREFIXES && h->n_route <= WIRE_ND_ROUTES);
    WEIR_ASSERT(h->n_dns <= WIRE_ND_DNS);
    struct out o = {.at = at, .len = fixed_len[h->type - ICMP6T_RS], .cap = cap};
    if (cap < o.len)
        return 0;
    memset(at, 0, o.len);
    at[0] = h->type;
    w_put16(at + 2, h->csum);
    if (h->type == ICMP6T_RA) {
        at[4] = h->hlim;
        at[5] = h->flags;
        w_put16(at + 6, h->life_s);
        w_put32(at + 8, h->reachable_ms);
        w_put32(at + 12, h->retrans_ms);
    } else if (h->type != ICMP6T_RS) {
        at[4] = h->type == ICMP6T_NA ? h->flags : 0;
        memcpy(at + 8, h->target.b, 16);
        if (h->type == ICMP6T_REDIRECT)
            memcpy(at + 24, h->dest.b, 16);
    }
    put_options(&o, h);
    return o.is_full ? 0 : (unsigned)o.len;
}
