/* SPDX-License-Identifier: Apache-2.0
 *
 * The link emulator: when a frame leaves the queue, what becomes of it, and when it arrives.
 *
 * Theory of operation. When a frame is pushed, the moment its last bit leaves the queue is already
 * known: the link serves frames in order at a fixed rate. That moment is written into the frame
 * (p->when) and the frame waits in a list. Whatever happens next is decided by advance(), which
 * takes from the list, in order, every frame whose moment has come, and draws its fate with that
 * moment as "now", not the time of the call. So the result depends on what was pushed when, and on
 * the seed, but not on when anybody looked. Frames in flight lie in a binary heap by arrival.
 *
 * With a discipline (aqm/) that cannot be known in advance: then only the frame on the link is in
 * the list, and advance() asks the discipline for the next one at the very moment the link is free.
 *
 *   state of a frame   | where          | leaves by
 *   waiting, or on the link | list head..tail | advance(): last bit gone
 *   waiting, with a discipline | aqm | start_next(): onto the link; or dropped by the discipline
 *   in flight          | heap slot[]    | emu_pop(): arrived
 *   gone               | -              | counted under one of the ends, EMU_DELIVERED … DROP_FLUSH
 *
 * Invariants: PUSHED + DUP = the ends + n_queued + n_flight; `when` rises along the list; the heap
 * is ordered by (at, seq); last_at never falls. emu_check() asserts them in builds with checks.
 *
 * Called by dev/emu_dev (live), sim/ (virtual time) and tests. Calls pkt/ for copies and frees, and
 * wire/ for the two places where it must understand a frame: a CE mark, an undone checksum.
 * Read first: netem(8); Gilbert 1960 and Elliott 1963 for bursts of loss; RFC 3168 for the mark.
 */
#include "dev/emu.h"

#include "dev/emu_mtu.h"

#include "pkt/pkt.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/flow.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

static void lose(struct emu *e, enum emu_counter why, struct pkt *p)
{
    e->count[why]++;
    if (e->watch.dropped != NULL && why != EMU_DROP_FLUSH)
        e->watch.dropped(e->watch.ctx, e->now, why, p);
    pkt_free(p);
}

/* ---- in flight ---------------------------------------------------------------------------- */

