/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMPv6 messages that came in: echo answered, errors read for the transports, neighbour discovery
 * checked and handed to neigh/ and ip/ [RFC 4443, RFC 4861].
 *
 * Decides what is a message (the checksum covers the addresses too) and whom it concerns. An error
 * is not believed here: it becomes struct icmp_err, and TCP compares its sequence number with what
 * is in flight [RFC 5927 4.1]. What can be checked without state is: the quoted packet must be one
 * of ours, and neighbour discovery must come from the link itself, hop limit 255.
 *
 * Called by stack/; calls ip/ and neigh/. Owns nothing. Invariants: an echo reply carries the
 * request's bytes, and leaves from the address that was asked where that is one host's; an unknown
 * message is dropped by name.
 */
#include "icmp/parts.h"

#include "wire/csum.h"
#include "wire/icmp6.h"
#include "wire/ipv6.h"
#include "wire/nd.h"

#include <errno.h>

enum {
    ND_HLIM = 255,
    QUOTE_MAX = 128, /* bytes of a quoted packet that are looked at */
};

/* ---- echo ---- */

/* The request becomes the reply. One to a group is answered from an address of ours [RFC 4443
 * 4.2]. */
static enum next echo6_input(struct icmp *ic, struct pkt *p, const struct wire_icmp6 *req)
{
    struct dst d = {.nif = p->flow.nif};
    env_count(ic->env, STAT_Icmp6InEchos);
    if (ic->env->conf.icmp_echo_ignore_all != 0)
        return icmp_drop(p, DROP_ICMP_TYPE);
    bool is_group = addr_is_multicast(&p->flow.local);
    if (ip_route(ic->ip, &p->flow.remote, is_group ? NULL : &p->flow.local, &d) < 0)
        return icmp_drop(p, DROP_IP_NO_ROUTE);
    struct wire_icmp6 h = {.type = ICMP6T_ECHO_REPLY, .arg = req->arg};
    struct ip_meta m = {.src = d.src,
                        .dst = p->flow.remote,
                        .proto = PROTO_ICMP6,
                        .tos = p->tos & (uint8_t)~ECN_MASK};
    uint8_t *at = pkt_data(p);
    wire_icmp6_build(at, &h);
    uint32_t sum = csum_pseudo(&m.src, &m.dst, PROTO_ICMP6, p->len);
    h.csum = csum_fold(csum_pkt((enum csum_isa)ic->env->csum_isa, p, 0, p->len, sum));
    wire_icmp6_build(at, &h);
    p->csum = CSUM_NONE;
    p->when = 0;
    env_count(ic->env, STAT_Icmp6OutMsgs);
    env_count(ic->env, STAT_Icmp6OutEchoReplies);
    (void)ip_output(ic->ip, &d, &m, p);
    return NEXT_DONE;
}

/* ---- errors ---- */

/* What a program sees, and whether it ends a connection attempt: Linux's icmpv6_err_convert. */
static const struct {
    uint8_t error;
    bool is_hard;
} unreach6_table[] = {
    [ICMP6C_NO_ROUTE] = {ENETUNREACH, false},
    [ICMP6C_ADMIN] = {EACCES, true},
    [ICMP6C_BEYOND_SCOPE] = {EHOSTUNREACH, false},
    [ICMP6C_ADDR] = {EHOSTUNREACH, false},
    [ICMP6C_PORT] = {ECONNREFUSED, true},
    [ICMP6C_POLICY] = {EACCES, true},
    [ICMP6C_REJECT] = {EACCES, true},
};

/* [RFC 4443 2.4 (a)] An error of a type nobody knows is one all the same. */
static void error6_meaning(struct icmp *ic, const struct wire_icmp6 *h, struct icmp_err *err)
{
    err->error = EPROTO;
    switch (h->type) {
    case ICMP6T_DEST_UNREACH:
        env_count(ic->env, STAT_Icmp6InDestUnreachs);
        err->is_hard = true; /* of a code nobody knows too */
        if (h->code >= WEIR_COUNT(unreach6_table))
            return;
        err->error = unreach6_table[h->code].error;
        err->is_hard = unreach6_table[h->code].is_hard;
        return;
    case ICMP6T_TOO_BIG:
        env_count(ic->env, STAT_Icmp6InPktTooBigs);
        err->error = EMSGSIZE;
        err->mtu = h->arg;
        return;
    case ICMP6T_TIME_EXCEEDED:
        env_count(ic->env, STAT_Icmp6InTimeExcds);
        err->error = EHOSTUNREACH;
        return;
    case ICMP6T_PARAM_PROBLEM:
        env_count(ic->env, STAT_Icmp6InParmProblems);
        err->is_hard = true;
        return;
    default: return;
    }
}

