/* SPDX-License-Identifier: Apache-2.0
 *
 * One line of text for any frame or packet: Ethernet, ARP, IPv4, IPv6.
 *
 * Decides what is worth a place on the line. The order and words are tcpdump's wherever it has
 * some; what it leaves out without -v and we want (fragments, congestion marks) stands in brackets
 * at the end, like everything that is wrong.
 *
 * Owns nothing. Called by traces, tests, capture and `weir why`; calls the parsers of this room,
 * show_tcp.c and show_icmp.c for the upper layers, and text.c to append. Keeps: reads only the n
 * bytes that are there, even where headers speak of more; writes only the buffer; quoting a packet
 * inside an ICMP error goes one level deep.
 */
#include "wire/show.h"

#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/show_part.h"
#include "wire/udp.h"

void show_bad(struct text *t, enum drop why)
{
    text_str(t, " [");
    text_str(t, drop_text(why));
    text_str(t, "]");
}

void show_hosts(struct text *t, const struct show_l4 *m)
{
    text_addr(t, &m->src);
    text_str(t, " > ");
    text_addr(t, &m->dst);
    text_str(t, ": ");
}

void show_udp(struct text *t, const struct show_l4 *m)
{
    struct wire_udp h;
    enum drop bad = m->n < WIRE_UDP_HLEN ? DROP_UDP_SHORT : wire_udp_parse(m->p, m->len, &h);
    if (bad == DROP_UDP_SHORT) {
        show_hosts(t, m);
        text_str(t, "UDP");
        show_bad(t, bad);
        return;
    }
    text_endpoint(t, &m->src, h.sport);
    text_str(t, " > ");
    text_endpoint(t, &m->dst, h.dport);
    text_str(t, ": UDP");
    if (bad != DROP_NONE)
        show_bad(t, bad);
    else
        text_field(t, ", length ", (uint64_t)h.len - WIRE_UDP_HLEN);
}

static const char *proto_name(uint8_t proto)
{
    switch (proto) {
    case PROTO_ICMP4: return "ICMP";
    case PROTO_IGMP: return "IGMP";
    case PROTO_TCP: return "TCP";
    case PROTO_UDP: return "UDP";
    case PROTO_ESP: return "ESP";
    case PROTO_AH: return "AH";
    case PROTO_ICMP6: return "ICMP6";
    case PROTO_NONE: return "no next header";
    default: return NULL;
    }
}

static void show_proto(struct text *t, const struct show_l4 *m)
{
    show_hosts(t, m);
    const char *name = proto_name(m->proto);
    if (name)
        text_str(t, name);
    else
        text_field(t, "ip-proto-", m->proto);
}

static void show_other(struct text *t, const struct show_l4 *m)
{
    show_proto(t, m);
    text_field(t, ", length ", m->len);
}

static void show_l4(struct text *t, const struct show_l4 *m, bool is_ip4)
{
    if (m->proto == PROTO_TCP)
        show_tcp(t, m);
    else if (m->proto == PROTO_UDP)
        show_udp(t, m);
    else if (m->proto == PROTO_ICMP4 && is_ip4)
        show_icmp4(t, m);
    else if (m->proto == PROTO_ICMP6 && !is_ip4)
        show_icmp6(t, m);
    else
        show_other(t, m);
}

/* " [frag id 7 offset 1480 more]" */
static void show_frag(struct text *t, uint32_t id, unsigned off, bool more)
{
    text_field(t, " [frag id ", id);
    text_field(t, " offset ", off);
    text_str(t, more ? " more]" : "]");
}

static void show_ecn(struct text *t, uint8_t tos)
{
    static const char *const name[] = {"", " [ECT1]", " [ECT0]", " [CE]"};
    text_str(t, name[tos & ECN_MASK]);
}

static void show_ip4(struct text *t, const uint8_t *p, size_t n, size_t whole)
{
    struct wire_ip4 h;
    enum drop bad = n < WIRE_IP4_HLEN ? DROP_IP_SHORT : wire_ip4_parse(p, whole, &h);
    if (bad == DROP_IP_SHORT || bad == DROP_IP_VERSION) {
        text_str(t, "IP4");
        show_bad(t, bad);
        return;
    }
    struct show_l4 m = {.src = h.src, .dst = h.dst, .proto = h.proto};
    if (bad == DROP_NONE && h.hlen > n)
        bad = DROP_IP_SHORT;
    if (bad != DROP_NONE) {
        show_proto(t, &m);
        show_bad(t, bad);
        return;
    }
    m.p = p + h.hlen;
    m.len = (size_t)h.total - h.hlen;
    m.n = n - h.hlen < m.len ? n - h.hlen : m.len;
    if (h.frag_off != 0)
        show_other(t, &m);
    else
        show_l4(t, &m, true);
    if (wire_ip4_is_frag(&h))
        show_frag(t, h.id, h.frag_off, (h.flags & IP4_MF) != 0);
    show_ecn(t, h.tos);
}

