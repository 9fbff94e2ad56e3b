/* SPDX-License-Identifier: Apache-2.0
 *
 * Two devices joined by an emulated link: the order in which frames cross.
 *
 * A step, for each direction: what the device received → super-segments cut and checksums
 * completed → onto the link → what has crossed the link goes into the other device → sent packets
 * back and freed. Then relay_run sleeps until a device is readable or the link has something due.
 *
 * What it decides. A device is asked for whole super-segments although the link needs them cut: a
 * TAP interface keeps a few hundred *frames* for us, and a burst of a large window fits there only
 * as super-segments; a frame lost there would be a loss that no seed chose. The cutting itself is
 * link/'s: each direction has an interface there that can do nothing, so that whatever leaves it
 * is a finished frame. While such a cut waits for memory nothing more is received.
 *
 * Checksums are completed in software, so that a bit flipped by the link is noticed by its
 * receiver, and are not vouched for towards the other device.
 *
 * Owns the devices, the packet memory they receive into, both emulators. One thread. Called by cli/
 * and tests; calls dev/, link/. Frames that found no memory are counted and shown, not waited for.
 */
#include "run/relay.h"

#include "dev/wrap.h"
#include "run/loop.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/tcp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    WHOLE_MAX = 65535, /* mtu of the cutting interfaces: everything fits */
    FRAMES_A_BIG_BLK = 8,
    WAKE = 2, /* epoll tag beside the devices' 0 and 1 */
};

/* ---- onto the link ------------------------------------------------------------------------ */

/* A cut waits for memory: what the device has for us stays with it. link/ tries again soon. */
static bool is_held_back(const struct relay_way *w) { return w->nif->gso != NULL; }

/* What the kernel left undone is to be done here, and described as link/ wants it: where the
 * headers of a super-segment are. False: the frame is not what it says. */
static bool describe(struct pkt *p)
{
    struct wire_eth eth;
    bool is_undone = p->csum == CSUM_GOOD && p->csum_at != 0;
    p->csum = is_undone ? CSUM_TODO : CSUM_NONE;
    if (is_undone &&
        (p->csum_start < p->off || (uint32_t)(p->csum_start - p->off) + p->csum_at + 2u > p->lin))
        return false;
    if (p->gso_size == 0)
        return true;
    if (!is_undone || wire_eth_parse(pkt_data(p), p->lin, &eth) != DROP_NONE)
        return false;
    p->l3 = (uint16_t)(p->off + eth.hlen);
    p->l4 = p->csum_start;
    if ((uint32_t)(p->l4 - p->off) + WIRE_TCP_HLEN > p->lin)
        return false;
    p->pay = (uint16_t)(p->l4 + wire_tcp_hlen(pkt_at(p, p->l4)));
    return true;
}

/* Everything the cutting interface can finish now, onto the link. */
static void put_on(struct relay *r, struct relay_way *w)
{
    struct pkt *v[RELAY_BURST];
    unsigned n;
    do {
        n = link_tx(&r->link, w->nif, v, RELAY_BURST);
        for (unsigned i = 0; i < n; i++) {
            w->bytes += v[i]->len;
            v[i]->gso_size = v[i]->gso_segs = 0;
            emu_push(&w->emu, r->env.now, v[i]);
        }
    } while (n == RELAY_BURST);
}

static void take_in(struct relay *r, struct relay_way *w)
{
    static const uint8_t nowhere[6];
    struct pkt *v[RELAY_BURST];
    put_on(r, w);
    if (is_held_back(w))
        return;
    unsigned n = netdev_rx(w->from, 0, r->env.now, v, RELAY_BURST);
    for (unsigned i = 0; i < n; i++) {
        if (!describe(v[i])) {
            (void)env_drop(&r->env, v[i], DROP_GSO_BAD);
            w->nif->n.tx_dropped++;
            continue;
        }
        v[i]->when = 0;
        /* The interface is bare: the frame keeps the Ethernet header it has. */
        (void)eth_output(&r->link, w->nif, nowhere, 0, v[i]);
        put_on(r, w);
    }
}

