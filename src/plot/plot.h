/* SPDX-License-Identifier: Apache-2.0
 *
 * Pictures of numbers: one diagram with two axes, written as SVG.
 *
 *     struct plot_series s = {.name = "cwnd", .mark = PLOT_STEP, .n = n, .x = t, .y = cwnd};
 *     struct plot p = {.title = "…", .x = {.label = "time", .unit = "s"},
 *                      .y = {.label = "window", .unit = "segments"}, .series = &s, .n_series = 1};
 *     if (plot_check(&p) == NULL)
 *         plot_svg(file, &p, true);
 *
 * The caller says what is to be seen; ticks at round numbers, ranges, colours, the legend and the
 * layout are decided here. The picture needs nothing from outside (no script, font or style sheet),
 * follows the reader's choice of a light or a dark page, and can stand alone or inside HTML. The
 * same numbers give the same bytes.
 */
#ifndef WEIR_PLOT_H
#define WEIR_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
    PLOT_SERIES_MAX = 12, /* more cannot be told apart */
    PLOT_RULES_MAX = 8,
    PLOT_NAMES_MAX = 64,
    PLOT_TICKS_MAX = 16,
    PLOT_NUMBER = 24, /* bytes of a number as text */
};

enum plot_mark {
    PLOT_LINE,        /* straight from point to point */
    PLOT_LINE_POINTS, /* … with the points shown: for few of them */
    PLOT_STEP,        /* a value holds until the next one */
    PLOT_POINTS,
    PLOT_BARS, /* only over PLOT_NAMES */
};

enum plot_scale {
    PLOT_LINEAR,
    PLOT_LOG2,  /* ticks at powers of two; values are > 0 */
    PLOT_LOG10, /* ticks at powers of ten, or 1, 2, 5 of each; values are > 0 */
    PLOT_NAMES, /* of x only: places 0, 1, 2 … with a name each */
};

/* All pointers below stay the caller's and are only read; texts are UTF-8 and need no escaping. */

struct plot_series {
    const char *name; /* for the legend, which is drawn from two series on */
    enum plot_mark mark;
    size_t n;
    const double *x;          /* lines and steps: not falling */
    const double *y;          /* NAN: a gap */
    const double *low, *high; /* whiskers from low[i] to high[i]; both or neither may be NULL */
    unsigned colour; /* from 1: the same for the same thing in several pictures; 0: by its place */
};

struct plot_axis {
    const char *label;
    const char *unit; /* shown behind the label; NULL or "": none */
    enum plot_scale scale;
    bool is_fixed;   /* from min to max; otherwise what the series need, and 0 if it is near */
    double min, max; /* max > min */
    bool has_zero;   /* not fixed, PLOT_LINEAR: 0 is there however far it is */
    const char *const *names; /* PLOT_NAMES */
    size_t n_names;
};

/* A line across the picture with a text: "BDP" at x = 250000. */
struct plot_rule {
    double at;
    bool is_across; /* false: upright, at x; true: level, at y */
    const char *text;
};

struct plot {
    const char *title;
    struct plot_axis x, y; /* y is never PLOT_NAMES */
    const struct plot_series *series;
    size_t n_series;
    const struct plot_rule *rule;
    size_t n_rules;
    unsigned width, height; /* in pixels; 0: 720 × 400 */
};

/* NULL: it can be drawn. Otherwise a sentence that says why not: no series or too many, a log scale
 * with a value that is not positive, bars over a scale of numbers, a range that is none, infinite
 * values. */
const char *plot_check(const struct plot *);
/* Draws what plot_check has nothing against (asserted). is_alone: a file of its own; otherwise an
 * element for the inside of an HTML page. Errors are the stream's: ferror(). Cost: O(points), and a
 * line of more points than pixels is drawn with two points a pixel. */
void plot_svg(FILE *, const struct plot *, bool is_alone);

/* ---- parts that others may need ---- */

/* At most PLOT_TICKS_MAX round numbers (1, 2 or 5 times a power of ten, or powers of the scale's
 * base) from min to max, about `want` of them. How many; *step is their distance (linear). */
unsigned plot_ticks(enum plot_scale, double min, double max, unsigned want, double *out,
                    double *step);
/* A number for people: as many decimals as `step` needs (0: four digits that count), k, M and G
 * from ten thousand on. Returns `out`. */
const char *plot_number(char out[PLOT_NUMBER], double value, double step);
/* Text with & < > " as XML wants them; bytes that XML forbids become '?'. */
void plot_escape(FILE *, const char *text);

#endif
