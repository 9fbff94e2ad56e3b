/* SPDX-License-Identifier: Apache-2.0
 *
 * Between a script's packets and the bytes of real ones.
 *
 * Theory of operation. A script is written before anybody knows the initial sequence numbers and
 * the timestamp clock of the stack under test. So the runner learns them from what comes out (the
 * first SYN or SYN-ACK, each timestamp) and from then on translates: inbound packets from the
 * script's numbers to live ones before they are injected, outbound ones back before they are
 * compared. The peer's side needs no learning: the script chooses it, and the packet carries it.
 *
 *     number              script                    live
 *     our seq, SYN        s                         s - script_isn + local_isn
 *     our seq, else       s                         s + local_isn
 *     peer's seq, SYN     s                         s
 *     peer's seq, else    s                         s + remote_isn
 *     our timestamp       first script value + d    first live value + d
 *
 * Payload is a pattern that says at which offset of the stream each byte belongs, so a byte
 * delivered or sent at the wrong place is noticed.
 *
 * Called by run.c and the calls; calls wire/. Owns nothing but what it writes into struct conn.
 */
#include "drill/packet.h"

#include <errno.h>

#include "wire/csum.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

void pattern_fill(uint8_t *to, size_t n, uint32_t off)
{
    for (size_t i = 0; i < n; i++)
        to[i] = pattern_byte(off + (uint32_t)i);
}

size_t pattern_check(const uint8_t *b, size_t n, uint32_t off)
{
    size_t i = 0;
    while (i < n && b[i] == pattern_byte(off + (uint32_t)i))
        i++;
    return i;
}

bool packet_opt_next(const struct script_pkt *k, unsigned *at, const uint8_t **opt, unsigned *n)
{
    if (*at >= k->n_opt)
        return false;
    *opt = k->opt + *at;
    bool is_single = **opt == TCPO_EOL || **opt == TCPO_NOP;
    unsigned left = k->n_opt - *at;
    *n = is_single || left < 2 ? 1 : (*opt)[1];
    if (*n < 1 || *n > left || (*n < 2 && !is_single))
        *n = left; /* malformed: the rest as it is */
    *at += *n;
    return true;
}

/* ---- script to live ---- */

static uint32_t ts_to_live(const struct conn *c, uint32_t ecr, bool is_scaled)
{
    unsigned n = c->n_ts < CONN_TS ? c->n_ts : CONN_TS;
    for (unsigned i = 0; i < n && !is_scaled; i++) {
        unsigned at = (c->n_ts - 1 - i) % CONN_TS;
        if (c->ts[at].script == ecr)
            return c->ts[at].live;
    }
    return c->n_ts != 0 ? ecr - c->first_script_ts + c->first_live_ts : ecr;
}

static void ts_learn(struct conn *c, uint32_t script, uint32_t live)
{
    if (c->n_ts == 0) {
        c->first_script_ts = script;
        c->first_live_ts = live;
    }
    c->ts[c->n_ts % CONN_TS].script = script;
    c->ts[c->n_ts % CONN_TS].live = live;
    c->n_ts++;
}

/* Adds to every SACK edge. */
static void shift_sack(uint8_t *opt, unsigned n, uint32_t by)
{
    for (unsigned i = 2; i + 4 <= n; i += 4)
        w_put32(opt + i, w_be32(opt + i) + by);
}

/* Sequence number, acknowledgement and options of an inbound segment, in live numbers. */
static void tcp_to_live(struct script_pkt *k, const struct conn *c, bool is_ts_scaled)
{
    bool is_syn = (k->flags & TCPF_SYN) != 0, has_ack = (k->flags & TCPF_ACK) != 0;
    uint32_t ack_by = !c->has_local_isn ? 0 : is_syn ? c->local_isn - c->script_isn : c->local_isn;
    k->seq += is_syn || !c->has_remote_isn ? 0 : c->remote_isn;
    k->ack += has_ack ? ack_by : 0;
    unsigned at = 0, n = 0;
    const uint8_t *o = NULL;
    while (packet_opt_next(k, &at, &o, &n)) {
        uint8_t *mine = k->opt + (o - k->opt);
        if (o[0] == TCPO_SACK && n >= 10)
            shift_sack(mine, n, ack_by);
        if (o[0] == TCPO_TS && n == 10 && has_ack)
            w_put32(mine + 6, ts_to_live(c, w_be32(o + 6), is_ts_scaled));
    }
}

