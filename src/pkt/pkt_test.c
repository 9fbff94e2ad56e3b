/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets and blocks: the promises of pkt.h one by one. pkt_model_test.c puts them together.
 */
#include "unit.h"

#include <stdlib.h>

#include "pkt/pkt.h"

enum { N_PKT = 16, N_SMALL = 8, N_BIG = 8, MAX_BYTES = 65535 + 64 };

struct memory {
    struct pktmem mem;
    void *arena;
};

static struct memory *memory_new(void)
{
    static const struct pktmem_conf conf = {N_PKT, N_SMALL, N_BIG};
    struct memory *m = calloc(1, sizeof *m);
    struct arena a;
    arena_init(&a, NULL, 0);
    pktmem_init(&m->mem, &a, &conf);
    size_t size = (a.used + 4095) & ~(size_t)4095;
    m->arena = aligned_alloc(4096, size);
    memset(m->arena, 0, size);
    arena_init(&a, m->arena, size);
    pktmem_init(&m->mem, &a, &conf);
    assert_false(a.is_full);
    return m;
}

static bool is_unused(const struct pktmem *m)
{
    return m->pkts.in_use == 0 && m->small_blks.in_use == 0 && m->big_blks.in_use == 0;
}

static int setup(void **state)
{
    *state = memory_new();
    return 0;
}

/* Every test ends with all memory back: a leak is a failure of the test that leaks. */
static int teardown(void **state)
{
    struct memory *m = *state;
    int leaks = !is_unused(&m->mem);
    free(m->arena);
    free(m);
    return leaks;
}

static const uint8_t *pattern(void)
{
    static uint8_t bytes[MAX_BYTES];
    for (uint32_t i = 0; bytes[1] == 0 && i < MAX_BYTES; i++)
        bytes[i] = (uint8_t)((i * 2654435761u) >> 24);
    return bytes;
}

static void assert_bytes(const struct pkt *p, const uint8_t *expected, uint32_t n)
{
    static uint8_t got[MAX_BYTES];
    assert_int_equal(p->len, n);
    assert_int_equal(pkt_copy_out(p, 0, got, MAX_BYTES), n);
    if (n > 0)
        assert_memory_equal(got, expected, n);
    pkt_check(p);
}

static struct pktmem *mem_of(void **state) { return &((struct memory *)*state)->mem; }

/* ---- blocks ---- */

/* If this fails, a 1448-byte payload takes 16 KiB, or a large one does not fit its block. */
static void blocks_have_two_sizes(void **state)
{
    struct pktmem *m = mem_of(state);
    struct blk *a = blk_new(m, 1), *b = blk_new(m, BLK_SMALL), *c = blk_new(m, BLK_SMALL + 1);
    assert_int_equal(a->cap, BLK_SMALL);
    assert_int_equal(b->cap, BLK_SMALL);
    assert_int_equal(c->cap, BLK_BIG);
    assert_int_equal(a->refs, 1);
    assert_int_equal(a->used, 0);
    assert_ptr_equal(a->home, m);
    memset(a->mem, 1, a->cap);
    memset(b->mem, 2, b->cap);
    memset(c->mem, 3, c->cap);
    assert_int_equal(a->mem[BLK_SMALL - 1], 1); /* they do not overlap */
    assert_int_equal(b->mem[0], 2);
    blk_unref(a);
    blk_unref(b);
    blk_unref(c);
}

