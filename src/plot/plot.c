/* SPDX-License-Identifier: Apache-2.0
 *
 * A diagram as SVG: ranges, layout, axes, legend, series.
 *
 * Decides: the frame's margins from the length of what stands in them, eight colours that people
 * who see fewer of them can still tell apart, and a shape for the points of each series besides.
 * A width of text is estimated, as no font is known here: EM of its size a character.
 *
 *   data ──range──► [min, max] ──map_x, map_y──► pixels ──► path, circle, rect
 *
 * A long line is thinned: of all points in half a pixel the first, the lowest, the highest and the
 * last are drawn, so no peak is lost.
 *
 * Colours are classes, and the style has them twice, for light pages and for dark ones. Inside HTML
 * several pictures repeat the same style, which does no harm.
 *
 * Owns nothing beyond the call. Called by reports; calls ticks.c.
 */
#include "plot/plot.h"

#include "base/base.h"

#include <math.h>

#define EM        0.56 /* of the font's size: how wide a character is, about */
#define CELL      0.5  /* pixels of a thinned line's column */
#define BAR_SHARE 0.8  /* of a place: the rest is air */

enum {
    WIDTH = 720,
    HEIGHT = 400,
    FONT = 12,
    ROW = 18, /* of the legend */
    N_COLOURS = 8,
    N_SHAPES = 4,
    TICK_GAP_X = 60, /* pixels between ticks, about */
    TICK_GAP_Y = 45,
};

struct frame {
    const struct plot *p;
    double left, right, top, bottom; /* of the area with the series, pixels */
    double x_min, x_max, y_min, y_max;
    double x_tick[PLOT_TICKS_MAX], y_tick[PLOT_TICKS_MAX];
    double x_step, y_step;
    unsigned n_x, n_y, n_bars;
};

static const char style[] =
    "<style>"
    ".wp{font:12px system-ui,sans-serif;fill:#24292f}.wp .bg{fill:#fff}"
    ".wp .tt{font-size:14px;font-weight:600}.wp .ax{stroke:#57606a;fill:none}"
    ".wp .gr{stroke:#d8dee4;fill:none}.wp .ru{stroke:#57606a;stroke-dasharray:5 4;fill:none}"
    ".wp .rt{fill:#57606a;stroke:#fff;stroke-width:3;paint-order:stroke}"
    ".wp .ln{fill:none;stroke-width:1.8;stroke-linejoin:round}"
    ".wp .wh{stroke:#24292f;fill:none}"
    ".wp .s0{stroke:#0067b1}.wp .f0{fill:#0067b1}.wp .s1{stroke:#d1580a}.wp .f1{fill:#d1580a}"
    ".wp .s2{stroke:#00856a}.wp .f2{fill:#00856a}.wp .s3{stroke:#a8427f}.wp .f3{fill:#a8427f}"
    ".wp .s4{stroke:#b58900}.wp .f4{fill:#b58900}.wp .s5{stroke:#3aa0d8}.wp .f5{fill:#3aa0d8}"
    ".wp .s6{stroke:#6e5494}.wp .f6{fill:#6e5494}.wp .s7{stroke:#636c76}.wp .f7{fill:#636c76}"
    "@media(prefers-color-scheme:dark){"
    ".wp{fill:#e6edf3}.wp .wh{stroke:#e6edf3}.wp .bg{fill:#161b22}.wp .ax{stroke:#9198a1}"
    ".wp .gr{stroke:#30363d}"
    ".wp .ru{stroke:#9198a1}.wp .rt{fill:#9198a1;stroke:#161b22}"
    ".wp .s0{stroke:#58a6ff}.wp .f0{fill:#58a6ff}.wp .s1{stroke:#ff9b50}.wp .f1{fill:#ff9b50}"
    ".wp .s2{stroke:#3fd0a8}.wp .f2{fill:#3fd0a8}.wp .s3{stroke:#f08cc8}.wp .f3{fill:#f08cc8}"
    ".wp .s4{stroke:#e8c33c}.wp .f4{fill:#e8c33c}.wp .s5{stroke:#9bd8ff}.wp .f5{fill:#9bd8ff}"
    ".wp .s6{stroke:#bc9cf0}.wp .f6{fill:#bc9cf0}.wp .s7{stroke:#9aa4ae}.wp .f7{fill:#9aa4ae}"
    "}</style>\n";

