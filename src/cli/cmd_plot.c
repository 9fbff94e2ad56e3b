/* SPDX-License-Identifier: Apache-2.0
 *
 * weir plot: pictures of a connection, from a trace.
 *
 * Decides which numbers of the records make a picture: time–sequence, windows, RTT, throughput,
 * buffers; plot/ decides how it looks. Of a stream whose sender was not recorded there is what its
 * receiver knows. Time begins when the connection was first heard of.
 *
 * Owns the points of a picture while it is drawn. What is wrong with the command line, the trace or
 * the disk is said in one sentence, exit status 2.
 */
#include "cli/cmd.h"

#include "cli/streams.h"
#include "plot/plot.h"
#include "run/words.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: weir plot [OPTIONS] FILE\n"
    "\n"
    "Draws a connection of a trace (weir run --trace, weir sim --trace-file, weir trace --save)\n"
    "as SVG pictures: PREFIX-sequence.svg (bytes sent, sent again, acknowledged over time),\n"
    "-window.svg (cwnd, ssthresh, bytes in flight, the peer's window), -rtt.svg (smoothed RTT and\n"
    "RTO), -rate.svg (throughput), -buffers.svg (how full the buffers on the way are).\n"
    "\n"
    "  -o, --output PREFIX  of the files' names (default: FILE without its ending)\n"
    "  -c, --conn N         which stream of --list (default: the one with the most bytes)\n"
    "  -l, --list           the streams that the trace knows, instead of pictures\n"
    "  -p, --picture NAME   only this one: sequence, window, rtt, rate or buffers\n"
    "  -h, --help           this text\n";

/* Of plot/'s eight. */
enum {
    BLUE = 1,
    ORANGE,
    GREEN,
    PURPLE,
    YELLOW,
    SKY,
    VIOLET,
    GREY,
};

enum { LINES = 6, RATE_STEPS = 100, PATH = 512 };

/* A series that grows. */
struct line {
    struct plot_series s;
    double *x, *y;
    size_t cap;
};

struct picture {
    const struct look_log *log;
    const struct look_stream *stream;
    uint64_t zero;
    bool is_short_lived; /* time is shown in ms */
    struct line line[LINES];
    unsigned n_lines;
    double y_max;  /* 0: what the points need */
    bool is_short; /* of memory */
};

static void point(struct picture *p, unsigned i, uint64_t at, double y)
{
    struct line *l = &p->line[i];
    size_t n = l->s.n;
    if (n == l->cap) {
        size_t cap = l->cap != 0 ? 2 * l->cap : 256;
        double *x = realloc(l->x, cap * sizeof *x);
        l->x = x != NULL ? x : l->x;
        double *v = realloc(l->y, cap * sizeof *v);
        l->y = v != NULL ? v : l->y;
        p->is_short |= x == NULL || v == NULL;
        if (p->is_short)
            return;
        l->cap = cap;
    }
    double x = at >= p->zero ? (double)(at - p->zero) / (p->is_short_lived ? 1e6 : 1e9) : 0;
    /* Records of two hosts: a line never goes back. */
    l->x[n] = n != 0 && x < l->x[n - 1] ? l->x[n - 1] : x;
    l->y[n] = y;
    l->s.n++;
}

/* What matters only where it is near the rest: beyond the picture there is a gap. */
static void point_below(struct picture *p, unsigned i, uint64_t at, double y)
{
    if (y <= p->y_max)
        point(p, i, at, y);
    else if (p->line[i].s.n != 0)
        point(p, i, at, (double)NAN);
}

/* The same thing has the same colour in all pictures, whatever else is in them. */
static unsigned line(struct picture *p, const char *name, enum plot_mark mark, unsigned colour)
{
    p->line[p->n_lines].s = (struct plot_series){.name = name, .mark = mark, .colour = colour};
    return p->n_lines++;
}

/* ---- the records of a stream's two ends ---- */

struct side {
    const struct weir_trace *v;
    size_t n;
    uint32_t conn;
};

