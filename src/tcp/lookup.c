/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding who a segment is for.
 *
 * Decides: which connection, half-open or TIME-WAIT record has a 4-tuple; else which listener.
 * Owns: the connection table, the listeners' hash, the count of connections per local port.
 * Called by in.c, conn.c, listen.c, tw.c; calls nobody.
 *
 * Theory of operation. One table of cache-line buckets with eight places. A place holds 16 bits of
 * the hash (the tag) and an index; so a lookup costs the bucket's line and the object's first line:
 * two dependent misses, whatever the number of connections. A full bucket sends newcomers to the
 * next one and counts them in `over`; a lookup goes on only while that is not zero. The table has
 * at least twice as many places as there can be objects, so adding never fails. The hash is keyed
 * SipHash: a peer cannot aim at one bucket.
 *
 * Invariants: `over` of a bucket is the number of objects that hash there or before and rest
 * beyond; a tag of 0 marks a free place.
 */
#include <errno.h>

#include "tcp/room.h"

static uint16_t tag_of(uint64_t hash)
{
    uint16_t tag = (uint16_t)(hash >> 32);
    return tag != 0 ? tag : 1;
}

static uint32_t pow2_at_least(uint64_t n)
{
    uint64_t v = 16;
    while (v < n)
        v *= 2;
    return (uint32_t)v;
}

void tcp_table_init(struct tcp *tcp, struct arena *a)
{
    const struct weir_conf *c = &tcp->env->conf;
    uint32_t n = pow2_at_least(((uint64_t)c->n_tcb + c->n_syn + c->n_tw) / 4);
    tcp->table_mask = n - 1;
    tcp->table = arena_take(a, n * sizeof(struct tcp_bucket), WEIR_CACHELINE);
    tcp->lsn_mask = 255;
    tcp->lsn_hash = arena_take(a, (tcp->lsn_mask + 1) * sizeof(uint32_t), WEIR_CACHELINE);
    tcp->port_uses = arena_take(a, 65536 * sizeof(uint32_t), WEIR_CACHELINE);
}

static const struct flow *flow_of(const struct tcp *tcp, uint32_t ref)
{
    const struct pool *const pools[] = {&tcp->tcbs, &tcp->syns, &tcp->tws};
    if (WEIR_LIKELY(tcp_ref_kind(ref) == REF_TCB)) {
        const struct tcb *t = tcp_at(tcp, tcp_ref_idx(ref));
        tcb_prefetch(t); /* it is the one, most likely */
        return &t->flow;
    }
    return pool_at(pools[tcp_ref_kind(ref)], tcp_ref_idx(ref));
}

uint32_t tcp_table_find(const struct tcp *tcp, const struct flow *f, uint64_t hash)
{
    uint16_t tag = tag_of(hash);
    uint32_t at = (uint32_t)hash & tcp->table_mask;
    for (uint32_t n = 0; n <= tcp->table_mask; n++) {
        const struct tcp_bucket *b = &tcp->table[at];
        for (unsigned i = 0; i < 8; i++) {
            if (b->tag[i] == tag && flow_eq(flow_of(tcp, b->idx[i]), f))
                return b->idx[i];
        }
        if (WEIR_LIKELY(b->over == 0))
            return 0;
        at = (at + 1) & tcp->table_mask;
    }
    return 0;
}

void tcp_table_add(struct tcp *tcp, uint16_t lport, uint64_t hash, uint32_t ref)
{
    uint32_t at = (uint32_t)hash & tcp->table_mask;
    for (uint32_t n = 0; n <= tcp->table_mask; n++) {
        struct tcp_bucket *b = &tcp->table[at];
        for (unsigned i = 0; i < 8; i++) {
            if (b->tag[i] != 0)
                continue;
            b->tag[i] = tag_of(hash);
            b->idx[i] = ref;
            tcp->port_uses[lport]++;
            return;
        }
        b->over++;
        at = (at + 1) & tcp->table_mask;
    }
    WEIR_NEVER_HERE("the connection table has room for all");
}

/* Where ref rests, starting from its hash; *slot in the bucket returned. */
static struct tcp_bucket *place_of(struct tcp *tcp, uint32_t hash, uint32_t ref, unsigned *slot)
{
    uint32_t at = hash & tcp->table_mask;
    for (uint32_t n = 0; n <= tcp->table_mask; n++) {
        struct tcp_bucket *b = &tcp->table[at];
        for (unsigned i = 0; i < 8; i++) {
            if (b->tag[i] != 0 && b->idx[i] == ref) {
                *slot = i;
                return b;
            }
        }
        WEIR_ASSERT(b->over != 0);
        at = (at + 1) & tcp->table_mask;
    }
    return NULL;
}

