/* SPDX-License-Identifier: Apache-2.0
 *
 * Seeing and setting: counters, sockets as `ss` lists them, settings changed while running, and
 * packets for programs that have only bytes.
 *
 * Called by the stack's owner; reads every room's state, changes only env->conf. Owns nothing; what
 * it hands out are copies, but for names, which are constants.
 */
#include "stack/stack.h"

#include <errno.h>

#include <weir/limit.h>

int weir_set(struct weir *w, const char *name, const char *value)
{
    int r = weir_conf_set(&w->env.conf, name, value);
    if (r == 0)
        tcp_conf_changed(&w->tcp);
    return r;
}

int weir_setting_get(const struct weir *w, const char *name, uint32_t *value)
{
    return weir_conf_get(&w->env.conf, name, value);
}

static uint32_t text_len(const char *s, uint32_t max)
{
    uint32_t n = 0;
    while (n < max && s[n] != '\0')
        n++;
    return n;
}

int weir_qdisc_set(struct weir *w, weir_ns now, unsigned id, const struct weir_qdisc *q)
{
    stack_enter(w, now);
    struct nif *nif = link_nif(&w->link, id);
    if (nif == NULL)
        return -ENODEV;
    int kind = aqm_kind_named(q->kind, text_len(q->kind, sizeof(q->kind)));
    if (kind < 0)
        return kind;
    struct aqm_conf c = {.kind = (uint32_t)kind,
                         .limit = q->limit,
                         .mark_at = q->mark_at,
                         .flow_limit = q->flow_limit,
                         .quantum = q->quantum,
                         .target_us = q->target_us,
                         .interval_us = q->interval_us,
                         .rate_Bps = q->rate_Bps,
                         .burst_bytes = q->burst_bytes};
    return link_set_qdisc(&w->link, nif, &c);
}

int weir_qdisc_stats(struct weir *w, weir_ns now, unsigned id, struct weir_qdisc_stats *out)
{
    struct nif_queue_info i;
    stack_enter(w, now);
    const struct nif *nif = link_nif(&w->link, id);
    if (nif == NULL)
        return -ENODEV;
    link_queue_info(&w->link, nif, &i);
    *out = (struct weir_qdisc_stats){.conf = {.limit = i.conf.limit,
                                              .mark_at = i.conf.mark_at,
                                              .flow_limit = i.conf.flow_limit,
                                              .quantum = i.conf.quantum,
                                              .target_us = i.conf.target_us,
                                              .interval_us = i.conf.interval_us,
                                              .rate_Bps = i.conf.rate_Bps,
                                              .burst_bytes = i.conf.burst_bytes},
                                     .packets = i.packets,
                                     .high_water = i.high_water,
                                     .bytes = i.bytes,
                                     .enqueued = i.enqueued,
                                     .drops = i.drops,
                                     .marked = i.marked,
                                     .told = i.told,
                                     .n_full = i.n_full,
                                     .full_ns = i.full_ns};
    const char *name = aqm_name(i.conf.kind);
    memcpy(out->conf.kind, name, text_len(name, sizeof(out->conf.kind) - 1));
    return 0;
}

/* ---- the chain of buffers ---- */

static void gauge_out(struct weir_gauge *out, const char *name, const char *unit)
{
    *out = (struct weir_gauge){0};
    memcpy(out->name, name, text_len(name, sizeof(out->name) - 1));
    memcpy(out->unit, unit, text_len(unit, sizeof(out->unit) - 1));
}

static void tcp_gauge_out(struct weir *w, const struct tcb *t, enum tcp_buf which,
                          struct weir_gauge *out)
{
    static const char *const name[] = {[TCP_BUF_SEND] = "send buffer",
                                       [TCP_BUF_BELOW] = "below TCP",
                                       [TCP_BUF_RECV] = "receive buffer"};
    struct tcp_buf_info i;
    tcp_gauge_get(&w->tcp, t, which, &i);
    gauge_out(out, name[which], "bytes");
    out->now = i.now;
    out->limit = i.limit;
    out->high_water = i.gauge.high_water;
    out->n_full = i.gauge.n_full;
    out->full_ns = i.gauge.full_ns;
}

