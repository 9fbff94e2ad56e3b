/* SPDX-License-Identifier: Apache-2.0
 *
 * What arrives: text in order for the program, text ahead of its time, and the FIN at the end.
 *
 * Decides: which bytes of a segment are new and inside the window, what waits for a hole to be
 * filled, which SACK blocks are reported [RFC 2018 4, RFC 2883].
 * Owns: the receive queue t->rcv.q (in order, unread), the out-of-order queue t->ooo, its blocks.
 * Called by in.c and in_fast.c; calls wnd.c for the ACK that follows.
 *
 * A small payload is copied behind the one before it, so that a reader who falls behind pins bytes
 * and not packets. Data inside the announced window is never refused; the number of separate pieces
 * out of order is bounded, and what was SACKed is never thrown away again.
 *
 * Invariants: the receive queue holds [rcv.copied, rcv.nxt) without gaps; every packet out of order
 * begins after rcv.nxt, ascending, without overlap; p->seq, p->end_seq delimit a packet, FIN
 * included; SACK blocks are disjoint and lie above rcv.nxt.
 */
#include "tcp/room.h"

enum { SMALL = 512, TAIL_MAX = 8192 };

/* p's bytes behind tail's, p freed. False: they stay two. */
static bool glue(struct tcp *tcp, struct pkt *tail, struct pkt *p)
{
    if (p->len > SMALL || p->nfrag != 0 || tail->len > TAIL_MAX)
        return false;
    if (!pkt_append_copy(tail, pkt_data(p), p->len))
        return false;
    tail->end_seq += p->len;
    tail->when = p->when;
    pkt_free(p);
    tcp_count(tcp, STAT_TCPRcvCollapsed);
    return true;
}

void tcp_rcvq_append(struct tcp *tcp, struct tcb *t, struct pkt *p)
{
    tcp->mem_bytes += p->len;
    if (t->rcv.q == NULL) {
        t->rcv.q = p;
    } else {
        if (glue(tcp, t->rcv.qtail, p))
            return;
        t->rcv.qtail->next = p;
    }
    p->next = NULL;
    t->rcv.qtail = p;
}

void tcp_rcvq_free(struct tcp *tcp, struct tcb *t)
{
    for (struct pkt *p = t->rcv.q; p != NULL; p = p->next)
        tcp->mem_bytes -= p->len;
    pkt_free_list(t->rcv.q);
    t->rcv.q = t->rcv.qtail = NULL;
    if (t->state == TCPS_LISTEN)
        return;
    for (struct pkt *p = t->ooo.head; p != NULL; p = p->next)
        tcp->mem_bytes -= p->len;
    pkt_free_list(t->ooo.head);
    t->ooo.head = t->ooo.tail = NULL;
    t->ooo.bytes = t->ooo.n = 0;
    t->n_sack = 0;
}

/* ---- SACK blocks ---- */

/* [RFC 2018 4 MUST-3, 8 MUST-7, MUST-8] [start, end) came: its block, grown with all that touch it,
 * goes first. */
static void sack_note(struct tcb *t, tcp_seq start, tcp_seq end)
{
    struct sack_block out[TCP_SACK_BLOCKS];
    unsigned n = 1;
    for (unsigned i = 0; i < t->n_sack; i++) {
        struct sack_block b = t->ooo.sack[i];
        if (seq_leq(b.start, end) && seq_leq(start, b.end)) {
            start = seq_min(start, b.start);
            end = seq_max(end, b.end);
        } else if (n < TCP_SACK_BLOCKS) {
            out[n++] = b;
        }
    }
    out[0] = (struct sack_block){start, end};
    memcpy(t->ooo.sack, out, n * sizeof out[0]);
    t->n_sack = (uint8_t)n;
}

/* rcv.nxt moved: blocks below it are history. */
static void sack_trim(struct tcb *t)
{
    unsigned n = 0;
    for (unsigned i = 0; i < t->n_sack; i++) {
        struct sack_block b = t->ooo.sack[i];
        if (seq_leq(b.end, t->rcv.nxt))
            continue;
        b.start = seq_max(b.start, t->rcv.nxt);
        t->ooo.sack[n++] = b;
    }
    t->n_sack = (uint8_t)n;
}

/* [RFC 2883 4 MUST-1, MUST-3] The next ACK says that [start, end) came twice. */
static void dsack(struct tcp *tcp, struct tcb *t, tcp_seq start, tcp_seq end, enum env_stat counter)
{
    if ((t->flags & TF_SACK) == 0 || tcp->env->conf.tcp_dsack == 0 || start == end)
        return;
    t->ooo.dsack = (struct sack_block){start, end};
    t->has_dsack = 1;
    tcp_count(tcp, counter);
}

/* A segment outside the window that repeats what is here: our ACK was lost. */
void tcp_data_repeated(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    tcp_count(tcp, STAT_DelayedACKLost);
    tcp_ack_quick(tcp, t, 16);
    dsack(tcp, t, s->seq, seq_min(s->end, t->rcv.nxt), STAT_TCPDSACKOldSent);
}

