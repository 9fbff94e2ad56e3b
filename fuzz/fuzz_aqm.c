/* SPDX-License-Identifier: Apache-2.0
 *
 * Any sequence of pushes, pops, pauses and changes of discipline: every packet comes out or is
 * counted, once; within a flow none overtakes another.
 */
#include "fuzz.h"

#include "aqm/aqm.h"

#include <errno.h>
#include <stdlib.h>

enum { N = 256, FLOWS = 7 };

struct world {
    struct aqm q;
    struct pktmem mem;
    w_ns now;
    uint32_t n_in, n_out, n_refused;
    uint32_t next_seq[FLOWS], last_seq[FLOWS];
};

static void ends(struct world *w, struct pkt *p, bool is_delivered)
{
    w->n_out++;
    if (is_delivered && p->seq <= w->last_seq[p->hash])
        abort(); /* overtaken */
    if (is_delivered)
        w->last_seq[p->hash] = p->seq;
    pkt_free(p);
}

static void collect(struct world *w)
{
    struct pkt *p;
    while ((p = aqm_dead(&w->q)) != NULL) {
        if (p->drop == DROP_NONE || (p->tflags & AQM_KEEP) != 0)
            abort();
        ends(w, p, false);
    }
}

static void push(struct world *w, uint8_t a, uint8_t b)
{
    struct pkt *p = pkt_new(&w->mem);
    if (p == NULL)
        return;
    uint8_t bytes[128] = {0};
    if (!pkt_append_copy(p, bytes, 1u + (b & 127)))
        abort();
    p->hash = a % FLOWS;
    p->ecn = a >> 6;
    p->tflags = p->hash == 0 ? AQM_KEEP : 0;
    p->tos = (uint8_t)(p->hash << 1);
    p->seq = ++w->next_seq[p->hash];
    w->n_in++;
    if (aqm_push(&w->q, w->now, p) == DROP_NONE)
        return;
    w->n_refused++;
    pkt_free(p);
}

static void change(struct world *w, uint8_t a, uint8_t b)
{
    struct aqm_conf c = {.kind = a % (AQM_KINDS + 1u),
                         .limit = b & 63,
                         .mark_at = b & 3,
                         .flow_limit = b >> 4,
                         .quantum = b & 1 ? 60 : 0,
                         .target_us = b & 15,
                         .interval_us = b & 31,
                         .rate_Bps = (uint64_t)b * 1000,
                         .frame_bytes = 100};
    int r = aqm_set(&w->q, &c, w->now);
    if (r != 0 && r != -EINVAL)
        abort();
}

static void step(struct world *w, const uint8_t *op)
{
    struct pkt *p;
    switch (op[0] & 7) {
    case 0: change(w, op[1], op[2]); break;
    case 1: w->now += (w_ns)op[1] << (op[2] & 15); break;
    case 2:
    case 3:
        p = aqm_pop(&w->q, w->now);
        if (p != NULL)
            ends(w, p, true);
        else if (aqm_next(&w->q, w->now) <= w->now)
            abort(); /* it would never sleep */
        break;
    default: push(w, op[1], op[2]);
    }
    collect(w);
    if (w->n_in != w->n_out + w->n_refused + w->q.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static _Alignas(64) uint8_t room[1 << 20];
    const struct pktmem_conf pc = {.n_pkt = N, .n_blk_small = 8, .n_blk_big = 1};
    static struct world w;
    struct arena a;
    struct pkt *p;
    memset(room, 0, sizeof room);
    arena_init(&a, room, sizeof room);
    w = (struct world){.now = 1};
    pktmem_init(&w.mem, &a, &pc);
    aqm_init(&w.q, aqm_mem_take(&a));
    for (size_t i = 0; i + 3 <= n; i += 3)
        step(&w, data + i);
    while ((p = aqm_drain(&w.q)) != NULL)
        ends(&w, p, true);
    if (w.mem.pkts.in_use != 0 || w.q.bytes != 0)
        abort();
    return 0;
}
