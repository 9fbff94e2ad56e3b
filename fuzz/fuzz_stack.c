/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole stack as its owner sees it, through <weir/weir.h>: bytes become packets, steps of the
 * clock and calls, in any order, over both families.
 *
 * First four bytes: which features TCP has. Then steps, each an opcode and its operands:
 *
 *     SYN       to a listener, options as they come
 *     SEGMENT   of a connection whose packets were seen to leave: ports, sequence and
 *               acknowledgement numbers, timestamps follow from them, but for offsets of the input
 *     ICMP      an error that quotes the last packet of a connection, or a query
 *     DATAGRAM, RAW   to UDP sockets; any bytes at all behind an IP header
 *     CLOCK     on by a length of the input, or to the moment the stack asked for
 *     CALL      one of the calls on one of eight sockets, of both kinds, or an option
 *     DEVICE    keeps packets before it gives them back, or takes none
 *
 * What must hold: what leaves can be parsed; after a tick and with everything drained next() lies
 * ahead (clause iii); draining ends (clause iv); connections keep their invariants (tcb_check runs
 * inside, in builds with checks); closing every socket and letting time pass brings every
 * connection to its end, every pool is empty then, and weir_fini() finds no leak (clause v).
 *
 * tools/fuzz_seeds writes the seeds; fuzz/stack.dict has the opcodes with useful operands.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "cc/cc.h"
#include "stack/stack.h"
#include "wire/wire.h"

enum { SOCKS = 8, FLOWS = 8, HELD = 16, QUOTE = 64, FRAME = 2048, ROUNDS = 5000, STEPS_MAX = 600 };
enum { PEER_ISN = 0x7fffff00, TCP_CONGESTION_ = 13 };

enum op {
    OP_SYN,
    OP_SEGMENT,
    OP_ICMP,
    OP_DATAGRAM,
    OP_RAW,
    OP_CLOCK,
    OP_CALL,
    OP_DEVICE,
    OP_KINDS
};

struct in {
    const uint8_t *at, *end;
};

/* A connection as its packets tell: what the stack has sent and acknowledged. */
struct seen {
    bool is_used, is_ip6, has_ts;
    uint16_t lport, rport;
    uint16_t flags; /* of the last segment */
    uint32_t next, ack, una, ts_val;
    uint8_t quote[QUOTE];
    unsigned n_quote;
};

struct world {
    struct weir *w;
    w_ns now;
    unsigned nif;
    weir_sock sock[SOCKS];
    struct seen seen[FLOWS];
    unsigned n_seen;
    struct pkt *held[HELD];
    unsigned n_held;
    bool does_hold, is_stopped;
};

static const struct addr our6 = {.b = {0xfd, [15] = 1}}, peer6 = {.b = {0xfd, [15] = 2}};

static uint32_t take(struct in *in, unsigned n)
{
    uint32_t v = 0;
    while (n-- > 0)
        v = v << 8 | (in->at < in->end ? *in->at++ : 0);
    return v;
}

/* ---- the host ---- */

static void draw_conf(struct weir_conf *c, uint32_t v)
{
    weir_conf_default(c);
    c->n_pkt = (v & 1) != 0 ? 20 : 64;
    c->n_blk_small = c->n_blk_big = (v & 1) != 0 ? 8 + 8 : 32;
    c->n_tcb = 12;
    c->n_sock = 12;
    c->n_udp = 3;
    c->n_sent = 24;
    c->n_syn = 4;
    c->n_tw = 3;
    c->n_fastopen = c->n_neigh = 4;
    c->n_route = 8;
    c->n_reasm = 2;
    c->tcp_sack = (v & 2) == 0;
    c->tcp_timestamps = (v >> 2) % 3;
    c->tcp_window_scaling = (v & 16) == 0;
    c->tcp_ecn = (v >> 5) % 3;
    c->tcp_syncookies = (v >> 7) % 3;
    c->tcp_congestion_control = (v >> 9) % 8;
    c->tcp_gso = (v & 4096) == 0;
    c->tcp_fastopen = (v & 8192) != 0 ? 0x607 : 0x403;
    c->tcp_recovery = (v & 16384) == 0;
    c->tcp_early_retrans = (v & 32768) == 0 ? 3 : 0;
    c->tcp_frto = (v & 65536) == 0 ? 2 : 0;
    c->tcp_mtu_probing = (v >> 17) % 3;
    c->tcp_fin_timeout = (v & (1 << 19)) != 0 ? 1 : 60;
    c->tcp_abort_on_overflow = (v >> 20) & 1;
    c->tcp_rfc1337 = (v >> 21) & 1;
    c->tcp_shrink_window = (v >> 22) & 1;
    c->tcp_tw_reuse = (v >> 23) & 1;
    if ((v & (1 << 24)) != 0) {
        c->tcp_mem_pressure = 4;
        c->tcp_mem_max = 8;
    }
}

