/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a connection is not faster: each nanosecond of its life is charged to one limiter.
 *
 * Decides: which one (the table below). Owns: struct tcp_limit, one beside each tcb of a stack with
 * tcp_why or a trace; nobody else reads it, and nothing is decided by it.
 * Called, only where tcp->limits is not NULL, wherever output has come to an end and where an ACK,
 * a read, credit, a timer or the end of the connection may have changed what it waits for.
 *
 * Theory of operation. Whenever something happens, the time since the last look is charged to what
 * was found then, and it is looked again: each moment has one limiter, and the sums add up to the
 * life. The first line that holds is it; "below": see below:
 *
 *     opening; all written, closed, and not acknowledged    HANDSHAKE
 *     a timeout, nothing new acknowledged since             RTO
 *     fast recovery; after a timeout, once ACKs come        RECOVERY
 *     something to send, and
 *       the interface's queue has no room                   below, else QDISC
 *       tcp_limit_output_bytes are below TCP                below, else SMALLQ
 *       its departure is not due                            PACING
 *       no room in cwnd, which a loss has made small, while
 *         SRTT says that the path has no queue              below, else RECOVERY
 *       no room in cwnd                                     below, else CWND
 *       none in the peer's window: all is acknowledged, or
 *         it is less than half of what it lately was        PEER_READ
 *       none in the peer's window                           below, else RWND
 *       less than a segment: the program was refused        below, else SNDBUF
 *       less than a segment, and Nagle, TCP_CORK, MSG_MORE  NAGLE
 *       none of these: no packet memory, no route           OTHER
 *     nothing to send, and
 *       the program was refused, the buffer is in flight    below, else SNDBUF
 *       more was received than sent, and is unread, more
 *         than the peer may still send                      APP_READ
 *       more was received than sent                         PEER_SEND
 *       else                                                APP_WRITE
 *
 * Invariant: begun + all sums = since.
 */
#include <errno.h>

#include "tcp/room.h"

#define SLACK      (5 * W_MS)
#define WINDOW_AGE W_S

static struct tcp_limit *limit_of(const struct tcp *tcp, const struct tcb *t)
{
    return &tcp->limits[tcb_index(t)];
}

/* Something that a limiter could be asked about. */
static bool is_alive(const struct tcb *t)
{
    return t->state != TCPS_CLOSED && t->state != TCPS_LISTEN;
}

/* ---- which limiter ---- */

static bool is_gathering(const struct tcb *t, uint32_t left, uint32_t mss)
{
    bool is_nagle = (t->flags & TF_NODELAY) == 0 && t->snd.una != t->snd.nxt;
    return left < mss && (is_nagle || (t->flags & TF_CORK) != 0 || t->snd.push != t->snd.end);
}

/* What was lost has made cwnd small, and the path has room: an algorithm that follows a model of
 * the path means what it says. */
static bool is_cut_by_loss(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t srtt = t->rtt.srtt8_us >> 3, min = t->rtt.min_us;
    bool is_model = cc_at(t->cc.kind)->every_ack != 0;
    return t->rec.lost != 0 && t->cc.cwnd < tcp_loss(tcp, t)->prior_cwnd && !is_model &&
           srtt < min + min / 4 + SLACK / W_US;
}

/* The peer's window has no room. */
static struct tcp_wait wait_for_window(const struct tcb *t, const struct tcp_limit *m)
{
    uint32_t once = w_u32_max(m->wnd[0], m->wnd[1]);
    if (t->snd.una == t->snd.nxt || t->snd.wnd < once / 2)
        return (struct tcp_wait){WEIR_LIMIT_PEER_READ, false};
    return (struct tcp_wait){WEIR_LIMIT_RWND, true};
}

