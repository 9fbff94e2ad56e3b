/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls that move bytes.
 *
 * What a script sends is the pattern of packet.h, from where the stream of this descriptor stands;
 * what it reads must be that pattern from where its stream stands: the bytes of the script's
 * packets carry it. So every script also checks that the right bytes arrive, in order, once. A
 * datagram carries the pattern from its start.
 *
 * pipe, splice, sendfile and open exist as far as a socket is at one end: a pipe is a count of
 * bytes, a file has no end and holds the pattern.
 *
 * Called through call.c's table; waiting is the file table's. No state but counts in struct fd.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "drill/run.h"
#include "wire/ipv4.h"

enum { IO_MAX = 64 << 20, PIPE_BYTES = 65536, MSG_FASTOPEN_ = 0x20000000 };

bool call_buffer(struct run *r, struct pending *x, int64_t n)
{
    if (n < 0 || n > IO_MAX)
        return run_fail(r, "lengths are 0 to %d here", IO_MAX);
    x->n = (size_t)n;
    x->buf = malloc(x->n + 1);
    return x->buf != NULL || run_fail(r, "no memory");
}

static bool is_null(const struct expr *e)
{
    return (e->kind == EX_WORD && strcmp(e->text, "NULL") == 0) || e->kind == EX_INT;
}

/* The bytes of [{..., 10}, {..., 20}] together. */
static bool iov_len(struct run *r, const struct expr *iov, int64_t *out)
{
    *out = 0;
    if (iov == NULL || iov->kind != EX_LIST)
        return run_fail(r, "expected [{..., LENGTH}, …]");
    for (const struct expr *e = iov->kids; e != NULL; e = e->next) {
        int64_t n = 0;
        if (e->kind != EX_STRUCT || e->kids == NULL || e->kids->next == NULL)
            return run_fail(r, "expected [{..., LENGTH}, …]");
        if (is_null(e->kids))
            return run_skip(r, "buffers at bad addresses are not supported");
        if (!arg_int(r, e->kids->next, &n))
            return false;
        *out += n;
    }
    return true;
}

/* Where the length stands: read(fd, buf, n), readv(fd, iov, n), recvmsg(fd, msg, flags). */
enum io_shape { IO_BUF, IO_IOV, IO_MSG };

static bool take_io(struct run *r, struct pending *x, enum io_shape shape)
{
    int64_t n = 0, flags = 0;
    if (!arg_fd(r, x, 0, FD_SOCK))
        return false;
    if (shape == IO_BUF && is_null(x->arg[1]))
        return run_skip(r, "buffers at bad addresses are not supported");
    bool is_ok = false;
    if (shape == IO_BUF)
        is_ok = arg_int(r, x->arg[2], &n);
    else if (shape == IO_IOV)
        is_ok = iov_len(r, x->arg[1], &n);
    else if (x->arg[1]->kind != EX_STRUCT)
        return run_fail(r, "expected a struct msghdr");
    else
        is_ok = iov_len(r, arg_field(x->arg[1], "msg_iov"), &n);
    unsigned flags_at = shape == IO_BUF ? 3 : shape == IO_MSG ? 2 : RUN_ARGS;
    bool has_flags = flags_at < RUN_ARGS && x->n_arg > flags_at;
    if (!is_ok || (has_flags && !arg_int(r, x->arg[flags_at], &flags)))
        return false;
    x->flags = (unsigned)flags;
    x->fc.flags = x->flags;
    x->fc.is_nonblock = (flags & MSG_DONTWAIT) != 0;
    return call_buffer(r, x, n);
}

/* ---- receiving ---- */

static enum call_status begin_recv(struct run *r, struct pending *x, enum io_shape shape)
{
    if (!take_io(r, x, shape))
        return CALL_BAD;
    x->fc.op = FILE_RECV;
    x->fc.buf = x->buf;
    x->fc.len = x->n;
    return call_submit(r, x);
}

static enum call_status begin_read(struct run *r, struct pending *x)
{
    return begin_recv(r, x, IO_BUF);
}
static enum call_status begin_readv(struct run *r, struct pending *x)
{
    return begin_recv(r, x, IO_IOV);
}
static enum call_status begin_recvmsg(struct run *r, struct pending *x)
{
    x->msg = (struct weir_msghdr){.control = x->control, .control_len = sizeof(x->control)};
    x->fc.msg = &x->msg;
    return begin_recv(r, x, IO_MSG);
}

