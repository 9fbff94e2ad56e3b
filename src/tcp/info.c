/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be seen from outside: TCP_INFO of one connection, the rows of `ss` for all.
 *
 * Decides: how our bytes read as Linux's packets (a packet is a full segment, a rest counts as
 * one). Owns: nothing, changes nothing.
 * Called by sock/ and stack/.
 *
 * Invariant: a walk with tcp_row_next shows each object that lives from its beginning to its end
 * exactly once; bounded by the pools' sizes.
 */
#include "tcp/room.h"

static uint32_t segs(const struct tcb *t, uint32_t bytes)
{
    return (bytes + t->snd.mss - 1) / t->snd.mss;
}

static void info_listen(const struct tcb *t, struct weir_tcp_info *i)
{
    i->unacked = t->lsn.n_accept;
    i->sacked = t->lsn.backlog;
}

/* A connection that is not paced shows, as in Linux, the rate at which it would be: 2 or 1.2 times
 * cwnd in a round trip. Its delivery rate is not measured. */
static void info_rate(const struct tcp *tcp, const struct tcb *t, struct weir_tcp_info *i)
{
    const struct tcp_path *r = tcp_path_of(tcp, t);
    uint32_t srtt = w_u32_max(t->rtt.srtt8_us >> 3, 1);
    uint32_t percent = t->cc.cwnd < t->cc.ssthresh / 2 ? 200 : 120;
    i->pacing_rate = (uint64_t)t->cc.cwnd * percent * 10000 / srtt;
    i->max_pacing_rate = r->max_Bps != 0 ? r->max_Bps : UINT64_MAX;
    if (!tcp_is_paced(t))
        return;
    i->pacing_rate = tcp_pace_Bps(tcp, t);
    i->delivery_rate = r->last_Bps;
    i->app_limit = (t->st.path & PF_LAST_LIMITED) != 0;
}

static void info_send(const struct tcp *tcp, const struct tcb *t, struct weir_tcp_info *i)
{
    i->rto = (uint32_t)(tcp_rto_ns(tcp, t) / W_US);
    i->snd_mss = t->snd.mss;
    i->unacked = segs(t, t->snd.nxt - t->snd.una);
    i->sacked = segs(t, t->snd.sacked);
    i->lost = segs(t, t->snd.lost);
    i->retrans = segs(t, t->snd.rtx);
    i->pmtu = t->dst.mtu;
    i->rtt = t->rtt.srtt8_us >> 3;
    i->rttvar = t->rtt.rttvar4_us >> 2;
    i->min_rtt = t->rtt.min_us != 0 ? t->rtt.min_us : UINT32_MAX;
    i->snd_ssthresh =
        t->cc.ssthresh == CC_SSTHRESH_INF ? CC_SSTHRESH_INF : t->cc.ssthresh / t->cc.mss;
    i->snd_cwnd = t->cc.cwnd / t->cc.mss;
    i->reordering = t->rec.reordering;
    i->reord_seen = t->rec.reord_seen;
    i->retransmits = t->snd.n_rto;
    i->probes = (uint8_t)w_u32_max(t->n_probe, t->keep_probes);
    i->backoff = t->snd.backoff;
    i->total_retrans = t->st.n_rtx;
    i->notsent_bytes = tcp_outq_nsd(t);
    info_rate(tcp, t, i);
    i->bytes_acked = t->st.bytes_acked;
    i->bytes_sent = t->st.bytes_out;
    i->bytes_retrans = t->st.bytes_rtx;
    i->segs_out = t->st.segs_out;
    i->data_segs_out = t->st.data_out;
    i->delivered = t->st.delivered;
    i->dsack_dups = t->st.n_dsack;
    i->snd_wnd = t->snd.wnd;
}

