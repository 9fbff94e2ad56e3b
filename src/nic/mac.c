/* SPDX-License-Identifier: Apache-2.0
 *
 * The MAC: frames and the line.
 *
 * Theory of operation. A frame occupies the line for preamble, bytes, CRC and the gap behind it, at
 * the line's rate; fractions of a nanosecond are carried on while the line is busy, so that a full
 * line carries exactly its rate. It leaves the host's count ("sent") when its last bit has gone.
 *
 * A received frame is checked as the standard says: length, CRC, address. A sum over each byte at
 * both ends is most of what a model of a NIC costs, and nearly always says what is known: so the
 * CRC is put there where bits may change or are looked at, and checked where they may have changed.
 *
 * What passes lies in the receive FIFO; what finds no room there is missed, and counted. Before
 * that comes to pass the FIFO asks the peer to wait: from pause_high bytes on a PAUSE frame is
 * sent, repeated before it runs out, and taken back (a PAUSE of 0) at pause_low. A received PAUSE
 * holds our line after the frame that is on it; PAUSE frames of our own go out all the same, or two
 * NICs could hold each other for ever.
 *
 * Called by nic.c. Calls txq (sent) and the wire. Read first: IEEE 802.3 clauses 3, 4 and annex
 * 31B.
 */
#include "nic/parts.h"
#include "wire/eth.h"

enum {
    PAUSE_OPCODE = 0x0001,
    PAUSE_AT = WIRE_ETH_HLEN + 2, /* the quanta, behind the opcode */
    STORM_QUANTA = 0xffff,        /* what a NIC says that is stuck in PAUSE, */
    STORM_PART = 64,              /* … and so often in that time */
};

/* [802.3 31B.1] The address all MACs take PAUSE by and no bridge forwards. */
static const uint8_t pause_mac[WIRE_MAC] = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x01};

void nic_mac_reset(struct nic *n)
{
    n->mac = (struct nic_mac){.tx_end = W_NEVER, .line_free = n->now, .say_again = W_NEVER};
}

/* ---- sending ---- */

static w_ns line_time(struct nic *n, uint64_t bits)
{
    uint64_t scaled = bits * W_S + n->mac.part;
    n->mac.part = scaled % n->conf.rate_bps;
    return scaled / n->conf.rate_bps;
}

static void start(struct nic *n, uint32_t len)
{
    struct nic_mac *m = &n->mac;
    if (n->now > m->line_free)
        m->part = 0; /* the line was idle */
    m->tx_end = n->now + line_time(n, (uint64_t)(MAC_PREAMBLE + len + MAC_CRC) * 8);
    m->line_free = m->tx_end + line_time(n, (uint64_t)MAC_GAP * 8);
}

static bool is_paused(const struct nic *n) { return n->mac.paused_until > n->now; }

static bool has_frame(const struct nic *n)
{
    return n->tx.n != 0 && n->tx.slot[n->tx.first % NIC_SLOTS].state != NIC_SLOT_FILLING;
}

void nic_put_crc(const struct nic *n, uint8_t *frame, uint32_t len)
{
    uint32_t crc = nic_crc32(n->crc, frame, len - MAC_CRC);
    for (unsigned i = 0; i < MAC_CRC; i++)
        frame[len - MAC_CRC + i] = (uint8_t)(crc >> 8 * i);
}

static void frame_gone(struct nic *n, struct nic_slot *s)
{
    if (s->state == NIC_SLOT_READY) {
        uint8_t *frame = n->tx.mem + s->at;
        n->stat[NIC_S_TX_PACKETS]++;
        n->stat[NIC_S_TX_BYTES] += s->len;
        if (WEIR_UNLIKELY(n->see != NULL))
            (void)nic_seen(n, WEIR_T_WIRE, s->queue, s);
        n->wire.frame(n->wire.ctx, n->now, frame, s->len + MAC_CRC);
    }
    if (s->is_last)
        nic_tx_sent(n, s->queue, s->done);
    nic_fifo_drop_first(&n->tx, n->now);
}

