/* SPDX-License-Identifier: Apache-2.0
 *
 * What a person may see of TCP: the records of <weir/trace.h> about segments, bytes and deadlines.
 *
 * Decides: nothing. Reads a connection's state and writes it down, together with the reason for a
 * segment, which its maker knows (tcp_seen_why, tcp_ack_now) or which follows from what it is.
 * Owns: struct tcp_seen, one beside each tcb of a stack that traces; tcp->why.
 * Called by all of tcp/, only while env_traces.
 *
 * A record names its connection by tcb_owner. The first one of a connection is preceded by OPEN,
 * which says between whom it is, so that whoever reads needs to ask nobody.
 */
#include "tcp/room.h"

static struct tcp_seen *seen_of(const struct tcp *tcp, const struct tcb *t)
{
    return &tcp->seen[tcb_index(t)];
}

static void put_end(struct weir_trace_end *e, const struct addr *a, uint16_t port)
{
    memcpy(e->addr, a->b, sizeof e->addr);
    e->port = port;
}

static void tell_who(struct tcp *tcp, const struct tcb *t)
{
    struct weir_trace *r = env_trace(tcp->env, WEIR_T_OPEN, NULL);
    r->conn = tcb_owner(t);
    r->seq = t->sndq.iss;
    r->ack = t->irs;
    put_end(&r->ends.local, &t->flow.local, t->flow.lport);
    put_end(&r->ends.remote, &t->flow.remote, t->flow.rport);
}

static void put_state(struct tcp *tcp, const struct tcb *t, struct weir_trace_tcp *s)
{
    s->cwnd = t->cc.cwnd;
    s->ssthresh = t->cc.ssthresh;
    s->flight = t->snd.nxt - t->snd.una;
    s->pipe = tcp_pipe(t);
    s->snd_wnd = t->snd.wnd;
    s->rcv_wnd = tcp_rcv_wnd(t);
    s->srtt_us = t->rtt.srtt8_us >> 3;
    s->rto_us = t->rtt.rto_us;
    s->sndq = tcp_sndq_bytes(t);
    s->sndq_max = t->sndq.limit;
    s->rcvq = tcp_rcvq_bytes(t);
    s->rcvq_max = t->rcv.limit / 2;
    s->below = t->snd.below;
    s->state = t->state;
    s->recovery = t->ca_state;
    s->timer = t->at[T_RTO] == W_NEVER ? WEIR_TRACE_NO_TIMER : t->rec.timer;
    s->n_rto = t->snd.n_rto;
    (void)tcp;
}

/* A record of t with its state; sizes of queues are not known in LISTEN. */
static struct weir_trace *record(struct tcp *tcp, const struct tcb *t, enum weir_trace_kind kind,
                                 const struct pkt *p)
{
    struct tcp_seen *seen = seen_of(tcp, t);
    if (seen->owner != tcb_owner(t)) {
        *seen = (struct tcp_seen){.owner = tcb_owner(t), .ack_why = seen->ack_why};
        tell_who(tcp, t);
    }
    struct weir_trace *r = env_trace(tcp->env, kind, p);
    r->conn = seen->owner;
    if (t->state != TCPS_LISTEN)
        put_state(tcp, t, &r->tcp);
    return r;
}

void tcp_seen_ack_why(struct tcp *tcp, const struct tcb *t, enum weir_why why)
{
    seen_of(tcp, t)->ack_why = (uint8_t)why;
}

/* Why data goes, where its maker has not said. */
static enum weir_why why_of_data(const struct tcb *t, const struct wire_tcp *h)
{
    if (seq_lt(h->seq, t->snd.nxt))
        return t->ca_state == CA_LOSS ? WEIR_WHY_RTO_RTX : WEIR_WHY_FAST_RTX;
    return t->ca_state == CA_DISORDER ? WEIR_WHY_LIMITED : WEIR_WHY_NEW;
}

static enum weir_why why_of(struct tcp *tcp, const struct tcb *t, const struct wire_tcp *h,
                            uint32_t payload)
{
    if ((h->flags & TCPF_SYN) != 0)
        return (h->flags & TCPF_ACK) != 0 ? WEIR_WHY_SYN_ACK : WEIR_WHY_SYN;
    if ((h->flags & TCPF_RST) != 0)
        return WEIR_WHY_RST;
    if (tcp->why != WEIR_WHY_NONE)
        return (enum weir_why)tcp->why;
    if (payload != 0)
        return why_of_data(t, h);
    if ((h->flags & TCPF_FIN) != 0)
        return seq_lt(h->seq, t->snd.nxt) ? why_of_data(t, h) : WEIR_WHY_FIN;
    uint8_t ack = seen_of(tcp, t)->ack_why;
    return ack != WEIR_WHY_NONE ? (enum weir_why)ack : WEIR_WHY_ACK;
}

void tcp_seen_send(struct tcp *tcp, const struct tcb *t, const struct wire_tcp *h,
                   const struct pkt *p)
{
    uint32_t payload = p->len;
    struct weir_trace *r = record(tcp, t, WEIR_T_SEND, p);
    r->nif = t->dst.nif;
    r->flags = h->flags;
    r->seq = h->seq;
    r->ack = h->ack;
    r->why = (uint8_t)why_of(tcp, t, h, payload);
    if ((h->flags & TCPF_ACK) != 0)
        seen_of(tcp, t)->ack_why = WEIR_WHY_NONE;
}

void tcp_seen_stateless(struct tcp *tcp, const struct wire_tcp *h, const struct pkt *p)
{
    struct weir_trace *r = env_trace(tcp->env, WEIR_T_SEND, p);
    bool is_syn = (h->flags & TCPF_SYN) != 0, is_rst = (h->flags & TCPF_RST) != 0;
    r->why = is_syn ? WEIR_WHY_SYN_ACK : is_rst ? WEIR_WHY_RST : WEIR_WHY_ACK_CHALLENGE;
    r->flags = h->flags;
    r->seq = h->seq;
    r->ack = h->ack;
    r->len = 0;
}

void tcp_seen_segment(struct tcp *tcp, const struct tcb *t, const struct seg *s)
{
    struct weir_trace *r = record(tcp, t, WEIR_T_SEGMENT, s->p);
    r->flags = s->h.flags;
    r->seq = s->seq;
    r->ack = s->ack;
    r->len = s->len;
    r->max = s->wnd;
}

void tcp_seen_bytes(struct tcp *tcp, const struct tcb *t, enum weir_trace_kind kind, tcp_seq seq,
                    uint32_t len)
{
    struct weir_trace *r = record(tcp, t, kind, NULL);
    bool is_send = kind == WEIR_T_WRITE;
    r->seq = seq;
    r->len = len;
    r->used = is_send ? r->tcp.sndq : r->tcp.rcvq;
    r->max = is_send ? r->tcp.sndq_max : r->tcp.rcvq_max;
}

void tcp_seen_timer(struct tcp *tcp, const struct tcb *t, unsigned which)
{
    record(tcp, t, WEIR_T_TIMER, NULL)->why = (uint8_t)which;
}

void tcp_seen_limit(struct tcp *tcp, const struct tcb *t, unsigned which, w_ns spent)
{
    struct weir_trace *r = record(tcp, t, WEIR_T_LIMIT, NULL);
    r->why = (uint8_t)which;
    r->used = (uint32_t)w_u64_min(spent / W_US, UINT32_MAX);
}
