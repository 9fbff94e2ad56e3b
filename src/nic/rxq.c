/* SPDX-License-Identifier: Apache-2.0
 *
 * Receive: from frames in the RX FIFO to buffers in host memory, and the return ring that says what
 * lies where.
 *
 * Theory of operation. The driver gives empty buffers through the receive ring; they are fetched a
 * cache full ahead. The FIFO's frames go to the host in order. For each, as many entries are taken
 * as it needs, and as many places of the return ring, and one DMA write is started, which fills the
 * buffers first and the return entries after them, the flag DONE last. So a driver that sees DONE
 * sees the frame.
 *
 * When the queue of the first frame has no buffer (or no place in the return ring) the frame waits,
 * and all behind it: the FIFO fills, and the MAC sends PAUSE or drops. With NIC_CTRL_RX_DROP it is
 * dropped instead and counted, and the other queues go on.
 *
 *   index           | means entries before it are
 *   next            | used, or promised to a frame on its way
 *   head, asked     | fetched; fetched or being fetched
 *   tail            | the NIC's
 *   ret_head        | written (return ring)
 *   ret_next        | … or promised
 *   ret_tail        | taken by the driver
 *
 * Keeps: next ≤ head ≤ asked ≤ tail, asked − next ≤ NIC_CACHE − what is on its way;
 * ret_tail ≤ ret_head ≤ ret_next ≤ ret_tail + ret_size (modulo 2^32).
 */
#include "nic/parts.h"

/* ---- fetching descriptors ---- */

/* Entries that frames on their way to the host still read from the cache. */
static uint32_t fetch_room(const struct nic_rxq *r) { return NIC_CACHE - (r->asked - r->done); }

static void fetch_rxds(struct nic *n, unsigned q)
{
    struct nic_rxq *r = &n->rxq[q];
    uint32_t place = r->size != 0 ? r->asked % r->size : 0;
    uint32_t k = w_u32_min(r->tail - r->asked, fetch_room(r));
    k = w_u32_min(k, r->size - place);
    if (k == 0 || r->is_dead || !nic_dma_has_room(&n->rd))
        return;
    struct nic_op op = {.kind = NIC_OP_RXD, .queue = (uint8_t)q, .idx = r->asked, .n = (uint16_t)k};
    nic_dma_start(n, &n->rd, op, k * (uint32_t)sizeof(struct nic_rxd));
    r->asked += k;
}

/* Descriptor i into the cache. False: it is torn, one half is of another lap. */
static bool take_rxd(struct nic *n, struct nic_rxq *r, uint32_t i, const uint8_t *at)
{
    struct nic_rxd *d = &r->cache[i % NIC_CACHE], old = *d;
    uint32_t tag = nic_tag(i, r->size);
    memcpy(d, at, sizeof(*d));
    if (nic_fault(n, NIC_FAULT_TORN_RXD))
        nic_fault_tear_rxd(n, d, &old);
    if (nic_addr_tag(d->hdr) != tag || nic_addr_tag(d->buf) != tag)
        return false;
    d->hdr = nic_addr_of(d->hdr);
    d->buf = nic_addr_of(d->buf);
    return true;
}

void nic_rx_fetched(struct nic *n, const struct nic_op *op)
{
    struct nic_rxq *r = &n->rxq[op->queue];
    uint32_t bytes = op->n * (uint32_t)sizeof(struct nic_rxd);
    if (op->idx != r->head || r->is_dead)
        return; /* asked for behind a torn one */
    const uint8_t *at =
        nic_dma_at(n, r->base + (op->idx % r->size) * sizeof(struct nic_rxd), bytes);
    if (at == NULL) {
        n->stat[NIC_S_RX_DMA_ERRORS]++;
        r->is_dead = true;
        return;
    }
    for (uint32_t i = 0; i < op->n; i++, r->head++) {
        if (take_rxd(n, r, op->idx + i, at + i * sizeof(struct nic_rxd)))
            continue;
        n->stat[NIC_S_RX_TORN]++;
        r->asked = r->head;
        r->is_dead = ++r->torn == NIC_TORN_MAX;
        return;
    }
    r->torn = 0;
}

/* ---- the next frame ---- */

static uint32_t entries_for(const struct nic_rxq *r, uint32_t len)
{
    uint32_t rest = len > r->hdr_len ? len - r->hdr_len : 0;
    return rest <= r->buf_len ? 1 : (rest + r->buf_len - 1) / r->buf_len;
}

static unsigned queue_of(const struct nic *n, const uint8_t *frame, uint32_t len)
{
    uint32_t hash;
    if ((n->ctrl & NIC_CTRL_RSS) == 0 || !nic_rss_hash(n, frame, len, &hash))
        return 0;
    return n->rss_table[hash % NIC_RSS_ENTRIES] % n->conf.n_queues;
}