static void world_open(struct world *x, uint32_t features)
{
    struct weir_conf c;
    struct weir_nif_conf nc = {.name = "t0", .flags = WEIR_NIF_L3, .mtu = 1500};
    struct weir_addr a4 = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}, .family = 4};
    struct weir_addr a6 = {.family = 6};
    draw_conf(&c, features);
    if ((features & 1u << 25) != 0)
        nc.flags |= WEIR_NIF_TX_CSUM | WEIR_NIF_TSO;
    memcpy(a6.ip, our6.b, 16);
    size_t n = weir_size(&c);
    /* No more than was asked for: the sanitizer sees the first byte beyond. */
    void *mem = aligned_alloc(64, (n + 63) & ~(size_t)63);
    WEIR_ASSERT(mem != NULL);
    memset(mem, 0, n);
    x->now = W_S;
    WEIR_ASSERT(weir_init(mem, n, &c, 1, x->now, &x->w) == 0);
    int nif = weir_nif_add(x->w, &nc);
    WEIR_ASSERT(nif > 0);
    x->nif = (unsigned)nif;
    WEIR_ASSERT(weir_addr_add(x->w, x->nif, &a4, 24) == 0);
    WEIR_ASSERT(weir_addr_add(x->w, x->nif, &a6, 64) == 0);
}

/* ---- what leaves ---- */

static struct seen *seen_of(struct world *x, bool is_ip6, uint16_t lport, uint16_t rport)
{
    for (unsigned i = 0; i < FLOWS; i++) {
        struct seen *s = &x->seen[i];
        if (s->is_used && s->is_ip6 == is_ip6 && s->lport == lport && s->rport == rport)
            return s;
    }
    struct seen *s = &x->seen[x->n_seen++ % FLOWS];
    *s = (struct seen){.is_used = true, .is_ip6 = is_ip6, .lport = lport, .rport = rport};
    return s;
}

static void watch_tcp(struct world *x, const uint8_t *b, unsigned n, unsigned at, unsigned total)
{
    struct wire_tcp t = {0};
    WEIR_ASSERT(wire_tcp_parse(b + at, n - at, &t) == DROP_NONE);
    struct seen *s = seen_of(x, b[0] >> 4 == 6, t.sport, t.dport);
    uint32_t len = total - at - t.hlen;
    if ((t.flags & TCPF_RST) != 0)
        return;
    s->una = (t.flags & TCPF_SYN) != 0 ? t.seq : s->una;
    s->next = t.seq + len + ((t.flags & (TCPF_SYN | TCPF_FIN)) != 0);
    s->ack = t.ack;
    s->flags = t.flags;
    s->has_ts = (t.has & TCPH_TS) != 0;
    s->ts_val = s->has_ts ? t.ts_val : 0;
    s->n_quote = w_u32_min(n, QUOTE);
    memcpy(s->quote, b, s->n_quote);
}

/* Frames are looked at as far as their headers go. */
static void watch(struct world *x, const struct pkt *p)
{
    uint8_t b[128];
    unsigned total = (unsigned)weir_pkt_len(p), n = (unsigned)weir_pkt_copy(p, b, sizeof(b));
    struct wire_ip4 h4;
    struct wire_ip6 h6;
    WEIR_ASSERT(n >= 20);
    if (b[0] >> 4 == 4) {
        WEIR_ASSERT(wire_ip4_parse(b, total, &h4) == DROP_NONE);
        WEIR_ASSERT(wire_ip4_csum_ok(b, h4.hlen));
        if (h4.proto == PROTO_TCP && h4.frag_off == 0)
            watch_tcp(x, b, n, h4.hlen, h4.total);
    } else {
        WEIR_ASSERT(wire_ip6_parse(b, total, &h6) == DROP_NONE);
        if (h6.next == PROTO_TCP)
            watch_tcp(x, b, n, WIRE_IP6_HLEN, WIRE_IP6_HLEN + h6.plen);
    }
}

