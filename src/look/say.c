/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of a frame, in words: the comments of a capture.
 *
 * Decides the order of what is said: first why the frame exists or what became of it, then the
 * connection it belongs to at that moment, then where its time went. Bytes of a stream are counted
 * from 0, as the program wrote them; sizes are bytes. What is not known is not said.
 *
 * Called by frames.c; owns nothing.
 */
#include "look/parts.h"

#include <stdarg.h>
#include <stdio.h>

void look_say(struct look_text *t, const char *fmt, ...)
{
    va_list ap;
    size_t room = sizeof t->s - t->n;
    va_start(ap, fmt);
    int n = vsnprintf(t->s + t->n, room, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->n += (size_t)n < room ? (size_t)n : room - 1;
}

/* "1 byte", "2 bytes". */
static void say_n_bytes(struct look_text *t, uint32_t n)
{
    look_say(t, "%u byte%s", n, n == 1 ? "" : "s");
}

static void say_bytes(struct look_text *t, uint32_t seq, uint32_t first, uint32_t len)
{
    uint32_t at = seq - first - 1; /* the SYN has a number, too */
    if (len == 1)
        look_say(t, "byte %u", at);
    else
        look_say(t, "bytes %u–%u", at, at + len - 1);
}

static void say_state(struct look_text *t, const struct weir_trace_tcp *s)
{
    static const char *const phase[] = {"open", "disorder", "CWR", "recovery", "loss"};
    static const char *const timer[] = {"RTO", "tail loss probe", "reordering window"};
    char rtt[LOOK_FIGURE], rto[LOOK_FIGURE];
    look_say(t, "; cwnd %u, ssthresh ", s->cwnd);
    if (s->ssthresh < INT32_MAX)
        look_say(t, "%u", s->ssthresh);
    else
        look_say(t, "none");
    look_say(t, ", flight %u (%u in the network); peer's window %u, ours %u", s->flight, s->pipe,
             s->snd_wnd, s->rcv_wnd);
    look_say(t, "; %s, timer: %s", s->recovery < WEIR_COUNT(phase) ? phase[s->recovery] : "?",
             s->timer < WEIR_COUNT(timer) ? timer[s->timer] : "none");
    if (s->n_rto != 0)
        look_say(t, ", timeouts %u", s->n_rto);
    look_say(t, "; srtt %s, rto %s", look_time(rtt, s->srtt_us * (uint64_t)W_US),
             look_time(rto, s->rto_us * (uint64_t)W_US));
}

static void say_drop(struct look_text *t, unsigned drop, const char *where)
{
    look_say(t, "DROPPED %s: %s, %s", where, weir_trace_drop_name(drop),
             weir_trace_drop_text(drop));
}

/* ---- down ---- */

static void say_why(struct look_text *t, const struct look_down *d)
{
    const struct weir_trace *s = &d->send;
    look_say(t, "%s", weir_why_text(s->why));
    if (s->why == WEIR_WHY_FAST_RTX)
        look_say(t, " #%u of this recovery", d->nth);
    if (s->why == WEIR_WHY_RTO_RTX && s->tcp.n_rto != 0)
        look_say(t, " #%u", s->tcp.n_rto);
    if (s->len != 0 && d->conn != NULL) {
        look_say(t, ": ");
        say_bytes(t, s->seq, d->conn->iss, s->len);
    }
}

static void say_waits(struct look_text *t, const struct look_down *d)
{
    char a[LOOK_FIGURE], b[LOOK_FIGURE];
    const char *before = "; waited ";
    if (d->written_at != 0) {
        look_say(t, "%s%s from write to send", before, look_time(a, d->send.at - d->written_at));
        before = ", ";
    }
    if (d->queued_at != 0 && d->left_at != 0) {
        look_say(t, "%s%s in the qdisc (behind %u, limit %u packets)", before,
                 look_time(a, d->left_at - d->queued_at), d->q_used, d->q_max);
        before = ", ";
    }
    if (d->posted_at != 0 && d->wired_at != 0)
        look_say(t, "%s%s on the TX ring, %s in the NIC", before,
                 look_time(a, d->fetched_at - d->posted_at),
                 look_time(b, d->wired_at - d->fetched_at));
    else if (d->left_at != 0 && d->sent_at != 0)
        look_say(t, "%s%s in the device", before, look_time(a, d->sent_at - d->left_at));
}

/* How far it had come. */
static const char *place(const struct look_down *d)
{
    if (d->left_at != 0)
        return "by the device";
    if (d->queued_at != 0)
        return "at the qdisc";
    return d->send.kind != 0 ? "between TCP and the queue" : "on its way";
}

void look_say_down(struct look_text *t, const struct look_down *d, unsigned drop)
{
    if (drop != 0)
        say_drop(t, drop, place(d));
    if (d->send.kind == WEIR_T_SEND) {
        look_say(t, t->n != 0 ? "; " : "");
        say_why(t, d);
        if (d->send.conn != 0)
            say_state(t, &d->send.tcp);
    } else if (t->n == 0) {
        look_say(t, "no segment of a connection");
    }
    say_waits(t, d);
}

/* ---- up ---- */

static void say_payload(struct look_text *t, const struct look_up *u)
{
    uint32_t n = u->kept != 0 ? u->kept : u->ahead;
    bool is_none = n == 0 && u->seg.len != 0 && (u->seg.flags & 7) == 0;
    look_say(t, "%s", t->n != 0 && (n != 0 || is_none) ? "; " : "");
    if (is_none) {
        look_say(t, "none of its ");
        say_n_bytes(t, u->seg.len);
        look_say(t, " kept");
    }
    if (n == 0)
        return;
    say_n_bytes(t, n);
    if (u->kept == 0)
        look_say(t, " kept ahead of a hole");
    else
        look_say(t, " kept, in order%s", n > u->seg.len ? " with those that waited" : "");
    look_say(t, "; receive buffer %u of %u", u->rcvq, u->rcvq_max);
}

static void say_waits_up(struct look_text *t, const struct look_up *u)
{
    char a[LOOK_FIGURE], b[LOOK_FIGURE];
    if (u->polled_at != 0)
        look_say(t, "; waited %s in the NIC, %s on the RX ring",
                 look_time(a, u->stored_at - u->arrived_at),
                 look_time(b, u->polled_at - u->stored_at));
}

void look_say_up(struct look_text *t, const struct look_up *u, unsigned drop)
{
    if (drop != 0)
        say_drop(t, drop, "on its way up");
    if (u->is_merged)
        look_say(t, "goes up with the segment before it");
    if (u->seg.kind == WEIR_T_SEGMENT) {
        if (u->seg.len != 0 && u->conn != NULL && (u->seg.flags & 2) == 0) {
            look_say(t, t->n != 0 ? "; " : "");
            say_bytes(t, u->seg.seq, u->conn->irs, u->seg.len);
        }
        say_payload(t, u);
        if (u->acked != 0) {
            look_say(t, "%sacknowledges ", t->n != 0 ? "; " : "");
            say_n_bytes(t, u->acked);
        } else if (u->n_dup != 0) {
            look_say(t, "%srepeats an ACK, #%u", t->n != 0 ? "; " : "", u->n_dup);
        }
        if (t->n == 0)
            look_say(t, "taken in");
        say_state(t, &u->seg.tcp);
    } else if (t->n == 0) {
        look_say(t, "taken in; of no connection");
    }
    say_waits_up(t, u);
}
