/* SPDX-License-Identifier: Apache-2.0
 *
 * The receive side's answers: how large a window to announce, and when an ACK goes.
 *
 * Decides: the window [RFC 9293 3.8.6, 3.8.6.2.2], its scale [RFC 7323 2], delayed ACKs [RFC 9293
 * 3.8.6.3, RFC 5681 4.2], the size of the receive buffer.
 * Owns: t->rcv.wnd, wup, ssthresh, quick, pingpong, ato_us, t->drs; T_DELACK.
 * Called by reasm.c, in_fast.c (data came), seg.c (a segment leaves), recv.c (the program read).
 *
 * Theory of operation. The RFCs leave the policy open; here it is Linux's, which peers and scripts
 * are used to. An ACK goes at once for every second full segment, while in quick-ACK mode (the
 * first segments of a connection and after pauses, so that a peer's slow start is not held up), for
 * anything out of order, and when a small read shows that a request is complete; else after a time
 * between 40 ms and 200 ms which adapts to the peer's rhythm. A connection whose data goes to and
 * fro ("ping-pong") leaves quick-ACK mode, since the answer will carry the ACK.
 *
 * More than the pools can hold is never promised. A connection may always hold wnd_free bytes (or
 * two segments); what all have been promised beyond that is counted and stays below half of what
 * fits into the pools, in segments of this connection's size; the other half is for what is being
 * sent. Of what is left a connection may take two thirds, so that there is some for the next (a
 * dynamic threshold, Choudhury and Hahne 1998).
 *
 * Of the receive buffer a share (half) is not announced; it stands for the overhead of small
 * packets. The buffer grows with what the program reads per round trip (dynamic right-sizing,
 * Fisk and Feng 2001).
 *
 * Invariant: the right edge rcv.wup + rcv.wnd never moves left [RFC 9293 3.8.6 SHLD-14].
 */
#include "tcp/room.h"

enum { QUICK_MAX = 16, PINGPONG = 1 };

static uint32_t window_of(const struct tcp *tcp, uint32_t buffer)
{
    uint32_t scale = tcp->env->conf.tcp_adv_win_scale;
    return scale == 0 ? buffer : buffer - (buffer >> scale);
}

uint32_t tcp_wnd_share(const struct tcp *tcp, const struct tcb *t)
{
    return window_of(tcp, t->rcv.limit);
}

uint32_t tcp_wnd_buffer(const struct tcp *tcp, uint64_t window)
{
    uint32_t scale = tcp->env->conf.tcp_adv_win_scale;
    uint64_t b = scale == 0 ? window : scale == 1 ? 2 * window : window + (window >> (scale - 1));
    return (uint32_t)w_u64_min(b, 1u << 30);
}

/* To what a window field with that scale can say. */
static uint32_t round_down(uint32_t wnd, unsigned scale) { return wnd >> scale << scale; }
static uint32_t round_up(uint32_t wnd, unsigned scale)
{
    return round_down(wnd + (1u << scale) - 1, scale);
}

static uint32_t clamp_of(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t full = window_of(tcp, t->rcv.limit);
    uint32_t scaled = 0xffffu << t->rcv.wscale;
    uint32_t clamp = t->opt.window_clamp != 0 ? t->opt.window_clamp : UINT32_MAX;
    return w_u32_min(w_u32_min(full, scaled), clamp);
}

/* ---- what the pools can hold ---- */

/* Of a segment with its headers the linear part takes the beginning, blocks of one kind the rest:
 * how many small blocks that would be. */
static uint32_t blocks_of(uint32_t mss)
{
    enum { HEADERS = 14 + 40 + 60 };
    uint32_t n = mss + HEADERS > PKT_RX_LINEAR ? mss + HEADERS - PKT_RX_LINEAR : 0;
    return (n + BLK_SMALL - 1) / BLK_SMALL;
}

