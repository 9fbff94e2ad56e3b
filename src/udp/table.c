/* SPDX-License-Identifier: Apache-2.0
 *
 * Which socket a port belongs to: binding, and finding the best match for a datagram.
 *
 * Decides whether two sockets may share a port (as Linux: overlapping addresses conflict unless
 * both set SO_REUSEADDR or both SO_REUSEPORT), which ephemeral port a socket gets [RFC 6056 3.3.1:
 * random start, then the next free one], and who of several gets a datagram.
 *
 * Called by sock.c, io.c and sock/ through udp.h. Owns the chains, one per bucket of local ports.
 *
 * Invariants: a socket is on a chain if and only if it has UDP_BOUND; what was bound last is found
 * first among equals; in a SO_REUSEPORT group one flow always meets the same socket while the group
 * does not change, and only the flows of a socket that leaves move (rendezvous hashing).
 */
#include "udp/table.h"

#include <errno.h>

static struct list *chain_of(const struct udp *u, uint16_t port)
{
    return &u->bucket[port & u->bucket_mask];
}

static struct udp_sock *sock_of(struct list *l)
{
    return WEIR_CONTAINER(l, struct udp_sock, chain);
}

static bool ends_meet(const struct udp_sock *a, const struct addr *local, const struct udp_sock *b)
{
    return addr_ends_meet(local, (a->flags & UDP_IP6_ONLY) != 0, &b->flow.local,
                          (b->flags & UDP_IP6_ONLY) != 0);
}

static bool socks_share(const struct udp_sock *a, const struct udp_sock *b)
{
    return (a->flags & b->flags & (UDP_REUSEADDR | UDP_REUSEPORT)) != 0;
}

static bool port_conflicts(const struct udp *u, const struct udp_sock *s, const struct addr *local,
                           uint16_t port, bool may_share)
{
    struct list *chain = chain_of(u, port);
    for (struct list *l = chain->next; l != chain; l = l->next) {
        const struct udp_sock *o = sock_of(l);
        bool is_rival = o != s && o->flow.lport == port && ends_meet(s, local, o) &&
                        (s->nif == 0 || o->nif == 0 || s->nif == o->nif);
        if (is_rival && !(may_share && socks_share(s, o)))
            return true;
    }
    return false;
}

static void port_take(struct udp *u, struct udp_sock *s, uint16_t port)
{
    WEIR_ASSERT((s->flags & UDP_BOUND) == 0);
    s->flow.lport = port;
    s->flags |= UDP_BOUND;
    list_push_front(chain_of(u, port), &s->chain);
}

/* A free ephemeral port, 0: none. */
static uint16_t port_choose(struct udp *u, const struct udp_sock *s, const struct addr *local)
{
    uint32_t lo = u->env->conf.ip_local_port_lo, hi = u->env->conf.ip_local_port_hi;
    uint32_t span = hi >= lo ? hi - lo + 1 : 1;
    uint32_t at = rng_below(&u->env->rng, span);
    for (uint32_t i = 0; i < span; i++) {
        uint16_t port = (uint16_t)(lo + (at + i) % span);
        if (!port_conflicts(u, s, local, port, false))
            return port;
    }
    return 0;
}

int udp_bind(struct udp *u, struct udp_sock *s, const struct addr *local, uint16_t port)
{
    if ((s->flags & UDP_BOUND) != 0)
        return -EINVAL;
    bool is_any = addr_is_any(local);
    if (!is_any && ip_addr_kind(u->ip, NULL, local) == IP_REMOTE)
        return -EADDRNOTAVAIL;
    bool is_auto = port == 0;
    if (is_auto)
        port = port_choose(u, s, local);
    if (port == 0 || (!is_auto && port_conflicts(u, s, local, port, true)))
        return -EADDRINUSE;
    s->flow.local = *local;
    s->dst.gen = 0;
    s->flags &= ~(uint32_t)(UDP_PORT_AUTO | UDP_ADDR_AUTO);
    s->flags |= (is_auto ? (uint32_t)UDP_PORT_AUTO : 0) | (is_any ? (uint32_t)UDP_ADDR_AUTO : 0);
    port_take(u, s, port);
    return 0;
}

