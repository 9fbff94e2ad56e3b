/* SPDX-License-Identifier: Apache-2.0
 *
 * One seed: draw, run, judge.
 *
 * Decides the shape of each run: how many transfers and what they do, how the link behaves while
 * faults last, how small the hosts' memory is, which options TCP may use. Everything is drawn from
 * the seed in a fixed order, so a run is repeated exactly by its number alone; a change of this
 * file changes what the numbers mean, and nothing else does.
 *
 * The bound: when faults have stopped the longest a connection may still wait for its
 * retransmission timer is the largest RTO; then everything left is carried at the link's rate and
 * the readers' pace. SWARM_BOUND is far above both and far below "never".
 */
#include "sim/swarm.h"

#include "cc/cc.h"
#include "sim/swarm_nics.h"
#include "stack/stack.h"
#include "wire/show.h"

#include <weir/limit.h>

#include <errno.h>
#include <stdlib.h>

enum {
    F_LOSS = 1,
    F_BURST_LOSS = 2,
    F_REORDER = 4,
    F_DUP = 8,
    F_CORRUPT = 16,
    F_JITTER = 32,
    F_CUT = 64,
    F_STARVE = 128,
    F_ABORT = 256,
    F_KINDS = 9,
};

#define SWARM_BOUND  (900 * W_S)
#define SWARM_LINGER (400 * W_S) /* TIME-WAIT, FIN-WAIT-2 and the last retransmissions */

static const char *const fault_names[F_KINDS] = {
    "loss", "burst-loss", "reorder", "dup", "corrupt", "jitter", "cut", "starve", "abort"};

struct swarm {
    struct rng rng;
    struct rng rng_mem; /* of memory budgets, for the same reason */
    struct rng rng6;    /* of what IPv6 adds: worlds without it are drawn as before */
    struct rng rng_opt; /* of options and lesser settings, for the same reason */
    struct rng rng_mtu; /* of hops with an MTU of their own, the same */
    struct rng rng_q;   /* of queues, the same */
    bool has_ip6, has_budget;
    bool has_why;     /* account is kept of what connections wait for: that changes nothing else */
    uint32_t hop_mtu; /* 0: no such hop */
    bool hop_tells;
    unsigned faults;
    struct sim *sim;
    struct oracle oracle;
    struct load load;
    w_ns faults_end;
    struct emu_conf calm;
    struct swarm_nics nics; /* has_nics: instead of calm and the faults of links */
    bool has_nics;
    FILE *trace;
};

static uint32_t pick(struct swarm *w, const uint32_t *v, unsigned n)
{
    return v[rng_below(&w->rng, n)];
}

/* Sizes that matter are spread over magnitudes, not uniform. */
static uint64_t draw_size(struct swarm *w, unsigned max_shift)
{
    unsigned shift = rng_below(&w->rng, max_shift + 1);
    return rng_below(&w->rng, (1u << shift) + 1);
}

static uint32_t pick_opt(struct swarm *w, const uint32_t *v, unsigned n)
{
    return v[rng_below(&w->rng_opt, n)];
}

