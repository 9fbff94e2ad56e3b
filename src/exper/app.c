/* SPDX-License-Identifier: Apache-2.0
 *
 * The applications of an experiment, over weir's public calls.
 *
 *   kind | the client                                   | the server
 *   bulk | writes, at its pace; closes after `bytes`    | reads, at its pace, checks every byte
 *   rr   | sends a request, waits for the response      | answers each whole request
 *   udp  | sends bursts of datagrams, the time in each  | reads them, counts, and takes their time
 *
 * Byte i of a stream is a function of i, so a byte that is lost, repeated or moved is noticed at
 * once. A time that a message took is kept while the run is measured.
 *
 * Each application makes calls until they answer -EAGAIN, at most CALLS in a turn.
 */
#include "exper/world.h"

#include <errno.h>
#include <string.h>

enum {
    CALLS = 512,
    SOL_SOCKET_ = 1,
    SOL_TCP_ = 6,
    TCP_NODELAY_ = 1,
    TCP_CONGESTION_ = 13,
    SO_SNDBUF_ = 7,
    SO_RCVBUF_ = 8,
};

static struct weir_addr any_addr(bool is_ip6, uint16_t port)
{
    struct weir_addr a = {.port = port, .family = is_ip6 ? 6 : 4};
    if (!is_ip6)
        a.ip[10] = a.ip[11] = 0xff;
    return a;
}

static const struct setup_flow *conf_of(const struct app *a) { return a->conf; }

static void set_int(struct sim_host *h, w_ns now, weir_sock s, const int what[2], uint64_t value)
{
    int v = (int)value;
    (void)weir_setsockopt(h->w, now, s, what[0], what[1], &v, sizeof(v));
}

static void set_options(struct world *w, struct app *a, unsigned side)
{
    const struct setup_flow *f = conf_of(a);
    w_ns now = w->sim->now;
    if (f->sndbuf != 0)
        set_int(a->host[side], now, a->s[side], (const int[]){SOL_SOCKET_, SO_SNDBUF_}, f->sndbuf);
    if (f->rcvbuf != 0)
        set_int(a->host[side], now, a->s[side], (const int[]){SOL_SOCKET_, SO_RCVBUF_}, f->rcvbuf);
    if (f->nodelay != 0 || f->kind == SETUP_RR)
        set_int(a->host[side], now, a->s[side], (const int[]){SOL_TCP_, TCP_NODELAY_}, 1);
    if (f->cc[0] != '\0' && f->kind != SETUP_UDP)
        (void)weir_setsockopt(a->host[side]->w, now, a->s[side], SOL_TCP_, TCP_CONGESTION_, f->cc,
                              strlen(f->cc));
}

/* ---- sockets ---- */

/* Where the server is: its address on the link next to the client, else on any. */
static struct weir_addr server_addr(const struct world *w, const struct setup_flow *f)
{
    const struct sim_link *best = NULL;
    unsigned side = 0;
    for (unsigned i = 0; i < w->sim->n_link; i++) {
        const struct sim_link *l = &w->sim->link[i];
        for (unsigned e = 0; e < 2; e++) {
            bool is_its = l->end[e].host->id == f->to;
            bool is_near = is_its && l->end[1 - e].host->id == f->from;
            if (!is_its || (best != NULL && !is_near))
                continue;
            best = l;
            side = e;
        }
    }
    uint32_t ip = 0x0a000001u + ((uint32_t)(best - w->sim->link) + 1) * 256 + side;
    if (f->ipv6 != 0)
        return sim_addr6(ip, 0);
    struct weir_addr a = any_addr(false, 0);
    w_put32(a.ip + 12, ip);
    return a;
}

static int open_server(struct world *w, struct app *a)
{
    struct weir *stack = a->host[1]->w;
    bool is_ip6 = conf_of(a)->ipv6 != 0, is_udp = conf_of(a)->kind == SETUP_UDP;
    struct weir_addr any = any_addr(is_ip6, a->port);
    weir_sock *s = is_udp ? &a->s[1] : &a->listener;
    int r =
        weir_socket(stack, is_ip6 ? WEIR_INET6 : WEIR_INET, is_udp ? WEIR_DGRAM : WEIR_STREAM, s);
    if (r == 0)
        r = weir_bind(stack, *s, &any);
    if (r == 0 && !is_udp)
        r = weir_listen(stack, *s, 8);
    if (r == 0 && is_udp)
        set_options(w, a, 1);
    return r;
}

