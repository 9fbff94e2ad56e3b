/* SPDX-License-Identifier: Apache-2.0
 *
 * A thousand bulk transfers share an interface whose queue has ten places, under every discipline:
 * our own queue drops nothing of ours, and the link is busy. [ARCHITECTURE.md, law 6]
 */
#include "unit.h"
#include "weir_pair.h"

enum {
    FLOWS = WEIR_CHECKS ? 100 : 1000, /* sanitized builds are ten times slower */
    PLACES = 10,
    SLOT_NS = 12304, /* a full frame at 1 Gbit/s */
    SLOTS = WEIR_CHECKS ? 8000 : 40000,
    CHUNK = 8192,
    FULL = 500, /* a frame that carries data */
};

struct crowd {
    struct weir_pair p;
    weir_sock lsn, out[FLOWS];
    uint64_t n_full, n_slots, got;
};

/* The devices take one frame a slot each, and that is all they take. */
static void slot(struct crowd *c)
{
    static uint8_t bytes[2048];
    for (unsigned from = 0; from < 2; from++) {
        struct pkt *v;
        unsigned n = weir_tx(c->p.w[from], c->p.now, c->p.nif[from], &v, 1);
        if (n == 0)
            continue;
        size_t len = weir_pkt_copy(v, bytes, sizeof(bytes));
        struct pkt *q = weir_pkt(c->p.w[1 - from], bytes, len);
        assert_non_null(q);
        weir_sent(c->p.w[from], c->p.now, &v, 1);
        weir_rx(c->p.w[1 - from], c->p.now, c->p.nif[1 - from], &q, 1);
        c->n_full += from == 0 && len >= FULL;
    }
    c->p.now += SLOT_NS;
    c->n_slots++;
    for (unsigned i = 0; i < 2; i++)
        weir_tick(c->p.w[i], c->p.now);
}

/* Whoever can write writes, whatever came is read. */
static void programs(struct crowd *c)
{
    static uint8_t buf[65536];
    struct weir_event ev[64];
    unsigned n;
    while ((n = weir_events(c->p.w[0], ev, 64)) != 0)
        for (unsigned i = 0; i < n; i++)
            if ((ev[i].bits & WEIR_OUT) != 0)
                (void)weir_sendto(c->p.w[0], c->p.now, ev[i].sock, buf, CHUNK, 0, NULL);
    while ((n = weir_events(c->p.w[1], ev, 64)) != 0) {
        for (unsigned i = 0; i < n; i++) {
            weir_sock s;
            int64_t r;
            while ((ev[i].bits & WEIR_ACCEPT) != 0 &&
                   weir_accept(c->p.w[1], c->p.now, c->lsn, &s, NULL) == 0)
                continue;
            while ((r = weir_recvfrom(c->p.w[1], c->p.now, ev[i].sock, buf, sizeof(buf), 0, NULL)) >
                   0)
                c->got += (uint64_t)r;
        }
    }
}

static void crowd_open(struct crowd *c, uint32_t ecn)
{
    struct weir_conf conf;
    struct weir_addr at = pair_at(0, 80), to = pair_at(2, 80);
    pair_conf(&conf);
    conf.n_pkt = 16384;
    conf.n_blk_small = 16384;
    conf.n_blk_big = 4096;
    conf.n_tcb = conf.n_sock = FLOWS + 8;
    conf.n_syn = 2048;
    conf.n_sent = 16384;
    conf.tcp_ecn = ecn;
    memset(c, 0, sizeof(*c));
    pair_make(&c->p, &conf, 7);
    assert_int_equal(weir_socket(c->p.w[1], WEIR_INET, WEIR_STREAM, &c->lsn), 0);
    assert_int_equal(weir_bind(c->p.w[1], c->lsn, &at), 0);
    assert_int_equal(weir_listen(c->p.w[1], c->lsn, FLOWS), 0);
    for (unsigned i = 0; i < FLOWS; i++) {
        assert_int_equal(weir_socket(c->p.w[0], WEIR_INET, WEIR_STREAM, &c->out[i]), 0);
        assert_int_equal(weir_connect(c->p.w[0], c->p.now, c->out[i], &to), -EINPROGRESS);
        if (i == 0)
            pair_settle(&c->p); /* finds the neighbour, whose own queue is another matter */
        if (i != 0)
            continue;
        struct weir_qdisc q = {.kind = "fifo", .limit = PLACES};
        for (unsigned k = 0; k < 2; k++)
            assert_int_equal(weir_qdisc_set(c->p.w[k], c->p.now, c->p.nif[k], &q), 0);
    }
}

