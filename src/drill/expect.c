/* SPDX-License-Identifier: Apache-2.0
 *
 * The packets of a script: putting one in, waiting for one to come out.
 *
 * An expected packet is compared with the first one not yet taken that its connection has sent,
 * whenever that was: a packet sent too early is noticed here, by its time. When none is there, time
 * passes until one comes or the script's patience (its tolerance) ends; then it passes GRACE more,
 * only to be able to say when the packet would have come.
 *
 * Merging. The script may expect one long segment where several of equal size were sent (only the
 * last may be shorter): whether a stack or its device cuts is not the script's business, unless it
 * says --strict_segments. Flags FIN, PSH and CWR come from the last piece, the rest from the first.
 *
 * Called by run.c. Owns nothing; takes packets from the host.
 */
#include "drill/run.h"

#include <inttypes.h>

#include "wire/ipv4.h"
#include "wire/tcp.h"

#define GRACE     (10 * W_S)
#define ANY_LIMIT (3600 * W_S)

static double seconds(int64_t us) { return (double)us / 1e6; }
static int64_t to_us(w_ns t) { return (int64_t)(t / W_US); }

bool inject_packet(struct run *r, const struct script_pkt *k)
{
    struct conn *c = conn_of_script(r, k);
    char line[PKT_TEXT];
    if (c == NULL)
        return false;
    size_t n = packet_build(k, c, r->script->opts.is_ts_scaled, r->bytes);
    packet_show(k, line, sizeof(line));
    run_trace(r, "%s", line);
    bool is_merged = k->proto == PROTO_TCP && k->len > r->script->opts.mss;
    if (!host_inject(r->host, r->bytes, n, is_merged ? r->script->opts.mss : 0))
        return run_fail(r, "the stack had no memory for %s", line);
    return call_continue(r);
}

/* The first packet not yet taken that belongs to c. */
static struct sent_pkt *first_of(struct run *r, struct conn *c, const struct script_pkt *want,
                                 struct live_pkt *p)
{
    for (struct sent_pkt *s = host_sent(r->host); s != NULL; s = s->next)
        if (packet_read(s->bytes, s->n, p) == 0 && conn_takes(c, p, want))
            return s;
    return NULL;
}

/* Waits for a packet of c until `limit`; *out is NULL when none came. False: the run is over. */
static bool await_packet(struct run *r, struct conn *c, const struct script_pkt *want, w_ns limit,
                         struct sent_pkt **out)
{
    struct live_pkt p;
    bool did_stop = true;
    while ((*out = first_of(r, c, want, &p)) == NULL && did_stop)
        if (!run_wait(r, limit, true, &did_stop))
            return false;
    return true;
}

static w_ns patience(const struct run *r)
{
    if (r->ev->when.kind == WHEN_ANY)
        return host_now(r->host) + ANY_LIMIT;
    return (w_ns)(r->due_end_us + run_tolerance_us(r)) * W_US;
}

static void say_due(const struct run *r, char *buf, size_t cap)
{
    if (r->ev->when.kind == WHEN_ANY)
        snprintf(buf, cap, "at any time");
    else if (r->ev->when.is_range)
        snprintf(buf, cap, "from %.6f to %.6f s", seconds(r->due_us), seconds(r->due_end_us));
    else
        snprintf(buf, cap, "at %.6f s", seconds(r->due_us));
}

/* What one expectation has found so far. */
struct found {
    struct script_pkt k; /* in script's numbers; merged */
    int64_t first_us, last_us;
    uint32_t piece; /* payload of the first segment */
    unsigned n;
    bool is_payload_ok;
};

static bool fail_packet(struct run *r, const struct script_pkt *want, const struct found *f,
                        const char *why)
{
    char due[96], w[PKT_TEXT], g[PKT_TEXT];
    say_due(r, due, sizeof(due));
    packet_show(want, w, sizeof(w));
    packet_show(&f->k, g, sizeof(g));
    char merged[64] = "";
    if (f->n > 1)
        snprintf(merged, sizeof(merged), " (%u segments)", f->n);
    return run_fail(r, "expected %s %s\n    came     %s at %.6f s%s\n    %s", w, due, g,
                    seconds(f->first_us), merged, why);
}

/* Nothing came in time. Was it only late? */
static bool fail_none(struct run *r, struct conn *c, const struct script_pkt *want)
{
    char due[96], w[PKT_TEXT], g[PKT_TEXT];
    struct sent_pkt *s = NULL;
    struct live_pkt p;
    struct script_pkt k;
    say_due(r, due, sizeof(due));
    packet_show(want, w, sizeof(w));
    if (!await_packet(r, c, want, host_now(r->host) + GRACE, &s))
        return false;
    if (s == NULL)
        return run_fail(r, "expected %s %s\n    came     nothing until %.6f s", w, due,
                        seconds(run_now_us(r)));
    if (packet_read(s->bytes, s->n, &p) < 0)
        return false;
    packet_to_script(&p, c, want, &k);
    packet_show(&k, g, sizeof(g));
    return run_fail(r, "expected %s %s\n    came     nothing, and then %s at %.6f s", w, due, g,
                    seconds(to_us(s->at)));
}

