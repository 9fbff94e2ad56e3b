/* SPDX-License-Identifier: Apache-2.0
 *
 * A UDP socket's life and its two directions: out at once, in by a bounded queue.
 *
 * Decides the local end of a socket (bound by hand, or by the first send or connect), and what each
 * call answers. Owns the sockets and the datagrams they have queued.
 *
 * Called by sock/; calls ip/ downwards and table.c.
 *
 * Invariants: rx_bytes is the sum of the queue's truesize; a socket is on the ready list at most
 * once; a bound socket is in exactly one bucket.
 */
#include "udp/room.h"
#include "wire/wire.h"

#include <errno.h>

enum { UDP_BUCKETS = 1024, UDP4_MAX = 65535 - 20 - WIRE_UDP_HLEN };

void udp_init(struct udp *u, struct env *env, struct ip *ip, struct arena *a)
{
    struct pool pool = {0};
    pool_init(&pool, a, env->conf.n_udp, sizeof(struct udp_sock), WEIR_CACHELINE);
    struct list *bucket = arena_take(a, UDP_BUCKETS * sizeof(*bucket), WEIR_CACHELINE);
    if (bucket == NULL)
        return;
    *u = (struct udp){
        .env = env, .ip = ip, .pool = pool, .bucket = bucket, .bucket_mask = UDP_BUCKETS - 1};
    for (unsigned i = 0; i < UDP_BUCKETS; i++)
        list_init(&bucket[i]);
    list_init(&u->ready);
}

struct udp_sock *udp_open(struct udp *u, uint32_t sock)
{
    uint32_t idx = pool_take(&u->pool);
    if (idx == 0)
        return NULL;
    struct udp_sock *s = udp_at(u, idx);
    s->sock = sock;
    s->flow.proto = PROTO_UDP;
    s->rx_limit = u->env->conf.rmem_default;
    return s;
}

void udp_close(struct udp *u, struct udp_sock *s)
{
    udp_table_remove(s);
    if (list_is_linked(&s->ready))
        list_remove(&s->ready);
    pktq_free(&s->rxq);
    pool_give(&u->pool, udp_index(u, s));
}

void udp_wake(struct udp *u, struct udp_sock *s)
{
    if (!list_is_linked(&s->ready))
        list_push_back(&u->ready, &s->ready);
}

struct udp_sock *udp_ready_pop(struct udp *u)
{
    struct list *l = list_pop_front(&u->ready);
    return l == NULL ? NULL : WEIR_CONTAINER(l, struct udp_sock, ready);
}

int udp_bind(struct udp *u, struct udp_sock *s, const struct addr *local, uint16_t port)
{
    if ((s->flags & UDP_BOUND) != 0)
        return -EINVAL;
    bool is_group = addr_is_multicast(local) || addr_is_limited_broadcast(local);
    bool is_usable = addr_is_any(local) || is_group || ip_is_local(u->ip, local) ||
                     ip_addr_kind(u->ip, NULL, local) == IP_BROADCAST;
    return is_usable ? udp_table_add(u, s, local, port) : -EADDRNOTAVAIL;
}

static int bind_late(struct udp *u, struct udp_sock *s, const struct addr *to)
{
    if ((s->flags & UDP_BOUND) != 0)
        return 0;
    struct addr any = addr_is_ip4(to) ? addr_ip4(0) : (struct addr){0};
    int r = udp_table_add(u, s, &any, 0);
    if (r == 0)
        s->flags |= UDP_ADDR_AUTO;
    return r < 0 ? -EAGAIN : 0;
}

static int route_to(struct udp *u, const struct udp_sock *s, const struct addr *to, struct dst *d)
{
    *d = (struct dst){.nif = s->nif};
    bool is_fixed = (s->flags & UDP_BOUND) != 0 && !addr_is_any(&s->flow.local) &&
                    ip_is_local(u->ip, &s->flow.local);
    int r = ip_route(u->ip, to, is_fixed ? &s->flow.local : NULL, d);
    if (r == 0 && d->kind == IP_BROADCAST && (s->flags & UDP_BROADCAST) == 0)
        return -EACCES;
    return r;
}

