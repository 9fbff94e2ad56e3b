/* SPDX-License-Identifier: Apache-2.0
 *
 * One write() in a picture, for weir demo.
 */
#ifndef WEIR_DEMO_WAY_H
#define WEIR_DEMO_WAY_H

#include <stdio.h>

/* Follows 1,448 bytes through two simulated hosts, their cards and a cable, from the real trace.
 * 0; 1: a layer said nothing of them; -E… (said on standard error). */
int demo_way(FILE *);

#endif