/* ---- out of order ---- */

static void ooo_unlink(struct tcb *t, struct pkt *prev, struct pkt *p)
{
    if (prev == NULL)
        t->ooo.head = p->next;
    else
        prev->next = p->next;
    if (t->ooo.tail == p)
        t->ooo.tail = prev;
    t->ooo.bytes -= p->len;
    t->ooo.n--;
    p->next = NULL;
}

static void ooo_link(struct tcp *tcp, struct tcb *t, struct pkt *prev, struct pkt *p)
{
    t->ooo.bytes += p->len;
    tcp->mem_bytes += p->len;
    bool has_fin = prev != NULL && prev->end_seq - prev->seq != prev->len;
    if (prev != NULL && prev->end_seq == p->seq && p->end_seq - p->seq == p->len && !has_fin &&
        glue(tcp, prev, p))
        return;
    p->next = prev != NULL ? prev->next : t->ooo.head;
    if (prev != NULL)
        prev->next = p;
    else
        t->ooo.head = p;
    if (p->next == NULL)
        t->ooo.tail = p;
    t->ooo.n++;
}

/* Cuts the front so that p begins at seq. */
static void cut_front(struct pkt *p, tcp_seq seq)
{
    pkt_pull_any(p, w_u32_min(seq - p->seq, p->len));
    p->seq = seq;
}

/* Cuts the end, FIN first, so that p ends at seq. */
static void cut_back(struct pkt *p, tcp_seq seq)
{
    p->end_seq = seq;
    pkt_trim(p, w_u32_min(p->len, seq - p->seq));
}

/* The last packet that begins at or before seq; the tail is where most arrivals belong. */
static struct pkt *ooo_before(const struct tcb *t, tcp_seq seq)
{
    if (t->ooo.tail != NULL && seq_leq(t->ooo.tail->seq, seq))
        return t->ooo.tail;
    struct pkt *prev = NULL;
    for (struct pkt *p = t->ooo.head; p != NULL && seq_leq(p->seq, seq); p = p->next)
        prev = p;
    return prev;
}

/* Takes p into the queue where it adds something. */
static enum drop ooo_insert(struct tcp *tcp, struct tcb *t, struct pkt *p)
{
    struct pkt *prev = ooo_before(t, p->seq);
    if (prev != NULL && seq_lt(p->seq, prev->end_seq)) {
        tcp_seq overlap = seq_min(prev->end_seq, p->end_seq);
        dsack(tcp, t, p->seq, overlap, STAT_TCPDSACKOfoSent);
        if (seq_leq(p->end_seq, prev->end_seq)) {
            tcp_count(tcp, STAT_TCPOFOMerge);
            return DROP_TCP_DUP;
        }
        cut_front(p, overlap);
    }
    struct pkt *next = prev != NULL ? prev->next : t->ooo.head;
    while (next != NULL && seq_leq(next->end_seq, p->end_seq)) {
        struct pkt *gone = next;
        next = gone->next;
        dsack(tcp, t, gone->seq, gone->end_seq, STAT_TCPDSACKOfoSent);
        ooo_unlink(t, prev, gone);
        tcp->mem_bytes -= gone->len;
        pkt_free(gone);
    }
    if (next != NULL && seq_lt(next->seq, p->end_seq)) {
        dsack(tcp, t, next->seq, p->end_seq, STAT_TCPDSACKOfoSent);
        cut_back(p, next->seq);
    }
    ooo_link(tcp, t, prev, p);
    return DROP_NONE;
}

/* ---- in order ---- */

/* [RFC 9293 3.10.7.4 eighth] */
static void take_fin(struct tcp *tcp, struct tcb *t)
{
    t->rcv.nxt++;
    t->flags |= TF_FIN_RCVD;
    t->rcv.pingpong = 0;
    tcp_ack_now(tcp, t);
    switch (t->state) {
    case TCPS_ESTABLISHED: t->state = TCPS_CLOSE_WAIT; break;
    case TCPS_FIN_WAIT_1: t->state = TCPS_CLOSING; break;
    default: break; /* FIN-WAIT-2: in.c goes on to TIME-WAIT once this segment is done */
    }
    tcp_event(tcp, t, TCP_EV_IN | TCP_EV_RDHUP);
}

/* p begins at rcv.nxt. Its text goes to the program, its FIN is obeyed. */
static void deliver(struct tcp *tcp, struct tcb *t, struct pkt *p)
{
    bool has_fin = p->end_seq - p->seq != p->len;
    t->st.bytes_in += p->len;
    t->rcv.nxt += p->len;
    if (p->len > 0) {
        p->end_seq = p->seq + p->len;
        tcp_rcvq_append(tcp, t, p);
    } else {
        pkt_free(p);
    }
    if (has_fin)
        take_fin(tcp, t);
}

