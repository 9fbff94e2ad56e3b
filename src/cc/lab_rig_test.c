/* SPDX-License-Identifier: Apache-2.0
 *
 * The rig: an algorithm on a bench. No chance: what a round trip brings is set by hand.
 *
 * Decides: in which order the fields of struct cc_ack go on as a window is acknowledged.
 * Owns: struct rig. No part of the product; linked into this room's tests.
 * Calls the front functions of cc.h.
 *
 * Theory of operation. A round is as many ACKs as segments were in flight when it began, each RTT /
 * n after the last. At each ACK one segment less is in flight than before; what the algorithm then
 * allows is sent at once, so the round as packets see it is the rig's round.
 */
#include "cc/lab_rig_test.h"

#include "unit.h"

void rig_start(struct rig *r, const char *algorithm)
{
    int kind = cc_find(algorithm, strlen(algorithm));
    assert_true(kind >= 0);
    memset(r, 0, sizeof *r);
    r->now = W_S;
    r->rtt_us = 100000;
    cc_init(&r->c, (unsigned)kind, MSS, 10 * MSS, r->now);
}

void rig_start_path(struct rig *r, const char *algorithm, uint32_t rtt_us, uint64_t rate_Bps)
{
    rig_start(r, algorithm);
    r->rtt_us = rtt_us;
    r->rate_Bps = rate_Bps;
}

void assert_near(uint64_t is, uint64_t should, uint64_t by)
{
    assert_in_range(is, should > by ? should - by : 0, should + by);
}

uint32_t rig_segs(const struct rig *r) { return r->c.cwnd / MSS; }

static uint32_t in_flight(const struct rig *r)
{
    uint32_t bytes = r->used != 0 ? w_u32_min(r->used, r->c.cwnd) : r->c.cwnd;
    return w_u32_max(bytes / MSS, 1) * MSS;
}

void rig_round(struct rig *r)
{
    uint32_t flight = in_flight(r), n = flight / MSS;
    uint64_t began_at = r->delivered;
    uint32_t rtt_us = r->rtt_us;
    if (r->rate_Bps != 0)
        rtt_us = w_u32_max(rtt_us, (uint32_t)((uint64_t)flight * 1000000 / r->rate_Bps));
    for (uint32_t i = 0; i < n; i++) {
        r->now += rtt_us * W_US / n;
        r->delivered += MSS;
        bool is_marked = i * r->marks / 16 != (i + 1) * r->marks / 16;
        struct cc_ack a = {.now = r->now,
                           .delivered = r->delivered,
                           .acked = MSS,
                           .inflight_prior = in_flight(r),
                           .inflight = w_u32_max(in_flight(r), MSS) - MSS,
                           .rtt_us = rtt_us,
                           .srtt_us = r->srtt_us != 0 ? r->srtt_us : rtt_us,
                           .min_rtt_us = r->rtt_us,
                           .ce_bytes = is_marked ? MSS : 0,
                           .cwnd_limited = r->used == 0,
                           .has_sack = true,
                           .app_limited = r->app_limited,
                           .lost_since = r->lost_since,
                           .rate_Bps = (uint64_t)flight * 1000000 / rtt_us,
                           .tx_inflight = flight};
        a.prior_delivered = w_u64_max(began_at + i * (uint64_t)MSS, flight) - flight;
        cc_on_ack(&r->c, &a);
    }
}

void rig_rounds(struct rig *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        rig_round(r);
}

void rig_lose(struct rig *r, enum cc_loss what)
{
    struct cc_ack a = {.now = r->now,
                       .delivered = r->delivered,
                       .inflight_prior = in_flight(r),
                       .srtt_us = r->srtt_us != 0 ? r->srtt_us : r->rtt_us};
    r->prior_cwnd = r->c.cwnd;
    r->prior_ssthresh = r->c.ssthresh;
    cc_on_loss(&r->c, what, &a);
    if (what == CC_LOSS_RTO)
        r->c.cwnd = MSS;
    else if (!cc_at(r->c.kind)->every_ack)
        r->c.cwnd = r->c.ssthresh;
    cc_on_recovered(&r->c, &a);
}

void rig_undo(struct rig *r)
{
    r->c.cwnd = w_u32_max(r->c.cwnd, r->prior_cwnd);
    r->c.ssthresh = w_u32_max(r->c.ssthresh, r->prior_ssthresh);
    cc_on_undo(&r->c, r->now);
}
