/* SPDX-License-Identifier: Apache-2.0
 *
 * Packet memory: where packets and blocks come from, where they go back to, and moving packets
 * between the memories of two stacks. What is done to the bytes of a packet is in pkt_data.c.
 *
 * A packet lies in its slot with the linear part behind it, so the first header line and the struct
 * are neighbours:
 *
 *     | line 0 | frag[6] ..home idx | flow, icmp | 320 bytes linear |
 *
 * A new packet has lines 0 and 3 and what follows frag[] zeroed; frag[] and the linear part are as
 * the last user left them (with WEIR_CHECKS: 0xdd), nfrag and lin say that nothing of it counts.
 *
 *     object | states                               | caveats
 *     packet | free → owned by exactly one → free   | the linear part never moves: head is fixed
 *     block  | free → refs ≥ 1 → free               | bytes before `used` are shared, never change
 *
 * Invariants are in pkt_check.
 */
#include "pkt/pkt.h"

enum { BLK_MEM_ALIGN = 4096 /* a DMA page */ };

void pktmem_init(struct pktmem *m, struct arena *a, const struct pktmem_conf *c)
{
    *m = (struct pktmem){0};
    pool_init(&m->pkts, a, c->n_pkt, sizeof(struct pkt) + PKT_LINEAR, WEIR_CACHELINE);
    pool_init(&m->small_blks, a, c->n_blk_small, sizeof(struct blk), WEIR_CACHELINE);
    pool_init(&m->big_blks, a, c->n_blk_big, sizeof(struct blk), WEIR_CACHELINE);
    m->small_mem = arena_take(a, (size_t)c->n_blk_small * BLK_SMALL, BLK_MEM_ALIGN);
    m->big_mem = arena_take(a, (size_t)c->n_blk_big * BLK_BIG, BLK_MEM_ALIGN);
}

/* ---- blocks ---- */

static inline struct blk *blk_setup(struct pktmem *m, struct blk *b, uint32_t idx, uint32_t cap)
{
    uint8_t *mem = cap == BLK_SMALL ? m->small_mem : m->big_mem;
    *b = (struct blk){
        .refs = 1,
        .cap = cap,
        .idx = idx,
        .home = m,
        .mem = mem + (size_t)(idx - 1) * cap,
    };
    return b;
}

/* Out of line: what was wanted has run out. */
static __attribute__((noinline)) struct blk *blk_new_other(struct pktmem *m, bool is_small)
{
    struct pool *pool = is_small ? &m->big_blks : &m->small_blks;
    uint32_t idx = pool_take_dirty(pool);
    if (idx == 0) {
        m->no_blk++;
        return NULL;
    }
    return blk_setup(m, pool_at(pool, idx), idx, is_small ? BLK_BIG : BLK_SMALL);
}

struct blk *blk_new(struct pktmem *m, size_t want)
{
    bool is_small = want <= BLK_SMALL;
    struct pool *pool = is_small ? &m->small_blks : &m->big_blks;
    uint32_t idx = pool_take_dirty(pool);
    if (WEIR_UNLIKELY(idx == 0))
        return blk_new_other(m, is_small);
    return blk_setup(m, pool_at(pool, idx), idx, is_small ? BLK_SMALL : BLK_BIG);
}

void blk_free_(struct blk *b)
{
    struct pktmem *m = b->home;
    WEIR_CHECK(b->cap == BLK_SMALL || b->cap == BLK_BIG);
    if (WEIR_CHECKS)
        memset(b->mem, 0xdd, b->cap);
    pool_give(b->cap == BLK_SMALL ? &m->small_blks : &m->big_blks, b->idx);
}

/* ---- packets ---- */

struct pkt *pkt_new(struct pktmem *m)
{
    uint32_t idx = pool_take_dirty(&m->pkts);
    if (WEIR_UNLIKELY(idx == 0)) {
        m->no_pkt++;
        return NULL;
    }
    struct pkt *p = pool_at(&m->pkts, idx);
    /* Piece by piece: each is then four stores, where one long memset would be `rep stos`. */
    memset(p, 0, offsetof(struct pkt, frag));
    memset(&p->home, 0, offsetof(struct pkt, flow) - offsetof(struct pkt, home));
    memset(&p->flow, 0, sizeof *p - offsetof(struct pkt, flow));
    p->head = (uint8_t *)(p + 1);
    p->off = PKT_HEADROOM;
    p->cap = PKT_LINEAR;
    p->home = m;
    p->idx = idx;
    return p;
}

