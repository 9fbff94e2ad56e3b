/* SPDX-License-Identifier: Apache-2.0
 *
 * The model NIC as a device of the real world: the stack's frames go through its driver, its rings,
 * its DMA and its MAC, at the line's rate, before the real device has them; and back.
 *
 * What is decided here: when the owner has to wake, and that all queues of the card are served as
 * one. Offloads are taken from the inner device before it opens: behind a line there are frames of
 * a line's size, with their checksums, and the card is the one that offloads.
 *
 * Time is the owner's clock: card and line are stepped to the present whenever the device is
 * called, each event at its own moment, so that a late call shortens no frame and loses no rate.
 *
 * Owns card, driver, bus and their memory. One thread, the loop's. Called by run/loop.c as any
 * device, by door/net.c (life) and run/niccmd.c (settings); calls nicport.c and dev/vnic.
 */
#include "run/nicdev.h"

#include "base/arena.h"
#include "pkt/pkt.h"
#include "run/nicport.h"
#include "run/words.h"
#include "wire/csum.h"
#include "wire/eth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    RING = 256,
    DMA_LATENCY_NS = 800,
    COALESCE_NS = 50000,
    COALESCE_FRAMES = 16,
    RX_USECS_MAX = 1000000,
    FRAMES_MAX = 1024,
    DRAIN_ROUNDS = 4096,
};

static struct nicdev *self(struct netdev *d) { return WEIR_CONTAINER(d, struct nicdev, dev); }

/* ---- the device contract ---- */

/* Statistics are the driver's: what the stack sees. */
static void show_stats(struct nicdev *d) { d->dev.stats = d->driver.dev.stats; }

static int ndev_open(struct netdev *dev, struct pktmem *mem)
{
    struct nicdev *d = self(dev);
    dev->mem = mem;
    int e = netdev_open(d->inner, mem);
    if (e != 0)
        return e;
    e = netdev_open(&d->driver.dev, mem);
    int fd = netdev_wait_fd(d->inner, 0);
    struct epoll_event ev = {.events = EPOLLIN};
    if (e == 0 && fd >= 0 && epoll_ctl(d->ep, EPOLL_CTL_ADD, fd, &ev) < 0)
        e = -errno;
    dev->caps = d->driver.dev.caps;
    return e;
}

static void ndev_close(struct netdev *dev)
{
    struct nicdev *d = self(dev);
    if (d->driver.dev.mem != NULL)
        netdev_close(&d->driver.dev);
    pktq_free(&d->late);
    nicport_free(d);
    netdev_close(d->inner);
}

/* A descriptor that stays readable because we do not read would keep the owner awake. */
static void listen_again(struct nicdev *d)
{
    bool is_deaf = nicport_is_full(d);
    struct epoll_event ev = {.events = is_deaf ? 0 : EPOLLIN};
    int fd = netdev_wait_fd(d->inner, 0);
    if (is_deaf == d->is_deaf)
        return;
    d->is_deaf = is_deaf;
    if (fd >= 0)
        (void)epoll_ctl(d->ep, EPOLL_CTL_MOD, fd, &ev);
}

static void run_to(struct nicdev *d, w_ns now)
{
    nicport_run(d, now);
    nicport_take(d, now);
    nicport_run(d, now); /* the line may be free for what was taken */
    listen_again(d);
}

static unsigned ndev_rx(struct netdev *dev, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    struct nicdev *d = self(dev);
    unsigned n = 0;
    (void)q;
    run_to(d, now);
    while (n < max && d->late.n != 0)
        v[n++] = pktq_pop(&d->late);
    n += vnic_all_rx(&d->driver, now, v + n, max - n);
    show_stats(d);
    return n;
}

static unsigned ndev_tx(struct netdev *dev, unsigned q, w_ns now, struct pkt **v, unsigned n)
{
    struct nicdev *d = self(dev);
    (void)q;
    nicport_run(d, now);
    unsigned taken = vnic_all_tx(&d->driver, now, v, n);
    nicport_run(d, now);
    show_stats(d);
    return taken;
}

