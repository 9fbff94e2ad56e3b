/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of udp/ share.
 */
#ifndef WEIR_UDP_ROOM_H
#define WEIR_UDP_ROOM_H

#include "udp/udp.h"

/* table.c. udp_table_add: port 0 chooses; 0 or -EADDRINUSE. */
WEIR_MUST_CHECK int udp_table_add(struct udp *, struct udp_sock *, const struct addr *local,
                                  uint16_t port);
void udp_table_remove(struct udp_sock *);
struct udp_sock *udp_table_find(const struct udp *, const struct flow *, unsigned nif);
bool udp_table_matches(const struct udp_sock *, const struct flow *, unsigned nif);
/* Sockets of the bucket of `port`, one after the other; NULL begins, NULL ends. */
struct udp_sock *udp_table_next(const struct udp *, uint16_t port, struct udp_sock *after);

/* sock.c: the owner shall look at this socket. */
void udp_wake(struct udp *, struct udp_sock *);

#endif
