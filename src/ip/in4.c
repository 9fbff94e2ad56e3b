/* SPDX-License-Identifier: Apache-2.0
 *
 * An IPv4 packet came in: is it one, is it possible, is it for us, and for whom.
 *
 * Decides in the order of RFC 1122 3.2.1 and RFC 1812 5.2.2: header, checksum, length, addresses,
 * options; then local, forward or drop; then fragments; then the protocol.
 *
 * Called by stack/ after link/; calls addr.c, reasm.c. Owns nothing: returns what comes next.
 *
 * Invariants: a packet handed on as NEXT_TCP, NEXT_UDP, NEXT_ICMP is a whole datagram, without link
 * padding, from one possible host, to an address that is ours, a broadcast of a network of ours, or
 * the all-hosts group. The hot path is a header without options to a local address.
 *
 * ip4_input proves the common case by itself and leaves everything else to in_careful, which would
 * say the same of it.
 */
#include "ip/parts.h"
#include "wire/icmp4.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"
#include "wire/udp.h"

static enum next in_drop(struct pkt *p, enum drop why)
{
    p->drop = (uint16_t)why;
    return NEXT_DROP;
}

static enum next in_error(struct pkt *p, enum drop why, uint8_t type, uint8_t code, uint32_t arg)
{
    p->drop = (uint16_t)why;
    p->icmp_type = type;
    p->icmp_code = code;
    p->icmp_arg = arg;
    return NEXT_ICMP_ERROR;
}

/* [RFC 1122 3.2.1.3, RFC 1812 5.3.7, RFC 9293 3.9.2.3 MUST-63] Addresses no packet on this
 * interface can come from. */
static bool src_is_martian(const struct ip *ip, const struct nif *nif, const struct wire_ip4 *h)
{
    uint8_t first = addr_ip4_bytes(&h->src)[0];
    if (WEIR_UNLIKELY((nif->flags & NIF_LOOPBACK) != 0))
        return false;
    if (WEIR_UNLIKELY(first == 0)) {
        /* (a) A host that is still asking for its address sends from 0.0.0.0, to broadcast. */
        bool is_asking = addr_is_any(&h->src) && addr_is_limited_broadcast(&h->dst);
        return !is_asking;
    }
    if (WEIR_UNLIKELY(first >= 224 || first == 127))
        return true;
    /* Our own address from outside is a forgery, a network's broadcast is no host. */
    enum ip_kind kind = ip_addr_kind(ip, NULL, &h->src);
    return kind == IP_LOCAL || kind == IP_BROADCAST;
}

/* Destinations no packet on this interface can go to. */
static bool dst_is_martian(const struct nif *nif, const struct wire_ip4 *h)
{
    uint8_t first = addr_ip4_bytes(&h->dst)[0];
    if (first == 127)
        return (nif->flags & NIF_LOOPBACK) == 0;
    return first == 0 || (first >= 240 && !addr_is_limited_broadcast(&h->dst));
}

/* [RFC 1122 3.2.1.8, RFC 9293 3.9.2 MUST-50] Options are passed over, but for source routes, which
 * are refused [RFC 7126 4.3.5, 4.4.5], and for options that cannot be. DROP_NONE: go on. */
static enum drop options_check(struct pkt *p, const struct wire_ip4 *h, unsigned *bad_at)
{
    struct wire_ip4_opts o = {0};
    if (h->hlen > p->lin)
        return DROP_IP_SHORT;
    enum drop why = wire_ip4_opts_parse(pkt_data(p), h->hlen, &o);
    *bad_at = o.bad_at;
    if (why == DROP_NONE && (o.lsrr != 0 || o.ssrr != 0))
        why = DROP_IP_SRCROUTE;
    return why;
}

/* Local, but no host's address. */
static enum next in_group(struct pkt *p, const struct wire_ip4 *h, enum ip_kind kind)
{
    /* [RFC 1112 4] Every host is a member of 224.0.0.1. */
    if (kind == IP_MULTICAST && addr_to_ip4(&h->dst) != 0xe0000001)
        return in_drop(p, DROP_IP_NOT_OURS);
    return NEXT_DONE;
}

