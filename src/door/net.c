/* SPDX-License-Identifier: Apache-2.0
 *
 * Putting a stack on a network: the device that --net names, and what is wrapped around it.
 *
 *     stack ── capture ── model NIC ── emulated link ── device
 *
 * The capture sees what the stack sends and gets, so before the emulated link on the way out and
 * after it on the way in: what the link loses is lost in the network.
 *
 * Called by door.c. Owns the wrappers' memory, which outlives the loop (devices are closed with
 * it); calls backend/, dev/, run/, weir.h.
 */
#include "door/net.h"

#include "dev/wrap.h"
#include "look/look.h"
#include "run/niccmd.h"
#include "stack/stack.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum { EMU_SLOTS = 32768, LINK_MTU = 1500, SLAAC_WAIT_S = 5 };

struct net {
    struct backend backend;
    struct emu_dev emu;
    struct emu_slot *slots;
    struct nicdev *nic;
    struct niccmd cmd;
    struct cap_dev cap;
    struct capture *capture;
    struct weir *w;
    struct look *look; /* NULL: nobody looks */
    FILE *trace;
    int trace_error; /* -E…, the first */
    struct net_face face;
    const char *title; /* as --net named it */
};

static int64_t wall_offset(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * (int64_t)W_S + ts.tv_nsec - (int64_t)loop_clock();
}

/* ---- seeing: capture and trace ---- */

static void captured(void *ctx, w_ns now, enum cap_dir dir, const struct pkt *p)
{
    struct net *n = ctx;
    if (n->look == NULL)
        return;
    look_drain(n->look, 0, n->w); /* what the stack said of it before */
    look_frame(n->look, now, 0, dir == CAP_TX, p);
}

/* "loss": the counter's words without "dropped: ". */
static const char *drop_text_of(enum emu_counter why)
{
    const char *text = emu_counter_text(why), *colon = strchr(text, ':');
    return colon != NULL ? colon + 2 : text;
}

/* The emulated link drops a frame: on its way out when it is the half towards the network. */
static void dropped_out(void *ctx, w_ns now, enum emu_counter why, const struct pkt *p)
{
    struct net *n = ctx;
    if (n->look != NULL)
        look_lost(n->look, now, 0, true, p, drop_text_of(why));
}

static void dropped_in(void *ctx, w_ns now, enum emu_counter why, const struct pkt *p)
{
    struct net *n = ctx;
    if (n->look != NULL)
        look_lost(n->look, now, 0, false, p, drop_text_of(why));
}

static void explained(void *ctx, const struct look_shown *s)
{
    struct net *n = ctx;
    const struct capture_frame f = {.at = s->at,
                                    .dir = s->is_out ? CAPTURE_TX : CAPTURE_RX,
                                    .bytes = s->bytes,
                                    .n = s->n,
                                    .len = s->len,
                                    .comment = s->comment};
    capture_write_bytes(n->capture, &f);
}

/* Opens what the person wants to see the run in; the devices below are made. 0 or -E…. */
static int net_look(struct net *n, const struct door_conf *c, bool is_l3, char *err)
{
    struct look_conf lc = {.ctx = n, .is_l3 = is_l3};
    if (c->pcap == NULL && c->trace == NULL)
        return 0;
    if (c->pcap != NULL) {
        const struct capture_conf pc = {.wall_offset = wall_offset(), .is_l3 = is_l3};
        n->capture = capture_open(c->pcap, &pc, err);
        if (n->capture == NULL)
            return -EINVAL;
        lc.frame = explained;
    }
    if (c->trace != NULL) {
        n->trace = fopen(c->trace, "we");
        if (n->trace == NULL) {
            snprintf(err, BACKEND_ERR_TEXT, "cannot write %.150s: %s", c->trace, strerror(errno));
            return -EINVAL;
        }
        lc.file = n->trace;
    }
    n->look = look_new(&lc);
    if (n->look == NULL)
        snprintf(err, BACKEND_ERR_TEXT, "no memory for a trace");
    return n->look == NULL ? -ENOMEM : 0;
}

/* Wraps *dev as the person asked, from the loop's `now` on: a link's time never goes back. 0 or
 * -EINVAL; a device that is wrapped goes with its wrapper. */
