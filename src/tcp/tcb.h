/* SPDX-License-Identifier: Apache-2.0
 *
 * The transmission control block, and the two records that stand in for one: half-open and
 * TIME-WAIT. RFC 9293's names by nesting: t->snd.una is SND.UNA.
 *
 * All three begin with their flow, because one table finds them all. The first four lines are what
 * a segment touches; sizes are asserted facts, since memory of an idle connection is a promise.
 *
 * Clocks of 32 bits: _ms fields hold env->now / 1 ms, _us fields env->now / 1 us, both wrapping;
 * durations in them are differences.
 */
#ifndef WEIR_TCP_TCB_H
#define WEIR_TCP_TCB_H

#include "cc/cc.h"
#include "pkt/note.h"
#include "tcp/seq.h"
#include "tcp/tcp.h"

#include <weir/limit.h>

/* Congestion states, numbered as tcpi_ca_state. */
enum tcp_ca { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS };

/* Logical deadlines; one wheel node serves all. */
enum {
    T_RTO,     /* something is in flight: enum loss_timer says what it waits for */
    T_PERSIST, /* something waits and nothing is in flight: window probe, overridden Nagle; retry
                  after a refusal of the layers below; it is not its time to leave yet */
    T_DELACK,
    T_KEEP, /* keepalive; the end of an orphan's FIN-WAIT-2 */
    T_N
};

/* What T_RTO does when it fires. One deadline serves all three: each is earlier than the next, and
 * arms it when it was in vain. */
enum loss_timer {
    LT_RTO,   /* retransmission timeout, SYN included [RFC 6298] */
    LT_PROBE, /* tail loss probe [RFC 8985 7.2] */
    LT_REO,   /* the reordering window of something has passed [RFC 8985 6.2 step 5] */
};

/* What the loss record (struct tcp_loss) is about: t->rec.flags. */
enum loss_flag {
    LF_TLP = 1,       /* a probe is out until tlp_end is acknowledged [RFC 8985 7.3] */
    LF_TLP_RTX = 2,   /* … and it repeated something */
    LF_UNDO = 4,      /* the reduction may still turn out to have been a mistake */
    LF_RTX = 8,       /* … something was repeated since, first at rtx_ts */
    LF_FRTO = 16,     /* after a timeout that may have been spurious [RFC 5682 3.1] */
    LF_FRTO_NEW = 32, /* … new data goes before repetitions, step 2b */
    LF_DSACK = 64,    /* the reordering window grew for this round [RFC 8985 6.2 step 4] */
    LF_PROBE = 128,   /* a path MTU probe is in flight; struct tcp_mtup says what and where */
};

enum tcb_flag {
    TF_TS = 1u << 0,         /* negotiated [RFC 7323 3.2] */
    TF_SACK = 1u << 1,       /* negotiated [RFC 2018 2] */
    TF_WSCALE = 1u << 2,     /* negotiated [RFC 7323 2] */
    TF_FIN_QUEUED = 1u << 3, /* the byte after the send queue is our FIN */
    TF_FIN_RCVD = 1u << 4,   /* rcv.nxt counts the peer's FIN */
    TF_RCV_SHUT = 1u << 5,   /* the program will read no more */
    TF_ORPHAN = 1u << 6,     /* closed by its owner */
    TF_CHILD = 1u << 7,      /* waits in a listener's accept queue */
    TF_TABLED = 1u << 8,     /* in the connection table */
    TF_READY = 1u << 9,      /* on the ready list */
    TF_OUT = 1u << 10,       /* on the output list */
    TF_ACK_NOW = 1u << 11,   /* an ACK is owed at the next output */
    TF_ACK_SCHED = 1u << 12, /* an ACK is owed, and may wait for T_DELACK */
    TF_PUSHED = 1u << 13,    /* small segment received since the last ACK ... */
    TF_PUSHED2 = 1u << 14,   /* ... and another */
    TF_NODELAY = 1u << 15,
    TF_CORK = 1u << 16,
    TF_KEEPALIVE = 1u << 17,
    TF_OOBINLINE = 1u << 18,
    TF_RCVBUF_SET = 1u << 19, /* fixed by the program: not tuned */
    TF_SNDBUF_SET = 1u << 20,
    TF_CWND_LIMITED = 1u << 21, /* cwnd held us back within the last window */
    TF_URG_VALID = 1u << 22,    /* rcv.up names a byte not yet passed */
    TF_URG_BYTE = 1u << 23,     /* and urg_byte is it, unread */
    TF_SND_URG = 1u << 24,      /* snd.up is beyond snd.una */
    TF_CONNECTED = 1u << 25,    /* was established once, or a child of Fast Open */
    TF_SYN_RTX = 1u << 26,      /* a SYN of ours was repeated */
    TF_REUSEPORT = 1u << 27,
    TF_V6ONLY = 1u << 28,
    TF_NO_MEM = 1u << 29, /* send was refused for lack of blocks: tell when T_PERSIST fires */
    TF_PROBE0 = 1u << 30, /* T_PERSIST runs because the peer's window is closed */
    TF_WATCH = 1u << 31,  /* it has a struct tcp_watch */
};

