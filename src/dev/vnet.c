/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtio-net header, both ways.
 *
 * What is decided here: that a checksum which the other side left undone counts as good, for the
 * frame never crossed a wire; csum_start and csum_at keep the place for whoever forwards it to one.
 * And that a header is believed only as far as the frame bears it out: a checksum's place lies in
 * the linear part, a super-segment has a checksum to do and so a place where TCP begins.
 *
 * Called by the virtio driver and by backend/tap; owns nothing. Read first: virtio 1.2, 5.1.6.2
 * and 5.1.6.4.
 */
#include "dev/vnet.h"

#include "dev/netdev.h"
#include "wire/eth.h"
#include "wire/tcp.h"

enum vnet_field { FLAGS = 0, GSO_TYPE = 1, HDR_LEN = 2, GSO_SIZE = 4, CSUM_START = 6, CSUM_AT = 8 };
enum vnet_flag { NEEDS_CSUM = 1, DATA_VALID = 2 };
enum vnet_gso { GSO_NONE = 0, GSO_TCP4 = 1, GSO_TCP6 = 4, GSO_ECN = 0x80 };
enum { ETH_TYPE_AT = 12 };

static uint32_t get_le16(const uint8_t *b) { return (uint32_t)(b[0] | b[1] << 8); }

static void put_le16(uint8_t *b, uint32_t v)
{
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

void vnet_put(const struct pkt *p, uint8_t h[VNET_HLEN])
{
    memset(h, 0, VNET_HLEN);
    if (p->csum != CSUM_TODO)
        return;
    const uint8_t *frame = pkt_data(p);
    uint32_t start = (uint32_t)(p->csum_start - p->off);
    h[FLAGS] = NEEDS_CSUM;
    put_le16(h + CSUM_START, start);
    put_le16(h + CSUM_AT, p->csum_at);
    if (p->gso_size == 0)
        return;
    const uint8_t *tcp = frame + start;
    h[GSO_TYPE] = w_be16(frame + ETH_TYPE_AT) == ETYPE_IP6 ? GSO_TCP6 : GSO_TCP4;
    if ((wire_tcp_flags(tcp) & TCPF_CWR) != 0)
        h[GSO_TYPE] |= GSO_ECN;
    put_le16(h + GSO_SIZE, p->gso_size);
    put_le16(h + HDR_LEN, start + wire_tcp_hlen(tcp));
}

/* The segments of a received super-segment, from its TCP header on. */
static uint16_t count_segs(const struct pkt *p, uint32_t tcp)
{
    if (tcp + WIRE_TCP_HLEN > p->lin)
        return 1;
    uint32_t headers = tcp + wire_tcp_hlen(pkt_data(p) + tcp);
    if (headers >= p->len)
        return 1;
    return (uint16_t)((p->len - headers + p->gso_size - 1) / p->gso_size);
}

static bool get_gso(struct pkt *p, const uint8_t h[VNET_HLEN], uint32_t flags)
{
    unsigned type = h[GSO_TYPE] & ~(unsigned)GSO_ECN;
    bool is_taken = (type == GSO_TCP4 && (flags & NETDEV_LRO) != 0) ||
                    (type == GSO_TCP6 && (flags & NETDEV_LRO6) != 0);
    uint32_t size = get_le16(h + GSO_SIZE);
    if (!is_taken || size == 0 || p->csum != CSUM_GOOD || (h[FLAGS] & NEEDS_CSUM) == 0)
        return false;
    p->gso_size = (uint16_t)size;
    p->gso_segs = count_segs(p, get_le16(h + CSUM_START));
    return true;
}

bool vnet_get(struct pkt *p, const uint8_t h[VNET_HLEN], uint32_t flags)
{
    p->csum = CSUM_NONE;
    p->gso_size = 0;
    if ((flags & NETDEV_RX_CSUM) != 0 && (h[FLAGS] & NEEDS_CSUM) != 0) {
        uint32_t start = get_le16(h + CSUM_START), at = get_le16(h + CSUM_AT);
        if (start + at + 2 > p->lin || at == 0)
            return false;
        p->csum = CSUM_GOOD;
        p->csum_start = (uint16_t)(p->off + start);
        p->csum_at = (uint16_t)at;
    } else if ((flags & NETDEV_RX_CSUM) != 0 && (h[FLAGS] & DATA_VALID) != 0) {
        p->csum = CSUM_GOOD;
    }
    return h[GSO_TYPE] == GSO_NONE || get_gso(p, h, flags);
}
