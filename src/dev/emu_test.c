/* SPDX-License-Identifier: Apache-2.0 */
#include "pkts.h"

#include "dev/emu.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

enum { N_PKTS = 4096, N_SLOTS = 4096 };

static struct test_pkts pkts;
static struct emu_slot slots[N_SLOTS];
static struct emu emu;

static void start(const char *conditions)
{
    struct emu_conf conf;
    char err[EMU_ERR_TEXT];
    struct rng rng;
    rng_seed(&rng, 42);
    test_pkts_init(&pkts, N_PKTS);
    if (emu_parse(conditions, &conf, err) != 0)
        fail_msg("%s", err);
    emu_init(&emu, &conf, rng, slots, N_SLOTS, 0);
}

static void end(void)
{
    emu_flush(&emu);
    assert_int_equal(emu_inside(&emu), 0);
    test_pkts_fini(&pkts);
}

/* A frame whose first four bytes are its number. */
static void push(w_ns now, uint32_t n, uint32_t number)
{
    struct pkt *p = test_pkt(&pkts, n, 0);
    if (n >= 4)
        w_put32(pkt_data(p), number);
    emu_push(&emu, now, p);
}

/* The next arrival, with its time: what a caller would see who sleeps until emu_next. */
static struct pkt *arrive(w_ns *at)
{
    struct pkt *p;
    for (w_ns now = emu_next(&emu); now != W_NEVER; now = emu_next(&emu)) {
        now = w_u64_max(now, emu.now);
        if (emu_pop(&emu, now, &p, 1) == 1) {
            *at = p->when;
            assert_true(p->when <= now);
            return p;
        }
        assert_true(emu_next(&emu) > now); /* or the caller would spin */
    }
    return NULL;
}

/* Frees everything still to arrive; how many. */
static unsigned drain(void)
{
    unsigned n = 0;
    w_ns at;
    for (struct pkt *p = arrive(&at); p != NULL; p = arrive(&at), n++)
        pkt_free(p);
    return n;
}

/* If this fails, throughput over an emulated link is not the rate asked for. */
static void rate_is_exact_to_the_nanosecond(void **state)
{
    (void)state;
    start("rate 20mbit delay 40ms limit 2000");
    w_ns at;
    /* 1500 bytes at 20 Mbit/s: 600 us; a lone byte: 400 ns. */
    push(0, 1500, 0);
    push(0, 1, 0);
    struct pkt *p = arrive(&at);
    assert_int_equal(at, 40 * W_MS + 600 * W_US);
    pkt_free(p);
    p = arrive(&at);
    assert_int_equal(at, 40 * W_MS + 600 * W_US + 400);
    pkt_free(p);
    assert_null(arrive(&at));
    end();
}

/* If this fails, rounding errors add up: a 3 bit/s-odd rate drifts from the bytes it carried. */
static void fractions_are_carried(void **state)
{
    (void)state;
    start("rate 7bit limit 1000");
    w_ns at = 0;
    /* 8 bits at 7 bit/s: 1142857142.857 ns each; 700 of them: exactly 800 s. */
    for (unsigned i = 0; i < 700; i++)
        push(0, 1, i);
    for (unsigned i = 0; i < 700; i++) {
        struct pkt *p = arrive(&at);
        assert_non_null(p);
        assert_int_equal(at, (i + 1) * 8 * W_S / 7);
        pkt_free(p);
    }
    assert_int_equal(at, 800 * W_S);
    end();
}

/* If this fails, an idle link delays the next frame or sends it in no time. */
static void an_idle_link_starts_afresh(void **state)
{
    (void)state;
    start("rate 8mbit overhead 24b"); /* a byte a microsecond */
    w_ns at;
    push(0, 76, 0);
    pkt_free(arrive(&at));
    assert_int_equal(at, 100 * W_US);
    push(1 * W_S, 76, 0);
    pkt_free(arrive(&at));
    assert_int_equal(at, 1 * W_S + 100 * W_US);
    end();
}

