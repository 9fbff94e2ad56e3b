/* SPDX-License-Identifier: Apache-2.0
 *
 * The program reads [RFC 9293 3.10.3].
 *
 * Decides: what a read returns in each state, how it treats the urgent byte (out of line unless
 * SO_OOBINLINE; a read stops before the mark) [RFC 9293 3.8.5, RFC 6093].
 * Owns: rcv.copied.
 * Called by sock/; calls wnd.c, as reading opens the window.
 *
 * Invariant: bytes leave the queue in order, each once.
 */
#include <errno.h>

#include "tcp/room.h"

static bool has_mark(const struct tcb *t) { return (t->flags & TF_URG_VALID) != 0; }

/* The mark has been passed: it is history. */
static void pass_mark(struct tcb *t)
{
    if (has_mark(t) && seq_gt(t->rcv.copied, t->rcv_up))
        t->flags &= ~(uint32_t)(TF_URG_VALID | TF_URG_BYTE);
}

static void consume(struct tcp *tcp, struct tcb *t, uint32_t n)
{
    uint32_t promise = tcp_wnd_promise(t);
    t->rcv.copied += n;
    if (WEIR_UNLIKELY(promise > tcp->wnd_free))
        tcp_wnd_promised(tcp, t, promise);
    while (n > 0) {
        struct pkt *p = t->rcv.q;
        WEIR_ASSERT(p != NULL);
        if (n < p->len) {
            pkt_pull_any(p, n);
            p->seq += n;
            break;
        }
        n -= p->len;
        t->rcv.q = p->next;
        if (t->rcv.q == NULL)
            t->rcv.qtail = NULL;
        tcp->mem_bytes -= p->truesize;
        pkt_free(p);
    }
    pass_mark(t);
}

/* Bytes that one read may return, the urgent byte at its head skipped. */
static uint32_t readable(struct tcp *tcp, struct tcb *t)
{
    uint32_t bytes = tcp_rcvq_bytes(t);
    if (WEIR_LIKELY(!has_mark(t)))
        return bytes;
    uint32_t to_mark = t->rcv_up - t->rcv.copied;
    if (to_mark >= bytes)
        return bytes;
    if (to_mark > 0)
        return to_mark;
    if ((t->flags & TF_OOBINLINE) == 0) {
        consume(tcp, t, 1);
        bytes--;
    }
    return bytes;
}

/* Nothing to read: why? [RFC 9293 3.6 MUST-12] */
static int64_t recv_nothing(struct tcb *t)
{
    if ((t->flags & TF_FIN_RCVD) != 0)
        return 0;
    if (t->err != 0) {
        int err = t->err;
        t->err = 0;
        return -err;
    }
    if ((t->flags & TF_RCV_SHUT) != 0)
        return 0;
    if (t->state == TCPS_CLOSED)
        return (t->flags & TF_CONNECTED) != 0 ? 0 : -ENOTCONN;
    return -EAGAIN;
}

static int64_t recv_urgent(struct tcb *t, uint8_t *dst, size_t n, unsigned flags)
{
    if ((t->flags & TF_OOBINLINE) != 0 || !has_mark(t) || t->rcv.is_urg_read)
        return -EINVAL;
    if ((t->flags & TF_URG_BYTE) == 0) {
        bool is_over = t->state == TCPS_CLOSED || (t->flags & (TF_RCV_SHUT | TF_FIN_RCVD)) != 0;
        return is_over ? 0 : -EAGAIN;
    }
    if (n > 0 && (flags & TCP_MSG_TRUNC) == 0)
        *dst = t->urg_byte;
    if ((flags & TCP_MSG_PEEK) == 0) {
        t->flags &= ~(uint32_t)TF_URG_BYTE;
        t->rcv.is_urg_read = 1;
    }
    return 1;
}

static void copy_out(const struct tcb *t, uint8_t *dst, uint32_t n)
{
    uint32_t done = 0;
    for (const struct pkt *p = t->rcv.q; p != NULL && done < n; p = p->next)
        done += pkt_copy_out(p, 0, dst + done, n - done);
    WEIR_ASSERT(done == n);
}

