/* SPDX-License-Identifier: Apache-2.0
 *
 * The laboratory of congestion control: flows that share one bottleneck, and what they make of it.
 *
 *     sender 1 ─┐
 *     sender 2 ─┼─ router ═══ bottleneck ═══ receiver
 *        …     ─┘          rate, queue, marks, noise
 *
 * Every sender is a host of its own with one algorithm; the router is weir, too, forwarding. All
 * are whole stacks in virtual time (sim.h), all bytes and segments are judged (load.h, oracle.h).
 * An experiment (struct lab) is numbers only, and the same numbers give the same figures on every
 * machine: no floating point. Shares are in parts per thousand or per million, times in
 * microseconds.
 */
#ifndef WEIR_CCLAB_H
#define WEIR_CCLAB_H

#include "sim/load.h"

enum {
    LAB_FLOWS = 8,
    LAB_SHORTS = 24,    /* transfers of one flow */
    LAB_PAYLOAD = 1448, /* of a frame of LAB_FRAME bytes: MTU 1500, timestamps */
    LAB_FRAME = 1514,
};

/* One sender. */
struct lab_flow {
    uint32_t cc;    /* as the setting tcp_congestion_control */
    w_ns rtt;       /* without queues; 0: the experiment's */
    w_ns start;     /* after the experiment's beginning */
    uint64_t bytes; /* of each transfer; 0: one that never ends */
    unsigned n;     /* transfers one after another, if they end; at most LAB_SHORTS */
    w_ns every;     /* from the start of one to the start of the next */
};

struct lab {
    uint64_t rate_bps;
    w_ns rtt;                /* without queues */
    uint32_t buffer_percent; /* of rate × rtt: the longest queue */
    uint32_t mark_percent;   /* of rate × rtt: the queue from which packets are marked; 0: none */
    uint32_t loss_ppm;       /* data lost by noise */
    uint32_t max_cwnd_bytes; /* 0: none; buffers of both hosts are this large */
    w_ns warm, took;         /* figures are of `took`, after `warm` */
    uint64_t seed;
    struct lab_flow flow[LAB_FLOWS];
    unsigned n_flow;
};

/* What became of one flow while figures were taken. */
struct lab_flow_seen {
    uint64_t goodput_bps; /* of what the receiving program got */
    uint32_t retrans_ppm; /* bytes sent again, of all sent */
    uint32_t n_timeouts;
    uint32_t n_done;   /* transfers of a flow that has several */
    uint32_t mean_us;  /* how long they took, from connect to the last byte */
    uint32_t worst_us; /* the longest */
    uint32_t
        fair_ms; /* from its start until it had 80 % of its fair share for two seconds; 0: never */
};

struct lab_seen {
    uint32_t share_pm; /* of what the bottleneck could carry, all flows */
    uint32_t jain_pm;  /* Jain's index of the endless flows: 1000 equal, 1000 / n one has all */
    uint32_t queue_us; /* waiting for the bottleneck: mean over time */
    uint32_t queue_p95_us, queue_max_us, queue_min_us;
    uint32_t rtt_pm;   /* (rtt + mean queue) / rtt */
    uint32_t drop_ppm; /* of packets: the queue was full */
    uint32_t mark_ppm;
    uint64_t n_drop; /* since the beginning, not only since `warm` */
    struct lab_flow_seen flow[LAB_FLOWS];
    uint64_t hash;               /* of every frame */
    char violation[ORACLE_TEXT]; /* empty: none */
};

/* Bytes that fill the path: rate × rtt. */
uint64_t lab_bdp(const struct lab *);
/* Jain, Chiu, Hawe 1984: (sum x)² / (n · sum x²), in parts per thousand; 1000 when all are 0. */
uint32_t lab_jain_pm(const uint64_t *x, unsigned n);
/* Runs the experiment. 0; 1: an oracle was violated, see there; -ENOMEM; -EINVAL: no rate, rtt or
 * flow, or more than there is room for. */
int lab_run(const struct lab *, struct lab_seen *out);

#endif