/* If this fails, a router's queue is longer or shorter than asked: bufferbloat from nowhere. */
static void the_queue_is_limited(void **state)
{
    (void)state;
    start("rate 8mbit limit 3 delay 1s");
    for (unsigned i = 0; i < 5; i++)
        push(0, 1000, i); /* 1 ms each; the first is on the link and counts */
    assert_int_equal(emu.n_queued, 3);
    assert_int_equal(emu.count[EMU_DROP_LIMIT], 2);
    push(1 * W_MS - 1, 1000, 5); /* one nanosecond too early */
    assert_int_equal(emu.count[EMU_DROP_LIMIT], 3);
    push(1 * W_MS, 1000, 6);
    assert_int_equal(emu.count[EMU_DROP_LIMIT], 3);
    assert_int_equal(drain(), 4);
    assert_int_equal(emu.queued_max, 3);
    end();
}

/* If this fails, a limit in bytes lets too much in, or a limit below one frame closes the link. */
static void the_queue_is_limited_in_bytes(void **state)
{
    (void)state;
    start("rate 8mbit limit 2500b");
    push(0, 1000, 0);
    push(0, 1000, 1);
    push(0, 501, 2);
    assert_int_equal(emu.count[EMU_DROP_LIMIT], 1);
    push(0, 500, 3);
    assert_int_equal(emu.count[EMU_DROP_LIMIT], 1);
    assert_int_equal(drain(), 3);
    push(1 * W_S, 60000, 4);
    assert_int_equal(drain(), 1);
    end();
}

/* If this fails, "loss 1%" is not 1 %, or lost frames are not counted. */
static void loss_is_as_frequent_as_asked(void **state)
{
    (void)state;
    enum { N = 200000 };
    start("loss 1%");
    for (unsigned i = 0; i < N; i++) {
        push(i, 60, i);
        struct pkt *p;
        if (emu_pop(&emu, i, &p, 1) == 1)
            pkt_free(p);
    }
    /* Mean 2000, standard deviation 44.5. */
    assert_in_range(emu.count[EMU_DROP_LOSS], 2000 - 180, 2000 + 180);
    assert_int_equal(emu.count[EMU_DROP_LOSS] + emu.count[EMU_DELIVERED], N);
    end();
}

static void count_dropped(void *ctx, w_ns now, enum emu_counter why, const struct pkt *p)
{
    unsigned *n = ctx;
    assert_int_equal(now, emu.now);
    assert_int_equal(p->len, 60);
    n[why]++;
}

/* If this fails, a capture of a lossy link does not show what the link dropped, or shows more. */
static void who_watches_is_told_of_every_drop(void **state)
{
    (void)state;
    unsigned n[EMU_N_COUNTERS] = {0};
    start("loss 50% rate 1mbit limit 5");
    emu.watch = (struct emu_watch){count_dropped, n};
    for (unsigned i = 0; i < 20; i++)
        push(0, 60, i);
    struct pkt *p;
    while (emu_pop(&emu, W_S, &p, 1) == 1)
        pkt_free(p);
    assert_int_not_equal(n[EMU_DROP_LOSS], 0);
    assert_int_not_equal(n[EMU_DROP_LIMIT], 0);
    assert_int_equal(n[EMU_DROP_LOSS], emu.count[EMU_DROP_LOSS]);
    assert_int_equal(n[EMU_DROP_LIMIT], emu.count[EMU_DROP_LIMIT]);
    push(W_S, 60, 30);
    end();
    assert_int_equal(n[EMU_DROP_FLUSH], 0);
}

/* If this fails, bursts of loss are not bursts: mean length 1/r, share p/(p+r). */
static void gilbert_elliott_loses_in_bursts(void **state)
{
    (void)state;
    enum { N = 200000 };
    unsigned bursts = 0;
    bool was_lost = false;
    start("loss gemodel 1% 10%");
    for (unsigned i = 0; i < N; i++) {
        push(i, 60, i);
        struct pkt *p;
        bool is_lost = emu_pop(&emu, i, &p, 1) == 0;
        if (!is_lost)
            pkt_free(p);
        bursts += is_lost && !was_lost;
        was_lost = is_lost;
    }
    double lost = (double)emu.count[EMU_DROP_LOSS];
    assert_true(lost / N > 0.080 && lost / N < 0.102); /* 1/11 */
    assert_true(lost / bursts > 9.0 && lost / bursts < 11.0);
    end();
}

