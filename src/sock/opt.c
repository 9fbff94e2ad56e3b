/* SPDX-License-Identifier: Apache-2.0
 *
 * Socket options: one table ⟨level, name⟩ → what kind of value, who keeps it.
 *
 * Nothing pretends: an option that is not in the table answers ENOPROTOOPT and is counted. An
 * option that Linux accepts and that has no effect on a host like ours (priority, mark) is kept and
 * read back, and its row says so.
 *
 * Levels and names are Linux's numbers. Values are ints unless a row says otherwise; shorter ones
 * are refused with EINVAL, as Linux does.
 *
 * Called by stack/; calls tcp/ and udp/ for the options that are theirs.
 */
#include "sock/sock.h"

#include "cc/cc.h"

#include <errno.h>

enum opt_kind {
    OPT_FLAG,      /* a bit of sock.flags: arg */
    OPT_TCP,       /* TCP's own: arg is its enum tcp_opt */
    OPT_BUF,       /* buffer size: stored twice what was asked; arg 0 send, 1 receive */
    OPT_KEEPALIVE, /* stream: TCP's; datagram: kept for nothing, as in Linux */
    OPT_LINGER,
    OPT_ERROR,
    OPT_ACCEPTCONN,
    OPT_BROADCAST,
    OPT_TOS,
    OPT_TTL,
    OPT_PMTUDISC,
    OPT_RECVERR,
    OPT_MTU,
    OPT_PRIORITY, /* kept, read back: there is one queue per interface */
    OPT_MARK,     /* kept, read back: no policy routing */
    OPT_CONGESTION,
    OPT_INFO,
    OPT_CC_INFO,
    OPT_FASTOPEN_KEY,
    OPT_SAVED_SYN, /* headers of the SYN, once; cannot be set */
    OPT_COOKIE,
    OPT_ONE, /* always reads as 1; cannot be set */
    OPT_RCVLOWAT,
    OPT_NOCHECK,
    OPT_WANT,     /* a bit of sock.want: arg */
    OPT_STAMP,    /* SO_TIMESTAMP and its kin: one at a time; arg: enum sock_want */
    OPT_STAMPING, /* arg: WANT_STAMPING_NEW or 0 */
    OPT_ZEROCOPY,
    OPT_INCOMING_CPU, /* kept, read back: a stack belongs to one thread */
    OPT_NAPI_ID,      /* always reads as 0, no device queue is known; cannot be set */
    OPT_MAX_PACING,   /* unsigned, of 4 or 8 bytes; all ones: no limit */
};

struct opt {
    int level, name;
    enum opt_kind kind;
    int arg;
};

