/* SPDX-License-Identifier: Apache-2.0
 *
 * The lexer: text to tokens.
 *
 * The language has no keywords of its own here: "ack", "mss", "socket" are all words, and the
 * parser decides what they mean where they stand. What needs care is what looks alike:
 *
 *     1:1001(1000)    sequence numbers, not an IPv6 address (no "::", fewer than seven colons)
 *     0...0.200       INT DOTS FLOAT: a '.' belongs to a number only when a digit follows
 *     S.  P.          a word and a '.'
 *     0x1F            hexadecimal; 00aabb a word (a cookie); 1000 a number, also where a cookie may
 *                     stand: the parser then takes its text
 *
 * Line ends count only for comments (// and #) and for messages. Called by the parser; owns
 * nothing; never reads past the end and never fails: a broken token is TOK_BAD.
 */
#include "drill/lex.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

void lex_init(struct lex *l, const char *text, size_t n)
{
    *l = (struct lex){.at = text, .end = text + n, .line = 1};
}

bool tok_is(const struct tok *t, const char *word)
{
    return t->kind == TOK_WORD && t->n == strlen(word) && memcmp(t->s, word, t->n) == 0;
}

static size_t left(const struct lex *l) { return (size_t)(l->end - l->at); }

static bool starts(const struct lex *l, const char *s)
{
    size_t n = strlen(s);
    return left(l) >= n && memcmp(l->at, s, n) == 0;
}

static void step(struct lex *l, size_t n)
{
    for (size_t i = 0; i < n; i++)
        l->line += l->at[i] == '\n';
    l->at += n;
}

/* From l->at, where does `what` next start? NULL: nowhere. */
static const char *find(const struct lex *l, size_t from, const char *what)
{
    if (left(l) < from)
        return NULL;
    return memmem(l->at + from, left(l) - from, what, strlen(what));
}

/* Skips blanks and comments; false when a comment does not end. */
static bool skip_blank(struct lex *l)
{
    while (l->at < l->end) {
        if (isspace((unsigned char)*l->at)) {
            step(l, 1);
        } else if (starts(l, "//") || *l->at == '#') {
            const char *nl = find(l, 0, "\n");
            step(l, nl != NULL ? (size_t)(nl - l->at) : left(l));
        } else if (starts(l, "/*")) {
            const char *end = find(l, 2, "*/");
            if (end == NULL)
                return false;
            step(l, (size_t)(end - l->at) + 2);
        } else {
            return true;
        }
    }
    return true;
}

static void bad(struct lex *l, struct tok *t, const char *why)
{
    t->kind = TOK_BAD;
    t->s = why;
    t->n = strlen(why);
    l->at = l->end;
}

/* Text between delimiters; a backslash protects the next character when `escapes`. */
static void quoted(struct lex *l, struct tok *t, enum tok_kind kind)
{
    char q = *l->at;
    size_t i = 1;
    while (i < left(l) && l->at[i] != q)
        i += l->at[i] == '\\' && i + 1 < left(l) ? 2 : 1;
    if (i >= left(l)) {
        bad(l, t, q == '"' ? "string without end" : "shell text without end");
        return;
    }
    t->kind = kind;
    t->s = l->at + 1;
    t->n = i - 1;
    step(l, i + 1);
}

static void code(struct lex *l, struct tok *t)
{
    const char *end = find(l, 2, "}%");
    if (end == NULL) {
        bad(l, t, "code block without }%");
        return;
    }
    t->kind = TOK_CODE;
    t->s = l->at + 2;
    t->n = (size_t)(end - l->at) - 2;
    step(l, t->n + 4);
}

