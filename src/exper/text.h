/* SPDX-License-Identifier: Apache-2.0
 *
 * A scenario file as text: its sections and its settings, each with its line; and values with
 * units. What names mean is decided by setup.h, plan.h and claim.h.
 */
#ifndef WEIR_EXPER_TEXT_H
#define WEIR_EXPER_TEXT_H

#include "base/base.h"

enum {
    TEXT_NAME = 48,   /* bytes of a section or key, as inih has it */
    TEXT_VALUE = 600, /* … of a value, with its further lines */
    TEXT_SECTIONS = 96,
    TEXT_SETS = 512,
    TEXT_ERR = 400,
};

/* `key = value` in [section], beginning in `line`. */
struct text_set {
    char section[TEXT_NAME], key[TEXT_NAME];
    char value[TEXT_VALUE];
    unsigned line;
};

struct text_section {
    char name[TEXT_NAME];
    unsigned line;
};

struct text {
    const char *file; /* as it was named; the caller's */
    struct text_section section[TEXT_SECTIONS];
    unsigned n_section;
    struct text_set set[TEXT_SETS];
    unsigned n_set;
    char err[TEXT_ERR]; /* the first complaint: "FILE:LINE: what is wrong: expected what" */
};

/* Reads a file. 0; -errno: it cannot be read; -EINVAL: it is no such text. Both with t->err. */
WEIR_MUST_CHECK int text_read(struct text *t, const char *file);
/* Puts a complaint into t->err, if it is the first. Returns -EINVAL. line 0: of the whole file. */
int text_complain(struct text *t, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Copies a text, or as much of it as fits. */
void text_copy(char *out, size_t room, const char *in);
/* Whether a section's name is `kind` alone or `kind` with words behind it; *rest is these. */
bool text_is_kind(const char *section, const char *kind, const char **rest);

/* ---- values ---- */

enum text_kind {
    TEXT_COUNT,   /* 1000 */
    TEXT_TIME,    /* 20ms → nanoseconds */
    TEXT_USECS,   /* 50 → nanoseconds: as ethtool has it, without a unit */
    TEXT_RATE,    /* 100mbit → bit/s */
    TEXT_SIZE,    /* 64kb → bytes, k = 1024; a plain number is bytes */
    TEXT_PERCENT, /* 0.1% → parts per million */
    TEXT_BOOL,    /* on, off */
    TEXT_KINDS
};

/* 0, or -EINVAL: no such value. The whole text counts. */
WEIR_MUST_CHECK int text_value(enum text_kind, const char *text, uint64_t *out);
/* "a time such as 20ms …" */
const char *text_expected(enum text_kind);
/* The next piece of a list between `by`, without blanks around; false: the list is at its end. */
bool text_next(const char **list, char by, char *out, size_t room);

#endif
