/* SPDX-License-Identifier: Apache-2.0
 *
 * Neighbour solicitations and advertisements, in and out [RFC 4861 7]; what routers say is ip/'s.
 *
 * Decides what such a message teaches: a conflict over one of our addresses, a new or changed MAC
 * of a neighbour we know, a new neighbour when it asked for us, nothing otherwise; and whether it
 * is answered: only for an address that is ours on that very interface, at the rate ARP is
 * answered.
 *
 * Called by icmp/, which has checked hop limit, checksum and format, and by neigh.c and own.c for
 * what we send; calls link/. Owns nothing. What leaves from here carries its IPv6 header already:
 * these are the packets that find the way for all others.
 *
 * Invariants: an advertisement never makes an entry; a permanent entry is never changed; a probe of
 * ours that comes back is known by its nonce and is no duplicate [RFC 7527 4.2].
 *
 * Read first: RFC 4861 7.1, 7.2; RFC 4862 5.4; RFC 6980 (fragments never get here as ND: icmp/);
 * RFC 9131 (what own.c announces).
 */
#include "wire/nd.h"
#include "neigh/table.h"
#include "wire/csum.h"
#include "wire/ipv6.h"

enum { ND_HLIM = 255, ND_MESSAGE_MAX = 40 };

static const struct addr all_nodes = {.b = {0xff, 0x02, [15] = 1}};

struct pkt *nd_message(struct neigh *n, const struct addr *src, const struct addr *dst,
                       struct wire_nd *m)
{
    uint8_t b[ND_MESSAGE_MAX];
    unsigned len = wire_nd_build(b, sizeof b, m);
    struct pkt *p = pkt_new(&n->env->mem);
    WEIR_ASSERT(len != 0);
    if (p == NULL) {
        (void)env_drop(n->env, NULL, DROP_NOMEM);
        return NULL;
    }
    uint32_t sum = csum_pseudo(src, dst, PROTO_ICMP6, len);
    w_put16(b + 2, csum_fold(csum_partial(CSUM_SCALAR, b, len, sum)));
    memcpy(pkt_push(p, len), b, len);
    p->l4 = p->off;
    struct wire_ip6 h = {
        .next = PROTO_ICMP6, .hlim = ND_HLIM, .plen = (uint16_t)len, .src = *src, .dst = *dst};
    wire_ip6_build(pkt_push(p, WIRE_IP6_HLEN), &h);
    p->l3 = p->off;
    return p;
}

static void nd_send_group(struct neigh *n, struct nif *nif, const struct addr *group, struct pkt *p)
{
    uint8_t mac[WIRE_MAC];
    neigh_group_mac(group, mac);
    (void)eth_output(n->link, nif, mac, ETYPE_IP6, p);
}

void nd_solicit(struct neigh *n, struct nif *nif, const struct addr *from,
                const struct addr *target, const uint8_t *to)
{
    struct wire_nd m = {.type = ICMP6T_NS, .has = ND_HAS_SLLA, .target = *target};
    struct addr group = addr_solicited_node(target);
    memcpy(m.slla, nif->mac, WIRE_MAC);
    env_count(n->env, STAT_Icmp6OutNeighborSolicits);
    struct pkt *p = nd_message(n, from, to != NULL ? target : &group, &m);
    if (p == NULL)
        return;
    if (to != NULL)
        (void)eth_output(n->link, nif, to, ETYPE_IP6, p);
    else
        nd_send_group(n, nif, &group, p);
}

void nd_probe(struct neigh *n, struct nif *nif, struct neigh_addr *o)
{
    const struct addr none = {.d = {0}};
    struct wire_nd m = {.type = ICMP6T_NS, .has = ND_HAS_NONCE, .target = o->addr};
    struct addr group = addr_solicited_node(&o->addr);
    for (unsigned i = 0; i < WIRE_ND_NONCE; i++)
        o->nonce[i] = (uint8_t)rng_u64(&n->env->rng);
    memcpy(m.nonce, o->nonce, sizeof m.nonce);
    env_count(n->env, STAT_Icmp6OutNeighborSolicits);
    struct pkt *p = nd_message(n, &none, &group, &m);
    if (p != NULL)
        nd_send_group(n, nif, &group, p);
}

