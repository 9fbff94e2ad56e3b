/* SPDX-License-Identifier: Apache-2.0
 *
 * SEGMENT ARRIVES [RFC 9293 3.10.7], in the RFC's order.
 *
 * Decides: whose a segment is; for synchronized states the steps
 *
 *     first    is the sequence number acceptable (before it: PAWS, RFC 7323 5.3)
 *     second   RST                                (RFC 5961 3)
 *     third    security: nothing to check
 *     fourth   SYN                                (RFC 5961 4)
 *     fifth    ACK                                (RFC 5961 5), then what it completes
 *     sixth    URG
 *     seventh  the text
 *     eighth   FIN                                (inside the text's step, in order with it)
 *
 * Owns: the limit of challenge ACKs.
 * Called by stack/ through tcp_input; LISTEN and SYN-SENT are in_open.c's, half-open records
 * listen.c's, TIME-WAIT tw.c's. Calls ack.c and reasm.c for the work.
 *
 * A function here returns DROP_NONE when the segment was of use, else why not. Whoever keeps the
 * packet sets s->p to NULL.
 *
 * Invariant: at most one segment is sent in answer to one that is not acceptable, none to a RST.
 */
#include <errno.h>

#include "tcp/room.h"

/* ---- RFC 5961 ---- */

/* [RFC 5961 7] A limit for the stack, its second half random, so that nobody can count a
 * neighbour's answers [RFC 5961 10, Cao et al. 2016]. [RFC 5961 7 SHLD-3, SHLD-4] */
bool tcp_challenge_allowed(struct tcp *tcp)
{
    uint32_t limit = tcp->env->conf.tcp_challenge_ack_limit;
    w_ns now = tcp->env->now;
    if (tcp->challenge_at == 0 || now >= tcp->challenge_at + W_S) {
        uint32_t half = (limit + 1) / 2;
        tcp->challenge_at = now | 1;
        tcp->challenge_left = half + (limit > half ? rng_below(&tcp->env->rng, limit - half) : 0);
    }
    if (tcp->challenge_left == 0) {
        tcp_count(tcp, STAT_TCPACKSkippedChallenge);
        return false;
    }
    tcp->challenge_left--;
    return true;
}

/* One answer per connection and tcp_invalid_ratelimit_ms: two ends that disagree must not talk for
 * ever. */
static bool oow_allowed(struct tcp *tcp, struct tcb *t, enum env_stat skipped)
{
    uint32_t now = tcp_now_ms(tcp);
    if (t->rec.oow_ms != 0 && now - t->rec.oow_ms < tcp->env->conf.tcp_invalid_ratelimit_ms) {
        tcp_count(tcp, skipped);
        return false;
    }
    t->rec.oow_ms = tcp_stamp_ms(tcp);
    return true;
}

void tcp_challenge(struct tcp *tcp, struct tcb *t)
{
    if (!oow_allowed(tcp, t, STAT_TCPACKSkippedChallenge) || !tcp_challenge_allowed(tcp))
        return;
    tcp_count(tcp, STAT_TCPChallengeACK);
    tcp_ack_now(tcp, t, WEIR_WHY_ACK_CHALLENGE);
}

/* A SYN or SYN-ACK where none belongs; perhaps the one that opened the connection, again. */
static void answer_syn(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    bool is_again = (s->h.flags & TCPF_ACK) != 0 && s->seq == t->irs;
    if (!tcp_is_acc(t) || !is_again) {
        tcp_challenge(tcp, t);
        return;
    }
    (void)tcp_ecn_syn_again(tcp, t, s);
    if (!oow_allowed(tcp, t, STAT_TCPACKSkippedChallenge) || !tcp_challenge_allowed(tcp))
        return;
    tcp_count(tcp, STAT_TCPChallengeACK);
    tcp_ecn_ack_syn_ack(tcp, t);
}

