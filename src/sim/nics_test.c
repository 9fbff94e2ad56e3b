/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole stacks over whole NICs: driver, rings, DMA, interrupts, line. What TCP has promised holds
 * whatever the hardware does, and nothing is dropped on this side of the wire.
 */
#include "unit.h"

#include "sim/load.h"
#include "stack/stack.h"

enum { MB = 1000000, TEST_IP = 0x0a000002 };

struct rig {
    struct sim *s;
    struct oracle o;
    struct load l;
    struct xfer *x;
    struct sim_nics *nics;
};

static struct rig *r;

static void watch(void *ctx, w_ns now, unsigned host, bool is_out, const uint8_t *frame, uint32_t n)
{
    struct oracle *o = ctx;
    struct weir_qdisc_stats q;
    if (!is_out && weir_qdisc_stats(r->s->host[host].w, now, r->s->link[0].end[host].nif, &q) == 0)
        o->has_queue[host] = q.packets != 0 || sim_nics_has_frames(r->nics, host);
    oracle_watch(o, now, host, is_out, frame, n);
}

/* Two hosts and a connection over it that is about to carry `bytes`. */
static void start(const struct sim_nic_conf *nc, uint64_t bytes)
{
    static struct rig rig;
    struct weir_conf c;
    r = &rig;
    memset(r, 0, sizeof(*r));
    r->s = sim_new(7);
    assert_non_null(r->s);
    weir_conf_default(&c);
    struct sim_join j = {
        .a_ip = 0x0a000001, .b_ip = TEST_IP, .mtu = 1500, .has_ip6 = true, .nics = nc};
    j.a = sim_add_host(r->s, &c);
    j.b = sim_add_host(r->s, &c);
    assert_int_equal(sim_join(r->s, &j), 0);
    r->nics = r->s->link[0].nics;
    oracle_init(&r->o);
    r->s->watch = watch;
    r->s->watch_ctx = &r->o;
    load_init(&r->l, r->s, &r->o);
    r->l.is_dual = true;
    assert_int_equal(load_listen(&r->l, j.b), 0);
    r->x = load_add(&r->l, j.a, j.b, TEST_IP, r->s->now);
    r->x->end[0].conf.bytes = bytes;
}

static void finish(void)
{
    if (oracle_is_violated(&r->o))
        fail_msg("%s", r->o.violation);
    load_end_all(&r->l);
    assert_int_equal(sim_free(r->s), 0);
}

static uint64_t stat(unsigned side, enum nic_stat s) { return r->nics->end[side].nic.stat[s]; }
static uint64_t count(unsigned side, enum vnic_counter c)
{
    return r->nics->end[side].driver.count[c];
}

/* The NIC of `side` and its driver lost nothing, of neither direction. */
static void assert_nothing_dropped(unsigned side)
{
    const struct netdev_stats *s = &r->nics->end[side].driver.dev.stats;
    assert_int_equal(s->tx_dropped, 0);
    assert_int_equal(s->rx_dropped, 0);
    assert_int_equal(stat(side, NIC_S_RX_MISSED), 0);
    assert_int_equal(stat(side, NIC_S_RX_NO_BUFFER), 0);
    assert_int_equal(stat(side, NIC_S_RX_CSUM_ERRORS), 0);
}

static void run_until_got(uint64_t bytes, w_ns patience)
{
    w_ns until = r->s->now + patience;
    while (r->x->end[1].got < bytes && r->s->now < until && !oracle_is_violated(&r->o))
        (void)load_run_world(&r->l, r->s->now + 10 * W_MS);
    if (oracle_is_violated(&r->o))
        fail_msg("%s", r->o.violation);
    assert_int_equal(r->x->end[1].got, bytes);
}

static const uint32_t all_features = NIC_F_TX_CSUM | NIC_F_RX_CSUM | NIC_F_TSO | NIC_F_PAUSE;

