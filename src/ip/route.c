/* SPDX-License-Identifier: Apache-2.0
 *
 * Routes by longest prefix, and a destination resolved from them.
 *
 * Decides where a packet to an address goes next [RFC 1122 3.3.1.1, RFC 1812 5.2.4.3]: the longest
 * prefix whose interface is up, the lowest metric among equals.
 *
 * Theory of operation. The prefixes stand in a binary trie with compressed paths: a node has a
 * prefix; everything below it is longer and begins with it; of two children one continues with a 0
 * bit, one with a 1. A node without a route only forks. A search walks down while the node's prefix
 * matches and remembers the last node that had a usable route: at most 129 nodes. IPv4 is the
 * subtree under ::ffff:0:0/96, which one compressed step reaches; shorter prefixes are IPv6's
 * alone, or ::/0 would be IPv4's default route too.
 *
 * Called by out.c, forward.c, the transports (ip_route) and configuration. Owns ip->routes, nodes.
 *
 * Invariants: a child's plen is greater than its parent's; a node without routes has two children;
 * routes of one node are in rising metric.
 */
#include "ip/parts.h"

#include <errno.h>

struct route_node {
    struct addr key;
    uint32_t child[2];
    uint32_t routes; /* first of the prefix, 0: the node only forks */
    uint8_t plen;
};

void route_nodes_init(struct ip *ip, struct arena *a, uint32_t n)
{
    pool_init(&ip->nodes, a, n, sizeof(struct route_node), 16);
}

static struct route_node *node_at(const struct ip *ip, uint32_t idx)
{
    return pool_at(&ip->nodes, idx);
}

static struct route *route_at(const struct ip *ip, uint32_t idx)
{
    return pool_at(&ip->routes, idx);
}

static unsigned bit_of(const struct addr *a, unsigned i)
{
    return (unsigned)a->b[i >> 3] >> (7 - (i & 7)) & 1u;
}

/* Leading bits a and b have in common, at most max. */
static unsigned common_bits(const struct addr *a, const struct addr *b, unsigned max)
{
    for (unsigned w = 0; w < 2; w++) {
        uint64_t x = __builtin_bswap64(a->d[w] ^ b->d[w]);
        if (x != 0) {
            unsigned n = w * 64 + (unsigned)__builtin_clzll(x);
            return n < max ? n : max;
        }
    }
    return max;
}

/* ---- the trie ---- */

static uint32_t node_new(struct ip *ip, const struct addr *key, unsigned plen)
{
    uint32_t idx = pool_take(&ip->nodes);
    if (idx != 0) {
        node_at(ip, idx)->key = *key;
        node_at(ip, idx)->plen = (uint8_t)plen;
    }
    return idx;
}

/* Puts a new node for the prefix where *link points: as a leaf, above what is there, or beside it
 * under a fork. common: bits it shares with what is there. Returns its index, 0: pool empty. */
static uint32_t node_insert(struct ip *ip, uint32_t *link, const struct addr *key, unsigned plen,
                            unsigned common)
{
    uint32_t there = *link;
    if (there != 0 && common < plen && pool_free_count(&ip->nodes) < 2)
        return 0;
    uint32_t idx = node_new(ip, key, plen);
    if (idx == 0)
        return 0;
    if (there == 0) {
        *link = idx;
        return idx;
    }
    uint32_t top = idx;
    if (common < plen) {
        top = node_new(ip, key, common);
        WEIR_ASSERT(top != 0);
        node_at(ip, top)->child[bit_of(key, common)] = idx;
    }
    node_at(ip, top)->child[bit_of(&node_at(ip, there)->key, common)] = there;
    *link = top;
    return idx;
}

/* The node of exactly this prefix, made if need be; 0: pool empty. */
static uint32_t node_get(struct ip *ip, const struct addr *key, unsigned plen)
{
    uint32_t *link = &ip->root;
    for (unsigned depth = 0; depth <= 128 && *link != 0; depth++) {
        struct route_node *n = node_at(ip, *link);
        unsigned common = common_bits(&n->key, key, plen < n->plen ? plen : n->plen);
        if (common < n->plen)
            return node_insert(ip, link, key, plen, common);
        if (common == plen)
            return *link;
        link = &n->child[bit_of(key, common)];
    }
    return node_insert(ip, link, key, plen, 0);
}

/* Removes the node at *link if it neither has a route nor forks; its only child takes its place. */
static void node_prune(struct ip *ip, uint32_t *link)
{
    uint32_t idx = *link;
    struct route_node *n = node_at(ip, idx);
    if (n->routes != 0 || (n->child[0] != 0 && n->child[1] != 0))
        return;
    *link = n->child[0] != 0 ? n->child[0] : n->child[1];
    pool_give(&ip->nodes, idx);
}

/* The link to the node of exactly this prefix, NULL: none; *above: the link to its parent. */
static uint32_t *node_link(struct ip *ip, const struct addr *key, unsigned plen, uint32_t **above)
{
    uint32_t *link = &ip->root;
    *above = NULL;
    for (unsigned depth = 0; depth <= 128 && *link != 0; depth++) {
        struct route_node *n = node_at(ip, *link);
        if (n->plen > plen || common_bits(&n->key, key, n->plen) < n->plen)
            return NULL;
        if (n->plen == plen)
            return link;
        *above = link;
        link = &n->child[bit_of(key, n->plen)];
    }
    return NULL;
}

/* ---- routes ---- */

