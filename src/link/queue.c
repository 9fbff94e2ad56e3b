/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue before the device: nothing leaves before its departure time, and what leaves next is
 * its discipline's to say.
 *
 * Owns the packets in it. Called by eth_output, link_tx and link_set_…; calls aqm/.
 *
 * Theory of operation. There is a short way and a long one. With the discipline fifo, nothing
 * waiting for its time, and room, a packet goes to `ready` and out again (queue.h): fast_limit says
 * so, and is 0 whenever any of it is not true. The long way:
 *
 *   push ─► [later: a heap by time] ─► [ready: fifo | aqm: any other discipline] ─► pop
 *
 * A packet without a departure time, or with one that has come, passes the heap by; fq keeps the
 * times itself, per flow. So a paced connection never holds up the others, and two packets of one
 * connection with rising times never change places.
 *
 * When it is full. From `soft` on, seven eighths of the limit, TCP is told to keep what it has
 * (link_is_full), and loses nothing; the rest is for what cannot wait: ARP, ICMP, datagrams,
 * answers to unknown segments. At the limit the queue refuses, by name, unless its discipline makes
 * room. A discipline that would drop a packet of our own TCP has it delivered instead and its
 * connection told (link_told_pop): ARCHITECTURE.md, law 6.
 *
 * Invariants: at each push q_len <= limit afterwards; n_other = n_later + aqm.n; one of ready and
 * aqm is empty; the heap property of `later`; bit id of link->full is set exactly while full_since
 * is.
 */
#include "link/queue.h"
#include "wire/eth.h"
#include "wire/flow.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#include <errno.h>

void q_init(struct qdisc *q, struct qdisc_later *later, struct aqm_mem mem)
{
    *q = (struct qdisc){.later = later, .cap_later = LINK_TXQ_MAX};
    aqm_init(&q->aqm, mem);
}

/* ---- the heap of what may not leave yet ---- */

static bool is_before(const struct qdisc_later *a, const struct qdisc_later *b)
{
    if (a->when != b->when)
        return a->when < b->when;
    return (int32_t)(a->order - b->order) < 0;
}

