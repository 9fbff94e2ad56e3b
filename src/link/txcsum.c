/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport checksum in software, for a device that does not compute it (or a packet that is
 * cut into fragments before it reaches one).
 *
 * Called by link_tx for each frame that still has CSUM_TODO, and by ip/ for fragments; calls
 * wire/csum over linear part and fragments. The field holds the pseudo-header's sum, as pkt.h
 * says, so the sum over the transport header and payload, field included, is the whole.
 *
 * Invariant: afterwards the packet says CSUM_NONE, and the bytes are what goes on the wire.
 */
#include "link/link.h"
#include "wire/csum.h"

enum { UDP_CSUM_AT = 6 };

void link_csum_finish(struct link *l, struct pkt *p)
{
    WEIR_ASSERT(p->csum_start >= p->off);
    uint32_t from = (uint32_t)(p->csum_start - p->off);
    WEIR_ASSERT(from + p->csum_at + 2u <= p->lin);
    uint32_t sum = csum_pkt((enum csum_isa)l->env->csum_isa, p, from, p->len - from, 0);
    env_count_n(l->env, STAT_SoftCsumBytes, p->len - from);
    uint16_t field = csum_fold(sum);
    /* [RFC 768] A UDP checksum that comes out as 0 is sent as its other zero. */
    if (p->csum_at == UDP_CSUM_AT)
        field = csum_nonzero(field);
    w_put16(pkt_at(p, (uint32_t)p->csum_start + p->csum_at), field);
    p->csum = CSUM_NONE;
}
