/* SPDX-License-Identifier: Apache-2.0
 *
 * The scoreboard: what of the sequence space is in flight, and what became of it.
 *
 * Decides: which ranges are acknowledged, selectively acknowledged, lost, retransmitted; which is
 * to be retransmitted next [RFC 6675 3, 4]; what an ACK tells of times and order.
 * Owns: the chain of struct sent_rec of a tcb, ascending, without gaps, from snd.una to snd.nxt.
 * Called by ack.c, recover.c, out.c; calls only the pool, and rate.c for paced connections.
 *
 * Theory of operation. A record is a range of bytes with one fate, never a packet: neighbours with
 * the same fate and the same time of sending are one record, so a burst is one, and what SACK cuts
 * apart grows together again. Splitting needs a record from the pool. When there is none the news
 * is ignored: a SACK block half used, a range not marked. That costs time, never correctness.
 *
 * Invariants: snd.sacked, snd.lost, snd.rtx are the sums over records (without SACK, snd.sacked is
 * NewReno's estimate instead); SACKED excludes LOST and RTX.
 */
#include "tcp/room.h"

static uint32_t rec_idx(const struct tcp *tcp, const struct sent_rec *r)
{
    return pool_index(&tcp->sents, r);
}

static uint32_t rec_len(const struct sent_rec *r) { return r->end - r->start; }

/* Adds sign * length to the sums that r's flags say. [RFC 6675 4 SHLD-1, MUST-2] */
static void sums(struct tcb *t, const struct sent_rec *r, uint32_t len_signed)
{
    if ((r->flags & SENT_SACKED) != 0)
        t->snd.sacked += len_signed;
    if ((r->flags & SENT_LOST) != 0)
        t->snd.lost += len_signed;
    if ((r->flags & SENT_RTX) != 0)
        t->snd.rtx += len_signed;
}

static void set_flags(struct tcb *t, struct sent_rec *r, unsigned flags)
{
    sums(t, r, 0u - rec_len(r));
    r->flags = (uint8_t)flags;
    sums(t, r, rec_len(r));
}

static void unlink_rec(struct tcp *tcp, struct tcb *t, struct sent_rec *r)
{
    uint32_t idx = rec_idx(tcp, r);
    if (r->prev != 0)
        tcp_sent_at(tcp, r->prev)->next = r->next;
    else
        t->snd.rec_head = r->next;
    if (r->next != 0)
        tcp_sent_at(tcp, r->next)->prev = r->prev;
    else
        t->sndq.rec_tail = r->prev;
    if (t->sndq.rtx_hint == idx)
        t->sndq.rtx_hint = 0;
    t->sndq.n_rec--;
    pool_give(&tcp->sents, idx);
}

bool tcp_sent_has_room(const struct tcp *tcp, const struct tcb *t)
{
    const struct sent_rec *tail = tcp_sent_at(tcp, t->sndq.rec_tail);
    if (t->sndq.n_rec < TCP_SENT_MAX && pool_free_count(&tcp->sents) > 0)
        return true;
    return tail != NULL && tail->flags == 0;
}

/* [RFC 8985 4 MUST-2, MUST-3] In nanoseconds, once for a burst that left at one moment. */
void tcp_sent_push(struct tcp *tcp, struct tcb *t, tcp_seq start, tcp_seq end)
{
    struct sent_rec *tail = tcp_sent_at(tcp, t->sndq.rec_tail);
    w_ns now = WEIR_LIKELY(!tcp_is_paced(t)) ? tcp->env->now : tcp_pace_left(tcp, t);
    if (tail != NULL && tail->flags == 0 && tail->sent_at == now) {
        tail->end = end;
        if (WEIR_UNLIKELY(tcp_is_paced(t)))
            tail->inflight = tcp_pipe(t);
        return;
    }
    uint32_t idx = t->sndq.n_rec < TCP_SENT_MAX ? pool_take(&tcp->sents) : 0;
    if (idx == 0) {
        WEIR_ASSERT(tail != NULL);
        /* Two bursts in one record: no RTT sample from them, and nothing else. */
        tail->end = end;
        tail->flags |= SENT_EVER;
        return;
    }
    struct sent_rec *r = tcp_sent_at(tcp, idx);
    r->start = start;
    r->end = end;
    r->sent_at = now;
    r->prev = t->sndq.rec_tail;
    if (tail != NULL)
        tail->next = idx;
    else
        t->snd.rec_head = idx;
    t->sndq.rec_tail = idx;
    t->sndq.n_rec++;
    if (WEIR_UNLIKELY(tcp_is_paced(t)))
        tcp_rate_sent(tcp, t, r);
}

