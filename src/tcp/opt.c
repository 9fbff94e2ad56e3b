/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of a connection, by Linux's names, opt_ranges and defaults.
 *
 * Decides: which values are legal, what a change does to a connection that is running.
 * Owns: t->opt and the option bits of t->flags.
 * Called by sock/'s table; calls out.c and wnd.c where a change lets something go.
 *
 * An option unknown here answers -ENOPROTOOPT: nothing pretends.
 *
 * Invariant: every stored value is inside the range this file checks.
 */
#include <errno.h>

#include "tcp/room.h"

static const struct {
    int name;
    uint32_t flag;
} flag_opts[] = {
    {TOPT_NODELAY, TF_NODELAY},     {TOPT_CORK, TF_CORK},           {TOPT_KEEPALIVE, TF_KEEPALIVE},
    {TOPT_OOBINLINE, TF_OOBINLINE}, {TOPT_REUSEPORT, TF_REUSEPORT}, {TOPT_V6ONLY, TF_V6ONLY},
};

static const struct {
    int name;
    int64_t min, max;
} opt_ranges[] = {
    {TOPT_MAXSEG, 0, 32767}, /* and 0, or at least 88 */
    {TOPT_KEEPIDLE_S, 1, 32767},
    {TOPT_KEEPINTVL_S, 1, 32767},
    {TOPT_KEEPCNT, 1, 127},
    {TOPT_SYNCNT, 1, 127},
    {TOPT_LINGER2_S, INT32_MIN, INT32_MAX},
    {TOPT_DEFER_ACCEPT_S, INT32_MIN, INT32_MAX},
    {TOPT_WINDOW_CLAMP, 0, INT32_MAX},
    {TOPT_QUICKACK, INT32_MIN, INT32_MAX},
    {TOPT_USER_TIMEOUT_MS, 0, INT32_MAX},
    {TOPT_FASTOPEN, 0, INT32_MAX},
    {TOPT_SAVE_SYN, 0, 1}, /* Linux's 2 is the link's header, too: refused */
    {TOPT_FASTOPEN_CONNECT, 0, 1},
    {TOPT_FASTOPEN_NO_COOKIE, 0, 1},
    {TOPT_NOTSENT_LOWAT, INT32_MIN, UINT32_MAX}, /* unsigned in Linux, however it comes */
    {TOPT_LINGER_S, -1, INT32_MAX},
    {TOPT_SNDBUF, 4608, 1 << 30},
    {TOPT_RCVBUF, 2304, 1 << 30},
    {TOPT_RCVLOWAT, 0, INT32_MAX},
    {TOPT_TOS, 0, 255},
    {TOPT_TTL, 0, 255},
    {TOPT_MAY_FRAG, 0, 1},
    {TOPT_RECVERR, 0, 1},
    {TOPT_RECVERR6, 0, 1},
    {TOPT_STAMPS, 0, UINT32_MAX},
    {TOPT_ZEROCOPY, 0, 1},
    {TOPT_MAX_PACING_BPS, -1, INT64_MAX},
};

static uint32_t flag_of(int name)
{
    for (unsigned i = 0; i < WEIR_COUNT(flag_opts); i++) {
        if (flag_opts[i].name == name)
            return flag_opts[i].flag;
    }
    return 0;
}

static bool is_running(const struct tcb *t)
{
    return t->state != TCPS_CLOSED && t->state != TCPS_LISTEN && t->state != TCPS_SYN_SENT &&
           t->state != TCPS_SYN_RECEIVED;
}

/* [RFC 9293 3.7.4 MUST-17, 3.8.4 MUST-24, MUST-25] */
static int set_flag(struct tcp *tcp, struct tcb *t, uint32_t flag, bool is_on)
{
    t->flags = is_on ? t->flags | flag : t->flags & ~flag;
    if (flag == TF_KEEPALIVE)
        tcp_keep_restart(tcp, t);
    bool lets_go = (flag == TF_NODELAY && is_on) || (flag == TF_CORK && !is_on);
    if (lets_go && is_running(t)) {
        /* TCP_NODELAY lets go what is there even of a corked socket. */
        uint32_t cork = t->flags & TF_CORK;
        t->flags &= ~cork;
        tcp_output(tcp, t, false);
        t->flags |= cork;
    }
    return 0;
}

