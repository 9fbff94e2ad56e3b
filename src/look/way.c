/* SPDX-License-Identifier: Apache-2.0
 *
 * Following bytes through the records of two hosts.
 *
 * Theory of operation. Records of connections name bytes by sequence number: these are compared
 * with the bytes chosen. Records of the layers below name a packet: it is followed from the SEND
 * whose bytes matter (or the CUT that takes some of them from a whole) until the device gives it
 * back. On the way up it is the other way round: a packet comes, and the SEGMENT that follows says
 * which bytes it brought, so COME waits in `come` until then. An event ends when the next one of
 * its packet, or of its bytes, begins.
 *
 * Called by the commands that show journeys; owns the events.
 */
#include "look/way.h"
#include "tcp/seq.h"

#include <errno.h>
#include <stdlib.h>

enum { NONE = UINT32_MAX, FIN_SYN_RST = 7 };

/* ---- streams ---- */

const char *look_end(char out[LOOK_END], const struct weir_trace_end *e)
{
    return look_addr(out, e->addr, e->port);
}

static bool is_same_end(const struct weir_trace_end *a, const struct weir_trace_end *b)
{
    return a->port == b->port && memcmp(a->addr, b->addr, sizeof a->addr) == 0;
}

/* The first number of the peer, which OPEN may not have known yet. */
static uint32_t first_number(const struct look_records *h, size_t open)
{
    const struct weir_trace *o = &h->v[open];
    for (size_t i = open; i < h->n && o->ack == 0; i++)
        if (h->v[i].kind == WEIR_T_SEGMENT && h->v[i].conn == o->conn && (h->v[i].flags & 2) != 0)
            return h->v[i].seq;
    return o->ack;
}

/* Both directions of the connection that this OPEN is about. */
static void two_streams(const struct look_log *l, unsigned host, size_t open,
                        struct look_stream v[2])
{
    const struct look_records *h = &l->host[host];
    const struct weir_trace *o = &h->v[open];
    v[0] = (struct look_stream){
        .host = host, .conn = o->conn, .from = o->ends.local, .to = o->ends.remote};
    v[0].iss = o->seq;
    v[1] = (struct look_stream){
        .host = host, .conn = o->conn, .from = o->ends.remote, .to = o->ends.local};
    v[1].iss = first_number(h, open);
    v[1].is_far = true;
    for (size_t i = open; i < h->n; i++) {
        const struct weir_trace *r = &h->v[i];
        if (r->conn != o->conn || (r->kind != WEIR_T_WRITE && r->kind != WEIR_T_KEEP))
            continue;
        struct look_stream *s = &v[r->kind == WEIR_T_KEEP];
        s->bytes = w_u64_max(s->bytes, (uint32_t)(r->seq + r->len - s->iss - 1));
    }
}

/* Puts a stream to those found, or joins it with what the other end knows of it. */
static unsigned add_stream(struct look_stream *v, unsigned n, const struct look_stream *s)
{
    for (unsigned i = 0; i < n; i++) {
        struct look_stream *o = &v[i];
        bool is_same = o->is_far != s->is_far && o->peer_conn == 0 && o->iss == s->iss &&
                       is_same_end(&o->from, &s->from) && is_same_end(&o->to, &s->to);
        if (!is_same)
            continue;
        struct look_stream whole = o->is_far ? *s : *o;
        const struct look_stream *far = o->is_far ? o : s;
        whole.peer_host = far->host;
        whole.peer_conn = far->conn;
        *o = whole;
        return n;
    }
    if (n < LOOK_STREAMS)
        v[n++] = *s;
    return n;
}

unsigned look_streams(const struct look_log *l, struct look_stream out[LOOK_STREAMS])
{
    unsigned n = 0;
    for (unsigned host = 0; host < LOOK_HOSTS; host++) {
        for (size_t i = 0; i < l->host[host].n; i++) {
            struct look_stream two[2];
            if (l->host[host].v[i].kind != WEIR_T_OPEN)
                continue;
            two_streams(l, host, i, two);
            for (unsigned k = 0; k < 2; k++)
                n = two[k].bytes != 0 ? add_stream(out, n, &two[k]) : n;
        }
    }
    return n;
}

/* ---- finding a way ---- */

