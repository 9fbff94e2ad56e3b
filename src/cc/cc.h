/* SPDX-License-Identifier: Apache-2.0
 *
 * Congestion control: how large cwnd may be [RFC 5681, RFC 9438]. Knows bytes, never packets, and
 * nothing of TCP: what it learns stands in struct cc_ack, what it decides in struct cc.
 *
 * tcp/ asks in this order: cc_init once, then for each ACK cc_on_ack outside recovery, cc_on_loss
 * where recovery or a timeout begins, cc_on_recovered where it ends, cc_on_undo where it turns out
 * to have been a mistake, cc_on_idle before sending after a pause.
 *
 * Invariants kept by the front functions, whatever an algorithm does: cwnd >= 1 MSS, ssthresh >=
 * 2 MSS, no growth by an ACK that was not limited by cwnd. Integers only.
 */
#ifndef WEIR_CC_H
#define WEIR_CC_H

#include "base/base.h"

enum { CC_NAME_MAX = 16, CC_PRIV = 96 };
#define CC_SSTHRESH_INF 0x7fffffffu /* "arbitrarily high" [RFC 5681 3.1] */

/* Everything one ACK taught us; filled once by tcp/ack.c. Bytes unless a name says otherwise. */
struct cc_ack {
    w_ns now;
    uint64_t delivered;      /* of the whole connection, this ACK included */
    uint64_t rate_Bps;       /* delivery rate sample, 0: none */
    uint32_t acked;          /* newly known to have arrived, by an ACK that moved snd.una */
    uint32_t sacked;         /* newly acknowledged, selectively */
    uint32_t lost;           /* newly marked lost */
    uint32_t inflight_prior; /* before this ACK */
    uint32_t inflight;       /* after it */
    uint32_t rtt_us;         /* this ACK's sample, 0: none */
    uint32_t srtt_us;        /* smoothed, 0: no sample yet */
    uint32_t min_rtt_us;
    uint32_t ce_bytes;
    bool app_limited;
    bool cwnd_limited; /* the window was what held the sender back: only then may it grow */
    bool round_start;
    bool in_recovery;
};

/* All that an algorithm may write. */
struct cc {
    uint32_t kind; /* index of its ops: no code pointers in the arena */
    uint32_t flags;
    uint32_t cwnd, ssthresh; /* bytes */
    uint32_t mss;            /* payload of a full segment now, kept by tcp/ with cc_set_mss */
    uint32_t gso_burst;      /* 0: no opinion */
    uint64_t pacing_Bps;     /* 0: not paced */
    uint64_t priv[CC_PRIV / 8];
};
_Static_assert(sizeof(struct cc) == 128, "cc");

enum cc_loss { CC_LOSS_FAST, CC_LOSS_ECN, CC_LOSS_RTO };

struct cc_ops {
    const char *name;
    uint8_t priv_size, wants_ecn, wants_rate;
    void (*init)(struct cc *, w_ns now);
    void (*on_ack)(struct cc *, const struct cc_ack *);
    /* Sets ssthresh from what was in flight (ack->inflight_prior) and cwnd; cwnd is tcp/'s. */
    void (*on_loss)(struct cc *, enum cc_loss, const struct cc_ack *);
    void (*on_recovered)(struct cc *, const struct cc_ack *);
    void (*on_undo)(struct cc *, w_ns now);
    void (*on_idle)(struct cc *, w_ns now, w_ns idle);
};

/* The algorithm of that index, NULL past the last: for listing. */
const struct cc_ops *cc_at(unsigned kind);
/* Index of the algorithm called `name` (not necessarily NUL-terminated at n), or -ENOENT. */
int cc_find(const char *name, size_t n);

/* cwnd and mss in bytes; ssthresh becomes infinite. kind < number of algorithms: asserted. */
void cc_init(struct cc *, unsigned kind, uint32_t mss, uint32_t cwnd, w_ns now);
/* Another algorithm on a running connection: cwnd and ssthresh stay, its own memory starts anew. */
void cc_change(struct cc *, unsigned kind, w_ns now);
/* The segment size changed (path MTU, options): cwnd stays the same number of bytes, at least one
 * segment. */
void cc_set_mss(struct cc *, uint32_t mss);

void cc_on_ack(struct cc *, const struct cc_ack *);
/* The beginning of recovery (CC_LOSS_FAST, CC_LOSS_ECN) or a timeout. Sets ssthresh only; what
 * becomes of cwnd in recovery is tcp/recover.c's business. */
void cc_on_loss(struct cc *, enum cc_loss, const struct cc_ack *);
/* Recovery is over: cwnd = min(cwnd, ssthresh) unless the algorithm knows better. */
void cc_on_recovered(struct cc *, const struct cc_ack *);
/* It was no loss: tcp/ restores cwnd and ssthresh first, the algorithm its own memory. */
void cc_on_undo(struct cc *, w_ns now);
/* Nothing was sent for `idle` [RFC 5681 4.1]; tcp/ decides about restarting from the initial
 * window, the algorithm shifts its clock. */
void cc_on_idle(struct cc *, w_ns now, w_ns idle);

static inline bool cc_in_slow_start(const struct cc *c) { return c->cwnd < c->ssthresh; }

#endif
