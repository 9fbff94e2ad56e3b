/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames and records brought together: who is shown a frame, and when its story is over.
 *
 * Theory of operation. Records name a packet by a number that is unique while it lives, so there is
 * one place per number and host. On the way down SEND (or CUT) begins a packet's story, QUEUE and
 * LEAVE go on; then the frame is shown here and takes the story with it; SENT ends it. On the way
 * up the frame is shown first; COME makes it the one that the records of connections are about,
 * until the next COME or until the owner says that nothing is on its way up any more.
 *
 *   frame     | ends with                                        | and at the latest
 *   out       | SENT, DROP of its packet                         | PATIENCE later
 *   in        | look_settle                                      |
 *   dropped   | at once: its packet never reached the device     |
 *
 * Frames leave in the order they came in: the first one whose story is not over holds the others,
 * at most FRAMES_MAX of them. Connections are kept in a table of fixed size, each in the place its
 * number leads to; a newcomer takes the place, and costs the older one a few words.
 *
 * Owns: the waiting frames, the tables. Called by the owners of captures (run/, sim/); calls say.c,
 * card.c and ghost.c.
 */
#include "look/file.h"
#include "look/parts.h"
#include "pkt/pkt.h"
#include "tcp/seq.h"
#include "wire/show.h"

#include <stdlib.h>

enum {
    CONNS = 4096,
    PKTS_MAX = 1 << 22,
    FRAMES_MAX = 4096,
    BURST = 64,
    NOTE = 256,
    HEAD = 128, /* bytes that tell what a frame is */
    FRAME_MAX = 65536 + 14,
    RECOVERY = 3, /* Linux's tcpi_ca_state */
    SYN = 2,
};

#define PATIENCE W_S

struct frame {
    struct frame *next;
    w_ns at;
    unsigned host;
    uint32_t pkt, n, len;
    bool is_out, is_done;
    bool is_lost; /* on the network; the note says it all */
    unsigned drop;
    struct look_down down;
    struct look_up up;
    char note[NOTE];
    uint8_t bytes[];
};

struct place {
    struct look_down down;
    struct look_up up;   /* as far as the NIC's driver knows it */
    struct frame *shown; /* not given out yet */
};

struct host {
    struct look_card *card; /* NULL: it has none */
    struct place *pkt;      /* by number */
    size_t n_pkt;
    struct look_conn *conn; /* CONNS */
    struct frame *coming;   /* what connections' records are about; NULL: nothing */
    struct frame *last_out;
};

struct look {
    struct look_conf conf;
    struct host host[LOOK_HOSTS];
    struct frame *first, **end;
    unsigned n_frames;
};

struct look *look_new(const struct look_conf *conf)
{
    struct look *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->conf = *conf;
    l->end = &l->first;
    if (conf->file != NULL)
        look_put_head(conf->file);
    return l;
}

/* ---- tables ---- */

/* NULL: no memory, or a number that cannot be. */
static struct place *place_of(struct look *l, unsigned host, uint32_t pkt)
{
    struct host *h = &l->host[host];
    if (pkt == 0 || pkt >= PKTS_MAX)
        return NULL;
    if (pkt >= h->n_pkt) {
        size_t n = w_u64_max(2 * h->n_pkt, pkt + 256);
        struct place *v = realloc(h->pkt, n * sizeof *v);
        if (v == NULL)
            return NULL;
        memset(v + h->n_pkt, 0, (n - h->n_pkt) * sizeof *v);
        h->pkt = v;
        h->n_pkt = n;
    }
    return &h->pkt[pkt];
}

/* The connection's place; NULL: none is meant, or no memory. */
static struct look_conn *conn_of(struct look *l, unsigned host, uint32_t id)
{
    struct host *h = &l->host[host];
    if (h->conn == NULL)
        h->conn = calloc(CONNS, sizeof *h->conn);
    if (id == 0 || h->conn == NULL)
        return NULL;
    struct look_conn *c = &h->conn[id % CONNS];
    if (c->id != id)
        *c = (struct look_conn){.id = id};
    return c;
}

/* ---- the line of frames ---- */

static void forget(struct look *l, struct frame *f)
{
    struct host *h = &l->host[f->host];
    if (f->pkt < h->n_pkt && h->pkt[f->pkt].shown == f)
        h->pkt[f->pkt].shown = NULL;
    if (h->coming == f)
        h->coming = NULL;
    if (h->last_out == f)
        h->last_out = NULL;
}

