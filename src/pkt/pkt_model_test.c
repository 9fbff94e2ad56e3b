/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets against a model: whatever is done to a packet, its bytes are those of a plain array to
 * which the same was done, and at the end every packet and block is back in its pool.
 */
#include "unit.h"

#include <stdlib.h>

#include "base/rng.h"
#include "pkt/pkt.h"

enum { N_PKTS = 6, MODEL_MAX = 70000, MEM = 4 << 20 };

struct slot {
    struct pkt *p; /* NULL: none */
    uint8_t *bytes;
    uint32_t n;
};

struct model {
    void *arena[2];
    struct pktmem mem[2]; /* small, so that both run empty often */
    struct rng rng;
    struct slot slot[N_PKTS];
};

static struct pktmem *any_mem(struct model *m) { return &m->mem[rng_below(&m->rng, 2)]; }

/* Mostly short, now and then longer than several blocks. */
static uint32_t draw_len(struct rng *r)
{
    static const uint32_t below[] = {8, 300, 1500, 5000, 40000, 65600};
    return rng_below(r, below[rng_below(r, WEIR_COUNT(below))]);
}

static void draw_bytes(struct rng *r, uint8_t *at, uint32_t n)
{
    uint64_t x = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i % 8 == 0)
            x = rng_u64(r);
        at[i] = (uint8_t)(x >> (8 * (i % 8)));
    }
}

static void slot_free(struct slot *s)
{
    if (s->p != NULL)
        pkt_free(s->p);
    s->p = NULL;
    s->n = 0;
}

static void op_make(struct model *m, struct slot *s)
{
    slot_free(s);
    uint32_t n = draw_len(&m->rng);
    if (rng_below(&m->rng, 3) == 0) {
        s->p = pkt_new(any_mem(m));
        return;
    }
    draw_bytes(&m->rng, s->bytes, n);
    s->p = pkt_from_bytes(any_mem(m), s->bytes, n);
    s->n = s->p != NULL ? n : 0;
}

static void op_front(struct model *m, struct slot *s)
{
    uint32_t n = rng_below(&m->rng, 60);
    switch (rng_below(&m->rng, 3)) {
    case 0:
        n = w_u32_min(n, pkt_headroom(s->p));
        if (s->n + n > MODEL_MAX)
            return;
        memmove(s->bytes + n, s->bytes, s->n);
        draw_bytes(&m->rng, s->bytes, n);
        memcpy(pkt_push(s->p, n), s->bytes, n);
        s->n += n;
        return;
    case 1:
        n = w_u32_min(n, s->p->lin);
        pkt_pull(s->p, n);
        break;
    default: n = w_u32_min(draw_len(&m->rng), s->n); pkt_pull_any(s->p, n);
    }
    s->n -= n;
    memmove(s->bytes, s->bytes + n, s->n);
}

static void op_back(struct model *m, struct slot *s)
{
    uint32_t n = draw_len(&m->rng);
    if (rng_below(&m->rng, 3) == 0) {
        n = w_u32_min(n, s->n);
        pkt_trim(s->p, s->n - n);
        s->n -= n;
        return;
    }
    if (s->n + n > MODEL_MAX)
        return;
    draw_bytes(&m->rng, s->bytes + s->n, n);
    if (pkt_append_copy(s->p, s->bytes + s->n, n))
        s->n += n;
}

/* A piece of another packet's fragment, shared. */
static void op_share(struct model *m, struct slot *s)
{
    struct slot *o = &m->slot[rng_below(&m->rng, N_PKTS)];
    if (o->p == NULL || o->p->nfrag == 0)
        return;
    const struct frag f = o->p->frag[rng_below(&m->rng, o->p->nfrag)];
    if (f.len == 0)
        return;
    uint32_t skip = rng_below(&m->rng, f.len), n = 1 + rng_below(&m->rng, f.len - skip);
    if (s->n + n > MODEL_MAX)
        return;
    memcpy(s->bytes + s->n, f.b->mem + f.off + skip, n);
    if (pkt_add_frag(s->p, f.b, f.off + skip, n))
        s->n += n;
}