/* If this failed an offload would damage or slow what it is to speed up. */
static void every_set_of_offloads_carries_the_line(void **state)
{
    (void)state;
    static const uint32_t set[] = {0, NETDEV_RX_CSUM, NETDEV_TX_CSUM,
                                   NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4 | NETDEV_TSO6};
    for (unsigned i = 0; i < WEIR_COUNT(set); i++) {
        start(&(struct sim_nic_conf){.nic.features = all_features,
                                     .nic.dma_latency_ns = 800,
                                     .driver.offloads = set[i],
                                     .driver.rx_ns = 20000,
                                     .driver.rx_frames = 16,
                                     .cable.delay_ns = 500},
              20 * MB);
        w_ns from = r->s->now;
        run_until_got(20 * MB, 2 * W_S);
        /* 20 MB in segments of 1448, 1538 byte times each: 169.9 ms, and slow start. */
        assert_in_range(r->s->now - from, 169 * W_MS, 200 * W_MS);
        assert_nothing_dropped(0);
        assert_nothing_dropped(1);
        assert_int_equal(stat(0, NIC_S_TX_TSO) != 0, (set[i] & NETDEV_TSO4) != 0);
        finish();
    }
}

/* If this failed an interrupt would come for each frame, or the stack would wait for one. */
static void interrupts_are_few_under_load(void **state)
{
    (void)state;
    start(&(struct sim_nic_conf){.driver.rx_ns = 100000,
                                 .driver.rx_frames = 32,
                                 .driver.tx_ns = 100000,
                                 .driver.tx_frames = 32},
          10 * MB);
    run_until_got(10 * MB, W_S);
    assert_true(stat(1, NIC_S_RX_PACKETS) > 6900);
    assert_true(count(1, VNIC_IRQS) < stat(1, NIC_S_RX_PACKETS) / 6);
    assert_int_equal(count(1, VNIC_LOST_IRQS), 0);
    finish();
}

/* The smallest rings there are: everything waits for everything, and nothing is lost. */
static void tiny_rings_slow_but_lose_nothing(void **state)
{
    (void)state;
    start(&(struct sim_nic_conf){.nic.features = all_features,
                                 .nic.dma_latency_ns = 2000,
                                 .driver.tx_ring = NIC_RING_MIN,
                                 .driver.rx_ring = NIC_RING_MIN,
                                 .driver.has_pause_rx = true,
                                 .driver.has_pause_tx = true},
          5 * MB);
    run_until_got(5 * MB, 5 * W_S);
    assert_nothing_dropped(0);
    assert_nothing_dropped(1);
    assert_true(r->nics->end[0].driver.dev.stats.tx_busy > 0);
    finish();
}

static uint64_t named(unsigned side, const char *wanted)
{
    const char *name;
    uint64_t value;
    for (unsigned i = 0; vnic_stat_at(&r->nics->end[side].driver, i, &name, &value); i++) {
        if (strcmp(name, wanted) == 0)
            return value;
    }
    fail_msg("no statistic %s", wanted);
    return 0;
}

/* If this failed a bad cable would reach a program, or `weir nic -S` not say what is bad. */
static void a_bad_cable_costs_time_only(void **state)
{
    (void)state;
    static const struct {
        struct cable_conf cable;
        const char *counted, *too;
    } row[] = {
        {{.corrupt_ppm = 10000, .seed = 3}, "rx_crc_errors", "rx_crc_errors"},
        {{.cut_ppm = 50000, .seed = 3}, "rx_short_length_errors", "rx_length_errors"},
        {{.babble_ppm = 10000, .seed = 3}, "rx_long_length_errors", "rx_length_errors"},
    };
    for (unsigned i = 0; i < 2 * WEIR_COUNT(row); i++) {
        start(&(struct sim_nic_conf){.nic.features = all_features,
                                     .driver.offloads = NETDEV_TX_CSUM | NETDEV_RX_CSUM,
                                     .cable = row[i / 2].cable},
              2 * MB);
        r->x->is_ip6 = i % 2 != 0;
        run_until_got(2 * MB, 20 * W_S);
        assert_true(named(1, row[i / 2].counted) > 0);
        assert_true(named(1, row[i / 2].too) > 0);
        assert_int_equal(stat(1, NIC_S_RX_CSUM_ERRORS), 0);
        finish();
    }
}

static void reset_nic(unsigned side)
{
    struct bus_pio pio = nic_pio(&r->nics->end[side].nic);
    bus_write(&pio, r->s->now, NIC_CTRL, NIC_CTRL_RESET);
}

