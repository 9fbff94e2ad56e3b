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

/* ---- handshake: what we ask for, what we agree to ---- */

void tcp_ecn_begin(const struct tcp *tcp, struct tcb *t)
{
    uint32_t mode = tcp->env->conf.tcp_ecn;
    t->st.ecn = mode == 1 || mode == 3 || mode == 4 || is_exact(t) ? ECNF_OK : 0;
    if (mode != 3)
        return;
    t->st.ecn |= ECNF_ACC;
    tcp_acc_begin(tcp, t, ACC_SYN, ECN_NOT);
}

/* [RFC 3168 6.1.1 MUST-5, MUST-8] ECE and CWR: an ECN-setup SYN. One that may itself be marked is
 * none of RFC 3168's and of no use, unless it speaks the newer dialect (AE) that begins like this
 * one [RFC 9768 3.1]; as Linux has it. */
static bool is_setup_syn(const struct tcp *tcp, const struct tcb *lsn, const struct seg *syn)
{
    if ((syn->h.flags & (TCPF_ECE | TCPF_CWR)) != (TCPF_ECE | TCPF_CWR))
        return false;
    bool is_plain = syn->p->ecn == ECN_NOT || (syn->h.flags & TCPF_AE) != 0;
    return (is_plain && tcp->env->conf.tcp_ecn != 0) || is_exact(lsn);
}

/* [RFC 9768 3.1.1 MUST-2; 3.1.2 MUST-9, MUST-10; 3.1.3 MUST-15; 3.2.3.2.1 MUST-52] */
void tcp_ecn_syn_rec(const struct tcp *tcp, const struct tcb *lsn, const struct seg *syn,
                     struct syn_rec *r)
{
    unsigned ace = tcp_acc_ace(&syn->h), ecn = tcp_ecn_of(syn);
    if (tcp->env->conf.tcp_ecn >= 3 && tcp_acc_is_asked(ace))
        r->acc = (uint8_t)(SYN_ACC | ecn << SYN_ACC_ECT_SHIFT);
    else if (is_setup_syn(tcp, lsn, syn))
        r->opts |= SYN_ECN; /* a cookie has no room for it */
}

/* [RFC 9768 3.1.5 MUST-18, MUST-22, MUST-24, SHLD-9] The mode stays that of the first SYN. */
bool tcp_ecn_syn_rec_again(const struct tcp *tcp, struct syn_rec *r, const struct seg *syn)
{
    unsigned ace = tcp_acc_ace(&syn->h), ecn = tcp_ecn_of(syn);
    if (tcp->env->conf.tcp_ecn < 3)
        return true;
    if ((r->acc & SYN_ACC) == 0)
        return (r->opts & SYN_ECN) == 0 || !tcp_acc_is_asked(ace);
    if (ace == 3)
        return false;
    unsigned plain = (unsigned)(r->acc & SYN_ACC_PLAIN) | (ace == 0 ? (unsigned)SYN_ACC_PLAIN : 0);
    r->acc = (uint8_t)(SYN_ACC | SYN_ACC_AGAIN | plain | ecn << SYN_ACC_ECT_SHIFT);
    return true;
}

/* [RFC 3168 6.1.1 MUST-3, SHLD-1; RFC 9768 3.1.1 MUST-3, MUST-4; 3.2.3.2.1 SHLD-20; 3.2.3.2.2
 * SHLD-23, SHLD-24] Again without the option, which something may not like, then without any
 * flags. */
void tcp_ecn_syn_ack_out(const struct tcp *tcp, struct syn_rec *r, struct wire_tcp *h,
                         bool is_cookie)
{
    if ((r->opts & SYN_ECN) != 0 && !is_cookie)
        h->flags |= TCPF_ECE;
    if ((r->acc & SYN_ACC) == 0)
        return;
    if (r->rtx >= 2 && tcp->env->conf.tcp_ecn_fallback != 0) {
        r->acc |= SYN_ACC_PLAIN;
        return;
    }
    h->flags |= tcp_acc_reflect(r->acc >> SYN_ACC_ECT_SHIFT);
    if (r->rtx == 0 && (r->acc & SYN_ACC_AGAIN) == 0)
        tcp_acc_option_syn(tcp, h);
}

/* [RFC 9768 5.1] Nobody else says 2 to 7 here. */
void tcp_ecn_cookie_in(const struct tcp *tcp, struct syn_rec *r, const struct seg *s)
{
    if (tcp->env->conf.tcp_ecn >= 3 && tcp_acc_ace(&s->h) >= 2)
        r->acc = SYN_ACC;
}

void tcp_ecn_child(const struct tcp *tcp, struct tcb *t, const struct syn_rec *r)
{
    t->st.ecn = (r->opts & SYN_ECN) != 0 ? ECNF_OK : 0;
    if ((r->acc & SYN_ACC) == 0)
        return;
    t->st.ecn = ECNF_OK | ECNF_ACC;
    unsigned flags = ACC_SYN_RCVD | ((r->acc & SYN_ACC_PLAIN) != 0 ? (unsigned)ACC_NO_ECT : 0);
    tcp_acc_begin(tcp, t, (uint16_t)flags, r->acc >> SYN_ACC_ECT_SHIFT);
}

