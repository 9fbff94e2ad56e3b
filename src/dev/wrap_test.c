/* SPDX-License-Identifier: Apache-2.0 */
#include "pkts.h"

#include "dev/wrap.h"

enum { N = 256, N_SLOTS = 64 };

static struct test_pkts left, right;
static struct mem_wire wire;

static void start(uint32_t flags, unsigned limit)
{
    struct netdev_caps caps = {.flags = flags, .mtu = 1500, .mac = {2, 0, 0, 0, 0, 1}};
    test_pkts_init(&left, N);
    test_pkts_init(&right, N);
    mem_wire_init(&wire, &caps, limit);
}

static void open_both(struct netdev *a, struct netdev *b)
{
    assert_int_equal(netdev_open(a, &left.mem), 0);
    assert_int_equal(netdev_open(b, &right.mem), 0);
}

static void end(struct netdev *a, struct netdev *b)
{
    netdev_close(a);
    netdev_close(b);
    test_pkts_fini(&left);
    test_pkts_fini(&right);
}

/* If this fails, the in-memory wire copies payload, and every benchmark measures memcpy. */
static void the_wire_moves_blocks(void **state)
{
    (void)state;
    start(NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4, 4);
    struct netdev *a = &wire.end[0].dev, *b = &wire.end[1].dev;
    open_both(a, b);
    assert_int_equal(b->caps.mac[5], 2);
    struct pkt *p = test_pkt(&left, 5000, 9), *got, *back;
    struct blk *block = p->frag[0].b;
    p->csum = CSUM_TODO;
    p->csum_start = 34;
    p->csum_at = 16;
    p->gso_size = 1460;
    p->gso_segs = 4;
    p->owner = 77;
    assert_int_equal(netdev_next(b, 0), W_NEVER);
    assert_int_equal(netdev_tx(a, 0, 5, &p, 1), 1);
    assert_int_equal(netdev_reap(a, 0, 5, &back, 1), 0);
    assert_int_equal(netdev_next(b, 0), 0);
    assert_int_equal(netdev_arm(b, 0, true), 1);
    assert_int_equal(netdev_rx(b, 0, 6, &got, 1), 1);
    assert_ptr_equal(got->home, &right.mem);
    assert_ptr_equal(got->frag[0].b, block);
    assert_int_equal(got->len, 5000);
    assert_int_equal(got->csum, CSUM_GOOD);
    assert_int_equal(got->csum_at, 16);
    assert_int_equal(got->gso_size, 1460);
    assert_int_equal(got->owner, 0);
    assert_int_equal(got->when, 6);
    assert_int_equal(netdev_reap(a, 0, 7, &back, 1), 1);
    assert_ptr_equal(back, p);
    assert_int_equal(back->owner, 77);
    pkt_free(got);
    pkt_free(back);
    end(a, b);
}

/* If this fails, a slow receiver makes the wire grow without bound instead of pushing back. */
static void the_wire_pushes_back(void **state)
{
    (void)state;
    start(0, 3);
    struct netdev *a = &wire.end[0].dev, *b = &wire.end[1].dev;
    open_both(a, b);
    struct pkt *v[5], *got[5];
    for (unsigned i = 0; i < 5; i++)
        v[i] = test_pkt(&left, 100, (uint8_t)i);
    assert_int_equal(netdev_tx(a, 0, 0, v, 5), 3);
    assert_int_equal(a->stats.tx_busy, 1);
    assert_int_equal(netdev_rx(b, 0, 0, got, 2), 2);
    assert_int_equal(netdev_tx(a, 0, 0, v + 3, 2), 2);
    assert_int_equal(netdev_rx(b, 0, 0, got + 2, 5), 3);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(pkt_data(got[i])[0], i);
        assert_int_equal(got[i]->csum, CSUM_NONE);
        pkt_free(got[i]);
    }
    end(a, b); /* the five to reap are freed by close */
}

