/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of tcp/ say to each other. Private to the room.
 */
#ifndef WEIR_TCP_ROOM_H
#define WEIR_TCP_ROOM_H

#include "tcp/tcb.h"
#include "wire/wire.h"

/* A received segment, read. */
struct seg {
    struct wire_tcp h;
    struct pkt *p;    /* NULL once somebody else owns it */
    tcp_seq seq, end; /* end counts SYN and FIN */
    tcp_seq ack;
    uint32_t len; /* payload bytes */
    uint32_t wnd; /* bytes, scaled */
};

/* What one ACK did, step by step: see ack.c. */
struct ack_work {
    struct cc_ack cc;
    tcp_seq prior_una;
    uint32_t lost_prior;
    uint32_t acked;      /* snd.una moved by this much */
    uint32_t was_sacked; /* of it, known to have arrived before */
    uint32_t echo;       /* the echoed timestamp, when has_echo */
    bool has_echo;
    bool is_dup;      /* duplicate ACK [RFC 5681 2], or one with new SACK information */
    bool is_bare_dup; /* … of RFC 5681's kind: no text, no SACK, the window unchanged */
    bool new_sack, has_dsack;
    bool has_tlp_dsack;      /* … about the segment that a probe repeated */
    bool rtx_acked;          /* some acknowledged range had been retransmitted */
    bool has_orig;           /* orig_end is valid */
    bool has_reord;          /* reord_from is valid */
    tcp_seq orig_end;        /* of the lowest range that arrived though lost and never repeated */
    tcp_seq reord_from;      /* start of the lowest such range below the highest SACKed one */
    tcp_seq fack;            /* end of the highest SACKed range when reord_from was found */
    bool is_odd;             /* something above happened that an ordinary ACK does not have */
    bool has_reo;            /* T_RTO was armed as LT_REO */
    bool is_undone;          /* the reduction of this recovery was a mistake */
    w_ns newest_sent_at;     /* of never repeated ranges acknowledged in order, 0: none */
    w_ns sacked_sent_at;     /* of never repeated ranges acknowledged selectively, 0: none */
    w_ns rack_at, oldest_at; /* latest and first sent of what this ACK delivered, 0: nothing */
    tcp_seq rack_end;
    /* Of a paced connection: P of struct cc_ack, the latest sent of what this ACK delivered. */
    w_ns p_sent_at; /* 0: nothing was */
    w_ns p_delivered_at, p_first_sent_at;
    uint32_t p_lost;
};

/* Holes of one connection; records of its scoreboard, and of them those that SACK may cut anywhere.
 */
enum { TCP_OOO_MAX = 512, TCP_SENT_MAX = 4096, TCP_SENT_FINE = 256 };

/* The timestamps' clock, too [RFC 7323 4.1 MUST-17; 5.4 MUST-23, SHLD-12, MUST-24]. */
static inline uint32_t tcp_now_ms(const struct tcp *tcp)
{
    return (uint32_t)(tcp->env->now / W_MS);
}
static inline uint32_t tcp_now_us(const struct tcp *tcp)
{
    return (uint32_t)(tcp->env->now / W_US);
}
/* For stamps in which 0 means "none". */
static inline uint32_t tcp_stamp_ms(const struct tcp *tcp)
{
    uint32_t ms = tcp_now_ms(tcp);
    return ms != 0 ? ms : 1;
}
/* [Linux tcp_mem] All queues together: buffers stop growing; nothing is queued that need not be. */
static inline bool tcp_mem_is_tight(const struct tcp *tcp)
{
    return WEIR_UNLIKELY(tcp->mem_bytes > tcp->mem_pressure);
}
static inline bool tcp_mem_is_full(const struct tcp *tcp)
{
    return WEIR_UNLIKELY(tcp->mem_bytes >= tcp->mem_max);
}
static inline void tcp_count(struct tcp *tcp, enum env_stat s) { env_count(tcp->env, s); }

/* ---- lookup.c: one table for connections, half-open and TIME-WAIT records ---- */
enum { REF_SHIFT = 30 };
enum tcp_ref_kind { REF_TCB, REF_SYN, REF_TW };
static inline uint32_t tcp_ref(enum tcp_ref_kind k, uint32_t idx)
{
    return (uint32_t)k << REF_SHIFT | idx;
}
static inline enum tcp_ref_kind tcp_ref_kind(uint32_t ref)
{
    return (enum tcp_ref_kind)(ref >> REF_SHIFT);
}
static inline uint32_t tcp_ref_idx(uint32_t ref) { return ref & ((1u << REF_SHIFT) - 1); }
void tcp_table_init(struct tcp *, struct arena *);
static inline uint64_t tcp_table_hash(const struct tcp *tcp, const struct flow *f)
{
    return hash_flow(&tcp->env->key_flow, f);
}
/* 0: nobody. */
uint32_t tcp_table_find(const struct tcp *, const struct flow *, uint64_t hash);
/* Room is guaranteed: the table has more places than the pools have objects. */
void tcp_table_add(struct tcp *, uint16_t lport, uint64_t hash, uint32_t ref);
/* hash: its low 32 bits suffice. */
void tcp_table_del(struct tcp *, uint16_t lport, uint32_t hash, uint32_t ref);
void tcp_table_replace(struct tcp *, uint32_t hash, uint32_t from, uint32_t to);
struct tcb *tcp_lsn_find(const struct tcp *, const struct flow *, uint64_t hash);
/* 0 or -EADDRINUSE. */
int tcp_lsn_add(struct tcp *, struct tcb *);
void tcp_lsn_del(struct tcp *, struct tcb *);

/* ---- conn.c: life of a tcb ---- */
/* Fields that a listener's children and fresh sockets share. NULL: pool empty. */
struct tcb *tcp_tcb_new(struct tcp *);
/* Everything it owns goes back, then it itself. */
void tcp_tcb_free(struct tcp *, struct tcb *);
/* The connection is over: out of the table, timers off, queues for sending freed; what was received
 * stays readable. An orphan is freed: returns false, and t must not be touched. */
