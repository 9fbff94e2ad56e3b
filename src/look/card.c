/* SPDX-License-Identifier: Apache-2.0
 *
 * What a host's NIC and its driver have recorded, and of which packet: how long a frame lay on the
 * ring, in the card, and in memory until the driver found it.
 *
 * A card knows no packet, only descriptors and places in its FIFO. POST ties a packet to a
 * descriptor on its way down; on the way up ARRIVE and STORE have the frame's place in common,
 * STORE and POLL the descriptor. Numbers come again after SLOTS others (rings are not longer), so
 * each record that is kept says whose it is.
 *
 * Called by frames.c, which owns what is filled in.
 */
#include "look/parts.h"

#include <stdlib.h>

enum { SLOTS = 1024, QUEUES = 8 };

struct slot {
    uint32_t number;
    uint64_t arrived_at, stored_at; /* 0: not known */
};

struct look_card {
    uint32_t posted[QUEUES][SLOTS]; /* the packet, by descriptor */
    struct slot fifo[SLOTS];        /* by the frame's number */
    struct slot stored[QUEUES][SLOTS];
};

struct look_card *look_card_new(void) { return calloc(1, sizeof(struct look_card)); }

uint32_t look_card_packet(const struct look_card *c, const struct weir_trace *r)
{
    return r->pkt != 0 ? r->pkt : c->posted[r->flags % QUEUES][r->seq % SLOTS];
}

/* A super-segment is several frames: from the first one's FETCH to the last one's WIRE. */
void look_card_down(struct look_card *c, const struct weir_trace *r, struct look_down *d)
{
    if (r->kind == WEIR_T_POST) {
        d->posted_at = r->at;
        d->desc = r->seq;
        d->queue = r->flags;
        c->posted[r->flags % QUEUES][r->seq % SLOTS] = r->pkt;
        return;
    }
    if (d->posted_at == 0 || d->desc != r->seq || d->queue != r->flags)
        return;
    if (r->kind == WEIR_T_FETCH && d->fetched_at == 0)
        d->fetched_at = r->at;
    if (r->kind == WEIR_T_WIRE && d->fetched_at != 0)
        d->wired_at = r->at;
}

void look_card_keep(struct look_card *c, const struct weir_trace *r)
{
    struct slot *f = &c->fifo[r->ack % SLOTS];
    if (r->kind == WEIR_T_ARRIVE) {
        *f = (struct slot){.number = r->ack, .arrived_at = r->at};
        return;
    }
    struct slot *s = &c->stored[r->flags % QUEUES][r->seq % SLOTS];
    *s = (struct slot){.number = r->seq, .stored_at = r->at};
    if (f->number == r->ack)
        s->arrived_at = f->arrived_at;
}

void look_card_up(const struct look_card *c, const struct weir_trace *poll, struct look_up *u)
{
    const struct slot *s = &c->stored[poll->flags % QUEUES][poll->seq % SLOTS];
    *u = (struct look_up){0};
    if (s->number != poll->seq || s->arrived_at == 0)
        return;
    u->arrived_at = s->arrived_at;
    u->stored_at = s->stored_at;
    u->polled_at = poll->at;
}