void plot_escape(FILE *f, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        switch (c) {
        case '&': fputs("&amp;", f); break;
        case '<': fputs("&lt;", f); break;
        case '>': fputs("&gt;", f); break;
        case '"': fputs("&quot;", f); break;
        default: putc(c >= ' ' || c == '\n' || c == '\t' ? c : '?', f);
        }
    }
}

/* ---- what can be drawn ---- */

static bool is_log(enum plot_scale s) { return s == PLOT_LOG2 || s == PLOT_LOG10; }

static const char *check_axis(const struct plot_axis *a)
{
    if (a->is_fixed && !(a->max > a->min && isfinite(a->min) && isfinite(a->max)))
        return "an axis's range is empty";
    if (a->is_fixed && is_log(a->scale) && !(a->min > 0))
        return "a logarithmic axis begins above 0";
    if (a->scale == PLOT_NAMES && (a->n_names == 0 || a->n_names > PLOT_NAMES_MAX))
        return "an axis of names has from 1 to 64 of them";
    return NULL;
}

static const char *check_points(const struct plot *p, const struct plot_series *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (!isfinite(s->x[i]) || isinf(s->y[i]))
            return "a value is infinite";
        if (is_log(p->x.scale) && !(s->x[i] > 0))
            return "a logarithmic axis has only values above 0";
        if (is_log(p->y.scale) && !isnan(s->y[i]) && !(s->y[i] > 0))
            return "a logarithmic axis has only values above 0";
    }
    return NULL;
}

const char *plot_check(const struct plot *p)
{
    const char *why = check_axis(&p->x);
    if (p->n_series == 0 || p->n_series > PLOT_SERIES_MAX)
        return "a picture has from 1 to 12 series";
    if (p->n_rules > PLOT_RULES_MAX)
        return "a picture has at most 8 rules";
    if (p->y.scale == PLOT_NAMES)
        return "only the x axis can have names";
    if (why == NULL)
        why = check_axis(&p->y);
    for (size_t i = 0; why == NULL && i < p->n_series; i++) {
        const struct plot_series *s = &p->series[i];
        if (s->mark == PLOT_BARS && (p->x.scale != PLOT_NAMES || is_log(p->y.scale)))
            return "bars stand over names, on a linear axis";
        why = check_points(p, s);
    }
    return why;
}

/* ---- ranges ---- */

static void widen(double v, double *min, double *max)
{
    if (isnan(v))
        return;
    *min = fmin(*min, v);
    *max = fmax(*max, v);
}

/* The next of 1, 2, 5, 10, … (or 1, 2, 4, …) at or beyond v, which is above 0: a logarithmic axis
 * that ended at its lowest value would hide a curve in its frame. */
static double round_out(enum plot_scale scale, double v, bool is_down)
{
    static const double step[] = {1, 2, 5, 10};
    const double base = scale == PLOT_LOG2 ? 2 : 10, slack = 1 + 1e-9;
    double power = pow(base, floor(log(v) / log(base) + 1e-9)), below = power;
    for (unsigned i = 0; i < sizeof(step) / sizeof(step[0]) && step[i] <= base; i++) {
        if (power * step[i] >= v / slack)
            return is_down && power * step[i] > v * slack ? below : power * step[i];
        below = power * step[i];
    }
    return is_down ? below : power * base;
}

