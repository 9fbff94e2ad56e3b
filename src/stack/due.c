/* SPDX-License-Identifier: Apache-2.0
 *
 * Time passes: what the wheel says is due goes to the room whose kind it is; and out: packets to
 * the device, credit for those it has sent, and when anybody wants to be called again.
 *
 * Called by the stack's owner through weir_tick, weir_tx, weir_sent, weir_next. Bounded: a tick
 * handles at most TICK_ROUNDS bursts of timers, the rest stays due, and weir_next says so.
 */
#include "stack/stack.h"

#include <weir/limit.h>

enum { TICK_ROUNDS = 64 };

static void due_one(struct weir *w, struct timer *t)
{
    struct pkt *p;
    switch (t->kind) {
    case TK_TCP:
    case TK_TCP_SYN:
    case TK_TCP_TW: tcp_timer(&w->tcp, t); break;
    case TK_NEIGH: neigh_timer(&w->neigh, t); break;
    case TK_REASM:
        p = ip_timer(&w->ip, t);
        if (p != NULL)
            icmp_error(&w->icmp, p);
        break;
    default: WEIR_NEVER_HERE("a timer of no kind");
    }
}

void weir_tick(struct weir *w, weir_ns now)
{
    struct timer *due[STACK_BURST];
    stack_enter(w, now);
    for (int round = 0; round < TICK_ROUNDS; round++) {
        unsigned n = wheel_run(&w->env.wheel, w->env.now, due, STACK_BURST);
        for (unsigned i = 0; i < n; i++)
            due_one(w, due[i]);
        if (n < STACK_BURST)
            break;
    }
    stack_settle(w);
}

unsigned weir_tx(struct weir *w, weir_ns now, unsigned nif, struct pkt **v, unsigned max)
{
    stack_enter(w, now);
    struct nif *out = link_nif(&w->link, nif);
    WEIR_ASSERT(out != NULL);
    unsigned n = link_tx(&w->link, out, v, max);
    for (unsigned i = 0; i < n; i++)
        v[i]->truesize = stack_payload(v[i]);
    return n;
}

void weir_sent(struct weir *w, weir_ns now, struct pkt **v, unsigned n)
{
    stack_enter(w, now);
    for (unsigned i = 0; i < n; i++) {
        struct pkt *p = v[i];
        if (env_traces(&w->env))
            env_trace(&w->env, WEIR_T_SENT, p);
        if (p->owner != 0)
            tcp_sent(&w->tcp, p->owner, p->truesize);
        else if (WEIR_UNLIKELY(p->user != 0))
            udp_sent(&w->udp, p);
        pkt_free(p);
    }
    stack_told(w);
    stack_settle(w);
}

void weir_device_full(struct weir *w, weir_ns now, unsigned nif, bool is_full)
{
    stack_enter(w, now);
    struct nif *out = link_nif(&w->link, nif);
    if (out != NULL)
        link_meter_full(&w->link, out, is_full);
}

weir_ns weir_next(const struct weir *w)
{
    if (tcp_flush_pending(&w->tcp))
        return w->env.now;
    return w_u64_min(wheel_next(&w->env.wheel), link_next(&w->link));
}

unsigned weir_events(struct weir *w, struct weir_event *v, unsigned max)
{
    unsigned n = 0;
    while (n < max) {
        uint32_t bits;
        struct sock *s = sock_event_pop(&w->socks, &bits);
        if (s == NULL)
            break;
        v[n++] = (struct weir_event){sock_handle(&w->socks, s), s->user, bits, 0};
    }
    return n;
}
