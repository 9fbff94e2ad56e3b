/* SPDX-License-Identifier: Apache-2.0
 *
 * A datagram cut into fragments [RFC 791 3.2 "An Example Fragmentation Procedure"].
 *
 * Decides where it is cut (at multiples of eight bytes) and which options each piece carries (the
 * first all, the others those with the copied flag). Pieces share the payload blocks of the whole.
 *
 * Called by out.c for our own datagrams and by forward.c for others'; calls neigh/. All pieces are
 * made before the first is sent: a datagram that memory cuts short would only cost its receiver.
 *
 * Invariants: the pieces' payloads in order are the whole's; a fragment of a fragment keeps its
 * offset and, if it had it, More Fragments.
 */
#include "ip/parts.h"
#include "wire/ipv4.h"

struct cut {
    struct wire_ip4 h;      /* of the whole */
    uint32_t hlen, payload; /* bytes */
    uint32_t max;           /* payload bytes a piece, a multiple of 8 */
    uint8_t opt_all[WIRE_IP4_OPT_MAX], opt_copied[WIRE_IP4_OPT_MAX];
    uint32_t n_copied; /* bytes of opt_copied */
};

static struct pkt *piece_new(struct ip *ip, const struct pkt *whole, const struct cut *c,
                             uint32_t at)
{
    struct pkt *p = pkt_new(&ip->env->mem);
    if (p == NULL)
        return NULL;
    uint32_t n = w_u32_min(c->max, c->payload - at);
    bool is_last = at + n == c->payload;
    if (!link_append_part(p, whole, c->hlen + at, n)) {
        pkt_free(p);
        return NULL;
    }
    struct wire_ip4 h = c->h;
    uint32_t n_opt = at == 0 ? c->hlen - WIRE_IP4_HLEN : c->n_copied;
    h.hlen = (uint8_t)(WIRE_IP4_HLEN + n_opt);
    h.total = (uint16_t)(h.hlen + n);
    h.frag_off = (uint16_t)(c->h.frag_off + at);
    h.flags = (uint16_t)((is_last ? c->h.flags & IP4_MF : IP4_MF) | (c->h.flags & IP4_DF));
    wire_ip4_build(pkt_push(p, h.hlen), &h, at == 0 ? c->opt_all : c->opt_copied);
    p->l3 = p->off;
    p->l4 = (uint16_t)(p->off + h.hlen);
    p->pay = p->l4;
    p->origin = whole->origin;
    p->ecn = whole->ecn;
    return p;
}

static bool cut_prepare(struct cut *c, const struct pkt *p, uint32_t mtu)
{
    const uint8_t *d = pkt_data(p);
    if (wire_ip4_parse(d, p->len, &c->h) != DROP_NONE || c->h.hlen > p->lin)
        return false;
    c->hlen = c->h.hlen;
    c->payload = p->len - c->hlen;
    memcpy(c->opt_all, d + WIRE_IP4_HLEN, c->hlen - WIRE_IP4_HLEN);
    c->n_copied = wire_ip4_opts_copied(d, c->hlen, c->opt_copied);
    if (mtu < c->hlen + 8)
        return false;
    c->max = (mtu - c->hlen) & ~7u;
    return true;
}

enum drop ip_fragment(struct ip *ip, struct nif *nif, const struct addr *nexthop, uint32_t mtu,
                      struct pkt *p)
{
    struct cut c;
    struct pktq pieces = {0};
    /* The receiver sums over the whole, so the device cannot do it for a part. */
    if (p->csum == CSUM_TODO)
        link_csum_finish(ip->link, p);
    if (!cut_prepare(&c, p, mtu)) {
        env_count(ip->env, STAT_IpFragFails);
        return env_drop(ip->env, p, DROP_FRAG_NEEDED);
    }
    for (uint32_t at = 0; at < c.payload; at += c.max) {
        struct pkt *piece = piece_new(ip, p, &c, at);
        if (piece == NULL) {
            pktq_free(&pieces);
            env_count(ip->env, STAT_IpFragFails);
            return env_drop(ip->env, p, DROP_NOMEM);
        }
        pktq_push(&pieces, piece);
    }
    pkt_free(p);
    env_count(ip->env, STAT_IpFragOKs);
    enum drop why = DROP_NONE;
    struct pkt *piece;
    while ((piece = pktq_pop(&pieces)) != NULL) {
        env_count(ip->env, STAT_IpFragCreates);
        enum drop d = neigh_output(ip->neigh, nif, nexthop, piece);
        why = why == DROP_NONE ? d : why;
    }
    return why;
}
