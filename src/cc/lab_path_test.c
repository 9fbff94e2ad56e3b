/* SPDX-License-Identifier: Apache-2.0
 *
 * The model path: what an algorithm meets in the world, small enough to be seen through.
 *
 * Decides: when a packet leaves the bottleneck, whether it is dropped or marked, when its ACK comes
 * back, what tcp/ would make of that.
 * Owns: struct path, all of it. No part of the product; linked into this room's tests.
 * Calls the front functions of cc.h as tcp/ is to call them; it is their example too.
 *
 * Theory of operation. One queue, first in first out, so a packet's fate is known when it enters:
 * it leaves at max(now, when the link becomes free) + size / rate, its ACK comes a round trip after
 * that. Each packet has its own ACK and ACKs keep their order. A dropped packet counts as lost when
 * three later ones were acknowledged, or after a second without any. What was lost is not sent
 * again: data is endless and one byte as good as another. The delivery rate is measured as in
 * draft-ietf-ccwg-bbr 4.1.
 */
#include "cc/lab_path_test.h"

#include "unit.h"

static struct path_pkt *pkt(struct path_flow *f, uint64_t n) { return &f->pkt[n % PATH_PKTS]; }

void path_init(struct path *p, uint64_t rate_Bps, w_ns rtt, uint32_t buffer)
{
    memset(p, 0, sizeof *p);
    p->rate_Bps = rate_Bps;
    p->rtt = rtt;
    p->buffer = buffer;
    p->now = p->seen_from = W_S;
    p->random = 1;
}

uint32_t path_bdp(const struct path *p)
{
    return (uint32_t)(p->rate_Bps * (p->rtt / W_US) / 1000000);
}

void path_observe(struct path *p)
{
    p->seen_from = p->now;
    p->max_queue = 0;
    p->min_queue = UINT32_MAX;
    p->sum_queue = p->n_queue = 0;
    for (unsigned i = 0; i < PATH_FLOWS; i++) {
        struct path_flow *f = &p->flow[i];
        f->seen_delivered = f->delivered;
        f->seen_lost = f->lost;
        f->max_inflight = f->max_cwnd = 0;
        f->min_inflight = f->min_cwnd = UINT32_MAX;
        f->n_loss_events = 0;
    }
}

uint32_t path_share(const struct path *p, unsigned flow)
{
    const struct path_flow *f = &p->flow[flow];
    uint64_t could = p->rate_Bps * ((p->now - p->seen_from) / W_MS) / 1000;
    return (uint32_t)((f->delivered - f->seen_delivered) * 1000 / could);
}

uint32_t path_mean_queue(const struct path *p)
{
    return p->n_queue == 0 ? 0 : (uint32_t)(p->sum_queue / p->n_queue);
}

/* ---- the bottleneck ---- */

static void observe_queue(struct path *p, uint32_t waiting)
{
    p->max_queue = w_u32_max(p->max_queue, waiting);
    p->min_queue = w_u32_min(p->min_queue, waiting);
    p->sum_queue += waiting;
    p->n_queue++;
}

static bool is_noise(struct path *p, struct path_flow *f)
{
    if (f->n_drop > 0) {
        f->n_drop--;
        return true;
    }
    p->random = p->random * 1664525u + 1013904223u;
    return p->noise != 0 && (p->random >> 8) % p->noise == 0;
}

/* Sets when the ACK of k comes, or that there is none. */
static void enter_queue(struct path *p, struct path_flow *f, struct path_pkt *k)
{
    w_ns free_at = w_u64_max(p->now, p->busy_to);
    uint32_t waiting = (uint32_t)((free_at - p->now) / W_US * p->rate_Bps / 1000000);
    observe_queue(p, waiting);
    if (waiting + PATH_MSS > p->buffer || is_noise(p, f))
        return;
    k->has_mark = p->mark != 0 && waiting >= p->mark;
    p->busy_to = free_at + PATH_MSS * W_S / p->rate_Bps;
    k->ack_at = p->busy_to + p->rtt;
}

/* ---- a sender ---- */

static void send_one(struct path *p, struct path_flow *f)
{
    struct path_pkt *k = pkt(f, f->next);
    assert_true(f->next - f->head < PATH_PKTS);
    if (f->inflight == 0)
        f->first_sent = f->delivered_at = p->now;
    f->inflight += PATH_MSS;
    memset(k, 0, sizeof *k);
    k->sent = p->now;
    k->first_sent = f->first_sent;
    k->delivered_at = f->delivered_at;
    k->delivered = f->delivered;
    k->lost = f->lost;
    k->inflight = f->inflight;
    k->app_limited = f->app_limited_to != 0 || (f->cc.flags & CC_APP_LIMITED) != 0;
    f->next++;
    enter_queue(p, f, k);
    f->max_inflight = w_u32_max(f->max_inflight, f->inflight);
}

