/* SPDX-License-Identifier: Apache-2.0
 *
 * An interface's queue and size by words: `weir link`, `weir run --qdisc`.
 */
#ifndef WEIR_LINKCMD_H
#define WEIR_LINKCMD_H

#include "run/niccmd.h"

#include <weir/weir.h>

enum { LINKCMD_ERR_TEXT = 256 };

/* Reads "fq_codel limit 1000 target 5ms …", tc's words. 0, or -EINVAL with a sentence in err
 * (LINKCMD_ERR_TEXT). */
WEIR_MUST_CHECK int linkcmd_parse_qdisc(const char *text, struct weir_qdisc *, char *err);
/* Answers `weir link show` and `weir link set`; a ctl_handler, arg is a struct niccmd. */
int linkcmd_request(void *arg, const char *args, FILE *);

#endif
