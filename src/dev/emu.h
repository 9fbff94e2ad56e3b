/* SPDX-License-Identifier: Apache-2.0
 *
 * The link emulator: one direction of a link, as a pure function of packets, time and randomness.
 *
 *   push ─► [queue: limit] ─► serialise at `rate` ─► fate: cut, loss, corrupt, duplicate
 *                                                        │
 *                            pop ◄─ [in flight] ◄─ delay ± jitter, reorder
 *
 * What is decided here:
 * - A frame of n bytes occupies the link for (n + overhead) · 8 / rate seconds, exactly: fractions
 *   of a nanosecond are carried from frame to frame of a busy period.
 * - The queue is what waits for the link, the frame on the link included; a full queue drops the
 *   arriving frame (counted). What is in flight is not in the queue (netem counts it there).
 * - Instead of one queue in order a discipline of aqm/ may manage it: codel, fq_codel. It decides
 *   when the link takes its next frame, at that moment.
 * - Loss happens on the wire: a lost frame has used its share of the rate.
 * - Jitter never reorders: it is a queue further on whose length varies. `reorder` reorders. So
 *   frames closer together than the jitter wait for the slowest before them.
 * - A frame's fate is drawn when its last bit leaves, in order, from the emulator's own stream of
 *   randomness: when and how often push and pop are called changes nothing.
 * Every frame is delivered or counted under the reason why not: see emu_inside().
 */
#ifndef WEIR_EMU_H
#define WEIR_EMU_H

#include "aqm/aqm.h"
#include "base/rng.h"

struct pkt;

/* Probabilities are in parts per million. All zero: a perfect wire without delay or limit. */
struct emu_conf {
    uint64_t rate_bps;       /* 0: no serialisation, so no queue */
    uint32_t overhead_bytes; /* per frame, beyond its own bytes: 24 is Ethernet's preamble … gap */
    uint32_t limit_pkts;     /* of the queue; 0: EMU_LIMIT_PKTS */
    uint64_t limit_bytes;    /* of the queue; 0: none */
    w_ns delay_ns;           /* propagation */
    w_ns jitter_ns;          /* uniform in delay ± jitter */
    uint32_t loss_ppm;       /* independent of each other */
    uint32_t dup_ppm;
    uint32_t corrupt_ppm;  /* one flipped bit, unseen by any device */
    uint32_t reorder_ppm;  /* frames held back by reorder_ns more, so that later ones overtake */
    w_ns reorder_ns;       /* 0: EMU_REORDER_NS */
    struct {               /* Gilbert-Elliott loss, in bursts; p = 0: off */
        uint32_t p_ppm;    /* good → bad, per frame */
        uint32_t r_ppm;    /* bad → good, per frame */
        uint32_t bad_ppm;  /* loss while bad (netem's 1-h) */
        uint32_t good_ppm; /* loss while good (netem's 1-k) */
    } ge;
    w_ns cut_every_ns, cut_for_ns; /* down for the last `for` of every `every`; 0: never */
    uint32_t mtu; /* IP packets bigger than this that may not be cut are dropped; 0: no such hop */
    bool has_too_big;     /* … and their sender is told, where emu_set_back says how */
    uint64_t ecn_bytes;   /* queue at or above which ECN-capable IP packets are marked CE; 0: off */
    uint32_t aqm;         /* AQM_FIFO, AQM_CODEL or AQM_FQ_CODEL; not the first: needs a rate */
    uint32_t target_us;   /* CoDel's; 0: 5,000 */
    uint32_t interval_us; /* CoDel's; 0: 100,000 */
};

enum { EMU_LIMIT_PKTS = 1000, EMU_REORDER_NS = 1000000, EMU_ERR_TEXT = 160 };

/* name, text. The first group are the ends a frame can come to. */
#define EMU_COUNTERS(X)                                                                            \
    X(DELIVERED, "delivered")                                                                      \
    X(DROP_LIMIT, "dropped: queue full")                                                           \
    X(DROP_AQM, "dropped: queue too slow")                                                         \
    X(DROP_LOSS, "dropped: loss")                                                                  \
    X(DROP_MTU, "dropped: bigger than the MTU")                                                    \
    X(DROP_CUT, "dropped: link down")                                                              \
    X(DROP_FLIGHT, "dropped: too many in flight")                                                  \
    X(DROP_FLUSH, "dropped: emulator closed")                                                      \
    X(PUSHED, "given")                                                                             \
    X(DUP, "duplicated")                                                                           \
    X(DUP_NOMEM, "not duplicated: no memory")                                                      \
    X(CORRUPT, "corrupted")                                                                        \
    X(CORRUPT_NOMEM, "not corrupted: no memory")                                                   \
    X(REORDER, "reordered")                                                                        \
    X(ECN_MARK, "marked CE")                                                                       \
    X(TOO_BIG, "answered: too big")

