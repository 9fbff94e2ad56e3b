/* SPDX-License-Identifier: Apache-2.0
 *
 * The sockets of weir.h: a handle is looked up, the time is set, the call is sock/'s, and what it
 * made TCP want to send on a loopback interface is left to the next tick.
 *
 * Called by the stack's owner. Every function here is the same three lines on purpose: anything
 * that decides belongs to sock/ or below.
 */
#include "stack/stack.h"

#include <errno.h>

static struct sock *enter(struct weir *w, w_ns now, weir_sock h)
{
    stack_enter(w, now);
    return sock_find(&w->socks, h);
}

int weir_socket(struct weir *w, int family, int type, weir_sock *out)
{
    if (family != WEIR_INET && family != WEIR_INET6)
        return -EAFNOSUPPORT;
    if (type != WEIR_STREAM && type != WEIR_DGRAM)
        return -ESOCKTNOSUPPORT;
    return sock_open(&w->socks, family, type, out);
}

int weir_sock_user(struct weir *w, weir_sock h, uint64_t user)
{
    struct sock *s = sock_find(&w->socks, h);
    if (s == NULL)
        return -EBADF;
    s->user = user;
    return 0;
}

int weir_bind(struct weir *w, weir_sock h, const struct weir_addr *a)
{
    struct sock *s = sock_find(&w->socks, h);
    return s == NULL ? -EBADF : sock_bind(&w->socks, s, a);
}

int weir_connect(struct weir *w, weir_ns now, weir_sock h, const struct weir_addr *a)
{
    struct sock *s = enter(w, now, h);
    return s == NULL ? -EBADF : sock_connect(&w->socks, s, a);
}

int weir_listen(struct weir *w, weir_sock h, int backlog)
{
    struct sock *s = sock_find(&w->socks, h);
    return s == NULL ? -EBADF : sock_listen(&w->socks, s, backlog);
}

int weir_accept(struct weir *w, weir_ns now, weir_sock h, weir_sock *out, struct weir_addr *peer)
{
    struct sock *s = enter(w, now, h);
    return s == NULL ? -EBADF : sock_accept(&w->socks, s, out, peer);
}

int64_t weir_sendto(struct weir *w, weir_ns now, weir_sock h, const void *buf, size_t n,
                    unsigned flags, const struct weir_addr *to)
{
    struct sock *s = enter(w, now, h);
    return s == NULL ? -EBADF : sock_send(&w->socks, s, buf, n, flags, to);
}

int64_t weir_recvfrom(struct weir *w, weir_ns now, weir_sock h, void *buf, size_t n, unsigned flags,
                      struct weir_addr *from)
{
    struct sock *s = enter(w, now, h);
    return s == NULL ? -EBADF : sock_recv(&w->socks, s, buf, n, flags, from);
}

int64_t weir_sendmsg(struct weir *w, weir_ns now, weir_sock h, const struct weir_msghdr *m,
                     unsigned flags)
{
    struct sock *s = enter(w, now, h);
    return s == NULL ? -EBADF : sock_sendmsg(&w->socks, s, m, flags);
}

int64_t weir_recvmsg(struct weir *w, weir_ns now, weir_sock h, struct weir_msghdr *m,
                     unsigned flags)
{
    struct sock *s = enter(w, now, h);
    return s == NULL ? -EBADF : sock_recvmsg(&w->socks, s, m, flags);
}

void weir_real_time(struct weir *w, int64_t offset_ns) { w->env.real_ns = offset_ns; }

_Static_assert(sizeof(struct weir_iov) == sizeof(struct tcp_iov), "one layout");
_Static_assert(offsetof(struct weir_iov, len) == offsetof(struct tcp_iov, len), "one layout");

/* A stream's tcb; NULL with *err set. */
static struct tcb *stream(struct weir *w, weir_sock h, int *err)
{
    struct sock *s = sock_find(&w->socks, h);
    *err = s == NULL ? -EBADF : s->type != WEIR_STREAM ? -EOPNOTSUPP : 0;
    return *err < 0 ? NULL : sock_tcb(&w->socks, s);
}

int weir_send_space(struct weir *w, weir_ns now, weir_sock h, struct weir_iov *v, unsigned max)
{
    int err;
    stack_enter(w, now);
    struct tcb *t = stream(w, h, &err);
    return t == NULL ? err : tcp_send_space(&w->tcp, t, (struct tcp_iov *)v, max);
}

