/* SPDX-License-Identifier: Apache-2.0
 *
 * The send queue: bytes from the oldest unacknowledged to the last written, in counted blocks.
 *
 * Decides: which size of block a write gets; when a socket counts as writable.
 * Owns: the chain of blocks t->sndq.head … tail. Segments in flight hold references of their own,
 * so dropping acknowledged bytes never waits for a device.
 * Called by send.c (append), seg.c (attach), ack.c (drop), conn.c (free); calls pkt/.
 *
 * Invariants: every block but the last is full; bytes before `used` never change while referenced;
 * the chain holds exactly snd.end - sndq.seq bytes behind head_off; an empty queue has no block.
 * `cur` is a cursor: the block in which sending was last, so that a window of a thousand blocks is
 * not walked for each segment.
 */
#include "tcp/room.h"

enum { SMALL_COPY = 128 }; /* a payload up to this is copied beside the header */

static struct blk *block_add(struct tcp *tcp, struct tcb *t, uint32_t n)
{
    uint32_t want = n > BLK_SMALL || tcp_sndq_bytes(t) > 2 * BLK_SMALL ? BLK_BIG : BLK_SMALL;
    struct blk *b = blk_new(&tcp->env->mem, want);
    if (b == NULL) {
        tcp_count(tcp, STAT_TCPMemoryPressures);
        return NULL;
    }
    tcp->mem_bytes += b->cap;
    b->next = NULL;
    b->used = 0;
    if (t->sndq.tail == NULL) {
        t->sndq.head = b;
        t->sndq.head_off = 0;
        t->sndq.tail = b;
    }
    return b;
}

uint32_t tcp_sndq_append(struct tcp *tcp, struct tcb *t, const uint8_t *bytes, uint32_t n)
{
    uint32_t done = 0;
    while (done < n) {
        struct blk *b = t->sndq.tail;
        if (b == NULL || b->used == b->cap) {
            struct blk *fresh = block_add(tcp, t, n - done);
            if (fresh == NULL)
                break;
            if (b != NULL) {
                b->next = fresh;
                t->sndq.tail = fresh;
            }
            b = fresh;
        }
        uint32_t k = w_u32_min(n - done, b->cap - b->used);
        memcpy(b->mem + b->used, bytes + done, k);
        b->used += k;
        done += k;
    }
    t->snd.end += done;
    if (env_traces(tcp->env) && done > 0)
        tcp_seen_bytes(tcp, t, WEIR_T_WRITE, t->snd.end - done, done);
    return done;
}

/* Pieces: what is left of the last block, then new blocks, kept behind tail until committed. */
unsigned tcp_sndq_space(struct tcp *tcp, struct tcb *t, struct tcp_iov *v, unsigned max)
{
    uint32_t bytes = tcp_sndq_bytes(t);
    uint32_t room = t->sndq.limit > bytes ? t->sndq.limit - bytes : 0;
    unsigned n = 0;
    struct blk *b = t->sndq.tail;
    while (n < max && room > 0) {
        if (b == NULL)
            b = block_add(tcp, t, room);
        if (b == NULL)
            break;
        uint32_t k = w_u32_min(room, b->cap - b->used);
        if (k > 0)
            v[n++] = (struct tcp_iov){b->mem + b->used, k};
        room -= k;
        if (n < max && room > 0 && b->next == NULL)
            b->next = block_add(tcp, t, room);
        b = b->next;
        if (b == NULL)
            break;
    }
    return n;
}

static void free_chain(struct tcp *tcp, struct blk *b)
{
    while (b != NULL) {
        struct blk *next = b->next;
        tcp->mem_bytes -= b->cap;
        blk_unref(b);
        b = next;
    }
}

void tcp_sndq_commit(struct tcp *tcp, struct tcb *t, uint32_t n)
{
    uint32_t left = n;
    struct blk *b = t->sndq.tail;
    while (left > 0) {
        WEIR_ASSERT(b != NULL);
        uint32_t k = w_u32_min(left, b->cap - b->used);
        b->used += k;
        left -= k;
        t->sndq.tail = b;
        b = b->next;
    }
    t->snd.end += n;
    if (env_traces(tcp->env) && n > 0)
        tcp_seen_bytes(tcp, t, WEIR_T_WRITE, t->snd.end - n, n);
    if (t->sndq.tail != NULL) {
        free_chain(tcp, t->sndq.tail->next);
        t->sndq.tail->next = NULL;
        if (tcp_sndq_bytes(t) == 0)
            tcp_sndq_free(tcp, t);
    }
}

void tcp_sndq_free(struct tcp *tcp, struct tcb *t)
{
    free_chain(tcp, t->sndq.head);
    t->sndq.head = t->sndq.tail = t->sndq.cur = NULL;
    t->sndq.head_off = 0;
    t->sndq.seq = t->snd.end;
}

