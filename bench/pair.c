/* SPDX-License-Identifier: Apache-2.0
 *
 * The in-memory pair: a wire that moves payload blocks from one stack's packets to the other's.
 *
 * A frame is adopted by the receiver (its headers copied, its payload moved) and the sender is told
 * at once that it has left. What a device with offloads would have done is done by nobody: with
 * has_csum a packet to be summed arrives vouched for.
 */
#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { PAIR_BURST = 64 };

w_ns pair_clock(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (w_ns)ts.tv_sec * W_S + (w_ns)ts.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

struct weir_addr pair_addr(unsigned side, unsigned index, uint16_t port)
{
    struct weir_addr a = {.ip = {[10] = 0xff, [11] = 0xff}, .port = port, .family = 4};
    a.ip[12] = 10;
    a.ip[14] = (uint8_t)side;
    a.ip[15] = (uint8_t)(index + 1);
    return a;
}

static void side_init(struct pair *p, unsigned side, const struct pair_conf *pc)
{
    struct weir_conf c;
    struct weir_nif_conf nc = {.name = "pair", .mtu = pc->mtu};
    if (p->nics == NULL)
        nc.flags = WEIR_NIF_L3;
    else
        memcpy(nc.mac, p->nics->end[side].driver.dev.caps.mac, sizeof(nc.mac));
    weir_conf_default(&c);
    c.n_tcb = c.n_sock = pc->n_conns + 64;
    c.n_tw = pc->n_conns + 1024;
    c.n_udp = 4;
    c.n_pkt = 32768;
    c.n_blk_small = 32768;
    c.n_sent = 65536;
    c.ip_local_port_lo = 1024;
    c.ip_local_port_hi = 65535;
    if (pc->wmem != 0)
        c.tcp_wmem_default = c.tcp_wmem_max = pc->wmem;
    if (pc->rmem != 0)
        c.tcp_rmem_default = c.tcp_rmem_max = pc->rmem;
    c.tcp_gso = 1;
    nc.flags |= pc->has_csum ? (uint32_t)WEIR_NIF_TX_CSUM : 0;
    nc.flags |= pc->has_tso ? (uint32_t)WEIR_NIF_TSO : 0;
    p->n_mem[side] = weir_size(&c);
    p->mem[side] = mmap(NULL, p->n_mem[side], PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p->mem[side] == MAP_FAILED)
        die("no memory");
    (void)madvise(p->mem[side], p->n_mem[side], MADV_HUGEPAGE); /* as run/ does */
    if (weir_init(p->mem[side], p->n_mem[side], &c, 1 + side, p->now, &p->w[side]) < 0)
        die("the stack does not start");
    int nif = weir_nif_add(p->w[side], &nc);
    if (nif < 0)
        die("no interface");
    p->nif[side] = (unsigned)nif;
    for (unsigned i = 0; i < (pc->n_addrs != 0 ? pc->n_addrs : PAIR_ADDRS); i++) {
        struct weir_addr a = pair_addr(side, i, 0);
        if (weir_addr_add(p->w[side], p->nif[side], &a, 8) < 0)
            die("no address");
    }
}

void pair_init(struct pair *p, const struct pair_conf *pc)
{
    *p = (struct pair){.now = pc->step != 0 ? W_S : pair_clock(), .step = pc->step};
    if (pc->has_nics)
        pair_nics_make(p, pc);
    side_init(p, 0, pc);
    side_init(p, 1, pc);
    if (pc->has_nics)
        pair_nics_open(p);
}

void pair_free(struct pair *p)
{
    if (p->nics != NULL)
        sim_nics_free(p->nics);
    for (unsigned side = 0; side < 2; side++)
        munmap(p->mem[side], p->n_mem[side]);
}

static unsigned pair_move(struct pair *p, unsigned from)
{
    struct pkt *v[PAIR_BURST], *q[PAIR_BURST];
    unsigned n = weir_tx(p->w[from], p->now, p->nif[from], v, PAIR_BURST), k = 0;
    if (n == 0)
        return 0;
    for (unsigned i = 0; i < n; i++) {
        q[k] = pkt_adopt(stack_mem(p->w[1 - from]), v[i]);
        if (q[k] == NULL)
            continue;
        if (q[k]->csum == CSUM_TODO)
            q[k]->csum = CSUM_GOOD;
        k++;
    }
    weir_sent(p->w[from], p->now, v, n);
    weir_rx(p->w[1 - from], p->now, p->nif[1 - from], q, k);
    p->frames += n;
    return n;
}

void pair_run(struct pair *p, bool does_time)
{
    if (p->nics != NULL) {
        pair_nics_run(p, does_time);
        return;
    }
    p->now = p->step != 0 ? p->now + p->step : pair_clock();
    if (does_time) {
        weir_tick(p->w[0], p->now);
        weir_tick(p->w[1], p->now);
    }
    /* A side is asked again only after something happened to it. */
    bool may_send[2] = {true, true};
    while (may_send[0] || may_send[1]) {
        unsigned side = may_send[0] ? 0 : 1;
        bool has_sent = pair_move(p, side) != 0;
        may_send[side] = has_sent;
        may_send[1 - side] |= has_sent;
    }
}