/* A packet with some of the bytes, as long as it lives. */
struct life {
    uint32_t pkt, first, n, headers, cut; /* headers: NONE: not known yet */
    uint32_t seq;                         /* its own first byte's number */
    uint32_t desc, queue;                 /* on the NIC's ring, desc 0: not yet; */
    uint32_t fetched, gone;               /* … payload bytes of it in the FIFO, on the wire */
    size_t event;                         /* the last one of it */
};

enum { SCAN = 8192, LIVES = 256, FRAMES = 1024, QUEUES = 8 };

struct search {
    struct look_way *way;
    unsigned host;
    struct life life[LIVES]; /* in turn; pkt 0: free */
    unsigned hand;
    const struct weir_trace *come; /* what comes up now */
    /* The card's last records, by the number of frame, descriptor, packet. */
    const struct weir_trace *arrive[FRAMES], *store[FRAMES], *poll[FRAMES], *poll_irq[FRAMES];
    const struct weir_trace *irq[QUEUES];
    uint32_t up_pkt;          /* the packet whose bytes matter and that is on its way up */
    uint32_t acked;           /* chosen bytes known to be acknowledged */
    uint32_t n_sent, sent_to; /* segments; the byte behind the highest one sent */
    size_t open[WEIR_T_N];    /* no event of this kind before it still lasts */
    bool is_short;
};

static struct look_event *add(struct search *s, const struct weir_trace *r, enum look_layer layer,
                              bool is_up)
{
    static struct look_event lost; /* written, never read: there was no memory */
    struct look_way *w = s->way;
    if (w->n_events == w->cap) {
        size_t cap = w->cap != 0 ? 2 * w->cap : 64;
        struct look_event *v = realloc(w->v, cap * sizeof *v);
        if (v == NULL) {
            s->is_short = true;
            return &lost;
        }
        w->v = v;
        w->cap = cap;
    }
    struct look_event *e = &w->v[w->n_events++];
    *e = (struct look_event){.at = r->at, .r = r, .host = s->host, .layer = layer, .is_up = is_up};
    return e;
}

/* The part of [seq, seq + len) that was chosen; false: none. */
static bool overlap(const struct look_way *w, uint32_t seq, uint32_t len, uint32_t *first,
                    uint32_t *n)
{
    int64_t at = (int32_t)(seq - w->stream.iss - 1); /* may begin with the SYN */
    int64_t a = at > w->first ? at : w->first;
    int64_t b = at + len < (int64_t)w->first + w->n ? at + len : (int64_t)w->first + w->n;
    *first = (uint32_t)a;
    *n = a < b ? (uint32_t)(b - a) : 0;
    return a < b;
}

static struct life *life_of(struct search *s, uint32_t pkt)
{
    for (unsigned i = 0; i < LIVES && pkt != 0; i++)
        if (s->life[i].pkt == pkt)
            return &s->life[i];
    return NULL;
}

static struct life *life_begin(struct search *s, uint32_t pkt)
{
    struct life *f = life_of(s, pkt);
    if (f == NULL)
        f = &s->life[s->hand++ % LIVES];
    *f = (struct life){.pkt = pkt, .headers = NONE};
    return f;
}

/* The next thing that happens to a packet: what was before has lasted until now. */
static void go_on(struct search *s, struct life *f, const struct weir_trace *r,
                  enum look_layer layer)
{
    size_t before = f->event;
    struct look_event *e = add(s, r, layer, false);
    e->first = f->first;
    e->n = f->n;
    s->way->v[before].until = r->at;
    f->event = (size_t)(e - s->way->v);
}

/* Where events of this kind that still last begin. What never ends (a lost frame) does not hold up
 * long journeys: the last SCAN events are enough. */
static size_t first_open(struct search *s, unsigned host, unsigned kind)
{
    const struct look_way *w = s->way;
    size_t i = s->open[kind];
    i = w->n_events - i > SCAN ? w->n_events - SCAN : i;
    while (i < w->n_events &&
           (w->v[i].r->kind != kind || w->v[i].host != host || w->v[i].until != 0))
        i++;
    s->open[kind] = i;
    return i;
}

/* Bytes in a buffer have waited until now. */
static void end_wait(struct search *s, unsigned kind, const struct look_event *now)
{
    for (size_t i = first_open(s, s->host, kind); i < s->way->n_events; i++) {
        struct look_event *e = &s->way->v[i];
        bool is_it = e->host == s->host && e->r->kind == kind && e->until == 0 &&
                     e->first < now->first + now->n && now->first < e->first + e->n;
        if (is_it)
            e->until = now->at;
    }
}

