/* SPDX-License-Identifier: Apache-2.0 */
#include "net_ip.h"

static uint8_t byte_at(uint32_t i) { return (uint8_t)(i * 5 + i / 256); }

/* What of a fragment a test may change. */
struct piece {
    uint32_t at, n;
    bool is_last;
    uint16_t id;
    uint8_t tos;
    uint32_t src;
};

/* A fragment of a UDP-like datagram with payload byte_at(0..). *out: the packet when it is handed
 * on. */
static enum next in(struct net_ip_host *h, const struct piece *f, struct pkt **out)
{
    static uint8_t b[2200], data[2200];
    assert_true(f->n <= 2100);
    for (uint32_t i = 0; i < f->n; i++)
        data[i] = byte_at(f->at + i);
    struct net_ip ip = {.src = f->src != 0 ? f->src : NET_PEER,
                        .dst = NET_OUR,
                        .proto = PROTO_UDP,
                        .id = f->id,
                        .tos = f->tos,
                        .flags = f->is_last ? 0 : IP4_MF,
                        .frag_off = (uint16_t)f->at};
    size_t len = net_ip4(b, &ip, data, f->n);
    struct pkt *p = host_pkt(h, b, len);
    enum next next = ip4_input(&h->ip, h->n.nif, p);
    *out = NULL;
    if (next == NEXT_UDP)
        *out = p;
    else if (next == NEXT_DROP)
        (void)env_drop(&h->n.env, p, (enum drop)p->drop);
    return next;
}

static enum next put(struct net_ip_host *h, uint32_t at, uint32_t n, bool is_last)
{
    struct piece f = {.at = at, .n = n, .is_last = is_last};
    struct pkt *p;
    enum next next = in(h, &f, &p);
    if (p != NULL)
        pkt_free(p);
    return next;
}

static void check_whole(const struct pkt *p, uint32_t total)
{
    static uint8_t got[66000];
    pkt_check(p);
    assert_int_equal(p->len, total);
    assert_int_equal(pkt_copy_out(p, 0, got, sizeof got), total);
    for (uint32_t i = 0; i < total; i++)
        assert_int_equal(got[i], byte_at(i));
    const uint8_t *ip = pkt_at(p, p->l3);
    assert_true(wire_ip4_csum_ok(ip, wire_ip4_hlen(ip)));
    assert_int_equal(wire_ip4_total(ip), total + 20);
    assert_int_equal(w_be16(ip + 6), 0);
    assert_true(p->lin >= 8);
}

/* If this fails, a fragmented datagram never arrives, or arrives with its pieces in the wrong
 * place: every order of arrival of five pieces. */
static void every_order_of_five_pieces(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    for (unsigned perm = 0; perm < 120; perm++) {
        unsigned left[5] = {0, 1, 2, 3, 4}, x = perm;
        for (unsigned i = 5; i > 0; i--) {
            unsigned pick = x % i;
            x /= i;
            unsigned f = left[pick];
            left[pick] = left[i - 1];
            struct piece piece = {
                .at = f * 1480, .n = f == 4 ? 33 : 1480, .is_last = f == 4, .id = (uint16_t)perm};
            struct pkt *p;
            assert_int_equal(in(&h, &piece, &p), i == 1 ? NEXT_UDP : NEXT_DONE);
            if (p != NULL) {
                check_whole(p, 4 * 1480 + 33);
                pkt_free(p);
            }
        }
    }
    assert_int_equal(h.n.env.mem.pkts.in_use, 0);
    assert_int_equal(h.n.env.stats[STAT_IpReasmOKs], 120);
    assert_int_equal(h.n.env.stats[STAT_IpReasmReqds], 600);
    host_close(&h);
}

/* If this fails, the largest datagram there is cannot be received, or one larger can [RFC 791 3.1;
 * "ping of death"]. */
static void largest_datagram_and_not_more(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    uint32_t total = 65535 - 20, at = 0;
    struct pkt *p = NULL;
    while (at < total) {
        uint32_t n = total - at < 1480 ? total - at : 1480;
        struct piece f = {.at = at, .n = n, .is_last = at + n == total};
        enum next next = in(&h, &f, &p);
        at += n;
        assert_int_equal(next, at == total ? NEXT_UDP : NEXT_DONE);
    }
    check_whole(p, total);
    pkt_free(p);
    assert_int_equal(put(&h, 65528, 8, true), NEXT_DROP);
    assert_int_equal(put(&h, 64800, 1480, true), NEXT_DROP);
    assert_int_equal(h.n.env.drops[DROP_FRAG_BAD], 2);
    host_close(&h);
}

