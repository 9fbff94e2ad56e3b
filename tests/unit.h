/* SPDX-License-Identifier: Apache-2.0
 *
 * What every unit test includes first: cmocka with what it needs, and the assert handler.
 *
 * tests/unit.c, linked into every unit test, turns a failed WEIR_ASSERT into a failed test, or,
 * inside WEIR_EXPECT_ASSERT(call), into what the test expects.
 */
#ifndef WEIR_TESTS_UNIT_H
#define WEIR_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weir/assert.h>

/* Passes only if the call runs into a WEIR_ASSERT. */
#define WEIR_EXPECT_ASSERT(call) expect_assert_failure(call)

/* The body of main(): runs an array of struct CMUnitTest named after the file. */
#define UNIT_MAIN(tests)                                                                           \
    int main(void)                                                                                 \
    {                                                                                              \
        return cmocka_run_group_tests(tests, NULL, NULL);                                          \
    }

#endif
