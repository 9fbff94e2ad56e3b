/* SPDX-License-Identifier: Apache-2.0
 *
 * Listeners and the connections on their way in.
 *
 * Decides: whether a SYN is answered (queues have limits), when a SYN-ACK is repeated, when a
 * half-open connection becomes a child [RFC 9293 3.10.7.2, 3.10.7.4 for SYN-RECEIVED, RFC 5961
 * 3-5]. Owns: the pool of half-open records and their queues by age, the accept queue of a
 * listener. Called by in.c, in_open.c, close.c and sock/; calls conn.c for children, seg.c for
 * SYN-ACKs, cookie.c where there is no room for a record, fastopen.c for SYNs with data.
 *
 * Theory of operation. A half-open connection is 64 bytes, so that a flood of SYNs costs little;
 * all with the same number of repetitions wait equally long, so each number has one queue ordered
 * by age and one timer. The ACK that completes the handshake makes a tcb of the record, which
 * takes its place in the table, and is then processed like any segment; the child waits in the
 * accept queue. A full accept queue drops that ACK: the peer's retransmission tries again.
 *
 * Invariants: lsn.n_syn and lsn.n_accept are the lengths of the queues; a record's listener lives.
 */
#include <errno.h>

#include "tcp/room.h"

enum { LEVELS = WEIR_COUNT(((struct tcp *)NULL)->syn_head), SYN_BATCH = 64 };

static struct syn_rec *rec_at(const struct tcp *tcp, uint32_t idx)
{
    return pool_at(&tcp->syns, idx);
}

static uint32_t level_of(const struct syn_rec *r) { return w_u32_min(r->rtx, LEVELS - 1); }

/* [RFC 6298 5.5] Each repetition waits twice as long. */
static uint32_t wait_us(const struct tcp *tcp, uint32_t level)
{
    const struct weir_conf *c = &tcp->env->conf;
    uint64_t ms = (uint64_t)c->tcp_rto_initial_ms << level;
    return (uint32_t)w_u64_min(ms, c->tcp_rto_max_ms) * 1000;
}

static void arm_level(struct tcp *tcp, uint32_t level)
{
    struct timer *tm = &tcp->syn_timer[level];
    uint32_t idx = tcp->syn_head[level];
    if (idx == 0) {
        wheel_del(&tcp->env->wheel, tm);
        return;
    }
    uint32_t age = tcp_now_us(tcp) - rec_at(tcp, idx)->sent_us, wait = wait_us(tcp, level);
    tm->kind = TK_TCP_SYN;
    tm->obj = level;
    wheel_set(&tcp->env->wheel, tm, tcp->env->now + (age < wait ? wait - age : 0) * W_US);
}

static void queue_push(struct tcp *tcp, uint32_t idx)
{
    uint32_t level = level_of(rec_at(tcp, idx)), tail = tcp->syn_tail[level];
    tcp->syn_links[idx] = (struct tcp_links){.prev = tail};
    if (tail != 0)
        tcp->syn_links[tail].next = idx;
    else
        tcp->syn_head[level] = idx;
    tcp->syn_tail[level] = idx;
    if (tail == 0)
        arm_level(tcp, level);
}

static void queue_remove(struct tcp *tcp, uint32_t idx)
{
    uint32_t level = level_of(rec_at(tcp, idx));
    struct tcp_links l = tcp->syn_links[idx];
    if (l.prev != 0)
        tcp->syn_links[l.prev].next = l.next;
    else
        tcp->syn_head[level] = l.next;
    if (l.next != 0)
        tcp->syn_links[l.next].prev = l.prev;
    else
        tcp->syn_tail[level] = l.prev;
    /* The timer stays: early is harmless. But an empty queue wants none. */
    if (tcp->syn_head[level] == 0)
        arm_level(tcp, level);
}

