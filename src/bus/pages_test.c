/* SPDX-License-Identifier: Apache-2.0
 *
 * If this failed, a device would read or write memory of somebody else.
 */
#include "unit.h"

#include <errno.h>

#include "bus/pages.h"

static _Alignas(BUS_PAGE) uint8_t mem[5 * BUS_PAGE];

/* Pages 0 and 1 are neighbours on the bus, 2 lies below them, 3 follows 2. */
static const bus_addr page[] = {0x40000, 0x41000, 0x20000, 0x21000};

static void stretches_end_where_pages_part(void **state)
{
    (void)state;
    struct bus_pages t = {0};
    size_t run;
    assert_int_equal(bus_pages_count(mem + 100, 3 * BUS_PAGE), 4);
    assert_int_equal(bus_pages_count(mem, BUS_PAGE), 1);
    assert_int_equal(bus_pages_add(&t, mem + 100, 3 * BUS_PAGE, page), 0);
    assert_int_equal(bus_pages_addr(&t, mem + 100, 10, &run), 0x40000 + 100);
    assert_int_equal(run, 10);
    assert_int_equal(bus_pages_addr(&t, mem + 4000, 200, &run), 0x40000 + 4000);
    assert_int_equal(run, 200);
    assert_int_equal(bus_pages_addr(&t, mem + 4000, 9000, &run), 0x40000 + 4000);
    assert_int_equal(run, 2 * BUS_PAGE - 4000);
    assert_int_equal(bus_pages_addr(&t, mem + 8190, 9, &run), 0x41ffe);
    assert_int_equal(run, 2);
    assert_int_equal(bus_pages_addr(&t, mem + 8192, 9, &run), 0x20000);
    assert_int_equal(run, 9);
}

static void nothing_outside_a_region(void **state)
{
    (void)state;
    struct bus_pages t = {0};
    size_t run;
    assert_int_equal(bus_pages_add(&t, mem + 100, 3 * BUS_PAGE, page), 0);
    assert_int_equal(bus_pages_addr(&t, mem + 99, 1, &run), 0);
    assert_int_equal(bus_pages_addr(&t, mem + 100 + 3 * BUS_PAGE, 1, &run), 0);
    assert_int_equal(bus_pages_addr(&t, mem + 99 + 3 * BUS_PAGE, 50, &run), 0x21000 + 99);
    assert_int_equal(run, 1);
    assert_int_equal(bus_pages_add(&t, mem, 0, page), -EINVAL);
    for (unsigned i = 1; i < BUS_PAGES_REGIONS; i++)
        assert_int_equal(bus_pages_add(&t, mem + 4 * BUS_PAGE, 1, page), 0);
    assert_int_equal(bus_pages_add(&t, mem + 4 * BUS_PAGE, 1, page), -ENOSPC);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(stretches_end_where_pages_part),
    cmocka_unit_test(nothing_outside_a_region),
};
UNIT_MAIN(tests)