static unsigned ndev_reap(struct netdev *dev, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    (void)q;
    return vnic_all_reap(&self(dev)->driver, now, v, max);
}

static int ndev_arm(struct netdev *dev, unsigned q, bool on)
{
    (void)q;
    return netdev_arm(self(dev)->inner, 0, on);
}

static int ndev_wait_fd(struct netdev *dev, unsigned q)
{
    (void)q;
    return self(dev)->ep;
}

static w_ns ndev_next(struct netdev *dev, unsigned q)
{
    struct nicdev *d = self(dev);
    w_ns next = w_u64_min(nic_next(&d->nic), nicport_next(d));
    (void)q;
    if (d->late.n != 0)
        return 0;
    next = w_u64_min(next, vnic_all_next(&d->driver));
    return d->is_deaf ? next : w_u64_min(next, netdev_next(d->inner, 0));
}

static const struct netdev_ops nicdev_ops = {
    .name = "nic",
    .open = ndev_open,
    .close = ndev_close,
    .rx = ndev_rx,
    .tx = ndev_tx,
    .reap = ndev_reap,
    .arm = ndev_arm,
    .wait_fd = ndev_wait_fd,
    .next = ndev_next,
};

/* ---- settings ---- */

static unsigned poll_all(struct nicdev *d, w_ns now)
{
    struct pkt *v[NICDEV_HELD];
    unsigned n = vnic_all_rx(&d->driver, now, v, NICDEV_HELD);
    for (unsigned i = 0; i < n; i++)
        pktq_push(&d->late, v[i]);
    return n;
}

/* What the card has received comes out before its rings go: a driver has to lose what is being sent
 * then, but nothing that arrived. The card's time runs ahead for that, by a few DMA accesses. */
static void drain_received(struct nicdev *d, w_ns now)
{
    (void)netdev_arm(&d->driver.dev, 0, false);
    for (unsigned round = 0; round < DRAIN_ROUNDS; round++) {
        unsigned n = poll_all(d, now);
        w_ns next = nic_next(&d->nic);
        if (n == 0 && (d->nic.rx.n == 0 || next == W_NEVER))
            break;
        if (d->nic.rx.n != 0 && next != W_NEVER)
            nic_step(&d->nic, w_u64_max(next, d->nic.now));
    }
    (void)netdev_arm(&d->driver.dev, 0, true);
}

int nicdev_set(struct nicdev *d, w_ns now, const struct vnic_conf *c)
{
    drain_received(d, w_u64_max(now, d->nic.now));
    uint64_t before[NIC_N_STATS];
    uint64_t resets = d->nic.stat[NIC_S_RESETS];
    for (unsigned i = 0; i < NIC_N_STATS; i++)
        before[i] = d->nic.stat[i];
    int r = vnic_set(&d->driver, w_u64_max(now, d->nic.now), c);
    if (r != 0)
        return r;
    bool was_reset = d->nic.stat[NIC_S_RESETS] != resets;
    for (unsigned i = 0; was_reset && i < NIC_N_STATS; i++)
        d->stat_before[i] += i == NIC_S_RESETS ? 0 : before[i];
    d->dev.caps = d->driver.dev.caps;
    show_stats(d);
    return 0;
}

uint64_t nicdev_stat(struct nicdev *d, enum nic_stat s)
{
    return d->stat_before[s] + vnic_stat(&d->driver, s);
}