static void op_move(struct model *m, struct slot *s)
{
    struct slot *to = &m->slot[rng_below(&m->rng, N_PKTS)];
    if (to == s)
        return;
    slot_free(to);
    bool is_copy = rng_below(&m->rng, 2) == 0;
    to->p = is_copy ? pkt_copy(any_mem(m), s->p) : pkt_adopt(any_mem(m), s->p);
    if (to->p == NULL)
        return;
    to->n = s->n;
    memcpy(to->bytes, s->bytes, s->n);
    if (!is_copy)
        s->n = s->p->lin;
}

static void check_slot(struct model *m, const struct slot *s)
{
    static uint8_t out[MODEL_MAX + 1];
    pkt_check(s->p);
    assert_int_equal(s->p->len, s->n);
    assert_int_equal(pkt_copy_out(s->p, 0, out, sizeof out), s->n);
    assert_memory_equal(out, s->bytes, s->n);
    uint32_t from = rng_below(&m->rng, s->n + 2), n = draw_len(&m->rng);
    uint32_t expected = from < s->n ? w_u32_min(n, s->n - from) : 0;
    assert_int_equal(pkt_copy_out(s->p, from, out, n), expected);
    assert_memory_equal(out, s->bytes + w_u32_min(from, s->n), expected);
}

static void step(struct model *m)
{
    struct slot *s = &m->slot[rng_below(&m->rng, N_PKTS)];
    unsigned op = rng_below(&m->rng, 12);
    if (s->p == NULL || op == 0)
        op_make(m, s);
    else if (op == 1)
        slot_free(s);
    else if (op < 5)
        op_front(m, s);
    else if (op < 8)
        op_back(m, s);
    else if (op < 10)
        op_share(m, s);
    else
        op_move(m, s);
    for (unsigned i = 0; i < N_PKTS; i++) { /* all: bytes may be shared */
        if (m->slot[i].p != NULL)
            check_slot(m, &m->slot[i]);
    }
}

static void model_init(struct model *m, uint64_t seed)
{
    static const struct pktmem_conf conf = {.n_pkt = 4, .n_blk_small = 5, .n_blk_big = 4};
    rng_seed(&m->rng, seed);
    for (unsigned i = 0; i < 2; i++) {
        struct arena a;
        m->arena[i] = aligned_alloc(4096, MEM);
        assert_non_null(m->arena[i]);
        memset(m->arena[i], 0, MEM);
        arena_init(&a, m->arena[i], MEM);
        pktmem_init(&m->mem[i], &a, &conf);
        assert_false(a.is_full);
    }
    for (unsigned i = 0; i < N_PKTS; i++) {
        m->slot[i] = (struct slot){.bytes = malloc(MODEL_MAX)};
        assert_non_null(m->slot[i].bytes);
    }
}

/* If this fails, bytes that a program wrote arrive changed, doubled or not at all, or a host that
 * has run for weeks has no packets left. */
static void a_packet_is_its_bytes(void **state)
{
    (void)state;
    uint64_t no_pkt = 0, no_blk = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct model m;
        model_init(&m, seed);
        for (unsigned i = 0; i < 1500; i++)
            step(&m);
        for (unsigned i = 0; i < N_PKTS; i++) {
            slot_free(&m.slot[i]);
            free(m.slot[i].bytes);
        }
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(m.mem[i].pkts.in_use, 0);
            assert_int_equal(m.mem[i].small_blks.in_use, 0);
            assert_int_equal(m.mem[i].big_blks.in_use, 0);
            no_pkt += m.mem[i].no_pkt;
            no_blk += m.mem[i].no_blk;
            free(m.arena[i]);
        }
    }
    assert_true(no_pkt > 100); /* the empty pools were met */
    assert_true(no_blk > 100);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_packet_is_its_bytes),
};
UNIT_MAIN(tests)
