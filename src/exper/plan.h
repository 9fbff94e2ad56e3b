/* SPDX-License-Identifier: Apache-2.0
 *
 * A scenario: its setup, what is swept, what is measured, and what of that is shown and claimed.
 *
 * A point is one choice of a value for each axis; a run is a point with a seed. Runs are numbered
 * from 0 on: seeds change fastest, then the last axis.
 */
#ifndef WEIR_EXPER_PLAN_H
#define WEIR_EXPER_PLAN_H

#include "exper/measure.h"

enum {
    PLAN_AXES = 4,
    PLAN_VALUES = 32, /* of an axis */
    PLAN_LABEL = 40,
    PLAN_COLUMNS = 20,
    PLAN_TERMS = 12,
    PLAN_MEASURES = 48,
    PLAN_PLOTS = 8,
    PLAN_CURVES = 6, /* columns of a plot */
    PLAN_CLAIMS = 16,
    PLAN_CONDS = 4,
    PLAN_RUNS = 4096,
    PLAN_OVER = 64, /* settings that a point changes */
};

struct plan_axis {
    char name[TEXT_NAME]; /* as claims and plots say it: the key, or "case" */
    const char *section;  /* NULL: of [case …] sections */
    char key[TEXT_NAME];
    unsigned line, n;
    char value[PLAN_VALUES][PLAN_LABEL]; /* as written; names of cases */
    double number[PLAN_VALUES];
    bool is_number;
    const char *unit; /* of number */
};

/* Part of a column's expression: a measure or a number, and what is done with it. */
struct plan_term {
    char op;     /* + - * / ; the first: + */
    int measure; /* -1: a number */
    double number;
};

struct plan_column {
    char name[TEXT_NAME], unit[TEXT_NAME];
    unsigned line, n;
    struct plan_term term[PLAN_TERMS];
};

/* The axis has (= is true) or has not one value, or lies above or below it. */
struct plan_cond {
    unsigned axis;
    char op[3]; /* = != < <= > >= */
    unsigned value;
};

struct plan_where {
    struct plan_cond cond[PLAN_CONDS];
    unsigned n;
};

enum plan_form { PLAN_SWEPT, PLAN_TIME };

struct plan_plot {
    char name[TEXT_NAME], title[TEXT_VALUE];
    char x_label[TEXT_NAME], y_label[TEXT_NAME],
        y_unit[TEXT_NAME]; /* "": the axis', the column's */
    unsigned line;
    uint32_t form;          /* enum plan_form */
    unsigned x;             /* swept: the axis */
    int by;                 /* a curve for each value of this axis; -1: none */
    int curve[PLAN_CURVES]; /* swept: columns; time: measures */
    char curve_name[PLAN_CURVES][TEXT_NAME];
    unsigned n_curve;
    struct plan_where where;
    bool is_log_x, is_log_y, is_bars, is_steps;
    double rule_at;
    char rule_text[TEXT_NAME]; /* "": none */
};

enum plan_relation { PLAN_COMPARE, PLAN_FALLS, PLAN_RISES, PLAN_LEVEL };

/* One side of a comparison: a number, or a number times a column where something holds. */
struct plan_side {
    double factor;
    int column; /* -1: the number alone */
    struct plan_where where;
};

struct plan_claim {
    char name[TEXT_NAME], text[TEXT_VALUE], holds[TEXT_VALUE];
    unsigned line;
    uint32_t relation; /* enum plan_relation */
    struct plan_side left, right;
    char op[3];
    unsigned along; /* falls, rises, level: the axis */
    double within;  /* level: largest over smallest - 1 */
};

struct plan {
    struct text text;
    char name[TEXT_NAME]; /* of the file, without folders and .ini */
    struct setup setup;   /* of the first point */
    struct plan_axis axis[PLAN_AXES];
    unsigned n_axis;
    struct measure measure[PLAN_MEASURES];
    bool is_series[PLAN_MEASURES]; /* its looks are kept, for a plot over time */
    unsigned n_measure;
    struct plan_column column[PLAN_COLUMNS];
    unsigned n_column;
    struct plan_plot plot[PLAN_PLOTS];
    unsigned n_plot;
    struct plan_claim claim[PLAN_CLAIMS];
    unsigned n_claim;
    unsigned n_point, n_run;
};

/* Reads a scenario and makes sure that each of its points can be set up. 0; -errno, and
 * p->text.err says what is wrong. */
WEIR_MUST_CHECK int plan_read(struct plan *, const char *file);
/* The setup of a point. Always possible after plan_read. */
int plan_setup(struct plan *, unsigned point, struct setup *out);
/* Which value an axis has at a point. */
unsigned plan_value_at(const struct plan *, unsigned point, unsigned axis);
bool plan_is_where(const struct plan *, const struct plan_where *, unsigned point);
/* A column's value from those of the measures; NAN: it has none. */
double plan_column_value(const struct plan_column *, const double *measure);

/* ---- claims (claim.c) ---- */

/* Reads p->claim[].holds. 0 or -EINVAL. */
int claim_parse(struct plan *, struct plan_claim *);
/* Whether it holds for the values of [point × columns]; `why` gets what was seen. */
bool claim_check(const struct plan *, const struct plan_claim *, const double *value, char *why,
                 size_t room);
/* Conditions between commas: "rx-ring >= 64, case = bulk". 0 or -EINVAL. */
int claim_where(struct plan *, unsigned line, const char *words, struct plan_where *out);
int plan_axis_named(const struct plan *, const char *name);
int plan_column_named(const struct plan *, const char *name);

#endif
