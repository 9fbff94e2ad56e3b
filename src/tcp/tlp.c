/* SPDX-License-Identifier: Apache-2.0
 *
 * Tail loss probes [RFC 8985 7]: a segment sent early, so that the loss of the last ones shows in
 * SACKs instead of in a timeout.
 *
 * Decides: when a probe is due, what an ACK that follows says of the segment it repeated.
 * Owns: LF_TLP, LF_TLP_RTX, tlp_end of struct tcp_loss.
 * Called by ack.c and out.c to arm T_RTO, by timer.c when it fires as LT_PROBE, by recover.c for
 * ACKs while a probe is out. out.c sends it.
 *
 * Theory of operation. While all is well T_RTO waits for two round trips, not for the RTO. The time
 * counts from the last ACK or the last segment sent; the deadline is not moved for each segment but
 * looked at again when it is reached. One probe at a time; after it the RTO itself runs.
 *
 * A probe that repeated the last segment hides whether that was lost: only a DSACK, or a duplicate
 * ACK of a peer without DSACK, says that it was not. Otherwise the loss counts as congestion.
 */
#include "tcp/room.h"

#define PTO_LEAST   (2 * W_MS) /* beyond two round trips, as in Linux: the clocks of two hosts */
#define PTO_UNKNOWN W_S        /* [RFC 8985 7.2] no round trip measured yet */

static bool is_enabled(const struct tcp *tcp, const struct tcb *t)
{
    return (t->flags & TF_SACK) != 0 && tcp->env->conf.tcp_early_retrans >= 3;
}

/* [RFC 8985 7.2 SHLD-8] TLP_calc_PTO. */
static w_ns probe_timeout(const struct tcp *tcp, const struct tcb *t)
{
    if (t->rtt.srtt8_us == 0)
        return PTO_UNKNOWN;
    w_ns two_rtt = (t->rtt.srtt8_us >> 2) * W_US;
    bool is_alone = t->snd.nxt - t->snd.una <= t->snd.mss; /* its ACK may be delayed */
    return two_rtt + (is_alone ? tcp->env->conf.tcp_rto_min_us * W_US : PTO_LEAST);
}

/* [RFC 8985 7.2 SHLD-7; 8 SHLD-10] */
void tcp_tlp_arm(struct tcp *tcp, struct tcb *t)
{
    w_ns wait = tcp_rto_wait(tcp, t);
    t->rec.timer = LT_RTO;
    if (t->ca_state == CA_OPEN && is_enabled(tcp, t) && (t->rec.flags & LF_TLP) == 0) {
        t->rec.timer = LT_PROBE;
        wait = w_u64_min(wait, probe_timeout(tcp, t));
    }
    tcp_arm(tcp, t, T_RTO, tcp->env->now + wait);
}

/* Something was sent since the deadline was set: its own comes first. */
static bool is_early(struct tcp *tcp, struct tcb *t)
{
    const struct sent_rec *head = tcp_sent_at(tcp, t->snd.rec_head);
    const struct sent_rec *tail = tcp_sent_at(tcp, t->sndq.rec_tail);
    if (head == NULL)
        return false;
    w_ns due = tail->sent_at + probe_timeout(tcp, t);
    if (due <= tcp->env->now || due >= head->sent_at + tcp_rto_wait(tcp, t))
        return false;
    t->rec.timer = LT_PROBE;
    tcp_arm(tcp, t, T_RTO, due);
    return true;
}

/* [RFC 8985 7.3 SHLD-9, MUST-4, MUST-6] TLP_send_probe. */
void tcp_tlp_fired(struct tcp *tcp, struct tcb *t)
{
    bool is_rtx = false;
    bool may = t->ca_state < CA_RECOVERY && is_enabled(tcp, t) && (t->rec.flags & LF_TLP) == 0;
    if (may && is_early(tcp, t))
        return;
    if (!may || !tcp_out_probe(tcp, t, &is_rtx)) {
        tcp_arm_rto_rest(tcp, t);
        return;
    }
    tcp_count(tcp, STAT_TCPLossProbes);
    t->rec.flags |= (uint8_t)(LF_TLP | (is_rtx ? LF_TLP_RTX : 0));
    tcp_loss(tcp, t)->tlp_end = t->snd.nxt;
    tcp_arm_rto(tcp, t);
}

/* [RFC 8985 7.4.2: TLP_process_ack] */
bool tcp_tlp_ack(struct tcp *tcp, struct tcb *t, const struct ack_work *w)
{
    tcp_seq end = tcp_loss(tcp, t)->tlp_end;
    if (seq_lt(t->snd.una, end))
        return false;
    bool was_needless = (t->rec.flags & LF_TLP_RTX) == 0 || w->has_tlp_dsack || w->is_bare_dup;
    if (!was_needless && t->snd.una == end)
        return false; /* the DSACK may be on its way */
    t->rec.flags &= (uint8_t) ~(LF_TLP | LF_TLP_RTX);
    return !was_needless;
}
