/* SPDX-License-Identifier: Apache-2.0
 *
 * Fragments of both families put together again [RFC 791 3.2, RFC 1122 3.3.2, RFC 8200 4.5], on the
 * defensive.
 *
 * Decides which fragments are held, for how long, and which are refused:
 *
 *     overlap        the whole datagram is refused, what still comes of it too [RFC 5722 4, there
 *                    for IPv6, here for both]; an exact repetition of a fragment only itself
 *     tiny           a first fragment without its whole transport header, and a TCP fragment at
 *                    offset 8, are refused [RFC 1858 3.2, RFC 3128 3]
 *     memory         ipfrag_high_thresh in all, by true size: the oldest datagram gives way
 *     count          n_reasm datagrams: the oldest gives way; ipfrag_max_dist a source (by hash);
 *                    REASM_FRAGS fragments a datagram
 *     time           ipfrag_time_ms (ip6_frag_time_ms) from the first that came, then what there is
 *                    goes, and its sender is told if the first fragment is there [RFC 792 "Time
 *                    Exceeded", RFC 8200 4.5]
 *
 * Called by in4.c, in6.c and ip.c; calls the wheel. Owns the fragments it holds, their IP headers
 * still in front. Invariants: the list of a datagram is in order of offset and free of overlap;
 * `mem` is the sum of the true sizes of all that is held; a refused datagram holds nothing but its
 * name. Tiny first fragments are refused by the callers, who know the family's headers.
 */
#include "ip/parts.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"

#include "base/list.h"

enum {
    REASM_FRAGS = 128, /* 65535 bytes at an MTU of 552 are 124 */
    REASM_SOURCES = 256,
};

struct reasm_key {
    struct addr src, dst;
    uint32_t id;
    uint8_t proto, zero[3]; /* no padding: it is hashed and compared as bytes */
};
_Static_assert(sizeof(struct reasm_key) == 40, "reasm_key");

struct reasm_entry {
    struct reasm_key key;
    uint32_t chain;       /* next in the bucket, 0: end */
    uint32_t have, total; /* payload bytes; total 0: the last fragment is not here */
    uint32_t mem;
    uint16_t n;       /* fragments held */
    uint8_t ecn_seen; /* bit per codepoint */
    bool is_refused;
    uint8_t source; /* slot of its source's count */
    struct pkt
        *first; /* by offset, linked by ->next; p->seq: offset, p->end_seq: its end; p->l4: its
                          bytes; p->pay, IPv6: the next-header field that says Fragment */
    struct list age;
    struct timer timer;
};

struct ip_reasm {
    struct pool pool;
    uint32_t *bucket, bucket_mask;
    struct list oldest; /* of entries, by arrival of their first fragment */
    uint32_t mem;
    uint16_t per_source[REASM_SOURCES];
};

void reasm_init(struct ip *ip, struct arena *a)
{
    uint32_t n = ip->env->conf.n_reasm, buckets = 8;
    while (buckets < n)
        buckets *= 2;
    struct pool pool = {0};
    ip->reasm = arena_take(a, sizeof(struct ip_reasm), WEIR_CACHELINE);
    pool_init(&pool, a, n, sizeof(struct reasm_entry), WEIR_CACHELINE);
    uint32_t *bucket = arena_take(a, buckets * sizeof *bucket, WEIR_CACHELINE);
    if (ip->reasm == NULL)
        return;
    *ip->reasm = (struct ip_reasm){.pool = pool, .bucket = bucket, .bucket_mask = buckets - 1};
    list_init(&ip->reasm->oldest);
}

static bool key_is_ip6(const struct reasm_key *k) { return !addr_is_ip4(&k->dst); }

/* A counter of the family the datagram is of. */
static void count(struct ip *ip, const struct reasm_key *k, enum env_stat ip4, enum env_stat ip6)
{
    env_count(ip->env, key_is_ip6(k) ? ip6 : ip4);
}

static uint32_t *bucket_of(const struct ip *ip, const struct reasm_key *k)
{
    uint64_t h = hash_sip13(&ip->env->key_misc, k, sizeof *k);
    return &ip->reasm->bucket[h & ip->reasm->bucket_mask];
}

static struct reasm_entry *entry_at(const struct ip *ip, uint32_t idx)
{
    return pool_at(&ip->reasm->pool, idx);
}

static struct reasm_entry *entry_find(const struct ip *ip, const struct reasm_key *k)
{
    for (uint32_t i = *bucket_of(ip, k); i != 0;) {
        struct reasm_entry *e = entry_at(ip, i);
        if (memcmp(&e->key, k, sizeof *k) == 0)
            return e;
        i = e->chain;
    }
    return NULL;
}