/* Linux: 0 leaves quick-ACK mode for ping-pong; else what is owed goes now. */
static void set_quickack(struct tcp *tcp, struct tcb *t, int64_t v)
{
    if (v == 0) {
        t->rcv.pingpong = 3;
        return;
    }
    t->rcv.pingpong = 0;
    if ((t->flags & TF_ACK_SCHED) != 0 && is_running(t)) {
        if (env_traces(tcp->env))
            tcp_seen_ack_why(tcp, t, WEIR_WHY_ACK_QUICK);
        t->flags |= TF_ACK_NOW;
        tcp_output(tcp, t, false);
        if ((v & 1) == 0)
            t->rcv.pingpong = 3;
    }
}

/* Linux's secs_to_retrans: TCP_DEFER_ACCEPT is kept as a number of SYN-ACKs. */
static uint8_t defer_of(const struct tcp *tcp, int64_t s)
{
    int64_t step = tcp->env->conf.tcp_rto_initial_ms, sum = step;
    if (s <= 0)
        return 0;
    uint8_t n = 1;
    for (; s * 1000 > sum && n < UINT8_MAX; n++, sum += step)
        step = 2 * step < tcp->env->conf.tcp_rto_max_ms ? 2 * step : tcp->env->conf.tcp_rto_max_ms;
    return n;
}

static int64_t defer_seconds(const struct tcp *tcp, uint8_t n)
{
    int64_t step = tcp->env->conf.tcp_rto_initial_ms, sum = n != 0 ? step : 0;
    for (; n > 1; n--, sum += step)
        step = 2 * step < tcp->env->conf.tcp_rto_max_ms ? 2 * step : tcp->env->conf.tcp_rto_max_ms;
    return sum / 1000;
}

/* Linux: 0 only before anything is open; never less than half the smallest receive buffer. */
static int set_clamp(struct tcb *t, int64_t v)
{
    if (v == 0 && t->state != TCPS_CLOSED)
        return -EINVAL;
    t->opt.window_clamp = v == 0 ? 0 : w_u32_max((uint32_t)v, 2304 / 2);
    if (v != 0)
        t->rcv.ssthresh = w_u32_min(t->rcv.ssthresh, t->opt.window_clamp);
    return 0;
}

/* As Linux: the buffer grows until so much can be in it, unless the program chose its size; then
 * half of that is the most to wait for. */
static void set_rcvlowat(struct tcp *tcp, struct tcb *t, int64_t v)
{
    bool is_fixed = (t->flags & TF_RCVBUF_SET) != 0;
    uint32_t most = (is_fixed ? t->rcv.limit : tcp->env->conf.tcp_rmem_max) / 2;
    t->opt.rcvlowat = w_u32_max((uint32_t)w_u64_min((uint64_t)v, most), 1);
    if (!is_fixed)
        t->rcv.limit = w_u32_max(t->rcv.limit, tcp_wnd_buffer(tcp, t->opt.rcvlowat));
    if (is_running(t) && tcp_is_readable(t))
        tcp_event(tcp, t, TCP_EV_IN);
}

static void set_ip_bit(struct tcb *t, unsigned bit, bool is_on)
{
    t->opt.ip = (uint8_t)(is_on ? t->opt.ip | bit : t->opt.ip & ~bit);
}

/* Whoever asks for errors needs a queue for them. */
static int set_recverr(struct tcp *tcp, struct tcb *t, unsigned bit, bool is_on)
{
    if (is_on && !tcp_watch_begin(tcp, t))
        return -ENOBUFS;
    set_ip_bit(t, bit, is_on);
    return 0;
}

static void set_maxseg(struct tcp *tcp, struct tcb *t, int64_t v)
{
    t->opt.maxseg = (uint16_t)v;
    if (is_running(t))
        tcp_conn_mss(tcp, t);
}

/* Before it listens or connects, or while it listens. */
static int set_fastopen(struct tcp *tcp, struct tcb *t, int name, int64_t v)
{
    const struct weir_conf *c = &tcp->env->conf;
    bool is_fresh = t->state == TCPS_CLOSED && (t->flags & TF_CONNECTED) == 0;
    if (name == TOPT_FASTOPEN_CONNECT && (c->tcp_fastopen & 1) == 0)
        return -EOPNOTSUPP;
    if (!is_fresh && (t->state != TCPS_LISTEN || name == TOPT_FASTOPEN_CONNECT))
        return -EINVAL;
    uint8_t bit = name == TOPT_FASTOPEN_CONNECT ? FO_CONNECT : FO_NO_COOKIE;
    if (name == TOPT_FASTOPEN)
        t->lsn.fo_max = (uint16_t)w_u64_min(w_u64_min((uint64_t)v, c->somaxconn), UINT16_MAX);
    else
        t->fo = (uint8_t)(v != 0 ? t->fo | bit : t->fo & ~(unsigned)bit);
    return 0;
}

