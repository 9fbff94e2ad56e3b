/* SPDX-License-Identifier: Apache-2.0
 *
 * TCP headers: bytes to fields with every option decoded, and back in the order Linux writes.
 *
 * Decides what a header is (data offset >= 5 and within the bytes there are) and how options are
 * read: each may come in any segment and any order, the last of a kind counts, an unknown kind is
 * skipped by its length, a length < 2 or beyond the header ends the walk and keeps what came before
 * [RFC 9293 3.1]. An option of a known kind with a wrong length is skipped
 * like an unknown one. Whether an option means anything in this state (MSS outside a SYN, SACK that
 * was not negotiated) is tcp/'s to say.
 *
 * Owns nothing. Called by tcp/, icmp/, link/ (GRO, GSO) and show. Keeps: nothing beyond the data
 * offset is read; what build writes, parse reads back the same.
 *
 * The hot path: data offset 5, or 8 with NOP NOP TS, which is nearly every segment of a connection
 * with timestamps [RFC 7323 appendix A], is parsed without a loop.
 *
 * Read first: RFC 9293 3.1, 3.2; RFC 7323 2, 3; RFC 2018 3; RFC 7413 4.1.1; RFC 6994;
 * RFC 9768 3.2.3.
 */
#include "wire/tcp.h"

static uint32_t be24(const uint8_t *p) { return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]; }

static void put24(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 16);
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)v;
}

/* ---- parsing options: each takes its data bytes, says whether they made sense -------------- */

static bool parse_sack(const uint8_t *d, unsigned len, struct wire_tcp *h)
{
    if (len == 0 || len % 8 != 0 || len > 8 * WIRE_TCP_SACKS)
        return false;
    h->n_sack = (uint8_t)(len / 8);
    for (unsigned i = 0; i < h->n_sack; i++)
        h->sack[i] = (struct wire_tcp_sack){w_be32(d + 8 * i), w_be32(d + 8 * i + 4)};
    h->has |= TCPH_SACK;
    return true;
}

/* [RFC 7413 4.1.1 MUST-1] Cookies have 4 to 16 bytes, an even number; none is a request for one. */
static bool parse_fastopen(const uint8_t *d, unsigned len, struct wire_tcp *h, uint16_t exp)
{
    if (len % 2 != 0 || len > WIRE_TCP_COOKIE_MAX || (len != 0 && len < WIRE_TCP_COOKIE_MIN))
        return false;
    h->cookie_len = (uint8_t)len;
    memcpy(h->cookie, d, len);
    h->has = (uint16_t)((h->has & ~TCPH_FASTOPEN_EXP) | TCPH_FASTOPEN | exp);
    return true;
}

/* [RFC 9768 3.2.3 MUST-50] Three counters or fewer; what is left of an odd length is padding. */
static bool parse_accecn(const uint8_t *d, unsigned len, struct wire_tcp *h, uint8_t order)
{
    uint32_t v[3] = {0};
    h->acc_order = order;
    h->acc_n = (uint8_t)w_u32_min(len / 3, 3);
    for (unsigned i = 0; i < h->acc_n; i++)
        v[i] = be24(d + 3 * i);
    h->acc_e0b = v[order == 0 ? 0 : 2];
    h->acc_ceb = v[1];
    h->acc_e1b = v[order == 0 ? 2 : 0];
    h->has |= TCPH_ACCECN;
    return true;
}

static bool parse_ts(const uint8_t *d, unsigned len, struct wire_tcp *h)
{
    if (len != 8)
        return false;
    h->ts_val = w_be32(d);
    h->ts_ecr = w_be32(d + 4);
    h->has |= TCPH_TS;
    return true;
}

/* One option: kind, and its `len` data bytes behind kind and length. */
static bool parse_opt(uint8_t kind, const uint8_t *d, unsigned len, struct wire_tcp *h)
{
    switch (kind) {
    case TCPO_MSS:
        if (len != 2)
            return false;
        h->mss = w_be16(d);
        h->has |= TCPH_MSS;
        return true;
    case TCPO_WSCALE:
        if (len != 1)
            return false;
        /* [RFC 7323 2.3 MUST-8] A shift count over 14 is used as 14. */
        h->wscale = (uint8_t)w_u32_min(d[0], WIRE_TCP_WSCALE_MAX);
        h->has |= TCPH_WSCALE;
        return true;
    case TCPO_SACK_OK: h->has |= len == 0 ? TCPH_SACK_OK : 0; return len == 0;
    case TCPO_SACK: return parse_sack(d, len, h);
    case TCPO_TS: return parse_ts(d, len, h);
    case TCPO_MD5: h->has |= len == 16 ? TCPH_MD5 : 0; return len == 16;
    case TCPO_AO: h->has |= len >= 2 ? TCPH_AO : 0; return len >= 2;
    case TCPO_FASTOPEN: return parse_fastopen(d, len, h, 0);
    case TCPO_ACCECN0: return parse_accecn(d, len, h, 0);
    case TCPO_ACCECN1: return parse_accecn(d, len, h, 1);
    case TCPO_EXP:
        return len >= 2 && w_be16(d) == TCPO_EXP_FASTOPEN &&
               parse_fastopen(d + 2, len - 2, h, TCPH_FASTOPEN_EXP);
    default: return false;
    }
}

