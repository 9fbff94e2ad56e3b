/* SPDX-License-Identifier: Apache-2.0
 *
 * Oracles: what must be true of every run, whatever its seed drew.
 *
 * The wire oracle is shown every frame and knows nothing of the stack's insides:
 *   - a sender stays within the window its peer advertised (but for a probe of a closed window)
 *   - a receiver never takes back window it has advertised [RFC 9293 SHLD-14]
 *   - a sender never repeats what it has seen acknowledged
 *   - a segment is answered by at most one RST, and a RST by none [RFC 9293 3.10.7]
 *   - every frame a host makes is well formed: checksums, lengths
 * The byte oracle is load.h's: what arrives is what was sent. The stack's own tcb_check runs
 * inside.
 */
#ifndef WEIR_ORACLE_H
#define WEIR_ORACLE_H

#include "sim/sim.h"

enum { ORACLE_FLOWS = 256, ORACLE_TEXT = 256 };

/* One direction of a connection, as the wire showed it. */
struct oracle_dir {
    uint32_t iss;
    uint32_t edge_out; /* right edge its receiver has announced, as sent */
    uint32_t edge_in;  /* … as it reached the sender */
    uint32_t acked;    /* highest acknowledgement that reached the sender and counted */
    uint32_t later;    /* the same, where what was already queued below may still leave */
    uint32_t ack_sent; /* highest one its receiver has sent */
    uint32_t end_in;   /* highest end of what has reached its receiver … */
    uint32_t taken;   /* … and up to where that may have it without a hole, acknowledged or not */
    uint32_t fin_end; /* with has_fin: after its FIN */
    uint32_t mss;     /* largest MSS that a SYN of its SENDER announced, or the default */
    uint8_t wscale;   /* of the windows its SENDER announces, 0 until both SYNs had the option */
    uint8_t syn_wscale; /* option seen in its SYN, 255: none */
    /* Accurate ECN: marked packets of its sender that arrived, and as many as its receiver has told
     * of; that is the r.cep of RFC 9768, less what it begins with. */
    uint64_t ce_in, ce_told;
    uint64_t later_no; /* of the frame that brought `later`: oracle.n_in; 0: none */
    w_ns syn_at;       /* its SYN-ACK arrived last */
    bool is_acc;       /* its receiver counts, and says so */
    bool has_agreed;   /* its sender, a server, has sent a SYN-ACK that agrees */
    bool has_decided;  /* its receiver, a client, has seen a SYN-ACK */
    bool has_syn, has_edge_out, has_edge_in, has_acked, is_zero;
    bool has_fin, is_last_fin; /* is_last_fin: it had acknowledged the other side's by then */
};

struct oracle_flow {
    struct addr a, b;
    uint16_t a_port, b_port;
    bool is_used;
    struct oracle_dir dir[2]; /* 0: a sends */
};

struct oracle {
    struct oracle_flow flow[ORACLE_FLOWS];
    unsigned n_flow;
    /* RSTs sent by each host since a segment last reached it, and whether that was a RST */
    unsigned rst_since[SIM_HOSTS];
    bool last_was_rst[SIM_HOSTS];
    /* Set by whoever made the host: its segments wait for their departure, so that what leaves may
     * have been acknowledged meanwhile. */
    bool is_paced[SIM_HOSTS];
    /* Set by whoever shows frames, before one that reaches a host: packets wait below its TCP that
     * know nothing of that frame when they leave. */
    bool has_queue[SIM_HOSTS];
    uint64_t n_in[SIM_HOSTS], n_clear[SIM_HOSTS]; /* frames that reached it; the last without */
    uint32_t link_mtu;          /* no IP packet on a link is longer; 0: do not judge */
    w_ns other_at[SIM_HOSTS];   /* last frame that reached it and is not TCP's */
    w_ns arrived_at[SIM_HOSTS]; /* RSTs at another moment have another cause; 0: do not judge */
    uint8_t mac[SIM_HOSTS][6];  /* source of the last frame each host sent */
    uint64_t n_segments, n_rst;
    char violation[ORACLE_TEXT]; /* the first one; empty: none */
    w_ns violated_at;
};

void oracle_init(struct oracle *);
/* A sim_watch; ctx is the oracle. */
void oracle_watch(void *ctx, w_ns now, unsigned host, bool is_out, const uint8_t *frame,
                  uint32_t n);
/* What hosts send from here on is their applications' doing, until the next arrival. */
void oracle_app_turn(struct oracle *);
/* Records a violation, if it is the first. printf's arguments. */
void oracle_fail(struct oracle *, w_ns now, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static inline bool oracle_is_violated(const struct oracle *o) { return o->violation[0] != '\0'; }

#endif
