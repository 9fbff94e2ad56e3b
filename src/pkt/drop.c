/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and texts of drop reasons and counters, and dropping itself.
 *
 * The tables come from drop.def and stat.def, so a new line there needs nothing here. An unknown
 * number has the name "?", because these are printed by tools that must not fail on a newer or a
 * damaged snapshot.
 *
 * env_drop is the only way a packet goes away without having arrived: whoever reads the counters
 * sees every loss that happened in this stack.
 */
#include "pkt/drop.h"

#include "pkt/env.h"

static const char *const drop_names[DROP_N] = {
#define X(name, text) #name,
#include "pkt/drop.def"
#undef X
};

static const char *const drop_texts[DROP_N] = {
#define X(name, text) text,
#include "pkt/drop.def"
#undef X
};

static const char *const stat_names[STAT_N] = {
#define X(name, text) #name,
#include "pkt/stat.def"
#undef X
};

static const char *const stat_texts[STAT_N] = {
#define X(name, text) text,
#include "pkt/stat.def"
#undef X
};

const char *drop_name(enum drop d) { return (unsigned)d < DROP_N ? drop_names[d] : "?"; }

const char *drop_text(enum drop d) { return (unsigned)d < DROP_N ? drop_texts[d] : "?"; }

const char *stat_name(enum env_stat s) { return (unsigned)s < STAT_N ? stat_names[s] : "?"; }

const char *stat_text(enum env_stat s) { return (unsigned)s < STAT_N ? stat_texts[s] : "?"; }

enum drop env_drop(struct env *e, struct pkt *p, enum drop reason)
{
    WEIR_ASSERT((unsigned)reason < DROP_N);
    e->drops[reason]++;
    if (env_traces(e) && reason != DROP_NONE)
        env_trace(e, WEIR_T_DROP, p)->drop = (uint16_t)reason;
    if (p != NULL)
        pkt_free(p);
    return reason;
}
