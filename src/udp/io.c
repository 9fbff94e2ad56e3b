/* SPDX-License-Identifier: Apache-2.0
 *
 * Datagrams, out of a socket and into one, and ICMP errors about them.
 *
 * Decides who gets a datagram, whether there is still room for it (UDP drops when a socket's buffer
 * is full, and counts), and which call hears of an error [RFC 1122 4.1.3.3].
 *
 * Called by sock/ (send, recv) and stack/ (input, error); calls ip/. Owns what is queued in
 * sockets.
 *
 * Invariants: rx_bytes is the sum of the queued packets' true sizes; a queued packet begins at its
 * payload; a datagram to a port nobody has is answered by ICMP only after its checksum was right.
 * An unconnected socket hears of no error unless it asked for the error queue, whose notes say
 * about which datagram, as in Linux.
 */
#include "udp/table.h"
#include "wire/csum.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/udp.h"

#include <errno.h>

enum { UDP_MAX = 65535 - WIRE_IP4_HLEN - WIRE_UDP_HLEN, UDP_CSUM_AT = 6, QUOTE_MOST = 2048 };

/* ---- the error queue ---- */

/* A note, with the bytes of `of` from `at` on, for whoever asks by MSG_ERRQUEUE. */
static void note_tell(struct udp *u, struct udp_sock *s, const struct note *n, const struct pkt *of,
                      uint32_t at)
{
    struct pkt *p = note_new(u->env, n);
    if (p == NULL)
        return;
    if (of != NULL)
        note_quote(p, of, at, QUOTE_MOST);
    if (note_push(u->env, &s->errq, p, s->rx_limit))
        udp_wake(u, s);
}

bool udp_take_note(struct udp *u, struct udp_sock *s, struct note *out, void *to, size_t n,
                   uint32_t *full)
{
    if (!note_take(&s->errq, out, to, n, full))
        return false;
    const struct note *next = note_first(&s->errq);
    if (next != NULL && note_is_icmp(next))
        s->error = next->err;
    else if (note_is_icmp(out))
        s->error = 0;
    if (next != NULL)
        udp_wake(u, s);
    return true;
}

/* When a datagram left, as its socket numbers it. */
static void stamp_tell(struct udp *u, struct udp_sock *s, const struct pkt *p, uint32_t key,
                       enum note_stamp what)
{
    struct note n = {.when = u->env->now,
                     .from = s->dst.src,
                     .nif = s->dst.nif,
                     .info = what,
                     .data = (s->stamps & UDP_STAMP_ID) != 0 ? key : 0,
                     .err = ENOMSG,
                     .origin = NOTE_STAMP};
    bool is_bare = (s->stamps & UDP_STAMP_ONLY) != 0;
    note_tell(u, s, &n, is_bare ? NULL : p, (uint32_t)(p->pay - p->off));
}

/* Which socket a packet is of, and its number there: what p->user holds until it has left. */
enum { USER_GEN_SHIFT = 24 };
static uint64_t stamp_user(const struct udp *u, const struct udp_sock *s, uint32_t key)
{
    uint32_t idx = udp_index(u, s);
    return (uint64_t)key << 32 | (idx | (uint32_t)pool_gen(&u->pool, idx) << USER_GEN_SHIFT);
}

void udp_sent(struct udp *u, const struct pkt *p)
{
    uint32_t who = (uint32_t)p->user, idx = who & ((1u << USER_GEN_SHIFT) - 1);
    uint32_t key = (uint32_t)(p->user >> 32);
    if (!pool_is_live(&u->pool, idx))
        return;
    struct udp_sock *s = udp_at(u, idx);
    if ((uint32_t)stamp_user(u, s, key) == who)
        stamp_tell(u, s, p, key, NOTE_SND);
}

/* ---- out ---- */

/* The route of a datagram into s->dst: the last one's when it goes to the same address and nothing
 * has changed since. */
static int send_route(struct udp *u, struct udp_sock *s, const struct addr *remote,
                      const struct udp_end *to)
{
    uint8_t nif = to != NULL ? to->nif : 0;
    bool has_src = to != NULL && to->has_src;
    bool is_other_link = nif != 0 && s->dst.nif != nif;
    if (has_src && !ip_is_local(u->ip, &to->src))
        return -EINVAL;
    if (!ip_dst_is_valid(u->ip, &s->dst) || !addr_eq(&s->dst_of, remote) || is_other_link ||
        has_src) {
        s->dst = (struct dst){.nif = nif != 0 ? nif : s->nif};
        int r = ip_route(u->ip, remote, has_src ? &to->src : &s->flow.local, &s->dst);
        if (r < 0)
            return r;
        s->dst_of = *remote;
    }
    bool may_send = s->dst.kind != IP_BROADCAST || (s->flags & UDP_BROADCAST) != 0;
    return may_send ? 0 : -EACCES;
}

