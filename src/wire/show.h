/* SPDX-License-Identifier: Apache-2.0
 *
 * A packet as one line of text, close to what tcpdump -n prints, for traces, tests and `weir why`:
 *
 *     10.0.0.1:80 > 10.0.0.2:4321: Flags [S.], seq 0, ack 1, win 65535, length 0
 *
 * Sequence numbers are absolute. What cannot be parsed is shown as far as it can, and then says in
 * brackets what is wrong, in the words of pkt/drop.def.
 */
#ifndef WEIR_WIRE_SHOW_H
#define WEIR_WIRE_SHOW_H

#include "base/base.h"

enum { WIRE_SHOW_TEXT = 512 /* holds the line of every packet but the strangest */ };

/* The line of n bytes, `whole` bytes of which the packet really has (n < whole when the rest lies
 * in fragments or was not captured). Writes at most cap - 1 characters and a NUL; returns how many
 * characters. A line that does not fit ends in "...". cap 0 writes nothing. */
unsigned wire_show_eth(const uint8_t *frame, size_t n, size_t whole, char *buf, size_t cap);
/* The same for bytes that start with an IPv4 or IPv6 header. */
unsigned wire_show_ip(const uint8_t *p, size_t n, size_t whole, char *buf, size_t cap);

#endif