static void udp_gauge_out(struct weir *w, const struct udp_sock *u, struct weir_gauge *out)
{
    gauge_out(out, "receive buffer", "bytes");
    out->now = u->rx_bytes;
    out->limit = u->rx_limit;
    out->high_water = u->gauge.high_water;
    out->n_full = u->gauge.n_full;
    out->full_ns = gauge_full_ns(&u->gauge, w->env.now);
    out->drops = u->rx_drops;
}

static void qdisc_gauge_out(const struct weir *w, const struct nif *nif, struct weir_gauge *out)
{
    struct nif_queue_info i;
    link_queue_info(&w->link, nif, &i);
    gauge_out(out, "qdisc", "packets");
    out->now = i.packets;
    out->limit = i.conf.limit;
    out->high_water = i.high_water;
    out->n_full = i.n_full;
    out->full_ns = i.full_ns;
    out->drops = i.drops;
}

int weir_chain(struct weir *w, weir_ns now, unsigned id, weir_sock h, enum weir_chain_way way,
               struct weir_gauge *v)
{
    int n = 0;
    stack_enter(w, now);
    const struct nif *nif = link_nif(&w->link, id);
    struct sock *s = h != 0 ? sock_find(&w->socks, h) : NULL;
    if (nif == NULL)
        return -ENODEV;
    if (h != 0 && s == NULL)
        return -EBADF;
    const struct tcb *t = s != NULL && s->type == WEIR_STREAM ? sock_tcb(&w->socks, s) : NULL;
    const struct udp_sock *u = s != NULL && s->type == WEIR_DGRAM ? sock_udp(&w->socks, s) : NULL;
    if (t != NULL && way == WEIR_CHAIN_SEND) {
        tcp_gauge_out(w, t, TCP_BUF_SEND, &v[n++]);
        tcp_gauge_out(w, t, TCP_BUF_BELOW, &v[n++]);
    }
    if (way == WEIR_CHAIN_SEND)
        qdisc_gauge_out(w, nif, &v[n++]);
    else if (t != NULL)
        tcp_gauge_out(w, t, TCP_BUF_RECV, &v[n++]);
    else if (u != NULL)
        udp_gauge_out(w, u, &v[n++]);
    return n;
}

bool weir_counter(const struct weir *w, unsigned i, const char **name, uint64_t *value)
{
    if (i < STAT_N) {
        *name = stat_name((enum env_stat)i);
        *value = w->env.stats[i];
        return true;
    }
    i -= STAT_N;
    if (i >= DROP_N)
        return false;
    *name = drop_name((enum drop)i);
    *value = w->env.drops[i];
    return true;
}

