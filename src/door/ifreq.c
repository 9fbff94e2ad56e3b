/* SPDX-License-Identifier: Apache-2.0
 *
 * The interfaces that a program sees when it asks one of its sockets: SIOCGIFCONF and its family.
 *
 * There are two: lo, and the one that leads to the network. The host's are not the program's. Only
 * questions are answered; changing an interface is EPERM, as for any program without privileges.
 * (Programs that ask netlink still see the host's interfaces.)
 *
 * Called by opt.c. Pure but for the program's memory.
 */
#include "base/addr.h"
#include "door/state.h"

#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { IFACES = 2, ETHER = 1, LOOPBACK = 772, MTU_LO = 65536 };

struct iface {
    const char *name;
    uint32_t addr, mask; /* host order */
    int mtu, flags;
};

static unsigned ifaces(const struct door *d, struct iface v[IFACES])
{
    struct addr a;
    memcpy(a.b, d->addr.ip, sizeof(a.b));
    v[0] =
        (struct iface){"lo", 0x7f000001, 0xff000000, MTU_LO, IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
    if (addr_is_any(&a) || !addr_is_ip4(&a))
        return 1;
    uint32_t mask = d->prefix_len == 0 ? 0 : ~0u << (32 - d->prefix_len);
    v[1] = (struct iface){"net0", addr_to_ip4(&a), mask, (int)d->mtu,
                          IFF_UP | IFF_BROADCAST | IFF_RUNNING | IFF_MULTICAST};
    return 2;
}

static void put_address(struct ifreq *r, uint32_t ip)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    w_put32((uint8_t *)&sin.sin_addr, ip);
    memset(&r->ifr_addr, 0, sizeof(r->ifr_addr));
    memcpy(&r->ifr_addr, &sin, sizeof(sin));
}

static int64_t list_all(struct door *d, const struct ask *a)
{
    struct ifconf conf;
    struct iface v[IFACES];
    struct ifreq out[IFACES];
    unsigned n = ifaces(d, v);
    int r = guest_read(a, a->arg[2], &conf, sizeof(conf));
    if (r < 0)
        return r;
    memset(out, 0, sizeof(out));
    for (unsigned i = 0; i < n; i++) {
        memcpy(out[i].ifr_name, v[i].name, strlen(v[i].name));
        put_address(&out[i], v[i].addr);
    }
    unsigned room = conf.ifc_len < 0 ? 0 : (unsigned)conf.ifc_len / (unsigned)sizeof(out[0]);
    if (conf.ifc_buf != NULL && room < n)
        n = room;
    if (conf.ifc_buf != NULL)
        r = guest_write(&d->guests, a, (uint64_t)(uintptr_t)conf.ifc_buf, out, n * sizeof(out[0]));
    conf.ifc_len = (int)(n * sizeof(out[0]));
    return r < 0 ? r : guest_write(&d->guests, a, a->arg[2], &conf, sizeof(conf));
}

/* One field of one interface into *r. */
static int fill(uint32_t request, const struct iface *f, unsigned index, struct ifreq *r)
{
    switch (request) {
    case SIOCGIFADDR: put_address(r, f->addr); return 0;
    case SIOCGIFNETMASK: put_address(r, f->mask); return 0;
    case SIOCGIFBRDADDR: put_address(r, f->addr | ~f->mask); return 0;
    case SIOCGIFFLAGS: r->ifr_flags = (short)f->flags; return 0;
    case SIOCGIFMTU: r->ifr_mtu = f->mtu; return 0;
    case SIOCGIFINDEX: r->ifr_ifindex = (int)index + 1; return 0;
    case SIOCGIFMETRIC: r->ifr_metric = 0; return 0;
    case SIOCGIFHWADDR:
        memset(&r->ifr_hwaddr, 0, sizeof(r->ifr_hwaddr));
        r->ifr_hwaddr.sa_family = index == 0 ? LOOPBACK : ETHER;
        return 0;
    default: return -EOPNOTSUPP;
    }
}

static int64_t by_name(struct door *d, const struct ask *a, uint32_t request)
{
    struct iface v[IFACES];
    struct ifreq r;
    unsigned n = ifaces(d, v);
    int err = guest_read(a, a->arg[2], &r, sizeof(r));
    if (err < 0)
        return err;
    if (request == SIOCGIFNAME) {
        if (r.ifr_ifindex < 1 || (unsigned)r.ifr_ifindex > n)
            return -ENODEV;
        memset(r.ifr_name, 0, sizeof(r.ifr_name));
        memcpy(r.ifr_name, v[r.ifr_ifindex - 1].name, strlen(v[r.ifr_ifindex - 1].name));
        return guest_write(&d->guests, a, a->arg[2], &r, sizeof(r));
    }
    r.ifr_name[sizeof(r.ifr_name) - 1] = 0;
    unsigned i = 0;
    while (i < n && strcmp(v[i].name, r.ifr_name) != 0)
        i++;
    if (i == n)
        return -ENODEV;
    err = fill(request, &v[i], i, &r);
    return err < 0 ? err : guest_write(&d->guests, a, a->arg[2], &r, sizeof(r));
}

int64_t ifreq_ioctl(struct door *d, struct hand *h)
{
    uint32_t request = (uint32_t)h->ask->arg[1];
    switch (request) {
    case SIOCGIFCONF: return list_all(d, h->ask);
    case SIOCGIFNAME:
    case SIOCGIFADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFBRDADDR:
    case SIOCGIFFLAGS:
    case SIOCGIFMTU:
    case SIOCGIFINDEX:
    case SIOCGIFMETRIC:
    case SIOCGIFHWADDR: return by_name(d, h->ask, request);
    case SIOCSIFADDR:
    case SIOCSIFFLAGS:
    case SIOCSIFNETMASK:
    case SIOCSIFMTU:
    case SIOCADDRT:
    case SIOCDELRT: return -EPERM;
    default: report_refusal(d, "ioctl", 0, (int)request); return -EOPNOTSUPP;
    }
}
