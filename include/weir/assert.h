/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens when weir finds a bug in itself.
 *
 * Below the operating-system rooms weir imports four functions of the C library (memcpy, memmove,
 * memset, memcmp) and this handler. libweir comes with one that writes a line to standard error
 * and aborts; a program that wants something else defines its own function of this name.
 */
#ifndef WEIR_ASSERT_PUBLIC_H
#define WEIR_ASSERT_PUBLIC_H

#ifdef __cplusplus
extern "C" {
#endif

/* Called when an assertion of weir does not hold. Must not return: the stack's state can no
 * longer be trusted. All strings are constants and stay valid. */
__attribute__((noreturn)) void weir_assert_fail(const char *expr, const char *file, int line,
                                                const char *func);

#ifdef __cplusplus
}
#endif

#endif