/* r becomes [start, at), a new record after it [at, end). False: no record. */
static bool split(struct tcp *tcp, struct tcb *t, struct sent_rec *r, tcp_seq at)
{
    WEIR_CHECK(seq_lt(r->start, at) && seq_lt(at, r->end));
    uint32_t idx = t->sndq.n_rec < 2 * TCP_SENT_MAX ? pool_take(&tcp->sents) : 0;
    if (idx == 0)
        return false;
    struct sent_rec *n = tcp_sent_at(tcp, idx);
    *n = *r;
    n->start = at;
    n->prev = rec_idx(tcp, r);
    if (r->next != 0)
        tcp_sent_at(tcp, r->next)->prev = idx;
    else
        t->sndq.rec_tail = idx;
    r->end = at;
    r->next = idx;
    r->inflight -= w_u32_min(r->inflight, rec_len(n));
    t->sndq.n_rec++;
    return true;
}

/* r swallows its successor where both share one fate. */
static void merge_next(struct tcp *tcp, struct tcb *t, struct sent_rec *r)
{
    struct sent_rec *n = tcp_sent_at(tcp, r->next);
    if (n == NULL || ((n->flags ^ r->flags) & ~SENT_EVER) != 0)
        return;
    /* When they were sent matters no more: they arrived, or will be sent again, as few segments. */
    bool is_gone =
        (r->flags & SENT_SACKED) != 0 || (r->flags & (SENT_LOST | SENT_RTX)) == SENT_LOST;
    if (!is_gone && (n->sent_at != r->sent_at || n->flags != r->flags))
        return;
    r->end = n->end;
    r->flags |= n->flags;
    r->sent_at = w_u64_max(r->sent_at, n->sent_at);
    unlink_rec(tcp, t, n);
}

static void note_latest(struct ack_work *w, w_ns sent_at, tcp_seq end)
{
    if (sent_at > w->rack_at || (sent_at == w->rack_at && seq_gt(end, w->rack_end))) {
        w->rack_at = sent_at;
        w->rack_end = end;
    }
    if (sent_at < w->oldest_at || w->oldest_at == 0)
        w->oldest_at = sent_at;
}

/* [RFC 8985 6.2 step 2] Something repeated arrived; which transmission of it? */
static void arrived_again(const struct tcb *t, const struct sent_rec *r, tcp_seq end,
                          struct ack_work *w)
{
    uint32_t sent_ts = (uint32_t)(r->sent_at / W_MS) + t->snd.ts_off;
    bool is_first = w->has_echo && ts_lt(w->echo, sent_ts);
    bool is_too_soon = w->cc.now - r->sent_at < t->rtt.min_us * W_US;
    w->is_odd = true;
    if (!is_first && !is_too_soon)
        note_latest(w, r->sent_at, end);
}

/* [r->start, end) is new among what is known to have arrived: for RACK, for F-RTO, and because a
 * hole that fills without a repetition means reordering. */