static const struct opt opts[] = {
    {L_SOCKET, 2, OPT_FLAG, SOCK_REUSEADDR},
    {L_SOCKET, 4, OPT_ERROR, 0},
    {L_SOCKET, 6, OPT_BROADCAST, 0},
    {L_SOCKET, 7, OPT_BUF, 0},
    {L_SOCKET, 8, OPT_BUF, 1},
    {L_SOCKET, 9, OPT_KEEPALIVE, 0},
    {L_SOCKET, 10, OPT_TCP, TOPT_OOBINLINE},
    {L_SOCKET, 11, OPT_NOCHECK, 0},
    {L_SOCKET, 12, OPT_PRIORITY, 0},
    {L_SOCKET, 13, OPT_LINGER, 0},
    {L_SOCKET, 15, OPT_FLAG, SOCK_REUSEPORT},
    {L_SOCKET, 18, OPT_RCVLOWAT, 0},
    {L_SOCKET, 19, OPT_ONE, 0},
    {L_SOCKET, SO_TIMESTAMP, OPT_STAMP, WANT_STAMP},
    {L_SOCKET, SO_TIMESTAMPNS, OPT_STAMP, WANT_STAMP_NS},
    {L_SOCKET, SO_TIMESTAMPING, OPT_STAMPING, 0},
    {L_SOCKET, SO_TIMESTAMP_NEW, OPT_STAMP, WANT_STAMP | WANT_STAMP_NEW},
    {L_SOCKET, SO_TIMESTAMPNS_NEW, OPT_STAMP, WANT_STAMP_NS | WANT_STAMP_NEW},
    {L_SOCKET, SO_TIMESTAMPING_NEW, OPT_STAMPING, WANT_STAMPING_NEW},
    {L_SOCKET, 30, OPT_ACCEPTCONN, 0},
    {L_SOCKET, 36, OPT_MARK, 0},
    {L_SOCKET, 40, OPT_WANT, WANT_OVERFLOW},
    {L_SOCKET, 45, OPT_WANT, WANT_ERR_PRI},
    {L_SOCKET, 49, OPT_INCOMING_CPU, 0},
    {L_SOCKET, 56, OPT_NAPI_ID, 0},
    {L_SOCKET, 60, OPT_ZEROCOPY, 0},
    {L_SOCKET, 47, OPT_MAX_PACING, 0},
    {L_SOCKET, 57, OPT_COOKIE, 0},
    {L_IP, 1, OPT_TOS, 0},
    {L_IP, 2, OPT_TTL, 0},
    {L_IP, 8, OPT_WANT, WANT_PKTINFO},
    {L_IP, 10, OPT_PMTUDISC, 0},
    {L_IP, 11, OPT_RECVERR, SOCK_RECVERR},
    {L_IP, 12, OPT_WANT, WANT_TTL},
    {L_IP, 13, OPT_WANT, WANT_TOS},
    {L_IP, 14, OPT_MTU, 0},
    {L_IP, 15, OPT_FLAG, SOCK_FREEBIND},
    {L_IP, 24, OPT_FLAG, SOCK_BIND_LATE},
    {L_IPV6, 16, OPT_TTL, 0},
    {L_IPV6, 23, OPT_PMTUDISC, 0},
    {L_IPV6, 24, OPT_MTU, 0},
    {L_IPV6, 25, OPT_RECVERR, 0},
    {L_IPV6, 26, OPT_FLAG, SOCK_V6ONLY},
    {L_IPV6, 49, OPT_WANT, WANT_PKTINFO6},
    {L_IPV6, 51, OPT_WANT, WANT_HOPLIMIT},
    {L_IPV6, 66, OPT_WANT, WANT_TCLASS},
    {L_IPV6, 67, OPT_TOS, 0},
    {L_TCP, TOPT_NODELAY, OPT_TCP, TOPT_NODELAY},
    {L_TCP, TOPT_MAXSEG, OPT_TCP, TOPT_MAXSEG},
    {L_TCP, TOPT_CORK, OPT_TCP, TOPT_CORK},
    {L_TCP, TOPT_KEEPIDLE_S, OPT_TCP, TOPT_KEEPIDLE_S},
    {L_TCP, TOPT_KEEPINTVL_S, OPT_TCP, TOPT_KEEPINTVL_S},
    {L_TCP, TOPT_KEEPCNT, OPT_TCP, TOPT_KEEPCNT},
    {L_TCP, TOPT_SYNCNT, OPT_TCP, TOPT_SYNCNT},
    {L_TCP, TOPT_LINGER2_S, OPT_TCP, TOPT_LINGER2_S},
    {L_TCP, TOPT_DEFER_ACCEPT_S, OPT_TCP, TOPT_DEFER_ACCEPT_S},
    {L_TCP, TOPT_WINDOW_CLAMP, OPT_TCP, TOPT_WINDOW_CLAMP},
    {L_TCP, 11, OPT_INFO, 0},
    {L_TCP, TOPT_QUICKACK, OPT_TCP, TOPT_QUICKACK},
    {L_TCP, 13, OPT_CONGESTION, 0},
    {L_TCP, TOPT_USER_TIMEOUT_MS, OPT_TCP, TOPT_USER_TIMEOUT_MS},
    {L_TCP, TOPT_FASTOPEN, OPT_TCP, TOPT_FASTOPEN},
    {L_TCP, TOPT_NOTSENT_LOWAT, OPT_TCP, TOPT_NOTSENT_LOWAT},
    {L_TCP, TOPT_SAVE_SYN, OPT_TCP, TOPT_SAVE_SYN},
    {L_TCP, 28, OPT_SAVED_SYN, 0},
    {L_TCP, 26, OPT_CC_INFO, 0},
    {L_TCP, TOPT_FASTOPEN_CONNECT, OPT_TCP, TOPT_FASTOPEN_CONNECT},
    {L_TCP, 33, OPT_FASTOPEN_KEY, 0},
    {L_TCP, SOPT_TCP_INQ, OPT_WANT, WANT_INQ},
    {L_TCP, TOPT_FASTOPEN_NO_COOKIE, OPT_TCP, TOPT_FASTOPEN_NO_COOKIE},
};

