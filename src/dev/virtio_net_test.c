/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtio driver against a device that does what it should, and one that does not. If this
 * failed, a device that lies would crash weir or make it use memory it has given away.
 */
#include "unit.h"

#include "dev/vnet.h"
#include "virtio_rig.h"
#include "wire/eth.h"

enum { N = 700, BURST = 64, TCP_AT = 34 };

static struct rig r;
static uint8_t frame[RIG_FRAME], wire[RIG_FRAME];
static const uint8_t plain[VNET_HLEN];
static w_ns now;

static struct netdev *dev(void) { return &r.nic.dev; }
static uint64_t counted(enum virtio_net_counter c) { return r.nic.count[c]; }

static void start_with(uint64_t offers, uint16_t queue_max, uint32_t offloads)
{
    now = 10 * W_S;
    for (uint32_t i = 0; i < sizeof frame; i++)
        frame[i] = (uint8_t)(i * 7 + i / 256);
    rig_init(&r, N, queue_max);
    r.offers |= offers;
    assert_int_equal(rig_probe(&r, offloads, 0), 0);
    assert_int_equal(netdev_open(dev(), &r.mem), 0);
}

static void start(void) { start_with(0, 256, 0); }

static void end(void)
{
    netdev_close(dev());
    rig_free(&r);
    assert_int_equal(r.faults, 0);
}

static struct pkt *receive_one(void)
{
    struct pkt *p = NULL;
    return netdev_rx(dev(), 0, now, &p, 1) == 1 ? p : NULL;
}

static struct pkt *packet(uint32_t n)
{
    struct pkt *p = pkt_from_bytes(&r.mem, frame, n);
    assert_non_null(p);
    return p;
}

static void send_one(struct pkt *p) { assert_int_equal(netdev_tx(dev(), 0, now, &p, 1), 1); }

static unsigned reap_all(void)
{
    struct pkt *v[BURST];
    unsigned n = netdev_reap(dev(), 0, now, v, BURST);
    for (unsigned i = 0; i < n; i++)
        pkt_free(v[i]);
    return n;
}

static void arrives(uint32_t n)
{
    assert_true(rig_arrive(&r, plain, frame, n));
    struct pkt *p = receive_one();
    assert_non_null(p);
    assert_int_equal(p->len, n);
    assert_int_equal(p->csum, CSUM_NONE);
    assert_int_equal(pkt_copy_out(p, 0, wire, n), n);
    assert_memory_equal(wire, frame, n);
    pkt_free(p);
}

static void departs(uint32_t n)
{
    send_one(packet(n));
    assert_int_equal(rig_depart(&r, wire, NULL), VIRTIO_NET_HLEN + n);
    assert_memory_equal(wire + VIRTIO_NET_HLEN, frame, n);
    assert_int_equal(reap_all(), 1);
}

/* ---- frames ---- */

/* If this fails, bytes get lost where a buffer crosses a page or a ring wraps. */
static void frames_cross_both_ways(void **state)
{
    (void)state;
    const uint16_t sizes[] = {4, 8, 256, 1024};
    for (unsigned s = 0; s < WEIR_COUNT(sizes); s++) {
        start_with(0, sizes[s], 0);
        assert_int_equal(r.nic.rx.size, w_u32_min(sizes[s], VIRTQ_MAX));
        assert_memory_equal(dev()->caps.mac, "\x52\x54\x00\x12\x34\x56", 6);
        assert_int_equal(dev()->caps.mtu, 1500);
        /* More often than 16 bits count. */
        for (uint32_t i = 0; i < (s == 1 ? 70000u : 600u); i++) {
            arrives(60 + i % 1455);
            departs(60 + i % 1455);
        }
        assert_int_equal(counted(VIRTIO_NET_RESETS), 0);
        end();
    }
}

