/* SPDX-License-Identifier: Apache-2.0
 *
 * A destination resolved: outgoing interface, next hop, source address, MTU.
 *
 * Decides, once for many packets, what ip_output will need; whoever sends keeps the result and asks
 * again when ip->gen has moved on. What an address of ours is sent to goes by loopback; a broadcast
 * or multicast goes by the interface it names, the source's, or the route's.
 *
 * Called by the transports, icmp/ and sock/; calls route.c, addr.c, pmtu.c. Owns nothing.
 *
 * Invariant: on failure out->gen is 0, which is never valid.
 */
#include "ip/parts.h"

#include <errno.h>

/* A broadcast or multicast without a route goes by the source's interface, or the first with an
 * address of that family [RFC 1122 3.3.6]. */
static unsigned group_nif(const struct ip *ip, const struct addr *dst, const struct addr *src)
{
    if (src != NULL)
        return ip_addr_nif(ip, src);
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        const struct ip_addr *a = &ip->addr[i];
        if (ip_addr_is_usable(a) && a->nif != ip->lo && addr_is_ip4(&a->addr) == addr_is_ip4(dst))
            return a->nif;
    }
    return 0;
}

static int route_group(const struct ip *ip, const struct addr *dst, const struct addr *src,
                       unsigned want, struct dst *d)
{
    unsigned nif = want != 0 ? want : ip_addr_nif(ip, dst);
    if (nif == 0) {
        const struct route *r = route_find(ip, dst, 0);
        nif = r != NULL && r->kind == ROUTE_UNICAST ? r->nif : group_nif(ip, dst, src);
    }
    if (nif == 0)
        return -ENETUNREACH;
    d->nif = (uint8_t)nif;
    d->nexthop = d->kind == IP_BROADCAST ? addr_ip4(0xffffffff) : *dst;
    return 0;
}

static int route_unicast(const struct ip *ip, const struct addr *dst, unsigned want, struct dst *d)
{
    const struct route *r = route_find(ip, dst, want);
    if (r == NULL)
        return -ENETUNREACH;
    if (r->kind == ROUTE_UNREACHABLE)
        return -EHOSTUNREACH;
    if (r->kind == ROUTE_BLACKHOLE)
        return -EINVAL;
    d->nif = r->nif;
    d->gateway = !addr_is_any(&r->gw);
    d->nexthop = d->gateway ? r->gw : *dst;
    d->src = r->src;
    return 0;
}

static int choose_src(const struct ip *ip, const struct addr *dst, const struct addr *src,
                      const struct nif *nif, struct dst *d)
{
    bool is_lo = (nif->flags & NIF_LOOPBACK) != 0;
    if (src != NULL) {
        if (!ip_is_local(ip, src))
            return -EADDRNOTAVAIL;
        /* [RFC 1122 3.2.1.3 (g)] Never outside a host. */
        if (addr_is_loopback(src) && !is_lo)
            return -EINVAL;
        d->src = *src;
        return 0;
    }
    if (d->kind == IP_LOCAL) {
        d->src = *dst;
        return 0;
    }
    if (!addr_is_any(&d->src))
        return 0;
    const struct addr *a =
        d->is_ip6 ? ip6_addr_select(ip, nif, dst) : ip_addr_select(ip, nif, &d->nexthop);
    if (a == NULL)
        return -EADDRNOTAVAIL;
    d->src = *a;
    return 0;
}

static uint32_t link_mtu(const struct ip *ip, const struct nif *nif, bool is_ip6)
{
    uint32_t advertised = is_ip6 ? ip->nif6[nif->id].mtu : 0;
    return advertised != 0 ? w_u32_min(nif->mtu, advertised) : nif->mtu;
}

uint32_t ip_dst_link_mtu(const struct ip *ip, const struct dst *d)
{
    const struct nif *nif = link_nif(ip->link, d->nif);
    return nif != NULL ? link_mtu(ip, nif, d->is_ip6) : d->mtu;
}

static void set_mtu(const struct ip *ip, const struct addr *dst, const struct nif *nif,
                    struct dst *d)
{
    d->mtu = link_mtu(ip, nif, d->is_ip6);
    if (d->is_ip6)
        d->hlim = ip->nif6[nif->id].hlim;
    d->can_frag = !d->is_ip6 && ip->env->conf.ip_no_pmtu_disc != 0;
    const struct pmtu_entry *e = d->kind == IP_REMOTE ? pmtu_find(ip, dst) : NULL;
    if (e == NULL || e->mtu >= d->mtu)
        return;
    d->mtu = e->mtu;
    d->can_frag |= e->is_floor;
}

/* [RFC 4007 6] A link-local address is one on a certain link: the one asked for, or the one its
 * source is on. 0: not known. */
static unsigned zone_of(const struct ip *ip, const struct addr *src, unsigned want)
{
    if (want != 0 || src == NULL || !addr_is_link_local6(src))
        return want;
    return ip_addr_nif(ip, src);
}

/* What cannot be sent whatever the routes say. */
static int ends_check(const struct addr *dst, const struct addr *src, unsigned nif)
{
    if (addr_is_any(dst) || (src != NULL && addr_is_ip4(src) != addr_is_ip4(dst)))
        return -ENETUNREACH;
    return addr_is_link_local6(dst) && nif == 0 ? -EINVAL : 0;
}

int ip_route(const struct ip *ip, const struct addr *dst, const struct addr *src, struct dst *out)
{
    unsigned want = out->nif;
    int r;
    *out = (struct dst){0};
    if (src != NULL && addr_is_any(src))
        src = NULL;
    struct dst d = {.kind = (uint8_t)ip_addr_kind(ip, NULL, dst),
                    .src = addr_ip4(0),
                    .is_ip6 = !addr_is_ip4(dst)};
    if (d.is_ip6)
        want = d.kind == IP_LOCAL ? ip->lo : zone_of(ip, src, want);
    r = ends_check(dst, src, want);
    if (r < 0)
        return r;
    if (d.kind == IP_LOCAL) {
        d.nif = ip->lo;
        d.nexthop = *dst;
        r = ip->lo != 0 ? 0 : -ENETUNREACH;
    } else if (d.kind == IP_REMOTE) {
        r = route_unicast(ip, dst, want, &d);
    } else {
        r = route_group(ip, dst, src, want, &d);
    }
    if (r < 0)
        return r;
    const struct nif *nif = link_nif(ip->link, d.nif);
    if (nif == NULL)
        return -ENETUNREACH;
    r = choose_src(ip, dst, src, nif, &d);
    if (r < 0)
        return r;
    set_mtu(ip, dst, nif, &d);
    d.gen = ip->gen;
    *out = d;
    return 0;
}

void ip_dst_doubt(struct ip *ip, const struct dst *d)
{
    const struct nif *nif = link_nif(ip->link, d->nif);
    if (nif != NULL)
        neigh_doubt(ip->neigh, nif, &d->nexthop);
}