int udp_connect(struct udp *u, struct udp_sock *s, const struct addr *to, uint16_t port)
{
    struct dst d;
    bool was_auto = (s->flags & UDP_ADDR_AUTO) != 0;
    if (was_auto && (s->flags & UDP_BOUND) != 0)
        s->flow.local = addr_is_ip4(to) ? addr_ip4(0) : (struct addr){0};
    int r = route_to(u, s, to, &d);
    if (r == 0)
        r = bind_late(u, s, to);
    if (r < 0)
        return r;
    if (addr_is_any(&s->flow.local)) {
        s->flow.local = d.src;
        s->flags |= UDP_ADDR_AUTO;
    }
    s->flow.remote = *to;
    s->flow.rport = port;
    s->dst = d;
    s->flags |= UDP_CONNECTED;
    udp_wake(u, s);
    return 0;
}

void udp_disconnect(struct udp *u, struct udp_sock *s)
{
    s->flags &= ~(uint32_t)UDP_CONNECTED;
    s->flow.remote = (struct addr){0};
    s->flow.rport = 0;
    if ((s->flags & UDP_ADDR_AUTO) != 0)
        s->flow.local = addr_is_ip4(&s->flow.local) ? addr_ip4(0) : (struct addr){0};
    if ((s->flags & UDP_PORT_AUTO) != 0)
        udp_table_remove(s);
    (void)u;
}

int udp_shutdown(struct udp *u, struct udp_sock *s, unsigned how)
{
    if (how != 1)
        s->flags |= UDP_RCV_SHUT;
    if (how != 0)
        s->flags |= UDP_SND_SHUT;
    udp_wake(u, s);
    return (s->flags & UDP_CONNECTED) != 0 ? 0 : -ENOTCONN;
}

int udp_take_error(struct udp *u, struct udp_sock *s)
{
    int err = s->error;
    (void)u;
    s->error = 0;
    return err;
}

/* The datagram with its header. The checksum is left to link/; the pseudo-header's part is there. */
static struct pkt *dgram_build(struct udp *u, const struct udp_sock *s, const struct ip_meta *m,
                               const struct udp_end *to, const void *buf, uint32_t n)
{
    struct pkt *p = pkt_new(&u->env->mem);
    if (p == NULL)
        return NULL;
    if (!pkt_append_copy(p, buf, n)) {
        pkt_free(p);
        return NULL;
    }
    struct wire_udp h = {.sport = s->flow.lport, .dport = to->port};
    h.len = (uint16_t)(n + WIRE_UDP_HLEN);
    bool is_summed = (s->flags & UDP_NO_CHECK) == 0 || !addr_is_ip4(&m->dst);
    if (is_summed)
        h.csum = csum_half(csum_pseudo(&m->src, &m->dst, PROTO_UDP, h.len));
    (void)wire_udp_build(pkt_push(p, WIRE_UDP_HLEN), &h);
    p->l4 = p->off;
    p->pay = (uint16_t)(p->off + WIRE_UDP_HLEN);
    if (is_summed) {
        p->csum = CSUM_TODO;
        p->csum_start = p->l4;
        p->csum_at = 6;
    }
    return p;
}

