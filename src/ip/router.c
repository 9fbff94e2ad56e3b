/* SPDX-License-Identifier: Apache-2.0
 *
 * What routers tell a host: advertisements, asked for, and redirects [RFC 4861 6.3, 8.3].
 *
 * Decides when routers are asked (at once, then ever more rarely until one answers [RFC 7559 2]),
 * whose word counts (a link-local source, an interface that is to configure itself, a host that
 * does not forward), and what of it: hop limit, timers, MTU, the default route, prefixes on the
 * link and prefixes for addresses, more specific routes.
 *
 * Called by icmp/, which has checked hop limit 255, checksum and format, by ip.c for time, by
 * stack/ to start; calls learnt.c, slaac.c, neigh/. Owns ip->nif6.
 *
 * Invariants: values are bounded before they are believed: an MTU lies between 1280 and the link's,
 * a hop limit is not so small that packets die on the way [RFC 4861 6.3.4 DEVIATES: SHOULD take any
 * value but 0; a forged 1 would cut the host off].
 */
#include "ip/parts.h"
#include "wire/nd.h"

enum {
    RS_DELAY_MS = 1000, /* MAX_RTR_SOLICITATION_DELAY */
    RS_FIRST_MS = 4000, /* RTR_SOLICITATION_INTERVAL, IRT of RFC 7559 */
    RS_MOST_MS = 3600000,
    HLIM_MIN = 32,
    REACHABLE_MAX_MS = 3600000,
    RETRANS_MIN_MS = 100,
    RETRANS_MAX_MS = 60000,
};

static const struct addr all_routers = {.b = {0xff, 0x02, [15] = 2}};

/* ---- asking ---- */

static const struct addr *link_local_of(const struct ip *ip, const struct nif *nif)
{
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        const struct ip_addr *a = &ip->addr[i];
        if (a->nif == nif->id && ip_addr_is_usable(a) && addr_is_link_local6(&a->addr))
            return &a->addr;
    }
    return NULL;
}

/* [RFC 4861 6.3.7] From :: while our own address is not ours yet, then without its option. */
static void solicit(struct ip *ip, struct nif *nif)
{
    const struct addr none = {.d = {0}}, *src = link_local_of(ip, nif);
    struct wire_nd m = {.type = ICMP6T_RS, .has = src != NULL ? (uint8_t)ND_HAS_SLLA : 0};
    memcpy(m.slla, nif->mac, WIRE_MAC);
    env_count(ip->env, STAT_Icmp6OutRouterSolicits);
    struct pkt *p = nd_message(ip->neigh, src != NULL ? src : &none, &all_routers, &m);
    if (p != NULL)
        (void)neigh_output(ip->neigh, nif, &all_routers, p);
}

/* Ten percent more or less [RFC 7559 2, RFC 8415 15]. */
static void solicit_arm(struct ip *ip, struct nif *nif, uint32_t ms)
{
    struct timer *t = &ip->nif6[nif->id].timer;
    uint32_t jitter = ms / 5 + 1;
    t->kind = TK_REASM;
    t->obj = IP_TIMER_RS + nif->id;
    wheel_set(&ip->env->wheel, t,
              ip->env->now + (ms - ms / 10 + rng_below(&ip->env->rng, jitter)) * W_MS);
}

int ip6_auto_start(struct ip *ip, struct nif *nif)
{
    struct ip6_nif *n = &ip->nif6[nif->id];
    int r = ip6_link_local_add(ip, nif, true);
    if (r < 0)
        return r;
    n->is_auto = true;
    n->rs_ms = 0;
    solicit_arm(ip, nif, rng_below(&ip->env->rng, RS_DELAY_MS));
    return 0;
}

void router_solicit_due(struct ip *ip, unsigned nif_id)
{
    struct ip6_nif *n = &ip->nif6[nif_id];
    struct nif *nif = link_nif(ip->link, nif_id);
    if (nif == NULL)
        return;
    solicit(ip, nif);
    n->rs_ms = n->rs_ms == 0 ? (uint32_t)RS_FIRST_MS : w_u32_min(n->rs_ms * 2, RS_MOST_MS);
    solicit_arm(ip, nif, n->rs_ms);
}

/* ---- advertisements ---- */

static uint32_t clamp(uint32_t v, uint32_t lo, uint32_t hi)
{
    return w_u32_min(w_u32_max(v, lo), hi);
}

static void take_link(struct ip *ip, struct nif *nif, const struct wire_nd *h)
{
    struct ip6_nif *n = &ip->nif6[nif->id];
    struct ip6_nif was = *n;
    struct nd_times *times = &ip->neigh->times[nif->id];
    if (h->hlim >= HLIM_MIN)
        n->hlim = h->hlim;
    if (h->reachable_ms != 0 && h->reachable_ms <= REACHABLE_MAX_MS)
        times->reachable_ms = h->reachable_ms;
    if (h->retrans_ms != 0)
        times->retrans_ms = clamp(h->retrans_ms, RETRANS_MIN_MS, RETRANS_MAX_MS);
    if ((h->has & ND_HAS_MTU) != 0 && h->mtu >= WIRE_IP6_MIN_MTU && h->mtu <= nif->mtu)
        n->mtu = h->mtu;
    if (was.hlim != n->hlim || was.mtu != n->mtu)
        ip_gen_bump(ip);
}