static void arrived(const struct tcb *t, const struct sent_rec *r, tcp_seq end, struct ack_work *w)
{
    if (WEIR_UNLIKELY((r->flags & SENT_EVER) != 0)) {
        arrived_again(t, r, end, w);
        return;
    }
    note_latest(w, r->sent_at, end);
    if ((r->flags & SENT_LOST) != 0) {
        w->orig_end = w->has_orig ? seq_min(w->orig_end, end) : end;
        w->has_orig = true;
    }
    if (WEIR_UNLIKELY(seq_lt(r->start, t->sndq.fack)) &&
        (!w->has_reord || seq_lt(r->start, w->reord_from))) {
        w->has_reord = w->is_odd = true;
        w->reord_from = r->start;
        w->fack = t->sndq.fack;
    }
}

/* For the delivery rate. False: it has not even left, whatever the peer says; no round trip. */
static WEIR_APART bool measured(const struct sent_rec *r, tcp_seq end, struct ack_work *w)
{
    if ((r->flags & SENT_SACKED) == 0)
        tcp_rate_acked(r, end, w);
    return (r->flags & SENT_SACKED) != 0 || r->sent_at <= w->cc.now;
}

/* By the cumulative ACK. The times are for RTT [RFC 6298 3: Karn]. */
static void acked(const struct tcb *t, const struct sent_rec *r, tcp_seq end, struct ack_work *w)
{
    bool is_plain = (r->flags & (SENT_SACKED | SENT_EVER)) == 0;
    if (WEIR_UNLIKELY(tcp_is_paced(t)) && !measured(r, end, w))
        return;
    if (WEIR_LIKELY(is_plain))
        w->newest_sent_at = w_u64_max(w->newest_sent_at, r->sent_at);
    if (WEIR_LIKELY(is_plain && t->ca_state == CA_OPEN))
        return;
    if ((r->flags & SENT_SACKED) != 0) {
        w->was_sacked += end - r->start;
        w->is_odd = true;
        return;
    }
    arrived(t, r, end, w);
    if (!is_plain)
        w->rtx_acked = true;
}

void tcp_sent_ack(struct tcp *tcp, struct tcb *t, tcp_seq una, struct ack_work *w)
{
    struct sent_rec *r = tcp_sent_at(tcp, t->snd.rec_head);
    while (r != NULL && seq_lt(r->start, una)) {
        acked(t, r, seq_min(r->end, una), w);
        if (seq_gt(r->end, una)) {
            sums(t, r, r->start - una);
            r->start = una;
            return;
        }
        struct sent_rec *next = tcp_sent_at(tcp, r->next);
        sums(t, r, 0u - rec_len(r));
        unlink_rec(tcp, t, r);
        r = next;
    }
}

/* One record wholly inside a SACK block. */
static void sack_rec(struct tcb *t, struct sent_rec *r, struct ack_work *w)
{
    if ((r->flags & SENT_SACKED) != 0)
        return;
    if (WEIR_LIKELY(!tcp_is_paced(t)) || measured(r, r->end, w)) {
        arrived(t, r, r->end, w);
        if ((r->flags & SENT_EVER) == 0)
            w->sacked_sent_at = w_u64_max(w->sacked_sent_at, r->sent_at);
    }
    w->cc.sacked += rec_len(r);
    w->new_sack = w->is_odd = true;
    set_flags(t, r, SENT_SACKED | (r->flags & SENT_EVER));
    if (seq_gt(r->end, t->sndq.fack))
        t->sndq.fack = r->end;
}

/* A peer that tells of single bytes would cut the scoreboard into as many records. Beyond
 * TCP_SENT_FINE of them a cut is moved to where a segment can have ended, inwards: what is not
 * counted as arrived is at worst sent again. */
static tcp_seq cut_at(const struct tcb *t, const struct sent_rec *r, tcp_seq at, bool is_start)
{
    if (t->sndq.n_rec <= TCP_SENT_FINE || at == r->start || at == r->end)
        return at;
    uint32_t mss = t->snd.mss, off = at - r->start;
    off = (is_start ? off + mss - 1 : off) / mss * mss;
    return off < rec_len(r) ? r->start + off : r->end;
}

