/* SPDX-License-Identifier: Apache-2.0
 *
 * Claims: relations between columns that an experiment has to show, as text and as a verdict.
 *
 *   drops = 0 where rx-ring >= 256
 *   goodput where case = bbr > 2 * goodput where case = reno
 *   latency rises along rx-usecs
 *   goodput level along sndbuf within 5% where sndbuf >= 512kb
 *
 * A condition at the end is one for both sides, unless the left side has its own.
 * A comparison holds if it does for every value on the left against every value on the right. What
 * falls never rises along the axis (in the order of the file) and is less at the end than at the
 * beginning, at every choice of the other axes.
 *
 * Owns nothing. Called by plan.c, which read the rest of the file, and by the report.
 */
#include "exper/plan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const ops[] = {"<=", ">=", "!=", "<", ">", "="};

static bool compare(double a, const char *op, double b)
{
    if (isnan(a) || isnan(b))
        return false;
    switch (op[0]) {
    case '<': return op[1] == '=' ? a <= b : a < b;
    case '>': return op[1] == '=' ? a >= b : a > b;
    case '!': return a != b;
    default: return a == b;
    }
}

/* ---- conditions ---- */

bool plan_is_where(const struct plan *p, const struct plan_where *w, unsigned point)
{
    for (unsigned i = 0; i < w->n; i++) {
        const struct plan_cond *c = &w->cond[i];
        const struct plan_axis *a = &p->axis[c->axis];
        unsigned v = plan_value_at(p, point, c->axis);
        bool is = a->is_number ? compare(a->number[v], c->op, a->number[c->value])
                               : compare(v, c->op, c->value);
        if (!is)
            return false;
    }
    return true;
}

/* "rx-ring >= 64" */
static int one_cond(struct plan *p, unsigned line, const char *text, struct plan_cond *c)
{
    char name[TEXT_NAME], op[TEXT_NAME], value[PLAN_LABEL + 1];
    const char *rest = text;
    bool is_op = false;
    if (!text_next(&rest, ' ', name, sizeof(name)) || !text_next(&rest, ' ', op, sizeof(op)) ||
        rest == NULL)
        return text_complain(&p->text, line, "%.60s: expected a condition such as rx-ring >= 64",
                             text);
    text_copy(value, sizeof(value), rest);
    int axis = plan_axis_named(p, name);
    if (axis < 0)
        return text_complain(&p->text, line, "%.40s is not swept: expected a condition on what is",
                             name);
    c->axis = (unsigned)axis;
    for (unsigned i = 0; i < WEIR_COUNT(ops); i++)
        is_op |= strcmp(ops[i], op) == 0;
    if (!is_op)
        return text_complain(&p->text, line, "%.20s: expected =, !=, <, <=, > or >=", op);
    text_copy(c->op, sizeof(c->op), op);
    for (c->value = 0; c->value < p->axis[axis].n; c->value++)
        if (strcmp(p->axis[axis].value[c->value], value) == 0)
            return 0;
    return text_complain(&p->text, line, "%s is never %s: expected one of its values", name, value);
}

int claim_where(struct plan *p, unsigned line, const char *words, struct plan_where *out)
{
    char one[TEXT_VALUE];
    while (text_next(&words, ',', one, sizeof(one))) {
        if (out->n == PLAN_CONDS)
            return text_complain(&p->text, line, "more than %d conditions", PLAN_CONDS);
        if (one_cond(p, line, one, &out->cond[out->n++]) < 0)
            return -EINVAL;
    }
    return 0;
}

/* ---- reading ---- */

/* "2 * goodput where case = reno", "0" or "goodput". */
static int read_side(struct plan *p, unsigned line, const char *text, struct plan_side *s)
{
    char head[TEXT_VALUE], *end;
    const char *where = strstr(text, " where ");
    *s = (struct plan_side){.factor = 1, .column = -1};
    (void)snprintf(head, sizeof(head), "%.*s",
                   (int)(where != NULL ? where - text : (int)strlen(text)), text);
    const char *column = head;
    double factor = strtod(head, &end);
    if (end != head) {
        s->factor = factor;
        if (*end == '\0')
            return where != NULL ? claim_where(p, line, where + 7, &s->where) : 0;
        column = end + strspn(end, " ");
        if (*column++ != '*')
            return text_complain(&p->text, line, "%.60s: expected a number, or NUMBER * COLUMN",
                                 head);
        column += strspn(column, " ");
    }
    s->column = plan_column_named(p, column);
    if (s->column < 0)
        return text_complain(&p->text, line, "%.60s: expected the name of a column", column);
    return where != NULL ? claim_where(p, line, where + 7, &s->where) : 0;
}

