/* SPDX-License-Identifier: Apache-2.0
 *
 * The Internet checksum of part of a packet, over its linear part and its fragments.
 *
 * Decides nothing: walks the pieces that overlap the range and adds each at the parity its bytes
 * have within the range, so that a piece of odd length is followed right [RFC 1071 2(B)].
 *
 * Owns nothing; the packet is only read. Called by every room that verifies or completes a
 * transport checksum. Keeps: the range lies inside the packet, asserted; at most 1 + PKT_FRAGS
 * pieces.
 *
 * Read first: csum.c, pkt/pkt.h.
 */
#include "wire/csum.h"

#include "pkt/pkt.h"

/* What is still to be summed: `skip` bytes to pass over first, then `left` bytes; `done` are. */
struct range {
    enum csum_isa isa;
    uint32_t skip, left, done, sum;
};

static void add_piece(struct range *r, const uint8_t *at, uint32_t n)
{
    if (r->skip >= n) {
        r->skip -= n;
        return;
    }
    n = w_u32_min(n - r->skip, r->left);
    r->sum = csum_add_at(r->sum, csum_partial(r->isa, at + r->skip, n, 0), r->done);
    r->skip = 0;
    r->done += n;
    r->left -= n;
}

uint32_t csum_pkt(enum csum_isa isa, const struct pkt *p, uint32_t off, uint32_t n, uint32_t sum)
{
    WEIR_ASSERT(off <= p->len);
    WEIR_ASSERT(n <= p->len - off);
    struct range r = {.isa = isa, .skip = off, .left = n, .sum = sum};
    add_piece(&r, pkt_data(p), p->lin);
    for (unsigned i = 0; i < p->nfrag && r.left != 0; i++)
        add_piece(&r, p->frag[i].b->mem + p->frag[i].off, p->frag[i].len);
    WEIR_ASSERT(r.left == 0);
    return r.sum;
}
