/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a socket: open, bind, connect, listen, accept, shut down, close, and its names.
 *
 * Decides which local end a connection leaves from, and what a call answers in each state; the
 * protocol itself is below. Owns struct sock; the tcb or UDP socket under it belongs to its room.
 *
 * Called by stack/; calls tcp/, udp/, ip/ and port.c.
 *
 * Invariants: a live socket has a live tcb or UDP socket, whose `sock` is this one's index; a
 * handle is (generation << 32 | index), so a stale one is noticed.
 */
#include "sock/sock.h"

#include <errno.h>

void socks_init(struct socks *ss, struct env *env, struct tcp *tcp, struct udp *udp,
                struct arena *a)
{
    uint32_t *head = arena_take(a, 65536 * sizeof(uint32_t), 64);
    uint32_t *counter = arena_take(a, SOCK_PORT_COUNTERS * sizeof(uint32_t), 64);
    struct pool pool = {0};
    pool_init(&pool, a, env->conf.n_sock, sizeof(struct sock), WEIR_CACHELINE);
    if (a->mem == NULL || a->is_full)
        return;
    *ss = (struct socks){.env = env,
                         .ip = tcp->ip,
                         .tcp = tcp,
                         .udp = udp,
                         .pool = pool,
                         .port_head = head,
                         .port_counter = counter};
}

struct sock *sock_find(const struct socks *ss, weir_sock h)
{
    uint32_t idx = (uint32_t)h, gen = (uint32_t)(h >> 32);
    if (!pool_is_live(&ss->pool, idx) || pool_gen(&ss->pool, idx) != gen)
        return NULL;
    return pool_at(&ss->pool, idx);
}

weir_sock sock_handle(const struct socks *ss, const struct sock *s)
{
    uint32_t idx = pool_index(&ss->pool, s);
    return (weir_sock)pool_gen(&ss->pool, idx) << 32 | idx;
}

static struct sock *sock_new(struct socks *ss, int family, int type)
{
    uint32_t idx = pool_take(&ss->pool);
    if (idx == 0)
        return NULL;
    struct sock *s = pool_at(&ss->pool, idx);
    s->family = (uint8_t)family;
    s->type = (uint8_t)type;
    s->pmtudisc = 1; /* IP_PMTUDISC_WANT */
    s->rcvlowat = 1;
    s->cpu = -1;
    return s;
}

int sock_open(struct socks *ss, int family, int type, weir_sock *out)
{
    struct sock *s = sock_new(ss, family, type);
    if (s == NULL)
        return -ENOBUFS;
    uint32_t idx = pool_index(&ss->pool, s);
    if (type == WEIR_STREAM) {
        struct tcb *t = tcp_new(ss->tcp, idx);
        s->obj = t == NULL ? 0 : tcp_index(ss->tcp, t);
    } else {
        struct udp_sock *u = udp_open(ss->udp, idx, family == WEIR_INET);
        s->obj = u == NULL ? 0 : udp_index(ss->udp, u);
    }
    if (s->obj == 0) {
        pool_give(&ss->pool, idx);
        return -ENOBUFS;
    }
    *out = sock_handle(ss, s);
    return 0;
}

static struct addr sock_addr_in(const struct weir_addr *a)
{
    struct addr out;
    memcpy(out.b, a->ip, 16);
    return out;
}

/* An IPv4 socket names IPv4 addresses; its "any" may be written as all zero. */
static int sock_addr_check(const struct sock *s, struct addr *a)
{
    bool is_zero = a->d[0] == 0 && a->d[1] == 0;
    if (s->family == WEIR_INET) {
        if (is_zero)
            *a = addr_ip4(0);
        return addr_is_ip4(a) ? 0 : -EAFNOSUPPORT;
    }
    return addr_is_ip4(a) && (s->flags & SOCK_V6ONLY) != 0 ? -ENETUNREACH : 0;
}

