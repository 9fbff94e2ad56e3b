/* SPDX-License-Identifier: Apache-2.0
 *
 * The far end of a NIC's cable, as a switch's port is: between the line and a device that has none.
 *
 * What is decided here: when a frame of the inner device reaches the NIC (its last bit, at the
 * line's rate, behind the one before it, not while the NIC has asked for a pause), and what becomes
 * of frames that the inner device does not take: they wait, a PAUSE asks the NIC for patience, and
 * what comes all the same finds no room in the end and is counted. When the queue towards the NIC
 * is full nothing is taken from the inner device: what it has stays there.
 *
 * Owns the port's packets; frames cross the line as bytes, so they are copied. Called by nicdev.c;
 * calls the card and the inner device. Read first: IEEE 802.3 annex 31B.
 */
#include "run/nicport.h"

#include "dev/wrap.h"
#include "pkt/pkt.h"
#include "wire/eth.h"

enum {
    IN_MAX = 512,    /* frames towards the NIC */
    OUT_HIGH = 256,  /* frames from the NIC at which it is asked to wait, */
    OUT_LOW = 64,    /* … and at which it may go on */
    OUT_MAX = 1024,  /* … and beyond which they are lost */
    LINE_EXTRA = 20, /* preamble and gap, in byte times [IEEE 802.3 3.1.1, 4.4.2] */
    LINE_GAP = 12,
    FRAME_MIN = 60, /* without CRC */
    FRAME_CRC = 4,
    PAUSE_QUANTUM = 512, /* bit times [802.3 31B.2] */
    PAUSE_OPCODE = 1,
    PAUSE_LONG = 0xffff,
};

static const uint8_t pause_mac[WIRE_MAC] = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x01};

/* ---- from the NIC ---- */

static bool take_pause(struct nicdev *d, w_ns at, const uint8_t *frame)
{
    if (w_be16(frame + 12) != ETYPE_PAUSE || w_be16(frame + WIRE_ETH_HLEN) != PAUSE_OPCODE)
        return false;
    uint64_t bits = (uint64_t)w_be16(frame + WIRE_ETH_HLEN + 2) * PAUSE_QUANTUM;
    d->port.paused_until = at + bits * W_S / d->nic.conf.rate_bps;
    return true;
}

static void frame_sent(void *ctx, w_ns at, uint8_t *bytes, uint32_t n)
{
    struct nicdev *d = ctx;
    struct nicdev_port *p = &d->port;
    if (take_pause(d, at, bytes))
        return;
    struct pkt *pkt = p->out.n < OUT_MAX ? pkt_from_bytes(d->dev.mem, bytes, n - FRAME_CRC) : NULL;
    if (pkt == NULL) {
        p->lost++;
        return;
    }
    pktq_push(&p->out, pkt);
    if (p->out.n >= OUT_HIGH && !p->is_holding)
        p->is_holding = p->must_say = true;
}

static void put_out(struct nicdev *d, w_ns now)
{
    struct nicdev_port *p = &d->port;
    do {
        while (p->n_held < NICDEV_HELD && p->out.n != 0)
            p->held[p->n_held++] = pktq_pop(&p->out);
        if (p->n_held == 0)
            break;
        unsigned k = netdev_tx(d->inner, 0, now, p->held, p->n_held);
        p->n_held -= k;
        memmove(p->held, p->held + k, p->n_held * sizeof(p->held[0]));
    } while (p->n_held == 0);
    wrap_free_reaped(d->inner, 0, now);
    if (p->is_holding && p->out.n <= OUT_LOW) {
        p->is_holding = false;
        p->must_say = true;
    }
}

/* ---- towards the NIC ---- */

bool nicport_is_full(const struct nicdev *d) { return d->port.in.n >= IN_MAX; }

void nicport_take(struct nicdev *d, w_ns now)
{
    struct pkt *v[NICDEV_HELD];
    unsigned n = NICDEV_HELD;
    while (n == NICDEV_HELD && !nicport_is_full(d)) {
        n = netdev_rx(d->inner, 0, now, v, NICDEV_HELD);
        if (d->port.in.n == 0 && n != 0)
            d->port.line_free = w_u64_max(d->port.line_free, now);
        for (unsigned i = 0; i < n; i++)
            pktq_push(&d->port.in, v[i]);
    }
}

