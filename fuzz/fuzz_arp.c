/* SPDX-License-Identifier: Apache-2.0
 *
 * Any ARP packet: what parses is built again byte for byte.
 */
#include "fuzz.h"

#include "wire/arp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_arp h;
    uint8_t out[WIRE_ARP_LEN];
    if (wire_arp_parse(data, size, &h) != DROP_NONE)
        return 0;
    WEIR_ASSERT(wire_arp_build(out, &h) == WIRE_ARP_LEN);
    WEIR_ASSERT(memcmp(out, data, WIRE_ARP_LEN) == 0);
    return 0;
}
