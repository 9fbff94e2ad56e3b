/* SPDX-License-Identifier: Apache-2.0
 *
 * Queue disciplines: which packet leaves next, when, and which are too many.
 *
 * One struct aqm is one queue. It reads what rooms above wrote into a packet (len, ecn, hash, tos,
 * when, AQM_KEEP) and never a byte of the packet itself, so the queue before a device (link/) and
 * the queue of an emulated router (dev/emu) are the same code. A packet that has to be marked CE is
 * handed out with AQM_MARK: writing the mark is the caller's, who knows the headers.
 *
 *   kind     | what leaves next                          | who is told of too much
 *   fifo     | the oldest                                | a full queue refuses
 *   prio     | the most urgent of three bands by TOS     | a full queue refuses
 *   mark     | the oldest                                | a mark from mark_at packets on
 *   fq       | flows in turn, each packet at its time    | a flow with flow_limit packets is
 *   refused codel    | the oldest                                | CoDel: marks or drops
 *   fq_codel | flows in turn, sparse ones first          | CoDel per flow; the fattest when full
 *   tbf      | the oldest, when the bucket has the bytes | a full queue refuses
 *
 * Whose packets are never dropped. A queue of this host must not lose what this host's TCP sent:
 * for a packet with AQM_KEEP a discipline that would drop it says AQM_TELL instead, and the caller
 * tells the connection. Such packets are only ever refused at the door, where TCP still has the
 * bytes.
 *
 * Ownership: a packet belongs to the queue from the push that took it until a pop, or until
 * aqm_dead hands it out with its reason in p->drop. Cost: every call is O(1) or O(log flows),
 * amortised; when fq_codel is full one push in 64 looks at every flow.
 */
#ifndef WEIR_AQM_H
#define WEIR_AQM_H

#include "base/arena.h"
#include "pkt/drop.h"
#include "pkt/pkt.h"

enum aqm_kind {
    AQM_FIFO,
    AQM_PRIO,
    AQM_MARK_AT, /* "mark" */
    AQM_FQ,
    AQM_CODEL,
    AQM_FQ_CODEL,
    AQM_TBF,
    AQM_KINDS
};

enum {
    AQM_FLOWS = 1024,       /* [RFC 8290 5.2.2] */
    AQM_LIMIT_MAX = 100000, /* packets */
    AQM_KEEP = 1,           /* p->tflags of a queued packet: never to be dropped inside */
};

/* What became of the packet of the last push or pop. */
enum aqm_said {
    AQM_PASS,
    AQM_MARKED, /* p->ecn is CE now: write it into the header */
    AQM_TELL,   /* its connection shall slow down */
};

/* 0 means the default everywhere but for kind; aqm_set writes the values in use back. */
struct aqm_conf {
    uint32_t kind;        /* enum aqm_kind */
    uint32_t limit;       /* packets; 1000 */
    uint32_t mark_at;     /* mark: packets waiting from which ECT packets are marked; 65 */
    uint32_t flow_limit;  /* fq: packets of one flow; 100 */
    uint32_t quantum;     /* fq: two frames, fq_codel: one frame; bytes of a flow's turn */
    uint32_t target_us;   /* codel: sojourn time that is no queue; 5,000 */
    uint32_t interval_us; /* codel: how long it may be more; 100,000 */
    uint32_t horizon_ms;  /* fq: departure times further ahead are refused; 10,000 */
    uint32_t frame_bytes; /* the largest frame of the link; 1,514 */
    uint64_t rate_Bps;    /* tbf: must be given */
    uint32_t burst_bytes; /* tbf: 4 ms at the rate, at least two frames */
};

struct aqm_counts {
    uint64_t pushed, popped; /* packets taken, packets handed out by aqm_pop */
    uint64_t dropped;        /* taken and dropped after all */
    uint64_t refused;        /* not taken */
    uint64_t marked, told;
};

/* CoDel's state, of a queue or of one flow. [RFC 8289 5.3] */
struct codel {
    w_ns first_above; /* when it will have been too long for an interval; 0: it is not */
    w_ns drop_next;
    uint32_t count, last_count; /* drops since dropping began, and the time before */
    uint32_t inv_sqrt;          /* 2^32 / sqrt(count) */
    bool is_dropping;
};

/* A flow of fq or fq_codel: all packets with one hash. */
struct aqm_flow {
    struct pktq q;
    int32_t credit; /* bytes left of its turn */
    uint16_t next;  /* flow behind it in its list, 0: none */
    uint16_t at;    /* WAITING: its place in the heap */
    uint8_t state;  /* enum flow_state, private */
    struct codel codel;
};

struct aqm_list {
    uint16_t first, last;
};

/* Memory for the disciplines with flows: AQM_FLOWS + 1 of each, [0] unused. */
struct aqm_mem {
    struct aqm_flow *flow;
    uint16_t *heap;
};

struct aqm {
    struct aqm_conf conf;
    struct aqm_mem mem;
    uint32_t n;     /* packets inside */
    uint64_t bytes; /* of them */
    uint32_t said;  /* enum aqm_said, of the last push or pop */
    uint32_t high_water;
    struct aqm_counts count;
    struct pktq dead; /* dropped inside, not yet fetched */
    /* fifo, mark, codel, tbf: band[0] */
    struct pktq band[3];
    struct codel codel;
    struct aqm_list fresh, old; /* flows [RFC 8290 4.2] */
    uint32_t n_heap;            /* fq: flows that wait for a time */
    w_ns full_at;               /* tbf: when the bucket will be full */
    uint64_t frac;              /* … and a fraction of a nanosecond, in 1/rate */
};

/* Memory for the flows of one queue, from an arena that may only be counting. */
struct aqm_mem aqm_mem_take(struct arena *);

/* An empty queue of kind fifo. mem stays the caller's; its members may be NULL where fq and
 * fq_codel will not be asked for. */
void aqm_init(struct aqm *, struct aqm_mem mem);
/* New settings, with the packets inside kept: none is lost, none of one flow overtakes another.
 * 0; -EINVAL: no such kind, tbf without a rate, codel with a target above its interval, or a kind
 * with flows without memory for them; -ERANGE: a limit above AQM_LIMIT_MAX. Then nothing
 * changed. */
WEIR_MUST_CHECK int aqm_set(struct aqm *, const struct aqm_conf *, w_ns now);
/* What aqm_set would answer. */
WEIR_MUST_CHECK int aqm_check(const struct aqm *, const struct aqm_conf *);
/* DROP_NONE: the queue has p, and `said` is valid. Otherwise p is still the caller's, counted. */
WEIR_MUST_CHECK enum drop aqm_push(struct aqm *, w_ns now, struct pkt *p);
/* As aqm_push, whatever the limits say; for packets that were in a queue before. */
void aqm_enter(struct aqm *, w_ns now, struct pkt *p);
/* The next packet that may leave, `said` is valid; NULL: none now. */
struct pkt *aqm_pop(struct aqm *, w_ns now);
/* Any packet, whatever the time, in an order that is each flow's; NULL: empty. */
struct pkt *aqm_drain(struct aqm *);
/* The next packet that was dropped inside, the caller's now; p->drop says why. NULL: none. Ask
 * after every push and pop. */
static inline struct pkt *aqm_dead(struct aqm *q) { return pktq_pop(&q->dead); }
/* When aqm_pop may have something: now or before, later, or W_NEVER. */
w_ns aqm_next(const struct aqm *, w_ns now);
/* "fq_codel" … and back; NULL, -ENOENT: no such. */
const char *aqm_name(unsigned kind);
int aqm_kind_named(const char *name, uint32_t len);

#endif
