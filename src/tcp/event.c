/* SPDX-License-Identifier: Apache-2.0
 *
 * What a connection's owner hears: readiness now, and which bits changed.
 *
 * Decides: what poll says in each state, as Linux's tcp_poll does, since programs are written
 * against that.
 * Owns: the ready list (each tcb on it at most once), t->edges, t->err.
 * Called by all of the room to tell, by sock/ to ask. Nothing is called back.
 *
 * Invariant: a tcb without a socket is on no list; its edges wait until tcp_set_sock, after which
 * the owner asks tcp_poll once.
 */
#include "tcp/room.h"

void tcp_event(struct tcp *tcp, struct tcb *t, uint32_t edges)
{
    t->edges |= edges;
    if (t->sock == 0 || (t->flags & TF_READY) != 0)
        return;
    uint32_t idx = tcb_index(t);
    t->flags |= TF_READY;
    t->ready_next = 0;
    if (tcp->ready_head == 0)
        tcp->ready_head = idx;
    else
        tcp_at(tcp, tcp->ready_tail)->ready_next = idx;
    tcp->ready_tail = idx;
}

struct tcb *tcp_ready_pop(struct tcp *tcp, uint32_t *edges)
{
    if (tcp->ready_head == 0)
        return NULL;
    struct tcb *t = tcp_at(tcp, tcp->ready_head);
    tcp->ready_head = t->ready_next;
    if (tcp->ready_head == 0)
        tcp->ready_tail = 0;
    t->flags &= ~(uint32_t)TF_READY;
    *edges = t->edges;
    t->edges = 0;
    return t;
}

void tcp_event_remove(struct tcp *tcp, struct tcb *t)
{
    if ((t->flags & TF_READY) == 0)
        return;
    uint32_t idx = tcb_index(t), prev = 0, at = tcp->ready_head;
    while (at != idx) {
        WEIR_ASSERT(at != 0);
        prev = at;
        at = tcp_at(tcp, at)->ready_next;
    }
    if (prev == 0)
        tcp->ready_head = t->ready_next;
    else
        tcp_at(tcp, prev)->ready_next = t->ready_next;
    if (tcp->ready_tail == idx)
        tcp->ready_tail = prev;
    t->flags &= ~(uint32_t)TF_READY;
}

/* As much as the program asked for (SO_RCVLOWAT), or as much as there can be before it reads: half
 * the buffer, or what closes the window. */
bool tcp_is_readable(const struct tcb *t)
{
    uint32_t bytes = tcp_rcvq_bytes(t);
    /* An urgent byte that is read out of band is not what recv would return. */
    if (bytes == 1 && (t->flags & TF_URG_VALID) != 0 && (t->flags & TF_OOBINLINE) == 0 &&
        t->rcv_up == t->rcv.copied)
        return false;
    bool is_enough = bytes >= w_u32_min(t->opt.rcvlowat, t->rcv.limit / 2);
    return bytes != 0 && (is_enough || tcp_rcv_wnd(t) <= t->rcv.mss);
}

/* An error waits, or something in the error queue. */
static uint32_t poll_error(const struct tcp *tcp, const struct tcb *t)
{
    bool is_told = t->err != 0;
    if (WEIR_UNLIKELY((t->flags & TF_WATCH) != 0))
        is_told |= tcp_watch_has_note(tcp, t);
    return is_told ? TCP_EV_ERR : 0u;
}

static uint32_t poll_closed(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t bits = TCP_EV_OUT | TCP_EV_HUP | poll_error(tcp, t);
    bool was_open = t->flow.rport != 0;
    return was_open ? bits | TCP_EV_IN | TCP_EV_RDHUP : bits;
}

static uint32_t poll_data(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t bits = 0;
    bool is_eof = (t->flags & (TF_FIN_RCVD | TF_RCV_SHUT)) != 0;
    bool is_shut = (t->flags & TF_FIN_QUEUED) != 0;
    if (is_eof)
        bits |= TCP_EV_IN | TCP_EV_RDHUP;
    if (is_eof && is_shut)
        bits |= TCP_EV_HUP;
    if (tcp_is_readable(t))
        bits |= TCP_EV_IN;
    if (is_shut || tcp_sndq_is_writable(tcp, t))
        bits |= TCP_EV_OUT;
    if ((t->flags & TF_URG_BYTE) != 0)
        bits |= TCP_EV_PRI;
    if (t->snd.una == t->snd.nxt && tcp_sndq_bytes(t) == 0)
        bits |= TCP_EV_DRAINED;
    return bits;
}

uint32_t tcp_poll(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t bits = (t->flags & TF_CONNECTED) != 0 ? TCP_EV_CONNECTED : 0u;
    switch (t->state) {
    case TCPS_LISTEN: return t->lsn.n_accept != 0 ? TCP_EV_IN | TCP_EV_ACCEPT : 0;
    case TCPS_CLOSED: return bits | poll_closed(tcp, t) | TCP_EV_DRAINED;
    case TCPS_SYN_SENT:
    case TCPS_SYN_RECEIVED:
        if (tcp_fo_is_open(t))
            break;
        return poll_error(tcp, t) | (tcp_is_deferred(t) ? TCP_EV_OUT : 0u);
    default: break;
    }
    return bits | poll_data(tcp, t) | poll_error(tcp, t);
}

/* [RFC 9293 3.9.1.8 MUST-47, SHLD-20; 3.9.2.2 SHLD-25] Who does not ask is not told. */
int tcp_take_error(struct tcb *t)
{
    int err = t->err != 0 ? t->err : t->soft_err;
    t->err = t->soft_err = 0;
    return err;
}
