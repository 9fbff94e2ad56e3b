/* SPDX-License-Identifier: Apache-2.0
 *
 * The dialogue language of lab_test.h, and the wire between two labs.
 *
 * Decides nothing about TCP: it writes segments from text, reads segments into text's terms, moves
 * time. Owned and called by the tests of this room; calls the public functions of the rooms below
 * as stack/ would: input, flush at the end of a burst, timers, credit.
 *
 * Everything is checked on the way out: IP and TCP checksums of each frame, tcb_check by the room.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tcp/lab_test.h"

/* ---- the host ---- */

void lab_open_at(struct lab *l, uint32_t addr, void (*conf)(struct weir_conf *))
{
    struct weir_conf c;
    memset(l, 0, sizeof *l);
    net_conf(&c);
    c.n_pkt = 4096;
    c.n_blk_small = 2048;
    c.n_blk_big = 512;
    c.n_tcb = 64;
    c.n_syn = 64;
    c.n_tw = 16;
    c.n_sent = 4096;
    c.txqueuelen = 4000;
    if (conf != NULL)
        conf(&c);
    net_open_with(&l->net, &c, NIF_UP | NIF_L3, 0);
    neigh_init(&l->neigh, &l->net.env, &l->net.link, &l->net.arena);
    ip_init(&l->ip, &l->net.env, &l->net.link, &l->neigh, &l->net.arena);
    tcp_init(&l->tcp, &l->net.env, &l->ip, &l->net.arena);
    assert_false(l->net.arena.is_full);
    struct addr a = addr_ip4(addr);
    assert_int_equal(ip_addr_add(&l->ip, l->net.nif, &a, IP4_PLEN(24), false), 0);
    l->flow = (struct flow){.local = a, .remote = addr_ip4(LAB_REMOTE), .proto = PROTO_TCP};
    l->irs = 0xfffff000u; /* wraps soon: every test crosses it */
}

void lab_open(struct lab *l, void (*conf)(struct weir_conf *)) { lab_open_at(l, LAB_LOCAL, conf); }

void lab_skip(struct lab *l)
{
    lab_settle(l);
    for (unsigned i = 0; i < l->n_out; i++)
        pkt_free(l->out[i]);
    l->n_out = 0;
}

void lab_close(struct lab *l)
{
    lab_skip(l);
    assert_int_equal(l->tcp.tcbs.in_use, 0);
    assert_int_equal(l->tcp.sents.in_use, 0);
    assert_int_equal(l->tcp.syns.in_use, 0);
    assert_int_equal(l->tcp.mem_bytes, 0);
    assert_int_equal(l->tcp.promised, 0);
    net_close(&l->net);
}

static void collect(struct lab *l)
{
    struct pkt *p;
    while ((p = net_sent(&l->net, l->net.nif)) != NULL) {
        uint32_t owner = p->owner, bytes = p->len - (uint32_t)(p->pay - p->off);
        assert_true(l->n_out < LAB_QUEUE);
        l->out[l->n_out++] = p;
        if (owner != 0 && !l->no_credit)
            tcp_sent(&l->tcp, owner, bytes);
    }
}

void lab_settle(struct lab *l)
{
    for (int i = 0; i < 1000; i++) {
        tcp_flush(&l->tcp);
        collect(l);
        if (!tcp_flush_pending(&l->tcp))
            return;
    }
    fail_msg("tcp_flush never comes to rest");
}

static void fire(struct lab *l)
{
    struct timer *due[16];
    unsigned n;
    while ((n = wheel_run(&l->net.env.wheel, l->net.env.now, due, 16)) > 0) {
        for (unsigned i = 0; i < n; i++) {
            if (due[i]->kind == TK_TCP || due[i]->kind == TK_TCP_SYN || due[i]->kind == TK_TCP_TW)
                tcp_timer(&l->tcp, due[i]);
        }
    }
    lab_settle(l);
}

void lab_wait(struct lab *l, w_ns d)
{
    w_ns end = l->net.env.now + d;
    lab_settle(l);
    for (;;) {
        w_ns at = wheel_next(&l->net.env.wheel);
        if (at > end)
            break;
        l->net.env.now = w_u64_max(at, l->net.env.now);
        fire(l);
    }
    l->net.env.now = end;
    lab_settle(l); /* what departs now */
}

