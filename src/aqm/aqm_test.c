/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "aqm/ops.h"
#include "base/rng.h"

#include <stdlib.h>

enum { ROOM = 8 << 20 };

struct lab {
    struct aqm q;
    struct pktmem mem;
    void *room;
    w_ns now;
};

static void lab_open(struct lab *l, struct aqm_conf c)
{
    const struct pktmem_conf pc = {.n_pkt = 5000, .n_blk_small = 1200, .n_blk_big = 8};
    struct arena a;
    l->room = aligned_alloc(WEIR_CACHELINE, ROOM);
    assert_non_null(l->room);
    memset(l->room, 0, ROOM);
    arena_init(&a, l->room, ROOM);
    pktmem_init(&l->mem, &a, &pc);
    l->now = W_S;
    aqm_init(&l->q, aqm_mem_take(&a));
    assert_false(a.is_full);
    assert_int_equal(aqm_set(&l->q, &c, l->now), 0);
}

/* Its length was only said. */
static void give_back(struct pkt *p)
{
    p->len = 0;
    pkt_free(p);
}

static void lab_close(struct lab *l)
{
    struct pkt *p;
    while ((p = aqm_drain(&l->q)) != NULL || (p = aqm_dead(&l->q)) != NULL)
        give_back(p);
    assert_int_equal(l->q.bytes, 0);
    assert_int_equal(l->mem.pkts.in_use, 0);
    free(l->room);
}

/* A packet that says it has n bytes: queues never look. */
static struct pkt *make(struct lab *l, uint32_t flow, uint32_t n, uint8_t ecn)
{
    struct pkt *p = pkt_new(&l->mem);
    assert_non_null(p);
    p->len = n;
    p->hash = flow;
    p->ecn = ecn;
    return p;
}

static enum drop put(struct lab *l, uint32_t flow, uint32_t n, uint8_t ecn)
{
    struct pkt *p = make(l, flow, n, ecn);
    enum drop why = aqm_push(&l->q, l->now, p);
    if (why != DROP_NONE)
        give_back(p);
    return why;
}

/* The flow of the next packet, -1: none; what died meanwhile goes back. */
static int get(struct lab *l)
{
    struct pkt *p = aqm_pop(&l->q, l->now), *dead;
    int flow = p != NULL ? (int)p->hash : -1;
    if (p != NULL)
        give_back(p);
    while ((dead = aqm_dead(&l->q)) != NULL)
        give_back(dead);
    return flow;
}

static void empty(struct lab *l)
{
    struct pkt *p;
    while ((p = aqm_drain(&l->q)) != NULL || (p = aqm_dead(&l->q)) != NULL)
        give_back(p);
}

/* If this fails CoDel drops at the wrong pace: its whole theory is interval / sqrt(n). */
static void control_law_is_the_inverse_square_root(void **state)
{
    (void)state;
    static const struct {
        uint32_t n, us;
    } rows[] = {{1, 100000}, {2, 70711}, {3, 57735},   {4, 50000},
                {5, 44721},  {9, 33333}, {100, 10000}, {1000, 3162}};
    struct codel c = {0};
    unsigned row = 0;
    for (uint32_t n = 1; n <= 1000; n++) {
        codel_set_count(&c, n);
        if (n != rows[row].n)
            continue;
        w_ns us = codel_law(&c, 0, 100 * W_MS) / W_US;
        assert_in_range(us, rows[row].us * 999 / 1000, rows[row].us * 1001 / 1000);
        row++;
    }
    codel_set_count(&c, 500); /* a jump back: converges from below */
    codel_set_count(&c, 501);
    assert_in_range(codel_law(&c, 0, 100 * W_MS) / W_US, 4440, 4480);
}

/* Overload: a packet each millisecond in, one each two out; what becomes of them. */
static void overload(struct lab *l, uint8_t ecn, uint32_t tflags, unsigned ms)
{
    for (unsigned i = 0; i < ms; i++, l->now += W_MS) {
        struct pkt *p = make(l, 1, 1000, ecn);
        p->tflags = tflags;
        if (aqm_push(&l->q, l->now, p) != DROP_NONE)
            give_back(p);
        if (i % 2 == 0)
            (void)get(l);
    }
}