void tcp_oow_ack(struct tcp *tcp, struct tcb *t, const struct seg *s, enum env_stat skipped)
{
    /* Text is never part of a loop of ACKs: answered always. */
    bool is_text = s->len != 0 && (s->h.flags & TCPF_SYN) == 0;
    if (is_text || oow_allowed(tcp, t, skipped))
        tcp_ack_now(tcp, t, WEIR_WHY_ACK_BEYOND);
}

/* ---- first: sequence number ---- */

/* [RFC 7323 4.3 SHLD-8, SHLD-9, MUST-18; 5.2 MUST-19] */
void tcp_ts_store(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    /* [RFC 7323 4.3 (2)] Only from a segment that spans Last.ACK.sent: delayed ACKs measure the
     * whole delay. */
    if (seq_gt(s->seq, t->rcv.wup) || ts_lt(s->h.ts_val, t->rcv.ts_recent))
        return;
    t->rcv.ts_recent = s->h.ts_val;
    t->rcv.ts_recent_ms = tcp_now_ms(tcp);
}

/* [RFC 7323 5.3 MUST-21, MUST-22; 5.5 MAY-4] After 24 days the stored one may be older than half
 * the circle. */
static bool is_paws_old(struct tcp *tcp, const struct tcb *t, const struct seg *s)
{
    const uint32_t days24_ms = 24u * 24 * 3600 * 1000;
    if (!ts_lt(s->h.ts_val, t->rcv.ts_recent))
        return false;
    return tcp_now_ms(tcp) - t->rcv.ts_recent_ms < days24_ms;
}

/* [RFC 9293 3.10.7.4 first] Some of it inside the window; or nothing in it and at its edges. Text
 * that came before counts down to the last ACK sent, so that it is answered as a duplicate. A
 * closed window lets resets and urgent pointers in [RFC 9293 3.4 MUST-66]. */
static bool is_acceptable(const struct tcb *t, const struct seg *s)
{
    return seq_geq(s->end, t->rcv.wup) && seq_leq(s->seq, t->rcv.nxt + tcp_rcv_wnd(t));
}

static enum drop check_sequence(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    bool is_rst = (s->h.flags & TCPF_RST) != 0;
    /* [RFC 7323 3.2 MUST-15; SHLD-6 DEVIATES: a segment without its timestamp is taken, as in
     * Linux: middleboxes that strip options are commoner than forgers who leave them out] */
    bool has_ts = (t->flags & TF_TS) != 0 && (s->h.has & TCPH_TS) != 0;
    /* [RFC 7323 5.2 MUST-20] not for resets; before the window */
    if (has_ts && !is_rst && is_paws_old(tcp, t, s)) {
        tcp_count(tcp, STAT_PAWSEstab);
        tcp_oow_ack(tcp, t, s, STAT_TCPACKSkippedPAWS);
        return DROP_TCP_PAWS;
    }
    if (is_acceptable(t, s))
        return DROP_NONE;
    if (!is_rst) {
        /* [RFC 9293 3.10.7.4 first] */
        if (s->len != 0 && seq_lt(s->seq, t->rcv.nxt))
            tcp_data_repeated(tcp, t, s);
        if ((s->h.flags & TCPF_SYN) != 0)
            answer_syn(tcp, t, s);
        else
            tcp_oow_ack(tcp, t, s, STAT_TCPACKSkippedSeq);
    }
    /* [RFC 5961 3.2 MUST-3] a reset outside: silence */
    return is_rst ? DROP_TCP_RST_WINDOW : DROP_TCP_SEQ;
}

/* ---- second, fourth ---- */

/* [RFC 5961 3.2 SHLD-1, MUST-1, MUST-2, 4.2 MUST-6; RFC 9293 3.5 MUST-11, 3.5.2 SHLD-2] Whatever
 * text it has is not read. SYN-RECEIVED is here after an active open only; half-open records are
 * listen.c's. *is_gone: the tcb is. */