static void no_drops(struct crowd *c, unsigned side)
{
    static const char *const names[] = {"TCPLocalDrops", "QDISC_FULL",    "QDISC_AQM",
                                        "QDISC_FLOW",    "QDISC_HORIZON", "NOMEM"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (weir_counter_named(c->p.w[side], names[i]) != 0)
            fail_msg("%s is %llu on side %u", names[i],
                     (unsigned long long)weir_counter_named(c->p.w[side], names[i]), side);
}

static void crowd_runs(const char *kind, uint32_t ecn)
{
    static struct crowd c;
    struct weir_qdisc q = {.limit = PLACES, .rate_Bps = 120000000, .mark_at = 5};
    struct weir_qdisc_stats s;
    crowd_open(&c, ecn);
    memcpy(q.kind, kind, strlen(kind));
    for (unsigned k = 0; k < 2; k++)
        assert_int_equal(weir_qdisc_set(c.p.w[k], c.p.now, c.p.nif[k], &q), 0);
    for (unsigned i = 0; i < SLOTS; i++) {
        if (i == SLOTS / 4)
            c.n_full = c.n_slots = 0;
        slot(&c);
        programs(&c);
    }
    assert_int_equal(weir_qdisc_stats(c.p.w[0], c.p.now, c.p.nif[0], &s), 0);
    unsigned busy = (unsigned)(c.n_full * 1000 / c.n_slots);
    if (getenv("QDISC_VERBOSE") != NULL)
        print_message("%-8s ecn %u: busy %u/1000, high %u, full %u/1000 of the time, held %u, "
                      "marked %u, told %u, drops %u, retrans %u\n",
                      kind, ecn, busy, s.high_water,
                      (unsigned)(s.full_ns * 1000 / (SLOTS * (uint64_t)SLOT_NS)),
                      (unsigned)weir_counter_named(c.p.w[0], "TCPHeldBelow"), (unsigned)s.marked,
                      (unsigned)s.told, (unsigned)s.drops,
                      (unsigned)weir_counter_named(c.p.w[0], "TcpRetransSegs"));
    no_drops(&c, 0);
    no_drops(&c, 1);
    assert_int_equal(s.drops, 0);
    assert_true(s.high_water <= PLACES);
    assert_true(s.n_full > 0);
    assert_int_equal(weir_counter_named(c.p.w[0], "TCPTimeouts"), 0);
    assert_in_range(busy, 900, 1000);
    for (unsigned i = 0; i < FLOWS; i++)
        (void)weir_abort(c.p.w[0], c.p.now, c.out[i]);
    pair_end(&c.p);
}

/* If this failed a host would lose its own packets in its own queue, and take that for congestion
 * in the network. [demand 2] */
static void our_queue_drops_nothing_of_ours(void **state)
{
    (void)state;
    static const char *const kinds[] = {"fifo", "prio", "mark", "fq", "codel", "fq_codel", "tbf"};
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        crowd_runs(kinds[i], 0);
        if (strcmp(kinds[i], "mark") == 0 || strcmp(kinds[i], "fq_codel") == 0)
            crowd_runs(kinds[i], 1);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(our_queue_drops_nothing_of_ours),
};
UNIT_MAIN(tests)
