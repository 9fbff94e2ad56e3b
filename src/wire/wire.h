/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes to fields and back: every header of every protocol weir speaks, as pure functions.
 *
 * parse: reads at most n bytes, fills a struct in host order, returns DROP_NONE or the reason.
 * build: writes a header from such a struct, returns its length.
 * No memory is kept, nothing is called but csum and base. Above this room nobody reads packet bytes
 * at offsets.
 */
#ifndef WEIR_WIRE_H
#define WEIR_WIRE_H

#include "wire/arp.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/nd.h"
#include "wire/show.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#endif