/* If this fails, a super-segment's fragments leave in the wrong order, or not at all. */
static void long_packets_leave_in_pieces(void **state)
{
    (void)state;
    start_with(VIRTIO_NET_F(CSUM) | VIRTIO_NET_F(HOST_TSO4) | VIRTIO_NET_F(HOST_TSO6) |
                   VIRTIO_NET_F(HOST_ECN),
               256, UINT32_MAX);
    assert_true(netdev_has(dev(), NETDEV_TX_CSUM | NETDEV_TSO4 | NETDEV_TSO6));
    assert_int_equal(dev()->caps.gso_max, 65535);
    frame[TCP_AT + 12] = 0x50; /* a TCP header of 20 bytes, */
    frame[TCP_AT + 13] = 0x90; /* with CWR and ACK */
    w_put16(frame + 12, ETYPE_IP6);
    struct pkt *p = packet(60000);
    p->csum = CSUM_TODO;
    p->csum_start = (uint16_t)(p->off + TCP_AT);
    p->csum_at = 16;
    p->gso_size = 1460;
    send_one(p);
    assert_int_equal(rig_depart(&r, wire, NULL), VIRTIO_NET_HLEN + 60000);
    const uint8_t header[] = {1, 0x84, 54, 0, 1460 & 0xff, 1460 >> 8, TCP_AT, 0, 16, 0, 0, 0};
    assert_memory_equal(wire, header, sizeof header);
    assert_memory_equal(wire + VIRTIO_NET_HLEN, frame, 60000);
    assert_int_equal(counted(VIRTIO_NET_TX_SUPER), 1);
    assert_int_equal(reap_all(), 1);
    end();
}

/* If this fails, a card of long frames is told to be content with short ones and loses what comes:
 * [virtio 1.2, 5.1.4.2] whoever accepts its MTU has buffers for it. */
static void long_frames_arrive(void **state)
{
    (void)state;
    for (unsigned merged = 0; merged < 2; merged++) {
        now = 10 * W_S;
        rig_init(&r, N, 64);
        r.offers |= VIRTIO_NET_F(MTU) | (merged ? VIRTIO_NET_F(MRG_RXBUF) : 0);
        r.config[10] = 9000 & 0xff;
        r.config[11] = 9000 >> 8;
        assert_int_equal(rig_probe(&r, 0, 1500), 0);
        assert_int_equal(dev()->caps.mtu, 1500);
        assert_int_equal(netdev_open(dev(), &r.mem), 0);
        for (unsigned i = 0; i < 100; i++) {
            arrives(9014);
            arrives(60);
        }
        end();
    }
}

/* If this fails, a card with a short ring drops every super-segment, and TCP sends it again. */
static void a_short_ring_gets_no_super_segments(void **state)
{
    (void)state;
    for (uint16_t size = 32; size <= 64; size = (uint16_t)(2 * size)) {
        start_with(VIRTIO_NET_F(CSUM) | VIRTIO_NET_F(HOST_TSO4) | VIRTIO_NET_F(HOST_TSO6) |
                       VIRTIO_NET_F(HOST_ECN),
                   size, UINT32_MAX);
        assert_int_equal(netdev_has(dev(), NETDEV_TSO4), size == 64);
        end();
    }
}

/* If this fails, checksums are vouched for that nobody checked, or the other way round. */
static void what_the_header_says_of_checksums(void **state)
{
    (void)state;
    const uint8_t valid[VNET_HLEN] = {2}, undone[VNET_HLEN] = {1, [6] = TCP_AT, [8] = 16};
    for (unsigned i = 0; i < 2; i++) {
        start_with(VIRTIO_NET_F(GUEST_CSUM), 8, i == 1 ? NETDEV_RX_CSUM : 0);
        assert_int_equal(r.accepted, r.nic.features);
        assert_int_equal((r.accepted & VIRTIO_NET_F(GUEST_CSUM)) != 0, i == 1);
        assert_true(rig_arrive(&r, valid, frame, 100));
        struct pkt *p = receive_one();
        assert_int_equal(p->csum, i == 1 ? CSUM_GOOD : CSUM_NONE);
        assert_int_equal(p->csum_at, 0);
        pkt_free(p);
        assert_true(rig_arrive(&r, undone, frame, 100));
        p = receive_one();
        assert_int_equal(p->csum, i == 1 ? CSUM_GOOD : CSUM_NONE);
        assert_int_equal(p->csum_at, i == 1 ? 16 : 0);
        pkt_free(p);
        end();
    }
}