/* How a connection opens beside the plain handshake [RFC 7413, RFC 4987]; tcb.fo. */
enum fo_flag {
    FO_CONNECT = 1 << 0, /* option: connect() waits for the first write, which goes with the SYN */
    FO_NO_COOKIE = 1 << 1,  /* option: neither asks for a cookie nor wants one */
    FO_OFFER = 1 << 2,      /* our first SYN has the option */
    FO_EXP = 1 << 3,        /* in the shape it had as an experiment [RFC 6994] */
    FO_DEFERRED = 1 << 4,   /* SYN-SENT, but the SYN waits for the first write */
    FO_PASSIVE = 1 << 5,    /* SYN-RECEIVED, and may be used already: made by a SYN with a cookie */
    FO_DATA = 1 << 6,       /* all the data of the first SYN was taken */
    FO_SYN_COOKIE = 1 << 7, /* made from a SYN cookie: its first echo is no clock */
};

/* Options of level IP that a connection keeps; tcb.opt.ip. */
enum opt_ip {
    OPT_IP_MAY_FRAG = 1, /* IP_PMTUDISC_DONT: no Don't Fragment */
    OPT_IP_RECVERR = 2,  /* ICMP errors are told at once, and queued; of IPv4 */
    OPT_IP_RECVERR6 = 4, /* and of IPv6 */
};

/* A range [start, end) of sent sequence numbers that share one fate. */
enum sent_flag {
    SENT_SACKED = 1,
    SENT_LOST = 2,   /* presumed lost and not SACKed */
    SENT_RTX = 4,    /* a retransmission of it is in flight */
    SENT_EVER = 8,   /* was retransmitted: no RTT sample [RFC 6298 3] */
    SENT_PROBE = 16, /* one segment, bigger than others: a path MTU probe */
};
struct sent_rec {
    tcp_seq start, end;
    uint32_t next, prev; /* pool indices, 0: none; ascending by start */
    w_ns sent_at;        /* last transmission; of a paced connection the departure */
    /* What was true then, for rate.c; all 0 unless the connection is paced. */
    uint64_t delivered; /* tcp_delivered() */
    w_ns delivered_at;  /* when that was learnt */
    w_ns first_sent_at; /* departure of what was the last to be acknowledged */
    uint32_t lost;      /* t->rec.lost */
    uint32_t inflight;  /* just after it, itself included */
    uint8_t flags;      /* enum sent_flag */
    uint8_t n_rtx;
    uint8_t is_app_limited, unused[5];
};
_Static_assert(sizeof(struct sent_rec) == 64, "sent_rec");

struct sack_block {
    tcp_seq start, end;
};
enum { TCP_SACK_BLOCKS = 4 };

struct tcb {
    /* line 0: lookup and lists */
    struct flow flow;
    uint8_t state, ca_state;   /* enum tcp_state, enum tcp_ca */
    uint8_t n_sack;            /* blocks in ooo.sack[] */
    uint8_t has_dsack : 1;     /* ooo.dsack is to be reported */
    uint8_t chrono : 2;        /* enum tcp_chrono */
    uint8_t is_refused : 1;    /* a write found the send buffer full, and it has been since */
    uint8_t is_promised : 1;   /* tcp->promised counts it */
    uint8_t in_rto : 1;        /* a timeout's recovery: tcp_path.rto_ms runs */
    uint8_t is_small_step : 1; /* the last odd ACK without SACK covered at most four segments */
    uint32_t flags;            /* enum tcb_flag */
    uint32_t hash;             /* of flow: the table's bucket */
    uint32_t edges;            /* enum tcp_event, what happened since the last ready_pop */
    uint32_t ready_next, out_next;

