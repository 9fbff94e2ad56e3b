/* SPDX-License-Identifier: Apache-2.0
 *
 * The data plane: bytes between a placeholder pair and the stream socket behind it.
 *
 *   program ──write──► pair ──readv──► send queue of the connection ──► network
 *   program ◄──read─── pair ◄─sendmsg── receive buffer              ◄──
 *
 * Both are done in place: one copy out of the pair, one into it, none besides. Each side's being
 * full stops the other: no send space leaves the bytes in the pair, whose fullness the program
 * feels; a full pair leaves the bytes in the receive buffer, whose fullness the peer feels.
 *
 * weir's end is watched edge-triggered, once for its life. can_read and can_write say what the last
 * event or the last call found; a call that falls short clears them, and the kernel promises an
 * event for the change. After a hang-up only a read of 0 ends the reading, because no event
 * follows.
 *
 *   the program                     weir's end           the connection
 *   shutdown(SHUT_WR)               reads 0              FIN
 *   closes all copies               HUP, reads 0         closed in order (or as SO_LINGER says)
 *   closes with unread data         HUP, ECONNRESET      reset, as the kernel's TCP does
 *   shutdown(SHUT_RD)               EPIPE                what arrives is thrown away
 *   reads 0                         SHUT_WR              the peer's FIN
 *   reads ECONNRESET                plug_break           reset or timed out
 *
 * Called by the loop (plane_ready), door.c (plane_news, the work list) and answer.c.
 */
#include "door/state.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A turn: at most this many moves of up to some 100 KiB, then the other plugs have theirs. */
enum { PUMP_TURNS = 16, PUMP_PIECES = 16, PUMP_FIRST = 2 };

/* More than a quarter of a pair's send buffer (212,992 by default), which makes it poll not
 * writable; the room a message may take beyond is the kernel's bookkeeping. */
enum { PREFILL_BYTES = 56 * 1024 };

_Static_assert(sizeof(struct weir_iov) == sizeof(struct iovec), "pieces are handed to readv");
_Static_assert(offsetof(struct weir_iov, len) == offsetof(struct iovec, iov_len), "layout");

static w_ns now_of(const struct plug *p) { return loop_now(p->door->loop); }

static size_t pieces_bytes(const struct weir_iov *v, int n)
{
    size_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += v[i].len;
    return sum;
}

/* ---- program → network ---- */

void plane_discard(struct plug *p)
{
    struct door *d = p->door;
    while (recv(p->fd, d->scratch, sizeof(d->scratch), MSG_DONTWAIT) > 0)
        continue;
    p->prefill = 0;
}

/* The bytes that kept the program's end from polling writable. */
static void prefill_drain(struct plug *p)
{
    struct door *d = p->door;
    while (p->prefill > 0) {
        ssize_t n =
            recv(p->fd, d->scratch, w_u64_min(p->prefill, sizeof(d->scratch)), MSG_DONTWAIT);
        if (n <= 0)
            break;
        p->prefill -= (uint32_t)n;
    }
}

