/* SPDX-License-Identifier: Apache-2.0
 *
 * The DMA channels: when an access to host memory is over.
 *
 * What is decided here: a channel moves one access after the other at the bus's rate, and an answer
 * comes dma_latency_ns after its bytes have moved; so many may be under way (NIC_OPS), and they end
 * in the order in which they began. The two directions do not disturb each other, as on PCI
 * Express. What an access does to memory is done by txq and rxq when it ends, and not before: until
 * then neither side sees the other's change.
 *
 * Called by txq and rxq to start, by nic.c to take what has ended.
 */
#include "nic/parts.h"

void nic_dma_start(struct nic *n, struct nic_dma *d, struct nic_op op, uint32_t bytes)
{
    WEIR_ASSERT(nic_dma_has_room(d));
    w_ns start = w_u64_max(n->now, d->busy_until);
    w_ns takes = n->conf.dma_bps != 0 ? (uint64_t)bytes * 8 * W_S / n->conf.dma_bps : 0;
    d->busy_until = start + takes;
    d->bytes += bytes;
    op.done = d->busy_until + n->conf.dma_latency_ns;
    d->op[(d->first + d->n++) % NIC_OPS] = op;
    n->stat[d == &n->rd ? NIC_S_DMA_READS : NIC_S_DMA_WRITES]++;
}

bool nic_dma_take(struct nic_dma *d, w_ns now, struct nic_op *out)
{
    if (d->n == 0 || d->op[d->first % NIC_OPS].done > now)
        return false;
    *out = d->op[d->first++ % NIC_OPS];
    d->n--;
    return true;
}