/* Settings that change when and how much, never whether: the lower half of the worlds has them. */
static void draw_conf_more(struct swarm *w, struct weir_conf *c)
{
    static const uint32_t iw[] = {1, 2, 10, 40}, rcv[] = {65536, 1 << 20, 6291456, 64 << 20},
                          below[] = {1, 3000, 65536, 1 << 20}, rto_us[] = {5000, 50000, 200000},
                          ack_us[] = {1000, 40000, 200000}, queue[] = {1, 4, 100, 1000};
    if (rng_below(&w->rng_opt, 2) != 0)
        return;
    c->tcp_init_cwnd = pick_opt(w, iw, 4);
    c->tcp_rmem_max = pick_opt(w, rcv, 4);
    c->tcp_limit_output_bytes = pick_opt(w, below, 4);
    c->tcp_rto_min_us = pick_opt(w, rto_us, 3);
    c->tcp_orphan_retries = 15; /* eight timeouts of so few milliseconds are no outage */
    c->tcp_delack_max_us = pick_opt(w, ack_us, 3);
    c->tcp_delack_min_us = w_u32_min(c->tcp_delack_min_us, c->tcp_delack_max_us);
    c->txqueuelen = pick_opt(w, queue, 4);
    c->tcp_adv_win_scale = rng_below(&w->rng_opt, 4);
    c->tcp_min_tso_segs = 1 + rng_below(&w->rng_opt, 16);
    c->tcp_reordering = 1 + rng_below(&w->rng_opt, 10);
    c->tcp_slow_start_after_idle = rng_below(&w->rng_opt, 2);
    c->tcp_autocorking = rng_below(&w->rng_opt, 2);
    c->tcp_no_metrics_save = rng_below(&w->rng_opt, 2);
    c->tcp_no_ssthresh_metrics_save = rng_below(&w->rng_opt, 2);
    c->tcp_ecn_fallback = rng_below(&w->rng_opt, 2);
    c->tcp_rfc1337 = rng_below(&w->rng_opt, 2);
    c->tcp_tw_reuse = rng_below(&w->rng_opt, 3);
    c->gro = rng_below(&w->rng_opt, 2);
    c->tcp_timestamps = c->tcp_timestamps != 0 ? 1 + rng_below(&w->rng_opt, 2) : 0;
}

/* Limits of all TCP queues together, in pages, where pools are large enough to reach them. */
static void draw_budget(struct swarm *w, struct weir_conf *c)
{
    static const uint32_t pages[] = {8, 32, 128, 512};
    if ((w->faults & F_STARVE) != 0 || rng_below(&w->rng_mem, 4) != 0)
        return;
    c->tcp_mem_max = pages[rng_below(&w->rng_mem, 4)];
    c->tcp_mem_pressure = 1 + rng_below(&w->rng_mem, c->tcp_mem_max);
    /* A first window takes what a SYN may carry [RFC 7413]. */
    c->tcp_rmem_default = 32768u << rng_below(&w->rng_mem, 3);
    c->tcp_rmem_max = c->tcp_rmem_default << rng_below(&w->rng_mem, 6);
    w->has_budget = true;
}

static void draw_conf(struct swarm *w, struct weir_conf *c)
{
    static const uint32_t pkts[] = {24, 48, 96}, blks[] = {16, 32, 64};
    weir_conf_default(c);
    c->n_tcb = 128;
    c->n_sock = 128;
    c->n_udp = 4;
    c->n_pkt = 4096;
    c->n_blk_small = 2048;
    c->n_blk_big = 512;
    c->n_sent = 4096;
    c->n_syn = 64;
    c->n_tw = 128;
    c->n_mtup = 128;
    /* A hop that drops in silence is found by probes only. */
    if (w->hop_mtu != 0)
        c->tcp_mtu_probing = (w->hop_tells ? 0 : 1) + rng_below(&w->rng_mtu, 2);
    if ((w->faults & F_STARVE) != 0) {
        c->n_pkt = pick(w, pkts, 3);
        c->n_blk_small = pick(w, blks, 3);
        c->n_blk_big = pick(w, blks, 3);
        c->n_sent = pick(w, blks, 3);
    }
    c->tcp_sack = rng_below(&w->rng, 4) != 0;
    c->tcp_timestamps = rng_below(&w->rng, 4) != 0;
    c->tcp_window_scaling = rng_below(&w->rng, 4) != 0;
    c->tcp_congestion_control = rng_below(&w->rng, 9);
    c->tcp_ecn = rng_below(&w->rng, 6);
    c->tcp_ecn_option = rng_below(&w->rng, 4);
    c->tcp_ecn_control = rng_below(&w->rng, 2);
    c->tcp_gso = rng_below(&w->rng, 2);
    c->tcp_recovery = rng_below(&w->rng, 4) != 0 ? 1 : rng_below(&w->rng, 8);
    c->tcp_early_retrans = rng_below(&w->rng, 4) != 0 ? 3 : 0;
    c->tcp_frto = rng_below(&w->rng, 4) != 0 ? 2 : 0;
    c->tcp_dsack = rng_below(&w->rng, 4) != 0;
    c->tcp_moderate_rcvbuf = rng_below(&w->rng, 2);
    /* With and without cookies of both kinds. What a network doubles, or sends to a host that has
     * aborted, can open a connection again: a SYN with data [RFC 7413 6], the ACK of a SYN cookie.
     * No oracle could tell that from a fault. */
    static const uint32_t fast[] = {1, 0x403, 0x607};
    bool is_once = (w->faults & (F_DUP | F_ABORT)) == 0;
    c->tcp_syncookies = is_once ? rng_below(&w->rng, 3) : 0;
    /* Nor can a client try again whose neighbour is not found when the server has its data. */
    if (is_once && (w->faults & (F_BURST_LOSS | F_CUT)) == 0 && w->nics.faults == 0)
        c->tcp_fastopen = pick(w, fast, 3);
    /* Little memory for all: closed connections with much to send may be reset. */
    if ((w->faults & F_STARVE) != 0 && rng_below(&w->rng, 2) == 0) {
        c->tcp_mem_pressure = 1 + rng_below(&w->rng, 64);
        c->tcp_mem_max = c->tcp_mem_pressure + rng_below(&w->rng, 64);
    }
    draw_conf_more(w, c);
    draw_budget(w, c);
}

