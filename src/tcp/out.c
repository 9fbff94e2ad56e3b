/* SPDX-License-Identifier: Apache-2.0
 *
 * When to send, and how much.
 *
 * Decides: retransmissions before new data; min(peer's window, cwnd, what is below us); Nagle and
 * the sender's silly window avoidance [RFC 9293 3.7.4, 3.8.6.2.1]; when an ACK goes alone; when a
 * closed window is probed [RFC 9293 3.8.6.1]; restart after idle [RFC 5681 4.1].
 * Owns: snd.nxt, the output list, T_PERSIST.
 * Called at the end of a burst (tcp_flush), by the owner's calls, by timers; calls seg.c to build.
 *
 * Theory of operation. Input only marks a connection; tcp_flush then looks at each marked one once,
 * so that a burst of segments is answered by one ACK and one train.
 *
 * What is below pushes back. tcp_limit_output_bytes limits what one connection has below TCP.
 * Before a segment is made the queue of its interface is asked (link_is_full): is it full, the
 * connection waits in a list per interface, first come first served, and goes on when there is
 * room. So our own queue drops nothing of ours, however many connections there are. A refusal that
 * comes all the same (no packet memory, a neighbour's queue) is never a loss: snd.nxt has not
 * moved, the bytes count as unsent and are tried again when something was sent (tcp_sent) or after
 * retry_after().
 *
 * Invariants: never beyond snd.una + snd.wnd but for probes; snd.nxt never goes back; T_RTO runs
 * while something is in flight; T_PERSIST, but for retries and pacing, only while nothing is.
 */
#include <errno.h>

#include "tcp/room.h"

#define RETRY      (2 * W_MS)
#define RETRY_MOST (500 * W_MS)

void tcp_out_mark(struct tcp *tcp, struct tcb *t)
{
    if ((t->flags & TF_OUT) != 0)
        return;
    uint32_t idx = tcb_index(t);
    t->flags |= TF_OUT;
    t->out_next = 0;
    if (tcp->out_head == 0)
        tcp->out_head = idx;
    else
        tcp_at(tcp, tcp->out_tail)->out_next = idx;
    tcp->out_tail = idx;
}

/* Takes t off this list, if it is there. */
static bool list_remove(struct tcp *tcp, struct tcb *t, uint32_t *head, uint32_t *tail)
{
    uint32_t idx = tcb_index(t), prev = 0, at = *head;
    while (at != idx && at != 0) {
        prev = at;
        at = tcp_at(tcp, at)->out_next;
    }
    if (at == 0)
        return false;
    if (prev == 0)
        *head = t->out_next;
    else
        tcp_at(tcp, prev)->out_next = t->out_next;
    if (*tail == idx)
        *tail = prev;
    t->flags &= ~(uint32_t)TF_OUT;
    return true;
}

void tcp_out_remove(struct tcp *tcp, struct tcb *t)
{
    if ((t->flags & TF_OUT) == 0 || list_remove(tcp, t, &tcp->out_head, &tcp->out_tail))
        return;
    for (unsigned id = 1; id <= LINK_NIFS; id++) {
        if (!list_remove(tcp, t, &tcp->held_head[id], &tcp->held_tail[id]))
            continue;
        if (tcp->held_head[id] == 0)
            tcp->held &= ~(1u << id);
        return;
    }
    WEIR_NEVER_HERE("a connection marked for output is on no list");
}

/* ---- waiting for room below ---- */

/* t goes on when its interface's queue has room, in its turn. On the output list it will come here
 * again. */
static WEIR_APART void hold(struct tcp *tcp, struct tcb *t)
{
    unsigned id = t->dst.nif;
    uint32_t idx = tcb_index(t);
    if ((t->flags & TF_OUT) != 0)
        return;
    t->flags |= TF_OUT;
    t->out_next = 0;
    if (tcp->held_head[id] == 0)
        tcp->held_head[id] = idx;
    else
        tcp_at(tcp, tcp->held_tail[id])->out_next = idx;
    tcp->held_tail[id] = idx;
    tcp->held |= 1u << id;
    tcp_count(tcp, STAT_TCPHeldBelow);
}

bool tcp_out_must_wait(struct tcp *tcp, struct tcb *t)
{
    if (WEIR_LIKELY(!link_is_full(tcp->ip->link, t->dst.nif)))
        return false;
    hold(tcp, t);
    return true;
}

