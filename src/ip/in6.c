/* SPDX-License-Identifier: Apache-2.0
 *
 * An IPv6 packet came in: is it one, is it possible, is it for us, and for whom [RFC 8200].
 *
 * Decides in this order: header and length; addresses no packet can have; local, group, forward or
 * drop; then, for what ends here, the chain of extension headers (wire/ipv6.c walks it, within
 * limits), fragments, and the protocol. A packet that only passes through has its hop-by-hop
 * options looked at by forward6.c, the rest of its chain is none of our business.
 *
 * Called by stack/ after link/; calls addr.c, reasm.c. Owns nothing: returns what comes next.
 *
 * Invariants: a packet handed on as NEXT_TCP, NEXT_UDP, NEXT_ICMP6 is whole, without link padding,
 * from one possible host, to an address that is ours or a group we are in; neither address is an
 * IPv4-mapped one, so that nobody from outside can pose as an IPv4 peer [RFC 4942 2.2]. The bytes
 * of all headers lie in the linear part: a chain that does not fit there is longer than a host
 * must take [RFC 8504 5.3].
 */
#include "ip/parts.h"
#include "wire/icmp6.h"
#include "wire/ipv6.h"

enum { ND_HLIM = 255 };

static enum next in6_drop(struct pkt *p, enum drop why)
{
    p->drop = (uint16_t)why;
    return NEXT_DROP;
}

static enum next in_problem(struct pkt *p, enum drop why, uint8_t code, uint32_t at)
{
    p->drop = (uint16_t)why;
    p->icmp_type = ICMP6T_PARAM_PROBLEM;
    p->icmp_code = code;
    p->icmp_arg = at;
    return NEXT_ICMP_ERROR;
}

/* [RFC 4291 2.5.2, 2.5.3, 2.7] Addresses no packet on this interface can come from. */
static bool src6_is_martian(const struct ip *ip, const struct nif *nif, const struct wire_ip6 *h)
{
    if (addr_is_multicast(&h->src) || addr_is_ip4(&h->src))
        return true;
    if ((nif->flags & NIF_LOOPBACK) != 0)
        return addr_is_any(&h->src);
    if (addr_is_loopback(&h->src))
        return true;
    /* Who has no address yet asks the link about it, or for its routers. */
    if (addr_is_any(&h->src))
        return !addr_is_multicast(&h->dst) || h->hlim != ND_HLIM;
    /* Our own address from outside is a forgery, or a duplicate that neigh/ has to hear of. */
    return ip_is_local(ip, &h->src) && !(h->next == PROTO_ICMP6 && h->hlim == ND_HLIM);
}

static bool dst6_is_martian(const struct nif *nif, const struct wire_ip6 *h)
{
    bool is_lo = (nif->flags & NIF_LOOPBACK) != 0;
    if (addr_is_any(&h->dst) || addr_is_ip4(&h->dst))
        return true;
    /* [RFC 4291 2.7] Scope 0 is reserved, scope 1 does not leave a host. */
    if (addr_is_multicast(&h->dst))
        return (h->dst.b[1] & 15) == 0 || ((h->dst.b[1] & 15) == 1 && !is_lo);
    return addr_is_loopback(&h->dst) && !is_lo;
}

/* The fixed header and the length. */
static enum drop header6_check(struct pkt *p, struct wire_ip6 *h)
{
    if (p->lin < WIRE_IP6_HLEN)
        return DROP_IP_SHORT;
    enum drop why = wire_ip6_parse(pkt_data(p), p->len, h);
    if (why != DROP_NONE)
        return why;
    if (p->len > WIRE_IP6_HLEN + (uint32_t)h->plen)
        pkt_trim(p, WIRE_IP6_HLEN + (uint32_t)h->plen);
    return DROP_NONE;
}

/* For us, a group of ours, somebody else. NEXT_IP6: ours. */
static enum next where_to(const struct ip *ip, const struct nif *nif, struct pkt *p,
                          const struct wire_ip6 *h)
{
    enum ip_kind kind = ip_addr_kind(ip, nif, &h->dst);
    if (kind == IP_MULTICAST)
        return ip6_is_member(ip, nif, &h->dst) ? NEXT_IP6 : in6_drop(p, DROP_IP_NOT_OURS);
    /* What came to everybody on the link is not for one host's address. */
    if (p->origin != LINK_TO_US)
        return in6_drop(p, p->origin == LINK_TO_GROUP ? DROP_IP_FORWARD_LINK : DROP_IP_NOT_OURS);
    bool is_lo = (nif->flags & NIF_LOOPBACK) != 0;
    bool is_link = addr_is_link_local6(&h->dst);
    if (kind == IP_LOCAL) {
        /* [RFC 4007 9] A link-local address counts on its own link only. */
        bool is_here = !is_link || is_lo || ip_addr_nif(ip, &h->dst) == nif->id;
        return is_here ? NEXT_IP6 : in6_drop(p, DROP_IP_NOT_OURS);
    }
    if (ip->env->conf.ip_forward == 0 || is_link)
        return in6_drop(p, DROP_IP_NOT_OURS);
    return NEXT_FORWARD;
}

/* The walk refused: whether the sender hears of it [RFC 8200 4.2, RFC 4443 2.4 (e)]. */
static enum next in_refused(struct pkt *p, const struct wire_ip6 *h, enum drop why,
                            const struct wire_ip6_chain *c)
{
    bool is_group = addr_is_multicast(&h->dst);
    bool may_tell = !is_group || (c->bad_code == ICMP6C_OPTION && !c->unless_mcast);
    if (!c->wants_error || !may_tell)
        return in6_drop(p, why);
    return in_problem(p, why, c->bad_code, c->bad_at);
}