static bool text_eq(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

uint64_t weir_counter_named(const struct weir *w, const char *wanted)
{
    const char *name;
    uint64_t value;
    for (unsigned i = 0; weir_counter(w, i, &name, &value); i++)
        if (text_eq(name, wanted))
            return value;
    return 0;
}

struct pkt *weir_pkt(struct weir *w, const void *bytes, size_t n)
{
    struct pkt *p = pkt_from_bytes(&w->env.mem, bytes, n);
    if (p != NULL)
        p->when = w->env.now; /* its arrival, unless its owner says another */
    return p;
}

size_t weir_pkt_len(const struct pkt *p) { return p->len; }

size_t weir_pkt_copy(const struct pkt *p, void *out, size_t n)
{
    return pkt_copy_out(p, 0, out, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n);
}

void weir_pkt_free(struct pkt *p) { pkt_free(p); }

static void addr_out(struct weir_addr *out, const struct addr *a, uint16_t port)
{
    *out = (struct weir_addr){.port = port, .family = addr_is_ip4(a) ? 4 : 6};
    memcpy(out->ip, a->b, 16);
}

/* The cursor walks TCP's rows first, then, with this bit set, UDP's sockets. */
#define CURSOR_UDP ((uint64_t)1 << 63)

static bool next_udp(struct weir *w, uint64_t *cursor, struct weir_sock_info *out)
{
    const struct udp_sock *u = udp_iter(&w->udp, (uint32_t)*cursor);
    if (u == NULL)
        return false;
    *cursor = CURSOR_UDP | udp_index(&w->udp, u);
    struct sock *s = pool_at(&w->socks.pool, u->sock);
    out->sock = sock_handle(&w->socks, s);
    out->type = WEIR_DGRAM;
    out->state = TCPS_CLOSED;
    addr_out(&out->local, &u->flow.local, u->flow.lport);
    addr_out(&out->peer, &u->flow.remote, u->flow.rport);
    out->inq = u->rx_bytes;
    out->rcvbuf = u->rx_limit;
    out->rx_drops = u->rx_drops;
    return true;
}

static void tcp_row_out(struct weir *w, const struct tcp_row *row, struct weir_sock_info *out)
{
    out->type = WEIR_STREAM;
    out->state = (uint8_t)row->state;
    addr_out(&out->local, &row->flow.local, row->flow.lport);
    addr_out(&out->peer, &row->flow.remote, row->flow.rport);
    if (row->state == TCPS_LISTEN) {
        out->accept_n = row->rcvq_bytes;
        out->accept_max = row->sndq_bytes;
    } else {
        out->inq = row->rcvq_bytes;
        out->outq = row->sndq_bytes;
    }
    if (row->t == NULL)
        return;
    int64_t v = 0;
    if (tcp_opt_get(&w->tcp, row->t, TOPT_SNDBUF, &v) == 0)
        out->sndbuf = (uint32_t)v;
    if (tcp_opt_get(&w->tcp, row->t, TOPT_RCVBUF, &v) == 0)
        out->rcvbuf = (uint32_t)v;
    if (row->sock != 0 && pool_is_live(&w->socks.pool, row->sock))
        out->sock = sock_handle(&w->socks, pool_at(&w->socks.pool, row->sock));
}

bool weir_sock_next(struct weir *w, weir_ns now, uint64_t *cursor, struct weir_sock_info *out)
{
    struct tcp_row row;
    stack_enter(w, now);
    *out = (struct weir_sock_info){0};
    if ((*cursor & CURSOR_UDP) == 0) {
        if (tcp_row_next(&w->tcp, cursor, &row)) {
            tcp_row_out(w, &row, out);
            return true;
        }
        *cursor = CURSOR_UDP;
    }
    return next_udp(w, cursor, out);
}

static const char *const limit_names[] = {
#define LIMIT(name, text, waiting, advice) text,
#include <weir/limit.def>
};
static const char *const limit_waits[] = {
#define LIMIT(name, text, waiting, advice) waiting,
#include <weir/limit.def>
};
static const char *const limit_advices[] = {
#define LIMIT(name, text, waiting, advice) advice,
#include <weir/limit.def>
};

const char *weir_limit_name(unsigned k) { return k < WEIR_LIMIT_N ? limit_names[k] : "?"; }
const char *weir_limit_waiting(unsigned k) { return k < WEIR_LIMIT_N ? limit_waits[k] : "?"; }
const char *weir_limit_advice(unsigned k) { return k < WEIR_LIMIT_N ? limit_advices[k] : "?"; }

int weir_limits(struct weir *w, weir_ns now, weir_sock h, struct weir_limits *out)
{
    stack_enter(w, now);
    struct sock *s = sock_find(&w->socks, h);
    if (s == NULL)
        return -EBADF;
    if (s->type != WEIR_STREAM)
        return -EOPNOTSUPP;
    return tcp_limits_get(&w->tcp, sock_tcb(&w->socks, s), out);
}

bool weir_limits_next(struct weir *w, weir_ns now, uint64_t *cursor, struct weir_limits *out)
{
    struct tcp_row row;
    stack_enter(w, now);
    while (tcp_row_next(&w->tcp, cursor, &row)) {
        bool is_conn = row.t != NULL && row.state != TCPS_LISTEN;
        if (is_conn && tcp_limits_get(&w->tcp, (struct tcb *)(uintptr_t)row.t, out) == 0)
            return true;
    }
    return false;
}

size_t weir_trace_read(struct weir *w, struct weir_trace *v, size_t max)
{
    return trace_read(&w->env.trace, v, max);
}

struct trace *stack_trace(struct weir *w) { return env_traces(&w->env) ? &w->env.trace : NULL; }

uint64_t weir_trace_lost(const struct weir *w) { return w->env.trace.n_lost; }