/* How often any of these bytes have been sent before. */
static uint32_t times_sent(const struct search *s, uint32_t first, uint32_t n)
{
    uint32_t times = 0;
    for (size_t i = 0; i + 1 < s->way->n_events && first < s->sent_to; i++) {
        const struct look_event *e = &s->way->v[i];
        bool is_it = e->r->kind == WEIR_T_SEND && e->nth != 0;
        times += is_it && e->first < first + n && first < e->first + e->n;
    }
    return times;
}

static void on_sent_bytes(struct search *s, const struct weir_trace *r)
{
    uint32_t first, n;
    if (!overlap(s->way, r->seq, r->len, &first, &n)) {
        struct life *old = life_of(s, r->pkt);
        if (old != NULL)
            old->pkt = 0;
        return;
    }
    struct look_event *e = add(s, r, LOOK_TCP, false);
    e->first = first;
    e->n = n;
    e->nth = times_sent(s, first, n) + 1;
    s->n_sent++;
    s->sent_to = w_u32_max(s->sent_to, first + n);
    end_wait(s, WEIR_T_WRITE, e);
    struct life *f = life_begin(s, r->pkt);
    f->first = first;
    f->n = n;
    f->seq = r->seq;
    f->event = (size_t)(e - s->way->v);
}

static void on_cut(struct search *s, const struct weir_trace *r)
{
    struct life *whole = life_of(s, r->used);
    if (whole == NULL || whole->headers == NONE)
        return;
    const struct weir_trace *send = NULL;
    for (size_t i = whole->event + 1; i-- > 0 && send == NULL;)
        if (s->way->v[i].r->kind == WEIR_T_SEND && s->way->v[i].r->pkt == whole->pkt)
            send = s->way->v[i].r;
    if (send == NULL || r->len < whole->headers)
        return;
    uint32_t n = r->len - whole->headers, first, part;
    struct life w = *whole;
    whole->cut += n;
    bool is_last = whole->cut >= send->len;
    if (overlap(s->way, send->seq + w.cut, n, &first, &part)) {
        struct life *f = life_begin(s, r->pkt);
        f->first = first;
        f->n = part;
        f->seq = send->seq + w.cut;
        f->headers = w.headers;
        f->event = w.event;
        go_on(s, f, r, LOOK_QUEUE);
    }
    if (is_last)
        whole->pkt = 0;
}

static void on_below(struct search *s, const struct weir_trace *r)
{
    struct life *f = life_of(s, r->pkt);
    if (f == NULL)
        return;
    if (r->kind == WEIR_T_QUEUE && f->headers == NONE) {
        const struct weir_trace *send = s->way->v[f->event].r;
        f->headers = r->len >= send->len ? r->len - send->len : 0;
    }
    bool is_queue = r->kind == WEIR_T_QUEUE || (r->kind == WEIR_T_DROP && f->headers != NONE);
    go_on(s, f, r, is_queue ? LOOK_QUEUE : LOOK_DRIVER);
    if (r->kind == WEIR_T_SENT || r->kind == WEIR_T_DROP)
        f->pkt = 0;
}

/* The driver puts it on the ring: from now on the card names it by its descriptor. */
static void on_post(struct search *s, const struct weir_trace *r)
{
    struct life *f = life_of(s, r->pkt);
    if (f == NULL)
        return;
    go_on(s, f, r, LOOK_DRIVER);
    f->desc = r->seq;
    f->queue = r->flags;
}

/* A frame with some of a packet's bytes is in the card's FIFO (FETCH), or leaves it (WIRE). */
static void on_frame(struct search *s, const struct weir_trace *r)
{
    struct life *f = NULL;
    uint32_t first, n;
    for (unsigned i = 0; i < LIVES && f == NULL; i++) {
        struct life *o = &s->life[i];
        if (o->pkt != 0 && o->desc == r->seq && o->queue == r->flags && o->desc != 0)
            f = o;
    }
    if (f == NULL || f->headers == NONE || r->len < f->headers)
        return;
    uint32_t *done = r->kind == WEIR_T_FETCH ? &f->fetched : &f->gone;
    uint32_t seq = f->seq + *done;
    *done += r->len - f->headers;
    if (!overlap(s->way, seq, r->len - f->headers, &first, &n))
        return;
    struct look_event *e = add(s, r, LOOK_NIC, false);
    e->first = first;
    e->n = n;
    unsigned before = r->kind == WEIR_T_FETCH ? WEIR_T_POST : WEIR_T_FETCH;
    for (size_t i = f->event; i + 1 < s->way->n_events; i++) {
        struct look_event *b = &s->way->v[i];
        bool is_it = b->r->kind == before && b->until == 0 && first - b->first < b->n;
        if (is_it)
            b->until = r->at;
    }
}