static const struct opt *opt_find(const struct sock *s, int level, int name)
{
    for (size_t i = 0; i < WEIR_COUNT(opts); i++) {
        const struct opt *o = &opts[i];
        if (o->level != level || o->name != name)
            continue;
        /* An IPv6 socket has IPv4's options too, as in Linux; an IPv4 socket not IPv6's. */
        bool is_tcp_only = o->level == L_TCP || o->kind == OPT_TCP || o->kind == OPT_MAX_PACING;
        bool is_foreign = o->level == L_IPV6 && s->family != WEIR_INET6;
        return is_foreign || (is_tcp_only && s->type != WEIR_STREAM) ? NULL : o;
    }
    return NULL;
}

static int opt_refused(struct socks *ss)
{
    env_count(ss->env, STAT_OptRefused);
    return -ENOPROTOOPT;
}

/* Linux doubles what is asked for, to cover overhead, and bounds it on both sides. */
static int buf_set(struct socks *ss, struct sock *s, int is_rcv, int v)
{
    const struct weir_conf *c = &ss->env->conf;
    uint32_t max = is_rcv ? c->rmem_max : c->wmem_max;
    uint32_t want = w_u32_min(v < 0 ? max : (uint32_t)v, max) * 2;
    want = w_u32_max(want, is_rcv ? 2304 : 4608);
    if (s->type == WEIR_STREAM)
        return tcp_opt_set(ss->tcp, sock_tcb(ss, s), is_rcv ? TOPT_RCVBUF : TOPT_SNDBUF, want);
    if (is_rcv)
        sock_udp(ss, s)->rx_limit = want;
    return 0; /* a datagram leaves at once: its send buffer has no effect */
}

static int linger_set(struct socks *ss, struct sock *s, const void *val, size_t n)
{
    int v[2];
    if (n < sizeof(v))
        return -EINVAL;
    memcpy(v, val, sizeof(v));
    if (s->type != WEIR_STREAM)
        return 0;
    int seconds = v[1] < 0 ? INT32_MAX : v[1]; /* unsigned in Linux */
    return tcp_opt_set(ss->tcp, sock_tcb(ss, s), TOPT_LINGER_S, v[0] == 0 ? -1 : seconds);
}

/* [Linux SO_MAX_PACING_RATE] Bytes a second; an unsigned int, or a long. */
static int max_pacing_set(struct socks *ss, struct sock *s, const void *val, size_t n)
{
    uint64_t rate = 0;
    uint32_t rate32;
    if (n < sizeof(rate32))
        return -EINVAL;
    memcpy(&rate32, val, sizeof(rate32));
    rate = rate32 != UINT32_MAX ? rate32 : UINT64_MAX;
    if (n >= sizeof(rate))
        memcpy(&rate, val, sizeof(rate));
    int64_t v = rate > INT64_MAX ? -1 : (int64_t)rate;
    return tcp_opt_set(ss->tcp, sock_tcb(ss, s), TOPT_MAX_PACING_BPS, v);
}

static void flag_put(uint16_t *flags, unsigned bit, bool is_on)
{
    *flags = (uint16_t)(is_on ? *flags | bit : *flags & ~bit);
}

static void udp_flag_put(struct socks *ss, struct sock *s, uint32_t bit, bool is_on)
{
    if (s->type != WEIR_DGRAM)
        return;
    struct udp_sock *u = sock_udp(ss, s);
    u->flags = is_on ? u->flags | bit : u->flags & ~bit;
}

/* Whether the socket has its local port already. */
static bool is_named(const struct socks *ss, const struct sock *s)
{
    if (s->type == WEIR_DGRAM)
        return (sock_udp(ss, s)->flags & UDP_BOUND) != 0;
    return (s->flags & SOCK_BOUND) != 0 || tcp_state(sock_tcb(ss, s)) != TCPS_CLOSED;
}

