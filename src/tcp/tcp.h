/* SPDX-License-Identifier: Apache-2.0
 *
 * TCP [RFC 9293]: connections, from the calls of a socket down to segments for ip/.
 *
 * Every TCP socket owns a tcb from its creation, so that options can be set before connecting; a
 * listener is a tcb in LISTEN, its children inherit its options.
 *
 *     created --tcp_connect--> SYN-SENT --> ESTABLISHED --tcp_close--> (gone for the owner)
 *        `-----tcp_listen----> LISTEN --tcp_accept--> a child in ESTABLISHED or later
 *
 *     state                   allowed                            caveats
 *     CLOSED, never opened    opt, connect, listen, close        polls as OUT and HUP, as in Linux
 *     LISTEN                  opt, accept, shutdown, close       close resets children not accepted
 *     SYN-SENT, SYN-RECEIVED  opt, shutdown, close, abort        then TCP_EV_CONNECTED or an error
 *     ESTABLISHED … LAST-ACK  all but connect, listen, accept
 *     CLOSED after life       recv what is left, take_error      the tcb stays until tcp_close
 *
 * The owner (sock/) is told by event bits only: tcp_ready_pop() yields each tcb whose bits changed.
 * Nothing calls up. What tcp_input learned is answered in tcp_flush(), which stack/ calls at the
 * end of each burst and each tick; the calls of an owner send at once.
 *
 * All ports and sequence numbers in host order. Errors are negative errno.
 */
#ifndef WEIR_TCP_H
#define WEIR_TCP_H

#include "base/gauge.h"
#include "base/pool.h"
#include "ip/ip.h"
#include "pkt/env.h"
#include "pkt/next.h"
#include "pkt/pkt.h"

struct tcb;
struct tcp_bucket;
struct tcp_links;
struct fo_peer;
struct tcp_loss;
struct tcp_metric;
struct tcp_path;
struct note;
struct tcp_acc;
struct tcp_limit;
struct weir_limits;

/* Numbered as in Linux (tcp_info.tcpi_state, /proc/net/tcp). */
enum tcp_state {
    TCPS_ESTABLISHED = 1,
    TCPS_SYN_SENT,
    TCPS_SYN_RECEIVED,
    TCPS_FIN_WAIT_1,
    TCPS_FIN_WAIT_2,
    TCPS_TIME_WAIT,
    TCPS_CLOSED,
    TCPS_CLOSE_WAIT,
    TCPS_LAST_ACK,
    TCPS_LISTEN,
    TCPS_CLOSING,
};

/* Readiness; the low ones have the values of poll(2). */
enum tcp_event {
    TCP_EV_IN = 0x0001,         /* recv would not block: data, end of stream, error */
    TCP_EV_PRI = 0x0002,        /* an urgent byte is there */
    TCP_EV_OUT = 0x0004,        /* send would take a useful amount, or fail */
    TCP_EV_ERR = 0x0008,        /* tcp_take_error has something */
    TCP_EV_HUP = 0x0010,        /* both directions are shut */
    TCP_EV_RDHUP = 0x2000,      /* the peer will send no more */
    TCP_EV_ACCEPT = 0x10000,    /* LISTEN: tcp_accept has something (IN is set too) */
    TCP_EV_CONNECTED = 0x20000, /* the handshake is done, whatever came after */
    TCP_EV_DRAINED = 0x40000, /* everything sent, FIN included, is acknowledged: SO_LINGER's wait */
};

/* Linux's MSG_* numbers. Others are for the layers above. */
enum tcp_msg {
    TCP_MSG_OOB = 0x1,
    TCP_MSG_PEEK = 0x2,
    TCP_MSG_TRUNC = 0x20,    /* recv: discard instead of copying; dst may be NULL */
    TCP_MSG_DONTWAIT = 0x40, /* send: what is taken is all that this call will bring */
    TCP_MSG_EOR = 0x80,      /* send: the last byte ends a segment */
    TCP_MSG_MORE = 0x8000,
    TCP_MSG_ZEROCOPY = 0x4000000,
    TCP_MSG_PART = 0x8000000, /* the room's own: not all of the write was taken */
};

/* Linux's SOF_TIMESTAMPING_…: when a write's last byte is stamped and how it is numbered. */
enum tcp_stamp {
    TCP_STAMP_SND = 0x2,
    TCP_STAMP_ID = 0x80,
    TCP_STAMP_SCHED = 0x100,
    TCP_STAMP_ACK = 0x200,
    TCP_STAMP_ONLY = 0x800, /* notes without bytes */
    TCP_STAMP_ID_TCP = 0x10000,
    TCP_STAMP_ANY = TCP_STAMP_SND | TCP_STAMP_SCHED | TCP_STAMP_ACK,
};

