/* SPDX-License-Identifier: Apache-2.0
 *
 * The wire oracle: reads frames as an outsider would, and remembers per connection what each side
 * has promised the other.
 *
 * Called by the simulator for each frame that leaves a host or reaches one. Owns its table of
 * flows; when it is full, further connections go unwatched (the swarm makes far fewer).
 *
 * It parses with wire/, the room it has least reason to suspect (fuzzed and tested for itself), and
 * compares sequence numbers by its own subtraction, on purpose not with tcp/'s.
 */
#include "sim/oracle.h"

#include "wire/csum.h"
#include "wire/wire.h"

#include <stdarg.h>
#include <stdio.h>

void oracle_init(struct oracle *o) { memset(o, 0, sizeof(*o)); }

void oracle_fail(struct oracle *o, w_ns now, const char *fmt, ...)
{
    va_list ap;
    if (oracle_is_violated(o))
        return;
    va_start(ap, fmt);
    vsnprintf(o->violation, sizeof(o->violation), fmt, ap);
    va_end(ap);
    o->violated_at = now;
}

void oracle_app_turn(struct oracle *o) { memset(o->arrived_at, 0, sizeof(o->arrived_at)); }

static int32_t ahead(uint32_t a, uint32_t b) { return (int32_t)(a - b); }

struct seg {
    struct addr src, dst;
    struct wire_tcp tcp;
    uint32_t payload, end; /* end: sequence number after it, SYN and FIN counted */
    bool is_marked;        /* CE */
};

/* What an IP header of either family led to. */
struct inner {
    const uint8_t *at;
    uint32_t len;
    uint8_t proto; /* PROTO_NONE: a fragment, judged when it is whole */
};

static bool ip4_read(const uint8_t *ip, uint32_t n, struct seg *s, struct inner *in)
{
    struct wire_ip4 h;
    if (wire_ip4_parse(ip, n, &h) != DROP_NONE || !wire_ip4_csum_ok(ip, h.hlen))
        return false;
    s->src = h.src;
    s->dst = h.dst;
    s->is_marked = (h.tos & ECN_MASK) == ECN_CE;
    *in = (struct inner){ip + h.hlen, h.total - (uint32_t)h.hlen,
                         wire_ip4_is_frag(&h) ? (uint8_t)PROTO_NONE : h.proto};
    return true;
}

/* No host here has a reason for an extension header but that of a fragment. */
static bool ip6_read(const uint8_t *ip, uint32_t n, struct seg *s, struct inner *in)
{
    struct wire_ip6 h;
    if (wire_ip6_parse(ip, n, &h) != DROP_NONE || addr_is_ip4(&h.src) || addr_is_ip4(&h.dst))
        return false;
    s->src = h.src;
    s->dst = h.dst;
    s->is_marked = (h.tclass & ECN_MASK) == ECN_CE;
    *in = (struct inner){ip + WIRE_IP6_HLEN, h.plen,
                         h.next == PROTO_FRAGMENT ? (uint8_t)PROTO_NONE : h.next};
    return in->proto == PROTO_NONE || h.next == PROTO_TCP || h.next == PROTO_UDP ||
           h.next == PROTO_ICMP6;
}

static bool csum_is_ok(const struct seg *s, const struct inner *in)
{
    uint32_t sum = csum_pseudo(&s->src, &s->dst, in->proto, in->len);
    return csum_fold(csum_partial(CSUM_SCALAR, in->at, in->len, sum)) == 0;
}

static bool seg_read(const uint8_t *frame, uint32_t n, struct seg *s, bool *is_bad)
{
    struct inner in = {0};
    *is_bad = false;
    if (n < WIRE_ETH_HLEN)
        return false;
    const uint8_t *ip = frame + WIRE_ETH_HLEN;
    uint16_t type = w_be16(frame + 12);
    if (type != ETYPE_IP4 && type != ETYPE_IP6)
        return false;
    *is_bad = type == ETYPE_IP4 ? !ip4_read(ip, n - WIRE_ETH_HLEN, s, &in)
                                : !ip6_read(ip, n - WIRE_ETH_HLEN, s, &in);
    if (!*is_bad && in.proto == PROTO_ICMP6)
        *is_bad = !csum_is_ok(s, &in);
    if (*is_bad || in.proto != PROTO_TCP)
        return false;
    *is_bad = wire_tcp_parse(in.at, in.len, &s->tcp) != DROP_NONE || !csum_is_ok(s, &in);
    if (*is_bad)
        return false;
    s->payload = in.len - s->tcp.hlen;
    s->end = s->tcp.seq + s->payload + ((s->tcp.flags & TCPF_SYN) != 0) +
             ((s->tcp.flags & TCPF_FIN) != 0);
    return true;
}

