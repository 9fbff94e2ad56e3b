/* SPDX-License-Identifier: Apache-2.0
 *
 * The default assert handler.
 *
 * It belongs to no room: rooms below the operating system may only name weir_assert_fail, and
 * whoever builds a product out of them decides what it does. libweir and the weir command use
 * this one; unit tests use the one in tests/unit.c; an embedding program may define its own,
 * and as this file is a member of its own in libweir.a, the linker then leaves it alone.
 */
#include <stdio.h>
#include <stdlib.h>

#include <weir/assert.h>

void weir_assert_fail(const char *expr, const char *file, int line, const char *func)
{
    fflush(stdout);
    fprintf(stderr, "weir: %s:%d: %s: assertion failed: %s\n", file, line, func, expr);
    abort();
}
