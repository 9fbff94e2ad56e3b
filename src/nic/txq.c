/* SPDX-License-Identifier: Apache-2.0
 *
 * Transmit: from descriptors in host memory to frames in the TX FIFO, and the count of what is sent
 * back into host memory.
 *
 * Theory of operation. The doorbell (TAIL) says up to where descriptors are the NIC's. They are
 * fetched a cache full ahead. For the next packet of the queue whose turn it is, room is taken in
 * the FIFO, frame by frame, and then a DMA read is started that will fill it; a super-segment is
 * one such read per piece, header and slice. So many reads can be under way, and the frames lie in
 * the FIFO in the order of the wire. When the FIFO has no room nothing is started: descriptors stay
 * in the ring, the ring fills, and the driver has to wait. That is the first link of backpressure.
 *
 *   index   | means descriptors before it are
 *   done    | sent, and told or about to be told to the host
 *   next    | part of a packet whose frames have room in the FIFO
 *   head    | fetched
 *   asked   | fetched, or being fetched
 *   tail    | the NIC's
 *
 * Keeps: done ≤ next ≤ head ≤ asked ≤ tail (modulo 2^32), asked − done ≤ NIC_CACHE. A packet that
 * cannot be sent (no end, too long, a DMA fault) becomes a void slot: it is counted, and completed
 * in its turn like any other, so that the host gets its memory back.
 *
 * A descriptor of which a half is of another lap is torn: it and those behind it are read again,
 * and if it stays so, the ring is given up like one that is not there.
 *
 * A fault in the ring itself leaves nothing to go on: the queue is dead until reset.
 */
#include "nic/parts.h"

static const struct nic_txd *txd(const struct nic_txq *t, uint32_t i)
{
    return &t->cache[i % NIC_CACHE];
}

/* ---- fetching descriptors ---- */

static void fetch_txds(struct nic *n, unsigned q)
{
    struct nic_txq *t = &n->txq[q];
    uint32_t place = t->size != 0 ? t->asked % t->size : 0;
    uint32_t k = w_u32_min(t->tail - t->asked, NIC_CACHE - (t->asked - t->done));
    k = w_u32_min(k, t->size - place); /* up to the ring's end in one go */
    if (k == 0 || t->is_dead || !nic_dma_has_room(&n->rd))
        return;
    struct nic_op op = {.kind = NIC_OP_TXD, .queue = (uint8_t)q, .idx = t->asked, .n = (uint16_t)k};
    nic_dma_start(n, &n->rd, op, k * (uint32_t)sizeof(struct nic_txd));
    t->asked += k;
}

static bool is_of_lap(const struct nic_txd *d, uint32_t tag)
{
    return nic_addr_tag(d->addr) == tag && d->flags >> NIC_TXD_TAG_SHIFT == (int)tag;
}

/* Descriptor i into the cache. False: it is torn. */
static bool take_txd(struct nic *n, struct nic_txq *t, uint32_t i, const uint8_t *at)
{
    struct nic_txd *d = &t->cache[i % NIC_CACHE], old = *d;
    memcpy(d, at, sizeof(*d));
    if (nic_fault(n, NIC_FAULT_TORN_TXD))
        nic_fault_tear_txd(n, d, &old);
    if (!is_of_lap(d, nic_tag(i, t->size)))
        return false;
    d->addr = nic_addr_of(d->addr);
    return true;
}

/* Reading goes on at the first that was torn; what is on its way from behind it will not count. */
static void read_again(struct nic *n, struct nic_txq *t)
{
    n->stat[NIC_S_TX_TORN]++;
    t->asked = t->head;
    t->is_dead = ++t->torn == NIC_TORN_MAX;
}

void nic_tx_fetched(struct nic *n, const struct nic_op *op)
{
    struct nic_txq *t = &n->txq[op->queue];
    uint32_t bytes = op->n * (uint32_t)sizeof(struct nic_txd);
    if (op->idx != t->head || t->is_dead)
        return;
    const uint8_t *at =
        nic_dma_at(n, t->base + (op->idx % t->size) * sizeof(struct nic_txd), bytes);
    if (at == NULL) {
        n->stat[NIC_S_TX_DMA_ERRORS]++;
        t->is_dead = true;
        return;
    }
    for (uint32_t i = 0; i < op->n; i++, t->head++) {
        if (!take_txd(n, t, op->idx + i, at + i * sizeof(struct nic_txd))) {
            read_again(n, t);
            return;
        }
    }
    t->torn = 0;
}

