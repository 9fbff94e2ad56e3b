/* SPDX-License-Identifier: Apache-2.0
 *
 * The chain of buffers as a table with a picture of each.
 */
#ifndef WEIR_CHAIN_SHOW_H
#define WEIR_CHAIN_SHOW_H

#include <stdio.h>
#include <weir/gauge.h>

/* The head of the columns. */
void chain_show_head(FILE *);
/* A row for each gauge, in order. */
void chain_show(FILE *, const struct weir_gauge *v, unsigned n);

#endif