static void give_first(struct look *l)
{
    struct frame *f = l->first;
    struct look_text t = {0};
    if (f->note[0] != '\0')
        look_say(&t, "%s%s", f->note, f->is_lost ? "" : "; ");
    struct look_text story = {0};
    if (f->is_lost)
        story.n = 0;
    else if (f->is_out)
        look_say_down(&story, &f->down, f->drop);
    else
        look_say_up(&story, &f->up, f->drop);
    look_say(&t, "%s", story.s);
    const struct look_shown shown = {f->host, f->at,  f->is_out, f->n != 0 ? f->bytes : NULL,
                                     f->n,    f->len, t.s};
    l->conf.frame(l->conf.ctx, &shown);
    l->first = f->next;
    if (l->first == NULL)
        l->end = &l->first;
    l->n_frames--;
    forget(l, f);
    free(f);
}

/* A new last one with room for n bytes; NULL: no memory. */
static struct frame *frame_new(struct look *l, unsigned host, w_ns at, uint32_t n)
{
    if (l->n_frames == FRAMES_MAX)
        give_first(l);
    struct frame *f = calloc(1, sizeof *f + n);
    if (f == NULL)
        return NULL;
    f->host = host;
    f->at = at;
    f->n = f->len = n;
    *l->end = f;
    l->end = &f->next;
    l->n_frames++;
    return f;
}

void look_frame(struct look *l, w_ns now, unsigned host, bool is_out, const struct pkt *p)
{
    struct host *h = &l->host[host];
    if (l->conf.frame == NULL)
        return;
    struct place *at = place_of(l, host, p->idx);
    struct frame *f = frame_new(l, host, now, w_u32_min(p->len, FRAME_MAX));
    if (f == NULL)
        return;
    f->pkt = p->idx;
    f->is_out = is_out;
    f->n = pkt_copy_out(p, 0, f->bytes, f->n);
    f->len = p->len;
    if (is_out)
        h->last_out = f;
    if (at == NULL)
        return;
    if (is_out)
        f->down = at->down;
    else
        f->up = at->up;
    at->down = (struct look_down){0};
    at->up = (struct look_up){0};
    at->shown = f;
}

void look_lost(struct look *l, w_ns now, unsigned host, bool is_out, const struct pkt *p,
               const char *why)
{
    uint8_t head[HEAD];
    char line[NOTE / 2];
    struct frame *f = l->conf.frame != NULL ? frame_new(l, host, now, 0) : NULL;
    if (f == NULL)
        return;
    uint32_t n = pkt_copy_out(p, 0, head, sizeof head);
    if (l->conf.is_l3)
        wire_show_ip(head, n, p->len, line, sizeof line);
    else
        wire_show_eth(head, n, p->len, line, sizeof line);
    f->len = p->len;
    f->is_out = is_out;
    f->is_done = f->is_lost = true;
    snprintf(f->note, NOTE, "DROPPED on the emulated link, on its way %s: %.40s; %s",
             is_out ? "out" : "in", why, line);
}

void look_add_note(struct look *l, unsigned host, const char *note)
{
    struct frame *f = l->host[host].last_out;
    if (f == NULL)
        return;
    size_t n = strnlen(note, NOTE - 1);
    memcpy(f->note, note, n);
    f->note[n] = '\0';
}

void look_settle(struct look *l, w_ns now)
{
    for (unsigned i = 0; i < LOOK_HOSTS; i++)
        l->host[i].coming = NULL;
    for (struct frame *f = l->first; f != NULL; f = f->next)
        f->is_done |= !f->is_out || now - f->at >= PATIENCE;
    while (l->first != NULL && l->first->is_done)
        give_first(l);
}

void look_free(struct look *l)
{
    if (l == NULL)
        return;
    while (l->first != NULL)
        give_first(l);
    for (unsigned i = 0; i < LOOK_HOSTS; i++) {
        free(l->host[i].pkt);
        free(l->host[i].conn);
        free(l->host[i].card);
    }
    free(l);
}

/* ---- records: down ---- */

static uint64_t time_written(const struct look_conn *c, uint32_t seq)
{
    for (unsigned i = 0; i < w_u32_min(c->n_wrote, LOOK_WRITES); i++) {
        const struct look_wrote *w = &c->wrote[(c->n_wrote - 1 - i) % LOOK_WRITES];
        if (seq - w->seq < w->end - w->seq)
            return w->at;
    }
    return 0;
}