/* In a quarter of the worlds a hop is narrower than the links, and half of those say so. All sizes
 * are above tcp_mtu_probe_floor, and IPv6's least. */
static void draw_hop(struct swarm *w)
{
    static const uint32_t mtus[] = {600, 1000, 1280, 1400, 1492};
    if (rng_below(&w->rng_mtu, 4) != 0)
        return;
    w->hop_mtu = mtus[rng_below(&w->rng_mtu, 5)];
    w->hop_tells = rng_below(&w->rng_mtu, 2) != 0;
    if (w->has_ip6)
        w->hop_mtu = w_u32_max(w->hop_mtu, 1280);
}

/* Disciplines of both hosts and of the router between them, now and then none but the default. */
static void draw_queues(struct swarm *w, struct weir_conf *a, struct weir_conf *b)
{
    static const uint32_t places[] = {2, 5, 10, 100, 1000}, aqm[] = {AQM_CODEL, AQM_FQ_CODEL};
    if (rng_below(&w->rng_q, 3) == 0)
        return;
    a->qdisc = rng_below(&w->rng_q, 6);
    b->qdisc = rng_below(&w->rng_q, 6);
    a->txqueuelen = places[rng_below(&w->rng_q, 5)];
    b->txqueuelen = places[rng_below(&w->rng_q, 5)];
    if (w->calm.ecn_bytes == 0)
        w->calm.aqm = aqm[rng_below(&w->rng_q, 2)];
}

/* Somebody changes the queue of a busy interface. */
static void swarm_change_queues(struct swarm *w)
{
    for (unsigned i = 0; i < w->sim->n_host; i++) {
        struct weir_qdisc q = {.limit = 1 + rng_below(&w->rng_q, 1000),
                               .rate_Bps = 100000 + rng_below(&w->rng_q, 10000000)};
        const char *name = aqm_name(rng_below(&w->rng_q, AQM_KINDS));
        memcpy(q.kind, name, strlen(name));
        if (weir_qdisc_set(w->sim->host[i].w, w->sim->now, w->sim->link[0].end[i].nif, &q) != 0)
            oracle_fail(&w->oracle, w->sim->now, "host %u refuses the discipline %s", i, name);
        sim_kick(w->sim, &w->sim->host[i]);
    }
}