static int flag_set(struct socks *ss, struct sock *s, int bit, bool is_on)
{
    /* [RFC 3493 5.3, Linux] Which families a port is taken for is decided before it is taken. */
    if (bit == SOCK_V6ONLY && is_named(ss, s))
        return -EINVAL;
    flag_put(&s->flags, (unsigned)bit, is_on);
    if (bit == SOCK_REUSEADDR)
        udp_flag_put(ss, s, UDP_REUSEADDR, is_on);
    if (bit != SOCK_REUSEPORT && bit != SOCK_V6ONLY)
        return 0;
    udp_flag_put(ss, s, bit == SOCK_REUSEPORT ? UDP_REUSEPORT : UDP_IP6_ONLY, is_on);
    if (s->type != WEIR_STREAM)
        return 0;
    int name = bit == SOCK_REUSEPORT ? TOPT_REUSEPORT : TOPT_V6ONLY;
    return tcp_opt_set(ss->tcp, sock_tcb(ss, s), name, is_on);
}

static int ip_opt_set(struct socks *ss, struct sock *s, enum opt_kind kind, int v)
{
    bool is_ttl = kind == OPT_TTL;
    if (v == -1)
        v = 0; /* the default */
    else if (v < is_ttl || v > 255)
        return -EINVAL;
    if (s->type == WEIR_STREAM)
        return tcp_opt_set(ss->tcp, sock_tcb(ss, s), is_ttl ? TOPT_TTL : TOPT_TOS, v);
    struct udp_sock *u = sock_udp(ss, s);
    *(is_ttl ? &u->ttl : &u->tos) = (uint8_t)v;
    return 0;
}

static int pmtudisc_set(struct socks *ss, struct sock *s, int v)
{
    if (v < 0 || v > 5)
        return -EINVAL;
    /* IP_PMTUDISC_INTERFACE and _OMIT are about packets larger than the interface's MTU. */
    if (v > 3)
        return opt_refused(ss);
    s->pmtudisc = (uint8_t)v;
    udp_flag_put(ss, s, UDP_PMTU_DO, v == 2);
    if (s->type != WEIR_STREAM)
        return 0;
    return tcp_opt_set(ss->tcp, sock_tcb(ss, s), TOPT_MAY_FRAG, v == 0);
}

/* ---- what is to be told ---- */

static int recverr_set(struct socks *ss, struct sock *s, bool is_ip6, bool is_on)
{
    int r = s->type == WEIR_STREAM ? tcp_opt_set(ss->tcp, sock_tcb(ss, s),
                                                 is_ip6 ? TOPT_RECVERR6 : TOPT_RECVERR, is_on)
                                   : 0;
    if (r < 0)
        return r;
    if (is_ip6)
        flag_put(&s->want, WANT_RECVERR6, is_on);
    else
        flag_put(&s->flags, SOCK_RECVERR, is_on);
    udp_flag_put(ss, s, is_ip6 ? UDP_RECVERR6 : UDP_RECVERR, is_on);
    if (!is_on && s->type == WEIR_DGRAM)
        note_free_all(&sock_udp(ss, s)->errq); /* [Linux] who does not ask any more has no queue */
    return 0;
}

/* [Linux sock_set_timestamp] One of the four; off: none. */
static void stamp_set(struct sock *s, unsigned kind, bool is_on)
{
    flag_put(&s->want, WANT_STAMP | WANT_STAMP_NS | WANT_STAMP_NEW, false);
    if (is_on)
        flag_put(&s->want, kind, true);
}

/* [Linux sock_set_timestamping] Stamps of hardware may be asked for, and there are none. What is
 * refused is what an older kernel does not know: OPT_STATS, OPT_PKTINFO, BIND_PHC and later. */
static int stamping_set(struct socks *ss, struct sock *s, unsigned is_new, uint32_t v)
{
    const uint32_t id = UDP_STAMP_ID, id_tcp = TCP_STAMP_ID_TCP;
    if ((v & ~(uint32_t)SOCK_STAMP_KNOWN) != 0) {
        env_count(ss->env, STAT_OptRefused);
        return -EINVAL;
    }
    if ((v & (id | id_tcp)) == id_tcp)
        return -EINVAL;
    if (s->type == WEIR_STREAM) {
        int r = tcp_opt_set(ss->tcp, sock_tcb(ss, s), TOPT_STAMPS, v);
        if (r < 0)
            return r;
    } else {
        struct udp_sock *u = sock_udp(ss, s);
        u->stamp_key = (v & ~s->stamps & id) != 0 ? 0 : u->stamp_key;
        u->stamps = v;
    }
    flag_put(&s->want, WANT_STAMPING_NEW, is_new != 0);
    s->stamps = v;
    return 0;
}

