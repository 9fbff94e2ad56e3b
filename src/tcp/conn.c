/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a connection: made, opened, established, over, freed.
 *
 * Decides: defaults of a fresh tcb, initial sequence numbers, MSS, what a connection begins with
 * [RFC 9293 3.10.1, 3.7.1, 3.4.1].
 * Owns: the pool of tcbs.
 * Called by sock/ (new, connect) and by all of the room; calls lookup.c, seg.c, cc/, ip/.
 *
 * A tcb ends in two steps. tcp_done: the connection is over, nothing of it is in tables, timers or
 * lists, what was received can still be read. tcp_tcb_free: the owner, too, has let go. A tcb with
 * an owner is never freed under it; an orphan is freed by tcp_done, which then says so.
 *
 * Invariants: TF_TABLED exactly while the connection table has it; an orphan has no socket.
 */
#include <errno.h>

#include "tcp/room.h"

/* ---- making and freeing ---- */

struct tcb *tcp_tcb_new(struct tcp *tcp)
{
    const struct weir_conf *c = &tcp->env->conf;
    uint32_t idx = pool_take(&tcp->tcbs);
    if (idx == 0)
        return NULL;
    struct tcb *t = tcp_at(tcp, idx);
    t->timer.obj = idx | pool_gen(&tcp->tcbs, idx) << TCP_OWNER_SHIFT;
    t->timer.kind = TK_TCP;
    t->state = TCPS_CLOSED;
    t->flow.proto = PROTO_TCP;
    t->rcv.limit = c->tcp_rmem_default;
    t->sndq.limit = c->tcp_wmem_default;
    t->opt.rcvlowat = 1;
    t->opt.linger_s = -1;
    t->snd.mss = t->rcv.mss = 536; /* [RFC 9293 3.7.1 MUST-15] */
    t->snd.peer_mss = 536;
    t->rec.reordering = (uint16_t)c->tcp_reordering;
    memset(tcp_loss(tcp, t), 0, sizeof(struct tcp_loss));
    for (unsigned i = 0; i < T_N; i++)
        t->at[i] = W_NEVER;
    tcp_rtt_init(tcp, t);
    *tcp_path_of(tcp, t) = (struct tcp_path){0};
    tcp->times[idx] = (struct tcp_times){0};
    if (tcp->gauges != NULL)
        tcp->gauges[idx] = (struct tcp_gauges){0};
    if (WEIR_UNLIKELY(tcp->limits != NULL))
        tcp_limit_begin(tcp, t);
    cc_init(&t->cc, tcp->env->conf.tcp_congestion_control, t->snd.mss,
            c->tcp_init_cwnd * t->snd.mss, tcp->env->now);
    return t;
}

void tcp_prefetch(const struct tcb *t) { tcb_prefetch(t); }

uint32_t tcp_index(const struct tcp *tcp, const struct tcb *t)
{
    (void)tcp;
    return tcb_index(t);
}

struct tcb *tcp_new(struct tcp *tcp, uint32_t sock)
{
    struct tcb *t = tcp_tcb_new(tcp);
    if (t != NULL)
        t->sock = sock;
    return t;
}

static void free_queues(struct tcp *tcp, struct tcb *t)
{
    tcp_sndq_free(tcp, t);
    tcp_sent_free(tcp, t);
    tcp_mtup_free(tcp, t);
    t->snd.below = 0;
}

/* Out of tables, lists and the wheel. */
static void detach(struct tcp *tcp, struct tcb *t)
{
    if ((t->flags & TF_TABLED) != 0) {
        tcp_table_del(tcp, t->flow.lport, t->hash, tcp_ref(REF_TCB, tcb_index(t)));
        t->flags &= ~(uint32_t)TF_TABLED;
    }
    tcp_wnd_promise_end(tcp, t);
    tcp_out_remove(tcp, t);
    wheel_del(&tcp->env->wheel, &t->timer);
    for (unsigned i = 0; i < T_N; i++)
        t->at[i] = W_NEVER;
}

void tcp_tcb_free(struct tcp *tcp, struct tcb *t)
{
    if ((t->flags & TF_ORPHAN) != 0)
        tcp->n_orphans--;
    detach(tcp, t);
    tcp_event_remove(tcp, t);
    free_queues(tcp, t);
    tcp_rcvq_free(tcp, t);
    if (WEIR_UNLIKELY((t->flags & TF_WATCH) != 0))
        tcp_watch_end(tcp, t);
    uint32_t idx = tcb_index(t);
    t->timer.obj = 0;
    pool_give(&tcp->tcbs, idx);
}