/* If this fails, a receiver out of memory stops the wire, or loses frames without a number. */
static void a_receiver_without_memory_loses_frames(void **state)
{
    (void)state;
    start(0, 8);
    struct netdev *a = &wire.end[0].dev, *b = &wire.end[1].dev;
    open_both(a, b);
    struct pkt *hog[N], *p = test_pkt(&left, 100, 0), *got;
    for (unsigned i = 0; i < N; i++)
        hog[i] = pkt_new(&right.mem);
    assert_int_equal(netdev_tx(a, 0, 0, &p, 1), 1);
    assert_int_equal(netdev_rx(b, 0, 0, &got, 1), 0);
    assert_int_equal(b->stats.rx_nomem, 1);
    assert_int_equal(netdev_reap(a, 0, 0, &got, 1), 1);
    pkt_free(got);
    for (unsigned i = 0; i < N; i++)
        pkt_free(hog[i]);
    end(a, b);
}

struct seen {
    unsigned n[2];
    uint32_t bytes;
    uint8_t order[64];
    unsigned n_order;
};

static void see(void *ctx, w_ns now, enum cap_dir dir, const struct pkt *p)
{
    struct seen *s = ctx;
    (void)now;
    s->n[dir]++;
    s->bytes += p->len;
    s->order[s->n_order++ % 64] = pkt_data(p)[0];
}

/* If this fails, a capture misses frames, or shows those twice that the device refused at first. */
static void a_capture_shows_every_frame_once(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct cap_dev cap;
    start(NETDEV_TX_CSUM, 3);
    struct netdev *b = &wire.end[1].dev;
    cap_dev_init(&cap, &wire.end[0].dev, (struct cap_sink){see, &seen});
    assert_int_equal(cap.dev.caps.flags, NETDEV_TX_CSUM);
    open_both(&cap.dev, b);
    struct pkt *v[5], *got[8];
    for (unsigned i = 0; i < 5; i++)
        v[i] = test_pkt(&left, 100, (uint8_t)i);
    assert_int_equal(netdev_tx(&cap.dev, 0, 0, v, 5), 5); /* two are held */
    assert_int_equal(cap.n_held, 2);
    struct pkt *more = test_pkt(&left, 100, 5);
    assert_int_equal(netdev_tx(&cap.dev, 0, 0, &more, 1), 0);
    assert_int_equal(netdev_rx(b, 0, 0, got, 8), 3);
    assert_int_equal(netdev_tx(&cap.dev, 0, 0, &more, 1), 1);
    assert_int_equal(netdev_rx(b, 0, 0, got + 3, 5), 3);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(pkt_data(got[i])[0], i);
        assert_int_equal(seen.order[i], i);
        pkt_free(got[i]);
    }
    assert_int_equal(seen.n[CAP_TX], 6);
    struct pkt *in = test_pkt(&right, 60, 1);
    assert_int_equal(netdev_tx(b, 0, 0, &in, 1), 1);
    assert_int_equal(netdev_rx(&cap.dev, 0, 0, got, 8), 1);
    pkt_free(got[0]);
    assert_int_equal(seen.n[CAP_RX], 1);
    assert_int_equal(seen.bytes, 660);
    assert_int_equal(netdev_reap(&cap.dev, 0, 0, got, 8), 6);
    for (unsigned i = 0; i < 6; i++)
        pkt_free(got[i]);
    end(&cap.dev, b);
}

/* If this fails, delay and loss apply to one direction only, or TCP's limit on bytes in this host
 * counts what is in the network. */