/* Linux's numbers of level SOL_TCP; from 1000 on what sockets of other levels ask of TCP. */
enum tcp_opt {
    TOPT_NODELAY = 1,
    TOPT_MAXSEG = 2,
    TOPT_CORK = 3,
    TOPT_KEEPIDLE_S = 4,
    TOPT_KEEPINTVL_S = 5,
    TOPT_KEEPCNT = 6,
    TOPT_SYNCNT = 7,
    TOPT_LINGER2_S = 8,
    TOPT_DEFER_ACCEPT_S = 9,
    TOPT_WINDOW_CLAMP = 10,
    TOPT_QUICKACK = 12,
    TOPT_USER_TIMEOUT_MS = 18,
    TOPT_FASTOPEN = 23, /* a listener's limit of connections opened by a SYN with a cookie */
    TOPT_NOTSENT_LOWAT = 25,
    TOPT_SAVE_SYN = 27, /* 1: children of this listener keep the headers of their SYN */
    TOPT_FASTOPEN_CONNECT = 30,
    TOPT_FASTOPEN_NO_COOKIE = 34,
    TOPT_KEEPALIVE = 1000, /* 0 or 1 */
    TOPT_LINGER_S,         /* -1: off; 0: reset on close; else seconds the layer above waits */
    TOPT_OOBINLINE,
    TOPT_SNDBUF, /* bytes as Linux stores them: twice what the program asked for */
    TOPT_RCVBUF,
    TOPT_RCVLOWAT,
    TOPT_TOS,
    TOPT_TTL,            /* 0: the default */
    TOPT_REUSEPORT,      /* several listeners on one address and port share its connections */
    TOPT_V6ONLY,         /* a listener on :: takes no IPv4 */
    TOPT_MAY_FRAG,       /* IP_PMTUDISC_DONT: segments without Don't Fragment */
    TOPT_RECVERR,        /* ICMP errors of an established connection become its error at once, */
    TOPT_RECVERR6,       /* those of one being opened are queued; of IPv4, of IPv6 */
    TOPT_STAMPS,         /* enum tcp_stamp of what is written from now on */
    TOPT_ZEROCOPY,       /* TCP_MSG_ZEROCOPY has an effect */
    TOPT_MAX_PACING_BPS, /* bytes a second, -1: no limit */
};

struct tcp_iov {
    uint8_t *base;
    size_t len;
};

/* The tables and pools of one stack's TCP; members are private to the room. */
struct tcp {
    struct env *env;
    struct ip *ip;
    struct pool tcbs, sents, syns, tws, mtups;
    struct pool watches;        /* struct tcp_watch */
    uint32_t *watch_of;         /* per tcb: its index there, 0: none */
    struct pkt **saved_syns;    /* per half-open record: headers of its SYN, NULL: none */
    struct tcp_loss *loss;      /* one beside each tcb */
    struct tcp_metric *metrics; /* what was learnt of destinations: metric.c */
    uint32_t metrics_mask;
    bool has_metric_mtu;       /* some entry of them once had an MTU */
    struct tcp_path *paths;    /* one beside each tcb */
    struct tcp_acc *accs;      /* one beside each tcb */
    struct tcp_times *times;   /* one beside each tcb */
    struct tcp_gauges *gauges; /* one beside each tcb; NULL: conf.tcp_gauges is 0 */
    struct tcp_limit *limits;  /* one beside each tcb, with tcp_why or n_trace; else NULL */
    struct tcp_seen *seen;     /* one beside each tcb of a stack that traces, else NULL */
    uint8_t why;               /* enum weir_why of what is being sent, 0: what it is says it */
    struct tcp_bucket *table;  /* all connections, half-open and TIME-WAIT ones included */
    uint32_t table_mask;
    uint32_t *lsn_hash; /* listeners by port: head tcb of each chain */
    uint32_t lsn_mask;
    uint32_t *port_uses; /* per local port: connections and TIME-WAIT records */
    struct tcp_links *syn_links, *tw_links;
    uint32_t syn_head[8], syn_tail[8]; /* half-open, by retransmissions so far; oldest first */
    uint32_t tw_head, tw_tail;
    struct timer syn_timer[8], tw_timer;
    uint32_t ready_head, ready_tail; /* tcbs with changed event bits */
    uint32_t out_head, out_tail;     /* tcbs that tcp_flush will look at */
    uint32_t held; /* bit per interface: tcbs wait for room in its queue, in held_head/tail[id] */
    uint32_t held_head[LINK_NIFS + 1], held_tail[LINK_NIFS + 1];
    w_ns challenge_at; /* RFC 5961: the second being counted */
    uint32_t challenge_left;
    uint32_t n_orphans;
    struct fo_peer *fo_peers; /* servers that are known for Fast Open: sets of FO_WAYS */
    uint32_t fo_sets;
    struct hash_key fo_key, cookie_key[2]; /* Fast Open's, where none is set; SYN cookies' */
    uint64_t mem_pressure, mem_max;        /* limits of mem_bytes, from tcp_mem_* */
    uint32_t wnd_segs[34]; /* segments that the pools can hold, by small blocks for each */
    uint64_t promised;  /* what connections may hold or be sent: window and unread, beyond the first
                          wnd_free of each */
    uint32_t wnd_free;  /* bytes: so much may be promised without asking what others were */
    uint64_t n_walked;  /* records and runs that arrivals went through: the work of strangers */
    uint64_t mem_bytes; /* memory that all send and receive queues pin */
};