/* The part of r that lies in [start, end) becomes a record of its own. NULL: there is none. */
static struct sent_rec *cut_out(struct tcp *tcp, struct tcb *t, struct sent_rec *r, tcp_seq start,
                                tcp_seq end)
{
    tcp_seq from = cut_at(t, r, seq_max(r->start, start), true);
    tcp_seq upto = cut_at(t, r, seq_min(r->end, end), false);
    if (!seq_lt(from, upto))
        return NULL;
    if (from != r->start) {
        if (!split(tcp, t, r, from))
            return NULL;
        r = tcp_sent_at(tcp, r->next);
    }
    return upto == r->end || split(tcp, t, r, upto) ? r : NULL;
}

/* r, which has just been SACKed, and its neighbours. Returns the record after them. */
static struct sent_rec *grow_together(struct tcp *tcp, struct tcb *t, struct sent_rec *r)
{
    struct sent_rec *prev = tcp_sent_at(tcp, r->prev);
    if (prev != NULL && (prev->flags & SENT_SACKED) != 0) {
        merge_next(tcp, t, prev);
        r = prev;
    }
    if (r->next != 0 && (tcp_sent_at(tcp, r->next)->flags & SENT_SACKED) != 0)
        merge_next(tcp, t, r);
    return tcp_sent_at(tcp, r->next);
}

void tcp_sent_sack(struct tcp *tcp, struct tcb *t, const struct sack_block *v, unsigned n,
                   struct ack_work *w)
{
    struct sent_rec *r = tcp_sent_at(tcp, t->snd.rec_head);
    for (unsigned i = 0; i < n; i++) {
        while (r != NULL && seq_lt(r->start, v[i].end)) {
            struct sent_rec *part = NULL;
            bool is_new = (r->flags & SENT_SACKED) == 0 && seq_gt(r->end, v[i].start);
            tcp->n_walked++;
            if (is_new)
                part = cut_out(tcp, t, r, v[i].start, v[i].end);
            if (part != NULL) {
                sack_rec(t, part, w);
                r = grow_together(tcp, t, part);
                continue;
            }
            /* What is left of r may be in the next block. */
            if (i + 1 < n && seq_gt(r->end, v[i + 1].start))
                break;
            r = tcp_sent_at(tcp, r->next);
        }
    }
}

static void mark_lost(struct tcp *tcp, struct tcb *t, struct sent_rec *r)
{
    if ((r->flags & (SENT_SACKED | SENT_LOST)) != 0)
        return;
    set_flags(t, r, r->flags | SENT_LOST);
    t->rec.lost += rec_len(r);
    t->sndq.rtx_hint = 0;
    if (WEIR_UNLIKELY(tcp_is_paced(t)))
        tcp_rate_lost(tcp, t, r);
}

/* Its repetition as well, if there was one. */
static void mark_lost_again(struct tcp *tcp, struct tcb *t, struct sent_rec *r)
{
    if ((r->flags & SENT_RTX) != 0)
        tcp_count(tcp, STAT_TCPLostRetransmit);
    set_flags(t, r, (r->flags | SENT_LOST) & ~(unsigned)SENT_RTX);
    t->rec.lost += rec_len(r);
    t->sndq.rtx_hint = 0;
    if (WEIR_UNLIKELY(tcp_is_paced(t)))
        tcp_rate_lost(tcp, t, r);
}

w_ns tcp_sent_mark_rack_lost(struct tcp *tcp, struct tcb *t, w_ns wait)
{
    const struct tcp_loss *l = tcp_loss(tcp, t);
    w_ns now = tcp->env->now, left = 0;
    for (struct sent_rec *r = tcp_sent_at(tcp, t->snd.rec_head); r != NULL;
         r = tcp_sent_at(tcp, r->next)) {
        bool is_out = (r->flags & (SENT_LOST | SENT_RTX)) != SENT_LOST;
        tcp->n_walked++;
        if ((r->flags & SENT_SACKED) != 0 || !is_out)
            continue;
        if (r->sent_at > l->rack_at || (r->sent_at == l->rack_at && !seq_lt(r->end, l->rack_end)))
            continue;
        if (r->sent_at + wait <= now)
            mark_lost_again(tcp, t, r);
        else
            left = w_u64_max(left, r->sent_at + wait - now);
    }
    return left;
}

