/* SPDX-License-Identifier: Apache-2.0
 *
 * A stack's life: laid out in its arena, given interfaces, addresses and routes, and taken down.
 *
 * The same code that lays a stack out counts how much memory it needs: with a counting arena every
 * room's init only adds up (weir_size).
 *
 * Owns: the order in which rooms are initialised, which is the order of their ranks.
 */
#include "stack/stack.h"
#include "wire/csum.h"
#include "wire/ipv6.h"

#include <errno.h>

static void stack_layout(struct weir *w, struct arena *a, uint64_t seed, w_ns now)
{
    env_init(&w->env, a, seed, now);
    link_init(&w->link, &w->env, a);
    neigh_init(&w->neigh, &w->env, &w->link, a);
    ip_init(&w->ip, &w->env, &w->link, &w->neigh, a);
    icmp_init(&w->icmp, &w->env, &w->ip);
    udp_init(&w->udp, &w->env, &w->ip, a);
    tcp_init(&w->tcp, &w->env, &w->ip, a);
    socks_init(&w->socks, &w->env, &w->tcp, &w->udp, a);
}

size_t weir_size(const struct weir_conf *conf)
{
    struct arena a;
    struct weir w;
    memset(&w, 0, sizeof(w));
    arena_init(&a, NULL, 0);
    (void)arena_take(&a, sizeof(struct weir), WEIR_CACHELINE);
    w.env.conf = *conf;
    stack_layout(&w, &a, 0, 0);
    return a.is_full ? 0 : a.used;
}

static int loopback_add(struct weir *w)
{
    struct nif_conf nc = {.name = "lo",
                          .flags = NIF_UP | NIF_L3 | NIF_LOOPBACK,
                          .caps = NIF_CAP_TX_CSUM | NIF_CAP_TSO,
                          .mtu = 65535};
    int id = link_nif_add(&w->link, &nc);
    if (id < 0)
        return id;
    w->lo = (uint8_t)id;
    struct addr a4 = addr_ip4(0x7f000001), a6 = {.b = {[15] = 1}};
    struct nif *lo = link_nif(&w->link, w->lo);
    int r = ip_addr_add(&w->ip, lo, &a4, IP4_PLEN(8), false);
    return r < 0 ? r : ip_addr_add(&w->ip, lo, &a6, 128, false);
}

int weir_init(void *mem, size_t n, const struct weir_conf *conf, uint64_t seed, weir_ns now,
              struct weir **out)
{
    struct arena a;
    if (mem == NULL || ((uintptr_t)mem & (WEIR_CACHELINE - 1)) != 0)
        return -EINVAL;
    size_t need = weir_size(conf);
    if (need == 0)
        return -EINVAL;
    if (need > n)
        return -ENOMEM;
    arena_init(&a, mem, n);
    struct weir *w = arena_take(&a, sizeof(*w), WEIR_CACHELINE);
    w->env.conf = *conf;
    stack_layout(w, &a, seed, now);
    w->env.csum_isa = (uint32_t)csum_best_isa();
    WEIR_ASSERT(!a.is_full);
    int r = loopback_add(w);
    if (r < 0)
        return r;
    *out = w;
    return 0;
}

/* Closes every socket; the connections they leave, now or earlier, are reset. */
static void sockets_end(struct weir *w)
{
    for (uint32_t i = 1; i <= w->socks.pool.cap; i++)
        if (pool_is_live(&w->socks.pool, i))
            sock_close(&w->socks, pool_at(&w->socks.pool, i), true);
    tcp_abort_all(&w->tcp);
}

/* Packets whose neighbour will not answer any more. */
static void failed_free(struct weir *w)
{
    struct pkt *p;
    while ((p = neigh_failed_pop(&w->neigh)) != NULL)
        pkt_free(p);
}

unsigned weir_fini(struct weir *w)
{
    sockets_end(w);
    stack_settle(w);
    for (unsigned id = 1; id <= LINK_NIFS; id++) {
        struct nif *nif = link_nif(&w->link, id);
        if (nif == NULL)
            continue;
        neigh_flush(&w->neigh, nif);
        failed_free(w);
        link_nif_del(&w->link, nif);
    }
    const struct pktmem *m = &w->env.mem;
    return m->pkts.in_use + m->small_blks.in_use + m->big_blks.in_use + w->socks.pool.in_use;
}

struct pktmem *stack_mem(struct weir *w) { return &w->env.mem; }

/* enum weir_nif_flag to enum nif_cap. */
static uint32_t caps_of(uint32_t flags)
{
    return ((flags & WEIR_NIF_TX_CSUM) != 0 ? (uint32_t)NIF_CAP_TX_CSUM : 0) |
           ((flags & WEIR_NIF_TSO) != 0 ? (uint32_t)NIF_CAP_TSO : 0);
}

