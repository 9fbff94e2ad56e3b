/* SPDX-License-Identifier: Apache-2.0
 *
 * One TCP over the real rooms below it, fed segments, time and calls made of bytes; every invariant
 * of its connections is asserted after each step (tcb_check), and at the end every pool is full.
 *
 * Each step takes an opcode and a few operands. Sequence and acknowledgement numbers of segments
 * are small offsets from what the connection expects, so that most of them matter; flags, windows
 * and options are as they come. Segments go to a listener's port and to a connection opened from
 * here.
 */
#include "fuzz.h"

#include "tcp/room.h"

struct in {
    const uint8_t *at, *end;
};
static uint32_t take(struct in *in, unsigned n)
{
    uint32_t v = 0;
    while (n-- > 0)
        v = v << 8 | (in->at < in->end ? *in->at++ : 0);
    return v;
}

struct host {
    struct env env;
    struct link link;
    struct neigh neigh;
    struct ip ip;
    struct tcp tcp;
    struct nif *nif;
};

enum { ARENA = 16 << 20, SOCKS = 8 };
struct world {
    struct host h;
    struct tcb *t[SOCKS]; /* 0: listener; others: ours while not NULL */
    tcp_seq irs, iss;     /* of the last SYN seen either way */
};

static void host_open(struct host *h)
{
    static _Alignas(64) uint8_t mem[ARENA];
    static size_t used = ARENA;
    struct arena a;
    struct addr me = addr_ip4(0x0a000001);
    weir_conf_default(&h->env.conf);
    h->env.conf.n_pkt = 64;
    h->env.conf.n_blk_small = h->env.conf.n_blk_big = 32;
    h->env.conf.n_tcb = 6;
    h->env.conf.n_syn = 4;
    h->env.conf.n_tw = 2;
    h->env.conf.n_sent = 16;
    h->env.conf.n_neigh = h->env.conf.n_route = 4;
    h->env.conf.n_reasm = 1;
    h->env.conf.tcp_ecn = 3;
    h->env.conf.tcp_ecn_control = 1;
    memset(mem, 0, used);
    arena_init(&a, mem, ARENA);
    env_init(&h->env, &a, 1, W_S);
    link_init(&h->link, &h->env, &a);
    struct nif_conf nc = {.name = "t0", .flags = NIF_UP | NIF_L3, .mtu = 1500};
    h->nif = link_nif(&h->link, (unsigned)link_nif_add(&h->link, &nc));
    neigh_init(&h->neigh, &h->env, &h->link, &a);
    ip_init(&h->ip, &h->env, &h->link, &h->neigh, &a);
    tcp_init(&h->tcp, &h->env, &h->ip, &a);
    WEIR_ASSERT(!a.is_full);
    used = a.used;
    WEIR_ASSERT(ip_addr_add(&h->ip, h->nif, &me, IP4_PLEN(24), false) == 0);
}

static void check_all(struct world *w)
{
    for (uint32_t i = 1; i <= w->h.tcp.tcbs.cap; i++) {
        if (pool_is_live(&w->h.tcp.tcbs, i))
            tcb_check(&w->h.tcp, tcp_at(&w->h.tcp, i));
    }
}

/* What leaves: SYNs tell our sequence numbers; everything is credited. */
static void drain(struct world *w)
{
    struct pkt *p;
    for (int i = 0; i < 100; i++) {
        tcp_flush(&w->h.tcp);
        while (link_tx(&w->h.link, w->h.nif, &p, 1) == 1) {
            const uint8_t *tcp = pkt_at(p, p->l4);
            if ((wire_tcp_flags(tcp) & TCPF_SYN) != 0)
                w->iss = wire_tcp_seq(tcp);
            uint32_t owner = p->owner, bytes = p->len - (uint32_t)(p->pay - p->off);
            pkt_free(p);
            if (owner != 0)
                tcp_sent(&w->h.tcp, owner, bytes);
        }
        if (!tcp_flush_pending(&w->h.tcp))
            return;
    }
}