static void on_send(struct look *l, unsigned host, const struct weir_trace *r)
{
    struct place *at = place_of(l, host, r->pkt);
    struct look_conn *c = conn_of(l, host, r->conn);
    if (at == NULL)
        return;
    at->down = (struct look_down){.send = *r, .conn = c};
    at->shown = NULL;
    if (c == NULL)
        return;
    if (r->tcp.recovery != RECOVERY)
        c->n_fast = 0;
    if (r->why == WEIR_WHY_FAST_RTX)
        at->down.nth = ++c->n_fast;
    if (r->len != 0)
        at->down.written_at = time_written(c, r->seq);
}

/* A piece has its whole's story, and its own share of the bytes. */
static void on_cut(struct look *l, unsigned host, const struct weir_trace *r)
{
    struct place *at = place_of(l, host, r->pkt); /* first: the table may move */
    struct place *whole = place_of(l, host, r->used);
    at = place_of(l, host, r->pkt);
    if (at == NULL || whole == NULL || at == whole)
        return;
    struct look_down *w = &whole->down;
    at->shown = NULL;
    at->down = *w;
    uint32_t headers = w->bytes - w->send.len;
    if (w->send.kind != WEIR_T_SEND || w->bytes < w->send.len || r->len < headers)
        return;
    uint32_t n = r->len - headers;
    at->down.send.seq += w->cut;
    at->down.send.len = n;
    w->cut += n;
    if (w->cut >= w->send.len)
        *w = (struct look_down){0};
}

static void on_queue(struct look *l, unsigned host, const struct weir_trace *r)
{
    struct place *at = place_of(l, host, r->pkt);
    if (at == NULL)
        return;
    if (at->down.queued_at != 0) /* another packet of that number has gone unseen */
        at->down = (struct look_down){0};
    at->down.queued_at = r->at;
    at->down.q_used = r->used;
    at->down.q_max = r->max;
    at->down.bytes = r->len;
}

static void on_leave(struct look *l, unsigned host, const struct weir_trace *r)
{
    struct place *at = place_of(l, host, r->pkt);
    if (at != NULL)
        at->down.left_at = r->at;
}

static void on_sent(struct look *l, unsigned host, const struct weir_trace *r)
{
    struct place *at = place_of(l, host, r->pkt);
    if (at == NULL)
        return;
    if (at->shown != NULL && at->shown->is_out) {
        at->shown->down.sent_at = r->at;
        at->shown->is_done = true;
    }
    *at = (struct place){0};
}

/* ---- records: up ---- */

static void on_come(struct look *l, unsigned host, const struct weir_trace *r)
{
    struct place *at = place_of(l, host, r->pkt);
    l->host[host].coming = at != NULL ? at->shown : NULL;
}

static void on_merge(struct look *l, unsigned host, const struct weir_trace *r)
{
    struct place *at = place_of(l, host, r->pkt);
    if (at != NULL && at->shown != NULL)
        at->shown->up.is_merged = true;
    if (at != NULL)
        *at = (struct place){0};
}

/* What a segment's ACK says that is new. */
static void heed_ack(struct look_up *u, struct look_conn *c)
{
    const struct weir_trace *s = &u->seg;
    bool is_new = !c->has_ack || seq_lt(c->ack, s->ack);
    if (is_new) {
        u->acked = c->has_ack ? s->ack - c->ack : 0;
        c->n_dup = 0;
        c->ack = s->ack;
        c->has_ack = true;
    } else if (s->ack == c->ack && s->len == 0 && s->tcp.flight != 0) {
        u->n_dup = ++c->n_dup;
    }
}

static void on_segment(struct look *l, unsigned host, const struct weir_trace *r)
{
    struct frame *f = l->host[host].coming;
    struct look_conn *c = conn_of(l, host, r->conn);
    if (c != NULL && (r->flags & SYN) != 0)
        c->irs = r->seq;
    if (f == NULL || f->pkt != r->pkt)
        return;
    f->up.seg = *r;
    f->up.conn = c;
    if (c != NULL)
        heed_ack(&f->up, c);
}

static void on_bytes_up(struct look *l, unsigned host, const struct weir_trace *r)
{
    struct frame *f = l->host[host].coming;
    if (f == NULL || f->up.seg.conn != r->conn)
        return;
    if (r->kind == WEIR_T_KEEP)
        f->up.kept += r->len;
    else
        f->up.ahead += r->len;
    f->up.rcvq = r->used;
    f->up.rcvq_max = r->max;
}

