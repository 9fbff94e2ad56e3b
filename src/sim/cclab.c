/* SPDX-License-Identifier: Apache-2.0
 *
 * One experiment: the world is built, runs warm, runs on while it is measured, is judged.
 *
 * Decides where a path's delay lies (a millisecond of it in the bottleneck, the rest on each
 * sender's own link, so that senders may have different RTTs), how finely the queue is looked at,
 * and what fair means.
 * Owns struct lab_world for the length of a run. Called by the command (`weir sim cc`) and tests;
 * uses sim.h, load.h, oracle.h, and TCP_INFO as any program could.
 *
 * Nothing in the world is exact to the nanosecond: each sender's link has a jitter of half a
 * packet's time at the bottleneck. Without it whose packet finds the queue full is decided by
 * phase, not by algorithms (Floyd, Jacobson, "On Traffic Phase Effects in Packet-Switched
 * Gateways", 1991).
 *
 * The mean of the queue is over time, looked at every LAB_LOOKS-th part of an RTT: what a packet of
 * somebody else's would wait.
 */
#include "sim/cclab.h"

#include "cc/cc.h"
#include "tcp/tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    LAB_ROUTER = 0, /* the first host */
    LAB_LOOKS = 20,
    LAB_BINS = 1000, /* of the queue's histogram */
    LAB_SECONDS = 600,
    LAB_FAIR_PERCENT = 80,
    LAB_WINDOW = 2, /* seconds over which a share counts */
    LEVEL_TCP = 6,
    OPT_TCP_INFO = 11,
};

/* What a flow had done by a moment. */
struct lab_mark {
    uint64_t got, sent, again;
    uint32_t n_timeouts;
};

struct lab_world {
    const struct lab *lab;
    struct sim *sim;
    struct oracle oracle;
    struct load load;
    struct emu *bottleneck;
    struct sim_host *host[LAB_FLOWS];
    struct xfer *first[LAB_FLOWS]; /* of each flow; its others follow */
    w_ns last_byte[LOAD_XFERS];    /* when a transfer's last byte was read; 0: not yet */
    w_ns begin, look_at;
    bool is_measuring;
    struct {
        uint64_t sum_us, n;
        uint32_t max_us, min_us;
        uint32_t bin[LAB_BINS + 1];
    } queue;
    uint32_t kbyte[LAB_SECONDS + 1][LAB_FLOWS]; /* got by the end of each second */
};

uint64_t lab_bdp(const struct lab *l) { return l->rate_bps / 8 * (l->rtt / W_US) / 1000000; }

uint32_t lab_jain_pm(const uint64_t *x, unsigned n)
{
    uint64_t sum = 0, squares = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t k = x[i] / 1000; /* squares of Gbit/s would not fit */
        sum += k;
        squares += k * k;
    }
    return squares == 0 ? 1000 : (uint32_t)((sum * sum * 1000 + squares * n / 2) / (squares * n));
}

/* The router's frames are not its own: only ends are judged. */
static void lab_watch(void *ctx, w_ns now, unsigned host, bool is_out, const uint8_t *frame,
                      uint32_t n)
{
    if (host != LAB_ROUTER)
        oracle_watch(ctx, now, host, is_out, frame, n);
}

/* ---- the world ---- */

static struct weir_conf lab_conf(const struct lab *l, uint32_t cc)
{
    struct weir_conf c;
    weir_conf_default(&c);
    c.n_tcb = c.n_sock = 64;
    c.n_udp = 4;
    c.n_tw = 128;
    c.n_syn = 64;
    c.tcp_congestion_control = cc;
    c.tcp_no_metrics_save = 1; /* one flow is no news to the next */
    c.tcp_ecn = l->mark_percent != 0 ? 1 : 2;
    if (l->max_cwnd_bytes != 0) {
        c.n_blk_big = l->max_cwnd_bytes / 4096; /* segments on their way hold whole blocks */
        c.n_pkt = c.n_sent = c.n_blk_small = 32768;
        c.tcp_wmem_max = c.tcp_rmem_max = 2 * l->max_cwnd_bytes;
    }
    return c;
}

static struct weir_addr lab_addr(uint32_t ip)
{
    struct weir_addr a = {.family = 4};
    if (ip != 0) {
        a.ip[10] = a.ip[11] = 0xff;
        w_put32(a.ip + 12, ip);
    }
    return a;
}

/* Network i has the router at .1 and the other end at .2. */
static uint32_t lab_ip(unsigned net, unsigned host) { return 0x0a000000u | net << 8 | host; }

enum { LAB_NET_RECEIVER = 200 };
#define LAB_NEAR (W_MS / 2) /* one way through the bottleneck */

