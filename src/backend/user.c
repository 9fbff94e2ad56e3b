/* SPDX-License-Identifier: Apache-2.0
 *
 * The user network: a router, a gateway and a name server without root, a TAP or a namespace.
 *
 * What it decides: the addresses of the little network (10.0.2.15 is us, 10.0.2.2 the gateway,
 * which is also how the host is reached, 10.0.2.3 the name server, unless asked otherwise), which
 * ports of the host lead in, and how a device's bursts meet libslirp, which ends our connections
 * and makes the host's sockets continue them. user_slirp.c drives it.
 *
 * The MTU is as large as an IP packet allows: frames never meet a real wire, and each costs the
 * same whatever its size. libslirp verifies checksums, so they are computed for it; those of its
 * own frames are vouched for, since they were made in this process.
 *
 * It needs SIGPIPE ignored, which open does if the signal is at its default, and close undoes: a
 * program started meanwhile must get the default back between fork and exec.
 *
 * Owns the libslirp instance with all its sockets, and the frames on their way.
 */
#include "backend/user.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    MTU_DEFAULT = 65520,
    MTU_MIN = 576,
    MTU_MIN6 = 1280, /* below it there is no IPv6 */
    PREFIX6 = 64,
    MTU_MAX = 65521, /* libslirp's */
    PREFIX_DEFAULT = 24,
    PREFIX_MIN = 8,
    PREFIX_MAX = 27, /* 10.0.2.15 is an address of 10.0.2.0/27, not of smaller ones */
    NET_DEFAULT = 0x0a000200,
    HOST_GUEST = 15,
    HOST_GW = 2,
    HOST_DNS = 3,
};

#define RETRY_NS W_MS

static struct user *self(struct netdev *d) { return WEIR_CONTAINER(d, struct user, dev); }

/* ---- the device --------------------------------------------------------------------------- */

static int user_start(struct netdev *d, struct pktmem *mem)
{
    d->mem = mem;
    return 0;
}

static unsigned user_rx(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    struct user *u = self(d);
    unsigned n = 0;
    (void)q;
    user_pump(u, now);
    while (n < max && u->in.n != 0) {
        v[n] = pktq_pop(&u->in);
        d->stats.rx_bytes += v[n++]->len;
    }
    d->stats.rx_frames += n;
    u->retry_at = u->held_first != NULL ? w_ns_add(now, RETRY_NS) : W_NEVER;
    return n;
}

static void give(struct user *u, w_ns now, const struct pkt *p)
{
    const uint8_t *frame = pkt_data(p);
    if (p->nfrag != 0) {
        uint32_t n = pkt_copy_out(p, 0, u->frame, sizeof u->frame);
        WEIR_ASSERT(n == p->len);
        frame = u->frame;
    }
    user_input(u, now, frame, p->len);
}

static unsigned user_tx(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned n)
{
    struct user *u = self(d);
    unsigned k = 0;
    (void)q;
    for (; k < n && user_waiting(u) < USER_RX_HARD; k++) {
        WEIR_ASSERT(v[k]->gso_size == 0);
        d->stats.tx_frames++;
        d->stats.tx_bytes += v[k]->len;
        give(u, now, v[k]);
        pktq_push(&u->done, v[k]);
    }
    d->stats.tx_busy += k < n;
    return k;
}

static unsigned user_reap(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    struct user *u = self(d);
    unsigned n = 0;
    (void)q;
    (void)now;
    while (n < max && u->done.n != 0)
        v[n++] = pktq_pop(&u->done);
    return n;
}

static bool has_work(const struct user *u) { return u->in.n != 0 || u->done.n != 0 || u->is_dirty; }

static int user_arm(struct netdev *d, unsigned q, bool on)
{
    (void)q;
    (void)on;
    return has_work(self(d));
}

static int user_wait_fd(struct netdev *d, unsigned q)
{
    (void)q;
    return self(d)->ep;
}

static w_ns user_next(struct netdev *d, unsigned q)
{
    struct user *u = self(d);
    (void)q;
    return has_work(u) ? 0 : w_u64_min(u->due, u->retry_at);
}

static void user_close(struct netdev *d)
{
    struct user *u = self(d);
    if (u->slirp != NULL)
        slirp_cleanup(u->slirp);
    pktq_free(&u->in);
    pktq_free(&u->done);
    user_free_tables(u);
    if (u->ep >= 0)
        close(u->ep);
    if (u->was_pipe_default) {
        struct sigaction dfl = {.sa_handler = SIG_DFL};
        (void)sigaction(SIGPIPE, &dfl, NULL);
    }
    free(u);
}

static const struct netdev_ops user_ops = {
    .name = "user",
    .open = user_start,
    .close = user_close,
    .rx = user_rx,
    .tx = user_tx,
    .reap = user_reap,
    .arm = user_arm,
    .wait_fd = user_wait_fd,
    .next = user_next,
};