/* If this fails, jitter turns into reordering, which TCP takes for loss. */
static void jitter_stays_in_bounds_and_in_order(void **state)
{
    (void)state;
    const w_ns gap[2] = {25 * W_MS, 1 * W_MS}; /* too far apart to collide; and dense */
    for (unsigned pass = 0; pass < 2; pass++) {
        start("delay 40ms 10ms");
        for (uint32_t i = 0; i < 2000; i++)
            push(i * gap[pass], 100, i);
        w_ns at, least = W_NEVER, most = 0;
        for (uint32_t i = 0; i < 2000; i++) {
            struct pkt *p = arrive(&at);
            assert_int_equal(w_be32(pkt_data(p)), i);
            least = w_u64_min(least, at - i * gap[pass]);
            most = w_u64_max(most, at - i * gap[pass]);
            pkt_free(p);
        }
        assert_in_range(least, 30 * W_MS, (pass == 0 ? 31 : 40) * W_MS);
        assert_in_range(most, 49 * W_MS, 50 * W_MS);
        end();
    }
}

/* If this fails, a jitter above the delay sends frames into the past. */
static void jitter_above_delay_is_no_time_machine(void **state)
{
    (void)state;
    start("delay 1ms jitter 50ms");
    for (uint32_t i = 0; i < 500; i++)
        push(i * W_S, 100, i);
    for (uint32_t i = 0; i < 500; i++) {
        w_ns at;
        struct pkt *p = arrive(&at);
        assert_in_range(at, i * W_S, i * W_S + 51 * W_MS);
        pkt_free(p);
    }
    end();
}

/* If this fails, "reorder" changes nothing, or loses frames. */
static void reorder_holds_frames_back(void **state)
{
    (void)state;
    enum { N = 4000 };
    start("delay 10ms reorder 5% 3ms");
    for (uint32_t i = 0; i < N; i++)
        push(i * W_MS, 100, i);
    w_ns at;
    unsigned late = 0;
    uint32_t highest = 0;
    for (unsigned i = 0; i < N; i++) {
        struct pkt *p = arrive(&at);
        uint32_t number = w_be32(pkt_data(p));
        late += number < highest;
        highest = w_u32_max(highest, number);
        assert_in_range(at - number * W_MS, 10 * W_MS, 13 * W_MS);
        pkt_free(p);
    }
    assert_int_equal(late, emu.count[EMU_REORDER]);
    assert_in_range(late, 150, 250);
    end();
}

/* If this fails, duplicates are not the same bytes, or leak. */
static void duplicates_arrive_twice(void **state)
{
    (void)state;
    start("duplicate 100% delay 1ms");
    push(0, 5000, 7);
    w_ns at;
    for (unsigned i = 0; i < 2; i++) {
        struct pkt *p = arrive(&at);
        uint8_t bytes[5000];
        assert_int_equal(pkt_copy_out(p, 0, bytes, sizeof bytes), 5000);
        assert_int_equal(w_be32(bytes), 7);
        assert_int_equal(bytes[4999], (uint8_t)4999);
        assert_int_equal(at, W_MS);
        pkt_free(p);
    }
    assert_null(arrive(&at));
    assert_int_equal(emu.count[EMU_DUP], 1);
    end();
}

/* If this fails, "corrupt" damages the sender's own buffer, or more than one bit, or nothing. */
static void corruption_flips_one_bit_of_a_copy(void **state)
{
    (void)state;
    start("corrupt 100%");
    for (unsigned round = 0; round < 200; round++) {
        struct pkt *p = test_pkt(&pkts, 3000, 0);
        struct blk *shared = blk_ref(p->frag[0].b);
        uint8_t before[3000], after[3000], block[64];
        pkt_copy_out(p, 0, before, sizeof before);
        memcpy(block, shared->mem, sizeof block);
        p->csum = CSUM_GOOD;
        emu_push(&emu, round, p);
        assert_int_equal(emu_pop(&emu, round, &p, 1), 1);
        assert_int_equal(pkt_copy_out(p, 0, after, sizeof after), 3000);
        assert_int_equal(p->csum, CSUM_NONE);
        unsigned flipped = 0;
        for (unsigned i = 0; i < sizeof before; i++)
            flipped += (unsigned)__builtin_popcount(before[i] ^ after[i]);
        assert_int_equal(flipped, 1);
        assert_memory_equal(block, shared->mem, sizeof block);
        blk_unref(shared);
        pkt_free(p);
    }
    assert_int_equal(emu.count[EMU_CORRUPT], 200);
    end();
}