/* If this fails CoDel drops bursts that need no dropping, or lets a standing queue stand. [RFC 8289
 * 4]: nothing before the delay was above the target for an interval, then one, then ever more. */
static void codel_waits_an_interval_then_drops_faster(void **state)
{
    (void)state;
    struct lab l;
    lab_open(&l, (struct aqm_conf){.kind = AQM_CODEL});
    overload(&l, 0, 0, 105);
    assert_int_equal(l.q.count.dropped, 0);
    overload(&l, 0, 0, 10);
    assert_int_equal(l.q.count.dropped, 1);
    overload(&l, 0, 0, 100);
    assert_int_equal(l.q.count.dropped, 2);
    overload(&l, 0, 0, 190); /* 70.7 + 57.7 + 50 ms later each */
    assert_int_equal(l.q.count.dropped, 5);
    assert_int_equal(l.q.count.marked, 0);
    empty(&l);
    for (int i = 0; i < 300; i++, l.now += W_MS) { /* no queue, no drop */
        assert_int_equal(put(&l, 1, 1000, 0), DROP_NONE);
        l.now += W_MS;
        assert_int_equal(get(&l), 1);
    }
    assert_int_equal(l.q.count.dropped, 5);
    lab_close(&l);
}

/* If this fails ECN is of no use with CoDel, or our own TCP loses packets in our own queue. */
static void codel_marks_or_tells_instead(void **state)
{
    (void)state;
    struct lab l;
    lab_open(&l, (struct aqm_conf){.kind = AQM_CODEL});
    overload(&l, 2, 0, 405);
    assert_int_equal(l.q.count.dropped, 0);
    assert_int_equal(l.q.count.marked, 5);
    lab_close(&l);
    lab_open(&l, (struct aqm_conf){.kind = AQM_CODEL});
    overload(&l, 0, AQM_KEEP, 405);
    assert_int_equal(l.q.count.dropped, 0);
    assert_int_equal(l.q.count.told, 5);
    empty(&l);
    lab_close(&l);
}

/* If this fails DCTCP meets a switch that is none. */
static void mark_marks_at_the_threshold(void **state)
{
    (void)state;
    struct lab l;
    lab_open(&l, (struct aqm_conf){.kind = AQM_MARK_AT, .mark_at = 3});
    for (int i = 0; i < 5; i++)
        assert_int_equal(put(&l, 1, 1000, 2), DROP_NONE);
    assert_int_equal(l.q.said, AQM_MARKED);
    assert_int_equal(put(&l, 1, 1000, 0), DROP_NONE);
    assert_int_equal(l.q.said, AQM_PASS);
    assert_int_equal(l.q.count.marked, 2);
    for (int i = 0; i < 6; i++) {
        struct pkt *p = aqm_pop(&l.q, l.now);
        assert_int_equal(p->ecn, i < 3 ? 2 : i < 5 ? AQM_CE : 0);
        give_back(p);
    }
    lab_close(&l);
}

/* If this fails interactive traffic waits behind bulk although its sender asked. */
static void prio_serves_bands_in_order(void **state)
{
    (void)state;
    struct lab l;
    lab_open(&l, (struct aqm_conf){.kind = AQM_PRIO, .limit = 4});
    static const uint8_t tos[] = {0x08 /* throughput */, 0, 0x10 /* low delay */, 0};
    for (uint32_t i = 0; i < 4; i++) {
        struct pkt *p = make(&l, i, 100, 0);
        p->tos = tos[i];
        assert_int_equal(aqm_push(&l.q, l.now, p), DROP_NONE);
    }
    assert_int_equal(put(&l, 9, 100, 0), DROP_QDISC_FULL);
    static const int order[] = {2, 1, 3, 0, -1};
    for (int i = 0; i < 5; i++)
        assert_int_equal(get(&l), order[i]);
    lab_close(&l);
}

/* If this fails a bulk transfer makes everybody wait: the sparse flow's packet must be next,
 * however many bulk packets are there. [RFC 8290 4.2] */
