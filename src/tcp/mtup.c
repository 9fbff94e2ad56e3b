/* SPDX-License-Identifier: Apache-2.0
 *
 * Path MTU found by trying: probes of bigger segments, and the way out of a black hole [RFC 4821].
 *
 * Decides: whether the next new data goes as a probe and of what size, what its arrival or loss
 * says, when a row of timeouts is blamed on the size of segments [RFC 2923 2.1].
 * Owns: the pool of struct tcp_mtup, t->rec.mtup, LF_PROBE.
 * Called by out.c before new data, by recover.c for ACKs, losses and timeouts, by error.c, by
 * conn.c for the MSS; calls metric.c for what is shared.
 *
 * Theory of operation. ICMP says how big packets may be, where routers send it, firewalls let it
 * through and it can be believed (error.c). Where they do not, full segments vanish without a word,
 * and the connection hangs. After tcp_retries1 timeouts of a full segment without progress the size
 * is suspected and falls to tcp_base_mss, then to tcp_mtu_probe_floor; each third attempt goes with
 * full segments again, because the path may be dead for another reason. What gets through decides.
 *
 *     suspected    `fallen` counts timeouts; the MSS is what this attempt tries, and [start, end)
 *                  the segment that does
 *     searching    the MSS is `low`; probes between `low` and `high`
 *     converged    less than tcp_probe_threshold is left; `high` is forgotten after
 *                  tcp_probe_interval, so that a larger path is found
 *
 * A probe is new data in one segment, as big as the middle of low and high; enough follows it that
 * SACKs or duplicate ACKs tell of its loss. That loss is no congestion. Where anything else is lost
 * with it, it says nothing of the size and recovery does its work.
 *
 * A record exists only for connections that search: the pool has n_mtup, and whoever finds it empty
 * does without. tcp_mtu_probing: 0 never, 1 in black holes, 2 always, from tcp_base_mss up.
 *
 * Invariant: with LF_PROBE `probe` is larger than the MSS, and [start, end) is in flight.
 */
#include "tcp/room.h"

enum {
    PROBE_COMMON = 1500,
    PROBE_WAIT_MAX_MS = 60000,
    PROBE_CWND_SEGS = 11, /* as in Linux: cwnd of which a probe is a small part */
    FALL_BASE = 1,        /* what the timeouts after tcp_retries1 try: `fallen` modulo FALL_N */
    FALL_FLOOR = 2,
    FALL_N = 3,
};

void tcp_mtup_init(struct tcp *tcp, struct arena *a)
{
    uint32_t n = tcp->env->conf.n_mtup;
    pool_init(&tcp->mtups, a, n, sizeof(struct tcp_mtup), 32);
}

static struct tcp_mtup *mtup_of(const struct tcp *tcp, const struct tcb *t)
{
    return pool_at(&tcp->mtups, t->rec.mtup);
}

static uint32_t headers_of(const struct tcb *t) { return tcp_ip_hlen(&t->flow) + WIRE_TCP_HLEN; }

/* The options of a data segment are counted in a packet's size, not in its payload. */
static uint32_t options_of(const struct tcb *t)
{
    return (t->flags & TF_TS) != 0 ? WIRE_TCP_TS_LEN : 0;
}

/* The largest packet worth trying: what the first hop, ICMP and the peer's MSS allow. [RFC 4821 7.2
 * SHLD-3; RFC 9293 3.7.1 MUST-16] */
static uint32_t ceiling_of(const struct tcb *t)
{
    uint32_t most = w_u32_min(t->dst.mtu, t->snd.peer_mss + headers_of(t));
    if (t->opt.maxseg != 0)
        most = w_u32_min(most, t->opt.maxseg + headers_of(t));
    return w_u32_min(most, UINT16_MAX);
}

/* An MSS of the settings, as the size of a packet; every path carries 1280 bytes of IPv6 [RFC 8200
 * 5]. [RFC 4821 7.2 SHLD-4] */
static uint32_t packet_of(const struct tcp *tcp, const struct tcb *t, uint32_t mss)
{
    mss = w_u32_max(mss, tcp->env->conf.tcp_min_snd_mss);
    uint32_t size = mss + headers_of(t);
    return addr_is_ip4(&t->flow.remote) ? size : w_u32_max(size, WIRE_IP6_MIN_MTU);
}

