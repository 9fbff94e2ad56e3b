/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of a TCP segment, tcpdump's: flags, sequence numbers (absolute), window, options.
 *
 * Decides how each option reads. Options are walked here once more, in the order they stand and
 * padding included, because the order is often what one looks for; wire_tcp_parse() keeps none.
 *
 * Owns nothing. Called by show.c. Keeps: reads only the bytes that are there; a malformed option
 * ends the list with what is wrong, as the parser stops there.
 *
 * Read first: show.c, tcp.c.
 */
#include "wire/show_part.h"
#include "wire/tcp.h"

static void show_flags(struct text *t, uint16_t flags)
{
    static const struct {
        uint16_t bit;
        char name[2];
    } all[] = {
        {TCPF_FIN, "F"}, {TCPF_SYN, "S"}, {TCPF_RST, "R"}, {TCPF_PSH, "P"}, {TCPF_ACK, "."},
        {TCPF_URG, "U"}, {TCPF_ECE, "E"}, {TCPF_CWR, "W"}, {TCPF_AE, "e"},
    };
    text_str(t, "Flags [");
    for (unsigned i = 0; i < WEIR_COUNT(all); i++)
        if ((flags & all[i].bit) != 0)
            text_str(t, all[i].name);
    text_str(t, (flags & 0x1ff) == 0 ? "none]" : "]");
}

static void show_sack(struct text *t, const uint8_t *d, unsigned len)
{
    text_field(t, "sack ", len / 8);
    text_str(t, " ");
    for (unsigned i = 0; i + 8 <= len; i += 8) {
        text_field(t, "{", w_be32(d + i));
        text_field(t, ":", w_be32(d + i + 4));
        text_str(t, "}");
    }
}

static void show_cookie(struct text *t, const char *name, const uint8_t *d, unsigned len)
{
    text_str(t, name);
    text_str(t, len == 0 ? " cookiereq" : " cookie ");
    text_bytes(t, d, len);
}

static void show_accecn(struct text *t, uint8_t kind, const uint8_t *d, unsigned len)
{
    static const char *const order[2][3] = {{" e0b ", " ceb ", " e1b "},
                                            {" e1b ", " ceb ", " e0b "}};
    text_str(t, kind == TCPO_ACCECN0 ? "accecn0" : "accecn1");
    for (unsigned i = 0; i < 3 && 3 * i + 3 <= len; i++) {
        const uint8_t *b = d + 3 * i;
        text_field(t, order[kind == TCPO_ACCECN1][i],
                   (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2]);
    }
}

static void show_unknown(struct text *t, uint8_t kind, const uint8_t *d, unsigned len)
{
    text_field(t, "unknown-", kind);
    text_str(t, len != 0 ? " 0x" : "");
    text_bytes(t, d, len);
}

/* An option whose length was checked, `len` data bytes at d. */
static void show_opt(struct text *t, uint8_t kind, const uint8_t *d, unsigned len)
{
    if (kind == TCPO_MSS && len == 2) {
        text_field(t, "mss ", w_be16(d));
    } else if (kind == TCPO_WSCALE && len == 1) {
        text_field(t, "wscale ", d[0]);
    } else if (kind == TCPO_SACK_OK && len == 0) {
        text_str(t, "sackOK");
    } else if (kind == TCPO_SACK && len % 8 == 0) {
        show_sack(t, d, len);
    } else if (kind == TCPO_TS && len == 8) {
        text_field(t, "TS val ", w_be32(d));
        text_field(t, " ecr ", w_be32(d + 4));
    } else if (kind == TCPO_FASTOPEN) {
        show_cookie(t, "tfo", d, len);
    } else if (kind == TCPO_EXP && len >= 2 && w_be16(d) == TCPO_EXP_FASTOPEN) {
        show_cookie(t, "exp-tfo", d + 2, len - 2);
    } else if (kind == TCPO_ACCECN0 || kind == TCPO_ACCECN1) {
        show_accecn(t, kind, d, len);
    } else if (kind == TCPO_MD5 && len == 16) {
        text_str(t, "md5");
    } else if (kind == TCPO_AO && len >= 2) {
        text_field(t, "ao keyid ", d[0]);
    } else {
        show_unknown(t, kind, d, len);
    }
}

static void show_opts(struct text *t, const uint8_t *p, unsigned hlen)
{
    const char *sep = ", options [";
    unsigned at = WIRE_TCP_HLEN;
    while (at < hlen) {
        text_str(t, sep);
        sep = ",";
        if (p[at] == TCPO_EOL) {
            text_str(t, "eol");
            break;
        }
        if (p[at] == TCPO_NOP) {
            text_str(t, "nop");
            at++;
            continue;
        }
        if (hlen - at < 2 || p[at + 1] < 2 || p[at + 1] > hlen - at) {
            text_field(t, "bad option ", p[at]);
            break;
        }
        show_opt(t, p[at], p + at + 2, p[at + 1] - 2u);
        at += p[at + 1];
    }
    text_str(t, hlen > WIRE_TCP_HLEN ? "]" : "");
}

static void show_numbers(struct text *t, const struct wire_tcp *h, size_t len)
{
    if (len != 0 || (h->flags & (TCPF_SYN | TCPF_FIN | TCPF_RST)) != 0) {
        text_field(t, ", seq ", h->seq);
        if (len != 0)
            text_field(t, ":", (uint32_t)(h->seq + len));
    }
    if ((h->flags & TCPF_ACK) != 0)
        text_field(t, ", ack ", h->ack);
    text_field(t, ", win ", h->wnd);
    if ((h->flags & TCPF_URG) != 0)
        text_field(t, ", urg ", h->urg);
}

void show_tcp(struct text *t, const struct show_l4 *m)
{
    struct wire_tcp h;
    enum drop bad = wire_tcp_parse(m->p, m->n, &h);
    if (bad == DROP_TCP_SHORT) {
        show_hosts(t, m);
        text_str(t, "TCP");
        show_bad(t, bad);
        return;
    }
    text_endpoint(t, &m->src, h.sport);
    text_str(t, " > ");
    text_endpoint(t, &m->dst, h.dport);
    text_str(t, ": ");
    show_flags(t, h.flags);
    size_t len = bad == DROP_NONE ? m->len - h.hlen : 0;
    show_numbers(t, &h, len);
    if (bad != DROP_NONE) {
        show_bad(t, bad);
        return;
    }
    show_opts(t, m->p, h.hlen);
    text_field(t, ", length ", len);
}