bool tcp_done(struct tcp *tcp, struct tcb *t, int err)
{
    if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECEIVED)
        tcp_count(tcp, STAT_TcpAttemptFails);
    else if (err != 0 && (t->state == TCPS_ESTABLISHED || t->state == TCPS_CLOSE_WAIT))
        tcp_count(tcp, STAT_TcpEstabResets);
    if (err == 0 && (t->flags & TF_CONNECTED) != 0)
        tcp_metric_keep(tcp, t);
    if (WEIR_UNLIKELY((t->fo & FO_PASSIVE) != 0)) {
        /* Its program may have it and read from it: it was a connection, and becomes no other. */
        t->flags |= TF_CONNECTED;
        tcp_fo_settled(tcp, t, true);
    }
    if (WEIR_UNLIKELY(tcp->limits != NULL))
        tcp_limit_end(tcp, t);
    t->state = TCPS_CLOSED;
    tcp_chrono(tcp, t, CHRONO_IDLE);
    tcp_chrono_repaired(tcp, t);
    t->flags &= ~(uint32_t)(TF_ACK_NOW | TF_ACK_SCHED | TF_PROBE0 | TF_NO_MEM | TF_SND_URG);
    if ((t->flags & TF_ORPHAN) != 0) {
        tcp_tcb_free(tcp, t);
        return false;
    }
    detach(tcp, t);
    if (WEIR_UNLIKELY((t->flags & TF_WATCH) != 0))
        tcp_watch_purge(tcp, t);
    free_queues(tcp, t);
    if (err != 0)
        t->err = (uint16_t)err;
    uint32_t edges = TCP_EV_IN | TCP_EV_OUT | TCP_EV_RDHUP | TCP_EV_HUP | TCP_EV_DRAINED;
    tcp_event(tcp, t, err != 0 ? edges | TCP_EV_ERR : edges);
    return true;
}

/* ---- opening ---- */

/* [RFC 6528 3] ISN = M + F(4-tuple, secret), M a clock. Here M advances every 64 ns, so that at any
 * rate of reuse a new incarnation starts beyond the old [RFC 9293 3.4.1 MUST-8, SHLD-1, MUST-9].
 * The same hash offsets the timestamps [RFC 7323 7.1 SHLD-13]. */
void tcp_isn(const struct tcp *tcp, const struct flow *f, tcp_seq *iss, uint32_t *ts_off)
{
    uint64_t h = hash_flow_secret(&tcp->env->key_isn, f);
    *iss = (tcp_seq)h + (tcp_seq)(tcp->env->now >> 6);
    *ts_off = tcp->env->conf.tcp_timestamps == 1 ? (uint32_t)(h >> 32) : 0;
}

static uint32_t mss_to_announce(const struct tcp *tcp, const struct tcb *t, uint32_t mtu,
                                const struct flow *f)
{
    uint32_t hdr = tcp_ip_hlen(f) + WIRE_TCP_HLEN;
    uint32_t mss = mtu > hdr + 48 ? mtu - hdr : 48;
    uint32_t most = tcp->env->conf.tcp_max_mss;
    if (most != 0)
        mss = w_u32_min(mss, most);
    if (t->opt.maxseg != 0)
        mss = w_u32_min(mss, t->opt.maxseg);
    return w_u32_min(mss, 65495);
}

/* [RFC 9293 3.7.1 MUST-67; RFC 1191 3.1 SHLD-1, RFC 6691] */
uint32_t tcp_advmss(const struct tcp *tcp, const struct tcb *t, const struct dst *d,
                    const struct flow *f)
{
    return mss_to_announce(tcp, t, d->mtu, f);
}

uint32_t tcp_link_mss(const struct tcp *tcp, const struct tcb *t, const struct dst *d,
                      const struct flow *f)
{
    return mss_to_announce(tcp, t, ip_dst_link_mtu(tcp->ip, d), f);
}

/* [RFC 9293 3.7.1 MUST-16] Eff.snd.MSS: what the peer takes and what the path carries, options
 * counted. */