void nicdev_conf_default(struct nicdev_conf *c)
{
    *c = (struct nicdev_conf){
        .nic = {.rate_bps = 1000000000,
                .features =
                    NIC_F_TX_CSUM | NIC_F_RX_CSUM | NIC_F_TSO | NIC_F_RSS | NIC_F_PAUSE | NIC_F_LRO,
                .n_queues = NIC_QUEUES_MAX,
                .dma_latency_ns = DMA_LATENCY_NS},
        .driver = {.n_queues = 1,
                   .tx_ring = RING,
                   .rx_ring = RING,
                   .rx_ns = COALESCE_NS,
                   .rx_frames = COALESCE_FRAMES,
                   .tx_ns = COALESCE_NS,
                   .tx_frames = COALESCE_FRAMES,
                   .offloads = NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4 | NETDEV_TSO6,
                   .has_pause_rx = true,
                   .has_pause_tx = true},
    };
}

/* ---- the words of --nic=… ---- */

const char nicdev_words[] = "rate=RATE, rings=N, rx=N, tx=N, queues=N, rx-usecs=N, rx-frames=N, "
                            "pause=on|off, offloads=on|off";

static int set_ring(const char *value, uint32_t *a, uint32_t *b)
{
    uint64_t n;
    if (words_number(value, NIC_RING_MIN, NICDEV_RING_MAX, &n) < 0 || (n & (n - 1)) != 0)
        return -EINVAL;
    *a = *b = (uint32_t)n;
    return 0;
}

static int set_u32(const char *value, uint64_t lo, uint64_t hi, uint32_t scale, uint32_t *out)
{
    uint64_t n;
    if (words_number(value, lo, hi, &n) < 0)
        return -EINVAL;
    *out = (uint32_t)n * scale;
    return 0;
}

static int set_pause(const char *value, struct vnic_conf *v)
{
    int on = words_onoff(value);
    if (on < 0)
        return -EINVAL;
    v->has_pause_rx = v->has_pause_tx = on == 1;
    return 0;
}

static int set_offloads(const char *value, struct vnic_conf *v)
{
    int on = words_onoff(value);
    if (on < 0)
        return -EINVAL;
    v->offloads = on == 1 ? v->offloads : 0;
    return 0;
}

/* One word. NULL: done; else what it should have been. */
static const char *set_word(struct nicdev_conf *c, const char *key, const char *value)
{
    static const char rings[] = "a power of two from 8 to 1024";
    struct vnic_conf *v = &c->driver;
    if (strcmp(key, "rate") == 0)
        return words_rate(value, WORDS_MBIT * 10, WORDS_MBIT * 100000, &c->nic.rate_bps) == 0
                   ? NULL
                   : "a rate from 10mbit to 100gbit, such as 2500mbit";
    if (strcmp(key, "rings") == 0)
        return set_ring(value, &v->rx_ring, &v->tx_ring) == 0 ? NULL : rings;
    if (strcmp(key, "rx") == 0)
        return set_ring(value, &v->rx_ring, &v->rx_ring) == 0 ? NULL : rings;
    if (strcmp(key, "tx") == 0)
        return set_ring(value, &v->tx_ring, &v->tx_ring) == 0 ? NULL : rings;
    if (strcmp(key, "queues") == 0)
        return set_u32(value, 1, NIC_QUEUES_MAX, 1, &v->n_queues) == 0 ? NULL : "from 1 to 8";
    if (strcmp(key, "rx-usecs") == 0)
        return set_u32(value, 0, RX_USECS_MAX, 1000, &v->rx_ns) == 0 ? NULL : "from 0 to 1000000";
    if (strcmp(key, "rx-frames") == 0)
        return set_u32(value, 0, FRAMES_MAX, 1, &v->rx_frames) == 0 ? NULL : "from 0 to 1024";
    if (strcmp(key, "pause") == 0)
        return set_pause(value, v) == 0 ? NULL : "on or off";
    if (strcmp(key, "offloads") == 0)
        return set_offloads(value, v) == 0 ? NULL : "on or off";
    return nicdev_words;
}