bool tcp_done(struct tcp *, struct tcb *, int err);
/* RST to the peer, then tcp_done. */
bool tcp_reset_out(struct tcp *, struct tcb *, int err);
/* Sequence numbers of the send side for a connection that begins at iss. */
void tcp_conn_begin(struct tcb *, tcp_seq iss);
/* The first congestion window, and the largest after idling [RFC 6928 2: min(10 MSS, max(2 MSS,
 * 14600)) where tcp_init_cwnd is 10]. */
uint32_t tcp_initial_window(const struct tcp *, uint32_t mss);
/* Congestion window and buffers of a connection whose peer's SYN is known. */
void tcp_conn_data(struct tcp *, struct tcb *);
/* The handshake is complete: tcp_conn_data unless that was before, timers, events. */
void tcp_established(struct tcp *, struct tcb *);
/* Route, MSS, TTL for t->flow; 0 or negative errno. */
int tcp_conn_route(struct tcp *, struct tcb *);
/* [RFC 9293 3.7.1 MUST-15] What a peer takes that did not say. */
static inline uint16_t tcp_default_mss(const struct flow *f)
{
    return addr_is_ip4(&f->remote) ? 536 : 1220;
}
static inline uint32_t tcp_ip_hlen(const struct flow *f)
{
    return addr_is_ip4(&f->remote) ? WIRE_IP4_HLEN : 40;
}
/* The MSS option to send on this path, with t's options [RFC 6691]. */
uint32_t tcp_advmss(const struct tcp *, const struct tcb *, const struct dst *,
                    const struct flow *);
/* The same for the first link alone: what depends on it does not change when the path does. */
uint32_t tcp_link_mss(const struct tcp *, const struct tcb *, const struct dst *,
                      const struct flow *);
/* After a change of the path's MTU or of options. */
void tcp_conn_mss(struct tcp *, struct tcb *);
/* Negotiated options of the peer's SYN. */
void tcp_conn_peer_opts(struct tcp *, struct tcb *, const struct wire_tcp *);
/* Initial sequence number and timestamp offset [RFC 6528, RFC 7323 5.4]. */
void tcp_isn(const struct tcp *, const struct flow *, tcp_seq *iss, uint32_t *ts_off);
/* To TIME-WAIT; false: t is gone. */
bool tcp_to_time_wait(struct tcp *, struct tcb *);
/* An orphan in FIN-WAIT-2 does not stay for ever. */
void tcp_orphan_wait(struct tcp *, struct tcb *);

/* ---- event.c ---- */
void tcp_event(struct tcp *, struct tcb *, uint32_t edges);
void tcp_event_remove(struct tcp *, struct tcb *);

/* ---- sndq.c: bytes to send ---- */
uint32_t tcp_sndq_append(struct tcp *, struct tcb *, const uint8_t *, uint32_t n);
unsigned tcp_sndq_space(struct tcp *, struct tcb *, struct tcp_iov *, unsigned max);
void tcp_sndq_commit(struct tcp *, struct tcb *, uint32_t n);
void tcp_sndq_drop(struct tcp *, struct tcb *, tcp_seq upto);
/* Hangs bytes [seq, seq + n) to p, as copies when few, else as fragments; returns how many fit. */
uint32_t tcp_sndq_attach(struct tcb *, tcp_seq seq, uint32_t n, struct pkt *p);
void tcp_sndq_free(struct tcp *, struct tcb *);
static inline uint32_t tcp_sndq_bytes(const struct tcb *t) { return t->snd.end - t->sndq.seq; }
bool tcp_sndq_has_room(const struct tcp *, const struct tcb *);
bool tcp_sndq_is_writable(const struct tcp *, const struct tcb *);
void tcp_sndq_grow(struct tcp *, struct tcb *);

/* ---- sent.c: what is in flight ---- */
/* False: no record to be had; do not send. */
bool tcp_sent_has_room(const struct tcp *, const struct tcb *);
void tcp_sent_push(struct tcp *, struct tcb *, tcp_seq start, tcp_seq end);
void tcp_sent_ack(struct tcp *, struct tcb *, tcp_seq una, struct ack_work *);
void tcp_sent_sack(struct tcp *, struct tcb *, const struct sack_block *v, unsigned n,
                   struct ack_work *);
/* Marks lost what RFC 6675's IsLost() says. */
void tcp_sent_mark_sack_lost(struct tcp *, struct tcb *);
/* Marks lost the first that is not acknowledged, as much as fits into one segment. */
void tcp_sent_mark_head_lost(struct tcp *, struct tcb *);
/* Marks lost what was sent before what arrived last and has outstayed `wait` [RFC 8985 6.2 step
 * 5]. Returns how long the longest wait of the others still is, 0: nobody waits. */
w_ns tcp_sent_mark_rack_lost(struct tcp *, struct tcb *, w_ns wait);
/* After a timeout: everything not SACKed is lost and nothing retransmitted is in flight, except
 * what was sent at `since` or later (the first segment is lost in any case). */
void tcp_sent_mark_all_lost(struct tcp *, struct tcb *, bool forget_sacks, w_ns since);
/* Nothing was lost after all. */
void tcp_sent_unmark_lost(struct tcp *, struct tcb *);
/* A record that is exactly the last segment sent, for a probe; NULL: no record to be had. */
struct sent_rec *tcp_sent_last(struct tcp *, struct tcb *);
/* First range to retransmit; NULL: none. */
struct sent_rec *tcp_sent_next_rtx(const struct tcp *, struct tcb *);
/* [r->start, r->start + n) was retransmitted now. */
void tcp_sent_mark_rtx(struct tcp *, struct tcb *, struct sent_rec *, uint32_t n);
void tcp_sent_free(struct tcp *, struct tcb *);
/* A record for something that must have one of its own can be had. */
bool tcp_sent_has_spare(const struct tcp *, const struct tcb *);
/* [start, snd.nxt) was sent now, as one segment: a path MTU probe. False: no record of its own. */
bool tcp_sent_mark_probe(struct tcp *, struct tcb *, tcp_seq start);
/* The probe is lost, and that is no loss to congestion control. */
WEIR_APART void tcp_sent_mark_probe_lost(struct tcp *, struct tcb *);
static inline struct sent_rec *tcp_sent_at(const struct tcp *tcp, uint32_t idx)
{
    return idx == 0 ? NULL : (struct sent_rec *)pool_at(&tcp->sents, idx);
}
/* Bytes believed to be in the network [RFC 6675 4 SetPipe]. */
static inline uint32_t tcp_pipe(const struct tcb *t)
{
    uint32_t out = t->snd.nxt - t->snd.una + t->snd.rtx;
    uint32_t gone = t->snd.sacked + t->snd.lost;
    return out > gone ? out - gone : 0;
}

