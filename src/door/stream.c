/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections: socket, connect, listen, accept, shutdown.
 *
 * connect. A program that does not wait must see its socket neither readable nor writable until the
 * handshake ends: its end of the pair is filled (plane_prefill) and drained then. A program that
 * waits sleeps in its call; the answer is sent when the handshake ends. Linux tells a finished
 * handshake once to whoever calls connect() next, then says EISCONN; is_connect_untold does that,
 * also for a connect() that a signal interrupted.
 *
 * accept. A connection is taken from the stack only for a thread that asks. If that thread is gone
 * when its connection comes (a signal, a full descriptor table), the connection becomes an orphan
 * of its listener and goes to the next who asks: none is lost, and each reaches exactly one.
 *
 * shutdown of a connection is the pair's own: what was written before is then read in order before
 * the end is (plane.c).
 *
 * Called by answer.c; calls file/, plug.c, plane.c.
 */
#include "door/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- socket ---- */

enum { TYPE_MASK = 0xf };

static int socket_kind(const struct ask *a, struct plug_kind *k)
{
    int type = (int)(uint32_t)a->arg[1];
    if ((type & ~(TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK)) != 0)
        return -EINVAL;
    *k = (struct plug_kind){.family = (int)(uint32_t)a->arg[0],
                            .type = type & TYPE_MASK,
                            .is_nonblock = (type & SOCK_NONBLOCK) != 0};
    return 0;
}

int64_t stream_socket(struct door *d, const struct ask *a)
{
    struct plug_kind kind;
    int program_end;
    int r = socket_kind(a, &kind);
    if (r < 0)
        return r;
    int file = file_socket(d->ft, kind.family, kind.type, (int)(uint32_t)a->arg[2]);
    if (file < 0) {
        report_refusal(d, "socket", kind.type, (int)(uint32_t)a->arg[2]);
        return file;
    }
    struct plug *p = plug_new(d, file, &kind, &program_end);
    if (p == NULL) {
        (void)file_close(d->ft, loop_now(d->loop), file);
        return -ENFILE;
    }
    r = ask_answer_fd(d, a, program_end, ((uint32_t)a->arg[1] & SOCK_CLOEXEC) != 0);
    (void)close(program_end);
    if (r < 0) {
        plug_forget(d, p);
        return r == -ENOENT ? ANSWER_LATER : r; /* a signal came first: it will ask again */
    }
    p->seen_tid = a->tid;
    p->seen_fd = r;
    return ANSWER_LATER;
}

/* ---- connect ---- */

/* connect() is done: the connection is open, or waits for what is written first. */
static void connected(struct door *d, struct plug *p)
{
    p->is_deferred = (weir_poll(d->w, file_sock(d->ft, p->file)) & WEIR_CONNECTED) == 0;
    if (p->is_deferred)
        p->state = PLUG_CONNECTING;
    else
        plane_open(d, p);
}

void stream_undefer(struct door *d, struct plug *p)
{
    ssize_t n = recv(p->fd, d->scratch, sizeof(d->scratch), MSG_DONTWAIT | MSG_PEEK);
    if (n <= 0)
        return;
    p->is_deferred = false;
    weir_sock s = file_sock(d->ft, p->file);
    int64_t r = weir_sendto(d->w, loop_now(d->loop), s, d->scratch, (size_t)n, 0, NULL);
    if (r > 0)
        (void)recv(p->fd, d->scratch, (size_t)r, MSG_DONTWAIT);
    else if (r < 0 && r != -EINPROGRESS && r != -EAGAIN)
        plug_break(d, p, (int)-r);
}

/* ---- connect and send in one ---- */

/* What the first send made of the socket: r as the call returns. */
static void opened(struct plug *p, int64_t r, int copy)
{
    struct door *d = p->door;
    bool is_under_way = r >= 0 || r == -EINPROGRESS || r == -EALREADY || r == -EAGAIN;
    if (p->state == PLUG_DEAD || p->state == PLUG_OPEN)
        return;
    if (!is_under_way) {
        p->state = PLUG_NEW;
    } else if ((weir_poll(d->w, file_sock(d->ft, p->file)) & WEIR_CONNECTED) != 0) {
        plane_open(d, p);
    } else {
        p->state = PLUG_CONNECTING;
        if (copy >= 0)
            plane_prefill(p, copy);
    }
}

int64_t stream_open_by(struct door *d, struct hand *h, struct wait *w)
{
    struct plug *p = h->plug;
    plane_discard(p);
    if (!w->call.is_nonblock) {
        p->state = PLUG_CONNECTING;
        wait_submit(d, w);
        return ANSWER_LATER;
    }
    (void)file_submit(d->ft, loop_now(d->loop), &w->call);
    int64_t r = w->call.result;
    free(w);
    opened(p, r, h->copy);
    return r;
}

int64_t stream_opened_by(struct wait *w)
{
    opened(w->plug, w->call.result, -1);
    return w->call.result;
}

