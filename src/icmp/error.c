/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMP errors sent, with restraint.
 *
 * Decides whether an error may be sent about a packet at all [RFC 1122 3.2.2, RFC 1812 4.3.2.7]: never
 * about an ICMP error, a fragment other than the first, a packet to a group or from no single host;
 * and whether the rate allows it [RFC 1812 4.3.2.8]: a token bucket for all errors and a minimum
 * interval for each destination, as Linux's icmp_msgs_per_sec and icmp_ratelimit.
 *
 * Called by rooms above and by in.c; owns the packet it is given and frees it. What it sends quotes
 * as much of the packet as fits 576 bytes [RFC 1812 4.3.2.3].
 */
#include "icmp/icmp.h"
#include "wire/wire.h"

enum { ICMP_ERROR_MAX = 576 - WIRE_IP4_HLEN - WIRE_ICMP4_HLEN };

void icmp_init(struct icmp *ic, struct env *env, struct ip *ip)
{
    *ic = (struct icmp){.env = env, .ip = ip, .global_at = env->now};
    ic->global_tokens = env->conf.icmp_msgs_burst;
}

/* Whether the packet at p's first byte is one that errors may be about. */
static bool may_complain(const struct icmp *ic, const struct pkt *p)
{
    const uint8_t *ip = pkt_data(p);
    if (p->lin < WIRE_IP4_HLEN || (ip[0] >> 4) != 4 || p->lin < wire_ip4_hlen(ip))
        return false;
    struct addr src = addr_from_ip4(ip + 12), dst = addr_from_ip4(ip + 16);
    if ((w_be16(ip + 6) & 0x1fff) != 0)
        return false;
    bool is_one_host = !addr_is_any(&src) && !addr_is_multicast(&src) &&
                       !addr_is_limited_broadcast(&src) &&
                       ip_addr_kind(ic->ip, NULL, &src) != IP_BROADCAST;
    enum ip_kind kind = ip_addr_kind(ic->ip, NULL, &dst);
    if (!is_one_host || kind == IP_BROADCAST || kind == IP_MULTICAST)
        return false;
    if (wire_ip4_proto(ip) != PROTO_ICMP4)
        return true;
    unsigned hlen = wire_ip4_hlen(ip);
    return p->lin > hlen && !wire_icmp4_is_error(ip[hlen]);
}

static bool rate_allows(struct icmp *ic, const struct addr *to)
{
    const struct weir_conf *c = &ic->env->conf;
    w_ns now = ic->env->now, gap = W_S / c->icmp_msgs_per_sec;
    uint64_t earned = (now - ic->global_at) / gap;
    if (earned != 0) {
        ic->global_tokens = (uint32_t)w_u64_min(ic->global_tokens + earned, c->icmp_msgs_burst);
        ic->global_at += earned * gap;
    }
    uint64_t h = hash_sip13(&ic->env->key_misc, to->b, sizeof(to->b));
    w_ns *next = &ic->dst_at[h % ICMP_DST_SLOTS];
    if (ic->global_tokens == 0 || *next > now) {
        env_count(ic->env, STAT_IcmpOutRateLimited);
        return false;
    }
    ic->global_tokens--;
    *next = now + (w_ns)c->icmp_ratelimit * W_MS;
    return true;
}

static struct pkt *error_build(struct icmp *ic, const struct pkt *p)
{
    uint8_t quote[ICMP_ERROR_MAX];
    uint32_t n = pkt_copy_out(p, 0, quote, sizeof(quote));
    struct pkt *e = pkt_new(&ic->env->mem);
    if (e == NULL)
        return NULL;
    if (!pkt_append_copy(e, quote, n)) {
        pkt_free(e);
        return NULL;
    }
    struct wire_icmp4 h = {.type = p->icmp_type, .code = p->icmp_code, .arg = p->icmp_arg};
    uint8_t *at = pkt_push(e, WIRE_ICMP4_HLEN);
    (void)wire_icmp4_build(at, &h);
    e->l4 = e->pay = e->off;
    enum csum_isa isa = (enum csum_isa)ic->env->csum_isa;
    w_put16(at + 2, csum_fold(csum_pkt(isa, e, 0, e->len, 0)));
    return e;
}

static void error_send(struct icmp *ic, const struct pkt *p)
{
    const uint8_t *ip = pkt_data(p);
    struct addr src = addr_from_ip4(ip + 12), dst = addr_from_ip4(ip + 16);
    /* From the address it was sent to, if that is ours; a router answers with its own. */
    struct ip_meta m = {.dst = src, .proto = PROTO_ICMP4, .tos = 0xc0};
    struct dst d = {0};
    bool is_ours = ip_is_local(ic->ip, &dst);
    if (ip_route(ic->ip, &src, is_ours ? &dst : NULL, &d) < 0)
        return;
    m.src = d.src;
    struct pkt *e = error_build(ic, p);
    if (e == NULL) {
        ic->env->drops[DROP_NOMEM]++;
        return;
    }
    env_count(ic->env, STAT_IcmpOutMsgs);
    if (p->icmp_type == ICMP4T_DEST_UNREACH)
        env_count(ic->env, STAT_IcmpOutDestUnreachs);
    if (p->icmp_type == ICMP4T_TIME_EXCEEDED)
        env_count(ic->env, STAT_IcmpOutTimeExcds);
    (void)ip_output(ic->ip, &d, &m, e);
}

void icmp_error(struct icmp *ic, struct pkt *p)
{
    if (!may_complain(ic, p)) {
        ic->env->drops[DROP_ICMP_NOT_ALLOWED]++;
    } else {
        struct addr to = addr_from_ip4(pkt_data(p) + 12);
        if (rate_allows(ic, &to))
            error_send(ic, p);
        else
            ic->env->drops[DROP_ICMP_RATE]++;
    }
    pkt_free(p);
}
