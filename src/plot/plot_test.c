/* SPDX-License-Identifier: Apache-2.0
 *
 * Diagrams: ticks a person can read, text that cannot break the file, and points where the values
 * say they are.
 */
#include "unit.h"

#include "plot/plot.h"

#include <math.h>
#include <stdlib.h>

/* The picture, the caller's to free. */
static char *draw(const struct plot *p, bool is_alone)
{
    enum { ROOM = 1 << 20 };
    char *text = calloc(1, ROOM);
    FILE *f = text != NULL ? fmemopen(text, ROOM, "w") : NULL;
    assert_non_null(f);
    plot_svg(f, p, is_alone);
    (void)fclose(f);
    return text;
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        n++;
    return n;
}

/* If this failed people would have to compute where a curve is. */
static void ticks_are_round(void **state)
{
    (void)state;
    static const struct {
        enum plot_scale scale;
        double min, max, first, last, step;
        unsigned want, n;
    } row[] = {
        {PLOT_LINEAR, 0, 10, 0, 10, 2, 5, 6},
        {PLOT_LINEAR, 0, 97, 0, 80, 20, 5, 5},
        {PLOT_LINEAR, 0.13, 0.87, 0.2, 0.8, 0.2, 5, 4},
        {PLOT_LINEAR, -3, 3, -2, 2, 2, 4, 3},
        {PLOT_LINEAR, 1e9, 1.0001e9, 1e9, 1.0001e9, 2e4, 5, 6},
        {PLOT_LOG2, 8, 1024, 8, 1024, 0, 10, 8},
        {PLOT_LOG2, 8, 1024, 8, 512, 0, 4, 4},
        {PLOT_LOG10, 0.5, 20000, 1, 10000, 0, 10, 5},
        {PLOT_LOG10, 2, 450, 2, 200, 0, 10, 7},
    };
    for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        double out[PLOT_TICKS_MAX], step;
        unsigned n = plot_ticks(row[i].scale, row[i].min, row[i].max, row[i].want, out, &step);
        assert_int_equal(n, row[i].n);
        assert_true(fabs(out[0] - row[i].first) <= 1e-9 * fabs(row[i].first));
        assert_true(fabs(out[n - 1] - row[i].last) <= 1e-9 * fabs(row[i].last));
        assert_true(fabs(step - row[i].step) <= 1e-9 * step);
    }
    double out[PLOT_TICKS_MAX], step;
    assert_int_equal(plot_ticks(PLOT_LINEAR, 1, 1, 5, out, &step), 0);
    assert_int_equal(plot_ticks(PLOT_LOG10, 0, 1, 5, out, &step), 0);
}

static void numbers_are_for_people(void **state)
{
    (void)state;
    static const struct {
        double value, step;
        const char *text;
    } row[] = {{0, 1, "0"},         {1500, 500, "1500"},   {20000, 5000, "20k"},
               {2.5, 0.5, "2.5"},   {1000, 1000, "1000"},  {12345678, 0, "12.35M"},
               {0.125, 0, "0.125"}, {3e9, 1e9, "3000M"},   {-0.2, 0.2, "-0.2"},
               {1e10, 1e9, "10G"},  {262144, 0, "262.1k"}, {512, 0, "512"}};
    for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        char text[PLOT_NUMBER];
        assert_string_equal(plot_number(text, row[i].value, row[i].step), row[i].text);
    }
}

static const double xs[] = {8, 16, 32}, ys[] = {100, 50, 0};

static struct plot simple(struct plot_series *s)
{
    *s = (struct plot_series){.name = "drops", .mark = PLOT_LINE_POINTS, .n = 3, .x = xs, .y = ys};
    return (struct plot){.title = "Drops",
                         .x = {.label = "ring", .unit = "entries", .scale = PLOT_LOG2},
                         .y = {.label = "drops", .unit = "frames"},
                         .series = s,
                         .n_series = 1};
}

/* If this failed a picture would lie. The frame: left 34 + 3 characters + …, right 700, the first
 * value at its left edge, the last at its right; 0 at the bottom. */
static void points_lie_where_they_should(void **state)
{
    (void)state;
    struct plot_series s;
    struct plot p = simple(&s);
    p.y.is_fixed = true;
    p.y.max = 100;
    char *text = draw(&p, true);
    assert_non_null(strstr(text, "cx=\"54.2\" cy=\"40.0\""));
    assert_non_null(strstr(text, "cx=\"373.1\" cy=\"194.0\""));
    assert_non_null(strstr(text, "cx=\"692.0\" cy=\"348.0\""));
    assert_non_null(strstr(text, "M54.2 40.0L373.1 194.0L692.0 348.0"));
    assert_non_null(strstr(text, "ring (entries)"));
    assert_non_null(strstr(text, "drops (frames)"));
    assert_non_null(strstr(text, "<title>8 → 100 frames</title>"));
    assert_int_equal(count(text, "<circle"), 3);
    assert_true(strncmp(text, "<?xml", 5) == 0);
    free(text);
    text = draw(&p, false);
    assert_true(strncmp(text, "<svg", 4) == 0);
    free(text);
}

/* If this failed a curve would lie in the frame's lower edge and not be seen, a small difference
 * would look like a large one, or a rule's text would lie on a curve. The frame is from 40 to 348.
 */