/* If this fails, a checksum left to hardware is computed over the damage and hides it. */
static void corruption_is_seen_by_an_undone_checksum(void **state)
{
    (void)state;
    start("corrupt 100%");
    for (unsigned round = 0; round < 100; round++) {
        struct pkt *p = test_pkt(&pkts, 200, 3);
        p->csum = CSUM_TODO;
        p->csum_start = 20;
        p->csum_at = 16;
        w_put16(pkt_data(p) + 36, 0);
        emu_push(&emu, round, p);
        assert_int_equal(emu_pop(&emu, round, &p, 1), 1);
        uint16_t sum = csum_fold(csum_pkt(CSUM_SCALAR, p, 20, 180, 0));
        uint8_t byte[1], good = 0;
        bool is_covered = false;
        for (uint32_t i = 0; i < 200; i++) {
            pkt_copy_out(p, i, byte, 1);
            good = (uint8_t)(3 + i);
            if (i >= 20 && i != 36 && i != 37 && byte[0] != good)
                is_covered = true;
        }
        if (is_covered)
            assert_int_not_equal(sum, 0);
        pkt_free(p);
    }
    end();
}

/* If this fails, a pulled cable still carries frames, or stays out for good. */
static void cuts_come_and_go(void **state)
{
    (void)state;
    start("cut every 10s for 500ms delay 1ms");
    push(9499 * W_MS, 60, 0);
    push(9500 * W_MS, 60, 1);
    push(9999 * W_MS, 60, 2);
    push(10000 * W_MS, 60, 3);
    assert_int_equal(emu.count[EMU_DROP_CUT], 2);
    emu_set_down(&emu, true, 11 * W_S);
    push(11 * W_S, 60, 4);
    emu_set_down(&emu, false, 12 * W_S);
    push(12 * W_S, 60, 5);
    assert_int_equal(emu.count[EMU_DROP_CUT], 3);
    assert_int_equal(drain(), 3);
    end();
}

/* If this fails, ECN-capable traffic is dropped at a queue that could have marked it, or traffic
 * that never agreed to ECN is marked. */
static void ecn_marks_above_the_threshold(void **state)
{
    (void)state;
    start("rate 8mbit ecn 1000b");
    for (unsigned i = 0; i < 4; i++) {
        struct pkt *p = test_pkt(&pkts, 1000, 0);
        struct wire_ip4 ip = {.tos = i == 3 ? ECN_NOT : ECN_ECT0,
                              .ttl = 64,
                              .total = 986,
                              .proto = PROTO_TCP,
                              .src = addr_ip4(1),
                              .dst = addr_ip4(2)};
        uint8_t mac[6] = {2};
        wire_eth_put(pkt_data(p), mac, mac, ETYPE_IP4);
        (void)wire_ip4_build(pkt_data(p) + 14, &ip, NULL);
        emu_push(&emu, 0, p);
    }
    unsigned ce[4] = {ECN_ECT0, ECN_CE, ECN_CE, ECN_NOT};
    for (unsigned i = 0; i < 4; i++) {
        w_ns at;
        struct pkt *p = arrive(&at);
        assert_int_equal(pkt_data(p)[15] & ECN_MASK, ce[i]);
        assert_true(wire_ip4_csum_ok(pkt_data(p) + 14, 20));
        pkt_free(p);
    }
    assert_int_equal(emu.count[EMU_ECN_MARK], 2);
    end();
}

/* If this fails, a link whose rate is changed while in use stalls or bursts. */
static void conditions_change_while_running(void **state)
{
    (void)state;
    start("rate 8mbit");
    for (unsigned i = 0; i < 3; i++)
        push(0, 1000, i);
    struct emu_conf faster = {.rate_bps = 80000000};
    emu_set_conf(&emu, &faster, W_MS / 2);
    w_ns at;
    pkt_free(arrive(&at));
    assert_int_equal(at, W_MS); /* already on the link */
    pkt_free(arrive(&at));
    assert_int_equal(at, W_MS + W_MS / 10);
    struct emu_conf perfect = {0};
    emu_set_conf(&emu, &perfect, at);
    push(at, 1000, 9);
    assert_int_equal(drain(), 2);
    end();
}

