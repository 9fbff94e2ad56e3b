/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to wire/: the pieces of a packet's line, one file per family of protocols.
 */
#ifndef WEIR_WIRE_SHOW_PART_H
#define WEIR_WIRE_SHOW_PART_H

#include "pkt/drop.h"
#include "wire/text.h"

/* An upper-layer message: n bytes at p are there, `len` it has, between these addresses. */
struct show_l4 {
    const uint8_t *p;
    size_t n, len;
    struct addr src, dst;
    uint8_t proto;
};

/* " [TCP header truncated]" */
void show_bad(struct text *, enum drop);
/* "10.0.0.1 > 10.0.0.2: " */
void show_hosts(struct text *, const struct show_l4 *);
/* The line from the addresses on. */
void show_tcp(struct text *, const struct show_l4 *);
void show_udp(struct text *, const struct show_l4 *);
void show_icmp4(struct text *, const struct show_l4 *);
void show_icmp6(struct text *, const struct show_l4 *);

#endif
