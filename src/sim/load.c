/* SPDX-License-Identifier: Apache-2.0
 *
 * What the simulated applications do, and the byte oracle: byte i of what a side of a transfer
 * sends is a function of (transfer, side, i), so a byte that is lost, repeated, moved or changed is
 * noticed by the reader at once.
 *
 * Uses the public calls of weir.h only, as an embedding program would. Each application takes its
 * turn when the world has moved; it makes calls until they answer -EAGAIN.
 *
 * Invariant: got <= the peer's sent, always; equal when both ended without error.
 */
#include "sim/load.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOAD_CALLS = 256,
    SOL_SOCKET_ = 1,
    SOL_TCP_ = 6,
    TCP_NODELAY_ = 1,
    TCP_CONGESTION_ = 13,
    SO_SNDBUF_ = 7,
    SO_RCVBUF_ = 8,
    TCP_FASTOPEN_CONNECT_ = 30,
    SO_ERROR_ = 4
};

void load_init(struct load *l, struct sim *s, struct oracle *o)
{
    memset(l, 0, offsetof(struct load, made)); /* the pieces are large, and made when needed */
    for (unsigned i = 0; i < LOAD_MADE; i++)
        l->made[i].of = NULL;
    l->sim = s;
    l->oracle = o;
}

static struct weir_addr ip_addr(uint32_t ip, uint16_t port)
{
    struct weir_addr a = {.ip = {[10] = 0xff, [11] = 0xff}, .port = port, .family = 4};
    if (ip != 0)
        w_put32(a.ip + 12, ip);
    return a;
}

int load_listen(struct load *l, struct sim_host *h)
{
    weir_sock s;
    struct weir_addr any = ip_addr(0, LOAD_PORT);
    if (l->is_dual)
        any = (struct weir_addr){.port = LOAD_PORT, .family = 6};
    int r = weir_socket(h->w, l->is_dual ? WEIR_INET6 : WEIR_INET, WEIR_STREAM, &s);
    if (r == 0)
        r = weir_bind(h->w, s, &any);
    if (r == 0)
        r = weir_listen(h->w, s, 128);
    if (r == 0)
        l->listener[h->id] = s;
    return r;
}

struct xfer *load_add(struct load *l, struct sim_host *client, struct sim_host *server,
                      uint32_t server_ip, w_ns start)
{
    if (l->n_xfer == LOAD_XFERS)
        return NULL;
    struct xfer *x = &l->xfer[l->n_xfer];
    *x = (struct xfer){.id = l->n_xfer++, .server_ip = server_ip, .start = start};
    x->end[0].host = client;
    x->end[1].host = server;
    x->end[0].conf.abort_at = x->end[1].conf.abort_at = UINT64_MAX;
    return x;
}

/* Bytes 8 k … 8 k + 7 of what a side sends. */
static uint64_t load_word(unsigned id, unsigned side, uint64_t k)
{
    uint64_t v = (k + 1) * 0x9e3779b97f4a7c15u + id * 2u + side;
    return v ^ v >> 32;
}

/* Bytes of a side's stream from `at`, a multiple of 8, into n bytes, likewise. */
static void load_make(unsigned id, unsigned side, uint64_t at, uint8_t *out, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 8) {
        uint64_t w = load_word(id, side, (at + i) / 8);
        memcpy(out + i, &w, 8);
    }
}

static void end_options(struct load_end *e, w_ns now)
{
    struct weir *w = e->host->w;
    int one = 1, snd = (int)e->conf.sndbuf, rcv = (int)e->conf.rcvbuf;
    if (snd != 0)
        (void)weir_setsockopt(w, now, e->s, SOL_SOCKET_, SO_SNDBUF_, &snd, sizeof(snd));
    if (rcv != 0)
        (void)weir_setsockopt(w, now, e->s, SOL_SOCKET_, SO_RCVBUF_, &rcv, sizeof(rcv));
    if (e->conf.is_nodelay)
        (void)weir_setsockopt(w, now, e->s, SOL_TCP_, TCP_NODELAY_, &one, sizeof(one));
    for (unsigned i = 0; i < e->conf.n_opt; i++)
        (void)weir_setsockopt(w, now, e->s, e->conf.opt[i].level, e->conf.opt[i].name,
                              &e->conf.opt[i].value, sizeof(e->conf.opt[i].value));
    (void)weir_setsockopt(w, now, e->s, SOL_TCP_, TCP_FASTOPEN_CONNECT_, &one, sizeof(one));
}