/* If this fails, a received super-segment of many buffers is put together wrongly. */
static void merged_buffers(void **state)
{
    (void)state;
    const uint64_t offers = VIRTIO_NET_F(GUEST_CSUM) | VIRTIO_NET_F(GUEST_TSO4) |
                            VIRTIO_NET_F(GUEST_TSO6) | VIRTIO_NET_F(GUEST_ECN) |
                            VIRTIO_NET_F(MRG_RXBUF);
    const uint8_t super[VNET_HLEN] = {1, 1, 54, 0, 1448 & 0xff, 1448 >> 8, TCP_AT, 0, 16, 0};
    start_with(offers, 256, UINT32_MAX);
    assert_true(netdev_has(dev(), NETDEV_LRO | NETDEV_LRO6 | NETDEV_RX_CSUM));
    frame[TCP_AT + 12] = 0x80; /* 32 bytes */
    for (unsigned i = 0; i < 50; i++) {
        assert_true(rig_arrive(&r, super, frame, 65000));
        struct pkt *p = receive_one();
        assert_non_null(p);
        assert_int_equal(p->len, 65000);
        assert_int_equal(p->gso_size, 1448);
        assert_int_equal(p->gso_segs, (65000 - 66 + 1447) / 1448);
        assert_int_equal(pkt_copy_out(p, 0, wire, 65000), 65000);
        assert_memory_equal(wire, frame, 65000);
        pkt_free(p);
        arrives(1514);
    }
    assert_int_equal(counted(VIRTIO_NET_RX_SUPER), 50);
    /* A short frame keeps no long buffer. */
    uint32_t small = r.mem.small_blks.in_use, big = r.mem.big_blks.in_use;
    assert_true(rig_arrive(&r, plain, frame, 1514));
    struct pkt *short_one = receive_one();
    assert_int_equal(r.mem.big_blks.in_use, big);
    assert_int_equal(r.mem.small_blks.in_use, small + 1);
    pkt_free(short_one);
    /* More than a packet has fragments for, and more than any frame. */
    assert_true(rig_arrive(&r, super, frame, 65535 + 100 - VIRTIO_NET_HLEN));
    assert_null(receive_one());
    assert_int_equal(counted(VIRTIO_NET_RX_TOO_LONG), 1);
    arrives(1514);
    end();
    /* What a wrapper clears is not accepted, nor what needs it. */
    rig_init(&r, N, 256);
    r.offers |= offers | VIRTIO_NET_F(CSUM);
    assert_int_equal(rig_probe(&r, UINT32_MAX, 0), 0);
    dev()->caps.flags &= ~(uint32_t)NETDEV_RX_CSUM;
    assert_int_equal(netdev_open(dev(), &r.mem), 0);
    assert_int_equal(dev()->caps.flags, NETDEV_TX_CSUM);
    assert_int_equal(r.accepted & (VIRTIO_NET_F(GUEST_CSUM) | VIRTIO_NET_F(GUEST_TSO4)), 0);
    end();
    /* Without one of the features it needs, none of it is accepted. */
    start_with(offers & ~VIRTIO_NET_F(MRG_RXBUF), 256, UINT32_MAX);
    assert_false(netdev_has(dev(), NETDEV_LRO));
    assert_int_equal(r.accepted & VIRTIO_NET_F(GUEST_TSO4), 0);
    end();
}