/* How many segments of that many small blocks the pools can hold. */
static uint32_t wnd_segs_of(const struct weir_conf *c, uint32_t blocks)
{
    uint64_t n = c->n_pkt;
    if (blocks > PKT_FRAGS)
        n = c->n_blk_big / ((blocks + BLK_BIG / BLK_SMALL - 1) / (BLK_BIG / BLK_SMALL));
    else if (blocks > 0)
        n = c->n_blk_big + c->n_blk_small / blocks;
    return (uint32_t)w_u64_min(n, c->n_pkt);
}

static uint32_t budget_of(const struct tcp *tcp, uint32_t mss)
{
    uint32_t segs = tcp->wnd_segs[w_u32_min(blocks_of(mss), WEIR_COUNT(tcp->wnd_segs) - 1)];
    return (uint32_t)w_u64_min((uint64_t)segs * mss / 2, UINT32_MAX / 4);
}

void tcp_wnd_init(struct tcp *tcp)
{
    for (uint32_t i = 0; i < WEIR_COUNT(tcp->wnd_segs); i++)
        tcp->wnd_segs[i] = wnd_segs_of(&tcp->env->conf, i);
    /* With the default pools more than the first window, as Linux has it, and a little unread. */
    tcp->wnd_free = w_u32_min(budget_of(tcp, 536) / 8, 80 << 10);
}

/* What any connection may be promised: so that full segments can be sent. */
static uint32_t least_of(const struct tcp *tcp, uint32_t mss)
{
    return 2 * mss <= tcp->wnd_free
               ? tcp->wnd_free
               : w_u32_max(tcp->wnd_free, w_u32_min(2 * mss, budget_of(tcp, mss)));
}

/* The part of a promise that is counted. */
static uint32_t beyond_free(const struct tcp *tcp, uint32_t promise)
{
    return promise > tcp->wnd_free ? promise - tcp->wnd_free : 0;
}

/* Unread bytes and window together, at most. */
static uint32_t promise_max(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t mss = t->rcv.advmss, budget = budget_of(tcp, mss);
    uint64_t others = tcp->promised - (t->is_promised ? beyond_free(tcp, tcp_wnd_promise(t)) : 0);
    uint64_t left = budget > tcp->promised ? budget - tcp->promised : 0;
    uint64_t more = w_u64_min(2 * left, budget > others ? budget - others : 0);
    return w_u32_max(tcp->wnd_free + (uint32_t)more, w_u32_min(2 * mss, budget));
}

void tcp_wnd_promised(struct tcp *tcp, struct tcb *t, uint32_t before)
{
    if (t->is_promised)
        tcp->promised += (uint64_t)beyond_free(tcp, tcp_wnd_promise(t)) - beyond_free(tcp, before);
}

void tcp_wnd_promise_begin(struct tcp *tcp, struct tcb *t)
{
    t->is_promised = 1;
    tcp->promised += beyond_free(tcp, tcp_wnd_promise(t));
}

void tcp_wnd_promise_end(struct tcp *tcp, struct tcb *t)
{
    if (t->is_promised)
        tcp->promised -= beyond_free(tcp, tcp_wnd_promise(t));
    t->is_promised = 0;
}

/* ---- the window ---- */

void tcp_wnd_initial(const struct tcp *tcp, const struct tcb *t, uint32_t mss, uint32_t *wnd,
                     uint8_t *wscale)
{
    const struct weir_conf *c = &tcp->env->conf;
    uint32_t space = window_of(tcp, t->rcv.limit);
    uint32_t clamp = 0xffffu << WIRE_TCP_WSCALE_MAX;
    if (t->opt.window_clamp != 0)
        clamp = w_u32_min(clamp, t->opt.window_clamp);
    if ((t->flags & TF_RCVBUF_SET) != 0)
        clamp = w_u32_min(clamp, space);
    space = w_u32_min(space, clamp);
    uint32_t first = w_u32_min(space, least_of(tcp, mss));
    *wnd = first > mss ? first / mss * mss : first;
    *wscale = 0;
    if (c->tcp_window_scaling == 0)
        return;
    /* The scale is fixed by the SYN: room for what autotuning may come to. */
    uint32_t most = w_u32_min(w_u32_max(w_u32_max(space, c->tcp_rmem_max), c->rmem_max), clamp);
    while (*wscale < WIRE_TCP_WSCALE_MAX && most >> *wscale > 0xffff)
        ++*wscale;
}