/* All options, in p[20 .. hlen). [RFC 9293 3.1 MUST-4, MUST-5; 3.2 MUST-64] */
static void parse_opts(const uint8_t *p, unsigned hlen, struct wire_tcp *h)
{
    unsigned at = WIRE_TCP_HLEN;
    while (at < hlen && p[at] != TCPO_EOL) {
        if (p[at] == TCPO_NOP) {
            at++;
            continue;
        }
        /* [RFC 9293 3.1 MUST-7] An illegal length ends the walk; nothing of it is believed. */
        if (hlen - at < 2 || p[at + 1] < 2 || p[at + 1] > hlen - at) {
            h->has |= TCPH_MALFORMED;
            return;
        }
        /* [RFC 9293 3.1 MUST-6] What we do not know is skipped without error. */
        if (!parse_opt(p[at], p + at + 2, p[at + 1] - 2u, h))
            h->has |= TCPH_UNKNOWN;
        at += p[at + 1];
    }
}

enum drop wire_tcp_parse(const uint8_t *p, size_t n, struct wire_tcp *h)
{
    if (WEIR_UNLIKELY(n < WIRE_TCP_HLEN))
        return DROP_TCP_SHORT;
    unsigned hlen = wire_tcp_hlen(p);
    h->sport = w_be16(p);
    h->dport = w_be16(p + 2);
    h->seq = w_be32(p + 4);
    h->ack = w_be32(p + 8);
    h->flags = w_be16(p + 12) & 0xfff;
    h->wnd = w_be16(p + 14);
    h->csum = w_be16(p + 16);
    h->urg = w_be16(p + 18);
    h->hlen = (uint8_t)hlen;
    h->has = 0;
    h->n_sack = 0;
    if (WEIR_UNLIKELY(hlen < WIRE_TCP_HLEN || hlen > n))
        return DROP_TCP_DOFF;
    if (WEIR_LIKELY(hlen == WIRE_TCP_HLEN + WIRE_TCP_TS_LEN) && wire_tcp_is_ts_only(p)) {
        h->ts_val = w_be32(p + 24);
        h->ts_ecr = w_be32(p + 28);
        h->has = TCPH_TS;
    } else if (hlen != WIRE_TCP_HLEN) {
        parse_opts(p, hlen, h);
    }
    return DROP_NONE;
}

/* ---- building options ---------------------------------------------------------------------- */

/* Linux keeps everything that has words in it on a word boundary. NOPs until `len` more bytes end
 * on one. Returns the offset after them. */
static unsigned pad(uint8_t *at, unsigned off, unsigned len)
{
    while ((off + len) % 4 != 0)
        at[off++] = TCPO_NOP;
    return off;
}

/* Kind and length of an option that, with `len` bytes in all, is to end on a boundary. */
static unsigned open_opt(uint8_t *at, unsigned off, uint8_t kind, unsigned len)
{
    off = pad(at, off, len);
    at[off] = kind;
    at[off + 1] = (uint8_t)len;
    return off + 2;
}

static unsigned build_ts(uint8_t *at, unsigned off, const struct wire_tcp *h)
{
    /* SACK-permitted fills the two bytes that padding would take. */
    if ((h->has & TCPH_SACK_OK) != 0) {
        at[off++] = TCPO_SACK_OK;
        at[off++] = 2;
    }
    off = open_opt(at, off, TCPO_TS, 10);
    w_put32(at + off, h->ts_val);
    w_put32(at + off + 4, h->ts_ecr);
    return off + 8;
}