/* Without Don't Fragment a probe would arrive in pieces and prove nothing. */
static bool forbids_fragments(const struct tcp *tcp, const struct tcb *t)
{
    return !t->dst.can_frag && tcp->env->conf.ip_no_pmtu_disc == 0 &&
           (t->opt.ip & OPT_IP_MAY_FRAG) == 0;
}

/* ---- the record ---- */

static void search_begin(const struct tcp *tcp, struct tcp_mtup *m, uint32_t low)
{
    m->low = (uint16_t)w_u32_min(low, UINT16_MAX);
    m->high = UINT16_MAX;
    m->since_ms = tcp_now_ms(tcp);
}

static bool record_take(struct tcp *tcp, struct tcb *t, uint32_t low)
{
    if (t->rec.mtup == 0) {
        uint32_t idx = pool_take(&tcp->mtups);
        if (idx == 0)
            return false;
        t->rec.mtup = (uint16_t)idx;
        *mtup_of(tcp, t) = (struct tcp_mtup){0};
    }
    search_begin(tcp, mtup_of(tcp, t), low);
    return true;
}

void tcp_mtup_free(struct tcp *tcp, struct tcb *t)
{
    if (WEIR_LIKELY(t->rec.mtup == 0))
        return;
    pool_give(&tcp->mtups, t->rec.mtup);
    t->rec.mtup = 0;
    t->rec.flags &= (uint8_t)~LF_PROBE;
}

void tcp_mtup_begin(struct tcp *tcp, struct tcb *t)
{
    const struct weir_conf *c = &tcp->env->conf;
    if (WEIR_LIKELY(c->tcp_mtu_probing == 0) || !forbids_fragments(tcp, t))
        return;
    uint32_t known = tcp_metric_mtu(tcp, &t->flow.remote);
    if (known == 0 && c->tcp_mtu_probing == 1)
        return;
    uint32_t low = known != 0 ? known : packet_of(tcp, t, c->tcp_base_mss);
    if (low < ceiling_of(t) && record_take(tcp, t, low))
        tcp_conn_mss(tcp, t);
}

/* [RFC 4821 7.1 SHLD-2] */
uint32_t tcp_mtup_limit(const struct tcp *tcp, const struct tcb *t, uint32_t mtu)
{
    return w_u32_min(mtu, mtup_of(tcp, t)->low);
}

/* ---- probes ---- */

/* [RFC 4821 7.4 MUST-6] The next probe waits a round trip for each segment of cwnd: its loss, which
 * is not taken for congestion, shall be rarer than congestion would make losses. */
void tcp_mtup_forget(struct tcp *tcp, struct tcb *t)
{
    struct tcp_mtup *m = mtup_of(tcp, t);
    uint64_t wait_us = (uint64_t)(t->cc.cwnd / t->snd.mss + 1) * (t->rtt.srtt8_us >> 3);
    uint32_t wait_ms = (uint32_t)w_u64_min(wait_us / 1000, PROBE_WAIT_MAX_MS);
    t->rec.flags &= (uint8_t)~LF_PROBE;
    m->resume_ms = tcp_now_ms(tcp) + wait_ms;
    m->is_waiting = true;
}

/* The search range is open again when it was narrow for long enough. [RFC 4821 7.3 MUST-3, SHLD-5,
 * MUST-4] */
static void look_again(const struct tcp *tcp, const struct tcb *t, struct tcp_mtup *m)
{
    uint32_t interval_ms = tcp->env->conf.tcp_probe_interval * 1000;
    if (tcp_now_ms(tcp) - m->since_ms >= interval_ms)
        search_begin(tcp, m, t->snd.mss + headers_of(t) + options_of(t));
}

/* The packets of the two smaller sizes that are tried in a black hole. */
static uint32_t base_of(const struct tcp *tcp, const struct tcb *t)
{
    return w_u32_min(packet_of(tcp, t, tcp->env->conf.tcp_base_mss), ceiling_of(t));
}
static uint32_t floor_of(const struct tcp *tcp, const struct tcb *t)
{
    uint32_t least = packet_of(tcp, t, tcp->env->conf.tcp_mtu_probe_floor);
    return w_u32_min(least, base_of(tcp, t));
}

/* The first ACK after a fall. Where it is for less than the last attempt, a smaller one before got
 * through, and its ACK was lost or late. Full segments again, or others shall know. */
