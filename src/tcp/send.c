/* SPDX-License-Identifier: Apache-2.0
 *
 * The program writes [RFC 9293 3.10.2].
 *
 * Decides: how much of a write is taken, the errors of a socket that cannot send, where a push is
 * due [RFC 9293 3.9.1.2], where urgent data ends [RFC 9293 3.8.5].
 * Owns: snd.push, snd_up.
 * Called by sock/; calls sndq.c to keep the bytes and out.c to send at once, so that two writes of
 * a TCP_NODELAY socket are two segments, as programs expect.
 *
 * Invariant: a return of n bytes means these n bytes are in the queue.
 */
#include <errno.h>

#include "tcp/room.h"

enum { SMALL_WRITE = 256 }; /* less than any train: no need to look how long trains are */

/* Errors of a socket in this state; 0: it may send. */
static int send_state(struct tcb *t)
{
    if (t->err != 0) {
        int err = t->err;
        t->err = 0;
        return -err;
    }
    if ((t->flags & TF_FIN_QUEUED) != 0)
        return -EPIPE;
    switch (t->state) {
    case TCPS_ESTABLISHED:
    case TCPS_CLOSE_WAIT: return 0;
    case TCPS_SYN_RECEIVED: return tcp_fo_is_open(t) ? 0 : -EAGAIN;
    case TCPS_SYN_SENT: return -EAGAIN;
    default: return -EPIPE;
    }
}

/* No block to be had: the owner is told again soon, as nobody else would tell it. */
static int64_t no_memory(struct tcp *tcp, struct tcb *t)
{
    if (tcp_sndq_bytes(t) == 0) {
        t->flags |= TF_NO_MEM;
        if (t->at[T_PERSIST] == W_NEVER)
            tcp_arm(tcp, t, T_PERSIST, tcp->env->now + 10 * W_MS);
    }
    return -EAGAIN;
}

static int64_t after_write(struct tcp *tcp, struct tcb *t, uint32_t n, unsigned flags)
{
    bool is_more = (flags & TCP_MSG_MORE) != 0;
    if ((flags & TCP_MSG_OOB) != 0) {
        t->snd_up = t->snd.end;
        t->flags |= TF_SND_URG;
    }
    if (!is_more)
        t->snd.push = t->snd.end;
    if (WEIR_UNLIKELY((t->flags & TF_WATCH) != 0))
        tcp_watch_wrote(tcp, t, flags);
    tcp_output(tcp, t, is_more);
    tcb_check(tcp, t);
    return n;
}

/* How much of a write may be taken now: what fills the train being gathered, then, if the buffer is
 * not full, another. So a write can go beyond SO_SNDBUF by less than a train, as in Linux. */
static uint32_t next_piece(const struct tcp *tcp, const struct tcb *t, uint32_t want)
{
    uint32_t unsent = seq_ahead(t->snd.end, t->snd.nxt);
    if (unsent == 0 && want <= SMALL_WRITE)
        return tcp_sndq_has_room(tcp, t) ? want : 0;
    uint32_t goal = tcp_out_goal(tcp, t);
    if (unsent != 0 && unsent < goal) {
        uint64_t most = (uint64_t)t->sndq.limit + goal, used = tcp_sndq_bytes(t);
        return used < most ? (uint32_t)w_u64_min(goal - unsent, most - used) : 0;
    }
    return tcp_sndq_has_room(tcp, t) ? goal : 0;
}

/* All connections together hold too much (tcp_mem_max), and this one its least share. An ACK lifts
 * it and tells the writer. */
static bool is_over_limit(struct tcp *tcp, struct tcb *t)
{
    if (!tcp_mem_is_full(tcp) || tcp_sndq_bytes(t) < tcp->env->conf.tcp_wmem_min)
        return false;
    tcp_count(tcp, STAT_TCPMemoryPressures);
    t->flags |= TF_NO_MEM;
    return true;
}

