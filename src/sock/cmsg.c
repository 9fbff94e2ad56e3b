/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages: what stands beside the bytes of sendmsg and recvmsg, as control data in Linux's layout
 * (cmsg(3), ip(7), ipv6(7), socket(7)), and the error queue.
 *
 * Decides: which control messages a datagram or a note comes with, in which order, cut where there
 * is no room (MSG_CTRUNC); what those that are sent mean.
 * Owns nothing. Called by stack/; calls data.c's neighbours tcp/ and udp/.
 *
 * Layout: a header of 16 bytes (length with header, level, type), the data, padded to 8. Numbers
 * are in the order of this machine, addresses and ports in the network's, as in Linux's structs.
 */
#include "sock/sock.h"

#include <errno.h>

enum { HEAD = 16 };
enum { MSG_CTRUNC_ = 0x8, MSG_TRUNC_ = 0x20, MSG_ERRQUEUE_ = 0x2000 };

struct control {
    uint8_t *at;
    size_t room, used;
    bool is_cut;
};

/* [Linux put_cmsg] */
static void put(struct control *c, int level, int type, const void *data, size_t n)
{
    size_t left = c->room - c->used;
    struct {
        uint64_t len;
        int32_t level, type;
    } h = {HEAD + n, level, type};
    _Static_assert(sizeof(h) == HEAD, "struct cmsghdr");
    if (left < HEAD) {
        c->is_cut = true;
        return;
    }
    if (left < h.len) {
        c->is_cut = true;
        h.len = left;
    }
    memcpy(c->at + c->used, &h, HEAD);
    memcpy(c->at + c->used + HEAD, data, (size_t)h.len - HEAD);
    size_t space = (HEAD + n + 7) & ~(size_t)7;
    c->used += space < left ? space : left;
}

static void put_int(struct control *c, int level, int type, int32_t v)
{
    put(c, level, type, &v, sizeof(v));
}

/* ---- time ---- */

static void put_stamp(struct socks *ss, const struct sock *s, struct control *c, w_ns when,
                      bool is_note)
{
    const uint32_t soft = is_note ? SOCK_STAMP_SOFTWARE : SOCK_STAMP_SOFTWARE | SOCK_STAMP_RX;
    uint64_t real = when + (uint64_t)ss->env->real_ns;
    int64_t t[6] = {(int64_t)(real / W_S), (int64_t)(real % W_S)};
    int64_t us[2] = {t[0], t[1] / 1000};
    if ((s->want & WANT_STAMP_NS) != 0)
        put(c, L_SOCKET, (s->want & WANT_STAMP_NEW) != 0 ? SO_TIMESTAMPNS_NEW : SO_TIMESTAMPNS, t,
            2 * sizeof(t[0]));
    else if ((s->want & WANT_STAMP) != 0)
        put(c, L_SOCKET, (s->want & WANT_STAMP_NEW) != 0 ? SO_TIMESTAMP_NEW : SO_TIMESTAMP, us,
            sizeof(us));
    if ((s->stamps & soft) == soft)
        put(c, L_SOCKET, (s->want & WANT_STAMPING_NEW) != 0 ? SO_TIMESTAMPING_NEW : SO_TIMESTAMPING,
            t, sizeof(t));
}

/* ---- what came with a datagram ---- */

static uint32_t ip4_of(const struct addr *a)
{
    uint32_t v;
    memcpy(&v, a->b + 12, 4);
    return v;
}

static void put_ip4_info(const struct sock *s, struct control *c, const struct addr *local,
                         unsigned nif)
{
    struct {
        int32_t ifindex;
        uint32_t spec_dst, addr;
    } v = {(int32_t)nif, ip4_of(local), ip4_of(local)};
    if ((s->want & WANT_PKTINFO) != 0)
        put(c, L_IP, 8, &v, sizeof(v));
}

static void put_ip6_info(const struct sock *s, struct control *c, const struct addr *local,
                         unsigned nif)
{
    struct {
        uint8_t addr[16];
        uint32_t ifindex;
    } v = {.ifindex = nif};
    memcpy(v.addr, local->b, sizeof(v.addr));
    if ((s->want & WANT_PKTINFO6) != 0)
        put(c, L_IPV6, 50, &v, sizeof(v));
}

