/* SPDX-License-Identifier: Apache-2.0
 *
 * Driving libslirp: its sockets mirrored into one epoll descriptor, its clock, its frames.
 *
 * Theory of operation. libslirp expects to live in a poll loop: before sleeping it names every
 * socket and what it waits for (fill), after it it is told what happened (poll). Naming is cheap
 * and done after every round; telling the kernel is not, so only differences reach the inner epoll
 * descriptor, and that one descriptor is what the outer loop sleeps on. Every round is
 *
 *     collect ready sockets → slirp_pollfds_poll → slirp_pollfds_fill → differences to epoll
 *
 * What libslirp does that one must know:
 * - A descriptor it closes may live on in a forked child, and would stay in an epoll set; so it is
 *   taken out in unregister_poll_fd, before the close.
 * - Its clock only advances in poll. A session made right after a long sleep would count its life
 *   from before the sleep and end at once, so a stale clock is advanced before input.
 * - It asks to be called twice a second as long as any connection exists, for retransmission
 *   timers, which it counts in these ticks. Where the wire to our stack loses nothing they are
 *   spread further and further apart when nothing at all has happened for a while: idle connections
 *   cost no wake-ups to speak of. Over an emulated link or a NIC (can_lose) they are not: a FIN
 *   that is lost twice would be repeated after minutes.
 * - It retransmits slowly and gives up on a guest that does not take frames. So no frame is refused
 *   for want of stack memory: it is held, and meanwhile no more is read from the sockets.
 * - A socket whose peer is gone raises SIGPIPE; user.c sees to that.
 *
 * Owns the tables in struct user. Called by user.c; libslirp calls back into this file only.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "backend/user.h"

enum {
    FILL_NOTHING = 1000, /* what fill says when no timer runs */
    FILL_SLOW = 400,     /* at least this: the half-second tick, not the delayed-ACK one */
    QUIET_TICKS = 8,     /* ticks at full speed before they are spread */
    QUIET_SHIFT_MAX = 7, /* … up to 64 s */
    STALE_NS = 200000000,
};

/* ---- frames ------------------------------------------------------------------------------- */

static bool deliver(struct user *u, const void *bytes, size_t n)
{
    struct pkt *p = pkt_from_bytes(u->dev.mem, bytes, n);
    if (p == NULL)
        return false;
    if (netdev_has(&u->dev, NETDEV_RX_CSUM))
        p->csum = CSUM_GOOD; /* libslirp computed it in this process */
    p->when = u->now;
    pktq_push(&u->in, p);
    return true;
}

static void hold(struct user *u, const void *bytes, size_t n)
{
    struct user_held *h = u->held_bytes + n <= USER_BACKLOG ? malloc(sizeof *h + n) : NULL;
    if (h == NULL) {
        u->dev.stats.rx_dropped++;
        return;
    }
    h->next = NULL;
    h->n = n;
    memcpy(h->bytes, bytes, n);
    *u->held_last = h;
    u->held_last = &h->next;
    u->held_bytes += n;
}

void user_release_held(struct user *u)
{
    while (u->held_first != NULL) {
        struct user_held *h = u->held_first;
        if (!deliver(u, h->bytes, h->n)) {
            u->dev.stats.rx_nomem++;
            break;
        }
        u->held_first = h->next;
        if (u->held_first == NULL)
            u->held_last = &u->held_first;
        u->held_bytes -= h->n;
        free(h);
    }
}

static ssize_t on_frame(const void *bytes, size_t n, void *arg)
{
    struct user *u = arg;
    u->is_active = true;
    if (u->held_first != NULL || !deliver(u, bytes, n))
        hold(u, bytes, n);
    return (ssize_t)n;
}

/* ---- timers and the rest ------------------------------------------------------------------ */

static int64_t on_clock(void *arg) { return (int64_t)((struct user *)arg)->now; }

static void on_guest_error(const char *text, void *arg)
{
    (void)text;
    ((struct user *)arg)->guest_errors++;
}

static void *on_timer_new(SlirpTimerId id, void *timer_arg, void *arg)
{
    struct user *u = arg;
    for (unsigned i = 0; i < USER_TIMERS; i++) {
        if (!u->timer[i].is_used) {
            u->timer[i] = (struct user_timer){id, timer_arg, W_NEVER, true};
            return &u->timer[i];
        }
    }
    return NULL;
}

static void on_timer_free(void *timer, void *arg)
{
    (void)arg;
    if (timer != NULL)
        *(struct user_timer *)timer = (struct user_timer){0};
}

static void on_timer_mod(void *timer, int64_t at_ms, void *arg)
{
    struct user_timer *t = timer;
    (void)arg;
    /* Every few seconds an advertisement that nobody here listens to: the stack has its addresses
     * from us, and an idle network is to be asleep. */
    if (t != NULL && t->id != SLIRP_TIMER_RA)
        t->at = (w_ns)at_ms * W_MS;
}