/* The flow of a segment, made if need be; *side: 0 when a sent it. NULL: the table is full. */
static struct oracle_flow *flow_of(struct oracle *o, const struct seg *s, unsigned *side)
{
    for (unsigned i = 0; i < o->n_flow; i++) {
        struct oracle_flow *f = &o->flow[i];
        bool is_a = f->a_port == s->tcp.sport && f->b_port == s->tcp.dport &&
                    addr_eq(&f->a, &s->src) && addr_eq(&f->b, &s->dst);
        bool is_b = f->b_port == s->tcp.sport && f->a_port == s->tcp.dport &&
                    addr_eq(&f->b, &s->src) && addr_eq(&f->a, &s->dst);
        *side = is_a ? 0 : 1;
        if (is_a || is_b)
            return f;
    }
    *side = 0;
    if (o->n_flow == ORACLE_FLOWS)
        return NULL;
    struct oracle_flow *f = &o->flow[o->n_flow++];
    *f = (struct oracle_flow){
        .a = s->src, .b = s->dst, .a_port = s->tcp.sport, .b_port = s->tcp.dport, .is_used = true};
    return f;
}

/* A SYN begins a connection, or repeats the one that did. */
static void syn_seen(struct oracle_flow *f, unsigned side, const struct seg *s)
{
    struct oracle_dir *d = &f->dir[side];
    uint32_t mss = (s->tcp.has & TCPH_MSS) != 0 ? s->tcp.mss : addr_is_ip4(&s->src) ? 536 : 1220;
    if (d->has_syn && d->iss == s->tcp.seq) {
        d->mss = w_u32_max(d->mss, mss);
        return;
    }
    *d = (struct oracle_dir){.iss = s->tcp.seq, .has_syn = true, .mss = mss};
    d->end_in = d->taken = s->tcp.seq + 1;
    d->syn_wscale = (s->tcp.has & TCPH_WSCALE) != 0 ? s->tcp.wscale : 255;
    /* A new incarnation of this end has promised nothing yet. */
    f->dir[1 - side].has_edge_out = f->dir[1 - side].has_edge_in = false;
    f->dir[1 - side].has_acked = false;
    f->dir[1 - side].later_no = 0;
    if ((s->tcp.flags & TCPF_ACK) == 0)
        f->dir[1 - side] = (struct oracle_dir){0};
}

/* The right edge a segment announces: of what its receiver may send. */
static bool edge_of(const struct oracle_flow *f, unsigned side, const struct seg *s, uint32_t *edge)
{
    const struct oracle_dir *mine = &f->dir[side], *other = &f->dir[1 - side];
    if ((s->tcp.flags & TCPF_ACK) == 0 || (s->tcp.flags & TCPF_RST) != 0)
        return false;
    if (!mine->has_syn || !other->has_syn)
        return false;
    bool is_scaled =
        mine->syn_wscale != 255 && other->syn_wscale != 255 && (s->tcp.flags & TCPF_SYN) == 0;
    *edge = s->tcp.ack + ((uint32_t)s->tcp.wnd << (is_scaled ? mine->syn_wscale : 0));
    return true;
}

/* [RFC 9937 3 MUST-1] */
static void check_within_window(struct oracle *o, w_ns now, const struct oracle_dir *d,
                                const struct seg *s)
{
    if (!d->has_edge_in || (s->tcp.flags & (TCPF_SYN | TCPF_RST)) != 0)
        return;
    int32_t over = ahead(s->end, d->edge_in);
    /* A probe may carry one byte beyond a closed window [RFC 9293 3.8.6.1]; a FIN needs no room. */
    int32_t allowed = (s->payload <= 1) + ((s->tcp.flags & TCPF_FIN) != 0);
    if (over > allowed)
        oracle_fail(o, now, "port %u sent %d bytes beyond its peer's window (seq +%u, %u bytes)",
                    s->tcp.sport, over, s->tcp.seq - d->iss, s->payload);
}