/* `free`, or less where the pools are short: behind `queued` unread bytes. */
static uint32_t promisable(const struct tcp *tcp, const struct tcb *t, uint32_t queued,
                           uint32_t free)
{
    if (WEIR_LIKELY(queued + free <= tcp->wnd_free))
        return free;
    uint32_t most = promise_max(tcp, t);
    return w_u32_min(free, most > queued ? most - queued : 0);
}

/* What could be offered if steps did not matter. */
static uint32_t free_window(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t queued = tcp_rcvq_bytes(t);
    uint32_t space = window_of(tcp, t->rcv.limit);
    uint32_t free = w_u32_min(space > queued ? space - queued : 0, clamp_of(tcp, t));
    return promisable(tcp, t, queued, free);
}

/* Window worth offering [RFC 9293 3.8.6.2.2 MUST-39; 3.8.6.1 MAY-8]: no small steps, none at all
 * when nearly full. */
static uint32_t select_window(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t full = clamp_of(tcp, t);
    uint32_t queued = tcp_rcvq_bytes(t);
    uint32_t space = window_of(tcp, t->rcv.limit);
    uint32_t free = space > queued ? space - queued : 0;
    uint32_t mss = w_u32_min(t->rcv.mss, full);
    if (free < full / 2) {
        free = round_down(free, t->rcv.wscale);
        if (free < space >> 4 || free < mss)
            return 0;
    }
    free = promisable(tcp, t, queued, w_u32_min(w_u32_min(free, full), t->rcv.ssthresh));
    if (tcp_mem_is_tight(tcp))
        free = w_u32_min(free, 4u * t->rcv.advmss);
    if (t->rcv.wscale != 0)
        return round_up(free, t->rcv.wscale);
    uint32_t wnd = t->rcv.wnd;
    if (mss > 0 && (wnd + mss <= free || wnd > free))
        return free / mss * mss;
    return mss == full && free > wnd + full / 2 ? free : wnd;
}

uint16_t tcp_wnd_announce(struct tcp *tcp, struct tcb *t)
{
    uint32_t old = t->rcv.wnd;
    tcp_seq edge = t->rcv.wup + old;
    uint32_t cur = tcp_rcv_wnd(t);
    uint32_t wnd = select_window(tcp, t);
    if (wnd < cur) {
        /* [RFC 9293 3.8.6 SHLD-14] Never take back. */
        if (wnd == 0)
            tcp_count(tcp, STAT_TCPWantZeroWindowAdv);
        wnd = round_up(cur, t->rcv.wscale);
    }
    uint32_t max = 0xffffu << t->rcv.wscale;
    if (t->rcv.wscale == 0 && tcp->env->conf.tcp_workaround_signed_windows != 0)
        max = 0x7fff;
    t->rcv.wnd = w_u32_min(wnd, w_u32_max(max, cur));
    t->rcv.wup = t->rcv.nxt;
    if (WEIR_UNLIKELY(tcp_wnd_promise(t) > tcp->wnd_free)) /* it never shrinks here */
        tcp_wnd_promised(tcp, t, edge - t->rcv.copied);
    /* [RFC 7323 2.3 MUST-7; 2.4 SHLD-3, MUST-10] */
    uint32_t field = w_u32_min(t->rcv.wnd >> t->rcv.wscale, 0xffff);
    if (field == 0 && old != 0) {
        tcp_count(tcp, STAT_TCPToZeroWindowAdv);
        tcp_gauge_full(tcp, t, TCP_BUF_RECV, true);
    } else if (field != 0 && old == 0) {
        tcp_count(tcp, STAT_TCPFromZeroWindowAdv);
        tcp_gauge_full(tcp, t, TCP_BUF_RECV, false);
    }
    return (uint16_t)field;
}

