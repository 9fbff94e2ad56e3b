/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to wire/: text appended to a buffer that has an end, for show.
 */
#ifndef WEIR_WIRE_TEXT_H
#define WEIR_WIRE_TEXT_H

#include "base/addr.h"

/* at[0 .. len) is written, len <= cap; what does not fit is left out, and is_cut says so. */
struct text {
    char *at;
    size_t len, cap;
    bool is_cut;
};

void text_str(struct text *, const char *);
void text_u64(struct text *, uint64_t);
/* Lower-case hexadecimal, at least `digits` of them. */
void text_hex(struct text *, uint32_t, unsigned digits);
/* Bytes as hexadecimal without separators, at most 64 of them. */
void text_bytes(struct text *, const uint8_t *, size_t n);
void text_mac(struct text *, const uint8_t *mac);
void text_addr(struct text *, const struct addr *);
/* 10.0.0.1:80 or [fe80::1]:80 */
void text_endpoint(struct text *, const struct addr *, uint16_t port);
/* `name`, then the number: ", win 512" */
void text_field(struct text *, const char *name, uint64_t);

/* Ends the text with a NUL in the byte behind cap, and with "..." if it was cut. Returns its
 * length. */
unsigned text_end(struct text *);

#endif
