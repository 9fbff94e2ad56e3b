/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer of `weir why` as text.
 *
 * Decides how sums become a sentence: the largest is named, with the figure that makes it plain and
 * what could be tried. What a moment is charged to was decided in tcp/limit.c. Owns nothing.
 * Called by ctl.c of a running instance and by `weir sim why`.
 */
#include "run/why.h"

#include "base/base.h"
#include "look/look.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* What a program calls so is another address on the network (weir run --host-loopback). */
static bool is_loopback(const struct weir_addr *a)
{
    static const uint8_t ip4[13] = {[10] = 0xff, [11] = 0xff, [12] = 127}, ip6[16] = {[15] = 1};
    return memcmp(a->ip, ip4, sizeof(ip4)) == 0 || memcmp(a->ip, ip6, sizeof(ip6)) == 0;
}

bool why_parse(const char *text, struct weir_addr *out, bool *is_any)
{
    char addr[LOOK_END], *end;
    const char *colon = strrchr(text, ':');
    size_t n = colon == NULL ? 0 : (size_t)(colon - text);
    *out = (struct weir_addr){.ip = {[10] = 0xff, [11] = 0xff}};
    if (colon == NULL || n >= sizeof(addr) || colon[1] < '0' || colon[1] > '9')
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port == 0 || port > 65535)
        return false;
    out->port = (uint16_t)port;
    *is_any = n == 0;
    if (n == 0)
        return true;
    bool v6 = text[0] == '[';
    if (v6 && (n < 3 || text[n - 1] != ']'))
        return false;
    n -= v6 ? 2 : 0;
    memcpy(addr, text + v6, n);
    addr[n] = '\0';
    if (inet_pton(v6 ? AF_INET6 : AF_INET, addr, v6 ? out->ip : out->ip + 12) != 1)
        return false;
    *is_any = is_loopback(out);
    return true;
}

static bool is_end(const struct weir_addr *a, const struct weir_addr *wanted, bool is_any)
{
    return a->port == wanted->port && (is_any || memcmp(a->ip, wanted->ip, sizeof(a->ip)) == 0);
}

bool why_is_of(const struct weir_limits *l, const struct weir_addr *a, bool is_any)
{
    return is_end(&l->peer, a, is_any) || is_end(&l->local, a, is_any);
}

unsigned why_most(const struct weir_limits *l)
{
    unsigned most = 0;
    for (unsigned i = 1; i < WEIR_LIMIT_N; i++)
        most = l->ns[i] > l->ns[most] ? i : most;
    return most;
}

/* Rounded down; what is missing then goes, a tenth each, to those that lost most by it. */
void why_shares(const struct weir_limits *l, unsigned share[WEIR_LIMIT_N])
{
    uint64_t rest[WEIR_LIMIT_N];
    unsigned left = l->life != 0 ? 1000 : 0;
    for (unsigned i = 0; i < WEIR_LIMIT_N; i++) {
        unsigned __int128 parts = (unsigned __int128)l->ns[i] * 1000;
        share[i] = l->life != 0 ? (unsigned)(parts / l->life) : 0;
        rest[i] = l->life != 0 ? (uint64_t)(parts % l->life) : 0;
        left -= share[i];
    }
    for (; left != 0; left--) {
        unsigned most = 0;
        for (unsigned i = 1; i < WEIR_LIMIT_N; i++)
            most = rest[i] > rest[most] ? i : most;
        share[most]++;
        rest[most] = 0;
    }
}

/* A window's worth in a round trip. */
static const char *rate_text(uint64_t bytes, uint32_t rtt_us, char *buf)
{
    char n[LOOK_FIGURE];
    snprintf(buf, LOOK_FIGURE + 2, "%s/s",
             look_bytes(n, bytes * 1000000 / (rtt_us != 0 ? rtt_us : 1)));
    return buf;
}

/* ---- because … ---- */

static void because_window(FILE *f, uint64_t window, const char *what, const struct weir_limits *l)
{
    char w[LOOK_FIGURE], t[LOOK_FIGURE], r[LOOK_FIGURE];
    fprintf(f, "%s is %s and a round trip takes %s: about %s", what, look_bytes(w, window),
            look_time(t, l->srtt_us * (uint64_t)1000), rate_text(window, l->srtt_us, r));
}

static void because_cwnd(FILE *f, const struct weir_limits *l)
{
    char a[LOOK_FIGURE], b[LOOK_FIGURE];
    bool is_queued = l->srtt_us > l->min_rtt_us + l->min_rtt_us / 4 + 1000;
    if (is_queued && l->min_rtt_us != 0)
        fprintf(f, "the path is full: a round trip takes %s, %s of it in queues",
                look_time(a, l->srtt_us * (uint64_t)1000),
                look_time(b, (l->srtt_us - l->min_rtt_us) * (uint64_t)1000));
    else if (l->bytes_rtx != 0)
        fprintf(f, "losses have made it %s", look_bytes(a, l->cwnd));
    else
        because_window(f, l->cwnd, "it is still growing,", l);
}

static void because_loss(FILE *f, const struct weir_limits *l)
{
    char a[LOOK_FIGURE];
    double part = l->bytes_out != 0 ? 100.0 * (double)l->bytes_rtx / (double)l->bytes_out : 0;
    fprintf(f, "%.1f %% of the bytes had to be sent again, ", part);
    if (l->n_rto != 0)
        fprintf(f, "%u timeout%s, ", l->n_rto, l->n_rto == 1 ? "" : "s");
    fprintf(f, "and the window is %s", look_bytes(a, l->cwnd));
}

