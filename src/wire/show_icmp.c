/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of ICMP and ICMPv6 messages, errors with the flow they are about, and of neighbour
 * discovery.
 *
 * Decides how types and codes read. An error's quoted packet is shown as its two ends and protocol,
 * never as a line of its own: whatever is in there, the depth is one.
 *
 * Owns nothing. Called by show.c. Keeps: reads only the bytes that are there; names come from const
 * tables, a code without a name is shown as a number.
 *
 * Read first: show.c; RFC 792; RFC 4443; RFC 4861 4.
 */
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/nd.h"
#include "wire/show_part.h"

/* names[i], or "`what` i" where there is none. */
static void show_name(struct text *t, const char *const *names, size_t n, const char *what,
                      unsigned i)
{
    if (i < n && names[i])
        text_str(t, names[i]);
    else
        text_field(t, what, i);
}

static const char *const type4[] = {
    [ICMP4T_ECHO_REPLY] = "echo reply",           [ICMP4T_DEST_UNREACH] = "unreachable",
    [ICMP4T_SOURCE_QUENCH] = "source quench",     [ICMP4T_REDIRECT] = "redirect",
    [ICMP4T_ECHO_REQUEST] = "echo request",       [ICMP4T_ROUTER_ADV] = "router advertisement",
    [ICMP4T_ROUTER_SOL] = "router solicitation",  [ICMP4T_TIME_EXCEEDED] = "time exceeded",
    [ICMP4T_PARAM_PROBLEM] = "parameter problem", [ICMP4T_TIMESTAMP] = "timestamp request",
    [ICMP4T_TIMESTAMP_REPLY] = "timestamp reply",
};
static const char *const unreach4[] = {
    "net unreachable",
    "host unreachable",
    "protocol unreachable",
    "port unreachable",
    "need to frag",
    "source route failed",
    "net unknown",
    "host unknown",
    "host isolated",
    "net prohibited",
    "host prohibited",
    "net unreachable for TOS",
    "host unreachable for TOS",
    "admin prohibited",
    "host precedence violation",
    "precedence cutoff",
};
static const char *const time4[] = {"time exceeded in-transit", "ip reassembly time exceeded"};

static const char *const type6[] = {
    [ICMP6T_DEST_UNREACH] = "unreachable",
    [ICMP6T_TOO_BIG] = "packet too big",
    [ICMP6T_TIME_EXCEEDED] = "time exceeded",
    [ICMP6T_PARAM_PROBLEM] = "parameter problem",
    [ICMP6T_ECHO_REQUEST] = "echo request",
    [ICMP6T_ECHO_REPLY] = "echo reply",
    [ICMP6T_MLD_QUERY] = "multicast listener query",
    [ICMP6T_MLD_REPORT] = "multicast listener report",
    [ICMP6T_MLD_DONE] = "multicast listener done",
    [ICMP6T_RS] = "router solicitation",
    [ICMP6T_RA] = "router advertisement",
    [ICMP6T_NS] = "neighbor solicitation",
    [ICMP6T_NA] = "neighbor advertisement",
    [ICMP6T_REDIRECT] = "redirect",
    [ICMP6T_MLD2_REPORT] = "multicast listener report v2",
};
static const char *const unreach6[] = {
    "no route",         "admin prohibited",     "beyond scope",   "address unreachable",
    "port unreachable", "source policy failed", "route rejected",
};
static const char *const time6[] = {"hop limit exceeded", "reassembly time exceeded"};

/* ---- the packet an error is about ---------------------------------------------------------- */

/* Its ends, with ports where the eight bytes behind its IP header are there. */
static void show_quoted_ends(struct text *t, const struct show_l4 *q)
{
    bool has_ports = (q->proto == PROTO_TCP || q->proto == PROTO_UDP) && q->n >= 4;
    text_str(t, " ");
    if (!has_ports) {
        text_addr(t, &q->src);
        text_str(t, " > ");
        text_addr(t, &q->dst);
        text_field(t, " proto ", q->proto);
        return;
    }
    text_endpoint(t, &q->src, w_be16(q->p));
    text_str(t, " > ");
    text_endpoint(t, &q->dst, w_be16(q->p + 2));
    text_str(t, q->proto == PROTO_TCP ? " tcp" : " udp");
}