static bool is_before(const struct emu_slot *a, const struct emu_slot *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void flight_add(struct emu *e, w_ns at, struct pkt *p)
{
    if (e->n_flight == e->max_flight) {
        lose(e, EMU_DROP_FLIGHT, p);
        return;
    }
    struct emu_slot s = {.at = at, .seq = e->seq++, .p = p};
    uint32_t i = e->n_flight++;
    while (i != 0 && is_before(&s, &e->slot[(i - 1) / 2])) {
        e->slot[i] = e->slot[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    e->slot[i] = s;
}

static struct pkt *flight_take_first(struct emu *e)
{
    struct pkt *first = e->slot[0].p;
    struct emu_slot s = e->slot[--e->n_flight];
    uint32_t i = 0;
    for (uint32_t child = 1; child < e->n_flight; child = 2 * i + 1) {
        if (child + 1 < e->n_flight && is_before(&e->slot[child + 1], &e->slot[child]))
            child++;
        if (!is_before(&e->slot[child], &s))
            break;
        e->slot[i] = e->slot[child];
        i = child;
    }
    e->slot[i] = s;
    return first;
}

/* ---- fate --------------------------------------------------------------------------------- */

static bool is_cut(const struct emu *e, w_ns at)
{
    const struct emu_conf *c = &e->conf;
    if (e->is_down)
        return true;
    if (c->cut_for_ns == 0 || c->cut_every_ns == 0)
        return false;
    return (at - e->epoch) % c->cut_every_ns >= c->cut_every_ns - c->cut_for_ns;
}

/* One step of the two-state chain, then the loss of the state it is now in; and besides, the
 * independent kind. */
static bool is_lost(struct emu *e)
{
    const struct emu_conf *c = &e->conf;
    bool lost = false;
    if (c->ge.p_ppm != 0) {
        if (rng_chance_ppm(&e->rng, e->is_bad ? c->ge.r_ppm : c->ge.p_ppm))
            e->is_bad = !e->is_bad;
        lost = rng_chance_ppm(&e->rng, e->is_bad ? c->ge.bad_ppm : c->ge.good_ppm);
    }
    return rng_chance_ppm(&e->rng, c->loss_ppm) || lost;
}

/* Computes a checksum that was left to hardware, so that a flipped bit can be noticed by it. */
static void finish_csum(struct pkt *p)
{
    uint32_t start = (uint32_t)(p->csum_start - p->off);
    uint32_t sum = csum_pkt(CSUM_SCALAR, p, start, p->len - start, 0);
    w_put16(p->head + p->csum_start + p->csum_at, csum_nonzero(csum_fold(sum)));
}

/* Flips one bit somewhere in the frame. The bytes may be shared with a send buffer, so the damage
 * is done to a copy; returns the damaged frame, or p itself if there was no memory. */
static struct pkt *corrupt(struct emu *e, struct pkt *p)
{
    uint32_t bit = rng_below(&e->rng, p->len * 8);
    struct pkt *bad = pkt_copy(p->home, p);
    if (bad == NULL) {
        e->count[EMU_CORRUPT_NOMEM]++;
        return p;
    }
    pkt_free(p);
    if (bad->csum == CSUM_TODO)
        finish_csum(bad);
    bad->csum = CSUM_NONE;
    uint32_t at = bit / 8;
    uint8_t *byte = pkt_data(bad) + at;
    if (at >= bad->lin) {
        at -= bad->lin;
        unsigned i = 0;
        while (at >= bad->frag[i].len)
            at -= bad->frag[i++].len;
        byte = bad->frag[i].b->mem + bad->frag[i].off + at;
    }
    *byte = (uint8_t)(*byte ^ 1u << bit % 8);
    e->count[EMU_CORRUPT]++;
    return bad;
}

/* Arrival of a frame whose last bit left at `at`. */
static w_ns arrival(struct emu *e, w_ns at)
{
    const struct emu_conf *c = &e->conf;
    w_ns delay = c->delay_ns;
    if (c->jitter_ns != 0) {
        delay += rng_u64(&e->rng) % (2 * c->jitter_ns + 1);
        delay -= w_u64_min(c->jitter_ns, delay);
    }
    w_ns t = w_ns_add(at, delay);
    if (rng_chance_ppm(&e->rng, c->reorder_ppm)) {
        e->count[EMU_REORDER]++;
        return w_ns_add(w_u64_max(t, e->last_at), c->reorder_ns);
    }
    e->last_at = w_u64_max(t, e->last_at);
    return e->last_at;
}

/* The answer leaves where the packet was to go on: it has the way back before it. */
static void tell_too_big(struct emu *e, w_ns at, const struct pkt *p)
{
    struct pkt *answer = emu_mtu_answer(p, e->conf.mtu);
    if (answer == NULL)
        return;
    e->count[EMU_TOO_BIG]++;
    e->back->count[EMU_PUSHED]++;
    flight_add(e->back, w_ns_add(at, e->back->conf.delay_ns), answer);
}

static void send_off(struct emu *e, w_ns at, struct pkt *p)
{
    if (is_cut(e, at)) {
        lose(e, EMU_DROP_CUT, p);
        return;
    }
    if (is_lost(e)) {
        lose(e, EMU_DROP_LOSS, p);
        return;
    }
    if (e->conf.mtu != 0 && emu_mtu_exceeds(p, e->conf.mtu)) {
        if (e->conf.has_too_big && e->back != NULL)
            tell_too_big(e, at, p);
        lose(e, EMU_DROP_MTU, p);
        return;
    }
    struct pkt *twin = NULL;
    if (rng_chance_ppm(&e->rng, e->conf.dup_ppm)) {
        twin = pkt_copy(p->home, p);
        e->count[twin != NULL ? EMU_DUP : EMU_DUP_NOMEM]++;
    }
    if (rng_chance_ppm(&e->rng, e->conf.corrupt_ppm))
        p = corrupt(e, p);
    w_ns t = arrival(e, at);
    flight_add(e, t, p);
    if (twin != NULL)
        flight_add(e, t, twin);
}

/* ---- the queue ---------------------------------------------------------------------------- */

static void queue_add(struct emu *e, struct pkt *p)
{
    p->next = NULL;
    if (e->tail != NULL)
        e->tail->next = p;
    else
        e->head = p;
    e->tail = p;
    e->n_queued++;
    e->queued_bytes += p->len;
    e->queued_max = w_u32_max(e->queued_max, e->n_queued);
}

static struct pkt *queue_take(struct emu *e)
{
    struct pkt *p = e->head;
    e->head = p->next;
    if (e->head == NULL)
        e->tail = NULL;
    p->next = NULL;
    e->n_queued--;
    e->queued_bytes -= p->len;
    return p;
}

/* A frame on the idle link always fits: a limit below one frame must not close the link. */
static bool is_full(const struct emu *e, const struct pkt *p)
{
    const struct emu_conf *c = &e->conf;
    if (e->n_queued == 0)
        return false;
    return e->n_queued >= c->limit_pkts ||
           (c->limit_bytes != 0 && e->queued_bytes + p->len > c->limit_bytes);
}

/* The moment the last bit of a frame has left a link that is free from `start` on. */
static w_ns serialise(struct emu *e, w_ns start, uint32_t len)
{
    const struct emu_conf *c = &e->conf;
    if (c->rate_bps == 0)
        return start;
    uint64_t bits = ((uint64_t)len + c->overhead_bytes) * 8;
    uint64_t work = bits * W_S + e->frac; /* < 2^50 + rate */
    e->frac = work % c->rate_bps;
    return w_ns_add(start, work / c->rate_bps);
}

/* [RFC 3168 5] Marks a frame that may be marked; others just pass. */
static void mark_ce(struct emu *e, struct pkt *p)
{
    struct wire_eth eth = {0};
    uint8_t *at = pkt_data(p);
    if (wire_eth_parse(at, p->lin, &eth) != DROP_NONE || p->lin < eth.hlen + 20u)
        return;
    at += eth.hlen;
    if (eth.type == ETYPE_IP4 && (at[1] & ECN_MASK) != ECN_NOT) {
        wire_ip4_set_ecn(at, ECN_CE);
        e->count[EMU_ECN_MARK]++;
    } else if (eth.type == ETYPE_IP6 && (at[1] >> 4 & ECN_MASK) != ECN_NOT) {
        wire_ip6_set_ecn(at, ECN_CE);
        e->count[EMU_ECN_MARK]++;
    }
}

static bool is_managed(const struct emu *e) { return e->conf.aqm != AQM_FIFO; }

/* What the discipline dropped, after all. */
static void bury(struct emu *e)
{
    struct pkt *p;
    while ((p = aqm_dead(&e->aqm)) != NULL) {
        e->n_queued--;
        e->queued_bytes -= p->len;
        lose(e, p->drop == DROP_QDISC_FULL ? EMU_DROP_LIMIT : EMU_DROP_AQM, p);
    }
}

/* The link is free from `at` on: it takes what the discipline gives, if anything. */
static void start_next(struct emu *e, w_ns at)
{
    struct pkt *p = aqm_pop(&e->aqm, at);
    if (p != NULL && e->aqm.said == AQM_MARKED)
        mark_ce(e, p);
    bury(e);
    if (p == NULL)
        return;
    if (e->busy < at) {
        e->busy = at;
        e->frac = 0;
    }
    e->busy = serialise(e, e->busy, p->len);
    p->when = e->busy;
    p->next = NULL;
    e->head = e->tail = p;
}

/* What a discipline reads of a frame. */
static void describe(const struct emu *e, struct pkt *p)
{
    struct wire_eth eth = {0};
    struct wire_flow f = {0};
    uint8_t *at = pkt_data(p);
    if (wire_eth_parse(at, p->lin, &eth) == DROP_NONE &&
        (eth.type == ETYPE_IP4 || eth.type == ETYPE_IP6))
        (void)wire_flow_of(at + eth.hlen, p->lin - eth.hlen, &f);
    p->hash = (uint32_t)hash_sip13(&e->flow_key, f.key, f.n);
    p->ecn = f.tos & ECN_MASK;
    p->tflags = 0;
    p->when = 0;
}

/* Everything that has happened by now, in order. */
static void advance(struct emu *e, w_ns now)
{
    WEIR_ASSERT(now >= e->now);
    e->now = now;
    while (e->head != NULL && e->head->when <= now) {
        struct pkt *p = queue_take(e);
        w_ns at = p->when;
        send_off(e, at, p);
        if (is_managed(e))
            start_next(e, at);
    }
}

static void check(const struct emu *e)
{
    uint64_t ends = 0;
    for (unsigned i = EMU_DELIVERED; i <= EMU_DROP_FLUSH; i++)
        ends += e->count[i];
    WEIR_CHECK(e->count[EMU_PUSHED] + e->count[EMU_DUP] == ends + emu_inside(e));
    WEIR_CHECK((e->head == NULL) == (e->n_queued == 0));
    WEIR_CHECK(e->n_flight <= e->max_flight);
    (void)ends;
}

/* ---- the front door ----------------------------------------------------------------------- */

static void adopt_conf(struct emu *e, const struct emu_conf *conf, w_ns now)
{
    e->conf = *conf;
    if (e->conf.limit_pkts == 0)
        e->conf.limit_pkts = EMU_LIMIT_PKTS;
    if (e->conf.reorder_ns == 0)
        e->conf.reorder_ns = EMU_REORDER_NS;
    struct aqm_conf c = {.kind = e->conf.aqm,
                         .limit = w_u32_min(e->conf.limit_pkts, AQM_LIMIT_MAX),
                         .target_us = e->conf.target_us,
                         .interval_us = e->conf.interval_us};
    int r = aqm_set(&e->aqm, &c, now);
    WEIR_ASSERT(r == 0); /* emu_parse lets no other settings through */
    if (is_managed(e) && e->flow_key.k0 == 0)
        e->flow_key = rng_fork(&e->rng, AQM_FLOWS).key;
}

/* p waits, whatever the limits say. */
static void wait_managed(struct emu *e, w_ns now, struct pkt *p)
{
    describe(e, p);
    aqm_enter(&e->aqm, now, p);
    e->n_queued++;
    e->queued_bytes += p->len;
    e->queued_max = w_u32_max(e->queued_max, e->n_queued);
}

/* p comes to a queue that a discipline manages. */
static void push_managed(struct emu *e, w_ns now, struct pkt *p)
{
    describe(e, p);
    uint32_t len = p->len;
    if (aqm_push(&e->aqm, now, p) != DROP_NONE) {
        lose(e, EMU_DROP_LIMIT, p);
        return;
    }
    e->n_queued++;
    e->queued_bytes += len;
    bury(e);
    e->queued_max = w_u32_max(e->queued_max, e->n_queued);
    if (e->head == NULL)
        start_next(e, now);
}

void emu_init(struct emu *e, const struct emu_conf *conf, struct rng rng, struct emu_slot *slot,
              uint32_t n_slots, w_ns now)
{
    struct emu_conf own = *conf; /* may lie in *e */
    *e = (struct emu){.rng = rng, .slot = slot, .max_flight = n_slots};
    e->now = e->epoch = e->busy = e->last_at = now;
    aqm_init(&e->aqm, (struct aqm_mem){.flow = e->flow, .heap = e->flow_heap});
    adopt_conf(e, &own, now);
}

/* Behind what is in the list already: its time is known. */
static void schedule(struct emu *e, struct pkt *p)
{
    e->busy = serialise(e, e->busy, p->len);
    p->when = e->busy;
    queue_add(e, p);
}

/* Everything behind the frame on the link, which stays. */
static struct pktq take_waiting(struct emu *e)
{
    struct pktq waiting = {0};
    struct pkt *p = e->head != NULL ? e->head->next : NULL, *next;
    for (; p != NULL; p = next) {
        next = p->next;
        pktq_push(&waiting, p);
    }
    if (e->head != NULL)
        e->head->next = NULL;
    e->tail = e->head;
    while ((p = aqm_drain(&e->aqm)) != NULL)
        pktq_push(&waiting, p);
    e->n_queued -= waiting.n;
    e->queued_bytes -= waiting.bytes;
    return waiting;
}

/* The frame on the link leaves as it was going to; those behind it are scheduled afresh. */
void emu_set_conf(struct emu *e, const struct emu_conf *conf, w_ns now)
{
    struct pkt *p;
    advance(e, now);
    struct pktq waiting = take_waiting(e);
    adopt_conf(e, conf, now);
    e->frac = 0;
    e->busy = e->head != NULL ? e->head->when : now;
    while ((p = pktq_pop(&waiting)) != NULL) {
        if (is_managed(e))
            wait_managed(e, now, p);
        else
            schedule(e, p);
    }
    check(e);
}

void emu_set_down(struct emu *e, bool is_down, w_ns now)
{
    advance(e, now);
    e->is_down = is_down;
}

void emu_push(struct emu *e, w_ns now, struct pkt *p)
{
    WEIR_ASSERT(p->gso_size == 0);
    advance(e, now);
    e->count[EMU_PUSHED]++;
    if (is_managed(e)) {
        push_managed(e, now, p);
        advance(e, now);
        check(e);
        return;
    }
    if (is_full(e, p)) {
        lose(e, EMU_DROP_LIMIT, p);
        return;
    }
    if (e->conf.ecn_bytes != 0 && e->queued_bytes >= e->conf.ecn_bytes)
        mark_ce(e, p);
    if (e->busy < now) {
        e->busy = now;
        e->frac = 0;
    }
    schedule(e, p);
    advance(e, now);
    check(e);
}

unsigned emu_pop(struct emu *e, w_ns now, struct pkt **v, unsigned max)
{
    unsigned n = 0;
    advance(e, now);
    while (n < max && e->n_flight != 0 && e->slot[0].at <= now) {
        w_ns at = e->slot[0].at;
        v[n] = flight_take_first(e);
        v[n++]->when = at;
    }
    e->count[EMU_DELIVERED] += n;
    check(e);
    return n;
}

w_ns emu_next(const struct emu *e)
{
    const struct emu_conf *c = &e->conf;
    w_ns at = e->n_flight != 0 ? e->slot[0].at : W_NEVER;
    if (e->head != NULL) {
        w_ns shortest = c->delay_ns - w_u64_min(c->jitter_ns, c->delay_ns);
        at = w_u64_min(at, w_ns_add(e->head->when, shortest));
    }
    return at;
}

void emu_flush(struct emu *e)
{
    struct pktq waiting = take_waiting(e);
    struct pkt *p;
    while ((p = pktq_pop(&waiting)) != NULL)
        lose(e, EMU_DROP_FLUSH, p);
    while (e->head != NULL)
        lose(e, EMU_DROP_FLUSH, queue_take(e));
    for (uint32_t i = 0; i < e->n_flight; i++)
        lose(e, EMU_DROP_FLUSH, e->slot[i].p);
    e->n_flight = 0;
    check(e);
}

uint64_t emu_inside(const struct emu *e) { return (uint64_t)e->n_queued + e->n_flight; }

const char *emu_counter_text(enum emu_counter c)
{
    static const char *const text[] = {
#define X(name, what) what,
        EMU_COUNTERS(X)
#undef X
    };
    return (unsigned)c < EMU_N_COUNTERS ? text[c] : "?";
}
