/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses: a program's sockaddr to and from weir's, and the few destinations that mean another.
 *
 * Two mappings, both here and nowhere else. With --host-loopback the host's 127.0.0.1 and ::1 are
 * behind the network's gateway, so a destination on the loopback goes there. A resolver
 * that /etc/resolv.conf names on the loopback (systemd-resolved, dnsmasq) would be weir's own,
 * where nobody listens: port 53 of such an address goes to the network's own resolver, if it has
 * one. The program is told the address it asked for, by getpeername and as the source of answers.
 *
 * Called by answer.c, stream.c, msg.c. Pure but for reading /etc/resolv.conf once.
 */
#include "base/addr.h"
#include "door/state.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

enum { PORT_DNS = 53, LEN_IN = sizeof(struct sockaddr_in), LEN_IN6 = 24 /* without scope */ };
enum { LEN_MOST = 128 };

static bool is_same_ip(const struct weir_addr *a, const struct weir_addr *b)
{
    return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static struct addr ip_of(const struct weir_addr *a)
{
    struct addr x;
    memcpy(x.b, a->ip, sizeof(x.b));
    return x;
}

static int name_parse(const struct plug *p, const uint8_t *buf, size_t len, struct weir_addr *out)
{
    uint16_t family;
    bool is_short = p->family == AF_INET6 && len < LEN_IN6;
    memcpy(&family, buf, sizeof(family));
    memset(out, 0, sizeof(*out));
    if (family == AF_UNSPEC && p->family == AF_INET && len >= LEN_IN)
        memcpy(out->ip, addr_from_ip4(buf + 4).b, 16); /* family 0 says: disconnect, or any */
    else if (family == AF_INET && len >= LEN_IN && (p->family == AF_INET || p->type == WEIR_DGRAM))
        memcpy(out->ip, addr_from_ip4(buf + 4).b, 16);
    else if (family == AF_INET6 && len >= LEN_IN6 && p->family == AF_INET6)
        memcpy(out->ip, buf + 8, 16);
    else if (family == AF_UNSPEC)
        return 0;
    else
        return family == p->family || is_short ? -EINVAL : -EAFNOSUPPORT;
    out->port = w_be16(buf + 2);
    out->family = family == AF_UNSPEC ? 0 : family == AF_INET ? 4 : 6;
    if (family == AF_INET6 && len >= sizeof(struct sockaddr_in6))
        memcpy(&out->scope, buf + 24, 4);
    return 0;
}

int name_read(const struct ask *a, const struct plug *p, uint64_t at, uint64_t len,
              struct weir_addr *out)
{
    uint8_t buf[LEN_MOST] = {0};
    uint32_t n = (uint32_t)len;
    if (n > LEN_MOST || n < sizeof(uint16_t))
        return -EINVAL;
    int r = guest_read(a, at, buf, n);
    return r < 0 ? r : name_parse(p, buf, n, out);
}

unsigned name_put(const struct plug *p, const struct weir_addr *a, uint8_t *buf)
{
    uint16_t family = p->family;
    memset(buf, 0, sizeof(struct sockaddr_in6));
    memcpy(buf, &family, sizeof(family));
    w_put16(buf + 2, a->port);
    if (p->family == AF_INET) {
        memcpy(buf + 4, a->ip + 12, 4);
        return LEN_IN;
    }
    /* No address yet is :: to an IPv6 socket, however the stack writes it. */
    struct addr ip = ip_of(a);
    if (!addr_is_any(&ip))
        memcpy(buf + 8, a->ip, 16);
    memcpy(buf + 24, &a->scope, 4);
    return sizeof(struct sockaddr_in6);
}

int name_write(struct door *d, const struct ask *a, const struct plug *p,
               const struct weir_addr *addr, const uint64_t at[2])
{
    uint8_t buf[sizeof(struct sockaddr_in6)];
    int32_t room;
    int r = guest_read(a, at[1], &room, sizeof(room));
    if (r < 0)
        return r;
    if (room < 0)
        return -EINVAL;
    int32_t n = (int32_t)name_put(p, addr, buf);
    r = guest_write(&d->guests, a, at[0], buf, (size_t)(n < room ? n : room));
    return r < 0 ? r : guest_write(&d->guests, a, at[1], &n, sizeof(n));
}

/* ---- mapping ---- */

static bool is_resolver(const struct door *d, const struct weir_addr *a)
{
    for (unsigned i = 0; i < d->n_resolvers; i++)
        if (is_same_ip(&d->resolver[i], a))
            return true;
    return false;
}

static bool is_known(const struct weir_addr *a)
{
    struct addr ip = ip_of(a);
    return !addr_is_any(&ip);
}

void name_map(struct door *d, struct plug *p, struct weir_addr *a)
{
    struct addr ip = ip_of(a);
    const struct weir_addr *to = NULL;
    if (!addr_is_loopback(&ip))
        return;
    if (a->port == PORT_DNS && is_resolver(d, a))
        to = &d->dns;
    else if (d->conf->backend.can_host_loopback)
        to = !addr_is_ip4(&ip) && is_known(&d->gw6) ? &d->gw6 : &d->gw;
    if (to == NULL || !is_known(to))
        return;
    p->asked = *a;
    p->real = *a;
    memcpy(p->real.ip, to->ip, sizeof(p->real.ip));
    p->has_asked = true;
    *a = p->real;
}

void name_unmap(const struct plug *p, struct weir_addr *a)
{
    if (p->has_asked && a->port == p->real.port && is_same_ip(a, &p->real))
        *a = p->asked;
}

void names_init(struct door *d)
{
    char line[256], text[ADDR_TEXT];
    FILE *f = fopen("/etc/resolv.conf", "re");
    if (f == NULL)
        return;
    while (d->n_resolvers < WEIR_COUNT(d->resolver) && fgets(line, sizeof(line), f) != NULL) {
        struct addr ip;
        if (sscanf(line, "nameserver %47s", text) != 1 || addr_parse(text, &ip) < 0)
            continue;
        memcpy(d->resolver[d->n_resolvers++].ip, ip.b, sizeof(ip.b));
    }
    (void)fclose(f);
}