static enum next upper_of(uint8_t proto)
{
    switch (proto) {
    case PROTO_TCP: return NEXT_TCP;
    case PROTO_UDP: return NEXT_UDP;
    case PROTO_ICMP6: return NEXT_ICMP6;
    default: return NEXT_DONE;
    }
}

/* [RFC 6980 5] Neighbour discovery in fragments hides from those who guard a link. */
static bool is_split_nd(const struct pkt *p, const struct wire_ip6_chain *c, bool is_split)
{
    uint8_t type;
    if (!is_split || c->proto != PROTO_ICMP6 || pkt_copy_out(p, c->off, &type, 1) != 1)
        return false;
    return type >= ICMP6T_RS && type <= ICMP6T_REDIRECT;
}

/* The headers are done: on to the transport. */
static enum next deliver6(struct ip *ip, const struct nif *nif, struct pkt *p,
                          const struct wire_ip6 *h, const struct wire_ip6_chain *c)
{
    enum next next = upper_of(c->proto);
    if (c->proto == PROTO_NONE)
        return in6_drop(p, DROP_IP_PROTO);
    if (next == NEXT_DONE) {
        if (addr_is_multicast(&h->dst))
            return in6_drop(p, DROP_IP_PROTO);
        return in_problem(p, DROP_IP_PROTO, ICMP6C_NEXT_HEADER, c->proto_at);
    }
    if (addr_is_any(&h->src) && c->proto != PROTO_ICMP6)
        return in6_drop(p, DROP_IP_SRC_MARTIAN);
    env_count(ip->env, STAT_Ip6InDelivers);
    p->flow.local = h->dst;
    p->flow.remote = h->src;
    p->flow.proto = c->proto;
    p->flow.nif = addr_is_link_local6(&h->src) ? nif->id : 0;
    p->ttl = h->hlim;
    p->tos = h->tclass;
    p->ecn = h->tclass & ECN_MASK;
    pkt_pull(p, c->off);
    p->l4 = p->off;
    return next;
}

/* [RFC 8200 4.5] What makes a fragment impossible. A first one without its whole chain of headers
 * the walk has refused already. */
static enum next fragment6_check(struct pkt *p, const struct wire_ip6_chain *c, uint32_t n)
{
    uint32_t before = c->frag_at - (uint32_t)WIRE_IP6_HLEN; /* extension headers that stay */
    if (n == 0)
        return in6_drop(p, DROP_FRAG_BAD);
    if (c->frag_more && n % 8 != 0)
        return in_problem(p, DROP_FRAG_BAD, ICMP6C_FIELD, 4);
    if (before + c->frag_off + n > 65535)
        return in_problem(p, DROP_FRAG_BAD, ICMP6C_FIELD, c->frag_at + 2u);
    return NEXT_DONE;
}

/* A fragment: held, or the whole packet, whose headers are walked again. */
static enum next in6_fragment(struct ip *ip, struct pkt *p, struct wire_ip6 *h,
                              struct wire_ip6_chain *c)
{
    uint32_t at = c->frag_at + (uint32_t)WIRE_IP6_FRAG_HLEN, n = p->len - at;
    env_count(ip->env, STAT_Ip6ReasmReqds);
    enum next next = fragment6_check(p, c, n);
    if (next != NEXT_DONE)
        return next;
    struct reasm_part part = {.src = h->src,
                              .dst = h->dst,
                              .id = c->frag_id,
                              .off = c->frag_off,
                              .n = n,
                              .at = at,
                              .proto_at = c->frag_nh_at,
                              .ecn = h->tclass & ECN_MASK,
                              .has_more = c->frag_more};
    next = reasm_input(ip, p, &part);
    if (next != NEXT_IP6)
        return next;
    enum drop why = header6_check(p, h);
    WEIR_ASSERT(why == DROP_NONE);
    why = wire_ip6_walk(pkt_data(p), p->lin, c);
    if (why != DROP_NONE)
        return in_refused(p, h, why, c);
    return c->frag_at == 0 ? NEXT_IP6 : in6_drop(p, DROP_IP6_EXT);
}

/* Ours: the chain, fragments, the transport. */
static enum next in_local(struct ip *ip, const struct nif *nif, struct pkt *p, struct wire_ip6 *h)
{
    struct wire_ip6_chain c;
    enum drop why = wire_ip6_walk(pkt_data(p), p->lin, &c);
    if (why != DROP_NONE)
        return in_refused(p, h, why, &c);
    /* [RFC 6946 4] An atomic fragment is a whole packet with a header too many. */
    bool is_split = c.frag_at != 0, is_fragment = is_split && (c.frag_off != 0 || c.frag_more);
    if (is_fragment) {
        enum next next = in6_fragment(ip, p, h, &c);
        if (next != NEXT_IP6)
            return next;
    }
    if (is_split_nd(p, &c, is_split))
        return in6_drop(p, DROP_ND_FRAGMENT);
    return deliver6(ip, nif, p, h, &c);
}

enum next ip6_input(struct ip *ip, struct nif *nif, struct pkt *p)
{
    struct wire_ip6 h;
    env_count(ip->env, STAT_Ip6InReceives);
    enum drop why = header6_check(p, &h);
    if (why != DROP_NONE)
        return in6_drop(p, why);
    if (src6_is_martian(ip, nif, &h))
        return in6_drop(p, DROP_IP_SRC_MARTIAN);
    if (dst6_is_martian(nif, &h))
        return in6_drop(p, DROP_IP_DST_MARTIAN);
    enum next next = where_to(ip, nif, p, &h);
    return next == NEXT_IP6 ? in_local(ip, nif, p, &h) : next;
}