static bool finish_recv(struct run *r, struct pending *x)
{
    struct fd *f = x->fd;
    if (x->result >= 0 && x->fc.msg != NULL && !call_msg_check(r, x))
        return false;
    if (x->result <= 0 || (x->flags & MSG_ERRQUEUE) != 0)
        return true;
    bool is_stream = f->type == SOCK_STREAM;
    bool is_out_of_band = (x->flags & MSG_OOB) != 0 || (f->conn != NULL && f->conn->is_urgent);
    bool is_unseen = is_stream && (x->flags & MSG_TRUNC) != 0;
    size_t n = (size_t)x->result < x->n ? (size_t)x->result : x->n;
    uint32_t off = is_stream ? f->recv_off : 0;
    if (f->conn != NULL && !is_out_of_band && !is_unseen) {
        size_t at = pattern_check(x->buf, n, off);
        if (at < n)
            return run_fail(r, "%s gave a wrong byte at offset %zu of %zu (stream offset %u)",
                            x->def->name, at, n, off + (unsigned)at);
    }
    if ((x->flags & (MSG_PEEK | MSG_OOB)) == 0)
        f->recv_off += (uint32_t)x->result;
    return true;
}

/* ---- sending ---- */

static enum call_status submit_send(struct run *r, struct pending *x)
{
    pattern_fill(x->buf, x->n, x->fd->type == SOCK_STREAM ? x->fd->send_off : 0);
    x->fc.op = FILE_SEND;
    x->fc.buf = x->buf;
    x->fc.len = x->n;
    return call_submit(r, x);
}

static enum call_status begin_send(struct run *r, struct pending *x)
{
    return take_io(r, x, IO_BUF) ? submit_send(r, x) : CALL_BAD;
}
static enum call_status begin_writev(struct run *r, struct pending *x)
{
    return take_io(r, x, IO_IOV) ? submit_send(r, x) : CALL_BAD;
}

/* The first datagram tells the local port. */
static void new_dgram_conn(struct run *r, struct fd *f, const struct weir_addr *to)
{
    if (f->type != SOCK_DGRAM || f->conn != NULL)
        return;
    r->cur = f->conn = conn_new(r, PROTO_UDP);
    memcpy(r->cur->remote.b, to->ip, sizeof(r->cur->remote.b));
    r->cur->rport = to->port;
    r->cur->is_connecting = true;
    r->cur->fd = f->num;
}

/* The address of a send, and what it begins: a datagram's peer, or with MSG_FASTOPEN a
 * connection. */
static bool take_peer(struct run *r, struct pending *x, const struct expr *to)
{
    static const struct expr dots = {.kind = EX_DOTS};
    struct weir_addr peer = conn_weir_addr(r, &r->remote, r->script->opts.connect_port);
    const struct conn *c = x->fd->conn;
    bool is_fast = x->fd->type == SOCK_STREAM && (x->flags & MSG_FASTOPEN_) != 0;
    if (c != NULL)
        peer = conn_weir_addr(r, &c->remote, c->rport);
    if (!arg_addr(r, to != NULL ? to : &dots, &peer, &x->fc.addr))
        return false;
    x->fc.has_addr =
        is_fast || (to != NULL && (to->kind == EX_STRUCT || x->fd->type == SOCK_DGRAM));
    if (is_fast && c == NULL)
        conn_active(r, x->fd, &x->fc.addr);
    else if (to != NULL)
        new_dgram_conn(r, x->fd, &x->fc.addr);
    return true;
}

static enum call_status begin_sendmsg(struct run *r, struct pending *x)
{
    x->msg = (struct weir_msghdr){.control = x->control};
    bool is_ok = take_io(r, x, IO_MSG) && take_peer(r, x, arg_field(x->arg[1], "msg_name")) &&
                 call_msg_build(r, x);
    if (!is_ok)
        return CALL_BAD;
    x->msg.has_name = x->fc.has_addr;
    x->msg.name = x->fc.addr;
    x->fc.msg = &x->msg;
    return submit_send(r, x);
}

static enum call_status begin_sendto(struct run *r, struct pending *x)
{
    return take_io(r, x, IO_BUF) && take_peer(r, x, x->arg[4]) ? submit_send(r, x) : CALL_BAD;
}

static bool finish_send(struct run *r, struct pending *x)
{
    (void)r;
    if (x->result > 0)
        x->fd->send_off += (uint32_t)x->result;
    return true;
}

/* ---- pipes and files ---- */