/* [Linux TCP_SAVE_SYN] The headers of a SYN, from IP's on. NULL: no memory, counted. */
static WEIR_APART struct pkt *syn_save(struct tcp *tcp, const struct seg *s)
{
    const struct pkt *p = s->p;
    uint32_t n = (uint32_t)(p->off - p->l3) + s->h.hlen;
    struct pkt *q = pktmem_is_low(&tcp->env->mem) ? NULL : pkt_new(&tcp->env->mem);
    if (q != NULL && pkt_append_copy(q, p->head + p->l3, n))
        return q;
    if (q != NULL)
        pkt_free(q);
    tcp_count(tcp, STAT_ErrQueueDrops);
    return NULL;
}

/* Its child keeps them. */
static WEIR_APART void syn_pass_on(struct tcp *tcp, uint32_t idx, struct tcb *t)
{
    tcp_watch_syn(tcp, t, tcp->saved_syns[idx]);
    tcp->saved_syns[idx] = NULL;
}

/* The record goes; its place in the table too unless a child took it. */
static void rec_free(struct tcp *tcp, uint32_t idx, bool is_tabled)
{
    struct syn_rec *r = rec_at(tcp, idx);
    queue_remove(tcp, idx);
    tcp_at(tcp, r->lsn)->lsn.n_syn--;
    if (WEIR_UNLIKELY(tcp->saved_syns[idx] != NULL)) {
        pkt_free(tcp->saved_syns[idx]);
        tcp->saved_syns[idx] = NULL;
    }
    if (is_tabled)
        tcp_table_del(tcp, r->flow.lport, (uint32_t)tcp_table_hash(tcp, &r->flow),
                      tcp_ref(REF_SYN, idx));
    pool_give(&tcp->syns, idx);
}

void tcp_syn_rec_drop(struct tcp *tcp, struct syn_rec *r)
{
    tcp_count(tcp, STAT_TcpAttemptFails);
    rec_free(tcp, pool_index(&tcp->syns, r), true);
}

static enum drop refuse_syn(struct tcp *tcp, enum env_stat counter, enum drop why)
{
    tcp_count(tcp, counter);
    tcp_count(tcp, STAT_ListenDrops);
    return why;
}

void tcp_syn_rec_fill(const struct tcp *tcp, const struct tcb *lsn, const struct seg *s,
                      const struct flow *f, struct syn_rec *r)
{
    const struct weir_conf *c = &tcp->env->conf;
    uint32_t ts_off;
    memset(r, 0, sizeof *r);
    r->flow = *f;
    r->irs = s->seq;
    r->lsn = tcb_index(lsn) & TCP_INDEX_MASK;
    tcp_isn(tcp, f, &r->iss, &ts_off);
    r->mss = (s->h.has & TCPH_MSS) != 0 ? s->h.mss : tcp_default_mss(&r->flow);
    if ((s->h.has & TCPH_TS) != 0 && c->tcp_timestamps != 0) {
        r->opts |= SYN_TS;
        r->ts_recent = s->h.ts_val;
    }
    if ((s->h.has & TCPH_SACK_OK) != 0 && c->tcp_sack != 0)
        r->opts |= SYN_SACK;
    if ((s->h.has & TCPH_WSCALE) != 0 && c->tcp_window_scaling != 0) {
        r->opts |= SYN_WSCALE;
        r->wscale = (unsigned char)(s->h.wscale & 15);
    }
    if ((s->h.flags & TCPF_ACE) != 0)
        tcp_ecn_syn_rec(tcp, lsn, s, r);
}

/* No room for another record, or none wanted. */
static enum drop no_record(struct tcp *tcp, struct tcb *lsn, const struct seg *s,
                           const struct flow *f, bool is_reuse)
{
    /* In the place of a TIME-WAIT a sequence number must lie beyond the old ones: no cookie. */
    if (tcp->env->conf.tcp_syncookies == 0 || is_reuse)
        return refuse_syn(tcp, STAT_TCPReqQFullDrop, DROP_TCP_SYN_FULL);
    tcp_count(tcp, STAT_TCPReqQFullDoCookies);
    return tcp_cookie_syn(tcp, lsn, s, f);
}