/* There is something to send. */
static struct tcp_wait wait_to_send(const struct tcp *tcp, const struct tcb *t,
                                    const struct tcp_limit *m)
{
    uint32_t mss = tcp_seg_mss(tcp, t), left = seq_ahead(t->snd.end, t->snd.nxt);
    uint32_t want = w_u32_min(left, mss), wnd = seq_ahead(t->snd.una + t->snd.wnd, t->snd.nxt);
    if (link_is_full(tcp->ip->link, t->dst.nif))
        return (struct tcp_wait){WEIR_LIMIT_QDISC, true};
    if (t->snd.below >= tcp->env->conf.tcp_limit_output_bytes)
        return (struct tcp_wait){WEIR_LIMIT_SMALLQ, true};
    if (tcp_is_paced(t) && (t->st.path & PF_HELD) != 0)
        return (struct tcp_wait){WEIR_LIMIT_PACING, false};
    if (left == 0 || tcp_out_cwnd_room(t, mss) < want)
        return (struct tcp_wait){is_cut_by_loss(tcp, t) ? WEIR_LIMIT_RECOVERY : WEIR_LIMIT_CWND,
                                 true};
    if (wnd < want)
        return wait_for_window(t, m);
    if (left < mss && t->is_refused)
        return (struct tcp_wait){WEIR_LIMIT_SNDBUF, true};
    return (struct tcp_wait){is_gathering(t, left, mss) ? WEIR_LIMIT_NAGLE : WEIR_LIMIT_OTHER,
                             false};
}

/* There is nothing to send, and nothing was refused. */
static enum weir_limit wait_for_programs(const struct tcb *t)
{
    bool has_end = (t->flags & TF_FIN_RCVD) != 0;
    if (t->st.bytes_in <= t->st.bytes_out)
        return (t->flags & TF_FIN_QUEUED) != 0 ? WEIR_LIMIT_PEER_SEND : WEIR_LIMIT_APP_WRITE;
    uint32_t unread = tcp_rcvq_bytes(t);
    if (unread != 0 && (has_end || unread >= tcp_rcv_wnd(t)))
        return WEIR_LIMIT_APP_READ;
    return has_end ? WEIR_LIMIT_APP_WRITE : WEIR_LIMIT_PEER_SEND;
}

static struct tcp_wait wait_of(const struct tcp *tcp, const struct tcb *t,
                               const struct tcp_limit *m)
{
    bool is_opening =
        t->state == TCPS_SYN_SENT || (t->state == TCPS_SYN_RECEIVED && !tcp_fo_is_open(t));
    bool is_flying = t->snd.una != t->snd.nxt, is_shut = (t->flags & TF_FIN_QUEUED) != 0;
    if (t->snd.n_rto != 0)
        return (struct tcp_wait){WEIR_LIMIT_RTO, false};
    if (is_opening)
        return (struct tcp_wait){WEIR_LIMIT_HANDSHAKE, false};
    if (t->ca_state >= CA_RECOVERY)
        return (struct tcp_wait){WEIR_LIMIT_RECOVERY, false};
    if (seq_gt(t->snd.end, t->snd.nxt) || t->snd.lost > t->snd.rtx)
        return wait_to_send(tcp, t, m);
    if (is_shut && is_flying)
        return (struct tcp_wait){WEIR_LIMIT_HANDSHAKE, false};
    if (t->is_refused && is_flying)
        return (struct tcp_wait){WEIR_LIMIT_SNDBUF, true};
    return (struct tcp_wait){(uint8_t)wait_for_programs(t), false};
}

/* When the ACK of the oldest in flight is late, and what that means; W_NEVER: that is no question.
 * Until an ACK could have come (the smallest round trip, a quarter and SLACK) it is what it seems.
 * Beyond that the peer delays it, if less than two segments are in flight. More than that a
 * receiver acknowledges at once, unless it has no window to give with the ACK: nobody reads. */
static w_ns late_at(const struct tcp *tcp, const struct tcb *t, struct tcp_limit *m)
{
    unsigned why = m->wait.why;
    bool is_few = t->snd.nxt - t->snd.una < 2u * t->snd.mss;
    bool can_be =
        why == WEIR_LIMIT_RWND ||
        (is_few && (why == WEIR_LIMIT_CWND || why == WEIR_LIMIT_SNDBUF || why == WEIR_LIMIT_NAGLE));
    const struct sent_rec *r = tcp_sent_at(tcp, t->snd.rec_head);
    if (!can_be || t->snd.below != 0 || r == NULL || t->rtt.min_us == 0)
        return W_NEVER;
    m->late = is_few ? WEIR_LIMIT_ACK_DELAY : WEIR_LIMIT_PEER_READ;
    return r->sent_at + (t->rtt.min_us + t->rtt.min_us / 4) * W_US + SLACK;
}