static void on_notify(void *arg) { ((struct user *)arg)->is_dirty = true; }

static void run_timers(struct user *u)
{
    for (unsigned i = 0; i < USER_TIMERS; i++) {
        struct user_timer *t = &u->timer[i];
        if (t->is_used && t->at <= u->now) {
            t->at = W_NEVER;
            slirp_handle_timer(u->slirp, t->id, t->arg);
        }
    }
}

static w_ns first_timer(const struct user *u)
{
    w_ns at = W_NEVER;
    for (unsigned i = 0; i < USER_TIMERS; i++) {
        if (u->timer[i].is_used)
            at = w_u64_min(at, u->timer[i].at);
    }
    return at;
}

/* ---- the mirror --------------------------------------------------------------------------- */

static const struct {
    int slirp;
    uint32_t epoll;
} events[] = {
    {SLIRP_POLL_IN, EPOLLIN},   {SLIRP_POLL_OUT, EPOLLOUT}, {SLIRP_POLL_PRI, EPOLLPRI},
    {SLIRP_POLL_ERR, EPOLLERR}, {SLIRP_POLL_HUP, EPOLLHUP},
};

static uint32_t to_epoll(int mask)
{
    uint32_t e = 0;
    for (unsigned i = 0; i < WEIR_COUNT(events); i++)
        e |= (mask & events[i].slirp) != 0 ? events[i].epoll : 0;
    return e;
}

static int to_slirp(uint32_t mask)
{
    int e = 0;
    for (unsigned i = 0; i < WEIR_COUNT(events); i++)
        e |= (mask & events[i].epoll) != 0 ? events[i].slirp : 0;
    return e;
}

/* The array with room for `want` elements, the new ones zero; NULL: no memory, array unchanged. */
static void *grown(void *array, int have, int want, size_t size)
{
    uint8_t *bigger = realloc(array, (size_t)want * size);
    if (bigger != NULL)
        memset(bigger + (size_t)have * size, 0, (size_t)(want - have) * size);
    return bigger;
}

static bool has_watch(struct user *u, int fd)
{
    if (fd < u->n_watch)
        return true;
    int want = (fd + 64) * 2;
    struct user_watch *w = grown(u->watch, u->n_watch, want, sizeof *w);
    if (w == NULL)
        return false;
    u->watch = w;
    u->n_watch = want;
    return true;
}

/* Both lists of descriptors have room for index i. */
static bool has_polled(struct user *u, int i)
{
    if (i < u->cap_polled)
        return true;
    int want = (i + 64) * 2;
    int *before = grown(u->before, u->cap_polled, want, sizeof *before);
    if (before == NULL)
        return false;
    u->before = before;
    int *polled = grown(u->polled, u->cap_polled, want, sizeof *polled);
    if (polled == NULL)
        return false;
    u->polled = polled;
    u->cap_polled = want;
    return true;
}

static int on_add_poll(int fd, int mask, void *arg)
{
    struct user *u = arg;
    if (!has_watch(u, fd) || !has_polled(u, u->n_polled))
        return -1; /* not watched this round */
    struct user_watch *w = &u->watch[fd];
    if (w->round != u->round)
        w->want = 0;
    w->round = u->round;
    w->want |= to_epoll(mask);
    u->polled[u->n_polled] = fd;
    return u->n_polled++;
}

static void on_unregister(int fd, void *arg)
{
    struct user *u = arg;
    if (fd < 0 || fd >= u->n_watch)
        return;
    if (u->watch[fd].have != 0)
        (void)epoll_ctl(u->ep, EPOLL_CTL_DEL, fd, NULL);
    u->watch[fd] = (struct user_watch){0};
}

static void on_register(int fd, void *arg)
{
    (void)fd;
    (void)arg;
}

static void tell_kernel(struct user *u, int fd)
{
    struct user_watch *w = &u->watch[fd];
    struct epoll_event ev = {.events = w->want, .data.fd = fd};
    if (w->have == w->want)
        return;
    int e = epoll_ctl(u->ep, w->have != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev);
    if (e != 0 && errno == EEXIST)
        e = epoll_ctl(u->ep, EPOLL_CTL_MOD, fd, &ev);
    else if (e != 0 && errno == ENOENT)
        e = epoll_ctl(u->ep, EPOLL_CTL_ADD, fd, &ev);
    w->have = e == 0 ? w->want : 0;
}

/* libslirp names its sockets; what changed since the last round goes to the kernel. Returns how
 * long it wants to sleep at most, in ms. */