    /* line 1: receive */
    WEIR_ALIGNED_LINE struct {
        tcp_seq nxt;
        tcp_seq wup;        /* rcv.nxt when wnd was announced: last ACK sent */
        tcp_seq copied;     /* next byte the program reads */
        uint32_t wnd;       /* announced: right edge is wup + wnd */
        uint32_t ts_recent; /* TS.Recent [RFC 7323 4.3] */
        uint32_t ts_recent_ms;
        uint16_t mss;                    /* what the peer's segments seem to be */
        uint16_t advmss;                 /* our MSS option */
        uint8_t wscale, quick, pingpong; /* quick: ACKs to be sent at once */
        uint8_t is_urg_read;             /* the urgent byte was taken */
        uint32_t ato_us;                 /* delayed-ACK timeout, adapting; 0: no data seen yet */
        uint32_t data_ms;                /* last data arrival */
        uint32_t ssthresh;               /* ceiling of the announced window */
        uint32_t limit;                  /* SO_RCVBUF as Linux counts: half of it is window */
        struct pkt *q, *qtail;           /* in order, unread; linked by ->next */
    } rcv;

    /* line 2: send */
    WEIR_ALIGNED_LINE struct {
        tcp_seq una, nxt;
        tcp_seq end;  /* after the last byte queued */
        tcp_seq sml;  /* end of the last small segment sent (Minshall's Nagle) */
        tcp_seq push; /* a push was asked for up to here */
        tcp_seq wl1;  /* SEG.SEQ of the last window update */
        uint32_t wnd, wnd_max;
        uint32_t below; /* payload bytes handed down and not yet gone */
        uint16_t mss;   /* payload of a full segment, without SACK option */
        uint16_t peer_mss;
        uint8_t wscale, dupacks, backoff, n_rto; /* n_rto: timeouts since progress */
        uint32_t ts_off;                         /* our clock in TSval is ms + this */
        uint32_t sacked, lost, rtx;              /* bytes of such records */
        uint32_t rec_head;
    } snd;

    /* line 3: scoreboard and send queue */
    WEIR_ALIGNED_LINE struct {
        uint32_t rec_tail, n_rec;
        uint32_t rtx_hint; /* no lost and unsent record lies before this one; 0: unknown */
        tcp_seq fack;      /* end of the highest SACKed range */
        struct blk *head, *tail;
        struct blk *cur; /* block with the byte cur_seq, where sending was last */
        tcp_seq seq;     /* of head's byte head_off: oldest byte kept */
        tcp_seq cur_seq; /* of cur's first byte */
        uint32_t head_off;
        uint32_t limit; /* SO_SNDBUF */
        tcp_seq iss;
        uint32_t sent_ms; /* last data transmission */
    } sndq;

    /* line 4 */
    WEIR_ALIGNED_LINE w_ns at[T_N];
    struct timer timer;