void plane_prefill(struct plug *p, int program_end)
{
    struct door *d = p->door;
    ssize_t n = send(program_end, d->scratch, PREFILL_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        p->prefill += (uint32_t)n;
}

/* What readv made of the space: always committed, even as 0, because the space is the socket's. */
static void send_done(struct plug *p, weir_sock s, ssize_t r, size_t asked)
{
    int err = errno;
    (void)weir_send_commit(p->door->w, now_of(p), s, r > 0 ? (size_t)r : 0);
    if (r > 0 && ((size_t)r == asked || p->is_hup || p->is_rdhup))
        return;
    p->can_read = false;
    if (r > 0 || (r < 0 && err == EAGAIN))
        return;
    p->is_read_end = true;
    if (!p->is_hup)
        (void)file_shutdown(p->door->ft, now_of(p), p->file, WEIR_SHUT_WR);
}

/* Moves until there is no more: most writes are small, so the first move asks for little space.
 * Returns moves made. */
static unsigned send_all(struct plug *p, weir_sock s)
{
    struct weir_iov v[PUMP_PIECES];
    unsigned turn = 0, pieces = PUMP_FIRST;
    while (turn < PUMP_TURNS && p->can_read && !p->is_read_end) {
        int n = weir_send_space(p->door->w, now_of(p), s, v, pieces);
        if (n <= 0)
            break;
        ssize_t r = readv(p->fd, (const struct iovec *)(const void *)v, n);
        send_done(p, s, r, pieces_bytes(v, n));
        pieces = PUMP_PIECES;
        turn++;
    }
    return turn;
}

/* ---- network → program ---- */

static void end_to_program(struct plug *p)
{
    p->is_write_end = true;
    (void)shutdown(p->fd, SHUT_WR);
}

static bool receive_some(struct plug *p, weir_sock s)
{
    struct weir_iov v[PUMP_PIECES];
    int n = weir_recv_peek(p->door->w, s, v, PUMP_PIECES);
    if (n == 0 && !p->is_failing)
        end_to_program(p);
    if (n <= 0)
        return false;
    size_t all = pieces_bytes(v, n);
    if (p->is_deaf) {
        (void)weir_recv_consume(p->door->w, now_of(p), s, all);
        return true;
    }
    struct msghdr m = {.msg_iov = (struct iovec *)(void *)v, .msg_iovlen = (size_t)n};
    ssize_t r = sendmsg(p->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (r > 0) {
        (void)weir_recv_consume(p->door->w, now_of(p), s, (size_t)r);
        p->can_write = (size_t)r == all;
        return p->can_write;
    }
    if (errno == EAGAIN)
        p->can_write = false;
    else
        p->is_deaf = true;
    return p->is_deaf;
}

/* ---- life ---- */

/* The program is gone from this connection: what it wrote has been taken, close. */
static void pump_close(struct plug *p) { plug_kill(p->door, p); }

static void pump_lost(struct plug *p, weir_sock s)
{
    struct weir_iov v[1];
    if (weir_recv_peek(p->door->w, s, v, 1) <= 0)
        plug_break(p->door, p, p->err);
}

static void pump_stream(struct plug *p)
{
    weir_sock s = file_sock(p->door->ft, p->file);
    prefill_drain(p);
    bool is_full_turn = send_all(p, s) == PUMP_TURNS;
    unsigned turn = 0;
    while (turn < PUMP_TURNS && (p->can_write || p->is_deaf) && !p->is_write_end &&
           receive_some(p, s))
        turn++;
    is_full_turn |= turn == PUMP_TURNS;
    if (p->is_hup && p->is_read_end)
        pump_close(p);
    else if (p->is_failing)
        pump_lost(p, s);
    else if (is_full_turn && !list_is_linked(&p->work))
        list_push_back(&p->door->work, &p->work);
}

static void pump_dgram(struct plug *p)
{
    dgram_to_stack(p->door, p);
    if (p->is_hup)
        plug_kill(p->door, p);
    else
        dgram_to_program(p->door, p);
}

void plane_pump(struct door *d, struct plug *p)
{
    (void)d;
    if (p->state == PLUG_DEAD)
        return;
    if (p->type == WEIR_DGRAM)
        pump_dgram(p);
    else if (p->state == PLUG_OPEN)
        pump_stream(p);
    else if (p->is_deferred)
        stream_undefer(p->door, p);
    if (p->state != PLUG_OPEN && p->state != PLUG_DEAD && p->is_hup && p->type == WEIR_STREAM)
        plug_kill(p->door, p);
}

void plane_open(struct door *d, struct plug *p)
{
    p->state = PLUG_OPEN;
    prefill_drain(p);
    plane_pump(d, p);
}

/* After a hang-up: did the program leave data unread? Then a connection is reset, as close() of a
 * kernel's TCP socket with unread data does [RFC 2525 2.17]. */
static bool is_reset(const struct plug *p)
{
    int err = 0;
    socklen_t n = sizeof(err);
    return getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 && err == ECONNRESET;
}

void plane_ready(void *plug, int fd, uint32_t events)
{
    struct plug *p = plug;
    if (p->fd != fd)
        return;
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        p->can_read = true;
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
        p->can_write = true;
    p->is_rdhup |= (events & EPOLLRDHUP) != 0;
    if ((events & EPOLLHUP) != 0 && !p->is_hup) {
        p->is_hup = true;
        if (p->state == PLUG_OPEN && p->type == WEIR_STREAM && is_reset(p)) {
            (void)weir_abort(p->door->w, now_of(p), file_sock(p->door->ft, p->file));
            plug_kill(p->door, p);
            return;
        }
    }
    plane_pump(p->door, p);
}

/* ---- news of the stack ---- */

static int take_error(struct plug *p)
{
    int err = 0;
    size_t n = sizeof(err);
    (void)file_getsockopt(p->door->ft, now_of(p), p->file, SOL_SOCKET, SO_ERROR, &err, &n);
    return err;
}

static void news_connecting(struct door *d, struct plug *p, uint32_t bits)
{
    /* WEIR_ERR alone: its error queue has something, and it goes on connecting. */
    if ((bits & WEIR_HUP) != 0) {
        int err = take_error(p);
        plug_break(d, p, err != 0 ? err : ECONNREFUSED);
    } else if ((bits & WEIR_CONNECTED) != 0) {
        plane_open(d, p);
    }
}

static void news_open(struct door *d, struct plug *p, uint32_t bits)
{
    if ((bits & WEIR_ERR) != 0 && !p->is_failing) {
        p->err = take_error(p);
        /* With IP_RECVERR an error is told, and the connection lives on. */
        p->is_failing = p->err != 0 && (bits & WEIR_HUP) != 0;
    }
    plane_pump(d, p);
}

void plane_news(struct door *d, struct plug *p, uint32_t bits)
{
    if (p->type == WEIR_DGRAM) {
        if ((bits & WEIR_ERR) != 0)
            dgram_error(d, p, take_error(p));
        plane_pump(d, p);
    } else if (p->state == PLUG_CONNECTING) {
        news_connecting(d, p, bits);
    } else if (p->state == PLUG_OPEN) {
        news_open(d, p, bits);
    } else if (p->state == PLUG_LISTEN) {
        plane_tokens(d, p, -1);
    }
}

void plane_tokens(struct door *d, struct plug *p, int copy)
{
    bool has_waiting = !list_is_empty(&p->orphans) ||
                       (weir_poll(d->w, file_sock(d->ft, p->file)) & WEIR_ACCEPT) != 0;
    if (has_waiting && copy < 0)
        (void)send(p->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (!has_waiting && copy >= 0 &&
           recv(copy, d->scratch, sizeof(d->scratch), MSG_DONTWAIT) > 0)
        continue;
}
