/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done to the bytes of a packet: cutting at both ends, adding at the end, reading out.
 *
 * The linear part comes first, then the fragments in order. Nothing here moves a byte that is
 * already in the packet; cutting changes offsets and gives references back, adding takes new ones.
 *
 * A block is appended to in place only by who holds its one reference and whose fragment ends at
 * `used`: bytes before `used` may be shared and never change.
 *
 * Every loop is bounded by PKT_FRAGS.
 */
#include "pkt/pkt.h"

/* Takes n < bytes off the front of the fragments; whole ones give up their reference. */
static void pull_frags(struct pkt *p, uint32_t n)
{
    unsigned gone = 0;
    while (gone < p->nfrag && n >= p->frag[gone].len) {
        n -= p->frag[gone].len;
        blk_unref(p->frag[gone].b);
        gone++;
    }
    p->nfrag = (uint8_t)(p->nfrag - gone);
    memmove(p->frag, p->frag + gone, p->nfrag * sizeof p->frag[0]);
    if (n > 0) {
        WEIR_ASSERT(p->nfrag > 0);
        p->frag[0].off += n;
        p->frag[0].len -= n;
    }
}

void pkt_pull_any(struct pkt *p, uint32_t n)
{
    WEIR_ASSERT(n <= p->len);
    uint32_t lin = w_u32_min(n, p->lin);
    p->off = (uint16_t)(p->off + lin);
    p->lin = (uint16_t)(p->lin - lin);
    p->len -= n;
    if (n > lin)
        pull_frags(p, n - lin);
}

void pkt_trim(struct pkt *p, uint32_t newlen)
{
    WEIR_ASSERT(newlen <= p->len);
    p->len = newlen;
    if (newlen < p->lin)
        p->lin = (uint16_t)newlen;
    uint32_t left = newlen - p->lin;
    unsigned keep = 0;
    while (left > 0) {
        WEIR_ASSERT(keep < p->nfrag);
        struct frag *f = &p->frag[keep++];
        f->len = w_u32_min(f->len, left);
        left -= f->len;
    }
    for (unsigned i = keep; i < p->nfrag; i++)
        blk_unref(p->frag[i].b);
    p->nfrag = (uint8_t)keep;
}

bool pkt_add_frag(struct pkt *p, struct blk *b, uint32_t off, uint32_t len)
{
    WEIR_CHECK(b->refs > 0);
    WEIR_ASSERT(off <= b->cap && len <= b->cap - off);
    if (len == 0)
        return true;
    if (p->nfrag != 0) {
        struct frag *last = &p->frag[p->nfrag - 1];
        if (last->b == b && last->off + last->len == off) {
            last->len += len;
            p->len += len;
            return true;
        }
        if (p->nfrag == PKT_FRAGS)
            return false;
    }
    p->frag[p->nfrag++] = (struct frag){.b = blk_ref(b), .off = off, .len = len};
    p->len += len;
    return true;
}

void pkt_pack(struct pkt *p)
{
    if (p->nfrag == 0 || p->len > p->cap)
        return;
    memmove(p->head, pkt_data(p), p->lin);
    p->off = 0;
    for (unsigned i = 0; i < p->nfrag; i++) {
        const struct frag *f = &p->frag[i];
        memcpy(p->head + p->lin, f->b->mem + f->off, f->len);
        p->lin = (uint16_t)(p->lin + f->len);
        blk_unref(f->b);
    }
    p->nfrag = 0;
}

uint32_t pkt_copy_out(const struct pkt *p, uint32_t from, void *dst, uint32_t n)
{
    uint8_t *at = dst;
    uint32_t done = 0;
    if (from >= p->len)
        return 0;
    n = w_u32_min(n, p->len - from);
    if (from < p->lin) {
        done = w_u32_min(n, p->lin - from);
        memcpy(at, pkt_data(p) + from, done);
        from = p->lin;
    }
    uint32_t skip = from - p->lin;
    for (unsigned i = 0; i < p->nfrag && done < n; i++) {
        const struct frag *f = &p->frag[i];
        if (skip >= f->len) {
            skip -= f->len;
            continue;
        }
        uint32_t k = w_u32_min(n - done, f->len - skip);
        memcpy(at + done, f->b->mem + f->off + skip, k);
        done += k;
        skip = 0;
    }
    return done;
}