/* No records: nobody looked at that end. */
static struct side side_of(const struct picture *p, bool wants_receiver)
{
    const struct look_stream *s = p->stream;
    bool is_own = s->is_far == wants_receiver;
    uint32_t conn = is_own ? s->conn : s->peer_conn;
    const struct look_records *h = &p->log->host[is_own ? s->host : s->peer_host];
    return (struct side){h->v, conn != 0 ? h->n : 0, conn};
}

static double offset(const struct picture *p, uint32_t seq)
{
    return (double)(int32_t)(seq - p->stream->iss - 1);
}

static bool has_state(const struct weir_trace *r)
{
    return r->kind == WEIR_T_SEND || r->kind == WEIR_T_SEGMENT || r->kind == WEIR_T_WRITE ||
           r->kind == WEIR_T_READ || r->kind == WEIR_T_TIMER;
}

static bool is_again(unsigned why)
{
    return why == WEIR_WHY_FAST_RTX || why == WEIR_WHY_RTO_RTX || why == WEIR_WHY_TLP;
}

/* ---- the pictures ---- */

static void draw_sequence_sent(struct picture *p, const struct side *side)
{
    unsigned window = line(p, "the peer's window ends", PLOT_STEP, BLUE);
    p->y_max = (double)p->stream->bytes * 1.05 + 1;
    unsigned sent = line(p, "sent", PLOT_POINTS, ORANGE),
             again = line(p, "sent again", PLOT_POINTS, GREEN);
    unsigned acked = line(p, "acknowledged", PLOT_STEP, PURPLE);
    for (size_t i = 0; i < side->n; i++) {
        const struct weir_trace *r = &side->v[i];
        if (r->conn != side->conn)
            continue;
        if (r->kind == WEIR_T_SEND && r->len != 0)
            point(p, is_again(r->why) ? again : sent, r->at, offset(p, r->seq + r->len));
        if (r->kind != WEIR_T_SEGMENT || (r->flags & 2) != 0 || offset(p, r->ack) < 0)
            continue;
        size_t n = p->line[acked].s.n;
        if (n != 0 && offset(p, r->ack) < p->line[acked].y[n - 1])
            continue; /* an old one, overtaken */
        point(p, acked, r->at, offset(p, r->ack));
        point_below(p, window, r->at, offset(p, r->ack) + r->tcp.snd_wnd);
    }
}

static void draw_sequence_got(struct picture *p, const struct side *side)
{
    unsigned came = line(p, "came", PLOT_POINTS, ORANGE),
             ahead = line(p, "ahead of a hole", PLOT_POINTS, GREEN);
    unsigned kept = line(p, "in order", PLOT_STEP, PURPLE), got = line(p, "read", PLOT_STEP, BLUE);
    for (size_t i = 0; i < side->n; i++) {
        const struct weir_trace *r = &side->v[i];
        if (r->conn != side->conn)
            continue;
        double end = offset(p, r->seq + r->len);
        if (r->kind == WEIR_T_SEGMENT && r->len != 0)
            point(p, came, r->at, end);
        if (r->kind == WEIR_T_AHEAD)
            point(p, ahead, r->at, end);
        if (r->kind == WEIR_T_KEEP)
            point(p, kept, r->at, end);
        if (r->kind == WEIR_T_READ)
            point(p, got, r->at, end);
    }
}

static void draw_sequence(struct picture *p)
{
    struct side side = side_of(p, p->stream->is_far);
    if (p->stream->is_far)
        draw_sequence_got(p, &side);
    else
        draw_sequence_sent(p, &side);
}

/* The largest congestion window and number of bytes in flight. */
static double most_in_flight(const struct side *side)
{
    uint32_t most = 1;
    for (size_t i = 0; i < side->n; i++) {
        const struct weir_trace *r = &side->v[i];
        if (r->conn == side->conn && has_state(r))
            most = w_u32_max(most, w_u32_max(r->tcp.cwnd, r->tcp.flight));
    }
    return most;
}

