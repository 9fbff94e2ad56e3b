/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as a packet script: it is parsed, and when it is one, run. A bad script gives a message
 * and a line, never a crash; whatever packets and calls it makes, the stack survives them.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "drill/drill.h"

enum { TEXT_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct drill_result result;
    struct drill_conf conf = {.ip_version = 4};
    /* Large allocations and endless times find nothing here. */
    if (size > TEXT_MAX)
        return 0;
    drill_run("fuzz.pkt", (const char *)data, size, &conf, &result);
    WEIR_ASSERT(result.status == DRILL_PASSED || result.text[0] != '\0');
    WEIR_ASSERT(memchr(result.text, '\0', sizeof(result.text)) != NULL);
    return 0;
}
