/* SPDX-License-Identifier: Apache-2.0
 *
 * One acknowledgement, in fixed order: window, scoreboard, round-trip time, recovery, congestion
 * control, deadlines. Each step reads only what earlier ones left in struct ack_work.
 *
 * Decides: whether an ACK is a duplicate, which RTT sample it gives, whether cwnd was what limited
 * us, when the retransmission timer is restarted [RFC 6298 5.2, 5.3].
 * Owns: snd.una, snd.wnd, snd.wl1.
 * Called by in.c for every acceptable ACK; calls sent.c, rtt.c, recover.c, sndq.c.
 *
 * Invariants: afterwards snd.una <= snd.nxt; the send queue begins at snd.una (without SYN and
 * FIN); T_RTO runs exactly while something is in flight.
 *
 * Read first: RFC 9293 3.10.7.4 (fifth), RFC 5681 2, RFC 2018, RFC 6298.
 */
#include "tcp/room.h"

/* [RFC 9293 3.10.7.4] The newest segment decides; SND.WL2 is implied, as the caller has
 * refused what is older than snd.una. Of two that are equally new the larger window counts, so that
 * reordered ACKs do no harm, but a window taken back to nothing is believed [RFC 9293 3.8.6
 * MUST-34, MUST-35]. True: the window changed. */
static bool update_window(struct tcb *t, const struct seg *s)
{
    bool is_newer = seq_gt(s->ack, t->snd.una) || seq_gt(s->seq, t->snd.wl1) ||
                    (s->seq == t->snd.wl1 && (s->wnd > t->snd.wnd || s->wnd == 0));
    if (!is_newer)
        return false;
    bool changed = s->wnd != t->snd.wnd;
    t->snd.wl1 = s->seq;
    t->snd.wnd = s->wnd;
    t->snd.wnd_max = w_u32_max(t->snd.wnd_max, s->wnd);
    return changed;
}

/* [RFC 2883 5] The first block is a duplicate report when it lies below the ACK or inside the
 * second. */
static bool is_dsack(const struct seg *s)
{
    const struct wire_tcp_sack *b = s->h.sack;
    if (seq_lt(b[0].start, s->ack))
        return true;
    return s->h.n_sack > 1 && seq_geq(b[0].start, b[1].start) && seq_leq(b[0].end, b[1].end);
}

/* [RFC 2883 5] Not believed: one about what was never sent, or more of them than repetitions that
 * could have caused them; then it is the network that duplicates. */
static void dsack_in(struct tcp *tcp, struct tcb *t, tcp_seq start, tcp_seq end, struct ack_work *w)
{
    uint32_t bytes = seq_ahead(end, start);
    tcp_count(tcp, STAT_TCPDSACKRecv);
    if (bytes == 0 || seq_gt(end, t->snd.nxt) || bytes > t->snd.wnd_max)
        return;
    t->st.n_dsack += (bytes + t->snd.mss - 1) / t->snd.mss;
    if (t->st.n_dsack > t->st.n_rtx)
        return;
    w->has_dsack = w->is_odd = true;
    if ((t->rec.flags & LF_TLP) != 0 && end == tcp_loss(tcp, t)->tlp_end)
        w->has_tlp_dsack = true;
    tcp_undo_dsack(tcp, t, start, end);
}

/* In ascending order, so that one walk over the scoreboard serves all. */
static void put_block(struct sack_block *v, unsigned n, tcp_seq start, tcp_seq end)
{
    while (n > 0 && seq_gt(v[n - 1].start, start)) {
        v[n] = v[n - 1];
        n--;
    }
    v[n] = (struct sack_block){start, end};
}

/* [RFC 2018 5 SHLD-6; RFC 6675 5 MUST-6, MUST-10] */
static void sacks(struct tcp *tcp, struct tcb *t, const struct seg *s, struct ack_work *w)
{
    struct sack_block v[TCP_SACK_BLOCKS];
    unsigned first = 0, n = 0;
    if (is_dsack(s)) {
        dsack_in(tcp, t, s->h.sack[0].start, s->h.sack[0].end, w);
        first = 1;
    }
    for (unsigned i = first; i < s->h.n_sack; i++) {
        tcp_seq start = s->h.sack[i].start, end = s->h.sack[i].end;
        bool is_sane = seq_lt(start, end) && seq_leq(end, t->snd.nxt) && seq_geq(start, t->snd.una);
        if (is_sane)
            put_block(v, n++, start, end);
        else if (seq_gt(end, t->snd.una))
            tcp_count(tcp, STAT_TCPSACKDiscard);
    }
    tcp_sent_sack(tcp, t, v, n, w);
}

