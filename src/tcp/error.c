/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMP errors about our segments.
 *
 * Decides: whether an error is believed [RFC 5927 4], whether it ends the connection [RFC 1122
 * 4.2.3.9, RFC 5461], how the path MTU is taken [RFC 1191 6.4, RFC 9293 3.7.2].
 * Owns: t->soft_err.
 * Called by stack/ with what icmp/ read; calls ip/ for the path MTU, recover.c to send again.
 *
 * Anybody can send an ICMP error. It is believed only when the sequence number it quotes is in
 * flight. While a connection is being opened a hard error ends the attempt, and so does what this
 * host itself finds out (a next hop that does not answer). A soft one is remembered, like all
 * errors afterwards, and told when the connection is given up for other reasons; tcp_soft_abort
 * lets it end an attempt, too, as in Linux [RFC 5461 4.1].
 *
 * Invariant: no ICMP error ends a synchronized connection.
 */
#include <errno.h>

#include "icmp/icmp.h"
#include "tcp/room.h"

static bool is_in_flight(const struct tcb *t, tcp_seq seq)
{
    if (t->state == TCPS_SYN_SENT)
        return seq == t->sndq.iss && (t->fo & FO_DEFERRED) == 0;
    return seq_between(seq, t->snd.una, t->snd.nxt);
}

/* Linux's table, but for parameter problems, which are soft [RFC 9293 3.9.2.2 MUST-56]. */
static bool is_hard(const struct icmp_err *e) { return e->is_hard && e->error != EPROTO; }

/* [RFC 7323 5.7 MUST-25; RFC 1191 6.4 MUST-10] */
static void too_big(struct tcp *tcp, struct tcb *t, const struct icmp_err *e)
{
    if (!ip_pmtu_update(tcp->ip, &t->flow.remote, e->mtu, e->sent))
        return;
    uint16_t mss = t->snd.mss;
    if (tcp_conn_route(tcp, t) != 0)
        return;
    if (t->state == TCPS_SYN_SENT && tcp_fo_syn_bytes(t) != 0 && (t->flags & TF_SYN_RTX) == 0) {
        /* Its data was too much: at once without, as a path that is known now. */
        t->flags |= TF_SYN_RTX;
        t->rcv.advmss = (uint16_t)tcp_advmss(tcp, t, &t->dst, &t->flow);
        tcp_count(tcp, STAT_TCPSynRetrans);
        t->st.n_rtx++;
        (void)tcp_seg_syn(tcp, t, false);
        return;
    }
    if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECEIVED)
        return; /* a SYN is small: the timer repeats it */
    bool is_probe = t->rec.mtup != 0 && tcp_mtup_too_big(tcp, t);
    if (t->snd.mss < mss)
        tcp_recover_mtu(tcp, t);
    else if (is_probe)
        tcp_recover_probe(tcp, t); /* [RFC 4821 7.6.2] at once, not when SACKs show it */
}

static void error_to_tcb(struct tcp *tcp, struct tcb *t, const struct icmp_err *e)
{
    if (!is_in_flight(t, e->seq))
        return;
    if (e->error == EMSGSIZE) {
        too_big(tcp, t, e);
        return;
    }
    bool is_opening = t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECEIVED;
    bool is_watched = (t->flags & TF_WATCH) != 0;
    if (is_opening && is_watched)
        tcp_watch_icmp(tcp, t, e);
    /* A fast child is in use already: what this host finds out about the path may pass. */
    bool is_final =
        is_hard(e) || (e->is_local && !tcp_fo_is_open(t)) || tcp->env->conf.tcp_soft_abort != 0;
    if (is_opening && is_final) {
        (void)tcp_done(tcp, t, e->error);
        return;
    }
    /* [RFC 9293 3.9.2.2 MUST-56, SHLD-25] for take_error, and for the day it is given up. [RFC 9293
     * 3.9.2.2 SHLD-26 DEVIATES: a hard error does not end a synchronized connection either: anybody
     * can send one, and TCP itself finds out (RFC 5927 5.2)] */
    t->soft_err = (uint16_t)e->error;
    /* [RFC 6069 4.2 (1) - (3)] about the segment whose repetition goes unanswered */
    if ((e->error == EHOSTUNREACH || e->error == ENETUNREACH) && e->seq == t->snd.una &&
        !e->is_local)
        tcp_rto_revert(tcp, t);
    bool is_ip4 = addr_is_ip4(&t->flow.remote);
    if (!is_opening && (t->opt.ip & (is_ip4 ? OPT_IP_RECVERR : OPT_IP_RECVERR6)) != 0) {
        /* Linux's IP_RECVERR of a stream: the program hears of it, the connection lives on. */
        t->err = (uint16_t)e->error;
        tcp_event(tcp, t, TCP_EV_ERR | TCP_EV_IN | TCP_EV_OUT);
    }
}

/* [RFC 9293 3.9.2.2 MUST-54] */
void tcp_error(struct tcp *tcp, const struct icmp_err *e)
{
    struct flow f = e->flow;
    f.proto = PROTO_TCP;
    uint32_t ref = tcp_table_find(tcp, &f, tcp_table_hash(tcp, &f));
    if (ref == 0)
        return;
    uint32_t idx = tcp_ref_idx(ref);
    if (tcp_ref_kind(ref) == REF_TCB) {
        error_to_tcb(tcp, tcp_at(tcp, idx), e);
    } else if (tcp_ref_kind(ref) == REF_SYN) {
        struct syn_rec *r = pool_at(&tcp->syns, idx);
        if (e->seq == r->iss &&
            (is_hard(e) || (tcp->env->conf.tcp_soft_abort != 0 && e->error != EMSGSIZE)))
            tcp_syn_rec_drop(tcp, r);
    }
}
