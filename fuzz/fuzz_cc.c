/* SPDX-License-Identifier: Apache-2.0
 *
 * Congestion control with any sequence of events: the laws of cc/cc.h hold, whatever an algorithm
 * is told. First byte: which algorithm; then events of 16 bytes: what happens (and its flags), time
 * that passes, and three numbers that fill struct cc_ack, each as it is or far up.
 */
#include "fuzz.h"

#include "cc/cc.h"

/* Low bits count, high ones shift: small and extreme values both within reach of one byte. */
static uint64_t wide(uint32_t v) { return (uint64_t)(v & 0xffffff) << (v >> 24) % 41; }

static struct cc_ack ack_of(const uint8_t *b, w_ns now, uint64_t *delivered)
{
    uint32_t v = w_be32(b + 4), w = w_be32(b + 8), x = w_be32(b + 12);
    *delivered += v & 0xfffff;
    return (struct cc_ack){
        .now = now,
        .delivered = (b[1] & 2) != 0 ? wide(w) : *delivered,
        .acked = (b[1] & 4) != 0 ? v : v & 0xfffff,
        .inflight_prior = w,
        .inflight = (b[1] & 8) != 0 ? w : w >> 12,
        .rtt_us = x >> (b[1] & 16),
        .srtt_us = x,
        .min_rtt_us = x >> 1,
        .ce_bytes = v >> 4,
        .cwnd_limited = (b[1] & 1) != 0,
        .in_recovery = (b[1] & 32) != 0,
        .has_sack = (b[1] & 64) != 0,
        .app_limited = (b[1] & 128) != 0,
        .rate_Bps = wide(x),
        .prior_delivered = (b[1] & 8) != 0 ? wide(v) : *delivered - (w & 0xfffff),
        .lost_since = w & v,
        .tx_inflight = w >> 8,
    };
}

static void event(struct cc *c, const uint8_t *b, w_ns *now, uint64_t *delivered)
{
    *now += wide((uint32_t)w_be16(b + 2) << 12) & (((w_ns)1 << 56) - 1);
    struct cc_ack a = ack_of(b, *now, delivered);
    struct cc_lost l = {.now = *now,
                        .delivered = a.delivered,
                        .bytes = a.acked,
                        .lost_since = a.lost_since,
                        .tx_inflight = a.tx_inflight,
                        .app_limited = a.app_limited,
                        .has_sack = a.has_sack};
    uint32_t before = c->cwnd;
    switch (b[0] & 15) {
    case 0: cc_on_loss(c, (enum cc_loss)((b[0] >> 4) % 3), &a); break;
    case 1: cc_on_recovered(c, &a); break;
    case 2: cc_on_idle(c, *now, wide(w_be32(b + 4))); break;
    case 3: cc_on_undo(c, *now); break;
    case 4: cc_set_mss(c, 48 + w_be16(b + 4)); break;
    case 5: cc_on_lost(c, &l); break;
    case 6:
        if (cc_at(b[0] >> 4) != NULL)
            cc_change(c, b[0] >> 4, *now);
        break;
    default:
        cc_on_ack(c, &a);
        WEIR_ASSERT(a.cwnd_limited || c->cwnd <= w_u32_max(before, c->mss));
        break;
    }
    WEIR_ASSERT(c->cwnd >= c->mss);
    WEIR_ASSERT(c->cwnd <= 1u << 30);
    WEIR_ASSERT(c->ssthresh >= 2 * c->mss);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cc c;
    w_ns now = W_S;
    uint64_t delivered = 0;
    unsigned n = 0;
    if (size < 1)
        return 0;
    while (cc_at(n) != NULL)
        n++;
    cc_init(&c, data[0] % n, 1000, 10000, now);
    for (size_t at = 1; at + 16 <= size; at += 16)
        event(&c, data + at, &now, &delivered);
    return 0;
}