/* By the router, for the end of the last link that is not its own. */
static int lab_default_route(struct sim *s, unsigned side, unsigned net)
{
    const struct sim_end *e = &s->link[s->n_link - 1].end[side];
    struct weir_addr any = lab_addr(0), gw = lab_addr(lab_ip(net, 1));
    return weir_route_add(e->host->w, e->nif, &any, 0, &gw);
}

static int lab_join_receiver(struct lab_world *w, struct sim_host *router,
                             struct sim_host *receiver)
{
    const struct lab *l = w->lab;
    uint64_t bdp = lab_bdp(l);
    struct sim_join j = {.a = router, .b = receiver, .mtu = 1500};
    j.a_ip = lab_ip(LAB_NET_RECEIVER, 1);
    j.b_ip = lab_ip(LAB_NET_RECEIVER, 2);
    j.ab = (struct emu_conf){.rate_bps = l->rate_bps,
                             .delay_ns = LAB_NEAR,
                             .loss_ppm = l->loss_ppm,
                             .ecn_bytes = bdp * l->mark_percent / 100,
                             .limit_pkts = UINT32_MAX,
                             .limit_bytes = bdp * l->buffer_percent / 100};
    j.ba = (struct emu_conf){.delay_ns = LAB_NEAR};
    int r = sim_join(w->sim, &j);
    return r < 0 ? r : lab_default_route(w->sim, 1, LAB_NET_RECEIVER);
}

static int lab_join_sender(struct lab_world *w, struct sim_host *router, unsigned i)
{
    const struct lab *l = w->lab;
    w_ns rtt = l->flow[i].rtt != 0 ? l->flow[i].rtt : l->rtt;
    struct sim_join j = {.a = w->host[i], .b = router, .mtu = 1500};
    j.a_ip = lab_ip(i + 1, 2);
    j.b_ip = lab_ip(i + 1, 1);
    j.ab = (struct emu_conf){.delay_ns = rtt / 2 - w_u64_min(LAB_NEAR, rtt / 2),
                             .jitter_ns = LAB_FRAME * 8 * W_S / l->rate_bps / 2};
    j.ba = (struct emu_conf){.delay_ns = j.ab.delay_ns};
    int r = sim_join(w->sim, &j);
    return r < 0 ? r : lab_default_route(w->sim, 0, i + 1);
}

static int lab_hosts(struct lab_world *w)
{
    const struct lab *l = w->lab;
    struct weir_conf c = lab_conf(l, 0);
    c.ip_forward = 1;
    struct sim_host *router = sim_add_host(w->sim, &c);
    c.ip_forward = 0;
    struct sim_host *receiver = router == NULL ? NULL : sim_add_host(w->sim, &c);
    if (receiver == NULL)
        return -ENOMEM;
    int r = lab_join_receiver(w, router, receiver);
    w->bottleneck = &w->sim->link[0].dir[0];
    for (unsigned i = 0; r == 0 && i < l->n_flow; i++) {
        c = lab_conf(l, l->flow[i].cc);
        w->host[i] = sim_add_host(w->sim, &c);
        if (w->host[i] == NULL)
            return -ENOMEM;
        w->oracle.is_paced[w->host[i]->id] = cc_at(l->flow[i].cc)->wants_rate != 0;
        r = lab_join_sender(w, router, i);
    }
    return r < 0 ? r : load_listen(&w->load, receiver);
}

static unsigned flow_n(const struct lab_flow *f) { return f->bytes == 0 ? 1 : f->n; }

static int lab_flows(struct lab_world *w)
{
    const struct lab *l = w->lab;
    struct sim_host *receiver = &w->sim->host[LAB_ROUTER + 1];
    for (unsigned i = 0; i < l->n_flow; i++) {
        const struct lab_flow *f = &l->flow[i];
        for (unsigned k = 0; k < flow_n(f); k++) {
            w_ns start = w->begin + f->start + k * f->every;
            struct xfer *x =
                load_add(&w->load, w->host[i], receiver, lab_ip(LAB_NET_RECEIVER, 2), start);
            if (x == NULL)
                return -EINVAL;
            x->end[0].conf.bytes = f->bytes != 0 ? f->bytes : UINT64_MAX / 2;
            x->end[1].conf.read_bytes = LOAD_CHUNK;
            if (k == 0)
                w->first[i] = x;
        }
    }
    return 0;
}

/* ---- while it runs ---- */

