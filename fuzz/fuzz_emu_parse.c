/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as link conditions: it is refused with a sentence, or gives conditions within their
 * bounds that an emulator can be made of and changed to.
 */
#include "fuzz.h"

#include <string.h>

#include "dev/emu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[512], err[EMU_ERR_TEXT];
    struct emu_conf conf;
    struct emu_slot slot[4];
    struct emu emu;
    struct rng rng;
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (emu_parse(text, &conf, err) != 0) {
        WEIR_ASSERT(err[0] != '\0');
        return 0;
    }
    WEIR_ASSERT(conf.loss_ppm <= 1000000);
    WEIR_ASSERT(conf.cut_for_ns == 0 || conf.cut_for_ns < conf.cut_every_ns);
    rng_seed(&rng, size);
    emu_init(&emu, &conf, rng, slot, 4, 0);
    WEIR_ASSERT(emu_next(&emu) == W_NEVER);
    emu_set_conf(&emu, &conf, W_S);
    WEIR_ASSERT(emu_pop(&emu, 2 * W_S, NULL, 0) == 0);
    emu_flush(&emu);
    return 0;
}
