/* SPDX-License-Identifier: Apache-2.0
 *
 * Our own addresses on the wire: asked about before use, announced, defended [RFC 5227; RFC 4862
 * 5.4, RFC 9131].
 *
 *     state        what is sent                       becomes
 *     PROBING      3 probes, 1 to 2 s apart           CONFLICT when somebody has it, or asks for it
 *                                                     too; after 2 s of silence ANNOUNCING
 *     ANNOUNCING   2 announcements, 2 s apart         OURS
 *     OURS         one announcement per conflict, at most each 10 s
 *     CONFLICT     nothing; it is not answered for
 *
 * IPv6 asks ip6_dad_transmits times, a retransmission time apart, and takes the address that long
 * after the last one [RFC 4862 5.4]; its announcements are unsolicited advertisements.
 *
 * An address in use is not given up: of the three answers to a conflict that RFC 5227 2.4 offers
 * this is (c), defend always, rate limited, because two forged packets must not take a host off the
 * network. The conflict is counted.
 *
 * Called by ip/ when addresses come and go, by arp.c and nd.c when somebody else shows up with one
 * of them, by neigh.c for timers; calls arp.c and nd.c. Owns neigh->addr[]. Invariant: a timer is
 * set in PROBING and ANNOUNCING only.
 */
#include "neigh/table.h"

#include <errno.h>

/* [RFC 5227 1.1] */
enum {
    PROBE_WAIT_MS = 1000,
    PROBE_NUM = 3,
    PROBE_MIN_MS = 1000,
    PROBE_MAX_MS = 2000,
    ANNOUNCE_WAIT_MS = 2000,
    ANNOUNCE_NUM = 2,
    ANNOUNCE_INTERVAL_MS = 2000,
    DEFEND_INTERVAL_S = 10,
};

struct neigh_addr *neigh_own(struct neigh *n, const struct nif *nif, const struct addr *a)
{
    for (unsigned i = 0; i < NEIGH_ADDRS; i++) {
        struct neigh_addr *o = &n->addr[i];
        if (o->state != NEIGH_ADDR_NONE && o->nif == nif->id && addr_eq(&o->addr, a))
            return o;
    }
    return NULL;
}

enum neigh_addr_state neigh_addr_state(const struct neigh *n, const struct nif *nif,
                                       const struct addr *a)
{
    for (unsigned i = 0; i < NEIGH_ADDRS; i++) {
        const struct neigh_addr *o = &n->addr[i];
        if (o->state != NEIGH_ADDR_NONE && o->nif == nif->id && addr_eq(&o->addr, a))
            return (enum neigh_addr_state)o->state;
    }
    return NEIGH_ADDR_NONE;
}

/* Leading bits two addresses have in common. */
static unsigned common_bits(const struct addr *a, const struct addr *b)
{
    for (unsigned i = 0; i < 4; i++) {
        uint32_t x = w_be32(&a->b[4 * i]) ^ w_be32(&b->b[4 * i]);
        if (x != 0)
            return 32 * i + (unsigned)__builtin_clz(x);
    }
    return 128;
}

const struct addr *neigh_ask_from(const struct neigh *n, const struct nif *nif,
                                  const struct addr *target)
{
    const struct addr *best = NULL;
    for (unsigned i = 0; i < NEIGH_ADDRS; i++) {
        const struct neigh_addr *o = &n->addr[i];
        bool is_usable = o->state == NEIGH_ADDR_OURS || o->state == NEIGH_ADDR_ANNOUNCING;
        if (!is_usable || o->nif != nif->id || addr_is_ip4(&o->addr) != addr_is_ip4(target))
            continue;
        if (best == NULL || common_bits(&o->addr, target) > common_bits(best, target))
            best = &o->addr;
    }
    return best;
}

static void own_arm(struct neigh *n, struct neigh_addr *o, uint32_t ms)
{
    wheel_set(&n->env->wheel, &o->timer, n->env->now + ms * W_MS);
}

/* Everybody is told that the address is ours. [RFC 5227 2.3] For ARP that is a request for our own
 * address from our own address. */
static void insist(struct neigh *n, struct nif *nif, const struct neigh_addr *o)
{
    if (addr_is_ip4(&o->addr))
        arp_request(n, nif, &o->addr, &o->addr, NULL);
    else
        nd_announce(n, nif, &o->addr);
}

static void announce(struct neigh *n, struct nif *nif, struct neigh_addr *o)
{
    insist(n, nif, o);
    if (o->state != NEIGH_ADDR_ANNOUNCING)
        return;
    o->sent++;
    if (o->sent >= ANNOUNCE_NUM)
        o->state = NEIGH_ADDR_OURS;
    else
        own_arm(n, o, ANNOUNCE_INTERVAL_MS);
}

