/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets in the notation of scripts, and the comparison of two of them in words.
 *
 * packet_show() writes what a script would have to say to get this packet, so that the two lines of
 * a failing script can be laid over each other, and a line can be copied into it. packet_match()
 * compares field by field what the script says and leaves out what it does not: no `win`, any
 * window; <...>, any options; no [ip], any TOS and TTL. A window of a script is the 16 bits of the
 * header, before scaling.
 *
 * Called by run.c and report.c. No state but the flow label that struct conn remembers: labels are
 * compared for being the same or another one, since their values are random [RFC 6437].
 */
#include "drill/packet.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

struct text {
    char *buf;
    size_t cap, n;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *fmt, ...)
{
    if (t->n >= t->cap)
        return;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->buf + t->n, t->cap - t->n, fmt, ap);
    va_end(ap);
    t->n += n > 0 ? (size_t)n : 0;
}

/* ---- notation ---- */

static void show_flags(struct text *t, uint16_t flags)
{
    static const char letters[] = "FSRP.UEWA";
    for (unsigned i = 0; i < sizeof(letters) - 1; i++)
        if (i != 4 && (flags & 1u << i) != 0)
            say(t, "%c", letters[i]);
    if ((flags & TCPF_ACK) != 0)
        say(t, ".");
    if ((flags & 0x1ff) == 0)
        say(t, "-");
}

static void show_hex(struct text *t, const uint8_t *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        say(t, "%02x", b[i]);
}

static void show_accecn(struct text *t, const uint8_t *o, unsigned n)
{
    static const char *const order[2][3] = {{"e0b", "ceb", "e1b"}, {"e1b", "ceb", "e0b"}};
    say(t, "ECN");
    for (unsigned i = 0; i < 3 && 2 + i * 3 + 3 <= n; i++)
        say(t, " %s %u", order[o[0] == TCPO_ACCECN1][i],
            (unsigned)o[2 + i * 3] << 16 | w_be16(o + 3 + i * 3));
}

static void show_opt(struct text *t, const uint8_t *o, unsigned n)
{
    bool is_exp = o[0] == TCPO_EXP && n >= 4 && w_be16(o + 2) == TCPO_EXP_FASTOPEN;
    if (o[0] == TCPO_NOP || o[0] == TCPO_EOL)
        say(t, "%s", o[0] == TCPO_NOP ? "nop" : "eol");
    else if (o[0] == TCPO_MSS && n == 4)
        say(t, "mss %u", w_be16(o + 2));
    else if (o[0] == TCPO_WSCALE && n == 3)
        say(t, "wscale %u", o[2]);
    else if (o[0] == TCPO_SACK_OK && n == 2)
        say(t, "sackOK");
    else if (o[0] == TCPO_TS && n == 10)
        say(t, "TS val %" PRIu32 " ecr %" PRIu32, w_be32(o + 2), w_be32(o + 6));
    else if (o[0] == TCPO_ACCECN0 || o[0] == TCPO_ACCECN1)
        show_accecn(t, o, n);
    else if (o[0] == TCPO_FASTOPEN || is_exp) {
        unsigned skip = is_exp ? 4 : 2;
        say(t, n > skip ? "%s " : "%s", is_exp ? "FOEXP" : "FO");
        show_hex(t, o + skip, n - skip);
    } else if (o[0] == TCPO_SACK && n >= 10 && n % 8 == 2) {
        say(t, "sack");
        for (unsigned i = 2; i < n; i += 8)
            say(t, " %" PRIu32 ":%" PRIu32, w_be32(o + i), w_be32(o + i + 4));
    } else {
        say(t, "raw ");
        show_hex(t, o, n);
    }
}

static void show_opts(struct text *t, const struct script_pkt *k)
{
    unsigned at = 0, n = 0;
    const uint8_t *o = NULL;
    if (k->is_any_opts)
        say(t, " <...>");
    if (k->is_any_opts || k->n_opt == 0)
        return;
    say(t, " <");
    for (bool is_first = true; packet_opt_next(k, &at, &o, &n); is_first = false) {
        say(t, "%s", is_first ? "" : ",");
        show_opt(t, o, n);
    }
    say(t, ">");
}

static void show_ip(struct text *t, const struct script_pkt *k)
{
    static const char *const ecn[] = {"noecn", "ect1", "ect0", "ce"};
    if (k->tos_check == TOS_ECN)
        say(t, "[%s] ", ecn[k->tos & ECN_MASK]);
    else if (k->tos_check == TOS_ECT01)
        say(t, "[ect01] ");
    else if (k->tos_check == TOS_ALL || (k->tos_check == TOS_ANY && k->tos != 0))
        say(t, "[tos 0x%x] ", k->tos);
    if (k->ttl >= 0 && k->tos_check == TOS_ANY && !k->has_win)
        say(t, "[ttl %d] ", k->ttl);
}

static void show_tcp(struct text *t, const struct script_pkt *k)
{
    if (k->has_ports)
        say(t, "%u > %u ", k->sport, k->dport);
    show_flags(t, k->flags);
    say(t, " %" PRIu32 ":%" PRIu32 "(%" PRIu32 ")", k->seq, k->seq + k->len, k->len);
    if ((k->flags & TCPF_ACK) != 0)
        say(t, " ack %" PRIu32, k->ack);
    if (k->has_win)
        say(t, " win %u", k->win);
    if (k->urg != 0 || (k->flags & TCPF_URG) != 0)
        say(t, " urg %u", k->urg);
    show_opts(t, k);
}

