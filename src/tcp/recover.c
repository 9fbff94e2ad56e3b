/* SPDX-License-Identifier: Apache-2.0
 *
 * Loss recovery: when it begins, when it ends, when it was a mistake.
 *
 * Decides: entry by RACK, by SACK [RFC 6675 5] or by duplicate ACKs [RFC 5681 3.2], the partial
 * ACKs of NewReno [RFC 6582 3.2], what a timeout does [RFC 5681 3.1, RFC 6675 5.1], whether that
 * was spurious [F-RTO, RFC 5682].
 * Owns: t->ca_state, snd.dupacks, rec.flags, point of struct tcp_loss.
 * Called by ack.c after the scoreboard is up to date, by timer.c; asks rack.c or sent.c what is
 * lost, undo.c what was a mistake, prr.c and cc/ for the size of the window. Sends nothing: out.c
 * repeats what is marked lost.
 *
 *     OPEN      all is well
 *     DISORDER  duplicate ACKs or SACKs seen, not enough for a loss
 *     RECOVERY  repeating what is lost, cwnd by PRR, until `point` is acknowledged
 *     LOSS      after a timeout: what is not SACKed counts as lost, slow start from one segment
 *
 * Without SACK each duplicate ACK is taken for one segment that left the network: snd.sacked is
 * that estimate, so that one formula for what is in flight serves both.
 *
 * Invariant: in RECOVERY and LOSS `point` is ahead of snd.una.
 */
#include "tcp/room.h"

static bool has_sack(const struct tcb *t) { return (t->flags & TF_SACK) != 0; }

/* The algorithm decides about cwnd in fast recovery, too. */
static bool owns_cwnd(const struct tcb *t) { return cc_at(t->cc.kind)->every_ack != 0; }

static void clear_flags(struct tcb *t, unsigned which)
{
    t->rec.flags = (uint8_t)(t->rec.flags & ~which);
}

/* ---- without SACK ---- */

/* A duplicate ACK without SACK: one more segment arrived somewhere [RFC 5681 3.2 MUST-15]. */
static void reno_dup(struct tcb *t, struct ack_work *w)
{
    uint32_t out = t->snd.nxt - t->snd.una, before = t->snd.sacked;
    uint32_t most = out > t->snd.lost ? out - t->snd.lost : 0;
    t->snd.sacked = w_u32_min(t->snd.sacked + t->snd.mss, most);
    w->cc.sacked += seq_ahead(t->snd.sacked, before);
}

/* [RFC 6582 3.2 MUST-5] The ACK moved: what it covers beyond the hole had been counted. */
static void reno_advance(struct tcb *t, struct ack_work *w)
{
    uint32_t beyond = w->acked > t->snd.mss ? w->acked - t->snd.mss : 0;
    t->is_small_step = w->acked <= 4u * t->snd.mss;
    w->was_sacked = w_u32_min(t->snd.sacked, beyond);
    t->snd.sacked -= w->was_sacked;
    if (t->snd.una == t->snd.nxt)
        t->snd.sacked = 0;
}

static void count_duplicates(struct tcb *t, struct ack_work *w)
{
    if (w->acked != 0) {
        t->snd.dupacks = 0;
        if (!has_sack(t))
            reno_advance(t, w);
    } else if (w->is_dup) {
        if (t->snd.dupacks < UINT8_MAX)
            t->snd.dupacks++;
        if (!has_sack(t) && t->ca_state != CA_LOSS)
            reno_dup(t, w);
    }
}

/* ---- the window ---- */

/* Bytes this ACK told of for the first time. */
static uint32_t delivered(const struct ack_work *w)
{
    return w->acked + w->cc.sacked - w_u32_min(w->was_sacked, w->acked);
}

static void grow(const struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    /* [RFC 6675 5, RFC 5681 3.1] What SACK or duplicates told of before has had its effect. On a
     * path that reorders SACKs count at once: snd.una moves late and by much, as in Linux. */
    bool is_wild = t->rec.reordering > tcp->env->conf.tcp_reordering;
    w->cc.acked = delivered(w);
    if (tcp_is_paced(t))
        tcp_rate_losses(t, w);
    if (w->acked != 0 || (w->new_sack && (is_wild || owns_cwnd(t))))
        cc_on_ack(&t->cc, &w->cc);
}

/* ---- what is lost ---- */