/* ---- off the link ------------------------------------------------------------------------- */

static void put_out(struct relay_way *w, w_ns now)
{
    do {
        if (w->n_held == 0)
            w->n_held = emu_pop(&w->emu, now, w->held, RELAY_BURST);
        if (w->n_held == 0)
            break;
        unsigned k = netdev_tx(w->to, 0, now, w->held, w->n_held);
        w->n_held -= k;
        memmove(w->held, w->held + k, w->n_held * sizeof(w->held[0]));
        wrap_free_reaped(w->to, 0, now);
    } while (w->n_held == 0);
    wrap_free_reaped(w->to, 0, now);
}

w_ns relay_step(struct relay *r, w_ns now)
{
    w_ns next = W_NEVER;
    WEIR_ASSERT(now >= r->env.now);
    r->env.now = now;
    for (unsigned i = 0; i < 2; i++) {
        take_in(r, &r->way[i]);
        put_out(&r->way[i], now);
    }
    for (unsigned i = 0; i < 2; i++) {
        if (!is_held_back(&r->way[i]))
            next = w_u64_min(next, netdev_next(r->way[i].from, 0));
        next = w_u64_min(next, r->way[i].n_held != 0 ? W_NEVER : emu_next(&r->way[i].emu));
    }
    return w_u64_min(next, link_next(&r->link));
}

uint64_t relay_missed(const struct relay *r, unsigned way)
{
    const struct relay_way *w = &r->way[way];
    return w->from->stats.rx_nomem + w->from->stats.rx_dropped + w->nif->n.tx_dropped;
}

/* ---- life --------------------------------------------------------------------------------- */

/* Frames lie in small blocks of their own or share the big ones of what they were cut from. */
static void choose_sizes(struct weir_conf *c, uint32_t n_frames)
{
    weir_conf_default(c);
    c->n_pkt = 2 * n_frames;
    c->n_blk_small = 2 * n_frames;
    c->n_blk_big = WEIR_MAX(n_frames / FRAMES_A_BIG_BLK, 64u);
}

static void lay_out(struct relay *r, struct arena *a, uint64_t seed, w_ns now)
{
    env_init(&r->env, a, seed, now);
    link_init(&r->link, &r->env, a);
}

static int make_memory(struct relay *r, const struct relay_conf *c, w_ns now)
{
    struct arena a;
    uint32_t n = c->n_frames != 0 ? c->n_frames : RELAY_FRAMES;
    choose_sizes(&r->env.conf, n);
    r->env.csum_isa = csum_best_isa();
    r->env.now = now;
    arena_init(&a, NULL, 0);
    lay_out(r, &a, c->seed, now);
    r->n_mem = a.used;
    r->mem = mmap(NULL, r->n_mem, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    r->slots = calloc(2 * (size_t)n, sizeof(*r->slots));
    if (r->mem == MAP_FAILED || r->slots == NULL)
        return -ENOMEM;
    arena_init(&a, r->mem, r->n_mem);
    lay_out(r, &a, c->seed, now);
    WEIR_ASSERT(!a.is_full);
    for (unsigned i = 0; i < 2; i++) {
        static const struct nif_conf bare = {.flags = NIF_UP | NIF_L3, .mtu = WHOLE_MAX};
        struct relay_way *w = &r->way[i];
        w->nif = link_nif(&r->link, (unsigned)link_nif_add(&r->link, &bare));
        struct rng rng = rng_fork(&r->env.rng, i);
        emu_init(&w->emu, &c->way[i], rng, r->slots + i * (size_t)n, n, now);
        emu_set_back(&w->emu, &r->way[1 - i].emu);
    }
    return 0;
}

/* Only what the relay makes use of: the rest is the other side's kernel's to do itself. */
static int open_dev(struct relay *r, struct netdev *d)
{
    d->caps.flags &= ~(uint32_t)(NETDEV_TX_CSUM | NETDEV_TSO4 | NETDEV_TSO6 | NETDEV_LRO6);
    return netdev_open(d, &r->env.mem);
}

struct relay *relay_new(const struct relay_conf *c, struct netdev *const dev[2], w_ns now,
                        char *err, size_t n_err)
{
    struct relay *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        netdev_close(dev[0]);
        netdev_close(dev[1]);
        snprintf(err, n_err, "no memory");
        return NULL;
    }
    for (unsigned i = 0; i < 2; i++)
        r->way[i] = (struct relay_way){.from = dev[i], .to = dev[1 - i]};
    int e = make_memory(r, c, now);
    if (e < 0)
        snprintf(err, n_err, "no memory for the frames in flight");
    for (unsigned i = 0; i < 2 && e == 0; i++) {
        e = open_dev(r, dev[i]);
        if (e < 0)
            snprintf(err, n_err, "the device does not start: %s", strerror(-e));
    }
    if (e == 0)
        return r;
    (void)relay_free(r);
    return NULL;
}

