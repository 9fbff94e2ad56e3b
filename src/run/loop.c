/* SPDX-License-Identifier: Apache-2.0
 *
 * One shard, live. An iteration, top-down:
 *
 *     receive from every device → tick → hooks → transmit, reap, credit → sleep
 *
 * The sleep ends when a descriptor is ready, or when the stack, a device or a hook wants to be
 * called because of time. Time is read once an iteration and after each sleep; everything in
 * between sees the same `now`.
 *
 * Owns: the stack and its memory, the devices, the epoll set, the watchers. One thread.
 *
 * Calls weir.h, dev/netdev.h, and whoever registered. Descriptors of devices are in the same epoll
 * set: readiness there only wakes; devices are asked for packets in every iteration.
 */
#include "run/loop.h"

#include "pkt/pkt.h"
#include "stack/stack.h"

#include <weir/limit.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOP_DEVS = 4,
    LOOP_HOOKS = 8,
    LOOP_BURST = 64,
    LOOP_EPOLL = 64,
    LOOP_RX_ROUNDS = 8,
    LOOP_CATCH_UP_ROUNDS = 16
};

struct watcher {
    int fd;
    loop_fn fn;
    void *arg;
    struct watcher *next_dead;
    bool is_dead;
};

struct loop_dev {
    struct netdev *dev;
    unsigned nif;
    struct pkt *wait[LOOP_BURST]; /* given out by the stack, not yet taken by the device */
    unsigned n_wait;
    bool is_full; /* as the stack was told */
};

struct hook {
    loop_hook fn;
    loop_next next;
    void *arg;
};

struct loop {
    struct weir *w;
    void *mem;
    size_t n_mem;
    int ep;
    w_ns now;
    struct loop_dev dev[LOOP_DEVS];
    unsigned n_dev;
    struct hook hook[LOOP_HOOKS];
    unsigned n_hook;
    struct watcher **by_fd; /* index: descriptor */
    int n_fd;
    struct watcher *dead;                 /* removed during this iteration's events */
    struct epoll_event ready[LOOP_EPOLL]; /* the batch being handled; NULL: done */
    int n_ready;
};

w_ns loop_clock(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (w_ns)ts.tv_sec * W_S + (w_ns)ts.tv_nsec;
}

w_ns loop_now(const struct loop *l) { return l->now; }

struct weir *loop_weir(struct loop *l) { return l->w; }

static int loop_stack(struct loop *l, const struct weir_conf *conf, char *err, size_t n_err)
{
    uint64_t seed;
    l->n_mem = weir_size(conf);
    if (l->n_mem == 0) {
        snprintf(err, n_err, "these settings need more memory than can be addressed; lower n_*");
        return -EINVAL;
    }
    l->mem = mmap(NULL, l->n_mem, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (l->mem == MAP_FAILED) {
        l->mem = NULL;
        snprintf(err, n_err, "no memory for the stack (%zu MiB of address space)", l->n_mem >> 20);
        return -ENOMEM;
    }
    /* Connections lie far apart: with small pages each costs a walk of the page tables. */
    (void)madvise(l->mem, l->n_mem, MADV_HUGEPAGE);
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        snprintf(err, n_err, "the system gives no random numbers");
        return -EIO;
    }
    int r = weir_init(l->mem, l->n_mem, conf, seed, l->now, &l->w);
    if (r < 0)
        snprintf(err, n_err, "the stack does not start with these settings (error %d)", -r);
    return r;
}

struct loop *loop_new(const struct weir_conf *conf, char *err, size_t n_err)
{
    struct loop *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        snprintf(err, n_err, "no memory");
        return NULL;
    }
    l->now = loop_clock();
    l->ep = epoll_create1(EPOLL_CLOEXEC);
    if (l->ep < 0) {
        snprintf(err, n_err, "the system gives no epoll descriptor");
        free(l);
        return NULL;
    }
    if (loop_stack(l, conf, err, n_err) < 0) {
        (void)loop_free(l);
        return NULL;
    }
    return l;
}

static void loop_bury(struct loop *l)
{
    while (l->dead != NULL) {
        struct watcher *w = l->dead;
        l->dead = w->next_dead;
        free(w);
    }
}