/* If this fails, a device with a small ring or a slow one loses packets instead of pushing back. */
static void a_full_ring_pushes_back(void **state)
{
    (void)state;
    struct pkt *v[5], *got[8];
    start_with(0, 8, 0);
    for (unsigned i = 0; i < 5; i++)
        v[i] = packet(100);
    unsigned k = netdev_tx(dev(), 0, now, v, 5);
    assert_in_range(k, 1, 4);
    assert_int_equal(dev()->stats.tx_busy, 1);
    assert_int_equal(netdev_tx(dev(), 0, now, v + k, 5 - k), 0);
    assert_int_equal(rig_depart(&r, wire, NULL), VIRTIO_NET_HLEN + 100);
    assert_int_equal(netdev_reap(dev(), 0, now, got, 8), 1);
    assert_ptr_equal(got[0], v[0]);
    pkt_free(got[0]);
    assert_int_equal(netdev_tx(dev(), 0, now, v + k, 1), 1);
    /* A packet for which even the empty ring has no room is not waited for. */
    struct pkt *p = packet(65000);
    assert_int_equal(netdev_tx(dev(), 0, now, &p, 1), 1);
    assert_int_equal(netdev_reap(dev(), 0, now, got, 8), 1);
    assert_ptr_equal(got[0], p);
    assert_int_equal(counted(VIRTIO_NET_TX_UNSENDABLE), 1);
    assert_int_equal(dev()->stats.tx_dropped, 1);
    pkt_free(p);
    for (unsigned i = k + 1; i < 5; i++)
        pkt_free(v[i]);
    end();
}

/* If this fails, a stack that is short of memory for a moment has a dead device for ever. */
static void without_memory_frames_are_lost_and_counted(void **state)
{
    (void)state;
    static struct pkt *all[N];
    start();
    for (unsigned i = 0; i < N; i++)
        all[i] = pkt_new(&r.mem);
    assert_true(rig_arrive(&r, plain, frame, 100));
    assert_null(receive_one());
    assert_int_equal(dev()->stats.rx_nomem, 1);
    for (unsigned i = 0; i < N; i++)
        pkt_free(all[i]);
    arrives(1514);
    end();
    start();
    struct pkt *held[BURST * 12];
    unsigned n = 0, lost = 0;
    for (; n < WEIR_COUNT(held) && lost == 0; n++) {
        lost = !rig_arrive(&r, plain, frame, 1514);
        held[n] = lost == 0 ? receive_one() : NULL;
        lost |= held[n] == NULL;
    }
    assert_true(lost != 0); /* the packets hold all blocks */
    for (unsigned i = 0; i + 1 < n; i++)
        pkt_free(held[i]);
    assert_null(receive_one());
    for (unsigned i = 0; i < 600; i++)
        arrives(1514);
    end();
}

/* ---- interrupts ---- */

/* If this fails, an idle host never sleeps, or a sleeping one is not woken. */
static void interrupts_and_sleep(void **state)
{
    (void)state;
    start();
    assert_null(receive_one());
    assert_int_equal(netdev_next(dev(), 0), r.nic.watch_at);
    assert_true(rig_arrive(&r, plain, frame, 100));
    assert_true(r.is_raised);
    struct pkt *p = receive_one(); /* the whole budget: go on */
    pkt_free(p);
    assert_int_equal(counted(VIRTIO_NET_IRQS), 1);
    assert_int_equal(netdev_next(dev(), 0), 0);
    assert_int_equal(r.isr, 0);
    assert_true(rig_arrive(&r, plain, frame, 100));
    assert_false(r.is_raised); /* while polling none is asked for */
    pkt_free(receive_one());
    assert_null(receive_one());
    assert_int_equal(netdev_next(dev(), 0), r.nic.watch_at);
    /* One that is late, and one that gets lost: the watchdog looks. */
    for (unsigned is_late = 2; is_late-- > 0;) {
        assert_true(rig_arrive(&r, plain, frame, 100));
        r.is_raised = false;
        now = r.nic.watch_at;
        p = receive_one();
        assert_non_null(p);
        pkt_free(p);
        r.is_raised = is_late;
        assert_null(receive_one());
        now = r.nic.watch_at;
        assert_null(receive_one());
        assert_int_equal(counted(VIRTIO_NET_LOST_IRQS), !is_late);
    }
    end();
    /* Without interrupts: at once after work, then ever later. */
    now = 10 * W_S;
    rig_init(&r, N, 8);
    r.has_irq = false;
    assert_int_equal(rig_probe(&r, 0, 0), 0);
    assert_int_equal(netdev_open(dev(), &r.mem), 0);
    arrives(100);
    assert_int_equal(netdev_next(dev(), 0), 0);
    w_ns before = 0;
    for (unsigned i = 0; i < 30; i++) {
        assert_null(receive_one());
        assert_true(netdev_next(dev(), 0) - now >= before);
        before = netdev_next(dev(), 0) - now;
    }
    assert_in_range(before, 100 * W_US, W_MS);
    end();
}

