/* SPDX-License-Identifier: Apache-2.0
 *
 * From results to pictures: which points become which curve.
 *
 * Decides: a plot over an axis has a curve for each of its columns and each value of `by`; over
 * time one for each measure and each run of the first seed that `where` lets through. Where an
 * axis's values are numbers the x axis is a scale, else it has their names.
 *
 * Owns the numbers for the call. Called by report.c and the command; calls plot/.
 */
#include "exper/report.h"

#include "plot/plot.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A picture in the making. */
struct drawing {
    const struct report *r;
    const struct plan_plot *g;
    struct plot plot;
    struct plot_series series[PLOT_SERIES_MAX];
    struct plot_rule rule;
    char name[PLOT_SERIES_MAX][3 * TEXT_NAME];
    const char *x_name[PLAN_VALUES];
    double *memory;
    size_t used, room; /* doubles */
    const char *why;   /* it cannot be drawn */
};

static double *take(struct drawing *d, size_t n)
{
    if (d->used + n > d->room) {
        d->why = "there is no memory for it";
        return NULL;
    }
    d->used += n;
    return d->memory + d->used - n;
}

static enum plot_mark mark_of(const struct plan_plot *g)
{
    if (g->is_bars)
        return PLOT_BARS;
    if (g->is_steps)
        return PLOT_STEP;
    return g->form == PLAN_TIME ? PLOT_LINE : PLOT_LINE_POINTS;
}

/* The next series, empty; NULL: there are too many. */
static struct plot_series *add_series(struct drawing *d, size_t room)
{
    if (d->plot.n_series == PLOT_SERIES_MAX) {
        d->why = "it has more than 12 curves: expected a where that leaves some out";
        return NULL;
    }
    struct plot_series *s = &d->series[d->plot.n_series];
    double *x = take(d, 4 * room);
    if (x == NULL)
        return NULL;
    s->x = x;
    s->y = x + room;
    s->low = x + 2 * room;
    s->high = x + 3 * room;
    s->mark = mark_of(d->g);
    s->name = d->name[d->plot.n_series++];
    return s;
}

static void put_point(struct plot_series *s, double x, double y, double low, double high)
{
    ((double *)s->x)[s->n] = x;
    ((double *)s->y)[s->n] = y;
    ((double *)s->low)[s->n] = low;
    ((double *)s->high)[s->n] = high;
    s->n++;
}

/* ---- over an axis ---- */

/* Points of one curve: all that `where` and the value of `by` let through. */
static void swept_curve(struct drawing *d, unsigned curve, unsigned by_value)
{
    const struct plan *p = d->r->runs->plan;
    const struct plan_axis *a = &p->axis[d->g->x];
    unsigned column = (unsigned)d->g->curve[curve];
    struct plot_series *s = add_series(d, p->n_point);
    if (s == NULL)
        return;
    char *name = (char *)s->name;
    const char *by = d->g->by >= 0 ? p->axis[d->g->by].value[by_value] : "";
    bool has_names = d->g->n_curve > 1 || d->g->by < 0;
    const char *of =
        d->g->by >= 0 && p->axis[d->g->by].section != NULL ? p->axis[d->g->by].name : "";
    (void)snprintf(name, sizeof(d->name[0]), "%s%s%s%s%s", of, of[0] != '\0' ? " " : "", by,
                   by[0] != '\0' && has_names ? ", " : "", has_names ? p->column[column].name : "");
    for (unsigned i = 0; i < p->n_point; i++) {
        unsigned v = plan_value_at(p, i, d->g->x), at = i * p->n_column + column;
        if (!plan_is_where(p, &d->g->where, i))
            continue;
        if (d->g->by >= 0 && plan_value_at(p, i, (unsigned)d->g->by) != by_value)
            continue;
        put_point(s, d->plot.x.scale == PLOT_NAMES ? v : a->number[v], d->r->mean[at],
                  d->r->least[at], d->r->most[at]);
    }
    if (s->n == 0)
        d->plot.n_series--;
}

/* Whether all values are one of them times a power of two. */
static bool is_binary(const struct plan_axis *a)
{
    for (unsigned i = 0; i < a->n; i++) {
        double power = log2(a->number[i] / a->number[0]);
        if (fabs(power - round(power)) > 1e-9)
            return false;
    }
    return true;
}

static void swept_axis(struct drawing *d)
{
    const struct plan *p = d->r->runs->plan;
    const struct plan_axis *a = &p->axis[d->g->x];
    d->plot.x.label = d->g->x_label[0] != '\0' ? d->g->x_label : a->name;
    if (a->is_number && !d->g->is_bars) {
        d->plot.x.unit = a->unit;
        d->plot.x.scale = !d->g->is_log_x ? PLOT_LINEAR : is_binary(a) ? PLOT_LOG2 : PLOT_LOG10;
        return;
    }
    for (unsigned i = 0; i < a->n; i++)
        d->x_name[i] = a->value[i];
    d->plot.x.scale = PLOT_NAMES;
    d->plot.x.names = d->x_name;
    d->plot.x.n_names = a->n;
}

