/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to door/: may this program run here?
 */
#ifndef WEIR_DOOR_PROGRAM_H
#define WEIR_DOOR_PROGRAM_H

#include <stddef.h>

/* 0; or the exit status (126, 127) with a sentence in err. */
int program_check(const char *name, char *err, size_t n_err);

#endif