/* ---- a device that misbehaves ---- */

/* After a lie: it was counted, the device was reset, and works again. */
static void is_well_again(enum virtio_net_counter what)
{
    assert_null(receive_one());
    assert_null(receive_one()); /* resets it */
    assert_int_equal(counted(what), 1);
    assert_int_equal(counted(VIRTIO_NET_RESETS), 1);
    assert_int_equal(counted(VIRTIO_NET_GIVEN_UP), 0);
    (void)reap_all();
    arrives(1514);
    departs(1514);
    end();
}

/* If this fails, a device makes us read or free what is not its own. */
static void lies_about_received_buffers(void **state)
{
    (void)state;
    start();
    rig_use(&r, VIRTIO_NET_RXQ, 256, 100); /* no such descriptor */
    is_well_again(VIRTIO_NET_BAD_USED);
    start();
    rig_use(&r, VIRTIO_NET_RXQ, UINT32_MAX, 100);
    is_well_again(VIRTIO_NET_BAD_USED);
    start();
    rig_use(&r, VIRTIO_NET_RXQ, 3, BLK_SMALL + 1); /* more than the buffer holds */
    is_well_again(VIRTIO_NET_BAD_USED);
    start();
    rig_use(&r, VIRTIO_NET_RXQ, 3, UINT32_MAX);
    is_well_again(VIRTIO_NET_BAD_USED);
    start();
    rig_use(&r, VIRTIO_NET_RXQ, 3, VIRTIO_NET_HLEN - 1); /* not even a header */
    is_well_again(VIRTIO_NET_BAD_USED);
    start_with(0, 8, 0);
    struct pkt *v[BURST];
    for (unsigned i = 0; i < 8; i++)
        assert_true(rig_arrive(&r, plain, frame, 100));
    *rig_word(&r, r.q[VIRTIO_NET_RXQ].addr[2] + 2) += 1; /* one more than it was given */
    assert_int_equal(netdev_rx(dev(), 0, now, v, BURST), 0);
    is_well_again(VIRTIO_NET_BAD_USED);
    start_with(0, 8, 0);
    rig_use(&r, VIRTIO_NET_RXQ, 3, 100); /* twice the same */
    rig_use(&r, VIRTIO_NET_RXQ, 3, 100);
    assert_int_equal(netdev_rx(dev(), 0, now, v, 2), 1);
    struct pkt *p = v[0];
    assert_int_equal(p->len, 100 - VIRTIO_NET_HLEN);
    pkt_free(p);
    is_well_again(VIRTIO_NET_BAD_USED);
}

static void lies_about_sent_packets(void **state)
{
    (void)state;
    int kept = 0;
    start();
    rig_use(&r, VIRTIO_NET_TXQ, 0, 0); /* nothing was sent */
    assert_int_equal(reap_all(), 0);
    is_well_again(VIRTIO_NET_BAD_USED);
    start();
    send_one(packet(1514));
    assert_true(rig_depart(&r, wire, &kept) != 0);
    rig_use(&r, VIRTIO_NET_TXQ, (uint32_t)kept + 1, 0); /* the middle of a chain */
    assert_int_equal(reap_all(), 0);
    assert_null(receive_one());
    assert_int_equal(reap_all(), 1); /* unsent, after the reset */
    assert_int_equal(dev()->stats.tx_dropped, 1);
    is_well_again(VIRTIO_NET_BAD_USED);
}