enum next icmp6_quote_read(const struct pkt *p, uint32_t at, struct icmp_err *err)
{
    uint8_t b[QUOTE_MAX];
    uint32_t n = pkt_copy_out(p, at, b, sizeof b);
    struct wire_ip6 h;
    struct wire_ip6_chain c;
    /* The quote may be cut: its own length tells how long it was, not how long it is. */
    if (n < WIRE_IP6_HLEN || wire_ip6_parse(b, WIRE_IP6_HLEN + UINT16_MAX, &h) != DROP_NONE)
        return NEXT_DROP;
    if (wire_ip6_walk(b, n, &c) != DROP_NONE || c.frag_off != 0 || n < c.off + (uint32_t)QUOTE_L4)
        return NEXT_DROP;
    err->flow.local = h.src;
    err->flow.remote = h.dst;
    err->flow.proto = c.proto;
    err->sent = WIRE_IP6_HLEN + (uint32_t)h.plen;
    err->quote = p;
    err->quote_at = at + c.off;
    return icmp_quote_l4(b + c.off, err);
}

static enum next error6_input(struct icmp *ic, const struct nif *nif, struct pkt *p,
                              const struct wire_icmp6 *h, struct icmp_err *err)
{
    *err = (struct icmp_err){
        .reporter = p->flow.remote, .type = h->type, .code = h->code, .nif = nif->id};
    error6_meaning(ic, h, err);
    if (ip_addr_kind(ic->ip, nif, &p->flow.local) != IP_LOCAL)
        return icmp_drop(p, DROP_ICMP_BROADCAST);
    enum next next = icmp6_quote_read(p, WIRE_ICMP6_HLEN, err);
    if (next == NEXT_DROP)
        return icmp_drop(p, DROP_ICMP_QUOTE);
    if (!ip_is_local(ic->ip, &err->flow.local))
        return icmp_drop(p, DROP_ICMP_STALE);
    return next;
}

/* ---- neighbour discovery ---- */

static enum next nd_handle(struct icmp *ic, struct nif *nif, struct pkt *p)
{
    struct wire_nd h;
    bool router_gone = false;
    if (p->ttl != ND_HLIM)
        return icmp_drop(p, DROP_ND_HOPS);
    enum drop why = wire_nd_parse(pkt_data(p), p->lin, &h);
    if (why != DROP_NONE)
        return icmp_drop(p, why);
    if (h.type == ICMP6T_NS || h.type == ICMP6T_NA) {
        enum next next = nd_input(ic->ip->neigh, nif, p, &h, &router_gone);
        if (router_gone)
            ip6_router_gone(ic->ip, nif, &h.target);
        return next;
    }
    why = DROP_ICMP_TYPE; /* a solicitation for routers, which we do not play */
    if (h.type == ICMP6T_RA) {
        env_count(ic->env, STAT_Icmp6InRouterAdvertisements);
        why = ip6_router_advert(ic->ip, nif, &p->flow.remote, &h);
    } else if (h.type == ICMP6T_REDIRECT) {
        env_count(ic->env, STAT_Icmp6InRedirects);
        why = ip6_redirect(ic->ip, nif, &p->flow.remote, &h);
    }
    if (why != DROP_NONE)
        return icmp_drop(p, why);
    pkt_free(p);
    return NEXT_DONE;
}

/* ---- in ---- */

static enum drop message6_check(struct icmp *ic, const struct pkt *p, struct wire_icmp6 *h)
{
    enum drop why = wire_icmp6_parse(pkt_data(p), p->lin, h);
    if (why != DROP_NONE || p->csum == CSUM_GOOD)
        return why;
    uint32_t sum = csum_pseudo(&p->flow.remote, &p->flow.local, PROTO_ICMP6, p->len);
    sum = csum_pkt((enum csum_isa)ic->env->csum_isa, p, 0, p->len, sum);
    return csum_fold(sum) == 0 ? DROP_NONE : DROP_ICMP_CSUM;
}

enum next icmp6_input(struct icmp *ic, struct nif *nif, struct pkt *p, struct icmp_err *err)
{
    struct wire_icmp6 h;
    env_count(ic->env, STAT_Icmp6InMsgs);
    enum drop why = message6_check(ic, p, &h);
    if (why != DROP_NONE) {
        env_count(ic->env, STAT_Icmp6InErrors);
        return icmp_drop(p, why);
    }
    if (h.type >= ICMP6T_RS && h.type <= ICMP6T_REDIRECT)
        return nd_handle(ic, nif, p);
    /* Who has no address may ask for neighbours and routers, and nothing else. */
    if (addr_is_any(&p->flow.remote))
        return icmp_drop(p, DROP_IP_SRC_MARTIAN);
    if (h.type == ICMP6T_ECHO_REQUEST)
        return echo6_input(ic, p, &h);
    if (wire_icmp6_is_error(h.type))
        return error6_input(ic, nif, p, &h, err);
    /* [RFC 4443 2.4 (b)] Unknown informational messages are silently discarded. */
    return icmp_drop(p, DROP_ICMP_TYPE);
}
