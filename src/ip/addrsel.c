/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of our IPv6 addresses a destination is spoken to from [RFC 6724 5].
 *
 * Decides by comparing candidates rule by rule. Candidates are the usable addresses of the outgoing
 * interface; where it has none that fits, those of the others, but for loopback and what means
 * nothing outside its own link.
 *
 *     1    the destination itself
 *     2    the smallest scope that still reaches it
 *     3    not deprecated
 *     5    of the outgoing interface
 *     6    of the destination's label: 6to4, ULA, Teredo and the rest stay among themselves
 *     8    most leading bits in common, at most its prefix
 *
 * Rules 4 (home addresses) and 7 (temporary addresses) have nothing to decide here; 5.5 is left out
 * as the standard allows where a host does not track which router advertised which prefix.
 *
 * Called by dst.c. Owns the policy table of RFC 6724 2.1.
 */
#include "ip/parts.h"

struct policy {
    struct addr prefix;
    uint8_t plen, label;
};

/* [RFC 6724 2.1] In falling length of prefix; ::/0 is what no other row has. */
static const struct policy policies[] = {
    {{.b = {[15] = 1}}, 128, 0},   /* ::1 */
    {{.b = {0}}, 96, 3},           /* ::/96 */
    {{.b = {0x20, 0x01}}, 32, 5},  /* Teredo */
    {{.b = {0x20, 0x02}}, 16, 2},  /* 6to4 */
    {{.b = {0x3f, 0xfe}}, 16, 12}, /* 6bone */
    {{.b = {0xfe, 0xc0}}, 10, 11}, /* site-local */
    {{.b = {0xfc}}, 7, 13},        /* ULA */
};
enum { LABEL_DEFAULT = 1, SCOPE_LINK = 2, SCOPE_SITE = 5, SCOPE_GLOBAL = 14 };

static unsigned label_of(const struct addr *a)
{
    for (unsigned i = 0; i < WEIR_COUNT(policies); i++) {
        if (addr_in_prefix(a, &policies[i].prefix, policies[i].plen))
            return policies[i].label;
    }
    return LABEL_DEFAULT;
}

/* [RFC 6724 3.1] Unicast scopes are mapped to those of multicast; loopback is link-local. */
static unsigned scope_of(const struct addr *a)
{
    if (addr_is_multicast(a))
        return a->b[1] & 15u;
    if (addr_is_link_local6(a) || addr_is_loopback(a))
        return SCOPE_LINK;
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0xc0 ? SCOPE_SITE : SCOPE_GLOBAL;
}

static unsigned shared_bits(const struct addr *a, const struct addr *b, unsigned max)
{
    unsigned n = 0;
    while (n < max && n < 128 && ((a->b[n / 8] ^ b->b[n / 8]) & 0x80 >> n % 8) == 0)
        n++;
    return n;
}

struct wanted {
    const struct addr *dst;
    unsigned nif, scope, label;
};

/* Whether a is better than b: the first rule that tells them apart. */
static bool is_better(const struct wanted *w, const struct ip_addr *a, const struct ip_addr *b)
{
    if (addr_eq(&a->addr, w->dst) != addr_eq(&b->addr, w->dst))
        return addr_eq(&a->addr, w->dst);
    unsigned sa = scope_of(&a->addr), sb = scope_of(&b->addr);
    if (sa != sb)
        return sa < sb ? sa >= w->scope : sb < w->scope;
    unsigned old_a = a->flags & IP_ADDR_DEPRECATED, old_b = b->flags & IP_ADDR_DEPRECATED;
    if (old_a != old_b)
        return old_a == 0;
    if ((a->nif == w->nif) != (b->nif == w->nif))
        return a->nif == w->nif;
    bool fits_a = label_of(&a->addr) == w->label, fits_b = label_of(&b->addr) == w->label;
    if (fits_a != fits_b)
        return fits_a;
    return shared_bits(&a->addr, w->dst, a->plen) > shared_bits(&b->addr, w->dst, b->plen);
}

/* [RFC 6724 4] What may be chosen at all; an address of one link does not leave by another, and is
 * no answer from beyond it. */
static bool is_candidate(const struct ip *ip, const struct ip_addr *a, unsigned nif)
{
    if (!ip_addr_is_usable(a) || addr_is_ip4(&a->addr))
        return false;
    if (a->nif != nif && addr_is_link_local6(&a->addr))
        return false;
    return a->nif != ip->lo || nif == ip->lo || !addr_is_loopback(&a->addr);
}

const struct addr *ip6_addr_select(const struct ip *ip, const struct nif *nif,
                                   const struct addr *dst)
{
    struct wanted w = {.dst = dst, .nif = nif->id, .scope = scope_of(dst), .label = label_of(dst)};
    const struct ip_addr *best = NULL;
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        const struct ip_addr *a = &ip->addr[i];
        if (is_candidate(ip, a, nif->id) && (best == NULL || is_better(&w, a, best)))
            best = a;
    }
    return best != NULL ? &best->addr : NULL;
}
