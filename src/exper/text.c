/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a scenario file with inih, and counts its lines.
 *
 * Decides: a line that begins with a blank goes on with the value above; a section may come only
 * once, a key only once in its section, but for `holds`; what would not fit is said, never cut off.
 * inih tells no line numbers and no sections without keys, so the reader it is given looks at each
 * line first: it counts, notes sections, and refuses what inih would cut.
 *
 * Owns nothing. Called by plan.c; calls inih.
 */
#include "exper/text.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int text_complain(struct text *t, unsigned line, const char *fmt, ...)
{
    va_list v;
    if (t->err[0] != '\0')
        return -EINVAL;
    int n = line != 0 ? snprintf(t->err, sizeof(t->err), "%s:%u: ", t->file, line)
                      : snprintf(t->err, sizeof(t->err), "%s: ", t->file);
    if (n < 0 || (size_t)n >= sizeof(t->err))
        return -EINVAL;
    va_start(v, fmt);
    (void)vsnprintf(t->err + n, sizeof(t->err) - (size_t)n, fmt, v);
    va_end(v);
    return -EINVAL;
}

void text_copy(char *out, size_t room, const char *in)
{
    size_t n = strnlen(in, room - 1);
    memmove(out, in, n);
    out[n] = '\0';
}

bool text_is_kind(const char *section, const char *kind, const char **rest)
{
    size_t n = strlen(kind);
    if (strncmp(section, kind, n) != 0 || (section[n] != '\0' && section[n] != ' '))
        return false;
    *rest = section + n + (section[n] == ' ');
    return true;
}

bool text_next(const char **list, char by, char *out, size_t room)
{
    const char *at = *list, *end;
    if (at == NULL)
        return false;
    end = strchr(at, by);
    *list = end != NULL ? end + 1 : NULL;
    size_t n = end != NULL ? (size_t)(end - at) : strlen(at);
    while (n > 0 && isspace((unsigned char)*at))
        at++, n--;
    while (n > 0 && isspace((unsigned char)at[n - 1]))
        n--;
    if (end == NULL && n == 0)
        return false;
    n = n < room - 1 ? n : room - 1;
    memcpy(out, at, n);
    out[n] = '\0';
    return true;
}

/* ---- the file ---- */

struct source {
    FILE *f;
    struct text *t;
    unsigned line;
    bool goes_on; /* the line begins with a blank */
};

/* A section as the file's line says it, blanks made single. */
static void note_section(struct source *s, const char *line)
{
    struct text *t = s->t;
    char name[TEXT_NAME + 1] = "";
    size_t n = 0;
    const char *end = strchr(line, ']');
    if (end == NULL) {
        (void)text_complain(t, s->line, "%.40s: expected ] at the section's end", line);
        return;
    }
    for (const char *at = line + 1; at < end && n < sizeof(name) - 1; at++) {
        bool is_blank = isspace((unsigned char)*at);
        if (!is_blank || (n > 0 && name[n - 1] != ' ' && !isspace((unsigned char)at[1])))
            name[n++] = is_blank ? ' ' : *at;
    }
    while (n > 0 && name[n - 1] == ' ')
        n--;
    name[n] = '\0';
    if (n == 0 || n >= TEXT_NAME) {
        (void)text_complain(t, s->line, "a section's name has from 1 to %d characters",
                            TEXT_NAME - 1);
        return;
    }
    for (unsigned i = 0; i < t->n_section; i++)
        if (strcmp(t->section[i].name, name) == 0)
            (void)text_complain(t, s->line, "[%s] comes twice: first in line %u", name,
                                t->section[i].line);
    if (t->n_section == TEXT_SECTIONS) {
        (void)text_complain(t, s->line, "more than %d sections", TEXT_SECTIONS);
        return;
    }
    struct text_section *x = &t->section[t->n_section++];
    memcpy(x->name, name, n + 1);
    x->line = s->line;
}

static char *read_line(char *line, int room, void *stream)
{
    struct source *s = stream;
    if (fgets(line, room, s->f) == NULL)
        return NULL;
    s->line++;
    size_t n = strlen(line);
    if (n + 1 == (size_t)room && line[n - 1] != '\n' && !feof(s->f)) {
        (void)text_complain(s->t, s->line,
                            "a line is longer than %d characters: go on in the next one, behind a "
                            "blank",
                            room - 2);
        return NULL;
    }
    s->goes_on = line[0] == ' ' || line[0] == '\t';
    if (line[0] == '[')
        note_section(s, line);
    else if (line[strspn(line, " \t")] == '[')
        (void)text_complain(s->t, s->line, "a [section] begins at its line's start");
    return line;
}

/* The line is more of the value above it. */
static int append(struct source *s, const char *value)
{
    struct text_set *x = &s->t->set[s->t->n_set - 1];
    size_t n = strlen(x->value), more = strlen(value);
    if (n + 1 + more >= sizeof(x->value))
        return text_complain(s->t, s->line, "the value of %s is longer than %d characters", x->key,
                             TEXT_VALUE - 1);
    x->value[n] = ' ';
    memcpy(x->value + n + 1, value, more + 1);
    return 0;
}

