/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts of BBR that did not change between its first version and its third.
 *
 * Decides: how rates become bytes, how much aggregation there is on the path.
 * Owns: struct bbr_extra; of struct cc the pacing rate.
 * Called by bbr.c, bbr_model.c, bbr1.c and bbr1_model.c on each ACK.
 *
 * draft-ietf-ccwg-bbr 5.5.9 (aggregation), 5.6.2 (pacing). Linux's first version has both, too.
 */
#include "cc/bbr_parts.h"

enum { BBR_MARGIN_PERCENT = 1, BBR_EXTRA_MAX = (1 << 29) - 1 };

uint32_t bbr_bw_of(uint64_t rate_Bps)
{
    uint64_t rate = w_u64_min(rate_Bps, UINT64_MAX / 2);
    uint64_t bw = (rate + (1u << BBR_BW_SHIFT) - 1) >> BBR_BW_SHIFT;
    return (uint32_t)w_u64_min(bw, BBR_INF - 1);
}

uint32_t bbr_volume(uint32_t bw, uint32_t us)
{
    /* 10^6 us in a second, 16 bytes a second in a unit of bw */
    uint64_t bytes = (uint64_t)bw * us / (1000000 >> BBR_BW_SHIFT);
    return (uint32_t)w_u64_min(bytes, CC_CWND_MAX);
}

uint64_t bbr_pace(uint32_t bw, uint32_t gain, uint32_t unit)
{
    uint64_t bw_Bps = (uint64_t)bw << BBR_BW_SHIFT;
    return bw_Bps * gain / unit * (100 - BBR_MARGIN_PERCENT) / 100;
}

void bbr_set_pace(struct cc *c, uint64_t rate, bool is_full)
{
    if (rate != 0 && (is_full || rate > c->pacing_Bps))
        c->pacing_Bps = rate;
}

uint32_t bbr_chance(w_ns now, uint32_t delivered, uint32_t rtt_us)
{
    uint32_t x = (uint32_t)now ^ (uint32_t)(now >> 32) ^ delivered * 2654435761u ^ rtt_us;
    x = (x ^ x >> 15) * 2246822519u;
    return x ^ x >> 13;
}

void bbr_extra_begin(struct bbr_extra *e, w_ns now)
{
    e->since_us = (uint32_t)(now / W_US);
    e->acked = 0;
}

static void put_extra(struct bbr_extra *e, uint64_t segs, bool round_start, bool is_short)
{
    uint32_t len = is_short ? 1 : BBR_EXTRA_ROUNDS;
    if (round_start) {
        if (e->rounds + 1u >= len) {
            e->segs[1] = is_short ? 0 : e->segs[0];
            e->segs[0] = 0;
            e->rounds = 0;
        } else {
            e->rounds = (e->rounds + 1u) & 7;
        }
    }
    if (segs > e->segs[0])
        e->segs[0] = (uint16_t)w_u64_min(segs, UINT16_MAX);
}

void bbr_extra_update(struct bbr_extra *e, const struct cc *c, const struct cc_ack *ack,
                      uint32_t bw, bool round_start, bool is_short)
{
    uint32_t now_us = (uint32_t)(ack->now / W_US), age_us = now_us - e->since_us;
    uint64_t expected = (uint64_t)bw * age_us / (1000000 >> BBR_BW_SHIFT);
    if (e->acked <= expected) {
        bbr_extra_begin(e, ack->now);
        expected = 0;
    }
    uint64_t acked = w_u64_min((uint64_t)e->acked + ack->acked, BBR_EXTRA_MAX);
    e->acked = (uint32_t)acked & BBR_EXTRA_MAX;
    uint64_t extra = acked > expected ? acked - expected : 0;
    extra = w_u64_min(extra, c->cwnd);
    put_extra(e, (extra + c->mss / 2) / c->mss, round_start, is_short);
}

uint64_t bbr_extra_bytes(const struct bbr_extra *e, uint32_t mss)
{
    return (uint64_t)w_u32_max(e->segs[0], e->segs[1]) * mss;
}

size_t bbr_tell(union cc_info *info, uint32_t bw, uint32_t min_rtt_us, uint32_t pacing,
                uint32_t cwnd)
{
    uint64_t bw_Bps = (uint64_t)bw << BBR_BW_SHIFT;
    info->bbr.bw_lo = (uint32_t)bw_Bps;
    info->bbr.bw_hi = (uint32_t)(bw_Bps >> 32);
    info->bbr.min_rtt_us = min_rtt_us;
    info->bbr.pacing_gain = pacing;
    info->bbr.cwnd_gain = cwnd;
    return sizeof(info->bbr);
}
