/* SPDX-License-Identifier: Apache-2.0
 *
 * Journeys of bytes through two whole stacks, told from their records.
 */
#include "unit.h"

#include "look/way.h"
#include "sim/pair.h"

#include <string.h>

enum { BYTES = 60000 };

static struct view view;
static struct look_stream stream;
static struct look_way way;

static void see(const struct pair_conf *c)
{
    static struct look_stream all[LOOK_STREAMS];
    const struct view_conf vc = {.wants_log = true};
    char err[256];
    assert_int_equal(view_open(&view, &vc, err, sizeof err), 0);
    if (pair_run(c, &view, err, sizeof err) != 0)
        fail_msg("%s", err);
    assert_int_equal(view_close(&view), 0);
    assert_int_equal(look_streams(&view.log, all), 1);
    stream = all[0];
    assert_int_equal(stream.bytes, BYTES);
    assert_false(stream.is_far);
    assert_int_not_equal(stream.peer_conn, 0);
}

/* The first event of this kind, in this direction, that is about the byte. */
static const struct look_event *event(unsigned kind, bool is_up, uint32_t byte)
{
    for (size_t i = 0; i < way.n_events; i++) {
        const struct look_event *e = &way.v[i];
        if (e->r->kind == kind && e->is_up == is_up && byte - e->first < e->n)
            return e;
    }
    fail_msg("no %s of byte %u", weir_trace_name(kind), byte);
    return NULL;
}

struct step {
    unsigned kind;
    bool is_up;
};

static void follow(uint32_t byte, const struct step *steps, size_t n_steps)
{
    assert_int_equal(look_way_find(&way, &view.log, &stream, byte, 100), 0);
    for (uint32_t b = byte; b < byte + 100; b += 99) {
        uint64_t at = 0;
        for (size_t i = 0; i < n_steps; i++) {
            const struct look_event *e = event(steps[i].kind, steps[i].is_up, b);
            assert_in_range(e->at, at, UINT64_MAX);
            assert_in_range(e->first, byte, byte + 99);
            assert_in_range(e->n, 1, 100);
            at = e->at;
        }
    }
    for (size_t i = 1; i < way.n_events; i++)
        assert_in_range(way.v[i].at, way.v[i - 1].at, UINT64_MAX);
    assert_int_equal(event(WEIR_T_WRITE, false, byte)->until, event(WEIR_T_SEND, false, byte)->at);
    assert_in_range(event(WEIR_T_KEEP, true, byte)->until, event(WEIR_T_KEEP, true, byte)->at,
                    event(WEIR_T_READ, true, byte)->at);
    look_way_free(&way);
}

static const struct step by_link[] = {
    {WEIR_T_WRITE, false}, {WEIR_T_SEND, false},   {WEIR_T_QUEUE, false}, {WEIR_T_LEAVE, false},
    {WEIR_T_COME, true},   {WEIR_T_SEGMENT, true}, {WEIR_T_KEEP, true},   {WEIR_T_READ, true},
};
static const struct step by_cards[] = {
    {WEIR_T_WRITE, false},  {WEIR_T_SEND, false},  {WEIR_T_QUEUE, false}, {WEIR_T_LEAVE, false},
    {WEIR_T_POST, false},   {WEIR_T_FETCH, false}, {WEIR_T_WIRE, false},  {WEIR_T_ARRIVE, true},
    {WEIR_T_STORE, true},   {WEIR_T_IRQ, true},    {WEIR_T_POLL, true},   {WEIR_T_COME, true},
    {WEIR_T_SEGMENT, true}, {WEIR_T_KEEP, true},   {WEIR_T_READ, true},
};

/* If this fails, weir trace leaves a layer out, or puts another byte's time into the table. */
static void bytes_pass_every_layer_in_order(void **state)
{
    const struct pair_conf lossy = {.link = "delay 5ms loss 3%", .bytes = BYTES, .seed = 2};
    const struct pair_conf cards = {.bytes = BYTES, .seed = 3, .is_ip6 = true};
    const struct pair_conf *worlds[] = {&lossy, &cards};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        see(worlds[i]);
        for (uint32_t byte = 0; byte + 100 <= BYTES; byte += 2347)
            if (i == 0)
                follow(byte, by_link, WEIR_COUNT(by_link));
            else
                follow(byte, by_cards, WEIR_COUNT(by_cards));
        view_free(&view);
    }
}

/* If this fails, a journey shows a lost segment as if it had been sent once. */
static void what_was_lost_is_sent_again(void **state)
{
    const struct pair_conf c = {.link = "delay 5ms loss 10%", .bytes = BYTES, .seed = 5};
    unsigned n_again = 0;
    (void)state;
    see(&c);
    for (uint32_t byte = 0; byte + 1448 <= BYTES; byte += 1448) {
        unsigned n_send = 0, n_come = 0;
        assert_int_equal(look_way_find(&way, &view.log, &stream, byte, 1), 0);
        for (size_t i = 0; i < way.n_events; i++) {
            const struct look_event *e = &way.v[i];
            n_send += e->r->kind == WEIR_T_SEND && e->nth != 0;
            n_come += e->r->kind == WEIR_T_COME;
            if (e->r->kind == WEIR_T_SEND && e->nth != 0)
                assert_int_equal(e->nth, n_send);
        }
        assert_in_range(n_send, 1, 5);
        assert_in_range(n_come, 1, n_send);
        n_again += n_send > n_come;
        look_way_free(&way);
    }
    assert_in_range(n_again, 1, 20);
    view_free(&view);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(bytes_pass_every_layer_in_order),
    cmocka_unit_test(what_was_lost_is_sent_again),
};
UNIT_MAIN(tests)