int udp_autobind(struct udp *u, struct udp_sock *s)
{
    if ((s->flags & UDP_BOUND) != 0)
        return 0;
    int r = udp_bind(u, s, &s->flow.local, 0);
    return r < 0 ? -EAGAIN : 0;
}

void udp_unbind(struct udp *u, struct udp_sock *s)
{
    (void)u;
    if ((s->flags & UDP_BOUND) == 0)
        return;
    list_remove(&s->chain);
    s->flags &= ~(uint32_t)(UDP_BOUND | UDP_PORT_AUTO);
    s->flow.lport = 0;
}

/* How well s matches a datagram; 0: not at all. */
static unsigned match(const struct udp_sock *s, const struct flow *f, unsigned nif)
{
    unsigned score = 1;
    if (s->flow.lport != f->lport || (s->nif != 0 && s->nif != nif))
        return 0;
    if (!addr_is_any(&s->flow.local)) {
        if (!addr_eq(&s->flow.local, &f->local))
            return 0;
        score += 4;
    } else {
        bool is_ip4 = addr_is_ip4(&f->local), is_of4 = addr_is_ip4(&s->flow.local);
        if (is_of4 ? !is_ip4 : is_ip4 && (s->flags & UDP_IP6_ONLY) != 0)
            return 0;
        score += is_of4 ? 1u : 0; /* an IPv4 socket before one that takes both, as in Linux */
    }
    if ((s->flags & UDP_CONNECTED) != 0) {
        if (s->flow.rport != f->rport || !addr_eq(&s->flow.remote, &f->remote))
            return 0;
        score += 8;
    }
    return score + (s->nif != 0 ? 2u : 0);
}

/* The weight of a socket for a flow: the heaviest of a group gets it. */
static uint64_t weight(const struct udp *u, uint64_t flow_hash, const struct udp_sock *s)
{
    uint64_t x = (flow_hash ^ udp_index(u, s)) * 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    return x * 0xbf58476d1ce4e5b9u;
}

/* Of a SO_REUSEPORT group whose members all score the same: the flow's. */
static struct udp_sock *group_choose(const struct udp *u, const struct flow *f, unsigned nif,
                                     unsigned score)
{
    struct list *chain = chain_of(u, f->lport);
    struct udp_sock *best = NULL;
    uint64_t hash = hash_flow(&u->env->key_flow, f), best_weight = 0;
    for (struct list *l = chain->next; l != chain; l = l->next) {
        struct udp_sock *s = sock_of(l);
        if ((s->flags & UDP_REUSEPORT) == 0 || match(s, f, nif) != score)
            continue;
        uint64_t w = weight(u, hash, s);
        if (best == NULL || w > best_weight) {
            best = s;
            best_weight = w;
        }
    }
    return best;
}

struct udp_sock *udp_find(const struct udp *u, const struct flow *f, unsigned nif)
{
    struct list *chain = chain_of(u, f->lport);
    struct udp_sock *best = NULL;
    unsigned best_score = 0, n_equal = 0;
    for (struct list *l = chain->next; l != chain; l = l->next) {
        struct udp_sock *s = sock_of(l);
        unsigned score = match(s, f, nif);
        if (score > best_score) {
            best = s;
            best_score = score;
            n_equal = 1;
        } else if (score != 0 && score == best_score) {
            n_equal++;
        }
    }
    if (n_equal > 1 && (best->flags & UDP_REUSEPORT) != 0)
        best = group_choose(u, f, nif, best_score);
    return best;
}

struct udp_sock *udp_find_next(const struct udp *u, const struct flow *f, unsigned nif,
                               const struct udp_sock *after)
{
    struct list *chain = chain_of(u, f->lport);
    struct list *l = after != NULL ? after->chain.next : chain->next;
    for (; l != chain; l = l->next) {
        if (match(sock_of(l), f, nif) != 0)
            return sock_of(l);
    }
    return NULL;
}
