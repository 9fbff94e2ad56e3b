/* SPDX-License-Identifier: Apache-2.0
 *
 * What a segment looks like: header, options, payload, checksum still to be done.
 *
 * Decides: flags and options of each kind of segment [RFC 9293 3.1, RFC 7323, RFC 2018 4]; the PSH
 * bit of super-segments; nothing about when.
 * Owns: nothing. A packet built here is ip/'s from ip_output on.
 * Called by out.c, timer.c, conn.c, listen.c, tw.c, in*.c; calls sndq.c for payload, wire/ for the
 * header, ip/ to send.
 *
 * A super-segment is one packet with gso_size = MSS: link/ or the device cuts it. The checksum
 * field holds the pseudo-header's sum over the whole length (CSUM_TODO); who cuts, corrects it.
 *
 * Invariants: header and options fit 60 bytes; each transmission that carries an ACK clears what
 * was owed; after a refusal from below, what was owed is owed still.
 */
#include "tcp/room.h"

static uint32_t sack_bytes(const struct tcb *t)
{
    uint32_t n = (uint32_t)t->n_sack + t->has_dsack;
    if (WEIR_LIKELY(n == 0) || (t->flags & TF_SACK) == 0)
        return 0;
    return 4 + 8 * w_u32_min(n, (t->flags & TF_TS) != 0 ? 3 : 4);
}

uint32_t tcp_seg_mss(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t mss = t->snd.mss;
    /* [RFC 9293 3.8.6.2.1] Half the largest window the peer ever offered is worth sending: a peer
     * with a tiny buffer would never see a full segment fit. */
    uint32_t max = t->snd.wnd_max > 536 ? t->snd.wnd_max / 2 : t->snd.wnd_max;
    if (max != 0 && mss > max)
        mss = w_u32_max(max, 48);
    uint32_t sack = sack_bytes(t);
    if (tcp_is_acc(t))
        sack = tcp_acc_room(tcp, t, sack);
    return mss > sack + 8 ? mss - sack : 8;
}

/* [RFC 2018 4 MUST-2, MUST-3, SHLD-4, SHLD-5; RFC 2883 4 MUST-1, MUST-2, SHLD-1, MAY-1] A duplicate
 * is reported first, then the most recent block. */
static void put_sack(struct tcb *t, struct wire_tcp *h)
{
    unsigned max = (t->flags & TF_TS) != 0 ? 3 : 4, n = 0;
    if (t->has_dsack) {
        h->sack[n++] = (struct wire_tcp_sack){t->ooo.dsack.start, t->ooo.dsack.end};
        t->has_dsack = 0;
    }
    for (unsigned i = 0; i < t->n_sack && n < max; i++)
        h->sack[n++] = (struct wire_tcp_sack){t->ooo.sack[i].start, t->ooo.sack[i].end};
    if (n == 0)
        return;
    h->n_sack = (uint8_t)n;
    h->has |= TCPH_SACK;
}

/* [RFC 7323 3.2 MUST-13, SHLD-4] */
static void put_ts(struct tcp *tcp, const struct tcb *t, struct wire_tcp *h)
{
    h->has |= TCPH_TS;
    h->ts_val = tcp_now_ms(tcp) + t->snd.ts_off;
    h->ts_ecr = (h->flags & TCPF_ACK) != 0 ? t->rcv.ts_recent : 0; /* [RFC 7323 3.2] */
}

/* Writes the header in front of what is in p, the pseudo-header's sum into it. [RFC 9293 3.1
 * MUST-2] */
static void put_header(struct pkt *p, const struct flow *f, struct wire_tcp *h)
{
    unsigned hlen = WIRE_TCP_HLEN + wire_tcp_opts_len(h);
    p->pay = p->off;
    uint8_t *at = pkt_push(p, hlen);
    h->csum = csum_half(csum_pseudo(&f->local, &f->remote, PROTO_TCP, p->len));
    wire_tcp_build(at, h);
    p->l4 = p->off;
    p->csum = CSUM_TODO;
    p->csum_start = p->off;
    p->csum_at = WIRE_TCP_CSUM_AT;
}

/* [RFC 9293 3.9.1.1 MUST-45] */
static void meta_of(const struct flow *f, struct ip_meta *m)
{
    *m = (struct ip_meta){.src = f->local, .dst = f->remote, .proto = PROTO_TCP, .df = true};
}

