/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtio network driver: what is agreed with the device, life and death, interrupts. Frames are
 * in virtio_rx.c and virtio_tx.c, the rings in virtq.c, the registers in virtio.c.
 *
 * Theory of operation. As with vnic.c all memory is made reachable when the device opens, but there
 * is no IOMMU: buffers lie page by page (bus/pages.h), and what crosses a page takes a descriptor
 * more.
 *
 * Interrupts follow NAPI. After one, rx polls with the caller's budget and asks for no more; when
 * it finds less than the budget it asks for interrupts again and looks once more. A host that has
 * none to give (irq_came is NULL) is polled: at once while there is work, then after ever longer
 * pauses, up to POLL_MAX_NS.
 *
 *   state    | by                         | rx, tx, reap
 *   made     | virtio_net_init            | -
 *   open     | vdev_open                  | work
 *   in doubt | must_reset                 | the next rx or tx resets the device, then they work
 *   dead     | a reset that fails         | nothing comes; what is to be sent comes back unsent
 *   closed   | vdev_close                 | -
 *
 * The device is not trusted: used entries that cannot be true, a device that asks for it or has
 * been reset behind our back, and a transmit ring that stands still for HUNG_NS all mean reset;
 * what was to be sent comes back unsent, and TCP sends it again.
 *
 * Read first: virtio 1.2, 2.1, 2.7, 3.1, 5.1.
 */
#include "dev/virtio_net.h"

#include <errno.h>

#include "base/arena.h"
#include "dev/virtio_parts.h"
#include "dev/vnet.h"
#include "wire/eth.h"

enum { MOST_MTU = BLK_BIG - VIRTIO_NET_HLEN - WIRE_ETH_HLEN - WIRE_VLAN_HLEN };
enum { DEFAULT_MTU = 1500, LEAST_MTU = 68, SUPER_MAX = 65535, CONFIG_MAC = 0, CONFIG_MTU = 10 };
enum { TSO_ENTRIES = 64 /* of a ring, so that the longest super-segment fits */ };
enum { POLL_FIRST_NS = 100, POLL_MAX_NS = 500 * 1000, STRIKES = 8 };

#define LOOK_NS  (100 * W_MS)
#define HUNG_NS  (5 * W_S)
#define PEACE_NS W_S /* resets closer than that are strikes */

static struct virtio_net *of_dev(struct netdev *d)
{
    return WEIR_CONTAINER(d, struct virtio_net, dev);
}

const char *virtio_net_counter_text(enum virtio_net_counter c)
{
    static const char *const text[] = {
#define X(name, words) words,
        VIRTIO_NET_COUNTERS(X)
#undef X
    };
    return text[c];
}

/* ---- what is agreed ---- */

static const uint64_t tso_bits =
    VIRTIO_NET_F(HOST_TSO4) | VIRTIO_NET_F(HOST_TSO6) | VIRTIO_NET_F(HOST_ECN);
static const uint64_t lro_bits =
    VIRTIO_NET_F(GUEST_TSO4) | VIRTIO_NET_F(GUEST_TSO6) | VIRTIO_NET_F(GUEST_ECN);

/* What the device can of what is wanted. Super-segments of either kind come with both families and
 * with ECN or not at all, received ones only into merged buffers [virtio 1.2, 5.1.3.1]. */
static uint32_t flags_of(uint64_t offered, uint32_t wanted)
{
    const uint32_t tso = NETDEV_TSO4 | NETDEV_TSO6, lro = NETDEV_LRO | NETDEV_LRO6;
    const uint64_t lro_needs = lro_bits | VIRTIO_NET_F(MRG_RXBUF);
    uint32_t flags = 0;
    flags |= (offered & VIRTIO_NET_F(CSUM)) != 0 ? wanted & NETDEV_TX_CSUM : 0;
    flags |= (offered & VIRTIO_NET_F(GUEST_CSUM)) != 0 ? wanted & NETDEV_RX_CSUM : 0;
    if ((flags & NETDEV_TX_CSUM) != 0 && (offered & tso_bits) == tso_bits && (wanted & tso) == tso)
        flags |= tso;
    if ((flags & NETDEV_RX_CSUM) != 0 && (offered & lro_needs) == lro_needs &&
        (wanted & lro) == lro)
        flags |= lro;
    return flags;
}