/* If this fails, overlapping fragments are used to smuggle data past a firewall [RFC 5722 4]. */
static void overlap_refuses_the_whole_datagram(void **state)
{
    (void)state;
    /* Of a datagram 0..3000 with 0..1480 there. */
    static const struct {
        uint32_t at, n;
        bool is_last;
    } bad[] = {{1472, 1480, true}, {0, 1472, false}, {8, 8, false}, {0, 1488, false}};
    struct net_ip_host h;
    host_open(&h);
    for (unsigned i = 0; i < 4; i++) {
        struct pkt *p;
        struct piece first = {.at = 0, .n = 1480, .id = (uint16_t)i};
        struct piece overlap = {
            .at = bad[i].at, .n = bad[i].n, .is_last = bad[i].is_last, .id = (uint16_t)i};
        struct piece rest = {.at = 1480, .n = 1520, .is_last = true, .id = (uint16_t)i};
        assert_int_equal(in(&h, &first, &p), NEXT_DONE);
        assert_int_equal(in(&h, &overlap, &p), NEXT_DROP);
        /* What came before is gone, what comes later is refused too. */
        assert_int_equal(h.n.env.mem.pkts.in_use, 0);
        assert_int_equal(in(&h, &rest, &p), NEXT_DROP);
        assert_int_equal(in(&h, &first, &p), NEXT_DROP);
    }
    assert_int_equal(h.n.env.drops[DROP_FRAG_OVERLAP], 16);
    /* Its name is free again when the time is over. */
    assert_int_equal(host_advance(&h, 31 * W_S), 0);
    assert_int_equal(put(&h, 0, 1480, false), NEXT_DONE);
    assert_int_equal(put(&h, 1480, 100, true), NEXT_UDP);
    host_close(&h);
}

/* If this fails, a fragment that the network delivered twice loses the datagram. */
static void repeated_fragment_is_harmless(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    assert_int_equal(put(&h, 0, 1480, false), NEXT_DONE);
    assert_int_equal(put(&h, 0, 1480, false), NEXT_DROP);
    assert_int_equal(put(&h, 2960, 40, true), NEXT_DONE);
    assert_int_equal(put(&h, 2960, 40, true), NEXT_DROP);
    assert_int_equal(put(&h, 1480, 1480, false), NEXT_UDP);
    assert_int_equal(h.n.env.drops[DROP_FRAG_OVERLAP], 2);
    host_close(&h);
}

/* If this fails, impossible fragments are kept [RFC 791 3.2; RFC 1858 3.2; RFC 3128 3]. */
static void impossible_fragments_are_named(void **state)
{
    (void)state;
    struct net_ip_host h;
    static uint8_t b[200];
    struct pkt *p;
    host_open(&h);
    assert_int_equal(put(&h, 0, 1479, false), NEXT_DROP); /* not a multiple of 8 */
    assert_int_equal(put(&h, 8, 0, true), NEXT_DROP);     /* empty */
    assert_int_equal(h.n.env.drops[DROP_FRAG_BAD], 2);
    assert_int_equal(put(&h, 0, 7, true), NEXT_UDP); /* whole, UDP's business */
    struct net_ip ip = {.src = NET_PEER, .dst = NET_OUR, .proto = PROTO_TCP, .flags = IP4_MF};
    size_t len = net_ip4(b, &ip, b + 100, 16);
    p = host_pkt(&h, b, len);
    assert_int_equal(ip4_input(&h.ip, h.n.nif, p), NEXT_DROP);
    assert_int_equal(p->drop, DROP_FRAG_TINY);
    pkt_free(p);
    ip.frag_off = 8;
    len = net_ip4(b, &ip, b + 100, 32);
    p = host_pkt(&h, b, len);
    assert_int_equal(ip4_input(&h.ip, h.n.nif, p), NEXT_DROP);
    assert_int_equal(p->drop, DROP_FRAG_TINY);
    pkt_free(p);
    /* Two ends; something beyond the end. */
    assert_int_equal(put(&h, 800, 100, true), NEXT_DONE);
    assert_int_equal(put(&h, 1600, 100, true), NEXT_DROP);
    struct piece f = {.at = 800, .n = 100, .is_last = true, .id = 9};
    assert_int_equal(in(&h, &f, &p), NEXT_DONE);
    f = (struct piece){.at = 904, .n = 8, .id = 9};
    assert_int_equal(in(&h, &f, &p), NEXT_DROP);
    f = (struct piece){.at = 1600, .n = 80, .id = 10};
    assert_int_equal(in(&h, &f, &p), NEXT_DONE);
    f = (struct piece){.at = 800, .n = 100, .is_last = true, .id = 10};
    assert_int_equal(in(&h, &f, &p), NEXT_DROP);
    assert_int_equal(h.n.env.drops[DROP_FRAG_BAD], 8);
    host_close(&h);
}

