/* SPDX-License-Identifier: Apache-2.0
 *
 * Adaptive coalescing: how long a queue's interrupts wait, by what the queue carries.
 *
 * Theory of operation. To wait is worth it when meanwhile more frames come that the same interrupt
 * can tell of, and only then. So at the end of a sample the rate of frames says which is the
 * shortest wait in which ENOUGH of them gather; the level goes one step towards it, and to no wait
 * at all when even the longest would gather few. That serves bulk transfers and trickles. What it
 * cannot tell apart is a dialogue, in which each frame is the answer to one before: the longer the
 * wait, the fewer come. Therefore a step up that has cost a tenth of the rate is taken back, and
 * the level stays there for a while.
 *
 * Called by vnic_rx.c after each poll. Writes two registers when the level changes. In the manner
 * of Linux's DIM; the table and the rules are our own.
 */
#include "dev/vnic_parts.h"

enum {
    SAMPLE_NS = 1000 * 1000,
    ENOUGH = 8, /* frames an interrupt */
    FEW = 3,
    PARKED = 64, /* samples */
};

static const struct {
    uint32_t ns, frames;
} levels[] = {{0, 1}, {8000, 16}, {16000, 32}, {32000, 32}, {64000, 64}, {128000, 64}};

enum { TOP = WEIR_COUNT(levels) - 1 };

w_ns vnic_dim_ns(const struct vnic_queue *q)
{
    return q->nic->conf.is_adaptive ? levels[q->dim.level].ns : 0;
}

uint32_t vnic_dim_frames(const struct vnic_queue *q) { return levels[q->dim.level].frames; }

void vnic_dim_reset(struct vnic_queue *q) { q->dim = (struct vnic_dim){.from = q->nic->now}; }

static uint64_t gathers(uint32_t rate, uint32_t level)
{
    return (uint64_t)rate * levels[level].ns / W_S;
}

static uint32_t best_level(uint32_t rate)
{
    if (gathers(rate, TOP) < FEW)
        return 0;
    uint32_t level = 1;
    while (level < TOP && gathers(rate, level) < ENOUGH)
        level++;
    return level;
}

static uint32_t next_level(struct vnic_dim *d, uint32_t rate)
{
    if (d->has_risen && rate < d->rate - d->rate / 10) {
        d->parked = PARKED;
        return d->level - 1;
    }
    if (d->parked != 0) {
        d->parked--;
        return d->level;
    }
    uint32_t best = best_level(rate);
    return best > d->level ? d->level + 1 : best < d->level ? d->level - 1 : d->level;
}

void vnic_dim_polled(struct vnic_queue *q, unsigned n)
{
    struct vnic_dim *d = &q->dim;
    w_ns took = q->nic->now - d->from;
    d->frames += n;
    if (took < SAMPLE_NS)
        return;
    uint32_t rate = (uint32_t)w_u64_min((uint64_t)d->frames * W_S / took, UINT32_MAX);
    uint32_t level = next_level(d, rate);
    bool has_risen = level > d->level, is_other = level != d->level;
    *d = (struct vnic_dim){.level = level,
                           .rate = rate,
                           .parked = d->parked,
                           .has_risen = has_risen,
                           .from = q->nic->now};
    if (is_other) {
        q->nic->count[VNIC_DIM]++;
        vnic_write_coalescing(q);
    }
}
