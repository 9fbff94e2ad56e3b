/* SPDX-License-Identifier: Apache-2.0
 *
 * Results as a table, as CSV and as a page.
 *
 * Decides how a number is written (whole if it is whole, else four digits that count), that a table
 * shows the mean of a point's runs and CSV each run, and how the page looks: no script, nothing
 * from elsewhere, light or dark as the reader has it.
 *
 * Owns the figures of each point. Called by the command; calls curves.c for pictures.
 */
#include "exper/report.h"

#include "plot/plot.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- figures ---- */

static bool summarise(struct report *r, unsigned point, unsigned column)
{
    const struct plan *p = r->runs->plan;
    unsigned repeat = (unsigned)p->setup.repeat, at = point * p->n_column + column, n = 0;
    double sum = 0;
    r->least[at] = INFINITY;
    r->most[at] = -INFINITY;
    for (unsigned i = point * repeat; i < (point + 1) * repeat; i++) {
        if (r->runs->result[i].state != RUN_DONE)
            continue;
        double v = plan_column_value(&p->column[column], r->runs->result[i].value);
        if (isnan(v))
            continue;
        sum += v;
        n++;
        r->least[at] = fmin(r->least[at], v);
        r->most[at] = fmax(r->most[at], v);
    }
    r->mean[at] = n != 0 ? sum / n : NAN;
    if (n == 0)
        r->least[at] = r->most[at] = NAN;
    return n != 0;
}

int exper_report_new(struct report *r, const struct runs *runs)
{
    const struct plan *p = runs->plan;
    size_t n = (size_t)p->n_point * p->n_column;
    *r = (struct report){.runs = runs};
    r->mean = calloc(n, sizeof(double));
    r->least = calloc(n, sizeof(double));
    r->most = calloc(n, sizeof(double));
    if (r->mean == NULL || r->least == NULL || r->most == NULL) {
        exper_report_free(r);
        return -ENOMEM;
    }
    for (unsigned i = 0; i < p->n_point; i++)
        for (unsigned c = 0; c < p->n_column; c++)
            (void)summarise(r, i, c);
    for (unsigned i = 0; i < p->n_claim; i++) {
        r->is_held[i] = claim_check(p, &p->claim[i], r->mean, r->seen[i], sizeof(r->seen[i]));
        r->n_failed_claims += !r->is_held[i];
    }
    return 0;
}

void exper_report_free(struct report *r)
{
    free(r->mean);
    free(r->least);
    free(r->most);
    *r = (struct report){.runs = NULL};
}

static const char *write_value(char out[PLOT_NUMBER], double v)
{
    if (isnan(v))
        (void)snprintf(out, PLOT_NUMBER, "-");
    else if (fabs(v - round(v)) < 1e-9 || fabs(v) >= 1000)
        (void)snprintf(out, PLOT_NUMBER, "%.0f", v + 0.0);
    else
        (void)snprintf(out, PLOT_NUMBER, "%.4g", v);
    return out;
}

/* ---- the table ---- */

static void head_of(const struct plan_column *c, char out[2 * TEXT_NAME + 4])
{
    (void)snprintf(out, 2 * TEXT_NAME + 4, c->unit[0] != '\0' ? "%s [%s]" : "%s", c->name, c->unit);
}

static int column_width(const struct report *r, unsigned c)
{
    const struct plan *p = r->runs->plan;
    char head[2 * TEXT_NAME + 4], text[PLOT_NUMBER];
    head_of(&p->column[c], head);
    size_t width = strlen(head);
    for (unsigned i = 0; i < p->n_point; i++) {
        size_t n = strlen(write_value(text, r->mean[i * p->n_column + c]));
        width = n > width ? n : width;
    }
    return (int)width;
}

static int axis_width(const struct plan_axis *a)
{
    size_t width = strlen(a->name);
    for (unsigned i = 0; i < a->n; i++)
        width = strlen(a->value[i]) > width ? strlen(a->value[i]) : width;
    return (int)width;
}

static void table_line(FILE *f, const struct report *r, unsigned point)
{
    const struct plan *p = r->runs->plan;
    char text[PLOT_NUMBER];
    for (unsigned a = 0; a < p->n_axis; a++)
        fprintf(f, "%s%-*s", a == 0 ? "" : "  ", axis_width(&p->axis[a]),
                p->axis[a].value[plan_value_at(p, point, a)]);
    for (unsigned c = 0; c < p->n_column; c++)
        fprintf(f, "  %*s", column_width(r, c),
                write_value(text, r->mean[point * p->n_column + c]));
    fprintf(f, "\n");
}