static void input(struct lab *l, struct pkt *p)
{
    enum next n = eth_input(&l->net.link, l->net.nif, p);
    if (n == NEXT_IP4)
        n = ip4_input(&l->ip, l->net.nif, p);
    if (n == NEXT_TCP)
        n = tcp_input(&l->tcp, p);
    if (n == NEXT_DROP)
        (void)env_drop(&l->net.env, p, (enum drop)p->drop);
    else
        assert_int_equal(n, NEXT_DONE);
}

/* ---- segments from text ---- */

static const struct {
    char c;
    uint16_t bit;
} flag_chars[] = {{'S', TCPF_SYN}, {'F', TCPF_FIN}, {'R', TCPF_RST},
                  {'P', TCPF_PSH}, {'.', TCPF_ACK}, {'U', TCPF_URG},
                  {'E', TCPF_ECE}, {'W', TCPF_CWR}, {'A', TCPF_AE}};

static const char *skip_blank(const char *s)
{
    while (*s == ' ' || *s == ',')
        s++;
    return s;
}

static bool word(const char **s, const char *w)
{
    const char *at = skip_blank(*s);
    size_t n = strlen(w);
    if (strncmp(at, w, n) != 0)
        return false;
    *s = at + n;
    return true;
}

static uint32_t number(const char **s)
{
    char *end;
    const char *at = skip_blank(*s);
    uint32_t v = (uint32_t)strtoul(at, &end, 0);
    assert_true(end != at);
    *s = end;
    return v;
}

enum { ECN_ANY = 4 };
struct text {
    struct wire_tcp h; /* sequence numbers as in the text */
    uint32_t len;
    unsigned ecn; /* the IP header's codepoint; ECN_ANY: not said */
    bool any_seq, has_ack, has_win, has_opts, more_opts, any_ts_val, ecr_last;
};

static uint16_t read_flags(const char **s)
{
    uint16_t f = 0;
    for (const char *at = skip_blank(*s);; at++) {
        uint16_t bit = 0;
        for (unsigned i = 0; i < WEIR_COUNT(flag_chars); i++)
            bit |= flag_chars[i].c == *at ? flag_chars[i].bit : 0;
        if (bit == 0) {
            *s = at;
            return f;
        }
        f |= bit;
    }
}

static void read_ts(const char **s, struct text *t)
{
    t->h.has |= TCPH_TS;
    t->any_ts_val = !word(s, "val");
    if (!t->any_ts_val)
        t->h.ts_val = number(s);
    assert_true(word(s, "ecr"));
    t->ecr_last = word(s, "last");
    if (!t->ecr_last)
        t->h.ts_ecr = number(s);
}

/* e1b N ceb N e0b N, or the other way round; fewer at the end. */
static void read_accecn(const char **s, struct wire_tcp *h)
{
    h->has |= TCPH_ACCECN;
    for (;;) {
        uint32_t *to = word(s, "e0b") ? &h->acc_e0b : word(s, "ceb") ? &h->acc_ceb : NULL;
        if (to == NULL && word(s, "e1b"))
            to = &h->acc_e1b;
        if (to == NULL)
            return;
        if (h->acc_n++ == 0)
            h->acc_order = to == &h->acc_e1b;
        *to = number(s);
    }
}

static void read_opts(const char **s, struct text *t)
{
    t->has_opts = true;
    while (!word(s, ">")) {
        if (word(s, "mss")) {
            t->h.has |= TCPH_MSS;
            t->h.mss = (uint16_t)number(s);
        } else if (word(s, "sackOK")) {
            t->h.has |= TCPH_SACK_OK;
        } else if (word(s, "wscale")) {
            t->h.has |= TCPH_WSCALE;
            t->h.wscale = (uint8_t)number(s);
        } else if (word(s, "ECN")) {
            read_accecn(s, &t->h);
        } else if (word(s, "sack")) {
            t->h.has |= TCPH_SACK;
            do {
                struct wire_tcp_sack *b = &t->h.sack[t->h.n_sack++];
                b->start = number(s);
                assert_true(word(s, ":"));
                b->end = number(s);
                *s = skip_blank(*s);
            } while (**s >= '0' && **s <= '9');
        } else if (word(s, "TS")) {
            read_ts(s, t);
        } else if (word(s, "...")) {
            t->more_opts = true;
        } else {
            fail_msg("option? %s", *s);
        }
    }
}