/* Linux keeps it on any socket; it says something of a listener only. */
static int set_save_syn(struct tcb *t, int64_t v)
{
    if (t->state != TCPS_CLOSED && t->state != TCPS_LISTEN)
        return -EINVAL;
    t->lsn.save_syn = (uint8_t)v;
    return 0;
}

static int64_t get_fastopen(const struct tcb *t, int name)
{
    bool is_fresh = t->state == TCPS_CLOSED && (t->flags & TF_CONNECTED) == 0;
    if (name == TOPT_FASTOPEN)
        return is_fresh || t->state == TCPS_LISTEN ? t->lsn.fo_max : 0;
    return (t->fo & (name == TOPT_FASTOPEN_CONNECT ? FO_CONNECT : FO_NO_COOKIE)) != 0;
}

/* [RFC 9293 3.8.3 MUST-21, 3.8.4 MUST-27, 3.9.1.9 MUST-48, SHLD-21, 3.9.2 MUST-49] */
static int set_value(struct tcp *tcp, struct tcb *t, int name, int64_t v)
{
    switch (name) {
    case TOPT_MAXSEG:
        if (v != 0 && v < 88)
            return -EINVAL;
        set_maxseg(tcp, t, v);
        break;
    case TOPT_KEEPIDLE_S:
        t->opt.keep_idle_s = (uint16_t)v;
        tcp_keep_restart(tcp, t);
        break;
    case TOPT_KEEPINTVL_S: t->opt.keep_intvl_s = (uint16_t)v; break;
    case TOPT_KEEPCNT: t->opt.keep_cnt = (uint8_t)v; break;
    case TOPT_SYNCNT: t->opt.syn_cnt = (uint8_t)v; break;
    case TOPT_LINGER2_S: t->opt.linger2_s = (int16_t)(v < 0 ? -1 : v > 120 ? 120 : v); break;
    case TOPT_WINDOW_CLAMP: return set_clamp(t, v);
    case TOPT_QUICKACK: set_quickack(tcp, t, v); break;
    case TOPT_USER_TIMEOUT_MS: t->opt.user_timeout_ms = (uint32_t)v; break;
    case TOPT_NOTSENT_LOWAT: t->opt.notsent_lowat = (uint32_t)v; break;
    case TOPT_SAVE_SYN: return set_save_syn(t, v);
    case TOPT_FASTOPEN:
    case TOPT_FASTOPEN_CONNECT:
    case TOPT_FASTOPEN_NO_COOKIE: return set_fastopen(tcp, t, name, v);
    case TOPT_LINGER_S: t->opt.linger_s = (int16_t)(v > INT16_MAX ? INT16_MAX : v); break;
    case TOPT_MAY_FRAG: set_ip_bit(t, OPT_IP_MAY_FRAG, v != 0); break;
    case TOPT_RECVERR: return set_recverr(tcp, t, OPT_IP_RECVERR, v != 0);
    case TOPT_RECVERR6: return set_recverr(tcp, t, OPT_IP_RECVERR6, v != 0);
    case TOPT_STAMPS: return tcp_watch_stamps(tcp, t, (uint32_t)v);
    case TOPT_ZEROCOPY: return tcp_watch_zerocopy(tcp, t, v != 0);
    case TOPT_SNDBUF:
        t->sndq.limit = (uint32_t)v;
        t->flags |= TF_SNDBUF_SET;
        break;
    case TOPT_RCVBUF:
        t->rcv.limit = (uint32_t)v;
        t->flags |= TF_RCVBUF_SET;
        break;
    case TOPT_RCVLOWAT: set_rcvlowat(tcp, t, v); break;
    case TOPT_TOS: t->opt.tos = (uint8_t)(v & 0xfc); break; /* the ECN bits are TCP's own */
    case TOPT_TTL: t->opt.ttl = (uint8_t)v; break;
    case TOPT_DEFER_ACCEPT_S: t->opt.defer = defer_of(tcp, v); break;
    case TOPT_MAX_PACING_BPS:
        tcp_pace_set_max(tcp, t, v < 0 ? 0 : w_u64_max((uint64_t)v, 1));
        break;
    default: return -ENOPROTOOPT;
    }
    return 0;
}