/* ---- the next packet ---- */

/* A packet as its descriptors tell it. */
struct packet {
    uint32_t n_desc; /* 0: not all of it has been fetched yet */
    uint32_t len;
    bool is_good;
};

static bool describes_well(const struct nic *n, const struct nic_txd *d, uint32_t len)
{
    if ((d->flags & NIC_TXD_TSO) == 0)
        return len <= n->max_frame && len >= 14;
    if ((n->conf.features & NIC_F_TSO) == 0 || (d->flags & NIC_TXD_CSUM) == 0)
        return false;
    return d->mss != 0 && d->hdr_len != 0 && d->hdr_len <= d->len && d->hdr_len < len &&
           (uint32_t)d->hdr_len + d->mss <= n->max_frame;
}

static struct packet next_packet(const struct nic *n, const struct nic_txq *t)
{
    struct packet p = {0};
    for (uint32_t i = 0; i < t->head - t->next; i++) {
        const struct nic_txd *d = txd(t, t->next + i);
        p.len += d->len;
        if ((d->flags & NIC_TXD_EOP) != 0 || i + 1 == NIC_TX_PARTS) {
            p.n_desc = i + 1;
            p.is_good = (d->flags & NIC_TXD_EOP) != 0 && describes_well(n, txd(t, t->next), p.len);
            break;
        }
    }
    return p;
}

static void next_is_done(struct nic_txq *t, uint32_t n_desc)
{
    t->next += n_desc;
    t->off = t->piece = 0;
}

/* A slot for what will not be sent. */
static bool give_up(struct nic *n, unsigned q, const struct packet *p)
{
    struct nic_txq *t = &n->txq[q];
    struct nic_slot *s = nic_fifo_take(&n->tx, n->now, 0);
    if (s == NULL)
        return false;
    n->stat[NIC_S_TX_BAD_DESC]++;
    s->state = NIC_SLOT_VOID;
    s->queue = (uint8_t)q;
    s->is_last = true;
    s->done = t->next + p->n_desc;
    next_is_done(t, p->n_desc);
    return true;
}

/* Takes room for one more frame of p and starts to read it. False: something has no room. */
static bool start_frame(struct nic *n, unsigned q, const struct packet *p)
{
    struct nic_txq *t = &n->txq[q];
    const struct nic_txd *d = txd(t, t->next);
    bool is_tso = (d->flags & NIC_TXD_TSO) != 0;
    uint32_t left = is_tso ? p->len - d->hdr_len - t->off : p->len;
    uint32_t slice = is_tso ? w_u32_min(d->mss, left) : p->len;
    uint32_t len = slice + (is_tso ? d->hdr_len : 0u);
    if (!nic_dma_has_room(&n->rd))
        return false;
    struct nic_slot *s = nic_fifo_take(&n->tx, n->now, w_u32_max(len, MAC_MIN) + MAC_CRC);
    if (s == NULL)
        return false;
    s->state = NIC_SLOT_FILLING;
    s->len = len;
    s->queue = (uint8_t)q;
    s->is_last = slice == left;
    s->done = t->next + p->n_desc;
    struct nic_op op = {.kind = NIC_OP_FRAME,
                        .queue = (uint8_t)q,
                        .idx = t->next,
                        .n = (uint16_t)t->piece,
                        .slot = n->tx.first + n->tx.n - 1,
                        .off = t->off,
                        .len = p->len};
    nic_dma_start(n, &n->rd, op, len);
    t->off += slice;
    t->piece++;
    if (s->is_last) {
        n->stat[NIC_S_TX_TSO] += is_tso;
        next_is_done(t, p->n_desc);
    }
    n->stat[NIC_S_TX_TSO_FRAMES] += is_tso;
    return true;
}

/* One frame of the queue's next packet. False: nothing to do, or no room. */
static bool advance(struct nic *n, unsigned q)
{
    struct nic_txq *t = &n->txq[q];
    fetch_txds(n, q);
    struct packet p = next_packet(n, t);
    if (t->is_dead || p.n_desc == 0)
        return false;
    return p.is_good ? start_frame(n, q, &p) : give_up(n, q, &p);
}