/* What is accepted for these capabilities. */
static uint64_t features_for(uint64_t offered, uint32_t flags)
{
    uint64_t f = VIRTIO_F_VERSION_1 | (offered & VIRTIO_F_ACCESS_PLATFORM) |
                 (offered & (VIRTIO_NET_F(MAC) | VIRTIO_NET_F(MTU) | VIRTIO_NET_F(MRG_RXBUF)));
    f |= (flags & NETDEV_TX_CSUM) != 0 ? VIRTIO_NET_F(CSUM) : 0;
    f |= (flags & NETDEV_RX_CSUM) != 0 ? VIRTIO_NET_F(GUEST_CSUM) : 0;
    f |= (flags & NETDEV_TSO4) != 0 ? tso_bits : 0;
    f |= (flags & NETDEV_LRO) != 0 ? lro_bits : 0;
    return f;
}

/* Address and MTU. 0, -EIO, or -EINVAL: the device or the person names an MTU that cannot be. */
static int read_config(struct virtio_net *v)
{
    struct netdev_caps *c = &v->dev.caps;
    uint16_t mtu = DEFAULT_MTU;
    memcpy(c->mac, v->conf.mac, sizeof c->mac);
    if ((v->offered & VIRTIO_NET_F(MAC)) != 0 &&
        virtio_config(&v->host, CONFIG_MAC, c->mac, sizeof c->mac) != 0)
        return -EIO;
    if ((v->offered & VIRTIO_NET_F(MTU)) != 0 && virtio_config16(&v->host, CONFIG_MTU, &mtu) != 0)
        return -EIO;
    if (mtu >
        MOST_MTU) { /* [virtio 1.2, 5.1.4.2] To accept it is to receive frames of that size. */
        v->offered &= ~VIRTIO_NET_F(MTU);
        mtu = MOST_MTU;
    }
    v->rx_mtu = mtu;
    c->mtu = v->conf.mtu != 0 ? w_u32_min(mtu, v->conf.mtu) : mtu;
    return c->mtu >= LEAST_MTU ? 0 : -EINVAL;
}

/* ---- up and down ---- */

static int start_queue(struct virtio_net *v, uint16_t i, struct virtq *q, struct virtq_ring *ring,
                       uint32_t *bell)
{
    uint16_t size = virtio_queue_size(&v->host, i);
    if (size == 0)
        return -EIO;
    virtq_init(q, ring, size);
    virtq_ask_irq(q, false);
    return virtio_queue_start(&v->host, i, q, bell);
}

static int bring_up(struct virtio_net *v)
{
    int e = virtio_reset(&v->host);
    if (e != 0)
        return e;
    v->features = features_for(v->offered, v->dev.caps.flags);
    e = virtio_accept(&v->host, v->features);
    if (e == 0)
        e = start_queue(v, VIRTIO_NET_RXQ, &v->rx, &v->shared->rx, &v->rx_bell);
    if (e == 0)
        e = start_queue(v, VIRTIO_NET_TXQ, &v->tx, &v->shared->tx, &v->tx_bell);
    if (e != 0) {
        virtio_give_up(&v->host);
        return e;
    }
    /* Buffers of which one holds a whole frame, or the sixth part of a super-segment. */
    uint32_t frame = VIRTIO_NET_HLEN + WIRE_ETH_HLEN + WIRE_VLAN_HLEN + v->rx_mtu;
    bool is_small = frame <= BLK_SMALL && !netdev_has(&v->dev, NETDEV_LRO);
    v->buf_bytes = is_small ? BLK_SMALL : BLK_BIG;
    v->must_reset = false;
    v->has_missed = false;
    v->is_polling = true; /* look once before the first sleep */
    v->poll_ns = 0;
    v->watch_at = v->now + LOOK_NS;
    v->tx_moved_at = v->now;
    v->watch_taken = 0;
    virtio_go(&v->host);
    virtio_net_refill(v);
    return 0;
}

