/* SPDX-License-Identifier: Apache-2.0
 *
 * Deadlines of connections: what happens when time passes.
 *
 * Decides: what a retransmission timeout, a delayed ACK, a keepalive probe, the end of an orphan's
 * FIN-WAIT-2 do; when a connection is given up [RFC 9293 3.8.3, RFC 1122 4.2.3.5, 4.2.3.6].
 * Owns: t->at[] and the one wheel node t->timer.
 * Called by stack/ with what the wheel handed out; arming is called by everybody.
 *
 * Theory of operation. The node is set to the earliest logical deadline when one is armed, and
 * never moved later: an ACK that pushes the retransmission timer out costs one store. When the
 * node fires too early for every deadline it is set again, to the earliest then. So at most one
 * idle firing per deadline that was moved.
 *
 * Invariant: while any at[] is not W_NEVER the node is set, at or before the least of them.
 */
#include <errno.h>

#include "tcp/room.h"

void tcp_arm(struct tcp *tcp, struct tcb *t, unsigned which, w_ns at)
{
    t->at[which] = at;
    if (!t->timer.is_set || at < t->timer.at)
        wheel_set(&tcp->env->wheel, &t->timer, at);
}

w_ns tcp_rto_wait(const struct tcp *tcp, const struct tcb *t)
{
    w_ns d = tcp_rto_ns(tcp, t);
    uint32_t user = t->opt.user_timeout_ms;
    if (user != 0 && t->rtt.first_rto_ms != 0) {
        /* The last timeout falls on the program's limit. */
        uint32_t gone = tcp_now_ms(tcp) - t->rtt.first_rto_ms;
        w_ns left = gone < user ? (user - gone) * W_MS : W_MS;
        d = w_u64_min(d, left);
    }
    return d;
}

void tcp_arm_rto(struct tcp *tcp, struct tcb *t)
{
    t->rec.timer = LT_RTO;
    tcp_arm(tcp, t, T_RTO, tcp->env->now + tcp_rto_wait(tcp, t));
}

void tcp_arm_rto_rest(struct tcp *tcp, struct tcb *t)
{
    const struct sent_rec *head = tcp_sent_at(tcp, t->snd.rec_head);
    w_ns since = head != NULL ? head->sent_at : tcp->env->now;
    t->rec.timer = LT_RTO;
    tcp_arm(tcp, t, T_RTO, w_u64_max(since + tcp_rto_wait(tcp, t), tcp->env->now + W_US));
}

void tcp_rto_revert(struct tcp *tcp, struct tcb *t)
{
    /* [RFC 6069 4.2 (4), (5)] One timeout back; what is left of it, counted from the repetition. */
    if (t->snd.backoff == 0 || t->snd.n_rto == 0 || t->at[T_RTO] == W_NEVER)
        return;
    t->snd.backoff--;
    tcp_arm_rto_rest(tcp, t);
}

/* ---- retransmission ---- */

/* [RFC 9293 3.8.3 MUST-20, SHLD-10] From R1 on: IP is advised that the way may be dead, and asked
 * anew; each time, as what it finds out may be wrong or become so. */
static void advise_from_r1(struct tcp *tcp, struct tcb *t)
{
    if (t->snd.n_rto < tcp->env->conf.tcp_retries1)
        return;
    ip_dst_doubt(tcp->ip, &t->dst);
    t->dst.gen = 0;
}

/* From there on what is repeated may be too big for a path that does not say so. */
static void suspect_size(struct tcp *tcp, struct tcb *t)
{
    if (t->snd.n_rto >= tcp->env->conf.tcp_retries1 && t->snd.wnd != 0)
        tcp_mtup_blackhole(tcp, t);
}

/* [RFC 9293 3.8.6 SHLD-17, MUST-35; 3.8.6.1 MUST-37] The peer took its window back: what we repeat
 * are probes then, and while they are answered the connection lives. Two of the longest timeouts
 * without an answer are R2. */
static bool is_shut_but_alive(const struct tcp *tcp, const struct tcb *t)
{
    if (t->snd.wnd != 0 || (t->flags & TF_ORPHAN) != 0 || t->state == TCPS_SYN_SENT)
        return false;
    return tcp_now_ms(tcp) - t->st.ack_ms < 2 * tcp->env->conf.tcp_rto_max_ms;
}

/* [RFC 9293 3.8.3 MUST-20 … MUST-23, SHLD-11] R2, or what the program set. */
static bool is_hopeless(struct tcp *tcp, const struct tcb *t)
{
    const struct weir_conf *c = &tcp->env->conf;
    if (t->opt.user_timeout_ms != 0 && t->rtt.first_rto_ms != 0)
        return tcp_now_ms(tcp) - t->rtt.first_rto_ms >= t->opt.user_timeout_ms;
    if (is_shut_but_alive(tcp, t))
        return false;
    uint32_t max = c->tcp_retries2;
    if (t->state == TCPS_SYN_SENT)
        max = t->opt.syn_cnt != 0 ? t->opt.syn_cnt : c->tcp_syn_retries;
    else if (t->state == TCPS_SYN_RECEIVED)
        max = c->tcp_synack_retries;
    else if ((t->flags & TF_ORPHAN) != 0)
        max = c->tcp_orphan_retries != 0 ? c->tcp_orphan_retries : 8;
    return t->snd.n_rto >= max;
}