/* n bytes of the chain, which has more, are not needed again. */
static void drop_blocks(struct tcp *tcp, struct tcb *t, uint32_t n)
{
    struct blk *b = t->sndq.head;
    while (n >= b->used) {
        struct blk *next = b->next;
        n -= b->used;
        if (t->sndq.cur == b)
            t->sndq.cur = NULL;
        tcp->mem_bytes -= b->cap;
        blk_unref(b);
        b = next;
        WEIR_CHECK(b != NULL);
    }
    t->sndq.head = b;
    t->sndq.head_off = n;
}

void tcp_sndq_drop(struct tcp *tcp, struct tcb *t, tcp_seq upto)
{
    uint32_t n = upto - t->sndq.seq;
    WEIR_CHECK(n <= tcp_sndq_bytes(t));
    if (n == tcp_sndq_bytes(t)) {
        tcp_sndq_free(tcp, t);
    } else {
        t->sndq.seq = upto;
        drop_blocks(tcp, t, n + t->sndq.head_off);
    }
    /* Whoever was refused is told: see is_writable. */
    if (WEIR_UNLIKELY((t->flags & TF_NO_MEM) != 0) &&
        (!tcp_mem_is_full(tcp) || tcp_sndq_bytes(t) < tcp->env->conf.tcp_wmem_min))
        t->flags &= ~(uint32_t)TF_NO_MEM;
}

/* The block with byte `seq` and the sequence number of its first byte. */
static struct blk *seek(const struct tcb *t, tcp_seq seq, tcp_seq *first)
{
    struct blk *b = t->sndq.head;
    tcp_seq at = t->sndq.seq - t->sndq.head_off;
    if (t->sndq.cur != NULL && seq_geq(seq, t->sndq.cur_seq)) {
        b = t->sndq.cur;
        at = t->sndq.cur_seq;
    }
    while (seq - at >= b->used) {
        at += b->used;
        b = b->next;
        WEIR_CHECK(b != NULL);
    }
    *first = at;
    return b;
}

uint32_t tcp_sndq_attach(struct tcb *t, tcp_seq seq, uint32_t n, struct pkt *p)
{
    tcp_seq first;
    struct blk *b = seek(t, seq, &first);
    bool is_copy = n <= SMALL_COPY;
    uint32_t done = 0;
    while (done < n) {
        uint32_t off = seq + done - first;
        uint32_t k = w_u32_min(n - done, b->used - off);
        if (is_copy ? !pkt_append_copy(p, b->mem + off, k) : !pkt_add_frag(p, b, off, k))
            break;
        done += k;
        if (done < n) {
            first += b->used;
            b = b->next;
        }
    }
    if (seq == t->snd.nxt) {
        t->sndq.cur = b;
        t->sndq.cur_seq = first;
    }
    return done;
}

/* As Linux: writable while two thirds of the buffer suffice for what is queued, so that a waiting
 * writer is woken for a useful amount. One that was refused because all queues together are too
 * long waits for an ACK, which tells it, whoever gave memory back. */
bool tcp_sndq_is_writable(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t used = tcp_sndq_bytes(t);
    if (!tcp_sndq_has_room(tcp, t) || (t->flags & TF_NO_MEM) != 0)
        return false;
    return t->sndq.limit - used >= used / 2;
}

bool tcp_sndq_has_room(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t lowat =
        t->opt.notsent_lowat != 0 ? t->opt.notsent_lowat : tcp->env->conf.tcp_notsent_lowat;
    uint32_t unsent = seq_ahead(t->snd.end, t->snd.nxt);
    if (tcp_mem_is_full(tcp) && tcp_sndq_bytes(t) >= tcp->env->conf.tcp_wmem_min)
        return false;
    return tcp_sndq_bytes(t) < t->sndq.limit && (unsent < lowat || unsent == 0);
}

/* A writer who waits is told that there is more room: SACKs make cwnd larger, too, and free
 * nothing. */
static WEIR_APART void set_limit(struct tcp *tcp, struct tcb *t, uint32_t limit)
{
    bool was_writable = tcp_sndq_is_writable(tcp, t);
    t->sndq.limit = limit;
    if (!was_writable && tcp_sndq_is_writable(tcp, t)) {
        tcp_chrono_writable(tcp, t);
        tcp_event(tcp, t, TCP_EV_OUT);
    }
}

/* Room for two windows, counted with Linux's cost of a segment, so that an ACK's worth of data is
 * there to be sent when the ACK comes. */
void tcp_sndq_grow(struct tcp *tcp, struct tcb *t)
{
    const struct weir_conf *c = &tcp->env->conf;
    if ((t->flags & TF_SNDBUF_SET) != 0 || t->sndq.limit >= c->tcp_wmem_max ||
        tcp_mem_is_tight(tcp))
        return;
    uint32_t per_mss = w_u32_max(t->snd.mss + 320u + 320u, 1024);
    uint32_t pow2 = 2u << (31 - __builtin_clz(per_mss - 1)); /* the next power of two */
    uint64_t segs = w_u32_max(t->cc.cwnd / t->cc.mss, c->tcp_init_cwnd);
    uint64_t want = w_u64_min(2 * segs * (pow2 + 256), c->tcp_wmem_max);
    if (want > t->sndq.limit)
        set_limit(tcp, t, (uint32_t)want);
}