static bool has_record(const struct tcp *tcp, const struct tcb *lsn, bool is_reuse)
{
    const struct weir_conf *c = &tcp->env->conf;
    if (lsn->lsn.n_syn > lsn->lsn.backlog || lsn->lsn.n_syn >= c->tcp_max_syn_backlog)
        return false;
    return pool_free_count(&tcp->syns) != 0 && (c->tcp_syncookies < 2 || is_reuse);
}

static enum drop fast_child(struct tcp *tcp, struct tcb *lsn, const struct syn_rec *r,
                            struct seg *s, uint64_t hash);

/* [RFC 9293 3.10.7.2] */
enum drop tcp_syn_rec_new(struct tcp *tcp, struct tcb *lsn, struct seg *s, const struct flow *f,
                          uint64_t hash, tcp_seq iss_min)
{
    struct syn_rec filled;
    struct fo_cookie fo;
    if (lsn->lsn.n_accept > lsn->lsn.backlog)
        return refuse_syn(tcp, STAT_ListenOverflows, DROP_TCP_ACCEPT_FULL);
    if (!has_record(tcp, lsn, iss_min != 0))
        return no_record(tcp, lsn, s, f, iss_min != 0);
    tcp_syn_rec_fill(tcp, lsn, s, f, &filled);
    if (iss_min != 0 && seq_lt(filled.iss, iss_min))
        filled.iss = iss_min;
    if (tcp_fo_server(tcp, lsn, s, f, &fo) && pool_free_count(&tcp->tcbs) != 0)
        return fast_child(tcp, lsn, &filled, s, hash);
    uint32_t idx = pool_take(&tcp->syns);
    WEIR_ASSERT(idx != 0);
    struct syn_rec *r = rec_at(tcp, idx);
    *r = filled;
    lsn->lsn.n_syn++;
    if (WEIR_UNLIKELY(lsn->lsn.save_syn != 0))
        tcp->saved_syns[idx] = syn_save(tcp, s);
    tcp_table_add(tcp, f->lport, hash, tcp_ref(REF_SYN, idx));
    (void)tcp_seg_syn_ack(tcp, r, &fo); /* refused below: the timer repeats it */
    r->sent_us = tcp_now_us(tcp);
    queue_push(tcp, idx);
    return DROP_NONE;
}

void tcp_syn_timer(struct tcp *tcp, uint32_t level)
{
    const struct weir_conf *c = &tcp->env->conf;
    uint32_t wait = wait_us(tcp, level);
    for (unsigned n = 0; n < SYN_BATCH && tcp->syn_head[level] != 0; n++) {
        uint32_t idx = tcp->syn_head[level];
        struct syn_rec *r = rec_at(tcp, idx);
        if (tcp_now_us(tcp) - r->sent_us < wait)
            break;
        uint32_t max = w_u32_min(c->tcp_synack_retries, SYN_RTX_MAX);
        uint32_t defer = w_u32_min(tcp_at(tcp, r->lsn)->opt.defer, SYN_RTX_MAX);
        bool is_acked = (r->opts & SYN_ACKED) != 0;
        if (r->rtx >= max && (!is_acked || r->rtx >= defer)) {
            tcp_syn_rec_drop(tcp, r);
            continue;
        }
        queue_remove(tcp, idx);
        bool is_silent =
            is_acked && r->rtx + 1u < defer; /* it knows of us: nothing to repeat yet */
        r->rtx = (r->rtx + 1) & 15;
        if (!is_silent) {
            tcp_count(tcp, STAT_TCPSynRetrans);
            tcp_count(tcp, STAT_TcpRetransSegs);
            (void)tcp_seg_syn_ack(tcp, r, NULL);
        }
        r->sent_us = tcp_now_us(tcp);
        queue_push(tcp, idx);
    }
    arm_level(tcp, level);
}

/* ---- becoming a connection ---- */

static void inherit(struct tcb *t, const struct tcb *lsn)
{
    const uint32_t keep = TF_NODELAY | TF_CORK | TF_KEEPALIVE | TF_OOBINLINE | TF_RCVBUF_SET |
                          TF_SNDBUF_SET | TF_V6ONLY | TF_REUSEPORT;
    t->flags |= lsn->flags & keep;
    t->opt = lsn->opt;
    t->rcv.limit = lsn->rcv.limit;
    t->sndq.limit = lsn->sndq.limit;
    t->cc.kind = lsn->cc.kind;
}

