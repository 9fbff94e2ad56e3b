/* SPDX-License-Identifier: Apache-2.0
 *
 * Congestion control at work: whole stacks, one bulk transfer over 100 Mbit/s and 20 ms, alone,
 * with noise, with a queue that marks. What cc/path_test.c says of a model is true of the stack.
 */
#include "unit.h"

#include "sim/load.h"
#include "stack/stack.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

enum { MBIT = 100, RTT_MS = 20, SECONDS = 4, PAYLOAD = 1448, FRAME = 1514 };
enum { IN_FLIGHT = 172 }; /* packets of the path */

struct bulk {
    uint32_t cc;         /* as the setting tcp_congestion_control */
    uint32_t ecn;        /* tcp_ecn of both */
    uint32_t ecn_option; /* tcp_ecn_option of both, where ecn is 3 */
    uint32_t loss_ppm;
    uint64_t mark_bytes;
    uint32_t limit_pkts; /* of the queue, 0: 172, what the path holds */
};

struct bulk_seen {
    uint32_t share;     /* of what the link could carry, per mille, without the first second */
    uint32_t queue_max; /* packets */
    uint64_t marks, drops;
    uint64_t told; /* marks that the sender knows of */
};

static uint64_t marks_told(struct sim *s, const struct load_end *e)
{
    struct weir_tcp_info i;
    size_t n = sizeof i;
    assert_int_equal(weir_getsockopt(e->host->w, s->now, e->s, IPPROTO_TCP, TCP_INFO, &i, &n), 0);
    assert_int_equal(n, sizeof i);
    return i.delivered_ce;
}

static void watch(void *ctx, w_ns now, unsigned host, bool is_out, const uint8_t *frame, uint32_t n)
{
    oracle_watch(ctx, now, host, is_out, frame, n);
}

static struct sim_join join_of(const struct bulk *b)
{
    struct sim_join j = {.a_ip = 0x0a000001, .b_ip = 0x0a000002, .mtu = 1500};
    j.ab = (struct emu_conf){.rate_bps = (uint64_t)MBIT * 1000000,
                             .delay_ns = RTT_MS * W_MS / 2,
                             .loss_ppm = b->loss_ppm,
                             .ecn_bytes = b->mark_bytes,
                             .limit_pkts = b->limit_pkts != 0 ? b->limit_pkts : 172};
    j.ba = (struct emu_conf){.delay_ns = RTT_MS * W_MS / 2};
    return j;
}

static struct bulk_seen run(const struct bulk *b)
{
    static struct oracle o;
    static struct load l;
    struct sim *s = sim_new(5);
    struct weir_conf c;
    assert_non_null(s);
    weir_conf_default(&c);
    c.tcp_congestion_control = b->cc;
    c.tcp_ecn = b->ecn;
    if (b->ecn == 3)
        c.tcp_ecn_option = b->ecn_option;
    struct sim_join j = join_of(b);
    j.a = sim_add_host(s, &c);
    j.b = sim_add_host(s, &c);
    assert_int_equal(sim_join(s, &j), 0);
    oracle_init(&o);
    s->watch = watch;
    s->watch_ctx = &o;
    load_init(&l, s, &o);
    assert_int_equal(load_listen(&l, j.b), 0);
    struct xfer *x = load_add(&l, j.a, j.b, 0x0a000002, s->now);
    x->end[0].conf.bytes = UINT64_MAX / 2;
    (void)load_run_world(&l, s->now + W_S);
    uint64_t before = x->end[1].got;
    (void)load_run_world(&l, s->now + SECONDS * W_S);
    if (oracle_is_violated(&o))
        fail_msg("%s", o.violation);
    uint64_t could = (uint64_t)MBIT * 125000 * SECONDS / FRAME * PAYLOAD;
    const struct emu *e = &s->link[0].dir[0];
    struct bulk_seen seen = {.share = (uint32_t)((x->end[1].got - before) * 1000 / could),
                             .queue_max = e->queued_max,
                             .marks = e->count[EMU_ECN_MARK],
                             .told = marks_told(s, &x->end[0]),
                             .drops = e->count[EMU_DROP_LIMIT]};
    load_end_all(&l);
    (void)sim_free(s);
    if (getenv("BULK_VERBOSE") != NULL)
        print_message(
            "cc %u ecn %u loss %u mark %u: share %u, queue %u, marks %u, told %u, drops %u\n",
            b->cc, b->ecn, b->loss_ppm, (unsigned)b->mark_bytes, seen.share, seen.queue_max,
            (unsigned)seen.marks, (unsigned)seen.told, (unsigned)seen.drops);
    return seen;
}

