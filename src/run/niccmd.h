/* SPDX-License-Identifier: Apache-2.0
 *
 * What a running instance answers about its NIC and its interface: `weir nic`, `weir link`,
 * `weir chain`.
 */
#ifndef WEIR_NICCMD_H
#define WEIR_NICCMD_H

#include "run/ctl.h"
#include "run/nicdev.h"

/* An interface and what is under it. Stays in place while it is served. */
struct niccmd {
    struct loop *loop;
    unsigned nif;
    struct nicdev *nic; /* NULL: none */
    const char *title;  /* of the network: "user", "tap:NAME" */
};

/* Serves the requests about it. */
void niccmd_serve(struct niccmd *, struct ctl *);

#endif
