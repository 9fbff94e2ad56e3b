/* SPDX-License-Identifier: Apache-2.0
 *
 * Address texts: what is accepted is written as one text, which is read as the same address and
 * written the same again.
 */
#include "fuzz.h"

#include "base/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[64], first[ADDR_TEXT], again[ADDR_TEXT];
    struct addr a, b;
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (addr_parse(text, &a) != 0)
        return 0;
    unsigned n = addr_format(&a, first);
    WEIR_ASSERT(first[n] == '\0');
    WEIR_ASSERT(addr_parse(first, &b) == 0);
    WEIR_ASSERT(addr_eq(&a, &b));
    WEIR_ASSERT(addr_format(&b, again) == n);
    WEIR_ASSERT(memcmp(first, again, n + 1) == 0);
    return 0;
}