static void sparse_flow_goes_first(unsigned kind)
{
    struct lab l;
    lab_open(&l, (struct aqm_conf){.kind = kind, .limit = 1000, .flow_limit = 1000});
    for (int i = 0; i < 500; i++)
        assert_int_equal(put(&l, 1, 1500, 0), DROP_NONE);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(get(&l), 1);
        assert_int_equal(get(&l), 1);
        assert_int_equal(get(&l), 1);
        assert_int_equal(put(&l, 2, 100, 0), DROP_NONE);
        int first = get(&l), second = first == 2 ? 2 : get(&l);
        assert_true(second == 2); /* at most one bulk packet before it: not always a fresh flow */
    }
    empty(&l);
    lab_close(&l);
}

static void sparse_flows_go_first(void **state)
{
    (void)state;
    sparse_flow_goes_first(AQM_FQ_CODEL);
    sparse_flow_goes_first(AQM_FQ);
}

/* If this fails flows with large packets get more than those with small ones. */
static void bytes_are_shared_not_packets(void **state)
{
    (void)state;
    for (unsigned kind = AQM_FQ; kind <= AQM_FQ_CODEL; kind += AQM_FQ_CODEL - AQM_FQ) {
        struct lab l;
        lab_open(&l, (struct aqm_conf){.kind = kind, .limit = 5000, .flow_limit = 4000});
        uint64_t got[3] = {0};
        static const uint32_t size[3] = {100, 500, 1500};
        for (int i = 0; i < 3000; i++)
            assert_int_equal(put(&l, 0, size[0], 0), DROP_NONE);
        for (int i = 0; i < 700; i++)
            for (uint32_t f = 1; f < 3; f++)
                assert_int_equal(put(&l, f, size[f], 0), DROP_NONE);
        for (int i = 0; i < 3000; i++) {
            int f = get(&l);
            got[f] += size[f];
        }
        assert_in_range(got[0], got[2] - 3 * 1514, got[2] + 3 * 1514);
        assert_in_range(got[1], got[2] - 3 * 1514, got[2] + 3 * 1514);
        empty(&l);
        lab_close(&l);
    }
}

/* If this fails one flood fills fq_codel and everybody else is refused; or our own TCP pays for
 * somebody else's. [RFC 8290 4.1.3] */
static void a_full_fq_codel_takes_from_the_fattest(void **state)
{
    (void)state;
    struct lab l;
    lab_open(&l, (struct aqm_conf){.kind = AQM_FQ_CODEL, .limit = 100});
    for (int i = 0; i < 60; i++) {
        struct pkt *p = make(&l, 1, 1500, 0);
        p->tflags = AQM_KEEP;
        assert_int_equal(aqm_push(&l.q, l.now, p), DROP_NONE);
    }
    for (int i = 0; i < 40; i++)
        assert_int_equal(put(&l, 2, 1500, 0), DROP_NONE);
    assert_int_equal(put(&l, 3, 60, 0), DROP_NONE);
    assert_int_equal(l.q.count.dropped, 20); /* half of the 40, none of the 60 */
    assert_int_equal(l.q.n, 81);
    assert_int_equal(get(&l), 1);
    empty(&l);
    for (int i = 0; i < 100; i++) {
        struct pkt *p = make(&l, 1, 1500, 0);
        p->tflags = AQM_KEEP;
        assert_int_equal(aqm_push(&l.q, l.now, p), DROP_NONE);
    }
    assert_int_equal(put(&l, 3, 60, 0), DROP_QDISC_FULL);
    assert_int_equal(l.q.count.refused, 1);
    empty(&l);
    lab_close(&l);
}

static void put_at(struct lab *l, uint32_t flow, uint32_t seq, w_ns when, enum drop expected)
{
    struct pkt *p = make(l, flow, 1000, 0);
    p->when = when;
    p->seq = seq;
    assert_int_equal(aqm_push(&l->q, l->now, p), expected);
    if (expected != DROP_NONE)
        give_back(p);
}

