/* SPDX-License-Identifier: Apache-2.0
 *
 * The trace of whole stacks: a lossy transfer in which every byte's way can be told from the
 * records alone, and which is the same transfer whether anybody looks or not.
 */
#include "unit.h"

#include "sim/load.h"

#include <weir/trace.h>

enum { BYTES = 300000, RING = 1 << 16 };

struct story {
    struct weir_trace v[2][RING]; /* of each host */
    size_t n[2];
    uint64_t lost[2], hash;
};

/* A transfer from host 0 to host 1 over a path that loses packets. */
static void tell_over(struct story *y, uint32_t n_trace, const struct sim_nic_conf *nics)
{
    static struct oracle o;
    static struct load l;
    struct sim *s = sim_new(3);
    struct weir_conf c;
    assert_non_null(s);
    weir_conf_default(&c);
    c.n_trace = n_trace;
    struct sim_join j = {.a_ip = 0x0a000001, .b_ip = 0x0a000002, .mtu = 1500};
    j.ab = (struct emu_conf){.rate_bps = 20000000, .delay_ns = 5 * W_MS, .limit_bytes = 40000};
    j.ba = j.ab;
    j.ab.loss_ppm = 20000;
    j.nics = nics;
    j.a = sim_add_host(s, &c);
    j.b = sim_add_host(s, &c);
    assert_int_equal(sim_join(s, &j), 0);
    oracle_init(&o);
    load_init(&l, s, &o);
    assert_int_equal(load_listen(&l, j.b), 0);
    struct xfer *x = load_add(&l, j.a, j.b, 0x0a000002, s->now);
    x->end[0].conf.bytes = BYTES;
    assert_true(load_run_world(&l, s->now + 60 * W_S));
    for (unsigned i = 0; i < 2; i++) {
        y->n[i] = weir_trace_read(s->host[i].w, y->v[i], RING);
        y->lost[i] = weir_trace_lost(s->host[i].w);
    }
    y->hash = s->hash;
    load_end_all(&l);
    (void)load_run_world(&l, s->now + 200 * W_S);
    assert_int_equal(sim_free(s), 0);
}

static void tell(struct story *y, uint32_t n_trace) { tell_over(y, n_trace, NULL); }

static struct story story;

/* The first record of this kind at or after `from` that is about packet pkt (0: any) or the byte
 * seq. */
static size_t find(unsigned host, size_t from, unsigned kind, uint32_t pkt, uint32_t seq)
{
    for (size_t i = from; i < story.n[host]; i++) {
        const struct weir_trace *r = &story.v[host][i];
        bool is_it = pkt != 0 ? r->pkt == pkt : seq - r->seq < r->len;
        if (r->kind == kind && is_it)
            return i;
    }
    fail_msg("no record %s after %zu of host %u", weir_trace_name(kind), from, host);
    return 0;
}

static unsigned count(unsigned host, unsigned kind, unsigned why)
{
    unsigned n = 0;
    for (size_t i = 0; i < story.n[host]; i++)
        n += story.v[host][i].kind == kind && (why == 0 || story.v[host][i].why == why);
    return n;
}

/* The initial sequence number of the connection in which data was written. */
static uint32_t first_byte(void)
{
    for (size_t i = 0; i < story.n[0]; i++)
        if (story.v[0][i].kind == WEIR_T_WRITE)
            return story.v[0][i].seq;
    fail_msg("nothing was written");
    return 0;
}

/* If this failed nobody could say where a byte was when. */
static void a_byte_is_followed_from_write_to_read(void **state)
{
    (void)state;
    tell(&story, RING);
    assert_int_equal(story.lost[0] + story.lost[1], 0);
    for (uint32_t at = 0; at < BYTES; at += 9973) {
        uint32_t seq = first_byte() + at;
        size_t i = find(0, 0, WEIR_T_WRITE, 0, seq);
        i = find(0, i, WEIR_T_SEND, 0, seq);
        uint32_t whole = story.v[0][i].pkt;
        i = find(0, i, WEIR_T_QUEUE, whole, 0);
        uint64_t sent_at = story.v[0][i].at;
        i = find(1, 0, WEIR_T_SEGMENT, 0, seq);
        assert_in_range(story.v[1][i].at, sent_at + 5 * W_MS, UINT64_MAX);
        i = find(1, i, WEIR_T_KEEP, 0, seq);
        (void)find(1, i, WEIR_T_READ, 0, seq);
    }
}