/* Bytes known to have arrived, each once; falls only when a peer takes SACKs back. */
static inline uint64_t tcp_delivered(const struct tcb *t)
{
    return t->st.bytes_acked + ((t->flags & TF_SACK) != 0 ? t->snd.sacked : 0);
}

/* ---- rate.c: how fast it arrives ---- */
static inline struct tcp_path *tcp_path_of(const struct tcp *tcp, const struct tcb *t)
{
    return &tcp->paths[tcb_index(t)];
}
/* Paced connections are measured; algorithms that want samples pace. */
static inline bool tcp_is_paced(const struct tcb *t) { return t->cc.pacing_Bps != 0; }
/* Paced, or with ECN: asked once where both matter. */
static inline bool tcp_is_watched(const struct tcb *t)
{
    return (t->cc.pacing_Bps | t->st.ecn) != 0;
}
/* r was sent, or sent again; snd.nxt is beyond it. */
WEIR_APART void tcp_rate_sent(struct tcp *, const struct tcb *, struct sent_rec *);
/* [r->start, end) is newly known to have arrived. */
WEIR_APART void tcp_rate_acked(const struct sent_rec *, tcp_seq end, struct ack_work *);
/* r is newly declared lost. */
WEIR_APART void tcp_rate_lost(struct tcp *, struct tcb *, const struct sent_rec *);
/* The sample of this ACK, when the scoreboard is up to date; and what was lost with it, when
 * recovery has decided that. */
void tcp_rate_sample(struct tcp *, struct tcb *, struct ack_work *);
WEIR_APART void tcp_rate_losses(const struct tcb *, struct ack_work *);
/* Before a program's bytes are queued and when an ACK has come: is it the program that sends too
 * little? */
WEIR_APART void tcp_rate_app_limited(struct tcp *, struct tcb *);

/* ---- pace.c: not faster than that ---- */
/* Bytes a second, 0: not paced. */
uint64_t tcp_pace_Bps(const struct tcp *, const struct tcb *);
/* Bytes that may leave back to back. */
WEIR_APART uint32_t tcp_pace_burst(const struct tcp *, const struct tcb *, uint32_t mss);
/* Whether the next packet has to wait longer; then T_PERSIST is armed. */
WEIR_APART bool tcp_pace_holds(struct tcp *, struct tcb *);
/* Whether T_PERSIST, which fired, was about that. */
WEIR_APART bool tcp_pace_woken(struct tcb *);
/* When the next packet departs, if it has that much payload. */
w_ns tcp_pace_at(const struct tcp *, const struct tcb *, uint32_t bytes);
/* It was handed down with that departure. */
void tcp_pace_sent(struct tcp *, const struct tcb *, uint32_t bytes);
/* When the latest packet handed down leaves or left. */
WEIR_APART w_ns tcp_pace_left(const struct tcp *, const struct tcb *);
/* The algorithm, or SO_MAX_PACING_RATE, has just been chosen. */
void tcp_pace_begin(struct tcp *, struct tcb *);
void tcp_pace_set_max(struct tcp *, struct tcb *, uint64_t max_Bps);

/* ---- ecn.c: marks instead of losses; but for the handshake only where st.ecn is not 0 ---- */
/* What our SYN shall ask for: t->st.ecn and what belongs to it. */
void tcp_ecn_begin(const struct tcp *, struct tcb *);
/* What a SYN asks for and `lsn` agrees to, into r->opts and r->acc. */
WEIR_APART void tcp_ecn_syn_rec(const struct tcp *, const struct tcb *lsn, const struct seg *syn,
                                struct syn_rec *r);
/* The SYN of r came again. False: it asks for another kind of ECN, and the peer must be reset. */
bool tcp_ecn_syn_rec_again(const struct tcp *, struct syn_rec *r, const struct seg *syn);
/* Flags of r's SYN-ACK; of a cookie, of which nothing is kept, with is_cookie. */
void tcp_ecn_syn_ack_out(const struct tcp *, struct syn_rec *r, struct wire_tcp *, bool is_cookie);
/* The ACK of a SYN cookie: what its SYN had asked for. */
void tcp_ecn_cookie_in(const struct tcp *, struct syn_rec *r, const struct seg *);
/* A listener's child goes on where its record was. */
void tcp_ecn_child(const struct tcp *, struct tcb *, const struct syn_rec *);
/* The peer's SYN or SYN-ACK in SYN-SENT. */
void tcp_ecn_syn_in(const struct tcp *, struct tcb *, const struct seg *);
/* A SYN or SYN-ACK of a connection that had one already. False: another kind of ECN; reset it. */
bool tcp_ecn_syn_again(const struct tcp *, struct tcb *, const struct seg *);
/* The bare ACK of a SYN-ACK leaves now: it says how that came. */
void tcp_ecn_ack_syn_ack(struct tcp *, struct tcb *);
/* The connection is established: what the SYN-ACK said of our SYN is answered. */
void tcp_ecn_established(struct tcp *, struct tcb *);
/* Flags of a segment about to leave, with so much payload. Returns the two bits for IP. */
uint8_t tcp_ecn_out(const struct tcp *, const struct tcb *, struct wire_tcp *, uint32_t payload);
/* It left. */
void tcp_ecn_sent(const struct tcp *, struct tcb *, const struct wire_tcp *);
/* Whether the fast path may not take this segment. */
WEIR_APART bool tcp_ecn_is_news(const struct tcp *, const struct tcb *, const struct seg *);
/* The fast path takes it: its text is counted. */
WEIR_APART void tcp_ecn_fast(const struct tcp *, struct tcb *, const struct seg *);
/* An acceptable segment; its text is not yet queued. */
WEIR_APART void tcp_ecn_in(struct tcp *, struct tcb *, const struct seg *);
/* An ACK, when the scoreboard is up to date. */
void tcp_ecn_ack(struct tcp *, struct tcb *, const struct seg *, struct ack_work *);
/* Whether cwnd was reduced in this window of data already. */
WEIR_APART bool tcp_ecn_has_reduced(const struct tcp *, const struct tcb *);
/* cwnd was reduced, for whatever reason: the peer is told, and marks of this window are old. */
WEIR_APART void tcp_ecn_reduced(const struct tcp *, struct tcb *);