static void begin_receiving(struct tcp *tcp, struct tcb *t, const struct syn_rec *r)
{
    t->irs = r->irs;
    t->rcv.nxt = t->rcv.copied = t->rcv.wup = r->irs + 1;
    t->rcv.ts_recent = r->ts_recent;
    t->rcv.ts_recent_ms = tcp_now_ms(tcp);
    t->rcv.advmss = (uint16_t)tcp_advmss(tcp, t, &t->dst, &t->flow);
    uint32_t mss =
        tcp_link_mss(tcp, t, &t->dst, &t->flow) - ((r->opts & SYN_TS) != 0 ? WIRE_TCP_TS_LEN : 0u);
    tcp_wnd_initial(tcp, t, mss, &t->rcv.wnd, &t->rcv.wscale);
    if ((r->opts & SYN_WSCALE) == 0)
        t->rcv.wscale = 0;
    t->rcv.wnd = w_u32_min(t->rcv.wnd, 0xffff); /* what the SYN-ACK could say */
    t->rcv.ssthresh = t->rcv.wnd;
}

static struct tcb *child_new(struct tcp *tcp, struct tcb *lsn, const struct syn_rec *r)
{
    struct tcb *t = tcp_tcb_new(tcp);
    if (t == NULL)
        return NULL;
    tcp_seq iss;
    inherit(t, lsn);
    tcp_path_of(tcp, t)->max_Bps = tcp_path_of(tcp, lsn)->max_Bps;
    t->flow = r->flow;
    t->flags |= TF_CHILD | ((r->opts & SYN_TS) != 0 ? TF_TS : 0u) |
                ((r->opts & SYN_SACK) != 0 ? TF_SACK : 0u) |
                ((r->opts & SYN_WSCALE) != 0 ? TF_WSCALE : 0u);
    tcp_ecn_child(tcp, t, r);
    t->snd.peer_mss = r->mss;
    t->snd.wscale = r->wscale;
    if (tcp_conn_route(tcp, t) != 0) {
        tcp_tcb_free(tcp, t);
        return NULL;
    }
    tcp_conn_mss(tcp, t);
    begin_receiving(tcp, t, r);
    tcp_isn(tcp, &t->flow, &iss, &t->snd.ts_off);
    tcp_conn_begin(t, r->iss);
    t->st.n_rtx = r->rtx;
    if (r->rtx != 0)
        t->flags |= TF_SYN_RTX;
    t->state = TCPS_SYN_RECEIVED;
    return t;
}

static void accept_push(struct tcp *tcp, struct tcb *lsn, struct tcb *t)
{
    uint32_t idx = tcb_index(t);
    t->parent = tcb_owner(lsn);
    t->accept_next = 0;
    if (lsn->lsn.accept_tail != 0)
        tcp_at(tcp, lsn->lsn.accept_tail)->accept_next = idx;
    else
        lsn->lsn.accept_head = idx;
    lsn->lsn.accept_tail = idx;
    lsn->lsn.n_accept++;
    tcp_event(tcp, lsn, TCP_EV_IN | TCP_EV_ACCEPT);
}

struct tcb *tcp_lsn_of(struct tcp *tcp, const struct tcb *t)
{
    if (t->parent == 0)
        return NULL;
    struct tcb *lsn = tcp_at(tcp, t->parent & ((1u << TCP_OWNER_SHIFT) - 1));
    return tcb_owner(lsn) == t->parent && lsn->state == TCPS_LISTEN ? lsn : NULL;
}