/* A range that has an extent, and 0 in it if it is near. */
static void settle(const struct plot_axis *a, bool wants_zero, double *min, double *max)
{
    if (a->is_fixed) {
        *min = a->min;
        *max = a->max;
        return;
    }
    if (*min > *max)
        *min = is_log(a->scale) ? 1 : 0, *max = is_log(a->scale) ? 10 : 1;
    if (is_log(a->scale)) {
        *max = *max > *min ? *max : *min * 2;
        return;
    }
    if (*min > 0 && (wants_zero || *min < 0.6 * *max))
        *min = 0;
    if (*max < 0 && wants_zero)
        *max = 0;
    if (!(*max > *min)) {
        double half = *max == 0 ? 0.5 : fabs(*max) / 2;
        *max += half;
        *min = *min > 0 ? 0 : *min - (*min == 0 ? 0 : half);
    }
}

static void find_ranges(struct frame *f)
{
    const struct plot *p = f->p;
    bool has_bars = false;
    f->x_min = f->y_min = INFINITY;
    f->x_max = f->y_max = -INFINITY;
    for (size_t i = 0; i < p->n_series; i++) {
        const struct plot_series *s = &p->series[i];
        has_bars |= s->mark == PLOT_BARS;
        f->n_bars += s->mark == PLOT_BARS;
        for (size_t k = 0; k < s->n; k++) {
            widen(s->x[k], &f->x_min, &f->x_max);
            widen(s->y[k], &f->y_min, &f->y_max);
            if (s->low != NULL && s->high != NULL && !isnan(s->y[k])) {
                widen(s->low[k], &f->y_min, &f->y_max);
                widen(s->high[k], &f->y_min, &f->y_max);
            }
        }
    }
    for (size_t i = 0; i < p->n_rules; i++)
        if (p->rule[i].is_across)
            widen(p->rule[i].at, &f->y_min, &f->y_max);
    settle(&p->y, has_bars || p->y.has_zero, &f->y_min, &f->y_max);
    settle(&p->x, p->x.has_zero, &f->x_min, &f->x_max);
    if (is_log(p->y.scale) && !p->y.is_fixed) {
        f->y_min = round_out(p->y.scale, f->y_min, true);
        f->y_max = round_out(p->y.scale, f->y_max, false);
    }
    if (p->x.scale == PLOT_NAMES) {
        f->x_min = -0.5;
        f->x_max = (double)p->x.n_names - 0.5;
    }
}

/* The y axis ends at a tick, with air above the highest value. */
static void end_at_tick(struct frame *f)
{
    const struct plot_axis *a = &f->p->y;
    if (a->is_fixed || a->scale != PLOT_LINEAR || f->n_y == 0)
        return;
    double top = ceil(f->y_max / f->y_step - 1e-9) * f->y_step;
    f->y_max = top - f->y_max < 0.02 * (top - f->y_min) ? top + f->y_step / 2 : top;
    f->y_min = floor(f->y_min / f->y_step + 1e-9) * f->y_step;
}

/* ---- from values to pixels ---- */

static double part_of(enum plot_scale scale, double v, double min, double max)
{
    if (is_log(scale))
        return (log(v) - log(min)) / (log(max) - log(min));
    return (v - min) / (max - min);
}

static double map_x(const struct frame *f, double x)
{
    return f->left + part_of(f->p->x.scale, x, f->x_min, f->x_max) * (f->right - f->left);
}

static double map_y(const struct frame *f, double y)
{
    return f->bottom - part_of(f->p->y.scale, y, f->y_min, f->y_max) * (f->bottom - f->top);
}

/* ---- text ---- */

static size_t n_chars(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static double text_width(const char *text) { return (double)n_chars(text) * FONT * EM; }

static void put_text(FILE *f, double x, double y, const char *how, const char *text)
{
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, how);
    plot_escape(f, text);
    fputs("</text>\n", f);
}