/* If this fails a paced flow holds up others, or leaves too early or out of order. */
static void fq_keeps_each_flows_times(void **state)
{
    (void)state;
    struct lab l;
    lab_open(&l, (struct aqm_conf){.kind = AQM_FQ, .flow_limit = 3});
    w_ns t = l.now;
    put_at(&l, 1, 1, t + 30, DROP_NONE);
    put_at(&l, 1, 2, t + 40, DROP_NONE);
    put_at(&l, 2, 1, 0, DROP_NONE);
    put_at(&l, 3, 1, t + 20, DROP_NONE);
    put_at(&l, 1, 3, t + 35, DROP_NONE); /* a connection that shares the hash */
    put_at(&l, 1, 4, t + 50, DROP_QDISC_FLOW);
    put_at(&l, 4, 1, t + 11 * W_S, DROP_QDISC_HORIZON);
    assert_int_equal(get(&l), 2);
    assert_int_equal(get(&l), -1);
    assert_int_equal(aqm_next(&l.q, l.now), t + 20);
    l.now = t + 29;
    assert_int_equal(get(&l), 3);
    assert_int_equal(get(&l), -1);
    assert_int_equal(aqm_next(&l.q, l.now), t + 30);
    l.now = t + 36;
    static const uint32_t order[] = {1, 3};
    for (int i = 0; i < 2; i++) {
        struct pkt *p = aqm_pop(&l.q, l.now);
        assert_int_equal(p->seq, order[i]);
        give_back(p);
    }
    assert_int_equal(get(&l), -1);
    l.now = t + 40;
    assert_int_equal(get(&l), 1);
    assert_int_equal(aqm_next(&l.q, l.now), W_NEVER);
    lab_close(&l);
}

/* If this fails pacing is wrong as soon as there are many flows: every packet at its time. */
static void fq_departures_agree_with_sorting(void **state)
{
    (void)state;
    struct lab l;
    struct rng r;
    enum { FLOWS = 300, EACH = 5 };
    lab_open(&l, (struct aqm_conf){.kind = AQM_FQ, .limit = 5000});
    rng_seed(&r, 3);
    w_ns start = l.now, last = 0;
    for (uint32_t i = 0; i < FLOWS * EACH; i++)
        put_at(&l, i % FLOWS, i, start + 1 + rng_below(&r, 1000) * W_US, DROP_NONE);
    for (unsigned n = 0; n < FLOWS * EACH;) {
        struct pkt *p = aqm_pop(&l.q, l.now);
        if (p == NULL) {
            w_ns next = aqm_next(&l.q, l.now);
            assert_true(next > l.now && next != W_NEVER);
            l.now = next;
            continue;
        }
        assert_int_equal(p->when, l.now); /* not a nanosecond late */
        assert_true(p->when >= last);
        last = p->when;
        give_back(p);
        n++;
    }
    lab_close(&l);
}

/* If this fails tbf is faster or slower than asked: 10,000 packets of odd sizes at an odd rate. */
static void tbf_rate_is_exact(void **state)
{
    (void)state;
    struct lab l;
    struct rng r;
    enum { RATE = 1234567, BURST = 5000 };
    lab_open(
        &l, (struct aqm_conf){.kind = AQM_TBF, .rate_Bps = RATE, .burst_bytes = BURST, .limit = 4});
    rng_seed(&r, 5);
    w_ns start = l.now;
    uint64_t bytes = 0, at_once = 0;
    for (int i = 0; i < 10000; i++) {
        while (l.q.n < 4)
            assert_int_equal(put(&l, 1, 40 + rng_below(&r, 1474), 0), DROP_NONE);
        struct pkt *p = aqm_pop(&l.q, l.now);
        if (p == NULL) {
            w_ns next = aqm_next(&l.q, l.now);
            assert_true(next > l.now);
            l.now = next - 1;
            assert_null(aqm_pop(&l.q, l.now));
            l.now = next;
            p = aqm_pop(&l.q, l.now);
            assert_non_null(p);
        }
        bytes += p->len;
        at_once += l.now == start ? p->len : 0;
        give_back(p);
    }
    assert_in_range(at_once, BURST - 1514, BURST);
    /* All but the burst at the rate, to within one nanosecond. */
    assert_in_range((l.now - start) * RATE / W_S, bytes - BURST - 2, bytes - BURST + 2);
    empty(&l);
    assert_int_equal(put(&l, 1, 60000, 0), DROP_NONE); /* larger than the bucket */
    l.now += W_S;
    assert_int_equal(get(&l), 1);
    assert_int_equal(put(&l, 1, 1, 0), DROP_NONE);
    assert_in_range(aqm_next(&l.q, l.now) - l.now, (60000 - BURST) * W_S / RATE,
                    60000 * W_S / RATE);
    empty(&l);
    lab_close(&l);
}

