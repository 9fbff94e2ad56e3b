/* SPDX-License-Identifier: Apache-2.0
 *
 * tbf: a fifo that lets through `rate` bytes a second, and `burst` bytes at once. As Linux's
 * sch_tbf.
 *
 * The token bucket as one time: full_at is when the bucket will be full again. A packet of n bytes
 * moves it n / rate on; it may leave once the bucket has min(n, burst) bytes, that is when full_at
 * is no more than (burst - n) / rate ahead. Fractions of a nanosecond are carried from packet to
 * packet, so the rate is exact however small the packets; and a packet larger than the bucket (a
 * super-segment) takes what is there and leaves a debt, instead of waiting for ever.
 */
#include "aqm/ops.h"

#include <errno.h>

enum { RATE_MAX_SHIFT = 40 }; /* bytes a second: 8 Tbit/s */

static int tbf_fill(struct aqm_conf *c)
{
    if (c->rate_Bps == 0 || c->rate_Bps >> RATE_MAX_SHIFT != 0)
        return -EINVAL;
    if (c->burst_bytes == 0)
        c->burst_bytes =
            (uint32_t)w_u64_max(w_u64_min(c->rate_Bps / 250, 1u << 30), 2 * c->frame_bytes);
    return 0;
}

static void tbf_enter(struct aqm *q, w_ns now, struct pkt *p)
{
    (void)now;
    aqm_in(q, &q->band[0], p);
}

static w_ns may_leave_at(const struct aqm *q)
{
    uint64_t n = w_u32_min(q->band[0].first->len, q->conf.burst_bytes);
    uint64_t ahead = (q->conf.burst_bytes - n) * W_S / q->conf.rate_Bps;
    return q->full_at > ahead ? q->full_at - ahead : 0;
}

static struct pkt *tbf_pop(struct aqm *q, w_ns now)
{
    if (may_leave_at(q) > now)
        return NULL;
    struct pkt *p = aqm_out(q, &q->band[0]);
    if (q->full_at < now) {
        q->full_at = now;
        q->frac = 0;
    }
    uint64_t work = p->len * W_S + q->frac;
    q->full_at += work / q->conf.rate_Bps;
    q->frac = work % q->conf.rate_Bps;
    return p;
}

static struct pkt *tbf_drain(struct aqm *q) { return aqm_out(q, &q->band[0]); }

static w_ns tbf_next(const struct aqm *q, w_ns now) { return w_u64_max(may_leave_at(q), now); }

const struct aqm_ops qd_tbf = {.name = "tbf",
                               .fill = tbf_fill,
                               .enter = tbf_enter,
                               .pop = tbf_pop,
                               .drain = tbf_drain,
                               .next = tbf_next};