/* Bytes that can be added to the last fragment in place. */
static uint32_t block_tailroom(const struct pkt *p)
{
    if (p->nfrag == 0)
        return 0;
    const struct frag *f = &p->frag[p->nfrag - 1];
    if (f->b->refs != 1 || f->off + f->len != f->b->used)
        return 0;
    return f->b->cap - f->b->used;
}

static void append_to_block(struct pkt *p, const uint8_t *bytes, uint32_t n)
{
    struct frag *f = &p->frag[p->nfrag - 1];
    memcpy(f->b->mem + f->b->used, bytes, n);
    f->b->used += n;
    f->len += n;
    p->len += n;
}

/* Blocks for n bytes behind the fragments of p into v[]; returns how many, or 0 and none are taken:
 * no memory, or no room for so many. */
static unsigned take_blocks(struct pkt *p, uint32_t n, struct blk **v)
{
    unsigned k = 0;
    while (n > 0 && p->nfrag + k < PKT_FRAGS) {
        v[k] = blk_new(p->home, n);
        if (v[k] == NULL)
            break;
        n -= w_u32_min(n, v[k]->cap);
        k++;
    }
    if (n == 0)
        return k;
    while (k > 0)
        blk_unref(v[--k]);
    return 0;
}

bool pkt_append_copy(struct pkt *p, const void *bytes, uint32_t n)
{
    const uint8_t *from = bytes;
    uint32_t lin = w_u32_min(n, pkt_tailroom(p));
    uint32_t in_block = w_u32_min(n - lin, block_tailroom(p));
    uint32_t rest = n - lin - in_block;
    struct blk *fresh[PKT_FRAGS];
    unsigned k = 0;
    if (rest > 0) {
        k = take_blocks(p, rest, fresh);
        if (k == 0)
            return false;
    }
    if (lin > 0)
        memcpy(pkt_data(p) + p->lin, from, lin);
    p->lin = (uint16_t)(p->lin + lin);
    p->len += lin;
    from += lin;
    if (in_block > 0)
        append_to_block(p, from, in_block);
    from += in_block;
    for (unsigned i = 0; i < k; i++) {
        uint32_t part = w_u32_min(rest, fresh[i]->cap);
        p->frag[p->nfrag++] = (struct frag){.b = fresh[i]};
        append_to_block(p, from, part);
        from += part;
        rest -= part;
    }
    return true;
}

uint32_t pkt_truesize(const struct pkt *p)
{
    uint32_t size = (uint32_t)sizeof *p + PKT_LINEAR;
    for (unsigned i = 0; i < p->nfrag; i++)
        size += w_u32_max(p->frag[i].len, BLK_SMALL);
    return size;
}

void pkt_check(const struct pkt *p)
{
    if (!WEIR_CHECKS)
        return;
    WEIR_ASSERT(p->head == (const uint8_t *)(p + 1)); /* else: freed, or not a packet */
    WEIR_ASSERT(pool_is_live(&p->home->pkts, p->idx));
    WEIR_ASSERT(p == pool_at(&p->home->pkts, p->idx));
    WEIR_ASSERT(p->cap == PKT_LINEAR);
    WEIR_ASSERT(p->off <= p->cap && p->lin <= p->cap - p->off);
    WEIR_ASSERT(p->nfrag <= PKT_FRAGS);
    WEIR_ASSERT(p->csum <= CSUM_GOOD && p->ecn <= 3);
    uint32_t len = p->lin;
    for (unsigned i = 0; i < p->nfrag; i++) {
        const struct frag *f = &p->frag[i];
        WEIR_ASSERT(f->b->refs > 0);
        WEIR_ASSERT(f->len > 0); /* an empty one would pin its block for nothing */
        WEIR_ASSERT(f->off <= f->b->cap && f->len <= f->b->cap - f->off);
        len += f->len;
    }
    WEIR_ASSERT(p->len == len);
}
