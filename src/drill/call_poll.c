/* SPDX-License-Identifier: Apache-2.0
 *
 * poll and epoll.
 *
 * Readiness is state that the stack keeps (host_poll); level triggering reports it, and edge
 * triggering reports it once for each time the file table says that something happened to the
 * socket since. So a watch is a mask and one bit: has_edge. Adding or changing a watch counts as
 * something that happened, as in Linux.
 *
 * These calls wait here, not in the file table: after every step of the host call_continue() asks
 * retry_*() again, which answers when something is ready or the time-out has passed.
 *
 * Called through call.c's table. Owns the watches in struct fd of kind FD_EPOLL.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>

#include "drill/run.h"

enum { POLL_BITS = 0x201f /* IN PRI OUT ERR HUP RDHUP */, ALWAYS = EPOLLERR | EPOLLHUP };

static uint32_t ready(struct run *r, const struct fd *f)
{
    return f != NULL && f->kind == FD_SOCK ? host_poll(r->host, f->file) & POLL_BITS : 0;
}

static void set_deadline(struct run *r, struct pending *x, int64_t timeout_ms)
{
    x->deadline = timeout_ms < 0 ? W_NEVER : host_now(r->host) + (w_ns)timeout_ms * W_MS;
}

/* ---- poll ---- */

static bool poll_item(struct run *r, const struct expr *e, struct fd **f, uint32_t *bits)
{
    const struct expr *num = arg_field(e, "fd"), *events = arg_field(e, "events");
    int64_t v = 0, want = 0;
    if (num == NULL || events == NULL)
        return run_fail(r, "expected {fd=, events=, revents=}");
    if (!arg_int(r, num, &v) || !arg_int(r, events, &want))
        return false;
    *f = fd_of(r, v);
    *bits = ready(r, *f) & ((uint32_t)want | ALWAYS);
    return true;
}

static enum call_status retry_poll(struct run *r, struct pending *x)
{
    unsigned n = 0;
    for (const struct expr *e = x->arg[0]->kids; e != NULL; e = e->next) {
        struct fd *f = NULL;
        uint32_t bits = 0;
        if (!poll_item(r, e, &f, &bits))
            return CALL_BAD;
        n += bits != 0;
    }
    if (n == 0 && host_now(r->host) < x->deadline)
        return CALL_PARKED;
    return call_answer(x, n);
}

static enum call_status begin_poll(struct run *r, struct pending *x)
{
    int64_t timeout = 0;
    if (x->arg[0]->kind != EX_LIST) {
        run_fail(r, "expected [{fd=, events=, revents=}, …]");
        return CALL_BAD;
    }
    if (!arg_int(r, x->arg[2], &timeout))
        return CALL_BAD;
    set_deadline(r, x, timeout);
    return retry_poll(r, x);
}

static bool finish_poll(struct run *r, struct pending *x)
{
    for (const struct expr *e = x->arg[0]->kids; e != NULL; e = e->next) {
        const struct expr *revents = arg_field(e, "revents");
        struct fd *f = NULL;
        uint32_t bits = 0;
        int64_t want = 0;
        if (revents == NULL)
            continue;
        if (!arg_int(r, revents, &want) || !poll_item(r, e, &f, &bits))
            return false;
        if (bits != (uint32_t)want)
            return run_fail(
                r, "poll gave revents 0x%" PRIx32 " instead of 0x%" PRIx64 " for descriptor %d",
                bits, (uint64_t)want, f != NULL ? f->num : -1);
    }
    return true;
}

/* ---- epoll ---- */

static enum call_status begin_epoll_create(struct run *r, struct pending *x)
{
    struct fd *f = fd_new(r, x, FD_EPOLL);
    return f != NULL ? call_answer(x, f->num) : CALL_BAD;
}

static struct watch *watch_of(struct fd *ep, int fd, bool makes)
{
    for (unsigned i = 0; i < EPOLL_WATCHES; i++)
        if (ep->watch[i].is_used && ep->watch[i].fd == fd)
            return &ep->watch[i];
    for (unsigned i = 0; makes && i < EPOLL_WATCHES; i++)
        if (!ep->watch[i].is_used)
            return &ep->watch[i];
    return NULL;
}

/* events and data of {events=…, fd=… or ptr=… or u32=… or u64=…} */
static bool take_event(struct run *r, const struct expr *e, int64_t *events, int64_t *data)
{
    static const char *const names[] = {"fd", "ptr", "u32", "u64"};
    const struct expr *f = arg_field(e, "events"), *d = NULL;
    *events = *data = 0;
    if (e->kind != EX_STRUCT || f == NULL)
        return run_fail(r, "expected {events=, fd=}");
    for (unsigned i = 0; i < WEIR_COUNT(names) && d == NULL; i++)
        d = arg_field(e, names[i]);
    return arg_int(r, f, events) && (d == NULL || arg_int(r, d, data));
}

