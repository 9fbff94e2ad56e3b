/* SPDX-License-Identifier: Apache-2.0
 *
 * Loss recovery: when it begins, what cwnd is meanwhile, when it ends.
 *
 * Decides: entry by duplicate ACKs or SACK [RFC 5681 3.2, RFC 6675 5], the partial ACKs of NewReno
 * [RFC 6582 3.2], what a timeout does [RFC 5681 3.1, RFC 6675 5.1].
 * Owns: t->ca_state, snd.dupacks, t->rec.
 * Called by ack.c after the scoreboard is up to date, by timer.c; calls sent.c to mark, cc/ for the
 * size of the window. Sends nothing: out.c repeats what is marked lost.
 *
 *     OPEN      all is well
 *     DISORDER  duplicate ACKs or SACKs seen, not enough for a loss
 *     RECOVERY  repeating what is lost, cwnd = ssthresh, until rec.point is acknowledged
 *     LOSS      after a timeout: everything not SACKed counts as lost, slow start from one segment
 *
 * Without SACK each duplicate ACK is taken for one segment that left the network: snd.sacked is
 * that estimate, so that one formula for what is in flight serves both.
 *
 * Invariant: in RECOVERY and LOSS rec.point is ahead of snd.una.
 */
#include "tcp/room.h"

static bool has_sack(const struct tcb *t) { return (t->flags & TF_SACK) != 0; }

/* A duplicate ACK without SACK: one more segment arrived somewhere [RFC 5681 3.2 MUST-15]. */
static void reno_dup(struct tcb *t)
{
    uint32_t out = t->snd.nxt - t->snd.una;
    uint32_t most = out > t->snd.lost ? out - t->snd.lost : 0;
    t->snd.sacked = w_u32_min(t->snd.sacked + t->snd.mss, most);
}

/* [RFC 6582 3.2 MUST-5] The ACK moved: what it covers beyond the hole had been counted. */
static void reno_advance(struct tcb *t, struct ack_work *w)
{
    uint32_t beyond = w->acked > t->snd.mss ? w->acked - t->snd.mss : 0;
    w->was_sacked = w_u32_min(t->snd.sacked, beyond);
    t->snd.sacked -= w->was_sacked;
    if (t->snd.una == t->snd.nxt)
        t->snd.sacked = 0;
}

static bool should_recover(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t thresh = tcp->env->conf.tcp_reordering;
    if (has_sack(t)) {
        /* [RFC 6675 5; RFC 5681 3.2 SHLD-6; RFC 2018 5.1 MUST-5] DupThresh duplicates, or
         * IsLost(HighACK + 1) */
        return t->snd.sacked > 0 &&
               (t->snd.dupacks >= thresh || t->snd.sacked > (uint64_t)(thresh - 1) * t->snd.mss);
    }
    /* [RFC 6582 3.2 MUST-2] Duplicates of what was sent before the last recovery are no new loss.
     * */
    return t->snd.dupacks >= thresh && seq_gt(t->snd.una, t->rec.point);
}

/* [RFC 5681 3.2 MUST-13, MUST-14; 4.3 MUST-21; RFC 6582 3.2 MUST-2; RFC 6675 5] */
static void enter_recovery(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    tcp_count(tcp, has_sack(t) ? STAT_TCPSackRecovery : STAT_TCPRenoRecovery);
    t->ca_state = CA_RECOVERY;
    t->rec.point = t->snd.nxt;
    t->rec.prior_cwnd = t->cc.cwnd;
    t->rec.prior_ssthresh = t->cc.ssthresh;
    cc_on_loss(&t->cc, CC_LOSS_FAST, &w->cc);
    t->cc.cwnd = t->cc.ssthresh; /* [RFC 6675 5 (4.2)] */
    tcp_sent_mark_head_lost(tcp, t);
    if (has_sack(t))
        tcp_sent_mark_sack_lost(tcp, t);
}

/* [RFC 5681 3.2 MUST-16, 4.3 MUST-20; RFC 6582 3.2 MUST-3; RFC 6675 5 MUST-9, SHLD-4] */
static void leave(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    t->ca_state = t->snd.sacked != 0 ? CA_DISORDER : CA_OPEN;
    t->snd.dupacks = 0;
    if (!has_sack(t))
        t->snd.sacked = 0;
    cc_on_recovered(&t->cc, &w->cc);
    (void)tcp;
}

