/* SPDX-License-Identifier: Apache-2.0
 *
 * A packet for somebody else, on its way through [RFC 1812 5.2.4, 5.3].
 *
 * Decides whether it lives on (TTL), where it goes, whether it fits, and what its sender is told
 * when it does not: time exceeded, net or host unreachable, fragmentation needed. No redirects
 * [RFC 1812 5.2.7.2 DEVIATES: SHOULD send; they are more often a weapon than a help].
 *
 * Called by stack/ on NEXT_FORWARD; calls route.c, frag.c, neigh/. Owns nothing.
 *
 * Invariants: what is sent on differs in TTL and checksum only, or is its fragments; a loopback or
 * multicast destination is never forwarded.
 */
#include "ip/parts.h"
#include "wire/icmp4.h"
#include "wire/ipv4.h"

static enum next forward_error(struct pkt *p, enum drop why, uint8_t type, uint8_t code,
                               uint32_t arg)
{
    p->drop = (uint16_t)why;
    p->icmp_type = type;
    p->icmp_code = code;
    p->icmp_arg = arg;
    return NEXT_ICMP_ERROR;
}

/* The route's verdict; DROP_NONE: send it by r. */
static enum next no_route(struct pkt *p, const struct route *r)
{
    if (r == NULL)
        return forward_error(p, DROP_IP_NO_ROUTE, ICMP4T_DEST_UNREACH, ICMP4C_NET, 0);
    if (r->kind == ROUTE_UNREACHABLE)
        return forward_error(p, DROP_IP_NO_ROUTE, ICMP4T_DEST_UNREACH, ICMP4C_HOST, 0);
    p->drop = DROP_IP_BLACKHOLE;
    return NEXT_DROP;
}

void ip_becomes_outgoing(struct pkt *p)
{
    p->origin = LINK_FORWARDED;
    p->csum = CSUM_NONE;
    p->when = 0;
    p->owner = 0;
}

enum next ip_forward(struct ip *ip, struct pkt *p)
{
    struct wire_ip4 h;
    if (pkt_data(p)[0] >> 4 == 6)
        return ip6_forward(ip, p);
    enum drop why = wire_ip4_parse(pkt_data(p), p->len, &h);
    WEIR_ASSERT(why == DROP_NONE);
    WEIR_ASSERT(p->origin == LINK_TO_US);
    if (addr_is_loopback(&h.dst) || addr_is_any(&h.src)) {
        p->drop = DROP_IP_DST_MARTIAN;
        return NEXT_DROP;
    }
    if (h.ttl <= 1)
        return forward_error(p, DROP_IP_TTL, ICMP4T_TIME_EXCEEDED, ICMP4C_TTL, 0);
    const struct route *r = route_find(ip, &h.dst, 0);
    struct nif *nif = r != NULL ? link_nif(ip->link, r->nif) : NULL;
    if (r == NULL || r->kind != ROUTE_UNICAST || nif == NULL)
        return no_route(p, r);
    if (p->len > nif->mtu && (h.flags & IP4_DF) != 0) {
        env_count(ip->env, STAT_IpFragFails);
        return forward_error(p, DROP_FRAG_NEEDED, ICMP4T_DEST_UNREACH, ICMP4C_FRAG_NEEDED,
                             nif->mtu);
    }
    ip_make_headroom(p, WIRE_IP4_HLEN + IP_LINK_ROOM);
    wire_ip4_dec_ttl(pkt_data(p));
    ip_becomes_outgoing(p);
    env_count(ip->env, STAT_IpForwDatagrams);
    struct addr nexthop = addr_is_any(&r->gw) ? h.dst : r->gw;
    if (p->len > nif->mtu)
        (void)ip_fragment(ip, nif, &nexthop, nif->mtu, p);
    else
        (void)neigh_output(ip->neigh, nif, &nexthop, p);
    return NEXT_DONE;
}
