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
    {TOPT_MAXSEG, 88, 32767},
    {TOPT_KEEPIDLE_S, 1, 32767},
    {TOPT_KEEPINTVL_S, 1, 32767},
    {TOPT_KEEPCNT, 1, 127},
    {TOPT_SYNCNT, 1, 127},
    {TOPT_LINGER2_S, -1, 120},
    {TOPT_DEFER_ACCEPT_S, 0, 255},
    {TOPT_WINDOW_CLAMP, 0, 1 << 30},
    {TOPT_QUICKACK, INT32_MIN, INT32_MAX},
    {TOPT_USER_TIMEOUT_MS, 0, INT32_MAX},
    {TOPT_NOTSENT_LOWAT, INT32_MIN, UINT32_MAX}, /* unsigned in Linux, however it comes */
    {TOPT_LINGER_S, -1, 32767},
    {TOPT_SNDBUF, 4608, 1 << 30},
    {TOPT_RCVBUF, 2304, 1 << 30},
    {TOPT_RCVLOWAT, 0, 1 << 30},
    {TOPT_TOS, 0, 255},
    {TOPT_TTL, 0, 255},
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
        t->flags |= TF_ACK_NOW;
        tcp_output(tcp, t, false);
        if ((v & 1) == 0)
            t->rcv.pingpong = 3;
    }
}

static void set_maxseg(struct tcp *tcp, struct tcb *t, int64_t v)
{
    t->opt.maxseg = (uint16_t)v;
    if (is_running(t))
        tcp_conn_mss(tcp, t);
}

/* [RFC 9293 3.8.3 MUST-21, 3.8.4 MUST-27, 3.9.1.9 MUST-48, SHLD-21, 3.9.2 MUST-49] */
static int set_value(struct tcp *tcp, struct tcb *t, int name, int64_t v)
{
    switch (name) {
    case TOPT_MAXSEG: set_maxseg(tcp, t, v); break;
    case TOPT_KEEPIDLE_S:
        t->opt.keep_idle_s = (uint16_t)v;
        tcp_keep_restart(tcp, t);
        break;
    case TOPT_KEEPINTVL_S: t->opt.keep_intvl_s = (uint16_t)v; break;
    case TOPT_KEEPCNT: t->opt.keep_cnt = (uint8_t)v; break;
    case TOPT_SYNCNT: t->opt.syn_cnt = (uint8_t)v; break;
    case TOPT_LINGER2_S: t->opt.linger2_s = (int16_t)v; break;
    case TOPT_WINDOW_CLAMP: t->opt.window_clamp = (uint32_t)v; break;
    case TOPT_QUICKACK: set_quickack(tcp, t, v); break;
    case TOPT_USER_TIMEOUT_MS: t->opt.user_timeout_ms = (uint32_t)v; break;
    case TOPT_NOTSENT_LOWAT: t->opt.notsent_lowat = (uint32_t)v; break;
    case TOPT_LINGER_S: t->opt.linger_s = (int16_t)v; break;
    case TOPT_SNDBUF:
        t->sndq.limit = (uint32_t)v;
        t->flags |= TF_SNDBUF_SET;
        break;
    case TOPT_RCVBUF:
        t->rcv.limit = (uint32_t)v;
        t->flags |= TF_RCVBUF_SET;
        break;
    case TOPT_RCVLOWAT: t->opt.rcvlowat = (uint32_t)w_u64_max((uint64_t)v, 1); break;
    case TOPT_TOS: t->opt.tos = (uint8_t)(v & 0xfc); break; /* the ECN bits are TCP's own */
    case TOPT_TTL: t->opt.ttl = (uint8_t)v; break;
    case TOPT_DEFER_ACCEPT_S:
        t->opt.defer_s = (uint8_t)v;
        t->flags = v != 0 ? t->flags | TF_DEFER : t->flags & ~(uint32_t)TF_DEFER;
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
    case TOPT_DEFER_ACCEPT_S: *v = t->opt.defer_s; break;
    case TOPT_WINDOW_CLAMP: *v = t->opt.window_clamp; break;
    case TOPT_QUICKACK: *v = t->rcv.pingpong == 0; break;
    case TOPT_USER_TIMEOUT_MS: *v = t->opt.user_timeout_ms; break;
    case TOPT_NOTSENT_LOWAT: *v = (int32_t)t->opt.notsent_lowat; break;
    case TOPT_LINGER_S: *v = t->opt.linger_s; break;
    case TOPT_SNDBUF: *v = t->sndq.limit; break;
    case TOPT_RCVBUF: *v = t->rcv.limit; break;
    case TOPT_RCVLOWAT: *v = t->opt.rcvlowat; break;
    case TOPT_TOS: *v = t->opt.tos; break;
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
    return 0;
}

const char *tcp_cc_get(const struct tcb *t) { return cc_at(t->cc.kind)->name; }
