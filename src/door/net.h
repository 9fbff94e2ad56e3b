/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to door/: the network a program is put on.
 */
#ifndef WEIR_DOOR_NET_H
#define WEIR_DOOR_NET_H

#include "door/door.h"
#include "run/ctl.h"
#include "run/loop.h"

struct net;

/* Opens the network conf asks for and attaches it to the loop's stack: address, route, emulated
 * link, capture. NULL with a sentence in err. It closes with the loop; then net_free(). */
struct net *net_open(struct loop *, const struct door_conf *, char *err, size_t n_err);
/* The emulated link's counters and the device's driver's, those that are not zero, as "link.TEXT
 * VALUE" and "device.TEXT VALUE" lines. */
void net_counters(struct net *, FILE *);
/* Answers what `weir nic` and its like ask. */
void net_serve(struct net *, struct ctl *);
/* What capture and trace hold so far, to their files; nothing is on its way up in the stack. */
void net_flush(struct net *, w_ns now);
/* The last of both, while the stack still is; their files are closed. NULL is fine. */
void net_end_look(struct net *);
/* After loop_free(). NULL is fine. */
void net_free(struct net *);

struct net_face { /* how the program sees it; addresses all zero: none */
    struct weir_addr addr, gw, dns, addr6, gw6;
    uint32_t prefix_len, prefix_len6, mtu;
};
const struct net_face *net_face(const struct net *);

#endif
