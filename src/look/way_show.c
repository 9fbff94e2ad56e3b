/* SPDX-License-Identifier: Apache-2.0
 *
 * A journey as people see it: a table, or a file for chrome://tracing and ui.perfetto.dev.
 *
 * Decides the words and the layout. In the JSON each thing that lasts is a complete event ("X"),
 * each moment an instant ("i"); processes are hosts, threads layers; buffers are counters ("C")
 * over the time of the journey. Times there are microseconds since the first event.
 *
 * Called by the commands; owns nothing.
 */
#include "look/way.h"

#include <inttypes.h>

const char *look_layer_name(enum look_layer l)
{
    static const char *const names[] = {"socket", "TCP", "qdisc", "driver", "NIC"};
    return (unsigned)l < LOOK_LAYERS ? names[l] : "?";
}

static const char *timer_text(unsigned which)
{
    static const char *const names[] = {"the retransmission timer fires", "the persist timer fires",
                                        "the ACK's delay is over", "the keepalive timer fires"};
    return which < WEIR_COUNT(names) ? names[which] : "a timer fires";
}

static const char *s_of(uint32_t n) { return n == 1 ? "" : "s"; }

static const char *how_often(uint32_t nth) { return nth > 1 ? ", again" : ""; }

const char *look_way_text(char out[LOOK_SENTENCE], const struct look_event *e)
{
    const struct weir_trace *r = e->r;
    const struct weir_trace_tcp *t = &r->tcp;
    switch (r->kind) {
    case WEIR_T_WRITE:
        snprintf(out, LOOK_SENTENCE, "write(): %u byte%s in it", r->len, s_of(r->len));
        break;
    case WEIR_T_SEND:
        if (e->nth == 0)
            snprintf(out, LOOK_SENTENCE, "acknowledges: %s", weir_why_text(r->why));
        else
            snprintf(out, LOOK_SENTENCE, "segment of %u: %s%s; cwnd %u, in flight %u", r->len,
                     weir_why_text(r->why), how_often(e->nth), t->cwnd, t->flight);
        break;
    case WEIR_T_QUEUE: snprintf(out, LOOK_SENTENCE, "packet of %u waits", r->len); break;
    case WEIR_T_CUT: snprintf(out, LOOK_SENTENCE, "cut: piece %u, %u bytes", r->max, r->len); break;
    case WEIR_T_LEAVE: snprintf(out, LOOK_SENTENCE, "frame of %u to the device", r->len); break;
    case WEIR_T_POST: snprintf(out, LOOK_SENTENCE, "descriptors on the ring"); break;
    case WEIR_T_FETCH:
        snprintf(out, LOOK_SENTENCE, "DMA: frame of %u is in the FIFO", r->len);
        break;
    case WEIR_T_WIRE:
        snprintf(out, LOOK_SENTENCE, "the last bit of %u bytes is out", r->len);
        break;
    case WEIR_T_SENT: snprintf(out, LOOK_SENTENCE, "the device is done with it"); break;
    case WEIR_T_ARRIVE:
        snprintf(out, LOOK_SENTENCE, "the last bit of %u bytes is in", r->len);
        break;
    case WEIR_T_STORE: snprintf(out, LOOK_SENTENCE, "DMA: in the host's memory"); break;
    case WEIR_T_IRQ: snprintf(out, LOOK_SENTENCE, "interrupt"); break;
    case WEIR_T_POLL: snprintf(out, LOOK_SENTENCE, "the driver finds it"); break;
    case WEIR_T_COME: snprintf(out, LOOK_SENTENCE, "frame of %u comes", r->len); break;
    case WEIR_T_SEGMENT:
        if (r->len == 0 || e->n == 0)
            snprintf(out, LOOK_SENTENCE, "the ACK is here; RTT %.3f ms", t->srtt_us / 1e3);
        else
            snprintf(out, LOOK_SENTENCE, "segment of %u taken in", r->len);
        break;
    case WEIR_T_AHEAD: snprintf(out, LOOK_SENTENCE, "kept: bytes before them are missing"); break;
    case WEIR_T_KEEP:
        snprintf(out, LOOK_SENTENCE, "in order: %u byte%s to be read", r->len, s_of(r->len));
        break;
    case WEIR_T_READ:
        snprintf(out, LOOK_SENTENCE, "read(): the program has %u byte%s", r->len, s_of(r->len));
        break;
    case WEIR_T_DROP:
        snprintf(out, LOOK_SENTENCE, "DROPPED: %s, %s", weir_trace_drop_name(r->drop),
                 weir_trace_drop_text(r->drop));
        break;
    case WEIR_T_TIMER: snprintf(out, LOOK_SENTENCE, "%s", timer_text(r->why)); break;
    default: snprintf(out, LOOK_SENTENCE, "%s", weir_trace_text(r->kind)); break;
    }
    return out;
}