static void pause_gone(struct nic *n)
{
    uint8_t frame[MAC_MIN + MAC_CRC] = {0};
    wire_eth_put(frame, pause_mac, n->conf.mac, ETYPE_PAUSE);
    w_put16(frame + WIRE_ETH_HLEN, PAUSE_OPCODE);
    w_put16(frame + PAUSE_AT, n->mac.says_quanta);
    n->stat[NIC_S_TX_PAUSE]++;
    n->mac.is_saying = false;
    n->wire.frame(n->wire.ctx, n->now, frame, sizeof(frame));
}

static w_ns quanta_time(const struct nic *n, uint64_t quanta)
{
    return quanta * MAC_QUANTUM * W_S / n->conf.rate_bps;
}

static bool is_storming(const struct nic *n) { return n->fault.storm_until > n->now; }

static void start_pause(struct nic *n)
{
    struct nic_mac *m = &n->mac;
    m->must_say = false;
    m->is_saying = true;
    m->says_quanta = m->is_holding ? n->pause_quanta : 0;
    m->say_again = m->is_holding ? n->now + quanta_time(n, n->pause_quanta) / 2 : W_NEVER;
    if (WEIR_UNLIKELY(is_storming(n))) {
        m->says_quanta = STORM_QUANTA;
        m->say_again = n->now + quanta_time(n, STORM_QUANTA) / STORM_PART;
    }
    start(n, MAC_MIN);
}

static void finish(struct nic *n)
{
    if (n->mac.tx_end > n->now)
        return;
    n->mac.tx_end = W_NEVER;
    if (n->mac.is_saying)
        pause_gone(n);
    else
        frame_gone(n, nic_fifo_slot(&n->tx, n->tx.first));
}

static void begin(struct nic *n)
{
    struct nic_mac *m = &n->mac;
    while (has_frame(n) && nic_fifo_slot(&n->tx, n->tx.first)->state == NIC_SLOT_VOID)
        frame_gone(n, nic_fifo_slot(&n->tx, n->tx.first));
    if (m->line_free > n->now)
        return;
    if (m->must_say)
        start_pause(n);
    else if (has_frame(n) && !is_paused(n))
        start(n, nic_fifo_slot(&n->tx, n->tx.first)->len);
}

static void pause_runs_out(struct nic *n)
{
    struct nic_mac *m = &n->mac;
    if (m->paused_since == 0 || is_paused(n))
        return;
    n->stat[NIC_S_PAUSED_NS] += n->now - m->paused_since;
    m->paused_since = 0;
}

void nic_mac_pump(struct nic *n)
{
    struct nic_mac *m = &n->mac;
    if (n->mac.say_again <= n->now) {
        m->say_again = W_NEVER;
        m->must_say = m->is_holding || is_storming(n);
    }
    pause_runs_out(n);
    finish(n);
    if (m->tx_end == W_NEVER)
        begin(n);
}

w_ns nic_mac_next(const struct nic *n)
{
    const struct nic_mac *m = &n->mac;
    w_ns next = w_u64_min(m->tx_end, m->say_again);
    if (m->paused_since != 0)
        next = w_u64_min(next, m->paused_until);
    if (m->tx_end != W_NEVER)
        return next;
    if (m->must_say)
        return w_u64_min(next, m->line_free);
    if (has_frame(n))
        next = w_u64_min(next, is_paused(n) ? m->paused_until : m->line_free);
    return next;
}

/* ---- receiving ---- */

void nic_mac_unpause(struct nic *n)
{
    n->mac.paused_until = w_u64_min(n->mac.paused_until, n->now);
}

static void take_pause(struct nic *n, const uint8_t *frame)
{
    struct nic_mac *m = &n->mac;
    n->stat[NIC_S_RX_PAUSE]++;
    if ((n->ctrl & NIC_CTRL_PAUSE_RX) == 0)
        return;
    m->paused_until = n->now + quanta_time(n, w_be16(frame + PAUSE_AT));
    if (m->paused_since == 0)
        m->paused_since = n->now;
}