static enum drop take_rst(struct tcp *tcp, struct tcb *t, const struct seg *s, bool *is_gone)
{
    if (s->seq != t->rcv.nxt) {
        tcp_challenge(tcp, t);
        return DROP_TCP_RST_INEXACT;
    }
    int err = ECONNRESET;
    if (t->state == TCPS_SYN_RECEIVED && (t->fo & FO_PASSIVE) == 0)
        err = ECONNREFUSED;
    else if (t->state == TCPS_CLOSE_WAIT)
        err = EPIPE;
    *is_gone = !tcp_done(tcp, t, err);
    return DROP_TCP_RST;
}

/* ---- fifth ---- */

/* [RFC 9293 3.10.7.4 fifth, SYN-RECEIVED] */
static enum drop complete_handshake(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    /* Both opened at once, and our SYN had data. */
    uint32_t data = (t->fo & FO_PASSIVE) == 0 ? tcp_fo_syn_bytes(t) : 0;
    if (!seq_gt(s->ack, t->snd.una) || seq_gt(s->ack, t->snd.nxt + data)) {
        tcp_seg_rst_reply(tcp, &t->flow, s);
        return DROP_TCP_FUTURE_ACK;
    }
    if (data != 0)
        tcp_fo_syn_ack(tcp, t, s);
    if (data == 0)
        t->snd.una = t->sndq.iss + 1;
    t->snd.wnd = t->snd.wnd_max = s->wnd;
    t->snd.wl1 = s->seq;
    bool has_ts = (t->flags & TF_TS) != 0 && (s->h.has & TCPH_TS) != 0;
    if ((t->fo & FO_PASSIVE) != 0 && !has_ts && (t->flags & TF_SYN_RTX) == 0)
        tcp_rtt_sample(tcp, t, w_u32_max((tcp_now_ms(tcp) - t->st.ack_ms) * 1000, 1000));
    if (t->rtt.srtt8_us == 0 && has_ts && s->h.ts_ecr != 0 && (t->fo & FO_SYN_COOKIE) == 0)
        tcp_rtt_sample(tcp, t, (tcp_now_ms(tcp) + t->snd.ts_off - s->h.ts_ecr) * 1000);
    bool is_closing = (t->flags & TF_FIN_QUEUED) != 0;
    tcp_established(tcp, t);
    if (data != 0 && t->snd.una != t->snd.nxt)
        tcp_recover_mtu(tcp, t);
    if (is_closing) {
        t->state = TCPS_FIN_WAIT_1;
        tcp_out_mark(tcp, t);
    }
    return DROP_NONE;
}

/* [RFC 5961 5.2 MAY-1, MUST-7; RFC 9293 3.10.7.4 MAY-12] (SND.UNA - MAX.SND.WND) <= SEG.ACK <=
 * SND.NXT */
static enum drop check_ack(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    if (seq_gt(s->ack, t->snd.nxt)) {
        tcp_challenge(tcp, t); /* [RFC 9293 3.10.7.4 fifth] an ACK of what was never sent */
        return DROP_TCP_FUTURE_ACK;
    }
    if (seq_lt(s->ack, t->snd.una - t->snd.wnd_max)) {
        tcp_challenge(tcp, t);
        return DROP_TCP_OLD_ACK;
    }
    return DROP_NONE;
}

/* Our FIN is acknowledged: on to the next state. False: t is gone. */
static bool fin_acked(struct tcp *tcp, struct tcb *t)
{
    bool is_acked = (t->flags & TF_FIN_QUEUED) != 0 && seq_gt(t->snd.una, t->snd.end);
    if (!is_acked)
        return true;
    switch (t->state) {
    case TCPS_FIN_WAIT_1:
        t->state = TCPS_FIN_WAIT_2;
        tcp_event(tcp, t, TCP_EV_DRAINED);
        if ((t->flags & TF_ORPHAN) == 0)
            return true;
        if (t->opt.linger2_s < 0) {
            tcp_count(tcp, STAT_TCPAbortOnLinger);
            return tcp_reset_out(tcp, t, 0);
        }
        tcp_orphan_wait(tcp, t);
        return true;
    case TCPS_CLOSING: return tcp_to_time_wait(tcp, t);
    case TCPS_LAST_ACK: return tcp_done(tcp, t, 0);
    default: return true;
    }
}