static void lab_look(struct lab_world *w)
{
    w_ns now = w->sim->now, rtt = w->lab->rtt;
    uint32_t second = (uint32_t)((now - w->begin) / W_S);
    for (unsigned i = 0; i < w->lab->n_flow && second <= LAB_SECONDS; i++)
        w->kbyte[second][i] = (uint32_t)(w->first[i]->end[1].got / 1000);
    w->look_at = now + rtt / LAB_LOOKS;
    if (!w->is_measuring)
        return;
    uint32_t us = w->bottleneck->busy > now ? (uint32_t)((w->bottleneck->busy - now) / W_US) : 0;
    w->queue.sum_us += us;
    w->queue.n++;
    w->queue.max_us = w_u32_max(w->queue.max_us, us);
    w->queue.min_us = w_u32_min(w->queue.min_us, us);
    uint64_t full_us = w->lab->rtt / W_US * w->lab->buffer_percent / 100 + 1;
    w->queue.bin[w_u64_min((uint64_t)us * LAB_BINS / full_us, LAB_BINS)]++;
}

static void lab_notice_ends(struct lab_world *w)
{
    for (unsigned i = 0; i < w->load.n_xfer; i++) {
        const struct xfer *x = &w->load.xfer[i];
        if (w->last_byte[i] == 0 && x->end[1].got == x->end[0].conf.bytes)
            w->last_byte[i] = w->sim->now;
    }
}

static void lab_run_until(struct lab_world *w, w_ns until)
{
    while (w->sim->now < until && !oracle_is_violated(&w->oracle)) {
        while (load_run(&w->load))
            ;
        lab_notice_ends(w);
        if (w->sim->now >= w->look_at)
            lab_look(w);
        (void)sim_step(w->sim, w_u64_min(w_u64_min(until, w->look_at), load_next(&w->load)));
    }
}

static struct lab_mark lab_mark(const struct lab_world *w, unsigned flow)
{
    struct lab_mark m = {.got = 0};
    for (unsigned k = 0; k < flow_n(&w->lab->flow[flow]); k++) {
        const struct xfer *x = w->first[flow] + k;
        struct weir_tcp_info info = {.rto = 0};
        size_t n = sizeof(info);
        m.got += x->end[1].got;
        if (x->end[0].s == 0 || weir_getsockopt(x->end[0].host->w, w->sim->now, x->end[0].s,
                                                LEVEL_TCP, OPT_TCP_INFO, &info, &n) < 0)
            continue;
        m.sent += info.bytes_sent;
        m.again += info.bytes_retrans;
        m.n_timeouts += info.total_rto;
    }
    return m;
}

/* ---- figures ---- */

static uint32_t part_ppm(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (uint32_t)(part * 1000000 / whole);
}

static void see_transfers(const struct lab_world *w, unsigned flow, struct lab_flow_seen *out)
{
    uint64_t sum_us = 0;
    for (unsigned k = 0; k < flow_n(&w->lab->flow[flow]); k++) {
        const struct xfer *x = w->first[flow] + k;
        if (w->last_byte[x->id] == 0)
            continue;
        uint32_t us = (uint32_t)((w->last_byte[x->id] - x->start) / W_US);
        sum_us += us;
        out->n_done++;
        out->worst_us = w_u32_max(out->worst_us, us);
    }
    out->mean_us = out->n_done == 0 ? 0 : (uint32_t)(sum_us / out->n_done);
}

/* The first LAB_WINDOW seconds after the start in which the flow got LAB_FAIR_PERCENT of an equal
 * share of what all got. */
static uint32_t see_fair_ms(const struct lab_world *w, unsigned flow)
{
    const struct lab *l = w->lab;
    uint32_t from = (uint32_t)(l->flow[flow].start / W_S);
    uint32_t end = (uint32_t)w_u64_min((l->warm + l->took) / W_S, LAB_SECONDS);
    for (uint32_t s = from; s + LAB_WINDOW < end; s++) {
        uint64_t all = 0, own = w->kbyte[s + LAB_WINDOW][flow] - w->kbyte[s][flow];
        unsigned n = 0;
        for (unsigned i = 0; i < l->n_flow; i++) {
            all += w->kbyte[s + LAB_WINDOW][i] - w->kbyte[s][i];
            n += l->flow[i].start <= s * W_S;
        }
        if (own * 100 * n >= all * LAB_FAIR_PERCENT)
            return (uint32_t)(((s + 1) * W_S - l->flow[flow].start) / W_MS);
    }
    return 0;
}

static void see_flow(const struct lab_world *w, unsigned i, const struct lab_mark *before,
                     struct lab_flow_seen *out)
{
    struct lab_mark m = lab_mark(w, i);
    out->goodput_bps = (m.got - before->got) * 8 * 1000 / (w->lab->took / W_MS);
    out->fair_ms = see_fair_ms(w, i);
    see_transfers(w, i, out);
    /* of transfers that ended meanwhile nothing is known any more */
    if (m.sent > before->sent)
        out->retrans_ppm = part_ppm(m.again - before->again, m.sent - before->sent);
    if (m.n_timeouts > before->n_timeouts)
        out->n_timeouts = m.n_timeouts - before->n_timeouts;
}

