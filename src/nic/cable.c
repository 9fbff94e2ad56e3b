/* SPDX-License-Identifier: Apache-2.0
 *
 * A cable: what one NIC sends is received by the other a little later.
 *
 * What is decided here: the order of events at the two ends. cable_step goes to the earliest moment
 * at which either NIC or a frame in flight has something due, and brings both ends there before
 * anything else; so a PAUSE frame takes effect at the bit at which it arrives. Faults are drawn
 * when a frame leaves, in order, so that the same seed damages the same frames.
 *
 * Owns the frames in flight. Called by whoever owns the clock; calls the two NICs.
 */
#include "nic/cable.h"

#include "base/arena.h"
#include "nic/parts.h"

enum { BABBLE = 12000 }; /* bytes more than there should be, at most */

/* Before a bit changes: the CRC of what was sent, n bytes with it. */
static void seal(const struct cable_way *w, struct nic_slot *s, uint32_t n)
{
    if (s->is_whole)
        nic_put_crc(w->to, w->flight.mem + s->at, n);
    s->is_whole = false;
}

static void damage(struct cable_way *w, struct nic_slot *s, uint32_t n)
{
    uint8_t *bytes = w->flight.mem + s->at;
    if (rng_chance_ppm(&w->rng, w->conf.corrupt_ppm)) {
        seal(w, s, n);
        bytes[rng_below(&w->rng, s->len)] ^= (uint8_t)(1u << rng_below(&w->rng, 8));
        w->corrupted++;
    }
    if (rng_chance_ppm(&w->rng, w->conf.cut_ppm)) {
        seal(w, s, n);
        s->len = 1 + rng_below(&w->rng, s->len);
        w->cut++;
    }
}

/* How many bytes too many a frame has. */
static uint32_t babble(struct cable_way *w)
{
    if (!rng_chance_ppm(&w->rng, w->conf.babble_ppm))
        return 0;
    w->babbled++;
    return 1 + rng_below(&w->rng, BABBLE);
}

static void carry(void *ctx, w_ns at, uint8_t *bytes, uint32_t n)
{
    struct cable_way *w = ctx;
    const struct cable_watch *watch = &w->cable->watch;
    if (watch->frame != NULL)
        watch->frame(watch->ctx, at, w == &w->cable->way[1], bytes, n - MAC_CRC);
    uint32_t more = babble(w);
    struct nic_slot *s = nic_fifo_take(&w->flight, at, n + more);
    if (s == NULL) {
        w->lost++;
        return;
    }
    memcpy(w->flight.mem + s->at, bytes, n);
    s->is_whole = true;
    if (WEIR_UNLIKELY(more != 0))
        seal(w, s, n);
    memset(w->flight.mem + s->at + n, 0x55, more);
    w->at[(w->flight.first + w->flight.n - 1) % NIC_SLOTS] = at + w->conf.delay_ns;
    damage(w, s, n);
}

static w_ns way_next(const struct cable_way *w)
{
    return w->flight.n != 0 ? w->at[w->flight.first % NIC_SLOTS] : W_NEVER;
}

static void deliver(struct cable_way *w, w_ns now)
{
    while (way_next(w) <= now) {
        const struct nic_slot *s = nic_fifo_slot(&w->flight, w->flight.first);
        const uint8_t *bytes = w->flight.mem + s->at;
        if (WEIR_LIKELY(s->is_whole))
            nic_receive_whole(w->to, now, bytes, s->len);
        else
            nic_receive(w->to, now, bytes, s->len);
        nic_fifo_drop_first(&w->flight, now);
    }
}

w_ns cable_next(const struct cable *c)
{
    w_ns nics = w_u64_min(nic_next(c->end[0]), nic_next(c->end[1]));
    return w_u64_min(nics, w_u64_min(way_next(&c->way[0]), way_next(&c->way[1])));
}

void cable_step(struct cable *c, w_ns now)
{
    for (w_ns t = cable_next(c); t <= now; t = cable_next(c)) {
        t = w_u64_max(t, w_u64_max(c->end[0]->now, c->end[1]->now));
        nic_step(c->end[0], t);
        nic_step(c->end[1], t);
        deliver(&c->way[0], t);
        deliver(&c->way[1], t);
    }
    nic_step(c->end[0], now);
    nic_step(c->end[1], now);
}

void cable_init(struct cable *c, struct nic *a, struct nic *b, const struct cable_conf *conf,
                struct arena *arena)
{
    *c = (struct cable){.end = {a, b}};
    for (unsigned i = 0; i < 2; i++) {
        struct cable_way *w = &c->way[i];
        w->cable = c;
        w->to = c->end[1 - i];
        w->conf = *conf;
        rng_seed(&w->rng, conf->seed + i);
        w->flight.bytes.limit = conf->room;
        w->flight.mem = arena_take(arena, conf->room, WEIR_CACHELINE);
        nic_connect(c->end[i], (struct nic_wire){carry, w});
    }
}
