/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be measured: names like "flow one.goodput", and their values in a running world.
 */
#ifndef WEIR_EXPER_GAUGE_H
#define WEIR_EXPER_GAUGE_H

#include "exper/world.h"

enum { GAUGE_TEXT = 100 };

/* What is made of a value over the time that is measured. */
enum gauge_how {
    GAUGE_PLAIN, /* a counter: how much it grew; anything else: its value at the end */
    GAUGE_MEAN,  /* of all looks */
    GAUGE_MAX,
    GAUGE_MIN,
    GAUGE_RATE, /* a counter: growth per second */
};

enum gauge_of { GAUGE_FLOW, GAUGE_HOST, GAUGE_NIC, GAUGE_QDISC, GAUGE_LINK };

struct gauge {
    char text[GAUGE_TEXT]; /* as it was written */
    uint8_t how, of;       /* enum gauge_how, enum gauge_of */
    bool is_counter;
    int object; /* which flow, host or link; -1: all flows */
    unsigned id;
    char counter[TEXT_NAME]; /* host: the stack's counter */
};

/* Finds what `text` names among the objects of a setup. 0; -EINVAL: err says what was expected. */
WEIR_MUST_CHECK int gauge_parse(const struct setup *, const char *text, struct gauge *out,
                                char err[TEXT_ERR]);
/* Its value now; NAN: there is none (no message has arrived). */
double gauge_read(const struct world *, const struct gauge *);
/* Every name, for --list. */
void gauge_list(FILE *);

#endif
