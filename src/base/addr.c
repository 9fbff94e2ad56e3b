/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses as text.
 *
 * Reading is strict, because what is accepted here ends up in routes and filters: dotted IPv4 is
 * four decimal numbers without leading zeros (a leading zero means octal to some programs and not
 * to others), IPv6 is RFC 4291 2.2 in all three forms, without a zone. Nothing may follow.
 *
 * Writing gives the one text that RFC 5952 allows, so that texts can be compared: lower case, no
 * leading zeros, "::" for the longest run of two or more zero groups, the first of equals. The
 * IPv4 part of the well-known prefix 64:ff9b::/96 is written dotted [RFC 6052 2.4].
 *
 * Read first: RFC 4291 2.2, RFC 5952 4 and 5.
 */
#include "base/addr.h"

#include <errno.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One decimal number 0..255 without leading zeros. Returns what follows it, NULL: is none. */
static const char *parse_octet(const char *s, uint8_t *out)
{
    unsigned v = 0, n = 0;
    for (; n < 3 && s[n] >= '0' && s[n] <= '9'; n++)
        v = v * 10 + (unsigned)(s[n] - '0');
    if (n == 0 || v > 255 || (n > 1 && s[0] == '0'))
        return NULL;
    *out = (uint8_t)v;
    return s + n;
}

/* The whole of s as dotted IPv4 into out[4]. */
static bool parse_ip4(const char *s, uint8_t *out)
{
    for (unsigned i = 0; i < 4; i++) {
        s = parse_octet(s, &out[i]);
        if (s == NULL || *s != (i < 3 ? '.' : '\0'))
            return false;
        s++;
    }
    return true;
}

/* One to four hexadecimal digits into two bytes. Returns what follows them, NULL: are none. */
static const char *parse_group(const char *s, uint8_t *out)
{
    unsigned v = 0, n = 0;
    for (; n < 4 && hex_digit(s[n]) >= 0; n++)
        v = v << 4 | (unsigned)hex_digit(s[n]);
    w_put16(out, v);
    return n == 0 ? NULL : s + n;
}

/* What has been read of an IPv6 text: n bytes of b, "::" before byte gap (-1: none seen). */
struct ip6_text {
    uint8_t b[16];
    int n, gap;
};

/* A group, or dotted IPv4 as the last four bytes, and the colons after it. Returns what follows,
 * NULL: malformed. */
static const char *parse_ip6_part(const char *s, struct ip6_text *t)
{
    const char *end = parse_group(s, &t->b[t->n]);
    if (end == NULL)
        return NULL;
    if (*end == '.') {
        if (t->n > 12 || !parse_ip4(s, &t->b[t->n]))
            return NULL;
        t->n += 4;
        return ""; /* parse_ip4 saw the end */
    }
    t->n += 2;
    if (*end == '\0')
        return end;
    if (*end != ':' || end[1] == '\0') /* a single colon never ends an address */
        return NULL;
    if (end[1] != ':')
        return end + 1;
    if (t->gap >= 0)
        return NULL;
    t->gap = t->n;
    return end + 2;
}

static bool parse_ip6(const char *s, struct addr *out)
{
    struct ip6_text t = {.gap = -1};
    if (s[0] == ':') {
        if (s[1] != ':')
            return false;
        t.gap = 0;
        s += 2;
    }
    while (*s != '\0' && t.n < 16) {
        s = parse_ip6_part(s, &t);
        if (s == NULL)
            return false;
    }
    /* "::" stands for at least one group. */
    if (*s != '\0' || (t.gap < 0) != (t.n == 16))
        return false;
    *out = (struct addr){0};
    unsigned before = (unsigned)(t.gap < 0 ? t.n : t.gap), after = (unsigned)t.n - before;
    memcpy(out->b, t.b, before);
    memcpy(out->b + 16 - after, t.b + before, after);
    return true;
}

int addr_parse(const char *text, struct addr *out)
{
    uint8_t ip4[4];
    if (parse_ip4(text, ip4)) {
        *out = addr_from_ip4(ip4);
        return 0;
    }
    return parse_ip6(text, out) ? 0 : -EINVAL;
}

static char *put_decimal(char *at, unsigned v)
{
    if (v >= 100)
        *at++ = (char)('0' + v / 100);
    if (v >= 10)
        *at++ = (char)('0' + v / 10 % 10);
    *at++ = (char)('0' + v % 10);
    return at;
}

static char *put_ip4(char *at, const uint8_t *b)
{
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0)
            *at++ = '.';
        at = put_decimal(at, b[i]);
    }
    return at;
}

static char *put_group(char *at, unsigned v)
{
    bool is_begun = false;
    for (unsigned i = 0; i < 4; i++) {
        unsigned d = v >> (12 - 4 * i) & 15;
        is_begun = is_begun || d != 0 || i == 3;
        if (is_begun)
            *at++ = "0123456789abcdef"[d];
    }
    return at;
}

/* The longest run of two or more zero groups among the first n, the first of equals; its length
 * in *len, 0: there is none [RFC 5952 4.2]. */
static unsigned find_zeros(const uint8_t *b, unsigned n, unsigned *len)
{
    unsigned best = 0, run = 0;
    *len = 0;
    for (unsigned i = 0; i < n; i++) {
        run = w_be16(b + 2 * i) == 0 ? run + 1 : 0;
        if (run >= 2 && run > *len) {
            *len = run;
            best = i + 1 - run;
        }
    }
    return best;
}

static char *put_ip6(char *at, const uint8_t *b)
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    bool is_dotted = memcmp(b, nat64, sizeof nat64) == 0;
    unsigned n = is_dotted ? 6 : 8, len, zeros = find_zeros(b, n, &len);
    for (unsigned i = 0; i < n; i++) {
        if (len > 0 && i == zeros) {
            *at++ = ':';
            i += len - 1;
            if (i + 1 == 8)
                *at++ = ':';
            continue;
        }
        if (i > 0)
            *at++ = ':';
        at = put_group(at, w_be16(b + 2 * i));
    }
    if (!is_dotted)
        return at;
    *at++ = ':';
    return put_ip4(at, b + 12);
}

unsigned addr_format(const struct addr *a, char *buf)
{
    char *end = addr_is_ip4(a) ? put_ip4(buf, a->b + 12) : put_ip6(buf, a->b);
    *end = '\0';
    WEIR_ASSERT(end < buf + ADDR_TEXT);
    return (unsigned)(end - buf);
}