static void read_text(const char *s, struct text *t)
{
    static const char *const ecn[] = {"[noecn]", "[ect1]", "[ect0]", "[ce]"};
    memset(t, 0, sizeof *t);
    t->ecn = ECN_ANY;
    for (unsigned i = 0; i < WEIR_COUNT(ecn); i++)
        t->ecn = word(&s, ecn[i]) ? i : t->ecn;
    t->h.flags = read_flags(&s);
    if (word(&s, "*")) {
        t->any_seq = true;
    } else {
        t->h.seq = number(&s);
        assert_true(word(&s, ":"));
        (void)number(&s);
    }
    assert_true(word(&s, "("));
    t->len = number(&s);
    assert_true(word(&s, ")"));
    while (*skip_blank(s) != '\0') {
        if (word(&s, "ack")) {
            t->has_ack = true;
            t->h.ack = number(&s);
        } else if (word(&s, "win")) {
            t->has_win = true;
            t->h.wnd = (uint16_t)number(&s);
        } else if (word(&s, "urg")) {
            t->h.urg = (uint16_t)number(&s);
        } else if (word(&s, "<")) {
            read_opts(&s, t);
        } else {
            fail_msg("text? %s", s);
        }
    }
}

/* The payload of byte `seq` of a stream is a function of it, so that mixing up shows. */
static uint8_t stream_byte(uint32_t seq) { return (uint8_t)(seq * 7 + (seq >> 8)); }

/* One packet, which link/ may have merged from segments of `size` bytes. */
static void put(struct lab *l, const char *text, uint16_t size)
{
    static uint8_t frame[66000], seg[66000];
    struct text t;
    read_text(text, &t);
    for (uint32_t i = 0; i < t.len; i++)
        seg[WIRE_TCP_HLEN_MAX + i] = stream_byte(t.h.seq + i);
    t.h.sport = l->flow.rport;
    t.h.dport = l->flow.lport;
    t.h.seq += l->irs;
    if ((t.h.flags & TCPF_ACK) != 0)
        t.h.ack += l->iss;
    for (unsigned i = 0; i < t.h.n_sack; i++) {
        t.h.sack[i].start += l->iss;
        t.h.sack[i].end += l->iss;
    }
    if (t.ecr_last)
        t.h.ts_ecr = l->ts_last;
    t.h.csum = 0;
    unsigned hlen = wire_tcp_build(seg, &t.h);
    memmove(seg + hlen, seg + WIRE_TCP_HLEN_MAX, t.len);
    uint32_t sum = csum_pseudo(&l->flow.remote, &l->flow.local, PROTO_TCP, hlen + t.len);
    wire_tcp_set_csum(seg, csum_fold(csum_partial(CSUM_SCALAR, seg, hlen + t.len, sum)));
    struct net_ip ip = {.src = addr_to_ip4(&l->flow.remote),
                        .dst = addr_to_ip4(&l->flow.local),
                        .proto = PROTO_TCP,
                        .tos = t.ecn == ECN_ANY ? ECN_NOT : (uint8_t)t.ecn};
    size_t n = net_ip4(frame, &ip, seg, hlen + t.len);
    struct pkt *p = net_pkt(&l->net, frame, n);
    p->gso_size = size;
    p->gso_segs = (uint16_t)(size == 0 ? 0 : (t.len + size - 1) / size);
    input(l, p);
}

void lab_put(struct lab *l, const char *text) { put(l, text, 0); }

void lab_in(struct lab *l, const char *text) { lab_in_train(l, text, 0); }

void lab_in_train(struct lab *l, const char *text, uint16_t size)
{
    put(l, text, size);
    lab_settle(l);
}

/* ---- segments into text's terms ---- */

