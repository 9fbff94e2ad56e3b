/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of neigh/ stand on: one interface with neighbours, and time.
 */
#ifndef WEIR_NEIGH_FIX_TEST_H
#define WEIR_NEIGH_FIX_TEST_H

#include "net.h"

#include "neigh/neigh.h"

struct fix {
    struct net n;
    struct neigh neigh;
};

static inline void open_quiet(struct fix *f)
{
    net_open(&f->n);
    neigh_init(&f->neigh, &f->n.env, &f->n.link, &f->n.arena);
}

/* Time passes: all timers up to then run. */
static inline void advance(struct fix *f, w_ns by)
{
    w_ns end = f->n.env.now + by;
    for (w_ns t; (t = wheel_next(&f->n.env.wheel)) <= end;) {
        struct timer *due[8];
        f->n.env.now = w_u64_max(t, f->n.env.now);
        unsigned k = wheel_run(&f->n.env.wheel, f->n.env.now, due, 8);
        for (unsigned i = 0; i < k; i++)
            neigh_timer(&f->neigh, due[i]);
    }
    f->n.env.now = end;
}

/* Everything goes back to where it came from. */
static inline void fix_close(struct fix *f)
{
    for (struct pkt *p; (p = neigh_failed_pop(&f->neigh)) != NULL;)
        pkt_free(p);
    neigh_flush(&f->neigh, f->n.nif);
    assert_int_equal(f->neigh.pool.in_use, 0);
    net_close(&f->n);
}

#endif