/* ---- charging ---- */

/* Below: while bytes of this connection are handed down and not sent, more room in a window would
 * only let more wait there. The time since the last look is charged as the interface's clocks ran:
 * LINK while the line was busy, RING while the device was full though its line was idle, QDISC
 * while packets waited in the queue and neither was the case, and the rest to the reason found. */
static void charge_below(struct tcp *tcp, struct tcp_limit *m, w_ns *to)
{
    static const uint8_t who[METER_N] = {WEIR_LIMIT_LINK, WEIR_LIMIT_RING, WEIR_LIMIT_QDISC};
    const w_ns *ns = link_meter(tcp->ip->link, m->nif);
    for (unsigned i = 0; i < METER_N; i++)
        to[i == METER_FREE ? m->wait.why : who[i]] += ns[i] - m->meter[i];
}

static void tell_run(struct tcp *tcp, const struct tcb *t, struct tcp_limit *m, w_ns at)
{
    if (env_traces(tcp->env) && at != m->run_since)
        tcp_seen_limit(tcp, t, m->run, at - m->run_since);
}

/* Most of what was charged since the last look was `why`. */
static void note_run(struct tcp *tcp, const struct tcb *t, struct tcp_limit *m, unsigned why)
{
    if (why == m->run)
        return;
    tell_run(tcp, t, m, m->since);
    m->run = (uint8_t)why;
    m->run_since = m->since;
}

/* The time since the last look has more than one reason. */
static unsigned charge_parts(struct tcp *tcp, struct tcp_limit *m)
{
    w_ns now = tcp->env->now, got[WEIR_LIMIT_N] = {0};
    unsigned most = m->wait.why;
    if (m->wait.is_below) {
        charge_below(tcp, m, got);
    } else {
        got[m->late] = now - w_u64_max(m->late_at, m->since);
        got[m->wait.why] += now - m->since - got[m->late];
    }
    for (unsigned i = 0; i < WEIR_LIMIT_N; i++) {
        m->ns[i] += got[i];
        if (got[i] > got[most])
            most = i;
    }
    return most;
}

static void charge(struct tcp *tcp, const struct tcb *t, struct tcp_limit *m)
{
    w_ns now = tcp->env->now;
    unsigned most = m->wait.why;
    if (now == m->since)
        return;
    if (m->wait.is_below || m->late_at < now)
        most = charge_parts(tcp, m);
    else
        m->ns[most] += now - m->since;
    note_run(tcp, t, m, most);
    m->since = now;
}

/* The largest window of this WINDOW_AGE and of the one before; not what a SYN says, which a program
 * can still make smaller. */
static void note_window(const struct tcp *tcp, const struct tcb *t, struct tcp_limit *m)
{
    if (t->st.bytes_acked == 0)
        return;
    if (tcp->env->now - m->wnd_at >= WINDOW_AGE) {
        m->wnd[1] = m->wnd[0];
        m->wnd[0] = 0;
        m->wnd_at = tcp->env->now;
    }
    m->wnd[0] = w_u32_max(m->wnd[0], t->snd.wnd);
}

/* Something was sent, or arrived there: what is charged up to here stays. */
static void settle_quiet(const struct tcb *t, struct tcp_limit *m)
{
    uint32_t news = t->st.data_out + t->st.n_rtx + t->st.delivered;
    if (news == m->news && m->quiet_since != 0)
        return;
    m->news = news;
    m->quiet_since = m->since;
    memcpy(m->settled, m->ns, sizeof m->settled);
}

void tcp_limit_begin(struct tcp *tcp, struct tcb *t) { *limit_of(tcp, t) = (struct tcp_limit){0}; }