void tcp_conn_mss(struct tcp *tcp, struct tcb *t)
{
    uint32_t hdr = tcp_ip_hlen(&t->flow) + WIRE_TCP_HLEN;
    uint32_t mtu = t->dst.mtu;
    if (WEIR_UNLIKELY(t->rec.mtup != 0))
        mtu = tcp_mtup_limit(tcp, t, mtu);
    uint32_t mss = mtu > hdr ? mtu - hdr : 48;
    mss = w_u32_min(mss, t->snd.peer_mss);
    if (t->opt.maxseg != 0)
        mss = w_u32_min(mss, t->opt.maxseg);
    mss = w_u32_max(mss, tcp->env->conf.tcp_min_snd_mss);
    if ((t->flags & TF_TS) != 0)
        mss -= WIRE_TCP_TS_LEN;
    t->snd.mss = (uint16_t)mss;
    cc_set_mss(&t->cc, mss);
}

/* [RFC 9293 3.9.1.1 MUST-43, MUST-44] A larger path is used for what is sent from now on [RFC 1191
 * 6.3 MUST-9]. */
int tcp_conn_route(struct tcp *tcp, struct tcb *t)
{
    bool is_bound = !addr_is_any(&t->flow.local);
    t->dst.nif = t->flow.nif;
    int err = ip_route(tcp->ip, &t->flow.remote, is_bound ? &t->flow.local : NULL, &t->dst);
    if (err != 0)
        return err;
    if (!is_bound)
        t->flow.local = t->dst.src;
    if (t->state != TCPS_CLOSED)
        tcp_conn_mss(tcp, t);
    return 0;
}

/* [RFC 7323 2.2 MUST-1, MUST-2, 2.3 MUST-5, 3.2 MUST-16; RFC 9293 3.7.1 MUST-14, MUST-15; RFC 2018
 * 4 MAY-1] An option counts only when both SYNs had it. */
void tcp_conn_peer_opts(struct tcp *tcp, struct tcb *t, const struct wire_tcp *h)
{
    t->snd.peer_mss = (h->has & TCPH_MSS) != 0 ? h->mss : tcp_default_mss(&t->flow);
    if ((h->has & TCPH_TS) == 0)
        t->flags &= ~(uint32_t)TF_TS;
    if ((h->has & TCPH_SACK_OK) == 0)
        t->flags &= ~(uint32_t)TF_SACK;
    if ((h->has & TCPH_WSCALE) == 0) {
        t->flags &= ~(uint32_t)TF_WSCALE;
        t->rcv.wscale = 0;
        t->rcv.wnd = w_u32_min(t->rcv.wnd, 0xffff);
    } else if ((t->flags & TF_WSCALE) != 0) {
        t->snd.wscale = h->wscale;
    }
    if ((t->flags & TF_TS) != 0) {
        t->rcv.ts_recent = h->ts_val;
        t->rcv.ts_recent_ms = tcp_now_ms(tcp);
    }
    tcp_conn_mss(tcp, t);
}

static void offer_options(struct tcp *tcp, struct tcb *t)
{
    const struct weir_conf *c = &tcp->env->conf;
    t->flags |= (c->tcp_timestamps != 0 ? TF_TS : 0u) | (c->tcp_sack != 0 ? TF_SACK : 0u) |
                (c->tcp_window_scaling != 0 ? TF_WSCALE : 0u);
    t->rcv.advmss = (uint16_t)tcp_advmss(tcp, t, &t->dst, &t->flow);
    tcp_wnd_initial(tcp, t, t->rcv.advmss, &t->rcv.wnd, &t->rcv.wscale);
    t->rcv.ssthresh = t->rcv.wnd;
    tcp_ecn_begin(tcp, t);
}

/* The place in the table, a TIME-WAIT's if that may be reused. 0 or -EADDRNOTAVAIL. */
static int take_place(struct tcp *tcp, struct tcb *t, tcp_seq *iss_min)
{
    uint64_t hash = tcp_table_hash(tcp, &t->flow);
    uint32_t ref = tcp_table_find(tcp, &t->flow, hash);
    *iss_min = 0;
    if (ref != 0) {
        uint32_t idx = tcp_ref_idx(ref);
        if (tcp_ref_kind(ref) != REF_TW || !tcp_tw_is_reusable(tcp, idx))
            return -EADDRNOTAVAIL;
        const struct tw_rec *r = pool_at(&tcp->tws, idx);
        *iss_min = r->snd_nxt + 65535 + 2;
        tcp_tw_del(tcp, idx);
        tcp_count(tcp, STAT_TCPTimeWaitReused);
    }
    t->hash = (uint32_t)hash;
    tcp_table_add(tcp, t->flow.lport, hash, tcp_ref(REF_TCB, tcb_index(t)));
    t->flags |= TF_TABLED;
    return 0;
}