/* The card loses its mind in the middle: rings, addresses, everything. The watchdog sees it. */
static void a_nic_that_resets_itself_is_brought_back(void **state)
{
    (void)state;
    start(&(struct sim_nic_conf){.nic.features = all_features, .nic.rate_bps = 100000000}, 40 * MB);
    for (unsigned i = 0; i < 6; i++) {
        (void)load_run_world(&r->l, r->s->now + 40 * W_MS + i * 1234567);
        reset_nic(i % 2);
        (void)load_run_world(&r->l, r->s->now + 500 * W_MS);
    }
    run_until_got(40 * MB, 20 * W_S);
    assert_true(count(0, VNIC_RESETS) == 3 && count(1, VNIC_RESETS) == 3);
    finish();
}

/* A handler that is never run: the NIC waits for an answer that does not come. */
static void lost_interrupts_are_found(void **state)
{
    (void)state;
    start(&(struct sim_nic_conf){0}, 5 * MB);
    for (unsigned i = 0; i < 20; i++) {
        (void)load_run_world(&r->l, r->s->now + W_MS);
        for (unsigned side = 0; side < 2; side++) {
            struct sim_nic_end *e = &r->nics->end[side];
            struct bus_pio pio = nic_pio(&e->nic);
            bus_write(&pio, r->s->now, NIC_QUEUE(0) + NIC_IRQ_ARM, 0);
        }
    }
    run_until_got(5 * MB, 20 * W_S);
    assert_true(count(0, VNIC_LOST_IRQS) + count(1, VNIC_LOST_IRQS) > 0);
    finish();
}

/* Return entries as a broken card writes them: the wrong buffer, one that is not its own, lengths
 * beyond the buffer. Believing one would hand a program somebody else's memory. */
static void return_entries_that_cannot_be_true(void **state)
{
    (void)state;
    static const struct nic_ret bad[] = {
        {.rx = 0x80000000, .hdr_len = 60, .flags = NIC_RET_DONE},
        {.rx = 5000, .hdr_len = 60, .flags = NIC_RET_DONE},
        {.rx = 0, .hdr_len = 0xffff, .flags = NIC_RET_DONE},
        {.rx = 0, .hdr_len = 256, .buf_len = 0xffff, .flags = NIC_RET_DONE | NIC_RET_MORE},
    };
    start(&(struct sim_nic_conf){.nic.rate_bps = 100000000}, 20 * MB);
    for (unsigned i = 0; i < WEIR_COUNT(bad); i++) {
        (void)load_run_world(&r->l, r->s->now + 100 * W_MS);
        struct vnic_queue *q = &r->nics->end[1].driver.q[0];
        struct nic_ret *e = &q->ret[q->ret_next % r->nics->end[1].driver.conf.rx_ring];
        *e = bad[i];
        if (bad[i].rx == 0)
            e->rx = q->rx_tail - 1;
        q->is_polling = true; /* the driver looks before the NIC writes over it */
    }
    run_until_got(20 * MB, 20 * W_S);
    /* The first two look torn; the NIC writes what is right over them. */
    assert_int_equal(count(1, VNIC_TORN_RET), 2);
    assert_int_equal(count(1, VNIC_BAD_RET), 2);
    assert_int_equal(count(1, VNIC_RESETS), 2);
    finish();
}

/* ---- several queues, and interrupts that follow the load ---- */

enum { FLOWS = 16 };

/* FLOWS connections over four queues, 1 MB each. */
static void start_flows(void)
{
    start(&(struct sim_nic_conf){.nic.features = all_features | NIC_F_RSS,
                                 .nic.n_queues = 4,
                                 .nic.dma_latency_ns = 800,
                                 .driver.n_queues = 4,
                                 .driver.rx_ns = 20000,
                                 .driver.rx_frames = 16,
                                 .driver.offloads = NETDEV_TX_CSUM | NETDEV_RX_CSUM},
          MB);
    for (unsigned i = 1; i < FLOWS; i++)
        load_add(&r->l, r->s->link[0].end[0].host, r->s->link[0].end[1].host, TEST_IP, r->s->now)
            ->end[0]
            .conf.bytes = MB;
}

