/* SPDX-License-Identifier: Apache-2.0
 *
 * TIME-WAIT: remembering a connection that is over, in 64 bytes [RFC 9293 3.6.1, 3.10.7.4, 3.10.8].
 *
 * Decides: answers to late segments, when a new SYN may take the place [RFC 6191], when the wait is
 * over.
 * Owns: the pool of records and their queue. All wait equally long, so one queue ordered by expiry
 * and one timer serve all; a restarted wait goes to the end.
 * Called by in.c, close.c, conn.c; calls seg.c.
 *
 * When the pool is full the oldest record goes early: that is counted, and safer than refusing the
 * newest, whose old segments are likelier to be still on their way.
 *
 * Invariant: the queue is in the order of expire_ms.
 */
#include "tcp/room.h"

enum { TW_BATCH = 256 };

static struct tw_rec *tw_at(const struct tcp *tcp, uint32_t idx) { return pool_at(&tcp->tws, idx); }

static void arm(struct tcp *tcp)
{
    if (tcp->tw_head == 0) {
        wheel_del(&tcp->env->wheel, &tcp->tw_timer);
        return;
    }
    uint32_t now = tcp_now_ms(tcp), at = tw_at(tcp, tcp->tw_head)->expire_ms;
    tcp->tw_timer.kind = TK_TCP_TW;
    wheel_set(&tcp->env->wheel, &tcp->tw_timer,
              tcp->env->now + (clock_lt(now, at) ? at - now : 0) * W_MS);
}

/* [RFC 9293 3.6.1 MUST-13] 2 MSL from now. */
static void push(struct tcp *tcp, uint32_t idx)
{
    tw_at(tcp, idx)->expire_ms = tcp_now_ms(tcp) + 1000 * tcp->env->conf.tcp_timewait_s;
    tcp->tw_links[idx] = (struct tcp_links){.prev = tcp->tw_tail};
    if (tcp->tw_tail != 0)
        tcp->tw_links[tcp->tw_tail].next = idx;
    else
        tcp->tw_head = idx;
    bool is_first = tcp->tw_tail == 0;
    tcp->tw_tail = idx;
    if (is_first)
        arm(tcp);
}

static void tw_unlink(struct tcp *tcp, uint32_t idx)
{
    struct tcp_links l = tcp->tw_links[idx];
    if (l.prev != 0)
        tcp->tw_links[l.prev].next = l.next;
    else
        tcp->tw_head = l.next;
    if (l.next != 0)
        tcp->tw_links[l.next].prev = l.prev;
    else
        tcp->tw_tail = l.prev;
    if (tcp->tw_head == 0)
        arm(tcp);
}

void tcp_tw_del(struct tcp *tcp, uint32_t idx)
{
    const struct tw_rec *r = tw_at(tcp, idx);
    tw_unlink(tcp, idx);
    tcp_table_del(tcp, r->flow.lport, (uint32_t)tcp_table_hash(tcp, &r->flow),
                  tcp_ref(REF_TW, idx));
    pool_give(&tcp->tws, idx);
}

/* A record takes t's place in the table. True: there was one to be had without pushing another. */
bool tcp_tw_add(struct tcp *tcp, struct tcb *t)
{
    bool is_easy = pool_free_count(&tcp->tws) != 0;
    if (!is_easy && tcp->tw_head != 0)
        tcp_tw_del(tcp, tcp->tw_head);
    uint32_t idx = pool_take(&tcp->tws);
    if (idx == 0)
        return false;
    struct tw_rec *r = tw_at(tcp, idx);
    r->flow = t->flow;
    r->rcv_nxt = t->rcv.nxt;
    r->snd_nxt = t->snd.nxt;
    r->has_ts = (t->flags & TF_TS) != 0;
    r->ace = tcp_is_acc(t) ? tcp_acc_counter(tcp, t) : 0;
    r->ts_recent = t->rcv.ts_recent;
    r->ts_recent_ms = t->rcv.ts_recent_ms;
    r->rcv_wnd = (uint16_t)w_u32_min(tcp_rcv_wnd(t) >> t->rcv.wscale, 0xffff);
    WEIR_ASSERT((t->flags & TF_TABLED) != 0);
    tcp_table_replace(tcp, t->hash, tcp_ref(REF_TCB, tcb_index(t)), tcp_ref(REF_TW, idx));
    t->flags &= ~(uint32_t)TF_TABLED;
    push(tcp, idx);
    return is_easy;
}