void tcp_limit_turn(struct tcp *tcp, struct tcb *t)
{
    struct tcp_limit *m = limit_of(tcp, t);
    if (!is_alive(t))
        return;
    if (m->begun == 0) {
        m->begun = m->since = m->run_since = tcp->env->now;
        m->run = WEIR_LIMIT_HANDSHAKE;
    }
    charge(tcp, t, m);
    settle_quiet(t, m);
    note_window(tcp, t, m);
    m->wait = wait_of(tcp, t, m);
    m->late_at = late_at(tcp, t, m);
    m->wait.is_below &= t->snd.below != 0;
    m->nif = t->dst.nif;
    if (m->wait.is_below)
        memcpy(m->meter, link_meter(tcp->ip->link, m->nif), sizeof m->meter);
}

void tcp_limit_end(struct tcp *tcp, struct tcb *t)
{
    struct tcp_limit *m = limit_of(tcp, t);
    if (m->begun == 0 || !is_alive(t))
        return;
    charge(tcp, t, m);
    tell_run(tcp, t, m, m->since);
    m->run_since = m->since;
}

/* Only now it is known what the time since anything was sent or acknowledged had been spent for,
 * whatever was thought. */
void tcp_limit_timeout(struct tcp *tcp, struct tcb *t)
{
    struct tcp_limit *m = limit_of(tcp, t);
    if (m->begun == 0 || m->quiet_since == 0)
        return;
    charge(tcp, t, m);
    memcpy(m->ns, m->settled, sizeof m->ns);
    m->ns[WEIR_LIMIT_RTO] += m->since - m->quiet_since;
    m->settled[WEIR_LIMIT_RTO] = m->ns[WEIR_LIMIT_RTO];
    m->quiet_since = m->since;
}

bool tcp_limit_adds_up(const struct tcp *tcp, const struct tcb *t)
{
    const struct tcp_limit *m = limit_of(tcp, t);
    w_ns sum = m->begun;
    for (unsigned i = 0; i < WEIR_LIMIT_N; i++)
        sum += m->ns[i];
    return sum == m->since;
}

/* ---- telling ---- */

static void tell_addr(struct weir_addr *out, const struct addr *a, uint16_t port)
{
    *out = (struct weir_addr){.port = port, .family = addr_is_ip4(a) ? 4 : 6};
    memcpy(out->ip, a->b, sizeof out->ip);
}

static void tell_state(const struct tcp *tcp, const struct tcb *t, struct weir_limits *out)
{
    tell_addr(&out->local, &t->flow.local, t->flow.lport);
    tell_addr(&out->peer, &t->flow.remote, t->flow.rport);
    out->state = t->state;
    out->is_receiver = t->st.bytes_in > t->st.bytes_out;
    out->bytes_out = t->st.bytes_out;
    out->bytes_in = t->st.bytes_in;
    out->bytes_rtx = t->st.bytes_rtx;
    out->pacing_Bps = tcp_is_paced(t) ? tcp_pace_Bps(tcp, t) : 0;
    out->mss = t->snd.mss;
    out->cwnd = t->cc.cwnd;
    out->ssthresh = t->cc.ssthresh;
    out->flight = t->snd.nxt - t->snd.una;
    out->snd_wnd = t->snd.wnd;
    out->snd_wnd_max = t->snd.wnd_max;
    out->rcv_wnd = tcp_rcv_wnd(t);
    out->rcvbuf = t->rcv.limit;
    out->sndq = tcp_sndq_bytes(t);
    out->sndbuf = t->sndq.limit;
    out->srtt_us = t->rtt.srtt8_us >> 3;
    out->min_rtt_us = t->rtt.min_us;
    out->n_rto = t->st.n_rto;
}

int tcp_limits_get(struct tcp *tcp, struct tcb *t, struct weir_limits *out)
{
    *out = (struct weir_limits){0};
    if (tcp->limits == NULL)
        return -ENODATA;
    tcp_limit_turn(tcp, t);
    const struct tcp_limit *m = limit_of(tcp, t);
    if (t->state == TCPS_LISTEN || m->begun == 0)
        return -ENOTCONN;
    tell_state(tcp, t, out);
    out->begun = m->begun;
    out->life = m->since - m->begun;
    out->now = m->wait.why;
    memcpy(out->ns, m->ns, sizeof out->ns);
    return 0;
}