/* A timeout: perhaps what was lost was lost for its option. */
void tcp_ecn_timeout(const struct tcp *, struct tcb *);

/* ---- accecn.c: accurate ECN, called by ecn.c and seg.c only where ECNF_ACC is set ---- */
static inline struct tcp_acc *tcp_acc_of(const struct tcp *tcp, const struct tcb *t)
{
    return &tcp->accs[tcb_index(t)];
}
static inline bool tcp_is_acc(const struct tcb *t)
{
    return WEIR_UNLIKELY((t->st.ecn & ECNF_ACC) != 0);
}
/* AE, CWR and ECE of a header as a number. */
static inline unsigned tcp_acc_ace(const struct wire_tcp *h)
{
    return (unsigned)(h->flags & TCPF_ACE) >> TCPF_ACE_SHIFT;
}
/* The IP header's codepoint. */
static inline unsigned tcp_ecn_of(const struct seg *s) { return s->p->ecn & (unsigned)ECN_MASK; }
/* The three flags that say which codepoint a SYN or SYN-ACK came with. */
uint16_t tcp_acc_reflect(unsigned ecn);
/* The ACE field of a counter that has counted nothing. */
uint16_t tcp_acc_first(void);
/* The low bits of r.cep, as in the ACE field. */
uint8_t tcp_acc_counter(const struct tcp *, const struct tcb *);
/* Whether a SYN with these flags asks for accurate ECN. */
bool tcp_acc_is_asked(unsigned ace);
void tcp_acc_begin(const struct tcp *, struct tcb *, uint16_t flags, unsigned rcv_syn);
/* A SYN-ACK that agrees, first or again. */
void tcp_acc_syn_ack_in(const struct tcp *, struct tcb *, const struct seg *);
void tcp_acc_flags_out(const struct tcp *, const struct tcb *, struct wire_tcp *, uint32_t payload);
bool tcp_acc_may_ect(const struct tcp *, const struct tcb *, bool is_new, uint32_t payload);
void tcp_acc_sent(const struct tcp *, struct tcb *, const struct wire_tcp *);
/* The AccECN option into a header that has all its others but perhaps too many SACK blocks. */
WEIR_APART void tcp_acc_option(const struct tcp *, const struct tcb *, struct wire_tcp *);
/* … of a SYN-ACK, as far as there is room. */
void tcp_acc_option_syn(const struct tcp *, struct wire_tcp *);
/* Bytes that SACK blocks and the option take from a segment's payload, of `sack` for the blocks
 * alone. */
WEIR_APART uint32_t tcp_acc_room(const struct tcp *, const struct tcb *, uint32_t sack);
bool tcp_acc_is_news(const struct tcp *, const struct tcb *, const struct seg *);
void tcp_acc_in(struct tcp *, struct tcb *, const struct seg *);
/* Marked packets and bytes of which this ACK brings news; 0 packets: none. */
uint32_t tcp_acc_ack(const struct tcp *, struct tcb *, const struct seg *, struct ack_work *);
void tcp_acc_info(const struct tcp *, const struct tcb *, struct weir_tcp_info *);
/* ---- chrono.c: what a connection waits for ---- */
WEIR_APART void tcp_chrono_turn(struct tcp *, struct tcb *, enum tcp_chrono);
static inline void tcp_chrono(struct tcp *tcp, struct tcb *t, enum tcp_chrono kind)
{
    if (WEIR_UNLIKELY(t->chrono != kind))
        tcp_chrono_turn(tcp, t, kind);
}
/* Output has come to an end: with something left, or with a program that was refused. */
WEIR_APART void tcp_chrono_odd(struct tcp *, struct tcb *, uint32_t mss, bool cwnd_limited);
/* … as far as it could. */
static inline void tcp_chrono_output(struct tcp *tcp, struct tcb *t, uint32_t mss,
                                     bool cwnd_limited)
{
    if (t->snd.end != t->snd.nxt || t->is_refused)
        tcp_chrono_odd(tcp, t, mss, cwnd_limited);
    else
        tcp_chrono(tcp, t, CHRONO_BUSY);
}
/* The send buffer had no room for what the program wrote; has room again. */
/* gauge.c: after output, what the buffers hold; somebody found a buffer full, or no longer does. */
void tcp_gauge_look(struct tcp *, struct tcb *);
void tcp_gauge_full(struct tcp *, struct tcb *, enum tcp_buf, bool is_full);
void tcp_chrono_refused(struct tcp *, struct tcb *);
void tcp_chrono_writable(struct tcp *, struct tcb *);
/* A timeout; what it lost, or the handshake, has been repaired. */
void tcp_chrono_rto(struct tcp *, struct tcb *);
void tcp_chrono_repaired(struct tcp *, struct tcb *);
/* The sums so far, as TCP_INFO has them. */
void tcp_chrono_get(const struct tcp *, const struct tcb *, struct weir_tcp_info *);

