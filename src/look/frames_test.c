/* SPDX-License-Identifier: Apache-2.0
 *
 * Records and frames brought together: the comment beside a frame is its own story, told in order,
 * also when numbers are used again; what never reached the device is shown as well.
 */
#include "unit.h"

#include "look/look.h"
#include "pkt/pkt.h"
#include "wire/tcp.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT = 16, CONN = 77, ISS = 1000, IRS = 5000 };

struct seen {
    unsigned n;
    struct look_shown f[KEPT];
    char comment[KEPT][LOOK_TEXT];
};

static struct seen seen;
static struct look *look;
static struct pktmem mem;
static void *memory;

static void see(void *ctx, const struct look_shown *f)
{
    struct seen *s = ctx;
    assert_in_range(s->n, 0, KEPT - 1);
    s->f[s->n] = *f;
    memcpy(s->comment[s->n++], f->comment, strlen(f->comment) + 1);
}

static int begin(void **state)
{
    const struct pktmem_conf pc = {.n_pkt = 8, .n_blk_small = 8, .n_blk_big = 1};
    const struct look_conf lc = {.frame = see, .ctx = &seen};
    struct arena a;
    (void)state;
    memset(&seen, 0, sizeof seen);
    arena_init(&a, NULL, 0);
    pktmem_init(&mem, &a, &pc);
    memory = aligned_alloc(4096, (a.used + 8191) / 4096 * 4096);
    arena_init(&a, memory, (a.used + 8191) / 4096 * 4096);
    pktmem_init(&mem, &a, &pc);
    look = look_new(&lc);
    struct weir_trace open = {.kind = WEIR_T_OPEN, .conn = CONN, .seq = ISS, .ack = IRS};
    open.ends.local = (struct weir_trace_end){{[10] = 0xff, 0xff, 10, 0, 0, 1}, 40000};
    open.ends.remote = (struct weir_trace_end){{[10] = 0xff, 0xff, 10, 0, 0, 2}, 80};
    look_record(look, 0, &open);
    return 0;
}

static int end(void **state)
{
    (void)state;
    look_free(look);
    free(memory);
    return 0;
}

static void tell(uint64_t at, unsigned kind, uint32_t pkt, uint32_t len)
{
    const struct weir_trace r = {.at = at, .kind = (uint8_t)kind, .pkt = pkt, .len = len};
    look_record(look, 0, &r);
}

static struct weir_trace sending(uint64_t at, unsigned why, uint32_t pkt, uint32_t byte,
                                 uint32_t len)
{
    struct weir_trace r = {.at = at, .kind = WEIR_T_SEND, .conn = CONN, .pkt = pkt, .len = len};
    r.why = (uint8_t)why;
    r.seq = ISS + 1 + byte;
    r.ack = IRS + 1;
    r.flags = TCPF_ACK;
    r.tcp = (struct weir_trace_tcp){.cwnd = 14480, .ssthresh = INT32_MAX, .flight = 2896};
    r.tcp.recovery = why == WEIR_WHY_FAST_RTX ? 3 : 0;
    return r;
}

static struct pkt *frame(uint32_t n)
{
    static const uint8_t bytes[256] = {0xab};
    struct pkt *p = pkt_from_bytes(&mem, bytes, n);
    assert_non_null(p);
    return p;
}

static void assert_says(unsigned i, const char *part)
{
    if (i >= seen.n || strstr(seen.comment[i], part) == NULL)
        fail_msg("frame %u of %u does not say \"%s\": %s", i, seen.n, part,
                 i < seen.n ? seen.comment[i] : "");
}

/* A segment with this reason through all layers, each of which takes its time. */
static void send_one(uint64_t at, unsigned why, struct pkt *p)
{
    struct weir_trace s = sending(at, why, p->idx, 100, 50);
    look_record(look, 0, &s);
    tell(at, WEIR_T_QUEUE, p->idx, 104);
    tell(at + 2000, WEIR_T_LEAVE, p->idx, 104);
    look_frame(look, at + 2000, 0, true, p);
    tell(at + 2500, WEIR_T_SENT, p->idx, 104);
}