/* [802.3 31B.1] Control frames end in the MAC, PAUSE or not, obeyed or not. */
static bool is_control(struct nic *n, const uint8_t *frame)
{
    if (w_be16(frame + 12) != ETYPE_PAUSE)
        return false;
    bool is_ours =
        memcmp(frame, pause_mac, WIRE_MAC) == 0 || memcmp(frame, n->conf.mac, WIRE_MAC) == 0;
    if (is_ours && w_be16(frame + WIRE_ETH_HLEN) == PAUSE_OPCODE)
        take_pause(n, frame);
    return true;
}

static bool is_for_us(struct nic *n, const uint8_t *frame)
{
    if (wire_mac_is_multicast(frame)) {
        n->stat[wire_mac_is_broadcast(frame) ? NIC_S_RX_BROADCAST : NIC_S_RX_MULTICAST]++;
        return true;
    }
    return (n->ctrl & NIC_CTRL_PROMISC) != 0 || memcmp(frame, n->conf.mac, WIRE_MAC) == 0;
}

/* Why a frame is no good; NIC_N_STATS: it is. len: bytes with CRC. */
static enum nic_stat fault_of(const struct nic *n, const uint8_t *frame, uint32_t len,
                              bool is_whole)
{
    if (len < MAC_MIN + MAC_CRC)
        return NIC_S_RX_RUNT;
    if (len > n->max_frame + MAC_CRC)
        return NIC_S_RX_GIANT;
    if (WEIR_LIKELY(is_whole))
        return NIC_N_STATS;
    const uint8_t *at = frame + len - MAC_CRC;
    uint32_t crc = (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
    return nic_crc32(n->crc, frame, len - MAC_CRC) == crc ? NIC_N_STATS : NIC_S_RX_CRC_ERRORS;
}

void nic_mac_watch_fifo(struct nic *n)
{
    struct nic_mac *m = &n->mac;
    uint32_t used = n->rx.bytes.now;
    if ((n->ctrl & NIC_CTRL_PAUSE_TX) == 0)
        return;
    if (!m->is_holding && used >= n->pause_high) {
        m->is_holding = true;
        m->must_say = true;
    } else if (m->is_holding && used <= n->pause_low) {
        m->is_holding = false;
        m->say_again = W_NEVER;
        m->must_say = true;
    }
}

static void take_frame(struct nic *n, const uint8_t *bytes, uint32_t len, bool is_whole)
{
    enum nic_stat why = fault_of(n, bytes, len, is_whole);
    if (why != NIC_N_STATS) {
        n->stat[why]++;
        n->stat[NIC_S_RX_LENGTH_ERRORS] += why != NIC_S_RX_CRC_ERRORS;
        return;
    }
    if (is_control(n, bytes))
        return;
    if (!is_for_us(n, bytes)) {
        n->stat[NIC_S_RX_FILTERED]++;
        return;
    }
    struct nic_slot *s = nic_fifo_take(&n->rx, n->now, len - MAC_CRC);
    if (s == NULL) {
        n->stat[NIC_S_RX_MISSED]++;
        return;
    }
    memcpy(n->rx.mem + s->at, bytes, s->len);
    s->state = NIC_SLOT_READY;
    s->came = n->now;
    n->stat[NIC_S_RX_PACKETS]++;
    n->stat[NIC_S_RX_BYTES] += s->len;
    if (WEIR_UNLIKELY(n->see != NULL))
        nic_seen(n, WEIR_T_ARRIVE, 0, s)->ack = n->rx.first + n->rx.n - 1;
    nic_mac_watch_fifo(n);
}

static void receive(struct nic *n, w_ns now, const uint8_t *bytes, uint32_t len, bool is_whole)
{
    nic_step(n, now);
    if ((n->ctrl & NIC_CTRL_ENABLE) == 0)
        return;
    take_frame(n, bytes, len, is_whole);
    if (nic_fault(n, NIC_FAULT_STORM)) {
        n->fault.storm_until = now + n->fault.plan.storm_ns;
        n->mac.must_say = true;
    }
    nic_pump(n);
}

void nic_receive(struct nic *n, w_ns now, const uint8_t *bytes, uint32_t len)
{
    receive(n, now, bytes, len, false);
}

void nic_receive_whole(struct nic *n, w_ns now, const uint8_t *bytes, uint32_t len)
{
    receive(n, now, bytes, len, true);
}
