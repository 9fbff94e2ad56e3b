/* SPDX-License-Identifier: Apache-2.0
 *
 * A world to be looked at: its hosts trace, and what they say and send goes to a capture with
 * reasons, to a trace file, to a log in memory. Looking changes nothing of what happens.
 */
#ifndef WEIR_VIEW_H
#define WEIR_VIEW_H

#include "look/file.h"
#include "sim/sim.h"

struct view_conf {
    const char *pcap, *trace; /* files to write, NULL: none */
    bool wants_log;
};

struct view {
    struct sim *sim; /* NULL: it has ended */
    struct look *look;
    struct capture *capture;
    FILE *file;
    struct look_log log;
    bool wants_log, is_short; /* is_short: there was no memory for all of the log */
};

/* 0, or -E… with a sentence in err; then nothing needs closing. */
WEIR_MUST_CHECK int view_open(struct view *, const struct view_conf *, char *err, size_t n_err);
/* Before any host is added to the world, whose end is the view's end, too. */
void view_attach(struct view *, struct sim *);
/* Ends the files; 0 or -E…: not all of it could be written. The log stays until view_free. */
WEIR_MUST_CHECK int view_close(struct view *);
void view_free(struct view *);

#endif