/* Departure and ECN bits of a packet that has no header yet; returns those of IP. */
static WEIR_APART uint8_t before_sending(struct tcp *tcp, const struct tcb *t, struct wire_tcp *h,
                                         struct pkt *p)
{
    if (tcp_is_paced(t))
        p->when = tcp_pace_at(tcp, t, p->len);
    if (tcp_is_acc(t))
        p->tflags |= PKT_ACE;
    return t->st.ecn != 0 ? tcp_ecn_out(tcp, t, h, p->len) : ECN_NOT;
}

static WEIR_APART void after_sending(struct tcp *tcp, struct tcb *t, const struct wire_tcp *h,
                                     uint32_t payload)
{
    if (tcp_is_paced(t))
        tcp_pace_sent(tcp, t, payload);
    if (t->st.ecn != 0)
        tcp_ecn_sent(tcp, t, h);
}

/* Header of a segment of t, and off it goes. Owns p. [RFC 9293 3.9.1.9 MUST-48, SHLD-22; 3.9.2
 * MUST-49] */
static enum drop send_pkt(struct tcp *tcp, struct tcb *t, struct wire_tcp *h, struct pkt *p)
{
    struct ip_meta m;
    h->sport = t->flow.lport;
    h->dport = t->flow.rport;
    meta_of(&t->flow, &m);
    m.ttl = t->opt.ttl;
    m.tos = t->opt.tos;
    uint32_t payload = p->len;
    if (WEIR_UNLIKELY(tcp_is_watched(t)))
        m.tos |= before_sending(tcp, t, h, p);
    if (env_traces(tcp->env))
        tcp_seen_send(tcp, t, h, p);
    put_header(p, &t->flow, h);
    m.id = (uint16_t)t->st.segs_out;
    /* [RFC 1191 3 MUST-4] */
    m.df = !t->dst.can_frag && tcp->env->conf.ip_no_pmtu_disc == 0 &&
           (t->opt.ip & OPT_IP_MAY_FRAG) == 0;
    enum drop why = ip_output(tcp->ip, &t->dst, &m, p);
    if (WEIR_UNLIKELY(why != DROP_NONE)) {
        tcp_count(tcp, STAT_TCPLocalDrops);
        return why;
    }
    t->st.segs_out++;
    if (WEIR_UNLIKELY(tcp_is_watched(t)))
        after_sending(tcp, t, h, payload);
    if ((h->flags & TCPF_ACK) != 0)
        tcp_ack_sent(tcp, t);
    return DROP_NONE;
}

/* What every segment of a synchronized connection carries. [RFC 9293 3.7.1 MUST-65; RFC 7323 3.2
 * MUST-14, SHLD-5; RFC 2018 4 SHLD-1, SHLD-2] */
static void common(struct tcp *tcp, struct tcb *t, struct wire_tcp *h, tcp_seq seq, uint16_t flags)
{
    h->has = 0;
    h->n_sack = 0;
    h->urg = 0;
    h->seq = seq;
    h->ack = t->rcv.nxt;
    h->flags = flags | TCPF_ACK;
    h->wnd = tcp_wnd_announce(tcp, t);
    if ((t->flags & TF_TS) != 0)
        put_ts(tcp, t, h);
    if (WEIR_UNLIKELY((t->n_sack | t->has_dsack) != 0) && (t->flags & TF_SACK) != 0)
        put_sack(t, h);
    if (tcp_is_acc(t))
        tcp_acc_option(tcp, t, h);
}

/* [RFC 9293 3.8.5 MUST-30, MUST-31, MUST-62] The pointer counts from this segment to the byte after
 * the urgent one, as all hosts do [RFC 6093 2.1]. */
static void put_urg(const struct tcb *t, struct wire_tcp *h)
{
    if ((t->flags & TF_SND_URG) == 0 || seq_geq(h->seq, t->snd_up))
        return;
    uint32_t ahead = t->snd_up - h->seq;
    h->flags |= TCPF_URG;
    h->urg = (uint16_t)w_u32_min(ahead, 0xffff);
}