/* [RFC 9293 3.9.1.1 MUST-43] */
int sock_bind(struct socks *ss, struct sock *s, const struct weir_addr *to)
{
    struct addr a = sock_addr_in(to);
    int r = sock_addr_check(s, &a);
    if (r < 0)
        return r;
    /* [RFC 4007 6, Linux] A link-local address is named with its link. */
    if (addr_is_link_local6(&a) && to->scope == 0)
        return -EINVAL;
    if (s->type == WEIR_DGRAM)
        return udp_bind(ss->udp, sock_udp(ss, s), &a, to->port);
    bool may_be_foreign = addr_is_any(&a) || (s->flags & SOCK_FREEBIND) != 0;
    if (!may_be_foreign && !ip_is_local(ss->ip, &a))
        return -EADDRNOTAVAIL;
    if ((s->flags & SOCK_BOUND) != 0 || tcp_state(sock_tcb(ss, s)) != TCPS_CLOSED)
        return -EINVAL;
    return port_bind(ss, s, &a, to->port);
}

/* A connect() after the one that was answered EINPROGRESS: how that one ended. */
static int connect_again(struct socks *ss, struct sock *s)
{
    struct tcb *t = sock_tcb(ss, s);
    uint32_t bits = tcp_poll(ss->tcp, t);
    /* Something in the error queue does not end an attempt: ERR alone tells of that. */
    if ((bits & (TCP_EV_CONNECTED | TCP_EV_HUP)) == 0)
        return -EALREADY;
    s->flags = (uint16_t)(s->flags & ~(unsigned)SOCK_CONNECTING);
    int err = tcp_take_error(t);
    if (err != 0)
        return -err;
    return (bits & TCP_EV_CONNECTED) != 0 ? 0 : -ECONNABORTED;
}

/* The flow that a connection to this end would have, its port chosen. */
static int connect_flow(struct socks *ss, struct sock *s, const struct addr *to, uint16_t port,
                        uint8_t nif, struct flow *f)
{
    struct tcb *t = sock_tcb(ss, s);
    if ((s->flags & SOCK_LISTENING) != 0 || tcp_state(t) != TCPS_CLOSED)
        return -EISCONN;
    if (addr_is_multicast(to) || addr_is_limited_broadcast(to))
        return -ENETUNREACH;
    bool is_bound = (s->flags & SOCK_BOUND) != 0;
    struct dst dst = {.nif = nif};
    int r = ip_route(ss->ip, to, is_bound ? &s->local : NULL, &dst);
    if (r < 0)
        return r;
    *f = (struct flow){.local = is_bound && !addr_is_any(&s->local) ? s->local : dst.src,
                       .remote = *to,
                       .lport = is_bound ? s->lport : 0,
                       .rport = port,
                       .nif = nif,
                       .proto = PROTO_TCP};
    return f->lport == 0 && port_ephemeral(ss, f) == 0 ? -EADDRNOTAVAIL : 0;
}

static int connect_stream(struct socks *ss, struct sock *s, const struct addr *to, uint16_t port,
                          uint8_t nif)
{
    struct flow f;
    if ((s->flags & SOCK_DEFERRED) != 0)
        return -EISCONN;
    if ((s->flags & SOCK_CONNECTING) != 0)
        return connect_again(ss, s);
    int r = connect_flow(ss, s, to, port, nif, &f);
    if (r == 0)
        r = tcp_connect(ss->tcp, sock_tcb(ss, s), &f);
    if (r < 0)
        return r;
    if (tcp_is_deferred(sock_tcb(ss, s))) {
        s->flags |= SOCK_DEFERRED;
        return 0;
    }
    s->flags |= SOCK_CONNECTING;
    return -EINPROGRESS;
}

/* Where a connect to this address goes. */
static int connect_addr(const struct sock *s, const struct weir_addr *to, struct addr *a)
{
    *a = sock_addr_in(to);
    int r = sock_addr_check(s, a);
    if (r < 0)
        return r;
    /* Linux: connecting to "any" means this host. */
    if (addr_is_any(a))
        *a = addr_is_ip4(a) || s->family == WEIR_INET ? addr_ip4(0x7f000001)
                                                      : (struct addr){.b = {[15] = 1}};
    return 0;
}