/* If this fails, whoever reads a capture is told another packet's reason, state or times. */
static void a_sent_frame_tells_why_and_how_long(void **state)
{
    (void)state;
    struct pkt *p = frame(104);
    struct weir_trace w = {.at = 9000, .kind = WEIR_T_WRITE, .conn = CONN, .seq = ISS + 1};
    w.len = 500;
    look_record(look, 0, &w);
    send_one(10000, WEIR_WHY_NEW, p);
    send_one(50000, WEIR_WHY_FAST_RTX, p); /* the same number again */
    send_one(60000, WEIR_WHY_FAST_RTX, p);
    look_settle(look, 70000);
    assert_int_equal(seen.n, 3);
    assert_says(0, "new data: bytes 100–149; cwnd 14480, ssthresh none, flight 2896");
    assert_says(0, "waited 1.0 µs from write to send, 2.0 µs in the qdisc");
    assert_says(0, "500 ns in the device");
    assert_says(1, "fast retransmit #1 of this recovery: bytes 100–149");
    assert_says(2, "fast retransmit #2 of this recovery");
    pkt_free(p);
}

/* If this fails, a packet is told the story of one that had its number before and was never heard
 * of again. */
static void a_number_s_last_story_is_its_own(void **state)
{
    (void)state;
    struct pkt *p = frame(60);
    struct weir_trace s = sending(10, WEIR_WHY_NEW, p->idx, 100, 50);
    look_record(look, 0, &s);
    tell(10, WEIR_T_QUEUE, p->idx, 104);
    tell(50, WEIR_T_QUEUE, p->idx, 60);
    tell(50, WEIR_T_LEAVE, p->idx, 60);
    look_frame(look, 50, 0, true, p);
    tell(60, WEIR_T_SENT, p->idx, 60);
    look_settle(look, 70);
    assert_int_equal(seen.n, 1);
    assert_says(0, "no segment of a connection");
    pkt_free(p);
}

/* A record of the card: by descriptor or, on the way up, by the frame's number too. */
static void card(uint64_t at, unsigned kind, unsigned queue, uint32_t desc, uint32_t number)
{
    struct weir_trace r = {.at = at, .kind = (uint8_t)kind, .flags = (uint16_t)queue};
    r.seq = desc;
    r.ack = number;
    look_record(look, 0, &r);
}

static void post_or_poll(uint64_t at, unsigned kind, unsigned queue, uint32_t desc, uint32_t pkt)
{
    struct weir_trace r = {.at = at, .kind = (uint8_t)kind, .flags = (uint16_t)queue, .pkt = pkt};
    r.seq = desc;
    look_record(look, 0, &r);
}

/* If this fails, time on a NIC's ring is told as time in its memory, or another packet's time: a
 * super-segment is two frames, the other queue has the same number, the ring has gone round. */
static void a_nic_s_share_of_the_time_is_told_apart(void **state)
{
    (void)state;
    struct pkt *p = frame(104), *other = frame(60);
    tell(10000, WEIR_T_QUEUE, p->idx, 104);
    tell(10000, WEIR_T_LEAVE, p->idx, 104);
    look_frame(look, 10000, 0, true, p);
    post_or_poll(10000, WEIR_T_POST, 1, 7, p->idx);
    post_or_poll(10000, WEIR_T_POST, 0, 7, other->idx);
    card(10900, WEIR_T_FETCH, 0, 7, 0);
    card(11500, WEIR_T_FETCH, 1, 7, 0);
    card(12500, WEIR_T_FETCH, 1, 7, 0);
    card(14000, WEIR_T_WIRE, 1, 7, 0);
    card(15500, WEIR_T_WIRE, 1, 7, 0);
    card(19000, WEIR_T_WIRE, 1, 7 + 1024, 0); /* no packet of ours */
    card(19500, WEIR_T_WIRE, 0, 7, 0);
    tell(20000, WEIR_T_SENT, p->idx, 104);
    look_settle(look, 21000);
    assert_int_equal(seen.n, 1);
    assert_says(0, "1.5 µs on the TX ring, 4.0 µs in the NIC");
    assert_null(strstr(seen.comment[0], "in the device"));
    pkt_free(p);
    pkt_free(other);
}

