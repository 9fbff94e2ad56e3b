/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses this host makes for itself: link-local, and one for each prefix that routers offer for
 * it [RFC 4862 5.3, 5.5; identifiers of RFC 7217].
 *
 * Decides how many there are, how long they live, and what is tried when one is taken already:
 *
 *     tentative --silence--> preferred --preferred lifetime--> deprecated --valid lifetime--> gone
 *         `--duplicate--> the next identifier is tried, IDGEN_RETRIES times [RFC 7217 6]
 *
 * A valid lifetime is never shortened below two hours by an advertisement, which anybody could have
 * sent [RFC 4862 5.5.3 (e)].
 *
 * Called by router.c, addr.c (duplicates) and learnt.c (time); calls addr.c, iid.c. Owns the
 * lifetimes in ip->addr. Invariant: an address made from a prefix has no on-link route of its own:
 * whether the prefix is on the link is a matter of its own flag [RFC 5942 4].
 */
#include "ip/parts.h"
#include "wire/nd.h"

#include <errno.h>

enum { IDGEN_RETRIES = 3, AUTO_MAX = 16, SLAAC_PLEN = 64 };
#define TWO_HOURS (7200 * W_S)

static struct addr prefix_of(const struct addr *a)
{
    struct addr p = *a;
    p.d[1] = 0;
    return p;
}

/* Makes an address in the prefix; the next identifier from dad_count on. NULL: no room. */
static struct ip_addr *address_new(struct ip *ip, struct nif *nif, const struct addr *prefix,
                                   uint32_t dad_count, bool probe)
{
    struct addr a = ip6_stable_addr(ip, nif, prefix, &dad_count);
    bool is_link = addr_is_link_local6(prefix);
    if (ip_addr_put(ip, nif, &a, SLAAC_PLEN, probe, is_link) < 0)
        return NULL;
    struct ip_addr *e = ip_addr_entry(ip, nif, &a);
    e->flags |= IP_ADDR_AUTO;
    e->dad_count = (uint8_t)dad_count;
    e->preferred_until = e->valid_until = W_NEVER;
    return e;
}

int ip6_link_local_add(struct ip *ip, struct nif *nif, bool probe)
{
    const struct addr prefix = {.b = {0xfe, 0x80}};
    if (nif->mtu < WIRE_IP6_MIN_MTU)
        return -EINVAL;
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        if (ip->addr[i].nif == nif->id && addr_is_link_local6(&ip->addr[i].addr))
            return 0;
    }
    return address_new(ip, nif, &prefix, 0, probe) != NULL ? 0 : -ENOSPC;
}

void slaac_conflict(struct ip *ip, struct nif *nif, struct ip_addr *e)
{
    struct ip_addr old = *e;
    uint32_t next = old.dad_count + 1u;
    if (next > IDGEN_RETRIES)
        return;
    struct addr prefix = prefix_of(&old.addr);
    (void)ip_addr_del(ip, nif, &old.addr);
    struct ip_addr *made = address_new(ip, nif, &prefix, next, true);
    if (made == NULL)
        return;
    made->preferred_until = old.preferred_until;
    made->valid_until = old.valid_until;
}

/* [RFC 4862 5.5.3 (e)] */
static w_ns valid_until(const struct ip *ip, w_ns known, w_ns said)
{
    w_ns now = ip->env->now;
    if (said >= known || said > now + TWO_HOURS)
        return said;
    return known > now + TWO_HOURS ? now + TWO_HOURS : known;
}

static struct ip_addr *address_in(struct ip *ip, const struct nif *nif, const struct addr *prefix,
                                  unsigned *n_auto)
{
    struct ip_addr *found = NULL;
    *n_auto = 0;
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        struct ip_addr *a = &ip->addr[i];
        if (a->nif != nif->id || (a->flags & IP_ADDR_AUTO) == 0)
            continue;
        *n_auto += 1;
        if (addr_in_prefix(&a->addr, prefix, SLAAC_PLEN))
            found = a;
    }
    return found;
}

static void prefer(struct ip *ip, struct ip_addr *a)
{
    unsigned was = a->flags & IP_ADDR_DEPRECATED;
    bool is_old = a->preferred_until <= ip->env->now;
    a->flags &= (uint8_t)~IP_ADDR_DEPRECATED;
    a->flags |= is_old ? (uint8_t)IP_ADDR_DEPRECATED : 0;
    if (was != (a->flags & IP_ADDR_DEPRECATED))
        ip_gen_bump(ip);
}

void slaac_prefix(struct ip *ip, struct nif *nif, const struct wire_nd_prefix *x)
{
    unsigned n_auto;
    if (x->plen != SLAAC_PLEN || x->preferred_s > x->valid_s)
        return;
    struct ip_addr *a = address_in(ip, nif, &x->prefix, &n_auto);
    w_ns valid = ip6_life_end(ip, x->valid_s), preferred = ip6_life_end(ip, x->preferred_s);
    if (a == NULL) {
        if (x->valid_s == 0 || n_auto >= AUTO_MAX)
            return;
        a = address_new(ip, nif, &x->prefix, 0, true);
        if (a == NULL)
            return;
        a->valid_until = valid;
    } else {
        a->valid_until = valid_until(ip, a->valid_until, valid);
    }
    a->preferred_until = preferred;
    prefer(ip, a);
    learnt_arm(ip, w_u64_min(a->valid_until, w_u64_max(preferred, ip->env->now + 1)));
}

w_ns slaac_expire(struct ip *ip)
{
    w_ns next = W_NEVER, now = ip->env->now;
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        struct ip_addr *a = &ip->addr[i];
        struct nif *nif = link_nif(ip->link, a->nif);
        if (nif == NULL || (a->flags & IP_ADDR_AUTO) == 0)
            continue;
        if (a->valid_until <= now) {
            struct addr gone = a->addr;
            (void)ip_addr_del(ip, nif, &gone);
            continue;
        }
        prefer(ip, a);
        next = w_u64_min(next, a->valid_until);
        if (a->preferred_until > now)
            next = w_u64_min(next, a->preferred_until);
    }
    return next;
}
