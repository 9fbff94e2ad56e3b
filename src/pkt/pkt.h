/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets and payload blocks, and the memory they come from.
 *
 * A packet has a linear part, in which headers are pushed and pulled in place, and up to PKT_FRAGS
 * fragments that point into counted payload blocks. Exactly one owner: passing a packet gives it
 * away. Packets are not counted, blocks are; there are no clones.
 *
 *     linear: |..headroom..|headers, small payload|..tailroom..|   then frag[0], frag[1], …
 *             head         head+off        head+off+lin    head+cap
 *
 * Offsets l3, l4, pay count from `head`, so that pushing and pulling does not move them.
 *
 * Everything is freed to the memory it came from, wherever it ends up: a packet may be freed by
 * another stack of the same thread. Reference counts are plain integers: one thread.
 */
#ifndef WEIR_PKT_H
#define WEIR_PKT_H

#include "base/addr.h"
#include "base/pool.h"

enum {
    PKT_FRAGS = 6,
    PKT_LINEAR = 320,    /* bytes of the linear part */
    PKT_HEADROOM = 128,  /* of it kept free before a packet that is built here: Ethernet + VLAN +
                           IPv6 + TCP with all options fit */
    PKT_RX_LINEAR = 256, /* of a received packet, at most so much lies in the linear part */
    BLK_SMALL = 2048,
    BLK_BIG = 16384,
};

struct pktmem;

/* A payload block. */
struct blk {
    uint32_t refs;
    uint32_t cap, used; /* used: filled by its writer from 0; bytes before it never change */
    uint32_t idx;
    struct pktmem *home;
    uint8_t *mem;
    struct blk *next; /* for whoever keeps blocks in a queue */
    uint64_t dma;     /* bus address, for devices */
    uint64_t user;    /* for whoever keeps blocks in a queue */
};
_Static_assert(sizeof(struct blk) <= 64, "blk is one line");

struct frag {
    struct blk *b;
    uint32_t off, len;
};

/* What is known of the transport checksum. */
enum pkt_csum {
    CSUM_NONE, /* received: not verified; to send: complete already, or none wanted */
    CSUM_TODO, /* to send: the pseudo-header's sum stands in the field at csum_start + csum_at, the
                  rest is to be summed from csum_start on */
    CSUM_GOOD, /* received: the device vouches for it */
};

enum pkt_tflag {
    PKT_ACE = 1, /* to send: the flags AE, CWR, ECE are a counter, the same in each piece */
};

struct pkt {
    /* line 0: what every layer touches */
    struct pkt *next; /* the owner's list */
    uint8_t *head;
    uint32_t len; /* whole packet, linear and fragments */
    uint16_t off, lin;
    uint16_t cap, l3, l4, pay;
    uint8_t nfrag, origin, csum, ecn; /* csum: enum pkt_csum; ecn: the IP header's two bits */
    uint16_t csum_start, csum_at;     /* csum_start from head, csum_at from csum_start */
    uint16_t gso_size, gso_segs;      /* super-segment: payload bytes a piece, pieces; 0: is none */
    uint32_t hash;
    w_ns when;          /* received: arrival. To send: earliest departure, 0: now */
    uint32_t owner;     /* to send: connection to credit, tcb index, 0: nobody */
    uint16_t nif, drop; /* interface it came by; enum drop, once decided */
    /* lines 1, 2: payload */
    WEIR_ALIGNED_LINE struct frag frag[PKT_FRAGS];
    struct pktmem *home;
    uint32_t idx;
    uint32_t truesize;     /* received: memory it pins. Handed out to be sent: payload bytes, for
                               which its owner gets credit even if the payload has moved on */
    uint32_t seq, end_seq; /* the transport's, while it queues the packet */
    uint64_t user;
    /* line 3: who talks to whom, and what ICMP should say about it */
    WEIR_ALIGNED_LINE struct flow flow; /* as this host sees it */
    uint8_t icmp_type, icmp_code, ttl, tos;
    uint32_t icmp_arg;     /* MTU, pointer: the error's second word */
    uint32_t tflags, tack; /* the transport's: enum pkt_tflag */
    w_ns sent_at;
};
_Static_assert(offsetof(struct pkt, frag) == 64, "pkt line 0");
_Static_assert(sizeof(struct pkt) == 256, "pkt is four lines");

/* The packet memory of one stack. */
struct pktmem {
    struct pool pkts;                 /* struct pkt + PKT_LINEAR */
    struct pool small_blks, big_blks; /* struct blk */
    uint8_t *small_mem, *big_mem;
    uint64_t no_pkt, no_blk; /* refusals */
};

struct pktmem_conf {
    uint32_t n_pkt, n_blk_small, n_blk_big;
};
void pktmem_init(struct pktmem *, struct arena *, const struct pktmem_conf *);

/* Whether less than a quarter of the packets or of the blocks is left: then what can be refused
 * is, so that what is needed to make progress (a segment that fills a hole, an ACK) finds room. */
static inline bool pktmem_is_low(const struct pktmem *m)
{
    uint32_t blks = m->small_blks.cap + m->big_blks.cap;
    uint32_t blks_free = pool_free_count(&m->small_blks) + pool_free_count(&m->big_blks);
    return pool_free_count(&m->pkts) < m->pkts.cap / 4 || blks_free < blks / 4;
}