static void look_twice(const char *all)
{
    uint64_t count[2][EMU_N_COUNTERS];
    uint64_t sum[2] = {0, 0};
    for (unsigned pass = 0; pass < 2; pass++) {
        start(all);
        w_ns now = 0;
        for (uint32_t i = 0; i < 3000; i++) {
            now += (i * 7919 % 700) * W_US;
            push(now, 60 + i * 31 % 1400, i);
            struct pkt *p;
            while ((pass == 0 || i % 97 == 0) && emu_pop(&emu, now, &p, 1) == 1) {
                sum[pass] = sum[pass] * 31 + p->when + p->len;
                pkt_free(p);
            }
        }
        w_ns at;
        for (struct pkt *p = arrive(&at); p != NULL; p = arrive(&at)) {
            sum[pass] = sum[pass] * 31 + at + p->len;
            pkt_free(p);
        }
        memcpy(count[pass], emu.count, sizeof emu.count);
        end();
    }
    assert_int_equal(sum[0], sum[1]);
    assert_memory_equal(count[0], count[1], sizeof count[0]);
    assert_true(count[0][EMU_DROP_LIMIT] > 0);
    assert_true(count[0][EMU_REORDER] > 0);
    assert_int_equal(count[0][EMU_DROP_AQM] > 0, strstr(all, "aqm") != NULL);
}

/* If this fails, a simulation's result depends on how often somebody looked at the link. */
static void looking_changes_nothing(void **state)
{
    (void)state;
    look_twice("delay 5ms 2ms rate 15mbit limit 20 loss 3% reorder 2% duplicate 2% "
               "corrupt 2% cut every 100ms for 7ms loss gemodel 1% 20%");
    look_twice("delay 5ms rate 15mbit limit 20 reorder 2% aqm codel target 2ms interval 5ms");
    look_twice("delay 5ms rate 15mbit limit 20 reorder 2% aqm fq_codel target 2ms interval 5ms");
}

/* If this fails, a router's discipline changes frames' times on an idle link, or drops from it. */
static void a_discipline_on_an_idle_link_is_not_seen(void **state)
{
    (void)state;
    start("rate 8mbit delay 3ms aqm fq_codel");
    for (uint32_t i = 0; i < 5; i++) {
        w_ns at;
        push(i * W_S, 1000, i);
        struct pkt *p = arrive(&at);
        assert_int_equal(at, i * W_S + 4 * W_MS);
        pkt_free(p);
    }
    push(5 * W_S, 1000, 5);
    push(5 * W_S, 1000, 6);
    push(5 * W_S, 1000, 7);
    struct emu_conf plain = {.rate_bps = 80000000};
    emu_set_conf(&emu, &plain, 5 * W_S);
    w_ns at;
    for (uint32_t i = 0; i < 3; i++) {
        pkt_free(arrive(&at));
        assert_int_equal(at, 5 * W_S + W_MS + i * W_MS / 10);
    }
    end();
}