static void draw_window(struct picture *p)
{
    struct side side = side_of(p, p->stream->is_far);
    if (p->stream->is_far) {
        unsigned ours = line(p, "announced window", PLOT_STEP, SKY);
        for (size_t i = 0; i < side.n; i++)
            if (side.v[i].conn == side.conn && has_state(&side.v[i]))
                point(p, ours, side.v[i].at, side.v[i].tcp.rcv_wnd);
        return;
    }
    p->y_max = 1.1 * most_in_flight(&side);
    unsigned peer = line(p, "the peer's window", PLOT_STEP, BLUE),
             cwnd = line(p, "cwnd", PLOT_STEP, ORANGE);
    unsigned ssthresh = line(p, "ssthresh", PLOT_STEP, GREEN),
             flight = line(p, "in flight", PLOT_STEP, PURPLE);
    for (size_t i = 0; i < side.n; i++) {
        const struct weir_trace *r = &side.v[i];
        if (r->conn != side.conn || !has_state(r) || r->tcp.snd_wnd == 0)
            continue;
        const struct weir_trace_tcp *t = &r->tcp;
        point_below(p, peer, r->at, t->snd_wnd);
        point(p, cwnd, r->at, t->cwnd);
        if (t->ssthresh < INT32_MAX)
            point(p, ssthresh, r->at, t->ssthresh);
        point(p, flight, r->at, t->flight);
    }
}

static void draw_rtt(struct picture *p)
{
    struct side side = side_of(p, p->stream->is_far);
    unsigned srtt = line(p, "smoothed RTT", PLOT_STEP, BLUE),
             rto = line(p, "RTO", PLOT_STEP, ORANGE);
    for (size_t i = 0; i < side.n; i++) {
        const struct weir_trace *r = &side.v[i];
        if (r->conn != side.conn || !has_state(r) || r->tcp.srtt_us == 0)
            continue;
        point(p, srtt, r->at, r->tcp.srtt_us / 1e3);
        point(p, rto, r->at, r->tcp.rto_us / 1e3);
    }
}

/* Bytes of one kind of record over the time of the stream, as a rate. */
static void rate(struct picture *p, unsigned i, const struct side *side, unsigned kind)
{
    double bytes[RATE_STEPS] = {0};
    uint64_t end = p->zero + 1;
    for (size_t k = 0; k < side->n; k++)
        if (side->v[k].conn == side->conn && side->v[k].at > end)
            end = side->v[k].at;
    uint64_t step = (end - p->zero) / RATE_STEPS + 1;
    for (size_t k = 0; k < side->n; k++) {
        const struct weir_trace *r = &side->v[k];
        if (r->conn == side->conn && r->kind == kind && r->at >= p->zero)
            bytes[(r->at - p->zero) / step] += r->len;
    }
    for (unsigned k = 0; k < RATE_STEPS && side->n != 0; k++)
        point(p, i, p->zero + k * step, bytes[k] * 8e3 / (double)step);
}

static void draw_rate(struct picture *p)
{
    struct side from = side_of(p, false), to = side_of(p, true);
    if (from.n != 0)
        rate(p, line(p, "sent", PLOT_STEP, ORANGE), &from, WEIR_T_SEND);
    if (to.n != 0)
        rate(p, line(p, "read by the program", PLOT_STEP, BLUE), &to, WEIR_T_READ);
}

/* The fill of a host's buffers below the sockets, which all its connections share. */
static void buffer(struct picture *p, const struct side *side, const char *name, unsigned kinds,
                   unsigned colour)
{
    unsigned i = line(p, name, PLOT_STEP, colour);
    for (size_t k = 0; k < side->n; k++) {
        const struct weir_trace *r = &side->v[k];
        if ((kinds >> r->kind & 1) != 0 && r->max != 0 && r->at >= p->zero)
            point(p, i, r->at, 100.0 * r->used / r->max);
    }
}