/* What it holds goes, counted under why; the entry stays. */
static void entry_empty(struct ip *ip, struct reasm_entry *e, enum drop why)
{
    struct pkt *p = e->first;
    e->first = NULL;
    while (p != NULL) {
        struct pkt *next = p->next;
        (void)env_drop(ip->env, p, why);
        p = next;
    }
    ip->reasm->mem -= e->mem;
    e->mem = 0;
    e->n = 0;
}

static void entry_free(struct ip *ip, struct reasm_entry *e, enum drop why)
{
    uint32_t idx = pool_index(&ip->reasm->pool, e), *at = bucket_of(ip, &e->key);
    entry_empty(ip, e, why);
    while (*at != idx) {
        WEIR_ASSERT(*at != 0);
        at = &entry_at(ip, *at)->chain;
    }
    *at = e->chain;
    ip->reasm->per_source[e->source]--;
    list_remove(&e->age);
    wheel_del(&ip->env->wheel, &e->timer);
    pool_give(&ip->reasm->pool, idx);
}

/* The oldest datagram but `spare` gives way. False: there is none. */
static bool oldest_goes(struct ip *ip, const struct reasm_entry *spare)
{
    struct list *l = ip->reasm->oldest.next;
    if (l != &ip->reasm->oldest && spare != NULL && l == &spare->age)
        l = l->next;
    if (l == &ip->reasm->oldest)
        return false;
    struct reasm_entry *e = WEIR_CONTAINER(l, struct reasm_entry, age);
    count(ip, &e->key, STAT_IpReasmFails, STAT_Ip6ReasmFails);
    entry_free(ip, e, DROP_FRAG_LIMIT);
    return true;
}

/* NULL: its source has too many already. */
static struct reasm_entry *entry_new(struct ip *ip, const struct reasm_key *k)
{
    struct ip_reasm *r = ip->reasm;
    uint64_t h = hash_sip13(&ip->env->key_misc, k->src.b, sizeof k->src.b);
    uint8_t source = (uint8_t)h;
    uint32_t max_dist = ip->env->conf.ipfrag_max_dist;
    if (max_dist != 0 && r->per_source[source] >= max_dist)
        return NULL;
    if (pool_free_count(&r->pool) == 0 && !oldest_goes(ip, NULL))
        return NULL;
    uint32_t idx = pool_take(&r->pool), *bucket = bucket_of(ip, k);
    WEIR_ASSERT(idx != 0);
    struct reasm_entry *e = entry_at(ip, idx);
    e->key = *k;
    e->chain = *bucket;
    *bucket = idx;
    e->source = source;
    r->per_source[source]++;
    list_push_back(&r->oldest, &e->age);
    e->timer.kind = TK_REASM;
    e->timer.obj = idx;
    const struct weir_conf *c = &ip->env->conf;
    uint32_t ms = key_is_ip6(k) ? c->ip6_frag_time_ms : c->ipfrag_time_ms;
    wheel_set(&ip->env->wheel, &e->timer, ip->env->now + ms * W_MS);
    return e;
}

/* Puts p in its place. DROP_NONE, or why not: then p is still the caller's. *is_fatal: the datagram
 * can no longer be believed. */
static enum drop fragment_insert(struct reasm_entry *e, struct pkt *p, bool has_more,
                                 bool *is_fatal)
{
    struct pkt **at = &e->first;
    const struct pkt *before = NULL;
    while (*at != NULL && (*at)->seq < p->seq) {
        before = *at;
        at = &(*at)->next;
    }
    const struct pkt *after = *at;
    if (after != NULL && after->seq == p->seq && after->end_seq == p->end_seq)
        return DROP_FRAG_OVERLAP;
    *is_fatal = true;
    bool hits_before = before != NULL && before->end_seq > p->seq;
    bool hits_after = after != NULL && after->seq < p->end_seq;
    if (hits_before || hits_after)
        return DROP_FRAG_OVERLAP;
    /* Two ends, or something beyond the end. */
    if (!has_more && ((e->total != 0 && e->total != p->end_seq) || after != NULL))
        return DROP_FRAG_BAD;
    if (e->total != 0 && p->end_seq > e->total)
        return DROP_FRAG_BAD;
    *is_fatal = false;
    if (e->n == REASM_FRAGS)
        return DROP_FRAG_TOO_MANY;
    if (!has_more)
        e->total = p->end_seq;
    p->next = *at;
    *at = p;
    e->n++;
    e->have += p->end_seq - p->seq;
    return DROP_NONE;
}