/* [RFC 9293 3.7.1 MUST-16] What the peer takes, options counted; super-segments are cut by now. */
static void check_within_mss(struct oracle *o, w_ns now, const struct oracle_dir *peer,
                             const struct seg *s)
{
    uint32_t n = s->payload + s->tcp.hlen - WIRE_TCP_HLEN;
    if ((s->tcp.flags & TCPF_SYN) == 0 && peer->has_syn && s->payload != 0 && n > peer->mss)
        oracle_fail(o, now, "port %u sent %u bytes of options and text to a peer that takes %u",
                    s->tcp.sport, n, peer->mss);
}

/* What counts of the acknowledgements: who had nothing queued when a frame came knows, with all it
 * sends from then on, what that and earlier ones said. */
static void acked_settle(const struct oracle *o, unsigned host, struct oracle_dir *d)
{
    if (d->later_no == 0 || d->later_no > o->n_clear[host])
        return;
    if (!d->has_acked || ahead(d->later, d->acked) > 0)
        d->acked = d->later;
    d->has_acked = true;
    d->later_no = 0;
}

static void acked_note(const struct oracle *o, unsigned host, struct oracle_dir *d, uint32_t ack)
{
    acked_settle(o, host, d);
    if (d->later_no == 0 || ahead(ack, d->later) > 0)
        d->later = ack;
    d->later_no = o->n_in[host];
    acked_settle(o, host, d);
}

/* What its receiver has acknowledged nobody needs again: neither recovery nor a probe nor an undone
 * timeout may repeat it once the ACK is here. */
static void check_no_stale_repeat(struct oracle *o, w_ns now, unsigned host, struct oracle_dir *d,
                                  const struct seg *s)
{
    acked_settle(o, host, d);
    bool is_data = s->payload != 0 && (s->tcp.flags & (TCPF_SYN | TCPF_RST)) == 0;
    if (is_data && d->has_acked && ahead(s->end, d->acked) <= 0)
        oracle_fail(o, now, "port %u repeated %u bytes that were acknowledged (seq +%u, ack +%u)",
                    s->tcp.sport, s->payload, s->tcp.seq - d->iss, d->acked - d->iss);
}

static void check_no_shrink(struct oracle *o, w_ns now, struct oracle_flow *f, unsigned side,
                            const struct seg *s)
{
    uint32_t edge;
    struct oracle_dir *d = &f->dir[1 - side];
    if (!edge_of(f, side, s, &edge))
        return;
    uint32_t unit = f->dir[side].syn_wscale != 255 ? 1u << f->dir[side].syn_wscale : 1;
    int32_t back = d->has_edge_out ? ahead(d->edge_out, edge) : 0;
    if (back >= (int32_t)unit)
        oracle_fail(o, now, "port %u took back %d bytes of its window (ack +%u, window %u)",
                    s->tcp.sport, back, s->tcp.ack - d->iss, s->tcp.wnd);
    if (!d->has_edge_out || back < 0)
        d->edge_out = edge;
    if (!d->has_edge_out || ahead(s->tcp.ack, d->ack_sent) > 0)
        d->ack_sent = s->tcp.ack;
    d->has_edge_out = true;
}

/* Whether a SYN-ACK's flags agree to accurate ECN [RFC 9768 table 2]. */
static bool is_acc_agreed(uint16_t flags)
{
    unsigned ace = (unsigned)(flags & TCPF_ACE) >> TCPF_ACE_SHIFT;
    return ace == 2 || ace == 3 || ace == 4 || ace == 6;
}

/* [RFC 9293 3.10.7.4 fifth, LAST-ACK; 3.5.2] The connection is over for who sent a RST, and for who
 * ended second and has its FIN acknowledged. What it says from then on belongs to another one,
 * which promised nothing; that may begin without a SYN, by an old ACK of a SYN cookie [RFC 4987
 * 3.6]. */
