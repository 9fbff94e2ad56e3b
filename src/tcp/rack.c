/* SPDX-License-Identifier: Apache-2.0
 *
 * RACK: what is lost, judged by time [RFC 8985 6].
 *
 * Decides: the latest transmission known to have arrived, whether the path reorders and how far,
 * how long something sent before that may still take, when to look again.
 * Owns: rack_*, reo_*, dsack_round of struct tcp_loss; t->rec.reordering, t->rec.reord_seen.
 * Called by recover.c with each ACK that has news, and when T_RTO fires as LT_REO; sent.c collects
 * the news and marks.
 *
 * Theory of operation. A range is lost when something sent after it has arrived and it has itself
 * been under way for longer than the round trip of that, plus a reordering window. Repetitions are
 * judged like first transmissions, so a repetition that was lost is found without a timeout. The
 * window is a quarter of the least round trip; a round whose repetitions turn out to have been
 * needless (DSACK) adds another quarter for the next sixteen recoveries. Until a path has been seen
 * to reorder the window is nothing as soon as DupThresh segments are SACKed, or in recovery: then
 * the rule is as quick as RFC 6675's.
 *
 * RFC 6675's rule itself is used where tcp_recovery has bit 1 cleared.
 */
#include "tcp/room.h"

enum {
    REO_PERSIST = 16, /* [RFC 8985 6.2 step 4] */
    RACK_STATIC = 2,  /* tcp_recovery: the window does not adapt */
    RACK_NO_DUPTHRESH = 4,
};
#define REO_MIN W_MS /* not worth a timer of less */

static bool is_later(w_ns a, tcp_seq a_end, w_ns b, tcp_seq b_end)
{
    return a > b || (a == b && seq_gt(a_end, b_end));
}

/* [RFC 8985 6.2 steps 1, 2] sent.c leaves out what is acknowledged in order while all is well. */
static void latest(const struct tcp *tcp, const struct tcb *t, struct tcp_loss *l,
                   struct ack_work *w)
{
    if (w->newest_sent_at > w->rack_at) {
        w->rack_at = w->newest_sent_at;
        w->rack_end = t->snd.una;
    }
    if (w->rack_at == 0)
        return;
    if (w->oldest_at == 0)
        w->oldest_at = w->rack_at;
    /* Of several delivered at once the one that took longest: so may those that are missing. */
    l->rack_rtt_us = (uint32_t)w_u64_min((tcp->env->now - w->oldest_at) / W_US, UINT32_MAX);
    if (is_later(w->rack_at, w->rack_end, l->rack_at, l->rack_end)) {
        l->rack_at = w->rack_at;
        l->rack_end = w->rack_end;
    }
}

/* The distance is the new DupThresh, as in Linux. */
void tcp_rack_reordered(struct tcp *tcp, struct tcb *t, tcp_seq from, tcp_seq upto)
{
    uint32_t far = seq_ahead(upto, from), mss = t->snd.mss;
    if (far > (uint32_t)t->rec.reordering * mss)
        t->rec.reordering =
            (uint16_t)w_u32_min((far + mss - 1) / mss, tcp->env->conf.tcp_max_reordering);
    if (t->rec.reord_seen < UINT16_MAX)
        t->rec.reord_seen++;
    tcp_count(tcp, STAT_TCPSACKReorder);
}

/* [RFC 8985 6.2 step 3] Something sent once arrived after what was sent behind it. After a timeout
 * nobody knows what was repeated for what. */
static void reordered(struct tcp *tcp, struct tcb *t, const struct ack_work *w)
{
    if (w->has_reord && (t->ca_state != CA_LOSS || (t->rec.flags & LF_UNDO) != 0))
        tcp_rack_reordered(tcp, t, w->reord_from, w->fack);
}

/* [RFC 8985 3.3.2 SHLD-3] 6.2 step 4: once per round. A probe's DSACK says nothing of reordering,
 * nor does one on a path that keeps the order. */
static void widen(const struct tcp *tcp, struct tcb *t, struct tcp_loss *l,
                  const struct ack_work *w)
{
    if ((t->rec.flags & LF_DSACK) != 0 && seq_geq(t->snd.una, l->dsack_round))
        t->rec.flags &= (uint8_t)~LF_DSACK;
    if (!w->has_dsack || w->has_tlp_dsack || t->rec.reord_seen == 0 ||
        (t->rec.flags & LF_DSACK) != 0 || (tcp->env->conf.tcp_recovery & RACK_STATIC) != 0)
        return;
    t->rec.flags |= LF_DSACK;
    l->dsack_round = t->snd.nxt;
    l->reo_persist = REO_PERSIST;
    if (l->reo_more < UINT8_MAX)
        l->reo_more++;
}

void tcp_rack_ack(struct tcp *tcp, struct tcb *t, struct ack_work *w)
{
    struct tcp_loss *l = tcp_loss(tcp, t);
    latest(tcp, t, l, w);
    reordered(tcp, t, w);
    widen(tcp, t, l, w);
}

void tcp_rack_recovered(struct tcp *tcp, struct tcb *t)
{
    struct tcp_loss *l = tcp_loss(tcp, t);
    if (l->reo_persist > 0 && --l->reo_persist == 0)
        l->reo_more = 0;
}

bool tcp_is_dupthresh(const struct tcb *t)
{
    uint32_t thresh = t->rec.reordering;
    return t->snd.sacked > 0 &&
           (t->snd.dupacks >= thresh || t->snd.sacked > (uint64_t)(thresh - 1) * t->snd.mss);
}

/* [RFC 8985 3.3.2 SHLD-1, SHLD-2, MUST-1, SHLD-4] 6.2 step 4: RACK_update_reo_wnd. */
static w_ns reordering_window(const struct tcp *tcp, const struct tcb *t, const struct tcp_loss *l)
{
    if (t->rec.reord_seen == 0) {
        bool counts_dups = (tcp->env->conf.tcp_recovery & RACK_NO_DUPTHRESH) == 0;
        if (t->ca_state >= CA_RECOVERY || (counts_dups && tcp_is_dupthresh(t)))
            return 0;
    }
    uint64_t us = (uint64_t)(t->rtt.min_us / 4) * (1u + l->reo_more);
    return w_u64_min(us, t->rtt.srtt8_us >> 3) * W_US;
}

/* [RFC 8985 6.2 SHLD-6] */
bool tcp_rack_detect(struct tcp *tcp, struct tcb *t)
{
    const struct tcp_loss *l = tcp_loss(tcp, t);
    if (l->rack_at == 0 || t->snd.una == t->snd.nxt)
        return false;
    w_ns wait = l->rack_rtt_us * W_US + reordering_window(tcp, t, l);
    w_ns left = tcp_sent_mark_rack_lost(tcp, t, wait);
    if (left == 0)
        return false;
    t->rec.timer = LT_REO;
    tcp_arm(tcp, t, T_RTO, tcp->env->now + w_u64_max(left, REO_MIN));
    return true;
}
