/* SPDX-License-Identifier: Apache-2.0
 *
 * Our addresses: which there are, what any address is to us, which one we speak from.
 *
 * Decides local, broadcast, multicast or remote for every packet that comes in, so the answer is
 * one lookup in a small open hash over all local and directed broadcast addresses, rebuilt when an
 * address changes. A host has all its addresses on all its interfaces: the weak model [RFC 1122
 * 3.3.4.2 (B)], as Linux; broadcast belongs to the interface of its network.
 *
 * Called by in4.c, route.c, icmp/, udp/ and stack/; calls neigh/ to take an address on the wire,
 * and route.c for the on-link route. Owns ip->addr and ip->slot.
 *
 * Invariants: at most 3/4 of the slots are in use, so a search ends; a tentative address, and one
 * in conflict, is not local.
 */
#include "ip/parts.h"

#include <errno.h>

_Static_assert(2 * IP_ADDRS <= IP_ADDR_SLOTS * 3 / 4, "the hash has room");

static void slot_put(struct ip *ip, const struct addr *a, enum ip_kind kind, unsigned nif)
{
    struct ip_addr_slot *s = &ip->slot[ip_slot_find(ip, a) - ip->slot];
    if (s->kind != IP_REMOTE)
        return; /* a local address is nobody's broadcast, the first one counts */
    *s = (struct ip_addr_slot){.addr = *a, .kind = (uint8_t)kind, .nif = (uint8_t)nif};
}

static void slots_rebuild(struct ip *ip)
{
    memset(ip->slot, 0, sizeof ip->slot);
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        const struct ip_addr *a = &ip->addr[i];
        if (ip_addr_is_usable(a))
            slot_put(ip, &a->addr, IP_LOCAL, a->nif);
    }
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        const struct ip_addr *a = &ip->addr[i];
        if (a->nif != 0 && !addr_is_any(&a->bcast))
            slot_put(ip, &a->bcast, IP_BROADCAST, a->nif);
    }
    ip_gen_bump(ip);
}

enum ip_kind ip_addr_kind(const struct ip *ip, const struct nif *nif, const struct addr *a)
{
    const struct ip_addr_slot *s = ip_slot_find(ip, a);
    if (WEIR_LIKELY(s->kind == IP_LOCAL))
        return IP_LOCAL;
    if (s->kind == IP_BROADCAST)
        return nif == NULL || s->nif == nif->id ? IP_BROADCAST : IP_REMOTE;
    if (addr_is_multicast(a))
        return IP_MULTICAST;
    if (addr_is_limited_broadcast(a))
        return IP_BROADCAST;
    return ip->lo != 0 && addr_is_loopback(a) ? IP_LOCAL : IP_REMOTE;
}

bool ip_is_local(const struct ip *ip, const struct addr *a)
{
    return ip_addr_kind(ip, NULL, a) == IP_LOCAL;
}

unsigned ip_addr_nif(const struct ip *ip, const struct addr *a)
{
    const struct ip_addr_slot *s = ip_slot_find(ip, a);
    if (s->kind != IP_REMOTE)
        return s->nif;
    return addr_is_loopback(a) ? ip->lo : 0;
}

/* How good `a` is as a source towards nexthop by nif: on the same network best, then on the same
 * interface, then any that is not loopback; 0: not at all. */
static unsigned select_rank(const struct ip_addr *a, const struct nif *nif,
                            const struct addr *nexthop)
{
    if (!ip_addr_is_usable(a) || !addr_is_ip4(&a->addr))
        return 0;
    if (a->nif == nif->id)
        return addr_in_prefix(nexthop, &a->addr, a->plen) ? 1000u + a->plen : 2;
    return addr_is_loopback(&a->addr) ? 0 : 1;
}

const struct addr *ip_addr_select(const struct ip *ip, const struct nif *nif,
                                  const struct addr *nexthop)
{
    const struct addr *best = NULL;
    unsigned best_rank = 0;
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        if (ip->addr[i].nif == 0)
            continue;
        unsigned rank = select_rank(&ip->addr[i], nif, nexthop);
        if (rank > best_rank) {
            best_rank = rank;
            best = &ip->addr[i].addr;
        }
    }
    return best;
}

/* All host bits one [RFC 1122 3.2.1.3 (d)]; a /31 and a /32 have none [RFC 3021 2.1]. */
static struct addr broadcast_of(const struct addr *a, unsigned plen)
{
    if (!addr_is_ip4(a) || plen > IP4_PLEN(30))
        return addr_ip4(0);
    uint32_t host_bits = 0xffffffffu >> (plen - IP4_PLEN(0));
    if (plen == IP4_PLEN(0))
        host_bits = 0xffffffffu;
    return addr_ip4(addr_to_ip4(a) | host_bits);
}