/* Payload [seq, seq + *len) into p, *len cut to what fits; whole segments when more than one. */
static enum drop put_payload(struct tcb *t, struct pkt *p, tcp_seq seq, uint32_t mss, uint32_t *len)
{
    uint32_t put = tcp_sndq_attach(t, seq, *len, p);
    if (put == 0)
        return DROP_NO_BLOCK;
    if (put < *len && put > mss) {
        put -= put % mss;
        pkt_trim(p, put);
    }
    *len = put;
    if (put > mss) {
        p->gso_size = (uint16_t)mss;
        p->gso_segs = (uint16_t)((put + mss - 1) / mss);
    }
    return DROP_NONE;
}

enum drop tcp_seg_data(struct tcp *tcp, struct tcb *t, tcp_seq seq, uint32_t mss, uint32_t *len,
                       uint16_t flags)
{
    struct pkt *p = pkt_new(&tcp->env->mem);
    if (p == NULL)
        return DROP_NOMEM;
    uint32_t want = *len;
    if (want > 0) {
        enum drop why = put_payload(t, p, seq, mss, len);
        if (why != DROP_NONE) {
            pkt_free(p);
            return why;
        }
        if (*len < want)
            flags &= (uint16_t) ~(TCPF_FIN | TCPF_PSH);
        if (p->gso_segs > 1)
            flags |= TCPF_PSH; /* as Linux: lets a receiver's merging end with the train */
    }
    struct wire_tcp h;
    common(tcp, t, &h, seq, flags);
    put_urg(t, &h);
    p->owner = tcb_owner(t);
    uint32_t segs = w_u32_max(p->gso_segs, 1);
    enum drop why = send_pkt(tcp, t, &h, p);
    if (why != DROP_NONE)
        return why;
    t->snd.below += *len;
    if (*len > 0) {
        t->st.data_out += segs;
        t->st.segs_out += segs - 1;
        t->st.bytes_out += *len;
    }
    env_count_n(tcp->env, STAT_TcpOutSegs, segs);
    return DROP_NONE;
}

/* A segment without payload, at seq. */
static enum drop send_bare(struct tcp *tcp, struct tcb *t, tcp_seq seq, uint16_t flags)
{
    struct pkt *p = pkt_new(&tcp->env->mem);
    if (p == NULL)
        return DROP_NOMEM;
    struct wire_tcp h;
    common(tcp, t, &h, seq, flags);
    put_urg(t, &h);
    enum drop why = send_pkt(tcp, t, &h, p);
    if (why == DROP_NONE)
        tcp_count(tcp, STAT_TcpOutSegs);
    return why;
}

enum drop tcp_seg_ack(struct tcp *tcp, struct tcb *t) { return send_bare(tcp, t, t->snd.nxt, 0); }

/* [RFC 9293 3.8.4 SHLD-12] No data in a keep-alive. [RFC 9293 3.8.6.1 DEVIATES: no byte beyond the
 * window but an old sequence number and no text, as Linux and BSD: it draws the same answer and
 * cannot be taken for data] */
enum drop tcp_seg_probe(struct tcp *tcp, struct tcb *t, enum weir_why what)
{
    tcp->why = (uint8_t)what;
    enum drop why = send_bare(tcp, t, t->snd.una - 1, 0);
    tcp->why = WEIR_WHY_NONE;
    return why;
}

/* [RFC 9293 3.10.7.4, 3.5.1] [RFC 7323 5.2 SHLD-11] */
void tcp_seg_rst(struct tcp *tcp, struct tcb *t)
{
    struct pkt *p = pkt_new(&tcp->env->mem);
    if (p == NULL) {
        tcp_count(tcp, STAT_TCPAbortFailed);
        return;
    }
    struct wire_tcp h;
    common(tcp, t, &h, t->snd.nxt, TCPF_RST);
    h.has &= (uint16_t) ~(TCPH_SACK | TCPH_ACCECN);
    h.n_sack = 0;
    if (send_pkt(tcp, t, &h, p) == DROP_NONE) {
        tcp_count(tcp, STAT_TcpOutRsts);
        tcp_count(tcp, STAT_TcpOutSegs);
    }
}

/* [RFC 7413 4.1.1] */
static void put_fastopen(const struct fo_cookie *fo, struct wire_tcp *h)
{
    if (fo == NULL || fo->len < 0)
        return;
    h->has |= TCPH_FASTOPEN | (fo->is_exp ? TCPH_FASTOPEN_EXP : 0);
    h->cookie_len = (uint8_t)fo->len;
    memcpy(h->cookie, fo->val, (size_t)fo->len);
}

