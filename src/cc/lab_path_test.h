/* SPDX-License-Identifier: Apache-2.0
 *
 * A model path for the tests of this room: senders with endless data that share one bottleneck, a
 * queue in front of a link. lab_path_test.c explains. No part of the product.
 */
#ifndef WEIR_CC_LAB_PATH_TEST_H
#define WEIR_CC_LAB_PATH_TEST_H

#include "cc/cc.h"

enum { PATH_FLOWS = 2, PATH_PKTS = 1 << 13, PATH_MSS = 1000 };

struct path_pkt {
    w_ns sent, ack_at; /* ack_at 0: dropped */
    w_ns first_sent, delivered_at;
    uint64_t delivered, lost;
    uint32_t inflight;
    bool app_limited, has_mark, is_acked, is_marked_lost;
};

struct path_flow {
    struct cc cc;
    bool is_on;
    uint32_t app_bytes; /* the application keeps no more than this in flight, 0: endless */
    unsigned n_drop;    /* the next so many packets are lost as if by noise */

    struct path_pkt pkt[PATH_PKTS];
    uint64_t head, next; /* packet numbers: oldest not yet settled, next to be sent */
    uint64_t delivered, lost;
    w_ns first_sent, delivered_at, next_send, progress_at;
    uint64_t app_limited_to, limited_to, recover_to, cwr_to;
    uint32_t inflight, srtt_us, min_rtt_us;
    bool in_recovery, in_timeout;

    /* since path_observe */
    uint64_t seen_delivered, seen_lost;
    uint32_t max_inflight, min_inflight, max_cwnd, min_cwnd;
    unsigned n_loss_events;
};

struct path {
    uint64_t rate_Bps;
    w_ns rtt;        /* without queue */
    uint32_t buffer; /* bytes */
    uint32_t mark;   /* a packet that finds this much waiting is marked, 0: never */
    unsigned noise;  /* one packet in so many is lost, 0: none */

    w_ns now, busy_to;
    uint32_t random;
    uint32_t max_queue, min_queue; /* bytes waiting, as packets found them since path_observe */
    uint64_t sum_queue, n_queue;
    w_ns seen_from;
    struct path_flow flow[PATH_FLOWS];
};

/* All zero but the path's own description; time begins at 1 s. */
void path_init(struct path *, uint64_t rate_Bps, w_ns rtt, uint32_t buffer);
/* The flow starts sending with a window of ten segments. */
void path_start(struct path *, unsigned flow, const char *algorithm);
void path_run(struct path *, w_ns duration);
/* Figures from here on. */
void path_observe(struct path *);
/* Share of the link that the flow's data got since then, in per mille. */
uint32_t path_share(const struct path *, unsigned flow);
/* Mean of what waited, bytes. */
uint32_t path_mean_queue(const struct path *);
/* rate * rtt, bytes. */
uint32_t path_bdp(const struct path *);

#endif
