/* SPDX-License-Identifier: Apache-2.0
 *
 * Fast Open: data in the SYN, allowed by a cookie that the server gave out before [RFC 7413].
 *
 * Decides: what a client's SYN offers and whether data goes with it; whether a server believes a
 * cookie; what is remembered of servers.
 * Owns: tcp->fo_peers, the listeners' counts of children that are not settled.
 * Called by conn.c (client), listen.c (server), in_open.c (the SYN-ACK), opt.c; calls nobody.
 *
 * Theory of operation. A cookie is a keyed hash of both addresses, cut to 8 bytes, as Linux makes
 * it (SipHash-2-4): hosts that share tcp_fastopen_key accept each other's. Who has one has seen a
 * packet of ours at that address, so data in a SYN cannot come from a forged one [RFC 7413 2]. A
 * server may see data twice when a SYN is repeated [RFC 7413 6]: for programs that ask for it.
 *
 * A client remembers per pair of addresses the cookie, the MSS, and whether SYNs with data were
 * lost: a middlebox may drop what it does not know. What the SYN carried stays in the send queue
 * and is in no scoreboard until the SYN-ACK says how much of it came; losing it costs only time.
 *
 * Invariants: memory is fo_sets * FO_WAYS entries, the least recently used of a set goes; a
 * listener has at most fo_max children with FO_PASSIVE, those reset within the last minute
 * counted [RFC 7413 5.1]: reflecting SYN-ACKs off a server must not fill it.
 */
#include <errno.h>

#include "tcp/room.h"

enum {
    FO_WAYS = 4,
    COOKIE_BYTES = 8,
    OPTION_SPACE = 40, /* of a SYN with data: whatever options it has, all is full of them */
    DROPS_MAX = 2,     /* lost in a row, then no data for a while */
    RST_MS = 60000,
};

/* ---- bits of tcp_fastopen, as Linux numbers them ---- */
enum {
    CLIENT = 0x1,
    SERVER = 0x2,
    CLIENT_NO_COOKIE = 0x4,
    SERVER_NO_COOKIE = 0x200,
    SERVER_ALL = 0x400, /* every listener, whether it asked or not */
};

static bool may(const struct tcp *tcp, uint32_t bits)
{
    return (tcp->env->conf.tcp_fastopen & bits) == bits;
}

void tcp_fo_init(struct tcp *tcp, struct arena *a)
{
    static const uint8_t what[] = {1, 2, 3, 4, 5, 6};
    struct hash_key *keys[] = {&tcp->fo_key, &tcp->cookie_key[0], &tcp->cookie_key[1]};
    for (unsigned i = 0; i < WEIR_COUNT(keys); i++) {
        keys[i]->k0 = hash_sip24(&tcp->env->key_misc, &what[2 * i], 1);
        keys[i]->k1 = hash_sip24(&tcp->env->key_misc, &what[2 * i + 1], 1);
    }
    tcp->fo_sets = w_u32_max(tcp->env->conf.n_fastopen / FO_WAYS, 1);
    tcp->fo_peers = arena_take(a, tcp->fo_sets * FO_WAYS * sizeof(struct fo_peer), WEIR_CACHELINE);
}

void tcp_fo_conf_changed(struct tcp *tcp)
{
    if (tcp->env->conf.tcp_fastopen_cookies == 0)
        memset(tcp->fo_peers, 0, tcp->fo_sets * FO_WAYS * sizeof(struct fo_peer));
}

/* ---- what is known of a server ---- */

static struct fo_peer *set_of(const struct tcp *tcp, const struct flow *f)
{
    struct addr pair[2] = {f->local, f->remote};
    uint64_t h = hash_sip13(&tcp->env->key_misc, pair, sizeof pair);
    return &tcp->fo_peers[(uint32_t)(h % tcp->fo_sets) * FO_WAYS];
}

static struct fo_peer *peer_find(const struct tcp *tcp, const struct flow *f)
{
    struct fo_peer *set = set_of(tcp, f);
    for (unsigned i = 0; i < FO_WAYS; i++) {
        if (set[i].used_ms != 0 && addr_eq(&set[i].remote, &f->remote) &&
            addr_eq(&set[i].local, &f->local))
            return &set[i];
    }
    return NULL;
}

/* The entry of this pair, a new one in place of the oldest if need be. */
static struct fo_peer *peer_get(const struct tcp *tcp, const struct flow *f)
{
    struct fo_peer *p = peer_find(tcp, f), *set = set_of(tcp, f);
    uint32_t now = tcp_now_ms(tcp);
    if (p == NULL) {
        p = set;
        for (unsigned i = 0; i < FO_WAYS && p->used_ms != 0; i++) {
            if (set[i].used_ms == 0 || now - set[i].used_ms > now - p->used_ms)
                p = &set[i];
        }
        *p = (struct fo_peer){.local = f->local, .remote = f->remote};
    }
    p->used_ms = tcp_stamp_ms(tcp);
    return p;
}

