/* SPDX-License-Identifier: Apache-2.0
 *
 * What changes from one piece of a super-segment to the next.
 *
 * Decides how each piece's headers differ from the whole's: sequence number, IP length and IPv4
 * identification, and the flags: CWR only on the first (unless it counts), FIN and PSH only on the
 * last. IPv6 differs in the length field only.
 *
 * Called by link/gso, which cuts in software, and by nic/offload, which is a NIC that does it.
 */
#include "wire/piece.h"

#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

/* The pseudo-header's sum in the field covers the TCP length: exchange the whole's for the piece's
 * (one's complement: adding ~x takes x off). */
static void piece_csum(uint8_t *tcp, uint32_t whole_len, uint32_t len)
{
    uint32_t s = wire_tcp_csum(tcp) + (uint32_t)(uint16_t)~whole_len + len;
    s = (s & 0xffff) + (s >> 16);
    s = (s & 0xffff) + (s >> 16);
    wire_tcp_set_csum(tcp, (uint16_t)s);
}

void wire_piece_headers(uint8_t *ip, uint8_t *tcp, const struct wire_piece *w)
{
    if (WEIR_UNLIKELY(ip[0] >> 4 == 6))
        wire_ip6_set_plen(ip, (uint16_t)(w->l3_len - WIRE_IP6_HLEN));
    else
        wire_ip4_set_total_id(ip, (uint16_t)w->l3_len, (uint16_t)(w_be16(ip + 4) + w->number));
    wire_tcp_set_seq(tcp, wire_tcp_seq(tcp) + w->done);
    uint16_t flags = wire_tcp_flags(tcp);
    /* [RFC 3168 6.1.2] One CWR answers one reduction; but a counter stays [RFC 9768 3.3.4]. */
    if (w->number > 0 && !w->keeps_cwr)
        flags = (uint16_t)(flags & ~(unsigned)TCPF_CWR);
    if (!w->is_last)
        flags = (uint16_t)(flags & ~(unsigned)(TCPF_FIN | TCPF_PSH));
    wire_tcp_set_flags(tcp, flags);
    piece_csum(tcp, w->whole_len, w->l4_len);
}
