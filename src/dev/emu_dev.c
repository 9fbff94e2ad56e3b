/* SPDX-License-Identifier: Apache-2.0
 *
 * A device behind an emulated link: whatever runs over it meets the loss, delay and rate asked for.
 *
 *   stack ─ tx ─► emu tx ─► inner.tx          stack ◄─ rx ─ emu rx ◄─ inner.rx
 *     ◄─ reap ─ done
 *
 * What it decides. A sent packet is done with as soon as the emulated network has it: its payload
 * moves into a packet of the network's own, and the stack's comes back through reap, so that
 * TCP's limit on bytes below it sees this host's queues and not the network's. When there is no
 * memory for that, the frame is lost and counted.
 *
 * Offloads are taken from the device below before it opens: a checksum must be there to notice a
 * flipped bit, and a super-segment would be lost or delayed as one.
 *
 * Owns the frames in both emulators, in `held` and in `done`. Its clock is the caller's: frames
 * move when rx, tx or reap is called, and next() says when that is due.
 */
#include "dev/wrap.h"

static struct emu_dev *emu_of(struct netdev *d) { return WEIR_CONTAINER(d, struct emu_dev, dev); }

static int edev_open(struct netdev *d, struct pktmem *mem)
{
    d->mem = mem;
    return netdev_open(emu_of(d)->inner, mem);
}

static void edev_close(struct netdev *d)
{
    struct emu_dev *e = emu_of(d);
    emu_flush(&e->tx);
    emu_flush(&e->rx);
    for (unsigned i = 0; i < e->n_held; i++)
        pkt_free(e->held[i]);
    e->n_held = 0;
    pktq_free(&e->done);
    netdev_close(e->inner);
}

/* Moves what has crossed the emulated link into the device below, as far as that takes it. */
static void pump_tx(struct emu_dev *e, unsigned q, w_ns now)
{
    do {
        if (e->n_held == 0)
            e->n_held = emu_pop(&e->tx, now, e->held, EMU_DEV_HELD);
        if (e->n_held == 0)
            break;
        unsigned k = netdev_tx(e->inner, q, now, e->held, e->n_held);
        e->n_held -= k;
        memmove(e->held, e->held + k, e->n_held * sizeof(e->held[0]));
    } while (e->n_held == 0);
    wrap_free_reaped(e->inner, q, now);
}

static unsigned edev_rx(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    struct emu_dev *e = emu_of(d);
    struct pkt *in[EMU_DEV_HELD];
    unsigned n, total = 0;
    pump_tx(e, q, now);
    do {
        n = netdev_rx(e->inner, q, now, in, EMU_DEV_HELD);
        for (unsigned i = 0; i < n; i++)
            emu_push(&e->rx, now, in[i]);
        total += n;
    } while (n == EMU_DEV_HELD && total < max);
    n = emu_pop(&e->rx, now, v, max);
    for (unsigned i = 0; i < n; i++)
        d->stats.rx_bytes += v[i]->len;
    d->stats.rx_frames += n;
    return n;
}

static unsigned edev_tx(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned n)
{
    struct emu_dev *e = emu_of(d);
    for (unsigned i = 0; i < n; i++) {
        d->stats.tx_frames++;
        d->stats.tx_bytes += v[i]->len;
        struct pkt *p = pkt_adopt(d->mem, v[i]);
        if (p != NULL)
            emu_push(&e->tx, now, p);
        else
            d->stats.tx_dropped++;
        pktq_push(&e->done, v[i]);
    }
    pump_tx(e, q, now);
    return n;
}

static unsigned edev_reap(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    struct emu_dev *e = emu_of(d);
    unsigned n = 0;
    pump_tx(e, q, now);
    while (n < max && e->done.n != 0)
        v[n++] = pktq_pop(&e->done);
    return n;
}

static int edev_arm(struct netdev *d, unsigned q, bool on)
{
    return netdev_arm(emu_of(d)->inner, q, on);
}

static int edev_wait_fd(struct netdev *d, unsigned q)
{
    return netdev_wait_fd(emu_of(d)->inner, q);
}

/* Frames refused by the device below are tried again when that one wants to be called. */
static w_ns edev_next(struct netdev *d, unsigned q)
{
    struct emu_dev *e = emu_of(d);
    w_ns at = netdev_next(e->inner, q);
    if (e->done.n != 0)
        return 0;
    return w_u64_min(at, w_u64_min(emu_next(&e->tx), emu_next(&e->rx)));
}

static const struct netdev_ops emu_dev_ops = {
    .name = "emu",
    .open = edev_open,
    .close = edev_close,
    .rx = edev_rx,
    .tx = edev_tx,
    .reap = edev_reap,
    .arm = edev_arm,
    .wait_fd = edev_wait_fd,
    .next = edev_next,
};

void emu_dev_init(struct emu_dev *e, struct netdev *inner, const struct emu_conf *tx,
                  const struct emu_conf *rx, struct emu_slot *slots, uint32_t n_slots)
{
    const uint32_t offloads =
        NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4 | NETDEV_TSO6 | NETDEV_LRO | NETDEV_LRO6;
    inner->caps.flags &= ~offloads;
    inner->caps.gso_max = 0;
    *e = (struct emu_dev){.dev = {.ops = &emu_dev_ops, .caps = inner->caps}};
    e->inner = inner;
    struct rng none = {0};
    emu_init(&e->tx, tx, none, slots, n_slots, 0);
    emu_init(&e->rx, rx, none, slots + n_slots, n_slots, 0);
}

void emu_dev_start(struct emu_dev *e, struct rng rng, w_ns now)
{
    emu_init(&e->tx, &e->tx.conf, rng_fork(&rng, 1), e->tx.slot, e->tx.max_flight, now);
    emu_init(&e->rx, &e->rx.conf, rng_fork(&rng, 2), e->rx.slot, e->rx.max_flight, now);
    emu_set_back(&e->tx, &e->rx);
    emu_set_back(&e->rx, &e->tx);
}