/* ---- limit.c: what it has waited for; each only where tcp->limits is not NULL ---- */
WEIR_APART void tcp_limit_turn(struct tcp *, struct tcb *);
/* What it waits for may have changed. */
static inline void tcp_limit(struct tcp *tcp, struct tcb *t)
{
    if (WEIR_UNLIKELY(tcp->limits != NULL))
        tcp_limit_turn(tcp, t);
}
/* Nothing has been charged; it begins at the next turn. */
void tcp_limit_begin(struct tcp *, struct tcb *);
/* It is over, its state still says not. */
void tcp_limit_end(struct tcp *, struct tcb *);
/* The retransmission timer fires. */
WEIR_APART void tcp_limit_timeout(struct tcp *, struct tcb *);
bool tcp_limit_adds_up(const struct tcp *, const struct tcb *);

/* ---- event.c ---- */
bool tcp_is_readable(const struct tcb *);

/* ---- close.c ---- */
/* There are not too many orphans, and not too little memory. False: t was one too many and is
 * gone. */
bool tcp_orphan_may_stay(struct tcp *, struct tcb *);

/* ---- rtt.c ---- */
void tcp_rtt_init(struct tcp *, struct tcb *);
void tcp_rtt_sample(struct tcp *, struct tcb *, uint32_t us);
/* A timeout was spurious: the estimator had been too low for this sample [RFC 4015 3.3]. */
void tcp_rtt_raise(struct tcp *, struct tcb *, uint32_t us);
/* The retransmission timeout now, backed off. */
w_ns tcp_rto_ns(const struct tcp *, const struct tcb *);

/* ---- timer.c ---- */
void tcp_arm(struct tcp *, struct tcb *, unsigned which, w_ns at);
static inline void tcp_disarm(struct tcb *t, unsigned which) { t->at[which] = W_NEVER; }
void tcp_arm_rto(struct tcp *, struct tcb *);
/* T_RTO again, after it waited for something else: an RTO after the first segment was sent. */
void tcp_arm_rto_rest(struct tcp *, struct tcb *);
/* How long T_RTO would wait if armed now: the program's limit counts [RFC 5482 3]. */
w_ns tcp_rto_wait(const struct tcp *, const struct tcb *);
/* An ICMP error says that the path is broken, not congested: the last doubling is taken back
 * [RFC 6069 4]. */
void tcp_rto_revert(struct tcp *, struct tcb *);
void tcp_keep_restart(struct tcp *, struct tcb *);

/* ---- seg.c: what a segment looks like ---- */
/* DROP_NONE, or why nothing was sent. mss: of tcp_seg_mss. *len: in, bytes wanted; out, bytes
 * sent. */
enum drop tcp_seg_data(struct tcp *, struct tcb *, tcp_seq seq, uint32_t mss, uint32_t *len,
                       uint16_t flags);
enum drop tcp_seg_ack(struct tcp *, struct tcb *);
/* One byte before what is acknowledged: makes the peer answer. */
enum drop tcp_seg_probe(struct tcp *, struct tcb *, enum weir_why);
/* fo: the Fast Open option of a first SYN or SYN-ACK, and with a first SYN the data that was
 * queued for it; NULL: neither. */
enum drop tcp_seg_syn_fo(struct tcp *, struct tcb *, bool with_ack, const struct fo_cookie *fo);
static inline enum drop tcp_seg_syn(struct tcp *tcp, struct tcb *t, bool with_ack)
{
    return tcp_seg_syn_fo(tcp, t, with_ack, NULL);
}
void tcp_seg_rst(struct tcp *, struct tcb *);
/* Without a tcb. */
void tcp_seg_rst_reply(struct tcp *, const struct flow *, const struct seg *);
/* fo: as with tcp_seg_syn_fo. */
enum drop tcp_seg_syn_ack(struct tcp *, struct syn_rec *, const struct fo_cookie *fo);
/* A SYN-ACK that nobody will remember; ts: its clock. */
enum drop tcp_seg_cookie(struct tcp *, struct syn_rec *, uint32_t ts);
/* A bare ACK from SYN-RECEIVED. */
enum drop tcp_seg_half_ack(struct tcp *, const struct syn_rec *);
void tcp_seg_tw_ack(struct tcp *, const struct tw_rec *);
/* Payload of a full segment now, SACK option counted. */
uint32_t tcp_seg_mss(const struct tcp *, const struct tcb *);

/* ---- out.c: when ---- */
void tcp_out_mark(struct tcp *, struct tcb *);
/* Sends what may be sent: retransmissions, data, ACK. is_more: hold a last small piece. */
void tcp_output(struct tcp *, struct tcb *, bool is_more);
/* Before the first bytes of a write are queued, or a window that was shut is used. */
void tcp_out_after_idle(struct tcp *, struct tcb *);
/* A train of this many bytes is what a program's writes are gathered to: whole segments, at most
 * half the peer's largest window. */
uint32_t tcp_out_goal(const struct tcp *, const struct tcb *);
/* T_PERSIST fired. False: t is gone. */
bool tcp_out_persist(struct tcp *, struct tcb *);
/* One segment beyond cwnd, new if there is something new, else the last one again (*is_rtx). False:
 * nothing was sent. */
bool tcp_out_probe(struct tcp *, struct tcb *, bool *is_rtx);
/* What cwnd leaves for one packet, in bytes. */
uint32_t tcp_out_cwnd_room(const struct tcb *, uint32_t mss);
void tcp_out_remove(struct tcp *, struct tcb *);
/* True: the queue below has no room for what t would send; it is called again when there is. */
bool tcp_out_must_wait(struct tcp *, struct tcb *);
/* The first SYN of a connection, if it has not gone yet. */
void tcp_conn_syn(struct tcp *, struct tcb *, const struct fo_cookie *fo);

/* ---- wnd.c: the window we announce, and when ACKs go ---- */
/* Window and scale of a SYN or SYN-ACK of a connection with t's options [RFC 7323 2.2]. */
void tcp_wnd_initial(const struct tcp *, const struct tcb *t, uint32_t mss, uint32_t *wnd,
                     uint8_t *wscale);