/* What stands against sending before any packet is made. */
static int send_check(struct udp *u, struct udp_sock *s, const struct udp_end *to, size_t n)
{
    if (s->error != 0)
        return -udp_take_error(u, s);
    if ((s->flags & UDP_SND_SHUT) != 0)
        return -EPIPE;
    if (to == NULL && (s->flags & UDP_CONNECTED) == 0)
        return -EDESTADDRREQ;
    if ((to != NULL ? to->port : s->flow.rport) == 0)
        return -EINVAL;
    if (n > UDP_MAX)
        return -EMSGSIZE;
    return udp_autobind(u, s);
}

static struct pkt *send_build(struct udp *u, const struct udp_sock *s, const struct flow *f,
                              const void *data, uint32_t n)
{
    struct pkt *p = pkt_new(&u->env->mem);
    if (p == NULL)
        return NULL;
    if (!pkt_append_copy(p, data, n)) {
        pkt_free(p);
        return NULL;
    }
    struct wire_udp h = {
        .sport = f->lport, .dport = f->rport, .len = (uint16_t)(n + WIRE_UDP_HLEN)};
    p->pay = p->off;
    uint8_t *at = pkt_push(p, WIRE_UDP_HLEN);
    if ((s->flags & UDP_NO_CHECK) == 0 || !addr_is_ip4(&f->remote)) {
        h.csum = csum_half(csum_pseudo(&f->local, &f->remote, PROTO_UDP, h.len));
        p->csum = CSUM_TODO;
        p->csum_start = p->off;
        p->csum_at = UDP_CSUM_AT;
    }
    wire_udp_build(at, &h);
    return p;
}

static int64_t send_result(enum drop why, size_t n)
{
    switch (why) {
    case DROP_FRAG_NEEDED: return -EMSGSIZE;
    case DROP_NOMEM:
    case DROP_NO_BLOCK: return -ENOBUFS;
    case DROP_NIF_DOWN:
    case DROP_IP_NO_ROUTE: return -ENETUNREACH;
    default:
        /* Dropped by a queue below: counted there; the datagram is gone, as it may always be. */
        return (int64_t)n;
    }
}

/* [Linux ip_local_error] Larger than its way takes, and it must not be cut. */
static void too_big(struct udp *u, struct udp_sock *s, const struct flow *f)
{
    bool is_ip4 = addr_is_ip4(&f->remote);
    struct note n = {.dst = f->remote,
                     .port = f->rport,
                     .info = s->dst.mtu,
                     .err = EMSGSIZE,
                     .origin = NOTE_LOCAL};
    if ((s->flags & (is_ip4 ? UDP_RECVERR : UDP_RECVERR6)) != 0)
        note_tell(u, s, &n, NULL, 0);
}

/* Hands it down; tells when, if that was asked for. */
static enum drop send_down(struct udp *u, struct udp_sock *s, const struct ip_meta *m,
                           struct pkt *p, uint32_t stamps)
{
    if (WEIR_LIKELY((stamps & UDP_STAMP_ANY) == 0))
        return ip_output(u->ip, &s->dst, m, p);
    uint32_t key = s->stamp_key++;
    if ((stamps & UDP_STAMP_SND) != 0)
        p->user = stamp_user(u, s, key);
    if ((stamps & UDP_STAMP_SCHED) != 0)
        stamp_tell(u, s, p, key, NOTE_SCHED);
    return ip_output(u->ip, &s->dst, m, p);
}

static int64_t send_one(struct udp *u, struct udp_sock *s, const struct udp_end *to,
                        const struct flow *f, const void *data, size_t n)
{
    struct pkt *p = send_build(u, s, f, data, (uint32_t)n);
    if (p == NULL)
        return send_result(env_drop(u->env, NULL, DROP_NOMEM), n);
    struct ip_meta m = {.src = f->local,
                        .dst = f->remote,
                        .proto = PROTO_UDP,
                        .ttl = to != NULL && to->ttl != 0 ? to->ttl : s->ttl,
                        .tos = to != NULL && to->has_tos ? to->tos : s->tos,
                        .df = (s->flags & UDP_PMTU_DO) != 0 && !s->dst.can_frag};
    env_count(u->env, STAT_UdpOutDatagrams);
    s->n.tx_dgrams++;
    s->n.tx_bytes += n;
    uint32_t stamps = to != NULL && to->has_stamps ? to->stamps : s->stamps;
    int64_t r = send_result(send_down(u, s, &m, p, stamps), n);
    if (r == -EMSGSIZE)
        too_big(u, s, f);
    return r;
}

