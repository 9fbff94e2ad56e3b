/* SPDX-License-Identifier: Apache-2.0
 *
 * SYN cookies: a handshake without memory [RFC 4987 3.6; Bernstein 1996].
 *
 * Decides: what the sequence number of a SYN-ACK says about the SYN, whether an ACK is believed.
 * Owns: nothing; the listener's cookie_ms says whether cookies were sent lately.
 * Called by listen.c when there is no room for another half-open record; calls seg.c.
 *
 * Theory of operation. The SYN-ACK's sequence number is
 *
 *     H1(flow) + SEG.SEQ + minute * 2^24 + ((H2(flow, minute, SEG.SEQ) + mss index) mod 2^24)
 *
 * so the ACK that comes back, less one, gives minute and index again to who knows the keys; of 2^32
 * other values all but 14 give neither. Window scale and SACK ride in the
 * low bits of the SYN-ACK's timestamp, which the peer echoes; without timestamps there are none, as
 * in Linux. A cookie is believed for two minutes, and only while the listener sent cookies lately,
 * so that an ACK out of nowhere is worth a guess only under attack.
 *
 * SEG.SEQ is inside H2, too: were it only added, a segment one byte further on would look like a
 * cookie with another index, and the connection would begin with a byte missing. Who lost the
 * handshake's ACK and the first text has to send that again: later text draws no reset.
 *
 * What it costs: the SYN-ACK is not repeated when lost (the client's SYN is), and an ACK that is
 * lost leaves a client that believes to be connected until it speaks. A late copy of the first
 * segment can open the connection again after it was closed here, while its cookie counts.
 */
#include "tcp/room.h"

enum {
    MASK = (1 << 24) - 1,
    MINUTES = TCP_COOKIE_MS / 60000,
    TS_BITS = 6, /* of the timestamp: 4 scale (15: none), 1 SACK, 1 unused (ECN in Linux) */
    TS_MASK = (1 << TS_BITS) - 1,
    TS_NO_SCALE = 15,
    TS_SACK = 16,
};

/* What SYNs say, rounded down, so that nobody is sent more than he takes [RFC 9293 3.7.1 MUST-16].
 * Those of most paths are exact; 536 is what a SYN without the option says
 * [RFC 9293 3.7.1 MUST-15]; the first is the least that is believed. */
static const uint16_t mss_of[] = {48, 88, 216, 536, 1220, 1300, 1440, 1460, 4312, 8960};

static uint32_t hash_1(const struct tcp *tcp, const struct flow *f)
{
    return (uint32_t)hash_flow_secret(&tcp->cookie_key[0], f);
}

static uint32_t hash_2(const struct tcp *tcp, const struct flow *f, uint32_t minute, tcp_seq irs)
{
    uint64_t d[2] = {hash_flow_secret(&tcp->cookie_key[1], f), (uint64_t)minute << 32 | irs};
    return (uint32_t)hash_sip24(&tcp->cookie_key[1], d, sizeof d);
}

static uint32_t minute_of(const struct tcp *tcp) { return (uint32_t)(tcp->env->now / (60 * W_S)); }

/* Flags and echo of the timestamp: not after now, or the peer's clock test would fail. */
static uint32_t stamp_of(const struct tcp *tcp, const struct syn_rec *r)
{
    uint32_t bits = (r->opts & SYN_WSCALE) != 0 ? r->wscale : TS_NO_SCALE;
    bits |= (r->opts & SYN_SACK) != 0 ? TS_SACK : 0;
    uint32_t now = tcp_now_ms(tcp), ts = (now & ~(uint32_t)TS_MASK) | bits;
    return ts_lt(now, ts) ? ts - (TS_MASK + 1) : ts;
}

enum drop tcp_cookie_syn(struct tcp *tcp, struct tcb *lsn, const struct seg *s,
                         const struct flow *f)
{
    struct syn_rec r;
    tcp_syn_rec_fill(tcp, lsn, s, f, &r);
    if ((r.opts & SYN_TS) == 0)
        r.opts = 0;
    uint32_t minute = minute_of(tcp), index = 0;
    while (index + 1 < WEIR_COUNT(mss_of) && mss_of[index + 1] <= r.mss)
        index++;
    r.iss =
        hash_1(tcp, f) + r.irs + (minute << 24) + ((hash_2(tcp, f, minute, r.irs) + index) & MASK);
    lsn->lsn.cookie_ms = tcp_stamp_ms(tcp);
    tcp_count(tcp, STAT_SyncookiesSent);
    (void)tcp_seg_cookie(tcp, &r, stamp_of(tcp, &r));
    return DROP_NONE;
}

/* The index that ack and seq say, or one out of range. */
static uint32_t index_of(const struct tcp *tcp, const struct flow *f, tcp_seq irs, tcp_seq iss)
{
    uint32_t v = iss - hash_1(tcp, f) - irs;
    uint32_t age = (minute_of(tcp) - (v >> 24)) & 0xff;
    if (age >= MINUTES)
        return UINT32_MAX;
    return (v - hash_2(tcp, f, minute_of(tcp) - age, irs)) & MASK;
}

static bool is_recent(const struct tcp *tcp, const struct tcb *lsn, uint32_t ms)
{
    return tcp->env->conf.tcp_syncookies != 0 && lsn->lsn.cookie_ms != 0 &&
           tcp_now_ms(tcp) - lsn->lsn.cookie_ms < ms;
}

bool tcp_cookie_may_follow(const struct tcp *tcp, const struct tcb *lsn, const struct seg *s,
                           const struct flow *f)
{
    /* What was sent since is missing from the sum: at most one off its eight high bits. */
    uint32_t v = s->ack - s->seq - hash_1(tcp, f);
    uint32_t age = (minute_of(tcp) - (v >> 24)) & 0xff;
    bool has_text = s->end != s->seq;
    return age <= MINUTES && is_recent(tcp, lsn, has_text ? TCP_COOKIE_MS : TCP_COOKIE_BARE_MS);
}

bool tcp_cookie_ack(struct tcp *tcp, struct tcb *lsn, const struct seg *s, const struct flow *f,
                    struct syn_rec *r)
{
    if (!is_recent(tcp, lsn, TCP_COOKIE_MS))
        return false;
    tcp_seq iss;
    uint32_t ts_off, index = index_of(tcp, f, s->seq - 1, s->ack - 1);
    if (index >= WEIR_COUNT(mss_of)) {
        tcp_count(tcp, STAT_SyncookiesFailed);
        return false;
    }
    memset(r, 0, sizeof *r);
    r->flow = *f;
    r->irs = s->seq - 1;
    r->iss = s->ack - 1;
    r->lsn = tcb_index(lsn) & TCP_INDEX_MASK;
    r->mss = mss_of[index];
    r->sent_us = tcp_now_us(tcp);
    if ((s->h.has & TCPH_TS) != 0 && tcp->env->conf.tcp_timestamps != 0) {
        tcp_isn(tcp, f, &iss, &ts_off);
        uint32_t bits = (s->h.ts_ecr - ts_off) & TS_MASK, scale = bits & 15;
        r->opts = SYN_TS;
        r->ts_recent = s->h.ts_val;
        if (scale != TS_NO_SCALE) {
            r->opts |= SYN_WSCALE;
            r->wscale = scale & 15;
        }
        if ((bits & TS_SACK) != 0)
            r->opts |= SYN_SACK;
        if (scale > WIRE_TCP_WSCALE_MAX && scale != TS_NO_SCALE)
            return false;
    }
    tcp_ecn_cookie_in(tcp, r, s);
    tcp_count(tcp, STAT_SyncookiesRecv);
    return true;
}
