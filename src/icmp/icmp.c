/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMP messages that came in: echo answered, errors read for the transports.
 *
 * Decides what is a message, whether an echo is answered, and which transport an error concerns. An
 * error is not believed here: it is turned into struct icmp_err, and TCP compares its sequence
 * number with what is in flight [RFC 5927 4.1]. What can be checked without state is checked: the
 * quoted packet must be one of ours.
 *
 * Called by stack/; calls ip/ to send echo replies. Owns nothing.
 *
 * Invariants: an echo reply carries the request's bytes and leaves from the address that was asked;
 * a broadcast or multicast echo is not answered; a message is never an error's reason for another.
 *
 * RFC 792, RFC 1122 3.2.2, RFC 1812 4.3, RFC 5927, RFC 6633 (source quench), RFC 6918 (retired
 * types).
 */
#include "icmp/parts.h"

#include "wire/csum.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#include <errno.h>

void icmp_init(struct icmp *ic, struct env *env, struct ip *ip)
{
    *ic = (struct icmp){.env = env, .ip = ip, .global_at = env->now};
    ic->global_tokens = env->conf.icmp_msgs_burst;
}

/* The request becomes the reply: type changed, checksum mended, addresses exchanged [RFC 1122
 * 3.2.2.6]. */
static enum next echo_reply(struct icmp *ic, struct pkt *p)
{
    struct dst d = {0};
    if (ip_route(ic->ip, &p->flow.remote, &p->flow.local, &d) < 0)
        return icmp_drop(p, DROP_IP_NO_ROUTE);
    uint8_t *icmp = pkt_data(p);
    uint16_t csum = csum_update16(w_be16(icmp + 2), (uint16_t)(ICMP4T_ECHO_REQUEST << 8),
                                  ICMP4T_ECHO_REPLY << 8);
    struct wire_icmp4 h;
    if (wire_icmp4_parse(icmp, p->lin, &h) != DROP_NONE)
        return icmp_drop(p, DROP_ICMP_SHORT);
    h.type = ICMP4T_ECHO_REPLY;
    h.csum = csum;
    wire_icmp4_build(icmp, &h);
    struct ip_meta m = {.src = p->flow.local,
                        .dst = p->flow.remote,
                        .proto = PROTO_ICMP4,
                        .tos = p->tos & (uint8_t)~ECN_MASK};
    p->csum = CSUM_NONE;
    p->when = 0;
    env_count(ic->env, STAT_IcmpOutMsgs);
    env_count(ic->env, STAT_IcmpOutEchoReps);
    (void)ip_output(ic->ip, &d, &m, p);
    return NEXT_DONE;
}

static enum next echo_input(struct icmp *ic, const struct nif *nif, struct pkt *p)
{
    env_count(ic->env, STAT_IcmpInEchos);
    /* [RFC 1122 3.2.2.6] To a broadcast or multicast address: MAY be discarded, and is. */
    if (ip_addr_kind(ic->ip, nif, &p->flow.local) != IP_LOCAL)
        return icmp_drop(p, DROP_ICMP_BROADCAST);
    if (ic->env->conf.icmp_echo_ignore_all != 0)
        return icmp_drop(p, DROP_ICMP_TYPE);
    return echo_reply(ic, p);
}

/* ---- errors ---- */

/* What a program sees, and whether it ends a connection attempt: Linux's icmp_err_convert. */
static const struct {
    uint8_t error;
    bool is_hard;
} unreach_table[] = {
    [ICMP4C_NET] = {ENETUNREACH, false},
    [ICMP4C_HOST] = {EHOSTUNREACH, false},
    [ICMP4C_PROTO] = {ENOPROTOOPT, true},
    [ICMP4C_PORT] = {ECONNREFUSED, true},
    [ICMP4C_FRAG_NEEDED] = {EMSGSIZE, false},
    [ICMP4C_SRC_ROUTE] = {EOPNOTSUPP, false},
    [ICMP4C_NET_UNKNOWN] = {ENETUNREACH, true},
    [ICMP4C_HOST_UNKNOWN] = {EHOSTDOWN, true},
    [ICMP4C_HOST_ISOLATED] = {ENONET, true},
    [ICMP4C_NET_PROHIBITED] = {ENETUNREACH, true},
    [ICMP4C_HOST_PROHIBITED] = {EHOSTUNREACH, true},
    [ICMP4C_NET_TOS] = {ENETUNREACH, false},
    [ICMP4C_HOST_TOS] = {EHOSTUNREACH, false},
    [ICMP4C_ADMIN] = {EHOSTUNREACH, true},
    [ICMP4C_PRECEDENCE] = {EHOSTUNREACH, true},
    [ICMP4C_PRECEDENCE_CUTOFF] = {EHOSTUNREACH, true},
};

static bool error_meaning(const struct wire_icmp4 *h, struct icmp_err *err)
{
    switch (h->type) {
    case ICMP4T_DEST_UNREACH:
        if (h->code >= WEIR_COUNT(unreach_table))
            return false;
        err->error = unreach_table[h->code].error;
        err->is_hard = unreach_table[h->code].is_hard;
        if (h->code == ICMP4C_FRAG_NEEDED)
            err->mtu = wire_icmp4_mtu(h);
        return true;
    case ICMP4T_TIME_EXCEEDED: err->error = EHOSTUNREACH; return true;
    case ICMP4T_PARAM_PROBLEM:
        err->error = EPROTO;
        err->is_hard = true;
        return true;
    default:
        /* Source quench [RFC 9293 3.9.2.2 MUST-55, RFC 6633 1] and redirects are ignored. */
        return false;
    }
}

