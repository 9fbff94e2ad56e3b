/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounded text: the few forms in which numbers and addresses of packets are written.
 *
 * Decides only how things look. There is no printf below the operating-system rooms.
 *
 * Owns nothing; the buffer is the caller's. Called by show. Keeps: never writes at or beyond
 * at[cap], except the NUL of text_end(), for which the caller has kept a byte; once cut, nothing
 * more is appended, so that what is there is a prefix of the whole.
 */
#include "wire/text.h"

#include "wire/eth.h"

static void put(struct text *t, char c)
{
    if (t->len == t->cap || t->is_cut)
        t->is_cut = true;
    else
        t->at[t->len++] = c;
}

void text_str(struct text *t, const char *s)
{
    for (; *s != '\0' && !t->is_cut; s++)
        put(t, *s);
}

void text_u64(struct text *t, uint64_t v)
{
    char digits[20];
    unsigned n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    while (n > 0)
        put(t, digits[--n]);
}

static void put_hex(struct text *t, unsigned nibble) { put(t, "0123456789abcdef"[nibble & 15]); }

void text_hex(struct text *t, uint32_t v, unsigned digits)
{
    for (unsigned i = 8; i > 0; i--) {
        unsigned nibble = v >> (4 * (i - 1)) & 15;
        if (nibble != 0 || i <= digits || v >> (4 * (i - 1)) != 0)
            put_hex(t, nibble);
    }
}

void text_bytes(struct text *t, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n && i < 64; i++) {
        put_hex(t, b[i] >> 4);
        put_hex(t, b[i]);
    }
}

void text_mac(struct text *t, const uint8_t *mac)
{
    for (unsigned i = 0; i < WIRE_MAC; i++) {
        if (i != 0)
            put(t, ':');
        text_bytes(t, mac + i, 1);
    }
}

void text_addr(struct text *t, const struct addr *a)
{
    char buf[ADDR_TEXT];
    addr_format(a, buf);
    text_str(t, buf);
}

void text_endpoint(struct text *t, const struct addr *a, uint16_t port)
{
    bool is_ip4 = addr_is_ip4(a);
    if (!is_ip4)
        put(t, '[');
    text_addr(t, a);
    text_str(t, is_ip4 ? ":" : "]:");
    text_u64(t, port);
}

void text_field(struct text *t, const char *name, uint64_t v)
{
    text_str(t, name);
    text_u64(t, v);
}

unsigned text_end(struct text *t)
{
    if (t->is_cut)
        for (size_t i = 1; i <= 3 && i <= t->len; i++)
            t->at[t->len - i] = '.';
    t->at[t->len] = '\0';
    return (unsigned)t->len;
}