static void finish_flows(void)
{
    assert_true(load_run_world(&r->l, r->s->now + 10 * W_S));
    for (unsigned i = 0; i < FLOWS; i++)
        assert_int_equal(r->l.xfer[i].end[1].got, MB);
    finish();
}

/* If this failed all flows would share one queue, or a flow would change its queue and its segments
 * would arrive out of order. */
static void flows_spread_over_queues_in_order(void **state)
{
    (void)state;
    start_flows();
    (void)load_run_world(&r->l, r->s->now + 100 * W_MS);
    for (unsigned side = 0; side < 2; side++) {
        const struct vnic *v = &r->nics->end[side].driver;
        uint64_t rx = 0;
        for (unsigned q = 0; q < 4; q++) {
            rx += v->q[q].rx_packets;
            assert_true(v->q[q].rx_packets > v->dev.stats.rx_frames / 16);
            assert_true(v->q[q].tx_packets > v->dev.stats.tx_frames / 16);
        }
        assert_int_equal(rx, v->dev.stats.rx_frames);
    }
    assert_int_equal(weir_counter_named(r->s->host[1].w, "TCPOFOQueue"), 0);
    finish_flows();
}

/* If this failed a name in `ethtool -S` would be missing, there twice, or count something else. */
static void statistics_have_their_usual_names(void **state)
{
    (void)state;
    static const char *const usual[] = {
        "rx_packets",       "tx_packets",       "rx_bytes",         "tx_bytes",
        "rx_crc_errors",    "rx_length_errors", "rx_missed_errors", "rx_no_buffer_count",
        "tx_pause",         "rx_pause",         "tx_timeout_count", "alloc_rx_buff_failed",
        "tx_queue_3_bytes", "interrupts"};
    const char *a, *b;
    uint64_t v, sum = 0;
    start_flows();
    (void)load_run_world(&r->l, r->s->now + 50 * W_MS);
    struct vnic *d = &r->nics->end[1].driver;
    for (unsigned i = 0; vnic_stat_at(d, i, &a, &v); i++) {
        unsigned same = 0;
        for (unsigned k = 0; vnic_stat_at(d, k, &b, &v); k++)
            same += strcmp(a, b) == 0;
        assert_int_equal(same, 1);
    }
    for (unsigned i = 0; i < WEIR_COUNT(usual); i++)
        (void)named(1, usual[i]);
    sum = named(1, "rx_queue_0_packets") + named(1, "rx_queue_1_packets") +
          named(1, "rx_queue_2_packets") + named(1, "rx_queue_3_packets");
    assert_int_equal(sum, d->dev.stats.rx_frames);
    assert_int_equal(named(1, "rx_packets"), stat(1, NIC_S_RX_PACKETS));
    assert_int_equal(named(1, "interrupts_taken"), count(1, VNIC_IRQS));
    finish_flows();
}

/* If this failed nobody could keep flows off a queue. */
static void the_table_says_where_flows_go(void **state)
{
    (void)state;
    uint8_t table[NIC_RSS_ENTRIES], key[4 * NIC_RSS_WORDS] = {0};
    memset(table, 2, sizeof(table));
    start_flows();
    (void)load_run_world(&r->l, r->s->now + 20 * W_MS);
    struct vnic *v = &r->nics->end[1].driver;
    assert_int_equal(vnic_set_rss(v, r->s->now, NULL, table), 0);
    (void)load_run_world(&r->l, r->s->now + 5 * W_MS); /* what is on its way */
    uint64_t two = v->q[2].rx_packets, all = v->dev.stats.rx_frames;
    (void)load_run_world(&r->l, r->s->now + 20 * W_MS);
    assert_true(v->dev.stats.rx_frames > all + 1000);
    assert_int_equal(v->q[2].rx_packets - two, v->dev.stats.rx_frames - all);
    /* The key of zeros leads everything to the first entry. */
    for (unsigned i = 0; i < NIC_RSS_ENTRIES; i++)
        table[i] = i == 0 ? 3 : 1;
    assert_int_equal(vnic_set_rss(v, r->s->now, key, table), 0);
    (void)load_run_world(&r->l, r->s->now + 5 * W_MS);
    uint64_t three = v->q[3].rx_packets, tx = v->q[3].tx_packets;
    all = v->dev.stats.rx_frames;
    (void)load_run_world(&r->l, r->s->now + 20 * W_MS);
    assert_int_equal(v->q[3].rx_packets - three, v->dev.stats.rx_frames - all);
    assert_true(v->q[3].tx_packets > tx);
    table[5] = 4;
    assert_int_equal(vnic_set_rss(v, r->s->now, NULL, table), -22);
    finish_flows();
}

