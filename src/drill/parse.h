/* SPDX-License-Identifier: Apache-2.0
 *
 * What the three parts of the parser share. Private to drill/.
 *
 * Every parse_ function returns false after it has said what is wrong, once; the parser is then
 * stuck on that error and its callers only return.
 */
#ifndef WEIR_DRILL_PARSE_H
#define WEIR_DRILL_PARSE_H

#include "drill/lex.h"

enum { PARSE_DEFINES = 32 };

struct define {
    const char *name;
    size_t n;
    struct tok value;
};

struct parser {
    struct lex lex;
    struct tok tok; /* the one to be looked at next */
    struct script *script;
    struct script_err *err;
    struct define define[PARSE_DEFINES]; /* --define=NAME=VALUE */
    unsigned n_define;
};

/* To the next token; a word that was defined becomes its value. */
void parse_next(struct parser *);
/* Says what is wrong at the present token; always false. */
__attribute__((format(printf, 2, 3))) bool parse_fail(struct parser *, const char *fmt, ...);
/* Marks the script as one that cannot be run, and why; always true. Parsing ends there. */
__attribute__((format(printf, 2, 3))) bool parse_skip(struct parser *, const char *fmt, ...);
/* Takes this character, or fails. */
bool parse_char(struct parser *, char c);
/* Takes the character if it is there. */
bool parse_has_char(struct parser *, char c);
/* A decimal or hexadecimal number from 0 to max. */
bool parse_number(struct parser *, int64_t max, int64_t *out);
/* Seconds, to microseconds. */
bool parse_seconds(struct parser *, int64_t *us);

/* parse_pkt.c: after the direction. parse_call.c: from the name on. */
bool parse_packet(struct parser *, bool is_out, struct script_pkt **out);
bool parse_call(struct parser *, struct script_call **out);

#endif