void tcp_mtup_settle(struct tcp *tcp, struct tcb *t)
{
    struct tcp_mtup *m = mtup_of(tcp, t);
    if (m->fallen == 0 || t->snd.n_rto != 0)
        return;
    bool is_full = m->fallen % FALL_N == 0, has_all = seq_geq(t->snd.una, m->end);
    bool was_smaller = !has_all && m->fallen > FALL_BASE;
    if (was_smaller) {
        uint32_t size = t->snd.una - m->start + headers_of(t) + options_of(t);
        uint32_t base = base_of(tcp, t);
        uint32_t known = size >= base ? base : floor_of(tcp, t);
        m->low = (uint16_t)w_u32_min(m->low, known);
    }
    m->fallen = 0;
    if (was_smaller) {
        tcp_conn_mss(tcp, t);
        tcp_recover_mtu(tcp, t); /* the last attempt will not arrive, either */
    }
    if (was_smaller || !is_full)
        tcp_metric_mtu_keep(tcp, t, m->low);
    else if (tcp->env->conf.tcp_mtu_probing == 1)
        tcp_mtup_free(tcp, t);
}

/* [RFC 4821 7.1 MUST-2; 7.5 MAY-2] Payload of the probe that the search wants next; 0: none now. */
static uint32_t probe_payload(const struct tcp *tcp, const struct tcb *t, struct tcp_mtup *m)
{
    uint32_t high = w_u32_min(m->high, ceiling_of(t));
    uint32_t size = (high + m->low) / 2;
    if (high < m->low + tcp->env->conf.tcp_probe_threshold) {
        if (m->high != UINT16_MAX || high <= m->low) {
            look_again(tcp, t, m);
            return 0;
        }
        size = high; /* nothing failed: the last bytes, too */
    } else if (m->low < PROBE_COMMON && high > 2 * PROBE_COMMON)
        size =
            PROBE_COMMON; /* [RFC 4821 7.3] what most paths carry, before halves of a jumbo frame */
    uint32_t payload = size - headers_of(t) - options_of(t);
    return payload > t->snd.mss ? payload : 0;
}

/* [RFC 4821 7.4 MUST-5, MUST-6] Nothing is odd, and no SACK option changes the size of segments.
 */
static bool is_calm(const struct tcp *tcp, const struct tcb *t, struct tcp_mtup *m)
{
    if (m->is_waiting && !clock_lt(tcp_now_ms(tcp), m->resume_ms))
        m->is_waiting = false;
    uint32_t odd = t->snd.lost | t->snd.sacked | t->snd.rtx | t->n_sack | t->has_dsack;
    return odd == 0 && t->ca_state == CA_OPEN && (t->rec.flags & (LF_PROBE | LF_TLP)) == 0 &&
           !m->is_waiting && m->fallen == 0 && (t->flags & TF_SND_URG) == 0 &&
           forbids_fragments(tcp, t) && t->cc.cwnd >= PROBE_CWND_SEGS * t->snd.mss;
}

uint32_t tcp_mtup_next(struct tcp *tcp, struct tcb *t, bool *has_to_wait)
{
    struct tcp_mtup *m = mtup_of(tcp, t);
    *has_to_wait = false;
    if (m->fallen != 0) {
        tcp_mtup_settle(tcp, t);
        return 0;
    }
    if (!is_calm(tcp, t, m))
        return 0;
    uint32_t probe = probe_payload(tcp, t, m);
    /* [RFC 4821 7.4 SHLD-6] Waiting never empties more than half of the window. */
    if (probe == 0 || t->cc.cwnd / 2 < probe || !tcp_sent_has_spare(tcp, t))
        return 0;
    /* What follows it tells of its loss. [RFC 4821 7.4 MUST-7, MUST-8, MAY-1] */
    uint32_t needed = probe + (t->rec.reordering + 1u) * t->snd.mss;
    if (seq_ahead(t->snd.end, t->snd.nxt) < needed || t->snd.wnd < needed)
        return 0;
    bool has_wnd = seq_ahead(t->snd.una + t->snd.wnd, t->snd.nxt) >= needed;
    bool has_cwnd = tcp_pipe(t) + probe <= t->cc.cwnd;
    *has_to_wait = !has_wnd || !has_cwnd;
    return probe;
}

void tcp_mtup_sent(struct tcp *tcp, struct tcb *t, tcp_seq start)
{
    struct tcp_mtup *m = mtup_of(tcp, t);
    uint32_t len = t->snd.nxt - start;
    if (len <= t->snd.mss || !tcp_sent_mark_probe(tcp, t, start))
        return; /* blocks for less were to be had */
    m->probe = (uint16_t)(len + headers_of(t) + options_of(t));
    m->start = start;
    m->end = t->snd.nxt;
    t->rec.flags |= LF_PROBE;
}