int64_t tcp_recv(struct tcp *tcp, struct tcb *t, void *dst, size_t n, unsigned flags)
{
    if (t->state == TCPS_LISTEN)
        return -ENOTCONN;
    if ((flags & TCP_MSG_OOB) != 0)
        return recv_urgent(t, dst, n, flags);
    uint32_t bytes = readable(tcp, t);
    if (bytes == 0)
        return recv_nothing(t);
    uint32_t take = n < bytes ? (uint32_t)n : bytes;
    if ((flags & TCP_MSG_TRUNC) == 0)
        copy_out(t, dst, take);
    if ((flags & TCP_MSG_PEEK) != 0)
        return take;
    consume(tcp, t, take);
    if (env_traces(tcp->env))
        tcp_seen_bytes(tcp, t, WEIR_T_READ, t->rcv.copied - take, take);
    if (t->state != TCPS_CLOSED)
        tcp_wnd_after_read(tcp, t, take);
    tcp_limit(tcp, t);
    tcb_check(tcp, t);
    return take;
}

w_ns tcp_recv_when(const struct tcb *t, size_t n)
{
    w_ns when = 0;
    size_t at = 0;
    for (const struct pkt *p = t->rcv.q; p != NULL && at < n; p = p->next) {
        when = p->when;
        at += p->len;
    }
    return when;
}

/* Pieces of one packet from the linear part on. */
static unsigned pieces(const struct pkt *p, uint32_t *left, struct tcp_iov *v, unsigned max)
{
    unsigned n = 0;
    if (p->lin > 0 && n<max && * left> 0) {
        uint32_t k = w_u32_min(p->lin, *left);
        v[n++] = (struct tcp_iov){pkt_data(p), k};
        *left -= k;
    }
    for (unsigned i = 0; i < p->nfrag && n<max && * left> 0; i++) {
        uint32_t k = w_u32_min(p->frag[i].len, *left);
        v[n++] = (struct tcp_iov){p->frag[i].b->mem + p->frag[i].off, k};
        *left -= k;
    }
    return n;
}

int tcp_recv_peek(struct tcp *tcp, struct tcb *t, struct tcp_iov *v, unsigned max)
{
    if (t->state == TCPS_LISTEN)
        return -ENOTCONN;
    uint32_t left = readable(tcp, t);
    if (left == 0)
        return (int)recv_nothing(t);
    unsigned n = 0;
    for (const struct pkt *p = t->rcv.q; p != NULL && n < max && left > 0; p = p->next)
        n += pieces(p, &left, v + n, max - n);
    return (int)n;
}

void tcp_recv_consume(struct tcp *tcp, struct tcb *t, size_t n)
{
    WEIR_ASSERT(n <= tcp_rcvq_bytes(t));
    consume(tcp, t, (uint32_t)n);
    if (env_traces(tcp->env) && n > 0)
        tcp_seen_bytes(tcp, t, WEIR_T_READ, t->rcv.copied - (uint32_t)n, (uint32_t)n);
    if (t->state != TCPS_CLOSED && n > 0)
        tcp_wnd_after_read(tcp, t, (uint32_t)n);
    tcp_limit(tcp, t);
    tcb_check(tcp, t);
}

uint32_t tcp_inq(const struct tcp *tcp, const struct tcb *t)
{
    (void)tcp;
    if (t->state == TCPS_LISTEN || t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECEIVED)
        return 0;
    uint32_t bytes = tcp_rcvq_bytes(t);
    if (!has_mark(t) || (t->flags & TF_OOBINLINE) != 0)
        return bytes;
    uint32_t to_mark = t->rcv_up - t->rcv.copied;
    return to_mark < bytes ? to_mark : bytes;
}

uint32_t tcp_inq_or_end(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t n = tcp_inq(tcp, t);
    return n == 0 && (t->flags & TF_FIN_RCVD) != 0 ? 1 : n;
}

/* [RFC 9293 3.8.5 MUST-33] */
bool tcp_at_mark(const struct tcb *t) { return has_mark(t) && t->rcv_up == t->rcv.copied; }
