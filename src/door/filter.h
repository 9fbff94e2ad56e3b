/* SPDX-License-Identifier: Apache-2.0
 *
 * Which calls of a program are asked about: the seccomp filter, as a BPF program.
 */
#ifndef WEIR_DOOR_FILTER_H
#define WEIR_DOOR_FILTER_H

#include <linux/filter.h>

enum { FILTER_MAX = 128 };

/* Writes the filter into code[FILTER_MAX]; returns its length. Pure. */
unsigned filter_build(struct sock_filter *code);

#endif