static void show_quote4(struct text *t, const uint8_t *p, size_t n)
{
    struct wire_ip4 h;
    text_str(t, " for");
    /* Quotes are cut: the total length may well be beyond them. */
    enum drop bad = n < WIRE_IP4_HLEN ? DROP_IP_SHORT : wire_ip4_parse(p, UINT16_MAX, &h);
    if (bad != DROP_NONE || h.hlen > n) {
        show_bad(t, DROP_ICMP_QUOTE);
        return;
    }
    struct show_l4 q = {.src = h.src, .dst = h.dst, .proto = h.proto};
    q.p = p + h.hlen;
    q.n = h.frag_off == 0 ? n - h.hlen : 0;
    show_quoted_ends(t, &q);
}

static void show_quote6(struct text *t, const uint8_t *p, size_t n)
{
    struct wire_ip6 h;
    struct wire_ip6_chain c;
    text_str(t, " for");
    enum drop bad = n < WIRE_IP6_HLEN ? DROP_IP_SHORT : wire_ip6_parse(p, SIZE_MAX, &h);
    if (bad != DROP_NONE) {
        show_bad(t, DROP_ICMP_QUOTE);
        return;
    }
    struct show_l4 q = {.src = h.src, .dst = h.dst, .proto = h.next};
    if (wire_ip6_walk(p, n, &c) == DROP_NONE) {
        q.proto = c.proto;
        q.p = p + c.off;
        q.n = c.frag_off == 0 ? n - c.off : 0;
    }
    show_quoted_ends(t, &q);
}

/* ---- ICMP ----------------------------------------------------------------------------------- */

static void show_error4(struct text *t, const struct wire_icmp4 *h)
{
    switch (h->type) {
    case ICMP4T_DEST_UNREACH:
        show_name(t, unreach4, WEIR_COUNT(unreach4), "unreachable code ", h->code);
        if (h->code == ICMP4C_FRAG_NEEDED)
            text_field(t, " mtu ", wire_icmp4_mtu(h));
        break;
    case ICMP4T_TIME_EXCEEDED:
        show_name(t, time4, WEIR_COUNT(time4), "time exceeded code ", h->code);
        break;
    case ICMP4T_PARAM_PROBLEM: text_field(t, "parameter problem octet ", wire_icmp4_ptr(h)); break;
    case ICMP4T_REDIRECT: {
        struct addr gateway = addr_ip4(h->arg);
        text_str(t, "redirect to ");
        text_addr(t, &gateway);
        break;
    }
    default: show_name(t, type4, WEIR_COUNT(type4), "type ", h->type); break;
    }
}

void show_icmp4(struct text *t, const struct show_l4 *m)
{
    struct wire_icmp4 h;
    show_hosts(t, m);
    text_str(t, "ICMP");
    enum drop bad = wire_icmp4_parse(m->p, m->n, &h);
    if (bad != DROP_NONE) {
        show_bad(t, bad);
        return;
    }
    text_str(t, " ");
    if (wire_icmp4_is_error(h.type)) {
        show_error4(t, &h);
        show_quote4(t, m->p + WIRE_ICMP4_HLEN, m->n - WIRE_ICMP4_HLEN);
    } else {
        show_name(t, type4, WEIR_COUNT(type4), "type ", h.type);
        if (h.type == ICMP4T_ECHO_REQUEST || h.type == ICMP4T_ECHO_REPLY) {
            text_field(t, ", id ", wire_icmp4_id(&h));
            text_field(t, ", seq ", wire_icmp4_seq(&h));
        }
    }
    text_field(t, ", length ", m->len);
}

/* ---- ICMPv6 --------------------------------------------------------------------------------- */