/* Chooses, remembers and returns the window field of a segment about to leave. */
uint16_t tcp_wnd_announce(struct tcp *, struct tcb *);
static inline uint32_t tcp_rcv_wnd(const struct tcb *t)
{
    return seq_ahead(t->rcv.wup + t->rcv.wnd, t->rcv.nxt);
}
/* What this connection's peer has been promised: bytes that are unread or may still come. */
static inline uint32_t tcp_wnd_promise(const struct tcb *t)
{
    return t->rcv.wup + t->rcv.wnd - t->rcv.copied;
}
/* rcv.copied, wup or wnd changed since it was `before`; both at most wnd_free: no need to call. */
WEIR_APART void tcp_wnd_promised(struct tcp *, struct tcb *, uint32_t before);
/* It is counted from now on; no more. */
void tcp_wnd_promise_begin(struct tcp *, struct tcb *);
void tcp_wnd_promise_end(struct tcp *, struct tcb *);
/* Of the receive buffer what may be payload: the largest window. */
uint32_t tcp_wnd_share(const struct tcp *, const struct tcb *);
/* The receive buffer that such a window needs. */
uint32_t tcp_wnd_buffer(const struct tcp *, uint64_t window);
/* wnd_free from the pools' sizes. */
void tcp_wnd_init(struct tcp *);
void tcp_ack_data_event(struct tcp *, struct tcb *, const struct seg *);
void tcp_ack_check(struct tcp *, struct tcb *, bool had_hole);
/* out.c: the ACK that is owed, if one is, now and not at the end of the burst. */
void tcp_out_ack(struct tcp *, struct tcb *);
void tcp_ack_now(struct tcp *, struct tcb *, enum weir_why);
void tcp_ack_quick(struct tcp *, struct tcb *, uint32_t max);
void tcp_ack_sent(struct tcp *, struct tcb *);
void tcp_ack_delay_over(struct tcp *, struct tcb *);
/* The program took bytes. */
void tcp_wnd_after_read(struct tcp *, struct tcb *, uint32_t n);
void tcp_drs_segment(struct tcp *, struct tcb *, const struct seg *);

/* ---- reasm.c ---- */
/* The segment's text and FIN. DROP_NONE: taken, at least in part. */
enum drop tcp_data_in(struct tcp *, struct tcb *, struct seg *);
void tcp_data_repeated(struct tcp *, struct tcb *, const struct seg *);
void tcp_rcvq_append(struct tcp *, struct tcb *, struct pkt *);
void tcp_rcvq_free(struct tcp *, struct tcb *);
static inline uint32_t tcp_rcvq_bytes(const struct tcb *t)
{
    return t->rcv.nxt - t->rcv.copied - ((t->flags & TF_FIN_RCVD) != 0);
}

/* ---- in*.c ---- */
bool tcp_in_fast(struct tcp *, struct tcb *, struct seg *);
enum drop tcp_in_sync(struct tcp *, struct tcb *, struct seg *);
enum drop tcp_in_listen(struct tcp *, struct tcb *, struct seg *, const struct flow *,
                        uint64_t hash);
enum drop tcp_in_syn_sent(struct tcp *, struct tcb *, struct seg *);
void tcp_in_urgent(struct tcp *, struct tcb *, const struct seg *);
/* RFC 5961's limit of challenge ACKs. */
bool tcp_challenge_allowed(struct tcp *);
void tcp_challenge(struct tcp *, struct tcb *);
/* An ACK for a segment that was not acceptable, limited to one per tcp_invalid_ratelimit_ms. */
void tcp_oow_ack(struct tcp *, struct tcb *, const struct seg *, enum env_stat skipped);
void tcp_ts_store(struct tcp *, struct tcb *, const struct seg *);

/* ---- rack.c: what is lost, by time [RFC 8985 6] ---- */
static inline struct tcp_loss *tcp_loss(const struct tcp *tcp, const struct tcb *t)
{
    return &tcp->loss[tcb_index(t)];
}
/* Whether time decides on this connection, and not RFC 6675's count of bytes. */
static inline bool tcp_has_rack(const struct tcp *tcp, const struct tcb *t)
{
    return (t->flags & TF_SACK) != 0 && (tcp->env->conf.tcp_recovery & 1) != 0;
}
/* The ACK's news: what arrived last, reordering, the reordering window. */
void tcp_rack_ack(struct tcp *, struct tcb *, struct ack_work *);
/* What lies at `from` was late: it arrived after what had been sent behind it, up to `upto`. */
void tcp_rack_reordered(struct tcp *, struct tcb *, tcp_seq from, tcp_seq upto);
/* Recovery is over. */
void tcp_rack_recovered(struct tcp *, struct tcb *);
/* Marks. True: something may be lost soon, T_RTO is armed as LT_REO. */
bool tcp_rack_detect(struct tcp *, struct tcb *);
/* More than DupThresh segments were SACKed [RFC 6675 5 (1), (2)]. */
bool tcp_is_dupthresh(const struct tcb *);

/* ---- tlp.c: tail loss probes [RFC 8985 7] ---- */
/* Something was sent or acknowledged: T_RTO anew, as a probe's if one may go. */
void tcp_tlp_arm(struct tcp *, struct tcb *);
void tcp_tlp_fired(struct tcp *, struct tcb *);
/* An ACK while a probe is out. True: it repaired a loss, which counts as congestion. */
bool tcp_tlp_ack(struct tcp *, struct tcb *, const struct ack_work *);

/* ---- prr.c: cwnd in recovery [RFC 9937] ---- */
void tcp_prr_begin(struct tcp *, struct tcb *, const struct ack_work *);
/* delivered: bytes that this ACK says arrived; is_safe: it moved snd.una and told of no loss. */
void tcp_prr_ack(struct tcp *, struct tcb *, uint32_t delivered, bool is_safe);
void tcp_prr_sent(struct tcp *, struct tcb *, uint32_t bytes);

