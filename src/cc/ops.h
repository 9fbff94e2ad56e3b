/* SPDX-License-Identifier: Apache-2.0
 *
 * An algorithm, as the registry in cc.c sees it. Private to cc/.
 */
#ifndef WEIR_CC_OPS_H
#define WEIR_CC_OPS_H

#include "cc/cc.h"

extern const struct cc_ops cc_reno, cc_cubic;

/* Beyond this cwnd does not grow: sums of windows stay far from 32 bits. */
#define CC_CWND_MAX (1u << 30)

/* Slow start for at most `acked` bytes [RFC 5681 3.1, RFC 3465 with L unlimited, as ACKs may be
 * stretched by offloads]: returns how many of them are left once ssthresh is reached. */
static inline uint32_t cc_slow_start(struct cc *c, uint32_t acked)
{
    uint32_t room = c->ssthresh - c->cwnd;
    uint32_t used = w_u32_min(acked, room);
    c->cwnd = w_u32_min(c->cwnd + used, CC_CWND_MAX);
    return acked - used;
}

#endif
