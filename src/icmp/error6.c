/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMPv6 errors we send: about what, to whom, how much of it is quoted [RFC 4443 2.4, 3].
 *
 * Decides whether an error may be sent about a packet [RFC 4443 2.4 (e)]: never about an ICMPv6
 * error or a redirect, nothing to a group, or by a link group, but for "packet too big" and an
 * unknown option that asks for it, nothing to a source that is not one host. The rates are
 * error.c's.
 *
 * Called by error.c; calls ip/. Owns nothing. Invariants: what is quoted fits, with the headers,
 * into 1280 bytes [RFC 4443 2.4 (c)]; the message leaves from the address that was spoken to, where
 * that is ours.
 */
#include "icmp/parts.h"

#include "wire/csum.h"
#include "wire/icmp6.h"
#include "wire/ipv6.h"

/* [RFC 4443 2.4 (e.3)] What even a group's packet is answered with. */
static bool is_for_groups_too(const struct pkt *p)
{
    return p->icmp_type == ICMP6T_TOO_BIG ||
           (p->icmp_type == ICMP6T_PARAM_PROBLEM && p->icmp_code == ICMP6C_OPTION);
}

/* [RFC 4443 2.4 (e.1, e.2)] An error, a redirect, or what may be one: a later fragment does not
 * say. */
static bool is_about_error(const struct pkt *p)
{
    struct wire_ip6_chain c;
    uint8_t type;
    if (wire_ip6_walk(pkt_data(p), p->lin, &c) != DROP_NONE || c.proto != PROTO_ICMP6)
        return false;
    if (c.frag_off != 0 || pkt_copy_out(p, c.off, &type, 1) != 1)
        return true;
    return wire_icmp6_is_error(type) || type == ICMP6T_REDIRECT;
}

static bool is_allowed6(const struct icmp *ic, const struct pkt *p, const struct wire_ip6 *h)
{
    if (p->origin == LINK_TO_OTHER)
        return false;
    bool is_group = p->origin == LINK_TO_GROUP || addr_is_multicast(&h->dst);
    if (is_group && !is_for_groups_too(p))
        return false;
    if (addr_is_any(&h->src) || addr_is_multicast(&h->src) || addr_is_ip4(&h->src))
        return false;
    bool is_inside = icmp_is_looped(ic, p);
    enum ip_kind from = ip_addr_kind(ic->ip, NULL, &h->src);
    if (from != IP_REMOTE && !(from == IP_LOCAL && is_inside))
        return false;
    return !is_about_error(p);
}

/* The message: our header, then as much of p as fits. NULL: no memory. */
static struct pkt *error6_build(struct icmp *ic, const struct pkt *p, const struct ip_meta *m)
{
    struct pkt *e = pkt_new(&ic->env->mem);
    if (e == NULL)
        return NULL;
    uint32_t n = w_u32_min(p->len, WIRE_IP6_MIN_MTU - WIRE_IP6_HLEN - WIRE_ICMP6_HLEN);
    if (!link_append_part(e, p, 0, n)) {
        pkt_free(e);
        return NULL;
    }
    struct wire_icmp6 h = {.type = p->icmp_type, .code = p->icmp_code, .arg = p->icmp_arg};
    uint8_t *at = pkt_push(e, WIRE_ICMP6_HLEN);
    wire_icmp6_build(at, &h);
    uint32_t sum = csum_pseudo(&m->src, &m->dst, PROTO_ICMP6, e->len);
    h.csum = csum_fold(csum_pkt((enum csum_isa)ic->env->csum_isa, e, 0, e->len, sum));
    wire_icmp6_build(at, &h);
    return e;
}

enum drop icmp6_error_send(struct icmp *ic, const struct pkt *p)
{
    struct wire_ip6 h;
    struct dst d = {0};
    if (p->lin < WIRE_IP6_HLEN || wire_ip6_parse(pkt_data(p), p->len, &h) != DROP_NONE)
        return DROP_ICMP_NOT_ALLOWED;
    if (!is_allowed6(ic, p, &h))
        return DROP_ICMP_NOT_ALLOWED;
    if (!icmp_rate_allowed(ic, p, &h.src, p->icmp_type == ICMP6T_TOO_BIG)) {
        env_count(ic->env, STAT_Icmp6OutRateLimitHost);
        return DROP_ICMP_RATE;
    }
    /* [RFC 4443 2.2] */
    const struct addr *src = ip_is_local(ic->ip, &h.dst) ? &h.dst : NULL;
    d.nif = addr_is_link_local6(&h.src) ? (uint8_t)p->nif : 0;
    if (ip_route(ic->ip, &h.src, src, &d) < 0)
        return DROP_IP_NO_ROUTE;
    struct ip_meta m = {.src = d.src, .dst = h.src, .proto = PROTO_ICMP6};
    struct pkt *e = error6_build(ic, p, &m);
    if (e == NULL)
        return DROP_NOMEM;
    env_count(ic->env, STAT_Icmp6OutMsgs);
    env_count(ic->env, STAT_Icmp6OutErrors);
    (void)ip_output(ic->ip, &d, &m, e);
    return DROP_NONE;
}