/* ---- undo.c: reductions that were a mistake ---- */
/* Before cwnd and ssthresh are reduced. */
void tcp_undo_begin(struct tcp *, struct tcb *);
/* Bytes were repeated. */
void tcp_undo_sent(struct tcp *, struct tcb *, uint32_t bytes);
/* The peer had [start, end) already. */
void tcp_undo_dsack(struct tcp *, struct tcb *, tcp_seq start, tcp_seq end);
/* All that was repeated had arrived before, DSACKs say [RFC 3708]. */
bool tcp_undo_by_dsack(const struct tcp *, const struct tcb *);
/* This ACK was caused by something sent before the first repetition [RFC 3522 3.2]. */
bool tcp_undo_by_echo(const struct tcp *, const struct tcb *, const struct ack_work *);
/* Restores cwnd and ssthresh. */
void tcp_undo(struct tcp *, struct tcb *);

/* ---- mtup.c: the path MTU, found by trying [RFC 4821] ---- */
void tcp_mtup_init(struct tcp *, struct arena *);
/* Before the first data, when the peer's SYN is known: whether to search from the start. */
void tcp_mtup_begin(struct tcp *, struct tcb *);
void tcp_mtup_free(struct tcp *, struct tcb *);
/* All below: only where t->rec.mtup is not 0, but for tcp_mtup_blackhole; tcp_mtup_ack, _forget,
 * _lost and _timeout only with LF_PROBE. */
/* The part of `mtu` that is used. */
WEIR_APART uint32_t tcp_mtup_limit(const struct tcp *, const struct tcb *, uint32_t mtu);
/* Payload of the probe that should go next, 0: none. *has_to_wait: as soon as the windows allow,
 * and new data waits with it. */
WEIR_APART uint32_t tcp_mtup_next(struct tcp *, struct tcb *, bool *has_to_wait);
/* [start, snd.nxt) was sent as one segment. */
WEIR_APART void tcp_mtup_sent(struct tcp *, struct tcb *, tcp_seq start);
/* snd.una moved. */
WEIR_APART void tcp_mtup_ack(struct tcp *, struct tcb *);
/* What became of the probe says nothing. */
WEIR_APART void tcp_mtup_forget(struct tcp *, struct tcb *);
/* Something is lost. True: the probe alone, for its size; its range is not marked by that. */
WEIR_APART bool tcp_mtup_lost(struct tcp *, struct tcb *);
/* The retransmission timer fired. */
WEIR_APART void tcp_mtup_timeout(struct tcp *, struct tcb *);
/* The path MTU fell to t->dst.mtu, says ICMP. True: a probe in flight is too big for it. */
WEIR_APART bool tcp_mtup_too_big(struct tcp *, struct tcb *);
/* Before what is lost is repeated: whether an ACK says which size gets through a black hole. */
WEIR_APART void tcp_mtup_settle(struct tcp *, struct tcb *);
/* tcp_retries1 timeouts or more without progress: another size of segments, if that may be why. */
WEIR_APART void tcp_mtup_blackhole(struct tcp *, struct tcb *);

/* ---- metric.c: what connections learnt of a destination [RFC 9040] ---- */
void tcp_metric_init(struct tcp *, struct arena *);
/* Before the first data: what is known of the peer's address. */
void tcp_metric_use(struct tcp *, struct tcb *);
/* At the end of a connection. */
void tcp_metric_keep(struct tcp *, const struct tcb *);
/* The size of packets that got out of a black hole on the way to this address within the last
 * tcp_probe_interval; 0: none known. */
WEIR_APART uint32_t tcp_metric_mtu(const struct tcp *, const struct addr *);
WEIR_APART void tcp_metric_mtu_keep(struct tcp *, const struct tcb *, uint16_t mtu);

/* ---- ack.c, recover.c ---- */
/* SEG.ACK lies in (una - max window, nxt]. */
void tcp_ack_in(struct tcp *, struct tcb *, const struct seg *);
bool tcp_is_cwnd_limited(const struct tcb *);
void tcp_recover_ack(struct tcp *, struct tcb *, struct ack_work *);
void tcp_recover_rto(struct tcp *, struct tcb *);
/* The reordering window of something has passed. */
void tcp_recover_reo(struct tcp *, struct tcb *);
/* Segments in flight were too big for the path: all go again, cut anew; that is no congestion. */
void tcp_recover_mtu(struct tcp *, struct tcb *);
/* The same for a path MTU probe alone. */
WEIR_APART void tcp_recover_probe(struct tcp *, struct tcb *);

/* ---- listen.c ---- */
void tcp_syn_rec_drop(struct tcp *, struct syn_rec *);
/* iss_min: not 0 in the place of a TIME-WAIT. */
enum drop tcp_syn_rec_new(struct tcp *, struct tcb *lsn, struct seg *, const struct flow *,
                          uint64_t hash, tcp_seq iss_min);
/* What a SYN says, as a record. */
void tcp_syn_rec_fill(const struct tcp *, const struct tcb *lsn, const struct seg *,
                      const struct flow *, struct syn_rec *);
/* A segment for a half-open connection. */
enum drop tcp_in_half_open(struct tcp *, struct syn_rec *, struct seg *, uint64_t hash);
void tcp_syn_timer(struct tcp *, uint32_t level);
void tcp_lsn_close(struct tcp *, struct tcb *);
/* An ACK at a listener that no record waits for. */
enum drop tcp_in_cookie(struct tcp *, struct tcb *lsn, struct seg *, const struct flow *,
                        uint64_t hash);
/* The listener that t stems from; NULL: none, or it is gone. */
struct tcb *tcp_lsn_of(struct tcp *, const struct tcb *t);

/* ---- fastopen.c ---- */
static inline bool tcp_fo_is_open(const struct tcb *t)
{
    return t->state == TCPS_SYN_RECEIVED && (t->fo & FO_PASSIVE) != 0;
}
static inline uint32_t tcp_fo_syn_bytes(const struct tcb *t) { return t->drs.seq; }
void tcp_fo_init(struct tcp *, struct arena *);
/* tcp_fastopen_cookies may be 0: then everything is forgotten. */
void tcp_fo_conf_changed(struct tcp *);
/* For a connection being opened: the option of its SYN; true: data may go with it, at most *room
 * bytes. */