static void release(struct world *x, unsigned keep)
{
    while (x->n_held > keep) {
        weir_sent(x->w, x->now, &x->held[0], 1);
        memmove(x->held, x->held + 1, --x->n_held * sizeof(x->held[0]));
    }
}

/* Everything that is to be done at this moment. */
static void settle(struct world *x)
{
    struct weir_event ev[4];
    struct pkt *v[4];
    unsigned rounds = 0, n;
    do {
        WEIR_ASSERT(rounds++ < ROUNDS);
        weir_tick(x->w, x->now);
        while (weir_events(x->w, ev, 4) > 0)
            WEIR_ASSERT(rounds++ < ROUNDS);
        while (!x->is_stopped && (n = weir_tx(x->w, x->now, x->nif, v, 4)) > 0) {
            WEIR_ASSERT(rounds++ < ROUNDS);
            for (unsigned i = 0; i < n; i++) {
                watch(x, v[i]);
                release(x, HELD - 1);
                x->held[x->n_held++] = v[i];
            }
            release(x, x->does_hold ? HELD : 0);
        }
    } while (!x->is_stopped && weir_next(x->w) <= x->now);
}

/* ---- what arrives ---- */

/* The packet's payload stands at frame + 40; its IP header is put before it. */
static void arrive(struct world *x, bool is_ip6, uint8_t proto, uint8_t *frame, unsigned n,
                   uint8_t tos)
{
    uint8_t *at = is_ip6 ? frame : frame + WIRE_IP6_HLEN - WIRE_IP4_HLEN;
    struct wire_ip4 h4 = {.hlen = WIRE_IP4_HLEN,
                          .tos = tos,
                          .ttl = 64,
                          .proto = proto,
                          .total = (uint16_t)(WIRE_IP4_HLEN + n),
                          .src = addr_ip4(0x0a000002),
                          .dst = addr_ip4(0x0a000001)};
    struct wire_ip6 h6 = {
        .tclass = tos, .next = proto, .hlim = 64, .plen = (uint16_t)n, .src = peer6, .dst = our6};
    unsigned hlen = is_ip6 ? wire_ip6_build(at, &h6) : wire_ip4_build(at, &h4, NULL);
    struct pkt *p = weir_pkt(x->w, at, hlen + n);
    if (p == NULL)
        return;
    p->csum = CSUM_GOOD;
    weir_rx(x->w, x->now, x->nif, &p, 1);
}

static uint32_t draw_len(uint32_t v)
{
    static const uint16_t len[] = {0, 0, 1, 10, 100, 536, 1000, 1400};
    return len[v & 7];
}

static void syn(struct world *x, struct in *in)
{
    uint8_t frame[FRAME] = {0}, *seg = frame + WIRE_IP6_HLEN;
    uint32_t mode = take(in, 1), more = take(in, 1);
    struct wire_tcp t = {.sport = (uint16_t)(4000 + (mode >> 1 & 3)),
                         .dport = (uint16_t)(80 + (mode >> 3 & 1)),
                         .seq = PEER_ISN - 1,
                         .flags = TCPF_SYN,
                         .wnd = (uint16_t)(more << 8),
                         .has = TCPH_MSS,
                         .mss = (uint16_t)((more & 8) != 0 ? take(in, 2) : 1460)};
    t.seq += (more & 16) != 0 ? take(in, 3) : 0;
    t.flags |= (more & 32) != 0 ? TCPF_ECE | TCPF_CWR : 0;
    t.has |= (mode & 16) != 0 ? TCPH_SACK_OK : 0;
    t.has |= (mode & 32) != 0 ? TCPH_WSCALE : 0;
    t.wscale = (uint8_t)(more & 7);
    t.has |= (mode & 64) != 0 ? TCPH_TS : 0;
    t.ts_val = 1000;
    uint32_t len = 0;
    if ((mode & 128) != 0) {
        t.has |= TCPH_FASTOPEN;
        t.cookie_len = (more & 64) != 0 ? 8 : 0;
        len = draw_len(more);
    }
    unsigned hlen = wire_tcp_build(seg, &t);
    arrive(x, (mode & 1) != 0, PROTO_TCP, frame, hlen + len, 0);
}