/* Copies payload bytes from..from + n of the datagram out of its fragments. */
static void gather(const struct reasm_entry *e, uint32_t from, uint8_t *to, uint32_t n)
{
    for (const struct pkt *q = e->first; q != NULL && n > 0; q = q->next) {
        if (from >= q->end_seq)
            continue;
        uint32_t k = w_u32_min(n, q->end_seq - from);
        uint32_t at = (uint32_t)(q->l4 - q->off) + from - q->seq;
        uint32_t got = pkt_copy_out(q, at, to, k);
        WEIR_ASSERT(got == k);
        from += k;
        to += k;
        n -= k;
    }
    WEIR_ASSERT(n == 0);
}

/* The datagram's payload from `from` on, in blocks behind p. False: no memory. */
static bool fill_blocks(struct ip *ip, struct pkt *p, const struct reasm_entry *e, uint32_t from)
{
    while (from < e->total) {
        struct blk *b = blk_new(&ip->env->mem, e->total - from);
        if (b == NULL)
            return false;
        uint32_t n = w_u32_min(b->cap, e->total - from);
        gather(e, from, b->mem, n);
        b->used = n;
        bool has_room = pkt_add_frag(p, b, 0, n);
        blk_unref(b);
        if (!has_room)
            return false;
        from += n;
    }
    return true;
}

/* [RFC 3168 5.3 MUST-2] One mark marks the datagram; a mark beside a fragment that could not carry
 * one is a lie. */
static enum drop ecn_of(const struct reasm_entry *e, uint8_t *ip)
{
    if ((e->ecn_seen & 1u << ECN_CE) == 0)
        return DROP_NONE;
    if ((e->ecn_seen & 1u << ECN_NOT) != 0)
        return DROP_FRAG_BAD;
    if (key_is_ip6(&e->key))
        wire_ip6_set_ecn(ip, ECN_CE);
    else
        wire_ip4_set_ecn(ip, ECN_CE);
    return DROP_NONE;
}

/* The first fragment's header, made the datagram's; its length, 0: the whole would be too long. */
static uint32_t header4(const struct reasm_entry *e, uint8_t *to)
{
    const struct pkt *first = e->first;
    struct wire_ip4 h;
    enum drop why = wire_ip4_parse(pkt_data(first), first->len, &h);
    WEIR_ASSERT(why == DROP_NONE);
    if (e->total + h.hlen > 65535)
        return 0;
    h.total = (uint16_t)(h.hlen + e->total);
    h.flags = 0;
    h.frag_off = 0;
    return wire_ip4_build(to, &h, pkt_data(first) + WIRE_IP4_HLEN);
}

/* [RFC 8200 4.5] What stands before the fragment header, with the next header that one named. */
static uint32_t header6(const struct reasm_entry *e, uint8_t *to)
{
    const struct pkt *first = e->first;
    uint32_t hlen = (uint32_t)(first->l4 - first->off) - WIRE_IP6_FRAG_HLEN;
    uint32_t plen = hlen - WIRE_IP6_HLEN + e->total;
    if (plen > 65535)
        return 0;
    memcpy(to, pkt_data(first), hlen);
    to[first->pay - first->off] = pkt_data(first)[hlen];
    wire_ip6_set_plen(to, (uint16_t)plen);
    return hlen;
}

/* All of it is here: p, emptied, becomes the datagram. */
static enum drop rebuild(struct ip *ip, struct reasm_entry *e, struct pkt *p)
{
    WEIR_ASSERT(p->len == 0);
    uint32_t hlen = key_is_ip6(&e->key) ? header6(e, p->head) : header4(e, p->head);
    if (hlen == 0)
        return DROP_FRAG_BAD;
    WEIR_ASSERT(hlen <= PKT_RX_LINEAR);
    p->off = 0;
    p->l3 = 0;
    p->csum = CSUM_NONE;
    uint32_t lin = w_u32_min(e->total, PKT_RX_LINEAR - hlen);
    gather(e, 0, p->head + hlen, lin);
    p->lin = (uint16_t)(hlen + lin);
    p->len = p->lin;
    if (!fill_blocks(ip, p, e, lin))
        return DROP_NO_BLOCK;
    return ecn_of(e, p->head);
}

/* Holds p's bytes in a stand-in and leaves p empty, so that p can become the datagram: the caller
 * knows it by this address. NULL: no memory. */
static struct pkt *stand_in(struct ip *ip, struct pkt *p)
{
    struct pkt *s = pkt_adopt(&ip->env->mem, p);
    if (s == NULL)
        return NULL;
    s->nif = p->nif;
    s->seq = p->seq;
    s->end_seq = p->end_seq;
    s->pay = p->pay;
    pkt_trim(p, 0);
    return s;
}

