/* SPDX-License-Identifier: Apache-2.0
 *
 * The delivery rate: how fast the path carries what we send.
 *
 * Decides: the lower half of struct cc_ack, struct cc_lost, when the program and not the path is
 * what limits us.
 * Owns: of struct tcp_path what is measured, and of struct sent_rec what was true at transmission.
 * Called by sent.c, ack.c, recover.c, send.c, for paced connections only: an algorithm that wants
 * samples paces, and all others shall not pay for them. Calls cc/.
 *
 * Theory of operation [draft-ietf-ccwg-bbr 4.1; draft-cheng-iccrg-delivery-rate-estimation]. Each
 * transmission remembers how much had been delivered by then (d0), when that was learnt (t0), and
 * when the packet that taught it had left (s0). When it is acknowledged itself, at t1, with d1
 * delivered, sent at s1:
 *
 *     rate = (d1 - d0) / max(t1 - t0, s1 - s0)
 *
 * The larger of the two times, because ACKs may come compressed, and data cannot arrive faster than
 * it was sent. A sample shorter than the least RTT is compression, too, and is dropped. When the
 * program has nothing to send there is a gap in what is sent, and samples are low for it: they are
 * marked until the gap has passed the path, that is until everything in flight at its beginning has
 * been delivered.
 *
 * Invariant: times of a sample never go back, as a connection's departures do not.
 */
#include "tcp/room.h"

void tcp_rate_sent(struct tcp *tcp, const struct tcb *t, struct sent_rec *r)
{
    struct tcp_path *q = tcp_path_of(tcp, t);
    r->sent_at = q->departs_at;
    if (r->start == t->snd.una && r->end == t->snd.nxt)
        q->delivered_at = 0; /* nothing else is in flight: time starts anew */
    if (q->delivered_at == 0)
        q->first_sent_at = q->delivered_at = r->sent_at;
    r->first_sent_at = q->first_sent_at;
    r->delivered_at = q->delivered_at;
    r->delivered = tcp_delivered(t);
    r->lost = t->rec.lost;
    r->inflight = tcp_pipe(t);
    r->is_app_limited = (t->st.path & PF_APP_LIMITED) != 0 || (t->cc.flags & CC_APP_LIMITED) != 0;
}

void tcp_rate_acked(const struct sent_rec *r, tcp_seq end, struct ack_work *w)
{
    /* 0: sent before the connection was paced. */
    if (r->delivered_at == 0 || r->sent_at < w->p_sent_at)
        return;
    w->p_sent_at = r->sent_at;
    w->p_delivered_at = r->delivered_at;
    w->p_first_sent_at = r->first_sent_at;
    w->p_lost = r->lost;
    w->cc.prior_delivered = r->delivered;
    w->cc.tx_inflight = r->inflight - w_u32_min(r->inflight, r->end - end);
    w->cc.app_limited = r->is_app_limited != 0;
}

void tcp_rate_lost(struct tcp *tcp, struct tcb *t, const struct sent_rec *r)
{
    uint32_t bytes = r->end - r->start;
    struct cc_lost l = {.now = tcp->env->now,
                        .delivered = tcp_delivered(t),
                        .bytes = bytes,
                        .lost_since = r->delivered_at != 0 ? t->rec.lost - r->lost : bytes,
                        .tx_inflight = w_u32_max(r->inflight, bytes),
                        .app_limited = r->is_app_limited != 0,
                        .has_sack = (t->flags & TF_SACK) != 0};
    cc_on_lost(&t->cc, &l);
}

static uint64_t rate_Bps(uint64_t bytes, w_ns took)
{
    if (bytes < UINT64_MAX / W_S)
        return bytes * W_S / took;
    return bytes / (took / W_S + 1);
}

void tcp_rate_sample(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    struct tcp_path *q = tcp_path_of(tcp, t);
    w->cc.has_sack = (t->flags & TF_SACK) != 0;
    if (w->p_sent_at == 0)
        return;
    q->delivered_at = tcp->env->now;
    q->first_sent_at = w->p_sent_at;
    if ((int32_t)((uint32_t)w->cc.delivered - q->app_limited) > 0)
        t->st.path &= (uint8_t)~PF_APP_LIMITED;
    w_ns sending = w->p_sent_at - w_u64_min(w->p_first_sent_at, w->p_sent_at);
    w_ns hearing = tcp->env->now - w_u64_min(w->p_delivered_at, tcp->env->now);
    w_ns took = w_u64_max(sending, hearing);
    /* [4.1.2.3] Shorter than any round trip: ACKs that came compressed. A peer that takes SACKs
     * back can make `delivered` fall. */
    if (took == 0 || took < t->rtt.min_us * W_US || w->cc.delivered <= w->cc.prior_delivered)
        return;
    w->cc.rate_Bps = rate_Bps(w->cc.delivered - w->cc.prior_delivered, took);
    if (!w->cc.app_limited || w->cc.rate_Bps >= q->last_Bps) {
        q->last_Bps = w->cc.rate_Bps;
        t->st.path &= (uint8_t)~PF_LAST_LIMITED;
        t->st.path |= w->cc.app_limited ? PF_LAST_LIMITED : 0;
    }
}

void tcp_rate_losses(const struct tcb *t, struct ack_work *w)
{
    w->cc.inflight = tcp_pipe(t);
    w->cc.lost = t->rec.lost - w->lost_prior;
    if (w->p_sent_at != 0)
        w->cc.lost_since = t->rec.lost - w->p_lost;
}

/* [4.1.2.4 CheckIfApplicationLimited] */
void tcp_rate_app_limited(struct tcp *tcp, struct tcb *t)
{
    bool has_little = seq_ahead(t->snd.end, t->snd.nxt) < t->snd.mss;
    bool is_path_fed = t->snd.below != 0 || tcp_pipe(t) >= t->cc.cwnd;
    bool is_repaired = t->snd.lost <= t->snd.rtx;
    if (!has_little || is_path_fed || !is_repaired)
        return;
    tcp_path_of(tcp, t)->app_limited = (uint32_t)tcp_delivered(t) + tcp_pipe(t);
    t->st.path |= PF_APP_LIMITED;
}