/* An ACK, sent by the receiver or come to the sender, that covers more of the bytes. */
static void on_ack(struct search *s, const struct weir_trace *r, bool is_up)
{
    const struct look_way *w = s->way;
    uint32_t first = w->stream.iss + 1 + w->first;
    if ((r->flags & 0x10) == 0 || s->acked == w->n || seq_leq(r->ack, first))
        return;
    uint32_t got = w_u32_min(r->ack - first, w->n);
    if (got <= s->acked)
        return;
    struct look_event *e = add(s, r, LOOK_TCP, is_up);
    e->first = w->first + s->acked;
    e->n = got - s->acked;
    s->acked = got;
}

/* A sender's record. */
static void search_down(struct search *s, const struct weir_trace *r)
{
    uint32_t first, n, conn = s->way->stream.conn;
    switch (r->kind) {
    case WEIR_T_WRITE:
        if (r->conn == conn && overlap(s->way, r->seq, r->len, &first, &n)) {
            struct look_event *e = add(s, r, LOOK_SOCKET, false);
            e->first = first;
            e->n = n;
        }
        break;
    case WEIR_T_SEND:
        if (r->conn == conn)
            on_sent_bytes(s, r);
        break;
    case WEIR_T_CUT: on_cut(s, r); break;
    case WEIR_T_POST: on_post(s, r); break;
    case WEIR_T_FETCH:
    case WEIR_T_WIRE: on_frame(s, r); break;
    case WEIR_T_QUEUE:
    case WEIR_T_LEAVE:
    case WEIR_T_SENT:
    case WEIR_T_DROP: on_below(s, r); break;
    case WEIR_T_TIMER:
        if (r->conn == conn && s->n_sent != 0 && s->acked < s->way->n)
            (void)add(s, r, LOOK_TCP, false);
        break;
    case WEIR_T_SEGMENT:
        if (r->conn == conn)
            on_ack(s, r, true);
        break;
    default: break;
    }
}

/* A step up of the bytes of `span`. */
static struct look_event *step(struct search *s, const struct weir_trace *r, enum look_layer layer,
                               const struct look_event *span)
{
    struct look_event *e = add(s, r, layer, true);
    e->first = span->first;
    e->n = span->n;
    return e;
}

/* The frame has left the other host and was on its way until now. */
static void end_flight(struct search *s, const struct weir_trace *r, const struct look_event *span)
{
    unsigned gone = r->kind == WEIR_T_ARRIVE ? WEIR_T_WIRE : WEIR_T_SENT;
    struct look_event *last = NULL;
    for (size_t i = first_open(s, s->way->stream.host, gone); i < s->way->n_events; i++) {
        struct look_event *e = &s->way->v[i];
        bool is_it = e->r->kind == gone && !e->is_up && e->until == 0 && e->at <= r->at &&
                     span->first - e->first < e->n;
        if (is_it)
            last = e;
        if (e->at > r->at && e->host != s->host)
            break;
    }
    if (last != NULL)
        last->until = r->at;
}

/* What driver and card have recorded of the packet that comes up now. */
static void through_card(struct search *s, const struct look_event *span)
{
    const struct weir_trace *poll = s->poll[s->come->pkt % FRAMES];
    bool is_polled = poll != NULL && poll->pkt == s->come->pkt && poll->at <= s->come->at;
    const struct weir_trace *store = is_polled ? s->store[poll->seq % FRAMES] : NULL;
    if (store == NULL || store->seq != poll->seq) {
        end_flight(s, s->come, span);
        return;
    }
    const struct weir_trace *arrive = s->arrive[store->ack % FRAMES];
    const struct weir_trace *irq = s->poll_irq[s->come->pkt % FRAMES];
    if (arrive != NULL && arrive->ack == store->ack) {
        end_flight(s, arrive, span);
        step(s, arrive, LOOK_NIC, span)->until = store->at;
    }
    step(s, store, LOOK_NIC, span)->until = poll->at;
    if (irq != NULL && irq->at >= store->at)
        (void)step(s, irq, LOOK_NIC, span);
    step(s, poll, LOOK_DRIVER, span)->until = s->come->at;
}