/* [RFC 7413 4.1.3.1 MUST-3] Data in SYNs is lost on this path: for a minute, doubling, none is
 * tried. */
static bool is_black_hole(const struct tcp *tcp, const struct fo_peer *p)
{
    if (p->n_drop < DROPS_MAX)
        return false;
    uint32_t wait_ms = 60000u << w_u32_min(p->n_drop - DROPS_MAX, 8);
    return tcp_now_ms(tcp) - p->drop_ms < wait_ms;
}

/* ---- client ---- */

/* [RFC 7413 4.1.3 MUST-2, SHLD-2] */
bool tcp_fo_client(struct tcp *tcp, const struct tcb *t, struct fo_cookie *fo, uint32_t *room)
{
    struct fo_peer *p = peer_find(tcp, &t->flow);
    uint32_t mss = t->snd.mss + ((t->flags & TF_TS) != 0 ? WIRE_TCP_TS_LEN : 0u);
    *fo = (struct fo_cookie){.len = 0};
    if (p != NULL) {
        p->used_ms = tcp_stamp_ms(tcp);
        *fo = p->cookie;
        fo->is_exp = p->cookie.len > 0 ? p->cookie.is_exp : p->try_exp == 1;
        mss = p->mss != 0 ? w_u32_min(mss, p->mss) : mss;
    }
    *room = mss > OPTION_SPACE ? mss - OPTION_SPACE : 0;
    if (p != NULL && is_black_hole(tcp, p)) {
        fo->len = FO_NONE;
        return false;
    }
    if (may(tcp, CLIENT_NO_COOKIE) || (t->fo & FO_NO_COOKIE) != 0) {
        fo->len = FO_NONE;
        return true;
    }
    return fo->len > 0;
}

static void learn(struct tcp *tcp, struct tcb *t, const struct seg *s, bool is_taken)
{
    bool has_cookie = (s->h.has & TCPH_FASTOPEN) != 0 && s->h.cookie_len > 0;
    bool was_repeated = (t->flags & TF_SYN_RTX) != 0;
    bool had_data = tcp_fo_syn_bytes(t) != 0;
    if (tcp->env->conf.tcp_fastopen_cookies == 0)
        return;
    struct fo_peer *p = peer_get(tcp, &t->flow);
    if ((s->h.has & TCPH_MSS) != 0)
        p->mss = s->h.mss;
    /* A cookie nobody asked for is not kept. */
    if ((t->fo & FO_OFFER) != 0 && has_cookie) {
        p->cookie.len = (int8_t)s->h.cookie_len;
        p->cookie.is_exp = (s->h.has & TCPH_FASTOPEN_EXP) != 0;
        memcpy(p->cookie.val, s->h.cookie, s->h.cookie_len);
    } else if ((t->fo & FO_OFFER) != 0 && !was_repeated && !had_data && p->cookie.len == 0) {
        uint8_t tried = (t->fo & FO_EXP) != 0 ? 2 : 1;
        p->try_exp = tried > p->try_exp ? tried : p->try_exp;
    }
    if (was_repeated && had_data && !has_cookie && !is_taken) {
        p->n_drop = p->n_drop < UINT8_MAX ? p->n_drop + 1 : p->n_drop;
        p->drop_ms = tcp_now_ms(tcp);
    } else {
        p->n_drop = 0;
    }
}

/* [RFC 7413 4.1.3] The SYN-ACK acknowledges all of the SYN's data, some, or none; the rest is sent
 * is retransmitted by the caller. */
void tcp_fo_syn_ack(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    uint32_t had = tcp_fo_syn_bytes(t), taken = s->ack - (t->sndq.iss + 1);
    learn(tcp, t, s, taken != 0);
    if (had == 0)
        return;
    if (taken == had)
        t->fo |= FO_DATA;
    tcp_count(tcp, taken == had ? STAT_TCPFastOpenActive : STAT_TCPFastOpenActiveFail);
    t->snd.una = t->snd.nxt = s->ack;
    t->st.bytes_out += had;
    t->st.bytes_acked += taken;
    if (WEIR_UNLIKELY((t->flags & TF_WATCH) != 0))
        tcp_watch_acked(tcp, t, s->ack);
    tcp_sndq_drop(tcp, t, s->ack);
    if (taken < had && tcp_sent_has_room(tcp, t)) {
        t->snd.nxt += had - taken;
        tcp_sent_push(tcp, t, t->snd.una, t->snd.nxt);
    }
}

/* ---- server ---- */

