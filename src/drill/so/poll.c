/* SPDX-License-Identifier: Apache-2.0
 *
 * packetdrill's poll and epoll.
 *
 * Readiness is state that the stack keeps; level triggering reports it, edge triggering reports it
 * once for each time the file table has news of the socket. So a watch is what was asked for and
 * one bit, has_edge. Adding or changing a watch counts as news, as in Linux. Both calls wait until
 * there is something to report, or their time is over.
 *
 * Called by the tool through the table, adapter_take_edges() by clock.c. Owns the watches.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drill/so/adapter.h"

enum { POLL_BITS = 0x201f /* IN PRI OUT ERR HUP RDHUP */ };

#define ALWAYS ((uint32_t)(POLLERR | POLLHUP))

static uint32_t ready(struct adapter *a, int fd)
{
    const struct handle *h = adapter_socket(a, fd);
    return h != NULL ? host_poll(a->host, h->file) & POLL_BITS : 0;
}

static w_ns deadline(struct adapter *a, int timeout_ms)
{
    return timeout_ms < 0 ? W_NEVER : host_now(a->host) + (w_ns)timeout_ms * W_MS;
}

/* ---- poll --------------------------------------------------------------------------------- */

struct poll_set {
    struct pollfd *v;
    nfds_t n;
};

static short poll_one(struct adapter *a, const struct pollfd *p)
{
    if (p->fd < 0)
        return 0;
    if (adapter_socket(a, p->fd) == NULL)
        return POLLNVAL;
    return (short)(ready(a, p->fd) & ((uint16_t)p->events | ALWAYS));
}

static bool poll_test(struct adapter *a, void *arg)
{
    const struct poll_set *s = arg;
    for (nfds_t i = 0; i < s->n; i++) {
        if (poll_one(a, &s->v[i]) != 0)
            return true;
    }
    return false;
}

static int so_poll(void *userdata, struct pollfd *v, nfds_t n, int timeout_ms)
{
    struct adapter *a = adapter_enter(userdata);
    struct poll_set set = {v, n};
    struct waiter w = {.test = poll_test, .arg = &set, .deadline = deadline(a, timeout_ms)};
    int64_t r = 0;
    if (!poll_test(a, &set) && timeout_ms != 0 && !adapter_wait(a, &w))
        r = -EDEADLK;
    for (nfds_t i = 0; r >= 0 && i < n; i++) {
        v[i].revents = poll_one(a, &v[i]);
        r += v[i].revents != 0;
    }
    return (int)adapter_leave(a, r);
}

/* ---- epoll -------------------------------------------------------------------------------- */

static int so_epoll_create(void *userdata, int size)
{
    struct adapter *a = adapter_enter(userdata);
    struct handle h = {.kind = HANDLE_EPOLL};
    int64_t r = size > 0 ? 0 : -EINVAL;
    if (r == 0) {
        h.watch = calloc(ADAPTER_WATCHES, sizeof(*h.watch));
        r = h.watch != NULL ? adapter_new_handle(a, &h) : -ENOMEM;
    }
    if (r < 0)
        free(h.watch);
    return (int)adapter_leave(a, r);
}

/* The watch of this descriptor, or with `makes` one to be used. */
static struct watch *watch_of(const struct handle *ep, int fd, bool makes)
{
    for (unsigned i = 0; i < ADAPTER_WATCHES; i++) {
        if (ep->watch[i].is_used && ep->watch[i].fd == fd)
            return &ep->watch[i];
    }
    for (unsigned i = 0; makes && i < ADAPTER_WATCHES; i++) {
        if (!ep->watch[i].is_used)
            return &ep->watch[i];
    }
    return NULL;
}

