/* SPDX-License-Identifier: Apache-2.0
 *
 * The UDP header, bytes to fields and back.
 *
 * Decides one thing: that the length field lies between 8 and what the IP layer delivered. A
 * longer field is a truncated datagram, a shorter one leaves bytes that are not UDP's.
 *
 * Owns nothing. Called by udp/, icmp/ (quoted datagrams) and show. Keeps: reads 8 bytes or none.
 * Checksums are csum.h's.
 *
 * Read first: RFC 768, RFC 1122 4.1.
 */
#include "wire/udp.h"

enum drop wire_udp_parse(const uint8_t *p, size_t n, struct wire_udp *h)
{
    if (n < WIRE_UDP_HLEN)
        return DROP_UDP_SHORT;
    h->sport = w_be16(p);
    h->dport = w_be16(p + 2);
    h->len = w_be16(p + 4);
    h->csum = w_be16(p + 6);
    return h->len < WIRE_UDP_HLEN || h->len > n ? DROP_UDP_LEN : DROP_NONE;
}

unsigned wire_udp_build(uint8_t *at, const struct wire_udp *h)
{
    w_put16(at, h->sport);
    w_put16(at + 2, h->dport);
    w_put16(at + 4, h->len);
    w_put16(at + 6, h->csum);
    return WIRE_UDP_HLEN;
}