/* Those that waited longest go first, as long as there is room: one that fills the queue again is
 * the last to come back. */
static WEIR_APART void release(struct tcp *tcp)
{
    for (unsigned id = 1; id <= LINK_NIFS; id++) {
        uint32_t last = tcp->held_tail[id];
        while (tcp->held_head[id] != 0 && !link_is_full(tcp->ip->link, id)) {
            uint32_t idx = tcp->held_head[id];
            struct tcb *t = tcp_at(tcp, idx);
            tcp->held_head[id] = t->out_next;
            if (tcp->held_head[id] == 0)
                tcp->held &= ~(1u << id);
            t->flags &= ~(uint32_t)TF_OUT;
            tcp_output(tcp, t, false);
            tcb_check(tcp, t);
            if (idx == last)
                break;
        }
    }
}

/* [RFC 9293 3.10.7.4 MUST-58, MUST-59] The end of a burst. */
void tcp_flush(struct tcp *tcp)
{
    if (WEIR_UNLIKELY(tcp->held != 0))
        release(tcp);
    /* What is marked while we go (by a retry) waits for the next time. */
    uint32_t last = tcp->out_tail;
    while (tcp->out_head != 0) {
        uint32_t idx = tcp->out_head;
        struct tcb *t = tcp_at(tcp, idx);
        tcp->out_head = t->out_next;
        if (tcp->out_head == 0)
            tcp->out_tail = 0;
        t->flags &= ~(uint32_t)TF_OUT;
        tcp_output(tcp, t, false);
        tcb_check(tcp, t);
        if (idx == last)
            break;
    }
}

static bool can_send(const struct tcb *t)
{
    switch (t->state) {
    case TCPS_ESTABLISHED:
    case TCPS_CLOSE_WAIT:
    case TCPS_FIN_WAIT_1:
    case TCPS_CLOSING:
    case TCPS_LAST_ACK: return true;
    default: return tcp_fo_is_open(t);
    }
}

static bool fin_unsent(const struct tcb *t)
{
    return (t->flags & TF_FIN_QUEUED) != 0 && seq_leq(t->snd.nxt, t->snd.end);
}

/* Largest payload of one packet: whole segments up to what the path takes as one. */
static uint32_t path_max(const struct tcp *tcp, const struct tcb *t, uint32_t mss)
{
    if (tcp->env->conf.tcp_gso == 0)
        return mss;
    uint32_t max = ip_gso_max(tcp->ip, &t->dst);
    uint32_t hdr = 40 + WIRE_TCP_HLEN_MAX; /* of IP and TCP at most */
    return max > hdr + mss ? (max - hdr) / mss * mss : mss;
}

/* Payload of one packet now: a millisecond's worth at twice the present rate, as large as possible
 * on short paths, at least tcp_min_tso_segs. A train much longer than that would be a burst for
 * the network and a silence for the peer. */
static uint32_t train_max(const struct tcp *tcp, const struct tcb *t, uint32_t mss)
{
    uint32_t max = path_max(tcp, t, mss), least = tcp->env->conf.tcp_min_tso_segs * mss;
    if (WEIR_UNLIKELY((t->flags & TF_SND_URG) != 0))
        return mss; /* [RFC 9293 3.8.5 MUST-62] each segment has an urgent pointer of its own */
    uint32_t shift = t->rtt.min_us >> 9, srtt = t->rtt.srtt8_us >> 3;
    if (WEIR_UNLIKELY(tcp_is_paced(t)))
        return w_u32_min(max, tcp_pace_burst(tcp, t, mss));
    if (shift == 0 || srtt == 0 || max <= least)
        return max;
    uint64_t bytes = 2 * (uint64_t)t->cc.cwnd * 1000 / srtt;
    if (shift < 32)
        bytes += 65536u >> shift;
    return w_u32_max((uint32_t)w_u64_min(bytes, max) / mss * mss, least);
}

uint32_t tcp_out_goal(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t mss = tcp_seg_mss(tcp, t), max = path_max(tcp, t, mss);
    uint32_t half = t->snd.wnd_max > 536 ? t->snd.wnd_max / 2 : t->snd.wnd_max;
    max = w_u32_min(max, half);
    return max > mss ? max / mss * mss : mss;
}

