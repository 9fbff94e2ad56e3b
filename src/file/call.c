/* SPDX-License-Identifier: Apache-2.0
 *
 * How one call is answered: the errno rules of connect, accept, send, recv and poll.
 *
 * Each function tries once and says whether the call has its answer. False means: park it, try
 * again when the socket has news. What Linux answers where POSIX leaves it open is what programs
 * expect, so that is the rule here: a blocking send returns only when everything is taken, an error
 * after some bytes returns the bytes, a connect that runs into SO_SNDTIMEO answers EINPROGRESS.
 *
 * Called by file.c; calls weir.h only. Owns nothing.
 */
#include "file/table.h"

#include <errno.h>

enum { SOL_SOCKET_ = 1, SO_ERROR_ = 4, SO_LINGER_ = 13 };

static int64_t sock_error(struct weir *w, weir_sock s)
{
    int err = 0;
    size_t n = sizeof(err);
    int r = weir_getsockopt(w, 0, s, SOL_SOCKET_, SO_ERROR_, &err, &n);
    return r < 0 ? r : -err;
}

static bool connect_try(struct file_table *ft, w_ns now, struct file *f, struct file_call *c,
                        bool is_first)
{
    if (is_first) {
        c->result = weir_connect(ft->w, now, f->sock, &c->addr);
        bool is_under_way = c->result == -EINPROGRESS || c->result == -EALREADY;
        if (c->result == 0 && f->type == WEIR_STREAM)
            f->is_deferred = true; /* or an earlier one has just succeeded: no harm */
        return !is_under_way || c->is_nonblock;
    }
    uint32_t bits = weir_poll(ft->w, f->sock);
    /* WEIR_ERR alone: something lies in the error queue, which does not end an attempt. */
    if ((bits & (WEIR_CONNECTED | WEIR_HUP)) == 0)
        return false;
    c->result = sock_error(ft->w, f->sock);
    return true;
}

static bool accept_try(struct file_table *ft, w_ns now, struct file *f, struct file_call *c)
{
    weir_sock s = 0;
    int r = weir_accept(ft->w, now, f->sock, &s, &c->addr);
    c->result = r < 0 ? r : (int64_t)s;
    return r != -EAGAIN || c->is_nonblock;
}

/* A send that may have opened its connection [RFC 7413]: did it, and is the SYN unanswered? */
static bool is_opening(struct file_table *ft, struct file *f, const struct file_call *c, int64_t r)
{
    bool is_fast = f->is_deferred || (c->flags & WEIR_MSG_FASTOPEN) != 0;
    if (!is_fast || r == -EALREADY || f->type != WEIR_STREAM)
        return false;
    f->is_deferred = false;
    return r == -EINPROGRESS || (r > 0 && (weir_poll(ft->w, f->sock) & WEIR_CONNECTED) == 0);
}

/* A blocking send that opened its connection waits for the handshake, as Linux's does; then what is
 * left is sent. False: it waits. */
static bool is_answered(struct file_table *ft, struct file *f, struct file_call *c)
{
    uint32_t bits = weir_poll(ft->w, f->sock);
    if ((bits & (WEIR_CONNECTED | WEIR_HUP)) == 0)
        return false;
    c->result = (bits & WEIR_CONNECTED) != 0 ? (int64_t)c->done : sock_error(ft->w, f->sock);
    c->is_opening = false;
    c->flags &= ~(unsigned)WEIR_MSG_FASTOPEN;
    return true;
}

static int64_t send_some(struct file_table *ft, w_ns now, struct file *f, struct file_call *c,
                         unsigned flags)
{
    const uint8_t *at = (const uint8_t *)c->buf + c->done;
    if (c->msg != NULL) {
        c->msg->buf = (uint8_t *)c->buf + c->done;
        c->msg->len = c->len - c->done;
        return weir_sendmsg(ft->w, now, f->sock, c->msg, flags);
    }
    const struct weir_addr *to = c->has_addr ? &c->addr : NULL;
    return weir_sendto(ft->w, now, f->sock, at, c->len - c->done, flags, to);
}

static bool send_try(struct file_table *ft, w_ns now, struct file *f, struct file_call *c)
{
    if (c->is_opening) {
        if (!is_answered(ft, f, c))
            return false;
        if (c->result < 0 || c->done == c->len)
            return true;
    }
    unsigned flags = c->flags & ~(unsigned)WEIR_MSG_DONTWAIT;
    if (c->is_nonblock)
        flags |= WEIR_MSG_DONTWAIT;
    if (c->done != 0)
        flags &= ~(unsigned)WEIR_MSG_ZEROCOPY; /* one call is one number */
    bool is_first = (flags & WEIR_MSG_FASTOPEN) != 0 || f->is_deferred;
    if (is_first && !c->is_nonblock)
        flags |= WEIR_MSG_MORE; /* what does not fit the SYN follows as soon as it is answered */
    int64_t r = send_some(ft, now, f, c, flags);
    if (r > 0)
        c->done += (size_t)r;
    if (is_opening(ft, f, c, r)) {
        c->is_opening = true;
        c->result = r;
        return c->is_nonblock;
    }
    bool is_short = r == -EAGAIN || (r >= 0 && c->done < c->len && f->type == WEIR_STREAM);
    if (is_short && !c->is_nonblock)
        return false;
    c->result = c->done != 0 ? (int64_t)c->done : r;
    return true;
}