static void show(const struct wire_tcp *h, uint32_t len, char *buf, size_t n)
{
    char flags[12] = "";
    size_t k = 0;
    for (unsigned i = 0; i < WEIR_COUNT(flag_chars); i++) {
        if ((h->flags & flag_chars[i].bit) != 0)
            flags[k++] = flag_chars[i].c;
    }
    int at = snprintf(buf, n, "%s %u:%u(%u) ack %u win %u urg %u", flags, h->seq, h->seq + len, len,
                      h->ack, h->wnd, h->urg);
    if ((h->has & TCPH_MSS) != 0)
        at += snprintf(buf + at, n - (size_t)at, " mss %u", h->mss);
    if ((h->has & TCPH_WSCALE) != 0)
        at += snprintf(buf + at, n - (size_t)at, " wscale %u", h->wscale);
    if ((h->has & TCPH_SACK_OK) != 0)
        at += snprintf(buf + at, n - (size_t)at, " sackOK");
    if ((h->has & TCPH_TS) != 0)
        at += snprintf(buf + at, n - (size_t)at, " TS ecr %u", h->ts_ecr);
    for (unsigned i = 0; i < h->n_sack; i++)
        at += snprintf(buf + at, n - (size_t)at, " sack %u:%u", h->sack[i].start, h->sack[i].end);
}

/* Takes the oldest frame: header with relative sequence numbers, payload length. */
static bool next_out(struct lab *l, struct wire_tcp *h, uint32_t *len)
{
    static uint8_t bytes[66000];
    struct wire_ip4 ip;
    if (l->n_out == 0)
        return false;
    struct pkt *p = l->out[0];
    memmove(l->out, l->out + 1, --l->n_out * sizeof l->out[0]);
    uint32_t n = pkt_copy_out(p, 0, bytes, sizeof bytes);
    pkt_free(p);
    assert_int_equal(wire_ip4_parse(bytes, n, &ip), DROP_NONE);
    assert_true(wire_ip4_csum_ok(bytes, ip.hlen));
    uint32_t tlen = ip.total - (uint32_t)ip.hlen;
    uint32_t sum = csum_pseudo(&ip.src, &ip.dst, PROTO_TCP, tlen);
    assert_int_equal(csum_fold(csum_partial(CSUM_SCALAR, bytes + ip.hlen, tlen, sum)), 0);
    memset(h, 0, sizeof *h);
    l->out_ecn = ip.tos & ECN_MASK;
    assert_int_equal(wire_tcp_parse(bytes + ip.hlen, tlen, h), DROP_NONE);
    *len = tlen - h->hlen;
    if ((h->flags & TCPF_SYN) != 0 && !l->has_iss) {
        l->iss = h->seq;
        l->has_iss = true;
    }
    h->seq -= l->iss;
    if ((h->flags & TCPF_ACK) != 0)
        h->ack -= l->irs;
    for (unsigned i = 0; i < h->n_sack; i++) {
        h->sack[i].start -= l->irs;
        h->sack[i].end -= l->irs;
    }
    if ((h->has & TCPH_TS) != 0)
        l->ts_last = h->ts_val;
    return true;
}

static bool opts_match(const struct text *t, const struct wire_tcp *h)
{
    if (t->more_opts ? (t->h.has & ~h->has) != 0 : t->h.has != h->has)
        return false;
    if ((t->h.has & TCPH_MSS) != 0 && t->h.mss != h->mss)
        return false;
    if ((t->h.has & TCPH_WSCALE) != 0 && t->h.wscale != h->wscale)
        return false;
    if ((t->h.has & TCPH_TS) != 0 && t->h.ts_ecr != h->ts_ecr)
        return false;
    if ((t->h.has & TCPH_ACCECN) != 0 &&
        (t->h.acc_order != h->acc_order || t->h.acc_n != h->acc_n || t->h.acc_e0b != h->acc_e0b ||
         t->h.acc_ceb != h->acc_ceb || t->h.acc_e1b != h->acc_e1b))
        return false;
    if (t->h.n_sack != h->n_sack && !t->more_opts)
        return false;
    return memcmp(t->h.sack, h->sack, t->h.n_sack * sizeof h->sack[0]) == 0;
}

