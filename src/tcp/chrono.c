/* SPDX-License-Identifier: Apache-2.0
 *
 * What a connection with data to deliver waits for, and how long: tcpi_busy_time and the two parts
 * of it that are not the network's fault.
 *
 * Decides: when a connection is busy (something is queued or in flight), when it is held back by
 * the peer's window (that ends before the next segment would), when by its own send buffer (the
 * program has more, the buffer is full, and all of it is in flight although cwnd would take more).
 * Owns: t->chrono, is_refused, in_rto, struct tcp_times, tcp_loss.n_rto, tcp_path.rto_ms.
 * Called by out.c, ack.c and send.c where one of that may change, by timer.c and recover.c about
 * timeouts, by info.c.
 *
 * One sum runs at a time, and only a change of state costs anything: a sum that runs has the moment
 * it began subtracted, one that stops gets the moment added. Milliseconds, as in Linux; what is
 * shorter is neither lost nor gained on average.
 */
#include "tcp/room.h"

static struct tcp_times *times_of(const struct tcp *tcp, const struct tcb *t)
{
    return &tcp->times[tcb_index(t)];
}

void tcp_chrono_turn(struct tcp *tcp, struct tcb *t, enum tcp_chrono kind)
{
    struct tcp_times *m = times_of(tcp, t);
    uint32_t now = tcp_now_ms(tcp);
    m->ms[t->chrono] += now;
    m->ms[kind] -= now;
    t->chrono = kind & 3;
}

/* All is in flight and the program has more, but no room for it. */
static bool is_short_of_buffer(const struct tcb *t)
{
    return t->is_refused && (t->state == TCPS_ESTABLISHED || t->state == TCPS_CLOSE_WAIT) &&
           t->snd.end == t->snd.nxt && t->snd.una != t->snd.nxt && !tcp_is_cwnd_limited(t);
}

void tcp_chrono_odd(struct tcp *tcp, struct tcb *t, uint32_t mss, bool cwnd_limited)
{
    enum tcp_chrono kind = CHRONO_BUSY;
    uint32_t left = seq_ahead(t->snd.end, t->snd.nxt);
    uint32_t wnd = seq_ahead(t->snd.una + t->snd.wnd, t->snd.nxt);
    if (left != 0 && !cwnd_limited && wnd < w_u32_min(left, mss))
        kind = CHRONO_RWND;
    else if (is_short_of_buffer(t))
        kind = CHRONO_SNDBUF;
    tcp_chrono(tcp, t, kind);
}

void tcp_chrono_refused(struct tcp *tcp, struct tcb *t)
{
    t->is_refused = 1;
    tcp_gauge_full(tcp, t, TCP_BUF_SEND, true);
    if (is_short_of_buffer(t))
        tcp_chrono(tcp, t, CHRONO_SNDBUF);
    tcp_limit(tcp, t);
}

void tcp_chrono_writable(struct tcp *tcp, struct tcb *t)
{
    t->is_refused = 0;
    tcp_gauge_full(tcp, t, TCP_BUF_SEND, false);
    if (t->chrono == CHRONO_SNDBUF)
        tcp_chrono_turn(tcp, t, CHRONO_BUSY);
}

/* ---- timeouts ---- */

void tcp_chrono_rto(struct tcp *tcp, struct tcb *t)
{
    if (t->snd.n_rto == 0)
        tcp_loss(tcp, t)->n_rto++;
    if (t->in_rto)
        return;
    tcp_path_of(tcp, t)->rto_ms -= tcp_now_ms(tcp);
    t->in_rto = 1;
}

void tcp_chrono_repaired(struct tcp *tcp, struct tcb *t)
{
    if (!t->in_rto)
        return;
    tcp_path_of(tcp, t)->rto_ms += tcp_now_ms(tcp);
    t->in_rto = 0;
}

void tcp_chrono_get(const struct tcp *tcp, const struct tcb *t, struct weir_tcp_info *i)
{
    struct tcp_times m = *times_of(tcp, t);
    uint32_t now = tcp_now_ms(tcp);
    m.ms[t->chrono] += now;
    i->rwnd_limited = (uint64_t)m.ms[CHRONO_RWND] * 1000;
    i->sndbuf_limited = (uint64_t)m.ms[CHRONO_SNDBUF] * 1000;
    /* As Linux: all the time there was something to deliver; the others are part of it. */
    i->busy_time = (uint64_t)m.ms[CHRONO_BUSY] * 1000 + i->rwnd_limited + i->sndbuf_limited;
    i->total_rto = t->st.n_rto;
    i->total_rto_recoveries = tcp_loss(tcp, t)->n_rto;
    i->total_rto_time = tcp_path_of(tcp, t)->rto_ms + (t->in_rto ? now : 0);
}