static void put_label(FILE *f, const struct plot_axis *a)
{
    plot_escape(f, a->label != NULL ? a->label : "");
    if (a->unit == NULL || a->unit[0] == '\0')
        return;
    fputs(" (", f);
    plot_escape(f, a->unit);
    fputs(")", f);
}

/* ---- the frame ---- */

static double legend_item(const struct plot_series *s) { return 30 + text_width(s->name) + 14; }

/* Rows that the legend takes; drawn too if f is not NULL. */
static unsigned legend(FILE *f, const struct frame *fr, double y);

static void lay_out(struct frame *f)
{
    const struct plot *p = f->p;
    double width = p->width != 0 ? p->width : WIDTH, height = p->height != 0 ? p->height : HEIGHT;
    char text[PLOT_NUMBER];
    double widest = 0;
    f->right = width - 28;
    f->left = 60;
    f->top = 40;
    f->bottom = height - 52;
    find_ranges(f);
    f->n_y = plot_ticks(p->y.scale, f->y_min, f->y_max,
                        (unsigned)((f->bottom - f->top) / TICK_GAP_Y), f->y_tick, &f->y_step);
    end_at_tick(f);
    f->n_y = plot_ticks(p->y.scale, f->y_min, f->y_max,
                        (unsigned)((f->bottom - f->top) / TICK_GAP_Y) + 1, f->y_tick, &f->y_step);
    for (unsigned i = 0; i < f->n_y; i++)
        widest = fmax(widest, text_width(plot_number(text, f->y_tick[i], f->y_step)));
    f->left = 34 + widest;
    f->top += p->n_series > 1 ? (double)legend(NULL, f, 0) * ROW : 0;
    if (p->x.scale != PLOT_NAMES)
        f->n_x = plot_ticks(p->x.scale, f->x_min, f->x_max,
                            (unsigned)((f->right - f->left) / TICK_GAP_X), f->x_tick, &f->x_step);
}

/* A power of two as people write it: 64Ki. */
static const char *binary_number(char out[PLOT_NUMBER], double v)
{
    static const char *const suffix[] = {"", "Ki", "Mi", "Gi", "Ti"};
    unsigned i = 0;
    for (; i + 1 < WEIR_COUNT(suffix) && v >= 10000; i++)
        v /= 1024;
    (void)snprintf(out, PLOT_NUMBER, "%.4g%s", v, suffix[i]);
    return out;
}

static void draw_x_axis(FILE *f, const struct frame *fr)
{
    const struct plot_axis *a = &fr->p->x;
    char text[PLOT_NUMBER];
    for (unsigned i = 0; i < fr->n_x; i++) {
        double x = map_x(fr, fr->x_tick[i]);
        fprintf(f, "<path class=\"gr\" d=\"M%.1f %.1fV%.1f\"/>\n", x, fr->top, fr->bottom);
        put_text(f, x, fr->bottom + 17, " text-anchor=\"middle\"",
                 a->scale == PLOT_LOG2 ? binary_number(text, fr->x_tick[i])
                                       : plot_number(text, fr->x_tick[i], fr->x_step));
    }
    for (size_t i = 0; a->scale == PLOT_NAMES && i < a->n_names; i++)
        put_text(f, map_x(fr, (double)i), fr->bottom + 17, " text-anchor=\"middle\"", a->names[i]);
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", (fr->left + fr->right) / 2,
            fr->bottom + 39);
    put_label(f, a);
    fputs("</text>\n", f);
}

static void draw_y_axis(FILE *f, const struct frame *fr)
{
    char text[PLOT_NUMBER];
    for (unsigned i = 0; i < fr->n_y; i++) {
        double y = map_y(fr, fr->y_tick[i]);
        fprintf(f, "<path class=\"gr\" d=\"M%.1f %.1fH%.1f\"/>\n", fr->left, y, fr->right);
        put_text(f, fr->left - 6, y + 4, " text-anchor=\"end\"",
                 plot_number(text, fr->y_tick[i], fr->y_step));
    }
    double middle = (fr->top + fr->bottom) / 2;
    fprintf(f, "<text transform=\"translate(15 %.1f) rotate(-90)\" text-anchor=\"middle\">",
            middle);
    put_label(f, &fr->p->y);
    fputs("</text>\n", f);
    fprintf(f, "<path class=\"ax\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", fr->left, fr->top, fr->bottom,
            fr->right);
}