/* ---- handshake: what the peer answers ---- */

/* [RFC 9768 3.1.2 MUST-13, MUST-14] Both opened at once: the mode of who would have answered. */
static void other_syn(const struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    unsigned ace = tcp_acc_ace(&s->h);
    if ((t->st.ecn & ECNF_ACC) != 0 && tcp_acc_is_asked(ace)) {
        tcp_acc_begin(tcp, t, ACC_SYN_RCVD, s->p->ecn);
        return;
    }
    t->st.ecn = (ace & 3) == 3 ? t->st.ecn & ECNF_OK : 0;
}

/* [RFC 3168 6.1.1 MUST-8; RFC 9768 3.1.1 MUST-5, MUST-6; 3.1.2 MUST-8, MUST-11, MUST-12; 3.1.3
 * MUST-16] The first SYN-ACK decides. Flags that are our own, reflected, are those of a host that
 * knows nothing of them. */
void tcp_ecn_syn_in(const struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    unsigned ace = tcp_acc_ace(&s->h);
    if (t->st.ecn == 0)
        return;
    if ((s->h.flags & TCPF_ACK) == 0) {
        other_syn(tcp, t, s);
        return;
    }
    if ((t->st.ecn & ECNF_ACC) == 0)
        t->st.ecn = (ace & 3) == 1 ? ECNF_OK : 0;
    else if (ace == 1)
        t->st.ecn = ECNF_OK;
    else if (ace == 0 || ace == 7)
        t->st.ecn = 0;
    else
        tcp_acc_syn_ack_in(tcp, t, s);
}

/* [RFC 9768 3.1.5 MUST-22, MUST-23, MUST-24, SHLD-8] */
bool tcp_ecn_syn_again(const struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    struct tcp_acc *a = tcp_acc_of(tcp, t);
    unsigned ace = tcp_acc_ace(&s->h);
    bool is_opening = t->state == TCPS_SYN_RECEIVED, is_ack = (s->h.flags & TCPF_ACK) != 0;
    if (!tcp_is_acc(t))
        return true;
    if (is_opening && ace == (is_ack ? 1 : 3))
        return false;
    if (is_ack) {
        tcp_acc_syn_ack_in(tcp, t, s);
        return true;
    }
    a->flags |= ACC_BARE_SYN_ACK | (ace == 0 ? (unsigned)ACC_NO_ECT : 0);
    a->rcv_syn = tcp_ecn_of(s) & 3;
    return true;
}

/* [RFC 9768 3.2.2.1 MUST-33, MUST-34; 3.2.3.2.1 SHLD-21] Before any data: a segment with text has
 * no room for that. */
