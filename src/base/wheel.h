/* SPDX-License-Identifier: Apache-2.0
 *
 * Timers: a hierarchical wheel (Varghese, Lauck 1987), O(1) to set and cancel, expired timers come
 * back as a list, and wheel_next() says when the next one is due.
 *
 * Nobody is called: stack/ takes what is due and branches on `kind`.
 *
 * Resolution is exact: a timer is never handed out before `at`, and wheel_run(now) hands out every
 * timer with at <= now. wheel_next() never says later than the earliest timer; it may say earlier
 * (by at most one slot of the level that timer lies on) until wheel_run is called at that time.
 */
#ifndef WEIR_WHEEL_H
#define WEIR_WHEEL_H

#include "base/base.h"

/* Embedded by value in the object it wakes. All zero: not set. Owned by the wheel while set. */
struct timer {
    struct timer *next, *prev;
    w_ns at;
    uint32_t obj; /* the owner's index, for whoever handles the kind */
    uint16_t slot;
    uint8_t kind; /* what it is about: enum timer_kind of the stack */
    uint8_t is_set;
};
_Static_assert(sizeof(struct timer) == 32, "timer");

enum { WHEEL_LEVELS = 8, WHEEL_SLOTS = 64, WHEEL_TICK_SHIFT = 16 /* 65.5 µs a tick */ };

struct wheel {
    w_ns now;                      /* of the last wheel_run */
    uint64_t tick;                 /* now >> WHEEL_TICK_SHIFT */
    uint64_t occupied[WHEEL_LEVELS]; /* a bit per non-empty slot */
    struct timer *slot[WHEEL_LEVELS][WHEEL_SLOTS];
    w_ns slot_min[WHEEL_LEVELS][WHEEL_SLOTS]; /* no timer in the slot is due before this */
    uint32_t n_set;
};

void wheel_init(struct wheel *, w_ns now);
/* Sets or moves a timer; at <= now is due at the next run. O(1). */
void wheel_set(struct wheel *, struct timer *, w_ns at);
/* No-op when not set. O(1). */
void wheel_del(struct wheel *, struct timer *);
/* Unlinks up to max timers with at <= now into due[], earliest slot first, ties in the order they
 * were set; returns how many. Call again while it returns max. Time must not go back. */
unsigned wheel_run(struct wheel *, w_ns now, struct timer **due, unsigned max);
/* When to call wheel_run next; W_NEVER when nothing is set. O(levels). */
w_ns wheel_next(const struct wheel *);

#endif
