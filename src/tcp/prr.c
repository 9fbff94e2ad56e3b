/* SPDX-License-Identifier: Apache-2.0
 *
 * Proportional rate reduction [RFC 9937]: what cwnd is while recovery lasts.
 *
 * Decides: how many bytes each ACK lets out, so that what is in flight comes down to ssthresh
 * evenly over the round trip, and never by more than was delivered when losses took it below.
 * Owns: prr_* of struct tcp_loss; cwnd in CA_RECOVERY.
 * Called by recover.c, by out.c for what is sent.
 *
 * Theory of operation. While more is in flight than ssthresh, what was sent in recovery follows
 * what was delivered in the proportion ssthresh : flight at the start. Below ssthresh an ACK lets
 * out what it delivered (packet conservation), one segment more if it moved snd.una and told of no
 * new loss ("safe ACK": slow start up to ssthresh). Rounded up to whole segments: in Linux, which
 * counts packets, the first ACK already lets one out.
 *
 * Invariant: cwnd is what is in flight plus what this ACK lets out, at least one segment.
 */
#include "tcp/room.h"

/* [RFC 9937 6] RecoverFS: what was SACKed before is not delivered again. */
void tcp_prr_begin(struct tcp *tcp, struct tcb *t, const struct ack_work *w)
{
    struct tcp_loss *l = tcp_loss(tcp, t);
    uint32_t out = t->snd.nxt - t->snd.una;
    uint32_t old = t->snd.sacked - w_u32_min(w->cc.sacked, t->snd.sacked);
    l->prr_flight = w_u32_max(out - w_u32_min(old, out) + w->acked, t->cc.mss);
    l->prr_delivered = l->prr_out = 0;
}

void tcp_prr_sent(struct tcp *tcp, struct tcb *t, uint32_t bytes)
{
    tcp_loss(tcp, t)->prr_out += bytes;
}

void tcp_prr_ack(struct tcp *tcp, struct tcb *t, uint32_t delivered, bool is_safe)
{
    struct tcp_loss *l = tcp_loss(tcp, t);
    uint32_t pipe = tcp_pipe(t), ssthresh = t->cc.ssthresh, mss = t->cc.mss;
    uint64_t room;
    if (delivered == 0 && l->prr_out != 0)
        return;
    l->prr_delivered += delivered;
    if (pipe > ssthresh) {
        uint64_t share =
            ((uint64_t)l->prr_delivered * ssthresh + l->prr_flight - 1) / l->prr_flight;
        share = (share + mss - 1) / mss * mss;
        room = share > l->prr_out ? share - l->prr_out : 0;
    } else {
        uint32_t owed = l->prr_delivered > l->prr_out ? l->prr_delivered - l->prr_out : 0;
        room = (uint64_t)w_u32_max(owed, delivered) + (is_safe ? mss : 0);
        room = w_u64_min(room, ssthresh - pipe);
    }
    if (l->prr_out == 0)
        room = w_u64_max(room, mss); /* [RFC 9937 6] the fast retransmission goes in any case */
    t->cc.cwnd = (uint32_t)w_u64_min(w_u64_max(pipe + room, mss), CC_SSTHRESH_INF);
}