static void an_emulated_link_has_two_directions(void **state)
{
    (void)state;
    struct emu_dev link;
    static struct emu_slot slots[2 * N_SLOTS];
    struct emu_conf up = {.delay_ns = 10 * W_MS}, down = {.delay_ns = 30 * W_MS};
    struct rng rng;
    rng_seed(&rng, 1);
    start(NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4 | NETDEV_LRO, 8);
    struct netdev *a = &link.dev, *b = &wire.end[1].dev;
    emu_dev_init(&link, &wire.end[0].dev, &up, &down, slots, N_SLOTS);
    emu_dev_start(&link, rng, W_S);
    assert_int_equal(a->caps.flags, 0);
    assert_int_equal(wire.end[0].dev.caps.flags, 0);
    open_both(a, b);

    struct pkt *p = test_pkt(&left, 3000, 4), *got;
    assert_int_equal(netdev_tx(a, 0, W_S, &p, 1), 1);
    assert_int_equal(netdev_next(a, 0), 0);
    assert_int_equal(netdev_reap(a, 0, W_S, &got, 1), 1); /* at once: it left this host */
    assert_ptr_equal(got, p);
    pkt_free(got);
    assert_int_equal(netdev_next(a, 0), W_S + 10 * W_MS);
    assert_int_equal(netdev_rx(a, 0, W_S + 10 * W_MS - 1, &got, 1), 0);
    assert_int_equal(netdev_rx(b, 0, W_S + 10 * W_MS - 1, &got, 1), 0);
    assert_int_equal(netdev_rx(a, 0, W_S + 10 * W_MS, &got, 1), 0);
    assert_int_equal(netdev_rx(b, 0, W_S + 10 * W_MS, &got, 1), 1);
    assert_int_equal(got->len, 3000);
    pkt_free(got);

    p = test_pkt(&right, 200, 4);
    assert_int_equal(netdev_tx(b, 0, 2 * W_S, &p, 1), 1);
    assert_int_equal(netdev_rx(a, 0, 2 * W_S, &got, 1), 0);
    assert_int_equal(netdev_next(a, 0), 2 * W_S + 30 * W_MS);
    assert_int_equal(netdev_rx(a, 0, 2 * W_S + 30 * W_MS, &got, 1), 1);
    assert_int_equal(got->when, 2 * W_S + 30 * W_MS);
    pkt_free(got);
    end(a, b);
}

/* If this fails, frames that the device below refuses are lost behind the emulated link, or
 * overtake each other there. */
static void an_emulated_link_keeps_what_is_refused(void **state)
{
    (void)state;
    struct emu_dev link;
    static struct emu_slot slots[2 * N_SLOTS];
    struct emu_conf none = {0};
    struct rng rng;
    rng_seed(&rng, 1);
    start(0, 2);
    struct netdev *a = &link.dev, *b = &wire.end[1].dev;
    emu_dev_init(&link, &wire.end[0].dev, &none, &none, slots, N_SLOTS);
    emu_dev_start(&link, rng, 0);
    open_both(a, b);
    uint8_t next = 0;
    for (unsigned i = 0; i < 50; i++) {
        struct pkt *p = test_pkt(&left, 60, (uint8_t)i);
        assert_int_equal(netdev_tx(a, 0, i, &p, 1), 1);
    }
    for (unsigned round = 0; round < 50; round++) {
        struct pkt *v[8];
        unsigned n = netdev_rx(b, 0, 100 + round, v, 8);
        for (unsigned i = 0; i < n; i++, next++) {
            assert_int_equal(pkt_data(v[i])[0], next);
            pkt_free(v[i]);
        }
        n = netdev_reap(a, 0, 100 + round, v, 8);
        while (n > 0)
            pkt_free(v[--n]);
    }
    assert_int_equal(next, 50);
    /* And what is inside at the end is freed by close. */
    for (unsigned i = 0; i < 50; i++) {
        struct pkt *p = test_pkt(&left, 60, (uint8_t)i);
        assert_int_equal(netdev_tx(a, 0, 1000 + i, &p, 1), 1);
    }
    end(a, b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_wire_moves_blocks),
    cmocka_unit_test(the_wire_pushes_back),
    cmocka_unit_test(a_receiver_without_memory_loses_frames),
    cmocka_unit_test(a_capture_shows_every_frame_once),
    cmocka_unit_test(an_emulated_link_has_two_directions),
    cmocka_unit_test(an_emulated_link_keeps_what_is_refused),
};
UNIT_MAIN(tests)
