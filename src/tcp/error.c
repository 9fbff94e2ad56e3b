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
 * flight. While a connection is being opened an error ends the attempt; afterwards it is remembered
 * and told when the connection is given up for other reasons.
 *
 * Invariant: no ICMP error ends a synchronized connection.
 */
#include <errno.h>

#include "icmp/icmp.h"
#include "tcp/room.h"

static bool is_in_flight(const struct tcb *t, tcp_seq seq)
{
    return seq_between(seq, t->snd.una, t->snd.nxt);
}

static void too_big(struct tcp *tcp, struct tcb *t, const struct icmp_err *e)
{
    if (!ip_pmtu_update(tcp->ip, &t->flow.remote, e->mtu, e->sent))
        return;
    uint16_t mss = t->snd.mss;
    if (tcp_conn_route(tcp, t) != 0)
        return;
    if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECEIVED)
        return; /* a SYN is small: the timer repeats it */
    if (t->snd.mss < mss)
        tcp_recover_mtu(tcp, t);
}

static void error_to_tcb(struct tcp *tcp, struct tcb *t, const struct icmp_err *e)
{
    if (!is_in_flight(t, e->seq))
        return;
    if (e->error == EMSGSIZE) {
        too_big(tcp, t, e);
        return;
    }
    if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECEIVED) {
        (void)tcp_done(tcp, t, e->error);
        return;
    }
    t->soft_err = (uint16_t)e->error;
}

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
        if (e->seq == r->iss && e->is_hard)
            tcp_syn_rec_drop(tcp, r);
    }
}