/* [RFC 4821 7.6.1] It arrived. cwnd counts bytes: nothing is rescaled but its least. */
void tcp_mtup_ack(struct tcp *tcp, struct tcb *t)
{
    struct tcp_mtup *m = mtup_of(tcp, t);
    if (seq_lt(t->snd.una, m->end))
        return;
    t->rec.flags &= (uint8_t)~LF_PROBE;
    tcp_count(tcp, STAT_TCPMTUPSuccess);
    m->low = m->probe;
    tcp_conn_mss(tcp, t);
    if (tcp_metric_mtu(tcp, &t->flow.remote) != 0)
        tcp_metric_mtu_keep(tcp, t, m->low);
}

static void probe_failed(struct tcp *tcp, struct tcb *t)
{
    struct tcp_mtup *m = mtup_of(tcp, t);
    tcp_count(tcp, STAT_TCPMTUPFail);
    m->high = (uint16_t)(m->probe - 1);
    tcp_mtup_forget(tcp, t);
}

bool tcp_mtup_lost(struct tcp *tcp, struct tcb *t)
{
    const struct tcp_mtup *m = mtup_of(tcp, t);
    const struct sent_rec *head = tcp_sent_at(tcp, t->snd.rec_head);
    uint32_t probe_lost = 0;
    if (head != NULL && (head->flags & SENT_LOST) != 0)
        probe_lost = head->end - head->start;
    bool is_probe = head != NULL && (head->flags & SENT_PROBE) != 0 && head->end == m->end;
    if (!is_probe || t->snd.una != m->start || t->snd.lost != probe_lost) {
        /* Other things are lost as well, or instead: that is congestion, and says nothing. */
        tcp_mtup_forget(tcp, t);
        return false;
    }
    probe_failed(tcp, t);
    return true;
}

void tcp_mtup_timeout(struct tcp *tcp, struct tcb *t)
{
    const struct tcp_mtup *m = mtup_of(tcp, t);
    if (t->snd.una == m->start)
        probe_failed(tcp, t);
    else
        tcp_mtup_forget(tcp, t);
}

bool tcp_mtup_too_big(struct tcp *tcp, struct tcb *t)
{
    if ((t->rec.flags & LF_PROBE) == 0 || mtup_of(tcp, t)->probe <= t->dst.mtu)
        return false;
    probe_failed(tcp, t);
    return true;
}

/* ---- black holes ---- */

/* Payload of what timed out, as it was cut: a small segment that is lost is no sign of one. */
static uint32_t timed_out(const struct tcp *tcp, const struct tcb *t)
{
    const struct sent_rec *head = tcp_sent_at(tcp, t->snd.rec_head);
    return head != NULL ? w_u32_min(head->end - head->start, t->snd.mss) : 0;
}

/* [RFC 4821 7.7 SHLD-8] */
void tcp_mtup_blackhole(struct tcp *tcp, struct tcb *t)
{
    const struct weir_conf *c = &tcp->env->conf;
    uint32_t full = ceiling_of(t), base = base_of(tcp, t), floor = floor_of(tcp, t);
    /* Who never sends more than what passes everywhere is not in a black hole. */
    bool is_modest = full <= (t->rec.mtup == 0 ? base : floor);
    if (c->tcp_mtu_probing == 0 || !forbids_fragments(tcp, t) || is_modest)
        return;
    bool is_first = t->rec.mtup == 0 || mtup_of(tcp, t)->fallen == 0;
    if (is_first && timed_out(tcp, t) + headers_of(t) + options_of(t) <= floor)
        return;
    if (!record_take(tcp, t, full))
        return;
    if (is_first)
        tcp_count(tcp, STAT_TCPMTUPBlackHole);
    struct tcp_mtup *m = mtup_of(tcp, t);
    m->fallen++;
    if (m->fallen % FALL_N == FALL_BASE)
        m->low = (uint16_t)base;
    else if (m->fallen % FALL_N == FALL_FLOOR)
        m->low = (uint16_t)floor;
    tcp_conn_mss(tcp, t);
    m->start = t->snd.una;
    m->end = m->start + w_u32_min(tcp_seg_mss(tcp, t), t->snd.nxt - m->start);
}