static struct emu_conf draw_faults(struct swarm *w)
{
    static const uint32_t ppm[] = {1000, 10000, 50000, 150000};
    struct emu_conf c = w->calm;
    if ((w->faults & F_LOSS) != 0)
        c.loss_ppm = pick(w, ppm, 4);
    if ((w->faults & F_BURST_LOSS) != 0) {
        c.ge.p_ppm = 10000;
        c.ge.r_ppm = 200000;
        c.ge.bad_ppm = 800000;
    }
    if ((w->faults & F_REORDER) != 0) {
        c.reorder_ppm = pick(w, ppm, 4);
        c.reorder_ns = (1 + rng_below(&w->rng, 50)) * W_MS;
    }
    if ((w->faults & F_DUP) != 0)
        c.dup_ppm = pick(w, ppm, 4);
    if ((w->faults & F_CORRUPT) != 0)
        c.corrupt_ppm = pick(w, ppm, 3);
    if ((w->faults & F_JITTER) != 0)
        c.jitter_ns = c.delay_ns / 2;
    if ((w->faults & F_CUT) != 0) {
        c.cut_every_ns = (5 + rng_below(&w->rng, 10)) * W_S;
        c.cut_for_ns = (100 + rng_below(&w->rng, 4000)) * W_MS;
    }
    return c;
}

static struct emu_conf draw_calm(struct swarm *w)
{
    static const uint32_t mbit[] = {1, 10, 100, 1000}, delay_us[] = {10, 1000, 20000, 100000};
    static const uint32_t limit[] = {10, 50, 1000}, mark_bytes[] = {0, 0, 5000, 50000};
    return (struct emu_conf){.rate_bps = (uint64_t)pick(w, mbit, 4) * 1000000,
                             .delay_ns = pick(w, delay_us, 4) * W_US,
                             .overhead_bytes = 24,
                             .limit_pkts = pick(w, limit, 3),
                             .mtu = w->hop_mtu,
                             .has_too_big = w->hop_tells,
                             .ecn_bytes = pick(w, mark_bytes, 4)};
}

/* Options of a socket, each with values that a transfer survives: keepalive goes on for a minute,
 * a user timeout ends nothing that moves at all, but where connections may fail. */
static void draw_options(struct swarm *w, struct load_side *s)
{
    static const struct {
        int level, name;
        uint32_t value[3];
    } kinds[] = {
        {1, 47, {20000, 200000, 5000000}}, /* SO_MAX_PACING_RATE */
        {1, 18, {1, 1000, 100000}},        /* SO_RCVLOWAT */
        {6, 2, {88, 536, 1400}},           /* TCP_MAXSEG */
        {6, 8, {1, 5, 60}},                /* TCP_LINGER2 */
        {6, 10, {3000, 16384, 65536}},     /* TCP_WINDOW_CLAMP */
        {6, 12, {0, 1, 1}},                /* TCP_QUICKACK */
        {6, 18, {300000, 600000, 900000}}, /* TCP_USER_TIMEOUT */
        {6, 25, {1, 4096, 131072}},        /* TCP_NOTSENT_LOWAT */
    };
    static const struct load_opt keepalive[LOAD_OPTS] = {
        {1, 9, 1}, {6, 4, 1}, {6, 5, 1}, {6, 6, 60}};
    if (rng_below(&w->rng_opt, 2) != 0)
        return;
    if (rng_below(&w->rng_opt, 3) == 0) {
        s->n_opt = LOAD_OPTS;
        memcpy(s->opt, keepalive, sizeof(keepalive));
    } else {
        s->n_opt = 1 + rng_below(&w->rng_opt, LOAD_OPTS);
        for (unsigned i = 0; i < s->n_opt; i++) {
            unsigned k = rng_below(&w->rng_opt, WEIR_COUNT(kinds));
            uint32_t v = pick_opt(w, kinds[k].value, 3);
            bool is_short = kinds[k].name == 18 && kinds[k].level == 6 &&
                            (w->faults & F_ABORT) != 0 && rng_below(&w->rng_opt, 2) == 0;
            s->may_give_up = s->may_give_up || is_short;
            s->opt[i] = (struct load_opt){kinds[k].level, kinds[k].name, is_short ? 3000 : v};
        }
    }
    if (rng_below(&w->rng_opt, 3) == 0) {
        s->cc_to = cc_at(rng_below(&w->rng_opt, 9))->name;
        s->cc_at = rng_below(&w->rng_opt, (uint32_t)s->bytes + 1);
    }
}

