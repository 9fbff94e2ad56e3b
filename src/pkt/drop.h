/* SPDX-License-Identifier: Apache-2.0
 *
 * The drop reasons as an enumeration, and their texts.
 */
#ifndef WEIR_DROP_H
#define WEIR_DROP_H

enum drop {
#define X(name, text) DROP_##name,
#include "pkt/drop.def"
#undef X
    DROP_N
};

/* "TCP_CSUM", "TCP checksum wrong". Never NULL. */
const char *drop_name(enum drop);
const char *drop_text(enum drop);

#endif
