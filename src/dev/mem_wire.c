/* SPDX-License-Identifier: Apache-2.0
 *
 * A wire in memory between two devices on one thread: for tests, benchmarks and demonstrations.
 *
 * What it decides: that nothing is copied but headers. A sent packet waits, still its sender's, at
 * the far end; when received, a packet of the receiver's memory adopts its payload blocks, and the
 * emptied sender's packet lies ready to be reaped, which is the wire's transmit completion. The
 * wire is finite: with `limit` packets waiting, tx refuses and the sender's qdisc fills.
 *
 * A receiver without free packets loses the frame and counts it, as a NIC without buffers does.
 * Owns the packets in both queues. No time passes on it: put an emu_dev around it for that.
 */
#include "dev/wrap.h"

static struct mem_end *end_of(struct netdev *d) { return WEIR_CONTAINER(d, struct mem_end, dev); }

static int mem_open(struct netdev *d, struct pktmem *mem)
{
    d->mem = mem;
    return 0;
}

/* What we sent and the peer has not received goes too: it is in our memory. */
static void mem_close(struct netdev *d)
{
    struct mem_end *e = end_of(d);
    pktq_free(&e->peer->in);
    pktq_free(&e->done);
}

/* The frame as the receiver's device reports it: it crossed no wire that could have damaged it.
 * csum_at stays: a forwarder of a frame whose checksum was never computed sees it there. */
static struct pkt *receive(struct mem_end *e, struct pkt *from, w_ns now)
{
    struct pkt *p = pkt_adopt(e->dev.mem, from);
    if (p == NULL) {
        e->dev.stats.rx_nomem++;
        return NULL;
    }
    bool is_vouched = netdev_has(&e->dev, NETDEV_RX_CSUM);
    if (p->csum != CSUM_TODO)
        p->csum_start = p->csum_at = 0;
    p->csum = is_vouched ? CSUM_GOOD : CSUM_NONE;
    p->owner = 0;
    p->when = now;
    e->dev.stats.rx_frames++;
    e->dev.stats.rx_bytes += p->len;
    return p;
}

static unsigned mem_rx(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    struct mem_end *e = end_of(d);
    unsigned n = 0;
    (void)q;
    while (n < max && e->in.n != 0) {
        struct pkt *from = pktq_pop(&e->in);
        v[n] = receive(e, from, now);
        n += v[n] != NULL;
        pktq_push(&e->peer->done, from);
    }
    return n;
}

static unsigned mem_tx(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned n)
{
    struct mem_end *e = end_of(d);
    unsigned k = 0;
    (void)q;
    (void)now;
    for (; k < n && e->peer->in.n < e->limit; k++) {
        WEIR_CHECK(v[k]->gso_size == 0 || netdev_has(d, NETDEV_TSO4) || netdev_has(d, NETDEV_TSO6));
        WEIR_CHECK(v[k]->csum != CSUM_TODO || netdev_has(d, NETDEV_TX_CSUM));
        d->stats.tx_frames++;
        d->stats.tx_bytes += v[k]->len;
        pktq_push(&e->peer->in, v[k]);
    }
    d->stats.tx_busy += k < n;
    return k;
}

static unsigned mem_reap(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    struct mem_end *e = end_of(d);
    unsigned n = 0;
    (void)q;
    (void)now;
    while (n < max && e->done.n != 0)
        v[n++] = pktq_pop(&e->done);
    return n;
}

static int mem_arm(struct netdev *d, unsigned q, bool on)
{
    (void)q;
    (void)on;
    return end_of(d)->in.n != 0;
}

static int mem_wait_fd(struct netdev *d, unsigned q)
{
    (void)d;
    (void)q;
    return -1;
}

static w_ns mem_next(struct netdev *d, unsigned q)
{
    (void)q;
    return end_of(d)->in.n != 0 || end_of(d)->done.n != 0 ? 0 : W_NEVER;
}

static const struct netdev_ops mem_ops = {
    .name = "mem",
    .open = mem_open,
    .close = mem_close,
    .rx = mem_rx,
    .tx = mem_tx,
    .reap = mem_reap,
    .arm = mem_arm,
    .wait_fd = mem_wait_fd,
    .next = mem_next,
};

void mem_wire_init(struct mem_wire *w, const struct netdev_caps *caps, unsigned limit)
{
    WEIR_ASSERT(limit != 0);
    *w = (struct mem_wire){0};
    for (unsigned i = 0; i < 2; i++) {
        struct mem_end *e = &w->end[i];
        e->dev.ops = &mem_ops;
        e->dev.caps = *caps;
        e->dev.caps.mac[5] = (uint8_t)(caps->mac[5] + i);
        e->dev.caps.n_queues = 1;
        e->peer = &w->end[1 - i];
        e->limit = limit;
    }
}
