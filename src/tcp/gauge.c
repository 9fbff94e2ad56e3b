/* SPDX-License-Identifier: Apache-2.0
 *
 * What people are told of a connection's buffers: the most that was in them, how long they were
 * full.
 *
 * Decides when a buffer counts as full: the send buffer from a write that found no room until the
 * writer is told that there is some; what is below TCP while tcp_limit_output_bytes holds back data
 * that waits; the receive buffer while the announced window is closed.
 * Owns: struct tcp_gauges, one beside each tcb, and none at all without conf.tcp_gauges: then a
 * segment pays one test of a pointer.
 * Called by out.c (after each output, which follows each write, burst and credit), chrono.c, wnd.c.
 */
#include "tcp/room.h"

static uint32_t now_of(const struct tcb *t, enum tcp_buf which)
{
    switch (which) {
    case TCP_BUF_SEND: return tcp_sndq_bytes(t);
    case TCP_BUF_BELOW: return t->snd.below;
    default: return t->state == TCPS_LISTEN ? 0 : tcp_rcvq_bytes(t);
    }
}

WEIR_APART void tcp_gauge_look(struct tcp *tcp, struct tcb *t)
{
    struct gauge *g = tcp->gauges[tcb_index(t)].of;
    bool is_held =
        t->snd.below >= tcp->env->conf.tcp_limit_output_bytes && seq_gt(t->snd.end, t->snd.nxt);
    for (unsigned i = 0; i < TCP_BUFS; i++)
        gauge_saw(&g[i], now_of(t, (enum tcp_buf)i));
    gauge_full(&g[TCP_BUF_BELOW], tcp->env->now, is_held);
}

WEIR_APART void tcp_gauge_full(struct tcp *tcp, struct tcb *t, enum tcp_buf which, bool is_full)
{
    if (tcp->gauges == NULL)
        return;
    struct gauge *g = &tcp->gauges[tcb_index(t)].of[which];
    gauge_saw(g, now_of(t, which));
    gauge_full(g, tcp->env->now, is_full);
}

void tcp_gauge_get(const struct tcp *tcp, const struct tcb *t, enum tcp_buf which,
                   struct tcp_buf_info *out)
{
    *out = (struct tcp_buf_info){.now = now_of(t, which)};
    if (which == TCP_BUF_SEND)
        out->limit = t->sndq.limit;
    else if (which == TCP_BUF_BELOW)
        out->limit = tcp->env->conf.tcp_limit_output_bytes;
    else
        out->limit = tcp_wnd_share(tcp, t);
    if (tcp->gauges == NULL)
        return;
    out->gauge = tcp->gauges[tcb_index(t)].of[which];
    out->gauge.full_ns = gauge_full_ns(&out->gauge, tcp->env->now);
    gauge_saw(&out->gauge, out->now);
}
