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

enum { SOL_SOCKET_ = 1, SO_ERROR_ = 4 };

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
        return !is_under_way || c->is_nonblock;
    }
    uint32_t bits = weir_poll(ft->w, f->sock);
    if ((bits & (WEIR_CONNECTED | WEIR_ERR | WEIR_HUP)) == 0)
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

static bool send_try(struct file_table *ft, w_ns now, struct file *f, struct file_call *c)
{
    const struct weir_addr *to = c->has_addr ? &c->addr : NULL;
    int64_t r = weir_sendto(ft->w, now, f->sock, (const uint8_t *)c->buf + c->done,
                            c->len - c->done, c->flags & ~(unsigned)WEIR_MSG_DONTWAIT, to);
    if (r > 0)
        c->done += (size_t)r;
    bool is_short = r == -EAGAIN || (r >= 0 && c->done < c->len && f->type == WEIR_STREAM);
    if (is_short && !c->is_nonblock)
        return false;
    c->result = c->done != 0 ? (int64_t)c->done : r;
    return true;
}

static bool recv_try(struct file_table *ft, w_ns now, struct file *f, struct file_call *c)
{
    bool wants_all = (c->flags & WEIR_MSG_WAITALL) != 0 && (c->flags & WEIR_MSG_PEEK) == 0 &&
                     f->type == WEIR_STREAM;
    unsigned flags = c->flags & ~(unsigned)(WEIR_MSG_DONTWAIT | WEIR_MSG_WAITALL);
    int64_t r = weir_recvfrom(ft->w, now, f->sock, (uint8_t *)c->buf + c->done, c->len - c->done,
                              flags, &c->addr);
    if (r > 0)
        c->done += (size_t)r;
    bool is_short = r == -EAGAIN || (r > 0 && wants_all && c->done < c->len);
    if (is_short && !c->is_nonblock)
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

bool call_try(struct file_table *ft, w_ns now, struct file *f, struct file_call *c, bool is_first)
{
    switch (c->op) {
    case FILE_CONNECT: return connect_try(ft, now, f, c, is_first);
    case FILE_ACCEPT: return accept_try(ft, now, f, c);
    case FILE_SEND: return send_try(ft, now, f, c);
    case FILE_RECV: return recv_try(ft, now, f, c);
    case FILE_POLL: return poll_try(ft, f, c);
    case FILE_CLOSE: break;
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
    return c->op == FILE_POLL ? 0 : -EAGAIN;
}