static void segment(struct world *w, struct in *in)
{
    uint8_t frame[2048] = {0}, *seg = frame + 20;
    uint8_t mode = (uint8_t)take(in, 1);
    struct wire_tcp t = {.flags = (uint16_t)take(in, 1), .wnd = (uint16_t)take(in, 2)};
    t.dport = (mode & 1) != 0 ? 80 : (uint16_t)(1024 + (mode >> 1 & 1));
    t.sport = (mode & 1) != 0 ? (uint16_t)(4000 + (mode >> 1 & 3)) : 80;
    t.seq = w->irs + take(in, 2) - 32768;
    t.ack = w->iss + take(in, 2) - 32768;
    t.urg = (mode & 8) != 0 ? (uint16_t)take(in, 1) : 0;
    if ((mode & 16) != 0) {
        t.has |= TCPH_TS;
        t.ts_val = take(in, 2);
        t.ts_ecr = take(in, 2);
    }
    if ((mode & 32) != 0) {
        t.has |= TCPH_SACK;
        t.n_sack = (uint8_t)(1 + (take(in, 1) & 1));
        for (unsigned i = 0; i < t.n_sack; i++) {
            t.sack[i].start = w->iss + take(in, 2);
            t.sack[i].end = w->iss + take(in, 2);
        }
    }
    if ((t.flags & TCPF_SYN) != 0) {
        t.has |= TCPH_MSS | ((mode & 64) != 0 ? TCPH_SACK_OK : 0) |
                 ((mode & 128) != 0 ? TCPH_WSCALE : 0);
        t.mss = (uint16_t)take(in, 2);
        t.wscale = (uint8_t)(take(in, 1) % 15);
        w->irs = t.seq;
    }
    /* Length, codepoint, AE and the AccECN option in one number. */
    uint32_t v = take(in, 2), len = v % 1400;
    t.flags |= (v & 0x100) != 0 ? TCPF_AE : 0;
    if ((v & 0x200) != 0 && wire_tcp_opts_len(&t) <= 28) {
        t.has |= TCPH_ACCECN;
        t.acc_order = v >> 10 & 1;
        t.acc_n = (uint8_t)(v >> 11 & 3);
        t.acc_e0b = t.acc_ceb = t.acc_e1b = v * v & 0xffffff;
    }
    unsigned hlen = wire_tcp_build(seg, &t);
    struct wire_ip4 ip = {.hlen = 20,
                          .tos = (uint8_t)(v >> 13 & ECN_MASK),
                          .ttl = 64,
                          .proto = PROTO_TCP,
                          .total = (uint16_t)(20 + hlen + len),
                          .src = addr_ip4(0x0a000002),
                          .dst = addr_ip4(0x0a000001)};
    wire_ip4_build(frame, &ip, NULL);
    struct pkt *p = pkt_from_bytes(&w->h.env.mem, frame, 20 + hlen + len);
    if (p == NULL)
        return;
    p->csum = CSUM_GOOD;
    p->nif = 1;
    enum next n = eth_input(&w->h.link, w->h.nif, p);
    if (n == NEXT_IP4)
        n = ip4_input(&w->h.ip, w->h.nif, p);
    if (n == NEXT_TCP)
        n = tcp_input(&w->h.tcp, p);
    if (n == NEXT_DROP)
        (void)env_drop(&w->h.env, p, (enum drop)p->drop);
    else
        WEIR_ASSERT(n == NEXT_DONE);
}

static void clock_step(struct world *w, w_ns d)
{
    struct timer *due[16];
    unsigned n;
    w->h.env.now += d;
    while ((n = wheel_run(&w->h.env.wheel, w->h.env.now, due, 16)) > 0) {
        for (unsigned i = 0; i < n; i++) {
            if (due[i]->kind == TK_TCP || due[i]->kind == TK_TCP_SYN || due[i]->kind == TK_TCP_TW)
                tcp_timer(&w->h.tcp, due[i]);
        }
        drain(w);
    }
}

static void open_one(struct world *w, unsigned i, uint32_t v)
{
    struct flow f = {.local = addr_ip4(0x0a000001),
                     .remote = addr_ip4(0x0a000002),
                     .lport = (uint16_t)(1024 + (v & 1)),
                     .rport = 80};
    struct addr any = addr_ip4(0);
    if (w->t[i] != NULL)
        return;
    if (i != 0 && (v & 2) != 0) {
        w->t[i] = w->t[0] != NULL ? tcp_accept(&w->h.tcp, w->t[0]) : NULL;
        if (w->t[i] != NULL)
            tcp_set_sock(w->t[i], i + 1);
        return;
    }
    w->t[i] = tcp_new(&w->h.tcp, i + 1);
    if (w->t[i] == NULL)
        return;
    if (i == 0)
        (void)!tcp_listen(&w->h.tcp, w->t[i], &any, 80, v & 3);
    else
        (void)!tcp_connect(&w->h.tcp, w->t[i], &f);
}

