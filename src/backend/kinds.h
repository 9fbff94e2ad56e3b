/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share: the kinds of backend, and how a failure is told.
 */
#ifndef WEIR_BACKEND_KINDS_H
#define WEIR_BACKEND_KINDS_H

#include "backend/backend.h"

/* Writes the sentence into err (BACKEND_ERR_TEXT bytes) and returns e, a negative errno. */
__attribute__((format(printf, 3, 4))) int backend_fail(char *err, int e, const char *format, ...);

/* A locally administered unicast address [IEEE 802 8.4], the same for the same name and seed. */
void backend_mac(const char *name, uint64_t seed, uint8_t mac[6]);

/* As backend_open, `name` being what follows "kind:" (empty when nothing does). */
WEIR_MUST_CHECK int user_open(const char *name, const struct backend_conf *, struct backend *out,
                              char *err);
WEIR_MUST_CHECK int tap_open(const char *name, const struct backend_conf *, struct backend *out,
                             char *err);
WEIR_MUST_CHECK int virtio_open(const char *name, const struct backend_conf *, struct backend *out,
                                char *err);

#endif
