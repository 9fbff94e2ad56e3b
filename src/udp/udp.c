/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a UDP socket: opened, connected, shut down, closed, and what is true of it.
 *
 *     opened --bind, or first send--> bound --connect--> connected --disconnect--> bound or opened
 *     in every state: send (with an address unless connected), recv, shutdown, close
 *
 * Decides nothing about datagrams (io.c) or ports (table.c). Connecting fixes the local address the
 * route chooses, so that answers find the socket; disconnecting gives back what was not chosen by
 * the program, as Linux does.
 *
 * Called by sock/ and stack/. Owns struct udp_sock. Invariant: a socket is on the ready list at
 * most once, and leaves it when closed.
 */
#include "udp/table.h"

#include <errno.h>

void udp_init(struct udp *u, struct env *env, struct ip *ip, struct arena *a)
{
    uint32_t n = env->conf.n_udp, buckets = 16;
    while (buckets < n && buckets < 65536)
        buckets *= 2;
    *u = (struct udp){.env = env, .ip = ip, .bucket_mask = buckets - 1};
    pool_init(&u->pool, a, n, sizeof(struct udp_sock), WEIR_CACHELINE);
    u->bucket = arena_take(a, buckets * sizeof(struct list), WEIR_CACHELINE);
    list_init(&u->ready);
    for (uint32_t i = 0; u->bucket != NULL && i < buckets; i++)
        list_init(&u->bucket[i]);
}

/* Every local address, in the family's words. */
static struct addr any_of(const struct udp_sock *s)
{
    return (s->flags & UDP_IP4) != 0 ? addr_ip4(0) : (struct addr){.d = {0}};
}

struct udp_sock *udp_open(struct udp *u, uint32_t sock, bool is_ip4)
{
    uint32_t idx = pool_take(&u->pool);
    if (idx == 0)
        return NULL;
    struct udp_sock *s = udp_at(u, idx);
    s->sock = sock;
    s->rx_limit = u->env->conf.rmem_default;
    s->flow.proto = PROTO_UDP;
    s->flags = is_ip4 ? UDP_IP4 : 0;
    s->flow.local = any_of(s);
    return s;
}

void udp_close(struct udp *u, struct udp_sock *s)
{
    udp_unbind(u, s);
    if (list_is_linked(&s->ready))
        list_remove(&s->ready);
    pktq_free(&s->rxq);
    note_free_all(&s->errq);
    pool_give(&u->pool, udp_index(u, s));
}

int udp_connect(struct udp *u, struct udp_sock *s, const struct addr *remote, uint16_t port)
{
    struct dst d = {.nif = s->nif};
    const struct addr loopback = addr_ip4(0x7f000001);
    if (addr_is_any(remote))
        remote = &loopback;
    bool is_auto = (s->flags & UDP_ADDR_AUTO) != 0 || (s->flags & UDP_BOUND) == 0;
    int r = ip_route(u->ip, remote, is_auto ? NULL : &s->flow.local, &d);
    if (r < 0)
        return r;
    if (d.kind == IP_BROADCAST && (s->flags & UDP_BROADCAST) == 0)
        return -EACCES;
    if (is_auto) {
        r = udp_autobind(u, s);
        if (r < 0)
            return r;
        s->flow.local = d.src;
        s->flags |= UDP_ADDR_AUTO;
    }
    s->flow.remote = *remote;
    s->flow.rport = port;
    s->flags |= UDP_CONNECTED;
    s->dst = d;
    s->dst_of = *remote;
    udp_wake(u, s);
    return 0;
}

void udp_disconnect(struct udp *u, struct udp_sock *s)
{
    s->flags &= ~(uint32_t)UDP_CONNECTED;
    s->flow.remote = (struct addr){0};
    s->flow.rport = 0;
    s->dst.gen = 0;
    if ((s->flags & UDP_ADDR_AUTO) != 0)
        s->flow.local = any_of(s);
    if ((s->flags & UDP_PORT_AUTO) != 0)
        udp_unbind(u, s);
}

int udp_shutdown(struct udp *u, struct udp_sock *s, unsigned how)
{
    if (how > 2)
        return -EINVAL;
    if (how != 1)
        s->flags |= UDP_RCV_SHUT;
    if (how != 0)
        s->flags |= UDP_SND_SHUT;
    udp_wake(u, s);
    return (s->flags & UDP_CONNECTED) != 0 ? 0 : -ENOTCONN;
}

uint32_t udp_poll(const struct udp *u, const struct udp_sock *s)
{
    (void)u;
    uint32_t ev = UDP_EV_OUT;
    bool is_rcv_shut = (s->flags & UDP_RCV_SHUT) != 0;
    if (s->rxq.n > 0 || is_rcv_shut)
        ev |= UDP_EV_IN;
    if (s->error != 0)
        ev |= UDP_EV_ERR | UDP_EV_IN;
    if (s->errq.q.n > 0)
        ev |= UDP_EV_ERR;
    if (is_rcv_shut)
        ev |= UDP_EV_RDHUP;
    if (is_rcv_shut && (s->flags & UDP_SND_SHUT) != 0)
        ev |= UDP_EV_HUP;
    return ev;
}

int udp_take_error(struct udp *u, struct udp_sock *s)
{
    (void)u;
    int e = s->error;
    s->error = 0;
    return e;
}

struct udp_sock *udp_ready_pop(struct udp *u)
{
    struct list *l = list_pop_front(&u->ready);
    return l != NULL ? WEIR_CONTAINER(l, struct udp_sock, ready) : NULL;
}

const struct udp_sock *udp_iter(const struct udp *u, uint32_t after)
{
    for (uint32_t i = after + 1; i <= u->pool.cap; i++) {
        if (pool_is_live(&u->pool, i))
            return udp_at(u, i);
    }
    return NULL;
}
