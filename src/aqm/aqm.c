/* SPDX-License-Identifier: Apache-2.0
 *
 * The front door of the queues: the limit of the whole, counting, and changing the discipline.
 *
 * Decides whether a packet is taken at all, and keeps the sums that every discipline needs. What
 * happens inside is the discipline's, one file each, reached by a constant table: a queue holds the
 * index of its row and no code pointer.
 *
 * Called by link/ and dev/; calls the qd_ files.
 *
 * Invariant: pushed = popped + drained + dropped + n; n and bytes are the sums over what is inside.
 */
#include "aqm/ops.h"

#include <errno.h>

static const struct aqm_ops *const table[AQM_KINDS] = {
    [AQM_FIFO] = &qd_fifo, [AQM_PRIO] = &qd_prio,   [AQM_MARK_AT] = &qd_mark,
    [AQM_FQ] = &qd_fq,     [AQM_CODEL] = &qd_codel, [AQM_FQ_CODEL] = &qd_fq_codel,
    [AQM_TBF] = &qd_tbf,
};

static const struct aqm_ops *ops_of(const struct aqm *q) { return table[q->conf.kind]; }

struct aqm_mem aqm_mem_take(struct arena *a)
{
    return (struct aqm_mem){
        .flow = arena_take(a, sizeof(struct aqm_flow) * (AQM_FLOWS + 1), WEIR_CACHELINE),
        .heap = arena_take(a, sizeof(uint16_t) * (AQM_FLOWS + 2), WEIR_CACHELINE),
    };
}

static uint32_t or_default(uint32_t value, uint32_t def) { return value != 0 ? value : def; }

static int conf_fill(struct aqm_conf *c)
{
    if (c->kind >= AQM_KINDS)
        return -EINVAL;
    if (c->limit > AQM_LIMIT_MAX)
        return -ERANGE;
    c->limit = or_default(c->limit, 1000);
    c->frame_bytes = or_default(c->frame_bytes, 1514);
    return table[c->kind]->fill != NULL ? table[c->kind]->fill(c) : 0;
}

void aqm_init(struct aqm *q, struct aqm_mem mem)
{
    *q = (struct aqm){.mem = mem};
    int r = conf_fill(&q->conf);
    WEIR_ASSERT(r == 0);
}

/* What one kind leaves behind is not the next one's. */
static void forget(struct aqm *q)
{
    WEIR_ASSERT(q->n == 0 && q->bytes == 0);
    q->codel = (struct codel){0};
    q->fresh = q->old = (struct aqm_list){0};
    q->n_heap = 0;
    q->full_at = q->frac = 0;
    if (ops_of(q)->has_flows)
        memset(q->mem.flow, 0, sizeof(struct aqm_flow) * (AQM_FLOWS + 1));
}

int aqm_check(const struct aqm *q, const struct aqm_conf *conf)
{
    struct aqm_conf c = *conf;
    int r = conf_fill(&c);
    if (r == 0 && table[c.kind]->has_flows && (q->mem.flow == NULL || q->mem.heap == NULL))
        r = -EINVAL;
    return r;
}

int aqm_set(struct aqm *q, const struct aqm_conf *conf, w_ns now)
{
    struct aqm_conf c = *conf;
    int r = aqm_check(q, conf);
    if (r != 0)
        return r;
    r = conf_fill(&c);
    WEIR_ASSERT(r == 0);
    if (c.kind == q->conf.kind) {
        q->conf = c;
        return 0;
    }
    struct pktq moving = {0};
    struct pkt *p;
    uint32_t high_water = q->high_water;
    while ((p = aqm_drain(q)) != NULL)
        pktq_push(&moving, p);
    q->conf = c;
    forget(q);
    while ((p = pktq_pop(&moving)) != NULL) {
        aqm_enter(q, now, p);
        q->count.pushed--; /* it was counted when it came */
    }
    q->high_water = high_water;
    return 0;
}

enum drop aqm_push(struct aqm *q, w_ns now, struct pkt *p)
{
    const struct aqm_ops *o = ops_of(q);
    enum drop why = DROP_NONE;
    if (q->n >= q->conf.limit && (o->make_room == NULL || !o->make_room(q)))
        why = DROP_QDISC_FULL;
    else if (o->refuse != NULL)
        why = o->refuse(q, now, p);
    if (why != DROP_NONE) {
        q->count.refused++;
        return why;
    }
    aqm_enter(q, now, p);
    return DROP_NONE;
}

void aqm_enter(struct aqm *q, w_ns now, struct pkt *p)
{
    q->said = AQM_PASS;
    q->count.pushed++;
    ops_of(q)->enter(q, now, p);
    q->high_water = w_u32_max(q->high_water, q->n);
}

struct pkt *aqm_pop(struct aqm *q, w_ns now)
{
    q->said = AQM_PASS;
    struct pkt *p = q->n != 0 ? ops_of(q)->pop(q, now) : NULL;
    q->count.popped += p != NULL;
    return p;
}

struct pkt *aqm_drain(struct aqm *q)
{
    if (q->n == 0)
        return NULL;
    struct pkt *p = ops_of(q)->drain(q);
    WEIR_ASSERT(p != NULL);
    return p;
}

w_ns aqm_next(const struct aqm *q, w_ns now)
{
    return q->n != 0 ? ops_of(q)->next(q, now) : W_NEVER;
}

const char *aqm_name(unsigned kind) { return kind < AQM_KINDS ? table[kind]->name : NULL; }

int aqm_kind_named(const char *name, uint32_t len)
{
    for (int kind = 0; kind < AQM_KINDS; kind++) {
        const char *row = table[kind]->name;
        uint32_t i = 0;
        while (i < len && row[i] != '\0' && row[i] == name[i])
            i++;
        if (i == len && row[i] == '\0')
            return kind;
    }
    return -ENOENT;
}