/* What a segment that is about to go in teaches about the peer's numbers. */
static void learn_inbound(const struct script_pkt *k, struct conn *c)
{
    c->is_urgent |= (k->flags & TCPF_URG) != 0;
    if ((k->flags & TCPF_SYN) == 0)
        return;
    if (c->is_synced) {
        c->has_new_syn = true;
        c->new_remote_isn = k->seq;
        return;
    }
    c->has_remote_isn = true;
    c->remote_isn = k->seq;
}

static size_t put_tcp(uint8_t *at, const struct script_pkt *script, struct conn *c,
                      bool is_ts_scaled)
{
    struct script_pkt k = *script;
    learn_inbound(&k, c);
    tcp_to_live(&k, c, is_ts_scaled);
    struct wire_tcp h = {.sport = k.has_ports && k.sport ? k.sport : c->rport,
                         .dport = k.has_ports && k.dport ? k.dport : c->lport,
                         .seq = k.seq,
                         .ack = k.ack,
                         .flags = k.flags,
                         .wnd = k.win,
                         .urg = k.urg};
    size_t hlen = WIRE_TCP_HLEN + k.n_opt;
    wire_tcp_build(at, &h);
    memcpy(at + WIRE_TCP_HLEN, k.opt, k.n_opt);
    at[12] = (uint8_t)((hlen / 4) << 4 | (at[12] & 0xf));
    uint32_t first = k.seq + ((k.flags & TCPF_SYN) != 0 ? 1 : 0);
    pattern_fill(at + hlen, k.len, first - (c->has_remote_isn ? c->remote_isn + 1 : 0));
    return hlen + k.len;
}

static size_t put_udp(uint8_t *at, const struct script_pkt *k, const struct conn *c)
{
    struct wire_udp h = {.sport = k->has_ports && k->sport ? k->sport : c->rport,
                         .dport = k->has_ports && k->dport ? k->dport : c->lport,
                         .len = (uint16_t)(WIRE_UDP_HLEN + k->len)};
    wire_udp_build(at, &h);
    pattern_fill(at + WIRE_UDP_HLEN, k->len, 0);
    return WIRE_UDP_HLEN + k->len;
}

/* The IP header in front of n bytes, between these addresses; where the n bytes go. */
struct ip_frame {
    const struct addr *src, *dst;
    uint8_t proto, tos;
    int16_t ttl;
    uint32_t label;
};

static size_t ip_hlen(const struct ip_frame *f)
{
    return addr_is_ip4(f->src) ? WIRE_IP4_HLEN : WIRE_IP6_HLEN;
}

static void put_ip(uint8_t *at, const struct ip_frame *f, size_t n)
{
    uint8_t ttl = f->ttl < 0 ? 255 : (uint8_t)f->ttl;
    if (addr_is_ip4(f->src)) {
        struct wire_ip4 h = {.hlen = WIRE_IP4_HLEN,
                             .tos = f->tos,
                             .ttl = ttl,
                             .proto = f->proto,
                             .total = (uint16_t)(WIRE_IP4_HLEN + n),
                             .flags = IP4_DF,
                             .src = *f->src,
                             .dst = *f->dst};
        wire_ip4_build(at, &h, NULL);
    } else {
        struct wire_ip6 h = {.tclass = f->tos,
                             .next = f->proto,
                             .hlim = ttl,
                             .label = f->label,
                             .plen = (uint16_t)n,
                             .src = *f->src,
                             .dst = *f->dst};
        wire_ip6_build(at, &h);
    }
}

