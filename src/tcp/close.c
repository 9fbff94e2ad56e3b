/* SPDX-License-Identifier: Apache-2.0
 *
 * How connections end from this side: shutdown, close, abort, and the way into TIME-WAIT.
 *
 * Decides: FIN or RST [RFC 9293 3.6, 3.10.4, 3.10.5], what becomes of a connection whose program is
 * gone, how long an orphan may stay in FIN-WAIT-2.
 * Owns: TF_FIN_QUEUED, TF_ORPHAN, the limit of orphans (tcp_max_orphans, memory): beyond it a
 * connection that nobody holds is reset.
 * That is asked when a program lets go, and again whenever the orphan's peer makes it wait.
 * Called by sock/, and by in.c, out.c and timer.c for what segments and time end; calls out.c and
 * conn.c.
 *
 *     close in         does
 *     LISTEN           resets the children nobody accepted, forgets the half-open
 *     SYN-SENT         forgets
 *     SYN-RECEIVED,    FIN after what is queued, FIN-WAIT-1; RST when data was left unread
 *     ESTABLISHED      [RFC 2525 2.17, RFC 9293 3.6.1] or linger is 0
 *     CLOSE-WAIT       FIN after what is queued, LAST-ACK
 *     later            lets go
 *
 * Invariant: an orphan always has a timer that ends it.
 */
#include <errno.h>

#include "tcp/room.h"

bool tcp_reset_out(struct tcp *tcp, struct tcb *t, int err)
{
    if (t->state != TCPS_CLOSED && t->state != TCPS_LISTEN && t->state != TCPS_SYN_SENT)
        tcp_seg_rst(tcp, t);
    return tcp_done(tcp, t, err);
}

/* [RFC 9293 3.6.1 MUST-13] */
bool tcp_to_time_wait(struct tcp *tcp, struct tcb *t)
{
    if ((t->flags & TF_ACK_NOW) != 0)
        tcp_output(tcp, t, false); /* the ACK of the peer's FIN: its last one from a full tcb */
    tcp_count(tcp, STAT_TW);
    if (!tcp_tw_add(tcp, t))
        tcp_count(tcp, STAT_TCPTimeWaitOverflow);
    return tcp_done(tcp, t, 0);
}

/* [RFC 9293 3.10.4] */
static void queue_fin(struct tcp *tcp, struct tcb *t)
{
    if ((t->flags & TF_FIN_QUEUED) != 0)
        return;
    switch (t->state) {
    case TCPS_SYN_RECEIVED: break; /* FIN-WAIT-1 once the handshake is through */
    case TCPS_ESTABLISHED: t->state = TCPS_FIN_WAIT_1; break;
    case TCPS_CLOSE_WAIT: t->state = TCPS_LAST_ACK; break;
    default: return;
    }
    t->flags |= TF_FIN_QUEUED;
    t->snd.push = t->snd.end;
    tcp_output(tcp, t, false);
}

void tcp_orphan_wait(struct tcp *tcp, struct tcb *t)
{
    int32_t s = t->opt.linger2_s != 0 ? t->opt.linger2_s : (int32_t)tcp->env->conf.tcp_fin_timeout;
    tcp_arm(tcp, t, T_KEEP, tcp->env->now + (w_ns)w_u32_max((uint32_t)s, 1) * W_S);
}

static int shutdown_listener(struct tcp *tcp, struct tcb *t, enum tcp_shut how)
{
    if (how == TCP_SHUT_WR)
        return 0;
    tcp_lsn_close(tcp, t);
    t->state = TCPS_CLOSED;
    tcp_event(tcp, t, TCP_EV_HUP | TCP_EV_IN);
    return 0;
}

int tcp_shutdown(struct tcp *tcp, struct tcb *t, enum tcp_shut how)
{
    switch (t->state) {
    case TCPS_CLOSED: return -ENOTCONN;
    case TCPS_LISTEN: return shutdown_listener(tcp, t, how);
    case TCPS_SYN_SENT: (void)tcp_done(tcp, t, 0); return 0;
    default: break;
    }
    if (how != TCP_SHUT_WR) {
        t->flags |= TF_RCV_SHUT;
        tcp_event(tcp, t, TCP_EV_IN | TCP_EV_RDHUP);
    }
    if (how != TCP_SHUT_RD) {
        tcp_event(tcp, t, TCP_EV_OUT);
        queue_fin(tcp, t);
    }
    tcb_check(tcp, t);
    return 0;
}

bool tcp_orphan_may_stay(struct tcp *tcp, struct tcb *t)
{
    bool is_heavy = tcp_mem_is_full(tcp) && tcp_sndq_bytes(t) > tcp->env->conf.tcp_wmem_min;
    if (tcp->n_orphans <= tcp->env->conf.tcp_max_orphans && !is_heavy)
        return true;
    tcp_count(tcp, STAT_TCPAbortOnMemory);
    (void)tcp_reset_out(tcp, t, 0);
    return false;
}

/* Nobody will read or write any more: in good order from here, or at once [RFC 9293 3.6.1 MAY-1,
 * SHLD-3]. */
static void let_go(struct tcp *tcp, struct tcb *t)
{
    bool is_unread = tcp_rcvq_bytes(t) != 0;
    t->flags |= TF_ORPHAN | TF_RCV_SHUT;
    tcp->n_orphans++;
    if (is_unread || t->opt.linger_s == 0) {
        tcp_count(tcp, is_unread ? STAT_TCPAbortOnClose : STAT_TCPAbortOnData);
        (void)tcp_reset_out(tcp, t, 0);
        return;
    }
    if (!tcp_orphan_may_stay(tcp, t))
        return;
    tcp_disarm(t, T_KEEP);
    if (t->state == TCPS_FIN_WAIT_2) {
        if (t->opt.linger2_s < 0) {
            tcp_count(tcp, STAT_TCPAbortOnLinger);
            (void)tcp_reset_out(tcp, t, 0);
            return;
        }
        tcp_orphan_wait(tcp, t);
    }
    queue_fin(tcp, t);
    tcb_check(tcp, t);
}

void tcp_close(struct tcp *tcp, struct tcb *t)
{
    tcp_event_remove(tcp, t);
    t->sock = 0;
    switch (t->state) {
    case TCPS_LISTEN: tcp_lsn_close(tcp, t); /* fall through */
    case TCPS_CLOSED: tcp_tcb_free(tcp, t); break;
    case TCPS_SYN_SENT:
        tcp_count(tcp, STAT_TcpAttemptFails);
        tcp_tcb_free(tcp, t);
        break;
    default: let_go(tcp, t); break;
    }
}

void tcp_abort(struct tcp *tcp, struct tcb *t, int err)
{
    if (t->state == TCPS_LISTEN)
        tcp_lsn_close(tcp, t);
    if (t->state == TCPS_LISTEN)
        t->state = TCPS_CLOSED;
    if (t->state != TCPS_CLOSED)
        (void)tcp_reset_out(tcp, t, err);
}

void tcp_abort_all(struct tcp *tcp)
{
    for (uint32_t i = 1; i <= tcp->tcbs.cap; i++) {
        if (pool_is_live(&tcp->tcbs, i))
            tcp_abort(tcp, tcp_at(tcp, i), 0);
    }
}
