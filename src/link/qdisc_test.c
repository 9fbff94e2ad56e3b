/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue of an interface under other disciplines than the default: what they are told about
 * packets, what becomes of what they say, and that changing them under way harms nobody.
 */
#include "net.h"

#include "base/rng.h"
#include "wire/flow.h"

/* A packet of flow `port` as rooms above hand it down: TCP or UDP, IPv4 or IPv6. */
static struct pkt *make(struct net *n, bool is_ip6, uint8_t proto, uint16_t port, uint8_t tos)
{
    static const uint8_t zeros[60];
    uint8_t b[100] = {0};
    size_t at = 20;
    if (is_ip6) {
        struct wire_ip6 h = {.tclass = tos, .next = proto, .hlim = 64, .plen = 60};
        at = wire_ip6_build(b, &h);
    } else {
        struct net_ip ip = {.src = 0x0a000001, .dst = 0x0a000002, .proto = proto, .tos = tos};
        (void)net_ip4(b, &ip, zeros, 60);
    }
    w_put16(b + at, port);
    struct pkt *p = pkt_new(&n->env.mem);
    assert_non_null(p);
    assert_true(pkt_append_copy(p, b, (uint32_t)at + 60));
    p->l3 = p->off;
    p->ecn = tos & 3;
    return p;
}

static enum drop put(struct net *n, struct pkt *p)
{
    uint16_t type = pkt_data(p)[0] >> 4 == 6 ? ETYPE_IP6 : ETYPE_IP4;
    return eth_output(&n->link, n->nif, net_peer_mac, type, p);
}

static void set(struct net *n, struct aqm_conf c)
{
    assert_int_equal(link_set_qdisc(&n->link, n->nif, &c), 0);
}

/* If this fails marks are counted and never seen, or break the header. [RFC 3168 5] */
static void marks_reach_the_wire(void **state)
{
    (void)state;
    for (int is_ip6 = 0; is_ip6 < 2; is_ip6++) {
        struct net n;
        net_open(&n);
        set(&n, (struct aqm_conf){.kind = AQM_MARK_AT, .mark_at = 1});
        for (int i = 0; i < 3; i++)
            assert_int_equal(put(&n, make(&n, is_ip6 != 0, PROTO_TCP, 7, i == 2 ? 0 : 2)), 0);
        for (int i = 0; i < 3; i++) {
            struct pkt *p = net_sent(&n, n.nif);
            const uint8_t *ip = pkt_data(p) + WIRE_ETH_HLEN;
            uint8_t tos = is_ip6 ? (uint8_t)(ip[0] << 4 | ip[1] >> 4) : ip[1];
            assert_int_equal(tos & 3, i == 0 ? 2 : i == 1 ? 3 : 0);
            assert_true(is_ip6 || wire_ip4_csum_ok(ip, 20));
            pkt_free(p);
        }
        net_close(&n);
    }
}

/* A queue that stands: in each millisecond one comes, in each second one leaves. */
static unsigned stand(struct net *n, uint8_t proto, uint32_t owner, uint8_t origin, unsigned ms)
{
    unsigned n_told = 0;
    for (unsigned i = 0; i < ms; i++, n->env.now += W_MS) {
        struct pkt *p = make(n, false, proto, 7, 0), *out;
        p->owner = owner;
        p->origin = origin;
        (void)put(n, p);
        /* Frames are small: many of them make a queue. */
        if (i > 50 && i % 2 == 0 && (out = net_sent(n, n->nif)) != NULL)
            pkt_free(out);
        for (uint32_t who; (who = link_told_pop(&n->link)) != 0; n_told++)
            assert_int_equal(who, owner);
    }
    return n_told;
}

/* If this fails our own queue drops what our own TCP sent, and nobody but the loss tells it; or
 * nothing keeps a datagram flood's delay down. [ARCHITECTURE.md, law 6] */