/* Fewer queues while all are busy, and more again; nothing waits on a queue nobody looks at. */
static void queues_come_and_go(void **state)
{
    (void)state;
    start_flows();
    static const uint32_t n[] = {1, 3, 2, 4};
    for (unsigned i = 0; i < WEIR_COUNT(n); i++) {
        (void)load_run_world(&r->l, r->s->now + 10 * W_MS);
        for (unsigned side = 0; side < 2; side++) {
            struct vnic_conf c = r->nics->end[side].driver.conf;
            c.n_queues = n[i];
            assert_int_equal(vnic_set(&r->nics->end[side].driver, r->s->now, &c), 0);
        }
    }
    finish_flows();
}

/* Interrupts per received packet of a bulk transfer, in percent. */
static uint64_t irqs_percent(bool is_adaptive)
{
    start(&(struct sim_nic_conf){.nic.dma_latency_ns = 800, .driver.is_adaptive = is_adaptive},
          10 * MB);
    run_until_got(10 * MB, W_S);
    uint64_t percent = count(1, VNIC_IRQS) * 100 / stat(1, NIC_S_RX_PACKETS);
    finish();
    return percent;
}

static void adaptive_interrupts_are_few_in_bulk(void **state)
{
    (void)state;
    assert_true(irqs_percent(false) > 90);
    assert_true(irqs_percent(true) < 30);
}

/* If this failed segments merged by the NIC would be damaged, out of order, or not be merged. */
static void segments_are_merged_on_receipt(void **state)
{
    (void)state;
    for (unsigned family = 4; family <= 6; family += 2) {
        start(&(struct sim_nic_conf){.nic.features = all_features | NIC_F_LRO,
                                     .nic.dma_latency_ns = 800,
                                     .driver.offloads = NETDEV_RX_CSUM | NETDEV_LRO,
                                     .driver.rx_ns = 20000,
                                     .driver.rx_frames = 16,
                                     .cable.corrupt_ppm = 100},
              10 * MB);
        r->x->is_ip6 = family == 6;
        run_until_got(10 * MB, 10 * W_S);
        const struct netdev_stats *s = &r->nics->end[1].driver.dev.stats;
        assert_int_equal(stat(1, NIC_S_LRO_MERGED), count(1, VNIC_RX_LRO));
        assert_int_equal(s->rx_frames, stat(1, NIC_S_RX_PACKETS) - count(1, VNIC_RX_LRO));
        if (s->rx_frames > stat(1, NIC_S_RX_PACKETS) / 3)
            fail_msg("%u frames of %u", (unsigned)s->rx_frames,
                     (unsigned)stat(1, NIC_S_RX_PACKETS));
        finish();
    }
}

/* ---- faults that the card has by itself ---- */

static uint64_t injected(enum nic_fault_kind k)
{
    return r->nics->end[0].nic.fault.count[k] + r->nics->end[1].nic.fault.count[k];
}

static uint64_t both(const char *name) { return named(0, name) + named(1, name); }

/* 4 MB while both cards do k to `ppm` of a million; then they work. */
static void carry_with(enum nic_fault_kind k, uint32_t ppm, const struct sim_nic_conf *nc,
                       bool is_ip6)
{
    struct nic_fault_plan p = {.late_ns = 200 * W_US, .storm_ns = 8 * W_S, .seed = 9};
    p.ppm[k] = ppm;
    start(nc, 4 * MB);
    r->x->is_ip6 = is_ip6;
    for (unsigned i = 0; i < 2; i++)
        nic_set_faults(&r->nics->end[i].nic, &p);
    run_until_got(4 * MB, 60 * W_S);
    assert_true(injected(k) > 0);
}