/* Paced packets wait below TCP: what was acknowledged meanwhile may still leave. */
static bool is_paced(const struct swarm *w, unsigned host, uint32_t cc)
{
    bool is = cc_at(cc)->wants_rate != 0;
    for (unsigned i = 0; i < w->load.n_xfer; i++)
        for (unsigned k = 0; k < 2; k++) {
            const struct load_end *e = &w->load.xfer[i].end[k];
            if (e->host->id != host)
                continue;
            int to = e->conf.cc_to != NULL ? cc_find(e->conf.cc_to, strlen(e->conf.cc_to)) : -1;
            is = is || (to >= 0 && cc_at((unsigned)to)->wants_rate != 0);
            for (unsigned n = 0; n < e->conf.n_opt; n++)
                is = is || (e->conf.opt[n].level == 1 && e->conf.opt[n].name == 47);
        }
    return is;
}

static void draw_side(struct swarm *w, struct load_side *s)
{
    static const uint32_t pauses_ms[] = {0, 0, 0, 1, 50, 400}, bufs[] = {0, 0, 2048, 8192, 65536};
    s->bytes = draw_size(w, 19);
    s->write_bytes = (uint32_t)draw_size(w, 16) + 1;
    s->read_bytes = (uint32_t)draw_size(w, 16) + 1;
    /* At most a few hundred pauses: the bound must stay a bound. */
    s->read_pause = s->read_bytes > 2000 ? pick(w, pauses_ms, 6) * W_MS : 0;
    s->write_pause = s->write_bytes > 2000 ? pick(w, pauses_ms, 6) * W_MS : 0;
    s->sndbuf = pick(w, bufs, 5);
    s->rcvbuf = pick(w, bufs, 5);
    s->is_nodelay = rng_below(&w->rng, 2) != 0;
    if ((w->faults & F_ABORT) != 0 && rng_below(&w->rng, 3) == 0)
        s->abort_at = rng_below(&w->rng, (uint32_t)s->bytes + 1);
    draw_options(w, s);
}

static int draw_load(struct swarm *w, struct sim_host *a, struct sim_host *b)
{
    unsigned n = 1 + rng_below(&w->rng, 6);
    load_init(&w->load, w->sim, &w->oracle);
    w->load.is_dual = w->has_ip6;
    w->load.may_fail = (w->faults & (F_ABORT | F_STARVE)) != 0 || w->has_budget;
    int r = load_listen(&w->load, a);
    if (r == 0)
        r = load_listen(&w->load, b);
    for (unsigned i = 0; r == 0 && i < n; i++) {
        bool is_a = rng_below(&w->rng, 2) != 0;
        w_ns start = w->sim->now + rng_below(&w->rng, 3000) * W_MS;
        struct xfer *x =
            load_add(&w->load, is_a ? a : b, is_a ? b : a, is_a ? 0x0a000002 : 0x0a000001, start);
        x->is_ip6 = w->has_ip6 && rng_below(&w->rng6, 4) != 0;
        draw_side(w, &x->end[0].conf);
        draw_side(w, &x->end[1].conf);
    }
    return r;
}

/* All queues together: the limit; beyond it each connection's least share, and what its peer was
 * invited to send before, with its overhead. */
static void check_memory(struct swarm *w, w_ns now, unsigned host)
{
    const struct tcp *t = &w->sim->host[host].w->tcp;
    uint64_t n = t->tcbs.in_use;
    uint64_t least = t->env->conf.tcp_wmem_min + 4 * BLK_BIG;
    uint64_t most = t->mem_max + n * least + 2 * (t->promised + n * t->wnd_free);
    if (t->mem_bytes > most)
        oracle_fail(&w->oracle, now, "host %u holds %llu bytes in TCP queues, limit %llu", host,
                    (unsigned long long)t->mem_bytes, (unsigned long long)t->mem_max);
}

static bool is_on_ring(const struct swarm *w, unsigned host)
{
    return sim_nics_has_frames(w->sim->link[0].nics, host);
}

