/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes through a socket, and its readiness.
 *
 * Decides nothing about protocols: translates flags and events between weir.h and tcp/ or udp/, and
 * refuses what is not implemented (nothing pretends: a flag that would be ignored is an error,
 * counted).
 *
 * Called by stack/; calls tcp/ and udp/. Owns nothing.
 */
#include "sock/sock.h"

#include <errno.h>

static const unsigned send_flags = WEIR_MSG_OOB | WEIR_MSG_DONTWAIT | WEIR_MSG_EOR |
                                   WEIR_MSG_NOSIGNAL | WEIR_MSG_MORE | WEIR_MSG_ZEROCOPY |
                                   WEIR_MSG_FASTOPEN;
static const unsigned recv_flags = WEIR_MSG_OOB | WEIR_MSG_PEEK | WEIR_MSG_TRUNC |
                                   WEIR_MSG_DONTWAIT | WEIR_MSG_WAITALL | WEIR_MSG_NOSIGNAL;

static int flags_refused(struct socks *ss)
{
    env_count(ss->env, STAT_OptRefused);
    return -EOPNOTSUPP;
}

/* MSG_EOR and, without SO_ZEROCOPY, MSG_ZEROCOPY have no effect on a datagram, as in Linux. */
int sock_dgram_flags(struct socks *ss, const struct sock *s, unsigned flags)
{
    bool is_told = (flags & WEIR_MSG_ZEROCOPY) != 0 && (s->want & WANT_ZEROCOPY) != 0;
    bool is_strange = (flags & (WEIR_MSG_OOB | WEIR_MSG_MORE | WEIR_MSG_FASTOPEN)) != 0;
    return is_told || is_strange || (flags & ~send_flags) != 0 ? flags_refused(ss) : 0;
}

int sock_dgram_to(const struct sock *s, const struct weir_addr *to, struct udp_end *end)
{
    memcpy(end->addr.b, to->ip, 16);
    end->port = to->port;
    if (s->family == WEIR_INET && !addr_is_ip4(&end->addr)) {
        if (!addr_is_any(&end->addr))
            return -EAFNOSUPPORT;
        end->addr = addr_ip4(0);
    }
    bool is_ip4 = addr_is_ip4(&end->addr);
    if (is_ip4 && (s->flags & SOCK_V6ONLY) != 0)
        return -ENETUNREACH;
    if (addr_is_any(&end->addr))
        end->addr = is_ip4 ? addr_ip4(0x7f000001) : (struct addr){.b = {[15] = 1}};
    uint8_t nif = sock_scope_nif(&end->addr, to->scope);
    end->nif = nif != 0 ? nif : end->nif;
    return 0;
}

static WEIR_APART int64_t send_dgram(struct socks *ss, struct sock *s, const void *buf, size_t n,
                                     unsigned flags, const struct weir_addr *to)
{
    struct udp_end end = {.is_peer = to == NULL};
    int r = sock_dgram_flags(ss, s, flags);
    if (r == 0 && to != NULL)
        r = sock_dgram_to(s, to, &end);
    return r < 0 ? r : udp_send(ss->udp, sock_udp(ss, s), &end, buf, n);
}

int64_t sock_send(struct socks *ss, struct sock *s, const void *buf, size_t n, unsigned flags,
                  const struct weir_addr *to)
{
    if ((flags & ~send_flags) != 0)
        return flags_refused(ss);
    if (s->type == WEIR_STREAM) {
        tcp_prefetch(sock_tcb(ss, s));
        if (WEIR_UNLIKELY((flags & WEIR_MSG_FASTOPEN) != 0 || (s->flags & SOCK_DEFERRED) != 0)) {
            int64_t r = sock_connect_send(ss, s, to, buf, n, flags);
            if (r != -EISCONN)
                return r;
        }
        unsigned f = flags & (WEIR_MSG_OOB | WEIR_MSG_MORE | WEIR_MSG_DONTWAIT | WEIR_MSG_EOR |
                              WEIR_MSG_ZEROCOPY);
        return tcp_send(ss->tcp, sock_tcb(ss, s), buf, n, f);
    }
    return send_dgram(ss, s, buf, n, flags, to);
}

int64_t sock_recv(struct socks *ss, struct sock *s, void *buf, size_t n, unsigned flags,
                  struct weir_addr *from)
{
    if ((flags & ~recv_flags) != 0)
        return flags_refused(ss);
    if (s->type == WEIR_STREAM) {
        unsigned f = flags & (WEIR_MSG_OOB | WEIR_MSG_PEEK | WEIR_MSG_TRUNC);
        if (from != NULL)
            *from = (struct weir_addr){0};
        return tcp_recv(ss->tcp, sock_tcb(ss, s), buf, n, f);
    }
    if ((flags & WEIR_MSG_OOB) != 0)
        return flags_refused(ss);
    struct udp_from uf;
    int64_t r =
        udp_recv(ss->udp, sock_udp(ss, s), buf, n, flags & (WEIR_MSG_PEEK | WEIR_MSG_TRUNC), &uf);
    if (r >= 0 && from != NULL)
        sock_addr_out(s, &uf.addr, uf.port, uf.nif, from);
    return r;
}

static uint32_t bits_of_tcp(uint32_t ev)
{
    uint32_t bits = ev & (WEIR_IN | WEIR_PRI | WEIR_OUT | WEIR_ERR | WEIR_HUP | WEIR_RDHUP);
    bits |= (ev & TCP_EV_ACCEPT) != 0 ? (uint32_t)WEIR_ACCEPT : 0;
    bits |= (ev & TCP_EV_CONNECTED) != 0 ? (uint32_t)WEIR_CONNECTED : 0;
    bits |= (ev & TCP_EV_DRAINED) != 0 ? (uint32_t)WEIR_DRAINED : 0;
    return bits;
}

uint32_t sock_poll(struct socks *ss, const struct sock *s)
{
    uint32_t bits = s->type == WEIR_STREAM ? bits_of_tcp(tcp_poll(ss->tcp, sock_tcb(ss, s)))
                                           : udp_poll(ss->udp, sock_udp(ss, s));
    if (WEIR_UNLIKELY((bits & WEIR_ERR) != 0) && (s->want & WANT_ERR_PRI) != 0)
        bits |= WEIR_PRI;
    return bits;
}

struct sock *sock_event_pop(struct socks *ss, uint32_t *bits)
{
    uint32_t edges;
    struct tcb *t = tcp_ready_pop(ss->tcp, &edges);
    struct udp_sock *u = t == NULL ? udp_ready_pop(ss->udp) : NULL;
    if (t == NULL && u == NULL)
        return NULL;
    uint32_t idx = t != NULL ? tcp_sock(t) : u->sock;
    WEIR_CHECK(pool_is_live(&ss->pool, idx));
    struct sock *s = pool_at(&ss->pool, idx);
    *bits = sock_poll(ss, s);
    return s;
}
