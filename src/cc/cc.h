/* SPDX-License-Identifier: Apache-2.0
 *
 * Congestion control: how large cwnd may be, and how fast it may leave. Knows bytes, never packets,
 * and nothing of TCP: what it learns stands in struct cc_ack, what it decides in struct cc.
 *
 * tcp/ asks in this order: cc_init once, then for each ACK cc_on_ack outside recovery, cc_on_loss
 * where recovery or a timeout begins, cc_on_recovered where it ends, cc_on_undo where it turns out
 * to have been a mistake, cc_on_idle before sending after a pause. An algorithm whose cc_ops say
 * `every_ack` hears of ACKs during recovery too, and of each range declared lost by cc_on_lost.
 *
 * What each algorithm listens to, beside now, acked, inflight_prior, cwnd_limited and srtt_us:
 *
 *   reno      delivered, inflight: the volume an application really used [RFC 7661]
 *   cubic     the same, and rtt_us for HyStart++
 *   vegas     rtt_us, delivered, inflight
 *   westwood  rtt_us, delivered
 *   bic       delivered, inflight
 *   dctcp     ce_bytes, delivered, inflight; CC_LOSS_ECN once per window with a mark in it
 *   bbr       rate_Bps, app_limited, delivered, prior_delivered, lost_since, tx_inflight, rtt_us,
 *             in_recovery, has_sack, cc_on_lost, ACKs in recovery; sending at pacing_Bps
 *   ledbat    rtt_us
 *   bbr1      as bbr, but has_sack, lost_since and in_recovery; and lost
 *
 * Round trips are counted here, from delivered and inflight: a round ends with the first ACK for
 * something that was sent after it began.
 *
 * What becomes of cwnd in tcp/: after CC_LOSS_FAST it is ssthresh, after CC_LOSS_RTO one segment,
 * but for algorithms with every_ack, see there. After CC_LOSS_ECN it is ssthresh and
 * cc_on_recovered follows at once; cc_on_ack goes on, with cwnd_limited false until the marked
 * window has been acknowledged [RFC 3168 6.1.2: no growth]. A sender held back by pacing is not
 * cwnd_limited.
 *
 * Invariants kept by the front functions, whatever an algorithm does: cwnd >= 1 MSS, ssthresh >=
 * 2 MSS, no growth by an ACK that was not limited by cwnd. Integers only.
 */
#ifndef WEIR_CC_H
#define WEIR_CC_H

#include "base/base.h"

enum { CC_NAME_MAX = 16, CC_PRIV = 96 };
#define CC_SSTHRESH_INF 0x7fffffffu /* "arbitrarily high" [RFC 5681 3.1] */

/* Everything one ACK taught us; filled once by tcp/ack.c. Bytes unless a name says otherwise.
 *
 * The lower half is the rate sample of draft-ietf-ccwg-bbr 4.1 (before: of draft-cheng-iccrg-
 * delivery-rate-estimation): P is the most recently sent of the packets (ranges) that this ACK
 * newly acknowledged, cumulatively or selectively. An ACK that acknowledges nothing new has no P:
 * rate_Bps is 0 and prior_delivered, lost_since and tx_inflight are 0 too. */
struct cc_ack {
    w_ns now;
    uint64_t delivered;      /* of the whole connection, each byte once, this ACK included */
    uint32_t acked;          /* newly known to have arrived: what `delivered` grew by */
    uint32_t sacked;         /* the part of it that was acknowledged selectively */
    uint32_t lost;           /* newly marked lost */
    uint32_t inflight_prior; /* before this ACK */
    uint32_t inflight;       /* after it */
    uint32_t rtt_us;         /* this ACK's sample, of P if it was sent once [RFC 6298 3]; 0: none */
    uint32_t srtt_us;        /* smoothed, 0: no sample yet */
    uint32_t min_rtt_us;     /* tcp/'s own minimum, 0: no sample yet */
    uint32_t ce_bytes;       /* part of `acked` that arrived with a congestion mark, as the peer
                                reports it: all or nothing with DCTCP's ECE [RFC 8257 3.2], the
                                growth of the counter r.ceb with AccECN [RFC 9768] */
    bool cwnd_limited;       /* the window was what held the sender back: only then may it grow */
    bool in_recovery;        /* fast recovery or after a timeout, when the ACK has been processed */
    bool has_sack;           /* more than one loss in a round trip can be seen */
    bool app_limited;        /* P was sent while the sender had nothing more to send */
    uint64_t rate_Bps;       /* delivery rate over P's time in the network, 0: no reliable sample */
    uint64_t prior_delivered; /* `delivered` when P was sent */
    uint32_t lost_since;      /* declared lost since P was sent */
    uint32_t tx_inflight;     /* in flight just after P was sent, P included */
};

/* One range declared lost, told at once, before cc_on_ack of the ACK that revealed it. All
 * bytes. */
