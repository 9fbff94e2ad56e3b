/* SPDX-License-Identifier: Apache-2.0
 *
 * Ethernet II frames, with any number up to WIRE_VLANS of 802.1Q / 802.1ad tags [IEEE 802.3 3.1.1,
 * 802.1Q 9.6]. The frame check sequence is not here: it is the MAC's business.
 */
#ifndef WEIR_WIRE_ETH_H
#define WEIR_WIRE_ETH_H

#include "base/base.h"
#include "pkt/drop.h"

enum { WIRE_MAC = 6, WIRE_ETH_HLEN = 14, WIRE_VLAN_HLEN = 4, WIRE_VLANS = 2 };
enum { WIRE_ETH_MIN = 60 /* shorter frames are padded, without FCS */ };

enum ethertype {
    ETYPE_IP4 = 0x0800,
    ETYPE_ARP = 0x0806,
    ETYPE_VLAN = 0x8100,
    ETYPE_IP6 = 0x86dd,
    ETYPE_PAUSE = 0x8808,
    ETYPE_QINQ = 0x88a8,
    ETYPE_MIN = 0x0600, /* below it the field is a length: 802.3 with LLC, which we do not speak */
};

struct wire_eth {
    uint8_t dst[WIRE_MAC], src[WIRE_MAC];
    uint16_t type;             /* of what follows the tags; host order */
    uint8_t hlen;              /* 14 + 4 per tag: where the payload starts */
    uint8_t nvlan;             /* tags present */
    uint16_t vlan[WIRE_VLANS]; /* outermost first: priority(3) DEI(1) VID(12) */
    uint16_t vlan_type[WIRE_VLANS];
};

/* Reads a header and its tags from n bytes. DROP_ETH_SHORT, DROP_ETH_LENGTH (802.3 length field) or
 * DROP_ETH_VLANS (more than WIRE_VLANS tags). */
WEIR_MUST_CHECK enum drop wire_eth_parse(const uint8_t *p, size_t n, struct wire_eth *h);
/* Writes h->dst, src, tags and type; returns the header's length, which is 14 + 4 * h->nvlan
 * whatever h->hlen says. `at` has room for it. */
unsigned wire_eth_build(uint8_t *at, const struct wire_eth *h);

/* The common case on output: no tag. Writes WIRE_ETH_HLEN bytes. */
static inline void wire_eth_put(uint8_t *at, const uint8_t *dst, const uint8_t *src, uint16_t type)
{
    memcpy(at, dst, WIRE_MAC);
    memcpy(at + 6, src, WIRE_MAC);
    w_put16(at + 12, type);
}
static inline bool wire_mac_is_multicast(const uint8_t *mac) { return (mac[0] & 1) != 0; }
static inline bool wire_mac_is_broadcast(const uint8_t *mac)
{
    return (mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff;
}
static inline bool wire_mac_is_zero(const uint8_t *mac)
{
    return (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) == 0;
}

#endif