/* If this fails, what waited for an interrupt seems to have waited on the network. */
static void what_came_through_a_nic_tells_how_long_it_took(void **state)
{
    (void)state;
    struct pkt *a = frame(60), *b = frame(60);
    card(30000, WEIR_T_ARRIVE, 0, 0, 40);
    card(30100, WEIR_T_ARRIVE, 0, 0, 41);
    card(30800, WEIR_T_STORE, 2, 9, 40);
    card(31100, WEIR_T_STORE, 0, 9, 41);
    post_or_poll(80800, WEIR_T_POLL, 2, 9, a->idx);
    look_frame(look, 80800, 0, false, a);
    tell(80800, WEIR_T_COME, a->idx, 60);
    post_or_poll(81100, WEIR_T_POLL, 0, 9 + 1024, b->idx); /* its STORE is not here */
    look_frame(look, 81100, 0, false, b);
    card(82000, WEIR_T_STORE, 0, 10, 40 + 1024); /* its ARRIVE is not here */
    post_or_poll(82000, WEIR_T_POLL, 0, 10, a->idx);
    look_frame(look, 82000, 0, false, a);
    look_settle(look, 90000);
    assert_int_equal(seen.n, 3);
    assert_says(0, "waited 800 ns in the NIC, 50.0 µs on the RX ring");
    assert_null(strstr(seen.comment[1], "waited"));
    assert_null(strstr(seen.comment[2], "waited"));
    pkt_free(a);
    pkt_free(b);
}

/* If this fails, what an emulated link dropped is missing from the capture, or stands in it as if
 * it had come. */
static void what_the_network_drops_is_shown_without_bytes(void **state)
{
    (void)state;
    struct pkt *p = frame(60);
    look_lost(look, 50, 0, false, p, "queue full");
    look_lost(look, 60, 0, true, p, "loss");
    look_settle(look, 70);
    assert_int_equal(seen.n, 2);
    assert_says(0, "DROPPED on the emulated link, on its way in: queue full; ");
    assert_says(1, "DROPPED on the emulated link, on its way out: loss; ");
    assert_null(strstr(seen.comment[0], "connection"));
    assert_false(seen.f[0].is_out);
    assert_true(seen.f[1].is_out);
    assert_int_equal(seen.f[0].n, 0);
    assert_int_equal(seen.f[0].len, 60);
    pkt_free(p);
}

/* If this fails, frames stand in a capture in another order than they passed. */
static void a_frame_waits_for_its_end_and_others_for_it(void **state)
{
    (void)state;
    struct pkt *a = frame(60), *b = frame(60);
    tell(1, WEIR_T_QUEUE, a->idx, 60);
    tell(1, WEIR_T_LEAVE, a->idx, 60);
    look_frame(look, 1, 0, true, a);
    look_frame(look, 2, 0, false, b);
    tell(2, WEIR_T_COME, b->idx, 60);
    look_settle(look, 3);
    assert_int_equal(seen.n, 0);
    tell(9, WEIR_T_SENT, a->idx, 60);
    look_settle(look, 9);
    assert_int_equal(seen.n, 2);
    assert_true(seen.f[0].is_out);
    assert_false(seen.f[1].is_out);
    look_frame(look, 10, 0, true, a); /* no SENT ever comes */
    look_settle(look, 10 + W_S);
    assert_int_equal(seen.n, 3);
    pkt_free(a);
    pkt_free(b);
}