/* Memory from the arena (which may only be counting), sizes from env->conf. */
void tcp_init(struct tcp *, struct env *, struct ip *, struct arena *);

/* ---- life ---- */

/* A tcb in CLOSED for socket `sock` (its index, given back by tcp_sock). NULL: the pool is empty.
 * */
WEIR_MUST_CHECK struct tcb *tcp_new(struct tcp *, uint32_t sock);
/* Active open. local must be concrete or any (then ip_route chooses), both ports nonzero. 0: SYN
 * sent or queued, TCP_EV_CONNECTED or an error follows; -EISCONN, -EALREADY, -EINVAL (listening),
 * -EADDRNOTAVAIL (that 4-tuple is in use), -ENETUNREACH, -EHOSTUNREACH, -ENOBUFS. */
WEIR_MUST_CHECK int tcp_connect(struct tcp *, struct tcb *, const struct flow *);
/* Active open with the first bytes [RFC 7413]: they go with the SYN when a cookie for the peer is
 * known, else the SYN asks for one. Bytes taken, 0..n; 0 also when none may go with the SYN: then
 * write them once connected. Else as tcp_connect. A deferred t (see tcp_is_deferred) has its flow:
 * f may be NULL. flags: TCP_MSG_MORE: a writer waits with more, whose first segment will
 * acknowledge the SYN-ACK. */
WEIR_MUST_CHECK int64_t tcp_connect_send(struct tcp *, struct tcb *, const struct flow *f,
                                         const void *, size_t n, unsigned flags);
/* TOPT_FASTOPEN_CONNECT let tcp_connect answer 0 without a SYN: the first write sends it. */
bool tcp_is_deferred(const struct tcb *);
/* Passive open on local (any: all addresses) and port; again: changes the backlog. 0, -EINVAL,
 * -EADDRINUSE, -EISCONN. */
WEIR_MUST_CHECK int tcp_listen(struct tcp *, struct tcb *, const struct addr *local, uint16_t port,
                               unsigned backlog);
/* The oldest connection waiting, NULL: none. The caller binds it with tcp_set_sock at once. */
struct tcb *tcp_accept(struct tcp *, struct tcb *listener);
enum tcp_shut { TCP_SHUT_RD, TCP_SHUT_WR, TCP_SHUT_RDWR };
/* 0 or -ENOTCONN. */
int tcp_shutdown(struct tcp *, struct tcb *, enum tcp_shut how);
/* The owner lets go: t must not be used again. FIN, or RST when data was left unread or linger is
 * 0; what is queued is still delivered. */
void tcp_close(struct tcp *, struct tcb *);
/* RST now (when the peer may know of us); t stays, in CLOSED with `err` (0: none) to take. */
void tcp_abort(struct tcp *, struct tcb *, int err);
/* Resets what nobody owns any more: closed connections with bytes still on their way. At the end of
 * a stack, when every owner has let go; bounded by the number of tcbs. */
void tcp_abort_all(struct tcp *);

static inline struct tcb *tcp_at(const struct tcp *tcp, uint32_t idx)
{
    return (struct tcb *)pool_at(&tcp->tcbs, idx);
}
uint32_t tcp_index(const struct tcp *, const struct tcb *);
/* It is going to be used: fetches it into the cache. */
void tcp_prefetch(const struct tcb *);
void tcp_set_sock(struct tcb *, uint32_t sock);
uint32_t tcp_sock(const struct tcb *);
enum tcp_state tcp_state(const struct tcb *);
const struct flow *tcp_flow(const struct tcb *);