static void failures(FILE *f, const struct report *r)
{
    const struct plan *p = r->runs->plan;
    for (unsigned i = 0; i < p->n_run; i++) {
        const struct run_result *x = &r->runs->result[i];
        if (x->state != RUN_DONE)
            fprintf(f, "run %u FAILED: %s\n", i,
                    x->state == RUN_FAILED ? x->why : "its process died");
    }
}

void exper_report_table(FILE *f, const struct report *r)
{
    const struct plan *p = r->runs->plan;
    char head[2 * TEXT_NAME + 4];
    fprintf(f, "%s: %s\n", p->name, p->setup.title);
    for (unsigned a = 0; a < p->n_axis; a++)
        fprintf(f, "%s%-*s", a == 0 ? "" : "  ", axis_width(&p->axis[a]), p->axis[a].name);
    for (unsigned c = 0; c < p->n_column; c++) {
        head_of(&p->column[c], head);
        fprintf(f, "  %*s", column_width(r, c), head);
    }
    fprintf(f, "\n");
    for (unsigned i = 0; i < p->n_point; i++)
        table_line(f, r, i);
    failures(f, r);
    for (unsigned i = 0; i < p->n_claim; i++)
        fprintf(f, "%s  %s (%s)\n", r->is_held[i] ? "holds " : "FAILS ", p->claim[i].holds,
                r->seen[i]);
}

/* ---- CSV ---- */

/* Between quotes where a comma or a quote makes it necessary. */
static void csv_text(FILE *f, const char *text)
{
    if (strpbrk(text, ",\"\n") == NULL) {
        fputs(text, f);
        return;
    }
    putc('"', f);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            putc('"', f);
        putc(*text, f);
    }
    putc('"', f);
}

void exper_report_csv(FILE *f, const struct report *r)
{
    const struct plan *p = r->runs->plan;
    unsigned repeat = (unsigned)p->setup.repeat;
    char head[2 * TEXT_NAME + 4];
    for (unsigned a = 0; a < p->n_axis; a++) {
        csv_text(f, p->axis[a].name);
        putc(',', f);
    }
    fputs("seed", f);
    for (unsigned c = 0; c < p->n_column; c++) {
        head_of(&p->column[c], head);
        putc(',', f);
        csv_text(f, head);
    }
    fputs(",frames\n", f);
    for (unsigned i = 0; i < p->n_run; i++) {
        const struct run_result *x = &r->runs->result[i];
        for (unsigned a = 0; a < p->n_axis; a++) {
            csv_text(f, p->axis[a].value[plan_value_at(p, i / repeat, a)]);
            putc(',', f);
        }
        fprintf(f, "%llu", (unsigned long long)(p->setup.seed + i % repeat));
        for (unsigned c = 0; c < p->n_column; c++) {
            double v = x->state == RUN_DONE ? plan_column_value(&p->column[c], x->value) : NAN;
            if (isnan(v))
                fputs(",", f);
            else
                fprintf(f, ",%.9g", v + 0.0);
        }
        fprintf(f, ",%016llx\n", (unsigned long long)x->hash);
    }
}

/* ---- the page ---- */

static const char page_style[] =
    "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
    "padding:0 1rem;color:#24292f;background:#fff}"
    "h1{font-size:1.6rem}h2{font-size:1.25rem;margin-top:2.5rem;"
    "border-bottom:1px solid #d8dee4}table{border-collapse:collapse;margin:1rem 0;font-size:.9rem}"
    "th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #d8dee4}"
    "th:first-child,td:first-child{text-align:left}.ok{color:#00704f}.no{color:#b42318}"
    ".wide{overflow-x:auto}svg{max-width:100%;height:auto;display:block;margin:1rem 0}"
    "code{font-size:.9em}@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#161b22}"
    "h2,th,td{border-color:#30363d}.ok{color:#3fd0a8}.no{color:#ff8a80}}</style>\n";

void exper_report_html_begin(FILE *f)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<title>weir experiment</title>\n",
          f);
    fputs(page_style, f);
    fputs(
        "</head><body>\n<h1>Experiments</h1>\n<p>Run by <code>weir experiment</code> " WEIR_VERSION
        " in virtual time: the same files give the same figures on every machine.</p>\n",
        f);
}