/* Every now and then: whatever a connection waited for, it was charged once. */
static void check_limits(struct swarm *w, w_ns now, unsigned host)
{
    struct weir_limits l;
    uint64_t cursor = 0;
    if (w->sim->n_frames % 64 != 0)
        return;
    while (weir_limits_next(w->sim->host[host].w, now, &cursor, &l)) {
        w_ns sum = 0;
        for (unsigned i = 0; i < WEIR_LIMIT_N; i++)
            sum += l.ns[i];
        if (sum != l.life || (l.state != TCPS_CLOSED && l.begun + l.life != now))
            oracle_fail(&w->oracle, now,
                        "host %u: a connection of port %u lives %llu ns and waited %llu", host,
                        l.local.port, (unsigned long long)l.life, (unsigned long long)sum);
    }
}

static void swarm_watch(void *ctx, w_ns now, unsigned host, bool is_out, const uint8_t *frame,
                        uint32_t n)
{
    struct swarm *w = ctx;
    char text[512];
    struct weir_qdisc_stats q;
    if (!is_out &&
        weir_qdisc_stats(w->sim->host[host].w, now, w->sim->link[0].end[host].nif, &q) == 0)
        w->oracle.has_queue[host] = q.packets != 0 || (w->has_nics && is_on_ring(w, host));
    oracle_watch(&w->oracle, now, host, is_out, frame, n);
    check_memory(w, now, host);
    check_limits(w, now, host);
    if (w->trace == NULL)
        return;
    (void)wire_show_eth(frame, n, n, text, sizeof(text));
    fprintf(w->trace, "%12.6f %c %s %s\n", (double)now / 1e9, (char)('A' + host),
            is_out ? "sends" : "gets ", text);
}

static int swarm_world(struct swarm *w)
{
    static const uint32_t mtus[] = {576, 1500, 1500, 9000};
    struct weir_conf ca, cb;
    draw_conf(w, &ca);
    draw_conf(w, &cb);
    w->calm = draw_calm(w);
    draw_queues(w, &ca, &cb);
    ca.tcp_why = cb.tcp_why = w->has_why;
    w->faults_end = w->sim->now + (1 + rng_below(&w->rng, 20)) * W_S;
    struct sim_join j = {.a_ip = 0x0a000001, .b_ip = 0x0a000002, .mtu = pick(w, mtus, 4)};
    j.has_ip6 = w->has_ip6;
    if (w->has_ip6)
        j.mtu = w_u32_max(j.mtu, 1280); /* [RFC 8200 5] */
    if (w->has_nics) {
        j.mtu = w->nics.mtu;
        j.nics = &w->nics.conf;
    }
    w->oracle.link_mtu = j.mtu;
    j.ab = draw_faults(w);
    j.ba = draw_faults(w);
    j.a = sim_add_host(w->sim, &ca);
    j.b = sim_add_host(w->sim, &cb);
    if (j.a == NULL || j.b == NULL)
        return -ENOMEM;
    w->sim->watch = swarm_watch;
    w->sim->watch_ctx = w;
    int r = sim_join(w->sim, &j);
    r = r < 0 ? r : draw_load(w, j.a, j.b);
    for (unsigned i = 0; r == 0 && i < 2; i++) {
        w->oracle.is_paced[i] = is_paced(w, i, (i == 0 ? &ca : &cb)->tcp_congestion_control);
    }
    if (r == 0 && w->has_nics)
        swarm_nics_fail(&w->nics, w->sim->link[0].nics);
    return r;
}

/* With faults, then calm, then long enough for everything to be forgotten. */
static void swarm_calm(struct swarm *w)
{
    struct sim_link *l = &w->sim->link[0];
    if (w->has_nics) {
        swarm_nics_calm(l->nics);
        if (rng_below(&w->nics.rng, 2) == 0 &&
            swarm_nics_change(&w->nics, l->nics, w->sim->now) != 0)
            oracle_fail(&w->oracle, w->sim->now, "a driver refuses its new settings");
        return;
    }
    emu_set_conf(&l->dir[0], &w->calm, w->sim->now);
    emu_set_conf(&l->dir[1], &w->calm, w->sim->now);
}

