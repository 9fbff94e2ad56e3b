/* SPDX-License-Identifier: Apache-2.0
 *
 * The timer wheel.
 *
 * Theory of operation. A tick number has 48 bits, eight digits of six bits, and there are eight
 * levels of 64 slots: a level per digit, so every time there is has its place and nothing is ever
 * clamped. A timer lies on the level of the highest digit in which its tick differs from the
 * wheel's, in the slot of its own digit there (a tick at or before the wheel's: in the current
 * slot of level 0):
 *
 *     wheel at tick   0 0 0 0 0 0 5 17
 *     timer at tick   0 0 0 0 0 0 5 40   level 0, slot 40
 *     timer at tick   0 0 0 0 0 0 9  3   level 1, slot 9
 *
 * Every timer of a level is therefore due before every timer of the next, and slots of a level are
 * due in order: the first bit of the first non-empty level is the earliest slot, without any scan.
 * The place depends on the two ticks only, so timers of equal `at` are always in one slot together,
 * and appending keeps them in the order they were set, through every cascade.
 *
 * Time moves in jumps from one occupied slot to the next. A slot of a higher level that is reached
 * is emptied into lower levels (a timer falls at most seven times in its life). The current slot of
 * level 0 may hold timers of this tick that are not yet due; they stay. slot_min says whether
 * looking is worth it.
 *
 * Invariants: a level-0 slot is not before the current digit; a slot of a higher level is beyond
 * it; slot_min <= each `at` in the slot; a list is a ring, the first one's prev is the last.
 *
 * Read first: Varghese, Lauck, "Hashed and hierarchical timing wheels" (1987).
 */
#include "base/wheel.h"

enum { DIGIT_BITS = 6 };

_Static_assert(WHEEL_SLOTS == 1 << DIGIT_BITS, "a slot per value of a digit");
_Static_assert(WHEEL_LEVELS *DIGIT_BITS + WHEEL_TICK_SHIFT == 64, "every time has a place");

static inline unsigned digit_of(uint64_t tick, unsigned level)
{
    return (unsigned)(tick >> (DIGIT_BITS * level)) & (WHEEL_SLOTS - 1);
}

void wheel_init(struct wheel *w, w_ns now)
{
    memset(w, 0, sizeof *w);
    w->now = now;
    w->tick = now >> WHEEL_TICK_SHIFT;
}

/* Puts t, whose `at` is set, at the end of its slot. */
static void append(struct wheel *w, struct timer *t)
{
    uint64_t tick = w_u64_max(t->at >> WHEEL_TICK_SHIFT, w->tick);
    uint64_t differs = tick ^ w->tick;
    unsigned level = differs == 0 ? 0 : (63u - (unsigned)__builtin_clzll(differs)) / DIGIT_BITS;
    unsigned s = digit_of(tick, level);
    struct timer *first = w->slot[level][s];
    t->slot = (uint16_t)(level * WHEEL_SLOTS + s);
    if (first == NULL) {
        t->next = t->prev = t;
        w->slot[level][s] = t;
        w->slot_min[level][s] = t->at;
        w->occupied[level] |= (uint64_t)1 << s;
        return;
    }
    t->next = first;
    t->prev = first->prev;
    first->prev->next = t;
    first->prev = t;
    if (t->at < w->slot_min[level][s])
        w->slot_min[level][s] = t->at;
}

static void unlink_timer(struct wheel *w, struct timer *t)
{
    unsigned level = t->slot / WHEEL_SLOTS, s = t->slot % WHEEL_SLOTS;
    WEIR_ASSERT(level < WHEEL_LEVELS && w->slot[level][s] != NULL);
    if (t->next == t) {
        w->slot[level][s] = NULL;
        w->occupied[level] &= ~((uint64_t)1 << s);
    } else {
        t->prev->next = t->next;
        t->next->prev = t->prev;
        if (w->slot[level][s] == t)
            w->slot[level][s] = t->next;
    }
    t->next = t->prev = NULL;
    t->is_set = 0;
    w->n_set--;
}

void wheel_set(struct wheel *w, struct timer *t, w_ns at)
{
    if (t->is_set)
        unlink_timer(w, t);
    t->at = at;
    t->is_set = 1;
    w->n_set++;
    append(w, t);
}

void wheel_del(struct wheel *w, struct timer *t)
{
    if (t->is_set)
        unlink_timer(w, t);
}

/* Takes what is due out of the current slot. When all of it has been seen, slot_min is exact. */
static unsigned take_due(struct wheel *w, struct timer **due, unsigned max)
{
    unsigned s = digit_of(w->tick, 0), n = 0;
    struct timer *t = w->slot[0][s];
    if (t == NULL || w->slot_min[0][s] > w->now)
        return 0;
    struct timer *last = t->prev;
    w_ns min = W_NEVER;
    for (bool is_last = false; !is_last;) {
        struct timer *next = t->next;
        is_last = t == last;
        if (t->at > w->now) {
            min = w_u64_min(min, t->at);
        } else {
            if (n == max)
                return n;
            unlink_timer(w, t);
            due[n++] = t;
        }
        t = next;
    }
    w->slot_min[0][s] = min;
    return n;
}

/* Empties a slot that time has reached into the levels below. */
static void cascade(struct wheel *w, unsigned level, unsigned s)
{
    struct timer *t = w->slot[level][s];
    t->prev->next = NULL;
    w->slot[level][s] = NULL;
    w->occupied[level] &= ~((uint64_t)1 << s);
    while (t != NULL) {
        struct timer *next = t->next;
        append(w, t);
        WEIR_CHECK(t->slot / WHEEL_SLOTS < level);
        t = next;
    }
}

/* The first level with timers, WHEEL_LEVELS: none is set. */
static inline unsigned first_level(const struct wheel *w)
{
    unsigned level = 0;
    while (level < WHEEL_LEVELS && w->occupied[level] == 0)
        level++;
    return level;
}

/* Moves to the next occupied slot that begins no later than `target`; false: there is none, and the
 * wheel stands at target. The current slot has been emptied, unless the wheel is there already. */
static bool advance(struct wheel *w, uint64_t target)
{
    if (w->tick == target)
        return false;
    unsigned level = first_level(w);
    if (level == WHEEL_LEVELS) {
        w->tick = target;
        return false;
    }
    unsigned s = (unsigned)__builtin_ctzll(w->occupied[level]);
    unsigned shift = DIGIT_BITS * level;
    uint64_t above = w->tick >> shift >> DIGIT_BITS << DIGIT_BITS;
    uint64_t begin = (above | s) << shift;
    WEIR_ASSERT(begin > w->tick);
    if (begin > target) {
        w->tick = target;
        return false;
    }
    w->tick = begin;
    if (level > 0)
        cascade(w, level, s);
    return true;
}

unsigned wheel_run(struct wheel *w, w_ns now, struct timer **due, unsigned max)
{
    WEIR_ASSERT(now >= w->now);
    w->now = now;
    unsigned n = 0;
    do {
        n += take_due(w, due + n, max - n);
    } while (n < max && advance(w, now >> WHEEL_TICK_SHIFT));
    return n;
}

w_ns wheel_next(const struct wheel *w)
{
    unsigned level = first_level(w);
    if (level == WHEEL_LEVELS)
        return W_NEVER;
    return w->slot_min[level][__builtin_ctzll(w->occupied[level])];
}