static struct hash_key key_of(const struct tcp *tcp, const struct tcb *lsn)
{
    const struct weir_conf *c = &tcp->env->conf;
    if (lsn->lsn.has_fo_key)
        return lsn->lsn.fo_key;
    if ((c->tcp_fastopen_key0 & c->tcp_fastopen_key1 & c->tcp_fastopen_key2 &
         c->tcp_fastopen_key3) == UINT32_MAX)
        return tcp->fo_key;
    return (struct hash_key){(uint64_t)c->tcp_fastopen_key1 << 32 | c->tcp_fastopen_key0,
                             (uint64_t)c->tcp_fastopen_key3 << 32 | c->tcp_fastopen_key2};
}

/* [RFC 7413 4.1.2 SHLD-1] */
static void make_cookie(const struct tcp *tcp, const struct tcb *lsn, const struct flow *f,
                        struct fo_cookie *out)
{
    uint8_t pair[32];
    unsigned skip = addr_is_ip4(&f->remote) ? 12 : 0, n = 16 - skip;
    struct hash_key key = key_of(tcp, lsn);
    memcpy(pair, f->remote.b + skip, n);
    memcpy(pair + n, f->local.b + skip, n);
    uint64_t h = hash_sip24(&key, pair, 2 * (size_t)n);
    out->len = COOKIE_BYTES;
    for (unsigned i = 0; i < COOKIE_BYTES; i++)
        out->val[i] = (uint8_t)(h >> 8 * i);
}

/* [RFC 7413 4.2 MUST-5] A limit of children whose handshake is not through. */
static bool has_place(struct tcp *tcp, struct tcb *lsn)
{
    if (lsn->lsn.n_fo_rst != 0 && tcp_now_ms(tcp) - lsn->lsn.fo_rst_ms >= RST_MS)
        lsn->lsn.n_fo_rst = 0;
    if ((uint32_t)lsn->lsn.n_fo + lsn->lsn.n_fo_rst < lsn->lsn.fo_max)
        return true;
    if (lsn->lsn.fo_max != 0)
        tcp_count(tcp, STAT_TCPFastOpenListenOverflow);
    return false;
}

/* All bytes are looked at, whichever is the first to differ. */
static bool is_same(const uint8_t *a, const uint8_t *b, unsigned n)
{
    unsigned diff = 0;
    for (unsigned i = 0; i < n; i++)
        diff |= (unsigned)a[i] ^ b[i];
    return diff == 0;
}

/* [RFC 7413 4.2 MUST-4] */
bool tcp_fo_server(struct tcp *tcp, struct tcb *lsn, const struct seg *s, const struct flow *f,
                   struct fo_cookie *answer)
{
    bool has_opt = (s->h.has & TCPH_FASTOPEN) != 0;
    *answer = (struct fo_cookie){.len = FO_NONE, .is_exp = (s->h.has & TCPH_FASTOPEN_EXP) != 0};
    if (!may(tcp, SERVER) || (s->len == 0 && !has_opt))
        return false;
    if (has_opt && s->h.cookie_len == 0)
        tcp_count(tcp, STAT_TCPFastOpenCookieReqd);
    if (!has_place(tcp, lsn))
        return false;
    if (may(tcp, SERVER_NO_COOKIE) || (lsn->fo & FO_NO_COOKIE) != 0)
        return true;
    if (!has_opt)
        return false;
    make_cookie(tcp, lsn, f, answer);
    if (s->h.cookie_len == 0)
        return false;
    if (s->h.cookie_len == COOKIE_BYTES && is_same(answer->val, s->h.cookie, COOKIE_BYTES)) {
        answer->len = FO_NONE;
        return true;
    }
    /* [RFC 7413 4.2.1] A wrong one: only the SYN counts, and the answer has the right one. */
    tcp_count(tcp, STAT_TCPFastOpenPassiveFail);
    return false;
}

void tcp_fo_settled(struct tcp *tcp, struct tcb *t, bool was_reset)
{
    struct tcb *lsn = tcp_lsn_of(tcp, t);
    t->fo &= (uint8_t)~FO_PASSIVE;
    if (lsn == NULL || lsn->lsn.n_fo == 0)
        return;
    lsn->lsn.n_fo--;
    if (was_reset && lsn->lsn.n_fo_rst < UINT16_MAX) {
        lsn->lsn.n_fo_rst++;
        lsn->lsn.fo_rst_ms = tcp_now_ms(tcp);
    }
}

int tcp_fo_key_set(struct tcb *t, const uint8_t *key, size_t n)
{
    bool is_before = t->state == TCPS_CLOSED && (t->flags & TF_CONNECTED) == 0;
    if (n != 16 || !(is_before || t->state == TCPS_LISTEN))
        return -EINVAL;
    memcpy(&t->lsn.fo_key, key, 16); /* little-endian words, as everything weir runs on */
    t->lsn.has_fo_key = 1;
    return 0;
}

void tcp_fo_key_get(const struct tcp *tcp, const struct tcb *t, uint8_t key[16])
{
    struct hash_key k = key_of(tcp, t);
    memcpy(key, &k, 16);
}