static void swarm_play(struct swarm *w)
{
    bool is_done = load_run_world(&w->load, w->faults_end);
    swarm_calm(w);
    if (rng_below(&w->rng_q, 2) == 0)
        swarm_change_queues(w);
    if (!is_done)
        is_done = load_run_world(&w->load, w->faults_end + SWARM_BOUND);
    if (!is_done)
        oracle_fail(&w->oracle, w->sim->now, "transfers did not end within %d s of the last fault",
                    (int)(SWARM_BOUND / W_S));
    load_end_all(&w->load);
    w_ns until = w->sim->now + SWARM_LINGER;
    while (!oracle_is_violated(&w->oracle) && sim_step(w->sim, until))
        (void)load_run(&w->load);
}

static void swarm_leftovers(struct swarm *w)
{
    struct weir_sock_info info;
    for (unsigned i = 0; i < w->sim->n_host; i++) {
        uint64_t cursor = 0;
        while (weir_sock_next(w->sim->host[i].w, w->sim->now, &cursor, &info))
            if (info.state != 10)
                oracle_fail(&w->oracle, w->sim->now,
                            "host %u still has a connection in state %u long after its end", i,
                            info.state);
    }
}

static int link_words(const struct swarm *w, char *out, size_t n)
{
    if (w->has_nics)
        return swarm_nics_words(&w->nics, out, n);
    return snprintf(out, n,
                    "%llu Mbit/s, %.2f ms, faults:", (unsigned long long)w->calm.rate_bps / 1000000,
                    (double)w->calm.delay_ns / 1e6);
}

static void swarm_words(const struct swarm *w, struct swarm_result *out)
{
    int n = snprintf(out->what, sizeof(out->what), "%u transfers%s, ", w->load.n_xfer,
                     w->has_ip6 ? " (IPv6 too)" : "");
    n += link_words(w, out->what + n, sizeof(out->what) - (size_t)n);
    for (unsigned i = 0; i < F_KINDS; i++)
        if ((w->faults & 1u << i) != 0 && n < (int)sizeof(out->what))
            n += snprintf(out->what + n, sizeof(out->what) - (size_t)n, " %s", fault_names[i]);
    if (w->hop_mtu != 0 && n < (int)sizeof(out->what))
        n += snprintf(out->what + n, sizeof(out->what) - (size_t)n, " %s of %u",
                      w->hop_tells ? "hop" : "black hole", w->hop_mtu);
    if (w->faults == 0 && w->nics.faults == 0 && n < (int)sizeof(out->what))
        snprintf(out->what + n, sizeof(out->what) - (size_t)n, " none");
}

/* Where each transfer that did not end stands: the first thing one wants to know of a hang. */
static void swarm_stuck(const struct swarm *w, FILE *f)
{
    for (unsigned i = 0; f != NULL && i < w->load.n_xfer; i++) {
        const struct xfer *x = &w->load.xfer[i];
        for (unsigned k = 0; k < 2 && x->done_at == 0; k++) {
            const struct load_end *e = &x->end[k];
            fprintf(f, "transfer %u %s: state %d, sent %llu of %llu%s, got %llu%s, poll %x\n", i,
                    k == 0 ? "client" : "server", (int)e->state, (unsigned long long)e->sent,
                    (unsigned long long)e->conf.bytes, e->has_shut ? ", shut" : "",
                    (unsigned long long)e->got, e->has_eof ? ", to the end" : "",
                    e->s != 0 ? weir_poll(e->host->w, e->s) : 0);
        }
    }
}

/* What each host's memory is doing, and its counters. */
static void swarm_memory(const struct swarm *w, FILE *f)
{
    for (unsigned i = 0; f != NULL && i < w->sim->n_host; i++) {
        const struct pktmem *m = stack_mem(w->sim->host[i].w);
        const char *name;
        uint64_t v;
        fprintf(f, "host %c: %u of %u packets, %u of %u small and %u of %u big blocks in use\n",
                (char)('A' + i), m->pkts.in_use, m->pkts.cap, m->small_blks.in_use,
                m->small_blks.cap, m->big_blks.in_use, m->big_blks.cap);
        for (unsigned k = 0; weir_counter(w->sim->host[i].w, k, &name, &v); k++)
            if (v != 0)
                fprintf(f, "  %-32s %llu\n", name, (unsigned long long)v);
        if (w->has_nics)
            swarm_nics_show(w->sim->link[0].nics, i, f);
    }
}

