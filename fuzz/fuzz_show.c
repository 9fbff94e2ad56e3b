/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a line of text: it ends inside the buffer, is printable, and a smaller buffer gets
 * the same line's beginning. The first two bytes choose the buffer and how much is missing.
 */
#include "fuzz.h"

#include "wire/show.h"

static void check(unsigned (*show)(const uint8_t *, size_t, size_t, char *, size_t),
                  const uint8_t *p, size_t n, size_t whole, size_t cap)
{
    char full[2048], part[256];
    unsigned len = show(p, n, whole, full, sizeof full);
    WEIR_ASSERT(len > 0);
    WEIR_ASSERT(len < sizeof full - 1);
    WEIR_ASSERT(full[len] == '\0');
    for (unsigned i = 0; i < len; i++)
        WEIR_ASSERT(full[i] >= ' ' && full[i] <= '~');
    unsigned cut = show(p, n, whole, part, cap);
    WEIR_ASSERT(cap == 0 || cut < cap);
    WEIR_ASSERT(cut <= len);
    if (cut == len)
        WEIR_ASSERT(memcmp(part, full, len) == 0);
    else if (cut > 3)
        WEIR_ASSERT(memcmp(part, full, cut - 3) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t cap = data[0], n = size - 2, whole = n + data[1] * (size_t)257;
    check(wire_show_eth, data + 2, n, whole, cap);
    check(wire_show_ip, data + 2, n, whole, cap);
    return 0;
}