static void promises_end(struct oracle_flow *f, unsigned side)
{
    struct oracle_dir *own = &f->dir[side], *other = &f->dir[1 - side];
    other->has_edge_out = false;
    own->has_acked = own->has_fin = own->is_last_fin = false;
    own->later_no = 0;
}

static void fin_seen(struct oracle_flow *f, unsigned side, const struct seg *s)
{
    struct oracle_dir *own = &f->dir[side];
    const struct oracle_dir *other = &f->dir[1 - side];
    if ((s->tcp.flags & TCPF_FIN) == 0 || own->has_fin)
        return;
    own->has_fin = true;
    own->fin_end = s->end;
    own->is_last_fin = other->has_fin && ahead(s->tcp.ack, other->fin_end) >= 0;
}

/* What is_acc of the client's, and of the server's, receiving half comes from: the first SYN-ACK
 * that reaches the client; the server's own, once it has sent a counter (of a SYN cookie it may
 * have forgotten it). */
static void syn_ack_arrives(struct oracle_dir *d, w_ns now, const struct seg *s)
{
    const uint16_t both = TCPF_SYN | TCPF_ACK;
    if ((s->tcp.flags & (both | TCPF_RST)) != both)
        return;
    d->is_acc = d->has_decided ? d->is_acc : is_acc_agreed(s->tcp.flags);
    d->has_decided = true;
    d->syn_at = now;
    if (s->is_marked && d->ce_in == 0)
        d->ce_in = 1;
}

static void server_agrees(struct oracle_dir *own, struct oracle_dir *heard, const struct seg *s)
{
    if ((s->tcp.flags & TCPF_SYN) != 0)
        own->has_agreed |= (s->tcp.flags & TCPF_ACK) != 0 && is_acc_agreed(s->tcp.flags);
    else if (own->has_agreed && (s->tcp.flags & TCPF_ACE) >= 2 << TCPF_ACE_SHIFT)
        heard->is_acc = true;
}

/* [RFC 9768 3.2 MUST-28, MUST-30; 3.2.2 MUST-31] The counter in a segment never goes back, and
 * never tells of marks that were not. Its three bits are taken for as much as may be, unless the
 * segment waited below, for a neighbour's address or its turn: then it is older than the marks that
 * came since. */
static void check_ace(struct oracle *o, w_ns now, struct oracle_dir *d, const struct seg *s,
                      bool has_waited)
{
    enum { CEP_INIT = 5 };
    unsigned ace = (unsigned)(s->tcp.flags & TCPF_ACE) >> TCPF_ACE_SHIFT;
    bool is_code = s->payload == 0 && is_acc_agreed(s->tcp.flags) &&
                   (d->syn_at == now || s->tcp.ack == d->iss + 1);
    if (!d->is_acc || (s->tcp.flags & (TCPF_SYN | TCPF_RST)) != 0 || is_code)
        return;
    uint64_t by = (ace - CEP_INIT - d->ce_told) & 7;
    if (d->ce_told + by > d->ce_in) {
        oracle_fail(o, now, "port %u tells of %u marks, %u came", s->tcp.sport,
                    (unsigned)(d->ce_told + by), (unsigned)d->ce_in);
        return;
    }
    d->ce_told += by + (has_waited ? 0 : (d->ce_in - d->ce_told - by) / 8 * 8);
}

static void seg_sent(struct oracle *o, w_ns now, unsigned host, const struct seg *s)
{
    unsigned side;
    o->n_segments++;
    if ((s->tcp.flags & TCPF_RST) != 0) {
        o->n_rst++;
        /* That of a paced connection waited behind its data, and answers nothing of just now. */
        o->rst_since[host] += !o->is_paced[host] || (s->tcp.flags & TCPF_ACK) == 0;
        if (!o->has_queue[host] && o->arrived_at[host] == now &&
            (o->last_was_rst[host] || o->rst_since[host] > 1))
            oracle_fail(o, now, "host %u answered %s", host,
                        o->last_was_rst[host] ? "a RST with a RST" : "one segment with two RSTs");
    }
    struct oracle_flow *f = flow_of(o, s, &side);
    if (f == NULL)
        return;
    if ((s->tcp.flags & TCPF_SYN) != 0)
        syn_seen(f, side, s);
    server_agrees(&f->dir[side], &f->dir[1 - side], s);
    check_ace(o, now, &f->dir[1 - side], s, o->other_at[host] == now || o->has_queue[host]);
    check_within_window(o, now, &f->dir[side], s);
    check_within_mss(o, now, &f->dir[1 - side], s);
    if (o->other_at[host] != now &&
        !o->is_paced[host]) /* an answer of ARP or ND lets out what waited for it */
        check_no_stale_repeat(o, now, host, &f->dir[side], s);
    check_no_shrink(o, now, f, side, s);
    fin_seen(f, side, s);
    if ((s->tcp.flags & TCPF_RST) != 0)
        promises_end(f, side);
}

