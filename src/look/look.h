/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking back at stacks through the records of their traces (<weir/trace.h>): frames of a capture
 * with what is known of them, in words.
 *
 * A look follows up to LOOK_HOSTS stacks at once. Its owner shows it each frame at the border of
 * stack and device, and gives it every record; it gives each frame back with a comment as soon as
 * its story is over: what was sent when the device is done with it, what came when the stack has
 * taken it in. Frames keep their order. What the stack drops before it reaches the device appears
 * too, with as many bytes as can be told from the records.
 */
#ifndef WEIR_LOOK_H
#define WEIR_LOOK_H

#include "base/base.h"

#include <stdio.h>
#include <weir/trace.h>

enum { LOOK_HOSTS = 16, LOOK_TEXT = 1024 };

struct pkt;

/* A frame and its story. */
struct look_shown {
    unsigned host;
    w_ns at;
    bool is_out; /* sent, or dropped on the way out */
    const uint8_t *bytes;
    uint32_t n, len; /* bytes that are there, 0: none; of the whole */
    const char *comment;
};

struct look_conf {
    /* Given each frame; everything in it is only lent. NULL: nobody wants frames. */
    void (*frame)(void *ctx, const struct look_shown *);
    /* Given each record that look_drain reads; NULL: nobody wants them. */
    void (*record)(void *ctx, unsigned host, const struct weir_trace *);
    void *ctx;
    bool is_l3; /* frames begin with the IP header */
    FILE *file; /* look_drain writes records here, a trace file; NULL: nowhere */
};

struct look;
struct weir;
/* NULL: no memory. */
struct look *look_new(const struct look_conf *);
/* Gives out what it still has, and ends. NULL is fine. */
void look_free(struct look *);
/* The next record of this host (below LOOK_HOSTS); those of one host in their order. */
void look_record(struct look *, unsigned host, const struct weir_trace *);
/* All that the trace of this host's stack holds by now. */
void look_drain(struct look *, unsigned host, struct weir *);
/* A frame that this host sends (after the records of its way down, before those of what becomes of
 * it), or that reached it (before any record of it). p is only lent. */
void look_frame(struct look *, w_ns now, unsigned host, bool is_out, const struct pkt *p);
/* The emulated link drops a frame, sent (is_out) or on its way to this host: shown at its time as a
 * frame without bytes, so that nobody takes it for one that came. why: "loss". */
void look_lost(struct look *, w_ns now, unsigned host, bool is_out, const struct pkt *p,
               const char *why);
/* What became of the frame this host sent last, as only the network knows: "lost on the link". */
void look_add_note(struct look *, unsigned host, const char *note);
/* Every host's records have been given up to now, and no received frame is on its way up. */
void look_settle(struct look *, w_ns now);

/* ---- figures for people; each returns `out` ---- */

enum { LOOK_FIGURE = 32, LOOK_END = 64 };
/* "820 ns", "12.3 µs", "4.567 ms", "1.200 s". */
const char *look_time(char out[LOOK_FIGURE], uint64_t ns);
/* "1 byte", "9758 bytes", "16.4 KB", "3347 KB": a KB is 1,000 bytes. */
const char *look_bytes(char out[LOOK_FIGURE], uint64_t n);
/* "10.0.0.1:7000", "[fd00::1]:7000"; IPv4 is ::ffff:a.b.c.d. */
const char *look_addr(char out[LOOK_END], const uint8_t ip[16], unsigned port);

#endif