/* The hole before the first packet out of order may be gone. */
static void drain(struct tcp *tcp, struct tcb *t)
{
    while (t->ooo.head != NULL && seq_leq(t->ooo.head->seq, t->rcv.nxt)) {
        struct pkt *p = t->ooo.head;
        ooo_unlink(t, NULL, p);
        tcp->mem_bytes -= p->len;
        if (seq_lt(p->seq, t->rcv.nxt)) {
            tcp_seq upto = seq_min(p->end_seq, t->rcv.nxt);
            dsack(tcp, t, p->seq, upto, STAT_TCPDSACKOfoSent);
            if (seq_leq(p->end_seq, t->rcv.nxt)) {
                pkt_free(p);
                continue;
            }
            cut_front(p, upto);
        }
        deliver(tcp, t, p);
    }
    sack_trim(t);
}

/* [RFC 5681 3.2 SHLD-4] A duplicate ACK for each segment ahead of its time, at once. A peer without
 * SACK learns of a loss by counting them, so a train that link/ merged is answered for every
 * segment in it; with SACK one ACK tells all. */
static void ack_ahead(struct tcp *tcp, struct tcb *t, unsigned n_segs)
{
    for (unsigned i = 1; i < n_segs && (t->flags & TF_SACK) == 0; i++) {
        tcp_ack_now(tcp, t);
        tcp_out_ack(tcp, t);
    }
    tcp_ack_now(tcp, t);
}

/* [RFC 9293 3.10.7.4 SHLD-31, MAY-13; RFC 2018 4 SHLD-3] */
static enum drop data_ahead(struct tcp *tcp, struct tcb *t, struct seg *s)
{
    struct pkt *p = s->p;
    tcp_seq start = p->seq, end = p->end_seq;
    unsigned n_segs = p->gso_segs; /* 0: not merged */
    /* Text ahead of its time will be sent again; kept, it could take the room of what fills the
     * hole. */
    if (t->ooo.n >= TCP_OOO_MAX || pktmem_is_low(&tcp->env->mem) || tcp_mem_is_full(tcp)) {
        tcp_count(tcp, STAT_TCPOFODrop);
        tcp_ack_now(tcp, t);
        return DROP_TCP_OFO_FULL;
    }
    tcp_out_ack(tcp, t); /* one each: its sender counts them [RFC 5681 3.2] */
    tcp_count(tcp, STAT_TCPOFOQueue);
    t->st.n_ooo++;
    tcp_ack_data_event(tcp, t, s);
    enum drop why = ooo_insert(tcp, t, p);
    if (why == DROP_NONE)
        s->p = NULL;
    if ((t->flags & TF_SACK) != 0)
        sack_note(t, start, end);
    ack_ahead(tcp, t, n_segs);
    return why;
}

/* Cuts what was received before and what lies beyond the window; false when nothing is left. */
static enum drop trim(struct tcp *tcp, struct tcb *t, struct pkt *p)
{
    if (seq_leq(p->end_seq, t->rcv.nxt)) {
        /* [RFC 9293 3.10.7.4] old: our ACK was lost */
        tcp_out_ack(tcp, t); /* what is owed tells of other bytes than the next */
        tcp_count(tcp, STAT_DelayedACKLost);
        dsack(tcp, t, p->seq, p->end_seq, STAT_TCPDSACKOldSent);
        tcp_ack_quick(tcp, t, 16);
        tcp_ack_now(tcp, t);
        return DROP_TCP_OLD_DATA;
    }
    /* A bare FIN needs no buffer: taken even into a closed window, or its sender would repeat it
     * for as long as nobody reads. */
    if (p->len == 0 && p->seq == t->rcv.nxt)
        return DROP_NONE;
    tcp_seq edge = t->rcv.nxt + tcp_rcv_wnd(t);
    if (seq_geq(p->seq, edge)) {
        tcp_ack_quick(tcp, t, 16);
        tcp_ack_now(tcp, t);
        return DROP_TCP_RCVBUF;
    }
    if (seq_lt(p->seq, t->rcv.nxt)) {
        dsack(tcp, t, p->seq, t->rcv.nxt, STAT_TCPDSACKOldSent);
        cut_front(p, t->rcv.nxt);
    }
    if (seq_gt(p->end_seq, edge))
        cut_back(p, edge);
    return DROP_NONE;
}

enum drop tcp_data_in(struct tcp *tcp, struct tcb *t, struct seg *s)
{
    struct pkt *p = s->p;
    p->seq = s->seq;
    p->end_seq = s->end;
    enum drop why = trim(tcp, t, p);
    if (why != DROP_NONE)
        return why;
    t->st.data_in++;
    if (p->seq != t->rcv.nxt)
        return data_ahead(tcp, t, s);
    bool had_hole = t->ooo.head != NULL;
    if (s->len > 0)
        tcp_ack_data_event(tcp, t, s);
    s->p = NULL;
    deliver(tcp, t, p);
    if (had_hole) {
        drain(tcp, t);
        tcp_ack_now(tcp, t);
    }
    tcp_drs_segment(tcp, t, s);
    tcp_ack_check(tcp, t, had_hole);
    if (tcp_rcvq_bytes(t) >= w_u32_max(t->opt.rcvlowat, 1))
        tcp_event(tcp, t, TCP_EV_IN);
    return DROP_NONE;
}