/* If this fails, a receiver drops packets although there is memory of the other size. */
static void blocks_stand_in_for_each_other(void **state)
{
    struct pktmem *m = mem_of(state);
    struct blk *v[N_SMALL + N_BIG];
    for (unsigned i = 0; i < WEIR_COUNT(v); i++) {
        v[i] = blk_new(m, 100);
        assert_non_null(v[i]);
        assert_int_equal(v[i]->cap, i < N_SMALL ? BLK_SMALL : BLK_BIG);
        v[i]->mem[v[i]->cap - 1] = 1;
    }
    assert_null(blk_new(m, 100));
    assert_null(blk_new(m, BLK_BIG));
    assert_int_equal(m->no_blk, 2);
    blk_unref(v[0]);
    struct blk *b = blk_new(m, BLK_BIG);
    assert_int_equal(b->cap, BLK_SMALL); /* the caller looks at cap */
    v[0] = b;
    for (unsigned i = 0; i < WEIR_COUNT(v); i++)
        blk_unref(v[i]);
}

/* If this fails, a block is reused while a packet still points into it: data changes under TCP. */
static void blocks_live_as_long_as_a_reference(void **state)
{
    struct pktmem *m = mem_of(state);
    struct blk *b = blk_new(m, 100);
    struct pkt *p = pkt_new(m), *q = pkt_new(m);
    memcpy(b->mem, "weir", 4);
    b->used = 4;
    assert_true(pkt_add_frag(p, b, 0, 4));
    assert_true(pkt_add_frag(q, b, 1, 2));
    assert_int_equal(b->refs, 3);
    blk_unref(b);
    pkt_free(p);
    assert_int_equal(m->small_blks.in_use, 1);
    assert_bytes(q, (const uint8_t *)"ei", 2);
    pkt_free(q);
}

/* ---- packets ---- */

/* If this fails, a new packet is sent with the checksum request, the owner or the flow of the one
 * that had its slot before. */
static void new_packets_are_clean(void **state)
{
    struct pktmem *m = mem_of(state);
    struct pkt *p = pkt_new(m);
    uint32_t idx = p->idx;
    memset((uint8_t *)p + 16, 0xff, offsetof(struct pkt, frag) - 16);
    memset(p->frag, 0xff, sizeof p->frag);
    memset(&p->truesize, 0xff, sizeof *p - offsetof(struct pkt, truesize));
    p->off = p->lin = 0; /* so that it can be freed */
    p->len = p->nfrag = p->csum = p->ecn = 0;
    p->cap = PKT_LINEAR;
    pkt_free(p);

    p = pkt_new(m);
    struct pkt clean;
    memcpy(clean.frag, p->frag, sizeof clean.frag);
    memset(&clean, 0, offsetof(struct pkt, frag));
    memset(&clean.home, 0, sizeof clean - offsetof(struct pkt, home));
    clean.head = (uint8_t *)(p + 1);
    clean.off = PKT_HEADROOM;
    clean.cap = PKT_LINEAR;
    clean.home = m;
    clean.idx = idx;
    assert_memory_equal(p, &clean, sizeof clean);
    assert_int_equal(pkt_headroom(p), PKT_HEADROOM);
    assert_int_equal(pkt_tailroom(p), PKT_LINEAR - PKT_HEADROOM);
    pkt_free(p);
}

/* If this fails, an empty pool ends in a crash instead of a refusal. */
static void packets_run_out(void **state)
{
    struct pktmem *m = mem_of(state);
    struct pkt *list = NULL;
    for (unsigned i = 0; i < N_PKT; i++) {
        struct pkt *p = pkt_new(m);
        assert_non_null(p);
        p->next = list;
        list = p;
    }
    assert_null(pkt_new(m));
    assert_null(pkt_from_bytes(m, pattern(), 60));
    assert_null(pkt_copy(m, list));
    assert_int_equal(m->no_pkt, 3);
    pkt_free_list(list);
    pkt_free_list(NULL);
    struct pkt *p = pkt_new(m);
    assert_non_null(p);
    pkt_free(p);
}