static void drop_frags(struct pkt *p)
{
    for (unsigned i = 0; i < p->nfrag; i++)
        blk_unref(p->frag[i].b);
    p->nfrag = 0;
}

void pkt_free(struct pkt *p)
{
    pkt_check(p);
    if (p->nfrag != 0)
        drop_frags(p);
    pool_give(&p->home->pkts, p->idx);
}

void pkt_free_list(struct pkt *p)
{
    while (p != NULL) {
        struct pkt *next = p->next;
        pkt_free(p);
        p = next;
    }
}

/* A source of bytes: plain memory, or a packet from some offset on. */
struct source {
    const uint8_t *bytes;
    const struct pkt *pkt;
};

static void source_read(const struct source *s, uint32_t at, uint8_t *dst, uint32_t n)
{
    if (s->bytes != NULL) {
        memcpy(dst, s->bytes + at, n);
        return;
    }
    uint32_t got = pkt_copy_out(s->pkt, at, dst, n);
    WEIR_ASSERT(got == n);
}

/* Fills new blocks with the bytes from..from + n of the source and hangs them behind p. False: no
 * memory, or more fragments than fit; p has then some of them. */
static bool fill_frags(struct pkt *p, const struct source *s, uint32_t from, uint32_t n)
{
    struct pktmem *m = p->home;
    while (n > 0) {
        if (p->nfrag == PKT_FRAGS) {
            m->no_blk++;
            return false;
        }
        struct blk *b = blk_new(m, n);
        if (b == NULL)
            return false;
        uint32_t k = w_u32_min(n, b->cap);
        source_read(s, from, b->mem, k);
        b->used = k;
        p->frag[p->nfrag++] = (struct frag){.b = b, .off = 0, .len = k};
        p->len += k;
        from += k;
        n -= k;
    }
    return true;
}

struct pkt *pkt_from_bytes(struct pktmem *m, const uint8_t *bytes, size_t n)
{
    if (n > 65535 + 64)
        return NULL;
    struct pkt *p = pkt_new(m);
    if (p == NULL)
        return NULL;
    uint32_t lin = w_u32_min((uint32_t)n, PKT_RX_LINEAR);
    memcpy(p->head, bytes, lin);
    p->off = 0;
    p->lin = (uint16_t)lin;
    p->len = lin;
    struct source s = {.bytes = bytes};
    if (n > lin && !fill_frags(p, &s, lin, (uint32_t)n - lin)) {
        pkt_free(p);
        return NULL;
    }
    return p;
}

/* A packet of m with the linear part of `from` at the same place, and what line 0 says of it. */
static struct pkt *copy_head(struct pktmem *m, const struct pkt *from)
{
    struct pkt *p = pkt_new(m);
    if (p == NULL)
        return NULL;
    uint8_t *head = p->head;
    memcpy(p, from, offsetof(struct pkt, frag));
    p->next = NULL;
    p->head = head;
    p->nfrag = 0;
    p->len = p->lin;
    p->owner = 0; /* a copy credits nobody */
    memcpy(pkt_data(p), pkt_data(from), p->lin);
    return p;
}

struct pkt *pkt_adopt(struct pktmem *to, struct pkt *from)
{
    pkt_check(from);
    struct pkt *p = copy_head(to, from);
    if (p == NULL)
        return NULL;
    p->nif = 0;
    p->drop = 0;
    p->nfrag = from->nfrag;
    p->len = from->len;
    memcpy(p->frag, from->frag, from->nfrag * sizeof from->frag[0]);
    from->nfrag = 0;
    from->len = from->lin;
    return p;
}

struct pkt *pkt_copy(struct pktmem *m, const struct pkt *from)
{
    pkt_check(from);
    struct pkt *p = copy_head(m, from);
    if (p == NULL)
        return NULL;
    p->seq = from->seq;
    p->end_seq = from->end_seq;
    memcpy((uint8_t *)p + offsetof(struct pkt, flow), &from->flow,
           sizeof *p - offsetof(struct pkt, flow));
    struct source s = {.pkt = from};
    if (!fill_frags(p, &s, p->lin, from->len - from->lin)) {
        pkt_free(p);
        return NULL;
    }
    return p;
}