int64_t sock_connect_send(struct socks *ss, struct sock *s, const struct weir_addr *to,
                          const void *buf, size_t n, unsigned flags)
{
    struct tcb *t = sock_tcb(ss, s);
    struct flow f;
    struct addr a;
    if ((ss->env->conf.tcp_fastopen & 1) == 0 || (to != NULL && to->family == 0))
        return -EOPNOTSUPP;
    if ((s->flags & SOCK_DEFERRED) == 0) {
        if (tcp_state(t) != TCPS_CLOSED || (s->flags & SOCK_CONNECTING) != 0) {
            int r = (s->flags & SOCK_CONNECTING) != 0 ? connect_again(ss, s) : -EISCONN;
            return r == 0 ? -EISCONN : r;
        }
        int r = to == NULL ? -EINVAL : connect_addr(s, to, &a);
        if (r == 0)
            r = to->port == 0
                    ? -ECONNREFUSED
                    : connect_flow(ss, s, &a, to->port, sock_scope_nif(&a, to->scope), &f);
        if (r < 0)
            return r;
    }
    int64_t taken = tcp_connect_send(
        ss->tcp, t, &f, buf, n,
        flags & (WEIR_MSG_MORE | WEIR_MSG_DONTWAIT | WEIR_MSG_EOR | WEIR_MSG_ZEROCOPY));
    if (taken < 0)
        return taken;
    s->flags = (uint16_t)((s->flags & ~(unsigned)SOCK_DEFERRED) | SOCK_CONNECTING);
    return taken != 0 ? taken : -EINPROGRESS;
}

int sock_connect(struct socks *ss, struct sock *s, const struct weir_addr *to)
{
    struct addr a;
    if (to->family == 0 && s->type == WEIR_DGRAM) {
        udp_disconnect(ss->udp, sock_udp(ss, s));
        return 0;
    }
    int r = connect_addr(s, to, &a);
    if (r < 0)
        return r;
    uint8_t nif = sock_scope_nif(&a, to->scope);
    if (s->type == WEIR_DGRAM) {
        struct udp_sock *u = sock_udp(ss, s);
        u->nif = nif != 0 ? nif : u->nif;
        return udp_connect(ss->udp, u, &a, to->port);
    }
    return to->port == 0 ? -ECONNREFUSED : connect_stream(ss, s, &a, to->port, nif);
}

int sock_listen(struct socks *ss, struct sock *s, int backlog)
{
    if (s->type != WEIR_STREAM)
        return -EOPNOTSUPP;
    struct addr any = s->family == WEIR_INET ? addr_ip4(0) : (struct addr){0};
    if ((s->flags & SOCK_BOUND) == 0) {
        int r = port_bind(ss, s, &any, 0);
        if (r < 0)
            return r;
    }
    if (!port_may_listen(ss, s))
        return -EADDRINUSE;
    uint32_t max = ss->env->conf.somaxconn;
    uint32_t n = backlog < 0 ? max : w_u32_min((uint32_t)backlog, max);
    int r = tcp_listen(ss->tcp, sock_tcb(ss, s), &s->local, s->lport, n);
    if (r == 0)
        s->flags |= SOCK_LISTENING;
    return r;
}