/* [RFC 9293 3.7.4 SHLD-7, MUST-17; 3.9.1.2 MAY-16] as Minshall refined it: a small segment waits
 * while another small one is unacknowledged; with TCP_CORK it waits for more to come. */
static bool nagle_holds(const struct tcb *t, bool is_more)
{
    if ((t->flags & TF_CORK) != 0 || is_more)
        return true;
    if ((t->flags & TF_NODELAY) != 0 || t->snd.una == t->snd.nxt)
        return false;
    return seq_gt(t->snd.sml, t->snd.una) && seq_leq(t->snd.sml, t->snd.nxt);
}

/* What cwnd leaves for one packet, in bytes: never more than half of it, so that there are two on
 * their way; a connection with nothing in flight may always send one segment. */
uint32_t tcp_out_cwnd_room(const struct tcb *t, uint32_t mss)
{
    uint32_t pipe = tcp_pipe(t) - (uint32_t)tcp_fo_is_open(t); /* its SYN is no data */
    if (pipe == 0 && t->cc.cwnd < mss)
        return mss;
    uint32_t room = t->cc.cwnd > pipe ? t->cc.cwnd - pipe : 0;
    return room <= mss ? room : w_u32_min(room, w_u32_max(t->cc.cwnd / 2 / mss, 1) * mss);
}

/* ---- retransmission ---- */

/* Sends again the first `n` bytes at most of r. */
static enum drop resend(struct tcp *tcp, struct tcb *t, struct sent_rec *r, uint32_t mss,
                        uint32_t n)
{
    uint32_t data = seq_ahead(seq_min(r->start + n, t->snd.end), r->start);
    bool has_fin = r->start + n == t->snd.end + 1 && (t->flags & TF_FIN_QUEUED) != 0;
    uint32_t len = data;
    uint16_t flags = r->start + data == t->snd.end ? TCPF_PSH : 0;
    if (WEIR_UNLIKELY((t->flags & TF_WATCH) != 0) && tcp_watch_is_end(tcp, t, r->start + data))
        flags = TCPF_PSH;
    if (has_fin)
        flags |= TCPF_FIN;
    enum drop why = tcp_seg_data(tcp, t, r->start, mss, &len, data == 0 ? TCPF_FIN : flags);
    if (why != DROP_NONE)
        return why;
    if (WEIR_UNLIKELY((r->flags & SENT_PROBE) != 0) && (t->rec.flags & LF_PROBE) != 0)
        tcp_mtup_forget(tcp, t); /* what arrives now may be the repetition */
    uint32_t segs = len == 0 ? 1 : (len + t->snd.mss - 1) / t->snd.mss;
    t->st.n_rtx += segs;
    t->st.bytes_rtx += len;
    env_count_n(tcp->env, STAT_TcpRetransSegs, segs);
    if (t->ca_state >= CA_RECOVERY)
        env_count_n(tcp->env,
                    t->ca_state == CA_LOSS ? STAT_TCPSlowStartRetrans : STAT_TCPFastRetrans, segs);
    if (len == data && has_fin)
        len++;
    tcp_sent_mark_rtx(tcp, t, r, len);
    tcp_undo_sent(tcp, t, len);
    if (t->ca_state == CA_RECOVERY)
        tcp_prr_sent(tcp, t, len);
    return DROP_NONE;
}

/* Repeats what is lost as far as cwnd allows. DROP_NONE: nothing hindered it. [RFC 9293 3.8.6
 * SHLD-16, MAY-7; RFC 7323 2.4 MUST-12; RFC 5681 3.2 MUST-14, 4.3 MUST-19; RFC 6675 4 MUST-5, 5
 * SHLD-5, MUST-11] */
