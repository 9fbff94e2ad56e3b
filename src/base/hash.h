/* SPDX-License-Identifier: Apache-2.0
 *
 * Keyed hashing for everything an outsider can aim at: flow tables, initial sequence numbers, port
 * choice, IP identification. SipHash (Aumasson, Bernstein, 2012); 1-3 for tables, 2-4 for secrets.
 */
#ifndef WEIR_HASH_H
#define WEIR_HASH_H

#include "base/addr.h"

struct hash_key {
    uint64_t k0, k1;
};

uint64_t hash_sip24(const struct hash_key *, const void *data, size_t n);
uint64_t hash_sip13(const struct hash_key *, const void *data, size_t n);

/* The flow table's hash of ⟨local, remote, lport, rport, proto⟩: SipHash-1-3 over these 37 bytes,
 * ports in little endian; over 13 when both addresses are IPv4's, of which only the four bytes
 * count. */
uint64_t hash_flow(const struct hash_key *, const struct flow *);
/* The same by SipHash-2-4, for what leaves the host. */
uint64_t hash_flow_secret(const struct hash_key *, const struct flow *);

/* The hash NICs use to spread flows over queues (Microsoft RSS); key of 40 bytes. */
uint32_t hash_toeplitz(const uint8_t *key40, const uint8_t *data, size_t n);

/* CRC-32 of Ethernet's frame check sequence [IEEE 802.3 3.2.9] is the MAC's: see nic/. */

#endif