/* [Linux sk_setsockopt] Only a stream's sends are told of here: a datagram leaves at once. */
static int zerocopy_set(struct socks *ss, struct sock *s, int v)
{
    if (v < 0 || v > 1)
        return -EINVAL;
    if (s->type != WEIR_STREAM)
        return opt_refused(ss);
    int r = tcp_opt_set(ss->tcp, sock_tcb(ss, s), TOPT_ZEROCOPY, v);
    if (r == 0)
        flag_put(&s->want, WANT_ZEROCOPY, v != 0);
    return r;
}

void sock_inherit(struct socks *ss, const struct sock *s, struct sock *child)
{
    struct tcb *t = sock_tcb(ss, child);
    int r = 0;
    if (s->stamps != 0)
        r = tcp_opt_set(ss->tcp, t, TOPT_STAMPS, s->stamps);
    if ((s->want & WANT_ZEROCOPY) != 0)
        r |= tcp_opt_set(ss->tcp, t, TOPT_ZEROCOPY, 1);
    if ((s->flags & SOCK_RECVERR) != 0)
        r |= recverr_set(ss, child, false, true);
    if ((s->want & WANT_RECVERR6) != 0)
        r |= recverr_set(ss, child, true, true);
    if (r != 0)
        env_count(ss->env, STAT_ErrQueueDrops);
}

static int int_set(struct socks *ss, struct sock *s, const struct opt *o, int v)
{
    switch (o->kind) {
    case OPT_FLAG: return flag_set(ss, s, o->arg, v != 0);
    case OPT_RECVERR: return recverr_set(ss, s, o->arg == 0, v != 0);
    case OPT_WANT:
        if (o->arg == WANT_INQ && (unsigned)v > 1) /* as Linux */
            return -EINVAL;
        flag_put(&s->want, (unsigned)o->arg, v != 0);
        return 0;
    case OPT_STAMP: stamp_set(s, (unsigned)o->arg, v != 0); return 0;
    case OPT_STAMPING: return stamping_set(ss, s, (unsigned)o->arg, (uint32_t)v);
    case OPT_ZEROCOPY: return zerocopy_set(ss, s, v);
    case OPT_INCOMING_CPU: s->cpu = (int16_t)v; return 0;
    case OPT_TCP: return tcp_opt_set(ss->tcp, sock_tcb(ss, s), o->arg, v);
    case OPT_BUF: return buf_set(ss, s, o->arg, v);
    case OPT_KEEPALIVE:
        return s->type == WEIR_STREAM
                   ? tcp_opt_set(ss->tcp, sock_tcb(ss, s), TOPT_KEEPALIVE, v != 0)
                   : 0;
    case OPT_RCVLOWAT:
        s->rcvlowat = v < 0 ? INT32_MAX : v > 0 ? (uint32_t)v : 1;
        return s->type == WEIR_STREAM
                   ? tcp_opt_set(ss->tcp, sock_tcb(ss, s), TOPT_RCVLOWAT, s->rcvlowat)
                   : 0;
    case OPT_BROADCAST: udp_flag_put(ss, s, UDP_BROADCAST, v != 0); return 0;
    case OPT_NOCHECK: udp_flag_put(ss, s, UDP_NO_CHECK, v != 0); return 0;
    case OPT_TOS:
    case OPT_TTL: return ip_opt_set(ss, s, o->kind, v);
    case OPT_PMTUDISC: return pmtudisc_set(ss, s, v);
    case OPT_PRIORITY: s->priority = (uint8_t)v; return v < 0 || v > 6 ? -EPERM : 0;
    case OPT_MARK: s->mark = (uint32_t)v; return 0;
    default: return opt_refused(ss);
    }
}

int sock_opt_set(struct socks *ss, struct sock *s, int level, int name, const void *val, size_t n)
{
    const struct opt *o = opt_find(s, level, name);
    if (o == NULL)
        return opt_refused(ss);
    if (o->kind == OPT_LINGER)
        return linger_set(ss, s, val, n);
    if (o->kind == OPT_CONGESTION)
        return tcp_cc_set(ss->tcp, sock_tcb(ss, s), val, n);
    if (o->kind == OPT_FASTOPEN_KEY)
        return tcp_fo_key_set(sock_tcb(ss, s), val, n);
    if (o->kind == OPT_MAX_PACING)
        return max_pacing_set(ss, s, val, n);
    int v = 0;
    /* Level IP takes a single byte too [Linux ip(7)]. */
    if (n == 1 && level == L_IP)
        v = *(const uint8_t *)val;
    else if (n < sizeof(v))
        return -EINVAL;
    else
        memcpy(&v, val, sizeof(v));
    return int_set(ss, s, o, v);
}