static void heap_insert(struct qdisc *q, struct pkt *p)
{
    WEIR_ASSERT(q->n_later < q->cap_later);
    struct qdisc_later e = {.when = p->when, .p = p, .order = q->order++};
    uint32_t i = q->n_later++;
    while (i > 0 && is_before(&e, &q->later[(i - 1) / 2])) {
        q->later[i] = q->later[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    q->later[i] = e;
}

static struct pkt *heap_take(struct qdisc *q)
{
    WEIR_ASSERT(q->n_later > 0);
    struct pkt *p = q->later[0].p;
    struct qdisc_later e = q->later[--q->n_later];
    uint32_t i = 0;
    for (uint32_t c = 1; c < q->n_later; c = 2 * i + 1) {
        if (c + 1 < q->n_later && is_before(&q->later[c + 1], &q->later[c]))
            c++;
        if (!is_before(&q->later[c], &e))
            break;
        q->later[i] = q->later[c];
        i = c;
    }
    q->later[i] = e;
    return p;
}

/* ---- bookkeeping of the long way ---- */

/* After every step on the long way: sums, whether TCP has to wait, which way is open. */
static void settle(struct link *l, struct nif *nif)
{
    struct qdisc *q = &nif->q;
    uint32_t bit = 1u << nif->id;
    q->n_other = q->n_later + q->aqm.n;
    q->high_water = w_u32_max(q->high_water, q_len(q));
    bool is_full = q_len(q) >= q->soft;
    if (is_full && q->full_since == 0) {
        q->full_since = w_u64_max(l->env->now, 1);
        q->n_full++;
        l->full |= bit;
    } else if (!is_full && q->full_since != 0) {
        q->full_ns += l->env->now - w_u64_min(q->full_since, l->env->now);
        q->full_since = 0;
        l->full &= ~bit;
    }
    bool is_short = q->aqm.conf.kind == AQM_FIFO && q->n_other == 0 && !is_full;
    /* One less than soft: the push that fills it has to be seen. */
    q->fast_limit = is_short ? q->soft - 1 : 0;
}

void q_settle(struct link *l, struct nif *nif)
{
    struct qdisc *q = &nif->q;
    q->soft = q->limit <= 1 ? q->limit : q->limit - w_u32_max(q->limit / 8, 1);
    settle(l, nif);
}

/* What the discipline dropped, after all. */
static void bury(struct link *l, struct nif *nif)
{
    struct pkt *p;
    while ((p = aqm_dead(&nif->q.aqm)) != NULL) {
        nif->q.drops++;
        nif->n.tx_dropped++;
        (void)env_drop(l->env, p, (enum drop)p->drop);
    }
}

/* [RFC 3168 5] The mark that the discipline has set in p->ecn, in the header. */
static void mark(struct pkt *p)
{
    uint8_t *ip = pkt_at(p, p->l3);
    if (ip[0] >> 4 == 6)
        wire_ip6_set_ecn(ip, ECN_CE);
    else
        wire_ip4_set_ecn(ip, ECN_CE);
}

static void tell(struct link *l, const struct pkt *p)
{
    if (p->owner != 0 && l->n_told < LINK_TOLD)
        l->told[l->n_told++] = p->owner;
}

/* What the discipline said of p, to whom it concerns. */
static void heed(struct link *l, struct nif *nif, struct pkt *p)
{
    if (nif->q.aqm.said == AQM_MARKED)
        mark(p);
    else if (nif->q.aqm.said == AQM_TELL)
        tell(l, p);
}

/* What disciplines read: which flow, how urgent, whose. */
static void describe(struct link *l, const struct nif *nif, struct pkt *p)
{
    struct wire_flow f = {0};
    uint32_t before = (uint32_t)(p->l3 - p->off);
    uint16_t type = (nif->flags & NIF_L3) != 0 ? 0 : w_be16(pkt_data(p) + 12);
    bool is_ip = type == 0 || type == ETYPE_IP4 || type == ETYPE_IP6;
    if (!is_ip || p->l3 < p->off || !wire_flow_of(pkt_at(p, p->l3), p->lin - before, &f))
        p->ecn = 0; /* ARP, and tests: a flow of its own, never marked */
    bool is_ours = p->origin != LINK_FORWARDED && (!is_ip || f.proto == PROTO_TCP);
    p->hash = (uint32_t)hash_sip13(&l->env->key_flow, f.key, f.n);
    p->tos = f.tos;
    p->tflags = is_ours ? AQM_KEEP : 0;
}

/* ---- in and out ---- */

static void to_discipline(struct link *l, struct nif *nif, struct pkt *p)
{
    struct qdisc *q = &nif->q;
    if (q->aqm.conf.kind == AQM_FIFO) {
        pktq_push(&q->ready, p);
        return;
    }
    aqm_enter(&q->aqm, l->env->now, p);
    heed(l, nif, p);
}

static void mature(struct link *l, struct nif *nif)
{
    struct qdisc *q = &nif->q;
    while (q->n_later > 0 && q->later[0].when <= l->env->now)
        to_discipline(l, nif, heap_take(q));
}

static enum drop push(struct link *l, struct nif *nif, struct pkt *p)
{
    struct qdisc *q = &nif->q;
    w_ns now = l->env->now;
    bool keeps_times = q->aqm.conf.kind == AQM_FQ;
    if (p->when > w_ns_add(now, Q_HORIZON_S * W_S))
        return DROP_QDISC_HORIZON;
    mature(l, nif);
    if (q->aqm.conf.kind == AQM_FIFO || (p->when > now && !keeps_times)) {
        if (q_len(q) >= q->limit)
            return DROP_QDISC_FULL;
        if (q->aqm.conf.kind != AQM_FIFO)
            describe(l, nif, p);
        if (p->when > now)
            heap_insert(q, p);
        else
            pktq_push(&q->ready, p);
        return DROP_NONE;
    }
    describe(l, nif, p);
    /* What waits for its time has its place in the queue already. */
    q->aqm.conf.limit = q->limit > q->n_later ? q->limit - q->n_later : 0;
    enum drop why = aqm_push(&q->aqm, now, p);
    if (why == DROP_NONE)
        heed(l, nif, p);
    bury(l, nif);
    return why;
}

enum drop q_push_other(struct link *l, struct nif *nif, struct pkt *p)
{
    enum drop why = push(l, nif, p);
    if (why == DROP_NONE)
        nif->q.enqueued++;
    else
        nif->q.drops++;
    settle(l, nif);
    return why;
}

struct pkt *q_pop_other(struct link *l, struct nif *nif)
{
    struct qdisc *q = &nif->q;
    mature(l, nif);
    struct pkt *p = pktq_pop(&q->ready);
    if (p == NULL) {
        p = aqm_pop(&q->aqm, l->env->now);
        if (p != NULL)
            heed(l, nif, p);
        bury(l, nif);
    }
    settle(l, nif);
    return p;
}

struct pkt *q_pop_any(struct link *l, struct nif *nif)
{
    struct qdisc *q = &nif->q;
    struct pkt *p = pktq_pop(&q->ready);
    if (p == NULL)
        p = aqm_drain(&q->aqm);
    if (p == NULL && q->n_later > 0)
        p = heap_take(q);
    settle(l, nif);
    return p;
}

w_ns q_next_other(const struct link *l, const struct nif *nif)
{
    const struct qdisc *q = &nif->q;
    w_ns at = q->n_later > 0 ? q->later[0].when : W_NEVER;
    return w_u64_min(at, aqm_next(&q->aqm, l->env->now));
}

void link_seen(struct link *l, const struct nif *nif, enum weir_trace_kind kind,
               const struct pkt *p)
{
    struct weir_trace *r = env_trace(l->env, kind, p);
    r->nif = nif->id;
    r->used = q_len(&nif->q);
    r->max = nif->q.limit;
}

/* ---- settings ---- */

static void take_again(struct link *l, struct nif *nif, struct pkt *p)
{
    struct qdisc *q = &nif->q;
    if (q->aqm.conf.kind != AQM_FIFO)
        describe(l, nif, p);
    if (p->when > l->env->now && q->aqm.conf.kind != AQM_FQ && q->n_later < q->cap_later)
        heap_insert(q, p);
    else
        to_discipline(l, nif, p);
}

int link_set_qdisc(struct link *l, struct nif *nif, const struct aqm_conf *conf)
{
    struct qdisc *q = &nif->q;
    struct aqm_conf c = *conf;
    struct pktq moving = {0};
    struct pkt *p;
    c.limit = c.limit != 0 ? c.limit : q->limit;
    c.frame_bytes = nif->mtu + WIRE_ETH_HLEN;
    if (c.limit > LINK_TXQ_MAX)
        return -EINVAL;
    int r = aqm_check(&q->aqm, &c);
    if (r != 0)
        return r;
    bool moves = c.kind != q->aqm.conf.kind;
    while (moves && (p = q_pop_any(l, nif)) != NULL)
        pktq_push(&moving, p);
    r = aqm_set(&q->aqm, &c, l->env->now);
    WEIR_ASSERT(r == 0);
    while ((p = pktq_pop(&moving)) != NULL)
        take_again(l, nif, p);
    q->limit = c.limit;
    q_settle(l, nif);
    return 0;
}

int link_set_txqueuelen(struct link *l, struct nif *nif, uint32_t packets)
{
    if (packets > LINK_TXQ_MAX)
        return -EINVAL;
    nif->q.limit = packets;
    q_settle(l, nif);
    return 0;
}

void link_queue_info(const struct link *l, const struct nif *nif, struct nif_queue_info *out)
{
    const struct qdisc *q = &nif->q;
    const struct aqm_counts *n = &q->aqm.count;
    *out = (struct nif_queue_info){.conf = q->aqm.conf,
                                   .packets = q_len(q),
                                   .high_water = q->high_water,
                                   .bytes = q->ready.bytes + q->aqm.bytes,
                                   .enqueued = q->enqueued,
                                   .drops = q->drops,
                                   .marked = n->marked,
                                   .told = n->told,
                                   .n_full = q->n_full,
                                   .full_ns = q->full_ns};
    out->conf.limit = q->limit;
    if (q->full_since != 0)
        out->full_ns += l->env->now - w_u64_min(q->full_since, l->env->now);
    for (uint32_t i = 0; i < q->n_later; i++)
        out->bytes += q->later[i].p->len;
}