static void swept(struct drawing *d)
{
    const struct plan *p = d->r->runs->plan;
    unsigned n_by = d->g->by >= 0 ? p->axis[d->g->by].n : 1;
    const struct plan_column *first = &p->column[d->g->curve[0]];
    swept_axis(d);
    d->plot.y.has_zero = true; /* what is compared is seen in its proportion */
    if (d->plot.y.label == NULL)
        d->plot.y.label = first->name;
    if (d->plot.y.unit == NULL)
        d->plot.y.unit = first->unit;
    for (unsigned c = 0; c < d->g->n_curve; c++)
        for (unsigned b = 0; b < n_by && d->why == NULL; b++)
            swept_curve(d, c, b);
}

/* ---- over time ---- */

/* "bbr, flow one.cwnd": what makes this run another than the others of the picture. */
static void time_name(const struct drawing *d, unsigned point, unsigned curve, char *out)
{
    const struct plan *p = d->r->runs->plan;
    size_t n = 0, room = sizeof(d->name[0]);
    out[0] = '\0';
    for (unsigned a = 0; a < p->n_axis && n < room; a++) {
        bool is_fixed = false;
        for (unsigned i = 0; i < d->g->where.n; i++)
            is_fixed |= d->g->where.cond[i].axis == a && d->g->where.cond[i].op[0] == '=';
        if (!is_fixed)
            n += (size_t)snprintf(out + n, room - n, "%s%s", n == 0 ? "" : ", ",
                                  p->axis[a].value[plan_value_at(p, point, a)]);
    }
    if ((d->g->n_curve > 1 || n == 0) && n < room)
        (void)snprintf(out + n, room - n, "%s%s", n == 0 ? "" : ", ", d->g->curve_name[curve]);
}

static void time_curve(struct drawing *d, unsigned point, unsigned curve)
{
    const struct plan *p = d->r->runs->plan;
    unsigned run = point * (unsigned)p->setup.repeat, measure = (unsigned)d->g->curve[curve];
    const struct run_result *x = &d->r->runs->result[run];
    struct plot_series *s = add_series(d, d->r->runs->max_look);
    if (s == NULL)
        return;
    time_name(d, point, curve, (char *)s->name);
    for (unsigned i = 0; x->state == RUN_DONE && i < x->n_look && i < d->r->runs->max_look; i++) {
        double t = (double)(p->setup.warm + (i + 1) * p->setup.sample) / 1e9;
        double v = runs_look(d->r->runs, run, measure, i);
        put_point(s, t, v, v, v);
    }
}

static void over_time(struct drawing *d)
{
    const struct plan *p = d->r->runs->plan;
    d->plot.x.label = "time";
    d->plot.x.unit = "s";
    d->plot.x.is_fixed = true;
    d->plot.x.min = (double)p->setup.warm / 1e9;
    d->plot.x.max = (double)(p->setup.warm + p->setup.took) / 1e9;
    if (d->plot.y.label == NULL)
        d->plot.y.label = d->g->curve_name[0];
    for (unsigned i = 0; i < p->n_point; i++)
        for (unsigned c = 0; c < d->g->n_curve && d->why == NULL; c++)
            if (plan_is_where(p, &d->g->where, i))
                time_curve(d, i, c);
}

/* ---- the picture ---- */

const char *exper_report_svg(FILE *f, const struct report *r, unsigned plot, bool is_alone)
{
    const struct plan *p = r->runs->plan;
    struct drawing *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return "there is no memory for it";
    d->r = r;
    d->g = &p->plot[plot];
    d->room = (size_t)4 * PLOT_SERIES_MAX * w_u32_max(p->n_point, r->runs->max_look);
    d->memory = calloc(d->room, sizeof(double));
    if (d->memory == NULL)
        d->room = 0;
    d->plot.title = d->g->title;
    d->plot.series = d->series;
    d->plot.y.label = d->g->y_label[0] != '\0' ? d->g->y_label : NULL;
    d->plot.y.unit = d->g->y_unit[0] != '\0' ? d->g->y_unit : NULL;
    d->plot.y.scale = d->g->is_log_y ? PLOT_LOG10 : PLOT_LINEAR;
    d->rule = (struct plot_rule){.at = d->g->rule_at, .text = d->g->rule_text};
    d->plot.rule = &d->rule;
    d->plot.n_rules = d->g->rule_text[0] != '\0';
    if (d->g->form == PLAN_TIME)
        over_time(d);
    else
        swept(d);
    const char *why = d->why != NULL ? d->why : plot_check(&d->plot);
    if (why == NULL)
        plot_svg(f, &d->plot, is_alone);
    free(d->memory);
    free(d);
    return why;
}