static void in_recovery(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    if (has_sack(t)) {
        if (w->new_sack)
            tcp_sent_mark_sack_lost(tcp, t);
        if (w->acked != 0 && t->snd.rtx == 0 && t->snd.lost == 0)
            tcp_sent_mark_head_lost(tcp, t); /* as a partial ACK says: the next hole */
    } else if (w->acked != 0) {
        tcp_sent_mark_head_lost(tcp, t); /* [RFC 6582 3.2 MUST-4] */
    }
}

static void grow(struct tcb *t, struct ack_work *w)
{
    /* [RFC 6675 5, RFC 5681 3.1] What SACK or duplicates told of before has had its effect. */
    w->cc.acked = w->acked + w->cc.sacked - w_u32_min(w->was_sacked, w->acked);
    if (w->acked != 0)
        cc_on_ack(&t->cc, &w->cc);
}

/* [RFC 6675 5 MUST-7 … MUST-10, MAY-1; RFC 5681 3.2 MUST-11] */
void tcp_recover_ack(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    if (w->acked != 0) {
        t->snd.dupacks = 0;
        if (!has_sack(t))
            reno_advance(t, w);
    } else if (w->is_dup) {
        if (t->snd.dupacks < UINT8_MAX)
            t->snd.dupacks++;
        if (!has_sack(t) && t->ca_state != CA_LOSS)
            reno_dup(t);
    }
    w->cc.inflight = tcp_pipe(t);
    w->cc.in_recovery = t->ca_state >= CA_RECOVERY;
    if (t->ca_state >= CA_RECOVERY && seq_geq(t->snd.una, t->rec.point)) {
        if (t->ca_state == CA_LOSS)
            grow(t, w);
        leave(tcp, t, w);
        return;
    }
    switch (t->ca_state) {
    case CA_RECOVERY: in_recovery(tcp, t, w); break;
    case CA_LOSS:
        if (has_sack(t) && w->new_sack)
            tcp_sent_mark_sack_lost(tcp, t);
        grow(t, w);
        break;
    default:
        if (should_recover(tcp, t)) {
            enter_recovery(tcp, t, w);
            break;
        }
        t->ca_state = t->snd.sacked != 0 || t->snd.dupacks != 0 ? CA_DISORDER : CA_OPEN;
        grow(t, w);
        break;
    }
    w->cc.lost = t->snd.lost > w->lost_prior ? t->snd.lost - w->lost_prior : 0;
    tcp_sndq_grow(tcp, t);
}

/* [RFC 9293 3.8.2 MUST-19; RFC 5681 3.1 MUST-7, MUST-9, MUST-10, 4.3 MUST-21; RFC 6298 5.4 SHLD-7;
 * RFC 6582 3.2 MUST-6; RFC 6675 5.1 MUST-12, MUST-13, SHLD-6] */
void tcp_recover_rto(struct tcp *tcp, struct tcb *t)
{
    struct cc_ack a = {.now = tcp->env->now, .inflight_prior = tcp_pipe(t)};
    /* [RFC 5681 3.1] ssthresh falls once for one loss, not again when its repetition is lost too */
    if (t->ca_state != CA_LOSS || seq_geq(t->snd.una, t->rec.point) || t->snd.n_rto == 0) {
        t->rec.prior_cwnd = t->cc.cwnd;
        t->rec.prior_ssthresh = t->cc.ssthresh;
        cc_on_loss(&t->cc, CC_LOSS_RTO, &a);
    }
    /* [RFC 2018 5 MUST-4] A peer whose first hole is SACKed has thrown data away. */
    const struct sent_rec *head = tcp_sent_at(tcp, t->snd.rec_head);
    bool is_reneging = head != NULL && (head->flags & SENT_SACKED) != 0;
    if (!has_sack(t))
        t->snd.sacked = 0;
    tcp_sent_mark_all_lost(tcp, t, is_reneging);
    t->ca_state = CA_LOSS;
    t->rec.point = t->snd.nxt;
    t->snd.dupacks = 0;
    t->cc.cwnd = t->cc.mss; /* the loss window: one segment */
}

void tcp_recover_mtu(struct tcp *tcp, struct tcb *t)
{
    if (t->snd.una == t->snd.nxt || t->snd.rec_head == 0)
        return;
    if (!has_sack(t))
        t->snd.sacked = 0;
    tcp_sent_mark_all_lost(tcp, t, false);
    t->ca_state = CA_LOSS;
    t->rec.point = t->snd.nxt;
    t->snd.dupacks = 0;
    tcp_out_mark(tcp, t);
}
