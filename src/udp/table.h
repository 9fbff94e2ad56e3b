/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to udp/: who has which port, and telling a socket's owner that something changed.
 */
#ifndef WEIR_UDP_TABLE_H
#define WEIR_UDP_TABLE_H

#include "udp/udp.h"

/* The socket that matches the flow of an arriving datagram best, NULL: none. O(sockets on the
 * port's chain). */
struct udp_sock *udp_find(const struct udp *, const struct flow *, unsigned nif);
/* The first socket after `after` (NULL: from the start) that matches at all: for broadcasts. */
struct udp_sock *udp_find_next(const struct udp *, const struct flow *, unsigned nif,
                               const struct udp_sock *after);
/* Gives the socket its port if it has none. 0 or -EAGAIN. */
int udp_autobind(struct udp *, struct udp_sock *);
/* Takes it out of the table. */
void udp_unbind(struct udp *, struct udp_sock *);
/* Its events may have changed: on the ready list, once. */
static inline void udp_wake(struct udp *u, struct udp_sock *s)
{
    if (!list_is_linked(&s->ready))
        list_push_back(&u->ready, &s->ready);
}

#endif