static struct pkt *advertisement(struct neigh *n, const struct nif *nif, const struct addr *target,
                                 const struct addr *dst, uint8_t flags)
{
    struct wire_nd m = {.type = ICMP6T_NA, .has = ND_HAS_TLLA, .flags = flags, .target = *target};
    m.flags |= n->env->conf.ip_forward != 0 ? (uint8_t)ND_NA_ROUTER : 0;
    memcpy(m.tlla, nif->mac, WIRE_MAC);
    env_count(n->env, STAT_Icmp6OutNeighborAdvertisements);
    return nd_message(n, target, dst, &m);
}

void nd_announce(struct neigh *n, struct nif *nif, const struct addr *own)
{
    struct pkt *p = advertisement(n, nif, own, &all_nodes, ND_NA_OVERRIDE);
    if (p != NULL)
        nd_send_group(n, nif, &all_nodes, p);
}

/* ---- in ---- */

void nd_learn(struct neigh *n, struct nif *nif, const struct addr *a, const uint8_t *mac,
              bool is_router)
{
    struct neigh_entry *e = neigh_find(n, nif, a);
    if (wire_mac_is_multicast(mac) || wire_mac_is_zero(mac))
        return;
    if (e == NULL)
        e = neigh_new(n, nif, a, false);
    if (e == NULL)
        return;
    e->is_router = e->is_router || is_router;
    if (e->state == NEIGH_PERMANENT)
        return;
    bool is_known =
        e->state != NEIGH_NONE && e->state != NEIGH_INCOMPLETE && e->state != NEIGH_FAILED;
    /* [RFC 4861 6.3.4, 7.2.3, 8.3] What was not asked for makes an address known, not reachable. */
    if (!is_known || memcmp(e->mac, mac, WIRE_MAC) != 0)
        neigh_learn(n, nif, e, mac, false);
}

/* The answer to a solicitation from p's sender, whose MAC is known or must be asked for. */
static void answer(struct neigh *n, struct nif *nif, const struct pkt *p, const struct wire_nd *h)
{
    bool is_probe = addr_is_any(&p->flow.remote);
    const struct addr *dst = is_probe ? &all_nodes : &p->flow.remote;
    unsigned flags = ND_NA_OVERRIDE | (is_probe ? 0u : (unsigned)ND_NA_SOLICITED);
    struct pkt *a = advertisement(n, nif, &h->target, dst, (uint8_t)flags);
    if (a == NULL)
        return;
    if (is_probe)
        nd_send_group(n, nif, dst, a);
    else if ((h->has & ND_HAS_SLLA) != 0)
        (void)eth_output(n->link, nif, h->slla, ETYPE_IP6, a);
    else
        (void)neigh_output(n, nif, dst, a);
}

static bool is_solicited_node(const struct addr *group)
{
    static const uint8_t prefix[13] = {0xff, 0x02, [11] = 1, [12] = 0xff};
    return memcmp(group->b, prefix, sizeof prefix) == 0;
}

/* [RFC 4862 5.4.3] Somebody asks about an address we are asking about ourselves. */
static enum drop solicit_tentative(struct neigh *n, struct nif *nif, const struct pkt *p,
                                   const struct wire_nd *h, struct neigh_addr *o)
{
    if (!addr_is_any(&p->flow.remote))
        return DROP_ND_NOT_OURS;
    bool is_mine = (h->has & ND_HAS_NONCE) != 0 && memcmp(h->nonce, o->nonce, WIRE_ND_NONCE) == 0;
    if (is_mine)
        return DROP_ND_LOOPED;
    neigh_conflict(n, nif, o);
    return DROP_ND_CONFLICT;
}

