/* SPDX-License-Identifier: Apache-2.0
 *
 * A cell of the grid: two hosts, one link, one transfer that never ends, stopped by the clock.
 *
 * Decides: what the link of a cell is like. Owns the world of the run. Called by `weir sim grid`
 * and tests; calls load.c for the applications and oracle.c for the judgement.
 *
 * The cell is bench/interop's: the rate is in the direction of data and acknowledgements alike, the
 * delay is split between both, loss and reordering hit the data only, a reordered frame comes
 * GRID_HELD_US after its turn, and the receiver counts from the connection's beginning.
 */
#include "sim/grid.h"

#include "cc/cc.h"
#include "sim/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { GRID_A = 0x0a000001, GRID_B = 0x0a000002, GRID_FRAME = 1514 };

struct grid {
    struct oracle oracle;
    struct load load;
};

static void grid_watch(void *ctx, w_ns now, unsigned host, bool is_out, const uint8_t *frame,
                       uint32_t n)
{
    oracle_watch(ctx, now, host, is_out, frame, n);
}

uint32_t grid_queue(uint32_t rtt_us)
{
    uint64_t bits = (uint64_t)GRID_RATE_MBIT * rtt_us;
    return w_u32_max(GRID_QUEUE_MIN, (uint32_t)(bits / 8 / GRID_FRAME));
}

uint32_t grid_share(const struct grid_cell *c, uint64_t bytes)
{
    uint64_t could = (uint64_t)c->seconds * GRID_RATE_MBIT * 125000;
    return (uint32_t)(bytes * 1000 / could);
}

static struct sim_join grid_join(const struct grid_cell *c)
{
    struct sim_join j = {.a_ip = GRID_A, .b_ip = GRID_B, .mtu = 1500};
    j.ba = (struct emu_conf){.rate_bps = (uint64_t)GRID_RATE_MBIT * 1000000,
                             .limit_pkts = grid_queue(c->rtt_us),
                             .delay_ns = c->rtt_us * W_US / 2,
                             .reorder_ns = GRID_HELD_US * W_US};
    j.ab = j.ba;
    j.ab.loss_ppm = c->loss_ppm;
    j.ab.reorder_ppm = c->reorder_ppm;
    return j;
}

/* The transfer, its sockets open, or NULL. */
static struct xfer *grid_world(const struct grid_cell *c, struct grid *g, struct sim *s)
{
    struct weir_conf conf;
    weir_conf_default(&conf);
    conf.tcp_congestion_control = c->cc;
    struct sim_join j = grid_join(c);
    j.a = sim_add_host(s, &conf);
    j.b = sim_add_host(s, &conf);
    if (j.a == NULL || j.b == NULL || sim_join(s, &j) < 0)
        return NULL;
    oracle_init(&g->oracle);
    g->oracle.is_paced[0] = cc_at(c->cc)->wants_rate != 0;
    s->watch = grid_watch;
    s->watch_ctx = &g->oracle;
    load_init(&g->load, s, &g->oracle);
    if (load_listen(&g->load, j.b) < 0)
        return NULL;
    struct xfer *x = load_add(&g->load, j.a, j.b, GRID_B, s->now);
    x->end[0].conf.bytes = UINT64_MAX / 2;
    return x;
}

/* As if a program accepted, and counted from then. */
static uint64_t grid_flow(const struct grid_cell *c, struct grid *g, struct sim *s, struct xfer *x)
{
    w_ns patience = s->now + 60 * W_S;
    while (x->end[1].state == SIDE_NEW && s->now < patience)
        (void)load_run_world(&g->load, s->now + W_MS);
    (void)load_run_world(&g->load, s->now + c->seconds * W_S);
    return x->end[1].got;
}

int grid_run(const struct grid_cell *c, struct grid_result *out)
{
    struct sim *s = sim_new(c->seed);
    struct grid *g = calloc(1, sizeof(*g));
    *out = (struct grid_result){0};
    struct xfer *x = s != NULL && g != NULL ? grid_world(c, g, s) : NULL;
    if (x != NULL) {
        out->bytes = grid_flow(c, g, s, x);
        out->hash = s->hash;
        (void)snprintf(out->violation, sizeof(out->violation), "%s", g->oracle.violation);
        load_end_all(&g->load);
    }
    free(g);
    if (s != NULL)
        (void)sim_free(s);
    if (x == NULL)
        return -ENOMEM;
    return out->violation[0] != '\0';
}