int neigh_addr_add(struct neigh *n, struct nif *nif, const struct addr *a, bool probe)
{
    if (neigh_own(n, nif, a) != NULL)
        return -EEXIST;
    unsigned i = 0;
    while (i < NEIGH_ADDRS && n->addr[i].state != NEIGH_ADDR_NONE)
        i++;
    if (i == NEIGH_ADDRS)
        return -ENOSPC;
    struct neigh_addr *o = &n->addr[i];
    *o = (struct neigh_addr){.addr = *a, .nif = nif->id, .state = NEIGH_ADDR_OURS};
    o->timer.kind = TK_NEIGH;
    o->timer.obj = NEIGH_OBJ_OWN | i;
    if ((nif->flags & (NIF_L3 | NIF_NOARP)) != 0)
        return 0;
    bool can_probe = addr_is_ip4(a) || n->env->conf.ip6_dad_transmits != 0;
    if (probe && can_probe) {
        /* [RFC 5227 2.1.1, RFC 4862 5.4.2] A random wait first, so that hosts powered on together
         * do not collide. */
        o->state = NEIGH_ADDR_PROBING;
        own_arm(n, o, rng_below(&n->env->rng, PROBE_WAIT_MS + 1));
        return 0;
    }
    o->state = NEIGH_ADDR_ANNOUNCING;
    announce(n, nif, o);
    return 0;
}

/* The slot is free. Its timer may be due in this very moment, and still comes here: to nobody. */
static void own_forget(struct neigh *n, struct neigh_addr *o)
{
    wheel_del(&n->env->wheel, &o->timer);
    *o = (struct neigh_addr){0};
    o->timer.kind = TK_NEIGH;
    o->timer.obj = NEIGH_OBJ_OWN | (uint32_t)(o - n->addr);
}

void neigh_addr_del(struct neigh *n, struct nif *nif, const struct addr *a)
{
    struct neigh_addr *o = neigh_own(n, nif, a);
    if (o == NULL)
        return;
    own_forget(n, o);
}

static void probe4(struct neigh *n, struct nif *nif, struct neigh_addr *o)
{
    const struct addr none = addr_ip4(0);
    arp_request(n, nif, &none, &o->addr, NULL);
    o->sent++;
    uint32_t gap = PROBE_MIN_MS + rng_below(&n->env->rng, PROBE_MAX_MS - PROBE_MIN_MS + 1);
    own_arm(n, o, o->sent < PROBE_NUM ? gap : ANNOUNCE_WAIT_MS);
}

static void probe6(struct neigh *n, struct nif *nif, struct neigh_addr *o)
{
    uint32_t told = n->times[nif->id].retrans_ms;
    nd_probe(n, nif, o);
    o->sent++;
    own_arm(n, o, told != 0 ? told : n->env->conf.neigh_retrans_time_ms);
}

static void probe_due(struct neigh *n, struct nif *nif, struct neigh_addr *o)
{
    bool is_ip4 = addr_is_ip4(&o->addr);
    if (o->sent < (is_ip4 ? (uint32_t)PROBE_NUM : n->env->conf.ip6_dad_transmits)) {
        if (is_ip4)
            probe4(n, nif, o);
        else
            probe6(n, nif, o);
        return;
    }
    o->state = NEIGH_ADDR_ANNOUNCING;
    o->is_changed = true;
    n->has_changed = true;
    o->sent = 0;
    announce(n, nif, o);
}

void neigh_own_timer(struct neigh *n, struct timer *t)
{
    struct neigh_addr *o = WEIR_CONTAINER(t, struct neigh_addr, timer);
    struct nif *nif = link_nif(n->link, o->nif);
    if (nif == NULL) {
        own_forget(n, o);
        return;
    }
    if (o->state == NEIGH_ADDR_PROBING)
        probe_due(n, nif, o);
    else if (o->state == NEIGH_ADDR_ANNOUNCING)
        announce(n, nif, o);
}

void neigh_conflict(struct neigh *n, struct nif *nif, struct neigh_addr *o)
{
    env_count(n->env, addr_is_ip4(&o->addr) ? STAT_ArpConflicts : STAT_Ip6AddrConflicts);
    if (o->state == NEIGH_ADDR_CONFLICT)
        return;
    if (o->state == NEIGH_ADDR_PROBING) {
        /* [RFC 5227 2.1.1, RFC 4862 5.4.5] Not to be used. */
        wheel_del(&n->env->wheel, &o->timer);
        o->state = NEIGH_ADDR_CONFLICT;
        o->is_changed = true;
        n->has_changed = true;
        return;
    }
    /* [RFC 5227 2.4 (c)] */
    if (o->defended != 0 && n->env->now - o->defended < DEFEND_INTERVAL_S * W_S)
        return;
    o->defended = w_u64_max(n->env->now, 1);
    insist(n, nif, o);
}

const struct neigh_addr *neigh_addr_pop(struct neigh *n)
{
    if (WEIR_LIKELY(!n->has_changed))
        return NULL;
    for (unsigned i = 0; i < NEIGH_ADDRS; i++) {
        if (n->addr[i].is_changed) {
            n->addr[i].is_changed = false;
            return &n->addr[i];
        }
    }
    n->has_changed = false;
    return NULL;
}