/* If this fails, a header makes us write a checksum outside the packet. */
static void lies_in_headers(void **state)
{
    (void)state;
    const uint8_t lie[][VNET_HLEN] = {
        {1, [6] = 99, [8] = 16},           /* checksum behind the frame's end */
        {1, [6] = 0xff, 0xff, 0xff, 0xff}, /* … far behind */
        {1, [6] = TCP_AT},                 /* … nowhere */
        {0, 1, [4] = 100},                 /* a super-segment we have not agreed to */
        {1, 1, [4] = 100, [6] = TCP_AT, [8] = 16},
        {0, 0x7f},
    };
    for (unsigned i = 0; i < WEIR_COUNT(lie); i++) {
        start_with(VIRTIO_NET_F(GUEST_CSUM), 8, NETDEV_RX_CSUM);
        assert_true(rig_arrive(&r, lie[i], frame, 100));
        assert_null(receive_one());
        assert_int_equal(counted(VIRTIO_NET_BAD_FRAMES), 1);
        assert_int_equal(dev()->stats.rx_dropped, 1);
        assert_int_equal(counted(VIRTIO_NET_RESETS), 0);
        arrives(1514);
        end();
    }
    for (uint32_t n = 0; n < WIRE_ETH_HLEN; n++) {
        start_with(0, 8, 0);
        assert_true(rig_arrive(&r, plain, frame, n));
        assert_null(receive_one());
        assert_int_equal(counted(VIRTIO_NET_BAD_FRAMES), 1);
        end();
    }
    /* How many buffers a frame has. */
    const uint8_t buffers[] = {0, 2, 255};
    for (unsigned i = 0; i < WEIR_COUNT(buffers); i++) {
        start_with(VIRTIO_NET_F(MRG_RXBUF), 256, 0);
        int head = rig_next(&r, VIRTIO_NET_RXQ);
        memset(wire, 0, 100);
        wire[VNET_HLEN] = buffers[i];
        (void)rig_copy(&r, VIRTIO_NET_RXQ, (unsigned)head, wire, 100);
        rig_use(&r, VIRTIO_NET_RXQ, (uint32_t)head, 100);
        is_well_again(VIRTIO_NET_BAD_USED);
    }
}

/* If this fails, a device in trouble takes the connection with it. */
static void the_device_wants_to_be_reset(void **state)
{
    (void)state;
    start();
    send_one(packet(1514));
    r.status |= VIRTIO_NEEDS_RESET;
    r.isr = VIRTIO_ISR_CONFIG;
    r.is_raised = true;
    is_well_again(VIRTIO_NET_ASKED_RESET);
    /* Reset behind our back, no interrupt: the watchdog sees it. */
    start();
    send_one(packet(1514));
    rig_reset(&r);
    now = r.nic.watch_at;
    assert_null(receive_one());
    assert_int_equal(counted(VIRTIO_NET_RESETS), 1);
    assert_int_equal(reap_all(), 1);
    assert_int_equal(dev()->stats.tx_dropped, 1);
    arrives(1514);
    end();
    /* It takes packets and never finishes them. */
    start();
    send_one(packet(1514));
    for (unsigned i = 0; i < 60; i++) {
        now += 100 * W_MS;
        assert_null(receive_one());
    }
    is_well_again(VIRTIO_NET_TX_HUNG);
}

static void is_dead(void)
{
    now += W_S;
    assert_null(receive_one());
    assert_true(counted(VIRTIO_NET_GIVEN_UP) >= 1);
    (void)reap_all();
    assert_int_equal(netdev_next(dev(), 0), W_NEVER);
    uint64_t before = dev()->stats.tx_dropped;
    send_one(packet(1514));
    assert_int_equal(netdev_next(dev(), 0), 0);
    assert_int_equal(reap_all(), 1);
    assert_int_equal(dev()->stats.tx_dropped, before + 1);
    end();
}