/* ---- sixth ---- */

/* [RFC 9293 3.8.5 MUST-30, MUST-32; 3.10.7.4; RFC 6093] The pointer names the byte after the urgent
 * one unless tcp_stdurg asks for RFC 1122's reading. */
void tcp_in_urgent(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    if ((s->h.flags & TCPF_URG) != 0 && s->h.urg != 0) {
        tcp_seq up = s->seq + s->h.urg - (tcp->env->conf.tcp_stdurg == 0);
        bool is_known = (t->flags & TF_URG_VALID) != 0 && !seq_gt(up, t->rcv_up);
        if (!is_known && seq_geq(up, t->rcv.copied) && seq_geq(up, t->rcv.nxt)) {
            t->rcv_up = up;
            t->flags = (t->flags | TF_URG_VALID) & ~(uint32_t)TF_URG_BYTE;
            t->rcv.is_urg_read = 0;
            tcp_event(tcp, t, TCP_EV_PRI);
        }
    }
    bool is_waiting =
        (t->flags & (TF_URG_VALID | TF_URG_BYTE)) == TF_URG_VALID && t->rcv.is_urg_read == 0;
    uint32_t at = t->rcv_up - s->seq;
    if (is_waiting && at < s->len) {
        (void)pkt_copy_out(s->p, at, &t->urg_byte, 1);
        t->flags |= TF_URG_BYTE;
        tcp_event(tcp, t, TCP_EV_PRI);
    }
}

/* ---- seventh, eighth ---- */

/* [RFC 9293 3.6.1 SHLD-3] Text for a program that is gone: it would be lost, so say so. */
static bool is_unwanted(const struct tcb *t, const struct seg *s)
{
    bool is_closed = (t->flags & TF_ORPHAN) != 0;
    return is_closed && s->len != 0 && seq_gt(s->seq + s->len, t->rcv.nxt);
}

static enum drop take_text(struct tcp *tcp, struct tcb *t, struct seg *s)
{
    bool has_fin = (s->h.flags & TCPF_FIN) != 0;
    if (s->len == 0 && !has_fin)
        return DROP_NONE;
    switch (t->state) {
    case TCPS_ESTABLISHED:
    case TCPS_FIN_WAIT_1:
    case TCPS_FIN_WAIT_2: break;
    default:
        /* [RFC 9293 3.10.7.4 seventh] after a FIN nothing follows; repeated FINs are answered */
        if (seq_leq(s->end, t->rcv.nxt))
            tcp_ack_now(tcp, t, WEIR_WHY_ACK_OLD);
        return DROP_TCP_CLOSED;
    }
    if (is_unwanted(t, s)) {
        tcp_count(tcp, STAT_TCPAbortOnData);
        tcp_seg_rst_reply(tcp, &t->flow, s); /* [RFC 9293 3.10.7.1] one that will be believed */
        (void)tcp_done(tcp, t, 0);
        return DROP_TCP_RCV_SHUT;
    }
    enum drop why = tcp_data_in(tcp, t, s);
    if (t->state == TCPS_FIN_WAIT_2 && (t->flags & TF_FIN_RCVD) != 0)
        (void)tcp_to_time_wait(tcp, t);
    return why;
}

/* [RFC 9293 3.5 MUST-10] Figure 7: both opened at once: the SYN-ACK repeats a SYN we have, and its
 * ACK completes the handshake. */
static bool is_simultaneous(const struct tcb *t, const struct seg *s)
{
    return t->state == TCPS_SYN_RECEIVED && (s->h.flags & TCPF_ACK) != 0 && s->end == s->seq + 1 &&
           s->end == t->rcv.nxt &&
           (s->ack == t->snd.nxt ||
            ((t->fo & FO_PASSIVE) == 0 && s->ack == t->snd.nxt + tcp_fo_syn_bytes(t)));
}