    struct {
        uint32_t srtt8_us, rttvar4_us; /* scaled by 8 and by 4 [RFC 6298 2] */
        uint32_t rto_us;
        uint32_t min_us, min_ms;
        uint32_t first_rto_ms; /* start of the current row of timeouts, 0: none */
    } rtt;
    struct { /* receive buffer tuning */
        uint32_t rtt_us, rtt_at_us;
        tcp_seq rtt_seq;
        uint32_t space, at_us; /* space: until established: not 0 when a writer waits for that */
        tcp_seq seq;           /* until established: bytes of data in our first SYN */
    } drs;
    struct {
        uint32_t max_flight; /* most in flight in the window ending at max_seq */
        tcp_seq max_seq;
        uint32_t oow_ms;      /* last ACK for an unacceptable segment, 0: none */
        uint16_t reordering;  /* duplicate ACKs that mean loss, segments; adapts */
        uint16_t reord_seen;  /* reordering events */
        uint8_t flags, timer; /* enum loss_flag; enum loss_timer */
        uint16_t mtup;        /* of struct tcp_mtup in tcp->mtups, 0: no search for the path MTU */
        uint32_t lost;        /* bytes ever marked lost; wraps */
    } rec;
    union {
        struct {
            struct pkt *head, *tail; /* tail: the first packet of the last run; see reasm.c */
            uint32_t mem, n;         /* memory they pin; runs */
            struct sack_block sack[TCP_SACK_BLOCKS]; /* most recent first */
            struct sack_block dsack;                 /* to be reported once, while has_dsack */
        } ooo;
        struct { /* LISTEN */
            uint32_t accept_head, accept_tail, n_accept, backlog, n_syn, next;
            /* Kept from before listen() on: a socket never opened has nothing else here. */
            uint16_t fo_max, n_fo; /* children with FO_PASSIVE: most, now [RFC 7413 5.1] */
            uint16_t n_fo_rst;     /* such as were reset: they count until fo_rst_ms + 60 s */
            uint8_t has_fo_key, save_syn; /* save_syn: TCP_SAVE_SYN */
            uint32_t fo_rst_ms;
            uint32_t cookie_ms;     /* last SYN answered by a cookie, 0: never */
            struct hash_key fo_key; /* its own, with has_fo_key */
        } lsn;
    };
    tcp_seq irs;
    tcp_seq rcv_up, snd_up;
    uint32_t sock;
    uint32_t parent; /* tcb_owner of the listener, while TF_CHILD or FO_PASSIVE */
    uint32_t accept_next;
    struct dst dst;
    uint8_t urg_byte;
    uint8_t keep_probes, n_probe; /* keepalive and window probes without an answer */
    uint8_t fo;                   /* enum fo_flag */
    uint16_t err, soft_err;       /* positive errno */
    struct {
        uint16_t keep_idle_s, keep_intvl_s;
        uint8_t keep_cnt, syn_cnt; /* 0: the stack's setting */
        uint8_t defer;             /* SYN-ACKs repeated while data is waited for */
        uint8_t ttl, tos;
        uint8_t ip; /* enum opt_ip */
        int16_t linger_s, linger2_s;
        uint16_t maxseg;
        uint32_t user_timeout_ms, rcvlowat, notsent_lowat, window_clamp;
    } opt;
    struct {
        uint64_t bytes_acked, bytes_in, bytes_out, bytes_rtx;
        uint32_t segs_in, segs_out, data_in, data_out, n_rtx, delivered, n_ooo, n_dsack;
        uint32_t ack_ms; /* last ACK received */
        uint16_t n_rto;
        uint8_t path, ecn; /* enum path_flag, enum ecn_flag */
    } st;

    WEIR_ALIGNED_LINE struct cc cc;
};
_Static_assert(offsetof(struct tcb, rcv) == 64, "lookup fits one line");
_Static_assert(offsetof(struct tcb, snd) == 128, "receive fits one line");
_Static_assert(offsetof(struct tcb, sndq) == 192, "send fits one line");
_Static_assert(offsetof(struct tcb, at) == 256, "scoreboard fits one line");
_Static_assert(sizeof(struct tcb) <= 768, "an idle connection is under 1 KiB with its socket");

/* Loss detection and recovery of one connection: a line beside its tcb (tcp_loss), which a
 * connection without losses never touches. Owned by rack.c, tlp.c, prr.c, undo.c, recover.c. */
struct tcp_loss {
    w_ns rack_at; /* RACK.xmit_ts, rack_end its RACK.end_seq: the latest sent of what arrived */
    tcp_seq rack_end;
    uint32_t rack_rtt_us;          /* its round trip; 0: nothing yet */
    tcp_seq dsack_round;           /* valid while LF_DSACK */
    uint8_t reo_more, reo_persist; /* steps of min_RTT / 4 beyond the first; recoveries they last */
    uint16_t n_rto;                /* recoveries after timeouts, SYNs included */
    tcp_seq point;                 /* recovery ends when this is acknowledged */
    uint32_t prior_cwnd, prior_ssthresh;         /* before the reduction */
    uint32_t prr_delivered, prr_out, prr_flight; /* RecoverFS [RFC 9937 6] */
    tcp_seq undo_from;                           /* snd.una when it began; valid while LF_UNDO */
    uint32_t undo_rtx;                           /* bytes repeated since, that no DSACK has named */
    uint32_t rtx_ts; /* the timestamp of the first repetition since; valid while LF_RTX */
    tcp_seq tlp_end; /* snd.nxt after the probe; valid while LF_TLP */
};
_Static_assert(sizeof(struct tcp_loss) == 64, "a connection's losses cost one line");

