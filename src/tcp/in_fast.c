/* SPDX-License-Identifier: Apache-2.0
 *
 * Header prediction (Van Jacobson, 1990): the two segments that make up nearly all traffic.
 *
 * Decides: whether a segment of an ESTABLISHED connection is exactly the next data expected, or an
 * ACK of new data while all is well; then does in few steps what in.c would do in many.
 * Owns: nothing.
 * Called by in.c first; false means nothing has been touched and the general path decides.
 *
 * Conditions: no flags but ACK and PSH, and those of ECN without news; options none, the timestamp
 * or AccECN's; the next sequence number;
 * the window unchanged; nothing out of order, nothing urgent, nothing marked, lost or selectively
 * acknowledged. Either data (and the ACK says nothing new, or something plainly new) or a bare ACK.
 *
 * Invariant: state afterwards is what the general path would have left; check.c and the tests hold
 * both to the same rules.
 */
#include "tcp/room.h"

static bool is_expected(const struct tcp *tcp, const struct tcb *t, const struct seg *s)
{
    const uint32_t odd = TF_URG_VALID | TF_FIN_RCVD | TF_FIN_QUEUED | TF_PROBE0;
    const uint32_t plain_flags = TCPF_PSH | TCPF_ACE, plain_opts = TCPH_TS | TCPH_ACCECN;
    if ((s->h.flags & ~plain_flags) != TCPF_ACK || (s->h.has & ~plain_opts) != 0)
        return false;
    if (s->seq != t->rcv.nxt || s->wnd != t->snd.wnd || (t->flags & odd) != 0)
        return false;
    if (seq_lt(s->ack, t->snd.una) || seq_gt(s->ack, t->snd.nxt))
        return false;
    if (t->ooo.head != NULL || t->ca_state != CA_OPEN || t->snd.sacked != 0 || t->snd.lost != 0)
        return false;
    if (WEIR_UNLIKELY(t->st.ecn != 0) && tcp_ecn_is_news(tcp, t, s))
        return false;
    if ((t->flags & TF_TS) != 0)
        return (s->h.has & TCPH_TS) != 0 && !ts_lt(s->h.ts_val, t->rcv.ts_recent);
    return true;
}

static void fast_data(struct tcp *tcp, struct tcb *t, struct seg *s)
{
    struct pkt *p = s->p;
    pkt_pull(p, s->h.hlen);
    p->seq = s->seq;
    p->end_seq = s->end;
    tcp_ack_data_event(tcp, t, s);
    t->st.data_in++;
    t->st.bytes_in += s->len;
    t->rcv.nxt = s->end;
    tcp_rcvq_append(tcp, t, p);
    s->p = NULL;
    tcp_drs_segment(tcp, t, s);
    tcp_ack_check(tcp, t, false);
    if (WEIR_LIKELY(tcp_rcvq_bytes(t) >= t->opt.rcvlowat) || tcp_is_readable(t))
        tcp_event(tcp, t, TCP_EV_IN);
}

bool tcp_in_fast(struct tcp *tcp, struct tcb *t, struct seg *s)
{
    if (!is_expected(tcp, t, s))
        return false;
    bool has_news = s->ack != t->snd.una;
    if (s->len == 0 && !has_news)
        return false; /* a duplicate ACK is not for here */
    if (s->len > tcp_rcv_wnd(t))
        return false;
    t->st.segs_in++;
    if ((t->flags & TF_TS) != 0)
        tcp_ts_store(tcp, t, s);
    if (WEIR_UNLIKELY(t->st.ecn != 0))
        tcp_ecn_fast(tcp, t, s);
    if (has_news) {
        tcp_count(tcp, STAT_TCPHPAcks);
        tcp_ack_in(tcp, t, s);
    }
    if (s->len != 0) {
        tcp_count(tcp, STAT_TCPHPHits);
        fast_data(tcp, t, s);
    }
    tcb_check(tcp, t);
    return true;
}
