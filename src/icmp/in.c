/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMP messages that arrive: echo is answered [RFC 1122 3.2.2.6], errors are read for the transport
 * that sent the packet they quote.
 *
 * Decides what an error means to a host: its errno, and whether it is hard (ends what is being
 * attempted) or soft (may pass), after Linux's table and [RFC 1122 4.2.3.9]. Whether to believe it
 * is the transport's business [RFC 5927].
 *
 * Called by stack/ with what ip4_input hands on; calls ip/ for echo replies. An error's packet
 * stays the caller's; everything else is consumed or dropped by name.
 */
#include "icmp/icmp.h"
#include "wire/wire.h"

#include <errno.h>

static enum next drop(struct icmp *ic, struct pkt *p, enum drop why)
{
    p->drop = (uint16_t)why;
    env_count(ic->env, STAT_IcmpInErrors);
    return NEXT_DROP;
}

/* The request becomes the reply: same payload, type changed, addresses exchanged. */
static enum next echo_reply(struct icmp *ic, struct nif *nif, struct pkt *p)
{
    env_count(ic->env, STAT_IcmpInEchos);
    if (ic->env->conf.icmp_echo_ignore_all || ip_addr_kind(ic->ip, nif, &p->flow.local) != IP_LOCAL)
        return drop(ic, p, DROP_ICMP_BROADCAST);
    struct ip_meta m = {
        .src = p->flow.local, .dst = p->flow.remote, .proto = PROTO_ICMP4, .tos = p->tos};
    struct dst d = {0};
    if (ip_route(ic->ip, &m.dst, &m.src, &d) < 0)
        return drop(ic, p, DROP_IP_NO_ROUTE);
    /* A new packet: the old one's headroom was the sender's choice. */
    struct pkt *reply = pkt_new(&ic->env->mem);
    uint8_t bytes[2048];
    uint32_t n = p->len;
    if (reply == NULL)
        return drop(ic, p, DROP_NOMEM);
    for (uint32_t at = 0; at < n;) {
        uint32_t k = pkt_copy_out(p, at, bytes, sizeof(bytes));
        if (!pkt_append_copy(reply, bytes, k)) {
            pkt_free(reply);
            return drop(ic, p, DROP_NOMEM);
        }
        at += k;
    }
    uint8_t *h = pkt_data(reply);
    uint16_t was = w_be16(h);
    h[0] = ICMP4T_ECHO_REPLY;
    w_put16(h + 2, csum_update16(w_be16(h + 2), was, w_be16(h)));
    reply->l4 = reply->pay = reply->off;
    pkt_free(p);
    env_count(ic->env, STAT_IcmpOutMsgs);
    env_count(ic->env, STAT_IcmpOutEchoReps);
    (void)ip_output(ic->ip, &d, &m, reply);
    return NEXT_DONE;
}

struct meaning {
    int error;
    bool is_hard;
};

