/* SPDX-License-Identifier: Apache-2.0
 *
 * ARP packets, in and out [RFC 826, RFC 1122 2.3.2].
 *
 * Decides what an ARP packet teaches: a conflict over one of our addresses, a new or changed MAC of
 * a neighbour we know, a new neighbour when it asked for us, nothing otherwise; and whether it is
 * answered: only a request for an address that is ours on that very interface, at a bounded rate.
 *
 * Called by stack/ for received packets, by neigh.c and own.c for requests; calls link/. Owns
 * nothing.
 *
 * Invariants: an ARP packet never makes an entry unless it asks for us; a permanent entry is never
 * changed; a MAC that was learned less than LOCKTIME ago is not replaced by what nobody asked for,
 * as in Linux, so that of two answers the first one counts.
 */
#include "wire/arp.h"
#include "neigh/table.h"

enum {
    LOCKTIME_MS = 1000,
    REPLY_BURST = 200,
    REPLY_PER_S = 1000,
};

static void arp_send(struct neigh *n, struct nif *nif, const struct wire_arp *h, const uint8_t *to)
{
    static const uint8_t broadcast[WIRE_MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct pkt *p = pkt_new(&n->env->mem);
    if (p == NULL) {
        (void)env_drop(n->env, NULL, DROP_NOMEM);
        return;
    }
    wire_arp_build(pkt_push(p, WIRE_ARP_LEN), h);
    p->l3 = p->off;
    (void)eth_output(n->link, nif, to != NULL ? to : broadcast, ETYPE_ARP, p);
}

void arp_request(struct neigh *n, struct nif *nif, const struct addr *spa, const struct addr *tpa,
                 const uint8_t *to)
{
    /* [RFC 5227 2.1.1] The target's hardware address is zero: it is what we ask for. */
    struct wire_arp h = {.op = ARP_REQUEST, .spa = *spa, .tpa = *tpa};
    memcpy(h.sha, nif->mac, WIRE_MAC);
    env_count(n->env, STAT_ArpOutRequests);
    arp_send(n, nif, &h, to);
}

static void arp_reply(struct neigh *n, struct nif *nif, const struct wire_arp *req)
{
    struct wire_arp h = {.op = ARP_REPLY, .spa = req->tpa, .tpa = req->spa};
    memcpy(h.sha, nif->mac, WIRE_MAC);
    memcpy(h.tha, req->sha, WIRE_MAC);
    env_count(n->env, STAT_ArpOutReplies);
    arp_send(n, nif, &h, req->sha);
}

bool neigh_reply_allowed(struct neigh *n)
{
    w_ns per_token = W_S / REPLY_PER_S;
    uint64_t fresh = (n->env->now - n->reply_at) / per_token;
    if (n->reply_at == 0 || n->reply_tokens + fresh >= REPLY_BURST) {
        n->reply_tokens = REPLY_BURST;
        n->reply_at = w_u64_max(n->env->now, 1);
    } else {
        n->reply_tokens += (uint32_t)fresh;
        n->reply_at += fresh * per_token;
    }
    if (n->reply_tokens == 0)
        return false;
    n->reply_tokens--;
    return true;
}

static bool is_host(const struct addr *a)
{
    return !addr_is_any(a) && !addr_is_multicast(a) && !addr_is_loopback(a) &&
           !addr_is_limited_broadcast(a);
}

static bool mac_is_host(const struct nif *nif, const uint8_t *mac)
{
    return !wire_mac_is_multicast(mac) && !wire_mac_is_zero(mac) &&
           memcmp(mac, nif->mac, WIRE_MAC) != 0;
}

/* An impossible sender; any() is allowed in a probe. */
static enum drop sender_check(const struct nif *nif, const struct wire_arp *h)
{
    if (h->op != ARP_REQUEST && h->op != ARP_REPLY)
        return DROP_ARP_OP;
    if (!mac_is_host(nif, h->sha))
        return DROP_ARP_SENDER;
    bool is_probe = h->op == ARP_REQUEST && addr_is_any(&h->spa);
    if (!is_probe && !is_host(&h->spa))
        return DROP_ARP_SENDER;
    /* [RFC 5227 2.1.1] The reply to a probe goes to the address the probe came from: none. */
    bool answers_probe = h->op == ARP_REPLY && addr_is_any(&h->tpa);
    return answers_probe || is_host(&h->tpa) ? DROP_NONE : DROP_ARP_SENDER;
}

/* [RFC 5227 2.1.1, 2.4] Somebody else sends with an address of ours, or probes for the one we are
 * probing for. */
static bool conflict_check(struct neigh *n, struct nif *nif, const struct wire_arp *h)
{
    struct neigh_addr *own = neigh_own(n, nif, &h->spa);
    if (own == NULL && addr_is_any(&h->spa)) {
        own = neigh_own(n, nif, &h->tpa);
        if (own != NULL && own->state != NEIGH_ADDR_PROBING)
            own = NULL;
    }
    if (own == NULL)
        return false;
    neigh_conflict(n, nif, own);
    return true;
}

/* [RFC 826 "Packet Reception"] What is known of the sender is brought up to date. */
static void merge(struct neigh *n, struct nif *nif, struct neigh_entry *e, const struct wire_arp *h)
{
    if (e->state == NEIGH_PERMANENT)
        return;
    bool is_known = e->state != NEIGH_INCOMPLETE && e->state != NEIGH_FAILED;
    bool is_same = is_known && memcmp(e->mac, h->sha, WIRE_MAC) == 0;
    bool is_asked = e->state == NEIGH_INCOMPLETE || e->state == NEIGH_PROBE;
    if (h->op == ARP_REPLY && is_asked) {
        neigh_learn(n, nif, e, h->sha, true);
        return;
    }
    if (is_same) {
        e->updated = n->env->now;
        return;
    }
    if (is_known && n->env->now - e->updated < LOCKTIME_MS * W_MS)
        return;
    neigh_learn(n, nif, e, h->sha, false);
}

static enum drop arp_handle(struct neigh *n, struct nif *nif, const struct wire_arp *h)
{
    enum drop why = sender_check(nif, h);
    if (why != DROP_NONE)
        return why;
    env_count(n->env, h->op == ARP_REQUEST ? STAT_ArpInRequests : STAT_ArpInReplies);
    if (conflict_check(n, nif, h))
        return DROP_ARP_CONFLICT;
    struct neigh_entry *e = neigh_find(n, nif, &h->spa);
    if (e != NULL)
        merge(n, nif, e, h);
    if (h->op == ARP_REPLY)
        return e != NULL ? DROP_NONE : DROP_ARP_UNASKED;
    enum neigh_addr_state state = neigh_addr_state(n, nif, &h->tpa);
    if (state != NEIGH_ADDR_OURS && state != NEIGH_ADDR_ANNOUNCING)
        return DROP_ARP_NOT_OURS;
    if (!neigh_reply_allowed(n))
        return DROP_ARP_RATE;
    if (e == NULL && !addr_is_any(&h->spa)) {
        e = neigh_new(n, nif, &h->spa, false);
        if (e != NULL)
            neigh_learn(n, nif, e, h->sha, false);
    }
    arp_reply(n, nif, h);
    return DROP_NONE;
}

enum next arp_input(struct neigh *n, struct nif *nif, struct pkt *p)
{
    struct wire_arp h;
    enum drop why = wire_arp_parse(pkt_data(p), p->lin, &h);
    if (why == DROP_NONE)
        why = (nif->flags & (NIF_L3 | NIF_NOARP)) != 0 ? DROP_ETH_TYPE : arp_handle(n, nif, &h);
    if (why != DROP_NONE) {
        p->drop = (uint16_t)why;
        return NEXT_DROP;
    }
    pkt_free(p);
    return NEXT_DONE;
}
