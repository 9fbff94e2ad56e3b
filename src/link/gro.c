/* SPDX-License-Identifier: Apache-2.0
 *
 * Received TCP segments of one flow that follow each other in one burst, as one packet.
 *
 * Decides which segments are the same but for their sequence number: TCP over IPv4 without IP
 * options or fragments, only ACK and PSH set, with payload; the same addresses, ports, TOS, TTL,
 * ACK number, window and option bytes. Then everything above link/ runs once for all of them, and
 * nothing it could learn from each is lost: gso_segs tells how many they were, and a mark of
 * congestion, an ACK or a timestamp that differs ends the merge.
 *
 * Called by stack/ before eth_input; calls wire/. Owns the packets it merges: their payload moves
 * under the first one's headers, up to PKT_FRAGS fragments.
 *
 * Invariants: the order of packets within a flow is kept; a merged packet has right IP header and
 * says CSUM_GOOD, because each segment's checksum was verified before; merging never spans bursts,
 * so it never delays. A host that forwards does not merge: packets leave as they came.
 */
#include "link/link.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

/* A segment that may be merged, as offsets from the packet's first byte. */
struct segment {
    uint32_t ip, tcp, payload, n; /* n: payload bytes */
};

/* A flow being merged; head NULL: free. */
struct gro_flow {
    struct pkt *head;
    struct segment at;
    uint32_t next_seq;
    uint16_t size, segs; /* payload bytes of the first segment; segments so far */
};

struct gro {
    struct link *l;
    struct nif *nif;
    struct gro_flow flow[GRO_FLOWS];
    unsigned hand; /* the flow that is given up next when all are taken */
};

static bool tcp_csum_ok(const struct link *l, struct pkt *p, const struct segment *s)
{
    if (p->csum == CSUM_GOOD)
        return true;
    const uint8_t *ip = pkt_data(p) + s->ip;
    struct addr src = addr_from_ip4(ip + 12), dst = addr_from_ip4(ip + 16);
    uint32_t len = p->len - s->tcp;
    uint32_t sum = csum_pseudo(&src, &dst, PROTO_TCP, len);
    sum = csum_pkt((enum csum_isa)l->env->csum_isa, p, s->tcp, len, sum);
    if (csum_fold(sum) != 0)
        return false;
    p->csum = CSUM_GOOD;
    return true;
}

/* Where the headers lie, if this is a TCP segment at all. */
static bool segment_find(const struct nif *nif, const struct pkt *p, struct segment *s)
{
    const uint8_t *d = pkt_data(p);
    s->ip = (nif->flags & NIF_L3) != 0 ? 0 : WIRE_ETH_HLEN;
    s->tcp = s->ip + WIRE_IP4_HLEN;
    if (p->lin < s->tcp + WIRE_TCP_HLEN || d[s->ip] != 0x45)
        return false;
    if (s->ip != 0 && (w_be16(d + 12) != ETYPE_IP4 || memcmp(d, nif->mac, WIRE_MAC) != 0))
        return false;
    if (wire_ip4_proto(d + s->ip) != PROTO_TCP || (w_be16(d + s->ip + 6) & 0x3fff) != 0)
        return false;
    s->payload = s->tcp + wire_tcp_hlen(d + s->tcp);
    return true;
}

/* Whether the segment found may be merged with others. */
static bool segment_is_plain(const struct gro *g, struct pkt *p, struct segment *s)
{
    const uint8_t *d = pkt_data(p);
    unsigned flags = wire_tcp_flags(d + s->tcp);
    if (p->gso_size != 0 || s->payload < s->tcp + WIRE_TCP_HLEN || p->lin < s->payload)
        return false;
    if ((flags & ~(unsigned)(TCPF_PSH | TCPF_ACE)) != TCPF_ACK || p->len <= s->payload)
        return false;
    s->n = p->len - s->payload;
    /* Padding behind the datagram, or a lie about its length. */
    if (wire_ip4_total(d + s->ip) != p->len - s->ip)
        return false;
    return wire_ip4_csum_ok(d + s->ip, WIRE_IP4_HLEN) && tcp_csum_ok(g->l, p, s);
}

static struct gro_flow *flow_find(struct gro *g, const struct pkt *p, const struct segment *s)
{
    const uint8_t *d = pkt_data(p);
    for (unsigned i = 0; i < GRO_FLOWS; i++) {
        struct gro_flow *f = &g->flow[i];
        if (f->head == NULL)
            continue;
        const uint8_t *h = pkt_data(f->head);
        /* Addresses and ports stand together: the last 8 bytes of one header, the first 4 of the
         * other. */
        if (memcmp(h + f->at.ip + 12, d + s->ip + 12, 12) == 0)
            return f;
    }
    return NULL;
}