int tcp_opt_set(struct tcp *tcp, struct tcb *t, int name, int64_t v)
{
    uint32_t flag = flag_of(name);
    if (flag != 0)
        return set_flag(tcp, t, flag, v != 0);
    for (unsigned i = 0; i < WEIR_COUNT(opt_ranges); i++) {
        if (opt_ranges[i].name == name)
            return v < opt_ranges[i].min || v > opt_ranges[i].max ? -EINVAL
                                                                  : set_value(tcp, t, name, v);
    }
    return -ENOPROTOOPT;
}

static int64_t or_default(uint32_t v, uint32_t def) { return v != 0 ? v : def; }

static int64_t or_default64(uint64_t v, int64_t def) { return v != 0 ? (int64_t)v : def; }

int tcp_opt_get(const struct tcp *tcp, const struct tcb *t, int name, int64_t *v)
{
    const struct weir_conf *c = &tcp->env->conf;
    uint32_t flag = flag_of(name);
    if (flag != 0) {
        *v = (t->flags & flag) != 0;
        return 0;
    }
    switch (name) {
    case TOPT_MAXSEG: *v = is_running(t) ? t->snd.mss : or_default(t->opt.maxseg, 536); break;
    case TOPT_KEEPIDLE_S: *v = or_default(t->opt.keep_idle_s, c->tcp_keepalive_time); break;
    case TOPT_KEEPINTVL_S: *v = or_default(t->opt.keep_intvl_s, c->tcp_keepalive_intvl); break;
    case TOPT_KEEPCNT: *v = or_default(t->opt.keep_cnt, c->tcp_keepalive_probes); break;
    case TOPT_SYNCNT: *v = or_default(t->opt.syn_cnt, c->tcp_syn_retries); break;
    case TOPT_LINGER2_S:
        *v = t->opt.linger2_s;
        *v = *v != 0 ? *v : (int64_t)c->tcp_fin_timeout;
        break;
    case TOPT_DEFER_ACCEPT_S: *v = defer_seconds(tcp, t->opt.defer); break;
    case TOPT_WINDOW_CLAMP: *v = t->opt.window_clamp; break;
    case TOPT_QUICKACK: *v = t->rcv.pingpong == 0; break;
    case TOPT_USER_TIMEOUT_MS: *v = t->opt.user_timeout_ms; break;
    case TOPT_NOTSENT_LOWAT: *v = (int32_t)t->opt.notsent_lowat; break;
    case TOPT_SAVE_SYN:
        *v = (t->state == TCPS_CLOSED || t->state == TCPS_LISTEN) && t->lsn.save_syn;
        break;
    case TOPT_FASTOPEN:
    case TOPT_FASTOPEN_CONNECT:
    case TOPT_FASTOPEN_NO_COOKIE: *v = get_fastopen(t, name); break;
    case TOPT_LINGER_S: *v = t->opt.linger_s; break;
    case TOPT_SNDBUF: *v = t->sndq.limit; break;
    case TOPT_RCVBUF: *v = t->rcv.limit; break;
    case TOPT_RCVLOWAT: *v = t->opt.rcvlowat; break;
    case TOPT_TOS: *v = t->opt.tos; break;
    case TOPT_MAX_PACING_BPS: *v = or_default64(tcp_path_of(tcp, t)->max_Bps, -1); break;
    case TOPT_TTL: *v = or_default(t->opt.ttl, c->ip_default_ttl); break;
    default: return -ENOPROTOOPT;
    }
    return 0;
}

int tcp_cc_set(struct tcp *tcp, struct tcb *t, const char *name, size_t n)
{
    int kind = cc_find(name, n);
    if (kind < 0)
        return kind;
    cc_change(&t->cc, (unsigned)kind, tcp->env->now);
    tcp_pace_begin(tcp, t);
    return 0;
}

const char *tcp_cc_get(const struct tcb *t) { return cc_at(t->cc.kind)->name; }
