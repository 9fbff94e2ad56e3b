/* SPDX-License-Identifier: Apache-2.0
 *
 * Any ICMPv6 message: what parses is built again byte for byte.
 */
#include "fuzz.h"

#include "wire/icmp6.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_icmp6 h;
    uint8_t out[WIRE_ICMP6_HLEN];
    if (wire_icmp6_parse(data, size, &h) != DROP_NONE)
        return 0;
    WEIR_ASSERT(wire_icmp6_build(out, &h) == WIRE_ICMP6_HLEN);
    WEIR_ASSERT(memcmp(out, data, WIRE_ICMP6_HLEN) == 0);
    return 0;
}
