/* SPDX-License-Identifier: Apache-2.0
 *
 * What a program is told of bytes it sent, and bytes that must stay apart: time stamps of their way
 * (SO_TIMESTAMPING), the end of a MSG_ZEROCOPY send, the ends of records (MSG_EOR); and the error
 * queue in which the first two arrive, beside ICMP errors (IP_RECVERR).
 *
 * Decides: which writes get a mark, when a mark has been reached, where a segment has to end.
 * Owns: struct tcp_watch, one for each connection that asked for any of this (TF_WATCH). All others
 * pay one test of a flag that lies beside what they test anyway.
 * Called by send.c, out.c, ack.c, timer.c, error.c, conn.c; by sock/ for the notes.
 *
 * Theory of operation. A write that is to be told of leaves a mark behind its last byte. It is
 * SCHED when that byte is handed down for the first time, SND when the device has taken what was
 * below TCP then (`due`, on a counter of credit: a connection's packets leave in order), ACK when
 * snd.una has passed it. Marks leave the ring in order, when they are acknowledged. Every write is
 * copied, so a MSG_ZEROCOPY send is one that says so (SO_EE_CODE_ZEROCOPY_COPIED) as soon as it is
 * acknowledged; as in Linux neighbouring completions become one note.
 *
 * Invariant: marks ascend by end; all ends are beyond snd.una. A full ring makes zero-copy sends
 * answer ENOBUFS, as Linux does at its limit; a stamp or a record's end that finds no room is lost.
 */
#include <errno.h>

#include "icmp/icmp.h"
#include "tcp/room.h"

enum { QUOTE_MOST = 2048 };

static struct tcp_mark *mark_at(struct tcp_watch *w, unsigned i)
{
    return &w->mark[(w->head + i) % TCP_MARKS];
}

/* ---- life ---- */

WEIR_APART bool tcp_watch_begin(struct tcp *tcp, struct tcb *t)
{
    if ((t->flags & TF_WATCH) != 0)
        return true;
    uint32_t idx = pool_take(&tcp->watches);
    if (idx == 0)
        return false;
    tcp->watch_of[tcb_index(t)] = idx;
    t->flags |= TF_WATCH;
    return true;
}

WEIR_APART void tcp_watch_end(struct tcp *tcp, struct tcb *t)
{
    uint32_t *idx = &tcp->watch_of[tcb_index(t)];
    struct tcp_watch *w = pool_at(&tcp->watches, *idx);
    note_free_all(&w->errq);
    if (w->syn != NULL)
        pkt_free(w->syn);
    pool_give(&tcp->watches, *idx);
    *idx = 0;
    t->flags &= ~(uint32_t)TF_WATCH;
}

/* ---- the SYN ---- */

void tcp_watch_syn(struct tcp *tcp, struct tcb *t, struct pkt *p)
{
    if (tcp_watch_begin(tcp, t)) {
        tcp_watch_of(tcp, t)->syn = p;
        return;
    }
    tcp_count(tcp, STAT_ErrQueueDrops);
    pkt_free(p);
}

const struct pkt *tcp_saved_syn(const struct tcp *tcp, const struct tcb *t)
{
    return (t->flags & TF_WATCH) != 0 ? tcp_watch_of(tcp, t)->syn : NULL;
}

void tcp_forget_syn(struct tcp *tcp, struct tcb *t)
{
    struct tcp_watch *w = tcp_watch_of(tcp, t);
    pkt_free(w->syn);
    w->syn = NULL;
}

/* ---- notes ---- */

static void note_tell(struct tcp *tcp, struct tcb *t, struct pkt *p)
{
    if (p != NULL && note_push(tcp->env, &tcp_watch_of(tcp, t)->errq, p, t->rcv.limit))
        tcp_event(tcp, t, TCP_EV_ERR);
}

WEIR_APART bool tcp_watch_has_note(const struct tcp *tcp, const struct tcb *t)
{
    return tcp_watch_of(tcp, t)->errq.q.n != 0;
}

bool tcp_take_note(struct tcp *tcp, struct tcb *t, struct note *out, void *to, size_t n,
                   uint32_t *full)
{
    if ((t->flags & TF_WATCH) == 0)
        return false;
    struct noteq *q = &tcp_watch_of(tcp, t)->errq;
    if (!note_take(q, out, to, n, full))
        return false;
    const struct note *next = note_first(q);
    /* As Linux: the error in hand is told, the next one's is pending. */
    if (next != NULL && note_is_icmp(next))
        t->err = next->err;
    else if (note_is_icmp(out))
        t->err = 0;
    if (next != NULL)
        tcp_event(tcp, t, TCP_EV_ERR);
    return true;
}

