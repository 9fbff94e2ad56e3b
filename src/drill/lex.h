/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens of the packet script language. Private to drill/.
 */
#ifndef WEIR_DRILL_LEX_H
#define WEIR_DRILL_LEX_H

#include "drill/ast.h"

enum tok_kind {
    TOK_END,
    TOK_INT,   /* num */
    TOK_HEX,   /* num */
    TOK_FLOAT, /* num: millionths */
    TOK_WORD,
    TOK_STRING, /* s, n: between the quotes */
    TOK_SHELL,  /* between backquotes */
    TOK_CODE,   /* between %{ and }% */
    TOK_OPTION, /* after -- */
    TOK_DOTS,   /* ... */
    TOK_IP4,
    TOK_IP6,
    TOK_CHAR, /* any other single character: s[0] */
    TOK_BAD,  /* s: what is wrong, n its length */
};

struct tok {
    enum tok_kind kind;
    const char *s;
    size_t n;
    unsigned line;
    int64_t num;
};

struct lex {
    const char *at, *end;
    unsigned line;
};

void lex_init(struct lex *, const char *text, size_t n);
/* The next token; TOK_END for ever at the end. The token points into the text. */
void lex_next(struct lex *, struct tok *);
/* Whether the token is this word, or this character. */
bool tok_is(const struct tok *, const char *word);
static inline bool tok_is_char(const struct tok *t, char c)
{
    return t->kind == TOK_CHAR && t->s[0] == c;
}

#endif