static int64_t change_watch(struct adapter *a, const struct handle *ep, int op, int fd,
                            const struct epoll_event *e)
{
    if (adapter_socket(a, fd) == NULL)
        return adapter_epoll(a, fd) != NULL ? -EINVAL : -EBADF;
    if (e == NULL && op != EPOLL_CTL_DEL)
        return -EFAULT;
    struct watch *w = watch_of(ep, fd, op == EPOLL_CTL_ADD);
    if (w == NULL)
        return op == EPOLL_CTL_ADD ? -ENOSPC : -ENOENT;
    if (op == EPOLL_CTL_ADD && w->is_used)
        return -EEXIST;
    /* What [epoll_ctl(2)] says of EPOLLEXCLUSIVE: not to be changed later. */
    if (op == EPOLL_CTL_MOD && ((e->events | w->want.events) & EPOLLEXCLUSIVE) != 0)
        return -EINVAL;
    if (op == EPOLL_CTL_DEL)
        w->is_used = false;
    else
        *w = (struct watch){.is_used = true, .fd = fd, .want = *e, .has_edge = true};
    return 0;
}

static int so_epoll_ctl(void *userdata, int epfd, int op, int fd, struct epoll_event *e)
{
    struct adapter *a = adapter_enter(userdata);
    const struct handle *ep = adapter_epoll(a, epfd);
    bool is_op = op == EPOLL_CTL_ADD || op == EPOLL_CTL_MOD || op == EPOLL_CTL_DEL;
    int64_t r = ep == NULL || !is_op ? -EINVAL : change_watch(a, ep, op, fd, e);
    return (int)adapter_leave(a, r);
}

void adapter_take_edges(struct adapter *a)
{
    uint32_t bits;
    struct handle *h;
    while ((h = file_event_pop(host_files(a->host), &bits)) != NULL) {
        for (unsigned i = 0; i < ADAPTER_FDS; i++) {
            struct watch *w =
                a->handle[i].watch != NULL ? watch_of(&a->handle[i], h->fd, false) : NULL;
            if (w != NULL)
                w->has_edge = true;
        }
    }
}

static uint32_t watch_ready(struct adapter *a, const struct watch *w)
{
    bool is_edge = (w->want.events & EPOLLET) != 0;
    if (!w->is_used || w->is_disarmed || (is_edge && !w->has_edge))
        return 0;
    return ready(a, w->fd) & (w->want.events | ALWAYS);
}

static bool epoll_test(struct adapter *a, void *arg)
{
    const struct handle *ep = arg;
    for (unsigned i = 0; i < ADAPTER_WATCHES; i++) {
        if (watch_ready(a, &ep->watch[i]) != 0)
            return true;
    }
    return false;
}

static int64_t report(struct adapter *a, const struct handle *ep, struct epoll_event *v, int max)
{
    int n = 0;
    for (unsigned i = 0; i < ADAPTER_WATCHES && n < max; i++) {
        struct watch *w = &ep->watch[i];
        uint32_t bits = watch_ready(a, w);
        if (bits == 0)
            continue;
        v[n++] = (struct epoll_event){.events = bits, .data = w->want.data};
        w->has_edge = false;
        w->is_disarmed = (w->want.events & EPOLLONESHOT) != 0;
    }
    return n;
}

static int so_epoll_wait(void *userdata, int epfd, struct epoll_event *v, int max, int timeout_ms)
{
    struct adapter *a = adapter_enter(userdata);
    struct handle *ep = adapter_epoll(a, epfd);
    struct waiter w = {.test = epoll_test, .arg = ep, .deadline = deadline(a, timeout_ms)};
    int64_t r = ep == NULL || max <= 0 ? -EINVAL : 0;
    if (r == 0 && !epoll_test(a, ep) && timeout_ms != 0 && !adapter_wait(a, &w))
        r = -EDEADLK;
    if (r == 0)
        r = report(a, ep, v, max);
    return (int)adapter_leave(a, r);
}

void adapter_fill_poll(struct packetdrill_interface *t)
{
    t->poll = so_poll;
    t->epoll_create = so_epoll_create;
    t->epoll_ctl = so_epoll_ctl;
    t->epoll_wait = so_epoll_wait;
}
