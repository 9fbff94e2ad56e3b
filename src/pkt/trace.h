/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring that the records of <weir/trace.h> are written into: the one place where a room says
 * what it does to whoever wants to see it. Rooms write, only the stack's owner reads.
 */
#ifndef WEIR_PKT_TRACE_H
#define WEIR_PKT_TRACE_H

#include "base/arena.h"
#include "base/base.h"

#include <weir/trace.h>

struct trace {
    struct weir_trace *ring;
    uint32_t cap; /* 0: nobody wants to see anything */
    uint64_t n_written, n_read, n_lost;
};

void trace_init(struct trace *, struct arena *, uint32_t cap);
/* A record to be filled, all 0 but for time and kind; cap must not be 0. */
struct weir_trace *trace_add(struct trace *, w_ns now, enum weir_trace_kind);
size_t trace_read(struct trace *, struct weir_trace *v, size_t max);

#endif