static int64_t connect_start(struct door *d, struct hand *h, const struct weir_addr *to)
{
    struct plug *p = h->plug;
    struct wait *w = wait_new(h->ask, p, FILE_CONNECT, 0);
    if (w == NULL)
        return -ENOBUFS;
    bool is_stream = p->type == WEIR_STREAM;
    if (is_stream && p->state == PLUG_NEW)
        plane_discard(p);
    w->call.addr = *to;
    w->call.is_nonblock = !is_stream || hand_is_nonblock(h);
    if (!w->call.is_nonblock) {
        p->state = PLUG_CONNECTING;
        p->is_connect_untold = true;
        wait_submit(d, w);
        return ANSWER_LATER;
    }
    (void)file_submit(d->ft, loop_now(d->loop), &w->call);
    int64_t r = w->call.result;
    free(w);
    if (r == -EINPROGRESS && is_stream) {
        p->state = PLUG_CONNECTING;
        p->is_connect_untold = true;
        plane_prefill(p, h->copy);
    } else if (r == 0 && is_stream) {
        connected(d, p);
    } else if (r == 0) {
        p->has_peer = to->family != 0;
    }
    return r;
}

/* A second connect() on a stream, by the state it is in. 0: go on as with a new one. */
static int64_t connect_again(struct door *d, struct hand *h)
{
    struct plug *p = h->plug;
    bool was_untold = p->is_connect_untold;
    if (p->state == PLUG_LISTEN || p->is_deferred)
        return -EISCONN;
    if (p->state == PLUG_OPEN || p->state == PLUG_CLOSING) {
        p->is_connect_untold = false;
        return was_untold ? ANSWER_LATER : -EISCONN;
    }
    if (p->state != PLUG_DEAD)
        return p->state == PLUG_CONNECTING && hand_is_nonblock(h) ? -EALREADY : 0;
    p->is_connect_untold = false;
    int err = p->err != 0 ? p->err : was_untold ? ECONNABORTED : 0;
    p->err = 0;
    return err != 0 ? -err : plug_revive(d, h->ask, p, h->copy);
}

int64_t stream_connect(struct door *d, struct hand *h)
{
    struct plug *p = h->plug;
    struct weir_addr to;
    int r = name_read(h->ask, p, h->ask->arg[1], h->ask->arg[2], &to);
    if (r < 0)
        return r;
    if (p->type == WEIR_STREAM && to.family == 0) {
        report_refusal(d, "connect to no address (AF_UNSPEC)", p->type, p->state);
        return -EOPNOTSUPP;
    }
    if (p->type == WEIR_STREAM) {
        int64_t again = connect_again(d, h);
        if (again == ANSWER_LATER)
            return 0;
        if (again != 0)
            return again;
    }
    name_map(d, p, &to);
    return connect_start(d, h, &to);
}

int64_t stream_connected(struct door *d, struct wait *w)
{
    struct plug *p = w->plug;
    int64_t r = w->call.result;
    bool is_under_way = r == -EINPROGRESS || r == -EALREADY; /* SO_SNDTIMEO is over */
    p->is_connect_untold = true;
    if (r == 0 && p->state == PLUG_CONNECTING)
        connected(d, p);
    else if (r < 0 && !is_under_way && p->state == PLUG_CONNECTING)
        p->state = PLUG_NEW;
    if (ask_answer(d, &w->ask, r))
        p->is_connect_untold = is_under_way;
    else if (r < 0 && !is_under_way)
        p->err = (int)-r;
    return ANSWER_LATER;
}

/* ---- listen, accept ---- */

int64_t stream_listen(struct door *d, struct hand *h)
{
    struct plug *p = h->plug;
    if (p->type != WEIR_STREAM)
        return -EOPNOTSUPP;
    if (p->state != PLUG_NEW && p->state != PLUG_LISTEN)
        return -EINVAL;
    int r = file_listen(d->ft, p->file, (int)(uint32_t)h->ask->arg[1]);
    if (r == 0 && p->state == PLUG_NEW) {
        p->state = PLUG_LISTEN;
        plane_prefill(p, h->copy); /* a listening socket is never writable */
    }
    return r;
}

static void orphan_push(struct plug *listener, struct plug *conn, int program_end)
{
    conn->orphan_fd = program_end;
    list_push_back(&listener->orphans, &conn->orphan);
}

/* Flags and address of accept4; 0, or what to answer instead of the connection. */
static int accept_prepare(struct door *d, const struct ask *a, struct plug *conn, int program_end)
{
    uint32_t flags = a->nr == SYS_accept4 ? (uint32_t)a->arg[3] : 0;
    struct weir_addr peer = {.port = 0};
    (void)fcntl(program_end, F_SETFL, (flags & SOCK_NONBLOCK) != 0 ? O_NONBLOCK : 0);
    if (a->arg[1] == 0)
        return 0;
    (void)file_getpeername(d->ft, conn->file, &peer);
    return name_write(d, a, conn, &peer, &a->arg[1]);
}