/* What cannot be given to the host: a frame that keeps its place and is not stored. */
static bool start_void(struct nic *n, struct nic_slot *s, unsigned q, uint32_t frames)
{
    if (!nic_dma_has_room(&n->wr))
        return false;
    s->state = NIC_SLOT_VOID;
    struct nic_op op = {
        .kind = NIC_OP_STORE, .queue = (uint8_t)q, .slot = n->rx.first + n->rx_sent, .len = frames};
    nic_dma_start(n, &n->wr, op, 0);
    n->rx_sent += frames;
    return true;
}

/* After entries were used or given. */
void nic_rx_ring_watch(struct nic *n, unsigned q)
{
    const struct nic_rxq *r = &n->rxq[q];
    n->rx_ring[q].limit = r->size;
    nic_gauge_set(&n->rx_ring[q], n->now, r->size - (r->tail - r->next));
}

/* `frames` of them, the first in s, go to the host as one. */
static bool start_store(struct nic *n, struct nic_slot *s, unsigned q, uint32_t frames)
{
    struct nic_rxq *r = &n->rxq[q];
    uint32_t len = frames > 1 ? n->lro.len : s->len, k = entries_for(r, len);
    bool has_entries = r->size != 0 && !r->is_dead && r->head - r->next >= k;
    bool is_full = !has_entries || r->ret_size - (r->ret_next - r->ret_tail) < k;
    nic_gauge_full(&n->rx_ring[q], n->now, is_full);
    if (is_full) {
        if ((n->ctrl & NIC_CTRL_RX_DROP) == 0)
            return false;
        bool is_dropped = start_void(n, s, q, frames);
        n->stat[NIC_S_RX_NO_BUFFER] += is_dropped ? frames : 0;
        return is_dropped;
    }
    if (!nic_dma_has_room(&n->wr))
        return false;
    struct nic_op op = {.kind = NIC_OP_STORE,
                        .queue = (uint8_t)q,
                        .idx = r->next,
                        .n = (uint16_t)k,
                        .slot = n->rx.first + n->rx_sent,
                        .len = frames,
                        .ret = r->ret_next};
    nic_dma_start(n, &n->wr, op, len + k * (uint32_t)sizeof(struct nic_ret));
    r->next += k;
    r->ret_next += k;
    n->rx_sent += frames;
    n->stat[NIC_S_LRO_FLUSHED] += frames > 1;
    nic_rx_ring_watch(n, q);
    return true;
}

void nic_rx_pump(struct nic *n)
{
    for (unsigned q = 0; q < n->conf.n_queues; q++)
        fetch_rxds(n, q);
    while (n->rx_sent < n->rx.n) {
        struct nic_slot *s = nic_fifo_slot(&n->rx, n->rx.first + n->rx_sent);
        uint32_t frames = n->lro_ns != 0 ? nic_lro_run(n) : 1;
        if (frames == 0)
            return;
        s->queue = (uint8_t)queue_of(n, n->rx.mem + s->at, s->len);
        if (!start_store(n, s, s->queue, frames))
            return;
        n->lro.n = 0;
        fetch_rxds(n, s->queue);
    }
}

/* ---- into host memory ---- */

static bool put(struct nic *n, bus_addr to, const uint8_t *from, uint32_t len)
{
    if (len == 0)
        return true;
    uint8_t *at = nic_dma_at(n, to, len);
    if (at == NULL) {
        n->stat[NIC_S_RX_DMA_ERRORS]++;
        return false;
    }
    memcpy(at, from, len);
    return true;
}

/* `len` bytes from `from` on of the frames that op stores as one. */
static bool put_part(struct nic *n, const struct nic_op *op, bus_addr to, uint32_t from,
                     uint32_t len)
{
    const struct nic_slot *s = nic_fifo_slot(&n->rx, op->slot);
    const uint8_t *first = n->rx.mem + s->at;
    if (op->len == 1 || len == 0)
        return put(n, to, first + from, len);
    uint8_t *at = nic_dma_at(n, to, len);
    uint32_t headers = nic_lro_headers(first, s->len), skip = 0;
    if (at == NULL) {
        n->stat[NIC_S_RX_DMA_ERRORS]++;
        return false;
    }
    for (uint32_t i = 0; i < op->len && len != 0; i++, skip = headers) {
        const struct nic_slot *f = nic_fifo_slot(&n->rx, op->slot + i);
        uint32_t has = f->len - skip, k = from < has ? w_u32_min(has - from, len) : 0;
        memcpy(at, n->rx.mem + f->at + skip + from, k);
        from -= w_u32_min(from, has);
        at += k;
        len -= k;
    }
    return true;
}