static bool should_recover(const struct tcp *tcp, const struct tcb *t)
{
    if (tcp_has_rack(tcp, t))
        return t->snd.lost != 0;
    if (has_sack(t))
        return tcp_is_dupthresh(t); /* [RFC 6675 5; RFC 5681 3.2 SHLD-6; RFC 2018 5.1 MUST-5] */
    if (t->snd.dupacks < t->rec.reordering)
        return false;
    /* [RFC 6582 3.2 MUST-2, 4.1 MAY-1] Duplicates of what was sent before the last recovery are no
     * new loss. At its very end it may be either: echoes of much that was repeated in vain, which
     * one ACK then covered, or the next loss, where the ACKs came by small steps. */
    tcp_seq point = tcp_loss(tcp, t)->point;
    bool is_step = t->is_small_step != 0 && t->cc.cwnd > t->snd.mss;
    return seq_gt(t->snd.una, point) || (t->snd.una == point && is_step);
}

/* What this ACK's news make a loss. After an undo (forced) everything is judged anew. */
static void detect(struct tcp *tcp, struct tcb *t, struct ack_work *w, bool is_forced)
{
    bool in_recovery = t->ca_state == CA_RECOVERY;
    if (tcp_has_rack(tcp, t)) {
        if (w->rack_at != 0 || is_forced)
            w->has_reo = tcp_rack_detect(tcp, t) || w->has_reo;
    } else if (has_sack(t)) {
        if (w->new_sack && t->ca_state >= CA_RECOVERY)
            tcp_sent_mark_sack_lost(tcp, t);
        if (in_recovery && w->acked != 0 && t->snd.rtx == 0 && t->snd.lost == 0)
            tcp_sent_mark_head_lost(tcp, t); /* as a partial ACK says: the next hole */
    } else if (in_recovery && w->acked != 0) {
        tcp_sent_mark_head_lost(tcp, t); /* [RFC 6582 3.2 MUST-4] partial ACK */
    }
}

/* ---- entry and exit ---- */

/* [RFC 5681 3.2 MUST-13, MUST-14; 4.3 MUST-21; RFC 6582 3.2 MUST-2; RFC 6675 5] */
static void enter_recovery(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    tcp_count(tcp, has_sack(t) ? STAT_TCPSackRecovery : STAT_TCPRenoRecovery);
    tcp_undo_begin(tcp, t);
    clear_flags(t, LF_TLP | LF_TLP_RTX);
    t->ca_state = CA_RECOVERY;
    tcp_loss(tcp, t)->point = t->snd.nxt;
    /* [RFC 3168 6.1.2] One reduction for one window, whether its news are marks or losses. */
    if (t->st.ecn == 0 || !tcp_ecn_has_reduced(tcp, t))
        cc_on_loss(&t->cc, CC_LOSS_FAST, &w->cc);
    if (t->st.ecn != 0)
        tcp_ecn_reduced(tcp, t);
    tcp_prr_begin(tcp, t, w);
    if (tcp_has_rack(tcp, t))
        return;
    tcp_sent_mark_head_lost(tcp, t);
    if (has_sack(t))
        tcp_sent_mark_sack_lost(tcp, t);
}

static void reopen(struct tcb *t)
{
    uint32_t odd = t->snd.sacked | t->snd.lost | t->snd.rtx | t->snd.dupacks;
    t->ca_state = odd != 0 ? CA_DISORDER : CA_OPEN;
}

static void undo(struct tcp *tcp, struct tcb *t, struct ack_work *w, enum env_stat why)
{
    w->is_undone = true;
    tcp_undo(tcp, t);
    tcp_count(tcp, why);
}

/* A path MTU probe was too big and nothing else is lost: it goes again in pieces, and that is all.
 * [RFC 4821 7.6.2 SHLD-7] */
static bool lost_probe_only(struct tcp *tcp, struct tcb *t)
{
    if (WEIR_LIKELY((t->rec.flags & LF_PROBE) == 0) || !tcp_mtup_lost(tcp, t))
        return false;
    tcp_recover_probe(tcp, t);
    return true;
}

/* In OPEN and DISORDER. Late DSACKs still undo the last reduction. */
static void watch(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    if (w->has_dsack && tcp_undo_by_dsack(tcp, t))
        undo(tcp, t, w, STAT_TCPDSACKUndo);
    detect(tcp, t, w, false);
    if (!should_recover(tcp, t))
        reopen(t);
    else if (!lost_probe_only(tcp, t))
        enter_recovery(tcp, t, w);
}