/* ---- the network -------------------------------------------------------------------------- */

/* An address asked for or, if none was, the one with this host part. */
static uint32_t address(const struct addr *asked, uint32_t net, uint32_t host)
{
    return addr_is_any(asked) ? net | host : addr_to_ip4(asked);
}

static bool is_ip4_or_none(const struct addr *a) { return addr_is_any(a) || addr_is_ip4(a); }

/* The network's addresses into *out. */
static int lay_out(const struct backend_conf *conf, struct backend *out, char *err)
{
    unsigned plen = conf->prefix_len != 0 ? conf->prefix_len : PREFIX_DEFAULT;
    if (plen < PREFIX_MIN || plen > PREFIX_MAX)
        return backend_fail(err, -EINVAL,
                            "the user network needs a prefix from /%d to /%d, not /%u", PREFIX_MIN,
                            PREFIX_MAX, plen);
    if (!is_ip4_or_none(&conf->addr) || !is_ip4_or_none(&conf->gw) || !is_ip4_or_none(&conf->dns))
        return backend_fail(err, -EINVAL, "the user network is IPv4: addresses such as 10.0.2.15");
    uint32_t mask = ~(uint32_t)0 << (32 - plen);
    uint32_t guest = address(&conf->addr, NET_DEFAULT, HOST_GUEST);
    uint32_t net = guest & mask;
    uint32_t gw = address(&conf->gw, net, HOST_GW);
    uint32_t dns = address(&conf->dns, net, HOST_DNS);
    out->addr = addr_ip4(guest);
    out->gw = addr_ip4(gw);
    out->dns = addr_ip4(dns);
    out->prefix_len = (uint8_t)plen;
    char text[3][ADDR_TEXT];
    (void)addr_format(&out->addr, text[0]);
    (void)addr_format(&out->gw, text[1]);
    (void)addr_format(&out->dns, text[2]);
    bool is_inside = (gw & mask) == net && (dns & mask) == net;
    if (!is_inside || guest == gw || guest == dns || gw == dns)
        return backend_fail(err, -EINVAL,
                            "address %s/%u, gateway %s and name server %s must be three different "
                            "addresses of one network",
                            text[0], plen, text[1], text[2]);
    return 0;
}

/* IPv6 beside it: libslirp's own prefix, /64, whatever the length says. An MTU that is too small
 * for it leaves it out [RFC 8200 5]. */
static int lay_out6(const struct backend_conf *conf, uint32_t mtu, struct backend *out, char *err)
{
    const struct addr guest = {.b = {0xfd, [15] = 0x15}}, gw = {.b = {0xfd, [15] = 2}};
    char text[2][ADDR_TEXT];
    if (mtu < MTU_MIN6)
        return 0;
    out->addr6 = addr_is_any(&conf->addr6) ? guest : conf->addr6;
    out->gw6 = gw;
    if (!addr_is_any(&conf->gw6))
        out->gw6 = conf->gw6;
    else
        memcpy(out->gw6.b, out->addr6.b, 8);
    out->prefix_len6 = PREFIX6;
    (void)addr_format(&out->addr6, text[0]);
    (void)addr_format(&out->gw6, text[1]);
    bool is_inside = addr_in_prefix(&out->gw6, &out->addr6, PREFIX6);
    if (conf->prefix_len6 != 0 && conf->prefix_len6 != PREFIX6)
        return backend_fail(err, -EINVAL, "the user network needs an IPv6 prefix of /%d, not /%u",
                            PREFIX6, conf->prefix_len6);
    if (addr_is_ip4(&out->addr6) || !is_inside || addr_eq(&out->addr6, &out->gw6))
        return backend_fail(err, -EINVAL,
                            "IPv6 address %s and gateway %s must be two different addresses of one "
                            "/%d network",
                            text[0], text[1], PREFIX6);
    return 0;
}

static struct in6_addr in6(const struct addr *a)
{
    struct in6_addr in;
    memcpy(&in, a->b, sizeof in);
    return in;
}

static struct in_addr in4(const struct addr *a)
{
    struct in_addr in;
    memcpy(&in, addr_ip4_bytes(a), sizeof in);
    return in;
}

static Slirp *make_slirp(struct user *u, const struct backend_conf *conf, const struct backend *net)
{
    uint32_t mask = ~(uint32_t)0 << (32 - net->prefix_len);
    struct addr vnet = addr_ip4(addr_to_ip4(&net->addr) & mask);
    struct addr vmask = addr_ip4(mask);
    struct addr prefix6 = net->addr6, dns6 = net->gw6;
    prefix6.d[1] = 0;
    dns6.b[15] ^= 1; /* libslirp wants one; nobody is told of it */
    SlirpConfig cfg = {
        .version = 4,
        .in_enabled = true,
        .vnetwork = in4(&vnet),
        .vnetmask = in4(&vmask),
        .vhost = in4(&net->gw),
        .vnameserver = in4(&net->dns),
        .vdhcp_start = in4(&net->addr),
        .in6_enabled = !addr_is_any(&net->addr6),
        .vprefix_addr6 = in6(&prefix6),
        .vprefix_len = PREFIX6,
        .vhost6 = in6(&net->gw6),
        .vnameserver6 = in6(&dns6),
        .if_mtu = u->dev.caps.mtu,
        .if_mru = u->dev.caps.mtu,
        .disable_host_loopback = !conf->can_host_loopback,
        .disable_dhcp = true,
    };
    return slirp_new(&cfg, &user_callbacks, u);
}