/* The SYN that made a fast child, with its data or without: our SYN-ACK was lost. */
static bool is_syn_again(const struct tcb *t, const struct seg *s)
{
    return tcp_fo_is_open(t) && (s->h.flags & TCPF_ACK) == 0 && s->seq == t->irs;
}

/* DROP_NONE: the SYN-ACK of who opened at the same time, on to its ACK. [RFC 5961 4.2 SHLD-2,
 * MUST-5; RFC 9768 3.1.5 MUST-22, MUST-23] */
static enum drop sync_syn(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    bool is_again = is_syn_again(t, s), is_other = is_simultaneous(t, s);
    if (!is_again && !is_other) {
        tcp_count(tcp, STAT_TCPSYNChallenge);
        answer_syn(tcp, t, s);
        return DROP_TCP_SYN_CHALLENGE;
    }
    if (tcp_is_acc(t) && !tcp_ecn_syn_again(tcp, t, s)) {
        (void)tcp_reset_out(tcp, t, ECONNRESET);
        return DROP_TCP_FLAGS;
    }
    if (is_again) {
        if (oow_allowed(tcp, t, STAT_TCPACKSkippedSynRecv))
            (void)tcp_seg_syn(tcp, t, true);
        return DROP_TCP_DUP;
    }
    /* It may not know yet that we have its SYN. */
    if (tcp_is_acc(t)) {
        tcp_ecn_ack_syn_ack(tcp, t);
        return DROP_NONE;
    }
    tcp_data_repeated(tcp, t, s);
    tcp_ack_now(tcp, t, WEIR_WHY_ACK_HANDSHAKE);
    return DROP_NONE;
}

enum drop tcp_in_sync(struct tcp *tcp, struct tcb *t, struct seg *s)
{
    bool is_gone = false;
    t->st.segs_in++;
    enum drop why = check_sequence(tcp, t, s);
    if (why != DROP_NONE)
        return why;
    if ((s->h.flags & TCPF_RST) != 0)
        return take_rst(tcp, t, s, &is_gone);
    if (WEIR_UNLIKELY((s->h.flags & TCPF_SYN) != 0)) {
        why = sync_syn(tcp, t, s);
        if (why != DROP_NONE)
            return why;
    }
    if ((s->h.flags & TCPF_ACK) == 0)
        return DROP_TCP_NO_ACK;
    if (t->state == TCPS_SYN_RECEIVED)
        why = complete_handshake(tcp, t, s);
    else
        why = check_ack(tcp, t, s);
    if (why != DROP_NONE)
        return why;
    if ((t->flags & TF_TS) != 0 && (s->h.has & TCPH_TS) != 0)
        tcp_ts_store(tcp, t, s);
    tcp_ack_in(tcp, t, s);
    if (WEIR_UNLIKELY(t->st.ecn != 0))
        tcp_ecn_in(tcp, t, s);
    if (!fin_acked(tcp, t) || t->state == TCPS_CLOSED)
        return DROP_NONE;
    pkt_pull(s->p, s->h.hlen);
    if ((s->h.flags & TCPF_URG) != 0 || (t->flags & TF_URG_VALID) != 0)
        tcp_in_urgent(tcp, t, s);
    return take_text(tcp, t, s);
}

/* ---- whose is it? ---- */