static void segment_options(struct wire_tcp *t, const struct seen *s, uint32_t mode, struct in *in)
{
    if (s->has_ts) {
        t->has |= TCPH_TS;
        t->ts_val = 1000 + ((mode & 8) != 0 ? take(in, 2) : 0);
        t->ts_ecr = s->ts_val - ((mode & 8) != 0 ? take(in, 1) : 0);
    }
    if ((t->flags & TCPF_SYN) != 0) {
        uint32_t v = take(in, 1);
        t->has |= TCPH_MSS | ((v & 1) != 0 ? TCPH_SACK_OK : 0) | ((v & 2) != 0 ? TCPH_WSCALE : 0);
        t->has |= (v & 4) != 0 ? TCPH_FASTOPEN : 0;
        t->has |= (v & 8) != 0 ? TCPH_TS : 0;
        t->ts_ecr = s->ts_val;
        t->cookie_len = (v & 16) != 0 ? 8 : 0;
        t->mss = (uint16_t)((v & 32) != 0 ? 100 : 1460);
        t->wscale = (uint8_t)(v >> 6);
    } else if ((mode & 16) != 0) {
        t->has |= TCPH_SACK;
        t->n_sack = (uint8_t)(1 + take(in, 1) % 3);
        for (unsigned i = 0; i < t->n_sack; i++) {
            t->sack[i].start = s->next - take(in, 2);
            t->sack[i].end = t->sack[i].start + take(in, 2);
        }
    }
}

static void segment(struct world *x, struct in *in)
{
    uint8_t frame[FRAME] = {0}, *seg = frame + WIRE_IP6_HLEN;
    uint32_t mode = take(in, 1), flags = take(in, 1), more = take(in, 1);
    struct seen *s = &x->seen[mode & 7];
    bool is_opening = (s->flags & (TCPF_SYN | TCPF_ACK)) == TCPF_SYN;
    if (!s->is_used)
        return;
    struct wire_tcp t = {.sport = s->rport,
                         .dport = s->lport,
                         .seq = is_opening ? PEER_ISN - 1 : s->ack,
                         .ack = s->next,
                         .flags = (uint16_t)flags,
                         .wnd = (uint16_t)(more << 8 | more)};
    if ((flags & 0xc0) == 0xc0) /* what a peer would send, and what else bits say */
        t.flags = (uint16_t)(TCPF_ACK | (is_opening ? TCPF_SYN : 0) | (flags & 0x29));
    t.seq += (mode & 32) != 0 ? take(in, 2) - 32768 : 0;
    t.ack -= (mode & 64) != 0 ? take(in, 2) - 32768 : 0;
    t.urg = (t.flags & TCPF_URG) != 0 ? (uint16_t)take(in, 1) : 0;
    segment_options(&t, s, mode, in);
    unsigned hlen = wire_tcp_build(seg, &t);
    uint32_t len = (mode & 128) != 0 ? draw_len(take(in, 1)) : 0;
    arrive(x, s->is_ip6, PROTO_TCP, frame, hlen + len, (uint8_t)(more & 3));
}

static void icmp(struct world *x, struct in *in)
{
    uint8_t frame[FRAME] = {0}, *b = frame + WIRE_IP6_HLEN;
    uint32_t which = take(in, 1);
    struct seen *s = &x->seen[which & 7];
    uint32_t type = take(in, 1), code = take(in, 1), arg = take(in, 2);
    bool is_ip6 = s->is_used ? s->is_ip6 : (which & 8) != 0;
    unsigned n = WIRE_ICMP4_HLEN + s->n_quote;
    b[0] = (uint8_t)type;
    b[1] = (uint8_t)code;
    w_put32(b + 4, arg);
    memcpy(b + WIRE_ICMP4_HLEN, s->quote, s->n_quote);
    uint32_t sum = is_ip6 ? csum_pseudo(&peer6, &our6, PROTO_ICMP6, n) : 0;
    w_put16(b + 2, csum_fold(csum_partial(CSUM_SCALAR, b, n, sum)));
    arrive(x, is_ip6, is_ip6 ? PROTO_ICMP6 : PROTO_ICMP4, frame, n, 0);
}