/* The recovery point was reached [RFC 5681 3.2 MUST-16, 4.3 MUST-20; RFC 6582 3.2 MUST-3; RFC 6675
 * 5 MUST-9, SHLD-4]. */
static void finish(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    if (tcp_undo_by_dsack(tcp, t) || tcp_undo_by_echo(tcp, t, w)) {
        undo(tcp, t, w, STAT_TCPFullUndo);
    } else {
        tcp_rack_recovered(tcp, t);
        if (t->ca_state == CA_RECOVERY && !owns_cwnd(t))
            t->cc.cwnd = t->cc.ssthresh; /* [RFC 9937 6] whatever PRR left it at */
        cc_on_recovered(&t->cc, &w->cc);
    }
    clear_flags(t, LF_FRTO | LF_FRTO_NEW);
    t->snd.dupacks = 0;
    if (!has_sack(t))
        t->snd.sacked = 0;
    reopen(t);
}

/* ---- fast recovery ---- */

static void in_recovery(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    if (seq_geq(t->snd.una, tcp_loss(tcp, t)->point)) {
        finish(tcp, t, w);
        watch(tcp, t, w);
        return;
    }
    if (w->acked != 0 && tcp_undo_by_echo(tcp, t, w)) {
        /* [RFC 3522] The hole was filled by what was late: no more is marked; when nothing repeated
         * is under way any more, all of it was a mistake. */
        if (t->snd.rtx != 0)
            return;
        tcp_sent_unmark_lost(tcp, t);
        undo(tcp, t, w, STAT_TCPPartialUndo);
        tcp_rack_reordered(tcp, t, w->prior_una, t->sndq.fack);
        reopen(t);
        detect(tcp, t, w, true);
    } else if (w->has_dsack && tcp_undo_by_dsack(tcp, t)) {
        undo(tcp, t, w, STAT_TCPDSACKUndo);
        reopen(t);
        detect(tcp, t, w, true);
    } else {
        detect(tcp, t, w, false);
    }
    if (t->ca_state != CA_RECOVERY && should_recover(tcp, t))
        enter_recovery(tcp, t, w);
}

/* ---- after a timeout ---- */

static void undo_timeout(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    tcp_sent_unmark_lost(tcp, t);
    undo(tcp, t, w, STAT_TCPLossUndo);
    tcp_count(tcp, STAT_TCPSpuriousRTOs);
    clear_flags(t, LF_FRTO | LF_FRTO_NEW);
    t->snd.n_rto = 0;
    if (w->cc.rtt_us != 0)
        tcp_rtt_raise(tcp, t, w->cc.rtt_us);
    reopen(t);
    detect(tcp, t, w, true);
}

/* [RFC 5682 3.1] Something arrived that was lost, says the timeout, and not repeated since. */
static bool is_frto_proof(const struct tcp *tcp, const struct tcb *t, const struct ack_work *w)
{
    return (t->rec.flags & LF_FRTO) != 0 && w->has_orig &&
           seq_leq(w->orig_end, tcp_loss(tcp, t)->point) && (has_sack(t) || !w->rtx_acked);
}

/* [RFC 5682 3.1, 2.1] Steps 2 and 3, as far as this ACK is no proof. */
static void frto_step(struct tcp *tcp, struct tcb *t, const struct ack_work *w)
{
    struct tcp_loss *l = tcp_loss(tcp, t);
    clear_flags(t, LF_FRTO_NEW);
    if ((t->rec.flags & LF_FRTO) == 0)
        return;
    if (seq_gt(t->snd.nxt, l->point)) {
        if (w->new_sack || w->is_dup)
            clear_flags(t, LF_FRTO); /* 3a: the loss was real */
    } else if (w->acked != 0 && seq_lt(t->snd.una, l->point)) {
        l->point = t->snd.nxt;
        bool can_send = seq_gt(seq_min(t->snd.end, t->snd.una + t->snd.wnd), t->snd.nxt);
        if (can_send)
            t->rec.flags |= LF_FRTO_NEW; /* 2b: new data, to see what comes of it */
        else
            clear_flags(t, LF_FRTO);
    }
}

