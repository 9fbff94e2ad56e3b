/* SPDX-License-Identifier: Apache-2.0
 *
 * A packet of this host on its way out: IP header, identification, and down to the neighbour.
 *
 * Decides TTL, identification and Don't Fragment of what is sent, and whether it is sent whole, in
 * fragments, or not. The one place where the family of an address is looked at on output.
 *
 * Called by the transports and icmp/; calls neigh/, and frag.c for what is too big. Owns nothing
 * but the identification counters.
 *
 * Identification [RFC 6864 4.1, 4.2]: an atomic datagram (DF) may carry any value, and carries the
 * caller's (TCP counts per connection). Others must not repeat for one ⟨source, destination,
 * protocol⟩ while they live: a counter from a table, plus an offset, both by keyed hash, so that an
 * outsider learns neither our rate nor the next value [RFC 7739 5.3].
 */
#include "ip/parts.h"
#include "wire/ipv4.h"

uint32_t ip_next_id(struct ip *ip, const struct ip_meta *m)
{
    uint8_t k[33];
    memcpy(k, m->src.b, 16);
    memcpy(k + 16, m->dst.b, 16);
    k[32] = m->proto;
    uint64_t h = hash_sip13(&ip->env->key_misc, k, sizeof k);
    uint32_t *counter = &ip->id_counter[h % ID_COUNTERS];
    return (*counter)++ + (uint32_t)(h >> 32);
}

void ip_make_headroom(struct pkt *p, uint32_t want)
{
    if (p->off >= want)
        return;
    uint32_t shift = want - p->off;
    WEIR_ASSERT(p->off + p->lin + shift <= p->cap);
    memmove(pkt_data(p) + shift, pkt_data(p), p->lin);
    p->off = (uint16_t)(p->off + shift);
    p->l3 = (uint16_t)(p->l3 + shift);
    p->l4 = (uint16_t)(p->l4 + shift);
    p->pay = (uint16_t)(p->pay + shift);
    p->csum_start = (uint16_t)(p->csum_start + shift);
}

static enum drop too_big(struct ip *ip, struct nif *nif, const struct dst *d, bool df,
                         struct pkt *p)
{
    if (df || p->gso_size != 0) {
        env_count(ip->env, STAT_IpFragFails);
        return env_drop(ip->env, p, DROP_FRAG_NEEDED);
    }
    return ip_fragment(ip, nif, &d->nexthop, d->mtu, p);
}

/* [RFC 9293 3.9.2 MUST-49] */
static uint8_t ttl_of(const struct ip *ip, const struct dst *d, const struct ip_meta *m)
{
    if (m->ttl != 0)
        return m->ttl;
    /* [RFC 1112 6.1] A multicast stays on its network unless told otherwise. */
    return d->kind == IP_MULTICAST ? 1 : (uint8_t)ip->env->conf.ip_default_ttl;
}

static enum drop ip4_output(struct ip *ip, struct nif *nif, const struct dst *d,
                            const struct ip_meta *m, struct pkt *p)
{
    bool df = m->df;
    struct wire_ip4 h = {.tos = m->tos,
                         .ttl = ttl_of(ip, d, m),
                         .proto = m->proto,
                         .total = (uint16_t)(p->len + WIRE_IP4_HLEN),
                         .id = df ? m->id : (uint16_t)ip_next_id(ip, m),
                         .flags = df ? (uint16_t)IP4_DF : 0,
                         .src = m->src,
                         .dst = m->dst};
    p->l4 = p->off;
    uint8_t *at = pkt_push(p, WIRE_IP4_HLEN);
    p->l3 = p->off;
    p->ecn = m->tos & ECN_MASK;
    wire_ip4_put(at, &h);
    if (WEIR_UNLIKELY(ip_wire_len(p) > d->mtu))
        return too_big(ip, nif, d, df, p);
    return neigh_output(ip->neigh, nif, &d->nexthop, p);
}

enum drop ip_output(struct ip *ip, const struct dst *d, const struct ip_meta *m, struct pkt *p)
{
    if (WEIR_UNLIKELY(d->is_ip6))
        return ip6_output(ip, d, m, p);
    env_count(ip->env, STAT_IpOutRequests);
    struct nif *nif = link_nif(ip->link, d->nif);
    if (WEIR_UNLIKELY(nif == NULL))
        return env_drop(ip->env, p, DROP_IP_NO_ROUTE);
    if (WEIR_UNLIKELY(p->len > 65535 - WIRE_IP4_HLEN))
        return env_drop(ip->env, p, DROP_TOO_BIG);
    if (WEIR_UNLIKELY(p->off < WIRE_IP4_HLEN + IP_LINK_ROOM))
        ip_make_headroom(p, WIRE_IP4_HLEN + IP_LINK_ROOM);
    p->origin = LINK_TO_US;
    WEIR_CHECK(addr_is_ip4(&m->src) && addr_is_ip4(&m->dst));
    return ip4_output(ip, nif, d, m, p);
}

uint32_t ip_gso_max(const struct ip *ip, const struct dst *d)
{
    const struct nif *nif = link_nif(ip->link, d->nif);
    return nif != NULL ? nif->gso_max : 0;
}