/* If this fails, a lost fragment pins memory for ever, or its sender is never told
 * [RFC 1122 3.3.2, RFC 792]. */
static void timeout_frees_and_reports(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    assert_int_equal(put(&h, 0, 1480, false), NEXT_DONE);
    (void)host_advance(&h, 20 * W_S);
    assert_int_equal(put(&h, 2960, 1480, false), NEXT_DONE);
    /* The time runs from the first arrival; the first fragment is there: an error is due. */
    assert_int_equal(host_advance(&h, 9 * W_S), 0);
    assert_int_equal(h.n.env.mem.pkts.in_use, 2);
    assert_int_equal(host_advance(&h, 2 * W_S), 1);
    assert_int_equal(h.n.env.mem.pkts.in_use, 0);
    assert_int_equal(h.n.env.drops[DROP_FRAG_TIMEOUT], 2);
    assert_int_equal(h.n.env.stats[STAT_IpReasmFails], 1);
    /* Without the first fragment nobody is told. */
    assert_int_equal(put(&h, 1480, 1480, false), NEXT_DONE);
    assert_int_equal(host_advance(&h, 31 * W_S), 0);
    assert_int_equal(h.n.env.mem.pkts.in_use, 0);
    host_close(&h);
}

/* If this fails, the report of a timeout cannot be sent: the first fragment is not as it came. */
static void timeout_hands_out_the_first_fragment(void **state)
{
    (void)state;
    struct net_ip_host h;
    struct timer *t;
    host_open(&h);
    assert_int_equal(put(&h, 1480, 1480, false), NEXT_DONE);
    assert_int_equal(put(&h, 0, 1480, false), NEXT_DONE);
    h.n.env.now += 31 * W_S;
    unsigned k = 0;
    struct pkt *p = NULL;
    while (wheel_run(&h.n.env.wheel, h.n.env.now, &t, 1) == 1) {
        if (t->kind == TK_REASM)
            p = ip_timer(&h.ip, t);
        else
            neigh_timer(&h.neigh, t);
        k++;
    }
    assert_true(k >= 1);
    assert_non_null(p);
    assert_int_equal(p->icmp_type, ICMP4T_TIME_EXCEEDED);
    assert_int_equal(p->icmp_code, ICMP4C_REASM);
    assert_int_equal(p->off, p->l3);
    assert_int_equal(p->len, 1500);
    assert_int_equal(p->nif, h.n.nif->id);
    pkt_free(p);
    host_close(&h);
}

/* If this fails, fragments of an attacker fill memory, or push out everybody else's. */
static void memory_count_and_share_are_bounded(void **state)
{
    (void)state;
    struct net_ip_host h;
    struct pkt *p;
    host_open(&h);
    h.n.env.conf.ipfrag_high_thresh = 20000;
    for (unsigned i = 0; i < 200; i++) {
        struct piece f = {.at = 8, .n = 1480, .id = (uint16_t)i};
        assert_int_equal(in(&h, &f, &p), NEXT_DONE);
        assert_true(h.n.env.mem.pkts.in_use <= 8);
    }
    assert_true(h.n.env.drops[DROP_FRAG_LIMIT] >= 190);
    /* The newest are there: a datagram that comes at once gets through. */
    struct piece a = {.at = 0, .n = 8, .id = 500},
                 b = {.at = 8, .n = 9, .is_last = true, .id = 500};
    assert_int_equal(in(&h, &a, &p), NEXT_DONE);
    assert_int_equal(in(&h, &b, &p), NEXT_UDP);
    pkt_free(p);
    (void)host_advance(&h, 31 * W_S);
    /* One source's share. */
    h.n.env.conf.ipfrag_max_dist = 2;
    for (unsigned i = 0; i < 5; i++) {
        struct piece f = {.at = 8, .n = 80, .id = (uint16_t)i};
        assert_int_equal(in(&h, &f, &p), i < 2 ? NEXT_DONE : NEXT_DROP);
    }
    struct piece other = {.at = 8, .n = 80, .src = NET_FAR};
    assert_int_equal(in(&h, &other, &p), NEXT_DONE);
    (void)host_advance(&h, 31 * W_S);
    assert_int_equal(put(&h, 8, 80, false), NEXT_DONE);
    host_close(&h);
}

