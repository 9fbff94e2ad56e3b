/* SPDX-License-Identifier: Apache-2.0
 *
 * Datagrams and ICMP errors that arrive.
 *
 * Decides: is the datagram sound [RFC 768, RFC 1122 4.1.3], whose is it, and is there room. A full
 * socket buffer drops and counts, at the socket and for the stack: UDP has no flow control. A
 * broadcast or multicast datagram goes to every socket that matches, a copy each.
 *
 * Called by stack/ for what ip4_input and icmp_input hand on; calls table.c and sock.c. Owns a
 * packet until it is queued or its reason to be dropped is named.
 */
#include "udp/room.h"
#include "wire/wire.h"

#include <errno.h>

static enum next drop(struct udp *u, struct pkt *p, enum drop why, enum env_stat stat)
{
    p->drop = (uint16_t)why;
    env_count(u->env, stat);
    return NEXT_DROP;
}

static bool csum_is_wrong(const struct udp *u, const struct pkt *p, const struct wire_udp *h)
{
    if (h->csum == 0 && addr_is_ip4(&p->flow.remote))
        return false;
    if (p->csum != CSUM_NONE)
        return false;
    uint32_t sum = csum_pseudo(&p->flow.remote, &p->flow.local, PROTO_UDP, h->len);
    return csum_fold(csum_pkt((enum csum_isa)u->env->csum_isa, p, 0, h->len, sum)) != 0;
}

/* Queues p, or says why not. Owns p only when it returns DROP_NONE. */
static enum drop enqueue(struct udp *u, struct udp_sock *s, struct pkt *p)
{
    if ((s->flags & UDP_RCV_SHUT) != 0)
        return DROP_UDP_SHUT;
    p->truesize = pkt_truesize(p);
    /* As Linux: what is there counts, the arriving one may overshoot. */
    if (s->rx_bytes >= s->rx_limit) {
        s->rx_drops++;
        env_count(u->env, STAT_UdpRcvbufErrors);
        return DROP_UDP_FULL;
    }
    s->rx_bytes += p->truesize;
    s->n.rx_dgrams++;
    s->n.rx_bytes += p->len;
    pktq_push(&s->rxq, p);
    env_count(u->env, STAT_UdpInDatagrams);
    udp_wake(u, s);
    return DROP_NONE;
}

/* To everybody who wants it; the packet itself is dropped as "done" when all have their copy. */
static enum next deliver_all(struct udp *u, struct nif *nif, struct pkt *p)
{
    enum drop why = DROP_UDP_NO_PORT;
    struct udp_sock *s = NULL;
    while ((s = udp_table_next(u, p->flow.lport, s)) != NULL) {
        if (!udp_table_matches(s, &p->flow, nif->id))
            continue;
        struct pkt *copy = pkt_copy(&u->env->mem, p);
        why = copy == NULL ? DROP_NOMEM : enqueue(u, s, copy);
        if (why != DROP_NONE && copy != NULL)
            pkt_free(copy);
    }
    if (why != DROP_NONE)
        return drop(u, p, why, STAT_UdpInErrors);
    pkt_free(p);
    return NEXT_DONE;
}

/* Back to where the IP header begins, as icmp_error wants it. */
static enum next port_unreachable(struct udp *u, struct pkt *p)
{
    env_count(u->env, STAT_UdpNoPorts);
    (void)pkt_push(p, (uint32_t)(p->off - p->l3));
    p->drop = DROP_UDP_NO_PORT;
    p->icmp_type = ICMP4T_DEST_UNREACH;
    p->icmp_code = ICMP4C_PORT;
    p->icmp_arg = 0;
    return NEXT_ICMP_ERROR;
}

enum next udp_input(struct udp *u, struct nif *nif, struct pkt *p)
{
    struct wire_udp h;
    /* Only the header must be linear: the length is checked against the whole. */
    enum drop why =
        p->lin < WIRE_UDP_HLEN ? DROP_UDP_SHORT : wire_udp_parse(pkt_data(p), p->len, &h);
    if (why != DROP_NONE)
        return drop(u, p, why, STAT_UdpInErrors);
    if (csum_is_wrong(u, p, &h)) {
        env_count(u->env, STAT_UdpInCsumErrors);
        return drop(u, p, DROP_UDP_CSUM, STAT_UdpInErrors);
    }
    if (h.dport == 0)
        return drop(u, p, DROP_UDP_PORT_ZERO, STAT_UdpInErrors);
    p->flow.lport = h.dport;
    p->flow.rport = h.sport;
    bool is_unicast = ip_addr_kind(u->ip, nif, &p->flow.local) == IP_LOCAL;
    struct udp_sock *s = is_unicast ? udp_table_find(u, &p->flow, nif->id) : NULL;
    if (is_unicast && s == NULL)
        return port_unreachable(u, p);
    pkt_trim(p, h.len);
    p->pay = (uint16_t)(p->off + WIRE_UDP_HLEN);
    pkt_pull(p, WIRE_UDP_HLEN);
    if (!is_unicast)
        return deliver_all(u, nif, p);
    why = enqueue(u, s, p);
    return why == DROP_NONE ? NEXT_DONE : drop(u, p, why, STAT_UdpInErrors);
}

/* Connected sockets learn what ICMP says of their datagrams [RFC 1122 4.1.3.3]; soft errors (a host
 * or network unreachable for now) only where Linux too makes them the next call's answer. */
void udp_error(struct udp *u, const struct icmp_err *err)
{
    struct udp_sock *s = udp_table_find(u, &err->flow, err->nif);
    if (s == NULL)
        s = udp_table_find(u, &err->flow, 0);
    if (s == NULL || err->error == 0)
        return;
    if ((s->flags & UDP_CONNECTED) == 0 || !(err->is_hard || err->is_local))
        return;
    s->error = err->error;
    udp_wake(u, s);
}
