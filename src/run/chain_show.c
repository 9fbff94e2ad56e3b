/* SPDX-License-Identifier: Apache-2.0
 *
 * How the chain of buffers looks to a person: each buffer a row, in the order of the bytes.
 *
 *   buffer          now filled to its high-water mark   limit …
 *   send buffer      [######----]
 *
 * Decides the picture: ten places stand for the limit, # for what is inside, - up to the high-water
 * mark; a buffer that holds anything shows at least one sign. Units are written out, times in
 * seconds. Owns nothing; called by niccmd.c for running programs and by cli/ for simulated ones.
 */
#include "run/chain_show.h"

#include "base/base.h"

#include <string.h>

enum { PLACES = 10 };

static unsigned places_of(const struct weir_gauge *g, uint64_t n)
{
    if (n == 0 || g->limit == 0)
        return 0;
    uint64_t p = n * PLACES / g->limit;
    return (unsigned)w_u64_min(w_u64_max(p, 1), PLACES);
}

static void picture(const struct weir_gauge *g, char *out)
{
    memset(out, ' ', PLACES);
    out[PLACES] = '\0';
    memset(out, '-', places_of(g, g->high_water));
    memset(out, '#', places_of(g, g->now));
}

void chain_show_head(FILE *f)
{
    fprintf(f, "  %-16s %-12s %9s %9s %10s %-8s %6s %10s %8s\n", "buffer", "", "now", "limit",
            "high water", "", "full", "for", "drops");
}

void chain_show(FILE *f, const struct weir_gauge *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char bar[PLACES + 1];
        const struct weir_gauge *g = &v[i];
        picture(g, bar);
        fprintf(f, "  %-16s [%s] %9llu %9llu %10llu %-8s %5llux %8.3f s %8llu\n", g->name, bar,
                (unsigned long long)g->now, (unsigned long long)g->limit,
                (unsigned long long)g->high_water, g->unit, (unsigned long long)g->n_full,
                (double)g->full_ns / 1e9, (unsigned long long)g->drops);
    }
}