static int out_bytes(void *val, size_t *n, const void *from, size_t n_from)
{
    *n = *n < n_from ? *n : n_from;
    if (*n != 0)
        memcpy(val, from, *n);
    return 0;
}

static int tcp_int(struct socks *ss, const struct sock *s, int name, int *v)
{
    int64_t x = 0;
    int r = tcp_opt_get(ss->tcp, sock_tcb(ss, s), name, &x);
    *v = x > INT32_MAX ? (int)(uint32_t)x : (int)x;
    return r;
}

static int mtu_get(struct socks *ss, const struct sock *s, int *v)
{
    struct weir_addr peer;
    if (sock_name(ss, s, true, &peer) < 0)
        return -ENOTCONN;
    struct addr a;
    struct dst d = {0};
    memcpy(a.b, peer.ip, 16);
    int r = ip_route(ss->ip, &a, NULL, &d);
    *v = (int)d.mtu;
    return r;
}

static int ip_opt_get(struct socks *ss, const struct sock *s, enum opt_kind kind, int *v)
{
    bool is_ttl = kind == OPT_TTL;
    int r = 0;
    if (s->type == WEIR_STREAM)
        r = tcp_int(ss, s, is_ttl ? TOPT_TTL : TOPT_TOS, v);
    else
        *v = is_ttl ? sock_udp(ss, s)->ttl : sock_udp(ss, s)->tos;
    if (is_ttl && *v == 0)
        *v = (int)ss->env->conf.ip_default_ttl;
    return r;
}

/* Each name answers for itself only. */
static bool stamp_get(const struct sock *s, unsigned kind)
{
    return (s->want & (WANT_STAMP | WANT_STAMP_NS | WANT_STAMP_NEW)) == kind;
}

static int int_get(struct socks *ss, struct sock *s, const struct opt *o, int *v)
{
    bool is_stream = s->type == WEIR_STREAM;
    struct udp_sock *u = is_stream ? NULL : sock_udp(ss, s);
    switch (o->kind) {
    case OPT_FLAG: *v = (s->flags & o->arg) != 0; return 0;
    case OPT_RECVERR:
        *v = o->arg != 0 ? (s->flags & SOCK_RECVERR) != 0 : (s->want & WANT_RECVERR6) != 0;
        return 0;
    case OPT_WANT: *v = (s->want & o->arg) != 0; return 0;
    case OPT_STAMP: *v = stamp_get(s, (unsigned)o->arg); return 0;
    case OPT_STAMPING: *v = (int)s->stamps; return 0;
    case OPT_ZEROCOPY: *v = (s->want & WANT_ZEROCOPY) != 0; return 0;
    case OPT_INCOMING_CPU: *v = s->cpu; return 0;
    case OPT_NAPI_ID: *v = 0; return 0;
    case OPT_TCP: return tcp_int(ss, s, o->arg, v);
    case OPT_BUF:
        if (is_stream)
            return tcp_int(ss, s, o->arg ? TOPT_RCVBUF : TOPT_SNDBUF, v);
        *v = (int)(o->arg ? u->rx_limit : ss->env->conf.wmem_default);
        return 0;
    case OPT_KEEPALIVE: return is_stream ? tcp_int(ss, s, TOPT_KEEPALIVE, v) : 0;
    case OPT_ERROR:
        *v = is_stream ? tcp_take_error(sock_tcb(ss, s)) : udp_take_error(ss->udp, u);
        s->flags = (uint16_t)(*v != 0 ? s->flags & ~(unsigned)SOCK_CONNECTING : s->flags);
        return 0;
    case OPT_ACCEPTCONN: *v = (s->flags & SOCK_LISTENING) != 0; return 0;
    case OPT_BROADCAST: *v = u != NULL && (u->flags & UDP_BROADCAST) != 0; return 0;
    case OPT_NOCHECK: *v = u != NULL && (u->flags & UDP_NO_CHECK) != 0; return 0;
    case OPT_RCVLOWAT:
        *v = (int)s->rcvlowat;
        return is_stream ? tcp_int(ss, s, TOPT_RCVLOWAT, v) : 0;
    case OPT_TOS:
    case OPT_TTL: return ip_opt_get(ss, s, o->kind, v);
    case OPT_PMTUDISC: *v = s->pmtudisc; return 0;
    case OPT_MTU: return mtu_get(ss, s, v);
    case OPT_PRIORITY: *v = s->priority; return 0;
    case OPT_MARK: *v = (int)s->mark; return 0;
    case OPT_ONE: *v = 1; return 0;
    default: return opt_refused(ss);
    }
}