static void end_finish(struct load *l, struct load_end *e, enum side_state state, int error)
{
    e->state = state;
    e->error = error;
    if (e->s != 0 && (e->has_abort ? weir_abort(e->host->w, l->sim->now, e->s)
                                   : weir_close(e->host->w, l->sim->now, e->s)) < 0)
        oracle_fail(l->oracle, l->sim->now, "a socket could not be closed");
    e->s = 0;
    if (state == SIDE_FAILED && !l->may_fail)
        oracle_fail(l->oracle, l->sim->now,
                    "a connection failed with error %d in a run without "
                    "any reason to",
                    error);
}

static bool client_open(struct load *l, struct xfer *x)
{
    struct load_end *e = &x->end[0];
    w_ns now = l->sim->now;
    struct weir_addr to =
        x->is_ip6 ? sim_addr6(x->server_ip, LOAD_PORT) : ip_addr(x->server_ip, LOAD_PORT);
    if (e->state != SIDE_NEW || now < x->start)
        return false;
    int r = weir_socket(e->host->w, x->is_ip6 ? WEIR_INET6 : WEIR_INET, WEIR_STREAM, &e->s);
    if (r == 0) {
        end_options(e, now);
        r = weir_connect(e->host->w, now, e->s, &to);
    }
    if (r == 0 || r == -EINPROGRESS) {
        e->state = SIDE_OPEN;
        return true;
    }
    /* A starved host refuses work, and takes it again later. */
    if (e->s != 0)
        (void)weir_close(e->host->w, now, e->s);
    e->s = 0;
    x->start = now + 100 * W_MS;
    return false;
}

/* Which transfer a new connection belongs to: the one whose client has that port. */
static struct xfer *xfer_of_peer(struct load *l, const struct weir_addr *peer)
{
    for (unsigned i = 0; i < l->n_xfer; i++) {
        struct load_end *c = &l->xfer[i].end[0];
        struct weir_addr me;
        bool is_it = c->s != 0 && weir_getsockname(c->host->w, c->s, &me) == 0 &&
                     me.port == peer->port && memcmp(me.ip, peer->ip, 16) == 0;
        if (is_it && l->xfer[i].end[1].state == SIDE_NEW)
            return &l->xfer[i];
    }
    return NULL;
}

static bool server_accept(struct load *l, struct sim_host *h)
{
    weir_sock s;
    struct weir_addr peer;
    w_ns now = l->sim->now;
    if (l->listener[h->id] == 0 || weir_accept(h->w, now, l->listener[h->id], &s, &peer) < 0)
        return false;
    struct xfer *x = xfer_of_peer(l, &peer);
    if (x == NULL) {
        /* Its client gave up already. */
        (void)weir_abort(h->w, now, s);
        return true;
    }
    x->end[1].s = s;
    x->end[1].state = SIDE_OPEN;
    end_options(&x->end[1], now);
    return true;
}

/* Fast Open: a client's SYN waits for its first write, or a server writes before the handshake is
 * through: writable, and not connected. */
static bool is_early(const struct load_end *e)
{
    uint32_t bits = weir_poll(e->host->w, e->s);
    return (bits & (WEIR_OUT | WEIR_CONNECTED | WEIR_ERR | WEIR_HUP)) == WEIR_OUT;
}

/* An application that reads, writes or shuts down before the handshake is over would abort it. */
static bool is_connecting(const struct load_end *e)
{
    uint32_t bits = e->state == SIDE_OPEN ? weir_poll(e->host->w, e->s) : WEIR_CONNECTED;
    return (bits & (WEIR_CONNECTED | WEIR_ERR | WEIR_HUP)) == 0 && !is_early(e);
}

/* The next n bytes that this end has to send: out of a piece that is made when the last one was
 * used up, not for each call. */
static const uint8_t *load_bytes(struct load *l, const struct xfer *x, unsigned side, uint32_t n)
{
    const struct load_end *e = &x->end[side];
    struct load_made *m = &l->made[(2 * x->id + side) % LOAD_MADE];
    bool is_in = m->of == e && m->at <= e->sent && e->sent + n <= m->at + LOAD_CHUNK;
    if (!is_in) {
        m->of = e;
        m->at = e->sent & ~(uint64_t)7;
        load_make(x->id, side, m->at, m->bytes, sizeof(m->bytes));
    }
    return m->bytes + (e->sent - m->at);
}