/* [RFC 9293 3.9.1.1 MUST-46] */
static int may_connect(const struct tcb *t, const struct flow *f)
{
    if (t->state == TCPS_LISTEN)
        return -EINVAL;
    if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECEIVED)
        return -EALREADY;
    if (t->state != TCPS_CLOSED || (t->flags & TF_CONNECTED) != 0)
        return -EISCONN;
    if (f->lport == 0 || f->rport == 0 || addr_is_multicast(&f->remote) ||
        addr_is_limited_broadcast(&f->remote))
        return -EINVAL;
    return 0;
}

/* Everything but the SYN. */
static int prepare(struct tcp *tcp, struct tcb *t, const struct flow *f)
{
    tcp_seq iss_min;
    int err = may_connect(t, f);
    if (err != 0)
        return err;
    t->flow = *f;
    t->flow.proto = PROTO_TCP;
    err = tcp_conn_route(tcp, t);
    if (err == 0 && t->dst.kind > IP_LOCAL)
        err = -ENETUNREACH; /* [RFC 9293 3.9.1.1 MUST-46] never to a broadcast */
    if (err == 0)
        err = take_place(tcp, t, &iss_min);
    if (err != 0)
        return err;
    t->err = t->soft_err = 0;
    t->flags &= ~(uint32_t)(TF_FIN_QUEUED | TF_FIN_RCVD | TF_RCV_SHUT | TF_SYN_RTX);
    tcp_isn(tcp, &t->flow, &t->sndq.iss, &t->snd.ts_off);
    if (iss_min != 0 && seq_lt(t->sndq.iss, iss_min))
        t->sndq.iss = iss_min;
    offer_options(tcp, t);
    tcp_conn_begin(t, t->sndq.iss);
    tcp_rtt_init(tcp, t);
    t->snd.backoff = t->snd.n_rto = 0;
    t->snd.peer_mss = UINT16_MAX; /* not known before the SYN-ACK */
    t->state = TCPS_SYN_SENT;
    t->fo &= FO_CONNECT | FO_NO_COOKIE;
    t->drs.seq = t->drs.space = 0;
    tcp_conn_mss(tcp, t);
    return 0;
}

/* Nothing is in flight until the SYN is: that is how one sees that it waits, for room below. */
void tcp_conn_syn(struct tcp *tcp, struct tcb *t, const struct fo_cookie *fo)
{
    if (t->snd.una != t->snd.nxt || (t->fo & FO_DEFERRED) != 0)
        return;
    /* A cookie is known only now, so a SYN with one tries its luck. */
    if (fo == NULL && tcp_out_must_wait(tcp, t))
        return;
    t->snd.una = t->sndq.iss;
    t->sndq.sent_ms = tcp_stamp_ms(tcp);
    t->drs.at_us = tcp_now_us(tcp);          /* until then free: when the SYN went */
    (void)tcp_seg_syn_fo(tcp, t, false, fo); /* refused below: the timer repeats it */
    tcp_arm_rto(tcp, t);
}

/* The first SYN, with the Fast Open option and data that were decided on. */
static void send_first_syn(struct tcp *tcp, struct tcb *t, const struct fo_cookie *fo)
{
    if (fo != NULL && fo->len >= 0)
        t->fo |= FO_OFFER | (fo->is_exp ? FO_EXP : 0);
    t->fo &= (uint8_t)~FO_DEFERRED;
    tcp_count(tcp, STAT_TcpActiveOpens);
    t->snd.una = t->snd.nxt;
    if (WEIR_UNLIKELY(tcp->limits != NULL))
        tcp_limit_begin(tcp, t);
    tcp_conn_syn(tcp, t, fo);
    tcp_limit(tcp, t);
    tcb_check(tcp, t);
}

int tcp_connect(struct tcp *tcp, struct tcb *t, const struct flow *f)
{
    struct fo_cookie fo;
    uint32_t room;
    int err = prepare(tcp, t, f);
    if (err != 0)
        return err;
    bool is_fast = (t->fo & FO_CONNECT) != 0 && (tcp->env->conf.tcp_fastopen & 1) != 0;
    if (is_fast && tcp_fo_client(tcp, t, &fo, &room)) {
        t->fo |= FO_DEFERRED;
        t->snd.una = t->snd.nxt; /* nothing is in flight until the SYN is */
        return 0;
    }
    send_first_syn(tcp, t, is_fast ? &fo : NULL);
    return 0;
}

