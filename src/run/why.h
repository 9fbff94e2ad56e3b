/* SPDX-License-Identifier: Apache-2.0
 *
 * What a connection waits for (weir/limit.h), in words: one sentence and a table.
 */
#ifndef WEIR_RUN_WHY_H
#define WEIR_RUN_WHY_H

#include <weir/limit.h>

#include <stdio.h>

/* Reads "192.0.2.1:80", "[2001:db8::1]:80", or ":80" for any address, which loopback
 * addresses mean too. False: it is none. */
bool why_parse(const char *text, struct weir_addr *out, bool *is_any);
/* Whether one of the connection's ends is this. */
bool why_is_of(const struct weir_limits *, const struct weir_addr *, bool is_any);

/* Tenths of a per cent by limiter, which add up to 1,000 (0 of an empty life). */
void why_shares(const struct weir_limits *, unsigned share[WEIR_LIMIT_N]);
/* The limiter with the most time. */
unsigned why_most(const struct weir_limits *);
/* Between whom, the sentence, the table. */
void why_print(FILE *, const struct weir_limits *);
/* The same in a line. */
void why_print_line(FILE *, const struct weir_limits *);

#endif