static void our_tcp_is_told_and_others_dropped(void **state)
{
    (void)state;
    for (unsigned kind = AQM_CODEL; kind <= AQM_FQ_CODEL; kind++) {
        struct net n;
        net_open(&n);
        set(&n, (struct aqm_conf){.kind = kind, .limit = 1000});
        assert_in_range(stand(&n, PROTO_TCP, 77, LINK_TO_US, 500), 3, 8);
        (void)net_flush(&n, n.nif);
        assert_in_range(stand(&n, PROTO_TCP, 0, LINK_TO_US, 500), 0, 0); /* an ACK has no owner */
        (void)net_flush(&n, n.nif);
        assert_int_equal(n.env.drops[DROP_QDISC_AQM], 0);
        assert_in_range(stand(&n, PROTO_TCP, 0, LINK_FORWARDED, 500), 0, 0);
        uint64_t forwarded = n.env.drops[DROP_QDISC_AQM];
        assert_in_range(forwarded, 3, 500);
        (void)net_flush(&n, n.nif);
        (void)stand(&n, PROTO_UDP, 0, LINK_TO_US, 500);
        assert_true(n.env.drops[DROP_QDISC_AQM] > forwarded);
        (void)net_flush(&n, n.nif);
        assert_int_equal(n.nif->q.drops, n.env.drops[DROP_QDISC_AQM]);
        net_close(&n);
    }
}

/* If this fails TCP is held back too early or too late, or for ever; and what may not wait finds no
 * room. The time of it is what people will ask for. */
static void seven_eighths_are_for_tcp(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < AQM_TBF; kind++) {
        struct net n;
        struct nif_queue_info info;
        net_open(&n);
        set(&n, (struct aqm_conf){.kind = kind, .limit = 16, .flow_limit = 16});
        for (unsigned i = 0; i < 16; i++) {
            assert_int_equal(link_is_full(&n.link, 1), i >= 14);
            assert_int_equal(put(&n, make(&n, false, PROTO_TCP, 7, 0)), DROP_NONE);
        }
        assert_int_equal(put(&n, make(&n, false, PROTO_TCP, 7, 0)), DROP_QDISC_FULL);
        n.env.now += 5 * W_MS;
        assert_int_equal(net_flush(&n, n.nif), 16);
        assert_false(link_is_full(&n.link, 1));
        n.env.now += W_S;
        link_queue_info(&n.link, n.nif, &info);
        assert_int_equal(info.full_ns, 5 * W_MS);
        assert_int_equal(info.n_full, 1);
        assert_int_equal(info.high_water, 16);
        assert_int_equal(info.drops, 1);
        assert_int_equal(info.enqueued, 16);
        assert_int_equal(info.packets, 0);
        assert_int_equal(info.bytes, 0);
        /* An interface that goes away leaves nobody waiting. */
        for (unsigned i = 0; i < 16; i++)
            (void)put(&n, make(&n, false, PROTO_TCP, 7, 0));
        assert_true(link_is_full(&n.link, 1));
        link_nif_del(&n.link, n.nif);
        assert_false(link_is_full(&n.link, 1));
        net_close(&n);
    }
}

/* If this fails paced connections leave in bursts as soon as another discipline is chosen. */
static void departure_times_hold_under_every_discipline(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < AQM_KINDS; kind++) {
        struct net n;
        net_open(&n);
        set(&n, (struct aqm_conf){.kind = kind, .rate_Bps = 1000000000});
        w_ns t = n.env.now;
        for (unsigned i = 0; i < 3; i++) {
            struct pkt *p = make(&n, false, PROTO_TCP, (uint16_t)i, 0);
            p->when = t + 30 - 10 * i;
            assert_int_equal(put(&n, p), DROP_NONE);
        }
        for (unsigned i = 1; i <= 3; i++) {
            assert_null(net_sent(&n, n.nif));
            assert_int_equal(link_next(&n.link), t + 10 * i);
            n.env.now = t + 10 * i;
            struct pkt *p = net_sent(&n, n.nif);
            assert_non_null(p);
            assert_int_equal(p->when, t + 10 * i);
            pkt_free(p);
        }
        struct pkt *p = make(&n, false, PROTO_TCP, 1, 0);
        p->when = n.env.now + 11 * W_S;
        assert_int_equal(put(&n, p), DROP_QDISC_HORIZON);
        net_close(&n);
    }
}

enum { FLOWS = 6 };