/* The SYN's text, cut to the window. No ACK is owed for it beside the SYN-ACK. */
static void take_syn_text(struct tcp *tcp, struct tcb *t, struct seg *s)
{
    struct pkt *p = s->p;
    pkt_pull(p, s->h.hlen);
    pkt_trim(p, w_u32_min(p->len, t->rcv.wnd));
    s->p = NULL;
    p->seq = t->rcv.nxt;
    p->end_seq = p->seq + p->len;
    t->rcv.nxt = p->end_seq;
    t->rcv.data_ms = tcp_now_ms(tcp);
    t->st.bytes_in += p->len;
    t->st.data_in++;
    t->fo |= FO_DATA;
    tcp_rcvq_append(tcp, t, p);
}

/* [RFC 7413 4.2.2] The SYN's cookie is good: the child is there at once, with the SYN's data. It
 * repeats its SYN-ACK, which acknowledges them, by its own timer. */
static enum drop fast_child(struct tcp *tcp, struct tcb *lsn, const struct syn_rec *r,
                            struct seg *s, uint64_t hash)
{
    struct tcb *t = child_new(tcp, lsn, r);
    if (t == NULL)
        return refuse_syn(tcp, STAT_TCPMemoryPressures, DROP_TCP_NO_TCB);
    t->hash = (uint32_t)hash;
    tcp_table_add(tcp, t->flow.lport, hash, tcp_ref(REF_TCB, tcb_index(t)));
    t->flags |= TF_TABLED;
    struct pkt *syn = lsn->lsn.save_syn != 0 ? syn_save(tcp, s) : NULL;
    if (syn != NULL)
        tcp_watch_syn(tcp, t, syn);
    t->fo |= FO_PASSIVE;
    lsn->lsn.n_fo++;
    /* [RFC 7323 2.2] Not scaled in a SYN; it counts from behind our own. */
    t->snd.wnd = t->snd.wnd_max = s->h.wnd + 1u;
    t->snd.wl1 = s->seq;
    tcp_conn_data(tcp, t);
    tcp_count(tcp, STAT_TcpPassiveOpens);
    tcp_count(tcp, STAT_TCPFastOpenPassive);
    accept_push(tcp, lsn, t);
    if (s->len != 0)
        take_syn_text(tcp, t, s);
    (void)tcp_seg_syn(tcp, t, true); /* refused below: the timer repeats it */
    tcp_arm_rto(tcp, t);
    tcb_check(tcp, t);
    return DROP_NONE;
}

/* The child's first segment. What is refused, out of the child's window for one, does not complete
 * the handshake: then the SYN-ACK is in flight as in any other SYN-RECEIVED. */
static enum drop child_in(struct tcp *tcp, struct tcb *t, struct seg *s)
{
    s->wnd = (uint32_t)s->h.wnd << t->snd.wscale;
    enum drop why = tcp_in_sync(tcp, t, s);
    if (WEIR_UNLIKELY(t->state == TCPS_SYN_RECEIVED))
        tcp_arm_rto(tcp, t);
    return why;
}

/* [RFC 4987 3.6] */
enum drop tcp_in_cookie(struct tcp *tcp, struct tcb *lsn, struct seg *s, const struct flow *f,
                        uint64_t hash)
{
    struct syn_rec r;
    if (!tcp_cookie_ack(tcp, lsn, s, f, &r)) {
        /* [RFC 9293 3.10.7.2 second, DEVIATES: what may be the second segment of a client whose
         * first was lost is not reset, the first comes again. Text as long as a cookie counts; a
         * bare ACK, which a SYN-ACK that came twice draws, for ten seconds] */
        if (tcp_cookie_may_follow(tcp, lsn, s, f))
            return DROP_TCP_NO_CONN;
        tcp_seg_rst_reply(tcp, f, s);
        return DROP_TCP_FUTURE_ACK;
    }
    /* As in complete(): no room, no answer, and the peer tries again. */
    if (lsn->lsn.n_accept > lsn->lsn.backlog)
        return refuse_syn(tcp, STAT_ListenOverflows, DROP_TCP_ACCEPT_FULL);
    struct tcb *t = child_new(tcp, lsn, &r);
    if (t == NULL)
        return refuse_syn(tcp, STAT_TCPMemoryPressures, DROP_TCP_NO_TCB);
    t->hash = (uint32_t)hash;
    t->fo |= FO_SYN_COOKIE;
    tcp_table_add(tcp, t->flow.lport, hash, tcp_ref(REF_TCB, tcb_index(t)));
    t->flags |= TF_TABLED;
    tcp_count(tcp, STAT_TcpPassiveOpens);
    accept_push(tcp, lsn, t);
    return child_in(tcp, t, s);
}