bool tcp_is_deferred(const struct tcb *t) { return (t->fo & FO_DEFERRED) != 0; }

int64_t tcp_connect_send(struct tcp *tcp, struct tcb *t, const struct flow *f, const void *bytes,
                         size_t n, unsigned flags)
{
    struct fo_cookie fo;
    uint32_t room = 0;
    if (!tcp_is_deferred(t)) {
        int err = prepare(tcp, t, f);
        if (err != 0)
            return err;
    }
    if (tcp_fo_client(tcp, t, &fo, &room))
        t->drs.seq = tcp_sndq_append(tcp, t, bytes, n < room ? (uint32_t)n : room);
    if (t->drs.seq != 0)
        t->snd.push = t->snd.end;
    if (WEIR_UNLIKELY((t->flags & TF_WATCH) != 0) && t->drs.seq != 0)
        tcp_watch_wrote(tcp, t, n > t->drs.seq ? flags | TCP_MSG_PART : flags);
    t->drs.space = (flags & TCP_MSG_MORE) != 0 && n > t->drs.seq;
    send_first_syn(tcp, t, &fo);
    return tcp_fo_syn_bytes(t);
}

/* [RFC 6582 3.2 MUST-1] */
void tcp_conn_begin(struct tcb *t, tcp_seq iss)
{
    t->sndq.iss = iss;
    t->snd.una = iss;
    t->snd.nxt = t->snd.end = t->snd.push = t->sndq.seq = iss + 1;
    t->snd.sml = t->sndq.fack = t->rec.max_seq = iss;
    t->snd.wnd = t->snd.wnd_max = 0;
}

/* [RFC 6928 1 SHLD-1] */
uint32_t tcp_initial_window(const struct tcp *tcp, uint32_t mss)
{
    uint32_t segs = tcp->env->conf.tcp_init_cwnd;
    return w_u32_min(segs * mss, w_u32_max(2 * mss, segs * 1460));
}

/* [RFC 6928 2 MAY-1, SHLD-2; RFC 5681 3.1 MUST-4 … MUST-6, SHLD-2] One segment when the SYN was
 * lost more than once. */
static void begin_cwnd(struct tcp *tcp, struct tcb *t)
{
    uint32_t mss = t->snd.mss;
    uint32_t cwnd = t->st.n_rtx > 1 ? mss : tcp_initial_window(tcp, mss);
    cc_init(&t->cc, t->cc.kind, mss, cwnd, tcp->env->now);
    tcp_pace_begin(tcp, t);
}

void tcp_conn_data(struct tcp *tcp, struct tcb *t)
{
    const struct weir_conf *c = &tcp->env->conf;
    tcp_mtup_begin(tcp, t);
    begin_cwnd(tcp, t);
    t->rcv.mss = (uint16_t)w_u32_max(
        w_u32_min(w_u32_min(w_u32_min(t->rcv.advmss, t->snd.mss), t->rcv.wnd / 2), 536), 88);
    t->drs.space = w_u32_min(t->rcv.wnd, c->tcp_init_cwnd * t->rcv.advmss);
    tcp_wnd_promise_begin(tcp, t);
    t->drs.seq = t->rcv.copied;
    t->drs.at_us = tcp_now_us(tcp);
    t->st.ack_ms = t->rcv.data_ms = tcp_now_ms(tcp);
    t->sndq.sent_ms = 0;
    tcp_loss(tcp, t)->point = t->sndq.iss; /* [RFC 6582 3.2 MUST-1] */
    tcp_metric_use(tcp, t);
    tcp_sndq_grow(tcp, t);
}

void tcp_established(struct tcp *tcp, struct tcb *t)
{
    t->state = TCPS_ESTABLISHED;
    t->flags |= TF_CONNECTED;
    t->st.delivered++; /* the SYN, as Linux counts */
    t->snd.n_rto = t->snd.backoff = 0;
    t->rtt.first_rto_ms = 0;
    tcp_chrono_repaired(tcp, t);
    tcp_disarm(t, T_RTO);
    /* [RFC 6298 5.7 MUST-10] no sample, and the SYN was lost: 3 s */
    if (t->rtt.srtt8_us == 0 && (t->flags & TF_SYN_RTX) != 0)
        t->rtt.rto_us = w_u32_max(t->rtt.rto_us, 3000000);
    if ((t->fo & FO_PASSIVE) != 0)
        tcp_fo_settled(tcp, t, false);
    else
        tcp_conn_data(tcp, t);
    if (tcp_is_acc(t))
        tcp_ecn_established(tcp, t);
    if (t->snd.una != t->snd.nxt)
        tcp_arm_rto(tcp, t); /* a fast child may have sent before */
    tcp_keep_restart(tcp, t);
    tcp_event(tcp, t, TCP_EV_CONNECTED | TCP_EV_OUT);
    tcp_limit(tcp, t);
}