/* Not ours: for ip_forward, or nobody. */
static enum next in_remote(const struct ip *ip, struct pkt *p)
{
    if (ip->env->conf.ip_forward == 0)
        return in_drop(p, DROP_IP_NOT_OURS);
    return NEXT_FORWARD;
}

static const uint8_t next_of[] = {
    [PROTO_ICMP4] = NEXT_ICMP, [PROTO_TCP] = NEXT_TCP, [PROTO_UDP] = NEXT_UDP};

/* The header is done: on to the transport. */
static enum next deliver(struct ip *ip, struct pkt *p, const struct wire_ip4 *h)
{
    enum next next = h->proto < sizeof next_of ? (enum next)next_of[h->proto] : NEXT_DONE;
    if (WEIR_UNLIKELY(next == NEXT_DONE))
        return in_error(p, DROP_IP_PROTO, ICMP4T_DEST_UNREACH, ICMP4C_PROTO, 0);
    env_count(ip->env, STAT_IpInDelivers);
    p->flow.local = h->dst;
    p->flow.remote = h->src;
    p->flow.proto = h->proto;
    p->ttl = h->ttl;
    p->tos = h->tos;
    p->ecn = h->tos & ECN_MASK;
    pkt_pull(p, h->hlen);
    p->l4 = p->off;
    return next;
}

/* What a fragment says of itself, before any other is looked at. */
static enum drop fragment_check(const struct wire_ip4 *h)
{
    uint32_t n = h->total - (uint32_t)h->hlen;
    bool has_more = (h->flags & IP4_MF) != 0;
    if (n == 0 || (has_more && n % 8 != 0))
        return DROP_FRAG_BAD;
    if (h->frag_off + n > 65535u - h->hlen)
        return DROP_FRAG_BAD;
    uint32_t need = h->proto == PROTO_TCP ? WIRE_TCP_HLEN : WIRE_UDP_HLEN;
    if (h->frag_off == 0 && n < need)
        return DROP_FRAG_TINY;
    if (h->frag_off == 8 && h->proto == PROTO_TCP)
        return DROP_FRAG_TINY;
    return DROP_NONE;
}

/* Fragments: held, or the whole datagram. */
static enum next in_fragment(struct ip *ip, struct pkt *p, struct wire_ip4 *h)
{
    env_count(ip->env, STAT_IpReasmReqds);
    enum drop bad = fragment_check(h);
    if (bad != DROP_NONE)
        return in_drop(p, bad);
    struct reasm_part part = {.src = h->src,
                              .dst = h->dst,
                              .id = h->id,
                              .off = h->frag_off,
                              .n = h->total - (uint32_t)h->hlen,
                              .at = h->hlen,
                              .proto = h->proto,
                              .ecn = h->tos & ECN_MASK,
                              .has_more = (h->flags & IP4_MF) != 0};
    enum next next = reasm_input(ip, p, &part);
    if (next != NEXT_IP4)
        return next;
    enum drop why = wire_ip4_parse(pkt_data(p), p->len, h);
    WEIR_ASSERT(why == DROP_NONE);
    return deliver(ip, p, h);
}

/* The header's own validity [RFC 1122 3.2.1.1, 3.2.1.2; RFC 1812 5.2.2]. */
static enum drop header_check(struct pkt *p, struct wire_ip4 *h)
{
    if (WEIR_UNLIKELY(p->lin < WIRE_IP4_HLEN))
        return DROP_IP_SHORT;
    enum drop why = wire_ip4_parse(pkt_data(p), p->len, h);
    if (WEIR_UNLIKELY(why != DROP_NONE))
        return why;
    if (WEIR_UNLIKELY(h->hlen > p->lin))
        return DROP_IP_SHORT;
    return wire_ip4_csum_ok(pkt_data(p), h->hlen) ? DROP_NONE : DROP_IP_CSUM;
}