static enum drop repeat_lost(struct tcp *tcp, struct tcb *t)
{
    struct sent_rec *r;
    uint32_t mss = tcp_seg_mss(tcp, t);
    uint32_t guard = 2 * TCP_SENT_MAX;
    while (guard-- > 0 && (r = tcp_sent_next_rtx(tcp, t)) != NULL) {
        uint32_t left = r->end - r->start;
        uint32_t room = tcp_out_cwnd_room(t, mss);
        /* The first repetition of a recovery goes whatever is in flight [RFC 6675 5 (4.3), RFC 6582
         * 3.2 (5)]. */
        if (t->snd.rtx == 0)
            room = w_u32_max(room, mss);
        uint32_t wnd = seq_ahead(t->snd.una + t->snd.wnd, r->start);
        if (r->start == t->snd.una)
            wnd = w_u32_max(wnd, mss); /* a window taken back must not stop us for ever */
        uint32_t n = w_u32_min(w_u32_min(left, wnd), train_max(tcp, t, mss));
        if (n > room)
            n = room / mss * mss;
        if (WEIR_UNLIKELY((t->flags & TF_WATCH) != 0))
            n = tcp_watch_cut(tcp, t, r->start, n);
        if (n == 0 || (WEIR_UNLIKELY(tcp_is_paced(t)) && tcp_pace_holds(tcp, t)))
            break;
        if (tcp_out_must_wait(tcp, t))
            return DROP_QDISC_FULL;
        bool is_first = r->start == t->snd.una;
        enum drop why = resend(tcp, t, r, mss, n);
        if (why != DROP_NONE)
            return why;
        if (is_first || t->at[T_RTO] == W_NEVER)
            tcp_arm_rto(tcp, t); /* it guards this repetition now [RFC 6298 5.1] */
    }
    return DROP_NONE;
}

/* ---- new data ---- */

/* [RFC 5681 4.1 SHLD-9] The program writes, or the peer's window opens, after nothing was sent for
 * longer than an RTO: what cwnd says is no longer known. */
void tcp_out_after_idle(struct tcp *tcp, struct tcb *t)
{
    const struct weir_conf *c = &tcp->env->conf;
    uint32_t idle_ms = tcp_now_ms(tcp) - t->sndq.sent_ms;
    if (t->snd.una != t->snd.nxt || t->sndq.sent_ms == 0)
        return;
    cc_on_idle(&t->cc, tcp->env->now, idle_ms * W_MS);
    uint64_t rto_ms = t->rtt.rto_us / 1000;
    bool owns_cwnd = cc_at(t->cc.kind)->every_ack != 0; /* and its rate is what counts */
    if (c->tcp_slow_start_after_idle == 0 || idle_ms <= rto_ms || owns_cwnd)
        return;
    uint32_t iw = tcp_initial_window(tcp, t->cc.mss);
    t->cc.ssthresh = w_u32_max(t->cc.ssthresh, t->cc.cwnd / 4 * 3);
    for (uint64_t n = idle_ms; n > rto_ms && t->cc.cwnd > iw; n -= rto_ms)
        t->cc.cwnd = w_u32_max(t->cc.cwnd / 2, iw);
}

/* How many new bytes may go in the next packet; 0: none. *cwnd_limited: cwnd was why. [RFC 9293
 * 3.8.6 MUST-34, SHLD-15; 3.9.1.2 SHLD-27, SHLD-28; RFC 5681 2 MUST-1, 3.1 MUST-3; RFC 7323 2.4
 * MUST-11, MUST-9; RFC 9937 3 MUST-1, MUST-2] */
static uint32_t how_much(const struct tcp *tcp, const struct tcb *t, uint32_t mss, bool is_more,
                         bool *cwnd_limited)
{
    uint32_t left = seq_ahead(t->snd.end, t->snd.nxt), all = left;
    uint32_t wnd = seq_ahead(t->snd.una + t->snd.wnd, t->snd.nxt);
    uint32_t room = tcp_out_cwnd_room(t, mss);
    if (WEIR_UNLIKELY((t->flags & TF_WATCH) != 0))
        left = tcp_watch_cut(tcp, t, t->snd.nxt, left);
    if (room < w_u32_min(left, mss)) {
        *cwnd_limited = true;
        return 0;
    }
    uint32_t n = w_u32_min(left, wnd);
    if (n > mss)
        n = w_u32_min(n, w_u32_min(room, train_max(tcp, t, mss)));
    /* [RFC 9293 3.8.6.2.1 MUST-38] Cut by window or cwnd: whole segments only. */
    uint32_t part = n < mss ? n : n % mss;
    if (n != left)
        return n - part;
    if (WEIR_UNLIKELY(left != all))
        return n; /* what comes behind the end of a record shall not join it */
    /* All that is left: is its last part worth a segment? */
    bool has_fin = fin_unsent(t), is_urgent = (t->flags & TF_SND_URG) != 0;
    if (part != 0 && !has_fin && !is_urgent && nagle_holds(t, is_more))
        n -= part;
    return n;
}

