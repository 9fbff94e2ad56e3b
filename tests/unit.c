/* SPDX-License-Identifier: Apache-2.0
 *
 * The assert handler of the unit tests: a failed assertion of weir is a failed test, unless the
 * test is inside WEIR_EXPECT_ASSERT, which it then satisfies. mock_assert leaves by longjmp in
 * both cases; the abort is for the compiler, and for asserts outside any test.
 */
#include "unit.h"

#include <stdlib.h>

void weir_assert_fail(const char *expr, const char *file, int line, const char *func)
{
    (void)func;
    mock_assert(0, expr, file, line);
    abort();
}
