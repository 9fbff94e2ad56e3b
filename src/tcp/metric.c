/* SPDX-License-Identifier: Apache-2.0
 *
 * What connections learn of a destination and leave to those that come after [RFC 9040 6, 7].
 *
 * Decides: what is shared: SRTT for the first RTO, the degree of reordering, the size of packets
 * that got out of a black hole, and ssthresh unless tcp_no_ssthresh_metrics_save forbids it, as
 * Linux does by default: one bad moment must not slow all later connections.
 * Owns: a table of fixed size, sets of four by a hash of the peer's address (a cheap one with a
 * secret factor: who finds collisions makes us forget, nothing else); the entry that was written
 * longest ago makes room.
 * Called by conn.c when a connection is established and when it has ended in order.
 *
 * Only a connection that was closed in order and measured round trips writes, so an entry cannot be
 * made without completing a handshake from that address.
 */
#include "tcp/room.h"

enum { METRIC_SETS = 64, METRIC_WAYS = 4 };

struct tcp_metric {
    struct addr addr;
    uint32_t srtt_us;  /* 0: nothing known */
    uint32_t ssthresh; /* bytes; 0: nothing known */
    uint32_t stamp_ms; /* last written; 0: free */
    uint16_t reordering;
    uint16_t mtu;    /* 0: no black hole known */
    uint32_t mtu_ms; /* when that was learnt */
};

void tcp_metric_init(struct tcp *tcp, struct arena *a)
{
    size_t bytes = METRIC_SETS * METRIC_WAYS * sizeof(struct tcp_metric);
    tcp->metrics = arena_take(a, bytes, 8);
    tcp->metrics_mask = METRIC_SETS - 1;
}

static struct tcp_metric *metric_set(const struct tcp *tcp, const struct addr *a)
{
    uint64_t key = tcp->env->key_flow.k0;
    uint64_t h = (a->d[0] ^ key) * 0x9e3779b97f4a7c15u;
    /* A product carries upwards only, and the last bytes of an address are a word's highest. */
    h = (h ^ a->d[1] ^ a->d[1] >> 32) * (key | 1);
    return &tcp->metrics[((uint32_t)(h >> 32) & tcp->metrics_mask) * METRIC_WAYS];
}

static struct tcp_metric *metric_find(const struct tcp *tcp, const struct addr *a)
{
    struct tcp_metric *set = metric_set(tcp, a);
    for (unsigned i = 0; i < METRIC_WAYS; i++) {
        if (set[i].stamp_ms != 0 && addr_eq(&set[i].addr, a))
            return &set[i];
    }
    return NULL;
}

static struct tcp_metric *metric_make(const struct tcp *tcp, const struct addr *a)
{
    struct tcp_metric *set = metric_set(tcp, a), *m = &set[0];
    for (unsigned i = 1; i < METRIC_WAYS && m->stamp_ms != 0; i++) {
        if (set[i].stamp_ms == 0 || clock_lt(set[i].stamp_ms, m->stamp_ms))
            m = &set[i];
    }
    *m = (struct tcp_metric){.addr = *a};
    return m;
}

void tcp_metric_use(struct tcp *tcp, struct tcb *t)
{
    const struct weir_conf *c = &tcp->env->conf;
    if (c->tcp_no_metrics_save != 0)
        return;
    const struct tcp_metric *m = metric_find(tcp, &t->flow.remote);
    if (m == NULL)
        return;
    if (m->reordering > t->rec.reordering)
        t->rec.reordering = (uint16_t)w_u32_min(m->reordering, c->tcp_max_reordering);
    if (m->ssthresh != 0 && c->tcp_no_ssthresh_metrics_save == 0)
        t->cc.ssthresh = w_u32_max(m->ssthresh, 2 * t->cc.mss);
    /* The handshake is quick on an idle path; others have seen how slow this one can be. */
    if (m->srtt_us > t->rtt.srtt8_us >> 3) {
        uint64_t rto = m->srtt_us + w_u64_max(2 * (uint64_t)m->srtt_us, c->tcp_rto_min_us);
        t->rtt.rto_us = (uint32_t)w_u64_min(rto, (uint64_t)c->tcp_rto_max_ms * 1000);
    }
}

/* ssthresh if it was reached, else half of what worked. */
static uint32_t ssthresh_of(const struct tcb *t)
{
    if (t->cc.ssthresh == CC_SSTHRESH_INF)
        return 0;
    bool is_settled = !cc_in_slow_start(&t->cc) && t->ca_state == CA_OPEN;
    return is_settled ? w_u32_max(t->cc.cwnd / 2, t->cc.ssthresh) : t->cc.ssthresh;
}

void tcp_metric_keep(struct tcp *tcp, const struct tcb *t)
{
    const struct weir_conf *c = &tcp->env->conf;
    if (c->tcp_no_metrics_save != 0 || t->rtt.srtt8_us == 0)
        return;
    struct tcp_metric *m = metric_find(tcp, &t->flow.remote);
    if (m == NULL)
        m = metric_make(tcp, &t->flow.remote);
    m->stamp_ms = tcp_stamp_ms(tcp);
    if (t->snd.backoff != 0) {
        m->srtt_us = 0; /* it ended without an answer: what it knew is outdated */
        return;
    }
    /* A longer round trip counts at once, a shorter one by an eighth: better wait than repeat. */
    uint32_t srtt = t->rtt.srtt8_us >> 3;
    m->srtt_us = srtt >= m->srtt_us ? srtt : m->srtt_us - ((m->srtt_us - srtt) >> 3);
    if (t->rec.reordering > m->reordering && t->rec.reordering != c->tcp_reordering)
        m->reordering = t->rec.reordering;
    if (c->tcp_no_ssthresh_metrics_save == 0)
        m->ssthresh = ssthresh_of(t);
}

/* [RFC 4821 5.2 SHLD-1, MUST-1] */
uint32_t tcp_metric_mtu(const struct tcp *tcp, const struct addr *a)
{
    const struct weir_conf *c = &tcp->env->conf;
    if (!tcp->has_metric_mtu || c->tcp_no_metrics_save != 0)
        return 0;
    const struct tcp_metric *m = metric_find(tcp, a);
    bool is_fresh = m != NULL && tcp_now_ms(tcp) - m->mtu_ms < c->tcp_probe_interval * 1000;
    return is_fresh ? m->mtu : 0;
}

void tcp_metric_mtu_keep(struct tcp *tcp, const struct tcb *t, uint16_t mtu)
{
    if (tcp->env->conf.tcp_no_metrics_save != 0)
        return;
    struct tcp_metric *m = metric_find(tcp, &t->flow.remote);
    if (m == NULL)
        m = metric_make(tcp, &t->flow.remote);
    m->stamp_ms = tcp_stamp_ms(tcp);
    m->mtu = mtu;
    tcp->has_metric_mtu = true;
    m->mtu_ms = tcp_now_ms(tcp);
}