bool tcp_fo_client(struct tcp *, const struct tcb *, struct fo_cookie *, uint32_t *room);
/* The peer's SYN-ACK to a SYN that offered Fast Open or carried data: what it teaches about the
 * server, and how much of the data it took. */
void tcp_fo_syn_ack(struct tcp *, struct tcb *, const struct seg *);
/* For a SYN at a listener: true: its data may be taken at once. *answer: the option of the
 * SYN-ACK. */
bool tcp_fo_server(struct tcp *, struct tcb *lsn, const struct seg *, const struct flow *,
                   struct fo_cookie *answer);
/* t has FO_PASSIVE and has it no longer: its handshake is through, or it is over. */
void tcp_fo_settled(struct tcp *, struct tcb *t, bool was_reset);

/* ---- cookie.c ---- */
/* Answers a SYN without remembering it [RFC 4987 3.6]. */
enum drop tcp_cookie_syn(struct tcp *, struct tcb *lsn, const struct seg *, const struct flow *);
/* For which one counts, and may be followed by a bare ACK. */
enum { TCP_COOKIE_MS = 120000, TCP_COOKIE_BARE_MS = 10000 };
/* Whether a segment that answers none may be a later one of a client that was sent one lately: by
 * its numbers all but one in 85 others are not. */
bool tcp_cookie_may_follow(const struct tcp *, const struct tcb *lsn, const struct seg *,
                           const struct flow *);
/* Whether an ACK answers such a SYN-ACK; then *r is what the record would have been. */
bool tcp_cookie_ack(struct tcp *, struct tcb *lsn, const struct seg *, const struct flow *,
                    struct syn_rec *r);

/* ---- tw.c ---- */
/* A record takes t's place in the table. False: another one had to go early, or there is none. */
bool tcp_tw_add(struct tcp *, struct tcb *);
void tcp_tw_del(struct tcp *, uint32_t idx);
enum drop tcp_in_time_wait(struct tcp *, uint32_t idx, struct seg *, const struct flow *,
                           uint64_t hash);
void tcp_tw_timer(struct tcp *);
/* Whether a new connection may take its place [RFC 6191]; then *iss is beyond its last. */
bool tcp_tw_is_reusable(const struct tcp *, uint32_t idx);

/* ---- watch.c: everything but begin, stamps and zerocopy is for connections with TF_WATCH ---- */
struct icmp_err;
static inline struct tcp_watch *tcp_watch_of(const struct tcp *tcp, const struct tcb *t)
{
    return (struct tcp_watch *)pool_at(&tcp->watches, tcp->watch_of[tcb_index(t)]);
}
/* t has a struct tcp_watch afterwards; false: there are no more. */
bool tcp_watch_begin(struct tcp *, struct tcb *);
void tcp_watch_end(struct tcp *, struct tcb *);
bool tcp_watch_has_note(const struct tcp *, const struct tcb *);
/* Whether another write can be remembered. */
bool tcp_watch_has_room(const struct tcp *, const struct tcb *);
/* snd.end is the end of a write with these flags (enum tcp_msg). */
void tcp_watch_wrote(struct tcp *, struct tcb *, unsigned flags);
/* New data was handed down: up to snd.nxt. */
void tcp_watch_out(struct tcp *, struct tcb *);
/* That many payload bytes left the host. */
void tcp_watch_gone(struct tcp *, struct tcb *, uint32_t bytes);
/* snd.una moves to una; the bytes are still queued. */
void tcp_watch_acked(struct tcp *, struct tcb *, tcp_seq una);
/* The send queue is about to be thrown away. */
void tcp_watch_purge(struct tcp *, struct tcb *);
/* An ICMP error about an attempt to connect. */
void tcp_watch_icmp(struct tcp *, struct tcb *, const struct icmp_err *);
/* How many of the n bytes from seq on may share a segment: those of one record. */
uint32_t tcp_watch_cut(const struct tcp *, const struct tcb *, tcp_seq seq, uint32_t n);
/* Whether a record ends there. */
bool tcp_watch_is_end(const struct tcp *, const struct tcb *, tcp_seq);
/* t keeps these headers of its SYN; owns p. Lost, and counted, without room for a record. */
void tcp_watch_syn(struct tcp *, struct tcb *, struct pkt *p);
/* TOPT_STAMPS: 0, -EINVAL (numbered, but not connected), -ENOBUFS. */
int tcp_watch_stamps(struct tcp *, struct tcb *, uint32_t stamps);
int tcp_watch_zerocopy(struct tcp *, struct tcb *, bool is_on);

/* ---- check.c ---- */
#if WEIR_CHECKS
void tcb_check(const struct tcp *, const struct tcb *);
#else
static inline void tcb_check(const struct tcp *tcp, const struct tcb *t)
{
    (void)tcp;
    (void)t;
}
#endif

/* ---- seen.c: the trace; each only while env_traces */

void tcp_seen_ack_why(struct tcp *, const struct tcb *, enum weir_why);
/* Before the header is pushed: p is the payload. */
void tcp_seen_send(struct tcp *, const struct tcb *, const struct wire_tcp *, const struct pkt *p);
void tcp_seen_stateless(struct tcp *, const struct wire_tcp *, const struct pkt *p);
/* Before it is processed. */
void tcp_seen_segment(struct tcp *, const struct tcb *, const struct seg *);
/* WEIR_T_WRITE, KEEP, AHEAD, READ: the buffer after it. */
void tcp_seen_bytes(struct tcp *, const struct tcb *, enum weir_trace_kind, tcp_seq seq,
                    uint32_t len);
void tcp_seen_timer(struct tcp *, const struct tcb *, unsigned which);
/* It has waited for enum weir_limit `which`, for so long. */
void tcp_seen_limit(struct tcp *, const struct tcb *, unsigned which, w_ns spent);

#endif