static bool give_up(struct tcp *tcp, struct tcb *t)
{
    tcp_count(tcp, STAT_TCPAbortOnTimeout);
    return tcp_done(tcp, t, t->soft_err != 0 ? t->soft_err : ETIMEDOUT);
}

/* [RFC 7413 4.2.1 SHLD-3] */
static void syn_again(struct tcp *tcp, struct tcb *t)
{
    t->flags |= TF_SYN_RTX;
    tcp_count(tcp, STAT_TCPSynRetrans);
    tcp_count(tcp, STAT_TcpRetransSegs);
    t->st.n_rtx++;
    if (ip_dst_is_valid(tcp->ip, &t->dst) || tcp_conn_route(tcp, t) == 0)
        (void)tcp_seg_syn(tcp, t, t->state == TCPS_SYN_RECEIVED);
}

/* What the reordering window or a probe waited for. */
static void early_fired(struct tcp *tcp, struct tcb *t)
{
    if (t->rec.timer == LT_REO)
        tcp_recover_reo(tcp, t);
    else
        tcp_tlp_fired(tcp, t);
    if (t->at[T_RTO] == W_NEVER && t->snd.una != t->snd.nxt)
        tcp_arm_rto_rest(tcp, t);
}

/* [RFC 6298 5 MUST-8, 5.4 SHLD-7] */
static bool rto_fired(struct tcp *tcp, struct tcb *t)
{
    bool is_opening = t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECEIVED;
    if (!is_opening && t->snd.una == t->snd.nxt)
        return true;
    if (t->rec.timer != LT_RTO) {
        early_fired(tcp, t);
        return true;
    }
    tcp_count(tcp, STAT_TCPTimeouts);
    if (WEIR_UNLIKELY(tcp->limits != NULL))
        tcp_limit_timeout(tcp, t);
    if (is_hopeless(tcp, t))
        return give_up(tcp, t);
    if ((t->flags & TF_ORPHAN) != 0 && !tcp_orphan_may_stay(tcp, t))
        return false;
    advise_from_r1(tcp, t);
    if (t->rtt.first_rto_ms == 0)
        t->rtt.first_rto_ms = is_opening ? t->sndq.sent_ms : tcp_stamp_ms(tcp);
    t->st.n_rto++;
    tcp_chrono_rto(tcp, t);
    if (is_opening) {
        syn_again(tcp, t);
    } else {
        suspect_size(tcp, t);
        tcp_recover_rto(tcp, t);
        t->snd.below = 0; /* what left this host long ago may have been dropped without a word */
    }
    if (t->snd.n_rto < UINT8_MAX)
        t->snd.n_rto++;
    if (t->snd.backoff < 20)
        t->snd.backoff++; /* [RFC 6298 5.5 MUST-9] */
    tcp_arm_rto(tcp, t);
    if (!is_opening)
        tcp_output(tcp, t, false);
    return true;
}

/* ---- keepalive ---- */

static uint32_t keep_idle_ms(const struct tcp *tcp, const struct tcb *t)
{
    return 1000u *
           (t->opt.keep_idle_s != 0 ? t->opt.keep_idle_s : tcp->env->conf.tcp_keepalive_time);
}

void tcp_keep_restart(struct tcp *tcp, struct tcb *t)
{
    if ((t->flags & TF_ORPHAN) != 0)
        return;
    if ((t->flags & TF_KEEPALIVE) == 0 || t->state == TCPS_CLOSED || t->state == TCPS_LISTEN ||
        t->state == TCPS_SYN_SENT)
        tcp_disarm(t, T_KEEP);
    else
        tcp_arm(tcp, t, T_KEEP, tcp->env->now + keep_idle_ms(tcp, t) * W_MS);
}