/* IsLost [RFC 6675 4 MUST-2]. A range is lost when DupThresh discontiguous ranges above it are
 * SACKed, or more than (DupThresh - 1) * SMSS bytes. From the highest record down, once that is
 * true it stays true. */
void tcp_sent_mark_sack_lost(struct tcp *tcp, struct tcb *t)
{
    uint32_t thresh = t->rec.reordering;
    uint64_t limit = (uint64_t)(thresh - 1) * t->snd.mss;
    uint64_t bytes = 0;
    uint32_t ranges = 0;
    struct sent_rec *r = tcp_sent_at(tcp, t->sndq.rec_tail);
    while (r != NULL) {
        tcp->n_walked++;
        if ((r->flags & SENT_SACKED) != 0) {
            bytes += rec_len(r);
            ranges++;
        } else if (bytes > limit || ranges >= thresh) {
            mark_lost(tcp, t, r);
        }
        r = tcp_sent_at(tcp, r->prev);
    }
}

/* [RFC 9293 3.8.1, RFC 6582 3.2 step 5] What was sent in many small segments is repeated in one: a
 * row of them, lost where packets are counted, would cost a round trip each. */
void tcp_sent_mark_head_lost(struct tcp *tcp, struct tcb *t)
{
    struct sent_rec *r = tcp_sent_at(tcp, t->snd.rec_head);
    if (r == NULL || (r->flags & (SENT_SACKED | SENT_LOST)) != 0)
        return;
    if (rec_len(r) > t->snd.mss && !split(tcp, t, r, r->start + t->snd.mss))
        return;
    mark_lost(tcp, t, r);
    struct sent_rec *n = tcp_sent_at(tcp, r->next);
    while (n != NULL && (n->flags & ~SENT_EVER) == 0 && n->end - r->start <= t->snd.mss) {
        mark_lost(tcp, t, n);
        merge_next(tcp, t, r);
        n = tcp_sent_at(tcp, r->next);
    }
}

void tcp_sent_mark_all_lost(struct tcp *tcp, struct tcb *t, bool forget_sacks, w_ns since)
{
    struct sent_rec *r = tcp_sent_at(tcp, t->snd.rec_head);
    while (r != NULL) {
        bool is_kept = (r->flags & SENT_SACKED) != 0 && !forget_sacks;
        bool is_young = r->prev != 0 && r->sent_at > since;
        if (!is_kept && !is_young) {
            bool is_new = (r->flags & SENT_LOST) == 0;
            t->rec.lost += is_new ? rec_len(r) : 0;
            set_flags(t, r, (r->flags & SENT_EVER) | SENT_LOST);
            if (tcp_is_paced(t) && is_new)
                tcp_rate_lost(tcp, t, r);
        } else if (!is_kept) {
            set_flags(t, r, r->flags & ~(unsigned)SENT_SACKED);
        }
        struct sent_rec *prev = tcp_sent_at(tcp, r->prev);
        struct sent_rec *next = tcp_sent_at(tcp, r->next);
        if (prev != NULL)
            merge_next(tcp, t, prev);
        r = next;
    }
    t->sndq.rtx_hint = 0;
    if (forget_sacks)
        t->sndq.fack = t->snd.una;
}

void tcp_sent_unmark_lost(struct tcp *tcp, struct tcb *t)
{
    if (t->snd.lost == 0)
        return;
    for (struct sent_rec *r = tcp_sent_at(tcp, t->snd.rec_head); r != NULL;
         r = tcp_sent_at(tcp, r->next))
        set_flags(t, r, r->flags & ~(unsigned)SENT_LOST);
    t->sndq.rtx_hint = 0;
}

