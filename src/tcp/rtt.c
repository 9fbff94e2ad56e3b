/* SPDX-License-Identifier: Apache-2.0
 *
 * Round-trip time and the retransmission timeout [RFC 6298].
 *
 * Decides: SRTT and RTTVAR after a sample, the RTO from them, its backing off.
 * Owns: t->rtt. Whether a sample may be taken at all (Karn) is sent.c's and ack.c's.
 * Called by ack.c, listen.c, in_open.c with samples; by timer.c for the timeout.
 *
 * Theory of operation (Jacobson 1988). SRTT is kept times 8 and RTTVAR times 4, so that the gains
 * 1/8 and 1/4 are shifts which lose nothing:
 *
 *     RTTVAR = 3/4 RTTVAR + 1/4 |SRTT - R|   with the old SRTT
 *     SRTT   = 7/8 SRTT + 1/8 R
 *     RTO    = SRTT + max(4 RTTVAR, minimum)
 *
 * Invariants: RTO within [minimum, tcp_rto_max_ms] before and after backing off.
 */
#include "tcp/room.h"

void tcp_rtt_init(struct tcp *tcp, struct tcb *t)
{
    memset(&t->rtt, 0, sizeof t->rtt);
    t->rtt.rto_us = tcp->env->conf.tcp_rto_initial_ms * 1000; /* [RFC 6298 2.1 SHLD-1] */
}

/* The least of five minutes, roughly: an old minimum is replaced by what comes. */
static void min_sample(struct tcp *tcp, struct tcb *t, uint32_t us)
{
    uint32_t now = tcp_now_ms(tcp);
    if (t->rtt.min_us == 0 || us <= t->rtt.min_us || now - t->rtt.min_ms > 300000) {
        t->rtt.min_us = us;
        t->rtt.min_ms = now;
    }
}

/* [RFC 8985 6.2 SHLD-5] */
void tcp_rtt_sample(struct tcp *tcp, struct tcb *t, uint32_t us)
{
    const struct weir_conf *c = &tcp->env->conf;
    us = w_u32_min(w_u32_max(us, 1), 300u * 1000000); /* times 8 must fit */
    min_sample(tcp, t, us);
    if (t->rtt.srtt8_us == 0) {
        /* [RFC 6298 2.2 MUST-2] SRTT = R, RTTVAR = R/2 */
        t->rtt.srtt8_us = us << 3;
        t->rtt.rttvar4_us = us << 1;
    } else {
        /* [RFC 6298 2.3 MUST-3, SHLD-2, MUST-4] alpha = 1/8, beta = 1/4, RTTVAR first */
        uint32_t srtt = t->rtt.srtt8_us >> 3;
        uint32_t dev = us > srtt ? us - srtt : srtt - us;
        t->rtt.rttvar4_us += dev - (t->rtt.rttvar4_us >> 2);
        t->rtt.srtt8_us += us - (t->rtt.srtt8_us >> 3);
    }
    /* [RFC 6298 4 MUST-7; 2.5 MAY-1; 2.4 SHLD-3 DEVIATES: the minimum is that of the variance term,
     * 200 ms and not 1 s, as in all current hosts; on paths where 4 RTTVAR is larger it changes
     * nothing] */
    uint64_t rto =
        (uint64_t)(t->rtt.srtt8_us >> 3) + w_u32_max(t->rtt.rttvar4_us, c->tcp_rto_min_us);
    t->rtt.rto_us = (uint32_t)w_u64_min(rto, (uint64_t)c->tcp_rto_max_ms * 1000);
    t->snd.backoff = 0; /* [RFC 6298 5.7] a new sample computes it afresh */
}

void tcp_rtt_raise(struct tcp *tcp, struct tcb *t, uint32_t us)
{
    /* [RFC 4015 3.3] SRTT >= R, RTTVAR >= R/2 */
    const struct weir_conf *c = &tcp->env->conf;
    /* [RFC 4015 3.3 DEVIATES: SRTT at most doubles; when ACKs were lost for minutes the sample is
     * minutes, too, and SRTT would need hundreds of round trips to come down again] */
    us = w_u32_min(us, t->rtt.srtt8_us >> 2);
    t->rtt.srtt8_us = w_u32_max(t->rtt.srtt8_us, us << 3);
    t->rtt.rttvar4_us = w_u32_max(t->rtt.rttvar4_us, us << 1);
    uint64_t rto =
        (uint64_t)(t->rtt.srtt8_us >> 3) + w_u32_max(t->rtt.rttvar4_us, c->tcp_rto_min_us);
    t->rtt.rto_us = (uint32_t)w_u64_min(rto, (uint64_t)c->tcp_rto_max_ms * 1000);
}

/* [RFC 6298 1 MUST-1, 5.5 MUST-9; RFC 9293 3.8.1 MUST-18, 3.8.2 MUST-19] */
w_ns tcp_rto_ns(const struct tcp *tcp, const struct tcb *t)
{
    w_ns max = tcp->env->conf.tcp_rto_max_ms * W_MS;
    unsigned shift = w_u32_min(t->snd.backoff, 20);
    return w_u64_min((w_ns)t->rtt.rto_us * W_US << shift, max);
}