/* Takes one packet; joins it to what was found. False: it does not continue that. */
static bool take_piece(struct run *r, struct conn *c, const struct script_pkt *want,
                       struct sent_pkt *s, struct found *f)
{
    enum { FROM_LAST = TCPF_FIN | TCPF_PSH | TCPF_CWR };
    struct live_pkt p;
    struct script_pkt k;
    if (packet_read(s->bytes, s->n, &p) < 0)
        return false;
    bool is_payload_ok = packet_to_script(&p, c, want, &k);
    bool continues =
        f->n == 0 || (k.seq == f->k.seq + f->k.len && k.len != 0 && k.len <= f->piece &&
                      f->k.len % f->piece == 0 && k.ack == f->k.ack &&
                      (k.flags & ~FROM_LAST) == (f->k.flags & ~FROM_LAST));
    if (!continues)
        return false;
    if (f->n++ == 0) {
        f->k = k;
        f->piece = k.len;
        f->first_us = to_us(s->at);
        f->is_payload_ok = true;
    } else {
        f->k.len += k.len;
        f->k.flags = k.flags;
        f->k.has_csum_err |= k.has_csum_err;
    }
    f->is_payload_ok = f->is_payload_ok && is_payload_ok;
    f->last_us = to_us(s->at);
    host_take(r->host, s);
    return true;
}

/* Gathers segments until the script's length is there, or what comes next is another thing. */
static bool gather(struct run *r, struct conn *c, const struct script_pkt *want, struct found *f)
{
    struct sent_pkt *s = NULL;
    bool can_merge = want->proto == PROTO_TCP && !r->script->opts.is_strict_segments;
    do {
        if (!await_packet(r, c, want, patience(r), &s))
            return false;
        if (s == NULL || !take_piece(r, c, want, s, f))
            break;
    } while (can_merge && f->k.seq == want->seq && f->k.len != 0 && f->k.len < want->len &&
             (f->k.flags & TCPF_FIN) == 0);
    return true;
}

static bool check_time(struct run *r, const struct script_pkt *want, const struct found *f)
{
    int64_t tolerance = run_tolerance_us(r);
    char why[128];
    if (r->ev->when.kind == WHEN_ANY ||
        (f->first_us >= r->due_us - tolerance && f->last_us <= r->due_end_us + tolerance))
        return true;
    bool is_early = f->first_us < r->due_us - tolerance;
    snprintf(why, sizeof(why), "%.6f s too %s (tolerance %.6f s)",
             seconds(is_early ? r->due_us - f->first_us : f->last_us - r->due_end_us),
             is_early ? "early" : "late", seconds(tolerance));
    return fail_packet(r, want, f, why);
}

static bool ts_of(const struct script_pkt *k, uint32_t *val)
{
    unsigned at = 0, n = 0;
    const uint8_t *o = NULL;
    while (packet_opt_next(k, &at, &o, &n))
        if (o[0] == TCPO_TS && n == 10) {
            *val = w_be32(o + 2);
            return true;
        }
    return false;
}

/* --tcp_ts_tick_usecs: timestamps must tell the time. */
static bool check_ts(struct run *r, const struct script_pkt *want, const struct found *f)
{
    uint32_t w = 0, g = 0;
    int64_t tick = r->script->opts.ts_tick_us;
    if (tick == 0 || !ts_of(want, &w) || !ts_of(&f->k, &g))
        return true;
    int64_t off = (int32_t)(g - w);
    if ((off < 0 ? -off : off) * tick <= run_tolerance_us(r))
        return true;
    char why[96];
    snprintf(why, sizeof(why), "timestamp value %" PRIu32 " instead of %" PRIu32, g, w);
    return fail_packet(r, want, f, why);
}

bool expect_packet(struct run *r, const struct script_pkt *want)
{
    struct found f = {.n = 0};
    char why[512];
    struct conn *c = conn_of_script(r, want);
    if (c == NULL || !gather(r, c, want, &f))
        return false;
    if (f.n == 0)
        return fail_none(r, c, want);
    packet_show(&f.k, why, sizeof(why));
    run_trace(r, "%s%s", why, f.n > 1 ? " (merged)" : "");
    if (!packet_match(want, &f.k, c, why, sizeof(why)))
        return fail_packet(r, want, &f, why);
    if (!f.is_payload_ok)
        return fail_packet(r, want, &f, "payload that is not the stream's at this place");
    return check_time(r, want, &f) && check_ts(r, want, &f);
}

bool expect_nothing_left(struct run *r)
{
    int64_t before = r->last_us;
    for (struct sent_pkt *s = host_sent(r->host); s != NULL; s = s->next) {
        struct live_pkt p;
        struct script_pkt k;
        struct conn *c = r->conns;
        char g[PKT_TEXT];
        if (to_us(s->at) >= before || packet_read(s->bytes, s->n, &p) < 0)
            continue;
        while (c != NULL && !conn_takes(c, &p, &p.k))
            c = c->next;
        if (c == NULL)
            continue;
        packet_to_script(&p, c, NULL, &k);
        packet_show(&k, g, sizeof(g));
        return run_fail(r, "never expected\n    came     %s at %.6f s", g, seconds(to_us(s->at)));
    }
    return true;
}