static enum next refuse(struct pkt *p, enum drop why)
{
    p->drop = (uint16_t)why;
    return NEXT_DROP;
}

/* A fragment that completes the datagram: it is rebuilt, the entry goes. */
static enum next complete(struct ip *ip, struct reasm_entry *e, struct pkt *p)
{
    enum drop why = rebuild(ip, e, p);
    for (struct pkt *q = e->first, *next; q != NULL; q = next) {
        next = q->next;
        pkt_free(q);
    }
    e->first = NULL;
    bool is_ip6 = key_is_ip6(&e->key);
    if (why == DROP_NONE)
        count(ip, &e->key, STAT_IpReasmOKs, STAT_Ip6ReasmOKs);
    else
        count(ip, &e->key, STAT_IpReasmFails, STAT_Ip6ReasmFails);
    entry_free(ip, e, DROP_NONE);
    if (why != DROP_NONE)
        return refuse(p, why);
    return is_ip6 ? NEXT_IP6 : NEXT_IP4;
}

/* p in its entry e. p itself is held, unless it completes the datagram. */
static enum next fragment_take(struct ip *ip, struct reasm_entry *e, struct pkt *p,
                               const struct reasm_part *h)
{
    bool has_more = h->has_more, is_fatal = false;
    uint32_t total = has_more ? e->total : p->end_seq;
    bool may_complete = total != 0 && e->have + (p->end_seq - p->seq) == total;
    struct pkt *held = may_complete ? stand_in(ip, p) : p;
    if (held == NULL)
        return refuse(p, DROP_NOMEM);
    enum drop why = fragment_insert(e, held, has_more, &is_fatal);
    if (why != DROP_NONE) {
        if (held != p)
            pkt_free(held);
        if (is_fatal) {
            count(ip, &e->key, STAT_IpReasmFails, STAT_Ip6ReasmFails);
            entry_empty(ip, e, why);
            e->is_refused = true;
        }
        return refuse(p, why);
    }
    e->ecn_seen |= (uint8_t)(1u << h->ecn);
    held->truesize = pkt_truesize(held);
    e->mem += held->truesize;
    ip->reasm->mem += held->truesize;
    if (e->total != 0 && e->have == e->total)
        return complete(ip, e, p);
    WEIR_ASSERT(held == p);
    return NEXT_DONE;
}

enum next reasm_input(struct ip *ip, struct pkt *p, const struct reasm_part *h)
{
    struct reasm_key k = {.src = h->src, .dst = h->dst, .id = h->id, .proto = h->proto};
    struct reasm_entry *e = entry_find(ip, &k);
    if (e == NULL)
        e = entry_new(ip, &k);
    if (e == NULL)
        return refuse(p, DROP_FRAG_LIMIT);
    if (e->is_refused)
        return refuse(p, DROP_FRAG_OVERLAP);
    while (ip->reasm->mem + pkt_truesize(p) > ip->env->conf.ipfrag_high_thresh) {
        if (oldest_goes(ip, e))
            continue;
        if (e->first == NULL)
            entry_free(ip, e, DROP_NONE);
        return refuse(p, DROP_FRAG_LIMIT);
    }
    p->l4 = (uint16_t)(p->off + h->at);
    p->pay = (uint16_t)(p->off + h->proto_at);
    p->seq = h->off;
    p->end_seq = h->off + h->n;
    return fragment_take(ip, e, p, h);
}

struct pkt *reasm_timer(struct ip *ip, struct timer *t)
{
    struct reasm_entry *e = WEIR_CONTAINER(t, struct reasm_entry, timer);
    struct pkt *first = e->first;
    bool is_ip6 = key_is_ip6(&e->key);
    if (!e->is_refused)
        count(ip, &e->key, STAT_IpReasmFails, STAT_Ip6ReasmFails);
    if (first == NULL || first->seq != 0) {
        entry_free(ip, e, DROP_FRAG_TIMEOUT);
        return NULL;
    }
    /* [RFC 1122 3.3.2, RFC 8200 4.5] The sender is told, by what came first in the datagram. */
    e->first = first->next;
    entry_free(ip, e, DROP_FRAG_TIMEOUT);
    ip->env->drops[DROP_FRAG_TIMEOUT]++;
    first->next = NULL;
    first->drop = DROP_FRAG_TIMEOUT;
    first->icmp_type = is_ip6 ? ICMP6T_TIME_EXCEEDED : ICMP4T_TIME_EXCEEDED;
    first->icmp_code = is_ip6 ? ICMP6C_REASM : ICMP4C_REASM;
    first->icmp_arg = 0;
    return first;
}