static bool matches(const struct text *t, const struct wire_tcp *h, uint32_t len)
{
    bool ok = t->h.flags == h->flags && t->len == len;
    ok = ok && (t->any_seq || t->h.seq == h->seq);
    ok = ok && (!t->has_ack || t->h.ack == h->ack);
    ok = ok && (!t->has_win || t->h.wnd == h->wnd);
    ok = ok && ((t->h.flags & TCPF_URG) == 0 || t->h.urg == h->urg);
    return ok && (!t->has_opts || opts_match(t, h));
}

void lab_out_(struct lab *l, const char *text, const char *file, int line)
{
    char got[512] = "nothing";
    struct wire_tcp h;
    struct text t;
    uint32_t len = 0;
    read_text(text, &t);
    bool is_there = next_out(l, &h, &len);
    if (is_there && matches(&t, &h, len) && (t.ecn == ECN_ANY || t.ecn == l->out_ecn))
        return;
    if (is_there)
        show(&h, len, got, sizeof got);
    print_error("expected %s\ngot      %s\n", text, got);
    _fail(file, line);
}

void lab_out_data_(struct lab *l, uint32_t from, uint32_t to, uint32_t step, const char *file,
                   int line)
{
    char got[512] = "nothing";
    struct wire_tcp h;
    uint32_t len = 0;
    for (uint32_t at = from; at < to; at += len) {
        uint32_t want = to - at < step ? to - at : step;
        bool is_there = next_out(l, &h, &len);
        if (is_there && h.seq == at && len == want)
            continue;
        if (is_there)
            show(&h, len, got, sizeof got);
        print_error("expected data %u:%u\ngot      %s\n", at, at + want, got);
        _fail(file, line);
    }
}

void lab_quiet_(struct lab *l, const char *file, int line)
{
    char got[512];
    struct wire_tcp h;
    uint32_t len;
    if (!next_out(l, &h, &len))
        return;
    show(&h, len, got, sizeof got);
    print_error("expected silence\ngot      %s\n", got);
    _fail(file, line);
}

/* ---- usual beginnings ---- */

struct tcb *lab_server(struct lab *l, const char *opts, unsigned win, struct tcb **lsn)
{
    char text[200];
    struct addr any = addr_ip4(0);
    l->flow.lport = 8080;
    l->flow.rport = 4000;
    *lsn = tcp_new(&l->tcp, 1);
    assert_non_null(*lsn);
    assert_int_equal(tcp_listen(&l->tcp, *lsn, &any, 8080, 8), 0);
    snprintf(text, sizeof text, "S 0:0(0) win %u <%s>", win, opts);
    lab_in(l, text);
    lab_out(l, "S. 0:0(0) ack 1 <...>");
    snprintf(text, sizeof text, ". 1:1(0) ack 1 win %u%s", win,
             strstr(opts, "TS") != NULL ? " <TS val 2 ecr last>" : "");
    lab_in(l, text);
    struct tcb *t = tcp_accept(&l->tcp, *lsn);
    assert_non_null(t);
    tcp_set_sock(t, 2);
    lab_quiet(l);
    return t;
}

struct tcb *lab_client(struct lab *l, const char *opts, unsigned win)
{
    char text[200];
    l->flow.lport = 4000;
    l->flow.rport = 80;
    struct tcb *t = tcp_new(&l->tcp, 2);
    assert_non_null(t);
    assert_int_equal(tcp_connect(&l->tcp, t, &l->flow), 0);
    lab_settle(l);
    lab_out(l, "S 0:0(0) <...>");
    snprintf(text, sizeof text, "S. 0:0(0) ack 1 win %u <%s>", win, opts);
    lab_in(l, text);
    lab_out(l, ". 1:1(0) ack 1");
    return t;
}

void lab_write(struct lab *l, struct tcb *t, size_t n)
{
    uint8_t *buf = malloc(n);
    for (size_t i = 0; i < n; i++)
        buf[i] = stream_byte(t->snd.end - t->sndq.iss + (uint32_t)i);
    assert_int_equal(tcp_send(&l->tcp, t, buf, n, 0), n);
    free(buf);
    lab_settle(l);
}