static void call(struct world *w, unsigned i, struct in *in)
{
    static const int opts[] = {TOPT_NODELAY, TOPT_CORK,     TOPT_LINGER_S, TOPT_KEEPALIVE,
                               TOPT_SNDBUF,  TOPT_RCVBUF,   TOPT_QUICKACK, TOPT_USER_TIMEOUT_MS,
                               TOPT_MAXSEG,  TOPT_OOBINLINE};
    uint8_t buf[4096] = {0};
    struct tcp_iov v[3];
    struct tcp *tcp = &w->h.tcp;
    struct tcb *t = w->t[i];
    uint32_t n = take(in, 2) % sizeof buf, what = take(in, 1) % 10;
    if (t == NULL)
        return;
    switch (what) {
    case 0: (void)tcp_send(tcp, t, buf, n, n & TCP_MSG_OOB ? TCP_MSG_OOB : 0); break;
    case 1: (void)tcp_send(tcp, t, buf, n, TCP_MSG_MORE); break;
    case 2: (void)tcp_recv(tcp, t, buf, n, 0); break;
    case 3: (void)tcp_recv(tcp, t, buf, n, (n & 1) != 0 ? TCP_MSG_OOB : TCP_MSG_PEEK); break;
    case 4: (void)tcp_shutdown(tcp, t, (enum tcp_shut)(n % 3)); break;
    case 5: tcp_abort(tcp, t, (int)(n % 2)); break;
    case 6: (void)!tcp_opt_set(tcp, t, opts[n % WEIR_COUNT(opts)], (int64_t)take(in, 2)); break;
    case 7:
        if (tcp_send_space(tcp, t, v, 1 + n % 3) > 0)
            (void)tcp_send_commit(tcp, t, n % (v[0].len + 1), 0);
        break;
    case 8:
        if (tcp_recv_peek(tcp, t, v, 1) > 0)
            tcp_recv_consume(tcp, t, n % (v[0].len + 1));
        break;
    default:
        tcp_close(tcp, t);
        w->t[i] = NULL;
        break;
    }
    (void)(w->t[i] != NULL ? tcp_poll(tcp, t) : 0);
}

static void finish(struct world *w)
{
    for (unsigned i = 0; i < SOCKS; i++) {
        if (w->t[i] != NULL) {
            tcp_abort(&w->h.tcp, w->t[i], 0);
            tcp_close(&w->h.tcp, w->t[i]);
        }
    }
    for (int i = 0; i < 40; i++)
        clock_step(w, 130 * W_S);
    drain(w);
    WEIR_ASSERT(w->h.tcp.tcbs.in_use == 0);
    WEIR_ASSERT(w->h.tcp.sents.in_use == 0);
    WEIR_ASSERT(w->h.tcp.syns.in_use == 0);
    WEIR_ASSERT(w->h.tcp.tws.in_use == 0);
    WEIR_ASSERT(w->h.tcp.mem_bytes == 0);
    WEIR_ASSERT(w->h.env.mem.pkts.in_use == 0);
    WEIR_ASSERT(w->h.env.mem.small_blks.in_use + w->h.env.mem.big_blks.in_use == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct in in = {data, data + size};
    memset(&w, 0, sizeof w);
    host_open(&w.h);
    w.irs = 0xffffff00;
    open_one(&w, 0, take(&in, 1));
    while (in.at < in.end) {
        uint32_t op = take(&in, 1), edges;
        if (op < 128)
            segment(&w, &in);
        else if (op < 160)
            clock_step(&w, (w_ns)take(&in, 2) * 10 * W_MS);
        else if (op < 176)
            open_one(&w, op % SOCKS, take(&in, 1));
        else if (op < 240)
            call(&w, op % SOCKS, &in);
        else
            (void)tcp_ready_pop(&w.h.tcp, &edges);
        drain(&w);
        check_all(&w);
    }
    finish(&w);
    return 0;
}