enum emu_counter {
#define X(name, text) EMU_##name,
    EMU_COUNTERS(X)
#undef X
        EMU_N_COUNTERS
};

/* Who is told of frames that the link drops, but for those freed at its end. p is only lent. */
struct emu_watch {
    void (*dropped)(void *ctx, w_ns now, enum emu_counter why, const struct pkt *p);
    void *ctx;
};

/* A frame in flight. The caller provides an array of them. */
struct emu_slot {
    w_ns at;      /* arrival at the far end */
    uint64_t seq; /* ties arrive in the order sent */
    struct pkt *p;
};

struct emu {
    struct emu_conf conf;
    struct rng rng;
    uint64_t count[EMU_N_COUNTERS];
    w_ns now;      /* of the last call */
    w_ns epoch;    /* of emu_init: cuts count from here */
    w_ns busy;     /* the link is occupied until then */
    uint64_t frac; /* of a nanosecond beyond `busy`, in 1/rate_bps */
    w_ns last_at;  /* latest arrival so far of a frame not held back */
    uint64_t seq;
    struct pkt *head, *tail; /* the queue; p->when is when the last bit leaves */
    struct aqm aqm;          /* with a discipline all of it but the frame on the link, head */
    struct aqm_flow flow[AQM_FLOWS + 1];
    uint16_t flow_heap[AQM_FLOWS + 2];
    struct hash_key flow_key; /* so that nobody can aim at a flow's queue */
    uint32_t n_queued;
    uint64_t queued_bytes;
    uint32_t queued_max;    /* high-water mark, packets */
    bool is_bad;            /* Gilbert-Elliott's state */
    bool is_down;           /* by emu_set_down */
    struct emu *back;       /* the other direction, for answers; NULL: none */
    struct emu_watch watch; /* by the owner, after emu_init; dropped NULL: nobody */
    struct emu_slot *slot;  /* binary heap by (at, seq); the caller's memory */
    uint32_t n_flight, max_flight;
};

/* `slot[n_slots]` stays the caller's and is used until emu_flush; n_slots bounds what is in flight
 * (rate × delay in frames, and some; two more per frame duplicated). `conf` is copied. */
void emu_init(struct emu *, const struct emu_conf *conf, struct rng rng, struct emu_slot *slot,
              uint32_t n_slots, w_ns now);
/* New conditions for the frames that leave the queue from now on. */
void emu_set_conf(struct emu *, const struct emu_conf *conf, w_ns now);
/* The other direction of the link: a hop that tells senders what is too big does so through it, on
 * time and whatever else happens there. It must live as long. */
static inline void emu_set_back(struct emu *e, struct emu *back) { e->back = back; }
/* Pulls the cable, or plugs it in again: frames leaving the queue while it is out are dropped. */
void emu_set_down(struct emu *, bool is_down, w_ns now);
/* Takes p, whatever happens to it. p is one wire frame: never a super-segment (asserted).
 * O(log in flight), and the frames that have left the queue since the last call. */
void emu_push(struct emu *, w_ns now, struct pkt *p);
/* Up to max frames that have arrived by now, in order of arrival, the caller's; p->when is the
 * arrival. Fewer than max: none is left. */
unsigned emu_pop(struct emu *, w_ns now, struct pkt **v, unsigned max);
/* When to pop next: never after the next arrival, before it only if jitter or loss decide so.
 * W_NEVER when it is empty. O(1). */
w_ns emu_next(const struct emu *);
/* Frees everything inside, counted. */
void emu_flush(struct emu *);
/* Frames inside: PUSHED + DUP = the ends (DELIVERED … DROP_FLUSH) + this. Always. */
uint64_t emu_inside(const struct emu *);
/* The text of a counter, for people. */
const char *emu_counter_text(enum emu_counter);

/* Reads netem's vocabulary, words in any order:
 *
 *   delay TIME [JITTER]    jitter TIME        rate RATE [overhead BYTES]
 *   limit PACKETS|BYTESb   loss PERCENT       loss gemodel P [R [1-H [1-K]]]
 *   reorder PERCENT [TIME] duplicate PERCENT  corrupt PERCENT
 *   cut every TIME for TIME                   ecn BYTES
 *   mtu BYTES [icmp]                          bigger packets vanish, or their sender is told
 *   aqm fifo|codel|fq_codel [target TIME] [interval TIME]
 *
 * TIME 5ms 1.5s 200us 80ns; RATE 20mbit 1.5gbit 125kbit, or bytes: 2mbps; PERCENT 0.1%; sizes 64kb
 * 1mb 1500b (k = 1024, as tc has it). 0 and *out filled; or -EINVAL, *out untouched, and err holds
 * a sentence naming the bad word and what was expected there. `err` has EMU_ERR_TEXT bytes. */
WEIR_MUST_CHECK int emu_parse(const char *text, struct emu_conf *out, char *err);

#endif