/* ---- the table ---- */

static bool has_buffer(const struct weir_trace *r)
{
    return r->max != 0 && r->kind != WEIR_T_CUT && r->kind != WEIR_T_SEGMENT;
}

static void buffer_text(char out[LOOK_SENTENCE], const struct look_event *e)
{
    const struct weir_trace *r = e->r;
    out[0] = '\0';
    if (!has_buffer(r))
        return;
    bool is_bytes = e->layer == LOOK_SOCKET || e->layer == LOOK_TCP || e->layer == LOOK_NIC;
    snprintf(out, LOOK_SENTENCE, "%u of %u%s", r->used, r->max, is_bytes ? " B" : "");
}

static void row(const struct look_way *w, const struct look_event *e, FILE *f)
{
    char text[LOOK_SENTENCE], buffer[LOOK_SENTENCE], bytes[32] = "", took[LOOK_FIGURE] = "";
    if (e->n != 0)
        snprintf(bytes, sizeof bytes, "%u–%u", e->first, e->first + e->n - 1);
    if (e->until > e->at)
        (void)look_time(took, e->until - e->at);
    buffer_text(buffer, e);
    /* A dash and a µ are more bytes than columns. */
    int wide = e->n != 0 ? 19 : 17, wide_took = strstr(took, "µ") != NULL ? 11 : 10;
    fprintf(f, "%12.6f  %2u %s %-7s %*s  %*s  %-17s  %s\n", (double)(e->at - w->v[0].at) / 1e6,
            e->host, e->is_up ? "▲" : "▼", look_layer_name(e->layer), wide, bytes, wide_took, took,
            buffer, look_way_text(text, e));
}

void look_way_print(const struct look_way *w, FILE *f)
{
    char from[LOOK_END], to[LOOK_END];
    fprintf(f, "Bytes %u–%u from %s to %s\n", w->first, w->first + w->n - 1,
            look_end(from, &w->stream.from), look_end(to, &w->stream.to));
    if (w->n_events == 0) {
        fprintf(f, "Nothing is recorded of them.\n");
        return;
    }
    fprintf(f, "Time 0 is %.6f s of the stack's clock.\n\n", (double)w->v[0].at / 1e9);
    fprintf(f,
            "   time [ms] host  layer              bytes       lasts  buffer             what\n");
    for (size_t i = 0; i < w->n_events; i++)
        row(w, &w->v[i], f);
}

/* ---- JSON ---- */

static double us(const struct look_way *w, uint64_t at)
{
    uint64_t zero = w->v[0].at;
    return at >= zero ? (double)(at - zero) / 1e3 : -(double)(zero - at) / 1e3;
}

static void json_string(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            fputc('\\', f);
        fputc((unsigned char)*s < ' ' ? ' ' : *s, f);
    }
    fputc('"', f);
}