static void after_send(struct tcp *tcp, struct tcb *t, uint32_t mss, uint32_t len, bool has_fin)
{
    tcp_seq start = t->snd.nxt;
    t->snd.nxt += len + has_fin;
    tcp_sent_push(tcp, t, start, t->snd.nxt);
    if (len < mss || len % mss != 0)
        t->snd.sml = t->snd.nxt;
    uint32_t now = tcp_now_ms(tcp);
    t->sndq.sent_ms = tcp_stamp_ms(tcp);
    /* A reply so soon after data came: ping-pong, the next reply may carry the ACK. */
    if (t->rcv.ato_us != 0 && now - t->rcv.data_ms < t->rcv.ato_us / 1000 &&
        t->rcv.pingpong < UINT8_MAX)
        t->rcv.pingpong++;
    if (len > 0)
        tcp_count(tcp, STAT_TCPOrigDataSent);
    if (WEIR_UNLIKELY(t->ca_state == CA_RECOVERY))
        tcp_prr_sent(tcp, t, len);
    if (WEIR_UNLIKELY((t->flags & TF_WATCH) != 0))
        tcp_watch_out(tcp, t);
    if (t->at[T_RTO] == W_NEVER)
        tcp_tlp_arm(tcp, t); /* [RFC 6298 5.1 SHLD-4; RFC 8985 7.2] */
    tcp_disarm(t, T_PERSIST);
    t->flags &= ~(uint32_t)TF_PROBE0;
}

static enum drop send_new(struct tcp *tcp, struct tcb *t, uint32_t mss, uint32_t n, bool is_forced)
{
    uint32_t len = n;
    bool is_last = t->snd.nxt + n == t->snd.end;
    bool has_fin = is_last && fin_unsent(t);
    uint16_t flags = has_fin ? TCPF_FIN : 0;
    /* [RFC 9293 3.9.1.2 MUST-61] the last segment of what the program wrote is pushed */
    bool has_push = seq_lt(t->snd.nxt, t->snd.push) && seq_geq(t->snd.nxt + n, t->snd.push);
    if (WEIR_UNLIKELY((t->flags & TF_WATCH) != 0))
        has_push |= tcp_watch_is_end(tcp, t, t->snd.nxt + n);
    if (n > 0 && (has_push || is_forced))
        flags |= TCPF_PSH;
    enum drop why = tcp_seg_data(tcp, t, t->snd.nxt, mss, &len, flags);
    if (why != DROP_NONE)
        return why;
    after_send(tcp, t, mss, len, has_fin && len == n);
    return DROP_NONE;
}

/* Remembers, per window, whether cwnd was the limit: only then may it grow [RFC 7661]. */
static void validate_cwnd(struct tcb *t, bool limited)
{
    uint32_t flight = t->snd.nxt - t->snd.una;
    limited = limited || tcp_pipe(t) >= t->cc.cwnd;
    bool is_limited = (t->flags & TF_CWND_LIMITED) != 0;
    if (seq_geq(t->snd.una, t->rec.max_seq) || limited ||
        (!is_limited && flight > t->rec.max_flight)) {
        t->flags = limited ? t->flags | TF_CWND_LIMITED : t->flags & ~(uint32_t)TF_CWND_LIMITED;
        t->rec.max_flight = flight;
        t->rec.max_seq = t->snd.nxt;
    }
}

/* A path MTU probe, if one is due. True: new data waits for it. */
static WEIR_APART bool probe_mtu(struct tcp *tcp, struct tcb *t)
{
    bool has_to_wait;
    uint32_t n = tcp_mtup_next(tcp, t, &has_to_wait);
    if (n == 0 || t->snd.below >= tcp->env->conf.tcp_limit_output_bytes)
        return false;
    if (has_to_wait || (tcp_is_paced(t) && tcp_pace_holds(tcp, t))) {
        /* Without anything in flight nothing would wake us. */
        bool is_idle = t->snd.una == t->snd.nxt;
        if (!is_idle)
            validate_cwnd(t, true);
        return !is_idle;
    }
    tcp_seq start = t->snd.nxt;
    tcp->why = WEIR_WHY_MTU_PROBE;
    if (send_new(tcp, t, n, n, false) == DROP_NONE)
        tcp_mtup_sent(tcp, t, start);
    tcp->why = WEIR_WHY_NONE;
    return false;
}