static enum call_status begin_pipe(struct run *r, struct pending *x)
{
    int64_t num[2] = {0};
    const struct expr *e = x->arg[0]->kind == EX_LIST ? x->arg[0]->kids : NULL;
    if (e == NULL || e->next == NULL || !arg_int(r, e, &num[0]) || !arg_int(r, e->next, &num[1])) {
        run_fail(r, "expected pipe([READ, WRITE])");
        return CALL_BAD;
    }
    unsigned made = 0;
    for (unsigned i = 0; i < RUN_FDS && made < 2; i++)
        if (r->fds[i].kind == FD_FREE) {
            r->fds[i] = (struct fd){.kind = made == 0 ? FD_PIPE_IN : FD_PIPE_OUT,
                                    .num = (int)num[made],
                                    .pipe_peer = (int)num[0]};
            made++;
        }
    return call_answer(x, made == 2 ? 0 : -EMFILE);
}

static enum call_status begin_open(struct run *r, struct pending *x)
{
    struct fd *f = fd_new(r, x, FD_FILE);
    return f != NULL ? call_answer(x, f->num) : CALL_BAD;
}

/* From a socket into a pipe, or from a pipe into a socket. */
static enum call_status begin_splice(struct run *r, struct pending *x)
{
    int64_t from = 0, to = 0, n = 0;
    if (!arg_int(r, x->arg[0], &from) || !arg_int(r, x->arg[2], &to) || !arg_int(r, x->arg[4], &n))
        return CALL_BAD;
    struct fd *in = fd_of(r, from), *out = fd_of(r, to);
    bool is_in = in != NULL && out != NULL && in->kind == FD_SOCK && out->kind == FD_PIPE_OUT;
    bool is_out = in != NULL && out != NULL && in->kind == FD_PIPE_IN && out->kind == FD_SOCK;
    struct fd *pipe = is_in ? fd_of(r, out->pipe_peer) : in;
    if ((!is_in && !is_out) || pipe == NULL) {
        run_fail(r, "splice takes a socket and a pipe here");
        return CALL_BAD;
    }
    size_t room = is_in ? PIPE_BYTES - pipe->pipe_n : pipe->pipe_n;
    x->fd = is_in ? in : out;
    if (!call_buffer(r, x, n < (int64_t)room ? n : (int64_t)room))
        return CALL_BAD;
    if (is_out)
        return submit_send(r, x);
    x->fc.op = FILE_RECV;
    x->fc.buf = x->buf;
    x->fc.len = x->n;
    return call_submit(r, x);
}

static bool finish_splice(struct run *r, struct pending *x)
{
    int64_t to = 0;
    if (!arg_int(r, x->arg[2], &to))
        return false;
    struct fd *out = fd_of(r, to);
    int64_t from = 0;
    bool is_in = out != NULL && out->kind == FD_PIPE_OUT;
    struct fd *pipe = is_in                          ? fd_of(r, out->pipe_peer)
                      : arg_int(r, x->arg[0], &from) ? fd_of(r, from)
                                                     : NULL;
    if (x->result <= 0 || pipe == NULL)
        return true;
    pipe->pipe_n = is_in ? pipe->pipe_n + (size_t)x->result : pipe->pipe_n - (size_t)x->result;
    return is_in ? finish_recv(r, x) : finish_send(r, x);
}

static enum call_status begin_sendfile(struct run *r, struct pending *x)
{
    int64_t from = 0, n = 0;
    if (!arg_fd(r, x, 0, FD_SOCK) || !arg_int(r, x->arg[1], &from) || !arg_int(r, x->arg[3], &n))
        return CALL_BAD;
    struct fd *in = fd_of(r, from);
    if (in == NULL || in->kind != FD_FILE) {
        run_fail(r, "sendfile takes a file that was opened");
        return CALL_BAD;
    }
    return call_buffer(r, x, n) ? submit_send(r, x) : CALL_BAD;
}

const struct call_def calls_io[] = {
    {"read", 3, 3, begin_read, finish_recv, NULL},
    {"recv", 4, 4, begin_read, finish_recv, NULL},
    {"recvfrom", 6, 6, begin_read, finish_recv, NULL},
    {"readv", 3, 3, begin_readv, finish_recv, NULL},
    {"recvmsg", 3, 3, begin_recvmsg, finish_recv, NULL},
    {"write", 3, 3, begin_send, finish_send, NULL},
    {"send", 4, 4, begin_send, finish_send, NULL},
    {"sendto", 6, 6, begin_sendto, finish_send, NULL},
    {"writev", 3, 3, begin_writev, finish_send, NULL},
    {"sendmsg", 3, 3, begin_sendmsg, finish_send, NULL},
    {"pipe", 1, 1, begin_pipe, NULL, NULL},
    {"open", 2, 3, begin_open, NULL, NULL},
    {"splice", 6, 6, begin_splice, finish_splice, NULL},
    {"sendfile", 4, 4, begin_sendfile, finish_send, NULL},
    {0},
};
