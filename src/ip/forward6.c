/* SPDX-License-Identifier: Apache-2.0
 *
 * An IPv6 packet for somebody else, on its way through [RFC 8200 3, 4.3].
 *
 * Decides whether it lives on (hop limit), where it goes, whether it fits (a router never cuts it),
 * and what its sender is told when it does not: time exceeded, no route, beyond scope, too big, or
 * a parameter problem of its hop-by-hop options, the only extension header a router looks at.
 *
 * Called by forward.c; calls route.c, neigh/. Owns nothing. Invariants: what is sent on differs in
 * its hop limit only; what means something on one link does not leave it [RFC 4007 9].
 */
#include "ip/parts.h"
#include "wire/icmp6.h"
#include "wire/ipv6.h"

static enum next forward6_error(struct pkt *p, enum drop why, uint8_t type, uint8_t code,
                                uint32_t arg)
{
    p->drop = (uint16_t)why;
    p->icmp_type = type;
    p->icmp_code = code;
    p->icmp_arg = arg;
    return NEXT_ICMP_ERROR;
}

static enum next forward_drop(struct pkt *p, enum drop why)
{
    p->drop = (uint16_t)why;
    return NEXT_DROP;
}

/* Hop-by-hop options. The walk stops where they end, so that it judges nothing else. */
static enum next options6_check(struct pkt *p, const struct wire_ip6 *h)
{
    struct wire_ip6_chain c;
    const uint8_t *b = pkt_data(p);
    if (h->next != PROTO_HOPOPTS)
        return NEXT_DONE;
    uint32_t end = WIRE_IP6_HLEN + 8;
    if (p->lin >= end)
        end = WIRE_IP6_HLEN + (b[WIRE_IP6_HLEN + 1] + 1u) * 8;
    if (p->lin < end)
        return forward_drop(p, DROP_IP6_CHAIN);
    /* A copy whose chain ends with these options: nothing behind them is looked at. */
    uint8_t alone[PKT_LINEAR];
    memcpy(alone, b, end);
    alone[WIRE_IP6_HLEN] = PROTO_NONE;
    enum drop why = wire_ip6_walk(alone, end, &c);
    if (why == DROP_NONE)
        return NEXT_DONE;
    if (!c.wants_error)
        return forward_drop(p, why);
    return forward6_error(p, why, ICMP6T_PARAM_PROBLEM, c.bad_code, c.bad_at);
}

/* The route's verdict. */
static enum next no_route6(struct pkt *p, const struct route *r)
{
    if (r == NULL)
        return forward6_error(p, DROP_IP_NO_ROUTE, ICMP6T_DEST_UNREACH, ICMP6C_NO_ROUTE, 0);
    if (r->kind == ROUTE_UNREACHABLE)
        return forward6_error(p, DROP_IP_NO_ROUTE, ICMP6T_DEST_UNREACH, ICMP6C_ADDR, 0);
    return forward_drop(p, DROP_IP_BLACKHOLE);
}

static enum next send_on(struct ip *ip, struct nif *nif, const struct addr *nexthop, struct pkt *p)
{
    ip_make_headroom(p, WIRE_IP6_HLEN + IP_LINK_ROOM);
    pkt_data(p)[7]--;
    ip_becomes_outgoing(p);
    env_count(ip->env, STAT_Ip6OutForwDatagrams);
    (void)neigh_output(ip->neigh, nif, nexthop, p);
    return NEXT_DONE;
}

enum next ip6_forward(struct ip *ip, struct pkt *p)
{
    struct wire_ip6 h;
    enum drop why = wire_ip6_parse(pkt_data(p), p->len, &h);
    WEIR_ASSERT(why == DROP_NONE);
    WEIR_ASSERT(p->origin == LINK_TO_US);
    if (addr_is_any(&h.src) || addr_is_loopback(&h.src))
        return forward_drop(p, DROP_IP_SRC_MARTIAN);
    enum next next = options6_check(p, &h);
    if (next != NEXT_DONE)
        return next;
    if (h.hlim <= 1)
        return forward6_error(p, DROP_IP_TTL, ICMP6T_TIME_EXCEEDED, ICMP6C_HOPS, 0);
    if (addr_is_link_local6(&h.src))
        return forward6_error(p, DROP_IP_NO_ROUTE, ICMP6T_DEST_UNREACH, ICMP6C_BEYOND_SCOPE, 0);
    const struct route *r = route_find(ip, &h.dst, 0);
    struct nif *nif = r != NULL ? link_nif(ip->link, r->nif) : NULL;
    if (r == NULL || r->kind != ROUTE_UNICAST || nif == NULL)
        return no_route6(p, r);
    if (p->len > nif->mtu) {
        env_count(ip->env, STAT_Ip6FragFails);
        return forward6_error(p, DROP_FRAG_NEEDED, ICMP6T_TOO_BIG, 0, nif->mtu);
    }
    struct addr nexthop = addr_is_any(&r->gw) ? h.dst : r->gw;
    return send_on(ip, nif, &nexthop, p);
}
