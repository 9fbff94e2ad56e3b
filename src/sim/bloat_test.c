/* SPDX-License-Identifier: Apache-2.0
 *
 * Bufferbloat, and its end: one CUBIC transfer through a router at 20 Mbit/s with a queue of 1000
 * packets. In order, the queue fills and everybody's round trip with it; under CoDel it does not.
 * [RFC 8289 1, RFC 8290 1]
 */
#include "unit.h"

#include "sim/load.h"
#include "stack/stack.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

enum { MBIT = 20, RTT_MS = 20, WARM_S = 10, SECONDS = 20, PAYLOAD = 1448, FRAME = 1514, CUBIC = 1 };

struct seen {
    uint32_t rtt_ms; /* smoothed, mean over SECONDS */
    uint32_t share;  /* of what the link could carry, per mille */
    uint64_t drops, marks;
};

static uint32_t srtt_us(const struct load_end *e, w_ns now)
{
    struct tcp_info ti;
    size_t n = sizeof(ti);
    assert_int_equal(weir_getsockopt(e->host->w, now, e->s, IPPROTO_TCP, TCP_INFO, &ti, &n), 0);
    return ti.tcpi_rtt;
}

static struct seen run(uint32_t aqm, uint32_t ecn)
{
    static struct oracle o;
    static struct load l;
    struct sim *s = sim_new(5);
    struct weir_conf c;
    assert_non_null(s);
    weir_conf_default(&c);
    c.tcp_congestion_control = CUBIC;
    c.tcp_ecn = ecn;
    struct sim_join j = {.a_ip = 0x0a000001, .b_ip = 0x0a000002, .mtu = 1500};
    j.ab = (struct emu_conf){.rate_bps = (uint64_t)MBIT * 1000000,
                             .delay_ns = RTT_MS * W_MS / 2,
                             .limit_pkts = 1000,
                             .aqm = aqm};
    j.ba = (struct emu_conf){.delay_ns = RTT_MS * W_MS / 2};
    j.a = sim_add_host(s, &c);
    j.b = sim_add_host(s, &c);
    assert_int_equal(sim_join(s, &j), 0);
    oracle_init(&o);
    load_init(&l, s, &o);
    assert_int_equal(load_listen(&l, j.b), 0);
    struct xfer *x = load_add(&l, j.a, j.b, 0x0a000002, s->now);
    x->end[0].conf.bytes = UINT64_MAX / 2;
    (void)load_run_world(&l, s->now + WARM_S * W_S);
    uint64_t before = x->end[1].got, rtt_us = 0;
    for (unsigned i = 0; i < 10 * SECONDS; i++) {
        (void)load_run_world(&l, s->now + W_S / 10);
        rtt_us += srtt_us(&x->end[0], s->now);
    }
    uint64_t could = (uint64_t)MBIT * 125000 * SECONDS / FRAME * PAYLOAD;
    const struct emu *e = &s->link[0].dir[0];
    struct seen seen = {.rtt_ms = (uint32_t)(rtt_us / (10 * SECONDS) / 1000),
                        .share = (uint32_t)((x->end[1].got - before) * 1000 / could),
                        .drops = e->count[EMU_DROP_LIMIT] + e->count[EMU_DROP_AQM],
                        .marks = e->count[EMU_ECN_MARK]};
    load_end_all(&l);
    (void)sim_free(s);
    if (getenv("BLOAT_VERBOSE") != NULL)
        print_message("%-8s ecn %u: round trip %u ms, share %u/1000, drops %u, marks %u\n",
                      aqm_name(aqm), ecn, seen.rtt_ms, seen.share, (unsigned)seen.drops,
                      (unsigned)seen.marks);
    return seen;
}

/* If this failed a call would stutter while somebody in the house sends photographs. */
static void codel_ends_bufferbloat(void **state)
{
    (void)state;
    struct seen fifo = run(AQM_FIFO, 0);
    assert_in_range(fifo.rtt_ms, 20 * RTT_MS, 40 * RTT_MS);
    for (uint32_t aqm = AQM_CODEL; aqm <= AQM_FQ_CODEL; aqm++) {
        struct seen s = run(aqm, 0);
        assert_in_range(s.rtt_ms, RTT_MS, 2 * RTT_MS);
        assert_in_range(s.share, 850, 1000);
        assert_true(s.drops > 0);
        assert_int_equal(s.marks, 0);
    }
}

/* If this failed ECN would be negotiated and the packets lost all the same. */
static void with_ecn_nothing_is_lost(void **state)
{
    (void)state;
    for (uint32_t aqm = AQM_CODEL; aqm <= AQM_FQ_CODEL; aqm++) {
        struct seen s = run(aqm, 1);
        assert_in_range(s.rtt_ms, RTT_MS, 2 * RTT_MS);
        assert_in_range(s.share, 850, 1000);
        assert_int_equal(s.drops, 0);
        assert_true(s.marks > 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(codel_ends_bufferbloat),
    cmocka_unit_test(with_ecn_nothing_is_lost),
};
UNIT_MAIN(tests)
