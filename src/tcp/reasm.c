/* SPDX-License-Identifier: Apache-2.0
 *
 * What arrives: text in order for the program, text ahead of its time, and the FIN at the end.
 *
 * Decides: which bytes of a segment are new and inside the window, what waits for a hole to be
 * filled, which SACK blocks are reported [RFC 2018 4, RFC 2883].
 * Owns: the receive queue t->rcv.q (in order, unread), the out-of-order queue t->ooo, its blocks.
 * Called by in.c and in_fast.c; calls wnd.c for the ACK that follows.
 *
 * Theory of operation. What waits out of order is a list of packets in which neighbours without a
 * gap form a run; the first packet of a run knows the last (->user). A place is found by going from
 * run to run, so an arrival costs as many steps as there are holes, never as there are packets, and
 * holes are limited (TCP_OOO_MAX). All queues are counted by the memory they pin, not by their
 * payload: a small payload is copied behind the one before it or into its packet's own linear part,
 * and what waits out of order may pin as much as the receive buffer allows, so that tiny segments
 * cost their sender as much as large ones.
 *
 * Data in order inside the announced window is never refused. What was SACKed is not thrown away
 * again, but for one case: memory is all but exhausted [RFC 2018 8 permits it].
 *
 * Invariants: the receive queue holds [rcv.copied, rcv.nxt) without gaps; every packet out of order
 * begins after rcv.nxt, ascending, without overlap; ooo.tail is the first packet of the last run;
 * p->seq, p->end_seq delimit a packet, FIN included, p->truesize is what it counts for; SACK blocks
 * are disjoint and lie above rcv.nxt.
 */
#include "tcp/room.h"

enum {
    TAIL_MAX = 8192,
    THIN = 1024,       /* payload below which a packet is mostly air, or … */
    THIN_FRAG = 512,   /* … the same for each of its fragments */
    OOO_LEAST = 32768, /* memory that any connection may pin out of order */
};

/* ---- memory ---- */

static inline void pin(struct tcp *tcp, struct pkt *p)
{
    p->truesize = p->nfrag == 0 ? (uint32_t)sizeof *p + PKT_LINEAR : pkt_truesize(p);
    tcp->mem_bytes += p->truesize;
}

static inline void unpin(struct tcp *tcp, const struct pkt *p) { tcp->mem_bytes -= p->truesize; }

/* What p pins is little beside what it holds. */
static bool is_thin(const struct pkt *p)
{
    return p->len < THIN || p->len < p->nfrag * (uint32_t)THIN_FRAG;
}

/* p's bytes behind those of tail, which is queued; p is freed. False: they stay two. */
static bool glue(struct tcp *tcp, struct pkt *tail, struct pkt *p)
{
    uint32_t was = tail->len;
    bool is_done = p->len + was <= TAIL_MAX && pkt_append_copy(tail, pkt_data(p), p->lin);
    for (unsigned i = 0; is_done && i < p->nfrag; i++)
        is_done = pkt_append_copy(tail, p->frag[i].b->mem + p->frag[i].off, p->frag[i].len);
    if (!is_done) {
        pkt_trim(tail, was);
        return false;
    }
    unpin(tcp, tail);
    pin(tcp, tail);
    tail->end_seq += p->len;
    tail->when = p->when;
    pkt_free(p);
    tcp_count(tcp, STAT_TCPRcvCollapsed);
    return true;
}

static void append(struct tcp *tcp, struct tcb *t, struct pkt *p)
{
    p->next = NULL;
    if (t->rcv.q == NULL) {
        t->rcv.q = p;
    } else {
        if (is_thin(p) && glue(tcp, t->rcv.qtail, p))
            return;
        t->rcv.qtail->next = p;
    }
    pin(tcp, p);
    t->rcv.qtail = p;
}

void tcp_rcvq_append(struct tcp *tcp, struct tcb *t, struct pkt *p)
{
    tcp_seq seq = p->seq;
    uint32_t len = p->len;
    append(tcp, t, p);
    if (env_traces(tcp->env))
        tcp_seen_bytes(tcp, t, WEIR_T_KEEP, seq, len);
}

static void free_queue(struct tcp *tcp, struct pkt *first)
{
    for (struct pkt *p = first; p != NULL; p = p->next)
        unpin(tcp, p);
    pkt_free_list(first);
}

static void ooo_free(struct tcp *tcp, struct tcb *t)
{
    free_queue(tcp, t->ooo.head);
    t->ooo.head = t->ooo.tail = NULL;
    t->ooo.mem = t->ooo.n = 0;
    t->n_sack = 0;
}

