/* SPDX-License-Identifier: Apache-2.0
 *
 * Ethernet: which frames are for us and what is in them; the header in front of what goes out.
 *
 * Decides by destination address and type only. An interface without Ethernet (NIF_L3) has bare IP
 * packets, told apart by the version nibble.
 *
 * Called by stack/ for each received frame and by neigh/ for each sent one; calls the queue.
 *
 * 802.1Q: a priority tag (VLAN 0) is looked through, any other VLAN is not ours. 802.3 frames with
 * a length instead of a type are refused by name [RFC 1122 2.3.3 DEVIATES: RFC 1042 encapsulation
 * is not received; nobody sends it]. The hot path is the untagged IPv4 frame to our own address.
 */
#include "wire/eth.h"
#include "link/queue.h"

static enum next in_drop(struct nif *nif, struct pkt *p, enum drop why)
{
    nif->n.rx_dropped++;
    p->drop = (uint16_t)why;
    return NEXT_DROP;
}

/* The header of hlen bytes off; what is behind it is named by its type. */
static enum next in_type(struct nif *nif, struct pkt *p, unsigned hlen, uint16_t type)
{
    pkt_pull(p, hlen);
    p->l3 = p->off;
    switch (type) {
    case ETYPE_IP4: return NEXT_IP4;
    case ETYPE_ARP: return NEXT_ARP;
    case ETYPE_IP6: return NEXT_IP6;
    default: return in_drop(nif, p, DROP_ETH_TYPE);
    }
}

/* Not plain IPv4: tags, lengths, other types. */
static enum next in_other(struct nif *nif, struct pkt *p)
{
    struct wire_eth h;
    enum drop why = wire_eth_parse(pkt_data(p), p->lin, &h);
    if (why != DROP_NONE)
        return in_drop(nif, p, why);
    for (unsigned i = 0; i < h.nvlan; i++) {
        if ((h.vlan[i] & 0x0fff) != 0)
            return in_drop(nif, p, DROP_VLAN_OTHER);
    }
    return in_type(nif, p, h.hlen, h.type);
}

static enum next in_l3(struct nif *nif, struct pkt *p)
{
    if (p->lin == 0)
        return in_drop(nif, p, DROP_IP_SHORT);
    p->l3 = p->off;
    p->origin = LINK_TO_US;
    unsigned version = pkt_data(p)[0] >> 4;
    if (WEIR_LIKELY(version == 4))
        return NEXT_IP4;
    return version == 6 ? NEXT_IP6 : in_drop(nif, p, DROP_IP_VERSION);
}

static bool mac_eq(const uint8_t *a, const uint8_t *b)
{
    return w_be32(a) == w_be32(b) && w_be16(a + 4) == w_be16(b + 4);
}

enum next eth_input(struct link *l, struct nif *nif, struct pkt *p)
{
    (void)l;
    nif->n.rx_packets++;
    nif->n.rx_bytes += p->len;
    if (WEIR_UNLIKELY((nif->flags & NIF_UP) == 0))
        return in_drop(nif, p, DROP_NIF_DOWN);
    if ((nif->flags & NIF_L3) != 0)
        return in_l3(nif, p);
    if (WEIR_UNLIKELY(p->lin < WIRE_ETH_HLEN))
        return in_drop(nif, p, DROP_ETH_SHORT);
    const uint8_t *d = pkt_data(p);
    p->origin = LINK_TO_US;
    if (WEIR_UNLIKELY(!mac_eq(d, nif->mac))) {
        p->origin = wire_mac_is_multicast(d) ? LINK_TO_GROUP : LINK_TO_OTHER;
        if (p->origin == LINK_TO_OTHER && (nif->flags & NIF_PROMISC) == 0) {
            nif->n.rx_not_ours++;
            return in_drop(nif, p, DROP_ETH_NOT_OURS);
        }
    }
    if (WEIR_UNLIKELY(wire_mac_is_multicast(d + WIRE_MAC)))
        return in_drop(nif, p, DROP_ETH_SRC);
    if (WEIR_LIKELY(w_be16(d + 12) == ETYPE_IP4)) {
        pkt_pull(p, WIRE_ETH_HLEN);
        p->l3 = p->off;
        return NEXT_IP4;
    }
    return in_other(nif, p);
}

enum drop eth_output(struct link *l, struct nif *nif, const uint8_t dst_mac[6], uint16_t ethertype,
                     struct pkt *p)
{
    enum drop why = DROP_NONE;
    if (WEIR_UNLIKELY((nif->flags & NIF_UP) == 0))
        why = DROP_NIF_DOWN;
    else if (WEIR_UNLIKELY(p->len > nif->mtu) && link_wire_len(p) > nif->mtu)
        why = DROP_TOO_BIG;
    if (WEIR_LIKELY(why == DROP_NONE)) {
        if ((nif->flags & NIF_L3) == 0)
            wire_eth_put(pkt_push(p, WIRE_ETH_HLEN), dst_mac, nif->mac, ethertype);
        if (env_traces(l->env))
            link_seen(l, nif, WEIR_T_QUEUE, p);
        why = q_push(l, nif, p);
        if (WEIR_LIKELY(why == DROP_NONE))
            return DROP_NONE;
    }
    nif->n.tx_dropped++;
    return env_drop(l->env, p, why);
}
