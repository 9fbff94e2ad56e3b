/* SPDX-License-Identifier: Apache-2.0
 *
 * If this failed, a device could write where no driver has let it, or wake the wrong handler.
 */
#include "unit.h"

#include "bus/bus.h"

static uint8_t mem[3 * BUS_PAGE];

static void test_translation_both_ways(void **state)
{
    (void)state;
    struct bus_dma d;
    bus_dma_init(&d);
    bus_addr a = bus_dma_map(&d, mem + 100, 5000);
    assert_true(a >= BUS_BASE);
    assert_int_equal(a % BUS_PAGE, (uintptr_t)(mem + 100) % BUS_PAGE);
    assert_int_equal(bus_dma_addr(&d, mem + 100), a);
    assert_int_equal(bus_dma_addr(&d, mem + 5099), a + 4999);
    assert_ptr_equal(bus_dma_at(&d, a + 17, 1), mem + 117);
    assert_ptr_equal(bus_dma_at(&d, a, 5000), mem + 100);
    assert_int_equal(d.faults, 0);
}

static void test_what_is_not_mapped_faults(void **state)
{
    (void)state;
    struct bus_dma d;
    bus_dma_init(&d);
    bus_addr a = bus_dma_map(&d, mem, 1000);
    bus_addr b = bus_dma_map(&d, mem + 1000, 1000);
    assert_int_equal(bus_dma_addr(&d, mem + 2000), 0);
    assert_null(bus_dma_at(&d, 0, 1));
    assert_null(bus_dma_at(&d, a - 1, 1));
    assert_null(bus_dma_at(&d, a, 1001)); /* neighbours in memory, not on the bus */
    assert_null(bus_dma_at(&d, a + 1000, 1));
    assert_null(bus_dma_at(&d, b, SIZE_MAX));
    assert_int_equal(d.faults, 5);
    bus_dma_unmap(&d, a);
    assert_null(bus_dma_at(&d, a, 1));
    assert_int_equal(bus_dma_addr(&d, mem), 0);
    assert_ptr_equal(bus_dma_at(&d, b, 1000), mem + 1000);
    assert_true(bus_dma_map(&d, mem, 1000) != a); /* an old address stays dead */
}

static void test_a_full_table_says_so(void **state)
{
    (void)state;
    struct bus_dma d;
    bus_dma_init(&d);
    assert_int_equal(bus_dma_map(&d, mem, 0), 0);
    for (unsigned i = 0; i < BUS_REGIONS; i++)
        assert_true(bus_dma_map(&d, mem + i, 1) != 0);
    assert_int_equal(bus_dma_map(&d, mem, 1), 0);
}

static void count(void *ctx) { ++*(int *)ctx; }

static void test_handlers_are_found_by_number(void **state)
{
    (void)state;
    struct bus_irq t = {0};
    int a = 0, b = 0;
    int na = bus_irq_request(&t, count, &a), nb = bus_irq_request(&t, count, &b);
    assert_int_not_equal(na, nb);
    bus_irq_raise(&t, (unsigned)nb);
    bus_irq_raise(&t, (unsigned)nb);
    assert_int_equal(a, 0);
    assert_int_equal(b, 2);
    assert_int_equal(t.line[nb].raised, 2);
    bus_irq_free(&t, nb);
    bus_irq_raise(&t, (unsigned)nb);
    bus_irq_raise(&t, BUS_IRQS);
    assert_int_equal(b, 2);
    assert_int_equal(t.spurious, 2);
    assert_int_equal(bus_irq_request(&t, count, &a), nb); /* the number is free again */
    for (int i = 2; i < BUS_IRQS; i++)
        assert_true(bus_irq_request(&t, count, &a) >= 0);
    assert_int_equal(bus_irq_request(&t, count, &a), -1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_translation_both_ways),
    cmocka_unit_test(test_what_is_not_mapped_faults),
    cmocka_unit_test(test_a_full_table_says_so),
    cmocka_unit_test(test_handlers_are_found_by_number),
};

UNIT_MAIN(tests)