static void in_loss(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    bool is_undone = w->acked != 0 && (tcp_undo_by_dsack(tcp, t) || tcp_undo_by_echo(tcp, t, w));
    bool is_undoable = (t->rec.flags & LF_UNDO) != 0;
    if (is_undone || (is_undoable && is_frto_proof(tcp, t, w))) {
        undo_timeout(tcp, t, w);
        if (should_recover(tcp, t))
            enter_recovery(tcp, t, w);
        return;
    }
    if (seq_geq(t->snd.una, tcp_loss(tcp, t)->point)) {
        grow(tcp, t, w);
        finish(tcp, t, w);
        watch(tcp, t, w);
        return;
    }
    frto_step(tcp, t, w);
    if (!has_sack(t) && w->is_dup && seq_gt(t->snd.nxt, tcp_loss(tcp, t)->point))
        reno_dup(t, w);
    detect(tcp, t, w, false);
    grow(tcp, t, w);
}

/* ---- one ACK ---- */

/* A probe repaired a loss that nobody had noticed [RFC 8985 7.4]: congestion all the same. */
static void probe_repaired(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    tcp_count(tcp, STAT_TCPLossProbeRecovery);
    clear_flags(t, LF_UNDO);
    cc_on_loss(&t->cc, CC_LOSS_FAST, &w->cc);
    if (!owns_cwnd(t))
        t->cc.cwnd = t->cc.ssthresh;
    if (t->st.ecn != 0)
        tcp_ecn_reduced(tcp, t);
    cc_on_recovered(&t->cc, &w->cc);
}

/* An ACK with news of loss, or while there is some [RFC 6675 5 MUST-7 … MUST-10, MAY-1; RFC 5681
 * 3.2 MUST-11]. */
static void alert(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    uint8_t was = t->ca_state;
    count_duplicates(t, w);
    w->cc.inflight = tcp_pipe(t);
    if (has_sack(t))
        tcp_rack_ack(tcp, t, w);
    if ((t->rec.flags & LF_TLP) != 0 && tcp_tlp_ack(tcp, t, w) && was <= CA_DISORDER)
        probe_repaired(tcp, t, w);
    if ((t->rec.flags & LF_PROBE) != 0)
        tcp_mtup_ack(tcp, t);
    switch (was) {
    case CA_RECOVERY: in_recovery(tcp, t, w); break;
    case CA_LOSS:
        in_loss(tcp, t, w);
        if (t->ca_state != CA_LOSS)
            tcp_chrono_repaired(tcp, t);
        break;
    default: watch(tcp, t, w); break;
    }
    w->cc.lost = t->rec.lost - w->lost_prior;
    if (owns_cwnd(t) && was != CA_LOSS)
        grow(tcp, t, w);
    else if (t->ca_state == CA_RECOVERY && !owns_cwnd(t))
        tcp_prr_ack(tcp, t, delivered(w), w->acked != 0 && w->cc.lost == 0);
    else if (was <= CA_DISORDER || (was == CA_RECOVERY && w->is_undone))
        grow(tcp, t, w); /* an ordinary ACK, as it turns out, if it undid a recovery */
}

void tcp_recover_ack(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    uint32_t odd = t->snd.sacked | t->snd.lost | t->snd.rtx | (t->rec.flags & (LF_TLP | LF_PROBE));
    w->cc.in_recovery = t->ca_state >= CA_RECOVERY;
    if (WEIR_LIKELY(t->ca_state == CA_OPEN && odd == 0 && !w->is_odd)) {
        w->cc.inflight = t->snd.nxt - t->snd.una;
        w->cc.acked = w->acked;
        if (WEIR_UNLIKELY(tcp_is_paced(t)))
            tcp_rate_losses(t, w);
        if (w->acked != 0)
            cc_on_ack(&t->cc, &w->cc);
    } else {
        alert(tcp, t, w);
    }
    tcp_sndq_grow(tcp, t);
}

/* ---- time ---- */

/* How far back a transmission counts as one that its ACK may still be on the way for. */
static w_ns young_since(const struct tcp *tcp, const struct tcb *t)
{
    const struct tcp_loss *l = tcp_loss(tcp, t);
    uint32_t us = l->rack_rtt_us != 0 ? l->rack_rtt_us : t->rtt.srtt8_us >> 3;
    w_ns now = tcp->env->now, rtt = us * W_US;
    return tcp_has_rack(tcp, t) && rtt < now ? now - rtt : W_NEVER;
}

/* [RFC 9293 3.8.2 MUST-19; RFC 5681 3.1 MUST-7, MUST-9, MUST-10, 4.3 MUST-21; RFC 6298 5.4 SHLD-7;
 * RFC 6582 3.2 MUST-6; RFC 6928 2 MUST-1; RFC 6675 5.1 MUST-12, MUST-13, SHLD-6] */