/* If this fails, a frame vanishes without a reason, or memory with it. */
static void nothing_is_lost_uncounted(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 7);
    for (unsigned seed = 0; seed < 60; seed++) {
        start("delay 0");
        struct emu_conf c = {
            .rate_bps = rng_below(&r, 3) * 10000000ull,
            .limit_pkts = 1 + rng_below(&r, 30),
            .delay_ns = rng_below(&r, 10000000),
            .jitter_ns = rng_below(&r, 10000000),
            .loss_ppm = rng_below(&r, 300000),
            .dup_ppm = rng_below(&r, 300000),
            .corrupt_ppm = rng_below(&r, 300000),
            .reorder_ppm = rng_below(&r, 300000),
            .aqm = seed % 2 != 0 ? AQM_CODEL + seed / 2 % 2 : 0,
            .target_us = 1000,
            .interval_us = 2000,
        };
        emu_init(&emu, &c, r, slots, 1 + rng_below(&r, 50), 0);
        w_ns now = 0;
        uint64_t got = 0;
        for (uint32_t i = 0; i < 400; i++) {
            now += rng_below(&r, 1000000);
            push(now, 1 + rng_below(&r, 4000), i);
            if (i % 97 == 96 && seed >= 30) {
                c.aqm = c.aqm == AQM_FIFO ? AQM_FQ_CODEL : AQM_FIFO;
                emu_set_conf(&emu, &c, now);
            }
            struct pkt *v[8];
            unsigned n = emu_pop(&emu, now, v, rng_below(&r, 9));
            got += n;
            while (n > 0)
                pkt_free(v[--n]);
        }
        got += drain();
        uint64_t ends = 0;
        for (unsigned i = EMU_DELIVERED; i <= EMU_DROP_FLUSH; i++)
            ends += emu.count[i];
        assert_int_equal(emu.count[EMU_PUSHED] + emu.count[EMU_DUP], ends);
        assert_int_equal(emu.count[EMU_DELIVERED], got);
        end();
    }
}

/* If this fails, an emulator without memory stops the network instead of its own tricks. */
static void no_memory_is_survived(void **state)
{
    (void)state;
    start("duplicate 100% corrupt 100%");
    struct pkt *all[N_PKTS];
    unsigned n = 0;
    while (pool_free_count(&pkts.mem.pkts) > 1)
        all[n++] = pkt_new(&pkts.mem);
    push(0, 60, 0);
    assert_int_equal(emu.count[EMU_DUP_NOMEM], 1);
    assert_int_equal(emu.count[EMU_CORRUPT_NOMEM], 1);
    assert_int_equal(drain(), 1);
    while (n > 0)
        pkt_free(all[--n]);
    end();
}

/* If this fails, a super-segment is lost, delayed and counted as one frame. */
static void super_segments_are_refused(void **state)
{
    (void)state;
    start("delay 0");
    struct pkt *p = test_pkt(&pkts, 3000, 0);
    p->gso_size = 1460;
    WEIR_EXPECT_ASSERT(emu_push(&emu, 0, p));
    pkt_free(p);
    end();
}

/* A frame of n bytes that carries TCP in an IP packet of its own length. */
static void push_ip(uint32_t n, bool is_ip6, bool may_cut)
{
    struct pkt *p = test_pkt(&pkts, n, 0);
    uint8_t *at = pkt_data(p), *ip = at + WIRE_ETH_HLEN;
    static const uint8_t a[6] = {2, 0, 0, 0, 0, 1}, b[6] = {2, 0, 0, 0, 0, 2};
    struct wire_ip4 h4 = {.ttl = 9,
                          .proto = PROTO_TCP,
                          .total = (uint16_t)(n - WIRE_ETH_HLEN),
                          .flags = may_cut ? 0 : IP4_DF,
                          .src = addr_ip4(0x0a000001),
                          .dst = addr_ip4(0x0a000002)};
    struct wire_ip6 h6 = {.hlim = 9, .next = PROTO_TCP, .plen = (uint16_t)(n - 54)};
    h6.src.b[15] = 1;
    h6.dst.b[15] = 2;
    h6.src.b[0] = h6.dst.b[0] = 0xfd;
    wire_eth_put(at, b, a, is_ip6 ? ETYPE_IP6 : ETYPE_IP4);
    if (is_ip6)
        (void)wire_ip6_build(ip, &h6);
    else
        (void)wire_ip4_build(ip, &h4, NULL);
    emu_push(&emu, emu.now, p);
}

/* If this fails, black holes are not simulated, or whole links are. [RFC 1191 3] */
static void a_narrow_hop_drops_what_may_not_be_cut(void **state)
{
    (void)state;
    start("mtu 1400b");
    push(0, 1500, 7); /* no IP: ARP and others are not big */
    push_ip(14 + 1400, false, false);
    push_ip(14 + 1401, false, true);
    push_ip(14 + 1401, false, false);
    push_ip(14 + 1400, true, false);
    push_ip(14 + 1401, true, false);
    assert_int_equal(emu.count[EMU_DROP_MTU], 2);
    assert_int_equal(drain(), 4);
    end();
}

