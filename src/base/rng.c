/* SPDX-License-Identifier: Apache-2.0
 *
 * The random stream: SipHash-2-4 of a counter, under a key made from the seed.
 *
 * A keyed counter instead of a fast generator because its outputs become sequence numbers and
 * ports: seeing some of them must not tell the next ones. It is also the simplest thing to
 * snapshot: 24 bytes, and draw n is a function of n.
 *
 * Draws hash 8 bytes and forks 24; the length is part of the hash, so neither can ever repeat the
 * other. A fork uses up one place of the counter: two forks with the same label differ.
 */
#include "base/rng.h"

static void put_le64(uint8_t *b, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        b[i] = (uint8_t)(v >> (8 * i));
}

void rng_seed(struct rng *r, uint64_t seed) { *r = (struct rng){.key = {.k0 = seed, .k1 = ~seed}}; }

uint64_t rng_u64(struct rng *r)
{
    uint8_t b[8];
    put_le64(b, r->n++);
    return hash_sip24(&r->key, b, sizeof b);
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    WEIR_ASSERT(n > 0);
    uint64_t x = rng_u64(r);
    uint64_t high = (x >> 32) * n, low = (x & 0xffffffff) * n;
    return (uint32_t)((high + (low >> 32)) >> 32);
}

struct rng rng_fork(struct rng *r, uint64_t label)
{
    uint8_t b[24];
    put_le64(b, r->n++);
    put_le64(b + 8, label);
    struct rng fork = {0};
    put_le64(b + 16, 0);
    fork.key.k0 = hash_sip24(&r->key, b, sizeof b);
    put_le64(b + 16, 1);
    fork.key.k1 = hash_sip24(&r->key, b, sizeof b);
    return fork;
}
