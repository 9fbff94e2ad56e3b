/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that must always be true of a connection, asserted after every entry point in builds
 * with checks (debug, fuzz, simulation); nothing in others.
 *
 * Decides: nothing.
 * Owns: nothing.
 * Called by the entry points of the room.
 *
 * The invariants stand at the head of the file that keeps them; here they are checked by counting
 * again from the beginning: send queue, scoreboard, receive queue, out-of-order queue, timers.
 *
 * Bounded by what the connection holds.
 */
#include "tcp/room.h"

#if WEIR_CHECKS

static void check_sndq(const struct tcb *t)
{
    uint64_t bytes = 0;
    for (const struct blk *b = t->sndq.head; b != NULL; b = b->next) {
        WEIR_ASSERT(b->refs > 0);
        WEIR_ASSERT(b->next == NULL || b->used == b->cap);
        WEIR_ASSERT(b->next != NULL || b == t->sndq.tail);
        bytes += b->used;
    }
    WEIR_ASSERT(t->sndq.head != NULL || t->sndq.tail == NULL);
    WEIR_ASSERT(bytes == (uint64_t)tcp_sndq_bytes(t) + t->sndq.head_off);
    WEIR_ASSERT(t->sndq.head == NULL || tcp_sndq_bytes(t) > 0);
}

static void check_sent(const struct tcp *tcp, const struct tcb *t)
{
    uint64_t sacked = 0, lost = 0, rtx = 0;
    uint32_t n = 0, prev = 0;
    bool is_syn = t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECEIVED;
    tcp_seq at = t->snd.una + tcp_fo_is_open(t); /* its SYN is in no record */
    for (uint32_t idx = t->snd.rec_head; idx != 0; idx = tcp_sent_at(tcp, idx)->next) {
        const struct sent_rec *r = tcp_sent_at(tcp, idx);
        uint32_t len = r->end - r->start;
        WEIR_ASSERT(r->start == at);
        WEIR_ASSERT(seq_lt(r->start, r->end));
        WEIR_ASSERT(r->prev == prev);
        sacked += (r->flags & SENT_SACKED) != 0 ? len : 0;
        lost += (r->flags & SENT_LOST) != 0 ? len : 0;
        rtx += (r->flags & SENT_RTX) != 0 ? len : 0;
        WEIR_ASSERT((r->flags & SENT_SACKED) == 0 || (r->flags & (SENT_LOST | SENT_RTX)) == 0);
        at = r->end;
        prev = idx;
        n++;
    }
    WEIR_ASSERT(is_syn && !tcp_fo_is_open(t) ? n == 0 : at == t->snd.nxt);
    WEIR_ASSERT(prev == t->sndq.rec_tail);
    WEIR_ASSERT(n == t->sndq.n_rec);
    WEIR_ASSERT((t->flags & TF_SACK) == 0 || sacked == t->snd.sacked);
    WEIR_ASSERT(lost == t->snd.lost);
    WEIR_ASSERT(rtx == t->snd.rtx);
}

static void check_send(const struct tcp *tcp, const struct tcb *t)
{
    bool has_fin = (t->flags & TF_FIN_QUEUED) != 0;
    WEIR_ASSERT(seq_leq(t->snd.una, t->snd.nxt));
    WEIR_ASSERT(seq_leq(t->snd.nxt, t->snd.end + has_fin));
    WEIR_ASSERT(t->sndq.seq == t->snd.una || t->snd.una == t->sndq.iss ||
                (has_fin && t->snd.una == t->snd.end + 1));
    WEIR_ASSERT(t->cc.cwnd >= t->cc.mss);
    WEIR_ASSERT(t->cc.mss == t->snd.mss);
    bool is_flying = t->snd.una != t->snd.nxt;
    WEIR_ASSERT(is_flying == (t->at[T_RTO] != W_NEVER));
    bool in_rec = t->ca_state == CA_RECOVERY || t->ca_state == CA_LOSS;
    WEIR_ASSERT(!in_rec || seq_lt(t->snd.una, tcp_loss(tcp, t)->point));
}

static void check_ooo(const struct tcb *t)
{
    uint64_t mem = 0;
    uint32_t n = 0;
    tcp_seq at = t->rcv.nxt;
    const struct pkt *run = NULL, *last = NULL;
    for (const struct pkt *p = t->ooo.head; p != NULL; p = p->next) {
        bool is_run = run == NULL || p->seq != at;
        if (is_run) {
            WEIR_ASSERT(seq_gt(p->seq, at));
            WEIR_ASSERT(run == NULL || run->user == (uintptr_t)last);
            run = p;
            n++;
        }
        WEIR_ASSERT(p->end_seq - p->seq == p->len || p->end_seq - p->seq == p->len + 1);
        mem += p->truesize;
        at = p->end_seq;
        last = p;
    }
    WEIR_ASSERT(run == NULL || run->user == (uintptr_t)last);
    WEIR_ASSERT(run == t->ooo.tail);
    WEIR_ASSERT(mem == t->ooo.mem);
    WEIR_ASSERT(n == t->ooo.n);
}

static void check_rcv(const struct tcb *t)
{
    uint64_t bytes = 0;
    const struct pkt *last = NULL;
    for (const struct pkt *p = t->rcv.q; p != NULL; p = p->next) {
        WEIR_ASSERT(p->len > 0);
        bytes += p->len;
        last = p;
    }
    WEIR_ASSERT(last == t->rcv.qtail);
    WEIR_ASSERT(bytes == tcp_rcvq_bytes(t));
    check_ooo(t);
    for (unsigned i = 0; i < t->n_sack; i++) {
        WEIR_ASSERT(seq_gt(t->ooo.sack[i].start, t->rcv.nxt));
        WEIR_ASSERT(seq_gt(t->ooo.sack[i].end, t->ooo.sack[i].start));
    }
}

static void check_timer(const struct tcb *t)
{
    w_ns min = W_NEVER;
    for (unsigned i = 0; i < T_N; i++)
        min = w_u64_min(min, t->at[i]);
    if (min == W_NEVER)
        return;
    WEIR_ASSERT(t->timer.is_set);
    WEIR_ASSERT(t->timer.at <= min);
}

void tcb_check(const struct tcp *tcp, const struct tcb *t)
{
    if (t->state == TCPS_LISTEN)
        return;
    WEIR_ASSERT(tcp->limits == NULL || tcp_limit_adds_up(tcp, t));
    check_sndq(t);
    check_rcv(t);
    check_timer(t);
    if (t->state == TCPS_CLOSED) {
        WEIR_ASSERT((t->flags & TF_TABLED) == 0);
        return;
    }
    WEIR_ASSERT((t->flags & TF_TABLED) != 0);
    check_sent(tcp, t);
    check_send(tcp, t);
}

#endif
