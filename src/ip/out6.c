/* SPDX-License-Identifier: Apache-2.0
 *
 * An IPv6 packet of this host on its way out: header, flow label, and fragments, which only the
 * source may make [RFC 8200 4.5, 5].
 *
 * Decides hop limit and flow label, and whether a packet is sent whole, in fragments, or not: TCP
 * keeps within the path's MTU by itself (m->df), a datagram is cut. The flow label is a keyed hash
 * of the flow, the same for all its packets and telling nobody anything [RFC 6437 3].
 *
 * Called by out.c; calls neigh/. Owns nothing: identifications are out.c's, 32 bits of them
 * [RFC 7739 5.3]. All fragments are made before the first is sent.
 *
 * Invariants: nothing leaves larger than d->mtu; a fragment but the last carries a multiple of
 * eight bytes; we send no atomic fragments [RFC 8021].
 */
#include "ip/parts.h"
#include "wire/ipv6.h"

/* Ports are the first four bytes of both transports that have any. */
static uint32_t flow_label(const struct ip *ip, const struct ip_meta *m, const struct pkt *p)
{
    bool has_ports = m->proto == PROTO_TCP || m->proto == PROTO_UDP;
    uint8_t k[16 + 16 + 1 + 4] = {0};
    if (ip->env->conf.ip6_auto_flowlabels == 0)
        return 0;
    memcpy(k, m->src.b, 16);
    memcpy(k + 16, m->dst.b, 16);
    k[32] = m->proto;
    if (has_ports && p->lin >= 4)
        memcpy(k + 33, pkt_data(p), 4);
    uint32_t label = (uint32_t)hash_sip13(&ip->env->key_flow, k, sizeof k) & 0xfffff;
    return label != 0 ? label : 1; /* 0 says: not labelled */
}

static uint8_t hlim_of(const struct ip *ip, const struct dst *d, const struct ip_meta *m)
{
    if (m->ttl != 0)
        return m->ttl;
    if (d->kind == IP_MULTICAST)
        return 1;
    return d->hlim != 0 ? d->hlim : (uint8_t)ip->env->conf.ip_default_ttl;
}

/* ---- fragments ---- */

struct cut6 {
    struct wire_ip6 h;
    uint32_t payload, max, id; /* max: payload bytes of a piece, a multiple of 8 */
};

static struct pkt *piece6_new(struct ip *ip, const struct pkt *whole, const struct cut6 *c,
                              uint32_t at)
{
    struct pkt *p = pkt_new(&ip->env->mem);
    if (p == NULL)
        return NULL;
    uint32_t n = w_u32_min(c->max, c->payload - at);
    if (!link_append_part(p, whole, WIRE_IP6_HLEN + at, n)) {
        pkt_free(p);
        return NULL;
    }
    wire_ip6_frag_build(pkt_push(p, WIRE_IP6_FRAG_HLEN), c->h.next, (uint16_t)at,
                        at + n < c->payload, c->id);
    struct wire_ip6 h = c->h;
    h.next = PROTO_FRAGMENT;
    h.plen = (uint16_t)(n + WIRE_IP6_FRAG_HLEN);
    wire_ip6_build(pkt_push(p, WIRE_IP6_HLEN), &h);
    p->l3 = p->off;
    p->l4 = (uint16_t)(p->off + WIRE_IP6_HLEN + WIRE_IP6_FRAG_HLEN);
    p->pay = p->l4;
    p->origin = whole->origin;
    p->ecn = whole->ecn;
    return p;
}

/* Sends the pieces; the first reason one of them did not get away. */
static enum drop pieces_send(struct ip *ip, struct nif *nif, const struct dst *d,
                             struct pktq *pieces)
{
    enum drop why = DROP_NONE;
    struct pkt *p;
    while ((p = pktq_pop(pieces)) != NULL) {
        env_count(ip->env, STAT_Ip6FragCreates);
        enum drop r = neigh_output(ip->neigh, nif, &d->nexthop, p);
        why = why == DROP_NONE ? r : why;
    }
    return why;
}

static enum drop fragment(struct ip *ip, struct nif *nif, const struct dst *d,
                          const struct ip_meta *m, struct pkt *p)
{
    struct cut6 c = {.payload = p->len - WIRE_IP6_HLEN,
                     .max = (d->mtu - WIRE_IP6_HLEN - WIRE_IP6_FRAG_HLEN) & ~7u,
                     .id = ip_next_id(ip, m)};
    struct pktq pieces = {0};
    /* The receiver sums over the whole, so the device cannot do it for a part. */
    if (p->csum == CSUM_TODO)
        link_csum_finish(ip->link, p);
    enum drop why = wire_ip6_parse(pkt_data(p), p->len, &c.h);
    WEIR_ASSERT(why == DROP_NONE);
    WEIR_ASSERT(d->mtu >= WIRE_IP6_MIN_MTU);
    for (uint32_t at = 0; at < c.payload; at += c.max) {
        struct pkt *piece = piece6_new(ip, p, &c, at);
        if (piece == NULL) {
            pktq_free(&pieces);
            env_count(ip->env, STAT_Ip6FragFails);
            return env_drop(ip->env, p, DROP_NOMEM);
        }
        pktq_push(&pieces, piece);
    }
    pkt_free(p);
    env_count(ip->env, STAT_Ip6FragOKs);
    return pieces_send(ip, nif, d, &pieces);
}

/* ---- out ---- */

enum drop ip6_output(struct ip *ip, const struct dst *d, const struct ip_meta *m, struct pkt *p)
{
    env_count(ip->env, STAT_Ip6OutRequests);
    struct nif *nif = link_nif(ip->link, d->nif);
    if (nif == NULL)
        return env_drop(ip->env, p, DROP_IP_NO_ROUTE);
    if (p->len > 65535 - WIRE_IP6_HLEN)
        return env_drop(ip->env, p, DROP_TOO_BIG);
    if (p->off < WIRE_IP6_HLEN + IP_LINK_ROOM)
        ip_make_headroom(p, WIRE_IP6_HLEN + IP_LINK_ROOM);
    WEIR_CHECK(!addr_is_ip4(&m->src) && !addr_is_ip4(&m->dst));
    struct wire_ip6 h = {.tclass = m->tos,
                         .next = m->proto,
                         .hlim = hlim_of(ip, d, m),
                         .label = flow_label(ip, m, p),
                         .plen = (uint16_t)p->len,
                         .src = m->src,
                         .dst = m->dst};
    p->origin = LINK_TO_US;
    p->l4 = p->off;
    wire_ip6_build(pkt_push(p, WIRE_IP6_HLEN), &h);
    p->l3 = p->off;
    p->ecn = m->tos & ECN_MASK;
    if (ip_wire_len(p) <= d->mtu)
        return neigh_output(ip->neigh, nif, &d->nexthop, p);
    if (!m->df && p->gso_size == 0)
        return fragment(ip, nif, d, m, p);
    env_count(ip->env, STAT_Ip6FragFails);
    return env_drop(ip->env, p, DROP_FRAG_NEEDED);
}
