/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors we send: about what, to whom, how much of it is quoted, and how often.
 *
 * Decides whether an error may be sent about a packet [RFC 1122 3.2.2, RFC 1812 4.3.2.7]: never
 * about an ICMP error, a fragment after the first, anything to or from a broadcast or multicast
 * address or by a link broadcast, a source that is not a host. Then the rates [RFC 1812 4.3.2.8]:
 * one bucket for all, and one error per destination and icmp_ratelimit, by keyed hash.
 *
 * Called by stack/ on NEXT_ICMP_ERROR and for a reassembly that timed out; calls ip/. Owns the
 * buckets in struct icmp.
 *
 * Invariants: the packet it is about is consumed; what is quoted fits, with the headers, into 576
 * bytes [RFC 1812 4.3.2.3]; the message leaves from the address that was spoken to, where that is
 * ours.
 */
#include "icmp/parts.h"

#include "wire/csum.h"
#include "wire/icmp4.h"
#include "wire/ipv4.h"

enum { ERROR_MAX = 576 };

/* Tokens of the global bucket; false: none left. */
static bool global_allowed(struct icmp *ic)
{
    const struct weir_conf *c = &ic->env->conf;
    w_ns per_token = W_S / c->icmp_msgs_per_sec;
    uint64_t fresh = (ic->env->now - ic->global_at) / per_token;
    if (ic->global_tokens + fresh >= c->icmp_msgs_burst) {
        ic->global_tokens = c->icmp_msgs_burst;
        ic->global_at = ic->env->now;
    } else {
        ic->global_tokens += (uint32_t)fresh;
        ic->global_at += fresh * per_token;
    }
    if (ic->global_tokens == 0)
        return false;
    ic->global_tokens--;
    return true;
}

bool icmp_is_looped(const struct icmp *ic, const struct pkt *p)
{
    const struct nif *nif = link_nif(ic->ip->link, p->nif);
    return nif != NULL && (nif->flags & NIF_LOOPBACK) != 0;
}

/* Destinations that share a slot share its rate: an outsider cannot choose which [RFC 1812
 * 4.3.2.8]. Two are not limited here, as in Linux: fragmentation needed, because a path must learn
 * its MTU, and what stays inside this host, where a refused datagram must be known at once. */
static bool dst_allowed(struct icmp *ic, const struct pkt *p, const struct addr *to, bool is_mtu)
{
    if (is_mtu || icmp_is_looped(ic, p) || ic->env->conf.icmp_ratelimit == 0)
        return true;
    uint64_t h = hash_sip13(&ic->env->key_misc, to->b, sizeof to->b);
    w_ns *at = &ic->dst_at[h % ICMP_DST_SLOTS];
    if (*at > ic->env->now)
        return false;
    *at = ic->env->now + ic->env->conf.icmp_ratelimit * W_MS;
    return true;
}

bool icmp_rate_allowed(struct icmp *ic, const struct pkt *p, const struct addr *to, bool is_mtu)
{
    return dst_allowed(ic, p, to, is_mtu) && global_allowed(ic);
}

/* Whether the standards allow an error about this packet, whose header is h. */
static bool is_allowed(const struct icmp *ic, const struct pkt *p, const struct wire_ip4 *h)
{
    const struct nif *nif = link_nif(ic->ip->link, p->nif);
    if (p->origin == LINK_TO_GROUP || p->origin == LINK_TO_OTHER)
        return false;
    if (h->frag_off != 0)
        return false;
    enum ip_kind to = ip_addr_kind(ic->ip, nif, &h->dst);
    if (to == IP_BROADCAST || to == IP_MULTICAST)
        return false;
    enum ip_kind from = ip_addr_kind(ic->ip, NULL, &h->src);
    bool is_inside = icmp_is_looped(ic, p);
    if (from != IP_REMOTE && !(from == IP_LOCAL && is_inside))
        return false;
    uint8_t first = addr_ip4_bytes(&h->src)[0];
    if (first == 0 || first >= 224 || (first == 127 && !is_inside))
        return false;
    if (h->proto != PROTO_ICMP4)
        return true;
    uint8_t type;
    return pkt_copy_out(p, h->hlen, &type, 1) == 1 && !wire_icmp4_is_error(type) &&
           type <= ICMP4T_TIMESTAMP_REPLY;
}

/* The message: our header, then as much of p as fits. NULL: no memory. */
static struct pkt *error_build(struct icmp *ic, const struct pkt *p)
{
    struct pkt *e = pkt_new(&ic->env->mem);
    if (e == NULL)
        return NULL;
    uint32_t n = w_u32_min(p->len, ERROR_MAX - WIRE_IP4_HLEN - WIRE_ICMP4_HLEN);
    if (!link_append_part(e, p, 0, n)) {
        pkt_free(e);
        return NULL;
    }
    struct wire_icmp4 h = {.type = p->icmp_type, .code = p->icmp_code, .arg = p->icmp_arg};
    uint8_t *at = pkt_push(e, WIRE_ICMP4_HLEN);
    wire_icmp4_build(at, &h);
    uint32_t sum = csum_pkt((enum csum_isa)ic->env->csum_isa, e, 0, e->len, 0);
    h.csum = csum_fold(sum);
    wire_icmp4_build(at, &h);
    return e;
}

static void error_count(struct icmp *ic, uint8_t type)
{
    env_count(ic->env, STAT_IcmpOutMsgs);
    if (type == ICMP4T_DEST_UNREACH)
        env_count(ic->env, STAT_IcmpOutDestUnreachs);
    else if (type == ICMP4T_TIME_EXCEEDED)
        env_count(ic->env, STAT_IcmpOutTimeExcds);
}

/* DROP_NONE: sent. Otherwise why not. */
static enum drop error_send(struct icmp *ic, const struct pkt *p)
{
    struct wire_ip4 h;
    struct dst d = {0};
    if (p->lin < WIRE_IP4_HLEN || wire_ip4_parse(pkt_data(p), p->len, &h) != DROP_NONE)
        return DROP_ICMP_NOT_ALLOWED;
    if (!is_allowed(ic, p, &h))
        return DROP_ICMP_NOT_ALLOWED;
    bool is_mtu = p->icmp_type == ICMP4T_DEST_UNREACH && p->icmp_code == ICMP4C_FRAG_NEEDED;
    if (!icmp_rate_allowed(ic, p, &h.src, is_mtu)) {
        env_count(ic->env, STAT_IcmpOutRateLimited);
        return DROP_ICMP_RATE;
    }
    /* [RFC 1812 4.3.2.4] From the address it was sent to, else from the interface it goes out
     * by. */
    const struct addr *src = ip_is_local(ic->ip, &h.dst) ? &h.dst : NULL;
    if (ip_route(ic->ip, &h.src, src, &d) < 0)
        return DROP_IP_NO_ROUTE;
    struct pkt *e = error_build(ic, p);
    if (e == NULL)
        return DROP_NOMEM;
    /* [RFC 1812 4.3.2.5] Precedence: internetwork control, as Linux does. */
    struct ip_meta m = {.src = d.src, .dst = h.src, .proto = PROTO_ICMP4, .tos = 0xc0};
    error_count(ic, p->icmp_type);
    (void)ip_output(ic->ip, &d, &m, e);
    return DROP_NONE;
}

void icmp_error(struct icmp *ic, struct pkt *p)
{
    bool is_ip6 = p->lin > 0 && pkt_data(p)[0] >> 4 == 6;
    enum drop why = is_ip6 ? icmp6_error_send(ic, p) : error_send(ic, p);
    if (why != DROP_NONE)
        ic->env->drops[why]++;
    pkt_free(p);
}