static enum call_status begin_epoll_ctl(struct run *r, struct pending *x)
{
    int64_t op = 0, num = 0, events = 0, data = 0;
    if (!arg_fd(r, x, 0, FD_EPOLL) || !arg_int(r, x->arg[1], &op) || !arg_int(r, x->arg[2], &num))
        return CALL_BAD;
    struct fd *f = fd_of(r, num);
    struct watch *w = watch_of(x->fd, (int)num, op == EPOLL_CTL_ADD);
    if (f == NULL || f->kind != FD_SOCK)
        return call_answer(x, f == NULL ? -EBADF : -EPERM);
    if (w == NULL || w->is_used != (op != EPOLL_CTL_ADD))
        return call_answer(x, op == EPOLL_CTL_ADD ? -EEXIST : -ENOENT);
    if (op == EPOLL_CTL_DEL) {
        w->is_used = false;
        return call_answer(x, 0);
    }
    if (!take_event(r, x->arg[3], &events, &data))
        return CALL_BAD;
    *w = (struct watch){.is_used = true,
                        .fd = (int)num,
                        .events = (uint32_t)events,
                        .data = (uint64_t)data,
                        .has_edge = true};
    file_set_user(host_files(r->host), f->file, f);
    return call_answer(x, 0);
}

/* News of the file table to the watches it concerns. */
static void take_edges(struct run *r)
{
    uint32_t bits = 0;
    for (struct fd *f = file_event_pop(host_files(r->host), &bits); f != NULL;
         f = file_event_pop(host_files(r->host), &bits))
        for (unsigned i = 0; i < RUN_FDS; i++) {
            struct watch *w =
                r->fds[i].kind == FD_EPOLL ? watch_of(&r->fds[i], f->num, false) : NULL;
            if (w != NULL)
                w->has_edge = true;
        }
}

static uint32_t watch_ready(struct run *r, const struct watch *w)
{
    bool is_edge = (w->events & EPOLLET) != 0;
    if (!w->is_used || w->is_disarmed || (is_edge && !w->has_edge))
        return 0;
    return ready(r, fd_of(r, w->fd)) & (w->events | ALWAYS);
}

static enum call_status retry_epoll(struct run *r, struct pending *x)
{
    int64_t n = 0, max = 0;
    take_edges(r);
    if (!arg_int(r, x->arg[2], &max))
        return CALL_BAD;
    for (unsigned i = 0; i < EPOLL_WATCHES; i++)
        n += watch_ready(r, &x->fd->watch[i]) != 0;
    if (n == 0 && host_now(r->host) < x->deadline)
        return CALL_PARKED;
    return call_answer(x, n < max ? n : max);
}

static enum call_status begin_epoll_wait(struct run *r, struct pending *x)
{
    int64_t timeout = 0;
    if (!arg_fd(r, x, 0, FD_EPOLL) || !arg_int(r, x->arg[3], &timeout))
        return CALL_BAD;
    set_deadline(r, x, timeout);
    return retry_epoll(r, x);
}

/* Reports the ready watches in order, and compares them with what the script lists. */
static bool finish_epoll_wait(struct run *r, struct pending *x)
{
    const struct expr *e = x->arg[1]->kind == EX_LIST ? x->arg[1]->kids : x->arg[1];
    int64_t left = x->result;
    for (unsigned i = 0; i < EPOLL_WATCHES && left > 0; i++) {
        struct watch *w = &x->fd->watch[i];
        uint32_t bits = watch_ready(r, w);
        int64_t events = 0, data = 0;
        if (bits == 0)
            continue;
        left--;
        w->has_edge = false;
        w->is_disarmed = (w->events & EPOLLONESHOT) != 0;
        if (e == NULL || e->kind == EX_DOTS)
            continue;
        if (!take_event(r, e, &events, &data))
            return false;
        if (bits != (uint32_t)events || (uint64_t)data != w->data)
            return run_fail(r,
                            "epoll_wait gave events 0x%" PRIx32 " of %" PRIu64
                            " instead of 0x%" PRIx64 " of %" PRId64,
                            bits, w->data, (uint64_t)events, data);
        e = x->arg[1]->kind == EX_LIST ? e->next : NULL;
    }
    return true;
}

const struct call_def calls_poll[] = {
    {"poll", 3, 3, begin_poll, finish_poll, retry_poll},
    {"epoll_create", 1, 1, begin_epoll_create, NULL, NULL},
    {"epoll_create1", 1, 1, begin_epoll_create, NULL, NULL},
    {"epoll_ctl", 4, 4, begin_epoll_ctl, NULL, NULL},
    {"epoll_wait", 4, 4, begin_epoll_wait, finish_epoll_wait, retry_epoll},
    {0},
};