static uint32_t fill(struct user *u)
{
    int *swap = u->before;
    u->before = u->polled;
    u->polled = swap;
    u->n_before = u->n_polled;
    u->n_polled = 0;
    u->round++;
    uint32_t timeout_ms = UINT32_MAX;
    slirp_pollfds_fill(u->slirp, &timeout_ms, on_add_poll, u);
    for (int i = 0; i < u->n_before; i++) {
        int fd = u->before[i];
        if (u->watch[fd].round != u->round && u->watch[fd].have != 0)
            on_unregister(fd, u);
    }
    for (int i = 0; i < u->n_polled; i++)
        tell_kernel(u, u->polled[i]);
    return timeout_ms;
}

/* ---- a round ------------------------------------------------------------------------------ */

/* Ready sockets, noted in the table; how many. */
static int collect(struct user *u, struct epoll_event *ev)
{
    int n = epoll_wait(u->ep, ev, USER_EVENTS, 0);
    for (int i = 0; i < n; i++)
        u->watch[ev[i].data.fd].ready = ev[i].events;
    return n < 0 ? 0 : n;
}

/* libslirp asks what happened to its socket number i. With enough on its way to the stack nothing
 * more is to be read: the kernel will report it again, and the next round starts here. */
static int on_get_revents(int i, void *arg)
{
    struct user *u = arg;
    if (i < 0 || i >= u->n_polled)
        return 0;
    const struct user_watch *w = &u->watch[u->polled[i]];
    uint32_t ready = w->ready & (w->want | EPOLLERR | EPOLLHUP);
    if ((ready & ~(uint32_t)EPOLLOUT) == 0)
        return to_slirp(ready);
    if (i < u->turn)
        return to_slirp(ready & EPOLLOUT);
    if (user_waiting(u) < USER_RX_SOFT)
        return to_slirp(ready);
    if (u->next_turn == 0)
        u->next_turn = i;
    return to_slirp(ready & EPOLLOUT);
}

static int on_nothing_ready(int i, void *arg)
{
    (void)i;
    (void)arg;
    return 0;
}

/* When to look around again, from what fill answered. */
static w_ns plan(struct user *u, uint32_t timeout_ms)
{
    if (timeout_ms >= FILL_NOTHING)
        return first_timer(u);
    w_ns pause = (w_ns)timeout_ms * W_MS;
    if (timeout_ms >= FILL_SLOW && !u->can_lose) {
        unsigned extra = u->n_quiet > QUIET_TICKS ? u->n_quiet - QUIET_TICKS : 0;
        pause <<= w_u32_min(extra, QUIET_SHIFT_MAX);
    }
    return w_u64_min(first_timer(u), u->now + pause);
}

static void look_around(struct user *u, SlirpGetREventsCb ready)
{
    u->is_dirty = false;
    u->looked_at = u->now;
    slirp_pollfds_poll(u->slirp, 0, ready, u);
    u->due = plan(u, fill(u));
}

void user_pump(struct user *u, w_ns now)
{
    struct epoll_event ev[USER_EVENTS];
    u->now = now;
    user_release_held(u);
    if (user_waiting(u) >= USER_RX_SOFT)
        return;
    int n = collect(u, ev);
    bool is_due = now >= u->due;
    if (n == 0 && !is_due && !u->is_dirty)
        return;
    if (n != 0 || u->is_dirty) {
        u->is_active = true;
        u->n_quiet = 0;
    }
    if (is_due) {
        u->n_quiet = u->is_active ? 0 : u->n_quiet + 1;
        u->is_active = false;
        run_timers(u);
    }
    u->next_turn = 0;
    look_around(u, on_get_revents);
    u->turn = u->next_turn; /* 0: everybody from the last turn on was served */
    for (int i = 0; i < n; i++)
        u->watch[ev[i].data.fd].ready = 0;
}

void user_input(struct user *u, w_ns now, const uint8_t *frame, uint32_t n)
{
    u->now = now;
    if (now - u->looked_at >= STALE_NS)
        look_around(u, on_nothing_ready);
    u->is_dirty = true;
    u->is_active = true;
    u->n_quiet = 0;
    slirp_input(u->slirp, frame, (int)n);
}

void user_free_tables(struct user *u)
{
    while (u->held_first != NULL) {
        struct user_held *h = u->held_first;
        u->held_first = h->next;
        free(h);
    }
    free(u->watch);
    free(u->polled);
    free(u->before);
}

const SlirpCb user_callbacks = {
    .send_packet = on_frame,
    .guest_error = on_guest_error,
    .clock_get_ns = on_clock,
    .timer_new_opaque = on_timer_new,
    .timer_free = on_timer_free,
    .timer_mod = on_timer_mod,
    .register_poll_fd = on_register,
    .unregister_poll_fd = on_unregister,
    .notify = on_notify,
};