static void info_receive(const struct tcp *tcp, const struct tcb *t, struct weir_tcp_info *i)
{
    uint32_t now = tcp_now_ms(tcp);
    i->ato = t->rcv.ato_us;
    i->rcv_mss = t->rcv.mss;
    i->advmss = t->rcv.advmss;
    i->rcv_ssthresh = t->rcv.ssthresh;
    i->rcv_rtt = t->drs.rtt_us;
    i->rcv_space = t->drs.space;
    i->rcv_wnd = t->rcv.wnd;
    i->bytes_received = t->st.bytes_in;
    i->segs_in = t->st.segs_in;
    i->data_segs_in = t->st.data_in;
    i->rcv_ooopack = t->st.n_ooo;
    i->last_data_sent = t->sndq.sent_ms != 0 ? now - t->sndq.sent_ms : 0;
    i->last_data_recv = now - t->rcv.data_ms;
    i->last_ack_recv = now - t->st.ack_ms;
}

void tcp_info_get(const struct tcp *tcp, const struct tcb *t, struct weir_tcp_info *i)
{
    memset(i, 0, sizeof *i);
    i->state = t->state;
    if (t->state == TCPS_LISTEN) {
        info_listen(t, i);
        return;
    }
    bool is_cwr = t->ca_state < CA_CWR && t->st.ecn != 0 && tcp_ecn_has_reduced(tcp, t);
    i->ca_state = is_cwr ? CA_CWR : t->ca_state;
    i->options =
        (uint8_t)(((t->flags & TF_TS) != 0 ? 1 : 0) | ((t->flags & TF_SACK) != 0 ? 2 : 0) |
                  ((t->flags & TF_WSCALE) != 0 ? 4 : 0) | ((t->st.ecn & ECNF_OK) != 0 ? 8 : 0) |
                  ((t->st.ecn & ECNF_SEEN) != 0 ? 16 : 0) | ((t->fo & FO_DATA) != 0 ? 32 : 0));
    i->delivered_ce = tcp_path_of(tcp, t)->n_ce;
    if (tcp_is_acc(t))
        tcp_acc_info(tcp, t, i);
    i->wscale = (uint8_t)(t->snd.wscale | t->rcv.wscale << 4);
    info_send(tcp, t, i);
    tcp_chrono_get(tcp, t, i);
    info_receive(tcp, t, i);
}

size_t tcp_cc_info(const struct tcb *t, union cc_info *info)
{
    size_t n = cc_info(&t->cc, info);
    if (cc_at(t->cc.kind)->wants_ecn != 0) {
        /* As Linux: without ECN it is Reno, and says that it is not enabled. */
        if ((t->st.ecn & ECNF_OK) == 0)
            *info = (union cc_info){0};
        else
            info->dctcp.ce_state = (t->st.ecn & ECNF_ECHO) != 0;
    }
    return n;
}

static bool row_tcb(const struct tcp *tcp, uint32_t idx, struct tcp_row *row)
{
    const struct tcb *t = tcp_at(tcp, idx);
    bool is_listen = t->state == TCPS_LISTEN;
    *row = (struct tcp_row){
        .flow = t->flow, .t = t, .state = (enum tcp_state)t->state, .sock = t->sock};
    row->rcvq_bytes = is_listen ? t->lsn.n_accept : tcp_rcvq_bytes(t);
    row->sndq_bytes = is_listen ? t->lsn.backlog : tcp_outq(t);
    return t->state != TCPS_CLOSED;
}

/* The cursor counts through the three pools, one after the other. */
bool tcp_row_next(const struct tcp *tcp, uint64_t *cursor, struct tcp_row *row)
{
    uint64_t n_tcb = tcp->tcbs.cap, n_syn = tcp->syns.cap, n_tw = tcp->tws.cap;
    while (*cursor < n_tcb + n_syn + n_tw) {
        uint64_t at = (*cursor)++;
        if (at < n_tcb) {
            if (pool_is_live(&tcp->tcbs, (uint32_t)at + 1) && row_tcb(tcp, (uint32_t)at + 1, row))
                return true;
            continue;
        }
        bool is_syn = at < n_tcb + n_syn;
        const struct pool *p = is_syn ? &tcp->syns : &tcp->tws;
        uint32_t idx = (uint32_t)(at - n_tcb - (is_syn ? 0 : n_syn)) + 1;
        if (!pool_is_live(p, idx))
            continue;
        *row = (struct tcp_row){.flow = *(const struct flow *)pool_at(p, idx),
                                .state = is_syn ? TCPS_SYN_RECEIVED : TCPS_TIME_WAIT};
        return true;
    }
    return false;
}