static void axes_reach_beyond_the_values(void **state)
{
    (void)state;
    static const double low[] = {3, 20, 405}, near[] = {90, 95, 100};
    static const struct plot_rule rule = {.at = 16, .text = "here"};
    struct plot_series s;
    struct plot p = simple(&s);
    s.y = low; /* from 2 to 500: 308 pixels of 5.52 */
    p.y.scale = PLOT_LOG10;
    p.rule = &rule;
    p.n_rules = 1;
    char *text = draw(&p, true);
    assert_non_null(strstr(text, "cy=\"325.4\""));
    assert_non_null(strstr(text, "cy=\"51.8\""));
    assert_non_null(strstr(text, "y=\"36.0\" class=\"rt\">here</text>"));
    free(text);
    p.y.scale = PLOT_LOG2; /* from 2 to 512: 8 doublings */
    text = draw(&p, true);
    assert_non_null(strstr(text, "cy=\"325.5\""));
    free(text);
    s.y = near;
    p.y.scale = PLOT_LINEAR;
    text = draw(&p, true);
    assert_null(strstr(text, ">0</text>"));
    free(text);
    p.y.has_zero = true;
    text = draw(&p, true);
    assert_non_null(strstr(text, ">0</text>"));
    free(text);
}

/* If this failed the name of an experiment could end the picture, or run in a reader's browser. */
static void text_is_escaped(void **state)
{
    (void)state;
    struct plot_series s[2];
    struct plot p = simple(&s[0]);
    s[1] = s[0];
    s[1].name = "</text><script>\x01";
    p.series = s;
    p.n_series = 2;
    p.title = "a < b & \"c\"";
    char *text = draw(&p, true);
    assert_null(strstr(text, "<script"));
    assert_non_null(strstr(text, "&lt;/text&gt;&lt;script&gt;?"));
    assert_non_null(strstr(text, "a &lt; b &amp; &quot;c&quot;"));
    free(text);
}

/* A gap is no line, a step is level and then upright, a bar stands on 0. */
static void each_mark_has_its_form(void **state)
{
    (void)state;
    static const double gap[] = {1, NAN, 3};
    static const char *const names[] = {"reno", "cubic", "bbr"};
    static const double place[] = {0, 1, 2};
    struct plot_series s;
    struct plot p = simple(&s);
    s.mark = PLOT_LINE;
    s.y = gap;
    char *text = draw(&p, true);
    assert_null(strstr(text, "L"));
    free(text);
    s.y = ys;
    s.mark = PLOT_STEP;
    text = draw(&p, true);
    assert_non_null(strstr(text, "H373.1V"));
    free(text);
    s.colour = 3; /* the same in whatever company */
    text = draw(&p, true);
    assert_int_equal(count(text, "class=\"ln s2\""), 1);
    free(text);
    s.colour = 0;
    s.mark = PLOT_BARS;
    s.x = place;
    p.x = (struct plot_axis){.label = "who", .scale = PLOT_NAMES, .names = names, .n_names = 3};
    text = draw(&p, true);
    assert_int_equal(count(text, "<rect class=\"f0\""), 3);
    assert_non_null(strstr(text, ">cubic</text>"));
    free(text);
}

/* If this failed a trace of a million events would be a file no browser opens, or lose its peak. */
static void a_long_line_is_thinned_and_keeps_its_peak(void **state)
{
    (void)state;
    enum { N = 200000 };
    static double x[N], y[N];
    for (unsigned i = 0; i < N; i++) {
        x[i] = i;
        y[i] = 0;
    }
    y[N / 2] = 1000;
    struct plot_series s = {.name = "s", .mark = PLOT_LINE, .n = N, .x = x, .y = y};
    struct plot p = {.title = "t", .series = &s, .n_series = 1};
    p.y.is_fixed = true;
    p.y.max = 1000;
    char *text = draw(&p, true);
    assert_true(strlen(text) < 100000);
    assert_non_null(strstr(text, " 40.0L")); /* the top of the frame */
    free(text);
}

static void what_cannot_be_drawn_is_said(void **state)
{
    (void)state;
    static const double bad[] = {1, -1, INFINITY};
    struct plot_series s;
    struct plot p = simple(&s);
    assert_null(plot_check(&p));
    p.y.scale = PLOT_LOG10;
    assert_non_null(strstr(plot_check(&p), "above 0"));
    p.y.scale = PLOT_LINEAR;
    s.y = bad;
    assert_non_null(strstr(plot_check(&p), "infinite"));
    s.y = ys;
    s.mark = PLOT_BARS;
    assert_non_null(strstr(plot_check(&p), "names"));
    s.mark = PLOT_LINE;
    p.n_series = 0;
    assert_non_null(strstr(plot_check(&p), "1 to 12"));
    p.n_series = 1;
    p.x.is_fixed = true;
    assert_non_null(strstr(plot_check(&p), "empty"));
}

/* No values, one value, equal values: a frame all the same. */
static void thin_data_is_drawn(void **state)
{
    (void)state;
    struct plot_series s;
    struct plot p = simple(&s);
    static const double same[] = {7, 7, 7}, zero[] = {0, 0, 0}, minus[] = {-1, -1, -1};
    static const double *const sets[] = {same, zero, minus};
    for (unsigned i = 0; i < 3; i++) {
        for (s.n = 0; s.n <= 3; s.n++) {
            s.y = sets[i];
            char *text = draw(&p, true);
            assert_null(strstr(text, "nan"));
            assert_null(strstr(text, "inf"));
            free(text);
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ticks_are_round),
    cmocka_unit_test(numbers_are_for_people),
    cmocka_unit_test(points_lie_where_they_should),
    cmocka_unit_test(axes_reach_beyond_the_values),
    cmocka_unit_test(text_is_escaped),
    cmocka_unit_test(each_mark_has_its_form),
    cmocka_unit_test(a_long_line_is_thinned_and_keeps_its_peak),
    cmocka_unit_test(what_cannot_be_drawn_is_said),
    cmocka_unit_test(thin_data_is_drawn),
};
UNIT_MAIN(tests)
