/* SPDX-License-Identifier: Apache-2.0
 *
 * What the program asked for and weir does not do: counted while it runs, listed at its end.
 *
 * Nothing pretends: an option, flag or kind of socket that is not implemented answers an error that
 * says so, and one line of the report says how often. A program that works all the same did
 * without.
 *
 * Called by the files that answer calls; printed by door.c with --report. Owns the list.
 */
#include "door/state.h"

#include <stdio.h>
#include <stdlib.h>

enum { REFUSALS_MOST = 256 };

/* Options that programs know by name; level and number of setsockopt. */
static const struct {
    int level, name;
    const char *text;
} named[] = {
    {1, 25, "SO_BINDTODEVICE"}, {1, 29, "SO_TIMESTAMP"}, {1, 35, "SO_TIMESTAMPNS"},
    {1, 37, "SO_TIMESTAMPING"}, {1, 60, "SO_ZEROCOPY"},  {6, 14, "TCP_MD5SIG"},
    {6, 19, "TCP_REPAIR"},      {6, 31, "TCP_ULP"},      {6, 35, "TCP_ZEROCOPY_RECEIVE"},
    {6, 36, "TCP_INQ"},
    {17, 103, "UDP_SEGMENT"},   {17, 104, "UDP_GRO"},
};

static const char *name_of(const struct refusal *r)
{
    bool is_option = strcmp(r->call, "setsockopt") == 0 || strcmp(r->call, "getsockopt") == 0;
    for (size_t i = 0; is_option && i < WEIR_COUNT(named); i++)
        if (named[i].level == r->level && named[i].name == r->name)
            return named[i].text;
    return NULL;
}

void report_refusal(struct door *d, const char *call, int level, int name)
{
    unsigned n = 0;
    for (struct refusal *r = d->refusals; r != NULL; r = r->next, n++) {
        if (strcmp(r->call, call) == 0 && r->level == level && r->name == name) {
            r->n++;
            return;
        }
    }
    struct refusal *r = n < REFUSALS_MOST ? malloc(sizeof(*r)) : NULL;
    if (r == NULL)
        return;
    *r = (struct refusal){.next = d->refusals, .call = call, .level = level, .name = name, .n = 1};
    d->refusals = r;
}

static void report_counters(const struct door *d, FILE *to)
{
    const char *name;
    uint64_t value;
    for (unsigned i = 0; weir_counter(d->w, i, &name, &value); i++)
        if (value != 0)
            fprintf(to, "  %-32s %llu\n", name, (unsigned long long)value);
}

void report_print(struct door *d)
{
    FILE *to = d->conf->err;
    fprintf(to, "weir: %llu calls asked about, %llu left to the kernel\n",
            (unsigned long long)d->n_asks, (unsigned long long)d->n_continued);
    if (d->n_resets_untold != 0)
        fprintf(to, "weir: %llu resets looked like an orderly end to the program\n",
                (unsigned long long)d->n_resets_untold);
    if (d->n_dgrams_lost != 0)
        fprintf(to, "weir: %llu datagrams the program wrote went nowhere\n",
                (unsigned long long)d->n_dgrams_lost);
    for (struct refusal *r = d->refusals; r != NULL; r = r->next) {
        const char *name = name_of(r);
        fprintf(to, "weir: refused: %s %d, %d%s%s: %llu times\n", r->call, r->level, r->name,
                name != NULL ? " " : "", name != NULL ? name : "", (unsigned long long)r->n);
    }
    fprintf(to, "weir: counters\n");
    report_counters(d, to);
}

void report_free(struct door *d)
{
    while (d->refusals != NULL) {
        struct refusal *next = d->refusals->next;
        free(d->refusals);
        d->refusals = next;
    }
}
