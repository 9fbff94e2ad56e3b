/* SPDX-License-Identifier: Apache-2.0
 *
 * Segments in LISTEN and SYN-SENT [RFC 9293 3.10.7.2, 3.10.7.3].
 *
 * Decides: how a connection is opened from either side, and from both at once.
 * Owns: rcv.nxt and irs of a connection being opened.
 * Called by in.c; calls listen.c for a passive open, conn.c once established.
 *
 *     LISTEN    first RST: ignore; second ACK: reset; third SYN: half-open record, SYN-ACK
 *     SYN-SENT  first ACK: of our SYN, or reset; second RST: refused; fourth SYN: with an ACK
 *               established, without one simultaneous open (SYN-RECEIVED); fifth: drop
 *
 * Invariant: nothing of a segment without SYN is believed in either state.
 */
#include <errno.h>

#include "tcp/room.h"

enum drop tcp_in_listen(struct tcp *tcp, struct tcb *t, struct seg *s, const struct flow *f,
                        uint64_t hash)
{
    uint16_t flags = s->h.flags;
    if ((flags & TCPF_RST) != 0)
        return DROP_TCP_RST;
    if ((flags & (TCPF_ACK | TCPF_SYN)) == TCPF_ACK)
        return tcp_in_cookie(tcp, t, s, f, hash);
    if ((flags & TCPF_ACK) != 0) {
        tcp_seg_rst_reply(tcp, f, s);
        return DROP_TCP_FUTURE_ACK;
    }
    if ((flags & TCPF_SYN) == 0)
        return DROP_TCP_NO_ACK;
    if ((flags & TCPF_FIN) != 0)
        return DROP_TCP_FLAGS;
    return tcp_syn_rec_new(tcp, t, s, f, hash, 0);
}

/* The peer's SYN in SYN-SENT. [RFC 7323 2.2 MUST-3] */
static void take_syn(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    t->irs = s->seq;
    t->rcv.nxt = t->rcv.wup = t->rcv.copied = s->seq + 1;
    tcp_conn_peer_opts(tcp, t, &s->h);
    tcp_ecn_syn_in(tcp, t, s);
    t->snd.wnd = t->snd.wnd_max = s->wnd; /* [RFC 7323 2.2] not scaled in a SYN */
    t->snd.wl1 = s->seq;
}

/* [RFC 7323 3.2] The echo must be of a SYN of this attempt. */
static bool is_stale_echo(const struct tcp *tcp, const struct tcb *t, const struct seg *s)
{
    if ((t->flags & TF_TS) == 0 || (s->h.has & TCPH_TS) == 0 || s->h.ts_ecr == 0)
        return false;
    uint32_t now = tcp_now_ms(tcp) + t->snd.ts_off;
    uint32_t first = t->sndq.sent_ms - 1 + t->snd.ts_off;
    return ts_lt(s->h.ts_ecr, first) || ts_lt(now, s->h.ts_ecr);
}

static void sample_syn(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    if ((t->flags & TF_SYN_RTX) == 0)
        tcp_rtt_sample(tcp, t, w_u32_max(tcp_now_us(tcp) - t->drs.at_us, 1));
    else if ((t->flags & TF_TS) != 0 && s->h.ts_ecr != 0)
        tcp_rtt_sample(tcp, t, (tcp_now_ms(tcp) + t->snd.ts_off - s->h.ts_ecr) * 1000);
}

/* [RFC 9293 3.10.7.3 fourth] Our SYN is acknowledged. */
static enum drop active_done(struct tcp *tcp, struct tcb *t, struct seg *s)
{
    take_syn(tcp, t, s);
    t->snd.una = s->ack;
    t->soft_err = 0; /* as with every ACK: what ICMP said has passed */
    sample_syn(tcp, t, s);
    if ((t->fo & FO_OFFER) != 0 || tcp_fo_syn_bytes(t) != 0)
        tcp_fo_syn_ack(tcp, t, s);
    bool has_writer = t->drs.space != 0;
    tcp_established(tcp, t);
    if (t->snd.una != t->snd.nxt)
        tcp_recover_mtu(tcp, t); /* what the SYN carried in vain; that is no congestion */
    if (tcp_is_acc(t)) {
        tcp_ecn_ack_syn_ack(tcp, t);
    } else if (has_writer) {
        t->flags |= TF_ACK_SCHED; /* what it writes carries the ACK */
        t->rcv.ato_us = tcp->env->conf.tcp_delack_min_us;
        tcp_ack_quick(tcp, t, 16);
        tcp_arm(tcp, t, T_DELACK, tcp->env->now + tcp->env->conf.tcp_delack_max_us * W_US);
    } else {
        tcp_ack_now(tcp, t, WEIR_WHY_ACK_HANDSHAKE);
    }
    if (s->len == 0 && (s->h.flags & TCPF_FIN) == 0)
        return DROP_NONE;
    /* Text with the SYN-ACK: on to the sixth step. */
    s->seq++;
    s->h.flags &= (uint16_t)~TCPF_SYN;
    pkt_pull(s->p, s->h.hlen);
    if ((s->h.flags & TCPF_URG) != 0)
        tcp_in_urgent(tcp, t, s);
    return tcp_data_in(tcp, t, s);
}

/* Both sides open at once [RFC 9293 3.5 MUST-10]. */
static enum drop simultaneous(struct tcp *tcp, struct tcb *t, struct seg *s)
{
    take_syn(tcp, t, s);
    t->state = TCPS_SYN_RECEIVED;
    t->snd.n_rto = t->snd.backoff = 0;
    t->rtt.first_rto_ms = 0;
    (void)tcp_seg_syn(tcp, t, true);
    tcp_arm_rto(tcp, t);
    return DROP_NONE;
}

enum drop tcp_in_syn_sent(struct tcp *tcp, struct tcb *t, struct seg *s)
{
    uint16_t flags = s->h.flags;
    bool has_ack = (flags & TCPF_ACK) != 0;
    bool is_rst = (flags & TCPF_RST) != 0;
    t->st.segs_in++;
    if (has_ack) {
        bool is_ours = seq_gt(s->ack, t->sndq.iss) &&
                       seq_leq(s->ack, t->snd.nxt + tcp_fo_syn_bytes(t)) &&
                       (t->fo & FO_DEFERRED) == 0;
        if (!is_ours || (!is_rst && is_stale_echo(tcp, t, s))) {
            if (is_ours)
                tcp_count(tcp, STAT_PAWSActive);
            tcp_seg_rst_reply(tcp, &t->flow, s);
            return DROP_TCP_FUTURE_ACK;
        }
    }
    if (is_rst) {
        /* [RFC 5961 3.2 MUST-4] believed only with the right ACK */
        if (!has_ack)
            return DROP_TCP_RST_INEXACT;
        (void)tcp_done(tcp, t, ECONNREFUSED);
        return DROP_TCP_RST;
    }
    if ((flags & TCPF_SYN) == 0 || (t->fo & FO_DEFERRED) != 0)
        return DROP_TCP_FLAGS; /* deferred: nobody knows of us yet */
    return has_ack ? active_done(tcp, t, s) : simultaneous(tcp, t, s);
}