/* [Linux ip_icmp_error] With what the message quotes, from the TCP header on. */
WEIR_APART void tcp_watch_icmp(struct tcp *tcp, struct tcb *t, const struct icmp_err *e)
{
    bool is_ip4 = addr_is_ip4(&e->flow.remote);
    struct note n = {.when = tcp->env->now,
                     .dst = e->flow.remote,
                     .from = e->reporter,
                     .port = e->flow.rport,
                     .info = e->mtu,
                     .err = (uint16_t)e->error,
                     .origin = is_ip4 ? NOTE_ICMP : NOTE_ICMP6,
                     .type = e->type,
                     .code = e->code,
                     .nif = e->nif};
    if ((t->opt.ip & (is_ip4 ? OPT_IP_RECVERR : OPT_IP_RECVERR6)) == 0)
        return;
    struct pkt *p = note_new(tcp->env, &n);
    if (p != NULL && e->quote != NULL)
        note_quote(p, e->quote, e->quote_at, QUOTE_MOST);
    note_tell(tcp, t, p);
}

/* The stamp of the mark's last byte; with bytes up to it unless the program wants none. */
static void stamp_tell(struct tcp *tcp, struct tcb *t, const struct tcp_mark *m,
                       enum note_stamp what)
{
    const struct tcp_watch *w = tcp_watch_of(tcp, t);
    struct note n = {.when = tcp->env->now,
                     .from = t->flow.local,
                     .nif = t->dst.nif,
                     .info = what,
                     .data = (w->stamps & TCP_STAMP_ID) != 0 ? m->end - 1 - w->base : 0,
                     .err = ENOMSG,
                     .origin = NOTE_STAMP};
    if ((t->flags & TF_ORPHAN) != 0)
        return;
    struct pkt *p = note_new(tcp->env, &n);
    uint32_t held = w_u32_min(seq_ahead(m->end, t->sndq.seq), t->snd.mss);
    if (p != NULL && (w->stamps & TCP_STAMP_ONLY) == 0 && held > 0)
        (void)tcp_sndq_attach(t, m->end - held, held, p);
    note_tell(tcp, t, p);
}

/* Sends lo … lo + n - 1 are done with. [Linux skb_zerocopy_notify_extend] */
static void zerocopy_tell(struct tcp *tcp, struct tcb *t, uint32_t lo, uint32_t n)
{
    struct note *last = note_last(&tcp_watch_of(tcp, t)->errq);
    if ((t->flags & TF_ORPHAN) != 0)
        return;
    if (last != NULL && last->origin == NOTE_ZEROCOPY && last->data + 1 == lo) {
        last->data += n;
        tcp_event(tcp, t, TCP_EV_ERR);
        return;
    }
    struct note fresh = {
        .info = lo, .data = lo + n - 1, .origin = NOTE_ZEROCOPY, .code = NOTE_COPIED};
    note_tell(tcp, t, note_new(tcp->env, &fresh));
}

/* ---- marks ---- */

/* A mark behind the last byte written. NULL: the ring is full. */
static struct tcp_mark *mark_new(struct tcp *tcp, struct tcb *t)
{
    struct tcp_watch *w = tcp_watch_of(tcp, t);
    struct tcp_mark *last = w->n > 0 ? mark_at(w, w->n - 1u) : NULL;
    if (last != NULL && last->end == t->snd.end)
        return last;
    if (w->n == TCP_MARKS)
        return NULL;
    last = mark_at(w, w->n++);
    *last = (struct tcp_mark){.end = t->snd.end};
    return last;
}

WEIR_APART bool tcp_watch_has_room(const struct tcp *tcp, const struct tcb *t)
{
    return tcp_watch_of(tcp, t)->n < TCP_MARKS;
}

WEIR_APART void tcp_watch_wrote(struct tcp *tcp, struct tcb *t, unsigned flags)
{
    struct tcp_watch *w = tcp_watch_of(tcp, t);
    bool is_whole = (flags & TCP_MSG_PART) == 0 || (flags & TCP_MSG_DONTWAIT) != 0;
    uint32_t wants = (w->has_once ? w->once : w->stamps) & TCP_STAMP_ANY;
    bool is_zc = (flags & TCP_MSG_ZEROCOPY) != 0 && w->is_zerocopy;
    bool is_eor = (flags & (TCP_MSG_EOR | TCP_MSG_PART)) == TCP_MSG_EOR;
    wants = is_whole ? wants : 0;
    if (wants == 0 && !is_zc && !is_eor)
        return;
    struct tcp_mark *m = mark_new(tcp, t);
    if (m == NULL) {
        tcp_count(tcp, STAT_ErrQueueDrops);
        return;
    }
    m->wants |= (wants & TCP_STAMP_SCHED) != 0 ? MARK_SCHED : 0u;
    m->wants |= (wants & TCP_STAMP_SND) != 0 ? MARK_SND : 0u;
    m->wants |= (wants & TCP_STAMP_ACK) != 0 ? MARK_ACK : 0u;
    m->wants |= is_eor ? MARK_EOR : 0u;
    if (!is_zc)
        return;
    m->zc = m->zc_n == 0 ? w->zc_next : m->zc;
    m->zc_n++;
    w->zc_next++;
}