/* [RFC 9293 3.8.4 MAY-5, MUST-24 … MUST-29] */
static bool keep_fired(struct tcp *tcp, struct tcb *t)
{
    const struct weir_conf *c = &tcp->env->conf;
    if ((t->flags & TF_ORPHAN) != 0)
        return tcp_done(tcp, t, 0); /* FIN-WAIT-2 lasted long enough */
    if ((t->flags & TF_KEEPALIVE) == 0 || t->state == TCPS_SYN_SENT)
        return true;
    uint32_t now = tcp_now_ms(tcp), idle_max = keep_idle_ms(tcp, t);
    uint32_t idle = w_u32_min(now - t->rcv.data_ms, now - t->st.ack_ms);
    w_ns next = idle_max * W_MS;
    bool is_busy = t->snd.una != t->snd.nxt || seq_gt(t->snd.end, t->snd.nxt);
    if (is_busy) {
        /* the retransmission timer or the probes watch it */
    } else if (idle >= idle_max) {
        uint32_t max = t->opt.keep_cnt != 0 ? t->opt.keep_cnt : c->tcp_keepalive_probes;
        uint32_t user = t->opt.user_timeout_ms;
        if (user != 0 ? idle >= user && t->keep_probes > 0 : t->keep_probes >= max) {
            tcp_count(tcp, STAT_TCPAbortOnTimeout);
            return tcp_reset_out(tcp, t, ETIMEDOUT);
        }
        if (tcp_seg_probe(tcp, t, WEIR_WHY_KEEPALIVE) == DROP_NONE) {
            tcp_count(tcp, STAT_TCPKeepAlive);
            t->keep_probes++;
        }
        next = (t->opt.keep_intvl_s != 0 ? t->opt.keep_intvl_s : c->tcp_keepalive_intvl) * W_S;
    } else {
        next = (idle_max - idle) * W_MS;
    }
    tcp_arm(tcp, t, T_KEEP, tcp->env->now + next);
    return true;
}

/* ---- the node ---- */

static bool one_fired(struct tcp *tcp, struct tcb *t, unsigned which)
{
    t->at[which] = W_NEVER;
    if (env_traces(tcp->env))
        tcp_seen_timer(tcp, t, which);
    switch (which) {
    case T_RTO: return rto_fired(tcp, t);
    case T_PERSIST: return tcp_out_persist(tcp, t);
    case T_DELACK: tcp_ack_delay_over(tcp, t); return true;
    default: return keep_fired(tcp, t);
    }
}

static void conn_timer(struct tcp *tcp, struct tcb *t)
{
    w_ns now = tcp->env->now;
    for (unsigned i = 0; i < T_N; i++) {
        if (t->at[i] <= now && !one_fired(tcp, t, i))
            return;
    }
    w_ns next = W_NEVER;
    for (unsigned i = 0; i < T_N; i++)
        next = w_u64_min(next, t->at[i]);
    if (next != W_NEVER && (!t->timer.is_set || next < t->timer.at))
        wheel_set(&tcp->env->wheel, &t->timer, next);
    tcp_limit(tcp, t);
    tcb_check(tcp, t);
}

void tcp_timer(struct tcp *tcp, struct timer *timer)
{
    switch (timer->kind) {
    case TK_TCP: conn_timer(tcp, tcp_at(tcp, timer->obj & ((1u << TCP_OWNER_SHIFT) - 1))); break;
    case TK_TCP_SYN: tcp_syn_timer(tcp, timer->obj); break;
    case TK_TCP_TW: tcp_tw_timer(tcp); break;
    default: WEIR_NEVER_HERE("a timer that is not TCP's");
    }
}

/* [RFC 3168 6.1.2] As at an echoed mark: once per window, and not while losses are repaired. */
void tcp_congested(struct tcp *tcp, uint32_t owner)
{
    struct tcb *t = tcp_at(tcp, owner & ((1u << TCP_OWNER_SHIFT) - 1));
    struct tcp_path *q = tcp_path_of(tcp, t);
    if (tcb_owner(t) != owner || t->ca_state >= CA_RECOVERY || t->snd.una == t->snd.nxt)
        return;
    bool has_reduced = (t->st.path & PF_LOCAL_CUT) != 0 || (t->st.ecn & ECNF_REDUCED) != 0;
    if (has_reduced && seq_leq(t->snd.una, q->cwr_point))
        return;
    struct cc_ack a = {.now = tcp->env->now, .inflight_prior = tcp_pipe(t)};
    t->st.path |= PF_LOCAL_CUT;
    q->cwr_point = t->snd.nxt;
    tcp_count(tcp, STAT_TCPLocalCongested);
    cc_on_loss(&t->cc, CC_LOSS_ECN, &a);
    if (!cc_at(t->cc.kind)->every_ack)
        t->cc.cwnd = t->cc.ssthresh;
    cc_on_recovered(&t->cc, &a);
}

void tcp_sent(struct tcp *tcp, uint32_t owner, uint32_t bytes)
{
    struct tcb *t = tcp_at(tcp, owner & ((1u << TCP_OWNER_SHIFT) - 1));
    if (tcb_owner(t) != owner)
        return; /* it is gone, and another may have its place */
    uint32_t limit = tcp->env->conf.tcp_limit_output_bytes;
    bool was_full = t->snd.below >= limit;
    t->snd.below -= w_u32_min(bytes, t->snd.below);
    if (WEIR_UNLIKELY((t->flags & TF_WATCH) != 0))
        tcp_watch_gone(tcp, t, bytes);
    bool waits = seq_gt(t->snd.end, t->snd.nxt) || t->snd.lost > t->snd.rtx;
    /* Refused before, or stopped by the limit: on it goes. */
    if (waits && (was_full || (t->at[T_PERSIST] != W_NEVER && (t->flags & TF_PROBE0) == 0)))
        tcp_out_mark(tcp, t);
    tcp_limit(tcp, t);
}