/* If this fails, a layer's header overwrites the one above, or l3 points elsewhere after a push. */
static void headers_are_pushed_and_pulled_in_place(void **state)
{
    struct pktmem *m = mem_of(state);
    struct pkt *p = pkt_new(m);
    assert_true(pkt_append_copy(p, "payload", 7));
    p->l4 = p->off;
    memcpy(pkt_push(p, 4), "udp:", 4);
    p->l3 = p->off;
    memcpy(pkt_push(p, 4), "eth:", 4);
    assert_bytes(p, (const uint8_t *)"eth:udp:payload", 15);
    pkt_pull(p, 4);
    assert_ptr_equal(pkt_at(p, p->l3), pkt_data(p));
    pkt_pull(p, 4);
    assert_ptr_equal(pkt_at(p, p->l4), pkt_data(p));
    WEIR_EXPECT_ASSERT(pkt_pull(p, 8));
    WEIR_EXPECT_ASSERT(pkt_push(p, PKT_HEADROOM + 1));
    pkt_push(p, PKT_HEADROOM);
    assert_ptr_equal(pkt_data(p), p->head);
    pkt_free(p);
}

/* If this fails, received bytes are changed, cut or shifted on the way in. */
static void received_bytes_of_every_length(void **state)
{
    struct pktmem *m = mem_of(state);
    for (uint32_t n = 0; n <= MAX_BYTES; n += n < 700 || n > MAX_BYTES - 9 ? 1 : 509) {
        struct pkt *p = pkt_from_bytes(m, pattern(), n);
        assert_non_null(p);
        assert_int_equal(p->off, 0);
        assert_int_equal(p->lin, w_u32_min(n, PKT_RX_LINEAR));
        assert_bytes(p, pattern(), n);
        pkt_free(p);
        n = n > 60000 && n < MAX_BYTES - 9 ? MAX_BYTES - 9 : n;
    }
    assert_null(pkt_from_bytes(m, pattern(), (size_t)MAX_BYTES + 1));
}

/* If this fails, a packet that finds no block is received without its end, or leaks. */
static void received_without_blocks_is_refused(void **state)
{
    struct pktmem *m = mem_of(state);
    struct blk *v[N_SMALL + N_BIG];
    for (unsigned i = 0; i < WEIR_COUNT(v); i++)
        v[i] = blk_new(m, i < N_SMALL ? 1 : BLK_BIG);
    assert_null(pkt_from_bytes(m, pattern(), 1500));
    assert_int_equal(m->pkts.in_use, 0);
    struct pkt *p = pkt_from_bytes(m, pattern(), PKT_RX_LINEAR); /* needs none */
    assert_non_null(p);
    pkt_free(p);
    /* Only small ones left: six of them do not hold 16 KiB. */
    for (unsigned i = 0; i < N_SMALL; i++)
        blk_unref(v[i]);
    assert_null(pkt_from_bytes(m, pattern(), PKT_RX_LINEAR + PKT_FRAGS * BLK_SMALL + 1));
    assert_int_equal(m->small_blks.in_use, 0);
    p = pkt_from_bytes(m, pattern(), PKT_RX_LINEAR + PKT_FRAGS * BLK_SMALL);
    assert_bytes(p, pattern(), PKT_RX_LINEAR + PKT_FRAGS * BLK_SMALL);
    pkt_free(p);
    for (unsigned i = N_SMALL; i < WEIR_COUNT(v); i++)
        blk_unref(v[i]);
}

/* If this fails, a super-segment of many writes has too many fragments, or a wrong order. */
static void fragments_that_continue_are_merged(void **state)
{
    struct pktmem *m = mem_of(state);
    struct pkt *p = pkt_new(m);
    struct blk *b = blk_new(m, BLK_BIG);
    memcpy(b->mem, pattern(), BLK_BIG);
    b->used = BLK_BIG;
    for (uint32_t i = 0; i < 10; i++)
        assert_true(pkt_add_frag(p, b, i * 1000, 1000));
    assert_int_equal(p->nfrag, 1);
    assert_int_equal(b->refs, 2);
    assert_bytes(p, pattern(), 10000);
    assert_true(pkt_add_frag(p, b, 10000, 0)); /* nothing */
    for (uint32_t i = 1; i < PKT_FRAGS; i++)
        assert_true(pkt_add_frag(p, b, 10001 + 2 * i, 1)); /* gaps: not merged */
    assert_false(pkt_add_frag(p, b, 0, 1));
    assert_int_equal(p->nfrag, PKT_FRAGS);
    assert_true(pkt_add_frag(p, b, 10002 + 2 * (PKT_FRAGS - 1), 5)); /* still merged when full */
    assert_int_equal(b->refs, 1 + PKT_FRAGS);
    WEIR_EXPECT_ASSERT((void)!pkt_add_frag(p, b, BLK_BIG - 1, 2));
    pkt_free(p);
    blk_unref(b);
}

