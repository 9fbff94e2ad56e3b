/* SPDX-License-Identifier: Apache-2.0
 *
 * A TAP interface: frames to and from the kernel's own stack, a system call each.
 *
 * What it decides. A system call costs the same for 64 bytes and 64 kilobytes, so frames cross with
 * a virtio-net header in front that lets both sides leave checksums undone and super-segments
 * whole. A frame is read straight into a packet of the stack: the first bytes, where the headers
 * are, into the linear part, the rest into blocks that lie ready (one small, then big ones); what a
 * frame did not need stays ready for the next.
 *
 *   read:  [vnet header][linear 256][small 2048][big 16384] × 4
 *
 * The kernel copies during write, so a written packet is done at once and waits to be reaped.
 * Without free packets in the stack's memory a frame is read and lost, counted, as by a NIC whose
 * ring is empty: leaving it with the kernel would keep the descriptor readable and spin.
 *
 * Owns the descriptor, the prepared packet and blocks, the packets to be reaped. Read first:
 * Documentation/networking/tuntap.rst of Linux; dev/vnet.c (the header's meaning).
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "backend/kinds.h"
#include "dev/vnet.h"
#include "pkt/pkt.h"
#include "wire/eth.h"

enum {
    N_BIG = 4,
    N_READY = 1 + N_BIG,
    LOST_FRAME = 2048, /* a frame without memory is read into this much and forgotten */
};

#define RETRY_NS (100 * W_US)

struct tap {
    struct netdev dev;
    int fd;
    struct pkt *ready_pkt;
    struct blk *ready[N_READY];
    struct pktq done;
    w_ns retry_at; /* after the kernel refused a frame; W_NEVER */
};

static struct tap *self(struct netdev *d) { return WEIR_CONTAINER(d, struct tap, dev); }

/* ---- receive ------------------------------------------------------------------------------ */

static bool make_ready(struct tap *t)
{
    if (t->ready_pkt == NULL)
        t->ready_pkt = pkt_new(t->dev.mem);
    if (t->ready_pkt == NULL)
        return false;
    for (unsigned i = 0; i < N_READY; i++) {
        if (t->ready[i] == NULL)
            t->ready[i] = blk_new(t->dev.mem, i == 0 ? BLK_SMALL : BLK_BIG);
        if (t->ready[i] == NULL)
            return false;
    }
    return true;
}

/* Turns what is ready into the frame of n bytes just read into it. NULL: its header lied. */
static struct pkt *take_ready(struct tap *t, const uint8_t h[VNET_HLEN], uint32_t n)
{
    struct pkt *p = t->ready_pkt;
    t->ready_pkt = NULL;
    p->lin = (uint16_t)w_u32_min(n, PKT_RX_LINEAR);
    p->len = p->lin;
    n -= p->lin;
    for (unsigned i = 0; n != 0 && i < N_READY; i++) {
        struct blk *b = t->ready[i];
        b->used = w_u32_min(n, b->cap);
        n -= b->used;
        bool is_added = pkt_add_frag(p, b, 0, b->used);
        WEIR_ASSERT(is_added);
        blk_unref(b);
        t->ready[i] = NULL;
    }
    if (vnet_get(p, h, t->dev.caps.flags))
        return p;
    t->dev.stats.rx_dropped++;
    pkt_free(p);
    return NULL;
}

static struct pkt *read_frame(struct tap *t, bool *is_empty)
{
    uint8_t h[VNET_HLEN];
    struct iovec v[2 + N_READY] = {{.iov_base = h, .iov_len = sizeof h}};
    uint8_t lost[LOST_FRAME];
    bool has_memory = make_ready(t);
    uint32_t room = PKT_RX_LINEAR;
    int n_v = 2;
    if (has_memory) {
        t->ready_pkt->off = 0;
        v[1] = (struct iovec){.iov_base = t->ready_pkt->head, .iov_len = PKT_RX_LINEAR};
        for (unsigned i = 0; i < N_READY; i++) {
            v[n_v++] = (struct iovec){.iov_base = t->ready[i]->mem, .iov_len = t->ready[i]->cap};
            room += t->ready[i]->cap;
        }
    } else {
        v[1] = (struct iovec){.iov_base = lost, .iov_len = sizeof lost};
    }
    ssize_t n = readv(t->fd, v, n_v);
    *is_empty = n < 0;
    if (n < (ssize_t)(sizeof h + WIRE_ETH_HLEN)) {
        t->dev.stats.rx_dropped += n >= 0;
        return NULL;
    }
    uint32_t len = (uint32_t)n - (uint32_t)sizeof h;
    /* With big blocks out, small ones lie ready in their place, and the kernel tells the frame's
     * whole length even if it did not fit. */
    if (!has_memory || len > room) {
        t->dev.stats.rx_nomem++;
        return NULL;
    }
    return take_ready(t, h, len);
}