static bool is_word_char(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* An IPv6 address here? Its length, or 0. */
static size_t ip6_len(const struct lex *l)
{
    size_t n = 0, colons = 0;
    bool has_double = false;
    char buf[ADDR_TEXT];
    while (n < left(l) && n < sizeof(buf) - 1) {
        char c = l->at[n];
        if (!isxdigit((unsigned char)c) && c != ':' && c != '.')
            break;
        colons += c == ':';
        has_double = has_double || (c == ':' && n > 0 && l->at[n - 1] == ':');
        n++;
    }
    if (!has_double && colons != 7)
        return 0;
    /* A ':' that belongs to what follows is not part of the address. */
    for (; n >= 2; n--) {
        struct addr a;
        memcpy(buf, l->at, n);
        buf[n] = '\0';
        if (addr_parse(buf, &a) == 0)
            return n;
    }
    return 0;
}

/* d.d.d.d here? Its length, or 0. */
static size_t ip4_len(const struct lex *l)
{
    size_t n = 0, dots = 0;
    while (n < left(l) && (isdigit((unsigned char)l->at[n]) || l->at[n] == '.')) {
        bool is_dot = l->at[n] == '.';
        if (is_dot && (n + 1 >= left(l) || !isdigit((unsigned char)l->at[n + 1])))
            break;
        dots += is_dot;
        n++;
    }
    return dots == 3 ? n : 0;
}

/* Digits, perhaps ".digits" after them: as integer or in millionths. Too large: TOK_BAD. */
static void number(struct lex *l, struct tok *t)
{
    size_t i = 0;
    bool is_negative = l->at[0] == '-', is_float = false, is_big = false;
    int64_t v = 0;
    i += is_negative;
    for (; i < left(l) && isdigit((unsigned char)l->at[i]); i++) {
        is_big = is_big || v > (INT64_MAX - 9) / 10;
        v = is_big ? v : v * 10 + (l->at[i] - '0');
    }
    if (i + 1 < left(l) && l->at[i] == '.' && isdigit((unsigned char)l->at[i + 1])) {
        is_float = true;
        is_big = is_big || v > INT64_MAX / 1000000 - 1;
        v = is_big ? v : v * 1000000;
        int64_t unit = 100000;
        for (i++; i < left(l) && isdigit((unsigned char)l->at[i]); i++, unit /= 10)
            v += is_big ? 0 : (l->at[i] - '0') * unit;
    }
    if (is_big) {
        bad(l, t, "number too large");
        return;
    }
    t->kind = is_float ? TOK_FLOAT : TOK_INT;
    t->n = i;
    t->num = is_negative ? -v : v;
    step(l, i);
}

static void word(struct lex *l, struct tok *t)
{
    size_t n = 0;
    bool is_digits = true;
    for (; n < left(l) && is_word_char(l->at[n]); n++)
        is_digits = is_digits && isdigit((unsigned char)l->at[n]);
    if (is_digits) {
        number(l, t);
        return;
    }
    t->kind = TOK_WORD;
    t->n = n;
    if (n > 2 && n <= 18 && l->at[0] == '0' && (l->at[1] == 'x' || l->at[1] == 'X')) {
        char buf[20], *end = NULL;
        memcpy(buf, l->at, n);
        buf[n] = '\0';
        t->num = (int64_t)strtoull(buf, &end, 16);
        t->kind = *end == '\0' ? TOK_HEX : TOK_WORD;
    }
    step(l, n);
}

/* What starts with a character that is no quote and no blank. */
static void plain(struct lex *l, struct tok *t)
{
    char c = *l->at, c1 = left(l) > 1 ? l->at[1] : '\0';
    size_t n = 0;
    if ((isxdigit((unsigned char)c) || c == ':') && (n = ip6_len(l)) != 0) {
        t->kind = TOK_IP6;
    } else if (isdigit((unsigned char)c) && (n = ip4_len(l)) != 0) {
        t->kind = TOK_IP4;
    } else if (starts(l, "...")) {
        t->kind = TOK_DOTS;
        n = 3;
    } else if ((c == '-' || c == '.') && isdigit((unsigned char)c1)) {
        number(l, t);
        return;
    } else if (is_word_char(c)) {
        word(l, t);
        return;
    } else {
        t->kind = TOK_CHAR;
        n = 1;
    }
    t->n = n;
    step(l, n);
}

static void option(struct lex *l, struct tok *t)
{
    size_t n = 2;
    while (n < left(l) && is_word_char(l->at[n]))
        n++;
    t->kind = TOK_OPTION;
    t->s = l->at + 2;
    t->n = n - 2;
    step(l, n);
}

void lex_next(struct lex *l, struct tok *t)
{
    bool is_ok = skip_blank(l);
    *t = (struct tok){.kind = TOK_END, .s = l->at, .line = l->line};
    if (!is_ok) {
        bad(l, t, "comment without */");
        return;
    }
    if (l->at >= l->end)
        return;
    if (*l->at == '"')
        quoted(l, t, TOK_STRING);
    else if (*l->at == '`')
        quoted(l, t, TOK_SHELL);
    else if (starts(l, "%{"))
        code(l, t);
    else if (starts(l, "--") && left(l) > 2 && is_word_char(l->at[2]))
        option(l, t);
    else
        plain(l, t);
}
