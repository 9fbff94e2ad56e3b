/* SPDX-License-Identifier: Apache-2.0
 *
 * The IPv4 header: fields, checksum, options, and the small changes a built header suffers on its
 * way (length and identification of a segment cut off, one hop less, congestion experienced).
 *
 * Decides what is a header at all: version 4, 5 <= IHL, both IHL and total length within the bytes
 * there are. It does not judge addresses, lifetimes or fragments; ip/ does.
 *
 * Owns nothing. Called by ip/, icmp/ (quoted datagrams), link/ (segmentation, GRO) and show; calls
 * csum. Keeps: nothing beyond n is read; every change to a header keeps its checksum right, by
 * RFC 1624 equation 3.
 *
 * Options: every offset in struct wire_ip4_opts is that of an option whose length was checked to
 * lie inside the header, and whose pointer, where it has one, is not before its first slot.
 *
 * Read first: RFC 791 3.1, RFC 1122 3.2.1, RFC 1624, RFC 7126.
 */
#include "wire/ipv4.h"

#include "wire/csum.h"

enum drop wire_ip4_parse(const uint8_t *p, size_t n, struct wire_ip4 *h)
{
    if (n < WIRE_IP4_HLEN)
        return DROP_IP_SHORT;
    if (p[0] >> 4 != 4)
        return DROP_IP_VERSION;
    h->hlen = (uint8_t)wire_ip4_hlen(p);
    h->tos = p[1];
    h->total = w_be16(p + 2);
    h->id = w_be16(p + 4);
    uint16_t off = w_be16(p + 6);
    h->flags = off & 0xe000;
    h->frag_off = (uint16_t)((off & 0x1fff) << 3);
    h->ttl = p[8];
    h->proto = p[9];
    h->csum = w_be16(p + 10);
    h->src = addr_from_ip4(p + 12);
    h->dst = addr_from_ip4(p + 16);
    if (h->hlen < WIRE_IP4_HLEN || h->hlen > h->total)
        return DROP_IP_HLEN;
    /* An IHL beyond n is a total length beyond n as well. */
    return h->total > n ? DROP_IP_LEN : DROP_NONE;
}

/* Ten or more words: the loop beats the general sum at this size. */
static uint16_t ip4_csum(const uint8_t *p, unsigned hlen)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < hlen; i += 4) {
        uint32_t w;
        memcpy(&w, p + i, 4);
        sum += w;
    }
    sum = (sum & 0xffffffff) + (sum >> 32);
    return csum_fold((uint32_t)(sum + (sum >> 32)));
}

bool wire_ip4_csum_ok(const uint8_t *p, unsigned hlen)
{
    WEIR_CHECK(hlen >= WIRE_IP4_HLEN && hlen <= WIRE_IP4_HLEN_MAX);
    return ip4_csum(p, hlen) == 0;
}

unsigned wire_ip4_build(uint8_t *at, const struct wire_ip4 *h, const uint8_t *opt)
{
    unsigned hlen = h->hlen != 0 ? h->hlen : WIRE_IP4_HLEN;
    WEIR_ASSERT(hlen >= WIRE_IP4_HLEN && hlen <= WIRE_IP4_HLEN_MAX);
    WEIR_ASSERT(hlen % 4 == 0);
    at[0] = (uint8_t)(0x40 | hlen / 4);
    at[1] = h->tos;
    w_put16(at + 2, h->total);
    w_put16(at + 4, h->id);
    w_put16(at + 6, (uint16_t)((h->flags & 0xe000) | h->frag_off >> 3));
    at[8] = h->ttl;
    at[9] = h->proto;
    w_put16(at + 10, 0);
    memcpy(at + 12, addr_ip4_bytes(&h->src), 4);
    memcpy(at + 16, addr_ip4_bytes(&h->dst), 4);
    if (hlen > WIRE_IP4_HLEN)
        memcpy(at + WIRE_IP4_HLEN, opt, hlen - WIRE_IP4_HLEN);
    w_put16(at + 10, ip4_csum(at, hlen));
    return hlen;
}

/* Writes a 16-bit field at `off` (even) and mends the checksum. */
static void set16(uint8_t *at, unsigned off, uint16_t to)
{
    w_put16(at + 10, csum_update16(w_be16(at + 10), w_be16(at + off), to));
    w_put16(at + off, to);
}

