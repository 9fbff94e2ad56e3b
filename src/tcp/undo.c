/* SPDX-License-Identifier: Apache-2.0
 *
 * Reductions that were a mistake: nothing had been lost, it was late or out of order.
 *
 * Decides: whether what was repeated had arrived all the same [RFC 3522, RFC 3708].
 * Owns: prior_*, undo_*, rtx_ts of struct tcp_loss; LF_UNDO, LF_RTX.
 * Called by recover.c, by ack.c for DSACKs, by out.c for repetitions.
 *
 * Two witnesses. Timestamps (Eifel): an ACK for what was repeated that echoes a time before the
 * first repetition answers the original. DSACK: when the peer has reported each repeated byte as a
 * duplicate, no repetition was needed; that comes a round trip later, often after the recovery.
 * A third, F-RTO, is recover.c's, as it decides what to send.
 *
 * The response [RFC 4015 3.2] restores cwnd and ssthresh. [RFC 4015 3.2 step 8 DEVIATES: cwnd is
 * set to what it was, as in Linux, not to the flight size plus the initial window: bursts are
 * bounded by what ACKs let out, and a window that was right before is right again]
 */
#include "tcp/room.h"

void tcp_undo_begin(struct tcp *tcp, struct tcb *t)
{
    struct tcp_loss *l = tcp_loss(tcp, t);
    l->prior_cwnd = t->cc.cwnd;
    l->prior_ssthresh = t->cc.ssthresh;
    l->undo_from = t->snd.una;
    l->undo_rtx = t->snd.rtx; /* a probe's may be reported as well */
    t->rec.flags = (uint8_t)((t->rec.flags | LF_UNDO) & ~LF_RTX);
}

void tcp_undo_sent(struct tcp *tcp, struct tcb *t, uint32_t bytes)
{
    struct tcp_loss *l = tcp_loss(tcp, t);
    if ((t->rec.flags & LF_UNDO) == 0)
        return;
    l->undo_rtx += bytes;
    if ((t->rec.flags & LF_RTX) == 0)
        l->rtx_ts = tcp_now_ms(tcp) + t->snd.ts_off;
    t->rec.flags |= LF_RTX;
}

void tcp_undo_dsack(struct tcp *tcp, struct tcb *t, tcp_seq start, tcp_seq end)
{
    struct tcp_loss *l = tcp_loss(tcp, t);
    if ((t->rec.flags & LF_UNDO) == 0 || seq_leq(end, l->undo_from))
        return;
    uint32_t bytes = end - seq_max(start, l->undo_from);
    l->undo_rtx -= w_u32_min(bytes, l->undo_rtx);
}

bool tcp_undo_by_dsack(const struct tcp *tcp, const struct tcb *t)
{
    const uint8_t both = LF_UNDO | LF_RTX;
    return (t->rec.flags & both) == both && tcp_loss(tcp, t)->undo_rtx == 0;
}

bool tcp_undo_by_echo(const struct tcp *tcp, const struct tcb *t, const struct ack_work *w)
{
    const struct tcp_loss *l = tcp_loss(tcp, t);
    if ((t->rec.flags & LF_UNDO) == 0)
        return false;
    if ((t->rec.flags & LF_RTX) == 0)
        return l->undo_rtx == 0; /* nothing was repeated at all */
    return w->has_echo && ts_lt(w->echo, l->rtx_ts);
}

void tcp_undo(struct tcp *tcp, struct tcb *t)
{
    const struct tcp_loss *l = tcp_loss(tcp, t);
    t->cc.cwnd = w_u32_max(t->cc.cwnd, l->prior_cwnd);
    t->cc.ssthresh = w_u32_max(t->cc.ssthresh, l->prior_ssthresh);
    cc_on_undo(&t->cc, tcp->env->now);
    t->rec.flags &= (uint8_t) ~(LF_UNDO | LF_RTX);
}