/* Bytes of the send queue below `una`: SYN and FIN are not in it. [RFC 2018 8 MUST-9; RFC 6675 4
 * MUST-1] */
static void drop_acked(struct tcp *tcp, struct tcb *t, tcp_seq una)
{
    tcp_seq upto = seq_min(una, t->snd.end);
    if (!seq_gt(upto, t->sndq.seq))
        return;
    bool was_writable = tcp_sndq_is_writable(tcp, t);
    tcp_sndq_drop(tcp, t, upto);
    if (!was_writable && tcp_sndq_is_writable(tcp, t)) {
        tcp_chrono_writable(tcp, t);
        tcp_event(tcp, t, TCP_EV_OUT);
    }
}

static void advance(struct tcp *tcp, struct tcb *t, const struct seg *s, struct ack_work *w)
{
    w->acked = s->ack - t->snd.una;
    if (w->acked == 0)
        return;
    tcp_sent_ack(tcp, t, s->ack, w);
    t->snd.una = s->ack;
    t->snd.n_rto = 0;
    t->rtt.first_rto_ms = 0;
    t->st.bytes_acked += w->acked;
    uint32_t segs = (w->acked + t->snd.mss - 1) / t->snd.mss;
    t->st.delivered += segs;
    env_count_n(tcp->env, STAT_TCPDelivered, segs);
    if (WEIR_UNLIKELY((t->flags & TF_WATCH) != 0))
        tcp_watch_acked(tcp, t, s->ack);
    drop_acked(tcp, t, s->ack);
    if (seq_lt(t->sndq.fack, s->ack))
        t->sndq.fack = s->ack;
    if ((t->flags & TF_SND_URG) != 0 && seq_geq(s->ack, t->snd_up))
        t->flags &= ~(uint32_t)TF_SND_URG;
    if (t->snd.una == t->snd.nxt) {
        t->snd.below = 0; /* all of it arrived: nothing can be below any more */
        if (t->snd.end == t->sndq.seq)
            tcp_chrono(tcp, t, CHRONO_IDLE);
    }
}

/* [RFC 6298 3 MUST-5, MUST-6; RFC 7323 4.1 MAY-3; RFC 9293 3.8.1 MUST-18] Ranges never repeated
 * give an exact sample, unless something repeated came with them: it may have kept them waiting.
 * Else the echo tells which transmission was answered. */
static void round_trip(struct tcp *tcp, struct tcb *t, const struct seg *s, struct ack_work *w)
{
    uint32_t us = 0;
    w_ns sent_at = w->newest_sent_at;
    if (sent_at == 0 || w->rtx_acked)
        sent_at = w->sacked_sent_at;
    if (sent_at != 0) {
        us = (uint32_t)w_u64_min((tcp->env->now - sent_at) / W_US, UINT32_MAX);
        us = w_u32_max(us, 1);
    } else if (w->acked != 0 && w->has_echo) {
        uint32_t ms = tcp_now_ms(tcp) + t->snd.ts_off - s->h.ts_ecr;
        if (ms < 300000)
            us = w_u32_max(ms * 1000, 1);
    }
    if (us == 0)
        return;
    tcp_rtt_sample(tcp, t, us);
    w->cc.rtt_us = us;
}

/* [RFC 5681 2, 3.2 MUST-12] Nothing new acknowledged, data outstanding, no text, same window; with
 * SACK, new information is what counts [RFC 6675 2]. */
static void duplicate(const struct tcb *t, const struct seg *s, struct ack_work *w,
                      bool wnd_changed)
{
    if (w->acked != 0)
        return;
    w->is_bare_dup = s->len == 0 && (s->h.flags & (TCPF_SYN | TCPF_FIN)) == 0 && !wnd_changed &&
                     !w->new_sack && s->ack == t->snd.una;
    w->is_dup = (t->flags & TF_SACK) != 0 ? w->new_sack : w->is_bare_dup;
    if (t->snd.una == t->snd.nxt)
        w->is_dup = false;
    w->is_odd |= w->is_dup;
}