int64_t udp_send(struct udp *u, struct udp_sock *s, const struct udp_end *to, const void *data,
                 size_t n)
{
    bool is_elsewhere = to != NULL && !to->is_peer;
    int r = send_check(u, s, is_elsewhere ? to : NULL, n);
    if (r == 0)
        r = send_route(u, s, is_elsewhere ? &to->addr : &s->flow.remote, to);
    if (r < 0)
        return r;
    struct flow f = s->flow;
    f.local = s->dst.src;
    if (is_elsewhere) {
        f.remote = to->addr;
        f.rport = to->port;
    }
    int64_t sent = send_one(u, s, to, &f, data, n);
    if (to != NULL && to->has_src)
        s->dst.gen = 0; /* the way of this one only */
    return sent;
}

/* ---- in ---- */

static enum next in_drop(struct udp *u, struct pkt *p, enum drop why)
{
    env_count(u->env, STAT_UdpInErrors);
    p->drop = (uint16_t)why;
    return NEXT_DROP;
}

/* What people are told of the queue; rare, so apart from what every datagram passes. */
static WEIR_APART void queue_full(struct udp *u, struct udp_sock *s, bool is_full)
{
    gauge_full(&s->gauge, u->env->now, is_full);
}

/* Into the socket's queue. DROP_NONE: it is the socket's now. */
static enum drop enqueue(struct udp *u, struct udp_sock *s, struct pkt *p)
{
    if ((s->flags & UDP_RCV_SHUT) != 0)
        return DROP_UDP_SHUT;
    if (s->rx_bytes >= s->rx_limit) {
        s->rx_drops++;
        queue_full(u, s, true);
        env_count(u->env, STAT_UdpRcvbufErrors);
        return DROP_UDP_FULL;
    }
    p->truesize = pkt_truesize(p);
    p->user = s->rx_drops;
    s->rx_bytes += p->truesize;
    gauge_saw(&s->gauge, s->rx_bytes);
    pktq_push(&s->rxq, p);
    s->n.rx_dgrams++;
    s->n.rx_bytes += p->len;
    env_count(u->env, STAT_UdpInDatagrams);
    udp_wake(u, s);
    return DROP_NONE;
}

/* A broadcast: a copy for each socket that matches, the packet itself for the last. */
static enum next deliver_all(struct udp *u, unsigned nif, struct pkt *p)
{
    struct udp_sock *s = udp_find_next(u, &p->flow, nif, NULL);
    if (s == NULL) {
        p->drop = DROP_UDP_NO_PORT;
        return NEXT_DROP;
    }
    for (struct udp_sock *next; s != NULL; s = next) {
        next = udp_find_next(u, &p->flow, nif, s);
        struct pkt *mine = next != NULL ? pkt_copy(&u->env->mem, p) : p;
        enum drop why = mine == NULL ? DROP_NOMEM : enqueue(u, s, mine);
        if (why == DROP_NONE)
            continue;
        if (mine == p)
            return in_drop(u, p, why);
        (void)env_drop(u->env, mine, why);
    }
    return NEXT_DONE;
}

/* Header and checksum. */
static enum drop datagram_check(struct udp *u, struct pkt *p, struct wire_udp *h)
{
    if (p->lin < WIRE_UDP_HLEN)
        return DROP_UDP_SHORT;
    enum drop why = wire_udp_parse(pkt_data(p), p->len, h);
    if (why != DROP_NONE)
        return why;
    if (h->dport == 0)
        return DROP_UDP_PORT_ZERO;
    if (p->csum == CSUM_GOOD || (h->csum == 0 && addr_is_ip4(&p->flow.local)))
        return DROP_NONE;
    /* [RFC 8200 8.1] Over IPv6 a datagram without checksum is discarded. */
    if (h->csum == 0) {
        env_count(u->env, STAT_UdpInCsumErrors);
        return DROP_UDP_CSUM;
    }
    uint32_t sum = csum_pseudo(&p->flow.remote, &p->flow.local, PROTO_UDP, h->len);
    sum = csum_pkt((enum csum_isa)u->env->csum_isa, p, 0, h->len, sum);
    env_count_n(u->env, STAT_SoftCsumBytes, h->len);
    if (csum_fold(sum) == 0)
        return DROP_NONE;
    env_count(u->env, STAT_UdpInCsumErrors);
    return DROP_UDP_CSUM;
}

/* [RFC 1122 4.1.3.1, RFC 4443 3.1] Nobody has the port: the sender is told, with the packet as it
 * came. */