/* Handed down up to snd.nxt. */
WEIR_APART void tcp_watch_out(struct tcp *tcp, struct tcb *t)
{
    struct tcp_watch *w = tcp_watch_of(tcp, t);
    for (unsigned i = 0; i < w->n; i++) {
        struct tcp_mark *m = mark_at(w, i);
        if ((m->done & MARK_SCHED) != 0)
            continue;
        if (seq_gt(m->end, t->snd.nxt))
            return;
        m->done |= MARK_SCHED;
        m->due = w->gone + t->snd.below;
        if ((m->wants & MARK_SCHED) != 0)
            stamp_tell(tcp, t, m, NOTE_SCHED);
    }
}

static void mark_left(struct tcp *tcp, struct tcb *t, struct tcp_mark *m)
{
    if ((m->wants & ~(unsigned)m->done & MARK_SND) != 0)
        stamp_tell(tcp, t, m, NOTE_SND);
    m->done |= MARK_SND;
}

WEIR_APART void tcp_watch_gone(struct tcp *tcp, struct tcb *t, uint32_t bytes)
{
    struct tcp_watch *w = tcp_watch_of(tcp, t);
    w->gone += bytes;
    for (unsigned i = 0; i < w->n; i++) {
        struct tcp_mark *m = mark_at(w, i);
        if ((m->done & MARK_SCHED) == 0 || seq_lt(w->gone, m->due))
            return;
        mark_left(tcp, t, m);
    }
}

/* Before the bytes are dropped. */
WEIR_APART void tcp_watch_acked(struct tcp *tcp, struct tcb *t, tcp_seq una)
{
    struct tcp_watch *w = tcp_watch_of(tcp, t);
    while (w->n > 0 && seq_leq(mark_at(w, 0)->end, una)) {
        struct tcp_mark m = *mark_at(w, 0);
        if ((m.wants & ~(unsigned)m.done & MARK_SCHED) != 0)
            stamp_tell(tcp, t, &m, NOTE_SCHED); /* it went with the SYN */
        mark_left(tcp, t, &m);                  /* whoever acknowledges it has got it */
        if ((m.wants & MARK_ACK) != 0)
            stamp_tell(tcp, t, &m, NOTE_ACK);
        w->head = (uint16_t)((w->head + 1u) % TCP_MARKS);
        w->n--;
        if (m.zc_n != 0)
            zerocopy_tell(tcp, t, m.zc, m.zc_n);
    }
}

/* The queue is thrown away: nobody holds the bytes of a zero-copy send any more. */
WEIR_APART void tcp_watch_purge(struct tcp *tcp, struct tcb *t)
{
    struct tcp_watch *w = tcp_watch_of(tcp, t);
    for (unsigned i = 0; i < w->n; i++) {
        const struct tcp_mark *m = mark_at(w, i);
        if (m->zc_n != 0)
            zerocopy_tell(tcp, t, m->zc, m->zc_n);
    }
    w->n = 0;
}

WEIR_APART uint32_t tcp_watch_cut(const struct tcp *tcp, const struct tcb *t, tcp_seq seq,
                                  uint32_t n)
{
    struct tcp_watch *w = tcp_watch_of(tcp, t);
    for (unsigned i = 0; i < w->n; i++) {
        const struct tcp_mark *m = mark_at(w, i);
        if ((m->wants & MARK_EOR) != 0 && seq_gt(m->end, seq))
            return w_u32_min(n, m->end - seq);
    }
    return n;
}

WEIR_APART bool tcp_watch_is_end(const struct tcp *tcp, const struct tcb *t, tcp_seq seq)
{
    struct tcp_watch *w = tcp_watch_of(tcp, t);
    for (unsigned i = 0; i < w->n; i++) {
        const struct tcp_mark *m = mark_at(w, i);
        if (m->end == seq && (m->wants & MARK_EOR) != 0)
            return true;
    }
    return false;
}

/* ---- options ---- */

int tcp_watch_stamps(struct tcp *tcp, struct tcb *t, uint32_t stamps)
{
    if (stamps == 0 && (t->flags & TF_WATCH) == 0)
        return 0;
    if (!tcp_watch_begin(tcp, t))
        return -ENOBUFS;
    struct tcp_watch *w = tcp_watch_of(tcp, t);
    if ((stamps & ~w->stamps & TCP_STAMP_ID) != 0) {
        if (t->state == TCPS_CLOSED || t->state == TCPS_LISTEN)
            return -EINVAL;
        w->base = (stamps & TCP_STAMP_ID_TCP) != 0 ? t->snd.end : t->snd.una;
    }
    w->stamps = stamps;
    return 0;
}

void tcp_stamp_once(struct tcp *tcp, struct tcb *t, bool is_on, uint32_t stamps)
{
    if (is_on && !tcp_watch_begin(tcp, t))
        return;
    if ((t->flags & TF_WATCH) == 0)
        return;
    struct tcp_watch *w = tcp_watch_of(tcp, t);
    w->has_once = is_on;
    w->once = stamps;
}

int tcp_watch_zerocopy(struct tcp *tcp, struct tcb *t, bool is_on)
{
    if (!is_on && (t->flags & TF_WATCH) == 0)
        return 0;
    if (!tcp_watch_begin(tcp, t))
        return -ENOBUFS;
    tcp_watch_of(tcp, t)->is_zerocopy = is_on;
    return 0;
}