enum next icmp_quote_l4(const uint8_t *l4, struct icmp_err *err)
{
    if (err->flow.proto == PROTO_TCP) {
        err->flow.lport = wire_tcp_sport(l4);
        err->flow.rport = wire_tcp_dport(l4);
        err->seq = wire_tcp_seq(l4);
        return NEXT_TCP_ERROR;
    }
    if (err->flow.proto == PROTO_UDP) {
        err->flow.lport = wire_udp_sport(l4);
        err->flow.rport = wire_udp_dport(l4);
        return NEXT_UDP_ERROR;
    }
    return NEXT_DROP;
}

/* Reads the packet quoted at p->off + at: who was talking to whom. It was sent by us, so its source
 * is our end. NEXT_DROP: nothing usable. */
static enum next quote_read(const struct pkt *p, uint32_t at, struct icmp_err *err)
{
    uint8_t b[WIRE_IP4_HLEN_MAX + QUOTE_L4];
    uint32_t n = pkt_copy_out(p, at, b, sizeof b);
    struct wire_ip4 h;
    /* The quote may be cut: its own total length tells how long it was, not how long it is. */
    if (n < WIRE_IP4_HLEN || b[0] >> 4 != 4)
        return NEXT_DROP;
    enum drop why = wire_ip4_parse(b, UINT16_MAX, &h);
    if (why != DROP_NONE || n < h.hlen + (uint32_t)QUOTE_L4 || h.frag_off != 0)
        return NEXT_DROP;
    err->flow.local = h.src;
    err->flow.remote = h.dst;
    err->flow.proto = h.proto;
    err->sent = h.total;
    err->quote = p;
    err->quote_at = at + h.hlen;
    return icmp_quote_l4(b + h.hlen, err);
}

static enum next error_input(struct icmp *ic, const struct nif *nif, struct pkt *p,
                             const struct wire_icmp4 *h, struct icmp_err *err)
{
    if (h->type == ICMP4T_DEST_UNREACH)
        env_count(ic->env, STAT_IcmpInDestUnreachs);
    else if (h->type == ICMP4T_TIME_EXCEEDED)
        env_count(ic->env, STAT_IcmpInTimeExcds);
    *err = (struct icmp_err){
        .reporter = p->flow.remote, .type = h->type, .code = h->code, .nif = nif->id};
    if (!error_meaning(h, err))
        return icmp_drop(p, DROP_ICMP_TYPE);
    if (ip_addr_kind(ic->ip, nif, &p->flow.local) != IP_LOCAL)
        return icmp_drop(p, DROP_ICMP_BROADCAST);
    enum next next = quote_read(p, WIRE_ICMP4_HLEN, err);
    if (next == NEXT_DROP)
        return icmp_drop(p, DROP_ICMP_QUOTE);
    if (!ip_is_local(ic->ip, &err->flow.local))
        return icmp_drop(p, DROP_ICMP_STALE);
    return next;
}

static enum drop message_check(struct icmp *ic, const struct pkt *p, struct wire_icmp4 *h)
{
    enum drop why = wire_icmp4_parse(pkt_data(p), p->lin, h);
    if (why != DROP_NONE)
        return why;
    if (p->csum == CSUM_GOOD)
        return DROP_NONE;
    uint32_t sum = csum_pkt((enum csum_isa)ic->env->csum_isa, p, 0, p->len, 0);
    return csum_fold(sum) == 0 ? DROP_NONE : DROP_ICMP_CSUM;
}

enum next icmp_input(struct icmp *ic, struct nif *nif, struct pkt *p, struct icmp_err *err)
{
    struct wire_icmp4 h;
    env_count(ic->env, STAT_IcmpInMsgs);
    enum drop why = message_check(ic, p, &h);
    if (why != DROP_NONE) {
        env_count(ic->env, STAT_IcmpInErrors);
        return icmp_drop(p, why);
    }
    if (h.type == ICMP4T_ECHO_REQUEST)
        return echo_input(ic, nif, p);
    if (wire_icmp4_is_error(h.type))
        return error_input(ic, nif, p, &h, err);
    /* [RFC 1122 3.2.2] Unknown types are silently discarded. */
    return icmp_drop(p, DROP_ICMP_TYPE);
}

enum next icmp_host_failed(struct icmp *ic, struct pkt *p, struct icmp_err *err)
{
    bool is_ip6 = pkt_data(p)[0] >> 4 == 6;
    if (p->origin == LINK_FORWARDED) {
        p->drop = DROP_NEIGH_FAILED;
        p->icmp_type = is_ip6 ? ICMP6T_DEST_UNREACH : ICMP4T_DEST_UNREACH;
        p->icmp_code = is_ip6 ? ICMP6C_ADDR : ICMP4C_HOST;
        p->icmp_arg = 0;
        ic->env->drops[DROP_NEIGH_FAILED]++;
        icmp_error(ic, p);
        return NEXT_DONE;
    }
    *err = (struct icmp_err){
        .type = ICMP4T_DEST_UNREACH, .code = ICMP4C_HOST, .error = EHOSTUNREACH, .is_local = true};
    if (is_ip6) {
        err->type = ICMP6T_DEST_UNREACH;
        err->code = ICMP6C_ADDR;
    }
    enum next next = is_ip6 ? icmp6_quote_read(p, 0, err) : quote_read(p, 0, err);
    err->reporter = err->flow.local;
    return next == NEXT_DROP ? icmp_drop(p, DROP_NEIGH_FAILED) : next;
}
