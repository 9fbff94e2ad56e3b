/* SPDX-License-Identifier: Apache-2.0
 *
 * Explicit congestion notification: routers mark packets instead of dropping them, the receiver
 * tells the sender [RFC 3168].
 *
 * Decides: whether a connection uses ECN; which packets may be marked; when a receiver says ECE;
 * which ECE is news to a sender.
 * Owns: t->st.ecn, cwr_point and n_ce of struct tcp_path.
 * Called by listen.c, conn.c, in_open.c for the handshake, seg.c for what leaves, in.c and ack.c
 * for what comes, recover.c when cwnd falls. Calls cc/ with CC_LOSS_ECN.
 *
 * Theory of operation.
 *
 *     SYN, ECE and CWR  ─►   "I can"               (tcp_ecn 1, or DCTCP)
 *              ◄─  SYN-ACK, ECE only: "I too"      (tcp_ecn 1 or 2)
 *     data, ECT(0)      ─►   a router marks it CE
 *              ◄─  each ACK with ECE, until …
 *     data, CWR         ─►   "cwnd is smaller now", once per window
 *
 * The echo goes on because an ACK may be lost; so the first ECE is the news, and all until
 * something sent after the reduction is acknowledged are the same. An algorithm that counts marks
 * wants each of them echoed: then ECE says whether the segments which that ACK acknowledges were
 * marked, and a change is told at once [RFC 8257 3.2]. Each end goes by its own algorithm; DCTCP is
 * for networks where all use it.
 *
 * Not marked may be: SYNs, bare ACKs, what is sent again [RFC 3168 6.1.1, 6.1.4, 6.1.5], as their
 * loss is not seen or looks like an attack. With DCTCP all but SYNs may, as in Linux.
 *
 * Invariant: at most one reduction per window of data, be it for marks or for losses.
 */
#include "tcp/room.h"

/* The algorithm counts marks. */
static bool is_exact(const struct tcb *t) { return cc_at(t->cc.kind)->wants_ecn != 0; }

/* ---- handshake ---- */

bool tcp_ecn_is_wanted(const struct tcp *tcp, const struct tcb *t)
{
    return tcp->env->conf.tcp_ecn == 1 || is_exact(t);
}

/* [RFC 3168 6.1.1] ECE and CWR: an ECN-setup SYN. One that may itself be marked is none of RFC
 * 3168's and of no use, unless it speaks the newer dialect (AE) that begins like this one [RFC 9768
 * 3.1]; as Linux has it. */
bool tcp_ecn_accepts(const struct tcp *tcp, const struct tcb *lsn, const struct seg *syn)
{
    if ((syn->h.flags & (TCPF_ECE | TCPF_CWR)) != (TCPF_ECE | TCPF_CWR))
        return false;
    bool is_plain = syn->p->ecn == ECN_NOT || (syn->h.flags & TCPF_AE) != 0;
    return (is_plain && tcp->env->conf.tcp_ecn != 0) || is_exact(lsn);
}

/* [RFC 3168 6.1.1] A SYN-ACK with ECE alone agrees; both flags are our own, reflected. */
void tcp_ecn_syn_in(struct tcb *t, const struct seg *s)
{
    const uint16_t both = TCPF_ECE | TCPF_CWR;
    uint16_t want = (s->h.flags & TCPF_ACK) != 0 ? TCPF_ECE : both;
    if ((s->h.flags & both) != want)
        t->st.ecn = 0;
}

/* ---- what leaves ---- */

static void syn_out(const struct tcp *tcp, const struct tcb *t, struct wire_tcp *h)
{
    /* [RFC 3168 6.1.1.1] A SYN that asks may be what something on the way does not let through. */
    bool is_in_doubt = (t->flags & TF_SYN_RTX) != 0 && tcp->env->conf.tcp_ecn_fallback != 0;
    if ((h->flags & TCPF_ACK) != 0)
        h->flags |= TCPF_ECE;
    else if (!is_in_doubt)
        h->flags |= TCPF_ECE | TCPF_CWR;
}

uint8_t tcp_ecn_out(const struct tcp *tcp, const struct tcb *t, struct wire_tcp *h,
                    uint32_t payload)
{
    if ((h->flags & (TCPF_SYN | TCPF_RST)) != 0) {
        if ((h->flags & TCPF_SYN) != 0)
            syn_out(tcp, t, h);
        return ECN_NOT;
    }
    if ((t->st.ecn & ECNF_ECHO) != 0)
        h->flags |= TCPF_ECE;
    bool is_new = payload != 0 && seq_geq(h->seq, t->snd.nxt);
    if (is_new && (t->st.ecn & ECNF_CWR) != 0)
        h->flags |= TCPF_CWR;
    return is_new || is_exact(t) ? ECN_ECT0 : ECN_NOT;
}

