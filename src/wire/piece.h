/* SPDX-License-Identifier: Apache-2.0
 *
 * The headers of a piece of a TCP super-segment, as software and NICs that cut one make them.
 */
#ifndef WEIR_WIRE_PIECE_H
#define WEIR_WIRE_PIECE_H

#include "base/base.h"

/* Which piece it is, and what lies in it. */
struct wire_piece {
    uint32_t done;   /* payload bytes of the pieces before it */
    uint16_t number; /* pieces before it */
    bool is_last;
    bool keeps_cwr;     /* the flag is part of a counter [RFC 9768 3.3.4] */
    uint32_t l3_len;    /* of the piece, from its IP header on */
    uint32_t l4_len;    /* … from its TCP header on */
    uint32_t whole_len; /* of the super-segment, from its TCP header on */
};

/* ip and tcp point at copies of the super-segment's headers, and become the piece's: lengths, IPv4
 * identification, sequence number, flags, and in the checksum field the pseudo-header's sum. */
void wire_piece_headers(uint8_t *ip, uint8_t *tcp, const struct wire_piece *);

#endif