/* If this failed a kind of fault would reach a program, stop it for ever, or have no name. */
static void each_fault_is_survived_and_counted(void **state)
{
    (void)state;
    static const struct {
        enum nic_fault_kind kind;
        uint32_t ppm;
        const char *counted; /* by card or driver */
    } f[] = {
        {NIC_FAULT_TORN_TXD, 50000, "tx_torn_descriptors"},
        {NIC_FAULT_TORN_RXD, 50000, "rx_torn_descriptors"},
        {NIC_FAULT_TORN_RET, 50000, "rx_torn_returns"},
        {NIC_FAULT_LATE_RET, 50000, "rx_late_returns"},
        {NIC_FAULT_LATE_COUNT, 50000, "tx_old_write_backs"},
        {NIC_FAULT_LATE_IRQ, 50000, "interrupts_spurious"},
        {NIC_FAULT_LOST_IRQ, 5000, "interrupts_lost"},
        {NIC_FAULT_UNMAPPED, 600, "dead_rings"},
        {NIC_FAULT_RESET, 200, "resets_found"},
        {NIC_FAULT_STORM, 2000, "rx_pause_storms"},
    };
    for (unsigned i = 0; i < 2 * WEIR_COUNT(f); i++) {
        carry_with(f[i / 2].kind, f[i / 2].ppm,
                   &(struct sim_nic_conf){.nic.features = all_features | NIC_F_RSS,
                                          .nic.n_queues = 2,
                                          .nic.dma_latency_ns = 800,
                                          .driver.n_queues = 1 + i / 2 % 2,
                                          .driver.tx_ring = 32,
                                          .driver.rx_ring = 32,
                                          .driver.offloads = NETDEV_TX_CSUM | NETDEV_RX_CSUM,
                                          .driver.first_index = 0u - 1000,
                                          .driver.has_pause_rx = true},
                   i % 2 != 0);
        if (both(f[i / 2].counted) == 0)
            fail_msg("%s: not counted", nic_fault_name(f[i / 2].kind));
        finish();
    }
}

/* Nobody sends, time passes. */
static void idle(w_ns time)
{
    w_ns until = r->s->now + time;
    while (sim_step(r->s, until))
        (void)load_run(&r->l);
}

/* The last count before silence is an old one: only the register knows that all has been sent. */
static void a_lost_count_is_fetched(void **state)
{
    (void)state;
    start(&(struct sim_nic_conf){0}, MB);
    run_until_got(MB, W_S);
    idle(W_S);
    struct vnic_queue *q = &r->nics->end[1].driver.q[0];
    assert_int_equal(q->tx_tail, q->tx_clean);
    *q->wb -= 3;
    q->tx_clean -= 3;
    idle(W_S);
    assert_int_equal(q->tx_tail, q->tx_clean);
    assert_int_equal(count(1, VNIC_LATE_COUNT), 1);
    assert_int_equal(count(1, VNIC_RESETS), 0);
    finish();
}

/* A line that takes no more bits, for no reason that a register shows. */
static void a_transmitter_that_hangs_is_reset(void **state)
{
    (void)state;
    start(&(struct sim_nic_conf){.nic.rate_bps = 100000000}, 10 * MB);
    (void)load_run_world(&r->l, r->s->now + 100 * W_MS);
    r->nics->end[0].nic.mac.line_free = W_NEVER - 1;
    run_until_got(10 * MB, 20 * W_S);
    assert_int_equal(count(0, VNIC_TX_HUNG), 1);
    assert_int_equal(count(0, VNIC_RESETS), 1);
    finish();
}

/* A torn entry whose other half never comes. */
static void what_stays_torn_is_a_reset(void **state)
{
    (void)state;
    start(&(struct sim_nic_conf){.nic.rate_bps = 100000000}, 10 * MB);
    (void)load_run_world(&r->l, r->s->now + 100 * W_MS);
    r->nics->end[1].nic.fault.plan = (struct nic_fault_plan){
        .ppm[NIC_FAULT_TORN_RET] = 1000000, .late_ns = 4000000000, .seed = 2};
    (void)load_run_world(&r->l, r->s->now + 10 * W_MS);
    r->nics->end[1].nic.fault.plan = (struct nic_fault_plan){0};
    run_until_got(10 * MB, 20 * W_S);
    assert_true(count(1, VNIC_TORN_RET) > 0);
    assert_int_equal(count(1, VNIC_BAD_RET), 1);
    assert_int_equal(count(1, VNIC_RESETS), 1);
    finish();
}