/* "latency rises along rx-usecs where …" */
static int read_trend(struct plan *p, struct plan_claim *c, const char *verb)
{
    char head[TEXT_NAME], axis[TEXT_VALUE];
    const char *at = verb + strlen(" falls along ");
    (void)snprintf(head, sizeof(head), "%.*s", (int)w_u32_min((uint32_t)(verb - c->holds), 47),
                   c->holds);
    if (read_side(p, c->line, head, &c->left) < 0)
        return -EINVAL;
    const char *where = strstr(at, " where "), *within = strstr(at, " within ");
    size_t n = strcspn(at, " ");
    (void)snprintf(axis, sizeof(axis), "%.*s", (int)n, at);
    int i = plan_axis_named(p, axis);
    if (i < 0)
        return text_complain(&p->text, c->line, "along %.40s: expected what is swept", axis);
    c->along = (unsigned)i;
    if (c->relation == PLAN_LEVEL) {
        char *end;
        c->within = within != NULL ? strtod(within + 8, &end) / 100 : 0;
        if (within == NULL || *end != '%' || !(c->within >= 0))
            return text_complain(&p->text, c->line, "level: expected within and a percentage");
    }
    return where != NULL ? claim_where(p, c->line, where + 7, &c->left.where) : 0;
}

/* The comparison's operator: the first one that is not in a condition. */
static const char *find_op(const char *text, char op[3])
{
    bool is_where = false;
    for (const char *at = strchr(text, ' '); at != NULL; at = strchr(at + 1, ' ')) {
        size_t n = strcspn(at + 1, " ");
        bool is_op = false;
        for (unsigned i = 0; i < WEIR_COUNT(ops); i++)
            is_op |= strlen(ops[i]) == n && strncmp(at + 1, ops[i], n) == 0;
        if (n == 5 && strncmp(at + 1, "where", 5) == 0)
            is_where = true;
        if (!is_op)
            continue;
        if (!is_where) {
            (void)snprintf(op, 3, "%.*s", (int)n, at + 1);
            return at;
        }
        /* of this condition; after a comma comes another one */
        const char *value = at + 1 + n + strspn(at + 1 + n, " ");
        size_t len = strcspn(value, " ");
        is_where = len > 0 && value[len - 1] == ',';
    }
    return NULL;
}

int claim_parse(struct plan *p, struct plan_claim *c)
{
    static const struct {
        const char *words;
        enum plan_relation relation;
    } verb[] = {{" falls along ", PLAN_FALLS},
                {" rises along ", PLAN_RISES},
                {" level along ", PLAN_LEVEL}};
    for (unsigned i = 0; i < WEIR_COUNT(verb); i++) {
        const char *at = strstr(c->holds, verb[i].words);
        c->relation = verb[i].relation;
        if (at != NULL)
            return read_trend(p, c, at);
    }
    char left[TEXT_VALUE];
    const char *op = find_op(c->holds, c->op);
    c->relation = PLAN_COMPARE;
    if (op == NULL)
        return text_complain(
            &p->text, c->line,
            "%.60s: expected a relation: A < B, A = B, A falls along AXIS, A rises "
            "along AXIS or A level along AXIS within N%%",
            c->holds);
    (void)snprintf(left, sizeof(left), "%.*s", (int)(op - c->holds), c->holds);
    if (read_side(p, c->line, left, &c->left) < 0)
        return -EINVAL;
    if (read_side(p, c->line, op + 1 + strlen(c->op) + 1, &c->right) < 0)
        return -EINVAL;
    if (c->left.where.n == 0)
        c->left.where = c->right.where;
    return 0;
}

/* ---- judging ---- */

struct seen {
    double least, most;
    unsigned n;
};

/* The side's value at a point; a number has one at the first. False: it has none there. */
static bool value_at(const struct plan *p, const struct plan_side *s, const double *value,
                     unsigned point, double *out)
{
    *out = s->factor;
    if (s->column < 0)
        return point == 0;
    *out *= value[point * p->n_column + (unsigned)s->column];
    return plan_is_where(p, &s->where, point);
}