void tcp_tw_timer(struct tcp *tcp)
{
    uint32_t now = tcp_now_ms(tcp);
    for (unsigned n = 0; n < TW_BATCH && tcp->tw_head != 0; n++) {
        if (clock_lt(now, tw_at(tcp, tcp->tw_head)->expire_ms))
            break;
        tcp_tw_del(tcp, tcp->tw_head);
    }
    arm(tcp);
}

/* [RFC 6191 2; RFC 9293 3.6.1 SHLD-4] With timestamps a second of age is enough: the new
 * connection's segments are told from the old one's. Setting 2 allows it on the loopback only. */
bool tcp_tw_is_reusable(const struct tcp *tcp, uint32_t idx)
{
    const struct tw_rec *r = tw_at(tcp, idx);
    uint32_t how = tcp->env->conf.tcp_tw_reuse;
    if (how == 0 || !r->has_ts)
        return false;
    if (how == 2 && !(addr_is_loopback(&r->flow.local) || addr_is_loopback(&r->flow.remote)))
        return false;
    return tcp_now_ms(tcp) - r->ts_recent_ms > 1000;
}

static enum drop answer(struct tcp *tcp, struct tw_rec *r, const struct seg *s, enum drop why)
{
    if ((s->h.flags & TCPF_RST) != 0)
        return why;
    if (tcp_challenge_allowed(tcp))
        tcp_seg_tw_ack(tcp, r);
    else
        tcp_count(tcp, STAT_TCPACKSkippedTimeWait);
    return why;
}

/* [RFC 9293 3.10.7.4, TIME-WAIT in each step; RFC 1337] */
enum drop tcp_in_time_wait(struct tcp *tcp, uint32_t idx, struct seg *s, const struct flow *f,
                           uint64_t hash)
{
    struct tw_rec *r = tw_at(tcp, idx);
    uint16_t flags = s->h.flags;
    bool has_ts = r->has_ts && (s->h.has & TCPH_TS) != 0;
    bool is_old_ts = has_ts && ts_lt(s->h.ts_val, r->ts_recent);
    bool is_new_ts = has_ts && ts_lt(r->ts_recent, s->h.ts_val);
    if ((flags & (TCPF_SYN | TCPF_RST | TCPF_ACK)) == TCPF_SYN && !is_old_ts &&
        (seq_gt(s->seq, r->rcv_nxt) || is_new_ts)) {
        /* [RFC 9293 3.6.1 MAY-2, RFC 6191] A new incarnation beyond the old: LISTEN decides. */
        struct tcb *l = tcp_lsn_find(tcp, f, hash);
        if (l != NULL) {
            tcp_seq iss_min = r->snd_nxt + 65535 + 2;
            tcp_tw_del(tcp, idx);
            return tcp_syn_rec_new(tcp, l, s, f, hash, iss_min);
        }
    }
    if (is_old_ts && (flags & TCPF_RST) == 0) {
        tcp_count(tcp, STAT_PAWSEstab);
        return answer(tcp, r, s, DROP_TCP_PAWS);
    }
    bool is_exact = s->seq == r->rcv_nxt && s->seq == s->end;
    if ((flags & TCPF_RST) != 0) {
        /* [RFC 1337 3] hazards of obeying; by default it is obeyed when exact, as in Linux */
        if (is_exact && tcp->env->conf.tcp_rfc1337 == 0)
            tcp_tw_del(tcp, idx);
        return is_exact ? DROP_TCP_RST : DROP_TCP_RST_INEXACT;
    }
    if (is_exact && (flags & TCPF_ACK) != 0 && (flags & TCPF_SYN) == 0) {
        if (has_ts) {
            r->ts_recent = s->h.ts_val;
            r->ts_recent_ms = tcp_now_ms(tcp);
        }
        return DROP_TCP_TIME_WAIT;
    }
    /* The peer's FIN again: our ACK was lost. ACK, and wait anew. */
    if ((flags & TCPF_FIN) != 0 && (flags & TCPF_ACK) != 0) {
        tw_unlink(tcp, idx);
        push(tcp, idx);
    }
    return answer(tcp, r, s, DROP_TCP_TIME_WAIT);
}