int nicdev_parse(const char *text, struct nicdev_conf *c, char *err)
{
    char copy[256], *save = NULL;
    if ((size_t)snprintf(copy, sizeof(copy), "%s", text) >= sizeof(copy)) {
        snprintf(err, NICDEV_ERR_TEXT, "too long; the words are %s", nicdev_words);
        return -EINVAL;
    }
    for (char *w = strtok_r(copy, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(w, '=');
        const char *value = eq != NULL ? eq + 1 : "";
        if (eq != NULL)
            *eq = '\0';
        const char *wanted = set_word(c, w, value);
        if (wanted == NULL)
            continue;
        snprintf(err, NICDEV_ERR_TEXT,
                 wanted == nicdev_words ? "%.40s%.0s is none of %s" : "%.40s=%.40s: it is %s", w,
                 value, wanted);
        return -EINVAL;
    }
    return 0;
}

/* ---- life ---- */

static int lay_out(struct nicdev *d, const struct nicdev_conf *c, struct arena *a)
{
    bus_dma_init(&d->dma);
    nic_init(&d->nic, &c->nic, a, &d->dma, &d->irqs);
    struct vnic_slot slot = {nic_pio(&d->nic), &d->dma, &d->irqs};
    return vnic_init(&d->driver, &slot, &c->driver, NICDEV_RING_MAX, a);
}

static int make(struct nicdev *d, const struct nicdev_conf *c, w_ns now)
{
    struct arena a;
    arena_init(&a, NULL, 0);
    int r = lay_out(d, c, &a);
    if (r != 0)
        return r;
    d->n_mem = a.used + WEIR_CACHELINE;
    d->mem = mmap(NULL, d->n_mem, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    d->ep = epoll_create1(EPOLL_CLOEXEC);
    if (d->mem == MAP_FAILED || d->ep < 0)
        return -ENOMEM;
    arena_init(&a, d->mem, d->n_mem);
    r = lay_out(d, c, &a);
    WEIR_ASSERT(r == 0);
    nic_step(&d->nic, now);
    nicport_init(d);
    d->dev.caps = d->driver.dev.caps;
    return 0;
}

/* Behind a line frames are as a line has them. */
static void plain(struct netdev *inner)
{
    const uint32_t offloads =
        NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4 | NETDEV_TSO6 | NETDEV_LRO | NETDEV_LRO6;
    inner->caps.flags &= ~offloads;
    inner->caps.gso_max = 0;
}

struct nicdev *nicdev_new(struct netdev *inner, const struct nicdev_conf *conf, w_ns now, char *err)
{
    struct nicdev_conf c = *conf;
    c.nic.csum_isa = csum_best_isa();
    c.driver.mtu = inner->caps.mtu;
    memcpy(c.nic.mac, inner->caps.mac, sizeof(c.nic.mac));
    if (netdev_has(inner, NETDEV_L3) || c.driver.mtu + WIRE_ETH_HLEN + 8 > NICDEV_FRAME_MAX) {
        snprintf(err, NICDEV_ERR_TEXT,
                 "a NIC needs a network of Ethernet frames, of at most %d bytes; see --mtu",
                 NICDEV_FRAME_MAX - 32);
        return NULL;
    }
    struct nicdev *d = calloc(1, sizeof(*d));
    int r = -ENOMEM;
    if (d != NULL) {
        *d = (struct nicdev){.dev = {.ops = &nicdev_ops}, .inner = inner, .ep = -1};
        d->mem = MAP_FAILED;
        r = make(d, &c, now);
    }
    if (r == 0) {
        plain(inner);
        return d;
    }
    snprintf(err, NICDEV_ERR_TEXT, "the NIC cannot be made: %s", strerror(-r));
    nicdev_free(d);
    return NULL;
}

void nicdev_see(struct nicdev *d, struct trace *t) { d->nic.see = d->driver.see = t; }

void nicdev_free(struct nicdev *d)
{
    if (d == NULL)
        return;
    if (d->ep >= 0)
        close(d->ep);
    if (d->mem != MAP_FAILED)
        munmap(d->mem, d->n_mem);
    free(d);
}