static uint32_t length_of(struct nic *n, const struct nic_op *op)
{
    const struct nic_slot *s = nic_fifo_slot(&n->rx, op->slot);
    uint32_t headers = op->len > 1 ? nic_lro_headers(n->rx.mem + s->at, s->len) : 0, len = s->len;
    for (uint32_t i = 1; i < op->len; i++)
        len += nic_fifo_slot(&n->rx, op->slot + i)->len - headers;
    return len;
}

static struct nic_ret describe(const struct nic *n, const uint8_t *frame, uint32_t len,
                               uint32_t segs)
{
    struct nic_ret e = {.flags = NIC_RET_DONE, .segs = (uint16_t)segs};
    if ((n->ctrl & NIC_CTRL_RX_CSUM) != 0) /* of merged ones it has been verified */
        e.flags |= segs > 1 ? (uint16_t)NIC_RET_CSUM_GOOD : nic_csum_check(n, frame, len);
    if ((n->ctrl & NIC_CTRL_RSS) != 0 && nic_rss_hash(n, frame, len, &e.hash))
        e.flags |= NIC_RET_HASH;
    return e;
}

/* A return entry that comes late, or its first half. False: as it should be. */
static bool put_ret_late(struct nic *n, unsigned q, bus_addr at, const struct nic_ret *e)
{
    enum { HALF = sizeof(*e) / 2 };
    struct nic_held late = {.at = at, .n = sizeof(*e), .queue = (uint8_t)q, .is_rx = true};
    if (nic_fault(n, NIC_FAULT_LATE_RET))
        return nic_fault_hold(n, &late, e);
    late.n = HALF;
    if (!nic_fault(n, NIC_FAULT_TORN_RET) || !nic_fault_hold(n, &late, e))
        return false;
    return put(n, at + HALF, (const uint8_t *)e + HALF, HALF);
}

/* One return entry. Its flags are the last of it to appear. */
static bool put_ret(struct nic *n, unsigned q, uint32_t i, const struct nic_ret *e)
{
    struct nic_rxq *r = &n->rxq[q];
    bus_addr at = r->ret_base + (i % r->ret_size) * sizeof(*e);
    if (put_ret_late(n, q, at, e))
        return true;
    bool is_put = put(n, at, (const uint8_t *)e, sizeof(*e));
    r->is_dead |= !is_put;
    return is_put;
}

static void store(struct nic *n, const struct nic_op *op, const struct nic_slot *s)
{
    struct nic_rxq *r = &n->rxq[op->queue];
    const uint8_t *frame = n->rx.mem + s->at;
    struct nic_ret e = describe(n, frame, s->len, op->len);
    uint32_t len = length_of(n, op), done = w_u32_min(len, r->hdr_len);
    e.hdr_len = (uint16_t)done;
    bool is_good = put_part(n, op, r->cache[op->idx % NIC_CACHE].hdr, 0, done);
    uint16_t flags = e.flags;
    for (uint32_t i = 0; i < op->n; i++) {
        uint32_t k = w_u32_min(len - done, r->buf_len);
        is_good &= put_part(n, op, r->cache[(op->idx + i) % NIC_CACHE].buf, done, k);
        done += k;
        e.rx = op->idx + i;
        e.buf_len = (uint16_t)k;
        e.flags = (uint16_t)(flags | (i + 1 < op->n ? NIC_RET_MORE : 0));
        if (!is_good)
            e.flags |= NIC_RET_ERROR;
        if (!put_ret(n, op->queue, op->ret + i, &e))
            return;
        e.hdr_len = 0;
    }
    n->stat[NIC_S_RX_CSUM_ERRORS] += (flags & NIC_RET_CSUM_BAD) != 0;
}

void nic_rx_stored(struct nic *n, const struct nic_op *op)
{
    struct nic_rxq *r = &n->rxq[op->queue];
    struct nic_slot *s = nic_fifo_slot(&n->rx, op->slot);
    WEIR_ASSERT(op->slot == n->rx.first);
    if (s->state != NIC_SLOT_VOID && !r->is_dead) {
        store(n, op, s);
        r->ret_head = op->ret + op->n;
        r->done = op->idx + op->n;
        if (WEIR_UNLIKELY(n->see != NULL)) {
            struct weir_trace *t = nic_seen(n, WEIR_T_STORE, op->queue, s);
            t->seq = r->done - 1;
            t->ack = op->slot;
        }
        nic_irq_event(n, op->queue, true);
    }
    for (uint32_t i = 0; i < op->len; i++)
        nic_fifo_drop_first(&n->rx, n->now);
    n->rx_sent -= op->len;
    nic_mac_watch_fifo(n);
}
