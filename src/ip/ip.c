/* SPDX-License-Identifier: Apache-2.0
 *
 * Laying the Internet layer out, and its timers.
 *
 * Decides nothing about packets: those are in in4.c, out.c, forward.c, frag.c, reasm.c; addresses
 * in addr.c, routes in route.c, path MTUs in pmtu.c, what routers tell in router.c,
 * learnt.c, slaac.c.
 *
 * Called by stack/. Invariant: ip->gen is never 0, so that a zeroed struct dst is not valid, and
 * rises with every change after which a destination might be resolved differently.
 */
#include "ip/parts.h"

void ip_init(struct ip *ip, struct env *env, struct link *link, struct neigh *neigh,
             struct arena *a)
{
    *ip = (struct ip){.env = env, .link = link, .neigh = neigh, .gen = 1};
    uint32_t n = env->conf.n_route;
    pool_init(&ip->routes, a, n, sizeof(struct route), WEIR_CACHELINE);
    route_nodes_init(ip, a, 2 * n);
    ip->pmtu = arena_take(a, sizeof(struct ip_pmtu), WEIR_CACHELINE);
    ip->id_counter = arena_take(a, ID_COUNTERS * sizeof(uint32_t), WEIR_CACHELINE);
    reasm_init(ip, a);
}

void ip_nif_changed(struct ip *ip, const struct nif *nif)
{
    WEIR_ASSERT(nif->id != 0);
    ip_gen_bump(ip);
}

struct pkt *ip_timer(struct ip *ip, struct timer *t)
{
    if (t->obj == IP_TIMER_PMTU) {
        pmtu_expire(ip);
        return NULL;
    }
    if (t->obj == IP_TIMER_LEARNT) {
        learnt_expire(ip);
        return NULL;
    }
    if (t->obj > IP_TIMER_RS && t->obj <= IP_TIMER_RS + LINK_NIFS) {
        router_solicit_due(ip, t->obj - IP_TIMER_RS);
        return NULL;
    }
    return reasm_timer(ip, t);
}