/* A write with MSG_EOR or MSG_ZEROCOPY: is there room to remember it? */
static WEIR_APART int mark_check(struct tcp *tcp, struct tcb *t, unsigned flags)
{
    if ((flags & TCP_MSG_EOR) != 0 && !tcp_watch_begin(tcp, t))
        return -ENOBUFS;
    bool is_told = (flags & TCP_MSG_ZEROCOPY) != 0 && (t->flags & TF_WATCH) != 0 &&
                   tcp_watch_of(tcp, t)->is_zerocopy;
    return is_told && !tcp_watch_has_room(tcp, t) ? -ENOBUFS : 0;
}

int64_t tcp_send(struct tcp *tcp, struct tcb *t, const void *bytes, size_t n, unsigned flags)
{
    int err = send_state(t);
    if (WEIR_UNLIKELY((flags & (TCP_MSG_EOR | TCP_MSG_ZEROCOPY)) != 0) && err == 0)
        err = mark_check(tcp, t, flags);
    if (err != 0)
        return err;
    if (n == 0)
        return 0;
    if (tcp_sndq_bytes(t) == 0)
        tcp_out_after_idle(tcp, t);
    if (WEIR_UNLIKELY(tcp_is_paced(t)))
        tcp_rate_app_limited(tcp, t);
    uint32_t done = 0, want = n < UINT32_MAX / 2 ? (uint32_t)n : UINT32_MAX / 2;
    while (done < want) {
        uint32_t piece = w_u32_min(next_piece(tcp, t, want - done), want - done);
        if (piece == 0)
            break;
        uint32_t k = tcp_sndq_append(tcp, t, (const uint8_t *)bytes + done, piece);
        done += k;
        if (k < piece)
            break;
        if (done < want)
            tcp_output(tcp, t, true); /* what is full may go while the rest is copied */
    }
    if (done < want)
        tcp_chrono_refused(tcp, t);
    if (done == 0 && is_over_limit(tcp, t))
        return -EAGAIN;
    if (done == 0)
        return tcp_sndq_has_room(tcp, t) ? no_memory(tcp, t) : -EAGAIN;
    /* Only the whole of a write asks for a push, or ends urgent data or a record. */
    if (done < n)
        flags = (flags & ~(unsigned)TCP_MSG_OOB) | TCP_MSG_PART;
    return after_write(tcp, t, done, flags);
}

int tcp_send_space(struct tcp *tcp, struct tcb *t, struct tcp_iov *v, unsigned max)
{
    int err = send_state(t);
    if (err != 0)
        return err;
    if (tcp_sndq_bytes(t) >= t->sndq.limit || is_over_limit(tcp, t)) {
        tcp_chrono_refused(tcp, t);
        return -EAGAIN;
    }
    unsigned n = tcp_sndq_space(tcp, t, v, max);
    return n != 0 ? (int)n : (int)no_memory(tcp, t);
}

int64_t tcp_send_commit(struct tcp *tcp, struct tcb *t, size_t n, unsigned flags)
{
    if (tcp_sndq_bytes(t) == 0)
        tcp_out_after_idle(tcp, t);
    if (WEIR_UNLIKELY(tcp_is_paced(t)))
        tcp_rate_app_limited(tcp, t);
    tcp_sndq_commit(tcp, t, (uint32_t)n);
    return n == 0 ? 0 : after_write(tcp, t, (uint32_t)n, flags);
}

uint32_t tcp_outq(const struct tcb *t)
{
    if (t->state == TCPS_LISTEN || t->state == TCPS_SYN_SENT)
        return 0;
    /* As Linux: what is not acknowledged, a FIN included. */
    return seq_ahead(t->snd.end + ((t->flags & TF_FIN_QUEUED) != 0), t->snd.una);
}

uint32_t tcp_outq_nsd(const struct tcb *t) { return seq_ahead(t->snd.end, t->snd.nxt); }