static bool end_write(struct load *l, struct xfer *x, unsigned side)
{
    struct load_end *e = &x->end[side];
    w_ns now = l->sim->now;
    if (e->has_shut || now < e->write_at || is_connecting(e))
        return false;
    if (e->sent >= e->conf.abort_at) {
        e->has_abort = true;
        end_finish(l, e, SIDE_FAILED, 0);
        return true;
    }
    if (e->conf.cc_to != NULL && e->sent >= e->conf.cc_at) {
        (void)weir_setsockopt(e->host->w, now, e->s, SOL_TCP_, TCP_CONGESTION_, e->conf.cc_to,
                              strlen(e->conf.cc_to));
        e->conf.cc_to = NULL;
    }
    uint64_t left = w_u64_min(e->conf.bytes, e->conf.abort_at) - e->sent;
    if (left == 0 && side == 0 && is_early(e))
        return weir_sendto(e->host->w, now, e->s, l->made[0].bytes, 0, 0, NULL) == -EINPROGRESS;
    if (left == 0) {
        int r = weir_shutdown(e->host->w, now, e->s, WEIR_SHUT_WR);
        e->has_shut = r == 0;
        return r == 0;
    }
    uint32_t max = e->conf.write_bytes != 0 ? e->conf.write_bytes : 16384;
    uint32_t n = (uint32_t)w_u64_min(left, w_u32_min(max, LOAD_CHUNK));
    int64_t r = weir_sendto(e->host->w, now, e->s, load_bytes(l, x, side, n), n, 0, NULL);
    if (r == -EAGAIN || r == -ENOBUFS || r == -EINPROGRESS)
        return false;
    if (r < 0) {
        end_finish(l, e, SIDE_FAILED, (int)-r);
        return true;
    }
    e->sent += (uint64_t)r;
    e->write_at = e->conf.write_pause != 0 ? now + e->conf.write_pause : 0;
    return true;
}

/* The byte oracle: these n bytes come after those that this end has. */
static void end_check(struct load *l, const struct xfer *x, unsigned side, const uint8_t *buf,
                      uint32_t n)
{
    uint8_t want[LOAD_CHUNK + 8];
    uint64_t got = x->end[side].got, skip = got % 8;
    load_make(x->id, 1 - side, got - skip, want, (uint32_t)(skip + n + 7) & ~7u);
    if (memcmp(buf, want + skip, n) == 0)
        return;
    uint32_t i = 0;
    while (buf[i] == want[skip + i])
        i++;
    oracle_fail(l->oracle, l->sim->now, "transfer %u side %u: byte %llu is not what was sent",
                x->id, side, (unsigned long long)(got + i));
}

static bool end_read(struct load *l, struct xfer *x, unsigned side)
{
    struct load_end *e = &x->end[side];
    uint8_t buf[LOAD_CHUNK];
    w_ns now = l->sim->now;
    if (e->has_eof || now < e->read_at)
        return false;
    uint32_t n = w_u32_min(e->conf.read_bytes != 0 ? e->conf.read_bytes : 16384, LOAD_CHUNK);
    int64_t r = weir_recvfrom(e->host->w, now, e->s, buf, n, 0, NULL);
    if (r == -EAGAIN)
        return false;
    if (r < 0) {
        end_finish(l, e, SIDE_FAILED, (int)-r);
        return true;
    }
    end_check(l, x, side, buf, (uint32_t)r);
    e->got += (uint64_t)r;
    e->has_eof = r == 0;
    struct load_end *peer = &x->end[1 - side];
    if (e->got > peer->sent)
        oracle_fail(l->oracle, now, "transfer %u: more bytes arrived than were sent", x->id);
    if (r == 0 && !peer->has_shut && peer->state == SIDE_OPEN)
        oracle_fail(l->oracle, now, "transfer %u: end of stream before the sender ended it", x->id);
    if (r == 0 && peer->state != SIDE_FAILED && e->got != peer->conf.bytes)
        oracle_fail(l->oracle, now, "transfer %u side %u: %llu bytes at the end, %llu were sent",
                    x->id, side, (unsigned long long)e->got, (unsigned long long)peer->conf.bytes);
    e->read_at = e->conf.read_pause != 0 ? now + e->conf.read_pause : 0;
    return true;
}

/* On a link that loses every ARP request for three seconds no neighbour is found: the program is
 * told EHOSTUNREACH, and does what applications do: tries again. */
static bool client_again(struct load *l, struct xfer *x)
{
    struct load_end *e = &x->end[0];
    int err = 0;
    size_t n = sizeof(err);
    uint32_t bits = weir_poll(e->host->w, e->s);
    bool has_failed = (bits & WEIR_ERR) != 0 && (bits & WEIR_CONNECTED) == 0;
    if (!has_failed || x->end[1].state != SIDE_NEW)
        return false;
    (void)weir_getsockopt(e->host->w, l->sim->now, e->s, SOL_SOCKET_, SO_ERROR_, &err, &n);
    if (err != EHOSTUNREACH) {
        end_finish(l, e, SIDE_FAILED, err);
        return true;
    }
    (void)weir_close(e->host->w, l->sim->now, e->s);
    e->s = 0;
    e->sent = 0; /* what went with a SYN nobody got */
    e->state = SIDE_NEW;
    x->start = l->sim->now + W_S;
    return true;
}

