/* SPDX-License-Identifier: Apache-2.0
 *
 * The receive path, in order, in one place: what each room says comes next, comes next.
 *
 * Called by weir_rx and by the loopback pump; calls every room's input function. Owns nothing; a
 * packet is passed on, or counted under its drop reason and freed, here and only here.
 *
 * Nobody below calls up: `enum next` is the only thing branched on. If this file ever looks into a
 * packet or a connection to decide something, that decision belongs lower.
 *
 * Invariant: the number of steps one packet takes is bounded (STEPS): link → ip → transport, or an
 * ICMP error about it.
 */
#include "stack/stack.h"

enum { STEPS = 8 };

static enum next rx_step(struct weir *w, struct nif *nif, struct pkt *p, enum next next)
{
    struct icmp_err err;
    switch (next) {
    case NEXT_IP4: return ip4_input(&w->ip, nif, p);
    case NEXT_IP6: return ip6_input(&w->ip, nif, p);
    case NEXT_ARP: return arp_input(&w->neigh, nif, p);
    case NEXT_TCP: return tcp_input(&w->tcp, p);
    case NEXT_UDP: return udp_input(&w->udp, nif, p);
    case NEXT_ICMP:
    case NEXT_ICMP6:
        next = next == NEXT_ICMP ? icmp_input(&w->icmp, nif, p, &err)
                                 : icmp6_input(&w->icmp, nif, p, &err);
        if (next == NEXT_TCP_ERROR)
            tcp_error(&w->tcp, &err);
        else if (next == NEXT_UDP_ERROR)
            udp_error(&w->udp, &err);
        else
            return next;
        pkt_free(p);
        return NEXT_DONE;
    case NEXT_FORWARD: return ip_forward(&w->ip, p);
    case NEXT_ICMP_ERROR:
        if (p->drop != DROP_NONE)
            w->env.drops[p->drop]++;
        icmp_error(&w->icmp, p);
        return NEXT_DONE;
    default: WEIR_NEVER_HERE("a room returned a step that is not one");
    }
}

static void rx_one(struct weir *w, struct nif *nif, struct pkt *p)
{
    p->nif = nif->id;
    p->drop = DROP_NONE;
    if (env_traces(&w->env))
        env_trace(&w->env, WEIR_T_COME, p);
    enum next next = eth_input(&w->link, nif, p);
    for (int i = 0; i < STEPS && next != NEXT_DONE && next != NEXT_DROP; i++)
        next = rx_step(w, nif, p, next);
    WEIR_ASSERT(next == NEXT_DONE || next == NEXT_DROP);
    if (next == NEXT_DROP)
        (void)env_drop(&w->env, p, (enum drop)p->drop);
}

void stack_rx(struct weir *w, struct nif *nif, struct pkt **v, unsigned n)
{
    if (w->env.conf.gro && n > 1)
        n = link_gro(&w->link, nif, v, n);
    for (unsigned i = 0; i < n; i++)
        rx_one(w, nif, v[i]);
}

/* Packets held for a next hop that never answered: their senders learn it. */
static void failed_neighbours(struct weir *w)
{
    struct pkt *p;
    struct icmp_err err;
    while ((p = neigh_failed_pop(&w->neigh)) != NULL) {
        enum next next = icmp_host_failed(&w->icmp, p, &err);
        if (next == NEXT_TCP_ERROR)
            tcp_error(&w->tcp, &err);
        else if (next == NEXT_UDP_ERROR)
            udp_error(&w->udp, &err);
        if (next == NEXT_DROP || next == NEXT_TCP_ERROR || next == NEXT_UDP_ERROR)
            (void)env_drop(&w->env, p, DROP_NEIGH_FAILED);
    }
}

static void changed_addresses(struct weir *w)
{
    const struct neigh_addr *a;
    while ((a = neigh_addr_pop(&w->neigh)) != NULL)
        ip_addr_changed(&w->ip, a);
    if (WEIR_UNLIKELY(neigh_router_failed_pop(&w->neigh)))
        ip6_routers_check(&w->ip);
}

/* What left by loopback arrives again: the same packet, its headers in place. */
static bool loopback_pump(struct weir *w)
{
    struct pkt *v[STACK_BURST];
    struct nif *lo = link_nif(&w->link, w->lo);
    unsigned n = link_tx(&w->link, lo, v, STACK_BURST);
    for (unsigned i = 0; i < n; i++) {
        struct pkt *p = v[i];
        if (p->owner != 0)
            tcp_sent(&w->tcp, p->owner, stack_payload(p));
        else if (WEIR_UNLIKELY(p->user != 0))
            udp_sent(&w->udp, p);
        p->owner = 0;
        p->user = 0;
        p->when = w->env.now;
        p->csum = p->csum == CSUM_TODO ? CSUM_GOOD : p->csum;
    }
    stack_told(w);
    stack_rx(w, lo, v, n);
    return n != 0;
}

void stack_settle(struct weir *w)
{
    if (WEIR_UNLIKELY(neigh_has_news(&w->neigh))) {
        failed_neighbours(w);
        changed_addresses(w);
    }
    for (int i = 0; i < STACK_LOOP_ROUNDS; i++) {
        if (tcp_flush_pending(&w->tcp))
            tcp_flush(&w->tcp);
        if (WEIR_LIKELY(nif_is_empty(link_nif(&w->link, w->lo))) || !loopback_pump(w))
            return;
    }
}

void weir_rx(struct weir *w, weir_ns now, unsigned nif, struct pkt **v, unsigned n)
{
    stack_enter(w, now);
    struct nif *in = link_nif(&w->link, nif);
    WEIR_ASSERT(in != NULL);
    stack_rx(w, in, v, n);
    stack_settle(w);
}