void tcp_ecn_sent(struct tcb *t, const struct wire_tcp *h)
{
    if ((h->flags & (TCPF_CWR | TCPF_SYN)) == TCPF_CWR)
        t->st.ecn &= (uint8_t)~ECNF_CWR;
}

/* ---- what comes: the receiver ---- */

bool tcp_ecn_is_news(const struct tcb *t, const struct seg *s)
{
    if (s->len == 0 || (s->p->ecn == ECN_NOT && (t->st.ecn & ECNF_ECHO) == 0))
        return false;
    bool is_known = (t->st.ecn & (ECNF_SEEN | ECNF_ECHO)) == ECNF_SEEN;
    return !is_known || s->p->ecn == ECN_CE;
}

/* [RFC 8257 3.2] What waits for its ACK had the old state, so that goes first. */
static void echo_exactly(struct tcp *tcp, struct tcb *t, bool is_marked)
{
    if (is_marked == ((t->st.ecn & ECNF_ECHO) != 0))
        return;
    if (t->rcv.nxt != t->rcv.wup)
        (void)tcp_seg_ack(tcp, t);
    t->st.ecn ^= ECNF_ECHO;
    tcp_ack_now(tcp, t);
}

/* [RFC 3168 6.1.3] The first mark is told at once and so is a little of what follows, as in Linux;
 * and a sender that says CWR may have very little in flight. */
static void echo_until_cwr(struct tcp *tcp, struct tcb *t, bool is_marked, bool has_cwr)
{
    if (has_cwr) {
        t->st.ecn &= (uint8_t)~ECNF_ECHO;
        tcp_ack_now(tcp, t);
    }
    if (is_marked && (t->st.ecn & ECNF_ECHO) == 0) {
        t->st.ecn |= ECNF_ECHO;
        tcp_ack_quick(tcp, t, 2);
    }
}

void tcp_ecn_data(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    bool is_marked = s->p->ecn == ECN_CE;
    if (seq_leq(s->seq + s->len, t->rcv.nxt))
        return; /* came before */
    if (s->p->ecn != ECN_NOT)
        t->st.ecn |= ECNF_SEEN;
    if (is_exact(t))
        echo_exactly(tcp, t, is_marked);
    else
        echo_until_cwr(tcp, t, is_marked, (s->h.flags & TCPF_CWR) != 0);
}

/* ---- what comes: the sender ---- */

bool tcp_ecn_has_reduced(const struct tcp *tcp, const struct tcb *t)
{
    return (t->st.ecn & ECNF_REDUCED) != 0 && seq_leq(t->snd.una, tcp_path_of(tcp, t)->cwr_point);
}

void tcp_ecn_reduced(const struct tcp *tcp, struct tcb *t)
{
    t->st.ecn |= ECNF_CWR | ECNF_REDUCED;
    tcp_path_of(tcp, t)->cwr_point = t->snd.nxt;
}

/* [RFC 3168 6.1.2] */
static void reduce(const struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    cc_on_loss(&t->cc, CC_LOSS_ECN, &w->cc);
    if (!cc_at(t->cc.kind)->every_ack)
        t->cc.cwnd = t->cc.ssthresh;
    cc_on_recovered(&t->cc, &w->cc);
    tcp_ecn_reduced(tcp, t);
}

void tcp_ecn_ack(struct tcp *tcp, struct tcb *t, const struct seg *s, struct ack_work *w)
{
    struct tcp_path *q = tcp_path_of(tcp, t);
    bool is_quiet = t->ca_state < CA_RECOVERY;
    if (!tcp_ecn_has_reduced(tcp, t))
        t->st.ecn &= (uint8_t)~ECNF_REDUCED;
    if ((s->h.flags & (TCPF_ECE | TCPF_SYN)) == TCPF_ECE) {
        w->cc.ce_bytes = w->acked + w->cc.sacked - w_u32_min(w->was_sacked, w->acked);
        q->n_ce += (w->cc.ce_bytes + t->snd.mss - 1) / t->snd.mss;
        bool was_idle = w->acked == 0 && t->snd.una == t->snd.nxt;
        if (is_quiet && !was_idle && (t->st.ecn & ECNF_REDUCED) == 0)
            reduce(tcp, t, w);
    }
    /* [RFC 3168 6.1.2] No growth until the window that was marked is acknowledged. */
    if (is_quiet && (t->st.ecn & ECNF_REDUCED) != 0)
        w->cc.cwnd_limited = false;
}