static int64_t dgram_send(struct udp *u, struct udp_sock *s, const struct udp_end *to,
                          const struct dst *d, const void *buf, size_t n)
{
    struct ip_meta m = {.src = d->src,
                        .dst = to->addr,
                        .proto = PROTO_UDP,
                        .ttl = s->ttl,
                        .tos = s->tos,
                        .df = (s->flags & UDP_PMTU_DO) != 0};
    if (m.df && n + WIRE_UDP_HLEN + WIRE_IP4_HLEN > d->mtu)
        return -EMSGSIZE;
    struct pkt *p = dgram_build(u, s, &m, to, buf, (uint32_t)n);
    if (p == NULL)
        return -ENOBUFS;
    enum drop why = ip_output(u->ip, d, &m, p);
    /* What a queue below drops is the network's loss to a datagram's sender, as in Linux without
     * IP_RECVERR; only "too big" is the caller's own. */
    if (why == DROP_FRAG_NEEDED)
        return -EMSGSIZE;
    s->n.tx_dgrams++;
    s->n.tx_bytes += n;
    env_count(u->env, STAT_UdpOutDatagrams);
    return (int64_t)n;
}

int64_t udp_send(struct udp *u, struct udp_sock *s, const struct udp_end *to, const void *buf,
                 size_t n)
{
    struct udp_end peer = {s->flow.remote, s->flow.rport};
    struct dst d = s->dst;
    if (s->error != 0)
        return -udp_take_error(u, s);
    if ((s->flags & UDP_SND_SHUT) != 0)
        return -EPIPE;
    if (to == NULL && (s->flags & UDP_CONNECTED) == 0)
        return -EDESTADDRREQ;
    if (n > UDP4_MAX)
        return -EMSGSIZE;
    if (to != NULL && to->port == 0)
        return -EINVAL;
    bool needs_route = to != NULL || !ip_dst_is_valid(u->ip, &d);
    if (to == NULL)
        to = &peer;
    int r = needs_route ? route_to(u, s, &to->addr, &d) : 0;
    if (r == 0)
        r = bind_late(u, s, &to->addr);
    if (r < 0)
        return r;
    if (to == &peer)
        s->dst = d;
    return dgram_send(u, s, to, &d, buf, n);
}

static void from_fill(const struct pkt *p, struct udp_from *from)
{
    *from = (struct udp_from){.addr = p->flow.remote,
                              .local = p->flow.local,
                              .port = p->flow.rport,
                              .nif = (uint8_t)p->nif,
                              .ttl = p->ttl,
                              .tos = p->tos,
                              .full = p->len,
                              .when = p->when};
}

int64_t udp_recv(struct udp *u, struct udp_sock *s, void *buf, size_t n, unsigned flags,
                 struct udp_from *from)
{
    if (s->error != 0)
        return -udp_take_error(u, s);
    struct pkt *p = s->rxq.first;
    if (p == NULL) {
        if (from != NULL)
            *from = (struct udp_from){0};
        return (s->flags & UDP_RCV_SHUT) != 0 ? 0 : -EAGAIN;
    }
    uint32_t copied = pkt_copy_out(p, 0, buf, n > p->len ? p->len : (uint32_t)n);
    uint32_t full = p->len;
    if (from != NULL)
        from_fill(p, from);
    if ((flags & UDP_MSG_PEEK) == 0) {
        (void)pktq_pop(&s->rxq);
        s->rx_bytes -= p->truesize;
        pkt_free(p);
    }
    return (flags & UDP_MSG_TRUNC) != 0 ? full : copied;
}

uint32_t udp_poll(const struct udp *u, const struct udp_sock *s)
{
    uint32_t ev = UDP_EV_OUT;
    (void)u;
    if (s->rxq.first != NULL || (s->flags & UDP_RCV_SHUT) != 0)
        ev |= UDP_EV_IN;
    if (s->error != 0)
        ev |= UDP_EV_ERR;
    if ((s->flags & UDP_RCV_SHUT) != 0)
        ev |= UDP_EV_RDHUP | ((s->flags & UDP_SND_SHUT) != 0 ? (uint32_t)UDP_EV_HUP : 0);
    return ev;
}

const struct udp_sock *udp_iter(const struct udp *u, uint32_t after)
{
    for (uint32_t i = after + 1; i <= u->pool.cap; i++)
        if (pool_is_live(&u->pool, i))
            return udp_at(u, i);
    return NULL;
}
