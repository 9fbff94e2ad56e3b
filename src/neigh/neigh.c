/* SPDX-License-Identifier: Apache-2.0
 *
 * The states of a neighbour, and packets on their way to it.
 *
 * Decides whether a packet goes out now or is held, when a neighbour is asked again, and when it is
 * given up [RFC 1122 2.3.2.1, 2.3.2.2; the states are those of RFC 4861 7.3.2, as Linux applies
 * them to ARP]. Owns the packets that are held.
 *
 * Called by ip/ (output, confirm) and stack/ (timers, failed packets); calls link/ and arp.c.
 *
 * Invariants: only INCOMPLETE holds packets; INCOMPLETE, REACHABLE, DELAY and PROBE have a timer
 * set, the others none; an upper layer's confirmation costs one store while REACHABLE, the timer
 * finds out when it fires.
 *
 * The reachable time is drawn anew at each confirmation between 0.5 and 1.5 times the configured
 * one [RFC 4861 6.3.2], so that neighbours do not ask in step.
 */
#include "neigh/table.h"
#include "wire/eth.h"

static const uint8_t mac_broadcast[WIRE_MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void arm(struct neigh *n, struct neigh_entry *e, uint32_t ms)
{
    wheel_set(&n->env->wheel, &e->timer, n->env->now + ms * W_MS);
}

static uint32_t reachable_ms(const struct neigh *n, const struct neigh_entry *e)
{
    uint32_t told = addr_is_ip4(&e->addr) ? 0 : n->times[e->nif].reachable_ms;
    return told != 0 ? told : n->env->conf.neigh_base_reachable_time_ms;
}

static uint32_t retrans_ms(const struct neigh *n, const struct neigh_entry *e)
{
    uint32_t told = addr_is_ip4(&e->addr) ? 0 : n->times[e->nif].retrans_ms;
    return told != 0 ? told : n->env->conf.neigh_retrans_time_ms;
}

static void to_reachable(struct neigh *n, struct neigh_entry *e)
{
    uint32_t base = reachable_ms(n, e);
    e->state = NEIGH_REACHABLE;
    e->confirmed = n->env->now;
    arm(n, e, base / 2 + rng_below(&n->env->rng, base + 1));
}

static void to_stale(struct neigh *n, struct neigh_entry *e)
{
    e->state = NEIGH_STALE;
    wheel_del(&n->env->wheel, &e->timer);
}

static void ask(struct neigh *n, struct nif *nif, struct neigh_entry *e)
{
    const struct addr *from = neigh_ask_from(n, nif, &e->addr);
    const uint8_t *to = e->state == NEIGH_PROBE ? e->mac : NULL;
    if (from != NULL && addr_is_ip4(&e->addr))
        arp_request(n, nif, from, &e->addr, to);
    else if (from != NULL)
        nd_solicit(n, nif, from, &e->addr, to);
    e->asks++;
    arm(n, e, retrans_ms(n, e));
}

static enum drop send_to(struct neigh *n, struct nif *nif, const uint8_t *mac,
                         const struct addr *nexthop, struct pkt *p)
{
    return eth_output(n->link, nif, mac, addr_is_ip4(nexthop) ? ETYPE_IP4 : ETYPE_IP6, p);
}

void neigh_learn(struct neigh *n, struct nif *nif, struct neigh_entry *e, const uint8_t mac[6],
                 bool is_answer)
{
    memmove(e->mac, mac, sizeof e->mac);
    e->updated = n->env->now;
    e->asks = 0;
    if (is_answer)
        to_reachable(n, e);
    else
        to_stale(n, e);
    struct pkt *p;
    while ((p = pktq_pop(&e->held)) != NULL) {
        e->used = n->env->now;
        (void)send_to(n, nif, e->mac, &e->addr, p);
    }
}

/* [RFC 1122 2.3.2.2] At least the latest packet is kept: the oldest go first. */
static void hold(struct neigh *n, struct neigh_entry *e, struct pkt *p)
{
    const struct weir_conf *c = &n->env->conf;
    while (e->held.n > 0 &&
           (e->held.n >= c->neigh_unres_qlen || e->held.bytes + p->len > c->neigh_unres_qlen_bytes))
        (void)env_drop(n->env, pktq_pop(&e->held), DROP_NEIGH_FULL);
    pktq_push(&e->held, p);
}

/* 01-00-5e and the low 23 bits, 33-33 and the low 32. */
void neigh_group_mac(const struct addr *group, uint8_t mac[6])
{
    const uint8_t *a = addr_ip4_bytes(group);
    bool is_ip4 = addr_is_ip4(group);
    const uint8_t mac4[WIRE_MAC] = {0x01, 0x00, 0x5e, a[1] & 0x7f, a[2], a[3]};
    const uint8_t mac6[WIRE_MAC] = {0x33, 0x33, a[0], a[1], a[2], a[3]};
    memcpy(mac, is_ip4 ? mac4 : mac6, WIRE_MAC);
}

static enum drop send_group(struct neigh *n, struct nif *nif, const struct addr *group,
                            struct pkt *p)
{
    uint8_t mac[WIRE_MAC];
    neigh_group_mac(group, mac);
    bool is_broadcast = addr_is_limited_broadcast(group);
    return send_to(n, nif, is_broadcast ? mac_broadcast : mac, group, p);
}

/* Not known, or known to have failed: ask, and hold the packet meanwhile. */
static enum drop resolve(struct neigh *n, struct nif *nif, const struct addr *nexthop,
                         struct neigh_entry *e, struct pkt *p)
{
    if (e == NULL)
        e = neigh_new(n, nif, nexthop, true);
    if (e == NULL)
        return env_drop(n->env, p, DROP_NEIGH_TABLE);
    e->used = n->env->now;
    hold(n, e, p);
    if (e->state != NEIGH_INCOMPLETE) {
        e->state = NEIGH_INCOMPLETE;
        e->asks = 0;
        ask(n, nif, e);
    }
    return DROP_NONE;
}

/* Anything but a neighbour whose MAC is known and fresh. */
static enum drop output_other(struct neigh *n, struct nif *nif, const struct addr *nexthop,
                              struct neigh_entry *e, struct pkt *p)
{
    if ((nif->flags & (NIF_L3 | NIF_NOARP)) != 0)
        return send_to(n, nif, mac_broadcast, nexthop, p);
    if (addr_is_multicast(nexthop) || addr_is_limited_broadcast(nexthop))
        return send_group(n, nif, nexthop, p);
    if (e == NULL || e->state == NEIGH_INCOMPLETE || e->state == NEIGH_FAILED)
        return resolve(n, nif, nexthop, e, p);
    WEIR_ASSERT(e->state == NEIGH_STALE);
    e->state = NEIGH_DELAY;
    arm(n, e, n->env->conf.neigh_delay_first_probe_ms);
    e->used = n->env->now;
    return send_to(n, nif, e->mac, nexthop, p);
}

enum drop neigh_output(struct neigh *n, struct nif *nif, const struct addr *nexthop, struct pkt *p)
{
    const unsigned sendable =
        1u << NEIGH_REACHABLE | 1u << NEIGH_DELAY | 1u << NEIGH_PROBE | 1u << NEIGH_PERMANENT;
    struct neigh_entry *e = neigh_find(n, nif, nexthop);
    if (WEIR_UNLIKELY(e == NULL || (sendable >> e->state & 1) == 0))
        return output_other(n, nif, nexthop, e, p);
    e->used = n->env->now;
    return send_to(n, nif, e->mac, nexthop, p);
}

void neigh_confirm(struct neigh *n, const struct nif *nif, const struct addr *nexthop)
{
    struct neigh_entry *e = neigh_find(n, nif, nexthop);
    if (e == NULL)
        return;
    if (WEIR_LIKELY(e->state == NEIGH_REACHABLE))
        e->confirmed = n->env->now;
    else if (e->state == NEIGH_STALE || e->state == NEIGH_DELAY || e->state == NEIGH_PROBE)
        to_reachable(n, e);
}

void neigh_doubt(struct neigh *n, const struct nif *nif, const struct addr *nexthop)
{
    struct neigh_entry *e = neigh_find(n, nif, nexthop);
    if (e != NULL && e->state == NEIGH_REACHABLE)
        to_stale(n, e);
}

/* Given up: its sender is to be told [RFC 1122 3.3.1.4 "dead gateways"; Linux: EHOSTUNREACH]. */
static void give_up(struct neigh *n, struct neigh_entry *e)
{
    e->state = NEIGH_FAILED;
    /* [RFC 4861 6.1.2, 8.1] A router is known by its link-local address. */
    if (addr_is_link_local6(&e->addr))
        n->has_router_failed = n->has_changed = true;
    struct pkt *p;
    while ((p = pktq_pop(&e->held)) != NULL)
        pktq_push(&n->failed, p);
}

/* REACHABLE for its time: was it confirmed meanwhile? */
static void reachable_due(struct neigh *n, struct neigh_entry *e)
{
    w_ns until = e->confirmed + reachable_ms(n, e) / 2 * W_MS;
    if (until > n->env->now)
        wheel_set(&n->env->wheel, &e->timer, until);
    else
        to_stale(n, e);
}

void neigh_timer(struct neigh *n, struct timer *t)
{
    if ((t->obj & NEIGH_OBJ_OWN) != 0) {
        neigh_own_timer(n, t);
        return;
    }
    struct neigh_entry *e = WEIR_CONTAINER(t, struct neigh_entry, timer);
    struct nif *nif = link_nif(n->link, e->nif);
    if (nif == NULL) {
        neigh_remove(n, e, DROP_NIF_DOWN);
        return;
    }
    switch (e->state) {
    case NEIGH_REACHABLE: reachable_due(n, e); return;
    case NEIGH_DELAY:
        e->state = NEIGH_PROBE;
        e->asks = 0;
        break;
    default: WEIR_ASSERT(e->state == NEIGH_INCOMPLETE || e->state == NEIGH_PROBE);
    }
    uint32_t max = e->state == NEIGH_PROBE ? n->env->conf.neigh_ucast_solicit
                                           : n->env->conf.neigh_mcast_solicit;
    if (e->asks >= max)
        give_up(n, e);
    else
        ask(n, nif, e);
}

bool neigh_router_failed_pop(struct neigh *n)
{
    bool has_failed = n->has_router_failed;
    n->has_router_failed = false;
    return has_failed;
}

bool neigh_has_failed(const struct neigh *n, const struct nif *nif, const struct addr *a)
{
    const struct neigh_entry *e = neigh_find(n, nif, a);
    return e != NULL && e->state == NEIGH_FAILED;
}

struct pkt *neigh_failed_pop(struct neigh *n) { return pktq_pop(&n->failed); }