int app_start_all(struct world *w)
{
    for (unsigned i = 0; i < w->conf->n_flow; i++) {
        const struct setup_flow *f = &w->conf->flow[i];
        for (uint64_t k = 0; k < f->count; k++) {
            struct app *a = &w->app[w->n_app];
            *a = (struct app){.conf = f, .port = (uint16_t)(WORLD_PORT + w->n_app++)};
            a->host[0] = w->host[f->from];
            a->host[1] = w->host[f->to];
            /* Not all at the same nanosecond: nobody starts so. */
            a->start = w->begin + f->start + k * 1000 * 137;
            a->to = server_addr(w, f);
            a->to.port = a->port;
            int r = open_server(w, a);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static void fail(struct world *w, struct app *a, const char *what, int error)
{
    if (!a->has_failed)
        oracle_fail(&w->oracle, w->sim->now, "flow %s: %s: %s", conf_of(a)->name, what,
                    strerror(error));
    a->has_failed = true;
}

/* ---- bytes ---- */

static const uint8_t *bytes_at(const struct world *w, uint64_t at)
{
    return w->bytes + at % WORLD_CHUNK;
}

static void note_time(struct world *w, const struct app *a, w_ns took)
{
    struct app_times *t = &w->times[a->conf - w->conf->flow];
    if (w->is_measuring && t->n < WORLD_TIMES)
        t->v[t->n++] = took;
}

/* Sends up to n bytes of a stream that has `at` behind it. Returns how many. */
static uint64_t send_some(struct world *w, struct app *a, unsigned side, uint64_t at, uint64_t n)
{
    n = w_u64_min(n, WORLD_CHUNK);
    int64_t r = weir_sendto(a->host[side]->w, w->sim->now, a->s[side], bytes_at(w, at), n, 0, NULL);
    if (r < 0 && r != -EAGAIN && r != -ENOBUFS)
        fail(w, a, "cannot send", (int)-r);
    return r > 0 ? (uint64_t)r : 0;
}

/* Reads up to n bytes, which are those behind `at`. Returns how many. */
static uint64_t read_some(struct world *w, struct app *a, unsigned side, uint64_t at, uint64_t n)
{
    uint8_t buf[WORLD_CHUNK];
    n = w_u64_min(n, sizeof(buf));
    int64_t r = weir_recvfrom(a->host[side]->w, w->sim->now, a->s[side], buf, n, 0, NULL);
    if (r < 0 && r != -EAGAIN)
        fail(w, a, "cannot read", (int)-r);
    if (r > 0 && memcmp(buf, bytes_at(w, at), (size_t)r) != 0)
        oracle_fail(&w->oracle, w->sim->now, "flow %s: bytes after %llu are not those sent",
                    conf_of(a)->name, (unsigned long long)at);
    if (r == 0)
        a->has_ended = true;
    return r > 0 ? (uint64_t)r : 0;
}

/* ---- connecting ---- */

static bool connect_client(struct world *w, struct app *a)
{
    w_ns now = w->sim->now;
    bool is_udp = conf_of(a)->kind == SETUP_UDP;
    if (a->is_started || now < a->start)
        return false;
    a->is_started = true;
    a->write_at = now;
    int r = weir_socket(a->host[0]->w, conf_of(a)->ipv6 != 0 ? WEIR_INET6 : WEIR_INET,
                        is_udp ? WEIR_DGRAM : WEIR_STREAM, &a->s[0]);
    if (r == 0) {
        set_options(w, a, 0);
        r = weir_connect(a->host[0]->w, now, a->s[0], &a->to);
    }
    if (r < 0 && r != -EINPROGRESS)
        fail(w, a, "cannot connect", -r);
    return true;
}

static bool accept_server(struct world *w, struct app *a)
{
    if (a->s[1] != 0 || a->listener == 0)
        return false;
    if (weir_accept(a->host[1]->w, w->sim->now, a->listener, &a->s[1], NULL) < 0)
        return false;
    set_options(w, a, 1);
    return true;
}

static bool is_open(struct world *w, struct app *a)
{
    if (a->is_connected || !a->is_started || a->has_failed)
        return a->is_connected;
    uint32_t bits = weir_poll(a->host[0]->w, a->s[0]);
    if ((bits & (WEIR_ERR | WEIR_HUP)) != 0 && (bits & WEIR_CONNECTED) == 0)
        fail(w, a, "cannot connect", ECONNREFUSED);
    a->is_connected = conf_of(a)->kind == SETUP_UDP || (bits & WEIR_CONNECTED) != 0;
    return a->is_connected;
}

/* It sends no more: the flow's time is over. */
static bool is_over(const struct world *w, const struct app *a)
{
    return conf_of(a)->stop != 0 && w->sim->now >= w->begin + conf_of(a)->stop;
}

/* ---- bulk ---- */

static bool bulk_write(struct world *w, struct app *a)
{
    const struct setup_flow *f = conf_of(a);
    w_ns now = w->sim->now;
    if (a->has_shut || now < a->write_at)
        return false;
    uint64_t left = f->bytes != 0 ? f->bytes - a->sent : UINT64_MAX;
    if (left == 0 || is_over(w, a)) {
        a->has_shut = true;
        (void)weir_shutdown(a->host[0]->w, now, a->s[0], WEIR_SHUT_WR);
        return true;
    }
    uint64_t n = send_some(w, a, 0, a->sent, w_u64_min(left, f->write_bytes));
    a->sent += n;
    if (n != 0)
        a->write_at = now + f->write_every;
    return n != 0;
}

static bool may_read(const struct world *w, const struct app *a)
{
    const struct setup_flow *f = conf_of(a);
    w_ns at = w->begin + f->read_stop;
    bool is_stopped =
        f->read_stop_for != 0 && w->sim->now >= at && w->sim->now < at + f->read_stop_for;
    return a->s[1] != 0 && !a->has_ended && !is_stopped && w->sim->now >= a->read_at;
}

static bool bulk_read(struct world *w, struct app *a)
{
    if (!may_read(w, a))
        return false;
    uint64_t n = read_some(w, a, 1, a->got, conf_of(a)->read_bytes);
    a->got += n;
    if (n != 0) {
        a->done_at = w->sim->now;
        a->read_at = w->sim->now + conf_of(a)->read_every;
    }
    return n != 0;
}

static bool run_bulk(struct world *w, struct app *a)
{
    bool has_written = bulk_write(w, a);
    return bulk_read(w, a) || has_written;
}

/* ---- request and response ---- */

static bool rr_ask(struct world *w, struct app *a)
{
    const struct setup_flow *f = conf_of(a);
    bool is_done = f->requests != 0 && a->n_sent == f->requests;
    if (a->n_sent != a->n_got || w->sim->now < a->write_at || is_done || is_over(w, a))
        return false;
    a->asked_at = w->sim->now;
    a->write_at = w->sim->now + f->every;
    a->to_send[0] = f->request;
    a->n_sent++;
    return true;
}

/* What a side still has to send of its message goes on. */
static bool rr_send(struct world *w, struct app *a, unsigned side)
{
    if (a->to_send[side] == 0)
        return false;
    uint64_t whole = side == 0 ? conf_of(a)->request : conf_of(a)->response;
    uint64_t n = send_some(w, a, side, whole - a->to_send[side], a->to_send[side]);
    a->to_send[side] -= n;
    return n != 0;
}

static bool rr_serve(struct world *w, struct app *a)
{
    if (a->s[1] == 0 || a->has_ended)
        return false;
    uint64_t at = a->sent % conf_of(a)->request;
    uint64_t n = read_some(w, a, 1, at, conf_of(a)->request - at);
    a->sent += n;
    if (n != 0 && at + n == conf_of(a)->request)
        a->to_send[1] = conf_of(a)->response;
    return n != 0;
}

static bool rr_take(struct world *w, struct app *a)
{
    uint64_t at = a->got % conf_of(a)->response;
    uint64_t n = read_some(w, a, 0, at, conf_of(a)->response - at);
    a->got += n;
    if (n == 0 || at + n != conf_of(a)->response)
        return n != 0;
    a->n_got++;
    a->done_at = w->sim->now;
    note_time(w, a, w->sim->now - a->asked_at);
    return true;
}

static bool run_rr(struct world *w, struct app *a)
{
    bool did = rr_ask(w, a);
    did |= rr_send(w, a, 0);
    did |= rr_serve(w, a);
    did |= rr_send(w, a, 1);
    return rr_take(w, a) || did;
}

/* ---- datagrams ---- */

static void udp_send_one(struct world *w, struct app *a)
{
    uint8_t buf[WORLD_CHUNK];
    uint64_t now = w->sim->now, size = conf_of(a)->datagram;
    memset(buf, 0, size);
    memcpy(buf, &now, sizeof(now));
    int64_t r = weir_sendto(a->host[0]->w, now, a->s[0], buf, size, 0, NULL);
    if (r < 0)
        a->n_refused++;
    else
        a->sent += size;
    a->n_sent++;
}

/* A burst at once, as a program in a loop makes it. */
static bool udp_send(struct world *w, struct app *a)
{
    const struct setup_flow *f = conf_of(a);
    bool is_done = f->bursts != 0 && a->n_sent >= f->bursts * f->burst;
    if (w->sim->now < a->write_at || is_done || is_over(w, a))
        return false;
    for (uint64_t i = 0; i < f->burst; i++)
        udp_send_one(w, a);
    a->write_at = w->sim->now + f->every;
    return true;
}

static bool udp_read(struct world *w, struct app *a)
{
    uint8_t buf[WORLD_CHUNK];
    uint64_t sent_at;
    if (!may_read(w, a))
        return false;
    int64_t r = weir_recvfrom(a->host[1]->w, w->sim->now, a->s[1], buf, sizeof(buf), 0, NULL);
    if (r < (int64_t)sizeof(sent_at))
        return false;
    memcpy(&sent_at, buf, sizeof(sent_at));
    a->got += (uint64_t)r;
    a->n_got++;
    a->done_at = w->sim->now;
    a->read_at = w->sim->now + conf_of(a)->read_every;
    note_time(w, a, w->sim->now - sent_at);
    return true;
}

static bool run_udp(struct world *w, struct app *a)
{
    bool has_sent = udp_send(w, a);
    return udp_read(w, a) || has_sent;
}

/* ---- everybody ---- */

static bool run_one(struct world *w, struct app *a)
{
    bool did = connect_client(w, a);
    did |= accept_server(w, a);
    for (unsigned i = 0; i < CALLS && is_open(w, a) && !a->has_failed; i++) {
        bool more = a->conf->kind == SETUP_BULK ? run_bulk(w, a)
                    : a->conf->kind == SETUP_RR ? run_rr(w, a)
                                                : run_udp(w, a);
        did |= more;
        if (!more)
            break;
    }
    return did;
}

bool app_run_all(struct world *w)
{
    bool did = false;
    for (unsigned i = 0; i < w->conf->n_host; i++) {
        struct weir_event ev[64];
        while (weir_events(w->host[i]->w, ev, 64) == 64)
            ;
    }
    for (unsigned i = 0; i < w->n_app; i++)
        did |= run_one(w, &w->app[i]);
    for (unsigned i = 0; did && i < w->conf->n_host; i++)
        sim_kick(w->sim, w->host[i]);
    return did;
}

/* t, if it is still to come. */
static w_ns later(const struct world *w, w_ns t) { return t > w->sim->now ? t : W_NEVER; }

w_ns app_next(const struct world *w)
{
    w_ns next = W_NEVER;
    for (unsigned i = 0; i < w->n_app; i++) {
        const struct app *a = &w->app[i];
        const struct setup_flow *f = a->conf;
        next = w_u64_min(next, later(w, a->start));
        next = w_u64_min(next, later(w, a->write_at));
        next = w_u64_min(next, later(w, a->read_at));
        if (f->stop != 0)
            next = w_u64_min(next, later(w, w->begin + f->stop));
        if (f->read_stop_for != 0)
            next = w_u64_min(next, later(w, w->begin + f->read_stop + f->read_stop_for));
    }
    return next;
}

void app_end_all(struct world *w)
{
    for (unsigned i = 0; i < w->n_app; i++) {
        struct app *a = &w->app[i];
        for (unsigned side = 0; side < 2; side++)
            if (a->s[side] != 0)
                (void)weir_abort(a->host[side]->w, w->sim->now, a->s[side]);
        if (a->listener != 0)
            (void)weir_close(a->host[1]->w, w->sim->now, a->listener);
    }
}
