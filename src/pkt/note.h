/* SPDX-License-Identifier: Apache-2.0
 *
 * Notes: what a socket is told beside its data, for recvmsg(MSG_ERRQUEUE) to take. An ICMP error
 * about one of its packets, the time at which something of it left, the end of a MSG_ZEROCOPY send.
 *
 * A note is a packet of the stack's memory: struct note at its front, then the bytes it is about.
 * So notes are bounded as datagrams are: what a socket's queue pins stays below its receive buffer,
 * and none is made when packet memory is low. Losing one is counted, never an error: Linux's error
 * queue loses them in the same way.
 */
#ifndef WEIR_NOTE_H
#define WEIR_NOTE_H

#include "pkt/env.h"

/* Linux's ee_origin (linux/errqueue.h). */
enum note_origin {
    NOTE_LOCAL = 1,
    NOTE_ICMP = 2,
    NOTE_ICMP6 = 3,
    NOTE_STAMP = 4,
    NOTE_ZEROCOPY = 5,
};
/* info of a NOTE_STAMP: what happened then (SCM_TSTAMP_…). */
enum note_stamp { NOTE_SND = 0, NOTE_SCHED = 1, NOTE_ACK = 2 };
enum { NOTE_COPIED = 1 }; /* code of a NOTE_ZEROCOPY: the bytes were copied after all */

struct note {
    w_ns when;           /* 0: tells no time */
    struct addr dst;     /* where the packet went, any: not told */
    struct addr from;    /* who reports the error; of a stamp, the packet's source */
    uint32_t info, data; /* ee_info, ee_data */
    uint16_t port;       /* of dst */
    uint16_t err;        /* errno, positive */
    uint8_t origin, type, code, nif;
};

struct noteq {
    struct pktq q;
    uint32_t bytes; /* memory they pin */
};

/* A note to which bytes may be appended. NULL: memory is low, counted. */
WEIR_MUST_CHECK struct pkt *note_new(struct env *, const struct note *);
/* Appends at most max bytes of `of` from offset `at` on; what finds no memory is left out. */
void note_quote(struct pkt *note, const struct pkt *of, uint32_t at, uint32_t max);
/* Owns p. False: the queue would pin limit bytes or more; counted, p is gone. */
bool note_push(struct env *, struct noteq *, struct pkt *p, uint32_t limit);
/* The oldest, still queued, or the newest; NULL: none. */
const struct note *note_first(const struct noteq *);
struct note *note_last(struct noteq *);
/* Takes the oldest: *out, up to n of its bytes into `to`, *full: how many it has. False: none. */
bool note_take(struct noteq *, struct note *out, void *to, size_t n, uint32_t *full);
void note_free_all(struct noteq *);

static inline bool note_is_icmp(const struct note *n)
{
    return n->origin == NOTE_ICMP || n->origin == NOTE_ICMP6;
}

#endif
