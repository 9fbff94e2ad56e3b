/* SPDX-License-Identifier: Apache-2.0
 *
 * Any UDP datagram: what parses is built again byte for byte, its length lies within the bytes.
 */
#include "fuzz.h"

#include "wire/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_udp h;
    uint8_t out[WIRE_UDP_HLEN];
    if (wire_udp_parse(data, size, &h) != DROP_NONE)
        return 0;
    WEIR_ASSERT(h.len >= WIRE_UDP_HLEN);
    WEIR_ASSERT(h.len <= size);
    WEIR_ASSERT(wire_udp_build(out, &h) == WIRE_UDP_HLEN);
    WEIR_ASSERT(memcmp(out, data, WIRE_UDP_HLEN) == 0);
    return 0;
}