/* If this fails, a failed append leaves half a payload in the packet. */
static void failed_append_changes_nothing(void **state)
{
    struct pktmem *m = mem_of(state);
    struct pkt *p = pkt_new(m);
    uint32_t most = PKT_LINEAR - PKT_HEADROOM + PKT_FRAGS * BLK_BIG;
    uint8_t *bytes = calloc(1, most + 1);
    assert_true(pkt_append_copy(p, pattern(), 10));
    assert_false(pkt_append_copy(p, bytes, most - 10 + 1));
    assert_bytes(p, pattern(), 10);
    assert_int_equal(m->big_blks.in_use, 0);
    assert_true(pkt_append_copy(p, bytes, most - 10));
    assert_int_equal(p->len, most);
    assert_int_equal(p->nfrag, PKT_FRAGS);
    assert_false(pkt_append_copy(p, bytes, 1));
    pkt_free(p);
    free(bytes);
}

/* If this fails, appending to one packet changes another, or bytes a writer has not yet shown. */
static void append_leaves_shared_blocks_alone(void **state)
{
    struct pktmem *m = mem_of(state);
    struct pkt *p = pkt_new(m);
    struct blk *b = blk_new(m, 100);
    memset(b->mem, 'a', 10);
    b->used = 5;
    assert_true(pkt_add_frag(p, b, 0, 5));
    assert_true(pkt_append_copy(p, "bcd", 3)); /* b has another owner */
    assert_int_equal(b->used, 5);
    assert_int_equal(b->mem[5], 'a');
    assert_int_equal(p->nfrag, 2);
    assert_true(pkt_append_copy(p, "efg", 3)); /* into the block of its own */
    assert_int_equal(p->nfrag, 2);
    assert_bytes(p, (const uint8_t *)"aaaaabcdefg", 11);
    pkt_trim(p, 7);
    assert_true(pkt_append_copy(p, "h", 1)); /* not over what was cut: it may be shared by now */
    assert_bytes(p, (const uint8_t *)"aaaaabch", 8);
    pkt_free(p);
    blk_unref(b);
}

/* If this fails, an in-memory wire copies payloads, gives them twice, or frees them to the wrong
 * stack. */
static void adopt_moves_fragments(void **state)
{
    struct pktmem *m = mem_of(state);
    struct memory *other = memory_new();
    struct pkt *from = pkt_from_bytes(m, pattern(), 5000);
    struct blk *b = from->frag[0].b;
    from->l3 = 14, from->csum = CSUM_GOOD, from->gso_size = 1448, from->hash = 9, from->when = 77;
    from->owner = 3, from->drop = 4, from->nif = 5, from->flow.lport = 80, from->next = from;
    struct pkt *p = pkt_adopt(&other->mem, from);
    assert_bytes(p, pattern(), 5000);
    assert_ptr_equal(p->frag[0].b, b);
    assert_int_equal(b->refs, 1);
    assert_ptr_equal(p->home, &other->mem);
    assert_int_equal(p->l3, 14);
    assert_int_equal(p->csum, CSUM_GOOD);
    assert_int_equal(p->gso_size, 1448);
    assert_int_equal(p->hash, 9);
    assert_int_equal(p->when, 77);
    assert_int_equal(p->owner | p->drop | p->nif | p->flow.lport, 0);
    assert_null(p->next);
    assert_bytes(from, pattern(), PKT_RX_LINEAR); /* headers stay, still its sender's */
    assert_int_equal(from->owner, 3);
    pkt_free(from);
    assert_int_equal(m->big_blks.in_use, 1);
    pkt_free(p);
    assert_true(is_unused(m)); /* the block went home */

    /* The receiver has no packet: the sender's is as it was. */
    for (unsigned i = 0; i < N_PKT; i++)
        assert_non_null(pkt_new(&other->mem));
    from = pkt_from_bytes(m, pattern(), 5000);
    assert_null(pkt_adopt(&other->mem, from));
    assert_bytes(from, pattern(), 5000);
    pkt_free(from);
    free(other->arena);
    free(other);
}

