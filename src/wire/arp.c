/* SPDX-License-Identifier: Apache-2.0
 *
 * ARP packets for IPv4 over Ethernet.
 *
 * Decides only whether the packet is of that kind: hardware type 1, protocol type 0x0800, address
 * lengths 6 and 4. Whether an address in it is believable, and what to answer, is neigh/'s.
 *
 * Owns nothing. Called by neigh/ and show. Keeps: reads 28 bytes or none; bytes after them (the
 * padding of a 60 byte frame) are ignored.
 *
 * Read first: RFC 826, RFC 5227 1.1.
 */
#include "wire/arp.h"

enum { ARP_HW_ETHERNET = 1 };

enum drop wire_arp_parse(const uint8_t *p, size_t n, struct wire_arp *h)
{
    if (n < WIRE_ARP_LEN)
        return DROP_ARP_SHORT;
    if (w_be16(p) != ARP_HW_ETHERNET || w_be16(p + 2) != ETYPE_IP4 || p[4] != WIRE_MAC || p[5] != 4)
        return DROP_ARP_FORMAT;
    h->op = w_be16(p + 6);
    memcpy(h->sha, p + 8, WIRE_MAC);
    h->spa = addr_from_ip4(p + 14);
    memcpy(h->tha, p + 18, WIRE_MAC);
    h->tpa = addr_from_ip4(p + 24);
    return DROP_NONE;
}

unsigned wire_arp_build(uint8_t *at, const struct wire_arp *h)
{
    WEIR_ASSERT(addr_is_ip4(&h->spa));
    WEIR_ASSERT(addr_is_ip4(&h->tpa));
    w_put16(at, ARP_HW_ETHERNET);
    w_put16(at + 2, ETYPE_IP4);
    at[4] = WIRE_MAC;
    at[5] = 4;
    w_put16(at + 6, h->op);
    memcpy(at + 8, h->sha, WIRE_MAC);
    memcpy(at + 14, addr_ip4_bytes(&h->spa), 4);
    memcpy(at + 18, h->tha, WIRE_MAC);
    memcpy(at + 24, addr_ip4_bytes(&h->tpa), 4);
    return WIRE_ARP_LEN;
}