/* Takes everything from the device and starts it anew. If that fails, or does not help, the device
 * is left alone for good: it may still write into memory it was once told of, so its buffers are
 * not used again. */
static void recover(struct virtio_net *v)
{
    v->count[VIRTIO_NET_RESETS]++;
    v->strikes = v->now - v->reset_at < PEACE_NS ? v->strikes + 1 : 0;
    v->reset_at = v->now;
    int e = virtio_reset(&v->host);
    virtio_net_tx_reset(v);
    if (e == 0 && v->strikes < STRIKES) {
        virtio_net_rx_free(v);
        e = bring_up(v);
    }
    if (e != 0 || v->strikes == STRIKES) {
        v->count[VIRTIO_NET_GIVEN_UP]++;
        v->is_dead = true;
    }
}

/* ---- interrupts and the watchdog ---- */

void virtio_net_distrust(struct virtio_net *v)
{
    v->count[VIRTIO_NET_BAD_USED]++;
    v->must_reset = true;
}

/* [virtio 1.2, 2.1.1] The device may ask to be reset at any time, or be reset by somebody else. */
static void check_status(struct virtio_net *v)
{
    const uint8_t live = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK;
    uint8_t status = virtio_status(&v->host);
    if ((status & VIRTIO_NEEDS_RESET) != 0 && status != VIRTIO_GONE)
        v->count[VIRTIO_NET_ASKED_RESET]++;
    v->must_reset |= status != live;
}

static void hear_interrupt(struct virtio_net *v)
{
    if (v->host.irq_came == NULL || !v->host.irq_came(v->host.ctx))
        return;
    v->count[VIRTIO_NET_IRQS]++;
    v->has_missed = false;
    if ((virtio_isr(&v->host) & VIRTIO_ISR_CONFIG) != 0)
        check_status(v);
    v->is_polling = true;
    virtq_ask_irq(&v->rx, false);
    virtq_ask_irq(&v->tx, false);
    v->host.irq_allow(v->host.ctx);
}

static void watch(struct virtio_net *v)
{
    if (v->now < v->watch_at)
        return;
    v->watch_at = v->now + LOOK_NS;
    check_status(v);
    bool has_work = virtq_waiting(&v->rx) != 0 || virtq_waiting(&v->tx) != 0;
    /* Work that nobody has told of is done at once; its interrupt may just be late, so that it is
     * called lost only if none has come by the next look. */
    v->count[VIRTIO_NET_LOST_IRQS] += v->has_missed;
    v->has_missed = has_work && !v->is_polling && v->host.irq_came != NULL;
    v->is_polling |= v->has_missed;
    bool has_moved =
        v->tx.taken != v->watch_taken || virtq_held(&v->tx) == 0 || virtq_waiting(&v->tx) != 0;
    v->watch_taken = v->tx.taken;
    if (has_moved)
        v->tx_moved_at = v->now;
    if (v->now - v->tx_moved_at >= HUNG_NS) {
        v->count[VIRTIO_NET_TX_HUNG]++;
        v->must_reset = true;
    }
}

void virtio_net_paced(struct virtio_net *v, bool has_worked)
{
    v->poll_ns = has_worked ? 0 : w_u64_min(2 * v->poll_ns + POLL_FIRST_NS, POLL_MAX_NS);
}

bool virtio_net_attend(struct virtio_net *v, w_ns now)
{
    v->now = w_u64_max(v->now, now);
    if (v->is_dead)
        return false;
    hear_interrupt(v);
    watch(v);
    if (v->must_reset)
        recover(v);
    return !v->is_dead;
}

/* ---- the device contract: open, close, arm, wait_fd, next ---- */