enum { RENO, CUBIC, VEGAS, WESTWOOD, BIC, DCTCP, BBR, LEDBAT, BBR1 };

/* If this failed bulk transfers would crawl on an ordinary link. */
static void every_algorithm_fills_the_link(void **state)
{
    (void)state;
    for (uint32_t cc = RENO; cc <= BBR1; cc++) {
        struct bulk_seen seen = run(&(struct bulk){.cc = cc});
        assert_in_range(seen.share, cc == BBR ? 950 : 800, 1000);
    }
}

/* If this failed BBR's measurements or pacing would be wrong: noise is no congestion to it, but
 * halves others again and again. */
static void noise_does_not_stop_bbr(void **state)
{
    (void)state;
    struct bulk_seen bbr = run(&(struct bulk){.cc = BBR, .loss_ppm = 10000});
    struct bulk_seen cubic = run(&(struct bulk){.cc = CUBIC, .loss_ppm = 10000});
    assert_in_range(cubic.share, 20, 150);
    assert_in_range(bbr.share, 800, 1000);
}

/* If this failed ECN would not do what it is for: no loss at all where a queue marks in time. */
static void marks_instead_of_losses(void **state)
{
    (void)state;
    for (uint32_t cc = RENO; cc <= BBR1; cc++) {
        struct bulk_seen seen = run(&(struct bulk){.cc = cc, .ecn = 1, .mark_bytes = 100000});
        /* BBR's first probe is fast, and the first version's knows neither marks nor losses */
        assert_in_range(seen.drops, 0, cc == BBR ? 50 : cc == BBR1 ? 1000 : 0);
        assert_in_range(seen.share, 700, 1000);
    }
}

/* If this failed DCTCP's short queue would be a wish: it stays near the threshold where
 * Reno, without ECN, fills the buffer. */
static void dctcp_stays_at_the_threshold(void **state)
{
    (void)state;
    struct bulk_seen dctcp =
        run(&(struct bulk){.cc = DCTCP, .ecn = 1, .mark_bytes = 50000, .limit_pkts = 1000});
    assert_in_range(dctcp.share, 950, 1000);
    assert_true(dctcp.marks > 100);
    assert_int_equal(dctcp.drops, 0);
    struct bulk_seen deaf = run(&(struct bulk){.cc = RENO, .mark_bytes = 50000});
    assert_int_equal(deaf.marks, 0);
    assert_true(deaf.drops > 0);
}

/* If this failed the marks that routers set and those that senders hear of would not be the same:
 * with every algorithm, a clean path and one that loses; with the option, and with no more than
 * three bits. What is on its way is all that may be missing. [RFC 9768 3.2.2.5.2 SHLD-19] */
static void every_mark_is_fed_back(void **state)
{
    static const struct {
        uint32_t cc, loss_ppm, option;
    } rows[] = {{RENO, 0, 2},  {CUBIC, 0, 0},     {DCTCP, 0, 2},     {DCTCP, 0, 1},
                {DCTCP, 0, 0}, {CUBIC, 10000, 2}, {DCTCP, 10000, 0}, {BBR, 10000, 2}};
    (void)state;
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        struct bulk_seen seen = run(&(struct bulk){.cc = rows[i].cc,
                                                   .ecn = 3,
                                                   .ecn_option = rows[i].option,
                                                   .mark_bytes = 50000,
                                                   .loss_ppm = rows[i].loss_ppm});
        assert_true(seen.marks > 0);
        /* Lost after they were marked: their bytes come again, not their marks. */
        uint64_t lost = seen.marks * rows[i].loss_ppm / 1000000 * 2 + (rows[i].loss_ppm ? 20 : 0);
        assert_in_range(seen.told, seen.marks - w_u64_min(seen.marks, lost + IN_FLIGHT),
                        seen.marks + (rows[i].loss_ppm ? 8 : 0));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_mark_is_fed_back),
    cmocka_unit_test(every_algorithm_fills_the_link),
    cmocka_unit_test(noise_does_not_stop_bbr),
    cmocka_unit_test(marks_instead_of_losses),
    cmocka_unit_test(dctcp_stays_at_the_threshold),
};
UNIT_MAIN(tests)