/* ---- records: the NIC ---- */

/* What is known of a packet on its way down, whether its frame has been shown or not. */
static struct look_down *going(struct place *at)
{
    return at->shown != NULL && at->shown->is_out ? &at->shown->down : &at->down;
}

static void on_card(struct look *l, unsigned host, const struct weir_trace *r)
{
    struct host *h = &l->host[host];
    if (h->card == NULL)
        h->card = look_card_new();
    if (h->card == NULL)
        return;
    struct place *at = place_of(l, host, look_card_packet(h->card, r));
    if (r->kind == WEIR_T_ARRIVE || r->kind == WEIR_T_STORE)
        look_card_keep(h->card, r);
    else if (at != NULL && r->kind == WEIR_T_POLL)
        look_card_up(h->card, r, &at->up);
    else if (at != NULL)
        look_card_down(h->card, r, going(at));
}

/* ---- records: elsewhere ---- */

static void on_write(struct look *l, unsigned host, const struct weir_trace *r)
{
    struct look_conn *c = conn_of(l, host, r->conn);
    if (c != NULL)
        c->wrote[c->n_wrote++ % LOOK_WRITES] = (struct look_wrote){r->seq, r->seq + r->len, r->at};
}

static void on_open(struct look *l, unsigned host, const struct weir_trace *r)
{
    struct look_conn *c = conn_of(l, host, r->conn);
    if (c == NULL)
        return;
    *c = (struct look_conn){.id = r->conn, .local = r->ends.local, .remote = r->ends.remote};
    c->iss = r->seq;
    c->irs = r->ack;
}

/* What has been shown keeps its place; the rest appears here, as far as it can be told. */
static void on_drop(struct look *l, unsigned host, const struct weir_trace *r)
{
    uint8_t bytes[LOOK_GHOST];
    struct place *at = place_of(l, host, r->pkt);
    struct frame *f = at != NULL ? at->shown : NULL;
    if (f != NULL) {
        f->drop = r->drop;
        f->is_done = true;
        *at = (struct place){0};
        return;
    }
    const struct look_down none = {0}, *d = at != NULL ? &at->down : &none;
    uint32_t n = look_ghost(d, l->conf.is_l3, bytes);
    f = frame_new(l, host, r->at, n);
    if (f != NULL) {
        memcpy(f->bytes, bytes, n);
        f->len = w_u32_max(n != 0 ? n + d->send.len : 0, r->len);
        f->down = *d;
        f->is_out = f->is_done = true;
        f->drop = r->drop;
    }
    if (at != NULL)
        *at = (struct place){0};
}

static void take_record(struct look *l, unsigned host, const struct weir_trace *r)
{
    if (l->conf.file != NULL)
        look_put(l->conf.file, host, r);
    if (l->conf.record != NULL)
        l->conf.record(l->conf.ctx, host, r);
    if (l->conf.frame != NULL)
        look_record(l, host, r);
}

void look_drain(struct look *l, unsigned host, struct weir *w)
{
    struct weir_trace v[BURST];
    for (size_t n; (n = weir_trace_read(w, v, BURST)) != 0;)
        for (size_t i = 0; i < n; i++)
            take_record(l, host, &v[i]);
}

void look_record(struct look *l, unsigned host, const struct weir_trace *r)
{
    switch (r->kind) {
    case WEIR_T_WRITE: on_write(l, host, r); break;
    case WEIR_T_SEND: on_send(l, host, r); break;
    case WEIR_T_QUEUE: on_queue(l, host, r); break;
    case WEIR_T_CUT: on_cut(l, host, r); break;
    case WEIR_T_LEAVE: on_leave(l, host, r); break;
    case WEIR_T_SENT: on_sent(l, host, r); break;
    case WEIR_T_MERGE: on_merge(l, host, r); break;
    case WEIR_T_COME: on_come(l, host, r); break;
    case WEIR_T_SEGMENT: on_segment(l, host, r); break;
    case WEIR_T_KEEP:
    case WEIR_T_AHEAD: on_bytes_up(l, host, r); break;
    case WEIR_T_POST:
    case WEIR_T_FETCH:
    case WEIR_T_WIRE:
    case WEIR_T_ARRIVE:
    case WEIR_T_STORE:
    case WEIR_T_POLL: on_card(l, host, r); break;
    case WEIR_T_OPEN: on_open(l, host, r); break;
    case WEIR_T_DROP: on_drop(l, host, r); break;
    default: break;
    }
}
