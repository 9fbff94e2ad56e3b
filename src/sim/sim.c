/* SPDX-License-Identifier: Apache-2.0
 *
 * The world's clock: who is next, and what crosses the wire.
 *
 * A step: the clock jumps to the earliest of: an arrival, a host's weir_next(). Then frames whose
 * time has come arrive, one by one; hosts whose time has come tick; whatever that made them send
 * goes onto the wire. Nothing else moves time, so an idle minute costs nothing.
 *
 * Owns the hosts' memory and the wire's. A frame is copied from the sender's memory to the wire's,
 * and from there to the receiver's: a host that runs out of packets loses frames, its peer does
 * not.
 *
 * Invariants checked in every step: a host whose time is up and whose queues were drained wants to
 * be called strictly later (weir.h's contract iii); time never goes back.
 */
#include "sim/sim.h"

#include "stack/stack.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

#include <weir/limit.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { SIM_SLOTS = 4096, SIM_BURST = 32, SIM_DRAIN_ROUNDS = 10000 };

static void *sim_map(size_t n)
{
    void *p =
        mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static int sim_wire_init(struct sim *s)
{
    const struct pktmem_conf pc = {.n_pkt = 32768, .n_blk_small = 32768, .n_blk_big = 64};
    struct arena a;
    struct pktmem probe = {0};
    arena_init(&a, NULL, 0);
    pktmem_init(&probe, &a, &pc);
    s->n_wire_mem = a.used + WEIR_CACHELINE;
    s->wire_mem = sim_map(s->n_wire_mem);
    if (s->wire_mem == NULL)
        return -ENOMEM;
    arena_init(&a, s->wire_mem, s->n_wire_mem);
    pktmem_init(&s->mem, &a, &pc);
    return 0;
}

struct sim *sim_new(uint64_t seed)
{
    struct sim *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->now = W_S;
    s->hash = 0xcbf29ce484222325u;
    rng_seed(&s->rng, seed);
    if (sim_wire_init(s) < 0) {
        free(s);
        return NULL;
    }
    return s;
}

static void wire_free(struct sim_link *l)
{
    if (l->nics != NULL) {
        sim_nics_free(l->nics);
        return;
    }
    emu_flush(&l->dir[0]);
    emu_flush(&l->dir[1]);
    free(l->slots);
}

unsigned sim_free(struct sim *s)
{
    unsigned leaked = 0;
    if (s->see.end != NULL)
        s->see.end(s->see.ctx);
    for (unsigned i = 0; i < s->n_link; i++)
        wire_free(&s->link[i]);
    leaked += s->mem.pkts.in_use + s->mem.small_blks.in_use + s->mem.big_blks.in_use;
    for (unsigned i = 0; i < s->n_host; i++) {
        leaked += weir_fini(s->host[i].w);
        munmap(s->host[i].mem, s->host[i].n_mem);
    }
    munmap(s->wire_mem, s->n_wire_mem);
    free(s);
    return leaked;
}

struct sim_host *sim_add_host(struct sim *s, const struct weir_conf *given)
{
    struct weir_conf seen = *given, *conf = &seen;
    if (s->n_host == SIM_HOSTS)
        return NULL;
    if (s->see.frame != NULL)
        seen.n_trace = s->see.n_trace;
    struct sim_host *h = &s->host[s->n_host];
    *h = (struct sim_host){.id = s->n_host, .n_mem = weir_size(conf)};
    h->mem = sim_map(h->n_mem);
    if (h->mem == NULL)
        return NULL;
    if (weir_init(h->mem, h->n_mem, conf, rng_u64(&s->rng), s->now, &h->w) < 0) {
        munmap(h->mem, h->n_mem);
        return NULL;
    }
    s->n_host++;
    return h;
}

struct weir_addr sim_addr6(uint32_t ip, uint16_t port)
{
    struct weir_addr a = {.ip = {0xfd}, .port = port, .family = 6};
    w_put32(a.ip + 12, ip);
    return a;
}

static void end_mac(const struct sim *s, const struct sim_host *h, uint8_t *mac)
{
    memset(mac, 0, WIRE_MAC);
    mac[0] = 2;
    mac[4] = (uint8_t)s->n_link;
    mac[5] = (uint8_t)(h->id + 1);
}

/* What the stack may leave to the device: nothing on an emulated link. */
static void end_offloads(struct weir_nif_conf *nc, const struct netdev_caps *c)
{
    const uint32_t tso = NETDEV_TSO4 | NETDEV_TSO6;
    nc->gso_max = c->gso_max;
    nc->flags |= (c->flags & NETDEV_TX_CSUM) != 0 ? (uint32_t)WEIR_NIF_TX_CSUM : 0;
    nc->flags |= (c->flags & tso) == tso ? (uint32_t)WEIR_NIF_TSO : 0;
}

static int end_init(struct sim *s, struct sim_end *e, struct sim_host *h, uint32_t ip,
                    const struct sim_join *j)
{
    struct sim_link *l = &s->link[s->n_link];
    struct weir_nif_conf nc = {.name = "eth", .mtu = j->mtu};
    struct weir_addr a = {.ip = {[10] = 0xff, [11] = 0xff}, .family = 4};
    end_mac(s, h, nc.mac);
    if (l->nics != NULL) {
        const struct sim_nic_end *n = &l->nics->end[e == &l->end[1]];
        end_offloads(&nc, &n->driver.dev.caps);
        nc.rate_bps = n->nic.conf.rate_bps;
    }
    w_put32(a.ip + 12, ip);
    int nif = weir_nif_add(h->w, &nc);
    if (nif < 0)
        return nif;
    *e = (struct sim_end){h, (unsigned)nif};
    struct weir_addr a6 = sim_addr6(ip, 0);
    int r = weir_addr_add(h->w, (unsigned)nif, &a, 24);
    return r < 0 || !j->has_ip6 ? r : weir_addr_add(h->w, (unsigned)nif, &a6, 64);
}

/* As FNV-1a, eight bytes at a time, and the high half counts for the low one. */
static void hash_word(struct sim *s, uint64_t word)
{
    s->hash = (s->hash ^ word) * 0x100000001b3u;
    s->hash ^= s->hash >> 32;
}

static void show_bytes(struct sim *s, unsigned host, bool is_out, const uint8_t *bytes, uint32_t n)
{
    if (is_out) {
        s->n_frames++;
        hash_word(s, s->now ^ host);
        for (uint32_t i = 0; i < n; i += 8) {
            uint64_t word = 0;
            memcpy(&word, bytes + i, w_u32_min(n - i, 8));
            hash_word(s, word);
        }
    }
    if (s->watch != NULL)
        s->watch(s->watch_ctx, s->now, host, is_out, bytes, n);
}

static void sim_show(struct sim *s, unsigned host, bool is_out, const struct pkt *p)
{
    uint8_t bytes[WIRE_ETH_HLEN + 65536];
    show_bytes(s, host, is_out, bytes, pkt_copy_out(p, 0, bytes, sizeof(bytes)));
}

/* To who looks into the hosts. */
static void see_frame(struct sim *s, unsigned host, bool is_out, const struct pkt *p)
{
    if (s->see.frame != NULL)
        s->see.frame(s->see.ctx, host, is_out, p);
}

/* The same frame's fate, if the link decided it at once; `before`: its counters before. */
static void see_fate(struct sim *s, unsigned host, const struct emu *e, const uint64_t *before)
{
    static const enum emu_counter fates[] = {EMU_DROP_LIMIT, EMU_DROP_AQM, EMU_DROP_LOSS,
                                             EMU_DROP_MTU,   EMU_DROP_CUT, EMU_DROP_FLIGHT,
                                             EMU_CORRUPT,    EMU_REORDER,  EMU_DUP};
    for (unsigned i = 0; s->see.frame != NULL && i < WEIR_COUNT(fates); i++) {
        char text[64] = "on the link ";
        if (e->count[fates[i]] == before[fates[i]])
            continue;
        const char *fate = emu_counter_text(fates[i]);
        memcpy(text + strlen(text), fate, strnlen(fate, sizeof(text) - 16) + 1);
        s->see.note(s->see.ctx, host, text);
    }
}

/* With NICs a frame leaves its host when it is on the cable. */
static void cable_frame(void *ctx, w_ns at, unsigned from, const uint8_t *bytes, uint32_t n)
{
    struct sim_link *l = ctx;
    (void)at;
    show_bytes(l->sim, l->end[from].host->id, true, bytes, n);
}

static int nics_open(struct sim_link *l)
{
    l->nics->cable.watch = (struct cable_watch){cable_frame, l};
    for (unsigned i = 0; i < 2; i++) {
        struct sim_nic_end *e = &l->nics->end[i];
        e->nic.see = e->driver.see = stack_trace(l->end[i].host->w);
        int r = netdev_open(&l->nics->end[i].driver.dev, stack_mem(l->end[i].host->w));
        if (r != 0)
            return r;
    }
    return 0;
}

/* What a frame's time is spent in: NICs and a cable, or two emulators. */
static int wire_make(struct sim *s, struct sim_link *l, const struct sim_join *j)
{
    uint8_t mac[2][WIRE_MAC];
    int error = 0;
    *l = (struct sim_link){.sim = s};
    end_mac(s, j->a, mac[0]);
    end_mac(s, j->b, mac[1]);
    if (j->nics != NULL) {
        l->nics = sim_nics_new(j->nics, mac, j->mtu, s->now, &error);
        return error;
    }
    l->slots = calloc((size_t)2 * SIM_SLOTS, sizeof(struct emu_slot));
    return l->slots == NULL ? -ENOMEM : 0;
}

int sim_join(struct sim *s, const struct sim_join *j)
{
    if (s->n_link == SIM_LINKS)
        return -ENOSPC;
    struct sim_link *l = &s->link[s->n_link];
    int r = wire_make(s, l, j);
    if (r != 0)
        return r;
    r = end_init(s, &l->end[0], j->a, j->a_ip, j);
    if (r == 0)
        r = end_init(s, &l->end[1], j->b, j->b_ip, j);
    if (r == 0 && l->nics != NULL)
        r = nics_open(l);
    if (r < 0) {
        wire_free(l);
        return r;
    }
    s->n_link++;
    if (l->nics != NULL)
        return 0;
    unsigned n = s->n_link - 1;
    emu_init(&l->dir[0], &j->ab, rng_fork(&s->rng, 2 * n), l->slots, SIM_SLOTS, s->now);
    emu_init(&l->dir[1], &j->ba, rng_fork(&s->rng, 2 * n + 1), l->slots + SIM_SLOTS, SIM_SLOTS,
             s->now);
    emu_set_back(&l->dir[0], &l->dir[1]);
    emu_set_back(&l->dir[1], &l->dir[0]);
    return 0;
}

/* What one end has to send goes onto its direction of the link. */
static void end_drain(struct sim *s, struct sim_link *l, unsigned side)
{
    struct pkt *v[SIM_BURST];
    struct sim_end *e = &l->end[side];
    for (int round = 0; round < SIM_DRAIN_ROUNDS; round++) {
        unsigned n = weir_tx(e->host->w, s->now, e->nif, v, SIM_BURST);
        for (unsigned i = 0; i < n; i++) {
            uint64_t before[EMU_N_COUNTERS];
            sim_show(s, e->host->id, true, v[i]);
            see_frame(s, e->host->id, true, v[i]);
            memcpy(before, l->dir[side].count, sizeof(before));
            struct pkt *copy = pkt_copy(&s->mem, v[i]);
            if (copy != NULL)
                emu_push(&l->dir[side], s->now, copy);
            see_fate(s, e->host->id, &l->dir[side], before);
        }
        weir_sent(e->host->w, s->now, v, n);
        if (n == 0)
            return;
    }
    WEIR_NEVER_HERE("a host sends without end at one moment");
}

/* Packets worth asking the stack for: what the ring may have room for, two descriptors each. Never
 * none: what then waits here is one packet, and the stack's queue has all the others. */
static unsigned nic_room(const struct vnic *v)
{
    uint32_t used = 0;
    for (unsigned q = 0; q < v->conf.n_queues; q++)
        used = w_u32_max(used, vnic_tx_used(v, q));
    uint32_t left = v->conf.tx_ring - used;
    return w_u32_max(1, w_u32_min(left / 2, SIM_NIC_BURST));
}

/* The same through driver and NIC. What the ring refuses waits here, as it would in run/loop.c. */
static void nic_drain(struct sim *s, struct sim_link *l, unsigned side)
{
    struct sim_nic_end *e = &l->nics->end[side];
    struct sim_end *host = &l->end[side];
    struct vnic *d = &e->driver;
    for (int round = 0; round < SIM_DRAIN_ROUNDS; round++) {
        struct pkt *done[SIM_NIC_BURST];
        unsigned n = vnic_all_reap(d, s->now, done, SIM_NIC_BURST);
        weir_sent(host->host->w, s->now, done, n);
        if (e->n_wait == 0)
            e->n_wait = weir_tx(host->host->w, s->now, host->nif, e->wait, nic_room(d));
        for (unsigned i = e->n_seen; i < e->n_wait; i++)
            see_frame(s, host->host->id, true, e->wait[i]);
        unsigned k = vnic_all_tx(d, s->now, e->wait, e->n_wait);
        memmove(e->wait, e->wait + k, (e->n_wait - k) * sizeof(e->wait[0]));
        e->n_wait -= k;
        weir_device_full(host->host->w, s->now, host->nif, e->n_wait != 0);
        e->n_seen = e->n_wait;
        if (k == 0 && n == 0)
            return;
    }
    WEIR_NEVER_HERE("a host sends without end at one moment");
}

static void wire_drain(struct sim *s, struct sim_link *l, unsigned side)
{
    if (l->nics != NULL)
        nic_drain(s, l, side);
    else
        end_drain(s, l, side);
}

void sim_stop(struct sim_host *h, w_ns until) { h->stopped_until = until; }

void sim_kick(struct sim *s, struct sim_host *h)
{
    weir_tick(h->w, s->now);
    for (unsigned i = 0; i < s->n_link; i++)
        for (unsigned side = 0; side < 2; side++)
            if (s->link[i].end[side].host == h)
                wire_drain(s, &s->link[i], side);
}

/* One frame at a time, its answer on the wire before the next: oracles see cause and effect. */
static void dir_arrive(struct sim *s, struct sim_link *l, unsigned side)
{
    struct pkt *p;
    struct sim_end *to = &l->end[1 - side];
    while (emu_pop(&l->dir[side], s->now, &p, 1) == 1) {
        struct pkt *copy = pkt_copy(stack_mem(to->host->w), p);
        if (copy == NULL) {
            to->host->nomem++;
        } else {
            sim_show(s, to->host->id, false, p);
            see_frame(s, to->host->id, false, copy);
            copy->when = s->now;
            weir_rx(to->host->w, s->now, to->nif, &copy, 1);
            sim_kick(s, to->host);
        }
        pkt_free(p);
    }
}

/* What was merged on the way has the checksum of its first segment only. */
static void show_received(struct sim *s, unsigned host, const struct pkt *p)
{
    uint8_t bytes[WIRE_ETH_HLEN + 65536], *ip = bytes + WIRE_ETH_HLEN;
    uint32_t n = pkt_copy_out(p, 0, bytes, sizeof(bytes));
    if (p->gso_size != 0) {
        bool is_v4 = ip[0] >> 4 == 4;
        uint32_t hlen = is_v4 ? (uint32_t)WIRE_IP4_HLEN : (uint32_t)WIRE_IP6_HLEN;
        uint32_t len = n - WIRE_ETH_HLEN - hlen;
        struct addr src = addr_from_ip4(ip + 12), dst = addr_from_ip4(ip + 16);
        if (!is_v4) {
            memcpy(src.b, ip + 8, sizeof(src.b));
            memcpy(dst.b, ip + 24, sizeof(dst.b));
        }
        wire_tcp_set_csum(ip + hlen, 0);
        uint32_t sum = csum_pseudo(&src, &dst, PROTO_TCP, len);
        wire_tcp_set_csum(ip + hlen, csum_fold(csum_partial(CSUM_SCALAR, ip + hlen, len, sum)));
    }
    show_bytes(s, host, false, bytes, n);
}

/* What the NIC has brought to one host, in the driver's bursts. */
static void nic_arrive(struct sim *s, struct sim_link *l, unsigned side)
{
    struct pkt *v[SIM_NIC_BURST];
    struct sim_end *to = &l->end[side];
    struct vnic *d = &l->nics->end[side].driver;
    unsigned max = sim_nics_may_take(l->nics, side, s->now);
    if (max == 0 || to->host->stopped_until > s->now || vnic_all_next(d) > s->now)
        return;
    unsigned n = vnic_all_rx(d, s->now, v, max);
    sim_nics_took(l->nics, side, s->now, n);
    for (unsigned i = 0; i < n; i++) {
        show_received(s, to->host->id, v[i]);
        see_frame(s, to->host->id, false, v[i]);
        weir_rx(to->host->w, s->now, to->nif, &v[i], 1);
    }
    sim_kick(s, to->host);
}

static w_ns wire_next(const struct sim_link *l)
{
    const w_ns awake[2] = {l->end[0].host->stopped_until, l->end[1].host->stopped_until};
    return l->nics != NULL ? sim_nics_next(l->nics, awake)
                           : w_u64_min(emu_next(&l->dir[0]), emu_next(&l->dir[1]));
}

static void wire_arrive(struct sim *s, struct sim_link *l)
{
    if (l->nics == NULL) {
        dir_arrive(s, l, 0);
        dir_arrive(s, l, 1);
        return;
    }
    cable_step(&l->nics->cable, s->now);
    nic_arrive(s, l, 0);
    nic_arrive(s, l, 1);
}

/* Whether packets of this host wait for a ring: then the NIC, not the stack, says when to go on. */
static bool is_held(const struct sim *s, const struct sim_host *h)
{
    for (unsigned i = 0; i < s->n_link; i++) {
        const struct sim_link *l = &s->link[i];
        for (unsigned side = 0; side < 2; side++)
            if (l->nics != NULL && l->end[side].host == h && l->nics->end[side].n_wait != 0)
                return true;
    }
    return false;
}

static w_ns host_next(const struct sim *s, const struct sim_host *h)
{
    w_ns next = weir_next(h->w);
    if (next <= s->now && is_held(s, h))
        return W_NEVER;
    return w_u64_max(next, h->stopped_until);
}

static w_ns sim_next(const struct sim *s)
{
    w_ns next = W_NEVER;
    for (unsigned i = 0; i < s->n_link; i++)
        next = w_u64_min(next, wire_next(&s->link[i]));
    for (unsigned i = 0; i < s->n_host; i++)
        next = w_u64_min(next, host_next(s, &s->host[i]));
    return next;
}

bool sim_step(struct sim *s, w_ns until)
{
    w_ns next = sim_next(s);
    if (next > until) {
        s->now = w_u64_max(s->now, until);
        return false;
    }
    s->now = w_u64_max(s->now, next);
    for (unsigned i = 0; i < s->n_link; i++)
        wire_arrive(s, &s->link[i]);
    for (unsigned i = 0; i < s->n_host; i++) {
        if (host_next(s, &s->host[i]) > s->now)
            continue;
        sim_kick(s, &s->host[i]);
        WEIR_ASSERT(host_next(s, &s->host[i]) > s->now);
    }
    if (s->see.step != NULL)
        s->see.step(s->see.ctx);
    return true;
}