/* All checks, in the RFCs' order. */
static enum next in_careful(struct ip *ip, struct nif *nif, struct pkt *p)
{
    struct wire_ip4 h;
    enum drop why = header_check(p, &h);
    if (WEIR_UNLIKELY(why != DROP_NONE))
        return in_drop(p, why);
    if (p->len > h.total)
        pkt_trim(p, h.total);
    if (WEIR_UNLIKELY(src_is_martian(ip, nif, &h)))
        return in_drop(p, DROP_IP_SRC_MARTIAN);
    enum ip_kind kind = ip_addr_kind(ip, nif, &h.dst);
    if (WEIR_UNLIKELY(kind != IP_LOCAL || (nif->flags & NIF_LOOPBACK) == 0) &&
        WEIR_UNLIKELY(dst_is_martian(nif, &h)))
        return in_drop(p, DROP_IP_DST_MARTIAN);
    if (WEIR_UNLIKELY(h.hlen > WIRE_IP4_HLEN)) {
        unsigned bad_at = 0;
        why = options_check(p, &h, &bad_at);
        if (why == DROP_IP_OPTION)
            return in_error(p, why, ICMP4T_PARAM_PROBLEM, 0, bad_at << 24);
        if (why != DROP_NONE)
            return in_drop(p, why);
    }
    /* [RFC 1122 3.3.6] What came to everybody on the link is not for one host's address. */
    if (WEIR_UNLIKELY(p->origin != LINK_TO_US && kind != IP_BROADCAST && kind != IP_MULTICAST))
        return in_drop(p, p->origin == LINK_TO_GROUP ? DROP_IP_FORWARD_LINK : DROP_IP_NOT_OURS);
    if (WEIR_UNLIKELY(kind != IP_LOCAL)) {
        if (kind == IP_REMOTE)
            return in_remote(ip, p);
        enum next next = in_group(p, &h, kind);
        if (next == NEXT_DROP)
            return next;
    }
    if (WEIR_UNLIKELY(wire_ip4_is_frag(&h)))
        return in_fragment(ip, p, &h);
    return deliver(ip, p, &h);
}

/* The common case in a few dozen instructions: no options, no fragment, from a possible host to a
 * local address, for a transport we have. What is not proven here to be that, in_careful
 * decides. */
enum next ip4_input(struct ip *ip, struct nif *nif, struct pkt *p)
{
    const uint8_t *b = pkt_data(p);
    env_count(ip->env, STAT_IpInReceives);
    if (WEIR_UNLIKELY(p->lin < WIRE_IP4_HLEN || !wire_ip4_is_plain(b)))
        return in_careful(ip, nif, p);
    uint8_t first = b[12], proto = wire_ip4_proto(b);
    uint32_t total = wire_ip4_total(b);
    p->flow.remote = addr_from_ip4(b + 12);
    p->flow.local = addr_from_ip4(b + 16);
    bool is_easy = first - 1u < 223 && first != 127 && b[16] != 127 && p->origin == LINK_TO_US &&
                   total <= p->len && total >= WIRE_IP4_HLEN && proto < sizeof next_of &&
                   next_of[proto] != 0;
    if (WEIR_UNLIKELY(!is_easy || ip_slot_find(ip, &p->flow.remote)->kind != IP_REMOTE ||
                      ip_slot_find(ip, &p->flow.local)->kind != IP_LOCAL))
        return in_careful(ip, nif, p);
    if (p->len > total)
        pkt_trim(p, total);
    env_count(ip->env, STAT_IpInDelivers);
    p->flow.proto = proto;
    p->ttl = wire_ip4_ttl(b);
    p->tos = b[1];
    p->ecn = b[1] & ECN_MASK;
    pkt_pull(p, WIRE_IP4_HLEN);
    p->l4 = p->off;
    return (enum next)next_of[proto];
}