static int net_wrap(struct net *n, const struct door_conf *c, w_ns now, struct netdev **dev,
                    char *err)
{
    struct emu_conf ec;
    struct rng rng;
    uint64_t seed;
    if (c->link != NULL) {
        if (emu_parse(c->link, &ec, err) < 0)
            return -EINVAL;
        n->slots = calloc(2 * EMU_SLOTS, sizeof(*n->slots));
        if (n->slots == NULL || getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
            snprintf(err, BACKEND_ERR_TEXT, "no memory for the emulated link");
            return -ENOMEM;
        }
        rng_seed(&rng, seed);
        emu_dev_init(&n->emu, *dev, &ec, &ec, n->slots, EMU_SLOTS);
        emu_dev_start(&n->emu, rng, now);
        n->emu.tx.watch = (struct emu_watch){dropped_out, n};
        n->emu.rx.watch = (struct emu_watch){dropped_in, n};
        *dev = &n->emu.dev;
    }
    if (c->nic != NULL) {
        _Static_assert((int)BACKEND_ERR_TEXT == (int)NICDEV_ERR_TEXT, "one sentence");
        n->nic = nicdev_new(*dev, c->nic, now, err);
        if (n->nic == NULL)
            return -EINVAL;
        *dev = &n->nic->dev;
    }
    int r = net_look(n, c, netdev_has(*dev, NETDEV_L3), err);
    if (r < 0 || n->capture == NULL)
        return r;
    cap_dev_init(&n->cap, *dev, (struct cap_sink){captured, n});
    *dev = &n->cap.dev;
    return 0;
}

static void print_counter(FILE *f, const char *whose, const char *what, uint64_t value)
{
    char name[96];
    snprintf(name, sizeof(name), "%s.%s", whose, what);
    if (value != 0)
        fprintf(f, "%-32s %llu\n", name, (unsigned long long)value);
}

void net_counters(struct net *n, FILE *f)
{
    const struct backend *b = &n->backend;
    const char *what;
    uint64_t value;
    for (unsigned i = 0; n->slots != NULL && i < EMU_N_COUNTERS; i++)
        print_counter(f, "link", emu_counter_text((enum emu_counter)i),
                      n->emu.tx.count[i] + n->emu.rx.count[i]);
    for (unsigned i = 0; b->counter != NULL && (what = b->counter(b->dev, i, &value)) != NULL; i++)
        print_counter(f, "device", what, value);
}

void net_serve(struct net *n, struct ctl *ctl) { niccmd_serve(&n->cmd, ctl); }

static struct weir_addr face_addr(const struct addr *a)
{
    struct weir_addr w = {.family = addr_is_ip4(a) ? 4 : 6};
    memcpy(w.ip, a->b, sizeof(w.ip));
    return w;
}

/* An address of one family and its way out; neither where there is none. */
static int family_address(struct weir *w, unsigned nif, const struct weir_addr *a,
                          uint32_t prefix_len, const struct weir_addr *gw)
{
    const struct weir_addr any = {.family = a->family};
    struct addr ip, router;
    memcpy(ip.b, a->ip, sizeof(ip.b));
    memcpy(router.b, gw->ip, sizeof(router.b));
    int r = addr_is_any(&ip) ? 0 : weir_addr_add(w, nif, a, prefix_len);
    return r < 0 || addr_is_any(&router) ? r : weir_route_add(w, nif, &any, 0, gw);
}

/* A program that starts at once should find the network as it will be: a while for routers to
 * answer and for addresses to be nobody else's. */
static void net_settle(struct loop *l)
{
    w_ns until = loop_clock() + SLAAC_WAIT_S * W_S;
    const struct ip *ip = &loop_weir(l)->ip;
    for (bool has_one = false; !has_one && loop_clock() < until;) {
        loop_once(l, until);
        for (unsigned i = 0; i < IP_ADDRS; i++) {
            const struct ip_addr *a = ip_addr_at(ip, i);
            has_one |= a != NULL && !addr_is_ip4(&a->addr) && !addr_is_link_local6(&a->addr) &&
                       !addr_is_loopback(&a->addr) && (a->flags & IP_ADDR_UNUSABLE) == 0;
        }
    }
}

/* The interface's addresses and the ways out. */
static int net_address(struct net *n, struct loop *l, unsigned nif, bool slaac, char *err,
                       size_t n_err)
{
    const struct net_face *f = &n->face;
    struct weir *w = loop_weir(l);
    if (addr_is_any(&n->backend.addr) && addr_is_any(&n->backend.addr6) && !slaac) {
        snprintf(err, n_err, "this network tells no address; give one with --addr ADDRESS/LENGTH");
        return -EINVAL;
    }
    int r = family_address(w, nif, &f->addr, f->prefix_len, &f->gw);
    if (r == 0)
        r = family_address(w, nif, &f->addr6, f->prefix_len6, &f->gw6);
    if (r == 0 && slaac)
        net_settle(l);
    if (r < 0)
        snprintf(err, n_err, "the stack does not take this address or gateway: %s", strerror(-r));
    return r;
}