static int map_memory(struct virtio_net *v, struct pktmem *mem)
{
    const struct {
        void *at;
        size_t n;
    } part[] = {
        {v->shared, sizeof *v->shared},
        {mem->pkts.mem, (size_t)(mem->pkts.cap + 1) * mem->pkts.stride},
        {mem->small_mem, (size_t)mem->small_blks.cap * BLK_SMALL},
        {mem->big_mem, (size_t)mem->big_blks.cap * BLK_BIG},
    };
    int e = 0;
    for (unsigned i = 0; i < WEIR_COUNT(part) && e == 0; i++) {
        if (part[i].n != 0)
            e = v->host.map(v->host.ctx, part[i].at, part[i].n);
    }
    return e;
}

static int vdev_open(struct netdev *d, struct pktmem *mem)
{
    struct virtio_net *v = of_dev(d);
    d->mem = mem;
    d->caps.flags =
        flags_of(v->offered, d->caps.flags); /* of what a wrapper has left, what works */
    int e = map_memory(v, mem);
    if (e == 0)
        e = bring_up(v);
    v->is_dead = e != 0;
    return e;
}

static void vdev_close(struct netdev *d)
{
    struct virtio_net *v = of_dev(d);
    /* After this the device touches no memory; where it does not answer nothing better can be
     * done. */
    if (virtio_reset(&v->host) != 0)
        v->count[VIRTIO_NET_GIVEN_UP]++;
    virtio_net_tx_reset(v);
    virtio_net_rx_free(v);
    pktq_free(&v->back);
    v->is_dead = true;
}

static bool has_news(const struct virtio_net *v)
{
    return v->back.n != 0 || (!v->is_dead && (v->is_polling || v->must_reset));
}

/* Interrupts are asked for by rx when it finds nothing more: here is nothing to do. */
static int vdev_arm(struct netdev *d, unsigned q, bool on)
{
    (void)q;
    (void)on;
    return has_news(of_dev(d));
}

static int vdev_wait_fd(struct netdev *d, unsigned q)
{
    (void)d;
    (void)q;
    return -1;
}

static w_ns vdev_next(struct netdev *d, unsigned q)
{
    const struct virtio_net *v = of_dev(d);
    (void)q;
    if (has_news(v))
        return 0;
    if (v->is_dead)
        return W_NEVER;
    return v->host.irq_came != NULL ? v->watch_at : v->now + v->poll_ns;
}

static const struct netdev_ops virtio_net_ops = {
    .name = "virtio",
    .open = vdev_open,
    .close = vdev_close,
    .rx = virtio_net_rx,
    .tx = virtio_net_tx,
    .reap = virtio_net_reap,
    .arm = vdev_arm,
    .wait_fd = vdev_wait_fd,
    .next = vdev_next,
};

int virtio_net_init(struct virtio_net *v, const struct virtio_host *host,
                    const struct virtio_net_conf *conf, struct arena *a)
{
    *v = (struct virtio_net){.host = *host, .conf = *conf, .is_dead = true};
    v->shared = arena_take(a, sizeof *v->shared, BUS_PAGE);
    WEIR_ASSERT(v->shared != NULL);
    int e = virtio_reset(host);
    if (e != 0)
        return e;
    v->offered = virtio_offered(host);
    if ((v->offered & VIRTIO_F_VERSION_1) == 0) {
        virtio_give_up(host);
        return -ENOTSUP;
    }
    v->dev.ops = &virtio_net_ops;
    const uint32_t tso = NETDEV_TSO4 | NETDEV_TSO6;
    bool is_long = virtio_queue_size(host, VIRTIO_NET_TXQ) >= TSO_ENTRIES;
    uint32_t flags = flags_of(v->offered, is_long ? conf->offloads : conf->offloads & ~tso);
    v->dev.caps = (struct netdev_caps){
        .flags = flags, .n_queues = 1, .gso_max = (flags & tso) != 0 ? SUPER_MAX : 0};
    return read_config(v);
}