static int forward(struct user *u, const struct backend_fwd *f, const struct addr *guest, char *err)
{
    struct addr host = f->host_addr;
    bool is_unset = host.d[0] == 0 && host.d[1] == 0; /* unlike 0.0.0.0 */
    char text[ADDR_TEXT];
    if (is_unset)
        host = addr_ip4(0x7f000001);
    (void)addr_format(&host, text);
    /* A datagram from 127.0.0.1 seems to come from the gateway, and libslirp lets no answer to it
     * through. Accepted TCP connections are not concerned. */
    if (f->is_udp && addr_is_loopback(&host) && !u->can_host_loopback)
        return backend_fail(err, -EINVAL,
                            "cannot forward %s:%u/udp: what comes from this machine itself can "
                            "only be answered with --host-loopback",
                            text, f->host_port);
    errno = 0;
    if (slirp_add_hostfwd(u->slirp, f->is_udp, in4(&host), f->host_port, in4(guest), f->port) == 0)
        return 0;
    int e = errno != 0 ? -errno : -EADDRINUSE;
    const char *what = strerror(-e);
    if (e == -EADDRINUSE)
        what = "another program uses that port";
    else if (e == -EACCES)
        what = "ports below 1024 are for root; try one above";
    else if (e == -EADDRNOTAVAIL)
        what = "this machine does not have that address";
    return backend_fail(err, e, "cannot forward %s:%u%s: %s", text, f->host_port,
                        f->is_udp ? "/udp" : "", what);
}

static void ignore_sigpipe(struct user *u)
{
    struct sigaction was, ignore = {.sa_handler = SIG_IGN};
    u->was_pipe_default = sigaction(SIGPIPE, NULL, &was) == 0 && was.sa_handler == SIG_DFL;
    if (u->was_pipe_default)
        (void)sigaction(SIGPIPE, &ignore, NULL);
}

/* Everything that can fail after the memory is there; user_close undoes any part of it. */
static int set_up(struct user *u, const struct backend_conf *conf, const struct backend *net,
                  char *err)
{
    u->ep = epoll_create1(EPOLL_CLOEXEC);
    if (u->ep < 0)
        return backend_fail(err, -errno, "cannot make an epoll descriptor: %s", strerror(errno));
    ignore_sigpipe(u);
    u->slirp = make_slirp(u, conf, net);
    if (u->slirp == NULL)
        return backend_fail(err, -EINVAL, "libslirp %s refuses this configuration",
                            slirp_version_string());
    for (unsigned i = 0; i < conf->n_fwd; i++) {
        int e = forward(u, &conf->fwd[i], &net->addr, err);
        if (e != 0)
            return e;
    }
    return 0;
}

int user_open(const char *name, const struct backend_conf *conf, struct backend *out, char *err)
{
    struct backend net = {0};
    uint32_t mtu = conf->mtu != 0 ? conf->mtu : MTU_DEFAULT;
    int e = lay_out(conf, &net, err);
    if (e != 0)
        return e;
    if (name[0] != '\0')
        return backend_fail(err, -EINVAL, "user takes no name: 'user', not 'user:%.60s'", name);
    if (mtu < MTU_MIN || mtu > MTU_MAX)
        return backend_fail(err, -EINVAL, "the user network's MTU goes from %d to %d, not %u",
                            MTU_MIN, MTU_MAX, mtu);
    e = lay_out6(conf, mtu, &net, err);
    if (e != 0)
        return e;
    struct user *u = calloc(1, sizeof *u);
    if (u == NULL)
        return backend_fail(err, -ENOMEM, "no memory for the user network");
    u->dev.ops = &user_ops;
    u->dev.caps = (struct netdev_caps){.flags = NETDEV_RX_CSUM, .mtu = mtu, .n_queues = 1};
    backend_mac("user", conf->seed, u->dev.caps.mac);
    u->held_last = &u->held_first;
    u->ep = -1;
    u->can_host_loopback = conf->can_host_loopback;
    u->can_lose = conf->can_lose;
    u->is_dirty = true; /* forwarded ports are sockets to be watched */
    u->due = u->retry_at = W_NEVER;
    e = set_up(u, conf, &net, err);
    if (e != 0) {
        user_close(&u->dev);
        return e;
    }
    net.dev = &u->dev;
    *out = net;
    return 0;
}