unsigned relay_free(struct relay *r)
{
    for (unsigned i = 0; i < 2; i++) {
        struct relay_way *w = &r->way[i];
        emu_flush(&w->emu);
        for (unsigned k = 0; k < w->n_held; k++)
            pkt_free(w->held[k]);
        if (w->nif != NULL)
            link_nif_del(&r->link, w->nif);
        netdev_close(w->from);
    }
    unsigned leaked = r->env.mem.pkts.in_use;
    if (r->mem != NULL && r->mem != MAP_FAILED)
        munmap(r->mem, r->n_mem);
    free(r->slots);
    free(r);
    return leaked;
}

/* ---- real time ---------------------------------------------------------------------------- */

static int watch(int ep, int op, int fd, uint32_t events, uint32_t tag)
{
    struct epoll_event ev = {.events = events, .data.u32 = tag};
    return epoll_ctl(ep, op, fd, &ev) == 0 ? 0 : -errno;
}

/* A device that is held back is readable all the time, and that must not keep us awake. */
static int listen_to(const struct relay *r, int ep, bool is_deaf[2])
{
    int e = 0;
    for (unsigned i = 0; i < 2 && e == 0; i++) {
        if (is_deaf[i] == is_held_back(&r->way[i]))
            continue;
        is_deaf[i] = !is_deaf[i];
        e = watch(ep, EPOLL_CTL_MOD, netdev_wait_fd(r->way[i].from, 0), is_deaf[i] ? 0 : EPOLLIN,
                  i);
    }
    return e;
}

/* Sleeps until `until` or readiness. 0: go on; 1: wake_fd is readable, to be returned as 0;
 * 2 + i: device i is gone; -errno. */
static int doze(int ep, w_ns until)
{
    struct epoll_event ev[3];
    w_ns now = loop_clock();
    w_ns rest = until > now ? until - now : 0;
    struct timespec ts = {.tv_sec = (time_t)(rest / W_S), .tv_nsec = (long)(rest % W_S)};
    int n = epoll_pwait2(ep, ev, 3, until == W_NEVER ? NULL : &ts, NULL);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        if (ev[i].data.u32 == WAKE)
            return 1;
        if ((ev[i].events & (EPOLLERR | EPOLLHUP)) != 0)
            return 2 + (int)ev[i].data.u32;
    }
    return 0;
}

int relay_run(struct relay *r, int wake_fd)
{
    bool is_deaf[2] = {false, false};
    int ep = epoll_create1(EPOLL_CLOEXEC);
    int e = ep < 0 ? -errno : watch(ep, EPOLL_CTL_ADD, wake_fd, EPOLLIN, WAKE);
    for (unsigned i = 0; i < 2 && e == 0; i++)
        e = watch(ep, EPOLL_CTL_ADD, netdev_wait_fd(r->way[i].from, 0), EPOLLIN, i);
    /* A frame is due to the microsecond; the kernel's habit is to be 50 of them late. */
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    while (e == 0) {
        w_ns next = relay_step(r, loop_clock());
        e = listen_to(r, ep, is_deaf);
        e = e == 0 ? doze(ep, next) : e;
    }
    if (ep >= 0)
        close(ep);
    return e > 0 ? e - 1 : e;
}