void tcp_table_del(struct tcp *tcp, uint16_t lport, uint32_t hash, uint32_t ref)
{
    unsigned slot = 0;
    struct tcp_bucket *b = place_of(tcp, hash, ref, &slot);
    WEIR_ASSERT(b != NULL);
    b->tag[slot] = 0;
    b->idx[slot] = 0;
    uint32_t end = (uint32_t)(b - tcp->table);
    for (uint32_t at = hash & tcp->table_mask; at != end; at = (at + 1) & tcp->table_mask)
        tcp->table[at].over--;
    WEIR_ASSERT(tcp->port_uses[lport] > 0);
    tcp->port_uses[lport]--;
}

void tcp_table_replace(struct tcp *tcp, uint32_t hash, uint32_t from, uint32_t to)
{
    unsigned slot = 0;
    struct tcp_bucket *b = place_of(tcp, hash, from, &slot);
    WEIR_ASSERT(b != NULL);
    b->idx[slot] = to;
}

uint32_t tcp_port_uses(const struct tcp *tcp, uint16_t port) { return tcp->port_uses[port]; }

bool tcp_flow_is_free(const struct tcp *tcp, const struct flow *f)
{
    uint32_t ref = tcp_table_find(tcp, f, tcp_table_hash(tcp, f));
    if (ref == 0)
        return true;
    return tcp_ref_kind(ref) == REF_TW && tcp_tw_is_reusable(tcp, tcp_ref_idx(ref));
}

/* ---- listeners ---- */

/* How well a listener matches: 0 not at all, more is more specific. */
static unsigned lsn_score(const struct tcb *l, const struct flow *f)
{
    if (l->flow.lport != f->lport || (l->flow.nif != 0 && l->flow.nif != f->nif))
        return 0;
    if (addr_eq(&l->flow.local, &f->local))
        return 3;
    if (!addr_is_any(&l->flow.local))
        return 0;
    if (addr_is_ip4(&l->flow.local))
        return addr_is_ip4(&f->local) ? 2 : 0;
    if (addr_is_ip4(&f->local) && (l->flags & TF_V6ONLY) != 0)
        return 0;
    return 1;
}

struct tcb *tcp_lsn_find(const struct tcp *tcp, const struct flow *f, uint64_t hash)
{
    struct tcb *best = NULL;
    unsigned best_score = 0, same = 0;
    uint32_t idx = tcp->lsn_hash[f->lport & tcp->lsn_mask];
    while (idx != 0) {
        struct tcb *l = tcp_at(tcp, idx);
        unsigned score = lsn_score(l, f);
        if (score > best_score) {
            best = l;
            best_score = score;
            same = 1;
        } else if (score != 0 && score == best_score) {
            /* SO_REUSEPORT: each of k equals keeps the flow with probability 1/k, by its hash. */
            same++;
            if ((uint32_t)(hash >> (16 + same % 8)) % same == 0)
                best = l;
        }
        idx = l->lsn.next;
    }
    return best;
}

int tcp_lsn_add(struct tcp *tcp, struct tcb *t)
{
    uint32_t *head = &tcp->lsn_hash[t->flow.lport & tcp->lsn_mask];
    for (uint32_t idx = *head; idx != 0; idx = tcp_at(tcp, idx)->lsn.next) {
        const struct tcb *l = tcp_at(tcp, idx);
        bool shared = (l->flags & t->flags & TF_REUSEPORT) != 0;
        if (l->flow.lport == t->flow.lport && addr_eq(&l->flow.local, &t->flow.local) && !shared)
            return -EADDRINUSE;
    }
    t->lsn.next = *head;
    *head = tcb_index(t);
    tcp->port_uses[t->flow.lport]++;
    return 0;
}

void tcp_lsn_del(struct tcp *tcp, struct tcb *t)
{
    uint32_t me = tcb_index(t);
    uint32_t *at = &tcp->lsn_hash[t->flow.lport & tcp->lsn_mask];
    while (*at != me) {
        WEIR_ASSERT(*at != 0);
        at = &tcp_at(tcp, *at)->lsn.next;
    }
    *at = t->lsn.next;
    tcp->port_uses[t->flow.lport]--;
}
