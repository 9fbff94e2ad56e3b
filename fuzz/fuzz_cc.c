/* SPDX-License-Identifier: Apache-2.0
 *
 * Congestion control with any sequence of events: the laws of cc/cc.c hold, whatever an algorithm
 * is told. First byte: which algorithm; then events of 8 bytes.
 */
#include "fuzz.h"

#include "cc/cc.h"

static void event(struct cc *c, const uint8_t *b, w_ns *now)
{
    uint32_t v = w_be32(b + 4);
    struct cc_ack a = {.now = *now += (w_ns)w_be16(b + 2) * 100000,
                       .acked = v,
                       .srtt_us = v >> 8,
                       .rtt_us = v >> 9,
                       .cwnd_limited = (b[1] & 1) != 0};
    uint32_t before = c->cwnd;
    switch (b[0] & 7) {
    case 0: cc_on_loss(c, (enum cc_loss)(b[1] % 3), &a); break;
    case 1: cc_on_recovered(c, &a); break;
    case 2: cc_on_idle(c, *now, v); break;
    case 3: cc_on_undo(c, *now); break;
    case 4: cc_set_mss(c, 48 + (v & 0xffff)); break;
    default:
        cc_on_ack(c, &a);
        WEIR_ASSERT(a.cwnd_limited || c->cwnd <= w_u32_max(before, c->mss));
        break;
    }
    WEIR_ASSERT(c->cwnd >= c->mss);
    WEIR_ASSERT(c->ssthresh >= 2 * c->mss);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cc c;
    w_ns now = W_S;
    unsigned n = 0;
    if (size < 1)
        return 0;
    while (cc_at(n) != NULL)
        n++;
    cc_init(&c, data[0] % n, 1000, 10000, now);
    for (size_t at = 1; at + 8 <= size; at += 8)
        event(&c, data + at, &now);
    return 0;
}