/* Whether less than a sixteenth is left: then what can be had again is given up. */
static inline bool pktmem_is_scarce(const struct pktmem *m)
{
    uint32_t blks = m->small_blks.cap + m->big_blks.cap;
    uint32_t blks_free = pool_free_count(&m->small_blks) + pool_free_count(&m->big_blks);
    return pool_free_count(&m->pkts) < m->pkts.cap / 16 || blks_free < blks / 16;
}

/* ---- blocks ---- */

/* A block with refs == 1: small when want <= BLK_SMALL, else big; the other size when that kind has
 * run out. NULL: no memory. */
WEIR_MUST_CHECK struct blk *blk_new(struct pktmem *, size_t want);
void blk_free_(struct blk *); /* the last reference is gone */
static inline struct blk *blk_ref(struct blk *b)
{
    b->refs++;
    return b;
}
static inline void blk_unref(struct blk *b)
{
    WEIR_CHECK(b->refs > 0);
    if (--b->refs == 0)
        blk_free_(b);
}

/* ---- packets ---- */

/* An empty packet to build: off = PKT_HEADROOM, all else 0. NULL: no memory, counted. */
WEIR_MUST_CHECK struct pkt *pkt_new(struct pktmem *);
/* A received packet, copied: up to PKT_RX_LINEAR bytes linear from head, the rest in blocks.
 * NULL: no memory, or n > 65535 + 64. */
WEIR_MUST_CHECK struct pkt *pkt_from_bytes(struct pktmem *, const uint8_t *, size_t n);
void pkt_free(struct pkt *);
/* A list linked by ->next. */
void pkt_free_list(struct pkt *);

static inline uint8_t *pkt_data(const struct pkt *p) { return p->head + p->off; }
static inline uint8_t *pkt_at(const struct pkt *p, uint32_t from_head)
{
    return p->head + from_head;
}
static inline uint32_t pkt_headroom(const struct pkt *p) { return p->off; }
static inline uint32_t pkt_tailroom(const struct pkt *p)
{
    return p->nfrag != 0 ? 0 : (uint32_t)(p->cap - p->off - p->lin);
}
/* n more bytes in front; asserts that the headroom has them. Returns the new first byte. */
static inline uint8_t *pkt_push(struct pkt *p, uint32_t n)
{
    WEIR_ASSERT(n <= p->off);
    p->off = (uint16_t)(p->off - n);
    p->lin = (uint16_t)(p->lin + n);
    p->len += n;
    return p->head + p->off;
}
/* n bytes of the linear part off the front. */
static inline void pkt_pull(struct pkt *p, uint32_t n)
{
    WEIR_ASSERT(n <= p->lin);
    p->off = (uint16_t)(p->off + n);
    p->lin = (uint16_t)(p->lin - n);
    p->len -= n;
}
/* n <= len bytes off the front, through fragments too. */
void pkt_pull_any(struct pkt *, uint32_t n);
/* Cuts the tail so that newlen <= len bytes stay; fragments beyond give up their reference. */
void pkt_trim(struct pkt *, uint32_t newlen);
/* A fragment at the end; takes its own reference to b. False: all PKT_FRAGS are in use. A fragment
 * that continues the last one is merged with it. */
WEIR_MUST_CHECK bool pkt_add_frag(struct pkt *, struct blk *b, uint32_t off, uint32_t len);
/* All of it into the linear part, where it fits there; what is in front of its first byte is lost.
 * Its blocks are then free for others. */
void pkt_pack(struct pkt *);
/* Copies up to n bytes from offset `from` (0: first byte of the packet); returns how many. */
uint32_t pkt_copy_out(const struct pkt *, uint32_t from, void *dst, uint32_t n);
/* Copies n bytes to the end: into the tailroom, a block, or both. False: no memory or no room, the
 * packet is then unchanged. */
WEIR_MUST_CHECK bool pkt_append_copy(struct pkt *, const void *, uint32_t n);
/* The same packet in another stack's memory: linear part and what describes it copied, fragments
 * moved. `from` stays the caller's, linear part only (len = lin). What only `from`'s stack can read
 * (owner, nif, drop, flow, the transport's fields) is 0. NULL: no memory, from unchanged. */
WEIR_MUST_CHECK struct pkt *pkt_adopt(struct pktmem *to, struct pkt *from);
/* A copy that shares nothing; its owner and user are 0. NULL: no memory. */
WEIR_MUST_CHECK struct pkt *pkt_copy(struct pktmem *, const struct pkt *);
/* Memory it pins: the slot, and of each block what this packet uses, at least a small block. */
uint32_t pkt_truesize(const struct pkt *);
/* Asserts what must always hold (in builds with WEIR_CHECKS). */
void pkt_check(const struct pkt *);

/* ---- a queue of packets, first in first out ---- */
struct pktq {
    struct pkt *first, *last;
    uint32_t n, bytes; /* packets; sum of their len when pushed */
};
static inline void pktq_push(struct pktq *q, struct pkt *p)
{
    p->next = NULL;
    if (q->first == NULL)
        q->first = p;
    else
        q->last->next = p;
    q->last = p;
    q->n++;
    q->bytes += p->len;
}
static inline struct pkt *pktq_pop(struct pktq *q)
{
    struct pkt *p = q->first;
    if (p == NULL)
        return NULL;
    q->first = p->next;
    if (q->first == NULL)
        q->last = NULL;
    q->n--;
    q->bytes -= p->len;
    p->next = NULL;
    return p;
}
static inline void pktq_free(struct pktq *q)
{
    pkt_free_list(q->first);
    *q = (struct pktq){0};
}

#endif