/* Buffers that memory was too short for come when there is memory, whoever asks for none. */
static void a_ring_without_buffers_is_filled_when_there_is_memory(void **state)
{
    (void)state;
    static struct pkt *taken[65536];
    unsigned n = 0;
    start(&(struct sim_nic_conf){.driver.rx_ring = 8}, MB);
    run_until_got(MB, W_S);
    idle(W_S);
    struct vnic *v = &r->nics->end[1].driver;
    while (n < WEIR_COUNT(taken) && (taken[n] = pkt_new(v->dev.mem)) != NULL)
        n++;
    struct vnic_conf c = v->conf;
    c.rx_ring = 256;
    assert_int_equal(vnic_set(v, r->s->now, &c), 0);
    assert_int_equal(vnic_rx_given(v, 0), 8); /* what it had */
    assert_true(count(1, VNIC_REFILL_FAILED) > 0);
    while (n != 0)
        pkt_free(taken[--n]);
    idle(W_S);
    assert_int_equal(vnic_rx_given(v, 0), 256);
    finish();
}

/* If this failed tuning a running interface would lose what is on its rings for ever. */
static void settings_change_while_it_runs(void **state)
{
    (void)state;
    start(&(struct sim_nic_conf){.nic.features = all_features}, 20 * MB);
    struct vnic_conf c = r->nics->end[0].driver.conf;
    static const uint32_t ring[] = {8, 1024, 16, 64};
    for (unsigned i = 0; i < WEIR_COUNT(ring); i++) {
        (void)load_run_world(&r->l, r->s->now + 20 * W_MS);
        c.tx_ring = c.rx_ring = ring[i];
        c.offloads = i % 2 != 0 ? NETDEV_TX_CSUM | NETDEV_RX_CSUM : 0;
        c.rx_frames = 1 + i * 10;
        c.rx_ns = 50000;
        for (unsigned side = 0; side < 2; side++)
            assert_int_equal(vnic_set(&r->nics->end[side].driver, r->s->now, &c), 0);
        assert_true(vnic_rx_given(&r->nics->end[1].driver, 0) <= ring[i]);
        assert_true(vnic_tx_used(&r->nics->end[0].driver, 0) <= ring[i]);
    }
    c.rx_ring = 100;
    assert_int_equal(vnic_set(&r->nics->end[0].driver, r->s->now, &c), -22);
    run_until_got(20 * MB, 10 * W_S);
    assert_int_equal(vnic_stat(&r->nics->end[1].driver, NIC_S_RX_PACKETS),
                     stat(1, NIC_S_RX_PACKETS));
    finish();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_set_of_offloads_carries_the_line),
    cmocka_unit_test(interrupts_are_few_under_load),
    cmocka_unit_test(tiny_rings_slow_but_lose_nothing),
    cmocka_unit_test(a_bad_cable_costs_time_only),
    cmocka_unit_test(a_nic_that_resets_itself_is_brought_back),
    cmocka_unit_test(lost_interrupts_are_found),
    cmocka_unit_test(return_entries_that_cannot_be_true),
    cmocka_unit_test(flows_spread_over_queues_in_order),
    cmocka_unit_test(statistics_have_their_usual_names),
    cmocka_unit_test(the_table_says_where_flows_go),
    cmocka_unit_test(queues_come_and_go),
    cmocka_unit_test(adaptive_interrupts_are_few_in_bulk),
    cmocka_unit_test(segments_are_merged_on_receipt),
    cmocka_unit_test(each_fault_is_survived_and_counted),
    cmocka_unit_test(a_lost_count_is_fetched),
    cmocka_unit_test(a_transmitter_that_hangs_is_reset),
    cmocka_unit_test(what_stays_torn_is_a_reset),
    cmocka_unit_test(a_ring_without_buffers_is_filled_when_there_is_memory),
    cmocka_unit_test(settings_change_while_it_runs),
};
UNIT_MAIN(tests)
