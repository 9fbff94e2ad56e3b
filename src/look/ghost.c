/* SPDX-License-Identifier: Apache-2.0
 *
 * Headers for a segment that was dropped before it reached a device: its bytes are gone, but the
 * record of its making tells who sent it to whom, and which bytes it carried. A reader of captures
 * then shows it among the others of its connection, cut short by the capture. What is not known
 * (addresses of Ethernet, checksums, TTL) is 0.
 *
 * Called by frames.c.
 */
#include "look/parts.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

#include <string.h>

static bool is_ip4(const struct weir_trace_end *e)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(e->addr, mapped, sizeof mapped) == 0;
}

static uint32_t put_ip4(uint8_t *h, const struct look_conn *c, uint32_t payload)
{
    h[0] = 0x45;
    w_put16(h + 2, (uint16_t)(WIRE_IP4_HLEN + WIRE_TCP_HLEN + payload));
    h[9] = PROTO_TCP;
    memcpy(h + 12, c->local.addr + 12, 4);
    memcpy(h + 16, c->remote.addr + 12, 4);
    return WIRE_IP4_HLEN;
}

static uint32_t put_ip6(uint8_t *h, const struct look_conn *c, uint32_t payload)
{
    h[0] = 0x60;
    w_put16(h + 4, (uint16_t)(WIRE_TCP_HLEN + payload));
    h[6] = PROTO_TCP;
    memcpy(h + 8, c->local.addr, 16);
    memcpy(h + 24, c->remote.addr, 16);
    return WIRE_IP6_HLEN;
}

uint32_t look_ghost(const struct look_down *d, bool is_l3, uint8_t out[LOOK_GHOST])
{
    const struct look_conn *c = d->conn;
    uint32_t n = 0;
    if (d->send.kind != WEIR_T_SEND || c == NULL || d->send.len > UINT16_MAX - LOOK_GHOST)
        return 0;
    memset(out, 0, LOOK_GHOST);
    bool is_4 = is_ip4(&c->local);
    if (!is_l3) {
        w_put16(out + 12, is_4 ? ETYPE_IP4 : ETYPE_IP6);
        n = WIRE_ETH_HLEN;
    }
    n += is_4 ? put_ip4(out + n, c, d->send.len) : put_ip6(out + n, c, d->send.len);
    w_put16(out + n, c->local.port);
    w_put16(out + n + 2, c->remote.port);
    w_put32(out + n + 4, d->send.seq);
    w_put32(out + n + 8, d->send.ack);
    w_put16(out + n + 12, (uint16_t)(WIRE_TCP_HLEN / 4 << 12 | (d->send.flags & 0x1ff)));
    return n + WIRE_TCP_HLEN;
}