/* The card's records, kept until it is known whose they are. */
static void keep_card(struct search *s, const struct weir_trace *r)
{
    switch (r->kind) {
    case WEIR_T_ARRIVE: s->arrive[r->ack % FRAMES] = r; break;
    case WEIR_T_STORE: s->store[r->seq % FRAMES] = r; break;
    case WEIR_T_IRQ: s->irq[r->flags % QUEUES] = r; break;
    default:
        s->poll[r->pkt % FRAMES] = r;
        s->poll_irq[r->pkt % FRAMES] = s->irq[r->flags % QUEUES];
        break;
    }
}

/* Bytes that came, in one of the layers above the device. */
static void bytes_up(struct search *s, const struct weir_trace *r, enum look_layer layer)
{
    uint32_t first, n;
    if (!overlap(s->way, r->seq, r->len, &first, &n))
        return;
    if (r->kind == WEIR_T_SEGMENT && s->come != NULL && s->come->pkt == r->pkt) {
        const struct look_event span = {.first = first, .n = n};
        through_card(s, &span);
        step(s, s->come, LOOK_DRIVER, &span)->until = r->at;
        s->up_pkt = r->pkt;
    }
    struct look_event *e = add(s, r, layer, true);
    e->first = first;
    e->n = n;
    if (r->kind == WEIR_T_KEEP)
        end_wait(s, WEIR_T_AHEAD, e);
    if (r->kind == WEIR_T_READ)
        end_wait(s, WEIR_T_KEEP, e);
}

/* A receiver's record. */
static void search_up(struct search *s, const struct weir_trace *r, uint32_t conn)
{
    switch (r->kind) {
    case WEIR_T_ARRIVE:
    case WEIR_T_STORE:
    case WEIR_T_IRQ:
    case WEIR_T_POLL: keep_card(s, r); break;
    case WEIR_T_COME:
        s->come = r;
        s->up_pkt = 0;
        break;
    case WEIR_T_SEGMENT:
    case WEIR_T_AHEAD:
        if (r->conn == conn)
            bytes_up(s, r, LOOK_TCP);
        break;
    case WEIR_T_KEEP:
    case WEIR_T_READ:
        if (r->conn == conn)
            bytes_up(s, r, LOOK_SOCKET);
        break;
    case WEIR_T_DROP:
        if (r->pkt != 0 && r->pkt == s->up_pkt)
            (void)add(s, r, LOOK_TCP, true);
        break;
    case WEIR_T_SEND:
        if (r->conn == conn)
            on_ack(s, r, false);
        break;
    default: break;
    }
}

/* By time; what one host says at one moment stays in its order. */
static int by_time(const void *a, const void *b)
{
    const struct look_event *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x->host != y->host)
        return x->host < y->host ? -1 : 1;
    return x->r < y->r ? -1 : x->r > y->r;
}

int look_way_find(struct look_way *w, const struct look_log *l, const struct look_stream *stream,
                  uint32_t first, uint32_t n)
{
    *w = (struct look_way){.stream = *stream, .first = first, .n = n};
    struct search *s = calloc(1, sizeof *s);
    if (s == NULL)
        return -ENOMEM;
    s->way = w;
    s->host = stream->host;
    const struct look_records *h = &l->host[s->host];
    for (size_t i = 0; i < h->n && !stream->is_far && !s->is_short; i++)
        search_down(s, &h->v[i]);
    bool is_short = s->is_short;
    *s = (struct search){.way = w, .host = stream->is_far ? stream->host : stream->peer_host};
    uint32_t conn = stream->is_far ? stream->conn : stream->peer_conn;
    h = &l->host[s->host];
    for (size_t i = 0; i < h->n && conn != 0 && !s->is_short; i++)
        search_up(s, &h->v[i], conn);
    is_short |= s->is_short;
    free(s);
    if (is_short) {
        look_way_free(w);
        return -ENOMEM;
    }
    if (w->n_events != 0)
        qsort(w->v, w->n_events, sizeof *w->v, by_time);
    return 0;
}

void look_way_free(struct look_way *w)
{
    free(w->v);
    w->v = NULL;
    w->n_events = w->cap = 0;
}
