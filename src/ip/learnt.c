/* SPDX-License-Identifier: Apache-2.0
 *
 * Routes that routers told: default routers, on-link prefixes, more specific routes, redirects
 * [RFC 4861 5.1, RFC 4191 2.3].
 *
 * Decides how many are kept (IP6_LEARNT, and a share of it for each kind, so that a flood of one
 * finds no place to push out another), for how long, and which of several routers is used: by the
 * preference it claims, then by age, and after all others when its neighbour entry has failed
 * [RFC 4861 6.3.6]. A router that failed is an equal again with its next advertisement.
 *
 * Called by router.c (learns), ip.c (time) and stack/ through ip6_routers_check; calls route.c,
 * which holds a route for each entry. Owns ip->learnt.
 *
 * Invariants: an entry in use has exactly one route, of a metric no other entry of its prefix has;
 * the timer is set at or before the earliest expiry. What the configuration says comes first: its
 * metrics are lower unless it chose otherwise.
 */
#include "ip/parts.h"

enum {
    METRIC_LEARNT = 1024, /* as Linux's routes by advertisement */
    METRIC_PREF = 64,     /* a step of preference; IP6_LEARNT entries fit into one */
    METRIC_FAILED = 1024,
};
_Static_assert((int)METRIC_PREF >= (int)IP6_LEARNT, "metrics of two preferences do not mix");

/* How many of a kind may be there at once. */
static const uint8_t most[] = {
    [LEARNT_DEFAULT] = 8, [LEARNT_PREFIX] = 16, [LEARNT_ROUTE] = 16, [LEARNT_REDIRECT] = 24};

static struct route route_of(const struct ip *ip, const struct ip6_learnt *l)
{
    uint32_t index = (uint32_t)(l - ip->learnt);
    uint32_t pref = (uint32_t)(1 - l->pref) * METRIC_PREF;
    return (struct route){.prefix = l->prefix,
                          .plen = l->plen,
                          .gw = l->gw,
                          .nif = l->nif,
                          .metric = METRIC_LEARNT + pref + index +
                                    (l->has_failed ? (uint32_t)METRIC_FAILED : 0)};
}

static void entry_remove(struct ip *ip, struct ip6_learnt *l)
{
    struct route r = route_of(ip, l);
    (void)ip_route_del(ip, &r);
    *l = (struct ip6_learnt){0};
}

/* Another preference or trust: the route is another one. */
static void entry_change(struct ip *ip, struct ip6_learnt *l, int8_t pref, bool has_failed)
{
    if (l->pref == pref && l->has_failed == has_failed)
        return;
    struct route r = route_of(ip, l);
    (void)ip_route_del(ip, &r);
    l->pref = pref;
    l->has_failed = has_failed;
    r = route_of(ip, l);
    if (ip_route_add(ip, &r) < 0)
        *l = (struct ip6_learnt){0};
}

static bool is_same(const struct ip6_learnt *a, const struct ip6_learnt *b)
{
    bool is_redirect = a->kind == LEARNT_REDIRECT; /* one next hop for a destination */
    return a->kind == b->kind && a->nif == b->nif && a->plen == b->plen &&
           addr_eq(&a->prefix, &b->prefix) && (is_redirect || addr_eq(&a->gw, &b->gw));
}

/* A free place for this kind; NULL: it has as many as it may. A redirect takes the place of the one
 * that ends first. */
static struct ip6_learnt *place_for(struct ip *ip, uint8_t kind)
{
    struct ip6_learnt *free = NULL, *first = NULL;
    unsigned n = 0;
    for (unsigned i = 0; i < IP6_LEARNT; i++) {
        struct ip6_learnt *l = &ip->learnt[i];
        if (l->kind == LEARNT_NONE)
            free = free == NULL ? l : free;
        if (l->kind != kind)
            continue;
        n++;
        first = first == NULL || l->expires < first->expires ? l : first;
    }
    if (n < most[kind])
        return free;
    if (kind != LEARNT_REDIRECT)
        return NULL;
    entry_remove(ip, first);
    return first;
}

void learnt_add(struct ip *ip, const struct ip6_learnt *said)
{
    struct ip6_learnt *l = NULL;
    for (unsigned i = 0; i < IP6_LEARNT && l == NULL; i++) {
        if (is_same(&ip->learnt[i], said))
            l = &ip->learnt[i];
    }
    bool is_gone = said->expires <= ip->env->now;
    if (l != NULL && (is_gone || !addr_eq(&l->gw, &said->gw))) {
        entry_remove(ip, l);
        l = NULL;
    }
    if (is_gone)
        return;
    if (l != NULL) {
        entry_change(ip, l, said->pref, false);
        l->expires = said->expires;
    } else if ((l = place_for(ip, said->kind)) != NULL) {
        *l = *said;
        struct route r = route_of(ip, l);
        if (ip_route_add(ip, &r) < 0)
            *l = (struct ip6_learnt){0};
    }
    learnt_arm(ip, said->expires);
}

void learnt_forget_router(struct ip *ip, const struct nif *nif, const struct addr *gw)
{
    for (unsigned i = 0; i < IP6_LEARNT; i++) {
        struct ip6_learnt *l = &ip->learnt[i];
        if (l->kind != LEARNT_NONE && l->nif == nif->id && addr_eq(&l->gw, gw))
            entry_remove(ip, l);
    }
}

void ip6_routers_check(struct ip *ip)
{
    for (unsigned i = 0; i < IP6_LEARNT; i++) {
        struct ip6_learnt *l = &ip->learnt[i];
        const struct nif *nif = link_nif(ip->link, l->nif);
        if (l->kind == LEARNT_NONE || nif == NULL || addr_is_any(&l->gw))
            continue;
        if (!neigh_has_failed(ip->neigh, nif, &l->gw))
            continue;
        /* A redirect to who does not answer is forgotten, a router is only doubted. */
        if (l->kind == LEARNT_REDIRECT)
            entry_remove(ip, l);
        else
            entry_change(ip, l, l->pref, true);
    }
}

void learnt_arm(struct ip *ip, w_ns at)
{
    struct timer *t = &ip->learnt_timer;
    if (at == W_NEVER || (t->is_set && t->at <= at))
        return;
    t->kind = TK_REASM;
    t->obj = IP_TIMER_LEARNT;
    wheel_set(&ip->env->wheel, t, at);
}

void learnt_expire(struct ip *ip)
{
    w_ns next = slaac_expire(ip);
    for (unsigned i = 0; i < IP6_LEARNT; i++) {
        struct ip6_learnt *l = &ip->learnt[i];
        if (l->kind == LEARNT_NONE)
            continue;
        if (l->expires <= ip->env->now)
            entry_remove(ip, l);
        else
            next = w_u64_min(next, l->expires);
    }
    learnt_arm(ip, next);
}
