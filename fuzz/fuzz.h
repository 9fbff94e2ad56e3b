/* SPDX-License-Identifier: Apache-2.0
 *
 * What every fuzz target includes: the entry point's prototype.
 *
 * A target feeds data[0..size) to one parser or one object, then checks what must always hold
 * (parse, build, parse again gives the same fields; the object's own check function). It keeps no
 * state from one call to the next.
 */
#ifndef WEIR_FUZZ_H
#define WEIR_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
