/* SPDX-License-Identifier: Apache-2.0
 *
 * CoDel: a queue is bad when even its luckiest packet waits long. [RFC 8289]
 *
 * Theory of operation. What counts is the time a packet spent here (its sojourn time), looked at
 * when it leaves. A queue that is empty now and then is only smoothing bursts; one in which every
 * packet of an interval waited longer than the target stands, and somebody has to slow down. Then
 * one packet is dropped or marked, and further ones after interval / sqrt(1), / sqrt(2), … more:
 * TCP's rate falls as 1 / sqrt of its losses, so this makes it fall steadily until the queue is
 * gone. A queue that was left a short while ago begins where it ended.
 *
 * Who is told (aqm_signal): an ECN-capable packet is marked and delivered; a packet of this host's
 * own TCP is delivered and its sender told; anything else is dropped.
 *
 * The square root is one of integers: Newton's iteration for y = 2^32 / sqrt(n) needs no division,
 * and from the value for n - 1 four steps are exact to a thousandth.
 *
 * Read first: RFC 8289, sections 4 and 5. Called by qd_codel.c and qd_fq_codel.c.
 */
#include "aqm/ops.h"

#include <errno.h>

enum { NEWTON_STEPS = 4, RESUME_INTERVALS = 16 };

/* y becomes y (3 - n y^2) / 2, y as a fraction of 2^32. Converges from below: n y^2 < 3. */
static uint32_t newton(uint32_t y, uint32_t n)
{
    uint64_t square = (uint64_t)y * y >> 32;
    uint64_t rest = (UINT64_C(3) << 32) - n * square;
    return (uint32_t)w_u64_min((rest >> 2) * y >> 31, UINT32_MAX);
}

void codel_set_count(struct codel *c, uint32_t n)
{
    c->count = n;
    if (n == 1) {
        c->inv_sqrt = UINT32_MAX;
        return;
    }
    for (int i = 0; i < NEWTON_STEPS; i++)
        c->inv_sqrt = newton(c->inv_sqrt, n);
}

w_ns codel_law(const struct codel *c, w_ns t, w_ns interval)
{
    return t + (interval * c->inv_sqrt >> 32); /* an interval is below 2^32 ns: see codel_fill */
}

/* [RFC 8289 5.6] The next packet, and whether the queue has stood long enough to do something. Less
 * than a frame in the queue is none: then there is nothing to gain. */
static struct pkt *take(struct aqm *q, struct codel *c, struct pktq *from, w_ns now, bool *is_late)
{
    struct pkt *p = aqm_out(q, from);
    *is_late = false;
    if (p == NULL || now - p->sent_at < q->conf.target_us * W_US ||
        from->bytes + p->len <= q->conf.frame_bytes)
        c->first_above = 0;
    else if (c->first_above == 0)
        c->first_above = now + q->conf.interval_us * W_US;
    else
        *is_late = now >= c->first_above;
    return p;
}

/* [RFC 8289 5.5] Already dropping: what is due, until the queue is short again. One that tells its
 * sender is delivered all the same. Bounded: each round takes a packet out of the queue. */
static struct pkt *go_on(struct aqm *q, struct codel *c, struct pktq *from, w_ns now, struct pkt *p)
{
    w_ns interval = q->conf.interval_us * W_US;
    bool is_late = true, is_told = false;
    while (is_late && now >= c->drop_next && !is_told) {
        codel_set_count(c, c->count + 1);
        is_told = aqm_signal(q, p);
        if (!is_told) {
            aqm_kill(q, p, DROP_QDISC_AQM);
            p = take(q, c, from, now, &is_late);
        }
        if (is_late)
            c->drop_next = codel_law(c, c->drop_next, interval);
    }
    c->is_dropping = is_late;
    return p;
}

/* [RFC 8289 5.5] Dropping begins. Back soon after the last time: as fast as then. */
static void begin(struct codel *c, w_ns now, w_ns interval)
{
    uint32_t delta = c->count - c->last_count;
    bool is_soon = c->drop_next > now || now - c->drop_next < RESUME_INTERVALS * interval;
    codel_set_count(c, delta > 1 && is_soon ? delta : 1);
    c->last_count = c->count;
    c->drop_next = codel_law(c, now, interval);
    c->is_dropping = true;
}

struct pkt *codel_pop(struct aqm *q, struct codel *c, struct pktq *from, w_ns now)
{
    bool is_late;
    struct pkt *p = take(q, c, from, now, &is_late);
    if (!is_late) {
        c->is_dropping = false;
        return p;
    }
    if (c->is_dropping)
        return go_on(q, c, from, now, p);
    begin(c, now, q->conf.interval_us * W_US);
    if (aqm_signal(q, p))
        return p;
    aqm_kill(q, p, DROP_QDISC_AQM);
    return take(q, c, from, now, &is_late);
}

/* [RFC 8289 4.2, 4.3] */
int codel_fill(struct aqm_conf *c)
{
    if (c->target_us == 0)
        c->target_us = 5000;
    if (c->interval_us == 0)
        c->interval_us = 100000;
    return c->target_us > c->interval_us || c->interval_us > 4000000 ? -EINVAL : 0;
}
