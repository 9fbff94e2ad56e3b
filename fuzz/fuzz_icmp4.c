/* SPDX-License-Identifier: Apache-2.0
 *
 * Any ICMP message: what parses is built again byte for byte.
 */
#include "fuzz.h"

#include "wire/icmp4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_icmp4 h;
    uint8_t out[WIRE_ICMP4_HLEN];
    if (wire_icmp4_parse(data, size, &h) != DROP_NONE)
        return 0;
    WEIR_ASSERT(wire_icmp4_build(out, &h) == WIRE_ICMP4_HLEN);
    WEIR_ASSERT(memcmp(out, data, WIRE_ICMP4_HLEN) == 0);
    return 0;
}