/* If this fails, a capture hides that the stack threw a received packet away. */
static void what_came_tells_its_fate(void **state)
{
    (void)state;
    struct pkt *a = frame(104), *b = frame(104);
    struct weir_trace s = sending(5, 0, a->idx, 0, 50);
    s.kind = WEIR_T_SEGMENT;
    s.seq = IRS + 1 + 2000;
    struct weir_trace ahead = {.at = 5, .kind = WEIR_T_AHEAD, .conn = CONN, .len = 50};
    look_frame(look, 5, 0, false, a);
    look_frame(look, 5, 0, false, b);
    tell(5, WEIR_T_COME, a->idx, 104);
    look_record(look, 0, &s);
    look_record(look, 0, &ahead);
    tell(5, WEIR_T_COME, b->idx, 104);
    struct weir_trace drop = {.at = 5, .kind = WEIR_T_DROP, .pkt = b->idx, .len = 104, .drop = 1};
    look_record(look, 0, &drop);
    look_settle(look, 6);
    assert_int_equal(seen.n, 2);
    assert_says(0, "bytes 2000–2049; 50 bytes kept ahead of a hole");
    assert_says(1, "DROPPED on its way up: ");
    assert_says(1, weir_trace_drop_name(1));
    pkt_free(a);
    pkt_free(b);
}

/* If this fails, a local drop is in no capture, or looks like another packet. */
static void what_never_left_is_shown_too(void **state)
{
    (void)state;
    struct weir_trace s = sending(10, WEIR_WHY_NEW, 3, 0, 1000);
    look_record(look, 0, &s);
    tell(11, WEIR_T_QUEUE, 3, 1054);
    struct weir_trace drop = {.at = 12, .kind = WEIR_T_DROP, .pkt = 3, .len = 1054, .drop = 2};
    look_record(look, 0, &drop);
    drop.pkt = 0; /* it could not even be made */
    look_record(look, 0, &drop);
    look_settle(look, 12);
    assert_int_equal(seen.n, 2);
    assert_says(0, "DROPPED at the qdisc: ");
    assert_says(0, "new data: bytes 0–999");
    assert_int_equal(seen.f[0].n, 14 + 20 + 20);
    assert_int_equal(seen.f[0].len, 1054);
    assert_int_equal(seen.f[1].n, 0);
    assert_null(seen.f[1].bytes);
}

/* If this fails, pieces of a super-segment all claim to be the whole. */
static void pieces_have_their_share(void **state)
{
    (void)state;
    struct weir_trace s = sending(10, WEIR_WHY_NEW, 3, 0, 150);
    struct pkt *a = frame(154), *b = frame(104);
    look_record(look, 0, &s);
    tell(10, WEIR_T_QUEUE, 3, 54 + 150);
    struct weir_trace cut = {.at = 11, .kind = WEIR_T_CUT, .pkt = a->idx, .used = 3, .len = 154};
    if (a->idx == 3 || b->idx == 3)
        skip();
    look_record(look, 0, &cut);
    look_frame(look, 11, 0, true, a);
    cut.pkt = b->idx;
    cut.len = 104;
    cut.max = 1;
    look_record(look, 0, &cut);
    look_frame(look, 11, 0, true, b);
    look_settle(look, 11 + W_S);
    assert_int_equal(seen.n, 2);
    assert_says(0, "bytes 0–99;");
    assert_says(1, "bytes 100–149;");
    pkt_free(a);
    pkt_free(b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_sent_frame_tells_why_and_how_long, begin, end),
    cmocka_unit_test_setup_teardown(a_number_s_last_story_is_its_own, begin, end),
    cmocka_unit_test_setup_teardown(a_nic_s_share_of_the_time_is_told_apart, begin, end),
    cmocka_unit_test_setup_teardown(what_came_through_a_nic_tells_how_long_it_took, begin, end),
    cmocka_unit_test_setup_teardown(what_the_network_drops_is_shown_without_bytes, begin, end),
    cmocka_unit_test_setup_teardown(a_frame_waits_for_its_end_and_others_for_it, begin, end),
    cmocka_unit_test_setup_teardown(what_came_tells_its_fate, begin, end),
    cmocka_unit_test_setup_teardown(what_never_left_is_shown_too, begin, end),
    cmocka_unit_test_setup_teardown(pieces_have_their_share, begin, end),
};
UNIT_MAIN(tests)