/* If this fails, a duplicated or captured packet changes when the original does. */
static void copies_share_nothing(void **state)
{
    struct pktmem *m = mem_of(state);
    struct pkt *p = pkt_from_bytes(m, pattern(), 60000);
    p->l4 = 34, p->flow.rport = 443, p->seq = 1, p->end_seq = 2, p->icmp_arg = 5, p->owner = 3;
    p->sent_at = 8;
    struct pkt *q = pkt_copy(m, p);
    memset(pkt_data(p), 0, p->lin);
    memset(p->frag[0].b->mem, 0, p->frag[0].len);
    assert_int_equal(q->l4, 34);
    assert_int_equal(q->flow.rport, 443);
    assert_int_equal(q->seq, 1);
    assert_int_equal(q->end_seq, 2);
    assert_int_equal(q->icmp_arg, 5);
    assert_int_equal(q->sent_at, 8);
    assert_int_equal(q->owner, 0);
    pkt_free(p);
    assert_bytes(q, pattern(), 60000);

    /* Blocks run out in the middle: no copy, and no leak (see teardown). */
    struct pkt *third = pkt_copy(m, q);
    assert_non_null(third);
    assert_null(pkt_copy(m, q));
    pkt_free(third);
    pkt_free(q);
}

/* If this fails, a small payload keeps a block, or loses bytes on its way out of it. */
static void packing_frees_blocks(void **state)
{
    struct pktmem *m = mem_of(state);
    uint8_t got[PKT_LINEAR];
    struct pkt *p = pkt_from_bytes(m, pattern(), PKT_RX_LINEAR + 40);
    pkt_pull(p, 20);
    pkt_pack(p);
    assert_int_equal(m->small_blks.in_use, 0);
    assert_int_equal(pkt_copy_out(p, 0, got, sizeof got), PKT_RX_LINEAR + 20);
    assert_memory_equal(got, pattern() + 20, PKT_RX_LINEAR + 20);
    pkt_check(p);
    pkt_free(p);
    p = pkt_from_bytes(m, pattern(), PKT_LINEAR + 1); /* does not fit: as it was */
    pkt_pack(p);
    assert_int_equal(p->nfrag, 1);
    pkt_free(p);
}

/* If this fails, a receive buffer of some kilobytes pins megabytes, or counts them twice. */
static void truesize_counts_what_is_pinned(void **state)
{
    struct pktmem *m = mem_of(state);
    struct pkt *p = pkt_from_bytes(m, pattern(), 100);
    uint32_t slot = sizeof *p + PKT_LINEAR;
    assert_int_equal(pkt_truesize(p), slot);
    pkt_free(p);
    p = pkt_from_bytes(m, pattern(), 1500);
    assert_int_equal(pkt_truesize(p), slot + BLK_SMALL);
    pkt_free(p);
    p = pkt_from_bytes(m, pattern(), PKT_RX_LINEAR + 10000);
    assert_int_equal(pkt_truesize(p), slot + 10000);
    pkt_free(p);
}

/* If this fails, a packet freed twice is handed out twice. In release builds the pool notices, in
 * checked ones the packet's poisoned memory does. */