/* Whether a connection with this 4-tuple could be opened now: no connection has it, or only a
 * TIME-WAIT that may be reused [RFC 6191]. */
bool tcp_flow_is_free(const struct tcp *, const struct flow *);
/* Connections, half-open and TIME-WAIT included, whose local port this is. O(1). */
uint32_t tcp_port_uses(const struct tcp *, uint16_t port);

/* ---- data ---- */

/* Bytes taken, 1..n; -EAGAIN (buffer full, or still connecting), -EPIPE, -ENOTCONN, -ENOBUFS, or
 * the pending error. n == 0: 0. */
int64_t tcp_send(struct tcp *, struct tcb *, const void *, size_t n, unsigned flags);
/* Bytes copied; 0: end of stream; -EAGAIN, -ENOTCONN, the pending error. TCP_MSG_OOB: 1 byte,
 * -EINVAL (none, or inline), -EAGAIN (announced, not here yet). */
int64_t tcp_recv(struct tcp *, struct tcb *, void *, size_t n, unsigned flags);
/* In place: up to max pieces of send-buffer space, to be filled from the first on, then committed
 * (in total n bytes, before any other call on t). Returns pieces, or as tcp_send. */
int tcp_send_space(struct tcp *, struct tcb *, struct tcp_iov *, unsigned max);
int64_t tcp_send_commit(struct tcp *, struct tcb *, size_t n, unsigned flags);
/* In place: up to max pieces of what is ready to be read, valid until the next call on t or
 * tcp_input; then consume. Returns pieces, 0 at the end of the stream, or as tcp_recv. */
int tcp_recv_peek(struct tcp *, struct tcb *, struct tcp_iov *, unsigned max);
void tcp_recv_consume(struct tcp *, struct tcb *, size_t n);

/* SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK. */
uint32_t tcp_inq(const struct tcp *, const struct tcb *);
/* The same for TCP_INQ: 1 if nothing is left but the end, so that 0 means "wait". */
uint32_t tcp_inq_or_end(const struct tcp *, const struct tcb *);
uint32_t tcp_outq(const struct tcb *);
uint32_t tcp_outq_nsd(const struct tcb *);
bool tcp_at_mark(const struct tcb *);

/* ---- events ---- */

/* What is true now: enum tcp_event. */
uint32_t tcp_poll(const struct tcp *, const struct tcb *);
/* The next tcb on which something became true, or happened again, since it was last popped: which
 * bits, in *edges. NULL: no more. Only tcbs with a socket are reported. */
struct tcb *tcp_ready_pop(struct tcp *, uint32_t *edges);
/* SO_ERROR: a positive errno once, then 0. */
int tcp_take_error(struct tcb *);

/* ---- the error queue ---- */

/* The oldest note: *out, up to n of its bytes, *full: how many it has. False: there is none. */
bool tcp_take_note(struct tcp *, struct tcb *, struct note *out, void *, size_t n, uint32_t *full);
/* is_on: the next tcp_send is stamped by these (enum tcp_stamp), whatever TOPT_STAMPS says; then
 * the caller turns it off. Without room for it nothing is stamped. */
void tcp_stamp_once(struct tcp *, struct tcb *, bool is_on, uint32_t stamps);
/* TCP_SAVED_SYN: the headers of the SYN that made t, IP's first; NULL: none. They stay t's until
 * tcp_forget_syn. */
const struct pkt *tcp_saved_syn(const struct tcp *, const struct tcb *);
void tcp_forget_syn(struct tcp *, struct tcb *);
/* When the last of the next n bytes to read arrived, 0: there are none. */
w_ns tcp_recv_when(const struct tcb *, size_t n);

/* ---- options and information ---- */

/* 0, -ENOPROTOOPT (unknown here), -EINVAL (value out of range, or state). */
int tcp_opt_set(struct tcp *, struct tcb *, int name, int64_t value);
int tcp_opt_get(const struct tcp *, const struct tcb *, int name, int64_t *value);
/* TCP_FASTOPEN_KEY of a socket that listens or will: 16 bytes; -EINVAL (other lengths: Linux takes
 * a second, older key, too; or a connection). get: the stack's key when it has none. */