/* By code of Destination Unreachable, as Linux's icmp_err_convert has it. */
static const struct meaning unreach[] = {
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

static struct meaning meaning_of(uint8_t type, uint8_t code)
{
    if (type == ICMP4T_DEST_UNREACH && code < WEIR_COUNT(unreach))
        return unreach[code];
    if (type == ICMP4T_PARAM_PROBLEM)
        return (struct meaning){EPROTO, true};
    if (type == ICMP4T_TIME_EXCEEDED)
        return (struct meaning){EHOSTUNREACH, false};
    return (struct meaning){0, false};
}

/* The packet an error quotes: its IP header and at least 8 bytes behind it [RFC 792]. */
static enum next quote_read(struct icmp *ic, struct pkt *p, const struct wire_icmp4 *h,
                            struct icmp_err *err)
{
    const uint8_t *q = pkt_data(p) + WIRE_ICMP4_HLEN;
    uint32_t n = p->lin - (uint32_t)WIRE_ICMP4_HLEN;
    /* The quoted total length is the original's: only the header's own bytes are looked at. */
    if (n < WIRE_IP4_HLEN || (q[0] >> 4) != 4)
        return drop(ic, p, DROP_ICMP_QUOTE);
    unsigned hlen = wire_ip4_hlen(q);
    if (hlen < WIRE_IP4_HLEN || n < hlen + 8)
        return drop(ic, p, DROP_ICMP_QUOTE);
    const uint8_t *t = q + hlen;
    struct meaning m = meaning_of(h->type, h->code);
    *err = (struct icmp_err){.reporter = p->flow.remote,
                             .type = h->type,
                             .code = h->code,
                             .nif = (uint8_t)p->nif,
                             .is_hard = m.is_hard,
                             .error = m.error,
                             .sent = wire_ip4_total(q)};
    err->flow.local = addr_from_ip4(q + 12);
    err->flow.remote = addr_from_ip4(q + 16);
    err->flow.proto = wire_ip4_proto(q);
    err->flow.lport = w_be16(t);
    err->flow.rport = w_be16(t + 2);
    if (h->type == ICMP4T_DEST_UNREACH && h->code == ICMP4C_FRAG_NEEDED)
        err->mtu = wire_icmp4_mtu(h);
    bool is_first = (w_be16(q + 6) & 0x1fff) == 0;
    if (!is_first || !ip_is_local(ic->ip, &err->flow.local))
        return drop(ic, p, DROP_ICMP_STALE);
    if (err->flow.proto == PROTO_TCP) {
        err->seq = w_be32(t + 4);
        return NEXT_TCP_ERROR;
    }
    return err->flow.proto == PROTO_UDP ? NEXT_UDP_ERROR : drop(ic, p, DROP_ICMP_STALE);
}

enum next icmp_input(struct icmp *ic, struct nif *nif, struct pkt *p, struct icmp_err *err)
{
    struct wire_icmp4 h;
    env_count(ic->env, STAT_IcmpInMsgs);
    enum drop why = wire_icmp4_parse(pkt_data(p), p->lin, &h);
    if (why != DROP_NONE)
        return drop(ic, p, why);
    bool is_wrong = p->csum == CSUM_NONE &&
                    csum_fold(csum_pkt((enum csum_isa)ic->env->csum_isa, p, 0, p->len, 0)) != 0;
    if (is_wrong)
        return drop(ic, p, DROP_ICMP_CSUM);
    switch (h.type) {
    case ICMP4T_ECHO_REQUEST: return echo_reply(ic, nif, p);
    case ICMP4T_DEST_UNREACH:
        env_count(ic->env, STAT_IcmpInDestUnreachs);
        return quote_read(ic, p, &h, err);
    case ICMP4T_TIME_EXCEEDED:
        env_count(ic->env, STAT_IcmpInTimeExcds);
        return quote_read(ic, p, &h, err);
    case ICMP4T_PARAM_PROBLEM: return quote_read(ic, p, &h, err);
    default:
        p->drop = DROP_ICMP_TYPE; /* unknown types are discarded in silence [RFC 1122 3.2.2] */
        return NEXT_DROP;
    }
}

enum next icmp_host_failed(struct icmp *ic, struct pkt *p, struct icmp_err *err)
{
    const uint8_t *q = pkt_data(p);
    if (p->lin < WIRE_IP4_HLEN || (q[0] >> 4) != 4 || p->lin < wire_ip4_hlen(q) + 8u) {
        p->drop = DROP_NEIGH_FAILED;
        return NEXT_DROP;
    }
    const uint8_t *t = q + wire_ip4_hlen(q);
    struct addr src = addr_from_ip4(q + 12);
    if (!ip_is_local(ic->ip, &src)) {
        p->drop = DROP_NEIGH_FAILED;
        p->icmp_type = ICMP4T_DEST_UNREACH;
        p->icmp_code = ICMP4C_HOST;
        p->icmp_arg = 0;
        icmp_error(ic, p);
        return NEXT_DONE;
    }
    *err = (struct icmp_err){.reporter = src,
                             .type = ICMP4T_DEST_UNREACH,
                             .code = ICMP4C_HOST,
                             .nif = (uint8_t)p->nif,
                             .error = EHOSTUNREACH,
                             .sent = wire_ip4_total(q),
                             .is_local = true};
    err->flow.local = src;
    err->flow.remote = addr_from_ip4(q + 16);
    err->flow.proto = wire_ip4_proto(q);
    err->flow.lport = w_be16(t);
    err->flow.rport = w_be16(t + 2);
    if (err->flow.proto == PROTO_TCP) {
        err->seq = w_be32(t + 4);
        return NEXT_TCP_ERROR;
    }
    p->drop = DROP_NEIGH_FAILED;
    return err->flow.proto == PROTO_UDP ? NEXT_UDP_ERROR : NEXT_DROP;
}
