/* SPDX-License-Identifier: Apache-2.0
 *
 * One write() followed down and up: the layers on paper, the numbers from the trace of a run.
 *
 * Two simulated hosts run the very stack that ships, each with driver, rings, DMA engine and card;
 * 1,448 bytes go from one program to the other, and 1,448 more later, so that the ACK of the first
 * is seen to come back. Every row is an event of weir trace's journey; IP and Ethernet, which take
 * no time of their own, are told from the length of the packet that they left behind. The picture
 * fails (1) if a layer is missing: then the trace, or the layer, is broken.
 *
 * Called by cmd_demo.c; calls sim/pair and look/way.
 */
#include "cli/demo_way.h"

#include "look/way.h"
#include "sim/pair.h"

#include <errno.h>
#include <string.h>

enum { BYTES = 1448, ETHERNET = 14, WHAT = 96, KINDS = 15 };

struct drawing {
    FILE *f;
    const struct look_way *way;
    unsigned host; /* the row before was of this one */
    unsigned n_rows;
    uint32_t segment; /* payload of the segment that goes down */
};

static void row(struct drawing *d, const struct look_event *e, const char *layer, const char *what)
{
    char took[LOOK_FIGURE] = "";
    if (d->n_rows != 0 && e->host != d->host)
        fprintf(d->f, "   │\n");
    if (d->n_rows == 0 || e->host != d->host)
        fprintf(d->f, "   ┌── host %u ───── at ───── lasts\n", e->host);
    d->host = e->host;
    d->n_rows++;
    if (e->until > e->at)
        (void)look_time(took, e->until - e->at);
    bool is_wide = strstr(took, "µ") != NULL; /* two bytes, one column */
    fprintf(d->f, "   %s %-9s %8.1f µs %*s  %s\n", e->is_up ? "▲" : "▼", layer,
            (double)(e->at - d->way->v[0].at) / 1e3, is_wide ? 11 : 10, took, what);
}

/* A bar of ten places: how full. */
static void bar(char out[WHAT], const char *what, const struct weir_trace *r, const char *unit)
{
    static const char *const full = "██████████", *const empty = "░░░░░░░░░░";
    const int place = 3; /* bytes of each */
    unsigned n = r->max == 0 ? 0 : (unsigned)(((uint64_t)r->used * 10 + r->max - 1) / r->max);
    n = n > 10 ? 10 : n;
    snprintf(out, WHAT, "%s %.*s%.*s %u/%u%s", what, (int)n * place, full, (int)(10 - n) * place,
             empty, r->used, r->max, unit);
}

/* What the headers add, from the length of the packet that has them all. */
static void headers(struct drawing *d, const struct look_event *e)
{
    char what[WHAT];
    uint32_t frame = e->r->len;
    snprintf(what, sizeof what, "packet of %u bytes: %u of headers and %u of the program's",
             frame - ETHERNET, frame - ETHERNET - d->segment, d->segment);
    row(d, e, "IP", what);
    snprintf(what, sizeof what, "frame of %u bytes, for the neighbour's MAC address", frame);
    row(d, e, "Ethernet", what);
}

static void draw_down(struct drawing *d, const struct look_event *e)
{
    char what[WHAT];
    const struct weir_trace *r = e->r;
    switch (r->kind) {
    case WEIR_T_WRITE:
        snprintf(what, sizeof what, "write(%u)", r->len);
        row(d, e, "file", what);
        bar(what, "send buffer", r, " bytes");
        row(d, e, "socket", what);
        break;
    case WEIR_T_SEND:
        d->segment = r->len;
        snprintf(what, sizeof what, "%s, bytes %u–%u, cwnd %u", weir_why_text(r->why), e->first,
                 e->first + e->n - 1, r->tcp.cwnd);
        row(d, e, "TCP", e->nth != 0 ? what : weir_why_text(r->why));
        break;
    case WEIR_T_QUEUE:
        headers(d, e);
        bar(what, "packets before it", r, "");
        row(d, e, "qdisc", what);
        break;
    case WEIR_T_LEAVE: row(d, e, "driver", "takes it: bus addresses into descriptors"); break;
    case WEIR_T_POST:
        bar(what, "TX ring", r, " descriptors; doorbell");
        row(d, e, "ring", what);
        break;
    case WEIR_T_FETCH:
        bar(what, "host memory → TX FIFO", r, " bytes");
        row(d, e, "DMA", what);
        break;
    case WEIR_T_WIRE: row(d, e, "NIC, wire", "checksum, CRC, preamble: the last bit is out"); break;
    default: row(d, e, "driver", "reclaims the descriptors: TCP has credit again"); break;
    }
}