struct shuffle {
    struct net n;
    struct rng r;
    uint32_t sent[FLOWS], last[FLOWS];
    w_ns paced_at;
    unsigned n_in, n_out;
};

static void shuffle_put(struct shuffle *s)
{
    uint32_t f = rng_below(&s->r, FLOWS);
    struct pkt *p = make(&s->n, f % 2 != 0, f < 2 ? PROTO_UDP : PROTO_TCP, (uint16_t)(1 + f), 0);
    p->seq = ++s->sent[f];
    p->end_seq = f;
    if (f == 0) { /* paced */
        s->paced_at = w_u64_max(s->paced_at, s->n.env.now) + rng_below(&s->r, 1000) * W_US;
        p->when = s->paced_at;
    }
    s->n_in++;
    if (put(&s->n, p) != DROP_NONE)
        s->n_out++;
}

static void shuffle_get(struct shuffle *s)
{
    struct pkt *p = net_sent(&s->n, s->n.nif);
    if (p == NULL)
        return;
    assert_true(p->seq > s->last[p->end_seq]);
    assert_true(p->when <= s->n.env.now);
    s->last[p->end_seq] = p->seq;
    s->n_out++;
    pkt_free(p);
}

/* If this fails changing the queue of a busy interface loses, doubles or reorders packets. */
static void any_change_at_any_time(void **state)
{
    (void)state;
    static struct shuffle s;
    struct nif_queue_info info;
    s = (struct shuffle){0};
    net_open(&s.n);
    rng_seed(&s.r, 11);
    for (unsigned i = 0; i < 60000; i++) {
        uint32_t what = rng_below(&s.r, 100);
        if (what < 48)
            shuffle_put(&s);
        else if (what < 95)
            shuffle_get(&s);
        else if (what < 98)
            s.n.env.now += rng_below(&s.r, 3000) * W_US;
        else
            set(&s.n, (struct aqm_conf){.kind = rng_below(&s.r, AQM_KINDS),
                                        .limit = 1 + rng_below(&s.r, 200),
                                        .rate_Bps = 1000000 + rng_below(&s.r, 1000000)});
        link_queue_info(&s.n.link, s.n.nif, &info);
        uint64_t inside = info.packets, killed = s.n.nif->q.aqm.count.dropped;
        assert_int_equal(s.n_in, s.n_out + inside + killed);
    }
    assert_true(s.n_out > 20000);
    net_close(&s.n);
}

/* If this fails flows share a queue that should not, or a fragment goes another way than its
 * datagram. */
static void flows_are_told_apart(void **state)
{
    (void)state;
    struct wire_flow a, b;
    uint8_t ip[60] = {0x45, 0xb8, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 80};
    assert_true(wire_flow_of(ip, 40, &a));
    assert_int_equal(a.n, 13);
    assert_int_equal(a.tos, 0xb8);
    assert_int_equal(a.proto, 6);
    ip[21] = 81;
    assert_true(wire_flow_of(ip, 40, &b));
    assert_memory_not_equal(a.key, b.key, 13);
    ip[6] = 0x20; /* the first fragment: as the others, without ports */
    assert_true(wire_flow_of(ip, 40, &b));
    assert_int_equal(b.n, 9);
    assert_true(wire_flow_of(ip, 20, &b));
    assert_int_equal(b.n, 9);
    assert_false(wire_flow_of(ip, 19, &b));
    assert_int_equal(b.n, 0);
    ip[0] = 0x6b; /* traffic class 0xbb */
    ip[6] = 17;
    assert_false(wire_flow_of(ip, 39, &b));
    assert_true(wire_flow_of(ip, 44, &b));
    assert_int_equal(b.n, 37);
    assert_int_equal(b.tos, 0xbb);
    assert_true(wire_flow_of(ip, 43, &b));
    assert_int_equal(b.n, 33);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(marks_reach_the_wire),
    cmocka_unit_test(our_tcp_is_told_and_others_dropped),
    cmocka_unit_test(seven_eighths_are_for_tcp),
    cmocka_unit_test(departure_times_hold_under_every_discipline),
    cmocka_unit_test(any_change_at_any_time),
    cmocka_unit_test(flows_are_told_apart),
};
UNIT_MAIN(tests)