/* The handshake's third segment. */
static enum drop complete(struct tcp *tcp, struct syn_rec *r, struct seg *s, uint64_t hash)
{
    struct tcb *lsn = tcp_at(tcp, r->lsn);
    uint32_t idx = pool_index(&tcp->syns, r);
    if (r->rtx < lsn->opt.defer && s->len == 0 && (s->h.flags & TCPF_FIN) == 0) {
        /* TCP_DEFER_ACCEPT: a bare ACK is noted; the connection is made when data comes, or by the
         * answer to the last SYN-ACK. */
        r->opts |= SYN_ACKED;
        return DROP_TCP_DEFER;
    }
    if (lsn->lsn.n_accept > lsn->lsn.backlog) {
        if (tcp->env->conf.tcp_abort_on_overflow != 0) {
            tcp_seg_rst_reply(tcp, &r->flow, s);
            rec_free(tcp, idx, true);
        }
        return refuse_syn(tcp, STAT_ListenOverflows, DROP_TCP_ACCEPT_FULL);
    }
    struct tcb *t = child_new(tcp, lsn, r);
    if (t == NULL)
        return refuse_syn(tcp, STAT_TCPMemoryPressures, DROP_TCP_NO_TCB);
    t->hash = (uint32_t)hash;
    tcp_table_replace(tcp, t->hash, tcp_ref(REF_SYN, idx), tcp_ref(REF_TCB, tcb_index(t)));
    t->flags |= TF_TABLED;
    if (r->rtx == 0) /* [RFC 6298 3] Karn holds for SYN-ACKs, too */
        tcp_rtt_sample(tcp, t, w_u32_max(tcp_now_us(tcp) - r->sent_us, 1));
    if (WEIR_UNLIKELY(tcp->saved_syns[idx] != NULL))
        syn_pass_on(tcp, idx, t);
    rec_free(tcp, idx, false);
    tcp_count(tcp, STAT_TcpPassiveOpens);
    accept_push(tcp, lsn, t);
    return child_in(tcp, t, s);
}

/* [RFC 9293 3.5 MUST-11; RFC 5961 3.2 MUST-1 … MUST-3, 4.2 MUST-5] SYN-RECEIVED after a passive
 * open: a reset leaves nothing behind but the listener. */
enum drop tcp_in_half_open(struct tcp *tcp, struct syn_rec *r, struct seg *s, uint64_t hash)
{
    uint16_t flags = s->h.flags & (TCPF_SYN | TCPF_RST | TCPF_ACK);
    tcp_seq nxt = r->irs + 1;
    if (flags == TCPF_SYN && s->seq == r->irs) {
        /* Its SYN again: our SYN-ACK was lost. */
        if (!tcp_ecn_syn_rec_again(tcp, r, s)) {
            tcp_seg_rst_reply(tcp, &r->flow, s);
            tcp_syn_rec_drop(tcp, r);
            return DROP_TCP_FLAGS;
        }
        if (tcp_now_us(tcp) - r->sent_us >= tcp->env->conf.tcp_invalid_ratelimit_ms * 1000)
            (void)tcp_seg_syn_ack(tcp, r, NULL);
        else
            tcp_count(tcp, STAT_TCPACKSkippedSynRecv);
        return DROP_TCP_DUP;
    }
    if ((flags & TCPF_ACK) != 0 && (flags & TCPF_RST) == 0 && s->ack != r->iss + 1) {
        tcp_seg_rst_reply(tcp, &r->flow, s);
        return DROP_TCP_FUTURE_ACK;
    }
    bool is_old =
        (r->opts & SYN_TS) != 0 && (s->h.has & TCPH_TS) != 0 && ts_lt(s->h.ts_val, r->ts_recent);
    if (is_old && (flags & TCPF_RST) == 0) {
        tcp_count(tcp, STAT_PAWSEstab);
        (void)tcp_seg_half_ack(tcp, r);
        return DROP_TCP_PAWS;
    }
    /* The window of a SYN-ACK is never more than 65535. */
    bool is_inside = s->end == nxt || seq_between(s->seq, nxt, nxt + 0xffff) ||
                     seq_between(s->end - 1, nxt, nxt + 0xffff);
    if ((flags & TCPF_RST) != 0) {
        if (s->seq != nxt) {
            /* [RFC 5961 3.2] inside the window: let it say so again, exactly */
            if (is_inside && tcp_challenge_allowed(tcp))
                (void)tcp_seg_half_ack(tcp, r);
            return is_inside ? DROP_TCP_RST_INEXACT : DROP_TCP_RST_WINDOW;
        }
        tcp_syn_rec_drop(tcp, r);
        return DROP_TCP_RST;
    }
    if (!is_inside || (flags & TCPF_SYN) != 0) {
        if (tcp_challenge_allowed(tcp))
            (void)tcp_seg_half_ack(tcp, r);
        return is_inside ? DROP_TCP_SYN_CHALLENGE : DROP_TCP_SEQ;
    }
    if ((flags & TCPF_ACK) == 0)
        return DROP_TCP_NO_ACK;
    return complete(tcp, r, s, hash);
}

