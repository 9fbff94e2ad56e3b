/* SPDX-License-Identifier: Apache-2.0
 *
 * ARP for IPv4 over Ethernet [RFC 826]; other hardware and protocol types are refused by name.
 */
#ifndef WEIR_WIRE_ARP_H
#define WEIR_WIRE_ARP_H

#include "base/addr.h"
#include "pkt/drop.h"
#include "wire/eth.h"

enum { WIRE_ARP_LEN = 28 };
enum arp_op { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct wire_arp {
    uint16_t op; /* any value parses: enum arp_op is what we act on */
    uint8_t sha[WIRE_MAC], tha[WIRE_MAC];
    struct addr spa, tpa; /* IPv4 */
};

/* DROP_ARP_SHORT, or DROP_ARP_FORMAT when not Ethernet + IPv4. */
WEIR_MUST_CHECK enum drop wire_arp_parse(const uint8_t *p, size_t n, struct wire_arp *h);
/* Writes WIRE_ARP_LEN bytes and returns that. */
unsigned wire_arp_build(uint8_t *at, const struct wire_arp *h);

#endif
