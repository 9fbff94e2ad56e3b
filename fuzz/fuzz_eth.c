/* SPDX-License-Identifier: Apache-2.0
 *
 * Any frame: what parses is built again byte for byte.
 */
#include "fuzz.h"

#include "wire/eth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_eth h;
    uint8_t out[WIRE_ETH_HLEN + WIRE_VLANS * WIRE_VLAN_HLEN];
    if (wire_eth_parse(data, size, &h) != DROP_NONE)
        return 0;
    WEIR_ASSERT(h.hlen <= size);
    WEIR_ASSERT(wire_eth_build(out, &h) == h.hlen);
    WEIR_ASSERT(memcmp(out, data, h.hlen) == 0);
    return 0;
}
