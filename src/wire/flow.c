/* SPDX-License-Identifier: Apache-2.0
 *
 * What tells the flows of an IP packet apart. [RFC 8290 4.1.1: addresses, protocol, ports]
 *
 * Decides which bytes name a flow, changes nothing, owns nothing. Called by link/ and dev/ for
 * queues that share by flow; they hash the key with a secret, or outsiders could aim at a queue.
 *
 * Reads no byte beyond the n it is given, whatever the lengths in the packet say; what is not there
 * is not part of the key. A truncated packet is a flow too.
 */
#include "wire/flow.h"

#include "wire/ipv4.h"
#include "wire/ipv6.h"

static bool has_ports(uint8_t proto) { return proto == PROTO_TCP || proto == PROTO_UDP; }

static void key_put(struct wire_flow *f, const uint8_t *at, unsigned n)
{
    memcpy(f->key + f->n, at, n);
    f->n = (uint8_t)(f->n + n);
}

bool wire_flow_of(const uint8_t *ip, size_t n, struct wire_flow *out)
{
    size_t l4;
    bool is_part = false;
    *out = (struct wire_flow){0};
    if (n >= WIRE_IP4_HLEN && ip[0] >> 4 == 4) {
        l4 = (size_t)(ip[0] & 15) * 4;
        out->tos = ip[1];
        out->proto = ip[9];
        is_part = (w_be16(ip + 6) & 0x3fff) != 0; /* an offset, or more to come */
        key_put(out, ip + 12, 8);
    } else if (n >= WIRE_IP6_HLEN && ip[0] >> 4 == 6) {
        l4 = WIRE_IP6_HLEN;
        out->tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
        out->proto = ip[6];
        key_put(out, ip + 8, 32);
    } else {
        return false;
    }
    key_put(out, &out->proto, 1);
    if (has_ports(out->proto) && !is_part && n >= l4 + 4)
        key_put(out, ip + l4, 4);
    return true;
}