/* The datagram an ICMP error quotes: one that this host sent. */
static size_t put_echo(uint8_t *at, const struct script_pkt *k, struct conn *c)
{
    struct ip_frame f = {.src = &c->local,
                         .dst = &c->remote,
                         .ttl = 64,
                         .proto = k->echo == ECHO_UDP ? PROTO_UDP : PROTO_TCP};
    size_t hlen = ip_hlen(&f);
    uint8_t *l4 = at + hlen;
    memset(l4, 0, WIRE_TCP_HLEN);
    w_put16(l4, c->lport);
    w_put16(l4 + 2, c->rport);
    if (k->echo == ECHO_UDP) {
        w_put16(l4 + 4, WIRE_UDP_HLEN + k->echo_len);
        put_ip(at, &f, WIRE_UDP_HLEN + k->echo_len);
        return hlen + WIRE_UDP_HLEN;
    }
    if (k->echo == ECHO_RAW) {
        put_ip(at, &f, k->echo_len);
        return hlen + (k->echo_len < 8 ? k->echo_len : 8);
    }
    w_put32(l4 + 4, k->echo_seq + (c->has_local_isn ? c->local_isn : 0));
    l4[12] = WIRE_TCP_HLEN / 4 << 4;
    l4[13] = TCPF_ACK;
    put_ip(at, &f, WIRE_TCP_HLEN + k->echo_len);
    return hlen + WIRE_TCP_HLEN;
}

static size_t put_icmp(uint8_t *at, const struct script_pkt *k, struct conn *c)
{
    uint32_t arg = k->has_mtu ? k->mtu : k->has_id ? k->id << 16 : 0;
    struct wire_icmp4 h4 = {.type = k->icmp_type, .code = k->icmp_code, .arg = arg};
    struct wire_icmp6 h6 = {.type = k->icmp_type, .code = k->icmp_code, .arg = arg};
    size_t n = k->proto == PROTO_ICMP6 ? wire_icmp6_build(at, &h6) : wire_icmp4_build(at, &h4);
    bool is_error = k->proto == PROTO_ICMP6 ? wire_icmp6_is_error(k->icmp_type)
                                            : wire_icmp4_is_error(k->icmp_type);
    /* An error that says nothing of what it quotes is about the first segment. */
    if (k->echo != ECHO_NONE || (is_error && k->len == 0))
        return n + put_echo(at + n, k, c);
    pattern_fill(at + n, k->len, 0);
    return n + k->len;
}

static void put_csum(uint8_t *l4, size_t n, const struct ip_frame *f, bool is_bad)
{
    static const struct {
        uint8_t proto, at;
    } where[] = {{PROTO_TCP, 16}, {PROTO_UDP, 6}, {PROTO_ICMP4, 2}, {PROTO_ICMP6, 2}};
    size_t i = 0;
    while (where[i].proto != f->proto)
        i++;
    bool has_pseudo = f->proto != PROTO_ICMP4;
    uint32_t sum = has_pseudo ? csum_pseudo(f->src, f->dst, f->proto, (uint32_t)n) : 0;
    uint16_t csum = csum_fold(csum_partial(CSUM_SCALAR, l4, n, sum));
    csum = f->proto == PROTO_UDP ? csum_nonzero(csum) : csum;
    w_put16(l4 + where[i].at, is_bad ? csum ^ 0x5555u : csum);
}

size_t packet_build(const struct script_pkt *k, struct conn *c, bool is_ts_scaled, uint8_t *out)
{
    struct ip_frame f = {.src = &c->remote,
                         .dst = &c->local,
                         .proto = k->proto,
                         .tos = k->tos,
                         .ttl = k->ttl,
                         .label = k->label};
    size_t hlen = ip_hlen(&f), n = 0;
    uint8_t *l4 = out + hlen;
    if (k->proto == PROTO_TCP)
        n = put_tcp(l4, k, c, is_ts_scaled);
    else if (k->proto == PROTO_UDP)
        n = put_udp(l4, k, c);
    else
        n = put_icmp(l4, k, c);
    WEIR_ASSERT(hlen + n <= PKT_BYTES_MAX);
    put_ip(out, &f, n);
    put_csum(l4, n, &f, k->is_bad_csum);
    return hlen + n;
}