/* [RFC 9768 3.2.3 MUST-48, MUST-49] */
static unsigned build_accecn(uint8_t *at, unsigned off, const struct wire_tcp *h)
{
    uint32_t first = h->acc_order == 0 ? h->acc_e0b : h->acc_e1b;
    uint32_t last = h->acc_order == 0 ? h->acc_e1b : h->acc_e0b;
    uint32_t v[3] = {first, h->acc_ceb, last};
    WEIR_ASSERT(h->acc_n <= 3);
    at[off] = h->acc_order == 0 ? TCPO_ACCECN0 : TCPO_ACCECN1;
    at[off + 1] = (uint8_t)(2 + 3 * h->acc_n);
    for (unsigned i = 0; i < h->acc_n; i++)
        put24(at + off + 2 + 3 * i, v[i]);
    return off + 2 + 3u * h->acc_n;
}

static unsigned build_sack(uint8_t *at, unsigned off, const struct wire_tcp *h)
{
    WEIR_ASSERT(h->n_sack >= 1);
    WEIR_ASSERT(h->n_sack <= WIRE_TCP_SACKS);
    off = open_opt(at, off, TCPO_SACK, 2 + 8u * h->n_sack);
    for (unsigned i = 0; i < h->n_sack; i++, off += 8) {
        w_put32(at + off, h->sack[i].start);
        w_put32(at + off + 4, h->sack[i].end);
    }
    return off;
}

static unsigned build_fastopen(uint8_t *at, unsigned off, const struct wire_tcp *h)
{
    WEIR_ASSERT(h->cookie_len <= WIRE_TCP_COOKIE_MAX);
    bool is_exp = (h->has & TCPH_FASTOPEN_EXP) != 0;
    off = pad(at, off, 0);
    at[off] = is_exp ? TCPO_EXP : TCPO_FASTOPEN;
    at[off + 1] = (uint8_t)(2 + (is_exp ? 2 : 0) + h->cookie_len);
    off += 2;
    if (is_exp) {
        w_put16(at + off, TCPO_EXP_FASTOPEN);
        off += 2;
    }
    memcpy(at + off, h->cookie, h->cookie_len);
    return off + h->cookie_len;
}

/* Room for all options at once, far more than a header can hold. */
enum { OPTS_SCRATCH = 4 + 12 + 12 + 4 + 4 + 36 + 20 };

/* The options from at[0]; returns their length, a multiple of 4, at most OPTS_SCRATCH. [RFC 9293
 * 3.1 MUST-68, MUST-69] */
static unsigned build_opts(uint8_t *at, const struct wire_tcp *h)
{
    unsigned off = 0, has = h->has;
    if ((has & TCPH_MSS) != 0) {
        off = open_opt(at, off, TCPO_MSS, 4);
        w_put16(at + off, h->mss);
        off += 2;
    }
    if ((has & TCPH_TS) != 0)
        off = build_ts(at, off, h);
    if ((has & TCPH_ACCECN) != 0)
        off = build_accecn(at, off, h);
    if ((has & TCPH_SACK_OK) != 0 && (has & TCPH_TS) == 0)
        off = open_opt(at, off, TCPO_SACK_OK, 2);
    if ((has & TCPH_WSCALE) != 0) {
        off = open_opt(at, off, TCPO_WSCALE, 3);
        at[off++] = h->wscale;
    }
    if ((has & TCPH_SACK) != 0)
        off = build_sack(at, off, h);
    if ((has & TCPH_FASTOPEN) != 0)
        off = build_fastopen(at, off, h);
    return pad(at, off, 0);
}

unsigned wire_tcp_opts_len(const struct wire_tcp *h)
{
    uint8_t scratch[OPTS_SCRATCH];
    if (WEIR_LIKELY((h->has & ~TCPH_TS) == 0))
        return h->has != 0 ? WIRE_TCP_TS_LEN : 0;
    return build_opts(scratch, h);
}

unsigned wire_tcp_build(uint8_t *at, const struct wire_tcp *h)
{
    unsigned len = wire_tcp_opts_len(h);
    WEIR_ASSERT(len <= WIRE_TCP_OPT_MAX);
    uint32_t doff = (WIRE_TCP_HLEN + len) / 4;
    w_put32(at, (uint32_t)h->sport << 16 | h->dport);
    w_put32(at + 4, h->seq);
    w_put32(at + 8, h->ack);
    w_put32(at + 12, doff << 28 | (uint32_t)(h->flags & 0xfff) << 16 | h->wnd);
    w_put32(at + 16, (uint32_t)h->csum << 16 | h->urg);
    if (WEIR_LIKELY(h->has == TCPH_TS)) {
        w_put32(at + 20, WIRE_TCP_TS_WORD);
        w_put32(at + 24, h->ts_val);
        w_put32(at + 28, h->ts_ecr);
    } else if (len != 0) {
        build_opts(at + WIRE_TCP_HLEN, h);
    }
    return WIRE_TCP_HLEN + len;
}
