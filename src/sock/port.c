/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may have which TCP port.
 *
 * Decides: whether two sockets may be bound to one port, which port a socket gets that asks for
 * none, and which ephemeral port a connection leaves from [RFC 6056].
 *
 * Owns: the chains of sockets bound by bind(), a chain per port. Sockets that connect() bound are
 * not on a chain: their connections stand in tcp's table, which tcp_port_uses() counts.
 *
 * The rules of bind are Linux's: sockets on one port conflict when their addresses overlap (::
 * takes IPv4's ports too, but for IPV6_V6ONLY), unless both set SO_REUSEADDR and neither listens,
 * or both set SO_REUSEPORT. Connections that are left on the port (TIME-WAIT too) conflict unless
 * SO_REUSEADDR is set.
 */
#include "sock/sock.h"

#include <errno.h>

static bool ends_meet(const struct sock *a, const struct addr *local, const struct sock *b)
{
    return addr_ends_meet(local, (a->flags & SOCK_V6ONLY) != 0, &b->local,
                          (b->flags & SOCK_V6ONLY) != 0);
}

static bool socks_share(const struct sock *a, const struct sock *b)
{
    unsigned both = a->flags & b->flags;
    if ((both & SOCK_REUSEPORT) != 0)
        return true;
    return (both & SOCK_REUSEADDR) != 0 && ((a->flags | b->flags) & SOCK_LISTENING) == 0;
}

/* [RFC 9293 3.9.1.1 MUST-42] */
static bool port_conflicts(const struct socks *ss, const struct sock *s, const struct addr *local,
                           uint16_t port)
{
    for (uint32_t i = ss->port_head[port]; i != 0;) {
        const struct sock *o = pool_at(&ss->pool, i);
        if (o != s && ends_meet(s, local, o) && !socks_share(s, o))
            return true;
        i = o->port_next;
    }
    bool is_used = ss->port_head[port] == 0 && tcp_port_uses(ss->tcp, port) != 0;
    return is_used && (s->flags & (SOCK_REUSEADDR | SOCK_REUSEPORT)) == 0;
}

/* Free for bind(0): nobody has it in any way. The range is walked once from a random start. */
static uint16_t port_free(struct socks *ss)
{
    uint32_t lo = ss->env->conf.ip_local_port_lo, hi = ss->env->conf.ip_local_port_hi;
    uint32_t span = hi >= lo ? hi - lo + 1 : 1;
    uint32_t at = rng_below(&ss->env->rng, span);
    for (uint32_t i = 0; i < span; i++) {
        uint32_t port = lo + (at + i) % span;
        if (ss->port_head[port] == 0 && tcp_port_uses(ss->tcp, (uint16_t)port) == 0)
            return (uint16_t)port;
    }
    return 0;
}

int port_bind(struct socks *ss, struct sock *s, const struct addr *local, uint16_t port)
{
    if (port == 0) {
        port = port_free(ss);
        if (port == 0)
            return -EADDRINUSE;
    } else if (port_conflicts(ss, s, local, port)) {
        return -EADDRINUSE;
    }
    uint32_t idx = pool_index(&ss->pool, s);
    s->local = *local;
    s->lport = port;
    s->port_prev = 0;
    s->port_next = ss->port_head[port];
    if (s->port_next != 0)
        ((struct sock *)pool_at(&ss->pool, s->port_next))->port_prev = idx;
    ss->port_head[port] = idx;
    s->flags |= SOCK_BOUND;
    return 0;
}

void port_release(struct socks *ss, struct sock *s)
{
    if ((s->flags & SOCK_BOUND) == 0)
        return;
    if (s->port_prev != 0)
        ((struct sock *)pool_at(&ss->pool, s->port_prev))->port_next = s->port_next;
    else
        ss->port_head[s->lport] = s->port_next;
    if (s->port_next != 0)
        ((struct sock *)pool_at(&ss->pool, s->port_next))->port_prev = s->port_prev;
    s->flags = (uint16_t)(s->flags & ~(unsigned)SOCK_BOUND);
}

bool port_may_listen(const struct socks *ss, const struct sock *s)
{
    for (uint32_t i = ss->port_head[s->lport]; i != 0;) {
        const struct sock *o = pool_at(&ss->pool, i);
        bool is_rival = o != s && (o->flags & SOCK_LISTENING) != 0 && ends_meet(s, &s->local, o) &&
                        (s->flags & o->flags & SOCK_REUSEPORT) == 0;
        if (is_rival)
            return false;
        i = o->port_next;
    }
    return true;
}

/* Double-hash selection: an offset per destination that outsiders cannot compute, and a counter
 * per group of destinations, so that a port comes back only after the others were used. [RFC 6056
 * 3.2 SHLD-1, 3.3 SHLD-3, 5 MUST-1] */
uint16_t port_ephemeral(struct socks *ss, struct flow *f)
{
    uint32_t lo = ss->env->conf.ip_local_port_lo, hi = ss->env->conf.ip_local_port_hi;
    uint32_t span = hi >= lo ? hi - lo + 1 : 1;
    f->lport = 0;
    uint64_t h = hash_flow(&ss->env->key_port, f);
    uint32_t *counter = &ss->port_counter[(h >> 32) % SOCK_PORT_COUNTERS];
    uint32_t at = (uint32_t)h % span;
    for (uint32_t i = 0; i < span; i++) {
        uint32_t port = lo + (at + *counter + i) % span;
        f->lport = (uint16_t)port;
        if (ss->port_head[port] == 0 && tcp_flow_is_free(ss->tcp, f)) {
            *counter += i + 1;
            return f->lport;
        }
    }
    return 0;
}