void tcp_ecn_ack_syn_ack(struct tcp *tcp, struct tcb *t)
{
    struct tcp_acc *a = tcp_acc_of(tcp, t);
    a->flags |= ACC_REFLECT;
    if (tcp_seg_ack(tcp, t) == DROP_NONE)
        return;
    a->flags &= (uint16_t)~ACC_REFLECT;
    tcp_ack_now(tcp, t, WEIR_WHY_ACK_ECN);
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

/* [RFC 9768 3.2.3.2.1 MUST-53] The option is for SYN-ACKs only, and for the first. */
static uint8_t acc_out(const struct tcp *tcp, const struct tcb *t, struct wire_tcp *h,
                       uint32_t payload)
{
    tcp_acc_flags_out(tcp, t, h, payload);
    if ((h->flags & TCPF_SYN) == 0) {
        bool is_new = payload != 0 && seq_geq(h->seq, t->snd.nxt);
        bool may =
            (h->flags & TCPF_RST) == 0 && tcp_acc_may_ect(tcp, t, is_new || is_exact(t), payload);
        return may ? ECN_ECT0 : ECN_NOT;
    }
    bool is_first =
        (t->flags & TF_SYN_RTX) == 0 && (tcp_acc_of(tcp, t)->flags & ACC_BARE_SYN_ACK) == 0;
    if ((h->flags & TCPF_ACK) != 0 && is_first)
        tcp_acc_option_syn(tcp, h);
    return ECN_NOT;
}

/* [RFC 3168 6.1.1 MUST-3, MUST-4, MUST-6; 6.1.2 SHLD-2; 6.1.3 MUST-11; 6.1.4 MUST-13; 6.1.5
 * MUST-14; 6.1.6 MUST-15; RFC 9768 3.1.5 MUST-25] */
uint8_t tcp_ecn_out(const struct tcp *tcp, const struct tcb *t, struct wire_tcp *h,
                    uint32_t payload)
{
    if (tcp_is_acc(t))
        return acc_out(tcp, t, h, payload);
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

void tcp_ecn_sent(const struct tcp *tcp, struct tcb *t, const struct wire_tcp *h)
{
    if (tcp_is_acc(t))
        tcp_acc_sent(tcp, t, h);
    else if ((h->flags & (TCPF_CWR | TCPF_SYN)) == TCPF_CWR)
        t->st.ecn &= (uint8_t)~ECNF_CWR;
}

/* [RFC 9768 3.2.3.2.2 SHLD-25] Nothing of ours has arrived yet, and it had the option. */
void tcp_ecn_timeout(const struct tcp *tcp, struct tcb *t)
{
    if (tcp_is_acc(t) && t->snd.una == t->sndq.iss + 1 && t->snd.sacked == 0)
        tcp_acc_of(tcp, t)->flags |= ACC_NO_OPT;
    tcp_ecn_reduced(tcp, t);
}

/* ---- what comes: the receiver ---- */

bool tcp_ecn_is_news(const struct tcp *tcp, const struct tcb *t, const struct seg *s)
{
    if (tcp_is_acc(t))
        return tcp_acc_is_news(tcp, t, s);
    if ((s->h.flags & (TCPF_ECE | TCPF_CWR)) != 0)
        return true;
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
    tcp_ack_now(tcp, t, WEIR_WHY_ACK_HANDSHAKE);
}

/* [RFC 3168 6.1.3 MUST-11, MUST-12] The first mark is told at once and so is a little of what
 * follows, as in Linux; and a sender that says CWR may have very little in flight. */
static void echo_until_cwr(struct tcp *tcp, struct tcb *t, bool is_marked, bool has_cwr)
{
    if (has_cwr) {
        t->st.ecn &= (uint8_t)~ECNF_ECHO;
        tcp_ack_now(tcp, t, WEIR_WHY_ACK_ECN);
    }
    if (is_marked && (t->st.ecn & ECNF_ECHO) == 0) {
        t->st.ecn |= ECNF_ECHO;
        tcp_ack_quick(tcp, t, 2);
    }
}

/* [RFC 3168 6.1.1 MUST-7; 6.1.5 SHLD-3; RFC 9768 3.1.5 MUST-45] Text only, and what came before is
 * nobody's news. */
void tcp_ecn_in(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    bool is_marked = s->p->ecn == ECN_CE;
    if (tcp_is_acc(t)) {
        tcp_acc_in(tcp, t, s);
        return;
    }
    if (s->len == 0 || seq_leq(s->seq + s->len, t->rcv.nxt))
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
    /* [RFC 9768 3.1.5 MUST-27] With counters nobody waits for CWR. */
    t->st.ecn |= ECNF_REDUCED | (tcp_is_acc(t) ? 0 : ECNF_CWR);
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

/* The peer says that our SYN was marked [RFC 9768 3.2.2.2]: the window is still the initial one. */
void tcp_ecn_established(struct tcp *tcp, struct tcb *t)
{
    struct tcp_acc *a = tcp_acc_of(tcp, t);
    struct ack_work w = {.cc = {.now = tcp->env->now, .inflight_prior = t->cc.cwnd}};
    if (!tcp_is_acc(t) || (a->flags & ACC_SYN_CE) == 0)
        return;
    a->flags &= (uint16_t)~ACC_SYN_CE;
    reduce(tcp, t, &w);
}

/* Marks that an ACK tells of: as many segments as it acknowledges, where it says ECE. */
static uint32_t classic_marks(struct tcp *tcp, struct tcb *t, const struct seg *s,
                              struct ack_work *w)
{
    if ((s->h.flags & (TCPF_ECE | TCPF_SYN)) != TCPF_ECE)
        return 0;
    w->cc.ce_bytes = w->acked + w->cc.sacked - w_u32_min(w->was_sacked, w->acked);
    uint32_t n = (w->cc.ce_bytes + t->snd.mss - 1) / t->snd.mss;
    tcp_path_of(tcp, t)->n_ce += n;
    return w_u32_max(n, w->acked != 0 || t->snd.una != t->snd.nxt);
}

/* [RFC 3168 5 MUST-1; 6.1.2 MUST-9, MUST-10] */
void tcp_ecn_ack(struct tcp *tcp, struct tcb *t, const struct seg *s, struct ack_work *w)
{
    bool is_quiet = t->ca_state < CA_RECOVERY;
    if (!tcp_ecn_has_reduced(tcp, t))
        t->st.ecn &= (uint8_t)~ECNF_REDUCED;
    uint32_t n = tcp_is_acc(t) ? tcp_acc_ack(tcp, t, s, w) : classic_marks(tcp, t, s, w);
    if (n != 0 && is_quiet && (t->st.ecn & ECNF_REDUCED) == 0)
        reduce(tcp, t, w);
    /* [RFC 3168 6.1.2] No growth until the window that was marked is acknowledged. */
    if (is_quiet && (t->st.ecn & ECNF_REDUCED) != 0)
        w->cc.cwnd_limited = false;
}