/* ---- live to script ---- */

static bool csum_is_ok(const struct live_pkt *p, uint8_t proto, const uint8_t *l4, size_t n)
{
    bool has_pseudo = proto != PROTO_ICMP4;
    uint32_t sum = has_pseudo ? csum_pseudo(&p->src, &p->dst, proto, (uint32_t)n) : 0;
    return csum_fold(csum_partial(CSUM_SCALAR, l4, n, sum)) == 0;
}

static int read_tcp(const uint8_t *l4, size_t n, struct live_pkt *p)
{
    struct wire_tcp h = {0};
    if (wire_tcp_parse(l4, n, &h) != DROP_NONE)
        return -EINVAL;
    p->k.sport = h.sport;
    p->k.dport = h.dport;
    p->k.flags = h.flags;
    p->k.seq = h.seq;
    p->k.ack = h.ack;
    p->k.win = h.wnd;
    p->k.urg = h.urg;
    p->k.has_win = true;
    p->k.n_opt = (uint8_t)(h.hlen - WIRE_TCP_HLEN);
    memcpy(p->k.opt, l4 + WIRE_TCP_HLEN, p->k.n_opt);
    p->payload = l4 + h.hlen;
    p->k.len = (uint32_t)(n - h.hlen);
    return 0;
}

static int read_udp(const uint8_t *l4, size_t n, struct live_pkt *p)
{
    struct wire_udp h = {0};
    if (wire_udp_parse(l4, n, &h) != DROP_NONE)
        return -EINVAL;
    p->k.sport = h.sport;
    p->k.dport = h.dport;
    p->payload = l4 + WIRE_UDP_HLEN;
    p->k.len = h.len - WIRE_UDP_HLEN;
    return 0;
}

static int read_icmp(const uint8_t *l4, size_t n, struct live_pkt *p)
{
    struct wire_icmp4 h = {0};
    if (wire_icmp4_parse(l4, n, &h) != DROP_NONE)
        return -EINVAL;
    bool is_6 = p->k.proto == PROTO_ICMP6;
    p->k.icmp_type = h.type;
    p->k.icmp_code = h.code;
    p->payload = l4 + WIRE_ICMP4_HLEN;
    p->k.len = (uint32_t)(n - WIRE_ICMP4_HLEN);
    bool is_error = is_6 ? wire_icmp6_is_error(h.type) : wire_icmp4_is_error(h.type);
    p->k.has_mtu = is_6 ? h.type == ICMP6T_TOO_BIG
                        : h.type == ICMP4T_DEST_UNREACH && h.code == ICMP4C_FRAG_NEEDED;
    p->k.mtu = p->k.has_mtu ? h.arg : 0;
    p->k.has_id = !is_error;
    p->k.id = is_error ? 0 : h.arg >> 16;
    return 0;
}

/* Either IP header: addresses, what it carries and where. */
static int read_ip(const uint8_t *b, size_t n, struct live_pkt *p, size_t *l4_at, size_t *l4_len)
{
    struct wire_ip4 h4;
    struct wire_ip6 h6;
    if (n > 0 && b[0] >> 4 == 6) {
        if (wire_ip6_parse(b, n, &h6) != DROP_NONE)
            return -EINVAL;
        p->src = h6.src;
        p->dst = h6.dst;
        p->k.proto = h6.next;
        p->k.tos = h6.tclass;
        p->k.ttl = h6.hlim;
        p->k.label = h6.label;
        *l4_at = WIRE_IP6_HLEN;
        *l4_len = h6.plen;
        return 0;
    }
    if (wire_ip4_parse(b, n, &h4) != DROP_NONE || wire_ip4_is_frag(&h4))
        return -EINVAL;
    p->k.has_csum_err = !wire_ip4_csum_ok(b, h4.hlen);
    p->src = h4.src;
    p->dst = h4.dst;
    p->k.proto = h4.proto;
    p->k.tos = h4.tos;
    p->k.ttl = h4.ttl;
    *l4_at = h4.hlen;
    *l4_len = (size_t)(h4.total - h4.hlen);
    return 0;
}

