/* SPDX-License-Identifier: Apache-2.0
 *
 * Randomness as an argument: a keyed counter (SipHash-2-4 of 0, 1, 2, …). The same seed gives the
 * same run; with a secret seed an outsider cannot predict what comes next [RFC 4086, RFC 6056 3.3].
 */
#ifndef WEIR_RNG_H
#define WEIR_RNG_H

#include "base/hash.h"

struct rng {
    struct hash_key key;
    uint64_t n;
};

void rng_seed(struct rng *, uint64_t seed);
uint64_t rng_u64(struct rng *);
static inline uint32_t rng_u32(struct rng *r) { return (uint32_t)rng_u64(r); }
/* Uniform in [0, n), n > 0, without bias worth naming (64-bit multiply-shift). */
uint32_t rng_below(struct rng *, uint32_t n);
/* True with probability p / 1,000,000 (ppm). */
static inline bool rng_chance_ppm(struct rng *r, uint32_t ppm)
{
    return ppm != 0 && rng_below(r, 1000000) < ppm;
}
/* An independent stream derived from this one, so that one consumer's draws do not move another's.
 * Takes one draw from r. */
struct rng rng_fork(struct rng *, uint64_t label);

#endif