/* [RFC 9293 3.7.1 MUST-14, SHLD-5, MAY-3; RFC 7323 2.2 MUST-1, SHLD-1, MUST-3, 2.3 MUST-4, 3.2
 * MAY-2; RFC 2018 2 MUST-1] The window of a SYN is never
 * scaled. */
enum drop tcp_seg_syn_fo(struct tcp *tcp, struct tcb *t, bool with_ack, const struct fo_cookie *fo)
{
    struct pkt *p = pkt_new(&tcp->env->mem);
    if (p == NULL)
        return DROP_NOMEM;
    uint32_t data = fo != NULL && !with_ack ? tcp_fo_syn_bytes(t) : 0;
    if (data != 0 && tcp_sndq_attach(t, t->sndq.iss + 1, data, p) < data) {
        pkt_free(p);
        return DROP_NO_BLOCK;
    }
    const uint16_t all = TCPH_MSS | TCPH_SACK_OK | TCPH_WSCALE;
    struct wire_tcp h = {
        .seq = t->sndq.iss,
        .flags = TCPF_SYN,
        .wnd = (uint16_t)w_u32_min(t->rcv.wnd, 0xffff),
        .has = all,
        .mss = t->rcv.advmss,
        .wscale = t->rcv.wscale,
    };
    if ((t->flags & TF_SACK) == 0)
        h.has &= (uint16_t)~TCPH_SACK_OK;
    if ((t->flags & TF_WSCALE) == 0)
        h.has &= (uint16_t)~TCPH_WSCALE;
    if (with_ack) {
        h.flags |= TCPF_ACK;
        h.ack = t->rcv.nxt;
        uint32_t promise = tcp_wnd_promise(t);
        t->rcv.wup = t->rcv.nxt;
        tcp_wnd_promised(tcp, t, promise);
    }
    if ((t->flags & TF_TS) != 0)
        put_ts(tcp, t, &h);
    put_fastopen(fo, &h);
    enum drop why = send_pkt(tcp, t, &h, p);
    if (why == DROP_NONE)
        tcp_count(tcp, STAT_TcpOutSegs);
    return why;
}

/* ---- without a tcb ---- */

/* Sends towards f->remote. Owns p. */
static enum drop send_stateless(struct tcp *tcp, const struct flow *f, struct wire_tcp *h)
{
    struct dst d = {.nif = f->nif};
    struct ip_meta m;
    if (ip_route(tcp->ip, &f->remote, &f->local, &d) != 0)
        return DROP_IP_NO_ROUTE;
    struct pkt *p = pkt_new(&tcp->env->mem);
    if (p == NULL)
        return DROP_NOMEM;
    h->sport = f->lport;
    h->dport = f->rport;
    if (env_traces(tcp->env))
        tcp_seen_stateless(tcp, h, p);
    put_header(p, f, h);
    meta_of(f, &m);
    tcp_count(tcp, STAT_TcpOutSegs);
    return ip_output(tcp->ip, &d, &m, p);
}

/* [RFC 9293 3.10.7.1] With an ACK: <SEQ=SEG.ACK><CTL=RST>; without: <SEQ=0><ACK=SEG.SEQ+SEG.LEN>
 * <CTL=RST,ACK>. Never in answer to a RST. */
void tcp_seg_rst_reply(struct tcp *tcp, const struct flow *f, const struct seg *s)
{
    if ((s->h.flags & TCPF_RST) != 0)
        return;
    struct wire_tcp h = {.flags = TCPF_RST};
    if ((s->h.flags & TCPF_ACK) != 0) {
        h.seq = s->ack;
    } else {
        h.flags |= TCPF_ACK;
        h.ack = s->end;
    }
    if (send_stateless(tcp, f, &h) == DROP_NONE)
        tcp_count(tcp, STAT_TcpOutRsts);
}

/* What both answers of a half-open connection have in common: its acknowledgement, its timestamp,
 * the window and scale its child will have. h->mss is filled, and sent only with its bit. */