int packet_read(const uint8_t *b, size_t n, struct live_pkt *p)
{
    size_t at = 0, len = 0;
    *p = (struct live_pkt){.k = {.is_out = true}};
    int r = read_ip(b, n, p, &at, &len);
    if (r < 0)
        return r;
    if (p->k.proto == PROTO_TCP)
        r = read_tcp(b + at, len, p);
    else if (p->k.proto == PROTO_UDP)
        r = read_udp(b + at, len, p);
    else if (p->k.proto == PROTO_ICMP4 || p->k.proto == PROTO_ICMP6)
        r = read_icmp(b + at, len, p);
    else
        r = -EINVAL;
    p->k.has_csum_err = p->k.has_csum_err || (r == 0 && !csum_is_ok(p, p->k.proto, b + at, len));
    return r;
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

/* What an outbound segment teaches: our initial sequence number, our timestamp clock. */
static void learn_outbound(const struct script_pkt *live, struct conn *c,
                           const struct script_pkt *want)
{
    bool is_syn = (live->flags & TCPF_SYN) != 0, has_ack = (live->flags & TCPF_ACK) != 0;
    bool is_rst = (live->flags & TCPF_RST) != 0;
    bool is_new = c->has_new_syn && is_syn && has_ack && live->ack == c->new_remote_isn + 1 &&
                  live->seq != c->local_isn;
    if (is_new) {
        c->remote_isn = c->new_remote_isn;
        c->n_ts = 0;
    }
    if (is_syn && (want->flags & TCPF_SYN) != 0 && (is_new || !c->has_local_isn)) {
        c->has_local_isn = true;
        c->local_isn = live->seq;
        c->script_isn = want->seq;
    }
    c->has_new_syn = c->has_new_syn && !is_new;
    c->is_synced = c->is_synced || (has_ack && !is_rst);
    uint32_t script_ts = 0, live_ts = 0;
    if (ts_of(want, &script_ts) && ts_of(live, &live_ts))
        ts_learn(c, script_ts, live_ts);
}

static void tcp_to_script(struct script_pkt *k, const struct conn *c)
{
    bool is_syn = (k->flags & TCPF_SYN) != 0, has_ack = (k->flags & TCPF_ACK) != 0;
    uint32_t ack_by = is_syn || !c->has_remote_isn ? 0 : c->remote_isn;
    if (c->has_local_isn)
        k->seq -= is_syn ? c->local_isn - c->script_isn : c->local_isn;
    k->ack -= has_ack ? ack_by : 0;
    unsigned at = 0, n = 0;
    const uint8_t *o = NULL;
    while (packet_opt_next(k, &at, &o, &n)) {
        uint8_t *mine = k->opt + (o - k->opt);
        if (o[0] == TCPO_SACK && n >= 10)
            shift_sack(mine, n, 0u - ack_by);
        if (o[0] == TCPO_TS && n == 10 && c->n_ts != 0)
            w_put32(mine + 2, w_be32(o + 2) - c->first_live_ts + c->first_script_ts);
    }
}

bool packet_to_script(const struct live_pkt *p, struct conn *c, const struct script_pkt *want,
                      struct script_pkt *out)
{
    *out = p->k;
    if (p->k.proto != PROTO_TCP)
        return true;
    if (want != NULL && want->proto == PROTO_TCP)
        learn_outbound(&p->k, c, want);
    tcp_to_script(out, c);
    if (!c->has_local_isn)
        return true;
    uint32_t first = p->k.seq + ((p->k.flags & TCPF_SYN) != 0 ? 1 : 0);
    return pattern_check(p->payload, p->k.len, first - (c->local_isn + 1)) == p->k.len;
}