void tcp_rcvq_free(struct tcp *tcp, struct tcb *t)
{
    free_queue(tcp, t->rcv.q);
    t->rcv.q = t->rcv.qtail = NULL;
    if (t->state == TCPS_LISTEN)
        return;
    ooo_free(tcp, t);
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

/* Runs: `first` is the first packet of one. */
static struct pkt *run_last(const struct pkt *first)
{
    return (struct pkt *)(uintptr_t)first->user;
}
static void run_set(struct pkt *first, struct pkt *last) { first->user = (uintptr_t)last; }

/* Text may follow: it does not end with a FIN. */
static bool is_open_ended(const struct pkt *p) { return p->end_seq - p->seq == p->len; }

/* Takes the first packet off the run that follows run `prev` (NULL: off the first run). */
static struct pkt *ooo_pop(struct tcp *tcp, struct tcb *t, struct pkt *prev)
{
    struct pkt **link = prev != NULL ? &run_last(prev)->next : &t->ooo.head;
    struct pkt *p = *link;
    *link = p->next;
    bool is_whole_run = run_last(p) == p;
    if (is_whole_run)
        t->ooo.n--;
    else
        run_set(p->next, run_last(p));
    if (t->ooo.tail == p)
        t->ooo.tail = is_whole_run ? prev : p->next;
    t->ooo.mem -= p->truesize;
    unpin(tcp, p);
    p->next = NULL;
    return p;
}

/* The run after `prev` begins where prev ends: they are one. */
static void run_join_next(struct tcb *t, struct pkt *prev)
{
    struct pkt *next = run_last(prev)->next;
    if (next == NULL || next->seq != run_last(prev)->end_seq)
        return;
    run_set(prev, run_last(next));
    if (t->ooo.tail == next)
        t->ooo.tail = prev;
    t->ooo.n--;
}

/* p becomes a run of its own behind run `prev`, or goes to its end. */
static void ooo_link(struct tcp *tcp, struct tcb *t, struct pkt *prev, struct pkt *p)
{
    struct pkt *last = prev != NULL ? run_last(prev) : NULL;
    bool touches = last != NULL && last->end_seq == p->seq;
    bool is_small = is_thin(p) && is_open_ended(p);
    if (touches && is_small && is_open_ended(last)) {
        uint32_t was = last->truesize;
        if (glue(tcp, last, p)) {
            t->ooo.mem += last->truesize - was;
            run_join_next(t, prev);
            return;
        }
    }
    if (is_small)
        pkt_pack(p);
    pin(tcp, p);
    t->ooo.mem += p->truesize;
    p->next = last != NULL ? last->next : t->ooo.head;
    *(last != NULL ? &last->next : &t->ooo.head) = p;
    if (!touches) {
        run_set(p, p);
        t->ooo.n++;
        if (prev == t->ooo.tail)
            t->ooo.tail = p;
        prev = p;
    }
    run_set(prev, p);
    run_join_next(t, prev);
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

/* The last run that begins at or before seq, by its first packet; most arrivals belong to the last
 * of all. */
static struct pkt *run_before(struct tcp *tcp, const struct tcb *t, tcp_seq seq)
{
    if (t->ooo.tail != NULL && seq_leq(t->ooo.tail->seq, seq))
        return t->ooo.tail;
    struct pkt *prev = NULL;
    for (struct pkt *p = t->ooo.head; p != NULL && seq_leq(p->seq, seq); p = run_last(p)->next) {
        prev = p;
        tcp->n_walked++;
    }
    return prev;
}

/* Takes p into the queue where it adds something. */
static enum drop ooo_insert(struct tcp *tcp, struct tcb *t, struct pkt *p)
{
    struct pkt *prev = run_before(tcp, t, p->seq);
    tcp_seq end = prev != NULL ? run_last(prev)->end_seq : p->seq;
    if (seq_lt(p->seq, end)) {
        dsack(tcp, t, p->seq, seq_min(end, p->end_seq), STAT_TCPDSACKOfoSent);
        if (seq_leq(p->end_seq, end)) {
            tcp_count(tcp, STAT_TCPOFOMerge);
            return DROP_TCP_DUP;
        }
        cut_front(p, end);
    }
    struct pkt *next = prev != NULL ? run_last(prev)->next : t->ooo.head;
    while (next != NULL && seq_leq(next->end_seq, p->end_seq)) {
        dsack(tcp, t, next->seq, next->end_seq, STAT_TCPDSACKOfoSent);
        pkt_free(ooo_pop(tcp, t, prev));
        next = prev != NULL ? run_last(prev)->next : t->ooo.head;
    }
    if (next != NULL && seq_lt(next->seq, p->end_seq)) {
        dsack(tcp, t, next->seq, p->end_seq, STAT_TCPDSACKOfoSent);
        cut_back(p, next->seq);
    }
    ooo_link(tcp, t, prev, p);
    return DROP_NONE;
}

/* ---- in order ---- */

/* [RFC 9293 3.10.7.4 eighth] A FIN means the end of what the peer had to say: what waits beyond it,
 * another FIN perhaps, is no part of the stream. */
static void take_fin(struct tcp *tcp, struct tcb *t)
{
    if (WEIR_UNLIKELY(t->ooo.head != NULL))
        ooo_free(tcp, t);
    t->rcv.nxt++;
    t->flags |= TF_FIN_RCVD;
    t->rcv.pingpong = 0;
    tcp_ack_now(tcp, t, WEIR_WHY_ACK_FIN);
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
        struct pkt *p = ooo_pop(tcp, t, NULL);
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
        tcp_ack_now(tcp, t, WEIR_WHY_ACK_HOLE);
        tcp_out_ack(tcp, t);
    }
    tcp_ack_now(tcp, t, WEIR_WHY_ACK_HOLE);
}

/* Text ahead of its time will be sent again; kept, it could take the room of what fills the hole.
 * So it pins no more than the receive buffer allows, and nothing where packets are short; the first
 * piece is always welcome. Where all connections hold too much it keeps its least share [Linux
 * tcp_rmem[0]]: were every piece refused, a sender without SACK and timestamps would get its new
 * data through by timeouts alone, none of which gives a sample to end the backoff [RFC 6298 5]. */
static bool is_ooo_full(const struct tcp *tcp, const struct tcb *t, const struct pkt *p)
{
    if (t->ooo.n >= TCP_OOO_MAX || pktmem_is_low(&tcp->env->mem))
        return true;
    uint32_t most =
        tcp_mem_is_full(tcp) ? tcp->env->conf.tcp_rmem_min : w_u32_max(t->rcv.limit, OOO_LEAST);
    return t->ooo.head != NULL && (uint64_t)t->ooo.mem + tcp_rcvq_bytes(t) + pkt_truesize(p) > most;
}

/* [RFC 9293 3.10.7.4 SHLD-31, MAY-13; RFC 2018 4 SHLD-3] */
static enum drop data_ahead(struct tcp *tcp, struct tcb *t, struct seg *s)
{
    struct pkt *p = s->p;
    tcp_seq start = p->seq, end = p->end_seq;
    unsigned n_segs = p->gso_segs; /* 0: not merged */
    if (is_ooo_full(tcp, t, p)) {
        tcp_count(tcp, STAT_TCPOFODrop);
        if (pktmem_is_scarce(&tcp->env->mem) && t->ooo.head != NULL) {
            /* [RFC 2018 8 MAY] What arrives in order finds no packet: all connections would stand
             * still for the sake of what will be sent again. */
            ooo_free(tcp, t);
            tcp_count(tcp, STAT_OfoPruned);
        }
        tcp_ack_now(tcp, t, WEIR_WHY_ACK_HOLE);
        return DROP_TCP_OFO_FULL;
    }
    tcp_out_ack(tcp, t); /* one each: its sender counts them [RFC 5681 3.2] */
    tcp_count(tcp, STAT_TCPOFOQueue);
    t->st.n_ooo++;
    tcp_ack_data_event(tcp, t, s);
    enum drop why = ooo_insert(tcp, t, p);
    if (why == DROP_NONE)
        s->p = NULL;
    if (env_traces(tcp->env) && why == DROP_NONE)
        tcp_seen_bytes(tcp, t, WEIR_T_AHEAD, start, end - start);
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
        tcp_ack_now(tcp, t, WEIR_WHY_ACK_OLD);
        return DROP_TCP_OLD_DATA;
    }
    /* A bare FIN needs no buffer: taken even into a closed window, or its sender would repeat it
     * for as long as nobody reads. */
    if (p->len == 0 && p->seq == t->rcv.nxt)
        return DROP_NONE;
    tcp_seq edge = t->rcv.nxt + tcp_rcv_wnd(t);
    if (seq_geq(p->seq, edge)) {
        tcp_ack_quick(tcp, t, 16);
        tcp_ack_now(tcp, t, WEIR_WHY_ACK_BEYOND);
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
        tcp_ack_now(tcp, t, WEIR_WHY_ACK_FILLED);
    }
    tcp_drs_segment(tcp, t, s);
    tcp_ack_check(tcp, t, had_hole);
    if (tcp_rcvq_bytes(t) >= w_u32_max(t->opt.rcvlowat, 1) || tcp_is_readable(t))
        tcp_event(tcp, t, TCP_EV_IN);
    return DROP_NONE;
}