void tcp_recover_rto(struct tcp *tcp, struct tcb *t)
{
    struct cc_ack a = {.now = tcp->env->now, .inflight_prior = tcp_pipe(t)};
    struct tcp_loss *l = tcp_loss(tcp, t);
    bool is_first = t->ca_state < CA_RECOVERY;
    if ((t->rec.flags & LF_PROBE) != 0)
        tcp_mtup_timeout(tcp, t);
    /* [RFC 5681 3.1] ssthresh falls once for one loss, not again when its repetition is lost too */
    if (t->ca_state != CA_LOSS || seq_geq(t->snd.una, l->point) || t->snd.n_rto == 0) {
        tcp_undo_begin(tcp, t);
        cc_on_loss(&t->cc, CC_LOSS_RTO, &a);
    }
    /* As in Linux: that many SACKs and no recovery, so the path does not reorder as far. */
    if (is_first && tcp_has_rack(tcp, t) &&
        t->snd.sacked >= tcp->env->conf.tcp_reordering * t->snd.mss)
        t->rec.reordering = (uint16_t)w_u32_min(t->rec.reordering, tcp->env->conf.tcp_reordering);
    /* [RFC 2018 5 MUST-4] A peer whose first hole is SACKed has thrown data away. */
    const struct sent_rec *head = tcp_sent_at(tcp, t->snd.rec_head);
    bool is_reneging = head != NULL && (head->flags & SENT_SACKED) != 0;
    if (!has_sack(t))
        t->snd.sacked = 0;
    tcp_sent_mark_all_lost(tcp, t, is_reneging, is_reneging ? W_NEVER : young_since(tcp, t));
    clear_flags(t, LF_TLP | LF_TLP_RTX | LF_FRTO | LF_FRTO_NEW);
    /* [RFC 5682 3.1 (1)] not in the middle of another recovery */
    if (tcp->env->conf.tcp_frto != 0 && !is_reneging && (is_first || t->snd.n_rto != 0))
        t->rec.flags |= LF_FRTO;
    t->ca_state = CA_LOSS;
    l->point = t->snd.nxt;
    t->snd.dupacks = 0;
    t->cc.cwnd = tcp_pipe(t) + t->cc.mss; /* the loss window: one segment [RFC 5681 3.1] */
    if (t->st.ecn != 0)
        tcp_ecn_timeout(tcp, t);
}

void tcp_recover_reo(struct tcp *tcp, struct tcb *t)
{
    struct ack_work w = {.lost_prior = t->rec.lost};
    w.cc.now = tcp->env->now;
    w.cc.inflight_prior = tcp_pipe(t);
    w.cc.delivered = tcp_delivered(t);
    (void)tcp_rack_detect(tcp, t);
    if (t->rec.lost == w.lost_prior)
        return;
    if (t->ca_state < CA_RECOVERY && !lost_probe_only(tcp, t)) {
        enter_recovery(tcp, t, &w);
        if (!owns_cwnd(t))
            tcp_prr_ack(tcp, t, 0, false);
    }
    tcp_output(tcp, t, false);
}

/* What is marked lost goes again as after a timeout, but with cwnd as it is. */
static void repeat_in_loss(struct tcp *tcp, struct tcb *t)
{
    clear_flags(t, LF_TLP | LF_TLP_RTX | LF_UNDO | LF_FRTO | LF_FRTO_NEW);
    t->ca_state = CA_LOSS;
    tcp_loss(tcp, t)->point = t->snd.nxt;
    t->snd.dupacks = 0;
    tcp_out_mark(tcp, t);
}

void tcp_recover_mtu(struct tcp *tcp, struct tcb *t)
{
    if (t->snd.una == t->snd.nxt || t->snd.rec_head == 0)
        return;
    if (!has_sack(t))
        t->snd.sacked = 0;
    tcp_sent_mark_all_lost(tcp, t, false, W_NEVER);
    if ((t->rec.flags & LF_PROBE) != 0)
        tcp_mtup_forget(tcp, t);
    repeat_in_loss(tcp, t);
}

void tcp_recover_probe(struct tcp *tcp, struct tcb *t)
{
    if (!has_sack(t))
        t->snd.sacked = 0;
    tcp_sent_mark_probe_lost(tcp, t);
    repeat_in_loss(tcp, t);
}