static void show_error6(struct text *t, const struct wire_icmp6 *h)
{
    switch (h->type) {
    case ICMP6T_DEST_UNREACH:
        show_name(t, unreach6, WEIR_COUNT(unreach6), "unreachable code ", h->code);
        break;
    case ICMP6T_TOO_BIG: text_field(t, "packet too big, mtu ", h->arg); break;
    case ICMP6T_TIME_EXCEEDED:
        show_name(t, time6, WEIR_COUNT(time6), "time exceeded code ", h->code);
        break;
    case ICMP6T_PARAM_PROBLEM:
        text_field(t, "parameter problem code ", h->code);
        text_field(t, " pointer ", h->arg);
        break;
    default: show_name(t, type6, WEIR_COUNT(type6), "type ", h->type); break;
    }
}

static void show_flag(struct text *t, bool is_set, const char *name)
{
    if (is_set)
        text_str(t, name);
}

static void show_ra(struct text *t, const struct wire_nd *h)
{
    text_field(t, ", hop limit ", h->hlim);
    show_flag(t, (h->flags & ND_RA_MANAGED) != 0, ", managed");
    show_flag(t, (h->flags & ND_RA_OTHER) != 0, ", other");
    text_field(t, ", lifetime ", h->life_s);
    text_str(t, "s");
    for (unsigned i = 0; i < h->n_prefix; i++) {
        text_str(t, ", prefix ");
        text_addr(t, &h->prefix[i].prefix);
        text_field(t, "/", h->prefix[i].plen);
    }
    for (unsigned i = 0; i < h->n_route; i++) {
        text_str(t, ", route ");
        text_addr(t, &h->route[i].prefix);
        text_field(t, "/", h->route[i].plen);
    }
    for (unsigned i = 0; i < h->n_dns; i++) {
        text_str(t, ", rdnss ");
        text_addr(t, &h->dns[i]);
    }
}

static void show_nd(struct text *t, const struct show_l4 *m)
{
    struct wire_nd h;
    enum drop bad = wire_nd_parse(m->p, m->n, &h);
    if (bad != DROP_NONE) {
        show_bad(t, bad);
        return;
    }
    if (h.type == ICMP6T_RA)
        show_ra(t, &h);
    if (h.type == ICMP6T_NS || h.type == ICMP6T_NA) {
        text_str(t, h.type == ICMP6T_NS ? ", who has " : ", tgt is ");
        text_addr(t, &h.target);
        show_flag(t, (h.flags & ND_NA_ROUTER) != 0, ", router");
        show_flag(t, (h.flags & ND_NA_SOLICITED) != 0, ", solicited");
        show_flag(t, (h.flags & ND_NA_OVERRIDE) != 0, ", override");
    }
    if (h.type == ICMP6T_REDIRECT) {
        text_str(t, ", ");
        text_addr(t, &h.dest);
        text_str(t, " to ");
        text_addr(t, &h.target);
    }
    if ((h.has & ND_HAS_MTU) != 0)
        text_field(t, ", mtu ", h.mtu);
    if ((h.has & ND_HAS_SLLA) != 0) {
        text_str(t, ", source link-address ");
        text_mac(t, h.slla);
    }
    if ((h.has & ND_HAS_TLLA) != 0) {
        text_str(t, ", target link-address ");
        text_mac(t, h.tlla);
    }
}

void show_icmp6(struct text *t, const struct show_l4 *m)
{
    struct wire_icmp6 h;
    show_hosts(t, m);
    text_str(t, "ICMP6");
    enum drop bad = wire_icmp6_parse(m->p, m->n, &h);
    if (bad != DROP_NONE) {
        show_bad(t, bad);
        return;
    }
    text_str(t, ", ");
    if (wire_icmp6_is_error(h.type)) {
        show_error6(t, &h);
        show_quote6(t, m->p + WIRE_ICMP6_HLEN, m->n - WIRE_ICMP6_HLEN);
    } else {
        show_name(t, type6, WEIR_COUNT(type6), "type ", h.type);
        if (h.type == ICMP6T_ECHO_REQUEST || h.type == ICMP6T_ECHO_REPLY) {
            text_field(t, ", id ", wire_icmp6_id(&h));
            text_field(t, ", seq ", wire_icmp6_seq(&h));
        } else if (h.type >= ICMP6T_RS && h.type <= ICMP6T_REDIRECT) {
            show_nd(t, m);
        }
    }
    text_field(t, ", length ", m->len);
}
