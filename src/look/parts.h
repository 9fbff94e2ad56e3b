/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to look/: what is known of a packet while it lives, and of a connection.
 */
#ifndef WEIR_LOOK_PARTS_H
#define WEIR_LOOK_PARTS_H

#include "look/look.h"

/* Text that ends in good order when its room does. */
struct look_text {
    size_t n;
    char s[LOOK_TEXT];
};
__attribute__((format(printf, 2, 3))) void look_say(struct look_text *, const char *fmt, ...);

enum { LOOK_WRITES = 128 };

struct look_conn {
    uint32_t id; /* 0: nobody */
    struct weir_trace_end local, remote;
    uint32_t iss, irs;
    uint32_t ack;           /* the highest that came, once one has */
    uint32_t n_fast, n_dup; /* fast retransmits of this recovery; ACKs that repeat */
    bool has_ack;
    unsigned n_wrote; /* in all; the last LOOK_WRITES are kept */
    struct look_wrote {
        uint32_t seq, end;
        uint64_t at;
    } wrote[LOOK_WRITES];
};

/* A packet on its way down; kept by its number, which is used again. */
struct look_down {
    struct weir_trace send;               /* kind 0: nobody's segment */
    struct look_conn *conn;               /* … its connection, NULL: not known */
    uint32_t nth;                         /* FAST_RTX: the how manieth of this recovery */
    uint64_t written_at;                  /* its first byte's, 0: not known */
    uint64_t queued_at, left_at, sent_at; /* 0: not yet */
    /* With a NIC: on its ring; its first bytes in the FIFO, its last bit on the wire so far. */
    uint64_t posted_at, fetched_at, wired_at;
    uint32_t desc, queue; /* while posted_at is not 0: what the NIC calls it */
    uint32_t q_used, q_max;
    uint32_t bytes, cut; /* as queued; payload bytes of it that are cut off already */
};

/* A frame that came. */
struct look_up {
    struct weir_trace seg; /* kind 0: TCP has not seen it as a connection's */
    struct look_conn *conn;
    uint32_t acked, n_dup; /* bytes it acknowledges anew; the how manieth to repeat an ACK */
    uint32_t kept, ahead, ahead_at, rcvq, rcvq_max;
    bool is_merged;
    /* With a NIC: the last bit in the FIFO, in the host's memory, found by the driver; or 0. */
    uint64_t arrived_at, stored_at, polled_at;
};

/* card.c: the records of a host's NIC and its driver, which name a packet by its descriptor. */
struct look_card;
/* NULL: no memory. free() ends it. */
struct look_card *look_card_new(void);
/* The packet of POST, FETCH, WIRE or POLL; 0: not known. */
uint32_t look_card_packet(const struct look_card *, const struct weir_trace *);
/* What POST, FETCH or WIRE says of its packet. */
void look_card_down(struct look_card *, const struct weir_trace *, struct look_down *);
/* Keeps what ARRIVE or STORE says until POLL says of which packet. */
void look_card_keep(struct look_card *, const struct weir_trace *);
void look_card_up(const struct look_card *, const struct weir_trace *poll, struct look_up *);

/* say.c: the comments. drop 0: it was not dropped. */
void look_say_down(struct look_text *, const struct look_down *, unsigned drop);
void look_say_up(struct look_text *, const struct look_up *, unsigned drop);

/* ghost.c: the headers of a segment whose bytes are gone, as far as its SEND tells them. Returns
 * how many bytes (at most LOOK_GHOST), 0 when nothing is known of it. */
enum { LOOK_GHOST = 14 + 40 + 20 };
uint32_t look_ghost(const struct look_down *, bool is_l3, uint8_t out[LOOK_GHOST]);

#endif
