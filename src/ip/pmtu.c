/* SPDX-License-Identifier: Apache-2.0
 *
 * What was learnt about path MTUs, per destination [RFC 1191, RFC 8201].
 *
 * Decides what value is believed: never above what the path was thought to carry, never below
 * conf.ip_min_pmtu (a lower one means: fragment instead of shrinking further, because a forged
 * "68" must not make a connection crawl). Whether the ICMP message itself is believed is the
 * transport's decision, before it calls here.
 *
 * Called by tcp/, udp/ (update), dst.c (find) and ip.c (timer). Owns ip->pmtu: a small hash, keyed,
 * PMTU_WAYS entries a set, the one that expires first gives way; losing an entry costs one more
 * ICMP message.
 *
 * Invariants: a learnt value is forgotten after conf.ip_pmtu_expires_s, so that a larger path is
 * found again [RFC 1191 6.3: 10 minutes]; any change makes every struct dst invalid.
 */
#include "ip/parts.h"

/* [RFC 1191 7.1] Likely MTUs, for routers that do not say. */
static const uint16_t plateaus[] = {65535, 32000, 17914, 8166, 4352, 2002,
                                    1492,  1006,  508,   296,  68};

static uint32_t plateau_below(uint32_t sent)
{
    for (unsigned i = 0; i < WEIR_COUNT(plateaus); i++) {
        if (plateaus[i] < sent)
            return plateaus[i];
    }
    return WIRE_IP4_MIN_MTU;
}

static unsigned set_of(const struct ip *ip, const struct addr *dst)
{
    uint64_t h = hash_sip13(&ip->env->key_misc, dst->b, sizeof dst->b);
    return (unsigned)(h % (PMTU_SLOTS / PMTU_WAYS)) * PMTU_WAYS;
}

const struct pmtu_entry *pmtu_find(const struct ip *ip, const struct addr *dst)
{
    if (ip->pmtu->n == 0)
        return NULL;
    const struct pmtu_entry *set = &ip->pmtu->slot[set_of(ip, dst)];
    for (unsigned i = 0; i < PMTU_WAYS; i++) {
        if (set[i].expires > ip->env->now && addr_eq(&set[i].dst, dst))
            return &set[i];
    }
    return NULL;
}

/* The destination's entry, or the one it gets. */
static struct pmtu_entry *slot_for(struct ip *ip, const struct addr *dst)
{
    struct pmtu_entry *set = &ip->pmtu->slot[set_of(ip, dst)], *best = &set[0];
    for (unsigned i = 0; i < PMTU_WAYS; i++) {
        if (set[i].expires != 0 && addr_eq(&set[i].dst, dst))
            return &set[i];
        if (set[i].expires < best->expires)
            best = &set[i];
    }
    return best;
}

/* [RFC 1191 3 MUST-1, MUST-2, MUST-3, MUST-5, MUST-6, MUST-7, MUST-8; RFC 8201 4 MUST-1, MUST-2,
 * MUST-3, MUST-4] */
bool ip_pmtu_update(struct ip *ip, const struct addr *dst, uint32_t mtu, uint32_t sent)
{
    struct dst d = {0};
    if (ip_route(ip, dst, NULL, &d) < 0 || d.kind != IP_REMOTE)
        return false;
    /* [RFC 8201 4] Below IPv6's minimum it must be discarded; every IPv6 router says. */
    if (d.is_ip6 && mtu < WIRE_IP6_MIN_MTU)
        return false;
    if (mtu == 0)
        mtu = plateau_below(w_u32_min(sent, d.mtu));
    bool is_floor = !d.is_ip6 && mtu < ip->env->conf.ip_min_pmtu;
    mtu = d.is_ip6 ? mtu : w_u32_max(mtu, ip->env->conf.ip_min_pmtu);
    /* [RFC 1191 3] MUST NOT increase its estimate in response to a message. */
    if (mtu > d.mtu || (mtu == d.mtu && !(is_floor && !d.can_frag)))
        return false;
    struct pmtu_entry *e = slot_for(ip, dst);
    if (e->expires == 0)
        ip->pmtu->n++;
    w_ns expires = ip->env->now + ip->env->conf.ip_pmtu_expires_s * W_S;
    *e = (struct pmtu_entry){.dst = *dst, .expires = expires, .mtu = mtu, .is_floor = is_floor};
    struct timer *t = &ip->pmtu->timer;
    if (!t->is_set) {
        t->kind = TK_REASM;
        t->obj = IP_TIMER_PMTU;
        wheel_set(&ip->env->wheel, t, expires);
    }
    ip_gen_bump(ip);
    return true;
}

void pmtu_expire(struct ip *ip)
{
    w_ns next = W_NEVER;
    for (unsigned i = 0; i < PMTU_SLOTS; i++) {
        struct pmtu_entry *e = &ip->pmtu->slot[i];
        if (e->expires == 0)
            continue;
        if (e->expires <= ip->env->now) {
            *e = (struct pmtu_entry){0};
            ip->pmtu->n--;
        } else {
            next = w_u64_min(next, e->expires);
        }
    }
    if (next != W_NEVER)
        wheel_set(&ip->env->wheel, &ip->pmtu->timer, next);
    ip_gen_bump(ip);
}