int weir_send_commit(struct weir *w, weir_ns now, weir_sock h, size_t n)
{
    int err;
    stack_enter(w, now);
    struct tcb *t = stream(w, h, &err);
    if (t == NULL)
        return err;
    int64_t r = tcp_send_commit(&w->tcp, t, n, 0);
    return r < 0 ? (int)r : 0;
}

int weir_recv_peek(struct weir *w, weir_sock h, struct weir_iov *v, unsigned max)
{
    int err;
    struct tcb *t = stream(w, h, &err);
    return t == NULL ? err : tcp_recv_peek(&w->tcp, t, (struct tcp_iov *)v, max);
}

int weir_recv_consume(struct weir *w, weir_ns now, weir_sock h, size_t n)
{
    int err;
    stack_enter(w, now);
    struct tcb *t = stream(w, h, &err);
    if (t == NULL)
        return err;
    tcp_recv_consume(&w->tcp, t, n);
    return 0;
}

int weir_shutdown(struct weir *w, weir_ns now, weir_sock h, enum weir_how how)
{
    struct sock *s = enter(w, now, h);
    return s == NULL ? -EBADF : sock_shutdown(&w->socks, s, how);
}

int weir_close(struct weir *w, weir_ns now, weir_sock h)
{
    struct sock *s = enter(w, now, h);
    if (s == NULL)
        return -EBADF;
    sock_close(&w->socks, s, false);
    return 0;
}

int weir_abort(struct weir *w, weir_ns now, weir_sock h)
{
    struct sock *s = enter(w, now, h);
    if (s == NULL)
        return -EBADF;
    sock_close(&w->socks, s, true);
    return 0;
}

uint32_t weir_poll(struct weir *w, weir_sock h)
{
    struct sock *s = sock_find(&w->socks, h);
    return s == NULL ? 0 : sock_poll(&w->socks, s);
}

int weir_getsockname(struct weir *w, weir_sock h, struct weir_addr *out)
{
    struct sock *s = sock_find(&w->socks, h);
    return s == NULL ? -EBADF : sock_name(&w->socks, s, false, out);
}

int weir_getpeername(struct weir *w, weir_sock h, struct weir_addr *out)
{
    struct sock *s = sock_find(&w->socks, h);
    return s == NULL ? -EBADF : sock_name(&w->socks, s, true, out);
}

int weir_setsockopt(struct weir *w, weir_ns now, weir_sock h, int level, int name, const void *val,
                    size_t n)
{
    struct sock *s = enter(w, now, h);
    return s == NULL ? -EBADF : sock_opt_set(&w->socks, s, level, name, val, n);
}

int weir_getsockopt(struct weir *w, weir_ns now, weir_sock h, int level, int name, void *val,
                    size_t *n)
{
    struct sock *s = enter(w, now, h);
    return s == NULL ? -EBADF : sock_opt_get(&w->socks, s, level, name, val, n);
}

int64_t weir_inq(struct weir *w, weir_sock h)
{
    struct sock *s = sock_find(&w->socks, h);
    if (s == NULL)
        return -EBADF;
    if (s->type == WEIR_STREAM)
        return tcp_inq(&w->tcp, sock_tcb(&w->socks, s));
    const struct udp_sock *u = sock_udp(&w->socks, s);
    return u->rxq.first == NULL ? 0 : u->rxq.first->len;
}

int64_t weir_outq(struct weir *w, weir_sock h)
{
    struct sock *s = sock_find(&w->socks, h);
    if (s == NULL)
        return -EBADF;
    return s->type == WEIR_STREAM ? tcp_outq(sock_tcb(&w->socks, s)) : 0;
}

int weir_at_mark(struct weir *w, weir_sock h)
{
    int err;
    struct tcb *t = stream(w, h, &err);
    return t == NULL ? err : tcp_at_mark(t);
}

int64_t weir_outq_unsent(struct weir *w, weir_sock h)
{
    struct sock *s = sock_find(&w->socks, h);
    if (s == NULL)
        return -EBADF;
    return s->type == WEIR_STREAM ? tcp_outq_nsd(sock_tcb(&w->socks, s)) : 0;
}
