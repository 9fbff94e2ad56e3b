/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame check sequence: CRC-32 [IEEE 802.3 3.2.9], eight bytes a step.
 *
 * Decides nothing; the polynomial is the standard's, reflected, since the line sends low bits
 * first. Table k holds what a byte does to the sum k bytes later, so that eight look-ups,
 * independent of each other, take eight bytes. The tables belong to the NIC, made when it is: below
 * the operating system there is no writable global, and eight kilobytes of constants nobody would
 * proof-read.
 *
 * Called by the MAC. Read first: Sarwate 1988 for one table, Kounavis and Berry 2005 for eight.
 */
#include "nic/parts.h"

enum { CRC_POLY = 0xedb88320u };

void nic_crc_tables(uint32_t t[8][256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (unsigned bit = 0; bit < 8; bit++)
            c = (c & 1) != 0 ? c >> 1 ^ (uint32_t)CRC_POLY : c >> 1;
        t[0][i] = c;
    }
    for (uint32_t k = 1; k < 8; k++) {
        for (uint32_t i = 0; i < 256; i++)
            t[k][i] = t[k - 1][i] >> 8 ^ t[0][t[k - 1][i] & 0xff];
    }
}

uint32_t nic_crc32(const uint32_t t[8][256], const uint8_t *b, uint32_t n)
{
    uint32_t c = UINT32_MAX;
    for (; n >= 8; n -= 8, b += 8) {
        c ^= (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
        c = t[7][c & 0xff] ^ t[6][c >> 8 & 0xff] ^ t[5][c >> 16 & 0xff] ^ t[4][c >> 24] ^
            t[3][b[4]] ^ t[2][b[5]] ^ t[1][b[6]] ^ t[0][b[7]];
    }
    while (n-- != 0)
        c = c >> 8 ^ t[0][(c ^ *b++) & 0xff];
    return ~c;
}