static enum next no_port(struct udp *u, struct pkt *p)
{
    bool is_ip4 = addr_is_ip4(&p->flow.local);
    env_count(u->env, STAT_UdpNoPorts);
    pkt_push(p, (uint32_t)(p->off - p->l3));
    p->drop = DROP_UDP_NO_PORT;
    p->icmp_type = is_ip4 ? ICMP4T_DEST_UNREACH : ICMP6T_DEST_UNREACH;
    p->icmp_code = is_ip4 ? ICMP4C_PORT : ICMP6C_PORT;
    p->icmp_arg = 0;
    return NEXT_ICMP_ERROR;
}

enum next udp_input(struct udp *u, struct nif *nif, struct pkt *p)
{
    struct wire_udp h;
    enum drop why = datagram_check(u, p, &h);
    if (why != DROP_NONE)
        return in_drop(u, p, why);
    p->flow.lport = h.dport;
    p->flow.rport = h.sport;
    bool is_unicast = ip_addr_kind(u->ip, nif, &p->flow.local) == IP_LOCAL;
    struct udp_sock *s = is_unicast ? udp_find(u, &p->flow, nif->id) : NULL;
    if (s == NULL && is_unicast)
        return no_port(u, p);
    if (p->len > h.len)
        pkt_trim(p, h.len);
    pkt_pull(p, WIRE_UDP_HLEN);
    p->pay = p->off;
    if (!is_unicast)
        return deliver_all(u, nif->id, p);
    why = enqueue(u, s, p);
    return why == DROP_NONE ? NEXT_DONE : in_drop(u, p, why);
}

static void from_fill(struct udp_from *from, const struct pkt *p)
{
    *from = (struct udp_from){.addr = p->flow.remote,
                              .local = p->flow.local,
                              .port = p->flow.rport,
                              .nif = (uint8_t)p->nif,
                              .ttl = p->ttl,
                              .tos = p->tos,
                              .full = p->len,
                              .drops = (uint32_t)p->user,
                              .when = p->when};
}

int64_t udp_recv(struct udp *u, struct udp_sock *s, void *to, size_t n, unsigned flags,
                 struct udp_from *from)
{
    if (from != NULL)
        *from = (struct udp_from){0};
    if (s->error != 0)
        return -udp_take_error(u, s);
    struct pkt *p = s->rxq.first;
    if (p == NULL)
        return (s->flags & UDP_RCV_SHUT) != 0 ? 0 : -EAGAIN;
    uint32_t full = p->len;
    uint32_t copied = n > 0 ? pkt_copy_out(p, 0, to, (uint32_t)w_u64_min(n, full)) : 0;
    if (from != NULL)
        from_fill(from, p);
    if ((flags & UDP_MSG_PEEK) == 0) {
        (void)pktq_pop(&s->rxq);
        s->rx_bytes -= p->truesize;
        if (WEIR_UNLIKELY(s->gauge.full_since != 0))
            queue_full(u, s, false);
        pkt_free(p);
    }
    return (flags & UDP_MSG_TRUNC) != 0 ? full : copied;
}

/* ---- errors ---- */

/* [Linux IP_RECVERR] Whole, with what the message quotes of the datagram. */
static void error_tell(struct udp *u, struct udp_sock *s, const struct icmp_err *err)
{
    struct note n = {.when = u->env->now,
                     .dst = err->flow.remote,
                     .from = err->reporter,
                     .port = err->flow.rport,
                     .info = err->mtu,
                     .err = (uint16_t)err->error,
                     .origin = addr_is_ip4(&err->flow.remote) ? NOTE_ICMP : NOTE_ICMP6,
                     .type = err->type,
                     .code = err->code,
                     .nif = err->nif};
    note_tell(u, s, &n, err->quote, err->quote_at + WIRE_UDP_HLEN);
}

void udp_error(struct udp *u, const struct icmp_err *err)
{
    struct udp_sock *s = udp_find(u, &err->flow, err->nif);
    if (s == NULL)
        s = udp_find(u, &err->flow, 0);
    if (s == NULL) {
        u->env->drops[DROP_ICMP_STALE]++;
        return;
    }
    bool is_mtu = err->error == EMSGSIZE;
    bool is_queued =
        (s->flags & (addr_is_ip4(&err->flow.remote) ? UDP_RECVERR : UDP_RECVERR6)) != 0;
    if (is_mtu)
        (void)ip_pmtu_update(u->ip, &err->flow.remote, err->mtu, err->sent);
    if (is_queued)
        error_tell(u, s, err);
    else if ((s->flags & UDP_CONNECTED) == 0)
        return;
    /* What may pass by itself is not an error to a program that did not ask [RFC 1122 4.1.3.3], but
     * what our own link says is. */
    bool is_told = is_mtu ? (s->flags & UDP_PMTU_DO) != 0 : err->is_hard || err->is_local;
    if (!is_told && !is_queued)
        return;
    s->error = err->error;
    udp_wake(u, s);
}
