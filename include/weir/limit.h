/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a connection is not faster: each nanosecond of its life is charged to exactly one limiter.
 *
 * A stack made with tcp_why 1 (or n_trace > 0) keeps these sums; else nothing does, and asking
 * answers -ENODATA. The rules by which a moment is charged stand in src/tcp/limit.c and, for
 * users, in docs/why.md. Keeping them changes nothing of what a stack does.
 *
 * The answer is about sending, our side of the connection. While a connection that has received
 * more than it sent has nothing to send, it is about receiving: WEIR_LIMIT_APP_READ, _PEER_SEND.
 */
#ifndef WEIR_LIMIT_H
#define WEIR_LIMIT_H

#include <weir/weir.h>

#ifdef __cplusplus
extern "C" {
#endif

enum weir_limit {
#define LIMIT(name, text, waiting, advice) WEIR_LIMIT_##name,
#include <weir/limit.def>
    WEIR_LIMIT_N
};

struct weir_limits {
    struct weir_addr local, peer;
    weir_ns begun; /* the SYN was sent, or the handshake of an accepted one was through */
    weir_ns life;  /* since then, at most until it was closed */
    weir_ns ns[WEIR_LIMIT_N]; /* by enum weir_limit; adds up to life */
    uint8_t now;              /* enum weir_limit: the present moment's */
    uint8_t state;            /* Linux's tcpi_state */
    bool is_receiver;         /* more bytes came in than went out */
    /* What the limits are at this moment; sizes in bytes. */
    uint64_t bytes_out, bytes_in; /* sent once or more often; received in order */
    uint64_t bytes_rtx;           /* of bytes_out, repetitions */
    uint64_t pacing_Bps;          /* 0: not paced */
    uint32_t mss, cwnd, ssthresh, flight;
    uint32_t snd_wnd, snd_wnd_max; /* the peer's window, the largest it ever was */
    uint32_t rcv_wnd, rcvbuf;      /* ours as announced; SO_RCVBUF */
    uint32_t sndq, sndbuf;         /* bytes kept to send or to repeat; SO_SNDBUF */
    uint32_t srtt_us, min_rtt_us;  /* 0: not known */
    uint32_t n_rto;                /* timeouts */
};

/* 0; -EBADF, -EOPNOTSUPP (no stream), -ENOTCONN (listens, or never connected), -ENODATA (the stack
 * keeps no such sums). */
int weir_limits(struct weir *, weir_ns now, weir_sock, struct weir_limits *out);
/* Walks all connections, those included that no socket holds any more: *cursor starts at 0; false
 * at the end. */
bool weir_limits_next(struct weir *, weir_ns now, uint64_t *cursor, struct weir_limits *out);

/* The device of an interface has no room (true): frames that weir_tx gave out wait with their
 * owner; or it has again (false). Only for these sums; whoever never says so has no time charged to
 * the TX ring. */
void weir_device_full(struct weir *, weir_ns now, unsigned nif, bool is_full);

/* "peer's window"; "waiting for …"; "try …". Never NULL; "?" for unknown numbers. */
const char *weir_limit_name(unsigned limit);
const char *weir_limit_waiting(unsigned limit);
const char *weir_limit_advice(unsigned limit);

#ifdef __cplusplus
}
#endif

#endif
