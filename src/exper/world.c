/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds a setup's hosts, links, NICs, queues and routes, and turns the clock.
 *
 * Decides the addresses: link i is 10.0.i+1.0/24 and fd00::/64, its first host .1, its second .2;
 * and the routes: from each host to each link the way over the fewest hosts.
 *
 * Every segment is judged by the oracle as an outsider would (sim/oracle.h); hosts that forward are
 * not its ends and are not watched.
 *
 * Owns the world for the length of a run. Called by run.c; calls sim/ and weir's public interface.
 */
#include "exper/world.h"

#include "base/rng.h"
#include "stack/stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t link_ip(unsigned link, unsigned end)
{
    return 0x0a000001u + (link + 1) * 256 + end;
}

static void watch(void *ctx, w_ns now, unsigned host, bool is_out, const uint8_t *frame, uint32_t n)
{
    struct world *w = ctx;
    if (w->conf->host[host].conf.ip_forward == 0)
        oracle_watch(&w->oracle, now, host, is_out, frame, n);
}

/* ---- links ---- */

static int join(struct world *w, unsigned i, char *err, size_t room)
{
    const struct setup_link *l = &w->conf->link[i];
    struct sim_nic_conf nics = {.nic = l->nic, .cable = l->cable};
    struct sim_join j = {.a = w->host[l->a],
                         .b = w->host[l->b],
                         .a_ip = link_ip(i, 0),
                         .b_ip = link_ip(i, 1),
                         .mtu = l->mtu,
                         .has_ip6 = w->conf->n_link == 1,
                         .ab = l->way[0],
                         .ba = l->way[1]};
    if (l->is_cable) {
        nics.driver = w->conf->host[l->a].nic;
        nics.far = &w->conf->host[l->b].nic;
        nics.nic.n_queues = w_u32_max(nics.driver.n_queues, nics.far->n_queues);
        nics.cable.seed = rng_u64(&w->sim->rng);
        j.nics = &nics;
    }
    int r = sim_join(w->sim, &j);
    if (r < 0)
        (void)snprintf(err, room, "the link of %s and %s: %s", w->conf->host[l->a].name,
                       w->conf->host[l->b].name,
                       r == -EINVAL ? "the NIC refuses these settings (rings, FIFOs for this mtu)"
                                    : strerror(-r));
    if (r < 0)
        return r;
    for (unsigned e = 0; l->is_cable && e < 2; e++) {
        const struct setup_host *h = &w->conf->host[e == 0 ? l->a : l->b];
        w->sim->link[i].nics->end[e].packet_ns = h->packet_ns;
        w->sim->link[i].nics->end[e].irq_ns = h->irq_ns;
    }
    return 0;
}

/* ---- queues ---- */

static int set_qdiscs(struct world *w, char *err, size_t room)
{
    for (unsigned i = 0; i < w->sim->n_link; i++) {
        for (unsigned e = 0; e < 2; e++) {
            const struct sim_end *end = &w->sim->link[i].end[e];
            const struct setup_host *h = &w->conf->host[end->host->id];
            struct weir_qdisc q = h->qdisc;
            if (!h->has_qdisc)
                continue;
            if (q.kind[0] == '\0')
                memcpy(q.kind, "fifo", 5);
            int r = weir_qdisc_set(end->host->w, w->sim->now, end->nif, &q);
            if (r < 0) {
                (void)snprintf(err, room, "the qdisc of %s is refused: %s", h->name, strerror(-r));
                return r;
            }
        }
    }
    return 0;
}

/* ---- routes ---- */

/* The link that `host` and `other` share, -1: none. */
static int shared_link(const struct setup *c, unsigned host, unsigned other)
{
    for (unsigned i = 0; i < c->n_link; i++)
        if ((c->link[i].a == host && c->link[i].b == other) ||
            (c->link[i].b == host && c->link[i].a == other))
            return (int)i;
    return -1;
}

