/* SPDX-License-Identifier: Apache-2.0
 *
 * Which UDP socket has which port, and which one a datagram is for.
 *
 * Sockets hang in buckets by local port. A lookup walks one bucket and scores: connected to the
 * sender beats bound to the address, which beats bound to any; among equals that share the port by
 * SO_REUSEPORT the flow's hash decides, so that one flow always reaches one socket.
 *
 * Two sockets may have one port when their addresses differ and neither is "any", or when both said
 * SO_REUSEADDR or both SO_REUSEPORT [Linux socket(7)].
 *
 * Owns the buckets. Called by sock.c and in.c; calls base/ only.
 */
#include "udp/room.h"

#include <errno.h>

static struct list *bucket_of(const struct udp *u, uint16_t port)
{
    return &u->bucket[port & u->bucket_mask];
}

static bool addrs_meet(const struct addr *a, const struct addr *b)
{
    return addr_is_any(a) || addr_is_any(b) || addr_eq(a, b);
}

static bool may_share(const struct udp_sock *a, const struct udp_sock *b)
{
    return (a->flags & b->flags & (UDP_REUSEADDR | UDP_REUSEPORT)) != 0;
}

/* Whether s can have ⟨local, port⟩ beside those who have the port. */
static bool port_is_free(const struct udp *u, const struct udp_sock *s, const struct addr *local,
                         uint16_t port, bool must_be_unused)
{
    const struct list *head = bucket_of(u, port);
    for (const struct list *l = head->next; l != head; l = l->next) {
        const struct udp_sock *o = WEIR_CONTAINER(l, struct udp_sock, chain);
        if (o == s || o->flow.lport != port || !addrs_meet(local, &o->flow.local))
            continue;
        if (must_be_unused || !may_share(s, o))
            return false;
    }
    return true;
}

/* A random free port of the range, searched once around [RFC 6056 3.3.1]; 0: none. */
static uint16_t port_choose(struct udp *u, const struct udp_sock *s, const struct addr *local)
{
    uint32_t lo = u->env->conf.ip_local_port_lo, hi = u->env->conf.ip_local_port_hi;
    uint32_t span = hi >= lo ? hi - lo + 1 : 1;
    uint32_t at = rng_below(&u->env->rng, span);
    for (uint32_t i = 0; i < span; i++) {
        uint16_t port = (uint16_t)(lo + (at + i) % span);
        if (port_is_free(u, s, local, port, true))
            return port;
    }
    return 0;
}

int udp_table_add(struct udp *u, struct udp_sock *s, const struct addr *local, uint16_t port)
{
    if (port == 0) {
        port = port_choose(u, s, local);
        if (port == 0)
            return -EADDRINUSE;
        s->flags |= UDP_PORT_AUTO;
    } else if (!port_is_free(u, s, local, port, false)) {
        return -EADDRINUSE;
    }
    s->flow.local = *local;
    s->flow.lport = port;
    s->flags |= UDP_BOUND;
    list_push_back(bucket_of(u, port), &s->chain);
    return 0;
}

void udp_table_remove(struct udp_sock *s)
{
    if ((s->flags & UDP_BOUND) == 0)
        return;
    list_remove(&s->chain);
    s->flags &= ~(uint32_t)UDP_BOUND;
}

enum { SCORE_NONE = 0, SCORE_ANY = 1, SCORE_ADDR = 2, SCORE_NIF = 4, SCORE_CONNECTED = 8 };

/* How well s fits a datagram of this flow (as this host sees it); SCORE_NONE: not at all. */
static unsigned score(const struct udp_sock *s, const struct flow *f, unsigned nif)
{
    unsigned v = SCORE_ANY;
    if (s->flow.lport != f->lport || (s->nif != 0 && s->nif != nif))
        return SCORE_NONE;
    if (!addr_is_any(&s->flow.local)) {
        if (!addr_eq(&s->flow.local, &f->local))
            return SCORE_NONE;
        v += SCORE_ADDR;
    }
    v += s->nif != 0 ? SCORE_NIF : 0;
    if ((s->flags & UDP_CONNECTED) == 0)
        return v;
    bool is_peer = s->flow.rport == f->rport && addr_eq(&s->flow.remote, &f->remote);
    return is_peer ? v + SCORE_CONNECTED : SCORE_NONE;
}

bool udp_table_matches(const struct udp_sock *s, const struct flow *f, unsigned nif)
{
    return score(s, f, nif) != SCORE_NONE;
}

struct udp_sock *udp_table_find(const struct udp *u, const struct flow *f, unsigned nif)
{
    struct udp_sock *best = NULL;
    unsigned best_score = SCORE_NONE;
    uint32_t n_equal = 0, hash = 0;
    const struct list *head = bucket_of(u, f->lport);
    for (const struct list *l = head->next; l != head; l = l->next) {
        struct udp_sock *s = WEIR_CONTAINER(l, struct udp_sock, chain);
        unsigned v = score(s, f, nif);
        if (v == SCORE_NONE || v < best_score)
            continue;
        if (v > best_score) {
            best = s;
            best_score = v;
            n_equal = 1;
            continue;
        }
        /* One of n + 1 equals with probability 1/(n + 1), by the flow's hash. */
        n_equal++;
        hash = hash != 0 ? hash : (uint32_t)hash_flow(&u->env->key_flow, f) | 1;
        hash = hash * 1664525u + 1013904223u;
        if ((s->flags & UDP_REUSEPORT) != 0 && (uint64_t)hash * n_equal >> 32 == 0)
            best = s;
    }
    return best;
}

struct udp_sock *udp_table_next(const struct udp *u, uint16_t port, struct udp_sock *after)
{
    const struct list *head = bucket_of(u, port);
    const struct list *l = after == NULL ? head->next : after->chain.next;
    return l == head ? NULL : WEIR_CONTAINER(l, struct udp_sock, chain);
}