/* If this fails, weir spins or hangs on a device that is beyond help. */
static void beyond_help(void **state)
{
    (void)state;
    start();
    send_one(packet(1514));
    r.is_gone = true;
    is_dead();
    start();
    r.never_resets = true;
    r.status |= VIRTIO_NEEDS_RESET;
    is_dead();
    start();
    r.refuses_features = true;
    r.status |= VIRTIO_NEEDS_RESET;
    is_dead();
    /* Lies again right after each reset. */
    start();
    for (unsigned i = 0; i < 10 && !r.nic.is_dead; i++) {
        rig_use(&r, VIRTIO_NET_RXQ, 999, 100);
        now += W_MS;
        assert_null(receive_one());
        assert_null(receive_one());
    }
    assert_int_equal(counted(VIRTIO_NET_RESETS), 9);
    assert_int_equal(r.status & VIRTIO_DRIVER_OK, 0); /* and is left where it does no harm */
    is_dead();
}

/* If this fails, a device we cannot drive is driven all the same. */
static void devices_that_are_refused(void **state)
{
    (void)state;
    rig_init(&r, N, 8);
    r.offers = VIRTIO_NET_F(MAC);
    assert_int_equal(rig_probe(&r, 0, 0), -ENOTSUP);
    assert_int_equal(r.status & VIRTIO_FAILED, VIRTIO_FAILED);
    r.offers |= VIRTIO_F_VERSION_1 | VIRTIO_NET_F(MTU);
    assert_int_equal(rig_probe(&r, 0, 0), -EINVAL); /* an MTU of 0 */
    r.config[10] = 0x40;
    r.config[11] = 0x05;
    assert_int_equal(rig_probe(&r, 0, 1400), 0);
    assert_int_equal(dev()->caps.mtu, 0x540);
    assert_int_equal(rig_probe(&r, 0, 1300), 0);
    assert_int_equal(dev()->caps.mtu, 1300);
    r.config[11] = 0xff; /* more than a buffer holds */
    assert_int_equal(rig_probe(&r, 0, 9000), 0);
    assert_int_equal(dev()->caps.mtu, 9000);
    assert_int_equal(r.nic.offered & VIRTIO_NET_F(MTU), 0);
    r.never_settles = true;
    assert_int_equal(rig_probe(&r, 0, 0), -EIO);
    r.never_settles = false;
    r.is_gone = true;
    assert_int_equal(rig_probe(&r, 0, 0), -ENODEV);
    r.is_gone = false;
    r.never_resets = true;
    r.status = VIRTIO_DRIVER_OK;
    assert_int_equal(rig_probe(&r, 0, 0), -EIO);
    rig_free(&r);
    for (unsigned i = 0; i < 4; i++) {
        rig_init(&r, N, i == 0 ? 0 : 8);
        r.offers = VIRTIO_F_VERSION_1;
        assert_int_equal(rig_probe(&r, 0, 0), 0);
        assert_int_equal(dev()->caps.mac[5], 7); /* ours: it has none */
        r.refuses_features = i == 1;
        r.refuses_queues = i == 2;
        r.cannot_map = i == 3;
        assert_true(netdev_open(dev(), &r.mem) < 0);
        end();
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(frames_cross_both_ways),
    cmocka_unit_test(long_packets_leave_in_pieces),
    cmocka_unit_test(long_frames_arrive),
    cmocka_unit_test(a_short_ring_gets_no_super_segments),
    cmocka_unit_test(what_the_header_says_of_checksums),
    cmocka_unit_test(merged_buffers),
    cmocka_unit_test(a_full_ring_pushes_back),
    cmocka_unit_test(without_memory_frames_are_lost_and_counted),
    cmocka_unit_test(interrupts_and_sleep),
    cmocka_unit_test(lies_about_received_buffers),
    cmocka_unit_test(lies_about_sent_packets),
    cmocka_unit_test(lies_in_headers),
    cmocka_unit_test(the_device_wants_to_be_reset),
    cmocka_unit_test(beyond_help),
    cmocka_unit_test(devices_that_are_refused),
};
UNIT_MAIN(tests)