/* The queues take turns packet by packet, so that no super-segment is mixed with other frames. */
static bool one_turn(struct nic *n)
{
    for (uint32_t i = 0; i < n->conf.n_queues; i++) {
        uint32_t q = (n->tx_turn + i) % n->conf.n_queues;
        if (!advance(n, q)) {
            if (n->txq[q].piece != 0)
                return false; /* in the middle of a packet: it has to go on first */
            continue;
        }
        n->tx_turn = n->txq[q].piece != 0 ? q : q + 1;
        return true;
    }
    return false;
}

static void write_back(struct nic *n, unsigned q)
{
    struct nic_txq *t = &n->txq[q];
    if (!t->is_wb_due || t->is_dead || !nic_dma_has_room(&n->wr))
        return;
    t->is_wb_due = false;
    struct nic_op op = {.kind = NIC_OP_SENT, .queue = (uint8_t)q, .idx = t->done};
    nic_dma_start(n, &n->wr, op, sizeof(uint32_t));
}

void nic_tx_pump(struct nic *n)
{
    while (one_turn(n))
        ;
    for (unsigned q = 0; q < n->conf.n_queues; q++)
        write_back(n, q);
}

/* ---- a frame's bytes ---- */

/* n bytes of the packet from `from` on, to `to`; false: a fault. */
static bool gather(struct nic *n, const struct nic_op *op, uint32_t from, uint8_t *to, uint32_t len)
{
    const struct nic_txq *t = &n->txq[op->queue];
    for (uint32_t i = op->idx; len != 0; i++) {
        const struct nic_txd *d = txd(t, i);
        if (from >= d->len) {
            from -= d->len;
            continue;
        }
        uint32_t k = w_u32_min(len, d->len - from);
        const uint8_t *at = nic_dma_at(n, d->addr + from, k);
        if (at == NULL)
            return false;
        memcpy(to, at, k);
        to += k;
        len -= k;
        from = 0;
    }
    return true;
}

static bool read_frame(struct nic *n, const struct nic_op *op, struct nic_slot *s)
{
    const struct nic_txd *d = txd(&n->txq[op->queue], op->idx);
    uint8_t *frame = n->tx.mem + s->at;
    uint32_t hdr = (d->flags & NIC_TXD_TSO) != 0 ? d->hdr_len : 0;
    if (!gather(n, op, 0, frame, hdr) || !gather(n, op, hdr + op->off, frame + hdr, s->len - hdr)) {
        n->stat[NIC_S_TX_DMA_ERRORS]++;
        return false;
    }
    bool is_good = hdr == 0 || nic_tso_piece(frame, s->len, d, s->is_last, op);
    is_good = is_good && ((d->flags & NIC_TXD_CSUM) == 0 || nic_csum_complete(n, frame, s->len, d));
    n->stat[NIC_S_TX_BAD_DESC] += !is_good;
    return is_good;
}

void nic_tx_frame_read(struct nic *n, const struct nic_op *op)
{
    struct nic_slot *s = nic_fifo_slot(&n->tx, op->slot);
    if (!read_frame(n, op, s)) {
        s->state = NIC_SLOT_VOID;
        return;
    }
    if (s->len < MAC_MIN) {
        memset(n->tx.mem + s->at + s->len, 0, MAC_MIN - s->len);
        s->len = MAC_MIN;
    }
    s->state = NIC_SLOT_READY;
    if (WEIR_UNLIKELY(n->see != NULL))
        (void)nic_seen(n, WEIR_T_FETCH, op->queue, s);
}

/* ---- sent ---- */

void nic_tx_sent(struct nic *n, unsigned q, uint32_t done)
{
    n->txq[q].done = done;
    n->txq[q].is_wb_due = true;
}

void nic_tx_written_back(struct nic *n, const struct nic_op *op)
{
    struct nic_held late = {
        .at = n->txq[op->queue].wb, .n = sizeof(uint32_t), .queue = op->queue, .is_rx = false};
    if (nic_fault(n, NIC_FAULT_LATE_COUNT) && nic_fault_hold(n, &late, &op->idx))
        return;
    uint8_t *at = nic_dma_at(n, n->txq[op->queue].wb, sizeof(uint32_t));
    if (at == NULL) {
        n->stat[NIC_S_TX_DMA_ERRORS]++;
        n->txq[op->queue].is_dead = true;
        return;
    }
    memcpy(at, &op->idx, sizeof(uint32_t));
    nic_irq_event(n, op->queue, false);
}