static void because_idle(FILE *f, const struct weir_limits *l)
{
    char a[LOOK_FIGURE], b[LOOK_FIGURE];
    fprintf(f, "all it has written, %s in %s, is on its way or there", look_bytes(a, l->bytes_out),
            look_time(b, l->life));
}

static void because(FILE *f, unsigned why, const struct weir_limits *l)
{
    char a[LOOK_FIGURE], b[LOOK_FIGURE];
    switch (why) {
    case WEIR_LIMIT_APP_WRITE: because_idle(f, l); break;
    case WEIR_LIMIT_APP_READ:
        fprintf(f, "its bytes fill the receive buffer: the peer may send %s more",
                look_bytes(a, l->rcv_wnd));
        break;
    case WEIR_LIMIT_PEER_READ:
        fprintf(f, "its window, %s now, opens only as it reads", look_bytes(a, l->snd_wnd));
        break;
    case WEIR_LIMIT_PEER_SEND:
        fprintf(f, "%s came in, it could send %s more, and does not, or they are on their way",
                look_bytes(a, l->bytes_in), look_bytes(b, l->rcv_wnd));
        break;
    case WEIR_LIMIT_SNDBUF:
        because_window(f, l->sndq > l->sndbuf ? l->sndq : l->sndbuf, "what it holds", l);
        break;
    case WEIR_LIMIT_RWND: because_window(f, l->snd_wnd, "it", l); break;
    case WEIR_LIMIT_CWND: because_cwnd(f, l); break;
    case WEIR_LIMIT_RECOVERY:
    case WEIR_LIMIT_RTO: because_loss(f, l); break;
    case WEIR_LIMIT_PACING: fprintf(f, "the rate is %s/s", look_bytes(a, l->pacing_Bps)); break;
    case WEIR_LIMIT_NAGLE:
        fprintf(f, "a small segment is out and the rest is smaller than one");
        break;
    case WEIR_LIMIT_ACK_DELAY:
        fprintf(f, "an ACK could be here after %s, and comes when a timer there has run out",
                look_time(a, l->min_rtt_us * (uint64_t)1000));
        break;
    case WEIR_LIMIT_SMALLQ:
        fprintf(f, "what may be below TCP is sent before the device says so");
        break;
    case WEIR_LIMIT_QDISC: fprintf(f, "packets wait there although the device has room"); break;
    case WEIR_LIMIT_RING:
        fprintf(f, "it is full although what is in it has had its time on the line");
        break;
    case WEIR_LIMIT_LINK: fprintf(f, "the device was always given enough to fill it"); break;
    case WEIR_LIMIT_HANDSHAKE: fprintf(f, "it has little else in its life"); break;
    default: fprintf(f, "what is below refuses packets"); break;
    }
}

/* ---- the whole ---- */

enum { WIDTH = 78, SENTENCE = 1024 };

static void head(FILE *f, const struct weir_limits *l)
{
    char a[LOOK_END], b[LOOK_END], t[LOOK_FIGURE], out[LOOK_FIGURE], in[LOOK_FIGURE];
    fprintf(f, "%s -> %s: %s, %s sent, %s received\n", look_addr(a, l->local.ip, l->local.port),
            look_addr(b, l->peer.ip, l->peer.port), look_time(t, l->life),
            look_bytes(out, l->bytes_out), look_bytes(in, l->bytes_in));
}

/* In lines of at most WIDTH bytes, broken at blanks. */
static void fold(FILE *f, const char *text)
{
    while (strlen(text) > WIDTH) {
        size_t n = WIDTH;
        while (n != 0 && text[n] != ' ')
            n--;
        if (n == 0)
            break;
        fprintf(f, "%.*s\n", (int)n, text);
        text += n + 1;
    }
    fprintf(f, "%s\n", text);
}

static void sentence(FILE *f, const struct weir_limits *l)
{
    char text[SENTENCE] = "";
    unsigned most = why_most(l);
    FILE *s = fmemopen(text, sizeof(text), "w");
    if (s == NULL)
        return;
    fprintf(s, "%s%s waiting for %s, because ", l->is_receiver ? "Mostly receiving, and " : "",
            l->is_receiver ? "mostly" : "Mostly", weir_limit_waiting(most));
    because(s, most, l);
    fprintf(s, "; try %s.", weir_limit_advice(most));
    (void)fclose(s);
    fold(f, text);
}

void why_print(FILE *f, const struct weir_limits *l)
{
    unsigned share[WEIR_LIMIT_N], sum = 0;
    why_shares(l, share);
    head(f, l);
    sentence(f, l);
    fprintf(f, "\n");
    for (unsigned at = 1000; at != 0;) {
        unsigned next = 0;
        for (unsigned i = 0; i < WEIR_LIMIT_N; i++) {
            next = share[i] < at && share[i] > next ? share[i] : next;
            if (share[i] == at)
                fprintf(f, "  %5.1f %%  %12.6f s  %s\n", share[i] / 10.0, (double)l->ns[i] / 1e9,
                        weir_limit_name(i));
        }
        at = next;
    }
    for (unsigned i = 0; i < WEIR_LIMIT_N; i++)
        sum += share[i];
    fprintf(f, "  %5.1f %%  %12.6f s  its life\n", sum / 10.0, (double)l->life / 1e9);
}

void why_print_line(FILE *f, const struct weir_limits *l)
{
    char a[LOOK_END], b[LOOK_END], t[LOOK_FIGURE];
    unsigned share[WEIR_LIMIT_N], most = why_most(l);
    why_shares(l, share);
    fprintf(f, "%-22s %-22s %12s  %5.1f %%  %s\n", look_addr(a, l->local.ip, l->local.port),
            look_addr(b, l->peer.ip, l->peer.port), look_time(t, l->life), share[most] / 10.0,
            weir_limit_name(most));
}