static void datagram(struct world *x, struct in *in)
{
    uint8_t frame[FRAME] = {0}, *b = frame + WIRE_IP6_HLEN;
    uint32_t mode = take(in, 1), len = draw_len(mode >> 4);
    struct wire_udp u = {.sport = 53, .dport = (uint16_t)(80 + (mode >> 1 & 1)), .csum = 1};
    u.len = (uint16_t)(WIRE_UDP_HLEN + len);
    wire_udp_build(b, &u);
    arrive(x, (mode & 1) != 0, PROTO_UDP, frame, WIRE_UDP_HLEN + len, 0);
}

static void raw(struct world *x, struct in *in)
{
    uint8_t frame[FRAME] = {0};
    uint32_t mode = take(in, 1), n = take(in, 1);
    for (unsigned i = 0; i < n; i++)
        frame[WIRE_IP6_HLEN + i] = (uint8_t)take(in, 1);
    arrive(x, (mode & 1) != 0, (mode & 2) != 0 ? PROTO_TCP : (uint8_t)take(in, 1), frame, n, 0);
}

/* ---- time, device ---- */

static void clock_step(struct world *x, struct in *in)
{
    uint32_t v = take(in, 2);
    w_ns next = weir_next(x->w);
    if (v == 0xffff && next != W_NEVER && next > x->now)
        x->now = next;
    else
        x->now += (w_ns)(v & 0xfff) * W_US << (v >> 12) * 3 / 2;
}

static void device(struct world *x, uint32_t v)
{
    x->does_hold = (v & 1) != 0;
    x->is_stopped = (v & 2) != 0;
    release(x, x->does_hold ? v >> 4 : 0);
}

/* ---- calls ---- */

static struct weir_addr draw_addr(uint32_t v)
{
    struct weir_addr a = {.port = (uint16_t)(80 + (v >> 4 & 1)), .family = 4};
    static const uint32_t to[] = {0x0a000002, 0x0a000001, 0x7f000001, 0, 0x0a0000ff, 0x08080808};
    static const uint32_t last6[] = {2, 1, 1, 0, 2, 2};
    unsigned i = (v & 7) % 6;
    if ((v & 8) == 0) {
        a.ip[10] = a.ip[11] = 0xff;
        w_put32(a.ip + 12, to[i]);
    } else {
        a.family = 6;
        a.ip[0] = i == 2 || i == 3 ? 0 : i == 5 ? 0x20 : 0xfd;
        a.ip[15] = (uint8_t)last6[i];
    }
    a.family = (v & 32) != 0 ? 0 : a.family;
    return a;
}

/* Any option of the four levels; the value is a word, as most are. */
static void option(struct world *x, weir_sock s, struct in *in)
{
    static const int levels[] = {0, 1, 6, 41};
    uint32_t mode = take(in, 1), name = take(in, 1), v = take(in, 2);
    uint8_t value[320] = {0};
    size_t len = (mode & 4) != 0 ? take(in, 1) : sizeof(int);
    v <<= (mode >> 4) & 15;
    memcpy(value, &v, sizeof(v));
    if ((mode & 3) == 2 && name == TCP_CONGESTION_) {
        const char *cc = cc_at(v % 8)->name;
        len = strlen(cc);
        memcpy(value, cc, len);
    }
    if ((mode & 8) != 0)
        (void)weir_getsockopt(x->w, x->now, s, levels[mode & 3], (int)name, value, &len);
    else
        (void)weir_setsockopt(x->w, x->now, s, levels[mode & 3], (int)name, value, len);
}