static enum drop half_open_header(struct tcp *tcp, const struct syn_rec *r, struct wire_tcp *h)
{
    const struct tcb *l = tcp_at(tcp, r->lsn);
    struct dst d = {.nif = 0};
    uint32_t wnd, ts_off;
    tcp_seq iss;
    if (ip_route(tcp->ip, &r->flow.remote, &r->flow.local, &d) != 0)
        return DROP_IP_NO_ROUTE;
    bool has_ts = (r->opts & SYN_TS) != 0;
    /* The path's MTU may change before the child comes, the window must not [RFC 9293 3.8.6]. */
    uint32_t mss = tcp_advmss(tcp, l, &d, &r->flow), full = tcp_link_mss(tcp, l, &d, &r->flow);
    *h = (struct wire_tcp){.ack = r->irs + 1, .mss = (uint16_t)mss, .ts_ecr = r->ts_recent};
    tcp_wnd_initial(tcp, l, full - (has_ts ? WIRE_TCP_TS_LEN : 0u), &wnd, &h->wscale);
    tcp_isn(tcp, &r->flow, &iss, &ts_off);
    h->wnd = (uint16_t)w_u32_min(wnd, 0xffff);
    h->has = has_ts ? TCPH_TS : 0;
    h->ts_val = tcp_now_ms(tcp) + ts_off;
    return DROP_NONE;
}

static void syn_ack_header(const struct syn_rec *r, struct wire_tcp *h)
{
    h->seq = r->iss;
    h->flags = TCPF_SYN | TCPF_ACK;
    h->has |= TCPH_MSS;
    h->has |= (r->opts & SYN_SACK) != 0 ? TCPH_SACK_OK : 0;
    h->has |= (r->opts & SYN_WSCALE) != 0 ? TCPH_WSCALE : 0;
}

/* [RFC 9293 3.7.1 MUST-14; RFC 7323 2.3 SHLD-2, 3.2 MAY-2; RFC 2018 2 MUST-1] */
enum drop tcp_seg_syn_ack(struct tcp *tcp, struct syn_rec *r, const struct fo_cookie *fo)
{
    struct wire_tcp h;
    enum drop why = half_open_header(tcp, r, &h);
    if (why != DROP_NONE)
        return why;
    syn_ack_header(r, &h);
    put_fastopen(fo, &h);
    tcp_ecn_syn_ack_out(tcp, r, &h, false);
    r->sent_us = tcp_now_us(tcp);
    return send_stateless(tcp, &r->flow, &h);
}

enum drop tcp_seg_cookie(struct tcp *tcp, struct syn_rec *r, uint32_t ts)
{
    struct wire_tcp h;
    enum drop why = half_open_header(tcp, r, &h);
    if (why != DROP_NONE)
        return why;
    syn_ack_header(r, &h);
    tcp_ecn_syn_ack_out(tcp, r, &h, true);
    h.ts_val += ts - tcp_now_ms(tcp);
    return send_stateless(tcp, &r->flow, &h);
}

/* [RFC 9293 3.10.7.4 first] <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> to what is not acceptable. */
enum drop tcp_seg_half_ack(struct tcp *tcp, const struct syn_rec *r)
{
    struct wire_tcp h;
    enum drop why = half_open_header(tcp, r, &h);
    if (why != DROP_NONE)
        return why;
    h.seq = r->iss + 1;
    h.flags = TCPF_ACK | ((r->acc & SYN_ACC) != 0 ? tcp_acc_first() : 0);
    h.wnd = (uint16_t)(h.wnd >> ((r->opts & SYN_WSCALE) != 0 ? h.wscale : 0));
    return send_stateless(tcp, &r->flow, &h);
}

void tcp_seg_tw_ack(struct tcp *tcp, const struct tw_rec *r)
{
    uint32_t ts_off;
    tcp_seq iss;
    tcp_isn(tcp, &r->flow, &iss, &ts_off);
    struct wire_tcp h = {
        .seq = r->snd_nxt,
        .ack = r->rcv_nxt,
        .flags = (uint16_t)(TCPF_ACK | r->ace << TCPF_ACE_SHIFT),
        .wnd = r->rcv_wnd,
        .has = r->has_ts ? TCPH_TS : 0,
        .ts_val = tcp_now_ms(tcp) + ts_off,
        .ts_ecr = r->ts_recent,
    };
    (void)send_stateless(tcp, &r->flow, &h);
}