/* If this fails impossible settings are taken, or a refused change changes something. */
static void impossible_settings_are_refused(void **state)
{
    (void)state;
    struct lab l;
    lab_open(&l, (struct aqm_conf){.kind = AQM_PRIO, .limit = 7});
    const struct aqm_conf bad[] = {
        {.kind = AQM_KINDS},
        {.kind = AQM_TBF},
        {.kind = AQM_TBF, .rate_Bps = 1ull << 41},
        {.kind = AQM_CODEL, .target_us = 2000, .interval_us = 1000},
        {.kind = AQM_CODEL, .interval_us = 5000000},
    };
    for (unsigned i = 0; i < WEIR_COUNT(bad); i++)
        assert_int_equal(aqm_set(&l.q, &bad[i], l.now), -22);
    assert_int_equal(aqm_set(&l.q, &(struct aqm_conf){.limit = AQM_LIMIT_MAX + 1}, l.now), -34);
    assert_int_equal(l.q.conf.kind, AQM_PRIO);
    assert_int_equal(l.q.conf.limit, 7);
    struct aqm none;
    aqm_init(&none, (struct aqm_mem){0});
    assert_int_equal(aqm_set(&none, &(struct aqm_conf){.kind = AQM_FQ}, 0), -22);
    for (unsigned kind = 0; kind < AQM_KINDS; kind++)
        assert_int_equal(aqm_kind_named(aqm_name(kind), (uint32_t)strlen(aqm_name(kind))), kind);
    assert_int_equal(aqm_kind_named("fq_", 3), -2);
    assert_null(aqm_name(AQM_KINDS));
    lab_close(&l);
}

/* If this fails changing the discipline of a busy link loses, doubles or misorders packets. */
static void a_change_keeps_every_packet_in_order(void **state)
{
    (void)state;
    struct lab l;
    enum { FLOWS = 20, N = 400 };
    lab_open(&l, (struct aqm_conf){.kind = AQM_FQ_CODEL});
    for (unsigned from = 0; from < AQM_KINDS; from++) {
        for (unsigned to = 0; to < AQM_KINDS; to++) {
            struct aqm_conf a = {.kind = from, .rate_Bps = 1000000}, b;
            uint32_t last[FLOWS] = {0};
            a.target_us = a.interval_us = 4000000; /* CoDel has no reason */
            b = a;
            b.kind = to;
            assert_int_equal(aqm_set(&l.q, &a, l.now), 0);
            for (uint32_t i = 0; i < N; i++)
                put_at(&l, i % FLOWS, i + 1, 0, DROP_NONE);
            assert_int_equal(aqm_set(&l.q, &b, l.now), 0);
            assert_int_equal(l.q.n, N);
            l.now += 4 * W_MS;
            for (uint32_t n = 0; n < N; l.now += W_MS) {
                struct pkt *p = aqm_pop(&l.q, l.now);
                if (p == NULL)
                    continue;
                assert_true(p->seq > last[p->hash]);
                last[p->hash] = p->seq;
                give_back(p);
                n++;
            }
            assert_int_equal(l.q.count.pushed, l.q.count.popped);
        }
    }
    lab_close(&l);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(control_law_is_the_inverse_square_root),
    cmocka_unit_test(codel_waits_an_interval_then_drops_faster),
    cmocka_unit_test(codel_marks_or_tells_instead),
    cmocka_unit_test(mark_marks_at_the_threshold),
    cmocka_unit_test(prio_serves_bands_in_order),
    cmocka_unit_test(sparse_flows_go_first),
    cmocka_unit_test(bytes_are_shared_not_packets),
    cmocka_unit_test(a_full_fq_codel_takes_from_the_fattest),
    cmocka_unit_test(fq_keeps_each_flows_times),
    cmocka_unit_test(fq_departures_agree_with_sorting),
    cmocka_unit_test(tbf_rate_is_exact),
    cmocka_unit_test(impossible_settings_are_refused),
    cmocka_unit_test(a_change_keeps_every_packet_in_order),
};
UNIT_MAIN(tests)
