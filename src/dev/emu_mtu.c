/* SPDX-License-Identifier: Apache-2.0
 *
 * A hop narrower than the links around it: what does not fit, and what a router says about that.
 *
 * Decides which frames are too big and what the ICMP message looks like. Owns nothing. Called by
 * emu.c; reads and writes through wire/.
 *
 * The message quotes the IP header and what follows it in the frame's first bytes, which are all a
 * host needs to find the connection. It comes from the destination's addresses: a hop on a link of
 * two hosts has none of its own.
 */
#include "dev/emu_mtu.h"

#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

enum { QUOTE_MIN = 8, QUOTE_MAX = 128 }; /* of what follows the IP header; of all */

/* Where the IP packet begins and how long it says it is. False: no IP. */
static bool find_ip(const struct pkt *p, struct wire_eth *eth, uint32_t *len)
{
    const uint8_t *at = pkt_data(p);
    if (wire_eth_parse(at, p->lin, eth) != DROP_NONE || p->lin < eth->hlen + WIRE_IP6_HLEN)
        return false;
    at += eth->hlen;
    if (eth->type == ETYPE_IP4)
        *len = wire_ip4_total(at);
    else if (eth->type == ETYPE_IP6)
        *len = WIRE_IP6_HLEN + wire_ip6_plen(at);
    else
        return false;
    return true;
}

bool emu_mtu_exceeds(const struct pkt *p, uint32_t mtu)
{
    struct wire_eth eth;
    uint32_t len;
    if (!find_ip(p, &eth, &len) || len <= mtu)
        return false;
    return eth.type == ETYPE_IP6 || (w_be16(pkt_data(p) + eth.hlen + 6) & IP4_DF) != 0;
}

/* ICMP's header in front of what is quoted, and its checksum over both. */
static uint32_t message4(uint8_t *at, const uint8_t *quote, uint32_t n, uint32_t mtu)
{
    struct wire_icmp4 h = {
        .type = ICMP4T_DEST_UNREACH, .code = ICMP4C_FRAG_NEEDED, .arg = mtu & 0xffff};
    (void)wire_icmp4_build(at, &h);
    memcpy(at + WIRE_ICMP4_HLEN, quote, n);
    w_put16(at + 2, csum_fold(csum_partial(CSUM_SCALAR, at, WIRE_ICMP4_HLEN + n, 0)));
    return WIRE_ICMP4_HLEN + n;
}

static uint32_t answer4(uint8_t *at, const uint8_t *ip, uint32_t n, uint32_t mtu)
{
    struct wire_ip4 to;
    if (wire_ip4_parse(ip, wire_ip4_total(ip), &to) != DROP_NONE ||
        n < (uint32_t)to.hlen + QUOTE_MIN)
        return 0;
    uint32_t len = message4(at + WIRE_IP4_HLEN, ip, n, mtu);
    struct wire_ip4 h = {.ttl = 64,
                         .proto = PROTO_ICMP4,
                         .total = (uint16_t)(WIRE_IP4_HLEN + len),
                         .src = to.dst,
                         .dst = to.src};
    return wire_ip4_build(at, &h, NULL) + len;
}

static uint32_t answer6(uint8_t *at, const uint8_t *ip, uint32_t n, uint32_t mtu)
{
    struct wire_ip6 to;
    struct wire_icmp6 m = {.type = ICMP6T_TOO_BIG, .arg = mtu};
    uint8_t *icmp = at + WIRE_IP6_HLEN;
    uint32_t len = WIRE_ICMP6_HLEN + n;
    if (wire_ip6_parse(ip, WIRE_IP6_HLEN + wire_ip6_plen(ip), &to) != DROP_NONE ||
        n < WIRE_IP6_HLEN + QUOTE_MIN)
        return 0;
    struct wire_ip6 h = {
        .next = PROTO_ICMP6, .hlim = 64, .plen = (uint16_t)len, .src = to.dst, .dst = to.src};
    (void)wire_icmp6_build(icmp, &m);
    memcpy(icmp + WIRE_ICMP6_HLEN, ip, n);
    uint32_t sum = csum_pseudo(&h.src, &h.dst, PROTO_ICMP6, len);
    w_put16(icmp + 2, csum_fold(csum_partial(CSUM_SCALAR, icmp, len, sum)));
    return wire_ip6_build(at, &h) + len;
}

struct pkt *emu_mtu_answer(const struct pkt *p, uint32_t mtu)
{
    uint8_t bytes[WIRE_ETH_HLEN + WIRE_IP6_HLEN + WIRE_ICMP6_HLEN + QUOTE_MAX];
    struct wire_eth eth;
    uint32_t len;
    if (!find_ip(p, &eth, &len) || wire_mac_is_multicast(eth.dst))
        return NULL;
    const uint8_t *ip = pkt_data(p) + eth.hlen;
    uint32_t quote = w_u32_min(p->lin - eth.hlen, QUOTE_MAX);
    bool is_4 = eth.type == ETYPE_IP4;
    uint8_t *at = bytes + WIRE_ETH_HLEN;
    uint32_t n = is_4 ? answer4(at, ip, quote, mtu) : answer6(at, ip, quote, mtu);
    struct pkt *back = n != 0 ? pkt_new(p->home) : NULL;
    if (back == NULL)
        return NULL;
    wire_eth_put(bytes, eth.src, eth.dst, eth.type);
    if (pkt_append_copy(back, bytes, WIRE_ETH_HLEN + n))
        return back;
    pkt_free(back);
    return NULL;
}
