/* SPDX-License-Identifier: Apache-2.0
 *
 * What the NIC does for the host with whole frames: pieces of super-segments, transmit and receive
 * checksums, the hash that spreads flows over queues.
 *
 * What is decided here: which frames the NIC understands. Ethernet with up to two VLAN tags, IPv4
 * without fragmentation, IPv6 without extension headers, TCP and UDP behind them. Of anything else
 * it says nothing, and the stack looks for itself. A wrong checksum is reported, never a reason to
 * drop: the stack counts and shows the packet.
 *
 * Called by txq and rxq. Calls wire/ for headers and sums. Read first: Microsoft's "RSS hashing
 * types" for the order of the hash's input; Krawczyk, CRYPTO '94, for Toeplitz.
 */
#include "nic/parts.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/piece.h"
#include "wire/tcp.h"
#include "wire/udp.h"

enum { UDP_CSUM_AT = 6 };

static bool find_ip4(const uint8_t *frame, uint32_t n, struct nic_place *p)
{
    struct wire_ip4 ip;
    if (wire_ip4_parse(frame + p->l3, n - p->l3, &ip) != DROP_NONE || wire_ip4_is_frag(&ip))
        return false;
    *p = (struct nic_place){ip.src,  ip.dst, p->l3, p->l3 + ip.hlen, ip.total - (uint32_t)ip.hlen,
                            ip.proto};
    return true;
}

static bool find_ip6(const uint8_t *frame, uint32_t n, struct nic_place *p)
{
    struct wire_ip6 ip;
    if (wire_ip6_parse(frame + p->l3, n - p->l3, &ip) != DROP_NONE)
        return false;
    *p = (struct nic_place){ip.src, ip.dst, p->l3, p->l3 + WIRE_IP6_HLEN, ip.plen, ip.next};
    return true;
}

bool nic_find(const uint8_t *frame, uint32_t n, struct nic_place *p)
{
    struct wire_eth eth;
    if (wire_eth_parse(frame, n, &eth) != DROP_NONE)
        return false;
    *p = (struct nic_place){.l3 = eth.hlen};
    if (eth.type == ETYPE_IP4)
        return find_ip4(frame, n, p);
    return eth.type == ETYPE_IP6 && find_ip6(frame, n, p);
}

bool nic_tso_piece(uint8_t *frame, uint32_t n, const struct nic_txd *d, bool is_last,
                   const struct nic_op *op)
{
    uint32_t l4 = d->csum_start, l3 = WIRE_ETH_HLEN;
    if (d->csum_at != WIRE_TCP_CSUM_AT || l4 + WIRE_TCP_HLEN > d->hdr_len)
        return false;
    if (l4 < l3 + (frame[l3] >> 4 == 6 ? (uint32_t)WIRE_IP6_HLEN : (uint32_t)WIRE_IP4_HLEN))
        return false;
    struct wire_piece w = {
        .done = op->off,
        .number = op->n,
        .is_last = is_last,
        .l3_len = n - l3,
        .l4_len = n - l4,
        .whole_len = op->len - l4,
    };
    wire_piece_headers(frame + l3, frame + l4, &w);
    return true;
}

bool nic_csum_complete(const struct nic *n, uint8_t *frame, uint32_t len, const struct nic_txd *d)
{
    uint32_t field = (uint32_t)d->csum_start + d->csum_at;
    if (field + 2 > len)
        return false;
    uint32_t sum = csum_partial((enum csum_isa)n->conf.csum_isa, frame + d->csum_start,
                                len - d->csum_start, 0);
    uint16_t csum = csum_fold(sum);
    w_put16(frame + field, d->csum_at == UDP_CSUM_AT ? csum_nonzero(csum) : csum);
    return true;
}

uint16_t nic_csum_check(const struct nic *n, const uint8_t *frame, uint32_t len)
{
    struct nic_place p;
    if (!nic_find(frame, len, &p))
        return 0;
    if (p.proto == PROTO_UDP) {
        struct wire_udp udp;
        if (wire_udp_parse(frame + p.l4, p.l4_len, &udp) != DROP_NONE || udp.csum == 0)
            return 0;
        p.l4_len = udp.len;
    } else if (p.proto != PROTO_TCP || p.l4_len < WIRE_TCP_HLEN) {
        return 0;
    }
    uint32_t sum = csum_pseudo(&p.src, &p.dst, p.proto, p.l4_len);
    sum = csum_partial((enum csum_isa)n->conf.csum_isa, frame + p.l4, p.l4_len, sum);
    return csum_fold(sum) == 0 ? NIC_RET_CSUM_GOOD : NIC_RET_CSUM_BAD;
}

/* ---- receive-side scaling ---- */

/* Adds one input byte: for each of its ones, the 32 key bits that begin there. */
static uint32_t toeplitz(const uint32_t *key, const uint8_t *in, uint32_t n_in)
{
    uint32_t hash = 0;
    for (uint32_t i = 0; i < n_in * 8; i++) {
        uint32_t word = i / 32, bit = i % 32;
        if ((in[i / 8] >> (7 - i % 8) & 1) == 0)
            continue;
        hash ^= bit == 0 ? key[word] : key[word] << bit | key[word + 1] >> (32 - bit);
    }
    return hash;
}

bool nic_rss_hash(const struct nic *n, const uint8_t *frame, uint32_t len, uint32_t *hash)
{
    uint8_t in[36];
    struct nic_place p;
    if (!nic_find(frame, len, &p))
        return false;
    bool is_v4 = addr_is_ip4(&p.src);
    uint32_t width = is_v4 ? 4 : 16, used = 2 * width;
    const uint8_t *src = frame + p.l3 + (is_v4 ? 12 : 8);
    memcpy(in, src, used);
    if ((p.proto == PROTO_TCP || p.proto == PROTO_UDP) && p.l4_len >= 4) {
        memcpy(in + used, frame + p.l4, 4);
        used += 4;
    }
    *hash = toeplitz(n->rss_key, in, used);
    return true;
}