unsigned loop_free(struct loop *l)
{
    unsigned leaked = 0;
    for (unsigned i = 0; i < l->n_dev; i++) {
        struct loop_dev *d = &l->dev[i];
        for (unsigned k = 0; k < d->n_wait; k++)
            pkt_free(d->wait[k]);
        netdev_close(d->dev);
    }
    if (l->w != NULL)
        leaked = weir_fini(l->w);
    if (l->mem != NULL)
        munmap(l->mem, l->n_mem);
    for (int fd = 0; fd < l->n_fd; fd++)
        free(l->by_fd[fd]);
    free(l->by_fd);
    loop_bury(l);
    close(l->ep);
    free(l);
    return leaked;
}

int loop_add_dev(struct loop *l, struct netdev *dev, const struct netdev_caps *caps,
                 const char *name, uint32_t nif_flags)
{
    struct weir_nif_conf nc = {.name = name,
                               .mtu = caps->mtu,
                               .gso_max = caps->gso_max,
                               .flags = nif_flags,
                               .rate_bps = caps->rate_bps};
    if (l->n_dev == LOOP_DEVS)
        return -ENOSPC;
    memcpy(nc.mac, caps->mac, sizeof(nc.mac));
    nc.flags |= (caps->flags & NETDEV_L3) != 0 ? (uint32_t)WEIR_NIF_L3 : 0;
    nc.flags |= (caps->flags & NETDEV_TX_CSUM) != 0 ? (uint32_t)WEIR_NIF_TX_CSUM : 0;
    const uint32_t tso = NETDEV_TSO4 | NETDEV_TSO6;
    nc.flags |= (caps->flags & tso) == tso ? (uint32_t)WEIR_NIF_TSO : 0;
    int nif = weir_nif_add(l->w, &nc);
    if (nif < 0)
        return nif;
    int fd = netdev_wait_fd(dev, 0);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    if (fd >= 0 && epoll_ctl(l->ep, EPOLL_CTL_ADD, fd, &ev) < 0)
        return -errno;
    /* A device may have read the clock since this loop last did; time never goes back. */
    l->now = loop_clock();
    l->dev[l->n_dev++] = (struct loop_dev){.dev = dev, .nif = (unsigned)nif};
    return nif;
}

static int by_fd_room(struct loop *l, int fd)
{
    if (fd < l->n_fd)
        return 0;
    int n = l->n_fd == 0 ? 64 : l->n_fd;
    while (n <= fd)
        n *= 2;
    struct watcher **v = realloc(l->by_fd, (size_t)n * sizeof(struct watcher *));
    if (v == NULL)
        return -ENOMEM;
    memset(v + l->n_fd, 0, (size_t)(n - l->n_fd) * sizeof(struct watcher *));
    l->by_fd = v;
    l->n_fd = n;
    return 0;
}

int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fn fn, void *arg)
{
    if (by_fd_room(l, fd) < 0)
        return -ENOMEM;
    struct watcher *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return -ENOMEM;
    *w = (struct watcher){.fd = fd, .fn = fn, .arg = arg};
    struct epoll_event ev = {.events = events, .data.ptr = w};
    if (epoll_ctl(l->ep, EPOLL_CTL_ADD, fd, &ev) < 0) {
        free(w);
        return -errno;
    }
    l->by_fd[fd] = w;
    return 0;
}

/* The watcher may stand in the batch of events being handled: it is marked, and buried when the
 * batch is over. */
void loop_del_fd(struct loop *l, int fd)
{
    if (fd < 0 || fd >= l->n_fd || l->by_fd[fd] == NULL)
        return;
    struct watcher *w = l->by_fd[fd];
    (void)epoll_ctl(l->ep, EPOLL_CTL_DEL, fd, NULL);
    l->by_fd[fd] = NULL;
    w->is_dead = true;
    w->next_dead = l->dead;
    l->dead = w;
}

int loop_add_hook(struct loop *l, loop_hook fn, loop_next next, void *arg)
{
    if (l->n_hook == LOOP_HOOKS)
        return -ENOSPC;
    l->hook[l->n_hook++] = (struct hook){fn, next, arg};
    return 0;
}

static void dev_reap(struct loop *l, struct loop_dev *d)
{
    struct pkt *v[LOOP_BURST];
    unsigned n;
    while ((n = netdev_reap(d->dev, 0, l->now, v, LOOP_BURST)) != 0)
        weir_sent(l->w, l->now, v, n);
}