static int route_insert(struct ip *ip, const struct route *r)
{
    uint32_t idx = pool_take(&ip->routes);
    uint32_t node = idx != 0 ? node_get(ip, &r->prefix, r->plen) : 0;
    if (node == 0) {
        if (idx != 0)
            pool_give(&ip->routes, idx);
        return -ENOSPC;
    }
    uint32_t *at = &node_at(ip, node)->routes;
    while (*at != 0 && route_at(ip, *at)->metric < r->metric)
        at = &route_at(ip, *at)->next;
    if (*at != 0 && route_at(ip, *at)->metric == r->metric) {
        pool_give(&ip->routes, idx);
        return -EEXIST;
    }
    struct route *mine = route_at(ip, idx);
    *mine = *r;
    mine->next = *at;
    *at = idx;
    ip_gen_bump(ip);
    return 0;
}

/* The prefix with its host bits zero. */
static struct addr prefix_mask(const struct addr *a, unsigned plen)
{
    struct addr out = *a;
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = plen > i * 8 ? plen - i * 8 : 0;
        if (keep < 8)
            out.b[i] = (uint8_t)(out.b[i] & (0xff00u >> keep));
    }
    return out;
}

int ip_route_add(struct ip *ip, const struct route *r)
{
    struct route mine = *r;
    if (r->plen > 128 || r->kind > ROUTE_BLACKHOLE)
        return -EINVAL;
    if (r->kind == ROUTE_UNICAST && link_nif(ip->link, r->nif) == NULL)
        return -EINVAL;
    mine.prefix = prefix_mask(&r->prefix, r->plen);
    mine.is_auto = false;
    mine.next = 0;
    if (r->kind == ROUTE_UNICAST && !addr_is_any(&r->gw)) {
        const struct route *on_link = route_find(ip, &r->gw, r->nif);
        bool is_host = ip_addr_kind(ip, NULL, &r->gw) == IP_REMOTE;
        if (!is_host)
            return -EINVAL;
        if (on_link == NULL || !addr_is_any(&on_link->gw))
            return -ENETUNREACH;
    }
    return route_insert(ip, &mine);
}

static int route_remove(struct ip *ip, const struct addr *prefix, unsigned plen, uint32_t metric,
                        unsigned auto_nif)
{
    uint32_t *above, *link = node_link(ip, prefix, plen, &above);
    if (link == NULL)
        return -ESRCH;
    uint32_t *at = &node_at(ip, *link)->routes;
    for (; *at != 0; at = &route_at(ip, *at)->next) {
        struct route *r = route_at(ip, *at);
        if (auto_nif != 0 ? !r->is_auto || r->nif != auto_nif : r->metric != metric)
            continue;
        uint32_t idx = *at;
        *at = r->next;
        pool_give(&ip->routes, idx);
        node_prune(ip, link);
        if (above != NULL)
            node_prune(ip, above);
        ip_gen_bump(ip);
        return 0;
    }
    return -ESRCH;
}

int ip_route_del(struct ip *ip, const struct route *r)
{
    if (r->plen > 128)
        return -ESRCH;
    struct addr prefix = prefix_mask(&r->prefix, r->plen);
    return route_remove(ip, &prefix, r->plen, r->metric, 0);
}

/* The network of an address is on its link. A second interface on the same network gets the next
 * metric. */
void route_auto_add(struct ip *ip, const struct nif *nif, const struct addr *a, unsigned plen)
{
    struct route r = {.prefix = prefix_mask(a, plen),
                      .plen = (uint8_t)plen,
                      .nif = nif->id,
                      .gw = addr_ip4(0),
                      .is_auto = true};
    while (route_insert(ip, &r) == -EEXIST && r.metric < LINK_NIFS)
        r.metric++;
}

void route_auto_del(struct ip *ip, const struct nif *nif, const struct addr *a, unsigned plen)
{
    struct addr prefix = prefix_mask(a, plen);
    (void)route_remove(ip, &prefix, plen, 0, nif->id);
}

const struct route *ip_route_iter(const struct ip *ip, uint32_t *after)
{
    for (uint32_t i = *after + 1; i <= ip->routes.cap; i++) {
        if (pool_is_live(&ip->routes, i)) {
            *after = i;
            return route_at(ip, i);
        }
    }
    return NULL;
}

/* The first route of a node that can be used now. */
static const struct route *node_usable(const struct ip *ip, const struct route_node *n,
                                       unsigned want)
{
    for (uint32_t i = n->routes; i != 0;) {
        const struct route *r = route_at(ip, i);
        const struct nif *nif = link_nif(ip->link, r->nif);
        bool is_up = nif != NULL && (nif->flags & NIF_UP) != 0;
        if (r->kind != ROUTE_UNICAST || (is_up && (want == 0 || want == r->nif)))
            return r;
        i = r->next;
    }
    return NULL;
}

const struct route *route_find(const struct ip *ip, const struct addr *a, unsigned nif)
{
    const struct route *best = NULL;
    unsigned shortest = addr_is_ip4(a) ? IP4_PLEN(0) : 0;
    uint32_t i = ip->root;
    for (unsigned depth = 0; depth <= 128 && i != 0; depth++) {
        const struct route_node *n = node_at(ip, i);
        if (common_bits(&n->key, a, n->plen) < n->plen)
            break;
        const struct route *r = n->plen >= shortest ? node_usable(ip, n, nif) : NULL;
        if (r != NULL)
            best = r;
        if (n->plen == 128)
            break;
        i = n->child[bit_of(a, n->plen)];
    }
    return best;
}
