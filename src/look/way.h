/* SPDX-License-Identifier: Apache-2.0
 *
 * The journey of chosen bytes of a stream: from a program's write() on one host through every layer
 * to the other program's read(), found in the records of both hosts (or of the one there is).
 */
#ifndef WEIR_LOOK_WAY_H
#define WEIR_LOOK_WAY_H

#include "look/file.h"

/* One direction of a connection, as its sender's records tell it. */
struct look_stream {
    unsigned host; /* … of the sender, or with is_far: of the receiver, the only one recorded */
    uint32_t conn;
    struct weir_trace_end from, to;
    uint32_t iss;   /* its first byte is iss + 1 */
    uint64_t bytes; /* as far as they were seen */
    bool is_far;
    unsigned peer_host; /* the other end's records, if peer_conn is not 0 */
    uint32_t peer_conn;
};

enum { LOOK_STREAMS = 256 };
/* The streams of a log that carried bytes, at most LOOK_STREAMS; both directions. How many. */
unsigned look_streams(const struct look_log *, struct look_stream out[LOOK_STREAMS]);
/* Its address and port; returns out. */
const char *look_end(char out[LOOK_END], const struct weir_trace_end *);

enum look_layer { LOOK_SOCKET, LOOK_TCP, LOOK_QUEUE, LOOK_DRIVER, LOOK_NIC, LOOK_LAYERS };
const char *look_layer_name(enum look_layer);

/* What happened to the chosen bytes, or to a packet with some of them. */
struct look_event {
    uint64_t at, until;         /* until: the next thing happens to the same; 0: not known */
    const struct weir_trace *r; /* in the log */
    unsigned host;
    enum look_layer layer;
    bool is_up;
    uint32_t first, n; /* bytes of the stream it is about, from 0; n 0: none of them */
    uint32_t nth;      /* SEND: the how manieth time these bytes are sent, from 1 */
};

struct look_way {
    struct look_stream stream;
    uint32_t first, n; /* bytes chosen */
    struct look_event *v;
    size_t n_events, cap;
};

/* The journey of n bytes from `first` on. The log stays as it is while the way is used. 0 or
 * -ENOMEM. */
WEIR_MUST_CHECK int look_way_find(struct look_way *, const struct look_log *,
                                  const struct look_stream *, uint32_t first, uint32_t n);
void look_way_free(struct look_way *);
/* A sentence about an event. Returns out. */
enum { LOOK_SENTENCE = 160 };
const char *look_way_text(char out[LOOK_SENTENCE], const struct look_event *);

/* As a table for people. */
void look_way_print(const struct look_way *, FILE *);
/* As a trace that chrome://tracing and ui.perfetto.dev show (Trace Event Format, JSON): a process
 * for each host, a thread for each layer, counters for buffers. */
void look_way_json(const struct look_way *, const struct look_log *, FILE *);

#endif