static void draw_rules(FILE *f, const struct frame *fr)
{
    for (size_t i = 0; i < fr->p->n_rules; i++) {
        const struct plot_rule *r = &fr->p->rule[i];
        bool is_out = r->is_across ? r->at < fr->y_min || r->at > fr->y_max
                                   : r->at < fr->x_min || r->at > fr->x_max;
        if (is_out)
            continue;
        if (r->is_across) {
            double y = map_y(fr, r->at);
            fprintf(f, "<path class=\"ru\" d=\"M%.1f %.1fH%.1f\"/>\n", fr->left, y, fr->right);
            put_text(f, fr->right - 4, y - 5, " class=\"rt\" text-anchor=\"end\"", r->text);
        } else {
            double x = map_x(fr, r->at);
            bool is_right = x + text_width(r->text) + 8 > fr->right;
            fprintf(f, "<path class=\"ru\" d=\"M%.1f %.1fV%.1f\"/>\n", x, fr->top, fr->bottom);
            put_text(f, x + (is_right ? 3 : -3), fr->top - 4,
                     is_right ? " class=\"rt\" text-anchor=\"end\"" : " class=\"rt\"", r->text);
        }
    }
}

/* ---- points ---- */

/* Which of the colours and shapes a series has. */
static size_t style_of(const struct frame *fr, size_t number)
{
    unsigned colour = fr->p->series[number].colour;
    return colour != 0 ? colour - 1 : number;
}