/* If this failed the reason beside a packet would be somebody's guess. */
static void reasons_are_what_happened(void **state)
{
    (void)state;
    tell(&story, RING);
    assert_int_equal(count(0, WEIR_T_OPEN, 0), 1);
    assert_int_equal(count(0, WEIR_T_SEND, WEIR_WHY_SYN), 1);
    assert_int_equal(count(1, WEIR_T_SEND, WEIR_WHY_SYN_ACK), 1);
    assert_in_range(count(0, WEIR_T_SEND, WEIR_WHY_NEW), 20, BYTES / 1448 + 2);
    assert_in_range(count(0, WEIR_T_SEND, WEIR_WHY_FAST_RTX), 2, 100);
    assert_in_range(count(1, WEIR_T_SEND, WEIR_WHY_ACK_HOLE), 4, 200);
    assert_in_range(count(1, WEIR_T_SEND, WEIR_WHY_ACK_FILLED), 2, 100);
    for (size_t i = 0; i < story.n[0]; i++) {
        const struct weir_trace *r = &story.v[0][i];
        if (r->kind == WEIR_T_SEND && r->why == WEIR_WHY_FAST_RTX)
            assert_int_equal(r->tcp.recovery, 3);
        if (r->kind == WEIR_T_SEND && r->why == WEIR_WHY_NEW)
            assert_in_range(r->tcp.pipe + r->len, 1, r->tcp.cwnd + 1448);
    }
}

/* If this failed a packet of the trace could not be matched with one of the wire. */
static void each_packet_leaves_and_comes_back(void **state)
{
    (void)state;
    tell(&story, RING);
    for (size_t i = 0; i < story.n[0]; i++) {
        if (story.v[0][i].kind != WEIR_T_LEAVE)
            continue;
        size_t back = find(0, i, WEIR_T_SENT, story.v[0][i].pkt, 0);
        assert_int_equal(story.v[0][back].len, story.v[0][i].len);
    }
}

/* If this failed looking would change what is seen. */
static void looking_changes_nothing(void **state)
{
    (void)state;
    tell(&story, RING);
    uint64_t seen = story.hash;
    tell(&story, 0);
    assert_int_equal(story.n[0], 0);
    assert_int_equal(story.hash, seen);
    const struct sim_nic_conf nics = {.nic = {.features = NIC_F_TX_CSUM | NIC_F_TSO},
                                      .driver = {.offloads = NETDEV_TX_CSUM | NETDEV_TSO4}};
    tell_over(&story, RING, &nics);
    assert_in_range(count(0, WEIR_T_WIRE, 0), BYTES / 1448, 2 * BYTES / 1448);
    seen = story.hash;
    tell_over(&story, 0, &nics);
    assert_int_equal(story.hash, seen);
}

/* If this failed a trace nobody reads would grow or stop. */
static void what_is_not_read_is_overwritten_and_counted(void **state)
{
    (void)state;
    tell(&story, 100);
    assert_int_equal(story.n[0], 100);
    assert_in_range(story.lost[0], 100, UINT32_MAX);
    for (size_t i = 1; i < story.n[0]; i++)
        assert_true(story.v[0][i].at >= story.v[0][i - 1].at);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_byte_is_followed_from_write_to_read),
    cmocka_unit_test(reasons_are_what_happened),
    cmocka_unit_test(each_packet_leaves_and_comes_back),
    cmocka_unit_test(looking_changes_nothing),
    cmocka_unit_test(what_is_not_read_is_overwritten_and_counted),
};
UNIT_MAIN(tests)