static unsigned tap_rx(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    struct tap *t = self(d);
    unsigned n = 0;
    bool is_empty = false;
    (void)q;
    /* Bounded by tries, so that frames lost for lack of memory do not hold us here. */
    for (unsigned i = 0; i < max && !is_empty; i++) {
        struct pkt *p = read_frame(t, &is_empty);
        if (p == NULL)
            continue;
        p->when = now;
        d->stats.rx_frames++;
        d->stats.rx_bytes += p->len;
        v[n++] = p;
    }
    return n;
}

/* ---- transmit ----------------------------------------------------------------------------- */

/* 0; -EAGAIN: the kernel wants it later; else it will never be sent. */
static int write_frame(struct tap *t, const struct pkt *p)
{
    uint8_t h[VNET_HLEN];
    struct iovec v[2 + PKT_FRAGS] = {
        {.iov_base = h, .iov_len = sizeof h},
        {.iov_base = pkt_data(p), .iov_len = p->lin},
    };
    int n_v = 2;
    vnet_put(p, h);
    for (unsigned i = 0; i < p->nfrag; i++) {
        const struct frag *f = &p->frag[i];
        v[n_v++] = (struct iovec){.iov_base = f->b->mem + f->off, .iov_len = f->len};
    }
    return writev(t->fd, v, n_v) >= 0 ? 0 : -errno;
}

static unsigned tap_tx(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned n)
{
    struct tap *t = self(d);
    unsigned k = 0;
    (void)q;
    t->retry_at = W_NEVER;
    for (; k < n; k++) {
        int e = write_frame(t, v[k]);
        if (e == -EAGAIN || e == -EINTR) {
            t->retry_at = w_ns_add(now, RETRY_NS);
            d->stats.tx_busy++;
            break;
        }
        d->stats.tx_frames += e == 0;
        d->stats.tx_bytes += e == 0 ? v[k]->len : 0;
        d->stats.tx_dropped += e != 0;
        pktq_push(&t->done, v[k]);
    }
    return k;
}

static unsigned tap_reap(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    unsigned n = 0;
    (void)q;
    (void)now;
    while (n < max && self(d)->done.n != 0)
        v[n++] = pktq_pop(&self(d)->done);
    return n;
}

/* ---- life --------------------------------------------------------------------------------- */

static int tap_start(struct netdev *d, struct pktmem *mem)
{
    unsigned long offload = 0;
    d->mem = mem;
    /* What is left of the capabilities is what the kernel may hand us. */
    if (netdev_has(d, NETDEV_RX_CSUM)) {
        offload = TUN_F_CSUM;
        if (netdev_has(d, NETDEV_LRO))
            offload |= TUN_F_TSO4 | TUN_F_TSO_ECN;
        if (netdev_has(d, NETDEV_LRO6))
            offload |= TUN_F_TSO6 | TUN_F_TSO_ECN;
    }
    return ioctl(self(d)->fd, TUNSETOFFLOAD, offload) == 0 ? 0 : -errno;
}

static void tap_close(struct netdev *d)
{
    struct tap *t = self(d);
    pktq_free(&t->done);
    if (t->ready_pkt != NULL)
        pkt_free(t->ready_pkt);
    for (unsigned i = 0; i < N_READY; i++) {
        if (t->ready[i] != NULL)
            blk_unref(t->ready[i]);
    }
    close(t->fd);
    free(t);
}

/* The descriptor is level-triggered: nothing to arm. */
static int tap_arm(struct netdev *d, unsigned q, bool on)
{
    (void)q;
    (void)on;
    return self(d)->done.n != 0;
}

static int tap_wait_fd(struct netdev *d, unsigned q)
{
    (void)q;
    return self(d)->fd;
}

static w_ns tap_next(struct netdev *d, unsigned q)
{
    (void)q;
    return self(d)->done.n != 0 ? 0 : self(d)->retry_at;
}