/* hop[k]: through which neighbour `from` reaches host k by the fewest steps; UINT32_MAX: not. */
static void find_hops(const struct setup *c, unsigned from, uint32_t hop[SETUP_HOSTS])
{
    unsigned queue[SETUP_HOSTS], n = 0;
    for (unsigned i = 0; i < SETUP_HOSTS; i++)
        hop[i] = UINT32_MAX;
    hop[from] = from;
    queue[n++] = from;
    for (unsigned k = 0; k < n; k++) {
        for (unsigned i = 0; i < c->n_host; i++) {
            if (hop[i] != UINT32_MAX || shared_link(c, queue[k], i) < 0)
                continue;
            hop[i] = queue[k] == from ? i : hop[queue[k]];
            queue[n++] = i;
        }
    }
}

static int add_route(struct world *w, unsigned from, unsigned via, unsigned to_link)
{
    int l = shared_link(w->conf, from, via);
    const struct sim_link *link = &w->sim->link[l];
    unsigned e = w->conf->link[l].a != from;
    struct weir_addr dst = {.ip = {[10] = 0xff, [11] = 0xff}, .family = 4}, gw = dst;
    w_put32(dst.ip + 12, link_ip(to_link, 0) & ~0xffu);
    w_put32(gw.ip + 12, link_ip((unsigned)l, 1 - e));
    return weir_route_add(w->host[from]->w, link->end[e].nif, &dst, 24, &gw);
}

static int add_routes(struct world *w)
{
    const struct setup *c = w->conf;
    int r = 0;
    for (unsigned h = 0; h < c->n_host; h++) {
        uint32_t hop[SETUP_HOSTS];
        find_hops(c, h, hop);
        for (unsigned l = 0; r == 0 && l < c->n_link; l++) {
            unsigned near = c->link[l].a;
            if (c->link[l].a == h || c->link[l].b == h)
                continue;
            if (hop[near] == UINT32_MAX)
                continue;
            r = add_route(w, h, hop[near], l);
        }
    }
    return r;
}

/* ---- the world ---- */

static int make_bytes(struct world *w)
{
    w->bytes = malloc((size_t)2 * WORLD_CHUNK);
    if (w->bytes == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < WORLD_CHUNK; i += 8) {
        uint64_t v = (i + 1) * 0x9e3779b97f4a7c15u;
        v ^= v >> 29;
        memcpy(w->bytes + i, &v, 8);
    }
    memcpy(w->bytes + WORLD_CHUNK, w->bytes, WORLD_CHUNK);
    return 0;
}

static int build(struct world *w, char *err, size_t room)
{
    const struct setup *c = w->conf;
    int r = make_bytes(w);
    for (unsigned i = 0; r == 0 && i < c->n_host; i++) {
        w->host[i] = sim_add_host(w->sim, &c->host[i].conf);
        r = w->host[i] == NULL ? -ENOMEM : 0;
        w->oracle.is_paced[i] = true; /* queues below TCP are a subject of experiments */
    }
    for (unsigned i = 0; r == 0 && i < c->n_link; i++)
        r = join(w, i, err, room);
    if (r == 0)
        r = set_qdiscs(w, err, room);
    if (r == 0)
        r = add_routes(w);
    if (r == 0)
        r = app_start_all(w);
    return r;
}

int world_new(struct world *w, const struct setup *c, uint64_t seed, char *err, size_t room)
{
    *w = (struct world){.conf = c};
    err[0] = '\0';
    w->sim = sim_new(seed);
    w->times = calloc(c->n_flow, sizeof(*w->times));
    if (w->sim == NULL || w->times == NULL) {
        world_free(w);
        return -ENOMEM;
    }
    oracle_init(&w->oracle);
    w->sim->watch = watch;
    w->sim->watch_ctx = w;
    w->begin = w->sim->now;
    int r = build(w, err, room);
    if (r < 0) {
        if (err[0] == '\0')
            (void)snprintf(err, room, "the world cannot be built: %s", strerror(-r));
        world_free(w);
    }
    return r;
}

bool world_run(struct world *w, w_ns until)
{
    while (w->sim->now < until && !oracle_is_violated(&w->oracle)) {
        oracle_app_turn(&w->oracle);
        while (app_run_all(w))
            ;
        (void)sim_step(w->sim, w_u64_min(until, app_next(w)));
    }
    return !oracle_is_violated(&w->oracle);
}

void world_free(struct world *w)
{
    if (w->sim != NULL) {
        app_end_all(w);
        (void)sim_free(w->sim);
    }
    free(w->times);
    free(w->bytes);
    *w = (struct world){.n_app = 0};
}