static void double_free_is_a_bug(void **state)
{
    struct pktmem *m = mem_of(state);
    struct pkt *p = pkt_new(m);
    pkt_free(p);
    WEIR_EXPECT_ASSERT(pkt_free(p));
}

#if WEIR_CHECKS
/* If this fails, a length that went wrong is found by a peer instead of by us. */
static void damage_is_noticed(void **state)
{
    struct pktmem *m = mem_of(state);
    struct pkt *p = pkt_from_bytes(m, pattern(), 1000);
    pkt_check(p);
    p->len++;
    WEIR_EXPECT_ASSERT(pkt_check(p));
    p->len--;
    p->frag[0].off = BLK_SMALL;
    WEIR_EXPECT_ASSERT(pkt_check(p));
    p->frag[0].off = 0;
    p->off = 100;
    WEIR_EXPECT_ASSERT(pkt_check(p));
    p->off = 0;
    p->nfrag = PKT_FRAGS + 1;
    WEIR_EXPECT_ASSERT(pkt_check(p));
    p->nfrag = 1;
    struct blk *b = p->frag[0].b;
    b->refs = 0;
    WEIR_EXPECT_ASSERT(pkt_check(p));
    WEIR_EXPECT_ASSERT(blk_unref(b));
    b->refs = 1;
    pkt_free(p);
}

/* If this fails, reading a packet after it was freed gives plausible bytes. */
static void freed_memory_is_poisoned(void **state)
{
    struct pktmem *m = mem_of(state);
    struct pkt *p = pkt_from_bytes(m, pattern(), 1000);
    const uint8_t *linear = p->head, *block = p->frag[0].b->mem;
    pkt_free(p);
    assert_int_equal(linear[0], 0xdd);
    assert_int_equal(block[0], 0xdd);
}
#endif

/* If this fails, packets of a queue are reordered or its byte limit drifts. */
static void queues_are_first_in_first_out(void **state)
{
    struct pktmem *m = mem_of(state);
    struct pktq q = {0};
    assert_null(pktq_pop(&q));
    for (uint32_t i = 1; i <= 5; i++)
        pktq_push(&q, pkt_from_bytes(m, pattern(), i * 10));
    assert_int_equal(q.n, 5);
    assert_int_equal(q.bytes, 150);
    for (uint32_t i = 1; i <= 3; i++) {
        struct pkt *p = pktq_pop(&q);
        assert_int_equal(p->len, i * 10);
        assert_null(p->next);
        pkt_free(p);
    }
    assert_int_equal(q.n, 2);
    assert_int_equal(q.bytes, 90);
    pktq_free(&q);
    assert_null(q.first);
    assert_null(q.last);
    pktq_push(&q, pkt_new(m));
    pkt_free(pktq_pop(&q));
    assert_null(q.last);
    assert_int_equal(q.n, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
static const struct CMUnitTest tests[] = {
    TEST(blocks_have_two_sizes),
    TEST(blocks_stand_in_for_each_other),
    TEST(blocks_live_as_long_as_a_reference),
    TEST(new_packets_are_clean),
    TEST(packets_run_out),
    TEST(headers_are_pushed_and_pulled_in_place),
    TEST(received_bytes_of_every_length),
    TEST(received_without_blocks_is_refused),
    TEST(fragments_that_continue_are_merged),
    TEST(failed_append_changes_nothing),
    TEST(append_leaves_shared_blocks_alone),
    TEST(adopt_moves_fragments),
    TEST(copies_share_nothing),
    TEST(packing_frees_blocks),
    TEST(truesize_counts_what_is_pinned),
    TEST(double_free_is_a_bug),
#if WEIR_CHECKS
    TEST(damage_is_noticed),
    TEST(freed_memory_is_poisoned),
#endif
    TEST(queues_are_first_in_first_out),
};
UNIT_MAIN(tests)