/* ---- ACKs ---- */

void tcp_ack_quick(struct tcp *tcp, struct tcb *t, uint32_t max)
{
    (void)tcp;
    uint32_t n = t->rcv.mss != 0 ? t->rcv.wnd / (2u * t->rcv.mss) : 2;
    n = w_u32_min(n == 0 ? 2 : n, max);
    if (n > t->rcv.quick)
        t->rcv.quick = (uint8_t)n;
}

static void measure_mss(struct tcb *t, const struct seg *s)
{
    uint32_t len = s->p->gso_size != 0 ? s->p->gso_size : s->len;
    if (len >= t->rcv.mss) {
        t->rcv.mss = (uint16_t)w_u32_min(len, t->rcv.advmss);
        /* Exactly one, pushed: perhaps all there is. */
        if ((s->h.flags & TCPF_PSH) != 0 && s->len == t->rcv.mss)
            t->flags |= TF_PUSHED;
        return;
    }
    /* A small one: perhaps the end of a request. */
    t->flags |= (t->flags & TF_PUSHED) != 0 ? TF_PUSHED2 : TF_PUSHED;
}

/* Data came: learn the peer's rhythm, owe an ACK. */
void tcp_ack_data_event(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    const struct weir_conf *c = &tcp->env->conf;
    uint32_t now = tcp_now_ms(tcp), min = c->tcp_delack_min_us;
    t->flags |= TF_ACK_SCHED;
    if (s->len != t->rcv.mss || (s->h.flags & TCPF_PSH) != 0)
        measure_mss(t, s);
    if (t->rcv.ato_us == 0) {
        /* [RFC 5681 4.2] quick ACKs at the start open the sender's window */
        tcp_ack_quick(tcp, t, QUICK_MAX);
        t->rcv.ato_us = min;
    } else {
        uint32_t m_ms = now - t->rcv.data_ms;
        if (m_ms <= min / 2000) {
            t->rcv.ato_us = t->rcv.ato_us / 2 + min / 2;
        } else if (m_ms < t->rcv.ato_us / 1000) {
            t->rcv.ato_us = w_u32_min(t->rcv.ato_us / 2 + m_ms * 1000, t->rtt.rto_us);
        } else if (m_ms > t->rtt.rto_us / 1000) {
            tcp_ack_quick(tcp, t, QUICK_MAX); /* a pause: the sender may have restarted */
        }
    }
    t->rcv.data_ms = now;
    /* The ceiling of the window opens as segments prove to be full. */
    uint32_t clamp = clamp_of(tcp, t);
    if (t->rcv.ssthresh < clamp && s->len >= 128 && !tcp_mem_is_tight(tcp))
        t->rcv.ssthresh += w_u32_min(clamp - t->rcv.ssthresh, 2u * t->rcv.advmss);
}

/* [RFC 5681 4.2 MUST-18] A flag: however many ask for it, one goes. */
void tcp_ack_now(struct tcp *tcp, struct tcb *t, enum weir_why why)
{
    if (env_traces(tcp->env))
        tcp_seen_ack_why(tcp, t, why);
    t->flags |= TF_ACK_NOW;
    tcp_out_mark(tcp, t);
}

static bool in_pingpong(const struct tcb *t) { return t->rcv.pingpong >= PINGPONG; }

