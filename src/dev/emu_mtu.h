/* SPDX-License-Identifier: Apache-2.0
 *
 * A hop narrower than the links around it. Private to dev/.
 */
#ifndef WEIR_DEV_EMU_MTU_H
#define WEIR_DEV_EMU_MTU_H

#include "pkt/pkt.h"

/* Whether this frame's IP packet is bigger than mtu and may not be cut [RFC 791 2.3, RFC 8200 5].
 * What may be cut passes whole: fragments are not modelled. */
bool emu_mtu_exceeds(const struct pkt *frame, uint32_t mtu);
/* The frame in which the hop says so to its sender [RFC 1191 4, RFC 4443 3.2], from frame's memory
 * and with the destination's addresses. NULL: no memory, or nothing that could be told. */
struct pkt *emu_mtu_answer(const struct pkt *frame, uint32_t mtu);

#endif