struct sent_rec *tcp_sent_last(struct tcp *tcp, struct tcb *t)
{
    struct sent_rec *r = tcp_sent_at(tcp, t->sndq.rec_tail);
    if (r == NULL || (r->flags & (SENT_SACKED | SENT_LOST)) != 0)
        return NULL;
    uint32_t data = seq_ahead(seq_min(r->end, t->snd.end), r->start);
    if (data <= t->snd.mss)
        return r;
    /* A record begins where a segment began. */
    tcp_seq last = r->start + (data - 1) / t->snd.mss * t->snd.mss;
    return split(tcp, t, r, last) ? tcp_sent_at(tcp, r->next) : NULL;
}

/* [RFC 6675 4 MUST-3] */
struct sent_rec *tcp_sent_next_rtx(const struct tcp *tcp, struct tcb *t)
{
    if (t->snd.lost == 0)
        return NULL;
    uint32_t idx = t->sndq.rtx_hint != 0 ? t->sndq.rtx_hint : t->snd.rec_head;
    while (idx != 0) {
        struct sent_rec *r = tcp_sent_at(tcp, idx);
        if ((r->flags & (SENT_LOST | SENT_RTX)) == SENT_LOST) {
            t->sndq.rtx_hint = idx;
            return r;
        }
        idx = r->next;
    }
    return NULL;
}

void tcp_sent_mark_rtx(struct tcp *tcp, struct tcb *t, struct sent_rec *r, uint32_t n)
{
    if (n < rec_len(r))
        (void)split(tcp, t, r, r->start + n); /* no record: the rest waits for the timer */
    set_flags(t, r, r->flags | SENT_RTX | SENT_EVER);
    r->sent_at = tcp->env->now;
    if (WEIR_UNLIKELY(tcp_is_paced(t)))
        tcp_rate_sent(tcp, t, r);
    if (r->n_rtx < UINT8_MAX)
        r->n_rtx++;
    struct sent_rec *prev = tcp_sent_at(tcp, r->prev);
    if (prev != NULL)
        merge_next(tcp, t, prev);
}

bool tcp_sent_has_spare(const struct tcp *tcp, const struct tcb *t)
{
    return t->sndq.n_rec < TCP_SENT_MAX && pool_free_count(&tcp->sents) > 1;
}

bool tcp_sent_mark_probe(struct tcp *tcp, struct tcb *t, tcp_seq start)
{
    struct sent_rec *r = tcp_sent_at(tcp, t->sndq.rec_tail);
    if (r->start != start) {
        if (!split(tcp, t, r, start))
            return false;
        r = tcp_sent_at(tcp, r->next);
    }
    r->flags |= SENT_PROBE;
    return true;
}

void tcp_sent_mark_probe_lost(struct tcp *tcp, struct tcb *t)
{
    for (struct sent_rec *r = tcp_sent_at(tcp, t->snd.rec_head); r != NULL;
         r = tcp_sent_at(tcp, r->next)) {
        if ((r->flags & SENT_PROBE) == 0)
            continue;
        mark_lost(tcp, t, r);
        t->rec.lost -= rec_len(r);
        r->flags &= (uint8_t)~SENT_PROBE; /* sent again in segments like others */
    }
}

void tcp_sent_free(struct tcp *tcp, struct tcb *t)
{
    uint32_t idx = t->snd.rec_head;
    while (idx != 0) {
        uint32_t next = tcp_sent_at(tcp, idx)->next;
        pool_give(&tcp->sents, idx);
        idx = next;
    }
    t->snd.rec_head = t->sndq.rec_tail = t->sndq.n_rec = t->sndq.rtx_hint = 0;
    t->snd.sacked = t->snd.lost = t->snd.rtx = 0;
}