static void dev_receive(struct loop *l, struct loop_dev *d)
{
    struct pkt *v[LOOP_BURST];
    for (int round = 0; round < LOOP_RX_ROUNDS; round++) {
        unsigned n = netdev_rx(d->dev, 0, l->now, v, LOOP_BURST);
        if (n != 0)
            weir_rx(l->w, l->now, d->nif, v, n);
        if (n < LOOP_BURST)
            break;
    }
    /* What a device was done with since: whoever waited for that room sends in this turn. */
    dev_reap(l, d);
}

/* Until the stack has nothing more or the device takes nothing more. First of all what a device
 * has finished since: the connection that sent it may be waiting for the credit. */
static void dev_transmit(struct loop *l, struct loop_dev *d)
{
    dev_reap(l, d);
    for (;;) {
        if (d->n_wait == 0)
            d->n_wait = weir_tx(l->w, l->now, d->nif, d->wait, LOOP_BURST);
        if (d->n_wait == 0)
            break;
        unsigned n = netdev_tx(d->dev, 0, l->now, d->wait, d->n_wait);
        memmove(d->wait, d->wait + n, (d->n_wait - n) * sizeof(d->wait[0]));
        d->n_wait -= n;
        if (d->is_full != (d->n_wait != 0)) {
            d->is_full = d->n_wait != 0;
            weir_device_full(l->w, l->now, d->nif, d->is_full);
        }
        dev_reap(l, d);
        if (d->n_wait != 0)
            break;
    }
}

static w_ns loop_next_time(struct loop *l)
{
    bool is_blocked = false;
    w_ns next = WEIR_NEVER;
    for (unsigned i = 0; i < l->n_dev; i++) {
        is_blocked = is_blocked || l->dev[i].n_wait != 0;
        next = w_u64_min(next, netdev_next(l->dev[i].dev, 0));
    }
    /* With a full device what waits above it is no reason to wake; the device will say when. */
    w_ns stack = weir_next(l->w);
    if (!is_blocked || stack > l->now)
        next = w_u64_min(next, stack);
    for (unsigned i = 0; i < l->n_hook; i++)
        if (l->hook[i].next != NULL)
            next = w_u64_min(next, l->hook[i].next(l->hook[i].arg));
    return next;
}

/* Each entry is taken before it is handled: a callback may come here again (loop_catch_up). */
static void loop_dispatch(struct loop *l, loop_fn except)
{
    for (int i = 0; i < l->n_ready; i++) {
        struct watcher *w = l->ready[i].data.ptr;
        if (w == NULL || w->is_dead || w->fn == except)
            continue;
        l->ready[i].data.ptr = NULL;
        w->fn(w->arg, w->fd, l->ready[i].events);
    }
}

static void loop_sleep(struct loop *l, w_ns until)
{
    w_ns now = loop_clock();
    struct timespec ts = {0}, *tsp = &ts;
    if (until == WEIR_NEVER) {
        tsp = NULL;
    } else if (until > now) {
        ts.tv_sec = (time_t)((until - now) / W_S);
        ts.tv_nsec = (long)((until - now) % W_S);
    }
    l->n_ready = epoll_pwait2(l->ep, l->ready, LOOP_EPOLL, tsp, NULL);
    l->now = loop_clock();
    loop_dispatch(l, NULL);
    loop_bury(l);
}

/* What the callback's own batch still holds, then what has become ready since. Entries of `except`
 * are level-triggered and come again. The dead are buried when the whole batch is over. */
void loop_catch_up(struct loop *l, loop_fn except)
{
    loop_dispatch(l, except);
    for (int round = 0; round < LOOP_CATCH_UP_ROUNDS; round++) {
        l->n_ready = epoll_wait(l->ep, l->ready, LOOP_EPOLL, 0);
        loop_dispatch(l, except);
        if (l->n_ready < LOOP_EPOLL)
            break;
    }
    l->n_ready = 0;
}

void loop_once(struct loop *l, w_ns until)
{
    for (unsigned i = 0; i < l->n_dev; i++)
        dev_receive(l, &l->dev[i]);
    weir_tick(l->w, l->now);
    for (unsigned i = 0; i < l->n_hook; i++)
        l->hook[i].fn(l->hook[i].arg, l->now);
    weir_tick(l->w, l->now);
    for (unsigned i = 0; i < l->n_dev; i++)
        dev_transmit(l, &l->dev[i]);
    loop_sleep(l, w_u64_min(until, loop_next_time(l)));
}
