/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be measured: names like "flow one.goodput", and their values in a running world.
 */
#ifndef WEIR_EXPER_MEASURE_H
#define WEIR_EXPER_MEASURE_H

#include "exper/world.h"

enum { MEASURE_TEXT = 100 };

/* What is made of a value over the time that is measured. */
enum measure_how {
    MEASURE_PLAIN, /* a counter: how much it grew; anything else: its value at the end */
    MEASURE_MEAN,  /* of all looks */
    MEASURE_MAX,
    MEASURE_MIN,
    MEASURE_RATE, /* a counter: growth per second */
};

enum measure_of { MEASURE_FLOW, MEASURE_HOST, MEASURE_NIC, MEASURE_QDISC, MEASURE_LINK };

struct measure {
    char text[MEASURE_TEXT]; /* as it was written */
    uint8_t how, of;         /* enum measure_how, enum measure_of */
    bool is_counter;
    int object; /* which flow, host or link; -1: all flows */
    unsigned id;
    char counter[TEXT_NAME]; /* host: the stack's counter */
};

/* Finds what `text` names among the objects of a setup. 0; -EINVAL: err says what was expected. */
WEIR_MUST_CHECK int measure_parse(const struct setup *, const char *text, struct measure *out,
                                  char err[TEXT_ERR]);
/* Its value now; NAN: there is none (no message has arrived). */
double measure_read(const struct world *, const struct measure *);
/* Every name, for --list. */
void measure_list(FILE *);

#endif