static enum drop solicit_input(struct neigh *n, struct nif *nif, const struct pkt *p,
                               const struct wire_nd *h)
{
    env_count(n->env, STAT_Icmp6InNeighborSolicits);
    /* [RFC 4861 7.1.1] */
    bool is_probe = addr_is_any(&p->flow.remote);
    if (is_probe && (!is_solicited_node(&p->flow.local) || (h->has & ND_HAS_SLLA) != 0))
        return DROP_ND_SENDER;
    struct neigh_addr *o = neigh_own(n, nif, &h->target);
    if (o == NULL || o->state == NEIGH_ADDR_CONFLICT)
        return DROP_ND_NOT_OURS;
    if (o->state == NEIGH_ADDR_PROBING)
        return solicit_tentative(n, nif, p, h, o);
    if (!neigh_reply_allowed(n))
        return DROP_ND_RATE;
    if ((h->has & ND_HAS_SLLA) != 0)
        nd_learn(n, nif, &p->flow.remote, h->slla, false);
    answer(n, nif, p, h);
    return DROP_NONE;
}

/* [RFC 4861 7.2.5, appendix C] What an advertisement changes in an entry whose MAC is known. */
static void advert_known(struct neigh *n, struct nif *nif, struct neigh_entry *e,
                         const struct wire_nd *h)
{
    bool is_other = (h->has & ND_HAS_TLLA) != 0 && memcmp(e->mac, h->tlla, WIRE_MAC) != 0;
    bool is_solicited = (h->flags & ND_NA_SOLICITED) != 0;
    if (is_other && (h->flags & ND_NA_OVERRIDE) == 0) {
        if (e->state == NEIGH_REACHABLE)
            neigh_learn(n, nif, e, e->mac, false);
        return;
    }
    if (is_solicited || is_other)
        neigh_learn(n, nif, e, is_other ? h->tlla : e->mac, is_solicited);
}

static enum drop advert_input(struct neigh *n, struct nif *nif, const struct pkt *p,
                              const struct wire_nd *h, bool *router_gone)
{
    env_count(n->env, STAT_Icmp6InNeighborAdvertisements);
    /* [RFC 4861 7.1.2] */
    if (addr_is_multicast(&p->flow.local) && (h->flags & ND_NA_SOLICITED) != 0)
        return DROP_ND_FORMAT;
    struct neigh_addr *own = neigh_own(n, nif, &h->target);
    if (own != NULL) {
        neigh_conflict(n, nif, own);
        return DROP_ND_CONFLICT;
    }
    struct neigh_entry *e = neigh_find(n, nif, &h->target);
    if (e == NULL || e->state == NEIGH_FAILED)
        return DROP_ND_UNASKED;
    if (e->state == NEIGH_PERMANENT)
        return DROP_NONE;
    bool has_mac = (h->has & ND_HAS_TLLA) != 0;
    if (has_mac && (wire_mac_is_multicast(h->tlla) || wire_mac_is_zero(h->tlla)))
        return DROP_ND_FORMAT;
    bool is_router = (h->flags & ND_NA_ROUTER) != 0;
    if (e->state != NEIGH_INCOMPLETE)
        advert_known(n, nif, e, h);
    else if (has_mac)
        neigh_learn(n, nif, e, h->tlla, (h->flags & ND_NA_SOLICITED) != 0);
    else
        return DROP_ND_FORMAT;
    *router_gone = e->is_router && !is_router;
    e->is_router = is_router;
    return DROP_NONE;
}

enum next nd_input(struct neigh *n, struct nif *nif, struct pkt *p, const struct wire_nd *h,
                   bool *router_gone)
{
    enum drop why = DROP_ETH_TYPE;
    *router_gone = false;
    if ((nif->flags & (NIF_L3 | NIF_NOARP)) == 0) {
        why = h->type == ICMP6T_NS ? solicit_input(n, nif, p, h)
                                   : advert_input(n, nif, p, h, router_gone);
    }
    if (why != DROP_NONE) {
        p->drop = (uint16_t)why;
        return NEXT_DROP;
    }
    pkt_free(p);
    return NEXT_DONE;
}