static void delay_ack(struct tcp *tcp, struct tcb *t)
{
    const struct weir_conf *c = &tcp->env->conf;
    uint32_t ato = t->rcv.ato_us;
    if (ato > c->tcp_delack_min_us) {
        uint32_t max = 500000;
        if (in_pingpong(t) || (t->flags & TF_PUSHED) != 0)
            max = c->tcp_delack_max_us;
        uint32_t srtt = t->rtt.srtt8_us >> 3;
        if (srtt != 0)
            max = w_u32_min(max, w_u32_max(srtt, c->tcp_delack_min_us));
        ato = w_u32_min(ato, max);
    }
    /* [RFC 9293 3.8.6.3 MUST-40, RFC 5681 4.2 MUST-17] less than half a second */
    ato = w_u32_min(ato, w_u32_min(c->tcp_delack_max_us, 499999));
    w_ns now = tcp->env->now, at = now + ato * W_US;
    if (t->at[T_DELACK] != W_NEVER) {
        if (t->at[T_DELACK] <= now + ato / 4 * W_US) {
            tcp_ack_now(tcp, t, WEIR_WHY_ACK_DELAYED);
            return;
        }
        at = w_u64_min(at, t->at[T_DELACK]);
    }
    tcp_arm(tcp, t, T_DELACK, at);
}

/* After each segment with data: now or later? */
void tcp_ack_check(struct tcp *tcp, struct tcb *t, bool had_hole)
{
    if ((t->flags & (TF_ACK_SCHED | TF_ACK_NOW)) != TF_ACK_SCHED)
        return;
    uint32_t owed = t->rcv.nxt - t->rcv.wup;
    bool is_second = owed > t->rcv.mss && (tcp_rcvq_bytes(t) < w_u32_max(t->opt.rcvlowat, 1) ||
                                           select_window(tcp, t) >= t->rcv.wnd);
    /* [RFC 9293 3.8.6.3 SHLD-18, SHLD-19; RFC 5681 4.2 SHLD-10, SHLD-11, 3.2 SHLD-5] every second
     * full segment; at once while there is a hole and when one is filled */
    if (is_second || had_hole || (t->rcv.quick > 0 && !in_pingpong(t)))
        tcp_ack_now(tcp, t,
                    had_hole    ? WEIR_WHY_ACK_FILLED
                    : is_second ? WEIR_WHY_ACK_SECOND
                                : WEIR_WHY_ACK_QUICK);
    else
        delay_ack(tcp, t);
}

/* A segment with ACK left. */
void tcp_ack_sent(struct tcp *tcp, struct tcb *t)
{
    t->flags &= ~(uint32_t)(TF_ACK_NOW | TF_ACK_SCHED | TF_PUSHED | TF_PUSHED2);
    tcp_disarm(t, T_DELACK);
    if (t->rcv.quick == 0)
        return;
    if (--t->rcv.quick == 0)
        t->rcv.ato_us = tcp->env->conf.tcp_delack_min_us; /* leaving quick mode: start low */
}

/* T_DELACK fired. */
void tcp_ack_delay_over(struct tcp *tcp, struct tcb *t)
{
    if ((t->flags & TF_ACK_SCHED) == 0)
        return;
    if (!in_pingpong(t)) {
        t->rcv.ato_us = w_u32_min(t->rcv.ato_us * 2, t->rtt.rto_us);
    } else {
        t->rcv.pingpong = 0;
        t->rcv.ato_us = tcp->env->conf.tcp_delack_min_us;
    }
    tcp_count(tcp, STAT_DelayedACKs);
    tcp_ack_now(tcp, t, WEIR_WHY_ACK_DELAYED);
}

/* ---- dynamic right-sizing ---- */

/* Round-trip time as a receiver sees it: from an echoed timestamp, else the time in which a window
 * of data arrives. */
