/* SPDX-License-Identifier: Apache-2.0
 *
 * The composition: one stack, every room's state in it. The only room that knows several others;
 * all it does is pass packets from one to the next by what they return.
 *
 * The public face is <weir/weir.h>; this header is for rooms above that belong to the same program
 * (run/, sim/, drill/) and need the packet memory or the settings.
 */
#ifndef WEIR_STACK_H
#define WEIR_STACK_H

#include "icmp/icmp.h"
#include "ip/ip.h"
#include "link/link.h"
#include "neigh/neigh.h"
#include "sock/sock.h"
#include "tcp/tcp.h"
#include "udp/udp.h"

#include <weir/weir.h>

struct weir {
    struct env env;
    struct link link;
    struct neigh neigh;
    struct ip ip;
    struct icmp icmp;
    struct udp udp;
    struct tcp tcp;
    struct socks socks;
    uint8_t lo;      /* the loopback interface */
    uint16_t probes; /* interfaces whose addresses are asked about first: bit per id */
};

enum { STACK_BURST = 64, STACK_LOOP_ROUNDS = 64 };

/* Sets the time of this call; it never goes back. */
static inline void stack_enter(struct weir *w, w_ns now)
{
    if (now > w->env.now)
        w->env.now = now;
}
/* Bytes behind the transport header of a packet to be sent, which its owner gets credit for. */
static inline uint32_t stack_payload(const struct pkt *p)
{
    return p->owner == 0 ? 0 : p->len - (uint32_t)(p->pay - p->off);
}
/* Connections whose packets waited too long in a queue here, when those have left, slow down. */
static inline void stack_told(struct weir *w)
{
    uint32_t owner;
    while (WEIR_UNLIKELY((owner = link_told_pop(&w->link)) != 0))
        tcp_congested(&w->tcp, owner);
}
/* The packet memory devices receive into. */
struct pktmem *stack_mem(struct weir *);
/* Where its devices may write what they do; NULL: it does not trace. */
struct trace *stack_trace(struct weir *);

/* rx.c: a burst that arrived on nif, through all rooms. */
void stack_rx(struct weir *, struct nif *, struct pkt **v, unsigned n);
/* rx.c: what the burst left to do: TCP's answers, loopback, neighbours that failed. */
void stack_settle(struct weir *);

#endif