static void open_socket(struct world *x, unsigned i, uint32_t v)
{
    struct weir_addr a = {.port = (uint16_t)(80 + (v & 1)), .family = 6};
    bool is_ip4 = (v & 2) != 0;
    if (x->sock[i] != 0)
        return;
    if (weir_socket(x->w, is_ip4 ? WEIR_INET : WEIR_INET6, (v & 4) != 0 ? WEIR_DGRAM : WEIR_STREAM,
                    &x->sock[i]) < 0) {
        x->sock[i] = 0;
        return;
    }
    if (is_ip4) {
        a.family = 4;
        a.ip[10] = a.ip[11] = 0xff;
    }
    if ((v & 8) != 0)
        (void)weir_bind(x->w, x->sock[i], &a);
    if ((v & 16) != 0)
        (void)weir_listen(x->w, x->sock[i], (int)(v >> 5));
}

static void accept_one(struct world *x, unsigned i, weir_sock lsn)
{
    struct weir_addr peer;
    weir_sock got;
    if (weir_accept(x->w, x->now, lsn, &got, &peer) < 0)
        return;
    unsigned to = (i + 1) % SOCKS;
    if (x->sock[to] != 0)
        (void)weir_close(x->w, x->now, x->sock[to]);
    x->sock[to] = got;
}

static void in_place(struct world *x, weir_sock s, uint32_t n)
{
    struct weir_iov v[3];
    if ((n & 1) != 0) {
        if (weir_send_space(x->w, x->now, s, v, 1 + n % 3) > 0)
            (void)weir_send_commit(x->w, x->now, s, n % (v[0].len + 1));
    } else if (weir_recv_peek(x->w, s, v, 1 + n % 3) > 0) {
        (void)weir_recv_consume(x->w, x->now, s, n % (v[0].len + 1));
    }
}

static void transfer(struct world *x, weir_sock s, unsigned what, struct in *in)
{
    static uint8_t buf[65536];
    static const uint16_t flags[] = {0,
                                     WEIR_MSG_MORE,
                                     WEIR_MSG_OOB,
                                     WEIR_MSG_PEEK,
                                     WEIR_MSG_TRUNC,
                                     WEIR_MSG_WAITALL,
                                     WEIR_MSG_DONTWAIT,
                                     WEIR_MSG_PEEK | WEIR_MSG_OOB};
    uint32_t mode = take(in, 1), n = take(in, 2);
    struct weir_addr a = draw_addr(mode >> 3);
    unsigned f = flags[mode & 7];
    if (what == 1)
        (void)weir_recvfrom(x->w, x->now, s, buf, n, f, &a);
    else if (what == 2)
        (void)weir_sendto(x->w, x->now, s, buf, n, f | WEIR_MSG_FASTOPEN, &a);
    else
        (void)weir_sendto(x->w, x->now, s, buf, n, f, (mode & 128) != 0 ? &a : NULL);
}

/* Asking changes nothing, whatever is asked. */
static void ask(struct world *x, weir_sock s)
{
    struct weir_addr a;
    (void)weir_getsockname(x->w, s, &a);
    (void)weir_getpeername(x->w, s, &a);
    (void)weir_inq(x->w, s);
    (void)weir_outq(x->w, s);
    (void)weir_outq_unsent(x->w, s);
    (void)weir_poll(x->w, s);
}

static void change_setting(struct world *x, struct in *in)
{
    static const char *const name[] = {"tcp_mem_max",
                                       "tcp_timestamps",
                                       "tcp_sack",
                                       "tcp_syncookies",
                                       "tcp_ecn",
                                       "tcp_max_orphans",
                                       "txqueuelen",
                                       "tcp_congestion_control",
                                       "tcp_mem_pressure",
                                       "tcp_notsent_lowat",
                                       "tcp_rmem_max",
                                       "tcp_limit_output_bytes",
                                       "gro",
                                       "tcp_fastopen_cookies",
                                       "tcp_max_mss",
                                       "ip_no_pmtu_disc"};
    char value[12];
    uint32_t which = take(in, 1), v = take(in, 2);
    unsigned n = 0;
    for (uint32_t ten = 10000; ten > 0; ten /= 10)
        value[n++] = (char)('0' + v / ten % 10);
    value[n] = '\0';
    (void)weir_set(x->w, name[which % WEIR_COUNT(name)], value);
}

