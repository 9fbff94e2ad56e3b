/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a scenario: what is swept, measured, drawn and claimed; and checks all of it before any
 * run, so that a mistake in the last point of a sweep costs no minute.
 *
 *   [sweep]      SECTION.KEY = a list "8, 16, 32" or a range "8..1024 *2", "0..100 +10"
 *   [case NAME]  SECTION.KEY = value: all cases together are one more axis, called case
 *   [table]      NAME [UNIT] = measures and numbers with + - * / between blanks
 *   [plot NAME]  a picture
 *   [claim NAME] a relation that has to hold (claim.c)
 *
 * An axis is called by its key where no other axis has that key, else SECTION.KEY.
 *
 * Owns nothing but the plan. Called by the command; calls setup.c, measure.c, claim.c.
 */
#include "exper/plan.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- axes ---- */

int plan_axis_named(const struct plan *p, const char *name)
{
    for (unsigned i = 0; i < p->n_axis; i++)
        if (strcmp(p->axis[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* "nic b.rx-ring" → section, key. */
static int split_target(struct plan *p, const struct text_set *s, char *section, char *key)
{
    const char *dot = strrchr(s->key, '.');
    if (dot == NULL || dot == s->key || dot[1] == '\0')
        return text_complain(&p->text, s->line,
                             "%s: expected SECTION.KEY, such as nic.rx-ring or flow one.bytes",
                             s->key);
    (void)snprintf(section, TEXT_NAME, "%.*s", (int)(dot - s->key), s->key);
    text_copy(key, TEXT_NAME, dot + 1);
    if (!setup_has_section(section))
        return text_complain(&p->text, s->line,
                             "%s: expected SECTION.KEY with a section of a setup", s->key);
    return 0;
}

static int add_value(struct plan *p, struct plan_axis *a, const char *value)
{
    if (a->n == PLAN_VALUES)
        return text_complain(&p->text, a->line, "more than %d values", PLAN_VALUES);
    if (strlen(value) >= PLAN_LABEL)
        return text_complain(&p->text, a->line, "%.30s…: a swept value has at most %d characters",
                             value, PLAN_LABEL - 1);
    text_copy(a->value[a->n++], PLAN_LABEL, value);
    return 0;
}

/* "8..1024 *2": both ends are values. */
static int add_range(struct plan *p, struct plan_axis *a, const char *text)
{
    const char *dots = strstr(text, "..");
    char *end, by, first[PLAN_LABEL];
    if (dots == NULL || dots == text || (size_t)(dots - text) >= sizeof(first))
        return 1;
    text_copy(first, (size_t)(dots - text) + 1, text);
    double from = strtod(first, &end), to, step;
    const char *from_unit = end;
    to = strtod(dots + 2, &end);
    const char *unit = end;
    size_t n_unit = strcspn(unit, " ");
    by = unit[n_unit + strspn(unit + n_unit, " ")];
    const char *number = by != '\0' ? strchr(unit + n_unit, by) + 1 : "";
    step = strtod(number, &end);
    bool is_same = *from_unit == '\0' ||
                   (strlen(from_unit) == n_unit && strncmp(from_unit, unit, n_unit) == 0);
    bool is_good = (by == '*' && step > 1 && from > 0) || (by == '+' && step > 0);
    if (!is_good || !is_same || *end != '\0' || !(to >= from) || n_unit > 8)
        return text_complain(&p->text, a->line,
                             "%.60s: expected a range such as 8..1024 *2 or 0..100us +10", text);
    for (double v = from; v <= to * (1 + 1e-9); v = by == '*' ? v * step : v + step) {
        char value[PLAN_LABEL];
        (void)snprintf(value, sizeof(value), "%.10g%.*s", v, (int)n_unit, unit);
        if (add_value(p, a, value) < 0)
            return -EINVAL;
    }
    return 0;
}

/* The values as numbers in one unit, if all of them are of one kind. */
static void find_numbers(struct plan_axis *a)
{
    static const enum text_kind kind[] = {TEXT_COUNT, TEXT_TIME, TEXT_RATE, TEXT_PERCENT,
                                          TEXT_SIZE};
    static const char *const unit[] = {"", "ms", "Mbit/s", "%", "bytes"};
    static const double worth[] = {1, 1e6, 1e6, 1e4, 1};
    for (unsigned k = 0; k < WEIR_COUNT(kind) && !a->is_number; k++) {
        unsigned n = 0;
        for (; n < a->n; n++) {
            uint64_t v;
            if (text_value(kind[k], a->value[n], &v) < 0)
                break;
            a->number[n] = (double)v / worth[k];
        }
        a->is_number = n == a->n;
        a->unit = unit[k];
    }
}

static int add_axis(struct plan *p, const struct text_set *s)
{
    char section[TEXT_NAME], one[PLAN_LABEL + 1];
    if (p->n_axis == PLAN_AXES)
        return text_complain(&p->text, s->line, "more than %d things are swept", PLAN_AXES);
    struct plan_axis *a = &p->axis[p->n_axis];
    *a = (struct plan_axis){.line = s->line, .section = s->key};
    if (split_target(p, s, section, a->key) < 0)
        return -EINVAL;
    text_copy(a->name, sizeof(a->name), plan_axis_named(p, a->key) < 0 ? a->key : s->key);
    p->n_axis++;
    int r = add_range(p, a, s->value);
    const char *list = s->value;
    while (r == 1 && text_next(&list, ',', one, sizeof(one)))
        if (add_value(p, a, one) < 0)
            return -EINVAL;
    if (r < 0)
        return r;
    find_numbers(a);
    return 0;
}

static int add_case(struct plan *p, const struct text_section *s, const char *name)
{
    int i = plan_axis_named(p, "case");
    if (name[0] == '\0')
        return text_complain(&p->text, s->line, "[case]: expected a name, such as [case small]");
    if (i < 0) {
        if (p->n_axis == PLAN_AXES)
            return text_complain(&p->text, s->line, "more than %d things are swept", PLAN_AXES);
        i = (int)p->n_axis++;
        p->axis[i] = (struct plan_axis){.line = s->line, .name = "case"};
    }
    return add_value(p, &p->axis[i], name);
}

unsigned plan_value_at(const struct plan *p, unsigned point, unsigned axis)
{
    for (unsigned i = p->n_axis; i-- > axis + 1;)
        point /= p->axis[i].n;
    return point % p->axis[axis].n;
}

/* The settings of one value of an axis, behind over[n]. How many there are then, or -EINVAL. */
static int over_of(struct plan *p, unsigned axis, unsigned value, struct text_set *over, unsigned n)
{
    const struct plan_axis *a = &p->axis[axis];
    char section[TEXT_NAME + 8];
    (void)snprintf(section, sizeof(section), "case %s", a->value[value]);
    for (unsigned i = 0; i < p->text.n_set; i++) {
        const struct text_set *s = &p->text.set[i];
        bool is_it = a->section != NULL ? s->key == a->section : strcmp(s->section, section) == 0;
        if (!is_it)
            continue;
        if (n == PLAN_OVER)
            return text_complain(&p->text, s->line, "more than %d settings are swept", PLAN_OVER);
        over[n] = *s;
        if (split_target(p, s, over[n].section, over[n].key) < 0)
            return -EINVAL;
        if (a->section != NULL)
            text_copy(over[n].value, sizeof(over[n].value), a->value[value]);
        n++;
    }
    return (int)n;
}

int plan_setup(struct plan *p, unsigned point, struct setup *out)
{
    struct text_set *over = calloc(PLAN_OVER, sizeof(*over));
    int n = 0;
    if (over == NULL)
        return -ENOMEM;
    for (unsigned i = 0; n >= 0 && i < p->n_axis; i++)
        n = over_of(p, i, plan_value_at(p, point, i), over, (unsigned)n);
    int r = n < 0 ? n : setup_make(&p->text, over, (unsigned)n, out);
    free(over);
    return r;
}

/* ---- columns ---- */

int plan_column_named(const struct plan *p, const char *name)
{
    for (unsigned i = 0; i < p->n_column; i++)
        if (strcmp(p->column[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* The number of a measure, a new one if need be. */
static int measure_for(struct plan *p, unsigned line, const char *text)
{
    struct measure g;
    char err[TEXT_ERR];
    for (unsigned i = 0; i < p->n_measure; i++)
        if (strcmp(p->measure[i].text, text) == 0)
            return (int)i;
    if (measure_parse(&p->setup, text, &g, err) < 0)
        return text_complain(&p->text, line, "%s", err);
    if (p->n_measure == PLAN_MEASURES)
        return text_complain(&p->text, line, "more than %d measures", PLAN_MEASURES);
    p->measure[p->n_measure] = g;
    return (int)p->n_measure++;
}

static bool is_number(const char *text, double *out)
{
    char *end;
    if (!isdigit((unsigned char)text[0]) && text[0] != '.')
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

static int add_term(struct plan *p, struct plan_column *c, char op, const char *text)
{
    if (c->n == PLAN_TERMS)
        return text_complain(&p->text, c->line, "more than %d parts", PLAN_TERMS);
    struct plan_term *t = &c->term[c->n++];
    *t = (struct plan_term){.op = op, .measure = -1};
    if (text[0] == '\0')
        return text_complain(&p->text, c->line, "expected a measure or a number behind %c", op);
    if (is_number(text, &t->number))
        return 0;
    t->measure = measure_for(p, c->line, text);
    return t->measure < 0 ? t->measure : 0;
}

/* Where the next " op " begins; the end if there is none. */
static const char *next_op(const char *at)
{
    for (; *at != '\0'; at++)
        if (at[0] == ' ' && at[1] != '\0' && strchr("+-*/", at[1]) != NULL && at[2] == ' ')
            return at;
    return at;
}

/* "NAME [UNIT]" */
static int name_and_unit(struct plan *p, const struct text_set *s, char *name, char *unit)
{
    const char *open = strchr(s->key, '['), *close = strchr(s->key, ']');
    size_t n = open != NULL ? (size_t)(open - s->key) : strlen(s->key);
    while (n > 0 && s->key[n - 1] == ' ')
        n--;
    (void)snprintf(name, TEXT_NAME, "%.*s", (int)n, s->key);
    unit[0] = '\0';
    bool is_good = n > 0 && strchr(name, ' ') == NULL;
    if (open != NULL)
        is_good &= close != NULL && close[1] == '\0';
    if (open != NULL && is_good)
        (void)snprintf(unit, TEXT_NAME, "%.*s", (int)(close - open - 1), open + 1);
    if (!is_good)
        return text_complain(&p->text, s->line,
                             "%s: expected a name of one word, and its unit in brackets: "
                             "goodput [Mbit/s]",
                             s->key);
    return 0;
}

static int add_column(struct plan *p, const struct text_set *s)
{
    char op = '+', part[TEXT_VALUE];
    if (p->n_column == PLAN_COLUMNS)
        return text_complain(&p->text, s->line, "more than %d columns", PLAN_COLUMNS);
    struct plan_column *c = &p->column[p->n_column];
    *c = (struct plan_column){.line = s->line};
    if (name_and_unit(p, s, c->name, c->unit) < 0)
        return -EINVAL;
    if (plan_column_named(p, c->name) >= 0)
        return text_complain(&p->text, s->line, "there is a column %s already", c->name);
    p->n_column++;
    for (const char *at = s->value; at != NULL;) {
        const char *end = next_op(at);
        (void)snprintf(part, sizeof(part), "%.*s", (int)(end - at), at);
        if (add_term(p, c, op, part) < 0)
            return -EINVAL;
        op = *end != '\0' ? end[1] : op;
        at = *end != '\0' ? end + 3 : NULL;
    }
    return 0;
}

/* Products first, then sums. */
double plan_column_value(const struct plan_column *c, const double *measure)
{
    double sum = 0, product = 0;
    for (unsigned i = 0; i < c->n; i++) {
        const struct plan_term *t = &c->term[i];
        double v = t->measure < 0 ? t->number : measure[t->measure];
        if (t->op == '*') {
            product *= v;
        } else if (t->op == '/') {
            product = v != 0 ? product / v : NAN;
        } else {
            sum += product;
            product = t->op == '-' ? -v : v;
        }
    }
    return sum + product;
}

/* ---- plots ---- */

static int plot_curves(struct plan *p, struct plan_plot *g, const struct text_set *s)
{
    const char *list = s->value;
    char one[MEASURE_TEXT];
    while (text_next(&list, ',', one, sizeof(one))) {
        if (g->n_curve == PLAN_CURVES)
            return text_complain(&p->text, s->line, "more than %d curves", PLAN_CURVES);
        int i = g->form == PLAN_TIME ? measure_for(p, s->line, one) : plan_column_named(p, one);
        if (i < 0)
            return text_complain(&p->text, s->line, "%.60s: expected the name of a column", one);
        if (g->form == PLAN_TIME)
            p->is_series[i] = true;
        text_copy(g->curve_name[g->n_curve], TEXT_NAME, one);
        g->curve[g->n_curve++] = i;
    }
    return 0;
}

static int plot_axis(struct plan *p, const struct text_set *s, int *axis)
{
    *axis = plan_axis_named(p, s->value);
    if (*axis >= 0)
        return 0;
    char all[160] = "none";
    size_t n = 0;
    for (unsigned i = 0; i < p->n_axis && n < sizeof(all) - TEXT_NAME; i++)
        n +=
            (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i == 0 ? "" : ", ", p->axis[i].name);
    return text_complain(&p->text, s->line, "%s = %.40s: expected what is swept: %s", s->key,
                         s->value, all);
}

/* "250000 BDP" */
static int plot_rule(struct plan *p, struct plan_plot *g, const struct text_set *s)
{
    char *end;
    g->rule_at = strtod(s->value, &end);
    if (end == s->value || *end != ' ')
        return text_complain(&p->text, s->line,
                             "rule = %.40s: expected a place on the x axis and a text", s->value);
    text_copy(g->rule_text, sizeof(g->rule_text), end + 1);
    return 0;
}

static int plot_log(struct plan *p, struct plan_plot *g, const struct text_set *s)
{
    g->is_log_x = strchr(s->value, 'x') != NULL;
    g->is_log_y = strchr(s->value, 'y') != NULL;
    if (strspn(s->value, "xy") != strlen(s->value))
        return text_complain(&p->text, s->line, "log = %.20s: expected x, y or xy", s->value);
    return 0;
}

static int plot_key(struct plan *p, struct plan_plot *g, const struct text_set *s)
{
    int axis;
    if (strcmp(s->key, "title") == 0)
        text_copy(g->title, sizeof(g->title), s->value);
    else if (strcmp(s->key, "x-label") == 0)
        text_copy(g->x_label, sizeof(g->x_label), s->value);
    else if (strcmp(s->key, "y-label") == 0)
        text_copy(g->y_label, sizeof(g->y_label), s->value);
    else if (strcmp(s->key, "y-unit") == 0)
        text_copy(g->y_unit, sizeof(g->y_unit), s->value);
    else if (strcmp(s->key, "y") == 0)
        return plot_curves(p, g, s);
    else if (strcmp(s->key, "where") == 0)
        return claim_where(p, s->line, s->value, &g->where);
    else if (strcmp(s->key, "rule") == 0)
        return plot_rule(p, g, s);
    else if (strcmp(s->key, "log") == 0)
        return plot_log(p, g, s);
    else if (strcmp(s->key, "by") == 0)
        return plot_axis(p, s, &g->by);
    else if (strcmp(s->key, "x") == 0 && strcmp(s->value, "time") != 0) {
        if (plot_axis(p, s, &axis) < 0)
            return -EINVAL;
        g->x = (unsigned)axis;
    } else if (strcmp(s->key, "mark") == 0) {
        g->is_bars = strcmp(s->value, "bars") == 0;
        g->is_steps = strcmp(s->value, "steps") == 0;
        if (!g->is_bars && !g->is_steps && strcmp(s->value, "lines") != 0)
            return text_complain(&p->text, s->line, "mark = %.20s: expected lines, steps or bars",
                                 s->value);
    } else if (strcmp(s->key, "x") != 0) {
        return text_complain(
            &p->text, s->line,
            "[%s] has no key %s: expected one of title, x, y, by, where, log, mark, "
            "rule, x-label, y-label, y-unit",
            s->section, s->key);
    }
    return 0;
}

static int add_plot(struct plan *p, const struct text_section *sec, const char *name)
{
    bool has_x = false, has_y = false;
    if (p->n_plot == PLAN_PLOTS)
        return text_complain(&p->text, sec->line, "more than %d plots", PLAN_PLOTS);
    if (name[0] == '\0' || strpbrk(name, " /") != NULL)
        return text_complain(&p->text, sec->line, "[plot]: expected a name of one word");
    struct plan_plot *g = &p->plot[p->n_plot++];
    *g = (struct plan_plot){.line = sec->line, .by = -1};
    text_copy(g->name, sizeof(g->name), name);
    text_copy(g->title, sizeof(g->title), name);
    for (unsigned i = 0; i < p->text.n_set; i++) {
        const struct text_set *s = &p->text.set[i];
        if (strcmp(s->section, sec->name) != 0)
            continue;
        has_y |= strcmp(s->key, "y") == 0;
        if (strcmp(s->key, "x") == 0) {
            has_x = true;
            g->form = strcmp(s->value, "time") == 0 ? PLAN_TIME : PLAN_SWEPT;
            if (has_y)
                return text_complain(&p->text, s->line, "[%s]: x has to come before y", sec->name);
        }
        if (plot_key(p, g, s) < 0)
            return -EINVAL;
    }
    if (!has_x || !has_y)
        return text_complain(&p->text, sec->line, "[%s]: expected x and y", sec->name);
    return 0;
}

/* ---- claims ---- */

static int add_claim(struct plan *p, const struct text_section *sec, const char *name)
{
    const char *text = name;
    unsigned n = 0;
    for (unsigned i = 0; i < p->text.n_set; i++)
        if (strcmp(p->text.set[i].section, sec->name) == 0 &&
            strcmp(p->text.set[i].key, "text") == 0)
            text = p->text.set[i].value;
    for (unsigned i = 0; i < p->text.n_set; i++) {
        const struct text_set *s = &p->text.set[i];
        if (strcmp(s->section, sec->name) != 0 || strcmp(s->key, "text") == 0)
            continue;
        if (strcmp(s->key, "holds") != 0)
            return text_complain(&p->text, s->line, "[%s] has no key %s: expected text or holds",
                                 sec->name, s->key);
        if (p->n_claim == PLAN_CLAIMS)
            return text_complain(&p->text, s->line, "more than %d claims", PLAN_CLAIMS);
        struct plan_claim *c = &p->claim[p->n_claim++];
        *c = (struct plan_claim){.line = s->line};
        text_copy(c->name, sizeof(c->name), name);
        text_copy(c->text, sizeof(c->text), text);
        text_copy(c->holds, sizeof(c->holds), s->value);
        if (claim_parse(p, c) < 0)
            return -EINVAL;
        n++;
    }
    return n != 0 ? 0 : text_complain(&p->text, sec->line, "[%s]: expected holds", sec->name);
}

/* ---- the whole ---- */

static int read_axes(struct plan *p)
{
    const char *rest;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < p->text.n_set; i++)
        if (strcmp(p->text.set[i].section, "sweep") == 0)
            r = add_axis(p, &p->text.set[i]);
    for (unsigned i = 0; r == 0 && i < p->text.n_section; i++)
        if (text_is_kind(p->text.section[i].name, "case", &rest))
            r = add_case(p, &p->text.section[i], rest);
    uint64_t n = 1;
    for (unsigned i = 0; i < p->n_axis; i++)
        n *= p->axis[i].n;
    if (r == 0 && n > PLAN_RUNS)
        return text_complain(&p->text, p->axis[0].line, "%llu points are more than %d",
                             (unsigned long long)n, PLAN_RUNS);
    p->n_point = (unsigned)n;
    return r;
}

static int read_shown(struct plan *p)
{
    const char *rest;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < p->text.n_set; i++)
        if (strcmp(p->text.set[i].section, "table") == 0)
            r = add_column(p, &p->text.set[i]);
    if (r == 0 && p->n_column == 0)
        r = text_complain(&p->text, 0, "expected a [table]: nothing is measured");
    for (unsigned i = 0; r == 0 && i < p->text.n_section; i++)
        if (text_is_kind(p->text.section[i].name, "plot", &rest))
            r = add_plot(p, &p->text.section[i], rest);
    for (unsigned i = 0; r == 0 && i < p->text.n_section; i++)
        if (text_is_kind(p->text.section[i].name, "claim", &rest))
            r = add_claim(p, &p->text.section[i], rest);
    return r;
}

static int check_sections(struct plan *p)
{
    static const char *const own[] = {"sweep", "case", "table", "plot", "claim"};
    const char *rest;
    for (unsigned i = 0; i < p->text.n_section; i++) {
        bool is_known = setup_has_section(p->text.section[i].name);
        for (unsigned k = 0; k < WEIR_COUNT(own); k++)
            is_known |= text_is_kind(p->text.section[i].name, own[k], &rest);
        if (!is_known)
            return text_complain(&p->text, p->text.section[i].line,
                                 "[%s]: expected experiment, hosts, host, qdisc, nic, cable, link, "
                                 "way, flow, sweep, case, table, plot or claim",
                                 p->text.section[i].name);
    }
    return 0;
}

static void name_plan(struct plan *p, const char *file)
{
    const char *slash = strrchr(file, '/');
    text_copy(p->name, sizeof(p->name), slash != NULL ? slash + 1 : file);
    size_t n = strlen(p->name);
    if (n > 4 && strcmp(p->name + n - 4, ".ini") == 0)
        p->name[n - 4] = '\0';
}

int plan_read(struct plan *p, const char *file)
{
    memset(p, 0, sizeof(*p));
    name_plan(p, file);
    int r = text_read(&p->text, file);
    if (r == 0)
        r = check_sections(p);
    if (r == 0)
        r = read_axes(p);
    struct setup *one = r == 0 ? calloc(1, sizeof(*one)) : NULL;
    if (r == 0 && one == NULL)
        return -ENOMEM;
    for (unsigned i = 0; r == 0 && i < p->n_point; i++) {
        r = plan_setup(p, i, one);
        if (r == 0 && i == 0)
            p->setup = *one;
    }
    free(one);
    if (r == 0)
        r = read_shown(p);
    p->n_run = p->n_point * (unsigned)p->setup.repeat;
    if (r == 0 && p->n_run > PLAN_RUNS)
        r = text_complain(&p->text, 0, "%u runs are more than %d", p->n_run, PLAN_RUNS);
    return r;
}