int weir_nif_add(struct weir *w, const struct weir_nif_conf *c)
{
    bool is_l3 = (c->flags & WEIR_NIF_L3) != 0;
    struct nif_conf nc = {.name = c->name,
                          .mac = is_l3 ? NULL : c->mac,
                          .flags = NIF_UP | (is_l3 ? (uint32_t)NIF_L3 : 0),
                          .mtu = c->mtu,
                          .gso_max = c->gso_max,
                          .rate_bps = c->rate_bps};
    nc.caps = caps_of(c->flags);
    int id = link_nif_add(&w->link, &nc);
    if (id < 0)
        return id;
    w->probes |= (uint16_t)((c->flags & WEIR_NIF_PROBE) != 0 ? 1u << id : 0);
    if ((c->flags & WEIR_NIF_SLAAC) == 0)
        return id;
    int r = ip6_auto_start(&w->ip, link_nif(&w->link, (unsigned)id));
    return r < 0 ? r : id;
}

int weir_nif_get(const struct weir *w, unsigned id, struct weir_nif_conf *out)
{
    if (id - 1u >= LINK_NIFS || w->link.nif[id - 1].id == 0)
        return -ENODEV;
    const struct nif *nif = &w->link.nif[id - 1];
    *out = (struct weir_nif_conf){.name = nif->name, .mtu = nif->mtu, .gso_max = nif->gso_max};
    memcpy(out->mac, nif->mac, sizeof(out->mac));
    out->flags |= (nif->flags & NIF_L3) != 0 ? (uint32_t)WEIR_NIF_L3 : 0;
    out->flags |= (nif->caps & NIF_CAP_TX_CSUM) != 0 ? (uint32_t)WEIR_NIF_TX_CSUM : 0;
    out->flags |= (nif->caps & NIF_CAP_TSO) != 0 ? (uint32_t)WEIR_NIF_TSO : 0;
    return 0;
}

static bool has_ip6(const struct weir *w, const struct nif *nif)
{
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        const struct ip_addr *a = ip_addr_at(&w->ip, i);
        if (a != NULL && a->nif == nif->id && !addr_is_ip4(&a->addr))
            return true;
    }
    return false;
}

int weir_nif_change(struct weir *w, weir_ns now, unsigned id, const struct weir_nif_conf *c)
{
    stack_enter(w, now);
    struct nif *nif = link_nif(&w->link, id);
    if (nif == NULL)
        return -ENODEV;
    /* [RFC 8200 5] A link with less carries no IPv6. */
    if (c->mtu < WIRE_IP6_MIN_MTU && has_ip6(w, nif))
        return -EINVAL;
    int r = link_nif_change(nif, c->mtu, caps_of(c->flags), c->gso_max);
    if (r == 0)
        ip_nif_changed(&w->ip, nif);
    return r;
}

static struct addr addr_of(const struct weir_addr *a)
{
    struct addr out;
    memcpy(out.b, a->ip, 16);
    return out;
}

int weir_addr_add(struct weir *w, unsigned nif, const struct weir_addr *wa, unsigned plen)
{
    struct nif *n = link_nif(&w->link, nif);
    struct addr a = addr_of(wa);
    if (n == NULL)
        return -ENODEV;
    bool is_ip4 = addr_is_ip4(&a);
    if (plen > (is_ip4 ? 32 : 128))
        return -EINVAL;
    bool probe = (w->probes >> nif & 1) != 0;
    int r = is_ip4 ? 0 : ip6_link_local_add(&w->ip, n, probe);
    if (r == 0)
        r = ip_addr_add(&w->ip, n, &a, is_ip4 ? IP4_PLEN(plen) : plen, probe);
    return r;
}

int weir_route_add(struct weir *w, unsigned nif, const struct weir_addr *dst, unsigned plen,
                   const struct weir_addr *gw)
{
    struct route r = {.prefix = addr_of(dst), .gw = addr_of(gw), .nif = (uint8_t)nif};
    /* All zero is "any" of the family it was written in. */
    if (addr_is_any(&r.prefix) && dst->family != 6)
        r.prefix = addr_ip4(0);
    bool is_ip4 = addr_is_ip4(&r.prefix);
    if (plen > (is_ip4 ? 32 : 128))
        return -EINVAL;
    if (!addr_is_any(&r.gw) && addr_is_ip4(&r.gw) != is_ip4)
        return -EAFNOSUPPORT;
    r.plen = (uint8_t)(is_ip4 ? IP4_PLEN(plen) : plen);
    return ip_route_add(&w->ip, &r);
}