static void call(struct world *x, struct in *in)
{
    uint32_t v = take(in, 1);
    unsigned i = v & 7;
    weir_sock s = x->sock[i];
    struct weir_addr a;
    switch (v >> 3 & 15) {
    case 0: open_socket(x, i, take(in, 1)); break;
    case 1:
        a = draw_addr(take(in, 1));
        (void)weir_connect(x->w, x->now, s, &a);
        break;
    case 2: accept_one(x, i, s); break;
    case 3: transfer(x, s, 0, in); break;
    case 4: transfer(x, s, 1, in); break;
    case 5: transfer(x, s, 2, in); break;
    case 6: in_place(x, s, take(in, 2)); break;
    case 7: (void)weir_shutdown(x->w, x->now, s, (enum weir_how)take(in, 1)); break;
    case 8:
        (void)weir_close(x->w, x->now, s);
        x->sock[i] = 0;
        break;
    case 9:
        (void)weir_abort(x->w, x->now, s);
        x->sock[i] = 0;
        break;
    case 10: (void)weir_listen(x->w, s, (int)(int8_t)take(in, 1)); break;
    case 11:
        a = draw_addr(take(in, 1));
        (void)weir_bind(x->w, s, &a);
        break;
    case 12: ask(x, s); break;
    case 13: change_setting(x, in); break;
    default: option(x, s, in); break;
    }
}

/* ---- the end ---- */

static bool is_any_left(const struct world *x)
{
    const struct tcp *t = &x->w->tcp;
    return t->tcbs.in_use + t->syns.in_use + t->tws.in_use + x->w->env.mem.pkts.in_use != 0;
}

/* Connections whose peer says nothing more end by themselves, in bounded steps. */
static void world_end(struct world *x, bool does_abort)
{
    struct weir_sock_info info;
    uint64_t cursor = 0;
    device(x, 0);
    for (unsigned i = 0; i < SOCKS; i++)
        if (x->sock[i] != 0)
            WEIR_ASSERT((does_abort ? weir_abort(x->w, x->now, x->sock[i])
                                    : weir_close(x->w, x->now, x->sock[i])) == 0);
    settle(x);
    for (unsigned i = 0; i < ROUNDS && is_any_left(x) && weir_next(x->w) != W_NEVER; i++) {
        x->now = weir_next(x->w);
        settle(x);
    }
    WEIR_ASSERT(!weir_sock_next(x->w, x->now, &cursor, &info));
    WEIR_ASSERT(x->w->tcp.tcbs.in_use == 0);
    WEIR_ASSERT(x->w->tcp.syns.in_use == 0);
    WEIR_ASSERT(x->w->tcp.tws.in_use == 0);
    WEIR_ASSERT(x->w->tcp.sents.in_use == 0);
    WEIR_ASSERT(x->w->tcp.mem_bytes == 0);
    WEIR_ASSERT(x->w->socks.pool.in_use == 0);
    WEIR_ASSERT(x->w->env.mem.pkts.in_use == 0);
    WEIR_ASSERT(x->w->env.mem.small_blks.in_use + x->w->env.mem.big_blks.in_use == 0);
    WEIR_ASSERT(weir_fini(x->w) == 0);
    free(x->w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct in in = {data, data + size};
    struct world x = {0};
    uint32_t features = take(&in, 4);
    world_open(&x, features);
    for (unsigned i = 0; in.at < in.end && i < STEPS_MAX; i++) {
        switch ((enum op)(take(&in, 1) % OP_KINDS)) {
        case OP_SYN: syn(&x, &in); break;
        case OP_SEGMENT: segment(&x, &in); break;
        case OP_ICMP: icmp(&x, &in); break;
        case OP_DATAGRAM: datagram(&x, &in); break;
        case OP_RAW: raw(&x, &in); break;
        case OP_CLOCK: clock_step(&x, &in); break;
        case OP_CALL: call(&x, &in); break;
        default: device(&x, take(&in, 1)); break;
        }
        settle(&x);
    }
    world_end(&x, (features & 1u << 26) != 0);
    return 0;
}