static w_ns line_time(struct nicdev *d, uint64_t bits)
{
    uint64_t scaled = bits * W_S + d->port.part, rate = d->nic.conf.rate_bps;
    d->port.part = scaled % rate;
    return scaled / rate;
}

/* [802.3 31B.2] A pause does not hold back the frames that ask for one. */
static w_ns starts_at(const struct nicdev_port *p)
{
    if (p->must_say)
        return p->line_free;
    return p->in.n != 0 ? w_u64_max(p->line_free, p->paused_until) : W_NEVER;
}

static void start(struct nicdev *d, w_ns now)
{
    struct nicdev_port *p = &d->port;
    uint32_t len = FRAME_MIN;
    if (p->must_say)
        p->is_saying = true;
    else
        len = w_u32_max(len, p->in.first->len);
    p->must_say = false;
    w_ns takes = line_time(d, (uint64_t)(LINE_EXTRA + len + FRAME_CRC) * 8);
    p->line_free = now + takes;
    p->arrives = p->line_free - (uint64_t)LINE_GAP * 8 * W_S / d->nic.conf.rate_bps;
}

static uint32_t pause_frame(const struct nicdev *d, uint8_t *frame)
{
    memset(frame, 0, FRAME_MIN);
    wire_eth_put(frame, pause_mac, d->inner->caps.mac, ETYPE_PAUSE);
    w_put16(frame + WIRE_ETH_HLEN, PAUSE_OPCODE);
    w_put16(frame + WIRE_ETH_HLEN + 2, d->port.is_holding ? PAUSE_LONG : 0);
    return FRAME_MIN;
}

static uint32_t next_frame(struct nicdev *d, uint8_t *frame)
{
    struct pkt *pkt = pktq_pop(&d->port.in);
    uint32_t n = pkt_copy_out(pkt, 0, frame, NICDEV_FRAME_MAX - FRAME_CRC);
    pkt_free(pkt);
    if (n >= FRAME_MIN)
        return n;
    memset(frame + n, 0, FRAME_MIN - n);
    return FRAME_MIN;
}

static void deliver(struct nicdev *d, w_ns now)
{
    struct nicdev_port *p = &d->port;
    p->arrives = W_NEVER;
    p->said_pause += p->is_saying;
    uint32_t n = p->is_saying ? pause_frame(d, d->frame) : next_frame(d, d->frame);
    p->is_saying = false;
    nic_receive_whole(&d->nic, now, d->frame, n + FRAME_CRC);
}

/* ---- both ---- */

w_ns nicport_next(const struct nicdev *d)
{
    return d->port.arrives != W_NEVER ? d->port.arrives : starts_at(&d->port);
}

static w_ns line_next(const struct nicdev *d)
{
    return w_u64_min(nic_next(&d->nic), nicport_next(d));
}

void nicport_run(struct nicdev *d, w_ns now)
{
    struct nicdev_port *p = &d->port;
    for (w_ns t = line_next(d); t <= now; t = line_next(d)) {
        t = w_u64_max(t, d->nic.now);
        nic_step(&d->nic, t);
        if (p->arrives <= t)
            deliver(d, t);
        else if (p->arrives == W_NEVER && starts_at(p) <= t)
            start(d, t);
    }
    nic_step(&d->nic, w_u64_max(now, d->nic.now));
    put_out(d, now);
}

void nicport_init(struct nicdev *d)
{
    d->port = (struct nicdev_port){.arrives = W_NEVER};
    nic_connect(&d->nic, (struct nic_wire){frame_sent, d});
}

void nicport_free(struct nicdev *d)
{
    for (unsigned i = 0; i < d->port.n_held; i++)
        pkt_free(d->port.held[i]);
    d->port.n_held = 0;
    pktq_free(&d->port.in);
    pktq_free(&d->port.out);
}