/* [Linux udp_recvmsg, ip_cmsg_recv, ip6_datagram_recv_ctl] */
static void put_from(struct socks *ss, const struct sock *s, struct control *c,
                     const struct udp_from *f)
{
    bool is_ip4 = addr_is_ip4(&f->addr);
    if (f->when != 0 && (s->want & (WANT_STAMP | WANT_STAMP_NS)) + s->stamps != 0)
        put_stamp(ss, s, c, f->when, false);
    if ((s->want & WANT_OVERFLOW) != 0 && f->drops != 0)
        put(c, L_SOCKET, 40, &f->drops, sizeof(f->drops));
    if (s->family == WEIR_INET6)
        put_ip6_info(s, c, &f->local, f->nif);
    if (is_ip4) {
        put_ip4_info(s, c, &f->local, f->nif);
        if ((s->want & WANT_TTL) != 0)
            put_int(c, L_IP, 2, f->ttl);
        if ((s->want & WANT_TOS) != 0)
            put(c, L_IP, 1, &f->tos, 1);
        return;
    }
    if ((s->want & WANT_HOPLIMIT) != 0)
        put_int(c, L_IPV6, 52, f->ttl);
    if ((s->want & WANT_TCLASS) != 0)
        put_int(c, L_IPV6, 67, f->tos);
}

/* ---- the error queue ---- */

/* struct sockaddr_in or sockaddr_in6, by the socket's family; its length. */
static size_t put_sockaddr(const struct sock *s, const struct addr *a, unsigned nif,
                           uint8_t out[28])
{
    uint16_t family = s->family == WEIR_INET ? 2 : 10;
    uint32_t scope = addr_is_link_local6(a) ? nif : 0;
    memset(out, 0, 28);
    memcpy(out, &family, sizeof(family));
    if (s->family == WEIR_INET) {
        memcpy(out + 4, a->b + 12, 4);
        return 16;
    }
    memcpy(out + 8, a->b, 16);
    memcpy(out + 24, &scope, sizeof(scope));
    return 28;
}

/* [Linux ip_recv_error, ipv6_recv_error] struct sock_extended_err and who reports it. */
static void put_error(const struct sock *s, struct control *c, const struct note *n)
{
    uint8_t v[16 + 28] = {0};
    size_t len = 16 + (s->family == WEIR_INET ? 16u : 28u);
    uint32_t err = n->err;
    memcpy(v, &err, 4);
    v[4] = n->origin;
    v[5] = n->type;
    v[6] = n->code;
    memcpy(v + 8, &n->info, 4);
    memcpy(v + 12, &n->data, 4);
    if (note_is_icmp(n))
        (void)put_sockaddr(s, &n->from, n->nif, v + 16);
    bool is_stamp = n->origin == NOTE_STAMP && (s->stamps & SOCK_STAMP_CMSG) != 0;
    if (is_stamp && s->family == WEIR_INET6)
        put_ip6_info(s, c, &n->from, n->nif);
    if (is_stamp && addr_is_ip4(&n->from))
        put_ip4_info(s, c, &n->from, n->nif);
    if (s->family == WEIR_INET)
        put(c, L_IP, 11, v, len);
    else
        put(c, L_IPV6, 25, v, len);
}

static int64_t recv_note(struct socks *ss, struct sock *s, struct weir_msghdr *m)
{
    struct note note;
    uint32_t full;
    bool is_some = s->type == WEIR_STREAM
                       ? tcp_take_note(ss->tcp, sock_tcb(ss, s), &note, m->buf, m->len, &full)
                       : udp_take_note(ss->udp, sock_udp(ss, s), &note, m->buf, m->len, &full);
    if (!is_some)
        return -EAGAIN;
    struct control c = {.at = m->control, .room = m->control_len};
    if (note.when != 0)
        put_stamp(ss, s, &c, note.when, true);
    m->has_name = note_is_icmp(&note) || note.origin == NOTE_LOCAL;
    if (m->has_name)
        sock_addr_out(s, &note.dst, note.port, note.nif, &m->name);
    put_error(s, &c, &note);
    m->control_len = c.used;
    m->flags = MSG_ERRQUEUE_ | (full > m->len ? MSG_TRUNC_ : 0u) | (c.is_cut ? MSG_CTRUNC_ : 0u);
    return (int64_t)w_u64_min(m->len, full);
}