static int linger_get(struct socks *ss, const struct sock *s, void *val, size_t *n)
{
    int v[2] = {0, 0}, linger = -1;
    if (s->type == WEIR_STREAM)
        (void)tcp_int(ss, s, TOPT_LINGER_S, &linger);
    v[0] = linger >= 0;
    v[1] = linger >= 0 ? linger : 0;
    return out_bytes(val, n, v, sizeof(v));
}

static int congestion_get(struct socks *ss, const struct sock *s, void *val, size_t *n)
{
    char name[16] = {0};
    const char *cc = tcp_cc_get(sock_tcb(ss, s));
    for (size_t i = 0; i + 1 < sizeof(name) && cc[i] != '\0'; i++)
        name[i] = cc[i];
    return out_bytes(val, n, name, sizeof(name));
}

static int max_pacing_get(struct socks *ss, const struct sock *s, void *val, size_t *n)
{
    int64_t v = 0;
    int r = tcp_opt_get(ss->tcp, sock_tcb(ss, s), TOPT_MAX_PACING_BPS, &v);
    uint64_t rate = (uint64_t)v;
    uint32_t rate32 = (uint32_t)w_u64_min(rate, UINT32_MAX);
    if (r < 0)
        return r;
    bool is_long = *n >= sizeof(rate);
    return is_long ? out_bytes(val, n, &rate, sizeof(rate)) : out_bytes(val, n, &rate32, 4);
}

/* [Linux TCP_SAVED_SYN] Too little room: how much it takes, and they stay. */
static int saved_syn_get(struct socks *ss, const struct sock *s, void *val, size_t *n)
{
    struct tcb *t = sock_tcb(ss, s);
    const struct pkt *p = tcp_saved_syn(ss->tcp, t);
    bool is_short = p != NULL && *n < p->len;
    *n = p != NULL ? p->len : 0;
    if (p == NULL || is_short)
        return is_short ? -EINVAL : 0;
    (void)pkt_copy_out(p, 0, val, p->len);
    tcp_forget_syn(ss->tcp, t);
    return 0;
}

int sock_opt_get(struct socks *ss, struct sock *s, int level, int name, void *val, size_t *n)
{
    const struct opt *o = opt_find(s, level, name);
    if (o == NULL)
        return opt_refused(ss);
    if (o->kind == OPT_LINGER)
        return linger_get(ss, s, val, n);
    if (o->kind == OPT_CONGESTION)
        return congestion_get(ss, s, val, n);
    if (o->kind == OPT_MAX_PACING)
        return max_pacing_get(ss, s, val, n);
    if (o->kind == OPT_SAVED_SYN)
        return saved_syn_get(ss, s, val, n);
    if (o->kind == OPT_COOKIE) {
        weir_sock h = sock_handle(ss, s);
        return *n < sizeof(h) ? -EINVAL : out_bytes(val, n, &h, sizeof(h));
    }
    if (o->kind == OPT_FASTOPEN_KEY) {
        uint8_t key[16];
        tcp_fo_key_get(ss->tcp, sock_tcb(ss, s), key);
        return out_bytes(val, n, key, sizeof(key));
    }
    if (o->kind == OPT_CC_INFO) {
        union cc_info info;
        size_t size = tcp_cc_info(sock_tcb(ss, s), &info);
        return out_bytes(val, n, &info, size);
    }
    if (o->kind == OPT_INFO) {
        struct weir_tcp_info info;
        tcp_info_get(ss->tcp, sock_tcb(ss, s), &info);
        return out_bytes(val, n, &info, sizeof(info));
    }
    int v = 0;
    int r = int_get(ss, s, o, &v);
    return r < 0 ? r : out_bytes(val, n, &v, sizeof(v));
}