static void socket_buffer(struct picture *p, const struct side *side, bool is_sent)
{
    unsigned i = is_sent ? line(p, "send buffer", PLOT_STEP, BLUE)
                         : line(p, "receive buffer", PLOT_STEP, GREEN);
    for (size_t k = 0; k < side->n; k++) {
        const struct weir_trace *r = &side->v[k];
        bool is_level = r->kind == WEIR_T_KEEP || r->kind == WEIR_T_READ;
        if (r->conn != side->conn)
            continue;
        if (is_sent && has_state(r) && r->tcp.sndq_max != 0)
            point(p, i, r->at, 100.0 * r->tcp.sndq / r->tcp.sndq_max);
        if (!is_sent && is_level && r->max != 0)
            point(p, i, r->at, 100.0 * r->used / r->max);
    }
}

static void draw_buffers(struct picture *p)
{
    struct side from = side_of(p, false), to = side_of(p, true);
    if (from.n != 0) {
        socket_buffer(p, &from, true);
        buffer(p, &from, "qdisc", 1u << WEIR_T_QUEUE | 1u << WEIR_T_LEAVE, ORANGE);
        buffer(p, &from, "TX FIFO", 1u << WEIR_T_FETCH | 1u << WEIR_T_WIRE, PURPLE);
    }
    if (to.n != 0) {
        buffer(p, &to, "RX FIFO", 1u << WEIR_T_ARRIVE | 1u << WEIR_T_STORE, YELLOW);
        socket_buffer(p, &to, false);
    }
}

static const struct {
    const char *name, *title, *label, *unit;
    void (*draw)(struct picture *);
} pictures[] = {
    {"sequence", "Time–sequence", "stream", "bytes", draw_sequence},
    {"window", "Windows", "window", "bytes", draw_window},
    {"rtt", "Round-trip time and timeout", "time", "ms", draw_rtt},
    {"rate", "Throughput", "rate", "Mbit/s", draw_rate},
    {"buffers", "Buffers", "filled", "% of the limit", draw_buffers},
};

/* ---- drawing ---- */

static uint64_t first_time(const struct picture *p)
{
    const struct look_records *h = &p->log->host[p->stream->host];
    for (size_t i = 0; i < h->n; i++)
        if (h->v[i].conn == p->stream->conn)
            return h->v[i].at;
    return 0;
}

static uint64_t last_time(const struct picture *p)
{
    const struct look_records *h = &p->log->host[p->stream->host];
    for (size_t i = h->n; i-- > 0;)
        if (h->v[i].conn == p->stream->conn)
            return h->v[i].at;
    return 0;
}

/* To path. 0; 1: there is nothing to be seen; -1: wrong, said so. */
static int draw(struct picture *p, unsigned what, const char *path)
{
    struct plot_series s[LINES];
    char title[256], from[LOOK_END], to[LOOK_END];
    unsigned n = 0;
    pictures[what].draw(p);
    for (unsigned i = 0; i < p->n_lines; i++) {
        if (p->line[i].s.n == 0)
            continue;
        s[n] = p->line[i].s;
        s[n].x = p->line[i].x;
        s[n++].y = p->line[i].y;
    }
    snprintf(title, sizeof title, "%s, %s → %s", pictures[what].title,
             look_end(from, &p->stream->from), look_end(to, &p->stream->to));
    const struct plot plot = {.title = title,
                              .x = {.label = "time", .unit = p->is_short_lived ? "ms" : "s"},
                              .y = {.label = pictures[what].label,
                                    .unit = pictures[what].unit,
                                    .is_fixed = p->y_max != 0,
                                    .max = p->y_max},
                              .series = s,
                              .n_series = n};
    if (p->is_short) {
        fprintf(stderr, "weir plot: no memory\n");
        return -1;
    }
    if (n == 0 || plot_check(&plot) != NULL)
        return 1;
    FILE *f = fopen(path, "we");
    if (f != NULL)
        plot_svg(f, &plot, true);
    if (f == NULL || (ferror(f) | fclose(f)) != 0) {
        fprintf(stderr, "weir plot: cannot write %s: %s\n", path, strerror(errno));
        return -1;
    }
    printf("%s\n", path);
    return 0;
}

