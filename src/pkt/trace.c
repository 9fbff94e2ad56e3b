/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of a trace: written at one end, read at the other, the oldest overwritten.
 *
 * Owns the ring. n_written and n_read count for ever: their difference is what waits. Called by
 * every room through env_trace, by stack/ for the owner.
 *
 * Invariant: n_read <= n_written <= n_read + cap.
 */
#include "pkt/trace.h"

#include "pkt/drop.h"

static const char *const kind_names[] = {
#define TRACE(name, text) #name,
#include <weir/trace.def>
};
static const char *const kind_texts[] = {
#define TRACE(name, text) text,
#include <weir/trace.def>
};
static const char *const why_names[] = {
#define WHY(name, text) #name,
#include <weir/trace.def>
};
static const char *const why_texts[] = {
#define WHY(name, text) text,
#include <weir/trace.def>
};

void trace_init(struct trace *t, struct arena *a, uint32_t cap)
{
    *t = (struct trace){.cap = cap};
    if (cap != 0)
        t->ring = arena_take(a, cap * sizeof *t->ring, WEIR_CACHELINE);
}

struct weir_trace *trace_add(struct trace *t, w_ns now, enum weir_trace_kind kind)
{
    struct weir_trace *r = &t->ring[t->n_written++ % t->cap];
    if (t->n_written - t->n_read > t->cap) {
        t->n_read++;
        t->n_lost++;
    }
    *r = (struct weir_trace){.at = now, .kind = (uint8_t)kind};
    return r;
}

size_t trace_read(struct trace *t, struct weir_trace *v, size_t max)
{
    size_t n = 0;
    while (n < max && t->n_read != t->n_written)
        v[n++] = t->ring[t->n_read++ % t->cap];
    return n;
}

const char *weir_trace_name(unsigned k) { return k < WEIR_T_N ? kind_names[k] : "?"; }
const char *weir_trace_text(unsigned k) { return k < WEIR_T_N ? kind_texts[k] : "?"; }
const char *weir_why_name(unsigned w) { return w < WEIR_WHY_N ? why_names[w] : "?"; }
const char *weir_why_text(unsigned w) { return w < WEIR_WHY_N ? why_texts[w] : "?"; }
const char *weir_trace_drop_name(unsigned d) { return drop_name((enum drop)d); }
const char *weir_trace_drop_text(unsigned d) { return drop_text((enum drop)d); }
