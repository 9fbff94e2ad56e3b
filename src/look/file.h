/* SPDX-License-Identifier: Apache-2.0
 *
 * Trace files (text, one record a line; docs/seeing.md has the format), and logs of records in
 * memory, one list per host.
 */
#ifndef WEIR_LOOK_FILE_H
#define WEIR_LOOK_FILE_H

#include "look/look.h"

#include <stdio.h>

void look_put_head(FILE *);
void look_put(FILE *, unsigned host, const struct weir_trace *);

struct look_records {
    struct weir_trace *v;
    size_t n, cap;
};

/* Zero is an empty one. */
struct look_log {
    struct look_records host[LOOK_HOSTS];
};

/* host below LOOK_HOSTS. 0 or -ENOMEM. */
int look_log_add(struct look_log *, unsigned host, const struct weir_trace *);
/* Adds what a trace file says. 0, or -E… with a sentence in err that names the line; what stood
 * before it has been added. */
WEIR_MUST_CHECK int look_log_read(struct look_log *, FILE *, char *err, size_t n_err);
void look_log_free(struct look_log *);

#endif