/* A search for the path MTU, beside the few connections that make one. Owned by mtup.c. */
struct tcp_mtup {
    uint16_t low, high; /* sizes of IP packets: assumed to pass; largest not known to be lost */
    uint16_t probe;     /* size of the probe in flight */
    uint8_t fallen;     /* timeouts blamed on the size, without progress since */
    bool is_waiting;    /* no probe before resume_ms */
    tcp_seq start, end; /* bytes of the probe, or of the last attempt in a black hole */
    uint32_t resume_ms;
    uint32_t since_ms; /* the search began */
    uint32_t unused[2];
};
_Static_assert(sizeof(struct tcp_mtup) == 32, "two to a line");

/* What is learnt of the path, by connections that are paced or use ECN: a line beside the tcb that
 * others never touch. Owned by rate.c, pace.c, ecn.c and accecn.c. */
struct tcp_path {
    w_ns delivered_at;    /* tcp_delivered() became what it is */
    w_ns first_sent_at;   /* departure of the latest sent of what was acknowledged last */
    w_ns next_at;         /* nothing departs before */
    w_ns departs_at;      /* of the packet handed down last */
    uint64_t max_Bps;     /* SO_MAX_PACING_RATE, 0: none */
    uint64_t last_Bps;    /* the latest sample, 0: none yet */
    uint32_t app_limited; /* until tcp_delivered() is beyond this, with PF_APP_LIMITED */
    tcp_seq cwr_point;    /* snd.nxt at the last reduction, with ECNF_REDUCED */
    uint32_t n_ce;        /* segments delivered with a mark, as the peer says; with AccECN s.cep,
                             counted from 0 */
    uint32_t rto_ms;      /* recoveries after timeouts; see chrono.c */
};
_Static_assert(sizeof(struct tcp_path) == 64, "one line");

/* What is to be told of a write, at its last byte: watch.c. */
enum mark_flag { MARK_SCHED = 1, MARK_SND = 2, MARK_ACK = 4, MARK_EOR = 8 };
struct tcp_mark {
    tcp_seq end;         /* after the byte */
    uint32_t due;        /* with MARK_SCHED done: it has left once tcp_watch.gone is here */
    uint32_t zc;         /* number of the first MSG_ZEROCOPY send that ends here */
    uint16_t zc_n;       /* how many do */
    uint8_t wants, done; /* enum mark_flag */
};
enum { TCP_MARKS = 32 };

/* Of a connection with TF_WATCH, from a pool of its own. Owned by watch.c. */
struct tcp_watch {
    struct noteq errq;
    uint32_t stamps;  /* enum tcp_stamp of every write */
    uint32_t once;    /* of the present one, with has_once */
    uint32_t base;    /* with TCP_STAMP_ID: the byte that has number 0 */
    uint32_t zc_next; /* number of the next MSG_ZEROCOPY send */
    uint32_t gone;    /* payload bytes that left the host; wraps */
    bool has_once, is_zerocopy;
    uint16_t head, n; /* mark[]: a ring */
    struct pkt *syn;  /* headers of the SYN that made it (TCP_SAVE_SYN), NULL: none */
    struct tcp_mark mark[TCP_MARKS];
};

/* Accurate ECN [RFC 9768 3.2]: beside the tcb, touched only while ECNF_ACC. Counters begin at 0 and
 * get their initial values on the wire. Byte counters by the IP header's codepoint less one:
 * ECT(1), ECT(0), CE. Owned by accecn.c. */
struct tcp_acc {
    uint32_t rcv_ce;       /* r.cep: packets received with a mark */
    uint32_t rcv_bytes[3]; /* r.e1b, r.e0b, r.ceb: payload received so marked */
    uint32_t snd_bytes[3]; /* s.e1b, s.e0b, s.ceb: the same at the peer, as far as we know */
    uint32_t opt_us;       /* the last AccECN option left */
    uint32_t ts;           /* the newest timestamp an ACK had, with ACC_TS */
    uint16_t flags;        /* enum acc_flag */
    uint16_t acked16;      /* segments an ACK acknowledges, smoothed, in sixteenths */
    uint8_t rcv_syn : 2;   /* IP codepoint of the peer's SYN or SYN-ACK */
    uint8_t prev : 2;      /* … of the last packet */
    uint8_t prev_data : 2; /* … of the last one with text */
    uint8_t demand : 2;    /* segments that have to carry the option */
    uint8_t changed : 3;   /* byte counters that the last option did not have: bit of each */
    uint8_t n_again : 2;   /* text that came again, in a row */
    uint8_t pending : 3;   /* marks since the last segment left, at most 7 */
    uint8_t third : 3;     /* ACE of the ACK that completed the handshake; 0: not a server */
};
_Static_assert(sizeof(struct tcp_acc) == 44, "accurate ECN's own memory");