static enum drop new_data(struct tcp *tcp, struct tcb *t, bool is_more)
{
    bool cwnd_limited = false, has_sent = false;
    enum drop why = DROP_NONE;
    uint32_t limit = tcp->env->conf.tcp_limit_output_bytes;
    if (WEIR_UNLIKELY(t->rec.mtup != 0) && probe_mtu(tcp, t))
        return DROP_NONE;
    uint32_t mss = tcp_seg_mss(tcp, t);
    while (seq_gt(t->snd.end, t->snd.nxt)) {
        uint32_t n = how_much(tcp, t, mss, is_more, &cwnd_limited);
        if (n == 0 || t->snd.below >= limit)
            break;
        if (WEIR_UNLIKELY(tcp_is_paced(t)) && tcp_pace_holds(tcp, t))
            break;
        if (tcp_out_must_wait(tcp, t))
            return DROP_QDISC_FULL;
        why = tcp_sent_has_room(tcp, t) ? send_new(tcp, t, mss, n, false) : DROP_NOMEM;
        if (why != DROP_NONE)
            break;
        has_sent = true;
    }
    if (why == DROP_NONE && fin_unsent(t) && t->snd.nxt == t->snd.end &&
        seq_lt(t->snd.nxt, t->snd.una + t->snd.wnd) && tcp_sent_has_room(tcp, t)) {
        if (tcp_out_must_wait(tcp, t))
            return DROP_QDISC_FULL;
        /* A FIN alone does not wait for cwnd. */
        why = send_new(tcp, t, mss, 0, false);
        has_sent = why == DROP_NONE || has_sent;
    }
    if (has_sent || cwnd_limited)
        validate_cwnd(t, cwnd_limited);
    if (has_sent || t->snd.end != t->snd.nxt)
        tcp_chrono_output(tcp, t, mss, cwnd_limited);
    return why;
}

/* When to try again what was refused below. While something is in flight its ACK or the timer comes
 * anyway, and gives back what is held for it: asking without end would be all that is done until
 * then. With nothing in flight others hold what is missing: the longer they do the less often it is
 * asked, at the least as often as Linux does (TCP_RESOURCE_PROBE_INTERVAL). */
static w_ns retry_after(const struct tcp *tcp, const struct tcb *t, enum drop why)
{
    enum { ASK_N = 32, SILENT_N = 8 }; /* times until the timer; parts of the time of silence */
    if (why == DROP_FRAG_NEEDED)
        return RETRY;
    if (t->snd.una != t->snd.nxt)
        return w_u64_max(RETRY, tcp_rto_ns(tcp, t) / ASK_N);
    w_ns silent = (tcp_now_ms(tcp) - t->sndq.sent_ms) * W_MS;
    return w_u64_max(RETRY, w_u64_min(silent / SILENT_N, RETRY_MOST));
}

/* Something waits and nothing is in flight that would bring an ACK [RFC 9293 3.8.6.1 SHLD-29]. */
static void arm_persist(struct tcp *tcp, struct tcb *t, enum drop why)
{
    bool waits = seq_gt(t->snd.end, t->snd.nxt) || fin_unsent(t) || t->snd.lost > t->snd.rtx;
    if (!waits)
        return;
    if (why != DROP_NONE) {
        bool is_held = (t->flags & TF_OUT) != 0; /* called when there is room */
        if (!is_held && t->at[T_PERSIST] == W_NEVER)
            tcp_arm(tcp, t, T_PERSIST, tcp->env->now + retry_after(tcp, t, why));
        return;
    }
    if (t->snd.una != t->snd.nxt || t->at[T_PERSIST] != W_NEVER)
        return;
    w_ns wait = tcp_rto_ns(tcp, t);
    if (seq_ahead(t->snd.una + t->snd.wnd, t->snd.nxt) == 0)
        t->flags |= TF_PROBE0;
    else
        wait = w_u64_min(wait, W_S); /* [RFC 9293 3.8.6.2.1] the override timeout: 0.1 to 1 s */
    tcp_arm(tcp, t, T_PERSIST, tcp->env->now + wait);
}