static void json_names(FILE *f, unsigned host)
{
    fprintf(f,
            "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%u,\"tid\":0,"
            "\"args\":{\"name\":\"host %u\"}}",
            host, host);
    for (unsigned i = 0; i < LOOK_LAYERS; i++) {
        fprintf(f,
                ",\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":%u,\"tid\":%u,"
                "\"args\":{\"name\":\"%s\"}}",
                host, i + 1, look_layer_name((enum look_layer)i));
        fprintf(f,
                ",\n{\"name\":\"thread_sort_index\",\"ph\":\"M\",\"pid\":%u,\"tid\":%u,"
                "\"args\":{\"sort_index\":%u}}",
                host, i + 1, i + 1);
    }
}

static void json_event(const struct look_way *w, const struct look_event *e, FILE *f)
{
    char text[LOOK_SENTENCE];
    fprintf(f, ",\n{\"name\":");
    json_string(f, look_way_text(text, e));
    fprintf(f, ",\"cat\":\"%s\",\"pid\":%u,\"tid\":%u,\"ts\":%.3f", weir_trace_name(e->r->kind),
            e->host, (unsigned)e->layer + 1, us(w, e->at));
    if (e->until > e->at)
        fprintf(f, ",\"ph\":\"X\",\"dur\":%.3f", (double)(e->until - e->at) / 1e3);
    else
        fprintf(f, ",\"ph\":\"i\",\"s\":\"t\"");
    fprintf(f, ",\"args\":{\"first\":%u,\"bytes\":%u,\"pkt\":%u", e->first, e->n, e->r->pkt);
    if (has_buffer(e->r))
        fprintf(f, ",\"used\":%u,\"limit\":%u", e->r->used, e->r->max);
    fprintf(f, "}}");
}

/* A buffer's level as the record tells it; NULL: of none. */
static const char *gauge_of(const struct weir_trace *r)
{
    switch (r->kind) {
    case WEIR_T_WRITE: return "send buffer";
    case WEIR_T_KEEP:
    case WEIR_T_READ: return "receive buffer";
    case WEIR_T_QUEUE:
    case WEIR_T_LEAVE: return "qdisc";
    case WEIR_T_POST: return "TX ring";
    case WEIR_T_FETCH:
    case WEIR_T_WIRE: return "TX FIFO";
    case WEIR_T_ARRIVE:
    case WEIR_T_STORE: return "RX FIFO";
    default: return NULL;
    }
}

static void json_counters(const struct look_way *w, const struct look_log *l, unsigned host,
                          FILE *f)
{
    const struct look_records *h = &l->host[host];
    uint64_t end = w->v[w->n_events - 1].at;
    uint32_t conn = host == w->stream.host ? w->stream.conn : w->stream.peer_conn;
    for (size_t i = 0; i < h->n; i++) {
        const struct weir_trace *r = &h->v[i];
        const char *name = gauge_of(r);
        bool is_other = r->conn != 0 && r->conn != conn;
        if (name == NULL || is_other || r->at < w->v[0].at || r->at > end)
            continue;
        fprintf(f,
                ",\n{\"name\":\"%s\",\"ph\":\"C\",\"pid\":%u,\"tid\":0,\"ts\":%.3f,"
                "\"args\":{\"used\":%u}}",
                name, host, us(w, r->at), r->used);
    }
}

void look_way_json(const struct look_way *w, const struct look_log *l, FILE *f)
{
    bool has_two = w->stream.peer_conn != 0 && w->stream.peer_host != w->stream.host;
    fprintf(f, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
    json_names(f, w->stream.host);
    if (has_two) {
        fprintf(f, ",\n");
        json_names(f, w->stream.peer_host);
    }
    for (size_t i = 0; i < w->n_events; i++)
        json_event(w, &w->v[i], f);
    if (w->n_events != 0) {
        json_counters(w, l, w->stream.host, f);
        if (has_two)
            json_counters(w, l, w->stream.peer_host, f);
    }
    fprintf(f, "\n]}\n");
}