enum acc_flag {
    ACC_SYN = 1 << 0,        /* we asked, and wait for the SYN-ACK's feedback of our SYN */
    ACC_SYN_RCVD = 1 << 1,   /* server: the first ACK has the handshake's encoding */
    ACC_FIRST = 1 << 2,      /* no ACE counter has come yet */
    ACC_REFLECT = 1 << 3,    /* the next bare ACK says how the SYN-ACK arrived */
    ACC_NO_ECT = 1 << 4,     /* what we send is not ECN-capable */
    ACC_DEAF = 1 << 5,       /* what the peer says of marks is not believed */
    ACC_NO_OPT = 1 << 6,     /* no option leaves: the path loses packets that have one */
    ACC_IGNORE_OPT = 1 << 7, /* options are not believed */
    ACC_HAS_OPT = 1 << 8,    /* one came: snd_bytes are the peer's */
    ACC_TS = 1 << 9,
    ACC_ODD = 1 << 10,          /* the last option counted marked bytes without a marked packet */
    ACC_SYN_CE = 1 << 11,       /* the peer says that our SYN was marked; not yet answered */
    ACC_CE_SYN_ACK = 1 << 12,   /* r.cep has the SYN-ACK in it */
    ACC_BARE_SYN_ACK = 1 << 13, /* our SYN-ACK goes without the option */
};

/* What a connection with data to deliver waits for; Linux's enum tcp_chrono. */
enum tcp_chrono {
    CHRONO_IDLE,   /* there is none */
    CHRONO_BUSY,   /* the network */
    CHRONO_RWND,   /* the peer's window */
    CHRONO_SNDBUF, /* the program, which the send buffer holds back */
};

/* How long it waited for each: beside the tcb, owned by chrono.c. Of what is being measured "now"
 * was subtracted when that began. */
struct tcp_times {
    uint32_t ms[CHRONO_SNDBUF + 1]; /* by enum tcp_chrono */
};
_Static_assert(sizeof(struct tcp_times) == 16, "four to a line");

/* What a connection waits for, and what it has waited for: beside the tcb of a stack that keeps
 * account of it. Owned by limit.c. */
struct tcp_wait {
    uint8_t why;   /* enum weir_limit */
    bool is_below; /* first of all what was handed down waits: for what, the interface knows */
};
struct tcp_limit {
    w_ns begun;          /* 0: not yet */
    w_ns since;          /* all before is charged; `wait` holds from here on */
    w_ns late_at;        /* from then on it is `late` */
    w_ns quiet_since;    /* nothing was sent or delivered since: `settled` are the sums then */
    w_ns meter[METER_N]; /* the interface's clocks at `since`, with wait.is_below */
    w_ns ns[WEIR_LIMIT_N], settled[WEIR_LIMIT_N];
    w_ns wnd_at;          /* wnd[0] is the largest window since, wnd[1] of the while before */
    w_ns run_since;       /* what had most of each charge was `run` from here on */
    uint32_t news;        /* segments sent and delivered: whether it is still quiet */
    struct tcp_wait wait; /* found at the last look */
    uint32_t wnd[2];
    uint8_t nif, run, late;
};

/* What a trace remembers of a connection. Owned by seen.c. */
struct tcp_seen {
    uint32_t owner;  /* tcb_owner of who was told of last */
    uint8_t ack_why; /* enum weir_why of the ACK that is owed */
};

/* What is remembered of a connection's buffers, with conf.tcp_gauges; by enum tcp_buf. Owned by
 * gauge.c. */
struct tcp_gauges {
    struct gauge of[TCP_BUFS];
};

/* t->st.path */
enum path_flag {
    PF_HELD = 1,         /* T_PERSIST waits for a departure */
    PF_APP_LIMITED = 2,  /* what is sent now goes into a gap that the program left */
    PF_LAST_LIMITED = 4, /* tcp_path.last_Bps was measured over such a gap */
    PF_LOCAL_CUT = 8,    /* a queue here was why cwnd was reduced at cwr_point */
};