static int net_attach(struct net *n, struct loop *l, struct netdev *dev, const struct door_conf *c,
                      char *err, size_t n_err)
{
    bool slaac = c->wants_slaac;
    int r = netdev_open(dev, stack_mem(loop_weir(l)));
    if (r == 0)
        r = loop_add_dev(l, dev, &dev->caps, "net0", slaac ? (uint32_t)WEIR_NIF_SLAAC : 0);
    if (r < 0) {
        snprintf(err, n_err, "the network device does not start: %s", strerror(-r));
        netdev_close(dev);
        return r;
    }
    if (c->qdisc != NULL && weir_qdisc_set(loop_weir(l), loop_now(l), (unsigned)r, c->qdisc) < 0) {
        snprintf(err, n_err, "the interface does not take this queue discipline");
        return -EINVAL;
    }
    if (n->nic != NULL && n->look != NULL)
        nicdev_see(n->nic, stack_trace(loop_weir(l)));
    n->cmd = (struct niccmd){.loop = l, .nif = (unsigned)r, .nic = n->nic, .title = n->title};
    n->face.mtu = dev->caps.mtu;
    return net_address(n, l, (unsigned)r, slaac, err, n_err);
}

struct net *net_open(struct loop *l, const struct door_conf *c, char *err, size_t n_err)
{
    char why[BACKEND_ERR_TEXT] = "";
    struct backend_conf bc = c->backend;
    bool is_user = c->net == NULL || strcmp(c->net, "user") == 0;
    /* A person who asks for a lossy link or a NIC means packets of Ethernet's size, not 64 KiB. */
    if (is_user && (c->link != NULL || c->nic != NULL) && bc.mtu == 0)
        bc.mtu = LINK_MTU;
    bc.can_lose = c->link != NULL || c->nic != NULL;
    struct net *n = calloc(1, sizeof(*n));
    if (n == NULL) {
        snprintf(err, n_err, "no memory");
        return NULL;
    }
    n->w = loop_weir(l);
    if (backend_open(c->net != NULL ? c->net : "user", &bc, &n->backend, why) < 0)
        goto refused;
    n->title = c->net != NULL ? c->net : "user";
    n->face.addr = face_addr(&n->backend.addr);
    n->face.gw = face_addr(&n->backend.gw);
    n->face.dns = face_addr(&n->backend.dns);
    n->face.prefix_len = n->backend.prefix_len;
    n->face.addr6 = face_addr(&n->backend.addr6);
    n->face.gw6 = face_addr(&n->backend.gw6);
    n->face.prefix_len6 = n->backend.prefix_len6;
    struct netdev *dev = n->backend.dev;
    if (net_wrap(n, c, loop_now(l), &dev, why) < 0) {
        netdev_close(dev);
        goto refused;
    }
    if (net_attach(n, l, dev, c, err, n_err) == 0)
        return n;
    net_free(n);
    return NULL;
refused:
    snprintf(err, n_err, "%s", why);
    net_free(n);
    return NULL;
}

/* The first error is kept, and told at the end: a full disk ends the trace, not the program. */
static void flush_trace(struct net *n)
{
    if (n->trace != NULL && fflush(n->trace) != 0 && n->trace_error == 0)
        n->trace_error = -errno;
}

void net_flush(struct net *n, w_ns now)
{
    if (n->look == NULL)
        return;
    look_drain(n->look, 0, n->w);
    look_settle(n->look, now);
    if (n->capture != NULL)
        (void)capture_flush(n->capture);
    flush_trace(n);
}

void net_end_look(struct net *n)
{
    if (n == NULL || n->look == NULL)
        return;
    look_drain(n->look, 0, n->w);
    look_free(n->look);
    n->look = NULL;
    int e = capture_close(n->capture);
    n->capture = NULL;
    flush_trace(n);
    e = e != 0 ? e : n->trace_error;
    if (n->trace != NULL)
        (void)fclose(n->trace);
    n->trace = NULL;
    if (e != 0)
        fprintf(stderr, "weir: not all of the capture or the trace is written: %s\n", strerror(-e));
    if (weir_trace_lost(n->w) != 0)
        fprintf(stderr,
                "weir: capture and trace lack %llu records, overwritten before they were read\n",
                (unsigned long long)weir_trace_lost(n->w));
}

void net_free(struct net *n)
{
    if (n == NULL)
        return;
    look_free(n->look); /* only if it could not begin */
    (void)capture_close(n->capture);
    if (n->trace != NULL)
        (void)fclose(n->trace);
    nicdev_free(n->nic);
    free(n->slots);
    free(n);
}

const struct net_face *net_face(const struct net *n) { return &n->face; }