int tcp_fo_key_set(struct tcb *, const uint8_t *, size_t n);
void tcp_fo_key_get(const struct tcp *, const struct tcb *, uint8_t key[16]);
/* A setting changed: forgets what no longer counts. */
void tcp_conf_changed(struct tcp *);
/* TCP_CONGESTION: 0 or -ENOENT. */
int tcp_cc_set(struct tcp *, struct tcb *, const char *name, size_t n);
const char *tcp_cc_get(const struct tcb *);

/* A connection's buffers: bytes now, the most there may be, and what is remembered (all 0 without
 * conf.tcp_gauges). */
enum tcp_buf { TCP_BUF_SEND, TCP_BUF_BELOW, TCP_BUF_RECV, TCP_BUFS };
struct tcp_buf_info {
    uint32_t now, limit;
    struct gauge gauge;
};
void tcp_gauge_get(const struct tcp *, const struct tcb *, enum tcp_buf, struct tcp_buf_info *out);

/* Linux's struct tcp_info, member for member. */
struct weir_tcp_info {
    uint8_t state, ca_state, retransmits, probes, backoff, options;
    uint8_t wscale;    /* send in the low, receive in the high four bits */
    uint8_t app_limit; /* bit 0: delivery rate was application-limited */
    uint32_t rto, ato, snd_mss, rcv_mss;
    uint32_t unacked, sacked, lost, retrans, fackets;
    uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
    uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
    uint32_t rcv_rtt, rcv_space, total_retrans;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
    uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
    uint32_t delivered, delivered_ce;
    uint64_t bytes_sent, bytes_retrans;
    uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd, rcv_wnd, rehash;
    uint16_t total_rto, total_rto_recoveries;
    uint32_t total_rto_time;
    uint32_t received_ce;
    uint32_t delivered_e1_bytes, delivered_e0_bytes, delivered_ce_bytes;
    uint32_t received_e1_bytes, received_e0_bytes, received_ce_bytes;
    uint16_t accecn_fail_mode, accecn_opt_seen;
};
_Static_assert(sizeof(struct weir_tcp_info) == 280, "as Linux 6.18");
void tcp_info_get(const struct tcp *, const struct tcb *, struct weir_tcp_info *);
/* TCP_CC_INFO: what the congestion control tells, as Linux's struct of that algorithm. Returns its
 * size, 0: nothing. */
union cc_info;
size_t tcp_cc_info(const struct tcb *, union cc_info *);

/* What it has waited for. 0, -ENOTCONN (never a connection), -ENODATA (nobody keeps account). */
int tcp_limits_get(struct tcp *, struct tcb *, struct weir_limits *);

/* For `ss`: one row per listener, connection, half-open connection and TIME-WAIT. Start with
 * *cursor = 0; false: no more. t is NULL for half-open and TIME-WAIT records. */
struct tcp_row {
    struct flow flow;
    const struct tcb *t;
    enum tcp_state state;
    uint32_t rcvq_bytes, sndq_bytes; /* LISTEN: waiting, backlog */
    uint32_t sock;
};
bool tcp_row_next(const struct tcp *, uint64_t *cursor, struct tcp_row *);

/* ---- from stack/ ---- */

/* A segment: p at its TCP header, flow.local and flow.remote set. NEXT_DONE: consumed. NEXT_DROP:
 * p->drop says why. Sends nothing but what cannot wait (SYN-ACK, RST, challenge ACK). */
WEIR_MUST_CHECK enum next tcp_input(struct tcp *, struct pkt *);
/* Sends what the segments since the last call made due: ACKs, data. Bounded by windows. */
void tcp_flush(struct tcp *);
static inline bool tcp_flush_pending(const struct tcp *tcp)
{
    if ((tcp->out_head | tcp->held) == 0)
        return false;
    return tcp->out_head != 0 || (tcp->held & ~tcp->ip->link->full) != 0;
}
/* A timer of kind TK_TCP, TK_TCP_SYN or TK_TCP_TW is due. */
void tcp_timer(struct tcp *, struct timer *);
/* `bytes` of payload of packets with p->owner == owner left the host: credit. Stale owners are
 * noticed. tcp_flush afterwards. */
void tcp_sent(struct tcp *, uint32_t owner, uint32_t bytes);
/* Packets of this owner wait too long in a queue of this host: slow down, as a mark would say. */
void tcp_congested(struct tcp *, uint32_t owner);
/* An ICMP error about a segment of ours [RFC 1122 4.2.3.9, RFC 5927, RFC 5461]. */
struct icmp_err;
void tcp_error(struct tcp *, const struct icmp_err *);

#endif