/* [RFC 4191 2.2] Two bits: 01 high, 11 low, 10 counts as medium. */
static int8_t pref_of(uint8_t flags)
{
    unsigned bits = flags >> 3 & 3;
    return bits == 1 ? 1 : bits == 3 ? -1 : 0;
}

static void take_router(struct ip *ip, const struct nif *nif, const struct addr *from,
                        const struct wire_nd *h)
{
    struct ip6_learnt l = {.kind = LEARNT_DEFAULT,
                           .gw = *from,
                           .nif = nif->id,
                           .pref = h->life_s == 0 ? (int8_t)0 : pref_of(h->flags),
                           .expires = ip6_life_end(ip, h->life_s)};
    learnt_add(ip, &l);
}

/* [RFC 4861 6.3.4, RFC 4862 5.5.3] */
static void take_prefix(struct ip *ip, struct nif *nif, const struct wire_nd_prefix *x)
{
    if (addr_is_link_local6(&x->prefix) || addr_is_multicast(&x->prefix) || x->plen == 0)
        return;
    if (addr_is_any(&x->prefix) || addr_is_ip4(&x->prefix))
        return;
    if ((x->flags & ND_PREFIX_ONLINK) != 0) {
        struct ip6_learnt l = {.kind = LEARNT_PREFIX,
                               .prefix = x->prefix,
                               .plen = x->plen,
                               .nif = nif->id,
                               .expires = ip6_life_end(ip, x->valid_s)};
        learnt_add(ip, &l);
    }
    if ((x->flags & ND_PREFIX_AUTO) != 0)
        slaac_prefix(ip, nif, x);
}

/* [RFC 4191 2.3] */
static void take_route(struct ip *ip, const struct nif *nif, const struct addr *from,
                       const struct wire_nd_route *x)
{
    struct ip6_learnt l = {.kind = LEARNT_ROUTE,
                           .prefix = x->prefix,
                           .plen = x->plen,
                           .gw = *from,
                           .nif = nif->id,
                           .pref = x->pref,
                           .expires = ip6_life_end(ip, x->life_s)};
    if (x->pref <= 1 && x->plen != 0 && !addr_is_link_local6(&x->prefix) &&
        !addr_is_ip4(&x->prefix) && !addr_is_multicast(&x->prefix))
        learnt_add(ip, &l);
}

enum drop ip6_router_advert(struct ip *ip, struct nif *nif, const struct addr *from,
                            const struct wire_nd *h)
{
    const struct weir_conf *c = &ip->env->conf;
    struct ip6_nif *n = &ip->nif6[nif->id];
    /* [RFC 4861 6.1.2] */
    if (!addr_is_link_local6(from))
        return DROP_ND_SENDER;
    if (!n->is_auto || c->ip6_accept_ra == 0 || c->ip_forward != 0)
        return DROP_ND_NOT_OURS;
    if ((h->has & ND_HAS_SLLA) != 0)
        nd_learn(ip->neigh, nif, from, h->slla, true);
    take_link(ip, nif, h);
    take_router(ip, nif, from, h);
    for (unsigned i = 0; i < h->n_prefix; i++)
        take_prefix(ip, nif, &h->prefix[i]);
    for (unsigned i = 0; i < h->n_route; i++)
        take_route(ip, nif, from, &h->route[i]);
    /* [RFC 7559 2] Asked until a router for everything answers. */
    if (h->life_s != 0)
        wheel_del(&ip->env->wheel, &n->timer);
    return DROP_NONE;
}

/* ---- redirects ---- */

enum drop ip6_redirect(struct ip *ip, struct nif *nif, const struct addr *from,
                       const struct wire_nd *h)
{
    const struct weir_conf *c = &ip->env->conf;
    /* [RFC 4861 8.1] From the link, by the router this destination now goes to. */
    if (!addr_is_link_local6(from))
        return DROP_ND_SENDER;
    if (c->ip6_accept_redirects == 0 || c->ip_forward != 0)
        return DROP_ND_NOT_OURS;
    if (addr_is_ip4(&h->dest) || addr_is_any(&h->dest) || addr_is_ip4(&h->target) ||
        ip_addr_kind(ip, NULL, &h->dest) != IP_REMOTE ||
        ip_addr_kind(ip, NULL, &h->target) != IP_REMOTE)
        return DROP_ND_REDIRECT;
    const struct route *r = route_find(ip, &h->dest, 0);
    if (r == NULL || r->nif != nif->id || !addr_eq(&r->gw, from))
        return DROP_ND_REDIRECT;
    bool is_on_link = addr_eq(&h->target, &h->dest);
    if ((h->has & ND_HAS_TLLA) != 0)
        nd_learn(ip->neigh, nif, &h->target, h->tlla, !is_on_link);
    struct ip6_learnt l = {.kind = LEARNT_REDIRECT,
                           .prefix = h->dest,
                           .plen = 128,
                           .nif = nif->id,
                           .expires = ip->env->now + c->ip_pmtu_expires_s * W_S};
    if (!is_on_link)
        l.gw = h->target;
    learnt_add(ip, &l);
    return DROP_NONE;
}

void ip6_router_gone(struct ip *ip, const struct nif *nif, const struct addr *router)
{
    learnt_forget_router(ip, nif, router);
}
