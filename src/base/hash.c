/* SPDX-License-Identifier: Apache-2.0
 *
 * SipHash and Toeplitz.
 *
 * SipHash-c-d: c rounds for each 8-byte word, d at the end; the last word carries the length. The
 * tables use 1-3: an outsider sees neither the hash nor the bucket, only timing. What leaves the
 * host (sequence numbers, ports) uses 2-4. A word is read as little endian on every machine, so
 * that a seed gives the same run everywhere.
 *
 * The flow hash is on the path of every segment: no loop, no tail. 8 rounds are some 12 ns, the
 * 5 of IPv4 some 8.
 *
 * Read first: Aumasson, Bernstein, "SipHash: a fast short-input PRF" (2012); Microsoft, "Verifying
 * the RSS hash calculation".
 */
#include "base/hash.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned n) { return x << n | x >> (64 - n); }

static inline uint32_t load_le32(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t load_le64(const uint8_t *b)
{
    uint64_t v = (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24;
    v |= (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40;
    return v | (uint64_t)b[6] << 48 | (uint64_t)b[7] << 56;
}

static inline struct sip sip_init(const struct hash_key *k)
{
    return (struct sip){k->k0 ^ 0x736f6d6570736575, k->k1 ^ 0x646f72616e646f6d,
                        k->k0 ^ 0x6c7967656e657261, k->k1 ^ 0x7465646279746573};
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t m, unsigned rounds)
{
    s->v3 ^= m;
    for (unsigned i = 0; i < rounds; i++)
        sip_round(s);
    s->v0 ^= m;
}

static inline uint64_t sip_end(struct sip *s, unsigned rounds)
{
    s->v2 ^= 0xff;
    for (unsigned i = 0; i < rounds; i++)
        sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline uint64_t sip_hash(const struct hash_key *k, const uint8_t *b, size_t n, unsigned c,
                                unsigned d)
{
    struct sip s = sip_init(k);
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        sip_word(&s, load_le64(b + i), c);
    uint64_t last = (uint64_t)n << 56;
    for (unsigned shift = 0; i < n; i++, shift += 8)
        last |= (uint64_t)b[i] << shift;
    sip_word(&s, last, c);
    return sip_end(&s, d);
}

uint64_t hash_sip24(const struct hash_key *k, const void *data, size_t n)
{
    return sip_hash(k, data, n, 2, 4);
}

uint64_t hash_sip13(const struct hash_key *k, const void *data, size_t n)
{
    return sip_hash(k, data, n, 1, 3);
}

/* SipHash of the addresses, ports and protocol as bytes. Of IPv4 the prefix ::ffff:0:0 says nothing
 * and is left out; the length keeps both kinds apart. */
static inline uint64_t flow_hash(const struct hash_key *k, const struct flow *f, unsigned c,
                                 unsigned d)
{
    struct sip s = sip_init(k);
    uint64_t last = (uint64_t)f->rport << 16 | f->lport | (uint64_t)f->proto << 32;
    if (WEIR_LIKELY(addr_is_ip4(&f->local) && addr_is_ip4(&f->remote))) {
        sip_word(&s, load_le32(f->local.b + 12) | (uint64_t)load_le32(f->remote.b + 12) << 32, c);
        sip_word(&s, (uint64_t)13 << 56 | last, c);
        return sip_end(&s, d);
    }
    sip_word(&s, load_le64(f->local.b), c);
    sip_word(&s, load_le64(f->local.b + 8), c);
    sip_word(&s, load_le64(f->remote.b), c);
    sip_word(&s, load_le64(f->remote.b + 8), c);
    sip_word(&s, (uint64_t)37 << 56 | last, c);
    return sip_end(&s, d);
}

uint64_t hash_flow(const struct hash_key *k, const struct flow *f) { return flow_hash(k, f, 1, 3); }

uint64_t hash_flow_secret(const struct hash_key *k, const struct flow *f)
{
    return flow_hash(k, f, 2, 4);
}

/* Bit i of the input selects the 32 bits of the key that begin at bit i. */
uint32_t hash_toeplitz(const uint8_t *key40, const uint8_t *data, size_t n)
{
    WEIR_ASSERT(n <= 36);
    uint32_t hash = 0, window = w_be32(key40);
    for (size_t i = 0; i < n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            uint32_t select = 0u - (data[i] >> (7 - bit) & 1u);
            hash ^= window & select;
            window = window << 1 | (key40[i + 4] >> (7 - bit) & 1u);
        }
    }
    return hash;
}