/* What was merged gets the headers of the whole. */
static void flow_close(struct gro_flow *f)
{
    if (f->segs > 1) {
        struct pkt *p = f->head;
        uint8_t *ip = pkt_data(p) + f->at.ip;
        wire_ip4_set_total_id(ip, (uint16_t)(p->len - f->at.ip), w_be16(ip + 4));
        p->gso_size = f->size;
        p->gso_segs = f->segs;
    }
    f->head = NULL;
}

static void flow_open(struct gro *g, struct pkt *p, const struct segment *s)
{
    struct gro_flow *f = NULL;
    for (unsigned i = 0; i < GRO_FLOWS && f == NULL; i++) {
        if (g->flow[i].head == NULL)
            f = &g->flow[i];
    }
    if (f == NULL) {
        f = &g->flow[g->hand++ % GRO_FLOWS];
        flow_close(f);
    }
    *f = (struct gro_flow){.head = p, .at = *s, .size = (uint16_t)s->n, .segs = 1};
    f->next_seq = wire_tcp_seq(pkt_data(p) + s->tcp) + s->n;
}

/* Whether p is what comes next in f, and differs in nothing else. */
static bool follows(const struct gro_flow *f, const struct pkt *p, const struct segment *s)
{
    const uint8_t *h = pkt_data(f->head), *d = pkt_data(p);
    const uint8_t *hi = h + f->at.ip, *di = d + s->ip, *ht = h + f->at.tcp, *dt = d + s->tcp;
    if (wire_tcp_seq(dt) != f->next_seq || s->n > f->size)
        return false;
    if (f->at.payload - f->at.tcp != s->payload - s->tcp || f->head->len + s->n > LINK_GSO_MAX)
        return false;
    if (hi[1] != di[1] || wire_ip4_ttl(hi) != wire_ip4_ttl(di) || w_be16(hi + 6) != w_be16(di + 6))
        return false;
    if (wire_tcp_ack(ht) != wire_tcp_ack(dt) || wire_tcp_wnd(ht) != wire_tcp_wnd(dt))
        return false;
    /* ECE may go on in each, and a counter stay the same [RFC 9768 3.3.4]. */
    if (((wire_tcp_flags(ht) ^ wire_tcp_flags(dt)) & TCPF_ACE) != 0)
        return false;
    return memcmp(ht + WIRE_TCP_HLEN, dt + WIRE_TCP_HLEN, s->payload - s->tcp - WIRE_TCP_HLEN) == 0;
}

/* p's payload under f's head; p is freed. False: no room, both as they were. */
static bool merge(struct gro *g, struct gro_flow *f, struct pkt *p, const struct segment *s)
{
    struct pkt *head = f->head;
    uint32_t len = head->len;
    if (!link_append_part(head, p, s->payload, s->n)) {
        pkt_trim(head, len);
        return false;
    }
    uint8_t *tcp = pkt_data(head) + f->at.tcp;
    bool is_last = (wire_tcp_flags(pkt_data(p) + s->tcp) & TCPF_PSH) != 0 || s->n < f->size;
    wire_tcp_set_flags(tcp, wire_tcp_flags(tcp) | wire_tcp_flags(pkt_data(p) + s->tcp));
    f->next_seq += s->n;
    f->segs++;
    g->nif->n.gro_merged++;
    if (env_traces(g->l->env))
        env_trace(g->l->env, WEIR_T_MERGE, p)->used = head->idx;
    pkt_free(p);
    if (is_last)
        flow_close(f);
    return true;
}

/* True: p is gone, under another's head. */
static bool gro_one(struct gro *g, struct pkt *p)
{
    struct segment s;
    if (!segment_find(g->nif, p, &s))
        return false;
    struct gro_flow *f = flow_find(g, p, &s);
    bool is_plain = segment_is_plain(g, p, &s);
    if (f != NULL) {
        if (is_plain && follows(f, p, &s) && merge(g, f, p, &s))
            return true;
        flow_close(f);
    }
    if (is_plain && (wire_tcp_flags(pkt_data(p) + s.tcp) & TCPF_PSH) == 0)
        flow_open(g, p, &s);
    return false;
}

unsigned link_gro(struct link *l, struct nif *nif, struct pkt **v, unsigned n)
{
    struct gro g = {.l = l, .nif = nif};
    unsigned kept = 0;
    if (l->env->conf.ip_forward != 0)
        return n;
    for (unsigned i = 0; i < n; i++) {
        if (!gro_one(&g, v[i]))
            v[kept++] = v[i];
    }
    for (unsigned i = 0; i < GRO_FLOWS; i++) {
        if (g.flow[i].head != NULL)
            flow_close(&g.flow[i]);
    }
    return kept;
}
