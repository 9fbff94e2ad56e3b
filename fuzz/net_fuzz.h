/* SPDX-License-Identifier: Apache-2.0
 *
 * For fuzz targets from link/ up: a host with 10.0.0.1/24 on one Ethernet interface, made anew for
 * each input, and an input cut into packets.
 *
 * Input: records of ⟨what, length low, length high⟩ and that many bytes (as many as are left).
 * `what` says how the bytes are helped past checksums, and how much time passes before them: bits
 * 0..1 repair, bits 4..7 time.
 */
#ifndef WEIR_FUZZ_NET_H
#define WEIR_FUZZ_NET_H

#include <stdlib.h>
#include <sys/mman.h>

#include "fuzz.h"

#include "ip/ip.h"
#include "link/link.h"
#include "neigh/neigh.h"
#include "wire/wire.h"

enum { FUZZ_ARENA = 16 << 20, FUZZ_RECORD_MAX = 2047 };

struct fuzz_host {
    struct env env;
    struct link link;
    struct neigh neigh;
    struct ip ip;
    struct arena arena;
    struct nif *nif;
};

struct fuzz_record {
    uint8_t what;
    const uint8_t *bytes;
    size_t n;
};

static inline bool fuzz_next(const uint8_t **data, size_t *size, struct fuzz_record *r)
{
    if (*size < 3)
        return false;
    r->what = (*data)[0];
    size_t n = ((size_t)(*data)[1] | (size_t)(*data)[2] << 8) & FUZZ_RECORD_MAX;
    r->n = n < *size - 3 ? n : *size - 3;
    r->bytes = *data + 3;
    *data += 3 + r->n;
    *size -= 3 + r->n;
    return true;
}

static inline void fuzz_open(struct fuzz_host *h)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};
    memset(h, 0, sizeof *h);
    void *mem = mmap(NULL, FUZZ_ARENA, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    WEIR_ASSERT(mem != MAP_FAILED);
    arena_init(&h->arena, mem, FUZZ_ARENA);
    struct weir_conf *c = &h->env.conf;
    weir_conf_default(c);
    c->n_pkt = 128;
    c->n_blk_small = 128;
    c->n_blk_big = 8;
    c->n_neigh = 8;
    c->n_route = 8;
    c->n_reasm = 4;
    c->n_udp = 4;
    env_init(&h->env, &h->arena, 1, W_S);
    link_init(&h->link, &h->env, &h->arena);
    neigh_init(&h->neigh, &h->env, &h->link, &h->arena);
    ip_init(&h->ip, &h->env, &h->link, &h->neigh, &h->arena);
    struct nif_conf nc = {.name = "t0", .mac = mac, .flags = NIF_UP, .mtu = 1500};
    WEIR_ASSERT(link_nif_add(&h->link, &nc) == 1);
    h->nif = link_nif(&h->link, 1);
    struct addr our = addr_ip4(0x0a000001), peer = addr_ip4(0x0a000002);
    WEIR_ASSERT(ip_addr_add(&h->ip, h->nif, &our, IP4_PLEN(24), false) == 0);
    WEIR_ASSERT(neigh_set(&h->neigh, h->nif, &peer, peer_mac) == 0);
    struct route r = {.prefix = addr_ip4(0), .plen = IP4_PLEN(0), .gw = peer, .nif = 1};
    WEIR_ASSERT(ip_route_add(&h->ip, &r) == 0);
}

/* Timers run; frames that wait leave, each checked. */
static inline void fuzz_advance(struct fuzz_host *h, w_ns by)
{
    struct timer *due[8];
    struct pkt *p;
    h->env.now += by;
    for (unsigned k, round = 0; round < 64; round++) {
        k = wheel_run(&h->env.wheel, h->env.now, due, 8);
        for (unsigned i = 0; i < k; i++) {
            if (due[i]->kind == TK_NEIGH)
                neigh_timer(&h->neigh, due[i]);
            else if ((p = ip_timer(&h->ip, due[i])) != NULL)
                pkt_free(p);
        }
        if (k < 8)
            break;
    }
    while (link_tx(&h->link, h->nif, &p, 1) == 1) {
        pkt_check(p);
        WEIR_ASSERT(p->len <= h->nif->mtu + WIRE_ETH_HLEN);
        pkt_free(p);
    }
    while ((p = neigh_failed_pop(&h->neigh)) != NULL)
        pkt_free(p);
}

/* Everything times out; then nothing may be missing. */
static inline void fuzz_close(struct fuzz_host *h)
{
    fuzz_advance(h, 60 * W_S);
    fuzz_advance(h, 60 * W_S);
    neigh_flush(&h->neigh, h->nif);
    link_nif_del(&h->link, h->nif);
    WEIR_ASSERT(h->env.mem.pkts.in_use == 0);
    WEIR_ASSERT(h->env.mem.small_blks.in_use == 0);
    WEIR_ASSERT(h->env.mem.big_blks.in_use == 0);
    munmap(h->arena.mem, FUZZ_ARENA);
}

/* A received IP packet of the record's bytes; bit 0: with a right header checksum and length, bit
 * 1: from the peer to us. NULL: no memory. */
static inline struct pkt *fuzz_ip4(struct fuzz_host *h, const struct fuzz_record *r)
{
    static uint8_t b[FUZZ_RECORD_MAX];
    memcpy(b, r->bytes, r->n);
    if ((r->what & 1) != 0 && r->n >= 20) {
        unsigned hlen = wire_ip4_hlen(b);
        b[0] = (uint8_t)(0x40 | (b[0] & 15));
        w_put16(b + 2, (uint32_t)r->n);
        if ((r->what & 2) != 0) {
            w_put32(b + 12, 0x0a000002);
            w_put32(b + 16, 0x0a000001);
        }
        w_put16(b + 10, 0);
        if (hlen >= 20 && hlen <= r->n)
            w_put16(b + 10, csum_fold(csum_partial(CSUM_SCALAR, b, hlen, 0)));
    }
    struct pkt *p = pkt_from_bytes(&h->env.mem, b, r->n);
    if (p != NULL) {
        p->nif = 1;
        p->l3 = p->off;
    }
    return p;
}

/* What must hold of a packet that ip4_input hands to a transport. */
static inline void fuzz_check_delivered(const struct fuzz_host *h, const struct pkt *p)
{
    pkt_check(p);
    WEIR_ASSERT(p->l4 == p->off);
    WEIR_ASSERT(p->l4 >= p->l3 + 20);
    WEIR_ASSERT(wire_ip4_total(pkt_at(p, p->l3)) == p->len + (uint32_t)(p->l4 - p->l3));
    WEIR_ASSERT(ip_addr_kind(&h->ip, h->nif, &p->flow.local) != IP_REMOTE);
}

#endif
