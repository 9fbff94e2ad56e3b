/* SPDX-License-Identifier: Apache-2.0
 *
 * Neighbour discovery: the five ICMPv6 messages of RFC 4861 4 and their options, with what RFC 4191
 * (route information), RFC 8106 (DNS) and RFC 3971 5.3 (nonce) add.
 */
#ifndef WEIR_WIRE_ND_H
#define WEIR_WIRE_ND_H

#include "base/addr.h"
#include "pkt/drop.h"
#include "wire/eth.h"
#include "wire/icmp6.h"

enum { WIRE_ND_PREFIXES = 8, WIRE_ND_ROUTES = 4, WIRE_ND_DNS = 3, WIRE_ND_NONCE = 6 };

enum wire_nd_opt_type {
    NDOPT_SLLA = 1,
    NDOPT_TLLA = 2,
    NDOPT_PREFIX = 3,
    NDOPT_REDIRECTED = 4,
    NDOPT_MTU = 5,
    NDOPT_NONCE = 14,
    NDOPT_ROUTE = 24,
    NDOPT_RDNSS = 25,
};

/* Bits of wire_nd.has; a field below is meaningful only with its bit (or within its count). */
enum wire_nd_has {
    ND_HAS_SLLA = 1,
    ND_HAS_TLLA = 2,
    ND_HAS_MTU = 4,
    ND_HAS_REDIRECTED = 8,
    ND_HAS_NONCE = 16,
};
/* Neighbour Advertisement's flags, and Router Advertisement's. */
enum wire_nd_flag {
    ND_NA_ROUTER = 0x80,
    ND_NA_SOLICITED = 0x40,
    ND_NA_OVERRIDE = 0x20,
    ND_RA_MANAGED = 0x80,
    ND_RA_OTHER = 0x40,
};
enum wire_nd_prefix_flag { ND_PREFIX_ONLINK = 0x80, ND_PREFIX_AUTO = 0x40 };

struct wire_nd_prefix {
    struct addr prefix;
    uint32_t valid_s, preferred_s; /* UINT32_MAX: for ever */
    uint8_t plen, flags;
};
struct wire_nd_route {
    struct addr prefix;
    uint32_t life_s;
    uint8_t plen;
    int8_t pref; /* -1 low, 0 medium, 1 high [RFC 4191 2.1]; 2: reserved, ignore the option */
};

struct wire_nd {
    uint8_t type;    /* ICMP6T_RS … ICMP6T_REDIRECT */
    uint8_t flags;   /* of NA or RA */
    uint8_t has;     /* ND_HAS_… */
    uint8_t hlim;    /* RA: Cur Hop Limit, 0 unspecified */
    uint16_t life_s; /* RA: router lifetime */
    uint16_t csum;
    uint32_t reachable_ms, retrans_ms; /* RA, 0: unspecified */
    struct addr target;                /* NS, NA, Redirect */
    struct addr dest;                  /* Redirect */
    uint8_t slla[WIRE_MAC], tlla[WIRE_MAC];
    uint8_t nonce[WIRE_ND_NONCE];
    uint8_t n_prefix, n_route, n_dns;
    uint32_t mtu;
    uint32_t dns_life_s;
    uint16_t redirected_at,
        redirected_len; /* the redirected packet's bytes, from the ICMP header */
    struct wire_nd_prefix prefix[WIRE_ND_PREFIXES]; /* more than fit are ignored */
    struct wire_nd_route route[WIRE_ND_ROUTES];
    struct addr dns[WIRE_ND_DNS];
};

/* Reads an ICMPv6 message of type RS, RA, NS, NA or Redirect, n bytes to its end. Checks what
 * RFC 4861 6.1, 7.1, 8.1 say about the message alone: code 0, lengths, no option of length 0, no
 * multicast target. Hop limit 255, addresses and checksum are the caller's to check.
 * DROP_ND_SHORT, DROP_ND_OPTION, DROP_ND_FORMAT. Unknown options are skipped. What is absent
 * is zero. */
WEIR_MUST_CHECK enum drop wire_nd_parse(const uint8_t *p, size_t n, struct wire_nd *h);
/* Writes message and options (all that h->has and the counts ask for, Redirected Header excepted);
 * h->csum as it is. Returns the length, or 0 when cap is too small. */
unsigned wire_nd_build(uint8_t *at, size_t cap, const struct wire_nd *h);

#endif