static void see_shares(const struct lab *l, struct lab_seen *out)
{
    uint64_t x[LAB_FLOWS], sum = 0, could = l->rate_bps / LAB_FRAME * LAB_PAYLOAD;
    unsigned n = 0;
    for (unsigned i = 0; i < l->n_flow; i++) {
        sum += out->flow[i].goodput_bps;
        if (l->flow[i].bytes == 0)
            x[n++] = out->flow[i].goodput_bps;
    }
    out->share_pm = (uint32_t)(sum * 1000 / could);
    out->jain_pm = lab_jain_pm(x, n);
}

static void see_queue(const struct lab_world *w, struct lab_seen *out)
{
    uint64_t rtt_us = w->lab->rtt / W_US, n = 0;
    uint64_t full_us = rtt_us * w->lab->buffer_percent / 100 + 1;
    unsigned bin = 0;
    while (bin < LAB_BINS && n + w->queue.bin[bin] <= w->queue.n * 95 / 100)
        n += w->queue.bin[bin++];
    out->queue_us = w->queue.n == 0 ? 0 : (uint32_t)(w->queue.sum_us / w->queue.n);
    out->queue_p95_us = (uint32_t)(bin * full_us / LAB_BINS);
    out->queue_max_us = w->queue.max_us;
    out->queue_min_us = w->queue.min_us;
    out->rtt_pm = (uint32_t)((rtt_us + out->queue_us) * 1000 / rtt_us);
}

static void lab_measure(struct lab_world *w, struct lab_seen *out)
{
    struct lab_mark before[LAB_FLOWS];
    uint64_t count[EMU_N_COUNTERS];
    const struct emu *e = w->bottleneck;
    w->queue.min_us = UINT32_MAX;
    lab_run_until(w, w->begin + w->lab->warm);
    for (unsigned i = 0; i < w->lab->n_flow; i++)
        before[i] = lab_mark(w, i);
    memcpy(count, e->count, sizeof(count));
    w->is_measuring = true;
    lab_run_until(w, w->begin + w->lab->warm + w->lab->took);
    for (unsigned i = 0; i < w->lab->n_flow; i++)
        see_flow(w, i, &before[i], &out->flow[i]);
    see_shares(w->lab, out);
    see_queue(w, out);
    uint64_t n = e->count[EMU_PUSHED] - count[EMU_PUSHED];
    out->drop_ppm = part_ppm(e->count[EMU_DROP_LIMIT] - count[EMU_DROP_LIMIT], n);
    out->mark_ppm = part_ppm(e->count[EMU_ECN_MARK] - count[EMU_ECN_MARK], n);
    out->n_drop = e->count[EMU_DROP_LIMIT];
    out->hash = w->sim->hash;
}

static bool is_possible(const struct lab *l)
{
    bool is = l->n_flow != 0 && l->n_flow <= LAB_FLOWS && l->rate_bps >= 100000 &&
              l->rtt >= 2 * W_MS && l->buffer_percent != 0 && l->took != 0;
    for (unsigned i = 0; is && i < l->n_flow; i++)
        is = cc_at(l->flow[i].cc) != NULL &&
             (l->flow[i].bytes == 0 || (l->flow[i].n != 0 && l->flow[i].n <= LAB_SHORTS));
    return is;
}

int lab_run(const struct lab *l, struct lab_seen *out)
{
    *out = (struct lab_seen){.hash = 0};
    if (!is_possible(l))
        return -EINVAL;
    struct lab_world *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return -ENOMEM;
    w->lab = l;
    w->sim = sim_new(l->seed);
    oracle_init(&w->oracle);
    int r = w->sim == NULL ? -ENOMEM : 0;
    if (r == 0) {
        w->sim->watch = lab_watch;
        w->sim->watch_ctx = &w->oracle;
        w->begin = w->look_at = w->sim->now;
        load_init(&w->load, w->sim, &w->oracle);
        w->load.may_fail = true; /* what is left over at the end is cut off */
        r = lab_hosts(w);
    }
    if (r == 0)
        r = lab_flows(w);
    if (r == 0) {
        lab_measure(w, out);
        memcpy(out->violation, w->oracle.violation, sizeof(out->violation));
        r = oracle_is_violated(&w->oracle);
        load_end_all(&w->load);
    }
    if (w->sim != NULL)
        (void)sim_free(w->sim);
    free(w);
    return r;
}