int sock_accept(struct socks *ss, struct sock *s, weir_sock *out, struct weir_addr *peer)
{
    if (s->type != WEIR_STREAM)
        return -EOPNOTSUPP;
    if ((s->flags & SOCK_LISTENING) == 0)
        return -EINVAL;
    if (pool_free_count(&ss->pool) == 0)
        return -ENOBUFS;
    struct tcb *t = tcp_accept(ss->tcp, sock_tcb(ss, s));
    if (t == NULL)
        return -EAGAIN;
    struct sock *child = sock_new(ss, s->family, WEIR_STREAM);
    WEIR_ASSERT(child != NULL);
    child->obj = tcp_index(ss->tcp, t);
    child->flags = s->flags & (SOCK_REUSEADDR | SOCK_REUSEPORT | SOCK_V6ONLY);
    child->pmtudisc = s->pmtudisc;
    child->mark = s->mark;
    child->want = s->want;
    child->stamps = s->stamps;
    child->local = tcp_flow(t)->local;
    child->lport = tcp_flow(t)->lport;
    tcp_set_sock(t, pool_index(&ss->pool, child));
    if (WEIR_UNLIKELY((s->want | s->stamps | (s->flags & SOCK_RECVERR)) != 0))
        sock_inherit(ss, s, child);
    if (peer != NULL)
        sock_addr_out(child, &tcp_flow(t)->remote, tcp_flow(t)->rport, tcp_flow(t)->nif, peer);
    *out = sock_handle(ss, child);
    return 0;
}

int sock_shutdown(struct socks *ss, struct sock *s, enum weir_how how)
{
    if (s->type == WEIR_DGRAM)
        return udp_shutdown(ss->udp, sock_udp(ss, s), how);
    int r = tcp_shutdown(ss->tcp, sock_tcb(ss, s), (enum tcp_shut)how);
    if (r == 0 && (s->flags & SOCK_LISTENING) != 0 && how != WEIR_SHUT_WR)
        s->flags = (uint16_t)(s->flags & ~(unsigned)SOCK_LISTENING);
    return r;
}

void sock_close(struct socks *ss, struct sock *s, bool is_abort)
{
    port_release(ss, s);
    if (s->type == WEIR_DGRAM) {
        udp_close(ss->udp, sock_udp(ss, s));
    } else {
        if (is_abort)
            tcp_abort(ss->tcp, sock_tcb(ss, s), 0);
        tcp_close(ss->tcp, sock_tcb(ss, s));
    }
    pool_give(&ss->pool, pool_index(&ss->pool, s));
}

void sock_addr_out(const struct sock *s, const struct addr *a, uint16_t port, unsigned nif,
                   struct weir_addr *out)
{
    *out = (struct weir_addr){.port = port,
                              .family = s->family == WEIR_INET ? 4 : 6,
                              .scope = addr_is_link_local6(a) ? nif : 0};
    memcpy(out->ip, a->b, 16);
}

static int name_stream(struct socks *ss, const struct sock *s, bool is_peer, struct weir_addr *out)
{
    const struct tcb *t = sock_tcb(ss, s);
    const struct flow *f = tcp_flow(t);
    enum tcp_state st = tcp_state(t);
    bool has_peer = st != TCPS_CLOSED && st != TCPS_LISTEN && st != TCPS_SYN_SENT;
    if (is_peer) {
        if (!has_peer)
            return -ENOTCONN;
        sock_addr_out(s, &f->remote, f->rport, f->nif, out);
        return 0;
    }
    bool is_opened = has_peer || st == TCPS_SYN_SENT;
    const struct addr any = s->family == WEIR_INET ? addr_ip4(0) : (struct addr){0};
    if (is_opened)
        sock_addr_out(s, &f->local, f->lport, f->nif, out);
    else
        sock_addr_out(s, s->lport != 0 ? &s->local : &any, s->lport, ip_addr_nif(ss->ip, &s->local),
                      out);
    return 0;
}

int sock_name(struct socks *ss, const struct sock *s, bool is_peer, struct weir_addr *out)
{
    if (s->type == WEIR_STREAM)
        return name_stream(ss, s, is_peer, out);
    const struct udp_sock *u = sock_udp(ss, s);
    if (is_peer && (u->flags & UDP_CONNECTED) == 0)
        return -ENOTCONN;
    struct addr a = is_peer ? u->flow.remote : u->flow.local;
    sock_addr_out(s, &a, is_peer ? u->flow.rport : u->flow.lport, u->nif, out);
    return 0;
}