/* Control data is that of the last piece. */
static int64_t recv_some(struct file_table *ft, w_ns now, struct file *f, struct file_call *c,
                         unsigned flags)
{
    uint8_t *at = (uint8_t *)c->buf + c->done;
    struct weir_msghdr m = {.flags = 0};
    if (c->msg == NULL && (flags & WEIR_MSG_ERRQUEUE) == 0)
        return weir_recvfrom(ft->w, now, f->sock, at, c->len - c->done, flags, &c->addr);
    m = c->msg != NULL ? *c->msg : m;
    m.buf = at;
    m.len = c->len - c->done;
    int64_t r = weir_recvmsg(ft->w, now, f->sock, &m, flags);
    if (r >= 0 && c->msg != NULL)
        *c->msg = m;
    return r;
}

static bool recv_try(struct file_table *ft, w_ns now, struct file *f, struct file_call *c)
{
    bool wants_all = (c->flags & WEIR_MSG_WAITALL) != 0 && (c->flags & WEIR_MSG_PEEK) == 0 &&
                     f->type == WEIR_STREAM;
    unsigned flags = c->flags & ~(unsigned)(WEIR_MSG_DONTWAIT | WEIR_MSG_WAITALL);
    bool never_waits = c->is_nonblock || (flags & WEIR_MSG_ERRQUEUE) != 0;
    int64_t r = recv_some(ft, now, f, c, flags);
    if (r > 0)
        c->done += (size_t)r;
    bool is_short = r == -EAGAIN || (r > 0 && wants_all && c->done < c->len);
    if (is_short && !never_waits)
        return false;
    /* MSG_TRUNC answers more than was copied: r itself counts when it is the only piece. */
    c->result = c->done != 0 && r <= 0 ? (int64_t)c->done
                : wants_all && r > 0   ? (int64_t)c->done
                                       : r;
    return true;
}

static bool poll_try(struct file_table *ft, struct file *f, struct file_call *c)
{
    uint32_t bits = weir_poll(ft->w, f->sock) & (c->want | WEIR_ERR | WEIR_HUP);
    c->result = bits;
    return bits != 0 || c->is_nonblock;
}

/* Linux's inet_release: with SO_LINGER and a time close() waits until the peer has acknowledged the
 * FIN, or the time is over; then the rest is the stack's. Not when a reset is due. */
static bool close_try(struct file_table *ft, w_ns now, struct file *f, struct file_call *c,
                      bool is_first)
{
    int linger[2] = {0, 0};
    size_t n = sizeof(linger);
    c->result = 0;
    if (!is_first)
        return (weir_poll(ft->w, f->sock) & WEIR_DRAINED) != 0;
    if (c->is_nonblock || f->type != WEIR_STREAM || weir_inq(ft->w, f->sock) != 0)
        return true;
    if (weir_getsockopt(ft->w, now, f->sock, SOL_SOCKET_, SO_LINGER_, linger, &n) < 0 ||
        linger[0] == 0 || linger[1] <= 0)
        return true;
    c->deadline = w_u64_min(c->deadline, w_ns_add(now, (w_ns)linger[1] * W_S));
    if (weir_shutdown(ft->w, now, f->sock, WEIR_SHUT_WR) < 0)
        return true;
    return (weir_poll(ft->w, f->sock) & (WEIR_DRAINED | WEIR_HUP)) != 0;
}

bool call_try(struct file_table *ft, w_ns now, struct file *f, struct file_call *c, bool is_first)
{
    switch (c->op) {
    case FILE_CONNECT: return connect_try(ft, now, f, c, is_first);
    case FILE_ACCEPT: return accept_try(ft, now, f, c);
    case FILE_SEND: return send_try(ft, now, f, c);
    case FILE_RECV: return recv_try(ft, now, f, c);
    case FILE_POLL: return poll_try(ft, f, c);
    case FILE_CLOSE: return close_try(ft, now, f, c, is_first);
    }
    c->result = -EINVAL;
    return true;
}

int64_t call_timeout_result(const struct file_call *c)
{
    if (c->done != 0)
        return (int64_t)c->done;
    if (c->op == FILE_CONNECT)
        return -EINPROGRESS;
    return c->op == FILE_POLL || c->op == FILE_CLOSE ? 0 : -EAGAIN;
}