static void send_all(struct path *p, struct path_flow *f)
{
    while (f->is_on) {
        if (f->app_bytes != 0 && f->inflight + PATH_MSS > f->app_bytes) {
            f->app_limited_to = f->delivered + f->inflight;
            return;
        }
        if (f->inflight + PATH_MSS > f->cc.cwnd) {
            f->limited_to = f->next;
            return;
        }
        if (f->cc.pacing_Bps != 0 && f->next_send > p->now)
            return;
        send_one(p, f);
        if (f->cc.pacing_Bps != 0)
            f->next_send = w_u64_max(f->next_send, p->now) + PATH_MSS * W_S / f->cc.pacing_Bps;
    }
}

void path_start(struct path *p, unsigned flow, const char *algorithm)
{
    struct path_flow *f = &p->flow[flow];
    int kind = cc_find(algorithm, strlen(algorithm));
    assert_true(kind >= 0);
    cc_init(&f->cc, (unsigned)kind, PATH_MSS, 10 * PATH_MSS, p->now);
    f->is_on = true;
    f->delivered_at = f->first_sent = f->progress_at = p->now;
    path_observe(p);
    send_all(p, f);
}

/* A new round of trouble: tcp/ sets cwnd, but for those that keep it themselves. */
static void loss_event(struct path_flow *f, enum cc_loss what, const struct cc_ack *a)
{
    f->n_loss_events++;
    cc_on_loss(&f->cc, what, a);
    if (what == CC_LOSS_RTO)
        f->cc.cwnd = PATH_MSS;
    else if (!cc_at(f->cc.kind)->every_ack)
        f->cc.cwnd = f->cc.ssthresh;
}

static void mark_lost(struct path *p, struct path_flow *f, struct path_pkt *k)
{
    k->is_marked_lost = true;
    f->inflight -= PATH_MSS;
    f->lost += PATH_MSS;
    struct cc_lost l = {.now = p->now,
                        .delivered = f->delivered,
                        .bytes = PATH_MSS,
                        .lost_since = (uint32_t)(f->lost - k->lost),
                        .tx_inflight = k->inflight,
                        .app_limited = k->app_limited,
                        .has_sack = true};
    cc_on_lost(&f->cc, &l);
}

/* Everything dropped more than two packets before number n. */
static void find_losses(struct path *p, struct path_flow *f, uint64_t n, const struct cc_ack *a)
{
    for (uint64_t i = f->head; i + 3 <= n; i++) {
        struct path_pkt *k = pkt(f, i);
        if (k->ack_at != 0 || k->is_marked_lost)
            continue;
        if (!f->in_recovery && !f->in_timeout) {
            f->in_recovery = true;
            f->recover_to = f->next;
            loss_event(f, CC_LOSS_FAST, a);
        }
        mark_lost(p, f, k);
    }
}

/* draft-ietf-ccwg-bbr 4.1.2.3 */
static void rate_sample(struct path *p, struct path_flow *f, const struct path_pkt *k,
                        struct cc_ack *a)
{
    f->delivered += PATH_MSS;
    f->delivered_at = p->now;
    a->prior_delivered = k->delivered;
    a->lost_since = (uint32_t)(f->lost - k->lost);
    a->tx_inflight = k->inflight;
    a->app_limited = k->app_limited;
    w_ns took = w_u64_max(k->sent - k->first_sent, p->now - k->delivered_at);
    f->first_sent = k->sent;
    if (f->app_limited_to != 0 && f->delivered > f->app_limited_to)
        f->app_limited_to = 0;
    if (took >= f->min_rtt_us * W_US && took != 0)
        a->rate_Bps = (f->delivered - k->delivered) * W_S / took;
}

static void rtt_sample(struct path_flow *f, uint32_t us)
{
    f->min_rtt_us = f->min_rtt_us == 0 ? us : w_u32_min(f->min_rtt_us, us);
    f->srtt_us = f->srtt_us == 0 ? us : (7 * f->srtt_us + us) / 8;
}

/* [RFC 3168 6.1.2] Once per window, and no growth until that window is acknowledged. */
static void answer_mark(struct path_flow *f, uint64_t n, struct cc_ack *a)
{
    if (a->ce_bytes != 0 && n >= f->cwr_to) {
        f->cwr_to = f->next;
        loss_event(f, CC_LOSS_ECN, a);
        cc_on_recovered(&f->cc, a);
    }
    if (n < f->cwr_to)
        a->cwnd_limited = false;
}