static bool addr_is_assignable(const struct nif *nif, const struct addr *a, unsigned plen)
{
    if (addr_is_any(a) || addr_is_multicast(a))
        return false;
    if (addr_is_ip4(a) && (addr_ip4_bytes(a)[0] >= 240 || plen < IP4_PLEN(0)))
        return false;
    /* [RFC 8200 5] */
    if (!addr_is_ip4(a) && (plen == 0 || nif->mtu < WIRE_IP6_MIN_MTU))
        return false;
    return !addr_is_loopback(a) || (nif->flags & NIF_LOOPBACK) != 0;
}

static struct ip_addr *addr_slot_free(struct ip *ip)
{
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        if (ip->addr[i].nif == 0)
            return &ip->addr[i];
    }
    return NULL;
}

struct ip_addr *ip_addr_entry(struct ip *ip, const struct nif *nif, const struct addr *a)
{
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        if (ip->addr[i].nif == nif->id && addr_eq(&ip->addr[i].addr, a))
            return &ip->addr[i];
    }
    return NULL;
}

int ip_addr_put(struct ip *ip, struct nif *nif, const struct addr *a, unsigned plen, bool probe,
                bool has_route)
{
    if (plen > 128 || !addr_is_assignable(nif, a, plen))
        return -EINVAL;
    if (ip_addr_entry(ip, nif, a) != NULL)
        return -EEXIST;
    struct ip_addr *e = addr_slot_free(ip);
    if (e == NULL)
        return -ENOSPC;
    bool is_lo = (nif->flags & NIF_LOOPBACK) != 0;
    if (!is_lo) {
        int r = neigh_addr_add(ip->neigh, nif, a, probe);
        if (r < 0)
            return r;
    } else {
        ip->lo = nif->id;
    }
    *e = (struct ip_addr){.addr = *a, .plen = (uint8_t)plen, .nif = nif->id};
    e->bcast = is_lo ? addr_ip4(0) : broadcast_of(a, plen);
    if (!is_lo && neigh_addr_state(ip->neigh, nif, a) == NEIGH_ADDR_PROBING)
        e->flags = IP_ADDR_TENTATIVE;
    if (!is_lo && plen < IP4_PLEN(32) && has_route)
        route_auto_add(ip, nif, a, plen);
    slots_rebuild(ip);
    return 0;
}

int ip_addr_add(struct ip *ip, struct nif *nif, const struct addr *a, unsigned plen, bool probe)
{
    return ip_addr_put(ip, nif, a, plen, probe, true);
}

/* Whether another address of the same network stays on the interface. */
static bool network_is_shared(const struct ip *ip, const struct ip_addr *e)
{
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        const struct ip_addr *o = &ip->addr[i];
        if (o != e && o->nif == e->nif && o->plen == e->plen &&
            addr_in_prefix(&o->addr, &e->addr, e->plen))
            return true;
    }
    return false;
}

int ip_addr_del(struct ip *ip, struct nif *nif, const struct addr *a)
{
    struct ip_addr *e = ip_addr_entry(ip, nif, a);
    if (e == NULL)
        return -ENOENT;
    neigh_addr_del(ip->neigh, nif, a);
    if (!network_is_shared(ip, e))
        route_auto_del(ip, nif, a, e->plen);
    *e = (struct ip_addr){0};
    slots_rebuild(ip);
    return 0;
}

void ip_addr_changed(struct ip *ip, const struct neigh_addr *n)
{
    struct nif *nif = link_nif(ip->link, n->nif);
    struct ip_addr *e = nif != NULL ? ip_addr_entry(ip, nif, &n->addr) : NULL;
    if (e == NULL)
        return;
    e->flags &= (uint8_t)~IP_ADDR_UNUSABLE;
    if (n->state == NEIGH_ADDR_PROBING)
        e->flags |= IP_ADDR_TENTATIVE;
    else if (n->state == NEIGH_ADDR_CONFLICT)
        e->flags |= IP_ADDR_CONFLICT;
    slots_rebuild(ip);
    if ((e->flags & IP_ADDR_CONFLICT) != 0 && (e->flags & IP_ADDR_AUTO) != 0)
        slaac_conflict(ip, nif, e);
}

bool ip6_is_member(const struct ip *ip, const struct nif *nif, const struct addr *group)
{
    static const struct addr all_nodes = {.b = {0xff, 0x02, [15] = 1}};
    static const struct addr all_nodes_inside = {.b = {0xff, 0x01, [15] = 1}};
    static const struct addr all_routers = {.b = {0xff, 0x02, [15] = 2}};
    if (addr_eq(group, &all_nodes) || addr_eq(group, &all_nodes_inside))
        return true;
    if (addr_eq(group, &all_routers))
        return ip->env->conf.ip_forward != 0;
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        const struct ip_addr *a = &ip->addr[i];
        if (a->nif != nif->id || addr_is_ip4(&a->addr) || (a->flags & IP_ADDR_CONFLICT) != 0)
            continue;
        struct addr mine = addr_solicited_node(&a->addr);
        if (addr_eq(&mine, group))
            return true;
    }
    return false;
}

const struct ip_addr *ip_addr_at(const struct ip *ip, unsigned i)
{
    WEIR_ASSERT(i < IP_ADDRS);
    return ip->addr[i].nif != 0 ? &ip->addr[i] : NULL;
}