/* If this fails, one datagram in thousands of crumbs costs quadratic time. */
static void crumbs_are_bounded(void **state)
{
    (void)state;
    struct net_ip_host h;
    host_open(&h);
    unsigned taken = 0;
    for (unsigned i = 1; i < 1000; i++)
        taken += put(&h, i * 8, 8, false) == NEXT_DONE;
    assert_int_equal(taken, 128);
    assert_true(h.n.env.drops[DROP_FRAG_TOO_MANY] > 800);
    host_close(&h);
}

/* If this fails, a congestion mark on one fragment is lost, or made up [RFC 3168 5.3 MUST-2]. */
static void congestion_marks_survive(void **state)
{
    (void)state;
    static const struct {
        uint8_t a, b;
        enum next next;
        uint8_t ecn;
    } rows[] = {{2, 2, NEXT_UDP, 2}, {2, 3, NEXT_UDP, 3},  {3, 2, NEXT_UDP, 3},
                {0, 0, NEXT_UDP, 0}, {3, 0, NEXT_DROP, 0}, {0, 3, NEXT_DROP, 0}};
    struct net_ip_host h;
    host_open(&h);
    for (unsigned r = 0; r < WEIR_COUNT(rows); r++) {
        struct piece a = {.at = 0, .n = 800, .tos = rows[r].a, .id = (uint16_t)r};
        struct piece b = {.at = 800, .n = 80, .is_last = true, .tos = rows[r].b, .id = (uint16_t)r};
        struct pkt *p;
        assert_int_equal(in(&h, &a, &p), NEXT_DONE);
        assert_int_equal(in(&h, &b, &p), rows[r].next);
        if (p == NULL)
            continue;
        assert_int_equal(p->ecn, rows[r].ecn);
        check_whole(p, 880);
        pkt_free(p);
    }
    assert_int_equal(h.n.env.mem.pkts.in_use, 0);
    host_close(&h);
}

/* If this fails, running out of memory at the last fragment leaks the others. */
static void no_memory_to_complete(void **state)
{
    (void)state;
    struct net_ip_host h;
    struct blk *hoard[1200];
    unsigned k = 0;
    host_open(&h);
    assert_int_equal(put(&h, 0, 1480, false), NEXT_DONE);
    while (pool_free_count(&h.n.env.mem.small_blks) > 1 ||
           pool_free_count(&h.n.env.mem.big_blks) > 0)
        hoard[k++] =
            blk_new(&h.n.env.mem, pool_free_count(&h.n.env.mem.big_blks) > 0 ? BLK_BIG : BLK_SMALL);
    assert_int_equal(put(&h, 1480, 1480, true), NEXT_DROP);
    assert_int_equal(h.n.env.drops[DROP_NO_BLOCK], 1);
    assert_int_equal(h.n.env.mem.pkts.in_use, 0);
    while (k > 0)
        blk_unref(hoard[--k]);
    host_close(&h);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_order_of_five_pieces),
    cmocka_unit_test(largest_datagram_and_not_more),
    cmocka_unit_test(overlap_refuses_the_whole_datagram),
    cmocka_unit_test(repeated_fragment_is_harmless),
    cmocka_unit_test(impossible_fragments_are_named),
    cmocka_unit_test(timeout_frees_and_reports),
    cmocka_unit_test(timeout_hands_out_the_first_fragment),
    cmocka_unit_test(memory_count_and_share_are_bounded),
    cmocka_unit_test(crumbs_are_bounded),
    cmocka_unit_test(congestion_marks_survive),
    cmocka_unit_test(no_memory_to_complete),
};
UNIT_MAIN(tests)