static void deadlines(struct tcp *tcp, struct tcb *t, const struct ack_work *w)
{
    /* The doubled timeout stays until a sample computes it afresh [RFC 6298 5.7, Karn]. */
    if (t->snd.una == t->snd.nxt) {
        tcp_disarm(t, T_RTO); /* [RFC 6298 5.2 SHLD-5] */
    } else if (w->acked != 0 && !w->has_reo) {
        tcp_tlp_arm(tcp, t); /* [RFC 6298 5.3 SHLD-6; RFC 8985 7.2] */
    }
    if (t->snd.wnd != 0 && (t->flags & TF_PROBE0) != 0) {
        t->flags &= ~(uint32_t)TF_PROBE0;
        t->snd.backoff = 0;
        t->rtt.first_rto_ms = 0;
        tcp_disarm(t, T_PERSIST);
    }
}

/* In slow start twice what was ever in flight may be right; later only what was used. */
bool tcp_is_cwnd_limited(const struct tcb *t)
{
    if ((t->flags & TF_CWND_LIMITED) != 0)
        return true;
    return cc_in_slow_start(&t->cc) && t->cc.cwnd < 2 * (uint64_t)t->rec.max_flight;
}

/* What an ACK says of the path, to those who listen. */
static WEIR_APART void watched(struct tcp *tcp, struct tcb *t, const struct seg *s,
                               struct ack_work *w)
{
    if (tcp_is_paced(t))
        tcp_rate_sample(tcp, t, w);
    if (t->st.ecn != 0)
        tcp_ecn_ack(tcp, t, s, w);
}

void tcp_ack_in(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    struct ack_work w = {0};
    w.prior_una = t->snd.una;
    w.lost_prior = t->rec.lost;
    w.cc.now = tcp->env->now;
    w.cc.inflight_prior = tcp_pipe(t);
    w.cc.cwnd_limited = tcp_is_cwnd_limited(t);
    t->st.ack_ms = tcp_now_ms(tcp);
    t->keep_probes = 0;
    t->n_probe = 0;
    t->soft_err = 0;
    if (s->len == 0)
        tcp_count(tcp, STAT_TCPPureAcks);

    bool wnd_changed = false;
    if ((t->flags & TF_TS) != 0 && (s->h.has & TCPH_TS) != 0 && s->h.ts_ecr != 0) {
        w.has_echo = true;
        w.echo = s->h.ts_ecr;
    }
    if (seq_geq(s->ack, t->snd.una)) {
        wnd_changed = update_window(t, s);
        advance(tcp, t, s, &w);
    }
    if ((s->h.has & TCPH_SACK) != 0 && (t->flags & TF_SACK) != 0)
        sacks(tcp, t, s, &w);
    round_trip(tcp, t, s, &w);
    duplicate(t, s, &w, wnd_changed);
    w.cc.srtt_us = t->rtt.srtt8_us >> 3;
    w.cc.min_rtt_us = t->rtt.min_us;
    w.cc.delivered = tcp_delivered(t);
    if (WEIR_UNLIKELY(tcp_is_watched(t)))
        watched(tcp, t, s, &w);
    tcp_recover_ack(tcp, t, &w);
    deadlines(tcp, t, &w);
    if (t->snd.n_rto == 0 && t->snd.una == t->snd.nxt && t->snd.end == t->sndq.seq)
        tcp_event(tcp, t, TCP_EV_DRAINED);
    /* Something may go now: new room in cwnd or window, or something to repeat. */
    if (t->snd.lost != 0 || seq_gt(t->snd.end, t->snd.nxt) || (t->flags & TF_FIN_QUEUED) != 0) {
        if (WEIR_UNLIKELY(wnd_changed && w.prior_una == t->snd.nxt))
            tcp_out_after_idle(tcp, t); /* nothing but the window held it back until now */
        tcp_out_mark(tcp, t);
    } else {
        tcp_limit(tcp, t);
    }
}