void wire_ip4_set_total_id(uint8_t *at, uint16_t total, uint16_t id)
{
    set16(at, 2, total);
    set16(at, 4, id);
}

void wire_ip4_dec_ttl(uint8_t *at)
{
    WEIR_ASSERT(at[8] != 0);
    set16(at, 8, (uint16_t)(w_be16(at + 8) - 0x100));
}

void wire_ip4_set_ecn(uint8_t *at, unsigned ecn)
{
    WEIR_ASSERT(ecn <= ECN_MASK);
    set16(at, 0, (uint16_t)((w_be16(at) & 0xfffcu) | ecn));
}

/* ---- options ------------------------------------------------------------------------------- */

/* The pointer of RR, LSRR and SSRR: at least 4, and counted in addresses up to one past the end
 * [RFC 791 3.1]. Returns the offset of the bad byte within the option, 0: none. */
static unsigned route_bad(const uint8_t *o, unsigned len)
{
    if (len < 3)
        return 1;
    return o[2] < 4 ? 2 : 0;
}

/* Timestamp: pointer at least 5; flag 0 takes 4 bytes a stamp, 1 and 3 eight. */
static unsigned stamp_bad(const uint8_t *o, unsigned len)
{
    if (len < 4)
        return 1;
    if (o[2] < 5)
        return 2;
    unsigned flag = o[3] & 15u;
    return flag == 2 || flag > 3 ? 3 : 0;
}

/* Notes the option at `at`, known or not. Returns as route_bad(). */
static unsigned note_option(const uint8_t *p, unsigned at, unsigned len, struct wire_ip4_opts *o)
{
    uint8_t here = (uint8_t)at;
    switch (p[at]) {
    case IP4OPT_RR: o->rr = here; return route_bad(p + at, len);
    case IP4OPT_LSRR:
    case IP4OPT_SSRR:
        /* [RFC 1122 3.2.1.8 (c)] More than one source route option is an error. */
        if (o->lsrr != 0 || o->ssrr != 0)
            return UINT8_MAX;
        *(p[at] == IP4OPT_LSRR ? &o->lsrr : &o->ssrr) = here;
        return route_bad(p + at, len);
    case IP4OPT_TS: o->ts = here; return stamp_bad(p + at, len);
    case IP4OPT_RA: o->ra = here; return len != 4 ? 1 : 0;
    case IP4OPT_SEC: o->sec = here; return 0;
    default: o->unknown++; return 0;
    }
}

enum drop wire_ip4_opts_parse(const uint8_t *p, unsigned hlen, struct wire_ip4_opts *o)
{
    WEIR_ASSERT(hlen >= WIRE_IP4_HLEN && hlen <= WIRE_IP4_HLEN_MAX);
    *o = (struct wire_ip4_opts){.rr = 0};
    unsigned at = WIRE_IP4_HLEN;
    while (at < hlen && p[at] != IP4OPT_END) {
        if (p[at] == IP4OPT_NOP) {
            at++;
            continue;
        }
        if (hlen - at < 2 || p[at + 1] < 2 || p[at + 1] > hlen - at) {
            o->bad_at = (uint8_t)(hlen - at < 2 ? at : at + 1);
            return DROP_IP_OPTION;
        }
        unsigned bad = note_option(p, at, p[at + 1], o);
        if (bad != 0) {
            o->bad_at = (uint8_t)(bad == UINT8_MAX ? at : at + bad);
            return DROP_IP_OPTION;
        }
        at += p[at + 1];
    }
    return DROP_NONE;
}

unsigned wire_ip4_opts_copied(const uint8_t *p, unsigned hlen, uint8_t *to)
{
    unsigned at = WIRE_IP4_HLEN, len = 0;
    while (at < hlen && p[at] != IP4OPT_END) {
        if (p[at] == IP4OPT_NOP) {
            at++;
            continue;
        }
        if (hlen - at < 2 || p[at + 1] < 2 || p[at + 1] > hlen - at)
            break;
        if ((p[at] & IP4OPT_COPIED) != 0) {
            memcpy(to + len, p + at, p[at + 1]);
            len += p[at + 1];
        }
        at += p[at + 1];
    }
    WEIR_ASSERT(len <= WIRE_IP4_OPT_MAX);
    while (len % 4 != 0)
        to[len++] = IP4OPT_END;
    return len;
}
