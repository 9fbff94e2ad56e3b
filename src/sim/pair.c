/* SPDX-License-Identifier: Apache-2.0
 *
 * Two hosts, one connection, and whoever looks.
 *
 * Decides the parts that are not asked for: Ethernet frames of 1,500 bytes, cards of 1 Gbit/s that
 * sum and cut, interrupts without delay. The world ends before this returns; what was seen of it is
 * in the view. Called by the commands that show journeys; calls sim.c and load.c.
 */
#include "sim/pair.h"

#include "sim/load.h"

#include <errno.h>
#include <stdlib.h>

enum { A_IP = 0x0a000001, B_IP = 0x0a000002, MTU = 1500, BUS_NS = 300, CABLE_NS = 5000 };

#define PAIR_MAX (3600 * W_S)

struct pair {
    struct oracle oracle;
    struct load load;
    struct emu_conf link;
    struct sim_nic_conf nics;
};

static int pair_world(struct pair *p, const struct pair_conf *c, struct sim *s)
{
    struct weir_conf wc;
    weir_conf_default(&wc);
    struct sim_join j = {.a_ip = A_IP, .b_ip = B_IP, .mtu = MTU, .has_ip6 = c->is_ip6};
    j.ab = j.ba = p->link;
    j.nics = c->link == NULL ? &p->nics : NULL;
    j.a = sim_add_host(s, &wc);
    j.b = sim_add_host(s, &wc);
    int r = j.a == NULL || j.b == NULL ? -ENOMEM : sim_join(s, &j);
    oracle_init(&p->oracle);
    load_init(&p->load, s, &p->oracle);
    p->load.is_dual = c->is_ip6;
    if (r == 0)
        r = load_listen(&p->load, j.b);
    if (r < 0)
        return r;
    struct xfer *x = load_add(&p->load, j.a, j.b, B_IP, s->now);
    x->is_ip6 = c->is_ip6;
    x->end[0].conf.bytes = c->bytes;
    x->end[0].conf.write_bytes = c->write_bytes;
    x->end[0].conf.write_pause = c->write_pause;
    x->end[1].conf.read_bytes = c->read_bytes;
    x->end[1].conf.read_pause = c->read_pause;
    return load_run_world(&p->load, s->now + PAIR_MAX) ? 0 : -EIO;
}

static void cards(struct sim_nic_conf *n)
{
    n->nic.features = NIC_F_TX_CSUM | NIC_F_RX_CSUM | NIC_F_TSO;
    n->nic.dma_latency_ns = BUS_NS;
    n->driver.offloads = NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4 | NETDEV_TSO6;
    n->cable.delay_ns = CABLE_NS;
}

int pair_run(const struct pair_conf *c, struct view *view, char *err, size_t n_err)
{
    char why[EMU_ERR_TEXT] = "";
    struct pair *p = calloc(1, sizeof *p);
    struct sim *s = sim_new(c->seed);
    int r = p == NULL || s == NULL ? -ENOMEM : 0;
    if (r == 0 && c->link != NULL)
        r = emu_parse(c->link, &p->link, why);
    if (r == 0) {
        cards(&p->nics);
        view_attach(view, s);
        r = pair_world(p, c, s);
    }
    if (s != NULL)
        (void)sim_free(s);
    free(p);
    if (r == -EIO)
        snprintf(err, n_err, "the transfer did not end within an hour of virtual time");
    else if (r < 0)
        snprintf(err, n_err, "%s", why[0] != '\0' ? why : "no memory for a world");
    return r;
}
