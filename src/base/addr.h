/* SPDX-License-Identifier: Apache-2.0
 *
 * One kind of address: 16 bytes, IPv4 as ::ffff:a.b.c.d [RFC 4291 2.5.5.2]. Tables, flows, routes
 * and sockets know no other, so a second family needs no second code path above ip/.
 */
#ifndef WEIR_ADDR_H
#define WEIR_ADDR_H

#include "base/base.h"

struct addr {
    union {
        uint8_t b[16];
        uint32_t w[4]; /* network order, for comparing and hashing only */
        uint64_t d[2];
    };
};
_Static_assert(sizeof(struct addr) == 16, "addr");

/* From four bytes on the wire, or from a host-order number (0x0a000001 is 10.0.0.1). */
static inline struct addr addr_from_ip4(const uint8_t *ip4)
{
    struct addr a = {.b = {[10] = 0xff, [11] = 0xff}};
    memcpy(&a.b[12], ip4, 4);
    return a;
}
static inline struct addr addr_ip4(uint32_t host)
{
    uint8_t b[4];
    w_put32(b, host);
    return addr_from_ip4(b);
}
static inline uint32_t addr_to_ip4(const struct addr *a) { return w_be32(&a->b[12]); }
static inline const uint8_t *addr_ip4_bytes(const struct addr *a) { return &a->b[12]; }
static inline bool addr_is_ip4(const struct addr *a)
{
    const union {
        uint8_t b[4];
        uint32_t w;
    } mapped = {.b = {[2] = 0xff, [3] = 0xff}};
    return a->d[0] == 0 && a->w[2] == mapped.w;
}
static inline bool addr_eq(const struct addr *a, const struct addr *b)
{
    return a->d[0] == b->d[0] && a->d[1] == b->d[1];
}
/* All zero bits of its family: 0.0.0.0 or ::, "not specified". */
static inline bool addr_is_any(const struct addr *a)
{
    return a->d[0] == 0 && a->w[3] == 0 && (a->w[2] == 0 || addr_is_ip4(a));
}
static inline bool addr_is_loopback(const struct addr *a)
{
    return addr_is_ip4(a) ? a->b[12] == 127
                          : a->d[0] == 0 && a->w[2] == 0 && w_be32(&a->b[12]) == 1;
}
static inline bool addr_is_multicast(const struct addr *a)
{
    return addr_is_ip4(a) ? (a->b[12] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}
/* fe80::/10 [RFC 4291 2.5.6]: means something on one link only. */
static inline bool addr_is_link_local6(const struct addr *a)
{
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}
/* ff02::1:ffXX:XXXX, where an IPv6 address is asked for [RFC 4291 2.7.1]. */
static inline struct addr addr_solicited_node(const struct addr *a)
{
    struct addr g = {.b = {0xff, 0x02, [11] = 1, [12] = 0xff}};
    memcpy(&g.b[13], &a->b[13], 3);
    return g;
}
static inline bool addr_is_limited_broadcast(const struct addr *a)
{
    return addr_is_ip4(a) && addr_to_ip4(a) == 0xffffffffu;
}

/* Whether two local ends of sockets may both be meant by one packet: "any" of a family, of both
 * families (:: where IPv4 is taken too), or one address. only6: that socket takes no IPv4. */
static inline bool addr_ends_meet(const struct addr *a, bool a_only6, const struct addr *b,
                                  bool b_only6)
{
    bool any_a = addr_is_any(a), any_b = addr_is_any(b);
    bool a4 = addr_is_ip4(a) || (any_a && !a_only6), a6 = !addr_is_ip4(a);
    bool b4 = addr_is_ip4(b) || (any_b && !b_only6), b6 = !addr_is_ip4(b);
    return ((a4 && b4) || (a6 && b6)) && (any_a || any_b || addr_eq(a, b));
}

/* Whether the first `bits` bits are equal; IPv4 prefix lengths are written + 96. */
static inline bool addr_in_prefix(const struct addr *a, const struct addr *prefix, unsigned bits)
{
    WEIR_ASSERT(bits <= 128);
    uint64_t high = w_be64(a->b) ^ w_be64(prefix->b),
             low = w_be64(a->b + 8) ^ w_be64(prefix->b + 8);
    if (bits < 64)
        return bits == 0 || high >> (64 - bits) == 0;
    return high == 0 && (bits == 64 || low >> (128 - bits) == 0);
}

/* Text. addr_parse takes dotted IPv4 or RFC 4291 text; 0 or -EINVAL. addr_format writes RFC 5952
 * text (IPv4 dotted), NUL-terminated, into buf of ADDR_TEXT bytes; returns its length. */
#define ADDR_TEXT 48
int addr_parse(const char *text, struct addr *out);
unsigned addr_format(const struct addr *a, char *buf);

/* The 4-tuple of a connection, as this end sees it [RFC 9293 3.3.1]. */
struct flow {
    struct addr local, remote;
    uint16_t lport, rport; /* host order */
    uint8_t proto;         /* 6 TCP, 17 UDP */
    uint8_t nif;           /* 0: any interface */
    uint16_t vrf;          /* 0; room for later */
};
_Static_assert(sizeof(struct flow) == 40, "flow");

static inline bool flow_eq(const struct flow *a, const struct flow *b)
{
    return a->lport == b->lport && a->rport == b->rport && a->proto == b->proto &&
           addr_eq(&a->remote, &b->remote) && addr_eq(&a->local, &b->local);
}

#endif
