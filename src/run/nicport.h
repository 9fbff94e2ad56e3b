/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to run/: the far end of a NIC's cable, nicport.c.
 */
#ifndef WEIR_NICPORT_H
#define WEIR_NICPORT_H

#include "run/nicdev.h"

/* Connects the port to the card. */
void nicport_init(struct nicdev *);
/* Takes frames of the inner device, as many as there is room for. */
void nicport_take(struct nicdev *, w_ns now);
/* Card and line up to now, each thing at its own moment; then what the card sent goes into the
 * inner device, and what that is done with is freed. */
void nicport_run(struct nicdev *, w_ns now);
/* When the line has something due. */
w_ns nicport_next(const struct nicdev *);
/* Whether the queue towards the NIC takes no more. */
bool nicport_is_full(const struct nicdev *);
void nicport_free(struct nicdev *);

#endif
