/* SPDX-License-Identifier: Apache-2.0
 *
 * The eight bytes that open every ICMP and ICMPv6 message we answer or act on.
 *
 * Decides nothing but length: types and codes are judged by icmp/ and neigh/. The last four bytes
 * are one number, `arg`, because their meaning depends on the type.
 *
 * An MLDv1 message or a router solicitation also has eight such bytes; a shorter ICMPv6 message is
 * legal by its format (four bytes) but by no type we know, so it is dropped as too short.
 *
 * Owns nothing. Called by icmp/, neigh/ and show. Keeps: reads 8 bytes or none.
 *
 * Read first: RFC 792, RFC 1122 3.2.2, RFC 4443 2.1.
 */
#include "wire/icmp4.h"
#include "wire/icmp6.h"

enum drop wire_icmp4_parse(const uint8_t *p, size_t n, struct wire_icmp4 *h)
{
    if (n < WIRE_ICMP4_HLEN)
        return DROP_ICMP_SHORT;
    h->type = p[0];
    h->code = p[1];
    h->csum = w_be16(p + 2);
    h->arg = w_be32(p + 4);
    return DROP_NONE;
}

unsigned wire_icmp4_build(uint8_t *at, const struct wire_icmp4 *h)
{
    at[0] = h->type;
    at[1] = h->code;
    w_put16(at + 2, h->csum);
    w_put32(at + 4, h->arg);
    return WIRE_ICMP4_HLEN;
}

enum drop wire_icmp6_parse(const uint8_t *p, size_t n, struct wire_icmp6 *h)
{
    if (n < WIRE_ICMP6_HLEN)
        return DROP_ICMP_SHORT;
    h->type = p[0];
    h->code = p[1];
    h->csum = w_be16(p + 2);
    h->arg = w_be32(p + 4);
    return DROP_NONE;
}

unsigned wire_icmp6_build(uint8_t *at, const struct wire_icmp6 *h)
{
    at[0] = h->type;
    at[1] = h->code;
    w_put16(at + 2, h->csum);
    w_put32(at + 4, h->arg);
    return WIRE_ICMP6_HLEN;
}
