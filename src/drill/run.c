/* SPDX-License-Identifier: Apache-2.0
 *
 * The run of a script: its events one after the other, in virtual time.
 *
 * Theory of operation. An event has a time: absolute, relative to when the event before it
 * happened, or none (*). Before an inbound packet, a call, a shell line or a code block, the host
 * runs up to that time; an outbound packet is looked for (expect.c) and its time is checked. A call
 * that blocks is begun at its time and stays pending; whatever happens next may answer it, and its
 * answer must come at the time after the "...". Only one call can be pending, as packetdrill has
 * one thread for them: the next call waits for it.
 *
 * Nothing here depends on the real clock or on anything outside the script, so a script that fails
 * fails always, in the same way.
 *
 * Called by main.c and the tests; calls the host, the connections, the calls. Owns struct run.
 */
#include "drill/run.h"

#include <stdarg.h>
#include <stdlib.h>

static bool end_with(struct run *r, enum drill_status status, const char *fmt, va_list ap)
{
    struct drill_result *d = r->result;
    if (d->status != DRILL_PASSED)
        return false;
    d->status = status;
    d->line = r->ev != NULL ? r->ev->line : r->script->init_line;
    vsnprintf(d->text, sizeof(d->text), fmt, ap);
    return false;
}

bool run_fail(struct run *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    end_with(r, DRILL_FAILED, fmt, ap);
    va_end(ap);
    return false;
}

bool run_skip(struct run *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    end_with(r, DRILL_SKIPPED, fmt, ap);
    va_end(ap);
    return false;
}

void run_trace(struct run *r, const char *fmt, ...)
{
    if (r->conf->trace == NULL)
        return;
    va_list ap;
    va_start(ap, fmt);
    fprintf(r->conf->trace, "%5u: %11.6f  ", r->ev != NULL ? r->ev->line : 0,
            (double)run_now_us(r) / 1e6);
    vfprintf(r->conf->trace, fmt, ap);
    fputc('\n', r->conf->trace);
    va_end(ap);
}

int64_t run_now_us(const struct run *r) { return (int64_t)(host_now(r->host) / W_US); }

int64_t run_tolerance_us(const struct run *r)
{
    const struct script_opts *o = &r->script->opts;
    int64_t dynamic = (r->due_us - r->last_us) / 1000 * o->tolerance_ppm / 1000;
    return dynamic > o->tolerance_us ? dynamic : o->tolerance_us;
}

bool run_wait(struct run *r, w_ns until, bool stops, bool *did_stop)
{
    bool news = true;
    w_ns at = until;
    *did_stop = false;
    while (news) {
        /* A pending poll or epoll_wait has a deadline of its own. */
        at = r->pending != NULL ? w_u64_min(until, r->pending->deadline) : until;
        news = host_run(r->host, w_u64_max(at, host_now(r->host)), stops || r->pending != NULL);
        if (!call_continue(r))
            return false;
        *did_stop = news;
        if (news && stops)
            return true;
        news = news || host_now(r->host) < until;
    }
    return true;
}

/* When the event is due, in script time. */
static void set_due(struct run *r)
{
    const struct when *w = &r->ev->when;
    int64_t base = w->kind == WHEN_ABS ? 0 : run_now_us(r);
    r->due_us = base + w->us;
    r->due_end_us = w->is_range ? base + w->end_us : r->due_us;
}

static bool run_event(struct run *r, const struct event *ev)
{
    bool did_stop = false;
    r->ev = ev;
    set_due(r);
    if (ev->kind == EV_PACKET && ev->pkt->is_out)
        return expect_packet(r, ev->pkt);
    if (ev->kind == EV_CALL && !call_await(r))
        return false;
    r->ev = ev;
    if (r->due_us < run_now_us(r) - run_tolerance_us(r))
        return run_fail(r, "due at %.6f s, but it is %.6f s already", (double)r->due_us / 1e6,
                        (double)run_now_us(r) / 1e6);
    if (!run_wait(r, (w_ns)r->due_us * W_US, false, &did_stop))
        return false;
    if (ev->kind == EV_PACKET)
        return inject_packet(r, ev->pkt);
    if (ev->kind == EV_CALL)
        return call_begin(r, ev);
    return ev->kind == EV_SHELL ? shell_run(r, ev->text) : code_run(r, ev->text);
}

static bool run_events(struct run *r)
{
    if (r->script->init != NULL && !shell_run(r, r->script->init))
        return false;
    for (const struct event *ev = r->script->events; ev != NULL; ev = ev->next) {
        if (!run_event(r, ev))
            return false;
        r->last_us = r->due_us;
    }
    return call_await(r) && (r->conf->is_lenient || expect_nothing_left(r));
}

/* ---- setting up ---- */

static bool set_addr(struct run *r, const char *given, const char *by_default, struct addr *out)
{
    const char *text = given != NULL ? given : by_default;
    if (addr_parse(text, out) != 0)
        return run_fail(r, "%s is no IP address", text);
    return addr_is_ip4(out) == (r->script->opts.ip != IP_V6) ||
           run_fail(r, "%s is not of the family of --ip_version", text);
}

static bool run_begin(struct run *r)
{
    const struct script_opts *o = &r->script->opts;
    bool is_6 = o->ip == IP_V6;
    struct host_conf hc = {.mtu = o->mtu != 0 ? o->mtu : is_6 ? 1520 : 1500, .seed = 1};
    const char *why = NULL;
    host_conf_small(&hc.conf);
    if (!set_addr(r, o->local_ip, is_6 ? "fd3d:fa7b:d17d::1" : "192.168.0.1", &r->local) ||
        !set_addr(r, o->remote_ip, is_6 ? "2001:db8::1" : "192.0.2.1", &r->remote))
        return false;
    hc.local = r->local;
    hc.remote = r->remote;
    r->host = host_new(&hc, &why);
    r->bytes = malloc(PKT_BYTES_MAX);
    return (r->host != NULL && r->bytes != NULL) || run_fail(r, "%s", why);
}

static void run_end(struct run *r)
{
    call_forget(r);
    unsigned lost = r->host != NULL ? host_free(r->host) : 0;
    if (lost != 0)
        run_fail(r, "%u objects of the stack were never given back", lost);
    conns_free(r);
    free(r->bytes);
}

static void run_script(const struct script *s, const struct drill_conf *conf,
                       struct drill_result *result)
{
    struct run *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        fputs("weir drill: no memory\n", stderr);
        exit(2);
    }
    r->script = s;
    r->conf = conf;
    r->result = result;
    if (run_begin(r))
        run_events(r);
    run_end(r);
    free(r);
}

void drill_run(const char *path, const char *text, size_t n, const struct drill_conf *conf,
               struct drill_result *result)
{
    struct script s;
    struct script_err err;
    *result = (struct drill_result){.status = DRILL_PASSED};
    int r = script_parse(&s, path, text, n, conf->ip_version == 6 ? IP_V6 : IP_V4, &err);
    if (r < 0) {
        result->status = DRILL_BAD;
        result->line = err.line;
        snprintf(result->text, sizeof(result->text), "%s", err.text);
    } else if (s.skip != NULL) {
        result->status = DRILL_SKIPPED;
        result->line = s.skip_line;
        snprintf(result->text, sizeof(result->text), "%s", s.skip);
    } else {
        run_script(&s, conf, result);
    }
    script_free(&s);
}