/* If this fails, a hop that says what is too big says it to nobody, or late. [RFC 1191 4, RFC 4443
 * 3.2] */
static void a_narrow_hop_tells_its_sender(void **state)
{
    static struct emu back;
    static struct emu_slot back_slots[4];
    struct emu_conf slow = {.delay_ns = 30 * W_MS};
    struct rng rng = {0};
    struct pkt *p;
    (void)state;
    start("mtu 1400b icmp");
    emu_init(&back, &slow, rng, back_slots, 4, 0);
    emu_set_back(&emu, &back);
    push_ip(14 + 1500, false, false);
    push_ip(14 + 1500, true, false);
    assert_int_equal(emu.count[EMU_TOO_BIG], 2);
    assert_int_equal(emu_pop(&back, 30 * W_MS - 1, &p, 1), 0);
    assert_int_equal(emu_pop(&back, 30 * W_MS, &p, 1), 1);
    const uint8_t *ip = pkt_data(p) + WIRE_ETH_HLEN;
    assert_int_equal(pkt_data(p)[5], 1); /* to whom it came from */
    assert_true(wire_ip4_csum_ok(ip, WIRE_IP4_HLEN));
    assert_int_equal(w_be32(ip + 16), 0x0a000001);
    assert_int_equal(ip[20], ICMP4T_DEST_UNREACH);
    assert_int_equal(ip[21], ICMP4C_FRAG_NEEDED);
    assert_int_equal(w_be16(ip + 26), 1400);
    assert_int_equal(csum_fold(csum_partial(CSUM_SCALAR, ip + 20, wire_ip4_total(ip) - 20u, 0)), 0);
    pkt_free(p);
    assert_int_equal(emu_pop(&back, 30 * W_MS, &p, 1), 1);
    ip = pkt_data(p) + WIRE_ETH_HLEN;
    assert_int_equal(ip[40], ICMP6T_TOO_BIG);
    assert_int_equal(w_be32(ip + 44), 1400);
    assert_int_equal(ip[39], 1);
    pkt_free(p);
    emu_flush(&back);
    end();
}

/* If this fails, a person is shown the number of one event beside the name of another. */
static void counters_have_names(void **state)
{
    (void)state;
    assert_string_equal(emu_counter_text(EMU_DROP_LIMIT), "dropped: queue full");
    assert_string_equal(emu_counter_text(EMU_ECN_MARK), "marked CE");
    assert_string_equal(emu_counter_text(EMU_N_COUNTERS), "?");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rate_is_exact_to_the_nanosecond),
    cmocka_unit_test(fractions_are_carried),
    cmocka_unit_test(an_idle_link_starts_afresh),
    cmocka_unit_test(the_queue_is_limited),
    cmocka_unit_test(the_queue_is_limited_in_bytes),
    cmocka_unit_test(loss_is_as_frequent_as_asked),
    cmocka_unit_test(who_watches_is_told_of_every_drop),
    cmocka_unit_test(gilbert_elliott_loses_in_bursts),
    cmocka_unit_test(jitter_stays_in_bounds_and_in_order),
    cmocka_unit_test(jitter_above_delay_is_no_time_machine),
    cmocka_unit_test(reorder_holds_frames_back),
    cmocka_unit_test(duplicates_arrive_twice),
    cmocka_unit_test(corruption_flips_one_bit_of_a_copy),
    cmocka_unit_test(corruption_is_seen_by_an_undone_checksum),
    cmocka_unit_test(cuts_come_and_go),
    cmocka_unit_test(ecn_marks_above_the_threshold),
    cmocka_unit_test(conditions_change_while_running),
    cmocka_unit_test(looking_changes_nothing),
    cmocka_unit_test(a_discipline_on_an_idle_link_is_not_seen),
    cmocka_unit_test(nothing_is_lost_uncounted),
    cmocka_unit_test(no_memory_is_survived),
    cmocka_unit_test(super_segments_are_refused),
    cmocka_unit_test(a_narrow_hop_drops_what_may_not_be_cut),
    cmocka_unit_test(a_narrow_hop_tells_its_sender),
    cmocka_unit_test(counters_have_names),
};
UNIT_MAIN(tests)