static void ack(struct path *p, struct path_flow *f, uint64_t n)
{
    struct path_pkt *k = pkt(f, n);
    uint32_t rtt_us = (uint32_t)((p->now - k->sent) / W_US);
    struct cc_ack a = {.now = p->now,
                       .acked = PATH_MSS,
                       .inflight_prior = f->inflight,
                       .rtt_us = rtt_us,
                       .ce_bytes = k->has_mark ? PATH_MSS : 0,
                       .cwnd_limited = n < f->limited_to,
                       .has_sack = true};
    k->is_acked = true;
    f->progress_at = p->now;
    f->inflight -= PATH_MSS;
    rtt_sample(f, rtt_us);
    rate_sample(p, f, k, &a);
    a.delivered = f->delivered;
    a.srtt_us = f->srtt_us;
    a.min_rtt_us = f->min_rtt_us;
    uint64_t lost_prior = f->lost;
    find_losses(p, f, n, &a);
    a.lost = (uint32_t)(f->lost - lost_prior);
    f->head = n + 1 > 3 ? w_u64_max(f->head, n + 1 - 3) : 0;
    a.inflight = f->inflight;
    answer_mark(f, n, &a);
    bool was_recovery = f->in_recovery;
    a.in_recovery = f->in_recovery || f->in_timeout;
    if (!was_recovery || cc_at(f->cc.kind)->every_ack)
        cc_on_ack(&f->cc, &a);
    if (a.in_recovery && n >= f->recover_to) {
        f->in_recovery = f->in_timeout = false;
        cc_on_recovered(&f->cc, &a);
    }
    f->min_inflight = w_u32_min(f->min_inflight, f->inflight);
    f->max_cwnd = w_u32_max(f->max_cwnd, f->cc.cwnd);
    f->min_cwnd = w_u32_min(f->min_cwnd, f->cc.cwnd);
}

static void timeout(struct path *p, struct path_flow *f)
{
    struct cc_ack a = {.now = p->now, .inflight_prior = f->inflight};
    f->progress_at = p->now;
    f->in_timeout = true;
    f->in_recovery = false;
    f->recover_to = f->next;
    loss_event(f, CC_LOSS_RTO, &a);
    for (uint64_t i = f->head; i < f->next; i++)
        if (pkt(f, i)->ack_at == 0 && !pkt(f, i)->is_marked_lost)
            mark_lost(p, f, pkt(f, i));
    f->head = f->next;
}

/* ---- time ---- */

/* The next packet of f that will be acknowledged, f->next if none. */
static uint64_t next_ack(struct path_flow *f)
{
    uint64_t n = f->head;
    while (n < f->next && (pkt(f, n)->ack_at == 0 || pkt(f, n)->is_acked))
        n++;
    return n;
}

struct event {
    w_ns at;
    struct path_flow *flow;
    uint64_t n;
    bool is_ack;
};

/* ACKs of one flow never come at the same time, the link serves them one by one. */
static struct event next_event(struct path *p)
{
    struct event e = {.at = W_NEVER};
    for (unsigned i = 0; i < PATH_FLOWS; i++) {
        struct path_flow *f = &p->flow[i];
        if (!f->is_on && f->inflight == 0)
            continue;
        uint64_t n = next_ack(f);
        bool has_ack = n < f->next, can_send = f->is_on && f->inflight + PATH_MSS <= f->cc.cwnd;
        w_ns at = has_ack ? pkt(f, n)->ack_at : W_NEVER;
        if (can_send && f->cc.pacing_Bps != 0 && f->next_send > p->now && f->next_send < at) {
            at = f->next_send;
            has_ack = false;
        } else if (!has_ack) {
            at = w_u64_max(f->progress_at + W_S, p->now); /* nothing will come: the timer */
            n = UINT64_MAX;
        }
        if (at < e.at)
            e = (struct event){.at = at, .flow = f, .n = n, .is_ack = has_ack};
    }
    return e;
}

void path_run(struct path *p, w_ns duration)
{
    w_ns end = p->now + duration;
    for (;;) {
        struct event e = next_event(p);
        if (e.at > end)
            break;
        p->now = e.at;
        if (e.is_ack)
            ack(p, e.flow, e.n);
        else if (e.n == UINT64_MAX)
            timeout(p, e.flow);
        send_all(p, e.flow);
    }
    p->now = end;
}