static const struct netdev_ops tap_ops = {
    .name = "tap",
    .open = tap_start,
    .close = tap_close,
    .rx = tap_rx,
    .tx = tap_tx,
    .reap = tap_reap,
    .arm = tap_arm,
    .wait_fd = tap_wait_fd,
    .next = tap_next,
};

/* ---- opening, and why it fails ------------------------------------------------------------ */

#define RECIPE                                                                                     \
    "ip tuntap add dev %s mode tap user $USER; ip addr add 192.168.70.1/24 dev %s; "               \
    "ip link set %s up"

/* The interface's MTU; or -E… and a sentence. */
static int ask_interface(const char *name, char *err)
{
    struct ifreq r = {0};
    memcpy(r.ifr_name, name, strlen(name));
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        return backend_fail(err, -errno, "cannot ask about %s: %s", name, strerror(errno));
    int e = ioctl(s, SIOCGIFFLAGS, &r) == 0 ? 0 : -errno;
    bool is_up = e == 0 && (r.ifr_flags & IFF_UP) != 0;
    if (e == 0)
        e = ioctl(s, SIOCGIFMTU, &r) == 0 ? 0 : -errno;
    close(s);
    if (e == -ENODEV)
        return backend_fail(err, e, "there is no interface %s; as root, run: " RECIPE, name, name,
                            name, name);
    if (e != 0)
        return backend_fail(err, e, "cannot ask about %s: %s", name, strerror(-e));
    if (!is_up)
        return backend_fail(err, -ENETDOWN, "interface %s is down; as root, run: ip link set %s up",
                            name, name);
    return r.ifr_mtu;
}

/* The descriptor attached to the interface; or -E… and a sentence. */
static int attach(const char *name, char *err)
{
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    memcpy(r.ifr_name, name, strlen(name));
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return backend_fail(err, -errno, "cannot open /dev/net/tun: %s%s", strerror(errno),
                            errno == ENOENT   ? " (as root, run: modprobe tun)"
                            : errno == EACCES ? " (as root, run: chmod 666 /dev/net/tun)"
                                              : "");
    if (ioctl(fd, TUNSETIFF, &r) == 0) {
        const int is_le = 1; /* the headers' byte order; older kernels have the host's */
        (void)ioctl(fd, TUNSETVNETLE, &is_le);
        return fd;
    }
    int e = -errno;
    close(fd);
    if (e == -EPERM)
        return backend_fail(err, e, "%s is not yours; as root, run: ip link del %s; " RECIPE, name,
                            name, name, name, name);
    if (e == -EBUSY)
        return backend_fail(err, e, "%s is in use by another program", name);
    if (e == -EINVAL)
        return backend_fail(err, e, "%s is no TAP interface, or one of another mode", name);
    return backend_fail(err, e, "cannot attach to %s: %s", name, strerror(-e));
}

int tap_open(const char *name, const struct backend_conf *conf, struct backend *out, char *err)
{
    if (name[0] == '\0' || strlen(name) >= IFNAMSIZ)
        return backend_fail(err, -EINVAL, "tap needs the name of an interface, such as tap:tap0");
    int mtu = ask_interface(name, err);
    if (mtu < 0)
        return mtu;
    int fd = attach(name, err);
    if (fd < 0)
        return fd;
    struct tap *t = calloc(1, sizeof *t);
    if (t == NULL) {
        close(fd);
        return backend_fail(err, -ENOMEM, "no memory for %s", name);
    }
    t->fd = fd;
    t->retry_at = W_NEVER;
    t->dev.ops = &tap_ops;
    t->dev.caps = (struct netdev_caps){
        .flags =
            NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4 | NETDEV_TSO6 | NETDEV_LRO | NETDEV_LRO6,
        .mtu = conf->mtu != 0 ? conf->mtu : (uint32_t)mtu,
        .gso_max = 65535,
        .n_queues = 1,
    };
    backend_mac(name, conf->seed, t->dev.caps.mac);
    *out = (struct backend){.dev = &t->dev, .addr = conf->addr, .gw = conf->gw, .dns = conf->dns};
    out->prefix_len = conf->prefix_len != 0 ? conf->prefix_len : 24;
    out->addr6 = conf->addr6;
    out->gw6 = conf->gw6;
    out->prefix_len6 = conf->prefix_len6 != 0 ? conf->prefix_len6 : 64;
    return 0;
}