struct cc_lost {
    w_ns now;
    uint64_t delivered;   /* as in struct cc_ack, now */
    uint32_t bytes;       /* of this range */
    uint32_t lost_since;  /* declared lost since it was sent, this range included */
    uint32_t tx_inflight; /* in flight just after it was sent, itself included */
    bool app_limited;     /* it was sent while the sender had nothing more to send */
    bool has_sack;
};

enum cc_flag {
    CC_APP_LIMITED = 1, /* the algorithm itself holds sending back: tcp/ marks what it sends now as
                           app_limited */
};

enum { CC_NOISE_PERCENT = 2 }; /* BBR.LossThresh, where tcp/ does not say otherwise */

/* All that an algorithm may write. */
struct cc {
    uint16_t kind;           /* index of its ops: no code pointers in the arena */
    uint16_t noise_percent;  /* what the path may lose by itself (BBR) */
    uint32_t flags;          /* enum cc_flag */
    uint32_t cwnd, ssthresh; /* bytes */
    uint32_t mss;            /* payload of a full segment now, kept by tcp/ with cc_set_mss */
    uint32_t gso_burst;      /* bytes that may leave back to back as one unit, 0: no opinion */
    uint64_t pacing_Bps;     /* no faster than this, evenly; 0: not paced */
    uint64_t priv[CC_PRIV / 8];
};
_Static_assert(sizeof(struct cc) == 128, "cc");

/* What TCP_CC_INFO shows: Linux's union tcp_cc_info, member for member. */
union cc_info {
    struct { /* vegas, and what westwood has in common with it; microseconds */
        uint32_t enabled, n_rtt, rtt, min_rtt;
    } vegas;
    struct {
        uint16_t enabled;
        uint16_t ce_state;       /* of the receiver: the last segment was marked; filled by tcp/ */
        uint32_t alpha;          /* of 1024 */
        uint32_t ab_ecn, ab_tot; /* bytes acknowledged in this window: with a mark, all */
    } dctcp;
    struct {
        uint32_t bw_lo, bw_hi; /* bytes a second */
        uint32_t min_rtt_us;
        uint32_t pacing_gain, cwnd_gain; /* of 256 */
    } bbr;
};
_Static_assert(sizeof(union cc_info) == 20, "as Linux");

/* Of these CC_LOSS_ECN comes at most once per window of data [RFC 3168 6.1.2]. */
enum cc_loss { CC_LOSS_FAST, CC_LOSS_ECN, CC_LOSS_RTO };

/* An algorithm: a const table, chosen by cc.kind. Called only by the front functions below. */
struct cc_ops {
    const char *name;
    uint8_t priv_size;
    uint8_t wants_ecn;  /* cannot do without: tcp/ negotiates ECN and echoes marks exactly */
    uint8_t wants_rate; /* the lower half of struct cc_ack */
    uint8_t every_ack;  /* cwnd is the algorithm's in fast recovery too: tcp/ calls cc_on_ack there
                           and leaves cwnd alone; after a timeout one segment as for all */
    void (*init)(struct cc *, w_ns now);
    void (*on_ack)(struct cc *, const struct cc_ack *);
    /* Sets ssthresh from what was in flight (ack->inflight_prior) and cwnd; cwnd is tcp/'s. */
    void (*on_loss)(struct cc *, enum cc_loss, const struct cc_ack *);
    void (*on_recovered)(struct cc *, const struct cc_ack *);
    void (*on_undo)(struct cc *, w_ns now);
    void (*on_idle)(struct cc *, w_ns now, w_ns idle);
    void (*on_lost)(struct cc *, const struct cc_lost *); /* NULL: not interested */
    /* TCP_CC_INFO; NULL: nothing to tell */
    size_t (*info)(const struct cc *, union cc_info *);
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

/* Fills *info and returns its size, 0 for an algorithm that has nothing to tell. */
size_t cc_info(const struct cc *, union cc_info *);

void cc_on_ack(struct cc *, const struct cc_ack *);
/* The beginning of recovery (CC_LOSS_FAST, CC_LOSS_ECN) or a timeout. Sets ssthresh only; what
 * becomes of cwnd in recovery is tcp/recover.c's business. Of the struct at least now and
 * inflight_prior are filled. */
void cc_on_loss(struct cc *, enum cc_loss, const struct cc_ack *);
/* A range was declared lost; after cc_on_loss where that began a recovery. */
void cc_on_lost(struct cc *, const struct cc_lost *);
/* Recovery is over: cwnd = min(cwnd, ssthresh) unless the algorithm knows better. */
void cc_on_recovered(struct cc *, const struct cc_ack *);
/* It was no loss: tcp/ restores cwnd and ssthresh first, the algorithm its own memory. */
void cc_on_undo(struct cc *, w_ns now);
/* Nothing was sent for `idle` [RFC 5681 4.1]; tcp/ decides about restarting from the initial
 * window, the algorithm shifts its clock. */
void cc_on_idle(struct cc *, w_ns now, w_ns idle);

static inline bool cc_in_slow_start(const struct cc *c) { return c->cwnd < c->ssthresh; }

#endif