/* [RFC 5682 3.1 step 2b] After a timeout that may have been spurious new data goes first; where
 * there is none to send, what counts as lost is repeated after all. */
static enum drop repeat_or_wait(struct tcp *tcp, struct tcb *t, bool is_more)
{
    if (WEIR_UNLIKELY(t->rec.mtup != 0))
        tcp_mtup_settle(tcp, t);
    if ((t->rec.flags & LF_FRTO_NEW) == 0)
        return repeat_lost(tcp, t);
    enum drop why = new_data(tcp, t, is_more);
    if (why != DROP_NONE || seq_gt(t->snd.nxt, tcp_loss(tcp, t)->point))
        return why;
    t->rec.flags &= (uint8_t) ~(LF_FRTO | LF_FRTO_NEW);
    return repeat_lost(tcp, t);
}

/* [RFC 6675 4 MUST-3, MUST-4] What is lost before what is new. [RFC 5681 3.2 SHLD-7, SHLD-8,
 * MUST-15; RFC 3042 2 SHLD-1, MUST-1, MUST-2] */
static enum drop output_data(struct tcp *tcp, struct tcb *t, bool is_more)
{
    enum drop why = DROP_NONE;
    if (!ip_dst_is_valid(tcp->ip, &t->dst) && tcp_conn_route(tcp, t) != 0)
        why = DROP_IP_NO_ROUTE;
    if (why == DROP_NONE && t->snd.lost != 0)
        why = repeat_or_wait(tcp, t, is_more);
    if (why == DROP_NONE)
        why = new_data(tcp, t, is_more);
    if (why == DROP_FRAG_NEEDED)
        tcp_conn_mss(tcp, t);
    arm_persist(tcp, t, why);
    return why;
}

void tcp_out_ack(struct tcp *tcp, struct tcb *t)
{
    if ((t->flags & TF_ACK_NOW) == 0 || t->state == TCPS_CLOSED || tcp_out_must_wait(tcp, t))
        return;
    if (!ip_dst_is_valid(tcp->ip, &t->dst))
        (void)tcp_conn_route(tcp, t);
    if (tcp_seg_ack(tcp, t) == DROP_NONE)
        return;
    /* Still owed: again when a delayed ACK would have gone. */
    t->flags &= ~(uint32_t)TF_ACK_NOW;
    t->flags |= TF_ACK_SCHED;
    tcp_arm(tcp, t, T_DELACK, tcp->env->now + tcp->env->conf.tcp_delack_max_us * W_US);
}

void tcp_output(struct tcp *tcp, struct tcb *t, bool is_more)
{
    if (WEIR_LIKELY(can_send(t)))
        (void)output_data(tcp, t, is_more);
    else if (t->state == TCPS_SYN_SENT)
        tcp_conn_syn(tcp, t, NULL);
    tcp_out_ack(tcp, t);
    if (WEIR_UNLIKELY(tcp->gauges != NULL))
        tcp_gauge_look(tcp, t);
    tcp_limit(tcp, t);
}

/* One segment whatever Nagle or the corner of a window says: the override timeout of [RFC 9293
 * 3.8.6.2.1 MUST-38; 3.9.1.2 MUST-60]. */
static enum drop send_forced(struct tcp *tcp, struct tcb *t)
{
    uint32_t wnd = seq_ahead(t->snd.una + t->snd.wnd, t->snd.nxt);
    uint32_t left = seq_ahead(t->snd.end, t->snd.nxt);
    uint32_t mss = tcp_seg_mss(tcp, t), n = w_u32_min(w_u32_min(wnd, left), mss);
    if (tcp_out_must_wait(tcp, t))
        return DROP_NONE; /* it goes when there is room */
    if (n == 0 || !tcp_sent_has_room(tcp, t))
        return DROP_NOMEM;
    tcp->why = WEIR_WHY_FORCED;
    enum drop why = send_new(tcp, t, mss, n, true);
    tcp->why = WEIR_WHY_NONE;
    return why;
}