static struct seen see(const struct plan *p, const struct plan_side *s, const double *value)
{
    struct seen x = {.least = INFINITY, .most = -INFINITY};
    double v;
    for (unsigned i = 0; i < p->n_point; i++) {
        if (!value_at(p, s, value, i, &v))
            continue;
        x.n++;
        x.least = fmin(x.least, v);
        x.most = fmax(x.most, v);
    }
    return x;
}

enum { SPAN = 48 };

/* "17" or "17.349 to 18.637". Returns out. */
static const char *span_text(char out[SPAN], const struct seen *x)
{
    if (x->least == x->most)
        (void)snprintf(out, SPAN, "%.5g", x->least);
    else
        (void)snprintf(out, SPAN, "%.5g to %.5g", x->least, x->most);
    return out;
}

static bool check_compare(const struct plan *p, const struct plan_claim *c, const double *value,
                          char *why, size_t room)
{
    struct seen a = see(p, &c->left, value), b = see(p, &c->right, value);
    double left, right;
    char of_a[SPAN], of_b[SPAN];
    (void)snprintf(why, room, "left %s, right %s", span_text(of_a, &a), span_text(of_b, &b));
    if (a.n == 0 || b.n == 0)
        return false;
    for (unsigned i = 0; i < p->n_point; i++)
        for (unsigned k = 0; k < p->n_point && value_at(p, &c->left, value, i, &left); k++)
            if (value_at(p, &c->right, value, k, &right) && !compare(left, c->op, right))
                return false;
    return true;
}

/* The point with another value of one axis. */
static unsigned moved(const struct plan *p, unsigned point, unsigned axis, unsigned value)
{
    unsigned stride = 1;
    for (unsigned i = p->n_axis; i-- > axis + 1;)
        stride *= p->axis[i].n;
    return point + (value - plan_value_at(p, point, axis)) * stride;
}

/* Along the axis from one point of its beginning. */
static bool check_line(const struct plan *p, const struct plan_claim *c, const double *value,
                       unsigned start, struct seen *out)
{
    double first = NAN, last = NAN;
    *out = (struct seen){.least = INFINITY, .most = -INFINITY};
    for (unsigned i = 0; i < p->axis[c->along].n; i++) {
        unsigned point = moved(p, start, c->along, i);
        double v = c->left.factor * value[point * p->n_column + (unsigned)c->left.column];
        if (!plan_is_where(p, &c->left.where, point))
            continue;
        bool is_wrong = isnan(v) || (out->n > 0 && c->relation == PLAN_FALLS && v > last) ||
                        (out->n > 0 && c->relation == PLAN_RISES && v < last);
        if (is_wrong)
            return false;
        first = out->n++ == 0 ? v : first;
        last = v;
        out->least = fmin(out->least, v);
        out->most = fmax(out->most, v);
    }
    if (out->n == 0)
        return true; /* nothing of this line is asked for */
    if (c->relation == PLAN_LEVEL)
        return out->most <= out->least * (1 + c->within);
    return c->relation == PLAN_FALLS ? last < first : last > first;
}

static void say_line(const struct plan_claim *c, const struct seen *s, char *why, size_t room)
{
    char span[SPAN];
    if (c->relation == PLAN_LEVEL || s->least == s->most)
        (void)snprintf(why, room, "%s", span_text(span, s));
    else if (c->relation == PLAN_FALLS)
        (void)snprintf(why, room, "from %.5g to %.5g", s->most, s->least);
    else
        (void)snprintf(why, room, "from %.5g to %.5g", s->least, s->most);
}

bool claim_check(const struct plan *p, const struct plan_claim *c, const double *value, char *why,
                 size_t room)
{
    bool is_held = true, has_line = false;
    if (c->relation == PLAN_COMPARE)
        return check_compare(p, c, value, why, room);
    for (unsigned i = 0; i < p->n_point; i++) {
        struct seen s;
        if (plan_value_at(p, i, c->along) != 0)
            continue;
        if (!check_line(p, c, value, i, &s))
            is_held = false;
        has_line |= s.n > 1;
        if (s.n != 0)
            say_line(c, &s, why, room);
    }
    return is_held && has_line;
}
