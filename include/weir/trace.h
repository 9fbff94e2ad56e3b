/* SPDX-License-Identifier: Apache-2.0
 *
 * The trace of a stack: what happened to each packet, byte and connection, and why.
 *
 * A stack made with n_trace > 0 writes records of one size into a ring of that many; its owner
 * reads them with weir_trace_read, as often as it likes. What is not read in time is overwritten,
 * oldest first, and counted. A trace changes nothing of what a stack does, and with n_trace 0 costs
 * one branch where a record would be written.
 *
 * To follow bytes: records of a connection name them by sequence number (seq, len); records of the
 * layers below name the packet (pkt), whose SEND or CUT record came before. pkt is unique among the
 * packets alive in one stack, and used again later.
 */
#ifndef WEIR_TRACE_H
#define WEIR_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum weir_trace_kind {
#define TRACE(name, text) WEIR_T_##name,
#include <weir/trace.def>
    WEIR_T_N
};

/* Why a segment was sent. */
enum weir_why {
#define WHY(name, text) WEIR_WHY_##name,
#include <weir/trace.def>
    WEIR_WHY_N
};

/* The state of a connection when a record was written; all sizes in bytes. Windows are unscaled. */
struct weir_trace_tcp {
    uint32_t cwnd, ssthresh;
    uint32_t flight;           /* SND.NXT - SND.UNA */
    uint32_t pipe;             /* of it, what is believed to be in the network */
    uint32_t snd_wnd, rcv_wnd; /* the peer's, ours as announced */
    uint32_t srtt_us, rto_us;
    uint32_t sndq, sndq_max; /* send buffer: bytes kept, SO_SNDBUF */
    uint32_t rcvq, rcvq_max; /* receive buffer: bytes unread, half of SO_RCVBUF */
    uint32_t below;          /* handed down and not yet sent by the device */
    uint8_t state;           /* Linux's tcpi_state */
    uint8_t recovery;        /* Linux's tcpi_ca_state: open disorder CWR recovery loss */
    uint8_t timer;           /* what the retransmission timer waits for: 0 RTO, 1 probe, 2 the
                                reordering window; WEIR_TRACE_NO_TIMER: it does not run */
    uint8_t n_rto;           /* timeouts since something was acknowledged */
};

enum { WEIR_TRACE_NO_TIMER = 255 };

/* An end of a connection: IPv4 as ::ffff:a.b.c.d. */
struct weir_trace_end {
    uint8_t addr[16];
    uint16_t port;
};

struct weir_trace_ends {
    struct weir_trace_end local, remote;
};

struct weir_trace {
    uint64_t at;        /* nanoseconds, the stack's clock */
    uint32_t conn;      /* the same in all records of one connection, 0: none */
    uint32_t pkt;       /* 0: none */
    uint8_t kind;       /* enum weir_trace_kind */
    uint8_t why;        /* SEND: enum weir_why. TIMER: 0 retransmission, 1 persist, 2 delayed ACK,
                           3 keepalive. LIMIT: enum weir_limit */
    uint16_t drop;      /* DROP: the reason, see weir_trace_drop_name */
    uint16_t nif;       /* interface, 0: none */
    uint16_t flags;     /* SEND, SEGMENT: TCP's */
    uint32_t seq, len;  /* bytes of the stream, as on the wire. Below TCP: 0, length of the packet.
                           OPEN: seq and ack are the initial sequence numbers, ours and theirs (0:
                           not known yet). Driver and NIC (POST … WIRE, ARRIVE … POLL): seq is
                           the number of the descriptor, on the way down of the one behind the
                           packet's last; flags is the queue, nif 0. One host has one such card */
    uint32_t ack;       /* SEND, SEGMENT. ARRIVE, STORE: the frame's number in the FIFO */
    uint32_t used, max; /* occupancy of the buffer it is about, its limit. WRITE, READ, KEEP,
                           AHEAD: bytes. QUEUE, LEAVE: packets. CUT: used is the whole's pkt, max
                           the piece's number from 0. MERGE: used is the pkt of the one before it.
                           SEGMENT: max is its window, in bytes. POST, POLL: entries of the ring.
                           FETCH, WIRE, ARRIVE, STORE: bytes of the FIFO. LIMIT: used is how long,
                           in microseconds */
    union {
        /* SEND, SEGMENT, WRITE, READ, KEEP, AHEAD, TIMER, LIMIT: before what it is about has
         * changed the connection, but for buffers */
        struct weir_trace_tcp tcp;
        struct weir_trace_ends ends; /* OPEN */
    };
};

struct weir;
/* Takes the oldest records, at most max, into v; returns how many. */
size_t weir_trace_read(struct weir *, struct weir_trace *v, size_t max);
/* Records overwritten before they were read, in all. */
uint64_t weir_trace_lost(const struct weir *);

/* Names ("SEND") and sentences ("TCP makes a segment"). Never NULL; "?" for unknown numbers. */
const char *weir_trace_name(unsigned kind);
const char *weir_trace_text(unsigned kind);
const char *weir_why_name(unsigned why);
const char *weir_why_text(unsigned why);
const char *weir_trace_drop_name(unsigned drop);
const char *weir_trace_drop_text(unsigned drop);

#ifdef __cplusplus
}
#endif

#endif
