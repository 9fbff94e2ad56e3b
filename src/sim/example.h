/* SPDX-License-Identifier: Apache-2.0
 *
 * Worked examples, run on the stack and told step by step.
 */
#ifndef WEIR_EXAMPLE_H
#define WEIR_EXAMPLE_H

#include <stdio.h>

/* 500,000 bytes, MSS 1,000, the first byte numbered 0: exactly 500 segments numbered 0, 1000, …
 * 499000. Prints them to f (NULL: silent). 0 when it is so, 1 when not, -ENOMEM. */
int example_segments(FILE *f);

#endif