/* The probe itself: new data where there is some, else what was sent last. */
static bool send_probe(struct tcp *tcp, struct tcb *t, bool *is_rtx)
{
    uint32_t mss = tcp_seg_mss(tcp, t);
    uint32_t fresh = seq_ahead(seq_min(t->snd.end, t->snd.una + t->snd.wnd), t->snd.nxt);
    tcp->why = fresh != 0 ? WEIR_WHY_TLP_NEW : WEIR_WHY_TLP;
    if (fresh != 0)
        return tcp_sent_has_room(tcp, t) &&
               send_new(tcp, t, mss, w_u32_min(fresh, mss), false) == DROP_NONE;
    if (t->snd.below != 0)
        return false; /* the last segment has not even left this host */
    struct sent_rec *r = tcp_sent_last(tcp, t);
    if (r == NULL)
        return false;
    *is_rtx = true;
    return resend(tcp, t, r, mss, r->end - r->start) == DROP_NONE;
}

bool tcp_out_probe(struct tcp *tcp, struct tcb *t, bool *is_rtx)
{
    *is_rtx = false;
    if (!can_send(t) || (!ip_dst_is_valid(tcp->ip, &t->dst) && tcp_conn_route(tcp, t) != 0))
        return false;
    if (tcp_out_must_wait(tcp, t))
        return false; /* what is in flight may not even have left this host */
    bool is_sent = send_probe(tcp, t, is_rtx);
    tcp->why = WEIR_WHY_NONE;
    return is_sent;
}

static bool probes_exhausted(struct tcp *tcp, const struct tcb *t)
{
    const struct weir_conf *c = &tcp->env->conf;
    uint32_t max = c->tcp_retries2;
    if ((t->flags & TF_ORPHAN) != 0)
        max = c->tcp_orphan_retries != 0 ? c->tcp_orphan_retries : 8;
    if (t->opt.user_timeout_ms != 0 && t->rtt.first_rto_ms != 0)
        return tcp_now_ms(tcp) - t->rtt.first_rto_ms >= t->opt.user_timeout_ms;
    /* Nobody waits for an orphan's data: a peer that answers, but opens no window, has until the
     * interval of probes has grown to its longest, as in Linux. */
    bool is_longest = tcp_rto_ns(tcp, t) >= c->tcp_rto_max_ms * W_MS;
    if ((t->flags & TF_ORPHAN) != 0 && is_longest && t->snd.backoff >= c->tcp_orphan_retries)
        return true;
    return t->n_probe >= max;
}

bool tcp_out_persist(struct tcp *tcp, struct tcb *t)
{
    if ((t->flags & TF_NO_MEM) != 0) {
        t->flags &= ~(uint32_t)TF_NO_MEM;
        tcp_event(tcp, t, TCP_EV_OUT);
    }
    if (!can_send(t))
        return true;
    if (WEIR_UNLIKELY(tcp_is_paced(t)) && tcp_pace_woken(t)) {
        (void)output_data(tcp, t, false);
        return true;
    }
    t->snd.push = t->snd.end; /* whatever held it back has had its time */
    if (output_data(tcp, t, false) != DROP_NONE)
        return true; /* refused below again */
    if (t->snd.una != t->snd.nxt || (seq_leq(t->snd.end, t->snd.nxt) && !fin_unsent(t)))
        return true;
    if (send_forced(tcp, t) == DROP_NONE)
        return true;
    /* [RFC 9293 3.8.6.1 MUST-36, MUST-37] The window is closed: ask, and go on asking as long as
     * there are answers. */
    if ((t->flags & TF_ORPHAN) != 0 && !tcp_orphan_may_stay(tcp, t))
        return false;
    if (probes_exhausted(tcp, t))
        return tcp_done(tcp, t, t->soft_err != 0 ? t->soft_err : ETIMEDOUT);
    if (t->rtt.first_rto_ms == 0)
        t->rtt.first_rto_ms = tcp_stamp_ms(tcp);
    if (tcp_seg_probe(tcp, t, WEIR_WHY_WIN_PROBE) == DROP_NONE) {
        tcp_count(tcp, STAT_TCPWinProbe);
        if (t->n_probe < UINT8_MAX)
            t->n_probe++;
        if (t->snd.backoff < 20)
            t->snd.backoff++; /* [RFC 9293 3.8.6.1 SHLD-30] */
    }
    tcp_arm(tcp, t, T_PERSIST, tcp->env->now + tcp_rto_ns(tcp, t));
    return true;
}