/* ---- the listener's own calls ---- */

/* [RFC 9293 3.9.1.1 MUST-41] */
int tcp_listen(struct tcp *tcp, struct tcb *t, const struct addr *local, uint16_t port,
               unsigned backlog)
{
    uint32_t most = w_u32_min(backlog, tcp->env->conf.somaxconn);
    if (t->state == TCPS_LISTEN) {
        t->lsn.backlog = most;
        return 0;
    }
    if (t->state != TCPS_CLOSED || (t->flags & TF_CONNECTED) != 0)
        return -EINVAL;
    if (port == 0)
        return -EINVAL;
    t->flow = (struct flow){.local = *local, .lport = port, .proto = PROTO_TCP, .nif = t->flow.nif};
    int err = tcp_lsn_add(tcp, t);
    if (err != 0)
        return err;
    t->lsn.backlog = most;
    /* TFO_SERVER_WO_SOCKOPT1 of Linux */
    if ((tcp->env->conf.tcp_fastopen & 0x402) == 0x402 && t->lsn.fo_max == 0)
        t->lsn.fo_max = (uint16_t)w_u32_min(most, UINT16_MAX);
    t->state = TCPS_LISTEN;
    return 0;
}

struct tcb *tcp_accept(struct tcp *tcp, struct tcb *l)
{
    if (l->state != TCPS_LISTEN || l->lsn.accept_head == 0)
        return NULL;
    struct tcb *t = tcp_at(tcp, l->lsn.accept_head);
    l->lsn.accept_head = t->accept_next;
    if (l->lsn.accept_head == 0)
        l->lsn.accept_tail = 0;
    l->lsn.n_accept--;
    t->flags &= ~(uint32_t)TF_CHILD;
    t->accept_next = 0;
    return t;
}

/* Everything that belongs to listener `t` goes [RFC 9293 3.10.4 LISTEN]. */
void tcp_lsn_close(struct tcp *tcp, struct tcb *t)
{
    struct tcb *child;
    while ((child = tcp_accept(tcp, t)) != NULL) {
        child->flags |= TF_ORPHAN;
        tcp->n_orphans++;
        (void)tcp_reset_out(tcp, child, 0);
    }
    uint32_t me = tcb_index(t);
    for (uint32_t level = 0; level < LEVELS && t->lsn.n_syn > 0; level++) {
        uint32_t idx = tcp->syn_head[level];
        while (idx != 0) {
            uint32_t next = tcp->syn_links[idx].next;
            if (rec_at(tcp, idx)->lsn == me)
                rec_free(tcp, idx, true);
            idx = next;
        }
    }
    tcp_lsn_del(tcp, t);
    memset(&t->lsn, 0, sizeof t->lsn);
}