size_t lab_read(struct lab *l, struct tcb *t)
{
    static uint8_t buf[65536];
    size_t all = 0;
    int64_t n;
    while ((n = tcp_recv(&l->tcp, t, buf, sizeof buf, 0)) > 0) {
        uint32_t at = t->rcv.copied - (uint32_t)n - t->irs;
        for (int64_t i = 0; i < n; i++)
            assert_int_equal(buf[i], stream_byte(at + (uint32_t)i));
        all += (size_t)n;
    }
    lab_settle(l);
    return all;
}

/* ---- two joined ---- */

void wire_open(struct wire *w, const struct wire_conf *c, uint64_t seed,
               void (*conf)(struct weir_conf *))
{
    memset(w, 0, sizeof *w);
    w->conf = *c;
    rng_seed(&w->rng, seed);
    lab_open_at(&w->end[0], LAB_LOCAL, conf);
    lab_open_at(&w->end[1], LAB_REMOTE, conf);
}

void wire_close(struct wire *w)
{
    for (int i = 0; i < 2; i++) {
        for (unsigned k = 0; k < w->n_fly[i]; k++)
            pkt_free(w->fly[i][k].p);
        w->n_fly[i] = 0;
    }
    lab_close(&w->end[0]);
    lab_close(&w->end[1]);
}

static void launch(struct wire *w, int to, struct pkt *p)
{
    w_ns late = rng_chance_ppm(&w->rng, w->conf.reorder_ppm) ? rng_below(&w->rng, 20) * W_MS : 0;
    assert_true(w->n_fly[to] < LAB_QUEUE);
    unsigned i = w->n_fly[to]++;
    w->fly[to][i].p = p;
    w->fly[to][i].at = w->end[0].net.env.now + w->conf.delay + late;
    w->fly[to][i].order = w->order++;
}

static void depart(struct wire *w, int from)
{
    struct lab *l = &w->end[from];
    for (unsigned i = 0; i < l->n_out; i++) {
        struct pkt *p = l->out[i];
        w->n_sent++;
        if (rng_chance_ppm(&w->rng, w->conf.dup_ppm)) {
            struct pkt *copy = pkt_copy(&l->net.env.mem, p);
            if (copy != NULL)
                launch(w, !from, copy);
        }
        if (rng_chance_ppm(&w->rng, w->conf.loss_ppm)) {
            w->n_lost++;
            pkt_free(p);
        } else {
            launch(w, !from, p);
        }
    }
    l->n_out = 0;
}

/* The earliest that is due, oldest first. */
static struct pkt *arrive(struct wire *w, int to)
{
    w_ns now = w->end[0].net.env.now;
    unsigned best = w->n_fly[to];
    for (unsigned i = 0; i < w->n_fly[to]; i++) {
        if (w->fly[to][i].at > now)
            continue;
        if (best == w->n_fly[to] || w->fly[to][i].at < w->fly[to][best].at ||
            (w->fly[to][i].at == w->fly[to][best].at &&
             w->fly[to][i].order < w->fly[to][best].order))
            best = i;
    }
    if (best == w->n_fly[to])
        return NULL;
    struct pkt *p = w->fly[to][best].p;
    w->fly[to][best] = w->fly[to][--w->n_fly[to]];
    return p;
}

static w_ns next_event(struct wire *w)
{
    w_ns next = W_NEVER;
    for (int i = 0; i < 2; i++) {
        next = w_u64_min(next, wheel_next(&w->end[i].net.env.wheel));
        for (unsigned k = 0; k < w->n_fly[i]; k++)
            next = w_u64_min(next, w->fly[i][k].at);
    }
    return next;
}

bool wire_step(struct wire *w, w_ns limit)
{
    for (int i = 0; i < 2; i++) {
        lab_settle(&w->end[i]);
        depart(w, i);
    }
    w_ns next = next_event(w);
    if (next > limit)
        return false;
    for (int i = 0; i < 2; i++)
        w->end[i].net.env.now = w_u64_max(next, w->end[i].net.env.now);
    for (int i = 0; i < 2; i++) {
        struct lab *l = &w->end[i];
        struct pkt *p;
        while ((p = arrive(w, i)) != NULL) {
            struct pkt *mine = pkt_copy(&l->net.env.mem, p);
            pkt_free(p);
            if (mine != NULL) {
                mine->nif = 1;
                mine->csum = CSUM_NONE;
                input(l, mine);
            }
        }
        fire(l);
    }
    return true;
}
