/* SPDX-License-Identifier: Apache-2.0
 *
 * Round numbers: where an axis has its ticks, and how a number is written.
 *
 * Decides: a linear step is 1, 2 or 5 times a power of ten; a logarithmic one is a power of the
 * base, every second or third one if there would be too many; ten thousand is written 10k.
 *
 * Owns nothing. Called by plot.c and by who prints numbers beside a picture. Calls the C library's
 * arithmetic only; the same numbers give the same text.
 */
#include "plot/plot.h"

#include <math.h>

/* The smallest of 1, 2, 5 × 10^n that is not below x. */
static double round_up(double x)
{
    static const double nice[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(x)));
    for (unsigned i = 0; i < sizeof(nice) / sizeof(nice[0]); i++)
        if (nice[i] * power >= x * (1 - 1e-9))
            return nice[i] * power;
    return 10 * power;
}

static unsigned linear_ticks(double min, double max, unsigned want, double *out, double *step)
{
    unsigned n = 0;
    double eps = (max - min) * 1e-9;
    *step = round_up((max - min) / want);
    for (double k = ceil((min - eps) / *step); n < PLOT_TICKS_MAX; k++) {
        if (k * *step > max + eps)
            break;
        out[n++] = k * *step;
    }
    return n;
}

static unsigned log_ticks(double base, double min, double max, unsigned want, double *out)
{
    unsigned n = 0;
    double first = ceil(log(min) / log(base) - 1e-9), last = floor(log(max) / log(base) + 1e-9);
    double every = fmax(1, ceil((last - first + 1) / want));
    for (double k = first; k <= last && n < PLOT_TICKS_MAX; k += every)
        out[n++] = pow(base, k);
    return n;
}

unsigned plot_ticks(enum plot_scale scale, double min, double max, unsigned want, double *out,
                    double *step)
{
    *step = 0;
    if (!(max > min) || want == 0 || (scale != PLOT_LINEAR && !(min > 0)))
        return 0;
    if (scale == PLOT_LINEAR)
        return linear_ticks(min, max, want < PLOT_TICKS_MAX ? want : PLOT_TICKS_MAX - 1, out, step);
    return log_ticks(scale == PLOT_LOG2 ? 2 : 10, min, max, want, out);
}

static int decimals_of(double step)
{
    int n = 0;
    for (double s = step; n < 9 && fabs(s - round(s)) > 1e-6 * fabs(s); s *= 10)
        n++;
    return n;
}

/* Four digits that count, no zeros behind the point's last. */
static void write_free(char *out, double value, const char *suffix)
{
    (void)snprintf(out, PLOT_NUMBER, "%.4g%s", value, suffix);
}

const char *plot_number(char out[PLOT_NUMBER], double value, double step)
{
    static const struct {
        double from, worth;
        const char *suffix;
    } unit[] = {{1e13, 1e12, "T"}, {1e10, 1e9, "G"}, {1e7, 1e6, "M"}, {1e4, 1e3, "k"}};
    double worth = 1;
    const char *suffix = "";
    for (unsigned i = 0; i < sizeof(unit) / sizeof(unit[0]) && worth == 1; i++) {
        if (fabs(value) < unit[i].from)
            continue;
        worth = unit[i].worth;
        suffix = unit[i].suffix;
    }
    if (step <= 0)
        write_free(out, value / worth, suffix);
    else
        (void)snprintf(out, PLOT_NUMBER, "%.*f%s", decimals_of(step / worth), value / worth + 0.0,
                       suffix);
    return out;
}