void tcp_init(struct tcp *tcp, struct env *env, struct ip *ip, struct arena *a)
{
    const struct weir_conf *c = &env->conf;
    memset(tcp, 0, sizeof *tcp);
    tcp->env = env;
    tcp->ip = ip;
    pool_init(&tcp->tcbs, a, c->n_tcb, sizeof(struct tcb), WEIR_CACHELINE);
    tcp->loss = arena_take(a, (c->n_tcb + 1u) * sizeof(struct tcp_loss), WEIR_CACHELINE);
    tcp_metric_init(tcp, a);
    tcp_mtup_init(tcp, a);
    pool_init(&tcp->sents, a, c->n_sent, sizeof(struct sent_rec), WEIR_CACHELINE);
    pool_init(&tcp->syns, a, c->n_syn, sizeof(struct syn_rec), WEIR_CACHELINE);
    pool_init(&tcp->tws, a, c->n_tw, sizeof(struct tw_rec), WEIR_CACHELINE);
    tcp->paths = arena_take(a, (c->n_tcb + 1u) * sizeof(struct tcp_path), WEIR_CACHELINE);
    /* Few connections ask: a program that stamps all of many gets ENOBUFS. */
    pool_init(&tcp->watches, a, c->n_tcb / 32 + 16, sizeof(struct tcp_watch), WEIR_CACHELINE);
    tcp->saved_syns = arena_take(a, (c->n_syn + 1u) * sizeof(struct pkt *), 8);
    tcp->watch_of = arena_take(a, (c->n_tcb + 1u) * sizeof(uint32_t), 8);
    tcp->accs = arena_take(a, (c->n_tcb + 1u) * sizeof(struct tcp_acc), WEIR_CACHELINE);
    tcp->times = arena_take(a, (c->n_tcb + 1u) * sizeof(struct tcp_times), WEIR_CACHELINE);
    ip->link->is_metered = (c->tcp_why | c->n_trace) != 0;
    if (ip->link->is_metered)
        tcp->limits = arena_take(a, (c->n_tcb + 1u) * sizeof(struct tcp_limit), WEIR_CACHELINE);
    if (c->n_trace != 0)
        tcp->seen = arena_take(a, (c->n_tcb + 1u) * sizeof(struct tcp_seen), WEIR_CACHELINE);
    if (c->tcp_gauges != 0)
        tcp->gauges = arena_take(a, (c->n_tcb + 1u) * sizeof(struct tcp_gauges), WEIR_CACHELINE);
    tcp->syn_links = arena_take(a, (c->n_syn + 1u) * sizeof(struct tcp_links), 8);
    tcp->tw_links = arena_take(a, (c->n_tw + 1u) * sizeof(struct tcp_links), 8);
    tcp_wnd_init(tcp);
    tcp_table_init(tcp, a);
    tcp_fo_init(tcp, a);
    if (tcp->fo_peers != NULL)
        tcp_conf_changed(tcp);
}

void tcp_conf_changed(struct tcp *tcp)
{
    const struct weir_conf *c = &tcp->env->conf;
    /* What the pools have is a limit, too: an eighth of it is left to what only passes through. */
    uint64_t pools = (uint64_t)c->n_pkt * (sizeof(struct pkt) + PKT_LINEAR) +
                     (uint64_t)c->n_blk_small * BLK_SMALL + (uint64_t)c->n_blk_big * BLK_BIG;
    tcp->mem_pressure = w_u64_min((uint64_t)c->tcp_mem_pressure << 12, pools / 8 * 5);
    tcp->mem_max = w_u64_min((uint64_t)c->tcp_mem_max << 12, pools / 8 * 7);
    tcp_fo_conf_changed(tcp);
}

void tcp_set_sock(struct tcb *t, uint32_t sock) { t->sock = sock; }
uint32_t tcp_sock(const struct tcb *t) { return t->sock; }
enum tcp_state tcp_state(const struct tcb *t) { return (enum tcp_state)t->state; }
const struct flow *tcp_flow(const struct tcb *t) { return &t->flow; }