/* Gives a connection to a thread in accept. program_end passes on. False: the thread was not there
 * or had no room, and the connection is an orphan again. */
static bool accept_hand_over(struct door *d, const struct ask *a, struct plug *listener,
                             struct plug *conn, int program_end)
{
    int r = accept_prepare(d, a, conn, program_end);
    if (r < 0 && r != -ESRCH) {
        (void)ask_answer(d, a, r); /* Linux closes the connection, too */
        (void)close(program_end);
        plug_forget(d, conn);
        return true;
    }
    bool is_cloexec = a->nr == SYS_accept4 && ((uint32_t)a->arg[3] & SOCK_CLOEXEC) != 0;
    r = ask_answer_fd(d, a, program_end, is_cloexec);
    if (r >= 0) {
        (void)close(program_end);
        conn->seen_tid = a->tid;
        conn->seen_fd = r;
        return true;
    }
    if (r != -ENOENT)
        (void)ask_answer(d, a, r);
    orphan_push(listener, conn, program_end);
    return false;
}

/* The oldest orphan, for whoever is asking. */
static bool accept_orphan(struct door *d, const struct ask *a, struct plug *listener)
{
    struct plug *conn = WEIR_CONTAINER(list_pop_front(&listener->orphans), struct plug, orphan);
    int program_end = conn->orphan_fd;
    conn->orphan_fd = -1;
    return accept_hand_over(d, a, listener, conn, program_end);
}

/* Orphans go to threads that are waiting, in the order they came. */
static void orphans_offer(struct door *d, struct plug *listener)
{
    while (!list_is_empty(&listener->orphans) && !list_is_empty(&listener->waits)) {
        struct wait *w = WEIR_CONTAINER(listener->waits.next, struct wait, by_plug);
        wait_cancel(d, w);
        (void)accept_orphan(d, &w->ask, listener);
        free(w);
    }
}

void stream_accepted(struct door *d, struct wait *w)
{
    struct plug *listener = w->plug;
    struct plug_kind kind = {.family = listener->family, .type = WEIR_STREAM};
    int program_end;
    if (w->call.result < 0) {
        (void)ask_answer(d, &w->ask, w->call.result);
        return;
    }
    int file = (int)w->call.result;
    struct plug *conn = plug_new(d, file, &kind, &program_end);
    if (conn == NULL) {
        (void)file_close(d->ft, loop_now(d->loop), file);
        (void)ask_answer(d, &w->ask, -ENFILE);
        return;
    }
    conn->state = PLUG_OPEN;
    bool is_given = accept_hand_over(d, &w->ask, listener, conn, program_end);
    if (!is_given) {
        orphans_offer(d, listener);
        plane_tokens(d, listener, -1);
    }
}

int64_t stream_accept(struct door *d, struct hand *h)
{
    struct plug *p = h->plug;
    uint32_t flags = h->ask->nr == SYS_accept4 ? (uint32_t)h->ask->arg[3] : 0;
    if (p->type != WEIR_STREAM)
        return -EOPNOTSUPP;
    if (p->state != PLUG_LISTEN || (flags & ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK)) != 0)
        return -EINVAL;
    if (!list_is_empty(&p->orphans)) {
        (void)accept_orphan(d, h->ask, p);
        plane_tokens(d, p, h->copy);
        return ANSWER_LATER;
    }
    struct wait *w = wait_new(h->ask, p, FILE_ACCEPT, 0);
    if (w == NULL)
        return -ENOBUFS;
    w->call.is_nonblock = hand_is_nonblock(h);
    wait_submit(d, w);
    plane_tokens(d, p, h->copy);
    return ANSWER_LATER;
}

/* ---- shutdown ---- */

int64_t stream_shutdown(struct door *d, struct hand *h)
{
    struct plug *p = h->plug;
    uint32_t how = (uint32_t)h->ask->arg[1];
    if (how > SHUT_RDWR)
        return -EINVAL;
    if (p->type == WEIR_DGRAM)
        return p->has_peer ? ANSWER_KERNEL : -ENOTCONN;
    if (p->state == PLUG_OPEN || p->state == PLUG_CLOSING)
        return ANSWER_KERNEL;
    if (p->state != PLUG_LISTEN || how == SHUT_WR)
        return -ENOTCONN;
    /* Whoever waits in accept is sent away, as Linux does. */
    int r = file_shutdown(d->ft, loop_now(d->loop), p->file, (int)how);
    while (r == 0 && !list_is_empty(&p->waits)) {
        struct wait *w = WEIR_CONTAINER(p->waits.next, struct wait, by_plug);
        wait_cancel(d, w);
        (void)ask_answer(d, &w->ask, -EINVAL);
        free(w);
    }
    return r;
}