/* ---- receiving ---- */

static int64_t recv_dgram(struct socks *ss, struct sock *s, struct weir_msghdr *m, unsigned flags)
{
    struct udp_from f;
    flags &= WEIR_MSG_PEEK | WEIR_MSG_TRUNC;
    int64_t r = udp_recv(ss->udp, sock_udp(ss, s), m->buf, m->len, flags, &f);
    if (r < 0)
        return r;
    struct control c = {.at = m->control, .room = m->control_len};
    bool is_some = f.port != 0 || f.full != 0 || f.when != 0;
    m->has_name = is_some;
    sock_addr_out(s, &f.addr, f.port, f.nif, &m->name);
    if (is_some)
        put_from(ss, s, &c, &f);
    m->control_len = c.used;
    m->flags = (f.full > m->len ? MSG_TRUNC_ : 0u) | (c.is_cut ? MSG_CTRUNC_ : 0u);
    return r;
}

static int64_t recv_stream(struct socks *ss, struct sock *s, struct weir_msghdr *m, unsigned flags)
{
    struct tcb *t = sock_tcb(ss, s);
    bool wants = (s->want & (WANT_STAMP | WANT_STAMP_NS)) + s->stamps != 0;
    w_ns when = wants && (flags & WEIR_MSG_OOB) == 0 ? tcp_recv_when(t, m->len) : 0;
    struct control c = {.at = m->control, .room = m->control_len};
    int64_t r = sock_recv(ss, s, m->buf, m->len, flags, NULL);
    if (r < 0)
        return r;
    if (r > 0 && when != 0)
        put_stamp(ss, s, &c, when, false);
    if ((s->want & WANT_INQ) != 0)
        put_int(&c, L_TCP, SOPT_TCP_INQ, (int32_t)tcp_inq_or_end(ss->tcp, t));
    m->has_name = false;
    m->control_len = c.used;
    m->flags = ((flags & WEIR_MSG_OOB) != 0 ? WEIR_MSG_OOB : 0u) | (c.is_cut ? MSG_CTRUNC_ : 0u);
    return r;
}

int64_t sock_recvmsg(struct socks *ss, struct sock *s, struct weir_msghdr *m, unsigned flags)
{
    unsigned known = WEIR_MSG_OOB | WEIR_MSG_PEEK | WEIR_MSG_TRUNC | WEIR_MSG_DONTWAIT |
                     WEIR_MSG_WAITALL | WEIR_MSG_NOSIGNAL;
    m->flags = 0;
    if ((flags & WEIR_MSG_ERRQUEUE) != 0)
        return recv_note(ss, s, m);
    if (s->type == WEIR_STREAM)
        return recv_stream(ss, s, m, flags);
    if ((flags & (~known | WEIR_MSG_OOB)) != 0)
        return sock_recv(ss, s, m->buf, m->len, flags, NULL); /* which says no */
    return recv_dgram(ss, s, m, flags);
}

/* ---- sending ---- */

/* One control message: its data, n bytes of them. */
struct item {
    int32_t level, type;
    const uint8_t *data;
    size_t n;
};

static int item_int(const struct item *it, bool may_be_byte, int64_t min, int64_t max, int *out)
{
    int32_t v = 0;
    if (it->n == sizeof(v))
        memcpy(&v, it->data, sizeof(v));
    else if (may_be_byte && it->n == 1)
        v = it->data[0];
    else
        return -EINVAL;
    *out = v;
    return v < min || v > max ? -EINVAL : 0;
}

