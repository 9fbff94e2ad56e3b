/* SPDX-License-Identifier: Apache-2.0
 *
 * Large receive offload: TCP segments that follow one another, to the host as one frame.
 *
 * Theory of operation. Frames go to the host in the order in which they came. When the first of
 * those that wait is a segment to which others may join, it waits for NIC_LRO_NS; each frame behind
 * it either joins or closes the run. So a run is always a stretch of the FIFO, nothing overtakes
 * anything, and nothing waits longer than that. Two flows whose segments alternate are not merged.
 *
 * What may join is what the stack's own merging takes (link/gro.c): the same addresses, ports, TOS,
 * TTL, acknowledgement, window, flags and options, the next sequence number, and a checksum that is
 * right, since nobody can verify it afterwards. PSH, a segment shorter than the first, and
 * NIC_LRO_MAX end a run. IPv6 alike.
 *
 * Called by rxq. Calls offload and wire/.
 */
#include "nic/parts.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

/* A segment as merging sees it. */
struct lro_seg {
    const uint8_t *frame;
    struct nic_place at;
    uint32_t headers, payload;
};

static bool is_plain_ip(const struct lro_seg *s, uint32_t len)
{
    const uint8_t *ip = s->frame + s->at.l3;
    bool is_v4 = ip[0] >> 4 == 4;
    uint32_t hlen = is_v4 ? (uint32_t)WIRE_IP4_HLEN : (uint32_t)WIRE_IP6_HLEN;
    return s->at.l4 - s->at.l3 == hlen &&
           s->at.l4 + s->at.l4_len == len; /* no options, no padding */
}

static bool read_segment(const struct nic *n, const struct nic_slot *slot, struct lro_seg *s)
{
    *s = (struct lro_seg){.frame = n->rx.mem + slot->at};
    if (!nic_find(s->frame, slot->len, &s->at) || s->at.proto != PROTO_TCP ||
        s->at.l4_len < WIRE_TCP_HLEN || !is_plain_ip(s, slot->len))
        return false;
    const uint8_t *tcp = s->frame + s->at.l4;
    uint32_t hlen = wire_tcp_hlen(tcp), flags = wire_tcp_flags(tcp);
    if (hlen < WIRE_TCP_HLEN || hlen >= s->at.l4_len)
        return false;
    if ((flags & ~(uint32_t)(TCPF_PSH | TCPF_ACE)) != TCPF_ACK)
        return false;
    s->headers = s->at.l4 + hlen;
    s->payload = slot->len - s->headers;
    return true;
}

static bool is_right(const struct nic *n, const struct nic_slot *slot)
{
    return nic_csum_check(n, n->rx.mem + slot->at, slot->len) == NIC_RET_CSUM_GOOD;
}

static bool has_push(const struct lro_seg *s)
{
    return (wire_tcp_flags(s->frame + s->at.l4) & TCPF_PSH) != 0;
}

static bool is_same_ip(const uint8_t *a, const uint8_t *b)
{
    if (a[0] >> 4 == 6) /* all but the length */
        return memcmp(a, b, 4) == 0 && memcmp(a + 6, b + 6, WIRE_IP6_HLEN - 6) == 0;
    return a[1] == b[1] && memcmp(a + 6, b + 6, 4) == 0 && memcmp(a + 12, b + 12, 8) == 0;
}

static bool is_same_flow(const struct lro_seg *a, const struct lro_seg *b)
{
    const uint8_t *ta = a->frame + a->at.l4, *tb = b->frame + b->at.l4;
    const uint32_t options = a->headers - a->at.l4 - WIRE_TCP_HLEN;
    if (a->headers != b->headers || a->at.l4 != b->at.l4 ||
        memcmp(a->frame, b->frame, a->at.l3) != 0)
        return false;
    if (!is_same_ip(a->frame + a->at.l3, b->frame + b->at.l3) || memcmp(ta, tb, 4) != 0)
        return false;
    return wire_tcp_ack(ta) == wire_tcp_ack(tb) && wire_tcp_wnd(ta) == wire_tcp_wnd(tb) &&
           ((wire_tcp_flags(ta) ^ wire_tcp_flags(tb)) & TCPF_ACE) == 0 &&
           memcmp(ta + WIRE_TCP_HLEN, tb + WIRE_TCP_HLEN, options) == 0;
}

static struct nic_slot *waiting(struct nic *n, uint32_t i)
{
    return nic_fifo_slot(&n->rx, n->rx.first + n->rx_sent + i);
}

static void begin_run(struct nic *n)
{
    const struct nic_slot *slot = waiting(n, 0);
    struct lro_seg s;
    n->lro = (struct nic_lro){.n = 1, .len = slot->len, .is_closed = true};
    if (!read_segment(n, slot, &s) || has_push(&s) || !is_right(n, slot))
        return;
    n->lro.is_closed = false;
    n->lro.size = s.payload;
    n->lro.next_seq = wire_tcp_seq(s.frame + s.at.l4) + s.payload;
}

/* The next frame joins, or closes the run. */
static void extend_run(struct nic *n)
{
    struct nic_lro *l = &n->lro;
    struct lro_seg first, s;
    bool joins = read_segment(n, waiting(n, l->n), &s) && read_segment(n, waiting(n, 0), &first) &&
                 is_same_flow(&first, &s) && wire_tcp_seq(s.frame + s.at.l4) == l->next_seq &&
                 s.payload <= l->size && l->len + s.payload <= n->lro_max &&
                 is_right(n, waiting(n, l->n));
    l->is_closed = !joins || has_push(&s) || s.payload < l->size;
    if (!joins)
        return;
    l->n++;
    l->len += s.payload;
    l->next_seq += s.payload;
    n->stat[NIC_S_LRO_MERGED]++;
    if (has_push(&s)) {
        uint8_t *tcp = n->rx.mem + waiting(n, 0)->at + first.at.l4;
        wire_tcp_set_flags(tcp, (uint16_t)(wire_tcp_flags(tcp) | TCPF_PSH));
    }
}

static w_ns run_ends(const struct nic *n)
{
    return n->rx.slot[(n->rx.first + n->rx_sent) % NIC_SLOTS].came + n->lro_ns;
}

uint32_t nic_lro_run(struct nic *n)
{
    struct nic_lro *l = &n->lro;
    if (l->n == 0)
        begin_run(n);
    while (!l->is_closed && n->rx_sent + l->n < n->rx.n)
        extend_run(n);
    return l->is_closed || run_ends(n) <= n->now ? l->n : 0;
}

w_ns nic_lro_next(const struct nic *n)
{
    if (WEIR_LIKELY(n->lro.n == 0 || n->lro.is_closed))
        return W_NEVER;
    w_ns due = run_ends(n);
    return due > n->now ? due : W_NEVER; /* it has been tried, and waits for a buffer */
}

uint32_t nic_lro_headers(const uint8_t *frame, uint32_t n)
{
    struct nic_place at;
    bool is_found = nic_find(frame, n, &at);
    WEIR_ASSERT(is_found);
    return at.l4 + wire_tcp_hlen(frame + at.l4);
}