static bool end_run(struct load *l, struct xfer *x, unsigned side)
{
    struct load_end *e = &x->end[side];
    bool did = false;
    if (is_connecting(e))
        return false;
    if (side == 0 && e->state == SIDE_OPEN && client_again(l, x))
        return true;
    for (int i = 0; i < LOAD_CALLS && e->state == SIDE_OPEN; i++) {
        bool wrote = end_write(l, x, side);
        bool has_read = e->state == SIDE_OPEN && end_read(l, x, side);
        if (e->state == SIDE_OPEN && e->has_shut && e->has_eof)
            end_finish(l, e, SIDE_DONE, 0);
        if (!wrote && !has_read)
            break;
        did = true;
    }
    bool is_over = x->end[0].state >= SIDE_DONE && x->end[1].state >= SIDE_DONE;
    if (is_over && x->done_at == 0)
        x->done_at = l->sim->now;
    return did;
}

/* The server of a client that failed may never have heard of it. */
static void xfer_forget_server(struct xfer *x)
{
    if (x->end[0].state == SIDE_FAILED && x->end[1].state == SIDE_NEW)
        x->end[1].state = SIDE_FAILED;
}

bool load_run(struct load *l)
{
    bool did = false;
    oracle_app_turn(l->oracle);
    for (unsigned i = 0; i < l->sim->n_host; i++) {
        struct weir_event ev[64];
        while (weir_events(l->sim->host[i].w, ev, 64) == 64)
            ;
        while (server_accept(l, &l->sim->host[i]))
            did = true;
    }
    for (unsigned i = 0; i < l->n_xfer; i++) {
        did |= client_open(l, &l->xfer[i]);
        did |= end_run(l, &l->xfer[i], 0);
        did |= end_run(l, &l->xfer[i], 1);
        xfer_forget_server(&l->xfer[i]);
    }
    for (unsigned i = 0; did && i < l->sim->n_host; i++)
        sim_kick(l->sim, &l->sim->host[i]);
    return did;
}

w_ns load_next(const struct load *l)
{
    w_ns next = W_NEVER;
    for (unsigned i = 0; i < l->n_xfer; i++) {
        const struct xfer *x = &l->xfer[i];
        if (x->end[0].state == SIDE_NEW)
            next = w_u64_min(next, x->start);
        for (unsigned k = 0; k < 2; k++) {
            const struct load_end *e = &x->end[k];
            if (e->state != SIDE_OPEN)
                continue;
            if (!e->has_eof && e->read_at > l->sim->now)
                next = w_u64_min(next, e->read_at);
            if (!e->has_shut && e->write_at > l->sim->now)
                next = w_u64_min(next, e->write_at);
        }
    }
    return next;
}

/* Who has nothing to send and whose peer's reset was lost will never know: RFC 9293 3.5.1's
 * half-open connection, and nobody's fault. The program resets, a user timeout ends the connection
 * in silence, or a host has no memory left for what a closed socket still had to send. */
static bool has_reset(const struct load_end *e)
{
    return e->has_abort || (e->state >= SIDE_DONE && e->conf.may_give_up) ||
           (e->state == SIDE_DONE && weir_counter_named(e->host->w, "TCPAbortOnMemory") != 0);
}

bool load_is_done(const struct load *l)
{
    for (unsigned i = 0; i < l->n_xfer; i++)
        for (unsigned k = 0; k < 2; k++)
            if (l->xfer[i].end[k].state < SIDE_DONE && !has_reset(&l->xfer[i].end[1 - k]))
                return false;
    return true;
}

void load_end_all(struct load *l)
{
    for (unsigned i = 0; i < l->n_xfer; i++)
        for (unsigned k = 0; k < 2; k++)
            if (l->xfer[i].end[k].state == SIDE_OPEN)
                end_finish(l, &l->xfer[i].end[k], SIDE_FAILED, 0);
}

bool load_run_world(struct load *l, w_ns until)
{
    while (l->sim->now < until && !oracle_is_violated(l->oracle)) {
        while (load_run(l))
            ;
        if (load_is_done(l))
            return true;
        (void)sim_step(l->sim, w_u64_min(until, load_next(l)));
    }
    return load_is_done(l);
}