static int item_info(const struct item *it, struct udp_end *to)
{
    struct addr src;
    uint32_t ifindex = 0;
    if (it->level == L_IP && it->n == 12) {
        uint32_t ip4;
        memcpy(&ifindex, it->data, 4);
        memcpy(&ip4, it->data + 4, 4);
        src = addr_ip4(__builtin_bswap32(ip4));
        to->has_src = ip4 != 0;
    } else if (it->level == L_IPV6 && it->n == 20) {
        memcpy(src.b, it->data, 16);
        memcpy(&ifindex, it->data + 16, 4);
        to->has_src = !addr_is_any(&src);
    } else {
        return -EINVAL;
    }
    if (ifindex > LINK_NIFS)
        return -ENODEV;
    to->src = src;
    to->nif = (uint8_t)ifindex;
    return 0;
}

/* [Linux ip_cmsg_send, ip6_datagram_send_ctl, __sock_cmsg_send] What a socket's family does not
 * know is passed over, as there, but for level SOL_SOCKET. */
static int item_read(struct socks *ss, struct sock *s, const struct item *it, struct udp_end *to)
{
    int v = 0, r = 0;
    if (it->level == L_SOCKET && (it->type == SO_TIMESTAMPING || it->type == SO_TIMESTAMPING_NEW)) {
        r = item_int(it, false, INT32_MIN, INT32_MAX, &v);
        if (r < 0 || (v & ~(int)SOCK_STAMP_RECORD) != 0)
            return -EINVAL;
        to->has_stamps = true;
        to->stamps = (uint32_t)v;
        return 0;
    }
    bool is_ip6 = s->family == WEIR_INET6;
    if (it->level != L_SOCKET &&
        (s->type == WEIR_STREAM || it->level != (is_ip6 ? L_IPV6 : L_IP)) &&
        !(is_ip6 && s->type == WEIR_DGRAM && it->level == L_IP))
        return 0;
    if ((it->level == L_IP && it->type == 8) || (it->level == L_IPV6 && it->type == 50))
        return item_info(it, to);
    if ((it->level == L_IP && it->type == 2) || (it->level == L_IPV6 && it->type == 52)) {
        r = item_int(it, false, it->level == L_IP ? 1 : -1, 255, &v);
        to->ttl = (uint8_t)(v < 0 ? 0 : v);
        return r;
    }
    if ((it->level == L_IP && it->type == 1) || (it->level == L_IPV6 && it->type == 67)) {
        r = item_int(it, it->level == L_IP, it->level == L_IP ? 0 : -1, 255, &v);
        to->has_tos = v >= 0;
        to->tos = (uint8_t)v;
        return r;
    }
    env_count(ss->env, STAT_OptRefused);
    return -EINVAL;
}

static int items_read(struct socks *ss, struct sock *s, const struct weir_msghdr *m,
                      struct udp_end *to)
{
    const uint8_t *b = m->control;
    for (size_t at = 0; at + HEAD <= m->control_len;) {
        uint64_t len;
        struct item it = {.data = b + at + HEAD};
        memcpy(&len, b + at, 8);
        memcpy(&it.level, b + at + 8, 4);
        memcpy(&it.type, b + at + 12, 4);
        if (len < HEAD || len > m->control_len - at)
            return -EINVAL;
        it.n = (size_t)len - HEAD;
        int r = item_read(ss, s, &it, to);
        if (r < 0)
            return r;
        at += ((size_t)len + 7) & ~(size_t)7;
    }
    return 0;
}

int64_t sock_sendmsg(struct socks *ss, struct sock *s, const struct weir_msghdr *m, unsigned flags)
{
    struct udp_end end = {.is_peer = !m->has_name};
    const struct weir_addr *to = m->has_name ? &m->name : NULL;
    int r = m->control_len == 0 ? 0 : items_read(ss, s, m, &end);
    if (r == 0 && s->type == WEIR_DGRAM) {
        r = sock_dgram_flags(ss, s, flags);
        if (r == 0 && to != NULL)
            r = sock_dgram_to(s, to, &end);
        return r < 0 ? r : udp_send(ss->udp, sock_udp(ss, s), &end, m->buf, m->len);
    }
    if (r < 0)
        return r;
    if (end.has_stamps)
        tcp_stamp_once(ss->tcp, sock_tcb(ss, s), true, end.stamps);
    int64_t sent = sock_send(ss, s, m->buf, m->len, flags, to);
    if (end.has_stamps)
        tcp_stamp_once(ss->tcp, sock_tcb(ss, s), false, 0);
    return sent;
}
