/* SPDX-License-Identifier: Apache-2.0
 *
 * Interface identifiers that are stable on one network and different on each [RFC 7217].
 *
 * Decides the low 64 bits of every address made here: a keyed hash of prefix, interface and number
 * of duplicates met, so that neither the hardware's address nor a way to follow the host from
 * network to network can be read out of them.
 *
 * The key is the configuration's (ip6_stable_secret0 … 3), for who wants the same addresses after a
 * restart; else the stack's own, which lives as long as its seed. Called by addr.c and slaac.c.
 * Owns nothing.
 */
#include "ip/parts.h"

enum { IID_TRIES = 4 }; /* one in 2^40 is reserved */

static struct hash_key secret(const struct ip *ip)
{
    const struct weir_conf *c = &ip->env->conf;
    struct hash_key k = {
        .k0 = (uint64_t)c->ip6_stable_secret0 << 32 | c->ip6_stable_secret1,
        .k1 = (uint64_t)c->ip6_stable_secret2 << 32 | c->ip6_stable_secret3,
    };
    return k.k0 != 0 || k.k1 != 0 ? k : ip->env->key_misc;
}

/* [RFC 5453 3] Subnet-router anycast, ISATAP-like of IANA's block, subnet anycast. */
static bool iid_is_reserved(const uint8_t *iid)
{
    uint64_t hi = w_be32(iid), lo = w_be32(iid + 4), v = hi << 32 | lo;
    if (v == 0)
        return true;
    if (v >= 0x02005efffe000000u && v <= 0x02005efffeffffffu)
        return true;
    return v >= 0xfdffffffffffff80u && v <= 0xfdffffffffffffffu;
}

struct addr ip6_stable_addr(const struct ip *ip, const struct nif *nif, const struct addr *prefix,
                            uint32_t *dad_count)
{
    struct hash_key key = secret(ip);
    struct addr a = *prefix;
    for (unsigned i = 0; i < IID_TRIES; i++) {
        uint8_t in[8 + NIF_NAME + sizeof nif->mac + 4];
        memcpy(in, prefix->b, 8);
        memcpy(in + 8, nif->name, NIF_NAME);
        memcpy(in + 8 + NIF_NAME, nif->mac, sizeof nif->mac);
        w_put32(in + 8 + NIF_NAME + sizeof nif->mac, *dad_count);
        uint64_t h = hash_sip24(&key, in, sizeof in);
        w_put32(&a.b[8], (uint32_t)(h >> 32));
        w_put32(&a.b[12], (uint32_t)h);
        if (!iid_is_reserved(&a.b[8]))
            break;
        *dad_count += 1;
    }
    return a;
}