/* [RFC 9293 3.1 MUST-3] Header, checksum, lengths. */
static enum drop read_segment(struct tcp *tcp, struct pkt *p, struct seg *s)
{
    enum drop why = wire_tcp_parse(pkt_data(p), p->lin, &s->h);
    if (WEIR_UNLIKELY(why != DROP_NONE))
        return why;
    if (p->csum != CSUM_GOOD) {
        uint32_t sum = csum_pseudo(&p->flow.remote, &p->flow.local, PROTO_TCP, p->len);
        sum = csum_pkt((enum csum_isa)tcp->env->csum_isa, p, 0, p->len, sum);
        env_count_n(tcp->env, STAT_SoftCsumBytes, p->len);
        if (csum_fold(sum) != 0) {
            tcp_count(tcp, STAT_TcpInCsumErrors);
            return DROP_TCP_CSUM;
        }
    }
    s->p = p;
    s->seq = s->h.seq;
    s->ack = s->h.ack;
    s->len = p->len - s->h.hlen;
    s->end = s->seq + s->len + ((s->h.flags & TCPF_SYN) != 0) + ((s->h.flags & TCPF_FIN) != 0);
    p->flow.lport = s->h.dport;
    p->flow.rport = s->h.sport;
    p->flow.proto = PROTO_TCP;
    return DROP_NONE;
}

/* Nobody has the 4-tuple. */
static enum drop to_listener(struct tcp *tcp, struct seg *s, const struct flow *f, uint64_t hash)
{
    /* [RFC 9293 3.9.2.3 MUST-57, RFC 1122 4.2.3.10] */
    if (ip_addr_kind(tcp->ip, NULL, &f->local) != IP_LOCAL || addr_is_multicast(&f->remote) ||
        ip_addr_kind(tcp->ip, NULL, &f->remote) > IP_LOCAL)
        return DROP_TCP_NOT_UNICAST;
    if (f->lport == 0 || f->rport == 0)
        return DROP_TCP_PORT_ZERO;
    struct tcb *l = tcp_lsn_find(tcp, f, hash);
    if (l != NULL)
        return tcp_in_listen(tcp, l, s, f, hash);
    tcp_seg_rst_reply(tcp, f, s);
    return DROP_TCP_NO_CONN;
}

static enum drop to_tcb(struct tcp *tcp, struct tcb *t, struct seg *s)
{
    /* [RFC 9293 3.1 MUST-1; RFC 7323 2.2 MUST-3, 2.3 MUST-6] */
    s->wnd = (uint32_t)s->h.wnd << ((s->h.flags & TCPF_SYN) != 0 ? 0 : t->snd.wscale);
    if (t->state == TCPS_ESTABLISHED && tcp_in_fast(tcp, t, s))
        return DROP_NONE;
    if (t->state == TCPS_SYN_SENT)
        return tcp_in_syn_sent(tcp, t, s);
    return tcp_in_sync(tcp, t, s);
}

static enum drop dispatch(struct tcp *tcp, struct pkt *p, struct seg *s)
{
    struct flow f = p->flow;
    uint64_t hash = tcp_table_hash(tcp, &f);
    uint32_t ref = tcp_table_find(tcp, &f, hash);
    if (ref == 0)
        return to_listener(tcp, s, &f, hash);
    uint32_t idx = tcp_ref_idx(ref);
    switch (tcp_ref_kind(ref)) {
    case REF_TCB:
        if (env_traces(tcp->env))
            tcp_seen_segment(tcp, tcp_at(tcp, idx), s);
        return to_tcb(tcp, tcp_at(tcp, idx), s);
    case REF_SYN: return tcp_in_half_open(tcp, pool_at(&tcp->syns, idx), s, hash);
    default: return tcp_in_time_wait(tcp, idx, s, &f, hash);
    }
}

enum next tcp_input(struct tcp *tcp, struct pkt *p)
{
    struct seg s;
    tcp_count(tcp, STAT_TcpInSegs);
    enum drop why = read_segment(tcp, p, &s);
    if (why != DROP_NONE)
        tcp_count(tcp, STAT_TcpInErrs);
    else
        why = dispatch(tcp, p, &s);
    if (why == DROP_NONE) {
        if (s.p != NULL)
            pkt_free(s.p);
        return NEXT_DONE;
    }
    p->drop = (uint16_t)why;
    return NEXT_DROP;
}