struct args {
    const char *file, *prefix, *only;
    bool wants_list;
    unsigned conn;
};

static int draw_all(const struct args *a, const struct look_log *log,
                    const struct look_stream *stream)
{
    unsigned n = 0;
    for (unsigned i = 0; i < WEIR_COUNT(pictures); i++) {
        char path[PATH];
        struct picture p = {.log = log, .stream = stream};
        if (a->only != NULL && strcmp(a->only, pictures[i].name) != 0)
            continue;
        p.zero = first_time(&p);
        p.is_short_lived = last_time(&p) < p.zero + W_S / 2;
        const char *base = strrchr(a->file, '/');
        const char *dot = strrchr(base != NULL ? base : a->file, '.');
        size_t len = dot != NULL ? (size_t)(dot - a->file) : strlen(a->file);
        if (a->prefix != NULL)
            snprintf(path, sizeof path, "%s-%s.svg", a->prefix, pictures[i].name);
        else
            snprintf(path, sizeof path, "%.*s-%s.svg", (int)len, a->file, pictures[i].name);
        int r = draw(&p, i, path);
        for (unsigned k = 0; k < LINES; k++) {
            free(p.line[k].x);
            free(p.line[k].y);
        }
        if (r < 0)
            return 2;
        n += r == 0;
    }
    if (n == 0)
        fprintf(stderr, "weir plot: the trace holds nothing for such a picture of this stream\n");
    return n == 0 ? 2 : 0;
}

/* ---- the command line ---- */

static const struct option options[] = {
    {"output", required_argument, NULL, 'o'}, {"conn", required_argument, NULL, 'c'},
    {"list", no_argument, NULL, 'l'},         {"picture", required_argument, NULL, 'p'},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

static int parse_option(struct args *a, int option, const char *arg)
{
    uint64_t conn;
    bool is_known = false;
    switch (option) {
    case 'o': a->prefix = arg; return 0;
    case 'l': a->wants_list = true; return 0;
    case 'c':
        if (words_number(arg, 1, LOOK_STREAMS, &conn) == 0) {
            a->conn = (unsigned)conn;
            return 0;
        }
        fprintf(stderr, "weir plot: --conn wants a number from --list, not %s\n", arg);
        return -EINVAL;
    default:
        a->only = arg;
        for (unsigned i = 0; i < WEIR_COUNT(pictures); i++)
            is_known |= strcmp(arg, pictures[i].name) == 0;
        if (is_known)
            return 0;
        fprintf(stderr, "weir plot: there is no picture %s; see weir plot --help\n", arg);
        return -EINVAL;
    }
}

/* 0: go on; 1: help was printed; -1: wrong, said so. */
static int parse(int argc, char **argv, struct args *a)
{
    int option;
    opterr = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, ":o:c:lp:h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 1;
        }
        if (option == ':' || option == '?') {
            fprintf(stderr, "weir plot: %s %s; see weir plot --help\n",
                    option == ':' ? "a value is missing after" : "there is no option",
                    argv[optind - 1]);
            return -1;
        }
        if (parse_option(a, option, optarg) < 0)
            return -1;
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "weir plot: name one trace file; see weir plot --help\n");
        return -1;
    }
    a->file = argv[optind];
    return 0;
}

int cmd_plot(int argc, char **argv)
{
    static struct look_stream streams[LOOK_STREAMS];
    struct args a = {0};
    struct look_log log = {0};
    int r = parse(argc, argv, &a);
    if (r != 0)
        return r < 0 ? 2 : 0;
    int status = 2;
    if (streams_load("weir plot", a.file, &log) == 0) {
        unsigned n = look_streams(&log, streams);
        const struct look_stream *s = streams_pick("weir plot", streams, n, a.conn);
        if (a.wants_list)
            streams_list(streams, n);
        status = a.wants_list ? 0 : s == NULL ? 2 : draw_all(&a, &log, s);
    }
    look_log_free(&log);
    return status;
}
