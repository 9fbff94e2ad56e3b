/* SPDX-License-Identifier: Apache-2.0
 *
 * Ethernet II headers with VLAN tags, bytes to fields and back.
 *
 * Decides which frames are Ethernet at all: a length field where the type should be (802.3 with
 * LLC) and a third tag are refused by name. What a tag's VID means is link/'s business.
 *
 * Owns nothing. Called by link/ for every frame and by show. Keeps: reads only what n covers, never
 * writes past hlen; build followed by parse gives the same fields.
 *
 * Read first: IEEE 802.3 clause 3, IEEE 802.1Q clause 9.
 */
#include "wire/eth.h"

enum drop wire_eth_parse(const uint8_t *p, size_t n, struct wire_eth *h)
{
    if (n < WIRE_ETH_HLEN)
        return DROP_ETH_SHORT;
    memcpy(h->dst, p, WIRE_MAC);
    memcpy(h->src, p + 6, WIRE_MAC);
    h->nvlan = 0;
    h->hlen = WIRE_ETH_HLEN;
    h->type = w_be16(p + 12);
    while (WEIR_UNLIKELY(h->type == ETYPE_VLAN || h->type == ETYPE_QINQ)) {
        if (h->nvlan == WIRE_VLANS)
            return DROP_ETH_VLANS;
        if (n < h->hlen + (size_t)WIRE_VLAN_HLEN)
            return DROP_ETH_SHORT;
        h->vlan_type[h->nvlan] = h->type;
        h->vlan[h->nvlan++] = w_be16(p + h->hlen);
        h->type = w_be16(p + h->hlen + 2);
        h->hlen = (uint8_t)(h->hlen + WIRE_VLAN_HLEN);
    }
    return h->type < ETYPE_MIN ? DROP_ETH_LENGTH : DROP_NONE;
}

unsigned wire_eth_build(uint8_t *at, const struct wire_eth *h)
{
    WEIR_ASSERT(h->nvlan <= WIRE_VLANS);
    memcpy(at, h->dst, WIRE_MAC);
    memcpy(at + 6, h->src, WIRE_MAC);
    unsigned len = 12;
    for (unsigned i = 0; i < h->nvlan; i++) {
        w_put16(at + len, h->vlan_type[i]);
        w_put16(at + len + 2, h->vlan[i]);
        len += WIRE_VLAN_HLEN;
    }
    w_put16(at + len, h->type);
    return len + 2;
}