/* Whether a segment is taken at all: the ACK of one that lies before the window does not count
 * [RFC 9293 3.10.7.4 first]. What its receiver has taken it need not have acknowledged yet. */
static bool ack_counts(const struct oracle_dir *theirs, const struct seg *s)
{
    uint32_t nxt = ahead(theirs->taken, theirs->ack_sent) > 0 ? theirs->taken : theirs->ack_sent;
    if (!theirs->has_edge_out)
        return false;
    return s->end == s->tcp.seq ? ahead(s->tcp.seq, nxt) >= 0 : ahead(s->end, nxt) > 0;
}

/* Where a hole is filled all that came before is counted as taken: what may not be known. */
static void data_arrives(struct oracle_dir *theirs, const struct seg *s)
{
    if (ahead(s->end, theirs->end_in) > 0)
        theirs->end_in = s->end;
    if (ahead(s->tcp.seq, theirs->taken) <= 0 && ahead(s->end, theirs->taken) > 0)
        theirs->taken = theirs->end_in;
}

static void seg_arrives(struct oracle *o, w_ns now, unsigned host, const struct seg *s)
{
    unsigned side;
    uint32_t edge;
    o->n_in[host]++;
    if (!o->has_queue[host])
        o->n_clear[host] = o->n_in[host];
    o->rst_since[host] = 0;
    o->arrived_at[host] = now;
    o->last_was_rst[host] = (s->tcp.flags & TCPF_RST) != 0;
    struct oracle_flow *f = flow_of(o, s, &side);
    if (f == NULL)
        return;
    syn_ack_arrives(&f->dir[side], now, s);
    if (s->is_marked && (s->tcp.flags & TCPF_SYN) == 0)
        f->dir[side].ce_in++;
    if (!edge_of(f, side, s, &edge))
        return;
    struct oracle_dir *d = &f->dir[1 - side];
    if (!d->has_edge_in || ahead(edge, d->edge_in) > 0)
        d->edge_in = edge;
    d->has_edge_in = true;
    bool is_counted = ack_counts(&f->dir[side], s);
    data_arrives(&f->dir[side], s);
    if (!is_counted)
        return;
    acked_note(o, host, d, s->tcp.ack);
    if (d->is_last_fin && ahead(s->tcp.ack, d->fin_end) >= 0)
        promises_end(f, 1 - side);
}

void oracle_watch(void *ctx, w_ns now, unsigned host, bool is_out, const uint8_t *frame, uint32_t n)
{
    struct oracle *o = ctx;
    struct seg s;
    bool is_bad;
    bool is_tcp = seg_read(frame, n, &s, &is_bad);
    if (is_out && is_bad)
        oracle_fail(o, now, "host %u sent a malformed packet of %u bytes", host, n);
    if (is_out && o->link_mtu != 0 && n > o->link_mtu + WIRE_ETH_HLEN)
        oracle_fail(o, now, "host %u sent a frame of %u bytes", host, n);
    if (!is_tcp) {
        if (!is_out)
            o->other_at[host] = now;
        return;
    }
    if (is_out) {
        memcpy(o->mac[host], frame + 6, 6);
        seg_sent(o, now, host, &s);
    } else if (memcmp(o->mac[host], frame, 6) == 0 && (frame[6] & 1) == 0) {
        /* else a flipped bit made it another host's, or from a group, which sends nothing */
        seg_arrives(o, now, host, &s);
    }
}