void tcp_drs_segment(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    uint32_t now = tcp_now_us(tcp), rtt = 0;
    if ((t->flags & TF_TS) != 0 && (s->h.has & TCPH_TS) != 0) {
        if (s->h.ts_ecr == 0 || s->len < t->rcv.mss)
            return;
        rtt = w_u32_max((tcp_now_ms(tcp) + t->snd.ts_off - s->h.ts_ecr) * 1000, 1000);
    } else if (t->drs.rtt_at_us == 0) {
        t->drs.rtt_at_us = now != 0 ? now : 1;
        t->drs.rtt_seq = t->rcv.nxt + t->rcv.wnd;
        return;
    } else if (seq_lt(t->rcv.nxt, t->drs.rtt_seq)) {
        return;
    } else {
        rtt = w_u32_max(now - t->drs.rtt_at_us, 1);
        t->drs.rtt_at_us = now != 0 ? now : 1;
        t->drs.rtt_seq = t->rcv.nxt + t->rcv.wnd;
    }
    if (rtt > 60u * 1000000)
        return;
    t->drs.rtt_us = t->drs.rtt_us == 0 ? rtt : t->drs.rtt_us - t->drs.rtt_us / 8 + rtt / 8;
}

static void drs_read(struct tcp *tcp, struct tcb *t)
{
    const struct weir_conf *c = &tcp->env->conf;
    uint32_t now = tcp_now_us(tcp);
    if (t->drs.rtt_us == 0 || now - t->drs.at_us < t->drs.rtt_us)
        return;
    uint32_t copied = t->rcv.copied - t->drs.seq;
    if (copied > t->drs.space) {
        bool may_grow = c->tcp_moderate_rcvbuf != 0 && (t->flags & TF_RCVBUF_SET) == 0;
        if (may_grow && t->drs.space != 0 && !tcp_mem_is_tight(tcp)) {
            /* Twice what was read in a round trip, and as much again as it grew by. */
            uint64_t want = 2 * (uint64_t)copied + 16 * t->rcv.advmss;
            want += 2 * (want * (copied - t->drs.space) / t->drs.space);
            uint32_t buffer =
                w_u32_min(tcp_wnd_buffer(tcp, w_u64_min(want, 1u << 30)), c->tcp_rmem_max);
            t->rcv.limit = w_u32_max(t->rcv.limit, buffer);
        }
        t->drs.space = copied;
    }
    t->drs.seq = t->rcv.copied;
    t->drs.at_us = now;
}

/* [RFC 9293 3.8.6.2.2 MUST-39] Tell the peer when reading opened the window by a useful amount, and
 * do not delay an ACK whose request has been read whole. */
void tcp_wnd_after_read(struct tcp *tcp, struct tcb *t, uint32_t n)
{
    bool is_due = false;
    if (n > 0)
        drs_read(tcp, t);
    if ((t->flags & TF_ACK_SCHED) != 0) {
        bool is_push =
            (t->flags & TF_PUSHED2) != 0 || ((t->flags & TF_PUSHED) != 0 && !in_pingpong(t));
        is_due =
            t->rcv.nxt - t->rcv.wup > t->rcv.mss || (n > 0 && is_push && tcp_rcvq_bytes(t) == 0);
    }
    if (n > 0 && !is_due && (t->flags & (TF_RCV_SHUT | TF_FIN_RCVD)) == 0) {
        uint32_t cur = tcp_rcv_wnd(t), clamp = clamp_of(tcp, t);
        if (2 * (uint64_t)cur <= clamp) {
            /* Linux asks for twice the window; where segments are as large as windows (no scaling,
             * MTU 65520) its steps can miss that, and a sender that avoids small windows would
             * wait for its persist timer: half the buffer is always worth telling. */
            uint32_t wnd = select_window(tcp, t);
            uint32_t free = w_u32_min(free_window(tcp, t), t->rcv.ssthresh);
            is_due = wnd >= 2 * cur || free >= cur + clamp / 2;
            is_due = is_due && wnd > round_up(cur, t->rcv.wscale);
        }
    }
    if (is_due) {
        if (env_traces(tcp->env))
            tcp_seen_ack_why(tcp, t, WEIR_WHY_ACK_WINDOW);
        t->flags |= TF_ACK_NOW;
        tcp_output(tcp, t, false);
    }
}
