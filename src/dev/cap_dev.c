/* SPDX-License-Identifier: Apache-2.0
 *
 * A device that shows every frame it carries to a sink: capture, whatever the device below.
 *
 * What it decides: that a frame is shown exactly once, in the order it passed. A frame going down
 * must be shown while it is still ours, before the device below takes it; so what that one then
 * refuses has been shown already, is kept here (at most CAP_HELD frames), and goes first next time.
 *
 * Owns `held`. Called by whoever drives devices; calls the device below and the sink, to which a
 * frame is only lent. Frames are shown as the device carries them: super-segments whole, checksums
 * perhaps still undone.
 */
#include "dev/wrap.h"

static struct cap_dev *self(struct netdev *d) { return WEIR_CONTAINER(d, struct cap_dev, dev); }

static int cap_open(struct netdev *d, struct pktmem *mem)
{
    d->mem = mem;
    return netdev_open(self(d)->inner, mem);
}

static void cap_close(struct netdev *d)
{
    struct cap_dev *c = self(d);
    for (unsigned i = 0; i < c->n_held; i++)
        pkt_free(c->held[i]);
    c->n_held = 0;
    netdev_close(c->inner);
}

static unsigned cap_rx(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    struct cap_dev *c = self(d);
    unsigned n = netdev_rx(c->inner, q, now, v, max);
    for (unsigned i = 0; i < n; i++)
        c->sink.frame(c->sink.ctx, now, CAP_RX, v[i]);
    d->stats = c->inner->stats;
    return n;
}

/* Whether the device below has taken everything held. */
static bool send_held(struct cap_dev *c, unsigned q, w_ns now)
{
    if (c->n_held == 0)
        return true;
    unsigned k = netdev_tx(c->inner, q, now, c->held, c->n_held);
    c->n_held -= k;
    memmove(c->held, c->held + k, c->n_held * sizeof(c->held[0]));
    return c->n_held == 0;
}

static unsigned cap_tx(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned n)
{
    struct cap_dev *c = self(d);
    unsigned taken = 0;
    while (taken < n && send_held(c, q, now)) {
        unsigned m = w_u32_min(n - taken, CAP_HELD);
        for (unsigned i = 0; i < m; i++) {
            c->held[i] = v[taken + i];
            c->sink.frame(c->sink.ctx, now, CAP_TX, c->held[i]);
        }
        c->n_held = m;
        taken += m;
    }
    (void)send_held(c, q, now);
    d->stats = c->inner->stats;
    return taken;
}

static unsigned cap_reap(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    (void)send_held(self(d), q, now);
    return netdev_reap(self(d)->inner, q, now, v, max);
}

static int cap_arm(struct netdev *d, unsigned q, bool on)
{
    return netdev_arm(self(d)->inner, q, on);
}

static int cap_wait_fd(struct netdev *d, unsigned q) { return netdev_wait_fd(self(d)->inner, q); }
static w_ns cap_next(struct netdev *d, unsigned q) { return netdev_next(self(d)->inner, q); }

static const struct netdev_ops cap_ops = {
    .name = "cap",
    .open = cap_open,
    .close = cap_close,
    .rx = cap_rx,
    .tx = cap_tx,
    .reap = cap_reap,
    .arm = cap_arm,
    .wait_fd = cap_wait_fd,
    .next = cap_next,
};

void cap_dev_init(struct cap_dev *c, struct netdev *inner, struct cap_sink sink)
{
    *c = (struct cap_dev){.dev = {.ops = &cap_ops, .caps = inner->caps}};
    c->inner = inner;
    c->sink = sink;
}