/* The four shapes around a place; `more` is attributes. */
static void put_shape(FILE *f, size_t number, double x, double y, double r)
{
    unsigned c = (unsigned)(number % N_COLOURS);
    switch (number % N_SHAPES) {
    case 0:
        fprintf(f, "<circle class=\"f%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"", c, x, y, r);
        break;
    case 1:
        fprintf(f, "<rect class=\"f%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"", c,
                x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
        break;
    case 2:
        fprintf(f, "<path class=\"f%u\" d=\"M%.1f %.1fl%.1f %.1fh%.1fz\"", c, x, y - r * 1.2,
                r * 1.15, r * 2.1, -r * 2.3);
        break;
    default:
        fprintf(f, "<path class=\"f%u\" d=\"M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz\"", c, x,
                y - r * 1.3, r * 1.3, r * 1.3, -r * 1.3, r * 1.3, -r * 1.3, -r * 1.3);
    }
}

/* What a reader sees who points at a point. */
static void put_hover(FILE *f, const struct frame *fr, const struct plot_series *s, size_t i)
{
    const struct plot_axis *x = &fr->p->x, *y = &fr->p->y;
    char text[PLOT_NUMBER];
    fputs("<title>", f);
    if (fr->p->n_series > 1) {
        plot_escape(f, s->name);
        fputs(": ", f);
    }
    if (x->scale == PLOT_NAMES)
        plot_escape(f, x->names[(size_t)s->x[i]]);
    else
        fputs(plot_number(text, s->x[i], 0), f);
    fprintf(f, " → %s", plot_number(text, s->y[i], 0));
    if (y->unit != NULL && y->unit[0] != '\0') {
        putc(' ', f);
        plot_escape(f, y->unit);
    }
    fputs("</title>", f);
}

static void draw_whisker(FILE *f, const struct frame *fr, size_t number, size_t i, double x)
{
    const struct plot_series *s = &fr->p->series[number];
    if (s->low == NULL || s->high == NULL || !(s->high[i] > s->low[i]))
        return;
    double top = map_y(fr, s->high[i]), bottom = map_y(fr, s->low[i]);
    fprintf(f, "<path class=\"wh\" d=\"M%.1f %.1fV%.1fM%.1f %.1fh6m0 %.1fh-6\"/>\n", x, top, bottom,
            x - 3, top, bottom - top);
}

static void draw_points(FILE *f, const struct frame *fr, size_t number)
{
    const struct plot_series *s = &fr->p->series[number];
    size_t of = style_of(fr, number);
    double last_x = -1, last_y = -1;
    for (size_t i = 0; i < s->n; i++) {
        if (isnan(s->y[i]))
            continue;
        double x = map_x(fr, s->x[i]), y = map_y(fr, s->y[i]);
        if (fabs(x - last_x) < CELL && fabs(y - last_y) < CELL)
            continue;
        last_x = x;
        last_y = y;
        draw_whisker(f, fr, number, i, x);
        put_shape(f, of, x, y, s->n > 200 ? 1.6 : 3.6);
        fputs(">", f);
        put_hover(f, fr, s, i);
        fputs(of % N_SHAPES == 0   ? "</circle>\n"
              : of % N_SHAPES == 1 ? "</rect>\n"
                                   : "</path>\n",
              f);
    }
}

static void draw_bars(FILE *f, const struct frame *fr, size_t number, unsigned bar)
{
    const struct plot_series *s = &fr->p->series[number];
    double place = (fr->right - fr->left) / (double)fr->p->x.n_names * BAR_SHARE;
    double width = fmin(place / fr->n_bars, 60), foot = map_y(fr, fmax(fr->y_min, 0));
    for (size_t i = 0; i < s->n; i++) {
        if (isnan(s->y[i]))
            continue;
        double x = map_x(fr, s->x[i]) + ((double)bar - fr->n_bars / 2.0) * width;
        double y = map_y(fr, s->y[i]);
        fprintf(f, "<rect class=\"f%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">",
                (unsigned)(style_of(fr, number) % N_COLOURS), x, fmin(y, foot), width - 1,
                fabs(foot - y));
        put_hover(f, fr, s, i);
        fputs("</rect>\n", f);
        draw_whisker(f, fr, number, i, x + width / 2);
    }
}

/* ---- lines ---- */

struct pen {
    FILE *f;
    bool is_down, is_step;
    double x, y; /* where it is */
};

static void pen_to(struct pen *p, double x, double y)
{
    if (!p->is_down)
        fprintf(p->f, "M%.1f %.1f", x, y);
    else if (p->is_step)
        fprintf(p->f, "H%.1fV%.1f", x, y);
    else
        fprintf(p->f, "L%.1f %.1f", x, y);
    p->is_down = true;
    p->x = x;
    p->y = y;
}

/* All points in one column: the way in, the extremes, the way out. Returns the first one beyond. */
static size_t pen_column(struct pen *p, const struct frame *fr, const struct plot_series *s,
                         size_t i)
{
    double x = map_x(fr, s->x[i]), first = map_y(fr, s->y[i]), last = first;
    double low = first, high = first;
    size_t k = i + 1;
    for (; k < s->n && !isnan(s->y[k]) && map_x(fr, s->x[k]) < x + CELL; k++) {
        last = map_y(fr, s->y[k]);
        low = fmin(low, last);
        high = fmax(high, last);
    }
    pen_to(p, x, first);
    if (low < fmin(first, last))
        pen_to(p, x, low);
    if (high > fmax(first, last))
        pen_to(p, x, high);
    if (k > i + 1)
        pen_to(p, map_x(fr, s->x[k - 1]), last);
    return k;
}

static void draw_line(FILE *f, const struct frame *fr, size_t number)
{
    const struct plot_series *s = &fr->p->series[number];
    struct pen pen = {.f = f, .is_step = s->mark == PLOT_STEP};
    bool is_long = (double)s->n > (fr->right - fr->left) / CELL;
    fprintf(f, "<path class=\"ln s%u\" d=\"", (unsigned)(style_of(fr, number) % N_COLOURS));
    for (size_t i = 0; i < s->n;) {
        if (isnan(s->y[i])) {
            pen.is_down = false;
            i++;
        } else if (is_long) {
            i = pen_column(&pen, fr, s, i);
        } else {
            pen_to(&pen, map_x(fr, s->x[i]), map_y(fr, s->y[i]));
            i++;
        }
    }
    fputs("\"><title>", f);
    plot_escape(f, s->name);
    fputs("</title></path>\n", f);
}

/* ---- the whole ---- */

static void draw_legend_item(FILE *f, const struct frame *fr, size_t i, double x, double y)
{
    const struct plot_series *s = &fr->p->series[i];
    size_t of = style_of(fr, i);
    bool has_line = s->mark == PLOT_LINE || s->mark == PLOT_STEP || s->mark == PLOT_LINE_POINTS;
    if (has_line)
        fprintf(f, "<path class=\"ln s%u\" d=\"M%.1f %.1fh24\"/>\n", (unsigned)(of % N_COLOURS), x,
                y - 4);
    if (s->mark == PLOT_BARS) {
        fprintf(f, "<rect class=\"f%u\" x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"10\"/>\n",
                (unsigned)(of % N_COLOURS), x + 8, y - 9);
    } else if (s->mark != PLOT_LINE && s->mark != PLOT_STEP) {
        put_shape(f, of, x + 12, y - 4, 3.6);
        fputs("/>\n", f);
    }
    put_text(f, x + 30, y, "", s->name);
}

static unsigned legend(FILE *f, const struct frame *fr, double y)
{
    double x = fr->left;
    unsigned rows = 1;
    for (size_t i = 0; i < fr->p->n_series; i++) {
        double w = legend_item(&fr->p->series[i]);
        if (x + w > fr->right && x > fr->left) {
            x = fr->left;
            y += ROW;
            rows++;
        }
        if (f != NULL)
            draw_legend_item(f, fr, i, x, y);
        x += w;
    }
    return rows;
}

static void draw_series(FILE *f, const struct frame *fr, size_t i, unsigned *bar)
{
    switch (fr->p->series[i].mark) {
    case PLOT_BARS: draw_bars(f, fr, i, (*bar)++); break;
    case PLOT_POINTS: draw_points(f, fr, i); break;
    case PLOT_LINE_POINTS:
        draw_line(f, fr, i);
        draw_points(f, fr, i);
        break;
    case PLOT_LINE:
    case PLOT_STEP: draw_line(f, fr, i); break;
    }
}

void plot_svg(FILE *f, const struct plot *p, bool is_alone)
{
    struct frame fr = {.p = p};
    unsigned bar = 0;
    unsigned width = p->width != 0 ? p->width : WIDTH, height = p->height != 0 ? p->height : HEIGHT;
    WEIR_ASSERT(plot_check(p) == NULL);
    lay_out(&fr);
    if (is_alone)
        fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", f);
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"wp\" width=\"%u\" height=\"%u\" "
            "viewBox=\"0 0 %u %u\" role=\"img\">\n",
            width, height, width, height);
    fputs("<title>", f);
    plot_escape(f, p->title != NULL ? p->title : "");
    fputs("</title>\n", f);
    fputs(style, f);
    fprintf(f, "<rect class=\"bg\" width=\"%u\" height=\"%u\"/>\n", width, height);
    put_text(f, fr.left, 22, " class=\"tt\"", p->title != NULL ? p->title : "");
    if (p->n_series > 1)
        (void)legend(f, &fr, 44);
    draw_x_axis(f, &fr);
    draw_y_axis(f, &fr);
    for (size_t i = 0; i < p->n_series; i++)
        draw_series(f, &fr, i, &bar);
    draw_rules(f, &fr);
    fputs("</svg>\n", f);
}