/* t->st.ecn: 0 is a connection without ECN [RFC 3168]. */
enum ecn_flag {
    ECNF_OK = 1,      /* negotiated; until SYN-SENT ends: asked for */
    ECNF_ECHO = 2,    /* receiver: each ACK says ECE */
    ECNF_CWR = 4,     /* sender: the next new data says CWR */
    ECNF_REDUCED = 8, /* sender: nothing beyond cwr_point has been acknowledged */
    ECNF_SEEN = 16,   /* the peer's packets are ECN-capable */
    ECNF_ACC = 32,    /* accurate ECN [RFC 9768]; until SYN-SENT ends: asked for */
};

/* Nobody has looked at this connection for a while: its lines are fetched all at once, instead of
 * one after the other as they are needed. */
static inline void tcb_prefetch(const struct tcb *t)
{
    for (size_t at = 0; at < sizeof(struct tcb); at += WEIR_CACHELINE)
        __builtin_prefetch((const uint8_t *)t + at, 1);
}

/* By what its packets name it, so that credit finds it: index and part of the generation. Its timer
 * keeps that; 0: free. */
enum { TCP_OWNER_SHIFT = 24, TCP_INDEX_MASK = (1 << TCP_OWNER_SHIFT) - 1 };
static inline uint32_t tcb_owner(const struct tcb *t) { return t->timer.obj; }
/* Its index in the pool. */
static inline uint32_t tcb_index(const struct tcb *t)
{
    return t->timer.obj & ((1u << TCP_OWNER_SHIFT) - 1);
}

/* A half-open connection of a listener. */
enum { SYN_TS = 1, SYN_SACK = 2, SYN_WSCALE = 4, SYN_ACKED = 8, SYN_ECN = 16, SYN_RTX_MAX = 15 };
struct syn_rec {
    struct flow flow;
    tcp_seq irs, iss;
    uint32_t ts_recent;
    uint32_t sent_us;  /* last SYN-ACK */
    uint32_t lsn : 24; /* the listener's tcb */
    uint32_t acc : 8;  /* enum syn_acc */
    uint16_t mss;      /* peer's */
    uint8_t wscale : 4, rtx : 4;
    uint8_t opts;
};
/* Accurate ECN of a half-open connection [RFC 9768 3.1]; 0: not negotiated. */
enum syn_acc {
    SYN_ACC = 1,
    SYN_ACC_PLAIN = 2, /* a SYN or SYN-ACK without flags was there: nothing may be ECN-capable */
    SYN_ACC_AGAIN = 4, /* the SYN came again */
    SYN_ACC_ECT_SHIFT = 4, /* IP codepoint of the latest SYN */
};
_Static_assert(sizeof(struct syn_rec) == 64, "a half-open connection costs one line");

struct tw_rec {
    struct flow flow;
    tcp_seq rcv_nxt, snd_nxt;
    uint32_t ts_recent, ts_recent_ms;
    uint32_t expire_ms;
    uint16_t rcv_wnd; /* as on the wire, scaled */
    uint8_t has_ts;
    uint8_t ace; /* the three flags of each ACK [RFC 9768 3.2]; 0: no accurate ECN */
};
_Static_assert(sizeof(struct tw_rec) == 64, "TIME-WAIT costs one line");

/* A Fast Open cookie as it is sent or was received. */
enum { FO_NONE = -1 };
struct fo_cookie {
    int8_t len; /* FO_NONE: no option; 0: asks for one */
    bool is_exp;
    uint8_t val[16];
};

/* What is remembered of a server for Fast Open [RFC 7413 4.1.3.1]. */
struct fo_peer {
    struct addr local, remote;
    struct fo_cookie cookie; /* len 0: none yet */
    uint16_t mss;            /* of its last SYN-ACK, 0: not known */
    uint8_t try_exp; /* 0: untried, 1: ask in the experimental shape next, 2: it was tried */
    uint8_t n_drop;  /* SYNs with data lost in a row */
    uint32_t drop_ms, used_ms;
};
_Static_assert(sizeof(struct fo_peer) == 64, "one line per server");

/* Neighbours in a queue by age; one beside each half-open and each TIME-WAIT record. */
struct tcp_links {
    uint32_t next, prev;
};

struct tcp_bucket {
    uint16_t tag[8]; /* 0: free */
    uint32_t idx[8]; /* enum tcp_ref_kind and a pool index */
    uint32_t over;   /* entries that wanted to be here and went on */
    uint32_t unused[3];
};
_Static_assert(sizeof(struct tcp_bucket) == 64, "one line per bucket");

#endif
