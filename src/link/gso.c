/* SPDX-License-Identifier: Apache-2.0
 *
 * Cutting a TCP super-segment into the segments it stands for, where the device cannot.
 *
 * How a piece's headers differ from the whole's is wire/piece's to know. Owns nif->gso, the whole
 * being cut; pieces share its payload blocks.
 *
 * Called by link_tx, one piece at a time, so that an empty packet pool only pauses the cut: a local
 * shortage must never become a loss the connection has to repair.
 *
 * Invariants: the pieces' payloads in order are the whole's payload; each piece but the last
 * carries gso_size bytes; each carries the whole's owner.
 */
#include "link/queue.h"
#include "wire/ipv4.h"
#include "wire/piece.h"
#include "wire/tcp.h"

bool gso_is_sound(const struct pkt *p)
{
    if (p->csum != CSUM_TODO || p->gso_size == 0)
        return false;
    if (p->l3 < p->off || p->l4 < p->l3 + WIRE_IP4_HLEN || p->pay < p->l4 + WIRE_TCP_HLEN)
        return false;
    if (p->pay > p->off + p->lin || p->pay - p->off > PKT_HEADROOM)
        return false;
    if (p->csum_start != p->l4 || p->csum_at != WIRE_TCP_CSUM_AT)
        return false;
    const uint8_t *ip = pkt_at(p, p->l3);
    return ip[0] >> 4 == 4 ? wire_ip4_proto(ip) == PROTO_TCP
                           : ip[0] >> 4 == 6 && ip[6] == PROTO_TCP;
}

bool link_append_part(struct pkt *to, const struct pkt *from, uint32_t at, uint32_t n)
{
    WEIR_ASSERT(at <= from->len && n <= from->len - at);
    if (at < from->lin) {
        uint32_t k = w_u32_min(n, from->lin - at);
        if (!pkt_append_copy(to, pkt_data(from) + at, k))
            return false;
        at += k;
        n -= k;
    }
    at -= from->lin;
    for (unsigned i = 0; i < from->nfrag && n > 0; i++) {
        const struct frag *f = &from->frag[i];
        if (at >= f->len) {
            at -= f->len;
            continue;
        }
        uint32_t k = w_u32_min(n, f->len - at);
        if (!pkt_add_frag(to, f->b, f->off + at, k))
            return false;
        n -= k;
        at = 0;
    }
    return true;
}

static void piece_headers(struct pkt *piece, const struct pkt *whole, uint32_t done, bool is_last,
                          uint16_t number)
{
    struct wire_piece w = {
        .done = done,
        .number = number,
        .is_last = is_last,
        .keeps_cwr = (whole->tflags & PKT_ACE) != 0,
        .l3_len = piece->len - (uint32_t)(piece->l3 - piece->off),
        .l4_len = piece->len - (uint32_t)(piece->l4 - piece->off),
        .whole_len = whole->len - (uint32_t)(whole->l4 - whole->off),
    };
    wire_piece_headers(pkt_at(piece, piece->l3), pkt_at(piece, piece->l4), &w);
}

/* An empty piece with the whole's headers and what describes them. */
static struct pkt *piece_new(struct link *l, const struct pkt *whole)
{
    struct pkt *p = pkt_new(&l->env->mem);
    if (p == NULL)
        return NULL;
    uint32_t hlen = (uint32_t)(whole->pay - whole->off);
    memcpy(pkt_push(p, hlen), pkt_data(whole), hlen);
    p->l3 = (uint16_t)(p->off + (whole->l3 - whole->off));
    p->l4 = (uint16_t)(p->off + (whole->l4 - whole->off));
    p->pay = (uint16_t)(p->off + hlen);
    p->csum = CSUM_TODO;
    p->csum_start = p->l4;
    p->csum_at = whole->csum_at;
    p->hash = whole->hash;
    p->when = whole->when;
    p->owner = whole->owner;
    p->origin = whole->origin;
    p->ecn = whole->ecn;
    return p;
}

struct pkt *gso_next(struct link *l, struct nif *nif)
{
    struct pkt *whole = nif->gso;
    uint32_t payload = whole->len - (uint32_t)(whole->pay - whole->off);
    WEIR_ASSERT(nif->gso_done <= payload);
    uint32_t n = w_u32_min(whole->gso_size, payload - nif->gso_done);
    bool is_last = nif->gso_done + n == payload;
    struct pkt *p = piece_new(l, whole);
    if (p == NULL)
        return NULL;
    uint32_t from = (uint32_t)(whole->pay - whole->off) + nif->gso_done;
    if (!link_append_part(p, whole, from, n)) {
        pkt_free(p);
        return NULL;
    }
    piece_headers(p, whole, nif->gso_done, is_last, nif->gso_piece);
    env_count(l->env, STAT_SoftGsoSegs);
    if (env_traces(l->env)) {
        struct weir_trace *r = env_trace(l->env, WEIR_T_CUT, p);
        r->nif = nif->id;
        r->used = whole->idx;
        r->max = nif->gso_piece;
    }
    nif->gso_done += n;
    nif->gso_piece++;
    if (is_last) {
        pkt_free(whole);
        nif->gso = NULL;
    }
    return p;
}