static void judge_nics(const struct swarm *w, struct swarm_result *out)
{
    const struct sim_nics *l = w->sim->link[0].nics;
    swarm_nics_count(l, out->nic_faults);
    out->nic_works = swarm_nics_worked(&w->nics, l);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 0; k < VNIC_N_COUNTERS; k++)
            out->driver[k] += l->end[i].driver.count[k];
}

static void swarm_judge(struct swarm *w, struct swarm_result *out)
{
    out->took = w->sim->now - W_S;
    out->hash = w->sim->hash;
    out->n_frames = w->sim->n_frames;
    out->n_xfer = w->load.n_xfer;
    if (w->has_nics)
        judge_nics(w, out);
    for (unsigned i = 0; i < w->load.n_xfer; i++) {
        const struct xfer *x = &w->load.xfer[i];
        out->n_bytes += x->end[0].got + x->end[1].got;
        out->has_ip4 |= !x->is_ip6;
        out->has_ip6 |= x->is_ip6;
        out->n_failed += x->end[0].state == SIDE_FAILED || x->end[1].state == SIDE_FAILED;
    }
}

/* What a link would do to packets, and how narrow it would be, is not for a cable. */
static void draw_nics(struct swarm *w, uint64_t seed)
{
    static const uint32_t mtus[] = {576, 1500, 1500, 9000};
    uint32_t mtu = mtus[seed % 4];
    w->has_nics = true;
    w->faults &= (unsigned)(F_STARVE | F_ABORT);
    w->hop_mtu = 0;
    swarm_nics_draw(&w->nics, seed ^ 0x6e696373, w->has_ip6 ? w_u32_max(mtu, 1280) : mtu);
}

int swarm_run(uint64_t seed, enum swarm_kind kind, struct swarm_result *out, FILE *trace)
{
    return swarm_run_seen(seed, kind, out, trace, NULL);
}

int swarm_run_seen(uint64_t seed, enum swarm_kind kind, struct swarm_result *out, FILE *trace,
                   struct view *view)
{
    struct swarm *w = calloc(1, sizeof(*w));
    *out = (struct swarm_result){.seed = seed};
    if (w == NULL)
        return -ENOMEM;
    w->trace = trace;
    w->has_why = seed % 2 != 0;
    rng_seed(&w->rng, seed);
    rng_seed(&w->rng6, ~seed);
    rng_seed(&w->rng_opt, seed ^ 0x6f7074696f6e73);
    rng_seed(&w->rng_mem, seed ^ 0x6d656d6f7279);
    w->has_ip6 = rng_below(&w->rng6, 3) == 0;
    rng_seed(&w->rng_mtu, seed ^ 0x6d7475);
    draw_hop(w);
    rng_seed(&w->rng_q, seed ^ 0x7175657565);
    for (unsigned i = 0; i < F_KINDS; i++)
        w->faults |= rng_below(&w->rng, 3) == 0 ? 1u << i : 0;
    if (kind == SWARM_NICS)
        draw_nics(w, seed);
    w->sim = sim_new(rng_u64(&w->rng));
    if (w->sim != NULL && view != NULL)
        view_attach(view, w->sim);
    oracle_init(&w->oracle);
    int r = w->sim == NULL ? -ENOMEM : swarm_world(w);
    if (r == 0) {
        swarm_play(w);
        if (!oracle_is_violated(&w->oracle))
            swarm_leftovers(w);
        swarm_words(w, out);
        swarm_stuck(w, trace);
        swarm_memory(w, trace);
        swarm_judge(w, out);
    }
    if (w->sim != NULL)
        out->leaked = sim_free(w->sim);
    if (r == 0 && out->leaked != 0 && !oracle_is_violated(&w->oracle))
        oracle_fail(&w->oracle, 0, "%u packets, blocks or sockets leaked", out->leaked);
    memcpy(out->violation, w->oracle.violation, sizeof(out->violation));
    out->violated_at = w->oracle.violated_at;
    r = r < 0 ? r : oracle_is_violated(&w->oracle);
    free(w);
    return r;
}
