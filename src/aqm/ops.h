/* SPDX-License-Identifier: Apache-2.0
 *
 * A discipline, as the front door in aqm.c sees it, and what several of them share. Private to
 * aqm/.
 */
#ifndef WEIR_AQM_OPS_H
#define WEIR_AQM_OPS_H

#include "aqm/aqm.h"

enum { AQM_CE = 3 }; /* both bits of p->ecn; 0: the sender does not know ECN [RFC 3168 5] */

struct aqm_ops {
    const char *name;
    bool has_flows;
    /* Missing settings filled in. 0 or -EINVAL. */
    int (*fill)(struct aqm_conf *);
    /* Why p cannot be taken, beyond the limit of the whole queue; DROP_NONE. May be NULL. */
    enum drop (*refuse)(const struct aqm *, w_ns now, const struct pkt *p);
    /* The queue is at its limit: makes room by dropping; true: there is some. May be NULL. */
    bool (*make_room)(struct aqm *);
    void (*enter)(struct aqm *, w_ns now, struct pkt *p);
    struct pkt *(*pop)(struct aqm *, w_ns now);
    struct pkt *(*drain)(struct aqm *);
    w_ns (*next)(const struct aqm *, w_ns now); /* asked only when something waits */
};

extern const struct aqm_ops qd_fifo, qd_prio, qd_mark, qd_fq, qd_codel, qd_fq_codel, qd_tbf;

/* ---- packets in and out of the sums ---- */

static inline void aqm_in(struct aqm *q, struct pktq *to, struct pkt *p)
{
    pktq_push(to, p);
    q->n++;
    q->bytes += p->len;
}

/* The first of `from`, no longer counted; NULL: empty. */
static inline struct pkt *aqm_out(struct aqm *q, struct pktq *from)
{
    struct pkt *p = pktq_pop(from);
    if (p == NULL)
        return NULL;
    q->n--;
    q->bytes -= p->len;
    return p;
}

/* p, already taken out, is no more. */
static inline void aqm_kill(struct aqm *q, struct pkt *p, enum drop why)
{
    p->drop = (uint16_t)why;
    q->count.dropped++;
    pktq_push(&q->dead, p);
}

/* Says "too much" by a packet that will be delivered: by a mark, or by telling its sender if that
 * is ours. False: neither is possible. */
static inline bool aqm_signal(struct aqm *q, struct pkt *p)
{
    if (p->ecn != 0) {
        q->count.marked += p->ecn != AQM_CE;
        p->ecn = AQM_CE;
        q->said = AQM_MARKED;
        return true;
    }
    if ((p->tflags & AQM_KEEP) == 0)
        return false;
    q->count.told++;
    q->said = AQM_TELL;
    return true;
}

/* ---- CoDel (codel.c) ---- */

/* The next packet of `from`, which the law lets through; drops and signals on the way. */
struct pkt *codel_pop(struct aqm *, struct codel *, struct pktq *from, w_ns now);
int codel_fill(struct aqm_conf *);
/* t + interval / sqrt(count) */
w_ns codel_law(const struct codel *, w_ns t, w_ns interval);
/* After count has become n. */
void codel_set_count(struct codel *, uint32_t n);

/* ---- flows in turn (flows.c) [RFC 8290 4] ---- */

enum flow_state { FLOW_IDLE, FLOW_FRESH, FLOW_OLD, FLOW_WAITING };

static inline uint16_t flow_of(const struct pkt *p) { return (uint16_t)(p->hash % AQM_FLOWS + 1); }
/* Flow i becomes the last of a list: of fresh ones, if it was idle. */
void flow_append(struct aqm *, enum flow_state, uint16_t i);
void flow_activate(struct aqm *, uint16_t i);
/* The flow whose turn it is, its credit positive; 0: no flow has one. */
uint16_t flow_turn(struct aqm *);
/* The flow whose turn it is leaves its list, to be `state`. */
void flow_leave(struct aqm *, uint16_t i, enum flow_state state);
/* The flow whose turn it is has nothing more: goes once through the old ones, then rests. */
void flow_rest(struct aqm *, uint16_t i);
struct pkt *flow_drain(struct aqm *);

#endif