void exper_report_html_end(FILE *f) { fputs("</body></html>\n", f); }

static void html_cell(FILE *f, const char *tag, const char *text)
{
    fprintf(f, "<%s>", tag);
    plot_escape(f, text);
    fprintf(f, "</%s>", tag);
}

static void html_table(FILE *f, const struct report *r)
{
    const struct plan *p = r->runs->plan;
    char text[2 * TEXT_NAME + 4];
    fputs("<div class=\"wide\"><table>\n<tr>", f);
    for (unsigned a = 0; a < p->n_axis; a++)
        html_cell(f, "th", p->axis[a].name);
    for (unsigned c = 0; c < p->n_column; c++) {
        head_of(&p->column[c], text);
        html_cell(f, "th", text);
    }
    fputs("</tr>\n", f);
    for (unsigned i = 0; i < p->n_point; i++) {
        fputs("<tr>", f);
        for (unsigned a = 0; a < p->n_axis; a++)
            html_cell(f, "td", p->axis[a].value[plan_value_at(p, i, a)]);
        for (unsigned c = 0; c < p->n_column; c++) {
            unsigned at = i * p->n_column + c;
            char least[PLOT_NUMBER], most[PLOT_NUMBER];
            bool has_range = r->most[at] > r->least[at];
            if (has_range)
                fprintf(f, "<td title=\"%s to %s\">", write_value(least, r->least[at]),
                        write_value(most, r->most[at]));
            fprintf(f, "%s%s</td>", has_range ? "" : "<td>", write_value(text, r->mean[at]));
        }
        fputs("</tr>\n", f);
    }
    fputs("</table></div>\n", f);
}

static void html_claims(FILE *f, const struct report *r)
{
    const struct plan *p = r->runs->plan;
    if (p->n_claim != 0)
        fputs("<ul>\n", f);
    for (unsigned i = 0; i < p->n_claim; i++) {
        bool is_new = i == 0 || strcmp(p->claim[i].text, p->claim[i - 1].text) != 0;
        fprintf(f, "<li><b class=\"%s\">%s</b> ", r->is_held[i] ? "ok" : "no",
                r->is_held[i] ? "holds" : "does not hold");
        if (is_new)
            html_cell(f, "span", p->claim[i].text);
        fputs(" <code>", f);
        plot_escape(f, p->claim[i].holds);
        fputs("</code> (", f);
        plot_escape(f, r->seen[i]);
        fputs(")</li>\n", f);
    }
    if (p->n_claim != 0)
        fputs("</ul>\n", f);
}

static void html_failures(FILE *f, const struct report *r)
{
    const struct plan *p = r->runs->plan;
    for (unsigned i = 0; i < p->n_run; i++) {
        const struct run_result *x = &r->runs->result[i];
        if (x->state == RUN_DONE)
            continue;
        fprintf(f, "<p class=\"no\">Run %u failed: ", i);
        plot_escape(f, x->state == RUN_FAILED ? x->why : "its process died");
        fputs("</p>\n", f);
    }
}

void exper_report_html(FILE *f, const struct report *r)
{
    const struct plan *p = r->runs->plan;
    html_cell(f, "h2", p->setup.title[0] != '\0' ? p->setup.title : p->name);
    fputs("\n", f);
    html_cell(f, "p", p->setup.about);
    fputs("\n", f);
    html_claims(f, r);
    html_failures(f, r);
    for (unsigned i = 0; i < p->n_plot; i++) {
        const char *why = exper_report_svg(f, r, i, false);
        if (why != NULL) {
            fputs("<p class=\"no\">No picture: ", f);
            plot_escape(f, why);
            fputs("</p>\n", f);
        }
    }
    html_table(f, r);
    fputs("<details><summary>The scenario</summary><pre>", f);
    for (unsigned i = 0, k = 0; i < p->text.n_set; i++) {
        for (; k < p->text.n_section && p->text.section[k].line < p->text.set[i].line; k++) {
            fputs("\n[", f);
            plot_escape(f, p->text.section[k].name);
            fputs("]\n", f);
        }
        plot_escape(f, p->text.set[i].key);
        fputs(" = ", f);
        plot_escape(f, p->text.set[i].value);
        fputs("\n", f);
    }
    fputs("</pre></details>\n", f);
}