static int take(struct source *s, const char *key, const char *value)
{
    struct text *t = s->t;
    if (t->n_section == 0)
        return text_complain(t, s->line, "%s stands before any [section]", key);
    const char *section = t->section[t->n_section - 1].name;
    if (s->goes_on && t->n_set > 0 && strcmp(t->set[t->n_set - 1].key, key) == 0)
        return append(s, value);
    if (strlen(key) >= TEXT_NAME - 1)
        return text_complain(t, s->line, "a key has at most %d characters", TEXT_NAME - 2);
    for (unsigned i = 0; i < t->n_set; i++)
        if (strcmp(t->set[i].section, section) == 0 && strcmp(t->set[i].key, key) == 0 &&
            strcmp(key, "holds") != 0)
            return text_complain(t, s->line, "%s comes twice in [%s]: first in line %u", key,
                                 section, t->set[i].line);
    if (value[0] == '\0')
        return text_complain(t, s->line, "%s has no value", key);
    if (t->n_set == TEXT_SETS)
        return text_complain(t, s->line, "more than %d settings", TEXT_SETS);
    struct text_set *x = &t->set[t->n_set++];
    text_copy(x->section, sizeof(x->section), section);
    text_copy(x->key, sizeof(x->key), key);
    text_copy(x->value, sizeof(x->value), value);
    x->line = s->line;
    return 0;
}

static int on_pair(void *ctx, const char *section, const char *key, const char *value)
{
    struct source *s = ctx;
    (void)section; /* ours has its blanks made single */
    if (key == NULL || value == NULL)
        return 0;
    return take(s, key, value) == 0;
}

int text_read(struct text *t, const char *file)
{
    struct source s = {.t = t};
    memset(t, 0, sizeof(*t));
    t->file = file;
    s.f = fopen(file, "r");
    if (s.f == NULL) {
        int e = errno;
        (void)text_complain(t, 0, "%s", strerror(e));
        return -e;
    }
    /* inih reads from s.f through read_line; it hands s back to on_pair. */
    int line = ini_parse_stream(read_line, &s, on_pair, &s);
    if (ferror(s.f))
        (void)text_complain(t, 0, "cannot be read");
    (void)fclose(s.f);
    if (line > 0)
        (void)text_complain(t, (unsigned)line, "expected [section] or key = value");
    if (t->n_section == 0)
        (void)text_complain(t, 0, "there is no [section] in it");
    return t->err[0] != '\0' ? -EINVAL : 0;
}

/* ---- values ---- */

struct unit {
    const char *name;
    double worth;
};

static const struct unit units_count[] = {{"", 1}, {NULL, 0}};
static const struct unit units_time[] = {
    {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {NULL, 0}};
static const struct unit units_usecs[] = {{"", 1e3}, {NULL, 0}};
static const struct unit units_rate[] = {
    {"bit", 1}, {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {NULL, 0}};
static const struct unit units_size[] = {{"", 1},        {"b", 1},        {"k", 1024}, {"kb", 1024},
                                         {"m", 1048576}, {"mb", 1048576}, {NULL, 0}};
static const struct unit units_percent[] = {{"%", 1e4}, {NULL, 0}};
static const struct unit units_bool[] = {{NULL, 0}};

static const struct {
    const struct unit *units;
    const char *expected;
    double max;
} kinds[TEXT_KINDS] = {
    [TEXT_COUNT] = {units_count, "a number from 0 to 4294967295", 4294967295.0},
    [TEXT_TIME] = {units_time, "a time up to 3600s, such as 20ms (ns, us, ms or s)", 3.6e12},
    [TEXT_USECS] = {units_usecs, "microseconds up to 1000000, a number without a unit", 1e9},
    [TEXT_RATE] = {units_rate, "a rate such as 100mbit (bit, kbit, mbit or gbit)", 1e12},
    [TEXT_SIZE] = {units_size, "a size such as 64kb (b, kb or mb), up to 4095mb", 4293918720.0},
    [TEXT_PERCENT] = {units_percent, "a percentage from 0% to 100%", 1e6},
    [TEXT_BOOL] = {units_bool, "on or off", 1},
};

const char *text_expected(enum text_kind k) { return kinds[k].expected; }

static int read_bool(const char *text, uint64_t *out)
{
    static const struct {
        const char *word;
        bool is_on;
    } word[] = {{"on", true}, {"yes", true}, {"off", false}, {"no", false}};
    for (unsigned i = 0; i < WEIR_COUNT(word); i++) {
        if (strcmp(text, word[i].word) != 0)
            continue;
        *out = word[i].is_on;
        return 0;
    }
    return -EINVAL;
}

int text_value(enum text_kind k, const char *text, uint64_t *out)
{
    char *end;
    if (k == TEXT_BOOL)
        return read_bool(text, out);
    /* No sign, no "inf", no hexadecimal: strtod would take them. */
    size_t digits = strspn(text, "0123456789.");
    if (digits == 0 || digits > 20)
        return -EINVAL;
    char number[24];
    memcpy(number, text, digits);
    number[digits] = '\0';
    double value = strtod(number, &end);
    if (*end != '\0')
        return -EINVAL;
    for (const struct unit *u = kinds[k].units; u->name != NULL; u++) {
        bool is_nothing = value == 0 && text[digits] == '\0';
        if (strcmp(text + digits, u->name) != 0 && !is_nothing)
            continue;
        double all = value * u->worth;
        if (all > kinds[k].max || fabs(all - round(all)) > 1e-6)
            return -EINVAL;
        *out = (uint64_t)llround(all);
        return 0;
    }
    return -EINVAL;
}
