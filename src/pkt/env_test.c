/* SPDX-License-Identifier: Apache-2.0
 *
 * What the rooms of a stack share: keys from the seed, counters with names, drops that are counted.
 */
#include "unit.h"

#include <stdlib.h>

#include "pkt/env.h"

/* A small stack's environment, the memory of which begins at *memory. */
static struct env *env_new(uint64_t seed, void **memory)
{
    struct env *e = calloc(1, sizeof *e);
    weir_conf_default(&e->conf);
    e->conf.n_pkt = 16;
    e->conf.n_blk_small = 16;
    e->conf.n_blk_big = 8;
    e->csum_isa = 2;
    struct arena a;
    arena_init(&a, NULL, 0);
    env_init(e, &a, seed, 5);
    size_t size = (a.used + 4095) & ~(size_t)4095;
    *memory = aligned_alloc(4096, size);
    memset(*memory, 0, size);
    e->drops[DROP_NOMEM] = 9; /* init begins from zero, whatever there was */
    arena_init(&a, *memory, size);
    env_init(e, &a, seed, 5);
    assert_false(a.is_full);
    return e;
}

static void env_end(struct env *e, void *memory)
{
    free(memory);
    free(e);
}

static bool is_same_key(const struct hash_key *a, const struct hash_key *b)
{
    return a->k0 == b->k0 && a->k1 == b->k1;
}

/* If this fails, a stack begins with counters of nothing, or other settings than its owner's. */
static void init_makes_everything(void **state)
{
    (void)state;
    void *memory;
    struct env *e = env_new(1, &memory);
    assert_int_equal(e->now, 5);
    assert_int_equal(e->wheel.now, 5);
    assert_int_equal(wheel_next(&e->wheel), W_NEVER);
    assert_int_equal(e->mem.pkts.cap, 16);
    assert_int_equal(e->mem.small_blks.cap, 16);
    assert_int_equal(e->mem.big_blks.cap, 8);
    assert_int_equal(e->conf.n_pkt, 16);
    assert_int_equal(e->conf.tcp_sack, 1);
    assert_int_equal(e->csum_isa, 2);
    for (unsigned i = 0; i < DROP_N; i++)
        assert_int_equal(e->drops[i], 0);
    for (unsigned i = 0; i < STAT_N; i++)
        assert_int_equal(e->stats[i], 0);
    env_end(e, memory);
}

/* If this fails, seeing one secret (a port, a sequence number) tells another, or a seed does not
 * reproduce a run. */
static void keys_come_from_the_seed(void **state)
{
    (void)state;
    void *m[3];
    struct env *a = env_new(1, &m[0]), *b = env_new(1, &m[1]), *c = env_new(2, &m[2]);
    const struct hash_key *k[] = {&a->key_flow, &a->key_isn, &a->key_port, &a->key_misc,
                                  &a->rng.key};
    const struct hash_key *same[] = {&b->key_flow, &b->key_isn, &b->key_port, &b->key_misc,
                                     &b->rng.key};
    const struct hash_key *other[] = {&c->key_flow, &c->key_isn, &c->key_port, &c->key_misc,
                                      &c->rng.key};
    for (unsigned i = 0; i < WEIR_COUNT(k); i++) {
        assert_true(is_same_key(k[i], same[i]));
        assert_false(is_same_key(k[i], other[i]));
        for (unsigned j = 0; j < i; j++)
            assert_false(is_same_key(k[i], k[j]));
    }
    for (unsigned i = 0; i < 100; i++) {
        uint64_t draw = rng_u64(&a->rng);
        assert_int_equal(draw, rng_u64(&b->rng));
        for (unsigned j = 0; j < WEIR_COUNT(k); j++) /* what is drawn goes on the wire */
            assert_true(draw != k[j]->k0 && draw != k[j]->k1);
    }
    env_end(a, m[0]);
    env_end(b, m[1]);
    env_end(c, m[2]);
}

/* If this fails, a packet disappears without a trace, or its memory does. */
static void drops_are_counted_and_freed(void **state)
{
    (void)state;
    void *memory;
    struct env *e = env_new(1, &memory);
    struct pkt *p = pkt_new(&e->mem);
    assert_int_equal(env_drop(e, p, DROP_IP_CSUM), DROP_IP_CSUM);
    assert_int_equal(e->mem.pkts.in_use, 0);
    assert_int_equal(env_drop(e, NULL, DROP_NOMEM), DROP_NOMEM); /* not even a packet */
    assert_int_equal(e->drops[DROP_IP_CSUM], 1);
    assert_int_equal(e->drops[DROP_NOMEM], 1);
    WEIR_EXPECT_ASSERT(env_drop(e, NULL, DROP_N));
    env_count(e, STAT_TCPTimeouts);
    env_count_n(e, STAT_TCPTimeouts, 4);
    assert_int_equal(e->stats[STAT_TCPTimeouts], 5);
    env_end(e, memory);
}

/* If this fails, `weir nstat` shows a counter under another's name, or crashes. */
static void everything_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(drop_name(DROP_NONE), "NONE");
    assert_string_equal(drop_name(DROP_TCP_CSUM), "TCP_CSUM");
    assert_string_equal(drop_text(DROP_TCP_CSUM), "TCP checksum wrong");
    assert_string_equal(stat_name(STAT_TcpRetransSegs), "TcpRetransSegs");
    assert_string_equal(stat_text(STAT_TCPTimeouts), "retransmission timeouts");
    assert_string_equal(drop_name(DROP_N), "?");
    assert_string_equal(drop_text((enum drop)100000), "?");
    assert_string_equal(stat_name(STAT_N), "?");
    assert_string_equal(stat_text((enum env_stat)100000), "?");
    for (unsigned i = 0; i < DROP_N; i++) {
        assert_true(drop_name((enum drop)i)[0] != '\0');
        assert_true(drop_text((enum drop)i)[0] != '\0');
    }
    for (unsigned i = 0; i < STAT_N; i++) {
        assert_true(stat_name((enum env_stat)i)[0] != '\0');
        assert_true(stat_text((enum env_stat)i)[0] != '\0');
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(init_makes_everything),
    cmocka_unit_test(keys_come_from_the_seed),
    cmocka_unit_test(drops_are_counted_and_freed),
    cmocka_unit_test(everything_has_its_name),
};
UNIT_MAIN(tests)
