/* SPDX-License-Identifier: Apache-2.0
 *
 * Packet scripts against the stack: the packetdrill language, in virtual time.
 *
 * docs/drill.md describes the language as it is understood here.
 */
#ifndef WEIR_DRILL_H
#define WEIR_DRILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { DRILL_TEXT = 4096 };

enum drill_status {
    DRILL_PASSED,
    DRILL_FAILED,
    DRILL_SKIPPED, /* needs something that cannot be had here; text says what */
    DRILL_BAD,     /* not a script: text says where it stops making sense */
};

struct drill_conf {
    int ip_version;  /* 4 or 6, for scripts that do not say */
    FILE *trace;     /* every event with its time; NULL: none */
    bool is_lenient; /* as packetdrill: packets nobody expected may be left at the end */
};

struct drill_result {
    enum drill_status status;
    unsigned line;
    char text[DRILL_TEXT]; /* may have several lines, none ends in a newline */
};

/* Runs one script; never fails otherwise than in *result. path is for messages. The same script
 * always gives the same result. */
void drill_run(const char *path, const char *text, size_t n, const struct drill_conf *,
               struct drill_result *);
/* weir drill: argv[0] is the subcommand's name. 0 all passed, 1 some failed, 2 unusable arguments
 * or scripts. */
int drill_main(int argc, char **argv);

#endif