static void draw_up(struct drawing *d, const struct look_event *e)
{
    char what[WHAT];
    const struct weir_trace *r = e->r;
    switch (r->kind) {
    case WEIR_T_ARRIVE:
        bar(what, "CRC is right; RX FIFO", r, " bytes");
        row(d, e, "wire, NIC", what);
        break;
    case WEIR_T_STORE:
        row(d, e, "DMA", "RX FIFO → host memory, and an entry in the return ring");
        break;
    case WEIR_T_IRQ: row(d, e, "NIC", "interrupt"); break;
    case WEIR_T_POLL:
        bar(what, "buffers left on the RX ring", r, "");
        row(d, e, "ring", what);
        break;
    case WEIR_T_COME: row(d, e, "driver", "poll: hands it up; Ethernet, IP"); break;
    case WEIR_T_SEGMENT:
        snprintf(what, sizeof what, "the ACK: these bytes may be forgotten; RTT %.1f µs",
                 (double)(e->at - d->way->v[0].at) / 1e3);
        row(d, e, "TCP", e->r->len == 0 ? what : "segment in the window, in order");
        break;
    case WEIR_T_KEEP:
        bar(what, "receive buffer", r, " bytes");
        row(d, e, "socket", what);
        break;
    default:
        snprintf(what, sizeof what, "read() = %u", r->len);
        row(d, e, "file", what);
        break;
    }
}

static bool is_ack(const struct look_event *e) { return e->r->len == 0; }

/* Every layer has said something, and the ACK has come back. */
static bool is_whole(const struct look_way *w)
{
    static const uint8_t kinds[KINDS] = {
        WEIR_T_WRITE, WEIR_T_SEND, WEIR_T_QUEUE, WEIR_T_LEAVE, WEIR_T_POST,
        WEIR_T_FETCH, WEIR_T_WIRE, WEIR_T_SENT,  WEIR_T_STORE, WEIR_T_ARRIVE,
        WEIR_T_POLL,  WEIR_T_COME, WEIR_T_KEEP,  WEIR_T_READ,  WEIR_T_SEGMENT,
    };
    unsigned n = 0;
    for (unsigned k = 0; k < KINDS; k++) {
        bool has = false;
        for (size_t i = 0; i < w->n_events; i++)
            has |= w->v[i].r->kind == kinds[k] && (kinds[k] != WEIR_T_SEGMENT || is_ack(&w->v[i]));
        n += has;
    }
    return n == KINDS;
}

static int draw(FILE *f, const struct look_log *log)
{
    static struct look_stream streams[LOOK_STREAMS];
    struct look_way w;
    unsigned n = look_streams(log, streams);
    if (n == 0)
        return 1;
    if (look_way_find(&w, log, &streams[0], 0, BYTES) < 0)
        return -ENOMEM;
    struct drawing d = {.f = f, .way = &w};
    for (size_t i = 0; i < w.n_events; i++) {
        if (w.v[i].is_up)
            draw_up(&d, &w.v[i]);
        else
            draw_down(&d, &w.v[i]);
    }
    bool is_good = is_whole(&w);
    fprintf(f, "%u steps, %s.\n", d.n_rows,
            is_good ? "every layer is among them" : "but layers are MISSING");
    look_way_free(&w);
    return !is_good;
}

int demo_way(FILE *f)
{
    const struct view_conf vc = {.wants_log = true};
    const struct pair_conf pc = {
        .bytes = 2 * BYTES, .write_bytes = BYTES, .write_pause = W_MS, .seed = 1};
    struct view v;
    char err[256];
    int r = view_open(&v, &vc, err, sizeof err);
    if (r == 0) {
        r = pair_run(&pc, &v, err, sizeof err);
        int closed = view_close(&v); /* it writes nothing: it cannot fail */
        r = r != 0 ? r : closed;
    }
    if (r == 0)
        r = draw(f, &v.log);
    else
        fprintf(stderr, "weir demo: %s\n", err);
    view_free(&v);
    return r;
}