static void show_ip6(struct text *t, const uint8_t *p, size_t n, size_t whole)
{
    struct wire_ip6 h;
    struct wire_ip6_chain c;
    enum drop bad = n < WIRE_IP6_HLEN ? DROP_IP_SHORT : wire_ip6_parse(p, whole, &h);
    if (bad == DROP_IP_SHORT || bad == DROP_IP_VERSION) {
        text_str(t, "IP6");
        show_bad(t, bad);
        return;
    }
    struct show_l4 m = {.src = h.src, .dst = h.dst, .proto = h.next};
    size_t total = (size_t)WIRE_IP6_HLEN + h.plen;
    if (bad == DROP_NONE)
        bad = wire_ip6_walk(p, n < total ? n : total, &c);
    if (bad != DROP_NONE) {
        show_proto(t, &m);
        show_bad(t, bad);
        return;
    }
    m.proto = c.proto;
    m.p = p + c.off;
    m.len = total - c.off;
    m.n = n - c.off < m.len ? n - c.off : m.len;
    if (c.frag_off != 0)
        show_other(t, &m);
    else
        show_l4(t, &m, false);
    if (c.frag_at != 0)
        show_frag(t, c.frag_id, c.frag_off, c.frag_more);
    show_ecn(t, h.tclass);
}

static void show_ip(struct text *t, const uint8_t *p, size_t n, size_t whole)
{
    whole = whole > n ? whole : n;
    if (n == 0)
        text_str(t, "empty");
    else if (p[0] >> 4 == 4)
        show_ip4(t, p, n, whole);
    else if (p[0] >> 4 == 6)
        show_ip6(t, p, n, whole);
    else
        text_field(t, "IP version ", p[0] >> 4);
}

static void show_arp(struct text *t, const uint8_t *p, size_t n)
{
    struct wire_arp h;
    text_str(t, "ARP");
    enum drop bad = wire_arp_parse(p, n, &h);
    if (bad != DROP_NONE) {
        show_bad(t, bad);
        return;
    }
    if (h.op == ARP_REQUEST) {
        text_str(t, ", Request who-has ");
        text_addr(t, &h.tpa);
        text_str(t, " tell ");
        text_addr(t, &h.spa);
    } else {
        if (h.op != ARP_REPLY)
            text_field(t, ", op ", h.op);
        text_str(t, h.op == ARP_REPLY ? ", Reply " : " ");
        text_addr(t, &h.spa);
        text_str(t, " is-at ");
        text_mac(t, h.sha);
    }
    text_field(t, ", length ", n);
}

/* Who sends what to whom, where there is nothing better to say. */
static void show_frame(struct text *t, const struct wire_eth *h, size_t whole)
{
    text_mac(t, h->src);
    text_str(t, " > ");
    text_mac(t, h->dst);
    text_str(t, ", ethertype 0x");
    text_hex(t, h->type, 4);
    text_field(t, ", length ", whole);
}

static void show_eth(struct text *t, const uint8_t *p, size_t n, size_t whole)
{
    struct wire_eth h;
    whole = whole > n ? whole : n;
    enum drop bad = wire_eth_parse(p, n, &h);
    if (bad == DROP_ETH_SHORT) {
        text_field(t, "Ethernet, length ", whole);
        show_bad(t, bad);
        return;
    }
    for (unsigned i = 0; i < h.nvlan; i++) {
        text_field(t, "vlan ", h.vlan[i] & 0xfff);
        text_str(t, ", ");
    }
    if (bad == DROP_NONE && (h.type == ETYPE_IP4 || h.type == ETYPE_IP6)) {
        show_ip(t, p + h.hlen, n - h.hlen, whole - h.hlen);
    } else if (bad == DROP_NONE && h.type == ETYPE_ARP) {
        show_arp(t, p + h.hlen, n - h.hlen);
    } else {
        show_frame(t, &h, whole);
        if (bad != DROP_NONE)
            show_bad(t, bad);
    }
}

unsigned wire_show_eth(const uint8_t *frame, size_t n, size_t whole, char *buf, size_t cap)
{
    if (cap == 0)
        return 0;
    struct text t = {.at = buf, .cap = cap - 1};
    show_eth(&t, frame, n, whole);
    return text_end(&t);
}

unsigned wire_show_ip(const uint8_t *p, size_t n, size_t whole, char *buf, size_t cap)
{
    if (cap == 0)
        return 0;
    struct text t = {.at = buf, .cap = cap - 1};
    show_ip(&t, p, n, whole);
    return text_end(&t);
}
