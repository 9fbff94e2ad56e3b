/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands that show traces share: reading a file, and choosing a stream of it.
 */
#ifndef WEIR_STREAMS_H
#define WEIR_STREAMS_H

#include "look/way.h"

/* Adds the file's records to the log. 0 or -E… after a sentence that begins with `who`. */
int streams_load(const char *who, const char *path, struct look_log *);
/* One line a stream, numbered from 1. */
void streams_list(const struct look_stream *, unsigned n);
/* Number `which` of them, 0: the one with the most bytes. NULL after a sentence: there is none. */
const struct look_stream *streams_pick(const char *who, const struct look_stream *, unsigned n,
                                       unsigned which);

#endif