static void show_icmp(struct text *t, const struct script_pkt *k)
{
    say(t, "icmp%s type %u code %u", k->proto == PROTO_ICMP6 ? "6" : "", k->icmp_type,
        k->icmp_code);
    if (k->has_mtu)
        say(t, " mtu %" PRIu32, k->mtu);
    if (k->has_id)
        say(t, " id %" PRIu32, k->id);
    if (k->echo == ECHO_TCP)
        say(t, " [%" PRIu32 ":%" PRIu32 "(%" PRIu32 ")]", k->echo_seq, k->echo_seq + k->echo_len,
            k->echo_len);
    else if (k->echo != ECHO_NONE)
        say(t, " [%s (%" PRIu32 ")]", k->echo == ECHO_UDP ? "udp" : "raw", k->echo_len);
}

void packet_show(const struct script_pkt *k, char *buf, size_t cap)
{
    struct text t = {.buf = buf, .cap = cap};
    buf[0] = '\0';
    say(&t, "%c ", k->is_out ? '>' : '<');
    show_ip(&t, k);
    if (k->proto == PROTO_TCP)
        show_tcp(&t, k);
    else if (k->proto == PROTO_UDP)
        say(&t, "udp (%" PRIu32 ")", k->len);
    else
        show_icmp(&t, k);
}

/* ---- comparison ---- */

static void differ(struct text *t, const char *what, uint32_t want, uint32_t got)
{
    if (want != got)
        say(t, "%s%s %" PRIu32 " instead of %" PRIu32, t->n != 0 ? ", " : "", what, got, want);
}

static void match_ip(struct text *t, const struct script_pkt *want, const struct script_pkt *got)
{
    uint8_t ecn = got->tos & ECN_MASK;
    if (want->tos_check == TOS_ECN)
        differ(t, "ECN codepoint", want->tos & ECN_MASK, ecn);
    else if (want->tos_check == TOS_ALL)
        differ(t, "tos", want->tos, got->tos);
    else if (want->tos_check == TOS_ECT01 && ecn != ECN_ECT0 && ecn != ECN_ECT1)
        say(t, "ECN codepoint %u instead of ect0 or ect1", ecn);
    if (want->ttl >= 0)
        differ(t, "ttl", (uint32_t)want->ttl, (uint32_t)got->ttl);
}

/* The same label in the script must be the same on the wire, another one another. */
static void match_label(struct text *t, const struct script_pkt *want, const struct script_pkt *got,
                        struct conn *c)
{
    if (!want->has_label || want->label == 0)
        return;
    if (got->label == 0)
        say(t, "%sno flow label", t->n != 0 ? ", " : "");
    bool is_same = want->label == c->script_label;
    if (c->script_label != 0 && is_same != (got->label == c->live_label))
        say(t, "%sflow label %s", t->n != 0 ? ", " : "",
            is_same ? "has changed" : "has not changed");
    c->script_label = want->label;
    c->live_label = got->label;
}

static void match_opts(struct text *t, const struct script_pkt *want, const struct script_pkt *got)
{
    unsigned wat = 0, gat = 0, wn = 0, gn = 0, i = 0;
    const uint8_t *w = NULL, *g = NULL;
    if (want->is_any_opts)
        return;
    bool has_w = packet_opt_next(want, &wat, &w, &wn), has_g = packet_opt_next(got, &gat, &g, &gn);
    for (i = 1; has_w && has_g; i++) {
        /* Timestamp values are compared with a tolerance, by run.c; echo replies here. */
        unsigned from = w[0] == TCPO_TS && wn == 10 ? 6 : 1;
        if (w[0] != g[0] || wn != gn || (wn > from && memcmp(w + from, g + from, wn - from) != 0))
            break;
        has_w = packet_opt_next(want, &wat, &w, &wn);
        has_g = packet_opt_next(got, &gat, &g, &gn);
    }
    if (has_w || has_g)
        say(t, "%soption %u differs", t->n != 0 ? ", " : "", i);
}

static void match_tcp(struct text *t, const struct script_pkt *want, const struct script_pkt *got)
{
    if (want->flags != got->flags) {
        say(t, "%sflags ", t->n != 0 ? ", " : "");
        show_flags(t, got->flags);
        say(t, " instead of ");
        show_flags(t, want->flags);
    }
    differ(t, "sequence number", want->seq, got->seq);
    differ(t, "length", want->len, got->len);
    if ((want->flags & TCPF_ACK) != 0 && (got->flags & TCPF_ACK) != 0)
        differ(t, "acknowledgement", want->ack, got->ack);
    if (want->has_win)
        differ(t, "window", want->win, got->win);
    differ(t, "urgent pointer", want->urg, got->urg);
    match_opts(t, want, got);
}

bool packet_match(const struct script_pkt *want, const struct script_pkt *got, struct conn *c,
                  char *why, size_t cap)
{
    struct text t = {.buf = why, .cap = cap};
    why[0] = '\0';
    differ(&t, "protocol", want->proto, got->proto);
    if (t.n != 0)
        return false;
    if (got->has_csum_err)
        say(&t, "a wrong checksum");
    match_ip(&t, want, got);
    match_label(&t, want, got, c);
    if (want->has_ports && want->sport != 0)
        differ(&t, "source port", want->sport, got->sport);
    if (want->has_ports && want->dport != 0)
        differ(&t, "destination port", want->dport, got->dport);
    if (want->proto == PROTO_TCP) {
        match_tcp(&t, want, got);
    } else if (want->proto == PROTO_UDP) {
        differ(&t, "length", want->len, got->len);
    } else {
        differ(&t, "ICMP type", want->icmp_type, got->icmp_type);
        differ(&t, "ICMP code", want->icmp_code, got->icmp_code);
        if (want->has_mtu)
            differ(&t, "MTU", want->mtu, got->mtu);
        if (want->has_id)
            differ(&t, "identifier", want->id, got->id);
    }
    return t.n == 0;
}
